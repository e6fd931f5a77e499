/* SPDX-License-Identifier: Apache-2.0 */
/* signal_rules. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/nfa.h"
#include "policy/parse.h"

#define BIT(n) (1ull << ((n) - 1))
#define ALL_SIGNALS ((1ull << 31) - 1)

/* By number, from 1, as Linux has them on the machines that are supported; then other names of some. */
static const char *const names[] = { "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
	"ALRM",
	"TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR",
		"SYS",
	NULL };
static const struct { const char *name; uint64_t bits; } groups[] = {
	{ "@all", ALL_SIGNALS }, { "@fatal", BIT(9) | BIT(15) | BIT(3) | BIT(6) }, { "@job",
		BIT(19) | BIT(18) | BIT(20) | BIT(21) | BIT(22) },
	{ "@reload", BIT(1) | BIT(10) | BIT(12) }, { "@ignore", BIT(17) | BIT(28) | BIT(23) },
	{ "IOT", BIT(6) }, { "CLD", BIT(17) }, { "POLL", BIT(29) },
};

/* Bits of a name, a number or a group; 0: none of them, reported. */
static uint64_t bits_of(struct parse *p, const char *what, const struct node *v)
{
	const char *s = v->text, *near;
	uint64_t n;

	if (str_to_u64(s, 64, &n) == 0 && n)
		return BIT(n);
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	for (size_t i = 0; names[i]; i++)
		if (!strcasecmp(names[i], s))
			return BIT(i + 1);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (!strcasecmp(groups[i].name, s))
			return groups[i].bits;
	near = policy_nearest(s, names);
	diag_error(p->d, v, "%s \"%s\" is not a signal: a name such as TERM, a number from 1 to 64%s%s%s", what, v->text,
		   near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
	return 0;
}

static void read_signals(struct at *c, const struct key *k, const struct node *v)
{
	struct signal_rule *r = c->to;

	if (!parse_is_list(c->p, k, v))
		return;
	r->signals = 0;
	for (size_t i = 0; i < v->n; i++)
		if (parse_is_text(c->p, v->v[i]))
			r->signals |= bits_of(c->p, "signal", v->v[i]);
}

static void read_redirect_signal(struct at *c, const struct key *k, const struct node *v)
{
	struct signal_rule *r = c->to;
	uint64_t bits;

	if (!parse_is_text(c->p, v))
		return;
	if (v->text[0] == '@') {
		diag_error(c->p->d, v, "%s must be one signal, not a group", k->name);
		return;
	}
	bits = bits_of(c->p, k->name, v);
	r->redirect_to = bits ? __builtin_ctzll(bits) + 1 : 0;
}

static const char *const decisions[] = { "deny", "allow", "approve", "redirect", "audit", "absorb", NULL };
static const enum pol_decision values[] = { POL_DENY, POL_ALLOW, POL_APPROVE, POL_REDIRECT, POL_AUDIT, POL_ABSORB };

static void read_decision(struct at *c, const struct key *k, const struct node *v)
{
	enum pol_decision *out = key_at(c, k);
	size_t i;

	if (parse_word(c->p, k, v, &i))
		*out = values[i];
}

static const char *const targets[] = { "self", "children", "descendants", "siblings", "session", "parent", "external", "system", "user",
	"process",
	"pid_range", NULL };
_Static_assert(ARRAY_LEN(targets) == POL_T__COUNT + 1, "one word a target");

static void read_type(struct at *c, const struct key *k, const struct node *v)
{
	struct signal_rule *r = c->to;
	size_t i;

	if (parse_word(c->p, k, v, &i))
		r->targets = 1u << i;
}

static void read_pid(struct at *c, const struct key *k, const struct node *v)
{
	int64_t *out = key_at(c, k);
	uint64_t n;

	if (!parse_is_text(c->p, v))
		return;
	if (str_to_u64(v->text, INT32_MAX, &n) < 0)
		diag_error(c->p->d, v, "%s \"%s\" is not a process number", k->name, v->text);
	else
		*out = (int64_t)n;
}

static void read_pattern(struct at *c, const struct key *k, const struct node *v)
{
	struct signal_rule *r = c->to;
	char why[128];

	read_text(c, k, v);
	if (r->pattern && glob_check(r->pattern, why, sizeof(why)) < 0)
		diag_error(c->p->d, v, "pattern \"%s\": %s", r->pattern, why);
}

#define AT(field) .offset = offsetof(struct signal_rule, field)
static const struct key target_keys[] = {
	{ "type", 1, T_WORD, 0, K_REQUIRED | K_LOWER, read_type, .words = targets, .about = "What the receiver is to the sender." },
	{ "pattern", 1, T_TEXT, 0, 0, read_pattern, AT(pattern), 1, WILD_MAX,
	  .about = "type process: a glob of its program's base name, any case." },
	{ "min", 1, T_NUMBER, .read = read_pid, AT(min), .about = "type pid_range: the lowest." },
	{ "max", 1, T_NUMBER, .read = read_pid, AT(max), .about = "type pid_range: the highest." },
};
static const struct shape shape_target = { "target", 1, SHAPE(target_keys) };

static void read_target(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = { c->p, &shape_target, NULL, c->to };
	struct signal_rule *r = c->to;
	struct key word = target_keys[0];

	(void)k;
	word.name = "target";
	r->min = r->max = -1;
	if (v->kind == NODE_TEXT)
		read_type(&sub, &word, v);
	else if (!parse_map(&sub, v))
		return;
	if (r->targets == 1u << POL_T_PROCESS && !r->pattern)
		diag_error(c->p->d, v, "target process needs a pattern: {type: process, pattern: NAME}");
	else if (r->pattern && r->targets != 1u << POL_T_PROCESS)
		diag_error(c->p->d, v, "pattern is for the target process only");
	else if (r->targets == 1u << POL_T_PID_RANGE && (r->min < 0 || r->max < r->min))
		diag_error(c->p->d, v, "target pid_range needs min and max, min the lower one");
	else if (r->targets != 1u << POL_T_PID_RANGE && (r->min >= 0 || r->max >= 0))
		diag_error(c->p->d, v, "min and max are for the target pid_range only");
}

static const struct key keys[] = {
	{ "name", 1, T_TEXT, 0, K_REQUIRED, read_text, AT(name), 1, RULE_NAME_MAX,
	  .about = "The rule's name, as events and explain give it." },
	{ "description", 1, T_TEXT, .read = read_any, .about = "For readers of the policy." },
	{ "signals", 1, T_TEXTS, 0, K_SELECT, read_signals,
	  .about = "Names with or without SIG, numbers 1 to 64, groups @all @fatal @job @reload @ignore; without it, all." },
	{ "target", 1, T_MAP, T_WORD, 0, read_target, .words = targets, .sub = &shape_target,
	  .about = "Who receives it; without it, anybody." },
	{ "decision", 1, T_WORD, 0, K_REQUIRED | K_LOWER, read_decision, AT(decision), .words = decisions,
	  .about = "What happens to the signal." },
	{ "fallback", 1, T_WORD, 0, K_LOWER, read_decision, AT(fallback), .words = decisions,
	  .about = "Where the decision cannot be done; deny without it." },
	{ "redirect_to", 1, T_TEXT, .read = read_redirect_signal, .about = "The signal that is sent instead." },
	{ "message", 1, T_TEXT, 0, 0, read_text, AT(message), 0, 65536, .about = "What a person or the program is told." },
	{ "timeout", 1, T_TIME, 0, 0, read_time, AT(timeout_ms), 1, DAY_MS, .about = "How long approve waits for an answer." },
	{ "processes", 1, T_TEXTS, 0, K_SELECT, read_processes, AT(processes),
	  .about = "Only when the sender or an ancestor of it is one of these." },
};
const struct shape shape_signal = { "signal rule", 1, SHAPE(keys) };

void read_signal_rule(struct at *c, const struct key *k, const struct node *v)
{
	struct model *m = c->p->m;
	struct signal_rule *r = parse_grow(c->p, v, k->name, (void **)&m->signals, &m->n_signals, sizeof(*r));
	struct at sub = { c->p, k->sub, NULL, r };

	if (!r)
		return;
	r->signals = UINT64_MAX;
	r->targets = (1u << POL_T__COUNT) - 1;
	r->fallback = POL_DENY;
	r->file = c->p->file;
	r->line = v->line;
	r->column = v->column;
	if (!parse_map(&sub, v))
		return;
	if (r->decision == POL_REDIRECT && !r->redirect_to)
		diag_error(c->p->d, v, "decision redirect needs redirect_to");
	parse_name_twice(c->p, 5, v, r->name);
}
