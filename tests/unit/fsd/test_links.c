/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a file's names count: those in the trash do not, as long as they are there. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fsd/fsd.h"

struct fsd fsd;

static char dir[] = "/tmp/agentsh-links.XXXXXX";

static void name_of(unsigned n, char token[33])
{
	snprintf(token, 33, "%032x", n);
}

/* Another link of the file, as the trash holds it. */
static void keep(unsigned n, const struct stat *st)
{
	char token[33];

	name_of(n, token);
	assert_int_equal(linkat(fsd.trash, "file", fsd.trash, token, 0), 0);
	links_kept(st, token);
}

static struct stat make(void)
{
	struct stat st;
	int fd = openat(fsd.trash, "file", O_CREAT | O_EXCL | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return st;
}

static void test_counts(void **state UNUSED)
{
	struct stat st = make();
	char token[33];

	assert_int_equal(links_seen(st.st_dev, st.st_ino, 1), 1);
	keep(1, &st);
	keep(2, &st);
	assert_int_equal(links_seen(st.st_dev, st.st_ino, 3), 1);
	assert_int_equal(links_seen(st.st_dev, st.st_ino, 1), 0); /* never below none */
	assert_int_equal(links_seen(st.st_dev, st.st_ino + 1, 3), 3);
	assert_int_equal(links_seen(st.st_dev + 1, st.st_ino, 3), 3);
	/* Restored: it is a name again, and stays one when the token comes back as something else. */
	name_of(1, token);
	assert_int_equal(renameat(fsd.trash, token, fsd.trash, "restored"), 0);
	assert_int_equal(links_seen(st.st_dev, st.st_ino, 3), 2);
	assert_int_equal(linkat(fsd.trash, "file", fsd.trash, token, 0), 0);
	assert_int_equal(links_seen(st.st_dev, st.st_ino, 4), 3);
	name_of(2, token);
	assert_int_equal(unlinkat(fsd.trash, token, 0), 0);
	assert_int_equal(links_seen(st.st_dev, st.st_ino, 3), 3);
}

/* The token is there, but it is another file's. */
static void test_other(void **state UNUSED)
{
	struct stat st;
	char token[33];
	int fd;

	unlinkat(fsd.trash, "file", 0);
	st = make();
	keep(7, &st);
	name_of(7, token);
	assert_int_equal(unlinkat(fsd.trash, token, 0), 0);
	fd = openat(fsd.trash, token, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(links_seen(st.st_dev, st.st_ino, 2), 2);
}

static int set_up(void **state UNUSED)
{
	if (!mkdtemp(dir))
		return -1;
	fsd.trash = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fsd.trash < 0 ? -1 : 0;
}

static int tear_down(void **state UNUSED)
{
	char command[64];

	close(fsd.trash);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_counts), cmocka_unit_test(test_other) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
