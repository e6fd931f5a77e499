/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a program for the rules: by which numbering its labels, how far its depth. */
#include "policy/image.h"

uint64_t policy_labels_id(const struct policy *p)
{
	uint32_t n;
	const uint32_t *v = list_at(p, p->h->labels, &n);
	uint64_t id = 0xcbf29ce484222325u;

	for (uint32_t i = 0; i < n; i++)
		for (const char *s = p->pool + v[i];; s++) {
			id = (id ^ (unsigned char)*s) * 0x100000001b3u;
			if (!*s)
				break; /* the end counts, too: it parts two entries */
		}
	return id ? id : 1;
}

uint32_t policy_depths(const struct policy *p)
{
	uint32_t far = 1;

	for (uint32_t i = 0; i < p->n[SEC_EXEC]; i++) {
		const struct img_exec *u = &p->execs[i];

		if (u->min_depth > 0 && (uint32_t)u->min_depth > far)
			far = (uint32_t)u->min_depth;
		if (u->max_depth >= 0 && (uint32_t)u->max_depth + 1 > far)
			far = (uint32_t)u->max_depth + 1;
	}
	return far;
}
