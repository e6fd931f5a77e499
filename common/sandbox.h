/* SPDX-License-Identifier: Apache-2.0 */
/* Dropping of rights and the seccomp filters of our own processes, one table row per role. */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

enum sandbox_role { SANDBOX_NETD_WORKER, SANDBOX_FSD_WORKER, SANDBOX_EXECD_WORKER, SANDBOX__COUNT };

/* Keeps only the capabilities in the mask (1ULL << CAP_*) in permitted and effective, empties inheritable, ambient and the
 * bounding set, sets no_new_privs and non-dumpable. uid/gid -1: unchanged; else all ids become these, groups emptied, first. */
int priv_drop(uid_t uid, gid_t gid, uint64_t keep_caps, struct err *err);
/* Puts the role's Landlock rules in force, for this thread and what it starts: files that the role has no row for cannot be opened by
 * name. 0 also where the kernel has none (one line at info). Called by sandbox_enter. */
int landlock_enter(enum sandbox_role role, struct err *err);
/* For this thread and what it starts: nothing of /proc can be opened for writing, so that no process can write another's memory there.
 * Anything else below the root can as far as it could before, and the files behind descriptors 0 to 2, by whatever name. Needs
 * no_new_privs. 0, -EOPNOTSUPP where the kernel has no Landlock that leaves renames alone (before 5.19), or negative errno. */
int landlock_close_proc(void);
/* Enters Landlock, then loads the role's seccomp table: what a taken-over worker would want first (new programs, mounts,
 * namespaces, other processes) is refused with EPERM, on all threads. Last step; afterwards the process cannot start a program. */
int sandbox_enter(enum sandbox_role role, struct err *err);

#endif
