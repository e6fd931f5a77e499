/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint create|list|show|rollback|purge: points in time of a session, to which its workspace can be taken back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/trash.h"

#define MARKS_MAX 64

struct mark { char id[ID_MAX], reason[512]; uint64_t when; };
struct opts { const char *session, *reason, *id; bool json, dry, force, diff; uint64_t older_ms, keep; bool aged, counted; };
static struct ipc_frame frame;

/* gone: it is taken away. 1 when what is overwritten from now on is kept, 0 when not. */
static int mark(int s, bool gone, const char *id, const char *reason, struct err *err)
{
	uint8_t body[700];
	struct wr w = wr_init(body, sizeof(body));
	struct rd b;
	int r;

	wr_u8(&w, gone);
	wr_str(&w, id);
	wr_str(&w, reason);
	r = ipc_call(s, IPC_CHECKPOINT_SET, &w, -1, &frame, err);
	b = rd_init(frame.body, frame.len);
	return r < 0 ? r : rd_u8(&b);
}

/* Oldest first. */
static int marks(int s, struct mark *m, struct err *err)
{
	int r = ipc_call(s, IPC_CHECKPOINT_LIST, NULL, -1, &frame, err), n;
	struct rd b = rd_init(frame.body, frame.len);

	if (r < 0)
		return r;
	n = (int)rd_u32(&b);
	if (n < 0 || n > MARKS_MAX)
		return err_set(err, -EPROTO, "fsd's answer could not be read");
	for (int i = 0; i < n; i++) {
		rd_strcpy(&b, m[i].id, sizeof(m[i].id));
		rd_strcpy(&b, m[i].reason, sizeof(m[i].reason));
		m[i].when = rd_u64(&b);
	}
	return rd_done(&b) ? n : err_set(err, -EPROTO, "fsd's answer could not be read");
}

static cJSON *mark_json(const struct mark *m, const struct opts *o)
{
	cJSON *j = cJSON_CreateObject();
	char utc[UTC_MAX], text[UTC_MAX + 2];

	utc_text((int64_t)(m->when / 1000), utc);
	snprintf(text, sizeof(text), "%sZ", utc);
	cJSON_AddStringToObject(j, "id", m->id);
	cJSON_AddStringToObject(j, "session_id", o->session);
	cJSON_AddStringToObject(j, "reason", m->reason);
	cJSON_AddStringToObject(j, "created_at", text);
	return j;
}

static int create(int s, const struct opts *o)
{
	struct mark m = { .when = (uint64_t)time(NULL) * 1000 };
	struct err err = { 0 };
	int r;

	if (o->id)
		return complain("checkpoint create: unknown argument \"%s\"", o->id);
	id_new("cp-", m.id);
	snprintf(m.reason, sizeof(m.reason), "%s", o->reason);
	r = mark(s, false, m.id, m.reason, &err);
	if (r < 0)
		return complain("%s", err.msg);
	if (r == 0)
		fprintf(stderr, "agentsh: warning: no rule of the policy has undo: keep for what is written in the workspace: "
				"a rollback brings back what was deleted and replaced, not what was overwritten\n");
	if (o->json)
		print_json(mark_json(&m, o));
	else
		puts(m.id);
	return 0;
}

static int list(int s, const struct opts *o)
{
	static struct mark m[MARKS_MAX];
	struct err err = { 0 };
	int n = marks(s, m, &err);
	cJSON *all;

	if (n < 0)
		return complain("%s", err.msg);
	all = cJSON_CreateArray();
	for (int i = 0; i < n; i++) {
		char shown[1200], utc[UTC_MAX];

		utc_text((int64_t)(m[i].when / 1000), utc);
		if (o->json)
			cJSON_AddItemToArray(all, mark_json(&m[i], o));
		else
			printf("%s\t%sZ\t%s\n", m[i].id, utc, str_display(m[i].reason, strlen(m[i].reason), shown, sizeof(shown)));
	}
	if (o->json)
		print_json(all);
	else
		cJSON_Delete(all);
	return 0;
}

