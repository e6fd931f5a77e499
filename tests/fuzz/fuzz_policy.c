/* SPDX-License-Identifier: Apache-2.0 */
/* Any text: refused with a position, or compiled to a generation that opens and answers. validate and compile agree. */
#include "tests/fuzz/ask.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct pol_var vars[] = { { "HOME", "/home/u" }, { "PROJECT_ROOT", "/ws*{}" }, { "A", "" } };
	struct pol_source src = { .file = "f", .text = (const char *)data, .len = n, .workspace = "/home/u/ws", .vars = vars, .n_vars = 3 };
	struct buf diag = BUF_INIT(1u << 20);
	struct err err = { 0 };
	struct policy *p = NULL;
	uint8_t hash[32];
	int fd = -1, valid, r;

	valid = policy_validate(&src, &diag);
	MUST(valid == 0 || (diag.len && strstr((const char *)diag.data, ": error: ")));
	buf_reset(&diag);
	r = policy_compile(&src, &diag, &fd, hash);
	MUST(r == 0 || (diag.len && strstr((const char *)diag.data, ": error: ")));
	MUST(r != 0 || valid == 0);
	if (r == 0) {
		MUST(policy_open(fd, hash, &p, &err) == 0);
		ask(p);
		policy_close(p);
		close(fd);
	}
	buf_fini(&diag);
	return 0;
}
