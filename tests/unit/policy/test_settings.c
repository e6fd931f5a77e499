/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets, signals, variables, redirects, services, budgets, limits: what is written of them reads back and decides. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/policy/gen.h"

static const struct pol_who nobody, unknown = { .unknown = true };

static void test_unix(void **state UNUSED)
{
	struct model m = { .name = "n", .execs = RULES({ .name = "e", .max_depth = -1, .more = MORE(.processes = STRS("x")) }) };
	struct policy *p;

	m.unixes = RULES({ .name = "docker", .paths = STRS("/run/docker.sock"), .ops = 1u << POL_UNIX_CONNECT, .decision = POL_APPROVE,
			   .message = "why", .timeout_ms = 5000, .redirect_to = NULL },
			 { .name = "tmp", .paths = STRS("/tmp/*.sock", "@ab*"), .ops = 15, .decision = POL_ALLOW },
			 { .name = "node", .paths = STRS("/n/**"), .ops = 15, .decision = POL_ALLOW, .more = MORE(.processes = STRS("node", "x")) },
			 { .name = "not-sh", .paths = STRS("/s/**"), .ops = 15, .decision = POL_DENY, .more = MORE(.processes = STRS("sh")) },
			 { .name = "s", .paths = STRS("/s/**"), .ops = 15, .decision = POL_AUDIT });
	p = gen_open(&m);
	assert_verdict(policy_unix(p, "/run/docker.sock", POL_UNIX_CONNECT, nobody), POL_APPROVE, "docker");
	assert_int_equal(policy_unix(p, "/run/docker.sock", POL_UNIX_CONNECT, nobody).timeout_ms, 5000);
	assert_string_equal(policy_unix(p, "/run/docker.sock", POL_UNIX_CONNECT, nobody).message, "why");
	assert_verdict(policy_unix(p, "/run/docker.sock", POL_UNIX_BIND, nobody), POL_DENY, "default-deny-unix");
	assert_verdict(policy_unix(p, "/tmp/a.sock", POL_UNIX_SENDTO, nobody), POL_ALLOW, "tmp");
	assert_verdict(policy_unix(p, "/tmp/a/b.sock", POL_UNIX_SENDTO, nobody), POL_DENY, "default-deny-unix");
	assert_verdict(policy_unix(p, "@abc", POL_UNIX_LISTEN, nobody), POL_ALLOW, "tmp");
	/* labels in the order of first appearance: x (execs), node, sh */
	assert_true(policy_has_labels(p));
	assert_int_equal(policy_labels(p, "x", NULL, false).sure, 1);
	assert_int_equal(policy_labels(p, "/usr/bin/Node", NULL, false).sure, 2);
	assert_int_equal(policy_labels(p, "node", "/bin/sh", false).sure, 6);
	assert_int_equal(policy_labels(p, "node", "/bin/sh", true).sure, 4);
	assert_int_equal(policy_labels(p, "node", NULL, true).sure, 0);
	assert_int_equal(policy_labels(p, "node", NULL, true).may, 2);
	assert_verdict(policy_unix(p, "/n/a", POL_UNIX_BIND, nobody), POL_DENY, "default-deny-unix");
	assert_verdict(policy_unix(p, "/n/a", POL_UNIX_BIND, unknown), POL_DENY, "default-deny-unix");
	assert_verdict(policy_unix(p, "/n/a", POL_UNIX_BIND, (struct pol_who){ .sure = 2 }), POL_ALLOW, "node");
	assert_verdict(policy_unix(p, "/n/a", POL_UNIX_BIND, (struct pol_who){ .sure = 1 }), POL_ALLOW, "node");
	assert_verdict(policy_unix(p, "/n/a", POL_UNIX_BIND, (struct pol_who){ .may = 1 }), POL_DENY, "default-deny-unix");
	assert_verdict(policy_unix(p, "/n/a", POL_UNIX_BIND, (struct pol_who){ .sure = 4 }), POL_DENY, "default-deny-unix");
	assert_verdict(policy_unix(p, "/s/a", POL_UNIX_BIND, nobody), POL_AUDIT, "s");
	assert_verdict(policy_unix(p, "/s/a", POL_UNIX_BIND, unknown), POL_DENY, "not-sh");
	assert_verdict(policy_unix(p, "/s/a", POL_UNIX_BIND, (struct pol_who){ .sure = 4 }), POL_DENY, "not-sh");
	assert_verdict(policy_unix(p, "/s/a", POL_UNIX_BIND, (struct pol_who){ .may = 4 }), POL_DENY, "not-sh");
	assert_string_equal(pol_unix_op_name(POL_UNIX_SENDTO), "sendto");
	assert_string_equal(pol_unix_op_name(POL_UNIX__COUNT), "?");
	policy_close(p);
}

