/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: which, and what the target is to the sender. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/str.h"
#include "policy/image.h"

const char *pol_target_name(enum pol_target t)
{
	static const char *const names[] = { "self", "children", "descendants", "siblings", "session", "parent", "external", "system",
					     "user",
		"process", "pid_range" };

	return t < POL_T__COUNT ? names[t] : "?";
}

int pol_signal_number(const char *text)
{
	/* Numbers are those of the Linux ABI, not the host's headers': a policy means the same everywhere. */
	static const char *const names[] = { "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
					     "PIPE",
		"ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
		"IO", "PWR", "SYS" };
	static const struct { const char *name; int n; } other[] = { { "IOT", 6 }, { "POLL", 29 }, { "CLD", 17 } };
	uint64_t n;

	if (str_to_u64(text, 64, &n) == 0)
		return (int)n;
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcasecmp(text, names[i]))
			return (int)i + 1;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		if (!strcasecmp(text, other[i].name))
			return other[i].n;
	return 0;
}

static bool named(const char *glob, const char *process, enum pol_decision d)
{
	char lower[WILD_MAX + 1];
	size_t n = 0;

	/* A name that is not known, or too long to look at, is no reason to allow. */
	if (!process || strlen(process) > WILD_MAX)
		return d != POL_ALLOW && d != POL_AUDIT;
	for (; process[n]; n++)
		lower[n] = (char)tolower((unsigned char)process[n]);
	lower[n] = 0;
	return wild_match(glob, lower, 0);
}

static bool target_is(const struct policy *p, const struct img_signal *u, const struct pol_signal *q, enum pol_decision d)
{
	uint32_t special = 1u << POL_T_PROCESS | 1u << POL_T_PID_RANGE;

	if (u->targets & q->targets & ~special)
		return true;
	if ((u->targets >> POL_T_PROCESS & 1) && (!u->pattern || named(p->pool + u->pattern, q->process, d)))
		return true;
	if (!(u->targets >> POL_T_PID_RANGE & 1))
		return false;
	return q->pid > 0 ? q->pid >= u->min && q->pid <= u->max : d != POL_ALLOW && d != POL_AUDIT;
}

struct pol_verdict policy_signal(const struct policy *p, const struct pol_signal *q)
{
	for (uint32_t i = 0; i < p->n[SEC_SIGNAL] && q->number >= 1 && q->number <= 64; i++) {
		const struct img_signal *u = &p->signals[i];
		enum pol_decision d = p->rules[SEC_SIGNAL][i].decision;
		struct pol_verdict v;

		if (!(u->signals >> (q->number - 1) & 1) || !who_is(u->labels, q->who, d) || !target_is(p, u, q, d))
			continue;
		v = verdict_of(p, SEC_SIGNAL, i);
		v.signal = (int)u->redirect_to;
		v.fallback = u->fallback;
		return v;
	}
	return (struct pol_verdict){ .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-signal" };
}
