/* SPDX-License-Identifier: Apache-2.0 */
/* Takes answers back that the kernel keeps. A ring of what is to be said: the loop fills it, threads say it, once at once and once more
 * after a second, because an answer that the kernel has taken but not yet put in place is not met by the first. When the ring is full, all
 * is taken back. */
#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>

#include "fsd/ops.h"

#define RING 2048
#define THREADS 4      /* each directory whose lock is held by who waits for a person stops one */
#define AGAIN_MS 1000
#define ALIKE 4        /* of the last ones, looked at before one more is added */

struct word {
	uint64_t node, at;     /* at: when it was said first, ms; 0: not yet */
	bool once, skipped;    /* not again; not said yet, for a thread waits in that directory */
	uint8_t len;           /* of name; 0: of the inode, not of an entry */
	char name[NODE_NAME_MAX + 1];
};

/* Counters: places are these modulo RING. again <= next <= end. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct word ring[RING];
	size_t again, next, end;
	size_t skipped;        /* words that are */
	uint64_t in[THREADS];  /* directory that each thread says something of */
	unsigned busy;         /* threads that say something */
	bool waits;            /* the loop has more to add */
	int wake;              /* eventfd: there is room */
} t = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = -1 };

/* Of tell_all, in the loop's thread: rounds to go, whether of attributes too, and where in the table this one is. */
static struct { unsigned rounds; bool under_way, absent, attrs; size_t at; struct loop_timer *timer; } all;

static void say(const struct word *w)
{
	struct fuse_notify_inval_entry_out entry = { .parent = w->node, .namelen = w->len, .flags = FUSE_EXPIRE_ONLY };
	struct fuse_notify_inval_inode_out inode = { .ino = w->node };
	struct fuse_out_header head = { .len = sizeof(head) };
	struct iovec iov[3] = { { &head, sizeof(head) } };
	int n = 2;
	ssize_t r;

	if (w->len) {
		head.error = FUSE_NOTIFY_INVAL_ENTRY;
		iov[1] = (struct iovec){ &entry, sizeof(entry) };
		iov[2] = (struct iovec){ (char *)(uintptr_t)w->name, w->len + 1u };
		n = 3;
	} else {
		head.error = FUSE_NOTIFY_INVAL_INODE;
		iov[1] = (struct iovec){ &inode, sizeof(inode) };
	}
	for (int i = 1; i < n; i++)
		head.len += (uint32_t)iov[i].iov_len;
	do
		r = writev(fuse_session_fd(fsd.se), iov, n);
	while (r < 0 && errno == EINTR);
	/* Anything else: the kernel does not know it, and so keeps nothing. */
}

static bool in_use(const struct word *w)
{
	bool used = false;

	for (int i = 0; i < THREADS; i++)
		used |= w->len && t.in[i] == w->node;
	return used;
}

/* With the lock held: the next one to be said. false: wait, until *ret_ms if that is not 0. */
static bool take(struct word *w, uint64_t *ret_ms)
{
	uint64_t now = clock_ms();
	struct word *old;

	*ret_ms = 0;
	while (t.next != t.end) {
		old = &t.ring[t.next++ % RING];
		old->at = now;
		*w = *old;
		if (!in_use(w))
			return true;
		old->skipped = true;
		t.skipped++;
	}
	for (; t.again != t.next; t.again++) {
		old = &t.ring[t.again % RING];
		if (old->once && !old->skipped)
			continue;
		if (in_use(old))
			old->at = now;
		if (now - old->at < AGAIN_MS) {
			*ret_ms = old->at + AGAIN_MS;
			return false;
		}
		*w = *old;
		t.skipped -= w->skipped;
		t.again++;
		return true;
	}
	return false;
}

static void wait_for_more(uint64_t until)
{
	struct timespec at = { .tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000 };

	if (until)
		pthread_cond_timedwait(&t.more, &t.lock, &at);
	else
		pthread_cond_wait(&t.more, &t.lock);
}

/* One that was skipped for the sake of w. */
static bool take_skipped(struct word *w)
{
	for (size_t k = t.again; t.skipped && w->len && k != t.next; k++) {
		struct word *o = &t.ring[k % RING];

		if (!o->skipped || o->node != w->node)
			continue;
		o->skipped = false;
		o->at = clock_ms();
		t.skipped--;
		*w = *o;
		return true;
	}
	return false;
}

static void *serve(void *arg)
{
	uint64_t *in = arg;
	struct word w = { 0 };
	uint64_t until;

	pthread_mutex_lock(&t.lock);
	for (;;) {
		bool room;

		if (!take_skipped(&w) && !take(&w, &until)) {
			w.len = 0;
			wait_for_more(until);
			continue;
		}
		t.busy++;
		*in = w.len ? w.node : 0;
		pthread_mutex_unlock(&t.lock);
		say(&w);
		pthread_mutex_lock(&t.lock);
		t.busy--;
		*in = 0;
		room = t.waits && t.end - t.next < RING / 2;
		if (room) {
			t.waits = false;
			eventfd_write(t.wake, 1);
		}
	}
	return NULL;
}