#define BIT(t) (1u << POL_T_##t)
#define SIG(n) (1ull << ((n) - 1))

static struct pol_verdict signal_to(const struct policy *p, int n, uint32_t targets, const char *process, int64_t pid, struct pol_who who)
{
	struct pol_signal q = { n, targets, process, pid, who };

	return policy_signal(p, &q);
}

static void test_signals(void **state UNUSED)
{
	struct signal_rule v[] = {
		{ .name = "soft", .signals = SIG(9), .targets = BIT(CHILDREN), .decision = POL_REDIRECT, .redirect_to = 15, .fallback = POL_AUDIT, .message = "m" },
		{ .name = "nginx", .signals = ~0ull, .targets = BIT(PROCESS), .pattern = "Ngin?", .decision = POL_DENY, .fallback = POL_DENY },
		{ .name = "range", .signals = ~0ull, .targets = BIT(PID_RANGE), .min = 100, .max = 200, .decision = POL_ABSORB },
		{ .name = "own", .signals = SIG(1) | SIG(64), .targets = BIT(SELF) | BIT(SESSION), .decision = POL_ALLOW },
		{ .name = "sh-only", .signals = SIG(2), .targets = BIT(SESSION), .decision = POL_ALLOW, .processes = STRS("sh") },
		{ .name = "ok-name", .signals = SIG(3), .targets = BIT(PROCESS), .pattern = "vim", .decision = POL_ALLOW },
		{ .name = "ok-range", .signals = SIG(3), .targets = BIT(PID_RANGE), .min = 1, .max = 50, .decision = POL_AUDIT },
		{ .name = "any", .signals = SIG(4), .targets = (1u << POL_T__COUNT) - 1, .decision = POL_AUDIT },
	};
	struct model m = { .name = "n", .signals = v, .n_signals = ARRAY_LEN(v) };
	struct policy *p = gen_open(&m);
	char longest[1500];

	memset(longest, 'v', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	assert_verdict(signal_to(p, 9, BIT(CHILDREN) | BIT(SESSION), "a", 5, nobody), POL_REDIRECT, "soft");
	assert_int_equal(signal_to(p, 9, BIT(CHILDREN), "a", 5, nobody).signal, 15);
	assert_int_equal(signal_to(p, 9, BIT(CHILDREN), "a", 5, nobody).fallback, POL_AUDIT);
	assert_string_equal(signal_to(p, 9, BIT(CHILDREN), "a", 5, nobody).message, "m");
	assert_verdict(signal_to(p, 9, BIT(SESSION), "NGINX", 5, nobody), POL_DENY, "nginx");
	assert_verdict(signal_to(p, 9, BIT(SESSION), NULL, 5, nobody), POL_DENY, "nginx");
	assert_verdict(signal_to(p, 9, BIT(SESSION), longest, 5, nobody), POL_DENY, "nginx");
	assert_verdict(signal_to(p, 9, BIT(SESSION), "x", 100, nobody), POL_ABSORB, "range");
	assert_verdict(signal_to(p, 9, BIT(SESSION), "x", 200, nobody), POL_ABSORB, "range");
	assert_verdict(signal_to(p, 9, BIT(SESSION), "x", 201, nobody), POL_DENY, "default-deny-signal");
	assert_verdict(signal_to(p, 9, BIT(SESSION), "x", 99, nobody), POL_DENY, "default-deny-signal");
	assert_verdict(signal_to(p, 9, BIT(SESSION), "x", 0, nobody), POL_ABSORB, "range");
	assert_verdict(signal_to(p, 1, BIT(SESSION), "x", 5, nobody), POL_ALLOW, "own");
	assert_verdict(signal_to(p, 64, BIT(SELF), "x", 5, nobody), POL_ALLOW, "own");
	assert_verdict(signal_to(p, 1, BIT(EXTERNAL), "x", 5, nobody), POL_DENY, "default-deny-signal");
	assert_verdict(signal_to(p, 2, BIT(SESSION), "x", 5, nobody), POL_DENY, "default-deny-signal");
	assert_verdict(signal_to(p, 2, BIT(SESSION), "x", 5, unknown), POL_DENY, "default-deny-signal");
	assert_verdict(signal_to(p, 2, BIT(SESSION), "x", 5, (struct pol_who){ .sure = 1 }), POL_ALLOW, "sh-only");
	assert_verdict(signal_to(p, 3, BIT(SESSION), "vim", 500, nobody), POL_ALLOW, "ok-name");
	assert_verdict(signal_to(p, 4, 0, "x", 500, nobody), POL_AUDIT, "any");
	assert_verdict(signal_to(p, 5, 0, NULL, 500, nobody), POL_DENY, "nginx");
	assert_verdict(signal_to(p, 5, 0, "x", -1, nobody), POL_ABSORB, "range");
	{ /* not known, and only rules that let through: none of them */
		struct signal_rule few[] = { v[5], v[6], { .name = "a", .signals = SIG(3), .targets = BIT(PROCESS), .pattern = "x", .decision = POL_AUDIT },
					     { .name = "b", .signals = SIG(3), .targets = BIT(PID_RANGE), .min = 1, .max = 9, .decision = POL_ALLOW } };
		struct model m2 = { .name = "n", .signals = few, .n_signals = ARRAY_LEN(few) };
		struct policy *p2 = gen_open(&m2);

		assert_verdict(signal_to(p2, 3, BIT(SESSION), NULL, 0, nobody), POL_DENY, "default-deny-signal");
		policy_close(p2);
	}
	assert_verdict(signal_to(p, 3, BIT(SESSION), "x", 20, nobody), POL_AUDIT, "ok-range");
	/* beyond what signals there are */
	assert_verdict(signal_to(p, 0, BIT(SELF), "x", 5, nobody), POL_DENY, "default-deny-signal");
	assert_verdict(signal_to(p, 65, BIT(SELF), "x", 5, nobody), POL_DENY, "default-deny-signal");
	policy_close(p);
}

static void test_signal_names(void **state UNUSED)
{
	assert_int_equal(pol_signal_number("KILL"), 9);
	assert_int_equal(pol_signal_number("sigterm"), 15);
	assert_int_equal(pol_signal_number("SIGCLD"), 17);
	assert_int_equal(pol_signal_number("Sys"), 31);
	assert_int_equal(pol_signal_number("64"), 64);
	assert_int_equal(pol_signal_number("65"), 0);
	assert_int_equal(pol_signal_number("0"), 0);
	assert_int_equal(pol_signal_number("RTMIN+1"), 0);
	assert_int_equal(pol_signal_number(""), 0);
	assert_string_equal(pol_target_name(POL_T_PID_RANGE), "pid_range");
	assert_string_equal(pol_target_name(POL_T__COUNT), "?");
}

static const char *why;
static enum pol_decision env(const struct policy *p, uint32_t rule, const char *name)
{
	return policy_env(p, rule, name, &why);
}

#define ENV_IS(rule, name, d, w) do { assert_int_equal(env(p, rule, name), d); assert_string_equal(why, w); } while (0)

static void test_env(void **state UNUSED)
{
	struct model m = { .name = "n", .env_deny = STRS("SECRET_*", "X"), .env = { 1000, 20, true },
			   .env_inject = STRS("A=b", "C=d e") };
	struct policy *p;
	const char *const *inject;

	m.execs = RULES({ .name = "plain", .max_depth = -1 },
			{ .name = "own", .max_depth = -1, .more = MORE(.has_env_allow = true, .env_allow = STRS("PATH", "SECRET_A", "LD_PRELOAD", "LD_*"),
									    .has_env_deny = true, .env_deny = STRS("path*"), .has_env_limits = true, .env_max_bytes = 50) },
			{ .name = "keys", .max_depth = -1, .more = MORE(.has_env_limits = true, .env_max_keys = 3, .env_block_iteration = true) });
	p = gen_open(&m);
	ENV_IS(POL_NO_RULE, "AGENTSH_X", POL_ALLOW, "agentsh");
	ENV_IS(POL_NO_RULE, "SECRET_A", POL_DENY, "env_policy.deny");
	ENV_IS(POL_NO_RULE, "secret_a", POL_ALLOW, "default");
	ENV_IS(POL_NO_RULE, "SECRET", POL_ALLOW, "default");
	ENV_IS(POL_NO_RULE, "x", POL_ALLOW, "default");
	ENV_IS(0, "X", POL_DENY, "env_policy.deny");
	ENV_IS(0, "LD_PRELOAD", POL_DENY, "built-in");
	ENV_IS(0, "BASH_FUNC_ls%%", POL_DENY, "built-in");
	ENV_IS(0, "DYLD_X", POL_DENY, "built-in");
	ENV_IS(0, "MALLOC_", POL_DENY, "built-in");
	ENV_IS(0, "MALLOC", POL_ALLOW, "default");
	ENV_IS(1, "PATH", POL_ALLOW, "env_allow");
	ENV_IS(1, "pathX", POL_DENY, "env_deny");
	ENV_IS(1, "SECRET_A", POL_ALLOW, "env_allow");
	ENV_IS(1, "SECRET_B", POL_DENY, "env_allow");
	ENV_IS(1, "LD_PRELOAD", POL_ALLOW, "env_allow");
	ENV_IS(1, "LD_AUDIT", POL_DENY, "built-in");
	ENV_IS(1, "LD_OTHER", POL_ALLOW, "env_allow");
	assert_int_equal(policy_env(p, 1, "Q", NULL), POL_DENY);
	assert_int_equal(policy_env_limits(p, 0).max_bytes, 1000);
	assert_int_equal(policy_env_limits(p, POL_NO_RULE).max_keys, 20);
	assert_int_equal(policy_env_limits(p, 1).max_bytes, 50);
	assert_int_equal(policy_env_limits(p, 1).max_keys, 20);
	assert_int_equal(policy_env_limits(p, 2).max_bytes, 1000);
	assert_int_equal(policy_env_limits(p, 2).max_keys, 3);
	assert_true(policy_env_limits(p, 2).block_iteration);
	assert_int_equal(policy_env_inject(p, &inject), 2);
	assert_string_equal(inject[1], "C=d e");
	assert_null(inject[2]);
	policy_close(p);
	m.env_allow = STRS("*");
	m.env.block_iteration = false;
	p = gen_open(&m);
	ENV_IS(POL_NO_RULE, "FOO", POL_ALLOW, "env_policy.allow");
	ENV_IS(POL_NO_RULE, "GITHUB_TOKEN", POL_DENY, "built-in");
	assert_false(policy_env_limits(p, 0).block_iteration);
	assert_true(policy_env_limits(p, 2).block_iteration);
	policy_close(p);
}

static void test_redirects(void **state UNUSED)
{
	struct redirect_rule dns = { .name = "pypi", .message = "mirror", .resolve_to = { { 10, 0, 0, 9 }, 4, 32 }, .visibility = POL_SEE_WARN, .on_failure = POL_FAIL_OPEN },
			     conn[] = { { .name = "db", .host = "db.internal", .port = 5432, .sni = "x.y" }, { .name = "sock", .unix_path = "/run/x.sock", .visibility = POL_SEE_SILENT, .on_failure = POL_FAIL_ORIGINAL } };
	struct model m = { .name = "n", .dns = &dns, .n_dns = 1, .connect = conn, .n_connect = 2 };
	struct pol_redirect r = { 0 };
	struct policy *p;
	char longest[600];

	gen_regex(&STRS("(^|\\.)pypi\\.org$"), &dns.regex, &dns.regex_len);
	gen_regex(&STRS("^db\\..*:5432$"), &conn[0].regex, &conn[0].regex_len);
	gen_regex(&STRS(":5432$"), &conn[1].regex, &conn[1].regex_len);
	p = gen_open(&m);
	assert_true(policy_dns_redirect(p, "files.pypi.org", &r));
	assert_string_equal(r.rule, "pypi");
	assert_string_equal(r.message, "mirror");
	assert_int_equal(r.addr_len, 4);
	assert_memory_equal(r.addr, ((uint8_t[]){ 10, 0, 0, 9 }), 4);
	assert_int_equal(r.visibility, POL_SEE_WARN);
	assert_int_equal(r.on_failure, POL_FAIL_OPEN);
	assert_null(r.host);
	assert_false(policy_dns_redirect(p, "notpypi.org", &r));
	assert_true(policy_connect_redirect(p, "db.x", 5432, &r));
	assert_string_equal(r.rule, "db");
	assert_string_equal(r.host, "db.internal");
	assert_int_equal(r.port, 5432);
	assert_string_equal(r.sni, "x.y");
	assert_int_equal(r.addr_len, 0);
	assert_true(policy_connect_redirect(p, "other", 5432, &r));
	assert_string_equal(r.unix_path, "/run/x.sock");
	assert_null(r.host);
	assert_null(r.sni);
	assert_false(policy_connect_redirect(p, "db.x", 543, &r));
	memset(longest, 'a', sizeof(longest));
	longest[599] = 0;
	assert_false(policy_connect_redirect(p, longest, 5432, &r));
	policy_close(p);
	free(dns.regex);
	free(conn[0].regex);
	free(conn[1].regex);
	m.n_connect = m.n_dns = 0;
	p = gen_open(&m);
	assert_false(policy_connect_redirect(p, "db.x", 5432, &r));
	policy_close(p);
}

static void test_services(void **state UNUSED)
{
	struct service v[] = {
		{ .name = "gh", .upstream = "https://api.github.com", .expose_as = "GH_API_URL", .host = "api.github.com", .aliases = STRS("github.com"),
		  .secret_ref = "env:X", .secret_format = "ghp_{rand:36}", .inject_header = "Authorization", .inject_template = "Bearer {{secret}}", .scrub_response = true },
		{ .name = "open", .upstream = "https://open.test", .expose_as = "OPEN", .host = "open.test", .allow_direct = true, .end = POL_ALLOW },
	};
	struct model m = { .name = "n", .services = v, .n_services = 2, .nets = RULES({ .name = "any", .domains = STRS("*"), .decision = POL_ALLOW }) };
	struct pol_net q = { .domain = "github.com", .port = 443 };
	struct policy *p;

	v[0].rules = RULES({ .name = "read", .decision = POL_ALLOW, .more = MORE(.methods = STRS("GET", "HEAD"), .url_paths = STRS("/repos/**")) },
			   { .name = "ask", .decision = POL_APPROVE, .message = "sure?", .timeout_ms = 7000, .more = MORE(.methods = STRS("POST")) },
			   { .name = "no-admin", .decision = POL_DENY, .more = MORE(.url_paths = STRS("/admin/**")) });
	p = gen_open(&m);
	assert_int_equal(policy_services(p), 2);
	assert_string_equal(policy_service(p, 0)->name, "gh");
	assert_string_equal(policy_service(p, 0)->upstream, "https://api.github.com");
	assert_string_equal(policy_service(p, 0)->expose_as, "GH_API_URL");
	assert_string_equal(policy_service(p, 0)->secret_ref, "env:X");
	assert_string_equal(policy_service(p, 0)->secret_format, "ghp_{rand:36}");
	assert_string_equal(policy_service(p, 0)->inject_header, "Authorization");
	assert_string_equal(policy_service(p, 0)->inject_template, "Bearer {{secret}}");
	assert_true(policy_service(p, 0)->scrub_response && !policy_service(p, 0)->allow_direct);
	assert_true(!policy_service(p, 1)->scrub_response && policy_service(p, 1)->allow_direct && !policy_service(p, 1)->secret_ref);
	assert_int_equal(policy_service_of_host(p, "github.com"), 0);
	assert_int_equal(policy_service_of_host(p, "api.github.com"), 0);
	assert_int_equal(policy_service_of_host(p, "open.test"), 1);
	assert_int_equal(policy_service_of_host(p, "x.test"), -ENOENT);
	assert_verdict(policy_service_request(p, 0, "get", "/repos/a/b?q=/../x"), POL_ALLOW, "read");
	assert_verdict(policy_service_request(p, 0, "POST", "/x"), POL_APPROVE, "ask");
	assert_int_equal(policy_service_request(p, 0, "POST", "/x").timeout_ms, 7000);
	assert_verdict(policy_service_request(p, 0, "PUT", "/admin/x"), POL_DENY, "no-admin");
	assert_verdict(policy_service_request(p, 0, "PUT", "/%61dmin/x"), POL_DENY, "no-admin");
	assert_verdict(policy_service_request(p, 0, "PUT", "/x"), POL_DENY, "default-deny-service");
	assert_verdict(policy_service_request(p, 0, "GET", "/repos/../admin"), POL_DENY, "http-bad-path");
	assert_verdict(policy_service_request(p, 0, "POST", "/a//b"), POL_DENY, "http-bad-path");
	assert_verdict(policy_service_request(p, 1, "PUT", "/x"), POL_ALLOW, "default-allow-service");
	assert_verdict(policy_service_request(p, 1, "PUT", "/x/%2e%2e/y"), POL_DENY, "http-bad-path");
	assert_verdict(policy_net(p, &q), POL_DENY, "http-service-direct");
	q.dns = true;
	assert_verdict(policy_net(p, &q), POL_DENY, "http-service-direct");
	q.domain = "open.test";
	assert_verdict(policy_net(p, &q), POL_ALLOW, "any");
	policy_close(p);
}

static void test_budgets(void **state UNUSED)
{
	struct budget v[] = {
		{ .name = "day", .message = "enough", .b = { .per = POL_PER_DAY, .max_microusd = 5000000, .max_tokens = 1, .max_input_tokens = 2, .max_output_tokens = 3,
		  .max_requests = 4, .requests_per_minute = 5, .timeout_ms = 6, .warn_at = { 50, 80 }, .decision = POL_APPROVE },
		  .providers = STRS("Anth*"), .models = STRS("claude-*", "gpt"), .keys = STRS("ci") },
		{ .name = "all", .b = { .max_requests = 9 } },
	};
	struct model m = { .name = "n", .budgets = v, .n_budgets = 2 };
	struct policy *p = gen_open(&m);
	const struct pol_budget *b = policy_budget(p, 0);
	char longest[1500];

	memset(longest, 'c', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(policy_budgets(p), 2);
	assert_string_equal(b->name, "day");
	assert_string_equal(b->message, "enough");
	assert_true(b->per == POL_PER_DAY && b->max_microusd == 5000000 && b->max_tokens == 1 && b->max_input_tokens == 2 && b->max_output_tokens == 3 &&
		    b->max_requests == 4 && b->requests_per_minute == 5 && b->timeout_ms == 6 && b->decision == POL_APPROVE);
	assert_memory_equal(b->warn_at, ((uint8_t[]){ 50, 80, 0, 0 }), 4);
	assert_true(policy_budget_counts(p, 0, "anthropic", "Claude-9", "CI"));
	assert_false(policy_budget_counts(p, 0, "openai", "gpt", "ci"));
	assert_false(policy_budget_counts(p, 0, "anthropic", "gpt-5", "ci"));
	assert_false(policy_budget_counts(p, 0, "anthropic", "gpt", "other"));
	assert_true(policy_budget_counts(p, 0, "anthropic", "gpt", NULL));
	assert_true(policy_budget_counts(p, 0, "anthropic", longest, "ci"));
	assert_true(policy_budget_counts(p, 1, "x", "y", "z"));
	policy_close(p);
}

static void test_limits_and_places(void **state UNUSED)
{
	struct redirect_rule dns = { .name = "d", .file = 1, .line = 71, .resolve_to = { { 1 }, 4, 32 } };
	struct signal_rule sig = { .name = "s", .file = 1, .line = 61, .signals = 1, .targets = 1 };
	struct service service = { .name = "v", .upstream = "https://a", .host = "a", .line = 81 };
	struct budget budget = { .name = "b", .line = 91, .file = 7 };
	struct model m = { .name = "n", .sources = STRS("own.yaml", "base.yaml"), .limits = { 1, 0, 3, 4, 5, 6, 7, 8, 9, 10, true },
			   .audit = { true, false, true, false, true, true, 30 }, .dns = &dns, .n_dns = 1, .signals = &sig, .n_signals = 1, .services = &service, .n_services = 1,
			   .budgets = &budget, .n_budgets = 1 };
	static const char *const expect[][3] = { { "file", "f", "own.yaml:11" }, { "net", "g", "base.yaml:22" }, { "exec", "h", "own.yaml:33" }, { "unix", "u", "own.yaml:44" },
		{ "signal", "s", "base.yaml:61" }, { "dns-redirect", "d", "base.yaml:71" }, { "service", "v", "own.yaml:81" }, { "budget", "b", "?:91" } };
	struct policy *p;
	char where[64];

	gen_regex(&STRS("x"), &dns.regex, &dns.regex_len);
	service.rules = RULES({ .name = "r", .line = 82 });
	m.files = RULES({ .name = "f", .line = 11, .paths = STRS("/a"), .ops = ALL_OPS, .message = "m", .redirect_to = "/q", .preserve_tree = true,
			  .decision = POL_REDIRECT, .more = MORE(.undo_keep = true) });
	m.nets = RULES({ .name = "g", .line = 22, .file = 1 });
	m.execs = RULES({ .name = "h", .line = 33, .max_depth = -1 });
	m.unixes = RULES({ .name = "u", .line = 44, .paths = STRS("/x"), .ops = 15 });
	p = gen_open(&m);
	for (size_t i = 0; i < ARRAY_LEN(expect); i++) {
		assert_int_equal(policy_rule_position(p, expect[i][0], expect[i][1], where, sizeof(where)), 0);
		assert_string_equal(where, expect[i][2]);
	}
	assert_int_equal(policy_rule_position(p, "service-rule", "r", where, sizeof(where)), 0);
	assert_string_equal(where, "own.yaml:82");
	assert_int_equal(policy_rule_position(p, "file", "g", where, sizeof(where)), -ENOENT);
	assert_int_equal(policy_rule_position(p, "what", "f", where, sizeof(where)), -ENOENT);
	assert_int_equal(policy_limits(p)->max_memory_mb, 1);
	assert_int_equal(policy_limits(p)->idle_timeout_ms, 10);
	assert_int_equal(policy_limits(p)->pids_max, 7);
	assert_true(policy_limits(p)->swap_given);
	assert_true(policy_audit(p)->log_allowed && !policy_audit(p)->log_denied && policy_audit(p)->log_approved && !policy_audit(p)->include_stdout &&
		    policy_audit(p)->include_stderr && policy_audit(p)->include_file_content);
	assert_int_equal(policy_audit(p)->retention_days, 30);
	assert_true(policy_file(p, policy_file_path(p, "/a"), POL_OP_WRITE, nobody).undo_keep);
	assert_string_equal(policy_name(p), "n");
	policy_close(p);
	free(dns.regex);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_unix), cmocka_unit_test(test_signals), cmocka_unit_test(test_signal_names), cmocka_unit_test(test_env),
					    cmocka_unit_test(test_redirects), cmocka_unit_test(test_services), cmocka_unit_test(test_budgets), cmocka_unit_test(test_limits_and_places) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
