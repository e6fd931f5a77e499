/* SPDX-License-Identifier: Apache-2.0 */
/* What others change below the served trees, by fanotify: each directory that an answer was given about is marked. Its events say who:
 * what our own process did, it did for the kernel. Where a directory cannot be marked, the kernel keeps what is there for ENTRY_MS. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/log.h"
#include "fsd/ops.h"

#define WATCH_BUCKETS 4096
#define WATCHES_MAX 65536   /* each keeps a directory in the host's memory, about 1 KiB */
#define HANDLE_MAX 40
#define EVENTS_ROOM 16384
#define CHANGED (FAN_ATTRIB | FAN_MODIFY | FAN_CLOSE_WRITE)
#define MASK (FAN_CREATE | FAN_DELETE | FAN_RENAME | CHANGED | FAN_ONDIR | FAN_EVENT_ON_CHILD)
/* Newer than some headers. */
#define XFS_MAGIC 0x58465342
#define BCACHEFS_MAGIC 0xca451a4e
#define ZFS_MAGIC 0x2fc12fc1

struct key { __kernel_fsid_t fsid; int type; unsigned n; uint8_t handle[HANDLE_MAX]; };
/* shared: the directory is known by another name, too, which is judged otherwise: what is done for a request by one concerns both. */
struct watch { struct watch *next; struct inode *dir; bool shared; struct key key; };

static struct watch *table[WATCH_BUCKETS];
static size_t n_watches, n_shared;
static int fan = -1;

static struct watch **place(const struct key *k)
{
	uint64_t h = (uint64_t)k->type;

	for (unsigned i = 0; i < k->n; i++)
		h = (h ^ k->handle[i]) * 0x100000001b3ull;
	return &table[(h ^ h >> 32) % WATCH_BUCKETS];
}

static bool same(const struct key *a, const struct key *b)
{
	return a->type == b->type && a->n == b->n && !memcmp(&a->fsid, &b->fsid, sizeof(a->fsid)) && !memcmp(a->handle, b->handle, a->n);
}

static struct watch *next_of(struct watch *w, const struct key *k)
{
	while (w && !same(&w->key, k))
		w = w->next;
	return w;
}

static bool key_of(const struct file_handle *h, const __kernel_fsid_t *fsid, struct key *k)
{
	if (h->handle_bytes > HANDLE_MAX)
		return false;
	*k = (struct key){ .fsid = *fsid, .type = h->handle_type, .n = h->handle_bytes };
	memcpy(k->handle, h->f_handle, k->n);
	return true;
}

/* File systems that tell of all their changes: none that another machine changes, or that shows another one's files. */
static bool local(const struct statfs *s)
{
	static const unsigned long types[] = { EXT4_SUPER_MAGIC, XFS_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, F2FS_SUPER_MAGIC,
					       BCACHEFS_MAGIC, ZFS_MAGIC };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if ((unsigned long)s->f_type == types[i])
			return true;
	return false;
}

static int mark(int fd, struct key *k)
{
	struct { struct file_handle h; uint8_t room[HANDLE_MAX]; } h = { .h.handle_bytes = HANDLE_MAX };
	__kernel_fsid_t fsid;
	struct statfs s;
	int id;

	if (fstatfs(fd, &s) < 0 || name_to_handle_at(fd, "", &h.h, &id, AT_EMPTY_PATH) < 0)
		return -errno;
	memcpy(&fsid, &s.f_fsid, sizeof(fsid));
	if (!local(&s) || !key_of(&h.h, &fsid, k))
		return -EOPNOTSUPP;
	return fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_ONLYDIR, MASK, fd, ".") < 0 ? -errno : 0;
}

bool watch_dir(struct inode *dir)
{
	static bool said;
	struct watch *w, **p;
	int r, fd;

	if (fan < 0 || !dev_expires() || dir->watch || dir->unwatched || !dir->dir)
		return false;
	fd = inode_fd(dir);
	w = fd < 0 || n_watches == WATCHES_MAX ? NULL : calloc(1, sizeof(*w));
	if (!w)
		return false;
	r = mark(fd, &w->key);
	if (r < 0) {
		if (!said)
			log_info("a directory cannot be watched (%s): what is there is asked for again each second", strerror(-r));
		said = dir->unwatched = true;
		free(w);
		return false;
	}
	p = place(&w->key);
	for (struct watch *o = next_of(*p, &w->key); o; o = next_of(o->next, &w->key)) {
		n_shared += !o->shared;
		o->shared = w->shared = true;
	}
	n_shared += w->shared;
	w->dir = dir;
	w->next = *p;
	*p = w;
	dir->watch = w;
	n_watches++;
	return true;
}

