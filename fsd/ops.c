/* SPDX-License-Identifier: Apache-2.0 */
/* FUSE operations on names and attributes; every one is judged, every request gets one reply. */
#include "fsd/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#define ENTRY_SECONDS 1.0 /* the host's editor may change what is below */

/* The FUSE root holds one directory per tree, "0", "1" ...; only mount.c walks it. */
struct inode *ino_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? NULL : (struct inode *)(uintptr_t)ino;
}

void as_caller(fuse_req_t req)
{
	syscall(SYS_setfsgid, fuse_req_ctx(req)->gid);
	syscall(SYS_setfsuid, fuse_req_ctx(req)->uid);
}

void as_self(void)
{
	syscall(SYS_setfsuid, 0);
	syscall(SYS_setfsgid, 0);
}

void proc_path(int fd, char out[40])
{
	snprintf(out, 40, "/proc/self/fd/%d", fd);
}

void strip(const char *p)
{
	struct stat st;

	if (stat(p, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if (st.st_mode & (S_ISUID | S_ISGID))
		chmod(p, st.st_mode & 01777);
	removexattr(p, "security.capability");
}

static void fill(struct fuse_entry_param *e, struct inode *i, const struct stat *st)
{
	memset(e, 0, sizeof(*e));
	e->ino = (fuse_ino_t)(uintptr_t)i;
	e->attr = *st;
	e->attr_timeout = e->entry_timeout = ENTRY_SECONDS;
}

int entry_of(struct inode *dir, const char *name, struct fuse_entry_param *e)
{
	struct inode *i;
	struct stat st;
	int r = inode_get(dir, name, &i, &st);

	if (r == 0)
		fill(e, i, &st);
	return r;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct inode *dir = ino_of(parent);
	struct fuse_entry_param e;
	struct stat st;
	int r;

	if (!dir) {
		uint64_t n;

		if (str_to_u64(name, TREES_MAX, &n) < 0 || n >= fsd.n_trees || fstat(fsd.trees[n].fd, &st) < 0) {
			fuse_reply_err(req, ENOENT);
			return;
		}
		fsd.trees[n].root->lookups++;
		fill(&e, fsd.trees[n].root, &st);
		fuse_reply_entry(req, &e);
		return;
	}
	r = judge(req, dir, name, POL_OP_STAT, NULL, NULL);
	if (r == 0)
		r = -entry_of(dir, name, &e);
	if (r)
		fuse_reply_err(req, r);
	else
		fuse_reply_entry(req, &e);
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

	if (i && fstat(i->fd, &st) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, ENTRY_SECONDS);
}

static int set_owner_mode(fuse_req_t req, struct inode *i, const struct stat *a, int which)
{
	char p[40];
	int r = 0;

	proc_path(i->fd, p);
	if (which & FUSE_SET_ATTR_MODE) {
		r = judge(req, i, NULL, POL_OP_CHMOD, "file_chmod", NULL);
		/* A set-id bit means nothing inside (nosuid) and must not be left behind for the host. */
		if (r == 0 && chmod(p, a->st_mode & 01777) < 0)
			r = errno;
	}
	if (r == 0 && (which & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))) {
		r = judge(req, i, NULL, POL_OP_CHOWN, "file_chown", NULL);
		if (r == 0 && fchownat(i->fd, "", which & FUSE_SET_ATTR_UID ? a->st_uid : (uid_t)-1, which & FUSE_SET_ATTR_GID ? a->st_gid : (gid_t)-1,
				       AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
			r = errno;
		if (r == 0)
			strip(p);
	}
	return r;
}

static int set_size_times(fuse_req_t req, struct inode *i, const struct stat *a, int which)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
	char p[40];
	int r = 0;

	proc_path(i->fd, p);
	if (which & FUSE_SET_ATTR_SIZE) {
		r = judge(req, i, NULL, POL_OP_WRITE, "file_truncate", NULL);
		if (r == 0 && truncate(p, a->st_size) < 0)
			r = errno;
		if (r == 0)
			strip(p);
	}
	if (r == 0 && (which & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))) {
		r = judge(req, i, NULL, POL_OP_WRITE, NULL, NULL);
		if (which & FUSE_SET_ATTR_ATIME)
			t[0] = a->st_atim;
		if (which & FUSE_SET_ATTR_MTIME)
			t[1] = a->st_mtim;
		if (which & FUSE_SET_ATTR_ATIME_NOW)
			t[0].tv_nsec = UTIME_NOW;
		if (which & FUSE_SET_ATTR_MTIME_NOW)
			t[1].tv_nsec = UTIME_NOW;
		if (r == 0 && utimensat(AT_FDCWD, p, t, 0) < 0)
			r = errno;
	}
	return r;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *a, int which, struct fuse_file_info *fi)
{
	struct inode *i = ino_of(ino);
	int r = i ? set_owner_mode(req, i, a, which) : EACCES;

	if (r == 0)
		r = set_size_times(req, i, a, which);
	if (r)
		fuse_reply_err(req, r);
	else
		op_getattr(req, ino, fi);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct inode *i = ino_of(ino);
	char text[4097];
	ssize_t n;
	int r = i ? judge(req, i, NULL, POL_OP_READLINK, NULL, NULL) : EINVAL;

	n = r ? -1 : readlinkat(i->fd, "", text, sizeof(text) - 1);
	if (n < 0) {
		fuse_reply_err(req, r ? r : errno);
		return;
	}
	text[n] = 0;
	fuse_reply_readlink(req, text);
}

static void reply_new(fuse_req_t req, struct inode *dir, const char *name, int r)
{
	struct fuse_entry_param e;

	if (r == 0)
		r = -entry_of(dir, name, &e);
	if (r)
		fuse_reply_err(req, r);
	else
		fuse_reply_entry(req, &e);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct inode *dir = ino_of(parent);
	int r = dir ? judge(req, dir, name, POL_OP_MKDIR, "dir_create", NULL) : EACCES;

	if (r == 0) {
		as_caller(req);
		if (mkdirat(dir->fd, name, mode) < 0)
			r = errno;
		as_self();
	}
	reply_new(req, dir, name, r);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev UNUSED)
{
	struct inode *dir = ino_of(parent);
	int r = !dir || S_ISCHR(mode) || S_ISBLK(mode) ? EPERM : judge(req, dir, name, S_ISREG(mode) ? POL_OP_CREATE : POL_OP_MKNOD, "file_create", NULL);

	if (r == 0) {
		as_caller(req);
		if (mknodat(dir->fd, name, mode & ~(mode_t)(S_ISUID | S_ISGID), 0) < 0)
			r = errno;
		as_self();
	}
	reply_new(req, dir, name, r);
}

static void op_symlink(fuse_req_t req, const char *to, fuse_ino_t parent, const char *name)
{
	struct inode *dir = ino_of(parent);
	int r = dir ? judge(req, dir, name, POL_OP_SYMLINK, "symlink_create", NULL) : EACCES;

	if (r == 0) {
		as_caller(req);
		if (symlinkat(to, dir->fd, name) < 0)
			r = errno;
		as_self();
	}
	reply_new(req, dir, name, r);
}

/* A second name must not be judged less strictly than the first: else a link would open what its source closes. */
static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct inode *i = ino_of(ino), *dir = ino_of(parent);
	char p[40];
	int r = i && dir ? judge(req, i, NULL, POL_OP_LINK, "file_link", NULL) : EACCES;

	if (r == 0)
		r = judge(req, dir, name, POL_OP_CREATE, "file_create", NULL);
	if (r == 0 && !policy_file_rename_safe(fsd.policy, i->state, judge_state(dir, name), false))
		r = EACCES;
	if (r == 0) {
		proc_path(i->fd, p);
		if (linkat(AT_FDCWD, p, dir->fd, name, AT_SYMLINK_FOLLOW) < 0)
			r = errno;
	}
	reply_new(req, dir, name, r);
}

