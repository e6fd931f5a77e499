/* SPDX-License-Identifier: Apache-2.0 */
/* What netd's parts share in a worker: one session's policy, board, events and sockets. */
#ifndef NETD_GATE_H
#define NETD_GATE_H

#include "common/approve.h"
#include "common/board.h"
#include "netd/dns_map.h"
#include "netd/dns_up.h"
#include "netd/netns.h"
#include "policy/generation.h"

#define RESOLVER 198, 18, 0, 1   /* what resolv.conf of a session names */
#define EVENTS_PER_SECOND 500    /* of refusals; what is above is counted and said in the next one */

struct gate {
	struct worker *w;
	struct generation *gen;      /* what judges a new flow or name */
	struct policy *policy;       /* of gen */
	struct update update;
	struct board *board;
	struct approve *approve;
	struct dns_map *map;
	struct dns_up *up;
	struct netns ns;
};
extern struct gate gate;

/* A flow that was let through to the relay. */
struct flow {
	struct pkt pkt;
	char name[254];              /* "" for a raw address */
	char rule[128], command_id[ID_MAX];
	struct pol_who who;          /* found out only for a policy that asks */
	const char *decision, *effective;   /* static words */
	struct generation *gen;      /* that judged its first packet, and judges the rest of it. Who keeps a flow holds a reference */
};
int flow_start(void);                /* watches the queue; 0 or negative errno */
/* Takes out the flow with this source port and destination, else any to that destination (the kernel may have changed the port);
 * false: none was let through. The caller owns ret->gen. */
bool flow_take(const struct addr *dst, uint16_t dport, uint16_t sport, struct flow *ret);

void flow_forget(void);              /* the references of flows that never came to the relay */

int dns_start(void);                 /* watches the DNS sockets */
int conn_start(void);                /* watches the relay's listeners */

/* "net_connect" with target, policy and reason, of a flow that f->gen judged. decision, effective, rule: f's own are not looked at.
 * Rate-limited as above when refused. */
void gate_connect_event(const struct flow *f, const char *decision, const char *effective, const char *rule, const char *message,
			const char *reason);
/* The command whose socket the packet is from: by the socket's cgroup, else the only one that runs; "" unknown. who: what the program that
 * made the socket descends from, by the cgroup alone. */
void gate_whose(const struct pkt *k, char command_id[ID_MAX], struct pol_who *who);
/* True if one more record of a refusal may be written now. *ret_lost: how many were not since the last. */
bool gate_may_record(uint64_t *ret_lost);

#endif
