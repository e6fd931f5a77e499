/* SPDX-License-Identifier: Apache-2.0 */
/* The mount plan: what the policy makes of each of the host's trees when the session is built. A mount namespace that programs run in
 * cannot follow another plan, so that another policy must lead to the same one. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "execd/execd.h"

#define ENTRIES_MAX 4096   /* of the host's root directory; a host with more gets no session */

struct plan {
	size_t n;
	struct entry { char name[256]; enum pol_tree tree; } v[];
};

const char *const plan_hot_files[] = { "/etc/ld.so.cache", NULL };

bool plan_ours(const char *name)
{
	static const char *const ours[] = { ".", "..", "proc", "sys", "dev", "run", "tmp", "workspace", "lost+found" };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (!strcmp(name, ours[i]))
			return true;
	return false;
}

static int add(struct plan **plan, const struct policy *p, const char *name)
{
	struct plan *more = *plan;
	size_t n = more ? more->n : 0;

	if (n == ENTRIES_MAX)
		return -E2BIG;
	more = realloc(more, sizeof(*more) + (n + 1) * sizeof(more->v[0]));
	if (!more)
		return -ENOMEM;
	snprintf(more->v[n].name, sizeof(more->v[n].name), "%s", name);
	more->v[n].tree = policy_file_top(p, name);
	more->n = n + 1;
	*plan = more;
	return 0;
}

int plan_make(struct session *s, struct err *err)
{
	DIR *d = opendir("/");
	const struct dirent *e;
	int r = d ? add(&s->plan, s->policy, "tmp") : -errno;

	while (d && r == 0 && (e = readdir(d))) {
		char path[300];
		struct stat st;

		snprintf(path, sizeof(path), "/%s", e->d_name);
		if (!plan_ours(e->d_name) && strcmp(path, s->workspace) != 0 && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			r = add(&s->plan, s->policy, e->d_name);
	}
	if (d)
		closedir(d);
	return r < 0 ? err_set(err, r, "planning the sandbox's trees: %s", strerror(-r)) : 0;
}

static bool only_read(const struct policy *p, struct pol_state st)
{
	const struct pol_who who = { .unknown = true };

	return policy_file(p, st, POL_OP_READ, who).decision == POL_ALLOW && policy_file(p, st, POL_OP_OPEN, who).decision == POL_ALLOW &&
	       policy_file(p, st, POL_OP_WRITE, who).decision == POL_DENY;
}

bool plan_hot(const struct policy *p, const char *path)
{
	return only_read(p, policy_file_path(p, path));
}

static bool seen(const struct policy *p, const char *path)
{
	enum pol_decision d = policy_file(p, policy_file_path(p, path), POL_OP_STAT, (struct pol_who){ .unknown = true }).decision;

	return d != POL_DENY && d != POL_REDIRECT;
}

/* A mount of ours goes, in the kernel, when the name that it stands on is refused. */
static int standing(const struct session *s, const struct policy *next, const char *path, struct err *err)
{
	char part[4200];

	for (size_t n = 1; n <= strlen(path) && n < sizeof(part); n++) {
		if (path[n] && path[n] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		if (seen(s->policy, part) && !seen(next, part))
			return err_set(err, -EXDEV, "%s would be hidden, and a mount of this session's stands there or below: "
				       "make a new session for this policy", part);
	}
	return 0;
}

static const char *as_words(enum pol_tree t)
{
	switch (t) {
	case POL_TREE_RO:
		return "open for reading as a whole";
	case POL_TREE_RW:
		return "open as a whole";
	case POL_TREE_NONE:
		return "closed as a whole";
	case POL_TREE_MIXED:
		break;
	}
	return "judged file by file";
}

int plan_compare(const struct session *s, const struct policy *next, struct err *err)
{
	const char *const stand[] = { s->workspace, "/etc/resolv.conf" };
	int r = 0;

	/* What the processes that run descend from is kept as labels of the policy that they were started under. */
	if (!policy_descent_same(s->policy, next))
		return err_set(err, -EXDEV, "the new policy's rules with processes or context depths name other programs than this "
			       "session's policy: make a new session for it");
	for (size_t i = 0; i < s->plan->n; i++) {
		const struct entry *e = &s->plan->v[i];
		enum pol_tree tree = policy_file_top(next, e->name);

		if (tree != e->tree)
			return err_set(err, -EXDEV, "/%s is %s in this session and would be %s: make a new session for this policy",
				       e->name, as_words(e->tree), as_words(tree));
	}
	for (const char *const *file = plan_hot_files; *file && r == 0; file++) {
		if (!plan_hot(s->policy, *file))
			continue;
		r = standing(s, next, *file, err);
		if (r == 0 && !plan_hot(next, *file))
			r = err_set(err, -EXDEV, "%s is bound into this session, for all may read it and none write, which would change: "
				    "make a new session for this policy", *file);
	}
	for (size_t i = 0; i < ARRAY_LEN(stand) && r == 0; i++)
		r = standing(s, next, stand[i], err);
	return r;
}
