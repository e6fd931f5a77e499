/* SPDX-License-Identifier: Apache-2.0 */
/* What is known in part only, or may be read in two ways, is judged by the stricter side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/policy/pol.h"

static unsigned asked;
static uint8_t is;
static int answer;

static int digest(void *arg UNUSED, uint8_t ret[32])
{
	asked++;
	memset(ret, is, 32);
	return answer;
}

static struct pol_verdict run(const struct policy *p, const char *const *argv)
{
	struct pol_exec q = { .given = argv[0], .argv = argv, .sha256 = digest };

	while (argv[q.argc])
		q.argc++;
	asked = 0;
	return policy_exec(p, &q);
}

#define RUN(...) run(p, (const char *const[]){ __VA_ARGS__, NULL })
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"

/* The digest is that of the file that is run: of what a shell or a wrapper would run there is none yet. */
static void test_digests(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "command_rules:\n"
		"- {name: good, commands: [tool], sha256: [" ONES ", " TWOS "], decision: allow}\n"
		"- {name: seen, commands: [tool], sha256: " ONES ", decision: audit}\n"
		"- {name: held, commands: [tool], sha256: 3333333333333333333333333333333333333333333333333333333333333333, decision: approve}\n"
		"- {name: rest, decision: allow}\n");

	answer = 0;
	is = 0x22;
	assert_verdict(RUN("tool"), POL_ALLOW, "good");
	assert_int_equal(asked, 1);
	is = 0x33;
	assert_verdict(RUN("tool"), POL_APPROVE, "held");
	assert_int_equal(asked, 1); /* once, whatever number of rules looks at it */
	is = 0x44;
	assert_verdict(RUN("tool"), POL_ALLOW, "rest");
	assert_verdict(RUN("other"), POL_ALLOW, "rest");
	assert_int_equal(asked, 0);
	is = 0x22;
	answer = -1;
	assert_verdict(RUN("tool"), POL_APPROVE, "held");
	answer = 0;
	is = 0x11; /* the shell's, which is not the tool's: that one is judged with its own, at its own exec */
	assert_verdict(RUN("sh", "-c", "tool x"), POL_ALLOW, "rest");
	assert_int_equal(asked, 0);
	assert_verdict(RUN("env", "tool"), POL_ALLOW, "rest");
	assert_int_equal(asked, 0);
	policy_close(p);
}

static struct pol_verdict get(const struct policy *p, const char *path)
{
	struct pol_http q = { .net = { .domain = "a.org", .port = 443 }, .method = "GET", .path = path };

	return policy_http(p, &q);
}

/* %2F is a byte of a segment to one server and ends it for another. */
static void test_paths(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "network_rules:\n"
		"- {name: no-sent, domains: [a.org], paths: ['/x/*%*'], decision: deny}\n"
		"- {name: no-plain, domains: [a.org], paths: ['/y/secret'], decision: deny}\n"
		"- {name: seen, domains: [a.org], paths: ['/s/*'], decision: audit}\n"
		"- {name: ok, domains: [a.org], paths: ['/v/*'], decision: allow}\n"
		"- {name: ask, domains: [a.org], paths: ['/v/**', '/s/**'], decision: approve}\n");

	assert_verdict(get(p, "/v/a"), POL_ALLOW, "ok");
	assert_verdict(get(p, "/v/%61"), POL_ALLOW, "ok");
	assert_verdict(get(p, "/v/a%2Fb"), POL_APPROVE, "ask"); /* as sent it would be allowed */
	assert_verdict(get(p, "/%76/a"), POL_APPROVE, "ask");   /* as read */
	assert_verdict(get(p, "/s/a"), POL_AUDIT, "seen");
	assert_verdict(get(p, "/s/a%2Fb"), POL_APPROVE, "ask");
	assert_verdict(get(p, "/%73/a"), POL_APPROVE, "ask");
	assert_verdict(get(p, "/x/a%41"), POL_DENY, "no-sent"); /* only as sent */
	assert_verdict(get(p, "/y/%73ecret"), POL_DENY, "no-plain"); /* only as read */
	assert_verdict(get(p, "/y/%74ecret"), POL_DENY, "default-deny-network");
	policy_close(p);
}

