/* SPDX-License-Identifier: Apache-2.0 */
/* policy explain: what the policy says to a question, who brings it about, and why the rules before did not. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/policy_cmd.h"
#include "cli/policy_told.h"
#include "cli/trust.h"
#include "common/addr.h"
#include "common/buf.h"
#include "policy/explain.h"

#define REASONS_SHOWN 20

struct telling { cJSON *list; size_t n, more; bool all, json, other; };   /* other: than the session has */

static void reason(void *arg, const struct pol_reason *r)
{
	struct telling *t = arg;
	cJSON *j;

	if (t->n++ >= REASONS_SHOWN && !t->all) {
		t->more++;
		return;
	}
	if (!t->json) {
		printf("%s  rule %s (%s): %s\n", t->n == 1 ? "not:\n" : "", policy_shown(r->rule), policy_shown(r->where),
		       policy_shown(r->why));
		return;
	}
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "rule", r->rule);
	cJSON_AddStringToObject(j, "at", r->where);
	cJSON_AddStringToObject(j, "why", r->why);
	cJSON_AddItemToArray(t->list, j);
}

/* The message with its fields filled in; NULL when the rule has none. Owned by the caller. */
static char *message_of(const struct question *q, const struct answer *a)
{
	const char *tmpl = q->kind == ASK_DNS_REDIRECT || q->kind == ASK_CONNECT_REDIRECT ? a->redirect.message : a->v.message;
	struct buf args = BUF_INIT(1u << 16);
	char address[INET6_ADDRSTRLEN] = "", port[8], *out;
	struct pol_fields f = { .path = q->path, .command = a->v.command ? a->v.command : q->given, .domain = q->host };

	if (!tmpl)
		return NULL;
	for (size_t i = 1; i < a->v.argc; i++) {
		buf_puts(&args, i > 1 ? " " : "");
		buf_puts(&args, a->v.argv[i]);
	}
	if (q->addr_len)
		inet_ntop(q->addr_len == 4 ? AF_INET : AF_INET6, q->addr, address, sizeof(address));
	snprintf(port, sizeof(port), "%u", q->port);
	f.args = args.data ? (const char *)args.data : "";
	f.remote_addr = q->addr_len ? address : q->host;
	f.remote_port = q->port ? port : NULL;
	f.operation = q->kind == ASK_FILE ? pol_op_name(q->op) : q->kind == ASK_UNIX ? pol_unix_op_name(q->unix_op) : q->method;
	out = malloc(8192);
	if (out)
		pol_message(tmpl, &f, out, 8192);
	buf_fini(&args);
	return out;
}

static void position(const struct policy *p, const struct question *q, const struct answer *a, char *out, size_t cap)
{
	const char *section = q->kind == ASK_DNS || q->kind == ASK_HTTP ? "net"
			      : q->kind == ASK_SERVICE			? "service-rule"
									: ask_name(q->kind);

	if (!a->rule || policy_rule_position(p, section, a->rule, out, cap) < 0)
		snprintf(out, cap, "%s", q->kind == ASK_ENV ? "env_policy, or built in" : a->rule ? "implicit" : "no rule");
}

/* Where a translator or tunnel leads to: what the verdict is about as well. */
static void leads_to(cJSON *j, const struct question *q)
{
	uint8_t inner[ADDR_EMBEDDED_MAX][4];
	size_t n = q->addr_len == 16 ? addr16_embedded(q->addr, inner) : 0;
	char all[ADDR_EMBEDDED_MAX * (INET_ADDRSTRLEN + 1)] = "", one[INET_ADDRSTRLEN];

	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(all);

		inet_ntop(AF_INET, inner[i], one, sizeof(one));
		snprintf(all + at, sizeof(all) - at, "%s%s", i ? " " : "", one);
	}
	if (n)
		cJSON_AddStringToObject(j, "leads_to", all);
}

