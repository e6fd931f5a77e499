/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as plain data, shared by the compiler and the evaluator; the form in which a generation holds them. */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "common/wire.h"
#include "policy/policy.h"

#define MODEL_FORMAT 5
#define RULES_MAX 100000         /* per policy */
#define STRINGS_MAX 4096         /* in one list of one rule */
#define NAMES_MAX 131072         /* in one tree of names */
#define STATES_MAX 262144         /* of one automaton; more patterns go into the next one */
#define GENERATION_MAX (64u << 20)
#define NO_RULE 0xffffffffu

struct strs { char **v; size_t n; };   /* owned, n strings and a NULL */

struct cidr { uint8_t addr[16], len, bits; }; /* len 4 or 16 */

/* What few rules have: a policy of 100,000 need not pay for it. Rules that have the same processes and nothing else of it share one. */
struct rule_more {
	uint32_t sharers;                                           /* rules that have it, but for the first */
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
	uint16_t *ports;
	size_t n_ports;
	int32_t min_depth, max_depth;   /* commands; max -1: no end */
	uint8_t *regex;                 /* record of regex_compile, owned */
	size_t regex_len;
	struct rule_more *more;         /* owned with its sharers; NULL: nothing of it given. rule_more() makes it */
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
/* Lets a rule that is read have a more that is there already; it is not to be changed after that. recent: some of those that are, by a
 * hash; this one is put there. */
#define MORE_RECENT 256
void rule_share(struct rule *r, struct rule_more *recent[MORE_RECENT]);

/*
 * One automaton over bytes, as automaton.c reads it out of a generation: it points into the record. In state s, byte c leads to
 * slots[states[s].base + class[c]].to if that slot is the state's, else to states[s].other. What has matched in a state is a list of
 * entries in the order of the rules, from states[s].match to one with ENTRY_LAST; all may hold no operation.
 */
struct dfa_state { uint32_t base, other, match; };
struct dfa_slot { uint32_t state, to; };
struct dfa_entry { uint32_t rule, bits, labels[2]; };   /* bits: operations, ENTRY_* */
#define ENTRY_LAST 0x80000000u
#define ENTRY_ASKS 0x40000000u       /* only when who asks has one of labels */
#define ENTRY_ALLOWS 0x20000000u     /* allow, audit: for who is surely one of them */
#define ENTRY_ARMED 0x10000000u      /* only where the state's bit labels[0] of kept is set */
#define ENTRY_EMIT 0x08000000u       /* no rule that matches here, but what a state emits: see struct dfa */
#define STICKY_MAX 65535u
struct dfa {
	uint32_t n_states, n_classes, n_slots, n_entries, root, workspace, n_table, n_pool, n_emit;
	const uint8_t *class, *tree;         /* 256; n_states: a mask of what a path at or below can meet, TREE_* in file.c */
	const struct dfa_state *states;
	const struct dfa_slot *slots;
	const struct dfa_entry *entries;
	const uint32_t *table;
	const char *pool;
	/* n_states, or none where n_emit is 0: the place plus one in the first n_emit entries of what a state that a slash leads to emits;
	 * 0: nothing. An entry with ENTRY_ARMED emits the bit labels[0], another one that the rule has matched for good: labels[0] is its
	 * number among such rules of all automata, in their order. */
	const uint16_t *emit;
};
/*
 * Without classes it is no automaton but a tree of names, for policies with too many plain paths: a state is a directory or file, its name
 * slots[s].to bytes of the pool from states[s].base, in slots[s].state; table, n_table numbers, a power of two, finds it by both (names.c);
 * any other name leads to states[s].other.
 */
static inline bool dfa_is_names(const struct dfa *d)
{
	return !d->n_classes;
}
uint32_t names_hash(uint32_t dir, const char *name, size_t n);
uint32_t names_child(const struct dfa *d, uint32_t dir, const char *name, size_t n);
/* path: "" or "/NAME..." */
uint32_t names_path(const struct dfa *d, uint32_t dir, const char *path);

static inline uint32_t dfa_go(const struct dfa *d, uint32_t s, uint32_t class)
{
	const struct dfa_slot *t = &d->slots[d->states[s].base + class];

	return t->state == s ? t->to : d->states[s].other;
}

static inline uint32_t dfa_walk(const struct dfa *d, uint32_t s, const char *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s = dfa_go(d, s, d->class[(uint8_t)t[i]]);
	return s;
}

void strs_fini(struct strs *s);
void rules_fini(struct rules *r);
void model_fini(struct model *m);

/* automaton.c. Size of the record in bytes, a multiple of 4. */
size_t dfa_size(const struct dfa *d);
int dfa_write(struct wr *w, const struct dfa *d);
/* data, n bytes, 4-byte aligned, stays the caller's and must outlive ret, which points into it. Every index is checked here, none later.
 * -EBADMSG: damaged. */
int dfa_map(const void *data, size_t n, struct dfa *ret);

/* labels.c: distinct entries of `processes` in the order they come in files, nets, execs, unixes, signals: an entry's number is its label.
 * *ret is the caller's to fini. -E2BIG: more than POL_LABELS_MAX. */
int labels_of(const struct model *m, struct strs *ret);
/* Labels of some entries. Those that are not among all have none. */
uint64_t labels_mask(const struct strs *all, const struct strs *some);

/* Records of one generation: store.c writes them (LMDB's home, compiler only), pages.c reads them. */
struct record { const char *key; const void *data; size_t len; };
struct store;
int store_begin(struct store **ret, struct err *err);
int store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err);
/* The same in two steps: room for len bytes, any content, which is to be filled before the record is done; none other meanwhile. */
int store_room(struct store *s, const char *key, size_t len, void **ret, struct err *err);
int store_done(struct store *s, struct err *err);
int store_end(struct store *s, int *ret_fd, struct err *err);   /* sealed memfd */
void store_drop(struct store *s);                               /* takes NULL */
/* Finds the named records in the bytes of a generation: v[i].data points into them, NULL where there is none. Bad pages: -EBADMSG. Keys
 * of four bytes and values of a multiple of four: every value can then be read where it lies. */
