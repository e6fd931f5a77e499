/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's top level, and the policies that it extends. */
#include "policy/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_version(struct at *c, const struct key *k, const struct node *v)
{
	(void)k;
	if (v->kind != NODE_TEXT || strcmp(v->text, "1") != 0)
		diag_error(c->p->d, v, "version must be 1");
}

static void read_name(struct at *c, const struct key *k, const struct node *v)
{
	char *waste = NULL;
	struct key at = *k;
	struct at sub = { c->p, c->shape, NULL, c->p->file ? &waste : &c->p->m->name };

	at.offset = 0;
	read_text(&sub, &at, v);
	free(waste);
}

LEAKS_UNSEEN_BEGIN /* freed by read_source */
static void read_extends(struct at *c, const struct key *k, const struct node *v)
{
	struct parse *p = c->p;
	struct extend *grown;

	if (!parse_is_text(p, v))
		return;
	if (!v->text[0] || strlen(v->text) > 4096) {
		diag_error(p->d, v, "%s: must be a policy's name or a file with / in it", k->name);
		return;
	}
	if (p->n_extends == EXTENDS_FILES_MAX) {
		diag_error(p->d, v, "%s has more than %d entries", k->name, EXTENDS_FILES_MAX);
		return;
	}
	grown = realloc(p->extends, (p->n_extends + 1) * sizeof(*grown));
	if (grown) {
		p->extends = grown;
		grown += p->n_extends;
		*grown = (struct extend){ strdup(v->text), v->line, v->column };
	}
	if (grown && grown->name)
		p->n_extends++;
	else
		parse_no_memory(p, v);
}
LEAKS_UNSEEN_END

#define UNUSED_SECTION(name, type, words) { name, 1, type, .flags = K_UNUSED, .read = read_any, .about = (words) }
static const struct key keys[] = {
	{ "version", 1, T_NUMBER, .flags = K_REQUIRED, .read = read_version, .min = 1, .max = 1, .about = "The language's version: 1." },
	{ "name", 1, T_TEXT, .flags = K_REQUIRED, .read = read_name, .min = 1, .max = 128, .about = "The policy's name." },
	{ "description", 1, T_TEXT, .read = read_any, .about = "For readers of the policy." },
	{ "extends", 1, T_TEXTS, T_TEXT, K_ITEMS, .read = read_extends,
	  .about = "Policies whose rules follow this one's, and whose settings hold where this one gives none." },
	{ "file_rules", 1, T_LIST, .flags = K_ITEMS, .read = read_rule, .sub = &shape_file,
	  .about = "Files; the first rule that matches decides." },
	{ "network_rules", 1, T_LIST, .flags = K_ITEMS, .read = read_rule, .sub = &shape_network,
	  .about = "Hosts, addresses and requests; the first match decides." },
	{ "command_rules", 1, T_LIST, .flags = K_ITEMS, .read = read_rule, .sub = &shape_command,
	  .about = "Programs that are run; the first match decides." },
	{ "unix_socket_rules", 1, T_LIST, .flags = K_ITEMS, .read = read_rule, .sub = &shape_unix,
	  .about = "Unix sockets; the first match decides." },
	{ "signal_rules", 1, T_LIST, .flags = K_ITEMS, .read = read_signal_rule, .sub = &shape_signal,
	  .about = "Signals; the first match decides." },
	{ "dns_redirects", 1, T_LIST, .flags = K_ITEMS, .read = read_redirect_rule, .sub = &shape_dns,
	  .about = "Other answers for hosts' names." },
	{ "connect_redirects", 1, T_LIST, .flags = K_ITEMS, .read = read_redirect_rule, .sub = &shape_connect,
	  .about = "Other places for connections." },
	{ "resource_limits", 1, T_MAP, .read = read_limits, .sub = &shape_limits, .about = "What a session's commands may take." },
	{ "env_policy", 1, T_MAP, .read = read_env_policy, .sub = &shape_env, .about = "Which variables commands are given." },
	{ "env_inject", 1, T_PAIRS, .read = read_pairs, .offset = offsetof(struct model, env_inject),
	  .about = "Variables that commands are given besides." },
	{ "audit", 1, T_MAP, .read = read_audit, .sub = &shape_audit, .about = "What is recorded." },
	{ "transparent_commands", 1, T_MAP, .read = read_transparent, .sub = &shape_transparent,
	  .about = "Programs that run another one, which is judged too." },
	{ "http_services", 1, T_LIST, .flags = K_ITEMS, .read = read_service, .sub = &shape_service,
	  .about = "HTTP services with rules and credentials." },
	{ "llm_budgets", 1, T_LIST, .flags = K_ITEMS, .read = read_budget, .sub = &shape_budget,
	  .about = "What language models may cost." },
	UNUSED_SECTION("registry_rules", T_ANY, "Windows only; no effect."),
	UNUSED_SECTION("process_contexts", T_ANY, "No effect."),
	UNUSED_SECTION("process_identities", T_ANY, "No effect."),
	UNUSED_SECTION("package_rules", T_ANY, "No effect."),
	UNUSED_SECTION("mcp_rules", T_ANY, "No effect."),
	UNUSED_SECTION("db_services", T_ANY, "No effect."),
	UNUSED_SECTION("database_rules", T_ANY, "No effect."),
	UNUSED_SECTION("database_connection_rules", T_ANY, "No effect."),
	UNUSED_SECTION("providers", T_ANY, "No effect."),
	UNUSED_SECTION("policies", T_ANY, "No effect."),
	UNUSED_SECTION("metadata", T_ANY, "No effect."),
	{ "services", 1, .about = "unknown key \"services\": write http_services" },
};
const struct shape shape_top = { "policy", 1, SHAPE(keys) };

