/* SPDX-License-Identifier: Apache-2.0 */
/* mount, umount: a governed directory without a session, for any program of the host. fsd's worker for it lives as long as the mount. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/trust.h"

#define FS_TYPE "fuse.agentsh"

struct mounting { char id[ID_MAX], dir[PATH_MAX], at[PATH_MAX], policy[4300]; int source, generation, fsd; uint8_t hash[32]; };

static struct ipc_frame frame;

static int ask(struct mounting *m, struct err *err)
{
	uint8_t body[9000];
	struct wr w = wr_init(body, sizeof(body));
	int r;

	m->fsd = client_connect("fsd", true, err);
	if (m->fsd < 0)
		return m->fsd;
	wr_str(&w, m->id);
	r = ipc_send_wr(m->fsd, IPC_OPEN, 0, 1, &w, -1);
	if (r == 0)
		r = ipc_send(m->fsd, IPC_SET_ALONE, 0, 1, NULL, 0, -1);
	if (r == 0)
		r = ipc_send(m->fsd, IPC_SET_POLICY, 0, 1, m->hash, sizeof(m->hash), m->generation);
	w = wr_init(body, sizeof(body));
	wr_str(&w, m->dir);
	wr_str(&w, m->policy);
	if (r == 0)
		r = ipc_send_wr(m->fsd, IPC_SET_WORKSPACE, 0, 1, &w, m->source);
	if (r == 0)
		r = ipc_send(m->fsd, IPC_START, 0, 2, NULL, 0, -1);
	if (r < 0 && ipc_answer(m->fsd, &frame, err) >= 0) /* its own words, if it refused before all was sent, say more */
		err_set(err, r, "asking fsd: %s", strerror(-r));
	return r;
}

/* What fsd hands over, put in its place. Whatever fails, closing the descriptors ends the worker. */
static int attach(struct mounting *m, struct err *err)
{
	auto_fd tree = -1;

	for (;;) {
		int r = ipc_answer(m->fsd, &frame, err);

		if (r != 1)
			return r == 0 ? -ECONNRESET : r;
		if (frame.type == IPC_OK)
			break;
		if (frame.type != IPC_HAND_MOUNT || tree >= 0) {
			if (frame.fd >= 0)
				close(frame.fd);
			return err_set(err, -EPROTO, "fsd handed over %s", ipc_name(frame.type));
		}
		tree = move_fd(&frame.fd);
	}
	if (tree < 0)
		return err_set(err, -EPROTO, "fsd handed over no mount");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, m->at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, -errno, "mounting on %s: %s", m->at, strerror(errno));
	return 0;
}

static int prepare(struct mounting *m, const char *policy, const char *dir, const char *at, struct err *err)
{
	struct stat st;
	int r;

	if (geteuid() != 0)
		return err_set(err, -EPERM, "mount needs root; a session (agentsh run) does not");
	if (!realpath(dir, m->dir))
		return err_set(err, -errno, "%s: %s", dir, strerror(errno));
	if (!realpath(at, m->at) || stat(m->at, &st) < 0)
		return err_set(err, -errno, "%s: %s", at, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "%s is not a directory", at);
	r = trust_choose(policy, m->policy, sizeof(m->policy), err);
	if (r < 0)
		return r;
	m->source = open(m->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->source < 0)
		return err_set(err, -errno, "%s: %s", m->dir, strerror(errno));
	id_new("mount-", m->id);
	return policy_load(m->policy, m->dir, &m->generation, m->hash, true, err);
}

static void say(const struct mounting *m, bool json)
{
	char a[8192], b[8192];
	cJSON *j;

	if (!json) {
		printf("%s on %s (%s); unmount with: agentsh umount\n", str_display(m->dir, strlen(m->dir), a, sizeof(a)),
		       str_display(m->at, strlen(m->at), b, sizeof(b)), m->id);
		return;
	}
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "id", m->id);
	cJSON_AddStringToObject(j, "dir", m->dir);
	cJSON_AddStringToObject(j, "mountpoint", m->at);
	cJSON_AddStringToObject(j, "policy", m->policy);
	print_json(j);
}

