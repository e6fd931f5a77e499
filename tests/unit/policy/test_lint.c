/* SPDX-License-Identifier: Apache-2.0 */
/* Lints: what each finds, what none may find, and that walks over globs agree with matching every short text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "policy/lint.h"
#include "policy/lint_glob.h"
#include "policy/parse.h"
#include "tests/unit/policy/pol.h"

#define F "version: 1\nname: n\nfile_rules:\n"
#define N "version: 1\nname: n\nnetwork_rules:\n"
#define C "version: 1\nname: n\ncommand_rules:\n"
#define D ", decision: deny}\n"
#define A ", decision: allow}\n"
#define Q ", decision: approve}\n"

static struct buf found = BUF_INIT(1u << 20);

static const char *lint(const char *text)
{
	struct pol_source src = { .file = "f", .text = text, .len = strlen(text) };

	buf_reset(&found);
	buf_puts(&found, "");
	assert_int_equal(policy_lint(&src, &found), 0);
	return (const char *)found.data;
}

/* "LINE id" of each finding, a blank between. */
static void ids(const char *report, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = 0;
	for (const char *s = report; *s; s = strchr(s, '\n') + 1) {
		const char *end = strchr(s, '\n'), *id = end;

		while (*id != '[')
			id--;
		at += (size_t)snprintf(out + at, cap - at, "%s%d %.*s", at ? " " : "", atoi(strchr(s, ':') + 1), (int)(end - id - 2),
				       id + 1);
	}
}

static void expect(const char *text, const char *want)
{
	char got[2000];

	ids(lint(text), got, sizeof(got));
	if (strcmp(got, want) != 0)
		fail_msg("%s\n-> %s\n   expected \"%s\"\n%s", text, got, want, (const char *)found.data);
}

static void test_files(void **state UNUSED)
{
	expect(F "- {name: a, paths: ['/x/**']" A "- {name: b, paths: ['/x/y', '/x/*/z']" D, "5 shadowed-rule");
	expect(F "- {name: a, paths: ['/x/*', '/x/**/*']" A "- {name: b, paths: ['/x/**']" D,
	       "5 shadowed-rule"); /* no path ends in a slash */
	expect(F "- {name: a, paths: ['/x/a*', '/x/[!a]*']" A "- {name: b, paths: ['/x/*']" D, "5 shadowed-rule");
	expect(F "- {name: a, paths: ['/x/a*', '/x/[!ab]*']" A "- {name: b, paths: ['/x/*']" D, "");
	expect(F "- {name: a, paths: ['/x/**']" A "- {name: b, paths: ['/x/y', /z]" D, "5 shadowed-entry");
	expect(F "- {name: a, paths: ['/x/**']" A "- {name: b, paths: ['/x/y']" Q, "5 unreachable-approve");
	expect(F "- {name: a, paths: ['/x/**']" D "- {name: b, paths: ['/x/y']" Q, "5 shadowed-rule");
	expect(F "- {name: a, paths: ['/x/**'], operations: [read]" A "- {name: b, paths: ['/x/**']" D, "");
	expect(F "- {name: a, paths: ['/x/**'], operations: [read]" A "- {name: b, paths: ['/x/y'], operations: [read, write]" D, "");
	expect(F "- {name: a, paths: ['/x/**'], operations: [read]" A "- {name: b, paths: ['/x/y', /z], operations: [read, write]" D,
	       "5 shadowed-entry");
	expect(F "- {name: a, paths: ['/x/**'], operations: [read]" A "- {name: b, paths: ['/x/y', /z], operations: [read, write]" A, "");
	expect(F "- {name: a, paths: ['/x/y', '/x/y']" A, "");
	expect(F "- {name: a, paths: ['${PROJECT_ROOT}/**']" A "- {name: b, paths: ['**/.env']" D, "5 shadowed-in-workspace");
	expect(F "- {name: b, paths: ['**/.env']" D "- {name: a, paths: ['${PROJECT_ROOT}/**']" A, "");
	expect(F "- {name: a, paths: ['**/.env.example']" A "- {name: b, paths: ['**/.env*']" D "- {name: c, paths: ['/workspace/**']" A,
	       "");
	expect(F "- {name: a, paths: ['/workspace/**'], operations: [write]" A "- {name: b, paths: ['**']" D, "");
	expect(F "- {name: a, paths: ['${ONE}/**']" A "- {name: b, paths: ['${TWO}/**']" D, ""); /* equal on no machine that matters */
	expect(F "- {name: a, paths: ['${ONE}/**']" A "- {name: b, paths: ['${ONE}/x']" D, "5 shadowed-rule");
	expect(F "- {name: a, paths: ['**']" A "- {name: b, paths: ['**/']" D, ""); /* matches no path: no other rule's doing */
	expect(F "- {name: a, paths: [/x/b]" A "- {name: b, paths: [/x/a]" A, "");
}

