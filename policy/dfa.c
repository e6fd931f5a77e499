/* SPDX-License-Identifier: Apache-2.0 */
/* Positions (nfa.h) to one automaton, by subset construction; sets are sorted lists. */
#include "policy/dfa.h"

#include <errno.h>
#include <string.h>

#include "policy/nfa.h"

#define PLACES_MAX 2000000       /* node numbers in all states' sets */
#define NEXT_MAX (16u << 20)     /* bytes of one automaton's table */
#define REACH_MAX (512u << 10)   /* node numbers remembered; the rest is found again each time */
#define INSERTION_MAX 256        /* longer lists are sorted by qsort */

struct set { uint32_t *v; uint32_t n, hash; };
struct work {
	struct nfa nfa;
	struct dfa *d;
	struct set *sets;
	uint32_t n_sets, *table, table_cap;
	uint32_t *mark, stamp, *list, list_n;
	struct set *reach; /* per node: what entering it leads to without a byte; no v: not remembered */
	uint32_t *forever; /* per rule: the node that stands for all of its globs that have matched for good */
	uint32_t *deep, n_deep; /* rules with globs that wait for a directory */
	size_t places, next_cap;
	uint64_t looked, *left; /* places looked at and not yet taken from what is left */
	const struct rules *rules;
};

/* Takes what was looked at, and n more; false when nothing is left. */
static bool spend(struct work *w, uint64_t n)
{
	n += w->looked;
	w->looked = 0;
	*w->left -= *w->left < n ? *w->left : n;
	return *w->left > 0;
}

