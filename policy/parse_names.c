/* SPDX-License-Identifier: Apache-2.0 */
/* What rules select by: paths, hosts, ports, addresses, programs; and the entries of them that can never mean what they say. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/str.h"
#include "policy/nfa.h"
#include "policy/parse.h"

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static void upper(char *s)
{
	for (; *s; s++)
		*s = (char)toupper((unsigned char)*s);
}

/* A shell's "$NAME", which nothing expands here. */
static void warn_bare_variable(struct at *c, const struct node *v)
{
	for (const char *s = strchr(v->text, '$'); s; s = strchr(s + 1, '$')) {
		size_t n = strspn(s + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

		if (!n || (s > v->text && s[-1] == '\\'))
			continue;
		diag_warning(c->p->d, v, "\"$%.*s\" stands for itself: write ${%.*s} [bare-variable]", (int)n, s + 1, (int)n, s + 1);
		return;
	}
}

/* A cleaned absolute path never looks so. */
static const char *never_a_path(const char *s)
{
	size_t n = strlen(s);

	if (n > 1 && s[n - 1] == '/' && s[n - 2] != '\\')
		return "paths do not end with /";
	if (strstr(s, "//"))
		return "paths have no //";
	if (strstr(s, "/./") || strstr(s, "/../") || (n > 2 && !strcmp(s + n - 2, "/.")) || (n > 3 && !strcmp(s + n - 3, "/..")))
		return "paths have no . or .. in them";
	return NULL;
}

#define LOOKS_MAX 100

/* What is left of a glob behind the group that is looked into. */
struct rest { const char *g; size_t n; const struct rest *up; };
struct begin { unsigned looked; bool not_each, star; };   /* not_each: of a group's alternatives; star: one stood before the slash */

/* Whether a text that begins with a slash can match. What is too dear to find out, can. */
static bool can_begin(struct begin *b, const char *g, size_t n, const struct rest *up)
{
	size_t end = n && g[0] == '{' ? wild_group_end(g, 0, n) : 0, from = 1;
	struct rest rest = { g + end, n - end, up };
	bool any = false;
	int depth = 0;

	if (++b->looked > LOOKS_MAX)
		return true;
	if (!n)
		return up && can_begin(b, up->g, up->n, up->up);
	if (g[0] == '*' && (n == 1 || g[1] != '*')) {
		b->star = true;
		return can_begin(b, g + 1, n - 1, up);
	}
	for (size_t i = 1; i < end; i++) {
		if (g[i] == '\\') {
			i++;
			continue;
		}
		depth += g[i] == '{';
		if ((g[i] == ',' && depth == 0) || i == end - 1) {
			bool can = can_begin(b, g + from, i - from, &rest);

			any |= can;
			b->not_each |= !can;
			from = i + 1;
		}
		depth -= g[i] == '}';
	}
	return end ? any : g[0] == '/' || g[0] == '*' || (g[0] == '\\' && n > 1 && g[1] == '/');
}

static void check_begin(struct at *c, const struct node *v, const char *path)
{
	struct begin b = { 0 };
	bool can = can_begin(&b, path, strlen(path), NULL);

	if (!strcmp(path, "*"))
		diag_warning(c->p->d, v, "path \"*\" matches nothing, for * takes no /: write ** for every path [impossible-path]");
	else if (path[0] == '*' && !can)
		diag_warning(c->p->d, v, "path \"%s\" matches nothing, for paths begin with / and * takes none: write **/%s "
			"[impossible-path]", v->text, v->text);
	else if (!can)
		diag_warning(c->p->d, v, "path \"%s\" matches nothing: start it with / or ** [impossible-path]", v->text);
	else if (b.star && path[0] == '*')
		diag_warning(c->p->d, v, "path \"%s\" matches only what \"%s\" does, for * takes no /: write *%s [impossible-path]",
			v->text, v->text + 1, v->text);
	else if (b.not_each)
		diag_warning(c->p->d, v, "path \"%s\" has alternatives that match nothing: start each with / or ** [impossible-path]",
			v->text);
}

static void check_path(struct at *c, const struct node *v, const char *path)
{
	const char *why = never_a_path(path);

	if (parse_odd(c->p, v, "path", true))
		return;
	if (v->text[0] == '~')
		diag_warning(c->p->d, v, "path \"%s\" matches nothing: write ${HOME}%s [impossible-path]", v->text, v->text[1] == '/' ?
			v->text + 1 : "/...");
	else if (why && (path[0] == '/' || path[0] == '*' || path[0] == '{'))
		diag_warning(c->p->d, v, "path \"%s\" matches nothing: %s [impossible-path]", v->text, why);
	else
		check_begin(c, v, path);
	warn_bare_variable(c, v);
}

/* One entry of a list that may have variables, in *ret, which stays NULL when it was reported. */
static char *entry(struct at *c, const struct key *k, const struct node *v, bool expand, size_t most)
{
	char *s;

	if (!parse_is_text(c->p, v))
		return NULL;
	s = expand ? parse_expand(c->p, v, true) : strdup(v->text);
	if (!s && !expand)
		parse_no_memory(c->p, v);
	if (s && (!s[0] || strlen(s) > most)) {
		if (s[0])
			diag_error(c->p->d, v, "longer than %zu bytes", most);
		else
			diag_error(c->p->d, v, "an entry of %s is empty", k->name);
		free(s);
		return NULL;
	}
	return s;
}

static bool glob_ok(struct at *c, const struct node *v, const char *what, const char *glob)
{
	char why[128];

	if (glob_check(glob, why, sizeof(why)) == 0)
		return true;
	diag_error(c->p->d, v, "%s \"%s\": %s", what, glob, why);
	return false;
}

/* An entry's text, checked, the caller's; NULL: it was reported. */
typedef char *(*entry_fn)(struct at *c, const struct key *k, const struct node *v);

LEAKS_UNSEEN_BEGIN /* entries belong to the model: model_fini */
static void each(struct at *c, const struct key *k, const struct node *v, entry_fn read)
{
	struct strs *out = key_at(c, k);

	if (!out)
		parse_no_memory(c->p, v);
	if (!out || !parse_is_list(c->p, k, v))
		return;
	for (size_t i = 0; i < v->n; i++) {
		char *s = read(c, k, v->v[i]);

		if (s && !parse_put(c->p, v->v[i], out, s))
			return;
	}
}
LEAKS_UNSEEN_END

static char *file_path(struct at *c, const struct key *k, const struct node *v)
{
	char *s = entry(c, k, v, true, 1u << 16);

	if (s && glob_ok(c, v, "path", s))
		check_path(c, v, s);
	return s;
}

static char *unix_path(struct at *c, const struct key *k, const struct node *v)
{
	char *s = entry(c, k, v, true, WILD_MAX);

	if (s && glob_ok(c, v, "path", s) && s[0] != '@')
		check_path(c, v, s);
	return s;
}

static char *url_path(struct at *c, const struct key *k, const struct node *v)
{
	char *s = entry(c, k, v, false, WILD_MAX);

	if (!s || !glob_ok(c, v, "path", s) || parse_odd(c->p, v, "path", true))
		return s;
	if (s[0] != '/' && s[0] != '*' && s[0] != '{')
		diag_warning(c->p->d, v, "path \"%s\" matches nothing: start it with / or ** [impossible-path]", s);
	else if (strstr(s, "//") || strstr(s, "/../") || strstr(s, "/./"))
		diag_warning(c->p->d, v, "path \"%s\" matches nothing: such requests are refused before [impossible-path]", s);
	return s;
}

void read_file_paths(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, file_path); }
void read_unix_paths(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, unix_path); }
void read_url_paths(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, url_path); }

