/* SPDX-License-Identifier: Apache-2.0 */
/* Globs to positions. */
#include "policy/nfa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS_SHARED 64  /* looked through before a set is made once more */

static uint32_t node(struct nfa *n, enum kind kind, uint32_t a, uint32_t b)
{
	if (n->n == n->cap) {
		uint32_t cap = n->cap ? n->cap * 2 : 1024;
		struct nnode *v = cap > NODES_MAX ? NULL : realloc(n->v, cap * sizeof(*v));

		if (!v) {
			n->full = true;
			return 0;
		}
		n->v = v;
		n->cap = cap;
	}
	n->v[n->n] = (struct nnode){ .kind = kind, .a = a, .b = b, .rule = n->rule };
	return n->n++;
}

static void set_byte(uint8_t *s, unsigned c)
{
	s[c >> 3] |= (uint8_t)(1u << (c & 7));
}

static uint32_t set_node(struct nfa *n, const uint8_t set[32], uint32_t to)
{
	uint32_t x = node(n, N_SET, to, NONE), k = 0;

	if (n->full)
		return 0;
	while (k < n->n_sets && k < SETS_SHARED && memcmp(n->sets[k], set, 32) != 0)
		k++;
	if (k == SETS_SHARED)
		k = n->n_sets;
	if (k == n->cap_sets) {
		uint32_t cap = n->cap_sets ? n->cap_sets * 2 : 16;
		uint8_t (*v)[32] = realloc(n->sets, cap * sizeof(*v));

		if (!v) {
			n->full = true;
			return 0;
		}
		n->sets = v;
		n->cap_sets = cap;
	}
	if (k == n->n_sets)
		memcpy(n->sets[n->n_sets++], set, 32);
	n->v[x].set = NSET_BYTES + k;
	return x;
}

static uint32_t any_node(struct nfa *n, bool slash, uint32_t to)
{
	uint8_t set[32];

	memset(set, 0xff, sizeof(set));
	set[0] &= (uint8_t)~1u; /* NUL is in no name */
	if (!slash)
		set['/' >> 3] &= (uint8_t)~(1u << ('/' & 7));
	return set_node(n, set, to);
}

static uint32_t build(struct nfa *n, const char *g, size_t len, uint32_t to);

static size_t set_len(const char *g, size_t len)
{
	size_t i = 1 + (len > 1 && g[1] == '!');

	for (bool first = true; i < len && (first || g[i] != ']'); first = false)
		i += g[i] == '\\' && i + 1 < len ? 2 : 1;
	return i < len ? i + 1 : 0;
}

static size_t piece_len(const char *g, size_t len)
{
	switch (g[0]) {
	case '*':
		return strspn(g, "*") < len ? strspn(g, "*") : len;
	case '[':
		return set_len(g, len) ? set_len(g, len) : 1;
	case '{':
		return wild_group_end(g, 0, len) ? wild_group_end(g, 0, len) : 1;
	case '\\':
		return len > 1 ? 2 : 1;
	default:
		return 1;
	}
}

static uint32_t build_class(struct nfa *n, const char *g, size_t len, uint32_t to)
{
	uint8_t s[32] = { 0 }, set[32] = { 0 };
	bool no = g[1] == '!';

	for (size_t i = 1 + no; i + 1 < len;) {
		unsigned lo, hi;

		i += g[i] == '\\' && i + 2 < len;
		lo = hi = (uint8_t)g[i++];
		if (i + 2 < len && g[i] == '-') {
			i += 1 + (g[i + 1] == '\\');
			hi = (uint8_t)g[i++];
		}
		for (unsigned c = lo; c <= hi; c++)
			set_byte(s, c);
	}
	for (unsigned c = 1; c < 256; c++)
		if (c != '/' && ((s[c >> 3] >> (c & 7) & 1) != 0) != no)
			set_byte(set, c);
	return set_node(n, set, to);
}

