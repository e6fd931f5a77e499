/* SPDX-License-Identifier: Apache-2.0 */
/* A generation lives as long as someone holds it; an update is prepared, locked and taken in that order and no other; what is damaged is
 * never prepared; decisions carry the number of the generation that made them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "common/evt.h"
#include "policy/compile.h"
#include "policy/generation.h"

static struct ipc_frame frame, answer;
static int pair[2], fd_a, fd_b;
static uint8_t hash_a[32], hash_b[32];
static struct generation *now;
static struct update u;

static int compile(const char *name, uint8_t hash[32])
{
	char text[200];
	struct pol_source src = { .file = "f", .text = text, .workspace = "/w" };
	struct buf diag = BUF_INIT(1u << 16);
	int fd;

	src.len = (size_t)snprintf(text, sizeof(text), "version: 1\nname: %s\nfile_rules: [{name: r, paths: [/w/x], decision: deny}]\n", name);
	assert_int_equal(policy_compile(&src, &diag, &fd, hash), 0);
	buf_fini(&diag);
	return fd;
}

static int begin(void **state UNUSED)
{
	struct err err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	fd_a = compile("a", hash_a);
	fd_b = compile("b", hash_b);
	assert_int_equal(generation_open(fd_a, hash_a, 1, "a", &now, &err), 0);
	u = (struct update)UPDATE_INIT;
	return 0;
}

static int finish(void **state UNUSED)
{
	generation_unref(u.next);
	generation_unref(now);
	close(fd_a);
	close(fd_b);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* The errno that came back, 0 for OK, -1 for nothing. */
static int got(void)
{
	struct rd b;

	if (ipc_recv(pair[1], IPC_DW, &answer) != 1)
		return -1;
	b = rd_init(answer.body, answer.len);
	return answer.type == IPC_OK ? 0 : (int)rd_u32(&b);
}

static int prepare(const uint8_t hash[32], uint64_t number, int fd, int sock, update_check check)
{
	struct wr w = wr_init(frame.body, sizeof(frame.body));

	wr_bytes(&w, hash, 32);
	wr_u64(&w, number);
	wr_str(&w, "name");
	frame.type = IPC_POLICY_PREPARE;
	frame.len = wr_len(&w);
	frame.fd = fd;
	assert_int_equal(update_prepare(&u, now, sock, &frame, check), 0);
	return got();
}

static int lease(uint16_t type, uint64_t number, const uint8_t hash[32], struct generation **next)
{
	struct wr w = wr_init(frame.body, sizeof(frame.body));

	if (type != IPC_W_UNREADY) {
		wr_u64(&w, number);
		wr_bytes(&w, hash, 32);
	}
	frame.type = type;
	frame.len = wr_len(&w);
	return update_lease(&u, pair[0], &frame, next);
}

static void test_references(void **state UNUSED)
{
	struct generation *held = generation_ref(now);

	generation_unref(now);
	assert_string_equal(policy_name(held->policy), "a"); /* ASan sees it if it was closed */
	assert_int_equal(held->refs, 1);
	now = held;
	generation_unref(NULL);
}

static void test_in_order(void **state UNUSED)
{
	struct generation *next;

	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], NULL), 0);
	assert_int_equal(lease(IPC_W_SWITCH, 2, hash_b, &next), -EPROTO); /* nobody asked whether it is ready */
	assert_null(next);
	assert_int_equal(lease(IPC_W_READY, 2, hash_b, &next), 0);
	assert_int_equal(got(), 0);
	assert_null(next);
	assert_int_equal(lease(IPC_W_SWITCH, 2, hash_a, &next), -EPROTO);
	assert_int_equal(lease(IPC_W_SWITCH, 3, hash_b, &next), -EPROTO);
	assert_int_equal(lease(IPC_W_SWITCH, 2, hash_b, &next), 0);
	assert_int_equal(got(), 0);
	assert_non_null(next);
	assert_string_equal(policy_name(next->policy), "b");
	assert_int_equal(next->number, 2);
	assert_null(u.next);
	generation_unref(now);
	now = next;
	assert_int_equal(lease(IPC_W_SWITCH, 2, hash_b, &next), -EPROTO); /* once */
	assert_int_equal(lease(IPC_OK, 2, hash_b, &next), -EPROTO); /* nothing that execd says here */
	assert_null(next);
	assert_int_equal(got(), -1);
}

static void test_not_the_same(void **state UNUSED)
{
	struct generation *next;

	assert_int_equal(lease(IPC_W_READY, 2, hash_b, &next), 0);
	assert_int_equal(got(), ENOENT); /* nothing is here */
	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], NULL), 0);
	assert_int_equal(lease(IPC_W_READY, 2, hash_a, &next), 0);
	assert_int_equal(got(), ENOENT);
	assert_int_equal(lease(IPC_W_READY, 3, hash_b, &next), 0);
	assert_int_equal(got(), ENOENT);
	assert_false(u.locked);
}

static void test_gone(void **state UNUSED)
{
	struct generation *next;

	update_gone(&u, pair[0]);
	assert_null(u.next);
	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], NULL), 0);
	update_gone(&u, pair[0] + 1000);
	assert_non_null(u.next);
	update_gone(&u, pair[0]);
	assert_null(u.next); /* who brought it is gone before it was asked for */
	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], NULL), 0);
	assert_int_equal(lease(IPC_W_READY, 2, hash_b, &next), 0);
	assert_int_equal(got(), 0);
	update_gone(&u, pair[0]);
	assert_non_null(u.next); /* execd has our word */
	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], NULL), EBUSY);
	assert_int_equal(lease(IPC_W_UNREADY, 0, NULL, &next), 0);
	assert_int_equal(got(), -1);
	assert_null(u.next);
	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], NULL), 0);
}

