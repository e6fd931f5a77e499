/* SPDX-License-Identifier: Apache-2.0 */
/* The index of names, globs and ranges that a mapped policy has. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/image_make.h"

bool make_literal(const char *s, char out[WILD_MAX + 1])
{
	size_t at = 0;

	for (; *s; s++) {
		if (*s == '*' || *s == '?' || *s == '[' || *s == '{' || at == WILD_MAX)
			return false;
		if (*s == '\\' && s[1])
			s++;
		out[at++] = *s;
	}
	out[at] = 0;
	return true;
}

/* n bytes of word, in lower case. Beginnings are hashed forward, all else from the end. */
static void index_part(struct make *k, struct made_index *x, enum kind kind, const char *word, size_t n, uint32_t rule)
{
	char lower[WILD_MAX + 1];
	struct img_entry e = { .rule = rule, .kind = kind };
	uint32_t h = HASH_START;

	for (size_t i = 0; i < n; i++) {
		lower[i] = (char)tolower((unsigned char)word[i]);
		h = hash_byte(h, (uint8_t)lower[i]);
	}
	lower[n] = 0;
	e.key = make_str(k, lower);
	e.hash = hash_slot(kind >= KIND_ENDS && (kind - KIND_ENDS) % 2 == 0 ? h : hash_word(lower, n), kind);
	make_put(k, x->entries, &e, sizeof(e), 1);
}

void make_index_word(struct make *k, struct made_index *x, enum kind kind, const char *word, uint32_t rule)
{
	index_part(k, x, kind, word, strlen(word), rule);
}

static uint32_t *seen_at(struct make *k, const char *s, size_t n, unsigned kind)
{
	return &k->seen[hash_slot(hash_word(s, n), (enum kind)kind) >> 8 & (SEEN - 1)];
}

/* By what it begins or ends with, whichever fewer globs do. False when both are nothing: it is tried always. */
bool make_index_glob(struct make *k, struct made_index *x, enum ends what, const char *glob, uint32_t rule)
{
	unsigned kind = KIND_ENDS + 2 * (unsigned)what;
	size_t from = 0, to = 0, n = strlen(glob);
	uint32_t *begins, *ends;

	while (from < END_MAX && wild_plain(glob[from]))
		from++;
	while (to < END_MAX && to < n && wild_plain(glob[n - 1 - to]))
		to++;
	if (!from && !to)
		return false;
	begins = seen_at(k, glob, from, kind);
	ends = seen_at(k, glob + n - to, to, kind + 1);
	if (k->looking) {
		++*begins;
		++*ends;
	} else if (!to || (from && *begins <= *ends)) {
		k->head.ends[what][0] |= 1u << from;
		index_part(k, x, (enum kind)kind, glob, from, rule);
	} else {
		k->head.ends[what][1] |= 1u << to;
		index_part(k, x, (enum kind)(kind + 1), glob + n - to, to, rule);
	}
	return true;
}

void make_index_rest(struct make *k, struct made_index *x, uint32_t rule)
{
	make_put(k, x->rest, &rule, sizeof(rule), 1);
}

/* "*.x.y" and "**.x.y" are looked up by what follows; others are tried one after the other. */
bool make_index_domain(struct make *k, const char *glob, uint32_t rule)
{
	char text[WILD_MAX + 1];
	size_t stars = strspn(glob, "*");

	if (!make_literal(glob + stars, text) || stars > 2 || (stars && text[0] != '.'))
		return false;
	if (stars == 2)
		k->flags |= IMG_DEEP;
	make_index_word(k, &k->net, stars == 0 ? KIND_NAME : stars == 1 ? KIND_ONE : KIND_DEEP, text, rule);
	return true;
}

void make_index_range(struct make *k, uint32_t at, const struct cidr *c, uint32_t rule)
{
	struct cidr whole = *c;
	struct img_entry e = { .key = at, .rule = rule, .kind = KIND_CIDR };

	cidr_cut(&whole, c->bits);
	e.hash = hash_slot(cidr_hash(&whole), KIND_CIDR);
	if (c->len == 4)
		k->bits4 |= 1ull << c->bits;
	else
		k->bits6[c->bits / 64] |= 1ull << c->bits % 64;
	make_put(k, k->net.entries, &e, sizeof(e), 1);
}

/* Entries in the order of their slots, within one of their rules: the order in which they were put. */
int make_sort_index(struct make *k, const struct made_index *x)
{
	struct made *heads = &k->r[x->heads], *entries = &k->r[x->entries];
	uint32_t mask = heads->n - 2, *h = (uint32_t *)(void *)(k->base + heads->at);
	struct img_entry *v = (struct img_entry *)(void *)(k->base + entries->at);
	struct img_entry *copy = malloc(((size_t)entries->n + 1) * sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, v, (size_t)entries->n * sizeof(*v));
	memset(h, 0, (size_t)heads->n * 4);
	for (uint32_t i = 0; i < entries->n; i++)
		h[(copy[i].hash >> 8 & mask) + 1]++;
	for (uint32_t i = 1; i < heads->n; i++)
		h[i] += h[i - 1];
	for (uint32_t i = entries->n; i-- > 0;)
		v[--h[(copy[i].hash >> 8 & mask) + 1]] = copy[i];
	/* Each now says where its own slot begins, one place late. */
	memmove(h, h + 1, (size_t)(heads->n - 1) * 4);
	h[heads->n - 1] = entries->n;
	free(copy);
	return 0;
}

void make_count_heads(struct make *k, const struct made_index *x)
{
	uint32_t slots = 16;

	while (slots < k->r[x->entries].n)
		slots *= 2;
	k->r[x->heads] = (struct made){ .n = slots + 1, .size = 4 };
}
