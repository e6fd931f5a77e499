/* SPDX-License-Identifier: Apache-2.0 */
/* Settings files: maps of maps with known keys, read as strictly as a policy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/str.h"
#include "policy/parse.h"

#define KEY_MAX 256
#define SIBLINGS_MAX 128

struct settings {
	struct diag d;
	const struct pol_setting *known;
	size_t n;
	pol_setting_fn fn;
	void *arg;
};

static void no_item(void *arg UNUSED, const struct node *key UNUSED, const struct node *item UNUSED)
{
}

static void give(struct settings *s, const char *key, const struct node *value)
{
	char why[512] = "";

	if (value->kind != NODE_TEXT)
		diag_error(&s->d, value, "%s takes one value, no list and no map", key);
	else if (s->fn(s->arg, key, value->text, why, sizeof(why)) < 0)
		diag_error(&s->d, value, "%s: %s", key, why);
}

static void give_list(struct settings *s, const char *key, const struct node *value)
{
	if (value->kind != NODE_LIST)
		diag_error(&s->d, value, "%s takes a list: [a, b]", key);
	else if (!value->n)
		diag_error(&s->d, value, "%s is empty: leave the key out where anything is meant", key);
	for (size_t i = 0; value->kind == NODE_LIST && i < value->n; i++)
		give(s, key, value->v[i]);
}

/* What may follow prefix: the next part of each known key below it. */
static void unknown(struct settings *s, const char *prefix, const struct node *key)
{
	static char names[SIBLINGS_MAX][64];
	const char *siblings[SIBLINGS_MAX + 1], *near;
	size_t n = 0, skip = strlen(prefix);

	for (size_t i = 0; i < s->n && n < SIBLINGS_MAX; i++) {
		const char *rest = s->known[i].key + skip;

		if (strncmp(s->known[i].key, prefix, skip) != 0)
			continue;
		snprintf(names[n], sizeof(names[n]), "%.*s", (int)strcspn(rest, "."), rest);
		siblings[n] = names[n];
		n++;
	}
	siblings[n] = NULL;
	near = policy_nearest(key->text, siblings);
	if (near)
		diag_error(&s->d, key, "unknown key \"%s\" (did you mean \"%s\"?)", key->text, near);
	else
		diag_error(&s->d, key, "unknown key \"%s\"", key->text);
}

static void read_map(struct settings *s, const char *prefix, const struct node *map)
{
	for (size_t i = 0; i + 1 < map->n; i += 2) {
		const struct node *key = map->v[i], *value = map->v[i + 1];
		const struct pol_setting *found = NULL;
		char path[KEY_MAX];
		bool inner = false;

		if (key->kind != NODE_TEXT || str_format(path, sizeof(path), "%s%s", prefix, key->text) < 0) {
			diag_error(&s->d, key, "this is no key");
			continue;
		}
		/* A dot in a key stands for no map: one setting could be written in two places. */
		for (size_t k = 0; k < s->n && !found && !strchr(key->text, '.'); k++) {
			size_t len = strlen(path);

			if (!strcmp(s->known[k].key, path))
				found = &s->known[k];
			inner |= !strncmp(s->known[k].key, path, len) && s->known[k].key[len] == '.';
		}
		if (found && found->kind == SETTING_IGNORED)
			diag_warning(&s->d, key, "%s means nothing here and is ignored", path);
		else if (found && found->kind == SETTING_LIST)
			give_list(s, path, value);
		else if (found)
			give(s, path, value);
		else if (!inner)
			unknown(s, prefix, key);
		else if (value->kind != NODE_MAP)
			diag_error(&s->d, value, "%s takes a map of keys", path);
		else if (str_format(path, sizeof(path), "%s%s.", prefix, key->text) == 0)
			read_map(s, path, value);
	}
}

/* Nothing but blanks and comments: a settings file that sets nothing. */
static bool says_nothing(const char *text, size_t len)
{
	bool comment = false;

	for (size_t i = 0; i < len; i++) {
		comment = text[i] == '#' || (comment && text[i] != '\n');
		if (!comment && !strchr(" \t\r\n", text[i]))
			return false;
	}
	return !memchr(text, 0, len);
}

int policy_settings(const struct pol_source *src, const struct pol_setting *known, size_t n, pol_setting_fn fn, void *arg, struct buf *diag)
{
	struct settings s = { .d = { .file = src->file, .out = diag }, .known = known, .n = n, .fn = fn, .arg = arg };
	struct node *root;

	if (says_nothing(src->text, src->len))
		return 0;
	root = yaml_read(src->text, src->len, &s.d, no_item, NULL);
	if (root && root->kind != NODE_MAP)
		diag_error(&s.d, root, "a map of keys is expected");
	else if (root)
		read_map(&s, "", root);
	node_free(root);
	return s.d.errors ? -EINVAL : 0;
}
