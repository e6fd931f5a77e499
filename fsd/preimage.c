/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a file before a command changes it: a clone where the file system shares blocks, else a bounded copy. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fsd/trash.h"

#define CLONE _IOW(0x94, 9, int)  /* FICLONE of linux/fs.h, whose names meet those of sys/mount.h */
#define CHUNK (1u << 20)

/* Where the kernel does not copy between these two by itself. */
static ssize_t through_us(int from, int to)
{
	static char buf[CHUNK];
	ssize_t n = read(from, buf, sizeof(buf)), done = 0, k;

	while (done < n) {
		k = write(to, buf + done, (size_t)(n - done));
		if (k <= 0)
			return -1;
		done += k;
	}
	return n;
}

int content_copy(int from, int to, uint64_t max)
{
	bool by_kernel = true;
	uint64_t all = 0;
	struct stat st;
	ssize_t n;

	if (ioctl(to, CLONE, from) == 0)
		return 0;
	if (fstat(from, &st) == 0 && (uint64_t)st.st_size > max)
		return -EFBIG;
	for (;;) {
		n = by_kernel ? copy_file_range(from, NULL, to, NULL, CHUNK, 0) : through_us(from, to);
		if (n < 0 && by_kernel && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
			by_kernel = false;
			continue;
		}
		if (n <= 0)
			return n < 0 ? -errno : 0;
		all += (uint64_t)n;
		if (all > max)
			return -EFBIG;
	}
}

/* On the disk before the file changes: a cut of power must not find the one shortened and the other not yet written. The copy carries
 * what the file had beside its content, for when only the copy is left. */
static int fill(int from, int to, const struct stat *st)
{
	struct timespec t[2] = { st->st_atim, st->st_mtim };
	int r = content_copy(from, to, PREIMAGE_MAX);

	if (r == 0 && (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0 || futimens(to, t) < 0))
		r = -errno;
	if (r == 0)
		r = xattrs_copy(from, to);
	return r == 0 && fdatasync(to) < 0 ? -errno : r;
}

int preimage_take(int fd, struct trash_entry *e)
{
	char p[40], part[TOKEN_CAP + 8];
	auto_fd from = -1, to = -1;
	struct stat st;
	int r;

	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	from = open(p, O_RDONLY | O_CLOEXEC | O_NOATIME);
	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	r = ident_of(from, "", &e->of, NULL);
	if (r == 0)
		r = entry_begin(e, trash_bytes(&st));
	if (r < 0)
		return r;
	snprintf(part, sizeof(part), "%s.part", e->token);
	to = openat(fsd.trash, part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	r = to < 0 ? -errno : fill(from, to, &st);
	if (r == 0 && renameat2(fsd.trash, part, fsd.trash, e->token, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(fsd.trash, part, 0);
		entry_drop(e->token, 0);
		return r;
	}
	entry_kept(e, trash_bytes(&st));
	return 0;
}
