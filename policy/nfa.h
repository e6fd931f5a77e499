/* SPDX-License-Identifier: Apache-2.0 */
/* Globs as positions: a position is one place in one glob's program. */
#ifndef POLICY_NFA_H
#define POLICY_NFA_H

#include "policy/model.h"

#define NODES_MAX 524288         /* of all globs of one automaton */
#define NONE 0xffffffffu

/* Entering a node enters `next` too, and all that follow it there. SET: on a byte of set, to a. LOOP: on a byte of set it stays; a is
 * entered with it. EPS: a is entered with it. ACCEPT: its glob has matched; FOREVER: and will, whatever follows.
 * shared: the beginning of several globs, of this rule (the first) and later ones; ops: those of all of them.
 * set is one byte or NSET_BYTES and the number of a larger one. Small: a large policy has hundreds of thousands. */
/* KEPT: its glob has matched for good, which is emitted and not looked after any more; ARM: the begin number a of globs has matched for
 * good (keep.c). An ACCEPT with an a is that of the rest of such a glob, and the node behind it is one without. */
struct keep;
enum nkind { N_SET, N_LOOP, N_EPS, N_ACCEPT, N_FOREVER, N_KEPT, N_ARM };
struct nnode { uint32_t set : 28, kind : 3, shared : 1, a, next, rule, ops; };
#define GROUPS_SHARED 64
struct ngroup { const char *g; size_t n; };
struct nfa {
	struct nnode *v;         /* the first is an EPS before all globs */
	uint32_t n, cap, rule, ops;
	struct keep *keep;       /* what is kept beside the states, or NULL */
	bool keeps;              /* for the rule that is added */
	uint8_t (*sets)[32];
	uint32_t n_sets, cap_sets;
	struct ngroup groups[GROUPS_SHARED];   /* parts of globs */
	uint32_t n_groups;
	bool full;
};
#define NSET_BYTES 256
#define NSET_ANY NSET_BYTES          /* sets[0]: every byte but NUL, which is in no name */
#define NSET_NAME (NSET_BYTES + 1)   /* sets[1]: nor the slash */
#define NSET_OTHER (NSET_BYTES + 2)

/* Whether no byte leads on. */
static inline bool nfa_ends(const struct nnode *x)
{
	return x->kind == N_ACCEPT || x->kind >= N_KEPT;
}

static inline bool nfa_has(const struct nfa *n, const struct nnode *x, unsigned c)
{
	return x->set < NSET_BYTES ? x->set == c : n->sets[x->set - NSET_BYTES][c >> 3] >> (c & 7) & 1;
}

/* Which globs of a rule. Apart, those that can begin in any directory do not multiply those that cannot. PLAIN: a whole path without
 * anything special, or all that is below one (a double star as the last name). */
enum { GLOBS_PLAIN = 1, GLOBS_ROOTED = 2, GLOBS_DEEP = 4, GLOBS_ALL = 7 };

/* keep: NULL, or what need not be positions. */
void nfa_begin(struct nfa *n, struct keep *keep);
void nfa_fini(struct nfa *n);
unsigned nfa_kind(const char *glob);
/* full: there was no room for all. Rules in rising order: nodes are numbered in theirs. Globs of other kinds are left out. */
void nfa_add(struct nfa *n, const struct rule *u, uint32_t rule, unsigned kinds);
/* 0, or -EINVAL with words in why. */
int glob_check(const char *glob, char *why, size_t cap);

#endif
