/* SPDX-License-Identifier: Apache-2.0 */
/* Every key of every section: what stands in the text stands in the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/parse.h"
#include "tests/unit/policy/pol.h"

static struct model m;
static struct buf words = { .max = 1u << 20 };

static void read_model(const char *text)
{
	static const struct pol_var vars[] = { { "HOME", "/home/u", NULL }, { "WILD", "/a*", NULL },
						{ "LINK", "/l", "/data/{l}" } };
	struct pol_source src = { .file = "f", .text = text, .len = strlen(text), .vars = vars, .n_vars = 3 };
	struct diag d = { .file = "f", .out = &words };

	model_fini(&m);
	buf_reset(&words);
	if (parse_source(&src, &d, false, &m) < 0)
		fail_msg("%s", (const char *)words.data);
}

static int done(void **state UNUSED)
{
	model_fini(&m);
	buf_fini(&words);
	return 0;
}

static void assert_strs(const struct strs *s, const char *want)
{
	struct buf b = BUF_INIT(65536);

	for (size_t i = 0; i < s->n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", s->v[i]);
	buf_put(&b, "", 0);
	assert_string_equal((char *)b.data, want);
	buf_fini(&b);
}

static void test_files(void **state UNUSED)
{
	const struct rule *r;

	read_model(HEAD "file_rules:\n"
			"- {name: a, decision: Redirect, redirect_to: '${HOME}/q', preserve_tree: true, paths: ['${WILD}/**', '**/x'],\n"
			"   operations: [read, mknod], message: m, timeout: 1m30s, undo: keep, processes: [npm, '${HOME}/bin/*'], description: d}\n"
			"- {name: b, decision: soft_delete, paths: [/b], operations: ['*']}\n"
			"- {name: c, decision: audit, paths: [/c], preserve_tree: false}\n");
	assert_int_equal(m.files.n, 3);
	r = &m.files.v[0];
	assert_string_equal(r->name, "a");
	assert_int_equal(r->decision, POL_REDIRECT);
	assert_string_equal(r->redirect_to, "/home/u/q");
	assert_true(r->preserve_tree && r->more->undo_keep);
	assert_strs(&r->paths, "/a\\*/** **/x");
	assert_int_equal(r->ops, 1u << POL_OP_READ | 1u << POL_OP_MKNOD);
	assert_string_equal(r->message, "m");
	assert_int_equal(r->timeout_ms, 90000);
	assert_strs(&r->more->processes, "npm /home/u/bin/*");
	assert_int_equal(r->line, 4);
	assert_int_equal(r->column, 3);
	assert_int_equal(r->file, 0);
	assert_int_equal(r[1].decision, POL_SOFT_DELETE);
	assert_int_equal(r[1].ops, (1u << POL_OP__COUNT) - 1);
	assert_int_equal(r[2].ops, (1u << POL_OP__COUNT) - 1);
	assert_null(r[2].more);
	for (int op = 0; op < POL_OP__COUNT; op++) {
		char text[256];

		snprintf(text, sizeof(text), HEAD "file_rules:\n- {name: a, decision: deny, paths: [/a], operations: [%s]}\n", pol_op_name(op));
		read_model(text);
		assert_int_equal(m.files.v[0].ops, 1u << op);
	}
}

static void test_network(void **state UNUSED)
{
	const struct rule *r;

	read_model(HEAD "network_rules:\n"
			"- {name: a, decision: APPROVE, domains: ['API.Example.com.', '**'], ports: [443, 65535], cidrs: [10.0.0.0/8, '::1'],\n"
			"   methods: [get, '*'], paths: ['/v1/**'], tls: passthrough, dlp: strict, processes: [curl]}\n"
			"- {name: b, decision: allow, tls: inspect}\n");
	r = m.nets.v;
	assert_int_equal(m.nets.n, 2);
	assert_int_equal(r->decision, POL_APPROVE);
	assert_strs(&r->domains, "api.example.com **");
	assert_int_equal(r->n_ports, 2);
	assert_int_equal(r->ports[0], 443);
	assert_int_equal(r->ports[1], 65535);
	assert_strs(&r->cidrs, "10.0.0.0/8 ::1");
	assert_strs(&r->more->methods, "GET *");
	assert_strs(&r->more->url_paths, "/v1/**");
	assert_int_equal(r->more->tls, POL_TLS_PASSTHROUGH);
	assert_string_equal(r->more->dlp, "strict");
	assert_int_equal(r[1].more->tls, POL_TLS_INSPECT);
}

