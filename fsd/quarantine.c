/* SPDX-License-Identifier: Apache-2.0 */
/* The way back out of the trash: the list of what is kept, and putting it in a place with the rights of the session's owner. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fsd/trash.h"

#define GROUPS_MAX 128
#define LIST_BATCH 60000

/* The answer may be longer than what the socket holds: wait for the reader, but not for ever. Only waiting counts: reading a large trash
 * may take long on a busy machine, and is not the client's fault. */
int trash_send(int sock, uint16_t flags, uint32_t id, const struct wr *b, uint64_t *patience)
{
	for (;;) {
		int r = ipc_send_wr(sock, IPC_OK, flags, id, b, -1);
		uint64_t began = clock_ms(), waited;
		struct pollfd p = { .fd = sock, .events = POLLOUT };

		if (r != -EAGAIN)
			return r;
		if (!*patience)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)*patience) < 0 && errno != EINTR)
			return -errno;
		waited = clock_ms() - began;
		*patience -= waited < *patience ? waited : *patience;
	}
}

static bool list_next(struct trash_iter *it, struct wr *w)
{
	static struct trash_entry e;
	struct stat st;

	if (!entries_next(it, &e, &st))
		return false;
	wr_str(w, e.token);
	wr_str(w, e.path);
	wr_u64(w, (uint64_t)st.st_size);
	wr_u64(w, e.seq / 1000000);
	wr_u32(w, st.st_mode | (e.made_by_it ? IPC_TRASH_MADE_BY_IT : 0u) | (uint32_t)e.kind << IPC_TRASH_KIND);
	wr_str(w, e.command);
	return true;
}

/* A client that does not get all of it is cut off: half a list would look like a whole one. */
int trash_list(int sock, uint32_t id)
{
	static uint8_t body[IPC_BODY_MAX], items[LIST_BATCH];
	struct wr w = wr_init(items, sizeof(items)), b;
	uint64_t patience = TRASH_PATIENCE_MS;
	struct trash_iter it;
	uint32_t n = 0;
	bool more = true;
	int r = 0;

	if (entries_begin(&it) < 0)
		return ipc_send_err(sock, id, -EIO, "the trash cannot be read");
	while (more && r == 0) {
		more = list_next(&it, &w);
		n += more;
		if (n && (!more || wr_len(&w) + 5000 > sizeof(items))) {
			b = wr_init(body, sizeof(body));
			wr_u32(&b, n);
			wr_bytes(&b, items, wr_len(&w));
			r = trash_send(sock, IPC_MORE, id, &b, &patience);
			w = wr_init(items, sizeof(items));
			n = 0;
		}
	}
	if (more)
		entries_end(&it);
	b = wr_init(body, sizeof(body));
	wr_u32(&b, 0);
	if (r == 0)
		r = trash_send(sock, 0, id, &b, &patience);
	if (r < 0)
		shutdown(sock, SHUT_RDWR);
	return 0;
}

/* A restore uses no right that its session's owner lacks: names that the sandbox may exchange meanwhile lead nowhere else then. By system
 * call, as in as_caller. The owner's groups are those of the client that asks, when it is the owner. */
void act_as_owner(int sock)
{
	gid_t groups[GROUPS_MAX];
	socklen_t n = sizeof(groups);
	struct ipc_cred peer;

	if (ipc_peer(sock, &peer) == 0 && peer.uid == fsd.w->owner.uid && getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == 0)
		syscall(SYS_setgroups, n / sizeof(gid_t), groups);
	syscall(SYS_setfsgid, fsd.w->owner.gid);
	syscall(SYS_setfsuid, fsd.w->owner.uid);
}

void act_as_root(void)
{
	syscall(SYS_setfsuid, 0);
	syscall(SYS_setfsgid, 0);
	syscall(SYS_setgroups, 0, NULL);
}

int place_of(const char *path, bool workspace_only, int *ret_tree, const char **ret_rel)
{
	size_t best = 0;

	*ret_tree = -1;
	if (!strncmp(path, "/workspace/", 11)) {
		*ret_tree = 0;
		*ret_rel = path + 11;
		return 0;
	}
	for (size_t k = 0; k < (workspace_only ? 1 : fsd.n_trees); k++) {
		size_t n = strlen(fsd.trees[k].path);

		if (n > best && !strncmp(path, fsd.trees[k].path, n) && path[n] == '/') {
			best = n;
			*ret_tree = (int)k;
			*ret_rel = path + n + 1;
		}
	}
	return *ret_tree < 0 ? -EINVAL : 0;
}