#define GIT "'**/.git/hooks', '**/.git/hooks/**'"
/* What is excepted from a rule is no fault of it; what a wider one takes of reading and writing is. */
static void test_exceptions(void **state UNUSED)
{
	expect(F "- {name: a, paths: ['**/.git/hooks'], operations: [mkdir]" A "- {name: b, paths: [" GIT "]" D, "");
	expect(F "- {name: a, paths: ['**/.git/hooks'], operations: [read, write]" A "- {name: b, paths: [" GIT "]" D, "");
	expect(F "- {name: a, paths: ['**/hooks'], operations: [read]" A "- {name: b, paths: [" GIT "]" D, "5 shadowed-entry");
	expect(F "- {name: a, paths: ['**/hooks'], operations: [chmod, delete]" A "- {name: b, paths: [" GIT "]" D, "");
	expect(F "- {name: a, paths: ['**/.git/hooks', '/y'], operations: [read]" A "- {name: b, paths: [" GIT "]" D, "5 shadowed-entry");
	expect(F "- {name: a, paths: ['**/.git/hooks']" A "- {name: b, paths: [" GIT "]" D, "5 shadowed-entry");
	/* Of what the exception leaves, a wider rule takes something all the same. */
	expect(F "- {name: w, paths: ['/workspace/**'], operations: [read, open]" A
	       "- {name: a, paths: ['**/.git/hooks/x'], operations: [read]" A
		"- {name: b, paths: [" GIT "]" D, "6 shadowed-in-workspace");
	expect(F "- {name: a, paths: ['/workspace/**/.env'], operations: [read]" A "- {name: b, paths: ['**/.env']" D, "");
	/* Nobody is asked at stat: that is nothing left to an entry of a rule that asks. */
	expect(F "- {name: a, paths: ['/x/**'], operations: [open, chmod]" A
	       "- {name: b, paths: ['/x/y', '/z'], operations: [open, stat]" Q, "5 shadowed-entry");
	expect(F "- {name: a, paths: ['/x/**'], operations: [open, chmod]" A
	       "- {name: b, paths: ['/x/y', '/z'], operations: [open, list]" Q, "");
	expect(F "- {name: a, paths: ['/workspace/**'], operations: [read, open, write]" A
	       "- {name: b, paths: ['**/.env']" Q, "5 shadowed-in-workspace");
}

static void test_trees(void **state UNUSED)
{
	expect(F "- {name: a, paths: ['/x/**']" A "- {name: b, paths: ['**']" D, "4 tree-without-root");
	expect(F "- {name: a, paths: ['/x/**', '/x']" A "- {name: b, paths: ['**']" D, "");
	expect(F "- {name: a, paths: ['/x/**']" A, "");
	expect(F "- {name: a, paths: ['/x/**'], operations: [read, stat]" A "- {name: b, paths: ['**']" D, "");
	expect(F "- {name: a, paths: ['/x/y/**']" D "- {name: b, paths: ['/x/**']" A, "4 tree-without-root");
	expect(F "- {name: a, paths: ['/x/y', '/x/y/**']" D "- {name: b, paths: ['/x/**']" A, "");
	expect(F "- {name: a, paths: ['/x/y/**'], operations: [list, read]" D
	       "- {name: b, paths: ['/x/*'], operations: [list, stat]" A, "");
	expect(F "- {name: a, paths: ['/x/y/**'], operations: [list, read]" D "- {name: b, paths: ['/x/*']" A, "4 tree-without-root");
	lint(F "- {name: a, paths: ['${HOME}/x/**']" A "- {name: b, paths: ['**']" D);
	assert_non_null(strstr((const char *)found.data, "\"${HOME}/x/**\" of rule \"a\""));
}

