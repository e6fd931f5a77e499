/* SPDX-License-Identifier: Apache-2.0 */
/* RE2's patterns as the matcher takes them, and what they match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/parse.h"
#include "tests/unit/policy/pol.h"

static void test_text(void **state UNUSED)
{
	static const struct { const char *from, *to; } t[] = {
		{ "push.*((^|\\s)--force(\\s|$)|(^|\\s)-f(\\s|$))", "push.*(?:(?:\\s)--force(?:\\s|\\z)|(?:\\s)-f(?:\\s|\\z))" },
		{ "^a$", "^a\\z" }, { "(^|x)a", "(?:^|x)a" }, { "a*(^|x)b", "a*(?:^|x)b" }, { "a(^)?b", "ab" }, { "a(^|\\Ac)*b", "ab" },
		{ "(a|$)b", "(?:a)b" }, { "(a|$)b*", "(?:a|\\z)b*" }, { "(a|$)[b]{2}", "(?:a)[b]{2}" }, { "(a|$)b{0,3}", "(?:a|\\z)b{0,3}" },
		{ "[]^$]x", "[]^$]x" }, { "[^]^]$", "[^]^]\\z" }, { "\\$\\^", "\\$\\^" }, { "\\x41\\x{42}\\pL\\p{Lu}\\101", "\\x41\\x{42}\\pL\\p{Lu}\\101" },
		{ "a+?b", "a+?b" }, { "[[:alpha:]]+", "[[:alpha:]]+" }, { "(?i)A|^b", "(?i)A|^b" }, { "", "" }, { "a|", "a|" },
		{ "a{,2}", "a{,2}" }, { "x{", "x{" }, { "\\bx\\B", "\\bx\\B" }, { "(?:^)\\bx", "(?:^)\\bx" },
		/* Not to be read: as it is. */
		{ "(", "(" }, { "a)^", "a)^" }, { "*a", "*a" }, { "(?m)a|^b", "(?m)a|^b" }, { "(?P<n>a^)", "(?P<n>a^)" }, { "\\Qa^\\E", "\\Qa^\\E" },
		{ "[a", "[a" }, { "a**", "a**" }, { "\\", "\\" },
	};
	bool never;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char *s = parse_regex(t[i].from, &never);

		assert_non_null(s);
		if (strcmp(s, t[i].to) != 0 || never)
			fail_msg("%s: got %s, not %s (%d)", t[i].from, s, t[i].to, never);
		free(s);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const none[] = { "a^", "$a", "x(^|\\A)", "(b|cd)(^a|^)+" };

		free(parse_regex(none[i], &never));
		assert_true(never);
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
	char text[5];
	size_t n = sizeof(bytes) - 1, read = 0;

	for (size_t i = 0; i < n * n * n * n; i++) {
		bool never;
		char *s;

		snprintf(text, sizeof(text), "%c%c%c%c", bytes[i % n], bytes[i / n % n], bytes[i / n / n % n], bytes[i / n / n / n]);
		s = parse_regex(text, &never);
		assert_non_null(s);
		read += strcmp(s, text) != 0;
		free(s);
	}
	assert_true(read > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text), cmocka_unit_test(test_matches), cmocka_unit_test(test_all_short) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
