/* SPDX-License-Identifier: Apache-2.0 */
/* One map by its table of keys, and the readers of the plain kinds of values. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/parse.h"

/* What the language has and no daemon enforces at run time: a line goes when a daemon does. */
static const struct { const char *shape, *key; } later[] = {
	{ "policy", "unix_socket_rules" }, { "policy", "signal_rules" }, { "policy", "dns_redirects" }, { "policy", "connect_redirects" },
	{ "policy", "resource_limits" }, { "policy", "env_policy" }, { "policy", "env_inject" }, { "policy", "audit" },
	{ "policy", "http_services" }, { "policy", "llm_budgets" },
	{ "network rule", "methods" }, { "network rule", "paths" }, { "network rule", "tls" }, { "network rule", "dlp" },
	{ "command rule", "env_allow" }, { "command rule", "env_deny" }, { "command rule", "env_max_bytes" },
	{ "command rule", "env_max_keys" }, { "command rule", "env_block_iteration" },
	{ "redirect_to", "environment" }, { "file rule", "redirect_to" },
};

void parse_warn_later(struct parse *p, const char *shape, const struct node *key)
{
	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		if (strcmp(later[i].shape, shape) != 0 || strcmp(later[i].key, key->text) != 0 || p->later >> i & 1)
			continue;
		p->later |= 1ull << i;
		if (!strcmp(shape, "policy"))
			diag_warning(p->d, key, "section %s is not enforced by any daemon yet", key->text);
		else
			diag_warning(p->d, key, "key %s of a %s is not enforced by any daemon yet", key->text, shape);
	}
}

/* Letters to change, add, leave out or swap with the next. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][64], la = strlen(a), lb = strlen(b);

	if (la > 62 || lb > 62)
		return 99;
	for (size_t i = 0; i <= la; i++) {
		size_t *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t k = 1; k <= lb; k++) {
			size_t best = row[k - 1] + 1;

			if (!i) {
				row[k] = k;
				continue;
			}
			best = best < last[k] + 1 ? best : last[k] + 1;
			best = best < last[k - 1] + (a[i - 1] != b[k - 1]) ? best : last[k - 1] + (a[i - 1] != b[k - 1]);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && before[k - 2] + 1 < best)
				best = before[k - 2] + 1;
			row[k] = best;
		}
	}
	return rows[la % 3][lb];
}

/* Keeps the nearer one of *best and word; *least is one more than what is near enough at first. */
static void nearer(const char *text, const char *word, const char **best, size_t *least)
{
	size_t d = distance(text, word);

	if (d < *least) {
		*least = d;
		*best = word;
	}
}

static size_t near_enough(const char *text)
{
	size_t n = strlen(text);

	return n < 4 ? 2 : n < 8 ? 3 : 4;
}

const char *policy_nearest(const char *text, const char *const *words)
{
	const char *best = NULL;
	size_t least = near_enough(text);

	for (; *words; words++)
		nearer(text, *words, &best, &least);
	return best;
}

static const struct key *key_named(const struct shape *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].in & s->in && !strcmp(s->v[i].name, name))
			return &s->v[i];
	return NULL;
}

