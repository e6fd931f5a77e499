/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict on each flow's first packet, and the list of those on their way to the relay. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "netd/gate.h"
#include "netd/nft.h"
#include "netd/pktq.h"
#include "netd/sockdiag.h"

#define FLOWS_MAX 2048           /* let through and not yet accepted by the relay */
#define FLOW_LIFE_MS 10000
#define PROBES 16
#define WORDS_MAX 512

#define HELD_MAX 512             /* first packets that wait for a person */
#define HELD_PER_QUESTION 128    /* of these, for the same answer */

/* asker: the one whose question this is, of several that would ask the same. */
/* No reference to its generation: the questions of one that is replaced are ended first. */
struct held { bool used; uint32_t id; uint64_t ask; struct held *asker; struct flow flow; };

static struct { uint64_t until; struct flow f; } flows[FLOWS_MAX];
static struct held held[HELD_MAX];

static size_t bucket(const struct addr *dst, uint16_t dport, uint16_t sport)
{
	uint32_t h = sport * 2654435761u ^ dport;

	for (size_t i = 0; i < dst->len; i++)
		h = (h ^ dst->b[i]) * 16777619u;
	return h % FLOWS_MAX;
}

static struct flow *flow_put(const struct flow *f)
{
	size_t b = bucket(&f->pkt.dst, f->pkt.dport, f->pkt.sport);
	uint64_t now = clock_ms();

	for (size_t i = 0; i < PROBES; i++) {
		size_t at = (b + i) % FLOWS_MAX;
		const struct pkt *k = &flows[at].f.pkt;

		/* A flow that never came to the relay, or this one's packet sent again, gives up its place. */
		if (flows[at].until < now || (k->sport == f->pkt.sport && k->dport == f->pkt.dport && addr_eq(&k->dst, &f->pkt.dst))) {
			generation_unref(flows[at].f.gen);
			flows[at].f = *f;
			generation_ref(f->gen);
			flows[at].until = now + FLOW_LIFE_MS;
			return &flows[at].f;
		}
	}
	return NULL;
}

/* Any flow there that waits for its accept: where two flows would look alike behind the redirection, the kernel gives one another
 * source port. Only flows that were let through come here; of the one taken that is sure which is of all, and what may
 * be of one may be. */
static size_t flow_to(const struct addr *dst, uint16_t dport)
{
	uint64_t now = clock_ms();
	size_t found = FLOWS_MAX;

	for (size_t at = 0; at < FLOWS_MAX; at++) {
		struct flow *f = &flows[at].f;

		if (flows[at].until < now || f->pkt.dport != dport || !addr_eq(&f->pkt.dst, dst))
			continue;
		if (found == FLOWS_MAX) {
			found = at;
			continue;
		}
		flows[found].f.who.sure &= f->who.sure;
		flows[found].f.who.may |= f->who.may;
		flows[found].f.who.unknown |= f->who.unknown;
	}
	return found;
}

bool flow_take(const struct addr *dst, uint16_t dport, uint16_t sport, struct flow *ret)
{
	size_t b = bucket(dst, dport, sport), found = FLOWS_MAX;

	for (size_t i = 0; i < PROBES && found == FLOWS_MAX; i++) {
		size_t at = (b + i) % FLOWS_MAX;
		const struct pkt *k = &flows[at].f.pkt;

		if (flows[at].until >= clock_ms() && k->sport == sport && k->dport == dport && addr_eq(&k->dst, dst))
			found = at;
	}
	if (found == FLOWS_MAX)
		found = flow_to(dst, dport);
	if (found == FLOWS_MAX)
		return false;
	*ret = flows[found].f;
	flows[found].f.gen = NULL;
	flows[found].until = 0;
	return true;
}

void flow_forget(void)
{
	uint64_t now = clock_ms();

	for (size_t i = 0; i < FLOWS_MAX; i++)
		if (flows[i].until < now) {
			generation_unref(flows[i].f.gen);
			flows[i].f.gen = NULL;
		}
}

bool gate_may_record(uint64_t *ret_lost)
{
	static uint64_t second, n, lost;
	uint64_t now = clock_ms() / 1000;

	if (now != second) {
		second = now;
		n = 0;
	}
	if (++n > EVENTS_PER_SECOND) {
		lost++;
		return false;
	}
	*ret_lost = lost;
	lost = 0;
	return true;
}

