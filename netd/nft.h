/* SPDX-License-Identifier: Apache-2.0 */
/* The packet filter of a session's network namespace, by libnftnl; nothing of it outlives the namespace. */
#ifndef NETD_NFT_H
#define NETD_NFT_H

#include <stdint.h>

#include "common/err.h"

#define NFT_QUEUE 0              /* NFQUEUE number, inside the session's namespace only */
#define NFT_PROXY_PORT 1         /* TCP, on loopback: below 1024, so that no program in the session can hold it */
#define NFT_DNS_PORT 53
#define NFT_VERDICT_MASK 0xff    /* bits of the packet mark that carry a verdict */
enum nft_mark { NFT_MARK_ALLOW = 1, NFT_MARK_REFUSE = 2 };

/* In the calling thread's network namespace, as its administrator:
 *   output -150: flows with ct mark 1, loopback and port 53 pass; everything else goes to the queue, which nobody may bypass
 *   output -140: mark 1 is kept on the flow; anything else is refused (TCP reset, ICMP administratively prohibited)
 *   nat    -100: port 53 to the DNS proxy, allowed TCP to the relay
 * Uses nft's `queue`, or the xt target NFQUEUE where the kernel lacks it. */
int nft_load(struct err *err);
/* Finds out, in a namespace of its own, whether the kernel has `queue`, and leaves the answer in the environment for the workers: a try
 * that fails costs each session ten milliseconds. Needs CAP_SYS_ADMIN; without an answer nft_load tries both. */
void nft_probe(void);

#endif
