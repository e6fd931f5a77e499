/* SPDX-License-Identifier: Apache-2.0 */
/* Globs to positions. */
#include "policy/dfa.h"
#include "policy/nfa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 32  /* groups within groups */
#define SETS_SHARED 64  /* looked through before a set is made once more */
#define ALIKE_MAX 512   /* nodes looked through for a beginning that is there already */

static uint32_t node(struct nfa *n, enum nkind kind, uint32_t set, uint32_t a)
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
	n->v[n->n] = (struct nnode){ .kind = kind, .set = set, .a = a, .next = NONE, .rule = n->rule, .ops = n->ops };
	return n->n++;
}

static void set_byte(uint8_t *s, unsigned c)
{
	s[c >> 3] |= (uint8_t)(1u << (c & 7));
}

/* The number of a set; an equal one's, when it is among the first. */
static uint32_t set_number(struct nfa *n, const uint8_t set[32])
{
	uint32_t k = 0;

	while (k < n->n_sets && k < SETS_SHARED && memcmp(n->sets[k], set, 32) != 0)
		k++;
	if (k == SETS_SHARED)
		k = n->n_sets;
	if (k == n->cap_sets) {
		uint32_t cap = n->cap_sets ? n->cap_sets * 2 : 16;
		uint8_t (*v)[32] = realloc(n->sets, cap * sizeof(*v));

		if (!v) {
			n->full = true;
			return NSET_ANY;
		}
		n->sets = v;
		n->cap_sets = cap;
	}
	if (k == n->n_sets)
		memcpy(n->sets[n->n_sets++], set, 32);
	return NSET_BYTES + k;
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

/* The set of a "[...]" of len bytes. A slash is in none. */
static uint32_t class_number(struct nfa *n, const char *g, size_t len)
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
	return set_number(n, set);
}

/* What a piece of k bytes that is no group takes, and whether it takes it again and again. */
static enum nkind piece(struct nfa *n, const char *g, size_t k, uint32_t *ret_set)
{
	if (g[0] == '*')
		*ret_set = k > 1 ? NSET_ANY : NSET_NAME;
	else if (g[0] == '?')
		*ret_set = NSET_NAME;
	else if (g[0] == '[' && k > 1)
		*ret_set = class_number(n, g, k);
	else
		*ret_set = (uint8_t)g[k - 1];
	return g[0] == '*' ? N_LOOP : N_SET;
}

static uint32_t build_alternatives(struct nfa *n, const char *g, size_t len, uint32_t to)
{
	uint32_t head = NONE;
	size_t from = 1;
	int depth = 0;

	for (size_t i = 1; i < len && !n->full; i++) {
		if (g[i] == '\\') {
			i++;
			continue;
		}
		depth += g[i] == '{';
		if ((g[i] == ',' && depth == 0) || i == len - 1) {
			uint32_t one = node(n, N_EPS, 0, build(n, g + from, i - from, to));

			if (!n->full)
				n->v[one].next = head;
			head = one;
			from = i + 1;
		}
		depth -= g[i] == '}';
	}
	return head;
}

/* Backwards: the program of g[0..len) that goes on to `to`. Pieces are found forwards, linked from the end. */
static uint32_t build(struct nfa *n, const char *g, size_t len, uint32_t to)
{
	uint32_t rest, set;
	enum nkind kind;
	size_t k;

	if (len == 0 || n->full)
		return to;
	k = piece_len(g, len);
	if (g[0] == '*' && k > 1 && k == len && n->v[to].kind == N_ACCEPT)
		return node(n, N_FOREVER, NSET_ANY, NONE);
	rest = build(n, g + k, len - k, to);
	if (g[0] == '{' && k > 1)
		return build_alternatives(n, g, k, rest);
	kind = piece(n, g, k, &set);
	return node(n, kind, set, rest);
}

/* Puts a node into the list behind `at`. */
static void hang(struct nfa *n, uint32_t at, uint32_t x)
{
	if (n->full)
		return;
	n->v[x].next = n->v[at].a;
	n->v[at].a = x;
}

/* The node behind `at` for a piece that globs before this one may begin with as well. */
static uint32_t shared(struct nfa *n, uint32_t at, enum nkind kind, uint32_t set)
{
	uint32_t x = n->v[at].a;

	for (int looked = 0; x != NONE && looked < ALIKE_MAX; looked++, x = n->v[x].next)
		if (n->v[x].shared && n->v[x].kind == kind && n->v[x].set == set) {
			n->v[x].ops |= n->ops;
			return x;
		}
	x = node(n, kind, set, NONE);
	hang(n, at, x);
	if (!n->full)
		n->v[x].shared = true;
	return x;
}

/* The number of a group of k bytes among those that globs may share; GROUPS_SHARED: it is none of them. */
static uint32_t group_number(struct nfa *n, const char *g, size_t k)
{
	for (uint32_t i = 0; i < n->n_groups; i++)
		if (n->groups[i].n == k && !memcmp(n->groups[i].g, g, k))
			return i;
	if (n->n_groups < GROUPS_SHARED)
		n->groups[n->n_groups++] = (struct ngroup){ g, k };
	else
		return GROUPS_SHARED;
	return n->n_groups - 1;
}

/* Behind the group that begins at `at`, which globs share as they share one piece: an EPS before its nodes, then the EPS behind
 * them, which knows how many there are, then they. */
