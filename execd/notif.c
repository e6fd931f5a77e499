/* SPDX-License-Identifier: Apache-2.0 */
/* Exec notifications: receive, read, judge, answer; every notification gets an answer on every path. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "common/log.h"
#include "execd/execd.h"

/* Since Linux 6.6 (include/uapi/linux/seccomp.h); Debian 12's headers are older. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* An exec that waits for a person. */
struct held {
	struct cmd *c;
	uint32_t num;
	uint64_t id;
	pid_t pid;
	struct exec_facts facts;
	struct pol_verdict v;
	struct generation *gen; /* that judged it: a reference */
};

/* An exec whose thread group has another under way; in the order of arrival. */
static struct waiting {
	struct waiting *next;
	struct cmd *c;
	uint32_t num;
	pid_t tgid;
	struct seccomp_notif req;
	struct held *allowed; /* by a person meanwhile; NULL: to be read and judged */
} *waiting;
static size_t n_waiting;

static void refuse(struct cmd *c, uint64_t id, int error)
{
	struct seccomp_notif_resp no = { .id = id, .error = -error };

	/* ENOENT: the thread was killed while it waited; nobody is there to be answered. */
	if (ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &no) < 0 && errno != ENOENT)
		log_warn("answering an exec: %s", strerror(errno));
}

static void held_free(struct held *h)
{
	generation_unref(h->gen);
	free(h);
}

static void deny(struct cmd *c, const struct generation *gen, uint64_t id, pid_t pid, struct exec_facts *f, const struct pol_verdict *v)
{
	judge_event(c, gen, pid, f, v, "deny");
	if (!c->first_done) {
		cmd_keep_verdict(c, v);
		judge_message(f, v, c->message, sizeof(c->message));
	}
	refuse(c, id, EACCES);
	facts_fini(f);
}

static void allow(struct cmd *c, struct generation *gen, uint64_t id, pid_t pid, struct exec_facts *f, const struct pol_verdict *v)
{
	int r = label_ready(c, gen->policy, f);

	if (r == 0)
		r = guard_begin(c, gen, id, pid, f, v);
	else
		facts_fini(f);
	if (r < 0)
		refuse(c, id, r == -ESRCH || r == -EAGAIN ? EAGAIN : EACCES);
}

LEAKS_UNSEEN_BEGIN /* the queue's */
/* True if the exec has to wait for one of its own thread group; it is kept, or refused if too many are. */
static bool wait_turn(struct cmd *c, const struct seccomp_notif *req, struct held *allowed)
{
	pid_t tgid = guard_group((pid_t)req->pid);
	struct waiting *w, **at = &waiting;

	if (!guard_busy(tgid))
		return false;
	w = n_waiting < WAITING_MAX ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		refuse(c, req->id, EAGAIN);
		if (allowed) {
			facts_fini(&allowed->facts);
			held_free(allowed);
		}
		return true;
	}
	*w = (struct waiting){ .c = c, .num = c->num, .tgid = tgid, .req = *req, .allowed = allowed };
	while (*at)
		at = &(*at)->next;
	*at = w;
	n_waiting++;
	return true;
}
LEAKS_UNSEEN_END

/* Takes the first exec that may go on, or is nobody's any more, out of the queue. */
static struct waiting *next_turn(void)
{
	for (struct waiting **at = &waiting; *at; at = &(*at)->next) {
		struct waiting *w = *at;
		bool gone = w->c->state == CMD_FREE || w->c->num != w->num || w->c->listener < 0;

		if (!gone && guard_busy(w->tgid))
			continue;
		*at = w->next;
		n_waiting--;
		return w;
	}
	return NULL;
}

static void on_answer(void *arg, bool yes, const char *why UNUSED)
{
	struct held *h = arg;
	struct seccomp_notif req = { .id = h->id, .pid = (uint32_t)h->pid };

	if (h->c->state == CMD_FREE || h->c->num != h->num || h->c->listener < 0)
		facts_fini(&h->facts);
	else if (yes && ioctl(h->c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &h->id) == 0 && wait_turn(h->c, &req, h))
		return;
	else if (yes && ioctl(h->c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &h->id) == 0)
		allow(h->c, h->gen, h->id, h->pid, &h->facts, &h->v);
	else
		deny(h->c, h->gen, h->id, h->pid, &h->facts, &h->v);
	held_free(h);
}

