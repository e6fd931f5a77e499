/* SPDX-License-Identifier: Apache-2.0 */
/* Policies that extend others: the order of the rules, whose settings hold, and chains that are refused; globs for regular expressions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/parse.h"
#include "tests/unit/policy/pol.h"

static struct buf words = { .max = 1u << 20 };
static struct model m;

struct file { const char *name, *text; };

/* arg: files up to one without name. "deepN" extends "deepN+1"; "wideN" is an empty policy. */
static int load(void *arg, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct err *err)
{
	assert_non_null(from);
	for (const struct file *f = arg; f->name; f++)
		if (!strcmp(f->name, name)) {
			*ret_path = strdup(name);
			*ret_text = strdup(f->text);
			*ret_len = strlen(f->text);
			return 0;
		}
	if (!strncmp(name, "deep", 4) || !strncmp(name, "wide", 4)) {
		*ret_path = strdup(name);
		assert_true(asprintf(ret_text, HEAD "%s%s%d\n", name[0] == 'd' ? "extends: deep" : "description: ", "", atoi(name + 4) + 1) > 0);
		*ret_len = strlen(*ret_text);
		return 0;
	}
	return err_set(err, -ENOENT, "no policy named \"%s\"", name);
}

static int read_files(const struct file *files, bool compat)
{
	struct pol_source src = { .file = files[0].name, .text = files[0].text, .len = strlen(files[0].text), .load = load, .load_arg = (void *)files,
				  .compat = compat };
	struct diag d = { .file = src.file, .out = &words };

	model_fini(&m);
	buf_reset(&words);
	buf_put(&words, "", 0);
	return parse_source(&src, &d, false, &m);
}

static int done(void **state UNUSED)
{
	model_fini(&m);
	buf_fini(&words);
	return 0;
}

static void test_order(void **state UNUSED)
{
	static const struct file files[] = {
		{ "own", HEAD "description: d\nextends: [b, c]\nnetwork_rules: [{name: own, decision: deny}]\n"
		  "resource_limits: {pids_max: 1}\naudit: {retention_days: 1}\nenv_inject: {A: own}\nenv_policy: {deny: [X], max_keys: 1}\n" },
		{ "b", "version: 1\nname: b\nnetwork_rules:\n- {name: b1, decision: deny}\n- {name: own, decision: deny}\nextends: d\n"
		  "resource_limits: {pids_max: 2, max_memory_mb: 2}\nenv_inject: {A: b, B: b}\nenv_policy: {deny: [Y, '*b'], max_keys: 2, max_bytes: 2}\n" },
		{ "c", "version: 1\nname: c\nextends: [d]\nnetwork_rules: [{name: c, decision: deny}]\n"
		  "resource_limits: {max_memory_mb: 3, memory_swap_max_mb: 3}\naudit: {retention_days: 3, log_denied: false}\n" },
		{ "d", "version: 1\nname: d\nnetwork_rules: [{name: d, decision: deny}]\n" },
		{ 0 }
	};
	static const char *const order[] = { "own", "b1", "own", "d", "c" };
	static const unsigned file[] = { 0, 1, 1, 2, 3 }, line[] = { 5, 4, 5, 3, 4 };

	if (read_files(files, false) < 0)
		fail_msg("%s", (char *)words.data);
	assert_string_equal((char *)words.data, "own:6:1: warning: section resource_limits is not enforced by any daemon yet\n"
			    "own:7:1: warning: section audit is not enforced by any daemon yet\n"
			    "own:8:1: warning: section env_inject is not enforced by any daemon yet\n"
			    "own:9:1: warning: section env_policy is not enforced by any daemon yet\n");
	assert_string_equal(m.name, "n");
	assert_int_equal(m.nets.n, ARRAY_LEN(order));
	for (size_t i = 0; i < m.nets.n; i++) {
		assert_string_equal(m.nets.v[i].name, order[i]);
		assert_int_equal(m.nets.v[i].file, file[i]);
		assert_int_equal(m.nets.v[i].line, line[i]);
	}
	assert_int_equal(m.sources.n, 4);
	assert_string_equal(m.sources.v[2], "d");
	assert_true(m.limits.pids_max == 1 && m.limits.max_memory_mb == 2 && m.limits.memory_swap_max_mb == 3 && m.limits.swap_given);
	assert_true(m.audit.retention_days == 1 && !m.audit.log_denied);
	assert_true(m.env_inject.n == 2 && !strcmp(m.env_inject.v[0], "A=own") && !strcmp(m.env_inject.v[1], "B=b"));
	assert_true(m.env_deny.n == 3 && !strcmp(m.env_deny.v[0], "X") && !strcmp(m.env_deny.v[2], "*b"));
	assert_true(m.env.max_keys == 1 && m.env.max_bytes == 2);
}

