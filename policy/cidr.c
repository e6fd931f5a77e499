/* SPDX-License-Identifier: Apache-2.0 */
/* Address ranges: text to bytes, once, for the compiler's check and for the evaluator alike. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

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
	return inet_pton(v6 ? AF_INET6 : AF_INET, copy, ret->addr) == 1 ? 0 : -EINVAL;
}

bool cidr_has(const struct cidr *c, const uint8_t *addr, size_t len)
{
	size_t whole = c->bits / 8;

	if (len != c->len || memcmp(addr, c->addr, whole) != 0)
		return false;
	return c->bits % 8 == 0 || (addr[whole] ^ c->addr[whole]) >> (8 - c->bits % 8) == 0;
}
