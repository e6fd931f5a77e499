/* SPDX-License-Identifier: Apache-2.0 */
/* agentsh-netd: one network namespace per session. In this state of the project it has loopback and no other interface, route or
 * gateway: a session reaches its own servers and nothing else, and every connection out fails at once. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/approve.h"
#include "common/board.h"
#include "common/sandbox.h"
#include "policy/policy.h"

static struct ipc_frame frame;
static struct policy *policy;
static struct board *board;
static struct approve *approve;
static int lease = -1;

static int take(struct ipc_frame *f, struct err *err)
{
	switch (f->type) {
	case IPC_SET_POLICY:
		return policy ? err_set(err, -EEXIST, "policy given twice") : policy_open(f->fd, f->body, &policy, err);
	case IPC_SET_BOARD:
		return board_open(f->fd, &board) < 0 ? err_set(err, -EINVAL, "the board is not one") : 0;
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
			return err_set(err, r ? r : -ECONNRESET, "the client went away during set-up");
		if (frame.type == IPC_START)
			break;
		r = take(&frame, err);
		if (frame.fd >= 0)
			close(frame.fd);
		if (r < 0)
			return r;
	}
	*id = frame.id;
	return policy && board ? 0 : err_set(err, -EINVAL, "policy and board are needed");
}

static int loopback_up(void)
{
	struct ifreq q = { .ifr_name = "lo" };
	auto_fd s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || ioctl(s, SIOCGIFFLAGS, &q) < 0)
		return -errno;
	q.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(s, SIOCSIFFLAGS, &q) < 0 ? -errno : 0;
}

static int hand(struct worker *w, uint32_t id, int netns)
{
	uint8_t body[256];
	struct wr b = wr_init(body, sizeof(body));
	int pair[2], r;

	r = ipc_send(w->setup, IPC_HAND_NETNS, IPC_MORE, id, NULL, 0, netns);
	wr_str(&b, "/etc/resolv.conf");
	wr_str(&b, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
	if (r == 0)
		r = ipc_send_wr(w->setup, IPC_HAND_FILE, IPC_MORE, id, &b, -1);
	if (r < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return r < 0 ? r : -errno;
	b = wr_init(body, sizeof(body));
	wr_str(&b, "netd");
	r = ipc_send_wr(w->setup, IPC_HAND_LEASE, IPC_MORE, id, &b, pair[1]);
	close(pair[1]);
	lease = pair[0];
	return r;
}

static void on_lease(void *arg, int fd UNUSED, uint32_t events UNUSED)
{
	worker_end(arg, "execd let go of the session");
}

static int start(struct worker *w, struct err *err)
{
	auto_fd host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), own = -1;
	uint32_t id = 0;
	int r;

	if (read_frames(w, &id, err) < 0)
		return err->status;
	if (host < 0 || unshare(CLONE_NEWNET) < 0)
		return err_set(err, -errno, "a new network namespace: %s (the daemons need CAP_SYS_ADMIN)", strerror(errno));
	r = loopback_up();
	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (setns(host, CLONE_NEWNET) < 0 || own < 0 || r < 0)
		return err_set(err, r < 0 ? r : -errno, "setting up the session's network: %s", strerror(r < 0 ? -r : errno));
	if (approve_new(w, &approve) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = hand(w, id, own);
	if (r == 0)
		r = loop_add(w->loop, lease, EPOLLIN | EPOLLRDHUP, on_lease, w, NULL);
	if (r < 0)
		return err_set(err, r, "handing over the network: %s", strerror(-r));
	if (priv_drop(65534, 65534, 0, err) < 0 || sandbox_enter(SANDBOX_NETD_WORKER, err) < 0)
		return err->status;
	return ipc_send(w->setup, IPC_OK, 0, id, NULL, 0, -1);
}

static int request(struct worker *w UNUSED, int sock, const struct ipc_cred *who UNUSED, struct ipc_frame *f)
{
	return approve_request(approve, sock, f);
}

static void gone(struct worker *w UNUSED, int sock)
{
	if (approve)
		approve_gone(approve, sock);
}

static void end(struct worker *w UNUSED)
{
	if (lease >= 0)
		close(lease);
}

int main(int argc, char **argv)
{
	static const struct daemon_ops ops = { .name = "netd", .start = start, .request = request, .gone = gone, .end = end };

	return daemon_main(&ops, argc, argv);
}
