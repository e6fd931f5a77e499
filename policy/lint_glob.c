/* SPDX-License-Identifier: Apache-2.0 */
/* Globs to positions, and a walk over all texts that one of them matches, by sets of positions. */
#include "policy/lint_glob.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/model.h"

#define NODES 2000000u
#define SETS_WALKED 30000u       /* of one walk */
#define PLACES_WALKED 4000000u   /* in all of them */
#define NO 0xffffffffu
#define BYTES 256u               /* sets before this one are one byte each */

enum { G_SET, G_SPLIT, G_ACCEPT };

static void *grown(void *v, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more = *cap ? *cap * 2 : 64;
	void *w;

	if (n < *cap)
		return v;
	w = realloc(v, more * size);
	if (w)
		*cap = more;
	return w;
}

static uint32_t node(struct globs *g, uint8_t kind, uint32_t set, uint32_t a, uint32_t b)
{
	struct gnode *v = g->n < NODES ? grown(g->v, g->n, &g->cap, sizeof(*v)) : NULL;

	if (!v)
		return NO;
	g->v = v;
	v[g->n] = (struct gnode){ kind, set, a, b };
	return g->n++;
}

static uint32_t set_node(struct globs *g, const uint8_t set[32], uint32_t to)
{
	uint32_t k = 0;

	while (k < g->n_sets && memcmp(g->sets[k], set, 32) != 0)
		k++;
	if (k == g->n_sets) {
		uint8_t (*v)[32] = grown(g->sets, g->n_sets, &g->cap_sets, sizeof(*v));

		if (!v)
			return NO;
		g->sets = v;
		memcpy(v[g->n_sets++], set, 32);
	}
	return node(g, G_SET, BYTES + k, to, NO);
}

static uint32_t any_node(struct globs *g, bool cross, uint32_t to)
{
	uint8_t set[32];

	memset(set, 0xff, sizeof(set));
	set[0] &= 0xfe;
	if (!cross && g->sep)
		set[(uint8_t)g->sep >> 3] &= (uint8_t)~(1u << (g->sep & 7));
	return set_node(g, set, to);
}

static size_t set_len(const char *s, size_t n)
{
	size_t i = 1 + (n > 1 && s[1] == '!');

	for (bool first = true; i < n && (first || s[i] != ']'); first = false)
		i += s[i] == '\\' && i + 1 < n ? 2 : 1;
	return i < n ? i + 1 : 0;
}

static size_t piece_len(const char *s, size_t n)
{
	size_t k = 0;

	if (s[0] == '*')
		while (k < n && s[k] == '*')
			k++;
	else if (s[0] == '[')
		k = set_len(s, n);
	else if (s[0] == '{')
		k = wild_group_end(s, 0, n);
	else if (s[0] == '\\')
		k = n > 1 ? 2 : 1;
	return k ? k : 1;
}

static bool in_set(const char *s, size_t n, unsigned char c)
{
	bool in = false;

	for (size_t i = 1 + (s[1] == '!'); i + 1 < n;) {
		unsigned char lo, hi;

		i += s[i] == '\\' && i + 2 < n;
		lo = hi = (unsigned char)s[i++];
		if (i + 2 < n && s[i] == '-') {
			i += 1 + (s[i + 1] == '\\' && i + 3 < n);
			hi = (unsigned char)s[i++];
		}
		in |= c >= lo && c <= hi;
	}
	return in;
}

static uint32_t build_set(struct globs *g, const char *s, size_t n, uint32_t to)
{
	uint8_t set[32] = { 0 };

	for (unsigned c = 1; c < 256; c++) {
		bool in = in_set(s, n, (unsigned char)c) || (g->fold && in_set(s, n, (unsigned char)toupper((int)c)));

		if (in != (s[1] == '!') && (!g->sep || c != (unsigned char)g->sep))
			set[c >> 3] |= (uint8_t)(1u << (c & 7));
	}
	return set_node(g, set, to);
}

static uint32_t build(struct globs *g, const char *s, size_t n, uint32_t to);

static uint32_t build_group(struct globs *g, const char *s, size_t n, uint32_t to)
{
	uint32_t head = NO;
	size_t from = 1;
	int depth = 0;

	for (size_t i = 1; i < n; i++) {
		if (s[i] == '\\') {
			i++;
			continue;
		}
		depth += s[i] == '{';
		if ((s[i] == ',' && depth == 0) || i == n - 1) {
			uint32_t one = build(g, s + from, i - from, to);

			head = head == NO || one == NO ? one : node(g, G_SPLIT, 0, one, head);
			if (head == NO)
				return NO;
			from = i + 1;
		}
		depth -= s[i] == '}';
	}
	return head;
}

