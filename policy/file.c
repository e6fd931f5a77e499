/* SPDX-License-Identifier: Apache-2.0 */
/* Files: states of the automata, and what is met below them. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "policy/image.h"
#include "policy/kept.h"

#define READ_OPS \
	(1u << POL_OP_READ | 1u << POL_OP_OPEN | 1u << POL_OP_STAT | 1u << POL_OP_LIST | 1u << POL_OP_READLINK | 1u << POL_OP_ACCESS)
/* What a path at or below a state can meet. */
enum {
	TREE_READ_ALLOW = 1, TREE_READ_OTHER = 2, TREE_WRITE_ALLOW = 4, TREE_WRITE_DENY = 8, TREE_WRITE_OTHER = 16, TREE_READ_DENY = 32,
	TREE_ALL = 63
};
#define MAKE_OPS \
	(1u << POL_OP_CREATE | 1u << POL_OP_WRITE | 1u << POL_OP_MKDIR | 1u << POL_OP_LINK | 1u << POL_OP_SYMLINK | 1u << POL_OP_MKNOD)
#define PAIRS_MAX ((size_t)20000)
#define CHAIN_MAX (POL_DFA_MAX * (2 * POL_LABELS_MAX + 1) + 1)
#define PASSES_MAX 32            /* over all states, until what is below them is taken as not known */

static uint8_t seen(int op, enum pol_decision d)
{
	if (READ_OPS >> op & 1)
		return d == POL_ALLOW ? TREE_READ_ALLOW : d == POL_DENY ? TREE_READ_DENY : TREE_READ_OTHER;
	return d == POL_ALLOW ? TREE_WRITE_ALLOW : d == POL_DENY ? TREE_WRITE_DENY : TREE_WRITE_OTHER;
}

/* Whether a rule with processes holds for who asks (who_is). */
static bool holds(const struct dfa_entry *e, struct pol_who who)
{
	uint64_t labels = (uint64_t)e->labels[1] << 32 | e->labels[0];

	if (!(e->bits & ENTRY_ASKS))
		return true;
	if (e->bits & ENTRY_ALLOWS)
		return !who.unknown && (labels & who.sure);
	return who.unknown || (labels & (who.sure | who.may));
}

/* One automaton's first rule for op, or NO_RULE. */
static uint32_t rule_in(const struct policy *p, size_t i, const struct pol_state *st, enum pol_op op, struct pol_who who)
{
	const struct dfa *d = &p->dfa[i];

	for (const struct dfa_entry *e = &d->entries[d->states[st->s[i]].match];; e++) {
		if ((e->bits >> op & 1) && kept_has(st, e) && holds(e, who))
			return e->rule;
		if (e->bits & ENTRY_LAST)
			return NO_RULE;
	}
}

static struct pol_verdict implicit(enum pol_op op)
{
	if (READ_OPS >> op & 1)
		return (struct pol_verdict){ .decision = POL_ALLOW, .rule_no = POL_NO_RULE, .rule = "default-allow-reads" };
	return (struct pol_verdict){ .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-files" };
}

struct pol_verdict policy_file(const struct policy *p, struct pol_state st, enum pol_op op, struct pol_who who)
{
	uint32_t best = kept_rule(p, &st, op);

	for (size_t i = 0; i < p->n_dfa; i++) {
		uint32_t r = rule_in(p, i, &st, op, who);

		best = r < best ? r : best;
	}
	return best < p->n[SEC_FILE] ? verdict_of(p, SEC_FILE, best) : implicit(op);
}

bool policy_file_asks(const struct policy *p, struct pol_state st, enum pol_op op)
{
	uint32_t asks = NO_RULE, rest = kept_rule(p, &st, op);

	for (size_t i = 0; i < p->n_dfa; i++)
		for (const struct dfa_entry *e = &p->dfa[i].entries[p->dfa[i].states[st.s[i]].match];; e++) {
			uint32_t *first = e->bits & ENTRY_ASKS ? &asks : &rest;

			if ((e->bits >> op & 1) && e->rule < *first && kept_has(&st, e))
				*first = e->rule;
			if (e->bits & ENTRY_LAST)
				break;
		}
	return asks < rest;
}

/* Where decisions stand: in the compiler's rules, or in a generation's. */
struct decisions { const struct rules *made; const struct img_rule *mapped; size_t n; };

static struct decisions mapped(const struct policy *p)
{
	return (struct decisions){ .mapped = p->rules[SEC_FILE], .n = p->n[SEC_FILE] };
}

static enum pol_decision decision_of(struct decisions files, uint32_t rule, enum pol_op op)
{
	if (rule >= files.n)
		return implicit(op).decision;
	return files.made ? files.made->v[rule].decision : (enum pol_decision)files.mapped[rule].decision;
}

/* What any of those who may ask could meet in a state; end: also where no rule speaks. */
static uint8_t meets(const struct dfa *d, uint32_t s, struct decisions files, bool end)
{
	uint8_t m = 0;

	for (int op = 0; op < POL_OP__COUNT; op++)
		for (const struct dfa_entry *e = &d->entries[d->states[s].match];; e++) {
			bool here = e->bits >> op & 1;

			if (here && (end || e->rule < files.n))
				m |= seen(op, decision_of(files, e->rule, (enum pol_op)op));
			if (here && !(e->bits & ENTRY_ASKS))
				break;
			if (e->bits & ENTRY_LAST) {
				m |= end ? seen(op, implicit((enum pol_op)op).decision) : 0;
				break;
			}
		}
	return m;
}

void file_trees(const struct dfa *d, const struct rules *files, uint8_t *tree)
{
	bool more = true;

	for (uint32_t s = 0; s < d->n_states; s++)
		tree[s] = s && d->states[s].match == d->states[s - 1].match ? tree[s - 1] : meets(d, s, (struct decisions){ .made = files,
			.n = files->n }, true);
	for (int pass = 0; more && pass < PASSES_MAX; pass++) {
		more = false;
		for (uint32_t s = d->n_states; s-- > 0;) {
			const struct dfa_slot *row = d->slots + d->states[s].base;
			uint8_t m = tree[s] | tree[d->states[s].other];

			for (uint32_t k = 0; k < d->n_classes && m != TREE_ALL; k++)
				m |= row[k].state == s ? tree[row[k].to] : 0;
			more |= m != tree[s];
			tree[s] = m;
		}
	}
	if (more)
		memset(tree, 0xff, d->n_states); /* not known: mixed */
}

struct pol_state policy_file_root(const struct policy *p)
{
	struct pol_state st = { 0 };

