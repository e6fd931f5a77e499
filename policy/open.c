/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a generation: hashed, mapped, checked, and used where it lies. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/evt.h"
#include "common/ipc.h"
#include "common/str.h"
#include "policy/compile.h"
#include "policy/image.h"

const char *pol_decision_name(enum pol_decision d)
{
	static const char *const names[] = { "deny", "allow", "approve", "redirect", "audit", "soft_delete", "absorb" };

	return d < POL__COUNT ? names[d] : "deny";
}

const char *pol_op_name(enum pol_op op)
{
	static const char *const names[] = { "read", "open", "stat", "list", "write", "create", "mkdir", "chmod", "chown", "rename",
		"delete", "rmdir",
					     "readlink", "access", "link", "symlink", "mknod" };

	return op < POL_OP__COUNT ? names[op] : "?";
}

static const char **strings_of(const struct policy *p, list_ref l, const char **at)
{
	uint32_t n;
	const uint32_t *v = list_at(p, l, &n);

	for (uint32_t i = 0; i < n; i++)
		*at++ = p->pool + v[i];
	*at++ = NULL;
	return at;
}

/* Pointers for the lists that are handed out as arrays; few rules have any. */
static int make_arrays(struct policy *p)
{
	const struct img_part *parts = (const struct img_part *)(const void *)((const uint8_t *)p->h + p->h->r[R_PARTS].at);
	uint32_t n_parts = p->h->r[R_PARTS].n;
	size_t n = p->words[p->h->inject] + 1;
	const char **at;

	for (uint32_t i = 0; i < n_parts; i++)
		n += (size_t)p->words[parts[i].args] + p->words[parts[i].append] + p->words[parts[i].env] + 3;
	p->strings = calloc(n, sizeof(*p->strings));
	p->parts = calloc(3 * (size_t)n_parts + 1, sizeof(*p->parts));
	if (!p->strings || !p->parts)
		return -ENOMEM;
	at = strings_of(p, p->h->inject, p->strings);
	p->inject = p->strings;
	for (uint32_t i = 0; i < n_parts; i++) {
		const list_ref lists[3] = { parts[i].args, parts[i].append, parts[i].env };

		for (uint32_t k = 0; k < 3; k++) {
			p->parts[3 * (size_t)i + k] = at;
			at = strings_of(p, lists[k], at);
		}
	}
	return 0;
}

static int load(struct policy *p, struct record *rec, struct err *err)
{
	int r = rec[0].data ? image_map(p, rec[0].data, rec[0].len) : -EPROTO;

	if (r == -EPROTO)
		return err_set(err, r, "the generation has another format: compile the policy again");
	if (r < 0)
		return err_set(err, r, "the generation's rules are damaged");
	for (size_t i = 0; i < p->n_dfa; i++)
		if (dfa_map(rec[1 + i].data, rec[1 + i].len, &p->dfa[i]) < 0)
			return err_set(err, -EBADMSG, "the generation's automaton is damaged");
	if (make_arrays(p) < 0 || settings_load(p) < 0 || kept_load(p) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* A file nobody can change any more is mapped itself, so that all who open it share its pages; of another a copy is made that nobody
 * can. What is hashed is what is used. */
static int map_file(int fd, struct policy *p, struct err *err)
{
	const int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	auto_fd copy = -1;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS), r = 0;
	void *m;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || (uint64_t)st.st_size > GENERATION_MAX)
		return err_set(err, -EBADMSG, "the generation is empty or larger than %u MiB", GENERATION_MAX >> 20);
	m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return err_set(err, -errno, "reading the generation: %s", strerror(errno));
	if (seals < 0 || (seals & all) != all) {
		r = memfd_sealed("agentsh-generation", m, (size_t)st.st_size, &copy);
		munmap(m, (size_t)st.st_size);
		m = r < 0 ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, copy, 0);
		if (m == MAP_FAILED)
			return err_set(err, -ENOMEM, "copying the generation failed");
	}
	p->map = m;
	p->map_len = (size_t)st.st_size;
	return 0;
}

int policy_open(int fd, const uint8_t hash[32], struct policy **ret, struct err *err)
{
	struct record rec[1 + POL_DFA_MAX] = { { "rule", 0, 0 } };
	struct policy *p = calloc(1, sizeof(*p));
	char keys[POL_DFA_MAX][32];
	uint8_t have[32];
	int r;

	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	r = map_file(fd, p, err);
	for (size_t i = 0; i < POL_DFA_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "dfa%zu", i);
		rec[1 + i].key = keys[i];
	}
	if (r == 0) {
		sha256(p->map, p->map_len, have);
		if (memcmp(have, hash, 32) != 0)
			r = err_set(err, -EBADMSG, "the generation is damaged: its SHA-256 is not what was said");
	}
	if (r == 0 && store_map(p->map, p->map_len, rec, ARRAY_LEN(rec)) < 0)
		r = err_set(err, -EBADMSG, "the generation is damaged: its pages contradict each other");
	if (r == 0)
		r = load(p, rec, err);
	if (r < 0) {
		policy_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

void policy_close(struct policy *p)
{
	if (!p)
		return;
	free(p->strings);
	free(p->parts);
	free(p->sticky);
	free(p->service);
	free(p->budget);
	if (p->map)
		munmap(p->map, p->map_len);
	free(p);
}

const char *policy_name(const struct policy *p)
{
	return str_at(p, p->h->name);
}

int policy_rule_position(const struct policy *p, const char *section, const char *rule, char *out, size_t cap)
{
	static const char *const words[] = { [SEC_FILE] = "file", [SEC_NET] = "net", [SEC_EXEC] = "exec", [SEC_UNIX] = "unix",
		[SEC_SIGNAL] = "signal", [SEC_DNS] = "dns-redirect", [SEC_CONNECT] = "connect-redirect", [SEC_SERVICE] = "service",
		[SEC_BUDGET] = "budget", [SEC_REQUEST] = "service-rule" };
	uint32_t n_files;
	const uint32_t *files = list_at(p, p->h->sources, &n_files);

	for (size_t s = 0; s < SEC__COUNT; s++)
		for (uint32_t i = 0; !strcmp(section, words[s]) && i < p->n[s]; i++) {
			const struct img_rule *u = &p->rules[s][i];

			if (!strcmp(p->pool + u->name, rule))
				return str_format(out, cap, "%s:%u", u->file < n_files ? p->pool + files[u->file] : "?", u->line);
		}
	return -ENOENT;
}
