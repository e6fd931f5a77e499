/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator: opens one compiled generation read-only and answers questions about it. Daemons see only this header. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum pol_decision { POL_DENY = 0, POL_ALLOW, POL_APPROVE, POL_REDIRECT, POL_AUDIT, POL_SOFT_DELETE, POL_ABSORB, POL__COUNT };
const char *pol_decision_name(enum pol_decision d);   /* "deny" ... the contract's words; absorb is for signals only */

/* File operations, contract 2 / inventory 1.3. */
enum pol_op {
	POL_OP_READ, POL_OP_OPEN, POL_OP_STAT, POL_OP_LIST, POL_OP_WRITE, POL_OP_CREATE, POL_OP_MKDIR, POL_OP_CHMOD, POL_OP_CHOWN,
	POL_OP_RENAME, POL_OP_DELETE, POL_OP_RMDIR, POL_OP_READLINK, POL_OP_ACCESS, POL_OP_LINK, POL_OP_SYMLINK, POL_OP_MKNOD, POL_OP__COUNT
};
const char *pol_op_name(enum pol_op op);

/* Who asks: the policy's `processes` entries that the calling program or an ancestor of it in the session matches, as policy_labels gave
 * them at each exec, or-ed along the line of descent. A rule with processes that allows (allow, audit) looks at sure, any other at may and
 * sure. sure: what nobody in the session could have brought about but by running that program; may: what it could be by any of the
 * names that it has or was given. unknown: it could not be found out; such a rule then matches unless it allows. { 0 } is known, and
 * matches no such rule. */
struct pol_who { uint64_t sure, may; bool unknown; };
#define POL_LABELS_MAX 64            /* distinct entries of `processes` in one policy */
#define POL_NO_RULE 0xffffffffu

enum pol_tls { POL_TLS_DEFAULT, POL_TLS_INSPECT, POL_TLS_PASSTHROUGH };

