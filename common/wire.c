/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian cursors with a sticky error. */
#include "common/wire.h"

#include <string.h>

const uint8_t *rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return p;
}

static uint64_t rd_le(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t rd_u8(struct rd *r) { return (uint8_t)rd_le(r, 1); }
uint16_t rd_u16(struct rd *r) { return (uint16_t)rd_le(r, 2); }
uint32_t rd_u32(struct rd *r) { return (uint32_t)rd_le(r, 4); }
uint64_t rd_u64(struct rd *r) { return rd_le(r, 8); }

const char *rd_str(struct rd *r, size_t max, size_t *ret_len)
{
	uint32_t n = rd_u32(r);
	const uint8_t *p;

	*ret_len = 0;
	if (n > max)
		r->bad = true;
	p = rd_bytes(r, n);
	if (p && n && memchr(p, 0, n)) {
		r->bad = true;
		p = NULL;
	}
	if (!p)
		return "";
	*ret_len = n;
	return (const char *)p;
}

void rd_strcpy(struct rd *r, char *out, size_t cap)
{
	size_t n;
	const char *s = rd_str(r, cap - 1, &n);

	if (n)
		memcpy(out, s, n);
	out[n] = 0;
}

void wr_bytes(struct wr *w, const void *p, size_t n)
{
	if (w->bad || (size_t)(w->end - w->p) < n) {
		w->bad = true;
		return;
	}
	if (n)
		memcpy(w->p, p, n);
	w->p += n;
}

static void wr_le(struct wr *w, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	wr_bytes(w, b, n);
}

void wr_u8(struct wr *w, uint8_t v) { wr_le(w, v, 1); }
void wr_u16(struct wr *w, uint16_t v) { wr_le(w, v, 2); }
void wr_u32(struct wr *w, uint32_t v) { wr_le(w, v, 4); }
void wr_u64(struct wr *w, uint64_t v) { wr_le(w, v, 8); }

void wr_strn(struct wr *w, const char *s, size_t n)
{
	if (n > UINT32_MAX)
		w->bad = true;
	wr_u32(w, (uint32_t)n);
	wr_bytes(w, s, n);
}

void wr_str(struct wr *w, const char *s) { wr_strn(w, s, strlen(s)); }
