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

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } classes[] = {
		{ "names", names }, { "opening", opening }, { "links", links }, { "renames", renames }, { "times", times }, { "setid", setid },
		{ "stripped", stripped }, { "unnamed", unnamed }, { "attributes", attributes }, { "holes", holes }, { "copies", copies },
		{ "maps", maps }, { "direct", direct }, { "locks", locks }, { "dirs", dirs },
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