/* What else the answer says, as lines "name: value". */
static void more(cJSON *j, const struct question *q, const struct answer *a)
{
	const struct pol_verdict *v = &a->v;
	struct buf args = BUF_INIT(1u << 16);

	leads_to(j, q);
	if (q->kind == ASK_DNS_REDIRECT && a->rule) {
		char address[INET6_ADDRSTRLEN] = "";

		inet_ntop(a->redirect.addr_len == 4 ? AF_INET : AF_INET6, a->redirect.addr, address, sizeof(address));
		cJSON_AddStringToObject(j, "resolve_to", address);
	}
	if (q->kind == ASK_CONNECT_REDIRECT && a->rule) {
		buf_printf(&args, "%s", a->redirect.host ? a->redirect.host : a->redirect.unix_path ? a->redirect.unix_path : "");
		if (a->redirect.host)
			buf_printf(&args, ":%u", a->redirect.port);
		cJSON_AddStringToObject(j, "redirect_to", (const char *)args.data);
	}
	if (v->command && q->given && strcmp(v->command, q->given) != 0)
		cJSON_AddStringToObject(j, "decided_for", v->command);
	if (v->redirect_to) {
		buf_puts(&args, v->redirect_to);
		for (size_t i = 0; i < v->n_redirect_args; i++)
			buf_printf(&args, " %s", v->redirect_args[i]);
		for (size_t i = 0; i < v->n_redirect_append; i++)
			buf_printf(&args, " %s", v->redirect_append[i]);
		cJSON_AddStringToObject(j, "redirect_to", (const char *)args.data);
	}
	if (v->decision == POL_APPROVE && a->rule && q->kind != ASK_ENV)
		cJSON_AddNumberToObject(j, "asks_for_seconds", v->timeout_ms ? (double)v->timeout_ms / 1000 : 300);
	if (v->http && q->kind == ASK_NET)
		cJSON_AddStringToObject(j, "requests", "each is judged by itself: explain http METHOD URL");
	if (v->tls != POL_TLS_DEFAULT)
		cJSON_AddStringToObject(j, "tls", v->tls == POL_TLS_INSPECT ? "inspect" : "passthrough");
	buf_fini(&args);
}

/* Which file was judged, or why none. */
static void file_lines(cJSON *j, const struct told *o)
{
	const char *file = o->seen.file;
	char note[9000];

	if (o->by_name.word) {
		snprintf(note, sizeof(note), "%s leads there; what holds for that name alone: %s (%s)", o->name, o->by_name.word,
			 o->by_name.rule ? o->by_name.rule : "no rule");
		cJSON_AddStringToObject(j, "file", file);
		cJSON_AddStringToObject(j, "file_note", note);
	} else if (o->command.word) {
		snprintf(note, sizeof(note), "as a command: %s (%s); who runs it reads it, which a file rule decides", o->command.word,
			 o->command.rule ? o->command.rule : "no rule");
		cJSON_AddStringToObject(j, "file", file);
		cJSON_AddStringToObject(j, "file_note", note);
	} else if (o->seen.why) {
		snprintf(note, sizeof(note), "%s: judged by its name alone", o->seen.why);
		cJSON_AddNullToObject(j, "file");
		cJSON_AddStringToObject(j, "file_note", note);
	} else if (file[0] && o->q.kind == ASK_EXEC) {
		cJSON_AddStringToObject(j, "file", file);
		if (o->before)
			cJSON_AddStringToObject(j, "file_note", "not judged: a command's name decides before its file is looked for");
	}
	if (o->q.kind == ASK_EXEC && !o->refused && o->a.decision != POL_DENY)
		cJSON_AddStringToObject(j, "programs", "those that it starts are judged again, with their files, when they start");
}

static void print_file(const char *file, const char *note)
{
	if (file)
		printf("file: %s%s%s%s\n", policy_shown(file), note ? " (" : "", policy_shown(note), note ? ")" : "");
	else if (note)
		printf("file: %s\n", policy_shown(note));
}

static void print_text(const cJSON *j)
{
	static const struct { const char *key, *shown; } names[] = {
		{ "decided_for", "decided for" }, { "redirect_to", "redirect to" }, { "resolve_to", "resolve to" },
		{ "leads_to", "leads to" }, { "asks_for_seconds", "asks for, seconds" }, { "enforced_by", "enforced by" },
		{ "rule_says", "rule says" },
	};
	const cJSON *e;

	cJSON_ArrayForEach(e, j) {
		const char *name = e->string;

		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (!strcmp(name, names[i].key))
				name = names[i].shown;
		if (!strcmp(name, "file"))
			print_file(cJSON_GetStringValue(e), cJSON_GetStringValue(cJSON_GetObjectItem(j, "file_note")));
		else if (cJSON_IsString(e) && strcmp(name, "file_note") != 0)
			printf("%s: %s\n", name, policy_shown(e->valuestring));
		else if (cJSON_IsNull(e))
			printf("%s: no daemon\n", name);
		else if (cJSON_IsNumber(e))
			printf("%s: %g\n", name, e->valuedouble);
	}
}

