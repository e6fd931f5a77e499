/* SPDX-License-Identifier: Apache-2.0 */
/* Plain binds of host trees bring their submounts along. Those that are windows into the kernel, a chroot's /proc say, are covered. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/kernfs.h"
#include "execd/execd.h"

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

static int cover_one(const char *at, struct err *err)
{
	auto_fd fd = open(at, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	/* Below what was covered just now there is nothing. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd >= 0 && !kernfs_at(fd))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "looking at the mount %s: %s", at, strerror(errno));
	if (S_ISDIR(st.st_mode))
		r = mount("tmpfs", at, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=555,size=4k");
	else
		r = mount("/dev/null", at, NULL, MS_BIND, NULL);
	return r < 0 ? err_set(err, -errno, "covering the mount %s: %s", at, strerror(errno)) : 0;
}

int cover_kernel_mounts(struct err *err)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, root[4300];
	size_t n, cap = 0;
	int r = f && getcwd(root, sizeof(root)) ? 0 : err_set(err, -errno, "reading our mounts: %s", strerror(errno));

	n = r == 0 ? strlen(root) : 0;

	while (r == 0 && getline(&line, &cap, f) > 0) {
		char *at = line;

		for (int field = 0; at && field < 4; field++) {
			at = strchr(at, ' ');
			at += at != NULL;
		}
		if (!at)
			continue;
		at[strcspn(at, " \n")] = 0;
		unescape(at);
		if (!strncmp(at, root, n) && at[n] == '/')
			r = cover_one(at, err);
	}
	free(line);
	if (f)
		fclose(f);
	return r;
}
