/* SPDX-License-Identifier: Apache-2.0 */
/* Which file it is, whatever its name, also after the next start of the machine; and times of change. */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "fsd/trash.h"

#define NS 1000000000ll

uint64_t ident_dev(dev_t dev)
{
	struct stat st;
	static dev_t ours;

	if (!ours && fstat(fsd.trash, &st) == 0)
		ours = st.st_dev;
	return dev == ours ? 0 : dev;
}

int ident_of(int fd, const char *name, struct ident *ret, struct stat *ret_st)
{
	struct statx x;

	if (statx(fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -errno;
	*ret = (struct ident){ .dev = ident_dev(makedev(x.stx_dev_major, x.stx_dev_minor)), .ino = x.stx_ino };
	if (x.stx_mask & STATX_BTIME)
		ret->born = x.stx_btime.tv_sec * NS + x.stx_btime.tv_nsec;
	if (ret_st)
		*ret_st = (struct stat){
			.st_dev = makedev(x.stx_dev_major, x.stx_dev_minor), .st_ino = x.stx_ino, .st_mode = x.stx_mode,
			.st_uid = x.stx_uid, .st_gid = x.stx_gid, .st_nlink = x.stx_nlink,
			.st_size = (off_t)x.stx_size, .st_blocks = (blkcnt_t)x.stx_blocks,
		};
	return 0;
}

bool ident_same(const struct ident *a, const struct ident *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->born == b->born;
}

int64_t mtime_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_mtim.tv_sec * NS + st.st_mtim.tv_nsec;
}

void mtime_set(int fd, int64_t at)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = at / NS, .tv_nsec = at % NS } };

	if (at > 0)
		utimensat(fd, "", t, AT_EMPTY_PATH);
}
