/* SPDX-License-Identifier: Apache-2.0 */
/* A second wall behind ids, capabilities and seccomp: Landlock, one row per role with what it may still open by name. Descriptors
 * that are open already (sockets, the events file) are not touched by it. sandbox_enter calls this; nobody else. And for
 * the first process of an agent's command, the wall between its programs and what /proc has of others. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"

#define READ LANDLOCK_ACCESS_FS_READ_FILE
#define GRANTS_MAX 8
/* Newer than the oldest headers that we build with; by the ABI that brought them. */
#define FS_ABI_1 ((1ULL << 13) - 1)      /* all of the first ABI: files, directories, nodes */
#define FS_ABI_2 (1ULL << 13)            /* refer: link and rename between directories */
#define FS_ABI_3 (1ULL << 14)            /* truncate */
#define FS_ABI_5 (1ULL << 15)            /* ioctl on devices */
#define NET_ABI_4 (1ULL << 0)            /* bind TCP; connect stays free */
#define SCOPE_ABI_6 (1ULL << 0 | 1ULL << 1) /* abstract sockets and signals end at the domain's border */

struct ruleset { uint64_t fs, net, scope; };

static const struct wall {
	bool stands;
	struct grant { const char *path; uint64_t access; } grants[GRANTS_MAX];
} walls[SANDBOX__COUNT] = {
	/* What the resolver reads when it starts and at each question. The rules hold for the files as they are then: one that is
	 * replaced later is not seen before the next session. Without urandom, c-ares before 1.19 falls back to rand() for its ids. */
	[SANDBOX_NETD_WORKER] = { true, { { "/etc/resolv.conf", READ }, { "/etc/hosts", READ }, { "/etc/nsswitch.conf", READ },
		{ "/etc/host.conf", READ }, { "/etc/svc.conf", READ }, { "/dev/urandom", READ } } },
	/* Serves trees that it knows as descriptors only, each operation of an agent is one of its own, and Landlock would walk up to
	 * the tree's root for each of them. */
	[SANDBOX_FSD_WORKER] = { .stands = false },
	/* Landlock forbids to trace, and to read the memory or /proc/PID/exe of, any process outside one's own domain: judging an exec
	 * is just that. The sandbox cannot share the domain, since its first process still has to mount. */
	[SANDBOX_EXECD_WORKER] = { .stands = false },
};

static int allow(int rules, const struct grant *g)
{
	auto_fd fd = open(g->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr a = { .allowed_access = g->access, .parent_fd = fd };

	if (fd < 0)
		return 0; /* not there, or not ours to read: there is nothing to allow */
	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0) < 0 ? -errno : 0;
}

int landlock_enter(enum sandbox_role role, struct err *err)
{
	const struct wall *w = &walls[role];
	struct ruleset set = { .fs = FS_ABI_1 };
	auto_fd rules = -1;
	long abi;
	int r = 0;

	if (!w->stands)
		return 0;
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		log_info("this kernel has no Landlock (%s): ids, capabilities and seccomp hold alone", strerror(errno));
		return 0;
	}
	set.fs |= (abi >= 2 ? FS_ABI_2 : 0) | (abi >= 3 ? FS_ABI_3 : 0) | (abi >= 5 ? FS_ABI_5 : 0);
	set.net = abi >= 4 ? NET_ABI_4 : 0;
	set.scope = abi >= 6 ? SCOPE_ABI_6 : 0;
	/* An older kernel takes the longer form as long as what it does not know is 0. */
	rules = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);
	if (rules < 0)
		return err_set(err, -errno, "making Landlock rules: %s", strerror(errno));
	for (size_t i = 0; i < GRANTS_MAX && w->grants[i].path && r == 0; i++)
		r = allow(rules, &w->grants[i]);
	if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0))
		r = -errno;
	return r < 0 ? err_set(err, r, "entering Landlock: %s", strerror(-r)) : 0;
}

/* Whatever is there, or below it. */
static int leave_open(int rules, int fd)
{
	struct landlock_path_beneath_attr a = { .allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE, .parent_fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return 0; /* what it leads to is an entry of the root, too */
	if (S_ISDIR(st.st_mode))
		a.allowed_access |= FS_ABI_2;
	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0) < 0 ? -errno : 0;
}

static int leave_root_open(int rules)
{
	DIR *d = opendir("/");
	const struct dirent *e;
	int r = d ? 0 : -errno;

	while (d && r == 0 && (e = readdir(d))) {
		auto_fd fd = -1;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, "proc"))
			continue;
		fd = openat(dirfd(d), e->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		/* What cannot even be found cannot be written either. */
		r = fd < 0 ? 0 : leave_open(rules, fd);
	}
	if (d)
		closedir(d);
	return r;
}

int landlock_close_proc(void)
{
	struct ruleset set = { .fs = LANDLOCK_ACCESS_FS_WRITE_FILE | FS_ABI_2 };
	auto_fd rules = -1;
	struct stat st;
	int r;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2)
		return -EOPNOTSUPP;
	rules = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);
	if (rules < 0)
		return -errno;
	r = leave_root_open(rules);
	/* A terminal or log of the host, which a program opens as /dev/stdout. Pipes and sockets are no files to Landlock: it refuses the
	 * rule and lets them be opened. */
	for (int i = 0; i < 3; i++)
		if (fstat(i, &st) == 0 && !S_ISDIR(st.st_mode))
			leave_open(rules, i);
	return r == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? -errno : r;
}
