/* SPDX-License-Identifier: Apache-2.0 */
/* Globs as positions: a position is one place in one glob's program. */
#ifndef POLICY_NFA_H
#define POLICY_NFA_H

#include "policy/model.h"

#define NODES_MAX 400000
#define NONE 0xffffffffu

enum kind { N_SET, N_SPLIT, N_ACCEPT };
/* SET: on a byte of set to a; SPLIT: to a and b at once; a SPLIT without a rule is a start. sticky: from here on its glob
 * has matched for good. */
struct nnode { enum kind kind; bool sticky; uint8_t set[32]; uint32_t a, b, rule; };
struct nfa { struct nnode *v; uint32_t n, cap, rule; bool full; };

void nfa_add(struct nfa *n, const struct strs *globs, uint32_t rule); /* full: there was no room for all */
/* 0, or -EINVAL with words in why. */
int glob_check(const char *glob, char *why, size_t cap);

#endif
