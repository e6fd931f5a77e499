/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon's parent: accepts, starts one worker per session, hands connections over, keeps epitaphs. It reads only first frames. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/daemon_int.h"
#include "common/log.h"

#define GREETERS_MAX 256      /* connections that have not said what they want yet */
#define GREET_MS 5000         /* and how long they may take */
#define ACCEPT_MAX 32         /* at one go, so that who has spoken is heard between */
#define EPITAPHS 256          /* ended sessions whose reason is remembered */
#define USER_SESSIONS_MAX (DAEMON_SESSIONS_MAX * 3 / 4)   /* of one user other than root */
#define ROOT_SESSIONS 16      /* places that only root may take */
#define STOP_MS 3000          /* workers that are not gone by then are killed */

struct session {
	char id[ID_MAX];
	char why[512];        /* set: it has ended */
	pid_t pid;            /* 0: free or ended */
	int sock;
	uid_t uid;
	bool made_dir;        /* its directory was not there before */
	struct loop_io *io;
};

struct greeter {
	int sock;
	uint64_t number;      /* in the order they came */
	struct loop_io *io;
	struct loop_timer *timer;
};

static struct {
	const struct daemon_ops *ops;
	struct loop *loop;
	int listen, stop_sock;
	char path[4200];
	struct session sessions[DAEMON_SESSIONS_MAX], ended[EPITAPHS];
	size_t next_epitaph;
	struct greeter greeters[GREETERS_MAX];
} d = { .listen = -1, .stop_sock = -1 };

static struct ipc_frame frame;

static struct session *session_find(const char *id)
{
	for (size_t i = 0; i < DAEMON_SESSIONS_MAX; i++)
		if (d.sessions[i].pid && !strcmp(d.sessions[i].id, id))
			return &d.sessions[i];
	return NULL;
}

static const char *epitaph_find(const char *id)
{
	for (size_t i = 0; i < EPITAPHS; i++)
		if (!strcmp(d.ended[i].id, id))
			return d.ended[i].why;
	return NULL;
}

static void on_worker(void *arg, int fd, uint32_t events UNUSED)
{
	struct session *s = arg;
	int r = ipc_recv(fd, IPC_W, &frame);

	if (r == -EAGAIN)
		return;
	if (r == 1 && frame.type == IPC_W_END) {
		struct rd b = rd_init(frame.body, frame.len);

		rd_strcpy(&b, s->why, sizeof(s->why));
	}
	if (r <= 0) {
		loop_del(s->io);
		s->io = NULL;
		if (r < 0)
			kill(s->pid, SIGKILL); /* it does not keep the protocol: it is not ours any more */
	}
}

static void session_ended(struct session *s, int status)
{
	struct session *e = &d.ended[d.next_epitaph++ % EPITAPHS];

	while (s->io && s->sock >= 0) {
		if (ipc_recv(s->sock, IPC_W, &frame) != 1)
			break;
		if (frame.type == IPC_W_END) {
			struct rd b = rd_init(frame.body, frame.len);

			rd_strcpy(&b, s->why, sizeof(s->why));
		}
	}
	if (!s->why[0] && WIFSIGNALED(status))
		snprintf(s->why, sizeof(s->why), "its %s worker was killed by signal %d", d.ops->name, WTERMSIG(status));
	else if (!s->why[0])
		snprintf(s->why, sizeof(s->why), "its %s worker ended with status %d", d.ops->name, WEXITSTATUS(status));
	if (WIFSIGNALED(status) && d.ops->buried)
		d.ops->buried(s->id);
	if (s->made_dir && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_NOT_STARTED)
		session_dir_drop(s->id, s->uid, d.ops->name);
	loop_del(s->io);
	close(s->sock);
	*e = *s;
	*s = (struct session){ .sock = -1 };
}

