/* SPDX-License-Identifier: Apache-2.0 */
/* "PATTERN\0TEXT": compiled or refused with words, in bounded time and memory; what compiles opens and matches. */
#include "tests/fuzz/ask.h"

#include "policy/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *pattern = strndup((const char *)data, n), why[256] = "";
	size_t len = strlen(pattern), db_len = 0, which = 0;
	struct strs one = { &pattern, 1 };
	struct regex *r = NULL;
	uint8_t *db = NULL;

	if (regex_cost(pattern) <= REGEX_COST_MAX && regex_compile(&one, &db, &db_len, why, sizeof(why), &which) == 0) {
		MUST(regex_open(db, db_len, &r) == 0);
		if (len < n)
			regex_match(r, (const char *)data + len + 1, n - len - 1);
		regex_match(r, "", 0);
		regex_close(r);
	} else {
		MUST(regex_cost(pattern) > REGEX_COST_MAX || (why[0] && which == 0));
	}
	free(db);
	free(pattern);
	return 0;
}
