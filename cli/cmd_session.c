/* SPDX-License-Identifier: Apache-2.0 */
/* session create|list|info|destroy, run, kill; session update is in session_update.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cmd.h"

#define LIST_MAX 256

static struct ipc_frame frame;

static void when(uint64_t ms, char out[40])
{
	char utc[UTC_MAX];

	utc_text((int64_t)(ms / 1000), utc);
	snprintf(out, 40, "%sZ", utc);
}

static int create(int argc, char **argv)
{
	const char *workspace = ".", *policy = NULL;
	bool json = !isatty(STDOUT_FILENO), verbose = false;
	struct made_session m;
	struct err err = { 0 };
	char now[40];
	cJSON *j;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--workspace") && i + 1 < argc)
			workspace = argv[++i];
		else if (!strcmp(argv[i], "--policy") && i + 1 < argc)
			policy = argv[++i];
		else if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "-v") || !strcmp(argv[i], "--verbose"))
			verbose = true;
		else
			return complain("session create: unknown argument \"%s\"", argv[i]);
	}
	if (session_make(workspace, policy, verbose, &m, &err) < 0)
		return complain("%s", err.msg);
	if (!json) {
		printf("Session %s started\n  Workspace: %s (also /workspace)\n  Policy: %s\n\nExport for agent:\n  export "
		       "AGENTSH_SESSION_ID=%s\n",
		       m.id, m.workspace, m.policy, m.id);
		return 0;
	}
	when((uint64_t)time(NULL) * 1000, now);
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "id", m.id);
	cJSON_AddStringToObject(j, "state", "ready");
	cJSON_AddStringToObject(j, "created_at", now);
	cJSON_AddStringToObject(j, "workspace", m.workspace);
	cJSON_AddStringToObject(j, "workspace_mount", "/workspace");
	cJSON_AddStringToObject(j, "policy", m.policy);
	cJSON_AddStringToObject(j, "policy_hash", m.hash);
	cJSON_AddStringToObject(j, "cwd", "/workspace");
	print_json(j);
	return 0;
}

cJSON *session_info(const char *id, struct err *err)
{
	char sid[ID_MAX], policy[256], workspace[4096], hash[65], at[40];
	int s = client_attach("execd", id, err), r;
	uint64_t created, generation;
	uint32_t uid, running;
	struct rd b;
	cJSON *j;

	if (s < 0)
		return NULL;
	r = ipc_call(s, IPC_INFO, NULL, -1, &frame, err);
	close(s);
	if (r < 0)
		return NULL;
	b = rd_init(frame.body, frame.len);
	rd_strcpy(&b, sid, sizeof(sid));
	rd_strcpy(&b, policy, sizeof(policy));
	rd_strcpy(&b, workspace, sizeof(workspace));
	created = rd_u64(&b);
	uid = rd_u32(&b);
	running = rd_u32(&b);
	rd_strcpy(&b, hash, sizeof(hash));
	generation = rd_u64(&b);
	when(created, at);
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "id", sid);
	cJSON_AddStringToObject(j, "state", running ? "busy" : "ready");
	cJSON_AddStringToObject(j, "created_at", at);
	cJSON_AddStringToObject(j, "workspace", workspace);
	cJSON_AddStringToObject(j, "workspace_mount", "/workspace");
	cJSON_AddStringToObject(j, "policy", policy);
	cJSON_AddStringToObject(j, "policy_hash", hash);
	cJSON_AddNumberToObject(j, "generation", (double)generation);
	cJSON_AddNumberToObject(j, "uid", uid);
	cJSON_AddNumberToObject(j, "running_commands", running);
	return j;
}

static int list(void)
{
	static char ids[LIST_MAX][ID_MAX];
	struct err err = { 0 };
	int n = client_list(ids, LIST_MAX, &err);
	cJSON *all;

	if (n < 0)
		return complain("%s", err.msg);
	all = cJSON_CreateArray();
	for (int i = 0; i < n; i++) {
		cJSON *j = session_info(ids[i], &err);

		if (j)
			cJSON_AddItemToArray(all, j);
	}
	print_json(all);
	return 0;
}

static int destroy(const char *id)
{
	struct err err = { 0 };
	int s = client_attach("execd", id, &err), r;

	if (s < 0)
		return complain("%s", err.msg);
	r = ipc_call(s, IPC_DESTROY, NULL, -1, &frame, &err);
	close(s);
	if (r < 0)
		return complain("%s", err.msg);
	return 0;
}

static const struct { const char *name, *args, *about; } verbs[] = {
	{ "create", " [--workspace DIR] [--policy NAME|FILE] [--json] [--verbose]",
	  "  --workspace DIR      the workspace; without it the current directory\n"
	  "  --policy NAME|FILE   the policy; without it AGENTSH_POLICY_NAME or the configuration's (policies.default)\n"
	  "  --json               as JSON; so it is, too, when the output is no terminal\n"
	  "  --verbose, -v        all of the policy's warnings, not only those about what no daemon enforces\n" },
	{ "list", "", "  All sessions as JSON, each as info has it.\n" },
	{ "info", " ID", "  The session as JSON: workspace, policy (of a file its real path), generation, commands that run.\n" },
	{ "update", " ID --policy NAME|FILE [--json] [--no-wait]",
	  "  --policy NAME|FILE   the policy that judges from the next request on\n"
	  "  --json               as JSON; so it is, too, when the output is no terminal\n"
	  "  --no-wait            does not wait until the kernel's look-ups by the last policy are forgotten (a second)\n"
	  "\n"
	  "  Refused, and nothing changed, when the policy is bad, when it opens or closes whole system trees otherwise than the\n"
	  "  last one, or when its rules tell programs apart by other names (processes) or depths (context).\n" },
	{ "destroy", " ID", "  Ends the session and all that runs in it. Its records and its trash stay.\n" },
};

/* --help of a verb or, without one, of all. */
static bool helped(int argc, char **argv)
{
	bool wanted = false, one = false;

	for (int i = 1; i < argc; i++)
		wanted |= !strcmp(argv[i], "--help") || !strcmp(argv[i], "-h");
	for (size_t k = 0; wanted && k < ARRAY_LEN(verbs); k++)
		if (!strcmp(argv[1], verbs[k].name)) {
			printf("usage: agentsh session %s%s\n\n%s", verbs[k].name, verbs[k].args, verbs[k].about);
			one = true;
		}
	for (size_t k = 0; wanted && !one && k < ARRAY_LEN(verbs); k++)
		printf("%s agentsh session %s%s\n", k ? "      " : "usage:", verbs[k].name, verbs[k].args);
	return wanted;
}

