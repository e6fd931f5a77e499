/* SPDX-License-Identifier: Apache-2.0 */
/* policy compile|validate|show|list|explain|test. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cmd.h"
#include "cli/trust.h"
#include "common/buf.h"
#include "policy/compile.h"
#include "policy/policy.h"

#define WORDS 256

static int validate(int argc, char **argv)
{
	static struct pol_var vars[POLICY_VARS_MAX];
	char cwd[4096];
	int bad = 0;

	if (!getcwd(cwd, sizeof(cwd)))
		return complain("current directory: %s", strerror(errno));
	for (int i = 2; i < argc; i++) {
		struct buf text = { 0 }, diag = BUF_INIT(1u << 20);
		struct err err = { 0 };
		char path[4300];
		struct pol_source src = { .file = path, .vars = vars, .n_vars = policy_vars(vars, cwd) };

		if (policy_find(argv[i], path, sizeof(path), &err) < 0 || policy_read(path, &text, &err) < 0) {
			bad = complain("%s", err.msg);
			continue;
		}
		src.text = (const char *)text.data;
		src.len = text.len;
		bad |= policy_validate(&src, &diag) < 0;
		if (diag.len)
			fprintf(stderr, "%s", (const char *)diag.data);
		buf_fini(&text);
		buf_fini(&diag);
	}
	if (argc < 3)
	return complain("usage: agentsh policy validate NAME|FILE...");
	if (!bad)
		puts("ok");
	return bad;
}

static int compile(const char *name)
{
	uint8_t hash[32];
	char hex[65], dir[4300], cwd[4096], base[128];
	struct err err = { 0 };
	const char *slash = strrchr(name, '/');
	int fd, d;

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

static struct policy *open_policy(const char *name, const char *workspace)
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

/* "name", "name@addr", "addr", "[v6]" with ":port". */
static int parse_net(char *text, struct pol_net *q, uint8_t addr[16])
{
	char *colon = strrchr(text, ':'), *at, *host;
	uint64_t port;

	if (!colon || strchr(colon, ']') || str_to_u64(colon + 1, 65535, &port) < 0)
		return -EINVAL;
	*colon = 0;
	q->port = (uint16_t)port;
	at = strchr(text, '@');
	host = at ? at + 1 : text;
	if (at)
		*at = 0;
	if (host[0] == '[') {
		host++;
		host[strcspn(host, "]")] = 0;
	}
	if (inet_pton(AF_INET, host, addr) == 1)
		q->addr_len = 4;
	else if (inet_pton(AF_INET6, host, addr) == 1)
		q->addr_len = 16;
	if (q->addr_len)
		q->addr = addr;
	if (at || !q->addr_len)
		q->domain = text;
	return 0;
}

/* Judges words[0] = file|net|dns|exec ...; 0 or -EINVAL. */
static int judge(struct policy *p, char **w, size_t n, struct pol_verdict *v, const char **section)
{
	uint8_t addr[16];

	*section = "file";
	if (!strcmp(w[0], "file") && n == 3) {
		for (int op = 0; op < POL_OP__COUNT; op++)
			if (!strcmp(pol_op_name((enum pol_op)op), w[1])) {
				*v = policy_file(p, policy_file_path(p, w[2]), (enum pol_op)op, (struct pol_who){ 0 });
				return 0;
			}
		return -EINVAL;
	}
	*section = "net";
	if (n == 2 && (!strcmp(w[0], "net") || !strcmp(w[0], "dns"))) {
		struct pol_net q = { 0 };

		if (w[0][0] == 'd')
			q = (struct pol_net){ .domain = w[1], .dns = true };
		else if (parse_net(w[1], &q, addr) < 0)
			return -EINVAL;
		*v = policy_net(p, &q);
		return 0;
	}
	*section = "exec";
	if (n >= 2 && !strcmp(w[0], "exec")) {
		char *eq = strstr(w[1], "=/");
		struct pol_exec q = { .given = w[1], .argv = (const char *const *)w + 1, .argc = n - 1 };

		if (eq) {
			*eq = 0;
			q.resolved = eq + 1;
		}
		*v = policy_exec(p, &q);
		return 0;
	}
	return -EINVAL;
}