/* What happened since is what a rollback would take back. */
static int show(int s, const struct opts *o)
{
	static struct mark m[MARKS_MAX];
	struct err err = { 0 };
	int n = marks(s, m, &err), i = 0;

	if (n < 0)
		return complain("%s", err.msg);
	while (i < n && o->id && strcmp(m[i].id, o->id) != 0)
		i++;
	if (!o->id || i == n)
		return complain("checkpoint show needs the id of one: agentsh checkpoint list --session %s", o->session);
	if (o->diff)
		return undo_run(o->session, o->id, UNDO_SINCE | UNDO_DRY_RUN, o->json);
	print_json(mark_json(&m[i], o));
	return 0;
}

static int rollback(int s UNUSED, const struct opts *o)
{
	if (!o->id)
		return complain("checkpoint rollback needs the id of one: agentsh checkpoint list --session %s", o->session);
	return undo_run(o->session, o->id, UNDO_SINCE | (o->dry ? UNDO_DRY_RUN : 0u) | (o->force ? UNDO_FORCE : 0u), o->json);
}

static int purge(int s, const struct opts *o)
{
	static struct mark m[MARKS_MAX];
	uint64_t now = (uint64_t)time(NULL) * 1000;
	struct err err = { 0 };
	int n = marks(s, m, &err), done = 0;

	if (n >= 0 && !o->id && !o->aged && !o->counted)
		return complain("usage: agentsh checkpoint purge ID | --older-than D | --keep N [--dry-run] --session S");
	for (int i = 0; i < n; i++) {
		bool go = (o->id && !strcmp(m[i].id, o->id)) || (o->aged && m[i].when + o->older_ms < now) ||
			  (o->counted && (uint64_t)(n - i) > o->keep);
		int r = go && !o->dry ? mark(s, true, m[i].id, "", &err) : 0;

		if (r < 0)
			n = r;
		done += go && r >= 0;
	}
	if (n < 0)
		return complain("%s", err.msg);
	if (o->id && !done)
		return complain("there is no checkpoint %s", o->id);
	printf("%s %d checkpoint%s\n", o->dry ? "would remove" : "removed", done, done == 1 ? "" : "s");
	return 0;
}

static int parse(struct opts *o, int argc, char **argv)
{
	*o = (struct opts){ .session = getenv("AGENTSH_SESSION_ID"), .reason = "manual checkpoint" };
	for (int i = 0; i < argc && argv[i]; i++) {
		const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(a, "--session") && value)
			o->session = argv[++i];
		else if (!strcmp(a, "--reason") && value)
			o->reason = argv[++i];
		else if (!strcmp(a, "--older-than") && value && str_to_ms(value, &o->older_ms) == 0)
			o->aged = ++i;
		else if (!strcmp(a, "--keep") && value && str_to_u64(value, MARKS_MAX, &o->keep) == 0)
			o->counted = ++i;
		else if (!strcmp(a, "--json"))
			o->json = true;
		else if (!strcmp(a, "--dry-run"))
			o->dry = true;
		else if (!strcmp(a, "--force"))
			o->force = true;
		else if (!strcmp(a, "--diff"))
			o->diff = true;
		else if (a[0] == '-' || o->id)
			return complain("checkpoint: \"%s\" is unknown or lacks its value", a);
		else
			o->id = a;
	}
	if (!o->session)
		return complain("checkpoint needs --session S, or AGENTSH_SESSION_ID");
	if (strlen(o->reason) >= 500)
		return complain("checkpoint: the reason is longer than 500 bytes");
	return 0;
}

int cmd_checkpoint(int argc, char **argv)
{
	static const struct { const char *verb; int (*run)(int s, const struct opts *o); } verbs[] = {
		{ "create", create }, { "list", list }, { "show", show }, { "rollback", rollback }, { "purge", purge },
	};
	struct err err = { 0 };
	struct opts o;

	for (size_t i = 0; argc >= 2 && i < ARRAY_LEN(verbs); i++) {
		int s;

		if (strcmp(argv[1], verbs[i].verb) != 0)
			continue;
		if (parse(&o, argc - 2, argv + 2))
			return EXIT_ERROR;
		s = trash_connect(o.session, &err);
		return s < 0 ? complain("%s", err.msg) : verbs[i].run(s, &o);
	}
	return complain("usage: agentsh checkpoint create|list|show|rollback|purge: see agentsh checkpoint --help");
}
