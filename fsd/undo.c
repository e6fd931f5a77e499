/* SPDX-License-Identifier: Apache-2.0 */
/* All that one command changed, taken back in the opposite order while no other request is served. Each step looks first whether what it
 * is about is still what it was: done again after a death in the middle, it does the rest. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fsd/trash.h"

#define STEPS_MAX 1000000
#define BATCH 50000
#define DRAIN_EACH 256 /* steps: an event queue holds several times what they make */
#define ITEM_MAX (2 * PATH_CAP + 32)
enum { WHAT_MADE = 16, WHAT_MOVED, WHAT_EXCHANGED, WHAT_NOT_KEPT, WHAT_PURGED, WHAT_ATTRS };
enum { DRY_RUN = 1, FORCE = 2, SINCE = 4 };

/* note: of the journal; else the entry with this token. */
struct step { uint64_t seq; struct note_rec *note; char token[TOKEN_CAP]; };
struct run {
	const char *command;               /* or a checkpoint's id: then since is its time */
	uint64_t since;
	struct step *v;
	size_t n, room;
	struct ident *made;                /* what the command made itself */
	size_t n_made;
	uint64_t undone;                   /* what was noted before was taken back already */
	bool dry, force, left;             /* left: something is still to be taken back */
	/* the answer */
	int sock;
	uint32_t id, in_batch;
	struct wr w;
	uint64_t patience;
	bool deaf;                         /* the client is gone or too slow: the work is done all the same */
};

static int add(struct run *u, const struct step *s)
{
	struct step *more;

	if (u->n == STEPS_MAX)
		return -E2BIG;
	if (u->n == u->room) {
		more = realloc(u->v, (u->room ? u->room * 2 : 256) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		u->v = more;
		u->room = u->room ? u->room * 2 : 256;
	}
	u->v[u->n++] = *s;
	return 0;
}

/* Without the unused ends of its texts, each of which would take pages. */
static struct note_rec *copy_note(const struct note_rec *n)
{
	size_t len = offsetof(struct note_rec, to) + strlen(n->to) + 1;
	struct note_rec *c = malloc(len);

	if (c)
		memcpy(c, n, len);
	return c;
}

static bool wanted(const struct run *u, const char *command, uint64_t seq)
{
	return u->since ? seq > u->since && strcmp(command, TRASH_RECOVERED) != 0 : !strcmp(command, u->command);
}

static int take_note(void *arg, const struct note_rec *n)
{
	struct run *u = arg;
	struct step s = { .seq = n->seq };
	int r;

	if (n->what == NOTE_UNDONE) {
		if (!strcmp(n->command, u->command))
			u->undone = n->seq;
		return 0;
	}
	if (n->what == NOTE_CHECKPOINT || n->what == NOTE_NO_CHECKPOINT ||
	    !wanted(u, n->command, n->what == NOTE_PURGED ? n->other.ino : n->seq))
		return 0;
	s.note = copy_note(n);
	r = s.note ? add(u, &s) : -ENOMEM;
	if (r < 0)
		free(s.note);
	return r;
}

static int newest_first(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	return (x->seq < y->seq) - (x->seq > y->seq);
}

static int by_ident(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ident));
}

static int gather(struct run *u)
{
	static struct trash_entry e;
	struct trash_iter it;
	struct stat st;
	int r = journal_read(take_note, u);

	if (r == 0)
		r = entries_begin(&it);
	if (r < 0)
		return r;
	while (r == 0 && entries_next(&it, &e, &st)) {
		struct step s = { .seq = e.seq };

		if (e.kind == TRASH_ASIDE || !wanted(u, e.command, e.seq))
			continue;
		memcpy(s.token, e.token, sizeof(s.token));
		r = add(u, &s);
	}
	if (r < 0) {
		entries_end(&it);
		return r;
	}
	if (u->n)
		qsort(u->v, u->n, sizeof(*u->v), newest_first);
	u->made = calloc(u->n + 1, sizeof(*u->made));
	if (!u->made)
		return -ENOMEM;
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].note && u->v[i].note->what == NOTE_MADE && !u->v[i].note->other.ino)
			u->made[u->n_made++] = u->v[i].note->of;
	if (u->n_made)
		qsort(u->made, u->n_made, sizeof(*u->made), by_ident);
	return 0;
}

