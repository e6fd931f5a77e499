/* SPDX-License-Identifier: Apache-2.0 */
/* What sets of globs have in common, exactly: for the lints, which compare rules and not texts. Compiler only. */
#ifndef POLICY_LINT_GLOB_H
#define POLICY_LINT_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { G_SET, G_SPLIT, G_ACCEPT };
#define G_BYTES 256u                             /* sets before this one are one byte each */
/* of: the glob's number. ever: from here on every text matches. */
struct gnode { uint8_t kind; bool ever; uint32_t set, a, b, of; };
struct grank { uint32_t rank, mask; };
struct walk;
/* Its nodes, while it is among those that are built: those of 100,000 globs would be more than all else that is known of them. */
struct gone { const char *glob; uint32_t start, from, to; };
struct globs {
	struct gnode *v; uint32_t n, cap;            /* owned, as the rest */
	uint8_t (*sets)[32]; uint32_t n_sets, cap_sets;
	struct gone *globs; uint32_t n_globs, cap_globs;
	uint32_t building;                           /* the glob whose nodes are made */
	char sep;                                    /* as of wild_match */
	bool fold;                                   /* texts are lower case and case does not count */
	bool paths;                                  /* texts are clean absolute paths */
	/* By glob number, or NULL: what of others is passed over, as the caller would not look at it. It is a glob of which every bit of
	 * mask & care is among those of globs of no higher rank that match, however the text goes on. Ranks rise with the numbers, and one
	 * rank has one mask. Not owned. */
	const struct grank *ranks;
	uint32_t care;
	/* Or NULL: what globs take to build and to walk is taken off, and at 0 nothing more is done. Not owned. */
	uint64_t *work;
	struct walk *room;                           /* of the last walk */
};
/* Number of the glob, from 0 in the order they are added; it stays the caller's and must outlive g. -E2BIG: too long, -ENOMEM. */
int globs_add(struct globs *g, const char *glob);
void globs_fini(struct globs *g);
void globs_room_free(struct globs *g);
/* Makes the nodes of these globs, in the order of their numbers, in place of those that were made before. others: as below. 0; -E2BIG: also
 * when the work is used up. */
int globs_build(struct globs *g, uint32_t must, const uint32_t *others, size_t n);
/* Takes n off what may be done. False: nothing is left. */
bool globs_spend(struct globs *g, uint64_t n);
/* Whether this place goes on over byte c. */
bool globs_has(const struct globs *g, const struct gnode *x, unsigned c);
/* Gives fn each set of `others` (n numbers, rising) that some text matches which glob `must` matches too, and that begins with `below` when
 * that is not NULL: hit, rising. The same set may come more than once. fn returns false to end the walk. *left counts down by what is
 * looked at. 0; -ETIME: *left is used up, or too many sets; -ENOMEM. */
typedef bool (*globs_fn)(void *arg, const uint32_t *hit, size_t n);
int globs_walk(struct globs *g, uint32_t must, const uint32_t *others, size_t n, const char *below, globs_fn fn, void *arg,
	       uint64_t *left);

/* A text that glob `must` matches and that is unlike what others ask for; variants, from 0 on, differ where the glob leaves
 * room. below: as above, for a glob that begins with "**" alone. False: none was found, which says nothing. */
#define TEXT_VARIANTS 8
bool globs_text(struct globs *g, uint32_t must, unsigned variant, const char *below, char *out, size_t cap);

#endif
