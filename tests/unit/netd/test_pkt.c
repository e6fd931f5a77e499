/* SPDX-License-Identifier: Apache-2.0 */
/* Packets: flows out of headers, every cut and every changed byte, and which addresses are special in every spelling. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "netd/pkt.h"

static const uint8_t tcp4[] = { 0x46, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 198, 18, 0, 16, 1, 1, 1, 0,
				0x30, 0x39, 1, 187, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0 };
/* hop-by-hop (8), destination options (16), UDP */
static const uint8_t udp6[] = { 0x60, 0, 0, 0, 0, 32, 0, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
				0, 0, 0, 2, 60, 0, 1, 4, 0, 0, 0, 0, 17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 53, 0x14, 0xe9, 0, 8, 0, 0 };

static int parse(const uint8_t *p, size_t n, struct pkt *k)
{
	uint8_t *exact = malloc(n ? n : 1);
	int r;

	memcpy(exact, p, n);
	r = pkt_parse(exact, n, k);
	free(exact);
	return r;
}

static void test_flows(void **state UNUSED)
{
	struct pkt k;
	char t[46];

	assert_int_equal(parse(tcp4, sizeof(tcp4), &k), 0);
	addr_text(&k.dst, t);
	assert_string_equal(t, "198.18.0.16");
	assert_int_equal(k.sport, 12345);
	assert_int_equal(k.dport, 443);
	assert_true(k.syn);
	assert_int_equal(parse(udp6, sizeof(udp6), &k), 0);
	addr_text(&k.src, t);
	assert_string_equal(t, "fd00::1");
	assert_int_equal(k.proto, 17);
	assert_int_equal(k.dport, 5353);
	assert_false(k.syn);
	for (size_t n = 0; n < sizeof(tcp4); n++)
		assert_int_equal(parse(tcp4, n, &k), -EBADMSG);
	for (size_t n = 0; n < sizeof(udp6); n++)
		assert_int_equal(parse(udp6, n, &k), -EBADMSG);
}

static void test_changed(void **state UNUSED)
{
	static const struct { size_t at; uint8_t v; int r; } t[] = {
		{ 0, 0x44, -EBADMSG }, { 0, 0x4f, -EBADMSG }, { 0, 0x56, -EBADMSG }, { 6, 0x20, -EBADMSG }, { 7, 1, -EBADMSG }, { 9, 1, 0 }, { 37, 0x12, 0 },
	};
	uint8_t b[sizeof(udp6)];
	struct pkt k;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		memcpy(b, tcp4, sizeof(tcp4));
		b[t[i].at] = t[i].v;
		assert_int_equal(parse(b, sizeof(tcp4), &k), t[i].r);
		assert_false(k.syn);
		assert_int_equal(k.dport, t[i].at == 37 ? 443 : 0);
	}
	for (size_t i = 0; i < sizeof(udp6); i++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(b, udp6, sizeof(udp6));
			b[i] = (uint8_t)v;
			if (parse(b, sizeof(udp6), &k) == 0)
				assert_int_equal(k.dst.len, b[0] >> 4 == 6 ? 16 : 4);
			if (i < sizeof(tcp4)) {
				memcpy(b, tcp4, sizeof(tcp4));
				b[i] = (uint8_t)v;
				if (parse(b, sizeof(tcp4), &k) == 0)
					assert_int_equal(k.dst.len, b[0] >> 4 == 6 ? 16 : 4);
			}
		}
	memcpy(b, udp6, sizeof(udp6));
	b[6] = 44; /* a fragment header */
	assert_int_equal(parse(b, sizeof(udp6), &k), -EBADMSG);
}

static void test_extension_limit(void **state UNUSED)
{
	for (size_t n = 7; n <= 8; n++) {
		uint8_t b[40 + 8 * 8 + 8] = { 0x60, [6] = 60 };
		struct pkt k;

		for (size_t i = 0; i < n; i++)
			b[40 + 8 * i] = i == n - 1 ? 17 : 60;
		assert_int_equal(parse(b, 40 + 8 * n + 8, &k), n == 7 ? 0 : -EBADMSG);
	}
}

static struct addr addr_of(const char *s)
{
	struct addr a = { .len = strchr(s, ':') ? 16 : 4 };

	assert_int_equal(inet_pton(a.len == 16 ? AF_INET6 : AF_INET, s, a.b), 1);
	return a;
}

