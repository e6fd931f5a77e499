/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of each daemon: a small parent that listens, starts one re-executed worker per session, hands connections over,
 * and remembers why sessions ended; and the worker's side of that. A daemon's main() fills struct daemon_ops and calls daemon_main. */
#ifndef COMMON_DAEMON_H
#define COMMON_DAEMON_H

#include "common/err.h"
#include "common/evt.h"
#include "common/ipc.h"
#include "common/loop.h"

#define DAEMON_SESSIONS_MAX 256   /* per daemon; one more is refused with words */
#define WORKER_CLIENTS_MAX 128    /* connections per worker */

/* What a worker starts with. The parent made the session directory and passes it; nothing else is open. */
struct worker {
	struct loop *loop;
	struct evtlog *events;
	int parent;                 /* socket to the parent; EOF there ends the worker (handled by daemon.c) */
	int setup;                  /* connection of the client that opened the session (blocking while setting up) */
	int session_dir;            /* DATA/sessions/ID */
	struct ipc_cred owner;      /* who opened the session */
	char id[ID_MAX];
	char data_dir[4096], run_dir[4096];
};

struct daemon_ops {
	const char *name;           /* "fsd" */
	void (*prepare)(void);      /* parent, before the first session: what is worth knowing once. May be NULL */
	/* Worker, privileged: read set-up frames from w->setup until START, build, answer HAND_* frames and OK; then drop rights.
	 * Non-zero: ERR was or will be sent with err's words and the worker ends. */
	int (*start)(struct worker *w, struct err *err);
	/* Worker, loop running: a request of a client. Must answer every request (OK/ERR), maybe later, on sock.
	 * Takes f->fd over if it wants it (sets f->fd = -1). SYNC, when handler returns -ENOSYS for it, is answered OK. -ENOSYS: ERR is
	 * sent. */
	int (*request)(struct worker *w, int sock, const struct ipc_cred *who, struct ipc_frame *f);
	void (*gone)(struct worker *w, int sock);   /* that client's connection closed; may be NULL */
	void (*end)(struct worker *w);              /* tear down everything of the session; then the process exits */
	void (*buried)(const char *id);             /* parent: that session's worker was killed; remove what outlives it. May be NULL */
};

int daemon_main(const struct daemon_ops *ops, int argc, char **argv);
/* Ends this worker's session: tells the parent why (kept for later askers), runs ops->end, exits. From inside the loop. */
void worker_end(struct worker *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* RUN and DATA directories as the contract: AGENTSH_RUN_DIR (/run/agentsh), AGENTSH_DATA_DIR (/var/lib/agentsh). */
const char *dirs_run(void);
const char *dirs_data(void);
int dirs_socket(const char *daemon, char *out, size_t cap);

#endif
