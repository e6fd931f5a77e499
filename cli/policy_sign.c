/* SPDX-License-Identifier: Apache-2.0 */
/* policy keygen|sign|verify|manifest. OpenSSL's home in the CLI: its library is loaded here, when a key is used, and by no other start. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "cli/cmd.h"
#include "cli/policy_cmd.h"
#include "cli/trust.h"
#include "common/evt.h"

struct lib {
	__typeof__(EVP_PKEY_new_raw_private_key) *private_key;
	__typeof__(EVP_PKEY_new_raw_public_key) *public_key;
	__typeof__(EVP_PKEY_get_raw_public_key) *raw_public;
	__typeof__(EVP_PKEY_free) *free_key;
	__typeof__(EVP_MD_CTX_new) *new_ctx;
	__typeof__(EVP_MD_CTX_free) *free_ctx;
	__typeof__(EVP_DigestSignInit) *sign_init;
	__typeof__(EVP_DigestSign) *sign;
	__typeof__(EVP_DigestVerifyInit) *verify_init;
	__typeof__(EVP_DigestVerify) *verify;
};

static const struct lib *library(struct err *err)
{
	static struct lib l;
	static bool whole;
	const struct { const char *name; void *at; } names[] = {
		{ "EVP_PKEY_new_raw_private_key", &l.private_key }, { "EVP_PKEY_new_raw_public_key", &l.public_key },
		{ "EVP_PKEY_get_raw_public_key", &l.raw_public }, { "EVP_PKEY_free", &l.free_key }, { "EVP_MD_CTX_new", &l.new_ctx },
		{ "EVP_MD_CTX_free", &l.free_ctx }, { "EVP_DigestSignInit", &l.sign_init }, { "EVP_DigestSign", &l.sign },
		{ "EVP_DigestVerifyInit", &l.verify_init }, { "EVP_DigestVerify", &l.verify },
	};
	void *h = whole ? NULL : dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; h && i < ARRAY_LEN(names); i++) {
		void *f = dlsym(h, names[i].name);

		memcpy(names[i].at, &f, sizeof(f));
		if (!f)
			h = NULL;
	}
	whole = whole || h;
	if (!whole)
		err_set(err, -ENOSYS, "keys and signatures need libcrypto.so.3 (package libssl3)");
	return whole ? &l : NULL;
}

int ed25519_public(const uint8_t private[KEY_BYTES], uint8_t ret[KEY_BYTES], struct err *err)
{
	const struct lib *l = library(err);
	EVP_PKEY *key = l ? l->private_key(EVP_PKEY_ED25519, NULL, private, KEY_BYTES) : NULL;
	size_t n = KEY_BYTES;
	int r = key && l->raw_public(key, ret, &n) == 1 && n == KEY_BYTES ? 0 : -EIO;

	if (l)
		l->free_key(key);
	return l ? r : -ENOSYS;
}

int ed25519_sign(const uint8_t private[KEY_BYTES], const uint8_t digest[32], uint8_t ret[SIGNATURE_BYTES], struct err *err)
{
	const struct lib *l = library(err);
	EVP_PKEY *key = l ? l->private_key(EVP_PKEY_ED25519, NULL, private, KEY_BYTES) : NULL;
	EVP_MD_CTX *ctx = l ? l->new_ctx() : NULL;
	size_t n = SIGNATURE_BYTES;
	int r = -EIO;

	if (key && ctx && l->sign_init(ctx, NULL, NULL, NULL, key) == 1 && l->sign(ctx, ret, &n, digest, 32) == 1 && n == SIGNATURE_BYTES)
		r = 0;
	if (l) {
		l->free_ctx(ctx);
		l->free_key(key);
	}
	return l ? r : -ENOSYS;
}

int ed25519_verify(const uint8_t public[KEY_BYTES], const uint8_t digest[32], const uint8_t sig[SIGNATURE_BYTES], struct err *err)
{
	const struct lib *l = library(err);
	EVP_PKEY *key = l ? l->public_key(EVP_PKEY_ED25519, NULL, public, KEY_BYTES) : NULL;
	EVP_MD_CTX *ctx = l ? l->new_ctx() : NULL;
	int r = -EIO;

	if (key && ctx && l->verify_init(ctx, NULL, NULL, NULL, key) == 1)
		r = l->verify(ctx, sig, SIGNATURE_BYTES, digest, 32) == 1 ? 0 : -EBADMSG;
	if (l) {
		l->free_ctx(ctx);
		l->free_key(key);
	}
	return l ? r : -ENOSYS;
}

/* A new file; one that is there is left as it is. */
static int write_new(const char *path, mode_t mode, const struct buf *b)
{
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return complain("%s: %s", path, errno == EEXIST ? "is there already: it is not overwritten" : strerror(errno));
	if (!buf_ok(b) || fchmod(fd, mode) < 0 || write(fd, b->data, b->len) != (ssize_t)b->len || fsync(fd) < 0) {
		int e = errno;

		unlink(path);
		return complain("%s: %s", path, strerror(e));
	}
	return 0;
}