/* Keeps what would be lost: name in dir goes to the trash. 0 or errno. */
static int keep(fuse_req_t req, struct inode *dir, const char *name)
{
	char path[8192], command[ID_MAX], token[33];
	int r;

	inode_path(dir, name, path, sizeof(path));
	board_by_pid(fsd.board, fuse_req_ctx(req)->pid, command);
	r = trash_put(dir, name, path, command, token);
	if (r < 0)
		return -r;
	evt_begin(fsd.w->events, "file_soft_deleted", command, fuse_req_ctx(req)->pid);
	evt_str(fsd.w->events, "operation", "delete");
	evt_str(fsd.w->events, "path", path);
	evt_str(fsd.w->events, "token", token);
	evt_policy(fsd.w->events, "soft_delete", "allow", NULL, NULL);
	evt_end(fsd.w->events);
	return 0;
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct inode *dir = ino_of(parent);
	bool soft = false;
	int r = dir ? judge(req, dir, name, POL_OP_DELETE, "file_delete", &soft) : EACCES;

	if (r == 0)
		r = soft ? keep(req, dir, name) : unlinkat(dir->fd, name, 0) < 0 ? errno : 0;
	fuse_reply_err(req, r);
}

static bool is_empty(struct inode *dir, const char *name)
{
	/* rmdir itself decides: a directory of the same kind, made and removed again, would not tell. Link count does not either on btrfs. */
	auto_fd fd = openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char buf[1024];
	long n;

	while (fd >= 0 && (n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n; at += *(unsigned short *)(void *)(buf + at + 16))
			if (strcmp(buf + at + 19, ".") != 0 && strcmp(buf + at + 19, "..") != 0)
				return false;
	return fd >= 0;
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct inode *dir = ino_of(parent);
	bool soft = false;
	int r = dir ? judge(req, dir, name, POL_OP_RMDIR, "dir_delete", &soft) : EACCES;

	if (r == 0 && soft)
		r = is_empty(dir, name) ? keep(req, dir, name) : ENOTEMPTY;
	else if (r == 0)
		r = unlinkat(dir->fd, name, AT_REMOVEDIR) < 0 ? errno : 0;
	fuse_reply_err(req, r);
}

static int rename_judged(fuse_req_t req, struct inode *a, const char *from, struct inode *b, const char *to, unsigned flags, const struct stat *src)
{
	struct stat dst;
	bool soft = false;
	int r = judge(req, a, from, POL_OP_RENAME, "file_rename", NULL);

	if (r == 0)
		r = judge(req, b, to, POL_OP_RENAME, NULL, NULL);
	if (r == 0)
		r = judge(req, b, to, S_ISDIR(src->st_mode) ? POL_OP_MKDIR : POL_OP_CREATE, NULL, NULL);
	/* What was closed under the old name must stay closed under the new one, all below it too. A copy is judged file by file: EXDEV. */
	if (r == 0 && !policy_file_rename_safe(fsd.policy, judge_state(a, from), judge_state(b, to), S_ISDIR(src->st_mode)))
		r = S_ISDIR(src->st_mode) ? EXDEV : EACCES;
	if (r || (flags & 2) || fstatat(b->fd, to, &dst, AT_SYMLINK_NOFOLLOW) < 0)
		return r;
	if (flags & 1)
		return EEXIST;
	r = judge(req, b, to, S_ISDIR(dst.st_mode) ? POL_OP_RMDIR : POL_OP_DELETE, NULL, &soft);
	if (r == 0 && soft && !S_ISDIR(dst.st_mode) && !(dst.st_ino == src->st_ino && dst.st_dev == src->st_dev))
		r = keep(req, b, to);
	return r;
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *from, fuse_ino_t newparent, const char *to, unsigned flags)
{
	struct inode *a = ino_of(parent), *b = ino_of(newparent), *i;
	struct stat src;
	int r = !a || !b ? EACCES : fstatat(a->fd, from, &src, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;

	/* An exchange is two moves: both names are judged as sources, both as destinations. */
	if (r == 0 && (flags & 4))
		r = EINVAL;
	if (r == 0)
		r = rename_judged(req, a, from, b, to, flags, &src);
	if (r == 0 && (flags & 2)) {
		struct stat other;

		r = fstatat(b->fd, to, &other, AT_SYMLINK_NOFOLLOW) < 0 ? errno : rename_judged(req, b, to, a, from, flags, &other);
	}
	if (r == 0 && renameat2(a->fd, from, b->fd, to, flags) < 0)
		r = errno;
	fuse_reply_err(req, r);
	if (r == 0 && inode_get(b, to, &i, &src) == 0)
		inode_forget(i, 1); /* its place and state are now those of the new name */
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int mask UNUSED)
{
	fuse_reply_err(req, ino_of(ino) ? judge(req, ino_of(ino), NULL, POL_OP_ACCESS, NULL, NULL) : 0);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (fstatvfs(ino_of(ino) ? ino_of(ino)->fd : fsd.trees[0].fd, &st) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

static void op_init(void *data UNUSED, struct fuse_conn_info *c)
{
	c->want |= c->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_ATOMIC_O_TRUNC);
	/* Bulk data passes by the kernel; what is left is small, and two system calls cheaper through a buffer than through a pipe. */
	c->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	c->max_write = IO_MAX;
}

struct fuse_session *ops_session(void)
{
	static const struct fuse_lowlevel_ops ops = {
		.init = op_init, .lookup = op_lookup, .forget = op_forget, .getattr = op_getattr, .setattr = op_setattr, .readlink = op_readlink,
		.mkdir = op_mkdir, .mknod = op_mknod, .symlink = op_symlink, .link = op_link, .unlink = op_unlink, .rmdir = op_rmdir,
		.rename = op_rename, .access = op_access, .statfs = op_statfs, .open = op_open, .create = op_create, .read = op_read,
		.write_buf = op_write_buf, .release = op_release, .fsync = op_fsync, .opendir = op_opendir, .readdir = op_readdir,
		.releasedir = op_releasedir, .fallocate = op_fallocate, .lseek = op_lseek,
	};
	char name[] = "agentsh-fsd", opt[] = "-oallow_other";
	char *argv[] = { name, opt, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	return fuse_session_new(&args, &ops, sizeof(ops), NULL);
}
