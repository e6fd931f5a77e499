/* SPDX-License-Identifier: Apache-2.0 */
/* What a client's first bytes say about where it wants to go: TLS ClientHello (RFC 8446 4.1.2, 6066 3) or an HTTP/1 request head. Pure. */
#ifndef NETD_HELLO_H
#define NETD_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HELLO_MAX 16384      /* bytes looked at; a first flight that is longer is refused */

enum hello_kind {
	HELLO_MORE,          /* undecided: needs more bytes */
	HELLO_TLS,
	HELLO_HTTP,
	HELLO_OTHER,         /* neither */
	HELLO_BAD,           /* begins as TLS or HTTP and breaks its rules */
};
struct hello {
	enum hello_kind kind;
	char name[254];      /* SNI or Host, lower case, without port and final dot; an IPv6 address in brackets; "" when absent */
	char alpn[32];       /* first protocol offered, printable, or "" */
	const char *why;     /* HELLO_BAD: static words */
	bool partial;        /* HELLO_MORE, and nothing but a first line that has not ended: alone it is no request */
};
void hello_parse(const uint8_t *p, size_t n, struct hello *ret);

#endif
