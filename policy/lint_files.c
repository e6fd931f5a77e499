/* SPDX-License-Identifier: Apache-2.0 */
/* Lints of rules that select by path and operation. Exact: each entry's texts are walked together with the earlier rules' globs. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/lint.h"
#include "policy/lint_glob.h"

#define ENTRIES_MAX 200000
#define SHOWN 8                      /* entries named in one warning */
#define BELOW "/workspace/"

struct entry { const char *glob; uint32_t rule, plain; };   /* plain: bytes before the first special one */
/* Operations left to an entry, and those that some rule before it decides and does not permit. met: it has texts. */
struct fate { uint32_t alive, barred; bool met; struct takers takers, permitting; };
struct paths {
	struct lint *l;
	const struct rules *r;
	bool unixes;
	struct globs g;
	struct entry *entries;           /* by glob number */
	uint32_t *order;                 /* glob numbers by what is plain at the beginning */
	uint32_t *others;
	size_t n_others;
	const struct rule *u;            /* whose entry is walked */
	struct fate *fate;
};

static bool conditional(const struct rule *u)
{
	return u->more && (u->more->processes.n || u->more->sha256.n);
}

/* Texts of the entry that these earlier globs match too: who decides each operation. */
static bool one_set(void *arg, const uint32_t *hit, size_t n)
{
	struct paths *p = arg;
	uint32_t open = p->u->ops;

	for (size_t i = 0; i < n && open; i++) {
		uint32_t by = p->entries[hit[i]].rule, ops = p->r->v[by].ops & open;

		if (!ops)
			continue;
		takers_add(&p->fate->takers, by);
		if (lint_permits(p->r->v[by].decision))
			takers_add(&p->fate->permitting, by);
		else
			p->fate->barred |= ops;
		open &= ~ops;
	}
	p->fate->alive |= open;
	p->fate->met = true;
	return p->fate->alive != p->u->ops;
}

/* The plain beginning of an entry against n bytes of text. */
static int compare(const struct entry *e, const char *text, size_t n)
{
	int r = memcmp(e->glob, text, e->plain < n ? e->plain : n);

	return r ? r : (e->plain > n) - (e->plain < n);
}

