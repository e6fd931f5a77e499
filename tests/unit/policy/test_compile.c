/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling and storing where memory, the kernel or LMDB fails at each place in turn: an error with a place and words, nothing is kept or
 * leaks; what succeeds answers alike. Links with what it makes fail wrapped (tests/tests.mk). */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "policy/model.h"
#include "tests/unit/policy/nomem.h"
#include "tests/unit/policy/pol.h"

static size_t write_max = SIZE_MAX;
static long writes_left = -1; /* writes until the disk is full; -1: never */

WRAP(void *, realloc, NULL, (void *p, size_t n), p, n)
WRAP(char *, strdup, NULL, (const char *s), s)
WRAP(char *, strndup, NULL, (const char *s, size_t n), s, n)
WRAP(int, memfd_create, -1, (const char *name, unsigned flags), name, flags)
WRAP(int, mdb_env_create, ENOMEM, (MDB_env **e), e)
WRAP(int, mdb_env_set_mapsize, EINVAL, (MDB_env *e, size_t n), e, n)
WRAP(int, mdb_env_open, ENOSPC, (MDB_env *e, const char *path, unsigned flags, mdb_mode_t mode), e, path, flags, mode)
WRAP(int, mdb_txn_begin, MDB_PANIC, (MDB_env *e, MDB_txn *parent, unsigned flags, MDB_txn **ret), e, parent, flags, ret)
WRAP(int, mdb_dbi_open, MDB_DBS_FULL, (MDB_txn *t, const char *name, unsigned flags, MDB_dbi *ret), t, name, flags, ret)
WRAP(int, mdb_put, MDB_MAP_FULL, (MDB_txn *t, MDB_dbi d, MDB_val *k, MDB_val *v, unsigned flags), t, d, k, v, flags)

int __real_mdb_txn_commit(MDB_txn *t);
int __wrap_mdb_txn_commit(MDB_txn *t);
int __wrap_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);
ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);

/* It lets go of the transaction also when it fails. */
int __wrap_mdb_txn_commit(MDB_txn *t)
{
	if (!fails())
		return __real_mdb_txn_commit(t);
	mdb_txn_abort(t);
	return EIO;
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list more;
	int r;

	if (fails())
		return -1;
	va_start(more, fmt);
	r = vasprintf(ret, fmt, more);
	va_end(more);
	return r;
}

int __wrap_fcntl(int fd, int what, ...)
{
	va_list more;
	int arg;

	va_start(more, what);
	arg = va_arg(more, int);
	va_end(more);
	if (!fails())
		return __real_fcntl(fd, what, arg);
	errno = EPERM;
	return -1;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	if (writes_left == 0) {
		errno = ENOSPC;
		return -1;
	}
	writes_left -= writes_left > 0;
	return __real_write(fd, p, n < write_max ? n : write_max);
}

static const char text[] = HEAD
	"file_rules:\n"
	"- {name: u, decision: allow, paths: [/u], undo: keep}\n"
	"- {name: f, decision: redirect, redirect_to: /q, paths: [/a, '/b/*'], processes: [npm, sh]}\n"
	"- {name: g, decision: allow, paths: ['/w/**'], message: m}\n"
	"network_rules:\n"
	"- {name: n, decision: deny, domains: ['*.x.org', '**.y.org', 'a?b'], ports: [2, 1], methods: [get], paths: [/v1], dlp: d}\n"
	"- {name: c, decision: allow, cidrs: ['::/0', 10.0.0.0/8]}\n"
	"- {name: p, decision: deny, paths: [/v1]}\n"
	"- {name: i, decision: allow, tls: inspect}\n"
	"- {name: w, decision: allow, dlp: d}\n"
	"command_rules:\n"
	"- {name: e, decision: deny, commands: [a, 'b*', /c], args_patterns: ['x'], env_allow: [A*], env_max_keys: 3}\n"
	"- {name: t, decision: redirect, commands: [vi], redirect_to: {command: ed, args: [a], environment: {A: b}}}\n"
	"- {name: k, decision: allow, commands: [k], env_max_keys: 7}\n"
	"- {name: z, decision: allow, commands: [z], env_deny: [Z]}\n"
	"- {name: h, decision: allow, commands: [h], sha256: 1111111111111111111111111111111111111111111111111111111111111111}\n"
	"unix_socket_rules: [{name: u, decision: deny, paths: ['@x', /run/*]}]\n"
	"signal_rules: [{name: s, decision: deny, target: {type: process, pattern: n*}}]\n"
	"dns_redirects: [{name: d, match: '^x$', resolve_to: 192.0.2.1}]\n"
	"transparent_commands: {add: [w], remove: [env]}\n"
	"http_services: [{name: h, upstream: 'https://a.b/c', rules: [{name: r, methods: [get], decision: allow}]}]\n"
	"llm_budgets: [{name: l, models: [g*], max_usd: 1.5}]\n";
