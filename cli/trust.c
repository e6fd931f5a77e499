/* SPDX-License-Identifier: Apache-2.0 */
/* Says of each policy whether it may be used: by name, by the manifest, by its signature and the trust store. */
#include "cli/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cmd.h"

#define DEPTH_MAX 2048                /* directories above one */
#define KEYS_MAX 1024
#define KEY_FILE_MAX 1024
#define MANIFEST_MAX (1u << 20)

struct key { uint8_t public[KEY_BYTES]; char file[256]; };

/* What may vouch for policies may be changed by root and by who asks (or root alone), and by nobody else. */
enum whose { ROOTS, ROOTS_OR_MINE };
static int owned(const char *path, const struct stat *st, enum whose whose, bool sticky_will_do, struct err *err)
{
	bool sticky = sticky_will_do && (st->st_mode & S_ISVTX);

	if (st->st_uid != 0 && (whose == ROOTS || st->st_uid != geteuid()))
		return err_set(err, -EACCES, "%s belongs to user %u: what vouches for policies must be root's or yours", path, st->st_uid);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) && !sticky)
		return err_set(err, -EACCES, "%s may be written by others: chmod go-w", path);
	return 0;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The directory in which an open file lies, or -1; real: the file's path, of which the directory's is left. */
static int directory_of(const struct stat *file, char *real)
{
	char *slash = strrchr(real, '/'), name[NAME_MAX + 1];
	struct stat st = { 0 };
	int fd;

	if (!slash || str_format(name, sizeof(name), "%s", slash + 1) < 0)
		return -1;
	slash[slash == real] = 0;
	fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* By now another directory may have that path: it is the file's when it has the file. */
	if (fd >= 0 && (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !same_inode(&st, file))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A directory that is open and every one above it: who may rename one of those may put another in its place. real: its path, for words. */
static int owned_above(int dir, char *real, enum whose whose, struct err *err)
{
	auto_fd fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	struct stat st = { 0 }, above = { 0 };
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	for (unsigned n = 0; r == 0; n++, st = above) {
		int up;
		char *slash;

		r = owned(real, &st, whose, true, err);
		if (r < 0)
			return r;
		up = n < DEPTH_MAX ? openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : (errno = ELOOP, -1);
		if (up < 0 || fstat(up, &above) < 0)
			r = -errno;
		if (up >= 0) {
			close(fd);
			fd = up;
		}
		if (r == 0 && same_inode(&st, &above))
			return 0;
		slash = strrchr(real, '/');
		if (slash)
			slash[slash == real] = 0;
	}
	return err_set(err, r, "%s: %s", real, strerror(-r));
}

static int open_owned(const char *path, int flags, enum whose whose, struct err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags), dir = -1;
	char link[32], real[4096] = "";
	struct stat st = { 0 };
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	r = owned(path, &st, whose, false, err);
	if (r < 0)
		return r;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, real, sizeof(real) - 1) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	dir = S_ISDIR(st.st_mode) ? openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : directory_of(&st, real);
	if (dir < 0)
		return err_set(err, -EACCES, "%s: the directory that it lies in is not to be found", path);
	if (S_ISDIR(st.st_mode) && strrchr(real, '/'))
		strrchr(real, '/')[strrchr(real, '/') == real] = 0;
	r = owned_above(dir, real, whose, err);
	return r < 0 ? r : move_fd(&fd);
}

int trust_open(const char *path, int flags, struct err *err)
{
	return open_owned(path, flags, ROOTS_OR_MINE, err);
}

const char *trust_own_dir(const struct config *c, const char *dir, char real[4096])
{
	struct err err = { 0 };
	auto_fd fd = -1;
	char link[32];
	ssize_t n;

	if (!c->allow_files || !dir || !dir[0])
		return "";
	if (!c->n_allowed)
		return dir;
	fd = open_owned(dir, O_DIRECTORY, ROOTS, &err);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = fd < 0 ? -1 : readlink(link, real, 4095);
	real[n > 0 ? n : 0] = 0;
	return real;
}

static int read_key(int dir, const char *store, const char *name, struct key *k, struct err *err)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct buf text = { 0 };
	char path[4400];
	struct stat st = { 0 };
	int r = str_format(path, sizeof(path), "%s/%s", store, name);

	if (r < 0 || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, -EACCES, "%s/%s is no plain file", store, name);
	r = owned(path, &st, ROOTS_OR_MINE, false, err);
	if (r == 0)
		r = file_read_fd(fd, path, KEY_FILE_MAX, &text, err);
	if (r == 0 && key_get((const char *)text.data, text.len, false, k->public) < 0)
		r = err_set(err, -EBADMSG, "%s is no public key of Ed25519 in PEM", path);
	snprintf(k->file, sizeof(k->file), "%s", name);
	buf_fini(&text);
	return r;
}

