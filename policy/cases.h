/* SPDX-License-Identifier: Apache-2.0 */
/* Questions in words: what `policy test` reads line by line and `policy explain` takes from its arguments. */
#ifndef POLICY_CASES_H
#define POLICY_CASES_H

#include "policy/policy.h"

enum ask {
	ASK_FILE, ASK_NET, ASK_DNS, ASK_EXEC, ASK_UNIX, ASK_SIGNAL, ASK_HTTP, ASK_ENV, ASK_SERVICE, ASK_DNS_REDIRECT, ASK_CONNECT_REDIRECT,
	ASK__COUNT
};
/* The word that a question of this kind begins with, which policy_rule_position takes too. */
const char *ask_name(enum ask kind);

#define ASK_BY_MAX 64
/* Strings point into the words it was read from. What its kind does not speak of is zero. */
struct question {
	enum ask kind;
	const char *by[ASK_BY_MAX]; size_t n_by;      /* programs in the line of descent, names or paths */
	enum pol_op op; enum pol_unix_op unix_op;
	const char *path;                             /* file: clean; unix; http, service: from "/", with the query */
	const char *host;                             /* lower case, no trailing dot; NULL: an address alone */
	uint8_t addr[16]; size_t addr_len; uint16_t port;
	const char *method, *service;
	const char *given, *resolved; const char *const *argv; size_t argc; uint32_t depth;   /* exec; env ... for */
	uint8_t sha256[32]; bool has_sha256;
	/* A command whose file was looked up: as in struct pol_exec. Nothing that is read from words sets them. */
	const char *written; bool untrusted_name, untrusted_written;
	const struct pol_twin *twins; size_t n_twins;
	const char *variable;                         /* env */
	int signal; uint32_t targets; const char *process; int64_t pid;
};
/* n words, which are written to and outlive *ret; w[n] is NULL. 0, or -EINVAL with words that say what is wrong: text of the question in
 * them is as it was given, so escape them before they are shown. */
int question_read(char **w, size_t n, struct question *ret, struct err *err);

/* What the policy says. word: of the decision, or "none" when no redirect matches; rule: NULL then. */
struct answer {
	const char *word, *rule;
	enum pol_decision decision;
	struct pol_verdict v;                         /* all but env and redirects */
	struct pol_redirect redirect;
	uint64_t labels;                              /* of the line of descent */
	uint8_t by[4];                                /* the address in the one asked about that decided, or 0.0.0.0 */
};
/* Assumes that connections can be looked into. 0, or -ENOENT with words: the policy has no such service. */
int question_ask(const struct policy *p, const struct question *q, struct answer *ret, struct err *err);

#define CASE_LINE_MAX (1u << 20)     /* bytes */
#define CASE_WORDS_MAX 4096          /* in one line */
/* text: not owned, len bytes of any kind. Begin with all zero but text and len; end with cases_fini. */
struct cases {
	const char *text; size_t len;
	size_t at; uint32_t line;            /* behind the line that was read, and its number from 1 */
	char *store; size_t cap;             /* owned: the line's words */
	char *words[CASE_WORDS_MAX + 1];
};
struct one_case { struct question q; const char *decision, *rule; };   /* rule NULL: any. Valid until the next line is read */
/* The next case, empty lines and comments passed over: 1; 0 at the end; -EINVAL with words: the line is no case, the next call goes on
 * behind it; -ENOMEM. */
int cases_next(struct cases *c, struct one_case *ret, struct err *err);
void cases_fini(struct cases *c);

#endif
