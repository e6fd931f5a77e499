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

/* Options at the front of argv: flags are set, values taken; what is left begins at the returned index. -1: complained of. Ends behind
 * "--" or at the first word that is no option. */
struct policy_option { const char *name; bool *flag; const char **value; };
int policy_options(const char *verb, int argc, char **argv, const struct policy_option *v, size_t n);
/* Compiled for the workspace and opened; NULL: complained of. The caller closes it. */
struct policy *policy_open_named(const char *name, const char *workspace);
/* Text as a terminal may see it, in one of a few buffers that later calls use again. NULL: "". */
const char *policy_shown(const char *text);

#endif
