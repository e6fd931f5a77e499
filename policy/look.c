/* SPDX-License-Identifier: Apache-2.0 */
/* Looking through shells and wrappers. For looking ahead only: what really runs is judged at its own exec. */
#include "policy/look.h"

#include <ctype.h>
#include <string.h>

#define WORDS_MAX 256
#define TEXT_MAX 4096

struct slot { const char *words[WORDS_MAX]; char text[TEXT_MAX], joined[TEXT_MAX]; };
static struct slot slots[LOOK_DEPTH + 1]; /* one thread asks */

/* Options of wrappers. valued: letters whose value may be the next word. skip: words before the program. */
struct wrapper {
	const char *name, *valued;
	struct { const char *name; char letter; } longs[12];
	unsigned skip;
	bool assigns;
};
static const struct wrapper wrappers[] = {
	{ "env", "uCSa", { { "unset", 'u' }, { "chdir", 'C' }, { "split-string", 'S' }, { "argv0", 'a' } }, 0, true },
	{ "nice", "n", { { "adjustment", 'n' } }, 0, false },
	{ "timeout", "ks", { { "kill-after", 'k' }, { "signal", 's' } }, 1, false },
	{ "xargs", "adEILnPs", { { "arg-file", 'a' }, { "delimiter", 'd' }, { "max-args", 'n' }, { "max-procs", 'P' }, { "max-chars", 's' },
				 { "process-slot-var", 's' } }, 0, false },
	{ "stdbuf", "ioe", { { "input", 'i' }, { "output", 'o' }, { "error", 'e' } }, 0, false },
	{ "sudo", "aughpCcrtTDRU", { { "user", 'u' }, { "group", 'g' }, { "host", 'h' }, { "prompt", 'p' }, { "close-from", 'C' }, {
		"role", 'r' },
				     { "type", 't' }, { "command-timeout", 'T' }, { "chdir", 'D' }, { "chroot", 'R' }, { "other-user", 'U'
					     } },
	  0, true },
	{ "doas", "aCu", { { 0 } }, 0, false },
	{ "time", "of", { { "output", 'o' }, { "format", 'f' } }, 0, false },
	{ "exec", "a", { { 0 } }, 0, false },
	{ "chroot", "", { { 0 } }, 1, false },
	{ "ionice", "cnpPu", { { "class", 'c' }, { "classdata", 'n' }, { "pid", 'p' } }, 0, false },
	{ "taskset", "", { { "pid", 'p' } }, 1, false },
	{ "watch", "nq", { { "interval", 'n' }, { "equexit", 'q' } }, 0, false },
};
struct options { size_t at; uint32_t lower, upper; size_t split; const char *split_text; };

static bool is_set(const struct options *o, char c)
{
	return (c >= 'a' ? o->lower >> (c - 'a') : o->upper >> (c - 'A')) & 1;
}

static void set(struct options *o, char c)
{
	if (c >= 'a' && c <= 'z')
		o->lower |= 1u << (c - 'a');
	else if (c >= 'A' && c <= 'Z')
		o->upper |= 1u << (c - 'A');
}

/* The letter of a long option, which may be cut short; 0 when it has no value and means nothing here. */
static char long_letter(const struct wrapper *w, const char *name, size_t n)
{
	for (size_t i = 0; w && i < ARRAY_LEN(w->longs) && w->longs[i].name; i++)
		if (n && !strncmp(w->longs[i].name, name, n))
			return w->longs[i].letter;
	return 0;
}

/* One option word; the value of S is what env splits. */
static void option(const struct wrapper *w, const char *const *argv, size_t argc, struct options *o)
{
	const char *a = argv[o->at++], *valued = w ? w->valued : "";

	if (a[1] == '-') {
		size_t n = strcspn(a + 2, "=");
		char c = long_letter(w, a + 2, n);

		set(o, c);
		if (!c || !strchr(valued, c))
			return;
		if (c == 'S')
			o->split_text = a[2 + n] ? a + 3 + n : o->at < argc ? argv[o->at] : NULL;
		o->at += a[2 + n] == 0;
		if (c == 'S')
			o->split = o->at;
		return;
	}
	for (a++; *a; a++) {
		set(o, *a);
		if (!strchr(valued, *a))
			continue;
		if (*a == 'S')
			o->split_text = a[1] ? a + 1 : o->at < argc ? argv[o->at] : NULL;
		o->at += a[1] == 0;
		if (*a == 'S')
			o->split = o->at;
		return;
	}
}

