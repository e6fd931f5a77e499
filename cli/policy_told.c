/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a question to a policy as the daemons would: with the file that its name leads to. */
#include "cli/policy_told.h"

#include <string.h>

/* The names by which execd judges what was found. */
static void by_file(const struct policy *p, struct question *q, struct looked *seen)
{
	for (size_t i = 0; i < q->n_twins; i++) {
		const struct pol_twin *t = &q->twins[i];
		size_t link = strlen(t->link), real = strlen(t->real);

		/* Below a link of the root the policy knows both names. */
		if (!strncmp(seen->written, t->link, link) && seen->written[link] == '/' && !strncmp(seen->place, t->real, real) &&
		    !strcmp(seen->place + real, seen->written + link))
			seen->written[0] = 0;
	}
	q->given = seen->place;
	if (seen->written[0] && strcmp(seen->written, seen->place) != 0) {
		q->written = seen->written;
		q->untrusted_written = seen->up || !policy_settled(p, seen->written);
	}
}

/* As execd does it: a submitted command by its name, before anything is started; then every exec by its file. */
static int ask_program(const struct policy *p, const char *workspace, struct told *o, struct err *err)
{
	struct question as_named, *q = &o->q;
	struct answer first;
	bool named;
	int r;

	if (q->resolved) { /* whoever asks says which file */
		o->refused = q->depth > 0;
		return question_ask(p, q, &o->a, err);
	}
	look_program(q->given, workspace, &o->seen);
	q->n_twins = look_twins(&q->twins);
	as_named = *q;
	if (o->seen.file[0]) {
		by_file(p, q, &o->seen);
		if (strchr(as_named.given, '/'))
			as_named = *q;
		q->resolved = o->seen.file;
		q->untrusted_name = strcmp(o->seen.place, o->seen.file) != 0 && !policy_settled(p, o->seen.place);
	}
	r = question_ask(p, &as_named, &first, err);
	if (r == 0)
		r = question_ask(p, q, &o->a, err);
	if (r < 0)
		return r;
	named = q->depth == 0 && (first.decision == POL_DENY || first.decision == POL_REDIRECT);
	o->before = named && o->seen.file[0] && (first.decision != o->a.decision || first.v.rule_no != o->a.v.rule_no);
	/* Who said yes to a rule is not asked by it again. */
	if (named || (q->depth == 0 && first.decision == POL_APPROVE &&
		      (o->a.decision == POL_ALLOW || o->a.decision == POL_AUDIT || o->a.v.rule_no == first.v.rule_no))) {
		*q = as_named;
		r = question_ask(p, q, &o->a, err);
	}
	o->refused = q->depth > 0 || q->resolved;
	return r;
}

static bool lets(const struct answer *a)
{
	return a->decision == POL_ALLOW || a->decision == POL_AUDIT;
}

/* A program that command rules let run may be one that file rules close: fsd refuses it then, and that is the answer. */
static int ask_its_file(const struct policy *p, struct told *o, struct err *err)
{
	static const enum pol_op needed[] = { POL_OP_STAT, POL_OP_READ };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(needed) && r == 0 && o->seen.file[0] && !o->command.word; i++) {
		struct question f = o->q;
		struct answer a;

		f.kind = ASK_FILE;
		f.op = needed[i];
		f.path = o->seen.file;
		r = question_ask(p, &f, &a, err);
		if (r < 0 || lets(&a) || (a.decision != POL_DENY && !lets(&o->a)) || (!lets(&o->a) && o->a.decision != POL_APPROVE))
			continue;
		o->command = o->a;
		o->q = f;
		r = question_ask(p, &o->q, &o->a, err);
	}
	return r;
}

/* Operations that are about a link itself, where the path ends in one. */
static bool of_link(enum pol_op op)
{
	return op == POL_OP_MKDIR || op == POL_OP_RENAME || op == POL_OP_DELETE || op == POL_OP_RMDIR || op == POL_OP_READLINK ||
	       op == POL_OP_LINK || op == POL_OP_SYMLINK || op == POL_OP_MKNOD;
}

static int ask_file(const struct policy *p, const char *workspace, const char *written, struct told *o, struct err *err)
{
	struct question *q = &o->q;
	int r = question_ask(p, q, &o->a, err);

	look_path(written, workspace, !of_link(q->op), &o->seen);
	if (r < 0 || !o->seen.links || !strcmp(o->seen.file, q->path))
		return r;
	o->name = written;
	o->by_name = o->a;
	q->path = o->seen.file;
	return question_ask(p, q, &o->a, err);
}

int told_ask(const struct policy *p, const char *workspace, const char *written, struct told *o, struct err *err)
{
	int r;

	if (o->q.kind == ASK_FILE)
		return ask_file(p, workspace, written, o, err);
	if (o->q.kind != ASK_EXEC)
		return question_ask(p, &o->q, &o->a, err);
	r = ask_program(p, workspace, o, err);
	o->refused &= o->a.decision == POL_REDIRECT;
	return r < 0 ? r : ask_its_file(p, o, err);
}
