/* SPDX-License-Identifier: Apache-2.0 */
/* What earlier rules leave to an entry. First by texts of it that no earlier glob matches, which most entries have; then by the rules one
 * by one; then by a walk over all its texts together with all earlier globs that can meet them, as long as that is not too dear. */
#include "policy/lint_fate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 1000
#define MATCH_WORK 4                 /* of one text and one glob, whose ends tell mostly that they do not match */
#define RULE_WORK 50000ull           /* of a walk over one rule's globs */
#define UNION_WORK 100000ull         /* over those of all */
#define UNIONS_WORK 1000000ull       /* of all these walks of a section */

static void taken(struct paths *p, uint32_t by, uint32_t ops)
{
	takers_add(&p->fate->takers, by);
	if (lint_permits(p->r->v[by].decision))
		takers_add(&p->fate->permitting, by);
	else
		p->fate->barred |= ops;
}

/* Texts of the entry that these earlier globs match too: who decides each operation. */
static bool one_set(void *arg, const uint32_t *hit, size_t n)
{
	struct paths *p = arg;
	uint32_t open = p->open;

	for (size_t i = 0; i < n && open; i++) {
		uint32_t by = p->entries[hit[i]].rule, ops = p->r->v[by].ops & open;

		if (ops)
			taken(p, by, ops);
		open &= ~ops;
	}
	p->fate->alive |= open;
	p->fate->met = true;
	return p->fate->alive != p->u->ops;
}

/* The plain beginning of an entry against n bytes of text. */
static int compare(const struct entry *e, const char *text, size_t n)
{
	int r = memcmp(e->glob, text, e->plain < n ? e->plain : n);

	return r ? r : (e->plain > n) - (e->plain < n);
}

