/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and their environment, unix sockets, signals: questions made of both policies' names, patterns, paths and numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/diff.h"

#define DEPTHS_MAX 16
#define WORDS_MAX 64
#define SIGNALS 64

struct execs {
	struct differ *d;
	struct pool names, args, variables, sums;
	uint32_t depths[DEPTHS_MAX];
	size_t n_depths;
};

static void add_depth(struct execs *e, int32_t depth)
{
	for (size_t i = 0; i < e->n_depths; i++)
		if (depth < 0 || e->depths[i] == (uint32_t)depth)
			return;
	if (e->n_depths < DEPTHS_MAX)
		e->depths[e->n_depths++] = (uint32_t)depth;
}

static void env_globs(struct pool *out, const struct strs *globs)
{
	for (size_t i = 0; i < globs->n; i++)
		example_glob(globs->v[i], 0, out);
}

static void variables_of(struct differ *d, struct pool *out)
{
	static const char *const some[] = { "PATH", "HOME", "ANY_NAME", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "OPENAI_API_KEY",
					    "LD_PRELOAD", "NODE_OPTIONS" };

	for (size_t i = 0; i < ARRAY_LEN(some); i++)
		pool_add(out, some[i]);
	for (int k = 0; k < 2; k++) {
		env_globs(out, &d->m[k].env_allow);
		env_globs(out, &d->m[k].env_deny);
		for (size_t i = 0; i < d->m[k].execs.n; i++)
			if (d->m[k].execs.v[i].more) {
				env_globs(out, &d->m[k].execs.v[i].more->env_allow);
				env_globs(out, &d->m[k].execs.v[i].more->env_deny);
			}
	}
	pool_done(out);
}

static void collect(struct execs *e)
{
	add_depth(e, 0);
	add_depth(e, 1);
	pool_add(&e->args, "");
	pool_add(&e->args, "x");
	pool_add(&e->names, "any-program");
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < e->d->m[k].execs.n; i++) {
			const struct rule *u = &e->d->m[k].execs.v[i];

			for (size_t c = 0; c < u->commands.n; c++)
				example_glob(u->commands.v[c], strchr(u->commands.v[c], '/') ? '/' : 0, &e->names);
			for (size_t a = 0; a < u->args_patterns.n; a++)
				example_regex(u->args_patterns.v[a], &e->args);
			for (size_t s = 0; u->more && s < u->more->sha256.n; s++)
				pool_add(&e->sums, u->more->sha256.v[s]);
			add_depth(e, u->min_depth);
			add_depth(e, u->max_depth < 0 ? -1 : u->max_depth + 1);
		}
	pool_done(&e->names);
	pool_done(&e->args);
	pool_done(&e->sums);
	variables_of(e->d, &e->variables);
	e->d->cut = e->names.full || e->args.full || e->sums.full || e->variables.full;
}

static int known_sum(void *arg, uint8_t ret[32])
{
	const char *hex = arg;

	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 32; i++) {
		const char *hi = strchr(digits, hex[2 * i]), *lo = hi ? strchr(digits, hex[2 * i + 1]) : NULL;

		if (!hi || !lo)
			return -1;
		ret[i] = (uint8_t)((hi - digits) << 4 | (lo - digits));
	}
	return 0;
}

struct exec_question { struct pol_exec q; char name[1200], text[1200]; const char *argv[WORDS_MAX], *sum; };

/* argv from the name and words that a blank parts, with a word where a blank begins or ends the text; false when there is more than
 * fits. */
static bool words(struct exec_question *x, const char *given, const char *args)
{
	size_t n = 0, len = strlen(args);

	if (str_format(x->name, sizeof(x->name), "%s", given) < 0 ||
	    str_format(x->text, sizeof(x->text), "%s%s%s", args[0] == ' ' ? "x" : "", args, len && args[len - 1] == ' ' ? "x" : "") < 0)
		return false;
	x->argv[n++] = x->name;
	for (char *s = x->text; *s;) {
		s += strspn(s, " ");
		if (!*s)
			break;
		if (n == WORDS_MAX - 1)
			return false;
		x->argv[n++] = s;
		s += strcspn(s, " ");
		if (*s)
			*s++ = 0;
	}
	x->argv[n] = NULL;
	x->q.given = x->name;
	x->q.argv = x->argv;
	x->q.argc = n;
	return true;
}

