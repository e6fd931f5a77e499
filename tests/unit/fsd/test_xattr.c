/* SPDX-License-Identifier: Apache-2.0 */
/* An attribute as a note holds it, and back; what is no such note changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cmocka.h>

#include "fsd/trash.h"

static int make(char p[40])
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	snprintf(p, 40, "/proc/self/fd/%d", fd);
	return fd;
}

static void has(int fd, const char *name, const char *value, ssize_t n)
{
	char now[4000];

	assert_int_equal(fgetxattr(fd, name, now, sizeof(now)), n);
	assert_memory_equal(now, value, n);
}

static void test_round(void **state UNUSED)
{
	static char note[PATH_CAP];
	char p[40];
	int fd = make(p);

	assert_int_equal(xattr_note(fd, "user.a b", note), 0);
	assert_string_equal(note, "- user.a b");
	assert_string_equal(xattr_of_note(note), "user.a b");
	assert_int_equal(xattr_back(p, note), 0); /* there is none, and none it stays */
	assert_int_equal(setxattr(p, "user.a b", "\0\xff z", 4, 0), 0);
	assert_int_equal(xattr_back(p, note), 0);
	assert_int_equal(fgetxattr(fd, "user.a b", NULL, 0), -1);
	assert_int_equal(setxattr(p, "user.a b", "\0\xff z", 4, 0), 0);
	assert_int_equal(xattr_note(fd, "user.a b", note), 0);
	assert_string_equal(note, "00ff207a user.a b");
	assert_int_equal(setxattr(p, "user.a b", "", 0, 0), 0);
	assert_int_equal(xattr_back(p, note), 0);
	has(fd, "user.a b", "\0\xff z", 4);
	assert_int_equal(setxattr(p, "user.a b", "", 0, 0), 0);
	assert_int_equal(xattr_note(fd, "user.a b", note), 0);
	assert_int_equal(setxattr(p, "user.a b", "x", 1, 0), 0);
	assert_int_equal(xattr_back(p, note), 0);
	has(fd, "user.a b", "", 0);
	close(fd);
}

static void test_bounds(void **state UNUSED)
{
	static char note[PATH_CAP], value[1701], name[XATTR_NAME_MAX + 1] = "user.";
	char p[40];
	int fd = make(p);

	memset(value, 'v', sizeof(value));
	memset(name + 5, 'n', XATTR_NAME_MAX - 5);
	assert_int_equal(setxattr(p, name, value, 1700, 0), 0);
	assert_int_equal(xattr_note(fd, name, note), 0);
	assert_int_equal(setxattr(p, name, "", 0, 0), 0);
	assert_int_equal(xattr_back(p, note), 0);
	has(fd, name, value, 1700);
	assert_int_equal(setxattr(p, name, value, 1701, 0), 0);
	assert_int_equal(xattr_note(fd, name, note), -E2BIG);
	close(fd);
}

static void test_damaged(void **state UNUSED)
{
	static const char *const bad[] = { "", "00", "00 ", "0 user.x", "0g user.x", "0G user.x", "000 user.x", "-" };
	char p[40];
	int fd = make(p);

	assert_int_equal(setxattr(p, "user.x", "kept", 4, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(xattr_back(p, bad[i]), -EBADMSG);
	has(fd, "user.x", "kept", 4);
	close(fd);
}

/* Of a file's attributes a copy has the users'. */
static void test_copy(void **state UNUSED)
{
	char p[40], q[40];
	int from = make(p), to = make(q);

	assert_int_equal(xattrs_copy(from, to), 0);
	assert_int_equal(setxattr(p, "user.x", "1", 1, 0), 0);
	assert_int_equal(setxattr(p, "user.y", "", 0, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(setxattr(p, "trusted.z", "2", 1, 0), 0);
	assert_int_equal(xattrs_copy(from, to), 0);
	has(to, "user.x", "1", 1);
	has(to, "user.y", "", 0);
	assert_int_equal(fgetxattr(to, "trusted.z", NULL, 0), -1);
	close(from);
	close(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round), cmocka_unit_test(test_bounds), cmocka_unit_test(test_damaged),
					    cmocka_unit_test(test_copy) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
