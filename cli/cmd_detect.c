/* SPDX-License-Identifier: Apache-2.0 */
/* detect: what this machine offers of what agentsh needs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sched.h>

#include "cli/cmd.h"

static bool has_root(void) { return geteuid() == 0; }
static bool has_fuse(void) { return access("/dev/fuse", R_OK | W_OK) == 0; }

static bool has_notify(void)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool in_child(int flags)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(unshare(flags) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	return status == 0;
}

static bool has_namespaces(void) { return in_child(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS); }
static bool has_userns(void) { return in_child(CLONE_NEWUSER); }

static bool has_open_tree(void)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/nonexistent", 0);

	if (fd >= 0)
		close(fd);
	return errno != ENOSYS;
}

static bool has_cgroup2(void)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char dev[256], dir[1024], type[64];
	bool found = false;

	while (f && !found && fscanf(f, "%255s %1023s %63s%*[^\n]", dev, dir, type) == 3)
		found = !strcmp(type, "cgroup2") && access(dir, W_OK) == 0;
	if (f)
		fclose(f);
	return found;
}

int cmd_detect(int argc, char **argv)
{
	static const struct { const char *name; bool (*fn)(void); bool needed; const char *hint; } checks[] = {
		{ "root", has_root, true, "the daemons need root; running without it is not built yet" },
		{ "namespaces", has_namespaces, true, "mount, pid, network, ipc and uts namespaces need CAP_SYS_ADMIN" },
		{ "user namespaces", has_userns, true, "sysctl user.max_user_namespaces must not be 0" },
		{ "seccomp notification", has_notify, true, "Linux 5.19 or newer with CONFIG_SECCOMP_FILTER" },
		{ "fuse", has_fuse, true, "load the fuse module, or give the container /dev/fuse" },
		{ "detached mounts", has_open_tree, true, "open_tree and move_mount: Linux 5.12 or newer" },
		{ "cgroup v2", has_cgroup2, false, "without it rules with processes allow nothing, and a command's tree is slower to end" },
	};
	bool json = argc > 1 && !strcmp(argv[1], "--json"), good = true;
	cJSON *all = cJSON_CreateObject();

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		bool ok = checks[i].fn();

		good &= ok || !checks[i].needed;
		if (!json)
			printf("%-22s %s%s%s\n", checks[i].name, ok ? "ok" : checks[i].needed ? "MISSING" : "missing", ok ? "" : ": ",
			       ok ? "" : checks[i].hint);
		cJSON_AddBoolToObject(all, checks[i].name, ok);
	}
	if (json)
		print_json(all);
	else
		cJSON_Delete(all);
	return good ? 0 : EXIT_ERROR;
}
