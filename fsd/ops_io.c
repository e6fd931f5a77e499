/* SPDX-License-Identifier: Apache-2.0 */
/* FUSE operations on open files and directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fsd/ops.h"

struct dir { DIR *d; struct dirent *held; off_t at; };

static int judge_open(fuse_req_t req, struct inode *i, int flags)
{
	int acc = flags & O_ACCMODE, r = 0;

	if (acc != O_WRONLY)
		r = judge(req, i, NULL, POL_OP_READ, "file_read", NULL);
	if (r == 0 && acc != O_WRONLY)
		r = judge(req, i, NULL, POL_OP_OPEN, NULL, NULL);
	if (r == 0 && (acc != O_RDONLY || (flags & O_TRUNC)))
		r = judge(req, i, NULL, POL_OP_WRITE, "file_write", NULL);
	return r;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct inode *i = ino_of(ino);
	char p[40];
	int fd, r = i ? judge_open(req, i, fi->flags) : EISDIR;

	if (r) {
		fuse_reply_err(req, r);
		return;
	}
	proc_path(i->fd, p);
	fd = open(p, (fi->flags & ~(O_NOFOLLOW | O_CREAT | O_EXCL)) | O_CLOEXEC);
	if (fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC))
		strip(p);
	dev_reply_open(req, i, fd, fi, NULL);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct inode *dir = ino_of(parent);
	struct fuse_entry_param e;
	int fd = -1, r = dir ? judge(req, dir, name, POL_OP_CREATE, "file_create", NULL) : EACCES;

	if (r == 0) {
		as_caller(req);
		fd = openat(dir->fd, name, (fi->flags & ~(O_TRUNC | O_APPEND)) | (fi->flags & O_APPEND) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    mode & 01777);
		r = fd < 0 ? errno : 0;
		as_self();
	}
	if (r == 0)
		r = -entry_of(dir, name, &e);
	if (r) {
		if (fd >= 0)
			close(fd);
		fuse_reply_err(req, r);
		return;
	}
	dev_reply_open(req, ino_of(e.ino), fd, fi, &e);
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
	int fd = fh_fd(fi->fh);

	fuse_reply_err(req, (datasync ? fdatasync(fd) : fsync(fd)) < 0 ? errno : 0);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct inode *i = ino_of(ino);
	struct dir *d = calloc(1, sizeof(*d));
	int fd, r = i ? judge(req, i, NULL, POL_OP_LIST, "dir_list", NULL) : EACCES;

	if (r == 0 && d) {
		fd = openat(i->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		d->d = fd < 0 ? NULL : fdopendir(fd);
		r = d->d ? 0 : errno;
	}
	if (r || !d) {
		free(d);
		fuse_reply_err(req, r ? r : ENOMEM);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)d;
	fuse_reply_open(req, fi);
}

static bool hidden_name(struct inode *dir, const struct dirent *e)
{
	for (size_t k = 0; k < fsd.n_hide; k++)
		if (e->d_ino == fsd.hide_ino[k] && dir->dev == fsd.hide_dev[k])
			return true;
	return false;
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct dir *d = (struct dir *)(uintptr_t)fi->fh;
	char *buf = malloc(size);
	size_t at = 0;

	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (off != d->at) {
		seekdir(d->d, off);
		d->held = NULL;
		d->at = off;
	}
	for (;;) {
		struct dirent *e = d->held ? d->held : readdir(d->d);
		struct stat st = { 0 };
		size_t n;

		if (!e)
			break;
		if (hidden_name(ino_of(ino), e)) {
			d->held = NULL;
			d->at = e->d_off;
			continue;
		}
		st.st_ino = e->d_ino;
		st.st_mode = (mode_t)e->d_type << 12;
		n = fuse_add_direntry(req, buf + at, size - at, e->d_name, &st, e->d_off);
		if (n > size - at) {
			d->held = e;
			break;
		}
		d->held = NULL;
		d->at = e->d_off;
		at += n;
	}
	fuse_reply_buf(req, buf, at);
	free(buf);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino UNUSED, struct fuse_file_info *fi)
{
	struct dir *d = (struct dir *)(uintptr_t)fi->fh;

	closedir(d->d);
	free(d);
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
