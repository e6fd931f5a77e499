/* SPDX-License-Identifier: Apache-2.0 */
/* Lints of rules that select by names: hosts, commands, requests. Entry by entry; globs exactly. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/lint.h"
#include "policy/lint_glob.h"

#define CANDIDATES_MAX 20000
#define COMBINED_MAX 1000            /* ports times ranges of one rule that are looked at one by one */
#define SHOWN 8

/* Earlier rules' entries that could take one. */
struct names { const char **v; uint32_t *rule; size_t n; char sep; bool fold; };
struct section { struct lint *l; const struct rules *r; struct names names; bool full; };
struct walked { const struct names *names; struct takers *takers; bool open; };

static bool names_make(struct names *n, char sep, bool fold)
{
	*n = (struct names){ .v = malloc(CANDIDATES_MAX * sizeof(*n->v)), .rule = malloc(CANDIDATES_MAX * sizeof(*n->rule)), .sep = sep,
			     .fold = fold };
	return n->v && n->rule;
}

static void names_fini(struct names *n)
{
	free(n->v);
	free(n->rule);
}

static void candidate(struct section *s, const char *glob, uint32_t rule)
{
	if (s->names.n == CANDIDATES_MAX) {
		s->full = true;
		return;
	}
	s->names.v[s->names.n] = glob;
	s->names.rule[s->names.n++] = rule;
}

static bool one_set(void *arg, const uint32_t *hit, size_t n)
{
	struct walked *w = arg;

	if (n)
		takers_add(w->takers, w->names->rule[hit[0]]);
	w->open = !n;
	return n != 0;
}

/* Some text of the entry that no candidate matches: 1; none: 0; not known: 1. */
static bool open_glob(struct section *s, const char *entry, struct takers *t)
{
	struct globs g = { .sep = s->names.sep, .fold = s->names.fold, .work = &s->l->left };
	struct walked w = { &s->names, t, false };
	uint32_t *others = malloc((s->names.n + 1) * sizeof(*others));
	int must = 0;

	for (size_t i = 0; others && i < s->names.n && must >= 0; i++) {
		must = globs_add(&g, s->names.v[i]);
		others[i] = (uint32_t)must;
	}
	must = must < 0 ? must : globs_add(&g, entry);
	if (!others || must < 0 || globs_walk(&g, (uint32_t)must, others, s->names.n, NULL, one_set, &w, &s->l->left) < 0)
		w.open = true;
	free(others);
	globs_fini(&g);
	return w.open;
}

static bool same(const struct names *n, const char *a, const char *b)
{
	return n->fold ? !strcasecmp(a, b) : !strcmp(a, b);
}

/* Whether the candidates leave something of the entry; who takes it goes to t. */
static bool open_entry(struct section *s, const char *entry, struct takers *t)
{
	bool wild = wild_is(entry), special = false;
	char lower[WILD_MAX + 1];
	size_t n = strlen(entry);

	if (n > WILD_MAX || !lint_spend(s->l, s->names.n))
		return true;
	for (size_t i = 0; i <= n; i++)
		lower[i] = (char)(s->names.fold ? tolower((unsigned char)entry[i]) : entry[i]);
	for (size_t i = 0; i < s->names.n; i++) {
		const char *c = s->names.v[i];

		uint64_t steps = 0;

		special |= wild_is(c);
		if (!strcmp(c, "**") || same(&s->names, c, entry) ||
		    (!wild && wild_is(c) && wild_match_counted(c, lower, s->names.sep, &steps))) {
			takers_add(t, s->names.rule[i]);
			return false;
		}
		if (!lint_spend(s->l, steps / STEPS_WORK))
			return true;
	}
	/* Texts without end, and only single ones to take them. */
	if (!wild || (!special && strchr(entry, '*')))
		return true;
	return open_glob(s, entry, t);
}

static void warn_entries(struct section *s, uint32_t i, const char *names, size_t n, const struct takers *t)
{
	char words[1024];

	if (n)
		lint_warn(s->l, lint_at(&s->r->v[i]), "%s%s of rule \"%.64s\" can never decide: %s come%s first [shadowed-entry]", names,
			  n > SHOWN ? " ..." : "", s->r->v[i].name, takers_words(s->l, s->r, t, s->r->v[i].file, words, sizeof(words)),
			  t->n + t->more > 1 ? "" : "s");
}

static void entry_named(char *out, size_t cap, size_t *n, const char *entry)
{
	size_t at = strlen(out);

	if ((*n)++ < SHOWN)
		snprintf(out + at, cap - at, "%s\"%.120s\"", at ? " " : "", entry);
}

static bool asks_http(const struct rule *u)
{
	return u->more && (u->more->methods.n || u->more->url_paths.n);
}

