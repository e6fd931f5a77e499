/* SPDX-License-Identifier: Apache-2.0 */
/* policy validate: what is wrong with policies, and what in them is not what was meant. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/policy_cmd.h"
#include "common/buf.h"
#include "policy/explain.h"

#define DIAG_BYTES (32u << 20)

struct found { cJSON *json; bool errors, warnings, all; const char *workspace; };

/* A line of a report; those of one file together, in the order of their places. file: bytes of its name. */
struct said { char *line; size_t file, row, column, n; const char *first; };

static bool number(const char *s, char **ret_end, size_t *ret)
{
	if (*s < '0' || *s > '9')
		return false;
	*ret = strtoul(s, ret_end, 10);
	return **ret_end == ':';
}

/* "FILE:LINE:COLUMN: LEVEL: ..."; lines that place nothing ("and 3 more warnings") come last of their file. */
static void place(struct said *s)
{
	char *level = strstr(s->line, ": error: "), *warning = strstr(s->line, ": warning: "), *at, *end;
	size_t row, column;

	level = !level || (warning && warning < level) ? warning : level;
	s->row = SIZE_MAX;
	s->file = level ? (size_t)(level - s->line) : strcspn(s->line, ":");
	for (at = level; level && at > s->line; at--)
		if (*at == ':' && number(at + 1, &end, &row) && number(end + 1, &end, &column) && end == level) {
			s->file = (size_t)(at - s->line);
			s->row = row;
			s->column = column;
			return;
		}
}

static int by_place(const void *a, const void *b)
{
	const struct said *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->n < y->n ? -1 : 1;
}

/* The lines of a report in the order of their places, the files as they come; the caller's to free. NULL: no memory. text is cut up. */
static struct said *sorted(char *text, size_t *ret_n)
{
	size_t cap = 1, n = 0;
	struct said *v;
	char *rest = NULL;

	for (const char *s = text; *s; s++)
		cap += *s == '\n';
	v = calloc(cap, sizeof(*v));
	for (char *line = v ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		v[n] = (struct said){ .line = line, .n = n, .first = line };
		place(&v[n]);
		for (size_t i = n; i-- > 0;)
			if (v[i].file == v[n].file && !memcmp(v[i].line, line, v[i].file)) {
				v[n].first = v[i].first;
				break;
			}
		n++;
	}
	if (v)
		qsort(v, n, sizeof(*v), by_place);
	*ret_n = n;
	return v;
}

/* "FILE:LINE:COLUMN: LEVEL: WORDS [ID]" to an object; lines that place nothing ("and 3 more") are left out. */
static void to_json(cJSON *all, char *line)
{
	char *level = strstr(line, ": error: "), *words, *column, *at, *id;
	char *warning = strstr(line, ": warning: ");
	uint64_t row, col;
	cJSON *j;

	if (!level || (warning && warning < level))
		level = warning;
	if (!level)
		return;
	*level = 0;
	level += 2;
	words = strstr(level, ": ");
	*words = 0;
	words += 2;
	column = strrchr(line, ':');
	if (!column)
		return;
	*column++ = 0;
	at = strrchr(line, ':');
	if (!at)
		return;
	*at++ = 0;
	if (str_to_u64(at, UINT32_MAX, &row) < 0 || str_to_u64(column, UINT32_MAX, &col) < 0)
		return;
	id = strrchr(words, '[');
	if (id && id > words && id[-1] == ' ' && id[strlen(id) - 1] == ']') {
		id[-1] = 0;
		id[strlen(id) - 1] = 0;
		id++;
	} else {
		id = NULL;
	}
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "file", line);
	cJSON_AddNumberToObject(j, "line", (double)row);
	cJSON_AddNumberToObject(j, "column", (double)col);
	cJSON_AddStringToObject(j, "level", level);
	if (id)
		cJSON_AddStringToObject(j, "id", id);
	else
		cJSON_AddNullToObject(j, "id");
	cJSON_AddStringToObject(j, "message", words);
	cJSON_AddItemToArray(all, j);
}

static void report(struct found *f, struct buf *diag)
{
	char *text = diag->len ? (char *)diag->data : NULL;
	size_t n = 0;
	struct said *v;

	f->warnings |= text && strstr(text, ": warning: ");
	v = text ? sorted(text, &n) : NULL;
	if (text && !v)
		f->errors |= complain("out of memory");
	for (size_t i = 0; v && i < n; i++)
		if (f->json)
			to_json(f->json, v[i].line);
		else
			fprintf(stderr, "%s%s\n", v[i].line, v[i].row == SIZE_MAX && !f->all ? ": --all" : "");
	free(v);
}

static void unreadable(struct found *f, const char *name, const struct err *err)
{
	cJSON *j;

	f->errors = true;
	if (!f->json) {
		complain("%s", err->msg);
		return;
	}
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "file", name);
	cJSON_AddNumberToObject(j, "line", 1);
	cJSON_AddNumberToObject(j, "column", 1);
	cJSON_AddStringToObject(j, "level", "error");
	cJSON_AddStringToObject(j, "id", "unreadable");
	cJSON_AddStringToObject(j, "message", err->msg);
	cJSON_AddItemToArray(f->json, j);
}

static void one(struct found *f, const char *name, const char *cwd, bool compat)
{
	struct buf text = { 0 }, diag = BUF_INIT(DIAG_BYTES);
	struct err err = { 0 };
	char path[4300];
	struct pol_source src = { .file = path, .load = policy_extends, .compat = compat, .all = f->all, .workspace = f->workspace };

	if (policy_find(name, path, sizeof(path), &err) < 0 || policy_read(path, &text, &err) < 0) {
		unreadable(f, name, &err);
		return;
	}
	src.text = (const char *)text.data;
	src.len = text.len;
	src.n_vars = policy_vars(&src.vars, f->workspace ? f->workspace : cwd);
	f->errors |= policy_validate(&src, &diag) < 0 || policy_lint(&src, &diag) < 0;
	report(f, &diag);
	buf_fini(&text);
	buf_fini(&diag);
}

int policy_validate_cmd(int argc, char **argv)
{
	const char *workspace = NULL;
	bool strict = false, json = false, compat = false, all = false;
	const struct policy_option options[] = { { "--strict", &strict, NULL }, { "--json", &json, NULL }, { "--compat", &compat, NULL },
					  { "--all", &all, NULL }, { "--workspace", NULL, &workspace } };
	int at = policy_options("validate", argc, argv, options, ARRAY_LEN(options), NULL);
	struct found f = { 0 };
	char cwd[4096], real[PATH_MAX];

	if (at < 0)
		return EXIT_ERROR;
	if (at == argc)
		return policy_usage("validate");
	if (!getcwd(cwd, sizeof(cwd)))
		return complain("current directory: %s", strerror(errno));
	f.json = json ? cJSON_CreateArray() : NULL;
	f.all = all || json;
	if (workspace && !realpath(workspace, real))
		return complain("%s: %s", workspace, strerror(errno));
	f.workspace = workspace ? real : NULL;
	for (; at < argc; at++)
		one(&f, argv[at], cwd, compat);
	if (json)
		print_json(f.json);
	else if (!f.errors && strict && f.warnings)
		complain("a warning is an error with --strict");
	else if (!f.errors)
		puts(f.warnings ? "ok, with warnings" : "ok");
	return f.errors || (strict && f.warnings) ? EXIT_ERROR : 0;
}
