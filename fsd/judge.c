/* SPDX-License-Identifier: Apache-2.0 */
/* One operation to the policy's answer and its record. */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <string.h>

#include "fsd/fsd.h"

struct pol_state judge_state(const struct inode *dir, const char *name)
{
	return name ? policy_file_child(fsd.policy, dir->state, name, strlen(name)) : dir->state;
}

int judge(fuse_req_t req, struct inode *i, const char *name, enum pol_op op, const char *event, bool *ret_soft)
{
	struct pol_verdict v = policy_file(fsd.policy, judge_state(i, name), op);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	bool ok = v.decision == POL_ALLOW || v.decision == POL_AUDIT || (v.decision == POL_SOFT_DELETE);
	char path[8192], command[ID_MAX], message[1024] = "";
	struct pol_fields f = { .path = path, .operation = pol_op_name(op) };

	if (ret_soft)
		*ret_soft = v.decision == POL_SOFT_DELETE;
	if (ok && !event)
		return 0;
	inode_path(i, name, path, sizeof(path));
	board_by_pid(fsd.board, ctx->pid, command);
	if (v.message)
		pol_message(v.message, &f, message, sizeof(message));
	evt_begin(fsd.w->events, event ? event : "file_access", command, ctx->pid);
	evt_str(fsd.w->events, "operation", pol_op_name(op));
	evt_str(fsd.w->events, "path", path);
	/* approve and redirect of files hold no request here: they are refused, and the record says by which rule. */
	evt_policy(fsd.w->events, pol_decision_name(v.decision), ok ? "allow" : "deny", v.rule, message);
	evt_end(fsd.w->events);
	return ok ? 0 : EACCES;
}
