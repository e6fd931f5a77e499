/* SPDX-License-Identifier: Apache-2.0 */
/* The relay: accepts what the flow's verdict let through, checks that the first bytes agree with the name, judges the address that
 * the name leads to, dials from the host and moves bytes by splice(2). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netd/gate.h"
#include "netd/hello.h"

#define CONNS_MAX 1024
#define SETUP_MS 15000           /* name, first bytes and dialling together */
#define CHUNK ((size_t)256 * 1024)
#define PAUSE_MS 50
#define ROUNDS 8                 /* chunks per turn, so that one flow does not hold up the others */

enum conn_state { CONN_RESOLVING, CONN_DIALLING, CONN_OPEN, CONN_OVER };
struct half { int pipe[2]; size_t inside; uint64_t total; bool ended, shut; };
struct conn {
	enum conn_state state;
	bool used, asked, checked;      /* asked: c-ares holds a pointer; checked: the first bytes agree */
	int client, server;
	struct loop_io *cio, *sio;
	struct loop_timer *limit;
	struct flow f;
	struct addr v[DNS_UP_ADDRS];
	size_t n, next;
	struct half up, down;           /* client to server, server to client */
};
static struct conn conns[CONNS_MAX];

static void run(struct conn *c);

static void conn_end(struct conn *c)
{
	struct evtlog *l = gate.w->events;

	if (c->state == CONN_OVER)
		return;
	if (c->state == CONN_OPEN) {
		evt_begin(l, "net_close", c->f.command_id, 0);
		evt_str(l, "domain", *c->f.name ? c->f.name : NULL);
		evt_int(l, "remote_port", c->f.pkt.dport);
		evt_int(l, "bytes_sent", (int64_t)c->up.total);
		evt_int(l, "bytes_received", (int64_t)c->down.total);
		evt_end(l);
	}
	c->state = CONN_OVER;
	loop_del(c->cio);
	loop_del(c->sio);
	loop_cancel(c->limit);
	c->limit = NULL;
	close(c->client);
	if (c->server >= 0)
		close(c->server);
	for (int i = 0; i < 2; i++) {
		if (c->up.pipe[i] >= 0)
			close(c->up.pipe[i]);
		if (c->down.pipe[i] >= 0)
			close(c->down.pipe[i]);
	}
	c->used = c->asked;
}

