/* SPDX-License-Identifier: Apache-2.0 */
/* Lints of one rule's own words: patterns that are globs or can never match, and what no daemon can bring about. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/lint.h"

#define DELETES (1u << POL_OP_DELETE | 1u << POL_OP_RMDIR)

/* Where the piece at i ends: an escape, a class, or one byte. */
static size_t piece_end(const char *s, size_t i)
{
	size_t at = i + 1;

	if (s[i] == '\\')
		return s[at] ? at + 1 : at;
	if (s[i] != '[')
		return at;
	at += s[at] == '^';
	at += s[at] == ']';
	while (s[at] && s[at] != ']')
		at += s[at] == '\\' && s[at + 1] ? 2 : 1;
	return s[at] ? at + 1 : at;
}

static bool plain(char c)
{
	return isalnum((unsigned char)c) || strchr(" _-/=:,@%", c);
}

/* Only literal text, a star behind a letter, and nothing that regular expressions alone have: written as a glob. */
static bool looks_like_glob(const char *s)
{
	bool star = false;

	for (size_t i = 0; s[i]; i++) {
		if (s[i] == '*') {
			if (i == 0 || !plain(s[i - 1]))
				return false;
			star = true;
		} else if (!plain(s[i])) {
			return false;
		}
	}
	return star;
}

static bool may_be_empty(char c)
{
	return c == '*' || c == '?' || c == '{';
}

/* A "^" behind text that must be there, or a "$" before it; only where both stand in the same sequence. */
static bool never_matches(const char *s)
{
	bool needs = false;      /* what came before in this sequence takes a byte */

	for (size_t i = 0; s[i]; i = piece_end(s, i)) {
		if (s[i] == '(' || s[i] == ')' || s[i] == '|') {
			needs = false;
			if (s[i] == '(' && s[i + 1] == '?')
				return false; /* flags may give the signs another meaning */
		} else if (s[i] == '^') {
			if (needs)
				return true;
		} else if (s[i] == '$') {
			char next = s[i + 1];

			if (next && !strchr("|)$\\[(.^", next) && !may_be_empty(next) && !may_be_empty(s[i + 2]) && next != '+')
				return true;
		} else if (may_be_empty(s[i])) {
			needs = false;
		} else if (s[i] == '\\' && strchr("bBAzQE", s[i + 1])) {
			continue;
		} else if (s[i] != '+') {
			needs = !may_be_empty(s[piece_end(s, i)]);
		}
	}
	return false;
}

/* "^git push" in a rule for git: the pattern sees no command's name. The command's own first argument may be one, "npm npm", never is. */
static const char *begins_with_command(const struct rule *u, const char *pattern)
{
	if (pattern[0] != '^')
		return NULL;
	for (size_t i = 0; i < u->commands.n; i++) {
		const char *c = u->commands.v[i], *rest = pattern + 1 + strlen(c);

		if (!wild_is(c) && !strncasecmp(pattern + 1, c, strlen(c)) &&
		    (*rest == ' ' || (rest[0] == '\\' && (rest[1] == 's' || rest[1] == 'b'))))
			return c;
	}
	return NULL;
}

/* A class that leaves nothing, such as of what is neither a blank nor anything else. Returns it, *n bytes, or NULL. */
static const char *empty_class(const char *s, size_t *n)
{
	static const char *const both[] = { "[^\\s\\S]", "[^\\S\\s]", "[^\\d\\D]", "[^\\D\\d]", "[^\\w\\W]", "[^\\W\\w]" };

	for (size_t i = 0; s[i]; i = piece_end(s, i))
		for (size_t k = 0; s[i] == '[' && k < ARRAY_LEN(both); k++) {
			*n = strlen(both[k]);
			if (!strncmp(s + i, both[k], *n) && !may_be_empty(s[i + *n]))
				return s + i;
		}
	return NULL;
}

/* "{,5}", which is no count without its first number. Returns what follows the comma, *n bytes, or NULL. */
static const char *bare_count(const char *s, size_t *n)
{
	for (size_t i = 0; s[i]; i = piece_end(s, i)) {
		*n = i && s[i] == '{' && s[i + 1] == ',' ? strspn(s + i + 2, "0123456789") : 0;
		if (*n && s[i + 2 + *n] == '}')
			return s + i + 2;
	}
	return NULL;
}

/* A star that must stand as the last word, in a rule for commands that are given files: a shell makes names of it first. */
static bool star_alone(const struct rule *u, const char *s)
{
	static const char *const given_files[] = { "rm", "cp", "mv", "chmod", "chown", "chgrp", "shred", "unlink", "rmdir", NULL };
	const char *star = strstr(s, "\\*"), *end = star ? star + 2 : NULL;
	bool word = star && star > s && (star[-1] == ' ' || (star > s + 1 && !strncmp(star - 2, "\\s", 2)) ||
		    (star > s + 2 && (!strncmp(star - 3, "\\s+", 3) || !strncmp(star - 3, "\\s)", 3))));

	if (!word || (*end && strcmp(end, "$") != 0 && strcmp(end, "(\\s|$)") != 0))
		return false;
	for (size_t i = 0; i < u->commands.n; i++) {
		size_t k = 0;

		while (given_files[k] && strcmp(given_files[k], u->commands.v[i]) != 0)
			k++;
		if (!given_files[k])
			return false;
	}
	return u->commands.n > 0;
}

