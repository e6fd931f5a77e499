/* SPDX-License-Identifier: Apache-2.0 */
/* A path looked up, or a file read, in the sandbox's tree without waiting for what it leads through. What the kernel has not cached is
 * asked of fsd, and a directory in which an operation is held for a person stays locked: so a helper process does that, with a deadline. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/evt.h"
#include "common/log.h"
#include "common/str.h"
#include "execd/execd.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* since Linux 5.12; older ones refuse it, and the helper is asked */
#endif
#define PATH_BYTES 8300
#define WAIT_MS 2000
#define WAIT_MS_STUCK 200 /* while another look-up is stuck, so that many of them cannot take the worker's time */
#define DIGEST_MAX ((off_t)256 << 20) /* a larger file's digest is not known */
#define DIGEST_MS 5000
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

static int look_up(int root, const char *path, uint64_t flags, uint64_t more)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_IN_ROOT | more };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The first byte of what the helper is asked; a path follows, but for a digest and a link's text. */
enum { ASK_FILE = 'f', ASK_ENTRY = 'e', ASK_DIGEST = 'd', ASK_LINK = 'l' };
struct linked { int r; char text[4096]; };
struct digested { int r, alone; uint8_t sum[32]; };

static void digest_of(int fd, struct digested *d)
{
	char path[40];
	auto_fd file = -1;
	struct statvfs fs;
	struct stat st;

	*d = (struct digested){ 0 };
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > DIGEST_MAX) {
		d->r = -EFBIG;
		return;
	}
	file = open(path, O_RDONLY | O_CLOEXEC);
	d->r = file < 0 ? -errno : sha256_fd(file, d->sum);
	/* Asked for after it was read: a link that was made meanwhile counts. */
	d->alone = d->r == 0 && fstat(file, &st) == 0 && (st.st_nlink == 1 || (fstatvfs(file, &fs) == 0 && (fs.f_flag & ST_RDONLY)));
}

/* Answers what is asked about a descriptor itself. */
static bool tell(char what, int fd)
{
	static struct linked l;
	struct digested d;
	ssize_t n;

	if (what == ASK_DIGEST) {
		digest_of(fd, &d);
		return send_with(3, &d, sizeof(d), -1) == 0;
	}
	n = readlinkat(fd, "", l.text, sizeof(l.text));
	l.r = n < 0 ? -errno : (size_t)n < sizeof(l.text) ? 0 : -ENAMETOOLONG;
	l.text[l.r == 0 ? n : 0] = 0;
	return send_with(3, &l, sizeof(l), -1) == 0;
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
		if (path[0] == ASK_DIGEST || path[0] == ASK_LINK) {
			if (!tell(path[0], root))
				_exit(0);
			close(root);
			continue;
		}
		fd = look_up(root, path + 1, path[0] == ASK_ENTRY ? O_NOFOLLOW : 0, 0);
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

/* Asks the helper about a descriptor. An answer shorter than n: it came too late or not at all. */
static int ask(int about, const char *what, size_t len, void *answer, size_t n, int *ret_fd, int ms)
{
	struct pollfd p = { .events = POLLIN };
	pid_t *place;
	size_t hung = count_stuck(&place);

	*ret_fd = -1;
	if (!place)
		return -EACCES;
	if (sock < 0 && helper_start() < 0)
		return -EAGAIN;
	p.fd = sock;
	if (send_with(sock, what, len, about) < 0 || poll(&p, 1, hung ? WAIT_MS_STUCK : ms) != 1 ||
	    recv_with(sock, answer, n, ret_fd) != (ssize_t)n) {
		log_warn("a program's file could not be looked up or read in time");
		give_up(place);
		return -EACCES;
	}
	return 0;
}

static int resolve(int root, const char *path, char what)
{
	int r = look_up(root, path, what == ASK_ENTRY ? O_NOFOLLOW : 0, RESOLVE_CACHED), fd, status;
	char text[PATH_BYTES];

	if (r != -EAGAIN && r != -EINVAL)
		return r;
	if (!path[0] || str_format(text, sizeof(text) - 1, "%c%s", what, path) < 0)
		return -EACCES;
	status = ask(root, text, strlen(text), &r, sizeof(r), &fd, WAIT_MS);
	if (status < 0)
		return status;
	return fd >= 0 ? fd : r < 0 ? r : -EIO;
}

int resolve_in_root(int root, const char *path)
{
	return resolve(root, path, ASK_FILE);
}

int resolve_entry(int dir, const char *name)
{
	return resolve(dir, name, ASK_ENTRY);
}

int digest_file(int fd, uint8_t ret[32], bool *ret_alone)
{
	struct digested d;
	const char what = ASK_DIGEST;
	int none, r = ask(fd, &what, 1, &d, sizeof(d), &none, DIGEST_MS);

	if (none >= 0)
		close(none);
	if (r < 0)
		return r;
	memcpy(ret, d.sum, 32);
	*ret_alone = d.alone;
	return d.r;
}

int resolve_link(int fd, char *out, size_t cap)
{
	struct linked l;
	const char what = ASK_LINK;
	int none, r = ask(fd, &what, 1, &l, sizeof(l), &none, WAIT_MS);

	if (none >= 0)
		close(none);
	if (r < 0 || l.r < 0)
		return r < 0 ? r : l.r;
	l.text[sizeof(l.text) - 1] = 0;
	return str_format(out, cap, "%s", l.text);
}
