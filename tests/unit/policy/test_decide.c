/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions: the six words, first match, implicit ends, variables as text, workspace names, networks. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

#define FILE_IS(p, op, path, d, r) assert_verdict(policy_file(p, policy_file_path(p, path), POL_OP_##op, (struct pol_who){ 0 }), d, r)

static void test_six(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "file_rules:\n- {name: a, paths: [/a], decision: ALLOW}\n- {name: d, paths: [/d], decision: deny, message: no}\n"
				    "- {name: p, paths: [/p], decision: approve, timeout: 90s}\n- {name: r, paths: [/r], decision: redirect, redirect_to: /q, preserve_tree: true}\n"
				    "- {name: u, paths: [/u], decision: audit}\n- {name: s, paths: [/s], decision: soft_delete}\n");
	struct pol_verdict v;

	FILE_IS(p, WRITE, "/a", POL_ALLOW, "a");
	FILE_IS(p, READ, "/d", POL_DENY, "d");
	FILE_IS(p, READ, "/p", POL_APPROVE, "p");
	FILE_IS(p, WRITE, "/r", POL_REDIRECT, "r");
	FILE_IS(p, WRITE, "/u", POL_AUDIT, "u");
	FILE_IS(p, DELETE, "/s", POL_SOFT_DELETE, "s");
	v = policy_file(p, policy_file_path(p, "/d"), POL_OP_READ, (struct pol_who){ 0 });
	assert_string_equal(v.message, "no");
	v = policy_file(p, policy_file_path(p, "/p"), POL_OP_READ, (struct pol_who){ 0 });
	assert_int_equal(v.timeout_ms, 90000);
	v = policy_file(p, policy_file_path(p, "/r"), POL_OP_READ, (struct pol_who){ 0 });
	assert_string_equal(v.redirect_to, "/q");
	assert_true(v.preserve_tree);
	assert_int_equal(((struct pol_verdict){ 0 }).decision, POL_DENY);
	policy_close(p);
}

static void test_ends(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD);
	const char *const argv[] = { "ls", NULL };
	struct pol_exec e = { .given = "ls", .argv = argv, .argc = 1 };
	struct pol_net n = { .domain = "a.b", .port = 443 };

	for (int op = 0; op < POL_OP__COUNT; op++) {
		bool read = op == POL_OP_READ || op == POL_OP_OPEN || op == POL_OP_STAT || op == POL_OP_LIST || op == POL_OP_READLINK || op == POL_OP_ACCESS;

		assert_verdict(policy_file(p, policy_file_path(p, "/x"), (enum pol_op)op, (struct pol_who){ 0 }), read ? POL_ALLOW : POL_DENY,
			       read ? "default-allow-reads" : "default-deny-files");
	}
	assert_verdict(policy_exec(p, &e), POL_DENY, "default-deny-commands");
	assert_verdict(policy_net(p, &n), POL_DENY, "default-deny-network");
	n = (struct pol_net){ .domain = "a.b", .dns = true };
	assert_verdict(policy_net(p, &n), POL_DENY, "default-deny-network");
	policy_close(p);
}

static void test_first_match(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "file_rules:\n- {name: one, paths: ['/a/**'], operations: [read], decision: deny}\n- {name: two, paths: ['/a/b'], decision: allow}\n"
				    "- {name: three, paths: ['/**'], operations: ['*'], decision: audit}\n");

	FILE_IS(p, READ, "/a/b", POL_DENY, "one");
	FILE_IS(p, WRITE, "/a/b", POL_ALLOW, "two");
	FILE_IS(p, WRITE, "/a/c", POL_AUDIT, "three");
	FILE_IS(p, READ, "/a", POL_AUDIT, "three");
	policy_close(p);
}

static void test_variables(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "file_rules:\n- {name: home, paths: ['${HOME}/*'], decision: deny}\n- {name: wild, paths: ['${WILD}/x'], decision: deny}\n"
				    "- {name: fall, paths: ['${NO:-/f*}/x'], decision: deny}\nnetwork_rules:\n- {name: host, domains: ['${HOST}'], decision: allow}\n");
	struct pol_net n = { .domain = "example.org", .port = 1 };

	FILE_IS(p, READ, "/home/u/x", POL_DENY, "home");
	FILE_IS(p, READ, "/a*[b]{c,d}/x", POL_DENY, "wild");
	FILE_IS(p, READ, "/azbc/x", POL_ALLOW, "default-allow-reads"); /* no glob came out of the value */
	FILE_IS(p, READ, "/f*/x", POL_DENY, "fall");
	FILE_IS(p, READ, "/fz/x", POL_ALLOW, "default-allow-reads");
	assert_verdict(policy_net(p, &n), POL_DENY, "default-deny-network");
	n.domain = "ex*mple.org";
	assert_verdict(policy_net(p, &n), POL_ALLOW, "host");
	policy_close(p);
}

