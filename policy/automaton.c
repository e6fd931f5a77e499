/* SPDX-License-Identifier: Apache-2.0 */
/* The record of one automaton in a generation: written once, checked once, then used where it lies. */
#include <errno.h>
#include <string.h>

#include "policy/model.h"

/* Numbers in the machine's own order, which is little-endian as everywhere in a generation. Sections in this order, no gaps; tree is last and padded. */
struct head { uint32_t n_states, n_classes, n_slots, n_entries, root, workspace; uint8_t class[256]; };
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "generations are little-endian");
_Static_assert(sizeof(struct head) == 280 && sizeof(struct dfa_state) == 12 && sizeof(struct dfa_slot) == 8 && sizeof(struct dfa_entry) == 16,
	       "a record has no padding");

#define SLOTS_MAX (1u << 22)     /* more than is ever made: sums of sizes stay far from their ends */
#define ENTRIES_MAX (1u << 22)

static size_t padded(uint32_t n)
{
	return ((size_t)n + 3) & ~(size_t)3;
}

static size_t size_of(uint32_t states, uint32_t slots, uint32_t entries)
{
	return sizeof(struct head) + (size_t)states * sizeof(struct dfa_state) + (size_t)slots * sizeof(struct dfa_slot) +
	       (size_t)entries * sizeof(struct dfa_entry) + padded(states);
}

size_t dfa_size(const struct dfa *d)
{
	return size_of(d->n_states, d->n_slots, d->n_entries);
}

int dfa_write(struct wr *w, const struct dfa *d)
{
	struct head h = { d->n_states, d->n_classes, d->n_slots, d->n_entries, d->root, d->workspace, { 0 } };

	memcpy(h.class, d->class, sizeof(h.class));
	wr_bytes(w, &h, sizeof(h));
	wr_bytes(w, d->states, d->n_states * sizeof(*d->states));
	wr_bytes(w, d->slots, d->n_slots * sizeof(*d->slots));
	wr_bytes(w, d->entries, d->n_entries * sizeof(*d->entries));
	wr_bytes(w, d->tree, d->n_states);
	wr_bytes(w, (const uint8_t[4]){ 0 }, padded(d->n_states) - d->n_states);
	return w->bad ? -ENOBUFS : 0;
}

/* A list that begins at any entry ends: the last of all is an end. */
static bool sound(const struct dfa *d)
{
	for (size_t i = 0; i < 256; i++)
		if (d->class[i] >= d->n_classes)
			return false;
	for (size_t i = 0; i < d->n_states; i++)
		if (d->states[i].base > d->n_slots - d->n_classes || d->states[i].other >= d->n_states || d->states[i].match >= d->n_entries)
			return false;
	for (size_t i = 0; i < d->n_slots; i++)
		if (d->slots[i].to >= d->n_states)
			return false;
	for (size_t i = 0; i < d->n_entries; i++)
		if (d->entries[i].rule >= RULES_MAX)
			return false;
	return d->entries[d->n_entries - 1].bits & ENTRY_LAST;
}

int dfa_map(const void *data, size_t n, struct dfa *ret)
{
	const struct head *h = data;
	const uint8_t *p = data;
	struct dfa d;

	if (!data || n < sizeof(*h) || (uintptr_t)data % 4)
		return -EBADMSG;
	d = (struct dfa){ .n_states = h->n_states, .n_classes = h->n_classes, .n_slots = h->n_slots, .n_entries = h->n_entries, .root = h->root,
			  .workspace = h->workspace, .class = h->class };
	if (d.n_states == 0 || d.n_states > STATES_MAX || d.n_classes == 0 || d.n_classes > 256 || d.n_slots < d.n_classes ||
	    d.n_slots > SLOTS_MAX || d.n_entries == 0 || d.n_entries > ENTRIES_MAX || d.root >= d.n_states || d.workspace >= d.n_states ||
	    n != size_of(d.n_states, d.n_slots, d.n_entries))
		return -EBADMSG;
	p += sizeof(*h);
	d.states = (const void *)p;
	p += d.n_states * sizeof(*d.states);
	d.slots = (const void *)p;
	p += d.n_slots * sizeof(*d.slots);
	d.entries = (const void *)p;
	p += d.n_entries * sizeof(*d.entries);
	d.tree = p;
	if (!sound(&d))
		return -EBADMSG;
	*ret = d;
	return 0;
}
