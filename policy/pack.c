/* SPDX-License-Identifier: Apache-2.0 */
/* An automaton's tables while it is made: the edges of many states lie in one row of slots, each where others have left room; rules that
 * can decide lie in lists that states share. */
#include "policy/dfa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX (6u << 20)    /* bytes of one record; while it is written there are three of it in memory */
#define ALL_OPS ((1u << POL_OP__COUNT) - 1)
/* Each entry of a list has an operation for which none before it decides: one of 64 labels that who asks has for sure, or may have, who is
 * unknown, a begin that was met, or all. */
#define MATCH_MAX (POL_OP__COUNT * (2 * POL_LABELS_MAX + 2 + POL_KEPT_MAX))
#define PROBES_MAX 128           /* places tried for a state's edges before they go to the end */

void automaton_fini(struct automaton *a)
{
	free(a->states);
	free(a->slots);
	free(a->taken);
	free(a->entries);
	free(a->tree);
	free(a->table);
	free(a->pool);
	free(a->emit);
	free(a->found);
	*a = (struct automaton){ 0 };
}

void *array_grow(void *v, uint32_t *cap, uint32_t want, size_t size)
{
	uint32_t n = *cap + *cap / 2;

	n = n < want ? want + 64 : n;
	v = realloc(v, n * size);
	if (v)
		*cap = n;
	return v;
}

/* Edges that reach over no more than 64 slots are held against a map of what is taken. */
#define SPAN_MAX 64u

/* The first place from t on, before end, where the edges fit; end: none. */
static uint32_t fits(const struct automaton *a, uint32_t t, uint32_t end, const struct dfa_edge *e, uint32_t n)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < n && e[i].class - e[0].class < SPAN_MAX; i++)
		mask |= 1ull << (e[i].class - e[0].class);
	for (; t < end; t++) {
		uint64_t taken = a->taken[t / 64] >> t % 64 | (t % 64 ? a->taken[t / 64 + 1] << (64 - t % 64) : 0);
		uint32_t i = 0;

		if (taken & mask)
			continue;
		while (i < n && (e[i].class - e[0].class < SPAN_MAX || t + e[i].class - e[0].class >= a->used ||
				 a->slots[t + e[i].class - e[0].class].state == NO_RULE))
			i++;
		if (i == n)
			return t;
	}
	return end;
}

static uint32_t base_for(struct automaton *a, const struct dfa_edge *e, uint32_t n)
{
	uint32_t first = n ? e[0].class : 0, t, end, at;

	if (!n)
		return 0;
	while (a->vacant < a->used && a->slots[a->vacant].state != NO_RULE)
		a->vacant++;
	t = a->vacant > first ? a->vacant : first;
	end = t < a->used && a->used - t > PROBES_MAX ? t + PROBES_MAX : a->used;
	at = t < end ? fits(a, t, end, e, n) : end;
	if (at < end)
		return at - first;
	/* Gaps that these do not fit into would not take the next ones either. */
	if (end < a->used)
		a->vacant += PROBES_MAX / 4;
	return a->used > first ? a->used - first : 0;
}

static int slots_room(struct automaton *a, uint32_t n)
{
	uint32_t had = a->cap_slots;
	struct dfa_slot *v = a->slots;
	uint64_t *taken;

	if (n * sizeof(*v) + a->d.n_states * sizeof(*a->states) > RECORD_MAX)
		return -E2BIG;
	if (n > a->cap_slots) {
		v = array_grow(a->slots, &a->cap_slots, n, sizeof(*v));
		if (!v)
			return -ENOMEM;
		a->slots = v;
		taken = realloc(a->taken, (a->cap_slots / 64 + 2) * sizeof(*taken));
		if (!taken)
			return -ENOMEM;
		a->taken = taken;
		for (uint32_t i = had ? had / 64 + 2 : 0; i < a->cap_slots / 64 + 2; i++)
			taken[i] = 0;
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
		struct dfa_state *v = array_grow(a->states, &a->cap_states, s + 1, sizeof(*v));

		if (!v)
			return -ENOMEM;
		a->states = v;
	}
	a->d.states = a->states;
	a->states[s] = (struct dfa_state){ .base = base, .other = other };
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = base + e[i].class;

		a->slots[at] = (struct dfa_slot){ s, e[i].to };
		a->taken[at / 64] |= 1ull << at % 64;
		if (base + e[i].class >= a->used)
			a->used = base + e[i].class + 1;
	}
	a->d.n_states++;
	return 0;
}

bool rule_asks(const struct dfa_input *in, uint32_t rule)
{
	const struct rule_more *m = in->rules->v[rule].more;

	return m && m->processes.n;
}

/* sure, may: labels by which who has them for sure, or may have them, was decided about. arms: operations. */
struct decided { uint32_t done, unknown; uint64_t sure[POL_OP__COUNT], may[POL_OP__COUNT]; uint32_t arms[POL_KEPT_MAX]; };


