/* SPDX-License-Identifier: Apache-2.0 */
/* One protocol for every socket: SOCK_SEQPACKET frames, 16-byte header {u16 type, u16 flags, u32 id, u32 body length, u32 0},
 * little-endian, at most one descriptor each. ipc_msgs.def bounds every message; ipc_recv enforces that before a handler sees it. */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/wire.h"

#define IPC_BODY_MAX 65000
#define IPC_HEADER 16
#define IPC_TRASH_KIND 24 /* bits 24-27 there: 0 deleted, 1 replaced by a rename, 2 overwritten, 3 truncated, 4 put aside by an undo */
#define IPC_TRASH_MADE_BY_IT (1u << 31) /* in the mode of a TRASH_LIST entry: a passing file of the command that deleted it */
enum { IPC_MORE = 1 };                              /* flag: another frame of the same answer follows */

enum ipc_type {
#define MSG(num, name, min, max, fd, who) IPC_##name = (num),
#include "common/ipc_msgs.def"
#undef MSG
};
enum ipc_sender { IPC_C = 1, IPC_D = 2, IPC_W = 4, IPC_DW = 6 };

struct ipc_frame {
	uint16_t type, flags;
	uint32_t id;
	size_t len;
	int fd;                                     /* -1 or owned by the caller of ipc_recv */
	uint8_t body[IPC_BODY_MAX];
};

const char *ipc_name(uint16_t type);
/* Sends one frame; fd -1 for none (kept by the caller). Blocks unless the socket is non-blocking (-EAGAIN). No SIGPIPE. */
int ipc_send(int sock, uint16_t type, uint16_t flags, uint32_t id, const void *body, size_t len, int fd);
/* Sends what a writer holds; -EMSGSIZE when the writer went bad. */
int ipc_send_wr(int sock, uint16_t type, uint16_t flags, uint32_t id, const struct wr *w, int fd);
/* ERR{-status, words}. */
int ipc_send_err(int sock, uint32_t id, int r, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Reads one frame that `from` (mask of ipc_sender) may send. 1 = got one; 0 = peer closed; -EAGAIN; -EPROTO = not ours: close.
 * f->fd is -1 or handed over; on any other return nothing is. */
int ipc_recv(int sock, unsigned from, struct ipc_frame *f);
int ipc_recv_raw(const uint8_t *bytes, size_t n, int has_fd, unsigned from, struct ipc_frame *f); /* pure half, for fuzzing */
/* Blocking: reads until the answer; ERR becomes err + negative errno. Gives OK / other frames back as 1; 0 = peer died (err set). */
int ipc_answer(int sock, struct ipc_frame *f, struct err *err);
/* Request and final answer in one; body may be NULL. 0, or negative errno with err set. */
int ipc_call(int sock, uint16_t type, const struct wr *w, int fd, struct ipc_frame *f, struct err *err);

struct ipc_cred { pid_t pid; uid_t uid; gid_t gid; };
int ipc_peer(int sock, struct ipc_cred *ret);
/* Listens on path (mode 0660, gid when >= 0), replacing a dead socket; refuses to replace one that answers (-EADDRINUSE). */
int ipc_listen(const char *path, int gid, int *ret_fd, struct err *err);
int ipc_connect(const char *path, int *ret_fd, struct err *err);
/* Sealed memfd (all seals) holding n bytes. */
int memfd_sealed(const char *name, const void *p, size_t n, int *ret_fd);

#endif
