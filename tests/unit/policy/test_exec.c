/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: names, globs, files resolved, depth, and what shells and wrappers would run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

static struct policy *p;

static int open_it(void **state UNUSED)
{
	p = pol_open(HEAD "command_rules:\n"
			  "- {name: no-rm, commands: [rm], decision: deny}\n"
			  "- {name: no-force, commands: [git], args_patterns: ['push.*--force(\\s|$)'], decision: redirect, redirect_to: {command: echo, args: [no], args_append: ['{{.Args}}']}}\n"
			  "- {name: ask-curl, commands: ['curl*'], decision: approve}\n"
			  "- {name: no-opt, commands: ['/opt/**/bin/*'], decision: deny}\n"
			  "- {name: bracket, commands: ['['], decision: audit}\n"
			  "- {name: deep, commands: [tool], context: [direct], decision: deny}\n"
			  "- {name: nested, commands: [deeptool], context: {min_depth: 2, max_depth: 3}, decision: deny}\n"
			  "- {name: all, decision: allow}\n");
	return 0;
}

static int close_it(void **state UNUSED)
{
	policy_close(p);
	return 0;
}

static struct pol_verdict run(const char *resolved, uint32_t depth, const char *const *argv)
{
	struct pol_exec q = { .given = argv[0], .resolved = resolved, .argv = argv, .depth = depth };

	while (argv[q.argc])
		q.argc++;
	return policy_exec(p, &q);
}

#define RUN(...) run(NULL, 0, (const char *const[]){ __VA_ARGS__, NULL })

static void test_names(void **state UNUSED)
{
	assert_verdict(RUN("rm", "x"), POL_DENY, "no-rm");
	assert_verdict(RUN("/bin/RM", "x"), POL_DENY, "no-rm");
	assert_verdict(RUN("/x/rm.real"), POL_DENY, "no-rm");
	assert_verdict(RUN("rmdir"), POL_ALLOW, "all");
	assert_verdict(RUN("curlie"), POL_APPROVE, "ask-curl");
	assert_verdict(RUN("/opt/a/b/bin/x"), POL_DENY, "no-opt");
	assert_verdict(RUN("/opt/a/b/bin/x/y"), POL_ALLOW, "all");
	assert_verdict(RUN("[", "a", "]"), POL_AUDIT, "bracket");
	assert_verdict(run("/bin/rm", 0, (const char *const[]){ "innocent", NULL }), POL_DENY, "no-rm");
	assert_verdict(run("/usr/bin/vim", 0, (const char *const[]){ "rm", NULL }), POL_DENY, "no-rm");
	assert_verdict(run("/usr/bin/vim", 0, (const char *const[]){ "vi", NULL }), POL_ALLOW, "all");
}

/* An allow-list must hold against a link that the caller made: then the name can only make things stricter. */
static void test_untrusted_names(void **state UNUSED)
{
	struct policy *list = pol_open(HEAD "command_rules:\n"
					    "- {name: few, commands: [ls, vim.basic], decision: allow}\n"
					    "- {name: no-rm, commands: [rm], decision: deny}\n");
	const char *argv[] = { "/w/ls", "x", NULL };
	struct pol_exec q = { .given = "/w/ls", .resolved = "/usr/bin/perl", .argv = argv, .argc = 2 };

	assert_verdict(policy_exec(list, &q), POL_ALLOW, "few");
	q.untrusted_name = true;
	assert_verdict(policy_exec(list, &q), POL_DENY, "default-deny-commands");
	q.resolved = "/usr/bin/vim.basic";
	assert_verdict(policy_exec(list, &q), POL_ALLOW, "few");
	q.given = argv[0] = "/w/rm";
	assert_verdict(policy_exec(list, &q), POL_DENY, "no-rm");
	policy_close(list);
}

struct called { const char *given, *resolved; bool untrusted; const char *argv[4]; enum pol_decision decision; const char *rule; };

static void check_called(const struct policy *list, const struct called *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct pol_exec q = { .given = v[i].given, .resolved = v[i].resolved, .untrusted_name = v[i].untrusted, .argv = v[i].argv };
		struct pol_verdict got;

		while (v[i].argv[q.argc])
			q.argc++;
		got = policy_exec(list, &q);
		if (got.decision != v[i].decision || strcmp(got.rule, v[i].rule) != 0)
			fail_msg("case %zu: %s as %s: got %s %s", i, v[i].given, v[i].argv[0], pol_decision_name(got.decision), got.rule);
	}
}

