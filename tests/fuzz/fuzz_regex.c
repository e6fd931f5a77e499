/* SPDX-License-Identifier: Apache-2.0 */
/* "PATTERN\0TEXT": compiled or refused with words, in bounded time and memory; what compiles is sound and matches. The text as a
 * record is refused or matches in bounds. */
#include "tests/fuzz/ask.h"

#include "policy/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *pattern = strndup((const char *)data, n), why[256] = "";
	size_t len = strlen(pattern), db_len = 0, which = 0;
	struct strs one = { &pattern, 1 };
	uint8_t *db = NULL;

	if (regex_compile(&one, &db, &db_len, why, sizeof(why), &which) == 0) {
		MUST(regex_map(db, db_len) == 0);
		if (len < n)
			regex_match(db, (const char *)data + len + 1, n - len - 1);
		MUST(regex_match(db, "", 0) >= 0);
	} else {
		MUST(why[0] && which == 0);
	}
	free(db);
	free(pattern);
	return 0;
}