/* The rule as an entry, with the operations for which it could be the first that matches, after those that were asked about before. */
static struct dfa_entry entry_of(const struct dfa_input *in, uint32_t rule, uint32_t arm, struct decided *d)
{
	const struct rule *u = &in->rules->v[rule];
	bool allows = u->decision == POL_ALLOW || u->decision == POL_AUDIT;
	struct dfa_entry e = { .rule = rule, .bits = u->ops & ALL_OPS & ~d->done };
	uint32_t use = 0;
	uint64_t labels;

	if (arm < POL_KEPT_MAX) {
		e.bits &= ~d->arms[arm];
		d->arms[arm] |= e.bits;
		e.bits |= e.bits ? ENTRY_ARMED : 0;
		e.labels[0] = arm;
		return e;
	}
	if (!rule_asks(in, rule)) {
		d->done |= e.bits;
		return e;
	}
	labels = in->labels[rule];
	for (int op = 0; op < POL_OP__COUNT; op++) {
		if (!(e.bits >> op & 1))
			continue;
		if ((labels & ~(allows ? d->sure[op] : d->may[op])) || (!allows && !(d->unknown >> op & 1)))
			use |= 1u << op;
		d->sure[op] |= labels;
		d->may[op] |= allows ? 0 : labels;
		d->unknown |= allows ? 0 : 1u << op;
	}
	e.bits = use ? use | ENTRY_ASKS | (allows ? ENTRY_ALLOWS : 0) : 0;
	e.labels[0] = (uint32_t)labels;
	e.labels[1] = (uint32_t)(labels >> 32);
	return e;
}

static int share(struct automaton *a, const struct dfa_entry *v, uint32_t n, uint32_t *table, uint32_t cap, uint32_t *ret)
{
	uint32_t hash = 2166136261u, at;

	for (uint32_t i = 0; i < n; i++)
		hash = (((hash ^ v[i].rule) * 16777619u ^ v[i].bits) * 16777619u ^ v[i].labels[0]) * 16777619u;
	for (at = hash % cap; table[at]; at = (at + 1) % cap)
		if (table[at] - 1 + n <= a->d.n_entries && !memcmp(&a->entries[table[at] - 1], v, n * sizeof(*v)))
			break;
	if (!table[at]) {
		if (dfa_size(&a->d) + n * sizeof(*v) > RECORD_MAX)
			return -E2BIG;
		if (a->d.n_entries + n > a->cap_entries) {
			struct dfa_entry *e = array_grow(a->entries, &a->cap_entries, a->d.n_entries + n, sizeof(*e));

			if (!e)
				return -ENOMEM;
			a->entries = e;
		}
		a->d.entries = a->entries;
		memcpy(&a->entries[a->d.n_entries], v, n * sizeof(*v));
		table[at] = a->d.n_entries + 1;
		a->d.n_entries += n;
	}
	*ret = table[at] - 1;
	return 0;
}

int automaton_emit(struct automaton *a, const struct dfa_input *in, uint32_t state, const uint32_t *rules, uint32_t n, const uint32_t *arms,
		   uint32_t n_arms, uint32_t *table, uint32_t cap)
{
	uint32_t at, k = 0;
	struct dfa_entry *v;
	int r;

	if (!a->emit)
		a->d.emit = a->emit = calloc(a->d.n_states, sizeof(*a->emit));
	if (!a->emit)
		return -ENOMEM;
	if (!n && !n_arms)
		return 0;
	v = malloc((n + n_arms) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (!i || rules[i] != rules[i - 1])
			v[k++] = (struct dfa_entry){ rules[i], (in->rules->v[rules[i]].ops & ALL_OPS) | ENTRY_EMIT,
				{ in->keep->sticky[rules[i]], 0 } };
	for (uint32_t i = 0; i < n_arms; i++)
		v[k++] = (struct dfa_entry){ 0, ENTRY_EMIT | ENTRY_ARMED, { arms[i], 0 } };
	v[k - 1].bits |= ENTRY_LAST;
	r = share(a, v, k, table, cap, &at);
	free(v);
	if (r == 0 && a->d.n_entries > UINT16_MAX)
		r = -E2BIG;
	if (r == 0) {
		a->emit[state] = (uint16_t)(at + 1);
		a->d.n_emit = a->d.n_entries;
	}
	return r;
}

int automaton_match(struct automaton *a, const struct dfa_input *in, uint32_t state, const uint32_t *rules, const uint32_t *arms,
		    uint32_t n, uint32_t *table, uint32_t cap)
{
	struct dfa_entry *v = a->found ? a->found : malloc((size_t)MATCH_MAX * sizeof(*v));
	struct decided d = { 0 };
	uint32_t k = 0;

	a->found = v;
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && d.done != ALL_OPS; i++) {
		uint32_t arm = arms ? arms[i] : NO_RULE;

		if (i && rules[i] == rules[i - 1] && (!arms || arm == arms[i - 1]))
			continue;
		v[k] = entry_of(in, rules[i], arm, &d);
		k += v[k].bits != 0;
	}
	if (k == 0)
		v[k++] = (struct dfa_entry){ 0 };
	v[k - 1].bits |= ENTRY_LAST;
	return share(a, v, k, table, cap, &a->states[state].match);
}
