/* SPDX-License-Identifier: Apache-2.0 */
/* Text, buffers, cursors, board, events. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "common/board.h"
#include "common/cleanup.h"
#include "common/evt.h"
#include "common/loop.h"
#include "common/wire.h"

static void test_display(void **state UNUSED)
{
	char out[64], tiny[4];

	assert_string_equal(str_display("a\x1b[2J\n", 6, out, sizeof(out)), "a\\x1b[2J\\x0a");
	assert_string_equal(str_display("\xc3\xa9\xff\\", 4, out, sizeof(out)), "\xc3\xa9\\xff\\\\");
	assert_string_equal(str_display("\xc2\x9b", 2, out, sizeof(out)), "\\xc2\\x9b");
	assert_string_equal(str_display("abcdef", 6, tiny, sizeof(tiny)), "abc");
}

static void test_numbers(void **state UNUSED)
{
	uint64_t v;

	assert_int_equal(str_to_u64("18446744073709551615", UINT64_MAX, &v), 0);
	assert_int_equal(str_to_u64("18446744073709551616", UINT64_MAX, &v), -ERANGE);
	assert_int_equal(str_to_u64("-1", 10, &v), -EINVAL);
	assert_int_equal(str_to_u64("", 10, &v), -EINVAL);
	assert_int_equal(str_lead_u64("4242 (sh) S", INT32_MAX, &v), 0);
	assert_int_equal(v, 4242);
	assert_int_equal(str_lead_u64("x1", 10, &v), -EINVAL);
	assert_int_equal(str_lead_u64("99999999999", INT32_MAX, &v), -ERANGE);
	assert_int_equal(str_lead_u64("0000000000000000000000000001", 10, &v), -ERANGE);
	assert_int_equal(str_to_ms("1h2m3s", &v), 0);
	assert_int_equal(v, 3723000);
	assert_int_equal(str_to_ms("500ms", &v), 0);
	assert_int_equal(v, 500);
	assert_int_equal(str_to_ms("1h30m1.5s", &v), 0);
	assert_int_equal(v, 5401500);
	assert_int_equal(str_to_ms(".5d", &v), 0);
	assert_int_equal(v, 43200000);
	assert_int_equal(str_to_ms("1500us", &v), 0);
	assert_int_equal(v, 2);
	assert_int_equal(str_to_ms("1ns", &v), 0);
	assert_int_equal(v, 1);
	assert_int_equal(str_to_ms("2\xc2\xb5s0.000000000000000000000001h", &v), 0);
	assert_int_equal(v, 1);
	assert_int_equal(str_to_ms("0s", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(str_to_ms("213503982334d", &v), 0);
	assert_int_equal(str_to_ms("213503982335d", &v), -ERANGE);
	assert_int_equal(str_to_ms(".s", &v), -EINVAL);
	assert_int_equal(str_to_ms("1.5", &v), -EINVAL);
	assert_int_equal(str_to_ms("-1s", &v), -EINVAL);
	assert_int_equal(str_to_ms("1s2", &v), -EINVAL);
	assert_int_equal(str_to_ms("7x", &v), -EINVAL);
	assert_int_equal(str_to_ms("99999999999999999999d", &v), -ERANGE);
}

static void test_utc(void **state UNUSED)
{
	char t[UTC_MAX];

	utc_text(1709251199, t);
	assert_string_equal(t, "2024-02-29T23:59:59");
	utc_text(INT64_MAX, t);
	assert_string_equal(t, "1970-01-01T00:00:00");
}

static void test_ids(void **state UNUSED)
{
	char a[ID_MAX], b[ID_MAX];

	id_new("session-", a);
	id_new("session-", b);
	assert_true(id_valid(a));
	assert_int_equal(strlen(a), 44);
	assert_string_not_equal(a, b);
	assert_false(id_valid("../x"));
	assert_false(id_valid(""));
}

static void test_buf(void **state UNUSED)
{
	struct buf b = BUF_INIT(8);

	buf_puts(&b, "12345678");
	assert_true(buf_ok(&b));
	buf_puts(&b, "9");
	assert_int_equal(b.error, -EMSGSIZE);
	buf_fini(&b);
	b = (struct buf)BUF_INIT(100);
	buf_json_str(&b, "a\"\n\xff", 4);
	assert_string_equal((char *)b.data, "\"a\\\"\\u000a\\ufffd\"");
	buf_fini(&b);
}

static void test_wire(void **state UNUSED)
{
	uint8_t m[32];
	struct wr w = wr_init(m, sizeof(m));
	char s[4];

	wr_u64(&w, 0x0102030405060708);
	wr_str(&w, "abc");
	assert_false(w.bad);
	for (size_t n = 0; n <= wr_len(&w); n++) {
		struct rd r = rd_init(m, n);

		rd_u64(&r);
		rd_strcpy(&r, s, sizeof(s));
		assert_int_equal(rd_done(&r), n == wr_len(&w));
	}
	wr_bytes(&w, m, 32);
	assert_true(w.bad);
}

static void test_board(void **state UNUSED)
{
	struct board *w, *r;
	char id[ID_MAX];
	int fd, plain = memfd_create("x", MFD_CLOEXEC);

	assert_int_equal(board_open(plain, &r), -EINVAL);
	close(plain);
	assert_int_equal(board_create(&w, &fd), 0);
	assert_int_equal(board_open(fd, &r), 0);
	/* nobody else can write it */
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	board_single(r, id);
	assert_string_equal(id, "");
	assert_int_equal(board_add(w, "cmd-a", 11), 0);
	board_single(r, id);
	assert_string_equal(id, "cmd-a");
	assert_int_equal(board_add(w, "cmd-b", 12), 1);
	board_single(r, id);
	assert_string_equal(id, "");
	board_by_cgroup(r, 12, id);
	assert_string_equal(id, "cmd-b");
	board_label(w, getpid(), 1);
	board_by_pid(r, getpid(), id);
	assert_string_equal(id, "cmd-b");
	board_remove(w, 1);
	board_by_pid(r, getpid(), id);
	assert_string_equal(id, "");
	board_close(w);
	board_close(r);
	close(fd);
}

