/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes as an undo knows them: of a copy all that a session is served, of a change the one that it concerns. */
#include <errno.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "fsd/trash.h"

#define NOT_THERE '-'
#define SHOWN_MAX 1700 /* bytes of a value, so that its digits and its name fit into a note */

/* By path: of the calls by descriptor the worker has none to set one. */
static void path_of(int fd, char out[40])
{
	snprintf(out, 40, "/proc/self/fd/%d", fd);
}

static bool copied(const char *name)
{
	return !strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN) || !strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS);
}

int xattrs_copy(int from, int to)
{
	static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
	char a[40], b[40];
	ssize_t n, size;

	path_of(from, a);
	path_of(to, b);
	n = listxattr(a, names, sizeof(names));
	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		if (!copied(name))
			continue;
		size = getxattr(a, name, value, sizeof(value));
		if (size < 0 || setxattr(b, name, value, (size_t)size, 0) < 0)
			return -errno;
	}
	return 0;
}

int xattr_note(int fd, const char *name, char out[PATH_CAP])
{
	static char value[SHOWN_MAX];
	static char digits[2 * SHOWN_MAX + 1];
	char p[40];
	ssize_t n;

	path_of(fd, p);
	n = getxattr(p, name, value, sizeof(value));
	if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return errno == ERANGE ? -E2BIG : -errno;
	if (n >= 0)
		hex_encode(value, (size_t)n, digits);
	return str_format(out, PATH_CAP, "%s %s", n < 0 ? "-" : digits, name) < 0 ? -E2BIG : 0;
}

const char *xattr_of_note(const char *note)
{
	const char *end = strchr(note, ' ');

	return end ? end + 1 : "";
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int xattr_back(const char *path, const char *note)
{
	static char value[SHOWN_MAX];
	const char *name = xattr_of_note(note);
	size_t n = 0;

	if (!name[0])
		return -EBADMSG;
	if (note[0] == NOT_THERE)
		return removexattr(path, name) < 0 && errno != ENODATA ? -errno : 0;
	for (; note + 1 < name - 1 && n < sizeof(value); note += 2) {
		int high = digit(note[0]), low = digit(note[1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		value[n++] = (char)(high << 4 | low);
	}
	if (note != name - 1)
		return -EBADMSG;
	return setxattr(path, name, value, n, 0) < 0 ? -errno : 0;
}
