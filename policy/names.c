/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of names: a step is one look into a table, whatever the number of paths. */
#include <string.h>

#include "policy/model.h"

uint32_t names_hash(uint32_t dir, const char *name, size_t n)
{
	uint64_t h = (dir + 1) * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3ull;
	return (uint32_t)(h >> 32 ^ h);
}

/* The table has a free place: dfa_map and the compiler see to it. */
uint32_t names_child(const struct dfa *d, uint32_t dir, const char *name, size_t n)
{
	for (uint32_t at = names_hash(dir, name, n);; at++) {
		uint32_t x = d->table[at & (d->n_table - 1)];

		if (x == NO_RULE)
			return d->states[dir].other;
		if (d->slots[x].state == dir && d->slots[x].to == n && !memcmp(d->pool + d->states[x].base, name, n))
			return x;
	}
}

uint32_t names_path(const struct dfa *d, uint32_t dir, const char *path)
{
	while (*path == '/') {
		size_t n = strcspn(path + 1, "/");

		dir = names_child(d, dir, path + 1, n);
		path += 1 + n;
	}
	return dir;
}
