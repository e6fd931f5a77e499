/* SPDX-License-Identifier: Apache-2.0 */
/* Whose socket a flow is: asked of the kernel by exact addresses (sock_diag(7)). */
#ifndef NETD_SOCKDIAG_H
#define NETD_SOCKDIAG_H

#include "netd/pkt.h"

struct sock_owner { uint32_t uid; uint64_t cgroup; };   /* cgroup: v2 id, 0 when the kernel does not say */
/* fd: a NETLINK_SOCK_DIAG socket of the session's namespace. 0, or negative errno (-ENOENT: no such socket any more). */
int sockdiag_owner(int fd, const struct pkt *k, struct sock_owner *ret);

#endif
