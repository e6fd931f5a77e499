/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies may be used: the configuration's keys about them, signatures, the trust store, the manifest. */
#ifndef CLI_TRUST_H
#define CLI_TRUST_H

#include "common/buf.h"
#include "common/err.h"
#include "common/str.h"

/*
 * Signature of a policy file, in FILE.sig beside it: four lines, in this order, nothing else.
 *
 *     agentsh-signature: 1
 *     algorithm: ed25519
 *     key: 16 hexadecimal digits
 *     signature: base64 of 64 bytes
 *
 * key: the first 16 digits of the SHA-256 of the public key as SPKI DER (44 bytes). Signed is, as the message of pure Ed25519 (RFC 8032),
 * the SHA-256 of "agentsh-policy-v1" NUL NAME NUL and the file's bytes; NAME is the file's base name, so a signed file that is given
 * another's name is not signed. By other tools:
 *     { printf 'agentsh-policy-v1\0%s\0' NAME; cat FILE; } | openssl dgst -sha256 -binary >digest
 *     openssl pkeyutl -verify -rawin -pubin -inkey KEY.pub -in digest -sigfile signature
 *
 * Keys are PEM: PKCS#8 (private, mode 0600) and SPKI (public, *.pub).
 */
#define KEY_ID_MAX 17
#define KEY_BYTES 32
#define SIGNATURE_BYTES 64
#define SIGNATURE_DOMAIN "agentsh-policy-v1"

/* keyfile.c. Texts of keys and signatures; out is appended to. Readers: 0 or -EBADMSG (anything else than one such key or signature). */
struct signature { char key_id[KEY_ID_MAX]; uint8_t bytes[SIGNATURE_BYTES]; };
void key_put(const uint8_t key[KEY_BYTES], bool private, struct buf *out);
int key_get(const char *text, size_t len, bool private, uint8_t ret[KEY_BYTES]);
void key_id(const uint8_t public[KEY_BYTES], char ret[KEY_ID_MAX]);
void signature_put(const struct signature *s, struct buf *out);
int signature_get(const char *text, size_t len, struct signature *ret);
/* The 32 bytes that are signed for the file at path (only its base name counts) with these bytes. */
int signature_digest(const char *path, const void *bytes, size_t len, uint8_t ret[32]);

/* policy_sign.c: OpenSSL's home, loaded by the first call. 0; -EBADMSG (signature does not fit); -ENOSYS (no libcrypto) with words. */
int ed25519_public(const uint8_t private[KEY_BYTES], uint8_t ret[KEY_BYTES], struct err *err);
int ed25519_sign(const uint8_t private[KEY_BYTES], const uint8_t digest[32], uint8_t ret[SIGNATURE_BYTES], struct err *err);
int ed25519_verify(const uint8_t public[KEY_BYTES], const uint8_t digest[32], const uint8_t sig[SIGNATURE_BYTES], struct err *err);
/* The verbs of agentsh policy; argv[0] is what follows the verb. Exit codes. */
int policy_keygen(int argc, char **argv);
int policy_sign(int argc, char **argv);
int policy_verify(int argc, char **argv);
int policy_manifest(int argc, char **argv);
int policy_compare(int argc, char **argv);              /* policy_diff.c: the verb diff */

/* config.c. */
enum trust_mode { TRUST_OFF, TRUST_WARN, TRUST_ENFORCE };
#define ALLOWED_MAX 256
struct config {
	char file[4300];                                /* "": none, these are the built-in defaults */
	enum trust_mode mode;                           /* policies.signing.mode (off) */
	char trust_store[4096];                         /* policies.signing.trust_store (/etc/agentsh/trust) */
	char manifest[4096];                            /* policies.manifest_path; "": none */
	char dir[4096];                                 /* policies.dir; "": the usual directories */
	char policy[ID_MAX];                            /* policies.default (default) */
	bool allow_files;                               /* policies.allow_files (true) */
	char *allowed[ALLOWED_MAX];                     /* policies.allowed: globs; none: every policy */
	size_t n_allowed;
	uint64_t trash_bytes;                           /* trash.max_bytes (10GiB); 0: no limit, as for the two below */
	uint64_t trash_entries;                         /* trash.max_entries (1000000) */
	uint64_t trash_age_ms;                          /* trash.max_age (30d) */
};
/* The configuration, read once: AGENTSH_CONFIG, ~/.config/agentsh/config.yaml, /etc/agentsh/config.yaml, else the defaults; relative paths
 * in it are taken from its directory. NULL: it cannot be read or understood, and its diagnostics were printed; nothing may be done as if
 * there were none. Static. */
const struct config *config_get(struct err *err);

/* trust.c */
/* Opens it for reading (flags: more of open's) when what is opened and each directory above it (sticky ones excepted) are root's or the
 * caller's and nobody else may write to them: the descriptor, the caller's, which is what was judged and is to be read; else -EACCES, or
 * what kept it from being looked at, with words. */
int trust_open(const char *path, int flags, struct err *err);
/* A directory of the caller's own (AGENTSH_POLICY_DIR, one below HOME; NULL: none) as names of policies are looked for in it: "" when they
 * are not, where files are not allowed, or where policies.allowed lists names and not root alone may write there: a listed name means the
 * administrator's policy of that name. Otherwise dir, or its path without links in real. */
const char *trust_own_dir(const struct config *c, const char *dir, char real[4096]);
/* The policy of a session: given (a name or file; NULL: AGENTSH_POLICY_NAME, then policies.default), held against policies.allowed and
 * allow_files. Of a file its real path. 0, -EACCES (not allowed) or what config_get says. */
int trust_choose(const char *given, char *ret, size_t cap, struct err *err);
/* The name alone of a session for which none is given, whether or not it is allowed: for looking at. NULL with words: there is none to be
 * had. Static, or the environment's. */
const char *trust_default(struct err *err);
/* policy_read for what is to be compiled and used: held against the manifest and, as the mode says, its signature. out is the very text
 * that was checked; nothing when refused (-EACCES). */
int trust_read(const char *path, struct buf *out, struct err *err);
/* 0 when path's signature fits these bytes by a key of the store; who: the key's id and file. Otherwise -EACCES with the reason. */
int trust_signed(const char *path, const struct buf *text, const char *store, char *who, size_t cap, struct err *err);
bool trust_built_in(const char *path);                  /* a pack that this program carries: as good as the program itself */

#endif
