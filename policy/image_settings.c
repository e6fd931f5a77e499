/* SPDX-License-Identifier: Apache-2.0 */
/* A model's redirects, services, budgets and settings to their mapped form. */
#include <string.h>

#include "policy/image_make.h"

/* Those that have a name, a message and a place like rules, and a record of their own. */
static void put_common(struct make *k, enum section s, const char *name, const char *message, enum pol_decision d, uint64_t timeout_ms,
		       uint16_t file,
		       uint32_t line)
{
	struct img_rule o = { .name = make_str(k, name ? name : ""), .message = make_str(k, message), .decision = (uint8_t)d, .file = file,
			      .line = line, .timeout_ms = (uint32_t)timeout_ms };

	k->bad |= timeout_ms > UINT32_MAX;
	make_put(k, (enum region)s, &o, sizeof(o), 1);
}

static void put_turns(struct make *k, enum section s, const struct redirect_rule *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct redirect_rule *u = &v[i];
		struct img_turn o = { .regex_len = (uint32_t)u->regex_len, .addr_len = s == SEC_DNS ? u->resolve_to.len : 0,
				      .host = make_str(k, u->host),
				      .unix_path = make_str(k, u->unix_path), .sni = make_str(k, u->sni), .port = u->port,
				      .visibility = (uint8_t)u->visibility, .on_failure = (uint8_t)u->on_failure };

		memcpy(o.addr, u->resolve_to.addr, sizeof(o.addr));
		o.regex = make_regex(k, u->regex, u->regex_len);
		/* No pattern would be no match, and what the rule turns away would go through. */
		k->bad |= !u->regex_len;
		put_common(k, s, u->name, u->message, POL_REDIRECT, 0, u->file, u->line);
		make_put(k, R_TURNS, &o, sizeof(o), 1);
	}
}

static void put_services(struct make *k)
{
	for (size_t i = 0; i < k->m->n_services; i++) {
		const struct service *u = &k->m->services[i];
		struct img_service o = { .upstream = make_str(k, u->upstream), .expose_as = make_str(k, u->expose_as),
					 .secret_ref = make_str(k, u->secret_ref), .secret_format = make_str(k, u->secret_format),
					 .inject_header = make_str(k, u->inject_header), .inject_template = make_str(k, u->inject_template),
					 .host = make_str(k, u->host), .aliases = make_list(k, &u->aliases), .n = (uint32_t)u->rules.n,
					 .allow_direct = u->allow_direct, .scrub = u->scrub_response, .end = (uint8_t)u->end };

		make_requests(k, &u->rules, &o.first);
		put_common(k, SEC_SERVICE, u->name, NULL, u->end, 0, u->file, u->line);
		make_put(k, R_SERVICES, &o, sizeof(o), 1);
	}
}

static void put_budgets(struct make *k)
{
	for (size_t i = 0; i < k->m->n_budgets; i++) {
		const struct budget *u = &k->m->budgets[i];
		struct img_budget o = { .max_microusd = u->b.max_microusd, .max_tokens = u->b.max_tokens,
					.max_input_tokens = u->b.max_input_tokens,
					.max_output_tokens = u->b.max_output_tokens, .max_requests = u->b.max_requests,
					.requests_per_minute = u->b.requests_per_minute, .providers = make_list(k, &u->providers),
					.models = make_list(k, &u->models), .keys = make_list(k, &u->keys), .per = (uint8_t)u->b.per };

		memcpy(o.warn_at, u->b.warn_at, sizeof(o.warn_at));
		put_common(k, SEC_BUDGET, u->name, u->message, u->b.decision, u->b.timeout_ms, u->file, u->line);
		make_put(k, R_BUDGETS, &o, sizeof(o), 1);
	}
}

void make_settings(struct make *k)
{
	const struct model *m = k->m;
	const struct pol_limits *l = &m->limits;
	const uint64_t limits[] = { l->max_memory_mb, l->memory_swap_max_mb, l->cpu_quota_percent, l->disk_read_bps_max,
				    l->disk_write_bps_max,
		l->net_bandwidth_mbps, l->pids_max, l->command_timeout_ms, l->session_timeout_ms, l->idle_timeout_ms };
	struct img_head *h = &k->head;
	char *file[] = { m->file, NULL };
	const struct strs only = { file, m->file ? 1 : 0 };

	put_turns(k, SEC_DNS, m->dns, m->n_dns);
	put_turns(k, SEC_CONNECT, m->connect, m->n_connect);
	put_services(k);
	put_budgets(k);
	h->name = make_str(k, m->name ? m->name : "");
	h->workspace = make_str(k, k->workspace);
	h->sources = make_list(k, m->sources.n ? &m->sources : &only);
	h->labels = make_list(k, &k->labels);
	h->inject = make_list(k, &m->env_inject);
	h->flags = l->swap_given ? IMG_SWAP : 0;
	memcpy(h->limits, limits, sizeof(limits));
	h->audit = (m->audit.log_allowed ? AUDIT_ALLOWED : 0) | (m->audit.log_denied ? AUDIT_DENIED : 0) |
		   (m->audit.log_approved ? AUDIT_APPROVED : 0) | (m->audit.include_stdout ? AUDIT_STDOUT : 0) |
		   (m->audit.include_stderr ? AUDIT_STDERR : 0) | (m->audit.include_file_content ? AUDIT_CONTENT : 0);
	h->retention_days = m->audit.retention_days;
	h->env = (struct img_env){ .max_bytes = m->env.max_bytes, .max_keys = m->env.max_keys, .allow = make_list(k, &m->env_allow),
				   .deny = make_list(k, &m->env_deny), .flags = m->env.block_iteration ? ENV_BLOCK : 0 };
}
