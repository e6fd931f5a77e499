/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, internal: the tree that parse_regex.c reads, and the record that regex_make.c makes of it and regex.c runs. */
#ifndef POLICY_REGEX_H
#define POLICY_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RX_REPEAT_MAX 1000
#define RX_DEPTH_MAX 128         /* groups in groups */
#define RX_SETS_MAX 1024         /* different classes of one pattern */
#define RX_INSTS_MAX 32768       /* steps of one pattern; an index has 16 bits */
#define RX_WORD_MAX 16

struct rx_set { uint32_t bits[8]; };
static inline bool rx_has(const struct rx_set *s, uint8_t c) { return s->bits[c >> 5] >> (c & 31) & 1; }
static inline void rx_put(struct rx_set *s, uint8_t c) { s->bits[c >> 5] |= 1u << (c & 31); }

/* What holds at a place between two bytes. */
enum rx_at { AT_BEGIN, AT_END, AT_LINE_BEGIN, AT_LINE_END, AT_WORD, AT_NO_WORD, AT__COUNT };

enum rx_kind { RX_BYTE, RX_SET, RX_AT, RX_CAT, RX_ALT };
struct rx {
	uint8_t kind;
	bool wide, dead;         /* takes a byte at least; can never match */
	uint16_t arg;            /* byte, number of the set, enum rx_at */
	int16_t min, max;        /* how often; max -1: no end */
	struct rx *kid, *next;
};
/* v and sets belong to the tree: rx_free. */
struct rx_tree { struct rx *v, *root; size_t n, cap; struct rx_set *sets; size_t n_sets; };

/* parse_regex.c: RE2's syntax, on bytes. 0, -EINVAL with words in why, -E2BIG (the same), -ENODATA: it can never match, -ENOMEM. After
 * any of them the tree is to be freed. */
int rx_parse(const char *pattern, struct rx_tree *t, char *why, size_t cap);
void rx_free(struct rx_tree *t);

/* A record: the number of its programs, then they, each with its steps and sets behind it. Numbers in the machine's order, which is
 * little-endian, as everywhere in a generation. Steps have no order but x and y; the first is where a match begins. */
enum rx_op { OP_BYTE, OP_SET, OP_SPLIT, OP_JUMP, OP_AT, OP_MATCH, OP__COUNT };
struct rx_inst { uint8_t op, arg; uint16_t x, y, set; };  /* arg: byte, enum rx_at; y: OP_SPLIT */
enum { PROG_BEGIN = 1, PROG_EMPTY = 2, PROG_NEED = 4, PROG__ALL = 7 };
struct rx_prog {
	uint32_t n_insts, n_sets;
	uint32_t flags;          /* PROG_BEGIN: matches only from the beginning; PROG_EMPTY: may match no byte; PROG_NEED: need holds */
	uint32_t n_word;         /* 0, or a match has these bytes in a row */
	uint8_t word[RX_WORD_MAX];
	struct rx_set first, need; /* a match that takes a byte begins with one of these; it has one of those */
};
_Static_assert(sizeof(struct rx_inst) == 8 && sizeof(struct rx_prog) == 96, "a record has no padding");

#endif
