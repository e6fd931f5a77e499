/* SPDX-License-Identifier: Apache-2.0 */
/* Differences of two policies in requests, redirects, sockets, signals, services and settings: each that was made is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

#define CHANGES_MAX 512

struct found { char section[32], question[300], side[2][700]; };
static struct found found[CHANGES_MAX];
static size_t n_found;

static void note(void *arg UNUSED, const struct pol_change *c)
{
	struct found *f = &found[n_found++];

	assert_true(n_found < CHANGES_MAX);
	snprintf(f->section, sizeof(f->section), "%s", c->section);
	snprintf(f->question, sizeof(f->question), "%s", c->question);
	snprintf(f->side[0], sizeof(f->side[0]), "%s %s%s%s", c->before.decision, c->before.rule, c->before.more[0] ? " " : "", c->before.more);
	snprintf(f->side[1], sizeof(f->side[1]), "%s %s%s%s", c->after.decision, c->after.rule, c->after.more[0] ? " " : "", c->after.more);
}

static int diff(const char *a, const char *b)
{
	struct pol_source s[2] = { { .file = "a", .text = a, .len = strlen(a) }, { .file = "b", .text = b, .len = strlen(b) } };
	struct buf cut = BUF_INIT(256), diag = BUF_INIT(1u << 16);
	int r;

	n_found = 0;
	r = policy_diff(&s[0], &s[1], false, note, NULL, &cut, &diag);
	if (r < 0)
		fail_msg("%s", (const char *)diag.data);
	assert_int_equal(r, n_found);
	assert_int_equal(cut.len, 0);
	buf_fini(&cut);
	buf_fini(&diag);
	return r;
}

/* Each change has question in it (a part of its line) and its two sides; nothing differs from itself. */
static void one(const char *a, const char *b, const char *question, const char *before, const char *after)
{
	char text[2][1000];

	snprintf(text[0], sizeof(text[0]), HEAD "%s", a);
	snprintf(text[1], sizeof(text[1]), HEAD "%s", b);
	assert_int_equal(diff(text[0], text[0]), 0);
	assert_int_equal(diff(text[1], text[1]), 0);
	assert_true(diff(text[0], text[1]) > 0);
	for (size_t f = 0; f < n_found; f++)
		if (strstr(found[f].question, question) && !strcmp(found[f].side[0], before) && !strcmp(found[f].side[1], after))
			return;
	for (size_t f = 0; f < n_found; f++)
		print_message("%s: %s: %s -> %s\n", found[f].section, found[f].question, found[f].side[0], found[f].side[1]);
	fail_msg("%s: %s -> %s was not found\n%s\n%s", question, before, after, text[0], text[1]);
}

#define NETS "network_rules:\n"
#define SERVICE "http_services:\n- {name: s, upstream: 'https://s.org', "
#define EXECS "command_rules:\n"

static void test_requests(void **state UNUSED)
{
	one(NETS "- {name: p, domains: [a.org], methods: [POST], decision: deny}\n- {name: r, domains: [a.org], decision: allow}\n", NETS "- {name: r, domains: [a.org], decision: allow}\n",
	    "http POST https://a.org/", "deny p", "allow r");
	one(NETS "- {name: r, domains: [a.org], paths: ['/v1/**'], decision: allow}\n", NETS "- {name: r, domains: [a.org], paths: ['/v2/**'], decision: allow}\n", "http GET https://a.org/v1/",
	    "allow r", "deny default-deny-network");
	one(NETS "- {name: r, domains: [a.org], ports: [8443], methods: ['*'], paths: ['/x'], decision: allow}\n", "", "https://a.org:8443/x", "allow r", "deny default-deny-network");
	one(NETS "- {name: r, domains: [a.org], tls: inspect, decision: allow}\n", NETS "- {name: r, domains: [a.org], tls: passthrough, decision: allow}\n", "net a.org:", "allow r tls: inspect", "allow r tls: passthrough");
	one(NETS "- {name: r, domains: [a.org], dlp: x, decision: allow}\n", NETS "- {name: r, domains: [a.org], decision: allow}\n", "net a.org:", "allow r dlp: x", "allow r");
	one(SERVICE "allow_direct: true}\n" NETS "- {name: r, domains: [s.org], decision: allow}\n", SERVICE "allow_direct: false}\n" NETS "- {name: r, domains: [s.org], decision: allow}\n", "net s.org:443",
	    "allow r", "deny http-service-direct");
}

static void test_redirects(void **state UNUSED)
{
	one("dns_redirects: [{name: d, match: '^x\\.org$', resolve_to: 192.0.2.1}]\n", "", "dns-redirect x.org", "redirect d to 192.0.2.1, audit_only, fail_closed", "none ");
	one("dns_redirects: [{name: d, match: '^x\\.org$', resolve_to: 192.0.2.1}]\n", "dns_redirects: [{name: d, match: '^x\\.org$', resolve_to: '2001:db8::1'}]\n", "dns-redirect x.org", "redirect d to 192.0.2.1, audit_only, fail_closed", "redirect d to [2001:db8::1], audit_only, fail_closed");
	one("connect_redirects: [{name: c, match: '^x\\.org:80$', redirect_to: 'y.org:81', tls: {mode: rewrite_sni, sni: z.org}}]\n", "connect_redirects: [{name: c, match: '^x\\.org:80$', redirect_to_unix: /run/x}]\n",
	    "connect-redirect x.org:80", "redirect c to y.org, sni z.org, audit_only, fail_closed, port 81", "redirect c to unix:/run/x, audit_only, fail_closed");
	one("connect_redirects: [{name: c, match: '^x\\.org:80$', redirect_to: 'y.org:81'}]\n", "connect_redirects: [{name: c, match: '^x\\.org:80$', redirect_to: 'y.org:81', on_failure: fail_open}]\n",
	    "connect-redirect x.org:80", "redirect c to y.org, audit_only, fail_closed, port 81", "redirect c to y.org, audit_only, fail_open, port 81");
}

