/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that make, remove and move names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "fsd/ops.h"

/* second: the file had a name before. */
static int reply_new(struct call *c, struct inode *dir, bool second, int r)
{
	struct fuse_entry_param e;

	if (r == 0)
		r = -entry_of(dir, c->name, &e);
	if (r == 0) {
		undo_made(c, dir, c->name, ino_of(e.ino), second);
		reply_entry(c->req, &e);
	}
	return r;
}

static int make_dir(struct call *c)
{
	return mkdirat(c->a->fd, c->name, c->mode);
}

int do_mkdir(struct call *c)
{
	int r = judge(c, c->a, c->name, POL_OP_MKDIR, "dir_create", NULL);

	undo_before(c, c->a, c->name, POL_OP_MKDIR);
	return reply_new(c, c->a, false, r ? r : as_caller(c, make_dir));
}

static int make_node(struct call *c)
{
	return mknodat(c->a->fd, c->name, c->mode & (S_IFMT | mode_kept(c->mode)), c->dev);
}

int do_mknod(struct call *c)
{
	enum pol_op op = S_ISREG(c->mode) ? POL_OP_CREATE : POL_OP_MKNOD;
	int r = !fsd.alone && (S_ISCHR(c->mode) || S_ISBLK(c->mode)) ? EPERM : judge(c, c->a, c->name, op, "file_create", NULL);

	undo_before(c, c->a, c->name, op);
	return reply_new(c, c->a, false, r ? r : as_caller(c, make_node));
}

static int make_symlink(struct call *c)
{
	return symlinkat(c->to, c->a->fd, c->name);
}

int do_symlink(struct call *c)
{
	int r = judge(c, c->a, c->name, POL_OP_SYMLINK, "symlink_create", NULL);

	undo_before(c, c->a, c->name, POL_OP_SYMLINK);
	return reply_new(c, c->a, false, r ? r : as_caller(c, make_symlink));
}

/* A second name must not be judged less strictly than the first: else a link would open what its source closes. */
int do_link(struct call *c)
{
	struct stat st;
	char p[40];
	bool first;
	int r = c->b ? judge(c, c->a, NULL, POL_OP_LINK, "file_link", NULL) : EACCES;

	if (r == 0)
		r = judge(c, c->b, c->name, POL_OP_CREATE, "file_create", NULL);
	/* The first name of a file that had none: what is in it comes to be there. */
	first = r == 0 && fstat(c->a->fd, &st) == 0 && st.st_nlink == 0;
	if (first)
		r = judge(c, c->b, c->name, POL_OP_WRITE, NULL, NULL);
	if (r == 0 && !policy_file_rename_safe(fsd.policy, c->a->state, judge_state(c->b, c->name), false))
		r = EACCES;
	if (r == 0) {
		undo_before(c, c->b, c->name, POL_OP_CREATE);
		proc_path(c->a->fd, p);
		if (linkat(AT_FDCWD, p, c->b->fd, c->name, AT_SYMLINK_FOLLOW) < 0)
			r = errno;
	}
	return reply_new(c, c->b, !first, r);
}

static int keep_deleted(struct call *c, enum pol_op op)
{
	static struct trash_entry e;
	int r = undo_removed(c, c->a, c->name, TRASH_DELETED, &e);

	if (r == 0)
		undo_record_removed(c, c->a, c->name, op, &e);
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
	*ret_keep = soft && !(dst.st_ino == src->st_ino && dst.st_dev == src->st_dev) &&
		    (!S_ISDIR(dst.st_mode) || (S_ISDIR(src->st_mode) && is_empty(b, to)));
	return r;
}

/* What stands there is kept first; the note comes before the move, so that no move is without one. */
static int move(struct call *c, bool soft)
{
	static struct trash_entry e;
	bool exchange = c->flags & RENAME_EXCHANGE;
	int r = soft ? undo_removed(c, c->b, c->to, TRASH_REPLACED, &e) : 0;

	if (r)
		return r;
	undo_before(c, c->a, c->name, POL_OP_RENAME);
	r = undo_moved(c, c->a, c->name, c->b, c->to, exchange);
	if (r == 0 && renameat2(c->a->fd, c->name, c->b->fd, c->to, c->flags) < 0)
		r = errno;
	/* Nothing was replaced. Where it does not go back, it lies in the trash, and the record says so. */
	if (soft && (r == 0 || trash_undo_put(c->b->fd, c->to, &e) < 0))
		undo_record_removed(c, c->b, c->to, POL_OP_DELETE, &e);
	return r;
}

int do_rename(struct call *c)
{
	struct inode *a = c->a, *b = c->b, *i, *j, *over;
	struct stat src, other;
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
	r = move(c, soft);
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
