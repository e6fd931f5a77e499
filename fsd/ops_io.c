/* SPDX-License-Identifier: Apache-2.0 */
/* FUSE operations on open files and directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsd/ops.h"

#define LIST_MAX (64 * 1024) /* bytes of one answer */
#define NOT_OURS (O_NOFOLLOW | O_DIRECT) /* our buffers are not aligned; what is passed through the kernel opens by the caller's flags */

struct dir { DIR *d; struct dirent *held; off_t at; };

static void dir_free(struct inode *i, struct dir *d)
{
	if (d->d)
		closedir(d->d);
	free(d);
	i->cached--;
}

LEAKS_UNSEEN_BEGIN /* d->d is the handle's: dir_free */
/* With the first list of names that the kernel does not have. 0 or errno. */
static int dir_open(struct inode *i, struct dir *d)
{
	int fd, r;

	if (d->d)
		return 0;
	fd = inode_fd(i);
	if (fd < 0)
		return -fd;
	fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		d->d = fdopendir(fd);
	r = d->d ? 0 : errno ? errno : EIO;
	if (r && fd >= 0)
		close(fd);
	return r;
}
LEAKS_UNSEEN_END

static int judge_open(struct call *c, bool *ret_keep)
{
	int acc = c->fi.flags & O_ACCMODE, r = 0;

	if (acc != O_WRONLY)
		r = judge(c, c->a, NULL, POL_OP_READ, "file_read", NULL);
	if (r == 0 && acc != O_WRONLY)
		r = judge(c, c->a, NULL, POL_OP_OPEN, NULL, NULL);
	if (r == 0 && (acc != O_RDONLY || (c->fi.flags & O_TRUNC)))
		r = judge(c, c->a, NULL, POL_OP_WRITE, "file_write", ret_keep);
	return r;
}

static int access_of(int flags)
{
	int acc = flags & O_ACCMODE;

	if (flags & OPEN_EXEC)
		return X_OK;
	return (acc != O_WRONLY ? R_OK : 0) | (acc != O_RDONLY || (flags & O_TRUNC) ? W_OK : 0);
}

int do_open(struct call *c)
{
	struct stat st;
	char p[40];
	bool keep = false;
	int fd, r = judge_open(c, &keep);

	if (r == 0)
		r = acl_refuses(c->req, c->a, access_of(c->fi.flags));
	if (r == 0 && keep)
		r = undo_overwrite(c, c->fi.flags & O_TRUNC ? TRASH_TRUNCATED : TRASH_OVERWRITTEN);
	if (r)
		return r;
	proc_path(c->a->fd, p);
	/* Not blocking: a lease that somebody holds on the host's file would hold up everybody. */
	fd = open(p, (c->fi.flags & ~(NOT_OURS | O_CREAT | O_EXCL)) | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno;
	/* Removed on the host since the kernel looked: what is written would go nowhere. The kernel looks again, and creates. */
	if (!c->a->unlinked && fstat(fd, &st) == 0 && st.st_nlink == 0) {
		close(fd);
		return ESTALE;
	}
	if ((c->fi.flags & O_ACCMODE) != O_RDONLY || (c->fi.flags & O_TRUNC))
		strip(p);
	dev_reply_open(c->req, c->a, fd, &c->fi, NULL);
	return 0;
}

static int make_file(struct call *c)
{
	int flags = (c->fi.flags & ~(NOT_OURS | O_TRUNC)) | O_CREAT | O_EXCL | O_NOFOLLOW;

	c->fd = openat(c->a->fd, c->name, flags | O_CLOEXEC, c->mode & mode_kept(S_IFREG));
	return c->fd;
}

int do_create(struct call *c)
{
	struct fuse_entry_param e;
	int r = judge(c, c->a, c->name, POL_OP_CREATE, "file_create", NULL);

	c->fd = -1;
	if (r == 0) {
		undo_before(c, c->a, c->name, POL_OP_CREATE);
		r = as_caller(c, make_file);
	}
	if (r == EEXIST && !(c->fi.flags & O_EXCL))
		return ESTALE; /* made on the host since the kernel looked: it looks again, and opens */
	if (r == 0)
		r = -entry_of(c->a, c->name, &e);
	if (r == 0) {
		undo_made(c, c->a, c->name, ino_of(e.ino), false);
		dev_reply_open(c->req, ino_of(e.ino), c->fd, &c->fi, &e);
	} else if (c->fd >= 0) {
		close(c->fd);
	}
	return r;
}

static int make_unnamed(struct call *c)
{
	int flags = (c->fi.flags & ~(O_DIRECT | O_CREAT | O_TRUNC)) | O_TMPFILE;

	c->fd = openat(c->a->fd, ".", flags | O_CLOEXEC, c->mode & mode_kept(S_IFREG));
	return c->fd;
}

/* Judged as a file of the directory with a name that says nothing. Who gives it one is judged for that then. */
int do_tmpfile(struct call *c)
{
	struct fuse_entry_param e;
	struct inode *i;
	struct stat st;
	int r = judge(c, c->a, c->name, POL_OP_CREATE, "file_create", NULL);

	c->fd = -1;
	if (r == 0)
		r = as_caller(c, make_unnamed);
	if (r == 0)
		r = -inode_unnamed(c->a, c->name, c->fd, &i, &st);
	if (r == 0) {
		entry_fill(&e, c->a, c->name, i, &st);
		dev_reply_open(c->req, i, c->fd, &c->fi, &e);
	} else if (c->fd >= 0) {
		close(c->fd);
	}
	return r;
}

void op_read(fuse_req_t req, fuse_ino_t ino UNUSED, size_t size, off_t off, struct fuse_file_info *fi)
{
	static char buf[IO_MAX];
	ssize_t n = pread(fh_fd(fi->fh), buf, size < sizeof(buf) ? size : sizeof(buf), off);

	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void op_write_buf(fuse_req_t req, fuse_ino_t ino UNUSED, struct fuse_bufvec *in, off_t off, struct fuse_file_info *fi)
{
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));
	ssize_t n;

	out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	out.buf[0].fd = fh_fd(fi->fh);
	out.buf[0].pos = off;
	n = fuse_buf_copy(&out, in, 0);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	dev_release(ino_of(ino), fi->fh);
	fuse_reply_err(req, 0);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino UNUSED, int datasync, struct fuse_file_info *fi)
{
	sync_later(req, fh_fd(fi->fh), datasync);
}

