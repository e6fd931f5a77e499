/* SPDX-License-Identifier: Apache-2.0 */
/* A model to its mapped form. All is walked three times by the same code: to see what globs have in common, to count,
 * then to write where the counts say. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/image_make.h"

static const char *const wrappers[] = { "env", "nice", "nohup", "timeout", "xargs", "setsid", "stdbuf", "busybox", "sudo", "doas", "time",
	"command", "exec", "chroot", "ionice", "taskset", "watch" };

uint32_t make_put(struct make *k, enum region r, const void *v, size_t size, size_t n)
{
	struct made *m = &k->r[r];
	uint32_t at = m->n;

	if (n > GENERATION_MAX || m->n + n > GENERATION_MAX) {
		k->bad = true;
		return 0;
	}
	if (k->base && n)
		memcpy(k->base + m->at + (size_t)m->n * size, v, size * n);
	m->n += (uint32_t)n;
	m->size = (uint32_t)size;
	return at;
}

str_ref make_str(struct make *k, const char *s)
{
	return s ? make_put(k, R_POOL, s, 1, strlen(s) + 1) : 0;
}

/* Rules in a row often say the same: once is enough. */
static str_ref message(struct make *k, const char *s)
{
	if (s && k->message && !strcmp(s, k->message))
		return k->message_at;
	k->message = s;
	k->message_at = make_str(k, s);
	return k->message_at;
}

list_ref make_list(struct make *k, const struct strs *s)
{
	uint32_t n = (uint32_t)s->n, at;

	if (!n)
		return 0;
	at = make_put(k, R_WORDS, &n, sizeof(n), 1);
	for (size_t i = 0; i < s->n; i++) {
		str_ref ref = make_str(k, s->v[i]);

		make_put(k, R_WORDS, &ref, sizeof(ref), 1);
	}
	return at;
}

/* A list of a part of the strings; they must be put while the list is not. */
static list_ref some(struct make *k, const str_ref *v, uint32_t n)
{
	uint32_t at = n ? make_put(k, R_WORDS, &n, sizeof(n), 1) : 0;

	if (n)
		make_put(k, R_WORDS, v, sizeof(*v), n);
	return at;
}

static uint64_t mask_of(struct make *k, const struct strs *processes)
{
	uint64_t mask = labels_mask(&k->labels, processes);

	/* A rule whose processes got lost would hold for everybody. */
	k->bad |= processes->n && !mask;
	return mask;
}

static uint64_t rule_mask(struct make *k, const struct rule *u)
{
	return u->more ? mask_of(k, &u->more->processes) : 0;
}

static uint32_t part_of(struct make *k, const struct rule_more *m)
{
	struct img_part p;

	if (!m || (!m->redirect_args.n && !m->redirect_append.n && !m->redirect_env.n))
		return 0;
	p = (struct img_part){ make_list(k, &m->redirect_args), make_list(k, &m->redirect_append), make_list(k, &m->redirect_env) };
	return make_put(k, R_PARTS, &p, sizeof(p), 1) + 1;
}

static uint32_t env_of(struct make *k, const struct rule_more *m)
{
	struct img_env e = { 0 };

	if (!m || !(m->has_env_allow || m->has_env_deny || m->has_env_limits))
		return 0;
	e = (struct img_env){ .max_bytes = m->env_max_bytes, .max_keys = m->env_max_keys, .allow = make_list(k, &m->env_allow),
			      .deny = make_list(k, &m->env_deny),
			      .flags = (m->has_env_allow ? ENV_ALLOW : 0) | (m->has_env_deny ? ENV_DENY : 0) |
				       (m->has_env_limits ? ENV_LIMITS : 0) | (m->env_block_iteration ? ENV_BLOCK : 0) };
	return make_put(k, R_ENVS, &e, sizeof(e), 1) + 1;
}

