/* SPDX-License-Identifier: Apache-2.0 */
/* Lints: their frame, signals and redirects. */
#include "policy/lint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/parse.h"

#define VARS 256
#define NAME_BYTES 64
#define WORKSPACE "/workspace"
#define WORKSPACE_BYTES 4096

static const char *file_of(const struct model *m, uint16_t file)
{
	return file < m->sources.n ? m->sources.v[file] : m->file ? m->file : "policy";
}

void lint_warn(struct lint *l, struct place at, const char *fmt, ...)
{
	char words[4096], shown[8192];
	va_list ap;

	if (l->n++ >= l->most)
		return;
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	str_display(words, strlen(words), shown, sizeof(shown));
	diag_file(l->out, file_of(l->m, at.file));
	buf_printf(l->out, ":%u:%u: warning: %s\n", at.line, at.column ? at.column : 1, shown);
}

void takers_add(struct takers *t, uint32_t rule)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i] == rule)
			return;
	if (t->n < TAKERS_MAX)
		t->v[t->n++] = rule;
	else
		t->more = 1;
}

const char *takers_words(struct lint *l, const struct rules *r, const struct takers *t, uint16_t file, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < t->n && at < cap; i++) {
		const struct rule *u = &r->v[t->v[i]];
		const char *between = i == 0 ? "" : i + 1 < t->n || t->more ? ", " : " and ";

		if (u->file == file)
			at += (size_t)snprintf(out + at, cap - at, "%srule \"%.64s\" (line %u)", between, u->name, u->line);
		else
			at += (size_t)snprintf(out + at, cap - at, "%srule \"%.64s\" (%.200s:%u)", between, u->name, file_of(l->m, u->file),
					       u->line);
	}
	if (t->more && at < cap)
		snprintf(out + at, cap - at, " and others");
	return out;
}

const char *lint_shown(const struct lint *l, const char *entry, char *out, size_t cap)
{
	for (size_t i = 0; l->vars && i < l->vars->n_vars; i++) {
		const char *value = l->vars->vars[i].value;
		size_t n = strlen(value);

		if (value[0] != '/' || strncmp(entry, value, n) != 0 || (entry[n] && !strchr("/{", entry[n])))
			continue;
		snprintf(out, cap, "${%.64s}%s", l->vars->vars[i].name, entry + n);
		return out;
	}
	snprintf(out, cap, "%s", entry);
	return out;
}

void lint_shadowed(struct lint *l, const struct rules *r, uint32_t i, const struct takers *t)
{
	const struct rule *u = &r->v[i];
	bool permits = u->decision == POL_APPROVE;
	char words[1024];

	for (size_t k = 0; k < t->n; k++)
		permits &= lint_permits(r->v[t->v[k]].decision);
	takers_words(l, r, t, u->file, words, sizeof(words));
	if (permits)
		lint_warn(l, lint_at(u), "rule \"%.64s\" never asks: %s allow%s first all that it names [unreachable-approve]", u->name,
			  words, t->n > 1 ? "" : "s");
	else
		lint_warn(l, lint_at(u), "rule \"%.64s\" can never decide: %s take%s first all that it names [shadowed-rule]", u->name,
			  words, t->n > 1 ? "" : "s");
}

void lint_too_large(struct lint *l, struct place at, const char *section, const char *rule)
{
	size_t n = l->n;

	l->n = 0; /* however many findings there are: what follows was not looked at */
	lint_warn(l, at,
		  "%s are too many to compare: from rule \"%.64s\" on none was looked at for what comes before it [not-looked-at]", section,
		  rule);
	l->n = n < l->most ? n + 1 : n;
}

bool lint_spend(struct lint *l, uint64_t n)
{
	l->left -= n < l->left ? n : l->left;
	return l->left;
}

void lint_section(struct lint *l)
{
	l->rest += l->left;
	l->left = l->rest / 2;
	l->rest -= l->left;
}

bool lint_covers(struct lint *l, const struct strs *e, const struct strs *u)
{
	size_t k = 0;

	if (!e->n)
		return true;
	for (size_t i = 0; i < u->n && k < e->n; i++) {
		if (!lint_spend(l, e->n / 4 + 1))
			return false;
		for (k = 0; k < e->n && strcmp(e->v[k], u->v[i]) != 0;)
			k++;
	}
	return u->n && k < e->n;
}