static void test_workspace(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "file_rules:\n- {name: real, paths: ['/home/u/ws/a'], decision: deny}\n- {name: alias, paths: ['/workspace/b'], decision: deny}\n"
				    "- {name: home, paths: ['/home/**'], operations: [write], decision: allow}\n");
	struct pol_state ws = policy_file_workspace(p);

	FILE_IS(p, READ, "/workspace/a", POL_DENY, "real");
	FILE_IS(p, READ, "/home/u/ws/b", POL_DENY, "alias");
	FILE_IS(p, WRITE, "/workspace/c", POL_ALLOW, "home");
	FILE_IS(p, WRITE, "/workspaces/c", POL_DENY, "default-deny-files");
	assert_true(pol_state_eq(policy_file_child(p, ws, "a", 1), policy_file_path(p, "/workspace/a")));
	assert_verdict(policy_file(p, policy_file_child(p, ws, "b", 1), POL_OP_READ, (struct pol_who){ 0 }), POL_DENY, "alias");
	assert_verdict(policy_file(p, policy_file_child(p, ws, "bb", 2), POL_OP_WRITE, (struct pol_who){ 0 }), POL_ALLOW, "home");
	policy_close(p);
}

static void test_trees_and_renames(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "file_rules:\n- {name: ro, paths: ['/usr/**'], operations: [read, open, stat, list, readlink, access], decision: allow}\n"
				    "- {name: key, paths: ['**/*.key'], decision: deny}\n- {name: rw, paths: ['/w/**'], decision: allow}\n"
				    "- {name: rw2, paths: ['/v', '/v/**'], operations: [write, create], decision: allow}\n- {name: no, paths: ['/n', '/n/**'], decision: deny}\n");

	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/n")), POL_TREE_NONE);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/w")), POL_TREE_MIXED); /* a key may lie there */
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/v")), POL_TREE_MIXED);
	assert_false(policy_file_rename_safe(p, policy_file_path(p, "/n/a"), policy_file_path(p, "/w/a"), false));
	assert_true(policy_file_rename_safe(p, policy_file_path(p, "/w/a"), policy_file_path(p, "/w/b"), true));
	assert_true(policy_file_rename_safe(p, policy_file_path(p, "/w/a"), policy_file_path(p, "/n/a"), false));
	assert_false(policy_file_rename_safe(p, policy_file_path(p, "/w/a"), policy_file_path(p, "/n/a"), true)); /* nothing may be made there */
	assert_false(policy_file_rename_safe(p, policy_file_path(p, "/w/a.key"), policy_file_path(p, "/w/a"), false));
	policy_close(p);
	p = pol_open(HEAD "file_rules:\n- {name: a, paths: ['/w', '/w/**'], decision: allow}\n");
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/w")), POL_TREE_RW);
	assert_int_equal(policy_file_tree(p, policy_file_path(p, "/x")), POL_TREE_RO);
	policy_close(p);
}

/* The workspace, /home/u/ws, has a mount of its own: what is said of it leaves the directories around it as they are. */
static void test_top_without_workspace(void **state UNUSED)
{
	static const struct { const char *rule; enum pol_tree whole, top; } cases[] = {
		{ "paths: ['/home/u/ws', '/home/u/ws/**'], decision: deny", POL_TREE_MIXED, POL_TREE_RW },
		{ "paths: ['/home/u/ws{,/**}/.env'], decision: deny", POL_TREE_MIXED, POL_TREE_RW },
		{ "paths: ['/home/u/ws2'], decision: deny", POL_TREE_MIXED, POL_TREE_MIXED },
		{ "paths: ['/home/u/w'], decision: deny", POL_TREE_MIXED, POL_TREE_MIXED },
		{ "paths: ['/home/u'], decision: deny", POL_TREE_MIXED, POL_TREE_MIXED },
		{ "paths: ['/home/u/x/y'], decision: deny", POL_TREE_MIXED, POL_TREE_MIXED },
		{ "paths: ['/home/u/*/y'], decision: deny", POL_TREE_MIXED, POL_TREE_MIXED },
		{ "paths: ['**/.env'], decision: deny", POL_TREE_MIXED, POL_TREE_MIXED },
		{ "paths: ['/opt/x'], decision: deny", POL_TREE_RW, POL_TREE_RW },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *p;
		char text[400];

		snprintf(text, sizeof(text), HEAD "file_rules:\n- {name: a, %s}\n- {name: b, paths: ['/home', '/home/**'], decision: allow}\n",
			 cases[i].rule);
		p = pol_open(text);
		if (policy_file_tree(p, policy_file_path(p, "/home")) != cases[i].whole || policy_file_top(p, "home") != cases[i].top)
			fail_msg("%s: %d, %d", cases[i].rule, policy_file_tree(p, policy_file_path(p, "/home")), policy_file_top(p, "home"));
		policy_close(p);
	}
}

