/* SPDX-License-Identifier: Apache-2.0 */
/* For tests in which each request fails in turn: those for memory, and what else the test wraps. Link with --wrap=malloc,--wrap=calloc and
 * the test's own (tests/tests.mk). */
#ifndef TESTS_UNIT_POLICY_NOMEM_H
#define TESTS_UNIT_POLICY_NOMEM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static volatile long left = -1; /* requests until one fails; -1: none does */

static bool fails(void)
{
	return left >= 0 && left-- == 0;
}

#define WRAP(type, name, failure, params, ...)      \
	type __real_##name params;                  \
	type __wrap_##name params;                  \
	type __wrap_##name params                   \
	{                                           \
		if (!fails())                       \
			return __real_##name(__VA_ARGS__); \
		errno = ENOMEM;                     \
		return failure;                     \
	}
WRAP(void *, malloc, NULL, (size_t n), n)
WRAP(void *, calloc, NULL, (size_t n, size_t size), n, size)

#endif
