/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
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
	ssize_t n;

	*ret = (struct sock_owner){ .uid = (uint32_t)-1 };
	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST;
	q = mnl_nlmsg_put_extra_header(h, sizeof(*q));
	q->sdiag_family = k->src.len == 4 ? AF_INET : AF_INET6;
	q->sdiag_protocol = k->proto;
	q->idiag_states = 0xffffffff;
	q->id.idiag_sport = htons(k->sport);
	q->id.idiag_dport = htons(k->dport);
	memcpy(q->id.idiag_src, k->src.b, k->src.len);
	memcpy(q->id.idiag_dst, k->dst.b, k->dst.len);
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
