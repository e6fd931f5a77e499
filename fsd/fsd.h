/* SPDX-License-Identifier: Apache-2.0 */
/* What fsd's files share: the served trees, inodes, judgement, quarantine. One thread: the worker's loop. */
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
	long cpus;
	struct fuse_session *se;
	bool ending;                   /* nobody is asked any more */
	bool trash_only;               /* for a session that has ended */
};
extern struct fsd fsd;

/* inode.c. get: the inode of name in dir (a new reference for the kernel), or negative errno. */
int inode_get(struct inode *dir, const char *name, struct inode **ret, struct stat *st);
void inode_limit(size_t n);        /* how many descriptors inodes may keep open */
int inode_fd(struct inode *i);     /* i->fd, good until many others were asked for; or -ESTALE: it is not where it was */
struct inode *inode_peek(struct inode *dir, const char *name); /* the one that is known there, or NULL; no reference */
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

/* quarantine.c */
int trash_open(void);
/* made_by_it: the command that deletes it made it, too. */
int trash_put(struct inode *dir, const char *name, const char *path, const char *command, bool made_by_it, char token[33]);
int trash_undo(struct inode *dir, const char *name, const char *token); /* what was put there a moment ago */
bool trash_name(const struct inode *dir, const char *name); /* agentsh's own: nobody makes, moves or removes it */
int trash_list(int sock, uint32_t id);
int trash_restore(int sock, uint32_t id, struct ipc_frame *f);

/* mount.c */
int mount_make(struct worker *w, uint32_t id, struct err *err);

struct fuse_session *ops_session(void);

#endif
