/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors held against a question one by one, slowly: for explaining only. */
#ifndef POLICY_EXPLAIN_MATCH_H
#define POLICY_EXPLAIN_MATCH_H

#include "policy/model.h"

/* Lower case, cut at 4095 bytes; valid until the next call. */
const char *match_lower(const char *s);
bool match_command(const struct strs *entries, const char *name);     /* also of processes */
bool match_domain(const struct strs *globs, const char *host);
bool match_path(const struct strs *globs, const char *path);          /* as it is */
/* A clean path, by both names of the workspace when it is there. workspace: NULL: /workspace. */
bool match_file(const struct strs *globs, const char *path, const char *workspace);
bool match_word(const struct strs *words, const char *word);          /* any case; "*": any */
bool match_digest(const struct strs *hex, const uint8_t digest[32]);
/* The arguments without argv[0], joined, are put into out, cut. 1, 0, or negative when they could not be looked at. */
int match_args(const struct rule *u, const char *const *argv, size_t argc, char *out, size_t cap);
bool match_regex(const uint8_t *db, size_t n, const char *text);

#endif