static int source(const char *policy, const char *workspace, struct buf *text, char *path, size_t cap, struct pol_source *ret)
{
	const struct pol_var *vars;
	size_t n_vars;
	struct err err = { 0 };

	if (policy_find(policy, path, cap, &err) < 0 || policy_read(path, text, &err) < 0)
		return complain("%s", err.msg);
	n_vars = policy_vars(&vars, workspace);
	*ret = (struct pol_source){ .file = path, .text = (const char *)text->data, .len = text->len, .workspace = workspace, .vars = vars,
				    .n_vars = n_vars, .load = policy_extends };
	return 0;
}

static void decision_lines(cJSON *j, const struct told *o, const char *where)
{
	const struct answer *a = &o->a;
	auto_free char *message = message_of(&o->q, a);

	cJSON_AddStringToObject(j, "decision", o->refused ? pol_decision_name(POL_DENY) : a->word);
	if (o->refused)
		cJSON_AddStringToObject(j, "rule_says", a->word);
	if (a->rule)
		cJSON_AddStringToObject(j, o->q.kind == ASK_ENV ? "by" : "rule", a->rule);
	cJSON_AddStringToObject(j, "at", where);
	if (message)
		cJSON_AddStringToObject(j, "message", message);
}

static int tell(struct policy *p, const struct pol_source *src, const char *written, struct told *o, struct telling *t)
{
	struct err err = { 0 };
	struct pol_enforcer by;
	char where[4400];
	cJSON *j;
	int r = told_ask(p, src->workspace, written, o, &err);

	if (r < 0)
		return complain("%s", err.msg);
	position(p, &o->q, &o->a, where, sizeof(where));
	by = policy_enforcer(p, &o->q, &o->a, src->workspace);
	if (o->refused)
		by.how = "refused: the redirect of a program that another one starts is not built";
	j = cJSON_CreateObject();
	decision_lines(j, o, where);
	file_lines(j, o);
	if (!o->refused)
		more(j, &o->q, &o->a);
	if (by.daemon)
		cJSON_AddStringToObject(j, "enforced_by", by.daemon);
	else
		cJSON_AddNullToObject(j, "enforced_by");
	cJSON_AddStringToObject(j, "how", by.how);
	if (!t->json)
		print_text(j);
	t->list = t->json ? cJSON_AddArrayToObject(j, "not") : NULL;
	r = policy_why(src, &o->q, &o->a, reason, t, &err);
	if (r < 0)
		complain("%s", err.msg);
	if (t->json) {
		cJSON_AddNumberToObject(j, "not_more", (double)t->more);
		cJSON_AddBoolToObject(j, "session_has_another", t->other);
		print_json(j);
	} else {
		if (t->more)
			printf("  and %zu more rules: --all\n", t->more);
		cJSON_Delete(j);
	}
	return r < 0 ? EXIT_ERROR : 0;
}

/* The question's words: a file operation may stand without "file", and "--" behind exec as exec itself takes it. */
static int words_of(int argc, char **argv, char **w, size_t cap, size_t *ret)
{
	static char file_word[] = "file";
	int first = argc > 2 && !strcmp(argv[0], "by") ? 2 : 0;
	size_t n = 0;

	if ((size_t)argc + 2 > cap)
		return complain("more than %zu words", cap - 2);
	for (int i = 0; i < argc; i++) {
		for (int op = 0; i == first && argc == first + 2 && op < POL_OP__COUNT; op++)
			if (!strcmp(argv[i], pol_op_name((enum pol_op)op)))
				w[n++] = file_word;
		if (i != first + 1 || strcmp(argv[i], "--") != 0 || strcmp(argv[first], "exec") != 0)
			w[n++] = argv[i];
	}
	w[n] = NULL;
	*ret = n;
	return 0;
}

/* A path that begins at the current directory, as one begins at "/"; the other questions have none. */
static int from_here(char **w, size_t n, char *path, size_t cap)
{
	size_t first = n > 2 && !strcmp(w[0], "by") ? 2 : 0;
	char here[4096];

	if (n != first + 3 || (strcmp(w[first], "file") != 0 && strcmp(w[first], "unix") != 0) || strchr("/@", w[n - 1][0]))
		return 0;
	if (!getcwd(here, sizeof(here)))
		return complain("current directory: %s", strerror(errno));
	if (str_format(path, cap, "%s/%s", here, w[n - 1]) < 0)
		return complain("the path is too long");
	if (w[first][0] == 'u')
		str_clean_path(path); /* of a file what ".." behind a link leaves is another directory: links are followed first */
	w[n - 1] = path;
	return 0;
}

