/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two policies ask the same about what a program descends from. */
#include <string.h>

#include "policy/image.h"

bool policy_descent_same(const struct policy *a, const struct policy *b)
{
	uint32_t n, m;
	const uint32_t *v = list_at(a, a->h->labels, &n), *w = list_at(b, b->h->labels, &m);

	if (n != m || policy_depths(a) != policy_depths(b))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const char *x = str_at(a, v[i]), *y = str_at(b, w[i]);

		if (!x || !y || strcmp(x, y) != 0)
			return false;
	}
	return true;
}
