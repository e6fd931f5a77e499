/* SPDX-License-Identifier: Apache-2.0 */
/* What the ops files share. ops.c receives, ops_name.c, ops_io.c and ops_attr.c do, ops_hold.c keeps what waits for a person, ops_dev.c is
 * the device. Errors below are positive errno, as FUSE answers them. */
#ifndef FSD_OPS_H
#define FSD_OPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fsd/trash.h"

#define IO_MAX (1u << 20)
#define GRANTS_MAX 8 /* questions within one operation; one more is refused */
#define OPEN_EXEC 0x20 /* in the flags of an open by execve; user space cannot set it */
#define HELD (-1)    /* the operation waits for a person: answer nothing now */

/* An answer: what rule was asked about, for which inode, under which name of the call (0 none, 1 name, 2 to). */
struct grant { const char *rule; const struct inode *i; int name; bool allow; };

/* One judged operation, complete enough to be run again from its start once a question is answered. */
struct call {
	fuse_req_t req;
	int (*run)(struct call *c);    /* 0: answered; errno: to be answered; HELD */
	struct inode *a, *b;
	const char *name, *to;
	mode_t mode;
	dev_t dev;
	unsigned flags;                /* of a rename or of an attribute */
	const char *value;             /* of an attribute: size bytes; or of what size the answer may be */
	size_t size;
	int which;                     /* of attr */
	bool by_fd;                    /* asked for through an open file */
	int fd;                        /* what a creation opened */
	struct stat attr;
	struct fuse_file_info fi;
	bool undo;                     /* names that it makes or moves are noted; then before: when the directory had changed last */
	int64_t before;
	unsigned judged, told;         /* judgements of this run; those that an earlier run recorded */
	unsigned n_grants;
	struct grant grants[GRANTS_MAX];
	uint64_t question;
	struct loop_timer *watch;
};

/* judge.c. 0 allowed (*ret_keep: what it destroys is to be kept), else the errno to answer or HELD; records what the policy says to.
 * dir+name, or i with name NULL. */
int judge(struct call *c, struct inode *i, const char *name, enum pol_op op, const char *event, bool *ret_keep);
void judge_recorded(void); /* after an operation is answered, and before anything else is recorded: nothing is left to record */
struct pol_state judge_state(const struct inode *dir, const char *name);
/* Who asks; found out only where the verdict depends on it. */
struct pol_who judge_who(fuse_req_t req, struct pol_state st, enum pol_op op);
void judge_command(fuse_req_t req, char out[ID_MAX]); /* the command that asks; "" alone */
/* What the judgement that was HELD last wants to know. */
struct ask { char path[8192], command[ID_MAX], message[1024]; const char *rule; uint64_t timeout_ms; };
extern struct ask judge_ask;

/* acl.c. What an ACL of the host refuses the caller (mask: R_OK ...): 0 or errno. */
bool acl_wanted(int tree);             /* whether fsd.acls is to be, by the directory tree */
int acl_refuses(fuse_req_t req, struct inode *i, int mask);
bool acl_new(struct inode *i); /* looked at anew, i carries an ACL that was not there */

/* ops_hold.c */
void call_run(struct call *c);

/* ops.c */
struct inode *ino_of(fuse_ino_t ino);
/* With the caller's file-system ids and umask; make is as a system call. 0 or errno. */
int as_caller(struct call *c, int (*make)(struct call *c));
int entry_of(struct inode *dir, const char *name, struct fuse_entry_param *e); /* 0 or -errno; one more reference */
/* name in dir is i; dir NULL: a tree's root. */
void entry_fill(struct fuse_entry_param *e, struct inode *dir, const char *name, struct inode *i, const struct stat *st);
void reply_entry(fuse_req_t req, const struct fuse_entry_param *e);
void proc_path(int fd, char out[40]);
/* Of a session: a program whose content may change loses the rights that its old content was given at once. Alone, the kernel takes them
 * off with the change itself. */
void strip(const char *p);
mode_t mode_kept(mode_t type); /* which mode bits may be given to a file of this type */

/* ops_dev.c. A file handle is the descriptor, and how it is served. */
#define FH_PASSED (1ull << 32)
static inline int fh_fd(uint64_t fh) { return (int)(fh & 0xffffffff); }
int dev_attach(int fd);
#define UNNAMED "/" /* the name under which op_create is asked for a file without one */
bool dev_statx(const void *request, size_t n); /* a request that the library does not know; false: it does */
bool dev_expires(void); /* the kernel can be told to ask again for an entry, and to keep what is mounted below */
/* Answers an open (e: a create) and takes fd over. */
void dev_reply_open(fuse_req_t req, struct inode *i, int fd, struct fuse_file_info *fi, const struct fuse_entry_param *e);
void dev_release(struct inode *i, uint64_t fh);

/* sync.c. start: once rights are dropped and before the filter, which refuses threads. later: answers req when fd's content (data) or all
 * of it is on the disk; keeps its own descriptor. */
void sync_start(void);
void sync_later(fuse_req_t req, int fd, bool data);
/* ops_undo.c. Errors are positive errno: then the operation is refused. */
/* Before a name in dir is made or moved: whether that is noted. */
void undo_before(struct call *c, const struct inode *dir, const char *name, enum pol_op op);
void undo_made(struct call *c, const struct inode *dir, const char *name, struct inode *made, bool second_name);
int undo_moved(struct call *c, const struct inode *a, const char *from, const struct inode *b, const char *to, bool exchange);
/* The name goes to the trash; then, when it has happened, the record of it. */
int undo_removed(struct call *c, struct inode *dir, const char *name, enum trash_kind kind, struct trash_entry *e);
void undo_record_removed(struct call *c, struct inode *dir, const char *name, enum pol_op op, const struct trash_entry *e);
/* Before c->a's mode, owner or times change by a rule with undo: keep; before its attribute c->name does. */
int undo_attrs(struct call *c);
int undo_xattr(struct call *c);
/* Before c->a's content changes: it is kept, once for each command. */
int undo_overwrite(struct call *c, enum trash_kind kind);

/* ops_name.c */
int do_mkdir(struct call *c);
int do_mknod(struct call *c);
int do_symlink(struct call *c); /* to: the text */
int do_link(struct call *c);    /* a: the file; b, name: the new name */
int do_unlink(struct call *c);
int do_rmdir(struct call *c);
int do_rename(struct call *c);

/* ops_io.c */
int do_open(struct call *c);
int do_create(struct call *c);
int do_tmpfile(struct call *c);
int do_opendir(struct call *c);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
int dir_fd(struct inode *i, uint64_t fh); /* of an open directory, or -errno */
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);


/* ops_attr.c */
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi, unsigned flags, const void *in,
	      size_t in_size, size_t out_size);

#endif
