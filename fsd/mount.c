/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the FUSE mount in a private mount namespace and hands each tree over as a detached mount: it is never visible on the host. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "common/kernfs.h"
#include "fsd/ops.h"

static int add_tree(const char *path, int fd, struct pol_state st)
{
	struct tree *t = &fsd.trees[fsd.n_trees];

	if (fsd.n_trees == TREES_MAX)
		return -E2BIG;
	if (fd < 0)
		return -errno;
	snprintf(t->path, sizeof(t->path), "%s", path);
	t->fd = fd;
	t->root = inode_root((int)fsd.n_trees, fd, st);
	fsd.n_trees++;
	return t->root ? 0 : -ENOMEM;
}

/* The same plan that execd follows: top-level directories that the policy treats unevenly. */
static int plan(void)
{
	static const char *const not_ours[] = { ".", "..", "proc", "sys", "dev", "run", "tmp", "workspace", "lost+found" };
	DIR *d = opendir("/");
	struct dirent *e;
	int r = 0;

	while (d && r == 0 && (e = readdir(d))) {
		struct pol_state st = policy_file_child(fsd.policy, policy_file_root(fsd.policy), e->d_name, strlen(e->d_name));
		char path[300];
		struct stat s;
		auto_fd fd = -1;
		bool skip;

		snprintf(path, sizeof(path), "/%s", e->d_name);
		skip = !strcmp(path, fsd.workspace); /* a tree of its own already */
		for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
			skip |= !strcmp(e->d_name, not_ours[i]);
		if (skip || lstat(path, &s) < 0 || !S_ISDIR(s.st_mode) || policy_file_top(fsd.policy, e->d_name) != POL_TREE_MIXED)
			continue;
		fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = fd >= 0 && kernfs_at(fd) ? 0 : add_tree(path, move_fd(&fd), st);
	}
	if (d)
		closedir(d);
	return r;
}

/* A session's own /tmp is empty but for the directories that lead to a workspace below it. */
static int way_to_workspace(void)
{
	char at[sizeof(fsd.workspace)];

	if (strncmp(fsd.workspace, "/tmp/", 5) != 0)
		return 0;
	for (const char *end = strchr(fsd.workspace + 5, '/');; end = strchr(end + 1, '/')) {
		snprintf(at, sizeof(at), "%.*s", end ? (int)(end - fsd.workspace - 1) : (int)strlen(fsd.workspace) - 1, fsd.workspace + 1);
		if (mkdirat(fsd.w->session_dir, at, 0755) < 0 && errno != EEXIST)
			return -1;
		if (!end)
			return 0;
	}
}

static int plan_tmp(void)
{
	struct pol_state st = policy_file_child(fsd.policy, policy_file_root(fsd.policy), "tmp", 3);

	if (policy_file_top(fsd.policy, "tmp") != POL_TREE_MIXED)
		return 0;
	if (mkdirat(fsd.w->session_dir, "tmp", 0700) < 0 && errno != EEXIST)
		return -errno;
	if (fchmodat(fsd.w->session_dir, "tmp", 01777, 0) < 0)
		return -errno;
	if (way_to_workspace() < 0)
		return -errno;
	return add_tree("/tmp", openat(fsd.w->session_dir, "tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), st);
}

/*
 * Serves while this process itself walks its mount; then the worker's loop takes over. The device is non-blocking and the end comes
 * by descriptor: a thread that waited in read(2) could be woken by a late FORGET, and leave the next caller unanswered for ever.
 */
static void *serve(void *arg)
{
	struct pollfd p[2] = { { .fd = fuse_session_fd(fsd.se), .events = POLLIN }, { .fd = *(int *)arg, .events = POLLIN } };
	struct fuse_buf b = { 0 };

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents & POLLIN) {
			if (fuse_session_receive_buf(fsd.se, &b) > 0)
				fuse_session_process_buf(fsd.se, &b);
			continue;
		}
		if (p[0].revents || p[1].revents)
			break;
	}
	free(b.mem);
	return NULL;
}

static int hand(struct worker *w, uint32_t id, const char *target, const char *from)
{
	uint8_t body[4300];
	struct wr b = wr_init(body, sizeof(body));
	int r;
	auto_fd t = (int)syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (t < 0)
		return -errno;
	wr_str(&b, target);
	r = ipc_send_wr(w->setup, IPC_HAND_MOUNT, IPC_MORE, id, &b, t);
	return r;
}

static int hand_all(struct worker *w, uint32_t id, const char *at)
{
	char from[4400];
	int r = 0;

	for (size_t i = 0; i < fsd.n_trees && r == 0; i++) {
		snprintf(from, sizeof(from), "%s/%zu", at, i);
		r = hand(w, id, fsd.trees[i].path, from);
		if (r == 0 && i == 0 && !fsd.alone && strcmp(fsd.trees[0].path, "/workspace") != 0)
			r = hand(w, id, "/workspace", from);
	}
	return r;
}

static int walk(struct worker *w, uint32_t id, const char *at)
{
	auto_fd over = eventfd(0, EFD_CLOEXEC);
	pthread_t t;
	int r;

	if (over < 0)
		return -errno;
	r = pthread_create(&t, NULL, serve, &over);
	if (r != 0)
		return -r;
	r = hand_all(w, id, at);
	eventfd_write(over, 1);
	pthread_join(t, NULL);
	return r;
}

static int mount_fuse(const char *at, struct err *err)
{
	char opts[128];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set(err, -errno, "/dev/fuse: %s (load the fuse module, or give the container the device)", strerror(errno));
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", fd);
	if (mount("agentsh", at, "fuse.agentsh", MS_NOSUID | MS_NODEV, opts) < 0)
		return err_set(err, -errno, "mounting the workspace's file system: %s", strerror(errno));
	return dev_attach(fd) < 0 ? err_set(err, -EIO, "starting the file system failed") : 0;
}

int mount_make(struct worker *w, uint32_t id, struct err *err)
{
	char at[4300];
	int r = fsd.alone ? 0 : plan();

	if (r == 0 && !fsd.alone)
		r = plan_tmp();
	if (r < 0)
		return err_set(err, r, "opening the trees that rules decide about: %s", strerror(-r));
	snprintf(at, sizeof(at), "%s/sessions/%s/fuse", w->data_dir, w->id);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || (mkdir(at, 0700) < 0 && errno != EEXIST))
		return err_set(err, -errno, "preparing %s: %s", at, strerror(errno));
	fsd.se = ops_session();
	if (!fsd.se)
		return err_set(err, -ENOMEM, "libfuse refused its options");
	if (mount_fuse(at, err) < 0)
		return err->status;
	r = walk(w, id, at);
	if (r < 0)
		return err_set(err, r, "handing over the mounts: %s", strerror(-r));
	umount2(at, MNT_DETACH);
	return 0;
}
