/* SPDX-License-Identifier: Apache-2.0 */
/* Lints of rules that select by path and operation, from what earlier rules leave to each entry. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/lint.h"
#include "policy/lint_fate.h"

#define ENTRIES_MAX 200000
#define SHOWN 8                      /* entries named in one warning */
/* What a rule is there for: an entry that loses neither lost what somebody excepted. */
#define CONTENTS (1u << POL_OP_READ | 1u << POL_OP_WRITE)
#define LOOKS (1u << POL_OP_STAT | 1u << POL_OP_LIST | 1u << POL_OP_READLINK | 1u << POL_OP_ACCESS)
#define NOT_ASKED (1u << POL_OP_STAT | 1u << POL_OP_ACCESS)

static bool conditional(const struct rule *u)
{
	return u->more && (u->more->processes.n || u->more->sha256.n);
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

/* Operations that an entry loses, and not as exceptions are lost: to a rule that permits and that names more than this one does. others:
 * those that the rule holds other entries to. */
static int lost_to_wider(struct paths *p, uint32_t i, uint32_t at, const char *below, uint32_t others, struct fate *f, uint32_t *ret)
{
	const struct rule *u = &p->r->v[i];
	uint32_t asks = u->decision == POL_APPROVE && !p->unixes ? u->ops & ~NOT_ASKED : 0;

	for (int again = 0; again < 2; again++) {
		uint32_t lost = u->ops & ~f->alive & ~f->barred, matters = lost & others & (p->unixes ? 1u << POL_UNIX_CONNECT : CONTENTS);
		int r;

		*ret = 0;
		if (!f->met || (!matters && !(asks && (lost & asks) == asks)))
			return 0;
		*ret = matters ? lost & others : lost;
		r = again ? 0 : fate_of(p, i, at, below, true, f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int lint_rule(struct paths *p, uint32_t i, uint32_t first, struct fate *fates)
{
	const struct rule *u = &p->r->v[i];
	struct fault dead = { 0 }, part = { 0 }, here = { 0 };
	struct takers all = { 0 };
	uint32_t any = 0, dead_ends = 0;
	bool restricts = u->decision == POL_DENY || u->decision == POL_APPROVE || u->decision == POL_REDIRECT;

	for (size_t k = 0; k < u->paths.n; k++) {
		int r = fate_of(p, i, first + (uint32_t)k, NULL, false, &fates[k]);

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
		uint32_t at = first + (uint32_t)k, lost = 0;
		struct fate below = { 0 };
		int r = 0;

		if (!fates[k].met) {
			continue; /* it matches no path at all: the parser's to say */
		} else if (!fates[k].alive) {
			fault_add(p->l, &dead, entry, u->ops, &fates[k].takers);
		} else if (restricts) {
			r = lost_to_wider(p, i, at, NULL, any, &fates[k], &lost);
			if (lost) {
				fault_add(p->l, &part, entry, lost, &fates[k].permitting);
			} else if (r == 0 && !p->unixes && anywhere(entry)) {
				r = fate_of(p, i, at, p->l->below, false, &below);
				if (r == 0)
					r = lost_to_wider(p, i, at, p->l->below, u->ops, &below, &lost);
				if (lost)
					fault_add(p->l, &here, entry, lost, &below.permitting);
			}
		}
		if (r < 0)
			return r;
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
	uint64_t steps = 0;
	bool matches;

	if (!(u->ops & d->ops) || conditional(u))
		return;
	matches = wild_match_counted(p->entries[entry].glob, d->path, '/', &steps);
	globs_spend(&p->g, steps / STEPS_WORK);
	if (!matches)
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
	return paths_near(p, path, strlen(path), false, decide, ret);
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

			/* Another rule decides at the directory, and not as this one does within it. One that opens looking alone means
			 * it. */
			if (in.rule[op] == i && d != u &&
			    (allow ? d->decision == POL_DENY : lint_permits(d->decision) && d->ops & ~LOOKS)) {
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

void lint_files(struct lint *l, const struct rules *r, bool unixes)
{
	struct paths p = { 0 };
	const char *what = unixes ? "unix socket rules" : "file rules";
	size_t n = 0, most = 0;
	uint32_t first = 0, i = 0;
	struct fate *fates;

	for (size_t k = 0; k < r->n; k++) {
		n += r->v[k].paths.n;
		most = r->v[k].paths.n > most ? r->v[k].paths.n : most;
	}
	lint_section(l);
	fates = calloc(most + 1, sizeof(*fates));
	if (r->n && (!fates || n > ENTRIES_MAX || paths_make(&p, l, r, unixes) < 0))
		lint_too_large(l, lint_at(&r->v[0]), what, r->v[0].name);
	else
		for (; i < r->n; first += (uint32_t)r->v[i].paths.n, i++) {
			if (lint_rule(&p, i, first, fates) < 0) {
				lint_too_large(l, lint_at(&r->v[i]), what, r->v[i].name);
				break;
			}
			if (!unixes)
				lint_tree(&p, i);
		}
	free(fates);
	paths_fini(&p);
}
