/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: requests, labels, words of a rule; and the looked-up answer against one that tries each rule in order. */
#include <errno.h>
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/policy/gen.h"

static struct pol_verdict http(const struct policy *p, const char *method, const char *domain, const char *path)
{
	struct pol_http q = { .net = { .domain = domain, .port = 443 }, .method = method, .path = path };

	return policy_http(p, &q);
}

static struct pol_verdict net(const struct policy *p, const char *domain, uint16_t port, bool dns, bool inspected)
{
	struct pol_net q = { .domain = domain, .port = port, .dns = dns, .inspected = inspected };

	return policy_net(p, &q);
}

static struct policy *requests(void)
{
	struct model m = { .name = "n" };

	m.nets = RULES({ .name = "no-admin", .domains = STRS("api.x"), .decision = POL_DENY, .more = MORE(.url_paths = STRS("/admin/**", "/a?c")) },
		       { .name = "read", .domains = STRS("api.x"), .ports = (uint16_t[]){ 443, 80 }, .n_ports = 2, .decision = POL_ALLOW,
			 .more = MORE(.methods = STRS("GET", "head"), .url_paths = STRS("/v1/**", "/")) },
		       { .name = "ask", .domains = STRS("api.x"), .decision = POL_APPROVE, .more = MORE(.methods = STRS("POST"), .tls = POL_TLS_INSPECT, .dlp = "strict") },
		       { .name = "any-method", .domains = STRS("*.m"), .decision = POL_AUDIT, .more = MORE(.methods = STRS("*")) },
		       { .name = "no-puts", .domains = STRS("p.x"), .decision = POL_DENY, .more = MORE(.methods = STRS("PUT")) },
		       { .name = "p", .domains = STRS("p.x"), .decision = POL_ALLOW, .more = MORE(.tls = POL_TLS_PASSTHROUGH) });
	return gen_open(&m);
}

static void test_requests(void **state UNUSED)
{
	struct policy *p = requests();
	char longest[9000];

	assert_verdict(http(p, "get", "api.x", "/v1/a"), POL_ALLOW, "read");
	assert_verdict(http(p, "HEAD", "api.x", "/v1/a?x=//../"), POL_ALLOW, "read");
	assert_verdict(http(p, "GET", "api.x", "/"), POL_ALLOW, "read");
	assert_verdict(http(p, "GET", "api.x", "/v2"), POL_DENY, "default-deny-network");
	assert_verdict(http(p, "POST", "api.x", "/v2"), POL_APPROVE, "ask");
	assert_verdict(http(p, "POST", "api.x", "/admin/x"), POL_DENY, "no-admin");
	assert_verdict(http(p, "POST", "api.x", "/abc"), POL_DENY, "no-admin");
	/* a server may read it otherwise than it is written */
	assert_verdict(http(p, "POST", "api.x", "/%61dmin/x"), POL_DENY, "no-admin");
	assert_verdict(http(p, "POST", "api.x", "/admin%2fx"), POL_DENY, "no-admin");
	assert_verdict(http(p, "POST", "api.x", "/a%2Fc"), POL_APPROVE, "ask");
	assert_verdict(http(p, "POST", "api.x", "/a%62c"), POL_DENY, "no-admin");
	assert_verdict(http(p, "GET", "api.x", "/v1/%41"), POL_ALLOW, "read");
	assert_verdict(http(p, "GET", "api.x", "/%761/a"), POL_DENY, "default-deny-network");
	assert_verdict(http(p, "GET", "api.x", "/v1/%4"), POL_ALLOW, "read");
	assert_verdict(http(p, "GET", "api.x", "/v1/%zz%g0"), POL_ALLOW, "read");
	for (size_t i = 0; i < 14; i++) {
		static const char *const bad[] = { "", "v1/a", "?x", "//v1", "/v1//a", "/v1/.", "/v1/..", "/../v1", "/./v1", "/v1/%2e%2E/x", "/v1/%2e", "/v1%2f/a", "/v1/%00", "/v1/..%2fx" };

		assert_verdict(http(p, "GET", "api.x", bad[i]), POL_DENY, "http-bad-path");
		/* where no rule looks at paths it is as good as another */
		assert_verdict(http(p, "GET", "p.x", bad[i]), POL_ALLOW, "p");
	}
	assert_verdict(http(p, "GET", "api.x", "/v1/..."), POL_ALLOW, "read");
	assert_verdict(http(p, "GET", "api.x", "/v1/.a/b."), POL_ALLOW, "read");
	assert_verdict(http(p, "GET", "api.x", "/v1/"), POL_ALLOW, "read");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "/v1/", 4);
	longest[8192] = 0;
	assert_verdict(http(p, "GET", "api.x", longest), POL_ALLOW, "read");
	longest[8192] = 'a';
	longest[8193] = 0;
	assert_verdict(http(p, "GET", "api.x", longest), POL_DENY, "http-bad-path");
	assert_verdict(http(p, "TRACE", "a.m", "/"), POL_AUDIT, "any-method");
	assert_verdict(http(p, "put", "p.x", "/"), POL_DENY, "no-puts");
	policy_close(p);
}

