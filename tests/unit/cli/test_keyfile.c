/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures as text: a known key's forms, and nothing that differs in one byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cli/trust.h"

/* The key pair of RFC 8410, section 10. */
static const char private_pem[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
				  "-----END PRIVATE KEY-----\n";
static const char public_pem[] = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
				 "-----END PUBLIC KEY-----\n";

static void test_keys(void **state UNUSED)
{
	static const uint8_t begin[] = { 0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a };
	struct buf out = BUF_INIT(1024);
	uint8_t key[KEY_BYTES];
	char id[KEY_ID_MAX];

	assert_int_equal(key_get(private_pem, strlen(private_pem), true, key), 0);
	assert_memory_equal(key, begin, sizeof(begin));
	key_put(key, true, &out);
	assert_string_equal((const char *)out.data, private_pem);
	buf_reset(&out);
	assert_int_equal(key_get(private_pem, strlen(private_pem), false, key), -EBADMSG);
	assert_int_equal(key_get(public_pem, strlen(public_pem), true, key), -EBADMSG);
	assert_int_equal(key_get(public_pem, strlen(public_pem), false, key), 0);
	key_put(key, false, &out);
	assert_string_equal((const char *)out.data, public_pem);
	buf_fini(&out);
	key_id(key, id);
	assert_int_equal(strlen(id), 16);
}

/* Whatever byte stands where, it is refused or another key; never the same one by another spelling, line ends apart. */
static void test_key_bytes(void **state UNUSED)
{
	uint8_t key[KEY_BYTES], other[KEY_BYTES];
	size_t n = strlen(public_pem);
	char text[sizeof(public_pem)];

	assert_int_equal(key_get(public_pem, n, false, key), 0);
	for (size_t i = 0; i < n; i++)
		for (int c = 0; c < 256; c++) {
			memcpy(text, public_pem, n);
			text[i] = (char)c;
			if (text[i] == public_pem[i] || (strchr("\r\n", public_pem[i]) && c && strchr("\r\n", c)))
				continue;
			if (key_get(text, n, false, other) == 0)
				assert_memory_not_equal(key, other, KEY_BYTES);
		}
	for (size_t i = 0; i + 1 < n; i++)
		assert_int_equal(key_get(public_pem, i, false, other), -EBADMSG);
}

static void test_signature(void **state UNUSED)
{
	struct signature s = { .key_id = "0123456789abcdef" }, back;
	struct buf out = BUF_INIT(1024);
	uint8_t a[32], b[32];

	for (size_t i = 0; i < sizeof(s.bytes); i++)
		s.bytes[i] = (uint8_t)(i * 37 + 5);
	signature_put(&s, &out);
	assert_int_equal(signature_get((const char *)out.data, out.len, &back), 0);
	assert_memory_equal(&s, &back, sizeof(s));
	for (size_t i = 0; i < out.len; i++)
		for (int c = 0; c < 256; c++) {
			uint8_t was = out.data[i];

			out.data[i] = (uint8_t)c;
			if (c != was && signature_get((const char *)out.data, out.len, &back) == 0)
				assert_memory_not_equal(&s, &back, sizeof(s));
			out.data[i] = was;
		}
	for (size_t i = 0; i < out.len; i++)
		assert_int_equal(signature_get((const char *)out.data, i, &back), -EBADMSG);
	buf_fini(&out);
	assert_int_equal(signature_digest("/x/name.yaml", "text", 4, a), 0);
	assert_int_equal(signature_digest("name.yaml", "text", 4, b), 0);
	assert_memory_equal(a, b, 32);
	assert_int_equal(signature_digest("other.yaml", "text", 4, b), 0);
	assert_memory_not_equal(a, b, 32);
	/* The end of the name is no part of the text. */
	assert_int_equal(signature_digest("name.yam", "ltext", 5, b), 0);
	assert_memory_not_equal(a, b, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_keys), cmocka_unit_test(test_key_bytes), cmocka_unit_test(test_signature) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
