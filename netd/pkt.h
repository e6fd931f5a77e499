/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses and ports of an IP packet's first bytes. Pure: foreign bytes in, a flow out. */
#ifndef NETD_PKT_H
#define NETD_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

struct addr { uint8_t len, b[16]; };        /* len 4 or 16; network order; bytes past len are 0 */

struct pkt {
	struct addr src, dst;
	uint8_t proto;                      /* IANA number of the transport: 6 TCP, 17 UDP ... */
	uint16_t sport, dport;              /* TCP and UDP; else 0 */
	bool syn;                           /* TCP: SYN without ACK */
};

/* Reads n bytes that begin with an IPv4 (RFC 791) or IPv6 (RFC 8200) header; at most 8 extension headers. 0, or -EBADMSG for
 * anything that is cut, contradicts itself or is a fragment (nothing in a session's namespace has reason to fragment a SYN). */
int pkt_parse(const uint8_t *p, size_t n, struct pkt *ret);
bool addr_eq(const struct addr *a, const struct addr *b);
/* "192.0.2.1" or "2001:db8::1"; out holds 46 bytes. */
void addr_text(const struct addr *a, char out[46]);
/* True for addresses that no public name may lead to (llm-dlp-tls 4.10: private, loopback, link-local, multicast, mapped and translated
 * forms of these, and clouds' metadata addresses): only a rule with CIDRs can allow them. */
/* Dotted IPv4, or IPv6 in brackets, unmapped. False: it is a name. */
bool addr_literal(const char *text, struct addr *ret);
bool addr_special(const struct addr *a);
/* ::ffff:a.b.c.d becomes a.b.c.d, so that no rule can be passed by the other spelling. */
void addr_unmap(struct addr *a);
/* addr16_embedded. */
size_t addr_embedded(const struct addr *a, struct addr ret[ADDR_EMBEDDED_MAX]);

#endif