/* Deny is the initial value: { 0 } denies. Strings point into the open policy, valid until policy_close; NULL when absent. */
struct pol_verdict {
	enum pol_decision decision;
	const char *rule;            /* rule name, or "default-deny-files" ... */
	uint32_t rule_no;            /* from 0 in its section, for policy_env and positions; POL_NO_RULE when no rule matched */
	const char *message;         /* template, not expanded: pol_message does */
	uint64_t timeout_ms;         /* approve; 0 = default (5 minutes) */
	const char *redirect_to;     /* files: directory; commands: program */
	bool preserve_tree;          /* files */
	const char *const *redirect_args;   size_t n_redirect_args;    /* commands; "{{.Args}}" stands for the caller's */
	const char *const *redirect_append; size_t n_redirect_append;
	const char *const *redirect_env;    size_t n_redirect_env;     /* NAME=value */
	bool undo_keep;              /* files: undo: keep */
	enum pol_tls tls;            /* network */
	bool http;                   /* network: the rule has methods or paths: each request is to be judged */
	const char *dlp;             /* network: the rule's dlp word, or NULL */
	int signal;                  /* signals: redirect to this one, or 0 */
	enum pol_decision fallback;  /* signals: where the decision cannot be done; POL_DENY unless given */
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
/* Beside the automata's states, what holds for good below a directory and would multiply them: first, by operation, the first rule of those
 * (0: none; a larger number is an earlier rule); kept, a bit for each begin of a path, `.../a/` of `.../a/` + `**` + `/b`, that was met
 * before the last name; late, by automaton, where those stand that were met with it. No padding: states are compared by their bytes. */
#define POL_KEPT_MAX 192
struct pol_state { uint64_t kept[POL_KEPT_MAX / 64]; uint32_t s[POL_DFA_MAX]; uint16_t late[POL_DFA_MAX], first[20]; };
/* State of "/" (host names), and of the workspace directory itself: the union of what its real path and /workspace match. */
struct pol_state policy_file_root(const struct policy *p);
struct pol_state policy_file_workspace(const struct policy *p);
/* State of child `name` (n bytes, any but NUL and '/') of a directory in state `dir`. Never fails. */
struct pol_state policy_file_child(const struct policy *p, struct pol_state dir, const char *name, size_t n);
struct pol_verdict policy_file(const struct policy *p, struct pol_state st, enum pol_op op, struct pol_who who);
/* Whether that verdict depends on who: only then is it worth finding out. */
bool policy_file_asks(const struct policy *p, struct pol_state st, enum pol_op op);
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
/* The same of /name, a directory in the root directory, without the workspace, which has a mount of its own wherever it lies. */
enum pol_tree policy_file_top(const struct policy *p, const char *name);

/* Labels. policy_has_labels: some rule has processes. policy_labels: those that a program matches which is being run: given, resolved and
 * untrusted_name as in struct pol_exec. Or them with the labels of who runs it. policy_exec_labels: the same by all the names of a struct
 * pol_exec, of which given may be NULL. For sure count those that are to be trusted; for may, which has sure's too, all of them and what
 * argv says that the program is to be: argv[0], GNU coreutils' option, the first word of busybox and its like, what a loader loads (every
 * label, where that is not known). */
bool policy_has_labels(const struct policy *p);
struct pol_who policy_labels(const struct policy *p, const char *given, const char *resolved, bool untrusted_name);
struct pol_exec;
struct pol_who policy_exec_labels(const struct policy *p, const struct pol_exec *q);
/* Names the numbering of the labels, never 0: labels that one policy gave are another's only where this is the same. */
uint64_t policy_labels_id(const struct policy *p);

/* Network. domain lower case without trailing dot or NULL; addr 4 or 16 bytes network order or NULL; port 0: unknown (DNS: any
 * port that some rule names could match). A rule matches if all selectors it has match; cidrs match only where addr is given. */
/* A rule with methods or paths: inspected says that each request will be judged (policy_http): then, and for names, it decides here
 * unless it denies; not inspected, it decides here only when it denies, so that what cannot be looked at is not allowed. A declared
 * http_services host is denied ("http-service-direct") unless the service says allow_direct. */
struct pol_net {
	const char *domain; const uint8_t *addr; size_t addr_len; uint16_t port; bool dns, inspected;
	struct pol_who who;
};
struct pol_verdict policy_net(const struct policy *p, const struct pol_net *q);
/* The same for a raw address, which a translator or tunnel may lead to IPv4 ones that lie in it (addr16_embedded): where it is permitted,
 * each of those must be permitted as well, or the first that is not decides. by: NULL, or gets that one, and otherwise 0.0.0.0. */
struct pol_verdict policy_net_through(const struct policy *p, const struct pol_net *q, uint8_t by[4]);
/* One HTTP request, on a connection that policy_net let through: the network rules with method (any case) and path. path: as sent, from
 * "/", the query ("?" on) is not looked at. With %XX in it a rule that allows must match it as sent and with those as bytes, another rule
 * one of the two. One with "//", "." or ".." as a segment (also where written with %XX), a NUL, more than 8192 bytes or no "/" to begin
 * with is denied when the rule that would decide has paths ("http-bad-path"). */
struct pol_http { struct pol_net net; const char *method, *path; };
struct pol_verdict policy_http(const struct policy *p, const struct pol_http *q);

/* Commands. given: argv[0] or the path given, absolute and clean where its directory is known; resolved: the file's absolute path inside
 * the sandbox, or NULL. argv[0..argc): arguments with argv[0]. depth 0 = submitted command. Stricter of name-given and resolved wins;
 * looks through sh -c and wrappers (contract 2). A path at or below the workspace's real path or /workspace, or at or below the real
 * directory of a twin, is judged under both names: a rule matches if one of them does. */
struct pol_twin { const char *link, *real; };   /* /bin, /usr/bin: a link of the session's root, and the directory that it leads to */
struct pol_exec {
	const char *given, *resolved; const char *const *argv; size_t argc; uint32_t depth;
	bool unknown;          /* which file is run is not known: the strictest rule counts that it could meet */
	bool untrusted_name;   /* who runs it may have made the name given: it can only make the verdict of the file stricter */
	/* The name as it was written, absolute, where its directory leads elsewhere than it says, or NULL. Untrusted as above. */
	const char *written; bool untrusted_written;
	const struct pol_twin *twins; size_t n_twins;
	struct pol_who who;    /* the calling program */
	/* SHA-256 of the file, asked for when a rule with sha256 could decide; NULL, or a negative result: not known, and such a rule then
	 * matches unless it allows. */
	int (*sha256)(void *arg, uint8_t ret[32]); void *sha256_arg;
	/* Of a dynamic loader that is run: the absolute path of the file that it is sure to load by this word, to out. NULL: what it loads
	 * is judged by the word alone; a negative result: not known, and the strictest rule counts that it could meet. */
	int (*loaded)(void *arg, const char *word, char *out, size_t cap); void *loaded_arg;
};
struct pol_verdict policy_exec(const struct policy *p, const struct pol_exec *q);
/* No part of the absolute path is a name that the session could make or replace, by the file rules or on a tmpfs of its own: such a name
 * says what it leads to. False, too, for one that is not clean or is longer than 4095 bytes. */
bool policy_settled(const struct policy *p, const char *path);
/* The depth from which on all are alike to the rules, at least 1: 1 tells only the submitted command from what runs below it. */
uint32_t policy_depths(const struct policy *p);
/* True when labels and depths mean the same in both: the same entries of processes by the same numbers, depths told apart as far. */
bool policy_descent_same(const struct policy *a, const struct policy *b);

/* Redirects: the first rule whose match (RE2, unanchored; host lower case without trailing dot, "host:port" for connections) matches.
 * False: none. Strings point into the policy. */
enum pol_visibility { POL_SEE_AUDIT, POL_SEE_SILENT, POL_SEE_WARN };
enum pol_on_failure { POL_FAIL_CLOSED, POL_FAIL_OPEN, POL_FAIL_ORIGINAL };
struct pol_redirect {
	const char *rule, *message;
	uint8_t addr[16]; size_t addr_len;          /* names: the answer */
	const char *host; uint16_t port;            /* connections: where to; host NULL: unix_path */
	const char *unix_path, *sni;                /* sni: rewrite to this, or NULL */
	enum pol_visibility visibility;
	enum pol_on_failure on_failure;
};
bool policy_dns_redirect(const struct policy *p, const char *host, struct pol_redirect *ret);
bool policy_connect_redirect(const struct policy *p, const char *host, uint16_t port, struct pol_redirect *ret);

/* Unix sockets: an absolute path, or @name for an abstract one. */
enum pol_unix_op { POL_UNIX_CONNECT, POL_UNIX_BIND, POL_UNIX_LISTEN, POL_UNIX_SENDTO, POL_UNIX__COUNT };
const char *pol_unix_op_name(enum pol_unix_op op);
struct pol_verdict policy_unix(const struct policy *p, const char *path, enum pol_unix_op op, struct pol_who who);

/* Signals. targets: bits of what the target is to the sender, all that are true. process: the target's program name (base name). */
enum pol_target {
	POL_T_SELF, POL_T_CHILDREN, POL_T_DESCENDANTS, POL_T_SIBLINGS, POL_T_SESSION, POL_T_PARENT, POL_T_EXTERNAL, POL_T_SYSTEM,
	POL_T_USER, POL_T_PROCESS, POL_T_PID_RANGE, POL_T__COUNT
};
const char *pol_target_name(enum pol_target t);
/* 1 to 64 for a name with or without SIG or a number, any case; else 0. */
int pol_signal_number(const char *text);
struct pol_signal { int number; uint32_t targets; const char *process; int64_t pid; struct pol_who who; };
struct pol_verdict policy_signal(const struct policy *p, const struct pol_signal *q);

/* Environment of a command that execs rule `rule_no` decided (POL_NO_RULE: none). ALLOW or DENY; *ret_why (may be NULL) says by what, a
 * static string: "env_policy.deny", "env_policy.allow", "env_deny", "env_allow", "built-in", "default", "agentsh". Order: AGENTSH_* passes;
 * deny globs; built-in list of secrets and loader variables unless an allow entry names it without a glob; a non-empty allow list
 * must match; else it passes. A rule's lists replace the policy's where it has them; of limits, those that it gives and that are not 0. */
enum pol_decision policy_env(const struct policy *p, uint32_t rule_no, const char *name, const char **ret_why);
struct pol_env { uint64_t max_bytes, max_keys; bool block_iteration; };   /* 0: no limit */
struct pol_env policy_env_limits(const struct policy *p, uint32_t rule_no);
/* env_inject, "NAME=value" each; *ret has n entries and a NULL. */
size_t policy_env_inject(const struct policy *p, const char *const **ret);

/* resource_limits; 0: not given. */
struct pol_limits {
	uint64_t max_memory_mb, memory_swap_max_mb, cpu_quota_percent, disk_read_bps_max, disk_write_bps_max, net_bandwidth_mbps, pids_max,
		command_timeout_ms, session_timeout_ms, idle_timeout_ms;
	bool swap_given;             /* memory_swap_max_mb: 0 is a limit */
};
const struct pol_limits *policy_limits(const struct policy *p);
/* audit: what is recorded, and for how long (days; 0: for ever). Defaults: all true, contents false. */
struct pol_audit {
	bool log_allowed, log_denied, log_approved, include_stdout, include_stderr, include_file_content;
	uint32_t retention_days;
};
const struct pol_audit *policy_audit(const struct policy *p);

/* llm_budgets. Amounts 0: no such limit; money in millionths of a dollar. */
enum pol_per { POL_PER_SESSION, POL_PER_DAY, POL_PER_MONTH, POL_PER_TOTAL };
struct pol_budget {
	const char *name, *message;
	enum pol_per per;
	uint64_t max_microusd, max_tokens, max_input_tokens, max_output_tokens, max_requests, requests_per_minute, timeout_ms;
	uint8_t warn_at[4];          /* percent, rising; 0: no more */
	enum pol_decision decision;  /* when it is used up: deny or approve */
};
size_t policy_budgets(const struct policy *p);
/* Budget i < policy_budgets. */
const struct pol_budget *policy_budget(const struct policy *p, size_t i);
/* Whether budget i counts a call of this provider, model and key (a name, never the key itself): globs without separator, any case. */
bool policy_budget_counts(const struct policy *p, size_t i, const char *provider, const char *model, const char *key);

/* http_services. */
struct pol_service {
	const char *name, *upstream, *expose_as;   /* upstream: https URL */
	bool allow_direct, scrub_response;
	const char *secret_ref, *secret_format, *inject_header, *inject_template;   /* NULL when not given */
};
size_t policy_services(const struct policy *p);
const struct pol_service *policy_service(const struct policy *p, size_t i);
/* Index of the service that declares this host (upstream's or an alias), or -ENOENT. */
int policy_service_of_host(const struct policy *p, const char *host);
/* A request below /svc/NAME: the service's rules in order, then its default. What policy_http calls a bad path is denied before all. */
struct pol_verdict policy_service_request(const struct policy *p, size_t i, const char *method, const char *path);

/* Message with {{.Path}} {{.Args}} {{.Command}} {{.Domain}} {{.RemoteAddr}} {{.RemotePort}} {{.Operation}} expanded; a field that is NULL
 * expands to "". Returns out (cap > 0), cut if need be. */
struct pol_fields { const char *path, *args, *command, *domain, *remote_addr, *remote_port, *operation; };
char *pol_message(const char *tmpl, const struct pol_fields *f, char *out, size_t cap);

#endif
