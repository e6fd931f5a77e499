/* SPDX-License-Identifier: Apache-2.0 */
/* What a path has met for good, beside the states of the automata (struct pol_state). */
#ifndef POLICY_KEPT_H
#define POLICY_KEPT_H

#include "policy/image.h"

/* The first rule that holds for good for op, or NO_RULE. */
static inline uint32_t kept_rule(const struct policy *p, const struct pol_state *st, enum pol_op op)
{
	uint32_t no = STICKY_MAX - st->first[op];

	return no < p->n_sticky ? p->sticky[no] : NO_RULE;
}

/* Whether the begin of a glob that an entry needs, if any, was met. */
static inline bool kept_has(const struct pol_state *st, const struct dfa_entry *e)
{
	return !(e->bits & ENTRY_ARMED) || (st->kept[e->labels[0] / 64] >> e->labels[0] % 64 & 1);
}

static inline bool kept_eq(const struct pol_state *a, const struct pol_state *b)
{
	return !memcmp(a->first, b->first, sizeof(a->first)) && !memcmp(a->kept, b->kept, sizeof(a->kept));
}

/* kept.c. Automaton i of state st, which emits, went over a slash: what was met with the name before it counts from here on. */
void kept_slash(const struct dfa *d, size_t i, struct pol_state *st);
/* Automaton i of state st goes on with path: "" or "/NAME...". */
void kept_walk(const struct dfa *d, size_t i, struct pol_state *st, const char *path);
/* Adds what automaton i meets with either name of the workspace. */
void kept_workspace(const struct policy *p, size_t i, struct pol_state *st);

#endif
