/* SPDX-License-Identifier: Apache-2.0 */
/* The file side: random rules, paths and askers against a plain reading of the language; lists of rules that ask who; trees, renames. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "policy/kept.h"
#include "tests/fuzz/naive.h"
#include "tests/unit/policy/files.h"

static uint32_t seed = 77001;

static unsigned random_of(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* The rule by the words of the language alone; -1: none. steps below 0: no answer. */
static int plainly(const char *const *names, enum pol_op op, struct pol_who who, const char *const *labels, int *steps)
{
	for (size_t i = 0; i < files_model.files.n; i++) {
		const struct rule *u = &files_model.files.v[i];
		bool hit = false, mine = !u->more, allows = u->decision == POL_ALLOW || u->decision == POL_AUDIT;

		if (!(u->ops >> op & 1))
			continue;
		for (size_t k = 0; k < u->paths.n; k++)
			for (size_t n = 0; names[n]; n++)
				hit |= naive(u->paths.v[k], names[n], '/', steps);
		for (size_t k = 0; u->more && k < u->more->processes.n; k++)
			for (unsigned l = 0; labels[l]; l++)
				mine |= !who.unknown && ((who.sure | (allows ? 0 : who.may)) >> l & 1) && !strcmp(labels[l], u->more->processes.v[k]);
		if (who.unknown && u->more)
			mine = !allows;
		if (hit && mine)
			return (int)i;
	}
	return -1;
}

static void random_glob(char *out)
{
	static const char *const parts[] = { "/a", "/b", "/ab", "/*", "/**", "/?", "/a*", "/*b", "/[ab]", "/[!a]", "/{a,b}", "/{a/b,**}", "/workspace", "/home/u/ws",
					     "/a**b", "/\\*", "/{,a}b" };
	static const char *const plain[] = { "/a", "/b", "/ab", "/workspace", "/home", "/home/u", "/home/u/ws", "/" };
	unsigned n = random_of(4);

	*out = 0;
	if (random_of(4) == 0) { /* with one name behind a double star */
		static const char *const begins[] = { "**/a/**", "**/ab/**", "/a/**", "**/**", "/*/b/**", "**/[ab]/**", "/home/**", "/workspace/**", "**/{a,b}/**",
						      "**/a/**/b/**", "**/a*/**" };

		strcat(strcpy(out, begins[random_of(ARRAY_LEN(begins))]), random_of(6) ? parts[random_of(ARRAY_LEN(parts))] : "");
		return;
	}
	if (random_of(2)) {
		strcpy(out, plain[random_of(ARRAY_LEN(plain))]);
		for (unsigned i = 0; i < n; i++)
			strcat(out, plain[random_of(3)]);
		if (random_of(2))
			strcat(out, "/**");
		return;
	}
	if (random_of(4) == 0)
		strcpy(out, "**");
	for (unsigned i = 0; i <= n; i++)
		strcat(out, parts[random_of(ARRAY_LEN(parts))]);
}

static void random_path(char *out)
{
	static const char *const parts[] = { "/a", "/b", "/ab", "/aab", "/*", "/x" };
	static const char *const first[] = { "/workspace", "/home/u/ws", "/home/u/wsx", "/workspac", "/a", "/b" };
	unsigned n = random_of(4);

	strcpy(out, first[random_of(ARRAY_LEN(first))]);
	for (unsigned i = 0; i < n; i++)
		strcat(out, parts[random_of(ARRAY_LEN(parts))]);
}

static struct policy *random_policy(size_t pieces)
{
	static const char *const who[] = { "p", "q", "r", "p q", "q r", "p q r" };
	static const enum pol_decision what[] = { POL_ALLOW, POL_DENY, POL_APPROVE, POL_AUDIT, POL_REDIRECT, POL_SOFT_DELETE };
	struct rules rules = { 0 };
	size_t n = 1 + random_of(12);

	for (size_t i = 0; i < n; i++) {
		char globs[512] = "", one[128];

		for (unsigned k = 0; k <= random_of(3); k++) {
			random_glob(one);
			strcat(strcat(globs, one), " ");
		}
		file_rules_add(&rules, &(struct file_rule){ globs, random_of(2) ? who[random_of(6)] : NULL, what[random_of(6)],
							    random_of(3) ? OPS_ALL : 1u << random_of(3) });
	}
	return files_open(&rules, pieces);
}

