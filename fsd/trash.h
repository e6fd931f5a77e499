/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of what commands destroyed, and the way back. Errors are negative errno. All lies in one directory (fsd.trash) on the
 * workspace's own mount, which no session sees:
 *
 *     TOKEN.ok    a symbolic link whose text is the index entry: made with its content at once, journalled as names are
 *     TOKEN       the data: the very file that was removed or replaced, or a copy of what was overwritten
 *     TOKEN.part  a copy that is not whole yet
 *     journal     names that were made and moved: journal.c
 *
 * An entry without data is pending: what it announces has not happened. Entry first, then the data under its name: that commits it. Back:
 * the data first, then the entry. So a worker that dies anywhere leaves a file in its place or in the trash. */
#ifndef FSD_TRASH_H
#define FSD_TRASH_H

#include "fsd/fsd.h"

#define TOKEN_LEN 32
#define TOKEN_CAP (TOKEN_LEN + 1)
#define TRASH_RECOVERED "recovered" /* instead of a command: data that a start found without an entry */
#define PATH_CAP 3800             /* of a path that is kept, with its end: what a link's text holds beside the rest */
#define PREIMAGE_MAX (64u << 20)  /* bytes that are copied before a file is overwritten; a clone may be of any size */

/* Letters of the index; numbers of IPC_TRASH_KIND. ASIDE: what an undo or a forced restore found in the way. */
enum trash_kind { TRASH_DELETED, TRASH_REPLACED, TRASH_OVERWRITTEN, TRASH_TRUNCATED, TRASH_ASIDE, TRASH__COUNT };

/* One file for as long as it lives; dev 0: the trash's own file system, whatever number it has since the last start. */
struct ident { uint64_t dev, ino; int64_t born; };
struct trash_entry {
	char token[TOKEN_CAP];
	enum trash_kind kind;
	bool made_by_it;          /* the command that removed it made it, too */
	uint64_t seq;             /* nanoseconds since 1970, never the same twice */
	uint64_t began;           /* when the command began, 0 not known: in only, for made_by_it */
	struct ident of;          /* of the file that this was, or the content of which it was */
	int64_t dir_mtime;        /* of its directory before, nanoseconds */
	char command[ID_MAX];     /* "": not known */
	char path[PATH_CAP];
};

/* ident.c */
int ident_of(int fd, const char *name, struct ident *ret, struct stat *ret_st); /* fd itself with name "" */
uint64_t ident_dev(dev_t dev);
bool ident_same(const struct ident *a, const struct ident *b);
int64_t mtime_of(int fd);                         /* nanoseconds; 0: not known, and mtime_set then does nothing */
void mtime_set(int fd, int64_t at);

/* store.c: the index. */
int trash_open(void);
bool trash_name(const struct inode *dir, const char *name); /* agentsh's own: nobody makes, moves or removes it */
uint64_t trash_seq(void);
uint64_t trash_bytes(const struct stat *st);      /* what it counts for, never 0 */
/* Moves name out of the directory into the trash; *e has kind, command, began and path, and gets the rest. */
int trash_put(int dir, const char *name, struct trash_entry *e);
int trash_undo_put(int dir, const char *name, const struct trash_entry *e); /* what was put there a moment ago */
/* An entry for size bytes whose data the caller brings: token and seq are made. -EDQUOT: more than all that may be kept. */
int entry_begin(struct trash_entry *e, uint64_t size);
void entry_kept(const struct trash_entry *e, uint64_t size);     /* its data is there: it counts */
void entry_drop(const char *token, uint64_t size);               /* its data is gone; size 0: it never counted */
int entry_read(const char *token, struct trash_entry *ret);      /* -ENOENT, -EBADMSG */
struct trash_iter { void *dir; };
int entries_begin(struct trash_iter *it);
bool entries_next(struct trash_iter *it, struct trash_entry *ret, struct stat *ret_st); /* those with data; false: the end, closed */
void entries_end(struct trash_iter *it);
int trash_purge(uint32_t id, int sock, struct ipc_frame *f);
void trash_hold(bool hold);                /* nothing is purged to make room meanwhile: what is given back is old */
int trash_limits(struct ipc_frame *f);                           /* SET_TRASH */