static void question_exec(struct differ *d, const struct exec_question *x, const struct asker *w)
{
	char name[2500];

	diff_begin(d, w, "exec");
	if (x->q.depth)
		buf_printf(&d->question, " depth=%u", x->q.depth);
	if (x->sum)
		buf_printf(&d->question, " sha256=%s", x->sum);
	snprintf(name, sizeof(name), "%s%s%s", x->name, x->q.resolved ? "=" : "", x->q.resolved ? x->q.resolved : "");
	diff_word(d, name);
	for (size_t i = 1; i < x->q.argc; i++)
		diff_word(d, x->argv[i]);
}

static bool env_rule(const struct model *m, uint32_t no)
{
	const struct rule_more *more = no < m->execs.n ? m->execs.v[no].more : NULL;

	return more && (more->has_env_allow || more->has_env_deny || more->env_allow.n || more->env_deny.n);
}

static void note_env(struct differ *d, enum pol_decision a, const char *why_a, enum pol_decision b, const char *why_b)
{
	const struct side s[2] = { { pol_decision_name(a), why_a ? why_a : "", "" }, { pol_decision_name(b), why_b ? why_b : "", "" } };

	diff_note(d, "env", s, -1);
}

static void ask_env(struct execs *e, const struct exec_question *x, const struct pol_verdict v[2])
{
	struct differ *d = e->d;

	for (size_t i = 0; i < e->variables.n && diff_time(d); i++) {
		const char *name = e->variables.v[i], *why[2] = { NULL, NULL };
		enum pol_decision a = policy_env(d->p[0], v[0].rule_no, name, &why[0]);
		enum pol_decision b = policy_env(d->p[1], v[1].rule_no, name, &why[1]);

		if (a == b)
			continue;
		diff_begin(d, NULL, "env");
		diff_word(d, name);
		diff_word(d, "for");
		for (size_t k = 0; k < x->q.argc; k++)
			diff_word(d, x->argv[k]);
		note_env(d, a, why[0], b, why[1]);
	}
}

static void ask_exec(struct execs *e, struct exec_question *x)
{
	struct differ *d = e->d;

	for (size_t k = 0; k < d->n_askers && diff_time(d); k++) {
		struct pol_verdict v[2];

		x->q.sha256 = x->sum ? known_sum : NULL;
		x->q.sha256_arg = (void *)(uintptr_t)x->sum;
		for (int i = 0; i < 2; i++) {
			x->q.who = d->askers[k].who[i];
			v[i] = policy_exec(d->p[i], &x->q);
		}
		if (diff_differs(d, &v[0], &v[1])) {
			question_exec(d, x, &d->askers[k]);
			diff_note_verdicts(d, "exec", &v[0], &v[1], -1);
		}
		if (k == 0 && !x->q.depth && !x->sum && !x->q.resolved &&
		    (env_rule(&d->m[0], v[0].rule_no) || env_rule(&d->m[1], v[1].rule_no)))
			ask_env(e, x, v);
	}
}

/* One command with these arguments: plain, by its base name and file, nested, with each known digest. */
static void ask_forms(struct execs *e, struct exec_question *x, const char *name, const char *args)
{
	const char *slash = strrchr(name, '/');

	if (!words(x, name, args))
		return;
	for (size_t i = 0; i < e->n_depths; i++) {
		x->q.depth = e->depths[i];
		ask_exec(e, x);
	}
	x->q.depth = 0;
	for (size_t i = 0; i < e->sums.n; i++) {
		x->sum = e->sums.v[i];
		ask_exec(e, x);
	}
	x->sum = NULL;
	if (slash && name[0] == '/' && slash[1] && words(x, slash + 1, args)) {
		x->q.resolved = name;
		ask_exec(e, x);
		x->q.resolved = NULL;
	}
}

void diff_execs(struct differ *d)
{
	struct execs e = { .d = d };
	struct exec_question *x = calloc(1, sizeof(*x));

	if (!x) {
		d->failed = true;
		return;
	}
	collect(&e);
	for (size_t a = 0; a < e.args.n; a++)
		for (size_t i = 0; i < e.names.n && diff_time(d); i++)
			ask_forms(&e, x, e.names.v[i], e.args.v[a]);
	free(x);
	pool_fini(&e.names);
	pool_fini(&e.args);
	pool_fini(&e.variables);
	pool_fini(&e.sums);
}

void diff_envs(struct differ *d)
{
	struct pool names = { 0 };

	variables_of(d, &names);
	for (size_t i = 0; i < names.n && diff_time(d); i++) {
		const char *why[2] = { NULL, NULL };
		enum pol_decision a = policy_env(d->p[0], POL_NO_RULE, names.v[i], &why[0]);
		enum pol_decision b = policy_env(d->p[1], POL_NO_RULE, names.v[i], &why[1]);

		if (a == b)
			continue;
		diff_begin(d, NULL, "env");
		diff_word(d, names.v[i]);
		note_env(d, a, why[0], b, why[1]);
	}
	pool_fini(&names);
}