int cmd_session(int argc, char **argv)
{
	struct err err = { 0 };
	cJSON *j;

	if (helped(argc, argv))
		return 0;

	if (argc >= 2 && !strcmp(argv[1], "create"))
		return create(argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "list"))
		return list();
	if (argc >= 3 && !strcmp(argv[1], "info")) {
		j = session_info(argv[2], &err);
		if (!j)
			return complain("%s", err.msg);
		print_json(j);
		return 0;
	}
	if (argc >= 3 && !strcmp(argv[1], "destroy")) {
		int r = destroy(argv[2]);

		if (r == 0)
			puts("ok");
		return r;
	}
	if (argc >= 2 && !strcmp(argv[1], "update"))
		return session_update(argc - 1, argv + 1);
	if (argc >= 2 && (!strcmp(argv[1], "attach") || !strcmp(argv[1], "logs")))
		return complain("\"session %s\" is not built yet: see the table in README.md", argv[1]);
	return complain("usage: agentsh session create|list|info ID|update ID --policy P|destroy ID");
}

int cmd_kill(int argc, char **argv)
{
	uint8_t body[128];
	struct wr w = wr_init(body, sizeof(body));
	struct err err = { 0 };
	int s, r;

	if (argc < 2)
		return complain("usage: agentsh kill SID [CMDID]");
	s = client_attach("execd", argv[1], &err);
	if (s < 0)
		return complain("%s", err.msg);
	wr_str(&w, argc > 2 ? argv[2] : "");
	r = ipc_call(s, IPC_KILL, &w, -1, &frame, &err);
	close(s);
	return r < 0 ? complain("%s", err.msg) : puts("ok") < 0;
}

static void report(const char *id)
{
	cJSON *events = events_read(id, NULL, NULL), *e;
	int blocked = 0, deleted = 0, all = 0;

	cJSON_ArrayForEach(e, events) {
		const cJSON *p = cJSON_GetObjectItem(e, "policy");
		const char *eff = cJSON_GetStringValue(cJSON_GetObjectItem(p, "effective_decision"));
		const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(e, "type"));

		all++;
		blocked += eff && !strcmp(eff, "deny");
		deleted += type && !strcmp(type, "file_soft_deleted");
	}
	fprintf(stderr, "agentsh: %d events, %d blocked, %d soft-deleted; records: %s/sessions/%s\n", all, blocked, deleted, dirs_data(),
		id);
	cJSON_Delete(events);
}

int cmd_run(int argc, char **argv)
{
	const char *workspace = ".", *policy = NULL;
	struct exec_opts o = { .events = "none" };
	struct made_session m;
	struct err err = { 0 };
	int code, bound;

	for (int i = 1; i < argc && !o.argv; i++) {
		if (!strcmp(argv[i], "--workspace") && i + 1 < argc)
			workspace = argv[++i];
		else if (!strcmp(argv[i], "--policy") && i + 1 < argc)
			policy = argv[++i];
		else if (!strcmp(argv[i], "--")) {
			o.argv = argv + i + 1;
			o.argc = argc - i - 1;
		} else
			return complain("run: unknown argument \"%s\" (the command follows --)", argv[i]);
	}
	if (o.argc < 1)
		return complain("usage: agentsh run [--policy P] [--workspace D] -- CMD...");
	if (session_make(workspace, policy, false, &m, &err) < 0)
		return complain("%s", err.msg);
	/* Open until this process ends, however it does: a closed terminal leaves no session behind. */
	bound = client_attach("execd", m.id, &err);
	if (bound < 0 || ipc_call(bound, IPC_BIND, NULL, -1, &frame, &err) < 0)
		return complain("%s", err.msg);
	code = exec_run(m.id, &o);
	destroy(m.id);
	close(bound);
	report(m.id);
	return code;
}
