/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: the numbers of the distinct entries of `processes`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

/* Where text is among the strings; their number when it is not. */
static size_t where(const struct strs *all, const char *text)
{
	size_t i = 0;

	while (i < all->n && strcmp(all->v[i], text) != 0)
		i++;
	return i;
}

static int take(struct strs *all, const struct strs *some)
{
	for (size_t i = 0; i < some->n; i++) {
		if (where(all, some->v[i]) < all->n)
			continue;
		if (all->n == POL_LABELS_MAX)
			return -E2BIG;
		all->v[all->n] = strdup(some->v[i]);
		if (!all->v[all->n])
			return -ENOMEM;
		all->n++;
	}
	return 0;
}

int labels_of(const struct model *m, struct strs *ret)
{
	const struct rules *sections[] = { &m->files, &m->nets, &m->execs, &m->unixes };
	struct strs all = { calloc(POL_LABELS_MAX + 1, sizeof(char *)), 0 };
	int r = all.v ? 0 : -ENOMEM;

	for (size_t k = 0; k < ARRAY_LEN(sections); k++)
		for (size_t i = 0; r == 0 && i < sections[k]->n; i++)
			if (sections[k]->v[i].more)
				r = take(&all, &sections[k]->v[i].more->processes);
	for (size_t i = 0; r == 0 && i < m->n_signals; i++)
		r = take(&all, &m->signals[i].processes);
	if (r < 0)
		strs_fini(&all);
	*ret = all;
	return r;
}

uint64_t labels_mask(const struct strs *all, const struct strs *some)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < some->n; i++) {
		size_t k = where(all, some->v[i]);

		if (k < all->n && k < POL_LABELS_MAX)
			mask |= 1ull << k;
	}
	return mask;
}
