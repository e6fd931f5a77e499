/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, read: classes of bytes, and escapes that are one byte. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/regex_read.h"

struct rx *rx_make_set(struct scan *c, const struct rx_set *s)
{
	struct rx_tree *t = c->t;
	size_t i = 0, bytes = 0;
	uint16_t last = 0;

	for (uint16_t b = 0; b < 256; b++)
		if (rx_has(s, (uint8_t)b)) {
			last = b;
			bytes++;
		}
	if (bytes == 1)
		return rx_make(c, RX_BYTE, last);
	while (i < t->n_sets && memcmp(&t->sets[i], s, sizeof(*s)) != 0)
		i++;
	if (i == RX_SETS_MAX)
		return rx_fail(c, c->s, "Too many different classes");
	if (i == t->n_sets) {
		/* Room for twice as many whenever their number is a power of two. */
		struct rx_set *more = i & (i - 1) ? t->sets : realloc(t->sets, (i ? 2 * i : 1) * sizeof(*more));

		if (!more) {
			c->r = -ENOMEM;
			return NULL;
		}
		t->sets = more;
		t->sets[t->n_sets++] = *s;
	}
	return rx_make(c, RX_SET, (uint16_t)i);
}

void rx_add_range(struct rx_set *s, int from, int to)
{
	for (int b = from; b <= to; b++)
		rx_put(s, (uint8_t)b);
}

static void add_all(struct rx_set *s, const struct rx_set *more, bool not)
{
	for (size_t i = 0; i < 8; i++)
		s->bits[i] |= not ? ~more->bits[i] : more->bits[i];
}

void rx_fold(struct rx_set *s)
{
	for (int b = 'a'; b <= 'z'; b++)
		if (rx_has(s, (uint8_t)b) || rx_has(s, (uint8_t)(b - 32))) {
			rx_put(s, (uint8_t)b);
			rx_put(s, (uint8_t)(b - 32));
		}
}

static bool ascii(int b, int (*is)(int))
{
	return b < 128 && is(b);
}

static int is_word(int b) { return isalnum(b) || b == '_'; }
static int is_ascii(int b) { return b < 128; }
/* RE2's \s is without \v. */
static int is_blank(int b) { return b == ' ' || b == '\t' || b == '\n' || b == '\f' || b == '\r'; }

static void add_named(struct rx_set *s, int (*is)(int), bool not)
{
	struct rx_set named = { 0 };

	for (int b = 0; b < 256; b++)
		if (ascii(b, is))
			rx_put(&named, (uint8_t)b);
	add_all(s, &named, not);
}

/* \d and the like; false: it is none. */
bool rx_perl(char letter, struct rx_set *s)
{
	int (*is)(int) = strchr("dD", letter) ? isdigit : strchr("wW", letter) ? is_word : strchr("sS", letter) ? is_blank : NULL;

	if (letter && is)
		add_named(s, is, letter < 'a');
	return letter && is;
}