/* The private key's file: policy.key in a directory, which is made where the name ends in "/"; else the name itself. 0, or complained
 * of. */
static int key_file(const char *out, char *file, size_t cap)
{
	size_t n = strlen(out);
	bool dir = n && out[n - 1] == '/';
	struct stat st;
	int r;

	if (dir && mkdir(out, 0700) < 0 && errno != EEXIST)
		return complain("%s: %s", out, strerror(errno));
	dir = dir || (stat(out, &st) == 0 && S_ISDIR(st.st_mode));
	r = dir ? str_format(file, cap, "%s%spolicy.key", out, out[n - 1] == '/' ? "" : "/") : str_format(file, cap, "%s", out);
	return r < 0 ? complain("%s: the name is too long", out) : 0;
}

int policy_keygen(int argc, char **argv)
{
	struct buf secret = BUF_INIT(1024), open_key = BUF_INIT(1024);
	const char *out = ".";
	const struct policy_option options[] = { { "--out", NULL, &out } };
	int at = policy_options("keygen", argc, argv, options, 1, NULL);
	uint8_t private[KEY_BYTES], public[KEY_BYTES];
	char file[4200], pub[4300], id[KEY_ID_MAX];
	struct err err = { 0 };
	size_t n;
	int r;

	if (at < 0)
		return EXIT_ERROR;
	if (at < argc || !out[0])
		return policy_usage("keygen");
	if (key_file(out, file, sizeof(file)))
		return EXIT_ERROR;
	n = strlen(file);
	if (str_format(pub, sizeof(pub), "%.*s.pub", (int)(n > 4 && !strcmp(file + n - 4, ".key") ? n - 4 : n), file) < 0)
		return complain("%s: the name is too long", out);
	if (getrandom(private, sizeof(private), 0) != sizeof(private))
		return complain("random bytes: %s", strerror(errno));
	if (ed25519_public(private, public, &err) < 0)
		return complain("%s", err.msg[0] ? err.msg : "making the key failed");
	key_put(private, true, &secret);
	key_put(public, false, &open_key);
	key_id(public, id);
	r = write_new(file, 0600, &secret);
	if (r == 0) {
		r = write_new(pub, 0644, &open_key);
		if (r)
			unlink(file);
	}
	explicit_bzero(private, sizeof(private));
	if (secret.data)
		explicit_bzero(secret.data, secret.len);
	buf_fini(&secret);
	buf_fini(&open_key);
	if (r == 0)
		printf("%s  %s (keep it secret)\n%s  %s (put it into the trust store)\n", id, policy_shown(file), id, policy_shown(pub));
	return r;
}

