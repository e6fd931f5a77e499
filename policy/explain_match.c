/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors held against a question one by one. */
#include "policy/explain_match.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/str.h"

#define TEXT_MAX 4096

const char *match_lower(const char *s)
{
	static char out[TEXT_MAX];
	size_t n = strnlen(s, sizeof(out) - 1);

	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)s[i]);
	out[n] = 0;
	return out;
}

static const char *base_of(const char *s)
{
	static char out[TEXT_MAX];
	const char *b = strrchr(s, '/');
	size_t n;

	snprintf(out, sizeof(out), "%s", match_lower(b ? b + 1 : s));
	n = strlen(out);
	if (n > 5 && !strcmp(out + n - 5, ".real"))
		out[n - 5] = 0;
	return out;
}

bool match_command(const struct strs *entries, const char *name)
{
	const char *base = base_of(name);

	for (size_t i = 0; i < entries->n; i++) {
		const char *e = entries->v[i];
		bool path = strchr(e, '/') != NULL;

		if (!strcasecmp(e, path ? name : base) || (wild_is(e) && wild_match(e, path ? name : base, path ? '/' : 0)))
			return true;
	}
	return false;
}

bool match_domain(const struct strs *globs, const char *host)
{
	for (size_t i = 0; i < globs->n; i++)
		if (!strcmp(globs->v[i], "*") || !strcmp(globs->v[i], host) || wild_match(globs->v[i], host, '.'))
			return true;
	return false;
}

bool match_path(const struct strs *globs, const char *path)
{
	for (size_t i = 0; i < globs->n; i++)
		if (wild_match(globs->v[i], path, '/'))
			return true;
	return false;
}

/* What follows the tree in the path, or NULL when it is not there. */
static const char *below(const char *path, const char *tree)
{
	size_t n = strlen(tree);

	return !strncmp(path, tree, n) && (!path[n] || path[n] == '/') ? path + n : NULL;
}

bool match_file(const struct strs *globs, const char *path, const char *workspace)
{
	const char *real = workspace ? workspace : "/workspace", *rest;
	char other[TEXT_MAX];

	if (!path[1]) /* globs see a path without the slash that "/" ends in */
		path = "";
	if (match_path(globs, path))
		return true;
	rest = below(path, real);
	if (rest)
		return str_format(other, sizeof(other), "/workspace%s", rest) == 0 && match_path(globs, other);
	rest = below(path, "/workspace");
	return rest && str_format(other, sizeof(other), "%s%s", real, rest) == 0 && match_path(globs, other);
}

bool match_word(const struct strs *words, const char *word)
{
	for (size_t i = 0; i < words->n; i++)
		if (!strcmp(words->v[i], "*") || !strcasecmp(words->v[i], word))
			return true;
	return false;
}

bool match_digest(const struct strs *hex, const uint8_t digest[32])
{
	char text[65];

	hex_encode(digest, 32, text);
	for (size_t i = 0; i < hex->n; i++)
		if (!strcasecmp(hex->v[i], text))
			return true;
	return false;
}

bool match_regex(const uint8_t *db, size_t n, const char *text)
{
	/* As the evaluator: what could not be looked at is turned away. */
	return db && regex_map(db, n) == 0 && regex_match(db, text, strlen(text)) != 0;
}

int match_args(const struct rule *u, const char *const *argv, size_t argc, char *out, size_t cap)
{
	struct buf text = BUF_INIT(4u << 20);
	int hit = -1;

	for (size_t i = 1; i < argc; i++) {
		buf_puts(&text, i > 1 ? " " : "");
		buf_puts(&text, argv[i]);
	}
	buf_puts(&text, "");
	snprintf(out, cap, "%s", text.data ? (const char *)text.data : "");
	if (buf_ok(&text) && u->regex && regex_map(u->regex, u->regex_len) == 0)
		hit = regex_match(u->regex, text.data ? (const char *)text.data : "", text.len);
	buf_fini(&text);
	return hit;
}
