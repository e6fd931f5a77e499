/* SPDX-License-Identifier: Apache-2.0 */
/* What of RE2's language is taken, and the words for what is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/parse.h"
#include "tests/unit/policy/pol.h"

static int compiles(const char *pattern, char *why, size_t cap)
{
	struct strs one = { (char *[]){ (char *)(uintptr_t)pattern, NULL }, 1 };
	uint8_t *v = NULL;
	size_t n, which;
	int r = regex_compile(&one, &v, &n, why, cap, &which);

	if (r == 0)
		assert_int_equal(regex_map(v, n), 0);
	free(v);
	return r;
}

static void test_taken(void **state UNUSED)
{
	static const char *const t[] = {
		"push.*((^|\\s)--force(\\s|$)|(^|\\s)-f(\\s|$))", "^a$", "(^|x)a", "a(^)?b", "a(^|\\Ac)*b", "(a|$)b*", "(a|$)b{0,3}", "[]^$]x", "[^]^]$", "\\$\\^",
		"\\x41\\x{42}\\101\\0", "a+?b", "[[:alpha:][:^digit:]_-]+", "(?i)A|^b", "", "a|", "|", "()", "a{,2}", "x{", "{", "]", "}", "\\bx\\B", "(?m)a^b$c",
		"(?P<n>a)(?<m>b)", "\\Qa^(\\E+", "\\Q", "(?i-s:a)(?U)b", "\xc3\xa9*", "[\\x80-\\xff\\]]", "[a-]", "[-a]", "[a\\-z]", "a{1000}", "^*", "a\\z", "\\_\\ ",
	};
	static const char *const never[] = { "a^", "$a", "x(^|\\A)", "(b|cd)(^a|^)+" };
	char why[256] = "";

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		if (compiles(t[i], why, sizeof(why)) != 0)
			fail_msg("%s: %s", t[i], why);
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		assert_int_equal(compiles(never[i], why, sizeof(why)), -ENODATA);
}

static void test_refused(void **state UNUSED)
{
	static const struct { const char *pattern, *why; } t[] = {
		{ "a(", "Missing close parenthesis for group started at index 1." }, { "a)^", "Unmatched close parenthesis at index 1." },
		{ "*a", "Invalid repeat at index 0." }, { "+a", "Invalid repeat at index 0." }, { "a**", "Invalid repeat at index 2." }, { "a|*", "Invalid repeat at index 2." },
		{ "a++", "Invalid repeat: a possessive one is not supported at index 2." }, { "(?i)*", "Invalid repeat at index 4." },
		{ "[a", "Missing ] for the class at index 0." }, { "[]", "Missing ] for the class at index 0." }, { "[b-a]", "Bad range at index 1." },
		{ "[a-\\d]", "Bad range at index 1." }, { "[\\d-a]", "Bad range at index 1." }, { "[[:nope:]]", "Unknown class name at index 1." },
		{ "[\xc3\xa9]", "A character beyond ASCII in a class is not supported, write (?:a|b), at index 1." },
		{ "a\\", "Nothing behind the \\ at index 1." }, { "(a)\\1", "A back-reference is not supported at index 3." },
		{ "\\pL", "Patterns are of bytes, so \\p is not supported: use [[:alpha:]] or the like, of ASCII, at index 0." }, { "\\C", "\\C is not supported at index 0." }, { "\\Z", "\\Z is not supported at index 0." },
		{ "\\x4", "Unfinished \\x at index 0." }, { "[\\x{d", "Unfinished \\x at index 1." }, { "\\x{", "Unfinished \\x at index 0." }, 
		{ "\\x{100}", "Patterns are of bytes, so \\x is ff at most: write a character beyond ASCII as itself, at index 0." },
		{ "\\777", "A byte is \\377 at most at index 0." }, { "a(?=b)", "Look-around is not supported at index 1." }, { "(?<!b)", "Look-around is not supported at index 0." },
		{ "(?>a)", "(?> is not supported at index 0." }, { "(?P=n)", "(?P is not supported at index 0." }, { "(?)", "Unfinished (? at index 0." }, { "(?i", "Unfinished (? at index 0." },
		{ "(?-)", "Unfinished (? at index 0." }, { "(?<n", "Bad group name at index 0." }, { "a{1001}", "Repetition above 1000 at index 1." },
		{ "a{2,1}", "Bad repetition: more at least than at most at index 1." }, { "((a{99}){99}){99}", "the pattern is too large: repetitions in repetitions" },
		{ "(((){1000}){1000}){1000}", "the pattern is too large: repetitions in repetitions" },
	};
	char why[256] = "";

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int r = compiles(t[i].pattern, why, sizeof(why));

		if ((r != -EINVAL && r != -E2BIG) || strcmp(why, t[i].why) != 0)
			fail_msg("%s: %d, %s", t[i].pattern, r, why);
	}
}

static void test_matches(void **state UNUSED)
{
	static const struct { const char *args; bool denied; } t[] = {
		{ "push --force", true }, { "push origin -f", true }, { "push --force-with-lease", false }, { "push -fx", false },
		{ "push--force", false }, { "end", true }, { "end\n", false }, { "x end", true }, { "xend", false },
	};
	struct policy *p = pol_open(HEAD "command_rules:\n- {name: a, decision: deny, args_patterns: "
				    "['push.*((^|\\s)--force(\\s|$)|(^|\\s)-f(\\s|$))', '(^|\\s)end$']}\n- {name: b, decision: allow}\n");

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *argv[] = { "git", t[i].args, NULL };
		struct pol_exec q = { .given = "git", .argv = argv, .argc = 2 };

		if ((policy_exec(p, &q).decision == POL_DENY) != t[i].denied)
			fail_msg("%s", t[i].args);
	}
	policy_close(p);
}

/* Nothing that is written down breaks it: every pattern up to four of these bytes. */
static void test_all_short(void **state UNUSED)
{
	static const char bytes[] = "a^$()|*[]\\{2?";
	char text[5], why[256];
	size_t n = sizeof(bytes) - 1, taken = 0, all = n * n * n * n;

	for (size_t i = 0; i < all; i++) {
		int r;

		snprintf(text, sizeof(text), "%c%c%c%c", bytes[i % n], bytes[i / n % n], bytes[i / n / n % n], bytes[i / n / n / n]);
		why[0] = 0;
		r = compiles(text, why, sizeof(why));
		assert_true(r == 0 || ((r == -EINVAL || r == -ENODATA) && why[0]));
		taken += r == 0;
	}
	assert_true(taken > 1000 && taken < all - 1000);
}

