/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's half of a launch: hands pid 1 the request, takes the listener from the new process, says go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/log.h"
#include "execd/init.h"

static int text_fd(struct session *s, struct cmd *c, int *ret_fd)
{
	size_t cap = ARGV_BYTES_MAX + 131072, n = 0;
	auto_free uint8_t *body = malloc(cap);
	struct wr w = wr_init(body, body ? cap : 0);

	if (!body)
		return -ENOMEM;
	wr_str(&w, c->cwd[0] ? c->cwd : "/workspace");
	for (n = 0; c->argv[n]; n++)
		;
	wr_u32(&w, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		wr_str(&w, c->argv[i]);
	for (n = 0; c->env[n]; n++)
		;
	for (size_t i = 0; s->env && s->env[i]; i++)
		n++;
	wr_u32(&w, (uint32_t)n);
	for (size_t i = 0; c->env[i]; i++)
		wr_str(&w, c->env[i]);
	for (size_t i = 0; s->env && s->env[i]; i++)
		wr_str(&w, s->env[i]);
	return w.bad ? -E2BIG : memfd_sealed("agentsh-launch", body, wr_len(&w), ret_fd);
}

static int send_request(struct session *s, struct cmd *c, const int *fds, size_t n)
{
	union { char bytes[CMSG_SPACE(INIT_FDS * sizeof(int))]; struct cmsghdr align; } ctl = { 0 };
	uint8_t body[4];
	struct wr w = wr_init(body, sizeof(body));
	struct iovec iov = { body, sizeof(body) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.bytes, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *h = &ctl.align;

	wr_u32(&w, c->num);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	return sendmsg(s->init_sock, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void gate_close(struct cmd *c)
{
	loop_del(c->gate_io);
	c->gate_io = NULL;
	close(c->gate);
	c->gate = -1;
}

/* The first message of the new process: its listener, with its pid as the kernel translates it; or why it failed. */
static void on_gate(void *arg, int fd, uint32_t events UNUSED)
{
	struct cmd *c = arg;
	union { char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } ctl;
	uint8_t body[INIT_FAIL_MAX];
	struct iovec iov = { body, sizeof(body) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.bytes, .msg_controllen = sizeof(ctl.bytes) };
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct ucred who = { 0 };

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		/* Closed by the exec: the program runs. */
		gate_close(c);
		cmd_maybe_free(c);
		return;
	}
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
			memcpy(&c->listener, CMSG_DATA(h), sizeof(int));
		else if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(h), sizeof(who));
	}
	if (c->listener >= 0 && n == 1 && body[0] == '+') {
		board_label(c->s->board, who.pid, c->slot);
		c->state = CMD_RUNNING;
		if (notif_watch(c) < 0 || c->kill_sent || send(fd, "+", 1, MSG_NOSIGNAL) != 1) {
			/* Also what was to be ended before it had joined its cgroup: it has now, and without the word it ends itself. */
			cmd_kill(c);
			gate_close(c);
		}
		return;
	}
	if (n > 4) {
		struct rd r = rd_init(body, (size_t)n);

		rd_u32(&r);
		rd_strcpy(&r, c->message, sizeof(c->message));
	}
}

int launch_send(struct session *s, struct cmd *c)
{
	auto_fd text = -1, procs = -1;
	int pair[2], fds[INIT_FDS], r, on = 1;
	uint64_t cgroup;

	r = cgroup_cmd_make(s, c, &cgroup);
	if (r == 0)
		r = c->slot = board_add(s->board, c->id, cgroup);
	if (r >= 0)
		r = text_fd(s, c, &text);
	if (r < 0)
		return r;
	procs = label_start(c, s->policy);
	if (procs < 0 && c->cgroup >= 0)
		return procs;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	fds[INIT_FD_TEXT] = text;
	fds[INIT_FD_GATE] = pair[1];
	for (int i = 0; i < 3; i++)
		fds[INIT_FD_IN + i] = c->fds[i];
	fds[INIT_FD_CGROUP] = procs;
	c->gate = pair[0];
	r = send_request(s, c, fds, procs >= 0 ? INIT_FDS : INIT_FDS - 1);
	close(pair[1]);
	for (int i = 0; i < 3; i++) {
		close(c->fds[i]);
		c->fds[i] = -1;
	}
	if (r == 0)
		r = loop_add(s->w->loop, c->gate, EPOLLIN, on_gate, c, &c->gate_io);
	if (r == 0)
		c->state = CMD_LAUNCHED;
	return r;
}
