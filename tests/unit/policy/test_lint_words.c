/* SPDX-License-Identifier: Apache-2.0 */
/* Lints of one rule's own words: what each finds, and what looks like it and is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/explain.h"
#include "policy/compile.h"

#define HEAD "version: 1\nname: n\n"

static struct buf found = BUF_INIT(1u << 20);

/* How many findings have this id; any other is a failure. */
static int findings(const char *text, const char *id)
{
	struct pol_source src = { .file = "f", .text = text, .len = strlen(text) };
	int n = 0;

	buf_reset(&found);
	buf_puts(&found, "");
	assert_int_equal(policy_lint(&src, &found), 0);
	for (const char *s = (const char *)found.data; *s; s = strchr(s, '\n') + 1) {
		const char *end = strchr(s, '\n');
		size_t len = strlen(id);

		if ((size_t)(end - s) < len + 2 || strncmp(end - len - 1, id, len) != 0 || end[-(long)len - 2] != '[')
			fail_msg("%s\n%s", text, s);
		n++;
	}
	return n;
}

static int patterns(const char *command, const char *pattern, const char *id)
{
	char text[400];

	snprintf(text, sizeof(text), HEAD "command_rules:\n- {name: a, commands: [%s], args_patterns: ['%s'], decision: deny}\n", command, pattern);
	return findings(text, id);
}

static void test_patterns(void **state)
{
	static const struct { const char *command, *pattern, *id; int n; } t[] = {
		{ "x", "[^\\s\\S]", "regex-never-matches", 1 }, { "x", "a[^\\D\\d]b", "regex-never-matches", 1 },
		{ "x", "[^\\w\\W]+", "regex-never-matches", 1 }, { "x", "[^\\s\\S]*", "", 0 }, { "x", "a[^\\s\\S]?", "", 0 }, { "x", "[\\s\\S]", "", 0 },
		{ "x", "[^\\s]", "", 0 }, { "x", "\\[^\\s\\S]", "", 0 },
		{ "x", "a{,5}", "literal-count", 1 }, { "x", "[a-z]{,12}", "literal-count", 1 }, { "x", "a{0,5}", "", 0 }, { "x", "a\\{,5}", "", 0 },
		{ "x", "[{,5}]", "", 0 }, { "x", "a{,b}", "", 0 }, { "x", "{,5}", "", 0 },
		{ "rm", "-rf \\*", "expanded-by-shell", 1 }, { "rm, chmod", "-R\\s+\\*$", "expanded-by-shell", 1 }, { "rm", "(^|\\s)\\*(\\s|$)", "expanded-by-shell", 1 },
		{ "find", "-name \\*", "", 0 }, { "rm, find", "-x \\*", "", 0 }, { "rm", "a\\*b", "", 0 }, { "rm", " \\*.c", "", 0 }, { "rm", "\\*", "", 0 },
		{ "rm", "x\\*$", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		if (patterns(t[i].command, t[i].pattern, t[i].id) != t[i].n)
			fail_msg("%s: %s", t[i].pattern, (const char *)found.data);
}

static void test_redirects(void **state)
{
	(void)state;
	assert_int_equal(findings(HEAD "command_rules:\n- {name: a, commands: [x], decision: deny, redirect_to: {command: y}}\n", "unused-redirect"), 1);
	assert_int_equal(findings(HEAD "command_rules:\n- {name: a, commands: [x], decision: redirect, redirect_to: {command: y}}\n", ""), 0);
	assert_int_equal(findings(HEAD "file_rules:\n- {name: a, paths: [/x], decision: allow, redirect_to: /y}\n", "unused-redirect"), 1);
	assert_int_equal(findings(HEAD "file_rules:\n- {name: a, paths: [/x], decision: redirect, redirect_to: /y}\n", ""), 0);
}

static void test_any_host(void **state)
{
	static const struct { const char *rule; int n; } t[] = {
		{ "decision: allow", 1 }, { "decision: audit", 0 }, { "decision: deny", 0 }, { "decision: allow, ports: [443]", 0 },
		{ "decision: allow, domains: ['*']", 0 }, { "decision: allow, cidrs: [0.0.0.0/0]", 0 }, { "decision: allow, processes: [git]", 0 },
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		snprintf(text, sizeof(text), HEAD "network_rules:\n- {name: a, %s}\n", t[i].rule);
		if (findings(text, t[i].n ? "any-host" : "") != t[i].n)
			fail_msg("%s: %s", t[i].rule, (const char *)found.data);
	}
}

/* Rules for what is around a workspace that is known, before its own. */
static void test_around_the_workspace(void **state)
{
	static const struct { const char *workspace, *want; } t[] = {
		{ "/tmp/w", "f:4:3: warning: \"**/.env\" of rule \"env\" does not hold below the workspace for read write: rule \"tmp\" (line 3) comes first "
			    "[shadowed-in-workspace]\n"
			    "f:5:3: warning: rule \"alias\" never asks: rule \"tmp\" (line 3) allows first all that it names [unreachable-approve]\n"
			    "f:6:3: warning: rule \"keep\" can never decide: rule \"tmp\" (line 3) takes first all that it names [shadowed-rule]\n" },
		{ "/home/u/w", "" }, { "/tmpw", "" }, { NULL, "" }, { "", "" }, { "/", "" },
	};
	static const char text[] = "{version: 1, name: n, file_rules: [\n\n  {name: tmp, paths: [/tmp, '/tmp/**'], decision: allow},\n"
				   "  {name: env, paths: ['**/.env'], operations: [read, write], decision: deny},\n"
				   "  {name: alias, paths: ['/workspace/a'], operations: [write], decision: approve},\n"
				   "  {name: keep, paths: ['${PROJECT_ROOT}/**'], operations: [delete], decision: soft_delete}]}\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct pol_source src = { .file = "f", .text = text, .len = strlen(text), .workspace = t[i].workspace };

		buf_reset(&found);
		buf_puts(&found, "");
		assert_int_equal(policy_lint(&src, &found), 0);
		assert_string_equal((const char *)found.data, t[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_patterns), cmocka_unit_test(test_redirects), cmocka_unit_test(test_any_host),
					    cmocka_unit_test(test_around_the_workspace) };
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	buf_fini(&found);
	return r;
}
