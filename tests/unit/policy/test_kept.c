/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept beside the states against matching each glob: random rules for what lies below names, on paths by both of the workspace's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/policy/files.h"

#define POLICIES 150
#define PATHS 60
#define WORKSPACE "/home/u/ws"

static uint32_t seed = 20250311;

static unsigned random_of(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* Those of the workspace's names, and few others, so that much is met. */
static const char *name(void)
{
	static const char *const names[] = { "home", "u", "ws", "workspace", "a", "b", "c", "d" };

	return names[random_of(ARRAY_LEN(names))];
}

/* between: NULL: there is one name alone. */
static void random_glob(char *out, size_t cap)
{
	static const struct { const char *before, *between, *after; } shapes[] = {
		{ "**/", "/**/", "" }, { "**/", "/**/", "" }, { "**/", "/**/", "" }, { "/", "/**/", "" }, { "**/", "/*/", "" },
		{ "/home/u/", "/**/", "" }, { "**/", NULL, "/**" }, { "/", NULL, "/**" }, { "/workspace/", NULL, "/**" }, { "**/", NULL, "" },
		{ "**/*", NULL, "" },
	};
	unsigned i = random_of(ARRAY_LEN(shapes));

	snprintf(out, cap, "%s%s%s%s%s", shapes[i].before, name(), shapes[i].between ? shapes[i].between : "",
		 shapes[i].between ? name() : "", shapes[i].after);
}

static void random_path(char *out, size_t cap)
{
	static const char *const from[] = { WORKSPACE, "/workspace", WORKSPACE, "/workspace", "", "/home", "/home/u" };
	size_t at = (size_t)snprintf(out, cap, "%s", from[random_of(ARRAY_LEN(from))]);

	for (unsigned n = random_of(5) + !at; n; n--)
		at += (size_t)snprintf(out + at, cap - at, "/%s", name());
}

/* The path by the workspace's other name, or NULL. */
static const char *other_name(const char *path, char *out, size_t cap)
{
	static const char *const names[] = { WORKSPACE, "/workspace" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);

		if (!strncmp(path, names[i], n) && (!path[n] || path[n] == '/')) {
			snprintf(out, cap, "%s%s", names[!i], path + n);
			return out;
		}
	}
	return NULL;
}

static uint32_t first_of(char (*globs)[64], size_t n, const char *path)
{
	char buf[256];
	const char *other = other_name(path, buf, sizeof(buf));

	for (size_t i = 0; i < n; i++)
		if (wild_match(globs[i], path, '/') || (other && wild_match(globs[i], other, '/')))
			return (uint32_t)i;
	return POL_NO_RULE;
}

/* From the workspace on, as fsd goes. */
static struct pol_state below_workspace(const struct policy *p, const char *rest)
{
	struct pol_state st = policy_file_workspace(p);

	while (*rest) {
		size_t n = strcspn(rest + 1, "/");

		st = policy_file_child(p, st, rest + 1, n);
		rest += 1 + n;
	}
	return st;
}

static void ask(const struct policy *p, char (*globs)[64], size_t n, const char *path, unsigned *met)
{
	uint32_t want = first_of(globs, n, path), got = policy_file(p, policy_file_path(p, path), POL_OP_READ, (struct pol_who){ 0 }).rule_no;
	char buf[256];
	bool below = other_name(path, buf, sizeof(buf));

	if (got == want && below) {
		const char *rest = path + (path[1] == 'h' ? strlen(WORKSPACE) : strlen("/workspace"));

		got = policy_file(p, below_workspace(p, rest), POL_OP_READ, (struct pol_who){ 0 }).rule_no;
	}
	*met += below && want != POL_NO_RULE;
	if (got == want)
		return;
	for (size_t i = 0; i < n; i++)
		print_error("%zu %s\n", i, globs[i]);
	fail_msg("%s: rule %d, expected %d", path, (int)got, (int)want);
}

static void test_random(void **state UNUSED)
{
	unsigned met = 0, emitting = 0;

	for (int i = 0; i < POLICIES; i++) {
		struct rules rules = { 0 };
		char globs[12][64], path[128];
		size_t n = 2 + random_of(11);
		struct policy *p;

		for (size_t k = 0; k < n; k++) {
			random_glob(globs[k], sizeof(globs[k]));
			file_rules_add(&rules, &(struct file_rule){ globs[k], NULL, k % 2 ? POL_ALLOW : POL_DENY, OPS_ALL });
		}
		p = files_open(&rules, 4 + (size_t)i % 2);
		for (size_t k = 0; k < p->n_dfa; k++)
			emitting += p->dfa[k].n_emit > 0;
		for (int k = 0; k < PATHS; k++) {
			random_path(path, sizeof(path));
			ask(p, globs, n, path, &met);
		}
		policy_close(p);
	}
	files_end();
	assert_true(met > POLICIES * PATHS / 4 && emitting > POLICIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
