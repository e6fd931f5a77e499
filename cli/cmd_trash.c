/* SPDX-License-Identifier: Apache-2.0 */
/* trash list|restore over this user's sessions, also those that have ended. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cmd.h"

#define ENTRIES_MAX 100000
#define SESSIONS_MAX 1024
#define TRIES 20
#define TRY_US 20000
#define TOKEN_OK 35 /* 32 hexadecimal digits and ".ok" */

struct entry { char token[64], *path, session[ID_MAX], command[ID_MAX]; uint64_t size, when; uint32_t mode; };
struct entries { struct entry *v; size_t n; };
static struct ipc_frame frame;

LEAKS_UNSEEN_BEGIN /* the paths belong to l->v: entries_fini */
static void take(struct entries *l, const char *session)
{
	struct rd b = rd_init(frame.body, frame.len);
	uint32_t n = rd_u32(&b);

	while (n-- && !b.bad && l->n < ENTRIES_MAX) {
		struct entry e = { 0 }, *more;
		char path[4096];

		rd_strcpy(&b, e.token, sizeof(e.token));
		rd_strcpy(&b, path, sizeof(path));
		e.size = rd_u64(&b);
		e.when = rd_u64(&b);
		e.mode = rd_u32(&b);
		rd_strcpy(&b, e.command, sizeof(e.command));
		snprintf(e.session, sizeof(e.session), "%s", session);
		e.path = strdup(path);
		more = realloc(l->v, (l->n + 1) * sizeof(e));
		if (!more || !e.path)
			abort();
		l->v = more;
		l->v[l->n++] = e;
	}
}
LEAKS_UNSEEN_END

static void entries_fini(struct entries *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].path);
	free(l->v);
}
#define auto_entries __attribute__((cleanup(entries_fini))) struct entries

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
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

/* One connection per session for the whole command: the worker for an ended session ends with it. Not to be closed. */
static int trash_connect(const char *id, struct err *err)
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

static bool keeps_something(const char *id)
{
	char path[4400];
	struct dirent *f;
	bool found = false;
	DIR *t;

	snprintf(path, sizeof(path), "%s/sessions/%s/trash", dirs_data(), id);
	t = opendir(path);
	if (!t)
		return false;
	while (!found && (f = readdir(t)))
		found = strlen(f->d_name) == TOKEN_OK && !strcmp(f->d_name + TOKEN_OK - 3, ".ok");
	closedir(t);
	return found;
}

/* Sessions that have ended and keep something: only root may look; others name theirs. */
static int ended(char ids[][ID_MAX], int n, int max)
{
	char path[4400];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/sessions", dirs_data());
	d = opendir(path);
	if (!d)
		return n;
	while (n < max && (e = readdir(d))) {
		bool known = !id_valid(e->d_name);

		for (int i = 0; i < n && !known; i++)
			known = !strcmp(ids[i], e->d_name);
		if (!known && keeps_something(e->d_name))
			snprintf(ids[n++], ID_MAX, "%.60s", e->d_name);
	}
	closedir(d);
	return n;
}

static int collect(struct entries *l, const char *session, struct err *err)
{
	static char ids[SESSIONS_MAX][ID_MAX];
	int n = 1;

	if (session)
		snprintf(ids[0], ID_MAX, "%.60s", session);
	else
		n = client_list_mounts(ids, SESSIONS_MAX, err);
	if (!session && n >= 0)
		n = ended(ids, n, SESSIONS_MAX);
	for (int i = 0; i < n; i++) {
		int s = trash_connect(ids[i], err);

		if (s < 0) {
			if (session)
				return s;
			continue;
		}
		ipc_send(s, IPC_TRASH_LIST, 0, 1, NULL, 0, -1);
		while (ipc_answer(s, &frame, err) == 1 && (frame.flags & IPC_MORE))
			take(l, ids[i]);
	}
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
	return n < 0 ? n : 0;
}

/* A lock, journal or temporary file: only named when asked for, and restored by its token alone. */
static bool made_by_it(const struct entry *e)
{
	return e->mode & IPC_TRASH_MADE_BY_IT;
}

