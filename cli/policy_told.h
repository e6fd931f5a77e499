/* SPDX-License-Identifier: Apache-2.0 */
/* A question as explain asks it: of what its name leads to on this machine. */
#ifndef CLI_POLICY_TOLD_H
#define CLI_POLICY_TOLD_H

#include "cli/policy_cmd.h"
#include "policy/cases.h"

/* What is told: the question as it is judged in the end, and the answer. */
struct told {
	struct question q;
	struct answer a, by_name;    /* by_name.word NULL: the name leads nowhere else */
	struct answer command;       /* word NULL: the question is not about the file of a command that this says of */
	struct looked seen;
	const char *name;            /* of a file, as it was asked for */
	bool before, refused;        /* the name alone decided; a redirect that is not carried out */
};

/* Asks o->q, which is then the question that was judged in the end, and sets all else. workspace: its real path. written: of a file, the
 * path as it was given, absolute; kept by o. 0, or negative errno with words. */
int told_ask(const struct policy *p, const char *workspace, const char *written, struct told *o, struct err *err);

#endif
