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

static int to_memfd(const char *path, int *ret_fd)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *m;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || (uint64_t)st.st_size > GENERATION_MAX)
		return -EFBIG;
	m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (m == MAP_FAILED)
		return -errno;
	r = memfd_sealed("agentsh-policy", m, (size_t)st.st_size, ret_fd);
	munmap(m, (size_t)st.st_size);
	return r;
}

int store_write(const struct record *v, size_t n, int *ret_fd, struct err *err)
{
	char dir[] = "/tmp/agentsh-policy-XXXXXX", path[64];
	MDB_env *env = NULL;
	int r;

	if (!mkdtemp(dir))
		return err_set(err, -errno, "making a temporary directory: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/gen", dir);
	r = mdb_env_create(&env);
	if (r == 0)
		r = mdb_env_set_mapsize(env, GENERATION_MAX);
	if (r == 0)
		r = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600);
	if (r == 0)
		r = fill(env, v, n);
	if (env)
		mdb_env_close(env);
	r = r ? err_set(err, -EFBIG, "writing the generation: %s", mdb_strerror(r)) : to_memfd(path, ret_fd);
	unlink(path);
	rmdir(dir);
	return r;
}
