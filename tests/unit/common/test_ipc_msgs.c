/* SPDX-License-Identifier: Apache-2.0 */
/* Every message of the table: its smallest and largest body, one byte less and more, its descriptor, its senders; what is in it, cut anywhere. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/ipc.h"

static const struct row { uint16_t num; uint32_t min, max; int fd; unsigned who; const char *name; } rows[] = {
#define MSG(num, name, min, max, fd, who) { num, min, max, fd, IPC_##who, #name },
#include "common/ipc_msgs.def"
#undef MSG
};
static struct ipc_frame f;
static uint8_t frame[IPC_HEADER + IPC_BODY_MAX + 1];

static int give(uint16_t type, size_t len, int has_fd, unsigned from)
{
	struct wr w = wr_init(frame, IPC_HEADER);
	uint8_t *exact = malloc(IPC_HEADER + len);
	int r;

	assert_non_null(exact);
	wr_u16(&w, type);
	wr_u16(&w, 0);
	wr_u32(&w, 1);
	wr_u32(&w, (uint32_t)len);
	wr_u32(&w, 0);
	memcpy(exact, frame, IPC_HEADER);
	memset(exact + IPC_HEADER, 0, len);
	r = ipc_recv_raw(exact, IPC_HEADER + len, has_fd, from, &f);
	free(exact);
	return r;
}

static void test_bounds(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		int fd = r->fd == 1;

		assert_true(r->min <= r->max && r->max <= IPC_BODY_MAX);
		assert_string_equal(ipc_name(r->num), r->name);
		assert_int_equal(give(r->num, r->min, fd, r->who), 1);
		assert_int_equal(f.len, r->min);
		assert_int_equal(give(r->num, r->max, fd, r->who), 1);
		assert_int_equal(give(r->num, r->max + 1, fd, r->who), -EPROTO);
		if (r->min)
			assert_int_equal(give(r->num, r->min - 1, fd, r->who), -EPROTO);
		assert_int_equal(give(r->num, r->min, 1, r->who), r->fd == 0 ? -EPROTO : 1);
		assert_int_equal(give(r->num, r->min, 0, r->who), r->fd == 1 ? -EPROTO : 1);
		for (unsigned who = IPC_C; who <= IPC_W; who *= 2)
			assert_int_equal(give(r->num, r->min, fd, who), r->who & who ? 1 : -EPROTO);
	}
}

static void test_unknown(void **state UNUSED)
{
	for (unsigned type = 0; type < 65536; type++) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			known |= rows[i].num == type;
		if (!known)
			for (int fd = 0; fd < 2; fd++)
				assert_int_equal(give((uint16_t)type, 8, fd, IPC_C | IPC_DW), -EPROTO);
	}
}

static void test_header(void **state UNUSED)
{
	/* type, flags, id, length, zero: every bit but those of the id and of MORE counts */
	for (size_t i = 0; i < IPC_HEADER * 8; i++) {
		uint8_t b[IPC_HEADER] = { IPC_PING };

		b[i / 8] ^= (uint8_t)(1u << i % 8);
		if (b[0] == IPC_STOP && i == 1)
			continue; /* PING and STOP are one bit apart */
		assert_int_equal(ipc_recv_raw(b, sizeof(b), 0, IPC_C, &f), (i >= 32 && i < 64) || i == 16 ? 1 : -EPROTO);
	}
	for (size_t n = 0; n < IPC_HEADER; n++)
		assert_int_equal(ipc_recv_raw(frame, n, 0, IPC_C, &f), -EPROTO);
	assert_int_equal(ipc_recv_raw(frame, IPC_HEADER + IPC_BODY_MAX + 1, 0, IPC_C, &f), -EPROTO);
}

/* EXEC as the CLI sends it: cut anywhere, a reader is never done and never outside. */
static void test_cut_exec(void **state UNUSED)
{
	uint8_t body[256];
	struct wr w = wr_init(body, sizeof(body));
	char id[64], cwd[64];

	wr_str(&w, "cmd-1");
	wr_str(&w, "/workspace");
	wr_u64(&w, 5);
	wr_u32(&w, 1);
	wr_u32(&w, 2);
	wr_str(&w, "ls");
	wr_str(&w, "-l");
	wr_u32(&w, 1);
	wr_str(&w, "A=b");
	for (size_t n = 0; n <= wr_len(&w); n++) {
		uint8_t *exact = malloc(n ? n : 1);
		struct rd r = rd_init(memcpy(exact, body, n), n);

		rd_strcpy(&r, id, sizeof(id));
		rd_strcpy(&r, cwd, sizeof(cwd));
		rd_u64(&r);
		rd_u32(&r);
		for (int list = 0; list < 2; list++)
			for (uint32_t k = rd_u32(&r); k && !r.bad; k--) {
				size_t len;

				rd_str(&r, 100, &len);
			}
		assert_int_equal(rd_done(&r), n == wr_len(&w));
		free(exact);
	}
}

static void test_strings(void **state UNUSED)
{
	static const uint8_t nul[] = { 3, 0, 0, 0, 'a', 0, 'b' }, huge[] = { 0xff, 0xff, 0xff, 0xff, 'a' };
	char small[3], room[64];
	struct rd r = rd_init(nul, sizeof(nul));
	size_t n;

	rd_strcpy(&r, room, sizeof(room));
	assert_true(r.bad);
	assert_string_equal(room, "");
	r = rd_init(huge, sizeof(huge));
	assert_string_equal(rd_str(&r, SIZE_MAX, &n), "");
	assert_true(r.bad && n == 0);
	r = rd_init("\3\0\0\0abc", 7);
	rd_strcpy(&r, small, sizeof(small));
	assert_true(r.bad); /* three and a NUL do not fit */
	r = rd_init(NULL, 0);
	assert_int_equal(rd_u32(&r), 0);
	assert_true(r.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_bounds), cmocka_unit_test(test_unknown), cmocka_unit_test(test_header),
					    cmocka_unit_test(test_cut_exec), cmocka_unit_test(test_strings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
