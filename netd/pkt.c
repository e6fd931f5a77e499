/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/pkt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/cleanup.h"

#define EXTENSIONS_MAX 8

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static int transport(const uint8_t *p, size_t n, struct pkt *k)
{
	if (k->proto != IPPROTO_TCP && k->proto != IPPROTO_UDP)
		return 0;
	if (n < (k->proto == IPPROTO_TCP ? 20u : 8u))
		return -EBADMSG;
	k->sport = be16(p);
	k->dport = be16(p + 2);
	k->syn = k->proto == IPPROTO_TCP && (p[13] & 0x12) == 0x02;
	return 0;
}

static int parse4(const uint8_t *p, size_t n, struct pkt *k)
{
	size_t head = (size_t)(p[0] & 15) * 4;

	if (n < 20 || head < 20 || head > n || (be16(p + 6) & 0x3fff))
		return -EBADMSG;
	k->proto = p[9];
	k->src.len = k->dst.len = 4;
	memcpy(k->src.b, p + 12, 4);
	memcpy(k->dst.b, p + 16, 4);
	return transport(p + head, n - head, k);
}

static int parse6(const uint8_t *p, size_t n, struct pkt *k)
{
	uint8_t next;

	if (n < 40)
		return -EBADMSG;
	next = p[6];
	k->src.len = k->dst.len = 16;
	memcpy(k->src.b, p + 8, 16);
	memcpy(k->dst.b, p + 24, 16);
	p += 40;
	n -= 40;
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		size_t len;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS) {
			k->proto = next;
			return next == IPPROTO_FRAGMENT ? -EBADMSG : transport(p, n, k);
		}
		if (n < 8)
			return -EBADMSG;
		len = ((size_t)p[1] + 1) * 8;
		if (len > n)
			return -EBADMSG;
		next = p[0];
		p += len;
		n -= len;
	}
	return -EBADMSG;
}

int pkt_parse(const uint8_t *p, size_t n, struct pkt *ret)
{
	*ret = (struct pkt){ 0 };
	if (n < 1)
		return -EBADMSG;
	switch (p[0] >> 4) {
	case 4:
		return parse4(p, n, ret);
	case 6:
		return parse6(p, n, ret);
	default:
		return -EBADMSG;
	}
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->len == b->len && !memcmp(a->b, b->b, a->len);
}

void addr_text(const struct addr *a, char out[46])
{
	if (!inet_ntop(a->len == 4 ? AF_INET : AF_INET6, a->b, out, 46))
		snprintf(out, 46, "?");
}

void addr_unmap(struct addr *a)
{
	if (a->len == 16 && addr16_unmap(a->b))
		a->len = 4;
}

struct range { uint8_t b[16], bits; };

static bool in_ranges(const uint8_t *p, const struct range *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t whole = v[i].bits / 8, rest = v[i].bits % 8;
		uint8_t mask = (uint8_t)(0xff << (8 - rest));

		if (!memcmp(p, v[i].b, whole) && (rest == 0 || (p[whole] & mask) == (v[i].b[whole] & mask)))
			return true;
	}
	return false;
}

bool addr_literal(const char *text, struct addr *ret)
{
	char inner[INET6_ADDRSTRLEN];
	size_t n = strlen(text);

	*ret = (struct addr){ .len = 4 };
	if (inet_pton(AF_INET, text, ret->b) == 1)
		return true;
	if (n < 3 || n - 2 >= sizeof(inner) || text[0] != '[')
		return false;
	memcpy(inner, text + 1, n - 2);
	inner[n - 2] = 0;
	ret->len = 16;
	if (inet_pton(AF_INET6, inner, ret->b) != 1)
		return false;
	addr_unmap(ret);
	return true;
}

size_t addr_embedded(const struct addr *a, struct addr ret[ADDR_EMBEDDED_MAX])
{
	uint8_t inner[ADDR_EMBEDDED_MAX][4];
	size_t n = a->len == 16 ? addr16_embedded(a->b, inner) : 0;

	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct addr){ .len = 4 };
		memcpy(ret[i].b, inner[i], 4);
	}
	return n;
}

bool addr_special(const struct addr *a)
{
	static const struct range v4[] = {
		{ { 0 }, 8 }, { { 10 }, 8 }, { { 100, 64 }, 10 }, { { 127 }, 8 }, { { 169, 254 }, 16 }, { { 172, 16 }, 12 },
		{ { 192, 0, 0 }, 24 }, { { 192, 168 }, 16 }, { { 198, 18 }, 15 }, { { 224 }, 4 }, { { 240 }, 4 },
		{ { 168, 63, 129, 16 }, 32 },
	};
	static const struct range v6[] = {
		{ { 0 }, 96 }, { { [10] = 0xff, [11] = 0xff }, 96 }, { { 0xfc }, 7 }, { { 0xfe, 0x80 }, 10 }, { { 0xff }, 8 },
		{ { 0xfe, 0xc0 }, 10 },
	};
	struct addr inner[ADDR_EMBEDDED_MAX];
	size_t n = addr_embedded(a, inner);

	for (size_t i = 0; i < n; i++)
		if (in_ranges(inner[i].b, v4, ARRAY_LEN(v4)))
			return true;
	return a->len == 4 ? in_ranges(a->b, v4, ARRAY_LEN(v4)) : in_ranges(a->b, v6, ARRAY_LEN(v6));
}
