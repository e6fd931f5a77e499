/* SPDX-License-Identifier: Apache-2.0 */
/* Names that commands made and moved, in the order of time: what the trash's entries do not tell an undo. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "fsd/trash.h"

#define JOURNAL "journal"
#define JOURNAL_OLD "journal.old"
#define HALF_MAX (32u << 20)      /* bytes of one of the two files; then the older one goes */
#define REC_MAX 8192
#define REC_HEAD 8                /* u32 length of what follows, u32 sum over it */

static int now = -1;
static off_t end;

static uint32_t sum_of(const uint8_t *p, size_t n)
{
	uint32_t h = 2166136261u;

	while (n--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static void ident_put(struct wr *w, const struct ident *i)
{
	wr_u64(w, i->dev);
	wr_u64(w, i->ino);
	wr_u64(w, (uint64_t)i->born);
}

static struct ident ident_get(struct rd *r)
{
	struct ident i = { .dev = rd_u64(r), .ino = 0 };

	i.ino = rd_u64(r);
	i.born = (int64_t)rd_u64(r);
	return i;
}

/* The record at p, or 0: what a death or a full disk cut off. Else its length. */
static size_t rec_get(const uint8_t *p, size_t left, struct note_rec *n)
{
	struct rd r = rd_init(p, left);
	uint32_t len = rd_u32(&r), sum = rd_u32(&r);

	if (r.bad || len > REC_MAX || len > left - REC_HEAD || sum_of(p + REC_HEAD, len) != sum)
		return 0;
	r = rd_init(p + REC_HEAD, len);
	n->what = (enum note)rd_u8(&r);
	n->seq = rd_u64(&r);
	n->of = ident_get(&r);
	n->other = ident_get(&r);
	n->dir_mtime = (int64_t)rd_u64(&r);
	n->to_mtime = (int64_t)rd_u64(&r);
	rd_strcpy(&r, n->command, sizeof(n->command));
	rd_strcpy(&r, n->path, sizeof(n->path));
	rd_strcpy(&r, n->to, sizeof(n->to));
	return rd_done(&r) ? REC_HEAD + len : 0;
}

/* All good records of a file; *ret_end is where they end. */
static int scan(int fd, journal_fn fn, void *arg, off_t *ret_end)
{
	static struct note_rec n;
	struct stat st;
	uint8_t *p;
	size_t at = 0, len;
	int r = 0;

	*ret_end = 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED || !p)
		return -errno;
	while (r == 0 && (len = rec_get(p + at, (size_t)st.st_size - at, &n))) {
		at += len;
		if (fn)
			r = fn(arg, &n);
	}
	munmap(p, (size_t)st.st_size);
	*ret_end = (off_t)at;
	return r;
}

static int start_file(void)
{
	now = openat(fsd.trash, JOURNAL, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	end = 0;
	return now < 0 ? -errno : 0;
}

int journal_open(void)
{
	int r = start_file();
	struct stat st;

	if (r == 0)
		r = scan(now, NULL, NULL, &end);
	if (r < 0 || fstat(now, &st) < 0 || st.st_size == end)
		return r;
	log_warn("session %s: the last %lld bytes of the trash's journal cannot be read: an undo lacks what they noted", fsd.w->id,
		 (long long)(st.st_size - end));
	return ftruncate(now, end) < 0 ? -errno : 0;
}

int journal_add(const struct note_rec *n)
{
	static uint8_t buf[REC_HEAD + REC_MAX];
	struct wr w = wr_init(buf + REC_HEAD, REC_MAX), h = wr_init(buf, REC_HEAD);
	ssize_t done;
	size_t len;

	wr_u8(&w, (uint8_t)n->what);
	wr_u64(&w, n->seq);
	ident_put(&w, &n->of);
	ident_put(&w, &n->other);
	wr_u64(&w, (uint64_t)n->dir_mtime);
	wr_u64(&w, (uint64_t)n->to_mtime);
	wr_str(&w, n->command);
	wr_str(&w, n->path);
	wr_str(&w, n->to);
	if (w.bad)
		return -ENAMETOOLONG;
	len = wr_len(&w);
	wr_u32(&h, (uint32_t)len);
	wr_u32(&h, sum_of(buf + REC_HEAD, len));
	len += REC_HEAD;
	if (end + (off_t)len > (off_t)HALF_MAX && renameat(fsd.trash, JOURNAL, fsd.trash, JOURNAL_OLD) == 0) {
		int old = now, r = start_file();

		if (r < 0) {
			renameat(fsd.trash, JOURNAL_OLD, fsd.trash, JOURNAL);
			now = old;
			return r;
		}
		close(old);
	}
	/* By position: half a record that a full disk left is written over. */
	done = pwrite(now, buf, len, end);
	if (done != (ssize_t)len)
		return done < 0 ? -errno : -ENOSPC;
	end += (off_t)len;
	return 0;
}

int journal_read(journal_fn fn, void *arg)
{
	auto_fd old = openat(fsd.trash, JOURNAL_OLD, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t unused;
	int r = old < 0 ? 0 : scan(old, fn, arg, &unused);

	return r < 0 ? r : scan(now, fn, arg, &unused);
}
