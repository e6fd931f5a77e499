/* SPDX-License-Identifier: Apache-2.0 */
/* agentsh server: starts the three daemons, says what died, starts it again; agentsh server stop. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/cmd.h"

#define RESTART_MS 500

static const char *const daemons[] = { "execd", "fsd", "netd" };
static pid_t pids[ARRAY_LEN(daemons)];
static volatile sig_atomic_t stopping;

static void on_stop(int signo UNUSED)
{
	stopping = 1;
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++)
		if (pids[i] > 0)
			kill(pids[i], SIGTERM);
}

static pid_t start_one(const char *name)
{
	char path[4300], *file;
	pid_t parent = getpid(), pid;
	int r;

	snprintf(path, sizeof(path), "%s/agentsh-%s", self_dir(), name);
	file = strrchr(path, '/') + 1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
		execl(path, path, (char *)NULL);
		r = errno == ENOENT ? embed_exec(file) : -errno;
		fprintf(stderr, "agentsh: starting %s: %s\n", path, strerror(-r));
		_exit(127);
	}
	return pid;
}

static int stop_all(void)
{
	static struct ipc_frame f;
	char path[4200], text[32] = "";
	uint64_t pid;
	struct err err = { 0 };
	FILE *pidf;
	int ended = 0;

	/* The supervisor first, else it would start them again. */
	snprintf(path, sizeof(path), "%s/server.pid", dirs_run());
	pidf = fopen(path, "re");
	if (pidf && fgets(text, sizeof(text), pidf) && str_lead_u64(text, INT32_MAX, &pid) == 0 && pid > 1 &&
	    kill((pid_t)pid, SIGTERM) == 0) {
		for (int i = 0; i < 1000 && kill((pid_t)pid, 0) == 0; i++)
			usleep(5000);
		ended++;
	}
	if (pidf)
		fclose(pidf);
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
		int s = client_connect(daemons[i], false, &err);

		if (s < 0)
			continue;
		if (ipc_call(s, IPC_STOP, NULL, -1, &f, &err) < 0 && err.status != -ECONNRESET)
			complain("%s: %s", daemons[i], err.msg);
		close(s);
		ended++;
	}
	puts(ended ? "stopped" : "nothing was running");
	return 0;
}

static int lock_and_note(int *lock)
{
	char path[4200], text[32];
	auto_fd fd = -1;

	if (mkdir(dirs_run(), 0755) < 0 && errno != EEXIST)
		return complain("making %s: %s", dirs_run(), strerror(errno));
	snprintf(path, sizeof(path), "%s/server.lock", dirs_run());
	*lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) < 0)
		return complain("another server runs for %s already", dirs_run());
	snprintf(path, sizeof(path), "%s/server.pid", dirs_run());
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	return fd < 0 || write(fd, text, strlen(text)) < 0 ? complain("writing %s: %s", path, strerror(errno)) : 0;
}

static void one_died(pid_t pid, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
		if (pids[i] != pid)
			continue;
		pids[i] = 0;
		if (stopping)
			return;
		fprintf(stderr, "agentsh: %s %s %d: its sessions have ended; starting it again\n", daemons[i],
			WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		usleep(RESTART_MS * 1000);
		pids[i] = start_one(daemons[i]);
	}
}

int cmd_server(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_stop };
	char path[4300];
	int lock, status;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "stop"))
		return stop_all();
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--config") && i + 1 < argc) {
			if (access(argv[++i], R_OK) < 0)
				return complain("configuration %s: %s", argv[i], strerror(errno));
			complain("warning: configuration files are not built yet: nothing of %s is used", argv[i]);
		} else {
			return complain("server: unknown argument \"%s\"", argv[i]);
		}
	}
	if (geteuid() != 0)
		return complain("the daemons need root: run agentsh server as root");
	if (lock_and_note(&lock))
		return EXIT_ERROR;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++)
		pids[i] = start_one(daemons[i]);
	printf("agentsh server listening on %s\n", dirs_run());
	fflush(stdout);
	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid > 0)
			one_died(pid, status);
		if (stopping && pid < 0 && errno == ECHILD)
			break;
		if (pid < 0 && errno == ECHILD)
			return complain("no daemon could be started");
	}
	snprintf(path, sizeof(path), "%s/server.pid", dirs_run());
	unlink(path);
	return 0;
}
