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

struct store { int fd; MDB_env *env; };

/* LMDB writes into the memory file itself: no directory to make, no journal to wait for, nothing to copy. */
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
		r = mdb_env_open(s->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600);
	if (r) {
		store_drop(s);
		return err_set(err, -EIO, "opening the generation: %s", mdb_strerror(r));
	}
	*ret = s;
	return 0;
}

/* A transaction for each: what is written is not held. */
int store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err)
{
	MDB_val k = { strlen(key), (void *)(uintptr_t)key }, v = { len, (void *)(uintptr_t)data };
	MDB_txn *txn = NULL;
	MDB_dbi dbi;
	int r = mdb_txn_begin(s->env, NULL, 0, &txn);

	if (r == 0)
		r = mdb_dbi_open(txn, NULL, 0, &dbi);
	if (r == 0)
		r = mdb_put(txn, dbi, &k, &v, 0);
	if (r == 0)
		r = mdb_txn_commit(txn);
	else if (txn)
		mdb_txn_abort(txn);
	return r ? err_set(err, -EFBIG, "writing the generation: %s", mdb_strerror(r)) : 0;
}

int store_end(struct store *s, int *ret_fd, struct err *err)
{
	int r = 0;

	mdb_env_close(s->env);
	s->env = NULL;
	if (fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
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
	if (s->env)
		mdb_env_close(s->env);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
