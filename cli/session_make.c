/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a session: opens the workspace with the caller's own rights, asks fsd for mounts and netd for a network, gives all to execd.
 * Whatever fails, closing the connections makes every daemon undo its part. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/trust.h"

struct making {
	int execd, fsd, netd, workspace, policy, board;
	uint8_t hash[32];
	struct made_session *out;
};

static struct ipc_frame frame;

static int send_str(int s, uint16_t type, const char *a, const char *b, int fd)
{
	uint8_t body[9000];
	struct wr w = wr_init(body, sizeof(body));

	wr_str(&w, a);
	if (b)
		wr_str(&w, b);
	return ipc_send_wr(s, type, 0, 1, &w, fd);
}

static int open_execd(struct making *m, struct err *err)
{
	struct rd b;
	int r;

	m->execd = client_connect("execd", true, err);
	if (m->execd < 0)
		return m->execd;
	r = send_str(m->execd, IPC_OPEN, "", NULL, -1);
	if (r < 0 || (r = ipc_answer(m->execd, &frame, err)) != 1)
		return r == 0 ? -ECONNRESET : err_wrap(err, r, "execd");
	b = rd_init(frame.body, frame.len);
	rd_strcpy(&b, m->out->id, ID_MAX);
	if (frame.type != IPC_HAND_BOARD || frame.fd < 0 || !rd_done(&b))
		return err_set(err, -EPROTO, "execd did not hand over the session's board");
	m->board = move_fd(&frame.fd);
	return 0;
}

static int send_trash_limits(int s, struct err *err)
{
	const struct config *c = config_get(err);
	uint8_t body[24];
	struct wr w = wr_init(body, sizeof(body));

	if (!c)
		return err->status;
	wr_u64(&w, c->trash_bytes);
	wr_u64(&w, c->trash_entries);
	wr_u64(&w, c->trash_age_ms);
	return ipc_send_wr(s, IPC_SET_TRASH, 0, 1, &w, -1);
}

static int open_other(struct making *m, const char *daemon, int *ret, struct err *err)
{
	int s = client_connect(daemon, true, err), r;

	if (s < 0)
		return s;
	*ret = s;
	r = send_str(s, IPC_OPEN, m->out->id, NULL, -1);
	if (r == 0)
		r = ipc_send(s, IPC_SET_POLICY, 0, 1, m->hash, 32, m->policy);
	if (r == 0)
		r = ipc_send(s, IPC_SET_BOARD, 0, 1, NULL, 0, m->board);
	if (r == 0 && !strcmp(daemon, "fsd")) {
		r = send_str(s, IPC_SET_WORKSPACE, m->out->workspace, m->out->policy, m->workspace);
		if (r == 0)
			r = send_trash_limits(s, err);
	}
	if (r == 0)
		r = ipc_send(s, IPC_START, 0, 2, NULL, 0, -1);
	return r < 0 ? err_set(err, r, "asking %s: %s", daemon, strerror(-r)) : 0;
}

/* Passes on what a daemon hands over, until its OK. */
static int collect(struct making *m, int from, struct err *err)
{
	static const struct { uint16_t in, out; } pass[] = { { IPC_HAND_MOUNT, IPC_SET_MOUNT }, { IPC_HAND_NETNS, IPC_SET_NETNS },
							     { IPC_HAND_LEASE, IPC_SET_LEASE }, { IPC_HAND_ENV, IPC_SET_ENV },
							     { IPC_HAND_FILE, IPC_SET_FILE } };

	for (;;) {
		int r = ipc_answer(from, &frame, err);
		bool known = false;

		if (r != 1)
			return r == 0 ? -ECONNRESET : r;
		if (frame.type == IPC_OK)
			return 0;
		for (size_t i = 0; i < ARRAY_LEN(pass); i++)
			if (frame.type == pass[i].in) {
				r = ipc_send(m->execd, pass[i].out, 0, 1, frame.body, frame.len, frame.fd);
				known = true;
			}
		if (frame.fd >= 0)
			close(frame.fd);
		if (!known || r < 0)
			return err_set(err, known ? r : -EPROTO, "handing over %s failed", ipc_name(frame.type));
	}
}

static int start_execd(struct making *m, struct err *err)
{
	const char *home = getenv("HOME");
	int r = ipc_send(m->execd, IPC_SET_POLICY, 0, 1, m->hash, 32, m->policy);

	if (r == 0)
		r = send_str(m->execd, IPC_SET_WORKSPACE, m->out->workspace, m->out->policy, m->workspace);
	if (r == 0)
		r = send_str(m->execd, IPC_SET_HOME, home ? home : "/", NULL, -1);
	if (r == 0)
		r = ipc_send(m->execd, IPC_START, 0, 3, NULL, 0, -1);
	if (r < 0) {
		/* Its own words, if it refused before we had sent all, say more than a broken pipe. */
		if (ipc_answer(m->execd, &frame, err) >= 0)
			err_set(err, r, "asking execd: %s", strerror(-r));
		return r;
	}
	r = ipc_answer(m->execd, &frame, err);
	if (r == 1 && frame.type == IPC_OK && frame.len) {
		struct rd b = rd_init(frame.body, frame.len);
		char words[512];

		rd_strcpy(&b, words, sizeof(words));
		if (rd_done(&b))
			complain("warning: %s", words);
	}
	return r == 1 ? 0 : r == 0 ? -ECONNRESET : r;
}

static int make(struct making *m, struct err *err)
{
	int r = open_execd(m, err);

	if (r == 0)
		r = open_other(m, "fsd", &m->fsd, err);
	if (r == 0)
		r = open_other(m, "netd", &m->netd, err);
	if (r == 0)
		r = collect(m, m->fsd, err);
	if (r == 0)
		r = collect(m, m->netd, err);
	return r == 0 ? start_execd(m, err) : r;
}

int session_make(const char *workspace, const char *policy, bool verbose, struct made_session *ret, struct err *err)
{
	struct making m = { .execd = -1, .fsd = -1, .netd = -1, .workspace = -1, .policy = -1, .board = -1, .out = ret };
	char real[4096];
	int r;

	if (!realpath(workspace, real))
		return err_set(err, -errno, "workspace %s: %s", workspace, strerror(errno));
	snprintf(ret->workspace, sizeof(ret->workspace), "%s", real);
	r = trust_choose(policy, ret->policy, sizeof(ret->policy), err);
	if (r < 0)
		return r;
	m.workspace = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m.workspace < 0)
		return err_set(err, -errno, "workspace %s: %s", real, strerror(errno));
	r = policy_load(ret->policy, real, &m.policy, m.hash, verbose ? POLICY_SAYS_ALL : POLICY_SAYS_UNENFORCED, err);
	if (r == 0)
		r = make(&m, err);
	hex_encode(m.hash, 32, ret->hash);
	const int fds[] = { m.execd, m.fsd, m.netd, m.workspace, m.policy, m.board };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return r;
}