/* The place where s[0..n) begins that goes on to `to`; NO: no room. */
static uint32_t build(struct globs *g, const char *s, size_t n, uint32_t to)
{
	size_t k;
	uint32_t rest, loop, any;
	char c;

	if (n == 0)
		return to;
	k = piece_len(s, n);
	rest = build(g, s + k, n - k, to);
	if (rest == NO)
		return NO;
	if (s[0] == '*') {
		loop = node(g, G_SPLIT, 0, NO, rest);
		any = loop == NO ? NO : any_node(g, k > 1, loop);
		if (any == NO)
			return NO;
		g->v[loop].a = any;
		return loop;
	}
	if (s[0] == '?')
		return any_node(g, false, rest);
	if (s[0] == '[' && k > 1)
		return build_set(g, s, k, rest);
	if (s[0] == '{' && k > 1)
		return build_group(g, s, k, rest);
	c = s[k - 1];
	return node(g, G_SET, (uint8_t)(g->fold ? tolower((unsigned char)c) : c), rest, NO);
}

int globs_add(struct globs *g, const char *glob)
{
	struct gone *v = grown(g->globs, g->n_globs, &g->cap_globs, sizeof(*v));
	uint32_t from = g->n, at;
	size_t n = strlen(glob);

	if (!v)
		return -ENOMEM;
	g->globs = v;
	at = n > 4096 ? NO : node(g, G_ACCEPT, g->n_globs, NO, NO);
	if (at != NO)
		at = build(g, glob, n, at);
	if (at == NO)
		return -E2BIG;
	v[g->n_globs] = (struct gone){ at, from, g->n };
	return (int)g->n_globs++;
}

void globs_fini(struct globs *g)
{
	free(g->v);
	free(g->sets);
	free(g->globs);
	*g = (struct globs){ 0 };
}

/* Places of one set: rising numbers. slash: the text so far ends in one, and begin: it is empty or only that one. */
struct places { uint32_t *v; uint32_t n, hash; bool slash, begin; };
struct walk {
	const struct globs *g;
	uint32_t must;
	struct places *sets;
	uint32_t n_sets, n_places, table_cap, *table;
	uint32_t *mark, stamp, *list, list_n, *hit;
	uint8_t one[256];               /* a byte of each class */
	unsigned n_classes;
	uint64_t *left;
};

static void enter(struct walk *w, uint32_t x)
{
	while (w->mark[x] != w->stamp) {
		w->mark[x] = w->stamp;
		if (w->g->v[x].kind != G_SPLIT) {
			w->list[w->list_n++] = x;
			return;
		}
		enter(w, w->g->v[x].a);
		x = w->g->v[x].b;
	}
}

static bool has(const struct globs *g, const struct gnode *x, unsigned c)
{
	return x->set < BYTES ? x->set == c : g->sets[x->set - BYTES][c >> 3] >> (c & 7) & 1;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

LEAKS_UNSEEN_BEGIN /* the sets belong to the walk: globs_walk */
/* The places listed become a set, or are found to be one that is known: its number, or NO. */
static uint32_t intern(struct walk *w, bool slash, bool begin)
{
	struct places *p;
	uint32_t hash = 2166136261u + slash + 2 * begin, at;

	qsort(w->list, w->list_n, sizeof(uint32_t), by_number);
	for (uint32_t i = 0; i < w->list_n; i++)
		hash = (hash ^ w->list[i]) * 16777619u;
	for (at = hash & (w->table_cap - 1); w->table[at]; at = (at + 1) & (w->table_cap - 1)) {
		p = &w->sets[w->table[at] - 1];
		if (p->hash == hash && p->n == w->list_n && p->slash == slash && p->begin == begin &&
		    !memcmp(p->v, w->list, w->list_n * sizeof(uint32_t)))
			return w->table[at] - 1;
	}
	if (w->n_sets == SETS_WALKED || w->n_places + w->list_n > PLACES_WALKED)
		return NO;
	p = &w->sets[w->n_sets];
	*p = (struct places){ malloc((w->list_n + 1) * sizeof(uint32_t)), w->list_n, hash, slash, begin };
	if (!p->v)
		return NO;
	memcpy(p->v, w->list, w->list_n * sizeof(uint32_t));
	w->n_places += w->list_n;
	w->table[at] = ++w->n_sets;
	return w->n_sets - 1;
}
LEAKS_UNSEEN_END

/* Bytes that no place tells apart are one class. sign: which of the sets hold the byte, as a hash. */
static void classes(struct walk *w, const uint64_t sign[256])
{
	uint64_t of[256];

	w->n_classes = 0;
	for (unsigned c = 1; c < 256; c++) {
		unsigned k = 0;

		if (w->g->fold && isupper((int)c))
			continue;
		while (k < w->n_classes && of[k] != sign[c])
			k++;
		if (k < w->n_classes)
			continue;
		of[k] = sign[c];
		w->one[k] = (uint8_t)c;
		w->n_classes++;
	}
}

static int look_at_bytes(struct walk *w, const uint32_t *v, size_t n)
{
	const struct globs *g = w->g;
	uint64_t sign[256] = { 0 };
	bool *used = calloc(g->n_sets + 1, 1);

	if (!used)
		return -ENOMEM;
	if (g->paths)
		sign['/'] = '/';
	for (size_t i = 0; i <= n; i++) {
		const struct gone *o = &g->globs[i < n ? v[i] : w->must];

		for (uint32_t x = o->from; x < o->to; x++)
			if (g->v[x].kind == G_SET && g->v[x].set < BYTES)
				sign[g->v[x].set] = g->v[x].set;
			else if (g->v[x].kind == G_SET)
				used[g->v[x].set - BYTES] = true;
	}
	for (uint32_t k = 0; k < g->n_sets; k++)
		for (unsigned c = 1; used[k] && c < 256; c++)
			sign[c] = (sign[c] ^ (uint64_t)(g->sets[k][c >> 3] >> (c & 7) & 1) << 60 ^ (uint64_t)k << 32) * 1099511628211ull;
	free(used);
	classes(w, sign);
	return 0;
}

/* From set s over byte c: the number of the set, or NO with *dead set when must cannot match any more. */
static uint32_t step(struct walk *w, uint32_t s, uint8_t c, bool *dead)
{
	const struct gone *must = &w->g->globs[w->must];
	bool slash = w->g->paths && c == '/', alive = false, begin = w->sets[s].begin && slash;
	uint32_t n = w->sets[s].n;

	*dead = slash && w->sets[s].slash;
	if (w->g->paths && w->sets[s].begin && !w->sets[s].slash && !slash)
		*dead = true; /* a path begins with one */
	if (*dead)
		return NO;
	w->stamp++;
	w->list_n = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct gnode *x = &w->g->v[w->sets[s].v[i]];

		if (x->kind == G_SET && has(w->g, x, c))
			enter(w, x->a);
	}
	for (uint32_t i = 0; i < w->list_n; i++)
		alive |= w->list[i] >= must->from && w->list[i] < must->to;
	*dead = !alive;
	return alive ? intern(w, slash, begin) : NO;
}