static void test_nets(void **state UNUSED)
{
	expect(N "- {name: a, domains: ['*.x.y']" A "- {name: b, domains: [a.x.y]" D, "5 shadowed-rule");
	expect(N "- {name: a, domains: ['*.x.y']" A "- {name: b, domains: [a.x.y, a.b.x.y]" D, "5 shadowed-entry");
	expect(N "- {name: a, domains: ['**.x.y']" A "- {name: b, domains: ['*.b.x.y']" D, "5 shadowed-rule");
	expect(N "- {name: a, domains: ['*.b.x.y']" A "- {name: b, domains: ['**.x.y']" D, "");
	expect(N "- {name: a, domains: ['*']" A "- {name: b, domains: [a.x.y]" D, "5 shadowed-rule");
	expect(N "- {name: a, domains: ['*'], ports: [80]" A "- {name: b, domains: [a.x.y], ports: [80, 443]" D, "5 shadowed-entry");
	expect(N "- {name: a, ports: [80]" A "- {name: b, domains: [a.x.y]" D, "");
	/* A name is asked for without a port: a denial of ports leaves that to the next rule. */
	expect(N "- {name: a, domains: [a.b], ports: [80]" D "- {name: b, domains: [a.b], ports: [80]" A, "");
	expect(N "- {name: a, domains: [a.b], ports: [80]" D "- {name: b, domains: [a.b], ports: [80]" D, "5 shadowed-rule");
	expect(N "- {name: a, cidrs: [10.0.0.0/8]" D "- {name: b, cidrs: [10.1.0.0/16]" A, "5 shadowed-rule");
	expect(N "- {name: a, cidrs: [10.1.0.0/16]" D "- {name: b, cidrs: [10.0.0.0/8]" A, "");
	expect(N "- {name: a, cidrs: [10.0.0.0/8]" D "- {name: b, cidrs: [10.1.0.0/16, 11.0.0.0/8]" D, "5 shadowed-entry");
	expect(N "- {name: a, cidrs: ['::/0']" D "- {name: b, cidrs: [10.1.0.0/16]" A, "");
	expect(N "- {name: a, cidrs: [10.0.0.0/8, 11.0.0.0/8]" D "- {name: b, domains: [x.y], cidrs: [10.1.0.0/16, 11.1.0.0/16]" A,
	       "5 shadowed-rule");
	/* An address without a name is no matter for a rule of names. */
	expect(N "- {name: a, domains: ['*']" A "- {name: b, cidrs: [10.0.0.0/8]" D, "");
	expect(N "- {name: a, ports: [443]" A "- {name: b, cidrs: [10.0.0.0/8], ports: [443]" D, "");
	expect(N "- {name: a" D "- {name: b, cidrs: [10.0.0.0/8], ports: [443]" A, "5 shadowed-rule");
	expect(N "- {name: a, domains: [a.b, '*.b']" A "- {name: b, domains: ['*.b', c.b]" Q, "5 unreachable-approve");
}

static void test_execs(void **state UNUSED)
{
	expect(C "- {name: a, commands: [git, npm]" A "- {name: b, commands: [npm]" D, "5 shadowed-rule");
	expect(C "- {name: a, commands: [NPM]" A "- {name: b, commands: [npm, pip], args_patterns: [x]" Q, "5 shadowed-entry");
	expect(C "- {name: a, commands: [npm], args_patterns: [x]" A "- {name: b, commands: [npm]" D, "");
	expect(C "- {name: a, commands: [npm], args_patterns: [x]" A "- {name: b, commands: [npm], args_patterns: [x]" D,
	       "5 shadowed-rule");
	expect(C "- {name: a, commands: [npm], args_patterns: [y, x]" A "- {name: b, commands: [npm], args_patterns: [x]" D,
	       "5 shadowed-rule");
	expect(C "- {name: a, commands: [npm], args_patterns: [y]" A "- {name: b, commands: [npm], args_patterns: [x, y]" D, "");
	expect(C "- {name: a, commands: [npm], context: [direct]" A "- {name: b, commands: [npm]" D, "");
	expect(C "- {name: a, commands: [npm]" A "- {name: b, commands: [npm], context: [direct]" D, "5 shadowed-rule");
	expect(C "- {name: a, commands: ['mkfs*']" A "- {name: b, commands: [mkfs.ext4, 'mkfs.*']" D, "5 shadowed-rule");
	expect(C "- {name: a, commands: ['mkfs.*']" A "- {name: b, commands: ['mkfs*']" D, "");
	expect(C "- {name: a, commands: [git]" A "- {name: b, commands: [/usr/bin/git, /opt/hg]" D, "5 shadowed-entry");
	expect(C "- {name: a, commands: [/usr/bin/git]" A "- {name: b, commands: [git]" D, "");
	expect(C "- {name: a, commands: ['/usr/**']" A "- {name: b, commands: [/usr/bin/git]" D, "5 shadowed-rule");
	expect(C "- {name: a, commands: ['*']" A "- {name: b, commands: ['/usr/**']" D, "5 shadowed-rule");
	expect(C "- {name: a" A "- {name: b, commands: [git, /x/y]" Q, "5 unreachable-approve");
	expect(C "- {name: a, commands: ['*']" A "- {name: b" Q, "5 unreachable-approve");
	expect(C "- {name: a, commands: ['[a-m]*', '[!a-m]*']" A "- {name: b, commands: ['*x']" D, "5 shadowed-rule");
	expect(C "- {name: a, commands: ['[']" A "- {name: b, commands: [test]" D, "");
}

