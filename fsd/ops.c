/* SPDX-License-Identifier: Apache-2.0 */
/* What the library calls, and the operations on attributes. Every request gets one reply. */
#include "fsd/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define GROUPS_MAX 128

/* The FUSE root holds one directory per tree, "0", "1" ...; only mount.c walks it. */
struct inode *ino_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? NULL : (struct inode *)(uintptr_t)ino;
}

void reply_entry(fuse_req_t req, const struct fuse_entry_param *e)
{
	if (fuse_reply_entry(req, e) < 0 && e->ino)
		inode_forget(ino_of(e->ino), 1); /* the caller was gone: the kernel does not know of it */
}

static int make_as(struct call *c, int (*make)(struct call *), int n_groups, const gid_t *groups)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(c->req);
	int r;

	/* By system call: the library's wrappers change all threads. */
	if (n_groups)
		syscall(SYS_setgroups, n_groups, groups);
	syscall(SYS_setfsgid, ctx->gid);
	syscall(SYS_setfsuid, ctx->uid);
	umask(ctx->umask); /* by the file system, which does not where the directory has ACLs for what is made in it */
	r = make(c) < 0 ? errno : 0;
	umask(0);
	syscall(SYS_setfsuid, 0);
	syscall(SYS_setfsgid, 0);
	if (n_groups)
		syscall(SYS_setgroups, 0, NULL);
	return r;
}

int as_caller(struct call *c, int (*make)(struct call *))
{
	gid_t groups[GROUPS_MAX];
	int n, r = make_as(c, make, 0, NULL);

	/* Supplementary groups only where they decide: they are read from /proc. */
	if (r != EACCES)
		return r;
	n = fuse_req_getgroups(c->req, GROUPS_MAX, groups);
	return n > 0 ? make_as(c, make, n < GROUPS_MAX ? n : GROUPS_MAX, groups) : r;
}

void proc_path(int fd, char out[40])
{
	snprintf(out, 40, "/proc/self/fd/%d", fd);
}

mode_t mode_kept(mode_t type)
{
	/* A set-id bit of a file means nothing inside (nosuid) and must not be left behind for the host; of a directory it is no right. */
	return fsd.alone ? 07777 : S_ISDIR(type) ? 03777 : 01777;
}

