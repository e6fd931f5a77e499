/* SPDX-License-Identifier: Apache-2.0 */
/* Differences of two policies: files against all short paths of random policies, the other sections by rules made to differ, each found
 * question asked again of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

#define CHANGES_MAX 512

struct found { char section[32], question[300], operations[200], side[2][300]; uint64_t questions; };
static struct found found[CHANGES_MAX];
static size_t n_found;
static char cut_text[256];

static void note(void *arg UNUSED, const struct pol_change *c)
{
	struct found *f = &found[n_found++];

	assert_true(n_found < CHANGES_MAX);
	snprintf(f->section, sizeof(f->section), "%s", c->section);
	snprintf(f->question, sizeof(f->question), "%s", c->question);
	snprintf(f->operations, sizeof(f->operations), "%s", c->operations);
	snprintf(f->side[0], sizeof(f->side[0]), "%s %s%s%s", c->before.decision, c->before.rule, c->before.more[0] ? " " : "", c->before.more);
	snprintf(f->side[1], sizeof(f->side[1]), "%s %s%s%s", c->after.decision, c->after.rule, c->after.more[0] ? " " : "", c->after.more);
	f->questions = c->questions;
}

static int diff(const char *a, const char *b, bool by_name)
{
	static const struct pol_var vars[] = { { "HOME", "/home/u" } };
	struct pol_source s[2] = { { .file = "a", .text = a, .len = strlen(a), .workspace = "/a/w", .vars = vars, .n_vars = 1 },
				   { .file = "b", .text = b, .len = strlen(b), .workspace = "/a/w", .vars = vars, .n_vars = 1 } };
	struct buf cut = BUF_INIT(256), diag = BUF_INIT(1u << 16);
	int r;

	n_found = 0;
	r = policy_diff(&s[0], &s[1], by_name, note, NULL, &cut, &diag);
	if (r >= 0)
		assert_int_equal(r, n_found);
	else
		assert_true(diag.len > 0);
	snprintf(cut_text, sizeof(cut_text), "%s", cut.data ? (const char *)cut.data : "");
	buf_fini(&cut);
	buf_fini(&diag);
	return r;
}

static struct policy *open_text(const char *text)
{
	struct pol_source src = { .file = "f", .text = text, .len = strlen(text), .workspace = "/a/w" };
	struct buf diag = BUF_INIT(1u << 16);
	struct policy *p = NULL;
	struct err err = { 0 };
	uint8_t hash[32];
	int fd;

	if (policy_compile(&src, &diag, &fd, hash) != 0)
		fail_msg("%s%s", text, (const char *)diag.data);
	assert_int_equal(policy_open(fd, hash, &p, &err), 0);
	close(fd);
	buf_fini(&diag);
	return p;
}

static uint32_t seed = 12345;
static unsigned below(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void random_glob(char *out, size_t cap)
{
	static const char *const piece[] = { "a", "b", "/a", "/b", "/*", "/**", "*", "/.a", "/[ab]", "/{a,b}", "/[!a]", "?", "/w", "/a/w", "/workspace",
					     "/..a" };
	size_t n = (size_t)snprintf(out, cap, "%s", below(4) ? "" : "/workspace");

	for (unsigned i = 1 + below(3); i > 0; i--)
		n += (size_t)snprintf(out + n, cap - n, "%s", piece[below(ARRAY_LEN(piece))]);
	if (out[0] != '/')
		snprintf(out, cap, "/a");
}

static void random_policy(char *out, size_t cap)
{
	static const char *const decision[] = { "allow", "deny", "approve", "audit", "soft_delete" };
	static const char *const ops[] = { "", ", operations: [read]", ", operations: [read, write]", ", operations: [create, delete, open]" };
	size_t n = (size_t)snprintf(out, cap, HEAD "file_rules:\n");

	for (unsigned i = 0, rules = 1 + below(4); i < rules; i++) {
		char glob[2][100];

		random_glob(glob[0], sizeof(glob[0]));
		random_glob(glob[1], sizeof(glob[1]));
		n += (size_t)snprintf(out + n, cap - n, "- {name: r%u, paths: ['%s', '%s'], decision: %s%s}\n", i, glob[0], glob[1],
				      decision[below(ARRAY_LEN(decision))], ops[below(ARRAY_LEN(ops))]);
	}
}

static bool has_op(const char *list, const char *op)
{
	const char *s = strstr(list, op);

	for (; s; s = strstr(s + 1, op))
		if ((s == list || s[-1] == ' ') && (s[strlen(op)] == ' ' || !s[strlen(op)]))
			return true;
	return false;
}

static void say(const struct pol_verdict *v, char *out, size_t cap)
{
	snprintf(out, cap, "%s %s", pol_decision_name(v->decision), v->rule);
}

/* The change of this path must be among those found. */
static void expect(struct policy *p[2], const char *path, const char *const texts[2])
{
	for (int op = 0; op < POL_OP__COUNT; op++) {
		char side[2][300];
		bool known = false;
		struct pol_verdict v[2];

		for (int i = 0; i < 2; i++) {
			v[i] = policy_file(p[i], policy_file_path(p[i], path), (enum pol_op)op, (struct pol_who){ 0 });
			say(&v[i], side[i], sizeof(side[i]));
		}
		if (v[0].decision == v[1].decision)
			continue;
		for (size_t f = 0; f < n_found && !known; f++)
			known = !strcmp(found[f].side[0], side[0]) && !strcmp(found[f].side[1], side[1]);
		if (!known)
			fail_msg("%s %s: %s -> %s was not found\n%s\n%s", pol_op_name((enum pol_op)op), path, side[0], side[1], texts[0], texts[1]);
	}
}

