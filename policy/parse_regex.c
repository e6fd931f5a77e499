/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, read: RE2's syntax on bytes, a dot any of them, to a tree. What RE2 cannot do is refused by its name. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/regex_read.h"

void *rx_fail(struct scan *c, const char *at, const char *fmt, ...)
{
	size_t n;
	va_list ap;

	if (c->r)
		return NULL;
	c->r = -EINVAL;
	va_start(ap, fmt);
	vsnprintf(c->why, c->cap, fmt, ap);
	va_end(ap);
	n = strlen(c->why);
	snprintf(c->why + n, c->cap - n, " at index %zu.", (size_t)(at - c->from));
	return NULL;
}

struct rx *rx_make(struct scan *c, enum rx_kind kind, uint16_t arg)
{
	struct rx *x = c->t->n < c->t->cap ? &c->t->v[c->t->n++] : NULL;

	if (!x)
		return rx_fail(c, c->s, "Pattern too large");
	*x = (struct rx){ .kind = kind, .arg = arg, .min = 1, .max = 1, .wide = kind == RX_BYTE || kind == RX_SET };
	return x;
}

static struct rx *one_byte(struct scan *c, int b)
{
	struct rx_set s = { 0 };

	if (c->r)
		return NULL;
	rx_put(&s, (uint8_t)b);
	if (c->f.fold)
		rx_fold(&s);
	return rx_make_set(c, &s);
}

/* A byte that stands for itself, or all of a character's: what repeats it repeats all. */
static struct rx *read_char(struct scan *c)
{
	unsigned char b = (unsigned char)*c->s;
	size_t n = b < 0xc2 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : b < 0xf5 ? 4 : 1;
	struct rx *cat, **last;

	for (size_t i = 1; i < n; i++)
		if (((unsigned char)c->s[i] & 0xc0) != 0x80)
			n = 1; /* no character: each byte alone */
	if (n == 1) {
		c->s++;
		return one_byte(c, b);
	}
	cat = rx_make(c, RX_CAT, 0);
	last = cat ? &cat->kid : NULL;
	for (size_t i = 0; i < n && last; i++) {
		*last = one_byte(c, (unsigned char)*c->s++);
		last = *last ? &(*last)->next : NULL;
	}
	if (cat)
		cat->wide = true;
	return last ? cat : NULL;
}

/* The repetition at s: its length, without what makes it lazy; 0: none. */
static size_t times(struct scan *c, int *min, int *max)
{
	const char *s = c->s;

	*min = *s == '+';
	*max = *s == '?' ? 1 : -1;
	if (*s == '*' || *s == '+' || *s == '?')
		return 1;
	if (*s++ != '{' || !isdigit((unsigned char)*s))
		return 0;
	for (*min = 0; isdigit((unsigned char)*s); s++)
		*min = *min > RX_REPEAT_MAX ? *min : *min * 10 + *s - '0';
	*max = *min;
	if (*s == ',') {
		*max = isdigit((unsigned char)*++s) ? 0 : -1;
		for (; isdigit((unsigned char)*s); s++)
			*max = *max > RX_REPEAT_MAX ? *max : *max * 10 + *s - '0';
	}
	if (*s != '}')
		return 0;
	if (*min > RX_REPEAT_MAX || *max > RX_REPEAT_MAX)
		rx_fail(c, c->s, "Repetition above %d", RX_REPEAT_MAX);
	else if (*max >= 0 && *min > *max)
		rx_fail(c, c->s, "Bad repetition: more at least than at most");
	return (size_t)(s + 1 - c->s);
}

static struct rx *read_alt(struct scan *c);

/* Behind "(?": flags, up to ":" or ")"; false: reported. */
static bool read_flags(struct scan *c, const char *open)
{
	bool on = true, any = false;

	for (; *c->s && *c->s != ':' && *c->s != ')'; c->s++) {
		if (*c->s == 'i')
			c->f.fold = on;
		else if (*c->s == 'm')
			c->f.lines = on;
		else if (*c->s == 's')
			c->f.no_newline = !on;
		else if (*c->s == '-' && on)
			on = false;
		else if (*c->s != 'U')
			return rx_fail(c, open, "(?%c is not supported", *c->s);
		any = *c->s != '-';
	}
	if (!*c->s || (*c->s == ')' && !any) || (!on && !any))
		return rx_fail(c, open, "Unfinished (?");
	return true;
}

/* A group, or NULL: reported, or flags for what follows. */
static struct rx *read_group(struct scan *c)
{
	const char *open = c->s++;
	struct flags before = c->f;
	struct rx *x;

	if (++c->depth > RX_DEPTH_MAX)
		return rx_fail(c, open, "Groups too deep in groups");
	if (*c->s == '?') {
		const char *s = ++c->s;

		if (*s == '=' || *s == '!' || (*s == '<' && (s[1] == '=' || s[1] == '!')))
			return rx_fail(c, open, "Look-around is not supported");
		if (*s == '<' || (*s == 'P' && s[1] == '<')) {
			const char *name = s + 1 + (*s == 'P');

			for (s = name; isalnum((unsigned char)*s) || *s == '_';)
				s++;
			if (s == name || *s != '>')
				return rx_fail(c, open, "Bad group name");
			c->s = s + 1;
		} else if (!read_flags(c, open)) {
			return NULL;
		} else if (*c->s++ == ')') {
			c->depth--;
			return NULL;
		}
	}
	x = read_alt(c);
	if (x && *c->s != ')')
		return rx_fail(c, open, "Missing close parenthesis for group started");
	c->s++;
	c->depth--;
	c->f = before;
	return x;
}