bool parse_host_ok(const char *host)
{
	size_t n = strlen(host);

	return n && n < 254 && host[0] != '.' && host[n - 1] != '.' && !strstr(host, "..") &&
	       strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == n;
}

/* What to write instead of an entry that no host's name can match, or NULL. */
static const char *never_a_host(const char *s)
{
	struct cidr range;

	if (strstr(s, "://"))
		return "write the host alone, without https:// and path";
	if (cidr_parse(s, &range) == 0)
		return "an address is no name: use cidrs";
	if (strchr(s, '/'))
		return "write the host alone; a path goes to paths";
	if (strchr(s, ':'))
		return "write the host alone; a port goes to ports";
	if (strchr(s, '@'))
		return "write the host alone";
	for (const char *b = s; *b; b++) {
		if (isspace((unsigned char)*b))
			return "a host has no space: one host an entry";
		if ((uint8_t)*b >= 0x80)
			return "write the xn-- form of the name";
	}
	if (s[0] == '.')
		return "write **.example.com for all hosts below a domain";
	return strstr(s, "..") ? "a host has no .. in it" : NULL;
}

/* Whether the rule may be too wide without harm. */
static bool denies(const struct at *c)
{
	for (size_t i = 0; i + 1 < c->map->n; i += 2)
		if (c->map->v[i]->text && !strcmp(c->map->v[i]->text, "decision"))
			return c->map->v[i + 1]->text && !strcasecmp(c->map->v[i + 1]->text, "deny");
	return false;
}