static void put_rule(struct make *k, enum section s, const struct rule *u)
{
	const struct rule_more *m = u->more;
	struct img_rule o = { .name = make_str(k, u->name ? u->name : ""), .message = message(k, u->message), .redirect_to = make_str(k,
		u->redirect_to),
			      .line = u->line, .timeout_ms = (uint32_t)u->timeout_ms, .ops = u->ops, .part = part_of(k, m),
			      .env = env_of(k, m),
			      .decision = (uint8_t)u->decision, .file = u->file, .flags = u->preserve_tree ? RULE_PRESERVE : 0 };

	if (m)
		o.flags |= (uint8_t)((m->undo_keep ? RULE_UNDO : 0) | (m->methods.n || m->url_paths.n ? RULE_HTTP : 0) |
				     (uint8_t)m->tls << RULE_TLS_SHIFT);
	k->bad |= u->timeout_ms > UINT32_MAX;
	make_put(k, (enum region)s, &o, sizeof(o), 1);
}

static int by_number(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void put_net(struct make *k, enum region r, const struct rule *u, uint32_t no)
{
	static const struct rule_more none;
	const struct rule_more *m = u->more ? u->more : &none;
	struct img_net o = { .labels = rule_mask(k, u), .n_ranges = (uint32_t)u->cidrs.n, .n_ports = (uint32_t)u->n_ports,
			     .methods = make_list(k, &m->methods), .paths = make_list(k, &m->url_paths), .dlp = make_str(k, m->dlp),
			     .flags = u->domains.n ? NET_NAMED : 0 };
	str_ref globs[STRINGS_MAX];
	bool rest = false;
	uint32_t n = 0;

	for (size_t i = 0; i < u->domains.n; i++)
		if (!strcmp(u->domains.v[i], "*"))
			o.flags |= NET_ANY;
	/* A rule of which some entries were left out would be another rule. */
	k->bad |= u->domains.n > STRINGS_MAX;
	for (size_t i = 0; i < u->domains.n && i < STRINGS_MAX && !(o.flags & NET_ANY); i++)
		if (r == R_NETS && !make_index_domain(k, u->domains.v[i], no)) {
			globs[n++] = make_str(k, u->domains.v[i]);
			rest |= !make_index_glob(k, &k->net, ENDS_DOMAIN, u->domains.v[i], no);
		}
	o.globs = some(k, globs, n);
	for (size_t i = 0; i < u->cidrs.n; i++) {
		struct cidr c;
		uint32_t at;

		if (cidr_parse(u->cidrs.v[i], &c) < 0)
			k->bad = true;
		at = make_put(k, R_CIDRS, &c, sizeof(c), 1);
		o.ranges = i ? o.ranges : at;
		if (!u->domains.n && r == R_NETS)
			make_index_range(k, at, &c, no);
	}
	o.ports = make_put(k, R_PORTS, u->ports, sizeof(*u->ports), u->n_ports);
	if (k->base && u->n_ports > 1)
		qsort(k->base + k->r[R_PORTS].at + 2 * (size_t)o.ports, u->n_ports, 2, by_number);
	make_put(k, r, &o, sizeof(o), 1);
	if (r == R_NETS && (rest || (o.flags & NET_ANY) || (!u->domains.n && !u->cidrs.n)))
		make_index_rest(k, &k->net, no);
}

uint32_t make_regex(struct make *k, const uint8_t *bytes, size_t n)
{
	return make_put(k, R_REGEX, bytes, 1, n);
}

static void put_exec(struct make *k, const struct rule *u, uint32_t no)
{
	static const struct strs empty;
	struct img_exec o = { .labels = rule_mask(k, u), .regex_len = (uint32_t)u->regex_len, .min_depth = u->min_depth,
			      .max_depth = u->max_depth, .sha256 = make_list(k, u->more ? &u->more->sha256 : &empty),
			      .flags = u->commands.n ? 0 : EXEC_ANY };
	char text[WILD_MAX + 1];
	str_ref globs[STRINGS_MAX];
	bool rest = !u->commands.n;
	uint32_t n = 0;

	k->bad |= u->commands.n > STRINGS_MAX;
	for (size_t i = 0; i < u->commands.n && i < STRINGS_MAX; i++) {
		const char *s = u->commands.v[i];
		bool path = strchr(s, '/');

		if (make_literal(s, text)) {
			make_index_word(k, &k->exec, path ? KIND_PATH : KIND_BASE, text, no);
		} else {
			globs[n++] = make_str(k, s);
			rest |= !make_index_glob(k, &k->exec, path ? ENDS_PATH : ENDS_BASE, s, no);
		}
	}
	o.globs = some(k, globs, n);
	o.regex = make_regex(k, u->regex, u->regex_len);
	/* A pattern that was given and not compiled would be no condition. */
	k->bad |= u->args_patterns.n && !u->regex_len;
	make_put(k, R_EXECS, &o, sizeof(o), 1);
	if (rest)
		make_index_rest(k, &k->exec, no);
	if (u->decision == POL_DENY || u->decision == POL_APPROVE || u->decision == POL_REDIRECT)
		k->flags |= IMG_RESTRICTIVE;
}

static bool listed(const struct strs *s, const char *word)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcasecmp(s->v[i], word))
			return true;
	return false;
}

