/* SPDX-License-Identifier: Apache-2.0 */
/* The generation that judges a session's requests, and one daemon's part in replacing it. Two phases: a client brings the next one to each
 * daemon, which opens and checks it (update_prepare); told by the client, execd asks the others over their leases whether they hold the
 * same one (W_READY) and, when all do, says the word (W_SWITCH). Until that word, whatever fails leaves every daemon with the old one. */
#ifndef POLICY_GENERATION_H
#define POLICY_GENERATION_H

#include "common/ipc.h"
#include "policy/policy.h"

struct generation {
	struct policy *policy;
	uint64_t number;              /* 1 when the session is made, one more with each switch */
	char name[256];               /* as it was asked for */
	uint8_t sha256[32];
	char hash[65];                /* the same in hexadecimal digits */
	unsigned refs;
};

/* Opens it by its hash, as policy_open; the caller owns one reference. name is cut at 255 bytes. */
int generation_open(int fd, const uint8_t hash[32], uint64_t number, const char *name, struct generation **ret, struct err *err);
/* For as long as a request that it judged is under way. */
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation *g);          /* takes NULL; the last one closes the policy */

struct update {
	struct generation *next;      /* opened and checked; NULL: none */
	int by;                       /* the connection that brought it; -1: it is closed */
	bool locked;                  /* execd was told that it is here: execd alone says what becomes of it */
};
#define UPDATE_INIT { .by = -1 }

/* What a daemon holds against a generation: 0, or negative errno with words. */
typedef int (*update_check)(const struct generation *next, struct err *err);
/* POLICY_PREPARE of a client on sock: answered. check may be NULL. */
int update_prepare(struct update *u, const struct generation *now, int sock, const struct ipc_frame *f, update_check check);
/* Whether f (u64 number, 32 bytes SHA-256) names the prepared one. */
bool update_names(const struct update *u, const struct ipc_frame *f);
void update_gone(struct update *u, int sock);         /* that connection closed */
/* The prepared one's reference; u is empty afterwards. */
struct generation *update_take(struct update *u);
/* A frame of execd's on the lease of fsd or netd: answered. On W_SWITCH *ret_next receives the prepared one, which the caller puts in place
 * before anything else is judged; else NULL. -EPROTO: this is not execd any more. */
int update_lease(struct update *u, int lease, const struct ipc_frame *f, struct generation **ret_next);

#endif
