/* SPDX-License-Identifier: Apache-2.0 */
/* Any packet: a flow or a refusal; a cut packet says the same or less. */
#include "tests/fuzz/ask.h"

#include "netd/dns_map.h"
#include "netd/pkt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct pkt k, cut;
	char t[46];

	if (pkt_parse(data, n, &k) < 0)
		return 0;
	MUST((k.src.len == 4 || k.src.len == 16) && k.src.len == k.dst.len);
	MUST(k.proto == 6 || k.proto == 17 || (!k.sport && !k.dport && !k.syn));
	for (size_t i = 0; i < n && i < 128; i++)
		if (pkt_parse(data, i, &cut) == 0)
			MUST(addr_eq(&cut.dst, &k.dst) && cut.proto == k.proto && cut.dport == k.dport && cut.syn == k.syn);
	addr_text(&k.dst, t);
	MUST(strchr(t, k.dst.len == 4 ? '.' : ':'));
	addr_special(&k.src);
	dns_map_covers(&k.dst);
	cut.dst = k.dst;
	addr_unmap(&cut.dst);
	MUST(addr_special(&k.dst) || !addr_special(&cut.dst)); /* no spelling makes an address less special */
	return 0;
}
