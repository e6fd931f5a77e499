/* SPDX-License-Identifier: Apache-2.0 */
/* First bytes of a client: names, what is refused, and that cutting them anywhere never changes the verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "netd/hello.h"

/* A hello of one record: version, random, no session, one suite, no compression, extensions: SNI "A.b.", ALPN h2. */
static const uint8_t tls[] = {
	22, 3, 1, 0, 69, 1, 0, 0, 65, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
	30, 31, 32, 0, 0, 2, 0x13, 1, 1, 0, 0, 22, 0, 0, 0, 9, 0, 7, 0, 0, 4, 'A', '.', 'b', '.', 0, 16, 0, 5, 0, 3, 2, 'h', '2',
};
enum { SNI_LIST = 57, SNI_KIND = 58, ALPN = 65 }; /* where their lengths and types lie */

static struct hello parse(const void *p, size_t n)
{
	struct hello h;
	uint8_t *exact = malloc(n ? n : 1);

	assert_non_null(exact);
	memcpy(exact, p, n);
	hello_parse(exact, n, &h);
	free(exact);
	return h;
}

static void test_tls(void **state UNUSED)
{
	uint8_t b[500];
	struct hello h = parse(tls, sizeof(tls));

	assert_int_equal(h.kind, HELLO_TLS);
	assert_string_equal(h.name, "a.b");
	assert_string_equal(h.alpn, "h2");
	for (size_t n = 0; n < sizeof(tls); n++)
		assert_int_equal(parse(tls, n).kind, HELLO_MORE);
	/* the same in records of one byte each */
	for (size_t i = 5; i < sizeof(tls); i++)
		memcpy(b + (i - 5) * 6, (uint8_t[]){ 22, 3, 1, 0, 1, tls[i] }, 6);
	h = parse(b, (sizeof(tls) - 5) * 6);
	assert_int_equal(h.kind, HELLO_TLS);
	assert_string_equal(h.name, "a.b");
	for (size_t n = 0; n < (sizeof(tls) - 5) * 6; n++)
		assert_int_equal(parse(b, n).kind, HELLO_MORE);
}

