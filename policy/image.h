/* SPDX-License-Identifier: Apache-2.0 */
/* The mapped form of a policy: flat records that lie in the generation and are used where they lie, by every process that has it open.
 * image_make.c writes it, image.c checks it once; after that every reference in it is inside it. */
#ifndef POLICY_IMAGE_H
#define POLICY_IMAGE_H

#include <string.h>

#include "policy/model.h"

enum section {
	SEC_FILE, SEC_NET, SEC_EXEC, SEC_UNIX, SEC_SIGNAL, SEC_DNS, SEC_CONNECT, SEC_SERVICE, SEC_BUDGET, SEC_REQUEST, SEC__COUNT
};

/* Regions, each an array. The first ones are the sections' struct img_rule. A reference is an index into its region. */
enum region {
	R_NETS = SEC__COUNT, R_REQUESTS, R_EXECS, R_UNIXES, R_SIGNALS, R_TURNS, R_SERVICES, R_BUDGETS, R_PARTS, R_ENVS, R_CIDRS, R_WORDS,
		R_PORTS,
	R_POOL, R_REGEX, R_NET_HEADS, R_NET_ENTRIES, R_NET_REST, R_EXEC_HEADS, R_EXEC_ENTRIES, R_EXEC_REST, R__COUNT
};

/* str: offset in R_POOL; 0 is no string. list: place in R_WORDS of a count, that many str behind it; 0 is the empty list. */
typedef uint32_t str_ref;
typedef uint32_t list_ref;

enum { RULE_PRESERVE = 1, RULE_UNDO = 2, RULE_HTTP = 4, RULE_TLS_SHIFT = 4 };
struct img_rule {
	str_ref name, message, redirect_to;
	uint32_t line, timeout_ms, ops;
	uint32_t part, env;              /* index + 1 in R_PARTS, R_ENVS; 0: none */
	uint8_t decision, flags;
	uint16_t file;
};
enum { NET_NAMED = 1, NET_ANY = 2 };     /* has domains: only a name known can match; one of them is "*" */
struct img_net {
	uint64_t labels;
	list_ref globs;                  /* the domains that the index does not hold */
	uint32_t ranges, n_ranges, ports, n_ports;   /* ports rising */
	list_ref methods, paths;
	str_ref dlp;
	uint32_t flags, zero;
};
enum { EXEC_ANY = 1 };                   /* no commands: every command */
struct img_exec {
	uint64_t labels;
	list_ref globs, sha256;
	uint32_t regex, regex_len;       /* bytes in R_REGEX; 0: none */
	int32_t min_depth, max_depth;
	uint32_t flags, zero;
};
struct img_unix { uint64_t labels; list_ref paths; uint32_t zero; };
struct img_signal {
	uint64_t labels, signals;
	int64_t min, max;
	uint32_t targets;
	str_ref pattern;
	uint32_t redirect_to, fallback;
};
/* dns_redirects, then connect_redirects. */
struct img_turn {
	uint32_t regex, regex_len;
	uint8_t addr[16];
	uint32_t addr_len;
	str_ref host, unix_path, sni;
	uint32_t port;
	uint8_t visibility, on_failure, zero[2];
};
struct img_service {
	str_ref upstream, expose_as, secret_ref, secret_format, inject_header, inject_template, host;
	list_ref aliases;
	uint32_t first, n;               /* SEC_REQUEST, R_REQUESTS */
	uint8_t allow_direct, scrub, end, zero;
};
struct img_budget {
	uint64_t max_microusd, max_tokens, max_input_tokens, max_output_tokens, max_requests, requests_per_minute;
	list_ref providers, models, keys;
	uint8_t per, zero[3], warn_at[4];
	uint32_t zero2;
};
struct img_part { list_ref args, append, env; };
enum { ENV_ALLOW = 1, ENV_DENY = 2, ENV_LIMITS = 4, ENV_BLOCK = 8 };
struct img_env { uint64_t max_bytes, max_keys; list_ref allow, deny; uint32_t flags, zero; };
/* What a word, or a range, can be looked up for. */
enum kind {
	KIND_NAME, KIND_ONE, KIND_DEEP, KIND_CIDR, KIND_BASE, KIND_PATH, KIND_WRAPPER,
	KIND_ENDS, KIND__COUNT = KIND_ENDS + 6  /* a glob by how it begins or ends: twice an enum ends, + 1 for the end */
};
enum ends { ENDS_DOMAIN, ENDS_BASE, ENDS_PATH, ENDS__COUNT };
#define END_MAX 31
struct img_entry { uint32_t hash, key, rule, kind; };   /* key: str, or of KIND_CIDR one of R_CIDRS */

enum { AUDIT_ALLOWED = 1, AUDIT_DENIED = 2, AUDIT_APPROVED = 4, AUDIT_STDOUT = 8, AUDIT_STDERR = 16, AUDIT_CONTENT = 32 };
enum { IMG_RESTRICTIVE = 1, IMG_SWAP = 2, IMG_DEEP = 4 };   /* a command rule restricts; memory_swap_max_mb given; there are KIND_DEEP */
struct img_head {
	uint32_t format, size, n_dfa, flags;
	str_ref name, workspace;
	list_ref sources, labels, inject;
	uint32_t audit, retention_days, zero;
	uint64_t limits[10];
	uint64_t bits4, bits6[3];        /* lengths of the ranges that are indexed: bit n for /n */
	uint32_t ends[ENDS__COUNT][2];   /* and of beginnings and ends of globs, in bytes */
	struct img_env env;
	struct { uint32_t at, n; } r[R__COUNT];   /* bytes from here, elements */
};
#define IMAGE_MIN 8192                   /* no shorter: a value of this size has pages of its own, aligned */

