/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: processes, digests, the wrappers' options, and the rules that are made for scripts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "tests/unit/policy/gen.h"

static struct policy *p;
static struct pol_exec more;      /* what a question has beside its words */

static struct pol_verdict run(const char *const *argv)
{
	struct pol_exec q = more;

	q.given = argv[0];
	q.argv = argv;
	while (argv[q.argc])
		q.argc++;
	return policy_exec(p, &q);
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static struct policy *with(struct strs add, struct strs remove)
{
	struct model m = { .name = "n", .transparent_add = add, .transparent_remove = remove };

	m.execs = RULES({ .name = "no-rm", .commands = STRS("rm", "/opt/Bad/tool"), .decision = POL_DENY, .max_depth = -1 },
			{ .name = "ask", .commands = STRS("cur?"), .decision = POL_APPROVE, .max_depth = -1 },
			{ .name = "ask-tool", .commands = STRS("tool"), .decision = POL_APPROVE, .max_depth = -1 },
			{ .name = "all", .decision = POL_ALLOW, .max_depth = -1 });
	return gen_open(&m);
}

static int open_it(void **state UNUSED)
{
	p = with((struct strs){ 0 }, (struct strs){ 0 });
	return 0;
}

static int close_it(void **state UNUSED)
{
	policy_close(p);
	return 0;
}

static void test_wrappers(void **state UNUSED)
{
	static const char *const no[][10] = {
		{ "env", "-S", "rm -rf x" }, { "env", "-Srm x" }, { "env", "-iS", "A=b rm x" }, { "env", "--split-string=rm x" }, { "env", "--split-string", "rm", "x" },
		{ "env", "-S", "-u A", "rm" }, { "env", "-u", "HOME", "rm" }, { "env", "--unset", "HOME", "rm" }, { "env", "--uns", "HOME", "rm" }, { "env", "-", "rm" },
		{ "env", "--unset=HOME", "-C", "/", "A=b", "rm" }, { "env", "--", "A=b", "rm" }, { "nice", "--adjustment", "5", "rm" }, { "nice", "-5", "rm" }, { "nice", "-n5", "rm" },
		{ "timeout", "-k", "3", "--signal=KILL", "5", "rm" }, { "timeout", "--kill-after", "3", "5", "rm" }, { "xargs", "-I", "{}", "rm", "{}" }, { "xargs", "-n1", "-P", "4", "rm" },
		{ "xargs", "--max-args", "3", "rm" }, { "stdbuf", "-o", "L", "rm" }, { "sudo", "-u", "x", "rm" }, { "sudo", "-nu", "x", "A=b", "rm" }, { "sudo", "--user", "x", "-E", "rm" },
		{ "sudo", "-u", "x", "--", "rm" }, { "doas", "-u", "x", "rm" }, { "time", "-f", "%e", "-p", "rm" }, { "command", "-p", "rm" }, { "exec", "-a", "x", "rm" }, { "chroot", "--userspec=a", "/d", "rm" },
		{ "ionice", "-c2", "-n", "3", "rm" }, { "taskset", "-c", "0-3", "rm" }, { "watch", "-n", "1", "rm x" }, { "watch", "-x", "rm", "x" }, { "watch", "rm", "x" },
		{ "busybox", "env", "rm" }, { "busybox", "sh", "-c", "rm" }, { "ENV", "rm" }, { "setsid", "--fork", "rm" }, { "nohup", "--", "rm" }, { "/opt/bad/TOOL" },
		{ "env", "/opt/bad/tool" }, { "ld.so", "--preload", "x", "--", "/bin/rm" },
		{ "ld.so", "--" }, { "ld.so", "--argv0" }, { "ld.so", "--list", "--library-path" }, { "ld.so", "--new", "/bin/ls" }, { "ld.so", "--argv0=x", "ls" }, { "ld.so", "--", "ls" }, { "env", "ld.so", "--new", "ls" },
		{ "ld-musl-x.so.1", "--", "rm" }, { "ld-musl-x.so.1", "--argv0=x", "--library-path=y", "rm" }, { "ld-musl-x.so.1", "--list=x", "ls" }, { "libc.so", "rm" }, { "/lib/libc.musl-x86_64.so.1", "rm" },
		{ "ld.so", "--list", "--verify", "--inhibit-cache", "--list-tunables", "--list-diagnostics", "--help", "--version", "rm" }, { "ld.so", "-d/rm", "ls" }, { "ld.so", "-/rm" }, { "/lib/ld64.so.1", "/bin/rm" }, { "sh", "-c", "-x", "rm x" }, { "sh", "-c", "--", "rm x" },
		{ "bash", "-lc", "A=b C= rm x" }, { "sh", "-c", "\"rm\"" }, { "/lib64/ld-2.31.so", "rm" }, { "ld-musl-x.so.1", "rm" }, { "env", "-S", "-i", "rm" }, { "env", "-{", "-1Z", "rm" }, { "mksh", "-c", "rm" }, { "bash.real", "-c", "rm x" }, { "env", "-S", "rm a;x|(b)" }, { "sh", "-c", "rm \\" },
	};
	static const char *const yes[][10] = {
		{ "command", "-v", "rm" }, { "command", "-pV", "rm" }, { "ionice", "-p", "5", "rm" }, { "ionice", "-P", "5", "rm" }, { "ionice", "-u", "5", "rm" }, { "watch", "-n" }, { "sh", "-c", "rm \"$A\"" }, { "sh", "-c", "rm \"a" }, { "sh", "-o", "x", "+O" }, { "env", "--", "" }, { "nice", "-", "rm" }, { "ldd", "rm" }, { "env", "--split-string" }, { "env", "--=x", "ls" }, { "ionice", "--pid", "5", "rm" }, { "taskset", "-p", "1", "rm" }, { "env", "-S", "rm $A" }, { "sudo", "-l", "-U", "rm" }, { "env", "-u", "rm", "ls" }, { "timeout", "rm" }, { "chroot", "rm" },
		{ "env", "-S", "ls -S 'rm x'" }, { "env", "-S" }, { "env", "-S", "" }, { "env", "-S", "-S 'rm'" }, { "env", "-S", "A=b" }, { "xargs", "-I", "rm", "ls" }, { "nice", "--adjustment" }, { "sh", "-o", "c" },
		{ "sh", "--", "-c", "rm" }, { "sh", "-x", "rm" }, { "sh", "-o" }, { "bash", "--rcfile", "-c", "rm" }, { "sh", "-c", "A=b" }, { "sh", "-c", "1=rm x" }, { "sh", "-c", "rm \\\nx" },
		{ "watch", "rm;x" }, { "ld.so" }, { "ld.so", "-rm", "rm" }, { "ld.so", "-d/p", "rm" }, { "ld.so", "--audit", "rm", "ls" }, { "ld-musl-x.so.1", "--" }, { "ld-musl-x.so.1", "--", "ls" }, { "ld-musl-x.so.1", "--argv0=x", "ls", "rm" }, { "libc.so.6", "rm" }, { "xsh", "-c", "rm" }, { "wish", "-c", "rm" }, { "lda", "rm" },
	};

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (strcmp(run(no[i]).rule, "no-rm") != 0)
			fail_msg("case %zu: %s %s ... got %s", i, no[i][0], no[i][1], run(no[i]).rule);
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (strcmp(run(yes[i]).rule, "all") != 0)
			fail_msg("case %zu: %s %s ... got %s", i, yes[i][0], yes[i][1], run(yes[i]).rule);
	assert_verdict(RUN("env", "curl", "x"), POL_APPROVE, "ask");
}

/* A script longer than is looked at, many words, a long line for watch: none is read beyond its room. */
static void test_long_words(void **state UNUSED)
{
	static char text[20000];
	const char *argv[600];

	for (size_t n = 4080; n < 4110; n++) {
		memset(text, 'a', n);
		memcpy(text, "rm ", 3);
		text[n] = 0;
		RUN("watch", text);
		assert_int_equal(RUN("sh", "-c", text).decision, n + 2 < 4096 ? POL_DENY : POL_ALLOW);
		RUN("env", "-S", text, "x");
		RUN(text);
	}
	memset(text, 'r', sizeof(text) - 1);
	RUN(text, "x");
	text[0] = '/';
	RUN(text, "x");
	for (size_t i = 0; i < 599; i++)
		argv[i] = "rm";
	argv[599] = NULL;
	argv[0] = "env";
	argv[1] = "-S";
	assert_verdict(run(argv), POL_DENY, "no-rm");
	argv[0] = "watch";
	argv[1] = "-d";
	assert_verdict(run(argv), POL_DENY, "no-rm");
}

static void test_transparent(void **state UNUSED)
{
	struct policy *keep = p;

	p = with(STRS("mywrap", "Other"), STRS("nohup", "ENV"));
	assert_verdict(RUN("mywrap", "-x", "A=b", "5", "rm"), POL_DENY, "no-rm");
	assert_verdict(RUN("mywrap", "--", "rm"), POL_DENY, "no-rm");
	assert_verdict(RUN("mywrap", "ls", "rm"), POL_ALLOW, "all");
	assert_verdict(RUN("/x/other", "rm"), POL_DENY, "no-rm");
	assert_verdict(RUN("nohup", "rm"), POL_ALLOW, "all");
	assert_verdict(RUN("env", "rm"), POL_ALLOW, "all");
	assert_verdict(RUN("nice", "rm"), POL_DENY, "no-rm");
	policy_close(p);
	p = keep;
}

static void test_scripts(void **state UNUSED)
{
	static const char *const bypass[][6] = {
		{ "sh", "-p", "-c", "ls" }, { "sh", "-epc", "ls" }, { "sh", "+c", "ls" }, { "sh", "+pc", "ls" }, { "bash", "-norc", "-c", "ls" }, { "bash", "-rcfile", "f", "-c", "ls" },
		{ "bash", "--frob", "-c", "ls" }, { "bash", "--rcfile=f", "-c", "ls" }, { "dash", "--norc", "-c", "ls" }, { "dash", "-O", "-c", "ls" }, { "zsh", "--posix", "-c", "ls" },
		{ "zsh", "-O", "-c", "ls" }, { "zsh", "-bc", "ls" }, { "zsh", "-oerrexit", "-c", "ls" }, { "mksh", "-onoclobber", "-c", "ls" }, { "ksh", "-oc", "-c", "ls" },
		{ "sh", "-c", "env -S 'ls $A'" }, { "sh", "-c", "env -S 'ls \\_x'" }, { "sh", "-c", "env -S '-S ls'" }, { "sh", "-c", "nice env -iS '\"ls'" }, { "sh", "-pc", "env -S" }, { "nice", "sh", "-pc", "a; b" },
	};
	static const char *const understood[][9] = {
		{ "sh", "-c", "exec -a x tool" }, { "sh", "-c", "exec -cla x tool" }, { "sh", "-c", "exec -l -c tool" }, { "sh", "-c", "env -i tool" }, { "sh", "-c", "env -u A tool" }, { "sh", "-c", "env -S tool" }, { "sh", "-c", "env -iS 'A=b tool' x" }, { "sh", "-c", "env --ignore-env tool" },
		{ "sh", "-c", "env - tool" }, { "sh", "-c", "env -C / -a x A=b tool" }, { "sh", "-c", "env --argv0 x tool" }, { "sh", "-c", "nice env -i tool" }, { "sh", "-c", "time -p tool" }, { "sh", "-c", "env -S ' ' tool" },
		{ "bash", "-o", "pipefail", "-c", "tool" }, { "bash", "-eo", "pipefail", "-c", "tool" }, { "bash", "-oe", "pipefail", "-c", "tool" }, { "bash", "-ceo", "pipefail", "tool" }, { "bash", "-oO", "a", "b", "-c", "tool" },
		{ "bash", "--norc", "--noprofile", "--posix", "--login", "--noediting", "--restricted", "-c", "tool" }, { "bash", "--verbose", "--rcfile", "f", "--init-file", "f", "-c", "tool" }, { "sh", "--login", "-c", "tool" },
		{ "bash", "-O", "extglob", "+O", "x", "+o", "y", "-c", "tool" }, { "sh", "-abCefhmnuvxc", "tool" }, { "sh", "+ex", "-c", "tool" }, { "dash", "-o", "errexit", "-c", "tool" }, { "zsh", "-o", "errexit", "-c", "tool" }, { "sh", "-c", "-", "tool" },
	};
	struct model m = { .name = "n" };
	struct policy *keep = p;

	for (size_t i = 0; i < ARRAY_LEN(bypass); i++)
		if (strcmp(run(bypass[i]).rule, "shellc-wrapper-bypass") != 0 || run(bypass[i]).decision != POL_DENY)
			fail_msg("case %zu: %s ... got %s", i, bypass[i][2], run(bypass[i]).rule);
	for (size_t i = 0; i < ARRAY_LEN(understood); i++)
		if (strcmp(run(understood[i]).rule, "ask-tool") != 0)
			fail_msg("case %zu: %s %s ... got %s", i, understood[i][0], understood[i][1], run(understood[i]).rule);
	/* no script: nobody who wrote one could hide in it */
	assert_verdict(RUN("env", "-S", "ls $A"), POL_ALLOW, "all");
	assert_verdict(RUN("bash", "-init-file", "-c", "x", "-c"), POL_ALLOW, "all");
	assert_verdict(RUN("zsh", "-onoclobber", "x", "rm"), POL_ALLOW, "all");
	assert_verdict(RUN("sh", "-exc", "env A=b ls"), POL_ALLOW, "all");
	assert_verdict(RUN("sh", "-c", "env -i ls; x"), POL_ALLOW, "all");
	/* four deep is looked at, what is deeper is refused in a script only */
	assert_verdict(RUN("sh", "-c", "nice nice nice ls"), POL_ALLOW, "all");
	assert_verdict(RUN("sh", "-c", "nice nice nice rm"), POL_DENY, "no-rm");
	assert_verdict(RUN("sh", "-c", "nice nice nice nice ls"), POL_DENY, "shellc-depth-exceeded");
	assert_verdict(RUN("nice", "nice", "nice", "nice", "nice", "rm"), POL_ALLOW, "all");
	/* a rule that says so itself is not replaced */
	assert_verdict(RUN("sh", "-pc", "rm"), POL_DENY, "shellc-wrapper-bypass");
	/* without a command rule that restricts there is nothing to get around */
	m.execs = RULES({ .name = "all", .decision = POL_ALLOW, .max_depth = -1 }, { .name = "audit", .decision = POL_AUDIT, .max_depth = -1 });
	p = gen_open(&m);
	assert_verdict(RUN("sh", "-pc", "ls"), POL_ALLOW, "all");
	assert_verdict(RUN("sh", "-c", "nice nice nice nice ls"), POL_ALLOW, "all");
	policy_close(p);
	p = keep;
}

/* What a wrapper or a shell's one plain command runs stands for it, at its depth: a context of the submitted command is its. */
static void test_depths(void **state UNUSED)
{
	struct model m = { .name = "n" };
	struct policy *keep = p;

	m.execs = RULES({ .name = "direct", .commands = STRS("tool"), .decision = POL_DENY, .max_depth = 0 },
			{ .name = "second", .commands = STRS("git"), .decision = POL_DENY, .min_depth = 2, .max_depth = 2 },
			{ .name = "soft", .commands = STRS("soft"), .decision = POL_SOFT_DELETE, .max_depth = -1, .more = MORE(.processes = STRS("x")) },
			{ .name = "soft-sum", .commands = STRS("sum"), .decision = POL_SOFT_DELETE, .max_depth = -1, .more = MORE(.sha256 = STRS("00")) },
			{ .name = "all", .decision = POL_ALLOW, .max_depth = -1 });
	p = gen_open(&m);
	assert_verdict(RUN("tool"), POL_DENY, "direct");
	assert_verdict(RUN("sh", "-c", "tool"), POL_DENY, "direct");
	assert_verdict(RUN("env", "nice", "sh", "-c", "nice tool"), POL_DENY, "direct");
	assert_verdict(RUN("sh", "-c", "tool; x"), POL_ALLOW, "all");
	assert_verdict(RUN("/lib/ld-linux.so.2", "/x/tool"), POL_DENY, "direct");
	assert_verdict(RUN("nice", "nice", "git"), POL_ALLOW, "all");
	more.depth = 1;
	assert_verdict(RUN("nice", "tool"), POL_ALLOW, "all");
	more.depth = 2;
	assert_verdict(RUN("nice", "git"), POL_DENY, "second");
	more.depth = 0;
	/* soft_delete of a command is an allow: not for who is unknown */
	more.who.unknown = true;
	assert_verdict(RUN("soft"), POL_ALLOW, "all");
	assert_verdict(RUN("sum"), POL_ALLOW, "all");
	more.who = (struct pol_who){ .sure = 1 };
	assert_verdict(RUN("soft"), POL_SOFT_DELETE, "soft");
	more = (struct pol_exec){ .depth = 0xffffffff };
	assert_verdict(RUN("nice", "tool"), POL_ALLOW, "all");
	more = (struct pol_exec){ 0 };
	policy_close(p);
	p = keep;
}

/* A command in the middle that no rule speaks of neither decides nor hides what lies below it. */
static void test_middle(void **state UNUSED)
{
	struct model m = { .name = "n" };
	struct policy *keep = p;

	m.execs = RULES({ .name = "no-rm", .commands = STRS("rm"), .decision = POL_DENY, .max_depth = -1 },
			{ .name = "env", .commands = STRS("env"), .decision = POL_ALLOW, .max_depth = -1 },
			{ .name = "ask", .commands = STRS("curl"), .decision = POL_APPROVE, .max_depth = -1 });
	p = gen_open(&m);
	assert_verdict(RUN("env", "nice", "rm"), POL_DENY, "no-rm");
	assert_verdict(RUN("env", "sh", "-c", "nice rm x"), POL_DENY, "no-rm");
	assert_verdict(RUN("env", "nice", "curl"), POL_APPROVE, "ask");
	assert_verdict(RUN("env", "sh", "-pc", "ls"), POL_DENY, "shellc-wrapper-bypass");
	assert_verdict(RUN("env", "nice", "ls"), POL_ALLOW, "env");
	assert_verdict(RUN("env", "nice", "env", "ls"), POL_ALLOW, "env");
	/* the submitted one's own end stays */
	assert_verdict(RUN("nice", "env", "ls"), POL_DENY, "default-deny-commands");
	assert_verdict(RUN("nice", "curl"), POL_DENY, "default-deny-commands");
	policy_close(p);
	p = keep;
}

/* argv[0], the name given and the file each count; one that the caller may have made can only forbid. */
static void test_three_names(void **state UNUSED)
{
	more.resolved = "/usr/bin/perl";
	more.argc = 0;
	assert_verdict(policy_exec(p, &(struct pol_exec){ .given = "ls", .argc = 0 }), POL_ALLOW, "all");
	assert_verdict(policy_exec(p, &(struct pol_exec){ .given = "ls", .resolved = "/bin/rm", .argc = 0 }), POL_DENY, "no-rm");
	for (int i = 0; i < 2; i++) {
		static const char *const zero[] = { "-rm", NULL }, *const named[] = { "x/rm", NULL }, *const other[] = { "perl", NULL };
		struct pol_exec q = { .given = "/w/ls", .resolved = "/usr/bin/perl", .argv = zero, .argc = 1, .untrusted_name = i };

		assert_verdict(policy_exec(p, &q), POL_DENY, "no-rm");
		q.argv = named;
		assert_verdict(policy_exec(p, &q), POL_DENY, "no-rm");
		q.argv = other;
		assert_verdict(policy_exec(p, &q), POL_ALLOW, "all");
		q.given = q.resolved = "/bin/rm";
		assert_verdict(policy_exec(p, &q), POL_DENY, "no-rm");
		q.resolved = NULL;
		assert_verdict(policy_exec(p, &q), POL_DENY, "no-rm");
	}
	more = (struct pol_exec){ 0 };
}

/* A damaged pattern, whichever it is, and the generation is not opened. */
static void test_pattern_damaged(void **state UNUSED)
{
	struct model m = { .name = "n" };
	uint8_t *pattern, *bytes, hash[32];
	size_t n, len;
	struct policy *bad = NULL;
	struct err err = { 0 };
	struct record v = { "rule", NULL, 0 };
	struct img_head h;
	size_t image;
	int fd;

	gen_regex(&STRS("zzz"), &pattern, &n);
	m.execs = RULES({ .name = "first", .commands = STRS("never"), .regex = pattern, .regex_len = n, .max_depth = -1, .decision = POL_DENY },
			{ .name = "lets", .commands = STRS("git"), .regex = pattern, .regex_len = n, .max_depth = -1, .decision = POL_ALLOW },
			{ .name = "stops", .commands = STRS("git"), .regex = pattern, .regex_len = n, .max_depth = -1, .decision = POL_APPROVE },
			{ .name = "all", .max_depth = -1, .decision = POL_ALLOW });
	fd = gen_make(&m, hash);
	len = (size_t)lseek(fd, 0, SEEK_END);
	bytes = malloc(len);
	assert_int_equal(pread(fd, bytes, len, 0), len);
	close(fd);
	assert_int_equal(store_map(bytes, len, &v, 1), 0);
	image = (size_t)((const uint8_t *)v.data - bytes);
	memcpy(&h, bytes + image, sizeof(h));
	for (size_t i = 0; i < 4; i++) {
		uint8_t *at = bytes + image + h.r[R_REGEX].at + (i < 3 ? i : 0) * n, was = at[4];

		at[4] = i < 3 ? 0x5a : was; /* the number of steps */
		sha256(bytes, len, hash);
		fd = memfd_create("t", 0);
		assert_int_equal(write(fd, bytes, len), len);
		assert_int_equal(policy_open(fd, hash, &bad, &err), i < 3 ? -EBADMSG : 0);
		at[4] = was;
		if (i < 3)
			close(fd);
	}
	policy_close(bad);
	close(fd);
	free(bytes);
	free(pattern);
}

static int asked;

static int digest(void *arg, uint8_t ret[32])
{
	asked++;
	if (!arg)
		return -EIO;
	memset(ret, *(uint8_t *)arg, 32);
	return 0;
}

#define HEX(x) x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x

static void test_digests(void **state UNUSED)
{
	struct model m = { .name = "n" };
	struct policy *keep = p;
	uint8_t byte = 0xab;

	m.execs = RULES({ .name = "bad", .commands = STRS("git"), .decision = POL_DENY, .max_depth = -1, .more = MORE(.sha256 = STRS(HEX("0c"))) },
			{ .name = "good", .commands = STRS("git"), .decision = POL_ALLOW, .max_depth = -1, .more = MORE(.sha256 = STRS(HEX("01"), HEX("ab"))) },
			{ .name = "rest", .decision = POL_AUDIT, .max_depth = -1 });
	p = gen_open(&m);
	more = (struct pol_exec){ .sha256 = digest, .sha256_arg = &byte };
	assert_verdict(RUN("git"), POL_ALLOW, "good");
	assert_int_equal(asked, 1);
	assert_verdict(RUN("ls"), POL_AUDIT, "rest");
	assert_int_equal(asked, 1);
	byte = 0x0c;
	assert_verdict(RUN("git"), POL_DENY, "bad");
	byte = 0x0d;
	assert_verdict(RUN("git"), POL_AUDIT, "rest");
	/* not known: what restricts holds */
	more.sha256_arg = NULL;
	assert_verdict(RUN("git"), POL_DENY, "bad");
	more.sha256 = NULL;
	assert_verdict(RUN("git"), POL_DENY, "bad");
	/* below it they wait for the exec, but for a loader's */
	assert_verdict(RUN("sh", "-c", "git"), POL_AUDIT, "rest");
	assert_verdict(RUN("env", "git"), POL_AUDIT, "rest");
	assert_verdict(RUN("ld.so", "git"), POL_DENY, "bad");
	assert_verdict(RUN("ld.so", "env", "git"), POL_AUDIT, "rest");
	more.sha256 = digest;
	byte = 0x0c;
	more.sha256_arg = &byte;
	assert_verdict(RUN("env", "git"), POL_AUDIT, "rest");
	more = (struct pol_exec){ 0 };
	policy_close(p);
	p = keep;
}

static void test_processes(void **state UNUSED)
{
	struct model m = { .name = "n" };
	struct policy *keep = p;

	m.execs = RULES({ .name = "by-npm", .commands = STRS("node"), .decision = POL_ALLOW, .max_depth = -1, .more = MORE(.processes = STRS("npm", "/usr/**/yarn")) },
			{ .name = "not-by-make", .decision = POL_DENY, .max_depth = -1, .more = MORE(.processes = STRS("mak*")) },
			{ .name = "all", .decision = POL_ALLOW, .max_depth = -1 });
	p = gen_open(&m);
	assert_int_equal(policy_labels(p, "NPM", NULL, false).sure, 1);
	assert_int_equal(policy_labels(p, "/usr/a/b/yarn", NULL, false).sure, 2);
	assert_int_equal(policy_labels(p, "/usr/a/b/Yarn", NULL, false).sure, 0);
	assert_int_equal(policy_labels(p, "MAKE", "/usr/x/yarn", false).sure, 6);
	assert_verdict(RUN("node"), POL_ALLOW, "all");
	more.who.sure = 2;
	assert_verdict(RUN("node"), POL_ALLOW, "by-npm");
	assert_verdict(RUN("env", "node"), POL_ALLOW, "all");
	more.who.sure = 4;
	assert_verdict(RUN("node"), POL_DENY, "not-by-make");
	more.who = (struct pol_who){ .unknown = true };
	assert_verdict(RUN("node"), POL_DENY, "not-by-make");
	more = (struct pol_exec){ 0 };
	policy_close(p);
	p = keep;
	assert_false(policy_has_labels(p));
	assert_int_equal(policy_labels(p, "npm", NULL, false).sure, 0);
}

/* A policy of many names: each is found, the first rule of two wins, whichever of the ways leads to it. */
static void test_many(void **state UNUSED)
{
	enum { N = 3000 };
	struct rule *v = calloc(N + 3, sizeof(*v));
	char (*names)[24] = calloc(N, sizeof(*names));
	char **lists = calloc(2 * N, sizeof(*lists));
	struct model m = { .name = "n", .execs = { v, N + 3 } };
	struct policy *keep = p;

	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), i % 3 ? "cmd%zu" : "/x/Cmd%zu", i / 2 * 2);
		lists[2 * i] = names[i];
		v[i + 1] = (struct rule){ .name = names[i], .commands = { lists + 2 * i, 1 }, .decision = POL_AUDIT, .max_depth = -1 };
	}
	v[0] = (struct rule){ .name = "deep", .commands = STRS("cmd4"), .decision = POL_DENY, .min_depth = 1, .max_depth = -1 };
	v[N + 1] = (struct rule){ .name = "glob", .commands = STRS("cmd*", "other"), .decision = POL_DENY, .max_depth = -1 };
	v[N + 2] = (struct rule){ .name = "end", .decision = POL_ALLOW, .max_depth = -1 };
	p = gen_open(&m);
	for (size_t i = 0; i < N; i++) {
		struct pol_verdict r = run((const char *const[]){ names[i], NULL });
		size_t first = 0;

		while (strcmp(names[first], names[i]) != 0)
			first++;
		if (names[i][0] == '/') /* its base name may come before */
			for (size_t k = 0; k < first; k++)
				first = names[k][0] == 'c' && !strcmp(names[k] + 3, names[i] + 6) ? k : first;
		assert_int_equal(r.rule_no, first + 1);
	}
	assert_verdict(RUN("cmdx"), POL_DENY, "glob");
	assert_verdict(RUN("OTHER"), POL_DENY, "glob");
	assert_verdict(RUN("what"), POL_ALLOW, "end");
	more.depth = 1;
	assert_verdict(RUN("cmd4"), POL_DENY, "deep");
	more.depth = 0xffffffff;
	assert_verdict(RUN("cmd4"), POL_DENY, "deep");
	more.depth = 0;
	policy_close(p);
	p = keep;
	free(v);
	free(names);
	free(lists);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_wrappers), cmocka_unit_test(test_long_words), cmocka_unit_test(test_transparent), cmocka_unit_test(test_scripts),
					    cmocka_unit_test(test_depths), cmocka_unit_test(test_middle), cmocka_unit_test(test_three_names), cmocka_unit_test(test_pattern_damaged), cmocka_unit_test(test_digests), cmocka_unit_test(test_processes), cmocka_unit_test(test_many) };

	return cmocka_run_group_tests(tests, open_it, close_it);
}