static void test_connections(void **state UNUSED)
{
	struct policy *p = requests();
	struct pol_verdict v;

	/* what will be inspected is judged then; what cannot be is not allowed by a rule that would look */
	v = net(p, "api.x", 443, false, true);
	assert_verdict(v, POL_ALLOW, "read");
	assert_true(v.http);
	assert_int_equal(v.tls, POL_TLS_DEFAULT);
	v = net(p, "api.x", 8443, false, true);
	assert_verdict(v, POL_APPROVE, "ask");
	assert_string_equal(v.dlp, "strict");
	assert_int_equal(v.tls, POL_TLS_INSPECT);
	assert_verdict(net(p, "api.x", 443, false, false), POL_DENY, "no-admin");
	assert_verdict(net(p, "api.x", 0, true, false), POL_ALLOW, "read");
	assert_verdict(net(p, "a.m", 443, false, false), POL_DENY, "default-deny-network");
	v = net(p, "p.x", 443, false, true);
	assert_verdict(v, POL_ALLOW, "p");
	assert_true(!v.http && v.tls == POL_TLS_PASSTHROUGH && !v.dlp);
	assert_verdict(net(p, "p.x", 443, false, false), POL_DENY, "no-puts");
	policy_close(p);
}

static void test_processes(void **state UNUSED)
{
	struct model m = { .name = "n" };
	struct pol_net q = { .domain = "reg.x", .port = 443 };
	struct policy *p;

	m.nets = RULES({ .name = "npm", .domains = STRS("reg.x"), .decision = POL_ALLOW, .more = MORE(.processes = STRS("npm")) },
		       { .name = "not-sh", .domains = STRS("*.x"), .decision = POL_DENY, .more = MORE(.processes = STRS("sh")) },
		       { .name = "x", .domains = STRS("**.x"), .decision = POL_AUDIT });
	p = gen_open(&m);
	assert_verdict(policy_net(p, &q), POL_AUDIT, "x");
	q.who.sure = 1;
	assert_verdict(policy_net(p, &q), POL_ALLOW, "npm");
	q.who.sure = 2;
	assert_verdict(policy_net(p, &q), POL_DENY, "not-sh");
	q.who = (struct pol_who){ .unknown = true };
	assert_verdict(policy_net(p, &q), POL_DENY, "not-sh");
	policy_close(p);
}

static uint32_t seed = 7;
static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static char *domains[] = { "*", "a.x", "b.x", "*.x", "**.x", "*.b.x", "**.b.x", "a.*", "?.x", "{a,b}.x", "*.*", "**", "x", ".x", "c.b.x", "*x", "**x", "\\a.x", "*.", "***.x", "[ab].x" };
static char *cidrs[] = { "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0", "192.168.0.0/17", "::/0", "2001:db8::/33", "2001:db8::1", "10.1.128.0/18" };
static uint16_t ports[] = { 443, 80, 22, 8080, 443 };