/* Where the wrapped program stands in argv; at or behind argc: nowhere. */
static struct options options(const struct wrapper *w, const char *const *argv, size_t argc)
{
	bool known = w != NULL, assigns = known && w->assigns, more = true;
	struct options o = { .at = 1 };

	while (o.at < argc && !o.split_text) {
		const char *a = argv[o.at];

		if (more && !strcmp(a, "--")) {
			more = false;
			o.at++;
		} else if (more && a[0] == '-' && (a[1] || assigns)) {
			if (!a[1])
				set(&o, 'i');
			option(w, argv, argc, &o);
		} else if (((assigns || !known) && strchr(a, '=')) || (!known && isdigit((unsigned char)a[0]))) {
			o.at++; /* NAME=value, or the value of an option nobody told us of */
		} else {
			break;
		}
	}
	o.at += known ? w->skip : 0;
	return o;
}

/* The simple words of a text, from place `from` on; `from` when it is not simple: a special byte is in it. */
static size_t words_of(const char *script, struct slot *s, size_t from, const char *special)
{
	size_t n = from, at = 0;
	char quote = 0;
	bool in = false;

	for (;; script++) {
		if (at + 2 >= sizeof(s->text) || n >= WORDS_MAX - 1)
			return from;
		if (!*script || (!quote && strchr(" \t", *script))) {
			if (in) {
				s->text[at++] = 0;
				n++;
				in = false;
			}
			if (!*script)
				break;
			continue;
		}
		if (!quote && (strchr(special, *script) || (*script == '\\' && script[1] == '\n')))
			return from; /* not simple */
		if (quote == '"' && strchr("$`\\", *script))
			return from;
		if (!in) {
			s->words[n] = s->text + at;
			in = true;
		}
		if ((*script == '\'' || *script == '"') && (!quote || quote == *script)) {
			quote = (char)(quote ? 0 : *script);
			continue;
		}
		if (*script == '\\' && !quote && script[1]) /* the last of a script stands for itself */
			script++;
		s->text[at++] = *script;
	}
	s->words[n] = NULL;
	return quote ? from : n;
}

/* NAME=value before a command is no command. */
static bool assignment(const char *word)
{
	size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

	return n && word[n] == '=' && !isdigit((unsigned char)word[0]);
}

static struct inner of_script(const char *script, struct slot *s)
{
	size_t n = words_of(script, s, 0, "|&;<>()$`\n*?[~#"), at = 0;

	while (at < n && assignment(s->words[at]))
		at++;
	return (struct inner){ .argv = s->words + at, .argc = n - at, .script = true };
}

bool look_shell(const struct name *n)
{
	static const char *const shells[] = { "sh", "bash", "dash", "ash", "mksh", "ksh", "zsh" };

	if (n->base_len < 2 || n->base_len > 4 || n->base[n->base_len - 1] != 'h' || n->base[n->base_len - 2] != 's')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (!strcmp(n->base, shells[i]))
			return true;
	return false;
}

/* What stands before a shell's script. */
struct before {
	const char *shell;
	bool zsh, bash;                  /* bash may go by the name sh */
	bool script, unknown;
};

