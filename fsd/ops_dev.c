/* SPDX-License-Identifier: Apache-2.0 */
/* The FUSE device: what the library does not speak. It negotiates passthrough and KILLPRIV_V2 by completing the answer to INIT, and
 * answers opens whose data the kernel then moves between caller and backing file by itself. */
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>

#include "common/log.h"
#include "fsd/ops.h"

/* Newer than the headers: protocol 7.40. */
#define MINOR_PASSTHROUGH 40
#define INIT_KILLPRIV_V2 (1u << 28)
#define INIT_EXT (1u << 30)
#define INIT2_PASSTHROUGH (1u << 5) /* bit 37 of the flags */
#define INIT2_EXPIRE_ONLY (1u << 3)
#define OPEN_PASSTHROUGH (1u << 7)
struct backing_map { int32_t fd; uint32_t flags; uint64_t padding; };
#define BACKING_OPEN _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

#define OP_TMPFILE 51
#define OP_STATX 52
struct statx_in { uint32_t getattr_flags, reserved; uint64_t fh; uint32_t sx_flags, sx_mask; };
struct sx_time { int64_t sec; uint32_t nsec; int32_t reserved; };
struct statx_out {
	uint64_t valid;
	uint32_t valid_nsec, flags;
	uint64_t spare[2];
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct sx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare2[14];
};

#define PASS_MIN 65536   /* below, a read costs less than registering the file */
#define STACK_DEPTH 2          /* the backing file may itself lie on an overlay, as in a container */
#define SETTLED_NS 20000000    /* a change within the clock's tick of another leaves the same time stamp */

static struct { uint64_t unique; uint32_t minor, flags, flags2; bool pass; } init;

bool dev_expires(void)
{
	return init.flags2 & INIT2_EXPIRE_ONLY;
}

static ssize_t dev_read(int fd, void *buf, size_t n, void *userdata UNUSED)
{
	ssize_t r = read(fd, buf, n);
	struct fuse_in_header *h = buf;

	if (r >= (ssize_t)(sizeof(*h) + sizeof(struct fuse_init_in)) && h->opcode == FUSE_INIT) {
		const struct fuse_init_in *in = (const void *)(h + 1);

		init.unique = h->unique;
		init.minor = in->minor;
		init.flags = in->flags;
		init.flags2 = in->flags & INIT_EXT ? in->flags2 : 0;
	}
	/* A creation like others, of a name that no file can have. */
	if (r > (ssize_t)(sizeof(*h) + sizeof(struct fuse_create_in) + 1) && h->opcode == OP_TMPFILE) {
		h->opcode = FUSE_CREATE;
		memcpy((char *)(h + 1) + sizeof(struct fuse_create_in), UNNAMED, sizeof(UNNAMED));
	}
	return r;
}

static void complete_init(struct fuse_init_out *out)
{
	out->minor = init.minor < MINOR_PASSTHROUGH ? init.minor : MINOR_PASSTHROUGH;
	/* Without it the kernel asks for security.capability before each write. */
	out->flags |= init.flags & INIT_KILLPRIV_V2;
	if (init.flags2 & INIT2_PASSTHROUGH) {
		out->flags |= INIT_EXT;
		out->flags2 |= INIT2_PASSTHROUGH;
		out->unused[0] = STACK_DEPTH; /* max_stack_depth since 7.40 */
		init.pass = true;
	}
}

static ssize_t dev_writev(int fd, struct iovec *iov, int n, void *userdata UNUSED)
{
	const struct fuse_out_header *h = iov[0].iov_base;

	if (n == 2 && init.unique && h->unique == init.unique && h->error == 0 && iov[1].iov_len == sizeof(struct fuse_init_out)) {
		complete_init(iov[1].iov_base);
		init.unique = 0;
	}
	return writev(fd, iov, n);
}

static struct sx_time sx_time(const struct statx_timestamp *t)
{
	return (struct sx_time){ .sec = t->tv_sec, .nsec = t->tv_nsec };
}

static int statx_of(fuse_ino_t ino, struct statx_out *out)
{
	struct inode *i = ino_of(ino);
	int fd = i ? inode_fd(i) : -ENOENT; /* never ENOSYS: it would not ask again */
	struct statx x;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -errno;
	*out = (struct statx_out){
		.valid = (uint64_t)watch_attr_seconds(i, &st), .mask = x.stx_mask & (STATX_BASIC_STATS | STATX_BTIME),
		.blksize = x.stx_blksize,
		.nlink = (uint32_t)links_seen(makedev(x.stx_dev_major, x.stx_dev_minor), x.stx_ino, x.stx_nlink),
		.uid = x.stx_uid, .gid = x.stx_gid, .mode = x.stx_mode, .ino = x.stx_ino, .size = x.stx_size,
		.blocks = x.stx_blocks, .atime = sx_time(&x.stx_atime), .btime = sx_time(&x.stx_btime), .ctime = sx_time(&x.stx_ctime),
		.mtime = sx_time(&x.stx_mtime), .rdev_major = x.stx_rdev_major, .rdev_minor = x.stx_rdev_minor,
	};
	return 0;
}