/* Each found question has the answers that were said, for each operation that was said and no other. */
static void verify(struct policy *p[2])
{
	for (size_t f = 0; f < n_found; f++) {
		const char *path = strchr(found[f].question + strlen("file "), ' ') + 1;
		char side[2][300], clean[300];

		snprintf(clean, sizeof(clean), "%s", path[0] == '\'' ? path + 1 : path);
		if (path[0] == '\'')
			clean[strlen(clean) - 1] = 0;
		assert_true(clean[0] == '/' && !strstr(clean, "//") && !strstr(clean, "/./") && !strstr(clean, "/../"));
		assert_true(!clean[1] || clean[strlen(clean) - 1] != '/');
		for (int op = 0; op < POL_OP__COUNT; op++) {
			for (int i = 0; i < 2; i++) {
				struct pol_verdict v = policy_file(p[i], policy_file_path(p[i], clean), (enum pol_op)op, (struct pol_who){ 0 });

				say(&v, side[i], sizeof(side[i]));
			}
			assert_int_equal(!strcmp(found[f].side[0], side[0]) && !strcmp(found[f].side[1], side[1]),
					 has_op(found[f].operations, pol_op_name((enum pol_op)op)));
		}
	}
}

static void all_paths(struct policy *p[2], char *path, size_t n, int depth, const char *const texts[2])
{
	static const char *const names[] = { "a", "b", "w", "ab", "ba", ".a", "..a", "c", "workspace", "aa", "wa" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path + n, 300 - n, "/%s", names[i]);
		expect(p, path, texts);
		if (depth > 1)
			all_paths(p, path, strlen(path), depth - 1, texts);
	}
}

static void test_files_random(void **state UNUSED)
{
	size_t changes = 0;

	for (int round = 0; round < 60; round++) {
		char text[2][2000], path[300];
		const char *const texts[2] = { text[0], text[1] };
		struct policy *p[2];

		for (int i = 0; i < 2; i++) {
			random_policy(text[i], sizeof(text[i]));
			p[i] = open_text(text[i]);
		}
		assert_true(diff(text[0], text[1], false) >= 0);
		assert_string_equal(cut_text, "");
		changes += n_found;
		verify(p);
		expect(p, "/", texts);
		all_paths(p, path, 0, 3, texts);
		policy_close(p[0]);
		policy_close(p[1]);
	}
	assert_true(changes > 100);
}

