/* SPDX-License-Identifier: Apache-2.0 */
/* NFQUEUE: the first packet of each flow, and the verdict on it. */
#ifndef NETD_PKTQ_H
#define NETD_PKTQ_H

#include <stddef.h>
#include <stdint.h>

#define PKTQ_COPY 256        /* bytes of each packet that are looked at */
#define PKTQ_MAX 4096        /* packets that may wait in the kernel; more are dropped there, never passed */

/* p: the packet from its IP header. Every id must get one pktq_verdict, now or later. */
typedef void (*pktq_fn)(void *arg, uint32_t id, const uint8_t *p, size_t n);
/* Binds the queue on fd (netlink, opened inside the namespace; stays the caller's). 0 or negative errno. */
int pktq_open(int fd, uint16_t queue);
/* Reads what is there, at most 64 packets, and calls fn for each. 0, or negative errno when the queue is lost. */
int pktq_read(int fd, pktq_fn fn, void *arg);
/* mark 0: drop; else the packet goes on to the next chain with that mark. 0 or negative errno. */
int pktq_verdict(int fd, uint16_t queue, uint32_t id, uint32_t mark);

#endif
