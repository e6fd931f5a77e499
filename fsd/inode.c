/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes: a descriptor, the identity on the backing file system, and where the policy's automaton stands. The same file under two names is
 * two inodes when the policy could tell the names apart. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsd/fsd.h"

static size_t bucket(dev_t dev, ino_t ino, const struct pol_state *st)
{
	return (size_t)((ino * 0x9e3779b97f4a7c15ull + dev * 31 + st->s[0] * 2654435761u) >> 20) % INODE_BUCKETS;
}

static struct inode *find(dev_t dev, ino_t ino, const struct pol_state *st, int tree)
{
	struct inode *i = fsd.table[bucket(dev, ino, st)];

	while (i && !(i->dev == dev && i->ino == ino && i->tree == tree && pol_state_eq(i->state, *st)))
		i = i->next;
	return i;
}

static void link_in(struct inode *i)
{
	size_t b = bucket(i->dev, i->ino, &i->state);

	i->next = fsd.table[b];
	fsd.table[b] = i;
}

static void unlink_out(struct inode *i)
{
	struct inode **p = &fsd.table[bucket(i->dev, i->ino, &i->state)];

	while (*p && *p != i)
		p = &(*p)->next;
	if (*p)
		*p = i->next;
}

static void drop(struct inode *i)
{
	while (i && i->lookups == 0 && i->refs == 0 && i->parent) {
		struct inode *up = i->parent;

		unlink_out(i);
		close(i->fd);
		free(i->name);
		free(i);
		up->refs--;
		i = up;
	}
}

void inode_forget(struct inode *i, uint64_t n)
{
	i->lookups = n < i->lookups ? i->lookups - n : 0;
	drop(i);
}

void inode_unref(struct inode *i)
{
	i->refs--;
	drop(i);
}

struct inode *inode_root(int tree, int fd, struct pol_state state)
{
	struct inode *i = calloc(1, sizeof(*i));
	struct stat st;

	if (!i || fstat(fd, &st) < 0) {
		free(i);
		return NULL;
	}
	*i = (struct inode){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino, .state = state, .tree = tree, .refs = 1 };
	link_in(i);
	return i;
}

static bool hidden(const struct stat *st)
{
	for (size_t k = 0; k < fsd.n_hide; k++)
		if (st->st_dev == fsd.hide_dev[k] && st->st_ino == fsd.hide_ino[k])
			return true;
	return false;
}

int inode_get(struct inode *dir, const char *name, struct inode **ret, struct stat *st)
{
	auto_fd fd = openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct pol_state state = policy_file_child(fsd.policy, dir->state, name, strlen(name));
	struct inode *i;

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	if (hidden(st))
		return -ENOENT;
	/* Met again below another tree, the workspace is still the workspace. */
	if (st->st_dev == fsd.ws_dev && st->st_ino == fsd.ws_ino)
		state = policy_file_workspace(fsd.policy);
	i = find(st->st_dev, st->st_ino, &state, dir->tree);
	if (!i) {
		i = calloc(1, sizeof(*i));
		if (!i)
			return -ENOMEM;
		*i = (struct inode){ .fd = move_fd(&fd), .dev = st->st_dev, .ino = st->st_ino, .state = state, .tree = dir->tree, .parent = dir };
		i->name = strdup(name);
		dir->refs++;
		link_in(i);
	} else if (i->parent && (i->parent != dir || strcmp(i->name, name) != 0)) {
		inode_moved(i, dir, name, state);
	}
	i->lookups++;
	*ret = i;
	return 0;
}

void inode_moved(struct inode *i, struct inode *dir, const char *name, struct pol_state state)
{
	struct inode *old = i->parent;
	char *copy = strdup(name);

	if (!copy || !old) {
		free(copy);
		return;
	}
	for (struct inode *up = dir; up; up = up->parent)
		if (up == i) { /* never its own ancestor, whatever two names say */
			free(copy);
			return;
		}
	unlink_out(i);
	free(i->name);
	i->name = copy;
	i->state = state;
	i->parent = dir;
	dir->refs++;
	link_in(i);
	inode_unref(old);
}

void inode_path(const struct inode *i, const char *name, char *out, size_t cap)
{
	const struct inode *chain[256];
	size_t n = 0, at;

	for (; i->parent && n < ARRAY_LEN(chain); i = i->parent)
		chain[n++] = i;
	at = (size_t)snprintf(out, cap, "%s", fsd.trees[i->tree].path);
	while (n-- && at + 1 < cap)
		at += (size_t)snprintf(out + at, cap - at, "/%s", chain[n]->name);
	if (name && at + 1 < cap)
		snprintf(out + at, cap - at, "/%s", name);
}
