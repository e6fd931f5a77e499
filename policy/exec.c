/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: by name given and file resolved; through shells' -c and through wrappers, to a depth of 4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/look.h"

/* A question, and what is worked out of it once. */
struct asked {
	const struct policy *p;
	const struct pol_exec *q;
	int digest;                     /* 0 not asked for yet, 1 known, -1 not to be known */
	char hex[65];
};
/* One command line of it: its own, or one found by looking through it. */
struct line {
	const char *given, *resolved; const char *const *argv; size_t argc;
	uint32_t depth;
	const char *text; size_t len;   /* its arguments joined, when asked for */
	bool own, script, loaded;
	bool last;                      /* judged here only: no exec of it follows */
	bool unknown;                   /* which file it is is not known */
};

static const char *base(const char *s)
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
	const char *b = base(s);

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
	r = joined(l) ? regex_match(a->p->regex + u->regex, l->text, l->len) : -1;
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

static int rank(enum pol_decision d)
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
		if (best == NO_RULE || rank(d) > rank(a->p->rules[SEC_EXEC][best].decision))
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

/* The i-th other name of what is at path, for there are directories with two names; false: none, or one too long to be run by. */
static bool other_name(const struct policy *p, const struct pol_exec *q, size_t i, const char *path, char out[PATH_NAME_MAX])
{
	struct pol_twin t = i < 2 ? (struct pol_twin){ "/workspace", p->workspace } : q->twins[i - 2];
	size_t n;

	if (i == 1)
		t = (struct pol_twin){ t.real, t.link };
	n = t.real ? strlen(t.real) : 0;
	return t.link && n > 1 && !strncmp(path, t.real, n) && (!path[n] || path[n] == '/') && strcmp(t.link, t.real) != 0 &&
	       str_format(out, PATH_NAME_MAX, "%s%s", t.link, path + n) == 0;
}

static uint32_t first(struct asked *a, const struct name *name, struct line *l)
{
	static struct name other;
	static char path[PATH_NAME_MAX];
	uint32_t best = first_by(a, name, l);

	for (size_t i = 0; name->whole[0] == '/' && i < 2 + a->q->n_twins; i++) {
		uint32_t no;

		if (!other_name(a->p, a->q, i, name->whole, path))
			continue;
		name_of(&other, path);
		no = first_by(a, &other, l);
		best = no < best ? no : best;
	}
	return best;
}

static struct pol_verdict to_verdict(const struct asked *a, uint32_t no, const struct line *l)
{
	struct pol_verdict v = { .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-commands" };

	if (no != NO_RULE)
		v = verdict_of(a->p, SEC_EXEC, no);
	v.command = l->given;
	v.argv = l->argv;
	v.argc = l->argc;
	return v;
}

static bool implicit(const struct pol_verdict *v)
{
	return v->rule_no == POL_NO_RULE && !strcmp(v->rule, "default-deny-commands");
}

/* v is l's. Of a command that is looked ahead to, the implicit end counts for nothing, nor may it hide what lies below it. */
static void stricter(const struct line *l, struct pol_verdict *v, const struct pol_verdict *other)
{
	bool nothing = !l->own && !l->last && implicit(v);

	if (!implicit(other) && (nothing || rank(other->decision) > rank(v->decision)))
		*v = *other;
}

static void synthesise(const struct asked *a, struct pol_verdict *v, const char *rule, const struct line *l)
{
	struct pol_verdict s = to_verdict(a, NO_RULE, l);

	s.rule = rule;
	if (a->p->h->flags & IMG_RESTRICTIVE)
		stricter(l, v, &s);
}

static struct pol_verdict look(struct asked *a, struct line *l, int left);
static struct pol_verdict judge(struct asked *a, struct line *l, const char *file, const char *zero, int left);

/* What a loader loads: by its file first, as a link that the caller made would be. */
static struct pol_verdict load(struct asked *a, struct line *l, const char *zero, int left)
{
	static char path[PATH_NAME_MAX];
	const struct pol_exec *q = a->q;

	if (!l->last || !q->loaded)
		return judge(a, l, NULL, zero, left);
	/* What that one would load in turn is not looked up. */
	if (l->unknown || q->loaded(q->loaded_arg, l->given, path, sizeof(path)) < 0) {
		l->unknown = true;
		return judge(a, l, NULL, zero, left);
	}
	return judge(a, l, path, zero, left);
}

static void through(struct asked *a, struct pol_verdict *v, const struct name *name, const struct line *l, int left)
{
	struct inner in = look_inside(a->p, name, l->argv, l->argc, left);
	struct line next = { .argv = in.argv, .argc = in.argc, .script = l->script || in.script, .loaded = in.loaded, .depth = l->depth,
			     .last = in.loaded && (l->own || l->last), .unknown = in.loaded && l->last && a->q->loaded };
	struct pol_verdict w;

	if (in.bypass && next.script)
		synthesise(a, v, "shellc-wrapper-bypass", l);
	if (!in.argc)
		return;
	if (left == 0) {
		if (next.script)
			synthesise(a, v, "shellc-depth-exceeded", l);
		return;
	}
	next.given = in.argv[0];
	w = in.loaded ? load(a, &next, in.zero ? in.zero : in.argv[0], left - 1) : look(a, &next, left - 1);
	if (next.last && implicit(&w) && rank(v->decision) < rank(POL_DENY))
		*v = w;
	else
		stricter(l, v, &w);
}

static struct pol_verdict look(struct asked *a, struct line *l, int left)
{
	static struct name names[LOOK_DEPTH + 1][2]; /* one thread asks; 16 KiB need not be cleared each time */
	struct name *given = &names[left][0], *file = &names[left][1];
	bool two = l->resolved && strcmp(l->resolved, l->given) != 0;
	struct pol_verdict v;
	uint32_t x, y = NO_RULE;

