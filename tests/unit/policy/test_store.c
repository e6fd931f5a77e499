/* SPDX-License-Identifier: Apache-2.0 */
/* Generations: what LMDB wrote reads back; every damage is refused by its hash, and with a right hash costs an answer, never a crash. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "common/evt.h"
#include "common/ipc.h"
#include "tests/fuzz/ask.h"
#include "tests/unit/policy/gen.h"

static uint8_t *gen, good_hash[32];
static size_t gen_len;

static int make(void **state UNUSED)
{
	static const char text[] = "version: 1\nname: n\nfile_rules:\n- {name: a, paths: [/w], decision: allow}\n"
				   "network_rules:\n- {name: b, domains: [x.y], ports: [443], decision: approve, timeout: 5s}\n"
				   "command_rules:\n- {name: c, commands: [git], args_patterns: [force], decision: deny, message: m}\n";
	struct pol_source src = { .file = "f", .text = text, .len = sizeof(text) - 1 };
	struct buf diag = BUF_INIT(1u << 16);
	int fd;

	assert_int_equal(policy_compile(&src, &diag, &fd, good_hash), 0);
	gen_len = (size_t)lseek(fd, 0, SEEK_END);
	gen = malloc(gen_len);
	assert_int_equal(pread(fd, gen, gen_len, 0), gen_len);
	close(fd);
	buf_fini(&diag);
	return 0;
}

static int unmake(void **state UNUSED)
{
	free(gen);
	return 0;
}

static int open_bytes(const uint8_t *p, size_t n, const uint8_t *hash, struct policy **ret, struct err *err)
{
	uint8_t own[32];
	int fd, r;

	sha256(p, n, own);
	assert_int_equal(memfd_sealed("t", p, n, &fd), 0);
	r = policy_open(fd, hash ? hash : own, ret, err);
	close(fd);
	return r;
}

static void test_good(void **state UNUSED)
{
	struct policy *p;
	struct err err;

	assert_int_equal(open_bytes(gen, gen_len, good_hash, &p, &err), 0);
	assert_string_equal(policy_name(p), "n");
	assert_int_equal(policy_file(p, policy_file_path(p, "/w"), POL_OP_WRITE, (struct pol_who){ 0 }).decision, POL_ALLOW);
	policy_close(p);
}

static void test_every_byte_by_hash(void **state UNUSED)
{
	struct policy *p = NULL;
	struct err err;

	for (size_t i = 0; i < gen_len; i += 1 + (i > 8192 && gen[i] == 0 && gen[i - 1] == 0) * 12) {
		gen[i] ^= 1;
		assert_int_equal(open_bytes(gen, gen_len, good_hash, &p, &err), -EBADMSG);
		gen[i] ^= 1;
	}
	assert_null(p);
}

static void test_every_byte_with_its_hash(void **state UNUSED)
{
	static const uint8_t how[] = { 1, 0x80, 0xff };
	struct policy *p = NULL;
	struct err err;

	for (size_t i = 0; i < gen_len; i += 1 + (i > 8192 && gen[i] == 0 && gen[i - 1] == 0) * 12) {
		gen[i] ^= how[i % 3];
		err = (struct err){ 0 };
		if (open_bytes(gen, gen_len, NULL, &p, &err) == 0) {
			ask(p);
			policy_close(p);
		} else {
			assert_true(err.status < 0 && err.msg[0]);
		}
		gen[i] ^= how[i % 3];
	}
}

static void test_truncations(void **state UNUSED)
{
	struct policy *p = NULL;
	struct err err;

	for (size_t n = 0; n < gen_len; n += 1 + n / 64) {
		assert_int_equal(open_bytes(gen, n, good_hash, &p, &err), -EBADMSG);
		if (n % 4096 || n < 4096)
			assert_int_equal(open_bytes(gen, n, NULL, &p, &err), -EBADMSG);
	}
	/* The last pages may be ones that nothing leads to: then all is there. */
	for (size_t n = 4096; n < gen_len; n += 4096) {
		int r = open_bytes(gen, n, NULL, &p, &err);

		assert_true(r == -EBADMSG || (r == 0 && n > 3 * 4096));
		if (r == 0) {
			ask(p);
			policy_close(p);
		}
	}
}

