/* SPDX-License-Identifier: Apache-2.0 */
/* Address ranges: text to bytes, once, for the compiler's check and for the evaluator alike. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "common/addr.h"
#include "common/str.h"
#include "policy/model.h"

int cidr_parse(const char *text, struct cidr *ret)
{
	bool v6 = strchr(text, ':') != NULL;
	char copy[80], *slash;
	uint64_t most = v6 ? 128 : 32, bits = most;

	if (str_format(copy, sizeof(copy), "%s", text) < 0)
		return -EINVAL;
	*ret = (struct cidr){ .len = v6 ? 16 : 4 };
	slash = strchr(copy, '/');
	if (slash) {
		*slash = 0;
		if (str_to_u64(slash + 1, most, &bits) < 0)
			return -EINVAL;
	}
	ret->bits = (uint8_t)bits;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, copy, ret->addr) != 1)
		return -EINVAL;
	/* An IPv4 address in IPv6's clothes (RFC 4291 2.5.5.2) is judged as what it is. */
	if (v6 && bits >= 96 && addr16_unmap(ret->addr)) {
		ret->len = 4;
		ret->bits = (uint8_t)(bits - 96);
	}
	return 0;
}

bool cidr_has(const struct cidr *c, const uint8_t *addr, size_t len)
{
	size_t whole = c->bits / 8;

	if (len != c->len || memcmp(addr, c->addr, whole) != 0)
		return false;
	return c->bits % 8 == 0 || (addr[whole] ^ c->addr[whole]) >> (8 - c->bits % 8) == 0;
}

void cidr_cut(struct cidr *c, uint8_t bits)
{
	for (size_t i = 0; i < sizeof(c->addr); i++) {
		size_t from = i * 8;

		if (from >= bits)
			c->addr[i] = 0;
		else if (bits - from < 8)
			c->addr[i] &= (uint8_t)(0xff << (8 - (bits - from)));
	}
	c->bits = bits;
}

uint32_t cidr_hash(const struct cidr *c)
{
	uint32_t h = 2166136261u ^ c->len ^ (uint32_t)c->bits << 8;

	for (size_t i = 0; i < c->len; i++)
		h = (h ^ c->addr[i]) * 16777619u;
	return h;
}
