/* SPDX-License-Identifier: Apache-2.0 */
/* policy diff: what two policies decide differently, with a question for each that shows it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/policy_cmd.h"
#include "cli/trust.h"

enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2 };   /* as diff(1) */

struct out { cJSON *changes; const char *section; };

static void print(const char *before, const char *text, const char *after)
{
	char shown[8192];

	if (text[0])
		printf("%s%s%s", before, str_display(text, strlen(text), shown, sizeof(shown)), after);
}

static void print_side(char sign, const char *decision, const char *rule, const char *more)
{
	printf("%c", sign);
	print(" ", decision, "");
	print(" ", rule, "");
	print(" ", more, "");
	putchar('\n');
}

static void show(const struct pol_change *c, struct out *o)
{
	if (!o->section || strcmp(o->section, c->section) != 0)
		printf("%s%s:\n", o->section ? "\n" : "", c->section);
	o->section = c->section;
	print_side('-', c->before.decision, c->before.rule, c->before.more);
	print_side('+', c->after.decision, c->after.rule, c->after.more);
	print("  ", c->question, "");
	if (strchr(c->operations, ' '))
		print("   (", c->operations, ")");
	if (c->questions > 1 && !c->operations[0])
		printf("   (and %" PRIu64 " more)", c->questions - 1);
	putchar('\n');
}

static cJSON *side(const char *decision, const char *rule, const char *more)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddStringToObject(j, "decision", decision);
	if (rule[0])
		cJSON_AddStringToObject(j, "rule", rule);
	if (more[0])
		cJSON_AddStringToObject(j, "more", more);
	return j;
}

static void change(void *arg, const struct pol_change *c)
{
	struct out *o = arg;
	cJSON *j, *ops;
	char word[32];

	if (!o->changes) {
		show(c, o);
		return;
	}
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "section", c->section);
	cJSON_AddStringToObject(j, "case", c->question);
	ops = c->operations[0] ? cJSON_AddArrayToObject(j, "operations") : NULL;
	for (const char *s = c->operations; *s; s += strspn(s, " ")) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(s, " "), s);
		cJSON_AddItemToArray(ops, cJSON_CreateString(word));
		s += strcspn(s, " ");
	}
	cJSON_AddItemToObject(j, "before", side(c->before.decision, c->before.rule, c->before.more));
	cJSON_AddItemToObject(j, "after", side(c->after.decision, c->after.rule, c->after.more));
	cJSON_AddItemToArray(o->changes, j);
}

/* A policy need not be signed to be compared: that comes after. */
static int read_source(const char *name, struct pol_source *src, char *path, size_t cap, struct buf *text)
{
	struct err err = { 0 };

	if (policy_find(name, path, cap, &err) < 0 || policy_read(path, text, &err) < 0) {
		complain("%s", err.msg);
		return -ENOENT;
	}
	src->file = path;
	src->text = (const char *)text->data;
	src->len = text->len;
	return 0;
}

static int compare(const char *const names[2], const char *workspace, bool by_name, bool json)
{
	const struct pol_var *vars;
	static char paths[2][4300];
	struct buf text[2] = { 0 }, cut = BUF_INIT(1024), diag = BUF_INIT(1u << 20);
	struct out o = { .changes = json ? cJSON_CreateArray() : NULL };
	size_t n_vars = policy_vars(&vars, workspace);
	struct pol_source src[2];
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		src[i] = (struct pol_source){ .workspace = workspace, .vars = vars, .n_vars = n_vars, .load = policy_extends };
		r = read_source(names[i], &src[i], paths[i], sizeof(paths[i]), &text[i]);
	}
	if (r == 0) {
		r = policy_diff(&src[0], &src[1], by_name, change, &o, &cut, &diag);
		if (r < 0 && diag.len)
			fprintf(stderr, "%s", (const char *)diag.data);
		if (r < 0)
			complain("the policies could not be compared: %s", r == -ENOMEM ? "out of memory" : "see above");
	}
	if (r >= 0 && json) {
		cJSON *j = cJSON_CreateObject();

		cJSON_AddItemToObject(j, "changes", move_ptr(o.changes));
		cJSON_AddStringToObject(j, "cut", cut.data ? (const char *)cut.data : "");
		print_json(j);
	} else if (r >= 0 && cut.len) {
		complain("not everything was looked at, for time or room: %s", (const char *)cut.data);
	}
	cJSON_Delete(o.changes);
	for (int i = 0; i < 2; i++)
		buf_fini(&text[i]);
	r = r < 0 ? TROUBLE : r > 0 ? DIFFERENT : cut.len ? TROUBLE : SAME; /* "no change" is said of what was looked at whole only */
	buf_fini(&cut);
	buf_fini(&diag);
	return r;
}

int policy_compare(int argc, char **argv)
{
	const char *names[2], *workspace = "/workspace";
	bool by_name = false, json = false;
	const struct policy_option options[] = {
		{ "--json", &json, NULL }, { "--rules", &by_name, NULL }, { "--workspace", NULL, &workspace }
	};
	int at = policy_options("diff", argc, argv, options, ARRAY_LEN(options), NULL);

	if (at < 0)
		return TROUBLE;
	if (at != argc - 2 || workspace[0] != '/') {
		policy_usage("diff");
		return TROUBLE;
	}
	names[0] = argv[at];
	names[1] = argv[at + 1];
	return compare(names, workspace, by_name, json);
}
