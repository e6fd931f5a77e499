/* SPDX-License-Identifier: Apache-2.0 */
/* The posture of our workers, tried from inside a process that took it on: what works before must be refused after. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "common/sandbox.h"

enum { CONTROL = 1, ENTER, SHADOW, LISTING, CREATE, ALLOWED, RANDOM, PASSED, SIGNAL, EXEC, MOUNT, CAPS, IOCTL };

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -errno;
}

/* Runs body in a child; its answer is the number of the first thing that was not as it should be. */
static int in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int try_files(void)
{
	/* Only root reads the shadow file, which an owner may without any capability; others try with a file that all may read. */
	const char *secret = geteuid() == 0 ? "/etc/shadow" : "/etc/passwd";
	int before = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	char byte;

	if (opens(secret, O_RDONLY) < 0 || opens("/etc", O_RDONLY | O_DIRECTORY) < 0 || opens("/tmp", O_TMPFILE | O_WRONLY) < 0 || before < 0)
		return CONTROL;
	if (kill(getppid(), 0) < 0)
		return CONTROL;
	if (priv_drop((uid_t)-1, (gid_t)-1, 0, NULL) < 0 || sandbox_enter(SANDBOX_NETD_WORKER, NULL) < 0)
		return ENTER;
	if (opens(secret, O_RDONLY) != -EACCES)
		return SHADOW;
	if (opens("/etc", O_RDONLY | O_DIRECTORY) != -EACCES)
		return LISTING;
	if (opens("/tmp", O_TMPFILE | O_WRONLY) != -EACCES)
		return CREATE;
	if (opens("/etc/hosts", O_RDONLY) == -EACCES || opens("/etc/resolv.conf", O_RDONLY) == -EACCES)
		return ALLOWED;
	if (opens("/dev/urandom", O_RDONLY) < 0)
		return RANDOM;
	if (read(before, &byte, 1) != 1)
		return PASSED;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 6 && kill(getppid(), 0) == 0)
		return SIGNAL;
	return 0;
}

static void test_landlock(void **state UNUSED)
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
		skip();
	assert_int_equal(in_child(try_files), 0);
}

/* Of ioctls fsd's worker has five; a number that differs from one of them in one bit passes only when it is another. */
static bool ioctls_wrong(void)
{
	static const unsigned passed[] = { 0x4010e501, 0x4004e502, 0x80086601, 0x801c581f, 0x40049409 };
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	char out[64];

	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		for (int k = 0; k <= 32; k++) {
			unsigned nr = passed[i] ^ (k < 32 ? 1u << k : 0);
			bool wanted = false;

			for (size_t j = 0; j < ARRAY_LEN(passed); j++)
				wanted |= nr == passed[j];
			if ((ioctl(fd, nr, out) < 0 && errno == EPERM) == wanted)
				return true;
		}
	close(fd);
	return false;
}

static int refused_calls(enum sandbox_role role)
{
	static char *const argv[] = { NULL };

	if (priv_drop((uid_t)-1, (gid_t)-1, 0, NULL) < 0 || sandbox_enter(role, NULL) < 0)
		return ENTER;
	if (execve("/bin/true", argv, argv) == 0 || errno != EPERM)
		return EXEC;
	if (mount("none", "/mnt", "tmpfs", 0, NULL) == 0 || errno != EPERM)
		return MOUNT;
	if (role == SANDBOX_FSD_WORKER && ioctls_wrong())
		return IOCTL;
	if (prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 1 && geteuid() == 0)
		return CAPS;
	/* These two roles keep their files: see the rows in landlock.c. */
	return role != SANDBOX_NETD_WORKER && opens("/etc/passwd", O_RDONLY) < 0 ? CONTROL : 0;
}

static int as_netd(void)
{
	return refused_calls(SANDBOX_NETD_WORKER);
}

static int as_fsd(void)
{
	return refused_calls(SANDBOX_FSD_WORKER);
}

static int as_execd(void)
{
	return refused_calls(SANDBOX_EXECD_WORKER);
}

static void test_calls(void **state UNUSED)
{
	if (geteuid() != 0)
		skip(); /* the bounding set is root's to empty */
	assert_int_equal(in_child(as_netd), 0);
	assert_int_equal(in_child(as_fsd), 0);
	assert_int_equal(in_child(as_execd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_landlock), cmocka_unit_test(test_calls) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
