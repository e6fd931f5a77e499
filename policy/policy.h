/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator: opens one compiled generation read-only and answers questions about it. Daemons see only this header. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum pol_decision { POL_DENY = 0, POL_ALLOW, POL_APPROVE, POL_REDIRECT, POL_AUDIT, POL_SOFT_DELETE, POL__COUNT };
const char *pol_decision_name(enum pol_decision d);   /* "deny" ... the contract's words */

/* File operations, contract 2 / inventory 1.3. */
enum pol_op {
	POL_OP_READ, POL_OP_OPEN, POL_OP_STAT, POL_OP_LIST, POL_OP_WRITE, POL_OP_CREATE, POL_OP_MKDIR, POL_OP_CHMOD, POL_OP_CHOWN,
	POL_OP_RENAME, POL_OP_DELETE, POL_OP_RMDIR, POL_OP_READLINK, POL_OP_ACCESS, POL_OP_LINK, POL_OP_SYMLINK, POL_OP_MKNOD, POL_OP__COUNT
};
const char *pol_op_name(enum pol_op op);

/* Deny is the initial value: { 0 } denies. Strings point into the open policy, valid until policy_close; NULL when absent. */
struct pol_verdict {
	enum pol_decision decision;
	const char *rule;            /* rule name, or "default-deny-files" ... */
	const char *message;         /* template, not expanded: pol_message does */
	uint64_t timeout_ms;         /* approve; 0 = default (5 minutes) */
	const char *redirect_to;     /* files: directory; commands: program */
	bool preserve_tree;          /* files */
	const char *const *redirect_args;   size_t n_redirect_args;    /* commands; "{{.Args}}" stands for the caller's */
	const char *const *redirect_append; size_t n_redirect_append;
	const char *const *redirect_env;    size_t n_redirect_env;     /* NAME=value */
	/* commands: what the rule matched, the command asked about or one found by looking through it; valid until the next question */
	const char *command; const char *const *argv; size_t argc;
};

struct policy;
/* fd: a sealed memfd (or any file nobody can change) holding a generation; hash its SHA-256, checked before it is mapped for
 * use. Keeps a duplicate of fd. 0, -EBADMSG (damaged), -EPROTO (other format), -ENOMEM. */
int policy_open(int fd, const uint8_t hash[32], struct policy **ret, struct err *err);
void policy_close(struct policy *p);                  /* takes NULL */
const char *policy_name(const struct policy *p);

/* Files: a state is where the glob automaton stands after the path so far. Copy it freely; compare with pol_state_eq. */
#define POL_DFA_MAX 8
struct pol_state { uint32_t s[POL_DFA_MAX]; };
/* State of "/" (host names), and of the workspace directory itself: the union of what its real path and /workspace match. */
struct pol_state policy_file_root(const struct policy *p);
struct pol_state policy_file_workspace(const struct policy *p);
/* State of child `name` (n bytes, any but NUL and '/') of a directory in state `dir`. Never fails. */
struct pol_state policy_file_child(const struct policy *p, struct pol_state dir, const char *name, size_t n);
struct pol_verdict policy_file(const struct policy *p, struct pol_state st, enum pol_op op);
bool pol_state_eq(struct pol_state a, struct pol_state b);
/* Whole absolute path, cleaned lexically; paths at or below the workspace's real path or /workspace start from there. */
struct pol_state policy_file_path(const struct policy *p, const char *path);
/* True when a file in state `from` would be judged for no operation less strictly if it stood in state `to`; of a directory, nothing
 * below it either, and nothing below it more strictly for what makes or fills files: each of them would have to be judged. A directory
 * is refused when the policy is too large to know (more than 20,000 pairs of states, or a split automaton). */
bool policy_file_rename_safe(const struct policy *p, struct pol_state from, struct pol_state to, bool is_dir);

/* Mount plan. How the policy treats a directory in state st and everything that could be below it. */
enum pol_tree { POL_TREE_MIXED, POL_TREE_RO, POL_TREE_RW, POL_TREE_NONE }; /* RO: reads allowed, the rest denied; NONE: all denied */
enum pol_tree policy_file_tree(const struct policy *p, struct pol_state st);

/* Network. domain lower case without trailing dot or NULL; addr 4 or 16 bytes network order or NULL; port 0: unknown (DNS: any
 * port that some rule names could match). A rule matches if all selectors it has match; cidrs match only where addr is given. */
struct pol_net { const char *domain; const uint8_t *addr; size_t addr_len; uint16_t port; bool dns; };
struct pol_verdict policy_net(const struct policy *p, const struct pol_net *q);

/* Commands. given: argv[0] or path as the caller wrote it; resolved: the file's absolute path inside the sandbox, or NULL.
 * argv[0..argc): arguments with argv[0]. depth 0 = submitted command. Stricter of name-given and resolved wins; looks
 * through sh -c and wrappers (contract 2). */
struct pol_exec {
	const char *given, *resolved; const char *const *argv; size_t argc; uint32_t depth;
	bool untrusted_name;   /* who runs it may have made the name given: it can only make the verdict of the file stricter */
};
struct pol_verdict policy_exec(const struct policy *p, const struct pol_exec *q);

/* Message with {{.Path}} {{.Args}} {{.Command}} {{.Domain}} {{.RemoteAddr}} {{.RemotePort}} {{.Operation}} expanded; a field that is NULL
 * expands to "". Returns out (cap > 0), cut if need be. */
struct pol_fields { const char *path, *args, *command, *domain, *remote_addr, *remote_port, *operation; };
char *pol_message(const char *tmpl, const struct pol_fields *f, char *out, size_t cap);

#endif
