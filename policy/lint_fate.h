/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules before it leave to an entry of a rule that selects by path and operation. Compiler only; of the lints. */
#ifndef POLICY_LINT_FATE_H
#define POLICY_LINT_FATE_H

#include "policy/lint.h"
#include "policy/lint_glob.h"

struct entry { const char *glob; uint32_t rule, plain; };   /* plain: bytes before the first special one */
/* Operations left to an entry, and those that some rule before it decides and does not permit, as far as they are not left. met: it has
 * texts. takers: who decides the others; permitting: those of them that permit. */
struct fate { uint32_t alive, barred; bool met; struct takers takers, permitting; };
struct paths {
	struct lint *l;
	const struct rules *r;
	bool unixes;
	struct globs g;
	struct entry *entries;           /* by glob number; owned, as the rest */
	struct grank *ranks;             /* rules and their operations, by glob number */
	uint32_t *order;                 /* glob numbers by what is plain at the beginning */
	uint32_t *others, *some;
	uint32_t *first;                 /* glob number of each rule's first entry, and one behind the last */
	uint8_t *met;                    /* of each of the others */
	size_t n_others;
	uint64_t union_left;             /* as l->left, for what is not needed to know something of every entry */
	const struct rule *u;            /* whose entry is looked at, which operations of it, and how it fares */
	uint32_t open;
	struct fate *fate;
};
/* Of all entries of these rules. 0, -ENOMEM, -E2BIG; to be ended by paths_fini in any case. */
int paths_make(struct paths *p, struct lint *l, const struct rules *r, bool unixes);
void paths_fini(struct paths *p);

typedef void (*near_fn)(struct paths *p, void *arg, uint32_t entry);
/* Entries that begin plainly as the text does, as far as both are plain. longer: those too that go on where its plain part of n bytes
 * ends. 0, or -ETIME: l->left is used up. */
int paths_near(struct paths *p, const char *text, size_t n, bool longer, near_fn fn, void *arg);

/* What is left to glob number at, an entry of rule i, of its texts that begin with `below` when that is not NULL. no_exceptions: as if
 * those earlier rules were not there that permit and name nothing that rule i does not name. What is too dear to find out is left to it.
 * 0, -ETIME: l->left is used up; -ENOMEM. */
int fate_of(struct paths *p, uint32_t i, uint32_t at, const char *below, bool no_exceptions, struct fate *ret);

#endif
