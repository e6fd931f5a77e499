/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/hello.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define METHOD_MAX 8192      /* of a longer one no server would make a request */

struct in { const uint8_t *p, *end; bool bad; };

static uint32_t number(struct in *i, size_t bytes)
{
	uint32_t v = 0;

	if ((size_t)(i->end - i->p) < bytes)
		i->bad = true;
	for (size_t k = 0; !i->bad && k < bytes; k++)
		v = v << 8 | *i->p++;
	return v;
}

/* A vector with a length of so many bytes before it. */
static struct in vector(struct in *i, size_t bytes)
{
	size_t n = number(i, bytes);
	struct in v = { i->p, i->p, false };

	if (i->bad || (size_t)(i->end - i->p) < n) {
		i->bad = v.bad = true;
		return v;
	}
	i->p = v.end = v.p + n;
	return v;
}

static void bad(struct hello *h, const char *why)
{
	h->kind = HELLO_BAD;
	h->why = why;
}

/* A host name of letters, digits, '-', '_', '.', with an optional final dot. */
static bool take_name(struct hello *h, const uint8_t *p, size_t n)
{
	if (n && p[n - 1] == '.')
		n--;
	if (n == 0 || n >= sizeof(h->name))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum(p[i]) && p[i] != '-' && p[i] != '_' && p[i] != '.')
			return false;
		h->name[i] = (char)tolower(p[i]);
	}
	h->name[n] = 0;
	return true;
}

static bool take_sni(struct hello *h, struct in e)
{
	struct in list = vector(&e, 2), name;

	if (e.bad || e.p != e.end || h->name[0] || number(&list, 1) != 0)
		return false;
	name = vector(&list, 2);
	return !list.bad && list.p == list.end && take_name(h, name.p, (size_t)(name.end - name.p));
}

static bool take_alpn(struct hello *h, struct in e)
{
	struct in list = vector(&e, 2), first = vector(&list, 1);
	size_t n = (size_t)(first.end - first.p);

	if (e.bad || list.bad)
		return false;
	for (size_t i = 0; i < n && n < sizeof(h->alpn); i++)
		h->alpn[i] = isgraph(first.p[i]) ? (char)first.p[i] : '?';
	return true;
}

static void client_hello(struct in i, struct hello *h)
{
	struct in ext;

	number(&i, 2);
	if ((size_t)(i.end - i.p) < 32) {
		bad(h, "ClientHello is cut");
		return;
	}
	i.p += 32;
	vector(&i, 1);
	vector(&i, 2);
	vector(&i, 1);
	h->kind = HELLO_TLS;
	if (!i.bad && i.p == i.end)
		return; /* no extensions: TLS 1.2 and before */
	ext = vector(&i, 2);
	if (i.bad || i.p != i.end) {
		bad(h, "ClientHello contradicts its lengths");
		return;
	}
	/* Of encrypted_client_hello (0xfe0d) nothing is read: what browsers send without a key has the same form as a real one. Only the
	 * outer name counts, and must be the name that was asked for; a name inside that differs needs a server which serves both. */
	while (ext.p < ext.end) {
		uint32_t type = number(&ext, 2);
		struct in e = vector(&ext, 2);

		if (ext.bad || (type == 0 && !take_sni(h, e)) || (type == 16 && !take_alpn(h, e))) {
			bad(h, "ClientHello has a malformed extension");
			return;
		}
	}
}

/* Joins the handshake bytes of the records; a ClientHello may be cut anywhere. */
static void tls(const uint8_t *p, size_t n, struct hello *h)
{
	uint8_t hs[HELLO_MAX];
	size_t have = 0, want;

	while (n >= 5) {
		size_t len = (size_t)p[3] << 8 | p[4], part;

		if (p[0] != 22 || p[1] != 3 || len == 0 || len > 16384) {
			bad(h, "malformed TLS record");
			return;
		}
		part = n - 5 < len ? n - 5 : len;
		if (have + part > sizeof(hs)) {
			bad(h, "ClientHello is too long");
			return;
		}
		memcpy(hs + have, p + 5, part);
		have += part;
		if (have >= 4) {
			want = 4 + ((size_t)hs[1] << 16 | (size_t)hs[2] << 8 | hs[3]);
			if (hs[0] != 1 || want > sizeof(hs)) {
				bad(h, hs[0] != 1 ? "the first message is no ClientHello" : "ClientHello is too long");
				return;
			}
			if (have >= want) {
				client_hello((struct in){ hs + 4, hs + want, false }, h);
				return;
			}
		}
		if (part < len)
			return;
		p += 5 + len;
		n -= 5 + len;
	}
}

static const char *const methods[] = { "GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH ", "TRACE ", "CONNECT ", "PROPFIND ",
				       "REPORT ", "MKCOL ", "COPY ", "MOVE ", "LOCK ", "UNLOCK ", "PRI " };

