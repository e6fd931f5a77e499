/* SPDX-License-Identifier: Apache-2.0 */
/* Which command rule speaks of a command line: by a name, its arguments, its depth, who asks, and the digest of the file. */
#include "policy/exec_rules.h"

#include <stdlib.h>
#include <string.h>

#include "common/str.h"

const char *exec_base(const char *s)
{
	const char *b = strrchr(s, '/');

	return b ? b + 1 : s;
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

void name_of(struct name *n, const char *s)
{
	const char *b = exec_base(s);

	n->whole = s;
	for (n->len = 0; s[n->len] && n->len < PATH_NAME_MAX - 1; n->len++)
		n->lower[n->len] = lower(s[n->len]);
	n->lower[n->len] = 0;
	for (n->base_len = 0; b[n->base_len] && n->base_len < PATH_NAME_MAX - 1; n->base_len++)
		n->base[n->base_len] = lower(b[n->base_len]);
	if (n->base_len > 5 && !memcmp(n->base + n->base_len - 5, ".real", 5))
		n->base_len -= 5;
	n->base[n->base_len] = 0;
}

static bool glob_matches(const char *entry, const struct name *n)
{
	return strchr(entry, '/') ? wild_match(entry, n->whole, '/') : wild_match(entry, n->base, 0);
}

static bool same(const char *entry, const char *low)
{
	while (*entry && lower(*entry) == *low) {
		entry++;
		low++;
	}
	return !*entry && !*low;
}

bool name_matches(const char *entry, const struct name *n)
{
	return wild_is(entry) ? glob_matches(entry, n) : same(entry, strchr(entry, '/') ? n->lower : n->base);
}

static bool restricts(enum pol_decision d)
{
	return d != POL_ALLOW && d != POL_AUDIT;
}

/* A digest is that of the file asked about. What is looked ahead to is judged with its own when it is run; of what a loader loads, which is
 * not, it cannot be known. */
static bool has_digest(struct asked *a, const struct img_exec *u, const struct line *l, enum pol_decision d)
{
	uint8_t bytes[32];
	uint32_t n;
	const uint32_t *v = list_at(a->p, u->sha256, &n);

	if (!n)
		return true;
	if (!l->own)
		return l->loaded && restricts(d);
	if (!a->digest) {
		a->digest = a->q->sha256 && a->q->sha256(a->q->sha256_arg, bytes) >= 0 ? 1 : -1;
		if (a->digest > 0)
			hex_encode(bytes, sizeof(bytes), a->hex);
	}
	if (a->digest < 0)
		return restricts(d);
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(a->p->pool + v[i], a->hex))
			return true;
	return false;
}

/* The arguments without argv[0], a space between them; all of them, or a pattern could be passed by what stands before it. Kept until the
 * next line is joined; NULL without memory. */
static const char *joined(struct line *l)
{
	static char *text;
	static size_t cap;
	size_t need = 1, at = 0;

	if (l->text)
		return l->text;
	for (size_t i = 1; i < l->argc; i++)
		need += strlen(l->argv[i]) + 1;
	if (!text || need > cap) {
		char *more = realloc(text, need + 256);

		if (!more)
			return NULL;
		text = more;
		cap = need + 256;
	}
	for (size_t i = 1; i < l->argc; i++) {
		size_t n = strlen(l->argv[i]);

		if (i > 1)
			text[at++] = ' ';
		memcpy(text + at, l->argv[i], n);
		at += n;
	}
	text[at] = 0;
	l->len = at;
	l->text = text;
	return text;
}

/* found: the index has the command. */
static bool matches(struct asked *a, uint32_t no, const struct name *name, struct line *l, bool found)
{
	const struct img_exec *u = &a->p->execs[no];
	enum pol_decision d = a->p->rules[SEC_EXEC][no].decision;
	int32_t depth = l->depth > INT32_MAX ? INT32_MAX : (int32_t)l->depth;
	int r;

	d = d == POL_SOFT_DELETE ? POL_ALLOW : d; /* of a command it means that */
	if (depth < u->min_depth || (u->max_depth >= 0 && depth > u->max_depth) || !who_is(u->labels, a->q->who, d))
		return false;
	if (!found && !(u->flags & EXEC_ANY)) {
		uint32_t n;
		const uint32_t *v = list_at(a->p, u->globs, &n);

		for (uint32_t i = 0; i < n && !found; i++)
			found = glob_matches(a->p->pool + v[i], name);
		if (!found)
			return false;
	}
	if (u->sha256 && !has_digest(a, u, l, d))
		return false;
	if (!u->regex_len)
		return true;
	r = !l->blind && joined(l) ? regex_match(a->p->regex + u->regex, l->text, l->len) : -1;
	/* What could not be looked at is no reason to allow anything. */
	return r < 0 ? restricts(d) : r;
}

