/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a policy by name or path and compiles it for one workspace. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cmd.h"
#include "cli/trust.h"
#include "common/buf.h"
#include "policy/compile.h"

#define FILE_MAX (8u << 20)
#define BUILT_IN "(built-in) "
#define UNENFORCED " is not enforced by any daemon yet"
#define LEFT_OUT " more warnings"

extern char **environ;

int file_read(const char *path, size_t max, struct buf *out, struct err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? err_set(err, -errno, "%s: %s", path, strerror(errno)) : file_read_fd(fd, path, max, out, err);
}

int file_read_fd(int fd, const char *path, size_t max, struct buf *out, struct err *err)
{
	struct stat st;
	uint8_t part[65536];
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s is not a file", path);
	if ((uint64_t)st.st_size > max)
		return err_set(err, -EFBIG, "%s:1:1: error: the file has %lld bytes; %zu are the most", path, (long long)st.st_size, max);
	*out = (struct buf)BUF_INIT(max);
	while ((n = read(fd, part, sizeof(part))) > 0)
		buf_put(out, part, (size_t)n);
	if (n < 0 || !buf_ok(out)) {
		buf_fini(out);
		return err_set(err, -EIO, "%s: cannot be read", path);
	}
	buf_put(out, "", 0);
	return 0;
}

/* Keeps what is nearer to name, of best and len bytes of found. */
static void nearer(const char *name, const char *found, size_t len, char best[256])
{
	char text[256];
	const char *words[] = { best, text, NULL };

	if (len >= sizeof(text))
		return;
	memcpy(text, found, len);
	text[len] = 0;
	if (id_valid(text) && policy_nearest(name, best[0] ? words : words + 1) == text)
		memcpy(best, text, len + 1);
}

static int not_found(const char *name, const char (*dirs)[4200], size_t n, struct err *err)
{
	char best[256] = "";

	for (size_t i = 0; i < n; i++) {
		DIR *d = dirs[i][0] ? opendir(dirs[i]) : NULL;
		const struct dirent *e;

		while (d && (e = readdir(d))) {
			size_t len = strlen(e->d_name);

			if (len > 5 && !strcmp(e->d_name + len - 5, ".yaml"))
				nearer(name, e->d_name, len - 5, best);
		}
		if (d)
			closedir(d);
	}
	for (size_t i = 0; embed_pack(i); i++)
		nearer(name, embed_pack(i), strcspn(embed_pack(i), "."), best);
	if (best[0])
		return err_set(err, -ENOENT, "no policy named \"%s\" (did you mean \"%s\"?): list them with: agentsh policy list", name,
			       best);
	return err_set(err, -ENOENT, "no policy named \"%s\": list them with: agentsh policy list", name);
}

/* No name of a policy has a dot in it. */
bool policy_is_file(const char *name)
{
	return strpbrk(name, "/.") != NULL;
}

int policy_find(const char *name, char *path, size_t cap, struct err *err)
{
	const char *dir = getenv("AGENTSH_POLICY_DIR"), *home = getenv("HOME");
	const struct config *c = config_get(err);
	size_t len;
	char dirs[4][4200] = { "", "", "/etc/agentsh/policies", "" }, own[4200], real[4096];

	if (!c)
		return -EACCES;
	if (policy_is_file(name))
		return str_format(path, cap, "%s", name);
	if (!id_valid(name))
		return err_set(err, -EINVAL, "policy name \"%s\" is not [A-Za-z0-9_-]+", name);
	snprintf(dirs[0], sizeof(dirs[0]), "%s", trust_own_dir(c, dir, real));
	if (c->dir[0]) {
		snprintf(dirs[2], sizeof(dirs[2]), "%s", c->dir);
	} else {
		snprintf(own, sizeof(own), "%.4000s/.config/agentsh/policies", home ? home : "");
		snprintf(dirs[1], sizeof(dirs[1]), "%s", trust_own_dir(c, home ? own : NULL, real));
		snprintf(dirs[3], sizeof(dirs[3]), "%.4000s/../policies", self_dir());
		str_clean_path(dirs[3]); /* the program's real directory: no link is in it */
	}
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (dirs[i][0] && str_format(path, cap, "%s/%s.yaml", dirs[i], name) == 0 && access(path, R_OK) == 0)
			return 0;
	if (str_format(path, cap, BUILT_IN "%s.yaml", name) == 0 && embed_find(path + strlen(BUILT_IN), &len))
		return 0;
	return not_found(name, (const char (*)[4200])dirs, ARRAY_LEN(dirs), err);
}