static bool is_token(uint8_t c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

/* Does the line hold a blank and, after it, HTTP/ and a digit? Looser than the standard, as servers are. */
static bool has_version(const uint8_t *p, size_t n)
{
	for (size_t i = 1; i + 6 <= n; i++)
		if (is_blank(p[i - 1]) && !strncasecmp((const char *)p + i, "http/", 5) && isdigit(p[i + 5]))
			return true;
	return false;
}

/* 1: a request begins here, of a method that is known or not: a server may answer either. 0: none can any more; -1: it could become one.
 * Most other protocols show within a few bytes that they are none: a byte that no method has, or a line without a version. */
static int request(const uint8_t *p, size_t n)
{
	const uint8_t *eol = memchr(p, '\n', n);
	size_t i = 0;

	for (size_t k = 0; k < sizeof(methods) / sizeof(methods[0]); k++) {
		size_t len = strlen(methods[k]);

		if (n >= len && !strncasecmp((const char *)p, methods[k], len))
			return 1;
	}
	if (eol)
		n = (size_t)(eol - p);
	while (i < n && is_token(p[i]))
		i++;
	if (i < n && (i == 0 || !is_blank(p[i])))
		return 0;
	if (i == n)
		return eol || n > METHOD_MAX ? 0 : -1;
	if (i > METHOD_MAX)
		return 0;
	for (size_t k = i; k < n; k++)
		if (iscntrl(p[k]) && !is_blank(p[k]) && p[k] != '\r')
			return 0;
	return !eol ? -1 : has_version(p, n);
}

/* "[...]" of n bytes: an IPv6 address (RFC 3986 3.2.2). */
static bool take_literal(struct hello *h, const uint8_t *p, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t a[16];

	if (n < 4 || n - 2 >= sizeof(text) || p[n - 1] != ']')
		return false;
	memcpy(text, p + 1, n - 2);
	text[n - 2] = 0;
	if (strlen(text) != n - 2 || inet_pton(AF_INET6, text, a) != 1)
		return false;
	snprintf(h->name, sizeof(h->name), "[%s]", inet_ntop(AF_INET6, a, text, sizeof(text)));
	return true;
}

static bool take_authority(struct hello *h, const uint8_t *p, size_t n)
{
	const uint8_t *colon = memrchr(p, ':', n), *close = n && p[0] == '[' ? memchr(p, ']', n) : NULL;

	if (colon && (!close || colon > close)) {
		for (const uint8_t *d = colon + 1; d < p + n; d++)
			if (!isdigit(*d))
				return false;
		n = (size_t)(colon - p);
	}
	return n && p[0] == '[' ? take_literal(h, p, n) : take_name(h, p, n);
}

static bool header_line(struct hello *h, const uint8_t *p, size_t n)
{
	const uint8_t *colon = memchr(p, ':', n);

	if (!colon || colon == p || *p == ' ' || *p == '\t' || colon[-1] == ' ' || colon[-1] == '\t')
		return false;
	if (colon - p != 4 || strncasecmp((const char *)p, "host", 4) != 0)
		return true;
	n -= (size_t)(colon + 1 - p);
	p = colon + 1;
	while (n && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return !h->name[0] && take_authority(h, p, n);
}

/* The target may name a host of its own (absolute form, RFC 9112 3.2.2): then that must be the Host. */
static bool target_agrees(const struct hello *h, const uint8_t *line, size_t n)
{
	const uint8_t *t = memchr(line, ' ', n), *end, *at;
	struct hello other = { 0 };
	size_t len;

	if (!t)
		return false;
	t++;
	end = memchr(t, ' ', (size_t)(line + n - t));
	if (!end || end == t)
		return false;
	if (*t == '/' || *t == '*')
		return true;
	len = (size_t)(end - t);
	if (len < 8 || strncasecmp((const char *)t, "http://", 7) != 0)
		return false;
	t += 7;
	for (at = t; at < end && *at != '/' && *at != '?'; at++)
		;
	return take_authority(&other, t, (size_t)(at - t)) && !strcmp(other.name, h->name);
}

/* A line feed by itself: some servers end a line there, and would read another head than we do. */
static bool lone_feed(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			return true;
	return false;
}

static void http(const uint8_t *p, size_t n, struct hello *h)
{
	const uint8_t *end = memmem(p, n, "\r\n\r\n", 4), *line = p, *first_end = NULL;

	/* A body may hold anything; it may stand in the same bytes. */
	if (memchr(p, 0, end ? (size_t)(end - p) : n)) {
		bad(h, "a NUL byte in the request head");
		return;
	}
	if (lone_feed(p, end ? (size_t)(end + 2 - p) : n)) {
		bad(h, "a line of the request head does not end in CR LF");
		return;
	}
	if (!end)
		return;
	while (line < end + 2) {
		const uint8_t *eol = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);

		if (!eol || memchr(line, '\n', (size_t)(eol - line)) || memchr(line, '\r', (size_t)(eol - line))) {
			bad(h, "a line of the request head does not end in CR LF");
			return;
		}
		if (!first_end) {
			first_end = eol;
		} else if (!header_line(h, line, (size_t)(eol - line))) {
			bad(h, "a malformed or second Host header");
			return;
		}
		line = eol + 2;
	}
	h->kind = HELLO_HTTP;
	if (!target_agrees(h, p, (size_t)(first_end - p)))
		bad(h, "the request's target is not a path of its Host");
}

/* Empty lines before a request line: servers skip them (RFC 9112 2.2), some any number and without the CR. */
static size_t empty_lines(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == '\r' || p[i] == '\n'))
		i++;
	return i;
}

void hello_parse(const uint8_t *p, size_t n, struct hello *ret)
{
	size_t skip;
	int m;

	*ret = (struct hello){ .kind = HELLO_MORE };
	if (n == 0)
		return;
	/* The verdict must not depend on how the bytes came: what is further on is not looked at. */
	n = n < HELLO_MAX ? n : HELLO_MAX;
	if (p[0] == 22) {
		tls(p, n, ret);
	} else {
		skip = empty_lines(p, n);
		m = request(p + skip, n - skip);
		if (m > 0)
			http(p + skip, n - skip, ret);
		else if (m == 0)
			ret->kind = HELLO_OTHER;
		else
			ret->partial = true;
	}
	if (ret->kind == HELLO_MORE && n >= HELLO_MAX)
		bad(ret, "the first message does not end");
}