void diff_unixes(struct differ *d)
{
	struct pool paths = { 0 };

	pool_add(&paths, "/any.sock");
	pool_add(&paths, "@any");
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < d->m[k].unixes.n; i++)
			for (size_t p = 0; p < d->m[k].unixes.v[i].paths.n; p++)
				example_glob(d->m[k].unixes.v[i].paths.v[p], '/', &paths);
	pool_done(&paths);
	d->cut = paths.full;
	for (size_t i = 0; i < paths.n; i++)
		for (int op = 0; op < POL_UNIX__COUNT; op++)
			for (size_t k = 0; k < d->n_askers && diff_time(d); k++) {
				const struct asker *w = &d->askers[k];
				struct pol_verdict a = policy_unix(d->p[0], paths.v[i], (enum pol_unix_op)op, w->who[0]);
				struct pol_verdict b = policy_unix(d->p[1], paths.v[i], (enum pol_unix_op)op, w->who[1]);

				if (!diff_differs(d, &a, &b))
					continue;
				diff_begin(d, w, "unix %s", pol_unix_op_name((enum pol_unix_op)op));
				diff_word(d, paths.v[i]);
				diff_note_verdicts(d, "unix", &a, &b, -1);
			}
	pool_fini(&paths);
}

#define T(name) (1u << POL_T_##name)

static void ask_signal(struct differ *d, uint32_t targets, const char *process, int64_t pid)
{
	for (int number = 1; number <= SIGNALS; number++)
		for (size_t k = 0; k < d->n_askers && diff_time(d); k++) {
			struct pol_signal q = { .number = number, .targets = targets, .process = process, .pid = pid };
			char text[300] = "";
			struct pol_verdict v[2];

			for (int i = 0; i < 2; i++) {
				q.who = d->askers[k].who[i];
				v[i] = policy_signal(d->p[i], &q);
			}
			if (!diff_differs(d, &v[0], &v[1]))
				continue;
			for (int t = 0; t < POL_T_PROCESS; t++)
				if (targets >> t & 1)
					snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", text[0] ? "," : "",
						 pol_target_name((enum pol_target)t));
			if (process)
				snprintf(text + strlen(text), sizeof(text) - strlen(text), ",process=%.100s", process);
			if (pid)
				snprintf(text + strlen(text), sizeof(text) - strlen(text), ",pid=%lld", (long long)pid);
			diff_begin(d, &d->askers[k], "signal %d", number);
			diff_word(d, text);
			diff_note_verdicts(d, "signal", &v[0], &v[1], -1);
		}
}

/* What a target is to its sender: every combination that there is, not every one that could be written. */
void diff_signals(struct differ *d)
{
	static const uint32_t kinds[] = { T(SELF) | T(SESSION) | T(USER), T(CHILDREN) | T(DESCENDANTS) | T(SESSION) | T(USER),
					  T(DESCENDANTS) | T(SESSION) | T(USER), T(SIBLINGS) | T(SESSION) | T(USER),
					  T(PARENT) | T(SESSION) | T(USER), T(SESSION) | T(USER), T(EXTERNAL) | T(USER), T(EXTERNAL),
					  T(EXTERNAL) | T(SYSTEM) };
	struct pool names = { 0 };

	for (size_t t = 0; t < ARRAY_LEN(kinds); t++)
		ask_signal(d, kinds[t], NULL, 0);
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < d->m[k].n_signals; i++) {
			const struct signal_rule *u = &d->m[k].signals[i];

			if (u->pattern)
				example_glob(u->pattern, 0, &names);
			for (int64_t pid = u->min - 1; (u->targets & T(PID_RANGE)) && pid <= u->min + 1; pid++)
				if (pid > 0)
					ask_signal(d, T(SESSION) | T(USER), NULL, pid);
			for (int64_t pid = u->max - 1; (u->targets & T(PID_RANGE)) && pid <= u->max + 1; pid++)
				if (pid > 0)
					ask_signal(d, T(SESSION) | T(USER), NULL, pid);
		}
	pool_done(&names);
	for (size_t i = 0; i < names.n; i++)
		for (size_t t = 0; t < ARRAY_LEN(kinds); t++)
			ask_signal(d, kinds[t], names.v[i], 0);
	pool_fini(&names);
}
