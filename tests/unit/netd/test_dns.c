/* SPDX-License-Identifier: Apache-2.0 */
/* DNS questions and answers byte for byte, reverse names, and the map of names to addresses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "netd/dns_map.h"
#include "netd/dns_wire.h"

static const uint8_t query[] = {
	0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 3, 'A', 'p', 'i', 2, '_', 'x', 0, 0, 28, 0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0,
};
#define PLAIN 24 /* without its OPT record */

static int parse(const uint8_t *p, size_t n, struct dns_question *q)
{
	uint8_t *exact = malloc(n ? n : 1);
	int r;

	memcpy(exact, p, n);
	r = dns_parse(exact, n, q);
	free(exact);
	return r;
}

static void test_question(void **state UNUSED)
{
	struct dns_question q;
	uint8_t b[sizeof(query)];

	assert_int_equal(parse(query, sizeof(query), &q), 0);
	assert_string_equal(q.name, "api._x");
	assert_int_equal(q.type, DNS_AAAA);
	assert_int_equal(q.id, 0x1234);
	assert_true(q.edns);
	assert_int_equal(q.udp_size, 1232);
	assert_memory_equal(q.raw, query + 12, q.raw_len);
	for (size_t n = 0; n < sizeof(query); n++) {
		int r = parse(query, n, &q);

		/* Without its OPT record, whole, it is still a question that announced one more record. */
		assert_int_equal(r, n < 12 ? -EBADMSG : n == PLAIN ? 0 : DNS_FORMERR);
	}
	memcpy(b, query, sizeof(b));
	for (size_t i = 0; i < sizeof(b); i++)
		for (unsigned v = 0; v < 256; v++) {
			b[i] = (uint8_t)v;
			if (parse(b, sizeof(b), &q) == 0)
				assert_true(i < 2 || (i > 12 && i < 20) || i == 20 || i == 21 || v == query[i] || i == 2 || i == 3 || i == 11 || i >= 27);
			b[i] = query[i];
		}
}

static void test_refused(void **state UNUSED)
{
	static const struct { size_t at; uint8_t v; int r; const char *what; } t[] = {
		{ 2, 0x81, -EBADMSG, "an answer" }, { 2, 0x29, DNS_NOTIMP, "another opcode" }, { 5, 2, DNS_FORMERR, "two questions" }, { 5, 0, DNS_FORMERR, "none" },
		{ 7, 1, DNS_FORMERR, "an answer record" }, { 9, 1, DNS_FORMERR, "an authority record" }, { 11, 2, DNS_FORMERR, "two more records" },
		{ 12, 0xc0, DNS_FORMERR, "compression" }, { 12, 64, DNS_FORMERR, "a label of 64" }, { 13, '*', DNS_FORMERR, "a star" }, { 13, 0, DNS_FORMERR, "NUL" },
		{ 13, '.', DNS_FORMERR, "a dot in a label" }, { 13, 0xe9, DNS_FORMERR, "no ASCII" }, { 23, 3, DNS_REFUSED, "class CHAOS" }, { 24, 1, DNS_FORMERR, "OPT with a name" },
		{ 26, 42, DNS_FORMERR, "no OPT" }, { 34, 1, DNS_FORMERR, "OPT data past the end" },
	};
	uint8_t b[sizeof(query) + 1];
	struct dns_question q;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		memcpy(b, query, sizeof(query));
		b[t[i].at] = t[i].v;
		if (parse(b, sizeof(query), &q) != t[i].r)
			fail_msg("%s: %d", t[i].what, parse(b, sizeof(query), &q));
	}
	memcpy(b, query, sizeof(query));
	b[sizeof(query)] = 0;
	assert_int_equal(parse(b, sizeof(b), &q), DNS_FORMERR); /* a byte behind */
}

static void test_longest_name(void **state UNUSED)
{
	static const uint8_t last[] = { 61, 62 };
	uint8_t b[300] = { 0, 1, 1, 0, 0, 1 }, out[1024];
	struct dns_question q;

	for (size_t k = 0; k < 2; k++) {
		size_t at = 12;

		for (int i = 0; i < 4; i++) {
			uint8_t n = i < 3 ? 63 : last[k];

			b[at++] = n;
			memset(b + at, 'a' + i, n);
			at += n;
		}
		memcpy(b + at, (uint8_t[]){ 0, 0, 1, 0, 1 }, 5);
		assert_int_equal(parse(b, at + 5, &q), k ? DNS_FORMERR : 0);
		if (k == 0) {
			struct dns_answer a = { .rcode = DNS_NOERROR, .ede = DNS_EDE_BLOCKED, .addr = { .len = 16 }, .ttl = 1 };

			assert_int_equal(strlen(q.name), 253);
			assert_true(dns_write(&q, &a, out, 512) > 0);
			a.addr.len = 0;
			a.ptr = q.name;
			assert_true(dns_write(&q, &a, out, sizeof(out)) > 512);
		}
	}
}

