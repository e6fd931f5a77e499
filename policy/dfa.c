/* SPDX-License-Identifier: Apache-2.0 */
/* Globs -> NFA (positions) -> DFA by subset construction. A position is one place in one glob's program; sets are sorted lists. */
#include "policy/dfa.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NODES_MAX 400000

enum kind { N_SET, N_SPLIT, N_ACCEPT };
struct nnode { enum kind kind; bool sticky; uint8_t set[32]; uint32_t a, b, rule; }; /* SET: to a; SPLIT: a and b */
struct nfa { struct nnode *v; uint32_t n, cap, rule; bool full; };
struct set { uint32_t *v; uint32_t n, hash; };
struct work {
	struct nfa nfa;
	struct dfa *d;
	struct set *sets;
	uint32_t n_sets, *table, table_cap;
	uint32_t *mark, stamp, *list, list_n;
	const struct rules *rules;
};

#define NONE 0xffffffffu

static uint32_t node(struct nfa *n, enum kind kind, uint32_t a, uint32_t b)
{
	if (n->n == n->cap) {
		uint32_t cap = n->cap ? n->cap * 2 : 1024;
		struct nnode *v = cap > NODES_MAX ? NULL : realloc(n->v, cap * sizeof(*v));

		if (!v) {
			n->full = true;
			return 0;
		}
		n->v = v;
		n->cap = cap;
	}
	n->v[n->n] = (struct nnode){ .kind = kind, .a = a, .b = b, .rule = n->rule };
	return n->n++;
}

static void set_byte(uint8_t *s, unsigned c)
{
	s[c >> 3] |= (uint8_t)(1u << (c & 7));
}

static uint32_t any_node(struct nfa *n, bool slash, uint32_t to)
{
	uint32_t x = node(n, N_SET, to, NONE);

	memset(n->v[x].set, 0xff, 32);
	n->v[x].set[0] &= (uint8_t)~1u; /* NUL is in no name */
	if (!slash)
		n->v[x].set['/' >> 3] &= (uint8_t)~(1u << ('/' & 7));
	return x;
}

/* Builds backwards: the program of glob[0..len) that goes on to `to`. Pieces are found forwards, linked from the end. */
static uint32_t build(struct nfa *n, const char *g, size_t len, uint32_t to);

static size_t set_len(const char *g, size_t len)
{
	size_t i = 1 + (len > 1 && g[1] == '!');

	for (bool first = true; i < len && (first || g[i] != ']'); first = false)
		i += g[i] == '\\' && i + 1 < len ? 2 : 1;
	return i < len ? i + 1 : 0;
}

