/* SPDX-License-Identifier: Apache-2.0 */
/* The session's root tree, from the mount plan: uniform trees are plain binds, governed trees come from fsd, denied ones are empty.
 * Runs in the future pid 1, as root, in its own mount, pid, ipc and uts namespaces, before any word of the agent's is read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "common/kernfs.h"
#include "execd/execd.h"

#define ROOT_TMPFS "mode=755,size=16m"
#define RESOLV "/etc/resolv.conf"

static int sys_move(int fd, const char *to)
{
	return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
}

static int sys_move_onto(int fd, int to)
{
	return (int)syscall(SYS_move_mount, fd, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Binds a host tree, submounts too, with attributes on all of them. */
static int bind_tree(const char *from, const char *to, uint64_t attrs, struct err *err)
{
	struct mount_attr a = { .attr_set = attrs };
	auto_fd t = (int)syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);

	if (t < 0 || syscall(SYS_mount_setattr, t, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof(a)) < 0 || sys_move(t, to) < 0)
		return err_set(err, -errno, "binding %s into the sandbox: %s", from, strerror(errno));
	return 0;
}

static int tmpfs_at(const char *at, const char *opts, unsigned long flags, struct err *err)
{
	if (mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV | flags, opts) < 0)
		return err_set(err, -errno, "mounting a tmpfs at %s: %s", at, strerror(errno));
	return 0;
}

static int find_mount(struct session *s, const char *path)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (!strcmp(s->mounts[i].path, path))
			return (int)i;
	return -1;
}

static int attach(struct session *s, const char *path, int to, struct err *err)
{
	int i = find_mount(s, path);

	if (i < 0)
		return err_set(err, -ENOENT, "fsd handed over no mount for %s", path);
	if (sys_move_onto(s->mounts[i].fd, to) < 0)
		return err_set(err, -errno, "attaching fsd's mount at %s: %s", path, strerror(errno));
	return 0;
}

static bool kernfs_path(const char *path)
{
	auto_fd fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return kernfs_at(fd);
}