static void put_wrappers(struct make *k)
{
	const struct model *m = k->m;

	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
		if (!listed(&m->transparent_remove, wrappers[i]) && !listed(&m->transparent_add, wrappers[i]))
			make_index_word(k, &k->exec, KIND_WRAPPER, wrappers[i], 0);
	for (size_t i = 0; i < m->transparent_add.n; i++)
		if (strlen(m->transparent_add.v[i]) <= WILD_MAX)
			make_index_word(k, &k->exec, KIND_WRAPPER, m->transparent_add.v[i], 0);
		else
			k->bad = true;
}

void make_requests(struct make *k, const struct rules *r, uint32_t *ret_first)
{
	*ret_first = k->r[SEC_REQUEST].n;
	for (size_t i = 0; i < r->n; i++) {
		put_rule(k, SEC_REQUEST, &r->v[i]);
		put_net(k, R_REQUESTS, &r->v[i], 0);
	}
}

static void put_all(struct make *k)
{
	const struct model *m = k->m;

	for (size_t i = 0; i < m->files.n; i++)
		put_rule(k, SEC_FILE, &m->files.v[i]);
	for (size_t i = 0; i < m->nets.n; i++) {
		put_rule(k, SEC_NET, &m->nets.v[i]);
		put_net(k, R_NETS, &m->nets.v[i], (uint32_t)i);
	}
	for (size_t i = 0; i < m->execs.n; i++) {
		put_rule(k, SEC_EXEC, &m->execs.v[i]);
		put_exec(k, &m->execs.v[i], (uint32_t)i);
	}
	put_wrappers(k);
	for (size_t i = 0; i < m->unixes.n; i++) {
		const struct rule *u = &m->unixes.v[i];
		struct img_unix o = { .labels = rule_mask(k, u), .paths = make_list(k, &u->paths) };

		put_rule(k, SEC_UNIX, u);
		make_put(k, R_UNIXES, &o, sizeof(o), 1);
	}
	for (size_t i = 0; i < m->n_signals; i++) {
		const struct signal_rule *u = &m->signals[i];
		struct rule common = { .name = u->name, .message = u->message, .decision = u->decision, .timeout_ms = u->timeout_ms, .file
				       = u->file,
				       .line = u->line };
		struct img_signal o = { .labels = mask_of(k, &u->processes), .signals = u->signals, .min = u->min, .max = u->max,
					.targets = u->targets, .pattern = make_str(k, u->pattern), .redirect_to = (uint32_t)u->redirect_to,
					.fallback = (uint32_t)u->fallback };

		k->bad |= !u->targets;
		put_rule(k, SEC_SIGNAL, &common);
		make_put(k, R_SIGNALS, &o, sizeof(o), 1);
	}
	make_settings(k);
}

