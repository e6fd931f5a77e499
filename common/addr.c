/* SPDX-License-Identifier: Apache-2.0 */
/* The IPv4 addresses that translators and tunnels make of IPv6 ones. */
#include "common/addr.h"

#include <stddef.h>

/* at: of the four bytes. */
static size_t put(uint8_t out[ADDR_EMBEDDED_MAX][4], size_t n, const uint8_t *a, const uint8_t at[4], uint8_t flip)
{
	for (size_t i = 0; i < 4; i++)
		out[n][i] = a[at[i]] ^ flip;
	return n + 1;
}

/* Where in 64:ff9b:1::/48 it stands is for the network's prefix to say, of 48, 56, 64 or 96 bits (RFC 6052 2.2), and not known: each place
 * counts. Nothing is translated to 0.0.0.0/8, which is what most of them have; where all have it, the last is given. */
static size_t local_use(const uint8_t *a, uint8_t out[ADDR_EMBEDDED_MAX][4])
{
	static const uint8_t at[][4] = { { 6, 7, 9, 10 }, { 7, 9, 10, 11 }, { 9, 10, 11, 12 }, { 12, 13, 14, 15 } };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		if (a[at[i][0]] || (n == 0 && i == 3))
			n = put(out, n, a, at[i], 0);
	return n;
}

size_t addr16_embedded(const uint8_t a[16], uint8_t out[ADDR_EMBEDDED_MAX][4])
{
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b }, local[6] = { 0, 0x64, 0xff, 0x9b, 0, 1 }, six_to_four[2] = { 0x20, 0x02 },
			     teredo[4] = { 0x20, 0x01 };
	static const uint8_t last[4] = { 12, 13, 14, 15 }, second[4] = { 2, 3, 4, 5 }, fourth[4] = { 4, 5, 6, 7 };

	if (!memcmp(a, nat64, sizeof(nat64)))
		return put(out, 0, a, last, 0);
	if (!memcmp(a, local, sizeof(local)))
		return local_use(a, out);
	if (!memcmp(a, six_to_four, sizeof(six_to_four)))
		return put(out, 0, a, second, 0);
	if (!memcmp(a, teredo, sizeof(teredo))) /* the server's, and the client's with its bits turned over */
		return put(out, put(out, 0, a, fourth, 0), a, last, 0xff);
	return 0;
}
