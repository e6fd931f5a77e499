/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a generation and answers about files and networks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/evt.h"
#include "common/ipc.h"
#include "common/str.h"
#include "policy/compile.h"
#include "policy/model.h"

#define READ_OPS \
	(1u << POL_OP_READ | 1u << POL_OP_OPEN | 1u << POL_OP_STAT | 1u << POL_OP_LIST | 1u << POL_OP_READLINK | 1u << POL_OP_ACCESS)
/* What a path at or below a state can meet. */
enum { TREE_READ_ALLOW = 1, TREE_READ_OTHER = 2, TREE_WRITE_ALLOW = 4, TREE_WRITE_DENY = 8, TREE_WRITE_OTHER = 16, TREE_READ_DENY = 32 };
#define MAKE_OPS \
	(1u << POL_OP_CREATE | 1u << POL_OP_WRITE | 1u << POL_OP_MKDIR | 1u << POL_OP_LINK | 1u << POL_OP_SYMLINK | 1u << POL_OP_MKNOD)
#define PAIRS_MAX ((size_t)20000)

const char *pol_decision_name(enum pol_decision d)
{
	static const char *const names[] = { "deny", "allow", "approve", "redirect", "audit", "soft_delete" };

	return d < POL__COUNT ? names[d] : "deny";
}

const char *pol_op_name(enum pol_op op)
{
	static const char *const names[] = { "read", "open", "stat", "list", "write", "create", "mkdir", "chmod", "chown", "rename",
		"delete", "rmdir",
					     "readlink", "access", "link", "symlink", "mknod" };

	return op < POL_OP__COUNT ? names[op] : "?";
}

static struct pol_verdict of_rule(const struct rule *u)
{
	return (struct pol_verdict){ .decision = u->decision, .rule = u->name, .message = u->message, .timeout_ms = u->timeout_ms,
				     .redirect_to = u->redirect_to, .preserve_tree = u->preserve_tree,
				     .redirect_args = (const char *const *)u->redirect_args.v, .n_redirect_args = u->redirect_args.n,
				     .redirect_append = (const char *const *)u->redirect_append.v,
				     .n_redirect_append = u->redirect_append.n };
}

static struct pol_verdict file_verdict(const struct policy *p, const struct pol_state *st, enum pol_op op)
{
	uint32_t best = NO_RULE;

	for (size_t i = 0; i < p->n_dfa; i++) {
		uint32_t r = dfa_rule(&p->dfa[i], st->s[i], op);

		best = r < best ? r : best;
	}
	if (best < p->m.files.n)
		return of_rule(&p->m.files.v[best]);
	if (READ_OPS >> op & 1)
		return (struct pol_verdict){ .decision = POL_ALLOW, .rule = "default-allow-reads" };
	return (struct pol_verdict){ .decision = POL_DENY, .rule = "default-deny-files" };
}

struct pol_verdict policy_file(const struct policy *p, struct pol_state st, enum pol_op op)
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
static int trees(struct policy *p)
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
		[POL_DENY] = 4 };

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

static bool domain_match(const struct strs *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i], "*") || (wild_is(v->v[i]) ? wild_match(v->v[i], name, '.') : !strcmp(v->v[i], name)))
			return true;
	return false;
}

static bool net_match(const struct rule *u, const struct pol_net *q)
{
	bool port = u->n_ports == 0 || q->dns, range = u->cidrs.n == 0;

	if (u->domains.n && (!q->domain || !domain_match(&u->domains, q->domain)))
		return false;
	for (size_t i = 0; i < u->n_ports && !port; i++)
		port = u->ports[i] == q->port;
	for (size_t i = 0; q->addr && i < u->cidrs.n && !range; i++)
		range = cidr_has(&u->ranges[i], q->addr, q->addr_len);
	return port && range;
}

struct pol_verdict policy_net(const struct policy *p, const struct pol_net *q)
{
	for (size_t i = 0; i < p->m.nets.n; i++) {
		const struct rule *u = &p->m.nets.v[i];

		/* Asking for a name is no connection to a port: a refusal of some ports does not refuse the question. */
		if (q->dns && u->decision == POL_DENY && u->n_ports)
			continue;
		/* A raw address is allowed only by a rule that speaks of addresses. */
		if (!q->domain && !q->dns && u->decision != POL_DENY && !u->cidrs.n)
			continue;
		if (net_match(u, q))
			return of_rule(u);
	}
	return (struct pol_verdict){ .decision = POL_DENY, .rule = "default-deny-network" };
}

LEAKS_UNSEEN_BEGIN /* the ranges belong to the rule: model_fini */
/* Text to bytes once, not at each question. */
static int ranges(struct rules *nets)
{
	for (size_t i = 0; i < nets->n; i++) {
		struct rule *u = &nets->v[i];

		if (!u->cidrs.n)
			continue;
		u->ranges = calloc(u->cidrs.n, sizeof(*u->ranges));
		for (size_t k = 0; k < u->cidrs.n; k++)
			if (!u->ranges || cidr_parse(u->cidrs.v[k], &u->ranges[k]) < 0)
				return -EBADMSG;
	}
	return 0;
}
LEAKS_UNSEEN_END

