/* SPDX-License-Identifier: Apache-2.0 */
/* "GLOB\0TEXT": the automaton, the direct matcher and a plain recursive one give the same answer. */
#include "tests/fuzz/ask.h"

#include <errno.h>

#include "policy/dfa.h"
#include "policy/nfa.h"
#include "tests/fuzz/naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* 1 or 0; -1: the automaton would be too large. */
static int by_automaton(char *glob, const char *text)
{
	char *paths[] = { glob, NULL };
	struct rule u = { .paths = { paths, 1 }, .ops = 1 };
	struct rules rules = { &u, 1 };
	struct dfa_input in = { .rules = &rules, .workspace = "/w", .to = 1, .kinds = GLOBS_ALL };
	uint64_t work = 2000000;
	struct automaton a = { 0 };
	int hit = -1, r = dfa_build(&in, &a, &work);

	MUST(r == 0 || r == -E2BIG || r == -ETIME);
	if (r == 0) {
		uint8_t *record = malloc(dfa_size(&a.d));
		struct wr w = wr_init(record, dfa_size(&a.d));
		struct dfa d;
		uint32_t s;

		MUST(record && dfa_write(&w, &a.d) == 0 && wr_len(&w) == dfa_size(&a.d));
		MUST(dfa_map(record, wr_len(&w), &d) == 0);
		s = d.root;
		for (; *text; text++)
			s = dfa_go(&d, s, d.class[(uint8_t)*text]);
		hit = (int)(d.entries[d.states[s].match].bits & 1);
		free(record);
	}
	automaton_fini(&a);
	return hit;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *end = memchr(data, 0, n);
	char *glob, *text, why[128];
	int steps = 20000, want;

	if (!end || n > 120)
		return 0;
	glob = strndup((const char *)data, n);
	text = strndup((const char *)end + 1, n - 1 - (size_t)(end - data));
	MUST(glob && text);
	if (glob_check(glob, why, sizeof(why)) == 0) {
		want = naive(glob, text, '/', &steps);
		if (steps >= 0) {
			int got = by_automaton(glob, text);

			MUST(got < 0 || got == want);
			MUST(wild_match(glob, text, '/') == want);
		}
	}
	free(glob);
	free(text);
	return 0;
}
