/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and automata to bytes and back; every length is checked before it is believed. */
#include "policy/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void strs_fini(struct strs *s)
{
	for (size_t i = 0; s->v && i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strs){ 0 };
}

static void more_fini(struct rule_more *m)
{
	if (!m)
		return;
	struct strs *lists[] = { &m->redirect_args, &m->redirect_append, &m->redirect_env, &m->processes, &m->methods, &m->url_paths, &m->sha256,
				 &m->env_allow, &m->env_deny };

	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		strs_fini(lists[k]);
	free(m->dlp);
	free(m);
}

struct rule_more *rule_more(struct rule *r)
{
	if (!r->more)
		r->more = calloc(1, sizeof(*r->more));
	return r->more;
}

void rules_fini(struct rules *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct rule *u = &r->v[i];
		struct strs *lists[] = { &u->paths, &u->domains, &u->cidrs, &u->commands, &u->args_patterns };

		for (size_t k = 0; k < ARRAY_LEN(lists); k++)
			strs_fini(lists[k]);
		free(u->name);
		free(u->message);
		free(u->redirect_to);
		free(u->ports);
		free(u->ranges);
		free(u->regex);
		more_fini(u->more);
	}
	free(r->v);
	*r = (struct rules){ 0 };
}

void model_fini(struct model *m)
{
	rules_fini(&m->files);
	rules_fini(&m->nets);
	rules_fini(&m->execs);
	free(m->name);
	free(m->file);
	*m = (struct model){ 0 };
}

void dfa_fini(struct dfa *d)
{
	free(d->next);
	free(d->accept);
	free(d->rows);
	free(d->tree);
	*d = (struct dfa){ 0 };
}

static void put_opt(struct wr *w, const char *s)
{
	wr_u8(w, s != NULL);
	wr_str(w, s ? s : "");
}

static void put_strs(struct wr *w, const struct strs *s)
{
	wr_u32(w, (uint32_t)s->n);
	for (size_t i = 0; i < s->n; i++)
		wr_str(w, s->v[i]);
}

void model_write_rules(struct wr *w, const struct rules *r)
{
	static const struct strs none;

	wr_u32(w, (uint32_t)r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct rule *u = &r->v[i];

		wr_str(w, u->name);
		put_opt(w, u->message);
		put_opt(w, u->redirect_to);
		wr_u8(w, (uint8_t)u->decision);
		wr_u64(w, u->timeout_ms);
		wr_u8(w, u->preserve_tree);
		wr_u32(w, u->line);
		wr_u32(w, u->ops);
		put_strs(w, &u->domains);
		put_strs(w, &u->cidrs);
		put_strs(w, &u->commands);
		put_strs(w, u->more ? &u->more->redirect_args : &none);
		put_strs(w, u->more ? &u->more->redirect_append : &none);
		put_strs(w, u->more ? &u->more->redirect_env : &none);
		wr_u32(w, (uint32_t)u->n_ports);
		for (size_t k = 0; k < u->n_ports; k++)
			wr_u16(w, u->ports[k]);
		wr_u32(w, (uint32_t)u->min_depth);
		wr_u32(w, (uint32_t)u->max_depth);
		wr_u32(w, (uint32_t)u->regex_len);
		wr_bytes(w, u->regex, u->regex_len);
	}
}

static char *get_str(struct rd *r)
{
	size_t n;
	const char *s = rd_str(r, 1u << 20, &n);
	char *copy = r->bad ? NULL : strndup(s, n);

	if (!copy)
		r->bad = true;
	return copy;
}

static char *get_opt(struct rd *r)
{
	bool there = rd_u8(r) == 1;
	char *s = get_str(r);

	if (there)
		return s;
	free(s);
	return NULL;
}

LEAKS_UNSEEN_BEGIN /* the strings belong to the rule: model_fini */
static void get_strs(struct rd *r, struct strs *s)
{
	uint32_t n = rd_u32(r);

	if (n > STRINGS_MAX) {
		r->bad = true;
		return;
	}
	s->v = calloc((size_t)n + 1, sizeof(char *));
	if (!s->v)
		r->bad = true;
	for (uint32_t i = 0; i < n && !r->bad; i++) {
		s->v[i] = get_str(r);
		s->n = i + 1;
	}
}
LEAKS_UNSEEN_END