static size_t split(char *line, char **w)
{
	size_t n = 0;
	char *out = line, quote = 0;
	bool in = false;

	for (char *s = line;; s++) {
		char c = *s;

		if (!c || (!quote && (c == ' ' || c == '\t' || c == '\n' || (c == '#' && !in)))) {
			if (in)
				*out++ = 0;
			in = false;
			if (!c || c == '\n' || c == '#')
				return n;
			continue;
		}
		if (!in && n < WORDS - 1) {
			w[n++] = out = out > s ? s : out;
			in = true;
		}
		if ((c == '\'' || c == '"') && (!quote || quote == c))
			quote = (char)(quote ? 0 : c);
		else
			*out++ = c;
	}
}

static int run_cases(const char *policy, const char *file)
{
	struct policy *p = open_policy(policy, "/workspace");
	char line[8192], *w[WORDS];
	int bad = 0, good = 0, at = 0;
	FILE *f;

	if (!p)
		return EXIT_ERROR;
	f = fopen(file, "re");
	if (!f) {
		policy_close(p);
		return complain("%s: %s", file, strerror(errno));
	}
	while (fgets(line, sizeof(line), f)) {
		size_t n = split(line, w), arrow = 0;
		struct pol_verdict v = { 0 };
		const char *section;

		at++;
		if (!n)
			continue;
		while (arrow < n && strcmp(w[arrow], "->") != 0)
			arrow++;
		if (arrow + 2 > n || judge(p, w, arrow, &v, &section) < 0) {
			printf("%s:%d: a case that cannot be read\n", file, at);
			bad++;
			continue;
		}
		if (strcmp(pol_decision_name(v.decision), w[arrow + 1]) != 0 || (arrow + 2 < n && strcmp(v.rule, w[arrow + 2]) != 0)) {
			printf("%s:%d: expected %s %s, got %s %s\n", file, at, w[arrow + 1], arrow + 2 < n ? w[arrow + 2] : "",
			       pol_decision_name(v.decision), v.rule);
			bad++;
		} else {
			good++;
		}
	}
	fclose(f);
	policy_close(p);
	printf("%d cases hold, %d do not\n", good, bad);
	return bad || !good ? EXIT_ERROR : 0;
}

static int explain(const char *policy, const char *workspace, int argc, char **argv)
{
	static const struct { const char *section, *who; } by[] = {
		{ "file", "fsd (governed trees), execd's mount plan (uniform trees)" },
		{ "net", "netd, at each flow's first packet and at each question for a name" },
		{ "exec", "execd, at every exec" } };
	static char file_word[] = "file";
	char *w[WORDS], where[4500], message[2048], args[2048] = "";
	struct pol_verdict v = { 0 };
	struct pol_fields fields;
	const char *section;
	struct policy *p;
	size_t n = 0;

	if (argc > 0 && strcmp(argv[0], "net") != 0 && strcmp(argv[0], "dns") != 0 && strcmp(argv[0], "exec") != 0 &&
	    strcmp(argv[0], "file") != 0)
		w[n++] = file_word;
	for (int i = 0; i < argc && n < WORDS - 1; i++)
		if (i != 1 || strcmp(argv[i], "--") != 0) /* "exec -- CMD" as exec itself takes it */
			w[n++] = argv[i];
	p = open_policy(policy, workspace);
	if (!p)
		return EXIT_ERROR;
	if (n < 2 || judge(p, w, n, &v, &section) < 0)
		return complain(
			"usage: agentsh policy explain [--policy P] [--workspace D] [file] read|write|... PATH | net HOST:PORT | "
			"dns NAME | exec CMD ARGS...");
	if (policy_rule_position(p, section, v.rule, where, sizeof(where)) < 0)
		snprintf(where, sizeof(where), "implicit end");
	printf("decision: %s\nrule: %s\nat: %s\n", pol_decision_name(v.decision), v.rule, where);
	for (size_t i = 1, at = 0; i < v.argc && at + 1 < sizeof(args); i++)
		at += (size_t)snprintf(args + at, sizeof(args) - at, "%s%s", i > 1 ? " " : "", v.argv[i]);
	fields = (struct pol_fields){ .path = w[n - 1], .args = args, .command = v.command ? v.command : w[1], .domain = w[1],
				      .operation = w[1] };
	if (v.message)
		printf("message: %s\n", pol_message(v.message, &fields, message, sizeof(message)));
	for (size_t i = 0; i < ARRAY_LEN(by); i++)
		if (!strcmp(by[i].section, section))
			printf("enforced by: %s\n", by[i].who);
	policy_close(p);
	return 0;
}

