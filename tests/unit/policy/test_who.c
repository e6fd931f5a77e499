/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of a program that is run: what it is for sure, and what it may be by any of its names and words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

/* cat 1, /usr/bin/head 2, npm 4, never 8 */
#define POLICY HEAD "command_rules:\n- {name: a, processes: [cat, /usr/bin/head, npm, never], decision: deny}\n- {name: all, decision: allow}\n"

/* What a loader finds by a word: as told, or nothing. */
static int loads(void *arg, const char *word, char *out, size_t cap)
{
	const char *const *found = arg;

	for (; found && *found; found += 2)
		if (!strcmp(*found, word))
			return snprintf(out, cap, "%s", found[1]) < 0 ? -EINVAL : 0;
	return -ENOENT;
}

struct row { const char *given, *file, *words[8]; uint64_t sure, may; };

static void each(const struct row *rows, size_t n, const char *const *found)
{
	struct policy *p = pol_open(POLICY);

	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct pol_exec q = { .given = r->given, .resolved = r->file, .argv = r->words, .loaded = found ? loads : NULL, .loaded_arg = (void *)(uintptr_t)found };
		struct pol_who who;

		while (q.argc < ARRAY_LEN(r->words) && r->words[q.argc])
			q.argc++;
		who = policy_exec_labels(p, &q);
		if (who.unknown || who.sure != r->sure || who.may != r->may)
			fail_msg("row %zu: %llx, may be %llx", i, (unsigned long long)who.sure, (unsigned long long)who.may);
	}
	policy_close(p);
}
#define EACH(found, ...) each((const struct row[]){ __VA_ARGS__ }, ARRAY_LEN(((const struct row[]){ __VA_ARGS__ })), found)

static void test_words(void **state UNUSED)
{
	EACH(NULL, { "/usr/bin/cat", "/usr/bin/cat", { "cat", "f" }, 1, 1 }, { "/usr/bin/tac", "/usr/bin/tac", { "tac", "cat" }, 0, 0 },
	     { "/x", "/usr/bin/busybox", { "cat", "f" }, 0, 1 }, { "/x", "/usr/bin/busybox", { "-cat", "f" }, 0, 1 },
	     { "/x", "/x", { "/usr/bin/head", "f" }, 0, 2 }, { "/x", "/x", { "head", "f" }, 0, 0 },
	     { "/bin/busybox", "/bin/busybox", { "busybox", "cat", "npm" }, 0, 1 }, { "/bin/busybox", "/bin/busybox", { "busybox", "busybox", "cat" }, 0, 1 },
	     { "/x", "/x", { "busybox", "cat" }, 0, 1 }, { "/x", "/bin/toybox", { "x", "cat" }, 0, 1 }, { "/x", "/bin/coreutils", { "x", "cat" }, 0, 1 },
	     { "/x", "/x", { "x", "--coreutils-prog=cat" }, 0, 1 }, { "/x", "/x", { "x", "--coreutils-prog-shebang=npm" }, 0, 4 },
	     { "/x", "/x", { "x", "y", "--coreutils-prog=cat" }, 0, 0 }, { "/bin/env", "/bin/env", { "env", "cat" }, 0, 0 },
	     { "/bin/sh", "/bin/sh", { "sh", "-c", "cat f" }, 0, 0 }, { "/usr/bin/npm", "/usr/bin/npm", { NULL }, 4, 4 });
}

static void test_loaders(void **state UNUSED)
{
	static const char *const found[] = { "/usr/bin/cat", "/usr/bin/cat", "/l", "/usr/bin/head", "/t", "/usr/bin/tac", "/b", "/bin/busybox",
					     "/ld", "/lib/ld-linux-x86-64.so.2", NULL };
	const char *ld = "/lib64/ld-linux-x86-64.so.2";

	EACH(found, { ld, ld, { "ld", "/usr/bin/cat", "f" }, 0, 1 }, { ld, ld, { "ld", "/l", "f" }, 0, 2 }, { ld, ld, { "ld", "/t", "cat" }, 0, 0 },
	     { "/x", ld, { "x", "/l" }, 0, 2 }, { ld, ld, { "ld", "/b", "cat" }, 0, 1 }, { ld, ld, { "ld", "--argv0", "npm", "/t" }, 0, 4 },
	     { ld, ld, { "ld", "--argv0", "busybox", "/t", "cat" }, 0, 1 },
	     /* Not to be known: any. */
	     { ld, ld, { "ld", "/nothing" }, 0, 15 }, { ld, ld, { "ld", "/ld", "/t" }, 0, 15 }, { ld, ld, { "ld", "--new", "/t" }, 0, 15 },
	     { ld, ld, { "ld" }, 0, 0 });
	EACH(NULL, { ld, ld, { "ld", "/usr/bin/cat" }, 0, 1 }, { ld, ld, { "ld", "/l" }, 0, 0 });
}

/* The last label of as many as there can be; none for a policy that asks nobody. */
static void test_all(void **state UNUSED)
{
	char text[2000] = HEAD "command_rules:\n- {name: a, decision: deny, processes: [";
	const char *const argv[] = { "ld.so", "cat" };
	struct pol_exec q = { .given = "/lib/ld.so", .resolved = "/lib/ld.so", .argv = argv, .argc = 2, .loaded = loads };
	struct policy *p = pol_open(HEAD "command_rules:\n- {name: a, decision: deny}\n");

	assert_int_equal(policy_exec_labels(p, &q).may, 0);
	policy_close(p);
	for (int i = 0; i < POL_LABELS_MAX; i++)
		sprintf(text + strlen(text), "%sp%d", i ? ", " : "", i);
	strcat(text, "]}\n");
	p = pol_open(text);
	assert_true(policy_exec_labels(p, &q).may == UINT64_MAX);
	assert_int_equal(policy_exec_labels(p, &q).sure, 0);
	assert_true(policy_labels(p, "p63", NULL, false).sure == 1ull << 63);
	policy_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_loaders), cmocka_unit_test(test_all) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
