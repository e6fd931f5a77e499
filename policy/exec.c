/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: by name given and file resolved; through shells' -c and through wrappers, to a depth of 4. */
#include <string.h>

#include "policy/exec_rules.h"
#include "policy/look.h"

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

	if (!implicit(other) && (nothing || exec_rank(other->decision) > exec_rank(v->decision)))
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
			     .last = in.loaded && (l->own || l->last), .blind = in.unknown,
			     .unknown = in.unknown || (in.loaded && l->last && a->q->loaded) };
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
	if (next.last && implicit(&w) && exec_rank(v->decision) < exec_rank(POL_DENY))
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
	x = exec_first(a, given, l);
	if (two) {
		name_of(file, l->resolved);
		y = exec_first(a, file, l);
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
	else if ((l->own || l->last) && exec_rank(v->decision) < exec_rank(POL_DENY) && !alike(name, as))
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
	if (zero && strcmp(exec_base(zero), exec_base(as)) != 0) {
		zero += zero[0] == '-'; /* a login shell's */
		if (resolved && !strcmp(exec_base(zero), exec_base(resolved)))
			zero = resolved; /* rules may name its path */
		/* /proc/self/exe is no name. */
		if (strcmp(exec_base(zero), exec_base(as)) != 0)
			acts_as(a, l, &v, zero, strcmp(exec_base(zero), "exe") != 0 ? as : zero, left);
	}
	for (size_t i = 0; l->argc > 1 && i < ARRAY_LEN(chosen); i++)
		if (!strncmp(l->argv[1], chosen[i], strlen(chosen[i])))
			acts_as(a, l, &v, l->argv[1] + strlen(chosen[i]), as, left);
	return v;
}

struct pol_verdict policy_exec(const struct policy *p, const struct pol_exec *q)
{
	struct asked a = { .p = p, .q = q };
	struct line own = { .given = q->given, .resolved = q->resolved, .argv = q->argv, .argc = q->argc, .depth = q->depth, .own = true,
			    .unknown = q->unknown };
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