void watch_end(struct inode *dir)
{
	struct watch *w = dir->watch, **p;
	int fd;

	if (!w)
		return;
	p = place(&w->key);
	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	/* The directory may be known twice. Where it is not found any more, its events lead to nothing. */
	if (!next_of(*place(&w->key), &w->key)) {
		fd = inode_fd(dir);
		if (fd >= 0)
			fanotify_mark(fan, FAN_MARK_REMOVE | FAN_MARK_ONLYDIR, MASK, fd, ".");
	}
	n_watches--;
	n_shared -= w->shared;
	dir->watch = NULL;
	free(w);
}

static void name_changed(struct inode *dir, const char *name)
{
	tell_entry(dir, name);
	tell_inode(dir);
}

/* A file with several names is known by one of them. */
static struct inode *at(struct inode *dir, const char *name)
{
	struct inode *i = names_find(dir, name);

	return i ? i : inode_peek(dir, name);
}

static void changed(uint64_t mask, struct inode *dir, const char *name)
{
	struct inode *i;

	if (!strcmp(name, ".")) { /* of itself */
		if ((mask & FAN_ATTRIB) && acl_new(dir))
			tell_all(); /* who is kept out now still has entries from before */
		tell_inode(dir);
		return;
	}
	if (mask & FAN_DELETE && (i = names_find(dir, name))) {
		tell_inode(i);
		inode_let_go(i);
	}
	i = at(dir, name);
	/* What the session itself writes without us looks like another's; of such a file the kernel keeps attributes for ENTRY_MS only. */
	if (i && i->passed && !(mask & ~(uint64_t)(FAN_MODIFY | FAN_CLOSE_WRITE)))
		return;
	if (i) {
		i->acl_looked = 0;
		tell_inode(i);
	}
	if (mask & (FAN_CREATE | FAN_DELETE))
		name_changed(dir, name);
}

/* One side of a rename or both: the other may lie where nothing is watched. */
struct side { struct watch *first; struct key key; char name[NODE_NAME_MAX + 1]; };

static void moved(struct inode *i, const struct side *to)
{
	struct watch *b = next_of(to->first, &to->key);

	while (b && b->dir->tree != i->tree)
		b = next_of(b->next, &to->key);
	tell_inode(i);
	inode_taken(i, b ? b->dir : NULL, to->name);
}

static void renamed(const struct side *from, const struct side *to)
{
	struct watch *a, *b, *next;

	for (b = next_of(to->first, &to->key); b; b = next_of(b->next, &to->key)) {
		struct inode *over = names_find(b->dir, to->name), *i = inode_peek(b->dir, to->name);

		if (over) {
			tell_inode(over);
			inode_let_go(over);
		}
		if (i && i != over)
			tell_inode(i);
		name_changed(b->dir, to->name);
	}
	for (a = next_of(from->first, &from->key); a; a = next) {
		struct inode *dir = a->dir, *i = names_find(dir, from->name);

		dir->refs++; /* what is in it may have been all that kept it */
		name_changed(dir, from->name);
		if (i)
			moved(i, to);
		next = next_of(a->next, &from->key);
		inode_unref(dir);
	}
}

/* The side that an information record of n bytes names; nothing in an event is aligned. */
static void side_of(const uint8_t *p, size_t n, struct side *s)
{
	struct fanotify_event_info_fid f;
	struct file_handle h;
	size_t at = offsetof(struct fanotify_event_info_fid, handle), len;

	if (n < at + sizeof(h))
		return;
	memcpy(&f, p, at);
	memcpy(&h, p + at, sizeof(h));
	at += sizeof(h);
	if (h.handle_bytes > HANDLE_MAX || n < at + h.handle_bytes)
		return;
	s->key = (struct key){ .fsid = f.fsid, .type = h.handle_type, .n = h.handle_bytes };
	memcpy(s->key.handle, p + at, s->key.n);
	at += s->key.n;
	len = strnlen((const char *)p + at, n - at);
	if (len == 0 || len > NODE_NAME_MAX)
		return;
	memcpy(s->name, p + at, len);
	s->name[len] = 0;
	s->first = *place(&s->key);
}

static bool look_again(struct inode *i)
{
	i->acl_looked = 0;
	return true;
}

/* What we did for a request the kernel knows of the directory that it was made in; we do not know of an ACL that we set. */
static void own_event(uint64_t mask, const struct side *s)
{
	for (struct watch *w = next_of(s->first, &s->key); w; w = next_of(w->next, &s->key)) {
		bool self = !strcmp(s->name, ".");
		struct inode *i = self ? w->dir : names_find(w->dir, s->name);

		if (i)
			i->acl_looked = 0;
		if (!w->shared)
			continue;
		if (i)
			tell_inode(i);
		if (!self && mask & (FAN_CREATE | FAN_DELETE | FAN_RENAME))
			name_changed(w->dir, s->name);
	}
}

