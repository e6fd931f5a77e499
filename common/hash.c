/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, nettle's home. */
#include <errno.h>
#include <nettle/sha2.h>
#include <unistd.h>

#include "common/evt.h"

void sha256(const void *p, size_t n, uint8_t out[32])
{
	struct sha256_ctx c;

	sha256_init(&c);
	sha256_update(&c, n, p);
	sha256_digest(&c, 32, out);
}

int sha256_fd(int fd, uint8_t out[32])
{
	struct sha256_ctx c;
	uint8_t part[65536];
	off_t at = 0;
	ssize_t n;

	sha256_init(&c);
	while ((n = pread(fd, part, sizeof(part), at)) > 0) {
		sha256_update(&c, (size_t)n, part);
		at += n;
	}
	sha256_digest(&c, 32, out);
	return n < 0 ? -errno : 0;
}