/* A program of many names does what argv[0] says, whatever its file is called: an allow list must name that, too. */
static void test_another_name(void **state UNUSED)
{
	static const char end[] = "default-deny-commands";
	const struct called v[] = {
		{ "/bin/cat", "/bin/busybox", false, { "cat", "x" }, POL_ALLOW, "few" },
		{ "/bin/cat", "/bin/busybox", false, { "id" }, POL_DENY, end },
		{ "/bin/cat", "/bin/busybox", false, { "-id" }, POL_DENY, end },
		{ "/bin/cat", "/bin/busybox", false, { "/x/id.real" }, POL_DENY, end },
		{ "/bin/cat", "/bin/busybox", false, { "busybox", "id" }, POL_DENY, end },
		{ "/bin/cat", "/bin/busybox", false, { "" }, POL_DENY, end },
		{ "/bin/cat", NULL, false, { "id" }, POL_DENY, end },
		{ "/bin/cat", "/bin/busybox", false, { "rm" }, POL_DENY, "no-rm" },
		{ "/w/cat", "/w/cat", false, { "id" }, POL_DENY, end },
		{ "/w/cat", "/w/cat", false, { "CAT" }, POL_ALLOW, "few" },
		{ "/w/id", "/w/cat", true, { "id" }, POL_DENY, end },
		{ "/w/id", "/w/cat", true, { "cat" }, POL_ALLOW, "few" },
		{ "/w/x", "/w/cat", true, { "/w/x" }, POL_DENY, end },
		{ "/w/cat", "/w/cat", false, { "cat", "--coreutils-prog=id" }, POL_DENY, end },
		{ "/w/cat", "/w/cat", false, { "cat", "--coreutils-prog-shebang=rm" }, POL_DENY, "no-rm" },
		{ "/w/cat", "/w/cat", false, { "cat", "--coreutils-prog=ls" }, POL_ALLOW, "few" },
		{ "/w/cat", "/w/cat", false, { "cat", "x", "--coreutils-prog=id" }, POL_ALLOW, "few" },
		/* other names of the same program */
		{ "/bin/bash", "/bin/bash", false, { "-bash" }, POL_ALLOW, "few" },
		{ "/bin/bash", "/bin/bash", false, { "/bin/sh", "x" }, POL_ALLOW, "few" },
		{ "/usr/bin/python3.11", "/usr/bin/python3.11", false, { "/usr/bin/python3", "x" }, POL_ALLOW, "few" },
		{ "/usr/bin/python3.11", "/usr/bin/python3.11", false, { "python" }, POL_ALLOW, "few" },
		{ "/usr/bin/python3.11", "/usr/bin/python3.11", false, { "py" }, POL_DENY, end },
		{ "/usr/bin/python3.11", "/usr/bin/python3.11", false, { "python3.11-id" }, POL_DENY, end },
		{ "/proc/self/exe", "/opt/chrome/chrome", true, { "chrome" }, POL_ALLOW, "paths" },
		{ "/proc/self/exe", "/opt/chrome/chrome", true, { "/proc/self/exe" }, POL_ALLOW, "paths" },
		{ "/proc/self/exe", "/bin/cat", true, { "id" }, POL_DENY, end },
		{ "/usr/bin/browser", "/opt/chrome/chrome", false, { "chrome" }, POL_ALLOW, "paths" },
		{ "", "/w/cat", false, { "cat" }, POL_ALLOW, "few" },
		{ "", "/w/cat", false, { "id" }, POL_DENY, end },
		/* a loader's program runs without an exec of its own */
		{ "ld.so", NULL, false, { "ld.so", "/bin/cat" }, POL_ALLOW, "few" },
		{ "ld.so", NULL, false, { "ld.so", "/bin/id" }, POL_DENY, end },
		{ "ld.so", NULL, false, { "ld.so", "ld.so", "/bin/id" }, POL_DENY, end },
		{ "bash", NULL, false, { "bash", "-c", "ld.so /bin/id" }, POL_ALLOW, "few" },
	};
	const char *loaded[] = { "ld.so", "--argv0", "id", "/bin/cat" };
	struct policy *list = pol_open(HEAD "command_rules:\n"
					    "- {name: few, commands: [cat, ls, bash, python3.11, ld.so], decision: allow}\n"
					    "- {name: paths, commands: ['/opt/chrome/*'], decision: allow}\n"
					    "- {name: no-rm, commands: [rm], decision: deny}\n");

	check_called(list, v, ARRAY_LEN(v));
	/* nor does the name as it was written let another one pass */
	for (int i = 0; i < 2; i++) {
		const char *argv[] = { i ? "id" : "cat", "x" };
		struct pol_exec q = { .given = "/usr/bin/cat", .resolved = "/usr/bin/busybox", .written = "/bin/cat", .argv = argv, .argc = 2 };

		assert_verdict(policy_exec(list, &q), i ? POL_DENY : POL_ALLOW, i ? end : "few");
	}
	assert_verdict(policy_exec(list, &(struct pol_exec){ .given = "ld.so", .argv = loaded, .argc = 4 }), POL_DENY, end);
	loaded[2] = "ls";
	assert_verdict(policy_exec(list, &(struct pol_exec){ .given = "ld.so", .argv = loaded, .argc = 4 }), POL_ALLOW, "few");
	policy_close(list);
}