/* A reset instead of an orderly end: the client must not take a refusal for an empty answer. */
static void reset_on_close(int s)
{
	struct linger hard = { 1, 0 };

	setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static void refuse(struct conn *c, const char *rule, const char *reason)
{
	if (c->state == CONN_OVER)
		return;
	reset_on_close(c->client);
	gate_connect_event(&c->f.pkt, c->f.name, c->f.command_id, "deny", "deny", rule, NULL, reason);
	conn_end(c);
}

static void on_limit(void *arg)
{
	struct conn *c = arg;

	c->limit = NULL;
	refuse(c, "default-deny-network", "no agreement on a destination in time");
}

/* 1 agrees, 0 wait for more, -1 refused. */
static int check_first(struct conn *c)
{
	static uint8_t p[HELLO_MAX];
	struct hello h;
	struct pol_verdict v;
	int low;
	ssize_t n = recv(c->client, p, sizeof(p), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return 1; /* a client that only listens: there are no bytes to disagree */
	hello_parse(p, (size_t)n, &h);
	if (h.kind == HELLO_MORE) {
		low = (int)n + 1;
		setsockopt(c->client, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
		return 0;
	}
	low = 1;
	setsockopt(c->client, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
	if (h.kind == HELLO_BAD || (h.kind == HELLO_OTHER && (c->f.pkt.dport == 443 || c->f.pkt.dport == 80))) {
		refuse(c, "name-agreement", h.why ? h.why : "neither TLS nor HTTP");
		return -1;
	}
	if (h.kind == HELLO_OTHER)
		return 1;
	if (*c->f.name && strcmp(h.name, c->f.name) != 0) {
		refuse(c, "name-agreement", h.kind == HELLO_TLS ? "the TLS server name is not the name that was asked for" :
								   "the Host is not the name that was asked for");
		return -1;
	}
	if (!*c->f.name && h.name[0] && strspn(h.name, "0123456789.") != strlen(h.name)) {
		v = policy_net(gate.policy, &(struct pol_net){ .domain = h.name, .addr = c->f.pkt.dst.b, .addr_len = c->f.pkt.dst.len,
								.port = c->f.pkt.dport });
		if (v.decision != POL_ALLOW && v.decision != POL_AUDIT) {
			refuse(c, v.rule, "the name inside the connection is denied");
			return -1;
		}
	}
	return 1;
}

/* Moves what is there; false when the connection is over. */
static bool move(struct half *h, int from, int to)
{
	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n;

		if (!h->inside && !h->ended) {
			n = splice(from, NULL, h->pipe[1], NULL, CHUNK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
			if (n == 0)
				h->ended = true;
			else if (n > 0)
				h->inside = (size_t)n;
			else if (errno == EAGAIN || errno == EINTR)
				return true;
			else
				return false;
		}
		if (h->inside) {
			n = splice(h->pipe[0], NULL, to, NULL, h->inside, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
			if (n < 0)
				return errno == EAGAIN || errno == EINTR;
			h->inside -= (size_t)n;
			h->total += (uint64_t)n;
		}
		if (h->ended && !h->inside) {
			if (!h->shut)
				shutdown(to, SHUT_WR);
			h->shut = true;
			return true;
		}
	}
	return true;
}

static void watch(struct conn *c)
{
	bool client_in = !c->checked || (!c->up.inside && !c->up.ended);

	loop_mod(c->cio, (client_in ? EPOLLIN : 0u) | (c->down.inside ? EPOLLOUT : 0u));
	if (c->sio)
		loop_mod(c->sio, (!c->down.inside && !c->down.ended ? EPOLLIN : 0u) | (c->up.inside ? EPOLLOUT : 0u));
}

static void on_event(void *arg, int fd UNUSED, uint32_t events)
{
	struct conn *c = arg;

	if (events & EPOLLERR && c->state == CONN_OPEN) {
		conn_end(c);
		return;
	}
	run(c);
}

static void run(struct conn *c)
{
	int r;

	if (c->state != CONN_OPEN)
		return;
	if (!c->checked) {
		r = check_first(c);
		if (r < 0) {
			conn_end(c);
			return;
		}
		c->checked = r > 0;
		if (c->checked) {
			loop_cancel(c->limit);
			c->limit = NULL;
		}
	}
	/* Nothing of the client's leaves before its first bytes agree; a server that speaks first is heard. */
	if ((c->checked && !move(&c->up, c->client, c->server)) || !move(&c->down, c->server, c->client) || (c->up.shut && c->down.shut)) {
		conn_end(c);
		return;
	}
	watch(c);
}

static void dial(struct conn *c);

static void on_dialled(void *arg, int fd, uint32_t events UNUSED)
{
	struct conn *c = arg;
	int e = 0;
	socklen_t n = sizeof(e);

	if (c->state == CONN_OPEN) {
		on_event(arg, fd, events);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
	if (e) {
		loop_del(c->sio);
		c->sio = NULL;
		close(move_fd(&c->server));
		dial(c);
		return;
	}
	c->state = CONN_OPEN;
	gate_connect_event(&c->f.pkt, c->f.name, c->f.command_id, c->f.decision, "allow", c->f.rule, NULL, NULL);
	if (loop_add(gate.w->loop, c->client, EPOLLIN, on_event, c, &c->cio) < 0)
		conn_end(c);
	else
		run(c);
}

/* The name was allowed; where it leads must be, too. */
static bool address_allowed(struct conn *c, const struct addr *a, const char **rule)
{
	struct pol_net q = { .domain = *c->f.name ? c->f.name : NULL, .addr = a->b, .addr_len = a->len, .port = c->f.pkt.dport };
	struct pol_verdict v = policy_net(gate.policy, &q), unnamed;

	*rule = v.rule;
	if (v.decision == POL_DENY || v.decision == POL_REDIRECT || v.decision == POL_SOFT_DELETE)
		return false;
	if (!*c->f.name || !addr_special(a))
		return true;
	q.domain = NULL;
	unnamed = policy_net(gate.policy, &q);
	*rule = "private-address";
	return unnamed.decision == POL_ALLOW || unnamed.decision == POL_AUDIT;
}

static void dial(struct conn *c)
{
	const char *rule = "default-deny-network", *reason = "no address of this name answers";

	for (; c->next < c->n; ) {
		const struct addr *a = &c->v[c->next++];
		struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(c->f.pkt.dport) };
		struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(c->f.pkt.dport) };
		bool four = a->len == 4;

		if (!address_allowed(c, a, &rule)) {
			reason = "the address that this name leads to is not allowed";
			continue;
		}
		memcpy(four ? (void *)&a4.sin_addr : (void *)&a6.sin6_addr, a->b, a->len);
		c->server = socket(four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (c->server < 0)
			continue;
		c->state = CONN_DIALLING;
		if ((connect(c->server, four ? (void *)&a4 : (void *)&a6, four ? sizeof(a4) : sizeof(a6)) == 0 || errno == EINPROGRESS) &&
		    loop_add(gate.w->loop, c->server, EPOLLOUT, on_dialled, c, &c->sio) == 0)
			return;
		close(move_fd(&c->server));
	}
	refuse(c, rule, reason);
}

static void on_resolved(void *arg, int status, const struct addr *v, size_t n)
{
	struct conn *c = arg;

	c->asked = false;
	if (c->state == CONN_OVER) {
		c->used = false;
		return;
	}
	c->n = status < 0 ? 0 : n;
	if (c->n)
		memcpy(c->v, v, c->n * sizeof(*v));
	dial(c);
}

static bool original(int s, struct addr *a, uint16_t *port)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	const struct sockaddr_in *a4 = (void *)&ss;
	const struct sockaddr_in6 *a6 = (void *)&ss;

	memset(a, 0, sizeof(*a));
	if (getsockopt(s, SOL_IP, SO_ORIGINAL_DST, &ss, &n) == 0) {
		a->len = 4;
		memcpy(a->b, &a4->sin_addr, 4);
		*port = ntohs(a4->sin_port);
		return true;
	}
	n = sizeof(ss);
	if (getsockopt(s, SOL_IPV6, SO_ORIGINAL_DST, &ss, &n) < 0)
		return false;
	a->len = 16;
	memcpy(a->b, &a6->sin6_addr, 16);
	*port = ntohs(a6->sin6_port);
	return true;
}

static struct conn *conn_new(int client)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &conns[i];

		if (c->used)
			continue;
		*c = (struct conn){ .used = true, .client = client, .server = -1, .up.pipe = { -1, -1 }, .down.pipe = { -1, -1 } };
		return c;
	}
	return NULL;
}

static struct listener { struct loop_io *io; int fd; } listeners[2];

static void on_listener(void *arg, int fd, uint32_t events);

static void on_pause_over(void *arg)
{
	struct listener *l = arg;

	if (loop_add(gate.w->loop, l->fd, EPOLLIN, on_listener, l, &l->io) < 0)
		worker_end(gate.w, "the relay's listener was lost");
}

/* Out of descriptors: a listener that stays readable would keep the loop busy. */
static void pause_listener(struct listener *l)
{
	loop_del(l->io);
	l->io = NULL;
	if (loop_after(gate.w->loop, PAUSE_MS, on_pause_over, l, NULL) < 0)
		worker_end(gate.w, "out of memory");
}

static void on_listener(void *arg, int fd, uint32_t events UNUSED)
{
	struct sockaddr_in6 peer = { 0 };
	socklen_t len = sizeof(peer);
	auto_fd s = accept4(fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct addr dst;
	struct flow f;
	uint16_t port;
	struct conn *c;

	if (s < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_listener(arg);
		return;
	}
	reset_on_close(s);
	/* The port of either family's address is at the same place. */
	if (!original(s, &dst, &port) || !flow_take(&dst, port, ntohs(peer.sin6_port), &f))
		return;
	c = conn_new(s);
	if (!c) {
		gate_connect_event(&f.pkt, f.name, f.command_id, f.decision, "deny", f.rule, NULL, "too many connections at once");
		return;
	}
	setsockopt(s, SOL_SOCKET, SO_LINGER, &(struct linger){ 0, 0 }, sizeof(struct linger));
	move_fd(&s);
	c->f = f;
	if (pipe2(c->up.pipe, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(c->down.pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    loop_after(gate.w->loop, SETUP_MS, on_limit, c, &c->limit) < 0) {
		refuse(c, "default-deny-network", "out of descriptors");
		return;
	}
	if (*f.name) {
		c->asked = true;
		dns_up_ask(gate.up, f.name, on_resolved, c);
	} else {
		c->v[0] = f.pkt.dst;
		addr_unmap(&c->v[0]);
		c->n = 1;
		dial(c);
	}
}

int conn_start(void)
{
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++)
		if (gate.ns.proxy[i] >= 0) {
			listeners[i].fd = gate.ns.proxy[i];
			r = loop_add(gate.w->loop, gate.ns.proxy[i], EPOLLIN, on_listener, &listeners[i], &listeners[i].io);
		}
	return r;
}
