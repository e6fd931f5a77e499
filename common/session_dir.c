/* SPDX-License-Identifier: Apache-2.0 */
/* Where a daemon's things lie, and the directory of a session: whose it is, and that none is left of a session that never began. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/daemon_int.h"
#include "common/log.h"

#define OWNER "owner"         /* file in a session's directory */

const char *dirs_run(void)
{
	const char *s = getenv("AGENTSH_RUN_DIR");

	return s && s[0] == '/' ? s : "/run/agentsh";
}

const char *dirs_data(void)
{
	const char *s = getenv("AGENTSH_DATA_DIR");

	return s && s[0] == '/' ? s : "/var/lib/agentsh";
}

int dirs_socket(const char *daemon, char *out, size_t cap)
{
	return str_format(out, cap, "%s/%s.sock", dirs_run(), daemon);
}

/* The user whose session it is, in decimal: who opens the directory of a session that has ended must be the same. */
static int owner_write(int dir, uid_t uid)
{
	char text[16];
	auto_fd fd = openat(dir, OWNER, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	int n = snprintf(text, sizeof(text), "%u", (unsigned)uid);

	return fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -EIO;
}

static bool owner_is(int dir, uid_t uid)
{
	char text[16] = "";
	auto_fd fd = openat(dir, OWNER, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t v;

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && str_to_u64(text, UINT32_MAX, &v) == 0 && v == uid;
}

int session_dir(const char *id, const struct ipc_cred *who, int *ret_fd, bool *ret_made)
{
	char path[4300];
	bool made;
	int fd;

	if (str_format(path, sizeof(path), "%s/sessions/%s", dirs_data(), id) < 0)
		return -ENAMETOOLONG;
	made = mkdir(path, 0750) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (made && fchown(fd, (uid_t)-1, who->gid) < 0 && errno != EPERM)
		log_warn("group of %s: %s", path, strerror(errno));
	if (made ? owner_write(fd, who->uid) < 0 : who->uid != 0 && !owner_is(fd, who->uid)) {
		close(fd);
		return -EPERM;
	}
	*ret_fd = fd;
	*ret_made = made;
	return 0;
}

/* True when nothing but the owner's file and this file, empty, lies there. */
static bool holds_nothing(int fd, const char *events)
{
	int dup = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = dup >= 0 ? fdopendir(dup) : NULL;
	const struct dirent *e;
	bool nothing = d != NULL;
	struct stat st;

	if (!d && dup >= 0)
		close(dup);
	while (nothing && (e = readdir(d)))
		nothing = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, OWNER) ||
			  (!strcmp(e->d_name, events) && fstatat(fd, events, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0);
	if (d)
		closedir(d);
	return nothing;
}

void session_dir_drop(const char *id, uid_t uid, const char *daemon)
{
	char path[4300], events[64];
	auto_fd fd = -1;

	if (str_format(path, sizeof(path), "%s/sessions/%s", dirs_data(), id) < 0)
		return;
	snprintf(events, sizeof(events), "events-%s.jsonl", daemon);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || !holds_nothing(fd, events))
		return;
	unlinkat(fd, events, 0);
	unlinkat(fd, OWNER, 0);
	/* Another daemon put something there meanwhile: it stays its owner's. */
	if (rmdir(path) < 0 && owner_write(fd, uid) < 0)
		log_warn("owner of %s: %s", path, strerror(errno));
}
