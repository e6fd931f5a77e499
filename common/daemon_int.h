/* SPDX-License-Identifier: Apache-2.0 */
/* Between daemon.c (the parent) and worker.c (the worker's side); nobody else includes it. */
#ifndef COMMON_DAEMON_INT_H
#define COMMON_DAEMON_INT_H

#include <stdbool.h>

#include "common/daemon.h"

/* Descriptors that a re-executed worker finds open, besides 0, 1, 2. */
enum { WORKER_FD_PARENT = 3, WORKER_FD_SETUP = 4, WORKER_FD_DIR = 5 };

/* Exit status of a worker whose set-up failed: nothing of its session is worth keeping. */
enum { WORKER_NOT_STARTED = 3 };

/* Opens the session's directory, made if need be; -EPERM when it is another user's. */
int session_dir(const char *id, const struct ipc_cred *who, int *ret_fd, bool *ret_made);
/* Removes it, if it holds nothing but its owner's name and this daemon's empty record. */
void session_dir_drop(const char *id, uid_t uid, const char *daemon);
int worker_main(const struct daemon_ops *ops, const char *id);

#endif
