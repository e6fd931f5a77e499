/* SPDX-License-Identifier: Apache-2.0 */
/* A command's first process, between pid 1's fork and its program: stdio, cgroup, ids, no capability, no_new_privs, the filter, exec. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/sandbox.h"
#include "execd/init.h"

static int gate = -1;

static void __attribute__((noreturn)) fail(int code, const char *what, int error)
{
	uint8_t body[INIT_FAIL_MAX];
	char words[700];
	struct wr w = wr_init(body, sizeof(body));

	snprintf(words, sizeof(words), "%.500s: %s", what, strerror(error));
	wr_u32(&w, (uint32_t)code);
	wr_str(&w, words);
	if (send(gate, body, wr_len(&w), MSG_NOSIGNAL) < 0)
		_exit(126);
	_exit(code);
}

static void send_listener(int listener)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } ctl = { 0 };
	char plus = '+';
	struct iovec iov = { &plus, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.bytes, .msg_controllen = sizeof(ctl.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	char go;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &listener, sizeof(int));
	if (sendmsg(gate, &m, MSG_NOSIGNAL) != 1 || recv(gate, &go, 1, 0) != 1)
		_exit(126);
	close(listener);
}

static void drop(struct session *s)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	const struct rlimit no_core = { 0, 0 };

	for (int c = 0; c <= CAP_LAST_CAP; c++)
		prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	if (setgroups((size_t)s->n_groups, s->groups) < 0 || setresgid(s->w->owner.gid, s->w->owner.gid, s->w->owner.gid) < 0)
		fail(126, "taking the caller's groups", errno);
	/* Locked: an agent of uid 0 must not get capabilities back by exec. */
	if (prctl(PR_SET_SECUREBITS, 0x2f, 0, 0, 0) < 0)
		fail(126, "securebits", errno);
	if (setresuid(s->w->owner.uid, s->w->owner.uid, s->w->owner.uid) < 0)
		fail(126, "taking the caller's uid", errno);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, none) < 0)
		fail(126, "dropping capabilities", errno);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(126, "no_new_privs", errno);
	setrlimit(RLIMIT_CORE, &no_core);
	umask(022);
}

/* Where the policy gives programs rights of their own, none may be written into by another. */
static void wall_off(const struct session *s)
{
	int r = policy_has_labels(s->policy) ? landlock_close_proc() : 0;

	if (r < 0 && r != -EOPNOTSUPP)
		fail(126, "closing /proc", -r);
}

static void install_filter(struct session *s)
{
	struct sock_fprog prog = { s->bpf_len, s->bpf };
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
			  &prog);

	if (fd < 0)
		fail(126, "installing the seccomp filter", errno);
	send_listener((int)fd);
}

/* PATH as the command's own environment has it; every try is judged like any other exec. */
static void run(char **argv, char **env)
{
	const char *path = "/usr/local/bin:/usr/bin:/bin", *p;
	int last = ENOENT;

	for (char **e = env; *e; e++)
		if (!strncmp(*e, "PATH=", 5))
			path = *e + 5;
	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, env);
		fail(errno == ENOENT ? 127 : 126, argv[0], errno);
	}
	for (p = path; *p || p == path;) {
		size_t n = strcspn(p, ":");
		char file[4096];

		if (str_format(file, sizeof(file), "%.*s%s%s", (int)n, p, n ? "/" : "./", argv[0]) == 0 && access(file, X_OK) == 0) {
			execve(file, argv, env);
			if (errno != ENOENT)
				fail(126, file, errno);
		} else if (errno == EACCES) {
			last = EACCES;
		}
		p += n;
		if (!*p++)
			break;
	}
	fail(last == ENOENT ? 127 : 126, argv[0], last);
}

void child_main(struct session *s, const int fds[INIT_FDS])
{
	struct stat st;
	char cwd[4096], **argv, **env;
	void *text;
	struct rd r;
	sigset_t none;

	gate = fcntl(fds[INIT_FD_GATE], F_DUPFD_CLOEXEC, 64);
	if (fstat(fds[INIT_FD_TEXT], &st) < 0)
		fail(126, "reading the request", errno);
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fds[INIT_FD_TEXT], 0);
	if (text == MAP_FAILED)
		fail(126, "reading the request", errno);
	r = rd_init(text, (size_t)st.st_size);
	rd_strcpy(&r, cwd, sizeof(cwd));
	argv = strv_read(&r, ARGV_MAX);
	env = strv_read(&r, ARGV_MAX);
	if (!argv || !env || !argv[0] || !rd_done(&r))
		fail(126, "reading the request", EPROTO);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (fds[INIT_FD_CGROUP] >= 0 && write(fds[INIT_FD_CGROUP], "0", 1) != 1)
		fail(126, "joining the command's cgroup", errno);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[INIT_FD_IN + i], i) < 0)
			fail(126, "setting up stdio", errno);
	if (dup2(gate, 3) < 0)
		fail(126, "setting up stdio", errno);
	close_range(4, ~0u, 0);
	gate = 3;
	fcntl(gate, F_SETFD, FD_CLOEXEC);
	setsid();
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	drop(s);
	if (chdir(cwd) < 0)
		fail(2, cwd, errno);
	wall_off(s);
	install_filter(s);
	run(argv, env);
	_exit(126);
}