void strip(const char *p)
{
	struct stat st;

	if (fsd.alone || stat(p, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if (st.st_mode & (S_ISUID | S_ISGID))
		chmod(p, st.st_mode & 01777);
	removexattr(p, "security.capability");
}

void entry_fill(struct fuse_entry_param *e, struct inode *dir, const char *name, struct inode *i, const struct stat *st)
{
	memset(e, 0, sizeof(*e));
	e->ino = (fuse_ino_t)(uintptr_t)i;
	e->attr = *st;
	e->attr.st_nlink = links_seen(st->st_dev, st->st_ino, st->st_nlink);
	e->attr_timeout = watch_attr_seconds(i, st);
	e->entry_timeout = dir ? watch_entry_seconds(dir, name, i, st) : ENTRY_MS / 1000.0;
}

int entry_of(struct inode *dir, const char *name, struct fuse_entry_param *e)
{
	struct inode *i;
	struct stat st;
	int r;

	watch_dir(dir);
	r = inode_get(dir, name, &i, &st);
	*e = (struct fuse_entry_param){ 0 };
	if (r < 0)
		return r;
	if (watch_dir(i))
		fstat(i->fd, &st);
	entry_fill(e, dir, name, i, &st);
	return 0;
}

static void lookup_tree(fuse_req_t req, const char *name)
{
	struct fuse_entry_param e;
	struct stat st;
	uint64_t n;

	if (str_to_u64(name, TREES_MAX, &n) < 0 || n >= fsd.n_trees || fstat(fsd.trees[n].fd, &st) < 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fsd.trees[n].root->lookups++;
	entry_fill(&e, NULL, NULL, fsd.trees[n].root, &st);
	reply_entry(req, &e);
}

static int do_lookup(struct call *c)
{
	struct fuse_entry_param e;
	int r = judge(c, c->a, c->name, POL_OP_STAT, NULL, NULL);

	if (r == 0)
		r = -entry_of(c->a, c->name, &e);
	if (r == ENOENT) { /* an answer too, for as long as another */
		e = (struct fuse_entry_param){ .entry_timeout = watch_entry_seconds(c->a, c->name, NULL, NULL) };
		r = 0;
	}
	if (r == 0)
		reply_entry(c->req, &e);
	return r;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct call c = { .req = req, .run = do_lookup, .a = ino_of(parent), .name = name };

	if (!c.a)
		lookup_tree(req, name);
	else
		call_run(&c);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	if (ino_of(ino))
		inode_forget(ino_of(ino), n);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi UNUSED)
{
	struct inode *i = ino_of(ino);
	struct stat st = { .st_mode = S_IFDIR | 0555, .st_nlink = 2, .st_ino = 1 };
	double keep;

	int fd = i ? inode_fd(i) : 0;

	if (fd < 0 || (i && fstat(fd, &st) < 0)) {
		fuse_reply_err(req, fd < 0 ? -fd : errno);
	} else {
		keep = i ? watch_attr_seconds(i, &st) : ENTRY_MS / 1000.0;
		st.st_nlink = links_seen(st.st_dev, st.st_ino, st.st_nlink);
		fuse_reply_attr(req, &st, keep);
	}
}

static int set_mode(const struct inode *i, const char *p, mode_t mode)
{
	struct stat st;
	int r;

	if (fstat(i->fd, &st) < 0)
		return errno;
	mode &= mode_kept(st.st_mode);
	/* Whether the caller may set the group's bit the kernel has judged; of us, without CAP_FSETID, it wants that group too. */
	if (mode & S_ISGID)
		syscall(SYS_setfsgid, st.st_gid);
	r = chmod(p, mode) < 0 ? errno : 0;
	syscall(SYS_setfsgid, 0);
	return r;
}

static int set_owner_mode(struct call *c)
{
	struct inode *i = c->a;
	uid_t uid = c->which & FUSE_SET_ATTR_UID ? c->attr.st_uid : (uid_t)-1;
	gid_t gid = c->which & FUSE_SET_ATTR_GID ? c->attr.st_gid : (gid_t)-1;
	bool keep = false;
	char p[40];
	int r = 0;

	proc_path(i->fd, p);
	if (c->which & FUSE_SET_ATTR_MODE) {
		r = judge(c, i, NULL, POL_OP_CHMOD, "file_chmod", &keep);
		if (r == 0 && keep)
			r = undo_attrs(c);
		if (r == 0)
			r = set_mode(i, p, c->attr.st_mode);
	}
	if (r == 0 && (c->which & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))) {
		r = judge(c, i, NULL, POL_OP_CHOWN, "file_chown", &keep);
		if (r == 0 && keep)
			r = undo_attrs(c);
		if (r == 0 && fchownat(i->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
			r = errno;
		if (r == 0)
			strip(p);
	}
	return r;
}

static int set_size_times(struct call *c)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
	struct inode *i = c->a;
	bool keep = false;
	char p[40];
	int r = 0;

	/* Of a symbolic link too this names the link itself: what the descriptor holds, nothing is followed from there. */
	proc_path(i->fd, p);
	if (c->which & FUSE_SET_ATTR_SIZE) {
		r = judge(c, i, NULL, POL_OP_WRITE, "file_truncate", &keep);
		if (r == 0 && !c->by_fd)
			r = acl_refuses(c->req, i, W_OK);
		if (r == 0 && keep)
			r = undo_overwrite(c, TRASH_TRUNCATED);
		if (r == 0 && truncate(p, c->attr.st_size) < 0)
			r = errno;
		if (r == 0)
			strip(p);
	}
	if (r == 0 && (c->which & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))) {
		r = judge(c, i, NULL, POL_OP_WRITE, NULL, &keep);
		if (r == 0 && keep)
			r = undo_attrs(c);
		if (c->which & FUSE_SET_ATTR_ATIME)
			t[0] = c->attr.st_atim;
		if (c->which & FUSE_SET_ATTR_MTIME)
			t[1] = c->attr.st_mtim;
		if (c->which & FUSE_SET_ATTR_ATIME_NOW)
			t[0].tv_nsec = UTIME_NOW;
		if (c->which & FUSE_SET_ATTR_MTIME_NOW)
			t[1].tv_nsec = UTIME_NOW;
		if (r == 0 && utimensat(AT_FDCWD, p, t, 0) < 0)
			r = errno;
	}
	return r;
}

/* Held between two of its parts, it does the first again: the same to the same effect. */
static int do_setattr(struct call *c)
{
	int r = set_owner_mode(c);

	if (r == 0)
		r = set_size_times(c);
	if (r == 0)
		op_getattr(c->req, (fuse_ino_t)(uintptr_t)c->a, NULL);
	return r;
}

static int do_readlink(struct call *c)
{
	char text[4097];
	ssize_t n;
	int r = judge(c, c->a, NULL, POL_OP_READLINK, NULL, NULL);

	if (r)
		return r;
	n = readlinkat(c->a->fd, "", text, sizeof(text) - 1);
	if (n < 0)
		return errno;
	text[n] = 0;
	fuse_reply_readlink(c->req, text);
	return 0;
}

static int do_access(struct call *c)
{
	int r = judge(c, c->a, NULL, POL_OP_ACCESS, NULL, NULL);

	if (r == 0)
		fuse_reply_err(c->req, 0);
	return r;
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	int fd = ino_of(ino) ? inode_fd(ino_of(ino)) : fsd.trees[0].fd;

	if (fd < 0 || fstatvfs(fd, &st) < 0)
		fuse_reply_err(req, fd < 0 ? -fd : errno);
	else
		fuse_reply_statfs(req, &st);
}

static void op_init(void *data UNUSED, struct fuse_conn_info *c)
{
	c->want |= c->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS |
				  FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_DONT_MASK);
	if (fsd.acls && (c->capable & FUSE_CAP_POSIX_ACL))
		c->want |= FUSE_CAP_POSIX_ACL;
	else
		fsd.acls = false;
	/* What a link says is judged when it is read, which the kernel then does once for all: not where it depends on who reads. */
	if (policy_has_labels(fsd.policy))
		c->want &= ~(unsigned)FUSE_CAP_CACHE_SYMLINKS;
	else
		c->want |= c->capable & FUSE_CAP_CACHE_SYMLINKS;
	/* Bulk data passes by the kernel; what is left is small, and two system calls cheaper through a buffer than through a pipe. */
	c->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	c->max_write = IO_MAX;
}

/* What the library calls: the operation made a call, so that it can be held. */
#define CALL(...) call_run(&(struct call){ .req = req, .a = ino_of(ino), __VA_ARGS__ })

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *a, int which, struct fuse_file_info *fi)
{
	CALL(.run = do_setattr, .attr = *a, .which = which, .by_fd = fi != NULL);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	CALL(.run = do_readlink);
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int mask UNUSED)
{
	if (!ino_of(ino))
		fuse_reply_err(req, 0);
	else
		CALL(.run = do_access);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode)
{
	CALL(.run = do_mkdir, .name = name, .mode = mode);
}

