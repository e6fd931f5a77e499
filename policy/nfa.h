/* SPDX-License-Identifier: Apache-2.0 */
/* Globs as positions: a position is one place in one glob's program. */
#ifndef POLICY_NFA_H
#define POLICY_NFA_H

#include "policy/model.h"

#define NODES_MAX 262144         /* of all globs of one automaton */
#define NONE 0xffffffffu

enum kind { N_SET, N_SPLIT, N_ACCEPT };
/* SET: on a byte of set, which is one byte or NSET_BYTES and the number of a larger one, to a; SPLIT: to a and b at once; a SPLIT without
 * a rule is a start. sticky: from here on its glob has matched for good. Small: a large policy has hundreds of thousands. */
struct nnode { uint8_t kind; bool sticky; uint32_t set, a, b, rule; };
struct nfa {
	struct nnode *v;
	uint32_t n, cap, rule;
	uint8_t (*sets)[32];
	uint32_t n_sets, cap_sets;
	uint32_t wait, deep; /* globs that begin with a double star and a slash wait at wait; deep is behind the slash */
	bool full;
};
#define NSET_BYTES 256
#define NFA_WAITS 3      /* the nodes before this one are those that wait */

static inline bool nfa_has(const struct nfa *n, const struct nnode *x, unsigned c)
{
	return x->set < NSET_BYTES ? x->set == c : n->sets[x->set - NSET_BYTES][c >> 3] >> (c & 7) & 1;
}

void nfa_begin(struct nfa *n);
void nfa_fini(struct nfa *n);
/* full: there was no room for all. True when one of the globs waits. Rules in rising order: nodes are numbered in theirs. */
bool nfa_add(struct nfa *n, const struct strs *globs, uint32_t rule);
/* 0, or -EINVAL with words in why. */
int glob_check(const char *glob, char *why, size_t cap);

#endif
