/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the evaluator: a model filled in by hand to an open policy. Include after cmocka.h. */
#ifndef TESTS_UNIT_POLICY_GEN_H
#define TESTS_UNIT_POLICY_GEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/evt.h"
#include "policy/compile.h"
#include "policy/dfa.h"
#include "policy/image.h"

#define STRS(...) ((struct strs){ (char *[]){ __VA_ARGS__, NULL }, sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *) })
#define MORE(...) (&(struct rule_more){ __VA_ARGS__ })
#define RULES(...) ((struct rules){ (struct rule[]){ __VA_ARGS__ }, sizeof((struct rule[]){ __VA_ARGS__ }) / sizeof(struct rule) })
#define ALL_OPS ((1u << POL_OP__COUNT) - 1)

struct gen { struct store *store; uint32_t n; };

static inline int gen_put(void *arg, const struct dfa *d)
{
	struct gen *g = arg;
	uint8_t *bytes = malloc(dfa_size(d));
	struct wr w = wr_init(bytes, dfa_size(d));
	struct err err = { 0 };
	char key[16];
	int r;

	snprintf(key, sizeof(key), "dfa%u", g->n++);
	r = dfa_write(&w, d);
	if (r == 0)
		r = store_put(g->store, key, bytes, wr_len(&w), &err);
	free(bytes);
	return r;
}

/* A generation's descriptor and hash. Its patterns are compiled here: match, and args_patterns of commands. */
static inline int gen_make(struct model *m, uint8_t hash[32])
{
	struct gen g = { 0 };
	struct err err = { 0 };
	void *image;
	size_t n;
	int fd;

	assert_int_equal(store_begin(&g.store, &err), 0);
	assert_int_equal(dfa_all(m, "/home/u/ws", gen_put, &g, NULL), 0);
	if (image_make(m, "/home/u/ws", g.n, &image, &n, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(store_put(g.store, "rule", image, n, &err), 0);
	free(image);
	assert_int_equal(store_end(g.store, &fd, &err), 0);
	assert_int_equal(sha256_fd(fd, hash), 0);
	return fd;
}

static inline struct policy *gen_open(struct model *m)
{
	struct policy *p = NULL;
	struct err err = { 0 };
	uint8_t hash[32];
	int fd = gen_make(m, hash);

	if (policy_open(fd, hash, &p, &err) < 0)
		fail_msg("%s", err.msg);
	close(fd);
	return p;
}

/* Compiles what text patterns the model has, into memory that lives on: the caller frees with gen_regex_free. */
static inline void gen_regex(const struct strs *s, uint8_t **ret, size_t *ret_len)
{
	char why[128];
	size_t which;

	if (regex_compile(s, ret, ret_len, why, sizeof(why), &which) < 0)
		fail_msg("%s", why);
}

#define assert_verdict(v, d, r)                                                                    \
	do {                                                                                       \
		struct pol_verdict v_ = (v);                                                       \
		if (v_.decision != (d) || strcmp(v_.rule, (r)) != 0)                               \
			fail_msg("%s:%d: got %s %s", __FILE__, __LINE__, pol_decision_name(v_.decision), v_.rule); \
	} while (0)

#endif
