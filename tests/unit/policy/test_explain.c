/* SPDX-License-Identifier: Apache-2.0 */
/* Why a rule did not decide, where an answer is enforced, and the list of rules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/explain.h"
#include "policy/explain_match.h"
#include "tests/unit/policy/pol.h"

static const char text[] =
	"version: 1\nname: n\nfile_rules:\n- {name: tree, paths: ['/usr/**'], operations: [read, open, stat, list, readlink, access], "
	"decision: allow}\n"
	"- {name: tree-no, paths: ['/usr/**'], decision: deny}\n- {name: no-write, paths: ['/a/*'], operations: [read], decision: deny}\n"
	"- {name: ws, paths: ['/home/u/ws/**'], decision: allow}\n- {name: moved, paths: ['/r/**'], decision: redirect, redirect_to: "
	"/q}\n"
	"network_rules:\n- {name: ssh, ports: [22], decision: deny}\n- {name: range, cidrs: [10.0.0.0/8], decision: deny}\n"
	"- {name: any, domains: ['*.org'], ports: [443, 80], decision: allow}\n- {name: ports, ports: [8080], decision: allow}\n"
	"command_rules:\n- {name: nested, commands: [ls], context: [nested], decision: deny}\n"
	"- {name: push, commands: [git], args_patterns: ['^push'], decision: deny}\n- {name: rest, commands: ['l*', git, env], decision: "
	"allow}\n";
static const struct pol_source src = {
	.file = "f", .text = text, .len = sizeof(text) - 1, .workspace = "/home/u/ws"
};
static struct policy *p;
static char told[4096];

static void reason(void *arg UNUSED, const struct pol_reason *r)
{
	size_t at = strlen(told);

	snprintf(told + at, sizeof(told) - at, "%s %s %s|", r->rule, r->where, r->why);
}

static struct answer ask(const char *line, struct question *q)
{
	static char copy[512], *words[32];
	struct answer a = { 0 };
	struct err err = { 0 };
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *s = strtok(copy, " "); s; s = strtok(NULL, " "))
		words[n++] = s;
	words[n] = NULL;
	if (question_read(words, n, q, &err) < 0 || question_ask(p, q, &a, &err) < 0)
		fail_msg("%s: %s", line, err.msg);
	return a;
}

static void expect(const char *line, const char *rule, const char *want)
{
	struct question q;
	struct answer a = ask(line, &q);
	struct err err = { 0 };

	if (strcmp(a.rule, rule) != 0)
		fail_msg("%s: %s", line, a.rule);
	told[0] = 0;
	if (policy_why(&src, &q, &a, reason, NULL, &err) < 0)
		fail_msg("%s: %s", line, err.msg);
	if (strcmp(told, want) != 0)
		fail_msg("%s:\n  %s\n  expected\n  %s", line, told, want);
}

static void test_files(void **state UNUSED)
{
	expect("file read /usr/bin/x", "tree", "");
	expect("file write /usr/bin/x", "tree-no", "tree f:4 operations have no \"write\"|");
	expect("file write /workspace/x", "ws",
	       "tree f:4 operations have no \"write\"|tree-no f:5 no path glob matches: [/usr/**]|no-write f:6 operations have no "
	       "\"write\"|");
	expect("file write /a/../home/u/ws/x", "ws",
	       "tree f:4 operations have no \"write\"|tree-no f:5 no path glob matches: [/usr/**]|no-write f:6 operations have no "
	       "\"write\"|");
	expect("file delete /b", "default-deny-files",
	       "tree f:4 operations have no \"delete\"|tree-no f:5 no path glob matches: [/usr/**]|no-write f:6 operations have no "
	       "\"delete\"|"
	       "ws f:7 no path glob matches: [/home/u/ws/**]|moved f:8 no path glob matches: [/r/**]|");
}

static void test_nets(void **state UNUSED)
{
	expect("net a.org:80", "any",
	       "ssh f:10 port 80 is not in [22]|range f:11 cidrs match only an address, and none is given (NAME@ADDRESS:PORT)|");
	expect("net a.b.org:80", "default-deny-network",
	       "ssh f:10 port 80 is not in [22]|range f:11 cidrs match only an address, and none is given (NAME@ADDRESS:PORT)|"
	       "any f:12 no domain glob matches: [*.org]|ports f:13 port 80 is not in [8080]|");
	expect("net a.org@11.0.0.1:81", "default-deny-network",
	       "ssh f:10 port 81 is not in [22]|range f:11 11.0.0.1 is in none of [10.0.0.0/8]|any f:12 port 81 is not in [443, 80]|"
	       "ports f:13 port 81 is not in [8080]|");
	expect("net 11.0.0.1:8080", "default-deny-network",
	       "ssh f:10 port 8080 is not in [22]|range f:11 11.0.0.1 is in none of [10.0.0.0/8]|any f:12 a raw address is allowed only by "
	       "a rule "
	       "with cidrs|ports f:13 a raw address is allowed only by a rule with cidrs|");
	expect("dns a.org", "any",
	       "ssh f:10 it denies ports, and a question for a name has none|range f:11 cidrs match only an address, and none is given "
	       "(NAME@ADDRESS:PORT)|");
}

static void test_execs(void **state UNUSED)
{
	expect("exec ls -l", "rest", "nested f:15 context: depth 0 is not 1 or more|push f:16 commands: ls is not in [git]|");
	expect("exec git pull push", "rest",
	       "nested f:15 context: depth 0 is not 1 or more|push f:16 args_patterns: none matches \"pull push\"|");
	expect("exec depth=1 vi=/usr/bin/vim x", "default-deny-commands",
	       "nested f:15 commands: vi = /usr/bin/vim is not in [ls]|push f:16 commands: vi = /usr/bin/vim is not in [git]|"
	       "rest f:17 commands: vi = /usr/bin/vim is not in [l*, git, env]|");
	expect("exec env git push", "push", "nested f:15 context: depth 0 is not 1 or more|");
}

static void test_where(void **state UNUSED)
{
	static const struct { const char *line, *daemon, *how;
	} t[] = {
		{ "file read /workspace/x", "fsd", "the workspace is fsd's" },
		{ "file read /home/u/ws/../ws/x", "fsd", "the workspace" },
		{ "file read /usr/x", "execd", "/usr: open for reading alone" },
		{ "file read /a/x", "fsd", "/a: the policy tells apart" },
		{ "file read /proc/1/mem", NULL, "its own /proc" },
		{ "file read /", "execd", "the sandbox's own" },
		{ "file write /r/x", NULL, "fsd refuses what a rule redirects" },
		{ "net a:1", "netd", "first packet" },
		{ "dns a", "netd", "question for a name" },
		{ "exec x", "execd", "every exec" },
		{ "unix bind @x", NULL, "not enforced yet" },
		{ "signal KILL self", NULL, "not enforced yet" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct question q;
		struct answer a = ask(t[i].line, &q);
		struct pol_enforcer by = policy_enforcer(p, &q, &a, src.workspace);

		if (!strstr(by.how, t[i].how) || !by.daemon != !t[i].daemon || (by.daemon && strcmp(by.daemon, t[i].daemon) != 0))
			fail_msg("%s: %s, %s", t[i].line, by.daemon ? by.daemon : "-", by.how);
	}
}

static void one_rule(void *arg UNUSED, const char *section, const char *rule, const char *decision, const char *where)
{
	size_t at = strlen(told);

	snprintf(told + at, sizeof(told) - at, "%s %s %s %s|", section, rule, decision, where);
}

static void test_rules(void **state UNUSED)
{
	struct pol_source bad = { .file = "f", .text = "version: 2\nname: n\n", .len = 19 };
	struct err err = { 0 };

	told[0] = 0;
	assert_int_equal(policy_rules(&src, one_rule, NULL, &err), 0);
	assert_non_null(strstr(told, "file tree allow f:4|file tree-no deny f:5|"));
	assert_non_null(strstr(told, "file moved redirect f:8|net ssh deny f:10|"));
	assert_non_null(strstr(told, "exec rest allow f:17|"));
	assert_true(policy_rules(&bad, one_rule, NULL, &err) < 0);
	assert_non_null(strstr(err.msg, "f:1:10: error: version must be 1"));
}

static void test_selectors(void **state UNUSED)
{
	char *entries[] = { (char[]){ "Git" }, (char[]){ "/opt/*/x" }, (char[]){ "py*" } };
	struct strs commands = { entries, 3 };

	assert_true(match_command(&commands, "git"));
	assert_true(match_command(&commands, "/usr/bin/GIT.real"));
	assert_true(match_command(&commands, "/opt/a/x"));
	assert_false(match_command(&commands, "/opt/a/b/x"));
	assert_true(match_command(&commands, "Python3"));
	assert_false(match_command(&commands, "gitk"));
}

static int setup(void **state UNUSED)
{
	p = pol_open(text);
	return 0;
}

static int teardown(void **state UNUSED)
{
	policy_close(p);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files), cmocka_unit_test(test_nets), cmocka_unit_test(test_execs), cmocka_unit_test(test_where),
		cmocka_unit_test(test_rules), cmocka_unit_test(test_selectors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
