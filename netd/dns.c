/* SPDX-License-Identifier: Apache-2.0 */
/* The session's DNS: datagrams and streams in, the policy's answer out. A denied name is never asked upstream. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netd/dns_wire.h"
#include "netd/gate.h"

#define TTL 60
#define STREAMS_MAX 32
#define STREAM_IDLE_MS 10000
#define QUESTIONS_MAX 1024

struct stream {
	int fd;                         /* -1: free */
	uint32_t serial;
	struct loop_io *io;
	struct loop_timer *idle;
	size_t have;
	uint8_t in[2 + 4096];
};
/* A question that waits for the upstream answer: where its answer goes. */
struct waiting {
	bool used;
	int sock;
	struct sockaddr_storage from;
	socklen_t from_len;
	struct stream *stream;          /* NULL: datagram */
	uint32_t serial;
	struct dns_question q;
	struct pol_verdict v;
	struct generation *gen;         /* that judged it; a reference while used */
	char command[ID_MAX];
	struct pol_who who;
};

static struct stream streams[STREAMS_MAX];
static struct waiting waiting[QUESTIONS_MAX];

static void stream_close(struct stream *s)
{
	loop_del(s->io);
	loop_cancel(s->idle);
	close(s->fd);
	s->fd = -1;
	s->io = NULL;
	s->idle = NULL;
	s->serial++;
}

