/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a generation where memory or the kernel fails at each place in turn: refused with words, nothing leaks, and
 * what cannot be looked at never allows. Links with what it makes fail wrapped (tests/tests.mk). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "policy/generation.h"
#include "policy/image.h"
#include "tests/unit/policy/nomem.h"
#include "tests/unit/policy/pol.h"

static bool realloc_fails;
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_realloc(void *p, size_t n)
{
	return realloc_fails ? NULL : __real_realloc(p, n);
}

WRAP(void *, mmap, MAP_FAILED, (void *at, size_t n, int prot, int flags, int fd, off_t off), at, n, prot, flags, fd, off)

static const char text[] = HEAD
	"command_rules:\n"
	"- {name: ok, commands: [git], args_patterns: [status], decision: allow}\n"
	"- {name: seen, commands: [git], args_patterns: [status], decision: audit}\n"
	"- {name: no, commands: [git], args_patterns: [force], decision: deny}\n"
	"- {name: to, commands: [vi], decision: redirect, redirect_to: {command: ed, args: [a], args_append: [b], environment: {A: b}}}\n"
	"- {name: rest, commands: [git], decision: allow}\n"
	"dns_redirects: [{name: d, match: '^x$', resolve_to: 192.0.2.1}]\n"
	"env_inject: {A: b}\n"
	"http_services: [{name: h, upstream: 'https://a.b/c', aliases: [d.e]}]\n"
	"llm_budgets: [{name: l, models: [g*], max_usd: 1.5}]\n";
static uint8_t hash[32], *bytes;
static size_t len;
static int sealed = -1;

static int make(void **state UNUSED)
{
	struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1 };
	struct buf diag = BUF_INIT(1u << 16);

	if (policy_compile(&src, &diag, &sealed, hash) != 0)
		fail_msg("%s", (const char *)diag.data);
	buf_fini(&diag);
	len = (size_t)lseek(sealed, 0, SEEK_END);
	bytes = malloc(len);
	assert_int_equal(pread(sealed, bytes, len, 0), len);
	return 0;
}

static int unmake(void **state UNUSED)
{
	free(bytes);
	close(sealed);
	return 0;
}

static struct pol_verdict git(const struct policy *p, const char *arg)
{
	const char *const argv[] = { "git", arg, NULL };
	struct pol_exec q = { .given = "git", .argv = argv, .argc = 2 };

	return policy_exec(p, &q);
}

static void works(struct policy *p)
{
	struct pol_redirect r;

	assert_verdict(git(p, "status"), POL_ALLOW, "ok");
	assert_verdict(git(p, "--force"), POL_DENY, "no");
	assert_verdict(git(p, "log"), POL_ALLOW, "rest");
	assert_false(policy_dns_redirect(p, "y", &r));
	assert_true(policy_dns_redirect(p, "x", &r));
	assert_string_equal(policy_service(p, 0)->name, "h");
	assert_int_equal(policy_budget(p, 0)->max_microusd, 1500000);
}

/* Of a file that is sealed, and of one that is copied. */
static void each_place(int fd)
{
	long refused = 0;
	bool all = false;

	for (long at = 0; !all; at++) {
		struct policy *const before = (struct policy *)(void *)bytes, *p = before;
		struct err err = { 0 };
		int r;

		left = at;
		r = policy_open(fd, hash, &p, &err);
		all = left >= 0;
		left = -1;
		if (r == 0) {
			works(p);
			policy_close(p);
			continue;
		}
		assert_int_equal(r, -ENOMEM);
		assert_true(err.status == r && err.msg[0]);
		assert_ptr_equal(p, before);
		refused++;
	}
	assert_true(refused >= 6);
}

static void test_each_place(void **state UNUSED)
{
	char path[] = "/var/tmp/agentsh-unit-XXXXXX";
	int fd = memfd_create("t", 0);

	each_place(sealed);
	assert_int_equal(write(fd, bytes, len), len);
	each_place(fd);
	close(fd);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, bytes, len), len);
	each_place(fd);
	close(fd);
}