static void test_records(void **state UNUSED)
{
	static const size_t sizes[] = { 0, 1, 100, 2000, 2030, 2048, 4079, 4080, 4081, 8176, 100000 };
	static uint8_t bytes[100000];
	char keys[200][16];
	struct record v[200], got[202];
	struct store *store;
	struct err err = { 0 };
	size_t len;
	void *map;
	int fd;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t i = 0; i < 200; i++) { /* enough for branch pages */
		snprintf(keys[i], sizeof(keys[i]), "key%zu", i);
		got[i] = v[i] = (struct record){ keys[i], bytes + i, sizes[i % ARRAY_LEN(sizes)] - (i < 11 ? 0 : i % 3 ? 0 : sizes[i % 11] / 7) };
		if (v[i].len + i > sizeof(bytes))
			v[i].data = bytes;
	}
	got[200] = (struct record){ "absent", bytes, 1 };
	got[201] = (struct record){ "key", bytes, 1 };
	assert_int_equal(store_begin(&store, &err), 0);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(store_put(store, v[i].key, v[i].data, v[i].len, &err), 0);
	assert_int_equal(store_end(store, &fd, &err), 0);
	len = (size_t)lseek(fd, 0, SEEK_END);
	map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(store_map(map, len, got, 202), 0);
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(got[i].len, v[i].len);
		assert_memory_equal(got[i].data, v[i].data, v[i].len);
		/* Of a value with pages of its own numbers can be used where they lie. */
		assert_true(v[i].len < 4096 || (uintptr_t)got[i].data % 8 == 0);
	}
	assert_null(got[200].data);
	assert_null(got[201].data);
	munmap(map, len);
	close(fd);
}

/* A generation that has something of everything. */
static int rich(uint8_t hash[32])
{
	struct redirect_rule dns = { .name = "d", .resolve_to = { { 10, 0, 0, 1 }, 4, 32 } }, conn = { .name = "c", .host = "h", .port = 1, .sni = "s", .unix_path = "/u" };
	struct signal_rule sig[] = { { .name = "s", .signals = ~0ull, .targets = 1u << POL_T_PROCESS, .pattern = "ngin*", .decision = POL_REDIRECT, .redirect_to = 15, .processes = STRS("npm") },
				     { .name = "t", .signals = 7, .targets = 3 | 1u << POL_T_PID_RANGE, .min = 1, .max = 9 } };
	struct service service = { .name = "v", .upstream = "https://api.example.com", .host = "api.example.com", .aliases = STRS("x"), .secret_ref = "r" };
	struct budget budget = { .name = "b", .message = "m", .providers = STRS("anth*"), .models = STRS("*"), .keys = STRS("k"), .b = { .warn_at = { 50 } } };
	struct model m = { .name = "n", .sources = STRS("a.yaml", "b.yaml"), .signals = sig, .n_signals = 2, .dns = &dns, .n_dns = 1, .connect = &conn, .n_connect = 1,
			   .services = &service, .n_services = 1, .budgets = &budget, .n_budgets = 1, .env_allow = STRS("P*"), .env_deny = STRS("SECRET_*"), .env_inject = STRS("A=b"),
			   .transparent_add = STRS("wrap") };
	uint8_t *pattern;
	size_t pattern_len;
	int fd;

	gen_regex(&STRS("example", "force"), &pattern, &pattern_len);
	dns.regex = conn.regex = pattern;
	dns.regex_len = conn.regex_len = pattern_len;
	service.rules = RULES({ .name = "r", .decision = POL_ALLOW, .more = MORE(.methods = STRS("GET"), .url_paths = STRS("/v1/**")) });
	m.files = RULES({ .name = "a", .paths = STRS("/w/**", "**/.env"), .ops = ALL_OPS, .decision = POL_REDIRECT, .redirect_to = "/q", .message = "m" },
			{ .name = "b", .paths = STRS("/usr/*"), .ops = 3, .decision = POL_ALLOW, .more = MORE(.processes = STRS("npm", "/x/**")) });
	m.nets = RULES({ .name = "e", .domains = STRS("api.example.com", "*.x", "**.y", "a?b*"), .ports = (uint16_t[]){ 443, 80 }, .n_ports = 2, .decision = POL_ALLOW,
			 .more = MORE(.dlp = "w", .methods = STRS("*"), .url_paths = STRS("/v1/*")) },
		       { .name = "f", .cidrs = STRS("10.0.0.0/8", "2001:db8::/32"), .decision = POL_DENY }, { .name = "g", .domains = STRS("*"), .decision = POL_AUDIT });
	m.execs = RULES({ .name = "git", .commands = STRS("git", "/usr/bin/git", "g*t", "/opt/**"), .regex = pattern, .regex_len = pattern_len, .max_depth = 3, .decision = POL_REDIRECT,
			  .redirect_to = "echo", .more = MORE(.redirect_args = STRS("x", "y"), .redirect_append = STRS("z"), .redirect_env = STRS("A=b"), .sha256 = STRS(
			  "0000000000000000000000000000000000000000000000000000000000000000"), .has_env_allow = true, .env_allow = STRS("PATH"), .has_env_limits = true) },
			{ .name = "h", .max_depth = -1, .decision = POL_ALLOW });
	m.unixes = RULES({ .name = "u", .paths = STRS("/run/*", "@*"), .ops = 15, .decision = POL_ALLOW });
	fd = gen_make(&m, hash);
	free(pattern);
	return fd;
}

