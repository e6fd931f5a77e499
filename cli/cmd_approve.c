/* SPDX-License-Identifier: Apache-2.0 */
/* approve list|resolve|watch: questions of the sessions' execd workers (files and networks ask nobody yet). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"

#define SESSIONS_MAX 256
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

static int list(void)
{
	cJSON *all = cJSON_CreateArray();
	struct err err = { 0 };
	int n = client_list(ids, SESSIONS_MAX, &err);

	for (int i = 0; i < n; i++) {
		int s = client_attach("execd", ids[i], &err);
		struct rd b;

		if (s >= 0 && ipc_call(s, IPC_APPROVAL_LIST, NULL, -1, &frame, &err) == 0) {
			b = rd_init(frame.body, frame.len);
			for (uint32_t k = rd_u32(&b); k && !b.bad; k--) {
				cJSON *q = question(&b);

				cJSON_AddStringToObject(q, "session_id", ids[i]);
				cJSON_AddItemToArray(all, q);
			}
		}
		if (s >= 0)
			close(s);
	}
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
	n = client_list(ids, SESSIONS_MAX, &err);
	for (int i = 0; i < n; i++) {
		struct wr w = wr_init(body, sizeof(body));
		int s = client_attach("execd", ids[i], &err), r = -1;

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

static void answer(int s, cJSON *q)
{
	const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(q, "id")), *target = cJSON_GetStringValue(cJSON_GetObjectItem(q, "target"));
	const char *rule = cJSON_GetStringValue(cJSON_GetObjectItem(q, "rule"));
	uint8_t body[256];
	struct wr w = wr_init(body, sizeof(body));
	char shown[8192], line[16] = "", *text;

	if (!isatty(0)) {
		text = cJSON_PrintUnformatted(q);
		puts(text ? text : "");
		cJSON_free(text);
		fflush(stdout);
		return;
	}
	printf("approve (rule %s): %s [y/N] ", rule, str_display(target, strlen(target), shown, sizeof(shown)));
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = 0;
	wr_str(&w, id);
	wr_u8(&w, line[0] == 'y' || line[0] == 'Y');
	wr_str(&w, "approve watch");
	ipc_send_wr(s, IPC_APPROVAL_RESOLVE, 0, 7, &w, -1);
}

static void __attribute__((noreturn)) watch(void)
{
	static struct { int s; char id[ID_MAX]; } at[SESSIONS_MAX];
	static struct pollfd p[SESSIONS_MAX];
	struct err err = { 0 };
	nfds_t n = 0;

	for (;;) {
		int have = client_list(ids, SESSIONS_MAX, &err);

		for (int i = 0; i < have && n < SESSIONS_MAX; i++) {
			bool known = false;

			for (nfds_t k = 0; k < n; k++)
				known |= !strcmp(at[k].id, ids[i]);
			if (known)
				continue;
			at[n].s = client_attach("execd", ids[i], &err);
			if (at[n].s < 0)
				continue;
			ipc_send(at[n].s, IPC_APPROVER, 0, 1, NULL, 0, -1);
			memcpy(at[n].id, ids[i], ID_MAX);
			p[n] = (struct pollfd){ .fd = at[n].s, .events = POLLIN };
			n++;
		}
		if (poll(p, n, 500) <= 0)
			continue;
		for (nfds_t k = 0; k < n; k++) {
			int r = p[k].revents ? ipc_answer(p[k].fd, &frame, &err) : 1;

			if (p[k].revents && r == 1 && frame.type == IPC_APPROVAL_ASK) {
				struct rd b = rd_init(frame.body, frame.len);
				cJSON *q = question(&b);

				cJSON_AddStringToObject(q, "session_id", at[k].id);
				answer(p[k].fd, q);
				cJSON_Delete(q);
			} else if (r == 0) {
				close(p[k].fd);
				n--;
				at[k] = at[n];
				p[k] = p[n];
				break;
			}
		}
	}
}

int cmd_approve(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "list"))
		return list();
	if (argc >= 2 && !strcmp(argv[1], "resolve"))
		return resolve(argc, argv);
	if (argc >= 2 && !strcmp(argv[1], "watch"))
		watch();
	return complain("usage: agentsh approve list | approve resolve ID --allow|--deny | approve watch");
}
