/* SPDX-License-Identifier: Apache-2.0 */
/* A mapped policy, checked once: behind this file every reference in it leads to something inside it. */
#include "policy/image.h"

#include <errno.h>
#include <string.h>

static const uint32_t sizes[R__COUNT] = {
	[SEC_FILE] = sizeof(struct img_rule), [SEC_NET] = sizeof(struct img_rule), [SEC_EXEC] = sizeof(struct img_rule),
	[SEC_UNIX] = sizeof(struct img_rule), [SEC_SIGNAL] = sizeof(struct img_rule), [SEC_DNS] = sizeof(struct img_rule),
	[SEC_CONNECT] = sizeof(struct img_rule), [SEC_SERVICE] = sizeof(struct img_rule), [SEC_BUDGET] = sizeof(struct img_rule),
	[SEC_REQUEST] = sizeof(struct img_rule), [R_NETS] = sizeof(struct img_net), [R_REQUESTS] = sizeof(struct img_net),
	[R_EXECS] = sizeof(struct img_exec), [R_UNIXES] = sizeof(struct img_unix), [R_SIGNALS] = sizeof(struct img_signal),
	[R_TURNS] = sizeof(struct img_turn), [R_SERVICES] = sizeof(struct img_service), [R_BUDGETS] = sizeof(struct img_budget),
	[R_PARTS] = sizeof(struct img_part), [R_ENVS] = sizeof(struct img_env), [R_CIDRS] = sizeof(struct cidr), [R_WORDS] = 4, [R_PORTS]
		= 2,
	[R_POOL] = 1, [R_REGEX] = 1, [R_NET_HEADS] = 4, [R_NET_ENTRIES] = sizeof(struct img_entry), [R_NET_REST] = 4, [R_EXEC_HEADS] = 4,
	[R_EXEC_ENTRIES] = sizeof(struct img_entry), [R_EXEC_REST] = 4,
};

struct check { struct policy *p; uint32_t n[R__COUNT]; uint64_t work, patterns; bool bad; };

static void must(struct check *c, bool ok) { c->bad |= !ok; }
static void str_ok(struct check *c, str_ref s) { must(c, s < c->n[R_POOL]); }
static void name_ok(struct check *c, str_ref s) { must(c, s && s < c->n[R_POOL]); }

static void span_ok(struct check *c, enum region r, uint32_t at, uint32_t n)
{
	must(c, at <= c->n[r] && n <= c->n[r] - at);
}

/* Lists are shared by nobody: all of them together are no longer than their region. So a wrong one cannot make this slow. */
static void list_ok(struct check *c, list_ref l)
{
	uint32_t n;

	if (!l || c->bad)
		return;
	must(c, l < c->n[R_WORDS]);
	n = c->bad ? 0 : c->p->words[l];
	must(c, n < c->n[R_WORDS] - l && (c->work += n + 1) <= c->n[R_WORDS]);
	for (uint32_t i = 0; i < n && !c->bad; i++)
		name_ok(c, c->p->words[l + 1 + i]);
}

static void regions(struct check *c, const uint8_t *base)
{
	struct policy *p = c->p;
	const void *at[R__COUNT];

	for (size_t i = 0; i < R__COUNT; i++) {
		uint64_t from = p->h->r[i].at, len = (uint64_t)p->h->r[i].n * sizes[i];

		must(c, from % 8 == 0 && from >= sizeof(struct img_head) && from <= p->h->size && len <= p->h->size - from);
		at[i] = base + from;
		c->n[i] = p->h->r[i].n;
		if (i < SEC__COUNT) {
			p->rules[i] = at[i];
			p->n[i] = c->n[i];
		}
	}
	p->nets = at[R_NETS];
	p->requests = at[R_REQUESTS];
	p->execs = at[R_EXECS];
	p->unixes = at[R_UNIXES];
	p->signals = at[R_SIGNALS];
	p->turns = at[R_TURNS];
	p->services = at[R_SERVICES];
	p->budgets = at[R_BUDGETS];
	p->envs = at[R_ENVS];
	p->cidrs = at[R_CIDRS];
	p->words = at[R_WORDS];
	p->ports = at[R_PORTS];
	p->pool = at[R_POOL];
	p->regex = at[R_REGEX];
	p->net_index = (struct index){ at[R_NET_HEADS], at[R_NET_REST], at[R_NET_ENTRIES], c->n[R_NET_HEADS] - 2, c->n[R_NET_REST] };
	p->exec_index = (struct index){ at[R_EXEC_HEADS], at[R_EXEC_REST], at[R_EXEC_ENTRIES], c->n[R_EXEC_HEADS] - 2, c->n[R_EXEC_REST] };
	must(c, c->n[SEC_NET] == c->n[R_NETS] && c->n[SEC_EXEC] == c->n[R_EXECS] && c->n[SEC_UNIX] == c->n[R_UNIXES] &&
			c->n[SEC_SIGNAL] == c->n[R_SIGNALS] && (uint64_t)c->n[SEC_DNS] + c->n[SEC_CONNECT] == c->n[R_TURNS] &&
			c->n[SEC_SERVICE] == c->n[R_SERVICES] && c->n[SEC_BUDGET] == c->n[R_BUDGETS] &&
			c->n[SEC_REQUEST] == c->n[R_REQUESTS]);
}