/* Where in the order those begin that begin with these n bytes. */
static size_t place_of(const struct paths *p, const char *text, size_t n)
{
	size_t lo = 0, hi = p->g.n_globs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare(&p->entries[p->order[mid]], text, n) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

typedef void (*near_fn)(struct paths *p, void *arg, uint32_t entry);

/* Entries that begin plainly as the text does, as far as both are plain. longer: those too that go on where its plain part of n bytes ends.
 */
static int near(struct paths *p, const char *text, size_t n, bool longer, near_fn fn, void *arg)
{
	size_t all = p->g.n_globs;

	for (size_t len = 0; len <= n; len++)
		for (size_t i = place_of(p, text, len); i < all; i++) {
			const struct entry *e = &p->entries[p->order[i]];

			if (p->l->left < 2)
				return -ETIME;
			p->l->left -= 2;
			if (compare(e, text, len) != 0 && (len < n || !longer || e->plain < n || memcmp(e->glob, text, n) != 0))
				break;
			fn(p, arg, p->order[i]);
		}
	return 0;
}

static void collect(struct paths *p, void *arg, uint32_t entry)
{
	const struct rule *u = arg, *e = &p->r->v[p->entries[entry].rule];

	if (e < u && (e->ops & u->ops) && lint_takes_who(e, u))
		p->others[p->n_others++] = entry;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* What is left to glob number at, an entry of rule i, by the rules before it. 0, -ETIME, -ENOMEM. */
static int fate_of(struct paths *p, uint32_t i, uint32_t at, const char *below, struct fate *ret)
{
	const struct rule *u = &p->r->v[i];
	const struct entry *own = &p->entries[at];
	int r;

	*ret = (struct fate){ 0 };
	p->n_others = 0;
	r = near(p, own->glob, own->plain, own->glob[own->plain] != 0, collect, (void *)(uintptr_t)u);
	if (r < 0)
		return r;
	if (!p->n_others && !below) {
		ret->alive = u->ops;
		ret->met = true;
		return 0;
	}
	qsort(p->others, p->n_others, sizeof(*p->others), by_number);
	p->u = u;
	p->fate = ret;
	return globs_walk(&p->g, at, p->others, p->n_others, below, one_set, p, &p->l->left);
}

static const char *ops_words(const struct paths *p, uint32_t ops, char *out, size_t cap)
{
	size_t at = 0;
	int n = p->unixes ? POL_UNIX__COUNT : POL_OP__COUNT;

	out[0] = 0;
	for (int op = 0; op < n && at < cap; op++)
		if (ops >> op & 1)
			at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? " " : "",
					       p->unixes ? pol_unix_op_name((enum pol_unix_op)op) : pol_op_name((enum pol_op)op));
	return out;
}

/* Entries of one rule that have the same fault: named together. */
struct fault { uint32_t ops; struct takers takers; char names[1200]; size_t at, n; };

static void fault_add(struct lint *l, struct fault *f, const char *entry, uint32_t ops, const struct takers *t)
{
	char shown[160];

	f->ops |= ops;
	for (size_t i = 0; i < t->n; i++)
		takers_add(&f->takers, t->v[i]);
	f->takers.more |= t->more;
	if (f->n++ < SHOWN && f->at < sizeof(f->names))
		f->at += (size_t)snprintf(f->names + f->at, sizeof(f->names) - f->at, "%s\"%.120s\"", f->at ? " " : "",
					  lint_shown(l, entry, shown, sizeof(shown)));
}

static void fault_warn(const struct paths *p, const struct rule *u, const struct fault *f, const char *what, const char *id)
{
	bool tree = !strcmp(id, "tree-without-root");
	char words[1024], ops[256];

	if (!f->n)
		return;
	takers_words(p->l, p->r, &f->takers, u->file, words, sizeof(words));
	lint_warn(p->l, lint_at(u), "%s%s of rule \"%.64s\" %s %s: %s %s%s%s [%s]", f->names, f->n > SHOWN ? " ..." : "", u->name, what,
		  ops_words(p, f->ops, ops, sizeof(ops)), words, tree ? "decide" : "come", f->takers.n + f->takers.more > 1 ? "" : "s",
		  tree ? " there" : " first", id);
}

/* "**" and "/" and then a text: what is meant wherever it lies. */
static bool anywhere(const char *glob)
{
	return !strncmp(glob, "**/", 3) && (isalnum((unsigned char)glob[3]) || glob[3] == '.' || glob[3] == '_');
}

static int lint_rule(struct paths *p, uint32_t i, uint32_t first, struct fate *fates)
{
	const struct rule *u = &p->r->v[i];
	struct fault dead = { 0 }, part = { 0 }, here = { 0 };
	struct takers all = { 0 };
	uint32_t any = 0, dead_ends = 0;
	bool restricts = u->decision == POL_DENY || u->decision == POL_APPROVE || u->decision == POL_REDIRECT;

	for (size_t k = 0; k < u->paths.n; k++) {
		int r = fate_of(p, i, first + (uint32_t)k, NULL, &fates[k]);

		if (r < 0)
			return r;
		any |= fates[k].alive;
		dead_ends += fates[k].met && !fates[k].alive;
		for (size_t t = 0; !fates[k].alive && t < fates[k].takers.n; t++)
			takers_add(&all, fates[k].takers.v[t]);
	}
	if (!any && dead_ends) {
		lint_shadowed(p->l, p->r, i, &all);
		return 0;
	}
	for (size_t k = 0; k < u->paths.n; k++) {
		const char *entry = u->paths.v[k];
		/* Operations that the rule holds other entries to, and not this one. */
		uint32_t lost = any & ~fates[k].alive & ~fates[k].barred;
		struct fate below;
		int r;

		if (!fates[k].met) {
			continue; /* it matches no path at all: the parser's to say */
		} else if (!fates[k].alive) {
			fault_add(p->l, &dead, entry, u->ops, &fates[k].takers);
		} else if (restricts && lost) {
			fault_add(p->l, &part, entry, lost, &fates[k].permitting);
		} else if (restricts && !p->unixes && anywhere(entry)) {
			r = fate_of(p, i, first + (uint32_t)k, BELOW, &below);
			if (r < 0)
				return r;
			lost = u->ops & ~below.alive & ~below.barred;
			if (below.met && lost)
				fault_add(p->l, &here, entry, lost, &below.permitting);
		}
	}
	fault_warn(p, u, &dead, "can never decide", "shadowed-entry");
	fault_warn(p, u, &part, "never decides", "shadowed-entry");
	fault_warn(p, u, &here, "does not hold below the workspace for", "shadowed-in-workspace");
	return 0;
}

static const char *last_star(const char *glob)
{
	size_t n = strlen(glob);

	return n > 3 && !strcmp(glob + n - 3, "/**") ? glob + n - 3 : NULL;
}

struct deciding { const char *path; uint32_t ops; uint32_t rule[POL_OP__COUNT]; };

static void decide(struct paths *p, void *arg, uint32_t entry)
{
	struct deciding *d = arg;
	uint32_t rule = p->entries[entry].rule;
	const struct rule *u = &p->r->v[rule];

	if (!(u->ops & d->ops) || conditional(u) || !wild_match(p->entries[entry].glob, d->path, '/'))
		return;
	for (int op = 0; op < POL_OP__COUNT; op++)
		if ((u->ops & d->ops) >> op & 1 && rule < d->rule[op])
			d->rule[op] = rule;
}

/* The first rules that decide these operations at this very path. */
static int deciders(struct paths *p, const char *path, uint32_t ops, struct deciding *ret)
{
	*ret = (struct deciding){ .path = path, .ops = ops };
	memset(ret->rule, 0xff, sizeof(ret->rule)); /* NO_RULE */
	return near(p, path, strlen(path), false, decide, ret);
}

/* A tree that is opened, or closed, without its own directory: it cannot be listed, or it can be listed and moved. */
static void lint_tree(struct paths *p, uint32_t i)
{
	const uint32_t opened = 1u << POL_OP_LIST | 1u << POL_OP_STAT,
		       closed = 1u << POL_OP_LIST | 1u << POL_OP_RENAME | 1u << POL_OP_DELETE | 1u << POL_OP_RMDIR;
	const struct rule *u = &p->r->v[i];
	bool allow = lint_permits(u->decision);
	uint32_t ops = u->ops & (allow ? opened : closed);
	struct fault f = { 0 };

	if ((!allow && u->decision != POL_DENY) || (allow && !(u->ops >> POL_OP_LIST & 1)))
		return;
	for (size_t k = 0; k < u->paths.n; k++) {
		const char *end = last_star(u->paths.v[k]);
		char root[4200], inside[4204];
		struct deciding at, in;

		if (!end || str_format(root, sizeof(root), "%.*s", (int)(end - u->paths.v[k]), u->paths.v[k]) < 0 || wild_is(root))
			continue;
		snprintf(inside, sizeof(inside), "%s/-", root);
		if (deciders(p, root, ops, &at) < 0 || deciders(p, inside, ops, &in) < 0)
			return;
		for (int op = 0; op < POL_OP__COUNT; op++) {
			const struct rule *d = &p->r->v[at.rule[op] < p->r->n ? at.rule[op] : i];

			/* Another rule decides at the directory, and not as this one does within it. */
			if (in.rule[op] == i && d != u && (allow ? d->decision == POL_DENY : lint_permits(d->decision))) {
				struct takers t = { { at.rule[op] }, 1, 0 };

				fault_add(p->l, &f, u->paths.v[k], 1u << op, &t);
				break;
			}
		}
	}
	fault_warn(p, u, &f,
		   allow ? "leaves out the directory itself, which is closed for" : "leaves out the directory itself, which stays open for",
		   "tree-without-root");
}

static int by_beginning(const void *a, const void *b, void *arg)
{
	const struct entry *v = arg, *y = &v[*(const uint32_t *)b];

	return compare(&v[*(const uint32_t *)a], y->glob, y->plain);
}

static int compile(struct paths *p, size_t n)
{
	p->entries = malloc((n + 1) * sizeof(*p->entries));
	p->order = malloc((n + 1) * sizeof(*p->order));
	p->others = malloc((n + 1) * sizeof(*p->others));
	if (!p->entries || !p->order || !p->others)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->r->n; i++)
		for (size_t k = 0; k < p->r->v[i].paths.n; k++) {
			const char *glob = p->r->v[i].paths.v[k];
			int at = globs_add(&p->g, glob);

			if (at < 0)
				return at;
			p->entries[at] = (struct entry){ glob, i, (uint32_t)strcspn(glob, "*?[{\\") };
			p->order[at] = (uint32_t)at;
		}
	qsort_r(p->order, n, sizeof(*p->order), by_beginning, p->entries);
	return 0;
}

void lint_files(struct lint *l, const struct rules *r, bool unixes)
{
	struct paths p = { .l = l, .r = r, .unixes = unixes, .g = { .sep = '/', .paths = !unixes } };
	const char *what = unixes ? "unix socket rules" : "file rules";
	size_t n = 0, most = 0;
	uint32_t first = 0, i = 0;
	struct fate *fates;

	for (size_t k = 0; k < r->n; k++) {
		n += r->v[k].paths.n;
		most = r->v[k].paths.n > most ? r->v[k].paths.n : most;
	}
	l->left = LINT_WORK;
	fates = calloc(most + 1, sizeof(*fates));
	if (r->n && (!fates || n > ENTRIES_MAX || compile(&p, n) < 0))
		lint_too_large(l, r, what, 0);
	else
		for (; i < r->n; first += (uint32_t)r->v[i].paths.n, i++) {
			if (lint_rule(&p, i, first, fates) < 0) {
				lint_too_large(l, r, what, i);
				break;
			}
			if (!unixes)
				lint_tree(&p, i);
		}
	free(fates);
	free(p.entries);
	free(p.order);
	free(p.others);
	globs_fini(&p.g);
}
