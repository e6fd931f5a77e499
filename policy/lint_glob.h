/* SPDX-License-Identifier: Apache-2.0 */
/* What sets of globs have in common, exactly: for the lints, which compare rules and not texts. Compiler only. */
#ifndef POLICY_LINT_GLOB_H
#define POLICY_LINT_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gnode { uint8_t kind; uint32_t set, a, b; };
struct gone { uint32_t start, from, to; };       /* its nodes */
struct globs {
	struct gnode *v; uint32_t n, cap;            /* owned, as the rest */
	uint8_t (*sets)[32]; uint32_t n_sets, cap_sets;
	struct gone *globs; uint32_t n_globs, cap_globs;
	char sep;                                    /* as of wild_match */
	bool fold;                                   /* texts are lower case and case does not count */
	bool paths;                                  /* texts are clean absolute paths */
};
/* Number of the glob, from 0 in the order they are added; -E2BIG: too many, -ENOMEM. */
int globs_add(struct globs *g, const char *glob);
void globs_fini(struct globs *g);
/* Gives fn each set of `others` (n numbers, rising) that some text matches which glob `must` matches too, and that begins with `below` when
 * that is not NULL: hit, rising. The same set may come more than once. fn returns false to end the walk. *left counts down by what is
 * looked at. 0; -ETIME: *left is used up, or too many sets; -ENOMEM. */
typedef bool (*globs_fn)(void *arg, const uint32_t *hit, size_t n);
int globs_walk(const struct globs *g, uint32_t must, const uint32_t *others, size_t n, const char *below, globs_fn fn, void *arg,
	       uint64_t *left);

#endif
