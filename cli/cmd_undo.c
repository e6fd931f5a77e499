/* SPDX-License-Identifier: Apache-2.0 */
/* undo: gives back what one command deleted, truncated, overwrote, replaced or renamed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/trash.h"

struct result { bool json, dry; cJSON *done, *not_done; int n_done, n_not, n_aside; };

/* attribute: "" of a whole file. */
static const char *reason(unsigned what, int e, const char *attribute)
{
	if (what == TRASH_NOT_KEPT && attribute[0])
		return "too large: what its attribute was is not kept";
	if (what == TRASH_NOT_KEPT)
		return "too large: its content was not kept";
	if (what == TRASH_PURGED)
		return "purged from the trash since";
	if ((what == TRASH_MOVED || what == TRASH_ATTRS) && e == ENOENT)
		return "it is not there any more";
	if (e == EEXIST)
		return "something else has that name now: move it away, or --force puts it into the trash";
	if (e == EFBIG)
		return "what is there now is too large to be kept: --force overwrites it";
	return strerror(e);
}

static void take(struct result *res, unsigned what, int e, const char *path, const char *other)
{
	char a[8192], b[8192];
	cJSON *j;

	str_display(path, strlen(path), a, sizeof(a));
	str_display(other, strlen(other), b, sizeof(b));
	if (e)
		res->n_not++;
	else if (what == TRASH_MADE)
		res->n_aside++;
	else
		res->n_done++;
	if (res->json) {
		j = cJSON_CreateObject();
		cJSON_AddStringToObject(j, "operation", trash_word(what));
		cJSON_AddStringToObject(j, "path", path);
		if (other[0])
			cJSON_AddStringToObject(j, what == TRASH_ATTRS || what == TRASH_NOT_KEPT ? "attribute" : "to", other);
		if (e)
			cJSON_AddStringToObject(j, "reason", reason(what, e, other));
		cJSON_AddItemToArray(e ? res->not_done : res->done, j);
	} else if (e) {
		fprintf(stderr, "agentsh: not undone: %s %s: %s\n", trash_word(what), a, reason(what, e, other));
	} else if (what == TRASH_MADE) {
		printf("%s %s\n", res->dry ? "would take away" : "took away", a);
	} else if (what == TRASH_ATTRS && other[0]) {
		printf("%s %s (attribute %s)\n", res->dry ? "would give back" : "gave back", a, b);
	} else if (other[0]) {
		printf("%s %s to %s\n", res->dry ? "would move back" : "moved back", b, a);
	} else {
		printf("%s %s (%s)\n", res->dry ? "would give back" : "gave back", a, trash_word(what));
	}
}

static int ask(int s, const char *command, uint8_t flags, struct result *res, struct err *err)
{
	static struct ipc_frame frame;
	static char path[4096], other[4096];
	uint8_t body[128];
	struct wr w = wr_init(body, sizeof(body));
	int r;

	wr_str(&w, command);
	wr_u8(&w, flags);
	r = ipc_send_wr(s, IPC_TRASH_UNDO, 0, 1, &w, -1);
	if (r < 0)
		return err_set(err, r, "asking for the undo: %s", strerror(-r));
	while ((r = ipc_answer(s, &frame, err)) == 1 && (frame.flags & IPC_MORE)) {
		struct rd b = rd_init(frame.body, frame.len);
		uint32_t n = rd_u32(&b);

		while (n-- && !b.bad) {
			unsigned what = rd_u8(&b);
			int e = (int)rd_u32(&b);

			rd_strcpy(&b, path, sizeof(path));
			rd_strcpy(&b, other, sizeof(other));
			if (!b.bad)
				take(res, what, e, path, other);
		}
		if (!rd_done(&b))
			return err_set(err, -EPROTO, "fsd's answer could not be read");
	}
	return r == 0 ? err_set(err, -ECONNRESET, "fsd went away during the undo: ask again, it does the rest") : r;
}

static void print(struct result *res, const char *session, const char *id, const char *key)
{
	cJSON *j;

	if (!res->json) {
		printf("%d given back, %d taken away, %d not undone%s\n", res->n_done, res->n_aside, res->n_not,
		       res->dry ? " (dry run)" : "");
		return;
	}
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "session_id", session);
	cJSON_AddStringToObject(j, key, id);
	cJSON_AddBoolToObject(j, "dry_run", res->dry);
	cJSON_AddItemToObject(j, "undone", move_ptr(res->done));
	cJSON_AddItemToObject(j, "not_undone", move_ptr(res->not_done));
	print_json(j);
}

int undo_run(const char *session, const char *id, unsigned flags, bool json)
{
	struct result res = { .json = json, .dry = flags & UNDO_DRY_RUN };
	bool since = flags & UNDO_SINCE;
	struct err err = { 0 };
	int s, r;

	if (!id_valid(session) || !id_valid(id))
		return complain("\"%s\" is no id", id_valid(session) ? id : session);
	s = trash_connect(session, &err);
	if (s < 0)
		return complain("%s", err.msg);
	res.done = cJSON_CreateArray();
	res.not_done = cJSON_CreateArray();
	r = ask(s, id, (uint8_t)flags, &res, &err);
	if (r >= 0 && !since && !res.n_done && !res.n_aside && !res.n_not && !res.json)
		r = err_set(&err, -ENOENT, "nothing is kept of command %s: agentsh events query --session %s shows what it did", id,
			    session);
	else if (r >= 0)
		print(&res, session, id, since ? "checkpoint_id" : "command_id");
	cJSON_Delete(res.done);
	cJSON_Delete(res.not_done);
	return r < 0 ? complain("%s", err.msg) : res.n_not ? EXIT_ERROR : 0;
}

int cmd_undo(int argc, char **argv)
{
	const char *words[2] = { NULL, NULL };
	unsigned flags = 0;
	bool json = false;
	int n = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--dry-run"))
			flags |= UNDO_DRY_RUN;
		else if (!strcmp(argv[i], "--force"))
			flags |= UNDO_FORCE;
		else if (!strcmp(argv[i], "--json"))
			json = true;
		else if (argv[i][0] == '-' || n == 2)
			return complain("undo: unknown argument \"%s\"", argv[i]);
		else
			words[n++] = argv[i];
	}
	if (n < 2)
		return complain("usage: agentsh undo SID CMDID [--dry-run] [--force] [--json]");
	return undo_run(words[0], words[1], flags, json);
}
