/* SPDX-License-Identifier: Apache-2.0 */
/* Globs matched in the plainest way, as an independent second opinion for tests: alternatives are written out, everything is tried. */
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

static bool naive(const char *g, size_t n, const char *t, char sep, int *steps)
{
	size_t k;
	bool hit;

	if (--*steps < 0)
		return false;
	if (n == 0)
		return !*t;
	if (*g == '*') {
		bool deep = n > 1 && g[1] == '*';

		for (k = 0; k < n && g[k] == '*'; k++)
			;
		for (;; t++) {
			if (naive(g + k, n - k, t, sep, steps))
				return true;
			if (!*t || (*t == sep && sep && !deep))
				return false;
		}
	}
	k = *g == '{' ? naive_brace(g, n) : 0;
	if (k) {
		int depth = 0;

		for (size_t i = 1, from = 1; i < k; i++) {
			if (g[i] == '\\') {
				i++;
				continue;
			}
			depth += g[i] == '{';
			if ((g[i] == ',' && depth == 0) || i == k - 1) {
				size_t part = i - from, rest = n - k;
				char *joined = malloc(part + rest + 1);
				bool yes;

				if (!joined)
					abort();
				memcpy(joined, g + from, part);
				memcpy(joined + part, g + k, rest);
				yes = naive(joined, part + rest, t, sep, steps);
				free(joined);
				if (yes)
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
		return hit && (!sep || *t != sep) && naive(g + k, n - k, t + 1, sep, steps);
	if (*g == '?')
		return (!sep || *t != sep) && naive(g + 1, n - 1, t + 1, sep, steps);
	k = *g == '\\' && n > 1;
	return g[k] == *t && naive(g + k + 1, n - k - 1, t + 1, sep, steps);
}

#endif