/* As far as all but names, ports and ranges go: e takes what u could decide. */
static bool takes_net(struct lint *l, const struct rule *e, const struct rule *u)
{
	bool raw = !u->domains.n && (u->decision == POL_DENY || u->cidrs.n);
	bool names = !u->cidrs.n && !(u->decision == POL_DENY && (u->n_ports || asks_http(u)));

	if (!lint_takes_who(l, e, u))
		return false;
	if (asks_http(e) && (!asks_http(u) || (e->decision == POL_DENY) != (u->decision == POL_DENY) ||
			     !lint_covers(l, &e->more->methods, &u->more->methods) ||
			     !lint_covers(l, &e->more->url_paths, &u->more->url_paths)))
		return false;
	/* A raw address is no name, and what does not deny it must speak of addresses. */
	if (raw && (e->domains.n || (e->decision != POL_DENY && !e->cidrs.n)))
		return false;
	/* A question for a name is refused by no rule that has ports. */
	return !names || e->decision != POL_DENY || (!e->n_ports && !asks_http(e));
}

static bool takes_port(const struct rule *e, const struct rule *u, size_t port)
{
	if (!e->n_ports)
		return true;
	for (size_t k = 0; u->n_ports && k < e->n_ports; k++)
		if (e->ports[k] == u->ports[port])
			return true;
	return false;
}

static bool takes_range(const struct rule *e, const struct rule *u, size_t range)
{
	struct cidr inner, outer;

	if (!e->cidrs.n)
		return true;
	if (!u->cidrs.n || cidr_parse(u->cidrs.v[range], &inner) < 0)
		return false;
	for (size_t k = 0; k < e->cidrs.n; k++)
		if (cidr_parse(e->cidrs.v[k], &outer) == 0 && outer.bits <= inner.bits && cidr_has(&outer, inner.addr, inner.len))
			return true;
	return false;
}

/* One port and one range of rule i, with each of its names. False: the work is used up. */
static bool net_names(struct section *s, uint32_t i, size_t port, size_t range, bool *port_open, bool *range_open, bool *domains,
		      struct takers *t)
{
	const struct rule *u = &s->r->v[i];

	s->names.n = 0;
	for (uint32_t k = 0; k < i; k++) {
		const struct rule *e = &s->r->v[k];

		if (!lint_spend(s->l, 1 + e->n_ports / 8 + 4 * e->cidrs.n + e->domains.n))
			return false;
		if (!takes_port(e, u, port) || !takes_range(e, u, range) || !takes_net(s->l, e, u))
			continue;
		if (!e->domains.n)
			candidate(s, "**", k);
		for (size_t d = 0; d < e->domains.n; d++)
			candidate(s, strcmp(e->domains.v[d], "*") != 0 ? e->domains.v[d] : "**", k);
	}
	if (!u->domains.n && open_entry(s, "**", t))
		*port_open = *range_open = *domains = true;
	for (size_t d = 0; d < u->domains.n; d++)
		if (open_entry(s, strcmp(u->domains.v[d], "*") != 0 ? u->domains.v[d] : "**", t))
			*port_open = *range_open = domains[d] = true;
	return !s->full && s->l->left > i;
}

static bool net_rule(struct section *s, uint32_t i, bool *open)
{
	const struct rule *u = &s->r->v[i];
	size_t ports = u->n_ports ? u->n_ports : 1, ranges = u->cidrs.n ? u->cidrs.n : 1, domains = u->domains.n ? u->domains.n : 1, n = 0;
	bool *port = open, *range = open + ports, *domain = range + ranges, any = false;
	struct takers t = { 0 };
	char names[1200] = "";

	memset(open, 0, ports + ranges + domains);
	if (ports * ranges > COMBINED_MAX)
		return true;
	for (size_t p = 0; p < ports; p++)
		for (size_t r = 0; r < ranges; r++)
			if (!net_names(s, i, p, r, &port[p], &range[r], domain, &t))
				return false;
	for (size_t k = 0; k < ports + ranges + domains; k++)
		any |= open[k];
	if (!any && t.n) {
		lint_shadowed(s->l, s->r, i, &t);
		return true;
	}
	for (size_t k = 0; k < u->domains.n; k++)
		if (!domain[k])
			entry_named(names, sizeof(names), &n, u->domains.v[k]);
	for (size_t k = 0; k < u->cidrs.n; k++)
		if (!range[k])
			entry_named(names, sizeof(names), &n, u->cidrs.v[k]);
	for (size_t k = 0; k < u->n_ports; k++) {
		char number[16];

		snprintf(number, sizeof(number), "port %u", u->ports[k]);
		if (!port[k])
			entry_named(names, sizeof(names), &n, number);
	}
	if (t.n)
		warn_entries(s, i, names, n, &t);
	return true;
}

void lint_nets(struct lint *l, const struct rules *r)
{
	struct section s = { .l = l, .r = r };
	bool *open = malloc(65536 + 2 * (STRINGS_MAX + 1));

	lint_section(l);
	if (names_make(&s.names, '.', false) && open)
		for (uint32_t i = 0; i < r->n; i++)
			if (!net_rule(&s, i, open)) {
				lint_too_large(l, lint_at(&r->v[i]), "network rules", r->v[i].name);
				break;
			}
	names_fini(&s.names);
	free(open);
}

