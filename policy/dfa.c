/* SPDX-License-Identifier: Apache-2.0 */
/* Positions (nfa.h) to one automaton, by subset construction; sets are sorted lists. */
#include "policy/dfa_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
static bool tell_apart(struct work *w, const struct set *s, bool *told)
{
	bool few = true;
	uint32_t n = 0;

	memset(told, 0, w->a->d.n_classes * sizeof(*told));
	memset(w->head, 0xff, w->a->d.n_classes * sizeof(*w->head)); /* NONE */
	w->n_others = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t v = w->places[s->at + i];
		const struct nnode *x = &w->nfa.v[v];

		if (nfa_ends(x))
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

/* The number of the list of others of the state that is told apart, equal for equal lists; NONE: nothing is to be remembered of it. */
static uint32_t twin(struct work *w)
{
	uint32_t hash = 2166136261u;
	struct twin *t;

	for (uint32_t i = 0; i < w->n_others; i++)
		hash = (hash ^ w->others[i]) * 16777619u;
	t = &w->twins[(hash ^ hash >> 15) & (TWINS - 1)];
	if (t->known && t->n == w->n_others && !memcmp(w->twin_nodes + t->at, w->others, t->n * sizeof(uint32_t)))
		return t->at;
	if (w->n_twin_nodes + w->n_others + 1 > TWIN_NODES)
		return NONE;
	*t = (struct twin){ w->n_twin_nodes, w->n_others, true };
	memcpy(w->twin_nodes + t->at, w->others, t->n * sizeof(uint32_t));
	w->n_twin_nodes += t->n + 1; /* an empty list has a place of its own, too */
	return t->at;
}

/* What is remembered of class k of a state with these others, or where to remember it; NULL: its nodes are too many. */
static struct memo *recall(struct work *w, const struct set *s, uint32_t twin, uint32_t k, bool *ret_known)
{
	struct memo key = memo_key(twin, k);

	if (twin == NONE)
		return NULL;
	for (uint32_t i = k == NONE ? NONE : w->head[k]; i != NONE; i = w->link[i])
		if (!memo_node(&key, w->places[s->at + i]))
			return NULL;
	w->looked += 2;
	return memo_find(w->memos, &key, ret_known);
}

/* Where class k leads from s, whose nodes are told apart; with NONE for k, where all classes that are not told apart do. */
static uint32_t target(struct work *w, const struct set *s, uint32_t twin, uint32_t k)
{
	bool known = false;
	struct memo *memo = recall(w, s, twin, k, &known);

	if (known)
		return memo->to;
	w->stamp++;
	w->list_n = 0;
	w->looked += 8 + w->n_others;
	for (uint32_t i = 0; i < w->n_others; i++)
		if (k == NONE || nfa_has(&w->nfa, &w->nfa.v[w->others[i]], w->first[k]))
			take(w, w->others[i]);
	for (uint32_t i = k == NONE ? NONE : w->head[k]; i != NONE; i = w->link[i])
		take(w, w->places[s->at + i]);
	k = work_intern(w);
	if (memo)
		memo->to = k;
	return k;
}

/* The class of NUL, which is in no name, is never told apart. */
static int expand_one(struct work *w, uint32_t s)
{
	const struct set set = w->sets[s];
	struct dfa_edge *e = w->edges;
	bool *told = w->told, few = tell_apart(w, &set, told);
	uint32_t n = 0, kept = 0, other = NONE, same = twin(w);
	int votes = 0;

	for (uint32_t k = 0; k < w->a->d.n_classes; k++) {
		if (k == w->a->class[0] || (few && !told[k]))
			continue;
		e[n] = (struct dfa_edge){ k, target(w, &set, same, k) };
		if (e[n++].to == NONE)
			return -E2BIG;
		if (!few && votes == 0)
			other = e[n - 1].to; /* where most lead, if most lead to one */
		votes += e[n - 1].to == other ? 1 : -1;
	}
	if (few)
		other = target(w, &set, same, NONE);
	if (other == NONE)
		return -E2BIG;
	for (uint32_t i = 0; i < n; i++)
		if (e[i].to != other)
			e[kept++] = e[i];
	if (!work_spend(w, 8))
		return -ETIME;
	return automaton_state(w->a, other, e, kept);
}

/* Begins of globs that were met before the last name, and with it. */
struct armed { uint64_t met[POL_KEPT_MAX / 64], late[POL_KEPT_MAX / 64]; };

static void arm(const struct work *w, struct armed *a, const uint32_t *v, uint32_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(a->met); i++)
		a->met[i] |= a->late[i];
	for (uint32_t i = 0; i < n; i++)
		if (w->nfa.v[v[i]].kind == N_ARM)
			a->late[w->nfa.v[v[i]].a / 64] |= 1ull << w->nfa.v[v[i]].a % 64;
}

/* The node as the set of a whole path has it, for which it is known what was met; NONE: it is not in it. */
static uint32_t settled(const struct work *w, const struct armed *a, uint32_t x)
{
	const struct nnode *v = &w->nfa.v[x];

	if (v->kind != N_ACCEPT || v->a == NONE)
		return x;
	return a->met[v->a / 64] >> v->a % 64 & 1 ? x + 1 : NONE;
}

