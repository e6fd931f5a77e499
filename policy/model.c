/* SPDX-License-Identifier: Apache-2.0 */
/* A model let go. */
#include "policy/model.h"

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
	if (!m || m->sharers) {
		if (m)
			m->sharers--;
		return;
	}
	struct strs *lists[] = { &m->redirect_args, &m->redirect_append, &m->redirect_env, &m->processes, &m->methods, &m->url_paths,
				 &m->sha256,
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

static bool only_processes(const struct rule_more *m)
{
	static const struct rule_more none;
	struct rule_more rest;

	memcpy(&rest, m, sizeof(rest));
	rest.processes = none.processes;
	rest.sharers = 0;
	/* A difference in padding costs a rule's room, no more. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
	return m->processes.n && !memcmp(&rest, &none, sizeof(rest));
}

static bool same(const struct strs *a, const struct strs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

void rule_share(struct rule *r, struct rule_more *recent[MORE_RECENT])
{
	struct rule_more *m = r->more, **at;
	uint32_t hash = 2166136261u;

	if (!m || !only_processes(m))
		return;
	for (size_t i = 0; i < m->processes.n; i++)
		for (const char *s = m->processes.v[i]; *s; s++)
			hash = (hash ^ (uint8_t)*s) * 16777619u;
	at = &recent[(hash ^ hash >> 16) % MORE_RECENT];
	if (*at && same(&(*at)->processes, &m->processes)) {
		more_fini(m);
		r->more = *at;
		r->more->sharers++;
	} else {
		*at = m;
	}
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
		free(u->regex);
		if (u->more)
			more_fini(u->more);
	}
	free(r->v);
	*r = (struct rules){ 0 };
}

static void signal_fini(struct signal_rule *u)
{
	free(u->name);
	free(u->message);
	free(u->pattern);
	strs_fini(&u->processes);
}

static void redirects_fini(struct redirect_rule *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *owned[] = { v[i].name, v[i].message, v[i].match, v[i].host, v[i].unix_path, v[i].sni };

		for (size_t k = 0; k < ARRAY_LEN(owned); k++)
			free(owned[k]);
		free(v[i].regex);
	}
	free(v);
}

static void service_fini(struct service *u)
{
	char *owned[] = { u->name, u->upstream, u->expose_as, u->secret_ref, u->secret_format, u->inject_header, u->inject_template,
			  u->host };

	for (size_t k = 0; k < ARRAY_LEN(owned); k++)
		free(owned[k]);
	strs_fini(&u->aliases);
	rules_fini(&u->rules);
}

static void budget_fini(struct budget *u)
{
	free(u->name);
	free(u->message);
	strs_fini(&u->providers);
	strs_fini(&u->models);
	strs_fini(&u->keys);
}

void model_fini(struct model *m)
{
	struct strs *lists[] = { &m->sources, &m->env_allow, &m->env_deny, &m->env_inject, &m->transparent_add, &m->transparent_remove };

	rules_fini(&m->files);
	rules_fini(&m->nets);
	rules_fini(&m->execs);
	rules_fini(&m->unixes);
	for (size_t i = 0; i < m->n_signals; i++)
		signal_fini(&m->signals[i]);
	free(m->signals);
	redirects_fini(m->dns, m->n_dns);
	redirects_fini(m->connect, m->n_connect);
	for (size_t i = 0; i < m->n_services; i++)
		service_fini(&m->services[i]);
	free(m->services);
	for (size_t i = 0; i < m->n_budgets; i++)
		budget_fini(&m->budgets[i]);
	free(m->budgets);
	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		strs_fini(lists[k]);
	free(m->name);
	free(m->file);
	*m = (struct model){ 0 };
}