static void test_words(void **state UNUSED)
{
	static const struct { const char *pattern, *id;
	} t[] = {
		{ "install*", "4 glob-as-regex" },
		{ "install.*", "" },
		{ "in(stall)*", "" },
		{ "push.*-f", "" },
		{ "push -*f", "4 glob-as-regex" },
		{ "x^a", "4 regex-never-matches" },
		{ "x*^a", "" },
		{ "(^|\\s)-f(\\s|$)", "" },
		{ "a$b", "4 regex-never-matches" },
		{ "a$", "" },
		{ "a$|b", "" },
		{ "\\$b", "" },
		{ "[$]b", "" },
		{ "a[^b]c", "" },
		{ "^rm -rf", "4 regex-never-matches" },
		{ "^rm$", "" },
		{ "^-rf", "" },
		{ "(?m)a$b", "" },
		{ "^\\s*^a", "" },
		{ "a$b?", "" },
		{ "^rm\\s", "4 regex-never-matches" },
		{ "(a|b$)c", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char *pattern[] = { (char *)(uintptr_t)t[i].pattern }, *rm[] = { (char[]){ "rm" } }, got[200];
		struct rule u = { .name = (char[]){ "a" }, .commands = { rm, 1 }, .args_patterns = { pattern, 1 }, .line = 4 };
		struct model m = { .file = (char[]){ "f" }, .execs = { &u, 1 } };

		buf_reset(&found);
		buf_puts(&found, "");
		lint_model(&m, NULL, &found);
		ids((const char *)found.data, got, sizeof(got));
		if (strcmp(got, t[i].id) != 0)
			fail_msg("%s: %s, expected %s", t[i].pattern, got, t[i].id);
	}
	expect(F "- {name: a, paths: ['/proc/kcore', '/x']" D "- {name: b, paths: ['/proc/**']" A, "4 not-enforceable");
	expect(F "- {name: a, paths: ['/procs/**']" D, "");
	expect(F "- {name: a, paths: ['/x/**'], operations: [write], decision: soft_delete}\n", "4 not-enforceable");
	expect(F "- {name: a, paths: ['/x/**'], operations: [delete, write], decision: soft_delete}\n", "");
	expect(F "- {name: a, paths: ['/x/**'], operations: [stat]" Q, "4 not-enforceable");
	expect(F "- {name: a, paths: ['/x/**'], operations: [stat, open]" Q, "");
}

/* A value that ends in slashes, as the root does, doubles none that follows. */
static void test_roots(void **state UNUSED)
{
	static const char *const t[][2] = { { "${R}/**", "/**" }, { "${R}", "/" }, { "${S}/x", "/a/b/x" }, { "${S}", "/a/b//" },
					    { "/x/${S}", "/x//a/b//" }, { "${NO:-/}/x", "/x" }, { "${R}x/${R}", "/x//" } };
	static const struct pol_var vars[] = { { "R", "/" }, { "S", "/a/b//" } };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct buf diag = BUF_INIT(1u << 16), text = BUF_INIT(1u << 16);
		struct pol_source src = { .file = "f", .vars = vars, .n_vars = 2 };
		struct diag d = { .file = "f", .out = &diag };
		struct model m = { 0 };

		buf_printf(&text, F "- {name: a, paths: ['%s']" A, t[i][0]);
		src.text = (const char *)text.data;
		src.len = text.len;
		assert_int_equal(parse_source(&src, &d, false, &m), 0);
		assert_string_equal(m.files.v[0].paths.v[0], t[i][1]);
		model_fini(&m);
		buf_fini(&text);
		buf_fini(&diag);
	}
}

