/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: args_patterns and the match of redirects. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"

#define FAULTS_MAX 20

/* A whole-text glob as a regular expression: a star at an end is no anchor there. */
static char *glob_to_regex(const char *glob)
{
	struct buf b = BUF_INIT(1u << 16);
	size_t n = strlen(glob), i = 0;
	bool open_end = n && glob[n - 1] == '*';

	if (n && glob[0] != '*')
		buf_puts(&b, "^");
	while (i < n && glob[i] == '*')
		i++;
	while (n > i && glob[n - 1] == '*')
		n--;
	for (; i < n; i++) {
		if (glob[i] == '*')
			buf_puts(&b, ".*");
		else if (glob[i] == '?')
			buf_puts(&b, ".");
		else
			buf_printf(&b, "%s%c", strchr(".+()|]}^$", glob[i]) ? "\\" : "", glob[i]);
	}
	if (!open_end)
		buf_puts(&b, "$");
	buf_put(&b, "", 0);
	if (buf_ok(&b))
		return (char *)b.data;
	buf_fini(&b);
	return NULL;
}

/* What a shell did away with before the program saw its arguments. */
static void warn_shell(struct at *c, const struct node *v)
{
	const char *tilde = strchr(v->text, '~');

	if (tilde && (tilde == v->text || strchr(" +*?)/(|^s", tilde[-1])) && (!tilde[1] || strchr("/$)|\\ ", tilde[1])))
		diag_warning(c->p->d, v, "a shell writes the home directory for ~: this pattern hardly ever matches; use /home/ or /root "
			"[shell-expansion]");
	else if (strstr(v->text, "\\$HOME") || strstr(v->text, "\\$\\{") || strstr(v->text, "\\$PWD"))
		diag_warning(c->p->d, v, "a shell writes the value for a variable: this pattern hardly ever matches [shell-expansion]");
	else if (strpbrk(v->text, "\"'"))
		diag_warning(c->p->d, v, "a shell takes quotes away: this pattern matches only quotes inside an argument [shell-quotes]");
}

static bool give_up(struct at *c)
{
	return c->p->regex_bytes > REGEX_BYTES_MAX || c->p->regex_faults >= FAULTS_MAX;
}

static void too_much(struct at *c, const struct key *k, const struct node *v)
{
	c->p->regex_bytes = REGEX_BYTES_MAX + 1;
	diag_error(c->p->d, v, "%s: up to here the patterns of this policy take more than %zu MiB: shorten {n,m}, or let one pattern "
		"say what many do", k->name, REGEX_BYTES_MAX >> 20);
}

static size_t word_len(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
}

/* What ends an alternative of the words at s, or the only one; *ret: one that is a name or a short option, where there is one. */
static const char *words_at(const char *s, bool group, const char **ret, size_t *ret_len)
{
	for (;; s++) {
		size_t n = word_len(s);

		if (n && strncmp(s, "--", 2) != 0) {
			*ret = s;
			*ret_len = n;
		}
		s += n;
		if (!n || !group || *s != '|')
			return n ? s : NULL;
	}
}

/* ".*" and then bare words to the end: "topic-f" has "-f" in it, and "maintenance" begins with main. */
static void warn_part(struct at *c, const struct node *v)
{
	const char *s = v->text, *word = "", *end;
	size_t n = 0;

	for (const char *p = s; (p = strstr(p, ".*")); p += 2)
		s = p + 2;
	if (s == v->text)
		return;
	while (*s == '(' && (end = strchr(s, ')')) && end[1] == '?')
		s = end + 2;
	end = words_at(s + (*s == '('), *s == '(', &word, &n);
	if (end && n && (*s == '(' ? *end == ')' && !end[1] : !*end))
		diag_warning(c->p->d, v, "\"%.*s\" is matched within a longer word, too: ask for a space or an end on both "
			     "of its sides [part-of-word]", (int)n, word);
}

/* Compiles patterns of the nodes at; each that is at fault is reported. */
static void compile(struct at *c, const struct key *k, struct node *const *at, const struct strs *patterns, uint8_t **db, size_t *len)
{
	char why[256] = "";
	size_t which = 0;
	int r = give_up(c) ? -ECANCELED : regex_compile(patterns, db, len, why, sizeof(why), &which);

	if (r == -ENOMEM)
		parse_no_memory(c->p, at[which]);
	if (r == 0)
		c->p->regex_bytes += *len;
	if (r == -EFBIG || (r == 0 && patterns->n && c->p->regex_bytes > REGEX_BYTES_MAX))
		too_much(c, k, at[which]);
	for (size_t i = which; r < 0 && r != -ENOMEM && r != -EFBIG && i < patterns->n && !give_up(c); i++) {
		const struct strs one = { &patterns->v[i], 1 };
		uint8_t *alone = NULL;
		size_t n;

		r = regex_compile(&one, &alone, &n, why, sizeof(why), &which);
		if (r == -ENOMEM) {
			parse_no_memory(c->p, at[i]);
			break;
		}
		c->p->regex_faults += r < 0;
		if (r == -ENODATA)
			diag_error(c->p->d, at[i], "%s: \"%s\" never matches: %s", k->name, patterns->v[i], why);
		else if (r < 0)
			diag_error(c->p->d, at[i], "%s: %s%s%s", k->name, r == -EINVAL ? "not a regular expression: " : "", why,
				   r == -EINVAL && patterns->v[i][0] == '*' ? " (a glob's * is .* here)" : "");
		free(alone);
		r = -EINVAL;
	}
}

static char *pattern_of(struct at *c, const struct node *v)
{
	char *s;

	if (c->p->src->compat && v->text[0] == '*' && !strpbrk(v->text, "[{\\")) {
		s = glob_to_regex(v->text);
		if (s)
			diag_warning(c->p->d, v, "\"%s\" is read as a glob: write the regular expression \"%s\" [compat-glob]", v->text, s);
		return s;
	}
	return strdup(v->text);
}

LEAKS_UNSEEN_BEGIN /* patterns belong to the model: model_fini */
void read_args_patterns(struct at *c, const struct key *k, const struct node *v)
{
	struct rule *r = c->to;

	if (!parse_is_list(c->p, k, v))
		return;
	for (size_t i = 0; i < v->n; i++) {
		if (!parse_is_text(c->p, v->v[i]) || !parse_put(c->p, v->v[i], &r->args_patterns, pattern_of(c, v->v[i])))
			return;
		warn_shell(c, v->v[i]);
		warn_part(c, v->v[i]);
	}
	compile(c, k, v->v, &r->args_patterns, &r->regex, &r->regex_len);
}
LEAKS_UNSEEN_END

void read_match(struct at *c, const struct key *k, const struct node *v)
{
	struct redirect_rule *r = c->to;
	struct node *one[] = { (struct node *)v };
	struct strs match;

	read_text(c, k, v);
	match = (struct strs){ &r->match, 1 };
	if (r->match)
		compile(c, k, one, &match, &r->regex, &r->regex_len);
}