static int private_key(const char *path, uint8_t ret[KEY_BYTES], struct err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf text = { 0 };
	uint8_t public[KEY_BYTES];
	struct stat st = { 0 };
	int r = fd < 0 || fstat(fd, &st) < 0 ? err_set(err, -errno, "%s: %s", path, strerror(errno)) : 0;

	if (r == 0)
		r = file_read_fd(fd, path, 1024, &text, err);
	if (r == 0 && key_get((const char *)text.data, text.len, false, public) == 0)
		r = err_set(err, -EBADMSG, "%s is a public key: it verifies, and what signs is the private key that was made with it "
			    "(keygen: policy.key)", path);
	if (r == 0 && (st.st_mode & 077))
		r = err_set(err, -EACCES, "%s may be read by others: chmod 600, and think of it as known", path);
	if (r == 0 && key_get((const char *)text.data, text.len, true, ret) < 0)
		r = err_set(err, -EBADMSG, "%s is no private key of Ed25519 in PEM (PKCS#8, without a password)", path);
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_fini(&text);
	return r;
}

/* Whole or not at all: a reader meanwhile sees the old signature. */
static int write_over(const char *path, const struct buf *b, struct err *err)
{
	char tmp[4400];
	int fd, r = str_format(tmp, sizeof(tmp), "%s.XXXXXX", path);

	fd = r == 0 ? mkostemp(tmp, O_CLOEXEC) : -1;
	if (fd < 0)
		return err_set(err, r < 0 ? r : -errno, "%s: %s", path, strerror(r < 0 ? -r : errno));
	if (!buf_ok(b) || fchmod(fd, 0644) < 0 || write(fd, b->data, b->len) != (ssize_t)b->len || fsync(fd) < 0 || rename(tmp, path) < 0) {
		r = err_set(err, -errno, "%s: %s", path, strerror(errno));
		unlink(tmp);
	}
	close(fd);
	return r;
}

/* A signature says who wrote a policy, not that it is one: its errors are said, and hinder nothing. */
static void warn_of_errors(const char *path, const struct buf *text)
{
	struct buf diag = BUF_INIT(1u << 20);
	char cwd[4096];
	struct pol_source src = { .file = path, .text = (const char *)text->data, .len = text->len, .load = policy_extends };
	uint8_t hash[32];
	int fd = -1;

	if (!getcwd(cwd, sizeof(cwd)))
		return;
	src.workspace = cwd;
	src.n_vars = policy_vars(&src.vars, cwd);
	if (policy_compile(&src, &diag, &fd, hash) < 0) {
		fprintf(stderr, "%s", diag.len ? (const char *)diag.data : "");
		complain("warning: %s is signed, and no session can use it as it is", path);
	}
	if (fd >= 0)
		close(fd);
	buf_fini(&diag);
}

static int sign_file(const char *path, const uint8_t private[KEY_BYTES], struct signature *s, struct err *err)
{
	struct buf text = { 0 }, out = BUF_INIT(512);
	uint8_t digest[32];
	char sig[4300];
	int r = str_format(sig, sizeof(sig), "%s.sig", path);

	if (r == 0)
		r = policy_read(path, &text, err);
	if (r == 0)
		r = signature_digest(path, text.data, text.len, digest);
	if (r == 0)
		r = ed25519_sign(private, digest, s->bytes, err);
	if (r == 0) {
		signature_put(s, &out);
		r = write_over(sig, &out, err);
	}
	if (r == 0) {
		printf("%s: signed by key %s\n", policy_shown(path), s->key_id);
		warn_of_errors(path, &text);
	} else {
		complain("%s", err->msg[0] ? err->msg : strerror(-r));
	}
	buf_fini(&text);
	buf_fini(&out);
	return r;
}

