/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that make, remove and move names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "fsd/ops.h"

struct kept { char path[4096], command[ID_MAX], token[33]; bool made_by_it; };

static int reply_new(struct call *c, struct inode *dir, int r)
{
	struct fuse_entry_param e;

	if (r == 0)
		r = -entry_of(dir, c->name, &e);
	if (r == 0)
		reply_entry(c->req, &e);
	return r;
}

static int make_dir(struct call *c)
{
	return mkdirat(c->a->fd, c->name, c->mode);
}

int do_mkdir(struct call *c)
{
	int r = judge(c, c->a, c->name, POL_OP_MKDIR, "dir_create", NULL);

	return reply_new(c, c->a, r ? r : as_caller(c, make_dir));
}

static int make_node(struct call *c)
{
	return mknodat(c->a->fd, c->name, c->mode & (S_IFMT | mode_kept(c->mode)), c->dev);
}

int do_mknod(struct call *c)
{
	enum pol_op op = S_ISREG(c->mode) ? POL_OP_CREATE : POL_OP_MKNOD;
	int r = !fsd.alone && (S_ISCHR(c->mode) || S_ISBLK(c->mode)) ? EPERM : judge(c, c->a, c->name, op, "file_create", NULL);

	return reply_new(c, c->a, r ? r : as_caller(c, make_node));
}

static int make_symlink(struct call *c)
{
	return symlinkat(c->to, c->a->fd, c->name);
}

int do_symlink(struct call *c)
{
	int r = judge(c, c->a, c->name, POL_OP_SYMLINK, "symlink_create", NULL);

	return reply_new(c, c->a, r ? r : as_caller(c, make_symlink));
}

/* A second name must not be judged less strictly than the first: else a link would open what its source closes. */
int do_link(struct call *c)
{
	struct stat st;
	char p[40];
	int r = c->b ? judge(c, c->a, NULL, POL_OP_LINK, "file_link", NULL) : EACCES;

	if (r == 0)
		r = judge(c, c->b, c->name, POL_OP_CREATE, "file_create", NULL);
	/* The first name of a file that had none: what is in it comes to be there. */
	if (r == 0 && fstat(c->a->fd, &st) == 0 && st.st_nlink == 0)
		r = judge(c, c->b, c->name, POL_OP_WRITE, NULL, NULL);
	if (r == 0 && !policy_file_rename_safe(fsd.policy, c->a->state, judge_state(c->b, c->name), false))
		r = EACCES;
	if (r == 0) {
		proc_path(c->a->fd, p);
		if (linkat(AT_FDCWD, p, c->b->fd, c->name, AT_SYMLINK_FOLLOW) < 0)
			r = errno;
	}
	return reply_new(c, c->b, r);
}

/* Lock, journal and temporary files: kept as well, but who restores all does not want them back. */
static bool made_by(const struct inode *dir, const char *name, const char *command)
{
	uint64_t began = command[0] ? board_started(fsd.board, command) : 0;
	struct statx x;

	return began && statx(dir->fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &x) == 0 && (x.stx_mask & STATX_BTIME) &&
	       (uint64_t)x.stx_btime.tv_sec * 1000000000u + x.stx_btime.tv_nsec > began;
}

/* Keeps what would be lost: name in dir goes to the trash. 0 or errno. */
static int keep(struct call *c, struct inode *dir, const char *name, struct kept *k)
{
	int r = inode_path(dir, name, k->path, sizeof(k->path));
	struct inode *i = inode_peek(dir, name);
	struct stat st;
	bool other = fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
		     (st.st_nlink > 1 || (i && (i->passed || i->cached)));

	judge_command(c->req, k->command);
	k->made_by_it = made_by(dir, name, k->command);
	if (r == 0)
		r = trash_put(dir, name, k->path, k->command, k->made_by_it, k->token);
	if (r == 0 && other)
		links_kept(&st, k->token);
	return -r;
}

/* operation: "delete", or "overwrite" by a rename. */
static void record_kept(struct call *c, struct inode *dir, const char *name, const struct kept *k, enum pol_op op, const char *operation)
{
	struct pol_state st = judge_state(dir, name);

	evt_begin(fsd.w->events, "file_soft_deleted", k->command, fuse_req_ctx(c->req)->pid);
	evt_str(fsd.w->events, "operation", operation);
	evt_str(fsd.w->events, "path", k->path);
	evt_str(fsd.w->events, "token", k->token);
	if (k->made_by_it)
		evt_int(fsd.w->events, "made_by_same_command", 1);
	evt_policy(fsd.w->events, "soft_delete", "allow", policy_file(fsd.policy, st, op, judge_who(c->req, st, op)).rule, NULL);
	evt_end(fsd.w->events);
}

static int keep_deleted(struct call *c, enum pol_op op)
{
	struct kept k;
	int r = keep(c, c->a, c->name, &k);

	if (r == 0)
		record_kept(c, c->a, c->name, &k, op, "delete");
	return r;
}

