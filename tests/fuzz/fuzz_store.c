/* SPDX-License-Identifier: Apache-2.0 */
/* A generation that somebody changed and gave a right hash: opened or refused, never a read outside it. First byte: 0 the bytes are the
 * file, 1 they are patches {u24 offset, u8 length, bytes} of a good one, 2 they are patches and end it early, 3 they are records. */
#include "tests/fuzz/ask.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/evt.h"
#include "common/ipc.h"
#include "policy/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char text[] = "version: 1\nname: n\nfile_rules:\n- {name: a, paths: ['/w/**'], decision: allow, message: m}\n"
			   "network_rules:\n- {name: b, domains: ['*.x'], ports: [443], cidrs: [10.0.0.0/8], decision: approve, timeout: 5s}\n"
			   "command_rules:\n- {name: c, commands: [git], args_patterns: [force], decision: redirect, redirect_to: {command: echo, args: [x]}}\n"
			   "- {name: d, decision: allow}\n";
static uint8_t *good, *copy;
static size_t good_len;

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1 };
	struct buf diag = BUF_INIT(1u << 16);
	uint8_t hash[32];
	int fd;

	MUST(policy_compile(&src, &diag, &fd, hash) == 0);
	good_len = (size_t)lseek(fd, 0, SEEK_END);
	good = malloc(good_len);
	copy = malloc(good_len);
	MUST(good && copy && pread(fd, good, good_len, 0) == (ssize_t)good_len);
	close(fd);
	buf_fini(&diag);
	return 0;
}

static void try(const uint8_t *bytes, size_t n)
{
	struct policy *p = NULL;
	struct err err = { 0 };
	uint8_t hash[32];
	int fd;

	MUST(memfd_sealed("x", bytes, n, &fd) == 0);
	sha256(bytes, n, hash);
	if (policy_open(fd, hash, &p, &err) == 0) {
		ask(p);
		policy_close(p);
	} else {
		MUST(err.msg[0] && err.status < 0);
	}
	close(fd);
}

/* An automaton's record is used where it lies: one that is taken answers every question. */
static void automaton(const uint8_t *data, size_t n)
{
	struct policy p = { .n_dfa = 1, .workspace = (char[]){ "/home/u/ws" } };
	uint8_t *record = malloc(n + 1);

	MUST(record);
	memcpy(record, data, n);
	if (dfa_map(record, n, &p.dfa[0]) == 0) {
		struct pol_state a = policy_file_path(&p, "/workspace/a.key"), b = policy_file_child(&p, policy_file_root(&p), "w", 1);

		for (int op = 0; op < POL_OP__COUNT; op++) {
			policy_file(&p, a, (enum pol_op)op, (struct pol_who){ .sure = data[n - 1] });
			policy_file(&p, b, (enum pol_op)op, (struct pol_who){ .unknown = true });
			policy_file_asks(&p, b, (enum pol_op)op);
		}
		policy_file_tree(&p, a);
		policy_file_rename_safe(&p, a, b, true);
	}
	free(record);
}

static void records(const uint8_t *data, size_t n)
{
	uint32_t *copy_of = malloc(n + 4);
	struct policy p = { 0 };

	MUST(copy_of);
	memcpy(copy_of, data, n);
	image_map(&p, copy_of, n);
	free(copy_of);
	automaton(data, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t len = good_len;

	if (n < 2 || data[0] == 0) {
		try(data + (n > 0), n - (n > 0));
		return 0;
	}
	if (data[0] == 3) {
		records(data + 1, n - 1);
		return 0;
	}
	memcpy(copy, good, good_len);
	for (size_t i = 1; i + 4 < n;) {
		size_t at = ((size_t)data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16) % good_len, k = data[i + 3];

		i += 4;
		for (; k && i < n && at < good_len; k--)
			copy[at++] = data[i++];
		len = data[0] == 2 ? at : good_len;
	}
	try(copy, len);
	return 0;
}