#define SIG(...) { .name = (char[]){ "s" }, .line = 1, __VA_ARGS__ }
static size_t count_signals(struct signal_rule *v, size_t n)
{
	struct model m = { .name = (char[]){ "n" }, .signals = v, .n_signals = n };
	size_t lines = 0;

	buf_reset(&found);
	lint_model(&m, NULL, &found);
	for (size_t i = 0; i < found.len; i++)
		lines += found.data[i] == '\n';
	return lines;
}

static void test_signals(void **state UNUSED)
{
	struct signal_rule both[] = { SIG(.signals = 3, .targets = 6), SIG(.signals = 1, .targets = 2) };
	struct signal_rule two[] = { SIG(.signals = 1), SIG(.signals = 2), SIG(.signals = 3, .targets = 4) };
	struct signal_rule more[] = { SIG(.signals = 1, .targets = 2), SIG(.signals = 3, .targets = 2), SIG(.signals = 1) };
	struct signal_rule ranges[] = { SIG(.signals = 1, .targets = 1u << POL_T_PID_RANGE, .min = 5, .max = 9),
					SIG(.signals = 1, .targets = 1u << POL_T_PID_RANGE, .min = 6, .max = 9),
					SIG(.signals = 1, .targets = 1u << POL_T_PID_RANGE, .max = 6) };

	assert_int_equal(count_signals(both, 2), 1);
	assert_int_equal(count_signals(two, 3), 1);
	assert_int_equal(count_signals(more, 3), 0);
	assert_int_equal(count_signals(ranges, 3), 1);
}

static void test_others(void **state UNUSED)
{
	char *paths[] = { (char[]){ "/run/*.sock" }, (char[]){ "/run/a.sock" }, (char[]){ "@x/" } };
	struct rule unixes[] = { { .name = (char[]){ "a" }, .decision = POL_ALLOW, .ops = 1, .paths = { paths, 1 }, .line = 1 },
				 { .name = (char[]){ "b" }, .ops = 1, .paths = { paths + 1, 2 }, .line = 2 },
				 { .name = (char[]){ "c" }, .ops = 1, .paths = { paths + 1, 1 }, .line = 3 } };
	struct redirect_rule dns[] = { { .name = (char[]){ "r" }, .match = (char[]){ ".*" } },
				       { .name = (char[]){ "q" }, .match = (char[]){ "x" }, .line = 7 } };
	char *get[] = { (char[]){ "GET" } }, *api[] = { (char[]){ "/api/**" }, (char[]){ "/api/x" } };
	struct rule_more all = { .url_paths = { api, 1 } }, one = { .methods = { get, 1 }, .url_paths = { api + 1, 1 } };
	struct rule asked[] = { { .name = (char[]){ "s" }, .decision = POL_ALLOW, .more = &all, .line = 8 },
				{ .name = (char[]){ "t" }, .more = &one, .line = 9 },
				{ .name = (char[]){ "u" }, .line = 10 } };
	struct service service = { .rules = { asked, 3 } };
	struct model m = { .name = (char[]){ "n" },
			   .file = (char[]){ "f" },
			   .unixes = { unixes, 3 },
			   .dns = dns,
			   .n_dns = 2,
			   .services = &service,
			   .n_services = 1 };
	char got[400];

	buf_reset(&found);
	lint_model(&m, NULL, &found);
	ids((const char *)found.data, got, sizeof(got));
	assert_string_equal(got, "2 shadowed-entry 3 shadowed-rule 7 shadowed-rule 9 shadowed-rule");
}

