/* SPDX-License-Identifier: Apache-2.0 */
/* Failure words on the caller's stack. */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int r, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return r;
	e->status = r;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return r;
}

int err_wrap(struct err *e, int r, const char *fmt, ...)
{
	char old[ERR_MSG_MAX], head[ERR_MSG_MAX];
	va_list ap;

	if (!e)
		return r;
	snprintf(old, sizeof(old), "%s", e->msg[0] ? e->msg : strerror(-r));
	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	e->status = r;
	snprintf(e->msg, sizeof(e->msg), "%.250s: %.250s", head, old);
	return r;
}