static int no(const struct generation *next UNUSED, struct err *err)
{
	return err_set(err, -EXDEV, "no");
}

static int no_words(const struct generation *next UNUSED, struct err *err UNUSED)
{
	return -EXDEV;
}

static void test_refused(void **state UNUSED)
{
	struct generation *was = now;
	int other;

	assert_int_equal(prepare(hash_b, 1, fd_b, pair[0], NULL), ESTALE);
	assert_int_equal(prepare(hash_b, 3, fd_b, pair[0], NULL), ESTALE);
	assert_int_equal(prepare(hash_a, 2, fd_b, pair[0], NULL), EBADMSG); /* another's hash */
	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], no), EXDEV);
	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], no_words), EXDEV);
	assert_null(u.next);
	now = NULL;
	assert_int_equal(prepare(hash_b, 1, fd_b, pair[0], NULL), EINVAL);
	now = was;
	assert_int_equal(prepare(hash_b, 2, fd_b, pair[0], NULL), 0);
	other = dup(pair[0]);
	assert_int_equal(prepare(hash_a, 2, fd_a, other, NULL), EBUSY); /* another connection's stands */
	close(other);
	assert_memory_equal(u.next->sha256, hash_b, 32);
	assert_int_equal(prepare(hash_a, 2, fd_a, pair[0], NULL), 0); /* its own may be brought again */
	assert_memory_equal(u.next->sha256, hash_a, 32);
	frame.len--;
	assert_int_equal(update_prepare(&u, now, pair[0], &frame, NULL), 0);
	assert_int_equal(got(), EPROTO);
}

/* What judges is what was there before, and there is nothing that could take its place. */
static void still_in_force(void)
{
	struct pol_verdict v = policy_file(now->policy, policy_file_path(now->policy, "/w/x"), POL_OP_READ, (struct pol_who){ 0 });

	assert_null(u.next);
	assert_int_equal(now->number, 1);
	assert_memory_equal(now->sha256, hash_a, 32);
	assert_string_equal(policy_name(now->policy), "a");
	assert_int_equal(v.decision, POL_DENY);
	assert_string_equal(v.rule, "r");
}

/* Cut at each page, and within one; and longer than it was. */
static void test_every_length(void **state UNUSED)
{
	size_t n = (size_t)lseek(fd_b, 0, SEEK_END);
	uint8_t *p = calloc(1, n + 4096), own[32];
	int fd;

	assert_int_equal(pread(fd_b, p, n, 0), n);
	for (size_t len = 0; len <= n + 4096; len += 2048) {
		if (len == n)
			continue;
		assert_int_equal(memfd_sealed("t", p, len, &fd), 0);
		assert_int_equal(prepare(hash_b, 2, fd, pair[0], NULL), EBADMSG);
		still_in_force();
		sha256(p, len, own);
		/* By its own hash: not without its pages. */
		if (len % 4096 || len < 3 * (size_t)4096) {
			assert_int_equal(prepare(own, 2, fd, pair[0], NULL), EBADMSG);
			still_in_force();
		}
		close(fd);
	}
	free(p);
}

/* Every bit of the generation: with one turned over it is never prepared, whatever its hash is said to be of. */
static void test_every_bit(void **state UNUSED)
{
	size_t n = (size_t)lseek(fd_b, 0, SEEK_END);
	uint8_t *p = malloc(n);
	int fd;

	assert_int_equal(pread(fd_b, p, n, 0), n);
	for (size_t bit = 0; bit < n * 8; bit += bit < 1024 * 8 ? 1 : 509) {
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(memfd_sealed("t", p, n, &fd), 0);
		assert_int_equal(prepare(hash_b, 2, fd, pair[0], NULL), EBADMSG);
		still_in_force();
		close(fd);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(memfd_sealed("t", p, n, &fd), 0);
	assert_int_equal(prepare(hash_b, 2, fd, pair[0], NULL), 0); /* control */
	close(fd);
	free(p);
}

static void test_events(void **state UNUSED)
{
	char dir[] = "/tmp/agentsh-unit-XXXXXX", text[4096], path[100];
	struct evtlog *l;
	int d;
	ssize_t n;

	assert_non_null(mkdtemp(dir));
	d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(evtlog_open(d, "t", "s", &l), 0);
	for (uint64_t k = 0; k < 3; k++) {
		assert_int_equal(evt_generation(l, k), k ? k - 1 : 0);
		evt_begin(l, "x", NULL, 0);
		evt_policy(l, "allow", "allow", "r", NULL);
		evt_end(l);
	}
	evtlog_close(l);
	snprintf(path, sizeof(path), "%s/events-t.jsonl", dir);
	close(d);
	d = open(path, O_RDONLY | O_CLOEXEC);
	n = read(d, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = 0;
	close(d);
	unlink(path);
	rmdir(dir);
	assert_non_null(strstr(text, "\"policy\":{\"decision\":\"allow\",\"effective_decision\":\"allow\",\"rule\":\"r\"},"));
	assert_non_null(strstr(text, "\"rule\":\"r\",\"generation\":1},"));
	assert_non_null(strstr(text, "\"rule\":\"r\",\"generation\":2},"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_references, begin, finish), cmocka_unit_test_setup_teardown(test_in_order, begin, finish),
		cmocka_unit_test_setup_teardown(test_not_the_same, begin, finish), cmocka_unit_test_setup_teardown(test_gone, begin, finish),
		cmocka_unit_test_setup_teardown(test_refused, begin, finish), cmocka_unit_test_setup_teardown(test_every_bit, begin, finish),
		cmocka_unit_test_setup_teardown(test_every_length, begin, finish),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