static char *domain(struct at *c, const struct key *k, const struct node *v)
{
	char *s = entry(c, k, v, true, WILD_MAX), *last;
	const char *instead;
	bool guess, odd;
	size_t n;

	if (!s)
		return NULL;
	lower(s);
	n = strlen(s);
	if (n > 1 && s[n - 1] == '.' && s[n - 2] != '\\' && s[n - 2] != '.')
		s[n - 1] = 0;
	/* A variable may only stand for a value here. */
	guess = c->p->vars_may_miss && strstr(v->text, "${");
	odd = glob_ok(c, v, "domain", s) && parse_odd(c->p, v, "domain", true);
	instead = !odd && !guess ? never_a_host(s) : NULL;
	last = odd ? NULL : strrchr(s, '.');
	if (instead)
		diag_warning(c->p->d, v, "\"%s\" is never a host's name: %s [impossible-domain]", v->text, instead);
	else if (last && last[1] == '*' && strspn(s, "*.") < strlen(s) && !denies(c))
		diag_warning(c->p->d, v, "\"%s\" holds for names that anybody can register: write out the last part [wide-domain]", s);
	return s;
}

void read_domains(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, domain); }

LEAKS_UNSEEN_BEGIN /* ports belong to the rule: model_fini */
void read_ports(struct at *c, const struct key *k, const struct node *v)
{
	struct rule *r = c->to;

	if (!parse_is_list(c->p, k, v))
		return;
	r->ports = calloc(v->n + 1, sizeof(uint16_t));
	if (!r->ports)
		parse_no_memory(c->p, v);
	for (size_t i = 0; r->ports && i < v->n; i++) {
		uint64_t port;

		if (!parse_is_text(c->p, v->v[i]))
			continue;
		if (str_to_u64(v->v[i]->text, 65535, &port) < 0) {
			diag_error(c->p->d, v->v[i], "\"%s\" is not a port: numbers to 65535, one by one; leave ports out for all",
				   v->v[i]->text);
			continue;
		}
		if (!port)
			diag_warning(c->p->d, v->v[i], "nothing connects to port 0 [port-zero]");
		r->ports[r->n_ports++] = (uint16_t)port;
	}
}

LEAKS_UNSEEN_END

static char *range(struct at *c, const struct key *k, const struct node *v)
{
	char *s = entry(c, k, v, false, WILD_MAX);
	bool host = false;
	struct cidr r;

	if (!s)
		return NULL;
	if (cidr_parse(s, &r) < 0) {
		diag_error(c->p->d, v, "\"%s\" is not an address range: write 10.0.0.0/8, fd00::/8, or one address", s);
		free(s);
		return NULL;
	}
	for (size_t bit = r.bits; bit < (size_t)r.len * 8; bit++)
		host |= r.addr[bit / 8] >> (7 - bit % 8) & 1;
	if (host)
		diag_warning(c->p->d, v, "\"%s\" has bits behind its /%u: they are not looked at [host-bits]", s, r.bits);
	return s;
}

void read_cidrs(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, range); }

/* Programs are known without this ending of their base names (name_of); entries that have it mean the same program. */
static void without_real(char *s)
{
	size_t n = strlen(s);

	if (n > 5 && !strchr(s, '/') && !strcasecmp(s + n - 5, ".real") && s[n - 6] != '\\')
		s[n - 5] = 0;
}