	name_of(given, l->given);
	x = first(a, given, l);
	if (two) {
		name_of(file, l->resolved);
		y = first(a, file, l);
	}
	v = to_verdict(a, x != NO_RULE ? x : y, l);
	if (x != NO_RULE && y != NO_RULE) {
		struct pol_verdict w = to_verdict(a, y, l);

		stricter(l, &v, &w);
	}
	through(a, &v, given, l, left);
	if (two && strcmp(given->base, file->base) != 0)
		through(a, &v, file, l, left);
	return v;
}

/* Names that go together: they are told apart by a version only, or are both a shell's. */
static bool alike(const char *x, const char *y)
{
	static struct name names[2];
	const struct name *p = &names[0], *q = &names[1];
	const char *rest;

	name_of(&names[0], x);
	name_of(&names[1], y);
	if (p->base_len > q->base_len) {
		p = &names[1];
		q = &names[0];
	}
	rest = q->base + p->base_len;
	return (p->base_len && !memcmp(p->base, q->base, p->base_len) && !rest[strspn(rest, ".-0123456789")]) ||
	       (look_shell(p) && look_shell(q));
}

/* A name by which the program may choose what it does. One that no rule speaks of meets the end, unless it says no more than `as` does;
 * of a command that is looked ahead to, the end says nothing, here either. */
static void acts_as(struct asked *a, struct line *l, struct pol_verdict *v, const char *name, const char *as, int left)
{
	struct line also = *l;
	struct pol_verdict w;

	also.given = name;
	also.resolved = NULL;
	w = look(a, &also, left);
	if (!implicit(&w))
		stricter(l, v, &w);
	else if ((l->own || l->last) && rank(v->decision) < rank(POL_DENY) && !alike(name, as))
		*v = w;
}

/* file: what counts in place of the name given, which says nothing good about it, or NULL. zero: argv[0] or NULL. A program of many names
 * does what argv[0] says, GNU coreutils what an option says. These can make a verdict stricter, never milder. */
static struct pol_verdict judge(struct asked *a, struct line *l, const char *file, const char *zero, int left)
{
	static const char *const chosen[] = { "--coreutils-prog=", "--coreutils-prog-shebang=" };
	const char *as = file ? file : l->given, *resolved = file ? file : l->resolved;
	struct line main = *l, also = *l;
	struct pol_verdict v, w;

	if (file) {
		main.given = file;
		main.resolved = NULL;
	}
	v = look(a, &main, left);
	if (file && strcmp(l->given, file) != 0) {
		w = look(a, &also, left);
		stricter(l, &v, &w);
	}
	if (zero && strcmp(base(zero), base(as)) != 0) {
		zero += zero[0] == '-'; /* a login shell's */
		if (resolved && !strcmp(base(zero), base(resolved)))
			zero = resolved; /* rules may name its path */
		/* /proc/self/exe is no name. */
		if (strcmp(base(zero), base(as)) != 0)
			acts_as(a, l, &v, zero, strcmp(base(zero), "exe") != 0 ? as : zero, left);
	}
	for (size_t i = 0; l->argc > 1 && i < ARRAY_LEN(chosen); i++)
		if (!strncmp(l->argv[1], chosen[i], strlen(chosen[i])))
			acts_as(a, l, &v, l->argv[1] + strlen(chosen[i]), as, left);
	return v;
}

struct pol_verdict policy_exec(const struct policy *p, const struct pol_exec *q)
{
	struct asked a = { .p = p, .q = q };
	struct line own = { .given = q->given, .resolved = q->resolved, .argv = q->argv, .argc = q->argc, .depth = q->depth, .own = true };
	const char *zero = q->argc ? q->argv[0] : NULL;
	struct pol_verdict v = judge(&a, &own, q->untrusted_name ? q->resolved : NULL, zero, LOOK_DEPTH), w;

	if (!q->written)
		return v;
	own.given = q->written;
	own.resolved = NULL;
	own.text = NULL; /* looking further may have joined another line over it */
	w = judge(&a, &own, NULL, zero, LOOK_DEPTH);
	if (implicit(&v) && !q->untrusted_written)
		return w;
	stricter(&own, &v, &w);
	return v;
}

bool policy_has_labels(const struct policy *p)
{
	return p->words[p->h->labels] > 0;
}

static uint64_t labels_by(const struct policy *p, const char *path)
{
	static struct name name;
	uint32_t n;
	const uint32_t *v = list_at(p, p->h->labels, &n);
	uint64_t mask = 0;

	name_of(&name, path);
	for (uint32_t i = 0; i < n; i++)
		mask |= (uint64_t)name_matches(p->pool + v[i], &name) << i;
	return mask;
}

uint64_t policy_exec_labels(const struct policy *p, const struct pol_exec *q)
{
	const char *const by[] = { q->untrusted_name ? NULL : q->given, q->resolved, q->untrusted_written ? NULL : q->written };
	static char path[PATH_NAME_MAX];
	uint64_t mask = 0;

	for (size_t k = 0; k < ARRAY_LEN(by) && policy_has_labels(p); k++) {
		if (!by[k])
			continue;
		mask |= labels_by(p, by[k]);
		for (size_t i = 0; i < 2 + q->n_twins; i++)
			if (other_name(p, q, i, by[k], path))
				mask |= labels_by(p, path);
	}
	return mask;
}

uint64_t policy_labels(const struct policy *p, const char *given, const char *resolved, bool untrusted_name)
{
	return policy_exec_labels(p, &(struct pol_exec){ .given = given, .resolved = resolved, .untrusted_name = untrusted_name });
}
