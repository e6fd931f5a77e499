/* SPDX-License-Identifier: Apache-2.0 */
/* trash list|restore|purge|empty over this user's sessions, also those that have ended. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/trash.h"

#define ENTRIES_MAX 1000000
#define TOKEN_OK 35 /* 32 hexadecimal digits and ".ok" */

struct entry { char token[64], *path, session[ID_MAX], command[ID_MAX]; uint64_t size, when; uint32_t mode; };
struct entries { struct entry *v; size_t n; };
/* What the verbs take; tokens: the words that are no option. */
struct opts {
	const char *session, *dest, *command;
	bool force, all, json, dry, aged, sized;
	uint64_t ttl_ms, quota;
	char **tokens;
	int n_tokens;
};
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

/* Of several that lay at one path the last one first. */
static int by_path(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	return r ? r : (x->when < y->when) - (x->when > y->when);
}

static int by_age(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->when > y->when) - (x->when < y->when);
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
		int s = trash_connect(ids[i], err), r;

		if (s < 0) {
			if (session)
				return s;
			continue;
		}
		r = ipc_call(s, IPC_TRASH_LIST, NULL, -1, &frame, err);
		for (; r == 0 && (frame.flags & IPC_MORE); r = r == 1 ? 0 : r < 0 ? r : -ECONNRESET) {
			take(l, ids[i]);
			r = ipc_answer(s, &frame, err);
		}
		/* Half a list would look like a whole one. */
		if (r < 0)
			n = err->msg[0] ? r : err_set(err, r, "the list of %s ended too soon: %s", ids[i], strerror(-r));
	}
	if (l->n == ENTRIES_MAX)
		complain("more than %d entries: the rest is left out", ENTRIES_MAX);
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
	return n < 0 ? n : 0;
}

static unsigned kind_of(const struct entry *e)
{
	return e->mode >> IPC_TRASH_KIND & 15;
}

/* A lock, journal or temporary file, or what an undo put aside: only named when asked for, and restored by its token alone. */
static bool passing(const struct entry *e)
{
	return e->mode & IPC_TRASH_MADE_BY_IT || kind_of(e) == TRASH_ASIDE;
}

static cJSON *entry_json(const struct entry *e)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddStringToObject(j, "token", e->token);
	cJSON_AddStringToObject(j, "path", e->path);
	cJSON_AddStringToObject(j, "session_id", e->session);
	cJSON_AddStringToObject(j, "command_id", e->command);
	cJSON_AddStringToObject(j, "operation", trash_word(kind_of(e)));
	cJSON_AddNumberToObject(j, "size", (double)e->size);
	cJSON_AddBoolToObject(j, "made_by_same_command", (e->mode & IPC_TRASH_MADE_BY_IT) != 0);
	return j;
}

static int list(const struct opts *o)
{
	auto_entries l = { 0 };
	struct err err = { 0 };
	cJSON *all;

	if (o->n_tokens)
		return complain("trash list: unknown argument \"%s\"", o->tokens[0]);
	if (collect(&l, o->session, &err) < 0)
		return complain("%s", err.msg);
	all = cJSON_CreateArray();
	for (size_t i = 0; i < l.n; i++) {
		char shown[8192];

		if (passing(&l.v[i]) && !o->all)
			continue;
		if (o->json)
			cJSON_AddItemToArray(all, entry_json(&l.v[i]));
		else
			printf("%s\t%s\t%" PRIu64 " bytes\t%" PRIu64 "s ago%s%s\n", l.v[i].token,
			       str_display(l.v[i].path, strlen(l.v[i].path), shown, sizeof(shown)), l.v[i].size,
			       (uint64_t)time(NULL) - l.v[i].when / 1000, kind_of(&l.v[i]) ? "\t" : "",
			       kind_of(&l.v[i]) ? trash_word(kind_of(&l.v[i])) : "");
	}
	if (o->json)
		print_json(all);
	else
		cJSON_Delete(all);
	return 0;
}

