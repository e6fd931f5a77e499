/* SPDX-License-Identifier: Apache-2.0 */
/* net connect|echo NAME PORT N | dns NAME N: asks the first nameserver of /etc/resolv.conf by itself, so that it links statically.
 * connect: connect(2) alone; echo: connect, one byte there and back; dns: one question at a time, then 32 under way. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define RUNS_MAX 1000000
#define WINDOW 32
#define ANSWER_S 2

static uint8_t query[512];
static size_t query_len;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int nameserver(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct timeval tv = { .tv_sec = ANSWER_S };
	char line[256], text[64] = "";
	FILE *f = fopen("/etc/resolv.conf", "re");
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "nameserver %63s", text) == 1)
			break;
	if (f)
		fclose(f);
	if (inet_pton(AF_INET, text, &a.sin_addr) != 1 || s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("nameserver");
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return s;
}

static void make_query(const char *name)
{
	static const uint8_t head[12] = { 0, 0, 1, 0, 0, 1 }, tail[5] = { 0, 0, 1, 0, 1 };
	size_t at = sizeof(head);

	memcpy(query, head, sizeof(head));
	while (*name && at + 70 < sizeof(query)) {
		size_t n = strcspn(name, ".");

		query[at++] = (uint8_t)n;
		memcpy(query + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	memcpy(query + at, tail, sizeof(tail));
	query_len = at + sizeof(tail);
}

static void ask(int s, unsigned id)
{
	query[0] = (uint8_t)(id >> 8);
	query[1] = (uint8_t)id;
	if (send(s, query, query_len, 0) < 0)
		die("asking");
}

/* The address in the last four bytes of an answer that has one. */
static struct in_addr answer(int s)
{
	uint8_t p[1500];
	struct in_addr a;
	ssize_t n = recv(s, p, sizeof(p), 0);

	if (n < 16 || p[3] & 15 || !p[7]) {
		if (n >= 16)
			errno = ENOENT;
		die("the name has no address");
	}
	/* The server may add records behind: take the first answer's data. */
	memcpy(&a, p + query_len + 12, 4);
	return a;
}

static struct in_addr resolve(const char *name)
{
	int s = nameserver();
	struct in_addr a;

	make_query(name);
	ask(s, 1);
	a = answer(s);
	close(s);
	return a;
}

static void dns(const char *name, size_t n)
{
	int s = nameserver();
	uint64_t *v = calloc(n, sizeof(*v)), from;
	size_t sent = 0;

	make_query(name);
	ask(s, 0);
	answer(s);
	for (size_t i = 0; v && i < n; i++) {
		from = now_ns();
		ask(s, (unsigned)i);
		answer(s);
		v[i] = now_ns() - from;
	}
	from = now_ns();
	for (; sent < WINDOW && sent < n; sent++)
		ask(s, (unsigned)sent);
	for (size_t i = 0; i < n; i++) {
		answer(s);
		if (sent < n)
			ask(s, (unsigned)sent++);
	}
	printf("per_s %.0f\n", (double)n * 1e9 / (double)(now_ns() - from));
	if (v)
		print_p50(v, n);
}

static void tcp(const char *name, int port, size_t n, int echo)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = resolve(name) };
	struct linger hard = { 1, 0 }; /* no TIME_WAIT: a round must not slow the next one down */
	uint64_t *v = calloc(n, sizeof(*v));

	for (size_t i = 0; v && i < n; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0);
		uint64_t from = now_ns();
		char c = 'x';

		if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
			die("connect");
		if (echo && (send(s, &c, 1, MSG_NOSIGNAL) != 1 || recv(s, &c, 1, 0) != 1))
			die("echo");
		v[i] = now_ns() - from;
		if (!echo)
			usleep(300); /* what the connection sets off behind connect(2) is not the next one's burden */
		setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(s);
	}
	if (v)
		print_p50(v, n);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "connect"))
		tcp(argv[2], atoi(argv[3]), number(argv[4], RUNS_MAX), 0);
	else if (argc == 5 && !strcmp(argv[1], "echo"))
		tcp(argv[2], atoi(argv[3]), number(argv[4], RUNS_MAX), 1);
	else if (argc == 4 && !strcmp(argv[1], "dns"))
		dns(argv[2], number(argv[3], RUNS_MAX));
	else
		return 2;
	return 0;
}