static int asked_for;

static int loads(void *arg, const char *word, char *out, size_t cap)
{
	asked_for++;
	if (!arg || strchr(word, '/') != word)
		return -ENOENT;
	snprintf(out, cap, "%s", (const char *)arg);
	return 0;
}

static struct pol_verdict load(const struct policy *on, const char *file, const char *const *argv)
{
	struct pol_exec q = { .given = argv[0], .argv = argv, .loaded = loads, .loaded_arg = (void *)(uintptr_t)file };

	while (argv[q.argc])
		q.argc++;
	return policy_exec(on, &q);
}

#define LOAD(on, file, ...) load(on, file, (const char *const[]){ "ld.so", __VA_ARGS__, NULL })

/* What a loader loads is the file behind the word: a link's name can only make it stricter. */
static void test_loaded_file(void **state UNUSED)
{
	struct policy *list = pol_open(HEAD "command_rules:\n"
					    "- {name: few, commands: [ld.so, ls, cat], decision: allow}\n"
					    "- {name: soft, commands: [x], decision: soft_delete}\n"
					    "- {name: no-rm, commands: [rm], args_patterns: ['-r'], decision: deny}\n"
					    "- {name: ask, commands: [curl], decision: approve}\n");
	struct policy *bare = pol_open(HEAD "command_rules:\n- {name: few, commands: [ld.so, ls], decision: allow}\n");

	assert_verdict(LOAD(list, "/bin/cat", "/w/cat", "x"), POL_ALLOW, "few");
	assert_verdict(LOAD(list, "/bin/cat", "/w/rm", "-r"), POL_DENY, "no-rm");
	assert_verdict(LOAD(list, "/bin/rm", "/w/ls", "-r"), POL_DENY, "no-rm");
	assert_verdict(LOAD(list, "/bin/id", "/w/ls"), POL_DENY, "default-deny-commands");
	assert_verdict(LOAD(list, "/bin/busybox", "--argv0", "cat", "/w/ls"), POL_DENY, "default-deny-commands");
	/* not known: the strictest that it could be */
	assert_verdict(LOAD(list, NULL, "/w/ls", "-r"), POL_DENY, "no-rm");
	assert_verdict(LOAD(list, NULL, "/w/ls", "-x"), POL_APPROVE, "ask");
	assert_verdict(LOAD(list, NULL, "/w/curl", "-r"), POL_DENY, "no-rm");
	assert_verdict(LOAD(list, "/bin/cat", "ls"), POL_APPROVE, "ask");
	/* nor are the arguments behind an option that is not known */
	assert_verdict(LOAD(list, "/bin/cat", "--new", "/bin/cat"), POL_DENY, "no-rm");
	for (int known = 0; known < 2; known++) {
		const char *argv[] = { "/w/ls", "-x" };
		struct pol_exec q = { .given = "/w/ls", .resolved = "/w/ls", .argv = argv, .argc = 2, .unknown = !known };

		assert_verdict(policy_exec(list, &q), known ? POL_ALLOW : POL_APPROVE, known ? "few" : "ask");
		argv[1] = "-r";
		assert_verdict(policy_exec(list, &q), known ? POL_ALLOW : POL_DENY, known ? "few" : "no-rm");
		assert_verdict(policy_exec(bare, &q), known ? POL_ALLOW : POL_DENY, known ? "few" : "default-deny-commands");
	}
	policy_close(list);
	assert_verdict(LOAD(p, "/bin/rm", "/w/lnk"), POL_DENY, "no-rm");
	assert_verdict(LOAD(p, "/bin/dash", "/w/lnk", "-c", "rm x"), POL_DENY, "no-rm");
	assert_verdict(LOAD(p, "/bin/ls", "/w/lnk"), POL_ALLOW, "all");
	/* a loader that one loads: which file it takes is not looked up */
	assert_verdict(LOAD(p, "/lib/ld.so", "/w/lnk", "/bin/ls"), POL_DENY, "no-rm");
	assert_verdict(LOAD(bare, NULL, "/w/ls"), POL_DENY, "default-deny-commands");
	assert_verdict(LOAD(bare, "/bin/ls", "/w/ls"), POL_ALLOW, "few");
	assert_verdict(LOAD(bare, "/bin/ls", "--preload"), POL_DENY, "default-deny-commands");
	policy_close(bare);
	/* a loader below has its own exec */
	asked_for = 0;
	assert_verdict(load(p, "/bin/rm", (const char *const[]){ "env", "ld.so", "/w/lnk", NULL }), POL_ALLOW, "all");
	assert_int_equal(asked_for, 0);
}

