/* SPDX-License-Identifier: Apache-2.0 */
/* Text to generation: parse, automata, records, one LMDB file in a sealed memfd. */
#include "policy/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/evt.h"
#include "policy/dfa.h"
#include "policy/nfa.h"
#include "policy/parse.h"

static void check_meaning(struct diag *d, const struct model *m)
{
	for (size_t i = 0; i < m->execs.n; i++)
		if (m->execs.v[i].name && m->execs.v[i].decision == POL_SOFT_DELETE)
			diag_at(d, m->execs.v[i].line, 1, "warning", "rule \"%s\": soft_delete means nothing for a command; it is allowed",
				m->execs.v[i].name);
}

static int read_model(const struct pol_source *src, struct diag *d, bool vars_may_miss, struct model *m)
{
	struct parse p = { .d = d, .src = src, .vars_may_miss = vars_may_miss, .m = m };
	struct node *root = yaml_read(src->text, src->len, d, parse_item, &p);
	int r = root ? parse_model(&p, root) : -EINVAL;

	node_free(root);
	if (r == 0)
		check_meaning(d, m);
	if (d->errors > DIAG_MAX)
		buf_printf(d->out, "%s: and %zu more errors\n", src->file, d->errors - DIAG_MAX);
	if (d->warnings > DIAG_MAX)
		buf_printf(d->out, "%s: and %zu more warnings\n", src->file, d->warnings - DIAG_MAX);
	return d->errors ? -EINVAL : r;
}

/* As few automata as hold all patterns: halves what is too large. */
static int automata(const struct model *m, size_t from, size_t to, const char *workspace, struct dfa *v, size_t *n)
{
	int r;

	if (*n == POL_DFA_MAX)
		return -E2BIG;
	r = dfa_build(&m->files, from, to, workspace, &v[*n]);
	if (r == 0) {
		++*n;
		return 0;
	}
	dfa_fini(&v[*n]);
	memset(&v[*n], 0, sizeof(v[*n]));
	if (r != -E2BIG || to - from < 2)
		return r;
	r = automata(m, from, from + (to - from) / 2, workspace, v, n);
	return r < 0 ? r : automata(m, from + (to - from) / 2, to, workspace, v, n);
}

static int emit(const struct model *m, const struct dfa *v, size_t n, const char *workspace, int *ret_fd, struct err *err)
{
	const struct rules *sections[] = { &m->files, &m->nets, &m->execs };
	static const char *const names[] = { "files", "nets", "execs" };
	struct record rec[4 + POL_DFA_MAX] = { 0 };
	char keys[POL_DFA_MAX][32];
	size_t cap = GENERATION_MAX / 2;
	uint8_t *all = malloc(cap);
	struct wr w = wr_init(all, all ? cap : 0);
	size_t at = 0;

	wr_u32(&w, MODEL_FORMAT);
	wr_u32(&w, (uint32_t)n);
	wr_str(&w, m->name);
	wr_str(&w, m->file);
	wr_str(&w, workspace);
	rec[0] = (struct record){ "meta", all, wr_len(&w) };
	for (size_t i = 0; i < 3; i++) {
		at = wr_len(&w);
		model_write_rules(&w, sections[i]);
		rec[1 + i] = (struct record){ names[i], all + at, wr_len(&w) - at };
	}
	for (size_t i = 0; i < n; i++) {
		at = wr_len(&w);
		snprintf(keys[i], sizeof(keys[i]), "dfa%zu", i);
		model_write_dfa(&w, &v[i]);
		rec[4 + i] = (struct record){ keys[i], all + at, wr_len(&w) - at };
	}
	int r = w.bad ? err_set(err, -EFBIG, "the policy is too large when compiled") : store_write(rec, 4 + n, ret_fd, err);

	free(all);
	return r;
}

static int hash_of(int fd, uint8_t hash[32])
{
	struct stat st;
	void *m;

	if (fstat(fd, &st) < 0)
		return -errno;
	m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (m == MAP_FAILED)
		return -errno;
	sha256(m, (size_t)st.st_size, hash);
	munmap(m, (size_t)st.st_size);
	return 0;
}

int policy_compile(const struct pol_source *src, struct buf *diag, int *ret_fd, uint8_t hash[32])
{
	const char *workspace = src->workspace ? src->workspace : "/workspace";
	struct diag d = { .file = src->file, .out = diag };
	struct dfa v[POL_DFA_MAX] = { 0 };
	struct model m = { 0 };
	struct err err = { 0 };
	size_t n = 0;
	int fd = -1, r = read_model(src, &d, false, &m);

	if (r == 0) {
		r = automata(&m, 0, m.files.n, workspace, v, &n);
		if (r == 0)
			r = emit(&m, v, n, workspace, &fd, &err);
		if (r == 0)
			r = hash_of(fd, hash);
		if (r < 0)
			buf_printf(diag, "%s:1:1: error: %s\n", src->file,
				   err.msg[0] ? err.msg : r == -E2BIG ? "the path patterns are too many or too complex" : strerror(-r));
	}
	for (size_t i = 0; i < POL_DFA_MAX; i++)
		dfa_fini(&v[i]);
	model_fini(&m);
	if (r == 0)
		*ret_fd = fd;
	return r;
}

int policy_validate(const struct pol_source *src, struct buf *diag)
{
	struct diag d = { .file = src->file, .out = diag };
	struct model m = { 0 };
	int r = read_model(src, &d, true, &m);

	model_fini(&m);
	return r;
}

int policy_store(int gen_fd, int dirfd, const char *name, struct err *err)
{
	char tmp[300], final[300];
	uint8_t part[65536];
	auto_fd fd = -1;
	off_t at = 0;
	ssize_t n;

	if (str_format(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid()) < 0 || str_format(final, sizeof(final), "%s.mdb", name) < 0)
		return err_set(err, -ENAMETOOLONG, "policy name is too long");
	fd = openat(dirfd, tmp, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(err, -errno, "writing %s: %s", tmp, strerror(errno));
	while ((n = pread(gen_fd, part, sizeof(part), at)) > 0) {
		if (write(fd, part, (size_t)n) != n)
			n = -1;
		if (n < 0)
			break;
		at += n;
	}
	if (n < 0 || fsync(fd) < 0 || renameat(dirfd, tmp, dirfd, final) < 0) {
		int e = errno;

		unlinkat(dirfd, tmp, 0);
		return err_set(err, -e, "writing %s: %s", final, strerror(e));
	}
	return 0;
}