static bool made_it(const struct run *u, const struct ident *i)
{
	return u->n_made && bsearch(i, u->made, u->n_made, sizeof(*i), by_ident) != NULL;
}

static void flush(struct run *u, bool last)
{
	static uint8_t body[IPC_BODY_MAX];
	struct wr b = wr_init(body, sizeof(body));

	wr_u32(&b, u->in_batch);
	wr_bytes(&b, u->w.base, wr_len(&u->w));
	if (!u->deaf && u->in_batch && trash_send(u->sock, IPC_MORE, u->id, &b, &u->patience) < 0)
		u->deaf = true;
	u->w = wr_init(u->w.base, (size_t)(u->w.end - u->w.base));
	u->in_batch = 0;
	b = wr_init(body, sizeof(body));
	wr_u32(&b, 0);
	if (last && !u->deaf && trash_send(u->sock, 0, u->id, &b, &u->patience) < 0)
		u->deaf = true;
	if (last && u->deaf)
		shutdown(u->sock, SHUT_RDWR);
}

static void say(struct run *u, unsigned what, int r, const char *path, const char *other)
{
	if (wr_len(&u->w) + ITEM_MAX > (size_t)(u->w.end - u->w.base))
		flush(u, false);
	wr_u8(&u->w, (uint8_t)what);
	wr_u32(&u->w, (uint32_t)-r);
	wr_str(&u->w, path);
	wr_str(&u->w, other);
	u->in_batch++;
}

/* The directory of path, as the owner, who may change names there; *ret_of of what stands there: ino 0, nothing. */
static int stand_at(int sock, const char *path, const char **ret_last, struct ident *ret_of, struct stat *ret_st)
{
	const char *rel;
	int tree, dir, r = place_of(path, false, &tree, &rel);

	*ret_of = (struct ident){ 0 };
	if (r < 0)
		return r;
	act_as_owner(sock);
	dir = parent_of(tree, rel, false, ret_last);
	if (dir >= 0) {
		r = ident_of(dir, *ret_last, ret_of, ret_st) < 0 ? 0 : 1;
		if (r == 1 && inode_hidden(ret_st))
			r = -EACCES;
		else
			r = may_place(dir, r == 1 ? ret_st : NULL);
	}
	act_as_root();
	if (dir >= 0 && r < 0) {
		close(dir);
		return r;
	}
	return dir;
}

static void restore_mtime(int sock, int dir, int64_t at)
{
	act_as_owner(sock);
	mtime_set(dir, at);
	act_as_root();
}

static int open_to_write(int sock, int fd, const struct stat *st)
{
	char p[40];
	int out;

	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	act_as_owner(sock);
	out = open(p, O_WRONLY | O_CLOEXEC);
	act_as_root();
	/* The owner of a file may make it writable: the mode is given back with the content. */
	if (out < 0 && errno == EACCES && st->st_uid == fsd.w->owner.uid)
		out = open(p, O_WRONLY | O_CLOEXEC);
	return out < 0 ? -errno : out;
}

