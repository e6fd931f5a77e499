/* SPDX-License-Identifier: Apache-2.0 */
/* "GLOB\0GLOB\0TEXT": a text that the first matches and the second does not is one that the walk of the lints finds too. */
#include "tests/fuzz/ask.h"

#include <errno.h>

#include "policy/lint_glob.h"
#include "policy/nfa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool found(void *arg, const uint32_t *hit, size_t n)
{
	MUST(n <= 1 && (n == 0 || hit[0] == 1));
	*(bool *)arg |= n == 0;
	return !*(bool *)arg;
}

static void one(const char *a, const char *b, const char *text, char sep, bool paths)
{
	struct globs g = { .sep = sep, .fold = !sep, .paths = paths };
	uint32_t other = 1;
	uint64_t left = 300000;
	bool open = false;
	int r;

	if (globs_add(&g, a) == 0 && globs_add(&g, b) == 1) {
		r = globs_walk(&g, 0, &other, 1, NULL, found, &open, &left);
		MUST(r == 0 || r == -ETIME);
		MUST(r == -ETIME || open || !wild_match(a, text, sep) || wild_match(b, text, sep));
	}
	globs_fini(&g);
}

static bool clean(const char *t)
{
	return t[0] == '/' && !strstr(t, "//") && t[strlen(t) - 1] != '/';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char words[3][64] = { "", "", "" }, why[128];
	size_t at = 0;

	if (n > 150)
		return 0;
	for (size_t k = 0, i = 0; i < n && k < 3; i++) {
		if (!data[i]) {
			k++;
			at = 0;
		} else if (at + 1 < sizeof(words[0])) {
			words[k][at++] = (char)data[i];
			words[k][at] = 0;
		}
	}
	if (glob_check(words[0], why, sizeof(why)) < 0 || glob_check(words[1], why, sizeof(why)) < 0)
		return 0;
	if (clean(words[2]))
		one(words[0], words[1], words[2], '/', true);
	one(words[0], words[1], words[2], '.', false);
	for (char *s = words[2]; *s; s++)
		*s = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
	one(words[0], words[1], words[2], 0, false);
	return 0;
}
