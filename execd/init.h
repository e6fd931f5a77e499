/* SPDX-License-Identifier: Apache-2.0 */
/* Between the worker and its pid 1. Request: u32 number with INIT_FDS descriptors; report: u32 number, u32 wait status, u64 user us,
 * u64 system us, u64 max rss KiB. */
#ifndef EXECD_INIT_H
#define EXECD_INIT_H

#include "execd/execd.h"

/* text: memfd {str cwd, u32 argc, str..., u32 envc, str...}; gate: socket for the listener and the word to go on. */
enum { INIT_FD_TEXT, INIT_FD_GATE, INIT_FD_IN, INIT_FD_OUT, INIT_FD_ERR, INIT_FD_CGROUP, INIT_FDS };
#define INIT_REPORT 32
/* What a child that could not start its program writes to the gate: u32 exit code, str words. */
#define INIT_FAIL_MAX 1024

/* child.c: from the fork to the program's first instruction. */
void child_main(struct session *s, const int fds[INIT_FDS]) __attribute__((noreturn));

#endif
