/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over all texts that a glob matches, by sets of the places where it and others can be behind one. */
#include "policy/lint_glob.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define SETS_WALKED 30000u       /* of one walk */
#define PLACES_WALKED 4000000u   /* in all of them */
#define FEW 200u                 /* places that are sorted by moving them */
#define NO 0xffffffffu

/* Places of one set: rising numbers. slash: the text so far ends in one, and begin: it is empty or only that one. */
struct places { uint32_t *v; uint32_t n, hash, at; bool slash, begin; };
struct walk {
	struct globs *g;
	uint32_t must;
	struct places *sets;
	uint32_t n_sets, n_places, table_cap, *table;
	uint32_t *mark, stamp, *list, list_n, *hit, cap_nodes, cap_globs;
	uint8_t one[256];               /* a byte of each class */
	unsigned n_classes;
	uint64_t *left, moves;          /* moves: places entered and sorted since they were last counted */
};

static void enter(struct walk *w, uint32_t x)
{
	while (w->mark[x] != w->stamp) {
		w->mark[x] = w->stamp;
		w->moves++;
		if (w->g->v[x].kind != G_SPLIT) {
			w->list[w->list_n++] = x;
			return;
		}
		enter(w, w->g->v[x].a);
		x = w->g->v[x].b;
	}
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Rising. Few are nearly so already. */
static void sort(struct walk *w)
{
	uint32_t *v = w->list, n = w->list_n;

	w->moves += n;
	if (n > FEW) {
		qsort(v, n, sizeof(*v), by_number);
		return;
	}
	for (uint32_t i = 1; i < n; i++) {
		uint32_t x = v[i], k = i;

		for (; k && v[k - 1] > x; k--)
			v[k] = v[k - 1];
		v[k] = x;
		w->moves += i - k;
	}
}

/* Leaves out the places of globs that need not be looked at any more: see ranks. Without this, globs that each match for good once they
 * did make a set of each choice of them. */
static void leave_out(struct walk *w)
{
	const struct gnode *v = w->g->v;
	const struct grank *ranks = w->g->ranks;
	uint32_t kept = 0, held = 0, end;

	for (uint32_t i = 0; i < w->list_n; i = end) {
		struct grank k = ranks[v[w->list[i]].of];
		uint32_t ever = NO;

		for (end = i; end < w->list_n && ranks[v[w->list[end]].of].rank == k.rank; end++)
			if (ever == NO && v[w->list[end]].ever)
				ever = v[w->list[end]].of;
		for (uint32_t x = i; x < end; x++) {
			const struct gnode *p = &v[w->list[x]];

			if (p->of == w->must || (k.mask & w->g->care & ~held &&
						 (ever == NO || (p->of == ever && (p->ever || p->kind == G_ACCEPT)))))
				w->list[kept++] = w->list[x];
		}
		if (ever != NO && ever != w->must)
			held |= k.mask;
	}
	w->list_n = kept;
}

LEAKS_UNSEEN_BEGIN /* the sets belong to the walk: globs_walk */
/* The places listed become a set, or are found to be one that is known: its number, or NO. */
static uint32_t intern(struct walk *w, bool slash, bool begin)
{
	struct places *p;
	uint32_t hash = 2166136261u + slash + 2 * begin, at;

	sort(w);
	if (w->g->ranks)
		leave_out(w);
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
	*p = (struct places){ malloc((w->list_n + 1) * sizeof(uint32_t)), w->list_n, hash, at, slash, begin };
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

		if (!globs_spend(w->g, (o->to - o->from) / 4))
			break;
		for (uint32_t x = o->from; x < o->to; x++)
			if (g->v[x].kind == G_SET && g->v[x].set < G_BYTES)
				sign[g->v[x].set] = g->v[x].set;
			else if (g->v[x].kind == G_SET)
				used[g->v[x].set - G_BYTES] = true;
	}
	globs_spend(w->g, 64ULL * g->n_sets);
	for (uint32_t k = 0; k < g->n_sets; k++)
		for (unsigned c = 1; used[k] && c < 256; c++)
			sign[c] = (sign[c] ^ (uint64_t)(g->sets[k][c >> 3] >> (c & 7) & 1) << 60 ^ (uint64_t)k << 32) * 1099511628211ull;
	free(used);
	classes(w, sign);
	return globs_spend(w->g, 256) ? 0 : -ETIME;
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

		if (x->kind == G_SET && globs_has(w->g, x, c))
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
	for (uint32_t i = 0; i < w->n_sets; i++)
		w->table[w->sets[i].at] = 0;
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

			if (*w->left < cost || !globs_spend(w->g, (cost + w->moves) / 4))
				return -ETIME;
			*w->left -= cost;
			w->moves = 0;
			if (step(w, at, w->one[k], &dead) == NO && !dead)
				return -ETIME;
		}
	}
	return 0;
}

static void room_clear(struct walk *w)
{
	for (uint32_t i = 0; i < w->n_sets; i++) {
		w->table[w->sets[i].at] = 0;
		free(w->sets[i].v);
	}
	w->n_sets = w->n_places = w->list_n = 0;
}

static void room_free(struct walk *w)
{
	if (w->sets && w->table)
		room_clear(w);
	free(w->sets);
	free(w->table);
	free(w->mark);
	free(w->list);
	free(w->hit);
	free(w);
}

void globs_room_free(struct globs *g)
{
	if (g->room)
		room_free(g->room);
	g->room = NULL;
}

/* What is not touched costs nothing. */
static struct walk *room_make(const struct globs *g)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->table_cap = 1;
	while (w->table_cap < SETS_WALKED * 2)
		w->table_cap *= 2;
	w->sets = malloc(SETS_WALKED * sizeof(*w->sets));
	w->table = calloc(w->table_cap, sizeof(uint32_t));
	w->cap_nodes = g->n < 1024 ? 1024 : 2 * g->n;
	w->cap_globs = g->n_globs;
	w->mark = calloc((size_t)w->cap_nodes + 1, sizeof(uint32_t));
	w->list = malloc(((size_t)w->cap_nodes + 1) * sizeof(uint32_t));
	w->hit = malloc(((size_t)g->n_globs + 1) * sizeof(uint32_t));
	if (w->sets && w->table && w->mark && w->list && w->hit)
		return w;
	room_free(w);
	return NULL;
}

int globs_walk(struct globs *g, uint32_t must, const uint32_t *others, size_t n, const char *below, globs_fn fn, void *arg,
	       uint64_t *left)
{
	struct walk *w;
	int r;

	if (globs_build(g, must, others, n) < 0)
		return -ETIME;
	if (g->room && (g->room->cap_nodes < g->n || g->room->cap_globs < g->n_globs))
		globs_room_free(g);
	w = g->room ? g->room : room_make(g);
	if (!w)
		return -ENOMEM;
	g->room = w;
	w->g = g;
	w->must = must;
	w->left = left;
	r = look_at_bytes(w, others, n);
	if (r < 0)
		return r;
	w->stamp++;
	enter(w, g->globs[must].start);
	for (size_t i = 0; i < n; i++)
		enter(w, g->globs[others[i]].start);
	r = explore(w, below, fn, arg);
	room_clear(w);
	return r;
}
