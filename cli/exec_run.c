/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one command in a session and answers as the contract says: stdio passed through, or captured into one JSON document. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/cmd.h"
#include "cli/exec_json.h"

#define DRAIN_MS 200      /* after the end: a background process may hold the pipes for ever */
#define HINTS_MAX 5

extern char **environ;
static struct ipc_frame frame;
static volatile sig_atomic_t interrupted;

static void on_int(int signo UNUSED)
{
	interrupted = 1;
}

/* What a command needs of the caller's environment; secrets are nowhere in it. */
static bool env_passes(const char *e)
{
	static const char *const names[] = { "PATH", "HOME", "LANG", "LANGUAGE", "TERM", "USER", "LOGNAME", "SHELL", "TZ", "COLORTERM",
		"NO_COLOR", "CI", "EDITOR", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
		"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "MAKEFLAGS", "DEBIAN_FRONTEND" };
	size_t n = strcspn(e, "=");

	if (!strncmp(e, "LC_", 3))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && !strncmp(e, names[i], n))
			return true;
	return false;
}

static int send_args(int s, const struct exec_opts *o, int *ret_left)
{
	static uint8_t body[60000];
	int i = 0;

	/* All but the last frame's worth goes ahead. */
	while (i < o->argc) {
		struct wr w = wr_init(body, sizeof(body));
		size_t bytes = 0;
		int from = i;

		while (i < o->argc && bytes + strlen(o->argv[i]) + 4 < 50000)
			bytes += strlen(o->argv[i++]) + 4;
		if (i == from)
			return -E2BIG;
		if (i == o->argc && bytes < 20000) {
			*ret_left = from;
			return 0;
		}
		wr_u32(&w, (uint32_t)(i - from));
		for (int k = from; k < i; k++)
			wr_str(&w, o->argv[k]);
		if (ipc_send_wr(s, IPC_EXEC_ARGS, 0, 4, &w, -1) < 0)
			return -EIO;
	}
	*ret_left = o->argc;
	return 0;
}

/* The directory of the caller below the workspace, as the session names it; "" (the workspace) from anywhere else. */
static void here(int s, char *out, size_t cap)
{
	char id[ID_MAX], policy[256], workspace[4096], cwd[4096];
	size_t n;
	struct rd b;

	out[0] = 0;
	if (ipc_call(s, IPC_INFO, NULL, -1, &frame, NULL) < 0 || !getcwd(cwd, sizeof(cwd)))
		return;
	b = rd_init(frame.body, frame.len);
	rd_strcpy(&b, id, sizeof(id));
	rd_strcpy(&b, policy, sizeof(policy));
	rd_strcpy(&b, workspace, sizeof(workspace));
	n = strlen(workspace);
	if (!b.bad && !strncmp(cwd, workspace, n) && cwd[n] == '/' && str_format(out, cap, "/workspace%s", cwd + n) < 0)
		out[0] = 0;
}

static int send_exec(int s, const char *cmd, const struct exec_opts *o, const int fds[3], struct err *err)
{
	static uint8_t body[IPC_BODY_MAX];
	char cwd[4096];
	struct wr w;
	uint32_t n = 1;
	int left = 0, r = 0;

	here(s, cwd, sizeof(cwd));

	for (uint32_t i = 0; i < 3 && r == 0; i++) {
		w = wr_init(body, sizeof(body));
		wr_u32(&w, i);
		r = ipc_send_wr(s, IPC_EXEC_FD, 0, 3, &w, fds[i]);
	}
	if (r == 0)
		r = send_args(s, o, &left);
	w = wr_init(body, sizeof(body));
	wr_str(&w, cmd);
	wr_str(&w, cwd);
	wr_u64(&w, o->timeout_ms);
	wr_u32(&w, isatty(0) && isatty(2) ? 1 : 0);
	wr_u32(&w, (uint32_t)(o->argc - left));
	for (int i = left; i < o->argc; i++)
		wr_str(&w, o->argv[i]);
	for (char **e = environ; *e; e++)
		n += env_passes(*e) && strlen(*e) < 8192;
	wr_u32(&w, n);
	for (char **e = environ; *e; e++)
		if (env_passes(*e) && strlen(*e) < 8192)
			wr_str(&w, *e);
	wr_str(&w, "AGENTSH_IN_SESSION=1");
	if (r == 0)
		r = ipc_send_wr(s, IPC_EXEC, 0, 5, &w, -1);
	return r < 0 ? err_set(err, r, "sending the command: %s", strerror(-r)) : 0;
}

