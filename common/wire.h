/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors over bytes with a sticky error: little-endian numbers, length-prefixed strings (u32 length, bytes). */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd { const uint8_t *p, *end; bool bad; };
struct wr { uint8_t *p, *base, *end; bool bad; };

static inline struct rd rd_init(const void *p, size_t n)
{
	return (struct rd){ p, p ? (const uint8_t *)p + n : p, false };
}
/* All getters return 0 / "" once bad. */
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
const uint8_t *rd_bytes(struct rd *r, size_t n);    /* n bytes inside the input, or NULL */
/* A string without NUL inside and at most max bytes; pointer into the input, NOT terminated. */
const char *rd_str(struct rd *r, size_t max, size_t *ret_len);
/* The same, copied to out[cap] and terminated; too long for cap makes the cursor bad. */
void rd_strcpy(struct rd *r, char *out, size_t cap);
/* True if nothing failed and every byte was read. */
static inline bool rd_done(const struct rd *r) { return !r->bad && r->p == r->end; }

static inline struct wr wr_init(void *p, size_t n)
{
	return (struct wr){ p, p, (uint8_t *)p + n, false };
}
void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, const void *p, size_t n);
void wr_str(struct wr *w, const char *s);
void wr_strn(struct wr *w, const char *s, size_t n);
static inline size_t wr_len(const struct wr *w) { return (size_t)(w->p - w->base); }

#endif