/* The store's key of that id: 1 found, 0 not there. A store with anything doubtful in it vouches for nothing. */
static int find_key(const char *store, const char *id, struct key *ret, size_t *keys, struct err *err)
{
	int fd = trust_open(store, O_DIRECTORY, err), r = 0, found = 0;
	struct dirent *e;
	DIR *d;

	*keys = 0;
	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		r = err_set(err, -errno, "%s: %s", store, strerror(errno));
		close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		char have[KEY_ID_MAX];
		struct key k;

		if (n < 5 || strcmp(e->d_name + n - 4, ".pub") != 0)
			continue;
		if (++*keys > KEYS_MAX)
			r = err_set(err, -E2BIG, "%s holds more than %d keys", store, KEYS_MAX);
		if (r == 0)
			r = read_key(fd, store, e->d_name, &k, err);
		if (r < 0)
			break;
		key_id(k.public, have);
		if (!strcmp(have, id)) {
			*ret = k;
			found = 1;
		}
	}
	closedir(d);
	return r < 0 ? r : found;
}

int trust_signed(const char *path, const struct buf *text, const char *store, char *who, size_t cap, struct err *err)
{
	struct buf sig = { 0 };
	struct signature s;
	uint8_t digest[32];
	char file[4400];
	struct key key;
	size_t keys;
	int r;

	if (str_format(file, sizeof(file), "%s.sig", path) < 0)
		return err_set(err, -ENAMETOOLONG, "%s: the name is too long", path);
	if (access(file, F_OK) < 0)
		return err_set(err, -EACCES, "%s is not signed: there is no %s; sign it (agentsh policy sign --key KEY FILE), "
			       "a pack after copying it (agentsh policy show NAME >FILE)", path, file);
	if (file_read(file, 512, &sig, err) < 0)
		return -EACCES;
	r = signature_get((const char *)sig.data, sig.len, &s);
	buf_fini(&sig);
	if (r < 0)
		return err_set(err, -EACCES, "%s is no signature", file);
	r = find_key(store, s.key_id, &key, &keys, err);
	if (r < 0) {
		err_wrap(err, r, "%s is signed, but the trust store was refused", path);
		return -EACCES;
	}
	if (r == 0)
		return err_set(err, -EACCES, "%s is signed by key %s, which is none of the %zu in %s", path, s.key_id, keys, store);
	r = signature_digest(path, text->data, text->len, digest);
	if (r == 0)
		r = ed25519_verify(key.public, digest, s.bytes, err);
	if (r == -EBADMSG)
		return err_set(err, -EACCES, "%s is not what key %s signed: its bytes, its name or its signature were changed", path,
			       s.key_id);
	if (r < 0)
		return r == -ENOSYS ? -EACCES : err_set(err, -EACCES, "%s: the signature could not be checked: %s", path, strerror(-r));
	snprintf(who, cap, "key %s (%s/%s)", s.key_id, store, key.file);
	return 0;
}

/* One line "HEX  NAME"; 0, or -EBADMSG. */
static int manifest_line(const char *line, size_t n, const char **name, size_t *len)
{
	if (n < 67 || line[64] != ' ' || (line[65] != ' ' && line[65] != '*') || memchr(line, 0, n))
		return -EBADMSG;
	for (size_t i = 0; i < 64; i++)
		if (!strchr("0123456789abcdef", line[i]))
			return -EBADMSG;
	*name = line + 66;
	*len = n - 66;
	return 0;
}