static void test_line_feeds_and_what_matched(void **state UNUSED)
{
	struct pol_verdict v = RUN("git", "push", "a\nb", "--force", "x");

	assert_verdict(v, POL_REDIRECT, "no-force");
	v = RUN("sh", "-c", "curl 'a b' c");
	assert_verdict(v, POL_APPROVE, "ask-curl");
	assert_string_equal(v.command, "curl");
	assert_int_equal(v.argc, 3);
	assert_string_equal(v.argv[1], "a b");
	v = RUN("curl", "z");
	assert_int_equal(v.argc, 2);
	assert_string_equal(v.argv[1], "z");
}

static void test_arguments(void **state UNUSED)
{
	struct pol_verdict v = RUN("git", "push", "origin", "--force");
	char *pad = malloc(3u << 20);

	assert_verdict(v, POL_REDIRECT, "no-force");
	assert_string_equal(v.redirect_to, "echo");
	assert_string_equal(v.redirect_args[0], "no");
	assert_string_equal(v.redirect_append[0], "{{.Args}}");
	assert_verdict(RUN("git", "push", "--force-with-lease"), POL_ALLOW, "all");
	assert_verdict(RUN("git", "pull"), POL_ALLOW, "all");
	/* what is matched is all of it */
	memset(pad, 'x', 3u << 20);
	pad[100000] = 0;
	assert_verdict(RUN("git", "push", pad, "--force"), POL_REDIRECT, "no-force");
	pad[100000] = 'x';
	pad[(3u << 20) - 1] = 0;
	assert_verdict(RUN("git", "pull", pad), POL_ALLOW, "all");
	assert_verdict(RUN("git", "push", pad, "--force"), POL_REDIRECT, "no-force");
	free(pad);
}

static void test_depth(void **state UNUSED)
{
	static const char *const tool[] = { "tool", NULL }, *const deep[] = { "deeptool", NULL };

	assert_verdict(run(NULL, 0, tool), POL_DENY, "deep");
	assert_verdict(run(NULL, 1, tool), POL_ALLOW, "all");
	for (uint32_t d = 0; d < 6; d++)
		assert_int_equal(run(NULL, d, deep).decision, d == 2 || d == 3 ? POL_DENY : POL_ALLOW);
}

static void test_through(void **state UNUSED)
{
	static const char *const no[][9] = {
		{ "sh", "-c", "rm -rf x" }, { "/bin/bash", "-euxc", "rm x" }, { "sh", "-c", "'r''m' x" }, { "dash", "-c", "\"rm\" x" }, { "env", "rm" },
		{ "env", "-i", "A=b", "rm", "x" }, { "nice", "rm" }, { "nice", "-n", "5", "rm", "x" }, { "nohup", "rm" }, { "timeout", "5", "rm", "x" },
		{ "timeout", "-s", "9", "5", "rm", "x" }, { "xargs", "rm" }, { "xargs", "-0", "rm", "-f" }, { "setsid", "-w", "rm" }, { "stdbuf", "-o0", "rm" },
		{ "busybox", "rm", "x" }, { "sudo", "rm" }, { "time", "rm" }, { "command", "rm" }, { "taskset", "1", "rm" }, { "ionice", "-c", "3", "rm" },
		{ "/lib64/ld-linux-x86-64.so.2", "/bin/rm", "x" }, { "/lib/ld-musl-x86_64.so.1", "--argv0", "x", "/bin/rm" }, { "env", "sh", "-c", "nice rm" },
		{ "sh", "-c", "sh -c 'rm x'" }, { "chroot", "/", "rm" }, { "watch", "rm" }, { "doas", "rm" }, { "exec", "rm" },
	};

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (strcmp(run(NULL, 0, no[i]).rule, "no-rm") != 0)
			fail_msg("case %zu: %s %s ... got %s", i, no[i][0], no[i][1], run(NULL, 0, no[i]).rule);
	/* a shell under another name is seen by its file */
	assert_verdict(run("/bin/dash", 0, (const char *const[]){ "notashell", "-c", "rm x", NULL }), POL_DENY, "no-rm");
	assert_verdict(RUN("sh", "-c", "curl x"), POL_APPROVE, "ask-curl");
	assert_verdict(RUN("env", "git", "push", "--force"), POL_REDIRECT, "no-force");
	/* what only mentions it runs something else; what is not simple is judged when it runs */
	assert_verdict(RUN("sh", "-c", "echo rm"), POL_ALLOW, "all");
	assert_verdict(RUN("sh", "-c", "true; rm x"), POL_ALLOW, "all");
	assert_verdict(RUN("echo", "rm"), POL_ALLOW, "all");
	assert_verdict(RUN("sh", "rm"), POL_ALLOW, "all");
	assert_verdict(RUN("sh", "-c"), POL_ALLOW, "all");
	assert_verdict(RUN("env"), POL_ALLOW, "all");
	assert_verdict(RUN("env", "A=b"), POL_ALLOW, "all");
}

