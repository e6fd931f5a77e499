/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a generation: each number on one that leads outside, round in a circle or to a page of another kind is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "policy/model.h"

#define PAGE 4096u
#define HEADER 16u
#define SMALL 200u               /* records, more than a leaf holds */

static uint8_t *good, *copy;
static size_t len, root, leaf, run;   /* places of pages: the tree's first, the leaf and the run of the large value */
static size_t node;                   /* place of the large value's entry */

static uint64_t number(size_t at, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, copy + at, n);
	return v;
}

static void set(size_t at, uint64_t v, size_t n)
{
	memcpy(copy + at, &v, n);
}

static size_t first_entry(size_t page)
{
	return page + number(page + HEADER, 2);
}

static int look(const char *key, struct record *ret)
{
	struct record v = { key, NULL, 0 };
	int r = store_map(copy, len, &v, 1);

	if (ret)
		*ret = v;
	return r;
}

static void find_places(void)
{
	size_t meta = number(HEADER + 128, 8) > number(PAGE + HEADER + 128, 8) ? 0 : PAGE;
	struct record v;

	root = number(meta + HEADER + 72 + 40, 8) * PAGE;
	assert_int_equal(number(root + 10, 2), 1);
	assert_int_equal(look("big", &v), 0);
	run = (size_t)((const uint8_t *)v.data - copy) - HEADER;
	for (leaf = 2 * PAGE; leaf < len; leaf += PAGE)
		for (size_t i = 0; number(leaf + 10, 2) == 2 && i < (number(leaf + 12, 2) - HEADER) / 2; i++) {
			node = leaf + number(leaf + HEADER + 2 * i, 2);
			if (!memcmp(copy + node + 8, "big", 3))
				return;
		}
	fail();
}

static int make(void **state UNUSED)
{
	static uint8_t bytes[20000];
	struct store *s;
	struct err err = { 0 };
	char key[16];
	int fd;

	assert_int_equal(store_begin(&s, &err), 0);
	assert_int_equal(store_put(s, "big", bytes, sizeof(bytes), &err), 0);
	for (unsigned i = 0; i < SMALL; i++) {
		snprintf(key, sizeof(key), "k%03u", i);
		assert_int_equal(store_put(s, key, bytes, 100, &err), 0);
	}
	assert_int_equal(store_end(s, &fd, &err), 0);
	len = (size_t)lseek(fd, 0, SEEK_END);
	good = malloc(len);
	copy = malloc(len);
	assert_int_equal(pread(fd, good, len, 0), len);
	memcpy(copy, good, len);
	close(fd);
	find_places();
	return 0;
}

static int unmake(void **state UNUSED)
{
	free(good);
	free(copy);
	return 0;
}

