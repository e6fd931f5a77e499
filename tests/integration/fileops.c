/* SPDX-License-Identifier: Apache-2.0 */
/* File operations that a shell cannot name, and their speed. fileops WHAT DIR-OR-FILE [...]; prints what it found, exit 1 on failure. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static int must_open(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		die(path);
	return fd;
}

static unsigned char at(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

/* Fills path with size known bytes by ways that alternate: write, append, shared mapping, direct. */
static void fill(const char *path, size_t size)
{
	unsigned char *b = aligned_alloc(4096, (size + 8191) & ~(size_t)4095), *m;
	size_t half = size / 2 & ~(size_t)4095, end = (size - size / 8) & ~(size_t)4095;
	int fd = must_open(path, O_CREAT | O_TRUNC | O_WRONLY), ap;

	for (size_t i = 0; i < size; i++)
		b[i] = at(i);
	if (write(fd, b, half) != (ssize_t)half)
		die("write");
	ap = must_open(path, O_WRONLY | O_APPEND);
	if (pwrite(ap, b + half, size - half, 0) != (ssize_t)(size - half))
		die("append");
	if (ftruncate(fd, (off_t)end) < 0 || ftruncate(fd, (off_t)size) < 0)
		die("truncate");
	close(fd);
	fd = must_open(path, O_RDWR);
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		die("mmap");
	for (size_t i = end; i < size; i++) {
		if (m[i]) {
			puts("a byte cut off by truncate came back");
			exit(1);
		}
		m[i] = b[i];
	}
	if (msync(m, size, MS_SYNC) < 0 || munmap(m, size) < 0)
		die("msync");
	close(fd);
	close(ap);
	if (half >= 4096) {
		fd = must_open(path, O_WRONLY | O_DIRECT);
		if (pwrite(fd, b, 4096, 0) != 4096)
			die("direct write");
		close(fd);
	}
	free(b);
}

static void same(const char *path, size_t size, int flags)
{
	unsigned char *b = aligned_alloc(4096, ((size + 8191) & ~(size_t)4095) + MIB), *m; /* the last read asks for more than there is */
	int fd = must_open(path, O_RDONLY | flags);
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, b + got, flags & O_DIRECT ? MIB : 100000)) > 0)
		got += (size_t)n;
	m = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (n < 0 || got != size || m == MAP_FAILED)
		die("read");
	for (size_t i = 0; i < size; i++)
		if (b[i] != at(i) || m[i] != at(i)) {
			printf("byte %zu differs\n", i);
			exit(1);
		}
	munmap(m, size);
	close(fd);
	free(b);
}

static void rate(const char *what, double n, double t)
{
	printf("%-12s %.0f\n", what, n / t);
}

static void bench_data(const char *dir)
{
	char path[4096];
	char *b = malloc(MIB);
	double t;
	int fd;

	memset(b, 'x', MIB);
	snprintf(path, sizeof(path), "%s/bench.data", dir);
	fd = must_open(path, O_CREAT | O_TRUNC | O_WRONLY);
	for (int i = 0; i < 256; i++)
		if (write(fd, b, MIB) != MIB)
			die("write");
	close(fd);
	unlink(path);
	t = now();
	fd = must_open(path, O_CREAT | O_TRUNC | O_WRONLY);
	for (int i = 0; i < 256; i++)
		if (write(fd, b, MIB) != MIB)
			die("write");
	rate("write-MiB/s", 256, now() - t);
	close(fd);
	fd = must_open(path, O_RDONLY);
	for (int pass = 0; pass < 2; pass++) {
		lseek(fd, 0, SEEK_SET);
		t = now();
		for (int i = 0; i < 256; i++)
			if (read(fd, b, MIB) != MIB)
				die("read");
	}
	rate("read-MiB/s", 256, now() - t);
	t = now();
	for (int i = 0; i < 200000; i++)
		if (pread(fd, b, 4096, (off_t)((unsigned)i * 2654435761u % 65536) * 4096) != 4096)
			die("pread");
	rate("rand-read/s", 200000, now() - t);
	close(fd);
	unlink(path);
}

static void bench_meta(const char *dir)
{
	char path[4096], b[16384];
	struct stat st;
	double t;
	int fd, n = 3000;

	memset(b, 'y', sizeof(b));
	snprintf(path, sizeof(path), "%s/bench.meta", dir);
	close(must_open(path, O_CREAT | O_TRUNC | O_WRONLY));
	t = now();
	for (int i = 0; i < 300000; i++)
		if (stat(path, &st) < 0)
			die("stat");
	rate("stat/s", 300000, now() - t);
	t = now();
	for (int i = 0; i < n; i++)
		close(must_open(path, O_RDONLY));
	rate("open+close/s", n, now() - t);
	unlink(path);
	t = now();
	for (int i = 0; i < n; i++) {
		fd = must_open(path, O_CREAT | O_WRONLY);
		if (write(fd, b, sizeof(b)) != sizeof(b))
			die("write");
		close(fd);
		fd = must_open(path, O_RDONLY);
		if (read(fd, b, sizeof(b)) != sizeof(b))
			die("read");
		close(fd);
		unlink(path);
	}
	rate("16KiB-w+r/s", n, now() - t);
	t = now();
	for (int i = 0; i < 300; i++) {
		DIR *d = opendir(dir);

		while (d && readdir(d))
			;
		if (d)
			closedir(d);
	}
	rate("readdir/s", 300, now() - t);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	size_t size = argc > 3 ? (size_t)atol(argv[3]) : 0;

	if (!strcmp(what, "fill")) {
		fill(argv[2], size);
	} else if (!strcmp(what, "same")) {
		same(argv[2], size, 0);
		if (size >= 4096)
			same(argv[2], size, O_DIRECT);
	} else if (!strcmp(what, "data")) {
		bench_data(argv[2]);
	} else if (!strcmp(what, "meta")) {
		bench_meta(argv[2]);
	} else {
		puts("usage: fileops fill|same FILE SIZE, or data|meta DIRECTORY");
		return 2;
	}
	return 0;
}
