/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: by name given and file resolved; through shells' -c and through wrappers, to a depth of 4. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/model.h"

#define LOOK_DEPTH 4
#define WORDS_MAX 256
#define PATH_NAME_MAX 4096

static const char *const shells[] = { "sh", "bash", "dash", "ash", "mksh", "ksh", "zsh" };
static const char *const wrappers[] = { "env", "nice", "nohup", "timeout", "xargs", "setsid", "stdbuf", "busybox", "sudo", "doas", "time",
	"command",
	"exec", "chroot", "ionice", "taskset", "watch" };

static const char *base(const char *s)
{
	const char *b = strrchr(s, '/');

	return b ? b + 1 : s;
}

static bool among(const char *s, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(s, v[i]))
			return true;
	return false;
}

/* A command's name in the forms that entries are held against, made once a question. */
struct name { const char *whole; char lower[PATH_NAME_MAX], base[PATH_NAME_MAX]; };

static void name_of(struct name *n, const char *s)
{
	size_t len = strnlen(s, sizeof(n->lower) - 1);

	n->whole = s;
	for (size_t i = 0; i < len; i++)
		n->lower[i] = (char)tolower((unsigned char)s[i]);
	n->lower[len] = 0;
	len = strlen(base(n->lower));
	memcpy(n->base, base(n->lower), len + 1);
	if (len > 5 && !strcmp(n->base + len - 5, ".real"))
		n->base[len - 5] = 0;
}

static bool command_match(const char *entry, const struct name *n)
{
	bool path = strchr(entry, '/') != NULL;
	const char *name = path ? n->whole : n->base;

	if (tolower((unsigned char)entry[0]) == tolower((unsigned char)name[0]) && !strcasecmp(entry, name))
		return true;
	return wild_is(entry) && wild_match(entry, name, path ? '/' : 0);
}

static bool rule_match(const struct policy *p, size_t i, const struct name *name, const char *args, uint32_t depth)
{
	const struct rule *u = &p->m.execs.v[i];
	bool hit = u->commands.n == 0;
	int r;

	if ((int32_t)depth < u->min_depth || (u->max_depth >= 0 && (int32_t)depth > u->max_depth))
		return false;
	for (size_t k = 0; k < u->commands.n && !hit; k++)
		hit = command_match(u->commands.v[k], name);
	if (!hit || !p->regex[i])
		return hit;
	r = regex_match(p->regex[i], args, strlen(args));
	/* What could not be looked at is no reason to allow anything. */
	return r < 0 ? u->decision != POL_ALLOW && u->decision != POL_AUDIT : r;
}

static const struct rule *first(const struct policy *p, const char *s, const char *args, uint32_t depth)
{
	static struct name name; /* one thread asks; 8 KiB need not be cleared each time */

	name_of(&name, s);
	for (size_t i = 0; i < p->m.execs.n; i++)
		if (rule_match(p, i, &name, args, depth))
			return &p->m.execs.v[i];
	return NULL;
}

static int rank(enum pol_decision d)
{
	static const int v[] = { [POL_DENY] = 4, [POL_REDIRECT] = 3, [POL_SOFT_DELETE] = 0, [POL_APPROVE] = 2, [POL_AUDIT] = 1,
		[POL_ALLOW] = 0, [POL_ABSORB] = 4 };

	return v[d];
}

