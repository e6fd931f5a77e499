/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of files, network, commands, unix sockets and services: one table of keys, each with the sections that have it. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/parse.h"

enum { FILES = 1, NETS = 2, EXECS = 4, UNIXES = 8, SERVICES = 16, ALL = 31 };

static const char *const decisions[] = { "allow", "deny", "approve", "redirect", "audit", "soft_delete", NULL };
static const char *const few_decisions[] = { "allow", "deny", "approve", "audit", NULL };
static const char *const file_ops[] = { "read", "open", "stat", "list", "write", "create", "mkdir", "chmod", "chown", "rename", "delete",
	"rmdir", "readlink", "access", "link", "symlink", "mknod", "*", NULL };
static const char *const unix_ops[] = { "connect", "bind", "listen", "sendto", "*", NULL };
static const char *const tls_words[] = { "inspect", "passthrough", NULL };
static const char *const keep[] = { "keep", NULL };
static const char *const contexts[] = { "direct", "nested", NULL };
_Static_assert(ARRAY_LEN(file_ops) == POL_OP__COUNT + 2 && ARRAY_LEN(unix_ops) == POL_UNIX__COUNT + 2, "one word an operation");

static void read_decision(struct at *c, const struct key *k, const struct node *v)
{
	static const enum pol_decision values[] = { POL_ALLOW, POL_DENY, POL_APPROVE, POL_REDIRECT, POL_AUDIT, POL_SOFT_DELETE },
				       few[] = { POL_ALLOW, POL_DENY, POL_APPROVE, POL_AUDIT };
	struct rule *r = c->to;
	size_t i;

	if (v->kind == NODE_TEXT && c->shape->in == NETS && !strcasecmp(v->text, "redirect"))
		diag_error(c->p->d, v, "a network rule cannot redirect: use connect_redirects or dns_redirects");
	else if (parse_word(c->p, k, v, &i))
		r->decision = k->words == decisions ? values[i] : few[i];
	else
		return;
	if (c->shape->in == EXECS && r->decision == POL_SOFT_DELETE)
		diag_warning(c->p->d, v, "soft_delete means nothing for a command; it is allowed");
}

static void read_operations(struct at *c, const struct key *k, const struct node *v)
{
	struct rule *r = c->to;
	struct key one = *k;
	size_t i;

	one.name = "operation";
	r->ops = 0;
	if (!parse_is_list(c->p, k, v))
		return;
	for (size_t n = 0; n < v->n; n++)
		if (parse_word(c->p, &one, v->v[n], &i))
			r->ops |= k->words[i + 1] ? 1u << i : (1u << i) - 1; /* "*" is the last word */
}

/* Where to, in r->redirect_to, or NULL: it was reported. */
static const char *redirect_to(struct at *c, const struct node *v)
{
	struct rule *r = c->to;

	if (!parse_is_text(c->p, v))
		return NULL;
	free(r->redirect_to);
	r->redirect_to = parse_expand(c->p, v, false);
	return r->redirect_to;
}

static void read_path(struct at *c, const struct key *k UNUSED, const struct node *v)
{
	const char *to = redirect_to(c, v);

	if (to && to[0] != '/')
		diag_error(c->p->d, v, "redirect_to \"%s\" is not an absolute path", to);
}

static void read_program(struct at *c, const struct key *k UNUSED, const struct node *v)
{
	const char *to = redirect_to(c, v);

	if (to && !to[0])
		diag_error(c->p->d, v, "command is empty: it must be a program's name or path");
}

static const struct key redirect_keys[] = {
	{ "command", 1, T_TEXT, .flags = K_REQUIRED, .read = read_program,
	  .about = "The program that runs instead: a name or an absolute path." },
	{ "args", 1, T_TEXTS, .flags = K_MORE, .read = read_texts, .offset = offsetof(struct rule_more, redirect_args),
	  .about = "Its arguments; {{.Args}} stands for those of the caller." },
	{ "args_append", 1, T_TEXTS, .flags = K_MORE, .read = read_texts, .offset = offsetof(struct rule_more, redirect_append),
	  .about = "Arguments behind those." },
	{ "environment", 1, T_PAIRS, .flags = K_MORE, .read = read_pairs, .offset = offsetof(struct rule_more, redirect_env),
	  .about = "Variables that are set for it." },
};
static const struct shape shape_redirect = { "redirect_to", 1, SHAPE(redirect_keys) };

static void read_redirect(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = { c->p, &shape_redirect, NULL, c->to };

	(void)k;
	if (v->kind != NODE_MAP)
		diag_error(c->p->d, v, "redirect_to of a command is a map: command, args, args_append, environment");
	else
		parse_map(&sub, v);
}

static void read_depth(struct at *c, const struct key *k, const struct node *v)
{
	int32_t *out = key_at(c, k);
	uint64_t n;

	if (!parse_is_text(c->p, v))
		return;
	if (k->min && !strcmp(v->text, "-1"))
		*out = -1;
	else if (str_to_u64(v->text, 1000, &n) < 0)
		diag_error(c->p->d, v, "%s \"%s\" is not a depth from 0 to 1000%s", k->name, v->text, k->min ? ", or -1 for any" : "");
	else
		*out = (int32_t)n;
}

