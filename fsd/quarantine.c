/* SPDX-License-Identifier: Apache-2.0 */
/* Soft delete: entry first (pending), rename, commit; and the way back, which overwrites nothing. The store lies on the workspace's own
 * mount, out of the sandbox's sight. */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "fsd/fsd.h"

#define META_MAX 9000
#define PATH_CAP 4096 /* of a path that is kept and given back, with its end */
#define GROUPS_MAX 128
#define WS_TRASH ".agentsh-trash" /* where a rename into the session's directory does not work */
#define WS_PROBE ".agentsh-probe"
#define SEND_MS 5000           /* how long a client may take to read its list */
#define LIST_BATCH 60000

static void hide(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && fsd.n_hide < ARRAY_LEN(fsd.hide_ino)) {
		fsd.hide_name[fsd.n_hide] = WS_TRASH;
		fsd.hide_dev[fsd.n_hide] = st.st_dev;
		fsd.hide_ino[fsd.n_hide++] = st.st_ino;
	}
}

/* A crash between rename and commit leaves a pending entry whose file is there: commit it. One whose file is not there never happened,
 * unless another worker is about to: then the next start sees to it. */
static void reconcile(int dir)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	bool alone = flock(dir, LOCK_EX | LOCK_NB) == 0;

	while (d && alone && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		char token[64], ok[64];

		if (n != 32 + 8 || strcmp(e->d_name + 32, ".pending") != 0)
			continue;
		snprintf(token, sizeof(token), "%.32s", e->d_name);
		snprintf(ok, sizeof(ok), "%.32s.ok", e->d_name);
		if (faccessat(dir, token, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			renameat(dir, e->d_name, dir, ok);
		else
			unlinkat(dir, e->d_name, 0);
	}
	if (d)
		closedir(d);
	flock(dir, LOCK_SH);
}

/* In the workspace others may have made it, or a link: then what is deleted would be theirs. */
static int trash_beside(int ws)
{
	struct stat st;

	if (mkdirat(ws, WS_TRASH, 0700) < 0 && errno != EEXIST)
		return -errno;
	fsd.trash = openat(ws, WS_TRASH, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fsd.trash < 0 || fstat(fsd.trash, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || (st.st_mode & 07777) != 0700)
		return -EPERM;
	hide(fsd.trash);
	return 0;
}

int trash_open(void)
{
	int ws = fsd.trees[0].fd, probe, r = 0;

	if (mkdirat(fsd.w->session_dir, "trash", 0700) < 0 && errno != EEXIST)
		return -errno;
	fsd.trash = openat(fsd.w->session_dir, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	probe = openat(fsd.trash, ".probe", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (probe >= 0)
		close(probe);
	/* A rename works only inside one mount: try it. A name that is taken there says so too. */
	if (probe >= 0 && renameat2(fsd.trash, ".probe", ws, WS_PROBE, RENAME_NOREPLACE) == 0) {
		unlinkat(ws, WS_PROBE, 0);
	} else if (probe >= 0 && errno == EEXIST) {
		unlinkat(fsd.trash, ".probe", 0);
	} else {
		unlinkat(fsd.trash, ".probe", 0);
		close(fsd.trash);
		r = trash_beside(ws);
	}
	if (r < 0 || fsd.trash < 0)
		return r < 0 ? r : -errno;
	reconcile(fsd.trash);
	return 0;
}

bool trash_name(const struct inode *dir, const char *name)
{
	struct stat st;

	if (dir->dev == fsd.ws_dev && dir->ino == fsd.ws_ino && (!strcmp(name, WS_TRASH) || !strcmp(name, WS_PROBE)))
		return true;
	for (size_t k = 0; k < fsd.n_hide; k++)
		if (!strcmp(name, fsd.hide_name[k]))
			return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && inode_hidden(&st);
	return false;
}

int trash_put(struct inode *dir, const char *name, const char *path, const char *command, bool made_by_it, char token[33])
{
	uint8_t rnd[16], body[META_MAX];
	struct wr w = wr_init(body, sizeof(body));
	char pending[64], ok[64];
	struct timespec t;
	struct stat st;
	auto_fd fd = -1;
	ssize_t n;
	int r;

	if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd) || fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	hex_encode(rnd, sizeof(rnd), token);
	snprintf(pending, sizeof(pending), "%s.pending", token);
	snprintf(ok, sizeof(ok), "%s.ok", token);
	clock_gettime(CLOCK_REALTIME, &t);
	wr_str(&w, path);
	wr_str(&w, command);
	wr_u64(&w, (uint64_t)st.st_size);
	wr_u64(&w, (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
	wr_u32(&w, st.st_mode | (made_by_it ? IPC_TRASH_MADE_BY_IT : 0u));
	if (w.bad || strlen(path) >= PATH_CAP)
		return -ENAMETOOLONG; /* it could not be given back */
	fd = openat(fsd.trash, pending, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, body, wr_len(&w));
	r = n == (ssize_t)wr_len(&w) ? 0 : n < 0 ? -errno : -ENOSPC;
	if (r == 0 && renameat2(dir->fd, name, fsd.trash, token, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(fsd.trash, pending, 0);
	else if (renameat(fsd.trash, pending, fsd.trash, ok) < 0)
		log_info("session %s: %s stays pending in the trash until the next start: %s", fsd.w->id, token, strerror(errno));
	return r;
}

int trash_undo(struct inode *dir, const char *name, const char *token)
{
	char meta[64];

	if (renameat2(fsd.trash, token, dir->fd, name, RENAME_NOREPLACE) < 0)
		return -errno;
	snprintf(meta, sizeof(meta), "%s.ok", token);
	unlinkat(fsd.trash, meta, 0);
	snprintf(meta, sizeof(meta), "%s.pending", token);
	unlinkat(fsd.trash, meta, 0);
	return 0;
}

static int meta_read(const char *token, char *path, size_t cap, char *command, uint64_t *size, uint64_t *when, uint32_t *mode)
{
	uint8_t body[META_MAX];
	char name[64];
	auto_fd fd = -1;
	struct rd r;
	ssize_t n;

	if (strlen(token) != 32 || strspn(token, "0123456789abcdef") != 32)
		return -ENOENT;
	snprintf(name, sizeof(name), "%s.ok", token);
	fd = openat(fsd.trash, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd < 0 ? -1 : read(fd, body, sizeof(body));
	if (n < 0)
		return -ENOENT;
	r = rd_init(body, (size_t)n);
	rd_strcpy(&r, path, cap);
	rd_strcpy(&r, command, ID_MAX);
	*size = rd_u64(&r);
	*when = rd_u64(&r);
	*mode = rd_u32(&r);
	return rd_done(&r) ? 0 : -EBADMSG;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The socket does not block and the list may be longer than what it holds: wait for the reader, but not for ever. */
static int send_part(int sock, uint16_t flags, uint32_t id, const struct wr *b, int64_t until)
{
	for (;;) {
		int r = ipc_send_wr(sock, IPC_OK, flags, id, b, -1);
		int64_t left = until - now_ms();
		struct pollfd p = { .fd = sock, .events = POLLOUT };

		if (r != -EAGAIN)
			return r;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

static bool list_next(DIR *d, struct wr *w)
{
	struct dirent *e;

	while ((e = readdir(d))) {
		char token[64], path[PATH_CAP], command[ID_MAX];
		uint64_t size, when;
		uint32_t mode;

		if (strlen(e->d_name) != 35 || strcmp(e->d_name + 32, ".ok") != 0)
			continue;
		snprintf(token, sizeof(token), "%.32s", e->d_name);
		if (meta_read(token, path, sizeof(path), command, &size, &when, &mode) < 0)
			continue;
		wr_str(w, token);
		wr_str(w, path);
		wr_u64(w, size);
		wr_u64(w, when);
		wr_u32(w, mode);
		wr_str(w, command);
		return true;
	}
	return false;
}

/* A client that does not get all of it is cut off: half a list would look like a whole one. */
int trash_list(int sock, uint32_t id)
{
	static uint8_t body[IPC_BODY_MAX], items[LIST_BATCH];
	DIR *d = fdopendir(openat(fsd.trash, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct wr w = wr_init(items, sizeof(items)), b;
	int64_t until = now_ms() + SEND_MS;
	uint32_t n = 0;
	bool more = true;
	int r = 0;

	if (!d)
		return ipc_send_err(sock, id, -errno, "reading the trash: %s", strerror(errno));
	while (more && r == 0) {
		more = list_next(d, &w);
		n += more;
		if (n && (!more || wr_len(&w) + 5000 > sizeof(items))) {
			b = wr_init(body, sizeof(body));
			wr_u32(&b, n);
			wr_bytes(&b, items, wr_len(&w));
			r = send_part(sock, IPC_MORE, id, &b, until);
			w = wr_init(items, sizeof(items));
			n = 0;
		}
	}
	closedir(d);
	b = wr_init(body, sizeof(body));
	wr_u32(&b, 0);
	if (r == 0)
		r = send_part(sock, 0, id, &b, until);
	if (r < 0)
		shutdown(sock, SHUT_RDWR);
	return 0;
}

/* A restore uses no right that its session's owner lacks: names that the sandbox may exchange meanwhile lead nowhere else then. By system
 * call, as in as_caller. The owner's groups are those of the client that asks, when it is the owner. */
static void act_as_owner(int sock)
{
	gid_t groups[GROUPS_MAX];
	socklen_t n = sizeof(groups);
	struct ipc_cred peer;

	if (ipc_peer(sock, &peer) == 0 && peer.uid == fsd.w->owner.uid && getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == 0)
		syscall(SYS_setgroups, n / sizeof(gid_t), groups);
	syscall(SYS_setfsgid, fsd.w->owner.gid);
	syscall(SYS_setfsuid, fsd.w->owner.uid);
}

static void act_as_root(void)
{
	syscall(SYS_setfsuid, 0);
	syscall(SYS_setfsgid, 0);
	syscall(SYS_setgroups, 0, NULL);
}

static int step(int dir, const char *name)
{
	struct stat st;
	int next;

	if (!strcmp(name, ".") || !strcmp(name, "..") || !name[0])
		return -EINVAL;
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return -errno;
	if (fstat(next, &st) < 0 || inode_hidden(&st)) {
		close(next);
		return -EACCES;
	}
	return next;
}

/* The directory of path (below the workspace), made where it is missing; returns a descriptor and the last name. */
static int parent_of(const char *rel, const char **last)
{
	char part[NODE_NAME_MAX + 1];
	int dir = fcntl(fsd.trees[0].fd, F_DUPFD_CLOEXEC, 3);
	const char *slash;

	while (dir >= 0 && (slash = strchr(rel, '/'))) {
		size_t n = (size_t)(slash - rel);
		int next = -EINVAL;

		if (n <= NODE_NAME_MAX) {
			memcpy(part, rel, n);
			part[n] = 0;
			next = step(dir, part);
		}
		close(dir);
		if (next < 0)
			return next;
		dir = next;
		rel = slash + 1;
	}
	*last = rel;
	return dir < 0 ? -errno : dir;
}

/* Whether the owner may put a name there; over is what stands there already. The rename itself is root's, as the store is. */
static int may_place(int dir, const struct stat *over)
{
	struct stat st;

	if (syscall(SYS_faccessat2, dir, "", W_OK | X_OK, AT_EACCESS | AT_EMPTY_PATH) < 0 || fstat(dir, &st) < 0)
		return -errno;
	if (over && fsd.w->owner.uid && (st.st_mode & S_ISVTX) && st.st_uid != fsd.w->owner.uid && over->st_uid != fsd.w->owner.uid)
		return -EPERM;
	return 0;
}

/* Of a directory that stands there already the mode is taken over, by descriptor: the name may be a link by now. One of somebody else's is
 * not the same directory. */
static int take_mode(int dir, const char *last, mode_t mode)
{
	auto_fd fd = openat(dir, last, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	char p[40];

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (inode_hidden(&st))
		return -EACCES;
	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	return chmod(p, mode & 0777) == 0 ? 0 : errno == EPERM ? -EEXIST : -errno;
}

static int put_back(int sock, const char *token, const char *rel, mode_t mode, bool force)
{
	bool there, merge;
	const char *last = "";
	struct stat st;
	auto_fd dir = -1;
	int r;

	act_as_owner(sock);
	dir = parent_of(rel, &last);
	r = dir < 0 ? dir : !last[0] || !strcmp(last, ".") || !strcmp(last, "..") ? -EINVAL : 0;
	there = r == 0 && fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (r == 0)
		r = may_place(dir, there ? &st : NULL);
	/* A directory that a restored file brought back already is the same directory: take its mode, drop the empty one. */
	merge = there && S_ISDIR(mode) && S_ISDIR(st.st_mode);
	if (r == 0 && merge)
		r = take_mode(dir, last, mode);
	act_as_root();
	if (r < 0)
		return r;
	if (merge)
		return unlinkat(fsd.trash, token, AT_REMOVEDIR) < 0 ? -EEXIST : 0;
	return renameat2(fsd.trash, token, dir, last, force ? 0 : RENAME_NOREPLACE) < 0 ? -errno : 0;
}

int trash_restore(int sock, uint32_t id, struct ipc_frame *f)
{
	char token[64], dest[PATH_CAP], path[PATH_CAP], command[ID_MAX], ok[64];
	struct rd r = rd_init(f->body, f->len);
	uint64_t size, when;
	uint32_t mode;
	uint8_t force, body[4200];
	struct wr w = wr_init(body, sizeof(body));
	size_t n = strlen(fsd.workspace);
	const char *rel;
	int err;

	rd_strcpy(&r, token, sizeof(token));
	rd_strcpy(&r, dest, sizeof(dest));
	force = rd_u8(&r);
	if (!rd_done(&r) || meta_read(token, path, sizeof(path), command, &size, &when, &mode) < 0)
		return ipc_send_err(sock, id, -ENOENT, "no such token in this session's trash: list them with: agentsh trash list");
	if (dest[0])
		snprintf(path, sizeof(path), "%s", dest);
	if (!strncmp(path, "/workspace/", 11))
		rel = path + 11;
	else if (!strncmp(path, fsd.workspace, n) && path[n] == '/')
		rel = path + n + 1;
	else
		return ipc_send_err(sock, id, -EINVAL, "%s is not in the workspace", path);
	err = put_back(sock, token, rel, mode, force);
	if (err < 0)
		return ipc_send_err(sock, id, err, "%s: %s (choose another place with --dest, or --force)", path, strerror(-err));
	snprintf(ok, sizeof(ok), "%.32s.ok", token);
	unlinkat(fsd.trash, ok, 0);
	wr_str(&w, path);
	return ipc_send_wr(sock, IPC_OK, 0, id, &w, -1);
}