static void test_conditions(void **state UNUSED)
{
	char *path[] = { (char[]){ "/x" } }, *npm[] = { (char[]){ "npm" } };
	struct rule_more by = { .processes = { npm, 1 } };
	struct rule v[] = { { .name = (char[]){ "a" }, .decision = POL_ALLOW, .ops = 1, .paths = { path, 1 }, .line = 1, .more = &by },
		{ .name = (char[]){ "b" }, .ops = 1, .paths = { path, 1 }, .line = 2, .more = &by },
		{ .name = (char[]){ "c" }, .ops = 1, .paths = { path, 1 }, .line = 3 } };
	struct model m = { .name = (char[]){ "n" }, .file = (char[]){ "f" }, .files = { v, 3 } };
	char got[400];

	/* Not known who asks: the allowing one does not match, the denying one does. */
	buf_reset(&found);
	buf_puts(&found, "");
	lint_model(&m, NULL, &found);
	ids((const char *)found.data, got, sizeof(got));
	assert_string_equal(got, "");
	v[0].decision = POL_DENY;
	v[1].decision = POL_ALLOW;
	lint_model(&m, NULL, &found);
	ids((const char *)found.data, got, sizeof(got));
	assert_string_equal(got, "2 shadowed-rule");
	/* A policy takes what the one that it extends decides: that is what extending is for. */
	v[0].more = v[1].more = NULL;
	v[1].file = 1;
	v[2].file = 2;
	buf_reset(&found);
	buf_puts(&found, "");
	lint_model(&m, NULL, &found);
	assert_int_equal(found.len, 0);
}

/* --- walks against every text of up to six of a few bytes --- */

static const char *const some[] = { "/a",	 "/a/*",     "/**",	"/a/**", "/*/b",   "/**/b",
				    "/[ab]/*",	 "/{a,b/a}", "/?",	"/a*",	 "/**a",   "/{a,b}/{a*,*b}",
				    "/a/?b",	 "/[!a]*",   "/\\a",	"/a.b",	 "/*.*",   "/.a",
				    "/[!.]*/**", "/*",	     "/b/**/a", "/**/",	 "/a/{,b}" };
#define SOME ARRAY_LEN(some)

static bool one_open(void *arg, const uint32_t *hit UNUSED, size_t n)
{
	*(bool *)arg |= n == 0;
	return true;
}

static bool valid(const char *s)
{
	return s[0] == '/' && !strstr(s, "//") && s[strlen(s) - 1] != '/';
}

/* Whether some short text is matched by a, and by neither b nor c. */
static bool open_by_trying(const char *a, const char *b, const char *c)
{
	static const char bytes[] = "/.ab";
	char text[8];

	for (size_t len = 1; len <= 6; len++)
		for (unsigned code = 0; code < 1u << 2 * len; code++) {
			for (size_t i = 0; i < len; i++)
				text[i] = bytes[code >> 2 * i & 3];
			text[len] = 0;
			if (valid(text) && wild_match(a, text, '/') && !wild_match(b, text, '/') && !wild_match(c, text, '/'))
				return true;
		}
	return false;
}

static void test_walks(void **state UNUSED)
{
	struct globs g = { .sep = '/', .paths = true };
	uint64_t left = 100000000;
	uint32_t seed = 7;

	for (size_t i = 0; i < SOME; i++)
		assert_int_equal(globs_add(&g, some[i]), i);
	for (int i = 0; i < 600; i++) {
		uint32_t a, two[2];
		bool open = false;

		seed = seed * 1103515245u + 12345u;
		a = (seed >> 16) % SOME;
		seed = seed * 1103515245u + 12345u;
		two[0] = (seed >> 16) % (SOME - 1);
		two[1] = two[0] + 1 + (seed >> 8) % (SOME - 1 - two[0]);
		if (a == two[0] || a == two[1])
			continue;
		assert_int_equal(globs_walk(&g, a, two, 2, NULL, one_open, &open, &left), 0);
		if (open != open_by_trying(some[a], some[two[0]], some[two[1]]))
			fail_msg("%s without %s and %s: %d", some[a], some[two[0]], some[two[1]], open);
	}
	left = 3;
	assert_int_equal(globs_walk(&g, 3, (uint32_t[]){ 2 }, 1, NULL, one_open, &(bool){ false }, &left), -ETIME);
	globs_fini(&g);
}

static bool first_one(void *arg, const uint32_t *hit, size_t n)
{
	*(uint32_t *)arg |= 1u << (n ? hit[0] : 31);
	return true;
}

