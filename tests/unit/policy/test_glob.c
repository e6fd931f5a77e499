/* SPDX-License-Identifier: Apache-2.0 */
/* Globs: the automaton, the direct matcher and a naive one agree on random patterns and on a table; no pattern is slow. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "policy/dfa.h"
#include "policy/nfa.h"
#include "tests/fuzz/naive.h"

static bool by_automaton(char *glob, const char *text)
{
	char *paths[] = { glob, NULL };
	struct rule u = { .paths = { paths, 1 }, .ops = 1 };
	struct rules rules = { &u, 1 };
	struct dfa_input in = { .rules = &rules, .workspace = "/w", .to = 1, .kinds = GLOBS_ALL };
	struct automaton a = { 0 };
	uint64_t work = DFA_WORK_MAX;
	uint32_t s;
	bool hit;

	assert_int_equal(dfa_build(&in, &a, &work), 0);
	s = a.d.root;
	for (; *text; text++)
		s = dfa_go(&a.d, s, a.class[(uint8_t)*text]);
	hit = a.entries[a.states[s].match].bits & 1;
	automaton_fini(&a);
	return hit;
}

static void test_table(void **state UNUSED)
{
	static const struct { const char *glob, *text; bool yes; } t[] = {
		{ "/a/*", "/a/b", true }, { "/a/*", "/a/b/c", false }, { "/a/**", "/a/b/c", true }, { "/a/**", "/a", false }, { "/a/**", "/a/", true },
		{ "**/.env", "/x/y/.env", true }, { "**/.env", ".env", false }, { "/a/**/b", "/a/b", false }, { "/a?c", "/abc", true },
		{ "/a?c", "/a/c", false }, { "/[a-c]x", "/bx", true }, { "/[!a-c]x", "/bx", false }, { "/[!a-c]x", "//x", false }, { "/[]]", "/]", true },
		{ "/{a,bc}/d", "/bc/d", true }, { "/{a,bc}/d", "/ac/d", false }, { "/{a,{b,c}d}", "/cd", true }, { "/\\*", "/*", true }, { "/\\*", "/x", false },
		{ "/[\\]a]", "/]", true }, { "/{}x", "/x", true }, { "/{a[,x}b]", "/a[b]", true }, { "/*\xff", "/\x80\xff", true }, { "/[\x80-\xff]", "/\xc3", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char glob[64];
		int steps = 100000;

		snprintf(glob, sizeof(glob), "%s", t[i].glob);
		if (by_automaton(glob, t[i].text) != t[i].yes || wild_match(glob, t[i].text, '/') != t[i].yes || naive(glob, t[i].text, '/', &steps) != t[i].yes)
			fail_msg("%s on %s", t[i].glob, t[i].text);
	}
	assert_true(wild_match("*", "a.b", 0));
	assert_false(wild_match("*", "a.b", '.'));
	assert_true(wild_match("**.b", "x.a.b", '.'));
	assert_true(wild_match("Git*", "gitk", 0));
	assert_true(wild_match("[A-G]x", "ax", 0));
	assert_false(wild_match("Git*", "gitk", '/'));
}

static uint32_t seed = 20240607;

