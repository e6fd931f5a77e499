/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RE2's syntax to what the matcher takes: it refuses an anchor that stands where text came before for certain ("push (^|\s)-f"), which
 * RE2 takes for a branch that never matches; and its $ also matches before a last line feed, which RE2's does not.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"

#define DEPTH_MAX 64
#define REWRITE_MAX 16384

enum kind { ATOM, BEGIN, END, CAT, ALT, GROUP };
struct rx {
	enum kind kind;
	bool wide, dead, none;          /* takes a byte at least; can never match; dead, and may be left out */
	const char *s, *times;          /* an atom's text; the repetition behind it */
	size_t n, n_times;
	bool maybe;                     /* the repetition allows none */
	struct rx *kid, *next;
};
struct scan { const char *s; struct rx *v; size_t n, cap; int depth; };

static struct rx *make(struct scan *c, enum kind kind)
{
	struct rx *x = c->n < c->cap ? &c->v[c->n++] : NULL;

	if (x)
		*x = (struct rx){ .kind = kind };
	return x;
}

/* Length of the class at s, with its brackets; 0: not closed. */
static size_t class_len(const char *s)
{
	size_t i = s[1] == '^' ? 2 : 1;

	for (bool first = true; s[i]; first = false) {
		const char *end = s[i] == '[' && s[i + 1] == ':' ? strstr(s + i + 2, ":]") : NULL;

		if (s[i] == ']' && !first)
			return i + 1;
		if (end)
			i = (size_t)(end + 2 - s);
		else
			i += s[i] == '\\' && s[i + 1] ? 2 : 1;
	}
	return 0;
}

/* Length of the escape at s; 0: one that is not known to mean the same in both. */
static size_t escape_len(const char *s)
{
	size_t n = 2;

	if (!s[1] || strchr("QECGKRXZ", s[1]))
		return 0;
	if (strchr("xpP", s[1]) && s[2] == '{') {
		const char *end = strchr(s, '}');

		return end ? (size_t)(end + 1 - s) : 0;
	}
	if (s[1] == 'x')
		while (n < 4 && isxdigit((unsigned char)s[n]))
			n++;
	else if (s[1] >= '0' && s[1] <= '7')
		while (n < 4 && s[n] >= '0' && s[n] <= '7')
			n++;
	else if (s[1] == 'p' || s[1] == 'P')
		n = s[2] ? 3 : 0;
	return n;
}

/* Length of the repetition at s, without the ? for few; 0: none. */
static size_t times_len(const char *s, bool *maybe)
{
	size_t n = 1;

	*maybe = *s == '*' || *s == '?';
	if (*s == '*' || *s == '?' || *s == '+')
		return 1;
	if (*s != '{' || !isdigit((unsigned char)s[1]))
		return 0;
	while (isdigit((unsigned char)s[n]))
		n++;
	*maybe = strspn(s + 1, "0") == n - 1;
	if (s[n] == ',')
		for (n++; isdigit((unsigned char)s[n]);)
			n++;
	return s[n] == '}' ? n + 1 : 0;
}

static struct rx *read_alt(struct scan *c);

static struct rx *read_atom(struct scan *c)
{
	const char *s = c->s;
	struct rx *x;
	size_t n = 1;

	if (*s == '(') {
		c->s += s[1] == '?' ? 3 : 1;
		if ((s[1] == '?' && s[2] != ':') || ++c->depth > DEPTH_MAX)
			return NULL;
		x = make(c, GROUP);
		if (!x || !(x->kid = read_alt(c)) || *c->s != ')')
			return NULL;
		c->depth--;
		c->s++;
		x->wide = x->kid->wide;
		return x;
	}
	if (*s == '[')
		n = class_len(s);
	else if (*s == '\\')
		n = escape_len(s);
	else if (strchr("*+?", *s))
		n = 0;
	if (!n)
		return NULL;
	x = make(c, *s == '^' || (*s == '\\' && s[1] == 'A') ? BEGIN : *s == '$' || (*s == '\\' && s[1] == 'z') ? END : ATOM);
	if (!x)
		return NULL;
	x->s = s;
	x->n = n;
	x->wide = x->kind == ATOM && !(*s == '\\' && strchr("bB", s[1]));
	c->s += n;
	return x;
}

