/* SPDX-License-Identifier: Apache-2.0 */
/* Which words of a running script's argv may be scripts that the kernel opened on the way, and what is known of each. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/str.h"
#include "execd/execd.h"

/* What chain.c asks of its neighbours, answered from a table. */
static const struct file { const char *name, *place, *resolved; mode_t mode; bool settled; uint64_t ino; } files[] = {
	{ "/usr/bin/env", "/usr/bin/env", "/usr/bin/env", 0100755, true, 1 },
	{ "/usr/bin/tool", "/usr/bin/tool", "/usr/bin/tool", 0100755, true, 2 },
	{ "/usr/bin/data", "/usr/bin/data", "/usr/bin/data", 0100644, true, 3 },
	{ "/usr/bin", "/usr/bin", "/usr/bin", 040755, true, 4 },
	{ "/own/tool", "/own/tool", "/own/tool", 0100755, false, 5 },
	{ "/own/data", "/own/data", "/own/data", 0100644, false, 6 },
	{ "/own/link", "/own/link", "/usr/bin/tool", 0100755, false, 2 },
	{ "/usr/bin/racing", "/usr/bin/racing", "/usr/bin/other", 0100755, true, 7 },
	{ "tool", "/usr/bin/tool", "/usr/bin/tool", 0100755, true, 2 },
	{ "own", "/own/tool", "/own/tool", 0100755, false, 5 },
	{ "run", "/own/run", "/own/run", 0100755, false, 8 },
	{ "/own/run", "/own/run", "/own/run", 0100755, false, 8 },
};
static const char *execfn;
static int broken; /* what every look-up ends with */

static const struct file *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!strcmp(files[i].name, name))
			return &files[i];
	return NULL;
}

int peek_execfn(pid_t pid UNUSED, char *out, size_t cap)
{
	return execfn ? str_format(out, cap, "%s", execfn) : -ENOENT;
}

int name_root(pid_t pid UNUSED)
{
	return open("/", O_PATH | O_CLOEXEC);
}

int peek_named(const struct session *s UNUSED, pid_t pid, const char *name, struct exec_facts *f)
{
	const struct file *e = find(name);

	*f = (struct exec_facts){ .pid = pid };
	snprintf(f->given, sizeof(f->given), "%s", name);
	if (broken || !e)
		return broken ? broken : -ENOENT;
	snprintf(f->place, sizeof(f->place), "%s", e->place);
	snprintf(f->resolved, sizeof(f->resolved), "%s", e->resolved);
	f->ino = e->ino;
	return 0;
}

int settle_file(const struct policy *p UNUSED, int root UNUSED, const char *path, char *out, size_t cap)
{
	const struct file *e = find(path);

	if (path[0] != '/' || !strncmp(path, "/own/", 5))
		return -EPERM;
	return e ? str_format(out, cap, "%s", path) : -ENOENT;
}

int resolve_in_root(int root UNUSED, const char *path)
{
	const struct file *e = find(path);
	int fd = e && S_ISDIR(e->mode) ? open("/", O_PATH | O_CLOEXEC) : memfd_create("x", MFD_CLOEXEC);

	if (e && S_ISREG(e->mode))
		assert_int_equal(fchmod(fd, e->mode & 0777), 0);
	return fd;
}

#define MAX 24
/* The steps as text, "NAME" or "NAME?" where it is not settled, then the first negative result. */
static const char *steps(const char *fn, const char *const *argv)
{
	static char text[4096];
	static struct exec_facts step;
	struct exec_facts now = { .pid = 1, .ino = 1, .depth = 3, .argv = (char **)(uintptr_t)argv };
	struct chain c;
	size_t at = 0;
	int r;

	execfn = fn;
	text[0] = 0;
	while (argv[now.argc])
		now.argc++;
	r = chain_find(&now, &c);
	for (size_t i = 0; r >= 0 && i < c.n; i++) {
		r = chain_step(NULL, NULL, &now, &c, i, &step);
		if (r <= 0)
			continue;
		assert_int_equal(step.depth, 3);
		assert_ptr_equal(step.argv + step.argc, now.argv + now.argc);
		if (!c.direct)
			assert_string_equal(step.argv[0], step.given);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s ", step.given, step.unsettled ? "?" : "");
	}
	if (r < 0)
		snprintf(text + at, sizeof(text) - at, "%d", r);
	return text;
}

