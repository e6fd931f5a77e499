/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/dns_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (DNS_MAP_MAX * 2)
#define FIRST 16

static const uint8_t prefix6[12] = { 0xfd, 0x61, 0x67, 0x73, 0x00, 0x68 };

struct dns_map {
	uint32_t n;
	char *names[DNS_MAP_MAX];       /* owned */
	uint16_t slot[SLOTS];           /* index + 1; 0: free */
};

int dns_map_new(struct dns_map **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void dns_map_free(struct dns_map *m)
{
	for (uint32_t i = 0; m && i < m->n; i++)
		free(m->names[i]);
	free(m);
}

static void addresses(uint32_t i, struct addr *v4, struct addr *v6)
{
	uint32_t k = i + FIRST;

	*v4 = (struct addr){ .len = 4, .b = { 198, (uint8_t)(18 + (k >> 16)), (uint8_t)(k >> 8), (uint8_t)k } };
	*v6 = (struct addr){ .len = 16 };
	memcpy(v6->b, prefix6, sizeof(prefix6));
	v6->b[14] = (uint8_t)(k >> 8);
	v6->b[15] = (uint8_t)k;
}

int dns_map_lease(struct dns_map *m, const char *name, struct addr *v4, struct addr *v6)
{
	uint32_t h = 2166136261u; /* FNV-1a; the table is at most half full and names are bounded, so a bad choice costs only the chooser */

	for (const char *c = name; *c; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	for (h %= SLOTS; m->slot[h]; h = (h + 1) % SLOTS)
		if (!strcmp(m->names[m->slot[h] - 1], name)) {
			addresses(m->slot[h] - 1u, v4, v6);
			return 0;
		}
	if (m->n == DNS_MAP_MAX)
		return -ENOSPC;
	m->names[m->n] = strdup(name);
	if (!m->names[m->n])
		return -ENOMEM;
	addresses(m->n++, v4, v6);
	m->slot[h] = (uint16_t)m->n;
	return 0;
}

bool dns_map_covers(const struct addr *a)
{
	return a->len == 4 ? a->b[0] == 198 && (a->b[1] & 0xfe) == 18 : !memcmp(a->b, prefix6, sizeof(prefix6));
}

const char *dns_map_name(const struct dns_map *m, const struct addr *a)
{
	const uint8_t *b = a->b + a->len - 4;
	uint32_t k;

	if (!dns_map_covers(a))
		return NULL;
	k = (uint32_t)b[2] << 8 | b[3];
	if (a->len == 4 ? b[1] != 18 : b[0] || b[1])
		return NULL;
	return k >= FIRST && k - FIRST < m->n ? m->names[k - FIRST] : NULL;
}
