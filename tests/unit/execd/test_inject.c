/* SPDX-License-Identifier: Apache-2.0 */
/* Which environments put code into a program: of processes that run, as they were started. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/str.h"
#include "execd/execd.h"

static bool injects(char *const *env)
{
	char *argv[] = { "sleep", "60", NULL };
	int gate[2], status;
	char byte;
	bool r;
	pid_t pid;

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		execve("/bin/sleep", argv, env);
		_exit(1);
	}
	close(gate[1]);
	assert_int_equal(read(gate[0], &byte, 1), 0); /* closed by the exec */
	r = inject_any(pid);
	close(gate[0]);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return r;
}
#define INJECTS(...) injects((char *const[]){ __VA_ARGS__, NULL })

static void test_names(void **state UNUSED)
{
	static char *const bad[] = { "LD_PRELOAD=/x", "LD_AUDIT=/x", "LD_=", "LD_PRELOAD=", "BASH_ENV=/x", "BASH_FUNC_cat%%=() { :; }", "ENV=/x", "PYTHONPATH=/x",
				     "PERL5OPT=-Mx", "PERL5LIB=/x", "RUBYOPT=-rx", "NODE_OPTIONS=--require=x", "JAVA_TOOL_OPTIONS=x", "GCONV_PATH=/x", "VIMRUNTIME=/x" };
	static char *const good[] = { "PATH=/bin", "HOME=/", "LD=ld", "XLD_PRELOAD=/x", "ld_preload=/x", "PERL=5", "NODE_OPTIONS_=x", "NODE_OPTION=x", "ENVY=1",
				      "A=LD_PRELOAD=/x", "LD_PRELOAD", "=LD_PRELOAD=x", "PYTHONUNBUFFERED=1", "NODE_ENV=test" };

	assert_false(injects((char *const[]){ NULL }));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!INJECTS("A=1", bad[i], "Z=1"))
			fail_msg("not seen: %s", bad[i]);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (INJECTS("A=1", good[i], "Z=1"))
			fail_msg("taken for one: %s", good[i]);
}

/* Wherever a read of the kernel's ends. */
static void test_long(void **state UNUSED)
{
	static char value[20000], name[200];

	for (size_t n = 16360; n < 16400; n++) {
		memset(value, 'x', n);
		value[1] = '=';
		value[n] = 0;
		if (!INJECTS(value, "BASH_ENV=x") || INJECTS(value, "BASH_ENW=x"))
			fail_msg("behind %zu bytes", n);
	}
	memset(name, 'L', sizeof(name) - 1);
	assert_false(INJECTS(name));
	memcpy(name, "LD_", 3);
	assert_false(INJECTS(name));
	name[150] = '=';
	assert_true(INJECTS(name));
}

static void test_gone(void **state UNUSED)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(inject_any(pid));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_long), cmocka_unit_test(test_gone) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
