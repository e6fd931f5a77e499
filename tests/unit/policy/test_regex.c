/* SPDX-License-Identifier: Apache-2.0 */
/* args_patterns: a match is found wherever in a text it is, and nothing else is. */
#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/model.h"
#include "policy/regex.h"

static uint8_t *made_len(const char *pattern, size_t *n)
{
	struct strs one = { (char *[]){ (char *)(uintptr_t)pattern, NULL }, 1 };
	uint8_t *db = NULL;
	size_t which;
	char why[128];

	if (regex_compile(&one, &db, n, why, sizeof(why), &which) != 0)
		fail_msg("%s: %s", pattern, why);
	assert_int_equal(regex_map(db, *n), 0);
	return db;
}

static uint8_t *made(const char *pattern)
{
	size_t n;

	return made_len(pattern, &n);
}

static void test_every_place(void **state UNUSED)
{
	static const struct { const char *pattern, *word; bool at_end; } v[] = {
		{ "=", "=", false }, { "(?i)X", "x", false }, { "(^|\\s)(?:[ ])(\\s|$)", "  ", true }, { "(a=|b=)", "b=", false }, { "--force(\\s|$)", "--force", true }, { "(?:-f)$", "-f", true },
		{ "[xyz]", "y", false }, { "[^a]", "\n", false }, { "(^|\\s)b(\\s|$)", " b", true }, { "^b", "b", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		uint8_t *r = made(v[i].pattern);
		size_t word = strlen(v[i].word);

		for (size_t n = word; n < 150; n++)
			for (size_t at = v[i].at_end ? n - word : 0; at + word <= n && (at == 0 || v[i].pattern[0] != '^'); at++) {
				char *text = malloc(n); /* of its own, so that what is read behind it is noticed */

				memset(text, 'a', n);
				assert_int_equal(regex_match(r, text, n), 0);
				memcpy(text + at, v[i].word, word);
				if (regex_match(r, text, n) != 1)
					fail_msg("%s is not found at %zu of %zu", v[i].pattern, at, n);
				free(text);
			}
		free(r);
	}
}

static void test_empty(void **state UNUSED)
{
	uint8_t *r = made("^$"), *any = made("x*");

	assert_int_equal(regex_match(r, "", 0), 1);
	assert_int_equal(regex_match(r, "a", 1), 0);
	assert_int_equal(regex_match(r, "", 0), 1);
	assert_int_equal(regex_match(any, "", 0), 1);
	assert_int_equal(regex_match(any, "aaaaaaaaaaaaaaaaaaaa", 20), 1);
	free(r);
	free(any);
}

/* Repetitions between words: the texts that other matchers lost, and those beside them. */
static void test_lengths(void **state UNUSED)
{
	static const struct { const char *pattern, *before, *behind; size_t min, max; bool at_end; } v[] = {
		{ "ab.{64}cd$", "ab", "cd", 64, 64, true }, { "ab.{61,68}cd$", "ab", "cd", 61, 68, true }, { "a\\s.{61,68}cd(\\s|$)", "a ", "cd", 61, 68, true },
		{ "ab.{60}cde", "ab", "cde", 60, 60, false }, { "abc.{67}cdef", "abc", "cdef", 67, 67, false }, { "key=.{58}cdef", "key=", "cdef", 58, 58, false },
		{ "ab.{3,}cd", "ab", "cd", 3, 1000, false }, { "^ab.{0,70}?cd$", "ab", "cd", 0, 70, true }, { "(?i)AB(?:x?){40}CD", "ab", "cd", 0, 40, false },
		{ "ab(xx){20,30}cd", "ab", "cd", 40, 60, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		uint8_t *r = made(v[i].pattern);
		size_t before = strlen(v[i].before), behind = strlen(v[i].behind);

		for (size_t n = 0; n <= 200; n++)
			for (size_t pad = 0; pad < 2; pad++) {
				size_t len = before + n + behind + pad;
				char *text = malloc(len);
				bool want = n >= v[i].min && n <= v[i].max && !(v[i].at_end && pad) && !(i == 9 && n % 2);

				memset(text, 'x', len);
				memcpy(text, v[i].before, before);
				memcpy(text + before + n, v[i].behind, behind);
				if (regex_match(r, text, len) != want)
					fail_msg("%s: %zu between, %zu behind", v[i].pattern, n, pad);
				free(text);
			}
		free(r);
	}
}

static void test_table(void **state UNUSED)
{
	static const struct { const char *pattern, *yes, *no; } v[] = {
		{ "a\\b", "xa b", "ab" }, { "a\\B", "ab", "a b" }, { "\\bfoo\\b", "a foo", "food" }, { "(?i)Force", "fORCE", "forc" }, { "a(?i)b", "aB", "Ab" },
		{ "(?i:a)b", "Ab", "AB" }, { "(?-s)a.b", "axb", "a\nb" }, { "a.b", "a\nb", "ab" }, { "(?m)^b$", "a\nb\nc", "ab" }, { "^b$", "b", "a\nb" },
		{ "b$", "ab", "b\n" }, { "\\Ab\\z", "b", "b\n" }, { "[[:digit:]]{2}", "a12", "a1b2" }, { "[^[:alpha:]]", "1", "aZ" }, { "(?i)[^a]", "b", "aA" },
		{ "\\Qa.b\\E", "a.b", "axb" }, { "\\Q+\\E{2}", "++", "+" }, { "x(|a|bc)y", "xbcy", "xby" }, { "^(|a)$", "", "b" }, { "^(a*)*$", "aaa", "ab" },
		{ "^(a|b|)+c", "abac", "d" }, { "\\s", "\f", "\v" }, { "[[:space:]]", "\v", "x" }, { "\xc3\xa9{2}", "\xc3\xa9\xc3\xa9", "\xc3\xa9\xa9" },
		{ "\\x{e9}", "\xe9", "e9" }, { "[\\x80-\\xff]", "\xff", "\x7f" }, { "\\101\\t", "A\t", "A t" }, { "a{,2}b", "a{,2}b", "aab" }, { "x{", "x{", "x" },
		{ "[a\\]-]+c", "]-c", "bc" }, { "(?:^|\\s)-f", "x -f", "x-f" }, { "(a|b){0}c", "c", "a" }, { "a??b", "b", "a" }, { "\\W\\D\\S", "-xy", "a-1" },
		{ "(^a|b)c", "xbc", "xac" }, { "(^|x)*y", "y", "x" }, { "ab?\\bcd|e", "e", "abcd" }, { "(?P<n>a+)(?<m>b)", "aab", "aa" }, { "^\\W*$", "--", "-_-" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		uint8_t *r = made(v[i].pattern);

		if (regex_match(r, v[i].yes, strlen(v[i].yes)) != 1 || regex_match(r, v[i].no, strlen(v[i].no)) != 0)
			fail_msg("%s", v[i].pattern);
		free(r);
	}
}

static uint32_t seed = 7;

static uint32_t roll(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 10) % n;
}

static void grow(char *p, int depth)
{
	static const char *const atoms[] = { "a", "b", "c", ".", "[ab]", "[^a]", "b", "ca" }, *const times[] = { "", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}" };
	size_t n = 1 + roll(3);

	for (size_t i = 0; i < n; i++) {
		bool group = depth && roll(3) == 0;

		if (i && roll(4) == 0)
			strcat(p, "|");
		strcat(p, group ? "(" : atoms[roll(ARRAY_LEN(atoms))]);
		if (group)
			grow(p, depth - 1);
		strcat(p, group ? ")" : "");
		if (group || p[strlen(p) - 1] != 'a' || p[strlen(p) - 2] != 'c')
			strcat(p, times[roll(ARRAY_LEN(times))]);
	}
}

/* Random patterns mean what they mean to the C library, whose matcher is another. */
static void test_like_posix(void **state UNUSED)
{
	size_t hits = 0, all = 0;

	for (int k = 0; k < 1500; k++) {
		char p[1024] = "", text[32];
		regex_t posix;
		uint8_t *r;

		strcat(p, roll(4) ? "(" : "^(");
		grow(p, 2);
		strcat(p, roll(4) ? ")" : ")$");
		assert_int_equal(regcomp(&posix, p, REG_EXTENDED | REG_NOSUB), 0);
		r = made(p);
		for (int t = 0; t < 30; t++, all++) {
			size_t n = roll(t < 15 ? 6 : 30);
			bool want;

			for (size_t i = 0; i < n; i++)
				text[i] = "abcd"[roll(4)];
			text[n] = 0;
			want = regexec(&posix, text, 0, NULL, 0) == 0;
			if (regex_match(r, text, n) != want)
				fail_msg("%s on \"%s\": not %d", p, text, want);
			hits += want;
		}
		free(r);
		regfree(&posix);
	}
	assert_true(hits > all / 10 && hits < all - all / 10);
}

/* Any of several; which is at fault is said. */
static void test_several(void **state UNUSED)
{
	struct strs two = { (char *[]){ (char[]){ "ab+$" }, (char[]){ "^c" }, NULL }, 2 }, bad = { (char *[]){ (char[]){ "a" }, (char[]){ "(" }, NULL }, 2 };
	uint8_t *db = NULL;
	size_t n, which;
	char why[128];

	assert_int_equal(regex_compile(&two, &db, &n, why, sizeof(why), &which), 0);
	assert_int_equal(regex_match(db, "xabb", 4), 1);
	assert_int_equal(regex_match(db, "cx", 2), 1);
	assert_int_equal(regex_match(db, "xc", 2), 0);
	free(db);
	assert_int_equal(regex_compile(&bad, &db, &n, why, sizeof(why), &which), -EINVAL);
	assert_int_equal(which, 1);
}

/* Each byte of a record as another: refused, or matched within bounds. */
static void test_damage(void **state UNUSED)
{
	static const uint8_t how[] = { 1, 0x80, 0xff };
	size_t n, refused = 0;
	uint8_t *db = made_len("(^|\\s)(-f|[a-c]{2,3}x)\\b(y|$)", &n), *copy = malloc(n);

	for (size_t i = 0; i < 3 * n; i++) {
		memcpy(copy, db, n);
		copy[i / 3] ^= how[i % 3];
		if (regex_map(copy, n) == 0)
			assert_true(regex_match(copy, "-f abx y abcx", 13) >= 0);
		else
			refused++;
	}
	assert_true(refused > n / 2);
	for (size_t k = 0; k < n; k++)
		assert_int_equal(regex_map(db, k), -EBADMSG);
	assert_int_equal(regex_map(NULL, n), -EBADMSG);
	assert_int_equal(regex_map(db + 1, n - 4), -EBADMSG);
	free(copy);
	free(db);
}

/* Two megabytes: quickly, or not within what a text may take, which is said. */
static void test_large(void **state UNUSED)
{
	size_t n = 2u << 20;
	uint8_t *plain = made("(^|\\s)-f(\\s|$)"), *dear = made("x(x?){900}yy");
	char *text = malloc(n);

	memset(text, 'x', n);
	assert_int_equal(regex_match(plain, text, n), 0);
	assert_int_equal(regex_match(dear, text, n), 0); /* no yy */
	text[0] = text[1] = 'y';
	assert_int_equal(regex_match(dear, text, n), -E2BIG);
	memcpy(text + n - 3, " -f", 3);
	assert_int_equal(regex_match(plain, text, n), 1);
	free(text);
	free(plain);
	free(dear);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_place), cmocka_unit_test(test_empty), cmocka_unit_test(test_lengths),
					    cmocka_unit_test(test_table), cmocka_unit_test(test_like_posix), cmocka_unit_test(test_several),
					    cmocka_unit_test(test_damage), cmocka_unit_test(test_large) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