static void test_steps(void **state UNUSED)
{
	static const struct { const char *fn; const char *argv[MAX]; const char *want; } v[] = {
		{ "/own/run", { "/bin/sh", "/own/run", "/usr/bin/tool" }, "/own/run " },
		{ "/own/run", { "/bin/sh", "-e", "/own/run" }, "/own/run " },
		{ "/own/run", { "/usr/bin/env", "node", "/own/run" }, "/own/run " },
		{ "/own/run", { "/bin/sh", "/usr/bin/tool", "/own/run" }, "/usr/bin/tool /own/run " },
		{ "/own/run", { "/bin/sh", "-e", "/usr/bin/tool", "-x y", "/own/run", "z" }, "/usr/bin/tool /own/run " },
		/* no programs, whatever happens */
		{ "/own/run", { "/bin/sh", "/usr/bin/data", "/usr/bin", "/usr/bin/none", "", "/own/run" }, "/own/run " },
		{ "/own/run", { "/bin/sh", "/own/tool x", "/own/tool\t", "/own/run" }, "/own/run " },
		/* may have been one, or another */
		{ "/own/run", { "/bin/sh", "/own/tool", "/own/data", "/own/none", "/own/link", "/own/run" }, "/own/tool? /own/data? /own/none? /own/link? /own/run " },
		{ "/own/run", { "/bin/sh", "/usr/bin/racing", "/own/run" }, "/usr/bin/racing? /own/run " },
		{ "/own/run", { "/bin/sh", "tool", "own", "none", "/own/run" }, "tool own? /own/run " },
		/* the script's name again: in its words, and before it */
		{ "/own/run", { "/bin/sh", "/own/run", "/usr/bin/tool", "/own/run" }, "/own/run? /usr/bin/tool /own/run " },
		{ "run", { "/usr/bin/env", "run", "/usr/bin/tool", "run" }, "run? /usr/bin/tool run " },
		/* as many as the kernel could have opened */
		{ "/own/run", { "/bin/sh", "a", "a", "a", "a", "a", "a", "a", "a", "/usr/bin/tool", "/own/run" }, "/usr/bin/tool /own/run " },
		{ "/own/run", { "/bin/sh", "/own/run", "a", "a", "a", "a", "a", "a", "a", "/usr/bin/tool", "a", "/own/run" }, "/own/run " },
		/* no script: it is the program, or it is not known what it was */
		{ "/usr/bin/env", { "env", "x" }, "/usr/bin/env " }, { "/usr/bin/tool", { "tool", "x" }, "/usr/bin/tool? " },
		{ "/own/none", { "x" }, "-2" }, { "/own/none", { "/bin/sh", "/usr/bin/tool", "/own/none" }, "/usr/bin/tool -2" }, { NULL, { "x" }, "-2" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		const char *got = steps(v[i].fn, v[i].argv);

		if (strcmp(got, v[i].want) != 0)
			fail_msg("case %zu: %s", i, got);
	}
}

/* What cannot be looked up in time is no argument. */
static void test_failures(void **state UNUSED)
{
	broken = -EACCES;
	assert_string_equal(steps("/own/run", (const char *const[]){ "/bin/sh", "-e", "/own/run", NULL }), "-13");
	broken = -ENOTDIR;
	assert_string_equal(steps("/own/run", (const char *const[]){ "/bin/sh", "-e", "/own/run", NULL }), "-20");
	assert_string_equal(steps("/own/run", (const char *const[]){ "/bin/sh", "/own/x", "/own/run", NULL }), "/own/x? -20");
	broken = 0;
}

static void test_long_words(void **state UNUSED)
{
	char word[300];

	memset(word, 'x', sizeof(word));
	memcpy(word, "/own/", 5);
	word[256] = 0; /* no first line has room for such a name */
	assert_string_equal(steps("/own/run", (const char *const[]){ "/bin/sh", word, "/own/run", NULL }), "/own/run ");
	word[255] = 0;
	assert_string_not_equal(steps("/own/run", (const char *const[]){ "/bin/sh", word, "/own/run", NULL }), "/own/run ");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_steps), cmocka_unit_test(test_failures), cmocka_unit_test(test_long_words) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
