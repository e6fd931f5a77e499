/* SPDX-License-Identifier: Apache-2.0 */
/* session update: another policy for a session that runs. Each daemon opens and checks it before any takes it; execd sees to the rest. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "cli/cmd.h"
#include "cli/trust.h"

#define ANSWER_S 60   /* for a daemon to open a policy of the largest size, or to say that another does not answer */

static struct ipc_frame frame;
static const char *const daemons[] = { "execd", "fsd", "netd" };

struct updating {
	const char *id, *policy;
	int sock[3], fd;
	char workspace[4096], was[256], chosen[256];
	uint8_t hash[32];
	uint64_t number;        /* that it will have */
};

static int ask_now(struct updating *u, struct err *err)
{
	char id[ID_MAX], hash[65];
	int r = ipc_call(u->sock[0], IPC_INFO, NULL, -1, &frame, err);
	struct rd b = rd_init(frame.body, frame.len);

	if (r < 0)
		return r;
	rd_strcpy(&b, id, sizeof(id));
	rd_strcpy(&b, u->was, sizeof(u->was));
	rd_strcpy(&b, u->workspace, sizeof(u->workspace));
	rd_u64(&b);
	rd_u32(&b);
	rd_u32(&b);
	rd_strcpy(&b, hash, sizeof(hash));
	u->number = rd_u64(&b) + 1;
	return rd_done(&b) ? 0 : err_set(err, -EPROTO, "execd's answer could not be read");
}

static int prepare(struct updating *u, size_t i, struct err *err)
{
	uint8_t body[400];
	struct wr w = wr_init(body, sizeof(body));
	int r;

	wr_bytes(&w, u->hash, sizeof(u->hash));
	wr_u64(&w, u->number);
	wr_str(&w, u->chosen);
	r = ipc_call(u->sock[i], IPC_POLICY_PREPARE, &w, u->fd, &frame, err);
	return r < 0 ? err_wrap(err, r, "%s", daemons[i]) : 0;
}

static int commit(struct updating *u, struct err *err)
{
	uint8_t body[64];
	struct wr w = wr_init(body, sizeof(body));

	wr_u64(&w, u->number);
	wr_bytes(&w, u->hash, sizeof(u->hash));
	return ipc_call(u->sock[0], IPC_POLICY_COMMIT, &w, -1, &frame, err);
}

/* 0, or negative errno with words that say what the session has now. */
static int update(struct updating *u, bool wait, struct err *err)
{
	const struct timeval limit = { .tv_sec = ANSWER_S };
	struct err why = { 0 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(daemons) && r >= 0; i++) {
		r = u->sock[i] = client_attach(daemons[i], u->id, err);
		if (r >= 0)
			setsockopt(r, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	}
	if (r >= 0)
		r = ask_now(u, err);
	if (r >= 0)
		r = trust_choose(u->policy, u->chosen, sizeof(u->chosen), err);
	if (r >= 0)
		r = policy_load(u->chosen, u->workspace, &u->fd, u->hash, POLICY_SAYS_NOTHING, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(daemons) && r >= 0; i++)
		r = prepare(u, i, &why);
	if (r >= 0 && (r = commit(u, &why)) == -ECONNRESET)
		return err_set(err, r, "session %s ended while its policy was replaced: %s", u->id,
			       client_attach("execd", u->id, &why) < 0 ? why.msg : "its daemon closed the connection");
	if (r < 0)
		return err_set(err, r, "session %s keeps policy %s: %s", u->id, u->was, why.msg);
	/* The new policy judges already; what the kernel remembers of look-ups by the old one is a matter of a second. */
	if (wait && ipc_call(u->sock[1], IPC_POLICY_SETTLED, NULL, -1, &frame, &why) < 0)
		return err_set(err, why.status, "session %s has policy %s now; waiting for the kernel's look-ups failed: %s", u->id,
			       u->chosen, why.msg);
	return 0;
}

static void show(const struct updating *u, bool json)
{
	char hash[65];
	cJSON *j;

	hex_encode(u->hash, sizeof(u->hash), hash);
	if (!json) {
		printf("Session %s: policy %s, generation %" PRIu64 "\n", u->id, u->chosen, u->number);
		return;
	}
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "id", u->id);
	cJSON_AddStringToObject(j, "policy", u->chosen);
	cJSON_AddStringToObject(j, "policy_hash", hash);
	cJSON_AddNumberToObject(j, "generation", (double)u->number);
	print_json(j);
}

int session_update(int argc, char **argv)
{
	struct updating u = { .sock = { -1, -1, -1 }, .fd = -1 };
	bool json = !isatty(STDOUT_FILENO), wait = true;
	struct err err = { 0 };
	int r;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--policy") && i + 1 < argc)
			u.policy = argv[++i];
		else if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--no-wait"))
			wait = false;
		else if (argv[i][0] != '-' && !u.id)
			u.id = argv[i];
		else
			return complain("session update: unknown argument \"%s\"", argv[i]);
	}
	if (!u.id || !u.policy)
		return complain("usage: agentsh session update ID --policy P [--json] [--no-wait]");
	if (getenv("AGENTSH_IN_SESSION"))
		return complain("this is inside a session: its policy is changed from outside");
	r = update(&u, wait, &err);
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++)
		if (u.sock[i] >= 0)
			close(u.sock[i]);
	if (u.fd >= 0)
		close(u.fd);
	if (r < 0)
		return complain("%s", err.msg);
	show(&u, json);
	return 0;
}