static struct pol_verdict to_verdict(const struct policy *p, const struct rule *u)
{
	if (!u)
		return (struct pol_verdict){ .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-commands" };
	return verdict_of(u, (uint32_t)(u - p->m.execs.v));
}

/* The simple words of a script's first command, for looking ahead only: what really runs is judged at its own exec. */
static size_t words_of(const char *script, char *store, size_t cap, const char **out)
{
	size_t n = 0, at = 0;
	char quote = 0;
	bool in = false;

	for (const char *s = script; at + 2 < cap && n < WORDS_MAX - 1; s++) {
		if (!*s || (!quote && strchr(" \t", *s))) {
			if (in) {
				store[at++] = 0;
				n++;
				in = false;
			}
			if (!*s)
				break;
			continue;
		}
		if (!quote && strchr("|&;<>()$`\n*?[~#", *s))
			return 0; /* not simple */
		if (quote == '"' && strchr("$`\\", *s))
			return 0;
		if (!in) {
			out[n] = store + at;
			in = true;
		}
		if ((*s == '\'' || *s == '"') && (!quote || quote == *s)) {
			quote = (char)(quote ? 0 : *s);
			continue;
		}
		if (*s == '\\' && !quote && s[1])
			s++;
		store[at++] = *s;
	}
	out[n] = NULL;
	return quote ? 0 : n;
}

/* The dynamic loader, ld.so(8) and musl's, loads a program without an exec: where its name stands in argv, or 0. */
static size_t loaded_at(const char *const *argv, size_t argc)
{
	static const char *const valued[] = { "--library-path", "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask", "--inhibit-rpath",
		"--audit", "--preload", "--argv0" };
	size_t i = 1;

	while (i < argc && argv[i][0] == '-') {
		if (!strcmp(argv[i], "--"))
			return i + 1 < argc ? i + 1 : 0;
		i += among(argv[i], valued, ARRAY_LEN(valued)) ? 2 : 1;
	}
	return i < argc ? i : 0;
}

static bool is_loader(const char *name)
{
	return !strncmp(name, "ld-linux", 8) || !strncmp(name, "ld.so", 5) || !strncmp(name, "ld-musl", 7) || !strncmp(name, "ld-2.", 5);
}

/* Where the wrapped command begins in argv, or 0. Options' own arguments are skipped by trying each further word as well (the caller
 * does). */
static size_t inner_at(const char *name, const char *const *argv, size_t argc)
{
	size_t i = 1;

	while (i < argc && (argv[i][0] == '-' || (strchr(argv[i], '=') && !strcmp(name, "env"))))
		i++;
	if (!strcmp(name, "timeout") || !strcmp(name, "chroot") || !strcmp(name, "taskset"))
		i++;
	return i < argc ? i : 0;
}

static struct pol_verdict look(const struct policy *p, const char *given, const char *resolved, const char *const *argv, size_t argc,
			       uint32_t depth, int left);

static void stricter(struct pol_verdict *v, const struct pol_verdict *other)
{
	bool implicit = other->rule && !strcmp(other->rule, "default-deny-commands");

	if (!implicit && rank(other->decision) > rank(v->decision))
		*v = *other;
}

static void through(const struct policy *p, struct pol_verdict *v, const char *name, const char *const *argv, size_t argc, uint32_t depth,
		    int left)
{
	if (among(name, shells, ARRAY_LEN(shells))) {
		for (size_t i = 1; i + 1 < argc && argv[i][0] == '-'; i++) {
			/* Kept for the verdict that may come of it; one set for each depth. */
			static const char *words[LOOK_DEPTH + 1][WORDS_MAX];
			static char store[LOOK_DEPTH + 1][4096];
			size_t n;

			if (!strchr(argv[i], 'c') || argv[i][1] == '-')
				continue;
			n = words_of(argv[i + 1], store[left], sizeof(store[left]), words[left]);
			if (n) {
				struct pol_verdict in = look(p, words[left][0], NULL, words[left], n, depth, left - 1);

				stricter(v, &in);
			}
			break;
		}
	} else if (is_loader(name)) {
		size_t at = loaded_at(argv, argc);

		if (at) {
			struct pol_verdict in = look(p, argv[at], NULL, argv + at, argc - at, depth, left - 1);

			stricter(v, &in);
		}
	} else if (among(name, wrappers, ARRAY_LEN(wrappers))) {
		size_t at = inner_at(name, argv, argc);

		/* An option may take a value ("nice -n 5 x"): every word from here on that could be the program is judged. */
		for (size_t tries = 0; at && at < argc && tries < 4; at++, tries++) {
			struct pol_verdict in = look(p, argv[at], NULL, argv + at, argc - at, depth, left - 1);

			stricter(v, &in);
			if (!isdigit((unsigned char)argv[at][0]) && argv[at][0] != '-' && !strchr(argv[at], '='))
				break;
		}
	}
}

/* The arguments without argv[0], a space between them; all of them, or a pattern could be passed by what stands before it. Valid until the
 * next call; NULL without memory. */
static const char *joined(const char *const *argv, size_t argc)
{
	static char *text;
	static size_t cap;
	size_t need = 1, at = 0;

	for (size_t i = 1; i < argc; i++)
		need += strlen(argv[i]) + 1;
	if (!text || need > cap) {
		char *more = realloc(text, need);

		if (!more)
			return NULL;
		text = more;
		cap = need;
	}
	for (size_t i = 1; i < argc; i++) {
		size_t n = strlen(argv[i]);

		if (i > 1)
			text[at++] = ' ';
		memcpy(text + at, argv[i], n);
		at += n;
	}
	text[at] = 0;
	return text;
}

static struct pol_verdict look(const struct policy *p, const char *given, const char *resolved, const char *const *argv, size_t argc,
			       uint32_t depth, int left)
{
	const char *args = joined(argv, argc);
	const struct rule *a, *b = NULL;
	struct pol_verdict v;

	if (!args)
		return (struct pol_verdict){ .decision = POL_DENY, .rule_no = POL_NO_RULE, .rule = "default-deny-commands", .message = "out of memory" };
	a = first(p, given, args, depth);
	if (resolved)
		b = first(p, resolved, args, depth);
	v = to_verdict(p, a ? a : b);
	v.command = given;
	v.argv = argv;
	v.argc = argc;
	if (a && b) {
		struct pol_verdict w = to_verdict(p, b);

		w.command = given;
		w.argv = argv;
		w.argc = argc;
		stricter(&v, &w);
	}
	if (left > 0) {
		through(p, &v, base(given), argv, argc, depth, left);
		if (resolved && strcmp(base(resolved), base(given)) != 0)
			through(p, &v, base(resolved), argv, argc, depth, left);
	}
	return v;
}

struct pol_verdict policy_exec(const struct policy *p, const struct pol_exec *q)
{
	bool by_file = q->untrusted_name && q->resolved;
	const char *name = by_file ? q->resolved : q->given, *file = by_file ? NULL : q->resolved;
	struct pol_verdict v = look(p, name, file, q->argv, q->argc, q->depth, LOOK_DEPTH), w;
	const char *zero = q->argc ? q->argv[0] : NULL;