static const struct key context_keys[] = {
	{ "min_depth", 1, T_NUMBER, .read = read_depth, .offset = offsetof(struct rule, min_depth),
	  .about = "0: also the command itself that was submitted." },
	{ "max_depth", 1, T_NUMBER, .read = read_depth, .offset = offsetof(struct rule, max_depth), .min = 1,
	  .about = "The deepest; -1: any." },
};
static const struct shape shape_context = { "context", 1, SHAPE(context_keys) };

static void read_context(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = { c->p, &shape_context, NULL, c->to };
	struct rule *r = c->to;
	struct key one = *k;
	unsigned got = 0;
	size_t i;

	if (v->kind == NODE_MAP) {
		if (parse_map(&sub, v) && r->max_depth >= 0 && r->max_depth < r->min_depth)
			diag_error(c->p->d, v, "context: max_depth is less than min_depth: it would match nothing");
		return;
	}
	if (!parse_is_list(c->p, k, v))
		return;
	for (size_t n = 0; n < v->n; n++)
		if (parse_word(c->p, &one, v->v[n], &i))
			got |= 1u << i;
	r->min_depth = got & 1 ? 0 : 1;
	r->max_depth = got & 2 ? -1 : 0;
}

static void read_tls(struct at *c, const struct key *k, const struct node *v)
{
	struct rule_more *more = rule_more(c->to);
	size_t i;

	if (!more)
		parse_no_memory(c->p, v);
	else if (parse_word(c->p, k, v, &i))
		more->tls = i ? POL_TLS_PASSTHROUGH : POL_TLS_INSPECT;
}

static void read_undo(struct at *c, const struct key *k, const struct node *v)
{
	struct rule_more *more = rule_more(c->to);
	size_t i;

	if (!more)
		parse_no_memory(c->p, v);
	else if (parse_word(c->p, k, v, &i))
		more->undo_keep = true;
}

static void read_env_limit(struct at *c, const struct key *k, const struct node *v)
{
	struct rule_more *more = rule_more(c->to);

	(k->type == T_BOOL ? read_bool : read_u64)(c, k, v);
	if (more)
		more->has_env_limits = true;
	else
		parse_no_memory(c->p, v);
}

