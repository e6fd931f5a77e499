/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns to texts that they match: for asking two policies the same questions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diff.h"

#define TEXT_MAX 1024
#define VARIANTS 4
#define ALTERNATIVES_MAX 32

void pool_addn(struct pool *p, const char *text, size_t n)
{
	size_t max = p->max ? p->max : POOL_MAX;

	if (p->n == max * 4) {
		pool_done(p);
		if (p->n >= max) {
			p->full = true;
			return;
		}
	}
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		char **v = realloc(p->v, cap * sizeof(char *));

		if (!v) {
			p->full = true;
			return;
		}
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n] = strndup(text, n);
	if (p->v[p->n])
		p->n++;
	else
		p->full = true;
}

void pool_add(struct pool *p, const char *text)
{
	pool_addn(p, text, strlen(text));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void pool_done(struct pool *p)
{
	size_t n = 0;

	if (p->n)
		qsort(p->v, p->n, sizeof(char *), by_text);
	for (size_t i = 0; i < p->n; i++) {
		if (n && !strcmp(p->v[n - 1], p->v[i]))
			free(p->v[i]);
		else
			p->v[n++] = p->v[i];
	}
	p->n = n;
}

void pool_fini(struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	*p = (struct pool){ 0 };
}

/* One text being made: variant chooses the numbers of repetitions, alternative which of a group is taken. */
struct making { char text[TEXT_MAX]; size_t n; unsigned variant, alternative; char sep; bool bad; };

/* How many alternatives are worth trying, at most. */
static unsigned alternatives(const char *s, char between)
{
	unsigned n = 1;

	for (; *s && n < ALTERNATIVES_MAX; s++)
		n += *s == between;
	return n;
}

static void put(struct making *k, char c)
{
	if (k->n + 1 < sizeof(k->text) && c)
		k->text[k->n++] = c;
	else
		k->bad = true;
}

/* Behind the bracket that closes the set that begins at s; NULL when none does. first: a "]" there is a member. */
static const char *set_end(const char *s, const char *end, char no)
{
	const char *p = s + 1;

	if (p < end && *p == no)
		p++;
	for (bool first = true; p < end; first = false, p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == ']' && !first)
			return p + 1;
	}
	return NULL;
}

/* The regular expression's set: its last byte. */
static const char *set_last(const char *s, const char *end)
{
	const char *behind = set_end(s, end, '^');

	return behind ? behind - 1 : NULL;
}

static bool set_has(const char *s, const char *end, char c)
{
	for (; s < end; s++) {
		unsigned char lo, hi;

		s += *s == '\\' && s + 1 < end;
		lo = hi = (unsigned char)*s;
		if (s + 2 < end && s[1] == '-') {
			s += 2;
			s += *s == '\\' && s + 1 < end;
			hi = (unsigned char)*s;
		}
		if ((unsigned char)c >= lo && (unsigned char)c <= hi)
			return true;
	}
	return false;
}

static void put_member(struct making *k, const char *s, const char *end, char no)
{
	static const char tries[] = "xa1_-. Z/@%";
	const char *t = tries;

	if (s[1] != no) {
		put(k, s[1 + (s[1] == '\\')]);
		return;
	}
	while (*t && (set_has(s + 2, end - 1, *t) || *t == k->sep))
		t++;
	put(k, *t);
}

static void glob(struct making *k, const char *g, const char *end);

/* Behind the group's brace; NULL when it is not closed. One of its alternatives was put. */
static const char *glob_group(struct making *k, const char *g, const char *end)
{
	const char *begin[64], *stop[64], *from = g + 1;
	size_t n = 0;
	int depth = 0;

	for (const char *p = g; p < end; p++) {
		if (*p == '\\') {
			p++;
		} else if (*p == '{') {
			depth++;
		} else if ((*p == ',' && depth == 1) || (*p == '}' && --depth == 0)) {
			if (n < ARRAY_LEN(begin)) {
				begin[n] = from;
				stop[n++] = p;
			}
			from = p + 1;
			if (*p == '}') {
				glob(k, begin[k->alternative % n], stop[k->alternative % n]);
				return p + 1;
			}
		}
	}
	return NULL;
}

static void glob(struct making *k, const char *g, const char *end)
{
	while (g < end && !k->bad) {
		const char *next = NULL;

		if (*g == '*') {
			bool deep = g + 1 < end && g[1] == '*';

			while (g < end && *g == '*')
				g++;
			if (k->variant != 1 || !k->n || k->text[k->n - 1] == k->sep)
				put(k, 'x');
			if (deep && k->sep && k->variant == 2) {
				put(k, k->sep);
				put(k, 'y');
			}
			continue;
		}
		if (*g == '[' && (next = set_end(g, end, '!')))
			put_member(k, g, next, '!');
		else if (*g == '{')
			next = glob_group(k, g, end);
		if (next) {
			g = next;
			continue;
		}
		if (*g == '?') {
			put(k, 'x');
		} else {
			g += *g == '\\' && g + 1 < end;
			put(k, *g);
		}
		g++;
	}
}