/* p: n bytes of information records. */
static void on_event(uint64_t mask, const uint8_t *p, size_t n, bool own)
{
	struct side from = { 0 }, to = { 0 };
	struct fanotify_event_info_header h;
	size_t all = 0;

	if (mask & FAN_Q_OVERFLOW) {
		inode_each(&all, look_again);
		tell_lost();
		return;
	}
	for (; n >= sizeof(h); p += h.len, n -= h.len) {
		memcpy(&h, p, sizeof(h));
		if (h.len < sizeof(h) || h.len > n)
			break;
		if (h.info_type == FAN_EVENT_INFO_TYPE_NEW_DFID_NAME)
			side_of(p, h.len, &to);
		else if (h.info_type == FAN_EVENT_INFO_TYPE_OLD_DFID_NAME || h.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME)
			side_of(p, h.len, &from);
	}
	if (own) {
		own_event(mask, &from);
		own_event(mask, &to);
	} else if (mask & FAN_RENAME) {
		renamed(&from, &to);
	} else {
		for (struct watch *w = next_of(from.first, &from.key); w; w = next_of(w->next, &from.key))
			changed(mask, w->dir, from.name);
	}
}

void watch_drain(bool own)
{
	static uint8_t buf[EVENTS_ROOM];
	struct fanotify_event_metadata m;
	pid_t self = getpid();
	ssize_t n;

	while (fan >= 0 && (n = read(fan, buf, sizeof(buf))) > 0)
		for (size_t at = 0; (size_t)n - at >= sizeof(m); at += m.event_len) {
			memcpy(&m, buf + at, sizeof(m));
			if (m.event_len < sizeof(m) || m.event_len > (size_t)n - at)
				break;
			if (m.vers == FANOTIFY_METADATA_VERSION && (own || m.pid != self || m.mask & FAN_ATTRIB || n_shared))
				on_event(m.mask, buf + at + sizeof(m), m.event_len - sizeof(m), !own && m.pid == self);
		}
}

static void on_ready(void *arg UNUSED, int fd UNUSED, uint32_t events UNUSED)
{
	watch_drain(false);
}

void watch_start(void)
{
	fan = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME | FAN_UNLIMITED_MARKS, O_RDONLY);
	if (fan >= 0 && loop_add(fsd.w->loop, fan, EPOLLIN, on_ready, NULL, NULL) < 0) {
		close(fan);
		fan = -1;
	}
	if (fan < 0)
		log_info("the host's changes cannot be watched: what was looked up is asked for again each second");
}

static uint32_t digest(const struct stat *st)
{
	uint64_t when = (uint64_t)st->st_ctim.tv_sec * 1000000007u + (uint64_t)st->st_ctim.tv_nsec;

	return (uint32_t)(when * 0x9e3779b97f4a7c15ull >> 32) ^ (uint32_t)st->st_size ^ st->st_mode << 16;
}

void watch_opened(struct inode *i, const struct stat *st)
{
	uint32_t now = i->passed ? 0 : digest(st);

	if (i->told != now)
		tell_now(i);
	i->told = now;
}

bool watch_tells(const struct inode *i)
{
	return i->dir ? i->watch != NULL : i->parent && i->parent->watch && !i->strayed && !i->unlinked && !i->several;
}

double watch_attr_seconds(struct inode *i, const struct stat *st)
{
	bool told;

	if (i->several)
		i->acl_looked = 0;
	i->several = !i->dir && st->st_nlink != 1;
	told = watch_tells(i) && !i->passed;
	i->told = digest(st);
	return inode_twin(i) ? 0 : (told ? WATCHED_MS : ENTRY_MS) / 1000.0;
}

/* Never for another process where the answer depends on who asks: on its labels, or on an ACL of the directory. Attributes the kernel may
 * keep: they are looked at behind a look-up, and asked for without a judgement. */
double watch_entry_seconds(struct inode *dir, const char *name, struct inode *i, const struct stat *st)
{
	bool told = dir->watch && !dir->acl;

	if (policy_file_asks(fsd.policy, i ? i->state : judge_state(dir, name), POL_OP_STAT))
		return 0;
	if (i) {
		told &= i->dir || st->st_nlink == 1;
		i->lasting |= told;
	} else {
		told = told && names_absent(dir, name);
	}
	return (told ? WATCHED_MS : ENTRY_MS) / 1000.0;
}
