/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of a program that is being run: which entries of `processes` it is for sure, and which it may be. */
#include <string.h>

#include "policy/exec_rules.h"
#include "policy/look.h"

/* What a program may be, as far as its names were looked through. */
struct guess { const struct policy *p; const struct pol_exec *q; uint64_t mask; };

bool policy_has_labels(const struct policy *p)
{
	return p->words[p->h->labels] > 0;
}

static uint64_t labels_by(const struct policy *p, const char *path)
{
	static struct name name;
	uint32_t n;
	const uint32_t *v = list_at(p, p->h->labels, &n);
	uint64_t mask = 0;

	name_of(&name, path);
	for (uint32_t i = 0; i < n; i++)
		mask |= (uint64_t)name_matches(p->pool + v[i], &name) << i;
	return mask;
}

/* With the other names of what is there. */
static uint64_t labels_of_name(const struct policy *p, const struct pol_exec *q, const char *name)
{
	static char path[PATH_NAME_MAX];
	uint64_t mask = name ? labels_by(p, name) : 0;

	for (size_t i = 0; name && i < 2 + q->n_twins; i++)
		if (exec_other_name(p, q, i, name, path))
			mask |= labels_by(p, path);
	return mask;
}

static void may_be(struct guess *g, const char *name)
{
	g->mask |= labels_of_name(g->p, g->q, name);
}

static void may_be_any(struct guess *g)
{
	uint32_t n;

	list_at(g->p, g->p->h->labels, &n);
	g->mask |= n < 64 ? (1ull << n) - 1 : UINT64_MAX;
}

/* A program of many programs, which is the one that its first word names. */
static bool many(const char *name)
{
	const char *base = name ? exec_base(name) : "";

	return !strncmp(base, "busybox", 7) || !strncmp(base, "toybox", 6) || !strcmp(base, "coreutils");
}

/* The words by which such a program is told what to be. zero: argv[0], as it sees it. */
static void may_act_as(struct guess *g, bool is_many, const char *zero, const char *const *argv, size_t argc)
{
	static const char *const chosen[] = { "--coreutils-prog=", "--coreutils-prog-shebang=" };

	may_be(g, zero);
	if (zero && zero[0] == '-')
		may_be(g, zero + 1); /* a login shell's */
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(chosen); i++)
		if (!strncmp(argv[1], chosen[i], strlen(chosen[i])))
			may_be(g, argv[1] + strlen(chosen[i]));
	is_many |= many(zero);
	for (size_t i = 1; i < argc && is_many; i++) {
		may_be(g, argv[i]);
		is_many = many(argv[i]);
	}
}

/* What is loaded by a program of this name with these words, if it is a loader. argc 0: nothing. */
static struct inner loads(const struct policy *p, const char *path, const char *const *argv, size_t argc)
{
	static struct name name;

	if (!path)
		return (struct inner){ 0 };
	name_of(&name, path);
	return look_loader(&name) ? look_inside(p, &name, argv, argc, LOOK_DEPTH) : (struct inner){ 0 };
}

/* That a loader loads another is not followed: then it may be any. */
static void may_load(struct guess *g, const struct inner *in)
{
	static char path[PATH_NAME_MAX];
	const char *word = in->argv[0], *file = NULL;

	if (in->unknown) {
		may_be_any(g);
		return;
	}
	may_be(g, word);
	if (g->q->loaded) {
		if (g->q->loaded(g->q->loaded_arg, word, path, sizeof(path)) < 0) {
			may_be_any(g);
			return;
		}
		file = path;
		may_be(g, file);
	}
	may_act_as(g, many(word) || many(file), in->zero ? in->zero : word, in->argv, in->argc);
	if (loads(g->p, word, in->argv, in->argc).argc || loads(g->p, file, in->argv, in->argc).argc)
		may_be_any(g);
}

struct pol_who policy_exec_labels(const struct policy *p, const struct pol_exec *q)
{
	const struct { const char *name; bool untrusted; } by[] = { { q->given, q->untrusted_name }, { q->resolved, false },
								    { q->written, q->untrusted_written } };
	struct guess g = { .p = p, .q = q };
	struct pol_who who = { 0 };
	bool is_many = false;

	if (!policy_has_labels(p))
		return who;
	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		uint64_t mask = labels_of_name(p, q, by[i].name);
		struct inner in = loads(p, by[i].name, q->argv, q->argc);

		who.sure |= by[i].untrusted ? 0 : mask;
		g.mask |= mask;
		is_many |= many(by[i].name);
		if (in.argc)
			may_load(&g, &in);
	}
	may_act_as(&g, is_many, q->argc ? q->argv[0] : NULL, q->argv, q->argc);
	who.may = g.mask;
	return who;
}

struct pol_who policy_labels(const struct policy *p, const char *given, const char *resolved, bool untrusted_name)
{
	return policy_exec_labels(p, &(struct pol_exec){ .given = given, .resolved = resolved, .untrusted_name = untrusted_name });
}
