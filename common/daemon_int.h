/* SPDX-License-Identifier: Apache-2.0 */
/* Between daemon.c (the parent) and worker.c (the worker's side); nobody else includes it. */
#ifndef COMMON_DAEMON_INT_H
#define COMMON_DAEMON_INT_H

#include "common/daemon.h"

/* Descriptors that a re-executed worker finds open, besides 0, 1, 2. */
enum { WORKER_FD_PARENT = 3, WORKER_FD_SETUP = 4, WORKER_FD_DIR = 5 };

int worker_main(const struct daemon_ops *ops, const char *id);

#endif
