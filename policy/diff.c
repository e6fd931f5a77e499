/* SPDX-License-Identifier: Apache-2.0 */
/* Compares two policies: groups what is found, and asks the sections in turn. */
#include "policy/diff.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GROUPS_MAX 20000
#define QUESTION_MAX 8192
#define ASKERS_MAX 32

struct group {
	char *section, *question, *decision[2], *rule[2], *more[2];
	uint64_t questions;
	uint32_t ops, hash;             /* operations: for which the first question has this answer, too */
	size_t head, rest;              /* of the first question, as struct differ has them */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool diff_time(struct differ *d)
{
	if (++d->asked % 64 == 0 && now_ms() > d->until)
		d->cut = true;
	return !d->cut && !d->failed;
}

void diff_word(struct differ *d, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@=,+%[]*";
	struct buf *b = &d->question;

	if (b->len)
		buf_puts(b, " ");
	if (text[0] && strspn(text, plain) == strlen(text)) {
		buf_puts(b, text);
		return;
	}
	buf_puts(b, "'");
	for (; *text; text++)
		if (*text == '\'')
			buf_puts(b, "'\\''");
		else
			buf_put(b, text, 1);
	buf_puts(b, "'");
}

void diff_begin(struct differ *d, const struct asker *w, const char *fmt, ...)
{
	char words[256];
	va_list ap;

	buf_reset(&d->question);
	if (w && w->name) {
		buf_puts(&d->question, "by");
		diff_word(d, w->name);
		buf_puts(&d->question, " ");
	}
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	d->question_head = d->question.len;
	buf_puts(&d->question, words);
	d->question_rest = d->question.len;
}

static uint32_t hash(const char *section, const struct side s[2])
{
	const char *const texts[] = { section, s[0].decision, s[0].rule, s[0].more, s[1].decision, s[1].rule, s[1].more };
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (const char *t = texts[i]; *t; t++)
			h = (h ^ (uint8_t)*t) * 16777619u;
		h = (h ^ 0xff) * 16777619u;
	}
	return h;
}

static bool same(const struct group *g, const char *section, const struct side s[2], uint32_t h)
{
	bool eq = g->hash == h && !strcmp(g->section, section);

	for (int i = 0; i < 2; i++)
		eq = eq && !strcmp(g->decision[i], s[i].decision) && !strcmp(g->rule[i], s[i].rule) && !strcmp(g->more[i], s[i].more);
	return eq;
}

/* Room for one more group, in the list and in the table. */
static bool room(struct differ *d)
{
	size_t cap = d->cap_groups ? d->cap_groups * 2 : 64;
	struct group *v;
	uint32_t *t;

	if (d->n_groups < d->cap_groups)
		return true;
	if (d->n_groups >= GROUPS_MAX) {
		d->cut = true;
		return false;
	}
	v = realloc(d->groups, cap * sizeof(*v));
	if (v) {
		d->groups = v;
		d->cap_groups = cap;
	}
	t = v ? calloc(cap * 2, sizeof(*t)) : NULL;
	if (!t) {
		d->failed = true;
		return false;
	}
	free(d->table);
	d->table = t;
	d->cap_table = cap * 2;
	for (size_t i = 0; i < d->n_groups; i++) {
		size_t at = d->groups[i].hash % d->cap_table;

		while (t[at])
			at = (at + 1) % d->cap_table;
		t[at] = (uint32_t)i + 1;
	}
	return true;
}

/* The same question but for its operation. */
static bool same_but_op(const struct differ *d, const struct group *g)
{
	const char *q = (const char *)d->question.data;

	return d->question_head == g->head && !strncmp(q, g->question, g->head) && !strcmp(q + d->question_rest, g->question + g->rest);
}

LEAKS_UNSEEN_BEGIN /* the texts belong to the group: fini */
static void group_make(struct differ *d, struct group *g, const char *section, const struct side s[2], uint32_t h, int op)
{
	const char *q = (const char *)d->question.data;

	*g = (struct group){ .section = strdup(section), .question = strdup(q), .hash = h, .questions = 1,
			     .ops = op < 0 ? 0 : 1u << op, .head = d->question_head, .rest = d->question_rest };
	for (int i = 0; i < 2; i++) {
		g->decision[i] = strdup(s[i].decision);
		g->rule[i] = strdup(s[i].rule);
		g->more[i] = strdup(s[i].more);
		d->failed = d->failed || !g->decision[i] || !g->rule[i] || !g->more[i];
	}
	d->failed = d->failed || !g->section || !g->question;
}
LEAKS_UNSEEN_END