/* The key that other tools have this word for, if there is one here; else best. */
static const char *meant(const struct shape *s, const char *word, const char *best)
{
	static const struct { const char *word, *key; } known[] = {
		{ "hosts", "domains" }, { "host", "domains" }, { "hostnames", "domains" }, { "ips", "cidrs" }, { "ip", "cidrs" },
		{ "addresses", "cidrs" }, { "files", "paths" }, { "globs", "paths" }, { "binaries", "commands" },
		{ "programs", "commands" },
		{ "args", "args_patterns" }, { "ops", "operations" }, { "action", "decision" }, { "effect", "decision" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (!strcmp(word, known[i].word) && key_named(s, known[i].key))
			return known[i].key;
	return best;
}

static void unknown(struct at *c, const struct node *key)
{
	const struct shape *s = c->shape;
	const char *best = NULL;
	size_t least = near_enough(key->text);

	for (size_t i = 0; i < s->n; i++) {
		if (!(s->v[i].in & s->in) && !strcmp(s->v[i].name, key->text)) {
			diag_error(c->p->d, key, "a %s has no key \"%s\"", s->what, key->text);
			return;
		}
		if (s->v[i].in & s->in && s->v[i].read)
			nearer(key->text, s->v[i].name, &best, &least);
	}
	best = meant(s, key->text, best);
	if (best)
		diag_error(c->p->d, key, "unknown key \"%s\" (did you mean \"%s\"?)", key->text, best);
	else
		diag_error(c->p->d, key, "unknown key \"%s\"", key->text);
}

static void put_item(struct buf *b, const char *s, size_t n)
{
	static const char signs[] = " \t\n'\"#&*!|>%@`[]{},:?\\";
	bool quote = s[0] == '-';

	for (size_t i = 0; i < n; i++)
		quote |= strchr(signs, s[i]) != NULL;
	buf_puts(b, quote ? "'" : "");
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%c", quote && s[i] == '\'' ? "'" : "", s[i]);
	buf_puts(b, quote ? "'" : "");
}

/* What the text was meant as: several entries where commas are between plain ones, a URL's host where hosts are expected. */
static void put_items(struct buf *b, const struct key *k, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-@, ";
	const char *url = !strcmp(k->name, "domains") ? strstr(s, "://") : NULL;

	if (url) {
		put_item(b, url + 3, strcspn(url + 3, "/:?#"));
	} else if (s[strspn(s, plain)]) {
		put_item(b, s, strlen(s));
	} else {
		for (const char *sep = ""; *s; s += strspn(s, ", "), sep = ", ") {
			size_t n = strcspn(s, ",");
			size_t whole = n;

			while (n && s[n - 1] == ' ')
				n--;
			buf_puts(b, sep);
			put_item(b, s, n);
			s += whole;
		}
	}
}

/* One text where a list of texts should be: how to write it. */
static void not_a_list(struct parse *p, const struct key *k, const struct node *v)
{
	bool texts = k->type == T_TEXTS || k->type == T_NUMBERS || k->type == T_WORDS;
	struct buf b = BUF_INIT(1024);

	if (!texts) {
		diag_error(p->d, v, "%s must be a list: begin each entry with \"- \"", k->name);
	} else if (v->kind != NODE_TEXT || !v->text[0] || strlen(v->text) > 200) {
		diag_error(p->d, v, "%s must be a list: write [a, b], or each entry in a line that begins with \"- \"", k->name);
	} else if (!strcmp(k->name, "ports") && v->text[strspn(v->text, "0123456789, ")]) {
		diag_error(p->d, v, "ports must be a list of numbers: write [80, 443], one by one, or leave ports out for all");
	} else {
		put_items(&b, k, v->text);
		diag_error(p->d, v, "%s must be a list%s: write [%s]", k->name,
			   !strcmp(k->name, "domains") && strstr(v->text, "://") ? " of hosts, without https:// and path" : "",
			   b.data ? (const char *)b.data : "");
	}
	buf_fini(&b);
}

static void read_value(struct at *c, const struct key *k, const struct node *v)
{
	const char *key = c->p->reading;
	const struct node *value = c->p->value;

	c->p->reading = k->name;
	c->p->value = v;
	if (!(k->flags & K_ITEMS) || (k->also == T_TEXT && v->kind == NODE_TEXT))
		k->read(c, k, v);
	else if (v->kind != NODE_LIST && (v->kind != NODE_TEXT || v->text[0]))
		not_a_list(c->p, k, v);
	c->p->reading = key;
	c->p->value = value;
}

bool parse_map(struct at *c, const struct node *n)
{
	size_t before = c->p->d->errors;
	uint64_t got = 0;

	if (n->kind != NODE_MAP) {
		diag_error(c->p->d, n, "%s: must be a map of keys, such as %s", c->shape->what, c->shape->v[0].name);
		return false;
	}
	c->map = n;
	for (size_t i = 0; i + 1 < n->n; i += 2) {
		const struct node *name = n->v[i];
		const struct key *k = name->kind == NODE_TEXT ? key_named(c->shape, name->text) : NULL;

		if (name->kind != NODE_TEXT) {
			diag_error(c->p->d, name, "a key must be a text");
		} else if (!k) {
			unknown(c, name);
		} else if (!k->read) {
			diag_error(c->p->d, name, "%s", k->about);
		} else {
			got |= 1ull << (k - c->shape->v);
			parse_warn_later(c->p, c->shape->what, name);
			if (k->flags & K_UNUSED)
				diag_warning(c->p->d, name, "section %s is known and has no effect here", k->name);
			read_value(c, k, n->v[i + 1]);
		}
	}
	/* What is missing may be what could not be read. */
	for (size_t i = 0; i < c->shape->n && c->p->d->errors == before; i++)
		if (c->shape->v[i].in & c->shape->in && c->shape->v[i].flags & K_REQUIRED && !(got >> i & 1)) {
			diag_error(c->p->d, n, "the %s has no %s%s", c->shape->what, c->shape->v[i].name,
				   strcmp(c->shape->v[i].name, "version") != 0 ? "" : ": write version: 1");
			break;
		}
	return c->p->d->errors == before;
}

bool parse_is_text(struct parse *p, const struct node *v)
{
	if (v->kind == NODE_TEXT)
		return true;
	diag_error(p->d, v, "%s%s must be a text, not a %s", p->value == v ? "" : p->reading ? "an entry of " : "a value",
		   p->reading ? p->reading : "", v->kind == NODE_LIST ? "list" : "map");
	return false;
}

bool parse_is_list(struct parse *p, const struct key *k, const struct node *v)
{
	if (v->kind != NODE_LIST)
		not_a_list(p, k, v);
	else if (v->n > STRINGS_MAX)
		diag_error(p->d, v, "%s has %zu entries; %d are the most", k->name, v->n, STRINGS_MAX);
	else if (!v->n && k->flags & K_SELECT)
		diag_error(p->d, v, "%s is empty: %s", k->name, k->flags & K_REQUIRED ? "it would match nothing" :
			"leave the key out to mean any");
	else
		return true;
	return false;
}

/* A list that is not there means "any": what could not be stored must not become that. */
void parse_no_memory(struct parse *p, const struct node *v)
{
	diag_error(p->d, v, "out of memory");
}

LEAKS_UNSEEN_BEGIN /* what is stored belongs to the model: model_fini */
bool parse_put(struct parse *p, const struct node *v, struct strs *out, char *owned)
{
	char **grown = owned ? realloc(out->v, (out->n + 2) * sizeof(char *)) : NULL;

	if (!grown) {
		parse_no_memory(p, v);
		free(owned);
		return false;
	}
	out->v = grown;
	out->v[out->n++] = owned;
	out->v[out->n] = NULL;
	return true;
}

void *parse_grow(struct parse *p, const struct node *at, const char *what, void **v, size_t *n, size_t size)
{
	void *grown = *v;

	if (*n == RULES_MAX) {
		diag_error(p->d, at, "%s has more than %d entries", what, RULES_MAX);
		return NULL;
	}
	if (!*n || (*n >= 16 && !(*n & (*n - 1)))) /* in steps that double */
		grown = realloc(*v, (*n < 16 ? 16 : *n * 2) * size);
	if (!grown) {
		parse_no_memory(p, at);
		return NULL;
	}
	*v = grown;
	return memset((char *)grown + (*n)++ * size, 0, size);
}
LEAKS_UNSEEN_END

static uint64_t hash_of(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ull;
	return h | 1;
}

LEAKS_UNSEEN_BEGIN /* the table is the section's: read_file frees it */
/* True when h was there, and without memory: who asks looks closer then. */
static bool seen_add(struct seen *s, uint64_t h)
{
	size_t i;

	if (s->n * 2 >= s->cap) {
		struct seen wide = { .cap = s->cap ? s->cap * 2 : 64 };

		wide.v = calloc(wide.cap, sizeof(*wide.v));
		if (!wide.v)
			return true;
		for (i = 0; i < s->cap; i++)
			if (s->v[i])
				seen_add(&wide, s->v[i]);
		free(s->v);
		*s = wide;
	}
	for (i = h >> 7 & (s->cap - 1); s->v[i]; i = (i + 1) & (s->cap - 1))
		if (s->v[i] == h)
			return true;
	s->v[i] = h;
	s->n++;
	return false;
}
LEAKS_UNSEEN_END

bool parse_seen(struct seen *t, const char *s)
{
	return seen_add(t, hash_of(s));
}

void parse_name_twice(struct parse *p, size_t section, const struct node *v, const char *name)
{
	if (p->seen && parse_seen(&p->seen[section], name))
		diag_warning(p->d, v, "another entry of this section is named \"%s\" too [duplicate-name]", name);
}

void *key_at(const struct at *c, const struct key *k)
{
	char *base = c->to;

	if (k->flags & K_MORE)
		base = (char *)rule_more(c->to);
	return base ? base + k->offset : NULL;
}

void read_any(struct at *c, const struct key *k, const struct node *v)
{
	if (k->type == T_TEXT)
		(void)parse_is_text(c->p, v);
}

LEAKS_UNSEEN_BEGIN /* what is stored belongs to the model: model_fini */
void read_text(struct at *c, const struct key *k, const struct node *v)
{
	char **out = key_at(c, k);
	size_t n;

	if (!parse_is_text(c->p, v))
		return;
	n = strlen(v->text);
	if (n < k->min || (k->max && n > k->max)) {
		diag_error(c->p->d, v, n ? "%s must be a text of %llu to %llu bytes" :
			"%s is empty: it must be a text of %llu to %llu bytes",
			   k->name, (unsigned long long)k->min, (unsigned long long)k->max);
		return;
	}
	if (out) {
		free(*out);
		*out = strdup(v->text);
	}
	if (!out || !*out)
		parse_no_memory(c->p, v);
	if (!strcmp(k->name, "message"))
		parse_odd_message(c->p, v);
	for (char *s = out ? *out : NULL; s && *s && k->flags & K_LOWER; s++)
		*s = (char)tolower((unsigned char)*s);
}

void read_texts(struct at *c, const struct key *k, const struct node *v)
{
	struct strs *out = key_at(c, k);

	if (!out)
		parse_no_memory(c->p, v);
	if (!out || !parse_is_list(c->p, k, v))
		return;
	for (size_t i = 0; i < v->n; i++)
		if (parse_is_text(c->p, v->v[i]) && !parse_put(c->p, v->v[i], out, strdup(v->v[i]->text)))
			return;
}
LEAKS_UNSEEN_END

void read_bool(struct at *c, const struct key *k, const struct node *v)
{
	static const char *const truths[] = { "true", "yes", "on", "y", "1", NULL };
	bool *out = key_at(c, k), yes = false;

	if (!parse_is_text(c->p, v))
		return;
	for (size_t i = 0; truths[i]; i++)
		yes |= !strcasecmp(v->text, truths[i]);
	if (strcmp(v->text, "true") != 0 && strcmp(v->text, "false") != 0)
		diag_error(c->p->d, v, "%s must be true or false: write %s", k->name, yes ? "true" : "false");
	else if (!out)
		parse_no_memory(c->p, v);
	else
		*out = yes;
}

void read_u64(struct at *c, const struct key *k, const struct node *v)
{
	uint64_t *out = key_at(c, k), n = 0;

	if (!parse_is_text(c->p, v))
		return;
	if (str_to_u64(v->text, k->max ? k->max : INT64_MAX, &n) < 0 || n < k->min)
		diag_error(c->p->d, v, "%s \"%s\" is not a whole number from %llu to %llu", k->name, v->text, (unsigned long long)k->min,
			   (unsigned long long)(k->max ? k->max : INT64_MAX));
	else if (!out)
		parse_no_memory(c->p, v);
	else
		*out = n;
}

bool parse_time(struct parse *p, const struct key *k, const struct node *v, uint64_t *ret)
{
	uint64_t ms = 0, seconds;

	if (!parse_is_text(p, v))
		return false;
	if (strcmp(v->text, "0") != 0 && str_to_u64(v->text, UINT64_MAX, &seconds) == 0)
		diag_error(p->d, v, "%s \"%s\" has no unit: write %ss", k->name, v->text, v->text);
	else if (str_to_ms(v->text, &ms) < 0 || ms < k->min || (k->max && ms > k->max))
		diag_error(p->d, v, k->max == DAY_MS ? "%s \"%s\" is not a duration between 1ms and 24h, such as 30s or 5m" :
			   "%s \"%s\" is not a duration, such as 30s or 1h30m", k->name, v->text);
	else
		*ret = ms;
	return true;
}

void read_time(struct at *c, const struct key *k, const struct node *v)
{
	uint64_t *out = key_at(c, k);

	if (out)
		parse_time(c->p, k, v, out);
	else
		parse_no_memory(c->p, v);
}

bool parse_word(struct parse *p, const struct key *k, const struct node *v, size_t *ret)
{
	struct buf all = BUF_INIT(4096);
	const char *near;

	if (!parse_is_text(p, v))
		return false;
	for (size_t i = 0; k->words[i]; i++)
		if (!(k->flags & K_LOWER ? strcasecmp : strcmp)(k->words[i], v->text)) {
			*ret = i;
			return true;
		}
	for (size_t i = 0; k->words[i]; i++)
		buf_printf(&all, "%s%s", i ? " " : "", k->words[i]);
	near = policy_nearest(v->text, k->words);
	diag_error(p->d, v, "%s \"%s\" is not one of %s%s%s%s", k->name, v->text, all.data ? (const char *)all.data : "", near ?
		" (did you mean \"" : "",
		   near ? near : "", near ? "\"?)" : "");
	buf_fini(&all);
	return false;
}
