/* SPDX-License-Identifier: Apache-2.0 */
/* One cgroup-v2 directory per session and command: so that a command's whole tree can be ended at once and its sockets known. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "execd/execd.h"

#define REMOVE_TRIES 500

/* Where cgroup v2 is mounted and can be written; the hybrid tree puts it below a v1 tree. */
static int find_root(char *out, size_t cap)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char dev[256], dir[1024], type[64];
	int r = -ENOENT;

	while (f && r < 0 && fscanf(f, "%255s %1023s %63s%*[^\n]", dev, dir, type) == 3)
		if (!strcmp(type, "cgroup2") && access(dir, W_OK) == 0)
			r = str_format(out, cap, "%s", dir);
	if (f)
		fclose(f);
	return r;
}

void cgroup_session_make(struct session *s)
{
	char root[1024];

	s->cgroup = -1;
	s->cgroup_path[0] = 0;
	if (find_root(root, sizeof(root)) < 0)
		return;
	snprintf(s->cgroup_path, sizeof(s->cgroup_path), "%s/agentsh-%s", root, s->w->id);
	if (mkdir(s->cgroup_path, 0755) == 0)
		s->cgroup = open(s->cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Without cgroup.kill (before 5.14) it would serve for nothing that we need. */
	if (s->cgroup >= 0 && faccessat(s->cgroup, "cgroup.kill", F_OK, 0) < 0) {
		close(s->cgroup);
		s->cgroup = -1;
		rmdir(s->cgroup_path);
	}
	if (s->cgroup < 0)
		s->cgroup_path[0] = 0;
}

int cgroup_cmd_make(struct session *s, struct cmd *c, uint64_t *ret_id)
{
	char name[32];
	struct stat st;

	*ret_id = 0;
	c->cgroup = -1;
	if (s->cgroup < 0)
		return 0;
	snprintf(name, sizeof(name), "c%u", c->num);
	if (mkdirat(s->cgroup, name, 0755) < 0)
		return -errno;
	c->cgroup = openat(s->cgroup, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->cgroup < 0 || fstat(c->cgroup, &st) < 0)
		return -errno;
	*ret_id = st.st_ino; /* the kernel's cgroup id is its directory's inode number */
	return 0;
}

int cgroup_set_make(struct session *s, struct cmd *c, const struct lineage *l)
{
	char name[LINEAGE_NAME_MAX];
	struct stat st;
	int r;

	for (size_t i = 0; i < c->n_sets; i++)
		if (c->sets[i].sure == l->sure && c->sets[i].may == l->may && c->sets[i].depth == l->depth && c->sets[i].id == l->id)
			return 0;
	if (c->cgroup < 0 || c->n_sets == SETS_MAX)
		return -ENOSPC;
	lineage_name(l, name);
	if (mkdirat(c->cgroup, name, 0755) < 0)
		return -errno;
	r = fstatat(c->cgroup, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : board_add_set(s->board, c->slot, st.st_ino, l);
	if (r < 0) {
		unlinkat(c->cgroup, name, AT_REMOVEDIR);
		return r;
	}
	c->sets[c->n_sets++] = *l;
	return 0;
}

int cgroup_procs(const struct cmd *c, const struct lineage *l)
{
	char name[LINEAGE_NAME_MAX] = ".", path[LINEAGE_NAME_MAX + 16];
	int fd;

	if (l)
		lineage_name(l, name);
	snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	fd = openat(c->cgroup, path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Tries those below a command's directory once. */
static void remove_sets(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] == 'p')
			unlinkat(fd, e->d_name, AT_REMOVEDIR);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

static void remove_dir(int parent, const char *name, bool of_command)
{
	/* The last process may still be on its way out. */
	for (int i = 0; i < REMOVE_TRIES; i++) {
		if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno != EBUSY)
			return;
		if (of_command)
			remove_sets(parent, name);
		if (i)
			usleep(1000);
	}
	log_warn("cgroup %s stays: it is still busy", name);
}

void cgroup_cmd_await(struct cmd *c, unsigned ms)
{
	for (unsigned i = 0; c->cgroup >= 0 && i < ms; i++) {
		char text[256] = "";
		auto_fd fd = openat(c->cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || strstr(text, "populated 0"))
			return;
		usleep(1000);
	}
}

void cgroup_cmd_end(struct session *s, struct cmd *c)
{
	char name[32];

	if (c->cgroup < 0)
		return;
	close(c->cgroup);
	c->cgroup = -1;
	c->n_sets = 0;
	snprintf(name, sizeof(name), "c%u", c->num);
	remove_dir(s->cgroup, name, true);
}

void cgroup_session_end(struct session *s)
{
	if (s->cgroup < 0)
		return;
	for (size_t i = 0; i < BOARD_CMDS; i++)
		if (s->cmds[i].state != CMD_FREE)
			cgroup_cmd_end(s, &s->cmds[i]);
	close(s->cgroup);
	s->cgroup = -1;
	remove_dir(AT_FDCWD, s->cgroup_path, false);
}

/* pid 1 died with the worker and took all with it; the kill is for what is still on its way. */
void cgroup_bury(const char *id)
{
	char root[1024], path[1200];
	auto_fd dir = -1, kill_file = -1;
	struct dirent *e;
	DIR *d;

	if (find_root(root, sizeof(root)) < 0)
		return;
	snprintf(path, sizeof(path), "%s/agentsh-%s", root, id);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	kill_file = openat(dir, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	if (kill_file >= 0 && write(kill_file, "1", 1) != 1)
		log_warn("%s/cgroup.kill: %s", path, strerror(errno));
	d = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] == 'c')
			remove_dir(dir, e->d_name, true);
	if (d)
		closedir(d);
	remove_dir(AT_FDCWD, path, false);
}