/* Each rule in its order, by its text. */
static uint32_t naive(const struct rules *r, const struct pol_net *q)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct rule *u = &r->v[i];
		bool deny = u->decision == POL_DENY, d = !u->domains.n, c = !u->cidrs.n, o = !u->n_ports || q->dns;

		for (size_t k = 0; k < u->domains.n && q->domain; k++)
			d |= !strcmp(u->domains.v[k], "*") || wild_match(u->domains.v[k], q->domain, '.');
		for (size_t k = 0; k < u->cidrs.n && q->addr; k++) {
			struct cidr range;

			cidr_parse(u->cidrs.v[k], &range);
			c |= cidr_has(&range, q->addr, q->addr_len);
		}
		for (size_t k = 0; k < u->n_ports; k++)
			o |= u->ports[k] == q->port;
		if (q->dns && deny && u->n_ports)
			continue;
		if (!q->domain && !q->dns && !deny && !u->cidrs.n)
			continue;
		if (d && c && o)
			return i;
	}
	return POL_NO_RULE;
}

static void test_against_order(void **state UNUSED)
{
	static const char *const names[] = { NULL, "a.x", "b.x", "x", "c.b.x", "d.c.b.x", "q.z", ".x", "", ".", "a..x", "a.x.", "ax", "longer-name.b.x" };
	static const uint8_t addrs[][16] = { { 10, 1, 2, 3 }, { 10, 1, 130, 1 }, { 192, 168, 127, 9 }, { 8, 8, 8, 8 }, { 0x20, 1, 0xd, 0xb8, [15] = 1 }, { 0x20, 1, 0xd, 0xb8, 0x80 } };
	struct rule v[40];
	char *lists[40][6];

	for (int round = 0; round < 60; round++) {
		struct model m = { .name = "n", .nets = { v, 1 + rnd(40) } };
		struct policy *p;

		for (size_t i = 0; i < m.nets.n; i++) {
			v[i] = (struct rule){ .name = "r", .decision = (enum pol_decision)rnd(3) };
			v[i].domains = (struct strs){ lists[i], rnd(4) };
			for (size_t k = 0; k < 3; k++)
				lists[i][k] = domains[rnd(ARRAY_LEN(domains))];
			v[i].cidrs = (struct strs){ lists[i] + 3, rnd(3) ? 0 : rnd(4) };
			for (size_t k = 3; k < 6; k++)
				lists[i][k] = cidrs[rnd(ARRAY_LEN(cidrs))];
			v[i].ports = ports + rnd(3);
			v[i].n_ports = rnd(2) ? 0 : rnd(3);
		}
		p = gen_open(&m);
		for (int k = 0; k < 600; k++) {
			struct pol_net q = { .domain = names[rnd(ARRAY_LEN(names))], .dns = rnd(4) == 0, .port = ports[rnd(4)] };
			uint32_t a = rnd(ARRAY_LEN(addrs) + 3), want, got;

			q.addr = a < ARRAY_LEN(addrs) ? addrs[a] : NULL;
			q.addr_len = a < 4 ? 4 : a < ARRAY_LEN(addrs) ? 16 : 0;
			want = naive(&m.nets, &q);
			got = policy_net(p, &q).rule_no;
			if (want != got)
				fail_msg("round %d: %s address %u port %u dns %d: rule %d, not %d", round, q.domain ? q.domain : "-", a, q.port, q.dns, (int)got, (int)want);
		}
		policy_close(p);
	}
}

/* Globs of names at their edges: what is not closed is itself, a set's escapes and ranges, a name longer than any glob. */
static void test_globs(void **state UNUSED)
{
	static const struct { const char *glob, *text; char sep; bool is; } v[] = {
		{ "[a", "[a", '.', true }, { "{a", "{a", '.', true }, { "a\\", "a\\", '.', true }, { "[\\]x]", "]", '.', true }, { "[\\]x]", "x", '.', true }, { "[a-\\c]", "b", '.', true },
		{ "[a-\\c]", "d", '.', false }, { "[a-]", "-", '.', true }, { "[!a-c]", "b", '.', false }, { "[!a-c]", "d", '.', true }, { "[!a]", ".", '.', false }, { "[A]b", "ab", 0, true },
		{ "[!A]b", "ab", 0, false }, { "[\\", "[\\", '.', true }, { "{a,{b,c}}d", "cd", '.', true }, { "{a\\,b}", "a,b", '.', true }, { "?", ".", '.', false }, { "?", "x", '.', true },
		{ "A*Z", "abz", 0, true }, { "A*Z", "abz", '.', false }, { "a", "", '.', false }, { "", "", '.', true }, { "", "a", '.', false }, { "ab", "a", '.', false }, { "*ab", "b", '.', false },
		{ "*?", "", '.', false }, { "a*b", "ab", '.', true }, { "a*b", "a.b", '.', false }, { "a**b", "a.b", '.', true }, { "*a?", "aab", 0, true }, { "S_*", "S_x", WILD_EXACT, true }, { "S_*", "s_x", WILD_EXACT, false },
	};
	static char longest[WILD_MAX + 3];

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (wild_match(v[i].glob, v[i].text, v[i].sep) != v[i].is)
			fail_msg("%s on %s", v[i].glob, v[i].text);
	memset(longest, '*', WILD_MAX);
	assert_true(wild_match(longest, "a.b", '.'));
	longest[WILD_MAX] = '*';
	assert_false(wild_match(longest, "a.b", '.'));
	assert_true(wild_is("a\\b") && wild_is("a?") && wild_is("{") && !wild_is("a]}b,"));
}

