/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of users, ACLs, the flags of files. Capabilities of programs mean nothing inside: they are not there for who asks,
 * and nobody gives any. */
#include <errno.h>
#include <linux/fs.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fsd/ops.h"

#define GROUPS_MAX 128

static char buf[XATTR_SIZE_MAX];
_Static_assert(XATTR_SIZE_MAX >= XATTR_LIST_MAX, "a value and a list both fit");

static bool served(const char *name)
{
	return !strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN);
}

/* The kernel judges by these itself, and keeps them as long as other attributes. */
static bool is_acl(const char *name)
{
	return fsd.acls && (!strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) || !strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT));
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
	bool acl = is_acl(c->name); /* as mode and owner, not judged: it lies behind a look-up that was */
	int r = acl ? 0 : judge(c, c->a, NULL, POL_OP_READ, NULL, NULL);
	char p[40];
	ssize_t n;

	if (r)
		return r;
	proc_path(c->a->fd, p);
	n = getxattr(p, c->name, buf, sizeof(buf));
	if (n < 0 && acl && errno == EOPNOTSUPP) /* the kernel would let nobody in */
		errno = ENODATA;
	return reply(c->req, n, c->size);
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
		if (!served(buf + at) && !is_acl(buf + at))
			continue;
		memmove(buf + kept, buf + at, (size_t)len);
		kept += (size_t)len;
	}
	return reply(c->req, n < 0 ? n : (ssize_t)kept, c->size);
}

/* Without CAP_FSETID an ACL that we give takes the group's set-id bit away, unless that group is ours: as it is the caller's. */
static void join_group(struct call *c, int fd)
{
	gid_t groups[GROUPS_MAX];
	struct stat st;
	bool in;
	int n;

	if (fstat(fd, &st) < 0 || !(st.st_mode & S_ISGID))
		return;
	in = fuse_req_ctx(c->req)->gid == st.st_gid;
	n = in ? 0 : fuse_req_getgroups(c->req, GROUPS_MAX, groups);
	for (int k = 0; k < n && k < GROUPS_MAX; k++)
		in |= groups[k] == st.st_gid;
	if (in)
		syscall(SYS_setfsgid, st.st_gid);
}

/* value NULL: it is taken away. An ACL is a mode, by other means. */
static int do_setxattr(struct call *c)
{
	bool acl = is_acl(c->name);
	bool keep = false;
	int r = acl ? judge(c, c->a, NULL, POL_OP_CHMOD, "file_chmod", &keep) : judge(c, c->a, NULL, POL_OP_WRITE, "file_write", &keep);
	char p[40];

	if (r == 0 && keep && acl)
		r = undo_attrs(c);
	if (r == 0 && keep)
		r = undo_xattr(c);
	if (r)
		return r;
	proc_path(c->a->fd, p);
	if (acl)
		join_group(c, c->a->fd);
	r = (c->value ? setxattr(p, c->name, c->value, c->size, (int)c->flags) : removexattr(p, c->name)) < 0 ? errno : 0;
	syscall(SYS_setfsgid, 0);
	if (r == 0)
		fuse_reply_err(c->req, 0);
	return r;
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct inode *i = ino_of(ino);

	if ((!served(name) && !is_acl(name)) || !i || i->link)
		fuse_reply_err(req, served(name) || is_acl(name) ? ENODATA : not_served(name, ENODATA));
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
	if (!served(name) && !is_acl(name))
		fuse_reply_err(req, not_served(name, EPERM));
	else
		call_run(&(struct call){ .req = req, .run = do_setxattr, .a = ino_of(ino), .name = name, .value = value, .size = size,
					 .flags = (unsigned)flags });
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (!served(name) && !is_acl(name))
		fuse_reply_err(req, not_served(name, EPERM));
	else
		call_run(&(struct call){ .req = req, .run = do_setxattr, .a = ino_of(ino), .name = name });
}

/* Read only: the kernel opens the file for it, which is judged. */
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg UNUSED, struct fuse_file_info *fi, unsigned flags,
	      const void *in UNUSED, size_t in_size UNUSED, size_t out_size)
{
	union { long flags; struct fsxattr x; } out = { 0 };
	size_t size = cmd == FS_IOC_FSGETXATTR ? sizeof(out.x) : sizeof(int);
	int fd = flags & FUSE_IOCTL_DIR ? dir_fd(ino_of(ino), fi->fh) : fh_fd(fi->fh);

	if ((cmd != FS_IOC_GETFLAGS && cmd != FS_IOC_FSGETXATTR) || out_size < size)
		fuse_reply_err(req, ENOTTY);
	else if (fd < 0)
		fuse_reply_err(req, -fd);
	else if (ioctl(fd, cmd, &out) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_ioctl(req, 0, &out, size);
}
