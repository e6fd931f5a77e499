/* SPDX-License-Identifier: Apache-2.0 */
/* events tail|query: lines of JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"

#define FOLLOW_US 200000

static void print_line(const cJSON *e)
{
	char *t = cJSON_PrintUnformatted(e);

	if (t)
		puts(t);
	cJSON_free(t);
}

static int tail(const char *id, bool follow)
{
	char seen[40] = "", seen_id[ID_MAX] = "";
	struct err err = { 0 };

	for (;;) {
		cJSON *all = events_read(id, NULL, NULL), *e;

		cJSON_ArrayForEach(e, all) {
			const char *at = cJSON_GetStringValue(cJSON_GetObjectItem(e, "timestamp"));
			const char *eid = cJSON_GetStringValue(cJSON_GetObjectItem(e, "id"));

			if (!at || !eid || strcmp(at, seen) < 0 || !strcmp(eid, seen_id))
				continue;
			print_line(e);
			snprintf(seen, sizeof(seen), "%s", at);
			snprintf(seen_id, sizeof(seen_id), "%s", eid);
		}
		if (!cJSON_GetArraySize(all) && client_attach("execd", id, &err) < 0) {
			cJSON_Delete(all);
			return complain("%s", err.msg);
		}
		cJSON_Delete(all);
		fflush(stdout);
		if (!follow)
			return 0;
		usleep(FOLLOW_US);
	}
}

struct query { const char *type, *decision, *path; long limit; };

static bool listed(const char *word, const char *list)
{
	size_t n = strlen(word);

	for (const char *p = list; p && *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ','))
		if (strcspn(p, ",") == n && !strncmp(p, word, n))
			return true;
	return false;
}

static bool fits(const cJSON *e, const struct query *q)
{
	const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(e, "type"));
	const cJSON *p = cJSON_GetObjectItem(e, "policy");
	const char *decision = cJSON_GetStringValue(cJSON_GetObjectItem(p, "effective_decision"));
	const char *word = cJSON_GetStringValue(cJSON_GetObjectItem(p, "decision"));
	const char *path = cJSON_GetStringValue(cJSON_GetObjectItem(e, "path"));

	if (q->type && (!type || !listed(type, q->type)))
		return false;
	if (q->decision && !(decision && !strcmp(decision, q->decision)) && !(word && !strcmp(word, q->decision)))
		return false;
	return !q->path || (path && strstr(path, q->path));
}

int cmd_events(int argc, char **argv)
{
	static char ids[256][ID_MAX];
	struct query q = { .limit = 200 };
	const char *session = NULL;
	struct err err = { 0 };
	uint64_t limit;
	int n = 1;

	if (argc >= 3 && !strcmp(argv[1], "tail"))
		return tail(argv[2], argc > 3 && !strcmp(argv[3], "--follow"));
	if (argc < 2 || strcmp(argv[1], "query") != 0)
		return complain("usage: agentsh events tail SID [--follow] | events query [--session S] [--type A,B] [--decision D] "
				"[--path-like P]");
	if (argc % 2)
		return complain("events query: \"%s\" needs a value", argv[argc - 1]);
	for (int i = 2; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--session"))
			session = argv[i + 1];
		else if (!strcmp(argv[i], "--type"))
			q.type = argv[i + 1];
		else if (!strcmp(argv[i], "--decision"))
			q.decision = argv[i + 1];
		else if (!strcmp(argv[i], "--path-like"))
			q.path = argv[i + 1];
		else if (!strcmp(argv[i], "--limit") && str_to_u64(argv[i + 1], 1000000, &limit) == 0)
			q.limit = (long)limit;
		else
			return complain("events query: \"%s %s\" is not understood", argv[i], argv[i + 1]);
	}
	if (session)
		snprintf(ids[0], ID_MAX, "%.60s", session);
	else
		n = client_list_mounts(ids, ARRAY_LEN(ids), &err);
	if (n < 0)
		return complain("%s", err.msg);
	for (int i = 0; i < n; i++) {
		cJSON *all = events_read(ids[i], NULL, NULL), *e;

		long skip = -q.limit;

		cJSON_ArrayForEach(e, all)
			skip += fits(e, &q);
		if (skip > 0)
			fprintf(stderr, "agentsh: the newest %ld of %ld events; more with --limit N\n", q.limit, q.limit + skip);
		cJSON_ArrayForEach(e, all)
			if (fits(e, &q) && skip-- <= 0)
				print_line(e);
		cJSON_Delete(all);
	}
	return 0;
}