/* The words of a command are its own: behind exec, and behind env NAME for. */
static bool command_follows(size_t n, char **w)
{
	size_t first = n > 2 && !strcmp(w[0], "by") ? 2 : 0;

	return (n == first + 1 && !strcmp(w[first], "exec")) || (n == first + 3 && !strcmp(w[first], "env") && !strcmp(w[n - 1], "for"));
}

struct about { const char *policy, *workspace, *session; cJSON *info; };

/* Which policy, and for which workspace; 0, or complained of. The strings are the caller's buffer, the options' or info's. */
static int about_what(struct about *a, char real[4096])
{
	struct err err = { 0 };

	if (a->session && (a->policy || a->workspace))
		return complain("policy explain: --session says which policy and workspace: it goes without --policy and --workspace");
	if (a->session) {
		a->info = session_info(a->session, &err);
		a->policy = cJSON_GetStringValue(cJSON_GetObjectItem(a->info, "policy"));
		a->workspace = cJSON_GetStringValue(cJSON_GetObjectItem(a->info, "workspace"));
		if (!a->policy || !a->workspace)
			return complain("%s", err.msg);
		if (policy_is_file(a->policy) && access(a->policy, R_OK) < 0)
			return complain("the policy of session %s, %s, cannot be read any more: %s; what the session has stays in force",
					a->session, a->policy, strerror(errno));
		return 0;
	}
	if (!a->policy && !(a->policy = trust_default(&err)))
		return complain("%s", err.msg);
	if (realpath(a->workspace ? a->workspace : ".", real))
		a->workspace = real;
	else if (!a->workspace || a->workspace[0] != '/')
		return complain("workspace %s: %s", a->workspace ? a->workspace : ".", strerror(errno));
	return 0;
}

/* What the session's daemons have is the generation that they were given, not the file. */
static void compare_generations(const struct about *a, const uint8_t hash[32], struct telling *t)
{
	const char *has = cJSON_GetStringValue(cJSON_GetObjectItem(a->info, "policy_hash"));
	char hex[65];

	hex_encode(hash, 32, hex);
	t->other = a->session && (!has || strcmp(has, hex) != 0);
	if (t->other)
		complain("warning: session %s has another generation than policy %s compiles to now (the file, or variables in it, "
			 "were changed); this is what the new one says", a->session, a->policy);
}

int policy_explain_cmd(int argc, char **argv)
{
	static char *words[CASE_WORDS_MAX];
	static struct told o;
	char real[4096], path[4300], asked[8200], written[8200] = "";
	struct about a = { 0 };
	struct telling t = { 0 };
	const struct policy_option options[] = { { "--policy", NULL, &a.policy },     { "--workspace", NULL, &a.workspace },
						 { "--session", NULL, &a.session },   { "--json", &t.json, NULL },
						 { "--all", &t.all, NULL } };
	int at = policy_options("explain", argc, argv, options, ARRAY_LEN(options), command_follows), r = EXIT_ERROR;
	struct buf text = { 0 };
	struct pol_source src = { 0 };
	struct err err = { 0 };
	struct policy *p = NULL;
	uint8_t hash[32];
	size_t n = 0;

	if (at < 0)
		return EXIT_ERROR;
	if (at == argc)
		return policy_usage("explain");
	if (words_of(argc - at, argv + at, words, ARRAY_LEN(words), &n) || from_here(words, n, asked, sizeof(asked)))
		return EXIT_ERROR;
	snprintf(written, sizeof(written), "%s", n ? words[n - 1] : ""); /* before it is cleaned */
	if (question_read(words, n, &o.q, &err) < 0)
		return complain("%s", err.msg);
	if (about_what(&a, real) == 0 && source(a.policy, a.workspace, &text, path, sizeof(path), &src) == 0)
		p = policy_open_named(a.policy, a.workspace, hash);
	if (p) {
		compare_generations(&a, hash, &t);
		r = tell(p, &src, written, &o, &t);
	}
	policy_close(p);
	buf_fini(&text);
	cJSON_Delete(a.info);
	return r;
}
