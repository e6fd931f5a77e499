/* SPDX-License-Identifier: Apache-2.0 */
/* Where a path leads for good: link by link, as long as no name on the way is one that the session could make or replace. What another
 * process opens by the path later on is then the file found now. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/str.h"
#include "execd/execd.h"

#define PATH_BYTES 8300
#define LINKS_MAX 40 /* the kernel's own limit */

struct walk {
	const struct policy *p;
	int root, links;
	char real[4096];        /* without links; "" the root */
	char rest[PATH_BYTES];
};

static void up(struct walk *w)
{
	char *slash = strrchr(w->real, '/');

	if (slash)
		*slash = 0;
}

/* w->real has become the name of a link: its text takes that name's place. */
static int follow(struct walk *w, int fd)
{
	char text[4096], rest[PATH_BYTES];
	int r = ++w->links > LINKS_MAX ? -ELOOP : resolve_link(fd, text, sizeof(text));

	if (r == 0)
		r = str_format(rest, sizeof(rest), "%s/%s", text, w->rest);
	if (r < 0)
		return r;
	memcpy(w->rest, rest, strlen(rest) + 1);
	if (text[0] == '/')
		w->real[0] = 0;
	else
		up(w);
	return 0;
}

static int enter(struct walk *w, const char *name)
{
	size_t len = strlen(w->real);
	struct statx st;
	auto_fd fd = -1;
	int r = str_format(w->real + len, sizeof(w->real) - len, "/%s", name);

	if (r < 0)
		return r;
	if (!policy_settled(w->p, w->real))
		return -EPERM;
	fd = resolve_entry(w->root, w->real);
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return -errno;
	return S_ISLNK(st.stx_mode) ? follow(w, fd) : 0;
}

int settle_file(const struct policy *p, int root, const char *path, char *out, size_t cap)
{
	struct walk w = { .p = p, .root = root };
	int r = path[0] == '/' ? str_format(w.rest, sizeof(w.rest), "%s", path) : -EPERM;

	while (r == 0 && w.rest[0]) {
		size_t n = strcspn(w.rest, "/");
		char name[256];

		if (n >= sizeof(name))
			return -ENAMETOOLONG;
		memcpy(name, w.rest, n);
		name[n] = 0;
		n += w.rest[n] == '/';
		memmove(w.rest, w.rest + n, strlen(w.rest + n) + 1);
		if (!strcmp(name, ".."))
			up(&w);
		else if (name[0] && strcmp(name, ".") != 0)
			r = enter(&w, name);
	}
	return r < 0 ? r : str_format(out, cap, "%s", w.real[0] ? w.real : "/");
}
