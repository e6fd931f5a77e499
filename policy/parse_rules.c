/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the three sections: a table of keys, one reader per kind of value. */
#include <errno.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/dfa.h"
#include "policy/nfa.h"
#include "policy/parse.h"

enum { FILES = 1, NETS = 2, EXECS = 4 };

struct ctx { struct parse *p; struct rule *r; unsigned in; };
typedef void (*key_fn)(struct ctx *c, const struct node *v);

static bool want_text(struct ctx *c, const struct node *v)
{
	if (v->kind == NODE_TEXT)
		return true;
	diag_error(c->p->d, v, "must be a text, not a %s", v->kind == NODE_LIST ? "list" : "map");
	return false;
}

/* A list that is not there means "any": what could not be stored must not become that. */
static void no_memory(struct ctx *c, const struct node *v)
{
	diag_error(c->p->d, v, "out of memory");
}

LEAKS_UNSEEN_BEGIN /* what is set below belongs to the rule: model_fini */
static void set_text(struct ctx *c, const struct node *v, char **out)
{
	if (want_text(c, v)) {
		free(*out);
		*out = strdup(v->text);
		if (!*out)
			no_memory(c, v);
	}
}

static bool want_list(struct ctx *c, const struct node *v)
{
	if (v->kind != NODE_LIST)
		diag_error(c->p->d, v, "must be a list");
	else if (v->n > STRINGS_MAX)
		diag_error(c->p->d, v, "has %zu entries; %d are the most", v->n, STRINGS_MAX);
	else
		return true;
	return false;
}

static void set_strs(struct ctx *c, const struct node *v, struct strs *out, bool expand, bool lower)
{
	if (!want_list(c, v))
		return;
	out->v = calloc(v->n + 1, sizeof(char *));
	if (!out->v)
		no_memory(c, v);
	for (size_t i = 0; out->v && i < v->n; i++) {
		if (!want_text(c, v->v[i]))
			return; /* so that entry i of the list is entry i of out */
		out->v[out->n] = expand ? parse_expand(c->p, v->v[i], true) : strdup(v->v[i]->text);
		if (!out->v[out->n]) {
			if (!c->p->d->errors)
				no_memory(c, v);
			return;
		}
		for (char *s = out->v[out->n]; lower && *s; s++)
			*s = (char)tolower((unsigned char)*s);
		out->n++;
	}
}

static void k_name(struct ctx *c, const struct node *v) { set_text(c, v, &c->r->name); }
static void k_description(struct ctx *c, const struct node *v) { (void)want_text(c, v); }
static void k_message(struct ctx *c, const struct node *v) { set_text(c, v, &c->r->message); }

static void names(struct ctx *c, const struct node *v, struct strs *out, bool domains)
{
	set_strs(c, v, out, domains, domains);
	for (size_t i = 0; i < out->n; i++)
		if (strlen(out->v[i]) > WILD_MAX)
			diag_error(c->p->d, v->v[i], "longer than %d bytes", WILD_MAX);
}

static void k_domains(struct ctx *c, const struct node *v) { names(c, v, &c->r->domains, true); }
static void k_commands(struct ctx *c, const struct node *v) { names(c, v, &c->r->commands, false); }

static void k_paths(struct ctx *c, const struct node *v)
{
	char why[128];

	set_strs(c, v, &c->r->paths, true, false);
	for (size_t i = 0; i < c->r->paths.n; i++)
		if (glob_check(c->r->paths.v[i], why, sizeof(why)) < 0)
			diag_error(c->p->d, v->v[i], "path \"%s\": %s", c->r->paths.v[i], why);
		else if (c->r->paths.v[i][0] != '/' && c->r->paths.v[i][0] != '*' && c->r->paths.v[i][0] != '{')
			diag_error(c->p->d, v->v[i], "path \"%s\" matches nothing: start it with / or **", c->r->paths.v[i]);
}

static void k_decision(struct ctx *c, const struct node *v)
{
	if (!want_text(c, v))
		return;
	for (int d = 0; d < POL__COUNT; d++)
		if (!strcasecmp(v->text, pol_decision_name((enum pol_decision)d))) {
			c->r->decision = (enum pol_decision)d;
			return;
		}
	diag_error(c->p->d, v, "decision \"%s\" is not one of allow deny approve redirect audit soft_delete", v->text);
}

static void k_timeout(struct ctx *c, const struct node *v)
{
	if (want_text(c, v) && (str_to_ms(v->text, &c->r->timeout_ms) < 0 || c->r->timeout_ms == 0 || c->r->timeout_ms > 86400000))
		diag_error(c->p->d, v, "timeout \"%s\" is not a duration between 1ms and 24h, such as 30s or 5m", v->text);
}