static int step(int dir, const char *name, bool make)
{
	struct stat st;
	int next;

	if (!strcmp(name, ".") || !strcmp(name, "..") || !name[0])
		return -EINVAL;
	if (make && mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
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

int parent_of(int tree, const char *rel, bool make, const char **ret_last)
{
	char part[NODE_NAME_MAX + 1];
	int dir = fcntl(fsd.trees[tree].fd, F_DUPFD_CLOEXEC, 3);
	const char *slash;

	while (dir >= 0 && (slash = strchr(rel, '/'))) {
		size_t n = (size_t)(slash - rel);
		int next = -EINVAL;

		if (n <= NODE_NAME_MAX) {
			memcpy(part, rel, n);
			part[n] = 0;
			next = step(dir, part, make);
		}
		close(dir);
		if (next < 0)
			return next;
		dir = next;
		rel = slash + 1;
	}
	if (dir < 0)
		return -errno;
	*ret_last = rel;
	if (rel[0] && strcmp(rel, ".") != 0 && strcmp(rel, "..") != 0)
		return dir;
	close(dir);
	return -EINVAL;
}

int may_place(int dir, const struct stat *over)
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

/* What stands in the way goes to the trash: to insist loses nothing either. */
static int put_aside(int dir, const char *last, const char *path)
{
	static struct trash_entry e;

	e = (struct trash_entry){ .kind = TRASH_ASIDE };
	snprintf(e.command, sizeof(e.command), "undo");
	if (str_format(e.path, sizeof(e.path), "%s", path) < 0)
		return -ENAMETOOLONG;
	return trash_put(dir, last, &e);
}

int put_back(int sock, const struct trash_entry *e, const char *path, bool workspace_only, bool force, bool times)
{
	struct stat data, st;
	bool there, merge;
	const char *last = "", *rel;
	auto_fd dir = -1;
	int tree, r = place_of(path, workspace_only, &tree, &rel);

	if (r < 0 || fstatat(fsd.trash, e->token, &data, AT_SYMLINK_NOFOLLOW) < 0)
		return r < 0 ? r : -errno;
	act_as_owner(sock);
	dir = parent_of(tree, rel, true, &last);
	r = dir < 0 ? dir : 0;
	there = r == 0 && fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (r == 0)
		r = may_place(dir, there ? &st : NULL);
	/* A directory that a restored file brought back already is the same directory: take its mode, drop the empty one. */
	merge = there && S_ISDIR(data.st_mode) && S_ISDIR(st.st_mode);
	if (r == 0 && merge)
		r = take_mode(dir, last, data.st_mode);
	act_as_root();
	if (r == 0 && there && !merge)
		r = !force ? -EEXIST : S_ISDIR(st.st_mode) ? -EISDIR : put_aside(dir, last, path);
	if (r == 0 && merge)
		r = unlinkat(fsd.trash, e->token, AT_REMOVEDIR) < 0 ? -EEXIST : 0;
	else if (r == 0)
		r = renameat2(fsd.trash, e->token, dir, last, RENAME_NOREPLACE) < 0 ? -errno : 0;
	if (r == 0 && times) {
		act_as_owner(sock);
		mtime_set(dir, e->dir_mtime);
		act_as_root();
	}
	if (r == 0)
		entry_drop(e->token, trash_bytes(&data));
	return r;
}

int trash_restore(int sock, uint32_t id, struct ipc_frame *f)
{
	static struct trash_entry e;
	char token[64], dest[PATH_CAP];
	struct rd r = rd_init(f->body, f->len);
	uint8_t force, body[4200];
	struct wr w = wr_init(body, sizeof(body));
	const char *path;
	int err;

	rd_strcpy(&r, token, sizeof(token));
	rd_strcpy(&r, dest, sizeof(dest));
	force = rd_u8(&r);
	if (!rd_done(&r) || entry_read(token, &e) < 0)
		return ipc_send_err(sock, id, -ENOENT, "no such token in this session's trash: list them with: agentsh trash list");
	path = dest[0] ? dest : e.path;
	trash_hold(true);
	if (force && !dest[0] && (e.kind == TRASH_OVERWRITTEN || e.kind == TRASH_TRUNCATED))
		err = write_back(sock, &e, path, true);
	else
		err = put_back(sock, &e, path, dest[0], force, false);
	trash_hold(false);
	watch_drain(true); /* the kernel knows nothing of what was made */
	undo_forget_marks();
	if (err == -EINVAL)
		return ipc_send_err(sock, id, err, "%s is not in the workspace", path);
	if (err < 0)
		return ipc_send_err(sock, id, err, "%s: %s (choose another place with --dest, or --force)", path, strerror(-err));
	wr_str(&w, path);
	return ipc_send_wr(sock, IPC_OK, 0, id, &w, -1);
}