static const struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1, .workspace = "/w" };

/* The words that came of it, and what was made: a descriptor, or none. */
static int compile(long at, struct buf *diag, int *fd, uint8_t hash[32], bool *ret_over)
{
	int r;

	*fd = -1;
	*diag = (struct buf){ .max = 1u << 16 };
	left = at;
	r = policy_compile(&src, diag, fd, hash);
	*ret_over = at < 0 || left >= 0;
	left = -1;
	return r;
}

/* More automata than one may be made where memory is short: then the bytes differ, and the answers do not. */
static void same_answers(int fd, const uint8_t hash[32])
{
	struct policy *p;
	struct err err;
	struct pol_who npm = { .sure = 1 }, nobody = { 0 };
	const char *const vi[] = { "vi", "x", NULL }, *const x[] = { "b1", "x", NULL };
	struct pol_verdict v;
	const char *why;

	assert_int_equal(policy_open(fd, hash, &p, &err), 0);
	assert_verdict(policy_file(p, policy_file_path(p, "/b/c"), POL_OP_WRITE, npm), POL_REDIRECT, "f");
	assert_verdict(policy_file(p, policy_file_path(p, "/a"), POL_OP_WRITE, npm), POL_REDIRECT, "f");
	assert_verdict(policy_file(p, policy_file_path(p, "/a"), POL_OP_WRITE, nobody), POL_DENY, "default-deny-files");
	assert_verdict(policy_file(p, policy_file_path(p, "/workspace/c"), POL_OP_WRITE, nobody), POL_ALLOW, "g");
	assert_true(policy_file(p, policy_file_path(p, "/u"), POL_OP_WRITE, nobody).undo_keep);
	v = policy_net(p, &(struct pol_net){ .addr = (const uint8_t[]){ 10, 1, 1, 1 }, .addr_len = 4, .port = 9 });
	assert_verdict(v, POL_ALLOW, "c");
	v = policy_net(p, &(struct pol_net){ .domain = "q", .port = 9, .inspected = true });
	assert_verdict(v, POL_ALLOW, "i");
	assert_int_equal(v.tls, POL_TLS_INSPECT);
	assert_verdict(policy_exec(p, &(struct pol_exec){ .given = "h", .argv = vi, .argc = 2 }), POL_DENY, "default-deny-commands");
	assert_verdict(policy_exec(p, &(struct pol_exec){ .given = "b1", .argv = x, .argc = 2 }), POL_DENY, "e");
	v = policy_exec(p, &(struct pol_exec){ .given = "vi", .argv = vi, .argc = 2 });
	assert_verdict(v, POL_REDIRECT, "t");
	assert_true(v.n_redirect_args == 1 && v.n_redirect_env == 1 && !strcmp(v.redirect_args[0], "a") && !strcmp(v.redirect_env[0], "A=b"));
	assert_int_equal(policy_env(p, 0, "A1", &why), POL_ALLOW);
	assert_string_equal(why, "env_allow");
	assert_int_equal(policy_env(p, 0, "X", &why), POL_DENY);
	assert_int_equal(policy_env_limits(p, 0).max_keys, 3);
	assert_int_equal(policy_env_limits(p, 2).max_keys, 7);
	assert_int_equal(policy_env(p, 3, "Z", &why), POL_DENY);
	policy_close(p);
}

static void test_each_place(void **state UNUSED)
{
	uint8_t want[32], got[32];
	size_t refused = 0;
	struct buf diag;
	bool over;
	int fd;

	assert_int_equal(compile(-1, &diag, &fd, want, &over), 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS, 0), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	same_answers(fd, want);
	close(fd);
	buf_fini(&diag);
	over = false;
	for (long at = 0; !over; at++) {
		int r = compile(at, &diag, &fd, got, &over);

		if (r == 0) {
			if (memcmp(got, want, 32) != 0)
				same_answers(fd, got);
			close(fd);
		} else {
			assert_true(r < 0 && fd == -1);
			refused++;
			/* The words themselves may be what there was no memory for. */
			if (buf_ok(&diag) && (!diag.data || !strstr((const char *)diag.data, "f:")))
				fail_msg("request %ld: %d without words: %s", at, r, diag.data ? (const char *)diag.data : "");
		}
		buf_fini(&diag);
	}
	assert_true(refused > 200);
}