static uint32_t build_alternatives(struct nfa *n, const char *g, size_t len, uint32_t to)
{
	uint32_t head = NONE;
	size_t from = 1;
	int depth = 0;

	for (size_t i = 1; i < len; i++) {
		if (g[i] == '\\') {
			i++;
			continue;
		}
		depth += g[i] == '{';
		if ((g[i] == ',' && depth == 0) || i == len - 1) {
			uint32_t one = build(n, g + from, i - from, to);

			head = head == NONE ? one : node(n, N_SPLIT, one, head);
			from = i + 1;
		}
		depth -= g[i] == '}';
	}
	return head;
}

/* Backwards: the program of g[0..len) that goes on to `to`. Pieces are found forwards, linked from the end. */
static uint32_t build(struct nfa *n, const char *g, size_t len, uint32_t to)
{
	uint32_t rest;
	size_t k;

	if (len == 0 || n->full)
		return to;
	k = piece_len(g, len);
	rest = build(n, g + k, len - k, to);
	if (g[0] == '*') {
		uint32_t loop = node(n, N_SPLIT, NONE, rest), any = any_node(n, k > 1, loop);

		if (n->full)
			return 0;
		n->v[loop].a = any;
		/* A trailing ** matches whatever follows: from here on the glob has matched for good. */
		n->v[any].sticky = k > 1 && rest < n->n && n->v[rest].kind == N_ACCEPT;
		return loop;
	}
	if (g[0] == '?')
		return any_node(n, false, rest);
	if (g[0] == '[' && k > 1)
		return build_class(n, g, k, rest);
	if (g[0] == '{' && k > 1)
		return build_alternatives(n, g, k, rest);
	{
		uint32_t x = node(n, N_SET, rest, NONE);

		if (!n->full)
			n->v[x].set = (uint8_t)g[k - 1];
		return x;
	}
}

static void start(struct nfa *n, uint32_t at)
{
	uint32_t x = node(n, N_SPLIT, at, NONE);

	if (!n->full)
		n->v[x].rule = NO_RULE;
}

/* What may begin in any directory waits for one in one place, not once a glob: at the nodes below NFA_WAITS. */
static void wait_in_one_place(struct nfa *n, uint32_t at)
{
	if (n->deep == NONE)
		start(n, n->wait);
	n->deep = n->deep == NONE ? at : node(n, N_SPLIT, at, n->deep);
	if (!n->full)
		n->v[0].a = n->deep;
}

void nfa_begin(struct nfa *n)
{
	*n = (struct nfa){ .deep = NONE };
	n->wait = build(n, "**/", 3, NONE);
}

void nfa_fini(struct nfa *n)
{
	free(n->v);
	free(n->sets);
	*n = (struct nfa){ 0 };
}

bool nfa_add(struct nfa *n, const struct strs *globs, uint32_t rule)
{
	bool waits = false;

	n->rule = rule;
	for (size_t i = 0; i < globs->n && !n->full; i++) {
		const char *g = globs->v[i];
		bool anywhere = !strncmp(g, "**/", 3);
		uint32_t at = node(n, N_ACCEPT, NONE, NONE);

		if (n->full)
			break;
		at = build(n, g + (anywhere ? 3 : 0), strlen(g) - (anywhere ? 3 : 0), at);
		if (anywhere)
			wait_in_one_place(n, at);
		else
			start(n, at);
		waits |= anywhere;
	}
	return waits;
}

int glob_check(const char *g, char *why, size_t cap)
{
	size_t len = strlen(g);

	if (len > 4096)
		return snprintf(why, cap, "longer than 4096 bytes"), -EINVAL;
	for (size_t i = 0; i < len; i += piece_len(g + i, len - i)) {
		if (g[i] == '[' && !set_len(g + i, len - i))
			return snprintf(why, cap, "\"[\" without \"]\" (write \\[ for the character)"), -EINVAL;
		if (g[i] == '{' && !wild_group_end(g + i, 0, len - i))
			return snprintf(why, cap, "\"{\" without \"}\" (write \\{ for the character)"), -EINVAL;
		if (g[i] == '\\' && i + 1 == len)
			return snprintf(why, cap, "a backslash at the end"), -EINVAL;
	}
	return 0;
}