static void test_special(void **state UNUSED)
{
	static const char *const yes[] = { "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "224.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1", "::ffff:10.0.0.1",
		"::ffff:8.8.8.8", "::10.0.0.1", "fc00::1", "fd00::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
		"2002:a00:1::", "2002:7f00:1::1", "64:ff9b:1::10.0.0.1", "64:ff9b:1:a00:0:100::", "2001:0:a00:1:0:0:f7f7:f7f7", "2001:0:808:808:0:0:f5ff:fffe" };
	static const char *const no[] = { "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.1.1.1", "128.0.0.1", "172.15.255.255",
		"172.32.0.0", "192.0.1.1", "192.167.1.1", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15", "2606:4700::1", "fbff::1", "2001:4860::8",
		"64:ff9b::8.8.8.8", "2002:808:808::1", "64:ff9b:1::8.8.8.8", "2001:0:808:808:0:0:f7f7:f7f7" };
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		a = addr_of(yes[i]);
		if (!addr_special(&a))
			fail_msg("%s", yes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		a = addr_of(no[i]);
		if (addr_special(&a))
			fail_msg("%s", no[i]);
	}
	a = addr_of("::ffff:10.0.0.1");
	addr_unmap(&a);
	assert_int_equal(a.len, 4);
	assert_memory_equal(a.b, ((uint8_t[16]){ 10, 0, 0, 1 }), 16);
	a = addr_of("::fffe:10.0.0.1");
	addr_unmap(&a);
	assert_int_equal(a.len, 16);
}

/* The IPv4 addresses that lie in an IPv6 one, each by its layout; and of what has none, none. */
static void test_embedded(void **state UNUSED)
{
	static const struct { const char *outer, *inner[ADDR_EMBEDDED_MAX]; } v[] = {
		{ "64:ff9b::10.1.2.3", { "10.1.2.3" } },
		{ "64:ff9b::0.0.0.0", { "0.0.0.0" } },
		{ "2002:a01:203::1", { "10.1.2.3" } },
		{ "64:ff9b:1::10.1.2.3", { "10.1.2.3" } },
		{ "64:ff9b:1:a01:2:300::", { "10.1.2.3", "1.2.3.0", "2.3.0.0" } },
		{ "64:ff9b:1:ff0a:1:203::", { "255.10.1.2", "10.1.2.3", "1.2.3.0" } },
		{ "64:ff9b:1:ffff:a:102:300::", { "255.255.10.1", "255.10.1.2", "10.1.2.3", "3.0.0.0" } },
		{ "64:ff9b:1::", { "0.0.0.0" } },
		{ "2001:0:a09:807:0:0:f5fe:fdfc", { "10.9.8.7", "10.1.2.3" } },
		{ "64:ff9c::10.1.2.3", { NULL } }, { "64:ff9b:0:1::10.1.2.3", { NULL } }, { "64:ff9b:2::10.1.2.3", { NULL } },
		{ "2003:a01:203::1", { NULL } }, { "2001:1:a09:807:0:0:f5fe:fdfc", { NULL } }, { "10.1.2.3", { NULL } },
		{ "2001:db8::10.1.2.3", { NULL } },
	};
	struct addr got[ADDR_EMBEDDED_MAX], a;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		size_t n, want = 0;

		a = addr_of(v[i].outer);
		n = addr_embedded(&a, got);
		while (want < ADDR_EMBEDDED_MAX && v[i].inner[want])
			want++;
		if (n != want)
			fail_msg("%s: %zu addresses", v[i].outer, n);
		for (size_t k = 0; k < n; k++) {
			a = addr_of(v[i].inner[k]);
			if (!addr_eq(&a, &got[k]))
				fail_msg("%s: not %s", v[i].outer, v[i].inner[k]);
		}
	}
	/* mapped ones are what they are before any of this */
	a = addr_of("::ffff:10.1.2.3");
	addr_unmap(&a);
	assert_int_equal(addr_embedded(&a, got), 0);
	assert_memory_equal(a.b, ((uint8_t[16]){ 10, 1, 2, 3 }), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flows), cmocka_unit_test(test_changed), cmocka_unit_test(test_extension_limit),
					    cmocka_unit_test(test_special), cmocka_unit_test(test_embedded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
