/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define TABLE "agentsh"
#define KNOWN "AGENTSH_NFT_QUEUE" /* from the daemon to its workers: "native" or "target" */
#define BATCH_MAX ((size_t)64 * 1024)
#define REG NFT_REG32_00

struct xt_nfq_v3 { uint16_t queue, total, flags, pad; }; /* linux/netfilter/xt_NFQUEUE.h, struct xt_NFQ_info_v3, padded */

struct load {
	struct mnl_nlmsg_batch *batch;
	uint32_t seq;
	struct nftnl_rule *rule;    /* being built */
	bool failed;
};

static struct nlmsghdr *head(struct load *l, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(l->batch), type, NFPROTO_INET, flags, l->seq++);
}

static void put(struct load *l)
{
	if (!mnl_nlmsg_batch_next(l->batch))
		l->failed = true;
}

static void add_table(struct load *l)
{
	struct nftnl_table *t = nftnl_table_alloc();

	if (!t) {
		l->failed = true;
		return;
	}
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, TABLE);
	nftnl_table_nlmsg_build_payload(head(l, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK), t);
	nftnl_table_free(t);
	put(l);
}

static void add_chain(struct load *l, const char *name, const char *type, int prio)
{
	struct nftnl_chain *c = nftnl_chain_alloc();

	if (!c) {
		l->failed = true;
		return;
	}
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, TABLE);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, type);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, NF_INET_LOCAL_OUT);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, prio);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	nftnl_chain_nlmsg_build_payload(head(l, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK), c);
	nftnl_chain_free(c);
	put(l);
}

static void rule_begin(struct load *l, const char *chain)
{
	l->rule = nftnl_rule_alloc();
	if (!l->rule) {
		l->failed = true;
		return;
	}
	nftnl_rule_set_str(l->rule, NFTNL_RULE_TABLE, TABLE);
	nftnl_rule_set_str(l->rule, NFTNL_RULE_CHAIN, chain);
	nftnl_rule_set_u32(l->rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
}

static void rule_end(struct load *l)
{
	if (!l->rule)
		return;
	nftnl_rule_nlmsg_build_payload(head(l, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK), l->rule);
	nftnl_rule_free(l->rule);
	l->rule = NULL;
	put(l);
}

/* Appends an expression to the rule being built; NULL when memory ends, and then the load fails. */
static struct nftnl_expr *expr(struct load *l, const char *name)
{
	struct nftnl_expr *e = l->rule ? nftnl_expr_alloc(name) : NULL;

	if (e)
		nftnl_rule_add_expr(l->rule, e);
	else
		l->failed = true;
	return e;
}

static void u32(struct nftnl_expr *e, uint16_t what, uint32_t v)
{
	if (e)
		nftnl_expr_set_u32(e, what, v);
}

static void data(struct nftnl_expr *e, uint16_t what, const void *p, uint32_t n)
{
	if (e)
		nftnl_expr_set(e, what, p, n);
}

static void compare(struct load *l, uint32_t op, const void *p, uint32_t n)
{
	struct nftnl_expr *e = expr(l, "cmp");

	u32(e, NFTNL_EXPR_CMP_SREG, REG);
	u32(e, NFTNL_EXPR_CMP_OP, op);
	data(e, NFTNL_EXPR_CMP_DATA, p, n);
}

static void meta(struct load *l, uint32_t key, const void *p, uint32_t n)
{
	struct nftnl_expr *e = expr(l, "meta");

	u32(e, NFTNL_EXPR_META_KEY, key);
	u32(e, NFTNL_EXPR_META_DREG, REG);
	if (p)
		compare(l, NFT_CMP_EQ, p, n);
}

static void masked(struct load *l, uint32_t mask, uint32_t len)
{
	struct nftnl_expr *e = expr(l, "bitwise");
	uint32_t zero = 0;

	u32(e, NFTNL_EXPR_BITWISE_SREG, REG);
	u32(e, NFTNL_EXPR_BITWISE_DREG, REG);
	u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	data(e, NFTNL_EXPR_BITWISE_MASK, &mask, len);
	data(e, NFTNL_EXPR_BITWISE_XOR, &zero, len);
}

static void ct_mark_is(struct load *l, uint32_t v)
{
	struct nftnl_expr *e = expr(l, "ct");

	u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	u32(e, NFTNL_EXPR_CT_DREG, REG);
	masked(l, NFT_VERDICT_MASK, 4);
	compare(l, NFT_CMP_EQ, &v, 4);
}

static void meta_mark_is(struct load *l, uint32_t v)
{
	meta(l, NFT_META_MARK, NULL, 0);
	masked(l, NFT_VERDICT_MASK, 4);
	compare(l, NFT_CMP_EQ, &v, 4);
}

static void family(struct load *l, uint8_t f)
{
	meta(l, NFT_META_NFPROTO, &f, 1);
}

static void payload(struct load *l, uint32_t base, uint32_t off, uint32_t len)
{
	struct nftnl_expr *e = expr(l, "payload");

	u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, off);
	u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	u32(e, NFTNL_EXPR_PAYLOAD_DREG, REG);
}

