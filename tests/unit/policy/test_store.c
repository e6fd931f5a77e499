/* SPDX-License-Identifier: Apache-2.0 */
/* Generations: what LMDB wrote reads back; every damage is refused by its hash, and with a right hash costs an answer, never a crash. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "common/evt.h"
#include "common/ipc.h"
#include "policy/compile.h"
#include "policy/model.h"

static uint8_t *gen, good_hash[32];
static size_t gen_len;

static int make(void **state UNUSED)
{
	static const char text[] = "version: 1\nname: n\nfile_rules:\n- {name: a, paths: [/w], decision: allow}\n"
				   "network_rules:\n- {name: b, domains: [x.y], ports: [443], decision: approve, timeout: 5s}\n"
				   "command_rules:\n- {name: c, commands: [git], args_patterns: [force], decision: deny, message: m}\n";
	struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1 };
	struct buf diag = BUF_INIT(1u << 16);
	int fd;

	assert_int_equal(policy_compile(&src, &diag, &fd, good_hash), 0);
	gen_len = (size_t)lseek(fd, 0, SEEK_END);
	gen = malloc(gen_len);
	assert_int_equal(pread(fd, gen, gen_len, 0), gen_len);
	close(fd);
	buf_fini(&diag);
	return 0;
}

static int unmake(void **state UNUSED)
{
	free(gen);
	return 0;
}

static int open_bytes(const uint8_t *p, size_t n, const uint8_t *hash, struct policy **ret, struct err *err)
{
	uint8_t own[32];
	int fd, r;

	sha256(p, n, own);
	assert_int_equal(memfd_sealed("t", p, n, &fd), 0);
	r = policy_open(fd, hash ? hash : own, ret, err);
	close(fd);
	return r;
}

static void ask(const struct policy *p)
{
	static const char *const argv[] = { "git", "push", NULL };
	struct pol_exec e = { .given = "git", .argv = argv, .argc = 2 };
	struct pol_net n = { .domain = "x.y", .port = 443 };

	for (int op = 0; op < POL_OP__COUNT; op++)
		policy_file(p, policy_file_path(p, "/w/x"), (enum pol_op)op, (struct pol_who){ 0 });
	policy_file_tree(p, policy_file_root(p));
	policy_net(p, &n);
	policy_exec(p, &e);
}

static void test_good(void **state UNUSED)
{
	struct policy *p;
	struct err err;

	assert_int_equal(open_bytes(gen, gen_len, good_hash, &p, &err), 0);
	assert_string_equal(policy_name(p), "n");
	assert_int_equal(policy_file(p, policy_file_path(p, "/w"), POL_OP_WRITE, (struct pol_who){ 0 }).decision, POL_ALLOW);
	policy_close(p);
}

static void test_every_byte_by_hash(void **state UNUSED)
{
	struct policy *p = NULL;
	struct err err;

	for (size_t i = 0; i < gen_len; i += 1 + (i > 8192 && gen[i] == 0 && gen[i - 1] == 0) * 12) {
		gen[i] ^= 1;
		assert_int_equal(open_bytes(gen, gen_len, good_hash, &p, &err), -EBADMSG);
		gen[i] ^= 1;
	}
	assert_null(p);
}

static void test_every_byte_with_its_hash(void **state UNUSED)
{
	static const uint8_t how[] = { 1, 0x80, 0xff };
	struct policy *p = NULL;
	struct err err;

	for (size_t i = 0; i < gen_len; i += 1 + (i > 8192 && gen[i] == 0 && gen[i - 1] == 0) * 12)
		for (size_t k = 0; k < sizeof(how); k++) {
			gen[i] ^= how[k];
			err = (struct err){ 0 };
			if (open_bytes(gen, gen_len, NULL, &p, &err) == 0) {
				ask(p);
				policy_close(p);
			} else {
				assert_true(err.status < 0 && err.msg[0]);
			}
			gen[i] ^= how[k];
		}
}

static void test_truncations(void **state UNUSED)
{
	struct policy *p = NULL;
	struct err err;

	for (size_t n = 0; n < gen_len; n += 1 + n / 64) {
		assert_int_equal(open_bytes(gen, n, good_hash, &p, &err), -EBADMSG);
		if (n % 4096 || n < 4096)
			assert_int_equal(open_bytes(gen, n, NULL, &p, &err), -EBADMSG);
	}
	/* The last pages may be ones that nothing leads to: then all is there. */
	for (size_t n = 4096; n < gen_len; n += 4096) {
		int r = open_bytes(gen, n, NULL, &p, &err);

		assert_true(r == -EBADMSG || (r == 0 && n > 3 * 4096));
		if (r == 0) {
			ask(p);
			policy_close(p);
		}
	}
}

static void test_records(void **state UNUSED)
{
	static const size_t sizes[] = { 0, 1, 100, 2000, 2030, 2048, 4079, 4080, 4081, 8176, 100000 };
	static uint8_t bytes[100000];
	char keys[200][16];
	struct record v[200], got[202];
	struct store *store;
	struct err err = { 0 };
	size_t len;
	void *map;
	int fd;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t i = 0; i < 200; i++) { /* enough for branch pages */
		snprintf(keys[i], sizeof(keys[i]), "key%zu", i);
		got[i] = v[i] = (struct record){ keys[i], bytes + i, sizes[i % ARRAY_LEN(sizes)] - (i < 11 ? 0 : i % 3 ? 0 : sizes[i % 11] / 7) };
		if (v[i].len + i > sizeof(bytes))
			v[i].data = bytes;
	}
	got[200] = (struct record){ "absent", bytes, 1 };
	got[201] = (struct record){ "key", bytes, 1 };
	assert_int_equal(store_begin(&store, &err), 0);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(store_put(store, v[i].key, v[i].data, v[i].len, &err), 0);
	assert_int_equal(store_end(store, &fd, &err), 0);
	len = (size_t)lseek(fd, 0, SEEK_END);
	map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(store_map(map, len, got, 202), 0);
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(got[i].len, v[i].len);
		assert_memory_equal(got[i].data, v[i].data, v[i].len);
		/* Of a value with pages of its own numbers can be used where they lie. */
		assert_true(v[i].len < 4096 || (uintptr_t)got[i].data % 8 == 0);
	}
	assert_null(got[200].data);
	assert_null(got[201].data);
	munmap(map, len);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_every_byte_by_hash),
					    cmocka_unit_test(test_every_byte_with_its_hash), cmocka_unit_test(test_truncations),
					    cmocka_unit_test(test_records) };

	return cmocka_run_group_tests(tests, make, unmake);
}
