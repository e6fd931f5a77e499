/* SPDX-License-Identifier: Apache-2.0 */
/* Acts on what is in files, for posix.c. */
#define _GNU_SOURCE
#include "posix.h"

static void fill(const char *path, size_t n)
{
	int fd = must_open(path, O_CREAT | O_TRUNC | O_WRONLY);
	unsigned char b[4096];

	for (size_t at = 0; at < n; at += sizeof(b)) {
		for (size_t i = 0; i < sizeof(b); i++)
			b[i] = (unsigned char)((at + i) * 2654435761u >> 13);
		if (write(fd, b, n - at < sizeof(b) ? n - at : sizeof(b)) < 0)
			exit(1);
	}
	close(fd);
}

static void show_sum(const char *path)
{
	int fd = must_open(path, O_RDONLY);
	unsigned char b[4096];
	unsigned long sum = 0, n = 0;
	ssize_t r;

	while ((r = read(fd, b, sizeof(b))) > 0)
		for (ssize_t i = 0; i < r; i++, n++)
			sum = sum * 31 + b[i];
	printf("%s: %lu bytes, sum %lx\n", path, n, sum);
	close(fd);
}

void unnamed(void)
{
	char by_fd[40], text[16] = "";
	int fd;

	umask(026);
	fd = open(".", O_TMPFILE | O_RDWR, 0666);
	say("open", fd < 0 ? -1 : 0);
	umask(0);
	TRY(write(fd, "no name", 7));
	show_fd("unnamed", fd);
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	TRY(opens(by_fd, O_RDWR));
	TRY(linkat(AT_FDCWD, by_fd, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	TRY(linkat(AT_FDCWD, by_fd, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	TRY(link("named", "second"));
	show_fd("named", fd);
	show("second");
	TRY(write(fd, "!", 1));
	show_text("named");
	TRY(unlink("named"));
	TRY(unlink("second"));
	show_fd("removed", fd);
	TRY(linkat(AT_FDCWD, by_fd, AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
	TRY(pread(fd, text, sizeof(text), 0));
	close(fd);
	fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
	say("open", fd < 0 ? -1 : 0);
	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	TRY(linkat(AT_FDCWD, by_fd, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
	close(fd);
	TRY(open(".", O_TMPFILE | O_RDONLY, 0600));
	TRY(put("file", ""));
	TRY(open("file", O_TMPFILE | O_RDWR, 0600));
}

void attributes(void)
{
	char v[65536], small[2];
	ssize_t n;
	int fd, flags = 0;

	memset(v, 'v', sizeof(v));
	TRY(put("file", ""));
	TRY(mkdir("dir", 0777));
	TRY(symlink("file", "link"));
	TRY(mkfifo("fifo", 0666));
	TRY(setxattr("file", "user.one", "1234", 4, 0));
	TRY(setxattr("file", "user.one", "12345", 5, XATTR_CREATE));
	TRY(setxattr("file", "user.two", "x", 1, XATTR_REPLACE));
	TRY(setxattr("file", "user.two", "", 0, XATTR_CREATE));
	TRY(getxattr("file", "user.one", NULL, 0));
	TRY(getxattr("file", "user.one", small, sizeof(small)));
	TRY(getxattr("file", "user.two", v, sizeof(v)));
	n = getxattr("link", "user.one", v, sizeof(v));
	printf("one: %.*s\n", (int)n, v);
	TRY(listxattr("file", NULL, 0));
	TRY(listxattr("file", small, sizeof(small)));
	n = listxattr("file", v, sizeof(v));
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(v + at) + 1)
		printf("listed: %s\n", v + at);
	TRY(setxattr("file", "user.long", v, 1000, 0));
	TRY(setxattr("file", "user.", v, 1, 0));
	TRY(setxattr("file", "nothing", v, 1, 0));
	TRY(setxattr("file", "user.large", v, sizeof(v), 0));
	TRY(removexattr("file", "user.one"));
	TRY(removexattr("file", "user.one"));
	TRY(getxattr("file", "user.one", NULL, 0));
	TRY(setxattr("dir", "user.d", "d", 1, 0));
	TRY(getxattr("dir", "user.d", NULL, 0));
	TRY(lsetxattr("link", "user.l", "l", 1, 0));
	TRY(llistxattr("link", NULL, 0));
	TRY(setxattr("fifo", "user.f", "f", 1, 0));
	TRY(getxattr("file", "security.capability", NULL, 0));
	fd = must_open("file", O_RDONLY);
	TRY(fsetxattr(fd, "user.fd", "1", 1, 0));
	TRY(fgetxattr(fd, "user.fd", NULL, 0));
	TRY(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	printf("flags %x\n", (unsigned)flags);
	TRY(ioctl(fd, FS_IOC_FSGETXATTR, v));
	TRY(ioctl(fd, _IOR('f', 99, long), &flags));
	close(fd);
	fd = must_open("dir", O_RDONLY);
	TRY(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	close(fd);
	TRY(chmod("file", 0444));
	TRY(setxattr("file", "user.two", "y", 1, 0));
	TRY(getxattr("file", "user.two", NULL, 0));
}

void holes(void)
{
	int fd = must_open("file", O_CREAT | O_RDWR);

	TRY(fallocate(fd, 0, 0, 1 << 20));
	show_fd("allocated", fd);
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 1 << 20, 1 << 20));
	show_fd("kept", fd);
	fill("data", 1 << 20);
	close(fd);
	fd = must_open("data", O_RDWR);
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 131072));
	TRY(lseek(fd, 0, SEEK_HOLE));
	TRY(lseek(fd, 65536, SEEK_DATA));
	TRY(lseek(fd, 100000, SEEK_HOLE));
	TRY(lseek(fd, 300000, SEEK_HOLE));
	TRY(lseek(fd, 1 << 20, SEEK_DATA));
	TRY(lseek(fd, -1, SEEK_SET));
	show_sum("data");
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 300000, 1000));
	show_sum("data");
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));
	TRY(fallocate(fd, 0, 0, 0));
	TRY(fallocate(fd, 0, -1, 1));
	TRY(ftruncate(fd, 3 << 20));
	TRY(lseek(fd, 2 << 20, SEEK_DATA));
	show_sum("data");
	close(fd);
	fd = must_open("data", O_RDONLY);
	TRY(fallocate(fd, 0, 0, 10));
	close(fd);
}

/* Any order of writing by any way, by the same numbers on each file system; what is read between says whether they agree. */
void any(void)
{
	static unsigned char b[70000];
	uint32_t x = 12345;
	int fd = must_open("file", O_CREAT | O_RDWR), ap = must_open("file", O_WRONLY | O_APPEND);
	unsigned char *m;

	for (int i = 0; i < 3000; i++) {
		size_t at, n;
		struct stat st;
		long r = 0;

		x = x * 1664525 + 1013904223;
		at = x % 300000;
		x = x * 1664525 + 1013904223;
		n = x % sizeof(b);
		memset(b, (int)(x >> 24), n);
		fstat(fd, &st);
		switch (x >> 8 & 7) {
		case 0: r = pwrite(fd, b, n, (off_t)at); break;
		case 1: r = write(ap, b, n % 3000); break;
		case 2: r = ftruncate(fd, (off_t)at); break;
		case 3: r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n + 1); break;
		case 4: r = fallocate(fd, 0, (off_t)at, (off_t)n + 1); break;
		case 5: r = st.st_size > 600000 ? ftruncate(fd, 1000) : fallocate(fd, FALLOC_FL_ZERO_RANGE, (off_t)at, (off_t)n + 1); break;
		default:
			m = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
			if (m == MAP_FAILED)
				break;
			for (size_t k = at; k < (size_t)st.st_size && k < at + n; k++)
				r = m[k]++;
			munmap(m, (size_t)st.st_size);
		}
		if (r < 0 || i % 100 == 0)
			say("step", r);
		if (i % 50 == 0)
			show_sum("file");
	}
	close(ap);
	close(fd);
	show_sum("file");
}

