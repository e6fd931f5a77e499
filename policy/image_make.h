/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that make a policy's mapped form. */
#ifndef POLICY_IMAGE_MAKE_H
#define POLICY_IMAGE_MAKE_H

#include "policy/image.h"

struct made { uint32_t at, n, size; };                          /* bytes, elements, bytes of one */
struct made_index { enum region heads, entries, rest; };
struct make {
	const struct model *m;
	const char *workspace;
	uint8_t *base;                                          /* NULL: only counting */
	struct made r[R__COUNT];
	struct strs labels;
	struct img_head head;
	struct made_index net, exec;
	const char *message;                                    /* the last rule's */
	str_ref message_at;
	uint32_t *seen;                                         /* how many globs begin or end with what has this hash */
	bool looking;                                           /* only to fill seen */
	uint32_t flags;
	uint64_t bits4, bits6[3];
	bool bad;                                               /* too large, or not what a model may hold */
};
/* n elements of size bytes behind what the region has; where they begin. */
uint32_t make_put(struct make *k, enum region r, const void *v, size_t size, size_t n);
str_ref make_str(struct make *k, const char *s);                /* NULL: 0 */
list_ref make_list(struct make *k, const struct strs *s);
uint32_t make_regex(struct make *k, const uint8_t *bytes, size_t n);
void make_requests(struct make *k, const struct rules *r, uint32_t *ret_first);
/* image_index.c. The text of a glob that is none, without its backslashes: false when it has special characters, or does not fit. */
bool make_literal(const char *s, char out[WILD_MAX + 1]);
void make_index_word(struct make *k, struct made_index *x, enum kind kind, const char *word, uint32_t rule);
/* False: it cannot be looked up. */
bool make_index_domain(struct make *k, const char *glob, uint32_t rule);
bool make_index_glob(struct make *k, struct made_index *x, enum ends what, const char *glob, uint32_t rule);
void make_index_range(struct make *k, uint32_t at, const struct cidr *c, uint32_t rule);
/* A rule that is tried at each question. */
void make_index_rest(struct make *k, struct made_index *x, uint32_t rule);
void make_count_heads(struct make *k, const struct made_index *x);
/* When all is put. 0 or -ENOMEM. */
int make_sort_index(struct make *k, const struct made_index *x);
#define SEEN 65536u
/* image_settings.c: all that is no rule of files, networks, commands, sockets or signals. */
void make_settings(struct make *k);

#endif