bool trust_built_in(const char *path)
{
	return !strncmp(path, BUILT_IN, strlen(BUILT_IN));
}

int policy_read(const char *path, struct buf *out, struct err *err)
{
	size_t len;
	const char *text;

	if (!trust_built_in(path))
		return file_read(path, FILE_MAX, out, err);
	text = embed_find(path + strlen(BUILT_IN), &len);
	if (!text)
		return err_set(err, -ENOENT, "%s is not there", path);
	*out = (struct buf)BUF_INIT(FILE_MAX);
	buf_put(out, text, len);
	return buf_ok(out) ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int policy_extends(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len,
		   struct err *err)
{
	const char *slash = strrchr(from, '/');
	size_t n = strlen(name);
	bool file = strchr(name, '/') || (n > 5 && !strcmp(name + n - 5, ".yaml"));
	struct buf text = { 0 };
	char path[4300];
	int r;

	if (file && !strncmp(from, BUILT_IN, strlen(BUILT_IN)))
		return err_set(err, -EINVAL, "a built-in policy has no folder that a file could lie in");
	if (!file)
		r = policy_find(name, path, sizeof(path), err);
	else if (name[0] == '/' || !slash)
		r = str_format(path, sizeof(path), "%s", name);
	else
		r = str_format(path, sizeof(path), "%.*s%s", (int)(slash + 1 - from), from, name);
	if (r == -ENAMETOOLONG)
		return err_set(err, r, "the path is too long");
	if (r == 0 && strncmp(path, BUILT_IN, strlen(BUILT_IN)) != 0)
		str_clean_path(path);
	if (r == 0)
		r = arg ? trust_read(path, &text, err) : policy_read(path, &text, err);
	if (r < 0)
		return r;
	*ret_path = strdup(path);
	if (!*ret_path) {
		buf_fini(&text);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*ret_text = (char *)text.data;
	*ret_len = text.len;
	return 0;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* To stderr. Warnings that the compiler only counted may be of any kind, so the count is always said. */
static void print_diag(char *text, enum policy_says says)
{
	char *rest = NULL;

	if (says == POLICY_SAYS_ALL)
		fprintf(stderr, "%s", text);
	for (char *line = says == POLICY_SAYS_UNENFORCED ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		if (ends_with(line, UNENFORCED) || ends_with(line, LEFT_OUT))
			fprintf(stderr, "%s\n", line);
}

static int load(const char *name, const char *workspace, bool trusted, int *ret_fd, uint8_t hash[32], enum policy_says says,
		struct err *err)
{
	struct buf text = { 0 }, diag = BUF_INIT(1u << 20);
	char path[4300];
	struct pol_source src = { .file = path, .workspace = workspace, .load = policy_extends,
				  .load_arg = trusted ? &trusted : NULL };
	int r = policy_find(name, path, sizeof(path), err);

	if (r == 0)
		r = trusted ? trust_read(path, &text, err) : policy_read(path, &text, err);
	if (r < 0)
		return r;
	src.text = (const char *)text.data;
	src.len = text.len;
	src.n_vars = policy_vars(&src.vars, workspace);
	r = policy_compile(&src, &diag, ret_fd, hash);
	if (diag.len)
		print_diag((char *)diag.data, r < 0 ? POLICY_SAYS_ALL : says);
	if (r < 0)
		err_set(err, r, "policy %s was refused: nothing was changed", path);
	buf_fini(&text);
	buf_fini(&diag);
	return r;
}

int policy_load(const char *name, const char *workspace, int *ret_fd, uint8_t hash[32], enum policy_says says, struct err *err)
{
	return load(name, workspace, true, ret_fd, hash, says, err);
}

int policy_load_draft(const char *name, const char *workspace, int *ret_fd, uint8_t hash[32], struct err *err)
{
	return load(name, workspace, false, ret_fd, hash, POLICY_SAYS_NOTHING, err);
}
