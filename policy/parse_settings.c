/* SPDX-License-Identifier: Apache-2.0 */
/* Sections that are maps: limits, audit, environment, transparent commands. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/parse.h"

/* A file that is extended does not change what the one that extends it has given: the value is checked and goes to waste. */
static void read_kept(struct at *c, const struct key *k, const struct node *v, uint32_t *given, read_fn fn)
{
	union { struct pol_limits limits; struct pol_audit audit; struct pol_env env; } waste;
	struct at sub = *c;
	uint32_t bit = 1u << (k - c->shape->v);

	memset(&waste, 0, sizeof(waste));
	if (*given & bit)
		sub.to = &waste;
	*given |= bit;
	fn(&sub, k, v);
}

static void read_limit(struct at *c, const struct key *k, const struct node *v)
{
	if (k->offset == offsetof(struct pol_limits, memory_swap_max_mb))
		c->p->m->limits.swap_given = true;
	read_kept(c, k, v, &c->p->given_limits, k->type == T_TIME ? read_time : read_u64);
}

/* So that mebibytes and percent can be multiplied out. */
#define LIMIT_MAX (1ull << 40)
#define LIMIT(field, words) \
	{ #field, 1, T_NUMBER, .read = read_limit, .offset = offsetof(struct pol_limits, field), .max = LIMIT_MAX, .about = (words) }
#define LIMIT_TIME(field, words) \
	{ #field, 1, T_TIME, .read = read_limit, .offset = offsetof(struct pol_limits, field##_ms), .max = 3650 * DAY_MS, .about = (words) }
static const struct key limit_keys[] = {
	LIMIT(max_memory_mb, "Most memory, in MiB."),
	LIMIT(memory_swap_max_mb, "Most swap, in MiB; 0: none."),
	LIMIT(cpu_quota_percent, "Share of one processor, in percent."),
	LIMIT(disk_read_bps_max, "Bytes a second that are read."),
	LIMIT(disk_write_bps_max, "Bytes a second that are written."),
	LIMIT(net_bandwidth_mbps, "Network, in megabits a second."),
	LIMIT(pids_max, "Most processes."),
	LIMIT_TIME(command_timeout, "The longest that one command runs, such as 5m."),
	LIMIT_TIME(session_timeout, "The longest that a session lasts."),
	LIMIT_TIME(idle_timeout, "A session ends after this without a command."),
};
const struct shape shape_limits = { "resource_limits", 1, SHAPE(limit_keys) };

void read_limits(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = { c->p, k->sub, NULL, &c->p->m->limits };

	parse_map(&sub, v);
}

static void read_flag(struct at *c, const struct key *k, const struct node *v)
{
	read_kept(c, k, v, &c->p->given_audit, read_bool);
}

static void read_days(struct at *c, const struct key *k, const struct node *v)
{
	uint64_t days = c->p->m->audit.retention_days;
	struct key number = *k;
	struct at sub = *c;
	bool given = c->p->given_audit >> (k - c->shape->v) & 1;

	number.offset = 0;
	sub.to = &days;
	read_u64(&sub, &number, v);
	c->p->given_audit |= 1u << (k - c->shape->v);
	if (!given)
		c->p->m->audit.retention_days = (uint32_t)days;
}

#define FLAG(field, words) { #field, 1, T_BOOL, .read = read_flag, .offset = offsetof(struct pol_audit, field), .about = (words) }
static const struct key audit_keys[] = {
	FLAG(log_allowed, "What was allowed is recorded (true without it)."),
	FLAG(log_denied, "What was denied is recorded (true without it)."),
	FLAG(log_approved, "What a person answered is recorded (true without it)."),
	FLAG(include_stdout, "Commands' output is recorded (true without it)."),
	FLAG(include_stderr, "Commands' errors are recorded (true without it)."),
	FLAG(include_file_content, "What is written to files is recorded (false without it)."),
	{ "retention_days", 1, T_NUMBER, .read = read_days, .max = 36500, .about = "Days that records are kept; 0: for ever." },
};
const struct shape shape_audit = { "audit", 1, SHAPE(audit_keys) };

void read_audit(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = { c->p, k->sub, NULL, &c->p->m->audit };

	parse_map(&sub, v);
}

static void read_env_number(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = *c;

	sub.to = &c->p->m->env;
	read_kept(&sub, k, v, &c->p->given_env, k->type == T_BOOL ? read_bool : read_u64);
}

static void read_env_list(struct at *c, const struct key *k, const struct node *v)
{
	for (size_t i = 0; v->kind == NODE_LIST && i < v->n; i++)
		if (v->v[i]->kind == NODE_TEXT && strchr(v->v[i]->text, '='))
			diag_error(c->p->d, v->v[i], "\"%s\": write the variable's name without = and value", v->v[i]->text);
	read_globs(c, k, v);
}

static const struct key env_keys[] = {
	{ "allow", 1, T_TEXTS, .read = read_env_list, .offset = offsetof(struct model, env_allow),
	  .about = "Globs of names; when given, only these pass." },
	{ "deny", 1, T_TEXTS, .read = read_env_list, .offset = offsetof(struct model, env_deny),
	  .about = "Globs of names that never pass." },
	{ "max_bytes", 1, T_NUMBER, .read = read_env_number, .offset = offsetof(struct pol_env, max_bytes),
	  .about = "Most bytes; 0: no limit." },
	{ "max_keys", 1, T_NUMBER, .read = read_env_number, .offset = offsetof(struct pol_env, max_keys),
	  .about = "Most variables; 0: no limit." },
	{ "block_iteration", 1, T_BOOL, .read = read_env_number, .offset = offsetof(struct pol_env, block_iteration),
	  .about = "Programs cannot list their environment." },
};
const struct shape shape_env = { "env_policy", 1, SHAPE(env_keys) };

void read_env_policy(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = { c->p, k->sub, NULL, c->p->m };

	parse_map(&sub, v);
}

static bool name_ok(const char *s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return s[0] && (s[0] < '0' || s[0] > '9') && strspn(s, letters) == strlen(s);
}

static bool has_name(const struct strs *s, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < s->n; i++)
		if (!strncmp(s->v[i], name, n) && s->v[i][n] == '=')
			return true;
	return false;
}

LEAKS_UNSEEN_BEGIN /* entries belong to the model: model_fini */
void read_pairs(struct at *c, const struct key *k, const struct node *v)
{
	struct strs *out = key_at(c, k);

	if (v->kind != NODE_MAP) {
		diag_error(c->p->d, v, "%s must be a map NAME: value", k->name);
		return;
	}
	if (!out || v->n / 2 + out->n > STRINGS_MAX) {
		diag_error(c->p->d, v, "%s has more than %d entries", k->name, STRINGS_MAX);
		return;
	}
	for (size_t i = 0; i + 1 < v->n; i += 2) {
		const struct node *name = v->v[i], *value = v->v[i + 1];
		char *pair = NULL;

		if (name->kind != NODE_TEXT || !name_ok(name->text)) {
			diag_error(c->p->d, name, "%s: \"%s\" is not a variable's name", k->name, name->text ? name->text : "");
			continue;
		}
		if (!parse_is_text(c->p, value) || has_name(out, name->text))
			continue;
		if (asprintf(&pair, "%s=%s", name->text, value->text) < 0)
			pair = NULL;
		if (!parse_put(c->p, value, out, pair))
			return;
	}
}

static void read_base_names(struct at *c, const struct key *k, const struct node *v)
{
	struct strs *out = key_at(c, k);

	if (!parse_is_list(c->p, k, v))
		return;
	for (size_t i = 0; i < v->n; i++) {
		if (!parse_is_text(c->p, v->v[i]))
			continue;
		if (!v->v[i]->text[0] || strpbrk(v->v[i]->text, "/ \t*?[{") || strlen(v->v[i]->text) > 255)
			diag_error(c->p->d, v->v[i], "%s: \"%s\" is not a program's base name", k->name, v->v[i]->text);
		else if (!parse_put(c->p, v->v[i], out, strdup(v->v[i]->text)))
			return;
	}
}
LEAKS_UNSEEN_END

static const struct key transparent_keys[] = {
	{ "add", 1, T_TEXTS, .read = read_base_names, .offset = offsetof(struct model, transparent_add),
	  .about = "Programs that run another one." },
	{ "remove", 1, T_TEXTS, .read = read_base_names, .offset = offsetof(struct model, transparent_remove),
	  .about = "Programs of the built-in list that are not looked through." },
};
const struct shape shape_transparent = { "transparent_commands", 1, SHAPE(transparent_keys) };

void read_transparent(struct at *c, const struct key *k, const struct node *v)
{
	struct at sub = { c->p, k->sub, NULL, c->p->m };

	parse_map(&sub, v);
}
