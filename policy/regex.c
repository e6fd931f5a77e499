/* SPDX-License-Identifier: Apache-2.0 */
/* args_patterns: vectorscan's home. Compiled once, stored in the generation, matched without backtracking. */
#include <errno.h>
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

struct regex {
	hs_database_t *db;
	hs_scratch_t *scratch;
};

int regex_compile(const struct strs *patterns, uint8_t **ret, size_t *ret_len, char *why, size_t cap, size_t *ret_which)
{
	unsigned *flags = calloc(patterns->n, sizeof(*flags)), *ids = calloc(patterns->n, sizeof(*ids));
	hs_compile_error_t *error = NULL;
	hs_database_t *db = NULL;
	char *bytes = NULL;
	int r = -ENOMEM;

	for (size_t i = 0; flags && ids && i < patterns->n; i++) {
		flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;
		ids[i] = (unsigned)i;
	}
	if (flags && ids && hs_compile_multi((const char *const *)patterns->v, flags, ids, (unsigned)patterns->n, HS_MODE_BLOCK, NULL, &db, &error) !=
				    HS_SUCCESS) {
		snprintf(why, cap, "%s", error ? error->message : "cannot be compiled");
		*ret_which = error && error->expression >= 0 ? (size_t)error->expression : 0;
		hs_free_compile_error(error);
		r = -EINVAL;
	} else if (flags && ids && hs_serialize_database(db, &bytes, ret_len) == HS_SUCCESS) {
		*ret = malloc(*ret_len);
		r = *ret ? 0 : -ENOMEM;
		if (*ret)
			memcpy(*ret, bytes, *ret_len);
	}
	free(bytes);
	hs_free_database(db);
	free(flags);
	free(ids);
	return r;
}

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

bool regex_match(const struct regex *r, const char *text, size_t n)
{
	bool hit = false;

	hs_scan(r->db, text, (unsigned)n, 0, r->scratch, on_match, &hit);
	return hit;
}

void regex_close(struct regex *r)
{
	if (!r)
		return;
	hs_free_scratch(r->scratch);
	hs_free_database(r->db);
	free(r);
}
