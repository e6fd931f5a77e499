/* SPDX-License-Identifier: Apache-2.0 */
/* policy test: the lines of case files against a policy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/policy_cmd.h"
#include "cli/trust.h"
#include "common/buf.h"
#include "policy/cases.h"

#define CASES_MAX (256u << 20)

struct tally { size_t good, bad; };

static void one_line(const struct policy *p, const char *file, uint32_t line, const struct one_case *one, struct tally *t)
{
	struct err err = { 0 };
	struct answer a;

	if (question_ask(p, &one->q, &a, &err) < 0) {
		printf("%s:%u: error: %s\n", policy_shown(file), line, policy_shown(err.msg));
		t->bad++;
	} else if (strcmp(a.word, one->decision) != 0 || (one->rule && (!a.rule || strcmp(a.rule, one->rule) != 0))) {
		printf("%s:%u: expected %s%s%s, got %s%s%s\n", policy_shown(file), line, one->decision, one->rule ? " " : "",
		       policy_shown(one->rule), a.word, a.rule ? " " : "", policy_shown(a.rule));
		t->bad++;
	} else {
		t->good++;
	}
}

static void one_text(const struct policy *p, const char *file, const struct buf *text, struct tally *t)
{
	static struct cases c;
	struct one_case one;
	int r;

	c = (struct cases){ .text = (const char *)text->data, .len = text->len };
	do {
		struct err err = { 0 };

		r = cases_next(&c, &one, &err);
		if (r == 1) {
			one_line(p, file, c.line, &one, t);
		} else if (r < 0) {
			printf("%s:%u: error: %s\n", policy_shown(file), c.line, policy_shown(err.msg));
			t->bad++;
		}
	} while (r != 0);
	cases_fini(&c);
}

/* "-": standard input. */
static int read_text(const char *file, struct buf *ret, struct err *err)
{
	uint8_t part[65536];
	size_t n;

	if (strcmp(file, "-") != 0)
		return file_read(file, CASES_MAX, ret, err);
	*ret = (struct buf)BUF_INIT(CASES_MAX);
	while ((n = fread(part, 1, sizeof(part), stdin)) > 0)
		buf_put(ret, part, n);
	return buf_ok(ret) && !ferror(stdin)
		       ? 0
		       : err_set(err, -EIO, "the cases on standard input cannot be read, or are more than %u bytes", CASES_MAX);
}

int policy_test_cmd(int argc, char **argv)
{
	const char *policy = NULL, *workspace = "/workspace";
	const struct policy_option options[] = { { "--policy", NULL, &policy }, { "--workspace", NULL, &workspace } };
	int at = policy_options("test", argc, argv, options, ARRAY_LEN(options), NULL);
	struct tally t = { 0 };
	bool unread = false;
	struct err none = { 0 };
	uint8_t hash[32];
	struct policy *p;

	if (at < 0)
		return EXIT_ERROR;
	if (at == argc)
		return policy_usage("test");
	if (!policy && !(policy = trust_default(&none)))
		return complain("%s", none.msg);
	p = policy_open_named(policy, workspace, hash);
	if (!p)
		return EXIT_ERROR;
	for (; at < argc; at++) {
		struct buf text = { 0 };
		struct err err = { 0 };
		struct tally before = t;

		if (read_text(argv[at], &text, &err) < 0)
			unread = complain("%s", err.msg);
		else
			one_text(p, argv[at], &text, &t);
		/* A file that lost its cases must not pass for one whose cases hold. */
		if (!err.status && before.good == t.good && before.bad == t.bad)
			unread = complain("%s: holds no case", argv[at]);
		buf_fini(&text);
	}
	policy_close(p);
	printf("%zu cases hold, %zu do not\n", t.good, t.bad);
	return t.bad || unread ? EXIT_ERROR : 0;
}
