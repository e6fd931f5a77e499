/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the file side: rules written in C to an open policy whose automata were records once. Include after cmocka.h. */
#ifndef TESTS_UNIT_POLICY_FILES_H
#define TESTS_UNIT_POLICY_FILES_H

#include <stdlib.h>
#include <string.h>

#include "policy/dfa.h"
#include "policy/image.h"
#include "policy/nfa.h"
#include "tests/unit/policy/gen.h"

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

/* Of the policy that was opened last: its rules, and its automata's records, which it uses in place of the generation's. */
static struct model files_model;
static uint32_t *files_record[POL_DFA_MAX];

static inline int file_put(void *arg, const struct dfa *d)
{
	struct policy *p = arg;
	size_t n = dfa_size(d);
	uint32_t *record = malloc(n);
	struct wr w = wr_init(record, n);

	assert_int_equal(dfa_write(&w, d), 0);
	assert_int_equal(wr_len(&w), n);
	assert_int_equal(dfa_map(record, n, &p->dfa[p->n_dfa]), 0);
	free(files_record[p->n_dfa]);
	files_record[p->n_dfa++] = record;
	return 0;
}

static inline void files_end(void)
{
	model_fini(&files_model);
	for (size_t i = 0; i < POL_DFA_MAX; i++) {
		free(files_record[i]);
		files_record[i] = NULL;
	}
}

static inline void files_pieces(struct policy *p, size_t pieces)
{
	const struct rules *r = &files_model.files;
	uint64_t *labels = calloc(r->n + 1, sizeof(*labels)), left = DFA_WORK_MAX;
	const bool by_kind = pieces == 2, kept = pieces >= 4;
	struct strs all = { 0 };
	struct keep keep;

	pieces = by_kind ? 3 : kept ? pieces - 3 : pieces;
	assert_int_equal(keep_init(&keep, r), 0);
	assert_int_equal(labels_of(&files_model, &all), 0);
	for (size_t i = 0; i < r->n; i++)
		labels[i] = r->v[i].more ? labels_mask(&all, &r->v[i].more->processes) : 0;
	for (size_t i = 0; i < pieces; i++) {
		struct dfa_input in = { .rules = r, .labels = labels, .workspace = "/home/u/ws", .kinds = GLOBS_ALL,
					.from = r->n * i / pieces, .to = r->n * (i + 1) / pieces, .keep = kept ? &keep : NULL };
		struct automaton a = { 0 };

		if (by_kind) {
			in.from = 0;
			in.to = r->n;
			in.kinds = 1u << i;
		}
		assert_int_equal((in.kinds == GLOBS_PLAIN ? names_build : dfa_build)(&in, &a, &left), 0);
		file_put(p, &a.d);
		automaton_fini(&a);
	}
	keep_fini(&keep);
	strs_fini(&all);
	free(labels);
}

/* Takes the rules. pieces: in how many automata; 0: as the compiler would; 2: apart by kind; 4, 5: one or two, and much is kept beside. */
static inline struct policy *files_open(struct rules *rules, size_t pieces)
{
	struct policy *p;

	files_end();
	files_model.files = *rules;
	files_model.name = strdup("files");
	files_model.file = strdup("files.yaml");
	*rules = (struct rules){ 0 };
	p = gen_open(&files_model);
	p->n_dfa = 0;
	if (pieces)
		files_pieces(p, pieces);
	else
		assert_int_equal(dfa_all(&files_model, "/home/u/ws", file_put, p, NULL), 0);
	assert_int_equal(kept_load(p), 0);
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
