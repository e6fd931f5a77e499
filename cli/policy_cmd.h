/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `agentsh policy` share. */
#ifndef CLI_POLICY_CMD_H
#define CLI_POLICY_CMD_H

#include "cli/cmd.h"
#include "policy/compile.h"
#include "policy/policy.h"

/* Each takes the words behind its verb, NULL behind the last, and returns the exit status. */
int policy_validate_cmd(int argc, char **argv);
int policy_test_cmd(int argc, char **argv);
int policy_explain_cmd(int argc, char **argv);
int policy_list_cmd(int argc, char **argv);
int policy_show_cmd(int argc, char **argv);
int policy_schema_cmd(int argc, char **argv);

/* policy_look.c. What a question's name leads to on this machine, in a session that has this workspace (its real path). */
struct looked {
	char place[4096];      /* of a program: its directory's real path, with the last part as written; "": no file was found */
	char written[4096];    /* of a program: the name as it was written, absolute, by its text alone */
	char file[4096];       /* what is opened or run, as a session names it; "": not known */
	const char *why;       /* not NULL: why the file is not known */
	bool up, links;        /* the name had a ".."; links lead elsewhere than the name says */
};
/* A bare name in PATH, a relative path from the current directory if that is below the workspace, else from the workspace. */
void look_program(const char *name, const char *workspace, struct looked *ret);
/* path: absolute, not cleaned. last: a link that it ends in is followed, too. */
void look_path(const char *path, const char *workspace, bool last, struct looked *ret);
/* Links of the root directory and where they lead, which a session has as well; static. */
size_t look_twins(const struct pol_twin **ret);

/* Complains of how a verb was called: its usage. */
int policy_usage(const char *verb);
/* Options wherever they stand: flags are set, values taken; the operands are moved to argv's end and begin at the returned index. -1:
 * complained of. What stands behind "--" is no option, nor what follows the operand at which last (may be NULL) says true; it is given the
 * operands so far. */
struct policy_option { const char *name; bool *flag; const char **value; };
typedef bool (*policy_last_fn)(size_t n, char **operands);
int policy_options(const char *verb, int argc, char **argv, const struct policy_option *v, size_t n, policy_last_fn last);
/* Compiled for the workspace and opened, whether or not it may be used; NULL: complained of. hash: of its generation. The caller closes
 * it. */
struct policy *policy_open_named(const char *name, const char *workspace, uint8_t hash[32]);
/* Text as a terminal may see it, in one of a few buffers that later calls use again. NULL: "". */
const char *policy_shown(const char *text);

#endif
