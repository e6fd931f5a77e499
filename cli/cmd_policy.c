/* SPDX-License-Identifier: Apache-2.0 */
/* policy compile, and the table of all verbs: the way to their files, and their help. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/policy_cmd.h"
#include "cli/trust.h"
#include "common/str.h"

/* The directory, made if need be, or negative errno where nothing can be stored. */
static int open_store(const char *dir)
{
	auto_fd d = -1;

	if ((mkdir(dirs_data(), 0755) == 0 || errno == EEXIST) && (mkdir(dir, 0755) == 0 || errno == EEXIST))
		d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return d < 0 || faccessat(d, ".", W_OK, AT_EACCESS) < 0 ? -errno : move_fd(&d);
}

static int compile(int argc, char **argv)
{
	uint8_t hash[32];
	char hex[65], dir[4300], cwd[4096], base[128];
	struct err err = { 0 };
	int at = policy_options("compile", argc, argv, NULL, 0, NULL), fd, d;
	const char *name, *slash;

	if (at < 0)
		return EXIT_ERROR;
	if (at != argc - 1)
		return policy_usage("compile");
	name = argv[at];
	slash = strrchr(name, '/');
	if (!getcwd(cwd, sizeof(cwd)))
		return complain("current directory: %s", strerror(errno));
	if (policy_load(name, cwd, &fd, hash, POLICY_SAYS_ALL, &err) < 0)
		return complain("%s", err.msg);
	snprintf(dir, sizeof(dir), "%s/policy", dirs_data());
	snprintf(base, sizeof(base), "%.100s", slash ? slash + 1 : name);
	base[strcspn(base, ".")] = 0;
	d = open_store(dir);
	if (d < 0)
		return complain("%s, where compiled policies are stored: %s; compile as root, set AGENTSH_DATA_DIR to a directory of "
				"yours, or only check it: agentsh policy validate %s", dir, strerror(-d), name);
	if (policy_store(fd, d, base, &err) < 0)
		return complain("%s: %s", dir, err.msg);
	hex_encode(hash, 32, hex);
	printf("%s  %s/%s.mdb\n", hex, policy_shown(dir), policy_shown(base));
	return 0;
}

