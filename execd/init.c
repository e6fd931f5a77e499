/* SPDX-License-Identifier: Apache-2.0 */
/* Pid 1 of a session: builds the root, gives up the host's rights in a user namespace, then forks commands on the worker's request
 * and reaps. It reads nothing from the agent. When the worker dies it ends, and the whole tree with it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "execd/execd.h"
#include "execd/init.h"

static struct { pid_t pid; uint32_t num; } running[BOARD_CMDS];

static void say(int fd, const char *words)
{
	if (send(fd, words, strlen(words), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void prepare(struct session *s, int ready)
{
	struct err err = { 0 };
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (setns(s->netns, CLONE_NEWNET) < 0) {
		say(ready, "entering the session's network namespace failed");
		_exit(1);
	}
	if (build_root(s, &err) < 0) {
		say(ready, err.msg);
		_exit(1);
	}
	if (unshare(CLONE_NEWUSER) < 0) {
		say(ready, "a new user namespace was refused: see sysctl user.max_user_namespaces");
		_exit(1);
	}
	say(ready, "+");
	if (recv(ready, &go, 1, 0) != 1)
		_exit(1);
	/* Unsharing cleared neither, but a process of another uid or less capabilities must never read or stop us. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	say(ready, "+");
	close(ready);
}

static void report(int sock, uint32_t num, int status, const struct rusage *u)
{
	uint8_t body[INIT_REPORT];
	struct wr w = wr_init(body, sizeof(body));

	wr_u32(&w, num);
	wr_u32(&w, (uint32_t)status);
	wr_u64(&w, (uint64_t)u->ru_utime.tv_sec * 1000000 + (uint64_t)u->ru_utime.tv_usec);
	wr_u64(&w, (uint64_t)u->ru_stime.tv_sec * 1000000 + (uint64_t)u->ru_stime.tv_usec);
	wr_u64(&w, (uint64_t)u->ru_maxrss);
	if (send(sock, body, wr_len(&w), MSG_NOSIGNAL) < 0)
		_exit(0);
}

static void reap(int sock)
{
	struct rusage u;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &u)) > 0)
		for (size_t i = 0; i < BOARD_CMDS; i++)
			if (running[i].pid == pid) {
				running[i].pid = 0;
				report(sock, running[i].num, status, &u);
			}
}

static int recv_request(int sock, uint32_t *num, int fds[INIT_FDS])
{
	union { char bytes[CMSG_SPACE(INIT_FDS * sizeof(int))]; struct cmsghdr align; } ctl;
	uint8_t body[4];
	struct iovec iov = { body, sizeof(body) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.bytes, .msg_controllen = sizeof(ctl.bytes) };
	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	struct rd r = rd_init(body, sizeof(body));
	size_t got;

	for (int i = 0; i < INIT_FDS; i++)
		fds[i] = -1;
	if (n <= 0 || !c)
		return -EPIPE;
	got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), (got < INIT_FDS ? got : INIT_FDS) * sizeof(int));
	*num = rd_u32(&r);
	return got >= INIT_FDS - 1 ? 0 : -EPIPE;
}

static void start(struct session *s, int sock)
{
	static const struct rusage none;
	uint32_t num = 0;
	int fds[INIT_FDS];
	size_t at = BOARD_CMDS;
	pid_t pid = -1;

	if (recv_request(sock, &num, fds) < 0)
		_exit(0); /* the worker is gone: so is the session */
	for (size_t i = 0; i < BOARD_CMDS && at == BOARD_CMDS; i++)
		if (!running[i].pid)
			at = i;
	if (at < BOARD_CMDS)
		pid = fork();
	if (pid == 0)
		child_main(s, fds);
	if (pid > 0) {
		running[at].pid = pid;
		running[at].num = num;
	} else {
		report(sock, num, 126 << 8, &none);
	}
	for (int i = 0; i < INIT_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void init_main(struct session *s, int sock, int ready)
{
	sigset_t all;
	int sig;

	prepare(s, ready);
	/* Nothing of the worker's stays open here but the one socket. */
	if (dup2(sock, 3) < 0)
		_exit(1);
	close_range(4, ~0u, 0);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	sock = 3;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sig = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		struct pollfd p[2] = { { .fd = sock, .events = POLLIN }, { .fd = sig, .events = POLLIN } };
		struct signalfd_siginfo si;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		while (read(sig, &si, sizeof(si)) == (ssize_t)sizeof(si))
			;
		reap(sock);
		if (p[0].revents)
			start(s, sock);
	}
}
