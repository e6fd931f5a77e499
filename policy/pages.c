/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a generation's LMDB file (format 1, 64 bit) page by page. The library believes what is on a page; who hands a generation to a
 * daemon also says its hash, so here every offset is checked before it is followed. Reading only, one database, no duplicates. */
#include <errno.h>
#include <string.h>

#include "policy/model.h"

#define MAGIC 0xbeefc0deu
#define HEADER 16           /* u64 number, u16 0, u16 flags, u16 lower, u16 upper; or u32 pages of an overflow run */
#define META_LEN 136        /* u32 magic, u32 version, u64 address, u64 map size, 2 * 48 bytes of tree, u64 last page, u64 transaction */
#define TREE_DEPTH 8
enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum { NODE_BIG = 1 };

struct file { const uint8_t *p; size_t n, page; };
struct entry { const uint8_t *key, *data; size_t key_len, data_len; uint16_t flags; uint64_t child; };

static uint16_t le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t le32(const uint8_t *p) { return le16(p) | (uint32_t)le16(p + 2) << 16; }
static uint64_t le64(const uint8_t *p) { return le32(p) | (uint64_t)le32(p + 4) << 32; }

static const uint8_t *page_at(const struct file *f, uint64_t number)
{
	const uint8_t *p = number < f->n / f->page ? f->p + number * f->page : NULL;

	return p && le64(p) == number ? p : NULL;
}

/* Entry i of a branch or leaf page; false when it does not lie inside the page. */
static bool entry_at(const struct file *f, const uint8_t *page, size_t i, struct entry *e)
{
	size_t at = le16(page + HEADER + 2 * i);
	const uint8_t *p;
	bool leaf = le16(page + 10) & PAGE_LEAF;

	if (at < HEADER || at + 8 > f->page)
		return false;
	p = page + at;
	if (at + 8 + le16(p + 6) > f->page)
		return false;
	*e = (struct entry){ .key = p + 8, .key_len = le16(p + 6), .flags = leaf ? le16(p + 4) : 0 };
	e->child = le32(p) | (leaf ? 0 : (uint64_t)le16(p + 4) << 32);
	e->data = e->key + e->key_len;
	e->data_len = leaf ? le32(p) : 0;
	return (e->flags & NODE_BIG ? 8 : e->data_len) <= (size_t)(page + f->page - e->data);
}

static int compare(const struct entry *e, const char *key)
{
	size_t n = strlen(key);
	int c = memcmp(e->key, key, e->key_len < n ? e->key_len : n);

	return c ? c : (e->key_len > n) - (e->key_len < n);
}

/* A value too large for a leaf: a run of pages of its own. */
static int big(const struct file *f, struct entry *e)
{
	const uint8_t *run = page_at(f, le64(e->data));

	if (!run || !(le16(run + 10) & PAGE_OVERFLOW) || e->data_len > f->n || (size_t)(run - f->p) + HEADER + e->data_len > f->n)
		return -EBADMSG;
	e->data = run + HEADER;
	return 0;
}

static int find(const struct file *f, uint64_t root, const char *key, struct entry *out)
{
	for (int depth = 0; depth < TREE_DEPTH; depth++) {
		const uint8_t *page = page_at(f, root);
		size_t lower = page ? le16(page + 12) : 0;
		uint16_t flags = page ? le16(page + 10) : 0;
		struct entry e;

		if ((flags != PAGE_LEAF && flags != PAGE_BRANCH) || lower < HEADER + 2 || lower > f->page)
			return -EBADMSG;
		for (size_t i = 0; i < (lower - HEADER) / 2; i++) {
			int c;

			if (!entry_at(f, page, i, &e))
				return -EBADMSG;
			/* The first key of a branch stands for everything before the second. */
			c = flags == PAGE_BRANCH && i == 0 ? -1 : compare(&e, key);
			if (flags == PAGE_LEAF && c == 0) {
				*out = e;
				return e.flags & ~NODE_BIG ? -EBADMSG : e.flags & NODE_BIG ? big(f, out) : 0;
			}
			if (c > 0)
				break;
			root = e.child;
		}
		if (flags == PAGE_LEAF)
			return -ENOENT;
	}
	return -EBADMSG;
}

/* The page size stands in the first meta page; the younger of the two meta pages counts. */
static int open_file(struct file *f, uint64_t *root)
{
	uint64_t newest = 0;
	int found = -EBADMSG;

	if (f->n < HEADER + META_LEN)
		return -EBADMSG;
	f->page = le32(f->p + HEADER + 24);
	if (f->page < 512 || f->page > 65536 || (f->page & (f->page - 1)) || f->n % f->page)
		return -EBADMSG;
	for (uint64_t i = 0; i < 2; i++) {
		const uint8_t *p = page_at(f, i), *m = p ? p + HEADER : NULL;

		if (!m || !(le16(p + 10) & PAGE_META) || le32(m) != MAGIC || le32(m + 4) != 1 || le16(m + 72 + 4))
			return -EBADMSG;
		if (found < 0 || le64(m + 128) > newest) {
			newest = le64(m + 128);
			*root = le64(m + 72 + 40);
			found = 0;
		}
	}
	return found;
}

int store_map(const void *data, size_t n, struct record *v, size_t n_v)
{
	struct file f = { .p = data, .n = n };
	uint64_t root = 0;
	int r = open_file(&f, &root);

	for (size_t i = 0; i < n_v && r == 0; i++) {
		struct entry e;

		v[i].data = NULL;
		v[i].len = 0;
		r = find(&f, root, v[i].key, &e);
		if (r == 0) {
			v[i].data = e.data;
			v[i].len = e.data_len;
		} else if (r == -ENOENT) {
			r = 0;
		}
	}
	return r;
}