static char *program(struct at *c, const struct key *k, const struct node *v)
{
	bool expand = v->kind == NODE_TEXT && (strchr(v->text, '/') || !strncmp(v->text, "${", 2));
	char *s = entry(c, k, v, expand, WILD_MAX);

	if (!s)
		return NULL;
	without_real(s);
	if (parse_odd(c->p, v, "command", false))
		return s;
	if (v->text[0] == '~')
		diag_warning(c->p->d, v, "\"%s\" matches nothing: write ${HOME}/... [impossible-path]", v->text);
	else if (strchr(s, '/') && s[0] != '/' && s[0] != '*' && s[0] != '{')
		diag_warning(c->p->d, v, "\"%s\" matches nothing: a name, or a path from / on [impossible-path]", s);
	else if (never_a_path(s))
		diag_warning(c->p->d, v, "\"%s\" matches nothing: %s [impossible-path]", v->text, never_a_path(s));
	else if (!strchr(s, '/') && strpbrk(s, " \t"))
		diag_warning(c->p->d, v, "\"%s\" has a space and names no program: write \"%.*s\" and the rest in args_patterns "
			"[space-in-command]",
			     v->text, (int)strcspn(v->text, " \t"), v->text);
	warn_bare_variable(c, v);
	return s;
}

void read_commands(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, program); }

/* Said once: each further entry would be too many as well. */
static bool label(struct at *c, const struct node *v, const char *s)
{
	for (size_t i = 0; i < c->p->labels.n; i++)
		if (!strcmp(c->p->labels.v[i], s))
			return true;
	if (c->p->labels.n < POL_LABELS_MAX)
		return parse_put(c->p, v, &c->p->labels, strdup(s));
	if (!c->p->labels_full)
		diag_error(c->p->d, v, "processes: more than %d different entries in one policy", POL_LABELS_MAX);
	c->p->labels_full = true;
	return false;
}

static char *process(struct at *c, const struct key *k, const struct node *v)
{
	char *s = program(c, k, v);

	if (!s || label(c, v, s))
		return s;
	free(s);
	return NULL;
}

void read_processes(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, process); }

static char *method(struct at *c, const struct key *k, const struct node *v)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", NULL };
	char *s = entry(c, k, v, false, 32);
	const char *near;

	if (!s)
		return NULL;
	upper(s);
	near = policy_nearest(s, known);
	if (strcmp(s, "*") != 0 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") < strlen(s))
		diag_error(c->p->d, v, "\"%s\" is not a method, such as GET, or *", v->text);
	else if (near && strcmp(near, s) != 0)
		diag_warning(c->p->d, v, "method \"%s\" is unknown (did you mean \"%s\"?) [unknown-method]", s, near);
	return s;
}

void read_methods(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, method); }

static char *digest(struct at *c, const struct key *k, const struct node *v)
{
	char *s = entry(c, k, v, false, 1024);

	if (!s)
		return NULL;
	lower(s);
	if (strlen(s) != 64 || strspn(s, "0123456789abcdef") != 64)
		diag_error(c->p->d, v, "\"%s\" is not a SHA-256: 64 hexadecimal digits", v->text);
	return s;
}

void read_sha256(struct at *c, const struct key *k, const struct node *v)
{
	struct node *one[] = { (struct node *)v };
	struct node list = { .kind = NODE_LIST, .line = v->line, .column = v->column, .v = one, .n = 1 };

	each(c, k, v->kind == NODE_TEXT ? &list : v, digest);
}

static char *name_glob(struct at *c, const struct key *k, const struct node *v)
{
	char *s = entry(c, k, v, false, WILD_MAX);

	if (s)
		glob_ok(c, v, k->name, s);
	return s;
}

void read_globs(struct at *c, const struct key *k, const struct node *v) { each(c, k, v, name_glob); }

void read_env_globs(struct at *c, const struct key *k, const struct node *v)
{
	struct rule_more *more = rule_more(c->to);

	for (size_t i = 0; v->kind == NODE_LIST && i < v->n; i++)
		if (v->v[i]->kind == NODE_TEXT && strchr(v->v[i]->text, '='))
			diag_error(c->p->d, v->v[i], "\"%s\": write the variable's name without = and value", v->v[i]->text);
	read_globs(c, k, v);
	if (more)
		*(k->offset == offsetof(struct rule_more, env_allow) ? &more->has_env_allow : &more->has_env_deny) = true;
	else
		parse_no_memory(c->p, v);
}
