/* SPDX-License-Identifier: Apache-2.0 */
/* decide POLICY.yaml WORKSPACE: compiles, opens, asks; nanoseconds for each kind of decision, on the average and at the median and the 99th
 * percentile of batches, nanoseconds to compile and to open (of the processor: neither waits for anything), KiB of the generation, and KiB
 * of its own that an open policy takes, as opened and once all was asked. */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "policy/compile.h"
#include "policy/policy.h"
#include "tests/bench/measure.h"

#define BATCH 64
#define BATCHES 3000
#define ASKS (BATCH * BATCHES)
#define TEXT_MAX (32u << 20)

static unsigned sum; /* so that no question can be left out */

static void file(const struct policy *p, unsigned from)
{
	static const char *const names[] = { "main.c", ".env", "README.md", "key.pem", "node_modules", "a-rather-long-file-name-of-an-agent.json", "x", "id_rsa" };
	static const enum pol_op ops[] = { POL_OP_OPEN, POL_OP_STAT, POL_OP_WRITE, POL_OP_DELETE };
	struct pol_state dir = policy_file_child(p, policy_file_workspace(p), "src", 3);

	for (unsigned i = from; i < from + BATCH; i++) {
		const char *name = names[i % ARRAY_LEN(names)];

		sum += policy_file(p, policy_file_child(p, dir, name, strlen(name)), ops[i / 8 % 4], (struct pol_who){ 0 }).decision;
	}
}

static void net(const struct policy *p, unsigned from)
{
	static const uint8_t address[4] = { 203, 0, 113, 9 }, other[4] = { 10, 20, 30, 40 };
	static const struct pol_net q[] = { { .domain = "example.com", .port = 443 }, { .domain = "raw.githubusercontent.com", .port = 443 },
					    { .domain = "not-allowed.test", .port = 443 }, { .addr = address, .addr_len = 4, .port = 22 },
					    { .domain = "pypi.org", .dns = true }, { .domain = "api.anthropic.com", .port = 443 },
					    { .domain = "h4321.example.com", .port = 443 }, { .domain = "a.s9876.example.net", .port = 443 },
					    { .addr = other, .addr_len = 4, .port = 443 } };

	for (unsigned i = from; i < from + BATCH; i++)
		sum += policy_net(p, &q[i % ARRAY_LEN(q)]).decision;
}

static void exec(const struct policy *p, unsigned from)
{
	static const char *const cc[] = { "cc", "-O2", "-c", "main.c", "-o", "main.o" }, *const git[] = { "git", "push", "origin", "main" };
	static const char *const ls[] = { "ls", "-la" }, *const tool[] = { "tool4321" };
	static const struct pol_exec q[] = {
		{ .given = "/usr/bin/cc", .resolved = "/usr/bin/x86_64-linux-gnu-gcc-12", .argv = cc, .argc = 6, .depth = 1 },
		{ .given = "/usr/bin/git", .resolved = "/usr/bin/git", .argv = git, .argc = 4, .depth = 1 },
		{ .given = "/bin/ls", .resolved = "/usr/bin/ls", .argv = ls, .argc = 2, .depth = 1 },
		{ .given = "/usr/bin/tool4321", .resolved = "/usr/bin/tool4321", .argv = tool, .argc = 1, .depth = 1 },
	};

	for (unsigned i = from; i < from + BATCH; i++)
		sum += policy_exec(p, &q[i % ARRAY_LEN(q)]).decision;
}

static void measure(const struct policy *p, const char *name, void (*ask)(const struct policy *, unsigned))
{
	static uint64_t took[BATCHES];
	uint64_t all = 0;

	for (unsigned i = 0; i < BATCHES; i++) {
		uint64_t from = now_ns();

		ask(p, i * BATCH);
		took[i] = now_ns() - from;
		all += took[i];
	}
	qsort(took, BATCHES, sizeof(*took), by_size);
	printf("%s_ns %.1f\n%s_p50_ns %.1f\n%s_p99_ns %.1f\n", name, (double)all / ASKS, name, (double)took[BATCHES / 2] / BATCH, name,
	       (double)took[BATCHES * 99 / 100] / BATCH);
}

/* Memory that is nobody else's. */
static long own_kib(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *line = n > 0 ? strstr(text, "RssAnon:") : NULL;

	if (fd >= 0)
		close(fd);
	return line ? strtol(line + 8, NULL, 10) : 0;
}

static uint64_t spent_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*ask)(const struct policy *, unsigned); } kinds[] = { { "file", file }, { "net", net }, { "exec", exec } };
	static char text[TEXT_MAX];
	struct pol_var var = { "PROJECT_ROOT", argc > 2 ? argv[2] : "" };
	struct pol_source src = { .text = text, .file = argc > 1 ? argv[1] : "", .workspace = var.value, .vars = &var, .n_vars = 1 };
	struct buf diag = BUF_INIT(TEXT_MAX);
	struct policy *p;
	struct err err = { 0 };
	uint8_t hash[32];
	uint64_t at[4];
	long before;
	int fd = argc == 3 ? open(argv[1], O_RDONLY) : -1, gen;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return 2;
	src.len = (size_t)n;
	at[0] = spent_ns();
	if (policy_compile(&src, &diag, &gen, hash) < 0) {
		fprintf(stderr, "%s", (const char *)diag.data);
		return 1;
	}
	at[3] = spent_ns();
	malloc_trim(0);
	before = own_kib();
	at[1] = spent_ns();
	if (policy_open(gen, hash, &p, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	at[2] = spent_ns();
	printf("compile_ns %llu\nopen_ns %llu\n", (unsigned long long)(at[3] - at[0]), (unsigned long long)(at[2] - at[1]));
	printf("open_kib %ld\ngeneration_kib %lld\n", own_kib() - before, (long long)lseek(gen, 0, SEEK_END) / 1024);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		measure(p, kinds[i].name, kinds[i].ask);
	printf("asked_kib %ld\n", own_kib() - before);
	policy_close(p);
	return sum == 1;
}