static void maybe_stopped(void)
{
	if (d.stop_sock < 0)
		return;
	for (size_t i = 0; i < DAEMON_SESSIONS_MAX; i++)
		if (d.sessions[i].pid)
			return;
	loop_stop(d.loop, 0);
}

static void stop_hard(void *arg UNUSED)
{
	for (size_t i = 0; i < DAEMON_SESSIONS_MAX; i++)
		if (d.sessions[i].pid)
			kill(d.sessions[i].pid, SIGKILL);
}

/* sock: who asked (answered when all is gone), or a duplicate of nothing: any non-negative descriptor. */
static void stop_begin(int sock)
{
	if (d.stop_sock >= 0) {
		close(sock);
		return;
	}
	d.stop_sock = sock;
	for (size_t i = 0; i < DAEMON_SESSIONS_MAX; i++)
		if (d.sessions[i].pid)
			shutdown(d.sessions[i].sock, SHUT_RDWR);
	loop_after(d.loop, STOP_MS, stop_hard, NULL, NULL);
	maybe_stopped();
}

static void on_signal(void *arg UNUSED, int signo)
{
	int status;
	pid_t pid;

	if (signo != SIGCHLD) {
		stop_begin(open("/dev/null", O_RDONLY | O_CLOEXEC));
		return;
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < DAEMON_SESSIONS_MAX; i++)
			if (d.sessions[i].pid == pid)
				session_ended(&d.sessions[i], status);
	maybe_stopped();
}

