/* SPDX-License-Identifier: Apache-2.0 */
/* The scripts between what an exec was asked for and the interpreter that runs. The kernel opens them by the names in their first lines and
 * keeps no file of them, but its words remain: before the script's own name, as AT_EXECFN has it, each one's name and its one argument.
 * Where a word could be either, it is taken for a name if there is such a program. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/str.h"
#include "execd/execd.h"

#define LINE_MAX_BYTES 256 /* BINPRM_BUF_SIZE: a name in a first line is shorter */

int chain_find(const struct exec_facts *now, struct chain *ret)
{
	int r = peek_execfn(now->pid, ret->name, sizeof(ret->name));

	ret->n = 0;
	if (r < 0)
		return r;
	/* The last one: the words of a script come before its own name, and may be spelled like it. */
	for (size_t i = 1; i < now->argc && i <= CHAIN_WORDS; i++)
		if (!strcmp(now->argv[i], ret->name))
			ret->n = i;
	ret->direct = ret->n == 0;
	ret->n += ret->direct;
	return 0;
}

/* Whether a word before the script's name can be a name at all. */
static bool can_be_name(const char *word)
{
	return word[0] && strlen(word) < LINE_MAX_BYTES && !word[strcspn(word, " \t")];
}

/* A word before the script's name. 0: an argument. Where no program of the name is to be found, it is one, unless the session could have
 * taken the program away for this moment. A relative name cannot be told apart so: mostly it is an argument like "-e" or "node", and a
 * script whose one line gives that argument runs the same. */
static int between(const struct session *s, const struct policy *p, const struct exec_facts *now, const char *word, struct exec_facts *ret)
{
	auto_fd root = name_root(now->pid), fd = -1;
	char path[4096];
	struct statx st;
	int r, settled;
	bool none;

	if (root < 0)
		return root;
	r = peek_named(s, now->pid, word, ret);
	settled = settle_file(p, root, word[0] == '/' ? word : ret->place, path, sizeof(path));
	none = r == -ENOENT || r == -ENOTDIR;
	if (r == 0) {
		fd = resolve_in_root(root, ret->resolved);
		if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MODE, &st) < 0)
			return fd < 0 ? fd : -errno;
		none = !S_ISREG(st.stx_mode) || !(st.stx_mode & 0111);
	}
	if (none && (settled == 0 || settled == -ENOENT || settled == -ENOTDIR || word[0] != '/'))
		return 0;
	if (r < 0 && !none)
		return r;
	ret->unsettled = settled < 0 || strcmp(path, ret->resolved) != 0;
	return 1;
}

int chain_step(const struct session *s, const struct policy *p, const struct exec_facts *now, const struct chain *c, size_t i,
	       struct exec_facts *ret)
{
	size_t at = c->direct ? 0 : i + 1; /* in argv */
	int r;

	if (i + 1 < c->n) {
		r = can_be_name(now->argv[at]) ? between(s, p, now, now->argv[at], ret) : 0;
		if (r <= 0)
			return r;
	} else {
		r = peek_named(s, now->pid, c->name, ret);
		if (r < 0)
			return r;
		/* No script, then; but only if this is the file that runs. */
		ret->unsettled = c->direct && (ret->dev != now->dev || ret->ino != now->ino);
	}
	ret->argv = now->argv + at;
	ret->argc = now->argc - at;
	ret->who = now->who;
	ret->depth = now->depth;
	return 1;
}
