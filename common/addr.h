/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 in IPv6's clothes. */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <stdbool.h>
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

#endif
