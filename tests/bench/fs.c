/* SPDX-License-Identifier: Apache-2.0 */
/* fs write FILE MIB | read FILE | open FILE N | stat FILE N: bytes or calls per second. write wants a fresh file and does not sync. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define CHUNK (1u << 20)
static char chunk[CHUNK];

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int done(uint64_t what, uint64_t from)
{
	printf("per_s %.0f\n", (double)what * 1e9 / (double)(now_ns() - from));
	return 0;
}

static int write_file(const char *path, size_t mib)
{
	uint64_t from = now_ns();
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (fd < 0)
		return fail(path);
	for (size_t i = 0; i < mib; i++)
		if (write(fd, chunk, CHUNK) != (ssize_t)CHUNK)
			return fail(path);
	if (close(fd) < 0)
		return fail(path);
	return done((uint64_t)mib * CHUNK, from);
}

static int read_file(const char *path)
{
	uint64_t from = now_ns(), all = 0;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fail(path);
	while ((n = read(fd, chunk, CHUNK)) > 0)
		all += (uint64_t)n;
	close(fd);
	return n < 0 ? fail(path) : done(all, from);
}

static int open_file(const char *path, size_t n)
{
	uint64_t from = now_ns();

	for (size_t i = 0; i < n; i++) {
		int fd = open(path, O_RDONLY);

		if (fd < 0)
			return fail(path);
		close(fd);
	}
	return done(n, from);
}

static int stat_file(const char *path, size_t n)
{
	struct stat st;
	uint64_t from;

	if (stat(path, &st) < 0)
		return fail(path);
	from = now_ns();
	for (size_t i = 0; i < n; i++)
		if (stat(path, &st) < 0)
			return fail(path);
	return done(n, from);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "write"))
		return write_file(argv[2], number(argv[3], 65536));
	if (argc == 3 && !strcmp(argv[1], "read"))
		return read_file(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "open"))
		return open_file(argv[2], number(argv[3], 100000000));
	if (argc == 4 && !strcmp(argv[1], "stat"))
		return stat_file(argv[2], number(argv[3], 100000000));
	return 2;
}