/* The old content into the open file, whose own is kept by now. */
static int pour(int sock, const struct trash_entry *e, int to)
{
	auto_fd from = openat(fsd.trash, e->token, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct timespec t[2];
	struct stat st = { 0 };
	int r = from < 0 || fstat(from, &st) < 0 || ftruncate(to, 0) < 0 ? -errno : content_copy(from, to, UINT64_MAX);

	if (r == 0 && fdatasync(to) < 0) /* before the copy that is kept goes */
		r = -errno;
	if (r < 0)
		return r;
	t[0] = st.st_atim;
	t[1] = st.st_mtim;
	act_as_owner(sock);
	/* By who may; what stays otherwise is the file's own. */
	if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
		r = errno == EPERM ? 0 : -errno;
	futimens(to, t);
	act_as_root();
	unlinkat(fsd.trash, e->token, 0);
	entry_drop(e->token, trash_bytes(&st));
	return r;
}

int write_back(int sock, const struct trash_entry *e, const char *path, bool force)
{
	static struct trash_entry aside;
	const char *last;
	struct ident of;
	struct stat st;
	auto_fd dir = stand_at(sock, path, &last, &of, &st), fd = -1, to = -1;
	int r;

	if (dir == -EACCES || dir == -EPERM) /* the file's own mode decides about its content */
		dir = -1;
	if (!ident_same(&of, &e->of))
		return put_back(sock, e, path, false, force, false);
	fd = dir < 0 ? -1 : openat(dir, last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || ident_of(fd, "", &of, &st) < 0 || !ident_same(&of, &e->of))
		return -EBUSY;
	to = open_to_write(sock, fd, &st);
	if (to < 0)
		return to;
	aside = (struct trash_entry){ .kind = TRASH_ASIDE };
	snprintf(aside.command, sizeof(aside.command), "undo");
	snprintf(aside.path, sizeof(aside.path), "%s", path);
	r = preimage_take(fd, &aside);
	/* What is there now is too large to keep as well: only who insists loses it. */
	return r < 0 && !(r == -EFBIG && force) ? r : pour(sock, e, to);
}

static int take_away(struct run *u, const struct note_rec *n)
{
	static struct trash_entry e;
	const char *last;
	struct ident of;
	struct stat st;
	auto_fd dir = stand_at(u->sock, n->path, &last, &of, &st);
	int r = 0;

	if (dir == -ENOENT || (dir >= 0 && !ident_same(&of, &n->of)))
		return 1;
	if (dir < 0)
		return dir;
	if (n->other.ino && st.st_nlink > 1) {
		/* A second name: in the trash it would still count as one. */
		r = unlinkat(dir, last, 0) < 0 ? -errno : 0;
	} else if (S_ISDIR(st.st_mode)) {
		/* Only an empty one goes: what is in it is somebody else's. */
		r = unlinkat(dir, last, AT_REMOVEDIR) < 0 ? -errno : 0;
	} else {
		e = (struct trash_entry){ .kind = TRASH_ASIDE };
		snprintf(e.command, sizeof(e.command), "undo");
		snprintf(e.path, sizeof(e.path), "%s", n->path);
		r = trash_put(dir, last, &e);
	}
	if (r == 0)
		restore_mtime(u->sock, dir, n->dir_mtime);
	return r;
}

static int move_back(struct run *u, const struct note_rec *n)
{
	bool exchange = n->what == NOTE_EXCHANGED;
	const char *from_last = "", *to_last = "";
	struct ident at_to = { 0 }, at_from = { 0 };
	struct stat st;
	auto_fd to = stand_at(u->sock, n->to, &to_last, &at_to, &st), from = -1;

	if (to < 0 && to != -ENOENT)
		return to;
	from = stand_at(u->sock, n->path, &from_last, &at_from, &st);
	if (to < 0 || !ident_same(&at_to, &n->of) || (exchange && !ident_same(&at_from, &n->other))) {
		/* It never happened, or what moved was the command's own and is gone. */
		if (ident_same(&at_from, &n->of) || made_it(u, &n->of))
			return 1;
		return -ENOENT;
	}
	if (from < 0)
		return from;
	if (renameat2(to, to_last, from, from_last, exchange ? RENAME_EXCHANGE : RENAME_NOREPLACE) < 0)
		return -errno;
	act_as_owner(u->sock);
	mtime_set(to, n->to_mtime);
	mtime_set(from, n->dir_mtime);
	act_as_root();
	return 0;
}

static int attrs_back(struct run *u, const struct note_rec *n)
{
	struct ident of = { 0 };
	const char *last, *rel;
	int tree, r = place_of(n->path, false, &tree, &rel);
	auto_fd dir = -1, fd = -1;
	struct stat st;
	char p[40];

	if (r < 0)
		return r;
	act_as_owner(u->sock);
	dir = parent_of(tree, rel, false, &last);
	fd = dir < 0 ? -1 : openat(dir, last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || ident_of(fd, "", &of, &st) < 0 || !ident_same(&of, &n->of)) {
		act_as_root();
		return made_it(u, &n->of) ? 1 : -ENOENT;
	}
	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	if (n->what == NOTE_XATTR) {
		r = xattr_back(p, n->to);
		act_as_root();
		/* The owner of a file may make it writable. */
		return r == -EACCES && st.st_uid == fsd.w->owner.uid ? xattr_back(p, n->to) : r;
	}
	r = fchownat(fd, "", (uid_t)n->other.ino, (gid_t)n->other.born, AT_EMPTY_PATH) < 0 ? -errno : 0;
	if (chmod(p, n->other.dev & 07777) < 0 && errno != EOPNOTSUPP && r == 0)
		r = -errno;
	mtime_set(fd, n->dir_mtime);
	act_as_root();
	return r;
}

static int give_back(struct run *u, const struct trash_entry *e)
{
	if (made_it(u, &e->of))
		return 1;
	if (u->dry)
		return 0;
	if (e->kind == TRASH_OVERWRITTEN || e->kind == TRASH_TRUNCATED)
		return write_back(u->sock, e, e->path, u->force);
	return put_back(u->sock, e, e->path, false, u->force, true);
}

static unsigned what_of(enum note what)
{
	switch (what) {
	case NOTE_MADE:
		return WHAT_MADE;
	case NOTE_MOVED:
		return WHAT_MOVED;
	case NOTE_EXCHANGED:
		return WHAT_EXCHANGED;
	case NOTE_ATTRS:
	case NOTE_XATTR:
		return WHAT_ATTRS;
	case NOTE_PURGED:
		return WHAT_PURGED;
	default:
		return WHAT_NOT_KEPT;
	}
}

/* Positive: there was nothing to do. */
static void one(struct run *u, const struct step *s)
{
	static struct trash_entry e;
	const struct note_rec *n = s->note;
	int r;

	if (!n) {
		if (entry_read(s->token, &e) < 0)
			return;
		r = give_back(u, &e);
		if (r <= 0)
			say(u, e.kind, r, e.path, "");
		return;
	}
	if (n->seq < u->undone)
		return;
	switch (n->what) {
	case NOTE_MADE:
		r = u->dry ? 0 : take_away(u, n);
		break;
	case NOTE_MOVED:
	case NOTE_EXCHANGED:
		r = u->dry ? 0 : move_back(u, n);
		break;
	case NOTE_ATTRS:
	case NOTE_XATTR:
		r = u->dry ? 0 : attrs_back(u, n);
		break;
	case NOTE_NOT_KEPT:
		r = -EFBIG;
		break;
	case NOTE_PURGED:
		r = -ENODATA;
		break;
	default:
		return;
	}
	u->left |= r < 0 && n->what != NOTE_NOT_KEPT && n->what != NOTE_PURGED;
	if (r <= 0)
		say(u, what_of(n->what), r, n->path, n->what == NOTE_XATTR ? xattr_of_note(n->to) : n->to);
}

static void free_run(struct run *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->v[i].note);
	free(u->v);
	free(u->made);
}

