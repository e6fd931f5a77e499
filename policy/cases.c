/* SPDX-License-Identifier: Apache-2.0 */
/* Policy test files: lines to words as a POSIX shell makes them, nothing expanded, and words to a question and what is expected. */
#include "policy/cases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One word from *in on, its text and a NUL to *out; both are moved behind it. 0 or -EINVAL. */
static int word(const char **in, const char *end, char **out, struct err *err)
{
	const char *s = *in;
	char *o = *out, quote = 0;

	for (; s < end && (quote || !blank(*s)); s++) {
		if (quote ? *s == quote : *s == '\'' || *s == '"') {
			quote = (char)(quote ? 0 : *s);
			continue;
		}
		if (*s == '\\' && quote != '\'') {
			if (s + 1 == end)
				return err_set(err, -EINVAL, "a backslash at the end of the line");
			if (!quote || strchr("$`\"\\", s[1]))
				s++;
		}
		*o++ = *s;
	}
	if (quote)
		return err_set(err, -EINVAL, "unterminated %s quote", quote == '"' ? "double" : "single");
	*o++ = 0;
	*in = s;
	*out = o;
	return 0;
}

/* A line's words to c->words, NULL behind the last. *arrow: number of the first unquoted "->", or that of words. */
static int split(struct cases *c, const char *s, const char *end, size_t *ret_n, size_t *arrow, struct err *err)
{
	char *out = c->store;
	size_t n = 0, at = SIZE_MAX;

	for (;;) {
		const char *from;
		int r;

		while (s < end && blank(*s))
			s++;
		if (s == end || *s == '#')
			break;
		if (n == CASE_WORDS_MAX)
			return err_set(err, -EINVAL, "more than %d words", CASE_WORDS_MAX);
		c->words[n] = out;
		from = s;
		r = word(&s, end, &out, err);
		if (r < 0)
			return r;
		if (at == SIZE_MAX && s - from == 2 && !memcmp(from, "->", 2))
			at = n;
		n++;
	}
	c->words[n] = NULL;
	*ret_n = n;
	*arrow = at < n ? at : n;
	return 0;
}

/* One line without its end to words. */
static int read_words(struct cases *c, const char *line, size_t n, size_t *ret_n, size_t *arrow, struct err *err)
{
	if (n && line[n - 1] == '\r')
		n--;
	if (n > CASE_LINE_MAX)
		return err_set(err, -EINVAL, "longer than %u bytes", CASE_LINE_MAX);
	if (memchr(line, 0, n))
		return err_set(err, -EINVAL, "a NUL byte");
	if (n + 1 > c->cap) {
		char *more = realloc(c->store, n + 4096);

		if (!more)
			return err_set(err, -ENOMEM, "out of memory");
		c->store = more;
		c->cap = n + 4096;
	}
	return split(c, line, line + n, ret_n, arrow, err);
}

static int read_expected(char **w, size_t n, struct one_case *ret, struct err *err)
{
	bool redirect = ret->q.kind == ASK_DNS_REDIRECT || ret->q.kind == ASK_CONNECT_REDIRECT;
	bool known = false;

	if (n == 0)
		return err_set(err, -EINVAL, "nothing stands behind \"->\": write a decision and, if it matters, the rule's name");
	if (n > 2)
		return err_set(err, -EINVAL, "\"%.64s\" is too much behind \"->\": a decision and a rule's name (quote it) are all", w[2]);
	for (int d = 0; d < POL__COUNT; d++)
		known |= !strcmp(w[0], pol_decision_name((enum pol_decision)d)) && (d != POL_ABSORB || ret->q.kind == ASK_SIGNAL);
	if (redirect && strcmp(w[0], "none") != 0 && strcmp(w[0], "redirect") != 0)
		return err_set(err, -EINVAL, "\"%.64s\" is none of redirect none", w[0]);
	if (redirect && n == 2 && !strcmp(w[0], "none"))
		return err_set(err, -EINVAL, "no rule can be the one of \"none\"");
	if (!redirect && !known)
		return err_set(err, -EINVAL, "\"%.64s\" is none of allow deny approve redirect audit soft_delete%s", w[0],
			       ret->q.kind == ASK_SIGNAL ? " absorb" : "");
	ret->decision = w[0];
	ret->rule = n == 2 ? w[1] : NULL;
	return 0;
}

int cases_next(struct cases *c, struct one_case *ret, struct err *err)
{
	while (c->at < c->len) {
		const char *line = c->text + c->at, *end = memchr(line, '\n', c->len - c->at);
		size_t n = end ? (size_t)(end - line) : c->len - c->at, words = 0, arrow = 0;
		int r;

		c->at += n + (end != NULL);
		c->line++;
		r = read_words(c, line, n, &words, &arrow, err);
		if (r < 0)
			return r;
		if (!words)
			continue;
		if (arrow == words)
			return err_set(err, -EINVAL, "no \"->\": write QUESTION -> DECISION [RULE]");
		c->words[arrow] = NULL;
		r = question_read(c->words, arrow, &ret->q, err);
		if (r == 0)
			r = read_expected(c->words + arrow + 1, words - arrow - 1, ret, err);
		return r < 0 ? r : 1;
	}
	return 0;
}

void cases_fini(struct cases *c)
{
	free(c->store);
	c->store = NULL;
	c->cap = 0;
}