static int attach_at(struct session *s, const char *path, const char *to, struct err *err)
{
	auto_fd fd = open(to, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_set(err, -errno, "opening %s: %s", path, strerror(errno)) : attach(s, path, fd, err);
}

/* Superblocks that this file made: the only places where it creates anything, for every other tree is the host's. */
static dev_t own[3];
static size_t n_own;

static int own_add(const char *at, struct err *err)
{
	struct stat st;

	if (n_own == ARRAY_LEN(own) || stat(at, &st) < 0)
		return err_set(err, -EIO, "looking at the new %s: %s", at, strerror(errno));
	own[n_own++] = st.st_dev;
	return 0;
}

static bool is_own(int fd)
{
	struct stat st;
	bool yes = false;

	for (size_t i = 0; fstat(fd, &st) == 0 && i < n_own; i++)
		yes |= own[i] == st.st_dev;
	return yes;
}

/* Opens the directory below dir that path names, following no link; what is missing in a tree of our own is made. A descriptor for mounting
 * upon, or negative errno: -ENOENT for what is missing in another's tree. */
static int open_dir(const char *dir, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	size_t n;

	for (path += strspn(path, "/"); at >= 0 && *path; path += n, path += strspn(path, "/"), at = next) {
		char name[256];

		n = strcspn(path, "/");
		if (n >= sizeof(name) || (n <= 2 && !strncmp(path, "..", n))) {
			close(at);
			return -EINVAL;
		}
		memcpy(name, path, n);
		name[n] = 0;
		next = (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
		if (next < 0 && errno == ENOENT && is_own(at) && mkdirat(at, name, 0755) == 0)
			next = (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
		if (next < 0)
			next = -errno;
		close(at);
	}
	return at == -1 ? -errno : at;
}

/* An empty tree has the directories that lead to the workspace, and no others. */
static int way_to_workspace(const struct session *s, const char *top, struct err *err)
{
	size_t n = strlen(top);
	char at[4200];

	if (strncmp(s->workspace, top, n) != 0 || s->workspace[n] != '/')
		return 0;
	for (const char *end = s->workspace + n; end; end = strchr(end + 1, '/')) {
		snprintf(at, sizeof(at), ".%.*s", (int)(end - s->workspace), s->workspace);
		if (mkdir(at, 0755) < 0 && errno != EEXIST)
			return err_set(err, -errno, "making %s: %s", at + 1, strerror(errno));
	}
	snprintf(at, sizeof(at), ".%s", s->workspace);
	return mkdir(at, 0755) < 0 && errno != EEXIST ? err_set(err, -errno, "making %s: %s", at + 1, strerror(errno)) : 0;
}

static int top_entry(struct session *s, const char *name, struct err *err)
{
	const uint64_t plain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	char from[300], to[300], link[4096];
	struct stat st;
	ssize_t n;

	snprintf(from, sizeof(from), "/%s", name);
	snprintf(to, sizeof(to), "./%s", name);
	if (lstat(from, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode)) {
		n = readlink(from, link, sizeof(link) - 1);
		link[n < 0 ? 0 : n] = 0;
		return symlink(link, to) < 0 ? err_set(err, -errno, "linking %s: %s", from, strerror(errno)) : 0;
	}
	if (!S_ISDIR(st.st_mode))
		return 0; /* files in the host's root directory have no use in a sandbox */
	if (mkdir(to, 0755) < 0)
		return err_set(err, -errno, "making %s: %s", from, strerror(errno));
	if (!strcmp(from, s->workspace))
		return 0; /* make_workspace attaches it */
	switch (policy_file_top(s->policy, name)) {
	case POL_TREE_RO:
		return bind_tree(from, to, plain | MOUNT_ATTR_RDONLY, err);
	case POL_TREE_RW:
		return bind_tree(from, to, plain, err);
	case POL_TREE_MIXED:
		/* fsd serves no tree of the kernel's. */
		return find_mount(s, from) < 0 && kernfs_path(from) ? 0 : attach_at(s, from, to, err);
	case POL_TREE_NONE:
		break;
	}
	return way_to_workspace(s, from, err);
}

static int host_trees(struct session *s, struct err *err)
{
	DIR *d = opendir("/");
	struct dirent *e;
	int r = 0;

	while (d && r == 0 && (e = readdir(d)))
		if (!plan_ours(e->d_name))
			r = top_entry(s, e->d_name, err);
	if (d)
		closedir(d);
	return r;
}

static int make_dev(struct err *err)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
	static const struct { const char *to, *at; } links[] = {
		{ "/proc/self/fd", "./dev/fd" }, { "/proc/self/fd/0", "./dev/stdin" }, { "/proc/self/fd/1", "./dev/stdout" },
		{ "/proc/self/fd/2", "./dev/stderr" }, { "pts/ptmx", "./dev/ptmx" },
	};

	if (tmpfs_at("./dev", "mode=755,size=64k", MS_NOEXEC, err) < 0)
		return err->status;
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		char from[64], to[64];
		int fd;

		snprintf(from, sizeof(from), "/dev/%s", nodes[i]);
		snprintf(to, sizeof(to), "./dev/%s", nodes[i]);
		fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
		if (fd >= 0)
			close(fd);
		if (mount(from, to, NULL, MS_BIND, NULL) < 0)
			return err_set(err, -errno, "binding %s: %s", from, strerror(errno));
	}
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (symlink(links[i].to, links[i].at) < 0)
			return err_set(err, -errno, "making %s: %s", links[i].at + 1, strerror(errno));
	if (mkdir("./dev/pts", 0755) < 0 || mkdir("./dev/shm", 0777) < 0 ||
	    mount("devpts", "./dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620") < 0)
		return err_set(err, -errno, "mounting devpts: %s", strerror(errno));
	return tmpfs_at("./dev/shm", "mode=1777", 0, err);
}

/* /proc of the new pid namespace. An agent of uid 0 has no capability, yet owns these files: what would act on the host is read-only or
 * masked. */
static int make_proc(struct err *err)
{
	static const char *const read_only[] = { "sys", "irq", "bus", "fs" };
	static const char *const masked[] = { "kcore", "sysrq-trigger", "keys", "key-users", "timer_list", "sched_debug", "kmsg",
		"latency_stats",
					      "kpagecount", "kpageflags", "kpagecgroup", "vmallocinfo", "slabinfo", "config.gz" };
	char p[64];

	if (mount("proc", "./proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_set(err, -errno, "mounting proc: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(read_only); i++) {
		snprintf(p, sizeof(p), "./proc/%s", read_only[i]);
		if (access(p, F_OK) == 0 &&
		    (mount(p, p, NULL, MS_BIND | MS_REC, NULL) < 0 ||
		     mount(NULL, p, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0))
			return err_set(err, -errno, "making %s read-only: %s", p + 1, strerror(errno));
	}
	for (size_t i = 0; i < ARRAY_LEN(masked); i++) {
		snprintf(p, sizeof(p), "./proc/%s", masked[i]);
		if (access(p, F_OK) == 0 && mount("./dev/null", p, NULL, MS_BIND, NULL) < 0)
			return err_set(err, -errno, "masking %s: %s", p + 1, strerror(errno));
	}
	return 0;
}

static int make_tmp(struct session *s, struct err *err)
{
	enum pol_tree t = policy_file_top(s->policy, "tmp");

	if (t == POL_TREE_MIXED)
		return attach_at(s, "/tmp", "./tmp", err);
	if (t == POL_TREE_NONE)
		return 0;
	return tmpfs_at("./tmp", "mode=1777", t == POL_TREE_RO ? MS_RDONLY : 0, err) < 0 ? err->status : own_add("./tmp", err);
}

static int make_system(struct session *s, struct err *err)
{
	static const char *const dirs[] = { "./proc", "./sys", "./dev", "./run", "./tmp" };
	auto_fd cpu = -1;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdir(dirs[i], 0755) < 0)
			return err_set(err, -errno, "making %s: %s", dirs[i] + 1, strerror(errno));
	if (make_dev(err) < 0 || make_proc(err) < 0 || tmpfs_at("./run", "mode=755,size=16m", 0, err) < 0 || own_add("./run", err) < 0 ||
	    make_tmp(s, err) < 0)
		return err->status;
	cpu = open_dir(".", "sys/devices/system/cpu");
	if (cpu < 0)
		return err_set(err, cpu, "making /sys: %s", strerror(-cpu));
	return bind_tree("/sys/devices/system/cpu", "./sys/devices/system/cpu", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			 err);
}

static int make_workspace(struct session *s, struct err *err)
{
	static const char *const no[] = { "/", "/proc", "/sys", "/dev", "/run", "/usr", "/etc" };
	auto_fd at = -1;

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (!strcmp(s->workspace, no[i]) ||
		    (i > 0 && i < 5 && !strncmp(s->workspace, no[i], strlen(no[i])) && s->workspace[strlen(no[i])] == '/'))
			return err_set(err, -EINVAL, "%s cannot be a workspace: choose a project's directory", s->workspace);
	at = open_dir(".", s->workspace);
	if (at < 0)
		return err_set(err, at, "the workspace %s cannot be reached in the sandbox's own tree: %s", s->workspace, strerror(-at));
	if (attach(s, s->workspace, at, err) < 0)
		return err->status;
	if (!strcmp(s->workspace, "/workspace"))
		return 0;
	if (mkdir("./workspace", 0755) < 0)
		return err_set(err, -errno, "making /workspace: %s", strerror(errno));
	return attach_at(s, "/workspace", "./workspace", err);
}

/* Read at every start of a program: where the policy only allows that, a bind saves each exec a round trip to fsd. */
static int hot_files(struct session *s, struct err *err)
{
	for (const char *const *file = plan_hot_files; *file; file++) {
		char at[64];
		struct stat f;

		snprintf(at, sizeof(at), ".%s", *file);
		if (!plan_hot(s->policy, *file) || lstat(*file, &f) < 0 || !S_ISREG(f.st_mode) || lstat(at, &f) < 0)
			continue;
		if (bind_tree(*file, at, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err) < 0)
			return err->status;
	}
	return 0;
}

/* Our own records, sockets and quarantine are nothing of the sandbox's. fsd hides them in its trees; plain binds are covered here. */
static int hide_ours(struct session *s, struct err *err)
{
	const char *const ours[] = { s->w->data_dir, s->w->run_dir };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		char at[4200];
		struct stat st, host;

		snprintf(at, sizeof(at), ".%s", ours[i]);
		if (lstat(at, &st) < 0 || stat(ours[i], &host) < 0 || st.st_dev != host.st_dev || st.st_ino != host.st_ino)
			continue;
		if (tmpfs_at(at, "mode=000,size=4k", MS_RDONLY, err) < 0)
			return err->status;
	}
	return 0;
}

/* The rule that keeps a path, or what leads to it, out of the sandbox; NULL: none does. */
static const char *closed_by(const struct policy *p, const char *path)
{
	const struct pol_who who = { .unknown = true };
	char part[64];

	for (size_t n = 1; n <= strlen(path) && n < sizeof(part); n++) {
		struct pol_verdict v;

		if (path[n] && path[n] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		v = policy_file(p, policy_file_path(p, part), POL_OP_STAT, who);
		if (v.decision == POL_DENY || v.decision == POL_REDIRECT)
			return v.rule;
	}
	return NULL;
}

/* Where resolv.conf is a link into /run, which is new here: makes what it points to, there and nowhere else. */
static int make_linked(struct err *err)
{
	static const char *const into_run[] = { "/run/", "../run/", "/var/run/", "../var/run/" };
	char link[4096], *slash;
	const char *rest = NULL;
	auto_fd dir = -1, fd = -1;
	ssize_t n = readlink(RESOLV, link, sizeof(link) - 1);

	if (n <= 0)
		return err_set(err, -ENOENT, RESOLV " is missing on this host: make it (it may be empty)");
	link[n] = 0;
	for (size_t i = 0; i < ARRAY_LEN(into_run) && !rest; i++)
		if (!strncmp(link, into_run[i], strlen(into_run[i])))
			rest = link + strlen(into_run[i]);
	slash = rest ? strrchr(link, '/') : NULL;
	if (!slash || !slash[1])
		return err_set(err, -ENOENT, RESOLV " is a link to %s, which is not there", link);
	*slash = 0;
	dir = open_dir("/run", slash < rest ? "" : rest);
	if (dir >= 0 && is_own(dir))
		fd = openat(dir, slash + 1, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? err_set(err, -EIO, "making what " RESOLV " is a link to: %s", strerror(dir < 0 ? -dir : errno)) : 0;
}

/* The file that netd wants (resolv.conf), over whatever the path leads to inside the new root. */
static int put_file(struct session *s, struct err *err)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	const char *from = "/run/.agentsh-file", *closed;
	auto_fd fd = -1, tree = -1, target = -1;
	struct stat st;

	if (!s->file_text)
		return 0;
	fd = open(from, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, s->file_text, strlen(s->file_text)) != (ssize_t)strlen(s->file_text))
		return err_set(err, -errno, "writing " RESOLV ": %s", strerror(errno));
	target = open(RESOLV, O_PATH | O_CLOEXEC);
	closed = target < 0 ? closed_by(s->policy, RESOLV) : NULL;
	if (closed)
		return err_set(err, -EACCES, "the policy closes " RESOLV ", which every session needs: put a rule before \"%s\" that "
			       "allows [read, open, stat, readlink, access] of [/etc, " RESOLV "]", closed);
	if (target < 0 && make_linked(err) < 0)
		return err->status;
	if (target < 0)
		target = open(RESOLV, O_PATH | O_CLOEXEC);
	if (target < 0 || fstat(target, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, RESOLV " leads to no file");
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0 || sys_move_onto(tree, target) < 0)
		return err_set(err, -errno, "putting " RESOLV " in place: %s", strerror(errno));
	unlink(from);
	return 0;
}

int build_root(struct session *s, struct err *err)
{
	char stage[4300];

	if (str_format(stage, sizeof(stage), "%s/sessions/%s/root", s->w->data_dir, s->w->id) < 0)
		return err_set(err, -ENAMETOOLONG, "data directory's path is too long");
	umask(0);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, -errno, "making mounts private: %s", strerror(errno));
	if (mkdir(stage, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "making %s: %s", stage, strerror(errno));
	if (tmpfs_at(stage, ROOT_TMPFS, 0, err) < 0)
		return err->status;
	if (chdir(stage) < 0)
		return err_set(err, -errno, "entering %s: %s", stage, strerror(errno));
	if (own_add(".", err) < 0 || host_trees(s, err) < 0 || cover_kernel_mounts(err) < 0 || make_system(s, err) < 0 ||
	    make_workspace(s, err) < 0 || hot_files(s, err) < 0 || hide_ours(s, err) < 0)
		return err->status;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(err, -errno, "pivot_root: %s", strerror(errno));
	if (put_file(s, err) < 0)
		return err->status;
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		return err_set(err, -errno, "making / read-only: %s", strerror(errno));
	umask(022);
	return 0;
}