/* Ranges: a rule that was found by one is not looked at again by a wider one, and a longer prefix decides nothing by itself. */
static void test_ranges(void **state UNUSED)
{
	struct policy *p = pol_open(HEAD "network_rules:\n"
		"- {name: first, cidrs: [10.0.0.0/8], decision: deny}\n"
		"- {name: both, cidrs: [10.1.0.0/16, 10.0.0.0/8], decision: allow}\n"
		"- {name: six, cidrs: ['2001:db8::/32', '::/0'], ports: [443], decision: allow}\n"
		"- {name: all, cidrs: [0.0.0.0/0], ports: [80], decision: audit}\n");
	static const struct { uint8_t addr[16]; size_t len; uint16_t port; enum pol_decision d; const char *rule; } t[] = {
		{ { 10, 1, 2, 3 }, 4, 443, POL_DENY, "first" }, { { 11 }, 4, 80, POL_AUDIT, "all" }, { { 11 }, 4, 443, POL_DENY, "default-deny-network" },
		{ { 0x20, 1, 0xd, 0xb8 }, 16, 443, POL_ALLOW, "six" }, { { 0 }, 16, 80, POL_DENY, "default-deny-network" },
		{ { 10, 1, 2, 3 }, 5, 443, POL_DENY, "default-deny-network" }, /* no address has five bytes */
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct pol_net q = { .addr = t[i].addr, .addr_len = t[i].len, .port = t[i].port };

		assert_verdict(policy_net(p, &q), t[i].d, t[i].rule);
	}
	policy_close(p);
}

static void test_messages(void **state UNUSED)
{
	const struct pol_fields f = { .path = "/a", .operation = "read" };
	char out[8], one[1] = { 'x' };

	assert_string_equal(pol_message("{{.Operation}}{{.Path}}", &f, out, sizeof(out)), "read/a");
	assert_string_equal(pol_message("12345{{.Operation}}x", &f, out, sizeof(out)), "12345re");
	assert_string_equal(pol_message("123{{.Operation}}x", &f, out, sizeof(out)), "123read");
	assert_string_equal(pol_message("{{.Domain}}{{.domain}}", &f, out, sizeof(out)), "{{.doma");
	assert_string_equal(pol_message("x", &f, one, 1), "");
}

/* Rules in a row that say the same share it; each still says its own. */
static void test_shared_messages(void **state UNUSED)
{
	static const char *const want[] = { "one", "one", NULL, "one", "two", "two", "on" };
	struct policy *p = pol_open(HEAD "file_rules:\n"
		"- {name: a, paths: [/0], decision: deny, message: one}\n- {name: b, paths: [/1], decision: deny, message: one}\n"
		"- {name: c, paths: [/2], decision: deny}\n- {name: d, paths: [/3], decision: deny, message: one}\n"
		"- {name: e, paths: [/4], decision: deny, message: two}\n- {name: f, paths: [/5], decision: deny, message: two}\n"
		"- {name: g, paths: [/6], decision: deny, message: on}\n"
		"unix_socket_rules: [{name: u, paths: [/x], decision: deny, message: on}]\n");
	struct pol_verdict v;

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		const char path[] = { '/', (char)('0' + i), 0 };

		v = policy_file(p, policy_file_path(p, path), POL_OP_READ, (struct pol_who){ 0 });
		assert_int_equal(v.decision, POL_DENY);
		if (want[i])
			assert_string_equal(v.message, want[i]);
		else
			assert_null(v.message);
	}
	v = policy_unix(p, "/x", POL_UNIX_CONNECT, (struct pol_who){ 0 });
	assert_string_equal(v.message, "on");
	policy_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_digests), cmocka_unit_test(test_paths), cmocka_unit_test(test_ranges), cmocka_unit_test(test_messages),
		cmocka_unit_test(test_shared_messages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
