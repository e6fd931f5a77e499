/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, redirects, services: questions made of both policies' names, ports, address ranges and paths. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/diff.h"

#define PORTS_MAX 256
#define ADDRS_MAX 4096
#define UNUSED_PORT 47111      /* one that hardly a rule names */

struct addr { uint8_t b[16]; size_t len; };
struct subjects {
	struct differ *d;
	struct pool hosts, methods, paths;
	uint16_t ports[PORTS_MAX];
	size_t n_ports, n_addrs;
	struct addr *addrs;
};

static void add_port(struct subjects *s, uint16_t port)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i] == port)
			return;
	if (s->n_ports < PORTS_MAX)
		s->ports[s->n_ports++] = port;
	else
		s->d->cut = true;
}

static void add_addr(struct subjects *s, const struct addr *a)
{
	for (size_t i = 0; i < s->n_addrs; i++)
		if (s->addrs[i].len == a->len && !memcmp(s->addrs[i].b, a->b, a->len))
			return;
	if (s->addrs && s->n_addrs < ADDRS_MAX)
		s->addrs[s->n_addrs++] = *a;
	else
		s->d->cut = true;
}

/* The next address upward or downward; false at the end of all. */
static bool move(struct addr *a, int by)
{
	for (size_t i = a->len; i-- > 0;) {
		a->b[i] = (uint8_t)(a->b[i] + by);
		if (a->b[i] != (by > 0 ? 0 : 255))
			return true;
	}
	return false;
}

/* The range's first and last address and their neighbours. */
static void add_range(struct subjects *s, const struct cidr *c)
{
	struct addr first = { .len = c->len }, last, next;

	memcpy(first.b, c->addr, c->len);
	last = first;
	for (size_t i = 0; i < (size_t)c->len * 8; i++) {
		uint8_t bit = (uint8_t)(0x80 >> (i & 7));

		if (i < c->bits)
			continue;
		first.b[i >> 3] &= (uint8_t)~bit;
		last.b[i >> 3] |= bit;
	}
	add_addr(s, &first);
	add_addr(s, &last);
	next = first;
	if (move(&next, -1))
		add_addr(s, &next);
	next = last;
	if (move(&next, 1))
		add_addr(s, &next);
}

