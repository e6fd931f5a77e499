/* SPDX-License-Identifier: Apache-2.0 */
/* A client's first bytes: however they are cut on the way, the verdict is "more" until it is the final one. */
#include "tests/fuzz/ask.h"

#include "netd/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct hello full, part;
	size_t step = 1 + n / 300;

	hello_parse(data, n, &full);
	MUST(memchr(full.name, 0, sizeof(full.name)) && memchr(full.alpn, 0, sizeof(full.alpn)));
	MUST((full.kind == HELLO_BAD) == (full.why != NULL));
	for (const char *c = full.name; *c; c++)
		MUST((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_' || *c == '.');
	for (size_t i = 0; i < n; i += step) {
		uint8_t *exact = malloc(i ? i : 1); /* so that one byte more is a finding */

		MUST(exact);
		memcpy(exact, data, i);
		hello_parse(exact, i, &part);
		free(exact);
		if (part.kind == HELLO_MORE)
			continue;
		MUST(part.kind == full.kind);
		if (part.kind == HELLO_TLS || part.kind == HELLO_HTTP)
			MUST(!strcmp(part.name, full.name) && !strcmp(part.alpn, full.alpn));
		break;
	}
	return 0;
}
