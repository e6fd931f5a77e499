/* SPDX-License-Identifier: Apache-2.0 */
/* The mapped form: each number in it that leads outside, or is none of those there are, is refused before anything is asked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "tests/unit/policy/gen.h"

static uint64_t good[4096], copy[4096];
static size_t len;

static int make(void **state UNUSED)
{
	struct redirect_rule dns = { .name = "d", .resolve_to = { { 10 }, 4, 32 }, .regex = NULL };
	struct signal_rule sig = { .name = "s", .signals = 1, .targets = 1 };
	struct service service = { .name = "v", .upstream = "https://a", .host = "a", .aliases = STRS("b") };
	struct budget budget = { .name = "b", .providers = STRS("p") };
	struct model m = { .name = "n", .file = "f", .signals = &sig, .n_signals = 1, .dns = &dns, .n_dns = 1, .services = &service, .n_services = 1, .budgets = &budget, .n_budgets = 1 };
	struct err err;
	void *image;

	gen_regex(&STRS("x"), &dns.regex, &dns.regex_len);
	service.rules = RULES({ .name = "r" });
	m.nets = RULES({ .name = "g", .domains = STRS("a.x", "?.x"), .ports = (uint16_t[]){ 1 }, .n_ports = 1 }, { .name = "c", .cidrs = STRS("10.0.0.0/8", "::/0") });
	m.execs = RULES({ .name = "h", .commands = STRS("git", "?x?"), .max_depth = -1, .more = MORE(.redirect_args = STRS("x"), .has_env_allow = true, .env_allow = STRS("A"), .processes = STRS("npm")) });
	m.unixes = RULES({ .name = "u", .paths = STRS("/x"), .ops = 15 });
	assert_int_equal(image_make(&m, "/w", 1, &image, &len, &err), 0);
	assert_true(len <= sizeof(good));
	memcpy(good, image, len);
	free(image);
	free(dns.regex);
	return 0;
}

static int map(const void *data, size_t n)
{
	struct policy p = { 0 };

	return image_map(&p, data, n);
}

static struct img_head *head(void)
{
	memcpy(copy, good, len);
	return (struct img_head *)(void *)copy;
}

static void *record(int r, size_t i, size_t size)
{
	return (uint8_t *)copy + head()->r[r].at + i * size;
}

#define REFUSED(x)                                                                                    \
	do {                                                                                          \
		x;                                                                                    \
		if (map(copy, len) != -EBADMSG)                                                       \
			fail_msg("%s:%d: taken: %s", __FILE__, __LINE__, #x);                          \
	} while (0)
#define HEAD_REFUSED(field, value) REFUSED(head()->field = (value))
#define RECORD_REFUSED(type, region, field, value) REFUSED(((struct type *)record(region, 0, sizeof(struct type)))->field = (value))

static void test_sizes(void **state UNUSED)
{
	head();
	assert_int_equal(map(copy, len), 0);
	assert_int_equal(map(copy, len - 1), -EBADMSG);
	assert_int_equal(map(copy, 0), -EBADMSG);
	assert_int_equal(map(copy, sizeof(struct img_head) - 1), -EBADMSG);
	assert_int_equal(map((uint8_t *)copy + 4, len - 8), -EPROTO);
	memmove((uint8_t *)copy + 4, copy, len - 4);
	assert_int_equal(map((uint8_t *)copy + 4, len - 4), -EBADMSG);
	head()->format++;
	assert_int_equal(map(copy, len), -EPROTO);
	assert_int_equal(map(copy, 8), -EPROTO);
	HEAD_REFUSED(size, (uint32_t)len - 1);
	HEAD_REFUSED(n_dfa, 0);
	HEAD_REFUSED(n_dfa, POL_DFA_MAX + 1);
	memset(copy, 0, sizeof(copy));
	head()->size = 4096;
	assert_int_equal(map(copy, 4096), -EBADMSG);
}

static void test_heads(void **state UNUSED)
{
	for (size_t i = 0; i < R__COUNT; i++) {
		HEAD_REFUSED(r[i].n, 0xffffffff);
		HEAD_REFUSED(r[i].at, (uint32_t)len + 8);
		HEAD_REFUSED(r[i].at, 0);
		HEAD_REFUSED(r[i].at, head()->r[i].at + 1);
	}
	for (size_t i = 0; i < SEC__COUNT; i++) /* as many rules as records of theirs */
		if (i != SEC_FILE)
			HEAD_REFUSED(r[i].n, head()->r[i].n + 1);
	HEAD_REFUSED(r[R_POOL].n, 0);
	HEAD_REFUSED(r[R_POOL].n, head()->r[R_POOL].n - 1);
	HEAD_REFUSED(r[R_WORDS].n, 0);
	HEAD_REFUSED(r[R_NET_HEADS].n, 1);
	HEAD_REFUSED(r[R_EXEC_HEADS].n, 8);
	HEAD_REFUSED(name, 0);
	HEAD_REFUSED(name, 0x10000);
	HEAD_REFUSED(workspace, 0);
	HEAD_REFUSED(sources, 0x10000);
	HEAD_REFUSED(labels, 0xffffffff);
	HEAD_REFUSED(inject, head()->r[R_WORDS].n);
	HEAD_REFUSED(env.allow, head()->r[R_WORDS].n - 1);
	REFUSED(*(uint32_t *)record(R_WORDS, 0, 4) = 1);
	REFUSED(*(uint32_t *)record(R_WORDS, head()->sources, 4) = 0x7fffffff);
	REFUSED(*(uint32_t *)record(R_WORDS, head()->sources + 1, 4) = 0);
	/* lists that many share would make the checking long: one of half of all, by three */
	{
		struct img_head *h = head();
		uint32_t *words = (uint32_t *)(void *)((uint8_t *)copy + h->r[R_WORDS].at);

		words[1] = h->r[R_WORDS].n / 2;
		for (uint32_t i = 0; i < words[1]; i++)
			words[2 + i] = 1;
		h->sources = h->inject = h->env.allow = 1;
		h->labels = h->env.deny = 0;
		assert_int_equal(map(copy, len), -EBADMSG);
	}
}

