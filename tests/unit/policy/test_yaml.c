/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a policy text is said with its exact place; limits hold in time and memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "policy/model.h"
#include "tests/unit/policy/pol.h"

static struct buf diag = { .max = 1u << 20 };

static const char *complaint(const char *text, size_t n)
{
	struct pol_source src = { .file = "f", .text = text, .len = n };
	uint8_t hash[32];
	int fd = -1;

	buf_reset(&diag);
	assert_int_equal(policy_compile(&src, &diag, &fd, hash), -EINVAL);
	assert_int_equal(fd, -1);
	buf_reset(&diag);
	assert_int_equal(policy_validate(&src, &diag), -EINVAL);
	return (const char *)diag.data;
}

static void test_places(void **state UNUSED)
{
	static const struct { const char *text, *want; } t[] = {
		{ HEAD "file_rulez: []\n", "f:3:1: error: unknown key \"file_rulez\" (did you mean \"file_rules\"?)\n" },
		{ HEAD "zzzzzzzzzz: 1\n", "f:3:1: error: unknown key \"zzzzzzzzzz\"\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: [/a], pathz: 1}\n", "f:4:42: error: unknown key \"pathz\" (did you mean \"paths\"?)\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: /a}\n", "f:4:36: error: paths must be a list: write [/a]\n" },
		{ HEAD "file_rules:\n- name: a\n  decision: [deny]\n  paths: [/a]\n", "f:5:13: error: decision must be a text, not a list\n" },
		{ HEAD "file_rules: 7\n", "f:3:13: error: file_rules must be a list: begin each entry with \"- \"\n" },
		{ HEAD "file_rules: [7]\n", "f:3:14: error: file rule: must be a map of keys, such as name\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: [/b, '/a[b']}\n", "f:4:41: error: path \"/a[b\": \"[\" without \"]\" (write \\\\[ for the character)\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: ['/a{b']}\n", "f:4:37: error: path \"/a{b\": \"{\" without \"}\" (write \\\\{ for the character)\n" },
		{ HEAD "file_rules:\n- {name: a, decision: maybe, paths: [/b]}\n",
		  "f:4:23: error: decision \"maybe\" is not one of allow deny approve redirect audit soft_delete\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: [/b], operations: [read, fly]}\n", "f:4:61: error: operation \"fly\" is not one of read open stat list write create mkdir chmod chown rename delete rmdir readlink access link symlink mknod *\n" },
		{ HEAD "file_rules:\n- {name: a, decision: redirect, paths: [/b]}\n", "f:4:3: error: decision redirect needs redirect_to\n" },
		{ HEAD "network_rules:\n- {name: a, decision: deny, ports: [70000]}\n", "f:4:37: error: \"70000\" is not a port: numbers to 65535, one by one; leave ports out for all\n" },
		{ HEAD "network_rules:\n- {name: a, decision: deny, cidrs: [10.0.0.0/8, 10.0.0.0/33]}\n", "f:4:49: error: \"10.0.0.0/33\" is not an address range: write 10.0.0.0/8, fd00::/8, or one address\n" },
		{ HEAD "command_rules:\n- {name: a, decision: deny, timeout: soon}\n",
		  "f:4:38: error: timeout \"soon\" is not a duration between 1ms and 24h, such as 30s or 5m\n" },
		{ "version: 1\nname: a\nname: b\n", "f:3:1: error: key \"name\" stands twice\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: [/a], name: b}\n", "f:4:42: error: key \"name\" stands twice\n" },
		{ "version: 2\nname: a\n", "f:1:10: error: version must be 1\n" },
		{ "name: a\n", "f:1:1: error: the policy has no version: write version: 1\n" },
		{ "version: 1\n", "f:1:1: error: the policy has no name\n" },
		{ "- a\n", "f:1:1: error: policy: must be a map of keys, such as version\n" },
		{ "", "f:1:1: error: the file is empty\n" },
		{ HEAD "description: &x a\n", "f:3:14: error: anchors and aliases are not allowed: write the value out, and a text that begins with & or * in quotes\n" },
		{ HEAD "description: *x\n", "f:3:14: error: anchors and aliases are not allowed: write the value out, and a text that begins with & or * in quotes\n" },
		{ HEAD "description: !!binary aGk=\n", "f:3:14: error: tags are not allowed: write the value alone, and a text that begins with ! in quotes\n" },
		{ HEAD "audit: !x {a: b}\n", "f:3:8: error: tags are not allowed: write the value alone, and a text that begins with ! in quotes\n" },
		{ HEAD "file_rules: ! []\n", "f:3:13: error: tags are not allowed: write the value alone, and a text that begins with ! in quotes\n" },
		{ HEAD "audit:\n  <<: {log_denied: true}\n", "f:4:3: error: merge keys are not allowed: write the keys out\n" },
		{ HEAD "file_rules:\n- name: a\n  <<: [x]\n", "f:5:3: error: merge keys are not allowed: write the keys out\n" },
		{ HEAD "metadata:\n- &a [x, x]\n- &b [*a, *a]\n", "f:4:3: error: anchors and aliases are not allowed: write the value out, and a text that begins with & or * in quotes\n" },
		{ "\xef\xbb\xbf" HEAD, "f:1:1: error: a byte order mark: save the file without it\n" },
		{ HEAD "description: a\xef\xbb\xbf\n", "f:3:15: error: a byte order mark: save the file without it\n" },
		{ "\xff\xfe" "v\0", "f:1:1: error: this is UTF-16: save the file as UTF-8\n" },
		{ "\xfe\xff", "f:1:1: error: this is UTF-16: save the file as UTF-8\n" },
		{ HEAD "? [a, b]\n: c\n", "f:3:3: error: a key must be a text\n" },
		{ HEAD "...\nx\n", "f:4:1: error: this is outside of the map that the file is: its keys all begin in the same column\n" },
		{ HEAD "---\na: b\n", "f:3:1: error: a second document: one policy a file\n" },
		{ HEAD "description: \"a\\0b\"\n", "f:3:14: error: a NUL byte is not allowed\n" },
		{ HEAD "description: a\x7f\n", "f:3:15: error: a control character: write it as an escape in double quotes\n" },
		{ HEAD "description: a\xc2\x80\n", "f:3:15: error: a control character: write it as an escape in double quotes\n" },
		{ HEAD "description: a\xc2\x9f\n", "f:3:15: error: a control character: write it as an escape in double quotes\n" },
		{ HEAD "description: \xc2\xa0\xef\xbf\xbe\n", "f:3:15: error: a control character: write it as an escape in double quotes\n" },
		{ HEAD "description: \xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbc\x80\x1f\n", "f:3:17: error: a control character: write it as an escape in double quotes\n" },
		{ HEAD "description: \xef\xbf\xbf\n", "f:3:14: error: a control character: write it as an escape in double quotes\n" },
		{ HEAD "description: \xed\xa0\x80\n", "f:3:14: error: not valid UTF-8\n" },
		{ HEAD "description: \xc0\xaf\n", "f:3:14: error: not valid UTF-8\n" },
		{ HEAD "description: a\tb\x01\n", "f:3:17: error: a control character: write it as an escape in double quotes\n" },
		{ HEAD "description: \xc3\xa9\xff\n", "f:3:15: error: not valid UTF-8\n" },
		{ HEAD "description: 'a\n", "f:3:14: error: the quote that is opened here is not closed\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *got = complaint(t[i].text, strlen(t[i].text));

		if (strcmp(got, t[i].want) != 0)
			fail_msg("%s\ngot:  %swant: %s", t[i].text, got, t[i].want);
	}
	assert_string_equal(complaint("version: 1\nna\0me: a\n", 19), "f:2:3: error: a NUL byte: this is not a text file\n");
}

static void test_regex(void **state UNUSED)
{
	static const char bad[] = HEAD "command_rules:\n- {name: a, decision: deny, args_patterns: [ok, '*x']}\n",
			  large[] = HEAD "command_rules:\n- {name: a, decision: deny, args_patterns: ['(a.{1,3000}b){1,100}']}\n",
			  want[] = "f:4:49: error: args_patterns: not a regular expression: ", limit[] = "f:4:45: error: args_patterns: not a regular expression: Rep";

	assert_memory_equal(complaint(bad, sizeof(bad) - 1), want, sizeof(want) - 1);
	assert_memory_equal(complaint(large, sizeof(large) - 1), limit, sizeof(limit) - 1);
}

static void test_undefined(void **state UNUSED)
{
	static const char text[] = HEAD "file_rules:\n- {name: a, decision: deny, paths: ['${NOPE}/x']}\n";
	struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1 };
	uint8_t hash[32];
	int fd;

	buf_reset(&diag);
	assert_int_equal(policy_compile(&src, &diag, &fd, hash), -EINVAL);
	assert_string_equal((char *)diag.data, "f:4:37: error: undefined variable ${NOPE}: give it a value or write ${NOPE:-fallback}\n");
}

