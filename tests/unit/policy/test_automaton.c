/* SPDX-License-Identifier: Apache-2.0 */
/* The automaton's record: what is written is used as it lies; every index out of its bounds is refused. What is too large is split. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "policy/nfa.h"
#include "tests/unit/policy/files.h"

enum { H_STATES, H_CLASSES, H_SLOTS, H_ENTRIES, H_ROOT, H_WORKSPACE, H_TABLE, H_POOL, H_EMIT, H_WORDS = 292 / 4 };

static uint32_t *record;
static struct dfa good;
static size_t len;

static int make(void **state UNUSED)
{
	static const struct file_rule f[] = { { "/w/** **/*.key", NULL, POL_ALLOW, OPS_ALL }, { "/x/[a-f]? /{y,z}", "npm", POL_DENY, OPS_ALL } };
	struct policy *p = files_of(f, 2, 0);

	assert_int_equal(p->n_dfa, 1);
	len = dfa_size(&p->dfa[0]);
	record = malloc(len);
	memcpy(record, files_record[0], len);
	assert_int_equal(dfa_map(record, len, &good), 0);
	policy_close(p);
	return 0;
}

static int unmake(void **state UNUSED)
{
	free(record);
	return 0;
}

static void refused_with(uint32_t *at, uint32_t value)
{
	struct dfa d = { .n_states = 77 };
	uint32_t was = *at;

	*at = value;
	if (dfa_map(record, len, &d) != -EBADMSG)
		fail_msg("word %td = %u is taken", at - record, value);
	assert_int_equal(d.n_states, 77);
	*at = was;
	assert_int_equal(dfa_map(record, len, &d), 0);
}

static void test_points_in(void **state UNUSED)
{
	assert_ptr_equal(good.class, (uint8_t *)record + 36);
	assert_ptr_equal(good.states, record + H_WORDS);
	assert_ptr_equal(good.tree + ((good.n_states + 3) & ~3u), (uint8_t *)record + len);
	assert_int_equal(len % 4, 0);
	assert_true(good.n_entries > 2 && good.n_slots >= good.n_classes);
}

static void test_bounds(void **state UNUSED)
{
	static const uint32_t out[] = { 0, 1u << 31, UINT32_MAX };
	uint32_t *states = record + H_WORDS, *slots = states + 3 * good.n_states, *entries = slots + 2 * good.n_slots;
	uint8_t *class = (uint8_t *)record + 36, was;
	struct dfa d;

	for (int h = H_STATES; h <= H_ENTRIES; h++)
		for (size_t k = 0; k < ARRAY_LEN(out); k++)
			refused_with(&record[h], out[k]);
	refused_with(&record[H_STATES], good.n_states + 1);
	refused_with(&record[H_CLASSES], 257);
	refused_with(&record[H_CLASSES], good.n_slots + 1);
	refused_with(&record[H_CLASSES], good.n_classes - 1);
	refused_with(&record[H_SLOTS], good.n_slots - 1);
	refused_with(&record[H_ENTRIES], good.n_entries - 1);
	refused_with(&record[H_ROOT], good.n_states);
	refused_with(&record[H_WORKSPACE], good.n_states);
	for (uint32_t s = 0; s < good.n_states; s++) {
		refused_with(&states[3 * s], good.n_slots - good.n_classes + 1);
		refused_with(&states[3 * s], UINT32_MAX);
		refused_with(&states[3 * s + 1], good.n_states);
		refused_with(&states[3 * s + 2], good.n_entries);
	}
	for (uint32_t i = 0; i < good.n_slots; i++)
		refused_with(&slots[2 * i + 1], good.n_states);
	for (uint32_t i = 0; i < good.n_entries; i++)
		refused_with(&entries[4 * i], RULES_MAX);
	refused_with(&entries[4 * (good.n_entries - 1) + 1], 1);
	for (int c = 0; c < 256; c++) {
		was = class[c];
		class[c] = (uint8_t)good.n_classes;
		assert_int_equal(dfa_map(record, len, &d), -EBADMSG);
		class[c] = was;
	}
}

