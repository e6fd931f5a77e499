/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands about the trash share. */
#ifndef CLI_TRASH_H
#define CLI_TRASH_H

#include "cli/cmd.h"

#define SESSIONS_MAX 1024
enum { TRASH_DELETED, TRASH_REPLACED, TRASH_OVERWRITTEN, TRASH_TRUNCATED, TRASH_ASIDE, TRASH_MADE = 16, TRASH_MOVED, TRASH_EXCHANGED,
	TRASH_NOT_KEPT, TRASH_PURGED, TRASH_ATTRS };
/* The word for one of them, "" for another number; static. */
const char *trash_word(unsigned what);
/* "500", "64K", "5GB", "5GiB": bytes, by powers of 1024. 0, -EINVAL or -ERANGE. */
int trash_size(const char *text, uint64_t *ret);
/* Connection to the worker that has session id's trash, or negative errno with words. One per session for the whole command: the worker for
 * an ended session ends with it. Not to be closed. */
int trash_connect(const char *id, struct err *err);

/* cmd_undo.c: takes back what a command changed, or with UNDO_SINCE all since a checkpoint; prints; an exit code. */
enum { UNDO_DRY_RUN = 1, UNDO_FORCE = 2, UNDO_SINCE = 4 };
int undo_run(const char *session, const char *id, unsigned flags, bool json);

#endif
