/* SPDX-License-Identifier: Apache-2.0 */
/* Path globs of all rules to automata over bytes. Compiler only. */
#ifndef POLICY_DFA_H
#define POLICY_DFA_H

#include "policy/model.h"

/* Places looked at while the automata of one policy are built: some seconds at most. */
#ifndef DFA_WORK_MAX /* fuzzing builds, slower by far, take less */
#define DFA_WORK_MAX 300000000ull
#endif

/* pack.c: an automaton, or tree of names, being made; d points into the rest, which is owned. */
struct automaton {
	struct dfa d;
	uint8_t class[256], *tree;
	struct dfa_state *states;
	struct dfa_slot *slots;
	struct dfa_entry *entries, *found;   /* found: room for one list */
	uint16_t *emit;
	uint32_t *table;
	char *pool;
	uint32_t cap_states, cap_slots, cap_entries, cap_pool;
	uint64_t *taken;         /* a bit a slot */
	uint32_t used, vacant;   /* slots: none from used on is taken, none before vacant is looked at */
};
struct dfa_edge { uint32_t class, to; };

/* keep.c: what automata may leave to the states beside them (struct pol_state). sticky: per rule its number, or STICKY_MAX; arms: begins of
 * globs, which point into the rules. found: numbers plus one, by a hash. */
#define ARM_SLOTS 1024u
_Static_assert(2 * POL_KEPT_MAX <= ARM_SLOTS, "a look-up ends at a free place");
struct keep {
	uint16_t *sticky;
	struct { const char *glob; size_t n; } arms[POL_KEPT_MAX];
	uint32_t n_arms;
	uint16_t found[ARM_SLOTS];
};
/* 0, or -ENOMEM. The rules' paths must outlive it. */
int keep_init(struct keep *k, const struct rules *rules);
void keep_fini(struct keep *k);
/* The number of a begin of n bytes; POL_KEPT_MAX: there are too many. */
uint32_t keep_arm(struct keep *k, const char *glob, size_t n);
void automaton_fini(struct automaton *a);
/* Appends a state: n edges in rising order of class, all other bytes lead to `other`. -E2BIG, -ENOMEM. */
int automaton_state(struct automaton *a, uint32_t other, const struct dfa_edge *e, uint32_t n);

/* The globs of these kinds (GLOBS_*) of rules [from, to). labels: per rule its labels; NULL when no rule has processes.
 * keep: what need not be in the automaton's states, or NULL. */
struct dfa_input {
	const struct rules *rules;
	const uint64_t *labels;
	const char *workspace;
	size_t from, to;
	unsigned kinds;
	struct keep *keep;
};
/* Whether the rule has processes. */
bool rule_asks(const struct dfa_input *in, uint32_t rule);
/* What has matched in a state: n rules in rising order; arms (NULL: none): begins that they need, or
 * NO_RULE. States with equal lists of what can decide share one. table: cap numbers, 0 at
 * first, cap larger than the number of states. -E2BIG, -ENOMEM. */
int automaton_match(struct automaton *a, const struct dfa_input *in, uint32_t state, const uint32_t *rules, const uint32_t *arms,
		    uint32_t n, uint32_t *table, uint32_t cap);
/* The same for what a state emits, of all states before any list of what has matched: entries of n rules, then of n_arms begins. */
int automaton_emit(struct automaton *a, const struct dfa_input *in, uint32_t state, const uint32_t *rules, uint32_t n, const uint32_t *arms,
		   uint32_t n_arms, uint32_t *table, uint32_t cap);
/* Room for `want` things of `size` and some more in an owned array; NULL: no memory, and v stays. */
void *array_grow(void *v, uint32_t *cap, uint32_t want, size_t size);

/* dfa.c. 0; -E2BIG: the automaton would be too large, fewer globs may do; -ETIME: *left, which counts down, is used up; -ENOMEM. *ret is
 * the caller's to fini, also on failure. */
int dfa_build(const struct dfa_input *in, struct automaton *ret, uint64_t *left);

/* names_make.c: the same for plain paths alone (GLOBS_PLAIN): linear, whatever they are. */
int names_build(const struct dfa_input *in, struct automaton *ret, uint64_t *left);

/* split.c: as few automata as hold all of the policy's file globs, at most POL_DFA_MAX; put gets each, for the call only, and stops when
 * it fails. 0, -E2BIG, -ETIME, -ENOMEM, -EOVERFLOW (more than POL_LABELS_MAX labels), or what put returned. *ret_rule, where it may be
 * NULL: after -E2BIG and -ETIME the index of the file rule from which on there was no room. */
int dfa_all(const struct model *m, const char *workspace, int (*put)(void *arg, const struct dfa *d), void *arg, size_t *ret_rule);

#endif