static void test_rules(void **state UNUSED)
{
	RECORD_REFUSED(img_rule, SEC_NET, name, 0);
	RECORD_REFUSED(img_rule, SEC_NET, message, 0x10000);
	RECORD_REFUSED(img_rule, SEC_EXEC, redirect_to, 0x10000);
	RECORD_REFUSED(img_rule, SEC_EXEC, part, 9);
	RECORD_REFUSED(img_rule, SEC_EXEC, env, 9);
	RECORD_REFUSED(img_rule, SEC_UNIX, decision, POL__COUNT);
	RECORD_REFUSED(img_rule, SEC_NET, flags, 3 << RULE_TLS_SHIFT);
	RECORD_REFUSED(img_net, R_NETS, globs, 0x10000);
	RECORD_REFUSED(img_net, R_NETS, methods, 0x10000);
	RECORD_REFUSED(img_net, R_NETS, paths, 0x10000);
	RECORD_REFUSED(img_net, R_NETS, dlp, 0x10000);
	RECORD_REFUSED(img_net, R_NETS, n_ranges, 3);
	RECORD_REFUSED(img_net, R_NETS, ranges, 3);
	RECORD_REFUSED(img_net, R_NETS, n_ports, 2);
	RECORD_REFUSED(img_net, R_REQUESTS, n_ports, 2);
	RECORD_REFUSED(img_exec, R_EXECS, globs, 0x10000);
	RECORD_REFUSED(img_exec, R_EXECS, sha256, 0x10000);
	RECORD_REFUSED(img_exec, R_EXECS, regex_len, 2);
	/* two that share a pattern: checking it often would make opening long */
	REFUSED(struct img_exec *e = record(R_EXECS, 0, sizeof(*e)); e->regex_len = head()->r[R_REGEX].n);
	RECORD_REFUSED(img_unix, R_UNIXES, paths, 0x10000);
	RECORD_REFUSED(img_signal, R_SIGNALS, pattern, 0x10000);
	RECORD_REFUSED(img_signal, R_SIGNALS, fallback, POL__COUNT);
	RECORD_REFUSED(img_signal, R_SIGNALS, redirect_to, 65);
}

