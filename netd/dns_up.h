/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the host's resolvers, by c-ares, with a small cache. Sockets are of the host's namespace. */
#ifndef NETD_DNS_UP_H
#define NETD_DNS_UP_H

#include "common/loop.h"
#include "netd/pkt.h"

#define DNS_UP_ADDRS 16          /* addresses kept per name */
#define DNS_UP_CACHE 1024        /* names */
#define DNS_UP_PENDING 256       /* names under way; one more fails with -EAGAIN */
#define DNS_UP_NEW_PER_SECOND 50 /* names that the cache does not hold, of one session: a name can carry what should not leave */
#define DNS_UP_NEW_BURST 500
#define DNS_UP_NEW_MAX 20000     /* in all of a session; asking anew about a name that the cache still holds does not count here */
#define DNS_UP_WAITERS 4096      /* who waits for them: a name is asked once for all */

struct dns_up;
/* status: 0 (n may be 0: the name exists and has no address), -ENOENT (no such name), -EAGAIN (no resolver answered), -EDQUOT (the
 * session has asked too much: nothing was sent). v is valid during the call only. */
typedef void (*dns_up_fn)(void *arg, int status, const struct addr *v, size_t n);
int dns_up_open(struct loop *l, struct dns_up **ret);   /* 0 or negative errno; reads /etc/resolv.conf and /etc/hosts */
/* Addresses of both families. fn is called exactly once, before this returns when the answer is known. Answers are kept for their
 * time to live, 5 to 300 seconds; failures for 5. */
void dns_up_ask(struct dns_up *u, const char *name, dns_up_fn fn, void *arg);

#endif
