/* SPDX-License-Identifier: Apache-2.0 */
/* agentsh-execd: main, and the session worker's requests, leases and end. */
#include <errno.h>
#include <linux/capability.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "execd/init.h"

#define END_GRACE_MS 200      /* for pid 1 to go before the file worker is let go (an unanswered FUSE request is unkillable) */
#define END_WAIT_MS 3000

static struct session session = { .board_fd = -1, .netns = -1, .leases = { -1, -1 }, .init_sock = -1, .cgroup = -1,
				  .update = UPDATE_INIT };

static struct ipc_frame frame;
static int bound = -1; /* a connection whose end is the session's */

static void end_session(struct worker *w);

static void on_init(void *arg, int fd, uint32_t events UNUSED)
{
	struct session *s = arg;
	uint8_t body[INIT_REPORT];
	ssize_t n = recv(fd, body, sizeof(body), MSG_DONTWAIT);
	struct rd r = rd_init(body, n > 0 ? (size_t)n : 0);
	uint32_t num, status;
	uint64_t u, k, m;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		worker_end(s->w, "the sandbox's first process ended");
	num = rd_u32(&r);
	status = rd_u32(&r);
	u = rd_u64(&r);
	k = rd_u64(&r);
	m = rd_u64(&r);
	if (!rd_done(&r))
		return;
	guard_reap(s); /* an exec stop may lie before the exit in time */
	cmd_exit(s, num, (int)status, u, k, m);
}

static void on_lease(void *arg, int fd, uint32_t events UNUSED)
{
	struct session *s = arg;
	int i = fd == s->leases[0] ? 0 : 1;
	const char *who = s->lease_names[i];
	struct evtlog *l = s->w->events;
	int r = ipc_recv(fd, IPC_W, &frame);

	if (r == -EAGAIN || (r == 1 && update_answer(s, i, &frame)))
		return;
	evt_begin(l, "session_failed", NULL, 0);
	evt_str(l, "reason", who);
	evt_end(l);
	worker_end(s->w, "its %s worker died: every process of the session was killed", who);
}

static void on_signal(void *arg, int signo)
{
	if (signo == SIGCHLD)
		guard_reap(arg);
}

static int watch(struct session *s, struct err *err)
{
	static const int signos[] = { SIGCHLD };
	int r = loop_signals(s->w->loop, signos, 1, on_signal, s);

	if (r == 0)
		r = loop_add(s->w->loop, s->init_sock, EPOLLIN, on_init, s, NULL);
	for (int i = 0; i < 2; i++)
		if (fcntl(s->leases[i], F_SETFL, O_NONBLOCK) < 0)
			r = -errno;
	for (int i = 0; i < 2 && r == 0; i++)
		r = loop_add(s->w->loop, s->leases[i], EPOLLIN | EPOLLRDHUP, on_lease, s, NULL);
	if (r == 0)
		r = approve_new(s->w, &s->approve);
	return r < 0 ? err_set(err, r, "watching the session: %s", strerror(-r)) : 0;
}

static int start(struct worker *w, struct err *err)
{
	struct session *s = &session;

	s->w = w;
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	if (session_start(s, err) < 0)
		return err->status;
	if (watch(s, err) < 0 ||
	    priv_drop((uid_t)-1, (gid_t)-1, 1ULL << CAP_SYS_PTRACE | 1ULL << CAP_KILL | 1ULL << CAP_DAC_OVERRIDE, err) < 0 ||
	    sandbox_enter(SANDBOX_EXECD_WORKER, err) < 0)
		return err->status;
	evt_begin(w->events, "session_created", NULL, 0);
	evt_str(w->events, "workspace", s->workspace);
	evt_str(w->events, "policy_name", s->gen->name);
	evt_str(w->events, "policy_hash", s->gen->hash);
	evt_int(w->events, "generation", (int64_t)s->gen->number);
	evt_int(w->events, "uid", w->owner.uid);
	evt_end(w->events);
	return 0;
}

static int answer_info(struct session *s, int sock, uint32_t id)
{
	static uint8_t body[16384];
	struct wr w = wr_init(body, sizeof(body));
	uint32_t running = 0;

	for (size_t i = 0; i < BOARD_CMDS; i++)
		running += s->cmds[i].state != CMD_FREE && s->cmds[i].state != CMD_EXITED;
	wr_str(&w, s->w->id);
	wr_str(&w, s->gen->name);
	wr_str(&w, s->workspace);
	wr_u64(&w, s->created_ms);
	wr_u32(&w, s->w->owner.uid);
	wr_u32(&w, running);
	wr_str(&w, s->gen->hash);
	wr_u64(&w, s->gen->number);
	return ipc_send_wr(sock, IPC_OK, 0, id, &w, -1);
}

