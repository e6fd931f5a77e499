/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA-256 of what an exec is about, for rules that pin it. Judged before the exec and again at its stop, where the running image can no
 * longer be written: what was changed in between is killed there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "execd/execd.h"

static int root_of(pid_t pid)
{
	char link[64];
	int fd;

	snprintf(link, sizeof(link), "/proc/%d/root", (int)pid);
	fd = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The file of a command that is not started yet, found as its first process will find it; what it then runs is judged by itself. */
static int submitted(const struct cmd *c, const char *given)
{
	const char *path = "/usr/local/bin:/usr/bin:/bin";
	auto_fd root = root_of(c->s->init);
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
		return submitted(c, f->given);
	if (f->running) {
		snprintf(link, sizeof(link), "/proc/%d/exe", (int)f->pid);
		fd = open(link, O_PATH | O_CLOEXEC);
	} else {
		root = root_of(f->pid);
		fd = root < 0 ? root : resolve_in_root(root, f->resolved);
	}
	if (fd < 0)
		return -ENOENT;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) < 0 || st.stx_ino != f->ino ||
	    makedev(st.stx_dev_major, st.stx_dev_minor) != f->dev)
		return -ESTALE;
	return move_fd(&fd);
}

/* A script is opened by its interpreter later on: its digest says something only where the session can neither replace nor write it. */
static bool stays(const struct cmd *c, const struct exec_facts *f)
{
	const struct policy *p = c->s->policy;
	struct pol_state st = policy_file_path(p, f->resolved);

	return label_settled(p, f->resolved) && !policy_file_asks(p, st, POL_OP_WRITE) &&
	       policy_file(p, st, POL_OP_WRITE, (struct pol_who){ 0 }).decision == POL_DENY;
}

int digest_exec(void *arg, uint8_t ret[32])
{
	struct digest *d = arg;

	if (!d->known) {
		auto_fd fd = file_of(d->c, d->f);
		bool script = false;

		d->r = fd < 0 ? fd : digest_file(fd, d->sum, &script);
		if (d->r == 0 && script && d->f->pid && !stays(d->c, d->f))
			d->r = -EPERM;
		d->known = true;
	}
	memcpy(ret, d->sum, 32);
	return d->r;
}
