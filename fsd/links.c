/* SPDX-License-Identifier: Apache-2.0 */
/* Names that lie in the trash are no names any more: a file that has others, or is open, is shown without them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fsd/fsd.h"

#define LINKS_MAX 65536 /* further ones are counted as names: a number is wrong then, nothing else */
#define BUCKETS 4096

struct kept_link { struct kept_link *next; dev_t dev; ino_t ino; char token[33]; };

static struct kept_link *table[BUCKETS];
static size_t n_links;

static struct kept_link **bucket(dev_t dev, ino_t ino)
{
	return &table[(ino * 0x9e3779b97f4a7c15ull + dev) >> 40 & (BUCKETS - 1)];
}

void links_kept(const struct stat *st, const char *token)
{
	struct kept_link **b = bucket(st->st_dev, st->st_ino), *l = n_links < LINKS_MAX ? malloc(sizeof(*l)) : NULL;

	if (!l)
		return;
	*l = (struct kept_link){ .next = *b, .dev = st->st_dev, .ino = st->st_ino };
	memcpy(l->token, token, sizeof(l->token));
	*b = l;
	n_links++;
}

nlink_t links_seen(dev_t dev, ino_t ino, nlink_t n)
{
	struct kept_link **p = bucket(dev, ino), *l;
	struct stat st;

	while (n_links && (l = *p)) {
		bool same = l->dev == dev && l->ino == ino;

		/* Restored, or gone for good: it is asked where it lies, so that nobody has to say so. */
		if (same && (fstatat(fsd.trash, l->token, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != ino || st.st_dev != dev)) {
			*p = l->next;
			free(l);
			n_links--;
			continue;
		}
		if (same && n)
			n--;
		p = &l->next;
	}
	return n;
}
