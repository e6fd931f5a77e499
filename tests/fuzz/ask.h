/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of every kind to a policy that a fuzz target got open: whatever it holds, each has an answer. */
#ifndef TESTS_FUZZ_ASK_H
#define TESTS_FUZZ_ASK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/compile.h"
#include "policy/policy.h"

#define MUST(x)                                                                        \
	do {                                                                           \
		if (!(x)) {                                                            \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                       \
		}                                                                      \
	} while (0)

static void ask_verdict(const struct pol_verdict *v)
{
	struct pol_fields f = { .path = "/p", .args = "a", .command = "c", .domain = "d" };
	char out[64];
	size_t n = 0;

	MUST(v->decision < POL__COUNT && v->rule);
	n += strlen(v->rule) + strlen(pol_decision_name(v->decision));
	if (v->message)
		n += strlen(pol_message(v->message, &f, out, sizeof(out)));
	if (v->redirect_to)
		n += strlen(v->redirect_to);
	for (size_t i = 0; i < v->n_redirect_args; i++)
		n += strlen(v->redirect_args[i]);
	for (size_t i = 0; i < v->n_redirect_append; i++)
		n += strlen(v->redirect_append[i]);
	for (size_t i = 0; i < v->n_redirect_env; i++)
		n += strlen(v->redirect_env[i]);
	if (v->dlp)
		n += strlen(v->dlp);
	MUST(n > 0);
}

static void ask_files(const struct policy *p)
{
	static const char *const paths[] = { "/", "/workspace", "/workspace/a/b.c", "/etc/passwd", "/usr/bin/x", "//..//\xff", "/home/u/.ssh/id", "" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct pol_state st = policy_file_path(p, paths[i]), child = policy_file_child(p, st, "na me\xfe", 6);

		for (int op = 0; op < POL_OP__COUNT; op++) {
			struct pol_verdict v = policy_file(p, st, (enum pol_op)op, (struct pol_who){ 0 }), w = policy_file(p, child, (enum pol_op)op, (struct pol_who){ 0 });

			ask_verdict(&v);
			ask_verdict(&w);
		}
		policy_file_tree(p, st);
		MUST(policy_file_rename_safe(p, st, st, true));
		policy_file_rename_safe(p, st, child, true);
		policy_file_rename_safe(p, policy_file_root(p), st, false);
	}
}

static void ask_nets(const struct policy *p)
{
	static const uint8_t v4[4] = { 10, 0, 0, 1 }, v6[16] = { 0x20, 1, 0xd, 0xb8 };
	const struct pol_net q[] = { { .domain = "api.example.com", .port = 443 }, { .domain = "a", .dns = true }, { .domain = "", .dns = true },
				     { .addr = v4, .addr_len = 4, .port = 22 }, { .domain = "x.example.com", .addr = v6, .addr_len = 16, .port = 80 } };

	for (size_t i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
		struct pol_verdict v = policy_net(p, &q[i]);

		ask_verdict(&v);
	}
}

static void ask_execs(const struct policy *p)
{
	static const char *const argvs[][6] = { { "git", "push", "--force", NULL }, { "sh", "-c", "env A=b nice -n 5 'rm' -rf /", NULL },
						{ "/usr/bin/env", "-i", "X=y", "timeout", "5", NULL }, { "xargs", "-0", "rm", NULL },
						{ "/lib64/ld-linux-x86-64.so.2", "/bin/rm", "x", NULL }, { "", "", NULL }, { NULL } };

	for (size_t i = 0; i < sizeof(argvs) / sizeof(argvs[0]); i++) {
		size_t n = 0;

		while (argvs[i][n])
			n++;
		for (uint32_t depth = 0; depth < 3; depth++) {
			struct pol_exec q = { .given = n ? argvs[i][0] : "x", .resolved = depth ? "/usr/bin/rm.real" : NULL, .argv = argvs[i], .argc = n,
					      .depth = depth };
			struct pol_verdict v = policy_exec(p, &q);

			ask_verdict(&v);
		}
	}
}

static void ask_rest(const struct policy *p)
{
	static const char *const names[] = { "PATH", "LD_PRELOAD", "SECRET_X", "", "AGENTSH_A" };
	const char *const *inject, *why = NULL;
	struct pol_redirect r = { 0 };
	struct pol_who who = { .unknown = true };
	size_t n = policy_env_inject(p, &inject);

	for (size_t i = 0; i < n; i++)
		MUST(inject[i]);
	MUST(!inject[n]);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (uint32_t rule = 0; rule < 4; rule++) {
			enum pol_decision d = policy_env(p, rule ? rule - 1 : POL_NO_RULE, names[i], &why);

			MUST((d == POL_ALLOW || d == POL_DENY) && why);
			policy_env_limits(p, rule);
		}
	for (int op = 0; op < POL_UNIX__COUNT; op++) {
		struct pol_verdict v = policy_unix(p, "/run/docker.sock", (enum pol_unix_op)op, who), w = policy_unix(p, "@x", (enum pol_unix_op)op, (struct pol_who){ .sure = 1 });

		ask_verdict(&v);
		ask_verdict(&w);
	}
	for (int n_sig = 0; n_sig < 66; n_sig++) {
		struct pol_signal q = { .number = n_sig, .targets = 1u << n_sig % POL_T__COUNT, .process = n_sig % 3 ? "Nginx" : NULL, .pid = n_sig };
		struct pol_verdict v = policy_signal(p, &q);

		ask_verdict(&v);
		MUST(v.fallback < POL__COUNT && v.signal >= 0 && v.signal <= 64);
	}
	if (policy_dns_redirect(p, "a.example.com", &r))
		MUST(r.rule && strlen(r.rule) < 1u << 20 && r.addr_len <= 16);
	if (policy_connect_redirect(p, "a.example.com", 443, &r))
		MUST(r.rule && (!r.host || strlen(r.host) < 1u << 20) && (!r.unix_path || strlen(r.unix_path) < 1u << 20));
	MUST(policy_limits(p) && policy_audit(p));
	policy_labels(p, "npm", "/usr/bin/npm", false);
	policy_has_labels(p);
}

static void ask_services(const struct policy *p)
{
	static const char *const paths[] = { "/", "/v1/x?y", "/a/../b", "/%41%zz", "", "/v1//x" };

	for (size_t i = 0; i < policy_budgets(p); i++) {
		MUST(policy_budget(p, i)->name && policy_budget(p, i)->per <= POL_PER_TOTAL);
		policy_budget_counts(p, i, "anthropic", "claude", NULL);
	}
	for (size_t i = 0; i < policy_services(p); i++)
		for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
			struct pol_verdict v = policy_service_request(p, i, "GET", paths[k]);

			ask_verdict(&v);
			MUST(policy_service(p, i)->name && policy_service(p, i)->upstream);
		}
	policy_service_of_host(p, "api.example.com");
	for (size_t k = 0; k < sizeof(paths) / sizeof(paths[0]); k++) {
		struct pol_http q = { .net = { .domain = "api.example.com", .port = 443, .who.unknown = true }, .method = "POST", .path = paths[k] };
		struct pol_verdict v = policy_http(p, &q);

		ask_verdict(&v);
	}
}

static inline void ask(const struct policy *p)
{
	char where[256];

	MUST(policy_name(p));
	ask_rest(p);
	ask_services(p);
	ask_files(p);
	ask_nets(p);
	ask_execs(p);
	policy_rule_position(p, "file", "a", where, sizeof(where));
}

#endif