/* What states emit is a list among the first entries, and of numbers that are kept. */
static void test_bounds_of_emits(void **state UNUSED)
{
	static const struct file_rule f[] = { { "/w/** **/a/**/b", NULL, POL_ALLOW, OPS_ALL }, { "**/c/**", NULL, POL_DENY, OP(READ) } };
	struct policy *p = files_of(f, 2, 4);
	uint32_t *kept = record, *entries, armed = 0;
	struct dfa d = p->dfa[0];
	size_t was = len;
	uint16_t *emit = (uint16_t *)(uintptr_t)d.emit;

	record = files_record[0];
	len = dfa_size(&d);
	entries = (uint32_t *)(uintptr_t)d.entries;
	assert_true(d.n_emit == 3 && d.n_entries > 3);
	assert_ptr_equal((uint8_t *)emit + ((d.n_states * 2 + 3) & ~3u), (uint8_t *)record + len);
	refused_with(&record[H_EMIT], 0);
	refused_with(&record[H_EMIT], d.n_entries + 1);
	refused_with(&record[H_EMIT], UINT32_MAX);
	for (uint32_t s = 0; s < d.n_states; s++) {
		struct dfa none;
		uint16_t old = emit[s];

		emit[s] = (uint16_t)(d.n_emit + 1);
		assert_int_equal(dfa_map(record, len, &none), -EBADMSG);
		emit[s] = old;
	}
	refused_with(&entries[4 * (d.n_emit - 1) + 1], ENTRY_EMIT);
	for (uint32_t i = 0; i < d.n_entries; i++) {
		bool arm = entries[4 * i + 1] & ENTRY_ARMED;

		armed += arm;
		if (arm || i < d.n_emit)
			refused_with(&entries[4 * i + 2], arm ? POL_KEPT_MAX : STICKY_MAX);
	}
	assert_int_equal(armed, 2);
	policy_close(p);
	record = kept;
	len = was;
}

static struct policy *names_policy(void)
{
	static const struct file_rule f[] = { { "/w/a/b /w/** /usr/lib", NULL, POL_ALLOW, OPS_ALL }, { "/w/c", "npm", POL_DENY, OPS_ALL } };

	return files_of(f, 2, 2);
}

static void test_bounds_of_names(void **state UNUSED)
{
	uint32_t *kept = record, *states, *table, at = 0;
	struct policy *p = names_policy();
	struct dfa d = p->dfa[0];
	size_t was = len;

	assert_true(dfa_is_names(&d));
	record = files_record[0];
	len = dfa_size(&d);
	states = record + H_WORDS;
	table = (uint32_t *)(uintptr_t)d.table;
	refused_with(&record[H_STATES], d.n_states - 1);
	refused_with(&record[H_STATES], NAMES_MAX + 1);
	refused_with(&record[H_STATES], 0);
	refused_with(&record[H_CLASSES], 1);
	refused_with(&record[H_SLOTS], d.n_slots + 1);
	refused_with(&record[H_TABLE], 0);
	refused_with(&record[H_TABLE], d.n_table - 1);
	refused_with(&record[H_TABLE], d.n_table / 2);
	refused_with(&record[H_TABLE], 1u << 31);
	refused_with(&record[H_POOL], 0);
	refused_with(&record[H_POOL], UINT32_MAX);
	refused_with(&record[H_ROOT], d.n_states);
	for (uint32_t s = 0; s < d.n_states; s++) {
		refused_with(&states[3 * s], d.n_pool + 1);
		refused_with(&states[3 * s + 1], d.n_states);
		refused_with(&states[3 * s + 2], d.n_entries);
		refused_with(&states[3 * d.n_states + 2 * s + 1], d.n_pool + 1);
	}
	/* A look-up ends at a free place. */
	while (table[at] == NO_RULE)
		at++;
	refused_with(&table[at], d.n_states);
	at = table[at];
	{
		struct dfa none;
		uint32_t *all = malloc(len);

		memcpy(all, record, len);
		for (uint32_t i = 0; i < d.n_table; i++)
			all[(size_t)(table - record) + i] = at;
		assert_int_equal(dfa_map(all, len, &none), -EBADMSG);
		free(all);
	}
	policy_close(p);
	record = kept;
	len = was;
}

