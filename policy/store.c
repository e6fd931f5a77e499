/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one generation: an LMDB file, LMDB's home. Only the compiler links it; pages.c reads. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "policy/model.h"

struct store { int fd; MDB_env *env; MDB_txn *txn; };   /* txn: a record is being filled */

/* LMDB writes into the memory file itself: no directory to make, no journal to wait for, nothing to copy: records are filled where
 * they will lie. */
int store_begin(struct store **ret, struct err *err)
{
	struct store *s = calloc(1, sizeof(*s));
	char path[64];
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->fd = memfd_create("agentsh-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->fd < 0) {
		r = err_set(err, -errno, "making the generation: %s", strerror(errno));
		store_drop(s);
		return r;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	r = mdb_env_create(&s->env);
	if (r == 0)
		r = mdb_env_set_mapsize(s->env, GENERATION_MAX);
	if (r == 0)
		r = mdb_env_open(s->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC | MDB_WRITEMAP, 0600);
	if (r) {
		store_drop(s);
		return err_set(err, -EIO, "opening the generation: %s", mdb_strerror(r));
	}
	*ret = s;
	return 0;
}

int store_room(struct store *s, const char *key, size_t len, void **ret, struct err *err)
{
	MDB_val k = { strlen(key), (void *)(uintptr_t)key }, v = { len, NULL };
	MDB_dbi dbi;
	int r = mdb_txn_begin(s->env, NULL, 0, &s->txn);

	if (r == 0)
		r = mdb_dbi_open(s->txn, NULL, 0, &dbi);
	if (r == 0)
		r = mdb_put(s->txn, dbi, &k, &v, MDB_RESERVE);
	if (r) {
		mdb_txn_abort(s->txn);
		s->txn = NULL;
		return err_set(err, -EFBIG, "writing the generation: %s", mdb_strerror(r));
	}
	*ret = v.mv_data;
	return 0;
}

/* A transaction for each: what is written is not held. */
int store_done(struct store *s, struct err *err)
{
	int r = mdb_txn_commit(s->txn);

	s->txn = NULL;
	return r ? err_set(err, -EFBIG, "writing the generation: %s", mdb_strerror(r)) : 0;
}

int store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err)
{
	void *room = NULL;
	int r = store_room(s, key, len, &room, err);

	if (r < 0 || !room)
		return r < 0 ? r : -ENOMEM;
	memcpy(room, data, len);
	return store_done(s, err);
}

/* The file as long as what is in it: it was made as long as any may be. */
static int cut(const struct store *s)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(s->env, &info) || mdb_env_stat(s->env, &stat))
		return -EIO;
	return ftruncate(s->fd, (off_t)((info.me_last_pgno + 1) * stat.ms_psize)) < 0 ? -errno : 0;
}

int store_end(struct store *s, int *ret_fd, struct err *err)
{
	int r = cut(s);

	mdb_env_close(s->env);
	s->env = NULL;
	if (r < 0)
		err_set(err, r, "writing the generation: %s", strerror(-r));
	else if (fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		r = err_set(err, -errno, "sealing the generation: %s", strerror(errno));
	else
		*ret_fd = move_fd(&s->fd);
	store_drop(s);
	return r;
}

void store_drop(struct store *s)
{
	if (!s)
		return;
	if (s->txn)
		mdb_txn_abort(s->txn);
	if (s->env)
		mdb_env_close(s->env);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
