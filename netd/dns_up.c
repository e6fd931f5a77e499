/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/dns_up.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "common/cleanup.h"
#include "common/log.h"

#define TIMEOUT_MS 2000
#define TRIES 2
#define SOCKETS_MAX 64
#define NAME_MAX_ 254

struct entry { char name[NAME_MAX_]; int status; uint8_t n; uint64_t until; struct addr v[DNS_UP_ADDRS]; };
struct watched { int fd; struct loop_io *io; };

struct dns_up {
	struct loop *loop;
	ares_channel ares;
	struct loop_timer *timer;
	struct watched socks[SOCKETS_MAX];
	size_t pending, n_waiters;
	uint64_t credit, filled;        /* thousandths of a new name, and when they were counted */
	size_t n_new;
	struct question *asked;         /* those under way */
	struct entry *cache;            /* DNS_UP_CACHE, by hash; a new name takes the place of the old */
};

struct waiter { struct waiter *next; dns_up_fn fn; void *arg; };
struct question { struct question *next; struct dns_up *u; struct waiter *waiters; char name[NAME_MAX_]; };

static void arm(struct dns_up *u);

static void on_socket(void *arg, int fd, uint32_t events)
{
	struct dns_up *u = arg;

	ares_process_fd(u->ares, events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD, events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	arm(u);
}

static void on_timer(void *arg)
{
	struct dns_up *u = arg;

	u->timer = NULL;
	ares_process_fd(u->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(u);
}

static void arm(struct dns_up *u)
{
	struct timeval tv, *t;

	if (u->timer || u->pending == 0)
		return;
	t = ares_timeout(u->ares, NULL, &tv);
	if (t)
		loop_after(u->loop, (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000 + 1, on_timer, u, &u->timer);
}

static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_up *u = arg;
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	struct watched *w = NULL;

	for (size_t i = 0; i < SOCKETS_MAX && !w; i++)
		if (u->socks[i].io && u->socks[i].fd == fd)
			w = &u->socks[i];
	if (w && events) {
		loop_mod(w->io, events);
	} else if (w) {
		loop_del(w->io);
		w->io = NULL;
	} else if (events) {
		for (size_t i = 0; i < SOCKETS_MAX && !w; i++)
			if (!u->socks[i].io)
				w = &u->socks[i];
		/* Without a watch the question ends by its time limit. */
		if (w && loop_add(u->loop, fd, events, on_socket, u, &w->io) == 0)
			w->fd = fd;
	}
}

int dns_up_open(struct loop *l, struct dns_up **ret)
{
	struct dns_up *u = calloc(1, sizeof(*u));
	struct ares_options o = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES, .timeout = TIMEOUT_MS, .tries = TRIES,
				  .sock_state_cb = on_state, .sock_state_cb_data = u };
	int r;

	if (!u)
		return -ENOMEM;
	u->loop = l;
	u->credit = DNS_UP_NEW_BURST * 1000ull;
	u->filled = clock_ms();
	u->cache = calloc(DNS_UP_CACHE, sizeof(*u->cache));
	r = u->cache ? ares_library_init(ARES_LIB_INIT_ALL) : ARES_ENOMEM;
	if (r == ARES_SUCCESS)
		r = ares_init_options(&u->ares, &o, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (r != ARES_SUCCESS) {
		log_error("starting the resolver: %s", ares_strerror(r));
		free(u->cache);
		free(u);
		return -EIO;
	}
	*ret = u;
	return 0;
}

static struct entry *place(struct dns_up *u, const char *name)
{
	uint32_t h = 2166136261u;

	for (const char *c = name; *c; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	return &u->cache[h % DNS_UP_CACHE];
}

static void take(struct entry *e, const struct ares_addrinfo *ai, uint64_t *ttl)
{
	for (const struct ares_addrinfo_node *a = ai->nodes; a && e->n < DNS_UP_ADDRS; a = a->ai_next) {
		struct addr *to = &e->v[e->n];

		if (a->ai_family == AF_INET) {
			to->len = 4;
			memcpy(to->b, &((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr, 4);
		} else if (a->ai_family == AF_INET6) {
			to->len = 16;
			memcpy(to->b, &((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr, 16);
			addr_unmap(to);
		} else {
			continue;
		}
		if (a->ai_ttl > 0 && (uint64_t)a->ai_ttl < *ttl)
			*ttl = (uint64_t)a->ai_ttl;
		e->n++;
	}
}

static void on_answer(void *arg, int status, int timeouts UNUSED, struct ares_addrinfo *ai)
{
	struct question *q = arg;
	struct entry e = { 0 };
	struct question **at = &q->u->asked;
	uint64_t ttl = status == ARES_SUCCESS ? 300 : 5;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->u->pending--;
	memcpy(e.name, q->name, sizeof(e.name));
	e.status = status == ARES_SUCCESS || status == ARES_ENODATA ? 0 : status == ARES_ENOTFOUND ? -ENOENT : -EAGAIN;
	if (ai && status == ARES_SUCCESS)
		take(&e, ai, &ttl);
	if (ai)
		ares_freeaddrinfo(ai);
	e.until = clock_ms() + (ttl < 5 ? 5 : ttl) * 1000;
	if (status != ARES_EDESTRUCTION && status != ARES_ECANCELLED)
		*place(q->u, q->name) = e;
	while (q->waiters) {
		struct waiter w = *q->waiters;

		free(q->waiters);
		q->waiters = w.next;
		q->u->n_waiters--;
		w.fn(w.arg, e.status, e.v, e.n);
	}
	free(q);
}

/* May one more name be asked upstream? known: the cache has held it, so that asking anew tells nobody anything. */
static bool within_budget(struct dns_up *u, bool known)
{
	uint64_t now = clock_ms();

	u->credit += (now - u->filled) * DNS_UP_NEW_PER_SECOND;
	u->filled = now;
	if (u->credit > DNS_UP_NEW_BURST * 1000ull)
		u->credit = DNS_UP_NEW_BURST * 1000ull;
	if (u->credit < 1000 || (!known && u->n_new >= DNS_UP_NEW_MAX))
		return false;
	u->credit -= 1000;
	u->n_new += !known;
	return true;
}

static struct question *under_way(struct dns_up *u, const char *name)
{
	struct question *q = u->asked;

	while (q && strcmp(q->name, name) != 0)
		q = q->next;
	return q;
}

static struct question *question_of(struct dns_up *u, const char *name, bool *is_new)
{
	struct question *q = under_way(u, name);

	*is_new = !q;
	if (q || u->pending == DNS_UP_PENDING || strlen(name) >= NAME_MAX_)
		return q;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	*q = (struct question){ .next = u->asked, .u = u };
	memcpy(q->name, name, strlen(name) + 1);
	u->asked = q;
	u->pending++;
	return q;
}

LEAKS_UNSEEN_BEGIN /* the waiter belongs to its question: on_answer */
void dns_up_ask(struct dns_up *u, const char *name, dns_up_fn fn, void *arg)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NOSORT };
	const struct entry *e = place(u, name);
	struct question *q;
	struct waiter *w;
	bool is_new;

	if (e->until > clock_ms() && !strcmp(e->name, name)) {
		struct entry copy = *e;

		fn(arg, copy.status, copy.v, copy.n);
		return;
	}
	if (!under_way(u, name) && !within_budget(u, !strcmp(e->name, name))) {
		fn(arg, -EDQUOT, NULL, 0);
		return;
	}
	w = u->n_waiters < DNS_UP_WAITERS ? calloc(1, sizeof(*w)) : NULL;
	q = w ? question_of(u, name, &is_new) : NULL;
	if (!q) {
		free(w);
		fn(arg, -EAGAIN, NULL, 0);
		return;
	}
	*w = (struct waiter){ q->waiters, fn, arg };
	q->waiters = w;
	u->n_waiters++;
	if (is_new)
		ares_getaddrinfo(u->ares, name, NULL, &hints, on_answer, q);
	arm(u);
}
LEAKS_UNSEEN_END