static void test_tls_refused(void **state UNUSED)
{
	static const struct { size_t at; uint8_t value; const char *what; } t[] = {
		{ 0, 21, "other" }, { 1, 2, "version" }, { 4, 0, "empty record" }, { 5, 2, "server hello" }, { 6, 1, "length over the limit" },
		{ 43, 200, "session id past the end" }, { 51, 23, "extensions past the end" }, { 51, 21, "bytes behind the extensions" },
		{ SNI_LIST, 6, "bytes behind the name list" }, { SNI_KIND, 1, "no host name" }, { SNI_KIND + 2, 5, "name past its list" },
		{ SNI_KIND + 3, '/', "no name" }, { ALPN + 1, 0, "a second SNI" }, { ALPN + 5, 9, "list past its end" }, { ALPN + 6, 9, "protocol past the list" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		uint8_t b[sizeof(tls)];
		struct hello h;

		memcpy(b, tls, sizeof(tls));
		b[t[i].at] = t[i].value;
		h = parse(b, sizeof(b));
		if (h.kind != (i ? HELLO_BAD : HELLO_OTHER))
			fail_msg("%s: kind %d", t[i].what, h.kind);
	}
}

static void test_two_names(void **state UNUSED)
{
	uint8_t b[78];

	memcpy(b, tls, 65);
	memcpy(b + 65, tls + 52, 13); /* the SNI once more, in place of the ALPN */
	b[4] = 73;
	b[8] = 69;
	b[51] = 26;
	assert_int_equal(parse(b, sizeof(b)).kind, HELLO_BAD);
	b[66] = 21; /* as padding it is fine */
	assert_int_equal(parse(b, sizeof(b)).kind, HELLO_TLS);
}

static void test_http(void **state UNUSED)
{
	static const struct { const char *text, *name; enum hello_kind kind; } t[] = {
		{ "GET /a HTTP/1.1\r\nHost: API.Example.com:8080\r\nX: y\r\n\r\n", "api.example.com", HELLO_HTTP },
		{ "get / HTTP/1.1\r\nhOST:\t a. \r\n\r\n", "a", HELLO_HTTP },
		{ "GET http://a.b/x HTTP/1.1\r\nHost: a.b\r\n\r\n", "a.b", HELLO_HTTP },
		{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", HELLO_HTTP },
		{ "GET / HTTP/1.1\r\n\r\n", "", HELLO_HTTP },
		{ "GET / HTTP/1.1\r\nHost: a\r\n", NULL, HELLO_MORE },
		{ "PROPF", NULL, HELLO_MORE },
		{ "SSH-2.0-x\r\n", NULL, HELLO_OTHER },
		{ "GETX / HTTP/1.1\r\n\r\n", "", HELLO_HTTP },
		{ "QUERY /x HTTP/1.1\r\nHost: evil.test\r\n\r\n", "evil.test", HELLO_HTTP },
		{ "~q!\t/x\thttp/2\r\nHost: e\r\n\r\n", NULL, HELLO_BAD },
		{ "QUERY /x HTTP/1.1\nHost: e\n\n", NULL, HELLO_BAD },
		{ "\r\nGET / HTTP/1.1\r\nHost: e\r\n\r\n", "e", HELLO_HTTP },
		{ "\n\r\n\r\nQUERY / HTTP/1.1\r\nHost: e\r\n\r\n", "e", HELLO_HTTP },
		{ "\r\n\r\n", NULL, HELLO_MORE },
		{ "QUERY /x", NULL, HELLO_MORE },
		{ "hello", NULL, HELLO_MORE },
		{ "hello\n", NULL, HELLO_OTHER },
		{ "EHLO there\r\n", NULL, HELLO_OTHER },
		{ "say HTTP/ now\r\n", NULL, HELLO_OTHER },
		{ "AMQP\1", NULL, HELLO_OTHER },
		{ "003egit-upload-pack /p\1host=a", NULL, HELLO_OTHER },
		{ "*1\r\n$4\r\nPING\r\n", NULL, HELLO_OTHER },
		{ "\r\n\5abc", NULL, HELLO_OTHER },
		{ "<?xml version='1.0'?>", NULL, HELLO_OTHER },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nA: b\r\n Host: c\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "[::1]", HELLO_HTTP },
		{ "GET / HTTP/1.1\r\nHost: [2001:DB8:0::10]\r\n\r\n", "[2001:db8::10]", HELLO_HTTP },
		{ "GET http://[::1]/x HTTP/1.1\r\nHost: [0::1]\r\n\r\n", "[::1]", HELLO_HTTP },
		{ "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: [::1]:8x\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: []\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: [a.b]\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\nHost: a\r\n\r\n", NULL, HELLO_BAD },
		{ "GET / HTTP/1.1\r\nHost: a\rb: c\r\n\r\n", NULL, HELLO_BAD },
		{ "GET http://other/x HTTP/1.1\r\nHost: a\r\n\r\n", NULL, HELLO_BAD },
		{ "GET https://a/x HTTP/1.1\r\nHost: a\r\n\r\n", NULL, HELLO_BAD },
		{ "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", NULL, HELLO_BAD },
		{ "GET \r\n\r\n", NULL, HELLO_BAD },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		size_t n = strlen(t[i].text);
		struct hello h = parse(t[i].text, n);

		if (h.kind != t[i].kind || (t[i].name && strcmp(h.name, t[i].name) != 0))
			fail_msg("%s: kind %d name \"%s\"", t[i].text, h.kind, h.name);
		for (size_t k = 0; k < n; k++) {
			enum hello_kind cut = parse(t[i].text, k).kind;

			assert_true(cut == HELLO_MORE || cut == t[i].kind);
		}
	}
}

static void test_body_behind_the_head(void **state UNUSED)
{
	static const char post[] = "POST / HTTP/1.1\r\nHost: a\r\n\r\n\0\1\2\n";

	assert_int_equal(parse(post, sizeof(post) - 1).kind, HELLO_HTTP);
	assert_int_equal(parse("POST / HTTP/1.1\r\n\0Host: a\r\n\r\n", 29).kind, HELLO_BAD);
	assert_int_equal(parse("GET /\0", 6).kind, HELLO_BAD);
}

static void test_limits(void **state UNUSED)
{
	size_t n = HELLO_MAX + 100;
	uint8_t *b = malloc(n);
	char name[300];

	memset(b, 'x', n);
	memcpy(b, "GET / HTTP/1.1\r\nA: ", 19);
	assert_int_equal(parse(b, HELLO_MAX - 1).kind, HELLO_MORE);
	assert_int_equal(parse(b, HELLO_MAX).kind, HELLO_BAD);
	memcpy(b + HELLO_MAX, "\r\n\r\n", 4); /* an end too late is no end, also when it comes at once */
	assert_int_equal(parse(b, n).kind, HELLO_BAD);
	memset(b, 0, n);
	memcpy(b, (uint8_t[]){ 22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xf8 }, 9);
	assert_int_equal(parse(b, HELLO_MAX - 1).kind, HELLO_MORE);
	assert_int_equal(parse(b, n).kind, HELLO_BAD);
	memset(b, 'x', n);
	assert_int_equal(parse(b, 8192).kind, HELLO_MORE);
	assert_true(parse(b, 8192).partial);
	assert_int_equal(parse(b, 8193).kind, HELLO_OTHER);
	b[5] = ' '; /* a target may be long: what could still become a request is none of the others */
	assert_int_equal(parse(b, HELLO_MAX - 1).kind, HELLO_MORE);
	assert_int_equal(parse(b, n).kind, HELLO_BAD);
	memset(b, '\n', n);
	assert_int_equal(parse(b, n).kind, HELLO_BAD);
	free(b);
	memset(name, 'a', sizeof(name));
	memcpy(name, "GET / HTTP/1.1\r\nHost: ", 22);
	memcpy(name + 22 + 254, "\r\n\r\n", 4);
	assert_int_equal(parse(name, 22 + 254 + 4).kind, HELLO_BAD);
	memcpy(name + 22 + 253, "\r\n\r\n", 4);
	assert_int_equal(parse(name, 22 + 253 + 4).kind, HELLO_HTTP);
}

static void test_every_byte(void **state UNUSED)
{
	uint8_t b[sizeof(tls)];

	memcpy(b, tls, sizeof(b));
	for (size_t i = 0; i < sizeof(b); i++)
		for (unsigned v = 0; v < 256; v++) {
			enum hello_kind full;

			b[i] = (uint8_t)v;
			full = parse(b, sizeof(b)).kind;
			for (size_t n = i; n < sizeof(b); n += 7) {
				enum hello_kind cut = parse(b, n).kind;

				assert_true(cut == HELLO_MORE || cut == full);
			}
			b[i] = tls[i];
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_tls), cmocka_unit_test(test_tls_refused), cmocka_unit_test(test_two_names), cmocka_unit_test(test_http),
					    cmocka_unit_test(test_body_behind_the_head), cmocka_unit_test(test_limits), cmocka_unit_test(test_every_byte) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
