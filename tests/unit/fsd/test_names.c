/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes by name, and the names that the kernel was told are not there: bounded, and told again when there are too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fsd/fsd.h"

#define ABSENT_MAX 16384

static struct inode top = { .name = NULL }, sub = { .parent = &top };
static unsigned told, seen;
static char last_told[NODE_NAME_MAX + 1];
static const struct inode *told_dir;

void tell_entry(struct inode *dir, const char *name)
{
	told++;
	told_dir = dir;
	snprintf(last_told, sizeof(last_told), "%s", name);
}

static void count(struct inode *dir, const char *name)
{
	assert_non_null(dir);
	assert_non_null(name);
	seen++;
}

static unsigned absents(void)
{
	seen = 0;
	names_each_absent(count);
	return seen;
}

static void by_name(void **state)
{
	char a[] = "a", other[] = "a", b[] = "b";
	struct inode x = { .parent = &top, .name = a }, y = { .parent = &sub, .name = other }, z = { .parent = &top, .name = b };

	(void)state;
	names_in(&x);
	names_in(&y);
	names_in(&z);
	assert_ptr_equal(names_find(&top, "a"), &x);
	assert_ptr_equal(names_find(&sub, "a"), &y);
	assert_ptr_equal(names_find(&top, "b"), &z);
	assert_null(names_find(&sub, "b"));
	assert_null(names_find(&top, ""));
	names_out(&x);
	assert_null(names_find(&top, "a"));
	assert_ptr_equal(names_find(&sub, "a"), &y);
	names_out(&x); /* not there: nothing happens */
	names_out(&y);
	names_out(&z);
	assert_null(names_find(&top, "b"));
}

static void the_last_known_is_found(void **state)
{
	char a[] = "a", again[] = "a";
	struct inode old = { .parent = &top, .name = a }, new = { .parent = &top, .name = again };

	(void)state;
	names_in(&old);
	names_in(&new);
	assert_ptr_equal(names_find(&top, "a"), &new);
	names_out(&new);
	assert_ptr_equal(names_find(&top, "a"), &old);
	names_out(&old);
}

static void absent_once(void **state)
{
	(void)state;
	assert_true(names_absent(&top, "x"));
	assert_true(names_absent(&top, "x"));
	assert_true(names_absent(&sub, "x"));
	assert_true(names_absent(&top, "y"));
	assert_int_equal(absents(), 3);
	names_forget(&top);
	assert_int_equal(absents(), 1);
	names_forget(&top);
	names_forget(&sub);
	assert_int_equal(absents(), 0);
	assert_int_equal(told, 0);
}

static void absent_bounded(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < ABSENT_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_true(names_absent(i % 2 ? &top : &sub, name));
	}
	assert_int_equal(told, 0);
	assert_true(names_absent(&top, "more"));
	assert_int_equal(told, 1);
	assert_string_equal(last_told, "n0");
	assert_ptr_equal(told_dir, &sub);
	assert_int_equal(absents(), ABSENT_MAX);
	names_forget(&sub);
	assert_int_equal(absents(), ABSENT_MAX / 2 + 1);
	assert_true(names_absent(&sub, "room again"));
	assert_int_equal(told, 1);
	names_forget(&sub);
	names_forget(&top);
	assert_int_equal(absents(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),
		cmocka_unit_test(the_last_known_is_found),
		cmocka_unit_test(absent_once),
		cmocka_unit_test(absent_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
