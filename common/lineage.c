/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lineage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#define TEXT_MAX 16384 /* a dozen lines on a hybrid host; longer: not known */

void lineage_name(const struct lineage *l, char out[LINEAGE_NAME_MAX])
{
	snprintf(out, LINEAGE_NAME_MAX, "p%" PRIx64 "-%" PRIx64 "-%u-%" PRIx64, l->sure, l->may, l->depth, l->id);
}

/* Reads digits of a base up to what follows them. */
static bool number(const char **at, unsigned base, uint64_t max, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	const char *s = *at;
	uint64_t v = 0;

	for (; *s; s++) {
		const char *d = strchr(digits, *s);
		uint64_t one = d ? (uint64_t)(d - digits) : base;

		if (one >= base)
			break;
		if (v > (max - one) / base)
			return false;
		v = v * base + one;
	}
	if (s == *at)
		return false;
	*at = s;
	*ret = v;
	return true;
}

/* at: behind the session's directory. */
static int below_session(const char *at, struct lineage *ret)
{
	uint64_t command, sure = 0, may = 0, depth = 0, id = 0;

	if (strncmp(at, "/c", 2) != 0)
		return -ENOENT;
	at += 2;
	if (!number(&at, 10, UINT32_MAX, &command))
		return -ENOENT;
	if (!strncmp(at, "/p", 2)) {
		at += 2;
		if (!number(&at, 16, UINT64_MAX, &sure) || *at++ != '-' || !number(&at, 16, UINT64_MAX, &may) || *at++ != '-' ||
		    !number(&at, 10, UINT32_MAX, &depth) || *at++ != '-' || !number(&at, 16, UINT64_MAX, &id) || (sure & ~may))
			return -ENOENT;
	}
	/* Anything more, " (deleted)" too, is not what execd made. */
	if (*at)
		return -ENOENT;
	*ret = (struct lineage){ .command = (uint32_t)command, .sure = sure, .may = may, .depth = (uint32_t)depth, .id = id };
	return 0;
}

int lineage_parse(const char *text, const char *session, struct lineage *ret)
{
	char line[4400], ours[128];
	const char *at = text, *end;

	*ret = (struct lineage){ 0 };
	while (at && strncmp(at, "0::", 3) != 0) {
		at = strchr(at, '\n');
		at += at != NULL;
	}
	end = at ? strchr(at, '\n') : NULL;
	if (!end || str_format(line, sizeof(line), "%.*s", (int)(end - at - 3), at + 3) < 0 ||
	    str_format(ours, sizeof(ours), "/agentsh-%s/", session) < 0)
		return -ENOENT;
	at = strstr(line, ours);
	return at ? below_session(at + strlen(ours) - 1, ret) : -ENOENT;
}

int lineage_of(pid_t pid, const char *session, struct lineage *ret)
{
	char path[64], text[TEXT_MAX];
	auto_fd fd = -1;
	ssize_t n;

	*ret = (struct lineage){ 0 };
	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	return lineage_parse(text, session, ret);
}