static void answer_question(int s, struct ipc_frame *f)
{
	char id[ID_MAX], kind[32], target[2048], rule[512], message[2048], line[16] = "";
	struct rd b = rd_init(f->body, f->len);
	uint8_t body[256];
	struct wr w = wr_init(body, sizeof(body));
	FILE *tty;

	rd_strcpy(&b, id, sizeof(id));
	rd_strcpy(&b, kind, sizeof(kind));
	rd_strcpy(&b, target, sizeof(target));
	rd_strcpy(&b, rule, sizeof(rule));
	rd_strcpy(&b, message, sizeof(message));
	if (b.bad)
		return;
	tty = fopen("/dev/tty", "r+e");
	if (!tty)
		return;
	client_show_question(tty, kind, target, rule, message);
	if (!fgets(line, sizeof(line), tty))
		line[0] = 0;
	fclose(tty);
	wr_str(&w, id);
	wr_u8(&w, line[0] == 'y' || line[0] == 'Y');
	wr_str(&w, "answered on the terminal");
	ipc_send_wr(s, IPC_APPROVAL_RESOLVE, 0, 9, &w, -1);
}

static void read_done(struct ipc_frame *f, struct exec_done *d)
{
	struct rd b = rd_init(f->body, f->len);
	uint32_t flags;

	d->code = (int)rd_u32(&b);
	d->signal = (int)rd_u32(&b);
	flags = rd_u32(&b);
	d->timeout = flags & 1;
	d->denied = flags & 2;
	d->not_started = flags & 4;
	rd_strcpy(&b, d->decision, sizeof(d->decision));
	rd_strcpy(&b, d->effective, sizeof(d->effective));
	rd_strcpy(&b, d->rule, sizeof(d->rule));
	rd_strcpy(&b, d->message, sizeof(d->message));
	d->user_us = rd_u64(&b);
	d->system_us = rd_u64(&b);
	d->maxrss_kb = rd_u64(&b);
	d->duration_ms = rd_u64(&b);
	rd_strcpy(&b, d->words, sizeof(d->words));
}

/* One frame of the daemon. 1: done, 0: go on, negative: it died (err). */
static int take_frame(int s, struct exec_done *d, struct err *err)
{
	int r = ipc_answer(s, &frame, err);

	if (r == 0)
		return -ECONNRESET;
	if (r < 0)
		return r;
	if (frame.type == IPC_APPROVAL_ASK)
		answer_question(s, &frame);
	if (frame.type != IPC_EXEC_DONE)
		return 0;
	read_done(&frame, d);
	return 1;
}

static void send_kill(int s, const char *cmd)
{
	uint8_t body[128];
	struct wr w = wr_init(body, sizeof(body));

	wr_str(&w, cmd);
	ipc_send_wr(s, IPC_KILL, 0, 6, &w, -1);
}

/* A person at the terminal answers what files and connections ask, too. -1: nobody is there, or that worker is gone. */
static int ask_here(const char *daemon, const char *id)
{
	int s = isatty(0) && isatty(2) ? client_attach(daemon, id, NULL) : -1;

	if (s >= 0)
		ipc_send(s, IPC_APPROVER, 0, 1, NULL, 0, -1);
	return s;
}

static void take_other(int *s)
{
	int r = ipc_answer(*s, &frame, NULL);

	if (r == 1 && frame.type == IPC_APPROVAL_ASK)
		answer_question(*s, &frame);
	if (r == 0)
		close(move_fd(s));
}

