/* SPDX-License-Identifier: Apache-2.0 */
/* The worker that has a session's trash, also when the session has ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/trash.h"

#define TRIES 20
#define TRY_US 20000

static struct ipc_frame frame;

const char *trash_word(unsigned what)
{
	static const char *const words[] = {
		[TRASH_DELETED] = "deleted", [TRASH_REPLACED] = "replaced", [TRASH_OVERWRITTEN] = "overwritten",
		[TRASH_TRUNCATED] = "truncated", [TRASH_ASIDE] = "put aside", [TRASH_MADE] = "made", [TRASH_MOVED] = "renamed",
		[TRASH_EXCHANGED] = "exchanged", [TRASH_NOT_KEPT] = "not kept", [TRASH_PURGED] = "purged", [TRASH_ATTRS] = "attributes",
	};

	return what < ARRAY_LEN(words) && words[what] ? words[what] : "";
}

int trash_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	char number[24] = "";
	size_t n = strspn(text, "0123456789");
	const char *unit = text[n] ? strchr(units, text[n]) : NULL;
	uint64_t by = 1;
	int r;

	if (!n || n >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, n);
	if (unit)
		by <<= 10 * (unit - units + 1);
	n += unit != NULL;
	if (unit && text[n] == 'i')
		n++;
	if (text[n] == 'B')
		n++;
	r = text[n] ? -EINVAL : str_to_u64(number, UINT64_MAX / by, ret);
	if (r == 0)
		*ret *= by;
	return r;
}

/* The workspace of a session, from its first records; "" when they do not say. */
static void workspace_of(const char *id, char *out, size_t cap)
{
	char path[4400], *line = NULL;
	size_t n = 0;
	FILE *f;

	/* Of a mount without a session fsd says it. */
	snprintf(path, sizeof(path), "%s/sessions/%s/events-%s.jsonl", dirs_data(), id, strncmp(id, "mount-", 6) ? "execd" : "fsd");
	f = fopen(path, "re");
	out[0] = 0;
	while (f && !out[0] && getline(&line, &n, f) > 0) {
		cJSON *j = cJSON_Parse(line);
		const char *w = cJSON_GetStringValue(cJSON_GetObjectItem(j, "workspace"));

		if (w)
			snprintf(out, cap, "%s", w);
		cJSON_Delete(j);
	}
	free(line);
	if (f)
		fclose(f);
}

/* A worker for the trash of a session that has ended. */
static int open_ended(const char *id, struct err *err)
{
	uint8_t body[9000];
	struct wr w = wr_init(body, sizeof(body));
	char workspace[4096];
	auto_fd s = -1, ws = -1;

	workspace_of(id, workspace, sizeof(workspace));
	ws = workspace[0] ? open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (ws < 0)
		return err_set(err, -ENOENT, "unknown session \"%s\", or its workspace is gone", id);
	s = client_connect("fsd", true, err);
	if (s < 0)
		return s;
	wr_str(&w, id);
	ipc_send_wr(s, IPC_OPEN, 0, 1, &w, -1);
	w = wr_init(body, sizeof(body));
	wr_str(&w, workspace);
	wr_str(&w, "");
	ipc_send_wr(s, IPC_SET_WORKSPACE, 0, 1, &w, ws);
	ipc_send(s, IPC_START, 0, 2, NULL, 0, -1);
	return ipc_answer(s, &frame, err) == 1 ? move_fd(&s) : -EAGAIN;
}

int trash_connect(const char *id, struct err *err)
{
	static struct { char id[ID_MAX]; int s; } open_now[SESSIONS_MAX];
	static size_t n_open;
	int s;

	for (size_t i = 0; i < n_open; i++)
		if (!strcmp(open_now[i].id, id))
			return open_now[i].s;
	s = client_attach("fsd", id, err);
	/* The worker of a command just before this one may be on its way out. */
	for (int tries = 0; s < 0 && err->status != -EPERM && tries < TRIES; tries++) {
		usleep(tries ? TRY_US : 0);
		s = open_ended(id, err);
		if (s == -ENOENT)
			return s;
	}
	if (s >= 0 && n_open < SESSIONS_MAX) {
		snprintf(open_now[n_open].id, ID_MAX, "%.60s", id);
		open_now[n_open++].s = s;
	}
	return s;
}
