/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a waiting exec asks for, from the target's memory, bounded; and what runs, at the exec stop. Files are touched by
 * O_PATH only: an open for reading could wait for fsd, and with it the whole session's judge. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "common/str.h"
#include "execd/execd.h"

#define CHUNK 4096
#define PROC_HOPS 8

void facts_fini(struct exec_facts *f)
{
	for (size_t i = 0; f->argv && i < f->argc; i++)
		free(f->argv[i]);
	free(f->argv);
	f->argv = NULL;
	f->argc = 0;
}

/* Reads up to n bytes, page by page, so that a string near an unmapped page is still read. */
static ssize_t peek(pid_t pid, uint64_t at, void *out, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t part = CHUNK - ((at + done) & (CHUNK - 1));
		struct iovec to = { (char *)out + done, part < n - done ? part : n - done };
		struct iovec from = { (void *)(uintptr_t)(at + done), to.iov_len };
		ssize_t r = process_vm_readv(pid, &to, 1, &from, 1, 0);

		if (r <= 0)
			return done ? (ssize_t)done : -errno;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

/* A string of less than max bytes; 0 or negative errno. *ret is owned by the caller. */
static int peek_str(pid_t pid, uint64_t at, size_t max, char **ret, size_t *ret_len)
{
	size_t cap = 256, len = 0;
	char *s = NULL;

	for (;;) {
		char *bigger = realloc(s, cap + 1);
		const char *nul;
		ssize_t n;

		if (!bigger)
			break;
		s = bigger;
		n = peek(pid, at + len, s + len, cap - len);
		if (n <= 0)
			break;
		nul = memchr(s + len, 0, (size_t)n);
		if (nul) {
			*ret_len = (size_t)(nul - s);
			*ret = s;
			return 0;
		}
		len += (size_t)n;
		if (len < cap || len >= max)
			break;
		cap = cap * 4 < max ? cap * 4 : max;
	}
	free(s);
	return len >= max ? -E2BIG : -EFAULT;
}

static int peek_argv(pid_t pid, uint64_t at, struct exec_facts *f)
{
	size_t bytes = 0, cap = 16;

	f->argv = calloc(cap + 1, sizeof(char *));
	f->argc = 0;
	if (!f->argv)
		return -ENOMEM;
	for (; at; at += 8) {
		uint64_t p;
		size_t len;
		int r;

		if (peek(pid, at, &p, sizeof(p)) != sizeof(p))
			return -EFAULT;
		if (!p)
			break;
		if (f->argc == ARGV_MAX)
			return -E2BIG;
		if (f->argc == cap) {
			char **more = realloc(f->argv, (cap * 4 + 1) * sizeof(char *));

			if (!more)
				return -ENOMEM;
			f->argv = more;
			cap *= 4;
		}
		r = peek_str(pid, p, ARGV_BYTES_MAX - bytes, &f->argv[f->argc], &len);
		if (r < 0)
			return r;
		f->argc++;
		bytes += len + 1;
	}
	f->argv[f->argc] = NULL;
	return 0;
}

static int ns_pid(pid_t pid)
{
	char path[64], line[256];
	uint64_t v;
	int r = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "NSpid:", 6)) {
			const char *last = strrchr(line, '\t');

			if (last && str_lead_u64(last + 1, INT32_MAX, &v) == 0)
				r = (int)v;
		}
	if (f)
		fclose(f);
	return r;
}