static void lower(struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		for (char *c = p->v[i]; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
}

static void collect_rule(struct subjects *s, const struct rule *u)
{
	for (size_t i = 0; i < u->domains.n; i++) {
		const char *g = u->domains.v[i];

		example_glob(strcmp(g, "*") != 0 ? g : "any.example", '.', &s->hosts);
		if (!strncmp(g, "*.", 2))
			example_glob(g + 2, '.', &s->hosts);
	}
	for (size_t i = 0; i < u->n_ports; i++)
		add_port(s, u->ports[i]);
	for (size_t i = 0; i < u->cidrs.n; i++) {
		struct cidr c;

		if (cidr_parse(u->cidrs.v[i], &c) == 0)
			add_range(s, &c);
	}
	for (size_t i = 0; u->more && i < u->more->methods.n; i++)
		pool_add(&s->methods, strcmp(u->more->methods.v[i], "*") != 0 ? u->more->methods.v[i] : "GET");
	for (size_t i = 0; u->more && i < u->more->url_paths.n; i++)
		example_glob(u->more->url_paths.v[i], '/', &s->paths);
}

/* Only what reads as a host name: the rest of what a pattern matches is no question. */
static void keep_hosts(struct pool *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		size_t len = strlen(p->v[i]);

		if (len && len < 254 && strspn(p->v[i], "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len && p->v[i][0] != '.' &&
		    p->v[i][len - 1] != '.' && !strstr(p->v[i], "..") && strspn(p->v[i], "0123456789.") != len)
			p->v[n++] = p->v[i];
		else
			free(p->v[i]);
	}
	p->n = n;
}

static void collect(struct subjects *s)
{
	static const struct addr some[] = { { { 203, 0, 113, 9 }, 4 }, { { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, 16 } };

	add_port(s, 443);
	for (int k = 0; k < 2; k++) {
		const struct model *m = &s->d->m[k];

		for (size_t i = 0; i < m->nets.n; i++)
			collect_rule(s, &m->nets.v[i]);
		for (size_t i = 0; i < m->n_dns; i++)
			example_regex(m->dns[i].match, &s->hosts);
		for (size_t i = 0; i < m->n_services; i++) {
			pool_add(&s->hosts, m->services[i].host);
			for (size_t a = 0; a < m->services[i].aliases.n; a++)
				pool_add(&s->hosts, m->services[i].aliases.v[a]);
			for (size_t r = 0; r < m->services[i].rules.n; r++)
				collect_rule(s, &m->services[i].rules.v[r]);
		}
	}
	add_port(s, 80);
	add_port(s, 22);
	add_port(s, UNUSED_PORT);
	add_addr(s, &some[0]);
	add_addr(s, &some[1]);
	pool_add(&s->hosts, "any.example");
	pool_add(&s->methods, "GET");
	pool_add(&s->methods, "POST");
	pool_add(&s->paths, "/");
	pool_add(&s->paths, "/x");
	lower(&s->hosts);
	keep_hosts(&s->hosts);
	pool_done(&s->hosts);
	pool_done(&s->methods);
	pool_done(&s->paths);
	s->d->cut = s->d->cut || s->hosts.full || s->paths.full;
}

static void addr_text(const struct addr *a, char out[64])
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(a->len == 4 ? AF_INET : AF_INET6, a->b, text, sizeof(text));
	snprintf(out, 64, a->len == 4 ? "%s" : "[%s]", text);
}

static void ask_net(struct differ *d, const char *host, const struct addr *a, uint16_t port)
{
	for (size_t k = 0; k < d->n_askers && diff_time(d); k++) {
		struct pol_net q = { .domain = host, .addr = a ? a->b : NULL, .addr_len = a ? a->len : 0, .port = port, .dns = !port,
				     .inspected = true };
		struct pol_verdict v[2];
		char text[64] = "", word[512];

		for (int i = 0; i < 2; i++) {
			q.who = d->askers[k].who[i];
			v[i] = policy_net(d->p[i], &q);
			if (!port) { /* a name is no connection to look into */
				v[i].tls = POL_TLS_DEFAULT;
				v[i].dlp = NULL;
			}
		}
		if (!diff_differs(d, &v[0], &v[1]))
			continue;
		if (a)
			addr_text(a, text);
		if (port)
			snprintf(word, sizeof(word), "%s%s%s:%u", host ? host : "", host && a ? "@" : "", text, port);
		else
			snprintf(word, sizeof(word), "%s", host);
		diff_begin(d, &d->askers[k], port ? "net" : "dns");
		diff_word(d, word);
		diff_note_verdicts(d, port ? "net" : "dns", &v[0], &v[1], -1);
	}
}

static void ask_http(struct subjects *s, const char *host, uint16_t port)
{
	struct differ *d = s->d;

	for (size_t m = 0; m < s->methods.n; m++)
		for (size_t p = 0; p < s->paths.n; p++)
			for (size_t k = 0; k < d->n_askers && diff_time(d); k++) {
				struct pol_http q = { .net = { .domain = host, .port = port, .inspected = true },
						      .method = s->methods.v[m], .path = s->paths.v[p] };
				struct pol_verdict v[2];
				char url[2048];

				for (int i = 0; i < 2; i++) {
					q.net.who = d->askers[k].who[i];
					v[i] = policy_http(d->p[i], &q);
					v[i].tls = POL_TLS_DEFAULT; /* it was looked into */
				}
				if (!diff_differs(d, &v[0], &v[1]))
					continue;
				snprintf(url, sizeof(url), "https://%s%s", host, q.path);
				if (port != 443)
					snprintf(url, sizeof(url), "https://%s:%u%s", host, port, q.path);
				diff_begin(d, &d->askers[k], "http");
				diff_word(d, q.method);
				diff_word(d, url);
				diff_note_verdicts(d, "http", &v[0], &v[1], -1);
			}
}

static bool has_http(const struct model *m)
{
	for (size_t i = 0; i < m->nets.n; i++)
		if (m->nets.v[i].more && (m->nets.v[i].more->methods.n || m->nets.v[i].more->url_paths.n))
			return true;
	return false;
}

/* What is simple comes first: where time is short, the combinations are what is missed. */
void diff_nets(struct differ *d)
{
	struct subjects s = { .d = d, .addrs = calloc(ADDRS_MAX, sizeof(struct addr)) };

	if (!s.addrs) {
		d->failed = true;
		return;
	}
	collect(&s);
	for (size_t h = 0; h < s.hosts.n; h++) {
		ask_net(d, s.hosts.v[h], NULL, s.ports[0]);
		ask_net(d, s.hosts.v[h], NULL, 0);
	}
	for (size_t a = 0; a < s.n_addrs; a++)
		for (size_t p = 0; p < s.n_ports; p++)
			ask_net(d, NULL, &s.addrs[a], s.ports[p]);
	for (size_t p = 1; p < s.n_ports; p++)
		for (size_t h = 0; h < s.hosts.n; h++)
			ask_net(d, s.hosts.v[h], NULL, s.ports[p]);
	for (size_t h = 0; h < s.hosts.n && (has_http(&d->m[0]) || has_http(&d->m[1])); h++)
		for (size_t p = 0; p < s.n_ports; p++)
			ask_http(&s, s.hosts.v[h], s.ports[p]);
	for (size_t a = 0; a < s.n_addrs; a++)
		for (size_t h = 0; h < s.hosts.n; h++)
			for (size_t p = 0; p < s.n_ports && !d->cut; p++)
				ask_net(d, s.hosts.v[h], &s.addrs[a], s.ports[p]);
	free(s.addrs);
	pool_fini(&s.hosts);
	pool_fini(&s.methods);
	pool_fini(&s.paths);
}

static void redirect_text(const struct pol_redirect *r, bool found, char out[600])
{
	static const char *const see[] = { "audit_only", "silent", "warn" };
	static const char *const fail[] = { "fail_closed", "fail_open", "retry_original" };
	struct addr a = { .len = r->addr_len };
	char to[64] = "";

	out[0] = 0;
	if (!found)
		return;
	if (a.len == 4 || a.len == 16) {
		memcpy(a.b, r->addr, a.len);
		addr_text(&a, to);
	}
	snprintf(out, 600, "to %s%.200s%s%.200s%s%.100s, %s, %s", to, r->host ? r->host : "", r->unix_path ? "unix:" : "",
		 r->unix_path ? r->unix_path : "", r->sni ? ", sni " : "", r->sni ? r->sni : "", see[r->visibility % 3],
		 fail[r->on_failure % 3]);
	if (r->host && r->port)
		snprintf(out + strlen(out), 600 - strlen(out), ", port %u", r->port);
}

static void ask_redirect(struct differ *d, const char *host, uint16_t port)
{
	struct pol_redirect r[2] = { 0 };
	char more[2][600], word[300];
	bool found[2], differ;

	for (int i = 0; i < 2; i++) {
		found[i] = port ? policy_connect_redirect(d->p[i], host, port, &r[i]) : policy_dns_redirect(d->p[i], host, &r[i]);
		redirect_text(&r[i], found[i], more[i]);
	}
	differ = found[0] != found[1] || strcmp(more[0], more[1]) != 0;
	if (!differ && !(d->by_name && found[0] && strcmp(r[0].rule, r[1].rule) != 0))
		return;
	snprintf(word, sizeof(word), port ? "%s:%u" : "%s", host, port);
	diff_begin(d, NULL, port ? "connect-redirect" : "dns-redirect");
	diff_word(d, word);
	{
		const struct side s[2] = { { found[0] ? "redirect" : "none", found[0] ? r[0].rule : "", more[0] },
					   { found[1] ? "redirect" : "none", found[1] ? r[1].rule : "", more[1] } };

		diff_note(d, port ? "connect-redirect" : "dns-redirect", s, -1);
	}
}

void diff_redirects(struct differ *d)
{
	struct subjects s = { .d = d, .addrs = calloc(ADDRS_MAX, sizeof(struct addr)) };
	struct pool both = { 0 };

	if (!s.addrs) {
		d->failed = true;
		return;
	}
	if (d->m[0].n_dns + d->m[1].n_dns + d->m[0].n_connect + d->m[1].n_connect)
		collect(&s);
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < d->m[k].n_connect; i++)
			example_regex(d->m[k].connect[i].match, &both);
	pool_done(&both);
	for (size_t i = 0; i < both.n; i++) { /* "host:port", or one of them */
		char *colon = strrchr(both.v[i], ':');
		uint64_t port;

		if (colon && str_to_u64(colon + 1, 65535, &port) == 0 && port)
			add_port(&s, (uint16_t)port);
		if (colon)
			*colon = 0;
		pool_add(&s.hosts, both.v[i]);
	}
	lower(&s.hosts);
	keep_hosts(&s.hosts);
	pool_done(&s.hosts);
	for (size_t h = 0; h < s.hosts.n && diff_time(d); h++)
		ask_redirect(d, s.hosts.v[h], 0);
	for (size_t h = 0; h < s.hosts.n; h++)
		for (size_t p = 0; p < s.n_ports && diff_time(d); p++)
			ask_redirect(d, s.hosts.v[h], s.ports[p]);
	pool_fini(&both);
	pool_fini(&s.hosts);
	pool_fini(&s.methods);
	pool_fini(&s.paths);
	free(s.addrs);
}