/* A word of option letters, POSIX's of set and those that change nothing of what -c runs; the number of names for o and O behind it. */
static size_t letters(struct before *b, const char *word)
{
	/* zsh has other meanings for the rest. There and in the Korn shells a name may stand in the same word. */
	const char *plain = b->zsh ? "efuxlivBHs" : "abCefhmnuvxilBHs", *named = b->bash ? "oO" : "o";
	bool sticks = b->zsh || !strcmp(b->shell, "ksh") || !strcmp(b->shell, "mksh");
	size_t names = 0;

	for (const char *c = word + 1; *c; c++) {
		if (*c == 'c') {
			b->script = true;
			b->unknown |= word[0] == '+';
		} else if (!strchr(named, *c)) {
			b->unknown |= !strchr(plain, *c);
		} else if (sticks && c[1]) {
			b->unknown = true;
			break;
		} else {
			names++;
		}
	}
	return names;
}

/* Whether a word is an option of bash's with a name, which it also takes with one dash; the number of words behind it that are its. */
static bool long_option(struct before *b, const char *word, size_t *ret)
{
	static const char *const names[] = { "rcfile", "init-file", "norc", "noprofile", "posix", "login", "noediting", "restricted",
		"verbose" };
	bool two = word[1] == '-';
	size_t i = 0;

	*ret = 0;
	while (b->bash && i < ARRAY_LEN(names) && strcmp(word + 1 + two, names[i]) != 0)
		i++;
	if (b->bash && i < ARRAY_LEN(names)) {
		*ret = i < 2;
		b->unknown |= !two;
		return true;
	}
	b->unknown |= two;
	return two;
}

/* The script is the first word behind the options, whichever of them is -c. */
static struct inner shell(const char *name, const char *const *argv, size_t argc, struct slot *s)
{
	struct before b = { .shell = name, .zsh = !strcmp(name, "zsh"), .bash = !strcmp(name, "bash") || !strcmp(name, "sh") };
	size_t i = 1, values;
	struct inner in;

	while (i < argc && (argv[i][0] == '-' || argv[i][0] == '+') && argv[i][1] && strcmp(argv[i], "--") != 0) {
		const char *word = argv[i++];

		if (word[0] != '-' || !long_option(&b, word, &values))
			values = letters(&b, word);
		i += values;
	}
	if (i < argc && (!strcmp(argv[i], "--") || !strcmp(argv[i], "-")))
		i++; /* both end the options */
	if (!b.script || i >= argc)
		return (struct inner){ 0 };
	in = of_script(argv[i], s);
	in.bypass = b.unknown;
	return in;
}

static bool one_of(const char *const *names, const char *word, size_t n)
{
	for (; *names; names++)
		if (strlen(*names) == n && !memcmp(*names, word, n))
			return true;
	return false;
}

/* The dynamic loader, ld.so(8)'s or musl's, loads a program without an exec: where its name stands in argv. Only "--" begins an option. One
 * that is not known may have a value, or be the program to another version: then neither the program nor its arguments can be told. */
static struct inner loaded(bool musl, const char *const *argv, size_t argc)
{
	static const char *const plain[] = { "--list", "--verify", "--inhibit-cache", "--list-tunables", "--list-diagnostics", "--help",
		"--version", NULL };
	static const char *const valued[] = { "--library-path", "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask", "--inhibit-rpath",
		"--audit", "--preload", "--argv0", NULL };
	struct inner in = { .loaded = true };
	size_t i = 1;

	while (i < argc && !strncmp(argv[i], "--", 2)) {
		const char *word = argv[i], *eq = musl ? strchr(word, '=') : NULL;
		size_t n = eq ? (size_t)(eq - word) : strlen(word);
		bool value = one_of(valued, word, n);

		if (musl && !word[2]) {
			i++;
			break;
		}
		in.unknown = value ? !eq && i + 1 == argc : eq || !one_of(plain, word, n);
		if (in.unknown)
			break;
		if (value && !strncmp(word, "--argv0", n))
			in.zero = eq ? eq + 1 : argv[i + 1];
		i += 1 + (value && !eq);
	}
	in.argv = argv + i;
	in.argc = argc - i;
	return in.argc ? in : (struct inner){ 0 };
}

/* musl's is its libc.so by other names. */
static bool is_musl(const char *name)
{
	return !strncmp(name, "ld-musl", 7) || !strcmp(name, "libc.so") || !strncmp(name, "libc.musl-", 10);
}

