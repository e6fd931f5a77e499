/* SPDX-License-Identifier: Apache-2.0 */
/* Set-up of a session: reads what the client brings from the other daemons, then starts the session's pid 1 and waits until it is built. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "common/log.h"
#include "execd/execd.h"

static struct ipc_frame frame;

LEAKS_UNSEEN_BEGIN /* the strings belong to v, which ends with the first NULL */
char **strv_read(struct rd *r, uint32_t max)
{
	uint32_t n = rd_u32(r);
	char **v = n > max || r->bad ? NULL : calloc((size_t)n + 1, sizeof(char *));

	if (!v) {
		r->bad = true;
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++) {
		size_t len;
		const char *s = rd_str(r, IPC_BODY_MAX, &len);

		v[i] = strndup(s, len);
		if (!v[i])
			r->bad = true;
		if (r->bad) {
			strv_free(v);
			return NULL;
		}
	}
	return v;
}

void strv_free(char **v)
{
	for (char **p = v; p && *p; p++)
		free(*p);
	free(v);
}
LEAKS_UNSEEN_END

static int set_mount(struct session *s, struct rd *b, int *fd, struct err *err)
{
	if (s->n_mounts == MOUNTS_MAX)
		return err_set(err, -E2BIG, "more than %d mounts from fsd", MOUNTS_MAX);
	rd_strcpy(b, s->mounts[s->n_mounts].path, sizeof(s->mounts[0].path));
	s->mounts[s->n_mounts++].fd = move_fd(fd);
	return 0;
}

static int set_lease(struct session *s, struct rd *b, int *fd, struct err *err)
{
	static const char *const names[] = { "netd", "fsd" };
	char who[64];

	rd_strcpy(b, who, sizeof(who));
	for (size_t i = 0; i < 2; i++)
		if (!strcmp(who, names[i]) && s->leases[i] < 0) {
			s->lease_names[i] = names[i];
			s->leases[i] = move_fd(fd);
			return 0;
		}
	return err_set(err, -EINVAL, "a lease of \"%s\" is not known", who);
}

static int set_file(struct session *s, struct rd *b, struct err *err)
{
	char path[4096], text[8192];

	rd_strcpy(b, path, sizeof(path));
	rd_strcpy(b, text, sizeof(text));
	/* Pid 1 puts it in place as root: a client's other path is none of its rights. */
	if (strcmp(path, "/etc/resolv.conf") != 0)
		return err_set(err, -EINVAL, "SET_FILE is for /etc/resolv.conf alone");
	free(s->file_text);
	s->file_text = strdup(text);
	return s->file_text ? 0 : -ENOMEM;
}

/* The path must be that of the directory that the client could open, as we see it: root makes it a mount point. */
static int set_workspace(struct session *s, struct rd *b, int fd, struct err *err)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	char link[64], real[4096];
	struct stat theirs, here;
	auto_fd seen = -1;
	ssize_t n;

	rd_strcpy(b, s->workspace, sizeof(s->workspace));
	rd_strcpy(b, s->policy_name, sizeof(s->policy_name));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real) - 1);
	real[n < 0 ? 0 : n] = 0;
	if (n >= 0 && !strcmp(real, s->workspace))
		seen = (int)syscall(SYS_openat2, AT_FDCWD, s->workspace, &how, sizeof(how));
	/* Another mount namespace may have another directory by that name. */
	if (seen < 0 || fstat(seen, &here) < 0 || fstat(fd, &theirs) < 0 || here.st_dev != theirs.st_dev || here.st_ino != theirs.st_ino)
		return err_set(err, -EINVAL, "%s is not the path of the directory that was handed over as the workspace", s->workspace);
	return 0;
}

static int take(struct session *s, struct ipc_frame *f, struct err *err)
{
	struct rd b = rd_init(f->body, f->len);
	struct generation *g;
	int r = 0;

	switch (f->type) {
	case IPC_SET_POLICY:
		if (s->gen)
			return err_set(err, -EEXIST, "policy given twice");
		r = generation_open(f->fd, f->body, 1, "", &g, err);
		if (r == 0)
			update_start(s, g);
		return r;
	case IPC_SET_WORKSPACE:
		r = set_workspace(s, &b, f->fd, err);
		break;
	case IPC_SET_HOME:
		rd_strcpy(&b, s->home, sizeof(s->home));
		break;
	case IPC_SET_MOUNT:
		r = set_mount(s, &b, &f->fd, err);
		break;
	case IPC_SET_LEASE:
		r = set_lease(s, &b, &f->fd, err);
		break;
	case IPC_SET_NETNS:
		if (s->netns >= 0)
			return err_set(err, -EEXIST, "network namespace given twice");
		s->netns = move_fd(&f->fd);
		break;
	case IPC_SET_ENV:
		strv_free(s->env);
		s->env = strv_read(&b, 256);
		break;
	case IPC_SET_FILE:
		r = set_file(s, &b, err);
		break;
	default:
		return err_set(err, -EPROTO, "%s is not a set-up message", ipc_name(f->type));
	}
	if (r == 0 && !rd_done(&b))
		r = err_set(err, -EPROTO, "%s could not be read", ipc_name(f->type));
	return r;
}

