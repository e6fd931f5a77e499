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
	uint32_t flags, n_regex;
	uint64_t bits4, bits6[3];
	bool bad;                                               /* too large, or not what a model may hold */
};
/* n elements of size bytes behind what the region has; where they begin. */
uint32_t make_put(struct make *k, enum region r, const void *v, size_t size, size_t n);
str_ref make_str(struct make *k, const char *s);                /* NULL: 0 */
list_ref make_list(struct make *k, const struct strs *s);
uint32_t make_regex(struct make *k, const uint8_t *bytes, size_t n, uint32_t *ret_no);
void make_requests(struct make *k, const struct rules *r, uint32_t *ret_first);
/* image_settings.c: all that is no rule of files, networks, commands, sockets or signals. */
void make_settings(struct make *k);

#endif