static void op_mknod(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode, dev_t dev)
{
	CALL(.run = do_mknod, .name = name, .mode = mode, .dev = dev);
}

static void op_symlink(fuse_req_t req, const char *to, fuse_ino_t ino, const char *name)
{
	CALL(.run = do_symlink, .name = name, .to = to);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	CALL(.run = do_link, .b = ino_of(parent), .name = name);
}

static void op_unlink(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	CALL(.run = do_unlink, .name = name);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	CALL(.run = do_rmdir, .name = name);
}

static void op_rename(fuse_req_t req, fuse_ino_t ino, const char *name, fuse_ino_t parent, const char *to, unsigned flags)
{
	CALL(.run = do_rename, .name = name, .b = ino_of(parent), .to = to, .flags = flags);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	CALL(.run = do_open, .fi = *fi);
}

static void op_create(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	if (!strcmp(name, UNNAMED))
		CALL(.run = do_tmpfile, .name = "#unnamed", .mode = mode, .fi = *fi);
	else
		CALL(.run = do_create, .name = name, .mode = mode, .fi = *fi);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	CALL(.run = do_opendir, .fi = *fi);
}

struct fuse_session *ops_session(void)
{
	static const struct fuse_lowlevel_ops ops = {
		.init = op_init, .lookup = op_lookup, .forget = op_forget, .getattr = op_getattr, .setattr = op_setattr,
		.readlink = op_readlink,
		.mkdir = op_mkdir, .mknod = op_mknod, .symlink = op_symlink, .link = op_link, .unlink = op_unlink, .rmdir = op_rmdir,
		.rename = op_rename, .access = op_access, .statfs = op_statfs, .open = op_open, .create = op_create, .read = op_read,
		.write_buf = op_write_buf, .release = op_release, .fsync = op_fsync, .fsyncdir = op_fsyncdir, .opendir = op_opendir,
		.readdir = op_readdir, .readdirplus = op_readdirplus,
		.releasedir = op_releasedir, .fallocate = op_fallocate, .lseek = op_lseek,
		.getxattr = op_getxattr, .listxattr = op_listxattr, .setxattr = op_setxattr, .removexattr = op_removexattr,
		.ioctl = op_ioctl,
	};
	char name[] = "agentsh-fsd", opt[] = "-oallow_other";
	char *argv[] = { name, opt, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	return fuse_session_new(&args, &ops, sizeof(ops), NULL);
}
