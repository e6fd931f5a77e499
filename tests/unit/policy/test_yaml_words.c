/* SPDX-License-Identifier: Apache-2.0 */
/* A text that is not YAML: one line, at the place, that says what to change. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "policy/yaml.h"
#include "tests/unit/policy/pol.h"

#define RULE HEAD "file_rules:\n  - name: a\n    decision: deny\n"
#define NET HEAD "network_rules:\n- {name: a, decision: deny, "
#define QUOTE " must be in quotes: write single quotes around it\n"
#define NEIGHBOURS "before this line, as many as no list or map above it has: line it up with its neighbours\n"
#define FLOW ": write ], a comma before the next entry, or quotes around a text with brackets or braces\n"
#define COLON " a key and its value are \"key: value\", with a blank behind the colon\n"
#define BEHIND "text behind a closing quote: put the whole text in single quotes, and write '' for one inside\n"
#define TAB "a tab in the indentation: indent with blanks, not tabs\n"

static struct buf diag = { .max = 1u << 20 };

static void expect(const char *text, const char *want)
{
	struct pol_source src = { .file = "f", .text = text, .len = strlen(text) };

	buf_reset(&diag);
	assert_int_equal(policy_validate(&src, &diag), -EINVAL);
	if (strcmp((char *)diag.data, want) != 0)
		fail_msg("%s\ngot:  %swant: %s", text, (char *)diag.data, want);
}

static void test_indentation(void **state UNUSED)
{
	expect(HEAD "file_rules:\n\t- name: a\n", "f:4:1: error: " TAB);
	expect(RULE "\tpaths: [/a]\n", "f:6:1: error: " TAB);
	expect(HEAD "env_policy:\n  allow:\n  \t- A\n", "f:5:3: error: " TAB);
	expect(HEAD "env_policy:\n  allow: [A]\n deny: [B]\n", "f:5:2: error: 1 blank " NEIGHBOURS);
	expect(RULE "     paths: [/a]\n", "f:6:11: error: a key where the text of the line above goes on: line it up with the other keys\n");
	expect(RULE "    paths: [/a]\n     message: a\n", "f:7:6: error: 5 blanks " NEIGHBOURS);
	expect(RULE "    paths:\n      - /a\n     - /b\n", "f:8:6: error: 5 blanks " NEIGHBOURS);
	expect(" version: 1\nname: n\n", "f:2:1: error: this is outside of the map that the file is: its keys all begin in the same column\n");
}

/* A rule that is cut short lacks nothing that stands behind the fault; what is wrong in the rule before it is said. */
static void test_cut_short(void **state UNUSED)
{
	expect(HEAD "file_rules:\n  - name: a\n    paths: [/a]\n   decision: deny\n", "f:6:4: error: 3 blanks " NEIGHBOURS);
	expect(HEAD "file_rules:\n  - name: a\n  - name: b\n    paths: [/a]\n   decision: deny\n",
	       "f:4:5: error: the file rule has no decision\nf:7:4: error: 3 blanks " NEIGHBOURS);
	expect(HEAD "file_rules:\n  - name: a\n", "f:4:5: error: the file rule has no decision\n");
}

static void test_signs(void **state UNUSED)
{
	static const char signs[] = "*&@%`!";

	for (const char *s = signs; *s; s++) {
		char text[100], want[200];

		snprintf(text, sizeof(text), HEAD "description: %c.a, b}\n", *s);
		snprintf(want, sizeof(want), "error: a text that begins with %c" QUOTE, *s);
		if (*s == '!')
			snprintf(want, sizeof(want), "error: tags are not allowed: write the value alone, and a text that begins with ! in quotes\n");
		if (*s == '!')
			text[sizeof(HEAD "description: !.a") - 1] = 0;
		buf_reset(&diag);
		assert_int_equal(policy_validate(&(struct pol_source){ .file = "f", .text = text, .len = strlen(text) }, &diag), -EINVAL);
		if (!strstr((char *)diag.data, want))
			fail_msg("%s\ngot:  %swant: %s", text, (char *)diag.data, want);
	}
	expect(RULE "    paths: [**/x]\n", "f:6:14: error: a text that begins with *" QUOTE);
	expect(RULE "    paths:\n      - **/x\n", "f:7:10: error: a text that begins with *" QUOTE);
	expect(HEAD "description: |a\n", "f:3:15: error: a text that begins with |" QUOTE);
	expect(HEAD "description: a: b\n", "f:3:15: error: a text with \": \" in it" QUOTE);
	expect(HEAD "description: \xc3\xa9\xc3\xa9: b\n", "f:3:16: error: a text with \": \" in it" QUOTE);
	expect(RULE "    paths: - /a\n", "f:6:12: error: a list begins in a line of its own: write \"- \" in the next line, or [a, b]\n");
	expect(HEAD "file_rules:\n  - name: a\n    decision:deny\n    paths: [/a]\n", "f:6:5: error: line 5, column 5:" COLON);
	expect(RULE "    paths: [/a, /b\n    message: x\n", "f:6:12: error: the [ that is opened here is not closed before line 7, column 12" FLOW);
	expect(RULE "    paths: [${HOME}/x]\n", "f:6:14: error: the [ of column 12 is not closed here" FLOW);
}

