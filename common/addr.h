/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 in IPv6's clothes, and within IPv6. */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ::ffff:a.b.c.d (RFC 4291 2.5.5.2) to its four bytes, the rest 0. False: it is none, and stays. */
static inline bool addr16_unmap(uint8_t a[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(a, mapped, sizeof(mapped)) != 0)
		return false;
	memcpy(a, a + 12, 4);
	memset(a + 4, 0, 12);
	return true;
}

/* The IPv4 addresses that a packet to this IPv6 one may be led to by a translator or tunnel, how many in return: none for most. Of
 * 64:ff9b::/96 (RFC 6052) and 2002::/16 (RFC 3056) one, of 2001::/32 (RFC 4380) the server's and the client's, of 64:ff9b:1::/48 (RFC 8215)
 * each that it could be. */
#define ADDR_EMBEDDED_MAX 4
size_t addr16_embedded(const uint8_t a[16], uint8_t out[ADDR_EMBEDDED_MAX][4]);

#endif
