/* SPDX-License-Identifier: Apache-2.0 */
/* fs write FILE MIB | read FILE | pread FILE N | pwrite FILE N | open FILE N | stat FILE N | create DIR N | list DIR N: bytes or calls per
 * second. write wants a fresh file; nothing is synced. pread and pwrite take 4 KiB at places of the file that are the same in each run. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define CHUNK (1u << 20)
#define BLOCK 4096
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

static int at_random(const char *path, size_t n, bool writes)
{
	int fd = open(path, writes ? O_RDWR : O_RDONLY);
	uint64_t from, place = 1;
	off_t blocks;

	if (fd < 0)
		return fail(path);
	blocks = lseek(fd, 0, SEEK_END) / BLOCK;
	from = now_ns();
	for (size_t i = 0; blocks && i < n; i++) {
		off_t at;

		place = place * 6364136223846793005u + 1442695040888963407u;
		at = (off_t)((place >> 33) % (uint64_t)blocks) * BLOCK;
		if ((writes ? pwrite(fd, chunk, BLOCK, at) : pread(fd, chunk, BLOCK, at)) != BLOCK)
			return fail(path);
	}
	return blocks ? done(n, from) : fail(path);
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

static int create_files(const char *dir, size_t n)
{
	uint64_t from;

	if (chdir(dir) < 0)
		return fail(dir);
	from = now_ns();
	for (size_t i = 0; i < n; i++) {
		int fd = open("made", O_WRONLY | O_CREAT | O_EXCL, 0644);

		if (fd < 0 || close(fd) < 0 || unlink("made") < 0)
			return fail("made");
	}
	return done(n, from);
}

static int list_dir(const char *dir, size_t n)
{
	uint64_t from = now_ns();

	for (size_t i = 0; i < n; i++) {
		DIR *d = opendir(dir);

		if (!d)
			return fail(dir);
		while (readdir(d))
			;
		closedir(d);
	}
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
	if (argc == 4 && (!strcmp(argv[1], "pread") || !strcmp(argv[1], "pwrite")))
		return at_random(argv[2], number(argv[3], 100000000), argv[1][1] == 'w');
	if (argc == 4 && !strcmp(argv[1], "create"))
		return create_files(argv[2], number(argv[3], 100000000));
	if (argc == 4 && !strcmp(argv[1], "list"))
		return list_dir(argv[2], number(argv[3], 100000000));
	return 2;
}