/* With the lock held. Those that were said are said again early, and all of them, before a new one finds no room. */
static bool room(void)
{
	const struct word *w = &t.ring[t.again % RING];

	if (t.end - t.again < RING)
		return true;
	if (t.again == t.next)
		return false;
	t.skipped -= w->skipped;
	if ((!w->once || w->skipped) && all.rounds < 1u + all.under_way) /* a round that began may have passed it */
		all.rounds = 1u + all.under_way;
	all.attrs |= !w->once && !w->len;
	t.again++;
	return true;
}

static bool add(const struct inode *i, const char *name, bool once)
{
	struct word w = { .node = (uintptr_t)i, .once = once };
	bool ok = true, alike = false;

	w.len = name ? (uint8_t)strnlen(name, NODE_NAME_MAX) : 0;
	memcpy(w.name, name ? name : "", w.len);
	pthread_mutex_lock(&t.lock);
	for (size_t k = t.end; k != t.next && t.end - k < ALIKE && !alike; k--) {
		const struct word *o = &t.ring[(k - 1) % RING];

		alike = o->node == w.node && o->len == w.len && !memcmp(o->name, w.name, w.len);
	}
	if (!alike) {
		ok = room();
		if (ok)
			t.ring[t.end++ % RING] = w;
		else
			t.waits = true;
		pthread_cond_signal(&t.more);
	}
	pthread_mutex_unlock(&t.lock);
	return ok;
}

static bool say_kept(struct inode *i)
{
	return (!i->lasting || add(i->parent, i->name, true)) && (!all.attrs || !watch_tells(i) || add(i, NULL, true));
}

static void say_absent(struct inode *dir, const char *name)
{
	all.absent &= add(dir, name, true);
}

static void go_on(void);

static void on_time(void *arg UNUSED)
{
	all.timer = NULL;
	all.under_way = true;
	all.absent = false;
	all.at = 0;
	go_on();
}

/* As much of a round as there is room for. */
static void go_on(void)
{
	if (!all.under_way)
		return;
	if (!inode_each(&all.at, say_kept))
		return;
	if (!all.absent) {
		all.absent = true;
		names_each_absent(say_absent);
		if (!all.absent)
			return;
	}
	all.under_way = false;
	if (all.rounds)
		all.rounds--;
	all.attrs &= all.rounds > 0;
	if (all.rounds && loop_after(fsd.w->loop, AGAIN_MS, on_time, NULL, &all.timer) < 0)
		worker_end(fsd.w, "out of memory");
}

static void on_room(void *arg UNUSED, int fd, uint32_t events UNUSED)
{
	eventfd_t n;

	if (eventfd_read(fd, &n) == 0)
		go_on();
}

void tell_all(void)
{
	if (t.wake < 0)
		return;
	loop_cancel(all.timer);
	all.rounds = 2;
	on_time(NULL);
}

void tell_lost(void)
{
	all.attrs = true;
	for (size_t k = 0; k < fsd.n_trees; k++)
		tell_now(fsd.trees[k].root);
	tell_all();
}

static void one(const struct inode *i, const char *name)
{
	if (t.wake < 0)
		return;
	if (!add(i, name, false))
		tell_lost();
	else if (all.rounds == 1 && !all.under_way && !all.timer && loop_after(fsd.w->loop, AGAIN_MS, on_time, NULL, &all.timer) < 0)
		worker_end(fsd.w, "out of memory");
}

void tell_entry(struct inode *dir, const char *name)
{
	one(dir, name);
}

void tell_inode(struct inode *i)
{
	one(i, NULL);
}

void tell_now(struct inode *i)
{
	struct fuse_notify_inval_inode_out out = { .ino = (uintptr_t)i, .off = -1 };
	struct fuse_out_header head = { .len = sizeof(head) + sizeof(out), .error = FUSE_NOTIFY_INVAL_INODE };
	struct iovec iov[2] = { { &head, sizeof(head) }, { &out, sizeof(out) } };

	if (writev(fuse_session_fd(fsd.se), iov, 2) < 0)
		return; /* not known to the kernel */
}

bool tell_done(void)
{
	bool done;

	pthread_mutex_lock(&t.lock);
	done = t.next == t.end && !t.busy && !t.skipped;
	pthread_mutex_unlock(&t.lock);
	return done && !all.rounds;
}

int tell_start(void)
{
	pthread_condattr_t by;
	sigset_t every, before;
	int r = 0;

	t.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t.wake < 0)
		return -errno;
	pthread_condattr_init(&by);
	pthread_condattr_setclock(&by, CLOCK_MONOTONIC);
	pthread_cond_init(&t.more, &by);
	sigfillset(&every);
	pthread_sigmask(SIG_BLOCK, &every, &before);
	for (int i = 0; i < THREADS && r == 0; i++) {
		pthread_t thread;

		r = -pthread_create(&thread, NULL, serve, &t.in[i]);
		if (r == 0)
			pthread_detach(thread);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r == 0 ? loop_add(fsd.w->loop, t.wake, EPOLLIN, on_room, NULL, NULL) : r;
}