static struct rx *read_cat(struct scan *c)
{
	struct rx *cat = make(c, CAT), **last = cat ? &cat->kid : NULL;

	while (cat && *c->s && *c->s != '|' && *c->s != ')') {
		struct rx *x = read_atom(c);
		bool maybe, more;

		if (!x)
			return NULL;
		x->times = c->s;
		x->n_times = times_len(c->s, &maybe);
		x->maybe = x->n_times && maybe;
		c->s += x->n_times;
		if (x->n_times && *c->s == '?') {
			x->n_times++;
			c->s++;
		}
		if (x->n_times && times_len(c->s, &more))
			return NULL;
		x->wide &= !x->maybe;
		cat->wide |= x->wide;
		*last = x;
		last = &x->next;
	}
	return cat;
}

static struct rx *read_alt(struct scan *c)
{
	struct rx *alt = make(c, ALT), **last = alt ? &alt->kid : NULL;

	if (alt)
		alt->wide = true;
	while (alt) {
		struct rx *x = read_cat(c);

		if (!x)
			return NULL;
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
	if (x->kind == BEGIN || x->kind == END) {
		x->dead = x->kind == BEGIN ? before : after;
	} else if (x->kind == GROUP) {
		judge(x->kid, before, after);
		x->dead = x->kid->dead;
	} else if (x->kind == ALT) {
		x->dead = true;
		for (struct rx *k = x->kid; k; k = k->next) {
			judge(k, before, after);
			x->dead &= k->dead;
		}
	} else if (x->kind == CAT) {
		for (struct rx *k = x->kid; k; k = k->next) {
			bool behind = after;

			for (const struct rx *r = k->next; r; r = r->next)
				behind |= r->wide;
			judge(k, before, behind);
			before |= k->wide;
			x->dead |= k->dead && !k->maybe;
			k->none = k->dead && k->maybe;
		}
	}
}

static void print(struct buf *b, const struct rx *x)
{
	bool first = true;

	if (x->none)
		return;
	switch (x->kind) {
	case GROUP:
		buf_puts(b, "(?:");
		print(b, x->kid);
		buf_puts(b, ")");
		break;
	case ALT:
		for (const struct rx *k = x->kid; k; k = k->next)
			if (!k->dead) {
				buf_puts(b, first ? "" : "|");
				print(b, k);
				first = false;
			}
		break;
	case CAT:
		for (const struct rx *k = x->kid; k; k = k->next)
			print(b, k);
		break;
	case END:
		buf_puts(b, "\\z");
		break;
	default:
		buf_put(b, x->s, x->n);
	}
	buf_put(b, x->times ? x->times : "", x->n_times);
}

char *parse_regex(const char *pattern, bool *never)
{
	size_t len = strlen(pattern);
	struct scan c = { .s = pattern, .cap = 3 * len + 4 };
	struct buf b = BUF_INIT(1u << 20);
	struct rx *x;

	*never = false;
	/* Flags before all of it; m would change what the anchors mean. */
	if (!strncmp(pattern, "(?i)", 4) || !strncmp(pattern, "(?s)", 4) || !strncmp(pattern, "(?is)", 5))
		c.s = strchr(pattern, ')') + 1;
	buf_put(&b, pattern, (size_t)(c.s - pattern));
	c.v = len <= REWRITE_MAX ? calloc(c.cap, sizeof(*c.v)) : NULL;
	if (!c.v && len <= REWRITE_MAX) {
		buf_fini(&b);
		return NULL;
	}
	x = c.v ? read_alt(&c) : NULL;
	if (x && !*c.s) {
		judge(x, false, false);
		*never = x->dead;
		print(&b, x);
	} else {
		buf_puts(&b, pattern + b.len); /* whatever it is, the matcher says what is wrong */
	}
	free(c.v);
	if (buf_ok(&b))
		return (char *)b.data;
	buf_fini(&b);
	return NULL;
}