static int kill_commands(struct session *s, int sock, struct ipc_frame *f)
{
	struct rd b = rd_init(f->body, f->len);
	char id[ID_MAX];
	int found = 0;

	rd_strcpy(&b, id, sizeof(id));
	for (size_t i = 0; rd_done(&b) && i < BOARD_CMDS; i++)
		if (s->cmds[i].state != CMD_FREE && (!id[0] || !strcmp(id, s->cmds[i].id))) {
			found++;
			cmd_kill(&s->cmds[i]);
		}
	if (!found && id[0])
		return ipc_send_err(sock, f->id, -ENOENT, "no command \"%s\" runs in this session", id);
	return ipc_send(sock, IPC_OK, 0, f->id, NULL, 0, -1);
}

static int request(struct worker *w, int sock, const struct ipc_cred *who UNUSED, struct ipc_frame *f)
{
	struct session *s = &session;
	uint32_t id = f->id;
	int r = update_request(s, sock, f);

	if (r != -ENOSYS)
		return r;
	switch (f->type) {
	case IPC_EXEC_FD:
		return cmd_take_fd(s, sock, f);
	case IPC_EXEC_ARGS:
		return cmd_take_args(s, sock, f);
	case IPC_EXEC:
		return cmd_exec(s, sock, f);
	case IPC_KILL:
		return kill_commands(s, sock, f);
	case IPC_INFO:
		return answer_info(s, sock, id);
	case IPC_BIND:
		bound = sock;
		return ipc_send(sock, IPC_OK, 0, id, NULL, 0, -1);
	case IPC_DESTROY:
		end_session(w);
		ipc_send(sock, IPC_OK, 0, id, NULL, 0, -1);
		worker_end(w, "it was destroyed by command");
		return 0;
	default:
		return approve_request(s->approve, sock, f);
	}
}

static void gone(struct worker *w, int sock)
{
	if (sock == bound)
		worker_end(w, "the agentsh run that it was for is gone");
	if (session.approve)
		approve_gone(session.approve, sock);
	update_client_gone(&session, sock);
	cmd_client_gone(&session, sock);
}

/* Waits until fd's peer is gone, at most ms. */
static void await_hup(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };

	if (fd >= 0 && poll(&p, 1, ms) <= 0)
		log_warn("a worker of another daemon did not end within %d ms", ms);
}

static bool init_gone(struct session *s, uint64_t until)
{
	pid_t pid;

	/* Traced ones are reaped here, too: the namespace's first process does not end before them. */
	while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) >= 0 && pid != s->init) {
		if (pid > 0)
			continue;
		if (kill(s->init, 0) < 0 && errno == ESRCH)
			return true; /* reaped before, and other children live */
		if (clock_ms() > until)
			return false;
		usleep(500);
	}
	return true;
}

static void end_session(struct worker *w)
{
	struct session *s = &session;

	if (s->init > 0) {
		kill(s->init, SIGKILL);
		if (!init_gone(s, clock_ms() + END_GRACE_MS)) {
			for (int i = 0; i < 2; i++)
				if (s->leases[i] >= 0)
					shutdown(s->leases[i], SHUT_WR);
			if (!init_gone(s, clock_ms() + END_WAIT_MS))
				log_error("session %s: its first process did not end", w->id);
		}
		s->init = 0;
		evt_begin(w->events, "session_destroyed", NULL, 0);
		evt_end(w->events);
	}
	for (int i = 0; i < 2; i++) {
		if (s->leases[i] < 0)
			continue;
		shutdown(s->leases[i], SHUT_WR);
		await_hup(s->leases[i], END_WAIT_MS);
		close(s->leases[i]);
		s->leases[i] = -1;
	}
	cgroup_session_end(s);
	unlinkat(w->session_dir, "root", AT_REMOVEDIR);
}

int main(int argc, char **argv)
{
	static const struct daemon_ops ops = { .name = "execd", .start = start, .request = request, .gone = gone, .end = end_session,
					       .buried = cgroup_bury };

	return daemon_main(&ops, argc, argv);
}