struct policy {
	void *map;
	size_t map_len;
	const struct img_head *h;
	const struct img_rule *rules[SEC__COUNT];
	uint32_t n[SEC__COUNT];
	const struct img_net *nets, *requests;
	const struct img_exec *execs;
	const struct img_unix *unixes;
	const struct img_signal *signals;
	const struct img_turn *turns;
	const struct img_service *services;
	const struct img_budget *budgets;
	const struct img_env *envs;
	const struct cidr *cidrs;
	const uint32_t *words;
	const uint16_t *ports;
	const char *pool;
	const uint8_t *regex;
	struct index { const uint32_t *heads, *rest; const struct img_entry *v; uint32_t mask, n_rest; } net_index, exec_index;
	struct dfa dfa[POL_DFA_MAX];
	size_t n_dfa;
	const char *workspace;
	/* Private, made on opening. */
	const char **strings;            /* of the lists that are handed out as arrays */
	const char *const **parts;       /* three a part */
	const char *const *inject;
	uint32_t *sticky, n_sticky;      /* rules by their numbers among those that may match for good */
	struct pol_service *service;
	struct pol_budget *budget;
	struct pol_limits limits;
	struct pol_audit audit;
};

/* Points p at the image and checks all of it; regions whose numbers of elements hang together have them. 0, -EPROTO, -EBADMSG. */
int image_map(struct policy *p, const void *data, size_t n);
/* kept.c: p->sticky, from the automata. Again when they are others. 0 or -ENOMEM. */
int kept_load(struct policy *p);
/* settings.c: services, budgets and limits as policy.h has them. 0 or -ENOMEM. */
int settings_load(struct policy *p);
/* The image of a model as one block, caller frees. */
int image_make(const struct model *m, const char *workspace, uint32_t n_dfa, void **ret, size_t *ret_len, struct err *err);
/* The same to where room says, which gives n bytes, any content, or NULL with words in err. Called once at most. */
typedef void *(*image_room)(void *arg, size_t n, struct err *err);
int image_fill(const struct model *m, const char *workspace, uint32_t n_dfa, image_room room, void *arg, struct err *err);

/* Rule `no` of a section: its verdict, without what only the section's own record has. */
struct pol_verdict verdict_of(const struct policy *p, enum section s, uint32_t no);
/* Whether a rule with these labels (0: no processes) holds for who. */
static inline bool who_is(uint64_t labels, struct pol_who who, enum pol_decision d)
{
	if (!labels)
		return true;
	if (d == POL_ALLOW || d == POL_AUDIT)
		return !who.unknown && (labels & who.sure);
	return who.unknown || (labels & (who.sure | who.may));
}

static inline const char *str_at(const struct policy *p, str_ref s) { return s ? p->pool + s : NULL; }
static inline const uint32_t *list_at(const struct policy *p, list_ref l, uint32_t *n)
{
	*n = p->words[l];
	return p->words + l + 1;
}
bool list_wild(const struct policy *p, list_ref l, const char *text, char sep);

/* Words are hashed from their end, so that one walk has the hash of each suffix. */
#define HASH_START 2166136261u
static inline uint32_t hash_byte(uint32_t h, uint8_t c) { return (h ^ c) * 16777619u; }
uint32_t hash_word(const char *s, size_t n);
static inline uint32_t hash_slot(uint32_t h, enum kind k) { return (h ^ (uint32_t)k * 0x9e3779b9u) * 0x85ebca6bu; }

/* Entries of the index that are this word for this purpose, one a call: *at is 0 at first; NULL: no more. hash: hash_word's. */
static inline const struct img_entry *index_next(const struct policy *p, const struct index *x, uint32_t hash, enum kind kind, const char
						 *word,
						 size_t n, uint32_t *at)
{
	uint32_t h = hash_slot(hash, kind), slot = h >> 8 & x->mask;

	for (uint32_t i = x->heads[slot] + *at; i < x->heads[slot + 1]; i++) {
		const struct img_entry *e = &x->v[i];

		if (e->hash == h && e->kind == (uint32_t)kind && !strncmp(p->pool + e->key, word, n) && !p->pool[e->key + n]) {
			*at = i - x->heads[slot] + 1;
			return e;
		}
	}
	return NULL;
}
/* Calls for each entry whose glob begins or ends as text does; it need not match. */
typedef void (*end_found)(void *arg, const struct img_entry *e);
void index_ends(const struct policy *p, const struct index *x, enum ends what, const char *text, size_t n, end_found found, void *arg);

/* One command's name in the forms that entries are held against. */
#define PATH_NAME_MAX 4096
struct name { const char *whole; size_t len, base_len; char lower[PATH_NAME_MAX], base[PATH_NAME_MAX]; };
void name_of(struct name *n, const char *s);
bool name_matches(const char *entry, const struct name *n);

#endif