/* What the texts that end in set s match, when must is among it. False: fn wants no more. */
static bool report(struct walk *w, uint32_t s, globs_fn fn, void *arg)
{
	const struct places *p = &w->sets[s];
	bool must = false;
	size_t n = 0;

	if (w->g->paths && p->slash)
		return true; /* no path ends in one: the root's text is empty */
	for (uint32_t i = 0; i < p->n; i++) {
		const struct gnode *x = &w->g->v[p->v[i]];

		if (x->kind == G_ACCEPT && x->set == w->must)
			must = true;
		else if (x->kind == G_ACCEPT)
			w->hit[n++] = x->set;
	}
	return !must || fn(arg, w->hit, n);
}

static int explore(struct walk *w, const char *below, globs_fn fn, void *arg)
{
	bool dead = false;
	uint32_t s = intern(w, false, true), first;

	for (; s != NO && below && *below; below++)
		s = step(w, s, (uint8_t)*below, &dead);
	if (s == NO)
		return dead ? 0 : -ETIME;
	/* Sets made on the way are of no text below, unless they are met again. */
	memset(w->table, 0, w->table_cap * sizeof(uint32_t));
	w->list_n = w->sets[s].n;
	memcpy(w->list, w->sets[s].v, w->list_n * sizeof(uint32_t));
	first = intern(w, w->sets[s].slash, w->sets[s].begin);
	if (first == NO)
		return -ETIME;
	for (uint32_t at = first; at < w->n_sets; at++) {
		if (!report(w, at, fn, arg))
			return 0;
		for (unsigned k = 0; k < w->n_classes; k++) {
			uint64_t cost = w->sets[at].n + 1;

			if (*w->left < cost)
				return -ETIME;
			*w->left -= cost;
			if (step(w, at, w->one[k], &dead) == NO && !dead)
				return -ETIME;
		}
	}
	return 0;
}

int globs_walk(const struct globs *g, uint32_t must, const uint32_t *others, size_t n, const char *below, globs_fn fn, void *arg,
	       uint64_t *left)
{
	struct walk w = { .g = g, .must = must, .left = left, .table_cap = SETS_WALKED * 2 };
	int r = -ENOMEM;

	while (w.table_cap & (w.table_cap - 1))
		w.table_cap += w.table_cap & -w.table_cap;
	w.sets = malloc(SETS_WALKED * sizeof(*w.sets));
	w.table = calloc(w.table_cap, sizeof(uint32_t));
	w.mark = calloc((size_t)g->n + 1, sizeof(uint32_t));
	w.list = malloc(((size_t)g->n + 1) * sizeof(uint32_t));
	w.hit = malloc((n + 1) * sizeof(uint32_t));
	if (w.sets && w.table && w.mark && w.list && w.hit) {
		r = look_at_bytes(&w, others, n);
		w.stamp = 1;
		enter(&w, g->globs[must].start);
		for (size_t i = 0; i < n; i++)
			enter(&w, g->globs[others[i]].start);
		if (r == 0)
			r = explore(&w, below, fn, arg);
	}
	for (uint32_t i = 0; i < w.n_sets; i++)
		free(w.sets[i].v);
	free(w.sets);
	free(w.table);
	free(w.mark);
	free(w.list);
	free(w.hit);
	return r;
}
