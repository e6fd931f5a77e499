/* SPDX-License-Identifier: Apache-2.0 */
/* The session's board: which command a process belongs to. One shared memory page set, written by the execd worker alone
 * (sealed against any other writable mapping), mapped read-only by the fsd and netd workers, never seen by the sandbox. */
#ifndef COMMON_BOARD_H
#define COMMON_BOARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/lineage.h"
#include "common/str.h"

#define BOARD_CMDS 256       /* commands at once per session; exec 257 is refused */
#define BOARD_SETS 1024      /* directories of labels below the commands' own, of all commands together */
#define BOARD_PIDS 16384     /* labels; when full, new ones are not written and readers walk to the parent */

struct board;
/* Writer: makes the memory; *ret_fd is for handing out (caller closes). */
int board_create(struct board **ret, int *ret_fd);
/* Reader. Refuses a descriptor that is not a sealed board (-EINVAL). Does not keep fd. */
int board_open(int fd, struct board **ret);
void board_close(struct board *b);
/* Writer: slot index of a new command, or -ENOSPC. cgroup: its cgroup-v2 id, 0 if none. */
int board_add(struct board *b, const char *command_id, uint64_t cgroup);
/* Writer: a directory below the command's, cgroup its id, for processes with these labels (common/lineage.h). 0 or -ENOSPC. */
int board_add_set(struct board *b, int slot, uint64_t cgroup, const struct lineage *l);
void board_remove(struct board *b, int slot);       /* and its sets and pid labels */
void board_label(struct board *b, pid_t pid, int slot);
/* Readers: writes the command id to out ("" if unknown). By pid: the label, else the nearest labelled parent in /proc (at most 64
 * steps). */
void board_by_pid(const struct board *b, pid_t pid, char out[ID_MAX]);
/* When a running command was added: nanoseconds of CLOCK_REALTIME since 1970, 0 if it is not known. */
uint64_t board_started(const struct board *b, const char *command_id);
void board_by_cgroup(const struct board *b, uint64_t cgroup, char out[ID_MAX]);
/* Readers: true and the labels of the processes in this directory; false (and 0): there are none by the numbering of id. Of ret only sure,
 * may and id are set. */
bool board_labels(const struct board *b, uint64_t cgroup, uint64_t id, struct lineage *ret);
/* The only running command, "" when there are none or several. */
void board_single(const struct board *b, char out[ID_MAX]);

#endif
