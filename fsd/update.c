/* SPDX-License-Identifier: Apache-2.0 */
/* Another policy for the session: brought by a client, put in place by execd's word, and how long the kernel still answers by the last one.
 * What was opened stays open: a descriptor is a right that was given. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "fsd/fsd.h"

#define TELL_MS 10
#define SETTLE_MS (ENTRY_MS + 50) /* the caller that an answer was for may take it a little later */

static struct ipc_frame frame;
static uint64_t switched_ms;

/* Who wants to know when the kernel's entries are gone. */
static struct waiter { bool used; int sock; uint32_t id; struct loop_timer *timer; } waiters[WORKER_CLIENTS_MAX];

void update_start(struct generation *first)
{
	fsd.gen = first;
	fsd.policy = first->policy;
	evt_generation(fsd.w->events, first->number);
}

static void put_in_place(struct generation *next)
{
	struct generation *last = fsd.gen;

	/* Nobody is asked again by a policy that goes. */
	fsd.ending = true;
	approve_end_all(fsd.approve, "the session's policy was replaced");
	fsd.ending = false;
	update_start(next);
	inode_rejudge();
	switched_ms = clock_ms();
	tell_all();
	generation_unref(last);
}

static void on_settled(void *arg);

static int wait_for(struct waiter *w, uint64_t ms)
{
	return loop_after(fsd.w->loop, ms, on_settled, w, &w->timer);
}

static void on_settled(void *arg)
{
	struct waiter *w = arg;

	w->timer = NULL;
	if (tell_done()) {
		w->used = false;
		ipc_send(w->sock, IPC_OK, 0, w->id, NULL, 0, -1);
	} else if (wait_for(w, TELL_MS) < 0) {
		w->used = false;
		ipc_send_err(w->sock, w->id, -ENOMEM, "out of memory");
	}
}

/*
 * What the kernel has of us that a policy decided: entries, found and not found. Those that nothing would tell of run out in ENTRY_MS; the
 * others are called back by threads (tell.c), for that takes the directory's lock, which a creation holds that waits for us. None is
 * dropped, only asked about again: to drop an entry takes the mounts below it away. Each open, listing and change of a name is asked about
 * anyway, and the text of a link goes with its inode (left).
 */
static int settled(int sock, uint32_t id)
{
	uint64_t past = clock_ms() - switched_ms;
	struct waiter *w = NULL;

	if (!switched_ms || (past >= SETTLE_MS && tell_done()))
		return ipc_send(sock, IPC_OK, 0, id, NULL, 0, -1);
	for (size_t i = 0; i < WORKER_CLIENTS_MAX && !w; i++)
		if (!waiters[i].used)
			w = &waiters[i];
	if (!w)
		return ipc_send_err(sock, id, -EBUSY, "too many wait already");
	*w = (struct waiter){ .used = true, .sock = sock, .id = id };
	if (wait_for(w, past < SETTLE_MS ? SETTLE_MS - past : TELL_MS) < 0) {
		w->used = false;
		return ipc_send_err(sock, id, -ENOMEM, "out of memory");
	}
	return 0;
}

int update_request(int sock, const struct ipc_frame *f)
{
	if (f->type == IPC_POLICY_PREPARE)
		return update_prepare(&fsd.update, fsd.gen, sock, f, NULL);
	return f->type == IPC_POLICY_SETTLED ? settled(sock, f->id) : -ENOSYS;
}

void update_client_gone(int sock)
{
	update_gone(&fsd.update, sock);
	for (size_t i = 0; i < WORKER_CLIENTS_MAX; i++)
		if (waiters[i].used && waiters[i].sock == sock) {
			loop_cancel(waiters[i].timer);
			waiters[i] = (struct waiter){ 0 };
		}
}

void update_on_lease(void *arg UNUSED, int fd, uint32_t events UNUSED)
{
	struct generation *next;
	int r = ipc_recv(fd, IPC_W, &frame);

	if (r == -EAGAIN)
		return;
	if (r <= 0)
		worker_end(fsd.w, "execd let go of the session");
	r = update_lease(&fsd.update, fd, &frame, &next);
	if (next)
		put_in_place(next);
	if (r < 0)
		worker_end(fsd.w, "execd and fsd do not agree about the session's policy");
}