static void lint_pieces(struct lint *l, const struct rule *u, const char *pattern)
{
	const char *piece;
	size_t n;

	if ((piece = empty_class(pattern, &n)))
		lint_warn(l, lint_at(u),
			  "args_patterns of rule \"%.64s\": no character is in \"%.*s\": write [\\s\\S] for any [regex-never-matches]",
			  u->name, (int)n, piece);
	if ((piece = bare_count(pattern, &n)))
		lint_warn(l, lint_at(u), "args_patterns of rule \"%.64s\": \"{,%.*s}\" stands for itself: write {0,%.*s} [literal-count]",
			  u->name, (int)n, piece, (int)n, piece);
	if (star_alone(u, pattern))
		lint_warn(l, lint_at(u),
			  "args_patterns of rule \"%.64s\": \"%.200s\" asks for a star as a word, of which a shell makes the names of "
			  "files before the command is run [expanded-by-shell]",
			  u->name, pattern);
}

/* What a rule has and its decision makes no use of. */
static void lint_redirect_to(struct lint *l, const struct rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].redirect_to && r->v[i].decision != POL_REDIRECT)
			lint_warn(l, lint_at(&r->v[i]), "rule \"%.64s\" has a redirect_to, and its decision is %s: nothing is redirected "
				  "[unused-redirect]", r->v[i].name, pol_decision_name(r->v[i].decision));
}

/* A rule without any selector is taken for one of ports, or of nothing. */
static void lint_any_host(struct lint *l, const struct rule *u)
{
	bool more = u->more && (u->more->processes.n || u->more->methods.n || u->more->url_paths.n);

	if (u->decision == POL_ALLOW && !u->domains.n && !u->cidrs.n && !u->n_ports && !more)
		lint_warn(l, lint_at(u),
			  "rule \"%.64s\" has no domains, cidrs or ports: it allows every name; write domains: [\"*\"] if that is meant "
			  "[any-host]", u->name);
}

static void lint_pattern(struct lint *l, const struct rule *u, const char *pattern)
{
	const char *command = begins_with_command(u, pattern);

	if (looks_like_glob(pattern))
		lint_warn(l, lint_at(u),
			  "args_patterns of rule \"%.64s\": \"%.200s\" looks like a glob: in a regular expression * repeats the character "
			  "before it; write .* for any text, or leave the star out [glob-as-regex]",
			  u->name, pattern);
	else if (never_matches(pattern))
		lint_warn(
			l, lint_at(u),
			"args_patterns of rule \"%.64s\": \"%.200s\" can never match: ^ is the beginning of all arguments and $ their end "
			"[regex-never-matches]",
			u->name, pattern);
	else if (command)
		lint_warn(l, lint_at(u),
			  "args_patterns of rule \"%.64s\": \"%.200s\" can never match: patterns see the arguments without the command's "
			  "name: "
			  "leave \"%.64s\" out [regex-never-matches]",
			  u->name, pattern, command);
	lint_pieces(l, u, pattern);
}

static bool below(const char *path, const char *tree)
{
	size_t n = strlen(tree);

	return !strncmp(path, tree, n) && (!path[n] || path[n] == '/');
}

/* What the sandbox makes anew for each session: no host's file, and no daemon looks at it. */
static const char *own_tree(const char *path)
{
	static const char *const trees[] = { "/proc", "/sys", "/dev", "/run", "/var/run" };

	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		if (below(path, trees[i]))
			return trees[i];
	return NULL;
}

static void lint_file(struct lint *l, const struct rule *u)
{
	const char *tree = NULL;
	char names[800] = "", shown[160];
	size_t n = 0, at = 0;

	for (size_t k = 0; k < u->paths.n; k++) {
		const char *t = own_tree(u->paths.v[k]);

		if (!t || lint_permits(u->decision))
			continue;
		tree = t;
		if (n++ < 8 && at < sizeof(names))
			at += (size_t)snprintf(names + at, sizeof(names) - at, "%s\"%.120s\"", at ? " " : "",
					       lint_shown(l, u->paths.v[k], shown, sizeof(shown)));
	}
	if (n)
		lint_warn(l, lint_at(u),
			  "%s%s of rule \"%.64s\": a sandbox has its own %s, where no file rule is looked at [not-enforceable]", names,
			  n > 8 ? " ..." : "", u->name, tree);
	if (u->decision == POL_SOFT_DELETE && !(u->ops & DELETES))
		lint_warn(l, lint_at(u),
			  "rule \"%.64s\": soft_delete keeps what is deleted, and the rule's operations have neither delete nor rmdir: it "
			  "only "
			  "allows [not-enforceable]",
			  u->name);
	if (u->decision == POL_APPROVE && u->ops && !(u->ops & ~(1u << POL_OP_STAT | 1u << POL_OP_ACCESS)))
		lint_warn(l, lint_at(u),
			  "rule \"%.64s\": nobody is asked at every look at a name: stat and access are allowed; ask at open or read "
			  "[not-enforceable]",
			  u->name);
}

void lint_words(struct lint *l)
{
	for (size_t i = 0; i < l->m->files.n; i++)
		lint_file(l, &l->m->files.v[i]);
	lint_redirect_to(l, &l->m->files);
	for (size_t i = 0; i < l->m->nets.n; i++)
		lint_any_host(l, &l->m->nets.v[i]);
	lint_redirect_to(l, &l->m->execs);
	lint_section(l);
	for (size_t i = 0; i < l->m->execs.n; i++) {
		const struct rule *u = &l->m->execs.v[i];

		for (size_t k = 0; k < u->args_patterns.n; k++)
			if (lint_spend(l, 1 + u->commands.n))
				lint_pattern(l, u, u->args_patterns.v[k]);
		if (!l->left) {
			lint_too_large(l, lint_at(u), "args_patterns", u->name);
			return;
		}
	}
}
