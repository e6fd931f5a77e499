/* SPDX-License-Identifier: Apache-2.0 */
/* posix CLASS DIR: acts on files in a new directory below DIR and prints what came of each, clocks and inode numbers left out, so that the
 * same acts on two file systems can be compared line by line. This file: names and attributes. */
#define _GNU_SOURCE
#include "posix.h"

static void names(void)
{
	char longest[257], text[64];
	const char *const odd[] = { "a\nb", "\xff\xfe", "tab\t", " ", "-rf", "\\" };
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(longest, 'n', 256);
	longest[256] = 0;
	TRY(put(longest, ""));
	longest[255] = 0;
	TRY(put(longest, "x"));
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		TRY(put(odd[i], "odd"));
		TRY(unlink(odd[i]));
	}
	umask(027);
	TRY(mkdir("dir", 0777));
	show("dir");
	TRY(mkfifo("fifo", 0666));
	show("fifo");
	TRY(bind(s, (struct sockaddr *)&a, sizeof(a)));
	show("socket");
	TRY(put("file", ""));
	show("file");
	umask(0);
	TRY(symlink("nowhere/at all", "link"));
	show("link");
	TRY(readlink("link", text, sizeof(text)));
	TRY(symlink("", "empty"));
	TRY(mkdir("file/below", 0777));
	TRY(mkdir("dir", 0777));
	TRY(rmdir("file"));
	TRY(unlink("dir"));
	TRY(mkdir("dir/.", 0777));
	TRY(rmdir("dir/."));
	TRY(put("dir/in", ""));
	TRY(rmdir("dir"));
	TRY(mknod("block", S_IFBLK | 0666, makedev(7, 0)));
	close(s);
}

static void opening(void)
{
	int fd;
	char c;

	TRY(put("file", "0123456789"));
	TRY(symlink("file", "link"));
	TRY(mkdir("dir", 0777));
	TRY(mkfifo("fifo", 0666));
	TRY(opens("file", O_CREAT | O_EXCL | O_WRONLY));
	TRY(opens("link", O_RDONLY | O_NOFOLLOW));
	TRY(opens("link", O_RDONLY));
	TRY(opens("file", O_RDONLY | O_DIRECTORY));
	TRY(opens("dir", O_WRONLY));
	TRY(opens("dir", O_RDWR | O_CREAT));
	TRY(opens("none", O_RDWR));
	TRY(opens("none/none", O_RDWR | O_CREAT));
	TRY(opens("fifo", O_WRONLY | O_NONBLOCK));
	TRY(opens("file", O_RDONLY | O_TRUNC));
	show("file");
	fd = must_open("file", O_RDWR | O_APPEND | O_SYNC);
	TRY(write(fd, "ab", 2));
	TRY(pwrite(fd, "c", 1, 0));
	TRY(lseek(fd, 0, SEEK_CUR));
	show_text("file");
	TRY(ftruncate(fd, 1));
	TRY(ftruncate(fd, -1));
	TRY(pread(fd, &c, 1, 5));
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	close(fd);
	fd = must_open("file", O_PATH);
	TRY(read(fd, &c, 1));
	show_fd("by path", fd);
	close(fd);
	fd = must_open("file", O_RDONLY);
	TRY(write(fd, "x", 1));
	TRY(ftruncate(fd, 0));
	TRY(unlink("file"));
	show_fd("removed", fd);
	TRY(pread(fd, &c, 1, 0));
	close(fd);
	TRY(truncate("dir", 0));
	TRY(truncate("none", 0));
	TRY(chmod("link", 0600));
}

static void links(void)
{
	int fd;

	TRY(put("a", "text"));
	TRY(link("a", "b"));
	TRY(link("a", "c"));
	TRY(link("a", "b"));
	show("a");
	show("c");
	TRY(unlink("a"));
	show("b");
	TRY(put("other", "o"));
	TRY(rename("other", "b"));
	show("b");
	show("c");
	TRY(rename("c", "c"));
	TRY(link("c", "d"));
	TRY(rename("c", "d"));
	show("c");
	show("d");
	TRY(mkdir("dir", 0777));
	TRY(link("dir", "second"));
	TRY(mkdir("dir/sub", 0777));
	show("dir");
	TRY(rmdir("dir/sub"));
	show("dir");
	TRY(symlink("none", "sym"));
	TRY(link("sym", "sym2"));
	show("sym2");
	TRY(link("none", "e"));
	TRY(link("c", "none/e"));
	fd = must_open("d", O_RDWR);
	TRY(unlink("d"));
	TRY(unlink("c"));
	show_fd("open, no name", fd);
	TRY(write(fd, "still", 5));
	show_fd("written", fd);
	close(fd);
}

