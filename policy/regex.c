/* SPDX-License-Identifier: Apache-2.0 */
/* args_patterns, matched: vectorscan's home, with regex_make.c. Only its small runtime library is linked: the whole one and the C++ library
 * that it needs cost every process start 1.5 ms. */
#include <errno.h>
#include <hs/hs_runtime.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

/* vectorscan 5.4 loses matches where it looks at more than 16 bytes at once (its issue 317): of 1.4 million texts 347 in one piece, 18 in
 * pieces of 32, none in pieces of 16 or less. A rule that refuses would be passed by that. */
#define PIECE 8

struct regex {
	hs_database_t *db;
	hs_scratch_t *scratch;
	hs_stream_t *stream;
};

int regex_open(const uint8_t *db, size_t n, struct regex **ret)
{
	struct regex *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	if (hs_deserialize_database((const char *)db, n, &r->db) != HS_SUCCESS || hs_alloc_scratch(r->db, &r->scratch) != HS_SUCCESS ||
	    hs_open_stream(r->db, 0, &r->stream) != HS_SUCCESS) {
		regex_close(r);
		return -EPROTO;
	}
	*ret = r;
	return 0;
}

static int on_match(unsigned id UNUSED, unsigned long long from UNUSED, unsigned long long to UNUSED, unsigned flags UNUSED, void *hit)
{
	*(bool *)hit = true;
	return 1;
}

int regex_match(const struct regex *r, const char *text, size_t n)
{
	bool hit = false;
	hs_error_t e = HS_SUCCESS, end;

	for (size_t at = 0; at < n && e == HS_SUCCESS && !hit; at += PIECE)
		e = hs_scan_stream(r->stream, text + at, n - at < PIECE ? (unsigned)(n - at) : PIECE, 0, r->scratch, on_match, &hit);
	/* The end is a place to match as well; and the next text begins anew. */
	end = hs_reset_stream(r->stream, 0, r->scratch, hit ? NULL : on_match, &hit);
	return hit ? 1 : (e == HS_SUCCESS && end == HS_SUCCESS) ? 0 : -EIO;
}

void regex_close(struct regex *r)
{
	if (!r)
		return;
	if (r->stream)
		hs_close_stream(r->stream, r->scratch, NULL, NULL);
	hs_free_scratch(r->scratch);
	hs_free_database(r->db);
	free(r);
}
