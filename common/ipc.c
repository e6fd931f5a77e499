/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over SOCK_SEQPACKET: bounds from the table before any handler. */
#include "common/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const struct msg_row {
	uint16_t num;
	uint8_t fd, who;
	uint32_t min, max;
	const char *name;
} rows[] = {
#define MSG(num, name, min, max, fd, who) { num, fd, IPC_##who, min, max, #name },
#include "common/ipc_msgs.def"
#undef MSG
};

static const struct msg_row *row_find(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].num == type)
			return &rows[i];
	return NULL;
}

const char *ipc_name(uint16_t type)
{
	const struct msg_row *r = row_find(type);

	return r ? r->name : "?";
}

int ipc_send(int sock, uint16_t type, uint16_t flags, uint32_t id, const void *body, size_t len, int fd)
{
	uint8_t head[IPC_HEADER];
	struct wr w = wr_init(head, sizeof(head));
	struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)body, len } };
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } ctl = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (len > IPC_BODY_MAX)
		return -EMSGSIZE;
	wr_u16(&w, type);
	wr_u16(&w, flags);
	wr_u32(&w, id);
	wr_u32(&w, (uint32_t)len);
	wr_u32(&w, 0);
	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = ctl.bytes;
		m.msg_controllen = sizeof(ctl.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int ipc_send_wr(int sock, uint16_t type, uint16_t flags, uint32_t id, const struct wr *w, int fd)
{
	if (w->bad)
		return -EMSGSIZE;
	return ipc_send(sock, type, flags, id, w->base, wr_len(w), fd);
}

int ipc_send_err(int sock, uint32_t id, int r, const char *fmt, ...)
{
	char words[1024];
	uint8_t body[1200];
	struct wr w = wr_init(body, sizeof(body));
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	wr_u32(&w, (uint32_t)(r < 0 ? -r : r));
	wr_str(&w, words);
	return ipc_send_wr(sock, IPC_ERR, 0, id, &w, -1);
}

/* Checks a header against the table; the body's length is what arrived behind it. */
static int check_header(const uint8_t head[IPC_HEADER], size_t body, bool has_fd, unsigned from, struct ipc_frame *f)
{
	struct rd h = rd_init(head, IPC_HEADER);
	const struct msg_row *row;
	uint32_t len, zero;

	f->type = rd_u16(&h);
	f->flags = rd_u16(&h);
	f->id = rd_u32(&h);
	len = rd_u32(&h);
	zero = rd_u32(&h);
	f->len = body;
	row = row_find(f->type);
	if (!row || zero || (f->flags & ~IPC_MORE) || len != body || !(row->who & from))
		return -EPROTO;
	if (len < row->min || len > row->max || (row->fd == 0 && has_fd) || (row->fd == 1 && !has_fd))
		return -EPROTO;
	return 1;
}

int ipc_recv_raw(const uint8_t *bytes, size_t n, int has_fd, unsigned from, struct ipc_frame *f)
{
	int r;

	f->fd = -1;
	if (n < IPC_HEADER || n - IPC_HEADER > sizeof(f->body))
		return -EPROTO;
	r = check_header(bytes, n - IPC_HEADER, has_fd != 0, from, f);
	if (r == 1)
		memcpy(f->body, bytes + IPC_HEADER, f->len);
	return r;
}

/* Takes the descriptors of a message; more than one is not ours: all are closed. */
static int take_fd(struct msghdr *m, int *ret_fd)
{
	int got = 0, fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (got++ == 0)
				fd = one;
			else
				close(one);
		}
	}
	*ret_fd = fd;
	return got > 1 || (m->msg_flags & (MSG_CTRUNC | MSG_TRUNC)) ? -EPROTO : 0;
}

int ipc_recv(int sock, unsigned from, struct ipc_frame *f)
{
	uint8_t head[IPC_HEADER];
	struct iovec iov[2] = { { head, sizeof(head) }, { f->body, sizeof(f->body) } };
	union { char bytes[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr align; } ctl;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = ctl.bytes, .msg_controllen = sizeof(ctl.bytes) };
	ssize_t n;
	int fd = -1, r;

	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	f->fd = -1;
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	r = take_fd(&m, &fd);
	if (n == 0 && fd < 0)
		return 0;
	if (r == 0)
		r = n < IPC_HEADER ? -EPROTO : check_header(head, (size_t)n - IPC_HEADER, fd >= 0, from, f);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	f->fd = fd;
	return 1;
}

