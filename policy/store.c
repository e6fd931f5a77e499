/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one generation: an LMDB file, LMDB's home. Only the compiler links it; pages.c reads. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/ipc.h"
#include "policy/model.h"

static int fill(MDB_env *env, const struct record *v, size_t n)
{
	MDB_txn *txn = NULL;
	MDB_dbi dbi;
	int r = mdb_txn_begin(env, NULL, 0, &txn);

	if (r)
		return r;
	r = mdb_dbi_open(txn, NULL, 0, &dbi);
	for (size_t i = 0; i < n && r == 0; i++) {
		MDB_val key = { strlen(v[i].key), (void *)(uintptr_t)v[i].key }, data = { v[i].len, (void *)(uintptr_t)v[i].data };

		r = mdb_put(txn, dbi, &key, &data, 0);
	}
	if (r) {
		mdb_txn_abort(txn);
		return r;
	}
	return mdb_txn_commit(txn);
}

/* LMDB writes into the memory file itself: no directory to make, no journal to wait for, nothing to copy. */
int store_write(const struct record *v, size_t n, int *ret_fd, struct err *err)
{
	auto_fd fd = memfd_create("agentsh-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	MDB_env *env = NULL;
	char path[64];
	int r;

	if (fd < 0)
		return err_set(err, -errno, "making the generation: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = mdb_env_create(&env);
	if (r == 0)
		r = mdb_env_set_mapsize(env, GENERATION_MAX);
	if (r == 0)
		r = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600);
	if (r == 0)
		r = fill(env, v, n);
	if (env)
		mdb_env_close(env);
	if (r)
		return err_set(err, -EFBIG, "writing the generation: %s", mdb_strerror(r));
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return err_set(err, -errno, "sealing the generation: %s", strerror(errno));
	*ret_fd = move_fd(&fd);
	return 0;
}
