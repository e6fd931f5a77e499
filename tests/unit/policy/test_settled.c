/* SPDX-License-Identifier: Apache-2.0 */
/* A name that the session could make or replace says nothing good about a file; one that it cannot touch does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

static void test_settled(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "file_rules:\n"
				    "- {name: own, paths: [/workspace/**], decision: allow}\n"
				    "- {name: asked, paths: [/srv/npm/**], operations: [rename], processes: [npm], decision: allow}\n");
	char deep[4200];

	assert_true(policy_settled(p, "/usr/bin/git"));
	assert_true(policy_settled(p, "/srv/git"));
	assert_true(policy_settled(p, "/home/u/ws"));
	assert_false(policy_settled(p, "/home/u/ws/git"));
	assert_false(policy_settled(p, "/workspace/bin/git"));
	assert_false(policy_settled(p, "/srv/npm/git"));
	memset(deep, 'a', sizeof(deep));
	deep[0] = '/';
	deep[4095] = 0;
	assert_true(policy_settled(p, deep));
	deep[4095] = 'a';
	deep[4096] = 0;
	assert_false(policy_settled(p, deep));
	policy_close(p);
}

static void test_own_trees(void **state UNUSED)
{
	static const char *const unclean[] = { "git", "", "/usr//bin/git", "/usr/./git", "/usr/../git" };
	static const char *const own[] = { "/tmp/git", "/dev/shm/git", "/run/git", "/proc/self/exe" };
	struct policy *p = pol_open(HEAD);

	assert_true(policy_settled(p, "/tmpx/git"));
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		assert_false(policy_settled(p, own[i]));
	for (size_t i = 0; i < sizeof(unclean) / sizeof(unclean[0]); i++)
		assert_false(policy_settled(p, unclean[i]));
	policy_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_settled), cmocka_unit_test(test_own_trees) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