struct search { struct asked *a; const struct name *name; struct line *l; uint32_t best; };

static void try_rule(struct search *s, uint32_t rule, bool found)
{
	if (rule < s->best && matches(s->a, rule, s->name, s->l, found))
		s->best = rule;
}

static void by_glob(void *arg, const struct img_entry *e)
{
	try_rule(arg, e->rule, false);
}

static void by_word(struct search *s, enum kind kind, const char *word, size_t n)
{
	const struct img_entry *e;
	uint32_t at = 0, hash = hash_word(word, n);

	while ((e = index_next(s->a->p, &s->a->p->exec_index, hash, kind, word, n, &at)))
		try_rule(s, e->rule, true);
}

int exec_rank(enum pol_decision d)
{
	static const int v[] = { [POL_DENY] = 4, [POL_REDIRECT] = 3, [POL_SOFT_DELETE] = 0, [POL_APPROVE] = 2, [POL_AUDIT] = 1,
		[POL_ALLOW] = 0, [POL_ABSORB] = 4 };

	return v[d];
}

/* Of a file that is not known: the strictest rule that it could meet, before one that allows every command. */
static uint32_t worst(struct asked *a, const struct name *name, struct line *l)
{
	uint32_t best = NO_RULE;

	for (uint32_t i = 0; i < a->p->n[SEC_EXEC]; i++) {
		enum pol_decision d = a->p->rules[SEC_EXEC][i].decision;
		bool stops = restricts(d) && d != POL_SOFT_DELETE;

		if ((!stops && !(a->p->execs[i].flags & EXEC_ANY)) || !matches(a, i, name, l, true))
			continue;
		if (best == NO_RULE || exec_rank(d) > exec_rank(a->p->rules[SEC_EXEC][best].decision))
			best = i;
		if (!stops)
			break;
	}
	return best;
}

static uint32_t first_by(struct asked *a, const struct name *name, struct line *l)
{
	const struct index *x = &a->p->exec_index;
	struct search s = { a, name, l, NO_RULE };

	if (l->unknown)
		return worst(a, name, l);
	by_word(&s, KIND_BASE, name->base, name->base_len);
	index_ends(a->p, x, ENDS_BASE, name->base, name->base_len, by_glob, &s);
	if (memchr(name->lower, '/', name->len)) {
		by_word(&s, KIND_PATH, name->lower, name->len);
		index_ends(a->p, x, ENDS_PATH, name->lower, name->len, by_glob, &s);
	}
	for (uint32_t i = 0; i < x->n_rest && x->rest[i] < s.best; i++)
		try_rule(&s, x->rest[i], false);
	return s.best;
}

bool exec_other_name(const struct policy *p, const struct pol_exec *q, size_t i, const char *path, char out[PATH_NAME_MAX])
{
	struct pol_twin t = i < 2 ? (struct pol_twin){ "/workspace", p->workspace } : q->twins[i - 2];
	size_t n;

	if (i == 1)
		t = (struct pol_twin){ t.real, t.link };
	n = t.real ? strlen(t.real) : 0;
	return t.link && n > 1 && !strncmp(path, t.real, n) && (!path[n] || path[n] == '/') && strcmp(t.link, t.real) != 0 &&
	       str_format(out, PATH_NAME_MAX, "%s%s", t.link, path + n) == 0;
}

uint32_t exec_first(struct asked *a, const struct name *name, struct line *l)
{
	static struct name other;
	static char path[PATH_NAME_MAX];
	uint32_t best = first_by(a, name, l);

	for (size_t i = 0; name->whole[0] == '/' && i < 2 + a->q->n_twins; i++) {
		uint32_t no;

		if (!exec_other_name(a->p, a->q, i, name->whole, path))
			continue;
		name_of(&other, path);
		no = first_by(a, &other, l);
		best = no < best ? no : best;
	}
	return best;
}