/* Where each region lies; 0 when it is too large. */
static size_t lay_out(struct make *k)
{
	size_t at = (sizeof(struct img_head) + 7) & ~(size_t)7;

	for (size_t i = 0; i < R__COUNT; i++) {
		k->r[i].at = (uint32_t)at;
		at += ((size_t)k->r[i].n * k->r[i].size + 7) & ~(size_t)7;
		if (at > GENERATION_MAX)
			return 0;
	}
	return at < IMAGE_MIN ? IMAGE_MIN : at;
}

static void put_head(struct make *k, size_t size)
{
	struct img_head *h = (struct img_head *)(void *)k->base;

	*h = k->head;
	h->format = MODEL_FORMAT;
	h->size = (uint32_t)size;
	h->flags |= k->flags;
	h->bits4 = k->bits4;
	memcpy(h->bits6, k->bits6, sizeof(h->bits6));
	for (size_t i = 0; i < R__COUNT; i++) {
		h->r[i].at = k->r[i].at;
		h->r[i].n = k->r[i].n;
	}
}

/* What is counted when all is walked begins with what stands for nothing: string 0, list 0. */
static void walk(struct make *k)
{
	static const uint32_t nothing;

	k->message = NULL;
	for (size_t i = 0; i < R__COUNT; i++)
		if (i != R_NET_HEADS && i != R_EXEC_HEADS)
			k->r[i].n = 0;
	make_put(k, R_POOL, "", 1, 1);
	make_put(k, R_WORDS, &nothing, 4, 1);
	put_all(k);
}

int image_fill(const struct model *m, const char *workspace, uint32_t n_dfa, image_room room, void *arg, struct err *err)
{
	struct make k = { .m = m, .workspace = workspace, .head.n_dfa = n_dfa, .net = { R_NET_HEADS, R_NET_ENTRIES, R_NET_REST },
			  .exec = { R_EXEC_HEADS, R_EXEC_ENTRIES, R_EXEC_REST } };
	int r = labels_of(m, &k.labels);
	size_t size = 0;

	k.seen = r == 0 ? calloc(SEEN, sizeof(*k.seen)) : NULL;
	if (!k.seen) {
		strs_fini(&k.labels);
		return err_set(err, r < 0 ? r : -ENOMEM, r == -E2BIG ? "the rules name more than 64 different processes" : "out of memory");
	}
	k.looking = true;
	walk(&k);
	k.looking = false;
	walk(&k);
	make_count_heads(&k, &k.net);
	make_count_heads(&k, &k.exec);
	if (!k.bad)
		size = lay_out(&k);
	k.base = size ? room(arg, size, err) : NULL;
	if (k.base) {
		memset(k.base, 0, size);
		walk(&k);
		put_head(&k, size);
		r = make_sort_index(&k, &k.net);
		if (r == 0)
			r = make_sort_index(&k, &k.exec);
	} else {
		r = -ENOMEM;
	}
	strs_fini(&k.labels);
	free(k.seen);
	if (!size || k.bad)
		return err_set(err, -EFBIG, "the policy is too large when compiled");
	return r < 0 && !err->msg[0] ? err_set(err, r, "out of memory") : r;
}

struct block { void *v; size_t n; };

static void *heap(void *arg, size_t n, struct err *err UNUSED)
{
	struct block *b = arg;

	*b = (struct block){ malloc(n), n };
	return b->v;
}

int image_make(const struct model *m, const char *workspace, uint32_t n_dfa, void **ret, size_t *ret_len, struct err *err)
{
	struct block b = { 0 };
	int r = image_fill(m, workspace, n_dfa, heap, &b, err);

	if (r < 0) {
		free(b.v);
		return r;
	}
	*ret = b.v;
	*ret_len = b.n;
	return 0;
}
