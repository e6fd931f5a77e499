/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes: a descriptor, the identity on the backing file system, and where the policy's automaton stands. The same file under two names is
 * two inodes when the policy could tell the names apart. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "common/kernfs.h"
#include "fsd/fsd.h"

#define FDS_MIN 256
#define FDS_MAX 65536
#define TRIM 16384 /* after so many are gone their room goes back to the system: it lies between others, where free leaves it */
#define DEPTH_MAX 2048 /* directories that are opened again on the way to one */

/* used.newer is the one used longest ago, used.older the last one. */
static struct inode used = { .older = &used, .newer = &used };
static size_t n_fds, max_fds = FDS_MIN, n_gone;

void inode_limit(size_t n)
{
	max_fds = n < FDS_MIN ? FDS_MIN : n > FDS_MAX ? FDS_MAX : n;
}

static void out_of_use(struct inode *i)
{
	if (!i->newer)
		return;
	i->newer->older = i->older;
	i->older->newer = i->newer;
	i->older = i->newer = NULL;
	n_fds--;
}

static void into_use(struct inode *i)
{
	i->older = used.older;
	i->newer = &used;
	used.older->newer = i;
	used.older = i;
	n_fds++;
}

static void make_room(void)
{
	for (size_t tries = n_fds; n_fds >= max_fds && tries; tries--) {
		struct inode *i = used.newer;

		out_of_use(i);
		if (i->passed || i->cached) { /* open, and perhaps without a name any more */
			into_use(i);
			continue;
		}
		close(i->fd);
		i->fd = -1;
	}
}

