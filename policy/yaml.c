/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's home: one document, no anchors, no aliases, no duplicate keys, bounded in bytes, depth and nodes. */
#include "policy/yaml.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/str.h"
#include "common/utf8.h"

struct reader {
	yaml_parser_t p;
	struct diag *d;
	size_t nodes;                   /* alive */
	yaml_item_fn fn;
	void *arg;
	const struct node *key;         /* of the top map's value that is being read */
	const char *text;
	size_t len;
	uint32_t quote_line, quote_column, quote_end; /* as in struct yaml_fault */
};

void diag_file(struct buf *out, const char *file)
{
	char shown[4 * PATH_MAX];

	buf_puts(out, str_display(file, strlen(file), shown, sizeof(shown)));
}

void diag_at(struct diag *d, uint32_t line, uint32_t column, const char *level, const char *fmt, ...)
{
	char words[1024], shown[2048];
	va_list ap;

	if ((level[0] == 'e' ? d->errors++ : d->warnings++) >= diag_most(d))
		return;
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	str_display(words, strlen(words), shown, sizeof(shown));
	diag_file(d->out, d->file);
	buf_printf(d->out, ":%u:%u: %s: %s\n", line, column, level, shown);
}

/* How many there were. */
static size_t drop(struct node *n)
{
	size_t freed = 1;

	if (!n)
		return 0;
	for (size_t i = 0; i < n->n; i++)
		freed += drop(n->v[i]);
	free(n->v);
	free(n->text);
	free(n);
	return freed;
}

void node_free(struct node *n)
{
	drop(n);
}

static struct node *node_new(struct reader *r, enum node_kind kind, const yaml_mark_t *at)
{
	struct node *n = ++r->nodes > YAML_NODES_MAX ? NULL : calloc(1, sizeof(*n));

	if (!n) {
		diag_at(r->d, (uint32_t)at->line + 1, (uint32_t)at->column + 1, "error",
			r->nodes > YAML_NODES_MAX ? "too many values" : "out of memory");
		return NULL;
	}
	n->kind = kind;
	n->line = (uint32_t)at->line + 1;
	n->column = (uint32_t)at->column + 1;
	return n;
}

static int node_add(struct node *n, struct node *item)
{
	if (n->n == n->cap) {
		size_t cap = n->cap ? n->cap * 2 : 8;
		struct node **v = realloc(n->v, cap * sizeof(struct node *));

		if (!v) {
			node_free(item);
			return -1;
		}
		n->v = v;
		n->cap = cap;
	}
	n->v[n->n++] = item;
	return 0;
}

static struct node *read_node(struct reader *r, yaml_event_t *ev, int depth);

/* The next event could not be had. */
static void syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->p;
	struct yaml_fault f = {
		.text = r->text, .len = r->len, .problem = p->problem ? p->problem : "not YAML", .context = p->context,
		.line = (uint32_t)p->problem_mark.line + 1, .column = (uint32_t)p->problem_mark.column + 1,
		.from_line = (uint32_t)p->context_mark.line + 1, .from_column = (uint32_t)p->context_mark.column + 1,
		.quote_line = r->quote_line, .quote_column = r->quote_column, .quote_end = r->quote_end,
	};
	char words[300] = "out of memory";

	if (p->error != YAML_MEMORY_ERROR)
		yaml_words(&f, words, sizeof(words));
	diag_at(r->d, f.line, f.column, "error", "%s", words);
}

static void give(struct reader *r, struct node **item)
{
	if (!*item)
		return;
	r->fn(r->arg, r->key, *item);
	r->nodes -= drop(move_ptr(*item));
}

static struct node *read_items(struct reader *r, struct node *n, yaml_event_type_t end, int depth)
{
	struct node *whole = NULL; /* an entry for fn: what follows may show that it was cut short, and then what it lacks is no news */

