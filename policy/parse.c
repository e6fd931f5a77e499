/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's top level, and variables. */
#include "policy/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const later[] = { "unix_socket_rules", "signal_rules", "dns_redirects", "connect_redirects", "resource_limits",
	"env_policy", "env_inject", "audit", "transparent_commands", "http_services", "llm_budgets", "registry_rules",
	"process_contexts", "package_rules", "mcp_rules", "db_services", "database_rules", "database_connection_rules", "providers",
	"policies", "process_identities", "metadata" };
static const char *const top[] = { "version", "name", "description", "file_rules", "network_rules", "command_rules" };

static size_t distance(const char *a, const char *b)
{
	size_t row[64], la = strlen(a), lb = strlen(b);

	if (la > 62 || lb > 62)
		return 99;
	for (size_t k = 0; k <= lb; k++)
		row[k] = k;
	for (size_t i = 1; i <= la; i++) {
		size_t left = row[0];

		row[0] = i;
		for (size_t k = 1; k <= lb; k++) {
			size_t up = row[k], best = left + (a[i - 1] != b[k - 1]);

			best = best < row[k] + 1 ? best : row[k] + 1;
			row[k] = best < row[k - 1] + 1 ? best : row[k - 1] + 1;
			left = up;
		}
	}
	return row[lb];
}

void parse_unknown(struct parse *p, const struct node *key, const char *const *known, size_t n)
{
	const char *best = NULL;
	size_t least = 4;

	for (size_t i = 0; i < n; i++)
		if (distance(key->text, known[i]) < least) {
			least = distance(key->text, known[i]);
			best = known[i];
		}
	if (best)
		diag_error(p->d, key, "unknown key \"%s\" (did you mean \"%s\"?)", key->text, best);
	else
		diag_error(p->d, key, "unknown key \"%s\"", key->text);
}

static const char *var_value(struct parse *p, const char *name, size_t n)
{
	for (size_t i = 0; i < p->src->n_vars; i++)
		if (strlen(p->src->vars[i].name) == n && !strncmp(p->src->vars[i].name, name, n))
			return p->src->vars[i].value;
	return NULL;
}

static void put_value(struct buf *b, const char *s, size_t n, bool quote)
{
	for (size_t i = 0; i < n; i++) {
		if (quote && strchr("*?[]{}\\,!", s[i]))
			buf_puts(b, "\\");
		buf_put(b, s + i, 1);
	}
}

char *parse_expand(struct parse *p, const struct node *n, bool quote)
{
	struct buf b = BUF_INIT(1u << 16);
	const char *s = n->text;

	while (*s) {
		const char *end, *value, *dash;
		size_t len;
		bool root;

		if (s[0] != '$' || s[1] != '{') {
			buf_put(&b, s++, 1);
			continue;
		}
		end = strchr(s, '}');
		if (!end) {
			diag_error(p->d, n, "\"${\" without \"}\"");
			break;
		}
		s += 2;
		dash = memmem(s, (size_t)(end - s), ":-", 2);
		len = (size_t)((dash ? dash : end) - s);
		value = var_value(p, s, len);
		root = b.len == 0 && (!end[1] || end[1] == '/');
		if (value && value[0])
			put_value(&b, value, strlen(value), quote);
		else if (dash)
			put_value(&b, dash + 2, (size_t)(end - dash - 2), quote);
		else if (p->vars_may_miss) /* stands for any value: a root where a path begins */
			put_value(&b, root ? "/-" : "-", root ? 2 : 1, quote);
		else
			diag_error(p->d, n, "undefined variable ${%.*s}: give it a value or write ${%.*s:-fallback}", (int)len, s, (int)len,
				   s);
		s = end + 1;
	}
	buf_put(&b, "", 0);
	if (!buf_ok(&b) || p->d->errors) {
		if (!p->d->errors)
			diag_error(p->d, n, "longer than %u bytes when expanded", 1u << 16);
		buf_fini(&b);
		return NULL;
	}
	{
		/* Many live as long as the policy: no spare room. */
		char *tight = realloc(b.data, b.len + 1);

		return tight ? tight : (char *)b.data;
	}
}

static struct rules *rules_of(struct parse *p, const char *key)
{
	const struct { const char *key; struct rules *rules; } sections[] = {
		{ "file_rules", &p->m->files }, { "network_rules", &p->m->nets }, { "command_rules", &p->m->execs },
	};

	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (!strcmp(key, sections[i].key))
			return sections[i].rules;
	return NULL;
}

void parse_item(void *arg, const struct node *key, const struct node *item)
{
	struct parse *p = arg;
	struct rules *r = rules_of(p, key->text);

	if (r)
		parse_rule(p, item, key->text, r);
}

static void section(struct parse *p, const struct node *key, const struct node *value)
{
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		if (!strcmp(key->text, later[i])) {
			diag_warning(p->d, key, "section %s is not enforced yet", later[i]);
			return;
		}
	if (rules_of(p, key->text)) {
		if (value->kind != NODE_LIST && (value->kind != NODE_TEXT || value->text[0]))
			diag_error(p->d, value, "%s must be a list of rules", key->text);
	} else if (!strcmp(key->text, "version")) {
		if (value->kind != NODE_TEXT || strcmp(value->text, "1") != 0)
			diag_error(p->d, value, "version must be 1");
	} else if (!strcmp(key->text, "name")) {
		if (value->kind != NODE_TEXT || !value->text[0] || strlen(value->text) > 128)
			diag_error(p->d, value, "name must be a text of 1 to 128 bytes");
		else
			p->m->name = strdup(value->text);
	} else if (strcmp(key->text, "description") != 0) {
		const char *all[ARRAY_LEN(top) + ARRAY_LEN(later)];

		memcpy(all, top, sizeof(top));
		memcpy(all + ARRAY_LEN(top), later, sizeof(later));
		parse_unknown(p, key, all, ARRAY_LEN(all));
	}
}

LEAKS_UNSEEN_BEGIN /* the name belongs to the model: model_fini */
int parse_model(struct parse *p, const struct node *root)
{
	bool version = false;

	if (root->kind != NODE_MAP) {
		diag_error(p->d, root, "a policy is a map of keys: version, name, file_rules ...");
		return -EINVAL;
	}
	for (size_t i = 0; i + 1 < root->n; i += 2) {
		if (root->v[i]->kind != NODE_TEXT) {
			diag_error(p->d, root->v[i], "a key must be a text");
			continue;
		}
		version |= !strcmp(root->v[i]->text, "version");
		section(p, root->v[i], root->v[i + 1]);
	}
	if (!version)
		diag_error(p->d, root, "key \"version\" is missing: write version: 1");
	if (!p->m->name && !p->d->errors)
		diag_error(p->d, root, "key \"name\" is missing");
	p->m->file = strdup(p->src->file);
	return p->d->errors || !p->m->file ? -EINVAL : 0;
}
LEAKS_UNSEEN_END
