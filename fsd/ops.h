/* SPDX-License-Identifier: Apache-2.0 */
/* What the ops files share. ops.c receives, ops_name.c and ops_io.c do, ops_hold.c keeps what waits for a person, ops_dev.c is the device.
 * Errors below are positive errno, as FUSE answers them. */
#ifndef FSD_OPS_H
#define FSD_OPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fsd/fsd.h"

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
	unsigned flags;                /* of a rename */
	int which;                     /* of attr */
	bool by_fd;                    /* asked for through an open file */
	int fd;                        /* what a creation opened */
	struct stat attr;
	struct fuse_file_info fi;
	unsigned judged, told;         /* judgements of this run; those that an earlier run recorded */
	unsigned n_grants;
	struct grant grants[GRANTS_MAX];
	uint64_t question;
	struct loop_timer *watch;
};

/* judge.c. 0 allowed (soft: *ret_soft set), else the errno to answer or HELD; records what the policy says to.
 * dir+name, or i with name NULL. */
int judge(struct call *c, struct inode *i, const char *name, enum pol_op op, const char *event, bool *ret_soft);
void judge_recorded(void); /* after an operation is answered, and before anything else is recorded: nothing is left to record */
struct pol_state judge_state(const struct inode *dir, const char *name);
/* Who asks; found out only where the verdict depends on it. */
struct pol_who judge_who(fuse_req_t req, struct pol_state st, enum pol_op op);
/* What the judgement that was HELD last wants to know. */
struct ask { char path[8192], command[ID_MAX], message[1024]; const char *rule; uint64_t timeout_ms; };
extern struct ask judge_ask;

/* acl.c. What an ACL of the host refuses the caller (mask: R_OK ...): 0 or errno. */
int acl_refuses(fuse_req_t req, struct inode *i, int mask);
bool acl_new(struct inode *i); /* looked at anew, i carries an ACL that was not there */

/* ops_hold.c */
void call_run(struct call *c);

/* ops.c */
struct inode *ino_of(fuse_ino_t ino);
int as_caller(struct call *c, int (*make)(struct call *c)); /* with the caller's file-system ids; make is as a system call. 0 or errno */
int entry_of(struct inode *dir, const char *name, struct fuse_entry_param *e); /* 0 or -errno; one more reference */
void reply_entry(fuse_req_t req, const struct fuse_entry_param *e);
void proc_path(int fd, char out[40]);
void strip(const char *p); /* a program whose content changes loses the rights that its old content was given */

/* ops_dev.c. A file handle is the descriptor, and how it is served. */
#define FH_PASSED (1ull << 32)
static inline int fh_fd(uint64_t fh) { return (int)(fh & 0xffffffff); }
int dev_attach(int fd);
bool dev_expires(void); /* the kernel can be told to ask again for an entry, and to keep what is mounted below */
/* Answers an open (e: a create) and takes fd over. */
void dev_reply_open(fuse_req_t req, struct inode *i, int fd, struct fuse_file_info *fi, const struct fuse_entry_param *e);
void dev_release(struct inode *i, uint64_t fh);

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
int do_opendir(struct call *c);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);

#endif
