/* SPDX-License-Identifier: Apache-2.0 */
/* policy list, show, schema. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/policy_cmd.h"
#include "cli/trust.h"
#include "common/buf.h"
#include "policy/explain.h"

#define ABOUT_MAX 200

/* The top map's description: what follows the key, or the first line of a block. Cut; "" when there is none. */
static void description_of(const char *text, size_t len, char out[ABOUT_MAX])
{
	const char *at = len > 12 && !strncmp(text, "description:", 12) ? text : memmem(text, len, "\ndescription:", 13), *end = text + len,
		   *stop;

	out[0] = 0;
	if (!at)
		return;
	at += *at == '\n' ? 13 : 12;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at < end && (*at == '|' || *at == '>')) {
		at = memchr(at, '\n', (size_t)(end - at));
		while (at && at < end && (*at == ' ' || *at == '\n'))
			at++;
	}
	if (!at || at >= end)
		return;
	stop = memchr(at, '\n', (size_t)(end - at));
	stop = stop ? stop : end;
	while (stop > at && (stop[-1] == ' ' || stop[-1] == '\r'))
		stop--;
	if (stop - at >= 2 && (*at == '"' || *at == '\'') && stop[-1] == *at) {
		at++;
		stop--;
	}
	snprintf(out, ABOUT_MAX, "%.*s", (int)(stop - at < ABOUT_MAX ? stop - at : ABOUT_MAX - 1), at);
}

static void add(cJSON *all, const char *name)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	char path[4300], about[ABOUT_MAX] = "";
	const cJSON *e;
	cJSON *j;

	cJSON_ArrayForEach(e, all)
		if (!strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(e, "name")), name))
			return;
	if (policy_find(name, path, sizeof(path), &err) < 0)
		return;
	if (policy_read(path, &text, &err) == 0)
		description_of((const char *)text.data, text.len, about);
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "name", name);
	cJSON_AddStringToObject(j, "path", path);
	cJSON_AddStringToObject(j, "description", about);
	cJSON_AddItemToArray(all, j);
	buf_fini(&text);
}

static void add_dir(cJSON *all, const char *dir)
{
	DIR *d = dir[0] ? opendir(dir) : NULL;
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		char name[256];

		if (n < 6 || strcmp(e->d_name + n - 5, ".yaml") != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(n - 5), e->d_name);
		if (id_valid(name))
			add(all, name);
	}
	if (d)
		closedir(d);
}

static int by_name(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(*x, "name")), cJSON_GetStringValue(cJSON_GetObjectItem(*y, "name")));
}

static cJSON *sorted(cJSON *all)
{
	size_t n = (size_t)cJSON_GetArraySize(all);
	cJSON **v = malloc((n + 1) * sizeof(cJSON *)), *out = cJSON_CreateArray();

	if (!v || !out) {
		free(v);
		cJSON_Delete(out);
		return all;
	}
	for (size_t i = 0; i < n; i++)
		v[i] = cJSON_DetachItemFromArray(all, 0);
	qsort(v, n, sizeof(cJSON *), by_name);
	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(out, v[i]);
	free(v);
	cJSON_Delete(all);
	return out;
}

