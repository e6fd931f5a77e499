/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler: YAML text to one LMDB generation. For cli and tests only; runs unprivileged. */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "common/buf.h"
#include "common/err.h"

/* ${NAME}; value taken literally, never as a glob. real: another name of the same directory, which rules with the value hold for
 * as well, or NULL. */
struct pol_var { const char *name, *value, *real; };
/* The policy that the key extends of another one names. from: pol_source.file of that one, or a path that this function gave; name: as
 * written there. *ret_path is for messages and for what that policy extends; it and *ret_text (len bytes, any) are the caller's to free. 0,
 * or a negative errno with words. */
typedef int (*pol_load_fn)(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len,
	struct err *err);
struct pol_source {
	const char *file;                             /* for messages */
	const char *text; size_t len;
	const char *workspace;                        /* real path of the workspace; NULL: /workspace */
	const struct pol_var *vars; size_t n_vars;
	pol_load_fn load; void *load_arg;             /* NULL: extends is an error */
	bool compat;                                  /* args_patterns that begin with * are globs, with a warning each */
	bool all;                                     /* report all that is found, as far as diag has room, not the first of it */
};
/* Diagnostics, one line each "file:line:column: error|warning: words\n", are appended to diag. Errors: -EINVAL, nothing made.
 * On success *ret_fd is a sealed memfd (caller closes) holding the generation and hash its SHA-256. */
int policy_compile(const struct pol_source *src, struct buf *diag, int *ret_fd, uint8_t hash[32]);
/* The same checks only. Undefined variables are no error here. */
int policy_validate(const struct pol_source *src, struct buf *diag);
/* The first of the words nearest to a text that is none of them, for "did you mean"; NULL: none is near. words ends with NULL. */
const char *policy_nearest(const char *text, const char *const *words);
/* A JSON Schema (draft 2020-12) of the language, for editors: every key that the parser knows. 0 or -ENOMEM. */
int policy_schema(struct buf *out);
/* What two policies decide differently. A change is one pair (rule of a, rule of b) of a section with the first question found for which
 * they differ, a line of a .cases file without its "->". Sides: the decision's word, the rule, and what else is done ("to /x"), "" when
 * nothing; of settings the value and the name. Strings are valid during the call. */
struct pol_change {
	const char *section, *question;
	const char *operations;                       /* files: all for which this very question has this answer; else "" */
	struct { const char *decision, *rule, *more; } before, after;
	uint64_t questions;                           /* asked of this pair that differ */
};
typedef void (*pol_change_fn)(void *arg, const struct pol_change *c);
/* Files are compared exactly, the other sections by questions made from the rules of both. by_name: equal decisions of rules with other
 * names count, too. cut (appended to): sections of which not all was looked at, for time or room; no more than some ten seconds are taken.
 * The number of changes; -EINVAL: a policy has errors, which are in diag; -ENOMEM. */
int policy_diff(const struct pol_source *a, const struct pol_source *b, bool by_name, pol_change_fn fn, void *arg, struct buf *cut,
		struct buf *diag);
/* A settings file: maps of maps, strict keys. known: dotted keys ("policies.dir"). fn is given each value, of a list each entry; it
 * returns 0, or negative with words in why. Of src only file and text count. Lists that are values of the top map itself are not given.
 * Diagnostics as above. 0 or -EINVAL; values given before an error was met were given. */
enum pol_setting_kind { SETTING_TEXT, SETTING_LIST, SETTING_IGNORED };   /* ignored: with all below it, one warning */
struct pol_setting { const char *key; enum pol_setting_kind kind; };
typedef int (*pol_setting_fn)(void *arg, const char *key, const char *value, char *why, size_t cap);
int policy_settings(const struct pol_source *src, const struct pol_setting *known, size_t n, pol_setting_fn fn, void *arg,
		    struct buf *diag);
/* Writes the generation to dirfd as NAME.mdb, atomically (temporary file, fsync, rename). */
int policy_store(int gen_fd, int dirfd, const char *name, struct err *err);
/* Rule's position for explain: "file:line" of the rule that a verdict names, by section ("file", "net", "exec"). 0 or -ENOENT. */
struct policy;
int policy_rule_position(const struct policy *p, const char *section, const char *rule, char *out, size_t cap);

#endif
