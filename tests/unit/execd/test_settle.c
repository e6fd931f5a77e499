/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that lead to one file for good: links on the way, names that somebody could replace, bounds. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/str.h"
#include "execd/execd.h"

static int root;
static char base[] = "/tmp/settle-XXXXXX";

/* What settle.c asks of its neighbours: the same without a policy and without deadlines. */
bool __wrap_policy_settled(const struct policy *p, const char *path);
bool __wrap_policy_settled(const struct policy *p UNUSED, const char *path)
{
	return strncmp(path, "/own/", 5) != 0 && strcmp(path, "/usr/mine") != 0;
}

int resolve_entry(int dir, const char *name)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_IN_ROOT };
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int resolve_link(int fd, char *out, size_t cap)
{
	ssize_t n = readlinkat(fd, "", out, cap - 1);

	if (n < 0)
		return -errno;
	out[n] = 0;
	return 0;
}

static void make_dir(const char *name)
{
	assert_int_equal(mkdirat(root, name, 0755), 0);
}

static void make_file(const char *name)
{
	int fd = openat(root, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	close(fd);
}

static void make_link(const char *to, const char *name)
{
	assert_int_equal(symlinkat(to, root, name), 0);
}

static int set_up(void **state UNUSED)
{
	static const char *const dirs[] = { "usr", "usr/bin", "usr/lib", "etc", "own" };

	assert_non_null(mkdtemp(base));
	root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		make_dir(dirs[i]);
	make_file("usr/bin/id");
	make_file("usr/mine");
	make_file("own/id");
	make_link("usr/bin", "bin");
	make_link("/etc/alt", "usr/bin/alt");
	make_link("../usr/lib/../bin/./id", "etc/alt");
	make_link("/own/there", "usr/bin/out");
	make_link("/usr/bin/id", "own/there");
	make_link("loop", "usr/bin/loop");
	make_link("../../../../bin//id", "usr/bin/far");
	make_link("nothing", "usr/bin/dangling");
	return 0;
}

static int tear_down(void **state UNUSED)
{
	static const char *const names[] = { "usr/bin/id", "usr/mine", "own/id", "bin", "usr/bin/alt", "etc/alt", "usr/bin/out", "own/there",
		"usr/bin/loop", "usr/bin/far", "usr/bin/dangling" };
	static const char *const dirs[] = { "usr/bin", "usr/lib", "usr", "etc", "own" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlinkat(root, names[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		unlinkat(root, dirs[i], AT_REMOVEDIR);
	close(root);
	return rmdir(base);
}

static void test_paths(void **state UNUSED)
{
	static const struct { const char *path, *to; int r; } v[] = {
		{ "/usr/bin/id", "/usr/bin/id", 0 }, { "/bin/id", "/usr/bin/id", 0 }, { "//usr/./bin//id", "/usr/bin/id", 0 },
		{ "/usr/bin/alt", "/usr/bin/id", 0 }, { "/etc/alt", "/usr/bin/id", 0 }, { "/usr/bin/far", "/usr/bin/id", 0 },
		{ "/../usr/lib/../bin/id", "/usr/bin/id", 0 }, { "/", "/", 0 }, { "/bin/..", "/usr", 0 },
		/* a name of the session's: at the end, on the way, behind a link */
		{ "/own/id", NULL, -EPERM }, { "/own/there", NULL, -EPERM }, { "/usr/bin/out", NULL, -EPERM }, { "/usr/mine", NULL, -EPERM },
		{ "/own/x/../../usr/bin/id", NULL, -EPERM }, { "/own/new", NULL, -EPERM },
		{ "usr/bin/id", NULL, -EPERM }, { "", NULL, -EPERM },
		{ "/usr/bin/loop", NULL, -ELOOP }, { "/usr/bin/dangling", NULL, -ENOENT }, { "/usr/bin/id/x", NULL, -ENOTDIR },
	};
	char out[4096];

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		int r = settle_file(NULL, root, v[i].path, out, sizeof(out));

		if (r != v[i].r || (r == 0 && strcmp(out, v[i].to) != 0))
			fail_msg("%s: %d %s", v[i].path, r, r == 0 ? out : "");
	}
}

static void test_bounds(void **state UNUSED)
{
	char path[10000], out[4096];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	assert_int_equal(settle_file(NULL, root, path, out, sizeof(out)), -ENAMETOOLONG);
	path[300] = 0;
	assert_int_equal(settle_file(NULL, root, path, out, sizeof(out)), -ENAMETOOLONG);
	assert_int_equal(settle_file(NULL, root, "/usr/bin/id", out, 11), -ENAMETOOLONG);
	assert_int_equal(settle_file(NULL, root, "/usr/bin/id", out, 12), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_paths), cmocka_unit_test(test_bounds) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