	for (;;) {
		yaml_event_t ev;
		struct node *item;
		bool done;

		if (!yaml_parser_parse(&r->p, &ev)) {
			syntax_error(r);
			break;
		}
		give(r, &whole);
		done = ev.type == end;
		item = done ? NULL : read_node(r, &ev, depth + 1);
		yaml_event_delete(&ev);
		if (done)
			return n;
		if (!item)
			break;
		if (depth == 1 && n->kind == NODE_LIST && r->key) {
			whole = item;
			continue;
		}
		if (n->kind == NODE_MAP && n->n % 2 == 0 && item->text && !strcmp(item->text, "<<")) {
			diag_error(r->d, item, "merge keys are not allowed: write the keys out");
			node_free(item);
			break;
		}
		if (node_add(n, item) < 0) {
			diag_error(r->d, n, "out of memory");
			break;
		}
		if (depth == 0)
			r->key = n->kind == NODE_MAP && n->n % 2 && item->text ? item : NULL;
	}
	node_free(whole);
	node_free(n);
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
	int c = strcmp(x->text, y->text);

	if (c == 0 && x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return c ? c : (x->column > y->column) - (x->column < y->column);
}

static bool duplicate_key(struct reader *r, const struct node *n)
{
	struct node **keys = calloc(n->n / 2 + 1, sizeof(struct node *));
	const struct node *twice = NULL;
	size_t k = 0;

	for (size_t i = 0; keys && i + 1 < n->n; i += 2)
		if (n->v[i]->text)
			keys[k++] = n->v[i];
	if (k)
		qsort(keys, k, sizeof(struct node *), by_text);
	for (size_t i = 1; i < k && !twice; i++)
		if (!strcmp(keys[i]->text, keys[i - 1]->text))
			twice = keys[i];
	if (twice)
		diag_error(r->d, twice, "key \"%s\" stands twice", twice->text);
	else if (!keys)
		diag_error(r->d, n, "out of memory");
	free(keys);
	return !keys || twice;
}

static struct node *read_text(struct reader *r, yaml_event_t *ev)
{
	struct node *n = node_new(r, NODE_TEXT, &ev->start_mark);

	if (!n)
		return NULL;
	if ((ev->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE || ev->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE) &&
	    ev->end_mark.line > ev->start_mark.line) {
		r->quote_line = n->line;
		r->quote_column = n->column;
		r->quote_end = (uint32_t)ev->end_mark.line + 1;
	}
	if (memchr(ev->data.scalar.value, 0, ev->data.scalar.length)) {
		diag_error(r->d, n, "a NUL byte is not allowed");
		node_free(n);
		return NULL;
	}
	n->text = strndup((const char *)ev->data.scalar.value, ev->data.scalar.length);
	if (!n->text) {
		diag_error(r->d, n, "out of memory");
		node_free(n);
		return NULL;
	}
	return n;
}

/* What is wrong with a node that is more than its text or its items. */
static const char *extra_of(const yaml_event_t *ev)
{
	const unsigned char *anchor = NULL, *tag = NULL;

	if (ev->type == YAML_SCALAR_EVENT) {
		anchor = ev->data.scalar.anchor;
		tag = ev->data.scalar.tag;
	} else if (ev->type == YAML_SEQUENCE_START_EVENT) {
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
	} else if (ev->type == YAML_MAPPING_START_EVENT) {
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
	}
	if (anchor || ev->type == YAML_ALIAS_EVENT)
		return "anchors and aliases are not allowed: write the value out, and a text that begins with & or * in quotes";
	return tag ? "tags are not allowed: write the value alone, and a text that begins with ! in quotes" : NULL;
}

static struct node *read_node(struct reader *r, yaml_event_t *ev, int depth)
{
	const yaml_mark_t *at = &ev->start_mark;
	const char *extra;
	struct node *n;

