/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: names, addresses, ports, requests. Names and ranges that can be looked up are; the rest are tried in their order. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/addr.h"
#include "policy/image.h"

/* A question, and what is worked out of it once. */
struct asked {
	const struct policy *p;
	const struct pol_net *q;
	const struct pol_http *http;     /* NULL: a name or a connection */
	const char *path;                /* without its query */
	const char *plain;               /* the path with %XX as bytes, or NULL when there are none */
	bool bad_path;
	uint32_t best;                   /* the smallest rule that matched so far, or NO_RULE */
};

static bool has_port(const struct policy *p, const struct img_net *u, uint16_t port)
{
	const uint16_t *v = p->ports + u->ports;
	uint32_t from = 0, to = u->n_ports;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (v[mid] == port)
			return true;
		if (v[mid] < port)
			from = mid + 1;
		else
			to = mid;
	}
	return false;
}

static bool in_range(const struct policy *p, const struct img_net *u, const struct pol_net *q)
{
	for (uint32_t i = 0; q->addr && i < u->n_ranges; i++)
		if (cidr_has(&p->cidrs[u->ranges + i], q->addr, q->addr_len))
			return true;
	return false;
}

/* Whether the rule may decide what is asked, whatever it says of names and addresses. */
static bool may_decide(const struct asked *a, const struct img_rule *r, const struct img_net *u)
{
	bool deny = r->decision == POL_DENY, http = r->flags & RULE_HTTP;

	/* Asking for a name is no connection to a port and no request: a refusal of some does not refuse the question. */
	if (a->q->dns && deny && (u->n_ports || http))
		return false;
	/* What cannot be looked at is not allowed; what will be is judged then. */
	if (!a->http && !a->q->dns && http && a->q->inspected == deny)
		return false;
	/* A raw address is allowed only by a rule that speaks of addresses. */
	if (!a->q->domain && !a->q->dns && !deny && !u->n_ranges)
		return false;
	return who_is(u->labels, a->q->who, r->decision);
}

static bool has_method(const struct policy *p, list_ref l, const char *method)
{
	uint32_t n;
	const uint32_t *v = list_at(p, l, &n);

	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(p->pool + v[i], "*") || !strcasecmp(p->pool + v[i], method))
			return true;
	return n == 0;
}

/* The path as sent and as a server may read it: both must be allowed, one is enough to be refused. */
static bool has_path(const struct asked *a, list_ref l, enum pol_decision d)
{
	bool sent, plain;

	if (!a->p->words[l])
		return true;
	if (a->bad_path)
		return true;
	sent = list_wild(a->p, l, a->path, '/');
	if (!a->plain)
		return sent;
	plain = list_wild(a->p, l, a->plain, '/');
	return d == POL_ALLOW || d == POL_AUDIT ? sent && plain : sent || plain;
}

static bool request_matches(const struct asked *a, const struct img_rule *r, const struct img_net *u)
{
	return !a->http || (has_method(a->p, u->methods, a->http->method) && has_path(a, u->paths, r->decision));
}

/* named, ranged: the index found the rule by its domain, by its range. */
static bool matches(const struct asked *a, uint32_t no, bool named, bool ranged)
{
	const struct img_net *u = &a->p->nets[no];
	const struct img_rule *r = &a->p->rules[SEC_NET][no];
	const struct pol_net *q = a->q;

	if (!may_decide(a, r, u) || (u->n_ports && !q->dns && !has_port(a->p, u, q->port)))
		return false;
	if ((u->flags & NET_NAMED) && !named &&
	    (!q->domain || (!(u->flags & NET_ANY) && !list_wild(a->p, u->globs, q->domain, '.'))))
		return false;
	if (u->n_ranges && !ranged && !in_range(a->p, u, q))
		return false;
	return request_matches(a, r, u);
}

static void by_word(struct asked *a, uint32_t hash, enum kind kind, const char *word, size_t n)
{
	const struct img_entry *e;
	uint32_t at = 0;

	while ((e = index_next(a->p, &a->p->net_index, hash, kind, word, n, &at)))
		if (e->rule < a->best && matches(a, e->rule, true, false))
			a->best = e->rule;
}

static void by_glob(void *arg, const struct img_entry *e)
{
	struct asked *a = arg;

	if (e->rule < a->best && matches(a, e->rule, false, false))
		a->best = e->rule;
}

/* From the end of the name: at each dot the hash of what follows is there. */
static void by_name(struct asked *a, const char *name)
{
	const char *dot = strchr(name, '.');
	bool deep = a->p->h->flags & IMG_DEEP;
	uint32_t h = HASH_START;
	size_t n = strlen(name);

	for (size_t i = n; i > 0; i--) {
		h = hash_byte(h, (uint8_t)name[i - 1]);
		if (name[i - 1] != '.')
			continue;
		if (deep)
			by_word(a, h, KIND_DEEP, name + i - 1, n - i + 1);
		if (name + i - 1 == dot)
			by_word(a, h, KIND_ONE, name + i - 1, n - i + 1);
	}
	by_word(a, h, KIND_NAME, name, n);
	index_ends(a->p, &a->p->net_index, ENDS_DOMAIN, name, n, by_glob, a);
}

