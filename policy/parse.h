/* SPDX-License-Identifier: Apache-2.0 */
/* Tree to model. Every map of the language is a shape, a table of its keys: the parser and the schema are read from the same tables. */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

#include "policy/model.h"
#include "policy/yaml.h"

#define EXTENDS_DEPTH_MAX 8
#define EXTENDS_FILES_MAX 32     /* the policy itself among them */
#define RULE_NAME_MAX 256
#define PARSE_SECTIONS 10        /* numbers that parse_name_twice is given are less */
#define DAY_MS 86400000ull

/* Names that were seen, as hashes, so that 100,000 of them cost little. v is the owner's to free. */
struct seen { uint64_t *v; size_t n, cap; };

struct parse {
	struct diag *d;
	const struct pol_source *src;
	bool vars_may_miss;
	struct model *m;
	size_t regex_bytes;                     /* of the records of all patterns so far */
	unsigned regex_faults;                  /* patterns refused: compiling one may take a while, so not all of a file's are tried */
	const char *reading;                    /* the key whose value is read, and that */
	const struct node *value;
	uint16_t file;                          /* index into m->sources of the one that is read */
	uint64_t later;                         /* keys that were warned of as not enforced: bits of the table in parse_map.c */
	uint32_t given_limits, given_audit, given_env;  /* settings that a file read earlier has: the first one counts */
	struct seen undefined;                  /* variables that were warned of */
	struct strs labels;                     /* distinct entries of processes, for their bound */
	bool labels_full;                       /* that was reported */
	struct rule_more *recent[MORE_RECENT];  /* of rules that were read; not looked at once there is an error, which lets rules go */
	struct seen *seen;                      /* per section of the file that is read */
	struct extend *extends;                 /* of the file that is read: what its key extends names */
	size_t n_extends;
};
struct extend { char *name; uint32_t line, column; };

enum key_type {
	T_NONE, T_TEXT, T_BOOL, T_NUMBER, T_TIME, T_WORD, T_TEXTS, T_NUMBERS, T_WORDS,
	T_MAP,          /* of the shape sub */
	T_LIST,         /* of maps of the shape sub */
	T_PAIRS,        /* a map of texts */
	T_ANY
};
enum {
	K_REQUIRED = 1,
	K_MORE = 2,     /* offset is into struct rule_more */
	K_SELECT = 4,   /* leaving it out means any: an empty list is refused */
	K_UNUSED = 8,   /* known, and nothing of ours enforces it */
	K_LOWER = 16,   /* the text is kept in lower case */
	K_ITEMS = 32    /* a list of the top map: read is given each entry as it comes */
};
struct at;
struct key;
typedef void (*read_fn)(struct at *c, const struct key *k, const struct node *v);
struct key {
	const char *name;
	unsigned in;                    /* shapes that have it: bits of shape.in */
	uint8_t type, also;             /* also: what may be written instead */
	uint8_t flags;
	read_fn read;
	size_t offset;                  /* into what at.to points to */
	uint64_t min, max;              /* numbers: bounds; texts: bytes; times: milliseconds */
	const char *const *words;       /* ends with NULL */
	const struct shape *sub;
	const char *about;              /* for editors */
};
struct shape { const char *what; unsigned in; const struct key *v; size_t n; };
/* One map that is read. */
struct at { struct parse *p; const struct shape *shape; const struct node *map; void *to; };
#define SHAPE(table) (table), ARRAY_LEN(table)

/* parse.c. The whole source and what it extends. 0, or -EINVAL with errors reported. m: zeroed before, the caller's to fini by model_fini
 * also after an error. */
int parse_source(const struct pol_source *src, struct diag *d, bool vars_may_miss, struct model *m);
extern const struct shape shape_top;