static void test_same(void **state UNUSED)
{
	static const char a[] = HEAD "file_rules:\n- {name: a, paths: ['/a/**'], decision: deny}\nnetwork_rules:\n- {name: n, domains: ['*.a.b'], decision: allow}\n"
				     "command_rules:\n- {name: c, commands: [git], args_patterns: ['^push'], decision: deny}\n";
	static const char renamed[] = HEAD "file_rules:\n- {name: b, paths: ['/a/**'], decision: deny}\nnetwork_rules:\n- {name: n, domains: ['*.a.b'], decision: allow}\n"
					   "command_rules:\n- {name: c, commands: [git], args_patterns: ['^push'], decision: deny}\n";

	assert_int_equal(diff(a, a, true), 0);
	assert_int_equal(diff(a, renamed, false), 0);
	assert_int_equal(diff(a, renamed, true), 1);
	assert_string_equal(found[0].side[0], "deny a");
	assert_string_equal(found[0].side[1], "deny b");
	assert_true(diff(a, "version: 1\n", false) < 0);
	assert_true(diff("name: x\n", a, false) < 0);
}

/* One rule in each policy: exactly this change is found. */
static void one(const char *a, const char *b, const char *section, const char *before, const char *after, const char *question)
{
	char text[2][1000];

	snprintf(text[0], sizeof(text[0]), HEAD "%s", a);
	snprintf(text[1], sizeof(text[1]), HEAD "%s", b);
	assert_true(diff(text[0], text[1], false) > 0);
	for (size_t f = 0; f < n_found; f++)
		if (!strcmp(found[f].section, section) && !strcmp(found[f].side[0], before) && !strcmp(found[f].side[1], after) &&
		    strstr(found[f].question, question))
			return;
	for (size_t f = 0; f < n_found; f++)
		print_message("%s: %s: %s -> %s\n", found[f].section, found[f].question, found[f].side[0], found[f].side[1]);
	fail_msg("%s: %s -> %s was not found\n%s\n%s", section, before, after, text[0], text[1]);
}

static void test_files(void **state UNUSED)
{
	one("file_rules:\n- {name: r, paths: ['/a'], decision: redirect, redirect_to: /x}\n",
	    "file_rules:\n- {name: r, paths: ['/a'], decision: redirect, redirect_to: /y}\n", "file", "redirect r to /x", "redirect r to /y", "/a");
	one("file_rules:\n- {name: r, paths: ['/workspace/a b'], decision: deny}\n", "", "file", "deny r", "allow default-allow-reads",
	    "file read '/workspace/a b'");
	one("file_rules:\n- {name: r, paths: ['/a/w/k'], decision: deny}\n", "", "file", "deny r", "allow default-allow-reads",
	    "file read /workspace/k");
	/* A name of 200 bytes, and a byte that no text has. */
	one("file_rules:\n- {name: r, paths: ['/**/*.secret-and-a-long-end-that-no-short-path-has-0123456789'], decision: deny}\n", "", "file", "deny r",
	    "allow default-allow-reads", ".secret-and-a-long-end-that-no-short-path-has-0123456789");
	one("file_rules:\n- {name: r, paths: ['/[!-~]'], decision: deny}\n", "", "file", "deny r", "allow default-allow-reads", "/");
}

/* Paths that none is: dots for a name, and the workspace's names where it is judged from within. */
static void test_no_paths(void **state UNUSED)
{
	static const char *const globs[] = { "/.", "/..", "/./x", "/../x", "/a/./b", "/a/.." };
	char text[500];

	for (size_t i = 0; i < ARRAY_LEN(globs); i++) {
		snprintf(text, sizeof(text), HEAD "file_rules:\n- {name: r, paths: ['%s'], decision: deny}\n", globs[i]);
		assert_int_equal(diff(text, HEAD, false), 0);
		assert_string_equal(cut_text, "");
	}
	one("file_rules:\n- {name: r, paths: ['/...'], decision: deny}\n", "", "file", "deny r", "allow default-allow-reads", "file read /...");
	one("file_rules:\n- {name: r, paths: ['/a/..x'], decision: deny}\n", "", "file", "deny r", "allow default-allow-reads", "file read /a/..x");
	/* The workspace has two names, here one rule for each: the first of them decides, in both policies. */
	assert_int_equal(diff(HEAD "file_rules:\n- {name: r, paths: ['/a/w/k', '/workspace/k'], decision: deny}\n",
			      HEAD "file_rules:\n- {name: r, paths: ['/workspace/k'], decision: deny}\n", false), 0);
}