int ipc_answer(int sock, struct ipc_frame *f, struct err *err)
{
	int r = ipc_recv(sock, IPC_D | IPC_W, f);

	/* Who closes with frames of ours unread is told of first; its last words still wait behind that (net/unix: sk_err). */
	if (r == -ECONNRESET)
		r = ipc_recv(sock, IPC_D | IPC_W, f);
	if (r == 0 || r == -ECONNRESET) {
		err_set(err, -ECONNRESET, "the daemon closed the connection");
		return 0;
	}
	if (r < 0)
		return err_set(err, r, "reading the daemon's answer: %s", strerror(-r));
	if (f->type == IPC_ERR) {
		struct rd b = rd_init(f->body, f->len);
		int status = (int)rd_u32(&b);
		char words[1024];

		rd_strcpy(&b, words, sizeof(words));
		if (status <= 0 || status > 4095)
			status = EPROTO;
		return err_set(err, -status, "%s", b.bad ? "unreadable error" : words);
	}
	return 1;
}

int ipc_call(int sock, uint16_t type, const struct wr *w, int fd, struct ipc_frame *f, struct err *err)
{
	int r = w ? ipc_send_wr(sock, type, 0, 1, w, fd) : ipc_send(sock, type, 0, 1, NULL, 0, fd);

	if (r < 0)
		return err_set(err, r, "asking the daemon: %s", strerror(-r));
	r = ipc_answer(sock, f, err);
	return r == 1 ? 0 : r == 0 ? -ECONNRESET : r;
}

int ipc_peer(int sock, struct ipc_cred *ret)
{
	struct ucred u;
	socklen_t n = sizeof(u);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &u, &n) < 0)
		return -errno;
	*ret = (struct ipc_cred){ u.pid, u.uid, u.gid };
	return 0;
}

static int make_addr(const char *path, struct sockaddr_un *a, struct err *err)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(a->sun_path))
		return err_set(err, -ENAMETOOLONG, "socket path \"%s\" is longer than %zu bytes: choose a shorter AGENTSH_RUN_DIR", path,
			       sizeof(a->sun_path) - 1);
	memcpy(a->sun_path, path, strlen(path) + 1);
	return 0;
}

int ipc_connect(const char *path, int *ret_fd, struct err *err)
{
	struct sockaddr_un a;
	auto_fd s = -1;
	int r = make_addr(path, &a, err);

	if (r < 0)
		return r;
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_set(err, -errno, "connecting to %s: %s", path, strerror(errno));
	*ret_fd = move_fd(&s);
	return 0;
}

int ipc_listen(const char *path, int gid, int *ret_fd, struct err *err)
{
	struct sockaddr_un a;
	auto_fd s = -1;
	int probe = -1, r = make_addr(path, &a, err);

	if (r < 0)
		return r;
	if (ipc_connect(path, &probe, NULL) == 0) {
		close(probe);
		return err_set(err, -EADDRINUSE, "%s answers already: another daemon runs there", path);
	}
	unlink(path);
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	if (fchmod(s, 0660) < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 128) < 0)
		return err_set(err, -errno, "listening on %s: %s", path, strerror(errno));
	if (chmod(path, 0660) < 0 || (gid >= 0 && chown(path, (uid_t)-1, (gid_t)gid) < 0))
		return err_set(err, -errno, "rights of %s: %s", path, strerror(errno));
	*ret_fd = move_fd(&s);
	return 0;
}

int memfd_sealed(const char *name, const void *p, size_t n, int *ret_fd)
{
	auto_fd fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < n) {
		ssize_t w = write(fd, (const char *)p + done, n - done);

		if (w < 0)
			return -errno;
		done += (size_t)w;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = move_fd(&fd);
	return 0;
}
