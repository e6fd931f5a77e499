/* SPDX-License-Identifier: Apache-2.0 */
/* Plain paths to a tree of names. A path that ends in a double star holds for all below a directory: a name there that is not in the tree
 * leads to a state that stands for all of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/dfa.h"
#include "policy/nfa.h"

#define ITEMS_MAX (4u << 20)
#define NOTHING 0                /* the state of a path that nothing is said of */

/* A rule at a state: for itself, or for all below it. */
struct item { uint32_t rule, next : 31, below : 1; };
/* Numbers of items and states, plus one. up: the nearest directory, the state itself or above it, with items for what is below it. */
struct place { uint32_t head, up; };
struct make {
	const struct dfa_input *in;
	struct automaton *a;
	struct place *places;
	struct item *items;
	uint32_t n_items, cap_items, cap_places;
	uint32_t *list, cap_list;
	uint64_t *left;
};

static bool spend(struct make *k, uint64_t n)
{
	*k->left -= *k->left < n ? *k->left : n;
	return *k->left > 0;
}

static void put(struct automaton *a, uint32_t x)
{
	uint32_t dir = a->slots[x].state, at = names_hash(dir, a->pool + a->states[x].base, a->slots[x].to);

	while (a->table[at & (a->d.n_table - 1)] != NO_RULE)
		at++;
	a->table[at & (a->d.n_table - 1)] = x;
}

