/* SPDX-License-Identifier: Apache-2.0 */
/* What the measuring programs share: a clock and an order. Each prints lines "KEY NUMBER" for bench.py. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline void print_p50(uint64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_size);
	printf("p50_ns %llu\n", (unsigned long long)(n ? v[n / 2] : 0));
}

static inline size_t number(const char *s, size_t max)
{
	size_t n = strtoul(s, NULL, 10);

	if (n < 1 || n > max) {
		fprintf(stderr, "%s is not a number from 1 to %zu\n", s, max);
		exit(2);
	}
	return n;
}

#endif
