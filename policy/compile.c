/* SPDX-License-Identifier: Apache-2.0 */
/* Text to generation: parse, automata, records, one LMDB file in a sealed memfd. */
#include "policy/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/evt.h"
#include "policy/dfa.h"
#include "policy/diff.h"
#include "policy/image.h"
#include "policy/parse.h"

static void and_more(const struct diag *d, const char *file, size_t n, const char *what)
{
	if (n <= diag_most(d))
		return;
	diag_file(d->out, file);
	buf_printf(d->out, ": and %zu more %s\n", n - diag_most(d), what);
}

int read_model(const struct pol_source *src, struct diag *d, bool vars_may_miss, struct model *m)
{
	int r = parse_source(src, d, vars_may_miss, m);

	and_more(d, src->file, d->errors, "errors");
	and_more(d, src->file, d->warnings, "warnings");
	return r;
}

struct making {
	const struct model *m;
	const char *workspace;
	struct store *store;    /* NULL: for the errors only */
	struct err *err;
	uint32_t n;             /* automata */
};

static int put_dfa(void *arg, const struct dfa *d)
{
	struct making *k = arg;
	struct wr w;
	char key[32];
	void *room;
	int r;

	snprintf(key, sizeof(key), "dfa%u", k->n++);
	if (!k->store)
		return 0;
	r = store_room(k->store, key, dfa_size(d), &room, k->err);
	if (r < 0)
		return r;
	w = wr_init(room, dfa_size(d));
	return dfa_write(&w, d) < 0 || wr_len(&w) != dfa_size(d) ? -EPROTO : store_done(k->store, k->err);
}

/* The automata stand for the paths now: a large policy's are worth giving back. */
static void drop_paths(struct model *m)
{
	for (size_t i = 0; i < m->files.n; i++)
		strs_fini(&m->files.v[i].paths);
	if (m->files.n > 1000)
		malloc_trim(0);
}

static void *rules_room(void *arg, size_t n, struct err *err)
{
	struct making *k = arg;
	void *room;

	return store_room(k->store, "rule", n, &room, err) < 0 ? NULL : room;
}

static int put_rules(struct making *k)
{
	int r = image_fill(k->m, k->workspace, k->n, rules_room, k, k->err);

	return r < 0 ? r : store_done(k->store, k->err);
}

static const char *words_for(int r, const struct err *err)
{
	return err->msg[0] ? err->msg : r == -EOVERFLOW ? "the rules name more than 64 different processes" : strerror(-r);
}

static void say_why(const struct model *m, struct diag *d, int r, size_t at, const struct err *err)
{
	const struct rule *u = at < m->files.n ? &m->files.v[at] : NULL;

	if ((r == -E2BIG || r == -ETIME) && u && !err->msg[0]) {
		d->file = u->file < m->sources.n ? m->sources.v[u->file] : d->file;
		diag_at(d, u->line, u->column, "error", "rule \"%s\": up to here the paths of the file rules are too complex: use fewer "
			"different ** and * before other text, or {a,b} in one path for several", u->name);
	} else {
		diag_at(d, 1, 1, "error", "%s", words_for(r, err));
	}
}

/* ret_fd NULL: everything is tried, nothing kept. */
static int make(const struct pol_source *src, struct buf *diag, bool vars_may_miss, int *ret_fd)
{
	struct diag d = { .file = src->file, .out = diag, .all = src->all };
	struct model m = { 0 };
	struct err err = { 0 };
	struct making k = { .m = &m, .workspace = src->workspace ? src->workspace : "/workspace", .err = &err };
	int r = read_model(src, &d, vars_may_miss, &m);
	bool read = r == 0;
	size_t at = SIZE_MAX;

	if (r == 0 && ret_fd)
		r = store_begin(&k.store, &err);
	if (r == 0)
		r = dfa_all(&m, k.workspace, put_dfa, &k, &at);
	drop_paths(&m);
	if (r == 0 && ret_fd)
		r = put_rules(&k);
	if (r == 0 && ret_fd)
		r = store_end(move_ptr(k.store), ret_fd, &err);
	if (r < 0 && read)
		say_why(&m, &d, r, at, &err);
	store_drop(k.store);
	model_fini(&m);
	return r;
}

int policy_compile(const struct pol_source *src, struct buf *diag, int *ret_fd, uint8_t hash[32])
{
	struct diag d = { .file = src->file, .out = diag };
	int fd = -1, r = make(src, diag, false, &fd);

	if (r == 0) {
		r = sha256_fd(fd, hash);
		if (r < 0)
			diag_at(&d, 1, 1, "error", "reading the generation: %s", strerror(-r));
	}
	if (r < 0 && fd >= 0)
		close(fd);
	if (r == 0)
		*ret_fd = fd;
	return r;
}

int policy_validate(const struct pol_source *src, struct buf *diag)
{
	return make(src, diag, true, NULL);
}

/* Negative errno: not all of it is there. */
static int copy_file(int from, int to)
{
	uint8_t part[65536];
	ssize_t n, put = 0;

	for (off_t at = 0; (n = pread(from, part, sizeof(part), at)) > 0; at += n)
		for (ssize_t done = 0; done < n; done += put) {
			put = write(to, part + done, (size_t)(n - done));
			if (put <= 0)
				return put < 0 ? -errno : -EIO;
		}
	return n < 0 ? -errno : 0;
}

int policy_store(int gen_fd, int dirfd, const char *name, struct err *err)
{
	char tmp[300], final[300];
	auto_fd fd = -1;
	int r;

	if (str_format(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid()) < 0 || str_format(final, sizeof(final), "%s.mdb", name) < 0)
		return err_set(err, -ENAMETOOLONG, "policy name is too long");
	fd = openat(dirfd, tmp, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(err, -errno, "writing %s: %s", tmp, strerror(errno));
	r = copy_file(gen_fd, fd);
	if (r == 0 && (fsync(fd) < 0 || renameat(dirfd, tmp, dirfd, final) < 0))
		r = -errno;
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return err_set(err, r, "writing %s: %s", final, strerror(-r));
	}
	return 0;
}
