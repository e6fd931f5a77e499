/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of users, and the flags of files. What other attributes say is the host's: ACLs are obeyed (acl.c), capabilities of
 * programs mean nothing inside; both are not there for who asks, and nobody gives any. */
#include <errno.h>
#include <linux/fs.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "fsd/ops.h"

static char buf[XATTR_SIZE_MAX > XATTR_LIST_MAX ? XATTR_SIZE_MAX : XATTR_LIST_MAX];

static bool served(const char *name)
{
	return !strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN);
}

/* What a user without rights is told of the others. */
static int not_served(const char *name, int where_known)
{
	bool known = !strncmp(name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) ||
		     !strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN);

	return known ? where_known : EOPNOTSUPP;
}

/* n bytes of buf, or their number where size is 0; n -1: errno. 0 or errno. */
static int reply(fuse_req_t req, ssize_t n, size_t size)
{
	if (n < 0)
		return errno;
	if (size && (size_t)n > size)
		return ERANGE;
	if (size)
		fuse_reply_buf(req, buf, (size_t)n);
	else
		fuse_reply_xattr(req, (size_t)n);
	return 0;
}

static int do_getxattr(struct call *c)
{
	int r = judge(c, c->a, NULL, POL_OP_READ, NULL, NULL);
	char p[40];

	if (r)
		return r;
	proc_path(c->a->fd, p);
	return reply(c->req, getxattr(p, c->name, buf, sizeof(buf)), c->size);
}

static int do_listxattr(struct call *c)
{
	int r = judge(c, c->a, NULL, POL_OP_READ, NULL, NULL);
	size_t kept = 0;
	char p[40];
	ssize_t n;

	if (r)
		return r;
	proc_path(c->a->fd, p);
	n = listxattr(p, buf, sizeof(buf));
	for (ssize_t at = 0, len; at < n; at += len) {
		len = (ssize_t)strlen(buf + at) + 1;
		if (!served(buf + at))
			continue;
		memmove(buf + kept, buf + at, (size_t)len);
		kept += (size_t)len;
	}
	return reply(c->req, n < 0 ? n : (ssize_t)kept, c->size);
}

static int do_setxattr(struct call *c)
{
	int r = judge(c, c->a, NULL, POL_OP_WRITE, "file_write", NULL);
	char p[40];

	if (r)
		return r;
	proc_path(c->a->fd, p);
	if (setxattr(p, c->name, c->value, c->size, (int)c->flags) < 0)
		return errno;
	fuse_reply_err(c->req, 0);
	return 0;
}

static int do_removexattr(struct call *c)
{
	int r = judge(c, c->a, NULL, POL_OP_WRITE, "file_write", NULL);
	char p[40];

	if (r)
		return r;
	proc_path(c->a->fd, p);
	if (removexattr(p, c->name) < 0)
		return errno;
	fuse_reply_err(c->req, 0);
	return 0;
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct inode *i = ino_of(ino);

	if (!served(name) || !i || i->link)
		fuse_reply_err(req, served(name) ? ENODATA : not_served(name, ENODATA));
	else
		call_run(&(struct call){ .req = req, .run = do_getxattr, .a = i, .name = name, .size = size });
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct inode *i = ino_of(ino);

	if (!i || i->link)
		reply(req, 0, size);
	else
		call_run(&(struct call){ .req = req, .run = do_listxattr, .a = i, .size = size });
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	if (!served(name))
		fuse_reply_err(req, not_served(name, EPERM));
	else
		call_run(&(struct call){ .req = req, .run = do_setxattr, .a = ino_of(ino), .name = name, .value = value, .size = size,
					 .flags = (unsigned)flags });
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (!served(name))
		fuse_reply_err(req, not_served(name, EPERM));
	else
		call_run(&(struct call){ .req = req, .run = do_removexattr, .a = ino_of(ino), .name = name });
}

/* Read only: the kernel opens the file for it, which is judged. */
void op_ioctl(fuse_req_t req, fuse_ino_t ino UNUSED, unsigned cmd, void *arg UNUSED, struct fuse_file_info *fi, unsigned flags,
	      const void *in UNUSED, size_t in_size UNUSED, size_t out_size)
{
	union { long flags; struct fsxattr x; } out = { 0 };
	size_t size = cmd == FS_IOC_FSGETXATTR ? sizeof(out.x) : sizeof(int);
	int fd = flags & FUSE_IOCTL_DIR ? dir_fd(fi->fh) : fh_fd(fi->fh);

	if ((cmd != FS_IOC_GETFLAGS && cmd != FS_IOC_FSGETXATTR) || out_size < size)
		fuse_reply_err(req, ENOTTY);
	else if (ioctl(fd, cmd, &out) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_ioctl(req, 0, &out, size);
}