static void free_policy(struct policy *p)
{
	policy_close(p);
}

static void labels_by_rule(const char **out)
{
	struct strs all;

	assert_int_equal(labels_of(&files_model, &all), 0);
	for (size_t i = 0; i < 4; i++)
		out[i] = i < all.n ? strcmp(all.v[i], "p") ? strcmp(all.v[i], "q") ? "r" : "q" : "p" : NULL;
	strs_fini(&all);
}

static void test_random_policies(void **state UNUSED)
{
	int asked = 0, ruled = 0, by_who = 0, for_good = 0, by_begin = 0;

	for (int i = 0; i < 600; i++) {
		struct policy *p = random_policy((size_t)i % 6);
		const char *labels[4];

		labels_by_rule(labels);
		for (int k = 0; k < 20; k++) {
			char path[128], other[128];
			const char *names[] = { path, other, NULL };
			struct pol_who who = { .sure = random_of(8), .may = random_of(8), .unknown = random_of(5) == 0 };
			enum pol_op op = (enum pol_op)random_of(3);
			int steps = 400000, want;
			struct pol_state st;
			uint32_t got, always;

			random_path(path);
			strcpy(other, path);
			if (!strncmp(path, "/workspace", 10) && (!path[10] || path[10] == '/'))
				snprintf(other, sizeof(other), "/home/u/ws%s", path + 10);
			else if (!strncmp(path, "/home/u/ws", 10) && (!path[10] || path[10] == '/'))
				snprintf(other, sizeof(other), "/workspace%s", path + 10);
			want = plainly(names, op, who, labels, &steps);
			if (steps < 0)
				continue;
			st = policy_file_path(p, path);
			got = policy_file(p, st, op, who).rule_no;
			if (got != (want < 0 ? POL_NO_RULE : (uint32_t)want))
				fail_msg("policy %d, %s, op %d, labels %llx, may be %llx%s: rule %d, should be %d", i, path, op,
					 (unsigned long long)who.sure, (unsigned long long)who.may, who.unknown ? " unknown" : "", (int)got, want);
			always = policy_file(p, st, op, (struct pol_who){ 0 }).rule_no;
			if (!policy_file_asks(p, st, op) && got != always)
				fail_msg("%s depends on who, and does not say so", path);
			asked++;
			ruled += want >= 0;
			by_who += got != always;
			for_good += st.first[op] && got == kept_rule(p, &st, op);
			memset(st.kept, 0, sizeof(st.kept));
			by_begin += got != policy_file(p, st, op, who).rule_no;
		}
		free_policy(p);
	}
	assert_true(asked > 7500 && ruled > 2200 && by_who > 300 && for_good > 300 && by_begin > 120);
}

static int strict(enum pol_decision d)
{
	return d == POL_ALLOW || d == POL_AUDIT ? 0 : d == POL_SOFT_DELETE ? 1 : d == POL_REDIRECT ? 2 : d == POL_APPROVE ? 3 : 4;
}

/* What is called safe is never less strict for anybody; a tree's word holds for all that is looked up in it. */
static void test_random_renames_and_trees(void **state UNUSED)
{
	int safe = 0, plain = 0, not = 0;

	for (int i = 0; i < 450; i++) {
		struct policy *p = random_policy((size_t)i % 6);

		for (int k = 0; k < 12; k++) {
			char from[128], to[128], below[300];
			struct pol_state a, b;
			enum pol_tree tree;
			bool ok;

			random_path(from);
			random_path(to);
			a = policy_file_path(p, from);
			b = policy_file_path(p, to);
			ok = policy_file_rename_safe(p, a, b, k % 2);
			tree = policy_file_tree(p, a);
			safe += ok;
			not += !ok;
			plain += tree != POL_TREE_MIXED;
			random_path(below);
			if (k % 2)
				a = policy_file_child(p, a, below + 1, strcspn(below + 1, "/"));
			if (k % 2)
				b = policy_file_child(p, b, below + 1, strcspn(below + 1, "/"));
			for (int op = 0; op < POL_OP__COUNT; op++)
				for (unsigned l = 0; l < 65; l++) {
					struct pol_who who = { .sure = l & l >> 3, .may = l, .unknown = l == 64 };
					enum pol_decision x = policy_file(p, a, (enum pol_op)op, who).decision, y = policy_file(p, b, (enum pol_op)op, who).decision;
					bool read = READS >> op & 1;

					if (ok && strict(y) < strict(x))
						fail_msg("policy %d: %s to %s is not safe", i, from, to);
					if (k % 2 && tree != POL_TREE_MIXED)
						assert_int_equal(x, (tree == POL_TREE_NONE || (tree == POL_TREE_RO && !read)) ? POL_DENY : POL_ALLOW);
				}
		}
		free_policy(p);
	}
	assert_true(safe > 400 && not > 400 && plain > 50);
}

