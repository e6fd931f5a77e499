/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes by their name, without asking the file system; and the names of which the kernel keeps that there is nothing. */
#include <stdlib.h>
#include <string.h>

#include "fsd/fsd.h"

#define NAME_BUCKETS 65536
#define ABSENT_MAX 16384 /* of all directories; for one more the oldest is asked for again */
#define ABSENT_LOOK 16   /* of a directory's, the last ones: one that is noted twice costs its room only */

struct absent {
	struct absent *next, **at;     /* of the directory */
	struct absent *newer, *older;  /* of all */
	struct inode *dir;
	char name[];
};

static struct inode *table[NAME_BUCKETS];
static struct absent *newest, *oldest;
static size_t n_absent;

static size_t bucket(const struct inode *dir, const char *name)
{
	uint64_t h = (uintptr_t)dir * 0x9e3779b97f4a7c15ull;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
	return (size_t)(h >> 24) % NAME_BUCKETS;
}

void names_in(struct inode *i)
{
	struct inode **p = &table[bucket(i->parent, i->name)];

	i->same_name = *p;
	*p = i;
}

void names_out(struct inode *i)
{
	struct inode **p = &table[bucket(i->parent, i->name)];

	while (*p && *p != i)
		p = &(*p)->same_name;
	if (*p)
		*p = i->same_name;
	i->same_name = NULL;
}

struct inode *names_find(const struct inode *dir, const char *name)
{
	struct inode *i = table[bucket(dir, name)];

	while (i && !(i->parent == dir && !strcmp(i->name, name)))
		i = i->same_name;
	return i;
}

static void absent_free(struct absent *a)
{
	*a->at = a->next;
	if (a->next)
		a->next->at = a->at;
	*(a->newer ? &a->newer->older : &newest) = a->older;
	*(a->older ? &a->older->newer : &oldest) = a->newer;
	n_absent--;
	free(a);
}

bool names_absent(struct inode *dir, const char *name)
{
	size_t len = strlen(name) + 1;
	struct absent *a = dir->absent;

	for (int i = 0; a && i < ABSENT_LOOK; i++, a = a->next)
		if (!strcmp(a->name, name))
			return true;
	if (n_absent == ABSENT_MAX) {
		tell_entry(oldest->dir, oldest->name);
		absent_free(oldest);
	}
	a = malloc(sizeof(*a) + len);
	if (!a)
		return false;
	*a = (struct absent){ .next = dir->absent, .at = &dir->absent, .older = newest, .dir = dir };
	memcpy(a->name, name, len);
	if (a->next)
		a->next->at = &a->next;
	dir->absent = a;
	*(newest ? &newest->newer : &oldest) = a;
	newest = a;
	n_absent++;
	return true;
}

void names_forget(struct inode *dir)
{
	for (struct absent *a = dir->absent, *next; a; a = next) {
		next = a->next;
		absent_free(a);
	}
}

void names_each_absent(void (*fn)(struct inode *dir, const char *name))
{
	for (const struct absent *a = oldest; a; a = a->newer)
		fn(a->dir, a->name);
}
