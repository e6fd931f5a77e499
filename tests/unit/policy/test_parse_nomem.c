/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that fails at each place in turn while a policy is read: it is refused, or the same comes out, and nothing leaks. Links with
 * malloc, calloc, realloc, strdup and the start of the YAML parser wrapped (tests/tests.mk). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <yaml.h>

#include "policy/parse.h"
#include "tests/unit/policy/nomem.h"
#include "tests/unit/policy/pol.h"

WRAP(void *, realloc, NULL, (void *p, size_t n), p, n)
WRAP(char *, strdup, NULL, (const char *s), s)
WRAP(int, yaml_parser_initialize, 0, (yaml_parser_t *p), p)

static int load(void *arg UNUSED, const char *from UNUSED, const char *name, char **ret_path, char **ret_text, size_t *ret_len,
		struct err *err UNUSED)
{
	static const char text[] = "version: 1\nname: e\nfile_rules: [{name: e, decision: deny, paths: [/e]}]\n";

	*ret_path = __real_strdup(name);
	*ret_text = __real_strdup(text);
	*ret_len = sizeof(text) - 1;
	return 0;
}

static const char text[] = HEAD "extends: [b, c]\n"
	"file_rules: [{name: f, decision: redirect, redirect_to: '${HOME}/q', paths: ['${HOME}/*', /a], undo: keep, processes: [npm, sh]}]\n"
	"network_rules: [{name: n, decision: deny, domains: ['*.x.org'], ports: [1], cidrs: ['::/0'], methods: [get], paths: [/v1], tls: inspect, dlp: d}]\n"
	"command_rules: [{name: e, decision: deny, commands: [a], args_patterns: ['a(^|\\s)-f($|b)'], sha256: "
	"0000000000000000000000000000000000000000000000000000000000000000, env_allow: [A*], env_max_keys: 3}]\n"
	"unix_socket_rules: [{name: u, decision: deny, paths: ['@x', /run/*]}]\n"
	"signal_rules: [{name: s, decision: deny, message: m, target: {type: process, pattern: n*}, processes: [k]}]\n"
	"dns_redirects: [{name: d, match: '^x$', resolve_to: 192.0.2.1}]\n"
	"connect_redirects: [{name: c, match: ':443$', redirect_to: 'p:80', tls: {mode: rewrite_sni, sni: a.b}}]\n"
	"env_policy: {allow: [A*], deny: [B]}\nenv_inject: {A: b}\ntransparent_commands: {add: [w], remove: [env]}\n"
	"http_services: [{name: h, upstream: 'https://a.b/c', aliases: [d.e], rules: [{name: r, methods: [get], decision: allow}]}]\n"
	"llm_budgets: [{name: l, models: [g*], keys: [k], max_usd: 1.5}]\n";

static void put_strs(struct buf *b, const struct strs *s)
{
	for (size_t i = 0; i < s->n; i++)
		buf_printf(b, "%s,", s->v[i]);
	buf_puts(b, ";");
}

static void put_rules(struct buf *b, const struct rules *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct rule *u = &r->v[i];
		const struct strs *lists[] = { &u->paths, &u->domains, &u->cidrs, &u->commands, &u->args_patterns };

		buf_printf(b, "%s %s %zu %zu ", u->name, u->redirect_to ? u->redirect_to : "", u->n_ports, u->regex_len);
		for (size_t k = 0; k < ARRAY_LEN(lists); k++)
			put_strs(b, lists[k]);
		if (!u->more)
			continue;
		put_strs(b, &u->more->processes);
		put_strs(b, &u->more->methods);
		put_strs(b, &u->more->url_paths);
		put_strs(b, &u->more->sha256);
		put_strs(b, &u->more->env_allow);
		buf_printf(b, "%d %d %s", u->more->undo_keep, u->more->tls, u->more->dlp ? u->more->dlp : "");
	}
}

static void put_model(struct buf *b, const struct model *m)
{
	put_rules(b, &m->files);
	put_rules(b, &m->nets);
	put_rules(b, &m->execs);
	put_rules(b, &m->unixes);
	put_strs(b, &m->env_allow);
	put_strs(b, &m->env_deny);
	put_strs(b, &m->env_inject);
	put_strs(b, &m->transparent_add);
	put_strs(b, &m->transparent_remove);
	put_strs(b, &m->sources);
	put_strs(b, &m->signals[0].processes);
	buf_printf(b, "%s %s %s %zu %s %s %zu ", m->signals[0].message, m->signals[0].pattern, m->dns[0].match, m->dns[0].regex_len,
		   m->connect[0].host, m->connect[0].sni, m->connect[0].regex_len);
	put_strs(b, &m->services[0].aliases);
	put_rules(b, &m->services[0].rules);
	buf_printf(b, "%s %s ", m->services[0].host, m->services[0].expose_as);
	put_strs(b, &m->budgets[0].models);
	put_strs(b, &m->budgets[0].keys);
}

static void test_each_place(void **state UNUSED)
{
	static char want[1u << 14], got[1u << 14];
	size_t refused = 0;
	bool all = false;

	for (long at = -1; !all; at++) {
		struct buf words = { .data = NULL, .max = 1u << 16 }, b = BUF_INIT(sizeof(got) - 1);
		struct diag d = { .file = "f", .out = &words };
		struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1, .load = load };
		struct model m = { 0 };
		int r;

		left = at;
		r = parse_source(&src, &d, true, &m);
		all = at >= 0 && left >= 0;
		left = -1;
		if (r < 0 && at < 0)
			fail_msg("%s", (char *)words.data);
		if (r == 0) {
			put_model(&b, &m);
			snprintf(at < 0 ? want : got, sizeof(got), "%s", (char *)b.data);
			if (at >= 0 && strcmp(got, want) != 0)
				fail_msg("request %ld: %s\nnot: %s", at, got, want);
		}
		refused += r < 0;
		model_fini(&m);
		buf_fini(&words);
		buf_fini(&b);
	}
	assert_true(refused > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_place) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