/* -EEXIST: the name is taken, and nothing was said. */
static int restore_one(const struct entry *e, const struct opts *o, char *path, size_t cap)
{
	uint8_t body[8300];
	struct wr w = wr_init(body, sizeof(body));
	struct err err = { 0 };
	int s, r;
	struct rd b;

	snprintf(path, cap, "%s", o->dest ? o->dest : e->path);
	if (o->dry)
		return 0;
	s = trash_connect(e->session, &err);
	wr_str(&w, e->token);
	wr_str(&w, o->dest ? o->dest : "");
	wr_u8(&w, o->force);
	r = s < 0 ? s : ipc_call(s, IPC_TRASH_RESTORE, &w, -1, &frame, &err);
	if (r < 0 && !(r == -EEXIST && o->all))
		complain("%s", err.msg);
	if (r < 0)
		return r;
	b = rd_init(frame.body, frame.len);
	rd_strcpy(&b, path, cap);
	return 0;
}

static bool named(const struct opts *o, const struct entry *e)
{
	for (int i = 0; i < o->n_tokens; i++)
		if (!strcmp(o->tokens[i], e->token))
			return true;
	return false;
}

static int no_token(void)
{
	return complain("no such token: list them with: agentsh trash list (with --session for a session that has ended)");
}

static int restore(const struct opts *o)
{
	auto_entries l = { 0 };
	struct err err = { 0 };
	int bad = 0, done = 0, taken = 0;
	cJSON *all;

	if (o->all && !o->session)
		return complain("trash restore --all needs --session S: what other sessions deleted is theirs");
	if (collect(&l, o->session, &err) < 0)
		return complain("%s", err.msg);
	if (o->all && l.n == 0 && !o->json)
		return puts("nothing is in that session's trash") < 0;
	all = cJSON_CreateArray();
	/* In order of path: a directory comes before what was in it. */
	for (size_t k = 0; k < l.n; k++) {
		char path[4096], shown[8192];
		int r;

		if (!named(o, &l.v[k]) && (passing(&l.v[k]) || !(o->all || (o->command && !strcmp(l.v[k].command, o->command)))))
			continue;
		done++;
		r = restore_one(&l.v[k], o, path, sizeof(path));
		taken += r == -EEXIST && o->all;
		bad |= r < 0 && !(r == -EEXIST && o->all);
		if (r == 0 && o->json) {
			cJSON *j = entry_json(&l.v[k]);

			cJSON_AddStringToObject(j, "restored_to", path);
			cJSON_AddItemToArray(all, j);
		} else if (r == 0) {
			printf("%s to %s\n", o->dry ? "would be restored" : "restored",
			       str_display(path, strlen(path), shown, sizeof(shown)));
		}
	}
	if (o->json)
		print_json(all);
	else
		cJSON_Delete(all);
	if (done < o->n_tokens || (!done && !(o->all && o->json)))
		return no_token();
	if (taken)
		fprintf(stderr,
			"agentsh: %d earlier contents of names that are in use stay in the trash: "
			"give one back with its token and --dest or --force\n",
			taken);
	return bad;
}

static int purge_one(const struct entry *e)
{
	uint8_t body[128];
	struct wr w = wr_init(body, sizeof(body));
	struct err err = { 0 };
	int s = trash_connect(e->session, &err), r;

	wr_str(&w, e->token);
	r = s < 0 ? s : ipc_call(s, IPC_TRASH_PURGE, &w, -1, &frame, &err);
	return r < 0 ? complain("%s", err.msg) : 0;
}