#define RULE(p, path, op, ...) policy_file(p, policy_file_path(p, path), POL_OP_##op, (struct pol_who){ __VA_ARGS__ }).rule

static void test_who(void **state UNUSED)
{
	static const struct file_rule f[] = {
		{ "/w/**", "npm yarn", POL_ALLOW, OPS_ALL }, { "/w/**", "git", POL_DENY, OPS_ALL }, { "/w/**", "git npm", POL_APPROVE, OPS_ALL },
		{ "/w/a", NULL, POL_REDIRECT, OPS_ALL }, { "/**", NULL, POL_DENY, OP(WRITE) }, { "/w/a", "npm", POL_AUDIT, OPS_ALL },
	};
	struct policy *p = files_of(f, ARRAY_LEN(f), 0);

	assert_string_equal(RULE(p, "/w/a", WRITE, 0), "r3");
	assert_string_equal(RULE(p, "/w/a", WRITE, .sure = 1), "r0");
	assert_string_equal(RULE(p, "/w/a", WRITE, .sure = 2), "r0");
	assert_string_equal(RULE(p, "/w/a", WRITE, .sure = 4), "r1");
	assert_string_equal(RULE(p, "/w/a", WRITE, .sure = 5), "r0");
	assert_string_equal(RULE(p, "/w/a", WRITE, .sure = 8), "r3");
	/* What allows looks at what is sure, what restricts at what may be. */
	assert_string_equal(RULE(p, "/w/a", WRITE, .may = 1), "r2");
	assert_string_equal(RULE(p, "/w/a", WRITE, .may = 2), "r3");
	assert_string_equal(RULE(p, "/w/a", WRITE, .may = 4), "r1");
	assert_string_equal(RULE(p, "/w/a", WRITE, .sure = 1, .may = 5), "r0");
	assert_string_equal(RULE(p, "/w/a", WRITE, .sure = 8, .may = 12), "r1");
	assert_string_equal(RULE(p, "/w/a", WRITE, .unknown = true), "r1");
	assert_string_equal(RULE(p, "/w/a", WRITE, .sure = 1, .unknown = true), "r1");
	assert_string_equal(RULE(p, "/w/b", WRITE, 0), "r4");
	assert_string_equal(RULE(p, "/w/b", READ, 0), "default-allow-reads");
	assert_string_equal(RULE(p, "/w/b", CREATE, 0), "default-deny-files");
	assert_true(policy_file_asks(p, policy_file_path(p, "/w/a"), POL_OP_WRITE));
	assert_true(policy_file_asks(p, policy_file_path(p, "/w/b"), POL_OP_READ));
	assert_false(policy_file_asks(p, policy_file_path(p, "/x"), POL_OP_READ));
	assert_false(policy_file_asks(p, policy_file_path(p, "/x"), POL_OP_WRITE));
	/* What can be the first for nobody is in no list: r5 is covered by r3. Who may be npm and is not for sure meets r2. */
	for (uint32_t i = 0; i < p->dfa[0].n_entries; i++)
		assert_true(p->dfa[0].entries[i].rule != 5);
	free_policy(p);
}

