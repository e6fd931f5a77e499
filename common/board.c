/* SPDX-License-Identifier: Apache-2.0 */
/* The session's board: a fixed table in sealed shared memory; one writer, lock-free readers. */
#include "common/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/str.h"

#define BOARD_MAGIC 0x31445242u
#define BOARD_PROBES 64
#define BOARD_WALK 64

struct board_cmd {
	_Atomic uint32_t used;
	_Atomic uint64_t cgroup, started_ns;
	char id[ID_MAX];
};

struct board_set {
	_Atomic uint64_t cgroup;           /* 0: free */
	_Atomic uint64_t sure, may, id, slot;
};

struct board_page {
	uint32_t magic;
	struct board_cmd cmds[BOARD_CMDS];
	struct board_set sets[BOARD_SETS];
	_Atomic uint64_t pids[BOARD_PIDS]; /* pid << 16 | slot + 1; 0 free */
};

struct board {
	struct board_page *page;
};

int board_create(struct board **ret, int *ret_fd)
{
	auto_fd fd = memfd_create("agentsh-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct board *b = calloc(1, sizeof(*b));
	void *m = MAP_FAILED;

	if (fd >= 0 && b && ftruncate(fd, sizeof(struct board_page)) == 0)
		m = mmap(NULL, sizeof(struct board_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* Our own writable mapping stays; from here on nobody makes another. */
	if (m == MAP_FAILED || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		int r = errno ? -errno : -ENOMEM;

		free(b);
		return r;
	}
	b->page = m;
	b->page->magic = BOARD_MAGIC;
	*ret = b;
	*ret_fd = move_fd(&fd);
	return 0;
}

int board_open(int fd, struct board **ret)
{
	int seals = fcntl(fd, F_GET_SEALS), want = F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE;
	struct board *b;
	struct stat st;
	void *m;

	if (seals < 0 || (seals & want) != want || fstat(fd, &st) < 0 || st.st_size != (off_t)sizeof(struct board_page))
		return -EINVAL;
	m = mmap(NULL, sizeof(struct board_page), PROT_READ, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return -errno;
	b = calloc(1, sizeof(*b));
	if (!b || ((struct board_page *)m)->magic != BOARD_MAGIC) {
		munmap(m, sizeof(struct board_page));
		free(b);
		return b ? -EINVAL : -ENOMEM;
	}
	b->page = m;
	*ret = b;
	return 0;
}

void board_close(struct board *b)
{
	if (!b)
		return;
	munmap(b->page, sizeof(struct board_page));
	free(b);
}

int board_add(struct board *b, const char *command_id, uint64_t cgroup)
{
	for (int i = 0; i < BOARD_CMDS; i++) {
		struct board_cmd *c = &b->page->cmds[i];
		struct timespec t;

		if (atomic_load(&c->used))
			continue;
		clock_gettime(CLOCK_REALTIME, &t);
		atomic_store(&c->started_ns, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
		snprintf(c->id, sizeof(c->id), "%s", command_id);
		atomic_store(&c->cgroup, cgroup);
		atomic_store(&c->used, 1);
		return i;
	}
	return -ENOSPC;
}

uint64_t board_started(const struct board *b, const char *command_id)
{
	for (int i = 0; i < BOARD_CMDS; i++) {
		const struct board_cmd *c = &b->page->cmds[i];

		if (atomic_load(&c->used) && !strncmp(c->id, command_id, ID_MAX))
			return atomic_load(&c->started_ns);
	}
	return 0;
}

void board_remove(struct board *b, int slot)
{
	if (slot < 0)
		return;
	for (size_t i = 0; i < BOARD_PIDS; i++)
		if ((atomic_load(&b->page->pids[i]) & 0xffff) == (uint64_t)slot + 1)
			atomic_store(&b->page->pids[i], 0);
	for (size_t i = 0; i < BOARD_SETS; i++)
		if (atomic_load(&b->page->sets[i].cgroup) && atomic_load(&b->page->sets[i].slot) == (uint64_t)slot)
			atomic_store(&b->page->sets[i].cgroup, 0);
	atomic_store(&b->page->cmds[slot].used, 0);
}

int board_add_set(struct board *b, int slot, uint64_t cgroup, const struct lineage *l)
{
	for (size_t i = 0; i < BOARD_SETS; i++) {
		struct board_set *s = &b->page->sets[i];

		if (atomic_load(&s->cgroup))
			continue;
		atomic_store(&s->sure, l->sure);
		atomic_store(&s->may, l->may);
		atomic_store(&s->id, l->id);
		atomic_store(&s->slot, (uint64_t)slot);
		atomic_store(&s->cgroup, cgroup); /* last: from here on readers look at the rest */
		return 0;
	}
	return -ENOSPC;
}

void board_label(struct board *b, pid_t pid, int slot)
{
	uint64_t v = (uint64_t)pid << 16 | ((uint64_t)slot + 1);
	size_t free_at = BOARD_PIDS;

	for (size_t i = 0; i < BOARD_PROBES; i++) {
		size_t at = ((size_t)pid * 31 + i) % BOARD_PIDS;
		uint64_t old = atomic_load(&b->page->pids[at]);

		if (old >> 16 == (uint64_t)pid) {
			atomic_store(&b->page->pids[at], v);
			return;
		}
		if (!old && free_at == BOARD_PIDS)
			free_at = at;
	}
	if (free_at < BOARD_PIDS)
		atomic_store(&b->page->pids[free_at], v);
}

static void copy_id(const struct board *b, size_t slot, char out[ID_MAX])
{
	const struct board_cmd *c = &b->page->cmds[slot % BOARD_CMDS];

	if (atomic_load(&c->used))
		snprintf(out, ID_MAX, "%.*s", ID_MAX - 1, c->id);
}

static bool lookup(const struct board *b, pid_t pid, char out[ID_MAX])
{
	for (size_t i = 0; i < BOARD_PROBES; i++) {
		uint64_t v = atomic_load(&b->page->pids[((size_t)pid * 31 + i) % BOARD_PIDS]);

		if (v && v >> 16 == (uint64_t)pid) {
			copy_id(b, (v & 0xffff) - 1, out);
			return true;
		}
	}
	return false;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	const char *p;
	auto_fd fd = -1;
	uint64_t ppid;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = 0;
	p = strrchr(text, ')'); /* the name may hold anything, parentheses too */
	return p && p[1] && p[2] && p[3] && str_lead_u64(p + 4, INT32_MAX, &ppid) == 0 ? (pid_t)ppid : 0;
}

void board_by_pid(const struct board *b, pid_t pid, char out[ID_MAX])
{
	out[0] = 0;
	for (int i = 0; i < BOARD_WALK && pid > 1; i++) {
		if (lookup(b, pid, out))
			return;
		pid = parent_of(pid);
	}
}

static const struct board_set *set_of(const struct board *b, uint64_t cgroup)
{
	for (size_t i = 0; cgroup && i < BOARD_SETS; i++)
		if (atomic_load(&b->page->sets[i].cgroup) == cgroup)
			return &b->page->sets[i];
	return NULL;
}

static const struct board_cmd *cmd_of(const struct board *b, uint64_t cgroup)
{
	for (size_t i = 0; cgroup && i < BOARD_CMDS; i++)
		if (atomic_load(&b->page->cmds[i].used) && atomic_load(&b->page->cmds[i].cgroup) == cgroup)
			return &b->page->cmds[i];
	return NULL;
}

void board_by_cgroup(const struct board *b, uint64_t cgroup, char out[ID_MAX])
{
	const struct board_cmd *c = cmd_of(b, cgroup);
	const struct board_set *s = c ? NULL : set_of(b, cgroup);

	out[0] = 0;
	if (c)
		copy_id(b, (size_t)(c - b->page->cmds), out);
	else if (s)
		copy_id(b, (size_t)atomic_load(&s->slot), out);
}

bool board_labels(const struct board *b, uint64_t cgroup, uint64_t id, struct lineage *ret)
{
	const struct board_set *s = set_of(b, cgroup);
	bool ours = s && atomic_load(&s->id) == id;

	*ret = (struct lineage){ 0 };
	if (ours)
		*ret = (struct lineage){ .sure = atomic_load(&s->sure), .may = atomic_load(&s->may), .id = id };
	/* The place may have been given to another directory meanwhile. */
	if (ours && atomic_load(&s->cgroup) == cgroup)
		return true;
	*ret = (struct lineage){ 0 };
	return false;
}

void board_single(const struct board *b, char out[ID_MAX])
{
	size_t n = 0, at = 0;

	out[0] = 0;
	for (size_t i = 0; i < BOARD_CMDS; i++)
		if (atomic_load(&b->page->cmds[i].used)) {
			n++;
			at = i;
		}
	if (n == 1)
		copy_id(b, at, out);
}
