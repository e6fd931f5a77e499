/* SPDX-License-Identifier: Apache-2.0 */
/* The relay: accepts what the flow's verdict let through, checks that the first bytes agree with the name, judges the address that
 * the name leads to, dials from the host and moves bytes by splice(2). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netd/gate.h"
#include "netd/half.h"
#include "netd/hello.h"

#define CONNS_MAX 1024
#define SETUP_MS 15000           /* name, first bytes and dialling together */
#define PAUSE_MS 50

#define IDLE_TURN_MS 60000
#define IDLE_TURNS 60            /* so many without a byte end a relay: an hour */
#define HALF_IDLE_TURNS 10       /* and one that has ended in one direction */

enum conn_state { CONN_RESOLVING, CONN_DIALLING, CONN_OPEN, CONN_OVER };
struct conn {
	enum conn_state state;
	bool used, asked, checked;      /* asked: c-ares holds a pointer; checked: the first bytes agree */
	int client, server;
	struct loop_io *cio, *sio;
	uint32_t cmask, smask;          /* what is watched for on either; 0: not set yet, or nothing */
	struct loop_timer *limit;       /* of the set-up, then of idleness */
	uint64_t seen;                  /* bytes moved at the last look, and for how many looks */
	unsigned idle;
	struct flow f;
	struct addr v[DNS_UP_ADDRS];
	size_t n, next;
	struct half up, down;           /* client to server, server to client */
	uint8_t *first;                 /* what was passed on before the check could be made */
	size_t first_len;
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
	free(move_ptr(c->first));
	close(c->client);
	if (c->server >= 0)
		close(c->server);
	for (int i = 0; i < 2; i++) {
		if (c->up.pipe[i] >= 0)
			close(c->up.pipe[i]);
		if (c->down.pipe[i] >= 0)
			close(c->down.pipe[i]);
	}
	generation_unref(c->f.gen);
	c->f.gen = NULL;
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
	gate_connect_event(&c->f, "deny", "deny", rule, NULL, reason);
	conn_end(c);
}

static void on_limit(void *arg)
{
	struct conn *c = arg;

	c->limit = NULL;
	refuse(c, "default-deny-network", "no agreement on a destination in time");
}

/* Ends what moves nothing: else it would hold its place, one of CONNS_MAX, for ever. */
static void on_idle(void *arg)
{
	struct conn *c = arg;
	uint64_t total = c->up.total + c->down.total;

	c->limit = NULL;
	c->idle = total == c->seen ? c->idle + 1 : 0;
	c->seen = total;
	if (c->idle >= (c->up.ended || c->down.ended ? HALF_IDLE_TURNS : IDLE_TURNS) ||
	    loop_after(gate.w->loop, IDLE_TURN_MS, on_idle, c, &c->limit) < 0)
		conn_end(c);
}

/* On the ports of the web nothing but TLS and HTTP is let through. */
static bool web_port(const struct conn *c)
{
	return c->f.pkt.dport == 443 || c->f.pkt.dport == 80;
}

/* A first line that could still become a request's is passed on as it grows, with a copy kept: other protocols must not wait for what will
 * not come, and no server acts on part of a line. 2: look again. */
static int pass_partial(struct conn *c, const uint8_t *p, size_t n)
{
	uint8_t *more = realloc(c->first, c->first_len + n);

	if (!more)
		return -1;
	c->first = more;
	memcpy(c->first + c->first_len, p, n);
	if (half_put(&c->up, c->client, c->first + c->first_len, n) < 0)
		return -1;
	c->first_len += n;
	loop_cancel(c->limit);
	on_idle(c);
	return c->state == CONN_OPEN ? 2 : -1;
}