static void load_rich(void)
{
	int fd = rich(good_hash);

	free(gen);
	gen_len = (size_t)lseek(fd, 0, SEEK_END);
	gen = malloc(gen_len);
	assert_int_equal(pread(fd, gen, gen_len, 0), gen_len);
	close(fd);
}

/* Opened with a right hash and asked, or refused with words; the policy that is open stays what it is. */
static bool try_bytes(size_t n)
{
	struct policy *const before = (struct policy *)(void *)gen, *p = before;
	struct err err = { 0 };
	int r = open_bytes(gen, n, NULL, &p, &err);

	if (r == 0) {
		ask(p);
		policy_close(p);
		return true;
	}
	assert_true(r < 0 && err.status == r && err.msg[0]);
	assert_ptr_equal(p, before);
	return false;
}

static size_t place_of(const char *key, size_t *ret_len)
{
	struct record v = { key, NULL, 0 };

	assert_int_equal(store_map(gen, gen_len, &v, 1), 0);
	*ret_len = v.len;
	return (size_t)((const uint8_t *)v.data - gen);
}

/* Every byte of the file's and the image's heads, and a thousand others: with the hash that was said refused, with a right one never read
 * outside. */
static void test_damage(void **state UNUSED)
{
	size_t len, image, refused = 0;
	struct policy *p = NULL;
	struct err err;
	uint32_t seed = 1;

	load_rich();
	image = place_of("rule", &len);
	assert_true(try_bytes(gen_len));
	for (size_t i = 0; i < sizeof(struct img_head) + 8192 + 1000; i++) {
		size_t at = i < 8192 ? i : i < 8192 + sizeof(struct img_head) ? image + i - 8192 : (seed = seed * 1664525u + 1013904223u, (seed >> 4) % gen_len);
		uint8_t how = i % 3 == 0 ? 1 : i % 3 == 1 ? 0x80 : 0xff;

		if (i < 8192 && i % 4096 >= 256 && gen[at] == 0 && i % 16)
			continue; /* behind what stands on the first two pages: what nobody looks at, now and then */
		gen[at] ^= how;
		assert_int_equal(open_bytes(gen, gen_len, good_hash, &p, &err), -EBADMSG);
		refused += !try_bytes(gen_len);
		gen[at] ^= how;
	}
	assert_null(p);
	assert_true(refused > 300);
	assert_true(try_bytes(gen_len));
}

/* Each number of each record as one that leads outside. */
static void test_numbers(void **state UNUSED)
{
	static const uint32_t wrong[] = { 0xffffffff, 0x10000 };
	size_t len, refused = 0;
	size_t image;

	load_rich();
	image = place_of("rule", &len);
	for (size_t at = image; at < image + len; at += 4) {
		uint32_t was;

		memcpy(&was, gen + at, 4);
		if (was == 0 && at % 64)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
			memcpy(gen + at, &wrong[k], 4);
			refused += !try_bytes(gen_len);
		}
		memcpy(gen + at, &was, 4);
	}
	assert_true(refused > 500);
	assert_true(try_bytes(gen_len));
}

static void test_every_page(void **state UNUSED)
{
	struct policy *p = NULL;
	struct err err;

	load_rich();
	for (size_t n = 0; n < gen_len; n += 4096) {
		assert_int_equal(open_bytes(gen, n, good_hash, &p, &err), -EBADMSG);
		/* Pages that nothing leads to may be missing, the first ones not. */
		assert_true(!try_bytes(n) || n > 3 * 4096);
	}
	assert_null(p);
}

