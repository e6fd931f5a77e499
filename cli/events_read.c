/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a session's three event files and merges them by time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cmd.h"

#define EVENTS_MAX 50000   /* per answer; the newest are kept */

struct one { cJSON *j; const char *at; size_t order; };
struct many { struct one *v; size_t n, cap; };

static int by_time(const void *a, const void *b)
{
	const struct one *x = a, *y = b;
	int r = strcmp(x->at, y->at);

	return r ? r : x->order < y->order ? -1 : x->order > y->order;
}

static void add(struct many *m, cJSON *j)
{
	const char *at = cJSON_GetStringValue(cJSON_GetObjectItem(j, "timestamp"));

	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 256;
		struct one *v = realloc(m->v, cap * sizeof(*v));

		if (!v) {
			cJSON_Delete(j);
			return;
		}
		m->v = v;
		m->cap = cap;
	}
	m->v[m->n] = (struct one){ j, at ? at : "", m->n };
	m->n++;
}

static const char *const sources[EVENT_SOURCES] = { "execd", "fsd", "netd" };

static void path_of(const char *id, const char *source, char path[4400])
{
	snprintf(path, 4400, "%s/sessions/%s/events-%s.jsonl", dirs_data(), id, source);
}

void events_note(const char *id, struct events_from *ret)
{
	char path[4400];
	struct stat st;

	for (size_t i = 0; i < EVENT_SOURCES; i++) {
		path_of(id, sources[i], path);
		ret->at[i] = stat(path, &st) == 0 ? st.st_size : 0;
	}
}

static void read_file(struct many *m, const char *id, const char *source, const char *command, int64_t from)
{
	char path[4400], *line = NULL;
	size_t cap = 0;
	FILE *f;

	path_of(id, source, path);
	f = fopen(path, "re");
	if (f && fseeko(f, from, SEEK_SET) < 0) {
		fclose(f);
		return;
	}
	while (f && getline(&line, &cap, f) > 0) {
		cJSON *j;

		/* Cheap look before the parse: most lines are of other commands. */
		if (command && !strstr(line, command))
			continue;
		j = cJSON_Parse(line);
		if (!j)
			continue;
		if (command) {
			const char *c = cJSON_GetStringValue(cJSON_GetObjectItem(j, "command_id"));

			if (!c || strcmp(c, command) != 0) {
				cJSON_Delete(j);
				continue;
			}
		}
		add(m, j);
	}
	free(line);
	if (f)
		fclose(f);
}

cJSON *events_read(const char *id, const char *command_id, const struct events_from *from)
{
	struct many m = { 0 };
	cJSON *all = cJSON_CreateArray();

	if (!id_valid(id))
		return all;
	for (size_t i = 0; i < EVENT_SOURCES; i++)
		read_file(&m, id, sources[i], command_id, from ? from->at[i] : 0);
	if (m.n)
		qsort(m.v, m.n, sizeof(*m.v), by_time);
	for (size_t i = 0; i < m.n; i++) {
		if (m.n - i > EVENTS_MAX)
			cJSON_Delete(m.v[i].j);
		else
			cJSON_AddItemToArray(all, m.v[i].j);
	}
	free(m.v);
	return all;
}