static void k_operations(struct ctx *c, const struct node *v)
{
	if (!want_list(c, v))
		return;
	c->r->ops = 0;
	for (size_t i = 0; i < v->n; i++) {
		bool known = false;

		if (!want_text(c, v->v[i]))
			continue;
		for (int op = 0; op < POL_OP__COUNT; op++)
			if (!strcmp(v->v[i]->text, "*") || !strcmp(v->v[i]->text, pol_op_name((enum pol_op)op))) {
				c->r->ops |= 1u << op;
				known = true;
			}
		if (!known)
			diag_error(c->p->d, v->v[i], "unknown operation \"%s\"", v->v[i]->text);
	}
}

static void k_ports(struct ctx *c, const struct node *v)
{
	if (!want_list(c, v))
		return;
	c->r->ports = calloc(v->n + 1, sizeof(uint16_t));
	if (!c->r->ports)
		no_memory(c, v);
	for (size_t i = 0; c->r->ports && i < v->n; i++) {
		uint64_t port;

		if (!want_text(c, v->v[i]))
			continue;
		if (str_to_u64(v->v[i]->text, 65535, &port) < 0)
			diag_error(c->p->d, v->v[i], "\"%s\" is not a port", v->v[i]->text);
		else
			c->r->ports[c->r->n_ports++] = (uint16_t)port;
	}
}
LEAKS_UNSEEN_END

static void k_cidrs(struct ctx *c, const struct node *v)
{
	set_strs(c, v, &c->r->cidrs, false, false);
	for (size_t i = 0; i < c->r->cidrs.n; i++) {
		struct cidr range;

		if (cidr_parse(c->r->cidrs.v[i], &range) < 0)
			diag_error(c->p->d, v->v[i], "\"%s\" is not an address range", c->r->cidrs.v[i]);
	}
}

static void k_args_patterns(struct ctx *c, const struct node *v)
{
	char why[256];
	size_t which = 0;

	set_strs(c, v, &c->r->args_patterns, false, false);
	for (size_t i = 0; i < c->r->args_patterns.n; i++) {
		bool could = c->p->regex_cost <= REGEX_COST_MAX;

		c->p->regex_cost += regex_cost(c->r->args_patterns.v[i]);
		if (could && c->p->regex_cost > REGEX_COST_MAX)
			diag_error(c->p->d, v->v[i], "args_patterns: too many, too long or too large {n,m} up to here");
	}
	if (c->p->d->errors || !c->r->args_patterns.n)
		return;
	if (regex_compile(&c->r->args_patterns, &c->r->regex, &c->r->regex_len, why, sizeof(why), &which) < 0)
		diag_error(c->p->d, which < v->n ? v->v[which] : v, "args_patterns: not a regular expression: %s%s", why,
			   c->r->args_patterns.v[which][0] == '*' ? " (a glob's * is .* here)" : "");
}

static void k_redirect(struct ctx *c, const struct node *v)
{
	static const char *const known[] = { "command", "args", "args_append", "environment" };

	if (c->in == FILES) {
		if (want_text(c, v))
			c->r->redirect_to = parse_expand(c->p, v, false);
		return;
	}
	if (v->kind != NODE_MAP) {
		diag_error(c->p->d, v, "redirect_to of a command is a map: command, args, args_append, environment");
		return;
	}
	for (size_t i = 0; i + 1 < v->n; i += 2) {
		const struct node *key = v->v[i], *val = v->v[i + 1];

		if (key->kind != NODE_TEXT)
			diag_error(c->p->d, key, "a key must be a text");
		else if (!strcmp(key->text, "command"))
			set_text(c, val, &c->r->redirect_to);
		else if (!strcmp(key->text, "args"))
			set_strs(c, val, &rule_more(c->r)->redirect_args, false, false);
		else if (!strcmp(key->text, "args_append"))
			set_strs(c, val, &rule_more(c->r)->redirect_append, false, false);
		else if (!strcmp(key->text, "environment"))
			diag_warning(c->p->d, key, "environment of a redirect is not enforced yet");
		else
			parse_unknown(c->p, key, known, ARRAY_LEN(known));
	}
}

static void k_preserve(struct ctx *c, const struct node *v)
{
	if (want_text(c, v))
		c->r->preserve_tree = !strcmp(v->text, "true");
}

static void depth_number(struct ctx *c, const struct node *v, int32_t *out)
{
	uint64_t n;

	if (!want_text(c, v))
		return;
	if (!strcmp(v->text, "-1"))
		*out = -1;
	else if (str_to_u64(v->text, 1000, &n) < 0)
		diag_error(c->p->d, v, "\"%s\" is not a depth", v->text);
	else
		*out = (int32_t)n;
}