/* What was made, moved or removed in a directory is kept by this alone. */
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	int fd = dir_fd(ino_of(ino), fi->fh);

	if (fd < 0)
		fuse_reply_err(req, -fd);
	else
		sync_later(req, fd, datasync);
}

int do_opendir(struct call *c)
{
	struct dir *d;
	int r = judge(c, c->a, NULL, POL_OP_LIST, "dir_list", NULL);

	if (r == 0)
		r = acl_refuses(c->req, c->a, R_OK);
	if (r)
		return r;
	d = calloc(1, sizeof(*d));
	if (!d)
		return ENOMEM;
	c->a->cached++; /* its descriptor stays: it may lose its name before it is read */
	c->fi.fh = (uint64_t)(uintptr_t)d;
	c->fi.cache_readdir = c->fi.keep_cache = 1; /* the kernel drops what it has when the directory's time changes */
	if (fuse_reply_open(c->req, &c->fi) < 0)
		dir_free(c->a, d);
	return 0;
}

static bool hidden_name(struct inode *dir, const struct dirent *e)
{
	for (size_t k = 0; k < fsd.n_hide; k++)
		if (e->d_ino == fsd.hide_ino[k] && dir->dev == fsd.hide_dev[k])
			return true;
	return false;
}

/* What look-up would answer, where it would; else the name alone. */
static void plus_of(fuse_req_t req, struct inode *dir, const struct dirent *d, const struct stat *st, struct fuse_entry_param *e)
{
	bool dots = !strcmp(d->d_name, ".") || !strcmp(d->d_name, "..");
	struct pol_state state = judge_state(dir, d->d_name);
	enum pol_decision v = dots ? POL_DENY : policy_file(fsd.policy, state, POL_OP_STAT, judge_who(req, state, POL_OP_STAT)).decision;

	if (v == POL_DENY || v == POL_REDIRECT || acl_refuses(req, dir, X_OK) || entry_of(dir, d->d_name, e) < 0)
		*e = (struct fuse_entry_param){ .attr = *st };
}

/* Entries from off on. plus: with what look-up would answer, and one reference each; given: those of the reply. */
static size_t list(fuse_req_t req, struct inode *dir, struct dir *d, char *buf, size_t size, struct inode **given, size_t *n_given)
{
	struct dirent *e;
	size_t at = 0;

	for (; (e = d->held ? d->held : readdir(d->d)); d->held = NULL, d->at = e->d_off) {
		struct stat st = { .st_ino = e->d_ino, .st_mode = (mode_t)e->d_type << 12 };
		struct fuse_entry_param p = { 0 };
		size_t n;

		if (hidden_name(dir, e))
			continue;
		if (given)
			plus_of(req, dir, e, &st, &p);
		n = given ? fuse_add_direntry_plus(req, buf + at, size - at, e->d_name, &p, e->d_off)
			  : fuse_add_direntry(req, buf + at, size - at, e->d_name, &st, e->d_off);
		if (n > size - at) {
			if (p.ino)
				inode_forget(ino_of(p.ino), 1);
			d->held = e;
			break;
		}
		if (p.ino)
			given[(*n_given)++] = ino_of(p.ino);
		at += n;
	}
	return at;
}

static void reply_list(fuse_req_t req, struct inode *dir, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	static char buf[LIST_MAX];
	static struct inode *given[LIST_MAX / 128]; /* an entry with attributes takes more than that */
	struct dir *d = (struct dir *)(uintptr_t)fi->fh;
	size_t n_given = 0, n;
	int r = dir_open(dir, d);

	if (r) {
		fuse_reply_err(req, r);
		return;
	}
	if (off != d->at) {
		seekdir(d->d, off);
		d->held = NULL;
		d->at = off;
	}
	n = list(req, dir, d, buf, size < sizeof(buf) ? size : sizeof(buf), plus ? given : NULL, &n_given);
	if (fuse_reply_buf(req, buf, n) < 0)
		while (n_given)
			inode_forget(given[--n_given], 1);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	reply_list(req, ino_of(ino), size, off, fi, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	reply_list(req, ino_of(ino), size, off, fi, true);
}

int dir_fd(struct inode *i, uint64_t fh)
{
	struct dir *d = (struct dir *)(uintptr_t)fh;
	int r = dir_open(i, d);

	return d->d ? dirfd(d->d) : -r;
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	dir_free(ino_of(ino), (struct dir *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino UNUSED, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	fuse_reply_err(req, fallocate(fh_fd(fi->fh), mode, off, len) < 0 ? errno : 0);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino UNUSED, off_t off, int whence, struct fuse_file_info *fi)
{
	off_t r = lseek(fh_fd(fi->fh), off, whence);

	if (r < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, r);
}