/* What ranks let a walk pass over changes nothing of who is first, and is not walked. */
static void test_ranks(void **state UNUSED)
{
	static const char *const v[] = { "/a/*", "**/a/**", "**/b/**", "**/c/**", "**/d/**", "**/e/**", "**/f/**", "**/g/**", "**/x" };
	struct grank ranks[ARRAY_LEN(v)];
	uint32_t others[ARRAY_LEN(v)], plain = 0, ranked = 0, must = ARRAY_LEN(v) - 1;
	struct globs g = { .sep = '/', .paths = true };
	uint64_t left = 100000000, was = left, cost;

	for (uint32_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_int_equal(globs_add(&g, v[i]), i);
		ranks[i] = (struct grank){ i, 1 };
		others[i] = i;
	}
	assert_int_equal(globs_walk(&g, must, others, must, NULL, first_one, &plain, &left), 0);
	cost = was - left;
	g.ranks = ranks;
	g.care = 1;
	was = left;
	assert_int_equal(globs_walk(&g, must, others, must, NULL, first_one, &ranked, &left), 0);
	assert_int_equal(plain, ranked);
	assert_int_equal(plain, 1u << 31 | 0xff);
	assert_true((was - left) * 8 < cost);
	globs_fini(&g);
}

/* What people write is looked at as a whole: a hundred rules, five hundred globs, and trees that can lie within each other. */
static void test_usual(void **state UNUSED)
{
	struct buf text = BUF_INIT(1u << 20);

	buf_puts(&text, F);
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "- {name: f%d, paths: ['**/.a%d%s', '**/b%d_*', '**/*.c%d', '/h/*/d%d/**', '/e/f%d/*'], decision: %s}\n",
			   i, i, i % 5 ? "" : "/**", i, i, i, i, i % 3 ? "deny" : "approve");
	buf_puts(&text, "- {name: all, paths: ['/**'], decision: allow}\n- {name: last, paths: ['**/.a5/x', '/y']" D);
	lint((const char *)text.data);
	buf_fini(&text);
	assert_null(strstr((const char *)found.data, "not-looked-at"));
	assert_non_null(strstr((const char *)found.data, "rule \"last\" can never decide"));
}

/* Paths that begin in their own ways are all compared, however many there are. */
static void test_many(void **state UNUSED)
{
	struct buf text = BUF_INIT(16u << 20);

	buf_puts(&text, HEAD "file_rules:\n");
	for (int i = 0; i < 90000; i++)
		buf_printf(&text, "- {name: f%d, paths: [/d%d/x], decision: allow}\n", i, i);
	buf_puts(&text, "- {name: last, paths: [/d77/x], decision: deny}\n");
	lint((const char *)text.data);
	buf_fini(&text);
	assert_non_null(strstr((const char *)found.data, ":90004:"));
	assert_non_null(strstr((const char *)found.data, "rule \"last\" can never decide: rule \"f77\" (line 81) takes first"));
	assert_ptr_equal(strchr((const char *)found.data, '\n') + 1, found.data + found.len);
}

/* A policy of 9,000 alike rules in each section ends in time and says what it did not look at. */
static void test_large(void **state UNUSED)
{
	struct buf text = BUF_INIT(16u << 20);
	struct timespec from, to;

	buf_puts(&text, HEAD "file_rules:\n");
	for (int i = 0; i < 9000; i++)
		buf_printf(&text, "- {name: f%d, paths: ['**/d%d*/x'], decision: allow}\n", i, i);
	buf_puts(&text, "network_rules:\n");
	for (int i = 0; i < 9000; i++)
		buf_printf(&text, "- {name: n%d, domains: ['*.d%d.org'], decision: allow}\n", i, i);
	buf_puts(&text, "command_rules:\n");
	for (int i = 0; i < 9000; i++)
		buf_printf(&text, "- {name: c%d, commands: [c%d], decision: allow}\n", i, i);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	lint((const char *)text.data);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	assert_non_null(strstr((const char *)found.data, "file rules are too many to compare: from rule \"f"));
	assert_non_null(strstr((const char *)found.data, "network rules are too many"));
	assert_non_null(strstr((const char *)found.data, "command rules are too many"));
	assert_true(to.tv_sec - from.tv_sec < 60); /* with sanitizers; a tenth without */
	buf_fini(&text);
	buf_fini(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files), cmocka_unit_test(test_exceptions), cmocka_unit_test(test_trees), cmocka_unit_test(test_nets),
		cmocka_unit_test(test_execs), cmocka_unit_test(test_words), cmocka_unit_test(test_signals), cmocka_unit_test(test_others),
		cmocka_unit_test(test_conditions), cmocka_unit_test(test_walks), cmocka_unit_test(test_roots),
		cmocka_unit_test(test_ranks), cmocka_unit_test(test_usual), cmocka_unit_test(test_many), cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