static void test_others(void **state UNUSED)
{
	one("unix_socket_rules: [{name: u, paths: [/run/x], operations: [bind], decision: allow}]\n", "", "unix bind /run/x", "allow u", "deny default-deny-unix");
	one("signal_rules: [{name: s, signals: [TERM], target: children, decision: allow}]\n", "", "signal 15 children", "allow s", "deny default-deny-signal");
	one("signal_rules: [{name: s, signals: [TERM], target: {type: process, pattern: 'ngin*'}, decision: allow}]\n", "", "process=ngin", "allow s", "deny default-deny-signal");
	one("signal_rules: [{name: s, signals: [KILL], decision: redirect, redirect_to: TERM}]\n", "signal_rules: [{name: s, signals: [KILL], decision: redirect, redirect_to: INT}]\n", "signal 9 ", "redirect s to signal 15", "redirect s to signal 2");
	one("env_policy: {deny: [SECRET_*]}\n", "", "env SECRET_", "deny env_policy.deny", "allow default");
	one(EXECS "- {name: e, commands: [x], env_allow: [A], decision: allow}\n", EXECS "- {name: e, commands: [x], decision: allow}\n", "for x", "deny env_allow", "allow default");
	one(EXECS "- {name: e, commands: [x], sha256: 1111111111111111111111111111111111111111111111111111111111111111, decision: deny}\n- {name: all, decision: allow}\n", EXECS "- {name: all, decision: allow}\n", "x", "deny e", "allow all");
	one(EXECS "- {name: e, commands: [x], processes: [npm], decision: deny}\n- {name: all, decision: allow}\n", EXECS "- {name: all, decision: allow}\n", "by npm exec x", "deny e", "allow all");
	one(SERVICE "rules: [{name: g, methods: [GET], paths: ['/v1/*'], decision: allow}]}\n", SERVICE "rules: [{name: g, methods: [GET], paths: ['/v2/*'], decision: allow}]}\n", "service s GET /v1/", "allow g", "deny default-deny-service");
}

static void test_settings(void **state UNUSED)
{
	one("env_inject: {A: b}\n", "env_inject: {A: c}\n", "env_inject A", "b A", "c A");
	one("env_inject: {A: b}\n", "", "env_inject A", "b A", "not given A");
	one("", "env_inject: {A: b}\n", "env_inject A", "not given A", "b A");
	one("transparent_commands: {add: [w]}\n", "transparent_commands: {remove: [env]}\n", "transparent_commands w", "add w", "not given w");
	one("resource_limits: {pids_max: 5}\n", "resource_limits: {pids_max: 6}\n", "pids_max", "5 pids_max", "6 pids_max");
	one("resource_limits: {memory_swap_max_mb: 0}\n", "", "memory_swap_max_mb", "0 memory_swap_max_mb", "not given memory_swap_max_mb");
	one("audit: {log_denied: false, retention_days: 5}\n", "audit: {retention_days: 6}\n", "retention_days", "5 retention_days", "6 retention_days");
	one("audit: {log_denied: false}\n", "", "log_denied", "false log_denied", "true log_denied");
	one("env_policy: {max_bytes: 10, block_iteration: true}\n", "", "max_bytes", "10 max_bytes", "not given max_bytes");
	one("llm_budgets: [{name: b, max_usd: 1.5, models: [a, b], warn_at: [50]}]\n", "llm_budgets: [{name: b, max_usd: 1.5, models: [a], warn_at: [50]}]\n", "llm_budgets b", "deny per session: 1500000 microusd, 0 tokens, 0 in, 0 out, 0 requests, 0 a minute, warn at 50 0 0 0 models a b b", "deny per session: 1500000 microusd, 0 tokens, 0 in, 0 out, 0 requests, 0 a minute, warn at 50 0 0 0 models a b");
	one("llm_budgets: [{name: b, max_usd: 1.5}]\n", "", "llm_budgets b", "deny per session: 1500000 microusd, 0 tokens, 0 in, 0 out, 0 requests, 0 a minute, warn at 0 0 0 0 b", "not given b");
	one("llm_budgets: [{name: b, max_usd: 1.5, decision: approve, timeout: 5s}]\n", "llm_budgets: [{name: b, max_usd: 1.5, decision: approve, timeout: 9s}]\n", "llm_budgets b", "approve per session: 1500000 microusd, 0 tokens, 0 in, 0 out, 0 requests, 0 a minute, warn at 0 0 0 0, asks for 5000 ms b", "approve per session: 1500000 microusd, 0 tokens, 0 in, 0 out, 0 requests, 0 a minute, warn at 0 0 0 0, asks for 9000 ms b");
	one(SERVICE "aliases: [t.org, u.org]}\n", SERVICE "aliases: [t.org], scrub_response: false}\n", "http_services s", "https://s.org as S_API_URL, secret - (-), header -: -, default deny aliases t.org u.org s", "https://s.org as S_API_URL, secret - (-), header -: -, default deny aliases t.org s");
	one(SERVICE "secret: {ref: 'env://X', format: 'sk-{rand:24}'}, inject: {header: {name: X-Key, template: '{{secret}}'}}}\n", SERVICE "default: allow}\n", "http_services s", "https://s.org as S_API_URL, secret env://X (sk-{rand:24}), header X-Key: {{secret}}, scrubbed, default allow s", "https://s.org as S_API_URL, secret - (-), header -: -, default allow s");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests), cmocka_unit_test(test_redirects), cmocka_unit_test(test_others), cmocka_unit_test(test_settings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