static bool takes_exec(struct lint *l, const struct rule *e, const struct rule *u)
{
	bool ends = e->max_depth < 0 || (u->max_depth >= 0 && e->max_depth >= u->max_depth);

	return ends && e->min_depth <= u->min_depth && lint_takes_who(l, e, u) &&
	       lint_covers(l, &e->args_patterns, &u->args_patterns);
}

/* The last part of a path entry when it is a base name's glob, or NULL. */
static const char *last_part(const char *entry)
{
	const char *slash = strrchr(entry, '/');

	return slash && slash[1] && !strstr(slash, "**") && !strpbrk(slash, "{}[]\\") ? slash + 1 : NULL;
}

/* An entry of rule i against those with a slash, and against base names. */
static bool exec_open(struct section *s, struct section *by_path, const char *entry, struct takers *t)
{
	const char *part;

	if (!strchr(entry, '/'))
		return open_entry(s, entry, t);
	part = last_part(entry);
	return open_entry(by_path, entry, t) && (!part || open_entry(s, part, t));
}

static bool exec_rule(struct section *s, struct section *by_path, uint32_t i)
{
	const struct rule *u = &s->r->v[i];
	struct takers taken = { 0 };
	char names[1200] = "";
	size_t n = 0;

	s->names.n = by_path->names.n = 0;
	for (uint32_t k = 0; k < i; k++) {
		const struct rule *e = &s->r->v[k];

		if (!lint_spend(s->l, 1 + e->commands.n))
			return false;
		if (!takes_exec(s->l, e, u))
			continue;
		for (size_t c = 0; c < (e->commands.n ? e->commands.n : 1); c++) {
			const char *entry = e->commands.n ? e->commands.v[c] : "*";

			candidate(strchr(entry, '/') ? by_path : s, entry, k);
			if (!entry[strspn(entry, "*")]) /* any base name: any path too */
				candidate(by_path, "**", k);
		}
	}
	for (size_t c = 0; c < (u->commands.n ? u->commands.n : 1); c++) {
		const char *entry = u->commands.n ? u->commands.v[c] : "**";
		struct takers t = { 0 };

		if (exec_open(s, by_path, entry, &t))
			continue;
		entry_named(names, sizeof(names), &n, entry);
		for (size_t k = 0; k < t.n; k++)
			takers_add(&taken, t.v[k]);
	}
	if (n && n == (u->commands.n ? u->commands.n : 1))
		lint_shadowed(s->l, s->r, i, &taken);
	else
		warn_entries(s, i, names, n, &taken);
	return !s->full && !by_path->full && s->l->left > i;
}

void lint_execs(struct lint *l, const struct rules *r)
{
	struct section s = { .l = l, .r = r }, by_path = { .l = l, .r = r };
	bool made = names_make(&s.names, 0, true);

	lint_section(l);
	if (names_make(&by_path.names, '/', false) && made)
		for (uint32_t i = 0; i < r->n; i++)
			if (!exec_rule(&s, &by_path, i)) {
				lint_too_large(l, lint_at(&r->v[i]), "command rules", r->v[i].name);
				break;
			}
	names_fini(&s.names);
	names_fini(&by_path.names);
}

static bool takes_method(const struct rule *e, const char *method)
{
	const struct strs *v = e->more ? &e->more->methods : NULL;

	if (!v || !v->n)
		return true;
	for (size_t k = 0; k < v->n; k++)
		if (!strcmp(v->v[k], "*") || (method && !strcmp(v->v[k], method)))
			return true;
	return false;
}

void lint_requests(struct lint *l, const struct rules *r)
{
	static const struct rule_more none;
	struct section s = { .l = l, .r = r };
	bool made = names_make(&s.names, '/', false);

	for (uint32_t i = 0; made && i < r->n && i < 1000; i++) {
		const struct rule_more *m = r->v[i].more ? r->v[i].more : &none;
		struct takers t = { 0 };
		bool open = false;

		for (size_t k = 0; k < (m->methods.n ? m->methods.n : 1) && !open; k++) {
			const char *method = m->methods.n && strcmp(m->methods.v[k], "*") != 0 ? m->methods.v[k] : NULL;

			s.names.n = 0;
			for (uint32_t e = 0; e < i; e++) {
				const struct rule_more *em = r->v[e].more ? r->v[e].more : &none;
				bool takes = lint_spend(l, 1 + em->methods.n + em->url_paths.n) && lint_takes_who(l, &r->v[e], &r->v[i]) &&
					     takes_method(&r->v[e], method);

				for (size_t p = 0; takes && p < (em->url_paths.n ? em->url_paths.n : 1); p++)
					candidate(&s, em->url_paths.n ? em->url_paths.v[p] : "**", e);
			}
			for (size_t p = 0; p < (m->url_paths.n ? m->url_paths.n : 1) && !open; p++)
				open = open_entry(&s, m->url_paths.n ? m->url_paths.v[p] : "**", &t);
		}
		if (!l->left || s.full) {
			lint_too_large(l, lint_at(&r->v[i]), "requests' rules", r->v[i].name);
			break;
		}
		if (!open && t.n)
			lint_shadowed(l, r, i, &t);
	}
	names_fini(&s.names);
}
