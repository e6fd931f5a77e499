/* SPDX-License-Identifier: Apache-2.0 */
/* dns_redirects and connect_redirects. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/parse.h"

enum { DNS = 1, CONNECT = 2, BOTH = 3 };

static const char *const visibilities[] = { "audit_only", "silent", "warn", NULL };   /* as enum pol_visibility */
static const char *const failures[] = { "fail_closed", "fail_open", "retry_original", NULL };  /* as enum pol_on_failure */
static const char *const modes[] = { "passthrough", "rewrite_sni", NULL };

static void read_visibility(struct at *c, const struct key *k, const struct node *v)
{
	struct redirect_rule *r = c->to;
	size_t i;

	if (parse_word(c->p, k, v, &i))
		r->visibility = (enum pol_visibility)i;
}

static void read_failure(struct at *c, const struct key *k, const struct node *v)
{
	struct redirect_rule *r = c->to;
	size_t i;

	if (parse_word(c->p, k, v, &i))
		r->on_failure = (enum pol_on_failure)i;
}

static void read_address(struct at *c, const struct key *k, const struct node *v)
{
	struct redirect_rule *r = c->to;

	if (parse_is_text(c->p, v) && (strchr(v->text, '/') || cidr_parse(v->text, &r->resolve_to) < 0))
		diag_error(c->p->d, v, "%s \"%s\" is not an address, such as 192.0.2.1", k->name, v->text);
}

LEAKS_UNSEEN_BEGIN /* the host belongs to the model: model_fini */
/* HOST:PORT or [ADDRESS]:PORT. */
static void read_host_port(struct at *c, const struct key *k, const struct node *v)
{
	struct redirect_rule *r = c->to;
	struct cidr range;
	const char *colon;
	uint64_t port = 0;
	bool ok, v6;
	char *host;

	if (!parse_is_text(c->p, v))
		return;
	v6 = v->text[0] == '[';
	colon = strrchr(v->text, ':');
	ok = colon && str_to_u64(colon + 1, 65535, &port) == 0 && port && colon > v->text && (!v6 || colon[-1] == ']');
	host = ok ? strndup(v->text + v6, (size_t)(colon - v->text) - (v6 ? 2 : 0)) : NULL;
	if (ok && !host) {
		parse_no_memory(c->p, v);
		return;
	}
	for (char *s = host; s && *s; s++)
		*s = (char)tolower((unsigned char)*s);
	if (!ok || (v6 ? strchr(host, '/') || cidr_parse(host, &range) < 0 || range.len != 16 : !parse_host_ok(host))) {
		diag_error(c->p->d, v, "%s \"%s\" is not HOST:PORT or [ADDRESS]:PORT", k->name, v->text);
		free(host);
		return;
	}
	free(r->host);
	r->host = host;
	r->port = (uint16_t)port;
}
LEAKS_UNSEEN_END

static void read_socket(struct at *c, const struct key *k, const struct node *v)
{
	struct redirect_rule *r = c->to;

	if (!parse_is_text(c->p, v))
		return;
	free(r->unix_path);
	r->unix_path = parse_expand(c->p, v, false);
	if (r->unix_path && (r->unix_path[0] != '/' || strlen(r->unix_path) > 107))
		diag_error(c->p->d, v, "%s \"%s\" is not a socket's absolute path of at most 107 bytes", k->name, r->unix_path);
}

static void read_mode(struct at *c, const struct key *k, const struct node *v)
{
	size_t i, *out = c->to;

	if (parse_word(c->p, k, v, &i))
		*out = i;
}

struct tls { size_t mode; char *sni; };
static const struct key tls_keys[] = {
	{ "mode", 1, T_WORD, .flags = K_REQUIRED, .read = read_mode, .words = modes, .about = "passthrough (the default) or rewrite_sni." },
	{ "sni", 1, T_TEXT, .read = read_text, .offset = offsetof(struct tls, sni), .min = 1, .max = 253, .flags = K_LOWER,
	  .about = "rewrite_sni: the name that is sent." },
};
static const struct shape shape_tls = { "tls", 1, SHAPE(tls_keys) };