static void test_settings(void **state UNUSED)
{
	RECORD_REFUSED(img_turn, R_TURNS, regex_len, 0);
	RECORD_REFUSED(img_turn, R_TURNS, regex_len, 2);
	RECORD_REFUSED(img_turn, R_TURNS, regex, 1);
	RECORD_REFUSED(img_turn, R_TURNS, regex_len, 4);
	REFUSED(*(uint32_t *)record(R_REGEX, 0, 1) = 2);
	RECORD_REFUSED(img_turn, R_TURNS, addr_len, 17);
	RECORD_REFUSED(img_turn, R_TURNS, port, 65536);
	RECORD_REFUSED(img_turn, R_TURNS, visibility, 3);
	RECORD_REFUSED(img_turn, R_TURNS, on_failure, 3);
	RECORD_REFUSED(img_turn, R_TURNS, host, 0x10000);
	RECORD_REFUSED(img_turn, R_TURNS, unix_path, 0x10000);
	RECORD_REFUSED(img_turn, R_TURNS, sni, 0x10000);
	RECORD_REFUSED(img_service, R_SERVICES, upstream, 0);
	RECORD_REFUSED(img_service, R_SERVICES, host, 0);
	RECORD_REFUSED(img_service, R_SERVICES, secret_ref, 0x10000);
	RECORD_REFUSED(img_service, R_SERVICES, aliases, 0x10000);
	RECORD_REFUSED(img_service, R_SERVICES, n, 2);
	RECORD_REFUSED(img_service, R_SERVICES, end, POL__COUNT);
	RECORD_REFUSED(img_budget, R_BUDGETS, per, 4);
	RECORD_REFUSED(img_budget, R_BUDGETS, keys, 0x10000);
	RECORD_REFUSED(img_part, R_PARTS, append, 0x10000);
	RECORD_REFUSED(img_env, R_ENVS, deny, 0x10000);
	RECORD_REFUSED(cidr, R_CIDRS, bits, 33);
	RECORD_REFUSED(cidr, R_CIDRS, len, 5);
	REFUSED(((struct cidr *)record(R_CIDRS, 1, sizeof(struct cidr)))->bits = 129);
}

static void test_index(void **state UNUSED)
{
	const int entries[] = { R_NET_ENTRIES, R_EXEC_ENTRIES }, heads[] = { R_NET_HEADS, R_EXEC_HEADS };

	for (size_t x = 0; x < 2; x++) {
		RECORD_REFUSED(img_entry, entries[x], kind, KIND__COUNT);
		RECORD_REFUSED(img_entry, entries[x], key, 0x10000);
		REFUSED(*(uint32_t *)record(heads[x], 0, 4) = 0xffff);
		REFUSED(*(uint32_t *)record(heads[x], head()->r[heads[x]].n - 1, 4) += 1);
		for (size_t i = 0; i < ((struct img_head *)(void *)good)->r[entries[x]].n; i++) {
			struct img_entry *e = record(entries[x], i, sizeof(*e));

			if (e->kind == KIND_WRAPPER)
				continue;
			REFUSED(e = record(entries[x], i, sizeof(*e)); e->rule = 2);
			REFUSED(e = record(entries[x], i, sizeof(*e)); e->key = e->kind == KIND_CIDR ? 2 : 0);
		}
	}
	REFUSED(*(uint32_t *)record(R_EXEC_REST, 0, 4) = 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sizes), cmocka_unit_test(test_heads), cmocka_unit_test(test_rules), cmocka_unit_test(test_settings), cmocka_unit_test(test_index) };

	return cmocka_run_group_tests(tests, make, NULL);
}
