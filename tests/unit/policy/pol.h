/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the policy: text to an open policy, or to its complaints. Include after cmocka.h. */
#ifndef TESTS_UNIT_POLICY_POL_H
#define TESTS_UNIT_POLICY_POL_H

#include <string.h>
#include <unistd.h>

#include "policy/compile.h"
#include "policy/policy.h"

#define HEAD "version: 1\nname: n\n"

static inline struct policy *pol_open(const char *text)
{
	static const struct pol_var vars[] = { { "HOME", "/home/u" }, { "WILD", "/a*[b]{c,d}" }, { "HOST", "ex*mple.org" } };
	struct pol_source src = { .file = "f", .text = text, .len = strlen(text), .workspace = "/home/u/ws", .vars = vars, .n_vars = 3 };
	struct buf diag = BUF_INIT(1u << 16);
	struct policy *p = NULL;
	struct err err = { 0 };
	uint8_t hash[32];
	int fd;

	if (policy_compile(&src, &diag, &fd, hash) != 0)
		fail_msg("%s", (const char *)diag.data);
	assert_int_equal(policy_open(fd, hash, &p, &err), 0);
	close(fd);
	buf_fini(&diag);
	return p;
}

#define assert_verdict(v, d, r)                                                                    \
	do {                                                                                       \
		struct pol_verdict v_ = (v);                                                       \
		if (v_.decision != (d) || strcmp(v_.rule, (r)) != 0)                               \
			fail_msg("%s:%d: got %s %s", __FILE__, __LINE__, pol_decision_name(v_.decision), v_.rule); \
	} while (0)

#endif