static void test_lengths(void **state UNUSED)
{
	uint32_t *more = malloc(len + 8);
	struct dfa d;

	memset(more, 0, len + 8);
	memcpy(more, record, len);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(dfa_map(more, n, &d), -EBADMSG);
	assert_int_equal(dfa_map(more, len, &d), 0);
	assert_int_equal(dfa_map(more, len + 1, &d), -EBADMSG);
	assert_int_equal(dfa_map(more, len + 4, &d), -EBADMSG);
	memmove((uint8_t *)more + 1, record, len);
	assert_int_equal(dfa_map((uint8_t *)more + 1, len, &d), -EBADMSG);
	assert_int_equal(dfa_map(NULL, 0, &d), -EBADMSG);
	assert_int_equal(dfa_map(NULL, len, &d), -EBADMSG);
	free(more);
}

static void test_no_room(void **state UNUSED)
{
	uint8_t *out = malloc(len);

	for (size_t n = 0; n <= len; n += n < 300 ? 1 : 13) {
		struct wr w = wr_init(out, n);

		assert_int_equal(dfa_write(&w, &good), n < len ? -ENOBUFS : 0);
	}
	free(out);
}

struct shape { const char *before, *between, *after; };

/* n rules of two numbered names; every third of the other shape. */
static struct policy *many(struct shape most, struct shape third, unsigned n)
{
	struct rules rules = { 0 };
	char glob[64];

	for (unsigned i = 0; i < n; i++) {
		struct shape s = i % 3 ? most : third;

		snprintf(glob, sizeof(glob), "%s%u%s%u%s", s.before, i, s.between, i, s.after);
		file_rules_add(&rules, &(struct file_rule){ glob, NULL, i % 2 ? POL_ALLOW : POL_DENY, OPS_ALL });
	}
	return files_open(&rules, 0);
}

static uint32_t rule_at(const struct policy *p, const char *path)
{
	return policy_file(p, policy_file_path(p, path), POL_OP_READ, (struct pol_who){ 0 }).rule_no;
}

/* Rules for any directory and rules for one multiply in one automaton; apart they add up, and the first of all still decides. */
static void test_split_by_kind(void **state UNUSED)
{
	struct policy *p = many((struct shape){ "/x", "/y", "/**" }, (struct shape){ "**/d", "/f", "" }, 1500);

	assert_int_equal(p->n_dfa, 2);
	assert_int_equal(rule_at(p, "/x1/y1/a"), 1);
	assert_int_equal(rule_at(p, "/x1/y1/d0/f0"), 0);
	assert_int_equal(rule_at(p, "/x1/y1/d3/f3"), 1);
	assert_int_equal(rule_at(p, "/x1499/y1499/d0/f0"), 0);
	assert_int_equal(rule_at(p, "/x1499/y1499/d1497/f1497"), 1497);
	assert_int_equal(rule_at(p, "/x1499/y1498/q"), POL_NO_RULE);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/nothing")), POL_TREE_MIXED);
	assert_false(policy_file_rename_safe(p, policy_file_path(p, "/n"), policy_file_path(p, "/x1/y1/a"), true));
	policy_close(p);
}

static void test_split_by_halves(void **state UNUSED)
{
	struct policy *p = many((struct shape){ "/srv/", "-", "?" }, (struct shape){ "/srv/other/d", "/", "/file" }, 70000);
	unsigned names = 0;

	for (size_t i = 0; i < p->n_dfa; i++)
		names += dfa_is_names(&p->dfa[i]);
	assert_int_equal(names, 1);
	assert_true(p->n_dfa > 2);
	assert_int_equal(rule_at(p, "/srv/1-1x"), 1);
	assert_int_equal(rule_at(p, "/srv/69998-69998x"), 69998);
	assert_int_equal(rule_at(p, "/srv/69998-69998"), POL_NO_RULE);
	assert_int_equal(rule_at(p, "/srv/other/d0/0/file"), 0);
	assert_int_equal(rule_at(p, "/srv/other/d69999/69999/file"), 69999);
	assert_int_equal(rule_at(p, "/srv/other/d69999/69996/file"), POL_NO_RULE);
	policy_close(p);
	p = many((struct shape){ "/srv/n", "/m", "/file" }, (struct shape){ "/usr/n", "/m", "/**" }, 60000);
	assert_int_equal(p->n_dfa, 2);
	assert_true(dfa_is_names(&p->dfa[0]) && dfa_is_names(&p->dfa[1]));
	assert_int_equal(rule_at(p, "/srv/n1/m1/file"), 1);
	assert_int_equal(rule_at(p, "/usr/n59997/m59997/file"), 59997);
	assert_int_equal(rule_at(p, "/usr/n59997/m59997"), POL_NO_RULE);
	policy_close(p);
	p = many((struct shape){ "/srv/some/", "-", "-file.txt" }, (struct shape){ "/usr/some/", "-", "-other.txt" }, 20000);
	assert_int_equal(p->n_dfa, 1);
	assert_true(dfa_is_names(&p->dfa[0]));
	assert_int_equal(rule_at(p, "/srv/some/1-1-file.txt"), 1);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/nothing")), POL_TREE_MIXED);
	assert_false(policy_file_rename_safe(p, policy_file_path(p, "/m"), policy_file_path(p, "/srv"), true));
	assert_true(policy_file_rename_safe(p, policy_file_path(p, "/m"), policy_file_path(p, "/srv/some"), false));
	policy_close(p);
}