static int service_of(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < policy_services(p); i++)
		if (!strcmp(policy_service(p, i)->name, name))
			return (int)i;
	return -1;
}

/* Services that both policies have: what their rules say. That one is missing is a setting. */
void diff_services(struct differ *d)
{
	struct subjects s = { .d = d };

	pool_add(&s.methods, "GET");
	pool_add(&s.methods, "POST");
	pool_add(&s.paths, "/x");
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < d->m[k].n_services; i++)
			for (size_t r = 0; r < d->m[k].services[i].rules.n; r++)
				collect_rule(&s, &d->m[k].services[i].rules.v[r]);
	pool_done(&s.methods);
	pool_done(&s.paths);
	for (size_t i = 0; i < d->m[0].n_services; i++) {
		const char *name = d->m[0].services[i].name;
		int a = service_of(d->p[0], name), b = service_of(d->p[1], name);

		for (size_t m = 0; m < s.methods.n && a >= 0 && b >= 0; m++)
			for (size_t p = 0; p < s.paths.n && diff_time(d); p++) {
				struct pol_verdict x = policy_service_request(d->p[0], (size_t)a, s.methods.v[m], s.paths.v[p]);
				struct pol_verdict y = policy_service_request(d->p[1], (size_t)b, s.methods.v[m], s.paths.v[p]);

				if (!diff_differs(d, &x, &y))
					continue;
				diff_begin(d, NULL, "service");
				diff_word(d, name);
				diff_word(d, s.methods.v[m]);
				diff_word(d, s.paths.v[p]);
				diff_note_verdicts(d, "service", &x, &y, -1);
			}
	}
	pool_fini(&s.methods);
	pool_fini(&s.paths);
}