static void test_trees_and_who(void **state UNUSED)
{
	static const struct file_rule f[] = {
		{ "/same/**", "npm", POL_ALLOW, OPS_ALL }, { "/same/**", NULL, POL_ALLOW, OPS_ALL },
		{ "/some/**", "npm", POL_DENY, OP(WRITE) }, { "/some/**", NULL, POL_ALLOW, OPS_ALL },
		{ "/end/**", "npm", POL_ALLOW, OPS_ALL }, { "/none/**", "npm", POL_DENY, OPS_ALL }, { "/none /none/**", NULL, POL_DENY, OPS_ALL },
		{ "/ask/**", NULL, POL_APPROVE, OPS_ALL }, { "/log/**", NULL, POL_AUDIT, OPS_ALL },
		{ "/shut", NULL, POL_DENY, OP(LIST) }, { "/shut/**", NULL, POL_ALLOW, OPS_ALL }, { "/below/**", NULL, POL_ALLOW, OPS_ALL },
	};
	struct policy *p = files_of(f, ARRAY_LEN(f), 0);

	/* A rule that speaks of the directory itself is meant, the end is not. */
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/shut")), POL_TREE_MIXED);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/below")), POL_TREE_RW);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/same")), POL_TREE_RW);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/some")), POL_TREE_MIXED);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/end")), POL_TREE_MIXED);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/none")), POL_TREE_NONE);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/ask")), POL_TREE_MIXED);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/log")), POL_TREE_MIXED);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/x")), POL_TREE_RO);
	assert_int_equal(policy_file_tree(p, policy_file_root(p)), POL_TREE_MIXED);
	free_policy(p);
}

static bool safe(const struct policy *p, const char *from, const char *to, bool dir)
{
	return policy_file_rename_safe(p, policy_file_path(p, from), policy_file_path(p, to), dir);
}

static void test_renames_and_who(void **state UNUSED)
{
	static const struct file_rule f[] = {
		{ "/a/** /a2/**", "npm", POL_DENY, OPS_ALL }, { "/a/** /a2/**", NULL, POL_ALLOW, OPS_ALL }, { "/open/**", NULL, POL_ALLOW, OPS_ALL },
		{ "/shut/**", "npm", POL_ALLOW, OPS_ALL }, { "/shut/**", NULL, POL_DENY, OPS_ALL }, { "/shut2/**", NULL, POL_DENY, OPS_ALL },
	};

	for (size_t pieces = 0; pieces < 6; pieces++) {
		struct policy *p = files_of(f, ARRAY_LEN(f), pieces);

		assert_true(safe(p, "/a/x", "/a/x", true));
		assert_true(safe(p, "/a/x", "/a2/x", false));
		assert_false(safe(p, "/a/x", "/open/x", false));
		assert_true(safe(p, "/open/x", "/a/x", false));
		assert_false(safe(p, "/shut2/x", "/shut/x", false));
		assert_true(safe(p, "/shut/x", "/shut2/x", false));
		assert_true(safe(p, "/open/x", "/shut2/x", false));
		/* One asker's ban is not another's: worst against best. */
		assert_false(safe(p, "/shut/x", "/a/x", false));
		if (p->n_dfa == 1 && !p->dfa[0].n_emit) {
			assert_true(safe(p, "/a/x", "/a2/x", true));
			assert_false(safe(p, "/open/x", "/shut2/x", true));
			assert_true(safe(p, "/shut2/x", "/shut2/y", true));
		} else {
			assert_false(safe(p, "/open/x", "/shut2/x", true));
		}
		free_policy(p);
	}
}

/* A directory is looked into until that takes too long; then it is refused. */
static void test_large_renames(void **state UNUSED)
{
	for (unsigned n = 10; n <= 10000; n *= 1000) {
		struct rules rules = { 0 };
		struct policy *p;
		char globs[64];

		for (unsigned i = 0; i < n; i++) {
			snprintf(globs, sizeof(globs), "/p/%u/x /q/%u/x", i, i);
			file_rules_add(&rules, &(struct file_rule){ globs, NULL, i % 2 ? POL_ALLOW : POL_APPROVE, OPS_ALL });
		}
		file_rules_add(&rules, &(struct file_rule){ "/p/n /q/m", NULL, POL_ALLOW, OPS_ALL });
		p = files_open(&rules, 0);
		assert_int_equal(p->n_dfa, 1);
		assert_int_equal(safe(p, "/p", "/q", true), false);
		assert_int_equal(safe(p, "/p", "/p", true), true);
		free_policy(p);
	}
	for (unsigned n = 10; n <= 10000; n *= 1000) {
		struct rules rules = { 0 };
		struct policy *p;
		char globs[64];

		for (unsigned i = 0; i < n; i++) {
			snprintf(globs, sizeof(globs), "/p/%u/x", i);
			file_rules_add(&rules, &(struct file_rule){ globs, NULL, POL_ALLOW, OPS_ALL });
			snprintf(globs, sizeof(globs), "/q/%u/x", i);
			file_rules_add(&rules, &(struct file_rule){ globs, NULL, POL_ALLOW, OPS_ALL });
		}
		p = files_open(&rules, 0);
		assert_int_equal(p->n_dfa, 1);
		assert_int_equal(safe(p, "/p", "/q", true), n == 10);
		free_policy(p);
	}
}

