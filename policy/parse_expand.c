/* SPDX-License-Identifier: Apache-2.0 */
/* Variables in paths, names of hosts and of programs. */
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"

#define EXPANDED_MAX (1u << 16)

static const struct pol_var *var_of(struct parse *p, const char *name, size_t n)
{
	for (size_t i = 0; i < p->src->n_vars; i++)
		if (strlen(p->src->vars[i].name) == n && !strncmp(p->src->vars[i].name, name, n))
			return &p->src->vars[i];
	return NULL;
}

static void put_value(struct buf *b, const char *s, size_t n, bool quote)
{
	for (size_t i = 0; i < n; i++) {
		if (quote && strchr("*?[]{}\\,!", s[i]))
			buf_puts(b, "\\");
		buf_put(b, s + i, 1);
	}
}

/* How much of a value goes in: no slashes at its end where one follows, or "${PROJECT_ROOT}/x" would be "//x" for the root. */
static size_t value_len(const char *s, size_t n, const char *next)
{
	while (*next == '/' && n && s[n - 1] == '/')
		n--;
	return n;
}

static bool name_ok(const char *s, size_t n)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return n && strspn(s, letters) >= n && (s[0] < '0' || s[0] > '9');
}

/* A directory with two names: a pattern gets both, other text the one that it leads to. */
static void put_both(struct buf *b, const struct pol_var *v, const char *next, bool quote)
{
	size_t n = value_len(v->value, strlen(v->value), next), real = v->real ? value_len(v->real, strlen(v->real), next) : 0;
	bool two = quote && v->real;

	if (two)
		buf_puts(b, "{");
	if (two || !v->real)
		put_value(b, v->value, n, quote);
	if (two)
		buf_puts(b, ",");
	if (v->real)
		put_value(b, v->real, real, quote);
	if (two)
		buf_puts(b, "}");
}

/* One "${...}" at s; false: reported. *end is behind it. */
static bool put_var(struct parse *p, const struct node *n, const char *s, const char **end, bool quote, struct buf *b)
{
	const char *close = strchr(s, '}'), *name = s + 2, *dash;
	const struct pol_var *var;
	size_t len;
	bool root;

	if (!close) {
		diag_error(p->d, n, "\"${\" without \"}\"");
		return false;
	}
	*end = close + 1;
	dash = memmem(name, (size_t)(close - name), ":-", 2);
	len = (size_t)((dash ? dash : close) - name);
	if (!name_ok(name, len)) {
		diag_error(p->d, n, "\"%.*s\" is not a variable: write ${NAME} or ${NAME:-fallback}", (int)(*end - s), s);
		return false;
	}
	var = var_of(p, name, len);
	root = b->len == 0 && (!*end[0] || *end[0] == '/');
	if (var && var->value[0]) {
		put_both(b, var, *end, quote);
	} else if (dash) {
		put_value(b, dash + 2, value_len(dash + 2, (size_t)(close - dash - 2), *end), quote);
	} else { /* stands for any value where it may miss: a root where a path begins */
		parse_undefined(p, n, name, len);
		put_value(b, root ? "/-" : "-", root ? 2 : 1, quote);
		return p->vars_may_miss;
	}
	return true;
}

char *parse_expand(struct parse *p, const struct node *n, bool quote)
{
	struct buf b = BUF_INIT(EXPANDED_MAX);
	const char *s = n->text;
	bool ok = true;
	char *tight;

	while (*s && ok) {
		const char *var = strstr(s, "${");
		size_t plain = var ? (size_t)(var - s) : strlen(s);

		buf_put(&b, s, plain);
		s += plain;
		if (*s)
			ok = put_var(p, n, s, &s, quote, &b);
	}
	buf_put(&b, "", 0);
	if (ok && !buf_ok(&b)) {
		diag_error(p->d, n, "longer than %u bytes when expanded", EXPANDED_MAX);
		ok = false;
	}
	if (!ok) {
		buf_fini(&b);
		return NULL;
	}
	/* Many live as long as the policy: no spare room. */
	tight = realloc(b.data, b.len + 1);
	return tight ? tight : (char *)b.data;
}