static void closure(struct work *w, uint32_t x)
{
	uint32_t stack[512], n = 0;

	stack[n++] = x;
	while (n) {
		x = stack[--n];
		w->looked++;
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

LEAKS_UNSEEN_BEGIN /* dfa_build frees what is remembered */
/* The same few nodes are entered from every state: what they lead to without a byte is found once, up to a bound. */
static int reach_all(struct work *w)
{
	size_t room = REACH_MAX;

	for (uint32_t i = 0; i < w->nfa.n; i++) {
		uint32_t to = w->nfa.v[i].a;
		struct set *r = w->nfa.v[i].kind == N_SET && to != NONE ? &w->reach[to] : NULL;

		if (!r || r->v || w->nfa.v[to].kind != N_SPLIT)
			continue;
		w->stamp++;
		w->list_n = 0;
		closure(w, to);
		if (!spend(w, 0))
			return -ETIME;
		if (w->list_n > room)
			continue;
		r->v = malloc((w->list_n + 1) * sizeof(uint32_t));
		if (!r->v)
			return -ENOMEM;
		memcpy(r->v, w->list, w->list_n * sizeof(uint32_t));
		r->n = w->list_n;
		room -= r->n;
	}
	return 0;
}
LEAKS_UNSEEN_END

static void enter(struct work *w, uint32_t x)
{
	const struct set *r = &w->reach[x];

	if (!r->v) {
		closure(w, x);
		return;
	}
	w->looked += r->n;
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

/* Nearly in order already: each glob's nodes come together. Sorting costs more than looking. */
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

/* Whether a rule before `end` whose globs may begin anywhere could decide something still. */
static bool waits_for(struct work *w, uint32_t *at, uint32_t end, uint32_t covered)
{
	for (; *at < w->n_deep && w->deep[*at] < end; ++*at, w->looked++)
		if (w->rules->v[w->deep[*at]].ops & ~covered)
			return true;
	return false;
}

/*
 * First match decides, so what can decide nothing below is dropped, which keeps the sets few: of a rule that has matched for good,
 * all but one node (the same one whichever glob it was); of a later rule, all nodes once such rules cover its operations; and waiting for
 * a directory, once they cover all that wait. Nodes are numbered in the order of their rules.
 */
static void prune(struct work *w)
{
	uint32_t n = 0, covered = 0, first = 0, deep = 0;
	bool waits = false;

	while (first < w->list_n && w->list[first] < NFA_WAITS)
		first++;
	n = first;
	for (uint32_t i = first, end; i < w->list_n; i = end) {
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
		waits = waits || (first && waits_for(w, &deep, rule, covered));
		covered |= ops;
		if (w->forever[rule] == NONE)
			w->forever[rule] = sticky;
		w->list[n++] = w->forever[rule];
	}
	w->list_n = n;
	if (first && !waits && !waits_for(w, &deep, NO_RULE, covered)) {
		w->list_n -= first;
		memmove(w->list, w->list + first, w->list_n * sizeof(uint32_t));
	}
}

/* The state of the set in w->list; a new one when it was not met before. NONE: too many. */
static uint32_t intern(struct work *w)
{
	uint32_t hash = 2166136261u, at;

	sort(w, w->list, w->list_n);
	prune(w);
	for (uint32_t i = 0; i < w->list_n; i++)
		hash = (hash ^ w->list[i]) * 16777619u;
	for (at = hash % w->table_cap; w->table[at]; at = (at + 1) % w->table_cap) {
		struct set *s = &w->sets[w->table[at] - 1];

		if (s->hash == hash && s->n == w->list_n && !memcmp(s->v, w->list, s->n * sizeof(uint32_t)))
			return w->table[at] - 1;
	}
	if (w->n_sets == STATES_MAX || w->places + w->list_n > PLACES_MAX)
		return NONE;
	w->places += w->list_n;
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
	w->looked += from->n;
	for (uint32_t i = 0; i < from->n; i++) {
		const struct nnode *x = &w->nfa.v[from->v[i]];

		if (x->kind == N_SET && nfa_has(&w->nfa, x, c))
			enter(w, x->a);
	}
}

/* Bytes that no glob tells apart share a class. */
static void classes(struct work *w)
{
	uint64_t sig[256] = { 0 };
	bool alone[256] = { false };

	for (uint32_t i = 0; i < w->nfa.n; i++)
		if (w->nfa.v[i].kind == N_SET && w->nfa.v[i].set < NSET_BYTES)
			alone[w->nfa.v[i].set] = true;
	for (unsigned c = 0; c < 256; c++)
		sig[c] = alone[c] ? c + 1 : 0;
	for (uint32_t i = 0; i < w->nfa.n_sets; i++)
		for (unsigned c = 0; c < 256; c++)
			if (w->nfa.sets[i][c >> 3] >> (c & 7) & 1)
				sig[c] += (i + 1) * 0x9e3779b97f4a7c15ull ^ ((uint64_t)(i + 7) << 32) * 0xbf58476d1ce4e5b9ull;
	w->d->n_classes = 0;
	for (unsigned c = 0; c < 256; c++) {
		unsigned k = 0;

		while (k < c && sig[k] != sig[c])
			k++;
		w->d->class[c] = k < c ? w->d->class[k] : (uint8_t)w->d->n_classes++;
	}
}

/* Room for the rows of the states that there are, in steps that double. */
static int next_room(struct work *w, uint32_t states)
{
	struct dfa *d = w->d;
	size_t want = (size_t)states * d->n_classes * sizeof(uint32_t), cap = w->next_cap ? w->next_cap : 4096;
	uint32_t *v;

	if (want <= w->next_cap)
		return 0;
	while (cap < want)
		cap *= 2;
	if (want > NEXT_MAX)
		return -E2BIG;
	v = realloc(d->next, cap);
	if (!v)
		return -ENOMEM;
	d->next = v;
	w->next_cap = cap;
	return 0;
}

static int expand(struct work *w)
{
	struct dfa *d = w->d;
	uint8_t first[256];

	for (int c = 255; c >= 0; c--)
		first[d->class[c]] = (uint8_t)c;
	for (uint32_t s = 0; s < w->n_sets; s++) {
		int r = next_room(w, s + 1);

		if (r < 0)
			return r;
		for (uint32_t k = 0; k < d->n_classes; k++) {
			uint32_t to;

			w->stamp++;
			w->list_n = 0;
			step(w, &w->sets[s], first[k]);
			to = intern(w);
			if (!spend(w, 8))
				return -ETIME;
			if (to == NONE)
				return -E2BIG;
			d->next[(size_t)s * d->n_classes + k] = to;
		}
	}
	d->n_states = w->n_sets;
	return 0;
}

/* Where a start set is after the bytes of path; adds to the current list. */
static int walk(struct work *w, uint32_t start, const char *path)
{
	struct set now = { .v = malloc((w->nfa.n + 1) * sizeof(uint32_t)) };
	uint32_t kept = w->list_n;
	int r = now.v ? 0 : -ENOMEM;

	if (now.v) {
		memcpy(now.v, w->sets[start].v, w->sets[start].n * sizeof(uint32_t));
		now.n = w->sets[start].n;
	}
	for (; r == 0 && *path; path++) {
		w->list_n = kept;
		w->stamp++;
		step(w, &now, (uint8_t)*path);
		now.n = w->list_n - kept;
		memcpy(now.v, w->list + kept, now.n * sizeof(uint32_t));
		r = spend(w, now.n) ? 0 : -ETIME;
	}
	w->list_n = kept;
	for (uint32_t i = 0; r == 0 && i < now.n; i++)
		w->list[w->list_n++] = now.v[i];
	free(now.v);
	return r;
}

/* The row of rules of a state's set. */
static void row_of(struct work *w, const struct set *set, uint32_t row[POL_OP__COUNT])
{
	memset(row, 0xff, POL_OP__COUNT * sizeof(uint32_t)); /* NO_RULE */
	for (uint32_t i = 0; i < set->n; i++) {
		const struct nnode *x = &w->nfa.v[set->v[i]];

		for (int op = 0; (x->kind == N_ACCEPT || x->sticky) && op < POL_OP__COUNT; op++)
			if (x->rule < row[op] && (w->rules->v[x->rule].ops >> op & 1))
				row[op] = x->rule;
	}
}

/* States that decide alike share a row; the table of sets is done with and serves to find them. */
static int accepts(struct work *w)
{
	struct dfa *d = w->d;
	uint32_t cap = 0, row[POL_OP__COUNT];

	memset(w->table, 0, w->table_cap * sizeof(uint32_t));
	d->accept = malloc((size_t)d->n_states * sizeof(uint32_t));
	d->tree = calloc(1, d->n_states);
	for (uint32_t s = 0; d->accept && s < d->n_states; s++) {
		uint32_t at = 2166136261u;

		row_of(w, &w->sets[s], row);
		for (int op = 0; op < POL_OP__COUNT; op++)
			at = (at ^ row[op]) * 16777619u;
		for (at %= w->table_cap; w->table[at]; at = (at + 1) % w->table_cap)
			if (!memcmp(d->rows + (size_t)(w->table[at] - 1) * POL_OP__COUNT, row, sizeof(row)))
				break;
		if (!w->table[at]) {
			if (d->n_rows == cap) {
				uint32_t *v = realloc(d->rows, (cap = cap ? cap * 2 : 64) * sizeof(row));

				if (!v)
					return -ENOMEM;
				d->rows = v;
			}
			memcpy(d->rows + (size_t)d->n_rows * POL_OP__COUNT, row, sizeof(row));
			w->table[at] = ++d->n_rows;
		}
		d->accept[s] = w->table[at] - 1;
	}
	return d->accept && d->tree ? 0 : -ENOMEM;
}

/* The workspace has two names; a glob that matches either of them matches. */
static int workspace_state(struct work *w, uint32_t start, const char *workspace)
{
	uint32_t n, *both;
	int r;

	w->list_n = 0;
	r = walk(w, start, workspace);
	if (r == 0)
		r = walk(w, start, "/workspace");
	if (r < 0)
		return r;
	n = w->list_n;
	both = malloc((n + 1) * sizeof(uint32_t));
	if (!both)
		return -ENOMEM;
	memcpy(both, w->list, n * sizeof(uint32_t));
	w->list_n = 0;
	w->stamp++;
	for (uint32_t i = 0; i < n; i++) /* without doubles */
		closure(w, both[i]);
	free(both);
	w->d->workspace = intern(w);
	return w->d->workspace == NONE ? -E2BIG : 0;
}

static int run(struct work *w, const char *workspace)
{
	struct dfa *d = w->d;
	int r;

	w->stamp++;
	w->list_n = 0;
	for (uint32_t i = 0; i < w->nfa.n; i++)
		if (w->nfa.v[i].rule == NO_RULE)
			closure(w, w->nfa.v[i].a);
	d->root = intern(w);
	if (!spend(w, 0))
		return -ETIME;
	r = d->root == NONE ? -E2BIG : workspace_state(w, d->root, workspace);
	if (r == 0)
		r = expand(w);
	return r < 0 ? r : accepts(w);
}

int dfa_build(const struct rules *rules, size_t from, size_t to, const char *workspace, struct dfa *ret, uint64_t *left)
{
	struct work w = { .d = ret, .rules = rules, .table_cap = STATES_MAX * 2, .left = left };
	int r = -ENOMEM;

	w.deep = malloc((to - from + 1) * sizeof(uint32_t));
	nfa_begin(&w.nfa);
	for (size_t i = from; w.deep && i < to && !w.nfa.full; i++)
		if (nfa_add(&w.nfa, &rules->v[i].paths, (uint32_t)i))
			w.deep[w.n_deep++] = (uint32_t)i;
	w.sets = calloc(STATES_MAX, sizeof(*w.sets));
	w.table = calloc(w.table_cap, sizeof(uint32_t));
	w.mark = calloc(w.nfa.n + 1, sizeof(uint32_t));
	w.reach = calloc(w.nfa.n + 1, sizeof(*w.reach));
	w.list = calloc(3 * (size_t)w.nfa.n + 3, sizeof(uint32_t));
	w.forever = malloc((rules->n + 1) * sizeof(uint32_t));
	if (w.nfa.full)
		r = spend(&w, w.nfa.n) ? -E2BIG : -ETIME;
	else if (!spend(&w, w.nfa.n + 256 * (uint64_t)w.nfa.n_sets))
		r = -ETIME;
	else if (w.sets && w.table && w.mark && w.list && w.reach && w.forever && w.deep) {
		memset(w.forever, 0xff, rules->n * sizeof(uint32_t));
		classes(&w);
		r = reach_all(&w);
		if (r == 0)
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
	free(w.deep);
	nfa_fini(&w.nfa);
	return r;
}
