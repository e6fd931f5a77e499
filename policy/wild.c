/* SPDX-License-Identifier: Apache-2.0 */
/* Globs matched directly, for names without an automaton: * stays between separators, ** crosses them, ?, [a-z], [!x], {a,b}, backslash.
 * All places that the glob can be at are followed at once, so no text makes it cost more than glob times text. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "policy/model.h"

enum piece { P_BYTE, P_ANY, P_STAR, P_SET, P_GROUP, P_JUMP };
struct glob {
	const char *g;
	size_t n;
	char sep;
	uint8_t piece[WILD_MAX + 1];
	uint16_t next[WILD_MAX + 1];    /* the place behind this piece */
	uint16_t other[WILD_MAX + 1];   /* GROUP, and JUMP between alternatives: the separator that follows; 0 at the last */
	uint64_t steps;                 /* bytes read to prepare it, and places entered */
};
struct places { uint16_t v[WILD_MAX + 1]; size_t n; bool in[WILD_MAX + 1]; };

bool wild_is(const char *s)
{
	for (; *s; s++)
		if (*s == '*' || *s == '?' || *s == '[' || *s == '{' || *s == '\\')
			return true; /* strpbrk makes a table of 256 bytes at each call */
	return false;
}

/* Behind the "]" of the set that begins at i; 0 when it is not closed before `to`. */
static size_t set_end(const char *g, size_t i, size_t to)
{
	size_t at = i + 1 + (i + 1 < to && g[i + 1] == '!');

	for (bool first = true; at < to && (first || g[at] != ']'); first = false)
		at += g[at] == '\\' && at + 1 < to ? 2 : 1;
	return at < to ? at + 1 : 0;
}

