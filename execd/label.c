/* SPDX-License-Identifier: Apache-2.0 */
/* What a program descends from, kept where it cannot forge it: in the directory of the kernel's cgroup tree that its process is in. The
 * labels of a new program are those of its caller and what its name and file match; they are in force before its first instruction. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "execd/execd.h"

#define FORKED_NOT_EXECED 0x40 /* PF_FORKNOEXEC (include/linux/sched.h), part of what /proc/PID/stat shows since 2.6 */

/* 1: the process has run no program of its own since it was forked; 0: it has; or negative errno. */
static int only_forked(pid_t tid)
{
	char path[64], text[512];
	const char *at;
	uint64_t flags;
	auto_fd fd = -1;
	ssize_t n;

	/* The leader's: each thread is born with the mark. */
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)guard_group(tid));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ESRCH;
	text[n] = 0;
	at = strrchr(text, ')'); /* the name may hold anything */
	/* Then: state, parent, group, session, terminal, its group, flags. */
	for (int i = 0; at && i < 7; i++)
		at = strchr(at + 1, ' ');
	if (!at || str_lead_u64(at + 1, UINT32_MAX, &flags) < 0)
		return -EIO;
	return (flags & FORKED_NOT_EXECED) != 0;
}

void label_policy(struct session *s)
{
	s->depths = policy_depths(s->policy);
}

bool label_on(const struct session *s, const struct policy *p)
{
	return s->cgroup >= 0 && (s->depths > 1 || policy_has_labels(p));
}

static int make_set(struct cmd *c, const struct lineage *l)
{
	int r = cgroup_set_make(c->s, c, l);

	if (r < 0)
		log_warn("command %s: an exec is refused, its labels have no place: %s", c->id, strerror(-r));
	return r;
}

int label_start(struct cmd *c, const struct policy *p)
{
	struct lineage l = { .id = policy_labels_id(p) };
	bool on = label_on(c->s, p);
	int r = on ? make_set(c, &l) : 0;

	if (c->cgroup < 0)
		return -1;
	return r < 0 ? r : cgroup_procs(c, on ? &l : NULL);
}

int label_caller(struct cmd *c, const struct policy *p, pid_t tid, struct exec_facts *f, bool first)
{
	struct session *s = c->s;
	struct lineage l;
	int r;

	f->who = (struct pol_who){ 0 };
	f->depth = first ? 0 : 1;
	if (first)
		return 0;
	f->who.unknown = policy_has_labels(p);
	if (!label_on(s, p))
		return 0;
	r = lineage_of(tid, s->w->id, &l);
	if (r < 0 || l.command != c->num)
		return -EACCES;
	/* What another policy's numbers say, or nobody followed, is not known. */
	if (l.id == policy_labels_id(p))
		f->who = (struct pol_who){ .sure = l.sure, .may = l.may };
	if (s->depths == 1)
		return 0;
	r = only_forked(tid);
	/* Only the first program is the command that was submitted: what replaces it, without a fork, is not. */
	f->depth = l.depth + (r > 0);
	if (f->depth < 1)
		f->depth = 1;
	if (f->depth > s->depths)
		f->depth = s->depths;
	return r < 0 ? -EACCES : 0;
}

static void who_add(struct pol_who *who, struct pol_who more)
{
	who->sure |= more.sure;
	who->may |= more.may;
}

/* Where a program with these labels besides its caller's is kept. The depth is 0 where no rule asks, so that nothing is moved for it. */
static struct lineage place_of(const struct cmd *c, const struct policy *p, const struct exec_facts *f, struct pol_who more)
{
	return (struct lineage){ .command = c->num, .sure = f->who.sure | more.sure, .may = f->who.may | more.may | more.sure,
				 .depth = c->s->depths > 1 ? f->depth : 0, .id = policy_labels_id(p) };
}

static struct pol_who of_file(const struct cmd *c, const struct policy *p, const struct exec_facts *f)
{
	struct digest d = { .p = p, .f = f };
	struct pol_exec q = judge_names(c->s, &d);

	return policy_exec_labels(p, &q);
}

int label_ready(struct cmd *c, const struct policy *p, const struct exec_facts *f)
{
	struct lineage l;

	if (!label_on(c->s, p) || f->who.unknown)
		return 0;
	l = place_of(c, p, f, of_file(c, p, f));
	return make_set(c, &l);
}

/* A script's program is its interpreter, which opens the script by name later on: the file there counts for sure only where the session
 * cannot put another in its place. Else it is worth what any file of the session's own making is, its base name. What it may be is all
 * that it was asked for by, then and now, and each step and word on the way: only the script that was asked for chose its interpreter. */
static int of_script(const struct cmd *c, const struct policy *p, const struct exec_facts *now, const struct exec_facts *judged,
		     struct pol_who *ret)
{
	static struct exec_facts step; /* one thread judges; 16 KiB */
	struct pol_exec q = { .given = NULL };
	struct chain chain;
	const char *base;
	int r = chain_find(now, &chain);

	*ret = of_file(c, p, judged);
	for (size_t i = 0; r >= 0 && i < chain.n; i++) {
		r = chain_step(c->s, p, now, &chain, i, &step);
		if (r > 0)
			who_add(ret, of_file(c, p, &step));
		if (i + 1 < chain.n)
			who_add(ret, policy_labels(p, now->argv[i + 1], NULL, true));
	}
	if (r <= 0)
		return -EACCES;
	/* The last step is the one that was asked for. */
	ret->sure = 0;
	base = strrchr(chain.name, '/');
	q.given = chain.name;
	q.resolved = step.resolved;
	name_twins(c->s, &q.twins, &q.n_twins);
	if (!step.unsettled && policy_settled(p, chain.name) && policy_settled(p, step.resolved))
		who_add(ret, policy_exec_labels(p, &q));
	else if (!chain.direct)
		who_add(ret, policy_labels(p, base ? base + 1 : chain.name, NULL, false));
	return 0;
}

bool label_apply(struct cmd *c, const struct policy *p, pid_t pid, const struct exec_facts *now, const struct exec_facts *judged)
{
	bool same = now->dev == judged->dev && now->ino == judged->ino;
	struct pol_who more = { 0 };
	struct lineage was, l;
	char text[16];
	auto_fd procs = -1;

	if (!label_on(c->s, p))
		return true;
	if (!same && of_script(c, p, now, judged, &more) < 0)
		return false;
	if (lineage_of(pid, c->s->w->id, &was) < 0 || was.command != c->num)
		return false;
	who_add(&more, of_file(c, p, now));
	/* It may be another by now than it is called; what its caller is stays true. */
	if (more.sure && inject_any(pid))
		more.sure = 0;
	l = place_of(c, p, now, more);
	/* What is not known of a process is not known of what it runs either: it stays where it is. */
	if (now->who.unknown || was.id != l.id || (was.sure == l.sure && was.may == l.may && was.depth == l.depth))
		return true;
	snprintf(text, sizeof(text), "%d", (int)pid);
	procs = make_set(c, &l) < 0 ? -1 : cgroup_procs(c, &l);
	return procs >= 0 && write(procs, text, strlen(text)) > 0;
}
