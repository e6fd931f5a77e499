/* SPDX-License-Identifier: Apache-2.0 */
/* The search for the command rule that speaks of one command line; evaluator only. One thread asks: memory is kept between calls. */
#ifndef POLICY_EXEC_RULES_H
#define POLICY_EXEC_RULES_H

#include "policy/image.h"

/* A question, and what is worked out of it once. */
struct asked {
	const struct policy *p;
	const struct pol_exec *q;
	int digest;                     /* 0 not asked for yet, 1 known, -1 not to be known */
	char hex[65];
};
/* One command line of it: its own, or one found by looking through it. */
struct line {
	const char *given, *resolved; const char *const *argv; size_t argc;
	uint32_t depth;
	const char *text; size_t len;   /* its arguments joined, when asked for */
	bool own, script, loaded;
	bool last;                      /* judged here only: no exec of it follows */
	bool unknown;                   /* which file it is is not known */
	bool blind;                     /* nor are its arguments */
};

/* The part of a path behind its last slash. */
const char *exec_base(const char *path);
/* How strict a decision about a command is; 4 the strictest, 0 the mildest. */
int exec_rank(enum pol_decision d);
/* The number of the first rule in order that has the command by this name, or by another name of the same file (exec_other_name); for a
 * line whose file is unknown, of the strictest that it could meet. NO_RULE: none. Fills l->text and a->digest when a rule needs them. */
uint32_t exec_first(struct asked *a, const struct name *name, struct line *l);
/* The i-th other name of what is at path, for there are directories with two names; i below 2 + q->n_twins. False: none, or one too long
 * to be run by. */
bool exec_other_name(const struct policy *p, const struct pol_exec *q, size_t i, const char *path, char out[PATH_NAME_MAX]);

#endif