static void renames(void)
{
	TRY(put("a", "of a"));
	TRY(put("b", "of b"));
	TRY(mkdir("dir", 0777));
	TRY(mkdir("dir/sub", 0777));
	TRY(mkdir("empty", 0777));
	TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	show_text("a");
	show_text("b");
	TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "n", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "n", AT_FDCWD, "none", RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "n", AT_FDCWD, "dir", RENAME_EXCHANGE));
	show("n");
	show("dir");
	TRY(renameat2(AT_FDCWD, "n", AT_FDCWD, "dir", RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "n", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
	TRY(rename("n", "dir"));
	TRY(rename("dir", "n"));
	TRY(rename("empty", "dir"));
	TRY(rename("dir", "empty"));
	TRY(rename("empty", "empty/sub/deeper"));
	TRY(rename("empty/sub", "moved"));
	show("empty");
	TRY(rename("none", "x"));
	TRY(rename("n", "b"));
	show_text("b");
	TRY(rename(".", "x"));
	TRY(rename("b", "moved/b"));
	show_text("moved/b");
}

static void show_times(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		printf("%s: %ld.%09ld %ld.%09ld\n", path, st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void times(void)
{
	const struct timespec set[2] = { { 1000000000, 123456789 }, { 1200000000, 987654321 } };
	const struct timespec old[2] = { { -86400, 1 }, { 4294967296, 2 } };
	const struct timespec one[2] = { { 5, 6 }, { .tv_nsec = UTIME_OMIT } }, bad[2] = { { 0, 2000000000 }, { 0, 0 } };
	struct timespec now;
	struct statx x;
	struct stat before, after;

	clock_gettime(CLOCK_REALTIME, &now);
	TRY(put("file", "text"));
	TRY(symlink("file", "link"));
	TRY(utimensat(AT_FDCWD, "file", set, 0));
	show_times("file");
	TRY(utimensat(AT_FDCWD, "file", one, 0));
	show_times("file");
	TRY(utimensat(AT_FDCWD, "link", set, AT_SYMLINK_NOFOLLOW));
	show_times("link");
	TRY(utimensat(AT_FDCWD, "file", old, 0));
	show_times("file");
	TRY(utimensat(AT_FDCWD, "file", bad, 0));
	TRY(utimensat(AT_FDCWD, "file", NULL, 0));
	for (int i = 0; i < 2; i++) {
		TRY(statx(AT_FDCWD, i ? "link" : "file", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x));
		printf("born: told %d, about now %d\n", (x.stx_mask & STATX_BTIME) != 0,
		       x.stx_btime.tv_sec >= now.tv_sec - 2 && x.stx_btime.tv_sec <= now.tv_sec + 60);
		printf("size %lu links %u mode %o\n", (unsigned long)x.stx_size, x.stx_nlink, x.stx_mode);
	}
	stat("file", &before);
	usleep(20000);
	TRY(chmod("file", 0600));
	stat("file", &after);
	printf("changed: %d, modified: %d\n", memcmp(&before.st_ctim, &after.st_ctim, sizeof(now)) != 0,
	       memcmp(&before.st_mtim, &after.st_mtim, sizeof(now)) != 0);
}

/* Set-id bits of who may set them. */
static void setid(void)
{
	int fd;

	TRY(mkdir("dir", 0777));
	TRY(chmod("dir", 02775));
	show("dir");
	TRY(mkdir("dir/sub", 0755));
	show("dir/sub");
	TRY(put("dir/file", ""));
	show("dir/file");
	TRY(chmod("dir", 01777));
	show("dir");
	TRY(put("file", "text"));
	TRY(chmod("file", 0755));
	TRY(chown("file", getuid(), getgid()));
	show("file");
	TRY(chown("file", 54321, 54321));
	fd = must_open("file", O_WRONLY);
	TRY(fchown(fd, (uid_t)-1, (gid_t)-1));
	TRY(fchmod(fd, 0711));
	show_fd("file", fd);
	close(fd);
}

/* Set-id bits that stand there already: any change of the content or the owner takes them away. */
static void stripped(void)
{
	int fd;

	for (int way = 0; way < 5; way++) {
		char name[16];

		snprintf(name, sizeof(name), "way%d", way);
		put(name, "text");
		chmod(name, 06777);
		if (seteuid(way < 4 ? 12345 : 0) < 0)
			return;
		fd = open(name, way == 2 ? O_WRONLY | O_TRUNC : O_WRONLY);
		say("open", fd < 0 ? -1 : 0);
		if (way == 0)
			TRY(write(fd, "x", 1));
		if (way == 1)
			TRY(ftruncate(fd, 2));
		if (way == 3)
			TRY(fallocate(fd, 0, 0, 8192));
		seteuid(0);
		if (way == 4)
			TRY(fchown(fd, 12345, 12345));
		close(fd);
		show(name);
	}
}

struct acl { uint32_t version; struct { uint16_t tag, perm; uint32_t id; } e[6]; };

/* Owner all, the group and others what is given, user 54321 and group 54322 what is given. */
static int give(const char *path, const char *which, int user, int group, int others)
{
	const struct acl a = { 2, { { 1, 7, ~0u }, { 2, (uint16_t)user, 54321 }, { 4, (uint16_t)others, ~0u }, { 8, (uint16_t)group, 54322 },
				    { 16, 7, ~0u }, { 32, (uint16_t)others, ~0u } } };

	return setxattr(path, which, &a, sizeof(a), 0);
}

static void show_acl(const char *path, const char *which)
{
	struct acl a = { 0 };
	ssize_t n = getxattr(path, which, &a, sizeof(a));

	if (n < 0)
		say(path, -1);
	for (size_t i = 0; n > 4 && i < ((size_t)n - 4) / sizeof(a.e[0]); i++)
		printf("%s %s: tag %u perm %u id %d\n", path, which, a.e[i].tag, a.e[i].perm, (int)a.e[i].id);
}

static const char access_acl[] = "system.posix_acl_access", default_acl[] = "system.posix_acl_default";

static void acls(void)
{
	TRY(put("file", ""));
	show_acl("file", access_acl);
	TRY(give("file", access_acl, 6, 4, 0));
	show("file");
	show_acl("file", access_acl);
	TRY(chmod("file", 0640));
	show_acl("file", access_acl);
	TRY(setxattr("file", access_acl, "nonsense", 8, 0));
	TRY(give("file", default_acl, 7, 7, 7));
	TRY(listxattr("file", NULL, 0));
	TRY(mkdir("dir", 0777));
	TRY(give("dir", default_acl, 7, 5, 4));
	show_acl("dir", default_acl);
	umask(077);
	TRY(put("dir/file", ""));
	TRY(mkdir("dir/sub", 0777));
	TRY(mkfifo("dir/fifo", 0666));
	umask(0);
	show("dir/file");
	show("dir/sub");
	show("dir/fifo");
	show_acl("dir/file", access_acl);
	show_acl("dir/sub", default_acl);
	TRY(removexattr("file", access_acl));
	show_acl("file", access_acl);
	TRY(removexattr("dir", default_acl));
	TRY(removexattr("dir", default_acl));
	TRY(chmod("dir", 02777));
	TRY(give("dir", access_acl, 7, 7, 5));
	show("dir");
	TRY(symlink("file", "link"));
	TRY(lsetxattr("link", access_acl, "x", 1, 0));
}

/* What an ACL gives and takes, tried as the one that it names. */
static void refused(void)
{
	TRY(put("closed", "text"));
	TRY(give("closed", access_acl, 0, 0, 7));
	TRY(put("open", "text"));
	TRY(give("open", access_acl, 6, 0, 0));
	TRY(mkdir("dir", 0777));
	TRY(put("dir/in", "text"));
	TRY(give("dir", access_acl, 4, 0, 7));
	TRY(seteuid(54321));
	TRY(opens("closed", O_RDONLY));
	TRY(access("closed", R_OK));
	TRY(opens("open", O_RDWR));
	TRY(opens("dir", O_RDONLY));
	TRY(opens("dir/in", O_RDONLY));
	TRY(put("dir/new", ""));
	TRY(give("open", access_acl, 7, 7, 7));
	TRY(seteuid(0));
	TRY(opens("closed", O_RDONLY));
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } classes[] = {
		{ "names", names }, { "opening", opening }, { "links", links }, { "renames", renames }, { "times", times },
		{ "setid", setid }, { "stripped", stripped }, { "acls", acls }, { "refused", refused }, { "unnamed", unnamed },
		{ "attributes", attributes }, { "holes", holes }, { "any", any }, { "copies", copies }, { "maps", maps },
		{ "direct", direct }, { "locks", locks }, { "dirs", dirs },
	};

	if (argc != 3 || chdir(argv[2]) < 0 || mkdir(argv[1], 0777) < 0 || chdir(argv[1]) < 0) {
		fprintf(stderr, "posix CLASS DIR: %s\n", strerror(errno));
		return 2;
	}
	umask(0);
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (!strcmp(argv[1], classes[i].name)) {
			classes[i].run();
			return 0;
		}
	return 2;
}
