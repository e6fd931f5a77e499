/* SPDX-License-Identifier: Apache-2.0 */
/* Event records: one JSON object a line, each line chained to the one before by SHA-256. One writer per file.
 * Shape: contract 4. entry_hash = SHA-256 over the line's bytes up to (not including) ',"entry_hash"'. */
#ifndef COMMON_EVT_H
#define COMMON_EVT_H

#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/str.h"

#define EVT_LINE_MAX 32768   /* longer fields are cut, and "truncated":true says so */

struct evtlog;
/* dirfd: DATA/sessions/ID; makes events-SOURCE.jsonl there (0640). source: "execd", "fsd", "netd" (static). */
int evtlog_open(int dirfd, const char *source, const char *session_id, struct evtlog **ret);
void evtlog_close(struct evtlog *l);
/* Builds one event. type, command_id ("" or NULL: none) and pid (0: none) first; then fields; then evt_end, which writes
 * with one write(2). If that fails, the loss is counted and a "gap" event is written before the next that succeeds. */
void evt_begin(struct evtlog *l, const char *type, const char *command_id, pid_t pid);
void evt_str(struct evtlog *l, const char *key, const char *s);              /* NULL: left out */
void evt_strn(struct evtlog *l, const char *key, const char *s, size_t n);
void evt_int(struct evtlog *l, const char *key, int64_t v);
void evt_strv(struct evtlog *l, const char *key, const char *const *v, size_t n);
/* "policy":{...}; decision words as the rule has them; rule, message may be NULL. With the number of the generation that judged. */
void evt_policy(struct evtlog *l, const char *decision, const char *effective, const char *rule, const char *message);
void evt_end(struct evtlog *l);
/* The number of the policy generation that the decisions written from now on were made by (0, the first: none, left out). Returns the one
 * before, for who writes about a request that an earlier generation judged. */
uint64_t evt_generation(struct evtlog *l, uint64_t number);

/* SHA-256 (FIPS 180-4), by nettle. */
void sha256(const void *p, size_t n, uint8_t out[32]);
int sha256_fd(int fd, uint8_t out[32]);     /* a whole file, from its begin; 0 or negative errno */

#endif