/* Reads the pipes and the daemons until the end; 0 or negative errno. others: fsd's and netd's connections, or -1. */
static int pump(int s, int others[2], const char *cmd, struct capture *cap, struct exec_done *d, struct err *err)
{
	bool done = false;
	uint64_t until = 0;

	while (!done || (cap && (cap[0].fd >= 0 || cap[1].fd >= 0) && clock_ms() < until)) {
		struct pollfd p[5] = { { .fd = done ? -1 : s, .events = POLLIN }, { .fd = cap ? cap[0].fd : -1, .events = POLLIN },
				       { .fd = cap ? cap[1].fd : -1, .events = POLLIN }, { .fd = others[0], .events = POLLIN },
				       { .fd = others[1], .events = POLLIN } };
		int n = poll(p, 5, done ? 20 : -1);

		if (interrupted == 1) {
			interrupted = 2;
			send_kill(s, cmd);
		}
		if (n <= 0)
			continue;
		for (int i = 0; cap && i < 2; i++)
			if (p[1 + i].revents)
				capture_read(&cap[i]);
		for (int i = 0; i < 2; i++)
			if (p[3 + i].revents)
				take_other(&others[i]);
		if (p[0].revents) {
			int r = take_frame(s, d, err);

			if (r < 0)
				return r;
			done = r == 1;
			until = clock_ms() + DRAIN_MS;
		}
	}
	return 0;
}

static const char *text_of(const cJSON *e, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(e, key));
}

/* What a refusal was about: a path, a name, a program, an address. */
static const char *target_of(const cJSON *e)
{
	static const char *const keys[] = { "path", "filename", "domain", "remote_addr", "target" };
	const char *t = NULL;

	for (size_t i = 0; i < ARRAY_LEN(keys) && !t; i++)
		t = text_of(e, keys[i]);
	return t ? t : "";
}

struct refusal { const char *operation, *target, *rule; };

static bool same_refusal(const struct refusal *a, const struct refusal *b)
{
	return !strcmp(a->operation, b->operation) && !strcmp(a->target, b->target) && !strcmp(a->rule, b->rule);
}

/* Why a question that a refusal came of had no yes: nobody was there, a person said no, the time was over. NULL: it came of none. */
static const char *unanswered(const cJSON *events, const cJSON *refused, const struct refusal *r)
{
	const char *decision = text_of(cJSON_GetObjectItem(refused, "policy"), "decision"), *why = NULL;
	const cJSON *e;

	if (!decision || strcmp(decision, "approve") != 0)
		return NULL;
	cJSON_ArrayForEach(e, events) {
		const cJSON *p = cJSON_GetObjectItem(e, "policy");
		const char *type = text_of(e, "type"), *rule = text_of(p, "rule"), *effective = text_of(p, "effective_decision");
		const char *target = text_of(e, "target");

		if (type && !strcmp(type, "approval_resolved") && rule && !strcmp(rule, r->rule) && effective &&
		    !strcmp(effective, "deny") && target && strstr(target, r->target))
			why = text_of(e, "reason");
	}
	return why;
}

/* What was refused below the command itself, each once: its own error words seldom say that it was the policy. Looking for a file that may
 * not be seen is worth a line only when the command failed: shells and loaders look in many places. */
static void say_refusals(const cJSON *events, bool failed)
{
	struct refusal said[HINTS_MAX] = { 0 };
	char a[4096], b[1024], c[512];
	const char *why;
	const cJSON *e;
	size_t n = 0;
	int more = 0;

	cJSON_ArrayForEach(e, events) {
		const cJSON *p = cJSON_GetObjectItem(e, "policy");
		const char *effective = text_of(p, "effective_decision"), *message = text_of(p, "message");
		const char *operation = text_of(e, "operation");
		const char *type = text_of(e, "type"), *rule = text_of(p, "rule");
		struct refusal r = { operation ? operation : type, target_of(e), rule ? rule : "" };
		bool known = false;

		if (!type || !effective || strcmp(effective, "deny") != 0 || !strncmp(type, "command_", 8) ||
		    !strncmp(type, "approval_", 9) || (!failed && !strcmp(r.operation, "stat")))
			continue;
		for (size_t i = 0; i < n; i++)
			known |= same_refusal(&said[i], &r);
		if (known)
			continue;
		if (n == HINTS_MAX) {
			more++;
			continue;
		}
		said[n++] = r;
		fprintf(stderr, "agentsh: refused: %s %s (rule=%s)", r.operation, str_display(r.target, strlen(r.target), a, sizeof(a)),
			str_display(r.rule, strlen(r.rule), c, sizeof(c)));
		fprintf(stderr, "%s%s", message ? ": " : "", message ? str_display(message, strlen(message), b, sizeof(b)) : "");
		why = unanswered(events, e, &r);
		fprintf(stderr, "%s%s%s\n", why ? " (approval: " : "", why ? str_display(why, strlen(why), b, sizeof(b)) : "",
			why ? ")" : "");
	}
	if (more)
		fprintf(stderr, "agentsh: refused: and %d more; see: agentsh events query --decision deny\n", more);
}