static int done(struct call *c, int r)
{
	if (r == 0)
		fuse_reply_err(c->req, 0);
	return r;
}

static int remove_name(struct inode *dir, const char *name)
{
	struct inode *i = inode_peek(dir, name);

	if (unlinkat(dir->fd, name, 0) < 0)
		return errno;
	if (i)
		i->unlinked = true;
	return 0;
}

int do_unlink(struct call *c)
{
	bool soft = false;
	int r = judge(c, c->a, c->name, POL_OP_DELETE, "file_delete", &soft);

	if (r == 0)
		r = soft ? keep_deleted(c, POL_OP_DELETE) : remove_name(c->a, c->name);
	return done(c, r);
}

static bool is_empty(struct inode *dir, const char *name)
{
	/* Asked by reading: the link count does not tell on every file system. */
	auto_fd fd = openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char buf[1024];
	long n;

	while (fd >= 0 && (n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n; at += *(unsigned short *)(void *)(buf + at + 16))
			if (strcmp(buf + at + 19, ".") != 0 && strcmp(buf + at + 19, "..") != 0)
				return false;
	return fd >= 0;
}

int do_rmdir(struct call *c)
{
	bool soft = false;
	int r = judge(c, c->a, c->name, POL_OP_RMDIR, "dir_delete", &soft);

	if (r == 0 && soft)
		r = is_empty(c->a, c->name) ? keep_deleted(c, POL_OP_RMDIR) : ENOTEMPTY;
	else if (r == 0)
		r = unlinkat(c->a->fd, c->name, AT_REMOVEDIR) < 0 ? errno : 0;
	return done(c, r);
}

/* ret_keep: what stands there is to be kept. */
static int rename_judged(struct call *c, struct inode *a, const char *from, struct inode *b, const char *to, const struct stat *src,
			 bool *ret_keep)
{
	struct stat dst;
	bool soft = false;
	int r = judge(c, a, from, POL_OP_RENAME, "file_rename", NULL);

	if (r == 0)
		r = judge(c, b, to, POL_OP_RENAME, NULL, NULL);
	if (r == 0)
		r = judge(c, b, to, S_ISDIR(src->st_mode) ? POL_OP_MKDIR : POL_OP_CREATE, NULL, NULL);
	/* What was closed under the old name must stay closed under the new one, all below it too. A copy is judged file by file: EXDEV. */
	if (r == 0 && !policy_file_rename_safe(fsd.policy, judge_state(a, from), judge_state(b, to), S_ISDIR(src->st_mode)))
		r = S_ISDIR(src->st_mode) ? EXDEV : EACCES;
	if (r || (c->flags & RENAME_EXCHANGE) || fstatat(b->fd, to, &dst, AT_SYMLINK_NOFOLLOW) < 0)
		return r;
	if (c->flags & RENAME_NOREPLACE)
		return EEXIST;
	r = judge(c, b, to, S_ISDIR(dst.st_mode) ? POL_OP_RMDIR : POL_OP_DELETE, NULL, &soft);
	*ret_keep = soft && !S_ISDIR(dst.st_mode) && !(dst.st_ino == src->st_ino && dst.st_dev == src->st_dev);
	return r;
}

int do_rename(struct call *c)
{
	struct inode *a = c->a, *b = c->b, *i, *j, *over;
	struct stat src, other;
	struct kept k;
	bool soft = false;
	int r = !b ? EACCES : fstatat(a->fd, c->name, &src, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;

	if (r == 0 && (c->flags & RENAME_WHITEOUT))
		r = EINVAL;
	if (r == 0)
		r = rename_judged(c, a, c->name, b, c->to, &src, &soft);
	/* An exchange is two moves: both names are judged as sources, both as destinations. */
	if (r == 0 && (c->flags & RENAME_EXCHANGE)) {
		r = fstatat(b->fd, c->to, &other, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
		if (r == 0)
			r = rename_judged(c, b, c->to, a, c->name, &other, &soft);
	}
	if (r)
		return r;
	i = inode_peek(a, c->name);
	j = c->flags & RENAME_EXCHANGE ? inode_peek(b, c->to) : NULL;
	over = j ? NULL : inode_peek(b, c->to);
	r = soft ? keep(c, b, c->to, &k) : 0;
	if (r == 0 && renameat2(a->fd, c->name, b->fd, c->to, c->flags) < 0) {
		r = errno;
		/* Nothing was replaced. Where it does not go back, it lies in the trash, and the record says so. */
		if (soft && trash_undo(b, c->to, k.token) == 0)
			soft = false;
	} else if (r) {
		soft = false;
	}
	if (soft)
		record_kept(c, b, c->to, &k, POL_OP_DELETE, "overwrite");
	if (r)
		return r;
	if (over && over != i)
		over->unlinked = true;
	if (i)
		inode_moved(i, b, c->to, judge_state(b, c->to));
	if (j)
		inode_moved(j, a, c->name, judge_state(a, c->name));
	fuse_reply_err(c->req, 0);
	return 0;
}
