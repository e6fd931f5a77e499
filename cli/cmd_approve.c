/* SPDX-License-Identifier: Apache-2.0 */
/* approve list|resolve|watch: the questions that wait in the sessions' workers, of all three daemons. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"

#define SESSIONS_MAX 256
#define WATCHED_MAX ((size_t)3 * SESSIONS_MAX)
#define LOOK_MS 200       /* how soon a new session is watched */
static const char *const daemons[] = { "execd", "fsd", "netd" };
static struct ipc_frame frame;
static char ids[SESSIONS_MAX][ID_MAX];

static cJSON *question(struct rd *b)
{
	static const char *const keys[] = { "id", "kind", "target", "rule", "message", "command_id" };
	cJSON *j = cJSON_CreateObject();
	char text[2048];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		rd_strcpy(b, text, sizeof(text));
		cJSON_AddStringToObject(j, keys[i], text);
	}
	cJSON_AddNumberToObject(j, "asked_ms", (double)rd_u64(b));
	cJSON_AddNumberToObject(j, "deadline_ms", (double)rd_u64(b));
	return j;
}

/* Adds what waits in one worker to all. */
static void list_one(cJSON *all, const char *daemon, const char *id)
{
	int s = client_attach(daemon, id, NULL);
	struct rd b;

	if (s >= 0 && ipc_call(s, IPC_APPROVAL_LIST, NULL, -1, &frame, NULL) == 0) {
		b = rd_init(frame.body, frame.len);
		for (uint32_t k = rd_u32(&b); k && !b.bad; k--) {
			cJSON *q = question(&b);

			cJSON_AddStringToObject(q, "session_id", id);
			cJSON_AddItemToArray(all, q);
		}
	}
	if (s >= 0)
		close(s);
}

static int list(void)
{
	cJSON *all = cJSON_CreateArray();
	struct err err = { 0 };
	int n = client_list_mounts(ids, SESSIONS_MAX, &err);

	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_LEN(daemons); k++)
			list_one(all, daemons[k], ids[i]);
	print_json(all);
	return n < 0 ? complain("%s", err.msg) : 0;
}

static int resolve(int argc, char **argv)
{
	uint8_t body[1300];
	struct err err = { 0 };
	const char *reason = "";
	int allow = -1, n;

	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "--allow"))
			allow = 1;
		else if (!strcmp(argv[i], "--deny"))
			allow = 0;
		else if (!strcmp(argv[i], "--reason") && i + 1 < argc)
			reason = argv[++i];
	}
	if (argc < 4 || allow < 0)
		return complain("usage: agentsh approve resolve ID --allow|--deny [--reason R]");
	n = client_list_mounts(ids, SESSIONS_MAX, &err);
	for (size_t i = 0; n > 0 && i < (size_t)n * ARRAY_LEN(daemons); i++) {
		struct wr w = wr_init(body, sizeof(body));
		int s = client_attach(daemons[i % ARRAY_LEN(daemons)], ids[i / ARRAY_LEN(daemons)], &err), r = -1;

		wr_str(&w, argv[2]);
		wr_u8(&w, (uint8_t)allow);
		wr_str(&w, reason);
		if (s >= 0) {
			r = ipc_call(s, IPC_APPROVAL_RESOLVE, &w, -1, &frame, &err);
			close(s);
		}
		if (r == 0)
			return puts("ok") < 0;
	}
	return complain("no such approval is pending: list them with: agentsh approve list");
}

/* "" when it is missing: the daemon's text was not UTF-8. */
static const char *word(const cJSON *q, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItem(q, key));

	return s ? s : "";
}

static void answer(int s, cJSON *q)
{
	uint8_t body[256];
	struct wr w = wr_init(body, sizeof(body));
	char line[16] = "", *text;

	if (!isatty(0)) {
		text = cJSON_PrintUnformatted(q);
		puts(text ? text : "");
		cJSON_free(text);
		fflush(stdout);
		return;
	}
	client_show_question(stdout, word(q, "kind"), word(q, "target"), word(q, "rule"), word(q, "message"));
	if (!fgets(line, sizeof(line), stdin))
		line[0] = 0;
	wr_str(&w, word(q, "id"));
	wr_u8(&w, line[0] == 'y' || line[0] == 'Y');
	wr_str(&w, "approve watch");
	ipc_send_wr(s, IPC_APPROVAL_RESOLVE, 0, 7, &w, -1);
}

static struct watched { int s; const char *daemon; char id[ID_MAX]; } at[WATCHED_MAX];
static struct pollfd polled[WATCHED_MAX];
static nfds_t n_watched;

static void watch_one(const char *daemon, const char id[ID_MAX])
{
	for (nfds_t k = 0; k < n_watched; k++)
		if (at[k].daemon == daemon && !strcmp(at[k].id, id))
			return;
	if (n_watched == WATCHED_MAX)
		return;
	at[n_watched] = (struct watched){ .s = client_attach(daemon, id, NULL), .daemon = daemon };
	if (at[n_watched].s < 0)
		return;
	ipc_send(at[n_watched].s, IPC_APPROVER, 0, 1, NULL, 0, -1);
	memcpy(at[n_watched].id, id, ID_MAX);
	polled[n_watched] = (struct pollfd){ .fd = at[n_watched].s, .events = POLLIN };
	n_watched++;
}

/* False: the worker is gone, and with it this place of the table. */
static bool take_question(nfds_t k)
{
	struct err err = { 0 };
	int r = ipc_answer(polled[k].fd, &frame, &err);

	if (r == 1 && frame.type == IPC_APPROVAL_ASK) {
		struct rd b = rd_init(frame.body, frame.len);
		cJSON *q = question(&b);

		cJSON_AddStringToObject(q, "session_id", at[k].id);
		answer(polled[k].fd, q);
		cJSON_Delete(q);
	}
	if (r != 0)
		return true;
	close(polled[k].fd);
	n_watched--;
	at[k] = at[n_watched];
	polled[k] = polled[n_watched];
	return false;
}

static int watch(void)
{
	struct err err = { 0 };
	bool first = true;

	for (;;) {
		int have, s = client_connect("execd", first, &err);

		/* Only the first look may start the daemons: whoever stopped them wanted them stopped. */
		if (s < 0)
			return complain("%s", err.msg);
		close(s);
		first = false;
		have = client_list_mounts(ids, SESSIONS_MAX, &err);
		for (int i = 0; i < have; i++)
			for (size_t k = 0; k < ARRAY_LEN(daemons); k++)
				watch_one(daemons[k], ids[i]);
		if (poll(polled, n_watched, LOOK_MS) <= 0)
			continue;
		for (nfds_t k = 0; k < n_watched; k++)
			if (polled[k].revents && !take_question(k))
				break;
	}
}

int cmd_approve(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "list"))
		return list();
	if (argc >= 2 && !strcmp(argv[1], "resolve"))
		return resolve(argc, argv);
	if (argc >= 2 && !strcmp(argv[1], "watch"))
		return watch();
	return complain("usage: agentsh approve list | approve resolve ID --allow|--deny | approve watch");
}
