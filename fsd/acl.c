/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX ACLs of the host. Where they are not shown (fsd.acls) the kernel judges a session by mode bits, which say more than an ACL that
 * refuses one user or group; and we act as root. Where a session meets a file with an ACL, the host's kernel is asked as the caller. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "fsd/ops.h"

#define GROUPS_MAX 1024

/* Looked for again after a second, and where its changes are told when they are. */
static bool has_acl(struct inode *i)
{
	struct timespec now;
	char p[40];
	int fd;

	if (i->acl_looked && i->acl_told && watch_tells(i))
		return i->acl;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (i->acl_looked && now.tv_sec - i->acl_looked <= 1)
		return i->acl;
	fd = inode_fd(i);
	if (fd < 0)
		return true;
	proc_path(fd, p);
	i->acl = getxattr(p, "system.posix_acl_access", NULL, 0) >= 0 || (errno != ENODATA && errno != EOPNOTSUPP);
	i->acl_looked = now.tv_sec;
	i->acl_told = watch_tells(i);
	return i->acl;
}

bool acl_new(struct inode *i)
{
	bool was = i->acl;

	i->acl_looked = 0;
	return has_acl(i) && !was;
}

static int ask_as(const struct fuse_ctx *ctx, int n_groups, const gid_t *groups, int fd, int mask)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[2], none[2];
	int r;

	if (syscall(SYS_capget, &h, have) < 0)
		return errno;
	for (int k = 0; k < 2; k++)
		none[k] = (struct __user_cap_data_struct){ .permitted = have[k].permitted, .inheritable = have[k].inheritable };
	/* By system call: the library's wrappers change all threads. uid 0 in a session has no capability either. */
	syscall(SYS_setgroups, n_groups, groups);
	syscall(SYS_setfsgid, ctx->gid);
	syscall(SYS_setfsuid, ctx->uid);
	r = syscall(SYS_capset, &h, none) < 0 || syscall(SYS_faccessat2, fd, "", mask, AT_EACCESS | AT_EMPTY_PATH) < 0 ? errno : 0;
	syscall(SYS_setfsuid, 0);
	syscall(SYS_capset, &h, have);
	syscall(SYS_setfsgid, 0);
	syscall(SYS_setgroups, 0, NULL);
	return r;
}

/* They cost a request for each file that ls -l shows: a session has them where its workspace does. */
bool acl_wanted(int tree)
{
	char p[40];

	proc_path(tree, p);
	return fsd.alone || getxattr(p, "system.posix_acl_access", NULL, 0) > 0 || getxattr(p, "system.posix_acl_default", NULL, 0) > 0;
}

int acl_refuses(fuse_req_t req, struct inode *i, int mask)
{
	gid_t groups[GROUPS_MAX];
	int n, fd;

	if ((fsd.alone && fsd.acls) || !has_acl(i))
		return 0;
	fd = inode_fd(i);
	n = fuse_req_getgroups(req, GROUPS_MAX, groups);
	if (fd < 0 || n < 0 || n > GROUPS_MAX)
		return fd < 0 ? -fd : EACCES;
	return ask_as(fuse_req_ctx(req), n, groups, fd, mask);
}
