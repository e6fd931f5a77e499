/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures as text. Only Ed25519, whose DER is a fixed head and 32 bytes: no ASN.1 reader is needed, and none can be misled. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/trust.h"
#include "common/evt.h"

#define PEM_MAX 1024
#define HEAD_MAX 16

/* PKCS#8 version 0 and SubjectPublicKeyInfo of algorithm 1.3.101.112 (RFC 8410), up to the key's bytes. */
static const uint8_t private_head[16] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
static const uint8_t public_head[12] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t head_of(bool private, const uint8_t **ret)
{
	*ret = private ? private_head : public_head;
	return private ? sizeof(private_head) : sizeof(public_head);
}

static void base64_put(const uint8_t *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63] };
		size_t pad = i + 3 > n ? i + 3 - n : 0;

		memcpy(four + 4 - pad, "==", pad);
		buf_put(out, four, 4);
	}
}

/* Exactly want bytes from n characters; line ends between them count nothing. One spelling only: padding where it must be, spare bits
 * zero. */
static int base64_get(const char *s, size_t n, uint8_t *ret, size_t want)
{
	size_t got = 0, pad = 0, have = 0;
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++) {
		const char *d = s[i] ? strchr(digits, s[i]) : NULL;

		if (s[i] == '\n' || s[i] == '\r')
			continue;
		if (s[i] == '=' && ++pad > 2)
			return -EBADMSG;
		if (s[i] != '=' && (!d || pad))
			return -EBADMSG;
		v = v << 6 | (d ? (uint32_t)(d - digits) : 0);
		if (++have % 4)
			continue;
		for (size_t k = 0; k < 3; k++) {
			uint8_t byte = (uint8_t)(v >> (16 - 8 * k));

			if (k >= 3 - pad ? byte != 0 : got == want)
				return -EBADMSG;
			if (k < 3 - pad)
				ret[got++] = byte;
		}
		v = 0;
	}
	return have % 4 == 0 && got == want ? 0 : -EBADMSG;
}

void key_put(const uint8_t key[KEY_BYTES], bool private, struct buf *out)
{
	const char *kind = private ? "PRIVATE" : "PUBLIC";
	uint8_t der[HEAD_MAX + KEY_BYTES];
	const uint8_t *head;
	size_t n = head_of(private, &head);

	memcpy(der, head, n);
	memcpy(der + n, key, KEY_BYTES);
	buf_printf(out, "-----BEGIN %s KEY-----\n", kind);
	base64_put(der, n + KEY_BYTES, out);
	buf_printf(out, "\n-----END %s KEY-----\n", kind);
	explicit_bzero(der, sizeof(der));
}

int key_get(const char *text, size_t len, bool private, uint8_t ret[KEY_BYTES])
{
	const char *kind = private ? "PRIVATE" : "PUBLIC", *from, *to;
	uint8_t der[HEAD_MAX + KEY_BYTES];
	const uint8_t *head;
	size_t n = head_of(private, &head);
	char begin[40], end[40];
	int r = -EBADMSG;

	snprintf(begin, sizeof(begin), "-----BEGIN %s KEY-----\n", kind);
	snprintf(end, sizeof(end), "-----END %s KEY-----", kind);
	if (len > PEM_MAX || len < strlen(begin) || memcmp(text, begin, strlen(begin)) != 0)
		return r;
	from = text + strlen(begin);
	to = memmem(from, len - strlen(begin), end, strlen(end));
	if (to)
		r = base64_get(from, (size_t)(to - from), der, n + KEY_BYTES);
	for (const char *s = to ? to + strlen(end) : text + len; s < text + len; s++)
		if (*s != '\n' && *s != '\r')
			r = -EBADMSG;
	if (r == 0 && memcmp(der, head, n) != 0)
		r = -EBADMSG;
	if (r == 0)
		memcpy(ret, der + n, KEY_BYTES);
	explicit_bzero(der, sizeof(der));
	return r;
}

void key_id(const uint8_t public[KEY_BYTES], char ret[KEY_ID_MAX])
{
	uint8_t der[sizeof(public_head) + KEY_BYTES], hash[32];

	memcpy(der, public_head, sizeof(public_head));
	memcpy(der + sizeof(public_head), public, KEY_BYTES);
	sha256(der, sizeof(der), hash);
	hex_encode(hash, (KEY_ID_MAX - 1) / 2, ret);
}

#define SIGNATURE_HEAD "agentsh-signature: 1\nalgorithm: ed25519\nkey: "
#define SIGNATURE_WORD "\nsignature: "

void signature_put(const struct signature *s, struct buf *out)
{
	buf_printf(out, SIGNATURE_HEAD "%s" SIGNATURE_WORD, s->key_id);
	base64_put(s->bytes, sizeof(s->bytes), out);
	buf_puts(out, "\n");
}

int signature_get(const char *text, size_t len, struct signature *ret)
{
	static const size_t id = KEY_ID_MAX - 1, base64 = 88;
	const char *at = text + strlen(SIGNATURE_HEAD);

	if (len != strlen(SIGNATURE_HEAD SIGNATURE_WORD) + id + base64 + 1 || memcmp(text, SIGNATURE_HEAD, strlen(SIGNATURE_HEAD)) != 0 ||
	    memcmp(at + id, SIGNATURE_WORD, strlen(SIGNATURE_WORD)) != 0 || text[len - 1] != '\n')
		return -EBADMSG;
	for (size_t i = 0; i < id; i++)
		if (!at[i] || !strchr("0123456789abcdef", at[i]))
			return -EBADMSG;
	memcpy(ret->key_id, at, id);
	ret->key_id[id] = 0;
	at += id + strlen(SIGNATURE_WORD);
	return memchr(at, '\n', base64) ? -EBADMSG : base64_get(at, base64, ret->bytes, sizeof(ret->bytes));
}

int signature_digest(const char *path, const void *bytes, size_t len, uint8_t ret[32])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct buf b = BUF_INIT(len + strlen(name) + 64);
	int r;

	buf_put(&b, SIGNATURE_DOMAIN, sizeof(SIGNATURE_DOMAIN));
	buf_put(&b, name, strlen(name) + 1);
	buf_put(&b, bytes, len);
	r = buf_ok(&b) ? 0 : -ENOMEM;
	if (r == 0)
		sha256(b.data, b.len, ret);
	buf_fini(&b);
	return r;
}