static int show(const char *name)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	char path[4300];

	if (policy_find(name, path, sizeof(path), &err) < 0 || policy_read(path, &text, &err) < 0)
		return complain("%s", err.msg);
	fwrite(text.data, 1, text.len, stdout);
	buf_fini(&text);
	return 0;
}

static int list(void)
{
	static const char *const built_in[] = { "default", "agent-sandbox" };
	const char *env = getenv("AGENTSH_POLICY_DIR");
	char own[4200];
	const char *const dirs[] = { env ? env : "", "/etc/agentsh/policies", own };
	cJSON *all = cJSON_CreateArray();

	snprintf(own, sizeof(own), "%s/../policies", self_dir());
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		DIR *d = dirs[i][0] ? opendir(dirs[i]) : NULL;
		struct dirent *e;

		while (d && (e = readdir(d))) {
			size_t n = strlen(e->d_name);

			if (n > 5 && !strcmp(e->d_name + n - 5, ".yaml")) {
				e->d_name[n - 5] = 0;
				cJSON_AddItemToArray(all, cJSON_CreateString(e->d_name));
			}
		}
		if (d)
			closedir(d);
	}
	for (size_t i = 0; i < ARRAY_LEN(built_in); i++) {
		bool known = false;
		const cJSON *e;

		cJSON_ArrayForEach(e, all)
			known |= !strcmp(cJSON_GetStringValue(e), built_in[i]);
		if (!known)
			cJSON_AddItemToArray(all, cJSON_CreateString(built_in[i]));
	}
	print_json(all);
	return 0;
}

static const char *const later[] = { "generate", "lint" };
static const struct { const char *name; int (*fn)(int argc, char **argv); } verbs[] = {
	{ "keygen", policy_keygen }, { "sign", policy_sign }, { "verify", policy_verify }, { "manifest", policy_manifest },
	{ "diff", policy_compare },
};

int cmd_policy(int argc, char **argv)
{
	char cwd[4096];
	const char *policy = "default", *workspace = getcwd(cwd, sizeof(cwd)) ? cwd : "/workspace";
	int i = 2;

	for (size_t k = 0; argc >= 2 && k < ARRAY_LEN(verbs); k++)
		if (!strcmp(argv[1], verbs[k].name))
			return verbs[k].fn(argc - 2, argv + 2);
	if (argc >= 2 && !strcmp(argv[1], "validate"))
		return validate(argc, argv);
	if (argc == 3 && !strcmp(argv[1], "compile"))
		return compile(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "show"))
		return show(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "list"))
		return list();
	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--policy"))
			policy = argv[i + 1];
		else if (!strcmp(argv[i], "--workspace"))
			workspace = argv[i + 1];
		else
			return complain("policy %s: unknown option \"%s\"", argv[1], argv[i]);
	}
	if (argc >= 2 && !strcmp(argv[1], "test") && i + 1 == argc)
		return run_cases(policy, argv[i]);
	if (argc >= 2 && !strcmp(argv[1], "explain"))
		return explain(policy, workspace, argc - i, argv + i);
	for (size_t k = 0; argc >= 2 && k < ARRAY_LEN(later); k++)
		if (!strcmp(argv[1], later[k]))
			return complain("\"policy %s\" is not built yet: see the table in README.md", later[k]);
	return complain("usage: agentsh policy compile NAME | validate NAME|FILE... | show NAME | list | explain OP TARGET | test "
			"[--policy P] FILE.cases");
}
