/* SPDX-License-Identifier: Apache-2.0 */
/* Labels are compared by their entries and numbers, depths by how far they are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

#define FILES(name, more) "- {name: " name ", paths: [/" name "], decision: deny" more "}\n"
#define RUNS(more) "command_rules:\n- {name: c, commands: [x], decision: deny" more "}\n"

static bool same(const char *a, const char *b)
{
	struct policy *p = pol_open(a), *q = pol_open(b);
	bool r = policy_descent_same(p, q);

	assert_int_equal(policy_descent_same(q, p), r);
	policy_close(p);
	policy_close(q);
	return r;
}

static void test_labels(void **state UNUSED)
{
	const char *none = HEAD "file_rules:\n" FILES("a", ""), *npm = HEAD "file_rules:\n" FILES("a", ", processes: [npm]");

	assert_true(same(none, HEAD "file_rules:\n" FILES("b", "")));
	assert_true(same(npm, HEAD "file_rules:\n" FILES("b", "") FILES("c", ", processes: [npm]")));
	assert_true(same(npm, HEAD "file_rules:\n" FILES("a", ", processes: [npm]") FILES("c", ", processes: [npm]")));
	assert_false(same(none, npm));
	assert_false(same(npm, HEAD "file_rules:\n" FILES("a", ", processes: [np]")));
	assert_false(same(npm, HEAD "file_rules:\n" FILES("a", ", processes: [npm, go]")));
	assert_false(same(HEAD "file_rules:\n" FILES("a", ", processes: [npm, go]"), HEAD "file_rules:\n" FILES("a", ", processes: [go, npm]")));
}

static void test_depths(void **state UNUSED)
{
	const char *none = HEAD RUNS("");

	assert_true(same(none, HEAD RUNS(", context: [nested]")));
	assert_true(same(HEAD RUNS(", context: {min_depth: 2}"), HEAD RUNS(", context: {max_depth: 1}")));
	assert_false(same(none, HEAD RUNS(", context: {min_depth: 2}")));
	assert_false(same(HEAD RUNS(", context: {min_depth: 3}"), HEAD RUNS(", context: {min_depth: 2}")));
}

static uint64_t id_of(const char *text)
{
	struct policy *p = pol_open(text);
	uint64_t id = policy_labels_id(p);

	policy_close(p);
	assert_int_not_equal(id, 0);
	return id;
}

/* One number for one numbering: entries, their order, and where one ends. */
static void test_id(void **state UNUSED)
{
	uint64_t npm = id_of(HEAD "file_rules:\n" FILES("a", ", processes: [npm]")), two = id_of(HEAD "file_rules:\n" FILES("a", ", processes: [npm, go]"));

	assert_int_equal(npm, id_of(HEAD "file_rules:\n" FILES("b", "") FILES("c", ", processes: [npm]")));
	assert_int_equal(id_of(HEAD RUNS("")), id_of(HEAD "file_rules:\n" FILES("b", "")));
	assert_int_not_equal(npm, id_of(HEAD RUNS("")));
	assert_int_not_equal(npm, two);
	assert_int_not_equal(two, id_of(HEAD "file_rules:\n" FILES("a", ", processes: [go, npm]")));
	assert_int_not_equal(two, id_of(HEAD "file_rules:\n" FILES("a", ", processes: [npmg, o]")));
	assert_int_not_equal(two, id_of(HEAD "file_rules:\n" FILES("a", ", processes: [npmgo]")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_labels), cmocka_unit_test(test_depths), cmocka_unit_test(test_id) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