static void test_commands(void **state UNUSED)
{
	const struct rule *r;

	read_model(HEAD "command_rules:\n"
			"- name: a\n  decision: redirect\n  commands: [git, '[', '${HOME}/bin/x', '/opt/${WILD}']\n  args_patterns: ['push', '^x$']\n"
			"  redirect_to: {command: '${HOME}/e', args: [a, '{{.Args}}'], args_append: [z], environment: {A: '1', B_2: 'x=y'}}\n"
			"  context: {min_depth: 2, max_depth: -1}\n"
			"  sha256: ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789\n"
			"  env_allow: ['A*']\n  env_deny: []\n  env_max_bytes: 10\n  env_max_keys: 3\n  env_block_iteration: true\n"
			"- {name: b, decision: allow, context: [nested]}\n- {name: c, decision: allow, context: [direct]}\n"
			"- {name: d, decision: allow, context: [direct, nested]}\n- {name: e, decision: allow}\n");
	r = m.execs.v;
	assert_int_equal(m.execs.n, 5);
	assert_strs(&r->commands, "git [ /home/u/bin/x /opt//a\\*");
	assert_strs(&r->args_patterns, "push ^x$");
	assert_true(r->regex && r->regex_len);
	assert_string_equal(r->redirect_to, "/home/u/e");
	assert_strs(&r->more->redirect_args, "a {{.Args}}");
	assert_strs(&r->more->redirect_append, "z");
	assert_strs(&r->more->redirect_env, "A=1 B_2=x=y");
	assert_int_equal(r->min_depth, 2);
	assert_int_equal(r->max_depth, -1);
	assert_strs(&r->more->sha256, "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
	assert_true(r->more->has_env_allow && r->more->has_env_deny && r->more->has_env_limits && r->more->env_block_iteration);
	assert_strs(&r->more->env_allow, "A*");
	assert_int_equal(r->more->env_deny.n, 0);
	assert_int_equal(r->more->env_max_bytes, 10);
	assert_int_equal(r->more->env_max_keys, 3);
	assert_true(r[1].min_depth == 1 && r[1].max_depth == -1);
	assert_true(r[2].min_depth == 0 && r[2].max_depth == 0);
	assert_true(r[3].min_depth == 0 && r[3].max_depth == -1);
	assert_true(r[4].min_depth == 0 && r[4].max_depth == -1 && !r[4].more);
}

static void test_sockets_and_signals(void **state UNUSED)
{
	const struct signal_rule *s;

	read_model(HEAD "unix_socket_rules:\n"
			"- {name: a, decision: deny, paths: ['${HOME}/*.sock', '@x*'], operations: [bind, sendto]}\n- {name: b, decision: audit, paths: ['**']}\n"
			"signal_rules:\n"
			"- {name: a, decision: redirect, redirect_to: sigterm, signals: [KILL, '@job', 64], target: {type: process, pattern: 'no*'}, fallback: audit}\n"
			"- {name: b, decision: absorb, target: {type: pid_range, min: 1, max: 9}, timeout: 5s, message: m, processes: [sh]}\n"
			"- {name: c, decision: allow, target: children, signals: ['@all']}\n"
			"- {name: d, decision: allow}\n");
	assert_strs(&m.unixes.v[0].paths, "/home/u/*.sock @x*");
	assert_int_equal(m.unixes.v[0].ops, 1u << POL_UNIX_BIND | 1u << POL_UNIX_SENDTO);
	assert_int_equal(m.unixes.v[1].ops, (1u << POL_UNIX__COUNT) - 1);
	s = m.signals;
	assert_int_equal(m.n_signals, 4);
	assert_int_equal(s[0].signals, 1ull << 8 | 1ull << 63 | 1ull << 18 | 1ull << 17 | 1ull << 19 | 1ull << 20 | 1ull << 21);
	assert_int_equal(s[0].redirect_to, 15);
	assert_int_equal(s[0].targets, 1u << POL_T_PROCESS);
	assert_string_equal(s[0].pattern, "no*");
	assert_int_equal(s[0].fallback, POL_AUDIT);
	assert_int_equal(s[1].decision, POL_ABSORB);
	assert_true(s[1].min == 1 && s[1].max == 9 && s[1].targets == 1u << POL_T_PID_RANGE && s[1].timeout_ms == 5000);
	assert_strs(&s[1].processes, "sh");
	assert_int_equal(s[2].targets, 1u << POL_T_CHILDREN);
	assert_int_equal(s[2].signals, (1ull << 31) - 1);
	assert_true(s[3].signals == UINT64_MAX && s[3].targets == (1u << POL_T__COUNT) - 1 && s[3].fallback == POL_DENY);
}

/* Rules by the thousand name the same processes: kept once, while what else a rule has stays its own. */
static void test_shared(void **state UNUSED)
{
	read_model(HEAD "file_rules:\n"
			"- {name: a, decision: allow, paths: [/a], processes: [npm, sh]}\n"
			"- {name: b, decision: allow, paths: [/b], processes: [npm, sh], undo: keep}\n"
			"- {name: c, decision: allow, paths: [/c], processes: [npm]}\n"
			"network_rules:\n- {name: a, decision: deny, processes: [npm, sh]}\n- {name: b, decision: deny, dlp: x}\n"
			"unix_socket_rules:\n- {name: a, decision: deny, paths: [/a], processes: [npm, sh]}\n");
	assert_non_null(m.files.v[0].more);
	assert_ptr_equal(m.nets.v[0].more, m.files.v[0].more);
	assert_ptr_equal(m.unixes.v[0].more, m.files.v[0].more);
	assert_ptr_not_equal(m.files.v[1].more, m.files.v[0].more);
	assert_ptr_not_equal(m.files.v[2].more, m.files.v[0].more);
	assert_true(m.files.v[1].more->undo_keep && !m.files.v[0].more->undo_keep);
	assert_strs(&m.nets.v[0].more->processes, "npm sh");
	assert_strs(&m.files.v[1].more->processes, "npm sh");
	assert_strs(&m.files.v[2].more->processes, "npm");
	assert_string_equal(m.nets.v[1].more->dlp, "x");
}

static void test_redirects(void **state UNUSED)
{
	read_model(HEAD "dns_redirects:\n"
			"- {name: a, match: '^x$', resolve_to: '2001:db8::1', visibility: warn, on_failure: retry_original, message: m}\n"
			"- {name: b, match: y, resolve_to: 192.0.2.1}\n"
			"connect_redirects:\n"
			"- {name: a, match: ':443$', redirect_to: 'Proxy.local:8080', tls: {mode: rewrite_sni, sni: Other.example}}\n"
			"- {name: b, match: z, redirect_to_unix: '${HOME}/s', visibility: silent, on_failure: fail_open}\n"
			"- {name: c, match: z, redirect_to: '[::1]:1'}\n");
	assert_true(m.n_dns == 2 && m.n_connect == 3);
	assert_int_equal(m.dns[0].resolve_to.len, 16);
	assert_true(m.dns[0].visibility == POL_SEE_WARN && m.dns[0].on_failure == POL_FAIL_ORIGINAL && m.dns[0].regex);
	assert_true(m.dns[1].resolve_to.len == 4 && m.dns[1].visibility == POL_SEE_AUDIT && m.dns[1].on_failure == POL_FAIL_CLOSED);
	assert_string_equal(m.connect[0].host, "proxy.local");
	assert_int_equal(m.connect[0].port, 8080);
	assert_string_equal(m.connect[0].sni, "other.example");
	assert_string_equal(m.connect[1].unix_path, "/home/u/s");
	assert_true(m.connect[1].visibility == POL_SEE_SILENT && m.connect[1].on_failure == POL_FAIL_OPEN);
	assert_string_equal(m.connect[2].host, "::1");
}

static void test_settings(void **state UNUSED)
{
	read_model(HEAD "resource_limits: {max_memory_mb: 1, memory_swap_max_mb: 0, cpu_quota_percent: 2, disk_read_bps_max: 3, disk_write_bps_max: 4,\n"
			"  net_bandwidth_mbps: 5, pids_max: 6, command_timeout: 1h30m, session_timeout: 2d, idle_timeout: 1.5s}\n"
			"audit: {log_allowed: false, include_file_content: true, retention_days: 36500}\n"
			"env_policy: {allow: ['A*', B], deny: [C], max_bytes: 7, max_keys: 8, block_iteration: true}\n"
			"env_inject: {A: b, C: ''}\ntransparent_commands: {add: [wrap], remove: [env, nice]}\n");
	assert_true(m.limits.max_memory_mb == 1 && m.limits.memory_swap_max_mb == 0 && m.limits.swap_given && m.limits.cpu_quota_percent == 2);
	assert_true(m.limits.disk_read_bps_max == 3 && m.limits.disk_write_bps_max == 4 && m.limits.net_bandwidth_mbps == 5);
	assert_true(m.limits.pids_max == 6 && m.limits.command_timeout_ms == 5400000 && m.limits.session_timeout_ms == 172800000);
	assert_int_equal(m.limits.idle_timeout_ms, 1500);
	assert_true(!m.audit.log_allowed && m.audit.log_denied && m.audit.log_approved && m.audit.include_stdout && m.audit.include_stderr);
	assert_true(m.audit.include_file_content && m.audit.retention_days == 36500);
	assert_strs(&m.env_allow, "A* B");
	assert_strs(&m.env_deny, "C");
	assert_true(m.env.max_bytes == 7 && m.env.max_keys == 8 && m.env.block_iteration);
	assert_strs(&m.env_inject, "A=b C=");
	assert_strs(&m.transparent_add, "wrap");
	assert_strs(&m.transparent_remove, "env nice");
	read_model(HEAD "description: d\n");
	assert_true(m.audit.log_allowed && m.audit.include_stderr && !m.audit.include_file_content && !m.limits.swap_given);
}

static void test_services_and_budgets(void **state UNUSED)
{
	const struct service *s;
	const struct budget *b;

	read_model(HEAD "http_services:\n"
			"- name: Git.Hub\n  upstream: https://API.GitHub.com:8443/v3\n  aliases: [Uploads.GitHub.com]\n"
			"  secret: {ref: 'keyring://gh', format: 'ghp_{rand:36}'}\n  inject: {header: {name: Authorization, template: 'Bearer {{secret}}'}}\n"
			"- {name: b, upstream: 'https://b.example', expose_as: B_URL, allow_direct: true, scrub_response: true, default: allow,\n"
			"   rules: [{name: r, methods: [post], paths: ['/x'], decision: approve, message: m, timeout: 1s}]}\n"
			"llm_budgets:\n"
			"- {name: a, providers: [openai], models: ['gpt*'], keys: [k], per: month, max_usd: 12.345678, max_tokens: 1, max_input_tokens: 2,\n"
			"   max_output_tokens: 3, max_requests: 4, requests_per_minute: 5, warn_at: [50, 80], decision: approve, message: m, timeout: 5m}\n"
			"- {name: b, max_requests: 1}\n");
	s = m.services;
	assert_int_equal(m.n_services, 2);
	assert_string_equal(s[0].host, "api.github.com");
	assert_string_equal(s[0].expose_as, "GIT_HUB_API_URL");
	assert_strs(&s[0].aliases, "uploads.github.com");
	assert_string_equal(s[0].secret_ref, "keyring://gh");
	assert_string_equal(s[0].secret_format, "ghp_{rand:36}");
	assert_string_equal(s[0].inject_header, "Authorization");
	assert_string_equal(s[0].inject_template, "Bearer {{secret}}");
	assert_true(s[0].scrub_response && s[0].end == POL_ALLOW && !s[0].allow_direct);
	assert_string_equal(s[1].expose_as, "B_URL");
	assert_true(s[1].allow_direct && s[1].scrub_response && s[1].end == POL_ALLOW && s[1].rules.n == 1);
	assert_strs(&s[1].rules.v[0].more->methods, "POST");
	assert_strs(&s[1].rules.v[0].more->url_paths, "/x");
	assert_true(s[1].rules.v[0].decision == POL_APPROVE && s[1].rules.v[0].timeout_ms == 1000);
	b = m.budgets;
	assert_int_equal(m.n_budgets, 2);
	assert_int_equal(b->b.max_microusd, 12345678);
	assert_true(b->b.per == POL_PER_MONTH && b->b.max_tokens == 1 && b->b.max_input_tokens == 2 && b->b.max_output_tokens == 3);
	assert_true(b->b.max_requests == 4 && b->b.requests_per_minute == 5 && b->b.decision == POL_APPROVE && b->b.timeout_ms == 300000);
	assert_true(b->b.warn_at[0] == 50 && b->b.warn_at[1] == 80 && b->b.warn_at[2] == 0);
	assert_strs(&b->models, "gpt*");
	assert_true(b[1].b.decision == POL_DENY && b[1].b.per == POL_PER_SESSION);
}

/* A directory with two names: patterns hold for both. */
static void test_two_names(void **state UNUSED)
{
	read_model("version: 1\nname: n\nfile_rules:\n- {name: a, paths: ['${LINK}/x', '${LINK}'], decision: redirect, redirect_to: '${LINK}/y'}\n"
		   "command_rules:\n- {name: b, commands: ['${LINK}/bin/*'], decision: allow}\n");
	assert_strs(&m.files.v[0].paths, "{/l,/data/\\{l\\}}/x {/l,/data/\\{l\\}}");
	assert_string_equal(m.files.v[0].redirect_to, "/data/{l}/y");
	assert_strs(&m.execs.v[0].commands, "{/l,/data/\\{l\\}}/bin/*");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_two_names), cmocka_unit_test(test_files), cmocka_unit_test(test_network), cmocka_unit_test(test_commands),
					    cmocka_unit_test(test_sockets_and_signals), cmocka_unit_test(test_shared), cmocka_unit_test(test_redirects),
					    cmocka_unit_test(test_settings), cmocka_unit_test(test_services_and_budgets) };

	return cmocka_run_group_tests(tests, NULL, done);
}
