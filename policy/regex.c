/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, matched: all places that a pattern can be at are followed at once, so that a text costs its length times the
 * pattern's and nothing is tried again. The record is used where it lies. */
#include <errno.h>
#include <string.h>

#include "policy/model.h"
#include "policy/regex.h"

#define WORK_MAX (1u << 26)      /* steps for one text: some tenths of a second */

/* One thread asks: see exec.c. A step is in the set of a place when its mark is the place's. */
static struct {
	uint16_t set[2][RX_INSTS_MAX], stack[RX_INSTS_MAX];
	uint32_t mark[RX_INSTS_MAX], place;
} work;

struct run { const struct rx_inst *v; const struct rx_set *sets; const uint8_t *text; size_t n; uint64_t steps; };

static size_t size_of(const struct rx_prog *p)
{
	return sizeof(*p) + (size_t)p->n_insts * sizeof(struct rx_inst) + (size_t)p->n_sets * sizeof(struct rx_set);
}

static bool sound(const struct rx_prog *p)
{
	const struct rx_inst *v = (const struct rx_inst *)(p + 1);

	for (uint32_t i = 0; i < p->n_insts; i++)
		if (v[i].op >= OP__COUNT || v[i].x >= p->n_insts || v[i].y >= p->n_insts || (v[i].op == OP_AT && v[i].arg >= AT__COUNT) ||
		    (v[i].op == OP_SET && v[i].set >= p->n_sets))
			return false;
	return true;
}

int regex_map(const void *data, size_t n)
{
	const uint32_t *count = data;
	size_t at = sizeof(*count);

	if (!data || (uintptr_t)data % 4 || n % 4 || n < at || *count == 0 || *count > STRINGS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < *count; i++) {
		const struct rx_prog *p = (const struct rx_prog *)(const void *)((const uint8_t *)data + at);

		if (n - at < sizeof(*p) || p->n_insts == 0 || p->n_insts > RX_INSTS_MAX || p->n_sets > RX_SETS_MAX ||
		    p->n_word > RX_WORD_MAX || p->flags > PROG__ALL || size_of(p) > n - at || !sound(p))
			return -EBADMSG;
		at += size_of(p);
	}
	return at == n ? 0 : -EBADMSG;
}

static bool is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool holds(const struct run *r, enum rx_at what, size_t i)
{
	bool word = (i > 0 && is_word(r->text[i - 1])) != (i < r->n && is_word(r->text[i]));

	switch (what) {
	case AT_BEGIN:
		return i == 0;
	case AT_END:
		return i == r->n;
	case AT_LINE_BEGIN:
		return i == 0 || r->text[i - 1] == '\n';
	case AT_LINE_END:
		return i == r->n || r->text[i] == '\n';
	case AT_WORD:
		return word;
	default:
		return !word;
	}
}

/* Adds a step and those that follow without a byte to the set v of place i; true: one of them is a match. */
static bool add(struct run *r, uint16_t pc, size_t i, uint16_t *v, size_t *n)
{
	size_t top = 0;

	if (work.mark[pc] == work.place)
		return false;
	work.mark[pc] = work.place;
	work.stack[top++] = pc;
	while (top) {
		const struct rx_inst *s = &r->v[pc = work.stack[--top]];

		r->steps++;
		if (s->op == OP_MATCH)
			return true;
		if (s->op == OP_BYTE || s->op == OP_SET) {
			v[(*n)++] = pc;
			continue;
		}
		if (s->op == OP_SPLIT && work.mark[s->y] != work.place) {
			work.mark[s->y] = work.place;
			work.stack[top++] = s->y;
		}
		if ((s->op != OP_AT || holds(r, s->arg, i)) && work.mark[s->x] != work.place) {
			work.mark[s->x] = work.place;
			work.stack[top++] = s->x;
		}
	}
	return false;
}

static size_t next_of(const struct rx_set *s, const uint8_t *text, size_t i, size_t n)
{
	while (i < n && !rx_has(s, text[i]))
		i++;
	return i;
}

static void next_place(void)
{
	if (++work.place == 0) {
		memset(work.mark, 0, sizeof(work.mark));
		work.place = 1;
	}
}

static int run(const struct rx_prog *p, struct run *r)
{
	bool begin = p->flags & PROG_BEGIN, empty = p->flags & PROG_EMPTY;
	size_t n_now = 0;
	uint16_t *now = work.set[0], *then = work.set[1];

	if (p->n_word && !memmem(r->text, r->n, p->word, p->n_word))
		return 0;
	if ((p->flags & PROG_NEED) && next_of(&p->need, r->text, 0, r->n) == r->n)
		return 0;
	for (size_t i = 0;; i++) {
		uint16_t *old = now;
		size_t n_old = n_now;

		if (n_old == 0 && i > 0 && begin)
			return 0;
		if (n_old == 0 && !empty && !begin)
			i = next_of(&p->first, r->text, i, r->n);
		next_place();
		now = then;
		then = old;
		n_now = 0;
		for (size_t k = 0; k < n_old; k++) {
			const struct rx_inst *s = &r->v[old[k]];
			uint8_t c = r->text[i - 1];

			if ((s->op == OP_BYTE ? s->arg == c : rx_has(&r->sets[s->set], c)) && add(r, s->x, i, now, &n_now))
				return 1;
		}
		if ((i == 0 || !begin) && (empty || (i < r->n && rx_has(&p->first, r->text[i]))) && add(r, 0, i, now, &n_now))
			return 1;
		if (i >= r->n)
			return 0;
		r->steps += n_old + 1;
		if (r->steps > WORK_MAX)
			return -E2BIG;
	}
}

int regex_match(const void *data, const char *text, size_t n)
{
	const uint32_t *count = data;
	const uint8_t *at = (const uint8_t *)(count + 1);
	struct run r = { .text = (const uint8_t *)text, .n = n };

	for (uint32_t i = 0; i < *count; i++) {
		const struct rx_prog *p = (const struct rx_prog *)(const void *)at;
		int hit;

		r.v = (const struct rx_inst *)(p + 1);
		r.sets = (const struct rx_set *)(r.v + p->n_insts);
		hit = run(p, &r);
		if (hit)
			return hit;
		at += size_of(p);
	}
	return 0;
}
