/* SPDX-License-Identifier: Apache-2.0 */
/* agentsh-fsd: main, set-up of a session, the loop's share of FUSE, requests. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/kernfs.h"
#include "common/sandbox.h"
#include "fsd/ops.h"

#define BURST 32 /* requests before the loop looks at anything else */
#define SPIN_NS 50000  /* to be woken costs more than a request: who asked a moment ago asks again */
#define SPIN_HOPE 8    /* waits for nothing after which it is tried seldom */
#define SPIN_SELDOM 16

struct fsd fsd = { .trash = -1, .lease = -1, .update = UPDATE_INIT };
static struct ipc_frame frame;

static int take(struct worker *w, struct ipc_frame *f, int *ws, struct err *err)
{
	struct rd b = rd_init(f->body, f->len);
	struct generation *gen;
	char name[256];

	switch (f->type) {
	case IPC_SET_POLICY:
		if (fsd.gen)
			return err_set(err, -EEXIST, "policy given twice");
		if (generation_open(f->fd, f->body, 1, "", &gen, err) < 0)
			return err->status;
		update_start(gen);
		return 0;
	case IPC_SET_ALONE:
		if (w->owner.uid != 0) /* who else could not mount it, and gets no worker that makes devices */
			return err_set(err, -EPERM, "a mount without a session is root's to make");
		fsd.alone = true;
		return 0;
	case IPC_SET_BOARD:
		return board_open(f->fd, &fsd.board) < 0 ? err_set(err, -EINVAL, "the board is not one") : 0;
	case IPC_SET_WORKSPACE:
		rd_strcpy(&b, fsd.workspace, sizeof(fsd.workspace));
		rd_strcpy(&b, name, sizeof(name));
		if (!rd_done(&b) || fsd.workspace[0] != '/' || *ws >= 0)
			return err_set(err, -EINVAL, "the workspace could not be read");
		*ws = move_fd(&f->fd);
		return 0;
	case IPC_SET_HOME:
		return 0;
	case IPC_SET_TRASH:
		return trash_limits(f) < 0 ? err_set(err, -EINVAL, "the trash's limits could not be read") : 0;
	default:
		return err_set(err, -EPROTO, "%s is not a set-up message", ipc_name(f->type));
	}
}

static int read_frames(struct worker *w, int *ws, uint32_t *id, struct err *err)
{
	for (;;) {
		int r = ipc_recv(w->setup, IPC_C, &frame);

		if (r <= 0)
			return err_set(err, r ? r : -ECONNRESET, "the client went away during set-up");
		if (frame.type == IPC_START)
			break;
		r = take(w, &frame, ws, err);
		if (frame.fd >= 0)
			close(frame.fd);
		if (r < 0)
			return r;
	}
	*id = frame.id;
	fsd.trash_only = !fsd.policy && !fsd.board && !fsd.alone;
	if (*ws < 0 || (!fsd.trash_only && (!fsd.policy || !fsd.board == !fsd.alone)))
		return err_set(err, -EINVAL, "policy, board and workspace are needed");
	return 0;
}

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The next request: what is there, or comes at once. Only after work, so that idleness costs nothing; and where nothing came several
 * times, as when the sandbox needs all processors for itself, hardly ever. */
static int receive(struct fuse_buf *b, bool worked)
{
	static int hope, tries;
	int r = fuse_session_receive_buf(fsd.se, b);
	uint64_t until;

	if (r != -EAGAIN || !worked || fsd.cpus < 2 || (hope <= -SPIN_HOPE && ++tries % SPIN_SELDOM))
		return r;
	until = now_ns() + SPIN_NS;
	do {
		for (int i = 0; i < 32; i++)
			relax();
		r = fuse_session_receive_buf(fsd.se, b);
	} while (r == -EAGAIN && now_ns() < until);
	hope += r == -EAGAIN ? (hope > -SPIN_HOPE ? -1 : 0) : (hope < SPIN_HOPE ? 1 : 0);
	return r;
}