int policy_sign(int argc, char **argv)
{
	uint8_t private[KEY_BYTES], public[KEY_BYTES];
	const char *key = NULL;
	const struct policy_option options[] = { { "--key", NULL, &key } };
	int at = policy_options("sign", argc, argv, options, 1, NULL), bad = 0;
	struct signature s;
	struct err err = { 0 };

	if (at < 0)
		return EXIT_ERROR;
	if (!key || at == argc)
		return policy_usage("sign");
	if (private_key(key, private, &err) < 0 || ed25519_public(private, public, &err) < 0)
		return complain("%s", err.msg[0] ? err.msg : "the key cannot be used");
	key_id(public, s.key_id);
	for (int i = at; i < argc; i++) {
		err = (struct err){ 0 };
		bad |= sign_file(argv[i], private, &s, &err) < 0;
	}
	explicit_bzero(private, sizeof(private));
	return bad ? EXIT_ERROR : 0;
}

int policy_verify(int argc, char **argv)
{
	const char *store = NULL;
	const struct policy_option options[] = { { "--trust", NULL, &store } };
	int at = policy_options("verify", argc, argv, options, 1, NULL), bad = 0;
	const struct config *c;
	struct err err = { 0 };

	if (at < 0)
		return EXIT_ERROR;
	if (at == argc)
		return policy_usage("verify");
	c = config_get(&err);
	if (!c)
		return complain("%s", err.msg);
	if (!store)
		store = c->trust_store;
	for (int i = at; i < argc; i++) {
		struct buf text = { 0 };
		char path[4300], who[4500];

		err = (struct err){ 0 };
		if (policy_find(argv[i], path, sizeof(path), &err) == 0 && trust_built_in(path))
			printf("%s: carried by this program\n", policy_shown(path));
		else if (!err.status && policy_read(path, &text, &err) == 0 &&
			 trust_signed(path, &text, store, who, sizeof(who), &err) == 0)
			printf("%s: signed by %s\n", policy_shown(path), policy_shown(who));
		else
			bad = complain("%s", err.msg);
		buf_fini(&text);
	}
	return bad;
}

static int is_policy(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && !strcmp(e->d_name + n - 5, ".yaml");
}

static int manifest_of(const char *name)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	char path[4300], hex[65], *base;
	uint8_t sum[32];

	if (policy_find(name, path, sizeof(path), &err) < 0)
		return complain("%s", err.msg);
	base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (strcmp(policy_shown(base), base) != 0)
		return complain("%s: no line of a manifest can hold this name", path);
	if (policy_read(path, &text, &err) < 0)
		return complain("%s", err.msg);
	sha256(text.data, text.len, sum);
	hex_encode(sum, 32, hex);
	if (trust_built_in(path)) /* held against no manifest */
		complain("%s is carried by this program and needs no line", path);
	else
		printf("%s  %s\n", hex, base);
	buf_fini(&text);
	return 0;
}

int policy_manifest(int argc, char **argv)
{
	struct err err = { 0 };
	const struct config *c = config_get(&err);
	const char *dir = c && c->dir[0] ? c->dir : "/etc/agentsh/policies";
	struct dirent **v = NULL;
	int at = policy_options("manifest", argc, argv, NULL, 0, NULL), bad = 0, n;

	if (!c)
		return complain("%s", err.msg);
	if (at < 0)
		return EXIT_ERROR;
	for (int i = at; i < argc; i++)
		bad |= manifest_of(argv[i]);
	if (at < argc)
		return bad;
	n = scandir(dir, &v, is_policy, alphasort);
	if (n < 0 && errno == ENOENT)
		return complain("there is no directory %s whose policies could be listed: name policies or files (agentsh policy manifest "
				"NAME|FILE...), or make it and copy packs there (agentsh policy show NAME >%s/NAME.yaml)",
				dir, dir);
	if (n < 0)
		return complain("%s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		char path[4400];

		if (str_format(path, sizeof(path), "%s/%s", dir, v[i]->d_name) < 0)
			bad = complain("%s: the name is too long", dir);
		else
			bad |= manifest_of(path);
		free(v[i]);
	}
	free(v);
	return bad;
}
