/* SPDX-License-Identifier: Apache-2.0 */
/* Between parse_regex.c and regex_class.c. */
#ifndef POLICY_REGEX_READ_H
#define POLICY_REGEX_READ_H

#include "policy/regex.h"

struct flags { bool fold, lines, no_newline; };
struct scan {
	const char *s, *from;
	struct rx_tree *t;
	struct flags f;
	int depth, r;
	bool quote;              /* behind \Q */
	char *why;
	size_t cap;
};

/* NULL: words and the place are in why, unless there were some before. */
__attribute__((format(printf, 3, 4))) void *rx_fail(struct scan *c, const char *at, const char *fmt, ...);
struct rx *rx_make(struct scan *c, enum rx_kind kind, uint16_t arg);
/* One of the bytes of s: RX_BYTE or RX_SET. */
struct rx *rx_make_set(struct scan *c, const struct rx_set *s);
void rx_add_range(struct rx_set *s, int from, int to);
/* Adds the letters in the other case. */
void rx_fold(struct rx_set *s);
/* Adds what \d and the like stand for, by their letter; false: it is none. */
bool rx_perl(char letter, struct rx_set *s);
/* An escape that is one byte: that, and c->s is behind it; -1: reported. */
int rx_escape(struct scan *c);
struct rx *rx_read_class(struct scan *c);

#endif
