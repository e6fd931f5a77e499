/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, compiled: a tree to the steps that regex.c follows, and what a text must have to be worth following them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"
#include "policy/regex.h"

#define EMIT_MAX ((size_t)4 * RX_INSTS_MAX) /* visits: a repetition of nothing makes no step */

struct emit { struct rx_inst *v; size_t n, cap, visits; bool bad, nomem; };

/* A step whose x is the next one; its number. */
static uint16_t step(struct emit *e, uint8_t op, uint16_t arg)
{
	if (e->n == RX_INSTS_MAX) {
		e->bad = true;
		return 0;
	}
	if (e->n == e->cap) {
		size_t cap = e->cap ? 2 * e->cap : 64;
		struct rx_inst *more = realloc(e->v, cap * sizeof(*more));

		if (!more) {
			e->bad = e->nomem = true;
			return 0;
		}
		e->v = more;
		e->cap = cap;
	}
	e->v[e->n] = (struct rx_inst){ .op = op, .x = (uint16_t)(e->n + 1) };
	if (op == OP_SET)
		e->v[e->n].set = arg;
	else
		e->v[e->n].arg = (uint8_t)arg;
	return (uint16_t)e->n++;
}

static void jump(struct emit *e, uint16_t to)
{
	uint16_t at = step(e, OP_JUMP, 0);

	if (!e->bad)
		e->v[at].x = to;
}

static void put(struct emit *e, const struct rx *x);

static void put_once(struct emit *e, const struct rx *x)
{
	uint16_t ends = 0, other;

	e->bad |= e->visits++ >= EMIT_MAX;
	if (e->bad)
		return;
	if (x->kind == RX_BYTE || x->kind == RX_SET || x->kind == RX_AT) {
		step(e, x->kind == RX_BYTE ? OP_BYTE : x->kind == RX_SET ? OP_SET : OP_AT, x->arg);
	} else if (x->kind == RX_CAT) {
		for (const struct rx *k = x->kid; k; k = k->next)
			put(e, k);
	} else {
		/* Jumps to the end are a list by their x until the end is known; no jump is step 0. */
		for (const struct rx *k = x->kid; k && !e->bad; k = k->next) {
			if (!k->next) {
				put(e, k);
				break;
			}
			other = step(e, OP_SPLIT, 0);
			put(e, k);
			jump(e, ends);
			if (e->bad)
				return;
			ends = (uint16_t)(e->n - 1);
			e->v[other].y = (uint16_t)e->n;
		}
		while (ends && !e->bad) {
			other = e->v[ends].x;
			e->v[ends].x = (uint16_t)e->n;
			ends = other;
		}
	}
}

static void put(struct emit *e, const struct rx *x)
{
	uint32_t outs = 0;
	uint16_t split;

	for (int i = 0; i < x->min && !e->bad; i++)
		put_once(e, x);
	if (x->max < 0 && !e->bad) {
		split = step(e, OP_SPLIT, 0);
		put_once(e, x);
		jump(e, split);
		if (!e->bad)
			e->v[split].y = (uint16_t)e->n;
		return;
	}
	/* The same for the ways out of what may be left out; 1 is added, for step 0 can be one. */
	for (int i = x->min; i < x->max && !e->bad; i++) {
		split = step(e, OP_SPLIT, 0);
		if (e->bad)
			return;
		e->v[split].y = (uint16_t)outs;
		outs = split + 1u;
		put_once(e, x);
	}
	while (outs && !e->bad) {
		split = (uint16_t)(outs - 1);
		outs = e->v[split].y;
		e->v[split].y = (uint16_t)e->n;
	}
}

static void set_of(const struct rx_tree *t, const struct rx *x, struct rx_set *s)
{
	if (x->kind == RX_SET)
		for (size_t i = 0; i < 8; i++)
			s->bits[i] |= t->sets[x->arg].bits[i];
	else
		rx_put(s, (uint8_t)x->arg);
}

static int count(const struct rx_set *s)
{
	int n = 0;

	for (size_t i = 0; i < 8; i++)
		n += __builtin_popcount(s->bits[i]);
	return n;
}

/* The smallest set of which every match of x has a byte; false: there is none. */
static bool need_of(const struct rx_tree *t, const struct rx *x, struct rx_set *ret)
{
	struct rx_set best = { 0 }, one;
	bool have = false;

	if (x->min == 0 || x->kind == RX_AT)
		return false;
	if (x->kind == RX_BYTE || x->kind == RX_SET) {
		*ret = best;
		set_of(t, x, ret);
		return true;
	}
	for (const struct rx *k = x->kid; k; k = k->next) {
		bool ok = need_of(t, k, &one);

		if (x->kind == RX_ALT) {
			if (!ok)
				return false;
			for (size_t i = 0; i < 8; i++)
				best.bits[i] |= one.bits[i];
			have = true;
		} else if (ok && (!have || count(&one) < count(&best))) {
			best = one;
			have = true;
		}
	}
	*ret = best;
	return have;
}

struct word { uint8_t v[RX_WORD_MAX]; size_t n; };