/* Adds to the current list where the root is after the bytes of path. */
static int walk(struct work *w, const char *path)
{
	uint32_t *now = malloc((w->nfa.n + 1) * sizeof(uint32_t)), n, kept = w->list_n;
	struct armed armed = { 0 };
	const struct set *root = &w->sets[w->a->d.root];
	int r = now ? 0 : -ENOMEM;

	n = root->n;
	if (now)
		memcpy(now, w->places + root->at, n * sizeof(uint32_t));
	for (; r == 0 && *path; path++) {
		w->list_n = kept;
		w->stamp++;
		for (uint32_t i = 0; i < n; i++)
			if (!nfa_ends(&w->nfa.v[now[i]]) && nfa_has(&w->nfa, &w->nfa.v[now[i]], (uint8_t)*path))
				take(w, now[i]);
		n = w->list_n - kept;
		memcpy(now, w->list + kept, n * sizeof(uint32_t));
		if (*path == '/')
			arm(w, &armed, now, n);
		r = work_spend(w, n) ? 0 : -ETIME;
	}
	w->list_n = kept;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		uint32_t x = settled(w, &armed, now[i]);

		if (x != NONE)
			w->list[w->list_n++] = x;
	}
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
	w->a->d.workspace = work_intern(w);
	return w->a->d.workspace == NONE ? -E2BIG : 0;
}

static int match(struct work *w, uint32_t s)
{
	const struct set *set = &w->sets[s];
	uint32_t n = 0, *arms = w->stack;

	for (uint32_t i = 0; i < set->n; i++) {
		const struct nnode *x = &w->nfa.v[w->places[set->at + i]];

		if (x->kind != N_ACCEPT && x->kind != N_FOREVER)
			continue;
		arms[n] = x->kind == N_ACCEPT ? x->a : NONE;
		w->list[n++] = x->rule;
	}
	return automaton_match(w->a, w->in, s, w->list, w->in->keep ? arms : NULL, n, w->table, w->table_cap);
}

static int emit(struct work *w, uint32_t s)
{
	const struct set *set = &w->sets[s];
	uint32_t n = 0, n_arms = 0, *arms = w->stack;

	for (uint32_t i = 0; i < set->n; i++) {
		const struct nnode *x = &w->nfa.v[w->places[set->at + i]];

		if (x->kind == N_KEPT)
			w->list[n++] = x->rule;
		if (x->kind == N_ARM)
			arms[n_arms++] = x->a;
	}
	return automaton_emit(w->a, w->in, s, w->list, n, arms, n_arms, w->table, w->table_cap);
}

static int run(struct work *w)
{
	int r;

	w->stamp++;
	enter(w, 0);
	w->a->d.root = work_intern(w);
	if (!work_spend(w, 0))
		return -ETIME;
	r = w->a->d.root == NONE ? -E2BIG : workspace_state(w);
	for (uint32_t s = 0; r == 0 && s < w->n_sets; s++)
		r = expand_one(w, s);
	if (r < 0)
		return r;
	/* The table of sets is done with and serves to find lists. */
	memset(w->table, 0, w->table_cap * sizeof(uint32_t));
	for (uint32_t s = 0; r == 0 && w->in->keep && s < w->n_sets; s++)
		r = emit(w, s);
	for (uint32_t s = 0; r == 0 && s < w->n_sets; s++)
		r = match(w, s);
	if (r < 0)
		return r;
	w->a->tree = calloc(w->n_sets + 1, 1);
	if (!w->a->tree)
		return -ENOMEM;
	w->a->d.tree = w->a->tree;
	if (w->a->d.n_emit) /* what is below depends on more than the state */
		memset(w->a->tree, 0xff, w->n_sets);
	else
		file_trees(&w->a->d, w->in->rules, w->a->tree);
	return 0;
}

static int build(struct work *w)
{
	size_t n = w->nfa.n + 1, rules = w->in->rules->n;

	if (w->nfa.full)
		return work_spend(w, n) ? -E2BIG : -ETIME;
	if (!work_spend(w, n + 256 * (uint64_t)w->nfa.n_sets))
		return -ETIME;
	w->mark = calloc(n, sizeof(uint32_t));
	w->list = malloc(2 * n * sizeof(uint32_t)); /* the workspace's two names */
	w->stack = malloc(n * sizeof(uint32_t));
	w->link = malloc(n * sizeof(uint32_t));
	w->others = malloc(n * sizeof(uint32_t));
	w->forever = malloc((rules + 1) * sizeof(uint32_t));
	w->map = calloc(n / 64 + 1, sizeof(uint64_t));
	w->memos = calloc(MEMOS, sizeof(*w->memos));
	w->twins = calloc(TWINS, sizeof(*w->twins));
	w->twin_nodes = malloc(TWIN_NODES * sizeof(*w->twin_nodes));
	if (!w->mark || !w->list || !w->stack || !w->link || !w->others || !w->forever || !w->map || !w->memos || !w->twins ||
	    !w->twin_nodes)
		return -ENOMEM;
	memset(w->forever, 0xff, rules * sizeof(uint32_t)); /* NONE */
	classes(w);
	return run(w);
}

int dfa_build(const struct dfa_input *in, struct automaton *ret, uint64_t *left)
{
	struct work w = { .in = in, .a = ret, .left = left };
	int r;

	nfa_begin(&w.nfa, in->keep);
	for (size_t i = in->from; i < in->to && !w.nfa.full; i++)
		nfa_add(&w.nfa, &in->rules->v[i], (uint32_t)i, in->kinds);
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
	free(w.map);
	free(w.memos);
	free(w.twins);
	free(w.twin_nodes);
	nfa_fini(&w.nfa);
	return r;
}
