/* SPDX-License-Identifier: Apache-2.0 */
/* http_services. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/parse.h"

#define RAND_LEAST 24
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* One service while it is read. */
struct reading { struct service *s; const char *end; bool scrub_given; };

static struct service *service_of(const struct at *c)
{
	return ((struct reading *)c->to)->s;
}

static void read_in_service(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = *c;

	sub.to = service_of(c);
	(k->type == T_BOOL ? read_bool : read_text)(&sub, k, v);
	if (k->offset == offsetof(struct service, scrub_response))
		((struct reading *)c->to)->scrub_given = true;
}

static void read_name(struct at *c, const struct key *k, const struct node *v)
{
	const char *name;

	read_in_service(c, k, v);
	name = service_of(c)->name;
	if (name && (strspn(name, LETTERS "._-") != strlen(name) || name[0] == '.'))
		diag_error(c->p->d, v, "name \"%s\" is not [A-Za-z0-9._-]+ that begins with no dot", name);
}

LEAKS_UNSEEN_BEGIN /* what is stored belongs to the model: model_fini */
/* https://HOST[:PORT][/PATH]: the host in lower case, or NULL. */
static char *https_host(const char *url)
{
	char digits[8] = "", *copy;
	const char *host;
	uint64_t port;
	size_t n;

	if (strncasecmp(url, "https://", 8) != 0 || strpbrk(url, "?#@ \\"))
		return NULL;
	host = url + 8;
	n = strcspn(host, ":/");
	if (host[n] == ':') {
		size_t len = strcspn(host + n + 1, "/");

		if (len >= sizeof(digits))
			return NULL;
		memcpy(digits, host + n + 1, len);
		if (str_to_u64(digits, 65535, &port) < 0 || !port)
			return NULL;
	}
	copy = strndup(host, n);
	for (char *s = copy; s && *s; s++)
		*s = (char)tolower((unsigned char)*s);
	if (copy && !parse_host_ok(copy)) {
		free(copy);
		return NULL;
	}
	return copy;
}

static void read_upstream(struct at *c, const struct key *k, const struct node *v)
{
	struct service *s = service_of(c);

	read_in_service(c, k, v);
	if (!s->upstream)
		return;
	free(s->host);
	s->host = https_host(s->upstream);
	if (!s->host)
		diag_error(c->p->d, v, "upstream \"%s\" is not https://HOST[:PORT][/PATH]", s->upstream);
}