static unsigned random_of(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void random_text(char *out, const char *alphabet, unsigned max)
{
	unsigned n = random_of(max);

	for (unsigned i = 0; i < n; i++)
		out[i] = alphabet[random_of((unsigned)strlen(alphabet))];
	out[n] = 0;
}

static void test_random(void **state UNUSED)
{
	char glob[16], text[12], why[128];
	int asked = 0, yes = 0;

	for (int i = 0; i < 4000; i++) {
		random_text(glob, "ab/*?[]!-{},\\*", 15);
		if (glob_check(glob, why, sizeof(why)) < 0)
			continue;
		for (int k = 0; k < 4; k++) {
			int steps = 100000;
			bool want;

			random_text(text, "aab/b-],", 11);
			want = naive(glob, text, '/', &steps);
			if (steps < 0)
				continue;
			asked++;
			yes += want;
			if (wild_match(glob, text, '/') != want || (k == 0 && by_automaton(glob, text) != want))
				fail_msg("\"%s\" on \"%s\" should be %d", glob, text, want);
		}
	}
	assert_true(asked > 5000 && yes > 200);
}

/* What an agent names a program must not choose whether a rule is applied: no text is too hard. */
static void test_never_gives_up(void **state UNUSED)
{
	char glob[WILD_MAX + 2], text[4097];
	clock_t start = clock();

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_true(wild_match("**a*a*a*a*a*a*a*a", text, '/'));
	assert_false(wild_match("*a*a*a*a*a*a*a*b", text, '/'));
	text[sizeof(text) - 2] = 'b';
	assert_true(wild_match("*a*a*a*a*a*a*a*b", text, '/'));
	for (size_t i = 0; i < WILD_MAX; i++)
		glob[i] = "a*"[i % 2];
	glob[WILD_MAX] = 0;
	assert_true(wild_match(glob, text, 0));
	for (size_t i = 0; i + 4 < WILD_MAX; i += 4)
		memcpy(glob + i, i % 8 ? "{a}*" : "{,a}", 4);
	assert_true(wild_match(glob, text, 0));
	assert_true(clock() - start < 3 * CLOCKS_PER_SEC);
}

static void test_check(void **state UNUSED)
{
	static const char *const bad[] = { "/[a", "/{a", "/a\\", "/[", "{", "\\", "/{a,{b}", "/[!" };
	static const char *const good[] = { "", "/", "/[]]", "/{}", "/a\\\\", "/]", "/}", "**", "/{[,a}" };
	char why[128], glob[4098];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		why[0] = 0;
		assert_int_equal(glob_check(bad[i], why, sizeof(why)), -EINVAL);
		assert_true(why[0] != 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(glob_check(good[i], why, sizeof(why)), 0);
	memset(glob, 'a', sizeof(glob) - 1);
	glob[4097] = 0;
	assert_int_equal(glob_check(glob, why, sizeof(why)), -EINVAL);
	glob[4096] = 0;
	assert_int_equal(glob_check(glob, why, sizeof(why)), 0);
}

/* Which of n globs of "/%c%c" matches; -1: none. */
static int which(char (*globs)[16], size_t n, const char *text)
{
	struct rule *v = calloc(n, sizeof(*v));
	char *(*paths)[2] = calloc(n, sizeof(*paths));
	struct rules rules = { v, n };
	struct dfa_input in = { .rules = &rules, .workspace = "/w", .to = n, .kinds = GLOBS_ALL };
	struct automaton a = { 0 };
	uint64_t work = DFA_WORK_MAX;
	const struct dfa_entry *e;
	uint32_t s;
	int hit;

	for (size_t i = 0; i < n; i++) {
		paths[i][0] = globs[i];
		v[i] = (struct rule){ .paths = { paths[i], 1 }, .ops = 1 };
	}
	assert_int_equal(dfa_build(&in, &a, &work), 0);
	for (s = a.d.root; *text; text++)
		s = dfa_go(&a.d, s, a.class[(uint8_t)*text]);
	e = &a.entries[a.states[s].match];
	hit = e->bits & 1 ? (int)e->rule : -1;
	automaton_fini(&a);
	free(paths);
	free(v);
	return hit;
}

/* Globs that the compiler refuses still mean their bytes. */
static void test_unchecked(void **state UNUSED)
{
	static const char *const t[] = { "/{a", "/[a", "/a\\", "/{a,b", "/[", "{" };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char glob[16];

		snprintf(glob, sizeof(glob), "%s", t[i]);
		assert_true(by_automaton(glob, t[i]));
		assert_false(by_automaton(glob, "/a"));
	}
	assert_true(by_automaton((char[]){ "/[\\]a]" }, "/]"));
	assert_true(by_automaton((char[]){ "/{[a\\],b}c" }, "/[a]c"));
	assert_true(by_automaton((char[]){ "/{{a,b" }, "/{{a,b"));
	assert_true(by_automaton((char[]){ "/{x,{}y" }, "/{x,y"));
	assert_true(by_automaton((char[]){ "/{a,{b}" }, "/{a,b"));
}

/* More sets, and more beginnings in one place, than are looked through for equal ones. */
static void test_many_of_a_kind(void **state UNUSED)
{
	static char globs[700][16];
	char text[16];

	for (int i = 0; i < 200; i++)
		snprintf(globs[i], sizeof(globs[i]), "/[%c%c]%d", 'a' + i % 26, 'a' + (i + 1 + i / 26) % 26, i);
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "/%c%d", 'a' + (i + 1 + i / 26) % 26, i);
		assert_int_equal(which(globs, 200, text), i);
	}
	assert_int_equal(which(globs, 200, "/z0"), -1);
	for (int i = 0; i < 700; i++)
		snprintf(globs[i], sizeof(globs[i]), i % 100 == 99 ? "/c%03d" : "/{a,b}%03d", i);
	assert_int_equal(which(globs, 700, "/a000"), 0);
	assert_int_equal(which(globs, 700, "/b698"), 698);
	assert_int_equal(which(globs, 700, "/c099"), 99);
	assert_int_equal(which(globs, 700, "/c699"), 699);
	assert_int_equal(which(globs, 700, "/c698"), -1);
}

/* Every byte but NUL in its own class: then there is no byte that stands for the rest. */
static void test_all_bytes(void **state UNUSED)
{
	static char globs[254][16];
	char text[3] = "/";
	size_t n = 0;

	for (unsigned c = 1; c < 256; c++)
		if (c != '/')
			snprintf(globs[n++], sizeof(globs[0]), "/\\%c", (int)c);
	assert_int_equal(n, 254);
	for (size_t i = 0; i < n; i += 23) {
		text[1] = globs[i][2];
		assert_int_equal(which(globs, n, text), i);
	}
	assert_int_equal(which(globs, n, "//"), -1);
	assert_int_equal(which(globs, n, "/"), -1);
}

static void test_work_is_counted(void **state UNUSED)
{
	char glob[] = "**/*a*b*c*/**d**e**";
	char *paths[] = { glob, NULL };
	struct rule u = { .paths = { paths, 1 }, .ops = 1 };
	struct rules rules = { &u, 1 };
	struct dfa_input in = { .rules = &rules, .workspace = "/w", .to = 1, .kinds = GLOBS_ALL };
	uint64_t all = DFA_WORK_MAX, need;
	struct automaton a = { 0 };

	assert_int_equal(dfa_build(&in, &a, &all), 0);
	need = DFA_WORK_MAX - all;
	assert_true(need > 500);
	automaton_fini(&a);
	/* Wherever it runs out. */
	for (uint64_t given = 1; given < need; given += given / 8 + 1) {
		uint64_t left = given;

		assert_int_equal(dfa_build(&in, &a, &left), -ETIME);
		assert_int_equal(left, 0);
		automaton_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_random), cmocka_unit_test(test_never_gives_up),
					    cmocka_unit_test(test_work_is_counted), cmocka_unit_test(test_check), cmocka_unit_test(test_unchecked),
					    cmocka_unit_test(test_many_of_a_kind), cmocka_unit_test(test_all_bytes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