bool lint_takes_who(struct lint *l, const struct rule *e, const struct rule *u)
{
	static const struct rule_more none;
	const struct rule_more *a = e->more ? e->more : &none, *b = u->more ? u->more : &none;

	/* A policy's own rules stand before those that it extends to take what they decide. */
	if (e->file != u->file)
		return false;
	if (!a->processes.n && !a->sha256.n)
		return true;
	/* Who is not known matches the rule unless it allows. */
	return lint_covers(l, &a->processes, &b->processes) && lint_covers(l, &a->sha256, &b->sha256) &&
	       (!lint_permits(e->decision) || lint_permits(u->decision));
}

/* Whether e decides signals sent to what u means by target type t; no type: any. */
static bool takes_target(struct lint *l, const struct signal_rule *e, const struct signal_rule *u, int t)
{
	if (e->file != u->file)
		return false;
	if (e->processes.n && (!lint_covers(l, &e->processes, &u->processes) || lint_permits(e->decision) > lint_permits(u->decision)))
		return false;
	if (!e->targets)
		return true;
	if (t < 0 || !(e->targets >> t & 1))
		return false;
	if (t == POL_T_PROCESS)
		return e->pattern && u->pattern && (!strcmp(e->pattern, u->pattern) || !strcmp(e->pattern, "*"));
	return t != POL_T_PID_RANGE || (e->min <= u->min && e->max >= u->max);
}

static void lint_signals(struct lint *l)
{
	lint_section(l);
	for (size_t i = 0; i < l->m->n_signals && i < 1000; i++) {
		const struct signal_rule *u = &l->m->signals[i], *last = NULL;
		uint64_t alive = 0;

		if (!lint_spend(l, 8 * i + 8)) {
			lint_too_large(l, (struct place){ u->file, u->line, u->column }, "signal rules", u->name);
			return;
		}
		for (int t = u->targets ? 0 : -1; t < (u->targets ? POL_T__COUNT : 0); t++) {
			uint64_t left = u->signals;

			if (t >= 0 && !(u->targets >> t & 1))
				continue;
			for (size_t k = 0; k < i && left; k++)
				if (left & l->m->signals[k].signals && takes_target(l, &l->m->signals[k], u, t)) {
					left &= ~l->m->signals[k].signals;
					last = &l->m->signals[k];
				}
			alive |= left;
		}
		if (!alive && last)
			lint_warn(l, (struct place){ u->file, u->line, u->column },
				  "rule \"%.64s\" can never decide: rule \"%.64s\" (line %u) and those "
				  "before it take first all that it names [shadowed-rule]",
				  u->name, last->name, last->line);
	}
}

static void lint_redirects(struct lint *l, const struct redirect_rule *v, size_t n)
{
	for (size_t i = 0; i < n && i < 1000; i++)
		for (size_t k = 0; k < i; k++)
			if (v[i].match && v[k].match && v[i].file == v[k].file &&
			    (!strcmp(v[i].match, v[k].match) || !strcmp(v[k].match, ".*"))) {
				lint_warn(l, (struct place){ v[i].file, v[i].line, v[i].column },
					  "redirect \"%.64s\" can never match: \"%.64s\" (line %u) "
					  "takes first all that it names [shadowed-rule]",
					  v[i].name, v[k].name, v[k].line);
				break;
			}
}

void lint_model(const struct model *m, const struct pol_source *vars, struct buf *diag)
{
	char below[4200] = WORKSPACE "/";
	struct lint l = { .m = m, .out = diag, .most = vars && vars->all ? LINTS_ALL : LINTS_MAX, .vars = vars, .below = below,
			  .rest = LINT_WORK };

	if (vars)
		snprintf(below, sizeof(below), "%s/", vars->workspace);

	lint_words(&l);
	lint_files(&l, &m->files, false);
	lint_nets(&l, &m->nets);
	lint_execs(&l, &m->execs);
	lint_files(&l, &m->unixes, true);
	lint_signals(&l);
	lint_redirects(&l, m->dns, m->n_dns);
	lint_redirects(&l, m->connect, m->n_connect);
	lint_section(&l);
	for (size_t i = 0; i < m->n_services && l.left; i++)
		lint_requests(&l, &m->services[i].rules);
	if (l.n <= l.most)
		return;
	diag_file(diag, file_of(m, 0));
	buf_printf(diag, ": and %zu more warnings\n", l.n - l.most);
}

