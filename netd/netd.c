/* SPDX-License-Identifier: Apache-2.0 */
/* agentsh-netd: one network namespace per session, whose only exit is this worker: see gate.h and netns.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "common/approve.h"
#include "common/board.h"
#include "common/sandbox.h"
#include "netd/gate.h"
#include "netd/nft.h"
#include "policy/policy.h"

#define NOBODY 65534

struct gate gate = { .update = UPDATE_INIT };
static struct ipc_frame frame;
static int lease = -1;

static void put_in_place(struct generation *g)
{
	struct generation *last = gate.gen;

	approve_end_all(gate.approve, "the session's policy was replaced");
	gate.gen = g;
	gate.policy = g->policy;
	evt_generation(gate.w->events, g->number);
	flow_forget();
	generation_unref(last);
}

static int take(struct ipc_frame *f, struct err *err)
{
	struct generation *g;

	switch (f->type) {
	case IPC_SET_POLICY:
		if (gate.gen)
			return err_set(err, -EEXIST, "policy given twice");
		if (generation_open(f->fd, f->body, 1, "", &g, err) < 0)
			return err->status;
		put_in_place(g);
		return 0;
	case IPC_SET_BOARD:
		return board_open(f->fd, &gate.board) < 0 ? err_set(err, -EINVAL, "the board is not one") : 0;
	case IPC_SET_HOME:
	case IPC_SET_WORKSPACE:
		return 0;
	default:
		return err_set(err, -EPROTO, "%s is not a set-up message", ipc_name(f->type));
	}
}

static int read_frames(struct worker *w, uint32_t *id, struct err *err)
{
	for (;;) {
		int r = ipc_recv(w->setup, IPC_C, &frame);

		if (r <= 0)
			return err_set(err, r ? r : -ECONNRESET, r == -EAGAIN ? "the client did not finish its set-up in time" :
				       "the client went away during set-up");
		if (frame.type == IPC_START)
			break;
		r = take(&frame, err);
		if (frame.fd >= 0)
			close(frame.fd);
		if (r < 0)
			return r;
	}
	*id = frame.id;
	return gate.policy && gate.board ? 0 : err_set(err, -EINVAL, "policy and board are needed");
}

static int hand(struct worker *w, uint32_t id, int netns)
{
	uint8_t body[256];
	struct wr b = wr_init(body, sizeof(body));
	int pair[2], r;

	r = ipc_send(w->setup, IPC_HAND_NETNS, IPC_MORE, id, NULL, 0, netns);
	wr_str(&b, "/etc/resolv.conf");
	wr_str(&b, "nameserver 198.18.0.1\noptions timeout:3 attempts:2\n");
	if (r == 0)
		r = ipc_send_wr(w->setup, IPC_HAND_FILE, IPC_MORE, id, &b, -1);
	if (r < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return r < 0 ? r : -errno;
	b = wr_init(body, sizeof(body));
	wr_str(&b, "netd");
	r = ipc_send_wr(w->setup, IPC_HAND_LEASE, IPC_MORE, id, &b, pair[1]);
	close(pair[1]);
	lease = pair[0];
	if (r == 0 && fcntl(lease, F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	return r;
}

/* Connections that were made go on: what they may do was judged when they began. Leased names stay, and each new flow to them is judged. */
static void on_lease(void *arg, int fd, uint32_t events UNUSED)
{
	struct generation *next;
	int r = ipc_recv(fd, IPC_W, &frame);

	if (r == -EAGAIN)
		return;
	if (r <= 0)
		worker_end(arg, "execd let go of the session");
	r = update_lease(&gate.update, fd, &frame, &next);
	if (next)
		put_in_place(next);
	if (r < 0)
		worker_end(arg, "execd and netd do not agree about the session's policy");
}

static int start(struct worker *w, struct err *err)
{
	struct rlimit files;
	uint32_t id = 0;
	int r;

	gate.w = w;
	if (read_frames(w, &id, err) < 0)
		return err->status;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max; /* six descriptors a connection */
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (netns_make(NOBODY, &gate.ns, err) < 0)
		return err->status;
	if (approve_new(w, &gate.approve) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = hand(w, id, gate.ns.fd);
	if (r == 0)
		r = loop_add(w->loop, lease, EPOLLIN | EPOLLRDHUP, on_lease, w, NULL);
	if (r < 0)
		return err_set(err, r, "handing over the network: %s", strerror(-r));
	if (priv_drop(NOBODY, NOBODY, 0, err) < 0 || sandbox_enter(SANDBOX_NETD_WORKER, err) < 0)
		return err->status;
	r = dns_map_new(&gate.map);
	if (r == 0)
		r = dns_up_open(w->loop, &gate.up);
	if (r == 0)
		r = flow_start();
	if (r == 0)
		r = dns_start();
	if (r == 0)
		r = conn_start();
	if (r < 0)
		return err_set(err, r, "starting the gateway: %s", strerror(-r));
	return ipc_send(w->setup, IPC_OK, 0, id, NULL, 0, -1);
}

static int request(struct worker *w UNUSED, int sock, const struct ipc_cred *who UNUSED, struct ipc_frame *f)
{
	if (f->type == IPC_POLICY_PREPARE)
		return update_prepare(&gate.update, gate.gen, sock, f, NULL);
	return approve_request(gate.approve, sock, f);
}

static void gone(struct worker *w UNUSED, int sock)
{
	if (gate.approve)
		approve_gone(gate.approve, sock);
	update_gone(&gate.update, sock);
}

static void end(struct worker *w UNUSED)
{
	if (lease >= 0)
		close(lease);
}

int main(int argc, char **argv)
{
	static const struct daemon_ops ops = { .name = "netd", .prepare = nft_probe, .start = start, .request = request, .gone = gone,
					       .end = end };

	return daemon_main(&ops, argc, argv);
}
