/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and labels by every name of a program: the workspace's two, those below links of the root, and the one that was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

static const struct pol_twin twins[] = { { "/bin", "/usr/bin" }, { "/lib", "/usr/lib" } };

static struct pol_verdict run(const struct policy *p, struct pol_exec q)
{
	const char *argv[] = { q.given, NULL };

	q.argv = argv;
	q.argc = 1;
	return policy_exec(p, &q);
}

#define RUN(p, ...) run(p, (struct pol_exec){ __VA_ARGS__ })
#define TWINS .twins = twins, .n_twins = ARRAY_LEN(twins)

static void test_workspace(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "command_rules:\n"
					 "- {name: own, commands: [/home/u/ws/tool, '/workspace/bin/*'], decision: audit}\n"
					 "- {name: rest, commands: ['/workspace/**'], decision: deny}\n"
					 "- {name: all, decision: allow}\n");

	assert_verdict(RUN(p, .given = "/workspace/tool"), POL_AUDIT, "own");
	assert_verdict(RUN(p, .given = "/home/u/ws/tool"), POL_AUDIT, "own");
	assert_verdict(RUN(p, .given = "/home/u/ws/bin/x"), POL_AUDIT, "own");
	assert_verdict(RUN(p, .given = "/home/u/ws/x"), POL_DENY, "rest");
	assert_verdict(RUN(p, .given = "/usr/x", .resolved = "/home/u/ws/x"), POL_DENY, "rest");
	assert_verdict(RUN(p, .given = "/home/u/wsx/x"), POL_ALLOW, "all");
	assert_verdict(RUN(p, .given = "/workspaces/x"), POL_ALLOW, "all");
	assert_verdict(RUN(p, .given = "x"), POL_ALLOW, "all");
	policy_close(p);
}

static void test_links_of_the_root(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "command_rules:\n"
					 "- {name: git, commands: [/usr/bin/git, '/lib/git/*'], decision: allow}\n"
					 "- {name: no-id, commands: [/bin/id], decision: deny}\n"
					 "- {name: few, commands: [id], decision: allow}\n"
					 "- {name: end, decision: deny}\n");

	assert_verdict(RUN(p, .given = "/usr/bin/id", TWINS), POL_DENY, "no-id");
	assert_verdict(RUN(p, .given = "/usr/bin/id"), POL_ALLOW, "few");
	assert_verdict(RUN(p, .given = "/x/y", .resolved = "/usr/bin/id", TWINS), POL_DENY, "end");
	/* A rule matches by one of its names: an end that is every command's does not match by another. */
	assert_verdict(RUN(p, .given = "/usr/bin/git", TWINS), POL_ALLOW, "git");
	assert_verdict(RUN(p, .given = "/usr/lib/git/x", TWINS), POL_ALLOW, "git");
	assert_verdict(RUN(p, .given = "/usr/lib/git/x"), POL_DENY, "end");
	assert_verdict(RUN(p, .given = "/usr/binx/id", TWINS), POL_ALLOW, "few");
	policy_close(p);
}

static void test_written(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "command_rules:\n"
					 "- {name: java, commands: [/opt/java/bin/java], decision: allow}\n"
					 "- {name: no, commands: [/opt/old/bin/tool], decision: deny}\n"
					 "- {name: tools, commands: [tool], decision: allow}\n");
	const char *java = "/opt/java-17/bin/java";

	assert_verdict(RUN(p, .given = java), POL_DENY, "default-deny-commands");
	assert_verdict(RUN(p, .given = java, .written = "/opt/java/bin/java"), POL_ALLOW, "java");
	assert_verdict(RUN(p, .given = java, .written = "/opt/java/bin/java", .untrusted_written = true), POL_DENY, "default-deny-commands");
	for (int i = 0; i < 2; i++)
		assert_verdict(RUN(p, .given = "/opt/9/bin/tool", .written = "/opt/old/bin/tool", .untrusted_written = i), POL_DENY, "no");
	assert_verdict(RUN(p, .given = "/opt/9/bin/tool", .written = "/opt/new/bin/tool", .untrusted_written = true), POL_ALLOW, "tools");
	policy_close(p);
}

#define LABELS(p, ...) policy_exec_labels(p, &(struct pol_exec){ __VA_ARGS__ })

static void test_labels(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "command_rules:\n"
					 "- {name: a, processes: [/workspace/a, /home/u/ws/b, /bin/c, /opt/d], decision: deny}\n"
					 "- {name: all, decision: allow}\n");

	assert_int_equal(LABELS(p, .given = "/home/u/ws/a").sure, 1);
	assert_int_equal(LABELS(p, .resolved = "/workspace/b").sure, 2);
	assert_int_equal(policy_labels(p, "/workspace/b", NULL, false).sure, 2);
	assert_int_equal(LABELS(p, .given = "/usr/bin/c").sure, 0);
	assert_int_equal(LABELS(p, .given = "/usr/bin/c", TWINS).sure, 4);
	assert_int_equal(LABELS(p, .given = "/usr/bin/c", TWINS).may, 4);
	assert_int_equal(LABELS(p, .given = "/usr/bin/c", .untrusted_name = true, TWINS).sure, 0);
	assert_int_equal(LABELS(p, .given = "/usr/bin/c", .untrusted_name = true, TWINS).may, 4);
	assert_int_equal(LABELS(p, .given = "/opt/e", .written = "/opt/d").sure, 8);
	assert_int_equal(LABELS(p, .given = "/opt/e", .written = "/opt/d", .untrusted_written = true).sure, 0);
	assert_int_equal(LABELS(p, .given = "/opt/e", .written = "/opt/d", .untrusted_written = true).may, 8);
	policy_close(p);
}

/* A program set aside under NAME.real is that program, in rules too. */
static void test_set_aside(void **state UNUSED)
{
	static const struct { const char *given; enum pol_decision d; } t[] = {
		{ "tool", POL_DENY }, { "tool.real", POL_DENY }, { "/x/TOOL.REAL", POL_DENY }, { "tools", POL_ALLOW }, { "ab", POL_DENY },
		{ "ab.real", POL_DENY }, { ".real", POL_ALLOW }, { "/bin/p.real", POL_DENY }, { "/bin/p", POL_ALLOW },
	};
	struct policy *p = pol_open(HEAD "command_rules:\n- {name: a, commands: [tool.real, '*b.real', /bin/p.real], decision: deny}\n"
				    "- {name: by, processes: [q.real], commands: [c], decision: deny}\n- {name: all, decision: allow}\n");

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *argv[] = { t[i].given, NULL };
		struct pol_exec q = { .given = t[i].given, .argv = argv, .argc = 1 };

		if (policy_exec(p, &q).decision != t[i].d)
			fail_msg("%s", t[i].given);
	}
	assert_int_equal(LABELS(p, .given = "/usr/bin/q").sure, 1);
	assert_int_equal(LABELS(p, .given = "/usr/bin/q.real").sure, 1);
	policy_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_set_aside), cmocka_unit_test(test_workspace), cmocka_unit_test(test_links_of_the_root),
					    cmocka_unit_test(test_written), cmocka_unit_test(test_labels) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