/* Where in the order those begin that begin with these n bytes. */
static size_t place_of(const struct paths *p, const char *text, size_t n)
{
	size_t lo = 0, hi = p->g.n_globs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare(&p->entries[p->order[mid]], text, n) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int paths_near(struct paths *p, const char *text, size_t n, bool longer, near_fn fn, void *arg)
{
	size_t all = p->g.n_globs;

	for (size_t len = 0; len <= n; len++)
		for (size_t i = place_of(p, text, len); i < all; i++) {
			const struct entry *e = &p->entries[p->order[i]];

			if (p->l->left < 2)
				return -ETIME;
			p->l->left -= 2;
			if (compare(e, text, len) != 0 && (len < n || !longer || e->plain < n || memcmp(e->glob, text, n) != 0))
				break;
			fn(p, arg, p->order[i]);
		}
	return 0;
}

/* Whether both can match one text as far as it goes by what is plain at their ends. */
static bool end_alike(const char *a, const char *b)
{
	size_t i = strlen(a), k = strlen(b);

	while (i && k && wild_plain(a[i - 1]) && wild_plain(b[k - 1]))
		if (a[--i] != b[--k])
			return false;
	return true;
}

static bool one_unmatched(void *arg, const uint32_t *hit, size_t n)
{
	(void)hit;
	*(bool *)arg = n == 0;
	return n != 0;
}

/* Whether these globs together match all that glob at does. What is too dear to find out they do not. */
static bool covered(struct paths *p, uint32_t at, const uint32_t *by, size_t n, const char *below)
{
	uint64_t left = p->union_left < RULE_WORK ? p->union_left : RULE_WORK, all = left;
	bool unmatched = false;
	int r;

	if (!left || !p->l->left)
		return false;
	p->g.ranks = NULL;
	r = globs_walk(&p->g, at, by, n, below, one_unmatched, &unmatched, &left);
	p->union_left -= all - left;
	return r == 0 && !unmatched;
}

/* Whether rule e permits and every text that it names is named by rule i too: written as an exception to that one. */
static bool is_exception(struct paths *p, uint32_t e, uint32_t i)
{
	uint32_t n = p->first[i + 1] - p->first[i];

	if (!lint_permits(p->r->v[e].decision))
		return false;
	for (uint32_t k = 0; k < n; k++)
		p->some[k] = p->first[i] + k;
	for (uint32_t x = p->first[e]; x < p->first[e + 1]; x++)
		if (!covered(p, x, p->some, n, NULL))
			return false;
	return true;
}

static void drop_exceptions(struct paths *p, uint32_t i)
{
	size_t kept = 0;

	for (size_t k = 0, end; k < p->n_others; k = end) {
		uint32_t rule = p->entries[p->others[k]].rule;
		bool drop = is_exception(p, rule, i);

		for (end = k; end < p->n_others && p->entries[p->others[end]].rule == rule; end++)
			if (!drop)
				p->others[kept++] = p->others[end];
	}
	p->n_others = kept;
}

struct collecting { const struct rule *u; const char *glob, *below; };

static void collect(struct paths *p, void *arg, uint32_t entry)
{
	const struct collecting *c = arg;
	const struct entry *x = &p->entries[entry];
	const struct rule *u = c->u, *e = &p->r->v[x->rule];
	size_t n = c->below ? strlen(c->below) : 0;

	if (e < u && (e->ops & u->ops) && lint_takes_who(p->l, e, u) && end_alike(c->glob, x->glob) &&
	    memcmp(x->glob, n ? c->below : "", x->plain < n ? x->plain : n) == 0)
		p->others[p->n_others++] = entry;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* A few texts of the entry: what no other glob matches is left to it. met: which of the texts each of the others matches. */
static int by_texts(struct paths *p, uint32_t at, const char *below, uint8_t *ret_texts)
{
	const char *own = p->entries[at].glob;
	char text[TEXT_BYTES];

	memset(p->met, 0, p->n_others);
	for (unsigned v = 0; v < TEXT_VARIANTS && p->fate->alive != p->u->ops && (v == 0 || wild_is(own)); v++) {
		uint32_t open = p->u->ops;
		uint64_t steps = 0;

		if (!globs_text(&p->g, at, v, below, text, sizeof(text)) || !wild_match(own, text, '/'))
			continue;
		for (size_t k = 0; k < p->n_others; k++) {
			if (wild_match_counted(p->entries[p->others[k]].glob, text, '/', &steps)) {
				p->met[k] |= (uint8_t)(1u << v);
				open &= ~p->r->v[p->entries[p->others[k]].rule].ops;
			}
			if (!globs_spend(&p->g, MATCH_WORK + steps / STEPS_WORK))
				return -ETIME;
			steps = 0;
		}
		*ret_texts |= (uint8_t)(1u << v);
		p->fate->alive |= open;
		p->fate->met = true;
	}
	return 0;
}

/* Whether the others [from, end), of one rule, take all of the entry; together or one of them. */
static bool rule_covers(struct paths *p, uint32_t at, size_t from, size_t end, const char *below, uint8_t texts)
{
	uint8_t met = 0;

	for (size_t k = from; k < end; k++)
		met |= p->met[k];
	if (met != texts)
		return false;
	if (covered(p, at, p->others + from, end - from, below))
		return true;
	for (size_t k = from; k < end && end - from > 1; k++)
		if (p->met[k] == texts && covered(p, at, p->others + k, 1, below))
			return true;
	return false;
}

/* The operations that no text settled, by rules one by one. Leaves in `others` those that decide something of them. */
static uint32_t by_rules(struct paths *p, uint32_t at, const char *below, uint8_t texts, struct fate *closed)
{
	uint32_t rest = p->u->ops & ~p->fate->alive, taken_ops = 0, barring = 0;
	struct fate *fate = p->fate;
	size_t kept = 0;

	p->fate = closed;
	for (size_t k = 0, end; k < p->n_others; k = end) {
		const struct entry *x = &p->entries[p->others[k]];
		uint32_t ops = p->r->v[x->rule].ops & rest & ~taken_ops;

		for (end = k; end < p->n_others && p->entries[p->others[end]].rule == x->rule; end++)
			;
		if (!ops)
			continue;
		if (rule_covers(p, at, k, end, below, texts)) {
			taken_ops |= ops;
			taken(p, x->rule, ops);
		}
		barring |= lint_permits(p->r->v[x->rule].decision) ? 0 : ops;
		memmove(p->others + kept, p->others + k, (end - k) * sizeof(*p->others));
		memmove(p->met + kept, p->met + k, end - k);
		kept += end - k;
	}
	p->n_others = kept;
	p->fate = fate;
	closed->alive = fate->alive | (rest & ~taken_ops);
	closed->barred |= barring; /* of some text at least, as far as is known */
	closed->met = true;
	return rest;
}

int fate_of(struct paths *p, uint32_t i, uint32_t at, const char *below, bool no_exceptions, struct fate *ret)
{
	const struct rule *u = &p->r->v[i];
	const struct entry *own = &p->entries[at];
	struct collecting c = { u, own->glob, below };
	struct fate closed = { 0 };
	uint8_t texts = 0;
	uint64_t left, all;
	int r;

	*ret = (struct fate){ 0 };
	p->n_others = 0;
	p->u = u;
	p->fate = ret;
	r = paths_near(p, own->glob, own->plain, own->glob[own->plain] != 0, collect, &c);
	if (r < 0)
		return r;
	qsort(p->others, p->n_others, sizeof(*p->others), by_number);
	if (no_exceptions)
		drop_exceptions(p, i);
	if (!p->n_others && !below) {
		ret->alive = u->ops;
		ret->met = true;
		return 0;
	}
	r = by_texts(p, at, below, &texts);
	if (r < 0 || (ret->met && ret->alive == u->ops))
		return r;
	p->open = by_rules(p, at, below, texts, &closed);
	p->g.ranks = p->ranks;
	p->g.care = p->open;
	left = all = p->union_left < UNION_WORK ? p->union_left : UNION_WORK;
	r = globs_walk(&p->g, at, p->others, p->n_others, below, one_set, p, &left);
	p->union_left -= all - left;
	if (r == -ETIME && p->l->left) {
		*ret = closed;
		r = 0;
	}
	return r;
}

static int by_beginning(const void *a, const void *b, void *arg)
{
	const struct entry *v = arg, *y = &v[*(const uint32_t *)b];

	return compare(&v[*(const uint32_t *)a], y->glob, y->plain);
}

int paths_make(struct paths *p, struct lint *l, const struct rules *r, bool unixes)
{
	size_t n = 0;

	*p = (struct paths){ .l = l, .r = r, .unixes = unixes, .union_left = UNIONS_WORK };
	p->g = (struct globs){ .sep = '/', .paths = !unixes, .work = &l->left };
	for (size_t k = 0; k < r->n; k++)
		n += r->v[k].paths.n;
	p->entries = malloc((n + 1) * sizeof(*p->entries));
	p->ranks = malloc((n + 1) * sizeof(*p->ranks));
	p->order = malloc((n + 1) * sizeof(*p->order));
	p->others = malloc((n + 1) * sizeof(*p->others));
	p->some = malloc((n + 1) * sizeof(*p->some));
	p->met = malloc(n + 1);
	p->first = calloc(r->n + 1, sizeof(*p->first));
	if (!p->entries || !p->ranks || !p->order || !p->others || !p->some || !p->met || !p->first)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n; i++) {
		for (size_t k = 0; k < r->v[i].paths.n; k++) {
			const char *glob = r->v[i].paths.v[k];
			int at = globs_add(&p->g, glob);

			if (at < 0)
				return at;
			p->entries[at] = (struct entry){ glob, i, (uint32_t)strcspn(glob, "*?[{\\") };
			p->ranks[at] = (struct grank){ i, r->v[i].ops };
			p->order[at] = (uint32_t)at;
		}
		p->first[i + 1] = p->g.n_globs;
	}
	qsort_r(p->order, n, sizeof(*p->order), by_beginning, p->entries);
	return 0;
}

void paths_fini(struct paths *p)
{
	free(p->entries);
	free(p->ranks);
	free(p->order);
	free(p->others);
	free(p->some);
	free(p->met);
	free(p->first);
	globs_fini(&p->g);
}