int cmd_mount(int argc, char **argv)
{
	struct mounting m = { .source = -1, .generation = -1, .fsd = -1 };
	const char *policy = NULL, *where[2];
	struct err err = { 0 };
	bool json = false;
	int n = 0, r;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--policy") && i + 1 < argc)
			policy = argv[++i];
		else if (!strcmp(argv[i], "--json"))
			json = true;
		else if (argv[i][0] == '-' || n == 2)
			return complain("mount: unexpected argument \"%s\"", argv[i]);
		else
			where[n++] = argv[i];
	}
	if (n != 2)
		return complain("usage: agentsh mount [--policy P] [--json] DIR MOUNTPOINT");
	r = prepare(&m, policy, where[0], where[1], &err);
	if (r == 0)
		r = ask(&m, &err);
	if (r == 0)
		r = attach(&m, &err);
	if (r == 0)
		say(&m, json);
	const int fds[] = { m.source, m.generation, m.fsd };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return r < 0 ? complain("%s", err.msg[0] ? err.msg : strerror(-r)) : 0;
}

/* The mount point's own path, by its parent: of one whose server is gone nothing can be asked. */
static int place(const char *given, char *out, size_t cap)
{
	char path[PATH_MAX], up[PATH_MAX], *slash;
	size_t n = strlen(given);

	while (n > 1 && given[n - 1] == '/')
		n--;
	if (!n || n >= sizeof(path))
		return n ? -ENAMETOOLONG : -ENOENT;
	memcpy(path, given, n);
	path[n] = 0;
	slash = strrchr(path, '/');
	if (!strcmp(slash ? slash + 1 : path, "..") || !strcmp(slash ? slash + 1 : path, ".") || (slash && !slash[1]))
		return -EINVAL;
	if (slash)
		*slash = 0;
	if (!realpath(!slash ? "." : slash == path ? "/" : path, up))
		return -errno;
	return str_format(out, cap, "%s/%s", strcmp(up, "/") ? up : "", slash ? slash + 1 : path);
}

/* As the kernel writes a path there: space, tab, newline and backslash in octal. */
static bool same_place(const char *shown, const char *path)
{
	for (; *shown && *path; path++) {
		int c = (unsigned char)*shown;

		if (*shown == '\\' && strnlen(shown, 4) == 4) {
			c = (shown[1] - '0') << 6 | (shown[2] - '0') << 3 | (shown[3] - '0');
			shown += 3;
		}
		if (c != (unsigned char)*path)
			return false;
		shown++;
	}
	return !*shown && !*path;
}

/* Whether what is on top there is ours: the last line that names it. */
static bool is_ours(const char *at)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char *line = NULL;
	bool ours = false;
	size_t n = 0;

	while (f && getline(&line, &n, f) > 0) {
		char *save = NULL, *where, *type;

		strtok_r(line, " ", &save);
		where = strtok_r(NULL, " ", &save);
		type = strtok_r(NULL, " ", &save);
		if (where && type && same_place(where, at))
			ours = !strcmp(type, FS_TYPE);
	}
	free(line);
	if (f)
		fclose(f);
	return ours;
}

int cmd_umount(int argc, char **argv)
{
	const char *given = NULL;
	char at[PATH_MAX] = "";
	bool lazy = false;
	int r;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--lazy"))
			lazy = true;
		else if (argv[i][0] == '-' || given)
			return complain("umount: unexpected argument \"%s\"", argv[i]);
		else
			given = argv[i];
	}
	if (!given)
		return complain("usage: agentsh umount [--lazy] MOUNTPOINT");
	r = place(given, at, sizeof(at));
	if (r < 0)
		return complain("%s: %s", given, strerror(-r));
	if (!is_ours(at))
		return complain("%s is not a mount of agentsh's", given);
	if (umount2(at, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	return complain("%s: %s%s", given, strerror(errno),
			errno == EBUSY ? ": a program has something open there; end it, or use --lazy" : "");
}
