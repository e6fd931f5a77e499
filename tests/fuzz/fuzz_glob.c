/* SPDX-License-Identifier: Apache-2.0 */
/* "GLOB\0TEXT": the automaton, the direct matcher and a plain recursive one give the same answer. */
#include "tests/fuzz/ask.h"

#include <errno.h>

#include "policy/dfa.h"
#include "policy/nfa.h"
#include "tests/fuzz/naive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* 1 or 0; -1: too large. */
static int by(int (*build)(const struct dfa_input *, struct automaton *, uint64_t *), char *glob, const char *text)
{
	char *paths[] = { glob, NULL };
	struct rule u = { .paths = { paths, 1 }, .ops = 1 };
	struct rules rules = { &u, 1 };
	struct dfa_input in = { .rules = &rules, .workspace = "/w", .to = 1, .kinds = GLOBS_ALL };
	uint64_t work = 2000000;
	struct automaton a = { 0 };
	int hit = -1, r = build(&in, &a, &work);

	MUST(r == 0 || r == -E2BIG || r == -ETIME);
	if (r == 0) {
		size_t len = dfa_size(&a.d);
		uint8_t *record = malloc(len);
		struct wr w = wr_init(record, len);
		struct dfa d;
		uint32_t s;

		MUST(record && dfa_write(&w, &a.d) == 0 && wr_len(&w) == len);
		MUST(dfa_map(record, len, &d) == 0);
		s = d.root;
		if (dfa_is_names(&d))
			s = names_path(&d, s, text);
		for (; *text && !dfa_is_names(&d); text++)
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
			int got = by(dfa_build, glob, text);

			MUST(got < 0 || got == want);
			/* Names are asked about whole absolute paths only. */
			if (nfa_kind(glob) == GLOBS_PLAIN && *text == '/' && *glob == '/')
				MUST(by(names_build, glob, text) == want);
			MUST(wild_match(glob, text, '/') == want);
		}
	}
	free(glob);
	free(text);
	return 0;
}