size_t wild_group_end(const char *g, size_t i, size_t to)
{
	int depth = 0;

	for (; i < to; i++) {
		if (g[i] == '\\')
			i++;
		else if (g[i] == '{')
			depth++;
		else if (g[i] == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static void prepare(struct glob *w, size_t from, size_t to);

/* The alternatives of the group [from, end): each place behind a piece is either in the same alternative or its separator. */
static void prepare_group(struct glob *w, size_t from, size_t end)
{
	size_t last = from, begin = from + 1;
	int depth = 0;

	w->piece[from] = P_GROUP;
	w->steps += 3 * (end - from); /* here, and twice to find its end */
	for (size_t i = from + 1; i < end; i++) {
		if (w->g[i] == '\\') {
			i++;
			continue;
		}
		depth += w->g[i] == '{';
		if ((w->g[i] == ',' && depth == 0) || i == end - 1) {
			prepare(w, begin, i);
			w->piece[i] = P_JUMP;
			w->next[i] = (uint16_t)end;
			w->other[last] = (uint16_t)i;
			w->other[i] = 0;
			last = i;
			begin = i + 1;
		}
		depth -= w->g[i] == '}';
	}
}

static void prepare(struct glob *w, size_t from, size_t to)
{
	const char *g = w->g;

	for (size_t i = from; i < to;) {
		size_t end = i + 1;

		w->steps++;
		w->piece[i] = P_BYTE;
		if (g[i] == '*') {
			w->piece[i] = P_STAR;
			while (end < to && g[end] == '*')
				end++;
		} else if (g[i] == '?') {
			w->piece[i] = P_ANY;
		} else if (g[i] == '[' && set_end(g, i, to)) {
			w->piece[i] = P_SET;
			end = set_end(g, i, to);
		} else if (g[i] == '{' && wild_group_end(g, i, to)) {
			end = wild_group_end(g, i, to);
			prepare_group(w, i, end);
		} else if (g[i] == '\\' && end < to) {
			end++;
		} else if (g[i] == '[' || g[i] == '{') {
			w->steps += to - i;
		}
		w->next[i] = (uint16_t)end;
		i = end;
	}
}

static void enter(const struct glob *w, struct places *p, size_t i)
{
	while (!p->in[i]) {
		p->in[i] = true;
		p->v[p->n++] = (uint16_t)i;
		if (i == w->n || w->piece[i] == P_BYTE || w->piece[i] == P_ANY || w->piece[i] == P_SET)
			return;
		for (size_t s = i; w->piece[i] == P_GROUP && w->other[s]; s = w->other[s])
			enter(w, p, s + 1);
		if (w->piece[i] == P_GROUP)
			return;
		i = w->next[i];
	}
}

static bool set_has(const char *g, size_t i, size_t end, unsigned char c)
{
	bool in = false;

	for (i += 1 + (g[i + 1] == '!'); i + 1 < end;) {
		unsigned char lo, hi;

		i += g[i] == '\\' && i + 2 < end;
		lo = hi = (unsigned char)g[i++];
		if (i + 2 < end && g[i] == '-') {
			i += 1 + (g[i + 1] == '\\' && i + 3 < end);
			hi = (unsigned char)g[i++];
		}
		in |= c >= lo && c <= hi;
	}
	return in;
}

static void step(const struct glob *w, struct places *to, size_t i, unsigned char c)
{
	const char *g = w->g;
	bool sep = w->sep && c == (unsigned char)w->sep, fold = !w->sep;
	unsigned char b;

	switch (w->piece[i]) {
	case P_STAR:
		if (!sep || w->next[i] - i > 1)
			enter(w, to, i);
		break;
	case P_ANY:
		if (!sep)
			enter(w, to, w->next[i]);
		break;
	case P_SET:
		if (!sep && (set_has(g, i, w->next[i], c) || (fold && set_has(g, i, w->next[i], (unsigned char)toupper(c)))) !=
				    (g[i + 1] == '!'))
			enter(w, to, w->next[i]);
		break;
	case P_BYTE:
		b = (unsigned char)g[w->next[i] - 1];
		if (b == c || (fold && tolower(b) == c))
			enter(w, to, w->next[i]);
		break;
	default:
		break;
	}
}

bool wild_plain(char c)
{
	return c && c != '*' && c != '?' && c != '[' && c != ']' && c != '{' && c != '}' && c != ',' && c != '\\';
}

static char folded(char c, bool fold)
{
	return (char)(fold && c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

/* Whether text begins and ends as the glob does before its first and behind its last special byte: what does not cannot match, and that
 * is most of what is asked. */
static bool ends_alike(const char *glob, const char *text, bool fold)
{
	const char *g = glob, *t = text;

	for (; wild_plain(*g); g++, t++)
		if (folded(*g, fold) != *t)
			return false;
	if (!*g)
		return !*t;
	g += strlen(g);
	t += strlen(t);
	for (; wild_plain(g[-1]); g--, t--)
		if (t == text || t[-1] != folded(g[-1], fold))
			return false;
	return true;
}

__attribute__((noinline)) static bool follow(const char *glob, const char *text, char sep, uint64_t *steps)
{
	struct glob w = { .g = glob, .n = strlen(glob), .sep = sep };
	struct places a, b, *now = &a, *then = &b;

	if (w.n > WILD_MAX)
		return false;
	prepare(&w, 0, w.n);
	memset(a.in, 0, w.n + 1);
	a.n = 0;
	enter(&w, now, 0);
	for (; *text && now->n; text++) {
		struct places *t = then;

		memset(then->in, 0, w.n + 1);
		then->n = 0;
		for (size_t i = 0; i < now->n; i++)
			if (now->v[i] < w.n)
				step(&w, then, now->v[i], (unsigned char)*text);
		w.steps += w.n / 64 + now->n + t->n;
		then = now;
		now = t;
	}
	*steps += w.steps;
	return now->in[w.n] && !*text;
}

/* Apart, so that the places are no stack of a question that ends early. */
bool wild_match(const char *glob, const char *text, char sep)
{
	uint64_t steps = 0;

	return ends_alike(glob, text, !sep) && follow(glob, text, sep, &steps);
}

bool wild_match_counted(const char *glob, const char *text, char sep, uint64_t *steps)
{
	return ends_alike(glob, text, !sep) && follow(glob, text, sep, steps);
}