static void send_answer(struct waiting *w, const struct dns_answer *a)
{
	uint8_t out[2 + 1024];
	size_t n = dns_write(&w->q, a, out + 2, sizeof(out) - 2);

	if (!w->stream) {
		sendto(w->sock, out + 2, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&w->from, w->from_len);
		return;
	}
	if (w->stream->fd < 0 || w->stream->serial != w->serial)
		return;
	out[0] = (uint8_t)(n >> 8);
	out[1] = (uint8_t)n;
	/* An answer is far below any socket buffer: who does not read is cut off. */
	if (send(w->stream->fd, out, n + 2, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n + 2)
		stream_close(w->stream);
}

/* lost: records that were not written before this one. */
static void record_now(const struct waiting *w, const struct dns_answer *a, const char *effective, uint64_t lost)
{
	static const char *const codes[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED" };
	struct evtlog *l = gate.w->events;
	uint64_t now;
	char type[8];

	evt_begin(l, "dns_query", w->command, 0);
	evt_str(l, "operation", "resolve");
	evt_str(l, "domain", w->q.name);
	snprintf(type, sizeof(type), "%u", w->q.type);
	evt_str(l, "query_type", w->q.type == DNS_A ? "A" : w->q.type == DNS_AAAA ? "AAAA" : w->q.type == DNS_HTTPS ? "HTTPS" :
				 w->q.type == DNS_PTR ? "PTR" : type);
	evt_str(l, "response_code", codes[a->rcode]);
	if (lost)
		evt_int(l, "records_lost", (int64_t)lost);
	now = evt_generation(l, w->gen->number);
	evt_policy(l, pol_decision_name(w->v.decision), effective, w->v.rule, NULL);
	evt_generation(l, now);
	evt_end(l);
}

static void record(const struct waiting *w, const struct dns_answer *a, const char *effective)
{
	uint64_t lost = 0;

	if (gate_may_record(&lost))
		record_now(w, a, effective, lost);
}

/* Above what a session may ask: one event for as many refusals as come within a second. */
static void over_budget(struct waiting *w, struct dns_answer *a)
{
	static uint64_t last, unsaid;
	uint64_t now = clock_ms();

	a->rcode = DNS_SERVFAIL;
	a->ede = DNS_EDE_OTHER;
	a->ttl = 0;
	send_answer(w, a);
	if (last && now - last < 1000) {
		unsaid++;
		return;
	}
	last = now;
	w->v.rule = "dns-budget";
	record_now(w, a, "deny", unsaid);
	unsaid = 0;
}

static void give(struct waiting *w, int status, size_t n)
{
	struct dns_answer a = { .ede = DNS_EDE_NONE, .ttl = TTL };
	struct addr v4, v6;

	if (status == -EDQUOT) {
		over_budget(w, &a);
		return;
	}
	if (status == -ENOENT) {
		a.rcode = DNS_NXDOMAIN;
	} else if (status < 0 || (n && dns_map_lease(gate.map, w->q.name, &v4, &v6) < 0)) {
		a.rcode = DNS_SERVFAIL;
		a.ede = DNS_EDE_UNREACHABLE;
	} else if (n && (w->q.type == DNS_A || w->q.type == DNS_AAAA)) {
		a.addr = w->q.type == DNS_A ? v4 : v6;
	}
	send_answer(w, &a);
	record(w, &a, "allow");
}

static void on_upstream(void *arg, int status, const struct addr *v UNUSED, size_t n)
{
	struct waiting *w = arg;

	w->used = false;
	give(w, status, n);
	generation_unref(w->gen);
}

static bool reverse(struct waiting *w)
{
	struct addr addr;
	struct dns_answer a = { .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_NONE, .ttl = TTL };

	if (w->q.type != DNS_PTR || !dns_reverse(w->q.name, &addr))
		return false;
	a.ptr = dns_map_name(gate.map, &addr);
	if (a.ptr)
		a.rcode = DNS_NOERROR;
	send_answer(w, &a);
	return true;
}

/* Whose question it is, while its socket is there. A program that asks a resolver of its own choice is known when it runs alone, but not
 * what it descends from. */
static void asked_by(struct waiting *w)
{
	struct pkt k = { .proto = IPPROTO_UDP, .dport = 53, .dst = { .len = 4, .b = { RESOLVER } } };
	const struct sockaddr_in *from = (const void *)&w->from;

	w->who = (struct pol_who){ .unknown = true };
	if (w->stream || w->from.ss_family != AF_INET) {
		board_single(gate.board, w->command);
		return;
	}
	k.src.len = 4;
	memcpy(k.src.b, &from->sin_addr, 4);
	k.sport = ntohs(from->sin_port);
	gate_whose(&k, w->command, &w->who);
}

/* w is the caller's scratch: what must wait is copied. */
static void question(struct waiting *w, const uint8_t *p, size_t n)
{
	struct dns_answer a = { .ede = DNS_EDE_BLOCKED, .ttl = 5 };
	struct waiting *slot = NULL;
	int r = dns_parse(p, n, &w->q);

	if (r < 0)
		return;
	if (r > 0) {
		a.rcode = (enum dns_rcode)r;
		a.ede = DNS_EDE_NONE;
		send_answer(w, &a);
		return;
	}
	if (reverse(w))
		return;
	asked_by(w);
	w->gen = gate.gen;
	w->v = policy_net(gate.policy, &(struct pol_net){ .domain = w->q.name, .dns = true, .who = w->who });
	if (w->v.decision != POL_ALLOW && w->v.decision != POL_AUDIT && w->v.decision != POL_APPROVE) {
		a.rcode = DNS_NXDOMAIN;
		send_answer(w, &a);
		record(w, &a, "deny");
		return;
	}
	/* Only addresses are handed out. Whatever else is asked about an allowed name has no answer, and nobody upstream hears of it. */
	if (w->q.type != DNS_A && w->q.type != DNS_AAAA) {
		a.ede = DNS_EDE_NONE;
		send_answer(w, &a);
		record(w, &a, "allow");
		return;
	}
	/* A person has not allowed it yet: the name gets its address, and is looked up when the connection was approved. */
	if (w->v.decision == POL_APPROVE) {
		give(w, 0, 1);
		return;
	}
	for (size_t i = 0; i < QUESTIONS_MAX && !slot; i++)
		if (!waiting[i].used)
			slot = &waiting[i];
	if (!slot) {
		a.rcode = DNS_SERVFAIL;
		send_answer(w, &a);
		return;
	}
	*slot = *w;
	slot->used = true;
	generation_ref(slot->gen);
	dns_up_ask(gate.up, slot->q.name, on_upstream, slot);
}

static void on_datagram(void *arg UNUSED, int fd, uint32_t events UNUSED)
{
	uint8_t p[4096];

	for (int i = 0; i < 32; i++) {
		struct waiting w = { .sock = fd, .from_len = sizeof(w.from) };
		ssize_t n = recvfrom(fd, p, sizeof(p), MSG_DONTWAIT, (struct sockaddr *)&w.from, &w.from_len);

		if (n < 0)
			return;
		question(&w, p, (size_t)n);
	}
}

static void on_idle(void *arg)
{
	struct stream *s = arg;

	s->idle = NULL;
	stream_close(s);
}

static void on_stream(void *arg, int fd, uint32_t events UNUSED)
{
	struct stream *s = arg;
	ssize_t n = recv(fd, s->in + s->have, sizeof(s->in) - s->have, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stream_close(s);
		return;
	}
	s->have += (size_t)n;
	while (s->fd >= 0 && s->have >= 2) {
		size_t len = (size_t)s->in[0] << 8 | s->in[1];
		struct waiting w = { .stream = s, .serial = s->serial };

		if (len > sizeof(s->in) - 2) {
			stream_close(s);
			return;
		}
		if (s->have < 2 + len)
			return;
		question(&w, s->in + 2, len);
		if (s->fd < 0)
			return;
		s->have -= 2 + len;
		memmove(s->in, s->in + 2 + len, s->have);
	}
}

static void on_listener(void *arg UNUSED, int fd, uint32_t events UNUSED)
{
	auto_fd c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	for (size_t i = 0; c >= 0 && i < STREAMS_MAX; i++) {
		struct stream *s = &streams[i];

		if (s->fd >= 0)
			continue;
		if (loop_add(gate.w->loop, c, EPOLLIN, on_stream, s, &s->io) < 0)
			return;
		s->have = 0;
		s->fd = move_fd(&c);
		/* Without its limit it would hold a place for ever. */
		if (loop_after(gate.w->loop, STREAM_IDLE_MS, on_idle, s, &s->idle) < 0)
			stream_close(s);
		return;
	}
}

int dns_start(void)
{
	int r = 0;

	for (size_t i = 0; i < STREAMS_MAX; i++)
		streams[i].fd = -1;
	for (int i = 0; i < 2 && r == 0; i++) {
		if (gate.ns.dns_udp[i] < 0)
			continue;
		r = loop_add(gate.w->loop, gate.ns.dns_udp[i], EPOLLIN, on_datagram, NULL, NULL);
		if (r == 0)
			r = loop_add(gate.w->loop, gate.ns.dns_tcp[i], EPOLLIN, on_listener, NULL, NULL);
	}
	return r;
}
