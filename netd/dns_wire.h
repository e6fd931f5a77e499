/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages (RFC 1035, 6891, 8914): one strict question in, one answer out. Pure. */
#ifndef NETD_DNS_WIRE_H
#define NETD_DNS_WIRE_H

#include "netd/pkt.h"

#define DNS_NAME_MAX 254     /* text with its NUL */
#define DNS_UDP_MAX 1232     /* what we send at most in a datagram */

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_SVCB = 64, DNS_HTTPS = 65 };
enum dns_rcode { DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };
enum dns_ede { DNS_EDE_NONE = -1, DNS_EDE_OTHER = 0, DNS_EDE_BLOCKED = 15, DNS_EDE_UNREACHABLE = 22 };

struct dns_question {
	uint16_t id, type, flags, udp_size;
	bool edns;
	char name[DNS_NAME_MAX];         /* lower case, no trailing dot; "" is the root */
	uint8_t raw[260];                /* the question section as it came, for the echo */
	size_t raw_len;
};
/* Exactly one question, class IN, opcode 0, no compression, labels of [A-Za-z0-9_-]; at most one OPT and nothing after it.
 * 0; -EBADMSG: not worth an answer (short, or itself an answer); or a positive rcode to answer with (id, flags and raw are set). */
int dns_parse(const uint8_t *p, size_t n, struct dns_question *ret);

struct dns_answer {
	enum dns_rcode rcode;
	int ede;                         /* enum dns_ede */
	struct addr addr;                /* len 0: no record */
	const char *ptr;                 /* PTR: the name, or NULL */
	uint32_t ttl;                    /* seconds */
};
/* Writes the answer; returns its length, 0 if cap is too small (512 is always enough but for PTR, where 1024 is). */
size_t dns_write(const struct dns_question *q, const struct dns_answer *a, uint8_t *out, size_t cap);
/* "4.3.2.1.in-addr.arpa" and the ip6.arpa form to an address; false for any other name. */
bool dns_reverse(const char *name, struct addr *ret);

#endif
