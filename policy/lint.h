/* SPDX-License-Identifier: Apache-2.0 */
/* Lints: what is no error in a policy and yet not what its author meant. Compiler only. */
#ifndef POLICY_LINT_H
#define POLICY_LINT_H

#include "policy/explain.h"
#include "policy/model.h"

#define LINTS_MAX 200            /* findings; the rest is counted */
#define LINTS_ALL 10000          /* the same where all were asked for */
/* policy_lint over a model. vars: the source whose variables have values that stand for any, and whose workspace is the model's; NULL:
 * none, and /workspace. */
void lint_model(const struct model *m, const struct pol_source *vars, struct buf *diag);

/* What the lints' files share. */
#define LINT_WORK 120000000ull       /* comparisons of all sections: two seconds or so */
#define STEPS_WORK 8                 /* steps of wild_match_counted that are one comparison */
#define TAKERS_MAX 4
struct takers { uint32_t v[TAKERS_MAX]; size_t n, more; };   /* rules of the section */
/* left: of the work, to this section; rest: to those behind it. vars: may be NULL. below: the workspace with a slash. */
struct lint {
	const struct model *m; struct buf *out;
	size_t n, most; uint64_t left, rest;
	const struct pol_source *vars; const char *below;
};
struct place { uint16_t file; uint32_t line, column; };
void lint_warn(struct lint *l, struct place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static inline struct place lint_at(const struct rule *u) { return (struct place){ u->file, u->line, u->column }; }
void takers_add(struct takers *t, uint32_t rule);
/* `rule "a" (line 3) and rule "b" (line 9)`, as seen from a rule of this file. */
const char *takers_words(struct lint *l, const struct rules *r, const struct takers *t, uint16_t file, char *out, size_t cap);
/* An entry with its variables' names for the values that stood in for them. Returns out. */
const char *lint_shown(const struct lint *l, const char *entry, char *out, size_t cap);
/* A section begins: it may use half of what is left, and leaves to others what it does not use. */
void lint_section(struct lint *l);
/* Takes n off what is left to this section. False: nothing is left, and what was not looked at is to be said. */
bool lint_spend(struct lint *l, uint64_t n);
void lint_shadowed(struct lint *l, const struct rules *r, uint32_t i, const struct takers *t);
/* The work ran out at this rule: one warning. */
void lint_too_large(struct lint *l, struct place at, const char *section, const char *rule);
static inline bool lint_permits(enum pol_decision d) { return d == POL_ALLOW || d == POL_AUDIT; }
/* Whether e, which stands earlier in the same file, can decide all that u can as far as who asks and which program it is go. */
bool lint_takes_who(struct lint *l, const struct rule *e, const struct rule *u);
/* Of lists of which any entry makes a rule match, and all without one: whether e matches where u does. No, when nothing is left. */
bool lint_covers(struct lint *l, const struct strs *e, const struct strs *u);

void lint_files(struct lint *l, const struct rules *r, bool unixes);
void lint_nets(struct lint *l, const struct rules *r);
void lint_execs(struct lint *l, const struct rules *r);
void lint_requests(struct lint *l, const struct rules *r);   /* rules of one service */
void lint_words(struct lint *l);

#endif