static bool is_loader(const char *name)
{
	return is_musl(name) || (name[0] == 'l' && name[1] == 'd' &&
				 (!strncmp(name, "ld-linux", 8) || !strncmp(name, "ld.so", 5) || !strncmp(name, "ld-2.", 5) ||
				  !strncmp(name, "ld64.so", 7)));
}

/* env -S: its text's words stand where it stood, and are env's own again. A text that a shell would read otherwise is not understood. */
static struct inner split(const struct wrapper *env, const struct options *o, const char *const *argv, size_t argc, struct slot *s)
{
	bool none = !o->split_text[strspn(o->split_text, " \t")];
	size_t n = strpbrk(o->split_text, "\\\n\v\f\r") ? 1 : words_of(o->split_text, s, 1, "$#");
	struct options again;

	if (n == 1 && !none)
		return (struct inner){ .bypass = true };
	s->words[0] = argv[0];
	for (size_t i = o->split; i < argc && n < WORDS_MAX - 1; i++)
		s->words[n++] = argv[i];
	s->words[n] = NULL;
	again = options(env, s->words, n);
	if (again.split_text)
		return (struct inner){ .bypass = true };
	return again.at < n ? (struct inner){ .argv = s->words + again.at, .argc = n - again.at } : (struct inner){ 0 };
}

/* watch gives its words to a shell as one line. */
static struct inner watched(const char *const *argv, size_t argc, struct slot *s)
{
	size_t at = 0;

	for (size_t i = 0; i < argc; i++) {
		size_t n = strlen(argv[i]);

		if (at + n + 2 > sizeof(s->text) || argc >= WORDS_MAX)
			return (struct inner){ .argv = argv, .argc = argc };
		memcpy(s->joined + at, argv[i], n);
		at += n;
		s->joined[at++] = ' ';
	}
	s->joined[at] = 0;
	return of_script(s->joined, s);
}

static struct inner wrapped(const char *name, const char *const *argv, size_t argc, struct slot *s)
{
	static const struct wrapper plain = { .valued = "" };
	static const char *const plains[] = { "nohup", "setsid", "busybox", "command" };
	const struct wrapper *w = NULL;
	struct inner in = { 0 };
	struct options o;

	for (size_t i = 0; i < ARRAY_LEN(plains); i++)
		if (!strcmp(name, plains[i]))
			w = &plain;
	for (size_t i = 0; i < ARRAY_LEN(wrappers) && !w; i++)
		if (!strcmp(name, wrappers[i].name))
			w = &wrappers[i];
	o = options(w, argv, argc);
	if (!strcmp(name, "command") && (is_set(&o, 'v') || is_set(&o, 'V')))
		return in; /* it only says what X is */
	if ((!strcmp(name, "ionice") && (is_set(&o, 'p') || is_set(&o, 'P') || is_set(&o, 'u'))) || (!strcmp(name, "taskset") &&
		is_set(&o, 'p')))
		return in; /* of processes that run */
	if (o.split_text)
		in = split(w, &o, argv, argc, s);
	else if (o.at < argc)
		in = (struct inner){ .argv = argv + o.at, .argc = argc - o.at };
	if (!strcmp(name, "watch") && in.argc && !is_set(&o, 'x')) {
		in = watched(in.argv, in.argc, s);
		in.script = false; /* no -c that somebody wrote */
	}
	return in;
}

struct inner look_inside(const struct policy *p, const struct name *name, const char *const *argv, size_t argc, int slot)
{
	uint32_t at = 0;

	if (look_shell(name))
		return shell(name->base, argv, argc, &slots[slot]);
	if (is_loader(name->base))
		return loaded(is_musl(name->base), argv, argc);
	if (index_next(p, &p->exec_index, hash_word(name->base, name->base_len), KIND_WRAPPER, name->base, name->base_len, &at))
		return wrapped(name->base, argv, argc, &slots[slot]);
	return (struct inner){ 0 };
}

bool look_loader(const struct name *n)
{
	return is_loader(n->base);
}
