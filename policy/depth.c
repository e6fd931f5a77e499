/* SPDX-License-Identifier: Apache-2.0 */
/* How far the rules tell depths of execs apart. */
#include "policy/image.h"

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