static void verdict(struct load *l, uint32_t v, const char *chain)
{
	struct nftnl_expr *e = expr(l, "immediate");

	u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	u32(e, NFTNL_EXPR_IMM_VERDICT, v);
	if (chain && e)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

/* ip daddr 127.0.0.0/8 and ip6 daddr ::1 */
static void to_loopback(struct load *l, uint8_t f, uint32_t op)
{
	static const uint8_t one[16] = { [15] = 1 }, first = 127;

	family(l, f);
	if (f == NFPROTO_IPV4)
		payload(l, NFT_PAYLOAD_NETWORK_HEADER, 16, 1);
	else
		payload(l, NFT_PAYLOAD_NETWORK_HEADER, 24, 16);
	compare(l, op, f == NFPROTO_IPV4 ? &first : one, f == NFPROTO_IPV4 ? 1 : 16);
}

static void port_is(struct load *l, uint8_t proto, uint16_t port)
{
	uint16_t be = htons(port);

	meta(l, NFT_META_L4PROTO, &proto, 1);
	payload(l, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	compare(l, NFT_CMP_EQ, &be, 2);
}

static void redirect(struct load *l, uint16_t port)
{
	uint16_t be = htons(port);
	struct nftnl_expr *e = expr(l, "immediate");

	u32(e, NFTNL_EXPR_IMM_DREG, REG);
	data(e, NFTNL_EXPR_IMM_DATA, &be, 2);
	e = expr(l, "redir");
	u32(e, NFTNL_EXPR_REDIR_REG_PROTO_MIN, REG);
}

static void queue(struct load *l, bool native)
{
	struct xt_nfq_v3 x = { .queue = NFT_QUEUE, .total = 1 };
	struct nftnl_expr *e;

	rule_begin(l, "toq");
	e = expr(l, native ? "queue" : "target");
	if (e && native) {
		nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_NUM, NFT_QUEUE);
		nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_TOTAL, 1);
		nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_FLAGS, 0);
	} else if (e) {
		void *info = malloc(sizeof(x));

		if (!info) {
			l->failed = true;
			return;
		}
		memcpy(info, &x, sizeof(x));
		nftnl_expr_set_str(e, NFTNL_EXPR_TG_NAME, "NFQUEUE");
		nftnl_expr_set_u32(e, NFTNL_EXPR_TG_REV, 3);
		nftnl_expr_set(e, NFTNL_EXPR_TG_INFO, info, sizeof(x)); /* keeps info; freed with the rule */
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the expression owns info now */
	rule_end(l);
}

static void add_toq(struct load *l)
{
	struct nftnl_chain *c = nftnl_chain_alloc();

	if (!c) {
		l->failed = true;
		return;
	}
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, TABLE);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, "toq");
	nftnl_chain_nlmsg_build_payload(head(l, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK), c);
	nftnl_chain_free(c);
	put(l);
}

static void keep_on_flow(struct load *l)
{
	struct nftnl_expr *e = expr(l, "ct");

	u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	u32(e, NFTNL_EXPR_CT_SREG, REG);
}

/* The kernel's own refusals (TCP reset, ICMP unreachable) leave through this hook too. No program in the session can make one, and
 * they could not leave the namespace. */
static void kernel_refusals(struct load *l)
{
	static const uint8_t tcp = IPPROTO_TCP, zero = 0, icmp[2][2] = { { IPPROTO_ICMP, 3 }, { IPPROTO_ICMPV6, 1 } };

	rule_begin(l, "first");
	meta(l, NFT_META_L4PROTO, &tcp, 1);
	payload(l, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1);
	masked(l, 0x04, 1);
	compare(l, NFT_CMP_NEQ, &zero, 1);
	verdict(l, NF_ACCEPT, NULL);
	rule_end(l);
	for (size_t i = 0; i < 2; i++) {
		rule_begin(l, "first");
		meta(l, NFT_META_L4PROTO, &icmp[i][0], 1);
		payload(l, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
		compare(l, NFT_CMP_EQ, &icmp[i][1], 1);
		verdict(l, NF_ACCEPT, NULL);
		rule_end(l);
	}
}

static void first_packets(struct load *l)
{
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6 }, protos[] = { IPPROTO_UDP, IPPROTO_TCP };

	rule_begin(l, "first");
	ct_mark_is(l, NFT_MARK_ALLOW);
	verdict(l, NF_ACCEPT, NULL);
	rule_end(l);
	for (size_t i = 0; i < 2; i++) {
		rule_begin(l, "first");
		to_loopback(l, families[i], NFT_CMP_EQ);
		verdict(l, NF_ACCEPT, NULL);
		rule_end(l);
	}
	kernel_refusals(l);
	/* Questions to any resolver go to ours (the NAT chain); the mark lets its answers back. */
	for (size_t i = 0; i < 2; i++) {
		uint32_t allow = NFT_MARK_ALLOW;
		struct nftnl_expr *e;

		rule_begin(l, "first");
		port_is(l, protos[i], NFT_DNS_PORT);
		e = expr(l, "immediate");
		u32(e, NFTNL_EXPR_IMM_DREG, REG);
		data(e, NFTNL_EXPR_IMM_DATA, &allow, 4);
		keep_on_flow(l);
		verdict(l, NF_ACCEPT, NULL);
		rule_end(l);
	}
	rule_begin(l, "first");
	verdict(l, NFT_JUMP, "toq");
	rule_end(l);
}