/* /proc/self/exe, /proc/self/fd/N and their kin name no directory entry: the kernel jumps. Gives the host's name of the same jump. */
static bool magic_link(pid_t pid, const char *path, char *out, size_t cap)
{
	static const char *const self[] = { "/proc/self/", "/proc/thread-self/", "/dev/fd/" };
	const char *rest = NULL;
	char own[32];

	if (strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/dev/fd/", 8) != 0)
		return false; /* nearly every exec: its number in its own namespace, from a file of /proc, is not needed */
	snprintf(own, sizeof(own), "/proc/%d/", ns_pid(pid));
	for (size_t i = 0; i < ARRAY_LEN(self) && !rest; i++)
		if (!strncmp(path, self[i], strlen(self[i])))
			rest = path + strlen(self[i]);
	if (!rest && !strncmp(path, own, strlen(own)))
		rest = path + strlen(own);
	if (!rest)
		return false;
	if (!strncmp(path, "/dev/fd/", 8) && strspn(rest, "0123456789") == strlen(rest))
		return str_format(out, cap, "/proc/%d/fd/%s", (int)pid, rest) == 0;
	if (!strcmp(rest, "exe") || (!strncmp(rest, "fd/", 3) && rest[3] && strspn(rest + 3, "0123456789") == strlen(rest + 3)))
		return str_format(out, cap, "/proc/%d/%s", (int)pid, rest) == 0;
	return false;
}

/* Absolute form of a path relative to what a /proc link names. */
static int absolute(pid_t pid, const char *base, const char *rel, char *out, size_t cap)
{
	char link[64], dir[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/%s", (int)pid, base);
	n = readlink(link, dir, sizeof(dir) - 1);
	if (n < 0)
		return -errno;
	dir[n] = 0;
	return str_format(out, cap, "%s/%s", dir, rel);
}

/* /proc/self/root/… and /proc/self/cwd/…, of any process: one root holds for the whole session, so what follows "root" is
 * the path. Only for finding the file: what then runs is judged by itself. */
static int through_proc(pid_t pid, char *path, size_t cap)
{
	for (int hops = 0; hops < PROC_HOPS && !strncmp(path, "/proc/", 6); hops++) {
		const char *which = strchr(path + 6, '/'), *rest;
		char copy[8300];
		bool root = which && (!strncmp(which, "/root/", 6) || !strcmp(which, "/root"));
		bool cwd = which && !strncmp(which, "/cwd/", 5) &&
			   (!strncmp(path, "/proc/self/", 11) || !strncmp(path, "/proc/thread-self/", 18));
		int r;

		if (!root && !cwd)
			return 0;
		rest = which + (root ? 5 : 4);
		if (str_format(copy, sizeof(copy), "%s", rest[0] ? rest : "/") < 0)
			return -ENAMETOOLONG;
		r = root ? str_format(path, cap, "%s", copy) : absolute(pid, "cwd", copy + 1, path, cap);
		if (r < 0)
			return r;
	}
	return 0;
}

static int facts_of_fd(int fd, struct exec_facts *f)
{
	char link[64];
	struct statx st;
	ssize_t n;

	/* Which file it is does not change: nothing that fsd would have to be asked for. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, f->resolved, sizeof(f->resolved) - 1);
	if (n < 0)
		return -errno;
	f->resolved[n] = 0;
	f->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	f->ino = st.stx_ino;
	return 0;
}

static int resolve(const struct session *s, pid_t pid, int dirfd, bool empty, struct exec_facts *f)
{
	char path[8300] = "", base[32], magic[4200];
	auto_fd fd = -1, root = -1;
	int r = 0;

	if (empty && !f->given[0]) {
		snprintf(magic, sizeof(magic), "/proc/%d/fd/%d", (int)pid, dirfd);
		fd = open(magic, O_PATH | O_CLOEXEC);
		return fd < 0 ? -errno : facts_of_fd(fd, f);
	}
	snprintf(base, sizeof(base), "fd/%d", dirfd);
	if (f->given[0] == '/')
		r = str_format(path, sizeof(path), "%s", f->given);
	else
		r = absolute(pid, dirfd == AT_FDCWD ? "cwd" : base, f->given, path, sizeof(path));
	if (r < 0)
		return r;
	r = through_proc(pid, path, sizeof(path));
	if (r < 0)
		return r;
	if (magic_link(pid, path, magic, sizeof(magic))) {
		/* Such a name is in no directory; it stays what it is, and lies where the session makes names. */
		r = str_format(f->place, sizeof(f->place), "%s", path);
		fd = open(magic, O_PATH | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	} else {
		root = name_root(pid);
		fd = root < 0 ? root : name_find(root, path, f);
	}
	if (r < 0 || fd < 0)
		return r < 0 ? r : fd;
	r = facts_of_fd(fd, f);
	return r < 0 ? r : name_written(s, path, f);
}

int peek_named(const struct session *s, pid_t pid, const char *name, struct exec_facts *f)
{
	uint64_t dirfd;
	size_t n = 0;
	bool of_fd = !strncmp(name, "/dev/fd/", 8);

	memset(f, 0, sizeof(*f));
	f->pid = pid;
	/* So the kernel calls a program of execveat: /dev/fd/N, or /dev/fd/N/NAME. */
	if (of_fd)
		n = 8 + strspn(name + 8, "0123456789");
	if (of_fd && n > 8 && name[n] == '/' && name[n + 1] != '/' && str_lead_u64(name + 8, INT32_MAX, &dirfd) == 0)
		return str_format(f->given, sizeof(f->given), "%s", name + n + 1) < 0 ? -ENAMETOOLONG :
			resolve(s, pid, (int)dirfd, false, f);
	if (str_format(f->given, sizeof(f->given), "%s", name) < 0)
		return -ENAMETOOLONG;
	return resolve(s, pid, AT_FDCWD, false, f);
}

int peek_exec(const struct session *s, const struct seccomp_notif *req, struct exec_facts *f)
{
	bool at = req->data.nr == SYS_execveat;
	int dirfd = at ? (int)req->data.args[0] : AT_FDCWD;
	uint64_t path = req->data.args[at ? 1 : 0], argv = req->data.args[at ? 2 : 1];
	bool empty = at && (req->data.args[4] & AT_EMPTY_PATH);
	pid_t pid = (pid_t)req->pid;
	const struct pol_twin *twins;
	char *given = NULL;
	size_t len, n;
	int r = peek_str(pid, path, 4096, &given, &len);

	memset(f, 0, sizeof(*f));
	f->pid = pid;
	if (r < 0)
		return r == -E2BIG ? -ENAMETOOLONG : r;
	memcpy(f->given, given, len + 1);
	free(given);
	r = peek_argv(pid, argv, f);
	if (r == 0)
		r = name_twins(s, &twins, &n);
	return r < 0 ? r : resolve(s, pid, dirfd, empty, f);
}

LEAKS_UNSEEN_BEGIN /* the strings belong to f: facts_fini */
static int running_argv(pid_t pid, struct exec_facts *f)
{
	size_t cap = 16384, n = 0, count = 0;
	char path[64], *text = NULL;
	auto_fd fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (;;) {
		char *more = n < cap && text ? text : realloc(text, (cap = text ? cap * 2 : cap) + 1);
		ssize_t r;

		if (!more || cap > 2 * ARGV_BYTES_MAX) {
			free(more ? more : text);
			return -E2BIG;
		}
		text = more;
		r = read(fd, text + n, cap - n);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	text[n] = 0;
	for (size_t i = 0; i < n; i++)
		count += !text[i];
	f->argv = calloc(count + 2, sizeof(char *));
	for (size_t i = 0; f->argv && i < n && f->argc <= count; i += strlen(text + i) + 1) {
		f->argv[f->argc] = strdup(text + i);
		if (!f->argv[f->argc]) {
			free(text);
			return -ENOMEM; /* fewer arguments than run must not be judged as all of them */
		}
		f->argc++;
	}
	free(text);
	return f->argv ? 0 : -ENOMEM;
}
LEAKS_UNSEEN_END

int peek_running(pid_t pid, struct exec_facts *f)
{
	char path[64];
	auto_fd fd = -1;
	int r;

	memset(f, 0, sizeof(*f));
	f->pid = pid;
	f->running = true;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = facts_of_fd(fd, f);
	snprintf(f->given, sizeof(f->given), "%.4000s", f->resolved);
	return r < 0 ? r : running_argv(pid, f);
}

int peek_execfn(pid_t pid, char *out, size_t cap)
{
	char path[64], *name = NULL;
	Elf64_auxv_t v[64];
	uint64_t at = 0;
	auto_fd fd = -1;
	ssize_t n;
	size_t len;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, v, sizeof(v));
	if (n < 0)
		return -errno;
	for (size_t i = 0; i < (size_t)n / sizeof(v[0]) && v[i].a_type != AT_NULL; i++)
		if (v[i].a_type == AT_EXECFN)
			at = v[i].a_un.a_val;
	r = at ? peek_str(pid, at, 4096, &name, &len) : -ENOENT;
	if (r == 0)
		r = str_format(out, cap, "%s", name);
	free(name);
	return r;
}