static int read_frames(struct session *s, uint32_t *ret_id, struct err *err)
{
	for (;;) {
		int r = ipc_recv(s->w->setup, IPC_C, &frame);

		if (r == 0)
			return err_set(err, -ECONNRESET, "the client went away during set-up");
		if (r < 0)
			return err_set(err, r, "reading set-up messages: %s", strerror(-r));
		if (frame.type == IPC_START) {
			*ret_id = frame.id;
			return 0;
		}
		r = take(s, &frame, err);
		if (frame.fd >= 0)
			close(frame.fd);
		if (r < 0)
			return r;
	}
}

static int complete(struct session *s, struct err *err)
{
	if (!s->gen)
		return err_set(err, -EINVAL, "no policy was given");
	if (s->workspace[0] != '/' || strstr(s->workspace, "/../") || strstr(s->workspace, "//"))
		return err_set(err, -EINVAL, "no workspace was given, or its path is not clean");
	if (s->netns < 0 || s->leases[0] < 0)
		return err_set(err, -EINVAL, "no network namespace was given: is netd running?");
	if (s->leases[1] < 0 || s->n_mounts == 0)
		return err_set(err, -EINVAL, "no mount was given: is fsd running?");
	snprintf(s->gen->name, sizeof(s->gen->name), "%s", s->policy_name);
	return 0;
}

static void caller_groups(struct session *s)
{
	socklen_t n = sizeof(s->groups);

	s->n_groups = 0;
	if (getsockopt(s->w->setup, SOL_SOCKET, SO_PEERGROUPS, s->groups, &n) == 0)
		s->n_groups = (int)(n / sizeof(gid_t));
}

static int write_map(pid_t pid, const char *what)
{
	char path[64];
	auto_fd fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0 0 4294967295", 14) != 14 ? -errno : 0;
}

/* Reads one message of pid 1 within 10 s; "" is success. */
static int wait_words(int fd, struct err *err)
{
	char words[ERR_MSG_MAX] = "";
	struct timeval tv = { .tv_sec = 10 };
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	n = recv(fd, words, sizeof(words) - 1, 0);
	if (n == 1 && words[0] == '+')
		return 0;
	if (n <= 0)
		return err_set(err, -EIO, "the sandbox's first process died while it was built");
	words[n] = 0;
	return err_set(err, -EIO, "%s", words);
}

static int start_init(struct session *s, struct err *err)
{
	int ready[2], ctl[2];
	pid_t pid;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ready) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) < 0)
		return err_set(err, -errno, "socketpair: %s", strerror(errno));
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		close(ready[0]);
		close(ctl[0]);
		init_main(s, ctl[1], ready[1]);
	}
	close(ready[1]);
	close(ctl[1]);
	if (pid < 0)
		r = err_set(err, -errno, "new namespaces: %s (the daemons need CAP_SYS_ADMIN)", strerror(errno));
	else
		r = wait_words(ready[0], err);
	s->init = pid;
	s->init_sock = ctl[0];
	/* Now in a user namespace without a map: give it the identity map, so every owner reads as it is and no id means more than
	 * before. */
	if (r == 0 && (write_map(pid, "uid_map") < 0 || write_map(pid, "gid_map") < 0))
		r = err_set(err, -errno, "writing the user namespace's maps: %s", strerror(errno));
	if (r == 0 && send(ready[0], "+", 1, MSG_NOSIGNAL) != 1)
		r = err_set(err, -EIO, "the sandbox's first process is gone");
	if (r == 0)
		r = wait_words(ready[0], err);
	close(ready[0]);
	return r;
}

/* What the caller must know of a session that does start: in the answer's body. */
static int answer_started(struct session *s, uint32_t id)
{
	uint8_t body[512];
	struct wr w = wr_init(body, sizeof(body));

	if (s->cgroup < 0 && policy_has_labels(s->policy))
		wr_str(&w, "no cgroup v2 can be written here, so what a program descends from is not known: rules with processes "
			   "allow nothing, and refuse whoever asks");
	else if (s->cgroup < 0 && s->depths > 1)
		wr_str(&w, "no cgroup v2 can be written here, so every program below the submitted one counts as depth 1");
	return ipc_send_wr(s->w->setup, IPC_OK, 0, id, &w, -1);
}

int session_start(struct session *s, struct err *err)
{
	uint8_t body[128];
	struct wr w = wr_init(body, sizeof(body));
	uint32_t id = 0;
	struct timespec t;
	int r = board_create(&s->board, &s->board_fd);

	if (r < 0)
		return err_set(err, r, "making the board: %s", strerror(-r));
	wr_str(&w, s->w->id);
	r = ipc_send_wr(s->w->setup, IPC_HAND_BOARD, IPC_MORE, 1, &w, s->board_fd);
	close(s->board_fd);
	if (r < 0)
		return err_set(err, r, "answering: %s", strerror(-r));
	if (read_frames(s, &id, err) < 0 || complete(s, err) < 0)
		return err->status;
	caller_groups(s);
	if (plan_make(s, err) < 0)
		return err->status;
	r = filter_make(&s->bpf, &s->bpf_len);
	if (r < 0)
		return err_set(err, r, "making the seccomp filter: %s", strerror(-r));
	cgroup_session_make(s);
	label_policy(s);
	r = start_init(s, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_mounts; i++)
		close(s->mounts[i].fd);
	s->n_mounts = 0;
	close(s->netns);
	s->netns = -1;
	clock_gettime(CLOCK_REALTIME, &t);
	s->created_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	s->started = true;
	return answer_started(s, id);
}
