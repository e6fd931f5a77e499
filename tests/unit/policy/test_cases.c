/* SPDX-License-Identifier: Apache-2.0 */
/* Policy test files: words, every form of question, and what is no case. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/cases.h"
#include "tests/unit/policy/pol.h"

static struct cases reader;
static struct one_case got;

static int next(const char *text, size_t n, struct err *err)
{
	cases_fini(&reader);
	reader = (struct cases){ .text = text, .len = n };
	return cases_next(&reader, &got, err);
}

static const struct question *question(const char *text)
{
	struct err err = { 0 };

	if (next(text, strlen(text), &err) != 1)
		fail_msg("%s: %s", text, err.msg);
	return &got.q;
}

static void refused(const char *text, const char *words)
{
	struct err err = { 0 };
	int r = next(text, strlen(text), &err);

	if (r >= 0 || !strstr(err.msg, words))
		fail_msg("%s: %d \"%s\", expected \"%s\"", text, r, err.msg, words);
}

static void test_words(void **state UNUSED)
{
	static const struct { const char *text, *word; } t[] = {
		{ "a", "a" }, { "'a b'", "a b" }, { "\"a b\"", "a b" }, { "a\\ b", "a b" }, { "a'b'\"c\"d", "abcd" }, { "''", "" },
		{ "'a\\b'", "a\\b" }, { "\"a\\b\"", "a\\b" }, { "\"a\\\"b\"", "a\"b" }, { "\"a\\\\b\"", "a\\b" }, { "\"\\$x\\`\"", "$x`" },
		{ "$HOME", "$HOME" }, { "~", "~" }, { "*", "*" }, { "a#b", "a#b" }, { "'#'", "#" }, { "\\#", "#" }, { "'->'", "->" },
		{ "\\->", "->" }, { "-\\>", "->" }, { "a->b", "a->b" }, { "a;b|c", "a;b|c" }, { "\xff", "\xff" }, { "\"it's\"", "it's" },
		{ "'\t'", "\t" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char line[256];
		const struct question *q;

		snprintf(line, sizeof(line), "  exec\tx %s last  ->  deny 'a rule' # words\r\n", t[i].text);
		q = question(line);
		assert_int_equal(q->argc, 3);
		assert_string_equal(q->argv[1], t[i].word);
		assert_string_equal(q->argv[2], "last");
		assert_null(q->argv[3]);
		assert_string_equal(got.decision, "deny");
		assert_string_equal(got.rule, "a rule");
	}
}

static void test_lines(void **state UNUSED)
{
	static const char text[] = "# nothing\n\n   \t\nfile read /a -> allow\nfile read 'b -> allow\nfile stat /c -> deny x";
	struct cases c = { .text = text, .len = sizeof(text) - 1 };
	struct one_case one;
	struct err err = { 0 };

	assert_int_equal(cases_next(&c, &one, &err), 1);
	assert_int_equal(c.line, 4);
	assert_string_equal(one.q.path, "/a");
	assert_null(one.rule);
	assert_int_equal(cases_next(&c, &one, &err), -EINVAL);
	assert_int_equal(c.line, 5);
	assert_string_equal(err.msg, "unterminated single quote");
	assert_int_equal(cases_next(&c, &one, &err), 1);
	assert_int_equal(c.line, 6);
	assert_int_equal(one.q.op, POL_OP_STAT);
	assert_string_equal(one.rule, "x");
	assert_int_equal(cases_next(&c, &one, &err), 0);
	assert_int_equal(cases_next(&c, &one, &err), 0);
	cases_fini(&c);
}

static void test_endpoints(void **state UNUSED)
{
	static const struct { const char *text, *host; int len, port; uint8_t first, last;
	} t[] = {
		{ "Api.Example.COM:443", "api.example.com", 0, 443, 0, 0 },
		{ "a.:1", "a", 0, 1, 0, 0 },
		{ "10.0.0.1:22", NULL, 4, 22, 10, 1 },
		{ "[fd00::2]:65535", NULL, 16, 65535, 0xfd, 2 },
		{ "c.d@203.0.113.9:80", "c.d", 4, 80, 203, 9 },
		{ "C@[::1]:5", "c", 16, 5, 0, 1 },
		{ "010.0.0.1:1", "010.0.0.1", 0, 1, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char line[128];
		const struct question *q;

		snprintf(line, sizeof(line), "net %s -> allow", t[i].text);
		q = question(line);
		assert_int_equal(q->kind, ASK_NET);
		assert_int_equal(q->port, t[i].port);
		assert_int_equal(q->addr_len, t[i].len);
		assert_int_equal(q->addr[0], t[i].first);
		if (t[i].len)
			assert_int_equal(q->addr[t[i].len - 1], t[i].last);
		if (t[i].host)
			assert_string_equal(q->host, t[i].host);
		else
			assert_null(q->host);
	}
	assert_string_equal(question("dns A.b. -> deny")->host, "a.b");
	assert_string_equal(question("connect-redirect 10.0.0.1:5 -> none")->host, "10.0.0.1");
	assert_string_equal(question("connect-redirect [::1]:5 -> none")->host, "::1");
	assert_string_equal(question("dns-redirect X -> redirect 'r s'")->host, "x");
	assert_string_equal(got.rule, "r s");
}

static void test_urls(void **state UNUSED)
{
	static const struct { const char *url, *host, *path; int port;
	} t[] = {
		{ "https://a.b/c?d", "a.b", "/c?d", 443 },    { "HTTP://A", "a", "/", 80 },
		{ "https://a.b?x=/y", "a.b", "/?x=/y", 443 }, { "http://a:8080", "a", "/", 8080 },
		{ "https://a@[::1]:9/x", "a", "/x", 9 },      { "https://a//../x%2e", "a", "//../x%2e", 443 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char line[128];
		const struct question *q;

		snprintf(line, sizeof(line), "http POST %s -> approve r", t[i].url);
		q = question(line);
		assert_string_equal(q->host, t[i].host);
		assert_string_equal(q->path, t[i].path);
		assert_string_equal(q->method, "POST");
		assert_int_equal(q->port, t[i].port);
	}
	assert_int_equal(question("http GET https://[::1]/ -> deny")->addr_len, 16);
}

static void test_execs(void **state UNUSED)
{
	char line[256];
	const struct question *q = question("exec vi=/usr/bin/vim.basic notes -> allow editors");

	assert_string_equal(q->given, "vi");
	assert_string_equal(q->resolved, "/usr/bin/vim.basic");
	assert_string_equal(q->argv[0], "vi");
	assert_int_equal(q->argc, 2);
	snprintf(line, sizeof(line), "by npm,/usr/bin/node exec depth=3 sha256=%064x /bin/sh -c 'a -> b' -> deny", 0xAb);
	q = question(line);
	assert_int_equal(q->depth, 3);
	assert_true(q->has_sha256);
	assert_int_equal(q->sha256[31], 0xab);
	assert_string_equal(q->given, "/bin/sh");
	assert_null(q->resolved);
	assert_string_equal(q->argv[2], "a -> b");
	assert_int_equal(q->n_by, 2);
	assert_string_equal(q->by[1], "/usr/bin/node");
	q = question("env AWS_KEY for git push -> deny env_policy.deny");
	assert_string_equal(q->variable, "AWS_KEY");
	assert_string_equal(q->given, "git");
	assert_string_equal(got.rule, "env_policy.deny");
	assert_null(question("env X -> allow")->given);
}

static void test_others(void **state UNUSED)
{
	const struct question *q = question("unix sendto @x -> deny");

	assert_int_equal(q->unix_op, POL_UNIX_SENDTO);
	assert_string_equal(q->path, "@x");
	q = question("signal SIGKILL children,descendants,process=My-App,pid=17 -> absorb r");
	assert_int_equal(q->signal, 9);
	assert_int_equal(q->targets, 1u << POL_T_CHILDREN | 1u << POL_T_DESCENDANTS);
	assert_string_equal(q->process, "My-App");
	assert_int_equal(q->pid, 17);
	q = question("service github GET /repos?x -> allow");
	assert_string_equal(q->service, "github");
	assert_string_equal(q->path, "/repos?x");
}

static void test_paths(void **state UNUSED)
{
	static const struct { const char *text, *path; } t[] = {
		{ "/a/b", "/a/b" }, { "//a/./b//../c/", "/a/c" }, { "/../..", "/" }, { "/", "/" }, { "/a/..", "/" }, { "/...", "/..." },
		{ "/a/.b/..c", "/a/.b/..c" }, { "/a/b/../../../c", "/c" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char line[64];

		snprintf(line, sizeof(line), "file read %s -> allow", t[i].text);
		assert_string_equal(question(line)->path, t[i].path);
	}
}

static void test_refusals(void **state UNUSED)
{
	static const struct { const char *text, *words;
	} t[] = {
		{ "file read /a", "no \"->\"" },
		{ "-> allow", "no question" },
		{ "file read /a ->", "nothing stands behind" },
		{ "file read /a -> allow a b", "too much" },
		{ "file read /a -> maybe", "none of allow deny" },
		{ "file read /a -> absorb", "none of" },
		{ "file reed /a -> allow", "\"reed\" is none of read" },
		{ "file read a -> allow", "not an absolute path" },
		{ "file read -> allow", "file OPERATION PATH" },
		{ "nett a:1 -> deny", "\"nett\" is none of" },
		{ "net a -> deny", "no port" },
		{ "net https://x -> deny", "has a scheme: write HOST:PORT" },
		{ "dns http://x/y -> deny", "write the name alone, without https://" },
		{ "net a: -> deny", "no port from 1" },
		{ "net a:0 -> deny", "no port from 1" },
		{ "net a:65536 -> deny", "no port from 1" },
		{ "net ::1:443 -> deny", "in brackets" },
		{ "net [::1:443 -> deny", "without \"]\"" },
		{ "net [::g]:1 -> deny", "no IPv6" },
		{ "net [::1]x:1 -> deny", "without \"]\"" },
		{ "net [10.0.0.1]:1 -> deny", "no IPv6" },
		{ "net a@b:1 -> deny", "no address" },
		{ "net :1 -> deny", "name is empty" },
		{ "net .:1 -> deny", "name is empty" },
		{ "dns . -> deny", "name is empty" },
		{ "http GET a/b -> deny", "neither https" },
		{ "http GET https:///x -> deny", "name is empty" },
		{ "http GET https://?x -> deny", "name is empty" },
		{ "http GET https://a/#x -> deny", "never sent" },
		{ "http '' https://a/ -> deny", "method is empty" },
		{ "exec -> deny", "write: exec" },
		{ "exec depth=x a -> deny", "no depth" },
		{ "exec sha256=0 a -> deny", "64 hex" },
		{ "exec '' a -> deny", "write: exec" },
		{ "exec =/x -> deny", "no name" },
		{ "unix open /x -> deny", "none of connect" },
		{ "unix bind x -> deny", "neither" },
		{ "unix bind @ -> deny", "neither" },
		{ "signal NONE self -> deny", "no signal" },
		{ "signal KILL selfish -> deny", "none of self" },
		{ "signal KILL , -> deny", "none of self" },
		{ "signal KILL pid=0 -> deny", "no process number" },
		{ "env A=b -> deny", "no variable's name" },
		{ "env A to b -> deny", "for COMMAND" },
		{ "env A for -> deny", "write: exec" },
		{ "service a GET x -> deny", "does not begin" },
		{ "by , file read /a -> deny", "empty name" },
		{ "by npm -> deny", "no question" },
		{ "by npm env A -> deny", "no rule asks" },
		{ "dns-redirect a -> allow", "none of redirect none" },
		{ "dns-redirect a -> none r", "no rule can be" },
		{ "exec 'a -> deny", "unterminated single quote" },
		{ "exec \"a -> deny", "unterminated double quote" },
		{ "exec a -> deny \\", "backslash at the end" },
		{ "exec a '->' deny", "no \"->\"" },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		refused(t[i].text, t[i].words);
	assert_int_equal(next("file read /a\0b -> deny\n", 23, &err), -EINVAL);
	assert_string_equal(err.msg, "a NUL byte");
}

static void test_bounds(void **state UNUSED)
{
	size_t n = CASE_LINE_MAX + 64;
	char *text = malloc(n + 1);
	struct err err = { 0 };

	memset(text, 'x', n);
	memcpy(text, "exec ", 5);
	memcpy(text + n - 9, " -> allow", 9);
	text[n] = 0;
	assert_int_equal(next(text, n, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "longer than 1048576 bytes"));
	memmove(text + CASE_LINE_MAX - 9, " -> allow\n", 10);
	assert_int_equal(next(text, n, &err), 1);
	assert_int_equal(strlen(got.q.given), CASE_LINE_MAX - 14);
	for (size_t i = 5; i < 2 * CASE_WORDS_MAX + 7; i++)
		text[i] = i & 1 ? 'y' : ' ';
	assert_int_equal(next(text, 2 * CASE_WORDS_MAX + 3, &err), -EINVAL); /* no arrow, but not too many */
	assert_non_null(strstr(err.msg, "no \"->\""));
	assert_int_equal(next(text, 2 * CASE_WORDS_MAX + 4, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "more than 4096 words"));
	free(text);
}

