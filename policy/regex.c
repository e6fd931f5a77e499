/* SPDX-License-Identifier: Apache-2.0 */
/* args_patterns, matched: vectorscan's home, with regex_make.c. Only its small runtime library is linked: the whole one and the C++ library
 * that it needs cost every process start 1.5 ms. */
#include <errno.h>
#include <hs/hs_runtime.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

struct regex {
	hs_database_t *db;
	hs_scratch_t *scratch;
};

int regex_open(const uint8_t *db, size_t n, struct regex **ret)
{
	struct regex *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	if (hs_deserialize_database((const char *)db, n, &r->db) != HS_SUCCESS || hs_alloc_scratch(r->db, &r->scratch) != HS_SUCCESS) {
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
	hs_error_t e = n > UINT32_MAX ? HS_INVALID : hs_scan(r->db, text, (unsigned)n, 0, r->scratch, on_match, &hit);

	return hit ? 1 : e == HS_SUCCESS ? 0 : -EIO;
}

void regex_close(struct regex *r)
{
	if (!r)
		return;
	hs_free_scratch(r->scratch);
	hs_free_database(r->db);
	free(r);
}