static char *repeat(const char *head, const char *one, size_t n, size_t *len)
{
	size_t h = strlen(head), o = strlen(one);
	char *s = malloc(h + o * n + 1);

	assert_non_null(s);
	memcpy(s, head, h);
	for (size_t i = 0; i < n; i++)
		memcpy(s + h + i * o, one, o);
	s[h + o * n] = 0;
	*len = h + o * n;
	return s;
}

static void test_limits(void **state UNUSED)
{
	static const struct { const char *head, *one; size_t n; const char *want; } t[] = {
		{ HEAD "metadata: ", "[", 10000, "f:3:43: error: nested deeper than 32\n" },
		{ HEAD "metadata:\n  ", "- ", 10000, "f:4:67: error: nested deeper than 32\n" },
		{ HEAD "metadata: ", "{a: ", 10000, "f:3:136: error: nested deeper than 32\n" },
		{ HEAD "metadata:\n", "  k: 1\n", 600, "f:5:3: error: key \"k\" stands twice\n" },
		{ HEAD "description: ", "aaaaaaaaaaaaaaaa", 524288, "f:1:1: error: the file has 8388640 bytes; 8388608 are the most\n" },
		{ HEAD "file_rules:\n", "- {name: a, decision: deny, paths: ['**/*a*b*c*/**d**e**', '**f????????????????????g']}\n", 40,
		  ":3: error: rule \"a\": up to here the paths of the file rules are too complex" },
	};
	clock_t start = clock();

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct pol_source src = { .file = "f" };
		size_t len;
		char *s = repeat(t[i].head, t[i].one, t[i].n, &len);

		src.text = s;
		src.len = len;
		buf_reset(&diag);
		assert_true(policy_validate(&src, &diag) < 0);
		if (i == ARRAY_LEN(t) - 1 ? !strstr((char *)diag.data, t[i].want) : strcmp((char *)diag.data, t[i].want) != 0)
			fail_msg("got:  %swant: %s", (char *)diag.data, t[i].want);
		free(s);
	}
	assert_true(clock() - start < 30 * CLOCKS_PER_SEC); /* with sanitizers */
}

