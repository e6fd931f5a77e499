/* SPDX-License-Identifier: Apache-2.0 */
/* How far rules tell depths of execs apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "tests/unit/policy/pol.h"

static void test_depths(void **state UNUSED)
{
	static const struct { const char *context; uint32_t depths; } cases[] = {
		{ "", 1 }, { "context: [direct], ", 1 }, { "context: [nested], ", 1 }, { "context: {min_depth: 0}, ", 1 },
		{ "context: {min_depth: 1}, ", 1 }, { "context: {min_depth: 2}, ", 2 }, { "context: {max_depth: 0}, ", 1 },
		{ "context: {max_depth: 1}, ", 2 }, { "context: {min_depth: 2, max_depth: 5}, ", 6 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy *p;
		char text[256];

		snprintf(text, sizeof(text), HEAD "command_rules: [{name: a, %sdecision: allow}, {name: b, decision: deny}]\n", cases[i].context);
		p = pol_open(text);
		if (policy_depths(p) != cases[i].depths)
			fail_msg("%s: %u, expected %u", cases[i].context, policy_depths(p), cases[i].depths);
		policy_close(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_depths) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