static void test_nets(void **state UNUSED)
{
	one("network_rules:\n- {name: r, domains: ['*.a.org'], decision: allow}\n", "", "net", "allow r", "deny default-deny-network", ".a.org:443");
	one("network_rules:\n- {name: r, domains: ['*.a.org'], decision: allow}\n", "", "dns", "allow r", "deny default-deny-network", ".a.org");
	one("network_rules:\n- {name: r, domains: ['*.a.org'], decision: allow}\n",
	    "network_rules:\n- {name: s, domains: ['**.a.org'], decision: allow}\n", "net", "deny default-deny-network", "allow s", ".a.org:443");
	one("network_rules:\n- {name: r, cidrs: [10.0.0.0/8], decision: allow}\n",
	    "network_rules:\n- {name: r, cidrs: [10.0.0.0/9], decision: allow}\n", "net", "allow r", "deny default-deny-network", "net 10.");
	one("network_rules:\n- {name: r, cidrs: ['2001:db8::/127'], decision: allow}\n", "", "net", "allow r", "deny default-deny-network",
	    "[2001:db8::]:443");
	/* The port of one and the name of the other. */
	one("network_rules:\n- {name: p, ports: [2222], decision: deny}\n- {name: r, domains: [a.org], decision: allow}\n",
	    "network_rules:\n- {name: r, domains: [a.org], decision: allow}\n", "net", "deny p", "allow r", "a.org:2222");
	/* A name at an address. */
	one("network_rules:\n- {name: p, cidrs: [10.0.0.0/8], decision: deny}\n- {name: r, domains: [a.org], decision: allow}\n",
	    "network_rules:\n- {name: r, domains: [a.org], decision: allow}\n", "net", "deny p", "allow r", "a.org@10.0.0.0:");
}

static void test_execs(void **state UNUSED)
{
	static const char all[] = "command_rules:\n- {name: all, decision: allow}\n";

	one("command_rules:\n- {name: r, commands: [git], args_patterns: ['(^|\\s)push\\b.*(--force|-f)\\b'], decision: deny}\n- {name: all, decision: allow}\n", all,
	    "exec", "deny r", "allow all", "exec git ");
	one("command_rules:\n- {name: r, commands: ['python[23]*'], decision: approve}\n- {name: all, decision: allow}\n", all, "exec", "approve r",
	    "allow all", "exec python");
	one("command_rules:\n- {name: r, commands: [/usr/bin/vi], decision: deny}\n- {name: all, decision: allow}\n", all, "exec", "deny r", "allow all",
	    "exec /usr/bin/vi");
	one("command_rules:\n- {name: r, commands: [curl], context: [nested], decision: deny}\n- {name: all, decision: allow}\n", all, "exec", "deny r",
	    "allow all", "exec depth=1 curl");
	one("command_rules:\n- {name: r, commands: [a], decision: redirect, redirect_to: {command: b, args: [x]}}\n",
	    "command_rules:\n- {name: r, commands: [a], decision: redirect, redirect_to: {command: b, args: [y]}}\n", "exec",
	    "redirect r to b args x", "redirect r to b args y", "exec a");
	one("command_rules:\n- {name: r, commands: [kubectl], args_patterns: ['^(get|list|watch|describe|explain|logs) '], decision: allow}\n"
	    "- {name: all, decision: deny}\n",
	    "command_rules:\n- {name: r, commands: [kubectl], args_patterns: ['^(get|list|watch|describe|explain) '], decision: allow}\n"
	    "- {name: all, decision: deny}\n", "exec", "allow r", "deny all", "exec kubectl logs x");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_files_random), cmocka_unit_test(test_same), cmocka_unit_test(test_files),
					    cmocka_unit_test(test_no_paths),
					    cmocka_unit_test(test_nets), cmocka_unit_test(test_execs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
