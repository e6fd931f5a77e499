/* SPDX-License-Identifier: Apache-2.0 */
/* A session's network namespace: loopback, and a route that makes every address local, so that there is nowhere else to go. */
#ifndef NETD_NETNS_H
#define NETD_NETNS_H

#include "common/err.h"

/* Sockets inside the namespace, made before rights are dropped. All non-blocking, close-on-exec, owned by the worker. */
struct netns {
	int fd;                     /* the namespace */
	int dns_udp[2], dns_tcp[2], proxy[2];   /* IPv4, IPv6: on 127.0.0.1 and ::1 */
	int queue, diag;            /* netlink: NFQUEUE, sock_diag */
};
/* Makes it, owned by a user namespace of its own, whose owner is uid (so that a worker that dropped to uid without any
 * capability may still give packet verdicts inside, and nowhere else). Needs CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SETUID. The calling
 * thread is in its old namespace again afterwards, or the error says that it is not and the process must end. */
int netns_make(unsigned uid, struct netns *ret, struct err *err);

#endif
