/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the comparison of two policies share. Compiler only. */
#ifndef POLICY_DIFF_H
#define POLICY_DIFF_H

#include "policy/compile.h"
#include "policy/model.h"
#include "policy/yaml.h"

/* compile.c: text to model; the caller's to fini also on failure. 0 or -EINVAL with errors reported. */
int read_model(const struct pol_source *src, struct diag *d, bool vars_may_miss, struct model *m);

/* Texts, each once after pool_done. full: some were left out. max 0: POOL_MAX. */
#define POOL_MAX ((size_t)20000)
struct pool { char **v; size_t n, cap, max; bool full; };
void pool_add(struct pool *p, const char *text);
void pool_addn(struct pool *p, const char *text, size_t n);
void pool_done(struct pool *p);
void pool_fini(struct pool *p);

/* example.c: a few texts that the pattern matches, as far as it is simple; nothing is promised of them. sep as in wild.c. */
void example_glob(const char *glob, char sep, struct pool *out);
void example_regex(const char *pattern, struct pool *out);

#define DIFF_SECTION_MS 1000
#define DIFF_FILES_MS 4000

/* Who asks: the label of one program in each policy. name NULL: nobody of note. */
struct asker { const char *name; struct pol_who who[2]; };
struct group;
struct differ {
	struct model m[2];
	struct policy *p[2];
	bool by_name, failed;               /* failed: no memory */
	struct group *groups;
	size_t n_groups, cap_groups;
	uint32_t *table;                    /* of groups, by hash; 0: none */
	size_t cap_table;
	const char *workspace;              /* its real path */
	struct buf question;                /* of the answer that is being compared */
	size_t question_head, question_rest;   /* where its first words begin, behind who asks, and end */
	struct pool programs;               /* that processes entries name */
	struct asker *askers;               /* the first is nobody of note */
	size_t n_askers;
	uint64_t until;                     /* CLOCK_MONOTONIC, ms: the section's end */
	uint32_t asked;
	bool cut;                           /* of this section not all was looked at */
};
/* One side of an answer. */
struct side { const char *decision, *rule; const char *more; };
/* Whether the verdicts differ in what counts. */
bool diff_differs(const struct differ *d, const struct pol_verdict *a, const struct pol_verdict *b);
/* Notes that d->question has these answers. op: of files, the one that its first words name; else -1. */
void diff_note(struct differ *d, const char *section, const struct side s[2], int op);
void diff_note_verdicts(struct differ *d, const char *section, const struct pol_verdict *a, const struct pol_verdict *b, int op);
/* Counts a question; false when the section's time is over. */
bool diff_time(struct differ *d);
/* Puts a word into the question, a blank before it and quoted as a shell's when need be. */
void diff_word(struct differ *d, const char *text);
void diff_begin(struct differ *d, const struct asker *w, const char *fmt, ...) PRINTF_LIKE(3, 4);   /* the question's first words */

void diff_files(struct differ *d);
void diff_nets(struct differ *d);
void diff_execs(struct differ *d);
void diff_unixes(struct differ *d);
void diff_signals(struct differ *d);
void diff_envs(struct differ *d);
void diff_redirects(struct differ *d);
void diff_services(struct differ *d);
void diff_settings(struct differ *d);

#endif