/* purge: what is named, too old, or the oldest above a size; empty (o->all): everything. */
static int purge(const struct opts *o)
{
	auto_entries l = { 0 };
	struct err err = { 0 };
	uint64_t now = (uint64_t)time(NULL) * 1000 + 999, left = 0, freed = 0;
	int bad = 0, done = 0, found = 0;
	cJSON *j;

	if (!o->all && !o->n_tokens && !o->aged && !o->sized)
		return complain("usage: agentsh trash purge TOKEN... | --ttl D | --quota SIZE [--session S] [--dry-run] [--json]");
	if (collect(&l, o->session, &err) < 0)
		return complain("%s", err.msg);
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_age);
	for (size_t i = 0; i < l.n; i++)
		left += l.v[i].size;
	for (size_t i = 0; i < l.n; i++) {
		bool old = o->aged && l.v[i].when + o->ttl_ms < now, much = o->sized && left > o->quota;

		found += named(o, &l.v[i]);
		if (!o->all && !named(o, &l.v[i]) && !old && !much)
			continue;
		if (!o->dry && purge_one(&l.v[i])) {
			bad = EXIT_ERROR;
			continue;
		}
		left -= l.v[i].size;
		freed += l.v[i].size;
		done++;
	}
	if (found < o->n_tokens)
		bad = no_token();
	if (!o->json) {
		printf("%s %d entr%s\n", o->dry ? "would remove" : "removed", done, done == 1 ? "y" : "ies");
		return bad;
	}
	j = cJSON_CreateObject();
	cJSON_AddNumberToObject(j, "removed", done);
	cJSON_AddNumberToObject(j, "bytes", (double)freed);
	cJSON_AddBoolToObject(j, "dry_run", o->dry);
	print_json(j);
	return bad;
}

static const struct option {
	const char *name, *verbs;     /* first letters of the verbs that take it */
	bool value;
} options[] = {
	{ "--session", "lrpe", true }, { "--json", "lrpe", false }, { "--all", "lr", false },  { "--dest", "r", true },
	{ "--command", "r", true },    { "--force", "r", false },   { "--dry-run", "rpe", false }, { "--ttl", "p", true },
	{ "--quota", "p", true },
};

static int set(struct opts *o, const char *name, const char *value)
{
	switch (name[2]) {
	case 's':
		o->session = value;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'a':
		o->all = true;
		return 0;
	case 'c':
		o->command = value;
		return 0;
	case 'f':
		o->force = true;
		return 0;
	case 't':
		o->aged = true;
		return str_to_ms(value, &o->ttl_ms);
	case 'q':
		o->sized = true;
		return trash_size(value, &o->quota);
	default:
		if (!strcmp(name, "--dry-run"))
			o->dry = true;
		else
			o->dest = value;
		return 0;
	}
}

/* Leaves the words that are no option in argv, from its begin. */
static int parse(struct opts *o, const char *verb, int argc, char **argv)
{
	*o = (struct opts){ .tokens = argv };
	for (int i = 0; i < argc; i++) {
		const struct option *k = NULL;
		const char *name = argv[i];

		if (name[0] != '-') {
			o->tokens[o->n_tokens++] = argv[i];
			continue;
		}
		for (size_t n = 0; n < ARRAY_LEN(options) && !k; n++)
			if (!strcmp(name, options[n].name) && strchr(options[n].verbs, verb[0]))
				k = &options[n];
		if (!k)
			return complain("trash %s: unknown option \"%s\"", verb, name);
		if (k->value && i + 1 == argc)
			return complain("trash %s: %s needs a value", verb, name);
		if (set(o, name, k->value ? argv[++i] : NULL) < 0)
			return complain("trash %s: %s \"%s\" is not understood", verb, name, argv[i]);
	}
	return 0;
}

int cmd_trash(int argc, char **argv)
{
	static const struct { const char *verb; int (*run)(const struct opts *o); } verbs[] = {
		{ "list", list }, { "restore", restore }, { "purge", purge }, { "empty", purge },
	};
	struct opts o;

	for (size_t i = 0; argc >= 2 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(argv[1], verbs[i].verb) != 0)
			continue;
		if (parse(&o, argv[1], argc - 2, argv + 2))
			return EXIT_ERROR;
		if (argv[1][0] == 'e' && o.n_tokens)
			return complain("trash empty takes no token: agentsh trash purge does");
		o.all |= argv[1][0] == 'e';
		return verbs[i].run(&o);
	}
	return complain("usage: agentsh trash list|restore|purge|empty: see agentsh trash --help");
}
