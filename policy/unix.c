/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets: paths and abstract names. */
#include "policy/image.h"

const char *pol_unix_op_name(enum pol_unix_op op)
{
	static const char *const names[] = { "connect", "bind", "listen", "sendto" };

	return op < POL_UNIX__COUNT ? names[op] : "?";
}

struct pol_verdict policy_unix(const struct policy *p, const char *path, enum pol_unix_op op, struct pol_who who)
{
	for (uint32_t i = 0; i < p->n[SEC_UNIX]; i++) {
		const struct img_rule *u = &p->rules[SEC_UNIX][i];

		if ((u->ops >> op & 1) && who_is(p->unixes[i].labels, who, u->decision) && list_wild(p, p->unixes[i].paths, path, '/'))
			return verdict_of(p, SEC_UNIX, i);
	}
	return (struct pol_verdict){ .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-unix" };
}
