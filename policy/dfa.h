/* SPDX-License-Identifier: Apache-2.0 */
/* Path globs of all rules to one automaton over bytes. */
#ifndef POLICY_DFA_H
#define POLICY_DFA_H

#include "policy/model.h"

/* Places looked at while the automata of one policy are built: some seconds at most. */
#ifndef DFA_WORK_MAX /* fuzzing builds, slower by far, take less */
#define DFA_WORK_MAX 300000000ull
#endif
/* Patterns of rules [from, to). 0; -E2BIG: the automaton would be too large, fewer rules may do; -ETIME: *left, which counts down from
 * DFA_WORK_MAX over all automata of a policy, is used up; -ENOMEM. *ret is the caller's to fini, also on failure. */
int dfa_build(const struct rules *rules, size_t from, size_t to, const char *workspace, struct dfa *ret, uint64_t *left);

#endif
