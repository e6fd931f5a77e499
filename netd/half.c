/* SPDX-License-Identifier: Apache-2.0 */
#include "netd/half.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK ((size_t)256 * 1024)
#define ROUNDS 8                 /* chunks per turn, so that one flow does not hold up the others */

/* An urgent byte is one of the stream's: out of line it would be lost, and its event could not be answered by reading. */
void half_inline(int sock)
{
	setsockopt(sock, SOL_SOCKET, SO_OOBINLINE, &(int){ 1 }, sizeof(int));
}

/* splice(2) stops at an urgent mark for ever, and takes it for the end once that has come. Reading passes it: the byte is in line. */
static ssize_t read_past_mark(int from, int pipe)
{
	uint8_t b[HALF_PUT_MAX];
	ssize_t n = recv(from, b, sizeof(b), MSG_DONTWAIT);

	return n > 0 ? write(pipe, b, (size_t)n) : n;
}

int half_put(struct half *h, int from, uint8_t *b, size_t n)
{
	if (recv(from, b, n, MSG_DONTWAIT) != (ssize_t)n || write(h->pipe[1], b, n) != (ssize_t)n)
		return -1;
	h->inside = n;
	return 0;
}

static enum moved stopped(void)
{
	return errno == EAGAIN ? MOVE_WAIT : errno == EINTR ? MOVE_AGAIN : MOVE_OVER;
}

enum moved half_push(struct half *h, int to)
{
	ssize_t n = splice(h->pipe[0], NULL, to, NULL, h->inside, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n < 0)
		return stopped();
	h->inside -= (size_t)n;
	h->total += (uint64_t)n;
	return MOVE_AGAIN;
}

enum moved half_move(struct half *h, int from, int to)
{
	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n;

		if (!h->inside && !h->ended) {
			n = splice(from, NULL, h->pipe[1], NULL, CHUNK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
			if (n == 0 || (n < 0 && errno == EAGAIN))
				n = read_past_mark(from, h->pipe[1]);
			if (n < 0)
				return stopped();
			h->ended = n == 0;
			h->inside = (size_t)n;
		}
		if (h->inside) {
			enum moved m = half_push(h, to);

			if (m != MOVE_AGAIN)
				return m;
		}
		if (h->ended && !h->inside) {
			if (!h->shut)
				shutdown(to, SHUT_WR);
			h->shut = true;
			return MOVE_WAIT;
		}
	}
	return MOVE_AGAIN;
}