static int in_manifest(const char *manifest, const char *path, const struct buf *text, struct err *err)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *name, *s, *hash = NULL;
	struct buf all = { 0 };
	uint8_t sum[32];
	size_t len, line = 0;
	char hex[65];
	auto_fd fd = trust_open(manifest, 0, err);
	int r = fd < 0 ? fd : file_read_fd(fd, manifest, MANIFEST_MAX, &all, err);

	if (r < 0) {
		err_wrap(err, r, "the manifest was refused");
		return -EACCES;
	}
	s = (const char *)all.data;
	for (const char *end = s + all.len; r == 0 && s < end;) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((nl ? nl : end) - s);

		line++;
		if (manifest_line(s, n, &name, &len) < 0)
			r = err_set(err, -EACCES, "%s:%zu:1: error: not a line \"SHA-256  NAME\"", manifest, line);
		else if (len == strlen(base) && !memcmp(name, base, len)) {
			if (hash)
				r = err_set(err, -EACCES, "%s:%zu:1: error: %s stands twice", manifest, line, base);
			hash = s;
		}
		s += n + (nl != NULL);
	}
	sha256(text->data, text->len, sum);
	hex_encode(sum, 32, hex);
	if (r == 0 && (!hash || memcmp(hash, hex, 64) != 0))
		r = err_set(err, -EACCES, hash ? "%s was changed: its SHA-256 is not the one in %s" : "%s is not in the manifest %s", path,
			    manifest);
	buf_fini(&all);
	return r;
}

int trust_read(const char *path, struct buf *out, struct err *err)
{
	const struct config *c = config_get(err);
	struct err why = { 0 };
	char who[4500];
	int r;

	if (!c)
		return -EACCES;
	r = policy_read(path, out, err);
	if (r < 0 || trust_built_in(path))
		return r;
	if (c->manifest[0])
		r = in_manifest(c->manifest, path, out, err);
	if (r == 0 && c->mode != TRUST_OFF && trust_signed(path, out, c->trust_store, who, sizeof(who), &why) < 0) {
		if (c->mode == TRUST_ENFORCE)
			r = err_set(err, -EACCES, "%s", why.msg);
		else
			complain("warning: %s", why.msg);
	}
	if (r < 0)
		buf_fini(out);
	return r;
}

/* Names by entries without a slash, files (by their real path) by entries with one. real: of a file, to be read by it, as a link may
 * lead elsewhere by then. */
static bool listed(const struct config *c, const char *name, char real[4096])
{
	bool file = policy_is_file(name);

	if (file && !realpath(name, real))
		return false;
	for (size_t i = 0; i < c->n_allowed; i++)
		if (!strchr(c->allowed[i], '/') == !file && fnmatch(c->allowed[i], file ? real : name, FNM_PATHNAME | FNM_PERIOD) == 0)
			return true;
	return false;
}

static int not_listed(const struct config *c, const char *name, const char *by, struct err *err)
{
	struct buf all = BUF_INIT(ERR_MSG_MAX / 2);

	for (size_t i = 0; i < c->n_allowed && buf_ok(&all); i++)
		buf_printf(&all, "%s%s", i ? ", " : "", c->allowed[i]);
	err_set(err, -EACCES, "policy \"%.80s\"%s is none of those that sessions may use (policies.allowed): %s", name, by,
		all.data ? (const char *)all.data : "");
	buf_fini(&all);
	return -EACCES;
}

/* What a session has for which no policy is named; by: words for where the name stands. NULL with words: it is no name. */
static const char *unnamed(const struct config *c, const char **by, struct err *err)
{
	const char *env = getenv("AGENTSH_POLICY_NAME");

	if (!env || !env[0])
		return c->policy;
	if (!id_valid(env)) {
		err_set(err, -EINVAL, "AGENTSH_POLICY_NAME \"%.80s\" is not [A-Za-z0-9_-]+", env);
		return NULL;
	}
	*by = " (AGENTSH_POLICY_NAME)";
	return env;
}

const char *trust_default(struct err *err)
{
	const struct config *c = config_get(err);
	const char *by = "";

	return c ? unnamed(c, &by, err) : NULL;
}

int trust_choose(const char *given, char *ret, size_t cap, struct err *err)
{
	const struct config *c = config_get(err);
	const char *name = given, *by = "";
	char real[4096];

	if (!c)
		return -EACCES;
	if (!name)
		name = unnamed(c, &by, err);
	if (!name)
		return -EINVAL;
	if (policy_is_file(name) && !c->allow_files)
		return err_set(err, -EACCES, "policy %.200s: policies by file are not allowed here (policies.allow_files): give a name",
			       name);
	if (c->n_allowed && !listed(c, name, real))
		return not_listed(c, name, by, err);
	/* The file itself, whatever directory is the current one later and wherever links lead by then. */
	if (policy_is_file(name) && (c->n_allowed || realpath(name, real)))
		name = real;
	if (str_format(ret, cap, "%s", name) == 0)
		return 0;
	return err_set(err, -ENAMETOOLONG, "policy %.100s...: the name, or the real path of the file, is longer than %zu bytes", name,
		       cap - 1);
}