/* n patterns in one rule, or n rules with one each: what is said of them; the caller frees it. */
static char *complaints(const char *pattern, size_t n, bool one_rule)
{
	struct buf text = BUF_INIT(1u << 24), diag = BUF_INIT(1u << 20);
	struct pol_source src = { .file = "f", .workspace = "/w" };
	uint8_t hash[32];
	int fd = -1;

	buf_puts(&text, HEAD "command_rules:\n");
	for (size_t i = 0; i < n; i++)
		if (one_rule)
			buf_printf(&text, "%s  - '%s'\n", i ? "" : "- name: a\n  decision: deny\n  args_patterns:\n", pattern);
		else
			buf_printf(&text, "- {name: a%zu, decision: deny, args_patterns: ['%s']}\n", i, pattern);
	assert_true(buf_ok(&text));
	src.text = (const char *)text.data;
	src.len = text.len;
	if (policy_compile(&src, &diag, &fd, hash) == 0)
		close(fd);
	buf_fini(&text);
	buf_put(&diag, "", 0);
	return (char *)diag.data;
}

static size_t count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void test_many(void **state UNUSED)
{
	static const char full[] = "the patterns of this policy take more than 8 MiB";
	char *said = complaints("token=[A-Za-z0-9_-]{20,100}", 2000, false);

	assert_string_equal(said, "");
	free(said);
	for (int one_rule = 0; one_rule < 2; one_rule++) {
		said = complaints("(x{1000}){10}", 200, one_rule);
		assert_int_equal(count_of(said, "error"), 1);
		assert_non_null(strstr(said, full));
		free(said);
		/* Each takes a while to refuse: not all of them are tried. */
		said = complaints("(((){1000}){1000}){1000}", 200, one_rule);
		assert_int_equal(count_of(said, "repetitions in repetitions"), 20);
		free(said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_many), cmocka_unit_test(test_taken), cmocka_unit_test(test_refused), cmocka_unit_test(test_matches), cmocka_unit_test(test_all_short) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
