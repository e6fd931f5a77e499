/* SPDX-License-Identifier: Apache-2.0 */
/* Globs matched in the plainest way, as an independent second opinion for tests: everything is tried. */
#ifndef TESTS_FUZZ_NAIVE_H
#define TESTS_FUZZ_NAIVE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The brace group that begins at g: its length, or 0 when it is not closed. Brackets mean nothing inside. */
static size_t naive_brace(const char *g, size_t n)
{
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		if (g[i] == '\\')
			i++;
		else if (g[i] == '{')
			depth++;
		else if (g[i] == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* A set's length with its brackets, or 0; *hit says whether c is in it. "]" right behind "[" or "[!" is a member. */
static size_t naive_set(const char *g, size_t n, unsigned char c, bool *hit)
{
	size_t i = 1, end;
	bool no = n > 1 && g[1] == '!', in = false;

	i += no;
	for (end = i; end < n && (end == i || g[end] != ']'); end++)
		end += g[end] == '\\' && end + 1 < n;
	if (end >= n)
		return 0;
	while (i < end) {
		unsigned char lo, hi;

		i += g[i] == '\\' && i + 1 < end;
		lo = hi = (unsigned char)g[i++];
		if (i + 1 < end && g[i] == '-') {
			i++;
			i += g[i] == '\\' && i + 1 < end;
			hi = (unsigned char)g[i++];
		}
		in |= c >= lo && c <= hi;
	}
	*hit = in != no;
	return end + 1;
}

/* What follows a piece of glob; NULL: the end. */
struct naive_rest { const char *g; size_t n; const struct naive_rest *rest; };

static bool naive_go(const char *g, size_t n, const struct naive_rest *rest, const char *t, char sep, int *steps)
{
	size_t k;
	bool hit;

	if (--*steps < 0)
		return false;
	if (n == 0)
		return rest ? naive_go(rest->g, rest->n, rest->rest, t, sep, steps) : !*t;
	if (*g == '*') {
		bool deep = n > 1 && g[1] == '*';

		for (k = 0; k < n && g[k] == '*'; k++)
			;
		for (;; t++) {
			if (naive_go(g + k, n - k, rest, t, sep, steps))
				return true;
			if (!*t || (*t == sep && sep && !deep))
				return false;
		}
	}
	k = *g == '{' ? naive_brace(g, n) : 0;
	if (k) {
		struct naive_rest after = { g + k, n - k, rest };
		int depth = 0;

		for (size_t i = 1, from = 1; i < k; i++) {
			if (g[i] == '\\') {
				i++;
				continue;
			}
			depth += g[i] == '{';
			if ((g[i] == ',' && depth == 0) || i == k - 1) {
				if (naive_go(g + from, i - from, &after, t, sep, steps))
					return true;
				from = i + 1;
			}
			depth -= g[i] == '}';
		}
		return false;
	}
	if (!*t)
		return false;
	k = *g == '[' ? naive_set(g, n, (unsigned char)*t, &hit) : 0;
	if (k)
		return hit && (!sep || *t != sep) && naive_go(g + k, n - k, rest, t + 1, sep, steps);
	if (*g == '?')
		return (!sep || *t != sep) && naive_go(g + 1, n - 1, rest, t + 1, sep, steps);
	k = *g == '\\' && n > 1;
	return g[k] == *t && naive_go(g + k + 1, n - k - 1, rest, t + 1, sep, steps);
}

/* *steps bounds the work; below 0 afterwards: no answer. */
static inline bool naive(const char *g, const char *t, char sep, int *steps)
{
	return naive_go(g, strlen(g), NULL, t, sep, steps);
}

#endif
