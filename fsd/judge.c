/* SPDX-License-Identifier: Apache-2.0 */
/* One operation to the policy's answer and its record. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/lineage.h"
#include "fsd/ops.h"

struct ask judge_ask;

struct pol_state judge_state(const struct inode *dir, const char *name)
{
	return name ? policy_file_child(fsd.policy, dir->state, name, strlen(name)) : dir->state;
}

struct pol_who judge_who(fuse_req_t req, struct pol_state st, enum pol_op op)
{
	struct lineage l;
	int r;

	if (!policy_file_asks(fsd.policy, st, op))
		return (struct pol_who){ 0 };
	/* A request that we have taken keeps its caller, even a killed one, in the kernel until it is answered: its number is its own. */
	r = lineage_of(fuse_req_ctx(req)->pid, fsd.w->id, &l);
	if (r < 0 || l.id != policy_labels_id(fsd.policy))
		return (struct pol_who){ .unknown = true };
	return (struct pol_who){ .sure = l.sure, .may = l.may };
}

void judge_command(fuse_req_t req, char out[ID_MAX])
{
	out[0] = 0;
	if (fsd.board)
		board_by_pid(fsd.board, fuse_req_ctx(req)->pid, out);
}

/* 1, 0, or HELD: nobody has been asked yet about this rule and place within this operation. */
static int granted(struct call *c, const struct inode *i, const char *name, enum pol_op op, const struct pol_verdict *v)
{
	struct grant g = { .rule = v->rule, .i = i, .name = !name ? 0 : name == c->name ? 1 : 2 };

	/* Looking does no harm, is never held (the kernel locks the directory meanwhile), and what is not seen is not asked about. */
	if (op == POL_OP_STAT || op == POL_OP_ACCESS)
		return 1;
	for (unsigned k = 0; k < c->n_grants; k++)
		if (c->grants[k].rule == g.rule && c->grants[k].i == g.i && c->grants[k].name == g.name)
			return c->grants[k].allow;
	if (fsd.ending || c->n_grants == GRANTS_MAX)
		return 0;
	c->grants[c->n_grants++] = g;
	return HELD;
}

/* redirect of files is not built: it is refused, and the record says by which rule. */
static int allowed(struct call *c, const struct inode *i, const char *name, enum pol_op op, const struct pol_verdict *v)
{
	if (v->decision == POL_APPROVE)
		return granted(c, i, name, op, v);
	return v->decision == POL_ALLOW || v->decision == POL_AUDIT || v->decision == POL_SOFT_DELETE;
}

static void record(pid_t pid, enum pol_op op, const char *event, const struct pol_verdict *v, bool ok, const struct ask *a)
{
	struct evtlog *l = fsd.w->events;

	judge_recorded();
	evt_begin(l, event ? event : "file_access", a->command, pid);
	evt_str(l, "operation", pol_op_name(op));
	evt_str(l, "path", a->path);
	evt_policy(l, pol_decision_name(v->decision), ok ? "allow" : "deny", v->rule, a->message);
	evt_end(l);
}

/* What was allowed and changes nothing is recorded once it is answered: the caller goes on meanwhile. */
static struct { bool due; pid_t pid; enum pol_op op; const char *event; struct pol_verdict v; struct ask ask; } late;

void judge_recorded(void)
{
	if (!late.due)
		return;
	late.due = false;
	record(late.pid, late.op, late.event, &late.v, true, &late.ask);
}

static bool can_wait(enum pol_op op, const struct pol_verdict *v)
{
	return v->decision == POL_ALLOW && (op == POL_OP_READ || op == POL_OP_OPEN || op == POL_OP_LIST);
}

static void record_late(pid_t pid, enum pol_op op, const char *event, const struct pol_verdict *v, const struct ask *a)
{
	judge_recorded();
	late.due = true;
	late.pid = pid;
	late.op = op;
	late.event = event;
	late.v = *v;
	memcpy(late.ask.path, a->path, strlen(a->path) + 1);
	memcpy(late.ask.command, a->command, strlen(a->command) + 1);
	memcpy(late.ask.message, a->message, strlen(a->message) + 1);
}

/* Written from its end: a path may be deeper than what fits. */
static bool prepend(char *out, size_t *at, const char *part)
{
	size_t n = strlen(part);

	if (n + 4 > *at)
		return false;
	while (n)
		out[--*at] = part[--n];
	return true;
}

int inode_path(const struct inode *i, const char *name, char *out, size_t cap)
{
	size_t at = cap - 1;
	bool fits = true;

	out[at] = 0;
	if (name)
		fits = prepend(out, &at, name) && prepend(out, &at, "/");
	for (; fits && i->parent; i = i->parent)
		fits = prepend(out, &at, i->name) && prepend(out, &at, "/");
	if (fits)
		fits = prepend(out, &at, fsd.trees[i->tree].path);
	if (!fits) {
		at -= 3;
		memcpy(out + at, "...", 3);
	}
	memmove(out, out + at, cap - at);
	return fits ? 0 : -ENAMETOOLONG;
}

/* A directory above the workspace: it may be passed through under any policy, or the workspace's own name would lead nowhere. */
static bool on_the_way(const struct inode *i, const char *name)
{
	static char path[4400];
	size_t n;

	inode_path(i, name, path, sizeof(path));
	n = strlen(path);
	return !strncmp(fsd.workspace, path, n) && fsd.workspace[n] == '/';
}

int judge(struct call *c, struct inode *i, const char *name, enum pol_op op, const char *event, bool *ret_keep)
{
	struct pol_verdict v;
	struct pol_state st;
	struct pol_fields f = { .path = judge_ask.path, .operation = pol_op_name(op) };
	int ok;

	if (name && op != POL_OP_STAT && trash_name(i, name))
		return EACCES;
	if (name) {
		int r = acl_refuses(c->req, i, op == POL_OP_STAT ? X_OK : W_OK | X_OK);

		if (r)
			return r;
	}
	st = judge_state(i, name);
	v = policy_file(fsd.policy, st, op, judge_who(c->req, st, op));
	ok = allowed(c, i, name, op, &v);
	if (ok == 0 && op == POL_OP_STAT && on_the_way(i, name))
		return 0;
	if (ret_keep)
		*ret_keep = v.undo_keep || (v.decision == POL_SOFT_DELETE && (op == POL_OP_DELETE || op == POL_OP_RMDIR));
	if (ok == 1 && !event)
		return 0;
	if (ok != HELD && ++c->judged <= c->told)
		return ok ? 0 : EACCES;
	inode_path(i, name, judge_ask.path, sizeof(judge_ask.path));
	judge_command(c->req, judge_ask.command);
	judge_ask.message[0] = 0;
	if (v.message)
		pol_message(v.message, &f, judge_ask.message, sizeof(judge_ask.message));
	if (ok == HELD) {
		judge_ask.rule = v.rule;
		judge_ask.timeout_ms = v.timeout_ms;
		return HELD;
	}
	if (can_wait(op, &v))
		record_late(fuse_req_ctx(c->req)->pid, op, event, &v, &judge_ask);
	else
		record(fuse_req_ctx(c->req)->pid, op, event, &v, ok, &judge_ask);
	return ok ? 0 : EACCES;
}