static void test_networks(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "network_rules:\n- {name: priv, cidrs: ['10.0.0.0/8', 'fc00::/7'], decision: deny}\n"
				    "- {name: api, domains: ['*.Example.com'], ports: [443], decision: allow}\n- {name: range, domains: [cdn.x], cidrs: [203.0.113.0/24], decision: allow}\n"
				    "- {name: ssh, ports: [22], decision: deny}\n- {name: rest, domains: ['**'], decision: approve}\n");
	uint8_t a4[4], a6[16];
	struct pol_net n = { .domain = "a.example.com", .port = 443 };

	assert_verdict(policy_net(p, &n), POL_ALLOW, "api");
	n.port = 80;
	assert_verdict(policy_net(p, &n), POL_APPROVE, "rest");
	n.port = 22;
	assert_verdict(policy_net(p, &n), POL_DENY, "ssh");
	n = (struct pol_net){ .domain = "a.example.com", .dns = true };
	assert_verdict(policy_net(p, &n), POL_ALLOW, "api");
	n = (struct pol_net){ .domain = "a.b.example.com", .port = 443 };
	assert_verdict(policy_net(p, &n), POL_APPROVE, "rest");
	inet_pton(AF_INET, "10.255.0.1", a4);
	n = (struct pol_net){ .domain = "a.example.com", .addr = a4, .addr_len = 4, .port = 443 };
	assert_verdict(policy_net(p, &n), POL_DENY, "priv");
	inet_pton(AF_INET, "11.0.0.1", a4);
	assert_verdict(policy_net(p, &n), POL_ALLOW, "api");
	n.domain = NULL; /* a raw address: only rules of addresses can allow it */
	assert_verdict(policy_net(p, &n), POL_DENY, "default-deny-network");
	inet_pton(AF_INET6, "fd12::1", a6);
	n = (struct pol_net){ .addr = a6, .addr_len = 16, .port = 1 };
	assert_verdict(policy_net(p, &n), POL_DENY, "priv");
	inet_pton(AF_INET, "203.0.113.200", a4);
	n = (struct pol_net){ .domain = "cdn.x", .addr = a4, .addr_len = 4, .port = 1 };
	assert_verdict(policy_net(p, &n), POL_ALLOW, "range");
	inet_pton(AF_INET, "203.0.114.0", a4);
	assert_verdict(policy_net(p, &n), POL_APPROVE, "rest");
	policy_close(p);
	p = pol_open(HEAD "network_rules:\n- {name: web, ports: [443], decision: allow}\n");
	n = (struct pol_net){ .domain = "a.b", .addr = a4, .addr_len = 4, .port = 443 };
	assert_verdict(policy_net(p, &n), POL_ALLOW, "web");
	n.domain = NULL; /* a port alone says nothing about addresses */
	assert_verdict(policy_net(p, &n), POL_DENY, "default-deny-network");
	policy_close(p);
}

static void test_messages(void **state UNUSED)
{
	struct pol_fields f = { .path = "/a", .args = "x y", .command = "c", .domain = "d", .remote_addr = "1.2.3.4", .remote_port = "5", .operation = "read" };
	char out[64], tiny[8];

	assert_string_equal(pol_message("{{.Operation}} {{.Path}}:{{.RemotePort}} {{.Nope}}", &f, out, sizeof(out)), "read /a:5 {{.Nope}}");
	assert_string_equal(pol_message("{{.Args}}{{.Args}}{{.Args}}", &f, tiny, sizeof(tiny)), "x yx yx");
	f.domain = NULL;
	assert_string_equal(pol_message("[{{.Domain}}]", &f, out, sizeof(out)), "[]");
}

/* More lists of places than are remembered while an automaton is made. That the sanitizer has nothing to say is the test: it may be refused. */
static void test_many_anywhere(void **state UNUSED)
{
	static const char *const ops[] = { "['*']", "[read, open]", "[write, create, delete]" };
	struct pol_source src = { .file = "f" };
	struct buf diag = BUF_INIT(1u << 16);
	char *text = NULL;
	FILE *f = open_memstream(&text, &src.len);
	uint32_t random = 7;
	uint8_t hash[32];
	int fd = -1, r;

	fputs(HEAD "file_rules:\n", f);
	for (int i = 0; i < 60; i++) {
		fprintf(f, "- {name: r%d, operations: %s, decision: deny, paths: [", i, ops[i % 3]);
		for (int k = 0; k < 5; k++) {
			random = random * 1664525u + 1013904223u;
			fprintf(f, k % 2 ? "'**/d%u/**/f%u', " : "'**/d%u/**', '**/*.f%u', ", random >> 8 & 255, random >> 16 & 255);
		}
		fputs("/none]}\n", f);
	}
	fclose(f);
	src.text = text;
	r = policy_compile(&src, &diag, &fd, hash);
	assert_true(r == 0 ? fd >= 0 : diag.len > 0);
	if (fd >= 0)
		close(fd);
	buf_fini(&diag);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_many_anywhere), cmocka_unit_test(test_six), cmocka_unit_test(test_ends), cmocka_unit_test(test_first_match),
					    cmocka_unit_test(test_variables), cmocka_unit_test(test_workspace), cmocka_unit_test(test_trees_and_renames), cmocka_unit_test(test_top_without_workspace),
					    cmocka_unit_test(test_networks), cmocka_unit_test(test_messages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