static uint32_t shared_group(struct nfa *n, uint32_t at, uint32_t number, const char *g, size_t k)
{
	uint32_t x = n->v[at].a, alternatives;

	for (int looked = 0; x != NONE && looked < ALIKE_MAX; looked++, x = n->v[x].next)
		if (n->v[x].shared && n->v[x].kind == N_EPS && n->v[x].set == number) {
			for (uint32_t i = x, end = x + n->v[x + 1].set; i < end; i++)
				n->v[i].ops |= n->ops;
			return x + 1;
		}
	x = node(n, N_EPS, number, NONE);
	node(n, N_EPS, 0, NONE);
	alternatives = n->full ? NONE : build(n, g, k, x + 1);
	if (n->full)
		return 0;
	n->v[x].a = alternatives;
	n->v[x + 1].set = n->n - x;
	for (uint32_t i = x; i < n->n; i++)
		n->v[i].shared = true;
	hang(n, at, x);
	return x + 1;
}

/* Length of the begin of a glob, which ends in a slash, before its last double star, when behind that is one name; 0: it is not so. */
static size_t begin_of(const char *g, size_t len)
{
	size_t begin = 0, name = 0;

	for (size_t i = 0, k; i < len; i += k) {
		k = piece_len(g + i, len - i);
		if (g[i] == '*' && k > 1) {
			name = i + k;
			begin = i && g[i - 1] == '/' && name + 1 < len && g[name] == '/' ? i : 0;
		} else if ((g[i] == '{' && k > 1) || (g[i + k - 1] == '/' && i != name)) {
			begin = 0;
		}
	}
	return begin;
}

/* The end of a glob, or of its begin. arm: of the begin that it needs, or is; else NONE. */
static uint32_t end_node(struct nfa *n, enum nkind kind, uint32_t arm)
{
	uint32_t x = node(n, kind, 0, arm);

	if (kind == N_ACCEPT && arm != NONE)
		node(n, kind, 0, NONE);
	return x;
}

/* The pieces are shared with other globs, up to a group that is not: what follows that is the glob's own. */
static void add(struct nfa *n, const char *g, size_t len, enum nkind end_kind, uint32_t arm)
{
	uint32_t at = 0;
	bool slash = false;

	for (size_t k; len && !n->full; g += k, len -= k) {
		uint32_t set;
		enum nkind kind;

		k = piece_len(g, len);
		if (g[0] == '{' && k > 1 && k < len && (set = group_number(n, g, k)) < GROUPS_SHARED) {
			at = shared_group(n, at, set, g, k);
			slash = false;
			continue;
		}
		if (g[0] == '{' && k > 1) {
			uint32_t end = end_node(n, end_kind, arm);

			hang(n, at, node(n, N_EPS, 0, build(n, g, len, end)));
			return;
		}
		if (g[0] == '*' && k > 1 && k == len) {
			kind = slash && n->keeps && n->keep->sticky[n->rule] != STICKY_MAX ? N_KEPT : N_FOREVER;
			hang(n, at, node(n, kind, NSET_ANY, NONE));
			return;
		}
		kind = piece(n, g, k, &set);
		slash = set == '/';
		at = n->full ? 0 : shared(n, at, kind, set);
	}
	hang(n, at, end_node(n, end_kind, arm));
}

static void add_glob(struct nfa *n, const char *g)
{
	size_t len = strlen(g), begin = n->keeps ? begin_of(g, len) : 0;
	uint32_t arm = begin ? keep_arm(n->keep, g, begin) : POL_KEPT_MAX;

	if (arm == POL_KEPT_MAX) {
		add(n, g, len, N_ACCEPT, NONE);
		return;
	}
	add(n, g, begin, N_ARM, arm);
	add(n, g + begin, len - begin, N_ACCEPT, arm);
}

void nfa_begin(struct nfa *n, struct keep *keep)
{
	uint8_t set[32];

	*n = (struct nfa){ .keep = keep };
	memset(set, 0xff, sizeof(set));
	set[0] &= (uint8_t)~1u;
	set_number(n, set);
	set['/' >> 3] &= (uint8_t)~(1u << ('/' & 7));
	set_number(n, set);
	node(n, N_EPS, 0, NONE);
}

void nfa_fini(struct nfa *n)
{
	free(n->v);
	free(n->sets);
	*n = (struct nfa){ 0 };
}

unsigned nfa_kind(const char *glob)
{
	size_t n = strlen(glob), special = strcspn(glob, "*?[{\\");

	if (!strncmp(glob, "**", 2))
		return GLOBS_DEEP;
	return special == n || (special + 2 == n && special && !strcmp(glob + special - 1, "/**")) ? GLOBS_PLAIN : GLOBS_ROOTED;
}

void nfa_add(struct nfa *n, const struct rule *u, uint32_t rule, unsigned kinds)
{
	n->rule = rule;
	n->ops = u->ops;
	/* Of a rule with processes it matters which of those match before it: its globs stay in the states. */
	n->keeps = n->keep && !(u->more && u->more->processes.n);
	for (size_t i = 0; i < u->paths.n && !n->full; i++)
		if (nfa_kind(u->paths.v[i]) & kinds)
			add_glob(n, u->paths.v[i]);
}

/* How deep groups lie in each other, or seem to: each level is read once more. */
static unsigned nesting(const char *g, size_t len)
{
	unsigned depth = 0, most = 0;

	for (size_t i = 0; i < len; i++) {
		if (g[i] == '\\')
			i++;
		else if (g[i] == '{' && ++depth > most)
			most = depth;
		else if (g[i] == '}' && depth)
			depth--;
	}
	return most;
}

int glob_check(const char *g, char *why, size_t cap)
{
	size_t len = strlen(g);

	if (len > 4096)
		return snprintf(why, cap, "longer than 4096 bytes"), -EINVAL;
	if (nesting(g, len) > NESTING_MAX)
		return snprintf(why, cap, "more than %d \"{\" in each other", NESTING_MAX), -EINVAL;
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