static void test_answers(void **state UNUSED)
{
	static const struct { const char *text, *word, *rule;
	} t[] = {
		{ "file read /w/a -> allow", "allow", "w" }, { "file write /w/a -> allow", "deny", "default-deny-files" },
		{ "net a.b:443 -> allow", "audit", "n" },    { "net a.b:80 -> allow", "deny", "default-deny-network" },
		{ "dns a.b -> audit", "audit", "n" },	     { "exec sh -c 'rm x' -> deny", "deny", "rm" },
		{ "exec ls -> deny", "allow", "all" },
	};
	struct policy *p = pol_open(HEAD "file_rules: [{name: w, paths: [/w/*], operations: [read], decision: allow}]\n"
				    "network_rules: [{name: n, domains: [a.b], ports: [443], decision: audit}]\n"
				    "command_rules: [{name: rm, commands: [rm], decision: deny}, {name: all, decision: allow}]\n");
	struct answer a;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(question_ask(p, question(t[i].text), &a, &err), 0);
		assert_string_equal(a.word, t[i].word);
		assert_string_equal(a.rule, t[i].rule);
	}
	assert_int_equal(question_ask(p, question("service x GET / -> deny"), &a, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no service \"x\""));
	policy_close(p);
	cases_fini(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),	cmocka_unit_test(test_lines),	 cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_urls),	cmocka_unit_test(test_execs),	 cmocka_unit_test(test_others),
		cmocka_unit_test(test_paths),	cmocka_unit_test(test_refusals), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
