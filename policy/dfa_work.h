/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that make one automaton of positions. */
#ifndef POLICY_DFA_WORK_H
#define POLICY_DFA_WORK_H

#include "policy/dfa.h"
#include "policy/memo.h"
#include "policy/nfa.h"

struct set { uint32_t at, n, hash; };  /* at: in places */
struct twin { uint32_t at, n; bool known; };   /* at: in twin_nodes */
#define TWIN_NODES 65536u
struct work {
	const struct dfa_input *in;
	struct nfa nfa;
	struct automaton *a;
	struct set *sets;
	uint32_t n_sets, cap_sets, *table, table_cap;
	uint32_t *places, n_places, cap_places;
	uint32_t *mark, stamp, *list, list_n, *stack;
	uint32_t *link, *others, n_others, head[256]; /* places of a set by class of their one byte, and nodes with more */
	uint32_t *forever; /* per rule: the node that stands for all of its globs that have matched for good */
	uint64_t looked, *left; /* places looked at and not yet taken from what is left */
	uint8_t first[256]; /* a byte of each class */
	struct memo *memos;
	struct twin *twins;
	uint32_t *twin_nodes, n_twin_nodes;
	struct dfa_edge edges[256]; /* of the state that is looked at, and its classes that lead elsewhere than the rest */
	bool told[256];
	uint64_t *map; /* a bit a node, all clear between uses */
};

/* Takes what was looked at, and n more; false when nothing is left. */
static inline bool work_spend(struct work *w, uint64_t n)
{
	n += w->looked;
	w->looked = 0;
	*w->left -= *w->left < n ? *w->left : n;
	return *w->left > 0;
}

/* dfa_sets.c. The state of the nodes in w->list, which has none twice; a new one when it was not met before. NONE: too many, or no memory.
 */
uint32_t work_intern(struct work *w);

#endif
