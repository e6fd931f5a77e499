/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as plain data, shared by the compiler and the evaluator; the form in which a generation holds them. */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "common/wire.h"
#include "policy/policy.h"

#define MODEL_FORMAT 2
#define RULES_MAX 100000         /* per policy */
#define STRINGS_MAX 4096         /* in one list of one rule */
#define STATES_MAX 65536         /* of one automaton; more patterns go into the next one */
#define GENERATION_MAX (64u << 20)
#define NO_RULE 0xffffffffu

struct strs { char **v; size_t n; };   /* owned, n strings and a NULL */

struct cidr { uint8_t addr[16], len, bits; }; /* len 4 or 16 */

/* What few rules have: a policy of 100,000 need not pay for it. */
struct rule_more {
	struct strs redirect_args, redirect_append, redirect_env;   /* commands */
	struct strs processes;                                      /* any rule; as written */
	struct strs methods, url_paths;                             /* network, services; methods in upper case */
	struct strs sha256;                                         /* commands; 64 hex digits, lower case */
	struct strs env_allow, env_deny;                            /* commands */
	uint64_t env_max_bytes, env_max_keys;
	bool env_block_iteration, has_env_allow, has_env_deny, has_env_limits;
	bool undo_keep;                                             /* files */
	enum pol_tls tls;                                           /* network */
	char *dlp;
};

struct rule {
	char *name, *message, *redirect_to;
	enum pol_decision decision;
	uint64_t timeout_ms;
	bool preserve_tree;
	uint16_t file;                  /* index into the model's files */
	uint32_t line, column;
	uint32_t ops;                   /* bit mask: files pol_op, unix sockets pol_unix_op */
	struct strs paths, domains, cidrs, commands, args_patterns;
	struct cidr *ranges;            /* cidrs as bytes, as many; made when a generation is opened */
	uint16_t *ports;
	size_t n_ports;
	int32_t min_depth, max_depth;   /* commands; max -1: no end */
	uint8_t *regex;                 /* serialised vectorscan database, owned */
	size_t regex_len;
	struct rule_more *more;         /* owned; NULL: nothing of it given. rule_more() makes it */
};

struct rules { struct rule *v; size_t n; };

struct signal_rule {
	char *name, *message, *pattern;      /* pattern: target type process */
	enum pol_decision decision, fallback;
	uint64_t timeout_ms, signals;        /* signals: bit n-1 for signal n */
	uint32_t targets;                    /* bits of pol_target */
	int64_t min, max;                    /* target type pid_range */
	int redirect_to;
	uint16_t file;
	uint32_t line, column;
	struct strs processes;
};
struct redirect_rule {                       /* dns_redirects, connect_redirects */
	char *name, *message, *match;
	uint8_t *regex;
	size_t regex_len;
	struct cidr resolve_to;              /* names: len 4 or 16, all bits */
	char *host, *unix_path, *sni;        /* connections */
	uint16_t port;
	enum pol_visibility visibility;
	enum pol_on_failure on_failure;
	uint16_t file;
	uint32_t line, column;
};
struct service {
	char *name, *upstream, *expose_as, *secret_ref, *secret_format, *inject_header, *inject_template;
	char *host;                          /* upstream's, lower case */
	struct strs aliases;                 /* lower case */
	bool allow_direct, scrub_response;
	enum pol_decision end;               /* default: allow or deny */
	struct rules rules;                  /* methods, url_paths */
	uint16_t file;
	uint32_t line, column;
};
struct budget { struct pol_budget b; char *name, *message; struct strs providers, models, keys; uint16_t file; uint32_t line, column; };

struct model {
	char *name, *file;
	struct strs sources;                 /* files, by rule.file: 0 the policy itself, then what it extends */
	struct rules files, nets, execs, unixes;
	struct signal_rule *signals;
	struct redirect_rule *dns, *connect;
	struct service *services;
	struct budget *budgets;
	size_t n_signals, n_dns, n_connect, n_services, n_budgets;
	struct pol_limits limits;
	struct pol_audit audit;
	struct strs env_allow, env_deny, env_inject, transparent_add, transparent_remove;
	struct pol_env env;
};
/* The rule's more, made when there is none yet; NULL without memory. */
struct rule_more *rule_more(struct rule *r);