static void k_context(struct ctx *c, const struct node *v)
{
	static const char *const known[] = { "min_depth", "max_depth" };
	bool direct = false, nested = false;

	for (size_t i = 0; v->kind == NODE_MAP && i + 1 < v->n; i += 2) {
		if (v->v[i]->kind == NODE_TEXT && !strcmp(v->v[i]->text, "min_depth"))
			depth_number(c, v->v[i + 1], &c->r->min_depth);
		else if (v->v[i]->kind == NODE_TEXT && !strcmp(v->v[i]->text, "max_depth"))
			depth_number(c, v->v[i + 1], &c->r->max_depth);
		else if (v->v[i]->kind == NODE_TEXT)
			parse_unknown(c->p, v->v[i], known, ARRAY_LEN(known));
	}
	if (v->kind == NODE_MAP || !want_list(c, v))
		return;
	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i]->kind == NODE_TEXT && !strcmp(v->v[i]->text, "direct"))
			direct = true;
		else if (v->v[i]->kind == NODE_TEXT && !strcmp(v->v[i]->text, "nested"))
			nested = true;
		else
			diag_error(c->p->d, v->v[i], "context is direct or nested");
	}
	c->r->min_depth = direct ? 0 : 1;
	c->r->max_depth = nested ? -1 : 0;
}

static void k_env(struct ctx *c, const struct node *v) { diag_warning(c->p->d, v, "env_* of a rule is not enforced yet"); }

static const struct { const char *key; unsigned in; key_fn fn; } keys[] = {
	{ "name", 7, k_name }, { "description", 7, k_description }, { "decision", 7, k_decision }, { "message", 7, k_message },
	{ "timeout", 7, k_timeout }, { "paths", FILES, k_paths }, { "operations", FILES, k_operations },
	{ "redirect_to", FILES | EXECS, k_redirect },
	{ "preserve_tree", FILES, k_preserve }, { "domains", NETS, k_domains }, { "ports", NETS, k_ports }, { "cidrs", NETS, k_cidrs },
	{ "commands", EXECS, k_commands }, { "args_patterns", EXECS, k_args_patterns }, { "context", EXECS, k_context },
	{ "env_allow", EXECS, k_env }, { "env_deny", EXECS, k_env }, { "env_max_bytes", EXECS, k_env }, { "env_max_keys", EXECS, k_env },
	{ "env_block_iteration", EXECS, k_env },
};

static void read_rule(struct ctx *c, const struct node *n)
{
	const char *known[ARRAY_LEN(keys)];
	bool decided = false;
	size_t n_known = 0, before = c->p->d->errors;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].in & c->in)
			known[n_known++] = keys[i].key;
	for (size_t i = 0; i + 1 < n->n; i += 2) {
		bool found = false;

		if (n->v[i]->kind != NODE_TEXT) {
			diag_error(c->p->d, n->v[i], "a key must be a text");
			continue;
		}
		decided |= !strcmp(n->v[i]->text, "decision");
		for (size_t k = 0; k < ARRAY_LEN(keys) && !found; k++)
			if ((keys[k].in & c->in) && !strcmp(keys[k].key, n->v[i]->text)) {
				keys[k].fn(c, n->v[i + 1]);
				found = true;
			}
		if (!found)
			parse_unknown(c->p, n->v[i], known, n_known);
	}
	if (c->p->d->errors > before)
		return; /* what is missing may be what could not be read */
	if (!decided)
		diag_error(c->p->d, n, "the rule has no decision");
	if (!c->r->name)
		diag_error(c->p->d, n, "the rule has no name");
	if (c->in == FILES && !c->r->paths.n)
		diag_error(c->p->d, n, "the rule has no paths");
	if (c->r->decision == POL_REDIRECT && decided && !c->r->redirect_to)
		diag_error(c->p->d, n, "decision redirect needs redirect_to");
}

/* Room for one more, in steps that double. */
static bool grow(struct rules *r)
{
	struct rule *v;

	if (r->n && (r->n < 16 || (r->n & (r->n - 1))))
		return true;
	v = realloc(r->v, (r->n < 16 ? 16 : r->n * 2) * sizeof(*v));
	if (v)
		r->v = v;
	return v != NULL;
}

void parse_rule(struct parse *p, const struct node *n, const char *section, struct rules *out)
{
	struct ctx c = { .p = p, .in = section[0] == 'f' ? FILES : section[0] == 'n' ? NETS : EXECS };

	if (p->d->errors)
		rules_fini(out); /* it is refused: only what else is wrong is looked for */
	if (out->n == RULES_MAX || !grow(out)) {
		diag_error(p->d, n, "%s has more than %d rules", section, RULES_MAX);
		return;
	}
	c.r = &out->v[out->n++];
	*c.r = (struct rule){ .ops = (1u << POL_OP__COUNT) - 1, .max_depth = -1, .line = n->line };
	if (n->kind == NODE_MAP)
		read_rule(&c, n);
	else
		diag_error(p->d, n, "a rule is a map: name, decision ...");
}