	for (size_t i = 0; i < p->n_dfa; i++)
		st.s[i] = p->dfa[i].root;
	return st;
}

struct pol_state policy_file_workspace(const struct policy *p)
{
	struct pol_state st = { 0 };

	for (size_t i = 0; i < p->n_dfa; i++) {
		kept_workspace(p, i, &st);
		st.s[i] = p->dfa[i].workspace;
	}
	return st;
}

struct pol_state policy_file_child(const struct policy *p, struct pol_state dir, const char *name, size_t n)
{
	for (size_t i = 0; i < p->n_dfa; i++) {
		const struct dfa *d = &p->dfa[i];

		if (dfa_is_names(d)) {
			dir.s[i] = names_child(d, dir.s[i], name, n);
			continue;
		}
		dir.s[i] = dfa_go(d, dir.s[i], d->class['/']);
		if (d->n_emit)
			kept_slash(d, i, &dir);
		dir.s[i] = dfa_walk(d, dir.s[i], name, n);
	}
	return dir;
}

bool pol_state_eq(struct pol_state a, struct pol_state b)
{
	return !memcmp(&a, &b, sizeof(a));
}

/* A file policy that one automaton answers, in which what is below a state depends on the state alone. */
static bool tells_trees(const struct policy *p)
{
	return p->n_dfa == 1 && !dfa_is_names(&p->dfa[0]) && !p->dfa[0].n_emit;
}

static enum pol_tree tree_of(const struct policy *p, uint32_t self, uint8_t below)
{
	uint8_t m = below | meets(&p->dfa[0], self, mapped(p), true);

	/* A pattern for all below /x that leaves out /x itself lets the directory itself fall to the implicit end: reading it decides
	 * nothing. A rule that speaks of it is meant. */
	if (below == (TREE_READ_ALLOW | TREE_WRITE_ALLOW))
		m = below | meets(&p->dfa[0], self, mapped(p), false);
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

enum pol_tree policy_file_tree(const struct policy *p, struct pol_state st)
{
	/* The directory itself and what is below "/", not names that only begin alike. */
	return tells_trees(p) ? tree_of(p, st.s[0], p->dfa[0].tree[dfa_walk(&p->dfa[0], st.s[0], "/", 1)]) : POL_TREE_MIXED;
}

static bool alone_in_class(const struct dfa *d, uint8_t byte)
{
	for (unsigned c = 1; c < 256; c++)
		if (c != byte && d->class[c] == d->class[byte])
			return false;
	return true;
}

/* What any text meets that goes on from s, but for `path` and what is below it. */
static uint8_t tree_without(const struct policy *p, uint32_t s, const char *path)
{
	const struct dfa *d = &p->dfa[0];
	uint8_t m = 0;

	for (;; path++) {
		uint8_t byte = (uint8_t)(*path ? *path : '/');

		m |= alone_in_class(d, byte) ? 0 : d->tree[s];
		for (uint32_t k = 0; k < d->n_classes; k++)
			if (k != d->class[byte] && k != d->class[0])
				m |= d->tree[dfa_go(d, s, k)];
		if (!*path)
			return m;
		s = dfa_go(d, s, d->class[byte]);
		if (path[1])
			m |= meets(d, s, mapped(p), true); /* on the way there */
	}
}

enum pol_tree policy_file_top(const struct policy *p, const char *name)
{
	size_t n = strlen(name);
	struct pol_state st = policy_file_child(p, policy_file_root(p), name, n);
	const char *w = p->workspace;

