/* SPDX-License-Identifier: Apache-2.0 */
/* A session worker's side of a daemon: set-up, then clients' requests until the session ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/daemon_int.h"
#include "common/log.h"

#define SETUP_FRAME_S 20      /* how long set-up waits for one message; execd's waits for what fsd and netd do meanwhile */

struct client {
	int sock;
	struct ipc_cred who;
	struct loop_io *io;
};

static struct {
	const struct daemon_ops *ops;
	struct worker w;
	struct client clients[WORKER_CLIENTS_MAX];
	struct loop_io *parent_io;
} me;

static struct ipc_frame frame; /* 64 KiB: one for the one thread that runs the loop */

static void PRINTF_LIKE(3, 0) say_and_exit(struct worker *w, int status, const char *fmt, va_list ap)
{
	char why[512];
	uint8_t body[600];
	struct wr b = wr_init(body, sizeof(body));

	vsnprintf(why, sizeof(why), fmt, ap);
	log_info("session %s ends: %s", w->id, why);
	wr_str(&b, why);
	ipc_send_wr(w->parent, IPC_W_END, 0, 0, &b, -1);
	me.ops->end(w);
	evtlog_close(w->events);
	_exit(status);
}

void worker_end(struct worker *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_and_exit(w, 0, fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(2, 3) not_started(struct worker *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_and_exit(w, WORKER_NOT_STARTED, fmt, ap);
	va_end(ap);
}

static void client_drop(struct client *c)
{
	int sock = c->sock;

	loop_del(c->io);
	c->io = NULL;
	c->sock = -1;
	if (me.ops->gone)
		me.ops->gone(&me.w, sock);
	close(sock);
}

static void on_client(void *arg, int fd, uint32_t events UNUSED)
{
	struct client *c = arg;
	int r = ipc_recv(fd, IPC_C, &frame);

	if (r == -EAGAIN)
		return;
	if (r <= 0) {
		client_drop(c);
		return;
	}
	r = me.ops->request(&me.w, fd, &c->who, &frame);
	if (r == -ENOSYS && frame.type == IPC_SYNC)
		ipc_send(fd, IPC_OK, 0, frame.id, NULL, 0, -1);
	else if (r == -ENOSYS)
		ipc_send_err(fd, frame.id, -ENOSYS, "%s does not answer %s", me.ops->name, ipc_name(frame.type));
	if (frame.fd >= 0)
		close(frame.fd);
	frame.fd = -1;
}

static int client_add(int sock, const struct ipc_cred *who)
{
	for (size_t i = 0; i < WORKER_CLIENTS_MAX; i++) {
		struct client *c = &me.clients[i];

		if (c->sock >= 0)
			continue;
		fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
		c->who = *who;
		if (loop_add(me.w.loop, sock, EPOLLIN, on_client, c, &c->io) < 0)
			return -ENOMEM;
		c->sock = sock;
		return 0;
	}
	return -EMFILE;
}

static void on_parent(void *arg UNUSED, int fd, uint32_t events UNUSED)
{
	struct ipc_cred who;
	struct rd b;
	int r = ipc_recv(fd, IPC_D, &frame);

	if (r == -EAGAIN)
		return;
	if (r <= 0)
		worker_end(&me.w, "the %s daemon died or was stopped", me.ops->name);
	if (frame.type != IPC_W_ATTACH || frame.fd < 0)
		return;
	b = rd_init(frame.body, frame.len);
	who.uid = rd_u32(&b);
	who.gid = rd_u32(&b);
	who.pid = (pid_t)rd_u32(&b);
	if (client_add(frame.fd, &who) < 0) {
		ipc_send_err(frame.fd, 1, -EMFILE, "this session has %d connections already: try again", WORKER_CLIENTS_MAX);
		close(frame.fd);
	} else {
		ipc_send(frame.fd, IPC_OK, 0, 1, NULL, 0, -1);
	}
	frame.fd = -1;
}

int worker_main(const struct daemon_ops *ops, const char *id)
{
	struct worker *w = &me.w;
	const struct timeval wait = { .tv_sec = SETUP_FRAME_S };
	struct err err = { 0 };
	static char name[32];

	me.ops = ops;
	for (size_t i = 0; i < WORKER_CLIENTS_MAX; i++)
		me.clients[i].sock = -1;
	snprintf(name, sizeof(name), "agentsh-%s", ops->name);
	log_open(name);
	snprintf(w->id, sizeof(w->id), "%s", id);
	snprintf(w->data_dir, sizeof(w->data_dir), "%s", dirs_data());
	snprintf(w->run_dir, sizeof(w->run_dir), "%s", dirs_run());
	w->parent = WORKER_FD_PARENT;
	w->setup = WORKER_FD_SETUP;
	w->session_dir = WORKER_FD_DIR;
	for (int fd = WORKER_FD_PARENT; fd <= WORKER_FD_DIR; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (!id_valid(id) || ipc_peer(w->setup, &w->owner) < 0 || loop_new(&w->loop) < 0 ||
	    evtlog_open(w->session_dir, ops->name, id, &w->events) < 0) {
		ipc_send_err(w->setup, 1, -EIO, "%s: the session's records could not be opened: %s", ops->name, strerror(errno));
		return 1;
	}
	if (loop_add(w->loop, w->parent, EPOLLIN, on_parent, NULL, &me.parent_io) < 0)
		return 1;
	/* Silence must not keep a place. The connection is non-blocking afterwards, where these have no meaning. */
	setsockopt(w->setup, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(w->setup, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (ops->start(w, &err)) {
		ipc_send_err(w->setup, 1, err.status ? err.status : -EIO, "%s: %s", ops->name, err.msg[0] ? err.msg : "set-up failed");
		not_started(w, "set-up failed: %s", err.msg);
	}
	if (client_add(w->setup, &w->owner) < 0)
		worker_end(w, "no room for the first connection");
	return loop_run(w->loop);
}