	if (by_file) {
		w = look(p, q->given, NULL, q->argv, q->argc, q->depth, LOOK_DEPTH);
		stricter(&v, &w);
	}

	/* A multi-call program does what argv[0] says. The name there can make a verdict stricter, never milder. */
	if (!zero || !strcmp(base(zero), base(q->given)) || (q->resolved && !strcmp(base(zero), base(q->resolved))))
		return v;
	w = look(p, zero[0] == '-' ? zero + 1 : zero, NULL, q->argv, q->argc, q->depth, LOOK_DEPTH);
	stricter(&v, &w);
	return v;
}

char *pol_message(const char *tmpl, const struct pol_fields *f, char *out, size_t cap)
{
	const struct { const char *name, *value; } fields[] = {
		{ "{{.Path}}", f->path }, { "{{.Args}}", f->args }, { "{{.Command}}", f->command }, { "{{.Domain}}", f->domain },
		{ "{{.RemoteAddr}}", f->remote_addr }, { "{{.RemotePort}}", f->remote_port }, { "{{.Operation}}", f->operation },
	};
	size_t at = 0;

	while (*tmpl && at + 1 < cap) {
		size_t i;

		for (i = 0; i < ARRAY_LEN(fields); i++)
			if (!strncmp(tmpl, fields[i].name, strlen(fields[i].name)))
				break;
		if (i == ARRAY_LEN(fields)) {
			out[at++] = *tmpl++;
			continue;
		}
		tmpl += strlen(fields[i].name);
		at += (size_t)snprintf(out + at, cap - at, "%s", fields[i].value ? fields[i].value : "");
		if (at >= cap)
			at = cap - 1;
	}
	out[at] = 0;
	return out;
}
