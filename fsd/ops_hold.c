/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that wait for a person. The request is kept with all that it needs and the loop goes on; with the answer the operation
 * runs again from its start. Bounded by APPROVE_PENDING_MAX. What cannot be avoided: the kernel holds a directory's lock during a
 * creation, removal or rename in it, so that other changes and first look-ups of the sandbox in that one directory wait too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsd/ops.h"

#define DYING_MS 250   /* how soon the end of a caller that can be interrupted once only is seen */

static void drop(struct call *h)
{
	loop_cancel(h->watch);
	free((char *)(uintptr_t)h->name);
	free((char *)(uintptr_t)h->to);
	free((char *)(uintptr_t)h->value);
	if (h->a)
		inode_unref(h->a);
	if (h->b)
		inode_unref(h->b);
	free(h);
}

static void *memdup(const void *p, size_t n)
{
	void *copy = malloc(n + 1);

	return copy ? memcpy(copy, p, n) : NULL;
}

static struct call *keep(const struct call *c)
{
	struct call *h = malloc(sizeof(*h));

	if (!h)
		return NULL;
	*h = *c;
	h->name = c->name ? strdup(c->name) : NULL;
	h->to = c->to ? strdup(c->to) : NULL;
	h->value = c->value ? memdup(c->value, c->size) : NULL;
	if (h->a)
		h->a->refs++;
	if (h->b)
		h->b->refs++;
	if ((c->name && !h->name) || (c->to && !h->to) || (c->value && !h->value)) {
		drop(h);
		return NULL;
	}
	return h;
}

static void answered(void *arg, bool allow, const char *why);

/* h is gone when this returns, or waits. */
static void ask(struct call *h)
{
	h->told = h->judged;
	approve_ask(fsd.approve, "file", judge_ask.path, judge_ask.rule, judge_ask.message, judge_ask.command, judge_ask.timeout_ms,
		    answered, h, &h->question);
}

static int run(struct call *c)
{
	int r = c->a ? inode_fd(c->a) : -EACCES;

	if (r >= 0 && c->b)
		r = inode_fd(c->b);
	return r < 0 ? -r : c->run(c);
}

static void answered(void *arg, bool allow, const char *why UNUSED)
{
	struct call *h = arg;
	int r;

	h->question = 0;
	h->judged = 0;
	h->grants[h->n_grants - 1].allow = allow;
	watch_drain(false); /* it is judged anew */
	r = run(h);
	if (r == HELD) {
		judge_recorded();
		ask(h);
		return;
	}
	if (r)
		fuse_reply_err(h->req, r);
	judge_recorded();
	drop(h);
}

static void withdraw(struct call *h)
{
	approve_withdraw(fsd.approve, h->question);
	fuse_reply_err(h->req, EINTR);
	drop(h);
}

static bool dying(pid_t pid)
{
	char path[64], text[4096];
	const char *own, *group;
	ssize_t n;
	auto_fd fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return true;
	text[n] = 0;
	own = strstr(text, "\nSigPnd:");
	group = strstr(text, "\nShdPnd:");
	return !own || !group || ((strtoull(own + 8, NULL, 16) | strtoull(group + 8, NULL, 16)) & 1u << 8 /* SIGKILL */);
}

static void on_watch(void *arg)
{
	struct call *h = arg;

	h->watch = NULL;
	if (dying(fuse_req_ctx(h->req)->pid) || loop_after(fsd.w->loop, DYING_MS, on_watch, h, &h->watch) < 0)
		withdraw(h);
}

/* execd stops each exec by a trap that waits for the program's start, and that trap interrupts the open: the caller stays. */
static bool is_exec(const struct call *c)
{
	return c->run == do_open && (c->fi.flags & OPEN_EXEC);
}

static void on_interrupt(fuse_req_t req UNUSED, void *arg)
{
	struct call *h = arg;

	if (!h->question) /* already so when it was registered: hold() sees to it */
		return;
	if (is_exec(h))
		on_watch(h);
	else
		withdraw(h);
}

static void hold(const struct call *c)
{
	bool cut = fuse_req_interrupted(c->req);
	struct call *h;

	if (cut && (!is_exec(c) || dying(fuse_req_ctx(c->req)->pid))) {
		fuse_reply_err(c->req, EINTR);
		return;
	}
	h = keep(c);
	if (!h || (cut && loop_after(fsd.w->loop, DYING_MS, on_watch, h, &h->watch) < 0)) {
		fuse_reply_err(c->req, EACCES);
		if (h)
			drop(h);
		return;
	}
	fuse_req_interrupt_func(h->req, on_interrupt, h);
	ask(h);
}

void call_run(struct call *c)
{
	int r = run(c);

	if (r && r != HELD)
		fuse_reply_err(c->req, r);
	judge_recorded();
	if (r == HELD)
		hold(c);
}