void copies(void)
{
	loff_t in = 100, out = 50;
	int a, b;

	fill("from", 300000);
	fill("to", 1000);
	a = must_open("from", O_RDWR);
	b = must_open("to", O_RDWR);
	for (ssize_t n = 1, all = 0; n > 0; all += n) {
		n = copy_file_range(a, &in, b, &out, 300000 - 100, 0);
		if (n <= 0)
			printf("copied %zd\n", all);
	}
	show_sum("to");
	TRY(copy_file_range(a, NULL, b, NULL, 0, 0));
	TRY(copy_file_range(a, NULL, b, NULL, 10, 1));
	in = 0, out = 50;
	TRY(copy_file_range(a, &in, a, &out, 100, 0));
	in = 1 << 30;
	TRY(copy_file_range(a, &in, b, NULL, 100, 0));
	close(b);
	b = must_open("to", O_RDONLY);
	TRY(copy_file_range(a, NULL, b, NULL, 10, 0));
	close(b);
	b = must_open("to", O_WRONLY | O_APPEND);
	TRY(copy_file_range(a, NULL, b, NULL, 10, 0));
	close(b);
	b = must_open(".", O_RDONLY);
	TRY(copy_file_range(b, NULL, a, NULL, 10, 0));
	close(b);
	close(a);
}

void maps(void)
{
	size_t n = 200000;
	unsigned char *m, *p, c = 0;
	int fd, ro;

	fill("file", n);
	fd = must_open("file", O_RDWR);
	ro = must_open("file", O_RDONLY);
	m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
	say("shared", m == MAP_FAILED ? -1 : 0);
	say("private", p == MAP_FAILED ? -1 : 0);
	if (m == MAP_FAILED || p == MAP_FAILED)
		return;
	TRY(pwrite(fd, "W", 1, 5000));
	printf("written, mapped: %c\n", m[5000]);
	m[70000] = 'M';
	TRY(pread(ro, &c, 1, 70000));
	printf("mapped, read: %c\n", c);
	p[5000] = 'P';
	TRY(pread(ro, &c, 1, 5000));
	printf("private, read: %c\n", c);
	TRY(msync(m, n, MS_SYNC));
	say("shared of read-only", mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED ? -1 : 0);
	TRY(close(fd));
	m[100] = 'L';
	TRY(munmap(m, n));
	munmap(p, n);
	close(ro);
	show_sum("file");
}

