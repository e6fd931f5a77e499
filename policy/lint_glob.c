/* SPDX-License-Identifier: Apache-2.0 */
/* Globs to places in them, and to texts that they match. */
#include "policy/lint_glob.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

#define NODES 2000000u
#define NO 0xffffffffu
#define TEXT_STEPS 8192
#define ODD 1                    /* a byte that nobody writes */

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

bool globs_spend(struct globs *g, uint64_t n)
{
	if (g->work)
		*g->work -= n < *g->work ? n : *g->work;
	return !g->work || *g->work;
}

static uint32_t node(struct globs *g, uint8_t kind, uint32_t set, uint32_t a, uint32_t b)
{
	struct gnode *v = g->n < NODES ? grown(g->v, g->n, &g->cap, sizeof(*v)) : NULL;

	if (!v)
		return NO;
	g->v = v;
	v[g->n] = (struct gnode){ kind, false, set, a, b, g->building };
	return g->n++;
}

static uint32_t set_node(struct globs *g, const uint8_t set[32], uint32_t to)
{
	uint32_t k = 0;

	while (k < g->n_sets && memcmp(g->sets[k], set, 32) != 0)
		k++;
	globs_spend(g, k / 4);
	if (k == g->n_sets) {
		uint8_t (*v)[32] = grown(g->sets, g->n_sets, &g->cap_sets, sizeof(*v));

		if (!v)
			return NO;
		g->sets = v;
		memcpy(v[g->n_sets++], set, 32);
	}
	return node(g, G_SET, G_BYTES + k, to, NO);
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

	globs_spend(g, 32 * n);
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
	if (!globs_spend(g, s[0] == '{' || s[0] == '[' ? k > 1 ? k : n : 1))
		return NO;
	rest = build(g, s + k, n - k, to);
	if (rest == NO)
		return NO;
	if (s[0] == '*') {
		loop = node(g, G_SPLIT, 0, NO, rest);
		any = loop == NO ? NO : any_node(g, k > 1, loop);
		if (any == NO)
			return NO;
		g->v[loop].a = any;
		g->v[any].ever = (k > 1 || !g->sep) && g->v[rest].kind == G_ACCEPT;
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
	struct gone *v = strlen(glob) > 4096 ? NULL : grown(g->globs, g->n_globs, &g->cap_globs, sizeof(*v));

	if (!v)
		return strlen(glob) > 4096 ? -E2BIG : -ENOMEM;
	g->globs = v;
	v[g->n_globs] = (struct gone){ .glob = glob };
	return (int)g->n_globs++;
}

static bool build_glob(struct globs *g, uint32_t no)
{
	struct gone *o = &g->globs[no];
	uint32_t at;

	g->building = no;
	o->from = g->n;
	at = node(g, G_ACCEPT, no, NO, NO);
	if (at != NO)
		at = build(g, o->glob, strlen(o->glob), at);
	o->start = at;
	o->to = g->n;
	return at != NO;
}

int globs_build(struct globs *g, uint32_t must, const uint32_t *others, size_t n)
{
	bool put = false, ok = true;

	g->n = g->n_sets = 0;
	for (size_t i = 0; i < n && ok; i++) {
		if (!put && must < others[i]) {
			ok = build_glob(g, must);
			put = true;
		}
		ok = ok && build_glob(g, others[i]);
	}
	if (!put && ok)
		ok = build_glob(g, must);
	return ok ? 0 : -E2BIG;
}

void globs_fini(struct globs *g)
{
	globs_room_free(g);
	free(g->v);
	free(g->sets);
	free(g->globs);
	*g = (struct globs){ 0 };
}

bool globs_has(const struct globs *g, const struct gnode *x, unsigned c)
{
	return x->set < G_BYTES ? x->set == c : g->sets[x->set - G_BYTES][c >> 3] >> (c & 7) & 1;
}

struct making { const struct globs *g; char *out; size_t n, cap; unsigned variant; const char *below; };

static bool put(struct making *k, char c)
{
	if (k->n + 1 >= k->cap)
		return false;
	k->out[k->n++] = c;
	return true;
}

static bool put_one_of(struct making *k, const struct gnode *x)
{
	if (x->set < G_BYTES)
		return put(k, (char)x->set);
	if (globs_has(k->g, x, ODD))
		return put(k, ODD);
	for (unsigned c = 2; c < 256; c++)
		if (globs_has(k->g, x, c))
			return put(k, (char)c);
	return false;
}

/* What stands for a star: nothing, a byte, or two parts. */
static bool put_star(struct making *k, const struct gnode *any)
{
	bool deep = k->g->sep && globs_has(k->g, any, (unsigned char)k->g->sep);
	bool begins = k->g->paths && k->n == 0;
	size_t n = k->below ? strlen(k->below) - 1 : 0;

	if (k->below) { /* as far as its last slash, which is the glob's next byte or begins another part */
		for (size_t i = 0; i < n; i++)
			if (!put(k, k->below[i]))
				return false;
		k->below = NULL;
		begins = true;
	}
	if (k->variant % 3 == 1)
		return true;
	if (deep && begins && !put(k, '/'))
		return false;
	return put(k, ODD) && (!deep || k->variant % 3 != 2 || (put(k, k->g->sep) && put(k, ODD)));
}

static bool fits(const struct making *k, const char *below)
{
	if (!k->n || (below && (strncmp(k->out, below, strlen(below)) != 0 || !k->out[strlen(below)])))
		return false;
	return !k->g->paths || (k->out[0] == '/' && k->out[k->n - 1] != '/' && !strstr(k->out, "//"));
}

bool globs_text(struct globs *g, uint32_t must, unsigned variant, const char *below, char *out, size_t cap)
{
	struct making k = { .g = g, .out = out, .cap = cap, .variant = variant, .below = below };
	uint32_t at, turn = variant * 2654435761u;

	if (globs_build(g, must, NULL, 0) < 0)
		return false;
	at = g->globs[must].start;
	for (unsigned step = 0; step < TEXT_STEPS; step++) {
		const struct gnode *x = &g->v[at];

		if (x->kind == G_ACCEPT) {
			out[k.n] = 0;
			return fits(&k, below);
		}
		if (x->kind == G_SET) {
			if (!put_one_of(&k, x))
				return false;
			at = x->a;
		} else if (g->v[x->a].kind == G_SET && g->v[x->a].a == at) {
			if (!put_star(&k, &g->v[x->a]))
				return false;
			at = x->b;
		} else { /* alternatives: the last, the first, and what comes */
			turn = turn * 1103515245u + 12345u;
			at = variant == 0 || (variant > 1 && turn >> 16 & 1) ? x->a : x->b;
		}
	}
	return false;
}
