/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, records, budgets and services: what is looked up, not judged. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/image.h"

static void load_service(struct policy *p, uint32_t i)
{
	const struct img_service *u = &p->services[i];

	p->service[i] = (struct pol_service){ .name = p->pool + p->rules[SEC_SERVICE][i].name, .upstream = str_at(p, u->upstream),
					      .expose_as = str_at(p, u->expose_as), .allow_direct = u->allow_direct,
					      .scrub_response = u->scrub,
					      .secret_ref = str_at(p, u->secret_ref), .secret_format = str_at(p, u->secret_format),
					      .inject_header = str_at(p, u->inject_header), .inject_template = str_at(p,
						      u->inject_template) };
}

static void load_budget(struct policy *p, uint32_t i)
{
	const struct img_budget *u = &p->budgets[i];
	const struct img_rule *r = &p->rules[SEC_BUDGET][i];

	p->budget[i] = (struct pol_budget){ .name = p->pool + r->name, .message = str_at(p, r->message), .per = (enum pol_per)u->per,
					    .max_microusd = u->max_microusd, .max_tokens = u->max_tokens,
					    .max_input_tokens = u->max_input_tokens,
					    .max_output_tokens = u->max_output_tokens, .max_requests = u->max_requests,
					    .requests_per_minute = u->requests_per_minute, .timeout_ms = r->timeout_ms,
					    .decision = r->decision };
	memcpy(p->budget[i].warn_at, u->warn_at, sizeof(u->warn_at));
}

int settings_load(struct policy *p)
{
	const uint64_t *l = p->h->limits;
	uint32_t a = p->h->audit;

	p->service = calloc((size_t)p->n[SEC_SERVICE] + 1, sizeof(*p->service));
	p->budget = calloc((size_t)p->n[SEC_BUDGET] + 1, sizeof(*p->budget));
	if (!p->service || !p->budget)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n[SEC_SERVICE]; i++)
		load_service(p, i);
	for (uint32_t i = 0; i < p->n[SEC_BUDGET]; i++)
		load_budget(p, i);
	p->limits = (struct pol_limits){ l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], l[8], l[9], p->h->flags & IMG_SWAP };
	p->audit = (struct pol_audit){ a & AUDIT_ALLOWED, a & AUDIT_DENIED, a & AUDIT_APPROVED, a & AUDIT_STDOUT, a & AUDIT_STDERR,
		a & AUDIT_CONTENT, p->h->retention_days };
	return 0;
}

const struct pol_limits *policy_limits(const struct policy *p)
{
	return &p->limits;
}

const struct pol_audit *policy_audit(const struct policy *p)
{
	return &p->audit;
}

size_t policy_budgets(const struct policy *p)
{
	return p->n[SEC_BUDGET];
}

const struct pol_budget *policy_budget(const struct policy *p, size_t i)
{
	return &p->budget[i];
}

/* No globs: all. A text that is not known counts: a budget must not be escaped by what is not said. */
static bool counts(const struct policy *p, list_ref l, const char *text)
{
	char lower[WILD_MAX + 1];
	size_t n = 0;

	if (!p->words[l] || !text)
		return true;
	for (; text[n] && n < WILD_MAX; n++)
		lower[n] = (char)tolower((unsigned char)text[n]);
	lower[n] = 0;
	return text[n] || list_wild(p, l, lower, 0);
}

bool policy_budget_counts(const struct policy *p, size_t i, const char *provider, const char *model, const char *key)
{
	const struct img_budget *u = &p->budgets[i];

	return counts(p, u->providers, provider) && counts(p, u->models, model) && counts(p, u->keys, key);
}

size_t policy_services(const struct policy *p)
{
	return p->n[SEC_SERVICE];
}

const struct pol_service *policy_service(const struct policy *p, size_t i)
{
	return &p->service[i];
}

int policy_service_of_host(const struct policy *p, const char *host)
{
	for (uint32_t i = 0; i < p->n[SEC_SERVICE]; i++) {
		uint32_t n;
		const uint32_t *v = list_at(p, p->services[i].aliases, &n);

		if (!strcmp(p->pool + p->services[i].host, host))
			return (int)i;
		for (uint32_t k = 0; k < n; k++)
			if (!strcmp(p->pool + v[k], host))
				return (int)i;
	}
	return -ENOENT;
}