/* Records that no compiler of ours makes: the answer is the careful one. */
static void test_odd_records(void **state UNUSED)
{
	static struct dfa_entry entries[1203];
	struct dfa_state states[40];
	struct dfa_slot slot = { NO_RULE, 0 };
	uint8_t class[256] = { 0 }, tree[40];
	struct policy *p = files_of(&(struct file_rule){ "/x", NULL, POL_ALLOW, OPS_ALL }, 1, 0);
	struct dfa *d = &p->dfa[0];

	*d = (struct dfa){ .n_states = 40, .n_classes = 1, .n_slots = 1, .n_entries = 1203, .class = class, .tree = tree, .states = states,
			   .slots = &slot, .entries = entries };
	for (uint32_t i = 0; i < 1201; i++)
		entries[i] = (struct dfa_entry){ 0, OPS_ALL | ENTRY_ASKS, { 1, 0 } };
	entries[1201] = entries[1202] = (struct dfa_entry){ 0, OPS_ALL | ENTRY_LAST, { 0 } };
	for (uint32_t s = 0; s < 40; s++)
		states[s] = (struct dfa_state){ 0, s ? s - 1 : 0, s == 39 ? 0 : 1201 };
	assert_false(policy_file_rename_safe(p, (struct pol_state){ .s = { 39 } }, (struct pol_state){ .s = { 1 } }, false));
	assert_false(policy_file_rename_safe(p, (struct pol_state){ .s = { 1 } }, (struct pol_state){ .s = { 39 } }, false));
	assert_true(policy_file_rename_safe(p, (struct pol_state){ .s = { 1 } }, (struct pol_state){ .s = { 2 } }, false));
	/* What is below goes one state a pass: more passes than are made. */
	states[0].match = 1202;
	entries[1202].bits = ENTRY_LAST;
	file_trees(d, &files_model.files, tree);
	assert_int_equal(tree[1], 0xff);
	assert_int_equal(policy_file_tree(p, (struct pol_state){ .s = { 1 } }), POL_TREE_MIXED);
	states[39].other = 38;
	states[0].match = 1201;
	file_trees(d, &files_model.files, tree);
	assert_true(tree[1] != 0xff);
	policy_close(p);
}