	if (depth > YAML_DEPTH_MAX) {
		diag_at(r->d, (uint32_t)at->line + 1, (uint32_t)at->column + 1, "error", "nested deeper than %d", YAML_DEPTH_MAX);
		return NULL;
	}
	extra = extra_of(ev);
	if (extra) {
		diag_at(r->d, (uint32_t)at->line + 1, (uint32_t)at->column + 1, "error", "%s", extra);
		return NULL;
	}
	if (ev->type == YAML_SCALAR_EVENT)
		return read_text(r, ev);
	n = node_new(r, ev->type == YAML_SEQUENCE_START_EVENT ? NODE_LIST : NODE_MAP, at);
	if (!n)
		return NULL;
	n = read_items(r, n, ev->type == YAML_SEQUENCE_START_EVENT ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT, depth);
	if (n && n->kind == NODE_MAP && duplicate_key(r, n)) {
		node_free(n);
		return NULL;
	}
	return n;
}

/* What YAML allows in a file, of a valid character of n bytes. */
static bool allowed(const uint8_t *p, size_t n)
{
	if (n == 1)
		return p[0] == '\t' || p[0] == '\n' || p[0] == '\r' || (p[0] >= 0x20 && p[0] < 0x7f);
	if (n == 2)
		return p[0] != 0xc2 || p[1] >= 0xa0 || p[1] == 0x85;
	return n != 3 || p[0] != 0xef || p[1] != 0xbf || p[2] < 0xbe;
}

/* libyaml stops at such bytes too, but its place is a byte offset: give the line. */
static bool bytes_ok(const char *text, size_t len, struct diag *d)
{
	uint32_t line = 1, column = 1;

	if (len > YAML_BYTES_MAX) {
		diag_at(d, 1, 1, "error", "the file has %zu bytes; %u are the most", len, YAML_BYTES_MAX);
		return false;
	}
	if (len > 1 && ((uint8_t)text[0] ^ (uint8_t)text[1]) == 1 && (uint8_t)text[0] >= 0xfe) {
		diag_at(d, 1, 1, "error", "this is UTF-16: save the file as UTF-8");
		return false;
	}
	for (size_t i = 0; i < len;) {
		size_t n = text[i] ? utf8_len((const uint8_t *)text + i, len - i) : 0;

		if (n == 0) {
			diag_at(d, line, column, "error", text[i] ? "not valid UTF-8" : "a NUL byte: this is not a text file");
			return false;
		}
		if (n == 3 && !memcmp(text + i, "\xef\xbb\xbf", 3)) {
			diag_at(d, line, column, "error", "a byte order mark: save the file without it");
			return false;
		}
		if (!allowed((const uint8_t *)text + i, n)) {
			diag_at(d, line, column, "error", "a control character: write it as an escape in double quotes");
			return false;
		}
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
		i += n;
	}
	return true;
}

struct node *yaml_read(const char *text, size_t len, struct diag *d, yaml_item_fn fn, void *arg)
{
	struct reader r = { .d = d, .fn = fn, .arg = arg, .text = text, .len = len };
	struct node *root = NULL;
	bool more = true, seen = false, failed = false;
	size_t before = d->errors;

	if (!bytes_ok(text, len, d))
		return NULL;
	if (!yaml_parser_initialize(&r.p)) {
		diag_at(d, 1, 1, "error", "out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&r.p, (const unsigned char *)text, len);
	while (more) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&r.p, &ev)) {
			syntax_error(&r);
			failed = true;
			break;
		}
		if (ev.type == YAML_DOCUMENT_START_EVENT && seen) {
			diag_at(d, (uint32_t)ev.start_mark.line + 1, 1, "error", "a second document: one policy a file");
			more = false;
			failed = true;
		} else if (ev.type == YAML_STREAM_END_EVENT) {
			more = false;
		} else if (ev.type == YAML_SCALAR_EVENT || ev.type == YAML_MAPPING_START_EVENT || ev.type == YAML_SEQUENCE_START_EVENT ||
			   ev.type == YAML_ALIAS_EVENT) {
			seen = true;
			node_free(root);
			root = read_node(&r, &ev, 0);
			more = root != NULL;
		}
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&r.p);
	if (!root && d->errors == before)
		diag_at(d, 1, 1, "error", "the file is empty");
	if (failed) {
		node_free(root);
		return NULL;
	}
	return root;
}