static void by_address(struct asked *a, const uint8_t *addr, size_t len)
{
	const struct index *x = &a->p->net_index;
	const struct img_head *h = a->p->h;
	struct cidr c = { .len = (uint8_t)len };

	if (len != 4 && len != 16)
		return;
	memcpy(c.addr, addr, len);
	for (int bits = len == 4 ? 32 : 128; bits >= 0; bits--) {
		uint32_t hash, slot;

		if (!(len == 4 ? h->bits4 >> bits & 1 : h->bits6[bits / 64] >> bits % 64 & 1))
			continue;
		cidr_cut(&c, (uint8_t)bits);
		hash = hash_slot(cidr_hash(&c), KIND_CIDR);
		slot = hash >> 8 & x->mask;
		for (uint32_t i = x->heads[slot]; i < x->heads[slot + 1]; i++) {
			const struct img_entry *e = &x->v[i];

			if (e->hash == hash && e->kind == KIND_CIDR && e->rule < a->best && cidr_has(&a->p->cidrs[e->key], addr, len) &&
			    matches(a, e->rule, false, true))
				a->best = e->rule;
		}
	}
}

static struct pol_verdict decide(struct asked *a)
{
	const struct policy *p = a->p;
	const struct index *x = &p->net_index;
	struct pol_verdict v = { .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-network" };
	int service = a->q->domain && p->n[SEC_SERVICE] ? policy_service_of_host(p, a->q->domain) : -ENOENT;

	if (service >= 0 && !p->service[service].allow_direct) {
		v.rule = "http-service-direct";
		return v;
	}
	a->best = NO_RULE;
	if (a->q->domain)
		by_name(a, a->q->domain);
	if (a->q->addr && (p->h->bits4 | p->h->bits6[0] | p->h->bits6[1] | p->h->bits6[2]))
		by_address(a, a->q->addr, a->q->addr_len);
	for (uint32_t i = 0; i < x->n_rest && x->rest[i] < a->best; i++)
		if (matches(a, x->rest[i], false, false))
			a->best = x->rest[i];
	if (a->best == NO_RULE)
		return v;
	if (a->bad_path && p->words[p->nets[a->best].paths]) {
		v.rule = "http-bad-path";
		return v;
	}
	v = verdict_of(p, SEC_NET, a->best);
	v.dlp = str_at(p, p->nets[a->best].dlp);
	return v;
}

struct pol_verdict policy_net(const struct policy *p, const struct pol_net *q)
{
	struct asked a = { .p = p, .q = q };

	return decide(&a);
}

struct pol_verdict policy_net_through(const struct policy *p, const struct pol_net *q, uint8_t by[4])
{
	uint8_t inner[ADDR_EMBEDDED_MAX][4];
	size_t n = q->addr && q->addr_len == 16 ? addr16_embedded(q->addr, inner) : 0;
	struct pol_verdict v = policy_net(p, q);

	if (by)
		memset(by, 0, 4);
	for (size_t i = 0; i < n && (v.decision == POL_ALLOW || v.decision == POL_AUDIT); i++) {
		struct pol_net x = *q;
		struct pol_verdict w;

		x.addr = inner[i];
		x.addr_len = 4;
		w = policy_net(p, &x);
		if (w.decision == POL_ALLOW || w.decision == POL_AUDIT)
			continue;
		if (by)
			memcpy(by, inner[i], 4);
		v = w;
	}
	return v;
}

#define URL_PATH_MAX 8192

/* Whether a server could read the path as another one, or not at all. text: as a server may read it. */
static bool is_bad(const char *text, size_t n, bool cut)
{
	if (cut || n == 0 || text[0] != '/' || memchr(text, 0, n))
		return true;
	for (size_t at = 1, end; at <= n; at = end + 1) {
		const char *slash = memchr(text + at, '/', n - at);

		end = slash ? (size_t)(slash - text) : n;
		if ((end == at && slash) || (end - at == 1 && text[at] == '.') || (end - at == 2 && text[at] == '.' && text[at + 1] == '.'))
			return true;
	}
	return false;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

/* What a request's path is judged by. */
static void take_path(struct asked *a, const char *path)
{
	static char sent[URL_PATH_MAX + 1], plain[URL_PATH_MAX + 1]; /* one thread asks */
	size_t n = strcspn(path, "?"), at = 0;
	bool cut = n > URL_PATH_MAX;

	n = cut ? URL_PATH_MAX : n;
	memcpy(sent, path, n);
	sent[n] = 0;
	for (size_t i = 0; i < n; i++) {
		int high = sent[i] == '%' ? hex(sent[i + 1]) : -1, low = high >= 0 ? hex(sent[i + 2]) : -1;

		plain[at++] = (char)(low >= 0 ? high * 16 + low : sent[i]);
		i += low >= 0 ? 2 : 0;
	}
	plain[at] = 0;
	a->path = sent;
	a->plain = at == n ? NULL : plain;
	a->bad_path = is_bad(plain, at, cut);
}

struct pol_verdict policy_http(const struct policy *p, const struct pol_http *q)
{
	struct asked a = { .p = p, .q = &q->net, .http = q };

	take_path(&a, q->path);
	return decide(&a);
}

struct pol_verdict policy_service_request(const struct policy *p, size_t i, const char *method, const char *path)
{
	const struct img_service *s = &p->services[i];
	struct pol_http q = { .method = method, .path = path };
	struct asked a = { .p = p, .q = &q.net, .http = &q };

	take_path(&a, path);
	if (a.bad_path)
		return (struct pol_verdict){ .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "http-bad-path" };
	for (uint32_t no = s->first; no < s->first + s->n; no++)
		if (request_matches(&a, &p->rules[SEC_REQUEST][no], &p->requests[no]))
			return verdict_of(p, SEC_REQUEST, no);
	return (struct pol_verdict){ .decision = s->end == POL_ALLOW ? POL_ALLOW : POL_DENY, .rule_no = POL_NO_RULE,
				     .rule = s->end == POL_ALLOW ? "default-allow-service" : "default-deny-service" };
}