static size_t brace_len(const char *g, size_t len)
{
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (g[i] == '\\')
			i++;
		else if (g[i] == '{')
			depth++;
		else if (g[i] == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static size_t piece_len(const char *g, size_t len)
{
	switch (g[0]) {
	case '*':
		return strspn(g, "*") < len ? strspn(g, "*") : len;
	case '[':
		return set_len(g, len) ? set_len(g, len) : 1;
	case '{':
		return brace_len(g, len) ? brace_len(g, len) : 1;
	case '\\':
		return len > 1 ? 2 : 1;
	default:
		return 1;
	}
}

static uint32_t build_class(struct nfa *n, const char *g, size_t len, uint32_t to)
{
	uint32_t x = node(n, N_SET, to, NONE);
	bool no = g[1] == '!';
	uint8_t s[32] = { 0 };

	for (size_t i = 1 + no; i + 1 < len;) {
		unsigned lo, hi;

		i += g[i] == '\\' && i + 2 < len;
		lo = hi = (uint8_t)g[i++];
		if (i + 2 < len && g[i] == '-') {
			i += 1 + (g[i + 1] == '\\');
			hi = (uint8_t)g[i++];
		}
		for (unsigned c = lo; c <= hi; c++)
			set_byte(s, c);
	}
	for (unsigned c = 1; c < 256; c++)
		if (c != '/' && ((s[c >> 3] >> (c & 7) & 1) != 0) != no)
			set_byte(n->v[x].set, c);
	return x;
}

static uint32_t build_alternatives(struct nfa *n, const char *g, size_t len, uint32_t to)
{
	uint32_t head = NONE;
	size_t from = 1;
	int depth = 0;

	for (size_t i = 1; i < len; i++) {
		if (g[i] == '\\') {
			i++;
			continue;
		}
		depth += g[i] == '{';
		if ((g[i] == ',' && depth == 0) || i == len - 1) {
			uint32_t one = build(n, g + from, i - from, to);

			head = head == NONE ? one : node(n, N_SPLIT, one, head);
			from = i + 1;
		}
		depth -= g[i] == '}';
	}
	return head;
}

static uint32_t build(struct nfa *n, const char *g, size_t len, uint32_t to)
{
	uint32_t rest;
	size_t k;

	if (len == 0 || n->full)
		return to;
	k = piece_len(g, len);
	rest = build(n, g + k, len - k, to);
	if (g[0] == '*') {
		uint32_t loop = node(n, N_SPLIT, NONE, rest), any = any_node(n, k > 1, loop);

		if (n->full)
			return 0;
		n->v[loop].a = any;
		/* A trailing ** matches whatever follows: from here on the glob has matched for good. */
		n->v[any].sticky = k > 1 && rest < n->n && n->v[rest].kind == N_ACCEPT;
		return loop;
	}
	if (g[0] == '?')
		return any_node(n, false, rest);
	if (g[0] == '[' && k > 1)
		return build_class(n, g, k, rest);
	if (g[0] == '{' && k > 1)
		return build_alternatives(n, g, k, rest);
	{
		uint32_t x = node(n, N_SET, rest, NONE);

		set_byte(n->v[x].set, (uint8_t)g[k - 1]);
		return x;
	}
}

int glob_check(const char *g, char *why, size_t cap)
{
	size_t len = strlen(g);

	if (len > 4096)
		return snprintf(why, cap, "longer than 4096 bytes"), -EINVAL;
	for (size_t i = 0; i < len; i += piece_len(g + i, len - i)) {
		if (g[i] == '[' && !set_len(g + i, len - i))
			return snprintf(why, cap, "\"[\" without \"]\" (write \\[ for the character)"), -EINVAL;
		if (g[i] == '{' && !brace_len(g + i, len - i))
			return snprintf(why, cap, "\"{\" without \"}\" (write \\{ for the character)"), -EINVAL;
		if (g[i] == '\\' && i + 1 == len)
			return snprintf(why, cap, "a backslash at the end"), -EINVAL;
	}
	return 0;
}

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

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Once a rule has matched for good, later rules about no more operations can decide nothing below: dropping them keeps the sets few. */
static void prune(struct work *w)
{
	uint32_t n = 0, best = NONE, keep = NONE;

	for (uint32_t i = 0; i < w->list_n; i++) {
		const struct nnode *x = &w->nfa.v[w->list[i]];

		if (x->sticky && x->rule < best) {
			best = x->rule;
			keep = w->list[i];
		}
	}
	for (uint32_t i = 0; best != NONE && i < w->list_n; i++) {
		const struct nnode *x = &w->nfa.v[w->list[i]];
		bool useless = x->rule >= best && (w->rules->v[x->rule].ops & ~w->rules->v[best].ops) == 0;

		if (!useless || w->list[i] == keep)
			w->list[n++] = w->list[i];
	}
	if (best != NONE)
		w->list_n = n;
}

/* The state of the set in w->list; a new one when it was not met before. NONE: too many. */
static uint32_t intern(struct work *w)
{
	uint32_t hash = 2166136261u, at;

	qsort(w->list, w->list_n, sizeof(uint32_t), by_number);
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
			closure(w, x->a);
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

	for (size_t i = from; i < to; i++)
		for (size_t k = 0; k < rules->v[i].paths.n; k++) {
			uint32_t acc, head;

			w.nfa.rule = (uint32_t)i;
			acc = node(&w.nfa, N_ACCEPT, NONE, NONE);
			if (w.nfa.full)
				break;
			head = build(&w.nfa, rules->v[i].paths.v[k], strlen(rules->v[i].paths.v[k]), acc);
			head = node(&w.nfa, N_SPLIT, head, NONE);
			if (!w.nfa.full)
				w.nfa.v[head].rule = NO_RULE; /* a start */
		}
	w.sets = calloc(STATES_MAX, sizeof(*w.sets));
	w.table = calloc(w.table_cap, sizeof(uint32_t));
	w.mark = calloc(w.nfa.n + 1, sizeof(uint32_t));
	w.list = calloc(3 * (size_t)w.nfa.n + 3, sizeof(uint32_t));
	if (w.nfa.full)
		r = -E2BIG;
	else if (w.sets && w.table && w.mark && w.list) {
		classes(&w);
		r = run(&w, workspace);
	}
	for (uint32_t i = 0; w.sets && i < w.n_sets; i++)
		free(w.sets[i].v);
	free(w.sets);
	free(w.table);
	free(w.mark);
	free(w.list);
	free(w.nfa.v);
	return r;
}
