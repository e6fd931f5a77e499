/* SPDX-License-Identifier: Apache-2.0 */
/* The trash's index: entries, what a start finds half done, and the limits by bytes, count and age, oldest first. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>

#include "common/log.h"
#include "fsd/trash.h"

#define WS_TRASH ".agentsh-trash" /* where a rename into the session's directory does not work */
#define WS_PROBE ".agentsh-probe"
#define NS 1000000000ull
#define STALE_MIN 1024            /* places of entries that went another way, before the queue is swept */

static const char letters[TRASH__COUNT] = { 'd', 'r', 'w', 't', 'a' };

/* What is kept, by age. An entry that was given back stays here until its turn comes, or a sweep. */
struct queued { char token[TOKEN_CAP]; uint64_t seq, bytes; };
static struct queue { struct queued *v; size_t at, n, room; uint64_t count, bytes; } q;
static struct { uint64_t bytes, count, age_ms; } limits; /* 0: none */
static bool held;

void trash_hold(bool hold)
{
	held = hold;
}

static void name_of(const char *token, const char *end, char out[TOKEN_CAP + 8])
{
	snprintf(out, TOKEN_CAP + 8, "%.32s%s", token, end);
}

static bool is_token(const char *s, size_t n)
{
	return n == TOKEN_LEN && strspn(s, "0123456789abcdef") >= TOKEN_LEN;
}

static void hide(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && fsd.n_hide < ARRAY_LEN(fsd.hide_ino)) {
		fsd.hide_name[fsd.n_hide] = WS_TRASH;
		fsd.hide_dev[fsd.n_hide] = st.st_dev;
		fsd.hide_ino[fsd.n_hide++] = st.st_ino;
	}
}

bool trash_name(const struct inode *dir, const char *name)
{
	struct stat st;

	if (dir->dev == fsd.ws_dev && dir->ino == fsd.ws_ino && (!strcmp(name, WS_TRASH) || !strcmp(name, WS_PROBE)))
		return true;
	for (size_t k = 0; k < fsd.n_hide; k++)
		if (!strcmp(name, fsd.hide_name[k]))
			return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && inode_hidden(&st);
	return false;
}

uint64_t trash_seq(void)
{
	static uint64_t last;
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_REALTIME, &t);
	now = (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
	last = now > last ? now : last + 1;
	return last;
}

/* A number and what ends it; *at is behind that then. Negative ones as their two's complement. */
static bool number(const char **at, int base, char last, uint64_t *ret)
{
	char *e;

	errno = 0;
	*ret = strtoull(*at, &e, base);
	if (e == *at || *e != last || errno)
		return false;
	*at = e + 1;
	return true;
}

int entry_read(const char *token, struct trash_entry *ret)
{
	char name[TOKEN_CAP + 8], text[4096];
	uint64_t born, mtime;
	const char *at = text + 3;
	ssize_t n;
	size_t k = 0;

	if (!is_token(token, strlen(token)))
		return -ENOENT;
	name_of(token, ".ok", name);
	n = readlinkat(fsd.trash, name, text, sizeof(text) - 1);
	if (n < 0)
		return -ENOENT;
	text[n] = 0;
	*ret = (struct trash_entry){ 0 };
	while (k < TRASH__COUNT && letters[k] != text[0])
		k++;
	if (k == TRASH__COUNT || !text[1] || text[2] != ' ' || !number(&at, 10, ' ', &ret->seq) || !number(&at, 16, ':', &ret->of.dev) ||
	    !number(&at, 16, ':', &ret->of.ino) || !number(&at, 10, ' ', &born) || !number(&at, 10, ' ', &mtime))
		return -EBADMSG;
	ret->of.born = (int64_t)born;
	ret->dir_mtime = (int64_t)mtime;
	n = (ssize_t)strcspn(at, " ");
	if (n == 0 || (size_t)n >= sizeof(ret->command) || at[n] != ' ' || strlen(at + n + 1) >= PATH_CAP)
		return -EBADMSG;
	snprintf(ret->command, sizeof(ret->command), "%.*s", (int)n, at);
	ret->kind = (enum trash_kind)k;
	ret->made_by_it = text[1] == 'm';
	if (!strcmp(ret->command, "-"))
		ret->command[0] = 0;
	snprintf(ret->path, sizeof(ret->path), "%s", at + n + 1);
	snprintf(ret->token, sizeof(ret->token), "%s", token);
	return 0;
}

