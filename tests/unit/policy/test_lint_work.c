/* SPDX-License-Identifier: Apache-2.0 */
/* Lints end in time whatever makes a policy dear to compare, and say what they did not look at; and steps count what a match takes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "policy/lint.h"
#include "policy/nfa.h"
#include "tests/unit/policy/pol.h"

#define HEADED(section) "version: 1\nname: n\n" section ":\n"
#define SECONDS_MAX 20 /* with sanitizers and on a busy machine; a second or so without */

static struct buf found = BUF_INIT(1u << 20);

/* Lints it, and whether the work ran out at a rule of that section. */
static bool ran_out(struct buf *text, const char *section)
{
	struct pol_source src = { .file = "f", .text = (const char *)text->data, .len = text->len };
	struct timespec from, to;
	char want[100];

	buf_reset(&found);
	buf_puts(&found, "");
	assert_true(buf_ok(text));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assert_int_equal(policy_lint(&src, &found), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	assert_true(to.tv_sec - from.tv_sec < SECONDS_MAX);
	buf_fini(text);
	snprintf(want, sizeof(want), "warning: %s are too many to compare: from rule \"r", section);
	return strstr((const char *)found.data, want);
}

static void repeat(struct buf *out, const char *s, int n)
{
	for (int i = 0; i < n; i++)
		buf_puts(out, s);
}

/* Rules of one list each, whose one entry is that piece again and again. */
static bool alike(const char *head, const char *key, const char *piece, int times, int rules, const char *section)
{
	struct buf text = BUF_INIT(8u << 20);

	buf_puts(&text, head);
	for (int i = 0; i < rules; i++) {
		buf_printf(&text, "- {name: r%d, decision: %s, %s: ['/", i, i % 2 ? "allow" : "deny", key);
		repeat(&text, piece, times);
		buf_puts(&text, "']}\n");
	}
	return ran_out(&text, section);
}

/* What a match takes grows with the glob and the text. */
static void test_long_globs(void **state UNUSED)
{
	assert_true(alike(HEADED("file_rules"), "paths", "{a,b,{c,d}}", 60, 250, "file rules"));
	assert_true(alike(HEADED("unix_socket_rules"), "paths", "{a,b,{c,d}}", 60, 250, "unix socket rules"));
	assert_false(alike(HEADED("file_rules"), "paths", "{a,b,{c,d}}", 2, 200, "file rules"));
}

/* Lists of a rule against those of each rule before it. */
static void test_long_lists(void **state UNUSED)
{
	struct buf text = BUF_INIT(8u << 20);

	buf_puts(&text, HEADED("network_rules"));
	for (int i = 0; i < 120; i++) {
		buf_printf(&text, "- {name: r%d, decision: deny, cidrs: [10.0.0.0/32", i);
		for (int k = 1; k < 100; k++)
			buf_printf(&text, ", 10.%d.%d.0/24", i % 250, k);
		buf_puts(&text, "]}\n");
	}
	assert_true(ran_out(&text, "network rules"));
	text = (struct buf)BUF_INIT(8u << 20);
	buf_puts(&text, HEADED("command_rules"));
	for (int i = 0; i < 700; i++) {
		buf_printf(&text, "- {name: r%d, decision: deny, commands: [c%d], processes: [/last", i, i);
		for (int k = 1; k < 50; k++)
			buf_printf(&text, ", /p%d", k);
		buf_puts(&text, "]}\n");
	}
	assert_true(ran_out(&text, "command rules"));
}

/* One section that is too dear leaves the others something. */
static void test_sections(void **state UNUSED)
{
	struct buf text = BUF_INIT(8u << 20);

	buf_puts(&text, HEADED("file_rules"));
	for (int i = 0; i < 250; i++) {
		buf_printf(&text, "- {name: r%d, decision: deny, paths: ['/", i);
		repeat(&text, "{a,b,{c,d}}", 60);
		buf_puts(&text, "']}\n");
	}
	buf_puts(&text, "network_rules:\n- {name: a, decision: allow, domains: ['*.x.org']}\n"
			"- {name: b, decision: deny, domains: [a.x.org]}\n");
	assert_true(ran_out(&text, "file rules"));
	assert_non_null(strstr((const char *)found.data, "rule \"b\" can never decide: rule \"a\""));
	assert_null(strstr((const char *)found.data, "network rules are too many"));
}

static void test_steps(void **state UNUSED)
{
	uint64_t few = 0, many = 0, none = 0;

	assert_true(wild_match_counted("/{a,b}*", "/axxxxxxxx", '/', &few));
	assert_true(wild_match_counted("/{a,b,{c,d,e,f,g,h}}**{a,b,{c,d,x}}", "/axxxxxxxx", '/', &many));
	assert_false(wild_match_counted("/{a,b}*", "x", '/', &none));
	assert_true(few > 10 && many > 3 * few && none == 0);
}

/* Each level of groups is read again: there are not too many of them. */
static void test_nesting(void **state UNUSED)
{
	char glob[256] = "", why[128];

	memset(glob, '{', 33);
	memset(glob + 33, '}', 33);
	assert_int_equal(glob_check(glob, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "more than 32 \"{\" in each other");
	glob[65] = 0;
	assert_int_equal(glob_check(glob + 1, why, sizeof(why)), 0);
	assert_int_equal(glob_check("\\{\\{{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}{p}{q}{r}{s}{t}{u}{v}{w}{x}{y}{z}{0}{1}{2}{3}{4}{5}{6}{7}",
				    why, sizeof(why)), 0);
}

static int done(void **state UNUSED)
{
	buf_fini(&found);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_globs), cmocka_unit_test(test_long_lists), cmocka_unit_test(test_sections),
		cmocka_unit_test(test_steps), cmocka_unit_test(test_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