static void rules_ok(struct check *c)
{
	for (size_t s = 0; s < SEC__COUNT && !c->bad; s++)
		for (uint32_t i = 0; i < c->n[s]; i++) {
			const struct img_rule *u = &c->p->rules[s][i];

			name_ok(c, u->name);
			str_ok(c, u->message);
			str_ok(c, u->redirect_to);
			must(c, u->part <= c->n[R_PARTS] && u->env <= c->n[R_ENVS] && u->decision < POL__COUNT &&
					u->flags >> RULE_TLS_SHIFT <= POL_TLS_PASSTHROUGH);
		}
}

static void nets_ok(struct check *c, const struct img_net *v, uint32_t n)
{
	for (uint32_t i = 0; i < n && !c->bad; i++) {
		list_ok(c, v[i].globs);
		list_ok(c, v[i].methods);
		list_ok(c, v[i].paths);
		str_ok(c, v[i].dlp);
		span_ok(c, R_CIDRS, v[i].ranges, v[i].n_ranges);
		span_ok(c, R_PORTS, v[i].ports, v[i].n_ports);
	}
}

/* As lists: shared by nobody. */
static void pattern_ok(struct check *c, uint32_t at, uint32_t len)
{
	span_ok(c, R_REGEX, at, len);
	must(c, (c->patterns += len) <= c->n[R_REGEX]);
	if (len && !c->bad)
		must(c, regex_map(c->p->regex + at, len) == 0);
}

static void sections_ok(struct check *c)
{
	const struct policy *p = c->p;

	for (uint32_t i = 0; i < c->n[R_EXECS] && !c->bad; i++) {
		list_ok(c, p->execs[i].globs);
		list_ok(c, p->execs[i].sha256);
		pattern_ok(c, p->execs[i].regex, p->execs[i].regex_len);
	}
	for (uint32_t i = 0; i < c->n[R_UNIXES]; i++)
		list_ok(c, p->unixes[i].paths);
	for (uint32_t i = 0; i < c->n[R_SIGNALS]; i++) {
		str_ok(c, p->signals[i].pattern);
		must(c, p->signals[i].fallback < POL__COUNT && p->signals[i].redirect_to <= 64);
	}
	for (uint32_t i = 0; i < c->n[R_TURNS] && !c->bad; i++) {
		const struct img_turn *u = &p->turns[i];

		pattern_ok(c, u->regex, u->regex_len);
		str_ok(c, u->host);
		str_ok(c, u->unix_path);
		str_ok(c, u->sni);
		must(c, u->regex_len && u->addr_len <= 16 && u->port <= UINT16_MAX && u->visibility <= POL_SEE_WARN &&
				u->on_failure <= POL_FAIL_ORIGINAL);
	}
}

static void settings_ok(struct check *c)
{
	const struct policy *p = c->p;
	const struct img_part *parts = (const void *)((const uint8_t *)p->h + p->h->r[R_PARTS].at);

	for (uint32_t i = 0; i < c->n[R_SERVICES]; i++) {
		const struct img_service *u = &p->services[i];
		const str_ref strings[] = { u->expose_as, u->secret_ref, u->secret_format, u->inject_header, u->inject_template };

		name_ok(c, u->upstream);
		name_ok(c, u->host);
		for (size_t k = 0; k < ARRAY_LEN(strings); k++)
			str_ok(c, strings[k]);
		list_ok(c, u->aliases);
		span_ok(c, R_REQUESTS, u->first, u->n);
		must(c, u->end < POL__COUNT);
	}
	for (uint32_t i = 0; i < c->n[R_BUDGETS]; i++) {
		const struct img_budget *u = &p->budgets[i];

		list_ok(c, u->providers);
		list_ok(c, u->models);
		list_ok(c, u->keys);
		must(c, u->per <= POL_PER_TOTAL);
	}
	for (uint32_t i = 0; i < c->n[R_PARTS]; i++) {
		list_ok(c, parts[i].args);
		list_ok(c, parts[i].append);
		list_ok(c, parts[i].env);
	}
	for (uint32_t i = 0; i < c->n[R_ENVS]; i++) {
		list_ok(c, p->envs[i].allow);
		list_ok(c, p->envs[i].deny);
	}
	for (uint32_t i = 0; i < c->n[R_CIDRS]; i++)
		must(c, (p->cidrs[i].len == 4 && p->cidrs[i].bits <= 32) || (p->cidrs[i].len == 16 && p->cidrs[i].bits <= 128));
}

