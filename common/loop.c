/* SPDX-License-Identifier: Apache-2.0 */
/* epoll loop. Handles removed inside a callback are freed only after the batch, so a stale event finds a dead mark. */
#include "common/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

#define LOOP_BATCH 64

struct loop_io {
	struct loop *loop;
	struct loop_io *next_dead;
	loop_io_fn fn;
	void *arg;
	int fd;
	bool dead;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *next, *prev;
	uint64_t at;
	loop_timer_fn fn;
	void *arg;
};

struct loop {
	int ep, sigfd, code;
	bool stop;
	struct loop_io *dead, *sig_io;
	struct loop_timer timers; /* list head; sorted by time */
	loop_signal_fn sig_fn;
	void *sig_arg;
};

uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->sigfd = -1;
	l->timers.next = l->timers.prev = &l->timers;
	l->ep = epoll_create1(EPOLL_CLOEXEC);
	if (l->ep < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void reap_dead(struct loop *l)
{
	while (l->dead) {
		struct loop_io *io = l->dead;

		l->dead = io->next_dead;
		free(io);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->timers.next != &l->timers)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): loop_cancel takes what it frees off the list */
		loop_cancel(l->timers.next);
	loop_del(l->sig_io);
	reap_dead(l);
	if (l->sigfd >= 0)
		close(l->sigfd);
	close(l->ep);
	free(l);
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *arg, struct loop_io **ret)
{
	struct loop_io *io = calloc(1, sizeof(*io));
	struct epoll_event ev = { .events = events, .data.ptr = io };

	if (!io)
		return -ENOMEM;
	*io = (struct loop_io){ .loop = l, .fn = fn, .arg = arg, .fd = fd };
	if (epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int r = -errno;

		free(io);
		return r;
	}
	if (ret)
		*ret = io;
	return 0;
}

int loop_mod(struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };

	return epoll_ctl(io->loop->ep, EPOLL_CTL_MOD, io->fd, &ev) < 0 ? -errno : 0;
}

void loop_del(struct loop_io *io)
{
	if (!io || io->dead)
		return;
	epoll_ctl(io->loop->ep, EPOLL_CTL_DEL, io->fd, NULL);
	io->dead = true;
	io->next_dead = io->loop->dead;
	io->loop->dead = io;
}

int loop_after(struct loop *l, uint64_t ms, loop_timer_fn fn, void *arg, struct loop_timer **ret)
{
	struct loop_timer *t = calloc(1, sizeof(*t)), *p;

	if (!t)
		return -ENOMEM;
	*t = (struct loop_timer){ .loop = l, .at = clock_ms() + ms, .fn = fn, .arg = arg };
	for (p = l->timers.prev; p != &l->timers && p->at > t->at; p = p->prev)
		;
	t->prev = p;
	t->next = p->next;
	p->next->prev = t;
	p->next = t;
	if (ret)
		*ret = t;
	return 0;
}

void loop_cancel(struct loop_timer *t)
{
	if (!t)
		return;
	t->prev->next = t->next;
	t->next->prev = t->prev;
	free(t);
}

static void on_sigfd(void *arg, int fd, uint32_t events UNUSED)
{
	struct loop *l = arg;
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		l->sig_fn(l->sig_arg, (int)si.ssi_signo);
}

int loop_signals(struct loop *l, const int *signos, int n, loop_signal_fn fn, void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < n; i++)
		sigaddset(&set, signos[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	l->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->sigfd < 0)
		return -errno;
	l->sig_fn = fn;
	l->sig_arg = arg;
	return loop_add(l, l->sigfd, EPOLLIN, on_sigfd, l, &l->sig_io);
}

static int run_timers(struct loop *l)
{
	while (l->timers.next != &l->timers && !l->stop) {
		struct loop_timer *t = l->timers.next;
		uint64_t now = clock_ms();
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): loop_cancel took the one before off the list */
		loop_timer_fn fn = t->fn;
		void *arg = t->arg;

		if (t->at > now)
			return t->at - now > 60000 ? 60000 : (int)(t->at - now);
		loop_cancel(t);
		fn(arg);
	}
	return -1;
}

int loop_run(struct loop *l)
{
	struct epoll_event ev[LOOP_BATCH];

	while (!l->stop) {
		int wait = run_timers(l), n;

		if (l->stop)
			break;
		n = epoll_wait(l->ep, ev, LOOP_BATCH, wait);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !l->stop; i++) {
			struct loop_io *io = ev[i].data.ptr;

			if (!io->dead)
				io->fn(io->arg, io->fd, ev[i].events);
		}
		reap_dead(l);
	}
	return l->code;
}

void loop_stop(struct loop *l, int code)
{
	l->stop = true;
	l->code = code;
}