static struct rx *read_escape(struct scan *c)
{
	static const char letters[] = "AzbB";
	static const uint8_t places[] = { AT_BEGIN, AT_END, AT_WORD, AT_NO_WORD };
	const char *found = c->s[1] ? strchr(letters, c->s[1]) : NULL;
	struct rx_set s = { 0 };

	if (found) {
		c->s += 2;
		return rx_make(c, RX_AT, places[found - letters]);
	}
	if (rx_perl(c->s[1], &s)) {
		c->s += 2;
		return rx_make_set(c, &s);
	}
	if ((unsigned char)c->s[1] >= 128) {
		c->s++;
		return read_char(c);
	}
	return one_byte(c, rx_escape(c));
}

static struct rx *read_atom(struct scan *c)
{
	struct rx_set s = { 0 };

	switch (*c->s) {
	case '(':
		return read_group(c);
	case '[':
		return rx_read_class(c);
	case '\\':
		return read_escape(c);
	case '^':
		c->s++;
		return rx_make(c, RX_AT, c->f.lines ? AT_LINE_BEGIN : AT_BEGIN);
	case '$':
		c->s++;
		return rx_make(c, RX_AT, c->f.lines ? AT_LINE_END : AT_END);
	case '.':
		c->s++;
		rx_add_range(&s, 0, 255);
		if (c->f.no_newline)
			s.bits['\n' / 32] &= ~(1u << '\n' % 32);
		return rx_make_set(c, &s);
	default:
		return read_char(c);
	}
}

/* A repetition of x, which is what stands before it or NULL; its length. */
static size_t repeat(struct scan *c, struct rx *x)
{
	int min, max;
	size_t n = times(c, &min, &max);

	if (!n || c->r)
		return n;
	if (!x) {
		bool possessive = *c->s == '+' && c->s > c->from && strchr("*+?}", c->s[-1]);

		rx_fail(c, c->s, possessive ? "Invalid repeat: a possessive one is not supported" : "Invalid repeat");
		return n;
	}
	x->min = (int16_t)min;
	x->max = (int16_t)max;
	x->wide &= min > 0;
	c->s += n;
	c->s += *c->s == '?';
	return n;
}

static struct rx *read_cat(struct scan *c)
{
	struct rx *cat = rx_make(c, RX_CAT, 0), **last = cat ? &cat->kid : NULL, *x = NULL;

	while (cat && !c->r && *c->s && (c->quote || (*c->s != '|' && *c->s != ')'))) {
		if (c->s[0] == '\\' && c->s[1] == (c->quote ? 'E' : 'Q')) {
			c->quote = !c->quote;
			c->s += 2;
			continue;
		}
		if (!c->quote && repeat(c, x)) {
			x = NULL;
			continue;
		}
		x = c->quote ? read_char(c) : read_atom(c);
		if (x) {
			*last = x;
			last = &x->next;
		}
	}
	return c->r ? NULL : cat;
}

static struct rx *read_alt(struct scan *c)
{
	struct rx *alt = rx_make(c, RX_ALT, 0), **last = alt ? &alt->kid : NULL;

	if (alt)
		alt->wide = true;
	while (alt) {
		struct rx *x = read_cat(c);

		if (!x)
			return NULL;
		for (const struct rx *k = x->kid; k; k = k->next)
			x->wide |= k->wide;
		alt->wide &= x->wide;
		*last = x;
		last = &x->next;
		if (*c->s != '|')
			return alt;
		c->s++;
	}
	return NULL;
}

/* before, after: text comes before, or behind, for certain. */
static void judge(struct rx *x, bool before, bool after)
{
	size_t wide = 0;

	if (x->kind == RX_AT) {
		x->dead = x->arg == AT_BEGIN ? before : x->arg == AT_END && after;
	} else if (x->kind == RX_ALT) {
		x->dead = true;
		for (struct rx *k = x->kid; k; k = k->next) {
			judge(k, before, after);
			x->dead &= k->dead;
		}
	} else if (x->kind == RX_CAT) {
		for (const struct rx *k = x->kid; k; k = k->next)
			wide += k->wide;
		for (struct rx *k = x->kid; k; k = k->next) {
			wide -= k->wide;
			judge(k, before, after || wide);
			before |= k->wide;
			x->dead |= k->dead && k->min > 0;
		}
	}
}

int rx_parse(const char *pattern, struct rx_tree *t, char *why, size_t cap)
{
	struct scan c = { .s = pattern, .from = pattern, .t = t, .why = why, .cap = cap };
	size_t len = strlen(pattern);

	*t = (struct rx_tree){ .cap = 3 * len + 8 };
	t->v = calloc(t->cap, sizeof(*t->v));
	if (!t->v) {
		snprintf(why, cap, "out of memory");
		return -ENOMEM;
	}
	t->root = read_alt(&c);
	if (t->root && *c.s)
		rx_fail(&c, c.s, "Unmatched close parenthesis");
	if (c.r == 0 && !t->root)
		c.r = -ENOMEM;
	if (c.r)
		return c.r;
	judge(t->root, false, false);
	if (t->root->dead)
		snprintf(why, cap, "an anchor stands behind text, or text behind it");
	return t->root->dead ? -ENODATA : 0;
}

void rx_free(struct rx_tree *t)
{
	free(t->v);
	free(t->sets);
	*t = (struct rx_tree){ 0 };
}