/* key: with which the place is come by */
#define REFUSED(key, x)                                                                               \
	do {                                                                                          \
		memcpy(copy, good, len);                                                              \
		x;                                                                                    \
		if (look((key), NULL) != -EBADMSG)                                                    \
			fail_msg("%s:%d: taken: %s", __FILE__, __LINE__, #x);                          \
	} while (0)

static void test_control(void **state UNUSED)
{
	struct record v;
	char key[16];

	memcpy(copy, good, len);
	assert_int_equal(look("big", &v), 0);
	assert_int_equal(v.len, 20000);
	for (unsigned i = 0; i < SMALL; i++) {
		snprintf(key, sizeof(key), "k%03u", i);
		assert_int_equal(look(key, &v), 0);
		assert_int_equal(v.len, 100);
	}
	for (size_t i = 0; i < 3; i++) { /* before all, between, behind all */
		assert_int_equal(look((const char *const[]){ "a", "k1000", "z" }[i], &v), 0);
		assert_null(v.data);
	}
}

static void test_metas(void **state UNUSED)
{
	static const struct { size_t at, n; uint64_t v; } wrong[] = {
		{ 0, 8, 7 }, { 10, 2, 2 }, { HEADER, 4, 0xbeefc0df }, { HEADER + 4, 4, 2 }, { HEADER + 72 + 4, 2, 4 },
	};
	static const uint32_t sizes[] = { 0, 256, 511, 513, 4095, 6144, 1u << 17, 1u << 31, 0xffffffff };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		for (size_t page = 0; page < 2; page++)
			REFUSED("big", set(page * PAGE + wrong[i].at, wrong[i].v, wrong[i].n));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		REFUSED("big", set(HEADER + 24, sizes[i], 4));
	memcpy(copy, good, len);
	for (size_t n = 0; n < HEADER + 136; n++)
		assert_int_equal(store_map(copy, n, NULL, 0), -EBADMSG);
	assert_int_equal(store_map(copy, PAGE, NULL, 0), -EBADMSG);
	assert_int_equal(store_map(copy, len - 1, NULL, 0), -EBADMSG);
	for (size_t page = 0; page < 2; page++) { /* nothing there, a page that is not there, the meta page itself */
		size_t tree = (number(HEADER + 128, 8) > number(PAGE + HEADER + 128, 8) ? 0 : PAGE) + HEADER + 72 + 40;

		REFUSED("big", set(tree, UINT64_MAX, 8));
		REFUSED("big", set(tree, len / PAGE, 8));
		REFUSED("big", set(tree, page, 8));
	}
}

static void test_pages(void **state UNUSED)
{
	size_t places[] = { root, leaf };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		size_t page = places[i];

		REFUSED("big", set(page, number(page, 8) + 1, 8));
		for (unsigned flags = 0; flags < 64; flags++)
			if (flags != (i ? 2u : 1u) && flags != (i ? 1u : 2u))
				REFUSED("big", set(page + 10, flags, 2));
		for (unsigned lower = 0; lower < HEADER + 2; lower++)
			REFUSED("big", set(page + 12, lower, 2));
		REFUSED("big", set(page + 12, PAGE + 1, 2));
		REFUSED("big", set(page + 12, 0xffff, 2));
		REFUSED("big", set(page + HEADER, 0, 2));
		REFUSED("big", set(page + HEADER, HEADER - 1, 2));
		REFUSED("big", set(page + HEADER, PAGE - 7, 2));
		REFUSED("big", set(page + HEADER, 0xffff, 2));
		REFUSED("big", set(first_entry(page) + 6, PAGE, 2));
		REFUSED("big", set(first_entry(page) + 6, 0xffff, 2));
	}
	/* a circle; and a child of which the high part says elsewhere */
	REFUSED("big", set(first_entry(root), root / PAGE, 4));
	REFUSED("big", set(first_entry(root) + 4, 1, 2));
}

static void test_values(void **state UNUSED)
{
	size_t to = node + 8 + 3;

	for (unsigned flag = 2; flag < 1u << 16; flag <<= 1) /* kinds of values that no generation has */
		REFUSED("big", set(node + 4, 1 | flag, 2));
	REFUSED("big", set(node + 4, 0, 2)); /* 20,000 bytes that would lie on the page */
	REFUSED("big", set(node, 0xffffffff, 4));
	REFUSED("big", set(node, (uint64_t)len + 1, 4));
	REFUSED("big", set(node, (uint64_t)(len - run - HEADER) + 1, 4));
	REFUSED("big", set(to, len / PAGE, 8));
	REFUSED("big", set(to, UINT64_MAX, 8));
	REFUSED("big", set(to, leaf / PAGE, 8));
	REFUSED("big", set(to, run / PAGE + 1, 8));
	REFUSED("big", set(run + 10, 0, 2));
	REFUSED("big", set(run, 1, 8));
	memcpy(copy, good, len);
	set(node, len - run - HEADER, 4); /* up to the last byte */
	assert_int_equal(look("big", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_control), cmocka_unit_test(test_metas), cmocka_unit_test(test_pages), cmocka_unit_test(test_values) };

	return cmocka_run_group_tests(tests, make, unmake);
}