/* An escape that is one byte: that, and what is read is behind it; -1: reported. */
int rx_escape(struct scan *c)
{
	static const char letters[] = "afnrtv", bytes[] = "\a\f\n\r\t\v";
	const char *at = c->s, *s = at + 1, *found = *s ? strchr(letters, *s) : NULL;
	int v = 0;

	if (found) {
		c->s = s + 1;
		return bytes[found - letters];
	}
	if (*s == 'x') {
		bool open = *++s == '{';
		const char *digits = s += open;

		for (; isxdigit((unsigned char)*s) && v < 256 && (open || s - digits < 2); s++)
			v = v * 16 + (isdigit((unsigned char)*s) ? *s - '0' : (*s | 32) - 'a' + 10);
		if (v > 255)
			rx_fail(c, at, "Patterns are of bytes, so \\x is ff at most: write a character beyond ASCII as itself,");
		else if (open ? s == digits || *s != '}' : s - digits != 2)
			rx_fail(c, at, "Unfinished \\x");
		s += open && !c->r;
	} else if (*s == '0' || (*s >= '1' && *s <= '7' && s[1] >= '0' && s[1] <= '7')) {
		for (int i = 0; i < 3 && *s >= '0' && *s <= '7'; i++)
			v = v * 8 + *s++ - '0';
		if (v > 255)
			rx_fail(c, at, "A byte is \\377 at most");
	} else if (isdigit((unsigned char)*s)) {
		rx_fail(c, at, "A back-reference is not supported");
	} else if (*s == 'p' || *s == 'P') {
		rx_fail(c, at, "Patterns are of bytes, so \\%c is not supported: use [[:alpha:]] or the like, of ASCII,", *s);
	} else if (!*s) {
		rx_fail(c, at, "Nothing behind the \\");
	} else if (isalpha((unsigned char)*s)) {
		rx_fail(c, at, "\\%c is not supported", *s);
	} else {
		v = (unsigned char)*s++;
	}
	c->s = s;
	return c->r ? -1 : v;
}

/* [:alpha:], [:^alpha:]; 0: it is none. */
static int posix(struct scan *c, struct rx_set *s)
{
	static const struct { const char *name; int (*is)(int); } v[] = {
		{ "alnum", isalnum }, { "alpha", isalpha }, { "ascii", is_ascii }, { "blank", isblank }, { "cntrl", iscntrl },
		{ "digit", isdigit }, { "graph", isgraph }, { "lower", islower }, { "print", isprint }, { "punct", ispunct },
		{ "space", isspace }, { "upper", isupper }, { "word", is_word }, { "xdigit", isxdigit },
	};
	const char *end = !strncmp(c->s, "[:", 2) ? strstr(c->s + 2, ":]") : NULL;
	bool not = end && c->s[2] == '^';
	const char *name = c->s + 2 + not;

	if (!end)
		return 0;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if ((size_t)(end - name) == strlen(v[i].name) && !strncmp(name, v[i].name, strlen(v[i].name))) {
			add_named(s, v[i].is, not);
			c->s = end + 2;
			return 1;
		}
	rx_fail(c, c->s, "Unknown class name");
	return -1;
}

/* One byte of a class; -1: reported. */
static int class_byte(struct scan *c)
{
	if (*c->s == '\\')
		return rx_escape(c);
	if ((unsigned char)*c->s >= 128) {
		rx_fail(c, c->s, "A character beyond ASCII in a class is not supported, write (?:a|b),");
		return -1;
	}
	return *c->s ? *c->s++ : 0;
}

struct rx *rx_read_class(struct scan *c)
{
	const char *open = c->s;
	struct rx_set s = { 0 }, not = { 0 };
	bool negated = c->s[1] == '^', first = true;

	for (c->s += 1 + negated; !c->r && (*c->s != ']' || first); first = false) {
		const char *at = c->s;
		int from, to;

		if (!*at)
			return rx_fail(c, open, "Missing ] for the class");
		if (posix(c, &s))
			continue;
		if (*at == '\\' && rx_perl(at[1], &s)) {
			c->s += 2;
			if (*c->s == '-' && c->s[1] != ']')
				rx_fail(c, at, "Bad range");
			continue;
		}
		from = to = class_byte(c);
		if (!c->r && *c->s == '-' && c->s[1] && c->s[1] != ']') {
			c->s++;
			if (*c->s == '\\' && c->s[1] && strchr("dDwWsS", c->s[1]))
				return rx_fail(c, at, "Bad range");
			to = class_byte(c);
		}
		if (c->r || from > to)
			return rx_fail(c, at, "Bad range");
		rx_add_range(&s, from, to);
	}
	if (c->r)
		return NULL;
	c->s++;
	if (c->f.fold)
		rx_fold(&s);
	if (negated)
		add_all(&not, &s, true);
	return rx_make_set(c, negated ? &not : &s);
}
