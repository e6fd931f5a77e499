/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: names, addresses, ports. */
#include <string.h>

#include "policy/model.h"

static bool domain_match(const struct strs *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i], "*") || (wild_is(v->v[i]) ? wild_match(v->v[i], name, '.') : !strcmp(v->v[i], name)))
			return true;
	return false;
}

static bool net_match(const struct rule *u, const struct pol_net *q)
{
	bool port = u->n_ports == 0 || q->dns, range = u->cidrs.n == 0;

	if (u->domains.n && (!q->domain || !domain_match(&u->domains, q->domain)))
		return false;
	for (size_t i = 0; i < u->n_ports && !port; i++)
		port = u->ports[i] == q->port;
	for (size_t i = 0; q->addr && i < u->cidrs.n && !range; i++)
		range = cidr_has(&u->ranges[i], q->addr, q->addr_len);
	return port && range;
}

struct pol_verdict policy_net(const struct policy *p, const struct pol_net *q)
{
	for (size_t i = 0; i < p->m.nets.n; i++) {
		const struct rule *u = &p->m.nets.v[i];

		/* Asking for a name is no connection to a port: a refusal of some ports does not refuse the question. */
		if (q->dns && u->decision == POL_DENY && u->n_ports)
			continue;
		/* A raw address is allowed only by a rule that speaks of addresses. */
		if (!q->domain && !q->dns && u->decision != POL_DENY && !u->cidrs.n)
			continue;
		if (net_match(u, q))
			return verdict_of(u, (uint32_t)i);
	}
	return (struct pol_verdict){ .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-network" };
}