/* Directories below which much holds for good come in any combination; they are kept beside the states, of which there are few. */
static void test_kept_beside(void **state UNUSED)
{
	static const uint32_t ops[] = { OPS_ALL, OP(READ) | OP(OPEN), OP(WRITE) | OP(CREATE) };
	struct rules rules = { 0 };
	struct policy *p;
	char glob[128];

	for (unsigned i = 0; i < 150; i++) {
		snprintf(glob, sizeof(glob), "**/d%u/** **/e%u/**/f%u **/*.g%u /srv/d%u/**", i, i, i, i, i);
		file_rules_add(&rules, &(struct file_rule){ glob, NULL, i % 2 ? POL_ALLOW : POL_DENY, ops[i % 3] });
	}
	p = files_open(&rules, 0);
	for (size_t i = 0; i < p->n_dfa; i++)
		assert_true(p->dfa[i].n_states < 4000);
	assert_int_equal(rule_at(p, "/x/d30"), POL_NO_RULE);
	assert_int_equal(rule_at(p, "/x/d30/y"), 30);
	assert_int_equal(rule_at(p, "/x/d31/d32/d33/d34/y"), 31);
	assert_int_equal(rule_at(p, "/x/d34/d33/d32/d31/y/z"), 31);
	assert_int_equal(rule_at(p, "/x/d32/d35/d36/y/z"), 36);
	assert_int_equal(rule_at(p, "/x/e30/f30"), POL_NO_RULE);
	assert_int_equal(rule_at(p, "/x/e30/y/f30"), 30);
	assert_int_equal(rule_at(p, "/x/e30/f30/f30"), 30);
	assert_int_equal(rule_at(p, "/x/e30/y/f31"), POL_NO_RULE);
	assert_int_equal(rule_at(p, "/x/e31/e30/d40/f31"), 31);
	assert_int_equal(rule_at(p, "/x/e31/e30/d40/f30"), 30);
	assert_int_equal(rule_at(p, "/d3/e1/y/f1"), 1);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/nothing")), POL_TREE_MIXED);
	assert_false(policy_file_rename_safe(p, policy_file_path(p, "/n"), policy_file_path(p, "/d1/a"), true));
	assert_true(policy_file_rename_safe(p, policy_file_path(p, "/d1/m"), policy_file_path(p, "/d1/n"), true));
	assert_false(policy_file_rename_safe(p, policy_file_path(p, "/d0/m"), policy_file_path(p, "/d4/m"), false));
	policy_close(p);
}