static int entry_write(const struct trash_entry *e)
{
	char name[TOKEN_CAP + 8], text[4096];

	name_of(e->token, ".ok", name);
	if (strlen(e->path) >= PATH_CAP - 1 ||
	    str_format(text, sizeof(text), "%c%c %lu %lx:%lx:%ld %ld %s %s", letters[e->kind], e->made_by_it ? 'm' : '-', e->seq, e->of.dev,
		       e->of.ino, e->of.born, e->dir_mtime, e->command[0] ? e->command : "-", e->path) < 0)
		return -ENAMETOOLONG; /* it could not be given back */
	return symlinkat(text, fsd.trash, name) < 0 ? -errno : 0;
}

uint64_t trash_bytes(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512 + 512; /* a name is not for nothing */
}

static bool there(const char *token)
{
	char name[TOKEN_CAP + 8];

	name_of(token, ".ok", name);
	return faccessat(fsd.trash, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void sweep(void)
{
	size_t n = 0;

	for (size_t i = q.at; i < q.n; i++)
		if (there(q.v[i].token))
			q.v[n++] = q.v[i];
	q.at = 0;
	q.n = n;
}

static void queue_add(const char *token, uint64_t seq, uint64_t bytes)
{
	struct queued *more;

	q.count++;
	q.bytes += bytes;
	if (q.n == q.room && q.n - q.at > 2 * q.count + STALE_MIN)
		sweep();
	if (q.n == q.room && q.at > q.n / 2) {
		memmove(q.v, q.v + q.at, (q.n - q.at) * sizeof(*q.v));
		q.n -= q.at;
		q.at = 0;
	}
	if (q.n == q.room) {
		more = realloc(q.v, (q.room ? q.room * 2 : 256) * sizeof(*q.v));
		if (!more)
			return; /* kept, but never the oldest */
		q.v = more;
		q.room = q.room ? q.room * 2 : 256;
	}
	q.v[q.n].seq = seq;
	q.v[q.n].bytes = bytes;
	snprintf(q.v[q.n++].token, TOKEN_CAP, "%s", token);
}

void entry_kept(const struct trash_entry *e, uint64_t size)
{
	queue_add(e->token, e->seq, size);
}

void entry_drop(const char *token, uint64_t size)
{
	char name[TOKEN_CAP + 8];

	name_of(token, ".ok", name);
	if (unlinkat(fsd.trash, name, 0) == 0 && size) {
		q.count -= q.count > 0;
		q.bytes -= size < q.bytes ? size : q.bytes;
	}
}

/* Data first: what is left by a death in between is an entry without data, which the next start drops. */
static int purge(const char *token, uint64_t bytes)
{
	static struct note_rec note;
	static struct trash_entry e;
	int r = entry_read(token, &e);

	if (r < 0)
		return r;
	note = (struct note_rec){ .what = NOTE_PURGED, .seq = trash_seq(), .of = e.of, .other.ino = e.seq };
	snprintf(note.command, sizeof(note.command), "%s", e.command);
	snprintf(note.path, sizeof(note.path), "%s", e.path);
	journal_add(&note);
	if (unlinkat(fsd.trash, token, 0) < 0 && (errno != EISDIR || unlinkat(fsd.trash, token, AT_REMOVEDIR) < 0) && errno != ENOENT)
		return -errno;
	entry_drop(token, bytes);
	return 0;
}

static bool too_old(uint64_t seq)
{
	return limits.age_ms && trash_seq() > seq && (trash_seq() - seq) / 1000000 > limits.age_ms;
}

/* Makes room for one more of these bytes. */
static int make_room(uint64_t bytes)
{
	uint64_t n = 0, freed = 0;

	if (held)
		return 0;
	if (limits.bytes && bytes > limits.bytes)
		return -EDQUOT;
	while (q.at < q.n) {
		struct queued *o = &q.v[q.at];
		bool full = (limits.bytes && q.bytes + bytes > limits.bytes) || (limits.count && q.count + 1 > limits.count);

		if (!full && !too_old(o->seq))
			break;
		q.at++;
		if (purge(o->token, o->bytes) == 0) {
			n++;
			freed += o->bytes;
		}
	}
	if (n && fsd.w->events) {
		evt_begin(fsd.w->events, "trash_purged", NULL, 0);
		evt_int(fsd.w->events, "entries", (int64_t)n);
		evt_int(fsd.w->events, "bytes", (int64_t)freed);
		evt_end(fsd.w->events);
	}
	return 0;
}

int entry_begin(struct trash_entry *e, uint64_t size)
{
	uint8_t rnd[TOKEN_LEN / 2];
	int r = make_room(size);

	if (r < 0)
		return r;
	if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
		return -errno;
	hex_encode(rnd, sizeof(rnd), e->token);
	e->seq = trash_seq();
	return entry_write(e);
}

int trash_put(int dir, const char *name, struct trash_entry *e)
{
	struct stat st;
	int r = ident_of(dir, name, &e->of, &st);

	if (r < 0)
		return r;
	e->made_by_it = e->began && e->of.born > 0 && (uint64_t)e->of.born > e->began;
	e->dir_mtime = mtime_of(dir);
	r = entry_begin(e, trash_bytes(&st));
	if (r < 0)
		return r;
	if (renameat2(dir, name, fsd.trash, e->token, RENAME_NOREPLACE) < 0) {
		r = -errno;
		entry_drop(e->token, 0);
		return r;
	}
	entry_kept(e, trash_bytes(&st));
	return 0;
}

int trash_undo_put(int dir, const char *name, const struct trash_entry *e)
{
	struct stat st;
	bool known = fstatat(fsd.trash, e->token, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (renameat2(fsd.trash, e->token, dir, name, RENAME_NOREPLACE) < 0)
		return -errno;
	entry_drop(e->token, known ? trash_bytes(&st) : 0);
	return 0;
}

int entries_begin(struct trash_iter *it)
{
	int fd = openat(fsd.trash, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	it->dir = fd < 0 ? NULL : fdopendir(fd);
	if (!it->dir && fd >= 0)
		close(fd);
	return it->dir ? 0 : -EIO;
}

void entries_end(struct trash_iter *it)
{
	closedir(it->dir);
	it->dir = NULL;
}

bool entries_next(struct trash_iter *it, struct trash_entry *ret, struct stat *ret_st)
{
	const struct dirent *d;

	while ((d = readdir(it->dir))) {
		char token[TOKEN_CAP];

		if (strlen(d->d_name) != TOKEN_LEN + 3 || strcmp(d->d_name + TOKEN_LEN, ".ok") != 0)
			continue;
		snprintf(token, sizeof(token), "%.32s", d->d_name);
		if (entry_read(token, ret) == 0 && fstatat(fsd.trash, token, ret_st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	entries_end(it);
	return false;
}

/* Data that no entry names comes back under a name of its own. */
static void adopt(const char *token)
{
	static struct trash_entry e;
	struct stat st;

	e = (struct trash_entry){ .kind = TRASH_DELETED, .seq = trash_seq() };
	snprintf(e.token, sizeof(e.token), "%s", token);
	snprintf(e.command, sizeof(e.command), TRASH_RECOVERED);
	if (ident_of(fsd.trash, token, &e.of, &st) == 0 &&
	    str_format(e.path, sizeof(e.path), "%s/recovered-%s", fsd.workspace, token) == 0)
		entry_write(&e);
}

/* An entry without data never happened, or is given back already; another worker may be about to bring it: then the next start sees. */
static void reconcile(void)
{
	bool alone = flock(fsd.trash, LOCK_EX | LOCK_NB) == 0;
	struct trash_iter it;
	const struct dirent *d;

	if (alone && entries_begin(&it) == 0) {
		while ((d = readdir(it.dir))) {
			size_t n = strlen(d->d_name);
			char token[TOKEN_CAP];

			if (n < TOKEN_LEN || !is_token(d->d_name, TOKEN_LEN))
				continue;
			snprintf(token, sizeof(token), "%.32s", d->d_name);
			if (n == TOKEN_LEN && !there(token))
				adopt(token);
			else if (!strcmp(d->d_name + TOKEN_LEN, ".part") ||
				 (!strcmp(d->d_name + TOKEN_LEN, ".ok") &&
				  faccessat(fsd.trash, token, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT))
				unlinkat(fsd.trash, d->d_name, 0);
		}
		entries_end(&it);
	}
	flock(fsd.trash, LOCK_SH);
}

static int by_seq(const void *a, const void *b)
{
	const struct queued *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static void count(void)
{
	static struct trash_entry e;
	struct trash_iter it;
	struct stat st;

	if (entries_begin(&it) < 0)
		return;
	while (entries_next(&it, &e, &st))
		queue_add(e.token, e.seq, trash_bytes(&st));
	if (q.n)
		qsort(q.v, q.n, sizeof(*q.v), by_seq);
	make_room(0);
}

/* name in dir as root's own, which nobody else may have made: then what is deleted would be theirs. */
static int own_dir(int dir, const char *name)
{
	struct stat st;
	auto_fd fd = -1;

	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid != 0 || (st.st_mode & 07777) != 0700 ? -EPERM : move_fd(&fd);
}

/* Each session's own, in one that is hidden from all. */
static int trash_beside(int ws)
{
	auto_fd all = own_dir(ws, WS_TRASH);

	if (all < 0)
		return all;
	hide(all);
	fsd.trash = own_dir(all, fsd.w->id);
	return fsd.trash < 0 ? fsd.trash : 0;
}

int trash_open(void)
{
	int ws = fsd.trees[0].fd, probe, r = 0;
	int64_t before = mtime_of(ws);

	if (mkdirat(fsd.w->session_dir, "trash", 0700) < 0 && errno != EEXIST)
		return -errno;
	fsd.trash = openat(fsd.w->session_dir, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	probe = openat(fsd.trash, ".probe", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (probe >= 0)
		close(probe);
	/* A rename works only inside one mount: try it. A name that is taken there says so too. */
	if (probe >= 0 && renameat2(fsd.trash, ".probe", ws, WS_PROBE, RENAME_NOREPLACE) == 0) {
		unlinkat(ws, WS_PROBE, 0);
		mtime_set(ws, before);
	} else if (probe >= 0 && errno == EEXIST) {
		unlinkat(fsd.trash, ".probe", 0);
	} else {
		unlinkat(fsd.trash, ".probe", 0);
		close(fsd.trash);
		r = trash_beside(ws);
	}
	if (r < 0 || fsd.trash < 0)
		return r < 0 ? r : -errno;
	reconcile();
	count();
	return journal_open();
}

int trash_limits(struct ipc_frame *f)
{
	struct rd b = rd_init(f->body, f->len);

	limits.bytes = rd_u64(&b);
	limits.count = rd_u64(&b);
	limits.age_ms = rd_u64(&b);
	return rd_done(&b) ? 0 : -EINVAL;
}

int trash_purge(uint32_t id, int sock, struct ipc_frame *f)
{
	struct rd b = rd_init(f->body, f->len);
	struct stat st;
	char token[64];
	int r;

	rd_strcpy(&b, token, sizeof(token));
	if (!rd_done(&b) || !is_token(token, strlen(token)) || fstatat(fsd.trash, token, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ipc_send_err(sock, id, -ENOENT, "no such token in this session's trash: list them with: agentsh trash list");
	r = purge(token, trash_bytes(&st));
	if (r < 0)
		return ipc_send_err(sock, id, r, "removing %s: %s", token, strerror(-r));
	return ipc_send(sock, IPC_OK, 0, id, NULL, 0, -1);
}