/* At most half of the table is taken. States without a directory are not found by name. */
static int table_room(struct automaton *a)
{
	uint32_t n = a->d.n_table ? a->d.n_table * 2 : 64, *v;

	if (a->d.n_states * 2 < a->d.n_table)
		return 0;
	v = malloc(n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memset(v, 0xff, n * sizeof(*v)); /* NO_RULE */
	free(a->table);
	a->table = v;
	a->d.table = v;
	a->d.n_table = n;
	for (uint32_t i = 0; i < a->d.n_states; i++)
		if (a->slots[i].state != NO_RULE)
			put(a, i);
	return 0;
}

static int room(struct make *k, size_t n)
{
	struct automaton *a = k->a;
	uint32_t want = a->d.n_states + 1;
	void *v;

	if (want > NAMES_MAX || n > GENERATION_MAX - a->d.n_pool)
		return -E2BIG;
	if (want > a->cap_states) {
		v = array_grow(a->states, &a->cap_states, want, sizeof(*a->states));
		if (!v)
			return -ENOMEM;
		a->d.states = a->states = v;
	}
	if (want > a->cap_slots) {
		v = array_grow(a->slots, &a->cap_slots, want, sizeof(*a->slots));
		if (!v)
			return -ENOMEM;
		a->d.slots = a->slots = v;
	}
	if (want > k->cap_places || !k->places) {
		v = array_grow(k->places, &k->cap_places, want, sizeof(*k->places));
		if (!v)
			return -ENOMEM;
		k->places = v;
	}
	if (a->d.n_pool + n >= a->cap_pool) {
		v = array_grow(a->pool, &a->cap_pool, a->d.n_pool + (uint32_t)n + 1, 1);
		if (!v)
			return -ENOMEM;
		a->d.pool = a->pool = v;
	}
	return table_room(a);
}

/* A new state; dir NO_RULE: not found by name. */
static int state(struct make *k, uint32_t dir, const char *name, size_t n, uint32_t *ret)
{
	struct automaton *a = k->a;
	int r = room(k, n);
	uint32_t x;

	if (r < 0)
		return r;
	x = a->d.n_states++;
	a->d.n_slots = a->d.n_states;
	memcpy(a->pool + a->d.n_pool, name, n);
	a->states[x] = (struct dfa_state){ .base = a->d.n_pool };
	a->slots[x] = (struct dfa_slot){ dir, (uint32_t)n };
	a->d.n_pool += (uint32_t)n;
	k->places[x] = (struct place){ 0 };
	if (dir != NO_RULE)
		put(a, x);
	*ret = x;
	return 0;
}

static int say(struct make *k, uint32_t at, uint32_t rule, bool below)
{
	if (k->n_items == ITEMS_MAX)
		return -E2BIG;
	if (k->n_items == k->cap_items) {
		void *v = array_grow(k->items, &k->cap_items, k->n_items + 1, sizeof(*k->items));

		if (!v)
			return -ENOMEM;
		k->items = v;
	}
	k->items[k->n_items] = (struct item){ .rule = rule, .next = k->places[at].head, .below = below };
	k->places[at].head = ++k->n_items;
	return 0;
}

/* The state of a path of len bytes below `at`, made if need be: "" or "/NAME...". */
static int find(struct make *k, uint32_t at, const char *path, size_t len, uint32_t *ret)
{
	int r = 0;

	while (r == 0 && len) {
		const char *name = path + 1, *end = memchr(name, '/', len - 1);
		size_t n = end ? (size_t)(end - name) : len - 1;
		/* Until all is there, unknown names lead to no state at all. */
		uint32_t x = names_child(&k->a->d, at, name, n);

		if (x == NOTHING)
			r = state(k, at, name, n, &x);
		at = x;
		path += 1 + n;
		len -= 1 + n;
	}
	*ret = at;
	return r;
}

/* The workspace has two names, and what is said of either, or of all around it, is said of it. */
static int add_to_workspace(struct make *k, const char *name, const char *path, size_t len, uint32_t rule, bool below)
{
	size_t n = strlen(name);
	uint32_t at;
	int r;

	if (len >= n && !strncmp(path, name, n) && (len == n || path[n] == '/')) {
		r = find(k, k->a->d.workspace, path + n, len - n, &at);
		return r < 0 ? r : say(k, at, rule, below);
	}
	if (!below || len >= n || strncmp(name, path, len) != 0 || name[len] != '/')
		return 0;
	r = say(k, k->a->d.workspace, rule, false);
	return r < 0 ? r : say(k, k->a->d.workspace, rule, true);
}

static int add(struct make *k, const char *glob, uint32_t rule)
{
	size_t len = strlen(glob);
	bool below = len > 2 && !strcmp(glob + len - 3, "/**");
	uint32_t at;
	int r;

	len -= below ? 3 : 0;
	if (len && glob[0] != '/')
		return 0; /* no path is like it */
	r = find(k, k->a->d.root, glob, len, &at);
	if (r == 0)
		r = say(k, at, rule, below);
	if (r == 0)
		r = add_to_workspace(k, k->in->workspace, glob, len, rule, below);
	if (r == 0 && strcmp(k->in->workspace, "/workspace") != 0)
		r = add_to_workspace(k, "/workspace", glob, len, rule, below);
	return r == 0 && !spend(k, len + 1) ? -ETIME : r;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int take(struct make *k, uint32_t *n, uint32_t at, bool below)
{
	for (uint32_t i = k->places[at].head; i; i = k->items[i - 1].next) {
		if (!spend(k, 1))
			return -ETIME;
		if (k->items[i - 1].below != below)
			continue;
		if (*n == k->cap_list) {
			void *v = array_grow(k->list, &k->cap_list, *n + 1, sizeof(*k->list));

			if (!v)
				return -ENOMEM;
			k->list = v;
		}
		k->list[(*n)++] = k->items[i - 1].rule;
	}
	return 0;
}

static uint32_t up_of(const struct make *k, uint32_t x)
{
	uint32_t dir = k->a->slots[x].state;

	return dir == NO_RULE ? 0 : k->places[dir].up;
}

/* What has matched in x: its own rules if it is a name, and those of all directories from up on. */
static int match(struct make *k, uint32_t x, uint32_t up, bool own, uint32_t *table, uint32_t cap)
{
	uint32_t n = 0;
	int r = own ? take(k, &n, x, false) : 0;

	for (; r == 0 && up; up = up_of(k, up - 1))
		r = take(k, &n, up - 1, true);
	if (r < 0)
		return r;
	if (n > 1)
		qsort(k->list, n, sizeof(*k->list), by_number);
	return automaton_match(k->a, k->in, x, k->list, NULL, n, table, cap);
}

/* Directories were made before what is in them. */
static int finish(struct make *k)
{
	struct automaton *a = k->a;
	uint32_t names = a->d.n_states, below, cap = 3 * names, *table = calloc(cap, sizeof(*table));
	int r = table ? 0 : -ENOMEM;

	for (uint32_t x = 0; r == 0 && x < names; x++) {
		bool marks = false;

		for (uint32_t i = k->places[x].head; i; i = k->items[i - 1].next)
			marks |= k->items[i - 1].below;
		r = match(k, x, up_of(k, x), true, table, cap);
		k->places[x].up = marks ? x + 1 : up_of(k, x);
		a->states[x].other = k->places[x].up ? a->states[k->places[x].up - 1].other : NOTHING;
		if (r < 0 || !marks)
			continue;
		r = state(k, NO_RULE, "", 0, &below);
		if (r == 0) {
			a->states[x].other = below;
			a->states[below].other = below;
			r = match(k, below, x + 1, false, table, cap);
		}
	}
	free(table);
	return r;
}

int names_build(const struct dfa_input *in, struct automaton *ret, uint64_t *left)
{
	struct make k = { .in = in, .a = ret, .left = left };
	uint32_t nothing;
	int r = state(&k, NO_RULE, "", 0, &nothing);

	if (r == 0)
		r = state(&k, NO_RULE, "", 0, &ret->d.root);
	if (r == 0)
		r = state(&k, NO_RULE, "", 0, &ret->d.workspace);
	for (size_t i = in->from; r == 0 && i < in->to; i++)
		for (size_t g = 0; r == 0 && g < in->rules->v[i].paths.n; g++)
			if (nfa_kind(in->rules->v[i].paths.v[g]) & in->kinds)
				r = add(&k, in->rules->v[i].paths.v[g], (uint32_t)i);
	if (r == 0)
		r = finish(&k);
	if (r == 0) {
		ret->d.tree = ret->tree = calloc(1, ret->d.n_states);
		r = ret->tree ? 0 : -ENOMEM;
	}
	free(k.places);
	free(k.items);
	free(k.list);
	return r;
}
