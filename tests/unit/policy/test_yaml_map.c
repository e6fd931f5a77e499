/* SPDX-License-Identifier: Apache-2.0 */
/* Settings files: known keys are given with their values in order, anything else is an error at its place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

static const struct pol_setting known[] = {
	{ "policies.dir", SETTING_TEXT }, { "policies.allowed", SETTING_LIST }, { "policies.signing.mode", SETTING_TEXT },
	{ "policies.old", SETTING_IGNORED }, { "server", SETTING_IGNORED }, { "log", SETTING_TEXT },
};
static struct buf given, diag;

static int take(void *arg, const char *key, const char *value, char *why, size_t cap)
{
	assert_ptr_equal(arg, &given);
	if (!strcmp(value, "bad")) {
		snprintf(why, cap, "\"%s\" is bad", value);
		return -EINVAL;
	}
	buf_printf(&given, "%s=%s;", key, value);
	return 0;
}

static void settings(const char *text, size_t len, int r, const char *want, const char *said)
{
	struct pol_source src = { .file = "f", .text = text, .len = len };

	buf_reset(&given);
	buf_reset(&diag);
	buf_put(&given, "", 0);
	buf_put(&diag, "", 0);
	if (policy_settings(&src, known, ARRAY_LEN(known), take, &given, &diag) != r || strcmp((char *)given.data, want) != 0 ||
	    strcmp((char *)diag.data, said) != 0)
		fail_msg("%s\ngave: %s\nsaid: %s", text, (char *)given.data, (char *)diag.data);
}

#define GIVES(text, want) settings((text), sizeof(text) - 1, 0, (want), "")
#define REFUSES(text, want, said) settings((text), sizeof(text) - 1, -EINVAL, (want), (said))

static void test_given(void **state UNUSED)
{
	GIVES("policies: {dir: /a, allowed: [x, 'y*'], signing: {mode: warn}}\nlog: '1'\n",
	      "policies.dir=/a;policies.allowed=x;policies.allowed=y*;policies.signing.mode=warn;log=1;");
	GIVES("policies: {}\n", "");
	GIVES("{}\n", "");
	GIVES("", "");
	GIVES("# nothing\n\t \r\n# x: y", "");
	settings("server: {x: [1, {y: 2}]}\npolicies: {old: z}\nlog: a\n", 51, 0, "log=a;",
		 "f:1:1: warning: server means nothing here and is ignored\nf:2:12: warning: policies.old means nothing here and is ignored\n");
}

static void test_refused(void **state UNUSED)
{
	REFUSES("polices: {}\n", "", "f:1:1: error: unknown key \"polices\" (did you mean \"policies\"?)\n");
	REFUSES("policies: {singing: {mode: x}}\n", "", "f:1:12: error: unknown key \"singing\" (did you mean \"signing\"?)\n");
	REFUSES("policies: {signing: {dir: x}}\n", "", "f:1:22: error: unknown key \"dir\"\n");
	REFUSES("pol: {}\n", "", "f:1:1: error: unknown key \"pol\"\n");
	REFUSES("policies.dir: x\n", "", "f:1:1: error: unknown key \"policies.dir\"\n");
	REFUSES("policies: {signing: {mode: a}, signing.mode: b, '': c}\n", "policies.signing.mode=a;",
		"f:1:32: error: unknown key \"signing.mode\"\nf:1:49: error: unknown key \"\"\n");
	REFUSES("policies: x\n", "", "f:1:11: error: policies takes a map of keys\n");
	REFUSES("policies: [x]\n", "", "f:1:11: error: policies takes a map of keys\n");
	REFUSES("policies: {dir: [x]}\n", "", "f:1:17: error: policies.dir takes one value, no list and no map\n");
	REFUSES("policies: {dir: {x: y}}\n", "", "f:1:17: error: policies.dir takes one value, no list and no map\n");
	REFUSES("policies: {allowed: x}\n", "", "f:1:21: error: policies.allowed takes a list: [a, b]\n");
	REFUSES("policies: {allowed: []}\n", "", "f:1:21: error: policies.allowed is empty: leave the key out where anything is meant\n");
	REFUSES("policies: {allowed: [x, [y]]}\n", "policies.allowed=x;", "f:1:25: error: policies.allowed takes one value, no list and no map\n");
	REFUSES("policies: {allowed: [x, bad]}\n", "policies.allowed=x;", "f:1:25: error: policies.allowed: \"bad\" is bad\n");
	REFUSES("log: bad\n", "", "f:1:6: error: log: \"bad\" is bad\n");
	REFUSES("? [a]\n: b\n", "", "f:1:3: error: this is no key\n");
	REFUSES("- a\n", "", "f:1:1: error: a map of keys is expected\n");
	REFUSES("log: a\nlog: b\n", "", "f:2:1: error: key \"log\" stands twice\n");
}

static void test_no_yaml(void **state UNUSED)
{
	static const char nul[] = "# a\0\nlog: x\n", blank_nul[] = " \0 ";
	char deep[600] = "";

	buf_reset(&diag);
	for (size_t i = 0; i < 2; i++) {
		struct pol_source src = { .file = "f", .text = i ? blank_nul : nul, .len = i ? sizeof(blank_nul) - 1 : sizeof(nul) - 1 };

		buf_reset(&given);
		buf_reset(&diag);
		assert_int_equal(policy_settings(&src, known, ARRAY_LEN(known), take, &given, &diag), -EINVAL);
		assert_int_equal(given.len, 0);
		assert_non_null(strstr((char *)diag.data, ": error: "));
	}
	memset(deep, 'k', 300);
	strcpy(deep + 300, ": x\n");
	{
		struct pol_source src = { .file = "f", .text = deep, .len = strlen(deep) };

		buf_reset(&diag);
		assert_int_equal(policy_settings(&src, known, ARRAY_LEN(known), take, &given, &diag), -EINVAL);
		assert_non_null(strstr((char *)diag.data, "f:1:1: error: this is no key"));
	}
	{
		struct pol_source src = { .file = "f", .text = "log: [", .len = 6 };

		assert_int_equal(policy_settings(&src, known, ARRAY_LEN(known), take, &given, &diag), -EINVAL);
	}
}

static int begin(void **state UNUSED)
{
	given = diag = (struct buf){ .max = 1u << 16 };
	return 0;
}

static int finish(void **state UNUSED)
{
	buf_fini(&given);
	buf_fini(&diag);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_given), cmocka_unit_test(test_refused), cmocka_unit_test(test_no_yaml) };

	return cmocka_run_group_tests(tests, begin, finish);
}
