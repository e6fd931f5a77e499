/* SPDX-License-Identifier: Apache-2.0 */
/* Entries, messages and variables that are hardly what was meant are warned of; what has the same signs and means something is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "policy/parse.h"
#include "tests/unit/policy/pol.h"

static struct buf diag = { .max = 1u << 20 };
static const struct pol_var vars[] = { { "HOME", "/home/u" }, { "CARGO_HOME", "/c" }, { "EMPTY", "" } };

static const char *said(const char *text)
{
	struct pol_source src = { .file = "f", .text = text, .len = strlen(text), .vars = vars, .n_vars = ARRAY_LEN(vars) };

	buf_reset(&diag);
	buf_puts(&diag, "");
	assert_int_equal(policy_validate(&src, &diag), 0);
	return (const char *)diag.data;
}

/* One entry of a section; the ids of its warnings: want. */
static void entry(const char *section, const char *key, const char *text, const char *want)
{
	char policy[600];
	const char *got;

	snprintf(policy, sizeof(policy), HEAD "%s:\n- name: a\n  decision: deny\n  %s:\n  - %s\n", section, key, text);
	got = said(policy);
	if (want[0] ? !strstr(got, want) || strchr(got, '\n')[1] || strncmp(got, "f:7:5: warning: ", 16) != 0 : got[0] != 0)
		fail_msg("%s: want %s, got: %s", text, want, got);
}

static void path(const char *text, const char *want)
{
	entry("file_rules", "paths", text, want);
}

static void domain(const char *text, const char *want)
{
	entry("network_rules", "domains", text, want);
}

static void command(const char *text, const char *want)
{
	entry("command_rules", "commands", text, want);
}

static void test_odd(void **state UNUSED)
{
	path("'\"/a\"'", "path \"\"/a\"\" has a quote in it, which is taken as part of it [odd-character]\n");
	path("\"/a'\"", "[odd-character]");
	path("' /a'", "path \" /a\" begins with a blank, which is taken as part of it [odd-character]\n");
	path("'/a '", "ends with a blank");
	path("\"/a\\tb\"", "has a tab or a line's end in it");
	path("/a\xc2\xa0", "word processor makes, which is taken as part of it [odd-character]\n");
	path("'/a\\ '", "");
	path("/Bob's/a b", "");
	domain("'\"a.org'", "[odd-character]");
	domain("\"a'b.org\"", "[odd-character]");
	domain("'a.org '", "ends with a blank");
	domain("'a.org b.org'", "[impossible-domain]");
	command("'\"npm\"'", "[odd-character]");
	command("' git'", "begins with a blank");
	command("'git '", "ends with a blank");
	command("'git push'", "[space-in-command]");
}

static void test_regex(void **state UNUSED)
{
	path("'/a/\\d+'", "and \"\\\\d\" means something in a regular expression only: * is any text without /, ** any text, {a,b} one of these "
	     "[regex-as-glob]\n");
	path("'/a/\\w'", "[regex-as-glob]");
	path("'/a/\\s*b'", "[regex-as-glob]");
	path("'^/a/b'", "and \"^\" means");
	path("'/a/b$'", "and \"$\" means");
	path("'/a/(b|c)/d'", "and \"(b|c)\" means");
	path("'/a/([a-z]+)'", "and \"]+\" means");
	path("'/a/(b+)'", "and \"+)\" means");
	path("'/a/.+'", "and \".+\" means");
	path("'/a/.*\\.js'", "and \".*\" means");
	path("'.*/b'", "and \".*\" means");
	domain("'.*\\.example\\.com'", "any text without a dot, ** any text, {a,b} one of these [regex-as-glob]\n");
	domain("'(a|b).com'", "[regex-as-glob]");
	domain("'a.com$'", "[regex-as-glob]");
	/* Globs, names of files and another system's paths. */
	path("'**/.*'", "");
	path("'/a/x.*'", "");
	path("'/a/x.*.log'", "");
	path("'/a/c++/**'", "");
	path("'/a (1)/b'", "");
	path("'/a/\\\\d'", "");
	path("'/a/\\$'", "");
	path("'C:\\drivers\\System'", "[impossible-path]");
	domain("'s3.*.example.com'", "");
	domain("'*.example.com.'", "");
	command("'python3.*'", "");
}

static void test_fields(void **state UNUSED)
{
	static const char *const known[] = { "Path", "Args", "Command", "Domain", "RemoteAddr", "RemotePort", "Operation" };
	static const struct pol_fields f = { "v", "v", "v", "v", "v", "v", "v" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		char text[300], message[64], out[64];

		snprintf(message, sizeof(message), "{{.%s}}", known[i]);
		assert_string_equal(pol_message(message, &f, out, sizeof(out)), "v");
		snprintf(text, sizeof(text), HEAD "file_rules:\n- {name: a, decision: deny, paths: [/a], message: 'no %s'}\n", message);
		assert_string_equal(said(text), "");
	}
#define MESSAGE(words) HEAD "file_rules:\n- {name: a, decision: deny, paths: [/a], message: '" words "'}\n"
	assert_string_equal(said(MESSAGE("{{.Path}} {{.Pth}}")), "f:4:51: warning: \"{{.Pth}}\" is no field of a message and stays as it is "
			    "(did you mean {{.Path}}?) [unknown-field]\n");
	assert_non_null(strstr(said(MESSAGE("{{ .Path }}")), "\"{{ .Path }}\" is no field of a message and stays as it is (did you mean {{.Path}}?)"));
	assert_non_null(strstr(said(MESSAGE("{{Path}}")), "(did you mean {{.Path}}?)"));
	assert_string_equal(said(MESSAGE("{{.Whatever")), "f:4:51: warning: \"{{.Whatever\" is no field of a message and stays as it is "
			    "[unknown-field]\n");
	assert_string_equal(said(MESSAGE("{ {.Pth} }")), "");
}

static void test_undefined(void **state UNUSED)
{
	static const char text[] = HEAD "file_rules:\n- {name: a, decision: deny, paths: ['${HOEM}/a', '${HOEM}/b', '${HOME}', '${EMPTY:-/x}']}\n"
		"- {name: b, decision: deny, paths: ['${PROJECT_ROT}', '${CARGO_HOM}', '${home}', '${NOPE}']}\n";
#define SAID(place, name, near) "f:" place ": warning: variable ${" name "} has no value here" near ": give it one or write ${" name ":-fallback} " \
		"[undefined-variable]\n"
	struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1 };
	uint8_t hash[32];
	int fd;

	assert_string_equal(said(text), SAID("4:37", "HOEM", " (did you mean ${HOME}?)")
			    SAID("5:37", "PROJECT_ROT", " (did you mean ${PROJECT_ROOT}?)") SAID("5:55", "CARGO_HOM", " (did you mean ${CARGO_HOME}?)")
			    SAID("5:71", "home", " (did you mean ${HOME}?)") SAID("5:82", "NOPE", ""));
	/* Where no variable is known, none is wrong; what compiles has all. */
	buf_reset(&diag);
	buf_puts(&diag, "");
	assert_int_equal(policy_validate(&src, &diag), 0);
	assert_string_equal((char *)diag.data, "");
	assert_int_equal(policy_compile(&src, &diag, &fd, hash), -EINVAL);
	assert_non_null(strstr((char *)diag.data, "f:4:37: error: undefined variable ${HOEM} (did you mean ${HOME}?): give it a value or write "
			       "${HOEM:-fallback}\n"));
	buf_fini(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_odd), cmocka_unit_test(test_regex), cmocka_unit_test(test_fields),
					    cmocka_unit_test(test_undefined) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
