/* SPDX-License-Identifier: Apache-2.0 */
/* Growable bytes with a maximum and a sticky error. */
#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

void buf_fini(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

static int buf_grow(struct buf *b, size_t n)
{
	size_t need, cap = b->cap ? b->cap : 256;
	uint8_t *p;

	if (b->error)
		return b->error;
	if (__builtin_add_overflow(b->len, n, &need) || need > b->max)
		return b->error = -EMSGSIZE;
	if (need + 1 <= b->cap)
		return 0;
	while (cap < need + 1)
		cap *= 2;
	p = realloc(b->data, cap);
	if (!p)
		return b->error = -ENOMEM;
	b->data = p;
	b->cap = cap;
	return 0;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (buf_grow(b, n) < 0)
		return;
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = 0;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || buf_grow(b, (size_t)n) < 0)
		return;
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_json_str(struct buf *b, const char *s, size_t n)
{
	size_t i = 0;

	buf_put(b, "\"", 1);
	while (i < n && !b->error) {
		unsigned char c = (unsigned char)s[i];
		size_t len = utf8_len((const uint8_t *)s + i, n - i);

		if (len == 0) {
			buf_puts(b, "\\ufffd");
			len = 1;
		} else if (c == '"' || c == '\\') {
			buf_printf(b, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_printf(b, "\\u%04x", c);
		} else {
			buf_put(b, s + i, len);
		}
		i += len;
	}
	buf_put(b, "\"", 1);
}