static void test_many_are_counted(void **state UNUSED)
{
	struct pol_source src = { .file = "f" };
	size_t len;
	char *s = repeat(HEAD "file_rules:\n", "- 7\n", 100, &len);
	int lines = 0;

	src.text = s;
	src.len = len;
	buf_reset(&diag);
	assert_int_equal(policy_validate(&src, &diag), -EINVAL);
	for (char *c = (char *)diag.data; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 21);
	assert_non_null(strstr((char *)diag.data, "f: and 80 more errors\n"));
	free(s);
}

/* Every cut of a good text and every changed byte: an answer, with a place when it is no. */
static void test_mutations(void **state UNUSED)
{
	char text[] = HEAD "file_rules:\n- {name: a, decision: redirect, redirect_to: /q, paths: ['/a/{b,[c-d]}*'], operations: [read]}\n"
			   "command_rules:\n- {name: b, decision: approve, timeout: 5m, args_patterns: ['^a+$'], context: {max_depth: 2}}\n";
	struct pol_source src = { .file = "f", .text = text };

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		for (unsigned how = 0; how < 4; how++) {
			char was = text[i];

			src.len = how ? sizeof(text) - 1 : i;
			text[i] = (char)(how == 1 ? was ^ 1 : how == 2 ? '{' : how == 3 ? '\n' : was);
			buf_reset(&diag);
			if (policy_validate(&src, &diag) < 0)
				assert_non_null(strstr((char *)diag.data, ": error: "));
			text[i] = was;
		}
	buf_fini(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_places), cmocka_unit_test(test_regex), cmocka_unit_test(test_undefined),
					    cmocka_unit_test(test_limits), cmocka_unit_test(test_many_are_counted), cmocka_unit_test(test_mutations) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