static void refuse(struct load *l, uint8_t proto)
{
	struct nftnl_expr *e;

	rule_begin(l, "verdicts");
	meta_mark_is(l, NFT_MARK_REFUSE);
	if (proto)
		meta(l, NFT_META_L4PROTO, &proto, 1);
	e = expr(l, "reject");
	u32(e, NFTNL_EXPR_REJECT_TYPE, proto ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
	if (e)
		nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, proto ? 0 : NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	rule_end(l);
}

static void verdicts(struct load *l)
{
	rule_begin(l, "verdicts");
	meta_mark_is(l, NFT_MARK_ALLOW);
	keep_on_flow(l);
	rule_end(l);
	refuse(l, IPPROTO_TCP);
	refuse(l, 0);
}

static void nat(struct load *l)
{
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6 }, protos[] = { IPPROTO_UDP, IPPROTO_TCP }, tcp = IPPROTO_TCP;

	for (size_t i = 0; i < 4; i++) {
		rule_begin(l, "nat");
		to_loopback(l, families[i / 2], NFT_CMP_NEQ);
		port_is(l, protos[i % 2], NFT_DNS_PORT);
		redirect(l, NFT_DNS_PORT);
		rule_end(l);
	}
	rule_begin(l, "nat");
	ct_mark_is(l, NFT_MARK_ALLOW);
	meta(l, NFT_META_L4PROTO, &tcp, 1);
	redirect(l, NFT_PROXY_PORT);
	rule_end(l);
}

static int talk(struct load *l)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	uint8_t buf[8192];
	ssize_t n;
	int r = 0;

	if (!s)
		return -errno;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(s, mnl_nlmsg_batch_head(l->batch), mnl_nlmsg_batch_size(l->batch)) < 0)
		r = -errno;
	/* One acknowledgement, or error, for each message between batch begin and end. */
	for (uint32_t left = l->seq - 2; r == 0 && left > 0;) {
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (n < 0)
			r = -errno;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; r == 0 && mnl_nlmsg_ok(h, (int)n); h = mnl_nlmsg_next(h, (int *)&n)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			r = e->error;
			left--;
		}
	}
	mnl_socket_close(s);
	return r;
}

static int load(bool native)
{
	auto_free uint8_t *buf = malloc(2 * BATCH_MAX);
	struct load l = { 0 };
	int r;

	if (!buf)
		return -ENOMEM;
	l.batch = mnl_nlmsg_batch_start(buf, BATCH_MAX);
	if (!l.batch)
		return -ENOMEM;
	nftnl_batch_begin(mnl_nlmsg_batch_current(l.batch), l.seq++);
	put(&l);
	add_table(&l);
	add_toq(&l);
	add_chain(&l, "first", "filter", -150);
	add_chain(&l, "verdicts", "filter", -140);
	add_chain(&l, "nat", "nat", -100);
	first_packets(&l);
	verdicts(&l);
	nat(&l);
	queue(&l, native);
	nftnl_batch_end(mnl_nlmsg_batch_current(l.batch), l.seq++);
	put(&l);
	r = l.failed ? -ENOMEM : talk(&l);
	mnl_nlmsg_batch_stop(l.batch);
	return r;
}

int nft_load(struct err *err)
{
	const char *known = getenv(KNOWN);
	bool native = !known || !strcmp(known, "native");
	int r = load(native);

	if (r == -ENOENT || r == -EOPNOTSUPP)
		r = load(!native);
	if (r < 0)
		err_set(err, r, "loading the session's packet filter: %s (the kernel needs nf_tables, nft_nat and NFQUEUE)", strerror(-r));
	return r < 0 ? r : 0;
}

void nft_probe(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ? 2 : load(true) < 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 2)
		return;
	setenv(KNOWN, WEXITSTATUS(status) == 0 ? "native" : "target", 1);
}
