/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler: YAML text to one LMDB generation. For cli and tests only; runs unprivileged. */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "common/buf.h"
#include "common/err.h"

struct pol_var { const char *name, *value; };         /* ${NAME}; value taken literally, never as a glob */
/* The policy that the key extends of another one names. from: pol_source.file of that one, or a path that this function gave; name: as
 * written there. *ret_path is for messages and for what that policy extends; it and *ret_text (len bytes, any) are the caller's to free. 0, or a
 * negative errno with words. */
typedef int (*pol_load_fn)(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct err *err);
struct pol_source {
	const char *file;                             /* for messages */
	const char *text; size_t len;
	const char *workspace;                        /* real path of the workspace; NULL: /workspace */
	const struct pol_var *vars; size_t n_vars;
	pol_load_fn load; void *load_arg;             /* NULL: extends is an error */
	bool compat;                                  /* args_patterns that begin with * and are no regular expressions are globs, with a warning */
};
/* Diagnostics, one line each "file:line:column: error|warning: words\n", are appended to diag. Errors: -EINVAL, nothing made.
 * On success *ret_fd is a sealed memfd (caller closes) holding the generation and hash its SHA-256. */
int policy_compile(const struct pol_source *src, struct buf *diag, int *ret_fd, uint8_t hash[32]);
/* The same checks only. Undefined variables are no error here. */
int policy_validate(const struct pol_source *src, struct buf *diag);
/* A JSON Schema (draft 2020-12) of the language, for editors: every key that the parser knows. 0 or -ENOMEM. */
int policy_schema(struct buf *out);
/* Writes the generation to dirfd as NAME.mdb, atomically (temporary file, fsync, rename). */
int policy_store(int gen_fd, int dirfd, const char *name, struct err *err);
/* Rule's position for explain: "file:line" of the rule that a verdict names, by section ("file", "net", "exec"). 0 or -ENOENT. */
struct policy;
int policy_rule_position(const struct policy *p, const char *section, const char *rule, char *out, size_t cap);

#endif