static void index_ok(struct check *c, const struct index *x, enum region heads, enum region entries, uint32_t rules)
{
	uint32_t slots = c->n[heads] - 1;

	must(c, c->n[heads] >= 2 && !(slots & (slots - 1)));
	for (uint32_t i = 0; i < slots && !c->bad; i++)
		must(c, x->heads[i] <= x->heads[i + 1] && x->heads[i + 1] <= c->n[entries]);
	for (uint32_t i = 0; i < c->n[entries] && !c->bad; i++) {
		const struct img_entry *e = &x->v[i];

		must(c, e->kind < KIND__COUNT && (e->rule < rules || e->kind == KIND_WRAPPER) &&
				(e->kind == KIND_CIDR ? e->key < c->n[R_CIDRS] : e->key && e->key < c->n[R_POOL]));
	}
	for (uint32_t i = 0; i < x->n_rest && !c->bad; i++)
		must(c, x->rest[i] < rules);
}

int image_map(struct policy *p, const void *data, size_t n)
{
	struct check c = { .p = p };
	const struct img_head *h = data;
	uint32_t format = MODEL_FORMAT;

	memcpy(&format, data, n < sizeof(format) ? 0 : sizeof(format));
	if (format != MODEL_FORMAT)
		return -EPROTO;
	if (n < sizeof(*h) || (uintptr_t)data % 8)
		return -EBADMSG;
	if (h->size != n || n < IMAGE_MIN || h->n_dfa == 0 || h->n_dfa > POL_DFA_MAX)
		return -EBADMSG;
	p->h = h;
	regions(&c, data);
	if (c.bad || c.n[R_POOL] == 0 || p->pool[c.n[R_POOL] - 1] || c.n[R_WORDS] == 0 || p->words[0])
		return -EBADMSG;
	name_ok(&c, h->name);
	name_ok(&c, h->workspace);
	list_ok(&c, h->sources);
	list_ok(&c, h->labels);
	list_ok(&c, h->inject);
	list_ok(&c, h->env.allow);
	list_ok(&c, h->env.deny);
	must(&c, p->words[c.bad ? 0 : h->labels] <= POL_LABELS_MAX);
	rules_ok(&c);
	nets_ok(&c, p->nets, c.n[R_NETS]);
	nets_ok(&c, p->requests, c.n[R_REQUESTS]);
	sections_ok(&c);
	settings_ok(&c);
	index_ok(&c, &p->net_index, R_NET_HEADS, R_NET_ENTRIES, c.n[R_NETS]);
	index_ok(&c, &p->exec_index, R_EXEC_HEADS, R_EXEC_ENTRIES, c.n[R_EXECS]);
	p->workspace = c.bad ? NULL : str_at(p, h->workspace);
	p->n_dfa = h->n_dfa;
	return c.bad ? -EBADMSG : 0;
}

struct pol_verdict verdict_of(const struct policy *p, enum section s, uint32_t no)
{
	const struct img_rule *u = &p->rules[s][no];
	struct pol_verdict v = { .decision = u->decision, .rule = p->pool + u->name, .rule_no = no, .message = str_at(p, u->message),
				 .timeout_ms = u->timeout_ms, .redirect_to = str_at(p, u->redirect_to),
				 .preserve_tree = u->flags & RULE_PRESERVE, .undo_keep = u->flags & RULE_UNDO,
				 .tls = (enum pol_tls)(u->flags >> RULE_TLS_SHIFT), .http = u->flags & RULE_HTTP };

	if (u->part) {
		const char *const *const *part = p->parts + 3 * (size_t)(u->part - 1);
		const struct img_part *lists = (const struct img_part *)(const void *)((const uint8_t *)p->h + p->h->r[R_PARTS].at) +
			(u->part - 1);

		v.redirect_args = part[0];
		v.n_redirect_args = p->words[lists->args];
		v.redirect_append = part[1];
		v.n_redirect_append = p->words[lists->append];
		v.redirect_env = part[2];
		v.n_redirect_env = p->words[lists->env];
	}
	return v;
}

bool list_wild(const struct policy *p, list_ref l, const char *text, char sep)
{
	uint32_t n;
	const uint32_t *v = list_at(p, l, &n);

	for (uint32_t i = 0; i < n; i++)
		if (wild_match(p->pool + v[i], text, sep))
			return true;
	return false;
}

uint32_t hash_word(const char *s, size_t n)
{
	uint32_t h = HASH_START;

	while (n)
		h = hash_byte(h, (uint8_t)s[--n]);
	return h;
}

/* From both sides at once: at each length that some glob has, the hash of so much of the text is there. */
void index_ends(const struct policy *p, const struct index *x, enum ends what, const char *text, size_t n, end_found found, void *arg)
{
	uint32_t h[2] = { HASH_START, HASH_START };

	for (size_t len = 1; len <= n && len <= END_MAX; len++) {
		const char *part[2] = { text, text + n - len };

		if (!((p->h->ends[what][0] | p->h->ends[what][1]) >> len))
			return;
		h[0] = hash_byte(h[0], (uint8_t)text[len - 1]);
		h[1] = hash_byte(h[1], (uint8_t)text[n - len]);
		for (int side = 0; side < 2; side++) {
			const struct img_entry *e;
			uint32_t at = 0;

			if (!(p->h->ends[what][side] >> len & 1))
				continue;
			while ((e = index_next(p, x, h[side], (enum kind)(KIND_ENDS + 2 * (int)what + side), part[side], len, &at)))
				found(arg, e);
		}
	}
}