void direct(void)
{
	unsigned char *b = aligned_alloc(4096, 131072);
	int fd = must_open("file", O_CREAT | O_RDWR | O_DIRECT), other = must_open("file", O_RDONLY);

	memset(b, 'd', 131072);
	TRY(pwrite(fd, b, 131072, 0));
	TRY(pwrite(fd, b, 4096, 131072));
	TRY(pwrite(fd, b + 1, 4096, 0));
	TRY(pread(other, b, 1, 131071));
	TRY(pread(fd, b, 8192, 131072));
	TRY(pread(fd, b, 4096, 1 << 20));
	TRY(fcntl(fd, F_GETFL) & O_DIRECT);
	show_fd("file", fd);
	show_sum("file");
	close(fd);
	close(other);
	free(b);
}

static int lock(int fd, int cmd, short type, off_t start, off_t len)
{
	return fcntl(fd, cmd, &(struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len });
}

/* In another process: how it goes, then its end. */
static void elsewhere(const char *what, int cmd, short type, bool flocks)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int fd = must_open("file", O_RDWR);

		say(what, flocks ? flock(fd, cmd) : lock(fd, cmd, type, 10, 10));
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void on_alarm(int s)
{
	(void)s;
}

void locks(void)
{
	struct flock ask = { .l_type = F_WRLCK, .l_len = 0 };
	int a, b;
	pid_t pid;

	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	TRY(put("file", "text"));
	a = must_open("file", O_RDWR);
	b = must_open("file", O_RDWR);
	TRY(flock(a, LOCK_SH));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(a, LOCK_EX | LOCK_NB));
	TRY(flock(b, LOCK_UN));
	TRY(flock(a, LOCK_EX));
	elsewhere("flock elsewhere", LOCK_EX | LOCK_NB, 0, true);
	alarm(1);
	TRY(flock(b, LOCK_EX)); /* waits, and is interrupted */
	TRY(flock(a, LOCK_UN));
	TRY(lock(a, F_SETLK, F_WRLCK, 0, 15));
	elsewhere("lock elsewhere", F_SETLK, F_WRLCK, false);
	TRY(lock(b, F_OFD_SETLK, F_RDLCK, 0, 15));
	TRY(lock(a, F_SETLK, F_UNLCK, 0, 0));
	TRY(lock(b, F_OFD_SETLK, F_WRLCK, 0, 15));
	TRY(lock(a, F_OFD_SETLK, F_WRLCK, 14, 1));
	TRY(fcntl(a, F_GETLK, &ask));
	printf("held: type %d start %ld len %ld\n", ask.l_type, (long)ask.l_start, (long)ask.l_len);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(lock(must_open("file", O_RDWR), F_SETLKW, F_WRLCK, 0, 0) < 0);
	usleep(200000);
	/* A waiter keeps nobody from the rest. */
	TRY(put("other", "while it waits"));
	show_text("other");
	TRY(kill(pid, SIGKILL));
	TRY(waitpid(pid, NULL, 0) == pid);
	close(b);
	elsewhere("after close", F_SETLK, F_WRLCK, false);
	close(a);
}

void dirs(void)
{
	enum { N = 500 };
	unsigned char seen[N] = { 0 };
	struct dirent *e;
	char name[32];
	long at = 0;
	DIR *d;
	int n = 0, twice = 0, missing = 0;

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "file-%d", i);
		put(name, "");
	}
	d = opendir(".");
	/* Removed while it is read: what is left comes once. */
	while ((e = readdir(d))) {
		int i;

		if (sscanf(e->d_name, "file-%d", &i) != 1 || i >= N)
			continue;
		twice += seen[i]++;
		if (i % 2 && unlink(e->d_name) == 0)
			n++;
	}
	for (int i = 0; i < N; i++)
		missing += !seen[i];
	printf("removed %d, twice %d, missing %d\n", n, twice, missing);
	rewinddir(d);
	for (n = 0; (e = readdir(d)); n++) {
		at = n == 100 ? telldir(d) : at;
		if (n > 100 && !strcmp(e->d_name, name))
			break;
	}
	rewinddir(d);
	for (n = 0; readdir(d);)
		n++;
	printf("left %d\n", n);
	seekdir(d, at);
	for (n = 0; readdir(d);)
		n++;
	printf("behind the mark %d\n", n);
	closedir(d);
	show(".");
	TRY(rmdir("../dirs"));
	TRY(mkdir("gone", 0777));
	TRY(chdir("gone"));
	TRY(rmdir("../gone"));
	TRY(put("in", ""));
	TRY(opens(".", O_RDONLY));
	show(".");
}