struct policy *policy_open_named(const char *name, const char *workspace, uint8_t hash[32])
{
	struct err err = { 0 };
	struct policy *p = NULL;
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

static const struct verb {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *args, *about;
	const char *options;                            /* one a line, and what else the words may be */
	const char *example;
} verbs[] = {
	{ "list", policy_list_cmd, "[--json]", "the policies that can be named, and where each lies",
	  "--json               as JSON; so it is, too, when the output is no terminal\n", "agentsh policy list" },
	{ "show", policy_show_cmd, "[--expanded [--json]] NAME|FILE", "a policy's text, or all rules that are in force with it",
	  "--expanded           every rule with its place, those of what it extends included\n"
	  "--json               these as JSON\n",
	  "agentsh policy show --expanded dev-safe" },
	{ "validate", policy_validate_cmd, "[--strict] [--json] [--all] [--workspace DIR] [--compat] NAME|FILE...",
	  "errors, and rules that do not do what was meant",
	  "--strict             a warning ends with status 1, too\n"
	  "--json               all that was found as JSON: file, line, column, level, id, message\n"
	  "--all                all of it as text, too, not the first of many\n"
	  "--workspace DIR      also whether rules for what is around it take this workspace from its own rules\n"
	  "--compat             args_patterns that begin with * are globs, with a warning each\n",
	  "agentsh policy validate --strict ./policy.yaml" },
	{ "explain", policy_explain_cmd, "[OPTIONS] QUESTION",
	  "what a policy says to a question, by which rule, and why not by those before",
	  "--policy NAME|FILE   the policy, signed or not; without it the one that a session would have\n"
	  "--workspace DIR      the workspace; without it the current directory\n"
	  "--session SID        policy and workspace are those of this session; says so when the policy is another now\n"
	  "--json               the answer as JSON\n"
	  "--all                all rules that did not decide, not only the first twenty\n"
	  "\n"
	  "QUESTION, which \"by NAME,...\" (the programs it comes from) may precede:\n"
	  "[file] read|write|create|delete|... PATH        exec [depth=N] [sha256=HEX] CMD[=FILE] ARGS...\n"
	  "net HOST:PORT                                   dns NAME\n"
	  "http METHOD URL                                 service NAME METHOD /PATH\n"
	  "unix connect|bind|listen|sendto PATH|@NAME      signal NAME TARGET,...\n"
	  "env NAME [for CMD ARGS...]                      dns-redirect NAME\n"
	  "connect-redirect HOST:PORT\n"
	  "A relative PATH is taken from the current directory. Links are followed, and a program is looked up in PATH, on this\n"
	  "machine, as a session would; CMD=FILE says which file it is.\n"
	  "The words behind exec and for are the command's: options stand before.\n",
	  "agentsh policy explain --policy dev-safe exec git push --force" },
	{ "test", policy_test_cmd, "[--policy NAME|FILE] [--workspace DIR] FILE.cases...",
	  "whether the cases of files hold; - is standard input",
	  "--policy NAME|FILE   the policy, signed or not; without it the one that a session would have\n"
	  "--workspace DIR      the workspace; without it /workspace\n",
	  "echo 'file read /workspace/.env -> deny' | agentsh policy test --policy dev-safe -" },
	{ "diff", policy_compare, "[--json] [--rules] [--workspace /DIR] A B", "what two policies decide differently, with a case for each",
	  "--json               the changes as JSON\n"
	  "--rules              other rules count, too, where they decide the same\n"
	  "--workspace /DIR     the workspace; without it /workspace\n"
	  "\n"
	  "Ends with status 0: the same, 1: different, 2: trouble.\n",
	  "agentsh policy diff default ./policy.yaml" },
	{ "compile", compile, "NAME|FILE", "a policy as the daemons read it, stored below AGENTSH_DATA_DIR", "",
	  "agentsh policy compile default" },
	{ "schema", policy_schema_cmd, "", "the language as a JSON Schema, for editors", "", "agentsh policy schema >agentsh-policy.json" },
	{ "keygen", policy_keygen, "[--out DIR|FILE]", "a pair of keys to sign policies with",
	  "--out DIR|FILE       a directory, for policy.key and policy.pub in it (DIR/ is made when it is not there), or the private\n"
	  "                     key's file, FILE.pub is beside it; without it ./policy.key and ./policy.pub\n",
	  "agentsh policy keygen --out ~/keys/" },
	{ "sign", policy_sign, "--key KEY FILE...", "FILE.sig, the signature of a policy's file",
	  "--key KEY            the private key, a file that keygen made\n"
	  "\n"
	  "Errors in a policy are said, and it is signed all the same.\n", "agentsh policy sign --key ~/keys/policy.key ./policy.yaml" },
	{ "verify", policy_verify, "[--trust DIR] NAME|FILE...", "who signed a policy",
	  "--trust DIR          the trust store; without it that of the configuration\n"
	  "\n"
	  "A built-in pack is carried by this program: it counts as signed, and needs no line in a manifest.\n",
	  "agentsh policy verify --trust ~/keys ./policy.yaml" },
	{ "manifest", policy_manifest, "[NAME|FILE...]", "the lines of a manifest; without names for all of the policies' directory", "",
	  "agentsh policy manifest ./policy.yaml >manifest.sha256" },
};
static const char *const later[] = { "generate", "lint" };

static const struct verb *verb_of(const char *name)
{
	for (size_t k = 0; k < ARRAY_LEN(verbs); k++)
		if (!strcmp(name, verbs[k].name))
			return &verbs[k];
	return NULL;
}

int policy_usage(const char *verb)
{
	const struct verb *v = verb_of(verb);

	if (!v)
		return complain("usage: agentsh policy VERB ...");
	return complain("usage: agentsh policy %s%s%s (more: agentsh policy %s --help)", verb, v->args[0] ? " " : "", v->args, verb);
}

static int help(const struct verb *v)
{
	printf("usage: agentsh policy %s%s%s\n\n%s\n", v->name, v->args[0] ? " " : "", v->args, v->about);
	for (const char *s = v->options; *s; s += strcspn(s, "\n") + 1) {
		int len = (int)strcspn(s, "\n");

		printf("%s%s%.*s\n", s == v->options ? "\n" : "", len ? "  " : "", len, s);
	}
	return printf("\nexample:\n  %s\n", v->example) < 0;
}

static int overview(FILE *to)
{
	fprintf(to, "usage: agentsh policy VERB ...\n\n");
	for (size_t k = 0; k < ARRAY_LEN(verbs); k++)
		fprintf(to, "  %-9s %s\n", verbs[k].name, verbs[k].about);
	fprintf(to, "\nagentsh policy VERB --help says more of each, man 5 agentsh-policy of the language.\n");
	return to == stdout ? 0 : EXIT_ERROR;
}

/* --help wherever it is no word of a command that explain asks about. */
static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0 && strcmp(argv[i], "exec") != 0 && strcmp(argv[i], "for") != 0; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

int cmd_policy(int argc, char **argv)
{
	const struct verb *v = argc >= 2 ? verb_of(argv[1]) : NULL;

	if (v)
		return wants_help(argc - 2, argv + 2) ? help(v) : v->fn(argc - 2, argv + 2);
	if (argc < 2)
		return overview(stderr);
	if (wants_help(2, argv))
		return overview(stdout);
	for (size_t k = 0; k < ARRAY_LEN(later); k++)
		if (!strcmp(argv[1], later[k]))
			return complain("\"policy %s\" is not built yet: see the table in README.md", later[k]);
	return complain("unknown verb \"policy %s\": see agentsh policy --help", argv[1]);
}
