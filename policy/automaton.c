/* SPDX-License-Identifier: Apache-2.0 */
/* The record of one automaton in a generation: written once, checked once, then used where it lies. */
#include <errno.h>
#include <string.h>

#include "policy/model.h"

/* Numbers in the machine's own order, which is little-endian as everywhere in a generation. Sections in the order of size_of, no gaps;
 * tree, pool and emit are padded. */
struct head { uint32_t n_states, n_classes, n_slots, n_entries, root, workspace, n_table, n_pool, n_emit; uint8_t class[256]; };
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "generations are little-endian");
_Static_assert(sizeof(struct head) == 292 && sizeof(struct dfa_state) == 12, "a record has no padding");
_Static_assert(sizeof(struct dfa_slot) == 8 && sizeof(struct dfa_entry) == 16, "a record has no padding");

#define SLOTS_MAX (1u << 22)     /* more than is ever made: sums of sizes stay far from their ends */
#define ENTRIES_MAX (1u << 22)

static size_t padded(uint32_t n)
{
	return ((size_t)n + 3) & ~(size_t)3;
}

static size_t emit_size(const struct dfa *d)
{
	return d->n_emit ? d->n_states * sizeof(*d->emit) : 0;
}

static size_t size_of(const struct dfa *d)
{
	return sizeof(struct head) + (size_t)d->n_states * sizeof(*d->states) + (size_t)d->n_slots * sizeof(*d->slots) +
	       (size_t)d->n_entries * sizeof(*d->entries) + padded(d->n_states) + (size_t)d->n_table * sizeof(*d->table) +
	       padded(d->n_pool) + padded((uint32_t)emit_size(d));
}

size_t dfa_size(const struct dfa *d)
{
	return size_of(d);
}

static void put(struct wr *w, const void *p, size_t n)
{
	if (n)
		wr_bytes(w, p, n);
	wr_bytes(w, (const uint8_t[4]){ 0 }, (4 - n % 4) % 4);
}

int dfa_write(struct wr *w, const struct dfa *d)
{
	struct head h = { d->n_states, d->n_classes, d->n_slots, d->n_entries, d->root, d->workspace, d->n_table, d->n_pool,
		d->n_emit, { 0 } };

	if (!dfa_is_names(d))
		memcpy(h.class, d->class, sizeof(h.class));
	put(w, &h, sizeof(h));
	put(w, d->states, d->n_states * sizeof(*d->states));
	put(w, d->slots, d->n_slots * sizeof(*d->slots));
	put(w, d->entries, d->n_entries * sizeof(*d->entries));
	put(w, d->tree, d->n_states);
	put(w, d->table, d->n_table * sizeof(*d->table));
	put(w, d->pool, d->n_pool);
	put(w, d->emit, emit_size(d));
	return w->bad ? -ENOBUFS : 0;
}

static bool names_sound(const struct dfa *d)
{
	bool room = false;

	for (size_t i = 0; i < d->n_states; i++)
		if (d->states[i].base > d->n_pool || d->slots[i].to > d->n_pool - d->states[i].base)
			return false;
	for (size_t i = 0; i < d->n_table; i++) {
		if (d->table[i] != NO_RULE && d->table[i] >= d->n_states)
			return false;
		room |= d->table[i] == NO_RULE;
	}
	return room;
}

static bool automaton_sound(const struct dfa *d)
{
	for (size_t i = 0; i < 256; i++)
		if (d->class[i] >= d->n_classes)
			return false;
	for (size_t i = 0; i < d->n_states; i++)
		if (d->states[i].base > d->n_slots - d->n_classes)
			return false;
	for (size_t i = 0; i < d->n_slots; i++)
		if (d->slots[i].to >= d->n_states)
			return false;
	return true;
}

/* What is emitted is a list as well, among the first entries. */
static bool emit_sound(const struct dfa *d)
{
	for (size_t i = 0; d->n_emit && i < d->n_states; i++)
		if (d->emit[i] > d->n_emit)
			return false;
	for (size_t i = 0; i < d->n_entries; i++) {
		const struct dfa_entry *e = &d->entries[i];

		if ((e->bits & ENTRY_ARMED) && e->labels[0] >= POL_KEPT_MAX)
			return false;
		if (i < d->n_emit && e->labels[0] >= STICKY_MAX)
			return false;
	}
	return !d->n_emit || (d->entries[d->n_emit - 1].bits & ENTRY_LAST);
}

/* A list that begins at any entry ends: the last of all is an end. */
static bool sound(const struct dfa *d)
{
	for (size_t i = 0; i < d->n_states; i++)
		if (d->states[i].other >= d->n_states || d->states[i].match >= d->n_entries)
			return false;
	for (size_t i = 0; i < d->n_entries; i++)
		if (d->entries[i].rule >= RULES_MAX)
			return false;
	if (!(d->entries[d->n_entries - 1].bits & ENTRY_LAST))
		return false;
	return emit_sound(d) && (dfa_is_names(d) ? names_sound(d) : automaton_sound(d));
}

/* Whether the numbers are ones that the compiler makes. */
static bool sane(const struct dfa *d)
{
	if (d->n_states == 0 || d->root >= d->n_states || d->workspace >= d->n_states || d->n_entries == 0 || d->n_entries > ENTRIES_MAX)
		return false;
	if (dfa_is_names(d))
		return d->n_emit == 0 &&
		       d->n_states <= NAMES_MAX && d->n_slots == d->n_states && d->n_table != 0 && d->n_table <= 4 * NAMES_MAX &&
		       !(d->n_table & (d->n_table - 1)) && d->n_pool <= GENERATION_MAX;
	return d->n_emit <= d->n_entries && d->n_emit <= UINT16_MAX &&
	       d->n_states <= STATES_MAX && d->n_classes <= 256 && d->n_slots >= d->n_classes && d->n_slots <= SLOTS_MAX &&
	       d->n_table == 0 && d->n_pool == 0;
}

/* The next section, of n bytes. */
static const void *section(const uint8_t **p, size_t n)
{
	const uint8_t *at = *p;

	*p += (n + 3) & ~(size_t)3;
	return at;
}

int dfa_map(const void *data, size_t n, struct dfa *ret)
{
	const struct head *h = data;
	const uint8_t *p = data;
	struct dfa d;

	if (!data || n < sizeof(*h) || (uintptr_t)data % 4)
		return -EBADMSG;
	d = (struct dfa){ .n_states = h->n_states, .n_classes = h->n_classes, .n_slots = h->n_slots, .n_entries = h->n_entries,
			  .root = h->root, .workspace = h->workspace, .n_table = h->n_table, .n_pool = h->n_pool, .n_emit = h->n_emit,
			  .class = h->class };
	if (!sane(&d) || n != size_of(&d))
		return -EBADMSG;
	p += sizeof(*h);
	d.states = section(&p, d.n_states * sizeof(*d.states));
	d.slots = section(&p, d.n_slots * sizeof(*d.slots));
	d.entries = section(&p, d.n_entries * sizeof(*d.entries));
	d.tree = section(&p, d.n_states);
	d.table = section(&p, d.n_table * sizeof(*d.table));
	d.pool = section(&p, d.n_pool);
	d.emit = section(&p, emit_size(&d));
	if (!sound(&d))
		return -EBADMSG;
	*ret = d;
	return 0;
}
