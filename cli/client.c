/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the daemons, and their start when they do not run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/cmd.h"

#define START_WAIT_MS 8000

static struct ipc_frame frame;
static const char *const daemons[] = { "execd", "fsd", "netd" };

char *self_dir(void)
{
	static char dir[4096];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	dir[n < 0 ? 0 : n] = 0;
	slash = strrchr(dir, '/');
	if (slash)
		*slash = 0;
	return dir;
}

static bool auto_forbidden(void)
{
	static const char *const yes[] = { "1", "true", "t", "yes", "y", "on" };
	const char *v = getenv("AGENTSH_NO_AUTO");

	for (size_t i = 0; v && i < ARRAY_LEN(yes); i++)
		if (!strcasecmp(v, yes[i]))
			return true;
	return false;
}

static bool answers(const char *daemon)
{
	char path[4200];
	struct ipc_frame *f = &frame;
	int s, r;

	if (dirs_socket(daemon, path, sizeof(path)) < 0 || ipc_connect(path, &s, NULL) < 0)
		return false;
	r = ipc_call(s, IPC_PING, NULL, -1, f, NULL);
	close(s);
	return r == 0;
}

static bool all_answer(void)
{
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++)
		if (!answers(daemons[i]))
			return false;
	return true;
}

/* Detached: survives this command and its terminal. */
static void spawn_server(void)
{
	char self[4200], log[4200];
	pid_t pid;

	snprintf(self, sizeof(self), "%s/agentsh", self_dir());
	snprintf(log, sizeof(log), "%s/server.log", dirs_run());
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);                           /* kept over exec */
		int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0640);       /* kept over exec */

		setsid();
		if (fork() != 0)
			_exit(0);
		dup2(null, 0);
		dup2(out >= 0 ? out : null, 1);
		dup2(out >= 0 ? out : null, 2);
		close_range(3, ~0u, 0);
		if (chdir("/") == 0)
			execl(self, "agentsh", "server", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static int start_all(struct err *err)
{
	char path[4200];
	uint64_t until = clock_ms() + START_WAIT_MS;
	auto_fd lock = -1;

	if (getenv("AGENTSH_IN_SESSION"))
		return err_set(err, -EPERM, "this is inside a session already: run the command itself, it is governed");
	if (auto_forbidden())
		return err_set(err, -ECONNREFUSED, "the daemons do not run and AGENTSH_NO_AUTO forbids starting them: run agentsh server");
	if (geteuid() != 0)
		return err_set(err, -EPERM, "the daemons do not run, and starting them needs root: run agentsh server as root once");
	if (mkdir(dirs_run(), 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "making %s: %s", dirs_run(), strerror(errno));
	snprintf(path, sizeof(path), "%s/start.lock", dirs_run());
	lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_set(err, -errno, "locking %s: %s", path, strerror(errno));
	if (all_answer())
		return 0; /* another command started them while we waited */
	fprintf(stderr, "agentsh: auto-starting server\n");
	spawn_server();
	while (clock_ms() < until) {
		if (all_answer())
			return 0;
		usleep(5000);
	}
	return err_set(err, -ETIMEDOUT, "the daemons did not start within %d s: see %s/server.log", START_WAIT_MS / 1000, dirs_run());
}

int client_connect(const char *daemon, bool may_start, struct err *err)
{
	char path[4200];
	int s = -1, r = dirs_socket(daemon, path, sizeof(path));

	if (r == 0)
		r = ipc_connect(path, &s, err);
	if (r == -EACCES || r == -EPERM)
		return err_set(err, r, "no right to use %s: join the group agentsh, or run as root", path);
	if (r < 0 && may_start) {
		r = start_all(err);
		if (r == 0)
			r = ipc_connect(path, &s, err);
	} else if (r == -ENOENT || r == -ECONNREFUSED) {
		return err_set(err, r, "%s does not run: its sessions are gone; start it with: agentsh server", daemon);
	}
	return r < 0 ? r : s;
}

int client_attach(const char *daemon, const char *id, struct err *err)
{
	uint8_t body[128];
	struct wr w = wr_init(body, sizeof(body));
	int s, r;

	if (!id_valid(id))
		return err_set(err, -EINVAL, "unknown session \"%s\": list them with: agentsh session list", id);
	s = client_connect(daemon, true, err);
	if (s < 0)
		return s;
	wr_str(&w, id);
	r = ipc_call(s, IPC_ATTACH, &w, -1, &frame, err);
	if (r < 0) {
		close(s);
		return r;
	}
	return s;
}

int client_sync(const char *daemon, const char *id)
{
	int s = client_attach(daemon, id, NULL), r;

	if (s < 0)
		return s;
	r = ipc_call(s, IPC_SYNC, NULL, -1, &frame, NULL);
	close(s);
	return r;
}

static int list_of(const char *daemon, char ids[][ID_MAX], size_t max, struct err *err)
{
	int s = client_connect(daemon, true, err), r;
	struct rd b;
	size_t n;

	if (s < 0)
		return s;
	r = ipc_call(s, IPC_LIST, NULL, -1, &frame, err);
	close(s);
	if (r < 0)
		return r;
	b = rd_init(frame.body, frame.len);
	n = rd_u32(&b);
	if (n > max)
		n = max;
	for (size_t i = 0; i < n; i++)
		rd_strcpy(&b, ids[i], ID_MAX);
	return b.bad ? err_set(err, -EPROTO, "%s's answer could not be read", daemon) : (int)n;
}

int client_list(char ids[][ID_MAX], size_t max, struct err *err)
{
	return list_of("execd", ids, max, err);
}

int client_list_mounts(char ids[][ID_MAX], size_t max, struct err *err)
{
	return list_of("fsd", ids, max, err);
}

void client_show_question(FILE *to, const char *kind, const char *target, const char *rule, const char *message)
{
	const char *const part[] = { "agentsh: approve ", kind, " ", target, " (rule ", rule, ")? ", message, " [y/N] " };
	static char shown[9000];

	for (size_t i = 0; i < ARRAY_LEN(part); i++)
		fputs(str_display(part[i], strlen(part[i]), shown, sizeof(shown)), to);
	fflush(to);
}
