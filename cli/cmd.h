/* SPDX-License-Identifier: Apache-2.0 */
/* What the CLI's files share: the commands, and the client side of the daemons. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "common/daemon.h"
#include "common/ipc.h"
#include "common/str.h"

enum { EXIT_ERROR = 1, EXIT_ENV = 2, EXIT_TIMEOUT = 124, EXIT_DENIED = 126, EXIT_NOT_FOUND = 127 };

int cmd_server(int argc, char **argv);
int cmd_session(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_trash(int argc, char **argv);
int cmd_undo(int argc, char **argv);
int cmd_checkpoint(int argc, char **argv);
int cmd_approve(int argc, char **argv);
int cmd_mount(int argc, char **argv);
int cmd_umount(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_detect(int argc, char **argv);

/* stderr: "agentsh: words", escaped for a terminal; returns EXIT_ERROR. */
int complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
void print_json(cJSON *j);                              /* stdout, one document; frees j */

/* client.c. Connects to a daemon, starting all three when they do not run and AGENTSH_NO_AUTO does not forbid it. */
int client_connect(const char *daemon, bool may_start, struct err *err);
/* Connection to a session's worker, or negative errno with words. */
int client_attach(const char *daemon, const char *id, struct err *err);
int client_sync(const char *daemon, const char *id);    /* every event before this call is in its file afterwards */
/* Puts a question to a person, on one line and escaped: what is asked, of which kind, by which rule, and the rule's own words. */
void client_show_question(FILE *to, const char *kind, const char *target, const char *rule, const char *message);
int client_list(char ids[][ID_MAX], size_t max, struct err *err); /* number of sessions */
int client_list_mounts(char ids[][ID_MAX], size_t max, struct err *err); /* of sessions and of mounts alone */
char *self_dir(void);                                   /* directory of this program; static */

/* policy_load.c: finds, reads and compiles a policy for a workspace. *ret_fd sealed. */
/* Name or file to path: AGENTSH_POLICY_DIR, then policies.dir of the configuration, or without one ~/.config/agentsh/policies,
 * /etc/agentsh/policies and beside the program; else "(built-in) NAME". The caller's own as far as trust_own_dir says. */
bool policy_is_file(const char *name);                  /* a path, not a name: has "/" or "." in it */
int policy_find(const char *name, char *path, size_t cap, struct err *err);
/* What goes to stderr of a policy's warnings; its errors do in any case. */
enum policy_says { POLICY_SAYS_NOTHING, POLICY_SAYS_UNENFORCED, POLICY_SAYS_ALL };
int policy_load(const char *name, const char *workspace, int *ret_fd, uint8_t hash[32], enum policy_says says, struct err *err);
/* The same whether or not it is signed or in the manifest: for looking at; what comes of it is never given to a daemon or stored. */
int policy_load_draft(const char *name, const char *workspace, int *ret_fd, uint8_t hash[32], struct err *err);
/* policy_vars.c: PROJECT_ROOT, GIT_ROOT and the environment as a policy's variables, how many in return. They stay until the program ends,
 * as long as workspace and the environment do; without memory the program ends. */
struct pol_var;
size_t policy_vars(const struct pol_var **ret, const char *workspace);
struct buf;
int file_read(const char *path, size_t max, struct buf *out, struct err *err);
/* The same from a descriptor at its beginning, which stays the caller's; path is for words alone. */
int file_read_fd(int fd, const char *path, size_t max, struct buf *out, struct err *err);
int policy_read(const char *path, struct buf *out, struct err *err);   /* path as policy_find gave it */
/* pol_source.load; arg not NULL: what it reads must be trusted (trust_read). A name as policy_find takes it; what has "/" in it or ends
 * with .yaml is a file beside the one that names it. */
int policy_extends(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct err *err);

/* embed.c. What this program carries inside: its bytes, owned by nobody, or NULL. */
const char *embed_find(const char *name, size_t *ret_len);
const char *embed_pack(size_t i);                       /* file name of the i-th policy pack, or NULL */
int embed_exec(const char *name);                       /* becomes that daemon; returns only a negative errno */

/* cmd_session.c: id state created_at workspace workspace_mount policy policy_hash generation uid running_commands; NULL with words. */
cJSON *session_info(const char *id, struct err *err);

/* session_make.c */
struct made_session { char id[ID_MAX]; char workspace[4096]; char policy[256]; char hash[65]; };
/* verbose: all of the policy's warnings go to stderr, not only those about what no daemon enforces. */
int session_make(const char *workspace, const char *policy, bool verbose, struct made_session *ret, struct err *err);

/* session_update.c */
int session_update(int argc, char **argv);

/* exec_run.c */
struct exec_opts { bool json; const char *events; uint64_t timeout_ms; char **argv; int argc; const char *argv0; };
int exec_run(const char *id, const struct exec_opts *o);

/* events_read.c: events of a session from the three files, merged by time; filters may be NULL. cJSON array, owned by the caller. */
#define EVENT_SOURCES 3
struct events_from { int64_t at[EVENT_SOURCES]; };      /* where each file ended when it was noted */
void events_note(const char *id, struct events_from *ret);
cJSON *events_read(const char *id, const char *command_id, const struct events_from *from);

#endif