static void keep(struct rx_prog *p, struct word *w)
{
	if (w->n > p->n_word) {
		memcpy(p->word, w->v, w->n);
		p->n_word = (uint32_t)w->n;
	}
	w->n = 0;
}

/* The longest row of bytes that every match has. */
static void word_of(struct rx_prog *p, const struct rx *x)
{
	struct word w = { .n = 0 };

	if (x->min == 0)
		return;
	if (x->kind == RX_ALT && !x->kid->next) {
		word_of(p, x->kid);
	} else if (x->kind == RX_CAT) {
		for (const struct rx *k = x->kid; k; k = k->next) {
			bool once = k->min == 1 && k->max == 1;

			if (k->kind == RX_AT && once)
				continue;
			if (k->kind != RX_BYTE || !once || w.n == RX_WORD_MAX)
				keep(p, &w);
			if (k->kind == RX_BYTE && once)
				w.v[w.n++] = (uint8_t)k->arg;
			else
				word_of(p, k);
		}
		keep(p, &w);
	}
}

/* What can be first. later: not at the text's beginning. */
static int firsts(const struct emit *e, const struct rx_tree *t, struct rx_prog *p, bool later, bool *ret_any)
{
	uint16_t *stack = malloc(e->n * sizeof(*stack));
	bool *seen = calloc(e->n, sizeof(*seen));
	size_t top = 0;

	*ret_any = false;
	if (stack && seen) {
		stack[top++] = 0;
		seen[0] = true;
	}
	while (top) {
		const struct rx_inst *s = &e->v[stack[--top]];

		*ret_any |= s->op == OP_MATCH || s->op == OP_BYTE || s->op == OP_SET;
		if (s->op == OP_MATCH) {
			p->flags |= later ? 0 : PROG_EMPTY;
		} else if (s->op == OP_BYTE) {
			rx_put(&p->first, s->arg);
		} else if (s->op == OP_SET) {
			for (size_t i = 0; i < 8; i++)
				p->first.bits[i] |= t->sets[s->set].bits[i];
		} else if (!later || s->op != OP_AT || s->arg != AT_BEGIN) {
			if (s->op == OP_SPLIT && !seen[s->y]) {
				seen[s->y] = true;
				stack[top++] = s->y;
			}
			if (!seen[s->x]) {
				seen[s->x] = true;
				stack[top++] = s->x;
			}
		}
	}
	free(stack);
	free(seen);
	return stack && seen ? 0 : -ENOMEM;
}

static int append(uint8_t **v, size_t *len, const void *bytes, size_t n)
{
	uint8_t *more = realloc(*v, *len + n + 4);

	if (!more)
		return -ENOMEM;
	*v = more;
	if (n)
		memcpy(more + *len, bytes, n);
	*len += n;
	return 0;
}

static int compile(const char *pattern, uint8_t **v, size_t *len, char *why, size_t cap)
{
	struct rx_tree t = { 0 };
	struct rx_prog p = { 0 };
	struct emit e = { 0 };
	bool any;
	int r = rx_parse(pattern, &t, why, cap);

	if (r == 0) {
		put(&e, t.root);
		step(&e, OP_MATCH, 0);
		if (e.bad && !e.nomem)
			snprintf(why, cap, "the pattern is too large: repetitions in repetitions");
		r = e.nomem ? -ENOMEM : e.bad ? -E2BIG : 0;
	}
	if (r == 0) {
		e.v[e.n - 1].x = 0;
		p.n_insts = (uint32_t)e.n;
		p.n_sets = (uint32_t)t.n_sets;
		word_of(&p, t.root);
		if (need_of(&t, t.root, &p.need) && count(&p.need) < 128)
			p.flags |= PROG_NEED;
		r = firsts(&e, &t, &p, true, &any);
		p.flags |= any ? 0 : PROG_BEGIN;
		r = r < 0 ? r : firsts(&e, &t, &p, false, &any);
	}
	if (r == 0)
		r = append(v, len, &p, sizeof(p));
	if (r == 0)
		r = append(v, len, e.v, e.n * sizeof(*e.v));
	if (r == 0)
		r = append(v, len, t.sets, t.n_sets * sizeof(*t.sets));
	free(e.v);
	rx_free(&t);
	return r;
}

int regex_compile(const struct strs *patterns, uint8_t **ret, size_t *ret_len, char *why, size_t cap, size_t *ret_which)
{
	uint32_t n = (uint32_t)patterns->n;
	uint8_t *v = NULL;
	size_t len = 0;
	int r = append(&v, &len, &n, sizeof(n));

	*ret_which = 0;
	snprintf(why, cap, "out of memory");
	for (size_t i = 0; i < patterns->n && r == 0; i++) {
		*ret_which = i;
		r = compile(patterns->v[i], &v, &len, why, cap);
		if (r == 0 && len > REGEX_BYTES_MAX) {
			snprintf(why, cap, "the patterns are too many or too large");
			r = -EFBIG;
		}
	}
	if (r < 0) {
		free(v);
		return r;
	}
	*ret = v;
	*ret_len = len;
	return 0;
}
