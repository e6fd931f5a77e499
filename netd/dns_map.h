/* SPDX-License-Identifier: Apache-2.0 */
/* One address of each family per name and session: the address of a flow is its name (house 3, "names, not addresses"). */
#ifndef NETD_DNS_MAP_H
#define NETD_DNS_MAP_H

#include "netd/pkt.h"

#define DNS_MAP_MAX 16384    /* names per session; further ones get no address */

struct dns_map;
int dns_map_new(struct dns_map **ret);
void dns_map_free(struct dns_map *m);            /* takes NULL */
/* The addresses of a name (lower case, below 254 bytes), made at its first use: 198.18.0.16 and up (RFC 2544's range, never routed),
 * fd61:6773:68:: and up. 0, -ENOSPC when all are given, -ENOMEM. */
int dns_map_lease(struct dns_map *m, const char *name, struct addr *v4, struct addr *v6);
/* The name an address was given to; NULL if to none. Valid as long as the map. */
const char *dns_map_name(const struct dns_map *m, const struct addr *a);
bool dns_map_covers(const struct addr *a);       /* in one of the two ranges */

#endif
