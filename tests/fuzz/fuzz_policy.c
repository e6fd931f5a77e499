/* SPDX-License-Identifier: Apache-2.0 */
/* Any text: refused with a position, or compiled to a generation that opens and answers. validate and compile agree. */
#include "tests/fuzz/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct text { const uint8_t *data; size_t n; };

/* Any name is the text itself, so that it extends itself under as many names as it has. */
static int load(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct err *err)
{
	const struct text *t = arg;

	MUST(from && name[0]);
	if (name[0] == '/')
		return err_set(err, -ENOENT, "there is none");
	*ret_path = strdup(name);
	*ret_text = malloc(t->n + 1);
	MUST(*ret_path && *ret_text);
	memcpy(*ret_text, t->data, t->n);
	*ret_len = t->n;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct pol_var vars[] = { { "HOME", "/home/u" }, { "PROJECT_ROOT", "/ws*{}" }, { "A", "" } };
	struct text text = { data, n };
	struct pol_source src = { .file = "f", .text = (const char *)data, .len = n, .workspace = "/home/u/ws", .vars = vars, .n_vars = 3,
				  .load = load, .load_arg = &text, .compat = n % 2 };
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
