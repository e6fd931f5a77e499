/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that fails at each place in turn while automata are made: an error, or the same answers, and nothing leaks. Links with malloc,
 * calloc, realloc and strdup wrapped (tests/tests.mk). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/policy/files.h"
#include "tests/unit/policy/nomem.h"

WRAP(void *, realloc, NULL, (void *p, size_t n), p, n)
WRAP(char *, strdup, NULL, (const char *s), s)

/* As file_put, but what it needs itself does not fail. */
static int put(void *arg, const struct dfa *d)
{
	long was = left;
	int r;

	left = -1;
	r = file_put(arg, d);
	left = was;
	return r;
}

static const char *const paths[] = { "/a/x", "/ab/q", "/b/c/d.key", "/l/1/2/3", "/l/1/2", "/w/zz", "/n/k/9", "/p40/q40", "/p41/q41/z" };

static void rules_of(struct rules *r)
{
	char glob[64];

	file_rules_add(r, &(struct file_rule){ "/a/** /{a,b{c,d}}b/[a-q] /l/1/2/3 no/path /p40x/a /** /workspace/a/b /workspaces", "npm yarn", POL_ALLOW, OPS_ALL });
	file_rules_add(r, &(struct file_rule){ "**/*.key /l/1/** /w/?z", NULL, POL_APPROVE, OPS_ALL });
	for (unsigned i = 0; i < 60; i++) {
		snprintf(glob, sizeof(glob), "/p%u/q%u /p%u/q%u/** /n/[%c-%c]/%u", i, i, i, i, 'a' + i % 13, 'm' + i % 13, i % 10);
		file_rules_add(r, &(struct file_rule){ glob, i % 7 ? NULL : "git", i % 2 ? POL_DENY : POL_ALLOW, OPS_ALL });
	}
}

static void ask(const struct policy *p, uint32_t *out)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		for (unsigned l = 0; l < 4; l++)
			*out++ = policy_file(p, policy_file_path(p, paths[i]), POL_OP_WRITE, (struct pol_who){ .sure = l }).rule_no;
}

static void test_all(void **state UNUSED)
{
	uint32_t want[ARRAY_LEN(paths) * 4], got[ARRAY_LEN(paths) * 4];
	struct rules rules = { 0 };
	struct policy *p;
	long n = 0, failed = 0;
	int r = -1;

	rules_of(&rules);
	p = files_open(&rules, 0);
	ask(p, want);
	for (bool over = false; !over; n++) {
		p->n_dfa = 0;
		left = n;
		r = dfa_all(&files_model, "/home/u/ws", put, p, NULL);
		over = left >= 0;
		left = -1;
		failed += r < 0;
		assert_true(r == 0 || r == -ENOMEM || r == -E2BIG);
		if (r == 0)
			ask(p, got);
		if (r == 0)
			assert_memory_equal(got, want, sizeof(want));
	}
	assert_int_equal(r, 0);
	assert_true(failed > 20);
	policy_close(p);
	files_end();
}

/* Both names of the workspace are one. */
static void names_without(const struct rules *rules, const uint64_t *labels, const char *workspace)
{
	struct dfa_input in = { .rules = rules, .labels = labels, .workspace = workspace, .to = rules->n, .kinds = GLOBS_PLAIN };
	struct automaton a = { 0 };
	uint64_t work = DFA_WORK_MAX;
	uint32_t s;

	assert_int_equal(names_build(&in, &a, &work), 0);
	s = names_path(&a.d, a.d.workspace, "/a/b");
	assert_int_equal(a.entries[a.states[s].match].rule, 0);
	assert_int_not_equal(s, names_path(&a.d, a.d.workspace, "/a/c"));
	automaton_fini(&a);
}

static void test_names(void **state UNUSED)
{
	struct rules rules = { 0 };
	uint64_t labels[62] = { 0 };
	long n = 0, failed = 0;
	int r = -1;

	rules_of(&rules);
	names_without(&rules, labels, "/workspace");
	for (bool over = false; !over; n++) {
		struct dfa_input in = { .rules = &rules, .labels = labels, .workspace = "/p40", .to = rules.n, .kinds = GLOBS_PLAIN };
		struct automaton a = { 0 };
		uint64_t work = DFA_WORK_MAX;

		left = n;
		r = names_build(&in, &a, &work);
		over = left >= 0;
		left = -1;
		failed += r < 0;
		assert_true(r == 0 || r == -ENOMEM);
		automaton_fini(&a);
	}
	assert_int_equal(r, 0);
	assert_true(failed > 10);
	for (uint64_t given = 1;; given += 1 + given / 4) {
		struct dfa_input in = { .rules = &rules, .labels = labels, .workspace = "/p40", .to = rules.n, .kinds = GLOBS_PLAIN };
		struct automaton a = { 0 };
		uint64_t work = given;

		r = names_build(&in, &a, &work);
		automaton_fini(&a);
		if (r == 0)
			break;
		assert_int_equal(r, -ETIME);
		assert_int_equal(work, 0);
	}
	rules_fini(&rules);
}

/* A directory's rename that cannot be looked into is refused. */
static void test_rename(void **state UNUSED)
{
	static const struct file_rule f[] = { { "/a/**", NULL, POL_ALLOW, OPS_ALL }, { "/b/**", NULL, POL_ALLOW, OPS_ALL } };
	struct policy *p = files_of(f, 2, 0);
	struct pol_state a = policy_file_path(p, "/a/x"), b = policy_file_path(p, "/b/x");

	assert_true(policy_file_rename_safe(p, a, b, true));
	for (long n = 0; n < 2; n++) {
		bool safe;

		left = n;
		safe = policy_file_rename_safe(p, a, b, true);
		left = -1;
		assert_false(safe);
	}
	policy_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_all), cmocka_unit_test(test_names), cmocka_unit_test(test_rename) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
