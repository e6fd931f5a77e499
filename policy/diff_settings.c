/* SPDX-License-Identifier: Apache-2.0 */
/* What is no rule: limits, records, environment, budgets, services. Compared as names with values. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diff.h"

struct settings { struct pool v[2]; struct differ *d; int k; };

/* "section NAME\nVALUE": sorted, equal names stand together. */
static void have(struct settings *s, const char *section, const char *name, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void have(struct settings *s, const char *section, const char *name, const char *fmt, ...)
{
	char value[2048], line[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "%s %.1000s\n%s", section, name, value);
	pool_add(&s->v[s->k], line);
}

static void number(struct settings *s, const char *section, const char *name, uint64_t v, bool given)
{
	if (given)
		have(s, section, name, "%" PRIu64, v);
}

static void limits(struct settings *s, const struct pol_limits *l)
{
	const struct { const char *name; uint64_t v; bool given; } all[] = {
		{ "max_memory_mb", l->max_memory_mb, l->max_memory_mb }, { "memory_swap_max_mb", l->memory_swap_max_mb, l->swap_given },
		{ "cpu_quota_percent", l->cpu_quota_percent, l->cpu_quota_percent },
		{ "disk_read_bps_max", l->disk_read_bps_max, l->disk_read_bps_max },
		{ "disk_write_bps_max", l->disk_write_bps_max, l->disk_write_bps_max },
		{ "net_bandwidth_mbps", l->net_bandwidth_mbps, l->net_bandwidth_mbps }, { "pids_max", l->pids_max, l->pids_max },
		{ "command_timeout (ms)", l->command_timeout_ms, l->command_timeout_ms },
		{ "session_timeout (ms)", l->session_timeout_ms, l->session_timeout_ms },
		{ "idle_timeout (ms)", l->idle_timeout_ms, l->idle_timeout_ms },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		number(s, "resource_limits", all[i].name, all[i].v, all[i].given);
}

static void records(struct settings *s, const struct model *m)
{
	const struct { const char *name; bool v; } audit[] = {
		{ "log_allowed", m->audit.log_allowed }, { "log_denied", m->audit.log_denied }, { "log_approved", m->audit.log_approved },
		{ "include_stdout", m->audit.include_stdout }, { "include_stderr", m->audit.include_stderr },
		{ "include_file_content", m->audit.include_file_content },
	};

	for (size_t i = 0; i < ARRAY_LEN(audit); i++)
		have(s, "audit", audit[i].name, "%s", audit[i].v ? "true" : "false");
	number(s, "audit", "retention_days", m->audit.retention_days, true);
	number(s, "env_policy", "max_bytes", m->env.max_bytes, m->env.max_bytes);
	number(s, "env_policy", "max_keys", m->env.max_keys, m->env.max_keys);
	have(s, "env_policy", "block_iteration", "%s", m->env.block_iteration ? "true" : "false");
	for (size_t i = 0; i < m->env_inject.n; i++) {
		const char *eq = strchr(m->env_inject.v[i], '=');
		char name[512];

		snprintf(name, sizeof(name), "%.*s", eq ? (int)(eq - m->env_inject.v[i]) : 500, m->env_inject.v[i]);
		have(s, "env_inject", name, "%s", eq ? eq + 1 : "");
	}
	for (size_t i = 0; i < m->transparent_add.n; i++)
		have(s, "transparent_commands", m->transparent_add.v[i], "add");
	for (size_t i = 0; i < m->transparent_remove.n; i++)
		have(s, "transparent_commands", m->transparent_remove.v[i], "remove");
}

static void list(struct buf *b, const char *word, const struct strs *v)
{
	for (size_t i = 0; i < v->n; i++)
		buf_printf(b, "%s%s", i ? " " : word, v->v[i]);
}

static void budgets(struct settings *s, const struct model *m)
{
	static const char *const per[] = { "session", "day", "month", "total" };

	for (size_t i = 0; i < m->n_budgets; i++) {
		const struct budget *g = &m->budgets[i];
		struct buf of = BUF_INIT(1500);

		list(&of, " providers ", &g->providers);
		list(&of, " models ", &g->models);
		list(&of, " keys ", &g->keys);
		if (g->b.timeout_ms)
			buf_printf(&of, ", asks for %" PRIu64 " ms", g->b.timeout_ms);
		have(s, "llm_budgets", g->name, "%s per %s: %" PRIu64 " microusd, %" PRIu64 " tokens, %" PRIu64 " in, %" PRIu64 " out, %"
		     PRIu64 " requests, %" PRIu64 " a minute, warn at %u %u %u %u%s", pol_decision_name(g->b.decision),
		     per[g->b.per & 3], g->b.max_microusd, g->b.max_tokens, g->b.max_input_tokens, g->b.max_output_tokens,
		     g->b.max_requests, g->b.requests_per_minute, g->b.warn_at[0], g->b.warn_at[1], g->b.warn_at[2], g->b.warn_at[3],
		     of.data ? (const char *)of.data : "");
		buf_fini(&of);
	}
}

static const char *or_none(const char *s)
{
	return s ? s : "-";
}

static void services(struct settings *s, const struct model *m)
{
	for (size_t i = 0; i < m->n_services; i++) {
		const struct service *v = &m->services[i];
		struct buf of = BUF_INIT(1500);

		list(&of, " aliases ", &v->aliases);
		have(s, "http_services", v->name, "%s as %s, secret %s (%s), header %s: %s%s%s, default %s%s", or_none(v->upstream),
		     or_none(v->expose_as), or_none(v->secret_ref), or_none(v->secret_format), or_none(v->inject_header),
		     or_none(v->inject_template), v->allow_direct ? ", direct" : "", v->scrub_response ? ", scrubbed" : "",
		     pol_decision_name(v->end), of.data ? (const char *)of.data : "");
		buf_fini(&of);
	}
}

/* In the order of the lists, values apart. */
static int by_name(const char *a, const char *b)
{
	size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");

	return na == nb && !strncmp(a, b, na) ? 0 : strcmp(a, b);
}

static const char *value(const char *line)
{
	return line ? line + strcspn(line, "\n") + 1 : "not given";
}

/* What stands in one policy alone (NULL: not in this one), or with another value. */
static void note(struct differ *d, const char *a, const char *b)
{
	const char *line = a ? a : b ? b : "";
	size_t n = strcspn(line, " ");
	char section[64], word[1100];
	const struct side s[2] = { { value(a), word, "" }, { value(b), word, "" } };

	snprintf(section, sizeof(section), "%.*s", (int)n, line);
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(line + n, "\n"), line + n);
	memmove(word, word + 1, strlen(word)); /* the blank */
	diff_begin(d, NULL, "%s", section);
	buf_printf(&d->question, " %s", word);
	diff_note(d, section, s, -1);
}

void diff_settings(struct differ *d)
{
	struct settings s = { .d = d };
	size_t i = 0, k = 0;

	for (s.k = 0; s.k < 2; s.k++) {
		const struct model *m = &d->m[s.k];

		limits(&s, &m->limits);
		records(&s, m);
		budgets(&s, m);
		services(&s, m);
		pool_done(&s.v[s.k]);
	}
	while ((i < s.v[0].n || k < s.v[1].n) && !d->failed) {
		const char *a = i < s.v[0].n ? s.v[0].v[i] : NULL, *b = k < s.v[1].n ? s.v[1].v[k] : NULL;
		int c = !a ? 1 : !b ? -1 : by_name(a, b);

		if (c != 0 || (a && b && strcmp(a, b) != 0))
			note(d, c <= 0 ? a : NULL, c >= 0 ? b : NULL);
		i += c <= 0;
		k += c >= 0;
	}
	d->cut = s.v[0].full || s.v[1].full;
	pool_fini(&s.v[0]);
	pool_fini(&s.v[1]);
}