#define AT(field) .offset = offsetof(struct rule, field)
#define MORE(field) .offset = offsetof(struct rule_more, field)
static const struct key keys[] = {
	{ "name", ALL, T_TEXT, 0, K_REQUIRED, read_text, AT(name), 1, RULE_NAME_MAX,
	  .about = "The rule's name, as events and explain give it." },
	{ "description", ALL, T_TEXT, .read = read_any, .about = "For readers of the policy." },
	{ "decision", FILES | EXECS, T_WORD, 0, K_REQUIRED | K_LOWER, read_decision, .words = decisions,
	  .about = "What happens when the rule is the first that matches." },
	{ "decision", NETS | UNIXES | SERVICES, T_WORD, 0, K_REQUIRED | K_LOWER, read_decision, .words = few_decisions,
	  .about = "What happens when the rule is the first that matches." },
	{ "message", ALL, T_TEXT, 0, 0, read_text, AT(message), 0, 65536,
	  .about = "What a person or the program is told; {{.Path}} {{.Args}} {{.Command}} {{.Domain}} {{.RemoteAddr}} {{.RemotePort}} "
	  	"{{.Operation}} are filled in." },
	{ "timeout", ALL, T_TIME, 0, 0, read_time, AT(timeout_ms), 1, DAY_MS,
	  .about = "How long approve waits for an answer, such as 30s or 5m (the default)." },
	{ "processes", ALL, T_TEXTS, 0, K_MORE | K_SELECT, read_processes, MORE(processes),
	  .about = "Only when the calling program or an ancestor of it in the session is one of these: names, paths, globs." },
	{ "paths", FILES, T_TEXTS, 0, K_REQUIRED | K_SELECT, read_file_paths, AT(paths),
	  .about = "Globs of absolute paths; ** crosses /, ${NAME} is expanded." },
	{ "paths", UNIXES, T_TEXTS, 0, K_REQUIRED | K_SELECT, read_unix_paths, AT(paths),
	  .about = "Globs of sockets' paths, or @name for abstract ones." },
	{ "paths", NETS | SERVICES, T_TEXTS, 0, K_MORE | K_SELECT, read_url_paths, MORE(url_paths),
	  .about = "Globs of the request's path without its query." },
	{ "operations", FILES, T_WORDS, 0, K_SELECT, read_operations, .words = file_ops, .about = "Which operations; without it, all." },
	{ "operations", UNIXES, T_WORDS, 0, K_SELECT, read_operations, .words = unix_ops, .about = "Which operations; without it, all." },
	{ "redirect_to", FILES, T_TEXT, .read = read_path, .about = "The directory that redirected files go to." },
	{ "redirect_to", EXECS, T_MAP, .read = read_redirect, .sub = &shape_redirect, .about = "What runs instead." },
	{ "preserve_tree", FILES, T_BOOL, 0, 0, read_bool, AT(preserve_tree),
	  .about = "Redirected files keep their whole path below redirect_to." },
	{ "undo", FILES, T_WORD, .read = read_undo, .words = keep, .about = "keep: what is changed can be brought back." },
	{ "domains", NETS, T_TEXTS, 0, K_SELECT, read_domains, AT(domains),
	  .about = "Globs of hosts' names; * is one label, ** any; * alone is any host." },
	{ "ports", NETS, T_NUMBERS, 0, K_SELECT, read_ports, 0, 0, 65535, .about = "Ports." },
	{ "cidrs", NETS, T_TEXTS, 0, K_SELECT, read_cidrs, AT(cidrs), .about = "Ranges of addresses, such as 10.0.0.0/8." },
	{ "tls", NETS, T_WORD, .read = read_tls, .words = tls_words, .about = "Whether TLS is opened to look at the requests inside." },
	{ "methods", NETS | SERVICES, T_TEXTS, 0, K_MORE | K_SELECT, read_methods, MORE(methods),
	  .about = "HTTP methods, any case; * is any." },
	{ "dlp", NETS, T_TEXT, 0, K_MORE, read_text, MORE(dlp), 1, 64, .about = "The set of rules that content is searched by." },
	{ "commands", EXECS, T_TEXTS, 0, K_SELECT, read_commands, AT(commands),
	  .about = "Programs: base names (any case), paths, or globs of either." },
	{ "args_patterns", EXECS, T_TEXTS, 0, K_SELECT, read_args_patterns,
	  .about = "Regular expressions, unanchored; one of them must match the arguments." },
	{ "context", EXECS, T_WORDS, T_MAP, K_SELECT, read_context, .words = contexts, .sub = &shape_context,
	  .about = "How deep below the submitted command (depth 0) the program is run." },
	{ "sha256", EXECS, T_TEXTS, T_TEXT, K_MORE | K_SELECT, read_sha256, MORE(sha256),
	  .about = "The program's file has one of these digests." },
	{ "env_allow", EXECS, T_TEXTS, 0, K_MORE, read_env_globs, MORE(env_allow),
	  .about = "Instead of env_policy.allow for this command." },
	{ "env_deny", EXECS, T_TEXTS, 0, K_MORE, read_env_globs, MORE(env_deny), .about = "Instead of env_policy.deny for this command." },
	{ "env_max_bytes", EXECS, T_NUMBER, 0, K_MORE, read_env_limit, MORE(env_max_bytes),
	  .about = "Most bytes of its environment; 0: no limit." },
	{ "env_max_keys", EXECS, T_NUMBER, 0, K_MORE, read_env_limit, MORE(env_max_keys),
	  .about = "Most variables of its environment; 0: no limit." },
	{ "env_block_iteration", EXECS, T_BOOL, 0, K_MORE, read_env_limit, MORE(env_block_iteration),
	  .about = "The program cannot list its environment." },
};
const struct shape shape_file = { "file rule", FILES, SHAPE(keys) }, shape_network = { "network rule", NETS, SHAPE(keys) },
		   shape_command = { "command rule", EXECS, SHAPE(keys) }, shape_unix = { "unix socket rule", UNIXES, SHAPE(keys) },
		   shape_service_rule = { "service rule", SERVICES, SHAPE(keys) };

static void read_one(struct parse *p, const struct shape *s, const struct node *v, struct rules *out, const char *what)
{
	struct at c = { p, s, NULL, NULL };
	struct rule *r;

	if (p->d->errors)
		rules_fini(out); /* it is refused: only what else is wrong is looked for */
	r = parse_grow(p, v, what, (void **)&out->v, &out->n, sizeof(*r));
	if (!r)
		return;
	r->ops = s->in == UNIXES ? (1u << POL_UNIX__COUNT) - 1 : (1u << POL_OP__COUNT) - 1;
	r->max_depth = -1;
	r->file = p->file;
	r->line = v->line;
	r->column = v->column;
	c.to = r;
	if (!parse_map(&c, v))
		return;
	if (r->decision == POL_REDIRECT && !r->redirect_to)
		diag_error(p->d, v, "decision redirect needs redirect_to");
	if (s->in != SERVICES && !p->d->errors)
		rule_share(r, p->recent);
	if (s->in != SERVICES)
		parse_name_twice(p, s->in, v, r->name);
}

void read_rule(struct at *c, const struct key *k, const struct node *v)
{
	struct model *m = c->p->m;
	struct rules *to[] = { [FILES] = &m->files, [NETS] = &m->nets, [EXECS] = &m->execs, [UNIXES] = &m->unixes };

	read_one(c->p, k->sub, v, to[k->sub->in], k->name);
}

void parse_service_rule(struct parse *p, const struct node *v, struct rules *out)
{
	read_one(p, &shape_service_rule, v, out, "rules");
}
