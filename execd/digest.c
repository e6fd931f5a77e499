/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA-256 of what an exec is about, for rules that pin it. Judged before the exec and again at its stop: what was changed in between is
 * killed there. That the kernel lets nobody write an image that runs is of no help afterwards: it knows a file of fsd's by one name, and
 * another link to it is another file there; and a script is opened by its interpreter later on. So only what stays is known. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "execd/execd.h"

/* The file of a command that is not started yet, found as its first process will find it; what it then runs is judged by itself. */
static int submitted(const struct cmd *c, const char *given)
{
	const char *path = "/usr/local/bin:/usr/bin:/bin";
	auto_fd root = name_root(c->s->init);
	int fd = -ENOENT;

	if (root < 0)
		return root;
	if (given[0] == '/')
		return resolve_in_root(root, given);
	for (char **e = c->env; e && *e; e++)
		if (!strncmp(*e, "PATH=", 5))
			path = *e + 5;
	while (*path && fd < 0 && !strchr(given, '/')) {
		size_t n = strcspn(path, ":");
		char file[4096];

		if (n && str_format(file, sizeof(file), "%.*s/%s", (int)n, path, given) == 0)
			fd = resolve_in_root(root, file);
		path += n + (path[n] == ':');
	}
	return fd;
}

/* An O_PATH descriptor of the file that f is about, or negative errno. */
static int file_of(const struct cmd *c, const struct exec_facts *f)
{
	char link[64];
	struct statx st;
	auto_fd fd = -1, root = -1;

	if (!f->pid)
		return submitted(c, f->place[0] ? f->place : f->given);
	if (f->running) {
		snprintf(link, sizeof(link), "/proc/%d/exe", (int)f->pid);
		fd = open(link, O_PATH | O_CLOEXEC);
	} else {
		root = name_root(f->pid);
		fd = root < 0 ? root : resolve_in_root(root, f->resolved);
	}
	if (fd < 0)
		return -ENOENT;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) < 0 || st.stx_ino != f->ino ||
	    makedev(st.stx_dev_major, st.stx_dev_minor) != f->dev)
		return -ESTALE;
	return move_fd(&fd);
}

/* The session can neither replace the file, by any part of its path, nor write it. */
static bool stays(const struct policy *p, int fd)
{
	char link[64], path[4096];
	struct pol_state st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n <= 0 || (size_t)n == sizeof(path))
		return false;
	path[n] = 0;
	st = policy_file_path(p, path);
	return policy_settled(p, path) && !policy_file_asks(p, st, POL_OP_WRITE) &&
	       policy_file(p, st, POL_OP_WRITE, (struct pol_who){ 0 }).decision == POL_DENY;
}

int digest_exec(void *arg, uint8_t ret[32])
{
	struct digest *d = arg;

	if (!d->known) {
		auto_fd fd = file_of(d->c, d->f);
		bool alone = false;

		d->r = fd < 0 ? fd : stays(d->p, fd) ? digest_file(fd, d->sum, &alone) : -EPERM;
		if (d->r == 0 && !alone)
			d->r = -EPERM;
		d->known = true;
	}
	memcpy(ret, d->sum, 32);
	return d->r;
}