/* The workspace's names are two paths: what one has met says nothing of the other's last name. */
static void test_begins_and_workspace(void **state UNUSED)
{
	static const struct file_rule f[] = { { "/home/**/workspace", NULL, POL_DENY, OPS_ALL }, { "/home/**/ws", NULL, POL_DENY, OP(READ) },
					      { "/home/**/x", NULL, POL_ALLOW, OPS_ALL }, { "/workspace/**/x", NULL, POL_ALLOW, OPS_ALL },
					      { "**/ws/**/y", NULL, POL_DENY, OPS_ALL } };
	struct policy *p = files_of(f, ARRAY_LEN(f), 4);

	assert_int_equal(rule_at(p, "/workspace"), 1);
	assert_int_equal(rule_at(p, "/home/u/ws"), 1);
	assert_int_equal(rule_at(p, "/workspace/x"), 2);
	assert_int_equal(rule_at(p, "/workspace/y"), POL_NO_RULE);
	assert_int_equal(rule_at(p, "/workspace/a/y"), 4);
	assert_int_equal(rule_at(p, "/home/x"), POL_NO_RULE);
	assert_int_equal(rule_at(p, "/home/u/x"), 2);
	assert_int_equal(policy_file(p, policy_file_workspace(p), POL_OP_WRITE, (struct pol_who){ 0 }).rule_no, POL_NO_RULE);
	policy_close(p);
}

/* One rule with more than any automaton holds cannot be split. */
static void test_refused(void **state UNUSED)
{
	struct rules rules = { 0 };
	struct model m = { 0 };
	size_t n = 0;
	char *globs = malloc(1u << 20);
	struct policy none = { 0 };

	for (char a = 'a'; a <= 'z'; a++)
		for (char b = 'a'; b <= 'z'; b++)
			n += (size_t)sprintf(globs + n, "**/*a*%c*%c*b*c*%c*d*/e*f**x ", a, b, a);
	file_rules_add(&rules, &(struct file_rule){ globs, NULL, POL_DENY, OPS_ALL });
	m.files = rules;
	assert_true(dfa_all(&m, "/w", file_put, &none, NULL) < 0);
	assert_int_equal(none.n_dfa, 0);
	rules_fini(&m.files);
	free(globs);
}

static int stop(void *arg, const struct dfa *d UNUSED)
{
	return ++*(int *)arg == 2 ? -EIO : 0;
}

static void test_put_fails(void **state UNUSED)
{
	struct rules rules = { 0 };
	struct model m = { 0 };
	char glob[64];
	int n = 1;

	for (unsigned i = 0; i < 800; i++) {
		snprintf(glob, sizeof(glob), "%s%u%s", i % 2 ? "/x" : "**/d", i, i % 2 ? "/**" : "/f");
		file_rules_add(&rules, &(struct file_rule){ glob, NULL, POL_DENY, OPS_ALL });
	}
	m.files = rules;
	assert_int_equal(dfa_all(&m, "/w", stop, &n, NULL), -EIO);
	assert_int_equal(n, 2);
	rules_fini(&m.files);
}

/* What begins alike is looked at once, groups too; each node of it answers for the operations of all rules that share it. */
static void test_groups_shared(void **state UNUSED)
{
	struct rule a = { .paths = STRS("/w{,/**}/a"), .ops = 1 }, b = { .paths = STRS("/w{,/**}/b"), .ops = 2 };
	struct rule other = { .paths = STRS("/w{,/*}/b"), .ops = 4 };
	struct nfa n;
	uint32_t before, both = 0;

	nfa_begin(&n, NULL);
	nfa_add(&n, &a, 0, GLOBS_ALL);
	before = n.n;
	nfa_add(&n, &b, 1, GLOBS_ALL);
	assert_int_equal(n.n, before + 2); /* its last byte and its end */
	for (uint32_t i = 1; i < before; i++)
		both += n.v[i].ops == 3;
	assert_int_equal(both, before - 3);
	before = n.n;
	nfa_add(&n, &other, 2, GLOBS_ALL);
	assert_true(n.n > before + 2);
	assert_false(n.full);
	nfa_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_points_in), cmocka_unit_test(test_bounds), cmocka_unit_test(test_bounds_of_names), cmocka_unit_test(test_lengths), cmocka_unit_test(test_refused), cmocka_unit_test(test_put_fails),
					    cmocka_unit_test(test_bounds_of_emits), cmocka_unit_test(test_kept_beside), cmocka_unit_test(test_begins_and_workspace),
					    cmocka_unit_test(test_no_room), cmocka_unit_test(test_split_by_kind), cmocka_unit_test(test_groups_shared), cmocka_unit_test(test_split_by_halves) };

	return cmocka_run_group_tests(tests, make, unmake);
}
