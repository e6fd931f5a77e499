/* SPDX-License-Identifier: Apache-2.0 */
/* Files: states of the automata, and what is met below them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

#define READ_OPS \
	(1u << POL_OP_READ | 1u << POL_OP_OPEN | 1u << POL_OP_STAT | 1u << POL_OP_LIST | 1u << POL_OP_READLINK | 1u << POL_OP_ACCESS)
/* What a path at or below a state can meet. */
enum { TREE_READ_ALLOW = 1, TREE_READ_OTHER = 2, TREE_WRITE_ALLOW = 4, TREE_WRITE_DENY = 8, TREE_WRITE_OTHER = 16, TREE_READ_DENY = 32 };
#define MAKE_OPS \
	(1u << POL_OP_CREATE | 1u << POL_OP_WRITE | 1u << POL_OP_MKDIR | 1u << POL_OP_LINK | 1u << POL_OP_SYMLINK | 1u << POL_OP_MKNOD)
#define PAIRS_MAX ((size_t)20000)

static struct pol_verdict file_verdict(const struct policy *p, const struct pol_state *st, enum pol_op op)
{
	uint32_t best = NO_RULE;

	for (size_t i = 0; i < p->n_dfa; i++) {
		uint32_t r = dfa_rule(&p->dfa[i], st->s[i], op);

		best = r < best ? r : best;
	}
	if (best < p->m.files.n)
		return verdict_of(&p->m.files.v[best], best);
	if (READ_OPS >> op & 1)
		return (struct pol_verdict){ .decision = POL_ALLOW, .rule_no = POL_NO_RULE, .rule = "default-allow-reads" };
	return (struct pol_verdict){ .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-files" };
}

struct pol_verdict policy_file(const struct policy *p, struct pol_state st, enum pol_op op, struct pol_who who UNUSED)
{
	return file_verdict(p, &st, op);
}

static uint8_t meets(const struct policy *p, const struct pol_state *st)
{
	uint8_t m = 0;

	for (int op = 0; op < POL_OP__COUNT; op++) {
		enum pol_decision d = file_verdict(p, st, (enum pol_op)op).decision;

		if (READ_OPS >> op & 1)
			m |= d == POL_ALLOW ? TREE_READ_ALLOW : d == POL_DENY ? TREE_READ_DENY : TREE_READ_OTHER;
		else
			m |= d == POL_ALLOW ? TREE_WRITE_ALLOW : d == POL_DENY ? TREE_WRITE_DENY : TREE_WRITE_OTHER;
	}
	return m;
}

/* One automaton: what is met below each state, by a fixpoint over its edges. Several: their product is not walked, trees are mixed. */
int file_trees(struct policy *p)
{
	struct dfa *d = &p->dfa[0];
	uint8_t *of_row;
	bool more = true;

	if (p->n_dfa != 1)
		return 0;
	of_row = calloc(d->n_rows + 1, 1);
	if (!of_row)
		return -ENOMEM;
	for (uint32_t s = 0; s < d->n_states; s++) {
		struct pol_state st = { { s } };
		uint8_t *m = &of_row[d->accept[s]];

		if (!*m)
			*m = meets(p, &st);
		d->tree[s] = *m;
	}
	free(of_row);
	while (more) {
		more = false;
		for (uint32_t s = d->n_states; s-- > 0;) {
			uint8_t m = d->tree[s];

			/* The class of NUL is in no name. */
			for (uint32_t k = 0; k < d->n_classes; k++)
				if (k != d->class[0])
					m |= d->tree[d->next[(size_t)s * d->n_classes + k]];
			more |= m != d->tree[s];
			d->tree[s] = m;
		}
	}
	return 0;
}

static uint32_t walk1(const struct dfa *d, uint32_t s, const char *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s = d->next[(size_t)s * d->n_classes + d->class[(uint8_t)t[i]]];
	return s;
}

struct pol_state policy_file_root(const struct policy *p)
{
	struct pol_state st = { { 0 } };

	for (size_t i = 0; i < p->n_dfa; i++)
		st.s[i] = p->dfa[i].root;
	return st;
}

struct pol_state policy_file_workspace(const struct policy *p)
{
	struct pol_state st = { { 0 } };

	for (size_t i = 0; i < p->n_dfa; i++)
		st.s[i] = p->dfa[i].workspace;
	return st;
}

struct pol_state policy_file_child(const struct policy *p, struct pol_state dir, const char *name, size_t n)
{
	for (size_t i = 0; i < p->n_dfa; i++)
		dir.s[i] = walk1(&p->dfa[i], walk1(&p->dfa[i], dir.s[i], "/", 1), name, n);
	return dir;
}

bool pol_state_eq(struct pol_state a, struct pol_state b)
{
	return !memcmp(&a, &b, sizeof(a));
}

enum pol_tree policy_file_tree(const struct policy *p, struct pol_state st)
{
	uint32_t self = st.s[0];
	uint8_t m, below;