/* What is not sealed is copied: who changes the file afterwards changes nothing. What is sealed is mapped itself. */
static void test_sealed(void **state UNUSED)
{
	struct policy *p;
	struct err err = { 0 };
	int fd = memfd_create("t", MFD_ALLOW_SEALING);
	char maps[1u << 16] = "", want[64];
	FILE *f;

	load_rich();
	assert_int_equal(write(fd, gen, gen_len), gen_len);
	assert_int_equal(policy_open(fd, good_hash, &p, &err), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	ask(p);
	policy_close(p);
	fd = rich(good_hash);
	assert_int_equal(policy_open(fd, good_hash, &p, &err), 0);
	close(fd);
	f = fopen("/proc/self/maps", "re");
	assert_non_null(f);
	maps[fread(maps, 1, sizeof(maps) - 1, f)] = 0;
	fclose(f);
	snprintf(want, sizeof(want), "memfd:agentsh-%s", "policy");
	assert_non_null(strstr(maps, want));
	assert_null(strstr(maps, "memfd:agentsh-generation"));
	ask(p);
	policy_close(p);
}

static void test_models_refused(void **state UNUSED)
{
	struct signal_rule nowhere = { .name = "s", .signals = 1 };
	struct redirect_rule dns = { .name = "d" };
	struct model m[] = { { .name = "n", .signals = &nowhere, .n_signals = 1 }, { .name = "n", .dns = &dns, .n_dns = 1 },
			     { .name = "n", .nets = RULES({ .name = "c", .cidrs = STRS("x") }) }, { .name = "n", .execs = RULES({ .name = "e", .args_patterns = STRS("x") }) },
			     { .name = "n", .unixes = RULES({ .name = "t", .timeout_ms = 1ull << 32 }) }, { .name = "n" } };
	static char *many[STRINGS_MAX + 2], wrapper[WILD_MAX + 2];
	char *labels[65];
	char text[65][8];
	struct err err;
	void *image;
	size_t n;

	for (size_t i = 0; i < 65; i++) {
		snprintf(text[i], sizeof(text[i]), "p%zu", i);
		labels[i] = text[i];
	}
	for (size_t i = 0; i < ARRAY_LEN(m) - 1; i++)
		assert_int_equal(image_make(&m[i], "/w", 1, &image, &n, &err), -EFBIG);
	for (size_t i = 0; i < STRINGS_MAX + 1; i++)
		many[i] = (char *)(uintptr_t)"x*y";
	for (size_t i = 0; i < 2; i++) { /* what is too much is not left out */
		m[5] = (struct model){ .name = "n" };
		*(i ? &m[5].execs : &m[5].nets) = RULES({ .name = "m", .max_depth = -1, .domains = { many, STRINGS_MAX }, .commands = { many, STRINGS_MAX } });
		assert_int_equal(image_make(&m[5], "/w", 1, &image, &n, &err), 0);
		free(image);
		(i ? m[5].execs : m[5].nets).v[0].domains.n = (i ? m[5].execs : m[5].nets).v[0].commands.n = STRINGS_MAX + 1;
		assert_int_equal(image_make(&m[5], "/w", 1, &image, &n, &err), -EFBIG);
	}
	memset(wrapper, 'w', sizeof(wrapper) - 1);
	m[5] = (struct model){ .name = "n", .transparent_add = STRS(wrapper + 1) };
	assert_int_equal(image_make(&m[5], "/w", 1, &image, &n, &err), 0);
	free(image);
	m[5].transparent_add.v[0]--;
	assert_int_equal(image_make(&m[5], "/w", 1, &image, &n, &err), -EFBIG);
	m[5] = (struct model){ .name = "n" };
	m[5].unixes = RULES({ .name = "p", .more = MORE(.processes = { labels, 65 }) });
	assert_int_equal(image_make(&m[5], "/w", 1, &image, &n, &err), -E2BIG);
	m[5].unixes.v[0].more->processes.n = 64;
	assert_int_equal(image_make(&m[5], "/w", 1, &image, &n, &err), 0);
	free(image);
}

/* A record is filled where it lies; what was begun and not done is in no generation, and the file ends with what is in it. */
static void test_room(void **state UNUSED)
{
	struct record got[] = { { "done", NULL, 0 }, { "open", NULL, 0 } };
	struct store *store;
	struct err err = { 0 };
	void *room, *map;
	size_t len;
	int fd;

	assert_int_equal(store_begin(&store, &err), 0);
	assert_int_equal(store_room(store, "open", 9000, &room, &err), 0);
	store_drop(store);
	assert_int_equal(store_begin(&store, &err), 0);
	assert_int_equal(store_room(store, "done", 20000, &room, &err), 0);
	memset(room, 7, 20000);
	assert_int_equal(store_done(store, &err), 0);
	assert_int_equal(store_room(store, "big", (size_t)GENERATION_MAX * 2, &room, &err), -EFBIG);
	assert_int_equal(store_end(store, &fd, &err), 0);
	len = (size_t)lseek(fd, 0, SEEK_END);
	assert_in_range(len, 20000, 20000 + 16 * 4096);
	map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(store_map(map, len, got, 2), 0);
	assert_int_equal(got[0].len, 20000);
	for (size_t i = 0; i < 20000; i++)
		assert_int_equal(((const uint8_t *)got[0].data)[i], 7);
	assert_null(got[1].data);
	munmap(map, len);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_every_byte_by_hash),
					    cmocka_unit_test(test_every_byte_with_its_hash), cmocka_unit_test(test_truncations),
					    cmocka_unit_test(test_records), cmocka_unit_test(test_room),
					    cmocka_unit_test(test_damage), cmocka_unit_test(test_numbers), cmocka_unit_test(test_every_page), cmocka_unit_test(test_sealed),
					    cmocka_unit_test(test_models_refused) };

	return cmocka_run_group_tests(tests, make, unmake);
}
