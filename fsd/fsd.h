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
#define ENTRY_MS 1000      /* how long the kernel may keep what look-up answered: the host's editor may change what is below */

struct inode {
	struct inode *next;            /* hash chain */
	struct inode *parent;          /* for showing a path only; NULL: a tree's root. Held by a reference */
	char *name;
	int fd;                        /* O_PATH; -1: closed for room, inode_fd opens it again */
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
	bool acl;                      /* the file carries one */
	bool dir, link;
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
/* The host's name, for records. -ENAMETOOLONG: out holds its end behind "...". */
int inode_path(const struct inode *i, const char *name, char *out, size_t cap);
void inode_moved(struct inode *i, struct inode *dir, const char *name, struct pol_state state);

/* Where the automaton of fsd.gen stands at each inode that is known: after fsd.gen was replaced, before anything is judged. */
void inode_rejudge(void);
/* State of the tree's root. */
struct pol_state tree_state(int tree);

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

/* mount.c */
int mount_make(struct worker *w, uint32_t id, struct err *err);

struct fuse_session *ops_session(void);
void ops_stale(struct inode *i);   /* what attributes of it the kernel remembers are good no more */

#endif
