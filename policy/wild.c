/* SPDX-License-Identifier: Apache-2.0 */
/* Globs matched directly, for short names: * stays between separators, ** crosses them, ?, [a-z], [!x], {a,b}, backslash. */
#include <stdbool.h>
#include <string.h>

#include "policy/model.h"

#define WILD_STEPS 200000 /* a hostile pattern costs this much and then does not match */

bool wild_is(const char *s)
{
	return strpbrk(s, "*?[{\\") != NULL;
}

/* One [set] against c; *end is behind the set. Returns -1 when the set is not closed. */
static int set_match(const char *g, char c, const char **end)
{
	bool no = g[1] == '!', in = false;
	const char *p = g + 1 + no;

	for (bool first = true; *p && (first || *p != ']'); first = false) {
		char lo = *p == '\\' && p[1] ? *++p : *p;
		char hi = lo;

		p++;
		if (p[0] == '-' && p[1] && p[1] != ']') {
			hi = p[1];
			p += 2;
		}
		in |= c >= lo && c <= hi;
	}
	if (*p != ']')
		return -1;
	*end = p + 1;
	return in != no;
}

static const char *brace_end(const char *g)
{
	int depth = 0;

	for (; *g; g++) {
		if (*g == '\\' && g[1])
			g++;
		else if (*g == '{')
			depth++;
		else if (*g == '}' && --depth == 0)
			return g;
	}
	return NULL;
}

static bool match(const char *g, const char *t, char sep, int *steps);

/* {a,b}rest: each alternative put before the rest. */
static bool alternatives(const char *g, const char *t, char sep, int *steps)
{
	const char *end = brace_end(g), *from = g + 1;
	char joined[1024];
	int depth = 0;

	if (!end)
		return false;
	for (const char *p = g + 1; p <= end; p++) {
		if (*p == '\\' && p[1]) {
			p++;
			continue;
		}
		if (*p == '{')
			depth++;
		if (*p == '}' && p != end)
			depth--;
		if ((*p == ',' && depth == 0) || p == end) {
			size_t n = (size_t)(p - from), rest = strlen(end + 1);

			if (n + rest + 1 <= sizeof(joined)) {
				memcpy(joined, from, n);
				memcpy(joined + n, end + 1, rest + 1);
				if (match(joined, t, sep, steps))
					return true;
			}
			from = p + 1;
		}
	}
	return false;
}

static bool match(const char *g, const char *t, char sep, int *steps)
{
	for (; *g; g++) {
		const char *end;

		if (--*steps < 0)
			return false;
		if (*g == '*') {
			bool deep = g[1] == '*';

			while (*g == '*')
				g++;
			for (;; t++) {
				if (match(g, t, sep, steps))
					return true;
				if (!*t || (!deep && sep && *t == sep))
					return false;
			}
		}
		if (*g == '{')
			return alternatives(g, t, sep, steps);
		if (!*t)
			return false;
		if (*g == '[' && set_match(g, *t, &end) >= 0) {
			if (!set_match(g, *t, &end) || (sep && *t == sep))
				return false;
			g = end - 1;
		} else if (*g == '?') {
			if (sep && *t == sep)
				return false;
		} else {
			if (*g == '\\' && g[1])
				g++;
			if (*g != *t)
				return false;
		}
		t++;
	}
	return !*t;
}

bool wild_match(const char *glob, const char *text, char sep)
{
	int steps = WILD_STEPS;

	return match(glob, text, sep, &steps);
}
