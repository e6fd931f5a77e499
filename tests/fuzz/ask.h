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

static inline void ask(const struct policy *p)
{
	char where[256];

	MUST(policy_name(p));
	ask_files(p);
	ask_nets(p);
	ask_execs(p);
	policy_rule_position(p, "file", "a", where, sizeof(where));
}

#endif
