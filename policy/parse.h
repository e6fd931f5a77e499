/* SPDX-License-Identifier: Apache-2.0 */
/* Tree to model. */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

#include "policy/model.h"
#include "policy/yaml.h"

struct parse { struct diag *d; const struct pol_source *src; bool vars_may_miss; };
/* 0 or -EINVAL with errors reported. */
int parse_model(struct parse *p, const struct node *root, struct model *m);
int parse_rules(struct parse *p, const struct node *list, const char *section, struct rules *out);
/* Reports an unknown key with the nearest known one. */
void parse_unknown(struct parse *p, const struct node *key, const char *const *known, size_t n);
/* ${NAME} and ${NAME:-x}; values become literal: glob bytes in them get a backslash when quote is set. NULL: reported. */
char *parse_expand(struct parse *p, const struct node *n, bool quote);

#endif