void diff_note(struct differ *d, const char *section, const struct side s[2], int op)
{
	uint32_t h = hash(section, s);
	struct group *g = NULL;
	size_t at;

	if (d->failed || !room(d) || !buf_ok(&d->question))
		return;
	for (at = h % d->cap_table; d->table[at]; at = (at + 1) % d->cap_table) {
		g = &d->groups[d->table[at] - 1];
		if (same(g, section, s, h))
			break;
	}
	if (d->table[at]) {
		g->questions++;
		if (op >= 0 && same_but_op(d, g))
			g->ops |= 1u << op;
		return;
	}
	d->table[at] = (uint32_t)++d->n_groups;
	group_make(d, &d->groups[d->n_groups - 1], section, s, h, op);
}

static bool lists_differ(const char *const *a, size_t n, const char *const *b, size_t m)
{
	bool differ = n != m;

	for (size_t i = 0; i < n && !differ; i++)
		differ = strcmp(a[i], b[i]) != 0;
	return differ;
}

static bool texts_differ(const char *a, const char *b)
{
	return !a != !b || (a && strcmp(a, b) != 0);
}

bool diff_differs(const struct differ *d, const struct pol_verdict *a, const struct pol_verdict *b)
{
	if (a->decision != b->decision || (d->by_name && strcmp(a->rule, b->rule) != 0))
		return true;
	if (a->undo_keep != b->undo_keep || a->tls != b->tls || texts_differ(a->dlp, b->dlp))
		return true;
	if (a->decision != POL_REDIRECT)
		return a->fallback != b->fallback;
	return texts_differ(a->redirect_to, b->redirect_to) || a->preserve_tree != b->preserve_tree || a->signal != b->signal ||
	       a->fallback != b->fallback || lists_differ(a->redirect_args, a->n_redirect_args, b->redirect_args, b->n_redirect_args) ||
	       lists_differ(a->redirect_append, a->n_redirect_append, b->redirect_append, b->n_redirect_append) ||
	       lists_differ(a->redirect_env, a->n_redirect_env, b->redirect_env, b->n_redirect_env);
}

static void more_list(struct buf *b, const char *word, const char *const *v, size_t n)
{
	if (n)
		buf_printf(b, " %s", word);
	for (size_t i = 0; i < n; i++)
		buf_printf(b, " %s", v[i]);
}

/* What a rule does beside its decision. */
static void more_of(const struct pol_verdict *v, struct buf *b)
{
	buf_put(b, "", 0);
	if (v->decision == POL_REDIRECT) {
		if (v->redirect_to)
			buf_printf(b, " to %s%s", v->redirect_to, v->preserve_tree ? " (preserve_tree)" : "");
		if (v->signal)
			buf_printf(b, " to signal %d", v->signal);
		more_list(b, "args", v->redirect_args, v->n_redirect_args);
		more_list(b, "args_append", v->redirect_append, v->n_redirect_append);
		more_list(b, "environment", v->redirect_env, v->n_redirect_env);
	}
	if (v->undo_keep)
		buf_puts(b, " undo: keep");
	if (v->tls)
		buf_puts(b, v->tls == POL_TLS_INSPECT ? " tls: inspect" : " tls: passthrough");
	if (v->dlp)
		buf_printf(b, " dlp: %s", v->dlp);
	if (v->fallback)
		buf_printf(b, " fallback: %s", pol_decision_name(v->fallback));
}

void diff_note_verdicts(struct differ *d, const char *section, const struct pol_verdict *a, const struct pol_verdict *b, int op)
{
	struct buf more[2] = { BUF_INIT(QUESTION_MAX), BUF_INIT(QUESTION_MAX) };

	more_of(a, &more[0]);
	more_of(b, &more[1]);
	if (more[0].data && more[1].data) {
		const struct side s[2] = {
			{ pol_decision_name(a->decision), a->rule, (const char *)more[0].data + (more[0].len != 0) },
			{ pol_decision_name(b->decision), b->rule, (const char *)more[1].data + (more[1].len != 0) },
		};

		diff_note(d, section, s, op);
	} else {
		d->failed = true;
	}
	buf_fini(&more[0]);
	buf_fini(&more[1]);
}

static void programs(struct differ *d, const struct strs *entries)
{
	for (size_t i = 0; i < entries->n; i++)
		example_glob(entries->v[i], strchr(entries->v[i], '/') ? '/' : 0, &d->programs);
}

/* The programs that processes entries name, and what labels they have in each policy. */
static void askers(struct differ *d)
{
	for (int k = 0; k < 2; k++) {
		const struct rules *sections[] = { &d->m[k].files, &d->m[k].nets, &d->m[k].execs, &d->m[k].unixes };

		for (size_t s = 0; s < ARRAY_LEN(sections); s++)
			for (size_t i = 0; i < sections[s]->n; i++) {
				const struct rule_more *more = sections[s]->v[i].more;

				if (more)
					programs(d, &more->processes);
			}
		for (size_t i = 0; i < d->m[k].n_signals; i++)
			programs(d, &d->m[k].signals[i].processes);
	}
	pool_done(&d->programs);
	d->askers = calloc(ASKERS_MAX + 1, sizeof(*d->askers));
	if (!d->askers) {
		d->failed = true;
		return;
	}
	d->n_askers = 1;
	for (size_t i = 0; i < d->programs.n && d->n_askers < ASKERS_MAX; i++) {
		struct asker *w = &d->askers[d->n_askers++];

		w->name = d->programs.v[i];
		for (int k = 0; k < 2; k++)
			w->who[k] = policy_labels(d->p[k], w->name, w->name[0] == '/' ? w->name : NULL, false);
	}
}