static const char *proto_name(uint8_t p, char out[8])
{
	switch (p) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return "icmp";
	default:
		snprintf(out, 8, "%u", p);
		return out;
	}
}

/* A rule's message about this connection. */
static const char *words(const char *message, const char *name, const char *addr, const char *port, char text[WORDS_MAX])
{
	return pol_message(message, &(struct pol_fields){ .domain = name && *name ? name : addr, .remote_addr = addr, .remote_port = port,
			   .operation = "connect" }, text, WORDS_MAX);
}

void gate_connect_event(const struct flow *f, const char *decision, const char *effective, const char *rule, const char *message,
			const char *reason)
{
	const struct pkt *k = &f->pkt;
	const char *name = f->name;
	struct evtlog *l = gate.w->events;
	char addr[46], port[8], proto[8], text[WORDS_MAX];
	uint64_t lost = 0, now;

	if (strcmp(effective, "allow") != 0 && !gate_may_record(&lost))
		return;
	addr_text(&k->dst, addr);
	snprintf(port, sizeof(port), "%u", k->dport);
	evt_begin(l, "net_connect", f->command_id, 0);
	evt_str(l, "operation", "connect");
	evt_str(l, "protocol", proto_name(k->proto, proto));
	evt_str(l, "domain", *name ? name : NULL);
	evt_str(l, "remote_addr", addr);
	evt_int(l, "remote_port", k->dport);
	evt_str(l, "reason", reason);
	if (lost)
		evt_int(l, "records_lost", (int64_t)lost);
	if (message)
		message = words(message, name, addr, port, text);
	now = evt_generation(l, f->gen->number);
	evt_policy(l, decision, effective, rule, message);
	evt_generation(l, now);
	evt_end(l);
}

static void answer(uint32_t id, uint32_t mark)
{
	pktq_verdict(gate.ns.queue, NFT_QUEUE, id, mark);
}

static void refuse(uint32_t id, const struct flow *f, const char *message, const char *reason)
{
	answer(id, NFT_MARK_REFUSE);
	gate_connect_event(f, f->decision, "deny", f->rule, message, reason);
}

void gate_whose(const struct pkt *k, char command_id[ID_MAX], struct pol_who *who)
{
	struct sock_owner o;
	struct lineage l;

	command_id[0] = 0;
	*who = (struct pol_who){ .unknown = true };
	if (sockdiag_owner(gate.ns.diag, k, &o) == 0 && o.cgroup) {
		board_by_cgroup(gate.board, o.cgroup, command_id);
		if (board_labels(gate.board, o.cgroup, policy_labels_id(gate.policy), &l))
			*who = (struct pol_who){ .sure = l.sure, .may = l.may };
	}
	if (!command_id[0])
		board_single(gate.board, command_id);
}

/* The verdict first: whose the flow is, if the policy did not ask, matters to its record only, and the program waits. */
static void allow(uint32_t id, const struct flow *f)
{
	struct flow *kept = flow_put(f);

	if (!kept) {
		refuse(id, f, NULL, "too many connections are being made");
		return;
	}
	answer(id, NFT_MARK_ALLOW);
	if (!kept->command_id[0] && !policy_has_labels(gate.policy))
		gate_whose(&kept->pkt, kept->command_id, &kept->who);
}

/* One answer for all that wait for it. A packet whose socket is gone meanwhile finds nobody: the relay never hears of it. */
static void on_approval(void *arg, bool yes, const char *why)
{
	for (struct held *h = held; h < held + HELD_MAX; h++) {
		if (!h->used || h->asker != arg)
			continue;
		h->used = false;
		if (yes) {
			h->flow.effective = "allow";
			allow(h->id, &h->flow);
		} else {
			refuse(h->id, &h->flow, NULL, why);
		}
	}
}

/* A person who is asked sees the destination, by its name if it has one, and the rule. */
static bool same_question(const struct flow *a, const struct flow *b)
{
	return a->pkt.dport == b->pkt.dport && !strcmp(a->name, b->name) && !strcmp(a->rule, b->rule) &&
	       (*a->name || addr_eq(&a->pkt.dst, &b->pkt.dst));
}

