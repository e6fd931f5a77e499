/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a policy test file: it is read to its end, and what is a case has a question that is whole. */
#include "tests/fuzz/ask.h"

#include "policy/cases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t length(const char *s)
{
	return s ? strlen(s) : 0;
}

/* Reads all that the question points to, so that the sanitizer sees it. */
static void look(const struct one_case *one)
{
	const struct question *q = &one->q;
	size_t n = length(q->path) + length(q->host) + length(q->method) + length(q->service) + length(q->resolved) + length(q->variable) +
		length(q->process) + length(one->rule);

	MUST(one->decision[0] && n < 2 * CASE_LINE_MAX);
	MUST(q->kind < ASK__COUNT && q->n_by <= ASK_BY_MAX && q->op < POL_OP__COUNT && q->unix_op < POL_UNIX__COUNT);
	MUST(q->addr_len == 0 || q->addr_len == 4 || q->addr_len == 16);
	for (size_t i = 0; i < q->n_by; i++)
		MUST(q->by[i][0]);
	for (size_t i = 0; i < q->argc; i++)
		n += strlen(q->argv[i]);
	MUST(!q->argc || (q->argv[q->argc] == NULL && q->given[0] && q->argv[0] == q->given));
	MUST(q->kind != ASK_FILE || q->path[0] == '/');
	MUST(q->kind != ASK_HTTP || (q->path[0] == '/' && (q->host || q->addr_len)));
	MUST((q->kind != ASK_NET && q->kind != ASK_CONNECT_REDIRECT) || q->port);
	MUST(q->kind != ASK_SIGNAL || (q->signal >= 1 && q->signal <= 64));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct cases c;
	struct one_case one;
	struct err err;
	uint32_t lines = 0;
	int r;

	c.text = (const char *)data;
	c.len = n;
	c.at = c.line = 0;
	do {
		err = (struct err){ 0 };
		r = cases_next(&c, &one, &err);
		MUST(r == 0 || c.line > lines);
		MUST(r >= 0 || err.msg[0]);
		lines = c.line;
		if (r == 1)
			look(&one);
	} while (r != 0);
	MUST(c.at == n);
	cases_fini(&c);
	return 0;
}
