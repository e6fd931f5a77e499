/* SPDX-License-Identifier: Apache-2.0 */
/* What the acts of posix.c and posix_io.c are told with. */
#ifndef TESTS_POSIX_H
#define TESTS_POSIX_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TRY(act) say(#act, (long)(act))

static inline void say(const char *what, long r)
{
	if (r < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %ld\n", what, r);
}

/* An open for what it leaves: the descriptor is closed, its number not shown. */
static inline int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0666);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static inline int must_open(const char *path, int flags)
{
	int fd = open(path, flags, 0666);

	if (fd < 0) {
		printf("%s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static inline int put(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0666);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

static inline void show_stat(const char *what, const struct stat *st)
{
	printf("%s: mode %06o links %lu size %ld owner %u:%u\n", what, st->st_mode, (unsigned long)st->st_nlink,
	       S_ISDIR(st->st_mode) ? 0L : (long)st->st_size, st->st_uid, st->st_gid);
}

static inline void show(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		say(path, -1);
	else
		show_stat(path, &st);
}

static inline void show_fd(const char *what, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		say(what, -1);
	else
		show_stat(what, &st);
}

static inline void show_text(const char *path)
{
	char text[65] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		say(path, -1);
	else
		printf("%s holds \"%s\"\n", path, text);
	if (fd >= 0)
		close(fd);
}

void unnamed(void);
void attributes(void);
void holes(void);
void any(void);
void copies(void);
void maps(void);
void direct(void);
void locks(void);
void dirs(void);

#endif