static int list(const char *session, bool json, bool passing)
{
	auto_entries l = { 0 };
	struct err err = { 0 };
	cJSON *all;

	if (collect(&l, session, &err) < 0)
		return complain("%s", err.msg);
	all = cJSON_CreateArray();
	for (size_t i = 0; i < l.n; i++) {
		char shown[8192];
		cJSON *j;

		if (made_by_it(&l.v[i]) && !passing)
			continue;
		if (!json) {
			printf("%s\t%s\t%" PRIu64 " bytes\t%" PRIu64 "s ago\n", l.v[i].token,
			       str_display(l.v[i].path, strlen(l.v[i].path), shown, sizeof(shown)), l.v[i].size,
			       (uint64_t)time(NULL) - l.v[i].when / 1000);
			continue;
		}
		j = cJSON_CreateObject();
		cJSON_AddStringToObject(j, "token", l.v[i].token);
		cJSON_AddStringToObject(j, "path", l.v[i].path);
		cJSON_AddStringToObject(j, "session_id", l.v[i].session);
		cJSON_AddStringToObject(j, "command_id", l.v[i].command);
		cJSON_AddNumberToObject(j, "size", (double)l.v[i].size);
		cJSON_AddBoolToObject(j, "made_by_same_command", made_by_it(&l.v[i]));
		cJSON_AddItemToArray(all, j);
	}
	if (json)
		print_json(all);
	else
		cJSON_Delete(all);
	return 0;
}

/* *taken, where it may be NULL, counts the names that something new has taken: those are no error of restoring all. */
static int restore_one(const struct entry *e, const char *dest, bool force, int *taken)
{
	uint8_t body[8300];
	struct wr w = wr_init(body, sizeof(body));
	struct err err = { 0 };
	char path[4096], shown[8192];
	int s = trash_connect(e->session, &err), r;
	struct rd b;

	if (s < 0)
		return complain("%s", err.msg);
	wr_str(&w, e->token);
	wr_str(&w, dest ? dest : "");
	wr_u8(&w, force);
	r = ipc_call(s, IPC_TRASH_RESTORE, &w, -1, &frame, &err);
	if (r == -EEXIST && taken) {
		(*taken)++;
		return 0;
	}
	if (r < 0)
		return complain("%s", err.msg);
	b = rd_init(frame.body, frame.len);
	rd_strcpy(&b, path, sizeof(path));
	printf("restored to %s\n", str_display(path, strlen(path), shown, sizeof(shown)));
	return 0;
}

static int restore(int argc, char **argv)
{
	const char *session = NULL, *dest = NULL, *command = "";
	bool force = false, all = false;
	auto_entries l = { 0 };
	struct err err = { 0 };
	int bad = 0, done = 0, wanted = 0, taken = 0;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--session") && i + 1 < argc)
			session = argv[++i];
		else if (!strcmp(argv[i], "--dest") && i + 1 < argc)
			dest = argv[++i];
		else if (!strcmp(argv[i], "--command") && i + 1 < argc)
			command = argv[++i];
		else if (!strcmp(argv[i], "--force"))
			force = true;
		else if (!strcmp(argv[i], "--all"))
			all = true;
		else if (argv[i][0] == '-')
			return complain("trash restore: unknown option \"%s\"", argv[i]);
		else
			wanted++;
	}
	if (all && !session)
		return complain("trash restore --all needs --session S: what other sessions deleted is theirs");
	if (collect(&l, session, &err) < 0)
		return complain("%s", err.msg);
	if (all && l.n == 0)
		return puts("nothing is in that session's trash") < 0;
	/* In order of path: a directory comes before what was in it. */
	for (size_t k = 0; k < l.n; k++) {
		bool take_it = (all || (*command && !strcmp(l.v[k].command, command))) && !made_by_it(&l.v[k]);

		for (int i = 0; i < argc && !take_it; i++)
			take_it = !strcmp(argv[i], l.v[k].token);
		if (!take_it)
			continue;
		done++;
		bad |= restore_one(&l.v[k], dest, force, all ? &taken : NULL);
	}
	if (done < wanted || !done)
		return complain("no such token: list them with: agentsh trash list (with --session for a session that has ended)");
	if (taken)
		fprintf(stderr,
			"agentsh: %d earlier contents of names that are in use stay in the trash: "
			"give one back with its token and --dest or --force\n",
			taken);
	return bad;
}

int cmd_trash(int argc, char **argv)
{
	const char *session = NULL;
	bool json = false, passing = false;

	if (argc >= 3 && !strcmp(argv[1], "restore"))
		return restore(argc - 2, argv + 2);
	if (argc < 2 || strcmp(argv[1], "list") != 0)
		return complain(
			"usage: agentsh trash list [--session S] [--json] | trash restore TOKEN... (purge and empty are not built yet)");
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--session") && i + 1 < argc)
			session = argv[++i];
		else if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "--all"))
			passing = true;
		else
			return complain("trash list: unknown argument \"%s\"", argv[i]);
	}
	return list(session, json, passing);
}
