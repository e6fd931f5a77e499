/* SPDX-License-Identifier: Apache-2.0 */
/* serve ADDRESS PORT: the Internet of the benches. Every name has ADDRESS (UDP 127.0.0.1:53); what comes to ADDRESS:PORT goes back.
 * One thread and no log, so that what is measured is not this. Says "ready". */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define BATCH 64

static struct in_addr address;

static int bound(int type, const char *text, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int s = socket(AF_INET, type, 0), on = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (inet_pton(AF_INET, text, &a.sin_addr) != 1 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(s, 1024) < 0)) {
		perror(text);
		exit(1);
	}
	return s;
}

/* The question back, with one A record for A and none for the rest. */
static size_t dns_reply(uint8_t *p, size_t n)
{
	static const uint8_t record[12] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };
	size_t at = 12;

	while (at < n && p[at])
		at += p[at] + 1u;
	at += 5;
	if (at > n)
		return 0;
	p[2] = 0x84 | (p[2] & 1);
	p[3] = 0x80;
	memset(p + 6, 0, 6);
	if (p[at - 3] != 1)
		return at;
	p[7] = 1;
	memcpy(p + at, record, sizeof(record));
	memcpy(p + at + sizeof(record), &address, 4);
	return at + sizeof(record) + 4;
}

static void on_dns(int s)
{
	uint8_t p[1500];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(s, p, sizeof(p) - 32, 0, (struct sockaddr *)&from, &len);
	size_t out = n > 16 ? dns_reply(p, (size_t)n) : 0;

	if (out && sendto(s, p, out, 0, (struct sockaddr *)&from, len) < 0)
		perror("answering");
}

static void on_echo(int s)
{
	char p[65536];
	ssize_t n = recv(s, p, sizeof(p), 0);

	if (n <= 0 || send(s, p, (size_t)n, MSG_NOSIGNAL) != n)
		close(s);
}

int main(int argc, char **argv)
{
	struct epoll_event ev[BATCH], e = { .events = EPOLLIN };
	int ep = epoll_create1(0), udp, tcp, n;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &address) != 1)
		return 2;
	udp = bound(SOCK_DGRAM, "127.0.0.1", 53);
	tcp = bound(SOCK_STREAM, argv[1], atoi(argv[2]));
	e.data.fd = udp;
	epoll_ctl(ep, EPOLL_CTL_ADD, udp, &e);
	e.data.fd = tcp;
	epoll_ctl(ep, EPOLL_CTL_ADD, tcp, &e);
	puts("ready");
	fflush(stdout);
	while ((n = epoll_wait(ep, ev, BATCH, -1)) >= 0)
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (fd == udp) {
				on_dns(fd);
			} else if (fd == tcp) {
				e.data.fd = accept(tcp, NULL, NULL);
				if (e.data.fd >= 0)
					epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
			} else {
				on_echo(fd);
			}
		}
	return 1;
}
