/* SPDX-License-Identifier: Apache-2.0 */
/* The half of the exec verdict that cannot be raced: the thread is seized while it waits, continued, and judged again at its exec stop,
 * where the new memory is private and no instruction has run. What runs is what counts; a refusal there is SIGKILL.
 * One exec per thread group is under way at a time: it holds the group's cred_guard_mutex, which seizing a sibling waits for, while it
 * waits itself for its siblings' ends, which are ours to reap once they are traced. notif.c keeps the others waiting. */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "common/log.h"
#include "common/str.h"
#include "execd/execd.h"

static struct traced {
	pid_t tid, tgid;       /* tid 0: free */
	struct cmd *cmd;
	struct generation *gen; /* that judged it: a reference */
	uint32_t num;          /* the command's number: a slot may have been taken by another meanwhile */
	bool first, approved;
	struct exec_facts facts;
} traced[TRACED_MAX];

static struct traced *find(pid_t tid)
{
	for (size_t i = 0; i < TRACED_MAX; i++)
		if (traced[i].tid == tid)
			return &traced[i];
	return NULL;
}

static void forget(struct traced *t)
{
	facts_fini(&t->facts);
	generation_unref(t->gen);
	memset(t, 0, sizeof(*t));
}

pid_t guard_group(pid_t tid)
{
	char path[64], line[256];
	uint64_t v = 0;
	FILE *f;

	/* A leader, nearly always: signal 0 to it as a thread of its own group costs no file of /proc. */
	if (tgkill(tid, tid, 0) == 0)
		return tid;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Tgid:\t", 6) && str_lead_u64(line + 6, INT32_MAX, &v) < 0)
			v = 0;
	if (f)
		fclose(f);
	return (pid_t)v;
}

bool guard_busy(pid_t tgid)
{
	for (size_t i = 0; i < TRACED_MAX; i++)
		if (traced[i].tid && traced[i].tgid == tgid)
			return true;
	return false;
}

