/* SPDX-License-Identifier: Apache-2.0 */
/* Labels as the kernel's cgroup tree holds them, and the board's sets of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/board.h"
#include "common/cleanup.h"
#include "common/lineage.h"

static void test_names(void **state UNUSED)
{
	char name[LINEAGE_NAME_MAX], text[128];
	struct lineage l;

	lineage_name(&(struct lineage){ 0, UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX }, name);
	assert_string_equal(name, "pffffffffffffffff-ffffffffffffffff-4294967295-ffffffffffffffff");
	lineage_name(&(struct lineage){ .sure = 0x1f, .may = 0x3f, .depth = 2, .id = 0xabc }, name);
	assert_string_equal(name, "p1f-3f-2-abc");
	snprintf(text, sizeof(text), "12:cpu:/x\n0::/agentsh-session-1/c7/%s\n", name);
	assert_int_equal(lineage_parse(text, "session-1", &l), 0);
	assert_int_equal(l.command, 7);
	assert_int_equal(l.sure, 0x1f);
	assert_int_equal(l.may, 0x3f);
	assert_int_equal(l.depth, 2);
	assert_int_equal(l.id, 0xabc);
	assert_int_equal(lineage_parse("0::/agentsh-s/c3/pffffffffffffffff-ffffffffffffffff-4294967295-ffffffffffffffff\n", "s", &l), 0);
	assert_true(l.sure == UINT64_MAX && l.may == UINT64_MAX && l.depth == UINT32_MAX && l.id == UINT64_MAX);
	assert_int_equal(lineage_parse("0::/some.slice/agentsh-s/c12\n1:x:/\n", "s", &l), 0);
	assert_true(l.command == 12 && l.sure == 0 && l.may == 0 && l.depth == 0 && l.id == 0);
}

static void test_foreign(void **state UNUSED)
{
	static const char *const bad[] = {
		"", "\n", "0::/\n", "0::/agentsh-s/c1", "0::/agentsh-s\n", "0::/agentsh-s/\n", "0::/agentsh-s/c\n", "0::/agentsh-s/cx\n",
		"0::/agentsh-s/c1/\n", "0::/agentsh-s/c1/p\n", "0::/agentsh-s/c1/p1\n", "0::/agentsh-s/c1/p1-\n", "0::/agentsh-s/c1/p1-1\n", "0::/agentsh-s/c1/p1-1-\n", "0::/agentsh-s/c1/p1-1-1\n",
		"0::/agentsh-s/c1/p1-1-1-\n", "0::/agentsh-s/c1/p1-1-1-1/x\n", "0::/agentsh-s/c1/p1-1-1-1 (deleted)\n", "0::/agentsh-s/c1 (deleted)\n",
		"0::/agentsh-s/c1/p1ffffffffffffffff-1-0-1\n", "0::/agentsh-s/c1/p1-1ffffffffffffffff-0-1\n", "0::/agentsh-s/c1/p1-1-4294967296-1\n",
		"0::/agentsh-s/c1/p1-1-1-1ffffffffffffffff\n", /* surely, and not maybe: */ "0::/agentsh-s/c1/p3-1-0-1\n", "0::/agentsh-s/c4294967296\n", "0::/agentsh-other/c1\n", "0::/xagentsh-s/c1\n",
		"1:name=systemd:/agentsh-s/c1/pff-ff-0-1\n", "0::/agentsh-s/c1/pFF-FF-0-1\n", "0::/agentsh-s/c-1\n", "0::/agentsh-s/c1/p-1-1-0-1\n",
		"10::/agentsh-s/c1\n",
	};
	struct lineage l;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		l = (struct lineage){ .sure = 5, .may = 5 };
		if (lineage_parse(bad[i], "s", &l) != -ENOENT || l.sure || l.may)
			fail_msg("taken: %s", bad[i]);
	}
	assert_true(lineage_of(getpid(), "session-of-nobody", &l) < 0);
	assert_int_equal(lineage_of(0, "s", &l), -ESRCH);
}

#define SET(labels) &(struct lineage){ .sure = (labels), .may = (labels) | 8, .id = 7 }

static void test_board(void **state UNUSED)
{
	struct board *b = NULL, *r = NULL;
	struct lineage labels = { .sure = 9, .may = 9 };
	char id[ID_MAX];
	int fd = -1, one, two;

	assert_int_equal(board_create(&b, &fd), 0);
	assert_int_equal(board_open(fd, &r), 0);
	one = board_add(b, "cmd-1", 100);
	two = board_add(b, "cmd-2", 200);
	assert_int_equal(board_add_set(b, one, 101, SET(0x5)), 0);
	assert_int_equal(board_add_set(b, two, 201, SET(0)), 0);
	assert_false(board_labels(r, 100, 7, &labels));
	assert_true(board_labels(r, 101, 7, &labels));
	assert_int_equal(labels.sure, 5);
	assert_int_equal(labels.may, 13);
	assert_int_equal(labels.id, 7);
	board_by_cgroup(r, 101, id);
	assert_string_equal(id, "cmd-1");
	board_by_cgroup(r, 201, id);
	assert_string_equal(id, "cmd-2");
	labels = (struct lineage){ .sure = 9, .may = 9 };
	assert_false(board_labels(r, 101, 8, &labels));
	assert_true(!labels.sure && !labels.may);
	labels = (struct lineage){ .sure = 9, .may = 9 };
	assert_false(board_labels(r, 102, 7, &labels));
	assert_false(board_labels(r, 0, 7, &labels));
	assert_true(!labels.sure && !labels.may);
	board_remove(b, one);
	assert_false(board_labels(r, 101, 7, &labels));
	assert_false(board_labels(r, 100, 7, &labels));
	assert_true(board_labels(r, 201, 7, &labels));
	for (uint64_t i = 1; i < BOARD_SETS; i++)
		assert_int_equal(board_add_set(b, two, 1000 + i, SET(i)), 0);
	assert_int_equal(board_add_set(b, two, 7, SET(1)), -ENOSPC);
	assert_true(board_labels(r, 1000 + BOARD_SETS - 1, 7, &labels));
	assert_int_equal(labels.sure, BOARD_SETS - 1);
	board_close(r);
	board_close(b);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