/* Names are bytes: everything but NUL and the slash. */
static void test_bytes(void **state UNUSED)
{
	static const struct file_rule f[] = {
		{ "/w/\n", NULL, POL_ALLOW, OPS_ALL }, { "/w/a\xff\xfe*", NULL, POL_APPROVE, OPS_ALL }, { "/w/[\x80-\xff]\xc3", NULL, POL_AUDIT, OPS_ALL },
		{ "/w/?", NULL, POL_REDIRECT, OPS_ALL }, { "/w/x*/end", NULL, POL_SOFT_DELETE, OPS_ALL },
	};
	struct policy *p = files_of(f, ARRAY_LEN(f), 0);
	struct pol_state w = policy_file_path(p, "/w"), st;
	struct rules rules = { 0 };
	char name[256], glob[300];

	assert_string_equal(RULE(p, "/w/\n", WRITE, 0), "r0");
	assert_string_equal(RULE(p, "/w/a\xff\xfe", WRITE, 0), "r1");
	assert_string_equal(RULE(p, "/w/a\xff\xfe\n\x01", WRITE, 0), "r1");
	assert_string_equal(RULE(p, "/w/a\xff", WRITE, 0), "default-deny-files");
	assert_string_equal(RULE(p, "/w/\xc3\xc3", WRITE, 0), "r2");
	assert_string_equal(RULE(p, "/w/\x7f\xc3", WRITE, 0), "default-deny-files");
	for (unsigned c = 1; c < 256; c++) {
		const char *r = c == '\n' ? "r0" : "r3";

		if (c == '/')
			continue;
		st = policy_file_child(p, w, (const char *)&(uint8_t){ (uint8_t)c }, 1);
		assert_string_equal(policy_file(p, st, POL_OP_WRITE, (struct pol_who){ 0 }).rule, r);
	}
	memset(name, 'x', 255);
	for (unsigned c = 1; c < 255; c++)
		name[c] = (char)(c == '/' ? 255 : c);
	st = policy_file_child(p, policy_file_child(p, w, name, 255), "end", 3);
	assert_string_equal(policy_file(p, st, POL_OP_WRITE, (struct pol_who){ 0 }).rule, "r4");
	free_policy(p);

	memset(name, 'n', 255);
	name[255] = 0;
	snprintf(glob, sizeof(glob), "/%s", name);
	file_rules_add(&rules, &(struct file_rule){ glob, NULL, POL_ALLOW, OPS_ALL });
	p = files_open(&rules, 0);
	st = policy_file_root(p);
	assert_int_equal(policy_file(p, policy_file_child(p, st, name, 255), POL_OP_WRITE, (struct pol_who){ 0 }).decision, POL_ALLOW);
	assert_int_equal(policy_file(p, policy_file_child(p, st, name, 254), POL_OP_WRITE, (struct pol_who){ 0 }).decision, POL_DENY);
	free_policy(p);
}

static void test_labels(void **state UNUSED)
{
	struct signal_rule sig = { .processes = words("kill npm") };
	struct model m = { .signals = &sig, .n_signals = 1 };
	struct strs all, some = words("git kill nobody");
	char text[512] = "";

	file_rules_add(&m.files, &(struct file_rule){ "/a", "npm yarn npm", POL_DENY, 1 });
	file_rules_add(&m.files, &(struct file_rule){ "/a", NULL, POL_DENY, 1 });
	file_rules_add(&m.nets, &(struct file_rule){ "/a", "yarn git", POL_DENY, 1 });
	file_rules_add(&m.execs, &(struct file_rule){ "/a", "/bin/sh", POL_DENY, 1 });
	file_rules_add(&m.unixes, &(struct file_rule){ "/a", "NPM", POL_DENY, 1 });
	assert_int_equal(labels_of(&m, &all), 0);
	assert_int_equal(all.n, 6);
	for (size_t i = 0; i < 6; i++)
		strcat(strcat(text, all.v[i]), " ");
	assert_string_equal(text, "npm yarn git /bin/sh NPM kill ");
	assert_null(all.v[6]);
	assert_int_equal(labels_mask(&all, &some), 1 << 2 | 1 << 5);
	assert_int_equal(labels_mask(&all, &all), 63);
	strs_fini(&all);
	for (int i = 0; i < 58; i++) {
		snprintf(text, sizeof(text), "p%d", i);
		file_rules_add(&m.execs, &(struct file_rule){ "/a", text, POL_DENY, 1 });
	}
	assert_int_equal(labels_of(&m, &all), 0);
	assert_true(labels_mask(&all, &all) == UINT64_MAX);
	strs_fini(&all);
	file_rules_add(&m.execs, &(struct file_rule){ "/a", "one-more", POL_DENY, 1 });
	assert_int_equal(labels_of(&m, &all), -E2BIG);
	assert_int_equal(dfa_all(&m, "/w", file_put, NULL, NULL), -EOVERFLOW);
	strs_fini(&some);
	strs_fini(&sig.processes);
	rules_fini(&m.files);
	rules_fini(&m.nets);
	rules_fini(&m.execs);
	rules_fini(&m.unixes);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_policies), cmocka_unit_test(test_random_renames_and_trees), cmocka_unit_test(test_who),
					    cmocka_unit_test(test_trees_and_who), cmocka_unit_test(test_renames_and_who), cmocka_unit_test(test_bytes), cmocka_unit_test(test_large_renames), cmocka_unit_test(test_odd_records),
					    cmocka_unit_test(test_labels) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
