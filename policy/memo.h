/* SPDX-License-Identifier: Apache-2.0 */
/* Where sets of positions lead, remembered while sets are made. Compiler only. */
#ifndef POLICY_MEMO_H
#define POLICY_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Where a class of bytes leads is known from a set's positions that take more than one byte, a list with the number twin, and from its
 * positions that take one of that class. Most globs can begin anywhere, so that sets by the thousand have these in common.
 */
#define MEMO_NODES 5
#define MEMOS 8192u              /* a power of two */
#define TWINS 1024u              /* a power of two */
struct memo { uint32_t twin, class, used, node[MEMO_NODES], to; };   /* used: nodes, plus one; 0: nothing is remembered here */

static inline struct memo memo_key(uint32_t twin, uint32_t class)
{
	return (struct memo){ .twin = twin, .class = class, .used = 1 };
}

/* False: they are too many to remember. */
static inline bool memo_node(struct memo *key, uint32_t node)
{
	if (key->used > MEMO_NODES)
		return false;
	key->node[key->used++ - 1] = node;
	return true;
}

/* What is remembered of the key, else where to remember it: the key is there now, but for where it leads. */
static inline struct memo *memo_find(struct memo *v, const struct memo *key, bool *ret_known)
{
	uint32_t hash = (2166136261u ^ key->twin) * 0x9e3779b1u ^ key->class;
	struct memo *m;

	for (uint32_t i = 0; i + 1 < key->used; i++)
		hash = (hash ^ key->node[i]) * 0x85ebca6bu;
	m = &v[(hash ^ hash >> 15) & (MEMOS - 1)];
	*ret_known = !memcmp(m, key, offsetof(struct memo, to));
	if (!*ret_known)
		*m = *key;
	return m;
}

#endif
