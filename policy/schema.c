/* SPDX-License-Identifier: Apache-2.0 */
/* The language's JSON Schema, from the tables that the parser reads by. */
#include <errno.h>
#include <string.h>

#include "policy/parse.h"

static void put_shape(struct buf *b, const struct shape *s);

static void put_text(struct buf *b, const char *s)
{
	buf_json_str(b, s, strlen(s));
}

/* Words as enum; where any case is read, as a pattern that ignores it. */
static void put_words(struct buf *b, const struct key *k)
{
	if (!(k->flags & K_LOWER)) {
		buf_puts(b, "{\"enum\":[");
		for (size_t i = 0; k->words[i]; i++) {
			buf_puts(b, i ? "," : "");
			put_text(b, k->words[i]);
		}
		buf_puts(b, "]}");
		return;
	}
	buf_puts(b, "{\"anyOf\":[{\"enum\":[");
	for (size_t i = 0; k->words[i]; i++) {
		buf_puts(b, i ? "," : "");
		put_text(b, k->words[i]);
	}
	buf_puts(b, "]},{\"type\":\"string\",\"pattern\":\"^(");
	for (size_t i = 0; k->words[i]; i++) {
		buf_puts(b, i ? "|" : "");
		for (const char *s = k->words[i]; *s; s++)
			if (*s >= 'a' && *s <= 'z')
				buf_printf(b, "[%c%c]", *s, *s - 32);
			else
				buf_put(b, s, 1);
	}
	buf_puts(b, ")$\"}]}");
}

/* Scalars stay text in the language: YAML's own reading of true, 1 or 1.5 makes no difference. */
#define SCALAR "{\"type\":[\"string\",\"number\",\"boolean\"]}"

static void put_list(struct buf *b, const struct key *k, const char *items)
{
	buf_printf(b, "{\"type\":\"array\",\"maxItems\":%d%s,\"items\":", STRINGS_MAX, k->flags & K_SELECT ? ",\"minItems\":1" : "");
	if (items)
		buf_puts(b, items);
	else
		put_words(b, k);
	buf_puts(b, "}");
}

static void put_number(struct buf *b, const struct key *k)
{
	buf_printf(b, "{\"type\":[\"integer\",\"string\"],\"minimum\":%llu", (unsigned long long)k->min);
	if (k->max)
		buf_printf(b, ",\"maximum\":%llu", (unsigned long long)k->max);
	buf_puts(b, ",\"pattern\":\"^[0-9]+$\"}");
}

static void put_type(struct buf *b, const struct key *k, enum key_type type)
{
	switch (type) {
	case T_TEXT:
		if (k->max && type == k->type)
			buf_printf(b, "{\"type\":[\"string\",\"number\",\"boolean\"],\"minLength\":%llu,\"maxLength\":%llu}",
				(unsigned long long)k->min,
				   (unsigned long long)k->max);
		else
			buf_puts(b, SCALAR);
		break;
	case T_BOOL:
		buf_puts(b, "{\"enum\":[true,false,\"true\",\"false\"]}");
		break;
	case T_NUMBER:
		if (!strcmp(k->name, "max_depth"))
			buf_puts(b, "{\"type\":\"integer\",\"minimum\":-1,\"maximum\":1000}");
		else
			put_number(b, k);
		break;
	case T_TIME:
		buf_puts(b, "{\"type\":[\"string\",\"integer\"],\"maximum\":0,\"pattern\":\"^(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)");
		buf_puts(b, "(ns|us|\\u00b5s|\\u03bcs|ms|s|m|h|d))+)$\"}");
		break;
	case T_WORD:
		put_words(b, k);
		break;
	case T_TEXTS:
		put_list(b, k, SCALAR);
		break;
	case T_NUMBERS:
		buf_printf(b, "{\"type\":\"array\",\"minItems\":1,\"items\":");
		put_number(b, k);
		buf_puts(b, "}");
		break;
	case T_WORDS:
		put_list(b, k, NULL);
		break;
	case T_MAP:
		put_shape(b, k->sub);
		break;
	case T_LIST:
		buf_printf(b, "{\"type\":[\"array\",\"null\"],\"maxItems\":%d,\"items\":", RULES_MAX);
		put_shape(b, k->sub);
		buf_puts(b, "}");
		break;
	case T_PAIRS:
		buf_puts(b, "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[A-Za-z_][A-Za-z0-9_]*$\"},");
		buf_puts(b, "\"additionalProperties\":" SCALAR "}");
		break;
	default:
		buf_puts(b, "{}");
	}
}

static void put_key(struct buf *b, const struct key *k)
{
	put_text(b, k->name);
	buf_puts(b, ":{\"description\":");
	put_text(b, k->about);
	if (k->also) {
		buf_puts(b, ",\"anyOf\":[");
		put_type(b, k, k->type);
		buf_puts(b, ",");
		put_type(b, k, k->also);
		buf_puts(b, "]}");
		return;
	}
	buf_puts(b, ",\"allOf\":[");
	put_type(b, k, k->type);
	buf_puts(b, "]}");
}

static void put_members(struct buf *b, const struct shape *s)
{
	const char *comma = "";

	buf_puts(b, "\"type\":\"object\",\"additionalProperties\":false,\"required\":[");
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].in & s->in && s->v[i].flags & K_REQUIRED) {
			buf_puts(b, comma);
			put_text(b, s->v[i].name);
			comma = ",";
		}
	buf_puts(b, "],\"properties\":{");
	comma = "";
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].in & s->in && s->v[i].read) {
			buf_puts(b, comma);
			put_key(b, &s->v[i]);
			comma = ",";
		}
	buf_puts(b, "}");
}

static void put_shape(struct buf *b, const struct shape *s)
{
	buf_puts(b, "{\"title\":");
	put_text(b, s->what);
	buf_puts(b, ",");
	put_members(b, s);
	buf_puts(b, "}");
}

int policy_schema(struct buf *out)
{
	buf_puts(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"agentsh policy\",");
	put_members(out, &shape_top);
	buf_puts(out, "}\n");
	return buf_ok(out) ? 0 : -ENOMEM;
}
