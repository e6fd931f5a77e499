/* SPDX-License-Identifier: Apache-2.0 */
/* YAML text to a tree with positions, and the reports of what is wrong with it. */
#ifndef POLICY_YAML_H
#define POLICY_YAML_H

#include "common/buf.h"
#include "policy/compile.h"

#define YAML_BYTES_MAX (8u << 20)
#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX 200000       /* held at once */
#define DIAG_MAX 20                 /* errors, and warnings, that are reported before the rest is only counted */
#define DIAG_ALL 10000              /* the same where all were asked for */

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };
struct node {
	enum node_kind kind;
	uint32_t line, column;      /* from 1 */
	char *text;                 /* owned; lists and maps: NULL */
	struct node **v;            /* items; maps: key, value, key, value */
	size_t n, cap;
};
struct diag { const char *file; struct buf *out; size_t errors, warnings; bool all; };   /* all: more than DIAG_MAX of each */
static inline size_t diag_most(const struct diag *d) { return d->all ? DIAG_ALL : DIAG_MAX; }
/* A file's name as a terminal and a line may have it, as everything in the words is. */
void diag_file(struct buf *out, const char *file);
void diag_at(struct diag *d, uint32_t line, uint32_t column, const char *level, const char *fmt, ...) PRINTF_LIKE(5, 6);
#define diag_error(d, n, ...) diag_at(d, (n)->line, (n)->column, "error", __VA_ARGS__)
#define diag_warning(d, n, ...) diag_at(d, (n)->line, (n)->column, "warning", __VA_ARGS__)
/* One entry of a list that is a value of the top map: given as soon as it is read and freed after the call, so that a long list costs
 * no more than its longest entry. */
typedef void (*yaml_item_fn)(void *arg, const struct node *key, const struct node *item);
/* The top map; its lists are empty, their entries went to fn. NULL when it cannot be read: at least one error was reported. Owned by
 * the caller. */
struct node *yaml_read(const char *text, size_t len, struct diag *d, yaml_item_fn fn, void *arg);
void node_free(struct node *n);

/* Where a text is not YAML, places from 1. context: what was being read, which began at from_*; NULL: not known. quote_*: where the
 * last text in quotes of more than one line begins, and the line that it ends in; 0: none. */
struct yaml_fault {
	const char *text;
	size_t len;
	const char *problem, *context;
	uint32_t line, column, from_line, from_column, quote_line, quote_column, quote_end;
};
/* yaml_words.c: what to change, one line. Where that is a quote or bracket above, line and column are moved there. */
void yaml_words(struct yaml_fault *f, char *out, size_t cap);

#endif
