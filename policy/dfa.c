/* SPDX-License-Identifier: Apache-2.0 */
/* Positions (nfa.h) to one automaton, by subset construction; sets are sorted lists. */
#include "policy/dfa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/nfa.h"

#define MEMORY_MAX (19u << 20)   /* bytes in use while one automaton is made */
#define INSERTION_MAX 64         /* longer lists are sorted by qsort */

struct set { uint32_t at, n, hash; };  /* at: in places */
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
};

/* Takes what was looked at, and n more; false when nothing is left. */
static bool spend(struct work *w, uint64_t n)
{
	n += w->looked;
	w->looked = 0;
	*w->left -= *w->left < n ? *w->left : n;
	return *w->left > 0;
}

/* Adds the list of nodes that begins at x and what they lead to without a byte. Each node is marked once, so the stack has room. */
static void enter(struct work *w, uint32_t x)
{
	uint32_t n = 0;

	w->stack[n++] = x;
	while (n)
		for (x = w->stack[--n]; x != NONE; x = w->nfa.v[x].next) {
			const struct nnode *v = &w->nfa.v[x];

			w->looked++;
			if (w->mark[x] == w->stamp)
				continue;
			w->mark[x] = w->stamp;
			if (v->kind != N_EPS)
				w->list[w->list_n++] = x;
			if ((v->kind == N_EPS || v->kind == N_LOOP) && v->a != NONE)
				w->stack[n++] = v->a;
		}
}

