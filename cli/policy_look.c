/* SPDX-License-Identifier: Apache-2.0 */
/* Where a name leads in a session: links are followed as the kernel follows them there, with the workspace at /workspace as well. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/policy_cmd.h"

#define HOPS_MAX 40       /* the kernel's */
#define TWINS_MAX 64      /* execd's: a root with more links runs nothing */
#define AHEAD_BYTES 8300

static const char mine[] = "a session has its own %s: what is there is not known";

static bool at_or_below(const char *path, const char *tree)
{
	size_t n = strlen(tree);

	return !strncmp(path, tree, n) && (!path[n] || path[n] == '/');
}

/* A tree that a session does not have from the host, or NULL. The workspace may lie in one. */
static const char *own_tree(const char *path, const char *workspace)
{
	static const char *const own[] = { "/proc", "/sys", "/dev", "/run", "/tmp" };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (at_or_below(path, own[i]) && !at_or_below(path, workspace) && !at_or_below(workspace, path))
			return own[i];
	return NULL;
}

/* The host's name of what a session calls path. */
static int host_name(const char *path, const char *workspace, char out[4096])
{
	return at_or_below(path, "/workspace") ? str_format(out, 4096, "%s%s", workspace, path + strlen("/workspace"))
					       : str_format(out, 4096, "%s", path);
}

struct walk {
	const char *workspace;
	char at[4096], ahead[AHEAD_BYTES];
	bool last, links;
	struct stat st;          /* of at, when all of the path is there */
	const char *own;
};

/* Takes the next part of ahead over to at, which is "" for the root. False: there is none. */
static bool next_part(struct walk *w, int *ret)
{
	const char *s = w->ahead + strspn(w->ahead, "/");
	size_t n = strcspn(s, "/"), len = strlen(w->at);
	char *slash = strrchr(w->at, '/');

	if (!n)
		return false;
	if (n == 2 && !memcmp(s, "..", 2)) {
		if (slash)
			*slash = 0;
	} else if (n != 1 || s[0] != '.') {
		*ret = str_format(w->at + len, sizeof(w->at) - len, "/%.*s", (int)n, s);
	}
	memmove(w->ahead, s + n, strlen(s + n) + 1);
	return true;
}

static int follow(struct walk *w, const char *host)
{
	char to[4096], rest[AHEAD_BYTES], *slash = strrchr(w->at, '/');
	ssize_t n = readlink(host, to, sizeof(to) - 1);

	if (n < 0)
		return -errno;
	to[n] = 0;
	*(to[0] == '/' ? w->at : slash) = 0;
	w->links = true;
	memcpy(rest, w->ahead, sizeof(rest));
	return str_format(w->ahead, sizeof(w->ahead), "%s%s", to, rest);
}

/* 0: at is there; -ENOENT, -EXDEV (a tree of the session's own): ahead is what at could not be followed by; or another negative errno. */
static int walk(struct walk *w)
{
	char host[4096];
	int r = 0;

	if (lstat("/", &w->st) < 0)
		return -errno;
	for (int hops = 0; r == 0 && next_part(w, &r);) {
		if (r < 0)
			return r;
		w->own = own_tree(w->at, w->workspace);
		if (w->own)
			return -EXDEV;
		if (!w->at[0])
			continue;
		r = host_name(w->at, w->workspace, host);
		if (r == 0 && lstat(host, &w->st) < 0)
			return -errno;
		if (r < 0 || !S_ISLNK(w->st.st_mode) || (!w->last && !w->ahead[strspn(w->ahead, "/")]))
			continue;
		r = ++hops > HOPS_MAX ? -ELOOP : follow(w, host);
	}
	return r;
}

static const char *not_known(const struct walk *w, int r)
{
	static char words[200];

	if (w->own)
		snprintf(words, sizeof(words), mine, w->own);
	else
		snprintf(words, sizeof(words), "%s", strerror(-r));
	return words;
}

void look_path(const char *path, const char *workspace, bool last, struct looked *ret)
{
	static struct walk w;
	int r;

	w = (struct walk){ .workspace = workspace, .last = last };
	*ret = (struct looked){ 0 };
	r = str_format(w.ahead, sizeof(w.ahead), "%s", path);
	if (r == 0)
		r = walk(&w);
	if (r == -ENOENT || r == -EXDEV) {
		size_t n = strlen(w.at);

		r = str_format(w.at + n, sizeof(w.at) - n, "%s", w.ahead);
	}
	if (r == 0)
		r = str_format(ret->file, sizeof(ret->file), "%s", w.at[0] ? w.at : "/");
	if (r < 0) {
		ret->file[0] = 0;
		ret->why = not_known(&w, r);
		return;
	}
	str_clean_path(ret->file);
	ret->links = w.links;
}