static void get_rule(struct rd *r, struct rule *u)
{
	uint32_t n;
	const uint8_t *p;

	u->name = get_str(r);
	u->message = get_opt(r);
	u->redirect_to = get_opt(r);
	u->decision = rd_u8(r);
	u->timeout_ms = rd_u64(r);
	u->preserve_tree = rd_u8(r) == 1;
	u->line = rd_u32(r);
	u->ops = rd_u32(r);
	get_strs(r, &u->domains);
	get_strs(r, &u->cidrs);
	get_strs(r, &u->commands);
	if (!rule_more(u)) {
		r->bad = true;
		return;
	}
	get_strs(r, &u->more->redirect_args);
	get_strs(r, &u->more->redirect_append);
	get_strs(r, &u->more->redirect_env);
	n = rd_u32(r);
	if (n > STRINGS_MAX || u->decision >= POL__COUNT) {
		r->bad = true;
		return;
	}
	u->ports = calloc((size_t)n + 1, sizeof(uint16_t));
	if (!u->ports)
		r->bad = true; /* a rule without ports would hold for every port */
	for (u->n_ports = 0; u->ports && u->n_ports < n; u->n_ports++)
		u->ports[u->n_ports] = rd_u16(r);
	u->min_depth = (int32_t)rd_u32(r);
	u->max_depth = (int32_t)rd_u32(r);
	n = rd_u32(r);
	p = rd_bytes(r, n);
	u->regex = p && n ? malloc(n) : NULL;
	if (u->regex) {
		memcpy(u->regex, p, n);
		u->regex_len = n;
	} else if (n) {
		r->bad = true;
	}
}

int model_read_rules(struct rd *r, struct rules *ret)
{
	uint32_t n = rd_u32(r);

	if (n > RULES_MAX)
		r->bad = true;
	ret->v = r->bad ? NULL : calloc((size_t)n + 1, sizeof(struct rule));
	if (!ret->v)
		return -EBADMSG;
	for (ret->n = 0; ret->n < n && !r->bad; ret->n++)
		get_rule(r, &ret->v[ret->n]);
	return r->bad ? -EBADMSG : 0;
}

void model_write_dfa(struct wr *w, const struct dfa *d)
{
	wr_u32(w, d->n_states);
	wr_u32(w, d->n_classes);
	wr_u32(w, d->root);
	wr_u32(w, d->workspace);
	wr_bytes(w, d->class, sizeof(d->class));
	wr_bytes(w, d->next, (size_t)d->n_states * d->n_classes * 4);
	wr_bytes(w, d->accept, (size_t)d->n_states * 4);
	wr_u32(w, d->n_rows);
	wr_bytes(w, d->rows, (size_t)d->n_rows * POL_OP__COUNT * 4);
}

size_t model_dfa_size(const struct dfa *d)
{
	return 5 * sizeof(uint32_t) + sizeof(d->class) +
	       ((size_t)d->n_states * (d->n_classes + 1) + (size_t)d->n_rows * POL_OP__COUNT) * sizeof(uint32_t);
}

static void *copy_of(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);
	void *m = p ? malloc(n + 1) : NULL;

	if (m)
		memcpy(m, p, n);
	else
		r->bad = true;
	return m;
}

int model_read_dfa(struct rd *r, struct dfa *d)
{
	const uint8_t *p;

	d->n_states = rd_u32(r);
	d->n_classes = rd_u32(r);
	d->root = rd_u32(r);
	d->workspace = rd_u32(r);
	p = rd_bytes(r, sizeof(d->class));
	if (!p || d->n_states == 0 || d->n_states > STATES_MAX || d->n_classes == 0 || d->n_classes > 256 || d->root >= d->n_states ||
	    d->workspace >= d->n_states)
		return -EBADMSG;
	memcpy(d->class, p, sizeof(d->class));
	d->next = copy_of(r, (size_t)d->n_states * d->n_classes * 4);
	d->accept = copy_of(r, (size_t)d->n_states * 4);
	d->n_rows = rd_u32(r);
	if (d->n_rows > d->n_states)
		return -EBADMSG;
	d->rows = copy_of(r, (size_t)d->n_rows * POL_OP__COUNT * 4);
	d->tree = calloc(1, d->n_states);
	if (r->bad || !d->tree)
		return -EBADMSG;
	for (size_t i = 0; i < d->n_states; i++)
		if (d->accept[i] >= d->n_rows)
			return -EBADMSG;
	for (size_t i = 0; i < 256; i++)
		if (d->class[i] >= d->n_classes)
			return -EBADMSG;
	for (size_t i = 0; i < (size_t)d->n_states * d->n_classes; i++)
		if (d->next[i] >= d->n_states)
			return -EBADMSG;
	return 0;
}