	if (!tells_trees(p) || w[0] != '/' || strncmp(w + 1, name, n) != 0 || w[n + 1] != '/' || !w[n + 2])
		return policy_file_tree(p, st);
	return tree_of(p, st.s[0], tree_without(p, dfa_walk(&p->dfa[0], st.s[0], "/", 1), w + n + 2));
}

static int strictness(enum pol_decision d)
{
	static const int rank[] = { [POL_ALLOW] = 0, [POL_AUDIT] = 0, [POL_SOFT_DELETE] = 1, [POL_REDIRECT] = 2, [POL_APPROVE] = 3,
		[POL_DENY] = 4, [POL_ABSORB] = 4 };

	return rank[d];
}

struct chain { uint32_t v[CHAIN_MAX]; size_t n; bool cut; };

/* In order, without what comes behind `last`. */
static void sort_below(struct chain *c, uint32_t last)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint32_t x = c->v[i];
		size_t k = n;

		if (x > last)
			continue;
		for (; k && c->v[k - 1] > x; k--)
			c->v[k] = c->v[k - 1];
		c->v[k] = x;
		n++;
	}
	c->n = n;
}

/* The rules that could decide op for one or another who, in order; the last decides for all the rest, NO_RULE where it is the end.
 * cut: they do not fit, which no list of the compiler's does: it has two rules for each label at most, and one for who is unknown. */
static void chain_of(const struct policy *p, const struct pol_state *st, enum pol_op op, struct chain *c)
{
	uint32_t last = kept_rule(p, st, op);

	c->n = 0;
	c->cut = false;
	for (size_t i = 0; i < p->n_dfa; i++)
		for (const struct dfa_entry *e = &p->dfa[i].entries[p->dfa[i].states[st->s[i]].match];; e++) {
			bool here = (e->bits >> op & 1) && kept_has(st, e);

			if (here && !(e->bits & ENTRY_ASKS)) {
				last = e->rule < last ? e->rule : last;
				break;
			}
			if (here)
				c->cut |= c->n == CHAIN_MAX - 1;
			if (here && !c->cut)
				c->v[c->n++] = e->rule;
			if (e->bits & ENTRY_LAST)
				break;
		}
	if (c->n)
		sort_below(c, last);
	c->v[c->n++] = last;
}

struct range { int least, most; };

static struct range range_of(const struct policy *p, const struct chain *c, enum pol_op op)
{
	struct range r = { INT_MAX, 0 };

	for (size_t i = 0; i < c->n; i++) {
		int s = strictness(decision_of(mapped(p), c->v[i], op));

		r.least = s < r.least ? s : r.least;
		r.most = s > r.most ? s : r.most;
	}
	return r;
}

/* Whoever asks. stricter_for: operations (bits) for which b may not be stricter either. */
static bool as_strict(const struct policy *p, const struct pol_state *a, const struct pol_state *b, unsigned stricter_for)
{
	struct chain from, to;
	bool alike = kept_eq(a, b);

	for (size_t i = 0; i < p->n_dfa; i++)
		alike &= p->dfa[i].states[a->s[i]].match == p->dfa[i].states[b->s[i]].match;
	for (int op = 0; !alike && op < POL_OP__COUNT; op++) {
		struct range now, then;

		chain_of(p, a, (enum pol_op)op, &from);
		chain_of(p, b, (enum pol_op)op, &to);
		if (from.cut || to.cut)
			return false;
		if (from.n == to.n && !memcmp(from.v, to.v, from.n * sizeof(from.v[0])))
			continue;
		now = range_of(p, &from, (enum pol_op)op);
		then = range_of(p, &to, (enum pol_op)op);
		if (then.least < now.most || ((stricter_for >> op & 1) && then.most > now.least))
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
	bool ok = pairs_add(q, dfa_go(d, from, slash), dfa_go(d, to, slash));

	while (ok && q->head < q->tail) {
		uint32_t a = (uint32_t)(q->queue[q->head] >> 32), b = (uint32_t)q->queue[q->head];

		q->head++;
		/* What a rule says may not be made there would come in with the directory. */
		ok = as_strict(p, &(struct pol_state){ .s = { a } }, &(struct pol_state){ .s = { b } }, MAKE_OPS);
		for (uint32_t k = 0; ok && k < d->n_classes; k++)
			if (k != d->class[0])
				ok = pairs_add(q, dfa_go(d, a, k), dfa_go(d, b, k));
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
	if (p->n_dfa != 1 || dfa_is_names(&p->dfa[0]) || p->dfa[0].n_emit)
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
	for (size_t i = 0; i < p->n_dfa; i++) {
		const struct dfa *d = &p->dfa[i];

		if (dfa_is_names(d))
			st.s[i] = names_path(d, st.s[i], path);
		else
			kept_walk(d, i, &st, path);
	}
	return st;
}