static void read_tls(struct at *c, const struct key *k, const struct node *v)
{
	struct redirect_rule *r = c->to;
	struct tls tls = { 0 };
	struct at sub = { c->p, &shape_tls, NULL, &tls };

	(void)k;
	if (parse_map(&sub, v)) {
		if ((tls.mode == 1) != (tls.sni != NULL))
			diag_error(c->p->d, v, "tls: sni and mode rewrite_sni go together");
		else if (tls.sni && !parse_host_ok(tls.sni))
			diag_error(c->p->d, v, "sni \"%s\" is not a host's name", tls.sni);
	}
	free(r->sni);
	r->sni = tls.sni;
}

#define AT(field) .offset = offsetof(struct redirect_rule, field)
static const struct key keys[] = {
	{ "name", BOTH, T_TEXT, 0, K_REQUIRED, read_text, AT(name), 1, RULE_NAME_MAX,
	  .about = "The redirect's name, as events and explain give it." },
	{ "description", BOTH, T_TEXT, .read = read_any, .about = "For readers of the policy." },
	{ "match", DNS, T_TEXT, 0, K_REQUIRED, read_match, AT(match), 1, 4096,
	  .about = "Regular expression, unanchored, on the host's name." },
	{ "match", CONNECT, T_TEXT, 0, K_REQUIRED, read_match, AT(match), 1, 4096,
	  .about = "Regular expression, unanchored, on host:port." },
	{ "resolve_to", DNS, T_TEXT, 0, K_REQUIRED, read_address, .about = "The address that is answered." },
	{ "redirect_to", CONNECT, T_TEXT, .read = read_host_port, .about = "host:port that is connected instead." },
	{ "redirect_to_unix", CONNECT, T_TEXT, .read = read_socket, .about = "Path of the unix socket that is connected instead." },
	{ "tls", CONNECT, T_MAP, .read = read_tls, .sub = &shape_tls, .about = "What happens to the name in a TLS hello." },
	{ "visibility", BOTH, T_WORD, .read = read_visibility, .words = visibilities,
	  .about = "How much is said of it; audit_only without it." },
	{ "message", BOTH, T_TEXT, 0, 0, read_text, AT(message), 0, 65536, .about = "What is said with visibility warn." },
	{ "on_failure", BOTH, T_WORD, .read = read_failure, .words = failures,
	  .about = "When the other place is not there; fail_closed without it." },
	{ "redirect_ip", DNS, .about = "unknown key \"redirect_ip\": write resolve_to" },
	{ "tls_mode", CONNECT, .about = "unknown key \"tls_mode\": write tls: {mode: passthrough}" },
	{ "rewrite_sni", CONNECT, .about = "unknown key \"rewrite_sni\": write tls: {mode: rewrite_sni, sni: NAME}" },
};
const struct shape shape_dns = { "DNS redirect", DNS, SHAPE(keys) }, shape_connect = { "connect redirect", CONNECT, SHAPE(keys) };

void read_redirect_rule(struct at *c, const struct key *k, const struct node *v)
{
	struct model *m = c->p->m;
	bool dns = k->sub == &shape_dns;
	struct redirect_rule *r = parse_grow(c->p, v, k->name, dns ? (void **)&m->dns : (void **)&m->connect, dns ? &m->n_dns :
		&m->n_connect, sizeof(*r));
	struct at sub = { c->p, k->sub, NULL, r };

	if (!r)
		return;
	r->file = c->p->file;
	r->line = v->line;
	r->column = v->column;
	if (!parse_map(&sub, v))
		return;
	if (!dns && !r->host == !r->unix_path)
		diag_error(c->p->d, v, "a connect redirect has either redirect_to or redirect_to_unix");
	parse_name_twice(c->p, dns ? 6 : 7, v, r->name);
}