/* What name in the directory fd is (fd itself with name ""), and when it came to be. */
static int look(int fd, const char *name, struct stat *st, struct timespec *born)
{
	struct statx x;

	*st = (struct stat){ 0 };
	*born = (struct timespec){ 0 };
	if (statx(fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -errno;
	*st = (struct stat){
		.st_dev = makedev(x.stx_dev_major, x.stx_dev_minor), .st_ino = x.stx_ino, .st_mode = x.stx_mode, .st_nlink = x.stx_nlink,
		.st_uid = x.stx_uid, .st_gid = x.stx_gid, .st_rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor),
		.st_size = (off_t)x.stx_size, .st_blksize = x.stx_blksize, .st_blocks = (blkcnt_t)x.stx_blocks,
		.st_atim = { x.stx_atime.tv_sec, x.stx_atime.tv_nsec }, .st_mtim = { x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec },
		.st_ctim = { x.stx_ctime.tv_sec, x.stx_ctime.tv_nsec },
	};
	if (x.stx_mask & STATX_BTIME)
		*born = (struct timespec){ x.stx_btime.tv_sec, x.stx_btime.tv_nsec };
	return 0;
}

static bool is(const struct inode *i, const struct stat *st, const struct timespec *born)
{
	return i->dev == st->st_dev && i->ino == st->st_ino && i->born.tv_sec == born->tv_sec && i->born.tv_nsec == born->tv_nsec;
}

static int fd_of(struct inode *i, unsigned depth)
{
	struct timespec born;
	struct stat st;
	auto_fd fd = -1;
	int dir;

	if (!i->parent)
		return i->fd;
	if (i->fd >= 0) {
		out_of_use(i);
		into_use(i);
		return i->fd;
	}
	dir = depth < DEPTH_MAX ? fd_of(i->parent, depth + 1) : -ENAMETOOLONG;
	if (dir < 0)
		return dir;
	fd = openat(dir, i->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return -errno;
	if (fd < 0 || look(fd, "", &st, &born) < 0 || !is(i, &st, &born))
		return -ESTALE; /* moved on the host: the kernel looks again */
	i->fd = move_fd(&fd);
	into_use(i);
	make_room();
	return i->fd;
}

int inode_fd(struct inode *i)
{
	return fd_of(i, 0);
}

static size_t bucket(dev_t dev, ino_t ino)
{
	return (size_t)((ino * 0x9e3779b97f4a7c15ull + dev * 31) >> 20) % INODE_BUCKETS;
}

/* Of from and what follows it the next one that is the same file as i. */
static struct inode *next_twin(const struct inode *i, struct inode *from)
{
	while (from && (from == i || from->dev != i->dev || from->ino != i->ino))
		from = from->next;
	return from;
}

bool inode_twin(const struct inode *i)
{
	return !i->dir && next_twin(i, fsd.table[bucket(i->dev, i->ino)]);
}

static struct inode *find(const struct stat *st, const struct timespec *born, const struct pol_state *state, int tree)
{
	struct inode *i = fsd.table[bucket(st->st_dev, st->st_ino)];

	while (i && !(is(i, st, born) && i->tree == tree && !i->left && pol_state_eq(i->state, *state)))
		i = i->next;
	return i;
}

static void link_in(struct inode *i)
{
	size_t b = bucket(i->dev, i->ino);

	i->next = fsd.table[b];
	fsd.table[b] = i;
}

static void unlink_out(struct inode *i)
{
	struct inode **p = &fsd.table[bucket(i->dev, i->ino)];

	while (*p && *p != i)
		p = &(*p)->next;
	if (*p)
		*p = i->next;
}

static void drop(struct inode *i)
{
	while (i && i->lookups == 0 && i->refs == 0 && i->parent) {
		struct inode *up = i->parent;

		watch_end(i);
		names_forget(i);
		names_out(i);
		unlink_out(i);
		out_of_use(i);
		if (i->fd >= 0)
			close(i->fd);
		free(i->name);
		free(i);
		if (++n_gone % TRIM == 0)
			malloc_trim(0);
		up->refs--;
		i = up;
	}
}

void inode_forget(struct inode *i, uint64_t n)
{
	i->lookups = n < i->lookups ? i->lookups - n : 0;
	drop(i);
}

void inode_unref(struct inode *i)
{
	i->refs--;
	drop(i);
}

struct inode *inode_root(int tree, int fd, struct pol_state state)
{
	struct inode *i = calloc(1, sizeof(*i));
	struct timespec born;
	struct stat st;

	if (!i || look(fd, "", &st, &born) < 0) {
		free(i);
		return NULL;
	}
	*i = (struct inode){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino, .born = born, .state = state, .judged = fsd.gen->number,
			     .tree = tree, .refs = 1, .dir = true };
	link_in(i);
	return i;
}

bool inode_hidden(const struct stat *st)
{
	for (size_t k = 0; k < fsd.n_hide; k++)
		if (st->st_dev == fsd.hide_dev[k] && st->st_ino == fsd.hide_ino[k])
			return true;
	return false;
}

/* The state of name in dir; met again below another tree, the workspace is still the workspace. */
static struct pol_state state_of(const struct inode *dir, const char *name, const struct stat *st)
{
	if (st->st_dev == fsd.ws_dev && st->st_ino == fsd.ws_ino)
		return policy_file_workspace(fsd.policy);
	return policy_file_child(fsd.policy, dir->state, name, strlen(name));
}

static struct inode *known(const struct inode *dir, const char *name, struct stat *st)
{
	struct pol_state state;
	struct timespec born;

	if (look(dir->fd, name, st, &born) < 0)
		return NULL;
	state = state_of(dir, name, st);
	return find(st, &born, &state, dir->tree);
}

struct inode *inode_peek(struct inode *dir, const char *name)
{
	struct stat st;

	return inode_fd(dir) < 0 ? NULL : known(dir, name, &st);
}

/* name in dir is what fd, taken over, holds. */
static int first_seen(struct inode *dir, const char *name, int got, struct inode **ret, struct stat *st)
{
	auto_fd fd = got;
	struct pol_state state;
	struct timespec born;
	struct inode *i;

	if (look(fd, "", st, &born) < 0)
		return -EIO;
	if (inode_hidden(st))
		return -ENOENT;
	if (st->st_dev != dir->dev && kernfs_at(fd))
		return -EACCES; /* a host's /proc gives a session of uid 0 the host */
	state = state_of(dir, name, st);
	*ret = find(st, &born, &state, dir->tree);
	if (*ret)
		return 0;
	i = calloc(1, sizeof(*i));
	if (!i)
		return -ENOMEM;
	*i = (struct inode){ .fd = -1, .dev = st->st_dev, .ino = st->st_ino, .born = born, .state = state,
			      .judged = fsd.gen->number, .tree = dir->tree, .dir = S_ISDIR(st->st_mode), .link = S_ISLNK(st->st_mode) };
	i->parent = dir;
	i->name = strdup(name);
	if (!i->name) {
		free(i);
		return -ENOMEM;
	}
	i->fd = move_fd(&fd);
	into_use(i);
	make_room();
	dir->refs++;
	link_in(i);
	names_in(i);
	/* From now on each of them is asked for, not remembered: see inode_twin. */
	for (struct inode *o = i->dir ? NULL : next_twin(i, fsd.table[bucket(i->dev, i->ino)]); o; o = next_twin(i, o->next)) {
		tell_now(o);
		tell_inode(o); /* an answer on its way */
	}
	*ret = i;
	return 0;
}

int inode_unnamed(struct inode *dir, const char *name, int fd, struct inode **ret, struct stat *st)
{
	char p[40];
	int path, r;

	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	path = open(p, O_PATH | O_CLOEXEC);
	r = path < 0 ? -errno : first_seen(dir, name, path, ret, st);
	if (r == 0) {
		(*ret)->unlinked = true;
		(*ret)->lookups++;
	}
	return r;
}

int inode_get(struct inode *dir, const char *name, struct inode **ret, struct stat *st)
{
	int r = inode_fd(dir);
	struct inode *i;

	if (r < 0)
		return r;
	i = known(dir, name, st);
	if (!i) {
		int fd = openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		r = fd < 0 ? -errno : first_seen(dir, name, fd, &i, st);
	}
	if (r < 0)
		return r;
	if (i->parent && (i->parent != dir || strcmp(i->name, name) != 0)) {
		if (i->lasting)
			tell_entry(i->parent, i->name); /* of two names only one is known from now on */
		inode_moved(i, dir, name, i->state);
	}
	if (i->strayed)
		i->acl_looked = 0;
	i->strayed = false;
	i->lookups++;
	*ret = i;
	return 0;
}

struct below { struct inode *i; unsigned depth; };

static int by_depth(const void *a, const void *b)
{
	const struct below *x = a, *y = b;

	return (x->depth > y->depth) - (x->depth < y->depth);
}

/* Those known below top, with how far; out NULL: only their number. */
static size_t all_below(const struct inode *top, struct below *out)
{
	size_t n = 0;

	for (size_t b = 0; b < INODE_BUCKETS; b++)
		for (struct inode *i = fsd.table[b]; i; i = i->next) {
			const struct inode *up = i;
			unsigned depth = 0;

			for (; up && up != top; up = up->parent)
				depth++;
			if (!up || !depth)
				continue;
			if (out)
				out[n] = (struct below){ i, depth };
			n++;
		}
	return n;
}

/* What a process still holds below a directory that moved (its working directory, descriptors) is judged by the new name from now on. */
static void derive_below(const struct inode *top)
{
	size_t n = all_below(top, NULL);
	struct below *v = n ? calloc(n, sizeof(*v)) : NULL;

	if (n && !v)
		worker_end(fsd.w, "out of memory: what a renamed directory holds would be judged by its old name");
	if (!v)
		return;
	all_below(top, v);
	qsort(v, n, sizeof(*v), by_depth);
	for (size_t k = 0; k < n; k++) {
		struct inode *i = v[k].i;

		unlink_out(i);
		i->state = state_of(i->parent, i->name, &(struct stat){ .st_dev = i->dev, .st_ino = i->ino });
		link_in(i);
		if (i->lasting)
			tell_entry(i->parent, i->name);
	}
	free(v);
}

struct pol_state tree_state(int tree)
{
	const char *path = fsd.trees[tree].path;

	/* Every other tree is a directory of the host's root. */
	if (!tree)
		return policy_file_workspace(fsd.policy);
	return policy_file_child(fsd.policy, policy_file_root(fsd.policy), path + 1, strlen(path + 1));
}

/* i's state by fsd.gen, and before it that of each directory above that has none yet. */
static void state_again(struct inode *i)
{
	struct inode *below = NULL;

	for (; i && i->judged != fsd.gen->number; i = i->parent) {
		i->below = below;
		below = i;
	}
	for (i = below; i; i = below) {
		i->state = !i->parent ? tree_state(i->tree) :
			   state_of(i->parent, i->name, &(struct stat){ .st_dev = i->dev, .st_ino = i->ino });
		i->judged = fsd.gen->number;
		i->left |= i->link;
		below = i->below;
		i->below = NULL;
	}
}

void inode_rejudge(void)
{
	struct inode *all = NULL, *i;

	/* All leave the table first: a state is known by those above. Nothing is allocated here, so that nothing can fail half-way. */
	for (size_t b = 0; b < INODE_BUCKETS; b++)
		while ((i = fsd.table[b])) {
			fsd.table[b] = i->next;
			i->next = all;
			all = i;
		}
	for (i = all; i; i = i->next)
		state_again(i);
	while ((i = all)) {
		all = i->next;
		link_in(i);
	}
}

void inode_moved(struct inode *i, struct inode *dir, const char *name, struct pol_state state)
{
	bool other = !pol_state_eq(i->state, state);
	struct inode *old = i->parent;
	char *copy = strdup(name);

	if (!copy)
		worker_end(fsd.w, "out of memory");
	for (struct inode *up = dir; up && old; up = up->parent)
		if (up == i) /* never its own ancestor, whatever two names say */
			old = NULL;
	if (!old) {
		free(copy);
		return;
	}
	unlink_out(i);
	names_out(i);
	free(i->name);
	i->name = copy;
	i->state = state;
	i->parent = dir;
	dir->refs++;
	link_in(i);
	names_in(i);
	if (other && i->dir)
		derive_below(i);
	inode_unref(old);
}

void inode_let_go(struct inode *i)
{
	i->strayed = true;
	if (i->dir || i->fd < 0 || i->passed || i->cached)
		return;
	out_of_use(i);
	close(i->fd);
	i->fd = -1;
}

void inode_taken(struct inode *i, struct inode *dir, const char *name)
{
	struct timespec born;
	struct stat st;
	bool there = dir && dir->tree == i->tree && inode_fd(dir) >= 0 && look(dir->fd, name, &st, &born) == 0 && is(i, &st, &born);

	if (there)
		inode_moved(i, dir, name, state_of(dir, name, &st));
	i->strayed = !there;
}

bool inode_each(size_t *at, bool (*fn)(struct inode *i))
{
	for (; *at < INODE_BUCKETS; ++*at)
		for (struct inode *i = fsd.table[*at]; i; i = i->next)
			if (i->parent && !fn(i))
				return false;
	return true;
}