/* One entry of a list of the top map. */
static void on_item(void *arg, const struct node *key, const struct node *item)
{
	struct parse *p = arg;
	struct at c = { p, &shape_top, NULL, p->m };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].flags & K_ITEMS && !strcmp(keys[i].name, key->text))
			keys[i].read(&c, &keys[i], item);
}

/* The files that led to the one that is read. */
struct chain { const struct chain *up; const char *path; };

static void put_chain(struct buf *b, const struct chain *at)
{
	if (at->up)
		put_chain(b, at->up);
	buf_printf(b, "%s -> ", at->path);
}

static void PRINTF_LIKE(4, 5) chain_error(struct parse *p, const struct extend *e, const struct chain *at, const char *fmt, ...)
{
	struct buf b = BUF_INIT(1u << 16);
	char words[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	put_chain(&b, at);
	diag_error(p->d, e, "extends \"%s\": %s (%s%s)", e->name, words, b.data ? (const char *)b.data : "", e->name);
	buf_fini(&b);
}

static void read_file(struct parse *p, const char *text, size_t len, char *owned, const struct chain *at, size_t depth);

/* p is as before afterwards, but for what the file gave. path is the model's; frees text. */
static void read_extended(struct parse *p, const char *path, char *text, size_t len, const struct chain *at, size_t depth)
{
	struct chain down = { at, path };
	uint16_t file = p->file;
	const char *name = p->d->file;

	p->file = (uint16_t)(p->m->sources.n - 1);
	p->d->file = path;
	read_file(p, text, len, text, &down, depth);
	p->file = file;
	p->d->file = name;
}

/* The file that was asked for may be named with "./" before it. */
static bool same_file(const char *a, const char *b)
{
	while (!strncmp(a, "./", 2))
		a += 2;
	while (!strncmp(b, "./", 2))
		b += 2;
	return !strcmp(a, b);
}

static void extend(struct parse *p, const struct extend *e, const struct chain *at, size_t depth)
{
	const struct pol_source *src = p->src;
	const struct node place = { .line = e->line, .column = e->column };
	char *path = NULL, *text = NULL;
	struct err err = { 0 };
	size_t len = 0;
	bool known = false;
	int r = src->load ? src->load(src->load_arg, at->path, e->name, &path, &text, &len, &err) : -ENOSYS;

	for (const struct chain *c = at; c && r == 0 && !known; c = c->up)
		known = same_file(c->path, path);
	if (!src->load)
		chain_error(p, e, at, "other policies cannot be read here");
	else if (r < 0)
		chain_error(p, e, at, "%s", err.msg[0] ? err.msg : strerror(-r));
	else if (known)
		chain_error(p, e, at, "a policy that extends itself");
	else if (depth == EXTENDS_DEPTH_MAX)
		chain_error(p, e, at, "deeper than %d", EXTENDS_DEPTH_MAX);
	for (size_t i = 0; r == 0 && i < p->m->sources.n && !known; i++)
		known = same_file(p->m->sources.v[i], path); /* its rules stand further up: here they would decide nothing */
	if (r == 0 && !known && depth < EXTENDS_DEPTH_MAX) {
		if (p->m->sources.n == EXTENDS_FILES_MAX)
			chain_error(p, e, at, "more than %d files", EXTENDS_FILES_MAX);
		else if (parse_put(p, &place, &p->m->sources, move_ptr(path)))
			read_extended(p, p->m->sources.v[p->m->sources.n - 1], move_ptr(text), len, at, depth + 1);
	}
	free(path);
	free(text);
}

/* Its rules, then those of what it extends. owned is freed before those are read: a chain of large files is never held at once. */
static void read_file(struct parse *p, const char *text, size_t len, char *owned, const struct chain *at, size_t depth)
{
	struct seen seen[PARSE_SECTIONS] = { 0 };
	struct at c = { p, &shape_top, NULL, p->m };
	struct extend *list;
	struct node *root;
	size_t n;

	p->seen = seen;
	root = yaml_read(text, len, p->d, on_item, p);
	if (root)
		parse_map(&c, root);
	node_free(root);
	free(owned);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		free(seen[i].v);
	p->seen = NULL;
	list = move_ptr(p->extends);
	n = p->n_extends;
	p->n_extends = 0;
	for (size_t i = 0; i < n; i++) {
		if (root)
			extend(p, &list[i], at, depth);
		free(list[i].name);
	}
	free(list);
}

/* What only all files together can have too much of. */
static void check_sums(struct parse *p)
{
	const struct model *m = p->m;
	const struct { const char *name; size_t n; } lists[] = {
		{ "env_policy.allow", m->env_allow.n }, { "env_policy.deny", m->env_deny.n }, { "env_inject", m->env_inject.n },
		{ "transparent_commands.add", m->transparent_add.n }, { "transparent_commands.remove", m->transparent_remove.n },
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (lists[i].n > STRINGS_MAX)
			diag_at(p->d, 1, 1, "error", "%s has %zu entries with those of the policies it extends; %d are the most",
				lists[i].name,
				lists[i].n, STRINGS_MAX);
}

int parse_source(const struct pol_source *src, struct diag *d, bool vars_may_miss, struct model *m)
{
	struct parse p = { .d = d, .src = src, .vars_may_miss = vars_may_miss, .m = m };
	struct chain at = { NULL, src->file };
	const struct node place = { .line = 1, .column = 1 };

	m->audit = (struct pol_audit){ .log_allowed = true, .log_denied = true, .log_approved = true, .include_stdout = true,
		.include_stderr = true };
	m->file = strdup(src->file);
	if (!m->file)
		diag_at(d, 1, 1, "error", "out of memory");
	if (!m->file || !parse_put(&p, &place, &m->sources, strdup(src->file)))
		return -ENOMEM;
	read_file(&p, src->text, src->len, NULL, &at, 1);
	parse_services_end(&p);
	d->file = src->file;
	check_sums(&p);
	strs_fini(&p.labels);
	free(p.undefined.v);
	if (!d->errors && !m->name)
		diag_at(d, 1, 1, "error", "out of memory");
	return d->errors ? -EINVAL : 0;
}