static void test_quotes(void **state UNUSED)
{
	expect(HEAD "description: \"\\s+push\"\n", "f:3:15: error: in double quotes a backslash begins an escape: use single quotes\n");
	expect(HEAD "description: \"\\xq\"\n",
	       "f:3:17: error: in double quotes a backslash and x, u or U need the digits of a character: use single quotes\n");
	expect(HEAD "description: \"a\nfile_rules: []\n", "f:3:14: error: the quote that is opened here is not closed\n");
	expect(RULE "    message: \"a\n    paths: [/a]\n    description: \"x\"\n",
	       "f:6:14: error: the quote that is opened here is perhaps not closed: its text ends in line 8\n");
	expect(RULE "    paths: [\"/a, /b]\n    message: \"x\"\n",
	       "f:6:13: error: the quote that is opened here is perhaps not closed: its text ends in line 7\n");
	expect(RULE "    paths: '/a' b\n", "f:6:17: error: " BEHIND);
	expect(RULE "    paths: ['/a, '/b']\n", "f:6:19: error: " BEHIND);
}

static void test_lists(void **state UNUSED)
{
	expect(RULE "    paths: it's *\n", "f:6:12: error: paths must be a list: write ['it''s *']\n");
	expect(RULE "    paths:\n", "f:6:11: error: paths must be a list: write [a, b], or each entry in a line that begins with \"- \"\n");
	expect(RULE "    paths: [/a]\n    operations: read, write\n", "f:7:17: error: operations must be a list: write [read, write]\n");
	expect(RULE "    paths: '/a{b,c}'\n", "f:6:12: error: paths must be a list: write ['/a{b,c}']\n");
	expect(RULE "    paths: [[/a]]\n", "f:6:13: error: an entry of paths must be a text, not a list\n");
	expect(NET "domains: 'https://x.org:8/y'}\n",
	       "f:4:38: error: domains must be a list of hosts, without https:// and path: write [x.org]\n");
	expect(NET "hosts: [x]}\n", "f:4:29: error: unknown key \"hosts\" (did you mean \"domains\"?)\n");
	expect(NET "ports: '80, 443'}\n", "f:4:36: error: ports must be a list: write [80, 443]\n");
	expect(NET "ports: '*'}\n",
	       "f:4:36: error: ports must be a list of numbers: write [80, 443], one by one, or leave ports out for all\n");
	expect(HEAD "file_rules:\n  name: a\n", "f:4:3: error: file_rules must be a list: begin each entry with \"- \"\n");
}

/* Words are made of any place, also of one that the text has not. */
static void test_any_place(void **state UNUSED)
{
	static const char *const problems[] = { "found character that cannot start any token", "did not find expected key",
		"did not find expected ',' or ']'", "mapping values are not allowed in this context", "other" };

	for (size_t i = 0; i < ARRAY_LEN(problems); i++)
		for (uint32_t at = 1; at < 12; at++) {
			struct yaml_fault f = { .text = "a: '\xc3\xa9\n\t@", .len = 9, .problem = problems[i], .line = at / 3 + 1, .column = at };
			char words[300] = "";

			yaml_words(&f, words, sizeof(words));
			assert_true(words[0] && !strchr(words, '\n'));
		}
	buf_fini(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_indentation), cmocka_unit_test(test_cut_short), cmocka_unit_test(test_signs),
					    cmocka_unit_test(test_quotes), cmocka_unit_test(test_lists), cmocka_unit_test(test_any_place) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