/* The same without anything kept: what is refused there is refused here. */
static void test_validate(void **state UNUSED)
{
	size_t refused = 0;
	bool over = false;

	for (long at = 0; !over; at++) {
		struct buf diag = { .max = 1u << 16 };
		int r;

		left = at;
		r = policy_validate(&src, &diag);
		over = left >= 0;
		left = -1;
		assert_true(r <= 0);
		refused += r < 0;
		buf_fini(&diag);
	}
	assert_true(refused > 200);
}

static int generation(void)
{
	struct buf diag;
	uint8_t hash[32];
	bool over;
	int fd;

	assert_int_equal(compile(-1, &diag, &fd, hash, &over), 0);
	buf_fini(&diag);
	return fd;
}

static size_t entries(int d)
{
	char cmd[64];
	unsigned n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "ls -A /proc/%d/fd/%d/ | wc -l", (int)getpid(), d);
	f = popen(cmd, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

/* What cannot be stored leaves what was there as it was, and nothing half written. */
static void test_store(void **state UNUSED)
{
	char dir[] = "/tmp/agentsh-unit-XXXXXX", name[400];
	int fd = generation(), d;
	struct err err = { 0 };
	struct stat st, was;

	assert_non_null(mkdtemp(dir));
	d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(policy_store(fd, d, "p", &err), 0);
	assert_int_equal(fstatat(d, "p.mdb", &was, 0), 0);
	assert_int_equal(was.st_size, lseek(fd, 0, SEEK_END));
	assert_int_equal(was.st_mode & 07022, 0);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	assert_int_equal(policy_store(fd, d, name, &err), -ENAMETOOLONG);
	assert_int_equal(policy_store(fd, d, "no/such", &err), -ENOENT);
	assert_int_equal(policy_store(-1, d, "p", &err), -EBADF);
	write_max = 4095;
	for (writes_left = 0; writes_left < 3; writes_left++) { /* a disk that becomes full takes a part first */
		long was_left = writes_left;

		errno = 0;
		assert_int_equal(policy_store(fd, d, "p", &err), -ENOSPC);
		assert_true(err.status == -ENOSPC && strstr(err.msg, "p.mdb"));
		writes_left = was_left;
	}
	writes_left = -1;
	write_max = 0;
	errno = 0;
	assert_int_equal(policy_store(fd, d, "p", &err), -EIO);
	assert_int_equal(fstatat(d, "p.mdb", &st, 0), 0);
	assert_true(st.st_ino == was.st_ino && st.st_size == was.st_size);
	assert_int_equal(entries(d), 1);
	write_max = 4095;
	assert_int_equal(policy_store(fd, d, "p", &err), 0);
	assert_int_equal(fstatat(d, "p.mdb", &st, 0), 0);
	assert_true(st.st_ino != was.st_ino && st.st_size == was.st_size);
	assert_int_equal(mkdirat(d, "q.mdb", 0700), 0);
	assert_int_equal(policy_store(fd, d, "q", &err), -EISDIR);
	assert_int_equal(entries(d), 2);
	write_max = SIZE_MAX;
	unlinkat(d, "q.mdb", AT_REMOVEDIR);
	unlinkat(d, "p.mdb", 0);
	close(d);
	close(fd);
	assert_int_equal(rmdir(dir), 0);
}

/* A value that has no room, and a store that is given up. */
static void test_no_room(void **state UNUSED)
{
	uint8_t *large = calloc(1, GENERATION_MAX);
	struct store *s;
	struct err err = { 0 };
	int fd = -1;

	assert_int_equal(store_begin(&s, &err), 0);
	assert_int_equal(store_put(s, "rule", large, GENERATION_MAX, &err), -EFBIG);
	assert_true(err.status == -EFBIG && strstr(err.msg, "writing the generation"));
	assert_int_equal(store_put(s, "rule", large, 8, &err), 0);
	left = 0;
	assert_int_equal(store_end(s, &fd, &err), -EPERM); /* what others could still change is not handed out */
	assert_int_equal(fd, -1);
	assert_int_equal(store_begin(&s, &err), 0);
	store_drop(s);
	store_drop(NULL);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_place), cmocka_unit_test(test_validate), cmocka_unit_test(test_store), cmocka_unit_test(test_no_room) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
