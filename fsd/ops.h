/* SPDX-License-Identifier: Apache-2.0 */
/* Between ops.c (names, attributes) and ops_io.c (opens, data, directories). */
#ifndef FSD_OPS_H
#define FSD_OPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fsd/fsd.h"

#define IO_MAX (1u << 20)

struct inode *ino_of(fuse_ino_t ino);
void as_caller(fuse_req_t req);        /* this thread's file-system ids become the caller's */
void as_self(void);
int entry_of(struct inode *dir, const char *name, struct fuse_entry_param *e);
void proc_path(int fd, char out[40]);
void strip(const char *p);             /* a program whose content changes loses the rights that its old content was given */

/* ops_dev.c. A file handle is the descriptor, and how it is served. */
#define FH_PASSED (1ull << 32)
static inline int fh_fd(uint64_t fh) { return (int)(fh & 0xffffffff); }
int dev_attach(int fd);
/* Answers an open (e: a create) and takes fd over. */
void dev_reply_open(fuse_req_t req, struct inode *i, int fd, struct fuse_file_info *fi, const struct fuse_entry_param *e);
void dev_release(struct inode *i, uint64_t fh);

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t off, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);

#endif
