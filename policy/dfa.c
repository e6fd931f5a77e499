/* SPDX-License-Identifier: Apache-2.0 */
/* Positions (nfa.h) to one automaton, by subset construction; sets are sorted lists. */
#include "policy/dfa.h"

#include <errno.h>
#include <string.h>

#include "policy/nfa.h"

#define REACH_MAX (2u << 20)  /* node numbers remembered; the rest is found again each time */
#define INSERTION_MAX 256     /* longer lists are sorted by qsort */

struct set { uint32_t *v; uint32_t n, hash; };
struct work {
	struct nfa nfa;
	struct dfa *d;
	struct set *sets;
	uint32_t n_sets, *table, table_cap;
	uint32_t *mark, stamp, *list, list_n;
	struct set *reach; /* per node: what entering it leads to without a byte; no v: not remembered */
	uint32_t *forever; /* per rule: the node that stands for all of its globs that have matched for good */
	const struct rules *rules;
};

static void closure(struct work *w, uint32_t x)
{
	uint32_t stack[512], n = 0;

	stack[n++] = x;
	while (n) {
		x = stack[--n];
		if (x == NONE || w->mark[x] == w->stamp)
			continue;
		w->mark[x] = w->stamp;
		if (w->nfa.v[x].kind != N_SPLIT) {
			w->list[w->list_n++] = x;
			continue;
		}
		if (n + 2 <= ARRAY_LEN(stack)) {
			stack[n++] = w->nfa.v[x].b;
			stack[n++] = w->nfa.v[x].a;
		} else {
			closure(w, w->nfa.v[x].a);
			closure(w, w->nfa.v[x].b);
		}
	}
}

/* The same few nodes are entered from every state: what they lead to without a byte is found once, up to a bound. */
static void reach_all(struct work *w)
{
	size_t room = REACH_MAX;

	for (uint32_t i = 0; i < w->nfa.n; i++) {
		uint32_t to = w->nfa.v[i].a;
		struct set *r = w->nfa.v[i].kind == N_SET ? &w->reach[to] : NULL;

		if (!r || r->v)
			continue;
		w->stamp++;
		w->list_n = 0;
		closure(w, to);
		if (w->list_n > room)
			continue;
		r->v = malloc((w->list_n + 1) * sizeof(uint32_t));
		if (!r->v)
			return;
		memcpy(r->v, w->list, w->list_n * sizeof(uint32_t));
		r->n = w->list_n;
		room -= r->n;
	}
}