/* xattr.c */
int xattrs_copy(int from, int to);  /* those that a session is served, onto a file that has none */
/* What attribute name of the file that fd holds is, or that there is none, as text. -E2BIG: too large for a note. */
int xattr_note(int fd, const char *name, char out[PATH_CAP]);
const char *xattr_of_note(const char *note);                     /* the name in it */
int xattr_back(const char *path, const char *note);

/* preimage.c */
/* Keeps the content of the file that fd (O_PATH will do) holds, before it changes; *e as for trash_put. -EFBIG: too large to copy. */
int preimage_take(int fd, struct trash_entry *e);
/* Content of from into to, which is empty: a clone, else a copy of at most max bytes (-EFBIG). */
int content_copy(int from, int to, uint64_t max);

/* journal.c: names that were made and moved, what could not be kept and what is gone; appended, bounded (the older half goes). */
enum note {
	NOTE_MADE = 'm', NOTE_MOVED = 'v', NOTE_EXCHANGED = 'x', NOTE_ATTRS = 'o', NOTE_XATTR = 'e',
	NOTE_NOT_KEPT = 'k', NOTE_PURGED = 'p', NOTE_UNDONE = 'u',
	NOTE_CHECKPOINT = 'c', NOTE_NO_CHECKPOINT = 'n',   /* command: the checkpoint's id; path: its reason */
};
struct note_rec {
	enum note what;
	uint64_t seq;
	struct ident of, other;           /* other: the second of an exchange; attributes: mode, uid, gid; ino 1: a second name;
					   * purged: ino is its seq */
	int64_t dir_mtime, to_mtime;      /* of the directories before; attributes: of the file */
	char command[ID_MAX], path[PATH_CAP];
	char to[PATH_CAP];                /* also: an attribute as it was (xattr.c); of what was not kept, its name */
};
int journal_open(void);
int journal_add(const struct note_rec *n);
typedef int (*journal_fn)(void *arg, const struct note_rec *n);
int journal_read(journal_fn fn, void *arg);

/* quarantine.c: putting back with the rights of the session's owner, who asks on sock. */
void act_as_owner(int sock);
void act_as_root(void);
/* The tree and the rest of path below it: -EINVAL when it is below none. */
int place_of(const char *path, bool workspace_only, int *ret_tree, const char **ret_rel);
/* O_PATH descriptor of the directory of rel, walked as the owner; missing ones are made when make is set. */
int parent_of(int tree, const char *rel, bool make, const char **ret_last);
/* Whether the owner may change names there; over is what stands there already, or NULL. As the owner. */
int may_place(int dir, const struct stat *over);
/* Gives back the data of e at path. force: what stands there goes to the trash first; times: the directory gets the one that it had. */
int put_back(int sock, const struct trash_entry *e, const char *path, bool workspace_only, bool force, bool times);
int trash_list(int sock, uint32_t id);
int trash_restore(int sock, uint32_t id, struct ipc_frame *f);
/* One frame on a socket that does not block. patience: how long the reader may still keep us waiting, in milliseconds; what this call
 * waited is taken off. 0, -ETIMEDOUT, or what sending gave. */
#define TRASH_PATIENCE_MS 5000
int trash_send(int sock, uint16_t flags, uint32_t id, const struct wr *b, uint64_t *patience);

/* checkpoint.c: a point in time to which all that was noted and kept since is taken back. */
int checkpoint_set(int sock, uint32_t id, struct ipc_frame *f);
int checkpoint_list(int sock, uint32_t id);
uint64_t checkpoint_find(const char *id);                        /* its seq, 0: there is none */

/* undo.c */
int undo_command(int sock, uint32_t id, struct ipc_frame *f);
/* The content of e into the file it was of, when that still stands at path; else as put_back. */
int write_back(int sock, const struct trash_entry *e, const char *path, bool force);

#endif
