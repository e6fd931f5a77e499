/* SPDX-License-Identifier: Apache-2.0 */
/* struct err: a failure's status and words, on the caller's stack; no allocation, nothing to release. */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include "common/cleanup.h"

#define ERR_MSG_MAX 512

struct err {
	int status;             /* negative errno, 0 when nothing failed */
	char msg[ERR_MSG_MAX];  /* one sentence, no newline; NUL-terminated */
};

/* Sets status and words (e may be NULL); returns r so that "return err_set(e, -EINVAL, ...)" reads well. */
int err_set(struct err *e, int r, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts words and ": " before those already there (once, by the layer that knows the context); returns r.
 * When e holds no words yet, strerror(-r) stands for them. */
int err_wrap(struct err *e, int r, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
