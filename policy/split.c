/* SPDX-License-Identifier: Apache-2.0 */
/* All file globs of a policy to as few automata as hold them. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "policy/dfa.h"
#include "policy/nfa.h"

struct split {
	struct dfa_input in;
	uint64_t left, left_kept;
	uint32_t n;
	size_t at;                  /* the first rule that found no room */
	struct keep keep;
	int (*put)(void *arg, const struct dfa *d);
	void *arg;
};

static unsigned kinds_of(const struct rules *rules, size_t from, size_t to)
{
	unsigned kinds = 0;

	for (size_t i = from; i < to && kinds != GLOBS_ALL; i++)
		for (size_t k = 0; k < rules->v[i].paths.n; k++)
			kinds |= nfa_kind(rules->v[i].paths.v[k]);
	return kinds;
}

/* kept: with all that can be left to what is kept beside the states. */
static int one(struct split *s, size_t from, size_t to, unsigned kinds, bool kept)
{
	uint64_t *left = kept ? &s->left_kept : &s->left;
	/* A failed attempt leaves most of the work for smaller ones. */
	uint64_t share = *left / 4, given = share;
	struct automaton a = { 0 };
	int r;

	if (s->n == POL_DFA_MAX)
		return -E2BIG;
	s->in.from = from;
	s->in.to = to;
	s->in.kinds = kinds;
	s->in.keep = kept ? &s->keep : NULL;
	r = kinds == GLOBS_PLAIN ? names_build(&s->in, &a, &share) : dfa_build(&s->in, &a, &share);
	*left -= given - share;
	if (r == 0)
		r = s->put(s->arg, &a.d);
	s->n += r == 0;
	automaton_fini(&a);
	return r;
}

/* What is too large, or takes too long, by halves. Each is put and let go before the next is built. */
static int cover(struct split *s, size_t from, size_t to, unsigned kind)
{
	size_t half = from + (to - from) / 2;
	int r;

	if (!(kinds_of(s->in.rules, from, to) & kind))
		return 0;
	r = one(s, from, to, kind, false);
	if ((r == -E2BIG || r == -ETIME) && kind != GLOBS_PLAIN && s->n < POL_DFA_MAX)
		r = one(s, from, to, kind, true);
	if (r < 0 && (s->n == POL_DFA_MAX || to - from < 2))
		s->at = from;
	if ((r != -E2BIG && r != -ETIME) || to - from < 2)
		return r;
	r = cover(s, from, half, kind);
	return r < 0 ? r : cover(s, half, to, kind);
}

/* One automaton when it can be, which alone knows what is below a directory; else apart by kind. */
static int cover_all(struct split *s)
{
	int r = one(s, 0, s->in.rules->n, GLOBS_ALL, false);

	if (r != -E2BIG && r != -ETIME)
		return r;
	r = 0;
	for (unsigned kind = 1; r == 0 && kind < GLOBS_ALL; kind <<= 1)
		r = cover(s, 0, s->in.rules->n, kind);
	return r;
}

int dfa_all(const struct model *m, const char *workspace, int (*put)(void *arg, const struct dfa *d), void *arg, size_t *ret_rule)
{
	struct split s = { .in = { .rules = &m->files, .workspace = workspace }, .left = DFA_WORK_MAX,
			   .left_kept = DFA_WORK_MAX / 4, .put = put, .arg = arg };
	struct strs all = { 0 };
	uint64_t *labels = NULL;
	int r = labels_of(m, &all);

	/* Large tables each in pages of their own, also after some were freed: they grow without a copy, and go back when done with. */
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	if (r == 0 && all.n) {
		labels = calloc(m->files.n + 1, sizeof(*labels));
		r = labels ? 0 : -ENOMEM;
		for (size_t i = 0; labels && i < m->files.n; i++)
			if (m->files.v[i].more)
				labels[i] = labels_mask(&all, &m->files.v[i].more->processes);
		s.in.labels = labels;
	}
	if (r == -E2BIG)
		r = -EOVERFLOW;
	if (r == 0)
		r = keep_init(&s.keep, &m->files);
	if (r == 0)
		r = cover_all(&s);
	if (ret_rule)
		*ret_rule = s.at;
	keep_fini(&s.keep);
	free(labels);
	strs_fini(&all);
	return r;
}
