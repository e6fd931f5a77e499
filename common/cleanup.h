/* SPDX-License-Identifier: Apache-2.0 */
/* Scoped owners: a variable marked auto_* releases what it holds when its scope ends. move_* hands it over. */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_USE __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline int move_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

/* Around one function, with the owner named: gcc's analyzer loses what a loop stores through a pointer and calls it a leak. */
#if defined(__GNUC__) && !defined(__clang__)
#define LEAKS_UNSEEN_BEGIN _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wanalyzer-malloc-leak\"")
#define LEAKS_UNSEEN_END _Pragma("GCC diagnostic pop")
#else
#define LEAKS_UNSEEN_BEGIN
#define LEAKS_UNSEEN_END
#endif

#define auto_fd __attribute__((cleanup(cleanup_fd))) int
#define auto_free __attribute__((cleanup(cleanup_free)))
#define move_ptr(p) ({ __auto_type p_ = (p); (p) = NULL; p_; })

#endif