static void test_answers(void **state UNUSED)
{
	const struct dns_answer a = { .rcode = DNS_NOERROR, .ede = DNS_EDE_NONE, .addr = { .len = 16, .b = { 0xfd, [15] = 9 } }, .ttl = 5 },
				deny = { .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_BLOCKED };
	static const uint8_t tail[] = { 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 5, 0, 16, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 };
	static const uint8_t ede[] = { 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 15 };
	struct dns_question q;
	uint8_t out[512];
	size_t n;

	assert_int_equal(parse(query, PLAIN, &q), 0);
	n = dns_write(&q, &a, out, sizeof(out));
	assert_int_equal(n, PLAIN + sizeof(tail));
	assert_memory_equal(out, ((uint8_t[]){ 0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0 }), 12);
	assert_memory_equal(out + 12, query + 12, PLAIN - 12); /* letters as they were asked */
	assert_memory_equal(out + PLAIN, tail, sizeof(tail));
	for (size_t cap = 0; cap < n; cap++)
		assert_int_equal(dns_write(&q, &a, out, cap), 0);
	assert_int_equal(parse(query, sizeof(query), &q), 0);
	n = dns_write(&q, &deny, out, sizeof(out));
	assert_int_equal(out[3] & 15, DNS_NXDOMAIN);
	assert_memory_equal(out + n - sizeof(ede), ede, sizeof(ede));
	for (size_t cap = 0; cap < n; cap++)
		assert_int_equal(dns_write(&q, &deny, out, cap), 0);
}

static void test_reverse(void **state UNUSED)
{
	static const char v6[] = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
	struct addr a;
	char t[46], cut[sizeof(v6)];

	assert_true(dns_reverse("4.3.2.1.in-addr.arpa", &a));
	addr_text(&a, t);
	assert_string_equal(t, "1.2.3.4");
	assert_true(dns_reverse(v6, &a));
	addr_text(&a, t);
	assert_string_equal(t, "2001:db8::1");
	assert_false(dns_reverse("256.3.2.1.in-addr.arpa", &a));
	assert_false(dns_reverse("3.2.1.in-addr.arpa", &a));
	assert_false(dns_reverse("4.3.2.1.in-addr.arpa.x", &a));
	assert_false(dns_reverse("-0.3.2.1.in-addr.arpa", &a));
	assert_false(dns_reverse("01.3.2.1.in-addr.arpa", &a));
	assert_false(dns_reverse("", &a));
	for (size_t n = 0; n < strlen(v6); n++) {
		memcpy(cut, v6, n);
		cut[n] = 0;
		assert_false(dns_reverse(cut, &a));
	}
	for (size_t i = 0; i < strlen(v6); i++) {
		strcpy(cut, v6);
		cut[i] = 'z';
		assert_false(dns_reverse(cut, &a));
	}
}

static void test_map(void **state UNUSED)
{
	struct dns_map *m;
	struct addr v4, v6, again4, again6;
	char name[32], t[46];

	assert_int_equal(dns_map_new(&m), 0);
	assert_int_equal(dns_map_lease(m, "a.example", &v4, &v6), 0);
	addr_text(&v4, t);
	assert_string_equal(t, "198.18.0.16");
	addr_text(&v6, t);
	assert_string_equal(t, "fd61:6773:68::10");
	assert_string_equal(dns_map_name(m, &v4), "a.example");
	assert_string_equal(dns_map_name(m, &v6), "a.example");
	for (int i = 1; i < DNS_MAP_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		assert_int_equal(dns_map_lease(m, name, &v4, &v6), 0);
		assert_string_equal(dns_map_name(m, &v4), name);
		assert_string_equal(dns_map_name(m, &v6), name);
	}
	assert_int_equal(dns_map_lease(m, "one.more", &v4, &v6), -ENOSPC);
	assert_int_equal(dns_map_lease(m, "a.example", &again4, &again6), 0);
	addr_text(&again4, t);
	assert_string_equal(t, "198.18.0.16");
	/* neighbours that were given to nobody */
	assert_null(dns_map_name(m, &(struct addr){ .len = 4, .b = { 198, 18, 0, 15 } }));
	assert_null(dns_map_name(m, &(struct addr){ .len = 4, .b = { 198, 19, 0, 16 } }));
	assert_null(dns_map_name(m, &(struct addr){ .len = 4, .b = { 198, 18, 64, 16 } }));
	assert_null(dns_map_name(m, &(struct addr){ .len = 4, .b = { 10, 18, 0, 16 } }));
	again6.b[13] = 1;
	assert_null(dns_map_name(m, &again6));
	dns_map_free(m);
	dns_map_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_question), cmocka_unit_test(test_refused), cmocka_unit_test(test_longest_name),
					    cmocka_unit_test(test_answers), cmocka_unit_test(test_reverse), cmocka_unit_test(test_map) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
