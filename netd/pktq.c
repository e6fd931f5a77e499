/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/pktq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <sys/socket.h>

#define BATCH 64
#define RECEIVE_BUFFER (4 << 20)

static int send_all(int fd, const struct nlmsghdr *h)
{
	return send(fd, h, h->nlmsg_len, 0) == (ssize_t)h->nlmsg_len ? 0 : -errno;
}

static int acknowledged(int fd)
{
	uint8_t buf[1024];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
	ssize_t n;

	if (poll(&p, 1, 2000) != 1)
		return -ETIMEDOUT;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < (ssize_t)mnl_nlmsg_size(sizeof(struct nlmsgerr)) || h->nlmsg_type != NLMSG_ERROR)
		return n < 0 ? -errno : -EPROTO;
	return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
}

static struct nlmsghdr *config(char *buf, uint16_t queue)
{
	struct nlmsghdr *h = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, queue);

	h->nlmsg_flags |= NLM_F_ACK;
	return h;
}

int pktq_open(int fd, uint16_t queue)
{
	char buf[1024];
	struct nlmsghdr *h = config(buf, queue);
	int yes = 1, size = RECEIVE_BUFFER, r;

	nfq_nlmsg_cfg_put_cmd(h, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	r = send_all(fd, h);
	if (r == 0)
		r = acknowledged(fd);
	if (r < 0)
		return r;
	h = config(buf, queue);
	nfq_nlmsg_cfg_put_params(h, NFQNL_COPY_PACKET, PKTQ_COPY);
	nfq_nlmsg_cfg_put_qmaxlen(h, PKTQ_MAX);
	mnl_attr_put_u32(h, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(h, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	r = send_all(fd, h);
	if (r == 0)
		r = acknowledged(fd);
	setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return r;
}

struct reader { pktq_fn fn; void *arg; };

static int one(const struct nlmsghdr *h, void *data)
{
	const struct reader *r = data;
	struct nlattr *attr[NFQA_MAX + 1] = { 0 };
	const struct nfqnl_msg_packet_hdr *p;

	if (nfq_nlmsg_parse(h, attr) < 0 || !attr[NFQA_PACKET_HDR])
		return MNL_CB_OK;
	p = mnl_attr_get_payload(attr[NFQA_PACKET_HDR]);
	r->fn(r->arg, ntohl(p->packet_id), attr[NFQA_PAYLOAD] ? mnl_attr_get_payload(attr[NFQA_PAYLOAD]) : NULL,
	      attr[NFQA_PAYLOAD] ? mnl_attr_get_payload_len(attr[NFQA_PAYLOAD]) : 0);
	return MNL_CB_OK;
}

int pktq_read(int fd, pktq_fn fn, void *arg)
{
	struct reader r = { fn, arg };
	uint8_t buf[8192] __attribute__((aligned(8)));

	for (int i = 0; i < BATCH; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		/* Errors of single messages are answers to verdicts on packets that are gone already. */
		if (((struct nlmsghdr *)buf)->nlmsg_type != NLMSG_ERROR)
			mnl_cb_run(buf, (size_t)n, 0, 0, one, &r);
	}
	return 0;
}

int pktq_verdict(int fd, uint16_t queue, uint32_t id, uint32_t mark)
{
	char buf[256];
	struct nlmsghdr *h = nfq_nlmsg_put(buf, NFQNL_MSG_VERDICT, queue);

	nfq_nlmsg_verdict_put(h, (int)id, mark ? NF_ACCEPT : NF_DROP);
	if (mark)
		nfq_nlmsg_verdict_put_mark(h, mark);
	return send_all(fd, h);
}
