/* SPDX-License-Identifier: Apache-2.0 */
/* What operations leave behind for an undo: content before it changes, files that go, and names that are made or moved. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fsd/ops.h"

static struct note_rec note;
static uint64_t epoch;

void undo_forget_marks(void)
{
	epoch++;
}

/* Of one command: what carries it needs no keeping for that command any more. */
static uint64_t mark_of(const char *command)
{
	uint64_t h = (1469598103934665603ull ^ epoch) * 1099511628211ull;

	for (; *command; command++)
		h = (h ^ (uint8_t)*command) * 1099511628211ull;
	return h | 1;
}

static struct pol_verdict verdict(const struct call *c, struct pol_state st, enum pol_op op)
{
	return policy_file(fsd.policy, st, op, judge_who(c->req, st, op));
}

void undo_before(struct call *c, const struct inode *dir, const char *name, enum pol_op op)
{
	struct pol_state st = judge_state(dir, name);
	struct pol_verdict v = verdict(c, st, op);

	if (!v.undo_keep)
		v = verdict(c, st, POL_OP_DELETE);
	c->undo = v.undo_keep || v.decision == POL_SOFT_DELETE;
	if (c->undo)
		c->before = mtime_of(dir->fd);
}

/* Fills what all records have; false: it could not be found again. */
static bool begin(const struct call *c, enum note what, const struct inode *dir, const char *name)
{
	note = (struct note_rec){ .what = what };
	judge_command(c->req, note.command);
	if (inode_path(dir, name, note.path, sizeof(note.path)) < 0)
		return false;
	note.seq = trash_seq();
	return true;
}

static struct ident ident_in(const struct inode *i)
{
	return (struct ident){ ident_dev(i->dev), i->ino, i->born.tv_sec * 1000000000LL + i->born.tv_nsec };
}

void undo_made(struct call *c, const struct inode *dir, const char *name, struct inode *made, bool second_name)
{
	if (!c->undo || !begin(c, NOTE_MADE, dir, name))
		return;
	note.of = ident_in(made);
	note.other.ino = second_name;
	note.dir_mtime = c->before;
	/* It is there by now: what cannot be written is one name more that stays. */
	journal_add(&note);
	if (!second_name)
		made->kept = mark_of(note.command);
}

int undo_moved(struct call *c, const struct inode *a, const char *from, const struct inode *b, const char *to, bool exchange)
{
	int r;

	if (!c->undo || !begin(c, exchange ? NOTE_EXCHANGED : NOTE_MOVED, a, from))
		return 0;
	r = inode_path(b, to, note.to, sizeof(note.to));
	if (r == 0)
		r = ident_of(a->fd, from, &note.of, NULL);
	if (r == 0 && exchange)
		r = ident_of(b->fd, to, &note.other, NULL);
	note.dir_mtime = c->before;
	note.to_mtime = mtime_of(b->fd);
	return r == 0 ? -journal_add(&note) : -r;
}

int undo_attrs(struct call *c)
{
	struct inode *i = c->a;
	struct stat st;

	/* What was kept, or made, by this command goes back with its attributes. */
	if (!begin(c, NOTE_ATTRS, i, NULL) || i->kept == mark_of(note.command))
		return 0;
	if (fstat(i->fd, &st) < 0)
		return errno;
	if (st.st_nlink == 0) /* nobody finds it again */
		return 0;
	note.of = ident_in(i);
	note.other = (struct ident){ .dev = st.st_mode & 07777, .ino = st.st_uid, .born = st.st_gid };
	note.dir_mtime = mtime_of(i->fd);
	return -journal_add(&note);
}

static void record(struct call *c, const char *type, enum pol_op op, const char *operation, const struct trash_entry *e,
		   struct pol_state st)
{
	struct evtlog *l = fsd.w->events;
	struct pol_verdict v = verdict(c, st, op);

	judge_recorded();
	evt_begin(l, type, e->command, fuse_req_ctx(c->req)->pid);
	evt_str(l, "operation", operation);
	evt_str(l, "path", e->path);
	evt_str(l, "token", e->token[0] ? e->token : NULL);
	if (e->made_by_it)
		evt_int(l, "made_by_same_command", 1);
	evt_policy(l, pol_decision_name(v.decision), "allow", v.rule, NULL);
	evt_end(l);
}

int undo_removed(struct call *c, struct inode *dir, const char *name, enum trash_kind kind, struct trash_entry *e)
{
	struct inode *i;
	struct stat st;
	bool other; /* names of it, or opens, that stay */
	int r;

	*e = (struct trash_entry){ .kind = kind };
	r = inode_path(dir, name, e->path, sizeof(e->path));
	if (r < 0)
		return -r;
	judge_command(c->req, e->command);
	e->began = e->command[0] ? board_started(fsd.board, e->command) : 0;
	i = inode_peek(dir, name);
	other = fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
		(st.st_nlink > 1 || (i && (i->passed || i->cached)));
	r = trash_put(dir->fd, name, e);
	if (r == 0 && other)
		links_kept(&st, e->token);
	if (r == 0 && i)
		i->strayed = true; /* nobody tells of what changes in the trash */
	return -r;
}

void undo_record_removed(struct call *c, struct inode *dir, const char *name, enum pol_op op, const struct trash_entry *e)
{
	record(c, "file_soft_deleted", op, e->kind == TRASH_REPLACED ? "overwrite" : "delete", e, judge_state(dir, name));
}

int undo_xattr(struct call *c)
{
	static struct trash_entry e;
	struct stat st;
	int r;

	if (!begin(c, NOTE_XATTR, c->a, NULL) || (fstat(c->a->fd, &st) == 0 && st.st_nlink == 0))
		return 0;
	note.of = ident_in(c->a);
	r = xattr_note(c->a->fd, c->name, note.to);
	if (r != -E2BIG)
		return r == 0 ? -journal_add(&note) : -r;
	note.what = NOTE_NOT_KEPT;
	snprintf(note.to, sizeof(note.to), "%s", c->name);
	e = (struct trash_entry){ .kind = TRASH_OVERWRITTEN };
	memcpy(e.command, note.command, sizeof(e.command));
	memcpy(e.path, note.path, sizeof(e.path));
	r = journal_add(&note);
	if (r == 0)
		record(c, "file_not_kept", POL_OP_WRITE, "setxattr", &e, c->a->state);
	return -r;
}

int undo_overwrite(struct call *c, enum trash_kind kind)
{
	static struct trash_entry e;
	struct inode *i = c->a;
	struct stat st;
	uint64_t mark;
	int r;

	if (fstat(i->fd, &st) < 0)
		return errno;
	e = (struct trash_entry){ .kind = kind };
	judge_command(c->req, e.command);
	mark = mark_of(e.command);
	if (!S_ISREG(st.st_mode) || st.st_nlink == 0 || i->kept == mark)
		return 0;
	r = inode_path(i, NULL, e.path, sizeof(e.path));
	if (r == 0)
		r = preimage_take(i->fd, &e);
	if (r == -EFBIG) {
		e.token[0] = 0;
		note = (struct note_rec){ .what = NOTE_NOT_KEPT, .seq = trash_seq() };
		snprintf(note.command, sizeof(note.command), "%s", e.command);
		snprintf(note.path, sizeof(note.path), "%s", e.path);
		r = journal_add(&note);
	}
	if (r < 0)
		return -r;
	i->kept = mark;
	record(c, e.token[0] ? "file_kept" : "file_not_kept", POL_OP_WRITE, kind == TRASH_TRUNCATED ? "truncate" : "overwrite", &e,
	       i->state);
	return 0;
}