static void test_odd_address(void **state UNUSED)
{
	struct model m = { .name = "n", .nets = RULES({ .name = "r", .cidrs = STRS("0.0.0.0/0", "::/0"), .decision = POL_ALLOW }) };
	struct policy *p = gen_open(&m);
	uint8_t addr[16] = { 1 };
	struct pol_net q = { .addr = addr, .addr_len = 5, .port = 1 };

	assert_verdict(policy_net(p, &q), POL_DENY, "default-deny-network");
	q.addr_len = 16;
	assert_verdict(policy_net(p, &q), POL_ALLOW, "r");
	policy_close(p);
}

/* What an address leads to must be permitted too; the first that is not decides, and says which it is. */
static void test_through(void **state UNUSED)
{
	struct model m = { .name = "n", .nets = RULES({ .name = "no", .cidrs = STRS("10.0.0.0/8"), .decision = POL_DENY },
						      { .name = "ask", .cidrs = STRS("11.0.0.0/8"), .decision = POL_APPROVE },
						      { .name = "four", .cidrs = STRS("8.0.0.0/8", "2001:db8::/32"), .decision = POL_ALLOW },
						      { .name = "six", .cidrs = STRS("::/0"), .decision = POL_AUDIT }) };
	static const struct { const char *addr; enum pol_decision decision; const char *rule, *by; } v[] = {
		{ "64:ff9b::10.1.2.3", POL_DENY, "no", "10.1.2.3" }, { "64:ff9b::11.1.2.3", POL_APPROVE, "ask", "11.1.2.3" },
		{ "64:ff9b::9.1.2.3", POL_DENY, "default-deny-network", "9.1.2.3" }, { "64:ff9b::8.1.2.3", POL_AUDIT, "six", "0.0.0.0" },
		{ "2002:a01:203::", POL_DENY, "no", "10.1.2.3" }, { "2001:0:808:808::f5fe:fdfc", POL_DENY, "no", "10.1.2.3" },
		{ "2001:0:a08:808::f7fe:fdfc", POL_DENY, "no", "10.8.8.8" }, { "2001:0:808:808::f7fe:fdfc", POL_AUDIT, "six", "0.0.0.0" },
		{ "2001:db8::10.1.2.3", POL_ALLOW, "four", "0.0.0.0" }, { "64:ff9b:1::10.1.2.3", POL_DENY, "no", "10.1.2.3" },
	};
	struct policy *p = gen_open(&m);

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		uint8_t addr[16], by[4], want[4];
		struct pol_net q = { .addr = addr, .addr_len = 16, .port = 80 };

		assert_int_equal(inet_pton(AF_INET6, v[i].addr, addr), 1);
		assert_int_equal(inet_pton(AF_INET, v[i].by, want), 1);
		assert_verdict(policy_net_through(p, &q, by), v[i].decision, v[i].rule);
		assert_memory_equal(by, want, 4);
		assert_verdict(policy_net_through(p, &q, NULL), v[i].decision, v[i].rule);
	}
	policy_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests), cmocka_unit_test(test_connections), cmocka_unit_test(test_processes),
					    cmocka_unit_test(test_against_order), cmocka_unit_test(test_globs), cmocka_unit_test(test_odd_address), cmocka_unit_test(test_through) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
