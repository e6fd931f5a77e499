/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a relayed connection: bytes from one socket to another by way of a pipe (splice(2)). */
#ifndef NETD_HALF_H
#define NETD_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HALF_PUT_MAX ((size_t)4096) /* what an empty pipe takes whole, however small its user's share of pipes has become */

struct half {
	int pipe[2];
	size_t inside;               /* bytes in the pipe */
	uint64_t total;
	bool ended, shut;            /* ended: nothing more comes; shut: and that was passed on */
};
/* AGAIN: there may be more to do, though no event will say so. OVER: the connection is broken. */
enum moved { MOVE_OVER, MOVE_WAIT, MOVE_AGAIN };

void half_inline(int sock);          /* prepares a socket to be read from */
enum moved half_move(struct half *h, int from, int to);
enum moved half_push(struct half *h, int to);    /* only what is inside */
/* Takes n <= HALF_PUT_MAX bytes, which were peeked at before, off the socket into b and the empty pipe; 0 or -1. */
int half_put(struct half *h, int from, uint8_t *b, size_t n);

#endif
