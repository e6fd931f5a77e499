/* SPDX-License-Identifier: Apache-2.0 */
/* args_patterns: a match is found wherever in a text it is, whatever the library does with pieces of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/model.h"

static struct regex *made(char *pattern)
{
	struct strs one = { (char *[]){ pattern, NULL }, 1 };
	struct regex *r = NULL;
	uint8_t *db;
	size_t n, which;
	char why[128];

	assert_int_equal(regex_compile(&one, &db, &n, why, sizeof(why), &which), 0);
	assert_int_equal(regex_open(db, n, &r), 0);
	free(db);
	return r;
}

static void test_every_place(void **state UNUSED)
{
	static const struct { const char *pattern, *word; bool at_end; } v[] = {
		{ "=", "=", false }, { "(?i)X", "x", false }, { "(^|\\s)(?:[ ])(\\s|$)", "  ", true }, { "(a=|b=)", "b=", false }, { "--force(\\s|$)", "--force", true }, { "(?:-f)$", "-f", true },
		{ "[xyz]", "y", false }, { "[^a]", "\n", false }, { "(^|\\s)b(\\s|$)", " b", true }, { "^b", "b", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct regex *r = made((char *)(uintptr_t)v[i].pattern);
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
		regex_close(r);
	}
}

static void test_empty(void **state UNUSED)
{
	struct regex *r = made("^$"), *any = made("x*");

	assert_int_equal(regex_match(r, "", 0), 1);
	assert_int_equal(regex_match(r, "a", 1), 0);
	assert_int_equal(regex_match(r, "", 0), 1);
	assert_int_equal(regex_match(any, "", 0), 1);
	assert_int_equal(regex_match(any, "aaaaaaaaaaaaaaaaaaaa", 20), 1);
	regex_close(r);
	regex_close(any);
	regex_close(NULL);
	assert_int_equal(regex_open((const uint8_t *)"nonsense", 8, &r), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_place), cmocka_unit_test(test_empty) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