/* An inner default end does not overrule an outer allow: what runs is judged at its own exec. */
static void test_inner_end(void **state UNUSED)
{
	struct policy *keep = p;

	p = pol_open(HEAD "command_rules:\n- {name: sh, commands: [sh], decision: allow}\n");
	assert_verdict(RUN("sh", "-c", "ls"), POL_ALLOW, "sh");
	assert_verdict(RUN("ls"), POL_DENY, "default-deny-commands");
	policy_close(p);
	p = keep;
}

static void test_shapes(void **state UNUSED)
{
	char script[9000];

	memset(script, ' ', sizeof(script));
	for (size_t n = 0; n < sizeof(script) - 1; n += 257) {
		script[n] = "'\"\\a$"[n % 5];
		script[n + 1] = 0;
		RUN("sh", "-c", script);
		script[n + 1] = ' ';
	}
	for (size_t i = 0; i < sizeof(script) - 1; i++)
		script[i] = "a "[i % 2];
	script[sizeof(script) - 1] = 0;
	assert_int_equal(RUN("sh", "-c", script).decision, POL_ALLOW);
	assert_int_equal(RUN("").decision, POL_ALLOW);
	assert_int_equal(RUN("/").decision, POL_ALLOW);
	assert_int_equal(RUN("sh", "-", "c").decision, POL_ALLOW);
	assert_int_equal(RUN("env", "-", "--", "-", "").decision, POL_ALLOW);
}

static struct pol_verdict with_text(const struct policy *on, const char *command, const char *text)
{
	return policy_exec(on, &(struct pol_exec){ .given = command, .argv = (const char *const[]){ command, text, NULL }, .argc = 2 });
}

/* A pattern that a text is too dear for: what restricts holds, and nothing is allowed by it. */
static void test_too_dear(void **state UNUSED)
{
	size_t n = 2u << 20;
	char *text = malloc(n + 1);
	struct policy *on = pol_open(HEAD "command_rules:\n"
					  "- {name: no, commands: [a], args_patterns: ['x(x?){900}yy'], decision: deny}\n"
					  "- {name: ask, commands: [b], args_patterns: ['x(x?){900}yy'], decision: approve}\n"
					  "- {name: may, commands: [c], args_patterns: ['x(x?){900}yy'], decision: allow}\n"
					  "- {name: seen, commands: [d], args_patterns: ['x(x?){900}yy'], decision: audit}\n"
					  "- {name: rest, commands: [a, b], decision: allow}\n");

	memset(text, 'x', n);
	text[0] = text[1] = 'y';
	text[n] = 0;
	assert_verdict(with_text(on, "a", text), POL_DENY, "no");
	assert_verdict(with_text(on, "b", text), POL_APPROVE, "ask");
	assert_verdict(with_text(on, "c", text), POL_DENY, "default-deny-commands");
	assert_verdict(with_text(on, "d", text), POL_DENY, "default-deny-commands");
	/* control: a short one that does not match, and one that does */
	assert_verdict(with_text(on, "a", "yyx"), POL_ALLOW, "rest");
	assert_verdict(with_text(on, "c", "xyy"), POL_ALLOW, "may");
	policy_close(on);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_untrusted_names), cmocka_unit_test(test_another_name), cmocka_unit_test(test_loaded_file),
		cmocka_unit_test(test_line_feeds_and_what_matched), cmocka_unit_test(test_arguments), cmocka_unit_test(test_depth),
					    cmocka_unit_test(test_through), cmocka_unit_test(test_inner_end), cmocka_unit_test(test_shapes),
					    cmocka_unit_test(test_too_dear) };

	return cmocka_run_group_tests(tests, open_it, close_it);
}