static void hold(uint32_t id, const struct flow *f, const struct pol_verdict *v)
{
	struct held *h = NULL, *asker = NULL;
	size_t same = 0;
	char target[320], addr[46], port[8], text[WORDS_MAX];

	for (size_t i = 0; i < HELD_MAX; i++) {
		const struct pkt *k = &held[i].flow.pkt;

		/* TCP asks again while a person thinks. */
		if (held[i].used && k->sport == f->pkt.sport && k->dport == f->pkt.dport && addr_eq(&k->dst, &f->pkt.dst)) {
			answer(id, 0);
			return;
		}
		if (held[i].used && same_question(&held[i].flow, f)) {
			asker = held[i].asker;
			same++;
		}
		if (!held[i].used && !h)
			h = &held[i];
	}
	if (!h || same >= HELD_PER_QUESTION) {
		refuse(id, f, v->message, "too many questions are pending");
		return;
	}
	*h = (struct held){ .used = true, .id = id, .flow = *f, .asker = asker ? asker : h };
	if (asker)
		return;
	addr_text(&f->pkt.dst, addr);
	snprintf(target, sizeof(target), f->pkt.dst.len == 16 && !*f->name ? "[%s]:%u" : "%s:%u", *f->name ? f->name : addr, f->pkt.dport);
	snprintf(port, sizeof(port), "%u", f->pkt.dport);
	approve_ask(gate.approve, "net", target, v->rule, v->message ? words(v->message, f->name, addr, port, text) : NULL, f->command_id,
		    v->timeout_ms, on_approval, h, &h->ask);
}

static void judge(uint32_t id, struct flow *f)
{
	struct pol_net q = { .port = f->pkt.dport };
	struct addr dst = f->pkt.dst;
	struct pol_verdict v;

	if (policy_has_labels(gate.policy))
		gate_whose(&f->pkt, f->command_id, &f->who);
	q.who = f->who;
	addr_unmap(&dst);
	if (*f->name) {
		q.domain = f->name;
	} else {
		q.addr = dst.b;
		q.addr_len = dst.len;
	}
	v = policy_net_through(gate.policy, &q, NULL);
	snprintf(f->rule, sizeof(f->rule), "%s", v.rule ? v.rule : "");
	f->decision = pol_decision_name(v.decision);
	f->effective = v.decision == POL_ALLOW || v.decision == POL_AUDIT ? "allow" : "deny";
	if (v.decision == POL_ALLOW || v.decision == POL_AUDIT) {
		allow(id, f);
		return;
	}
	if (!policy_has_labels(gate.policy))
		gate_whose(&f->pkt, f->command_id, &f->who);
	if (v.decision == POL_APPROVE)
		hold(id, f, &v);
	else
		refuse(id, f, v.message, NULL);
}

static void on_packet(void *arg UNUSED, uint32_t id, const uint8_t *p, size_t n)
{
	struct flow f = { .decision = "deny", .effective = "deny", .gen = gate.gen };
	const char *name;

	if (pkt_parse(p, n, &f.pkt) < 0) {
		answer(id, 0);
		return;
	}
	if (f.pkt.proto == IPPROTO_TCP && !f.pkt.syn) {
		answer(id, NFT_MARK_REFUSE);
		return;
	}
	name = dns_map_name(gate.map, &f.pkt.dst);
	snprintf(f.name, sizeof(f.name), "%s", name ? name : "");
	if (f.pkt.proto != IPPROTO_TCP) {
		gate_whose(&f.pkt, f.command_id, &f.who);
		snprintf(f.rule, sizeof(f.rule), "default-deny-protocol");
		refuse(id, &f, NULL, "only TCP leaves a session");
	} else if (!name && dns_map_covers(&f.pkt.dst)) {
		gate_whose(&f.pkt, f.command_id, &f.who);
		snprintf(f.rule, sizeof(f.rule), "default-deny-network");
		refuse(id, &f, NULL, "this address was given to no name");
	} else {
		judge(id, &f);
	}
}

static void on_queue(void *arg UNUSED, int fd, uint32_t events UNUSED)
{
	if (pktq_read(fd, on_packet, NULL) < 0)
		worker_end(gate.w, "the packet queue was lost");
}

int flow_start(void)
{
	int r = pktq_open(gate.ns.queue, NFT_QUEUE);

	return r < 0 ? r : loop_add(gate.w->loop, gate.ns.queue, EPOLLIN, on_queue, NULL, NULL);
}
