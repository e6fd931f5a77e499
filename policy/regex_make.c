/* SPDX-License-Identifier: Apache-2.0 */
/* args_patterns, compiled: by the whole vectorscan, loaded when a policy has patterns and not before: see regex.c. */
#include <dlfcn.h>
#include <errno.h>
#include <hs/hs_compile.h>
#include <hs/hs_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

struct lib {
	__typeof__(hs_compile_multi) *compile;
	__typeof__(hs_free_compile_error) *free_error;
};

static const struct lib *library(void)
{
	static struct lib l;
	void *h = l.compile ? NULL : dlopen("libhs.so.5", RTLD_NOW | RTLD_LOCAL);

	if (h) {
		*(void **)&l.free_error = dlsym(h, "hs_free_compile_error");
		*(void **)&l.compile = l.free_error ? dlsym(h, "hs_compile_multi") : NULL;
	}
	return l.compile ? &l : NULL;
}

/* The bound of {n}, {n,} or {n,m} at p, or 1 when it is no such thing; *end is behind it. */
static uint64_t bound(const char *p, const char **end)
{
	uint64_t v = 0, last = 0;
	const char *s = p + 1;

	for (; (*s >= '0' && *s <= '9') || *s == ','; s++) {
		v = *s == ',' ? 0 : v * 10 + (uint64_t)(*s - '0');
		if (v > REGEX_COST_MAX)
			v = REGEX_COST_MAX;
		last = v > last ? v : last;
	}
	*end = s;
	return *s == '}' && last ? last : 1;
}

uint64_t regex_cost(const char *pattern)
{
	uint64_t product = 1, n = strlen(pattern);

	for (const char *p = pattern; *p;) {
		if (*p == '\\' && p[1])
			p += 2;
		else if (*p == '{')
			product *= bound(p, &p);
		else
			p++;
		if (product > REGEX_COST_MAX)
			return REGEX_COST_MAX + 1;
	}
	/* Repetitions were measured to cost some four times what the same length does. */
	return (n + 16) * (product > 1 ? product * 4 : 1);
}

int regex_compile(const struct strs *patterns, uint8_t **ret, size_t *ret_len, char *why, size_t cap, size_t *ret_which)
{
	unsigned *flags = calloc(patterns->n, sizeof(*flags)), *ids = calloc(patterns->n, sizeof(*ids));
	const struct lib *l = library();
	hs_compile_error_t *error = NULL;
	hs_database_t *db = NULL;
	char *bytes = NULL;
	int r = -ENOMEM;

	snprintf(why, cap, "out of memory");
	*ret_which = 0;
	if (!l) {
		snprintf(why, cap, "patterns need libhs.so.5 (package libvectorscan5)");
		r = -ENOENT;
	}
	for (size_t i = 0; flags && ids && i < patterns->n; i++) {
		/* A dot is any byte: a line feed in an argument must not end what a rule looks at. */
		flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_DOTALL;
		ids[i] = (unsigned)i;
	}
	if (l && flags && ids &&
	    l->compile((const char *const *)patterns->v, flags, ids, (unsigned)patterns->n, HS_MODE_STREAM, NULL, &db, &error) !=
		    HS_SUCCESS) {
		snprintf(why, cap, "%s", error ? error->message : "cannot be compiled");
		*ret_which = error && error->expression >= 0 ? (size_t)error->expression : 0;
		l->free_error(error);
		r = -EINVAL;
	} else if (l && flags && ids && hs_serialize_database(db, &bytes, ret_len) == HS_SUCCESS) {
		*ret = malloc(*ret_len);
		r = *ret ? 0 : -ENOMEM;
		if (*ret)
			memcpy(*ret, bytes, *ret_len);
	}
	free(bytes);
	hs_free_database(db);
	free(flags);
	free(ids);
	return r;
}
