/* SPDX-License-Identifier: Apache-2.0 */
/* What fsd's files share: the served trees, inodes, judgement, quarantine. One thread, the worker's loop; those of sync.c wait
 * for the disk and know nothing of it. */
#ifndef FSD_FSD_H
#define FSD_FSD_H

#include <sys/stat.h>

#include "common/approve.h"
#include "common/board.h"
#include "common/daemon.h"
#include "policy/generation.h"

#define TREES_MAX 64
#define INODE_BUCKETS 65536
#define NODE_NAME_MAX 255
#define ENTRY_MS 1000      /* how long the kernel may keep an answer of which nothing would tell that it is no longer right */
#define WATCHED_MS 3600000 /* and one of which something would */

struct inode {
	struct inode *next;            /* hash chain */
	struct inode *parent;          /* for showing a path only; NULL: a tree's root. Held by a reference */
	char *name;
	int fd;                        /* O_PATH; -1: closed for room, inode_fd opens it again */
	struct inode *same_name;       /* chain of names.c */
	struct absent *absent;         /* names that the kernel was told are not here */
	struct watch *watch;           /* of a directory whose changes are told */
	struct inode *older, *newer;   /* those with a descriptor that may be closed, by use */
	dev_t dev;
	ino_t ino;
	struct timespec born;          /* a number may be given to another file while the descriptor is closed */
	struct pol_state state;        /* of the generation that is in use: see inode_rejudge */
	struct inode *below;           /* within inode_rejudge */
	uint64_t judged;               /* number of the generation that state is of */
	uint64_t lookups, refs;        /* kernel's references; children that point here */
	int tree;
	uint32_t passed, cached;       /* opens whose data the kernel moves by itself; opens through our reads and writes: never both */
	uint64_t kept;                 /* the command for which the content was kept, or that made it: ops_undo.c */
	int backing;                   /* the kernel's number for the passed file */
	struct sig { struct timespec mtime, ctime; off_t size; } sig; /* at the last cached open */
	time_t acl_looked;             /* when acl was found out */
	bool acl, acl_told;            /* the file carries one; a change of that is told */
	uint32_t told;                 /* of the attributes that the kernel was given last, what tells them from others */
	bool dir, link;
	bool unwatched;                /* a directory that cannot be watched */
	bool several;                  /* names, when its attributes were looked at last */
	bool strayed;                  /* somebody else took it away from its name, or it lies in the trash */
	bool lasting;                  /* the kernel may keep its entry for WATCHED_MS */
	bool left;                     /* a link that an earlier generation showed: never met again, for the kernel keeps its text */
	bool unlinked;                 /* its last known name was removed through us */
	bool settled;                  /* sig was old enough then to tell a later change */
};

struct tree { char path[4096]; int fd; struct inode *root; };

struct fsd {
	struct worker *w;
	struct generation *gen;
	struct policy *policy;         /* of gen */
	struct update update;
	struct board *board;
	struct approve *approve;
	char workspace[4096];
	struct tree trees[TREES_MAX];
	size_t n_trees;
	struct inode *table[INODE_BUCKETS];
	dev_t ws_dev, hide_dev[3];
	ino_t ws_ino, hide_ino[3];
	const char *hide_name[3];      /* the last part of their path */
	size_t n_hide;
	int trash;                     /* directory of what was deleted */
	int lease;
	int cpus;                      /* on which we may run */
	struct fuse_session *se;
	bool ending;                   /* nobody is asked any more */
	bool trash_only;               /* for a session that has ended */
	bool acls;                     /* ACLs are shown and may be set; else they are only obeyed */
	bool alone;                    /* one tree for any program of the host, with the rights that it has there; board is NULL */
};
extern struct fsd fsd;

/* inode.c. get: the inode of name in dir (a new reference for the kernel), or negative errno. */
int inode_get(struct inode *dir, const char *name, struct inode **ret, struct stat *st);
/* The same for a file without a name that was opened in dir as fd, which stays the caller's; it is judged as if it were called name. */
int inode_unnamed(struct inode *dir, const char *name, int fd, struct inode **ret, struct stat *st);
void inode_limit(size_t n);        /* how many descriptors inodes may keep open */
int inode_fd(struct inode *i);     /* i->fd, good until many others were asked for; or -ESTALE: it is not where it was */
struct inode *inode_peek(struct inode *dir, const char *name); /* the one that is known there, or NULL; no reference */
/* Whether the file has other names that are judged otherwise, each an inode to the kernel: what is done by one must show by the others,
 * so that the kernel is to remember attributes of none. */
