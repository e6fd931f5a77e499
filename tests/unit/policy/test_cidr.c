/* SPDX-License-Identifier: Apache-2.0 */
/* Address ranges: their edges, what is none, and what a question costs. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "policy/model.h"
#include "tests/unit/policy/pol.h"

static bool has(const char *range, const char *address)
{
	bool v6 = strchr(address, ':') != NULL;
	struct cidr c;
	uint8_t a[16];

	assert_int_equal(cidr_parse(range, &c), 0);
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, address, a), 1);
	return cidr_has(&c, a, v6 ? 16 : 4);
}

static void test_edges(void **state UNUSED)
{
	static const struct { const char *range, *address; bool in; } t[] = {
		{ "10.0.0.0/8", "10.0.0.0", true }, { "10.0.0.0/8", "10.255.255.255", true }, { "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "9.255.255.255", false }, { "10.1.2.3/8", "10.9.9.9", true }, { "172.16.0.0/12", "172.31.255.255", true },
		{ "172.16.0.0/12", "172.32.0.0", false }, { "172.16.0.0/12", "172.15.255.255", false }, { "1.2.3.4", "1.2.3.4", true },
		{ "1.2.3.4", "1.2.3.5", false }, { "1.2.3.4/32", "1.2.3.4", true }, { "1.2.3.4/32", "1.2.3.5", false }, { "1.2.3.4/31", "1.2.3.5", true },
		{ "1.2.3.4/31", "1.2.3.6", false }, { "0.0.0.0/0", "255.1.2.3", true }, { "0.0.0.0/1", "127.255.255.255", true },
		{ "0.0.0.0/1", "128.0.0.0", false }, { "0.0.0.0/0", "::1", false }, { "::/0", "1.2.3.4", false }, { "::/0", "ffff::", true },
		{ "fc00::/7", "fdff:ffff::1", true }, { "fc00::/7", "fe00::", false }, { "::1", "::1", true }, { "::1/128", "::2", false },
		{ "::2/127", "::3", true }, { "::2/127", "::4", false }, { "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false }, { "::ffff:10.0.0.0/104", "10.1.1.1", true }, { "::ffff:10.0.0.0/104", "11.1.1.1", false },
		{ "::ffff:1.2.3.4", "1.2.3.4", true }, { "::/0", "::ffff:1.2.3.4", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		if (has(t[i].range, t[i].address) != t[i].in)
			fail_msg("%s in %s", t[i].address, t[i].range);
}

static void test_none(void **state UNUSED)
{
	static const char *const t[] = { "", "/", "/8", "1.2.3", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/8/8", "1.2.3.4/ 8", "1.2.3.4.5/8", "::/129",
					 ":::/8", "g::/8", "1.2.3.4/18446744073709551616",
					 "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111/8" };
	struct cidr c;

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		if (cidr_parse(t[i], &c) == 0)
			fail_msg("\"%s\" is taken for a range", t[i]);
}

/* 40 ranges a question, as bytes: text read at each question took some 100 ns a range. */
static void test_cost(void **state UNUSED)
{
	static const uint8_t last[4] = { 10, 39, 255, 255 }, none[4] = { 11, 0, 0, 0 };
	struct pol_net in = { .addr = last, .addr_len = 4, .port = 1 }, out = { .addr = none, .addr_len = 4, .port = 1 };
	char text[8192] = HEAD "network_rules:\n";
	size_t at = strlen(text);
	struct policy *p;
	clock_t start;

	for (int i = 0; i < 10; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "- {name: n%d, cidrs: [10.%d.0.0/16, 10.%d.0.0/16, 10.%d.0.0/16, 10.%d.0.0/16], decision: allow}\n", i, i * 4, i * 4 + 1,
				       i * 4 + 2, i * 4 + 3);
	p = pol_open(text);
	assert_verdict(policy_net(p, &in), POL_ALLOW, "n9");
	assert_verdict(policy_net(p, &out), POL_DENY, "default-deny-network");
	start = clock();
	for (int i = 0; i < 100000; i++)
		policy_net(p, i % 2 ? &in : &out);
	/* The sanitizers take some of it. */
	assert_true(clock() - start < CLOCKS_PER_SEC / 2);
	print_message("a question of 40 ranges: %.0f ns\n", (double)(clock() - start) / CLOCKS_PER_SEC * 1e9 / 100000);
	policy_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_edges), cmocka_unit_test(test_none), cmocka_unit_test(test_cost) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
