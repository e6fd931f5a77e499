/* SPDX-License-Identifier: Apache-2.0 */
/* Submitted commands: request, pre-check, approval, launch, timeout, end, answer. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/log.h"
#include "common/str.h"
#include "execd/execd.h"

#define PENDING_MAX WORKER_CLIENTS_MAX
#define AWAIT_MS 50
#define KILL_ROUNDS 50

enum { DONE_TIMEOUT = 1, DONE_DENIED = 2, DONE_NOT_STARTED = 4 };

/* What a connection sent ahead of its EXEC. */
static struct pending {
	int sock, fds[3];
	char **args;
	size_t n_args, bytes;
} pending[PENDING_MAX];

static struct pending *pending_of(int sock, bool make)
{
	struct pending *free_one = NULL;

	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (pending[i].sock == sock)
			return &pending[i];
		if (!pending[i].sock && !free_one)
			free_one = &pending[i];
	}
	if (!make || !free_one)
		return NULL;
	*free_one = (struct pending){ .sock = sock, .fds = { -1, -1, -1 } };
	return free_one;
}

static void pending_drop(struct pending *p)
{
	for (int i = 0; i < 3; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	for (size_t i = 0; i < p->n_args; i++)
		free(p->args[i]);
	free(p->args);
	*p = (struct pending){ 0 };
}

int cmd_take_fd(struct session *s UNUSED, int sock, struct ipc_frame *f)
{
	struct pending *p = pending_of(sock, true);
	struct rd b = rd_init(f->body, f->len);
	uint32_t which = rd_u32(&b);
	struct stat st;

	/* A directory of the host would be a way out of the session's tree. */
	if (fstat(f->fd, &st) < 0 || S_ISDIR(st.st_mode))
		return ipc_send_err(sock, f->id, -EISDIR, "a directory cannot be a command's stdin, stdout or stderr");
	if (!p || which > 2 || p->fds[which] >= 0)
		return ipc_send_err(sock, f->id, -EINVAL, "a command has one stdin, stdout and stderr");
	p->fds[which] = f->fd;
	f->fd = -1;
	return 0;
}

LEAKS_UNSEEN_BEGIN /* the strings belong to p->args from here on */
/* Appends v's strings to the pending ones; v is emptied. */
static int args_append(struct pending *p, char **v)
{
	size_t n = 0;
	char **more;

	for (; v[n]; n++)
		p->bytes += strlen(v[n]) + 1;
	if (p->bytes > ARGV_BYTES_MAX || p->n_args + n > ARGV_MAX)
		return -E2BIG;
	more = realloc(p->args, (p->n_args + n + 1) * sizeof(char *));
	if (!more)
		return -ENOMEM;
	p->args = more;
	memcpy(p->args + p->n_args, v, (n + 1) * sizeof(char *));
	p->n_args += n;
	v[0] = NULL;
	return 0;
}
LEAKS_UNSEEN_END

int cmd_take_args(struct session *s UNUSED, int sock, struct ipc_frame *f)
{
	struct pending *p = pending_of(sock, true);
	struct rd b = rd_init(f->body, f->len);
	char **v = strv_read(&b, ARGV_MAX);
	int r = p && v && rd_done(&b) ? args_append(p, v) : -EINVAL;

	strv_free(v);
	return r < 0 ? ipc_send_err(sock, f->id, r, "arguments: %s", strerror(-r)) : 0;
}

static void event(struct cmd *c, const char *type, const char *effective)
{
	struct evtlog *l = c->s->w->events;
	size_t n = 0;

	while (c->argv && c->argv[n])
		n++;
	evt_begin(l, type, c->id, 0);
	evt_str(l, "operation", "command_precheck");
	evt_strv(l, "argv", (const char *const *)c->argv, n);
	evt_policy(l, pol_decision_name(c->verdict.decision), effective, c->verdict.rule, c->message);
	evt_end(l);
}

static void finish(struct cmd *c, int code, uint32_t sig, uint32_t flags, const uint64_t usage[3], const char *words)
{
	static uint8_t body[8192];
	struct wr w = wr_init(body, sizeof(body));
	const char *effective = flags & DONE_DENIED ? "deny" : "allow";
	struct evtlog *l = c->s->w->events;

	evt_begin(l, "command_finished", c->id, 0);
	evt_int(l, "exit_code", code);
	evt_int(l, "signal", sig);
	evt_int(l, "duration_ms", (int64_t)(clock_ms() - c->started_ms));
	if (flags & DONE_TIMEOUT)
		evt_str(l, "reason", "timeout");
	evt_end(l);
	loop_cancel(c->timer);
	c->timer = NULL;
	if (c->client < 0)
		return;
	wr_u32(&w, (uint32_t)code);
	wr_u32(&w, sig);
	wr_u32(&w, flags);
	wr_str(&w, pol_decision_name(c->verdict.decision));
	wr_str(&w, effective);
	wr_str(&w, c->verdict.rule ? c->verdict.rule : "");
	wr_str(&w, flags & DONE_DENIED ? c->message : "");
	for (int i = 0; i < 3; i++)
		wr_u64(&w, usage ? usage[i] : 0);
	wr_u64(&w, clock_ms() - c->started_ms);
	wr_str(&w, words ? words : "");
	ipc_send_wr(c->client, IPC_EXEC_DONE, 0, c->frame_id, &w, -1);
	c->client = -1;
}

static void cmd_free(struct cmd *c)
{
	struct session *s = c->s;

	for (int i = 0; i < 3; i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	loop_del(c->gate_io);
	if (c->gate >= 0)
		close(c->gate);
	notif_close(c);
	loop_cancel(c->timer);
	cgroup_cmd_end(s, c);
	board_remove(s->board, c->slot);
	strv_free(c->argv);
	strv_free(c->env);
	memset(c, 0, sizeof(*c));
}

void cmd_maybe_free(struct cmd *c)
{
	if (c->state == CMD_EXITED && c->listener < 0 && c->gate < 0)
		cmd_free(c);
}

/* The newest pid of our pid namespace: /proc/loadavg's fifth word. 0 when it cannot be read. */
static pid_t last_pid(void)
{
	FILE *f = fopen("/proc/loadavg", "re");
	char line[128] = "";
	const char *word;
	uint64_t v = 0;

	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	word = strrchr(line, ' ');
	return word && str_lead_u64(word + 1, INT32_MAX, &v) == 0 ? (pid_t)v : 0;
}

/* Without cgroup v2: every process that the board or its parents give to this command, until a round finds none. */
static void kill_by_label(struct cmd *c)
{
	for (int round = 0; round < KILL_ROUNDS; round++) {
		int found = 0;
		pid_t last = last_pid();

		for (pid_t pid = c->s->init + 1; pid <= last; pid++) {
			char id[ID_MAX] = "";

			if (kill(pid, 0) < 0)
				continue;
			board_by_pid(c->s->board, pid, id);
			if (!strcmp(id, c->id) && kill(pid, SIGKILL) == 0)
				found++;
		}
		if (!found)
			return;
		usleep(2000);
	}
}

void cmd_kill(struct cmd *c)
{
	auto_fd k = -1;

	if (c->state == CMD_APPROVAL) {
		approve_withdraw(c->s->approve, c->approval);
		finish(c, 137, SIGKILL, DONE_NOT_STARTED, NULL, "killed before it was approved");
		cmd_free(c);
		return;
	}
	/* A process that has not joined the cgroup yet is not met here: launch.c never lets it go on. */
	c->kill_sent = true;
	if (c->cgroup >= 0)
		k = openat(c->cgroup, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	if ((k < 0 || write(k, "1", 1) != 1) && c->state != CMD_LAUNCHED)
		kill_by_label(c);
}

static void on_timeout(void *arg)
{
	struct cmd *c = arg;

	c->timer = NULL;
	c->timed_out = true;
	cmd_kill(c);
}

void cmd_exit(struct session *s, uint32_t num, int status, uint64_t utime_us, uint64_t stime_us, uint64_t maxrss_kb)
{
	const uint64_t usage[3] = { utime_us, stime_us, maxrss_kb };
	struct cmd *c = NULL;
	uint32_t flags = 0;
	int code;

	for (size_t i = 0; i < BOARD_CMDS && !c; i++)
		if (s->cmds[i].state >= CMD_LAUNCHED && s->cmds[i].num == num)
			c = &s->cmds[i];
	if (!c)
		return;
	code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (c->timed_out) {
		code = 124;
		flags |= DONE_TIMEOUT;
	}
	if (!c->first_done && !c->timed_out && !c->kill_sent) {
		flags |= DONE_NOT_STARTED;
		if (c->verdict.decision == POL_DENY || (c->verdict.decision == POL_APPROVE && !c->approved)) {
			flags |= DONE_DENIED;
			code = 126;
		}
	}
	/* Who is told that a command was ended must find nothing of it: the rest of its tree was killed at the same time. */
	if (c->timed_out || c->kill_sent)
		cgroup_cmd_await(c, AWAIT_MS);
	finish(c, code, WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0, flags, usage, flags & DONE_NOT_STARTED ? c->message : "");
	c->state = CMD_EXITED;
	if (c->gate >= 0) {
		loop_del(c->gate_io);
		c->gate_io = NULL;
		close(c->gate);
		c->gate = -1;
	}
	cmd_maybe_free(c);
}

static void launch(struct cmd *c)
{
	int r = launch_send(c->s, c);

	if (r < 0) {
		char words[256];

		snprintf(words, sizeof(words), "starting the command: %s", strerror(-r));
		finish(c, 126, 0, DONE_NOT_STARTED, NULL, words);
		cmd_free(c);
		return;
	}
	if (c->timeout_ms)
		loop_after(c->s->w->loop, c->timeout_ms, on_timeout, c, &c->timer);
}

static void on_approved(void *arg, bool allow, const char *why)
{
	struct cmd *c = arg;

	if (allow) {
		c->approved = true;
		launch(c);
		return;
	}
	if (!c->message[0])
		snprintf(c->message, sizeof(c->message), "approval: %.900s", why);
	else
		snprintf(c->message + strlen(c->message), sizeof(c->message) - strlen(c->message), " (approval: %.200s)", why);
	finish(c, 126, 0, DONE_DENIED | DONE_NOT_STARTED, NULL, c->message);
	cmd_free(c);
}

static char **redirected(const struct pol_verdict *v, const char *const *argv)
{
	size_t n = 0, at = 0;
	char **out;

	while (argv[n])
		n++;
	out = calloc(2 + n * (v->n_redirect_args + 1) + v->n_redirect_args + v->n_redirect_append, sizeof(char *));
	if (!out)
		return NULL;
	out[at++] = strdup(v->redirect_to);
	for (size_t i = 0; i < v->n_redirect_args; i++) {
		if (strcmp(v->redirect_args[i], "{{.Args}}") != 0)
			out[at++] = strdup(v->redirect_args[i]);
		else
			for (size_t k = 1; k < n; k++)
				out[at++] = strdup(argv[k]);
	}
	for (size_t i = 0; i < v->n_redirect_append; i++)
		out[at++] = strdup(v->redirect_append[i]);
	for (size_t i = 0; i < at; i++)
		if (!out[i]) {
			strv_free(out);
			return NULL;
		}
	return out;
}

void cmd_keep_verdict(struct cmd *c, const struct pol_verdict *v)
{
	snprintf(c->rule, sizeof(c->rule), "%s", v->rule ? v->rule : "");
	c->verdict = (struct pol_verdict){ .decision = v->decision, .rule = v->rule ? c->rule : NULL, .rule_no = v->rule_no };
}

/* Decides before anything is started; what is started is judged again at its exec. */
static void precheck(struct cmd *c)
{
	struct exec_facts f = { .argv = c->argv };
	struct pol_verdict v;

	snprintf(f.given, sizeof(f.given), "%.4000s", c->argv[0]);
	while (c->argv[f.argc])
		f.argc++;
	name_submitted(c, &f);
	c->judged = c->s->gen->number;
	v = judge_exec(c, c->s->gen, &f, true);
	cmd_keep_verdict(c, &v);
	judge_message(&f, &v, c->message, sizeof(c->message));
	event(c, "command_policy", v.decision == POL_DENY ? "deny" : v.decision == POL_APPROVE ? "approve" : "allow");
	if (v.decision == POL_DENY) {
		finish(c, 126, 0, DONE_DENIED | DONE_NOT_STARTED, NULL, c->message);
		cmd_free(c);
		return;
	}
	if (v.decision == POL_REDIRECT) {
		char **argv = v.redirect_to ? redirected(&v, v.argv) : NULL;

		if (!argv) {
			finish(c, 126, 0, DONE_DENIED | DONE_NOT_STARTED, NULL, "the rule's redirect_to cannot be used");
			cmd_free(c);
			return;
		}
		strv_free(c->argv);
		c->argv = argv;
		c->redirected = true;
		event(c, "command_redirected", "allow");
	}
	if (v.decision == POL_APPROVE) {
		auto_free char *target = judge_target(&f);

		if (!target) {
			finish(c, 126, 0, DONE_DENIED | DONE_NOT_STARTED, NULL, strerror(ENOMEM));
			cmd_free(c);
			return;
		}
		c->state = CMD_APPROVAL;
		approve_ask(c->s->approve, "exec", target, v.rule, c->message, c->id, v.timeout_ms, on_approved, c, &c->approval);
		return;
	}
	launch(c);
}

static int parse(struct cmd *c, struct ipc_frame *f, struct pending *p, uint32_t *ret_flags)
{
	struct rd b = rd_init(f->body, f->len);
	char **v;
	int r;

	rd_strcpy(&b, c->id, sizeof(c->id));
	rd_strcpy(&b, c->cwd, sizeof(c->cwd));
	c->timeout_ms = rd_u64(&b);
	*ret_flags = rd_u32(&b);
	v = strv_read(&b, ARGV_MAX);
	c->env = v ? strv_read(&b, ARGV_MAX) : NULL;
	r = c->env && rd_done(&b) ? args_append(p, v) : -EINVAL;
	strv_free(v);
	if (r == 0 && (p->n_args == 0 || !p->args[0][0] || !id_valid(c->id)))
		r = -EINVAL;
	if (r < 0)
		return r;
	c->argv = p->args;
	p->args = NULL;
	p->n_args = 0;
	for (int i = 0; i < 3; i++) {
		c->fds[i] = p->fds[i] >= 0 ? p->fds[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
		p->fds[i] = -1;
	}
	return 0;
}

int cmd_exec(struct session *s, int sock, struct ipc_frame *f)
{
	struct pending *p = pending_of(sock, true);
	struct cmd *c = NULL;
	uint32_t flags = 0;
	int r;

	for (size_t i = 0; i < BOARD_CMDS && !c; i++)
		if (s->cmds[i].state == CMD_FREE)
			c = &s->cmds[i];
	if (!c || !p)
		return ipc_send_err(sock, f->id, -EBUSY, "%d commands run in this session already", BOARD_CMDS);
	*c = (struct cmd){ .s = s,
			   .client = sock,
			   .frame_id = f->id,
			   .fds = { -1, -1, -1 },
			   .gate = -1,
			   .listener = -1,
			   .slot = -1,
			   .cgroup = -1,
			   .num = ++s->next_num,
			   .started_ms = clock_ms() };
	r = parse(c, f, p, &flags);
	pending_drop(p);
	if (r < 0) {
		cmd_free(c);
		return ipc_send_err(sock, f->id, r, "the command could not be read: %s", strerror(-r));
	}
	if (flags & 1)
		approve_add_approver(s->approve, sock);
	precheck(c);
	return 0;
}

void cmd_client_gone(struct session *s, int sock)
{
	struct pending *p = pending_of(sock, false);

	if (p)
		pending_drop(p);
	for (size_t i = 0; i < BOARD_CMDS; i++)
		if (s->cmds[i].state != CMD_FREE && s->cmds[i].client == sock) {
			s->cmds[i].client = -1;
			cmd_kill(&s->cmds[i]);
		}
}