/* One automaton over bytes. next[state * classes + class[byte]]; state 0 is dead. */
struct dfa {
	uint32_t n_states, n_classes, root, workspace;
	uint8_t class[256];
	uint32_t *next;                 /* n_states * n_classes */
	uint32_t *accept;               /* n_states: which row of rules */
	uint32_t n_rows, *rows;         /* n_rows * POL_OP__COUNT: first rule that decides, or NO_RULE */
	uint8_t *tree;                  /* n_states: per state a mask of what a path below can meet, see TREE_* */
};

static inline uint32_t dfa_rule(const struct dfa *d, uint32_t state, enum pol_op op)
{
	return d->rows[(size_t)d->accept[state] * POL_OP__COUNT + op];
}

void strs_fini(struct strs *s);
void rules_fini(struct rules *r);
void model_fini(struct model *m);
void dfa_fini(struct dfa *d);
/* Generation's records. write: into the cursor; read: owned by the caller, bad input makes the cursor bad. */
void model_write_rules(struct wr *w, const struct rules *r);
int model_read_rules(struct rd *r, struct rules *ret);
void model_write_dfa(struct wr *w, const struct dfa *d);
size_t model_dfa_size(const struct dfa *d);
int model_read_dfa(struct rd *r, struct dfa *ret);

/* Records of one generation: store.c writes them (LMDB's home, compiler only), pages.c reads them. */
struct record { const char *key; const void *data; size_t len; };
struct store;
int store_begin(struct store **ret, struct err *err);
int store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err);
int store_end(struct store *s, int *ret_fd, struct err *err);   /* sealed memfd */
void store_drop(struct store *s);                               /* takes NULL */
/* Copies the named records out of a sealed generation; v[i].data owned by the caller, NULL where there is none. Bad pages: -EBADMSG. */
int store_read(int fd, struct record *v, size_t n, struct err *err);

/* regex.c and, for the compiler, regex_make.c: vectorscan's home. cost: what compiling a pattern may take, its length times its bounded
 * repetitions. */
#define REGEX_COST_MAX 100000        /* of all patterns of a policy: some seconds */
uint64_t regex_cost(const char *pattern);
int regex_compile(const struct strs *patterns, uint8_t **ret, size_t *ret_len, char *why, size_t cap, size_t *ret_which);
struct regex;
int regex_open(const uint8_t *db, size_t n, struct regex **ret);
int regex_match(const struct regex *r, const char *text, size_t n); /* 1, 0, or -EIO: it could not be looked at */
void regex_close(struct regex *r);

/* cidr.c: "ADDRESS" or "ADDRESS/BITS", IPv4 or IPv6. 0 or -EINVAL. */
int cidr_parse(const char *text, struct cidr *ret);
bool cidr_has(const struct cidr *c, const uint8_t *addr, size_t len);

/* wild.c: globs of names without an automaton: domains (sep ".") and commands (sep "/"; 0 for base names, which are given in lower case
 * and compared without case). A glob longer than WILD_MAX matches nothing: the compiler refuses it. */
#define WILD_MAX 1024
bool wild_match(const char *glob, const char *text, char sep);
/* Behind the "}" that closes the "{" at i, looking no further than to; 0 when it is not closed. */
size_t wild_group_end(const char *g, size_t i, size_t to);
bool wild_is(const char *s);

/* open.c, file.c */
struct pol_verdict verdict_of(const struct rule *u, uint32_t no);
int file_trees(struct policy *p);

struct policy {
	struct model m;
	struct dfa dfa[POL_DFA_MAX];
	size_t n_dfa;
	char *workspace;
	struct regex **regex;           /* per exec rule, NULL: none */
};

#endif
