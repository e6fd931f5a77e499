/* SPDX-License-Identifier: Apache-2.0 */
/* Which daemon brings an answer about, and how. */
#include <stdio.h>
#include <string.h>

#include "policy/explain.h"

static const char *tree_words(enum pol_tree t)
{
	switch (t) {
	case POL_TREE_RO:
		return "open for reading alone: the mount plan binds it read-only as a whole, and nobody is asked at each access";
	case POL_TREE_RW:
		return "open as a whole: the mount plan binds it as it is, and nobody is asked at each access";
	case POL_TREE_NONE:
		return "closed as a whole: the mount plan leaves it out";
	case POL_TREE_MIXED:
		break;
	}
	return "the policy tells apart what is in it: fsd judges each access";
}

static bool at_or_below(const char *path, const char *tree)
{
	size_t n = strlen(tree);

	return !strncmp(path, tree, n) && (!path[n] || path[n] == '/');
}

/* The mount plan decides by the host's top directories; the workspace and what the sandbox makes anew stand apart. */
static struct pol_enforcer of_file(const struct policy *p, const struct question *q, const struct answer *a, const char *workspace)
{
	static const char *const own[] = { "/proc", "/sys", "/dev", "/run" };
	static char how[400];
	const char *path = q->path;
	char top[300];
	enum pol_tree t;

	if (a->decision == POL_REDIRECT)
		return (struct pol_enforcer){ NULL, "fsd refuses what a rule redirects: redirects of files are not enforced yet" };
	if (at_or_below(path, workspace ? workspace : "/workspace") || at_or_below(path, "/workspace"))
		return (struct pol_enforcer){ "fsd", "the workspace is fsd's: each access is judged" };
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (at_or_below(path, own[i])) {
			snprintf(how, sizeof(how),
				 "a sandbox has its own %s: what is dangerous there is masked, and no file rule is looked at", own[i]);
			return (struct pol_enforcer){ NULL, how };
		}
	if (!path[1])
		return (struct pol_enforcer){ "execd", "the root directory is the sandbox's own, made by the mount plan" };
	snprintf(top, sizeof(top), "%.*s", (int)(strcspn(path + 1, "/") + 1), path);
	t = policy_file_top(p, top + 1);
	if (!strcmp(top, "/tmp") && t != POL_TREE_MIXED)
		return (struct pol_enforcer){ "execd", t == POL_TREE_NONE ? "a sandbox gets no /tmp: the policy closes all of it"
						       : t == POL_TREE_RO ? "a sandbox has a /tmp of its own, read-only"
									  : "a sandbox has a /tmp of its own, open as a whole" };
	snprintf(how, sizeof(how), "%.255s: %s", top, tree_words(t));
	return (struct pol_enforcer){ t == POL_TREE_MIXED ? "fsd" : "execd", how };
}

struct pol_enforcer policy_enforcer(const struct policy *p, const struct question *q, const struct answer *a, const char *workspace)
{
	static const struct pol_enforcer of[ASK__COUNT] = {
		[ASK_NET] = { "netd", "at each flow's first packet" },
		[ASK_DNS] = { "netd", "at each question for a name" },
		[ASK_EXEC] = { "execd", "at every exec, of the command and of all that it starts" },
		[ASK_UNIX] = { NULL, "unix_socket_rules are not enforced yet" },
		[ASK_SIGNAL] = { NULL, "signal_rules are not enforced yet: signals do not leave the sandbox" },
		[ASK_HTTP] = { NULL, "requests are not looked into yet: the connection is judged (net HOST:PORT)" },
		[ASK_ENV] = { NULL, "env_policy is not enforced yet" },
		[ASK_SERVICE] = { NULL, "http_services are not enforced yet" },
		[ASK_DNS_REDIRECT] = { NULL, "dns_redirects are not enforced yet" },
		[ASK_CONNECT_REDIRECT] = { NULL, "connect_redirects are not enforced yet" },
	};

	return q->kind == ASK_FILE ? of_file(p, q, a, workspace) : of[q->kind];
}