static void __attribute__((noreturn)) worker_exec(int parent, int setup, int dir, char *id)
{
	char self[] = "/proc/self/exe", flag[] = "--worker";
	char *argv[] = { self, flag, id, NULL };
	int want[3] = { parent, setup, dir };
	sigset_t none;

	for (int i = 0; i < 3; i++)
		want[i] = fcntl(want[i], F_DUPFD, 16);
	for (int i = 0; i < 3; i++)
		if (want[i] < 0 || dup2(want[i], WORKER_FD_PARENT + i) < 0)
			_exit(126);
	close_range(WORKER_FD_DIR + 1, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(self, argv);
	_exit(126);
}

static int session_spawn(struct session *s, const char *id, int setup, const struct ipc_cred *who)
{
	auto_fd dir = -1;
	bool made = false;
	int pair[2], r = session_dir(id, who, &dir, &made);
	pid_t pid;

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		worker_exec(pair[1], setup, dir, (char *)(uintptr_t)id);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -EAGAIN;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	*s = (struct session){ .pid = pid, .sock = pair[0], .uid = who->uid, .made_dir = made };
	snprintf(s->id, sizeof(s->id), "%s", id);
	return loop_add(d.loop, s->sock, EPOLLIN, on_worker, s, &s->io);
}

/* A free place for this user, or NULL: one user does not keep the others out, and all of them not root. */
static struct session *session_place(uid_t uid)
{
	struct session *s = NULL;
	size_t free_ones = 0, own = 0;

	for (size_t i = 0; i < DAEMON_SESSIONS_MAX; i++) {
		if (d.sessions[i].pid) {
			own += d.sessions[i].uid == uid;
			continue;
		}
		free_ones++;
		s = &d.sessions[i];
	}
	return uid != 0 && (own >= USER_SESSIONS_MAX || free_ones <= ROOT_SESSIONS) ? NULL : s;
}

static void do_open(int sock, const struct ipc_cred *who, const char *asked)
{
	char id[ID_MAX];
	struct session *s = session_place(who->uid);
	int r;

	if (!asked[0])
		id_new("session-", id);
	else
		snprintf(id, sizeof(id), "%s", asked);
	if (!id_valid(id) || session_find(id))
		ipc_send_err(sock, 1, -EEXIST, "session id is taken or not valid");
	else if (!s)
		ipc_send_err(sock, 1, -EUSERS, "%d sessions are open already, or %d of yours: destroy one first", DAEMON_SESSIONS_MAX,
			     USER_SESSIONS_MAX);
	else if ((r = session_spawn(s, id, sock, who)) < 0)
		ipc_send_err(sock, 1, r, "starting the session's %s worker: %s", d.ops->name, strerror(-r));
}

static void do_attach(int sock, const struct ipc_cred *who, const char *id)
{
	struct session *s = session_find(id);
	const char *why = s ? NULL : epitaph_find(id);
	uint8_t body[12];
	struct wr w = wr_init(body, sizeof(body));

	if (s && who->uid != 0 && who->uid != s->uid) {
		ipc_send_err(sock, 1, -EPERM, "session \"%s\" belongs to another user", id);
		return;
	}
	if (why)
		ipc_send_err(sock, 1, -EOWNERDEAD, "session \"%s\" has ended: %s", id, why);
	if (!s) {
		if (!why)
			ipc_send_err(sock, 1, -ENOENT, "unknown session \"%s\": list them with: agentsh session list", id);
		return;
	}
	wr_u32(&w, who->uid);
	wr_u32(&w, who->gid);
	wr_u32(&w, (uint32_t)who->pid);
	if (ipc_send_wr(s->sock, IPC_W_ATTACH, 0, 0, &w, sock) < 0)
		ipc_send_err(sock, 1, -EAGAIN, "session \"%s\" does not take connections now: try again", id);
}

static void do_list(int sock, const struct ipc_cred *who)
{
	static uint8_t body[IPC_BODY_MAX];
	struct wr w = wr_init(body, sizeof(body));
	uint32_t n = 0;

	for (int pass = 0; pass < 2; pass++) {
		if (pass)
			wr_u32(&w, n);
		for (size_t i = 0; i < DAEMON_SESSIONS_MAX; i++) {
			if (!d.sessions[i].pid || (who->uid != 0 && who->uid != d.sessions[i].uid))
				continue;
			n++;
			if (pass)
				wr_str(&w, d.sessions[i].id);
		}
	}
	ipc_send_wr(sock, IPC_OK, 0, 1, &w, -1);
}

/* The first frame decides; after it the parent has nothing more to do with the connection. */
static void greet(int sock, struct ipc_frame *f)
{
	struct rd b = rd_init(f->body, f->len);
	struct ipc_cred who;
	char id[ID_MAX] = "";
	uint8_t body[128];
	struct wr w = wr_init(body, sizeof(body));

	if (ipc_peer(sock, &who) < 0)
		return;
	if (f->type == IPC_OPEN || f->type == IPC_ATTACH) {
		rd_strcpy(&b, id, sizeof(id));
		if (!rd_done(&b))
			return;
	}
	switch (f->type) {
	case IPC_PING:
		wr_str(&w, "agentsh 0.1.0");
		wr_u32(&w, (uint32_t)getpid());
		ipc_send_wr(sock, IPC_OK, 0, 1, &w, -1);
		break;
	case IPC_LIST:
		do_list(sock, &who);
		break;
	case IPC_STOP:
		if (who.uid == 0 || who.uid == geteuid())
			stop_begin(fcntl(sock, F_DUPFD_CLOEXEC, 3));
		else
			ipc_send_err(sock, 1, -EPERM, "only root may stop the daemons");
		break;
	case IPC_OPEN:
		do_open(sock, &who, id);
		break;
	case IPC_ATTACH:
		do_attach(sock, &who, id);
		break;
	default:
		ipc_send_err(sock, 1, -EPROTO, "%s is not a first message", ipc_name(f->type));
	}
}

static void greeter_drop(struct greeter *g)
{
	loop_del(g->io);
	loop_cancel(g->timer);
	close(g->sock);
	*g = (struct greeter){ .sock = -1 };
}

static void on_greeter(void *arg, int fd, uint32_t events UNUSED)
{
	struct greeter *g = arg;
	int r = ipc_recv(fd, IPC_C, &frame);

	if (r == -EAGAIN)
		return;
	if (r == 1) {
		/* Handed on blocking: a worker sets up with plain calls. */
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		greet(fd, &frame);
		if (frame.fd >= 0)
			close(frame.fd);
	}
	greeter_drop(g);
}

static void on_greeter_late(void *arg)
{
	struct greeter *g = arg;

	g->timer = NULL;
	greeter_drop(g);
}

/* A free place; with none, the one that has said nothing for longest loses its own: silence must not keep others out. */
static struct greeter *greeter_place(void)
{
	struct greeter *oldest = &d.greeters[0];

	for (size_t i = 0; i < GREETERS_MAX; i++) {
		if (d.greeters[i].sock < 0)
			return &d.greeters[i];
		if (d.greeters[i].number < oldest->number)
			oldest = &d.greeters[i];
	}
	greeter_drop(oldest);
	return oldest;
}

static void on_listen(void *arg UNUSED, int fd, uint32_t events UNUSED)
{
	static uint64_t number;

	for (int n = 0, s; n < ACCEPT_MAX && (s = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0; n++) {
		struct greeter *g = greeter_place();

		*g = (struct greeter){ .sock = s, .number = number++ };
		if (loop_add(d.loop, s, EPOLLIN, on_greeter, g, &g->io) < 0 ||
		    loop_after(d.loop, GREET_MS, on_greeter_late, g, &g->timer) < 0)
			greeter_drop(g);
	}
}

static int make_dirs(struct err *err)
{
	char path[4300];

	if (str_format(path, sizeof(path), "%s/sessions", dirs_data()) < 0)
		return err_set(err, -ENAMETOOLONG, "data directory's path is too long");
	if (mkdir(dirs_run(), 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "making %s: %s (set AGENTSH_RUN_DIR to a directory that can be made)", dirs_run(),
			       strerror(errno));
	if (mkdir(dirs_data(), 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "making %s: %s (set AGENTSH_DATA_DIR to a directory that can be made)", dirs_data(),
			       strerror(errno));
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "making %s: %s", path, strerror(errno));
	return 0;
}

static int parent_main(const struct daemon_ops *ops)
{
	static const int signos[] = { SIGCHLD, SIGTERM, SIGINT };
	struct group *g = getgrnam("agentsh");
	struct err err = { 0 };
	int code;

	d.ops = ops;
	for (size_t i = 0; i < GREETERS_MAX; i++)
		d.greeters[i].sock = -1;
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	umask(022);
	if (geteuid() != 0) {
		log_error("the daemons need root: start them with sudo, or use a container's root");
		return 1;
	}
	if (make_dirs(&err) < 0 || dirs_socket(ops->name, d.path, sizeof(d.path)) < 0 ||
	    ipc_listen(d.path, g ? (int)g->gr_gid : -1, &d.listen, &err) < 0) {
		log_error("%s", err.msg);
		return 1;
	}
	if (loop_new(&d.loop) < 0 || loop_signals(d.loop, signos, 3, on_signal, NULL) < 0 ||
	    loop_add(d.loop, d.listen, EPOLLIN, on_listen, NULL, NULL) < 0)
		return 1;
	if (ops->prepare)
		ops->prepare();
	code = loop_run(d.loop);
	unlink(d.path);
	if (d.stop_sock >= 0)
		ipc_send(d.stop_sock, IPC_OK, 0, 1, NULL, 0, -1);
	return code;
}

int daemon_main(const struct daemon_ops *ops, int argc, char **argv)
{
	static char name[32];

	snprintf(name, sizeof(name), "agentsh-%s", ops->name);
	log_open(name);
	if (argc == 3 && !strcmp(argv[1], "--worker"))
		return worker_main(ops, argv[2]);
	if (argc > 1) {
		fprintf(stderr, "usage: %s\nListens on %s/%s.sock; started by: agentsh server\n", name, dirs_run(), ops->name);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	return parent_main(ops);
}