/* An absolute path of a program. 0, or negative errno with ret->why. */
static int program(const char *path, const char *workspace, struct looked *ret)
{
	static struct walk dir, file;
	const char *slash = strrchr(path, '/'), *base = slash + 1;
	char host[4096];
	int r;

	*ret = (struct looked){ 0 };
	dir = (struct walk){ .workspace = workspace, .last = true };
	file = dir;
	r = !*base || !strcmp(base, ".") || !strcmp(base, "..") ? -EISDIR : 0;
	if (r == 0)
		r = str_format(dir.ahead, sizeof(dir.ahead), "%.*s", (int)(slash - path), path);
	if (r == 0)
		r = walk(&dir);
	if (r < 0) {
		ret->why = not_known(&dir, r);
		return r;
	}
	if (str_format(ret->place, sizeof(ret->place), "%s/%s", dir.at, base) < 0 ||
	    str_format(file.ahead, sizeof(file.ahead), "%s", ret->place) < 0 ||
	    str_format(ret->written, sizeof(ret->written), "%s", path) < 0)
		r = -ENAMETOOLONG;
	if (r == 0)
		r = walk(&file);
	if (r == 0)
		r = host_name(file.at, workspace, host);
	if (r == 0 && (!S_ISREG(file.st.st_mode) || access(host, X_OK) < 0))
		r = S_ISDIR(file.st.st_mode) ? -EISDIR : -EACCES;
	if (r < 0) {
		ret->place[0] = 0;
		ret->why = not_known(&file, r);
		return r;
	}
	snprintf(ret->file, sizeof(ret->file), "%s", file.at);
	ret->up = str_clean_path(ret->written);
	ret->links = dir.links || file.links;
	return 0;
}

/* The directory that exec takes a relative path from. */
static void start_dir(const char *workspace, char out[4200])
{
	char cwd[4096];

	if (!getcwd(cwd, sizeof(cwd)) || !at_or_below(cwd, workspace))
		snprintf(cwd, sizeof(cwd), "%s", workspace);
	snprintf(out, 4200, "/workspace%s", cwd + strlen(workspace));
}

void look_program(const char *name, const char *workspace, struct looked *ret)
{
	const char *path = getenv("PATH");
	char dir[4200], full[AHEAD_BYTES];
	struct looked first = { .why = "not found in PATH" };

	start_dir(workspace, dir);
	if (strchr(name, '/')) {
		if (str_format(full, sizeof(full), "%s%s%s", name[0] == '/' ? "" : dir, name[0] == '/' ? "" : "/", name) == 0)
			program(full, workspace, ret);
		else
			*ret = (struct looked){ .why = "the path is too long" };
		return;
	}
	/* As the command's first process does it, which has this PATH. */
	for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin"; p; p = strchr(p, ':') ? strchr(p, ':') + 1 : NULL) {
		int n = (int)strcspn(p, ":");

		if (str_format(full, sizeof(full), "%s%s%.*s/%s", *p == '/' ? "" : dir, *p == '/' ? "" : "/", n, p, name) == 0 &&
		    program(full, workspace, ret) == 0)
			return;
	}
	*ret = first;
}

size_t look_twins(const struct pol_twin **ret)
{
	static struct { char link[256], real[4096]; } held[TWINS_MAX];
	static struct pol_twin twins[TWINS_MAX];
	size_t n = 0;
	DIR *d = opendir("/");
	const struct dirent *e;

	while (d && n < TWINS_MAX && (e = readdir(d))) {
		struct stat st;
		char *real;

		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode) ||
		    str_format(held[n].link, sizeof(held[n].link), "/%s", e->d_name) < 0)
			continue;
		real = realpath(held[n].link, NULL);
		if (real && real[1] && str_format(held[n].real, sizeof(held[n].real), "%s", real) == 0) {
			twins[n] = (struct pol_twin){ held[n].link, held[n].real };
			n++;
		}
		free(real);
	}
	if (d)
		closedir(d);
	*ret = twins;
	return n;
}
