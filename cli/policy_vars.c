/* SPDX-License-Identifier: Apache-2.0 */
/* The variables that a policy may use: the project's directories and the environment, paths also by the name that they lead to. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "common/str.h"
#include "policy/compile.h"

#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */

static void *or_die(void *p)
{
	if (!p) {
		fprintf(stderr, "agentsh: out of memory\n");
		exit(1);
	}
	return p;
}

/* path is a link that leads nowhere yet: where it will lead, or NULL. */
static char *target_of(const char *path)
{
	char text[PATH_MAX], *ret;
	ssize_t n = readlink(path, text, sizeof(text) - 1);
	const char *slash = strrchr(path, '/');

	if (n <= 0)
		return NULL;
	text[n] = 0;
	if (text[0] == '/')
		return or_die(strdup(text));
	if (asprintf(&ret, "%.*s%s", (int)(slash + 1 - path), path, text) < 0)
		or_die(NULL);
	return ret;
}

/* What an absolute path leads to, also where the end of it is not there yet; NULL: not to be known. The caller frees it. */
static char *leads_to(const char *path)
{
	char *head = or_die(strdup(path)), *rest = or_die(strdup("")), *real = NULL;

	for (int links = 0; links < LINKS_MAX && !(real = realpath(head, NULL));) {
		char *slash = strrchr(head, '/'), *to, *more;

		if ((errno != ENOENT && errno != ENOTDIR) || !slash || !slash[1])
			break;
		to = target_of(head);
		if (to) {
			links++;
			free(head);
			head = to;
			continue;
		}
		if (asprintf(&more, "/%s%s", slash + 1, rest) < 0)
			or_die(NULL);
		free(rest);
		rest = more;
		slash[slash == head] = 0;
	}
	if (real && *rest) {
		char *whole;

		if (asprintf(&whole, "%s%s", strcmp(real, "/") != 0 ? real : "", rest) < 0)
			or_die(NULL);
		free(real);
		real = whole;
		str_clean_path(real);
	}
	free(head);
	free(rest);
	return real;
}

/* A value that is a path names what files are judged by: their clean, real path. What it points to stays until the program ends. */
static void real_value(struct pol_var *v)
{
	char *clean, *real;

	if (v->value[0] != '/' || strlen(v->value) >= PATH_MAX)
		return;
	clean = or_die(strdup(v->value));
	str_clean_path(clean);
	real = leads_to(v->value);
	v->value = clean;
	if (real && strcmp(real, clean) != 0)
		v->real = real;
	else
		free(real);
}

/* The nearest directory upward that holds .git, else the workspace. */
static const char *git_root(const char *workspace)
{
	static char git[PATH_MAX];

	snprintf(git, sizeof(git), "%s", workspace);
	for (char *end = git + strlen(git); end > git; end = strrchr(git, '/')) {
		char probe[PATH_MAX + 8];

		*end = 0;
		snprintf(probe, sizeof(probe), "%s/.git", git);
		if (access(probe, F_OK) == 0)
			break;
	}
	return git[0] ? git : workspace;
}

size_t policy_vars(const struct pol_var **ret, const char *workspace)
{
	size_t n = 2;
	struct pol_var *v;

	for (char **e = environ; *e; e++)
		n++;
	v = or_die(calloc(n, sizeof(*v)));
	v[0] = (struct pol_var){ "PROJECT_ROOT", workspace, NULL };
	v[1] = (struct pol_var){ "GIT_ROOT", git_root(workspace), NULL };
	n = 2;
	for (char **e = environ; *e; e++) {
		const char *eq = strchr(*e, '=');

		if (!eq)
			continue;
		v[n] = (struct pol_var){ or_die(strndup(*e, (size_t)(eq - *e))), eq + 1, NULL };
		real_value(&v[n++]);
	}
	*ret = v;
	return n;
}
