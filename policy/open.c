/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a generation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/evt.h"
#include "common/ipc.h"
#include "common/str.h"
#include "policy/compile.h"
#include "policy/model.h"

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

struct pol_verdict verdict_of(const struct rule *u, uint32_t no)
{
	static const struct rule_more none;
	const struct rule_more *m = u->more ? u->more : &none;

	return (struct pol_verdict){ .decision = u->decision, .rule = u->name, .rule_no = no, .message = u->message, .timeout_ms = u->timeout_ms,
				     .redirect_to = u->redirect_to, .preserve_tree = u->preserve_tree,
				     .redirect_args = (const char *const *)m->redirect_args.v, .n_redirect_args = m->redirect_args.n,
				     .redirect_append = (const char *const *)m->redirect_append.v,
				     .n_redirect_append = m->redirect_append.n, .redirect_env = (const char *const *)m->redirect_env.v,
				     .n_redirect_env = m->redirect_env.n, .undo_keep = m->undo_keep, .tls = m->tls, .dlp = m->dlp,
				     .http = m->methods.n || m->url_paths.n };
}

LEAKS_UNSEEN_BEGIN /* the ranges belong to the rule: model_fini */
/* Text to bytes once, not at each question. */
static int ranges(struct rules *nets)
{
	for (size_t i = 0; i < nets->n; i++) {
		struct rule *u = &nets->v[i];

		if (!u->cidrs.n)
			continue;
		u->ranges = calloc(u->cidrs.n, sizeof(*u->ranges));
		for (size_t k = 0; k < u->cidrs.n; k++)
			if (!u->ranges || cidr_parse(u->cidrs.v[k], &u->ranges[k]) < 0)
				return -EBADMSG;
	}
	return 0;
}
LEAKS_UNSEEN_END

static int load(struct policy *p, struct record *rec, struct err *err)
{
	struct rd r = rd_init(rec[0].data, rec[0].len);
	char name[256], file[4400], workspace[4096];
	struct rules *out[] = { &p->m.files, &p->m.nets, &p->m.execs };

	if (rd_u32(&r) != MODEL_FORMAT)
		return err_set(err, -EPROTO, "the generation has another format: compile the policy again");
	p->n_dfa = rd_u32(&r);
	rd_strcpy(&r, name, sizeof(name));
	rd_strcpy(&r, file, sizeof(file));
	rd_strcpy(&r, workspace, sizeof(workspace));
	if (!rd_done(&r) || p->n_dfa == 0 || p->n_dfa > POL_DFA_MAX)
		return err_set(err, -EBADMSG, "the generation is damaged");
	p->m.name = strdup(name);
	p->m.file = strdup(file);
	p->workspace = strdup(workspace);
	for (size_t i = 0; i < 3; i++) {
		r = rd_init(rec[1 + i].data, rec[1 + i].len);
		if (!rec[1 + i].data || model_read_rules(&r, out[i]) < 0 || !rd_done(&r))
			return err_set(err, -EBADMSG, "the generation's rules are damaged");
	}
	if (ranges(&p->m.nets) < 0)
		return err_set(err, -EBADMSG, "the generation's address ranges are damaged");
	for (size_t i = 0; i < p->n_dfa; i++) {
		p->dfa_data[i] = (void *)(uintptr_t)rec[4 + i].data;
		rec[4 + i].data = NULL;
		if (dfa_map(p->dfa_data[i], rec[4 + i].len, &p->dfa[i]) < 0)
			return err_set(err, -EBADMSG, "the generation's automaton is damaged");
	}
	p->regex = calloc(p->m.execs.n + 1, sizeof(struct regex *));
	for (size_t i = 0; p->regex && i < p->m.execs.n; i++)
		if (p->m.execs.v[i].regex_len && regex_open(p->m.execs.v[i].regex, p->m.execs.v[i].regex_len, &p->regex[i]) < 0)
			return err_set(err, -EPROTO, "an args_pattern was compiled for another processor: compile the policy again");
	return 0;
}

int policy_open(int fd, const uint8_t hash[32], struct policy **ret, struct err *err)
{
	struct record rec[4 + POL_DFA_MAX] = { { "meta", 0, 0 }, { "files", 0, 0 }, { "nets", 0, 0 }, { "execs", 0, 0 } };
	char keys[POL_DFA_MAX][32];
	auto_fd copy = -1;
	uint8_t have[32];
	struct policy *p;
	struct stat st;
	void *m;
	int r;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || (uint64_t)st.st_size > GENERATION_MAX)
		return err_set(err, -EBADMSG, "the generation is empty or larger than %u MiB", GENERATION_MAX >> 20);
	m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (m == MAP_FAILED)
		return err_set(err, -errno, "reading the generation: %s", strerror(errno));
	/* Our own sealed copy is hashed and read: nobody changes it between the two. */
	r = memfd_sealed("agentsh-generation", m, (size_t)st.st_size, &copy);
	munmap(m, (size_t)st.st_size);
	m = r < 0 ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, copy, 0);
	if (m == MAP_FAILED)
		return err_set(err, -ENOMEM, "copying the generation failed");
	sha256(m, (size_t)st.st_size, have);
	munmap(m, (size_t)st.st_size);
	if (memcmp(have, hash, 32) != 0)
		return err_set(err, -EBADMSG, "the generation is damaged: its SHA-256 is not what was said");
	for (size_t i = 0; i < POL_DFA_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "dfa%zu", i);
		rec[4 + i].key = keys[i];
	}
	p = calloc(1, sizeof(*p));
	r = p ? store_read(copy, rec, ARRAY_LEN(rec), err) : -ENOMEM;
	if (r == 0)
		r = load(p, rec, err);
	for (size_t i = 0; i < ARRAY_LEN(rec); i++)
		free((void *)(uintptr_t)rec[i].data);
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
	for (size_t i = 0; p->regex && i < p->m.execs.n; i++)
		regex_close(p->regex[i]);
	free(p->regex);
	free(p->workspace);
	model_fini(&p->m);
	for (size_t i = 0; i < POL_DFA_MAX; i++)
		free(p->dfa_data[i]);
	free(p);
}

const char *policy_name(const struct policy *p)
{
	return p->m.name;
}

int policy_rule_position(const struct policy *p, const char *section, const char *rule, char *out, size_t cap)
{
	const struct rules *s = section[0] == 'f' ? &p->m.files : section[0] == 'n' ? &p->m.nets : &p->m.execs;

	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->v[i].name, rule))
			return str_format(out, cap, "%s:%u", p->m.file, s->v[i].line);
	return -ENOENT;
}
