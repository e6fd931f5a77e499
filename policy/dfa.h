/* SPDX-License-Identifier: Apache-2.0 */
/* Path globs of all rules to one automaton over bytes. */
#ifndef POLICY_DFA_H
#define POLICY_DFA_H

#include "policy/model.h"

/* Patterns of rules [from, to). 0, -E2BIG (the automaton would pass STATES_MAX), -ENOMEM. *ret is the caller's to fini, also on failure. */
int dfa_build(const struct rules *rules, size_t from, size_t to, const char *workspace, struct dfa *ret);

#endif