/* Adds where a node that takes the byte leads to. */
static void take(struct work *w, uint32_t x)
{
	const struct nnode *v = &w->nfa.v[x];

	if (v->kind != N_SET && w->mark[x] != w->stamp) {
		w->mark[x] = w->stamp;
		w->list[w->list_n++] = x;
	}
	if (v->a != NONE)
		enter(w, v->a);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Nearly in order already: each glob's nodes come together. */
static void sort(struct work *w, uint32_t *v, uint32_t n)
{
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
		else if (x->kind == N_ACCEPT)
			stays = sticky == NONE && !accepts && (ops & ~c->here);
		else
			stays = sticky == NONE && (ops & ~c->forever);
		accepts |= stays && x->kind == N_ACCEPT;
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
static uint32_t intern(struct work *w)
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

/* Bytes that no glob tells apart share a class. */
static void classes(struct work *w)
{
	struct automaton *a = w->a;
	uint64_t sig[256] = { 0 };

	for (uint32_t i = 0; i < w->nfa.n; i++)
		if (w->nfa.v[i].kind == N_SET && w->nfa.v[i].set < NSET_BYTES)
			sig[w->nfa.v[i].set] = w->nfa.v[i].set + 1;
	for (uint32_t i = 0; i < w->nfa.n_sets; i++)
		for (unsigned c = 0; c < 256; c++)
			if (w->nfa.sets[i][c >> 3] >> (c & 7) & 1)
				sig[c] += (i + 1) * 0x9e3779b97f4a7c15ull ^ ((uint64_t)(i + 7) << 32) * 0xbf58476d1ce4e5b9ull;
	a->d.n_classes = 0;
	for (unsigned c = 0; c < 256; c++) {
		unsigned k = 0;

		while (k < c && sig[k] != sig[c])
			k++;
		a->class[c] = k < c ? a->class[k] : (uint8_t)a->d.n_classes++;
	}
	for (int c = 255; c >= 0; c--)
		w->first[a->class[c]] = (uint8_t)c;
	a->d.class = a->class;
}

/* Sorts a set's nodes by the class of the one byte they take. told: classes that lead elsewhere than the rest. False: all of them could. */
static bool tell_apart(struct work *w, const struct set *s, bool told[256])
{
	bool few = true;
	uint32_t n = 0;

	memset(told, 0, 256 * sizeof(*told));
	memset(w->head, 0xff, sizeof(w->head)); /* NONE */
	w->n_others = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t v = w->places[s->at + i];
		const struct nnode *x = &w->nfa.v[v];

		if (x->kind == N_ACCEPT)
			continue;
		if (x->set < NSET_BYTES) {
			uint8_t k = w->a->class[x->set];

			w->link[i] = w->head[k];
			w->head[k] = i;
			told[k] = true;
			continue;
		}
		w->others[w->n_others++] = v;
		few &= x->set < NSET_OTHER;
		told[w->a->class['/']] |= x->set == NSET_NAME;
	}
	for (uint32_t k = 0; k < w->a->d.n_classes; k++)
		n += told[k];
	return few && n + 1 < w->a->d.n_classes;
}

/* Where class k leads from s, whose nodes are told apart; with NONE for k, where all classes that are not told apart do. */
static uint32_t target(struct work *w, const struct set *s, uint32_t k)
{
	w->stamp++;
	w->list_n = 0;
	w->looked += 8 + w->n_others;
	for (uint32_t i = 0; i < w->n_others; i++)
		if (k == NONE || nfa_has(&w->nfa, &w->nfa.v[w->others[i]], w->first[k]))
			take(w, w->others[i]);
	for (uint32_t i = k == NONE ? NONE : w->head[k]; i != NONE; i = w->link[i])
		take(w, w->places[s->at + i]);
	return intern(w);
}

/* The class of NUL, which is in no name, is never told apart. */
static int expand_one(struct work *w, uint32_t s)
{
	const struct set set = w->sets[s];
	struct dfa_edge e[256];
	uint32_t n = 0, kept = 0, other = NONE;
	int votes = 0;
	bool told[256];
	bool few = tell_apart(w, &set, told);

	for (uint32_t k = 0; k < w->a->d.n_classes; k++) {
		if (k == w->a->class[0] || (few && !told[k]))
			continue;
		e[n] = (struct dfa_edge){ k, target(w, &set, k) };
		if (e[n++].to == NONE)
			return -E2BIG;
		if (!few && votes == 0)
			other = e[n - 1].to; /* where most lead, if most lead to one */
		votes += e[n - 1].to == other ? 1 : -1;
	}
	if (few)
		other = target(w, &set, NONE);
	if (other == NONE)
		return -E2BIG;
	for (uint32_t i = 0; i < n; i++)
		if (e[i].to != other)
			e[kept++] = e[i];
	if (!spend(w, 8))
		return -ETIME;
	return automaton_state(w->a, other, e, kept);
}

/* Adds to the current list where the root is after the bytes of path. */
static int walk(struct work *w, const char *path)
{
	uint32_t *now = malloc((w->nfa.n + 1) * sizeof(uint32_t)), n, kept = w->list_n;
	const struct set *root = &w->sets[w->a->d.root];
	int r = now ? 0 : -ENOMEM;

	n = root->n;
	if (now)
		memcpy(now, w->places + root->at, n * sizeof(uint32_t));
	for (; r == 0 && *path; path++) {
		w->list_n = kept;
		w->stamp++;
		for (uint32_t i = 0; i < n; i++)
			if (w->nfa.v[now[i]].kind != N_ACCEPT && nfa_has(&w->nfa, &w->nfa.v[now[i]], (uint8_t)*path))
				take(w, now[i]);
		n = w->list_n - kept;
		memcpy(now, w->list + kept, n * sizeof(uint32_t));
		r = spend(w, n) ? 0 : -ETIME;
	}
	w->list_n = kept;
	for (uint32_t i = 0; r == 0 && i < n; i++)
		w->list[w->list_n++] = now[i];
	free(now);
	return r;
}

/* The workspace has two names; a glob that matches either of them matches. */
static int workspace_state(struct work *w)
{
	uint32_t n = 0;
	int r;

	w->list_n = 0;
	r = walk(w, w->in->workspace);
	if (r == 0)
		r = walk(w, "/workspace");
	if (r < 0)
		return r;
	w->stamp++;
	for (uint32_t i = 0; i < w->list_n; i++) /* without doubles */
		if (w->mark[w->list[i]] != w->stamp) {
			w->mark[w->list[i]] = w->stamp;
			w->list[n++] = w->list[i];
		}
	w->list_n = n;
	w->a->d.workspace = intern(w);
	return w->a->d.workspace == NONE ? -E2BIG : 0;
}

static int match(struct work *w, uint32_t s)
{
	const struct set *set = &w->sets[s];
	uint32_t n = 0;

	for (uint32_t i = 0; i < set->n; i++) {
		const struct nnode *x = &w->nfa.v[w->places[set->at + i]];

		if (x->kind == N_ACCEPT || x->kind == N_FOREVER)
			w->list[n++] = x->rule;
	}
	return automaton_match(w->a, w->in, s, w->list, n, w->table, w->table_cap);
}

static int run(struct work *w)
{
	int r;

	w->stamp++;
	enter(w, 0);
	w->a->d.root = intern(w);
	if (!spend(w, 0))
		return -ETIME;
	r = w->a->d.root == NONE ? -E2BIG : workspace_state(w);
	for (uint32_t s = 0; r == 0 && s < w->n_sets; s++)
		r = expand_one(w, s);
	if (r < 0)
		return r;
	/* The table of sets is done with and serves to find lists. */
	memset(w->table, 0, w->table_cap * sizeof(uint32_t));
	for (uint32_t s = 0; r == 0 && s < w->n_sets; s++)
		r = match(w, s);
	if (r < 0)
		return r;
	w->a->tree = calloc(w->n_sets + 1, 1);
	if (!w->a->tree)
		return -ENOMEM;
	w->a->d.tree = w->a->tree;
	file_trees(&w->a->d, w->in->rules, w->a->tree);
	return 0;
}

static int build(struct work *w)
{
	size_t n = w->nfa.n + 1, rules = w->in->rules->n;

	if (w->nfa.full)
		return spend(w, n) ? -E2BIG : -ETIME;
	if (!spend(w, n + 256 * (uint64_t)w->nfa.n_sets))
		return -ETIME;
	w->mark = calloc(n, sizeof(uint32_t));
	w->list = malloc(2 * n * sizeof(uint32_t)); /* the workspace's two names */
	w->stack = malloc(n * sizeof(uint32_t));
	w->link = malloc(n * sizeof(uint32_t));
	w->others = malloc(n * sizeof(uint32_t));
	w->forever = malloc((rules + 1) * sizeof(uint32_t));
	if (!w->mark || !w->list || !w->stack || !w->link || !w->others || !w->forever)
		return -ENOMEM;
	memset(w->forever, 0xff, rules * sizeof(uint32_t)); /* NONE */
	classes(w);
	return run(w);
}

int dfa_build(const struct dfa_input *in, struct automaton *ret, uint64_t *left)
{
	struct work w = { .in = in, .a = ret, .left = left };
	int r;

	nfa_begin(&w.nfa);
	for (size_t i = in->from; i < in->to && !w.nfa.full; i++)
		nfa_add(&w.nfa, &in->rules->v[i].paths, (uint32_t)i, in->rules->v[i].ops, in->kinds);
	r = build(&w);
	free(w.sets);
	free(w.places);
	free(w.table);
	free(w.mark);
	free(w.list);
	free(w.stack);
	free(w.link);
	free(w.others);
	free(w.forever);
	nfa_fini(&w.nfa);
	return r;
}
