/* SPDX-License-Identifier: Apache-2.0 */
/* Why a rule does not match a question: its first selector that does not. Over the model, which has the rules' own words. */
#include "policy/explain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/explain_match.h"
#include "policy/parse.h"

struct asked {
	const struct model *m;
	const struct question *q;
	const struct answer *a;
	const char *workspace;
	char why[4096];
};

static const char *file_of(const struct model *m, uint16_t file)
{
	return file < m->sources.n ? m->sources.v[file] : m->file ? m->file : "policy";
}

static const struct rule_more *more_of(const struct rule *u)
{
	static const struct rule_more none;

	return u->more ? u->more : &none;
}

static bool why(struct asked *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool why(struct asked *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(k->why, sizeof(k->why), fmt, ap);
	va_end(ap);
	return false;
}

/* "[a, b, ...]" */
static const char *list(const struct strs *v)
{
	static char out[600];
	size_t at = 0;

	for (size_t i = 0; i < v->n && i < 8 && at < sizeof(out) - 8; i++)
		at += (size_t)snprintf(out + at, sizeof(out) - 8 - at, "%s%.100s", i ? ", " : "[", v->v[i]);
	at = at < sizeof(out) - 8 ? at : sizeof(out) - 9;
	snprintf(out + at, sizeof(out) - at, v->n > 8 ? ", ...]" : "]");
	return out;
}

/* Each of these: true when it matches; else false with words in k->why. */
static bool who_matches(struct asked *k, const struct strs *processes)
{
	char names[400] = "";

	if (!processes->n)
		return true;
	for (size_t i = 0; i < k->q->n_by; i++)
		if (match_command(processes, k->q->by[i]))
			return true;
	for (size_t i = 0; i < k->q->n_by; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.60s", i ? ", " : "", k->q->by[i]);
	if (!names[0])
		return why(k, "processes: none of %s is in the line of descent: no program is named (by NAME ...)", list(processes));
	return why(k, "processes: none of %s is in the line of descent (%s)", list(processes), names);
}

static bool file_matches(struct asked *k, const struct rule *u)
{
	const struct question *q = k->q;
	const char *op = q->kind == ASK_UNIX ? pol_unix_op_name(q->unix_op) : pol_op_name(q->op);

	if (!(u->ops >> (q->kind == ASK_UNIX ? (int)q->unix_op : (int)q->op) & 1))
		return why(k, "operations have no \"%s\"", op);
	if (q->kind == ASK_UNIX ? !match_path(&u->paths, q->path) : !match_file(&u->paths, q->path, k->workspace))
		return why(k, "no path glob matches: %s", list(&u->paths));
	return who_matches(k, &more_of(u)->processes);
}

static bool address_matches(struct asked *k, const struct rule *u)
{
	const struct question *q = k->q;
	char text[INET6_ADDRSTRLEN] = "";
	struct cidr c;

	if (!u->cidrs.n)
		return true;
	static const uint8_t none[4];
	bool inner = memcmp(k->a->by, none, sizeof(none)) != 0;
	const uint8_t *addr = inner ? k->a->by : q->addr;
	size_t len = inner ? 4 : q->addr_len;

	if (!q->addr_len)
		return why(k, "cidrs match only an address, and none is given (NAME@ADDRESS:PORT)");
	for (size_t i = 0; i < u->cidrs.n; i++)
		if (cidr_parse(u->cidrs.v[i], &c) == 0 && cidr_has(&c, addr, len))
			return true;
	inet_ntop(len == 4 ? AF_INET : AF_INET6, addr, text, sizeof(text));
	return why(k, "%s is in none of %s", text, list(&u->cidrs));
}

static bool port_matches(struct asked *k, const struct rule *u)
{
	char ports[200] = "";

	for (size_t i = 0; i < u->n_ports; i++) {
		if (u->ports[i] == k->q->port)
			return true;
		if (i < 16)
			snprintf(ports + strlen(ports), sizeof(ports) - strlen(ports), "%s%u", i ? ", " : "", u->ports[i]);
	}
	return !u->n_ports || why(k, "port %u is not in [%s%s]", k->q->port, ports, u->n_ports > 16 ? ", ..." : "");
}

static bool request_matches(struct asked *k, const struct rule *u)
{
	const struct rule_more *m = more_of(u);
	char path[2048];

	if (m->methods.n && !match_word(&m->methods, k->q->method))
		return why(k, "method %.40s is not in %s", k->q->method, list(&m->methods));
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(k->q->path, "?"), k->q->path);
	return !m->url_paths.n || match_path(&m->url_paths, path) || why(k, "no path glob matches: %s", list(&m->url_paths));
}

static bool net_matches(struct asked *k, const struct rule *u)
{
	const struct question *q = k->q;
	const struct rule_more *m = more_of(u);
	bool http = m->methods.n || m->url_paths.n, deny = u->decision == POL_DENY;

	if (q->kind == ASK_DNS && deny && u->n_ports)
		return why(k, "it denies ports, and a question for a name has none");
	if (q->kind != ASK_HTTP && http && deny)
		return why(k, "it denies by method or path: that is judged at each request (http METHOD URL)");
	if (!q->host && !deny && !u->cidrs.n)
		return why(k, "a raw address is allowed only by a rule with cidrs");
	if (u->domains.n && !q->host)
		return why(k, "domains match only a name, and none is known");
	if (u->domains.n && !match_domain(&u->domains, q->host))
		return why(k, "no domain glob matches: %s", list(&u->domains));
	if ((q->kind != ASK_DNS && !port_matches(k, u)) || !address_matches(k, u))
		return false;
	return (q->kind != ASK_HTTP || request_matches(k, u)) && who_matches(k, &m->processes);
}

static bool args_match(struct asked *k, const struct rule *u, const char *const *argv, size_t argc)
{
	char args[1024] = "";
	int r;

	if (!u->args_patterns.n)
		return true;
	r = match_args(u, argv, argc, args, sizeof(args));
	return r > 0 || why(k, r < 0 ? "args_patterns: \"%.900s\" could not be looked at" : "args_patterns: none matches \"%.900s\"", args);
}

static bool exec_matches(struct asked *k, const struct rule *u)
{
	const struct question *q = k->q;
	const struct pol_verdict *v = &k->a->v;
	/* The command that was decided may be one found by looking through the one that was asked about. */
	bool inner = v->command && strcmp(v->command, q->given) != 0 && (!q->resolved || strcmp(v->command, q->resolved) != 0) &&
		     (!q->written || strcmp(v->command, q->written) != 0);
	const char *given = v->command ? v->command : q->given;
	const char *file = inner || !q->resolved || !strcmp(q->resolved, given) ? NULL : q->resolved;
	const char *const *argv = v->argv ? v->argv : q->argv;
	size_t argc = v->argv ? v->argc : q->argc;

	if ((int64_t)q->depth < u->min_depth || (u->max_depth >= 0 && (int64_t)q->depth > u->max_depth))
		return u->max_depth < 0 ? why(k, "context: depth %u is not %d or more", q->depth, u->min_depth) :
			why(k, "context: depth %u is not %d to %d", q->depth, u->min_depth, u->max_depth);
	if (u->commands.n && !match_command(&u->commands, given) && (!file || !match_command(&u->commands, file)))
		return why(k, "commands: %.200s%s%.200s is not in %s", given, file ? " = " : "", file ? file : "", list(&u->commands));
	if (!args_match(k, u, argv, argc))
		return false;
	if (more_of(u)->sha256.n && q->has_sha256 && !match_digest(&more_of(u)->sha256, q->sha256))
		return why(k, "sha256: the digest is not among them");
	if (more_of(u)->sha256.n && !q->has_sha256 && (u->decision == POL_ALLOW || u->decision == POL_AUDIT))
		return why(k, "sha256: the digest is not known (sha256=HEX)");
	return who_matches(k, &more_of(u)->processes);
}

static bool signal_matches(struct asked *k, const struct signal_rule *u)
{
	const struct question *q = k->q;
	uint32_t plain = u->targets & ~(1u << POL_T_PROCESS | 1u << POL_T_PID_RANGE);
	bool hit = !u->targets || (plain & q->targets);

	if (!(u->signals >> (q->signal - 1) & 1))
		return why(k, "signals have no %d", q->signal);
	hit |= (u->targets >> POL_T_PROCESS & 1) && q->process && u->pattern && wild_match(u->pattern, match_lower(q->process), 0);
	hit |= (u->targets >> POL_T_PID_RANGE & 1) && q->pid && q->pid >= u->min && q->pid <= u->max;
	if (!hit)
		return why(k, "target: what the signal goes to is none of its types%s%s", u->pattern ? ": " : "",
			   u->pattern ? u->pattern : "");
	return who_matches(k, &u->processes);
}

static bool redirect_matches(struct asked *k, const struct redirect_rule *u)
{
	char text[2048];

	if (k->q->kind == ASK_DNS_REDIRECT)
		snprintf(text, sizeof(text), "%s", k->q->host);
	else
		snprintf(text, sizeof(text), "%s:%u", k->q->host, k->q->port);
	return match_regex(u->regex, u->regex_len, text) || why(k, "match: \"%.200s\" does not match \"%.900s\"", u->match, text);
}

struct telling { struct asked *k; pol_reason_fn fn; void *arg; };

static void tell(struct telling *t, bool matches, const char *rule, uint16_t file, uint32_t line)
{
	char where[4400];
	struct pol_reason r = { rule, where, matches ? "it matches, and another was found that is stricter" : t->k->why };

	snprintf(where, sizeof(where), "%s:%u", file_of(t->k->m, file), line);
	t->fn(t->arg, &r);
}

static void tell_rules(struct telling *t, const struct rules *r, bool (*matches)(struct asked *, const struct rule *))
{
	size_t n = t->k->a->v.rule_no < r->n ? t->k->a->v.rule_no : r->n;

	for (size_t i = 0; i < n; i++)
		tell(t, matches(t->k, &r->v[i]), r->v[i].name, r->v[i].file, r->v[i].line);
}

static void tell_redirects(struct telling *t, const struct redirect_rule *v, size_t n)
{
	const char *rule = t->k->a->rule;

	for (size_t i = 0; i < n && (!rule || strcmp(rule, v[i].name) != 0); i++)
		tell(t, redirect_matches(t->k, &v[i]), v[i].name, v[i].file, v[i].line);
}

static void tell_all(struct telling *t)
{
	const struct model *m = t->k->m;

	switch (t->k->q->kind) {
	case ASK_FILE:
		tell_rules(t, &m->files, file_matches);
		break;
	case ASK_UNIX:
		tell_rules(t, &m->unixes, file_matches);
		break;
	case ASK_NET:
	case ASK_DNS:
	case ASK_HTTP:
		tell_rules(t, &m->nets, net_matches);
		break;
	case ASK_EXEC:
		tell_rules(t, &m->execs, exec_matches);
		break;
	case ASK_SIGNAL:
		for (size_t i = 0; i < m->n_signals && i < t->k->a->v.rule_no; i++)
			tell(t, signal_matches(t->k, &m->signals[i]), m->signals[i].name, m->signals[i].file, m->signals[i].line);
		break;
	case ASK_SERVICE:
		for (size_t i = 0; i < m->n_services; i++)
			if (!strcasecmp(m->services[i].name, t->k->q->service))
				tell_rules(t, &m->services[i].rules, request_matches);
		break;
	case ASK_DNS_REDIRECT:
		tell_redirects(t, m->dns, m->n_dns);
		break;
	case ASK_CONNECT_REDIRECT:
		tell_redirects(t, m->connect, m->n_connect);
		break;
	default:
		break;
	}
}

/* Made before any rule is looked at. */
static bool before_rules(const char *rule)
{
	return rule && (!strncmp(rule, "http-", 5) || !strncmp(rule, "shellc-", 7));
}

/* The first line of what the parser said. */
static int read_again(const struct pol_source *src, struct model *m, struct err *err)
{
	struct buf diag = BUF_INIT(1u << 20);
	struct diag d = { .file = src->file, .out = &diag };
	int r = parse_source(src, &d, true, m);

	if (r < 0)
		err_set(err, r, "%.*s", diag.len ? (int)strcspn((const char *)diag.data, "\n") : 0,
			diag.len ? (const char *)diag.data : "");
	buf_fini(&diag);
	return r;
}

int policy_why(const struct pol_source *src, const struct question *q, const struct answer *a, pol_reason_fn fn, void *arg,
	       struct err *err)
{
	struct model m = { 0 };
	struct asked k = { .m = &m, .q = q, .a = a, .workspace = src->workspace };
	struct telling t = { &k, fn, arg };
	int r = 0;

	if (a->v.rule_no == POL_NO_RULE && before_rules(a->rule))
		return 0;
	r = read_again(src, &m, err);
	if (r == 0)
		tell_all(&t);
	model_fini(&m);
	return r;
}

struct listing { const struct model *m; pol_rule_fn fn; void *arg; };

static void list_one(const struct listing *l, const char *section, const char *rule, const char *decision, uint16_t file, uint32_t line)
{
	char where[4400];

	snprintf(where, sizeof(where), "%s:%u", file_of(l->m, file), line);
	l->fn(l->arg, section, rule, decision, where);
}

static void list_rules(const struct listing *l, const char *section, const struct rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		list_one(l, section, r->v[i].name, pol_decision_name(r->v[i].decision), r->v[i].file, r->v[i].line);
}

int policy_rules(const struct pol_source *src, pol_rule_fn fn, void *arg, struct err *err)
{
	struct model m = { 0 };
	struct listing l = { &m, fn, arg };
	int r = read_again(src, &m, err);

	if (r == 0) {
		list_rules(&l, "file", &m.files);
		list_rules(&l, "net", &m.nets);
		list_rules(&l, "exec", &m.execs);
		list_rules(&l, "unix", &m.unixes);
		for (size_t i = 0; i < m.n_signals; i++)
			list_one(&l, "signal", m.signals[i].name, pol_decision_name(m.signals[i].decision), m.signals[i].file,
				 m.signals[i].line);
		for (size_t i = 0; i < m.n_dns; i++)
			list_one(&l, "dns-redirect", m.dns[i].name, "redirect", m.dns[i].file, m.dns[i].line);
		for (size_t i = 0; i < m.n_connect; i++)
			list_one(&l, "connect-redirect", m.connect[i].name, "redirect", m.connect[i].file, m.connect[i].line);
		for (size_t i = 0; i < m.n_services; i++) {
			list_one(&l, "service", m.services[i].name, pol_decision_name(m.services[i].end), m.services[i].file,
				 m.services[i].line);
			list_rules(&l, "service", &m.services[i].rules);
		}
		for (size_t i = 0; i < m.n_budgets; i++)
			list_one(&l, "budget", m.budgets[i].name, pol_decision_name(m.budgets[i].b.decision), m.budgets[i].file,
				 m.budgets[i].line);
	}
	model_fini(&m);
	return r;
}
