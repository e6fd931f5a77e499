/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagram; what is answered carries the question unchanged, fits, and its own question reads back the same. */
#include "tests/fuzz/ask.h"

#include "netd/dns_map.h"
#include "netd/dns_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void answer(const struct dns_question *q, const struct dns_answer *a)
{
	struct dns_question again;
	uint8_t out[1024];
	size_t len = dns_write(q, a, out, sizeof(out));

	MUST(len >= 12 && (a->ptr || len <= 512));
	MUST(out[0] == q->id >> 8 && out[1] == (q->id & 255) && (out[2] & 0x80));
	MUST(len >= 12 + q->raw_len && !memcmp(out + 12, q->raw, q->raw_len));
	for (size_t cap = 0; cap < len; cap += 1 + cap / 8)
		MUST(dns_write(q, a, out, cap) == 0);
	MUST(dns_write(q, a, out, len) == len);
	MUST(dns_parse(out, len, &again) < 0); /* an answer is no question */
	if (q->raw_len == 0)
		return;
	out[2] &= 0x7f;
	out[7] = out[9] = out[11] = 0;
	MUST(dns_parse(out, 12 + q->raw_len, &again) >= 0);
	MUST(!strcmp(again.name, q->name) && again.type == q->type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dns_question q;
	struct addr rev;
	char name[300];
	int r = dns_parse(data, n, &q);

	if (r >= 0) {
		const struct dns_answer a[] = { { .rcode = DNS_NOERROR, .ede = DNS_EDE_NONE, .addr = { .len = 4, .b = { 192, 0, 2, 1 } }, .ttl = 5 },
						{ .rcode = DNS_NOERROR, .ede = DNS_EDE_NONE, .addr = { .len = 16 }, .ttl = 5 },
						{ .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_BLOCKED }, { .rcode = DNS_NOERROR, .ede = DNS_EDE_NONE },
						{ .rcode = r ? (enum dns_rcode)r : DNS_SERVFAIL, .ede = DNS_EDE_UNREACHABLE },
						{ .rcode = DNS_NOERROR, .ede = DNS_EDE_NONE, .ptr = q.name, .ttl = 1 } };

		MUST(strlen(q.name) < DNS_NAME_MAX && q.udp_size >= 512);
		for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
			answer(&q, &a[i]);
		dns_reverse(q.name, &rev);
	}
	if (n < sizeof(name)) {
		memcpy(name, data, n);
		name[n] = 0;
		if (dns_reverse(name, &rev))
			MUST(rev.len == 4 || rev.len == 16);
	}
	return 0;
}