int guard_begin(struct cmd *c, struct generation *gen, uint64_t notif_id, pid_t tid, struct exec_facts *facts, const struct pol_verdict *v)
{
	struct seccomp_notif_resp go = { .id = notif_id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	pid_t tgid = guard_group(tid);
	struct traced *t = find(0);
	int r = 0;

	if (!t || !tgid || guard_busy(tgid))
		r = -EAGAIN;
	if (r == 0 && ptrace(PTRACE_SEIZE, tid, 0, (void *)(uintptr_t)(PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) < 0)
		r = -errno;
	if (r == 0 && ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0) {
		/* Only of a thread that is dying; should it live, its next stop is not ours to judge and ends the tracing. */
		r = -errno;
		ptrace(PTRACE_DETACH, tid, 0, 0);
	}
	if (r < 0) {
		facts_fini(facts);
		return r;
	}
	*t = (struct traced){ .tid = tid, .tgid = tgid, .cmd = c, .gen = generation_ref(gen), .num = c->num, .first = !c->first_done,
			      .approved = v->decision == POL_APPROVE, .facts = *facts };
	facts->argv = NULL;
	facts->argc = 0;
	if (ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &go) == 0)
		return 0;
	/* ENOENT: the thread died meanwhile, which is reported to us as its tracer. Else the caller refuses the exec, and the interrupt
	 * stops the thread on its way back: there it is let go, for only a stopped thread can be. */
	return errno == ENOENT ? 0 : -errno;
}

/* From this argument on. */
static bool same_argv(const struct exec_facts *a, const struct exec_facts *b, size_t from)
{
	if (a->argc != b->argc)
		return false;
	for (size_t i = from; i < a->argc; i++)
		if (strcmp(a->argv[i], b->argv[i]) != 0)
			return false;
	return true;
}

static bool same_file(const struct exec_facts *a, const struct exec_facts *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/* What a person approved is this file with these arguments; a script has its name in place of argv[0]. */
static bool may_run(const struct traced *t, const struct pol_verdict *v, const struct exec_facts *f)
{
	switch (v->decision) {
	case POL_ALLOW:
	case POL_AUDIT:
	case POL_SOFT_DELETE:
		return true;
	case POL_APPROVE:
		return t->approved && same_file(f, &t->facts) && same_argv(f, &t->facts, f->running ? 0 : 1);
	case POL_REDIRECT:
	case POL_DENY:
	case POL_ABSORB:
	case POL__COUNT:
		break;
	}
	return false;
}

/* The scripts by whose first lines the kernel came to what runs; each could have been called by itself. */
static bool scripts_may_run(const struct traced *t, const struct exec_facts *now, struct pol_verdict *v)
{
	struct exec_facts step;
	struct chain c;
	int r = chain_find(now, &c);

	for (size_t i = 0; r >= 0 && i < c.n; i++) {
		r = chain_step(t->cmd->s, t->gen->policy, now, &c, i, &step);
		if (r <= 0)
			continue;
		*v = judge_exec(t->cmd, t->gen, &step, t->first);
		if (!may_run(t, v, &step))
			return false;
	}
	if (r < 0)
		*v = (struct pol_verdict){ .decision = POL_DENY, .rule = "exec-verify" };
	return r >= 0;
}

/* True if what runs may run. A script's program is its interpreter, with the script among the arguments: judged by its own name. */
static bool verify(struct traced *t, pid_t pid)
{
	const char *why = "what was about to run is not what was judged; killed";
	struct exec_facts now;
	bool same, ok = false;
	struct pol_verdict v = { .decision = POL_DENY, .rule = "exec-verify" }, w;

	if (peek_running(pid, &now) < 0) {
		facts_fini(&now);
		log_warn("process %d could not be read at its exec stop: killed", (int)pid);
		return false;
	}
	same = same_file(&now, &t->facts);
	if (same) {
		/* The name as given still decides, also when the file is a multi-call binary. */
		snprintf(now.given, sizeof(now.given), "%s", t->facts.given);
		snprintf(now.place, sizeof(now.place), "%s", t->facts.place);
		snprintf(now.written, sizeof(now.written), "%s", t->facts.written);
		now.up = t->facts.up;
	}
	now.who = t->facts.who;
	now.depth = t->facts.depth;
	v = judge_exec(t->cmd, t->gen, &now, t->first);
	ok = may_run(t, &v, &now);
	if (ok && !same && !scripts_may_run(t, &now, &w)) {
		why = "a script by which it was to run is not allowed; killed";
		v = w;
		ok = false;
	}
	if (ok && !label_apply(t->cmd, t->gen->policy, pid, &now, &t->facts)) {
		why = "it could not be put where its labels are kept; killed";
		v = (struct pol_verdict){ .decision = POL_DENY, .rule = "exec-labels" };
		ok = false;
	}
	if (!ok) {
		struct evtlog *l = t->cmd->s->w->events;
		uint64_t was;

		evt_begin(l, "exec_mismatch", t->cmd->id, pid);
		evt_str(l, "approved", t->facts.resolved);
		evt_str(l, "filename", now.resolved);
		was = evt_generation(l, t->gen->number);
		evt_policy(l, pol_decision_name(v.decision), "deny", v.rule, why);
		evt_generation(l, was);
		evt_end(l);
	} else {
		judge_event(t->cmd, t->gen, pid, same ? &t->facts : &now, &v, "allow");
	}
	facts_fini(&now);
	return ok;
}

static void at_exec(struct traced *t, pid_t pid)
{
	bool alive = t->cmd->state != CMD_FREE && t->cmd->num == t->num;

	if (!alive || !verify(t, pid)) {
		kill(pid, SIGKILL);
	} else {
		t->cmd->first_done = true;
		board_label(t->cmd->s->board, pid, t->cmd->slot);
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
	forget(t);
}

void guard_reap(struct session *s UNUSED)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		struct traced *t = find(pid);
		int event = status >> 16;

		if (!WIFSTOPPED(status)) {
			/* An exec that took the leader's number and failed beyond its point of no return ends under that number. */
			for (size_t i = 0; i < TRACED_MAX; i++)
				if (traced[i].tid && (traced[i].tid == pid || traced[i].tgid == pid))
					forget(&traced[i]);
			continue;
		}
		if (event == PTRACE_EVENT_EXEC) {
			unsigned long former = 0;

			/* An exec from another thread than the leader takes the leader's number. */
			if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &former) == 0 && (pid_t)former != pid) {
				if (t)
					forget(t);
				t = find((pid_t)former);
			}
			if (t) {
				at_exec(t, pid);
			} else {
				kill(pid, SIGKILL);
				ptrace(PTRACE_DETACH, pid, 0, 0);
			}
			continue;
		}
		/* The exec failed by itself: the thread goes on as it was, with any signal that stopped it. */
		ptrace(PTRACE_DETACH, pid, 0, (void *)(uintptr_t)(event == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status)));
		if (t)
			forget(t);
	}
	notif_resume();
}
