/* SPDX-License-Identifier: Apache-2.0 */
/* What a path has met for good: emitted by states that a slash leads to, and carried along in the state of the path. */
#include "policy/kept.h"

#include <errno.h>
#include <stdlib.h>

/* Begins of globs that are emitted at `at`, a place plus one. True when one is new. */
static bool arm(const struct dfa *d, uint32_t at, uint64_t kept[POL_KEPT_MAX / 64])
{
	bool more = false;

	if (!at)
		return false;
	for (const struct dfa_entry *e = &d->entries[at - 1];; e++) {
		uint64_t bit = 1ull << e->labels[0] % 64;

		if (e->bits & ENTRY_ARMED) {
			more |= !(kept[e->labels[0] / 64] & bit);
			kept[e->labels[0] / 64] |= bit;
		}
		if (e->bits & ENTRY_LAST)
			return more;
	}
}

static void match(const struct dfa *d, uint32_t at, struct pol_state *st)
{
	for (const struct dfa_entry *e = &d->entries[at - 1];; e++) {
		uint16_t rank = (uint16_t)(STICKY_MAX - e->labels[0]);

		for (uint32_t ops = e->bits & ENTRY_ARMED ? 0 : e->bits & ((1u << POL_OP__COUNT) - 1); ops; ops &= ops - 1) {
			uint16_t *first = &st->first[__builtin_ctz(ops)];

			*first = rank > *first ? rank : *first;
		}
		if (e->bits & ENTRY_LAST)
			return;
	}
}

void kept_slash(const struct dfa *d, size_t i, struct pol_state *st)
{
	uint64_t all[POL_KEPT_MAX / 64];
	uint16_t at = d->emit[st->s[i]];

	arm(d, st->late[i], st->kept);
	st->late[i] = 0;
	if (!at)
		return;
	match(d, at, st);
	/* What is met again says nothing new: equal states stay equal. */
	memcpy(all, st->kept, sizeof(all));
	if (arm(d, at, all))
		st->late[i] = at;
}

void kept_walk(const struct dfa *d, size_t i, struct pol_state *st, const char *path)
{
	if (!d->n_emit) {
		st->s[i] = dfa_walk(d, st->s[i], path, strlen(path));
		return;
	}
	for (; *path; path++) {
		st->s[i] = dfa_go(d, st->s[i], d->class[(uint8_t)*path]);
		if (*path == '/')
			kept_slash(d, i, st);
	}
}

void kept_workspace(const struct policy *p, size_t i, struct pol_state *st)
{
	const char *names[] = { p->workspace, "/workspace" };

	for (size_t k = 0; p->dfa[i].n_emit && k < ARRAY_LEN(names); k++) {
		struct pol_state at = { .s = { 0 } };

		at.s[i] = p->dfa[i].root;
		kept_walk(&p->dfa[i], i, &at, names[k]);
		/* Nothing in the workspace's own state needs a begin, so that those met with its name are not late any more. */
		arm(&p->dfa[i], at.late[i], at.kept);
		for (size_t w = 0; w < ARRAY_LEN(st->kept); w++)
			st->kept[w] |= at.kept[w];
		for (size_t op = 0; op < POL_OP__COUNT; op++)
			st->first[op] = at.first[op] > st->first[op] ? at.first[op] : st->first[op];
	}
}

static bool is_sticky(const struct dfa_entry *e)
{
	return (e->bits & (ENTRY_EMIT | ENTRY_ARMED)) == ENTRY_EMIT;
}

int kept_load(struct policy *p)
{
	uint32_t n = 0;

	for (size_t i = 0; i < p->n_dfa; i++)
		for (uint32_t k = 0; k < p->dfa[i].n_emit; k++)
			if (is_sticky(&p->dfa[i].entries[k]) && p->dfa[i].entries[k].labels[0] >= n)
				n = p->dfa[i].entries[k].labels[0] + 1;
	free(p->sticky);
	p->n_sticky = 0;
	p->sticky = malloc((n + 1) * sizeof(*p->sticky));
	if (!p->sticky)
		return -ENOMEM;
	p->n_sticky = n;
	memset(p->sticky, 0, n * sizeof(*p->sticky));
	for (size_t i = 0; i < p->n_dfa; i++)
		for (uint32_t k = 0; k < p->dfa[i].n_emit; k++)
			if (is_sticky(&p->dfa[i].entries[k]))
				p->sticky[p->dfa[i].entries[k].labels[0]] = p->dfa[i].entries[k].rule;
	return 0;
}