/* 1 agrees, 0 wait for more, -1 refused, 2 look again. */
static int check_first(struct conn *c)
{
	static uint8_t p[HELLO_MAX];
	struct pollfd now = { .fd = c->client, .events = POLLPRI | POLLRDHUP };
	struct hello h;
	struct pol_verdict v;
	struct addr said;
	ssize_t n;

	if (c->up.inside && half_push(&c->up, c->server) == MOVE_OVER)
		return -1;
	if (c->up.inside)
		return 0;
	/* Before the bytes are looked at: with an end seen here, they are all there will be. */
	poll(&now, 1, 0);
	if (c->first_len)
		memcpy(p, c->first, c->first_len);
	n = recv(c->client, p + c->first_len, sizeof(p) - c->first_len, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return 1; /* a client that only listens, or says no more: there are no bytes to disagree */
	hello_parse(p, c->first_len + (size_t)n, &h);
	if (h.kind == HELLO_MORE && h.partial && !web_port(c))
		return pass_partial(c, p + c->first_len, (size_t)n < HALF_PUT_MAX ? (size_t)n : HALF_PUT_MAX);
	if (h.kind == HELLO_MORE && now.revents & (POLLPRI | POLLRDHUP | POLLHUP)) {
		h.kind = HELLO_BAD;
		h.why = now.revents & POLLPRI ? "urgent data in the first message" : "the first message does not end";
	}
	if (h.kind == HELLO_MORE)
		return 0;
	if (h.kind == HELLO_BAD || (h.kind == HELLO_OTHER && web_port(c))) {
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
	if (!*c->f.name && addr_literal(h.name, &said)) {
		struct addr dst = c->f.pkt.dst;

		addr_unmap(&dst);
		if (!addr_eq(&said, &dst)) {
			refuse(c, "name-agreement", "the Host is an address other than the one that was connected to");
			return -1;
		}
	} else if (!*c->f.name && h.name[0]) {
		v = policy_net(c->f.gen->policy, &(struct pol_net){ .domain = h.name, .addr = c->f.pkt.dst.b, .addr_len = c->f.pkt.dst.len,
								.port = c->f.pkt.dport, .who = c->f.who });
		if (v.decision != POL_ALLOW && v.decision != POL_AUDIT) {
			refuse(c, v.rule, "the name inside the connection is denied");
			return -1;
		}
	}
	return 1;
}

/* Edges only: a hang-up or urgent data, which nobody can be kept from hearing of, is told once and not for as long as it lasts. So a watch
 * is renewed where something may be there that was not taken: with what is waited for, or when a turn ended before the bytes did. */
static void watch_one(struct loop_io *io, uint32_t *had, uint32_t events, bool again)
{
	if (io && (again || events != *had))
		loop_mod(io, (*had = events) | EPOLLET);
}

static void watch(struct conn *c, enum moved up, enum moved down)
{
	bool client_in = !c->checked || (!c->up.inside && !c->up.ended), again = up == MOVE_AGAIN || down == MOVE_AGAIN;

	watch_one(c->cio, &c->cmask, (client_in ? EPOLLIN : 0u) | (c->down.inside ? EPOLLOUT : 0u), again);
	watch_one(c->sio, &c->smask, (!c->down.inside && !c->down.ended ? EPOLLIN : 0u) | (c->up.inside ? EPOLLOUT : 0u), again);
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
	enum moved up = MOVE_WAIT, down;
	int r;

	if (c->state != CONN_OPEN)
		return;
	if (!c->checked) {
		do
			r = check_first(c);
		while (r == 2);
		if (r < 0) {
			conn_end(c);
			return;
		}
		c->checked = r > 0;
		if (c->checked) {
			free(move_ptr(c->first));
			generation_unref(move_ptr(c->f.gen)); /* it is judged no more */
			loop_cancel(c->limit);
			on_idle(c);
			if (c->state != CONN_OPEN)
				return;
		}
	}
	/* Nothing of the client's leaves before its first bytes agree; a server that speaks first is heard. */
	if (c->checked)
		up = half_move(&c->up, c->client, c->server);
	down = half_move(&c->down, c->server, c->client);
	if (up == MOVE_OVER || down == MOVE_OVER || (c->up.shut && c->down.shut)) {
		conn_end(c);
		return;
	}
	watch(c, up, down);
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
	c->smask = EPOLLOUT;
	gate_connect_event(&c->f, c->f.decision, "allow", c->f.rule, NULL, NULL);
	if (loop_add(gate.w->loop, c->client, EPOLLET, on_event, c, &c->cio) < 0)
		conn_end(c);
	else
		run(c);
}

/* Whoever allowed the flow was asked about this rule, or was not asked at all. */
static bool holds_for(const struct conn *c, const struct pol_verdict *v)
{
	return v->decision == POL_ALLOW || v->decision == POL_AUDIT || (v->decision == POL_APPROVE && !strcmp(c->f.rule, v->rule));
}

/* The name was allowed; where it leads must be, too. */
static bool address_allowed(struct conn *c, const struct addr *a, const char **rule)
{
	struct pol_net q = { .domain = *c->f.name ? c->f.name : NULL, .addr = a->b, .addr_len = a->len, .port = c->f.pkt.dport,
			     .who = c->f.who };
	struct pol_verdict v = policy_net(c->f.gen->policy, &q), unnamed;
	struct addr inner[ADDR_EMBEDDED_MAX];
	size_t n = addr_embedded(a, inner);

	*rule = v.rule;
	if (!holds_for(c, &v))
		return false;
	for (size_t i = 0; i < n; i++) {
		q.addr = inner[i].b;
		q.addr_len = inner[i].len;
		v = policy_net(c->f.gen->policy, &q);
		*rule = v.rule;
		if (!holds_for(c, &v))
			return false;
	}
	q.addr = a->b;
	q.addr_len = a->len;
	if (!*c->f.name || !addr_special(a))
		return true;
	q.domain = NULL;
	unnamed = policy_net(c->f.gen->policy, &q);
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
		half_inline(c->server);
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
	half_inline(s);
	/* The port of either family's address is at the same place. */
	if (!original(s, &dst, &port) || !flow_take(&dst, port, ntohs(peer.sin6_port), &f))
		return;
	c = conn_new(s);
	if (!c) {
		gate_connect_event(&f, f.decision, "deny", f.rule, NULL, "too many connections at once");
		generation_unref(f.gen);
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
