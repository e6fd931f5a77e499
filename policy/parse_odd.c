/* SPDX-License-Identifier: Apache-2.0 */
/* Entries, messages and variables that are well formed and hardly what was meant: warnings. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* A character that an editor, a quote too many or a broken line left in the text; NULL: none. */
static const char *odd_character(const char *s, bool host)
{
	static const char *const shapes[] = { "\xc2\xa0", "\xe2\x80\x8b", "\xe2\x80\x9c", "\xe2\x80\x9d", "\xe2\x80\x9e", NULL };
	size_t n = strlen(s);
	bool ends_in_blank = n > 1 && blank(s[n - 1]) && s[n - 2] != '\\';

	if (n && (blank(s[0]) || ends_in_blank))
		return blank(s[0]) ? "begins with a blank" : "ends with a blank";
	if (n && (s[0] == '\'' || s[n - 1] == '\'' || strchr(s, '"') || (host && strchr(s, '\''))))
		return "has a quote in it";
	if (strpbrk(s, "\t\n\r"))
		return "has a tab or a line's end in it";
	for (size_t i = 0; shapes[i]; i++)
		if (strstr(s, shapes[i]))
			return "has a quote or blank in it that a word processor makes";
	return NULL;
}

/* Behind the "|" of a group in (), which is no group in a glob. */
static bool has_group(const char *s)
{
	const char *open = strchr(s, '('), *bar = open ? strchr(open, '|') : NULL;

	return bar && strchr(bar, ')');
}

/* The first piece that regular expressions alone have a use for, n bytes of it; NULL: none. A dot before a star is one only where no name
 * of a file or host would have it. */
static const char *regex_piece(const char *s, size_t *n)
{
	size_t len = strlen(s);

	*n = 1;
	if (s[0] == '^')
		return s;
	*n = 2;
	if (s[0] == '.' && (s[1] == '*' || s[1] == '+'))
		return s;
	for (size_t i = 0; i < len; i++) {
		/* Before a letter it is a path of another system. */
		if (s[i] == '\\' && s[i + 1] && strchr("dDwWsSbB", s[i + 1]) && !isalpha((unsigned char)s[i + 2]))
			return s + i;
		if (s[i] == '\\') {
			i++;
		} else if ((s[i] == '.' && s[i + 1] == '*' && s[i + 2] && strchr("\\$()", s[i + 2])) ||
			   (strchr(")].", s[i]) && s[i + 1] == '+') || (s[i] == '+' && s[i + 1] == ')')) {
			return s + i;
		} else if (s[i] == '(' && has_group(s + i)) {
			*n = (size_t)(strchr(strchr(s + i, '|'), ')') + 1 - (s + i));
			return s + i;
		} else if (s[i] == '$' && !s[i + 1]) {
			*n = 1;
			return s + i;
		}
	}
	return NULL;
}

bool parse_odd(struct parse *p, const struct node *v, const char *what, bool regex)
{
	bool host = !strcmp(what, "domain");
	const char *odd = odd_character(v->text, host), *piece;
	size_t n;

	if (odd)
		diag_warning(p->d, v, "%s \"%s\" %s, which is taken as part of it [odd-character]", what, v->text, odd);
	if (odd || !regex)
		return odd != NULL;
	piece = regex_piece(v->text, &n);
	if (piece)
		diag_warning(p->d, v, "%s \"%s\" is a glob, and \"%.*s\" means something in a regular expression only: * is any text "
			"without %s, ** any text, {a,b} one of these [regex-as-glob]", what, v->text, (int)n, piece, host ? "a dot" : "/");
	return piece != NULL;
}

void parse_odd_message(struct parse *p, const struct node *v)
{
	static const char *const fields[] = { "Path", "Args", "Command", "Domain", "RemoteAddr", "RemotePort", "Operation", NULL };

	for (const char *s = v->text; (s = strstr(s, "{{")); s += 2) {
		const char *end = strstr(s, "}}"), *near;
		char name[64] = "";
		size_t n = 0;

		for (const char *c = s + 2; end && c < end && n + 1 < sizeof(name); c++)
			if (isalnum((unsigned char)*c) || *c == '_')
				name[n++] = *c;
		near = policy_nearest(name, fields);
		if (end && near && !strcmp(near, name) && (size_t)(end - s) == n + 3 && s[2] == '.')
			continue;
		n = end ? (size_t)(end + 2 - s) : strlen(s);
		n = n < 80 ? n : 80;
		if (near)
			diag_warning(p->d, v, "\"%.*s\" is no field of a message and stays as it is (did you mean {{.%s}}?) "
				"[unknown-field]", (int)n, s, near);
		else
			diag_warning(p->d, v, "\"%.*s\" is no field of a message and stays as it is [unknown-field]", (int)n, s);
	}
}

/* The known variable whose name is meant, or NULL. The first letter is seldom mistyped, and short names are near to many. */
static const char *variable_near(const struct pol_source *src, const char *name)
{
	static const char *const always[] = { "PROJECT_ROOT", "GIT_ROOT", "HOME" };
	const char **words = calloc(src->n_vars + ARRAY_LEN(always) + 1, sizeof(*words)), *near;
	char upper[64];
	size_t n = 0, len = strlen(name);

	if (!words || len >= sizeof(upper)) {
		free(words);
		return NULL;
	}
	for (size_t i = 0; i <= len; i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	for (size_t i = 0; i < ARRAY_LEN(always) + src->n_vars; i++) {
		const char *word = i < ARRAY_LEN(always) ? always[i] : src->vars[i - ARRAY_LEN(always)].name;

		if (word[0] == upper[0] && strcmp(word, name) != 0)
			words[n++] = word;
	}
	near = policy_nearest(upper, words);
	free(words);
	return near;
}

void parse_undefined(struct parse *p, const struct node *v, const char *name, size_t n)
{
	const char *near, *before, *behind;
	char text[256];

	if (p->vars_may_miss && !p->src->n_vars) /* nothing is known of any */
		return;
	snprintf(text, sizeof(text), "%.*s", (int)(n < 255 ? n : 255), name);
	near = variable_near(p->src, text);
	before = near ? " (did you mean ${" : "";
	behind = near ? "}?)" : "";
	if (!p->vars_may_miss)
		diag_error(p->d, v, "undefined variable ${%s}%s%s%s: give it a value or write ${%s:-fallback}", text, before,
			near ? near : "", behind, text);
	else if (!parse_seen(&p->undefined, text))
		diag_warning(p->d, v, "variable ${%s} has no value here%s%s%s: give it one or write ${%s:-fallback} [undefined-variable]",
			text, before, near ? near : "", behind, text);
}