int store_map(const void *data, size_t n, struct record *v, size_t n_v);

/* regex.c and, for the compiler, regex_make.c. */
#define REGEX_BYTES_MAX ((size_t)8 << 20)   /* of all records of a policy */
/* All patterns, of which any may match, to one record of a multiple of 4 bytes; the caller frees it. In RE2's syntax, on bytes; a dot is
 * any. -EINVAL: one is none; -E2BIG: one is too large; -EFBIG: all up to this one are; -ENODATA: never matches; -ENOMEM. The words are in
 * why, which one it is in ret_which. */
int regex_compile(const struct strs *patterns, uint8_t **ret, size_t *ret_len, char *why, size_t cap, size_t *ret_which);
/* Checks a record where it lies, 4-byte aligned: 0 or -EBADMSG. None other is to be matched with. */
int regex_map(const void *data, size_t n);
/* 1, 0, or -E2BIG: it could not be looked at within the steps that one text may take, a second at most. */
int regex_match(const void *data, const char *text, size_t n);

/* cidr.c: "ADDRESS" or "ADDRESS/BITS", IPv4 or IPv6. 0 or -EINVAL. */
int cidr_parse(const char *text, struct cidr *ret);
bool cidr_has(const struct cidr *c, const uint8_t *addr, size_t len);
/* Leaves the first `bits` bits, which are its length then. */
void cidr_cut(struct cidr *c, uint8_t bits);
uint32_t cidr_hash(const struct cidr *c);

/* wild.c: globs of names without an automaton: domains (sep ".") and commands (sep "/"; 0 for base names, which are given in lower case
 * and compared without case). A glob longer than WILD_MAX matches nothing: the compiler refuses it. */
#define WILD_MAX 1024
bool wild_match(const char *glob, const char *text, char sep);
/* The same; *steps grows by what it took beyond a look at both ends, a few nanoseconds each. */
bool wild_match_counted(const char *glob, const char *text, char sep, uint64_t *steps);
/* For names in which case counts and no byte is special: no name has a line feed. */
#define WILD_EXACT '\n'
/* Behind the "}" that closes the "{" at i, looking no further than to; 0 when it is not closed. */
size_t wild_group_end(const char *g, size_t i, size_t to);
bool wild_is(const char *s);
/* Whether a byte of a glob stands for itself wherever it is. */
bool wild_plain(char c);

/* file.c: what is met at and below each state, into tree (n_states). */
void file_trees(const struct dfa *d, const struct rules *files, uint8_t *tree);

#endif
