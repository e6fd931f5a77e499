/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static int cgroup_of(const struct nlattr *a, void *data)
{
	if (mnl_attr_get_type(a) == INET_DIAG_CGROUP_ID && mnl_attr_get_payload_len(a) == 8)
		*(uint64_t *)data = mnl_attr_get_u64(a);
	return MNL_CB_OK;
}

int sockdiag_owner(int fd, const struct pkt *k, struct sock_owner *ret)
{
	uint8_t buf[4096] __attribute__((aligned(8)));
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *q;
	const struct inet_diag_msg *m;
	/* The kernel looks a datagram's socket up as if the packet came in: from the remote side (net/ipv4/udp_diag.c). */
	bool in = k->proto == IPPROTO_UDP;
	const struct addr *src = in ? &k->dst : &k->src, *dst = in ? &k->src : &k->dst;
	ssize_t n;

	*ret = (struct sock_owner){ .uid = (uint32_t)-1 };
	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST;
	q = mnl_nlmsg_put_extra_header(h, sizeof(*q));
	q->sdiag_family = k->src.len == 4 ? AF_INET : AF_INET6;
	q->sdiag_protocol = k->proto;
	q->idiag_states = 0xffffffff;
	q->id.idiag_sport = htons(in ? k->dport : k->sport);
	q->id.idiag_dport = htons(in ? k->sport : k->dport);
	memcpy(q->id.idiag_src, src->b, src->len);
	memcpy(q->id.idiag_dst, dst->b, dst->len);
	q->id.idiag_cookie[0] = q->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, buf, sizeof(buf), 0); /* the kernel answers inside send */
	if (n < 0)
		return -errno;
	h = (struct nlmsghdr *)buf;
	if (!mnl_nlmsg_ok(h, (int)n) || h->nlmsg_type == NLMSG_ERROR || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return -ENOENT;
	m = mnl_nlmsg_get_payload(h);
	ret->uid = m->idiag_uid;
	mnl_attr_parse(h, sizeof(*m), cgroup_of, &ret->cgroup);
	return 0;
}