static void refused(const struct file *files, const char *want)
{
	assert_int_equal(read_files(files, false), -EINVAL);
	assert_string_equal((char *)words.data, want);
}

static void test_refused(void **state UNUSED)
{
	static const struct file self[] = { { "a", HEAD "extends: [a]\n" }, { 0 } },
		cycle[] = { { "a", HEAD "extends: [x, b]\n" }, { "x", HEAD }, { "b", HEAD "extends: c\n" }, { "c", HEAD "extends: b\n" }, { 0 } },
		missing[] = { { "a", HEAD "extends: b\n" }, { "b", HEAD "extends:\n- x\n- zz\n" }, { "x", HEAD }, { 0 } },
		deep[] = { { "a", HEAD "extends: deep2\n" }, { 0 } },
		bad[] = { { "a", HEAD "extends: [b, c]\n" }, { "b", HEAD "file_rules: [7]\n" }, { "c", "version: 1\n" }, { 0 } },
		kinds[] = { { "a", HEAD "extends: {a: b}\n" }, { 0 } }, empty[] = { { "a", HEAD "extends: ['']\n" }, { 0 } },
		broken[] = { { "a", HEAD "extends: b\n" }, { "b", HEAD "x: [\n" }, { 0 } };
	struct buf wide = BUF_INIT(1u << 16);
	struct file many[] = { { "a", NULL }, { 0 } };
	struct pol_source src = { .file = "a", .text = self[0].text, .len = strlen(self[0].text) };

	refused(self, "a:3:11: error: extends \"a\": a policy that extends itself (a -> a)\n");
	refused(cycle, "c:3:10: error: extends \"b\": a policy that extends itself (a -> b -> c -> b)\n");
	refused(missing, "b:5:3: error: extends \"zz\": no policy named \"zz\" (a -> b -> zz)\n");
	refused(deep, "deep8:3:10: error: extends \"deep9\": deeper than 8 (a -> deep2 -> deep3 -> deep4 -> deep5 -> deep6 -> deep7 -> deep8 -> deep9)\n");
	refused(bad, "b:3:14: error: file rule: must be a map of keys, such as name\nc:1:1: error: the policy has no name\n");
	refused(kinds, "a:3:10: error: extends must be a list: write [a, b], or each entry in a line that begins with \"- \"\n");
	refused(empty, "a:3:11: error: extends: must be a policy's name or a file with / in it\n");
	refused(broken, "b:4:1: error: the file ends inside a list or map: write the closing ] or }\n");
	buf_puts(&wide, HEAD "extends: [wide1");
	for (int i = 2; i <= 32; i++)
		buf_printf(&wide, ", wide%d", i);
	buf_puts(&wide, "]\n");
	many[0].text = (char *)wide.data;
	refused(many, "a:3:250: error: extends \"wide32\": more than 32 files (a -> wide32)\n");
	buf_fini(&wide);
	buf_reset(&words);
	assert_int_equal(policy_validate(&src, &words), -EINVAL);
	assert_string_equal((char *)words.data, "a:3:11: error: extends \"a\": other policies cannot be read here (a -> a)\n");
}

