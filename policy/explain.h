/* SPDX-License-Identifier: Apache-2.0 */
/* What a person asks about a policy: why a rule did not decide, what its files hold, what in it is not what was meant. Compiler only. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "policy/cases.h"
#include "policy/compile.h"

/* One rule of the question's section that stands before the one that decided. Strings are valid during the call; text of the policy and
 * of the question in them is as it was given, so escape them before they are shown. */
struct pol_reason { const char *rule, *where, *why; };   /* where: FILE:LINE */
typedef void (*pol_reason_fn)(void *arg, const struct pol_reason *r);
/* In the order of the rules, up to the one that a names (the answer to q by the policy compiled from src with the same workspace and
 * variables); all when none decided. Nothing where the answer came before any rule. 0, or a negative errno with words. */
int policy_why(const struct pol_source *src, const struct question *q, const struct answer *a, pol_reason_fn fn, void *arg,
	       struct err *err);

/* Where what a question is about is enforced. daemon: NULL when none does it yet. */
struct pol_enforcer { const char *daemon, *how; };
/* how may point into a buffer that the next call uses again. workspace: its real path, NULL: /workspace. */
struct pol_enforcer policy_enforcer(const struct policy *p, const struct question *q, const struct answer *a, const char *workspace);

/* Every rule of every section as it is in force, what it extends included. section: as question's words, "budget" too. */
typedef void (*pol_rule_fn)(void *arg, const char *section, const char *rule, const char *decision, const char *where);
int policy_rules(const struct pol_source *src, pol_rule_fn fn, void *arg, struct err *err);

/* Appends "file:line:column: warning: words [id]\n" to diag for each rule that is no error and not what was meant: one that can never
 * decide, a pattern that can never match, what no daemon can enforce. Variables stand for any value, so a finding holds on every machine;
 * src->workspace, when it is given, is the only one. Nothing when the policy has errors. 0 or -ENOMEM. */
int policy_lint(const struct pol_source *src, struct buf *diag);

#endif