/* parse_map.c */
/* Reads the map n by c->shape; reports what is wrong, missing or unknown. True when nothing was. */
bool parse_map(struct at *c, const struct node *n);
bool parse_is_text(struct parse *p, const struct node *v);
bool parse_is_list(struct parse *p, const struct key *k, const struct node *v);
void parse_no_memory(struct parse *p, const struct node *v);
bool parse_put(struct parse *p, const struct node *v, struct strs *out, char *owned);   /* appends; takes owned, which may be NULL */
bool parse_time(struct parse *p, const struct key *k, const struct node *v, uint64_t *ret);
bool parse_word(struct parse *p, const struct key *k, const struct node *v, size_t *ret);
void parse_warn_later(struct parse *p, const char *shape, const struct node *key);
/* Whether s was given before (or, hardly ever, one with the same hash was): to be compared then. Without memory always. */
bool parse_seen(struct seen *t, const char *s);
/* Once a file and section. */
void parse_name_twice(struct parse *p, size_t section, const struct node *v, const char *name);
void *key_at(const struct at *c, const struct key *k);
void read_any(struct at *c, const struct key *k, const struct node *v);
void read_text(struct at *c, const struct key *k, const struct node *v);
void read_bool(struct at *c, const struct key *k, const struct node *v);
void read_u64(struct at *c, const struct key *k, const struct node *v);
void read_time(struct at *c, const struct key *k, const struct node *v);
void read_texts(struct at *c, const struct key *k, const struct node *v);

/* parse_expand.c: ${NAME} and ${NAME:-x}; values become literal: glob bytes in them get a backslash when quote is set. Owned by the caller;
 * NULL: reported. */
char *parse_expand(struct parse *p, const struct node *n, bool quote);

/* parse_odd.c: warnings. */
/* Of an entry, what: "path", "domain" or "command". regex: also when it looks like a regular expression. True when there was one. */
bool parse_odd(struct parse *p, const struct node *v, const char *what, bool regex);
void parse_odd_message(struct parse *p, const struct node *v);
/* A variable, n bytes of name, without value and fallback: an error, or a warning once a policy where it may miss. */
void parse_undefined(struct parse *p, const struct node *v, const char *name, size_t n);

/* parse_names.c: what rules select by. */
void read_file_paths(struct at *c, const struct key *k, const struct node *v);
void read_unix_paths(struct at *c, const struct key *k, const struct node *v);
void read_url_paths(struct at *c, const struct key *k, const struct node *v);
void read_domains(struct at *c, const struct key *k, const struct node *v);
void read_ports(struct at *c, const struct key *k, const struct node *v);
void read_cidrs(struct at *c, const struct key *k, const struct node *v);
void read_commands(struct at *c, const struct key *k, const struct node *v);
void read_processes(struct at *c, const struct key *k, const struct node *v);
void read_methods(struct at *c, const struct key *k, const struct node *v);
void read_sha256(struct at *c, const struct key *k, const struct node *v);
void read_env_globs(struct at *c, const struct key *k, const struct node *v);
/* A list of globs without separator, at c->to + k->offset. */
void read_globs(struct at *c, const struct key *k, const struct node *v);
bool parse_host_ok(const char *host);    /* letters, digits, - _ and dots: a host's name */

/* parse_args.c: args_patterns and the match of redirects. */
void read_args_patterns(struct at *c, const struct key *k, const struct node *v);
void read_match(struct at *c, const struct key *k, const struct node *v);

/* parse_rules.c: one rule of a section of struct rule. */
void read_rule(struct at *c, const struct key *k, const struct node *v);
extern const struct shape shape_file, shape_network, shape_command, shape_unix, shape_service_rule;
void parse_service_rule(struct parse *p, const struct node *v, struct rules *out);
/* parse_signals.c, parse_redirects.c, parse_services.c, parse_budgets.c */
void read_signal_rule(struct at *c, const struct key *k, const struct node *v);
void read_redirect_rule(struct at *c, const struct key *k, const struct node *v);
void read_service(struct at *c, const struct key *k, const struct node *v);
void read_budget(struct at *c, const struct key *k, const struct node *v);
extern const struct shape shape_signal, shape_dns, shape_connect, shape_service, shape_budget;
/* After all files: what services say of each other. */
void parse_services_end(struct parse *p);
/* parse_settings.c */
void read_limits(struct at *c, const struct key *k, const struct node *v);
void read_audit(struct at *c, const struct key *k, const struct node *v);
void read_env_policy(struct at *c, const struct key *k, const struct node *v);
void read_pairs(struct at *c, const struct key *k, const struct node *v);     /* NAME: value to "NAME=value"; a name that is there stays */
void read_transparent(struct at *c, const struct key *k, const struct node *v);
extern const struct shape shape_limits, shape_audit, shape_env, shape_transparent;

/* Room for one more entry of size bytes in an array of n that is not larger than RULES_MAX; NULL: reported. The new entry is zero. */
void *parse_grow(struct parse *p, const struct node *at, const char *what, void **v, size_t *n, size_t size);

#endif
