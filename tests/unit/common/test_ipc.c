/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: bounds, senders, descriptors; every truncation and every flipped header byte is refused or read, never a crash. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "common/ipc.h"

static struct ipc_frame f;

static void pair(int s[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
}

static void test_round_trip(void **state UNUSED)
{
	uint8_t body[64];
	struct wr w = wr_init(body, sizeof(body));
	struct rd r;
	char id[64];
	int s[2];

	pair(s);
	wr_str(&w, "session-1");
	assert_int_equal(ipc_send_wr(s[0], IPC_ATTACH, 0, 7, &w, -1), 0);
	assert_int_equal(ipc_recv(s[1], IPC_C, &f), 1);
	assert_int_equal(f.type, IPC_ATTACH);
	assert_int_equal(f.id, 7);
	assert_int_equal(f.fd, -1);
	r = rd_init(f.body, f.len);
	rd_strcpy(&r, id, sizeof(id));
	assert_true(rd_done(&r));
	assert_string_equal(id, "session-1");
	close(s[0]);
	assert_int_equal(ipc_recv(s[1], IPC_C, &f), 0);
	close(s[1]);
}

static void test_descriptor_rules(void **state UNUSED)
{
	uint8_t body[4] = { 1, 0, 0, 0 };
	int s[2], null = open("/dev/null", O_RDONLY);

	pair(s);
	assert_int_equal(ipc_send(s[0], IPC_EXEC_FD, 0, 1, body, 4, null), 0);
	assert_int_equal(ipc_recv(s[1], IPC_C, &f), 1);
	assert_true(f.fd >= 0);
	assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
	close(f.fd);
	/* missing where required, present where forbidden */
	assert_int_equal(ipc_send(s[0], IPC_EXEC_FD, 0, 1, body, 4, -1), 0);
	assert_int_equal(ipc_recv(s[1], IPC_C, &f), -EPROTO);
	assert_int_equal(ipc_send(s[0], IPC_PING, 0, 1, NULL, 0, null), 0);
	assert_int_equal(ipc_recv(s[1], IPC_C, &f), -EPROTO);
	assert_int_equal(f.fd, -1);
	close(null);
	close(s[0]);
	close(s[1]);
}

static void test_sender_and_bounds(void **state UNUSED)
{
	int s[2];

	pair(s);
	assert_int_equal(ipc_send(s[0], IPC_PING, 0, 1, NULL, 0, -1), 0);
	assert_int_equal(ipc_recv(s[1], IPC_W, &f), -EPROTO);
	assert_int_equal(ipc_send(s[0], IPC_PING, 0, 1, "x", 1, -1), 0);
	assert_int_equal(ipc_recv(s[1], IPC_C, &f), -EPROTO);
	assert_int_equal(ipc_send(s[0], 999, 0, 1, NULL, 0, -1), 0);
	assert_int_equal(ipc_recv(s[1], IPC_C, &f), -EPROTO);
	assert_int_equal(ipc_send(s[0], IPC_OK, 0, 1, NULL, IPC_BODY_MAX + 1, -1), -EMSGSIZE);
	assert_int_equal(send(s[0], "garbage", 7, 0), 7);
	assert_int_equal(ipc_recv(s[1], IPC_C, &f), -EPROTO);
	close(s[0]);
	close(s[1]);
}

static void test_mutations(void **state UNUSED)
{
	uint8_t frame[IPC_HEADER + 8];
	struct wr w = wr_init(frame, sizeof(frame));

	wr_u16(&w, IPC_KILL);
	wr_u16(&w, 0);
	wr_u32(&w, 1);
	wr_u32(&w, 8);
	wr_u32(&w, 0);
	wr_str(&w, "abcd");
	assert_int_equal(ipc_recv_raw(frame, sizeof(frame), 0, IPC_C, &f), 1);
	for (size_t n = 0; n < sizeof(frame); n++)
		assert_int_equal(ipc_recv_raw(frame, n, 0, IPC_C, &f), -EPROTO);
	for (size_t i = 0; i < sizeof(frame); i++)
		for (int bit = 0; bit < 8; bit++) {
			frame[i] ^= (uint8_t)(1 << bit);
			ipc_recv_raw(frame, sizeof(frame), 0, IPC_C, &f);
			frame[i] ^= (uint8_t)(1 << bit);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_descriptor_rules),
					    cmocka_unit_test(test_sender_and_bounds), cmocka_unit_test(test_mutations) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