/* Attributes with the time of birth. As the rest of them, not judged: they lie behind a look-up that was. */
bool dev_statx(const void *request, size_t n)
{
	const struct fuse_in_header *h = request;
	struct statx_out body;
	struct fuse_out_header head = { .len = sizeof(head) };
	struct iovec iov[2] = { { &head, sizeof(head) }, { &body, sizeof(body) } };

	if (n < sizeof(*h) + sizeof(struct statx_in) || h->opcode != OP_STATX)
		return false;
	head.unique = h->unique;
	head.error = statx_of(h->nodeid, &body);
	if (!head.error)
		head.len += sizeof(body);
	/* Not taken: the caller is gone. */
	if (writev(fuse_session_fd(fsd.se), iov, head.error ? 1 : 2) < 0 && errno != ENOENT)
		log_info("answering statx: %s", strerror(errno));
	return true;
}

int dev_attach(int fd)
{
	static const struct fuse_custom_io io = { .read = dev_read, .writev = dev_writev };

	return fuse_session_custom_io(fsd.se, &io, fd);
}

/* A file that a person must release is read through fsd, request by request. */
static bool pass_policy(const struct inode *i)
{
	static const enum pol_op data[] = { POL_OP_READ, POL_OP_OPEN, POL_OP_WRITE };

	for (size_t k = 0; k < ARRAY_LEN(data); k++)
		if (policy_file(fsd.policy, i->state, data[k], (struct pol_who){ 0 }).decision == POL_APPROVE ||
		    policy_file(fsd.policy, i->state, data[k], (struct pol_who){ .unknown = true }).decision == POL_APPROVE)
			return false;
	return true;
}

/* All opens of one inode at one time agree: the kernel answers EIO to one that does not. */
static bool pass_take(struct inode *i, int fd, int flags, const struct stat *st)
{
	struct backing_map map = { .fd = fd };

	if (!i->passed) {
		if (!init.pass || i->cached || !S_ISREG(st->st_mode) || !pass_policy(i))
			return false;
		if ((flags & O_ACCMODE) == O_RDONLY && st->st_size < PASS_MIN)
			return false;
		i->backing = ioctl(fuse_session_fd(fsd.se), BACKING_OPEN, &map);
		if (i->backing <= 0) {
			/* Not in the host's user namespace: no file will do. Any other reason is this file's (stacked too deep). */
			if (errno == EPERM) {
				init.pass = false;
				log_info("the kernel refuses FUSE passthrough here: data goes through fsd");
			}
			return false;
		}
	}
	i->passed++;
	return true;
}

/* Unchanged since the last cached open, the pages that the kernel has are right. */
static bool pages_good(struct inode *i, const struct stat *st)
{
	struct sig now = { st->st_mtim, st->st_ctim, st->st_size };
	bool good = i->settled && !memcmp(&now, &i->sig, sizeof(now));
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	i->sig = now;
	i->settled = (t.tv_sec - st->st_ctim.tv_sec) * 1000000000LL + t.tv_nsec - st->st_ctim.tv_nsec > SETTLED_NS;
	return good;
}

static void attr_of(const struct stat *st, struct fuse_attr *a)
{
	*a = (struct fuse_attr){
		.ino = st->st_ino, .size = (uint64_t)st->st_size, .blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec, .mtime = (uint64_t)st->st_mtim.tv_sec, .ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec, .mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode, .nlink = (uint32_t)st->st_nlink, .uid = st->st_uid, .gid = st->st_gid, .rdev = (uint32_t)st->st_rdev,
		.blksize = (uint32_t)st->st_blksize,
	};
}

static int reply_passed(fuse_req_t req, const struct inode *i, int fd, const struct fuse_entry_param *e)
{
	struct { struct fuse_entry_out e; struct fuse_open_out o; } out = { 0 };

	out.o = (struct fuse_open_out){ .fh = FH_PASSED | (uint64_t)fd, .open_flags = OPEN_PASSTHROUGH | FOPEN_NOFLUSH };
	out.o.padding = (uint32_t)i->backing; /* backing_id since 7.40 */
	if (!e)
		return fuse_reply_buf(req, (const char *)&out.o, sizeof(out.o));
	out.e.nodeid = e->ino;
	out.e.entry_valid = (uint64_t)e->entry_timeout;
	out.e.attr_valid = e->attr_timeout < ENTRY_MS / 1000.0 ? 0 : ENTRY_MS / 1000;
	attr_of(&e->attr, &out.e.attr);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

void dev_reply_open(fuse_req_t req, struct inode *i, int fd, struct fuse_file_info *fi, const struct fuse_entry_param *e)
{
	struct stat st;
	bool pass;
	int r;

	if (fstat(fd, &st) < 0)
		st = (struct stat){ 0 };
	pass = pass_take(i, fd, fi->flags, &st);
	if (!e)
		watch_opened(i, &st);
	fi->fh = (uint64_t)fd | (pass ? FH_PASSED : 0);
	if (pass) {
		i->settled = false;
		r = reply_passed(req, i, fd, e);
	} else {
		i->cached++;
		fi->keep_cache = pages_good(i, &st);
		fi->noflush = 1;
		r = e ? fuse_reply_create(req, e, fi) : fuse_reply_open(req, fi);
	}
	if (r < 0) { /* the caller was gone: no release will come, and the kernel does not know of a new inode */
		dev_release(i, fi->fh);
		if (e)
			inode_forget(i, 1);
	}
}

void dev_release(struct inode *i, uint64_t fh)
{
	uint32_t id = (uint32_t)i->backing;

	close(fh_fd(fh));
	if (!(fh & FH_PASSED)) {
		i->cached--;
	} else if (--i->passed == 0) {
		i->backing = 0;
		ioctl(fuse_session_fd(fsd.se), BACKING_CLOSE, &id);
	}
}
