/* SPDX-License-Identifier: Apache-2.0 */
/* An automaton's tables while it is made: the edges of many states lie in one row of slots, each where others have left room. */
#include "policy/dfa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX (3u << 19)
#define ENTRIES_MAX (1u << 19)
#define PROBES_MAX 128           /* places tried for a state's edges before they go to the end */

void automaton_fini(struct automaton *a)
{
	free(a->states);
	free(a->slots);
	free(a->entries);
	free(a->tree);
	*a = (struct automaton){ 0 };
}

/* Room for `want` things of `size`, by halves more; NULL: none, and v stays. */
static void *grow(void *v, uint32_t *cap, uint32_t want, size_t size)
{
	uint32_t n = *cap + *cap / 2;

	n = n < want ? want + 64 : n;
	v = realloc(v, n * size);
	if (v)
		*cap = n;
	return v;
}

static bool fits(const struct automaton *a, uint32_t base, const struct dfa_edge *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (base + e[i].class < a->used && a->slots[base + e[i].class].state != NO_RULE)
			return false;
	return true;
}

static uint32_t base_for(struct automaton *a, const struct dfa_edge *e, uint32_t n)
{
	uint32_t first = n ? e[0].class : 0, t;

	if (!n)
		return 0;
	while (a->vacant < a->used && a->slots[a->vacant].state != NO_RULE)
		a->vacant++;
	t = a->vacant > first ? a->vacant : first;
	for (int probe = 0; probe < PROBES_MAX && t < a->used; probe++, t++)
		if (fits(a, t - first, e, n))
			return t - first;
	/* Gaps that these do not fit into would not take the next ones either. */
	if (t < a->used)
		a->vacant += PROBES_MAX / 4;
	return a->used > first ? a->used - first : 0;
}

static int slots_room(struct automaton *a, uint32_t n)
{
	uint32_t had = a->cap_slots;
	struct dfa_slot *v = a->slots;

	if (n > SLOTS_MAX)
		return -E2BIG;
	if (n > a->cap_slots) {
		v = grow(a->slots, &a->cap_slots, n, sizeof(*v));
		if (!v)
			return -ENOMEM;
		a->slots = v;
		for (uint32_t i = had; i < a->cap_slots; i++)
			v[i] = (struct dfa_slot){ NO_RULE, 0 };
	}
	a->d.slots = v;
	if (n > a->d.n_slots)
		a->d.n_slots = n;
	return 0;
}

int automaton_state(struct automaton *a, uint32_t other, const struct dfa_edge *e, uint32_t n)
{
	uint32_t s = a->d.n_states, base = base_for(a, e, n);
	int r = slots_room(a, base + a->d.n_classes);

	if (r < 0)
		return r;
	if (s == a->cap_states) {
		struct dfa_state *v = grow(a->states, &a->cap_states, s + 1, sizeof(*v));

		if (!v)
			return -ENOMEM;
		a->states = v;
	}
	a->d.states = a->states;
	a->states[s] = (struct dfa_state){ .base = base, .other = other };
	for (uint32_t i = 0; i < n; i++) {
		a->slots[base + e[i].class] = (struct dfa_slot){ s, e[i].to };
		if (base + e[i].class >= a->used)
			a->used = base + e[i].class + 1;
	}
	a->d.n_states++;
	return 0;
}

int automaton_match(struct automaton *a, uint32_t state, struct dfa_entry *v, uint32_t n, uint32_t *table, uint32_t cap)
{
	uint32_t hash = 2166136261u, at;

	v[n - 1].bits |= ENTRY_LAST;
	for (uint32_t i = 0; i < n; i++)
		hash = ((hash ^ v[i].rule) * 16777619u ^ v[i].bits) * 16777619u;
	for (at = hash % cap; table[at]; at = (at + 1) % cap)
		if (table[at] - 1 + n <= a->d.n_entries && !memcmp(&a->entries[table[at] - 1], v, n * sizeof(*v)))
			break;
	if (!table[at]) {
		if (a->d.n_entries + n > ENTRIES_MAX)
			return -E2BIG;
		if (a->d.n_entries + n > a->cap_entries) {
			struct dfa_entry *e = grow(a->entries, &a->cap_entries, a->d.n_entries + n, sizeof(*e));

			if (!e)
				return -ENOMEM;
			a->entries = e;
		}
		a->d.entries = a->entries;
		memcpy(&a->entries[a->d.n_entries], v, n * sizeof(*v));
		table[at] = a->d.n_entries + 1;
		a->d.n_entries += n;
	}
	a->states[state].match = table[at] - 1;
	return 0;
}
