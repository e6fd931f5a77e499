/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "netd/nft.h"

#define BACKLOG 1024
#define DATAGRAM_BYTES (4 << 20)

static int loopback_up(void)
{
	struct ifreq q = { .ifr_name = "lo" };
	auto_fd s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0 || ioctl(s, SIOCGIFFLAGS, &q) < 0)
		return -errno;
	q.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(s, SIOCSIFFLAGS, &q) < 0 ? -errno : 0;
}

/* ip [-6] route add local default dev lo */
static int all_local(struct mnl_socket *s, uint8_t family)
{
	uint8_t buf[512];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *m;
	const struct nlmsgerr *e;
	ssize_t n;

	h->nlmsg_type = RTM_NEWROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = family;
	m->rtm_table = RT_TABLE_LOCAL;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_HOST;
	m->rtm_type = RTN_LOCAL;
	mnl_attr_put_u32(h, RTA_OIF, 1); /* lo is always the first interface of a namespace */
	if (mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(s, buf, sizeof(buf));
	if (n < (ssize_t)mnl_nlmsg_size(sizeof(*e)))
		return n < 0 ? -errno : -EPROTO;
	e = mnl_nlmsg_get_payload((struct nlmsghdr *)buf);
	return e->error;
}

static int routes(void)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r;

	if (!s)
		return -errno;
	r = mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : all_local(s, AF_INET);
	if (r == 0) {
		r = all_local(s, AF_INET6);
		/* Without IPv6 in the kernel there is no IPv6 to govern. */
		if (r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
			r = 0;
	}
	mnl_socket_close(s);
	return r;
}

static int bound(int family, int type, uint16_t port)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const struct sockaddr *a = family == AF_INET ? (const struct sockaddr *)&a4 : (const struct sockaddr *)&a6;
	auto_fd s = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int datagrams = DATAGRAM_BYTES;

	if (s < 0)
		return errno == EAFNOSUPPORT && family == AF_INET6 ? -EAFNOSUPPORT : -errno;
	/* A program with many threads asks many names at once; the usual buffer holds 270 datagrams. Refused, the usual one does. */
	if (type == SOCK_DGRAM && setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &datagrams, sizeof(datagrams)) < 0)
		setsockopt(s, SOL_SOCKET, SO_RCVBUF, &datagrams, sizeof(datagrams));
	if (bind(s, a, family == AF_INET ? sizeof(a4) : sizeof(a6)) < 0 || (type == SOCK_STREAM && listen(s, BACKLOG) < 0))
		return -errno;
	return move_fd(&s);
}

static int sockets(struct netns *n)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		n->dns_udp[i] = bound(families[i], SOCK_DGRAM, NFT_DNS_PORT);
		if (n->dns_udp[i] == -EAFNOSUPPORT) {
			n->dns_udp[i] = n->dns_tcp[i] = n->proxy[i] = -1;
			continue;
		}
		n->dns_tcp[i] = bound(families[i], SOCK_STREAM, NFT_DNS_PORT);
		n->proxy[i] = bound(families[i], SOCK_STREAM, NFT_PROXY_PORT);
		if (n->dns_udp[i] < 0 || n->dns_tcp[i] < 0 || n->proxy[i] < 0)
			return n->dns_udp[i] < 0 ? n->dns_udp[i] : n->dns_tcp[i] < 0 ? n->dns_tcp[i] : n->proxy[i];
	}
	n->diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	n->queue = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	return n->diag < 0 || n->queue < 0 ? -errno : 0;
}

static int send_fd(int sock, int fd)
{
	union { char b[CMSG_SPACE(sizeof(int))]; struct cmsghdr h; } c = { 0 };
	char one = 0;
	struct iovec v = { &one, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };

	c.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
	return sendmsg(sock, &m, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int recv_fd(int sock)
{
	union { char b[CMSG_SPACE(sizeof(int))]; struct cmsghdr h; } c = { 0 };
	char one;
	struct iovec v = { &one, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };
	int fd;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1 || c.h.cmsg_type != SCM_RIGHTS)
		return -EPERM;
	memcpy(&fd, CMSG_DATA(&c.h), sizeof(fd));
	return fd;
}

/* Capabilities survive the change of uid, so that a host which forbids user namespaces to ordinary users does not forbid this one. */
static void make_owned(unsigned uid, int sock)
{
	cap_t caps;
	int fd;

	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (setresuid(uid, uid, uid) < 0)
		_exit(1);
	caps = cap_from_text("cap_sys_admin=ep");
	if (!caps || cap_set_proc(caps) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		_exit(1);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_exit(fd < 0 || send_fd(sock, fd) < 0);
}

static int owned_namespace(unsigned uid)
{
	int pair[2], fd, status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		make_owned(uid, pair[1]);
	close(pair[1]);
	fd = pid < 0 ? -errno : recv_fd(pair[0]);
	close(pair[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return fd;
}

int netns_make(unsigned uid, struct netns *n, struct err *err)
{
	auto_fd host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	memset(n, 0xff, sizeof(*n));
	if (host < 0)
		return err_set(err, -errno, "/proc/self/ns/net: %s", strerror(errno));
	n->fd = owned_namespace(uid);
	if (n->fd < 0)
		return err_set(err, n->fd,
			       "a new network namespace was refused: the daemons need CAP_SYS_ADMIN, and sysctl user.max_user_namespaces "
			       "and user.max_net_namespaces above 0");
	if (setns(n->fd, CLONE_NEWNET) < 0)
		return err_set(err, -errno, "entering the session's network namespace: %s", strerror(errno));
	r = loopback_up();
	if (r == 0)
		r = routes();
	if (r == 0)
		r = sockets(n);
	if (r < 0)
		err_set(err, r, "setting up the session's network: %s", strerror(-r));
	else
		r = nft_load(err);
	if (setns(host, CLONE_NEWNET) < 0)
		return err_set(err, -errno, "leaving the session's network namespace: %s", strerror(errno));
	return r;
}
