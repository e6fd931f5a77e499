/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a program that is asked for by a path: the directory that the path's own directory part leads to, with the last part as
 * written; and what was written, where that says something else. Name and file are taken from one descriptor of that directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/str.h"
#include "execd/execd.h"

#define TWINS_MAX 64 /* a root with more runs nothing: a rule could be passed by the name that is not known */
#define PATH_BYTES 8300

/* The links of the session's root, which is read-only: the same as long as it lives. */
static struct { size_t n; struct pol_twin v[TWINS_MAX]; char link[TWINS_MAX][256], real[TWINS_MAX][4096]; bool read; } twins;

static int path_of(int fd, char *out, size_t cap)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, cap);
	if (n < 0)
		return -errno;
	if ((size_t)n >= cap)
		return -ENAMETOOLONG;
	out[n] = 0;
	return 0;
}

int name_root(pid_t pid)
{
	char root[64];
	int fd;

	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The path without "//", "." and "..", by its text alone; false: it does not fit. */
static bool clean(const char *path, char *out, size_t cap, bool *ret_up)
{
	*ret_up = false;
	if (path[0] != '/' || str_format(out, cap, "%s", path) < 0)
		return false;
	*ret_up = str_clean_path(out);
	return out[1] != 0;
}

static int add_twin(int root, const char *name)
{
	size_t i = twins.n;
	char to[4096];
	ssize_t len = readlinkat(root, name, to, sizeof(to) - 1);
	auto_fd fd = -1;
	bool up;

	if (len < 0)
		return errno == EINVAL ? 0 : -errno; /* no link */
	to[len] = 0;
	if (i == TWINS_MAX)
		return -E2BIG;
	if (str_format(twins.link[i], sizeof(twins.link[i]), "/%s", name) < 0)
		return -ENAMETOOLONG;
	/* What the policy hides now it may show later: then the text says where the link leads. */
	fd = resolve_in_root(root, name);
	if (fd < 0 || path_of(fd, twins.real[i], sizeof(twins.real[i])) < 0)
		if (!clean(to, twins.real[i], sizeof(twins.real[i]), &up))
			return 0; /* to the root itself */
	twins.v[i] = (struct pol_twin){ twins.link[i], twins.real[i] };
	twins.n = i + 1;
	return 0;
}

static int read_twins(pid_t init)
{
	auto_fd root = name_root(init);
	int fd = root < 0 ? root : openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int r = d ? 0 : -EIO;

	twins.n = 0;
	while (d && r == 0 && (e = readdir(d)))
		if (e->d_type == DT_LNK || e->d_type == DT_UNKNOWN)
			r = add_twin(root, e->d_name);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	return r;
}

int name_twins(const struct session *s, const struct pol_twin **ret, size_t *ret_n)
{
	int r = twins.read ? 0 : read_twins(s->init);

	if (r < 0)
		log_warn("links of the session's root: %s", strerror(-r));
	twins.read = r == 0;
	*ret = twins.v;
	*ret_n = twins.n;
	return r;
}

int name_written(const struct session *s, const char *path, struct exec_facts *f)
{
	const struct pol_twin *v;
	size_t n;
	int r = name_twins(s, &v, &n);

	f->written[0] = 0;
	if (r < 0)
		return r;
	if (!clean(path, f->written, sizeof(f->written), &f->up))
		return -ENAMETOOLONG;
	/* Below a link of the root the policy knows both names. */
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(v[i].link), real = strlen(v[i].real);

		if (!strncmp(f->written, v[i].link, len) && f->written[len] == '/' && !strncmp(f->place, v[i].real, real) &&
		    !strcmp(f->place + real, f->written + len))
			f->written[0] = 0;
	}
	if (!strcmp(f->written, f->place))
		f->written[0] = 0;
	return 0;
}

int name_find(int root, const char *path, struct exec_facts *f)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	char dir[PATH_BYTES], where[4096];
	auto_fd at = -1, fd = -1;
	struct statx st;
	int r;

	if (path[0] != '/')
		return -ENOENT;
	if (!*last || !strcmp(last, ".") || !strcmp(last, "..")) {
		fd = resolve_in_root(root, path);
		return fd < 0 ? fd : -EACCES; /* a directory is no program */
	}
	if (str_format(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path) < 0)
		return -ENAMETOOLONG;
	at = resolve_in_root(root, dir);
	if (at < 0)
		return at;
	r = path_of(at, where, sizeof(where));
	if (r == 0)
		r = str_format(f->place, sizeof(f->place), "%s/%s", where[1] ? where : "", last);
	if (r < 0)
		return r;
	fd = resolve_entry(at, last);
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.stx_mode))
		return move_fd(&fd);
	/* What a link leads to is looked up by its path: that it was this link counts only where the session could not have exchanged any
	 * part of that (name_trusted). */
	return resolve_in_root(root, f->place);
}

bool name_trusted(const struct policy *p, const struct exec_facts *f)
{
	return !strcmp(f->place, f->resolved) || policy_settled(p, f->place);
}

void name_submitted(struct cmd *c, struct exec_facts *f)
{
	char path[PATH_BYTES];
	auto_fd root = -1, fd = -1;

	if (!strchr(f->given, '/'))
		return;
	root = name_root(c->s->init);
	if (root < 0 || str_format(path, sizeof(path), "%s%s%s", f->given[0] == '/' ? "" : c->cwd[0] ? c->cwd : "/workspace",
				   f->given[0] == '/' ? "" : "/", f->given) < 0)
		return;
	fd = name_find(root, path, f);
	if (fd < 0)
		f->place[0] = 0;
	else if (name_written(c->s, path, f) < 0)
		f->written[0] = 0;
}