/* Values that no two variables share: where this machine's would make two rules equal, another's do not. */
struct stand_in {
	const struct pol_source *src;
	struct pol_source any;
	struct pol_var v[VARS];
	char names[VARS][NAME_BYTES], values[VARS][NAME_BYTES + 2];
};

static void add_var(struct stand_in *s, const char *name, size_t len, bool root)
{
	size_t n = s->any.n_vars;

	for (size_t i = 0; i < n; i++)
		if (strlen(s->names[i]) == len && !strncmp(s->names[i], name, len))
			return;
	if (n == VARS || len >= NAME_BYTES || len == 0)
		return;
	memcpy(s->names[n], name, len);
	s->names[n][len] = 0;
	snprintf(s->values[n], sizeof(s->values[n]), "%s%.*s-", root ? "/" : "", (int)len, name);
	s->v[n] = (struct pol_var){ s->names[n], s->values[n], NULL };
	if (len == 12 && !memcmp(name, "PROJECT_ROOT", 12))
		s->v[n].value = s->any.workspace;
	s->any.n_vars++;
}

/* A variable that begins a path stands for a directory. */
static void scan_vars(struct stand_in *s, const char *text, size_t len)
{
	const char *end = text + len, *at = text;

	while (at < end && (at = memmem(at, (size_t)(end - at), "${", 2))) {
		bool begins = at == text || strchr("\"' \t,[", at[-1]);
		const char *close;
		size_t n = 0;

		at += 2;
		while (at + n < end && at[n] && !strchr(":}\n", at[n]))
			n++;
		close = memchr(at, '}', (size_t)(end - at));
		add_var(s, at, n, begins && close && (close + 1 == end || strchr("/\"',] \n\r", close[1])));
	}
}

static int load(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct err *err)
{
	struct stand_in *s = arg;
	int r = s->src->load(s->src->load_arg, from, name, ret_path, ret_text, ret_len, err);

	if (r == 0)
		scan_vars(s, *ret_text, *ret_len);
	return r;
}

/* The workspace is judged by both its names: what is said of the one is put into the other's words. False: no memory, or no words. */
static bool by_one_name(struct model *m, const char *workspace)
{
	const size_t n = strlen(WORKSPACE);

	if (wild_is(workspace))
		return true; /* it would be a glob */
	for (size_t i = 0; i < m->files.n; i++)
		for (size_t k = 0; k < m->files.v[i].paths.n; k++) {
			char **path = &m->files.v[i].paths.v[k], *other;

			if (strncmp(*path, WORKSPACE, n) != 0 || ((*path)[n] && !strchr("/{", (*path)[n])))
				continue;
			if (asprintf(&other, "%s%s", workspace, *path + n) < 0)
				return false;
			free(*path);
			*path = other;
		}
	return true;
}

int policy_lint(const struct pol_source *src, struct buf *diag)
{
	struct stand_in *s = calloc(1, sizeof(*s));
	struct buf unread = BUF_INIT(1u << 20);
	struct diag d = { .file = src->file, .out = &unread };
	struct model m = { 0 };
	bool known = src->workspace && src->workspace[0] == '/' && src->workspace[1] && strlen(src->workspace) <= WORKSPACE_BYTES;

	if (!s)
		return -ENOMEM;
	s->src = src;
	s->any = *src;
	s->any.vars = s->v;
	s->any.n_vars = 0;
	s->any.workspace = known ? src->workspace : WORKSPACE;
	s->any.load = src->load ? load : NULL;
	s->any.load_arg = s;
	scan_vars(s, src->text, src->len);
	if (parse_source(&s->any, &d, true, &m) == 0 && (!known || by_one_name(&m, src->workspace)))
		lint_model(&m, &s->any, diag);
	model_fini(&m);
	buf_fini(&unread);
	free(s);
	return 0;
}
