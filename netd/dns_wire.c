/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/dns_wire.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HEADER 12
#define OPT 41
#define CLASS_IN 1

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Reads the labels of a name into q->name; returns the bytes used, or 0. */
static size_t labels(const uint8_t *p, size_t n, char *name)
{
	size_t at = 0, out = 0;

	while (at < n && p[at]) {
		size_t len = p[at++];

		if (len > 63 || at + len > n || out + len + 1 >= DNS_NAME_MAX)
			return 0;
		if (out)
			name[out++] = '.';
		for (size_t i = 0; i < len; i++) {
			int c = p[at + i];

			if (!isalnum(c) && c != '-' && c != '_')
				return 0;
			name[out++] = (char)tolower(c);
		}
		at += len;
	}
	name[out] = 0;
	return at < n ? at + 1 : 0;
}

static int parse_opt(const uint8_t *p, size_t n, struct dns_question *q)
{
	if (n < 11 || p[0] != 0 || be16(p + 1) != OPT || be16(p + 9) != n - 11)
		return DNS_FORMERR;
	q->edns = true;
	q->udp_size = be16(p + 3) < 512 ? 512 : be16(p + 3);
	return 0;
}

int dns_parse(const uint8_t *p, size_t n, struct dns_question *q)
{
	size_t len;

	memset(q, 0, sizeof(*q));
	q->udp_size = 512;
	if (n < HEADER || n > 4096 || (p[2] & 0x80))
		return -EBADMSG;
	q->id = be16(p);
	q->flags = be16(p + 2);
	if ((q->flags >> 11 & 15) != 0)
		return DNS_NOTIMP;
	if (be16(p + 4) != 1 || be16(p + 6) != 0 || be16(p + 8) != 0 || be16(p + 10) > 1)
		return DNS_FORMERR;
	len = labels(p + HEADER, n - HEADER, q->name);
	if (len == 0 || HEADER + len + 4 > n || len + 4 > sizeof(q->raw))
		return DNS_FORMERR;
	q->raw_len = len + 4;
	memcpy(q->raw, p + HEADER, q->raw_len);
	q->type = be16(p + HEADER + len);
	if (be16(p + HEADER + len + 2) != CLASS_IN)
		return DNS_REFUSED;
	p += HEADER + len + 4;
	n -= HEADER + len + 4;
	return n ? parse_opt(p, n, q) : 0;
}

struct out { uint8_t *p, *end; bool bad; };

static void put(struct out *o, const void *p, size_t n)
{
	if ((size_t)(o->end - o->p) < n) {
		o->bad = true;
		return;
	}
	memcpy(o->p, p, n);
	o->p += n;
}

static void put16(struct out *o, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(o, b, 2);
}

static void put32(struct out *o, uint32_t v)
{
	put16(o, (uint16_t)(v >> 16));
	put16(o, (uint16_t)v);
}

static void put_name(struct out *o, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		uint8_t len = (uint8_t)n;

		put(o, &len, 1);
		put(o, name, n);
		name += n + (name[n] == '.');
	}
	put(o, "", 1);
}

static void put_record(struct out *o, const struct dns_question *q, const struct dns_answer *a)
{
	uint8_t *len;

	put16(o, 0xc000 | HEADER);
	put16(o, q->type);
	put16(o, CLASS_IN);
	put32(o, a->ttl);
	len = o->p;
	put16(o, 0);
	if (a->ptr)
		put_name(o, a->ptr);
	else
		put(o, a->addr.b, a->addr.len);
	if (o->bad)
		return;
	len[0] = (uint8_t)((o->p - len - 2) >> 8);
	len[1] = (uint8_t)(o->p - len - 2);
}

/* A start of authority of our own, so that resolvers keep a "no" for a few seconds (RFC 2308). */
static void put_soa(struct out *o)
{
	put(o, "", 1);
	put16(o, 6);
	put16(o, CLASS_IN);
	put32(o, 5);
	put16(o, 22);
	put(o, "", 1);
	put(o, "", 1);
	for (int i = 0; i < 5; i++)
		put32(o, i == 0 ? 1 : 5);
}

static void put_opt(struct out *o, int ede)
{
	put(o, "", 1);
	put16(o, OPT);
	put16(o, DNS_UDP_MAX);
	put32(o, 0);
	put16(o, ede >= 0 ? 6 : 0);
	if (ede >= 0) {
		put16(o, 15); /* EDE, RFC 8914 */
		put16(o, 2);
		put16(o, (uint16_t)ede);
	}
}

size_t dns_write(const struct dns_question *q, const struct dns_answer *a, uint8_t *out, size_t cap)
{
	struct out o = { out, out + cap, false };
	bool record = a->rcode == DNS_NOERROR && (a->addr.len || a->ptr);
	bool no = q->raw_len && !record && (a->rcode == DNS_NOERROR || a->rcode == DNS_NXDOMAIN);

	put16(&o, q->id);
	put16(&o, (uint16_t)(0x8080 | (q->flags & 0x0100) | a->rcode)); /* an answer, recursion available; RD as asked */
	put16(&o, q->raw_len ? 1 : 0);
	put16(&o, record ? 1 : 0);
	put16(&o, no);
	put16(&o, q->edns);
	put(&o, q->raw, q->raw_len);
	if (record)
		put_record(&o, q, a);
	if (no)
		put_soa(&o);
	if (q->edns)
		put_opt(&o, a->ede);
	return o.bad ? 0 : (size_t)(o.p - out);
}

static bool reverse6(const char *name, struct addr *ret)
{
	ret->len = 16;
	for (int i = 0; i < 32; i++, name += 2) {
		const char *hex = "0123456789abcdef", *d = name[0] ? strchr(hex, name[0]) : NULL;

		if (!d || name[1] != '.')
			return false;
		ret->b[15 - i / 2] |= (uint8_t)((d - hex) << (i % 2 * 4));
	}
	return !strcmp(name, "ip6.arpa");
}

/* A byte in decimal, without signs, spaces or leading zeros, and the dot behind it. */
static const char *decimal(const char *s, uint8_t *ret)
{
	unsigned v = 0;
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 3 || (n > 1 && *s == '0') || s[n] != '.')
		return NULL;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (unsigned)(s[i] - '0');
	*ret = (uint8_t)v;
	return v < 256 ? s + n + 1 : NULL;
}

bool dns_reverse(const char *name, struct addr *ret)
{
	const char *s = name;

	memset(ret, 0, sizeof(*ret));
	ret->len = 4;
	for (int i = 3; i >= 0; i--) {
		s = decimal(s, &ret->b[i]);
		if (!s)
			break;
	}
	if (s && !strcmp(s, "in-addr.arpa"))
		return true;
	memset(ret, 0, sizeof(*ret));
	return strlen(name) == 72 && reverse6(name, ret);
}
