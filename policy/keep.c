/* SPDX-License-Identifier: Apache-2.0 */
/* What globs leave to be kept beside the states of an automaton: that a directory was entered below which they hold for good, or below
 * which only their last name is left to match. In the states, any of these could come with any others. Compiler only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/dfa.h"
#include "policy/nfa.h"

int keep_init(struct keep *k, const struct rules *rules)
{
	uint32_t n = 0;

	*k = (struct keep){ .sticky = malloc((rules->n + 1) * sizeof(*k->sticky)) };
	if (!k->sticky)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *u = &rules->v[i];
		bool sticky = false;

		for (size_t g = 0; g < u->paths.n && n < STICKY_MAX; g++) {
			size_t len = strlen(u->paths.v[g]);

			sticky |= len > 2 && !strcmp(u->paths.v[g] + len - 2, "**");
		}
		sticky &= !u->more || !u->more->processes.n;
		k->sticky[i] = (uint16_t)(sticky ? n++ : STICKY_MAX);
	}
	return 0;
}

void keep_fini(struct keep *k)
{
	free(k->sticky);
	*k = (struct keep){ 0 };
}

uint32_t keep_arm(struct keep *k, const char *glob, size_t n)
{
	uint32_t hash = 2166136261u, at;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (uint8_t)glob[i]) * 16777619u;
	for (at = hash % ARM_SLOTS; k->found[at]; at = (at + 1) % ARM_SLOTS) {
		uint32_t i = k->found[at] - 1u;

		if (k->arms[i].n == n && !memcmp(k->arms[i].glob, glob, n))
			return i;
	}
	if (k->n_arms == POL_KEPT_MAX)
		return POL_KEPT_MAX;
	k->arms[k->n_arms].glob = glob;
	k->arms[k->n_arms].n = n;
	k->found[at] = (uint16_t)++k->n_arms;
	return k->n_arms - 1;
}
