/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of question, asked in the words of a .cases file: the answer's word and rule, and that what did not decide is told in the
 * order of the rules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/cases.h"
#include "policy/explain.h"
#include "tests/unit/policy/pol.h"

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
static const char text[] = HEAD
	"file_rules:\n- {name: by-npm, paths: ['/a/**'], processes: [npm, /opt/x], decision: deny}\n- {name: a, paths: ['/a/**'], decision: allow}\n"
	"network_rules:\n- {name: no-post, domains: [a.org], methods: [POST], decision: deny}\n- {name: v1, domains: [a.org], paths: ['/v1/**'], decision: allow}\n"
	"- {name: range, cidrs: [10.0.0.0/8], ports: [22], decision: audit}\n- {name: by-git, domains: [b.org], processes: [git], decision: approve}\n"
	"command_rules:\n- {name: known, commands: [tool], sha256: " ONES ", decision: deny}\n- {name: deep, commands: [tool], context: {min_depth: 2}, decision: deny}\n"
	"- {name: own, commands: [env-tool], env_allow: [MY_*], decision: allow}\n- {name: tools, commands: [tool], decision: allow}\n"
	"unix_socket_rules:\n- {name: up, paths: [/run/x], operations: [connect], decision: allow}\n- {name: abstract, paths: ['@x*'], decision: deny}\n"
	"signal_rules:\n- {name: own-pid, signals: [TERM], target: {type: pid_range, min: 5, max: 9}, decision: allow}\n"
	"- {name: ngin, signals: [TERM], target: {type: process, pattern: 'ngin*'}, decision: approve}\n- {name: kids, target: children, decision: absorb}\n"
	"dns_redirects:\n- {name: dns, match: '^old\\.org$', resolve_to: 192.0.2.1}\n"
	"connect_redirects:\n- {name: conn, match: '^old\\.org:80$', redirect_to: 'new.org:81'}\n"
	"env_policy: {deny: [SECRET_*]}\n"
	"http_services:\n- {name: Svc, upstream: 'https://s.org', rules: [{name: get, methods: [GET], paths: ['/v1/*'], decision: allow}]}\n";
static const struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1, .workspace = "/w" };
static struct policy *p;
static size_t told;

static void reason(void *arg, const struct pol_reason *r)
{
	assert_true(r->rule[0] && !strncmp(r->where, "f:", 2) && r->why[0]);
	assert_int_equal(arg == NULL, 0);
	told++;
}

static int begin(void **state UNUSED)
{
	p = pol_open(text);
	return 0;
}

static int finish(void **state UNUSED)
{
	policy_close(p);
	return 0;
}

/* passed: rules of its section that stand before the one that decided, or before the end. */
static const struct { const char *line, *word, *rule; size_t passed; } asked[] = {
	{ "file read /a/b", "allow", "a", 1 }, { "by npm file read /a/b", "deny", "by-npm", 0 }, { "by sh,/opt/x file write /a/b", "deny", "by-npm", 0 },
	{ "by sh file write /a/b", "allow", "a", 1 }, { "file write /b", "deny", "default-deny-files", 2 },
	{ "net a.org:443", "allow", "v1", 1 }, { "net 10.0.0.1:22", "audit", "range", 2 }, { "net x.org@10.0.0.1:22", "audit", "range", 2 },
	{ "by git net b.org:443", "approve", "by-git", 3 }, { "net b.org:443", "deny", "default-deny-network", 4 }, { "dns a.org", "allow", "v1", 1 },
	{ "http POST https://a.org/v1/x", "deny", "no-post", 0 }, { "http GET https://a.org/v1/x", "allow", "v1", 1 },
	{ "http GET https://a.org/v2", "deny", "default-deny-network", 4 },
	{ "exec sha256=" ONES " tool x", "deny", "known", 0 }, { "exec tool x", "deny", "known", 0 },
	{ "exec sha256=2222222222222222222222222222222222222222222222222222222222222222 tool", "allow", "tools", 3 },
	{ "exec depth=2 sha256=2222222222222222222222222222222222222222222222222222222222222222 tool", "deny", "deep", 1 },
	{ "exec other", "deny", "default-deny-commands", 4 },
	{ "unix connect /run/x", "allow", "up", 0 }, { "unix bind /run/x", "deny", "default-deny-unix", 2 }, { "unix bind @xy", "deny", "abstract", 1 },
	{ "signal TERM self,pid=7", "allow", "own-pid", 0 }, { "signal TERM session,process=nginx", "approve", "ngin", 1 }, { "signal KILL children", "absorb", "kids", 2 },
	{ "signal KILL self", "deny", "default-deny-signal", 3 },
	{ "env SECRET_X", "deny", "env_policy.deny", 0 }, { "env HOME", "allow", "default", 0 }, { "env MY_X for env-tool a", "allow", "env_allow", 0 },
	{ "env HOME for env-tool a", "deny", "env_allow", 0 },
	{ "service svc GET /v1/x", "allow", "get", 0 }, { "service Svc POST /v1/x", "deny", "default-deny-service", 1 },
	{ "dns-redirect old.org", "redirect", "dns", 0 }, { "dns-redirect new.org", "none", NULL, 1 },
	{ "connect-redirect old.org:80", "redirect", "conn", 0 }, { "connect-redirect old.org:81", "none", NULL, 1 },
};

static void read_line(const char *line, char *copy, size_t cap, char **words, struct question *q)
{
	struct err err = { 0 };
	size_t n = 0;

	snprintf(copy, cap, "%s", line);
	for (char *s = strtok(copy, " "); s; s = strtok(NULL, " "))
		words[n++] = s;
	words[n] = NULL;
	if (question_read(words, n, q, &err) < 0)
		fail_msg("%s: %s", line, err.msg);
}

static void test_each(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		char copy[512], *words[32];
		struct question q;
		struct answer a;
		struct err err = { 0 };
		struct pol_enforcer e;

		read_line(asked[i].line, copy, sizeof(copy), words, &q);
		assert_int_equal(question_ask(p, &q, &a, &err), 0);
		if (strcmp(a.word, asked[i].word) != 0 || strcmp(a.rule ? a.rule : "", asked[i].rule ? asked[i].rule : "") != 0)
			fail_msg("%s: %s %s", asked[i].line, a.word, a.rule ? a.rule : "-");
		told = 0;
		if (policy_why(&src, &q, &a, reason, &told, &err) < 0)
			fail_msg("%s: %s", asked[i].line, err.msg);
		if (told != asked[i].passed)
			fail_msg("%s: %zu rules were passed, expected %zu", asked[i].line, told, asked[i].passed);
		e = policy_enforcer(p, &q, &a, "/w");
		assert_true(e.how && e.how[0]);
	}
}

static void test_no_service(void **state UNUSED)
{
	char copy[64], *words[8];
	struct question q;
	struct answer a;
	struct err err = { 0 };

	read_line("service none GET /", copy, sizeof(copy), words, &q);
	assert_int_equal(question_ask(p, &q, &a, &err), -ENOENT);
	assert_string_equal(err.msg, "the policy has no service \"none\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each), cmocka_unit_test(test_no_service) };

	return cmocka_run_group_tests(tests, begin, finish);
}
