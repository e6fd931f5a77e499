/* SPDX-License-Identifier: Apache-2.0 */
/* Tree to model. */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

#include "policy/model.h"
#include "policy/yaml.h"

struct parse { struct diag *d; const struct pol_source *src; bool vars_may_miss; struct model *m; uint64_t regex_cost; };
/* The whole source and what it extends. 0, or -EINVAL with errors reported. m: zeroed before, the caller's to fini by model_fini also after
 * an error. */
int parse_source(const struct pol_source *src, struct diag *d, bool vars_may_miss, struct model *m);
/* One entry of a list of the top map, for yaml_read; arg is the struct parse. Rules go into p->m. */
void parse_item(void *arg, const struct node *key, const struct node *item);
/* Everything but rules' entries. 0 or -EINVAL with errors reported. */
int parse_model(struct parse *p, const struct node *root);
void parse_rule(struct parse *p, const struct node *n, const char *section, struct rules *out);
/* Reports an unknown key with the nearest known one. */
void parse_unknown(struct parse *p, const struct node *key, const char *const *known, size_t n);
/* ${NAME} and ${NAME:-x}; values become literal: glob bytes in them get a backslash when quote is set. NULL: reported. */
char *parse_expand(struct parse *p, const struct node *n, bool quote);

#endif