static void ask(struct cmd *c, struct generation *gen, uint64_t id, pid_t pid, struct exec_facts *f, const struct pol_verdict *v)
{
	struct held *h = calloc(1, sizeof(*h));
	auto_free char *target = judge_target(f);
	char message[1024];

	if (!h || !target) {
		free(h);
		deny(c, gen, id, pid, f, v);
		return;
	}
	*h = (struct held){ .c = c, .num = c->num, .id = id, .pid = pid, .facts = *f, .v = *v,
			    .gen = generation_ref(gen) };
	judge_message(f, v, message, sizeof(message));
	h->v.command = NULL; /* of this question only */
	h->v.argv = NULL;
	approve_ask(c->s->approve, "exec", target, v->rule, message, c->id, v->timeout_ms, on_answer, h, NULL);
}

static void judge(struct cmd *c, const struct seccomp_notif *req)
{
	struct exec_facts f;
	struct generation *gen = c->s->gen;
	struct pol_verdict v;
	pid_t pid = (pid_t)req->pid;
	uint64_t id = req->id;
	int r = peek_exec(c->s, req, &f);

	if (r == 0)
		r = label_caller(c, c->s->policy, pid, &f, !c->first_done);
	/* The thread may have died and its number been taken: what was read is worth nothing then. */
	if (ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0) {
		facts_fini(&f);
		return;
	}
	if (r < 0) {
		/* What cannot be read or found cannot be judged, nor be run. */
		refuse(c, id, -r);
		facts_fini(&f);
		return;
	}
	v = judge_exec(c, gen, &f, !c->first_done);
	switch (v.decision) {
	case POL_ALLOW:
	case POL_AUDIT:
	case POL_SOFT_DELETE:
		allow(c, gen, id, pid, &f, &v);
		return;
	case POL_APPROVE:
		ask(c, gen, id, pid, &f, &v);
		return;
	case POL_REDIRECT: /* of a nested program: refused, with the rule's message saying what to use */
	case POL_DENY:
	case POL_ABSORB:
	case POL__COUNT:
		deny(c, gen, id, pid, &f, &v);
	}
}

void notif_resume(void)
{
	for (struct waiting *w = next_turn(); w; w = next_turn()) {
		struct cmd *c = w->c;
		bool gone = c->state == CMD_FREE || c->num != w->num || c->listener < 0 ||
			    ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &w->req.id) < 0;

		if (w->allowed) {
			if (gone)
				facts_fini(&w->allowed->facts);
			else
				allow(c, w->allowed->gen, w->req.id, (pid_t)w->req.pid, &w->allowed->facts, &w->allowed->v);
			held_free(w->allowed);
		} else if (!gone) {
			judge(c, &w->req);
		}
		free(w);
	}
}

static void on_listener(void *arg, int fd, uint32_t events)
{
	struct cmd *c = arg;
	struct seccomp_notif req = { 0 };

	if (!(events & EPOLLIN)) {
		notif_close(c); /* HUP: no process with this filter is left */
		cmd_maybe_free(c);
		return;
	}
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
		return; /* ENOENT: killed before we came */
	if (!wait_turn(c, &req, NULL))
		judge(c, &req);
}

int notif_watch(struct cmd *c)
{
	uint64_t sync = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;

	/* An optimisation of newer kernels (6.6): refused by older ones without harm. */
	ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, sync);
	return loop_add(c->s->w->loop, c->listener, EPOLLIN, on_listener, c, &c->listener_io);
}

void notif_close(struct cmd *c)
{
	loop_del(c->listener_io);
	c->listener_io = NULL;
	if (c->listener >= 0)
		close(c->listener);
	c->listener = -1;
}