static int load(struct differ *d, int k, const struct pol_source *src, struct buf *out)
{
	struct diag g = { .file = src->file, .out = out };
	struct err err = { 0 };
	uint8_t sum[32];
	int fd = -1, r = read_model(src, &g, false, &d->m[k]);
	struct buf again = BUF_INIT(1u << 20); /* the same words a second time */

	if (r == 0)
		r = policy_compile(src, &again, &fd, sum);
	if (r < 0 && !g.errors && again.len)
		buf_puts(out, (const char *)again.data);
	buf_fini(&again);
	if (r == 0)
		r = policy_open(fd, sum, &d->p[k], &err);
	if (err.status) {
		diag_file(out, src->file);
		buf_printf(out, ": error: %s\n", err.msg);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static int by_section(const void *a, const void *b)
{
	static const char *const order[] = { "file", "net", "dns", "http", "exec", "unix", "signal", "env", "dns-redirect",
					     "connect-redirect", "service" };
	const struct group *x = a, *y = b;
	size_t i = 0, k = 0;

	while (i < ARRAY_LEN(order) && strcmp(order[i], x->section) != 0)
		i++;
	while (k < ARRAY_LEN(order) && strcmp(order[k], y->section) != 0)
		k++;
	return i != k ? (i > k) - (i < k) : strcmp(x->section, y->section);
}

static void report(struct differ *d, pol_change_fn fn, void *arg)
{
	if (d->n_groups > 1)
		qsort(d->groups, d->n_groups, sizeof(*d->groups), by_section);
	for (size_t i = 0; i < d->n_groups && !d->failed; i++) {
		const struct group *g = &d->groups[i];
		struct buf ops = BUF_INIT(512);
		struct pol_change c = { .section = g->section, .question = g->question, .questions = g->questions,
					.before = { g->decision[0], g->rule[0], g->more[0] },
					.after = { g->decision[1], g->rule[1], g->more[1] } };

		for (int op = 0; op < POL_OP__COUNT; op++)
			if (g->ops >> op & 1)
				buf_printf(&ops, "%s%s", ops.len ? " " : "", pol_op_name((enum pol_op)op));
		c.operations = ops.data ? (const char *)ops.data : "";
		fn(arg, &c);
		buf_fini(&ops);
	}
}

static void fini(struct differ *d)
{
	for (size_t i = 0; i < d->n_groups; i++) {
		struct group *g = &d->groups[i];

		free(g->section);
		free(g->question);
		for (int k = 0; k < 2; k++) {
			free(g->decision[k]);
			free(g->rule[k]);
			free(g->more[k]);
		}
	}
	free(d->groups);
	free(d->table);
	free(d->askers);
	pool_fini(&d->programs);
	buf_fini(&d->question);
	for (int k = 0; k < 2; k++) {
		policy_close(d->p[k]);
		model_fini(&d->m[k]);
	}
}

int policy_diff(const struct pol_source *a, const struct pol_source *b, bool by_name, pol_change_fn fn, void *arg, struct buf *cut,
		struct buf *diag)
{
	static const struct { const char *name; void (*fn)(struct differ *d); } sections[] = {
		{ "file", diff_files }, { "net", diff_nets }, { "exec", diff_execs }, { "unix", diff_unixes }, { "signal", diff_signals },
		{ "env", diff_envs }, { "redirects", diff_redirects }, { "service", diff_services }, { "settings", diff_settings },
	};
	struct differ d = { .by_name = by_name, .question = BUF_INIT(QUESTION_MAX),
			    .workspace = a->workspace ? a->workspace : "/workspace" };
	int r = load(&d, 0, a, diag), r2 = load(&d, 1, b, diag);

	if (r == 0 && r2 == 0)
		askers(&d);
	for (size_t i = 0; r == 0 && r2 == 0 && !d.failed && i < ARRAY_LEN(sections); i++) {
		d.cut = false;
		d.until = now_ms() + (i == 0 ? DIFF_FILES_MS : DIFF_SECTION_MS);
		sections[i].fn(&d);
		if (d.cut)
			buf_printf(cut, "%s%s", cut->len ? " " : "", sections[i].name);
	}
	if (r == 0 && r2 == 0)
		report(&d, fn, arg);
	r = r < 0 ? r : r2 < 0 ? r2 : d.failed ? -ENOMEM : (int)d.n_groups;
	fini(&d);
	return r;
}
