/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that wait for a person: kept by the worker that holds the operation. With nobody to answer, or at the deadline: denied. */
#ifndef COMMON_APPROVE_H
#define COMMON_APPROVE_H

#include <stdbool.h>

#include "common/daemon.h"

#define APPROVE_PENDING_MAX 128   /* per worker; one more is denied at once */
#define APPROVE_TARGET_MAX 2000   /* bytes of a question's target: what the CLI's readers take and can show with every byte escaped */

struct approve;
typedef void (*approve_fn)(void *arg, bool allow, const char *why); /* exactly once per question; why: "approved", "timeout", ... */

int approve_new(struct worker *w, struct approve **ret);
void approve_free(struct approve *a);               /* denies what is pending */
/* Asks. kind: "exec" "file" "net". fn may be called before this returns (nobody there). timeout_ms 0 = 5 minutes.
 * A longer target or message loses its middle, and says how much of it.
 * Writes approval_requested / approval_resolved events. *ret_id receives the question's number, to withdraw it. */
int approve_ask(struct approve *a, const char *kind, const char *target, const char *rule, const char *message,
		const char *command_id, uint64_t timeout_ms, approve_fn fn, void *arg, uint64_t *ret_id);
void approve_end_all(struct approve *a, const char *why); /* denies what is pending now; a is NULL: nothing is */
void approve_withdraw(struct approve *a, uint64_t id); /* asker is gone: fn is not called */
/* Handles APPROVER, APPROVAL_LIST, APPROVAL_RESOLVE; -ENOSYS for other types. */
int approve_request(struct approve *a, int sock, struct ipc_frame *f);
void approve_gone(struct approve *a, int sock);
/* A connection that can answer (also set by execd for EXEC with flag 1). */
int approve_add_approver(struct approve *a, int sock);

#endif
