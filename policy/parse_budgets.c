/* SPDX-License-Identifier: Apache-2.0 */
/* llm_budgets. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"
#include "policy/parse.h"

#define USD_MAX 1000000000u

static const char *const pers[] = { "session", "day", "month", "total", NULL };   /* as enum pol_per */
static const char *const decisions[] = { "deny", "approve", NULL };

static void read_per(struct at *c, const struct key *k, const struct node *v)
{
	struct budget *b = c->to;
	size_t i;

	if (parse_word(c->p, k, v, &i))
		b->b.per = (enum pol_per)i;
}

static void read_decision(struct at *c, const struct key *k, const struct node *v)
{
	struct budget *b = c->to;
	size_t i;

	if (parse_word(c->p, k, v, &i))
		b->b.decision = i ? POL_APPROVE : POL_DENY;
}

/* Dollars with at most six places, exactly. */
static void read_usd(struct at *c, const struct key *k, const struct node *v)
{
	struct budget *b = c->to;
	uint64_t whole, part = 0;
	char text[32], places[7] = "000000", *dot;

	if (!parse_is_text(c->p, v))
		return;
	if (str_format(text, sizeof(text), "%s", v->text) < 0)
		text[0] = 0;
	dot = strchr(text, '.');
	if (dot) {
		size_t n = strlen(dot + 1);

		*dot = 0;
		if (!n || n > 6)
			text[0] = 0;
		else
			memcpy(places, dot + 1, n);
	}
	if (str_to_u64(text, USD_MAX, &whole) < 0 || str_to_u64(places, 999999, &part) < 0 || !(whole + part))
		diag_error(c->p->d, v, "%s \"%s\" is not an amount of dollars above 0, such as 5 or 0.25, with at most six places",
			k->name, v->text);
	else
		b->b.max_microusd = whole * 1000000 + part;
}

static void read_warn(struct at *c, const struct key *k, const struct node *v)
{
	struct budget *b = c->to;
	uint64_t before = 0, n;

	if (!parse_is_list(c->p, k, v))
		return;
	if (v->n > ARRAY_LEN(b->b.warn_at)) {
		diag_error(c->p->d, v, "%s has %zu entries; %zu are the most", k->name, v->n, ARRAY_LEN(b->b.warn_at));
		return;
	}
	for (size_t i = 0; i < v->n; i++) {
		if (!parse_is_text(c->p, v->v[i]))
			return;
		if (str_to_u64(v->v[i]->text, 99, &n) < 0 || n <= before) {
			diag_error(c->p->d, v->v[i], "%s \"%s\" is not a percentage from 1 to 99 above the one before", k->name,
				v->v[i]->text);
			return;
		}
		b->b.warn_at[i] = (uint8_t)n;
		before = n;
	}
}

#define AT(field) .offset = offsetof(struct budget, field)
#define LIMIT(field, words) { #field, 1, T_NUMBER, 0, 0, read_u64, AT(b.field), 1, .about = (words) }
static const struct key keys[] = {
	{ "name", 1, T_TEXT, 0, K_REQUIRED, read_text, AT(name), 1, RULE_NAME_MAX, .about = "The budget's name, as events give it." },
	{ "description", 1, T_TEXT, .read = read_any, .about = "For readers of the policy." },
	{ "providers", 1, T_TEXTS, 0, K_SELECT, read_globs, AT(providers), .about = "Globs of providers; without it, all." },
	{ "models", 1, T_TEXTS, 0, K_SELECT, read_globs, AT(models), .about = "Globs of models; without it, all." },
	{ "keys", 1, T_TEXTS, 0, K_SELECT, read_globs, AT(keys), .about = "Globs of keys' names; without it, all." },
	{ "per", 1, T_WORD, .read = read_per, .words = pers, .about = "When it begins anew; session without it." },
	{ "max_usd", 1, T_TEXT, T_NUMBER, .read = read_usd, .about = "Dollars, at most six places." },
	LIMIT(max_tokens, "Tokens of questions and answers."),
	LIMIT(max_input_tokens, "Tokens of questions."),
	LIMIT(max_output_tokens, "Tokens of answers."),
	LIMIT(max_requests, "Requests."),
	LIMIT(requests_per_minute, "Requests in any minute."),
	{ "warn_at", 1, T_NUMBERS, 0, K_SELECT, read_warn, .min = 1, .max = 99,
	  .about = "Percentages at which it is said, rising, at most four." },
	{ "decision", 1, T_WORD, 0, K_LOWER, read_decision, .words = decisions, .about = "When it is used up; deny without it." },
	{ "message", 1, T_TEXT, 0, 0, read_text, AT(message), 0, 65536, .about = "What is said then." },
	{ "timeout", 1, T_TIME, 0, 0, read_time, AT(b.timeout_ms), 1, DAY_MS, .about = "How long approve waits for an answer." },
};
const struct shape shape_budget = { "budget", 1, SHAPE(keys) };

void read_budget(struct at *c, const struct key *k, const struct node *v)
{
	struct model *m = c->p->m;
	struct budget *b = parse_grow(c->p, v, k->name, (void **)&m->budgets, &m->n_budgets, sizeof(*b));
	struct at sub = { c->p, k->sub, NULL, b };
	struct pol_budget *l;

	if (!b)
		return;
	l = &b->b;
	b->file = c->p->file;
	b->line = v->line;
	b->column = v->column;
	if (!parse_map(&sub, v))
		return;
	if (!(l->max_microusd | l->max_tokens | l->max_input_tokens | l->max_output_tokens | l->max_requests | l->requests_per_minute))
		diag_error(c->p->d, v, "the budget has no limit: max_usd, max_tokens, max_requests ...");
	parse_name_twice(c->p, 9, v, b->name);
}