int undo_command(int sock, uint32_t id, struct ipc_frame *f)
{
	static uint8_t items[BATCH];
	static struct note_rec done;
	struct rd b = rd_init(f->body, f->len);
	char command[ID_MAX];
	struct run u = { .command = command, .sock = sock, .id = id, .w = wr_init(items, sizeof(items)) };
	uint8_t flags;
	int r;

	rd_strcpy(&b, command, sizeof(command));
	flags = rd_u8(&b);
	if (!rd_done(&b) || !id_valid(command))
		return ipc_send_err(sock, id, -EINVAL, "that is no command's id");
	u.dry = flags & DRY_RUN;
	u.force = flags & FORCE;
	if (flags & SINCE)
		u.since = checkpoint_find(command);
	if (flags & SINCE && !u.since)
		return ipc_send_err(sock, id, -ENOENT, "there is no checkpoint %s", command);
	r = gather(&u);
	if (r < 0) {
		free_run(&u);
		return ipc_send_err(sock, id, r, "reading what that command changed: %s", strerror(-r));
	}
	trash_hold(true);
	for (size_t i = 0; i < u.n; i++) {
		u.patience = TRASH_PATIENCE_MS;
		one(&u, &u.v[i]);
		if (i % DRAIN_EACH == 0)
			watch_drain(true);
	}
	trash_hold(false);
	watch_drain(true); /* before the answer: the kernel knows nothing of what was made, moved and taken away */
	if (!u.dry && u.n && !u.left) {
		done = (struct note_rec){ .what = NOTE_UNDONE, .seq = trash_seq() };
		memcpy(done.command, command, sizeof(done.command));
		journal_add(&done);
	}
	undo_forget_marks();
	u.patience = TRASH_PATIENCE_MS;
	flush(&u, true);
	free_run(&u);
	return 0;
}
