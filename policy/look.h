/* SPDX-License-Identifier: Apache-2.0 */
/* What a command would run, by its words alone: a shell's -c, a wrapper's program, what a dynamic loader loads. */
#ifndef POLICY_LOOK_H
#define POLICY_LOOK_H

#include "policy/image.h"

#define LOOK_DEPTH 4
struct inner {
	const char *const *argv; size_t argc;   /* argc 0: nothing is run, or what is cannot be told */
	bool script;                            /* a shell's -c */
	bool loaded;                            /* by a loader, with no exec of its own that would be judged */
	bool unknown;                           /* loaded: which of the words is the program cannot be told; argv is not its */
	const char *zero;                       /* what a loader was told to give as argv[0], or NULL */
	bool bypass;                            /* written so that what runs is not what it looks like */
};
/* name: of the program, in lower case. slot < LOOK_DEPTH + 1: whose memory the words found are kept in until the next question. */
struct inner look_inside(const struct policy *p, const struct name *name, const char *const *argv, size_t argc, int slot);
bool look_shell(const struct name *name); /* one whose -c is looked through */
bool look_loader(const struct name *name); /* one that loads programs; look_inside then needs no memory of a slot's */

#endif
