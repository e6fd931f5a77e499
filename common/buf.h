/* SPDX-License-Identifier: Apache-2.0 */
/* Growable bytes with a hard maximum. The first failure sticks: check buf_ok once at the end. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;  /* owned; NUL follows the last byte once anything was put */
	size_t len, cap, max;
	int error;      /* 0 or the first negative errno (-ENOMEM, -EMSGSIZE) */
};

#define BUF_INIT(limit) { .max = (limit) }
void buf_fini(struct buf *b);                       /* frees; takes zeroed objects */
void buf_reset(struct buf *b);                      /* length 0, error 0, memory kept */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string literal with quotes (RFC 8259). Invalid UTF-8 bytes become U+FFFD. */
void buf_json_str(struct buf *b, const char *s, size_t n);
static inline bool buf_ok(const struct buf *b) { return b->error == 0; }

#endif