static void read_expose(struct at *c, const struct key *k, const struct node *v)
{
	static const char *const reserved[] = { "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "AGENTSH_SESSION_ID", NULL };
	const char *s;

	read_in_service(c, k, v);
	s = service_of(c)->expose_as;
	if (!s)
		return;
	if (strspn(s, LETTERS "_") != strlen(s) || isdigit((unsigned char)s[0]))
		diag_error(c->p->d, v, "expose_as \"%s\" is not a variable's name", s);
	for (size_t i = 0; reserved[i]; i++)
		if (!strcmp(s, reserved[i]) || (i == 2 && !strncmp(s, "AGENTSH_", 8))) {
			diag_error(c->p->d, v, "expose_as \"%s\" is reserved: choose another name", s);
			return;
		}
}

static void read_aliases(struct at *c, const struct key *k, const struct node *v)
{
	struct service *s = service_of(c);

	if (!parse_is_list(c->p, k, v))
		return;
	for (size_t i = 0; i < v->n; i++) {
		char *host;

		if (!parse_is_text(c->p, v->v[i]))
			continue;
		if (!parse_host_ok(v->v[i]->text)) {
			diag_error(c->p->d, v->v[i], "aliases: \"%s\" is not a host's name", v->v[i]->text);
			continue;
		}
		host = strdup(v->v[i]->text);
		for (char *b = host; b && *b; b++)
			*b = (char)tolower((unsigned char)*b);
		if (!parse_put(c->p, v->v[i], &s->aliases, host))
			return;
	}
}
LEAKS_UNSEEN_END

static const char *const ends[] = { "deny", "allow", NULL };

static void read_default(struct at *c, const struct key *k, const struct node *v)
{
	size_t i;

	if (parse_word(c->p, k, v, &i))
		((struct reading *)c->to)->end = ends[i];
}

static void read_rules(struct at *c, const struct key *k, const struct node *v)
{
	struct service *s = service_of(c);

	for (size_t i = 0; parse_is_list(c->p, k, v) && i < v->n; i++)
		parse_service_rule(c->p, v->v[i], &s->rules);
}

/* One "{rand:N}" and N large enough that nobody guesses it. */
static void read_format(struct at *c, const struct key *k, const struct node *v)
{
	const char *s, *digits, *close;
	uint64_t n = 0;
	char text[8] = "";

	read_in_service(c, k, v);
	s = service_of(c)->secret_format;
	if (!s)
		return;
	digits = strstr(s, "{rand:");
	close = digits ? strchr(digits, '}') : NULL;
	if (close && close - digits - 6 < (ptrdiff_t)sizeof(text))
		memcpy(text, digits + 6, (size_t)(close - digits - 6));
	if (!close || str_to_u64(text, 1024, &n) < 0 || n < RAND_LEAST || strstr(close, "{rand:"))
		diag_error(c->p->d, v, "format must have {rand:N} once, N from %d to 1024", RAND_LEAST);
	else if (strspn(s, LETTERS "_-.{}:") != strlen(s))
		diag_error(c->p->d, v, "format has characters other than letters, digits, _ - .");
}

static void read_ref(struct at *c, const struct key *k, const struct node *v)
{
	const char *s, *scheme;

	read_in_service(c, k, v);
	s = service_of(c)->secret_ref;
	scheme = s ? strstr(s, "://") : NULL;
	if (s && (!scheme || scheme == s || !scheme[3]))
		diag_error(c->p->d, v, "ref \"%s\" is not STORE://NAME, such as keyring://github", s);
}

static void read_header(struct at *c, const struct key *k, const struct node *v)
{
	const char *s;

	read_in_service(c, k, v);
	s = service_of(c)->inject_header;
	if (s && strspn(s, LETTERS "-_") != strlen(s))
		diag_error(c->p->d, v, "name \"%s\" is not a header's name", s);
}

static void read_template(struct at *c, const struct key *k, const struct node *v)
{
	const char *s;

	read_in_service(c, k, v);
	s = service_of(c)->inject_template;
	if (s && !strstr(s, "{{secret}}"))
		diag_error(c->p->d, v, "template has no {{secret}}");
	else if (s && strpbrk(s, "\r\n"))
		diag_error(c->p->d, v, "template must be one line");
}

static void read_sub(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = { c->p, k->sub, NULL, c->to };

	parse_map(&sub, v);
}

#define AT(field) .offset = offsetof(struct service, field)
static const struct key secret_keys[] = {
	{ "ref", 1, T_TEXT, 0, K_REQUIRED, read_ref, AT(secret_ref), 1, 1024, .about = "Where the secret is: STORE://NAME." },
	{ "format", 1, T_TEXT, 0, K_REQUIRED, read_format, AT(secret_format), 1, 1024,
	  .about = "What the program is given instead of it, with {rand:N}, N at least 24." },
};
static const struct shape shape_secret = { "secret", 1, SHAPE(secret_keys) };
static const struct key header_keys[] = {
	{ "name", 1, T_TEXT, 0, K_REQUIRED, read_header, AT(inject_header), 1, 128, .about = "The header that is set." },
	{ "template", 1, T_TEXT, 0, K_REQUIRED, read_template, AT(inject_template), 1, 1024, .about = "Its value, with {{secret}}." },
};
static const struct shape shape_header = { "header", 1, SHAPE(header_keys) };
static const struct key inject_keys[] = {
	{ "header", 1, T_MAP, 0, K_REQUIRED, read_sub, .sub = &shape_header, .about = "The header that carries the secret." },
};
static const struct shape shape_inject = { "inject", 1, SHAPE(inject_keys) };
static const struct key keys[] = {
	{ "name", 1, T_TEXT, 0, K_REQUIRED, read_name, AT(name), 1, 63, .about = "The name below /svc/; unique in any case." },
	{ "description", 1, T_TEXT, .read = read_any, .about = "For readers of the policy." },
	{ "upstream", 1, T_TEXT, 0, K_REQUIRED, read_upstream, AT(upstream), 1, 2048, .about = "Where requests go: an https URL." },
	{ "expose_as", 1, T_TEXT, 0, 0, read_expose, AT(expose_as), 1, 128,
	  .about = "The variable with the local URL; NAME_API_URL without it." },
	{ "aliases", 1, T_TEXTS, .read = read_aliases, .about = "Other hosts of the service, which nothing reaches directly." },
	{ "allow_direct", 1, T_BOOL, 0, 0, read_in_service, AT(allow_direct), .about = "The hosts may also be reached past the service." },
	{ "default", 1, T_WORD, 0, K_LOWER, read_default, .words = ends,
	  .about = "Where no rule matches; deny, but allow with a secret and no rules." },
	{ "rules", 1, T_LIST, .read = read_rules, .sub = &shape_service_rule, .about = "First match decides." },
	{ "secret", 1, T_MAP, .read = read_sub, .sub = &shape_secret, .about = "A credential that the program never sees." },
	{ "inject", 1, T_MAP, .read = read_sub, .sub = &shape_inject, .about = "How the credential goes into the request." },
	{ "scrub_response", 1, T_BOOL, 0, 0, read_in_service, AT(scrub_response),
	  .about = "The secret is taken out of answers; true with a secret." },
};
const struct shape shape_service = { "service", 1, SHAPE(keys) };

/* NAME_API_URL, with _ for what a variable's name cannot hold. */
static char *exposed(const char *name)
{
	char *s = NULL;

	if (asprintf(&s, "%s%s_API_URL", isdigit((unsigned char)name[0]) ? "_" : "", name) < 0)
		return NULL;
	for (char *b = s; *b; b++)
		*b = isalnum((unsigned char)*b) ? (char)toupper((unsigned char)*b) : '_';
	return s;
}

void read_service(struct at *c, const struct key *k, const struct node *v)
{
	struct model *m = c->p->m;
	struct service *s = parse_grow(c->p, v, k->name, (void **)&m->services, &m->n_services, sizeof(*s));
	struct reading reading = { .s = s };
	struct at sub = { c->p, k->sub, NULL, &reading };

	if (!s)
		return;
	s->file = c->p->file;
	s->line = v->line;
	s->column = v->column;
	if (!parse_map(&sub, v))
		return;
	if (s->inject_header && !s->secret_ref)
		diag_error(c->p->d, v, "inject needs secret");
	s->end = reading.end ? (reading.end == ends[1] ? POL_ALLOW : POL_DENY) : s->secret_ref && !s->rules.n ? POL_ALLOW : POL_DENY;
	if (!reading.scrub_given)
		s->scrub_response = s->secret_ref != NULL;
	if (!s->expose_as)
		s->expose_as = exposed(s->name);
	if (!s->expose_as)
		parse_no_memory(c->p, v);
}

static const char *host_of(const struct service *s, size_t i)
{
	return i ? s->aliases.v[i - 1] : s->host;
}

/* The service that has host i of service at too, in what stands before it; NULL: none. */
static const struct service *host_before(const struct model *m, size_t at, size_t i)
{
	for (size_t k = 0; k <= at; k++)
		for (size_t h = 0; h < (k == at ? i : m->services[k].aliases.n + 1); h++)
			if (!strcmp(host_of(&m->services[k], h), host_of(&m->services[at], i)))
				return &m->services[k];
	return NULL;
}

static void check_service(struct parse *p, size_t at, struct seen tables[3])
{
	const struct service *a = &p->m->services[at];
	char name[64];
	bool twice;

	snprintf(name, sizeof(name), "%s", a->name);
	for (char *s = name; *s; s++)
		*s = (char)tolower((unsigned char)*s);
	/* What a table has is looked for: only then does it cost something. */
	twice = parse_seen(&tables[0], name);
	twice |= parse_seen(&tables[1], a->expose_as);
	for (size_t k = 0; twice && k < at && !p->d->errors; k++) {
		const struct service *b = &p->m->services[k];

		if (!strcasecmp(a->name, b->name))
			diag_error(p->d, a, "another service is named \"%s\"", b->name);
		else if (!strcmp(a->expose_as, b->expose_as))
			diag_error(p->d, a, "service \"%s\" has the variable %s too", b->name, b->expose_as);
	}
	for (size_t i = 0; i <= a->aliases.n && !p->d->errors; i++) {
		const struct service *b = parse_seen(&tables[2], host_of(a, i)) ? host_before(p->m, at, i) : NULL;

		if (b)
			diag_error(p->d, a, "host \"%s\" is of service \"%s\" already", host_of(a, i), b->name);
	}
}

void parse_services_end(struct parse *p)
{
	struct seen tables[3] = { 0 };

	for (size_t i = 0; i < p->m->n_services && !p->d->errors; i++) {
		p->d->file = p->m->sources.v[p->m->services[i].file];
		check_service(p, i, tables);
	}
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		free(tables[i].v);
}