	if (p->n_dfa != 1)
		return POL_TREE_MIXED;
	/* The directory itself and what is below "/", not names that only begin alike. */
	below = p->dfa[0].tree[walk1(&p->dfa[0], self, "/", 1)];
	m = below | meets(p, &st);
	/* A pattern for all below /x that leaves out /x itself lets the directory itself fall to the implicit end: reading it decides
	 * nothing. */
	if (below == (TREE_READ_ALLOW | TREE_WRITE_ALLOW) || below == TREE_READ_ALLOW)
		m = below;
	switch (m) {
	case TREE_READ_ALLOW | TREE_WRITE_DENY:
		return POL_TREE_RO;
	case TREE_READ_ALLOW | TREE_WRITE_ALLOW:
		return POL_TREE_RW;
	case TREE_READ_DENY | TREE_WRITE_DENY:
		return POL_TREE_NONE;
	default:
		return POL_TREE_MIXED;
	}
}

static int strictness(enum pol_decision d)
{
	static const int rank[] = { [POL_ALLOW] = 0, [POL_AUDIT] = 0, [POL_SOFT_DELETE] = 1, [POL_REDIRECT] = 2, [POL_APPROVE] = 3,
		[POL_DENY] = 4, [POL_ABSORB] = 4 };

	return rank[d];
}

/* stricter_for: operations (bits) for which b may not be stricter either. */
static bool as_strict(const struct policy *p, const struct pol_state *a, const struct pol_state *b, unsigned stricter_for)
{
	for (int op = 0; op < POL_OP__COUNT; op++) {
		int now = strictness(file_verdict(p, a, (enum pol_op)op).decision);
		int then = strictness(file_verdict(p, b, (enum pol_op)op).decision);

		if (then < now || (then > now && (stricter_for >> op & 1)))
			return false;
	}
	return true;
}

struct pairs { uint64_t *seen, *queue; size_t head, tail; };

/* False when there are more pairs than are looked at: then nothing is known, and the rename is refused. */
static bool pairs_add(struct pairs *q, uint32_t from, uint32_t to)
{
	static const size_t cap = PAIRS_MAX * 4;
	uint64_t pair = (uint64_t)from << 32 | to;
	size_t at = (size_t)((pair * 0x9e3779b97f4a7c15ull >> 32) % cap);

	if (from == to)
		return true;
	while (q->seen[at] && q->seen[at] != pair + 1)
		at = (at + 1) % cap;
	if (q->seen[at])
		return true;
	if (q->tail == PAIRS_MAX)
		return false;
	q->seen[at] = pair + 1;
	q->queue[q->tail++] = pair;
	return true;
}

/* Walks every continuation of the two names at once: below a directory all of them begin with a slash. */
static bool below_as_strict(const struct policy *p, struct pairs *q, uint32_t from, uint32_t to)
{
	const struct dfa *d = &p->dfa[0];
	uint32_t slash = d->class['/'];
	bool ok = pairs_add(q, d->next[(size_t)from * d->n_classes + slash], d->next[(size_t)to * d->n_classes + slash]);

	while (ok && q->head < q->tail) {
		uint32_t a = (uint32_t)(q->queue[q->head] >> 32), b = (uint32_t)q->queue[q->head];

		q->head++;
		/* What a rule says may not be made there would come in with the directory. */
		ok = as_strict(p, &(struct pol_state){ { a } }, &(struct pol_state){ { b } }, MAKE_OPS);
		for (uint32_t k = 0; ok && k < d->n_classes; k++)
			if (k != d->class[0])
				ok = pairs_add(q, d->next[(size_t)a * d->n_classes + k], d->next[(size_t)b * d->n_classes + k]);
	}
	return ok;
}

bool policy_file_rename_safe(const struct policy *p, struct pol_state from, struct pol_state to, bool is_dir)
{
	struct pairs q = { 0 };
	bool ok;

	if (pol_state_eq(from, to))
		return true;
	if (!as_strict(p, &from, &to, 0))
		return false;
	if (!is_dir)
		return true;
	if (p->n_dfa != 1)
		return false;
	q.seen = calloc(PAIRS_MAX * 4, sizeof(*q.seen));
	q.queue = calloc(PAIRS_MAX, sizeof(*q.queue));
	ok = q.seen && q.queue && below_as_strict(p, &q, from.s[0], to.s[0]);
	free(q.seen);
	free(q.queue);
	return ok;
}

struct pol_state policy_file_path(const struct policy *p, const char *path)
{
	const char *names[] = { p->workspace, "/workspace" };
	struct pol_state st = policy_file_root(p);

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(names[i]);

		if (!strncmp(path, names[i], n) && (!path[n] || path[n] == '/')) {
			st = policy_file_workspace(p);
			path += n;
			break;
		}
	}
	for (size_t i = 0; i < p->n_dfa; i++)
		st.s[i] = walk1(&p->dfa[i], st.s[i], path, strlen(path));
	return st;
}
