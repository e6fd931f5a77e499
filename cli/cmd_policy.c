/* SPDX-License-Identifier: Apache-2.0 */
/* policy compile, and the way to the other verbs' files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/policy_cmd.h"
#include "cli/trust.h"
#include "common/str.h"

static int compile(int argc, char **argv)
{
	uint8_t hash[32];
	char hex[65], dir[4300], cwd[4096], base[128];
	struct err err = { 0 };
	const char *name = argv[0], *slash = argc == 1 ? strrchr(name, '/') : NULL;
	int fd, d;

	if (argc != 1)
		return complain("usage: agentsh policy compile NAME|FILE");
	if (!getcwd(cwd, sizeof(cwd)))
		return complain("current directory: %s", strerror(errno));
	if (policy_load(name, cwd, &fd, hash, true, &err) < 0)
		return complain("%s", err.msg);
	snprintf(dir, sizeof(dir), "%s/policy", dirs_data());
	mkdir(dirs_data(), 0755);
	mkdir(dir, 0755);
	d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(base, sizeof(base), "%.100s", slash ? slash + 1 : name);
	base[strcspn(base, ".")] = 0;
	if (d < 0 || policy_store(fd, d, base, &err) < 0)
		return complain("%s: %s", dir, d < 0 ? strerror(errno) : err.msg);
	hex_encode(hash, 32, hex);
	printf("%s  %s/%s.mdb\n", hex, dir, base);
	return 0;
}

struct policy *policy_open_named(const char *name, const char *workspace)
{
	struct err err = { 0 };
	struct policy *p = NULL;
	uint8_t hash[32];
	int fd = -1;

	if (policy_load_draft(name, workspace, &fd, hash, &err) < 0 || policy_open(fd, hash, &p, &err) < 0)
		complain("%s", err.msg);
	if (fd >= 0)
		close(fd);
	return p;
}

const char *policy_shown(const char *text)
{
	static char out[4][8192];
	static unsigned at;

	at = (at + 1) % ARRAY_LEN(out);
	return str_display(text ? text : "", text ? strlen(text) : 0, out[at], sizeof(out[at]));
}

/* 1: an option, *i at its last word; 0: an operand; -1: complained of. */
static int one_option(const char *verb, int argc, char **argv, int *i, const struct policy_option *v, size_t n)
{
	const char *word = argv[*i];
	size_t k = 0;

	if (word[0] != '-' || !word[1])
		return 0;
	while (k < n && strcmp(word, v[k].name) != 0)
		k++;
	if (k == n) {
		complain("policy %s: unknown option \"%s\"", verb, word);
		return -1;
	}
	if (v[k].flag) {
		*v[k].flag = true;
	} else if (*i + 1 == argc) {
		complain("policy %s: %s takes a value", verb, v[k].name);
		return -1;
	} else {
		*v[k].value = argv[++*i];
	}
	return 1;
}

int policy_options(const char *verb, int argc, char **argv, const struct policy_option *v, size_t n, policy_last_fn last)
{
	int operands = 0, i = 0;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		int r = one_option(verb, argc, argv, &i, v, n);

		if (r < 0)
			return -1;
		if (r == 0) {
			argv[operands++] = argv[i];
			if (last && last((size_t)operands, argv))
				break;
		}
	}
	/* The operands that were met move up to those behind the word that ended the options. */
	i = i < argc ? i + 1 : argc;
	memmove(argv + i - operands, argv, (size_t)operands * sizeof(*argv));
	return i - operands;
}

static const struct { const char *name; int (*fn)(int argc, char **argv); } verbs[] = {
	{ "compile", compile }, { "validate", policy_validate_cmd }, { "show", policy_show_cmd }, { "list", policy_list_cmd },
	{ "explain", policy_explain_cmd }, { "test", policy_test_cmd }, { "schema", policy_schema_cmd },
	{ "keygen", policy_keygen }, { "sign", policy_sign }, { "verify", policy_verify }, { "manifest", policy_manifest },
	{ "diff", policy_compare },
};
static const char *const later[] = { "generate", "lint" };

int cmd_policy(int argc, char **argv)
{
	for (size_t k = 0; argc >= 2 && k < ARRAY_LEN(verbs); k++)
		if (!strcmp(argv[1], verbs[k].name))
			return verbs[k].fn(argc - 2, argv + 2);
	for (size_t k = 0; argc >= 2 && k < ARRAY_LEN(later); k++)
		if (!strcmp(argv[1], later[k]))
			return complain("\"policy %s\" is not built yet: see the table in README.md", later[k]);
	return complain(
		"usage: agentsh policy compile NAME | validate [--strict] [--json] [--compat] NAME|FILE... | show NAME [--expanded] | "
		"list [--json] | explain [--policy P] [--workspace D] [--json] [--all] OP TARGET | test [--policy P] FILE.cases... | "
		"schema");
}
