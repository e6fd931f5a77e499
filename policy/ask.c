/* SPDX-License-Identifier: Apache-2.0 */
/* A question to an open policy. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "policy/cases.h"

static int digest(void *arg, uint8_t ret[32])
{
	memcpy(ret, ((const struct question *)arg)->sha256, 32);
	return 0;
}

static struct pol_who who_of(const struct policy *p, const struct question *q)
{
	struct pol_who who = { 0 };

	for (size_t i = 0; i < q->n_by; i++) {
		struct pol_who one = policy_labels(p, q->by[i], q->by[i][0] == '/' ? q->by[i] : NULL, false);

		who.sure |= one.sure;
		who.may |= one.may;
	}
	return who;
}

static struct pol_net net_of(const struct question *q, struct pol_who who)
{
	return (struct pol_net){ .domain = q->host, .addr = q->addr_len ? q->addr : NULL, .addr_len = q->addr_len, .port = q->port,
				 .dns = q->kind == ASK_DNS, .inspected = true, .who = who };
}

static struct pol_verdict ask_exec(const struct policy *p, const struct question *q, struct pol_who who)
{
	struct pol_exec x = { .given = q->given, .resolved = q->resolved, .argv = q->argv, .argc = q->argc, .depth = q->depth, .who = who,
			      .untrusted_name = q->untrusted_name, .written = q->written, .untrusted_written = q->untrusted_written,
			      .twins = q->twins, .n_twins = q->n_twins };

	if (q->has_sha256) {
		x.sha256 = digest;
		x.sha256_arg = (void *)q;
	}
	return policy_exec(p, &x);
}

static struct pol_verdict ask_http(const struct policy *p, const struct question *q, struct pol_who who, uint8_t by[4])
{
	struct pol_http h = { .net = net_of(q, who), .method = q->method, .path = q->path };
	struct pol_verdict v = policy_http(p, &h), over;

	if (!h.net.addr || (v.decision != POL_ALLOW && v.decision != POL_AUDIT))
		return v;
	/* Before a request there is its connection. */
	over = policy_net_through(p, &h.net, by);
	return over.decision == POL_ALLOW || over.decision == POL_AUDIT ? v : over;
}

static struct pol_verdict ask_signal(const struct policy *p, const struct question *q, struct pol_who who)
{
	struct pol_signal s = { .number = q->signal, .targets = q->targets, .process = q->process, .pid = q->pid, .who = who };

	if (q->process)
		s.targets |= 1u << POL_T_PROCESS;
	if (q->pid)
		s.targets |= 1u << POL_T_PID_RANGE;
	return policy_signal(p, &s);
}

static int ask_service(const struct policy *p, const struct question *q, struct pol_verdict *ret, struct err *err)
{
	for (size_t i = 0; i < policy_services(p); i++)
		if (!strcasecmp(policy_service(p, i)->name, q->service)) {
			*ret = policy_service_request(p, i, q->method, q->path);
			return 0;
		}
	return err_set(err, -ENOENT, "the policy has no service \"%.64s\"", q->service);
}

static void ask_redirect(const struct policy *p, const struct question *q, struct answer *ret)
{
	bool hit = q->kind == ASK_DNS_REDIRECT ? policy_dns_redirect(p, q->host, &ret->redirect) :
	      policy_connect_redirect(p, q->host, q->port, &ret->redirect);
	ret->word = hit ? "redirect" : "none";
	ret->rule = hit ? ret->redirect.rule : NULL;
	ret->decision = hit ? POL_REDIRECT : POL_ALLOW;
}

int question_ask(const struct policy *p, const struct question *q, struct answer *ret, struct err *err)
{
	struct pol_who who = who_of(p, q);
	struct pol_net net = net_of(q, who);
	int r = 0;

	*ret = (struct answer){ .labels = who.sure };
	switch (q->kind) {
	case ASK_FILE:
		ret->v = policy_file(p, policy_file_path(p, q->path), q->op, who);
		break;
	case ASK_NET:
	case ASK_DNS:
		ret->v = policy_net_through(p, &net, ret->by);
		break;
	case ASK_EXEC:
		ret->v = ask_exec(p, q, who);
		break;
	case ASK_UNIX:
		ret->v = policy_unix(p, q->path, q->unix_op, who);
		break;
	case ASK_SIGNAL:
		ret->v = ask_signal(p, q, who);
		break;
	case ASK_HTTP:
		ret->v = ask_http(p, q, who, ret->by);
		break;
	case ASK_ENV:
		ret->decision = policy_env(p, q->given ? ask_exec(p, q, who).rule_no : POL_NO_RULE, q->variable, &ret->rule);
		ret->word = pol_decision_name(ret->decision);
		return 0;
	case ASK_SERVICE:
		r = ask_service(p, q, &ret->v, err);
		break;
	default:
		ask_redirect(p, q, ret);
		return 0;
	}
	ret->decision = ret->v.decision;
	ret->word = pol_decision_name(ret->decision);
	ret->rule = ret->v.rule;
	return r;
}