static void enter(struct work *w, uint32_t x)
{
	const struct set *r = &w->reach[x];

	if (!r->v) {
		closure(w, x);
		return;
	}
	for (uint32_t i = 0; i < r->n; i++)
		if (w->mark[r->v[i]] != w->stamp) {
			w->mark[r->v[i]] = w->stamp;
			w->list[w->list_n++] = r->v[i];
		}
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Nearly in order already: each glob's nodes come together. */
static void sort(uint32_t *v, uint32_t n)
{
	if (n > INSERTION_MAX) {
		qsort(v, n, sizeof(*v), by_number);
		return;
	}
	for (uint32_t i = 1; i < n; i++) {
		uint32_t x = v[i], k = i;

		for (; k && v[k - 1] > x; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

/*
 * First match decides, so what can decide nothing below is dropped, which keeps the sets few: of a rule that has matched for good,
 * all but one node (the same one whichever glob it was); of a later rule, all nodes once such rules cover its operations. Nodes are
 * numbered in the order of their rules.
 */
static void prune(struct work *w)
{
	uint32_t n = 0, covered = 0;

	for (uint32_t i = 0, end; i < w->list_n; i = end) {
		uint32_t rule = w->nfa.v[w->list[i]].rule, sticky = NONE, ops = w->rules->v[rule].ops;

		for (end = i; end < w->list_n && w->nfa.v[w->list[end]].rule == rule; end++)
			if (w->nfa.v[w->list[end]].sticky)
				sticky = w->list[end];
		if (!(ops & ~covered))
			continue;
		if (sticky == NONE) {
			memmove(w->list + n, w->list + i, (end - i) * sizeof(uint32_t));
			n += end - i;
			continue;
		}
		covered |= ops;
		if (w->forever[rule] == NONE)
			w->forever[rule] = sticky;
		w->list[n++] = w->forever[rule];
	}
	w->list_n = n;
}

/* The state of the set in w->list; a new one when it was not met before. NONE: too many. */
static uint32_t intern(struct work *w)
{
	uint32_t hash = 2166136261u, at;

	sort(w->list, w->list_n);
	prune(w);
	for (uint32_t i = 0; i < w->list_n; i++)
		hash = (hash ^ w->list[i]) * 16777619u;
	for (at = hash % w->table_cap; w->table[at]; at = (at + 1) % w->table_cap) {
		struct set *s = &w->sets[w->table[at] - 1];

		if (s->hash == hash && s->n == w->list_n && !memcmp(s->v, w->list, s->n * sizeof(uint32_t)))
			return w->table[at] - 1;
	}
	if (w->n_sets == STATES_MAX)
		return NONE;
	w->sets[w->n_sets].v = malloc((w->list_n + 1) * sizeof(uint32_t));
	if (!w->sets[w->n_sets].v)
		return NONE;
	memcpy(w->sets[w->n_sets].v, w->list, w->list_n * sizeof(uint32_t));
	w->sets[w->n_sets].n = w->list_n;
	w->sets[w->n_sets].hash = hash;
	w->table[at] = ++w->n_sets;
	return w->n_sets - 1;
}

static void step(struct work *w, const struct set *from, unsigned c)
{
	for (uint32_t i = 0; i < from->n; i++) {
		const struct nnode *x = &w->nfa.v[from->v[i]];

		if (x->kind == N_SET && (x->set[c >> 3] >> (c & 7) & 1))
			enter(w, x->a);
	}
}

/* Bytes that no glob tells apart share a class. */
static void classes(struct work *w)
{
	uint64_t sig[256] = { 0 };

	for (uint32_t i = 0; i < w->nfa.n; i++)
		for (unsigned c = 0; w->nfa.v[i].kind == N_SET && c < 256; c++)
			if (w->nfa.v[i].set[c >> 3] >> (c & 7) & 1)
				sig[c] += (i + 1) * 0x9e3779b97f4a7c15ull ^ ((uint64_t)(i + 7) << 32) * 0xbf58476d1ce4e5b9ull;
	w->d->n_classes = 0;
	for (unsigned c = 0; c < 256; c++) {
		unsigned k = 0;

		while (k < c && sig[k] != sig[c])
			k++;
		w->d->class[c] = k < c ? w->d->class[k] : (uint8_t)w->d->n_classes++;
	}
}

static int expand(struct work *w)
{
	struct dfa *d = w->d;
	uint8_t first[256];

	for (int c = 255; c >= 0; c--)
		first[d->class[c]] = (uint8_t)c;
	d->next = calloc((size_t)STATES_MAX * d->n_classes, sizeof(uint32_t));
	for (uint32_t s = 0; d->next && s < w->n_sets; s++)
		for (uint32_t k = 0; k < d->n_classes; k++) {
			uint32_t to;

			w->stamp++;
			w->list_n = 0;
			step(w, &w->sets[s], first[k]);
			to = intern(w);
			if (to == NONE)
				return -E2BIG;
			d->next[(size_t)s * d->n_classes + k] = to;
		}
	d->n_states = w->n_sets;
	return d->next ? 0 : -ENOMEM;
}

/* Where a start set is after the bytes of path; adds to the current list. */
static void walk(struct work *w, uint32_t start, const char *path)
{
	struct set now = { .v = malloc((w->nfa.n + 1) * sizeof(uint32_t)) };
	uint32_t *keep = w->list, kept = w->list_n;

	if (!now.v)
		return;
	memcpy(now.v, w->sets[start].v, w->sets[start].n * sizeof(uint32_t));
	now.n = w->sets[start].n;
	for (; *path; path++) {
		w->list_n = kept;
		w->stamp++;
		step(w, &now, (uint8_t)*path);
		memcpy(now.v, w->list + kept, (w->list_n - kept) * sizeof(uint32_t));
		now.n = w->list_n - kept;
	}
	w->list = keep;
	w->list_n = kept;
	for (uint32_t i = 0; i < now.n; i++)
		w->list[w->list_n++] = now.v[i];
	free(now.v);
}

static void accepts(struct work *w)
{
	struct dfa *d = w->d;

	for (uint32_t s = 0; s < d->n_states; s++)
		for (int op = 0; op < POL_OP__COUNT; op++) {
			uint32_t best = NO_RULE;

			for (uint32_t i = 0; i < w->sets[s].n; i++) {
				const struct nnode *x = &w->nfa.v[w->sets[s].v[i]];

				if ((x->kind == N_ACCEPT || x->sticky) && x->rule < best && (w->rules->v[x->rule].ops >> op & 1))
					best = x->rule;
			}
			d->accept[(size_t)s * POL_OP__COUNT + (size_t)op] = best;
		}
}

static int run(struct work *w, const char *workspace)
{
	struct dfa *d = w->d;
	uint32_t start, *u;
	int r;

	w->stamp++;
	w->list_n = 0;
	for (uint32_t i = 0; i < w->nfa.n; i++)
		if (w->nfa.v[i].rule == NO_RULE)
			closure(w, w->nfa.v[i].a);
	start = intern(w);
	/* The workspace has two names; a glob that matches either of them matches. Sorted and without doubles by intern's caller. */
	w->list_n = 0;
	walk(w, start, workspace);
	walk(w, start, "/workspace");
	u = malloc((w->list_n + 1) * sizeof(uint32_t));
	if (!u)
		return -ENOMEM;
	memcpy(u, w->list, w->list_n * sizeof(uint32_t));
	{
		uint32_t n = w->list_n;

		w->list_n = 0;
		w->stamp++;
		for (uint32_t i = 0; i < n; i++)
			closure(w, u[i]);
	}
	free(u);
	d->root = start;
	d->workspace = intern(w);
	r = expand(w);
	if (r < 0)
		return r;
	d->accept = malloc((size_t)d->n_states * POL_OP__COUNT * sizeof(uint32_t));
	d->tree = calloc(1, d->n_states);
	if (!d->accept || !d->tree)
		return -ENOMEM;
	accepts(w);
	return 0;
}

int dfa_build(const struct rules *rules, size_t from, size_t to, const char *workspace, struct dfa *ret)
{
	struct work w = { .d = ret, .rules = rules, .table_cap = STATES_MAX * 4 };
	int r = -ENOMEM;

	for (size_t i = from; i < to && !w.nfa.full; i++)
		nfa_add(&w.nfa, &rules->v[i].paths, (uint32_t)i);
	w.sets = calloc(STATES_MAX, sizeof(*w.sets));
	w.table = calloc(w.table_cap, sizeof(uint32_t));
	w.mark = calloc(w.nfa.n + 1, sizeof(uint32_t));
	w.reach = calloc(w.nfa.n + 1, sizeof(*w.reach));
	w.list = calloc(3 * (size_t)w.nfa.n + 3, sizeof(uint32_t));
	w.forever = malloc((rules->n + 1) * sizeof(uint32_t));
	if (w.nfa.full)
		r = -E2BIG;
	else if (w.sets && w.table && w.mark && w.list && w.reach && w.forever) {
		memset(w.forever, 0xff, rules->n * sizeof(uint32_t));
		classes(&w);
		reach_all(&w);
		r = run(&w, workspace);
	}
	for (uint32_t i = 0; w.sets && i < w.n_sets; i++)
		free(w.sets[i].v);
	for (uint32_t i = 0; w.reach && i < w.nfa.n; i++)
		free(w.reach[i].v);
	free(w.reach);
	free(w.sets);
	free(w.table);
	free(w.mark);
	free(w.list);
	free(w.forever);
	free(w.nfa.v);
	return r;
}
