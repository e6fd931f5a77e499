/* SPDX-License-Identifier: Apache-2.0 */
/* An exec as the policy's subject, and the record of what was decided. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/str.h"
#include "execd/execd.h"

#define EVENT_ARGS 64

/* A file without a name (memfd, deleted) has nothing that a rule could speak about: refused, whatever the rules allow. */
static bool anonymous(const struct exec_facts *f)
{
	size_t n = strlen(f->resolved);

	return !strncmp(f->resolved, "/memfd:", 7) || (n > 10 && !strcmp(f->resolved + n - 10, " (deleted)"));
}

/* For struct pol_exec: the file that a loader finds by this word, later on and by itself: known only where nobody can change that. A word
 * without a slash it looks for among its libraries; any other that is not absolute leads from a directory that a process sharing it may
 * still change. */
static int loaded(void *arg, const char *word, char *out, size_t cap)
{
	const struct digest *d = arg;
	auto_fd root = name_root(d->f->pid);

	return root < 0 ? root : settle_file(d->p, root, word, out, cap);
}

struct pol_exec judge_names(const struct session *s, struct digest *d)
{
	const struct exec_facts *f = d->f;
	struct pol_exec q = { .given = f->place[0] ? f->place : f->given, .resolved = f->resolved[0] ? f->resolved : NULL };

	/* A descriptor has no name but its file's. */
	if (!f->place[0] && q.resolved)
		q.given = f->resolved;
	q.untrusted_name = f->place[0] && q.resolved && !name_trusted(d->p, f);
	q.written = f->written[0] ? f->written : NULL;
	q.untrusted_written = q.written && (f->up || !policy_settled(d->p, f->written));
	name_twins(s, &q.twins, &q.n_twins); /* that they are known, peek_exec has seen to */
	q.argv = (const char *const *)f->argv;
	q.argc = f->argc;
	/* A command that is not started is judged by the word; when it is, again. */
	if (f->pid) {
		q.loaded = loaded;
		q.loaded_arg = d;
	}
	return q;
}

struct pol_verdict judge_exec(struct cmd *c, const struct generation *gen, const struct exec_facts *f, bool first)
{
	struct digest sum = { .c = c, .p = gen->policy, .f = f };
	struct pol_exec q;
	struct pol_verdict v = { .decision = POL_DENY, .rule = "default-deny-anonymous-exec",
				 .message = "programs without a file name (memfd, deleted) are not run" };

	if (anonymous(f))
		return v;
	q = judge_names(c->s, &sum);
	q.depth = f->depth;
	q.who = f->who;
	q.unknown = f->unsettled;
	q.sha256 = digest_exec;
	q.sha256_arg = &sum;
	v = policy_exec(gen->policy, &q);
	/* What a person approved by this rule, or a rule put in place of another program, is not asked about again, only refused. Before it
	 * was started its file was not known: another rule may ask about that. Another policy's word counts for nothing here. */
	if (first && c->judged == gen->number &&
	    ((v.decision == POL_APPROVE && c->approved && v.rule_no == c->verdict.rule_no) ||
	     (v.decision == POL_REDIRECT && c->redirected)))
		v.decision = POL_ALLOW;
	return v;
}

static void quote(FILE *f, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";

	if (word[0] && !word[strspn(word, plain)]) {
		fputs(word, f);
		return;
	}
	fputc('\'', f);
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", f);
		else
			fputc(*word, f);
	fputc('\'', f);
}

char *judge_target(const struct exec_facts *f)
{
	const char *path = f->resolved[0] ? f->resolved : f->given, *name = f->argc ? f->argv[0] : "", *base = strrchr(path, '/');
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	bool bad;

	if (!out)
		return NULL;
	quote(out, path);
	/* A program of many names goes by this one. */
	if (strcmp(name, path) != 0 && strcmp(name, base ? base + 1 : path) != 0) {
		fputs(" (as ", out);
		quote(out, name);
		fputc(')', out);
	}
	for (size_t i = 1; i < f->argc; i++) {
		fputc(' ', out);
		quote(out, f->argv[i]);
	}
	bad = ferror(out);
	if (fclose(out) != 0 || bad) {
		free(text);
		return NULL;
	}
	return text;
}

void judge_message(const struct exec_facts *f, const struct pol_verdict *v, char *out, size_t cap)
{
	char args[2048] = "";
	size_t at = 0;
	/* The command that the rule matched may be one inside: sh -c "rm x" is about rm. */
	struct pol_fields m = { .path = f->resolved, .command = v->command ? v->command : f->given, .args = args, .operation = "exec" };
	const char *const *argv = v->argv ? v->argv : (const char *const *)f->argv;
	size_t argc = v->argv ? v->argc : f->argc;

	for (size_t i = 1; i < argc && at + 2 < sizeof(args); i++) {
		int n = snprintf(args + at, sizeof(args) - at, "%s%s", i > 1 ? " " : "", argv[i]);

		at = n < 0 || (size_t)n >= sizeof(args) - at ? sizeof(args) - 1 : at + (size_t)n;
	}
	out[0] = 0;
	if (v->message)
		pol_message(v->message, &m, out, cap);
}

void judge_event(struct cmd *c, const struct generation *gen, pid_t pid, const struct exec_facts *f, const struct pol_verdict *v,
		 const char *effective)
{
	struct evtlog *l = c->s->w->events;
	char message[1024];
	uint64_t now;

	judge_message(f, v, message, sizeof(message));
	evt_begin(l, "execve", c->id, pid);
	evt_str(l, "operation", "exec");
	evt_str(l, "raw_filename", f->given);
	evt_str(l, "filename", f->resolved[0] ? f->resolved : f->given);
	evt_strv(l, "argv", (const char *const *)f->argv, f->argc < EVENT_ARGS ? f->argc : EVENT_ARGS);
	evt_int(l, "depth", f->depth);
	now = evt_generation(l, gen->number);
	evt_policy(l, pol_decision_name(v->decision), effective, v->rule, message);
	evt_generation(l, now);
	evt_end(l);
}