static void test_generation(void **state UNUSED)
{
	struct generation *g = NULL;
	struct err err = { 0 };

	left = 0;
	assert_int_equal(generation_open(sealed, hash, 1, "x", &g, &err), -ENOMEM);
	assert_int_equal(left, -1);
	assert_true(err.status == -ENOMEM && err.msg[0]);
	assert_null(g);
	left = 1;
	assert_int_equal(generation_open(sealed, hash, 1, "x", &g, &err), -ENOMEM);
	assert_null(g);
	assert_int_equal(generation_open(sealed, hash, 1, "x", &g, &err), 0);
	generation_unref(g);
}

static void refused(int fd, const char *words)
{
	struct policy *p = NULL;
	struct err err = { 0 };

	assert_int_equal(policy_open(fd, hash, &p, &err), -EBADMSG);
	if (!strstr(err.msg, words))
		fail_msg("%s", err.msg);
	assert_null(p);
}

static void test_no_file(void **state UNUSED)
{
	int fd = memfd_create("t", 0);

	refused(-1, "empty or larger");
	refused(fd, "empty or larger");
	assert_int_equal(ftruncate(fd, (off_t)GENERATION_MAX + 1), 0);
	refused(fd, "empty or larger");
	assert_int_equal(ftruncate(fd, 4096), 0);
	refused(fd, "SHA-256");
	close(fd);
}

static struct policy *opened(void)
{
	struct policy *p = NULL;
	struct err err;

	assert_int_equal(policy_open(sealed, hash, &p, &err), 0);
	return p;
}

/* A text that takes more steps than one may: rules that allow do not match, those that restrict do. */
static void test_patterns(void **state UNUSED)
{
	static const char dear[] = HEAD "command_rules:\n"
		"- {name: ok, commands: [git], args_patterns: ['x(x?){250}yy'], decision: allow}\n"
		"- {name: no, commands: [git], args_patterns: ['x(x?){250}zz'], decision: deny}\n"
		"- {name: rest, commands: [git], decision: allow}\n"
		"dns_redirects: [{name: d, match: 'x(x?){250}yy', resolve_to: 192.0.2.1}]\n";
	struct policy *p = pol_open(dear);
	struct pol_redirect r;
	size_t n = 1u << 18;
	char *word = malloc(n);

	memset(word, 'x', n);
	word[n - 1] = 0;
	assert_verdict(git(p, "xx"), POL_ALLOW, "rest");
	assert_verdict(git(p, word), POL_ALLOW, "rest"); /* without y and z there is nothing to look for */
	word[0] = word[1] = 'y';
	assert_verdict(git(p, word), POL_ALLOW, "rest");
	word[2] = word[3] = 'z';
	assert_verdict(git(p, word), POL_DENY, "no");
	assert_true(policy_dns_redirect(p, word, &r));
	assert_string_equal(r.rule, "d");
	assert_false(policy_dns_redirect(p, "yx", &r));
	free(word);
	policy_close(p);
}

/* Arguments that there is no memory to join: not what was joined last. */
static void test_arguments(void **state UNUSED)
{
	struct policy *p = opened();
	char *word = malloc(1u << 20);

	memset(word, 'x', 1u << 20);
	word[(1u << 20) - 1] = 0;
	assert_verdict(git(p, "status"), POL_ALLOW, "ok");
	realloc_fails = true;
	assert_verdict(git(p, word), POL_DENY, "no");
	realloc_fails = false;
	assert_verdict(git(p, word), POL_ALLOW, "rest");
	free(word);
	policy_close(p);
}

static void test_words(void **state UNUSED)
{
	assert_string_equal(pol_decision_name(POL__COUNT), "deny");
	assert_string_equal(pol_decision_name(POL_ABSORB), "absorb");
	assert_string_equal(pol_op_name(POL_OP__COUNT), "?");
	assert_string_equal(pol_op_name(POL_OP_MKNOD), "mknod");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_place), cmocka_unit_test(test_generation), cmocka_unit_test(test_no_file),
					    cmocka_unit_test(test_patterns), cmocka_unit_test(test_arguments), cmocka_unit_test(test_words) };

	return cmocka_run_group_tests(tests, make, unmake);
}