/* Reads the file and checks the chain the way `agentsh audit verify` does. */
static int check_chain(int dirfd)
{
	char text[65536], prev[65], hex[65];
	int fd = openat(dirfd, "events-test.jsonl", O_RDONLY), lines = 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	assert_true(n > 0);
	text[n] = 0;
	memset(prev, '0', 64);
	prev[64] = 0;
	for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n"), lines++) {
		char *h = strstr(l, ",\"entry_hash\":\"");
		char *p = strstr(l, "\"prev_hash\":\"");
		uint8_t d[32];

		assert_non_null(h);
		assert_memory_equal(p + 13, prev, 64);
		sha256(l, (size_t)(h - l), d);
		hex_encode(d, 32, hex);
		assert_memory_equal(h + 15, hex, 64);
		memcpy(prev, hex, 64);
	}
	return lines;
}

static void test_events(void **state UNUSED)
{
	char dir[] = "/tmp/agentsh-test-XXXXXX", big[40000];
	struct evtlog *l;
	int d;

	assert_non_null(mkdtemp(dir));
	d = open(dir, O_RDONLY | O_DIRECTORY);
	memset(big, 1, sizeof(big));
	for (int again = 0; again < 2; again++) {
		assert_int_equal(evtlog_open(d, "test", "session-x", &l), 0);
		evt_begin(l, "file_read", "cmd-1", 42);
		evt_str(l, "path", "/a\n\"b");
		evt_policy(l, "deny", "deny", "rule", "no");
		evt_end(l);
		evt_begin(l, "file_read", NULL, 0);
		evt_strn(l, "path", big, sizeof(big));
		evt_end(l);
		evtlog_close(l);
	}
	assert_int_equal(check_chain(d), 4);
	unlinkat(d, "events-test.jsonl", 0);
	close(d);
	rmdir(dir);
}

static void on_timer(void *arg)
{
	int *n = arg;

	(*n)++;
}

static struct loop *the_loop;

static void on_stop(void *arg UNUSED)
{
	loop_stop(the_loop, 7);
}

static void test_loop(void **state UNUSED)
{
	struct loop_timer *t;
	int n = 0;

	assert_int_equal(loop_new(&the_loop), 0);
	loop_after(the_loop, 1, on_timer, &n, NULL);
	loop_after(the_loop, 5, on_timer, &n, &t);
	loop_cancel(t);
	loop_after(the_loop, 10, on_stop, NULL, NULL);
	assert_int_equal(loop_run(the_loop), 7);
	assert_int_equal(n, 1);
	loop_free(the_loop);
}

static void test_clean_path(void **state UNUSED)
{
	static const struct { const char *path, *clean; bool up; } t[] = {
		{ "/", "/", false }, { "", "", false }, { "/a/b", "/a/b", false }, { "//a///b//", "/a/b", false }, { "/./a/.", "/a", false },
		{ "/a/..", "/", true }, { "/../..", "/", true }, { "/a/../../b", "/b", true }, { "/a/b/../c", "/a/c", true },
		{ "/...", "/...", false }, { "/a/..b/.c", "/a/..b/.c", false }, { "a", "a", false }, { "a/", "a", false }, { ".", ".", false },
		{ "./a", "a", false }, { "a/..", ".", true }, { "..", "..", true }, { "../..", "../..", true }, { "../a/..", "..", true },
		{ "a/../..", "..", true }, { "../a/../../b", "../../b", true }, { "a/b/../../..//c", "../c", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char *copy = strdup(t[i].path); /* as long as its text: the sanitizer sees a byte too many */
		bool up = str_clean_path(copy);

		if (strcmp(copy, t[i].clean) != 0 || up != t[i].up)
			fail_msg("\"%s\" became \"%s\"", t[i].path, copy);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_clean_path), cmocka_unit_test(test_display), cmocka_unit_test(test_numbers), cmocka_unit_test(test_utc), cmocka_unit_test(test_ids),
					    cmocka_unit_test(test_buf), cmocka_unit_test(test_wire), cmocka_unit_test(test_board),
					    cmocka_unit_test(test_events), cmocka_unit_test(test_loop) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