void example_glob(const char *g, char sep, struct pool *out)
{
	for (unsigned v = 0; v < VARIANTS * alternatives(g, ',') && (v == 0 || wild_is(g)); v++) {
		struct making k = { .variant = v % VARIANTS, .alternative = v / VARIANTS, .sep = sep };

		glob(&k, g, g + strlen(g));
		if (!k.bad)
			pool_addn(out, k.text, k.n);
	}
}

static void regex(struct making *k, const char *p, const char *end, int depth);

/* Behind one atom; NULL: not simple. */
static const char *atom_end(const char *p, const char *end)
{
	int depth = 0;

	if (*p == '[')
		return set_end(p, end, '^');
	if (*p == '\\')
		return p + 1 < end ? p + 2 : NULL;
	if (*p != '(')
		return p + 1;
	for (; p < end; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '[' && !(p = set_last(p, end)))
			return NULL;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return NULL;
}

static void escape(struct making *k, char c)
{
	static const char from[] = "dDwWsSnt", to[] = "1xa  x\n\t";
	const char *at = strchr(from, c);

	if (at)
		c = to[at - from];
	if (at || !strchr("bBAzZ", c))
		put(k, c);
}

static void atom(struct making *k, const char *p, const char *end, unsigned nth, int depth)
{
	if (*p == '(') {
		const char *s = p + 1;

		if (*s == '?') /* (?: (?i) (?P<name> */
			while (s < end && *s != ':' && *s != '>' && *s != ')')
				s++;
		s += s < end && (*s == ':' || *s == '>');
		if (s < end - 1)
			regex(k, s, end - 1, depth + 1);
	} else if (*p == '[') {
		put_member(k, p, end, '^');
	} else if (*p == '\\') {
		escape(k, p[1]);
	} else if (*p == '.') {
		put(k, "x "[k->variant == 1 || (k->variant == 3 && nth != 1)]);
	} else if (*p != '^' && *p != '$') {
		put(k, *p);
	}
}

/* How often, and behind the quantifier. */
static unsigned times(const struct making *k, const char **p, const char *end)
{
	static const unsigned many[VARIANTS] = { 0, 1, 1, 3 };
	unsigned n = 1;

	if (*p < end && (**p == '*' || **p == '+' || **p == '?')) {
		n = **p == '?' ? k->variant & 1 : many[k->variant];
		n = **p == '+' && !n ? 1 : n;
		++*p;
	} else if (*p + 2 < end && **p == '{' && (*p)[1] >= '0' && (*p)[1] <= '9') {
		n = 0;
		for (++*p; *p < end && **p >= '0' && **p <= '9'; ++*p)
			n = n < 1000 ? n * 10 + (unsigned)(**p - '0') : n;
		while (*p < end && *(*p)++ != '}')
			;
	} else {
		return 1;
	}
	*p += *p < end && **p == '?'; /* as few as can be */
	return n;
}

/* [p, end): alternatives, of which one is put. */
static void regex(struct making *k, const char *p, const char *end, int depth)
{
	const char *begin[64], *stop[64], *from = p, *next;
	size_t n = 0;

	if (depth > 16)
		k->bad = true;
	for (; p < end && !k->bad; p = next) {
		next = atom_end(p, end);
		if (!next) {
			k->bad = true;
			return;
		}
		if (*p == '|' && n < ARRAY_LEN(begin) - 1) {
			begin[n] = from;
			stop[n++] = p;
			from = next;
		}
	}
	begin[n] = from;
	stop[n++] = end;
	p = begin[k->alternative % n];
	end = stop[k->alternative % n];
	while (p < end && !k->bad) {
		const char *a = p;
		unsigned count;

		next = atom_end(p, end);
		if (!next)
			return;
		p = next;
		count = times(k, &p, end);
		for (unsigned i = 0; i < count && !k->bad; i++)
			atom(k, a, next, i, depth);
	}
}

void example_regex(const char *pattern, struct pool *out)
{
	for (unsigned v = 0; v < VARIANTS * alternatives(pattern, '|'); v++) {
		struct making k = { .variant = v % VARIANTS, .alternative = v / VARIANTS };

		regex(&k, pattern, pattern + strlen(pattern), 0);
		if (!k.bad)
			pool_addn(out, k.text, k.n);
	}
}