static void test_compat(void **state UNUSED)
{
	static const struct file globs[] = {
		{ "a", HEAD "command_rules:\n- {name: a, decision: deny, args_patterns: ['*-rf*', '*a.b', '*x?*y*', '*', 'in*']}\n" }, { 0 }
	};
	static const char *const want[] = { "-rf", "a\\.b$", "x..*y", "", "in*" };

	assert_int_equal(read_files(globs, true), 0);
	assert_int_equal(m.execs.v[0].args_patterns.n, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(m.execs.v[0].args_patterns.v[i], want[i]);
	assert_string_equal((char *)words.data,
			    "a:4:45: warning: \"*-rf*\" is read as a glob: write the regular expression \"-rf\" [compat-glob]\n"
			    "a:4:54: warning: \"*a.b\" is read as a glob: write the regular expression \"a\\\\.b$\" [compat-glob]\n"
			    "a:4:62: warning: \"*x?*y*\" is read as a glob: write the regular expression \"x..*y\" [compat-glob]\n"
			    "a:4:72: warning: \"*\" is read as a glob: write the regular expression \"\" [compat-glob]\n");
	assert_int_equal(read_files(globs, false), -EINVAL);
}

/* "./a" and "a" are one file: neither read twice, nor a circle that is not seen. */
static void test_same_file(void **state UNUSED)
{
	static const struct file circle[] = { { "./a", HEAD "extends: ././a\n" }, { "././a", HEAD }, { 0 } },
		twice[] = { { "a", HEAD "extends: [b/x, ./b/x]\n" }, { "b/x", HEAD "file_rules: [{name: x, decision: deny, paths: [/a]}]\n" }, { "./b/x", HEAD "x: 1\n" }, { 0 } };

	refused(circle, "./a:3:10: error: extends \"././a\": a policy that extends itself (./a -> ././a)\n");
	assert_int_equal(read_files(twice, false), 0);
	assert_int_equal(m.files.n, 1);
	assert_int_equal(m.sources.n, 2);
}

/* What each file may have, and all of them together may not. */
static void test_sums(void **state UNUSED)
{
	struct buf own = BUF_INIT(1u << 20), other = BUF_INIT(1u << 20), list = BUF_INIT(1u << 16);
	struct file files[] = { { "a", NULL }, { "b", NULL }, { 0 } }, many[] = { { "a", NULL }, { 0 } };

	buf_puts(&own, HEAD "extends: b\ntransparent_commands: {add: [");
	buf_puts(&other, HEAD "transparent_commands: {add: [");
	for (int i = 0; i < STRINGS_MAX / 2; i++) {
		buf_printf(&own, "a%d,", i);
		buf_printf(&other, "b%d,", i);
	}
	buf_puts(&own, "]}\n");
	buf_printf(&other, "]}\n");
	files[0].text = (char *)own.data;
	files[1].text = (char *)other.data;
	assert_int_equal(read_files(files, false), 0);
	assert_int_equal(m.transparent_add.n, STRINGS_MAX);
	other.len -= 3;
	buf_puts(&other, "c]}\n");
	files[1].text = (char *)other.data;
	refused(files, "a:1:1: error: transparent_commands.add has 4097 entries with those of the policies it extends; 4096 are the most\n");
	buf_puts(&list, HEAD "extends: [");
	for (int i = 0; i < 33; i++)
		buf_printf(&list, "wide%d,", i);
	buf_puts(&list, "]\n");
	many[0].text = (char *)list.data;
	assert_int_equal(read_files(many, false), -EINVAL);
	assert_non_null(strstr((char *)words.data, "error: extends has more than 32 entries\n"));
	buf_fini(&own);
	buf_fini(&other);
	buf_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order), cmocka_unit_test(test_refused), cmocka_unit_test(test_compat),
		cmocka_unit_test(test_same_file), cmocka_unit_test(test_sums) };

	return cmocka_run_group_tests(tests, NULL, done);
}
