/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of positions, each once: the states of the automaton that is made. */
#include "policy/dfa_work.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (19u << 20)   /* bytes in use while one automaton is made */
#define INSERTION_MAX 16         /* longer lists are sorted through a map of all nodes, or by qsort */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Into the map and out of it in order: one walk of the words that have a node. False: they are too far apart. No node is there twice. */
static bool map_sort(struct work *w, uint32_t *v, uint32_t n)
{
	uint32_t low = UINT32_MAX, high = 0, k = 0;

	for (uint32_t i = 0; i < n; i++) {
		low = v[i] < low ? v[i] : low;
		high = v[i] > high ? v[i] : high;
	}
	low /= 64;
	high /= 64;
	if (high - low > 8 * n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		w->map[v[i] / 64] |= 1ull << v[i] % 64;
	for (uint32_t at = low; at <= high; at++) {
		for (uint64_t bits = w->map[at]; bits; bits &= bits - 1)
			v[k++] = at * 64 + (uint32_t)__builtin_ctzll(bits);
		w->map[at] = 0;
	}
	w->looked += n / 2 + (high - low) / 8;
	return true;
}

/* Nearly in order already: each glob's nodes come together. */
static void sort(struct work *w, uint32_t *v, uint32_t n)
{
	if (n > INSERTION_MAX && map_sort(w, v, n))
		return;
	if (n > INSERTION_MAX) {
		qsort(v, n, sizeof(*v), by_number);
		w->looked += 8 * (uint64_t)n;
		return;
	}
	for (uint32_t i = 1; i < n; i++) {
		uint32_t x = v[i], k = i;

		for (; k && v[k - 1] > x; k--)
			v[k] = v[k - 1];
		v[k] = x;
		w->looked += 1 + (i - k) / 4;
	}
}

struct covered { uint32_t forever, here; };  /* operations that earlier rules decide: for good; in this state */

/* The nodes [i, end) of the list are one rule's: those that can still decide something go to n, which is returned behind them. */
static uint32_t keep(struct work *w, uint32_t i, uint32_t end, uint32_t n, struct covered *c)
{
	uint32_t rule = w->nfa.v[w->list[i]].rule, ops = w->in->rules->v[rule].ops, sticky = NONE, after = c->forever;
	bool accepts = false;

	for (uint32_t k = i; k < end && sticky == NONE; k++)
		if (w->nfa.v[w->list[k]].kind == N_FOREVER)
			sticky = w->list[k];
	if (sticky != NONE && !rule_asks(w->in, rule))
		after |= ops;
	for (uint32_t k = i; k < end; k++) {
		const struct nnode *x = &w->nfa.v[w->list[k]];
		bool stays;

		if (x->shared)
			stays = x->ops & ~after;
		else if (x->kind == N_ARM)
			stays = true;
		else if (x->kind == N_ACCEPT)
			stays = sticky == NONE && !accepts && (ops & ~c->here);
		else
			stays = sticky == NONE && (ops & ~c->forever);
		accepts |= stays && x->kind == N_ACCEPT && x->a == NONE;
		if (stays)
			w->list[n++] = w->list[k];
	}
	if (sticky != NONE && (ops & ~c->forever)) {
		if (w->forever[rule] == NONE)
			w->forever[rule] = sticky;
		w->list[n++] = w->forever[rule];
	}
	c->forever = after;
	c->here |= after | (accepts && !rule_asks(w->in, rule) ? ops : 0);
	return n;
}

/*
 * First match decides, so what can decide nothing below is dropped, which keeps the sets few: of a rule that has matched for good, all
 * but one node (the same one whichever glob it was); of a later rule, all nodes once such rules cover its operations. A rule with
 * processes covers nothing. Nodes are numbered in the order of their rules.
 */
static void prune(struct work *w)
{
	struct covered c = { 0 };
	uint32_t n = 0;

	for (uint32_t i = 0, end; i < w->list_n; i = end) {
		uint32_t rule = w->nfa.v[w->list[i]].rule;

		for (end = i; end < w->list_n && w->nfa.v[w->list[end]].rule == rule; end++)
			;
		w->looked += end - i;
		n = keep(w, i, end, n, &c);
	}
	w->list_n = n;
}

LEAKS_UNSEEN_BEGIN /* dfa_build frees both */
static bool set_room(struct work *w)
{
	if (w->n_sets == w->cap_sets) {
		struct set *v = realloc(w->sets, (w->cap_sets + w->cap_sets / 2 + 1024) * sizeof(*v));

		if (!v)
			return false;
		w->sets = v;
		w->cap_sets += w->cap_sets / 2 + 1024;
	}
	if (w->n_places + w->list_n >= w->cap_places) {
		uint32_t cap = w->n_places + w->list_n + w->cap_places / 2 + 4096, *v = realloc(w->places, cap * sizeof(*v));

		if (!v)
			return false;
		w->places = v;
		w->cap_places = cap;
	}
	return true;
}
LEAKS_UNSEEN_END

static bool room(const struct work *w)
{
	size_t state = sizeof(*w->sets) + sizeof(*w->a->states) + 3 * sizeof(*w->table);

	return w->n_sets < STATES_MAX && w->nfa.n * (sizeof(*w->nfa.v) + sizeof(*w->mark)) + w->n_sets * state +
		       (size_t)(w->n_places + w->list_n) * sizeof(*w->places) + w->a->used * sizeof(*w->a->slots) < MEMORY_MAX;
}

/* At most half of the table is taken. */
static bool table_room(struct work *w)
{
	uint32_t cap = 2 * w->table_cap + 256, *v;

	if (2 * w->n_sets < w->table_cap)
		return true;
	v = calloc(cap, sizeof(*v));
	if (!v)
		return false;
	for (uint32_t i = 0; i < w->n_sets; i++) {
		uint32_t at = w->sets[i].hash % cap;

		while (v[at])
			at = (at + 1) % cap;
		v[at] = i + 1;
	}
	free(w->table);
	w->table = v;
	w->table_cap = cap;
	return true;
}

/* The state of the set in w->list; a new one when it was not met before. NONE: too many. */
uint32_t work_intern(struct work *w)
{
	uint32_t hash = 2166136261u, at;

	sort(w, w->list, w->list_n);
	prune(w);
	if (!table_room(w))
		return NONE;
	for (uint32_t i = 0; i < w->list_n; i++)
		hash = (hash ^ w->list[i]) * 16777619u;
	for (at = hash % w->table_cap; w->table[at]; at = (at + 1) % w->table_cap) {
		const struct set *s = &w->sets[w->table[at] - 1];

		if (s->hash == hash && s->n == w->list_n && !memcmp(w->places + s->at, w->list, s->n * sizeof(uint32_t)))
			return w->table[at] - 1;
	}
	if (!room(w) || !set_room(w))
		return NONE;
	memcpy(w->places + w->n_places, w->list, w->list_n * sizeof(uint32_t));
	w->sets[w->n_sets] = (struct set){ .at = w->n_places, .n = w->list_n, .hash = hash };
	w->n_places += w->list_n;
	w->table[at] = ++w->n_sets;
	return w->n_sets - 1;
}