static void say_deletes(const cJSON *events, const char *id)
{
	char a[4096], b[256];
	const cJSON *e;
	int said = 0;

	cJSON_ArrayForEach(e, events) {
		const char *type = text_of(e, "type"), *path = text_of(e, "path");
		const char *token = text_of(e, "token"), *operation = text_of(e, "operation");

		/* What a rename replaced is kept as well, but nobody deleted it. */
		if (!type || strcmp(type, "file_soft_deleted") != 0 || !path || !token || !operation || strcmp(operation, "delete") != 0 ||
		    cJSON_GetObjectItem(e, "made_by_same_command"))
			continue;
		if (++said <= HINTS_MAX)
			fprintf(stderr, "soft-delete: %s -> trash token %s; restore with: agentsh trash restore %s\n",
				str_display(path, strlen(path), a, sizeof(a)), str_display(token, strlen(token), b, sizeof(b)), b);
	}
	if (said > HINTS_MAX)
		fprintf(stderr, "soft-delete: and %d more; list them with: agentsh trash list --session %s\n", said - HINTS_MAX, id);
}

static void say_hints(const char *id, const char *cmd, const struct exec_done *d)
{
	char a[4096];
	cJSON *events;

	if (d->denied)
		fprintf(stderr, "agentsh: command denied by policy (rule=%s)\n", str_display(d->rule, strlen(d->rule), a, sizeof(a)));
	if (d->denied && d->message[0])
		fprintf(stderr, "agentsh: hint: %s\n", str_display(d->message, strlen(d->message), a, sizeof(a)));
	if (d->timeout)
		fprintf(stderr, "agentsh: the command and all that it started were ended at its timeout\n");
	if (!d->denied && d->not_started && d->words[0])
		fprintf(stderr, "agentsh: %s\n", str_display(d->words, strlen(d->words), a, sizeof(a)));
	if (client_sync("fsd", id) < 0 || client_sync("netd", id) < 0)
		return;
	events = events_read(id, cmd, &d->from);
	if (!d->denied)
		say_refusals(events, d->code != 0 || d->signal);
	say_deletes(events, id);
	cJSON_Delete(events);
}

int exec_run(const char *id, const struct exec_opts *o)
{
	struct sigaction sa = { .sa_handler = on_int };
	struct capture cap[2] = { { .fd = -1 }, { .fd = -1 } };
	int fds[3] = { 0, 1, 2 }, pipes[2][2], others[2] = { -1, -1 }, r;
	struct exec_done d = { 0 };
	struct err err = { 0 };
	char cmd[ID_MAX];
	int s = client_attach("execd", id, &err);

	if (s < 0)
		return complain("%s", err.msg);
	id_new("cmd-", cmd);
	events_note(id, &d.from);
	for (int i = 0; o->json && i < 2; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return complain("pipe: %s", strerror(errno));
		cap[i].fd = pipes[i][0];
		fds[i + 1] = pipes[i][1];
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	r = send_exec(s, cmd, o, fds, &err);
	for (int i = 0; o->json && i < 2; i++)
		close(pipes[i][1]);
	if (r == 0) {
		others[0] = ask_here("fsd", id);
		others[1] = ask_here("netd", id);
		r = pump(s, others, cmd, o->json ? cap : NULL, &d, &err);
	}
	close(s);
	for (int i = 0; i < 2; i++)
		if (others[i] >= 0)
			close(others[i]);
	if (r < 0) {
		struct err why = { 0 };
		int again = r == -ECONNRESET ? client_attach("execd", id, &why) : -1;

		if (again >= 0)
			close(again);
		return complain("%s%s%s", r == -ECONNRESET ? "execd ended the connection; the command was killed" : err.msg,
				why.msg[0] ? ": " : "", why.msg);
	}
	if (o->json)
		exec_json(id, cmd, o, &d, cap);
	else
		say_hints(id, cmd, &d);
	return d.code;
}
