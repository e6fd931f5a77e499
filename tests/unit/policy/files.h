/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the file side: rules written in C to an open policy whose automata were records once. Include after cmocka.h. */
#ifndef TESTS_UNIT_POLICY_FILES_H
#define TESTS_UNIT_POLICY_FILES_H

#include <stdlib.h>
#include <string.h>

#include "policy/dfa.h"
#include "policy/nfa.h"

#define OPS_ALL ((1u << POL_OP__COUNT) - 1)
#define OP(x) (1u << POL_OP_##x)
#define READS (OP(READ) | OP(OPEN) | OP(STAT) | OP(LIST) | OP(READLINK) | OP(ACCESS))

/* One rule: globs and processes are lists with blanks between. */
struct file_rule { const char *globs, *processes; enum pol_decision decision; uint32_t ops; };

static inline struct strs words(const char *text)
{
	struct strs s = { calloc(strlen(text) + 2, sizeof(char *)), 0 };

	while (*(text += strspn(text, " "))) {
		s.v[s.n++] = strndup(text, strcspn(text, " "));
		text += strcspn(text, " ");
	}
	return s;
}

static inline void file_rules_add(struct rules *r, const struct file_rule *f)
{
	struct rule *u;

	if (!(r->n & (r->n - 1)))
		r->v = realloc(r->v, (r->n ? 2 * r->n : 1) * sizeof(*r->v));
	u = &r->v[r->n];
	*u = (struct rule){ .decision = f->decision, .ops = f->ops };
	u->name = malloc(16);
	snprintf(u->name, 16, "r%zu", r->n++);
	u->paths = words(f->globs);
	if (f->processes)
		rule_more(u)->processes = words(f->processes);
}

static inline int file_put(void *arg, const struct dfa *d)
{
	struct policy *p = arg;
	size_t n = dfa_size(d);
	uint8_t *record = malloc(n);
	struct wr w = wr_init(record, n);

	assert_int_equal(dfa_write(&w, d), 0);
	assert_int_equal(wr_len(&w), n);
	assert_int_equal(dfa_map(record, n, &p->dfa[p->n_dfa]), 0);
	p->dfa_data[p->n_dfa++] = record;
	return 0;
}

/* Takes the rules. pieces: in how many automata; 0: as the compiler would; 2: apart by kind. */
static inline struct policy *files_open(struct rules *rules, size_t pieces)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct strs all = { 0 };
	uint64_t *labels = calloc(rules->n + 1, sizeof(*labels)), left = DFA_WORK_MAX;

	p->m.files = *rules;
	*rules = (struct rules){ 0 };
	p->workspace = strdup("/home/u/ws");
	if (!pieces)
		assert_int_equal(dfa_all(&p->m, p->workspace, file_put, p), 0);
	assert_int_equal(labels_of(&p->m, &all), 0);
	for (size_t i = 0; i < p->m.files.n; i++)
		labels[i] = p->m.files.v[i].more ? labels_mask(&all, &p->m.files.v[i].more->processes) : 0;
	for (size_t i = 0; i < pieces + (pieces == 2); i++) {
		struct dfa_input in = { .rules = &p->m.files, .labels = labels, .workspace = p->workspace, .kinds = GLOBS_ALL,
					.from = p->m.files.n * i / pieces, .to = p->m.files.n * (i + 1) / pieces };
		struct automaton a = { 0 };

		if (pieces == 2) { /* by kind */
			in.from = 0;
			in.to = p->m.files.n;
			in.kinds = 1u << i;
		}
		assert_int_equal((in.kinds == GLOBS_PLAIN ? names_build : dfa_build)(&in, &a, &left), 0);
		file_put(p, &a.d);
		automaton_fini(&a);
	}
	strs_fini(&all);
	free(labels);
	return p;
}

static inline struct policy *files_of(const struct file_rule *f, size_t n, size_t pieces)
{
	struct rules rules = { 0 };

	for (size_t i = 0; i < n; i++)
		file_rules_add(&rules, &f[i]);
	return files_open(&rules, pieces);
}

#endif