static void on_fuse(void *arg UNUSED, int fd UNUSED, uint32_t events UNUSED)
{
	static struct fuse_buf b;

	for (int i = 0; i < BURST; i++) {
		int r = receive(&b, i > 0);

		if (r == -EAGAIN || r == -EINTR)
			return;
		if (r <= 0)
			worker_end(fsd.w, "every mount of the session is gone");
		watch_drain(false); /* decided by the names that were there when it was asked */
		if (dev_statx(b.mem, (size_t)r))
			continue;
		fuse_session_process_buf(fsd.se, &b);
	}
}

static void hide_ours(struct worker *w)
{
	const char *const dirs[] = { w->data_dir, w->run_dir };

	for (size_t i = 0; i < 2; i++) {
		struct stat st;

		const char *slash = strrchr(dirs[i], '/');

		if (stat(dirs[i], &st) < 0)
			continue;
		fsd.hide_name[fsd.n_hide] = slash ? slash + 1 : dirs[i];
		fsd.hide_dev[fsd.n_hide] = st.st_dev;
		fsd.hide_ino[fsd.n_hide++] = st.st_ino;
	}
}

static int hand_lease(struct worker *w, uint32_t id)
{
	uint8_t body[16];
	struct wr b = wr_init(body, sizeof(body));
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	wr_str(&b, "fsd");
	r = ipc_send_wr(w->setup, IPC_HAND_LEASE, IPC_MORE, id, &b, pair[1]);
	close(pair[1]);
	fsd.lease = pair[0];
	if (r == 0 && fcntl(fsd.lease, F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	return r == 0 ? loop_add(w->loop, fsd.lease, EPOLLIN | EPOLLRDHUP, update_on_lease, NULL, NULL) : r;
}

/*
 * What the worker keeps. CAP_SYS_ADMIN is for one thing: the kernel wants it (in the host's user namespace) of who registers a
 * backing file, at each open. Another process could hold it for us, for two more switches an open; but the worker already acts on
 * the host's files as root, so that what bounds it is the seccomp table: no mounts, namespaces, programs, bpf, quota, swap or log, and
 * of ioctls only those of the FUSE device. Not CAP_FSETID: without it the kernel takes set-id bits off whatever we, or a
 * passed-through write in our name, change.
 */
static const uint64_t caps = 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_FOWNER | 1ULL << CAP_CHOWN |
			     1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETFCAP | 1ULL << CAP_SYS_ADMIN;

/* Of a session that has ended only the trash is left: no mount, no rights beyond files, and the end with the one client. */
static int serve_trash(struct worker *w, uint32_t id, struct err *err)
{
	int r = trash_open();

	if (r < 0)
		return err_set(err, r, "opening the trash: %s", strerror(-r));
	if (priv_drop((uid_t)-1, (gid_t)-1, caps & ~(1ULL << CAP_SYS_ADMIN), err) < 0 || sandbox_enter(SANDBOX_FSD_WORKER, err) < 0)
		return err->status;
	return ipc_send(w->setup, IPC_OK, 0, id, NULL, 0, -1);
}

static void record(const char *type)
{
	if (!fsd.alone)
		return;
	evt_begin(fsd.w->events, type, NULL, 0);
	evt_str(fsd.w->events, "workspace", fsd.workspace);
	evt_end(fsd.w->events);
}

static int serve_session(struct worker *w, uint32_t id, struct err *err)
{
	int r;

	fsd.acls = acl_wanted(fsd.trees[0].fd);
	fsd.trees[0].root = inode_root(0, fsd.trees[0].fd, tree_state(0));
	r = fsd.trees[0].root ? trash_open() : -ENOMEM;
	if (r < 0)
		return err_set(err, r, "making the trash: %s%s", strerror(-r),
			       r == -EPERM ? " (.agentsh-trash in the workspace must be root's own, mode 0700: move it away)" : "");
	watch_start();
	if (approve_new(w, &fsd.approve) < 0 || mount_make(w, id, err) < 0)
		return err->status ? err->status : -ENOMEM;
	fcntl(fuse_session_fd(fsd.se), F_SETFL, O_NONBLOCK);
	r = loop_add(w->loop, fuse_session_fd(fsd.se), EPOLLIN, on_fuse, NULL, NULL);
	if (r == 0 && !fsd.alone)
		r = hand_lease(w, id);
	if (r < 0)
		return err_set(err, r, "starting: %s", strerror(-r));
	if (priv_drop((uid_t)-1, (gid_t)-1, caps | (fsd.alone ? 1ULL << CAP_MKNOD : 0), err) < 0)
		return err->status;
	r = tell_start();
	if (r < 0)
		return err_set(err, r, "starting threads: %s", strerror(-r));
	sync_start();
	if (sandbox_enter(SANDBOX_FSD_WORKER, err) < 0)
		return err->status;
	record("mount_start");
	return ipc_send(w->setup, IPC_OK, 0, id, NULL, 0, -1);
}

static int start(struct worker *w, struct err *err)
{
	struct rlimit files;
	cpu_set_t cpus;
	struct stat st;
	uint32_t id = 0;
	int ws = -1;

	fsd.w = w;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) /* else more than a mask holds: then we do not look ahead */
		fsd.cpus = CPU_COUNT(&cpus);
	umask(0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
		inode_limit(files.rlim_cur / 2); /* the other half for what the sandbox opens */
	}
	if (read_frames(w, &ws, &id, err) < 0)
		return err->status;
	hide_ours(w);
	if (fstat(ws, &st) < 0)
		return err_set(err, -errno, "workspace: %s", strerror(errno));
	if (kernfs_at(ws))
		return err_set(err, -EINVAL, "%s lies on a file system of the kernel's: it cannot be a workspace", fsd.workspace);
	fsd.ws_dev = st.st_dev;
	fsd.ws_ino = st.st_ino;
	fsd.trees[0].fd = ws;
	snprintf(fsd.trees[0].path, sizeof(fsd.trees[0].path), "%s", fsd.workspace);
	fsd.n_trees = 1;
	return fsd.trash_only ? serve_trash(w, id, err) : serve_session(w, id, err);
}

static int request(struct worker *w UNUSED, int sock, const struct ipc_cred *who UNUSED, struct ipc_frame *f)
{
	int r = update_request(sock, f);

	if (r != -ENOSYS)
		return r;
	watch_drain(false); /* what others did before this */
	if (f->type == IPC_TRASH_LIST)
		return trash_list(sock, f->id);
	if (f->type == IPC_TRASH_RESTORE)
		return trash_restore(sock, f->id, f);
	if (f->type == IPC_TRASH_PURGE)
		return trash_purge(f->id, sock, f);
	if (f->type == IPC_TRASH_UNDO)
		return undo_command(sock, f->id, f);
	if (f->type == IPC_CHECKPOINT_SET)
		return checkpoint_set(sock, f->id, f);
	if (f->type == IPC_CHECKPOINT_LIST)
		return checkpoint_list(sock, f->id);
	return fsd.approve ? approve_request(fsd.approve, sock, f) : -ENOSYS;
}

static void gone(struct worker *w, int sock)
{
	if (fsd.trash_only && sock == w->setup)
		worker_end(w, "its trash was looked through");
	if (fsd.approve)
		approve_gone(fsd.approve, sock);
	update_client_gone(sock);
}

static void end(struct worker *w)
{
	fsd.ending = true;
	judge_recorded();
	if (fsd.se)
		record("mount_end");
	approve_free(move_ptr(fsd.approve)); /* what is held is answered */
	if (fsd.lease >= 0)
		close(fsd.lease);
	unlinkat(w->session_dir, "fuse", AT_REMOVEDIR);
}

int main(int argc, char **argv)
{
	static const struct daemon_ops ops = { .name = "fsd", .start = start, .request = request, .gone = gone, .end = end };

	return daemon_main(&ops, argc, argv);
}