bool inode_twin(const struct inode *i);
void inode_forget(struct inode *i, uint64_t n);
bool inode_hidden(const struct stat *st); /* a directory of agentsh's own: nothing below it is served or changed */
void inode_unref(struct inode *i); /* gives back one of refs */
struct inode *inode_root(int tree, int fd, struct pol_state state);
void inode_moved(struct inode *i, struct inode *dir, const char *name, struct pol_state state);

/* Somebody else gave i another name, or (dir NULL) none that is served. */
void inode_taken(struct inode *i, struct inode *dir, const char *name);
/* Somebody else removed the name of i: nothing of a file is held that is not open. */
void inode_let_go(struct inode *i);
/* Calls fn for all that have a name in buckets from *at on, until fn returns false; then *at is where to go on. true: all were seen. */
bool inode_each(size_t *at, bool (*fn)(struct inode *i));

/* Where the automaton of fsd.gen stands at each inode that is known: after fsd.gen was replaced, before anything is judged. */
void inode_rejudge(void);
/* State of the tree's root. */
struct pol_state tree_state(int tree);

/* judge.c. The host's name, for records. -ENAMETOOLONG: out holds its end behind "...". */
int inode_path(const struct inode *i, const char *name, char *out, size_t cap);

/* update.c: another policy */
void update_start(struct generation *first);
int update_request(int sock, const struct ipc_frame *f); /* -ENOSYS: nothing of this file's */
void update_client_gone(int sock);
void update_on_lease(void *arg, int fd, uint32_t events);

/* ops_undo.c: all content is kept again before it changes, also by a command for which it was */
void undo_forget_marks(void);

/* links.c. kept: a name of this file, not its only one or of an open file, went to the trash. seen: how many of n names are left. */
void links_kept(const struct stat *st, const char *token);
nlink_t links_seen(dev_t dev, ino_t ino, nlink_t n);

/* names.c: the inode that is known under a name, NULL if none; and the names that the kernel was told are not there. */
void names_in(struct inode *i);
void names_out(struct inode *i);
struct inode *names_find(const struct inode *dir, const char *name);
bool names_absent(struct inode *dir, const char *name); /* notes it; false: out of memory */
void names_forget(struct inode *dir);                   /* dir goes */
/* Calls fn for each absent name. */
void names_each_absent(void (*fn)(struct inode *dir, const char *name));

/* watch.c: what others than us change below the served trees. start: once, before rights are dropped; without it nothing is watched. */
void watch_start(void);
/* Changes in dir from now on are seen. true: only from now on, what was known of dir itself may have changed before. */
bool watch_dir(struct inode *dir);
void watch_end(struct inode *dir);
bool watch_tells(const struct inode *i); /* changes of i's attributes are seen, unless it has several names */
/* Sees to all changes that were made before this call, those of our own process only if it is said to: of what was not done for a request
 * that the kernel made, it does not know. */
void watch_drain(bool own);
/* An open found i so: what the kernel has of another state, however it came to be, ends before the open does; of a file that is passed
 * through, in any case. */
void watch_opened(struct inode *i, const struct stat *st);
/* How long the kernel may keep attributes of i, the entry of name in dir (i NULL: that there is none). */
double watch_attr_seconds(struct inode *i, const struct stat *st);
double watch_entry_seconds(struct inode *dir, const char *name, struct inode *i, const struct stat *st);

/* tell.c: takes answers back that the kernel keeps. By threads, for the kernel waits for a directory's lock, which is held by who waits
 * for us. Each is said again after a second: one that met an answer just before the kernel had put it in place did nothing. */
int tell_start(void);                                   /* after rights are dropped, before the filter */
void tell_entry(struct inode *dir, const char *name);   /* what name is there must be asked again; mounts below stay */
void tell_inode(struct inode *i);                       /* attributes, content, list of names */
void tell_now(struct inode *i);                         /* attributes, without a thread: of an inode that a request holds */
void tell_all(void);                                    /* every entry, now and after a second */
void tell_lost(void);                                   /* and all attributes: what changed is not known */
bool tell_done(void);                                   /* nothing is left to say */

/* mount.c */
int mount_make(struct worker *w, uint32_t id, struct err *err);

struct fuse_session *ops_session(void);

#endif
