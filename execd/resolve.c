/* SPDX-License-Identifier: Apache-2.0 */
/* A path looked up in the sandbox's tree without waiting for what it leads through. What the kernel has not cached is asked of fsd, and a
 * directory in which an operation is held for a person stays locked: so that look-up is a helper process's, with a deadline. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/log.h"
#include "execd/execd.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* since Linux 5.12; older ones refuse it, and the helper is asked */
#endif
#define PATH_BYTES 8300
#define WAIT_MS 2000
#define WAIT_MS_STUCK 200 /* while another look-up is stuck, so that many of them cannot take the worker's time */
#define STUCK_MAX 8       /* helpers that are given up and not gone; with so many nothing uncached is looked up */

static int sock = -1;
static pid_t helper, stuck[STUCK_MAX];

static int send_with(int to, const void *p, size_t n, int fd)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } ctl = { 0 };
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		m.msg_control = ctl.bytes;
		m.msg_controllen = sizeof(ctl.bytes);
		ctl.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(&ctl.align), &fd, sizeof(int));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -EPIPE;
}

static ssize_t recv_with(int from, void *p, size_t n, int *ret_fd)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } ctl = { 0 };
	struct iovec iov = { p, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.bytes, .msg_controllen = sizeof(ctl.bytes) };
	ssize_t got = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = got > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*ret_fd = -1;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(h), sizeof(int));
	return got;
}

static int look_up(int root, const char *path, uint64_t more)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | more };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static void __attribute__((noreturn)) helper_main(int s, pid_t parent)
{
	static char path[PATH_BYTES];

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* Nothing of the worker's stays open in a process that may be stuck: its closing tells the other daemons of an end. */
	if (getppid() != parent || dup2(s, 3) < 0)
		_exit(1);
	close_range(4, ~0u, 0);
	for (;;) {
		int root, fd;
		ssize_t n = recv_with(3, path, sizeof(path) - 1, &root);

		if (n <= 0)
			_exit(0);
		path[n] = 0;
		fd = look_up(root, path, 0);
		if (send_with(3, &fd, sizeof(fd), fd) < 0)
			_exit(0);
		close(root);
		if (fd >= 0)
			close(fd);
	}
}

static int helper_start(void)
{
	pid_t me = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	helper = fork();
	if (helper == 0)
		helper_main(pair[1], me);
	close(pair[1]);
	if (helper < 0) {
		close(pair[0]);
		return -EAGAIN;
	}
	sock = pair[0];
	return 0;
}

/* Those that are not gone yet; *ret_free: a place for one more, NULL when there is none. Reaping is guard.c's. */
static size_t count_stuck(pid_t **ret_free)
{
	size_t n = 0;

	*ret_free = NULL;
	for (size_t i = 0; i < STUCK_MAX; i++) {
		siginfo_t si = { 0 };

		if (stuck[i] && (waitid(P_PID, (id_t)stuck[i], &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid))
			stuck[i] = 0;
		if (stuck[i])
			n++;
		else
			*ret_free = &stuck[i];
	}
	return n;
}

static void give_up(pid_t *place)
{
	close(sock);
	sock = -1;
	kill(helper, SIGKILL);
	*place = helper;
}

int resolve_in_root(int root, const char *path)
{
	int r = look_up(root, path, RESOLVE_CACHED), fd = -1;
	struct pollfd p = { .events = POLLIN };
	pid_t *place;
	size_t n;

	if (r != -EAGAIN && r != -EINVAL)
		return r;
	n = count_stuck(&place);
	if (!place || !path[0] || strlen(path) >= PATH_BYTES)
		return -EACCES;
	if (sock < 0 && helper_start() < 0)
		return -EAGAIN;
	p.fd = sock;
	if (send_with(sock, path, strlen(path), root) < 0 || poll(&p, 1, n ? WAIT_MS_STUCK : WAIT_MS) != 1 ||
	    recv_with(sock, &r, sizeof(r), &fd) != sizeof(r)) {
		log_warn("a program's path could not be looked up in time: its exec is refused");
		give_up(place);
		return -EACCES;
	}
	return fd >= 0 ? fd : r < 0 ? r : -EIO;
}