static int load(struct policy *p, struct record *rec, struct err *err)
{
	struct rd r = rd_init(rec[0].data, rec[0].len);
	char name[256], file[4400], workspace[4096];
	struct rules *out[] = { &p->m.files, &p->m.nets, &p->m.execs };

	if (rd_u32(&r) != MODEL_FORMAT)
		return err_set(err, -EPROTO, "the generation has another format: compile the policy again");
	p->n_dfa = rd_u32(&r);
	rd_strcpy(&r, name, sizeof(name));
	rd_strcpy(&r, file, sizeof(file));
	rd_strcpy(&r, workspace, sizeof(workspace));
	if (!rd_done(&r) || p->n_dfa == 0 || p->n_dfa > POL_DFA_MAX)
		return err_set(err, -EBADMSG, "the generation is damaged");
	p->m.name = strdup(name);
	p->m.file = strdup(file);
	p->workspace = strdup(workspace);
	for (size_t i = 0; i < 3; i++) {
		r = rd_init(rec[1 + i].data, rec[1 + i].len);
		if (!rec[1 + i].data || model_read_rules(&r, out[i]) < 0 || !rd_done(&r))
			return err_set(err, -EBADMSG, "the generation's rules are damaged");
	}
	if (ranges(&p->m.nets) < 0)
		return err_set(err, -EBADMSG, "the generation's address ranges are damaged");
	for (size_t i = 0; i < p->n_dfa; i++) {
		r = rd_init(rec[4 + i].data, rec[4 + i].len);
		if (!rec[4 + i].data || model_read_dfa(&r, &p->dfa[i]) < 0)
			return err_set(err, -EBADMSG, "the generation's automaton is damaged");
	}
	p->regex = calloc(p->m.execs.n + 1, sizeof(struct regex *));
	for (size_t i = 0; p->regex && i < p->m.execs.n; i++)
		if (p->m.execs.v[i].regex_len && regex_open(p->m.execs.v[i].regex, p->m.execs.v[i].regex_len, &p->regex[i]) < 0)
			return err_set(err, -EPROTO, "an args_pattern was compiled for another processor: compile the policy again");
	return trees(p) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

int policy_open(int fd, const uint8_t hash[32], struct policy **ret, struct err *err)
{
	struct record rec[4 + POL_DFA_MAX] = { { "meta", 0, 0 }, { "files", 0, 0 }, { "nets", 0, 0 }, { "execs", 0, 0 } };
	char keys[POL_DFA_MAX][32];
	auto_fd copy = -1;
	uint8_t have[32];
	struct policy *p;
	struct stat st;
	void *m;
	int r;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || (uint64_t)st.st_size > GENERATION_MAX)
		return err_set(err, -EBADMSG, "the generation is empty or larger than %u MiB", GENERATION_MAX >> 20);
	m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (m == MAP_FAILED)
		return err_set(err, -errno, "reading the generation: %s", strerror(errno));
	/* Our own sealed copy is hashed and read: nobody changes it between the two. */
	r = memfd_sealed("agentsh-generation", m, (size_t)st.st_size, &copy);
	munmap(m, (size_t)st.st_size);
	m = r < 0 ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, copy, 0);
	if (m == MAP_FAILED)
		return err_set(err, -ENOMEM, "copying the generation failed");
	sha256(m, (size_t)st.st_size, have);
	munmap(m, (size_t)st.st_size);
	if (memcmp(have, hash, 32) != 0)
		return err_set(err, -EBADMSG, "the generation is damaged: its SHA-256 is not what was said");
	for (size_t i = 0; i < POL_DFA_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "dfa%zu", i);
		rec[4 + i].key = keys[i];
	}
	p = calloc(1, sizeof(*p));
	r = p ? store_read(copy, rec, ARRAY_LEN(rec), err) : -ENOMEM;
	if (r == 0)
		r = load(p, rec, err);
	for (size_t i = 0; i < ARRAY_LEN(rec); i++)
		free((void *)(uintptr_t)rec[i].data);
	if (r < 0) {
		policy_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

void policy_close(struct policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->regex && i < p->m.execs.n; i++)
		regex_close(p->regex[i]);
	free(p->regex);
	free(p->workspace);
	model_fini(&p->m);
	for (size_t i = 0; i < POL_DFA_MAX; i++)
		dfa_fini(&p->dfa[i]);
	free(p);
}

const char *policy_name(const struct policy *p)
{
	return p->m.name;
}

int policy_rule_position(const struct policy *p, const char *section, const char *rule, char *out, size_t cap)
{
	const struct rules *s = section[0] == 'f' ? &p->m.files : section[0] == 'n' ? &p->m.nets : &p->m.execs;

	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->v[i].name, rule))
			return str_format(out, cap, "%s:%u", p->m.file, s->v[i].line);
	return -ENOENT;
}