int policy_list_cmd(int argc, char **argv)
{
	const char *env = getenv("AGENTSH_POLICY_DIR"), *home = getenv("HOME");
	char real[4096];
	bool json = !isatty(STDOUT_FILENO);
	const struct policy_option options[] = { { "--json", &json, NULL } };
	int at = policy_options("list", argc, argv, options, 1, NULL);
	const struct config *c;
	struct err err = { 0 };
	char dir[4300];
	cJSON *all;
	const cJSON *e;

	if (at < argc)
		return at < 0 ? EXIT_ERROR : policy_usage("list");
	c = config_get(&err);
	if (!c)
		return complain("%s", err.msg);
	all = cJSON_CreateArray();
	/* What policy_find does not find by its name is left out. */
	add_dir(all, trust_own_dir(c, env, real));
	snprintf(dir, sizeof(dir), "%.4000s/.config/agentsh/policies", home ? home : "");
	add_dir(all, trust_own_dir(c, home ? dir : NULL, real));
	add_dir(all, c->dir[0] ? c->dir : "/etc/agentsh/policies");
	snprintf(dir, sizeof(dir), "%.4000s/../policies", self_dir());
	add_dir(all, dir);
	for (size_t i = 0; embed_pack(i); i++) {
		snprintf(dir, sizeof(dir), "%.*s", (int)strcspn(embed_pack(i), "."), embed_pack(i));
		add(all, dir);
	}
	all = sorted(all);
	if (json) {
		print_json(all);
		return 0;
	}
	cJSON_ArrayForEach(e, all)
		printf("%-20s  %s\n%-20s  %s\n", policy_shown(cJSON_GetStringValue(cJSON_GetObjectItem(e, "name"))),
		       policy_shown(cJSON_GetStringValue(cJSON_GetObjectItem(e, "path"))), "",
		       policy_shown(cJSON_GetStringValue(cJSON_GetObjectItem(e, "description"))));
	cJSON_Delete(all);
	return 0;
}

struct shown { cJSON *json; char section[32]; };

static void one_rule(void *arg, const char *section, const char *rule, const char *decision, const char *where)
{
	struct shown *s = arg;
	cJSON *j;

	if (s->json) {
		j = cJSON_CreateObject();
		cJSON_AddStringToObject(j, "section", section);
		cJSON_AddStringToObject(j, "rule", rule);
		cJSON_AddStringToObject(j, "decision", decision);
		cJSON_AddStringToObject(j, "at", where);
		cJSON_AddItemToArray(s->json, j);
		return;
	}
	if (strcmp(s->section, section) != 0)
		printf("%s%s:\n", s->section[0] ? "\n" : "", section);
	snprintf(s->section, sizeof(s->section), "%s", section);
	printf("  %-11s %-32s %s\n", decision, policy_shown(rule), policy_shown(where));
}

static int expanded(const char *path, const struct buf *text, bool json)
{
	struct shown s = { .json = json ? cJSON_CreateArray() : NULL };
	struct err err = { 0 };
	char cwd[4096];
	struct pol_source src = { .file = path, .text = (const char *)text->data, .len = text->len, .load = policy_extends };

	if (!getcwd(cwd, sizeof(cwd)))
		return complain("current directory: %s", strerror(errno));
	src.n_vars = policy_vars(&src.vars, cwd);
	if (policy_rules(&src, one_rule, &s, &err) < 0) {
		cJSON_Delete(s.json);
		return complain("%s", err.msg);
	}
	if (json)
		print_json(s.json);
	return 0;
}

int policy_show_cmd(int argc, char **argv)
{
	bool all = false, json = false;
	const struct policy_option options[] = { { "--expanded", &all, NULL }, { "--json", &json, NULL } };
	int at = policy_options("show", argc, argv, options, ARRAY_LEN(options), NULL);
	const char *name;
	struct buf text = { 0 };
	struct err err = { 0 };
	char path[4300];
	int r = 0;

	if (at < 0)
		return EXIT_ERROR;
	if (at != argc - 1 || (json && !all))
		return policy_usage("show");
	name = argv[at];
	if (policy_find(name, path, sizeof(path), &err) < 0 || policy_read(path, &text, &err) < 0)
		return complain("%s", err.msg);
	if (all)
		r = expanded(path, &text, json);
	else
		fwrite(text.data, 1, text.len, stdout);
	buf_fini(&text);
	return r;
}

int policy_schema_cmd(int argc, char **argv)
{
	struct buf out = BUF_INIT(4u << 20);
	int at = policy_options("schema", argc, argv, NULL, 0, NULL);

	if (at < 0)
		return EXIT_ERROR;
	if (at < argc)
		return policy_usage("schema");
	if (policy_schema(&out) < 0 || !buf_ok(&out)) {
		buf_fini(&out);
		return complain("out of memory");
	}
	fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
	return 0;
}
