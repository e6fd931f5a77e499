/* SPDX-License-Identifier: Apache-2.0 */
/* Each key of the language with a value of another kind than it takes: refused at that value. And values that are nearly right. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/model.h"
#include "tests/unit/policy/pol.h"

#define FILE_RULE "file_rules:\n- {name: a, decision: deny, "
#define NET_RULE "network_rules:\n- {name: a, decision: deny, "
#define EXEC_RULE "command_rules:\n- {name: a, decision: deny, "
#define EXEC_TO "command_rules:\n- {name: a, decision: redirect, redirect_to: {command: x, "
#define UNIX_RULE "unix_socket_rules:\n- {name: a, decision: deny, "
#define SIGNAL_RULE "signal_rules:\n- {name: a, decision: deny, "
#define DNS "dns_redirects:\n- {name: a, "
#define CONNECT "connect_redirects:\n- {name: a, "
#define SERVICE "http_services:\n- {name: a, "
#define BUDGET "llm_budgets:\n- {name: a, "

/* kinds: what it takes, of t(ext), l(ist of texts), m(ap), L(ist of others). */
static const struct { const char *before, *keys, *kinds, *after; } keys[] = {
	{ FILE_RULE, "paths operations processes", "l", "}" },
	{ "file_rules:\n- {", "name message description decision timeout redirect_to preserve_tree undo", "t", "}" },
	{ NET_RULE, "domains ports cidrs methods paths processes", "l", "}" },
	{ NET_RULE, "tls dlp message timeout", "t", "}" },
	{ EXEC_RULE, "commands args_patterns processes env_allow env_deny", "l", "}" },
	{ EXEC_RULE, "sha256", "lt", "}" },
	{ EXEC_RULE, "context", "lm", "}" },
	{ EXEC_RULE, "env_max_bytes env_max_keys env_block_iteration message timeout", "t", "}" },
	{ EXEC_RULE, "redirect_to", "m", "}" },
	{ EXEC_RULE "context: {", "min_depth max_depth", "t", "}}" },
	{ EXEC_TO, "args args_append", "l", "}}" },
	{ EXEC_TO, "environment", "m", "}}" },
	{ EXEC_TO "environment: {", "NAME", "t", "}}}" },
	{ "command_rules:\n- {name: a, decision: redirect, redirect_to: {", "command", "t", "}}" },
	{ UNIX_RULE, "paths operations", "l", "}" },
	{ SIGNAL_RULE, "signals processes", "l", "}" },
	{ SIGNAL_RULE, "target", "tm", "}" },
	{ SIGNAL_RULE, "fallback redirect_to message", "t", "}" },
	{ SIGNAL_RULE "target: {", "type pattern min max", "t", "}}" },
	{ DNS, "match resolve_to visibility on_failure message", "t", "}" },
	{ CONNECT, "match redirect_to redirect_to_unix visibility on_failure message", "t", "}" },
	{ CONNECT, "tls", "m", "}" },
	{ CONNECT "tls: {", "mode sni", "t", "}}" },
	{ "resource_limits: {", "max_memory_mb memory_swap_max_mb cpu_quota_percent disk_read_bps_max disk_write_bps_max net_bandwidth_mbps pids_max "
	  "command_timeout session_timeout idle_timeout", "t", "}" },
	{ "env_policy: {", "allow deny", "l", "}" },
	{ "env_policy: {", "max_bytes max_keys block_iteration", "t", "}" },
	{ "env_inject: {", "NAME", "t", "}" },
	{ "audit: {", "log_allowed log_denied log_approved include_stdout include_stderr include_file_content retention_days", "t", "}" },
	{ "transparent_commands: {", "add remove", "l", "}" },
	{ SERVICE, "upstream expose_as allow_direct default scrub_response", "t", "}" },
	{ SERVICE, "aliases", "l", "}" },
	{ SERVICE, "rules", "L", "}" },
	{ SERVICE, "secret inject", "m", "}" },
	{ SERVICE "secret: {", "ref format", "t", "}}" },
	{ SERVICE "inject: {", "header", "m", "}}" },
	{ SERVICE "inject: {header: {", "name template", "t", "}}}" },
	{ BUDGET, "providers models keys warn_at", "l", "}" },
	{ BUDGET, "per max_usd max_tokens max_input_tokens max_output_tokens max_requests requests_per_minute decision message timeout description", "t", "}" },
	{ "", "extends", "tl", "" },
	{ "", "resource_limits env_policy env_inject audit transparent_commands", "m", "" },
	{ "", "file_rules network_rules command_rules unix_socket_rules signal_rules dns_redirects connect_redirects http_services llm_budgets", "L", "" },
};
static const struct { char kind; const char *value; size_t at; } values[] = {
	{ 't', "word", 0 }, { 'm', "{q: r}", 0 }, { 'l', "[q]", 0 }, { 'L', "[[q]]", 1 }, { 'L', "[{q: r}]", 1 },
};

/* Whether there is an error at the value, or at its first entry. */
static bool refused_there(const char *kinds, size_t i, const char *said, size_t line, size_t column)
{
	/* A list of texts that has something else in it is wrong there, any other wrong kind as a whole. */
	size_t at = strchr(kinds, 'l') ? column + values[i].at : column;
	char want[64], inner[64];

	snprintf(want, sizeof(want), "f:%zu:%zu: error: ", line, at);
	snprintf(inner, sizeof(inner), "f:%zu:%zu: error: ", line, column + 1);
	return strstr(said, want) || (strchr(kinds, 'L') && strstr(said, inner));
}

static void test_kinds(void **state UNUSED)
{
	size_t asked = 0, wrong = 0;

	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		for (const char *key = keys[k].keys; *key; key += strcspn(key, " "), key += strspn(key, " "))
			for (size_t i = 0; i < ARRAY_LEN(values); i++) {
				int n = (int)strcspn(key, " ");
				char text[1024];
				struct pol_source src = { .file = "f", .text = text };
				struct buf diag = { .max = 1u << 16 };
				size_t line;
				int r;

				if (strchr(keys[k].kinds, values[i].kind))
					continue;
				snprintf(text, sizeof(text), "version: 1\nname: n\n%s\n %.*s: %s\n %s\n", keys[k].before, n, key, values[i].value, keys[k].after);
				if (!keys[k].before[0])
					snprintf(text, sizeof(text), "version: 1\nname: n\n%.*s: %s\n", n, key, values[i].value);
				src.len = strlen(text);
				line = keys[k].before[0] ? 4 + (strchr(keys[k].before, '\n') != NULL) : 3;
				r = policy_validate(&src, &diag);
				asked++;
				if (r != -EINVAL || !refused_there(keys[k].kinds, i, (const char *)diag.data, line, (size_t)n + 3 + (keys[k].before[0] != 0))) {
					printf("%s%d: %s", text, r, diag.data ? (const char *)diag.data : "\n");
					wrong++;
				}
				buf_fini(&diag);
			}
	assert_true(asked > 300);
	assert_int_equal(wrong, 0);
}

/* Long ones: n times one byte, between what stands before and behind. */
static const struct { const char *before; size_t n; const char *after, *want; } longs[] = {
	{ FILE_RULE "paths: [/", 5000, "]}\n", "f:4:37: error: path " },
	{ "extends: ", 5000, "\n", "f:3:10: error: extends: must be a policy's name or a file with / in it" },
	{ BUDGET "max_usd: ", 200, "}\n", "f:4:22: error: max_usd " },
	{ SERVICE "upstream: 'https://a:", 40, "'}\n", "f:4:23: error: upstream \"https://a:" },
	{ CONNECT "match: a, redirect_to_unix: /", 110, "}\n", "f:4:41: error: redirect_to_unix " },
	{ NET_RULE "domains: [", 2000, "]}\n", "f:4:39: error: longer than 1024 bytes" },
	{ EXEC_RULE "commands: [", 2000, "]}\n", "f:4:40: error: longer than 1024 bytes" },
	{ EXEC_RULE "commands: [/", 2000, "]}\n", "f:4:40: error: longer than 1024 bytes" },
	{ DNS "match: ", 5000, ", resolve_to: 192.0.2.1}\n", "f:4:20: error: match must be a text of 1 to 4096 bytes" },
	{ "transparent_commands: {add: [", 256, "]}\n", "f:3:30: error: add: " },
	{ "file_rules:\n- {name: ", 257, ", decision: deny, paths: [/a]}\n", "f:4:10: error: name must be a text of 1 to 256 bytes" },
	{ NET_RULE "dlp: ", 65, "}\n", "f:4:34: error: dlp must be a text of 1 to 64 bytes" },
	{ "", 70, ": 1\n", "f:3:1: error: unknown key " },
	{ NET_RULE "tls: ", 70, "}\n", "f:4:34: error: tls " },
	{ NET_RULE "methods: [", 100, "]}\n", "f:4:39: error: longer than 32 bytes" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'a{rand:", 60, "}'}}\n", "f:4:71: error: format must have {rand:N} once, N from 24 to 1024" },
};

static const struct { const char *text, *want; } odd[] = {
	{ "extends: ''\n", "f:3:10: error: extends: must be a policy's name or a file with / in it" },
	{ FILE_RULE "paths: [' /a'], undo: keep}\n", "f:4:37: warning: path \" /a\" begins with a blank, which is taken as part of it [odd-character]" },
	{ FILE_RULE "paths: ['~root/x']}\n", "f:4:37: warning: path \"~root/x\" matches nothing: write ${HOME}/... [impossible-path]" },
	{ FILE_RULE "paths: ['~/x']}\n", "f:4:37: warning: path \"~/x\" matches nothing: write ${HOME}/x [impossible-path]" },
	{ FILE_RULE "paths: ['{/a,/b}', '/c/', '/d\\/']}\n", "f:4:48: warning: path \"/c/\" matches nothing: paths do not end with / [impossible-path]" },
	{ FILE_RULE "paths: [/a/.]}\n", "f:4:37: warning: path \"/a/.\" matches nothing: paths have no . or .. in them [impossible-path]" },
	{ FILE_RULE "paths: [/a/..]}\n", "f:4:37: warning: path \"/a/..\" matches nothing: paths have no . or .. in them [impossible-path]" },
	{ FILE_RULE "paths: [a]}\n", "f:4:37: warning: path \"a\" matches nothing: start it with / or ** [impossible-path]" },
	{ NET_RULE "paths: [v1]}\n", "f:4:37: warning: path \"v1\" matches nothing: start it with / or ** [impossible-path]" },
	{ NET_RULE "paths: ['{/a,/b}', '*']}\n", "" },
	{ NET_RULE "paths: [/a//b]}\n", "f:4:37: warning: path \"/a//b\" matches nothing: such requests are refused before [impossible-path]" },
	{ NET_RULE "paths: [/a/../b]}\n", "f:4:37: warning: path \"/a/../b\" matches nothing: such requests are refused before [impossible-path]" },
	{ NET_RULE "paths: [/a/./b]}\n", "f:4:37: warning: path \"/a/./b\" matches nothing: such requests are refused before [impossible-path]" },
	{ NET_RULE "paths: ['/a[']}\n", "f:4:37: error: path \"/a[\": \"[\" without \"]\" (write \\\\[ for the character)" },
	{ NET_RULE "domains: [me@x.org]}\n", "f:4:39: warning: \"me@x.org\" is never a host's name: write the host alone [impossible-domain]" },
	{ NET_RULE "domains: ['a..b']}\n", "f:4:39: warning: \"a..b\" is never a host's name: a host has no .. in it [impossible-domain]" },
	{ NET_RULE "domains: ['x.org.', '.', 'a\\.']}\n", "f:4:49: warning: \".\" is never a host's name: write **.example.com for all hosts below a domain [impossible-dom" },
	{ NET_RULE "domains: ['x.org/p']}\n", "f:4:39: warning: \"x.org/p\" is never a host's name: write the host alone; a path goes to paths [impossible-doma" },
	{ NET_RULE "domains: ['x.org:80']}\n", "f:4:39: warning: \"x.org:80\" is never a host's name: write the host alone; a port goes to ports [impossible-dom" },
	{ "network_rules:\n- {decision: DENY, name: a, cidrs: [10.0.0.0/33]}\n", "f:4:37: error: \"10.0.0.0/33\" is not an address range: write 10.0.0.0/8, fd00::/8, or one address" },
	{ "network_rules:\n- {name: a, cidrs: [10.0.0.1/8]}\n", "f:4:3: error: the network rule has no decision" },
	{ NET_RULE "cidrs: [x]}\n", "f:4:37: error: \"x\" is not an address range: write 10.0.0.0/8, fd00::/8, or one address" },
	{ NET_RULE "ports: [0]}\n", "f:4:37: warning: nothing connects to port 0 [port-zero]" },
	{ NET_RULE "ports: [65536]}\n", "f:4:37: error: \"65536\" is not a port: numbers to 65535, one by one; leave ports out for all" },
	{ EXEC_RULE "commands: [a/b]}\n", "f:4:40: warning: \"a/b\" matches nothing: a name, or a path from / on [impossible-path]" },
	{ EXEC_RULE "commands: ['*/b', '{/a,/b}', '${HOME}/x']}\n", "" },
	{ EXEC_RULE "env_allow: [A=b]}\n", "f:4:41: error: \"A=b\": write the variable's name without = and value" },
	{ EXEC_RULE "env_max_keys: -1}\n", "f:4:43: error: env_max_keys \"-1\" is not a whole number from 0 to 9223372036854775807" },
	{ EXEC_RULE "sha256: [x]}\n", "f:4:38: error: \"x\" is not a SHA-256: 64 hexadecimal digits" },
	{ EXEC_RULE "sha256: 0000000000000000000000000000000000000000000000000000000000000000}\n", "" },
	{ EXEC_RULE "sha256: '000000000000000000000000000000000000000000000000000000000000000g'}\n", "f:4:37: error: \"000000000000000000000000000000000000000000000000000000000000000g\" is not a SHA-256: 64 hexadec" },
	{ EXEC_RULE "args_patterns: ['*x']}\n", "f:4:45: error: args_patterns: not a regular expression: Invalid repeat at index 0. (a glob's * is .* here)" },
	{ EXEC_RULE "args_patterns: ['~/x']}\n", "f:4:45: warning: a shell writes the home directory for ~: this pattern hardly ever matches; use /home/ or /roo" },
	{ EXEC_RULE "args_patterns: ['\\$HOME']}\n", "f:4:45: warning: a shell writes the value for a variable: this pattern hardly ever matches [shell-expansion]" },
	{ EXEC_RULE "args_patterns: ['\\$\\{A']}\n", "f:4:45: warning: a shell writes the value for a variable: this pattern hardly ever matches [shell-expansion]" },
	{ EXEC_RULE "args_patterns: ['\\$PWD']}\n", "f:4:45: warning: a shell writes the value for a variable: this pattern hardly ever matches [shell-expansion]" },
	{ EXEC_RULE "args_patterns: ['x{1000}y{1000}']}\n", "" },
	{ EXEC_RULE "args_patterns: ['push.*(--force|-f)']}\n", "f:4:45: warning: \"-f\" is matched within a longer word, too: ask for a space" },
	{ EXEC_RULE "args_patterns: ['push.*(origin\\s+)?(main|master)']}\n", "f:4:45: warning: \"master\" is matched within a longer word, too" },
	{ EXEC_RULE "args_patterns: ['a.*b.*main']}\n", "f:4:45: warning: \"main\" is matched within a longer word, too" },
	{ EXEC_RULE "args_patterns: ['reset.*(--hard)', 'push.*(\\s|^)(main|master)(\\s|$)', 'main', '.*', '.*-rf.*', 'a.*(b|c', 'a.*(b|c)$']}\n", "f:4:124: error" },
	{ EXEC_RULE "context: {min_depth: 3, max_depth: 2}}\n", "f:4:38: error: context: max_depth is less than min_depth: it would match nothing" },
	{ EXEC_RULE "context: {min_depth: 1001}}\n", "f:4:50: error: min_depth \"1001\" is not a depth from 0 to 1000" },
	{ EXEC_RULE "context: {max_depth: -1}}\n", "" },
	{ EXEC_RULE "context: [sideways]}\n", "f:4:39: error: context \"sideways\" is not one of direct nested" },
	{ "command_rules:\n- {name: a, decision: redirect, redirect_to: {" "command: ''}}\n", "f:4:56: error: command is empty: it must be a program's name or path" },
	{ "command_rules:\n- {name: a, decision: redirect, redirect_to: {" "command: ls, args: []}}\n", "" },
	{ SIGNAL_RULE "target: self, fallback: redirect}\n", "" },
	{ SIGNAL_RULE "signals: [0]}\n", "f:4:39: error: signal \"0\" is not a signal: a name such as TERM, a number from 1 to 64" },
	{ SIGNAL_RULE "signals: [65]}\n", "f:4:39: error: signal \"65\" is not a signal: a name such as TERM, a number from 1 to 64" },
	{ SIGNAL_RULE "signals: ['SIGTERM', '@all', 9]}\n", "" },
	{ SIGNAL_RULE "signals: [RTMIN]}\n", "f:4:39: error: signal \"RTMIN\" is not a signal: a name such as TERM, a number from 1 to 64 (did you mean \"TTIN\"" },
	{ "signal_rules:\n- {name: a, decision: redirect}\n", "f:4:3: error: decision redirect needs redirect_to" },
	{ "signal_rules:\n- {name: a, decision: redirect, redirect_to: nothing}\n", "f:4:46: error: redirect_to \"nothing\" is not a signal: a name such as TERM, a number from 1 to 64" },
	{ "signal_rules:\n- {name: a, decision: redirect, redirect_to: '@all'}\n", "f:4:46: error: redirect_to must be one signal, not a group" },
	{ "signal_rules:\n- {name: a, decision: redirect, redirect_to: TERM}\n", "" },
	{ SIGNAL_RULE "target: {type: pid_range, min: 5, max: 4}}\n", "f:4:37: error: target pid_range needs min and max, min the lower one" },
	{ SIGNAL_RULE "target: {type: pid_range, max: 4}}\n", "f:4:37: error: target pid_range needs min and max, min the lower one" },
	{ SIGNAL_RULE "target: {type: pid_range, min: -1, max: 4}}\n", "f:4:60: error: min \"-1\" is not a process number" },
	{ SIGNAL_RULE "target: {type: self, min: 4}}\n", "f:4:37: error: min and max are for the target pid_range only" },
	{ SIGNAL_RULE "target: {type: self, max: 4}}\n", "f:4:37: error: min and max are for the target pid_range only" },
	{ SIGNAL_RULE "target: {type: process}}\n", "f:4:37: error: target process needs a pattern: {type: process, pattern: NAME}" },
	{ SIGNAL_RULE "target: {type: process, pattern: 'a['}}\n", "f:4:62: error: pattern \"a[\": \"[\" without \"]\" (write \\\\[ for the character)" },
	{ SIGNAL_RULE "target: {type: self, pattern: a}}\n", "f:4:37: error: pattern is for the target process only" },
	{ DNS "match: 'a(', resolve_to: 192.0.2.1}\n", "f:4:20: error: match: not a regular expression: Missing close parenthesis for group started at index 1." },
	{ DNS "match: a, resolve_to: 192.0.2.1/24}\n", "f:4:35: error: resolve_to \"192.0.2.1/24\" is not an address, such as 192.0.2.1" },
	{ DNS "match: a, resolve_to: example}\n", "f:4:35: error: resolve_to \"example\" is not an address, such as 192.0.2.1" },
	{ DNS "match: a, resolve_to: '2001:db8::1'}\n", "" },
	{ DNS "match: a, resolve_to: 192.0.2.1, visibility: loud}\n", "f:4:58: error: visibility \"loud\" is not one of audit_only silent warn" },
	{ DNS "match: a, resolve_to: 192.0.2.1, on_failure: panic}\n", "f:4:58: error: on_failure \"panic\" is not one of fail_closed fail_open retry_original" },
	{ CONNECT "match: a, redirect_to: 'host'}\n", "f:4:36: error: redirect_to \"host\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to: 'host:0'}\n", "f:4:36: error: redirect_to \"host:0\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to: 'host:65536'}\n", "f:4:36: error: redirect_to \"host:65536\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to: ':80'}\n", "f:4:36: error: redirect_to \":80\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to: '[::1]:80'}\n", "" },
	{ CONNECT "match: a, redirect_to: '[::1/64]:80'}\n", "f:4:36: error: redirect_to \"[::1/64]:80\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to: '[10.0.0.1]:80'}\n", "f:4:36: error: redirect_to \"[10.0.0.1]:80\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to: '[::1:80'}\n", "f:4:36: error: redirect_to \"[::1:80\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to: '::1:80'}\n", "f:4:36: error: redirect_to \"::1:80\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to: 'a..b:80'}\n", "f:4:36: error: redirect_to \"a..b:80\" is not HOST:PORT or [ADDRESS]:PORT" },
	{ CONNECT "match: a, redirect_to_unix: x}\n", "f:4:41: error: redirect_to_unix \"x\" is not a socket's absolute path of at most 107 bytes" },
	{ CONNECT "match: a, redirect_to_unix: /run/x}\n", "" },
	{ CONNECT "match: a, redirect_to: 'a:80', tls: {mode: rewrite_sni, sni: '-'}}\n", "" },
	{ CONNECT "match: a, redirect_to: 'a:80', tls: {mode: rewrite_sni, sni: 'a..b'}}\n", "f:4:49: error: sni \"a..b\" is not a host's name" },
	{ CONNECT "match: a, redirect_to: 'a:80', tls: {mode: rewrite_sni}}\n", "f:4:49: error: tls: sni and mode rewrite_sni go together" },
	{ CONNECT "match: a, redirect_to: 'a:80', tls: {mode: loud}}\n", "f:4:56: error: mode \"loud\" is not one of passthrough rewrite_sni" },
	{ CONNECT "match: a}\n", "f:4:3: error: a connect redirect has either redirect_to or redirect_to_unix" },
	{ "env_policy: {allow: [A=b]}\n", "f:3:22: error: \"A=b\": write the variable's name without = and value" },
	{ "env_policy: {allow: [A*], deny: [B], max_bytes: 10}\n", "" },
	{ "env_inject: {1A: b}\n", "f:3:14: error: env_inject: \"1A\" is not a variable's name" },
	{ "env_inject: {'': b}\n", "f:3:14: error: env_inject: \"\" is not a variable's name" },
	{ "env_inject: {A-B: c}\n", "f:3:14: error: env_inject: \"A-B\" is not a variable's name" },
	{ "env_inject: {[a]: b}\n", "f:3:14: error: env_inject: \"\" is not a variable's name" },
	{ "env_inject: {AB: c, A: d}\n", "" },
	{ "transparent_commands: {add: [a/b]}\n", "f:3:30: error: add: \"a/b\" is not a program's base name" },
	{ "transparent_commands: {add: ['']}\n", "f:3:30: error: add: \"\" is not a program's base name" },
	{ "transparent_commands: {add: ['a*']}\n", "f:3:30: error: add: \"a*\" is not a program's base name" },
	{ "transparent_commands: {remove: [env]}\n", "" },
	{ SERVICE "upstream: 'http://a.b'}\n", "f:4:23: error: upstream \"http://a.b\" is not https://HOST[:PORT][/PATH]" },
	{ SERVICE "upstream: 'https://'}\n", "f:4:23: error: upstream \"https://\" is not https://HOST[:PORT][/PATH]" },
	{ SERVICE "upstream: 'https://a.b:0/'}\n", "f:4:23: error: upstream \"https://a.b:0/\" is not https://HOST[:PORT][/PATH]" },
	{ SERVICE "upstream: 'https://a.b:99999999999/'}\n", "f:4:23: error: upstream \"https://a.b:99999999999/\" is not https://HOST[:PORT][/PATH]" },
	{ SERVICE "upstream: 'https://a.b:8443/x'}\n", "" },
	{ SERVICE "upstream: 'https://a..b'}\n", "f:4:23: error: upstream \"https://a..b\" is not https://HOST[:PORT][/PATH]" },
	{ SERVICE "upstream: 'https://u@a.b'}\n", "f:4:23: error: upstream \"https://u@a.b\" is not https://HOST[:PORT][/PATH]" },
	{ SERVICE "upstream: 'https://A.B', aliases: ['']}\n", "f:4:48: error: aliases: \"\" is not a host's name" },
	{ SERVICE "upstream: 'https://A.B', aliases: ['x..y']}\n", "f:4:48: error: aliases: \"x..y\" is not a host's name" },
	{ SERVICE "upstream: 'https://a.b', aliases: [a.b]}\n", "f:4:3: error: host \"a.b\" is of service \"a\" already" },
	{ SERVICE "upstream: 'https://a.b', expose_as: ''}\n", "f:4:49: error: expose_as is empty: it must be a text of 1 to 128 bytes" },
	{ SERVICE "upstream: 'https://a.b', expose_as: AGENTSH_X}\n", "f:4:49: error: expose_as \"AGENTSH_X\" is reserved: choose another name" },
	{ SERVICE "upstream: 'https://a.b', expose_as: 1X}\n", "f:4:49: error: expose_as \"1X\" is not a variable's name" },
	{ SERVICE "upstream: 'https://a.b', expose_as: 'X-Y'}\n", "f:4:49: error: expose_as \"X-Y\" is not a variable's name" },
	{ SERVICE "upstream: 'https://a.b', expose_as: PATH}\n", "" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: x}}\n", "f:4:52: error: ref \"x\" is not STORE://NAME, such as keyring://github" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: '://x'}}\n", "f:4:52: error: ref \"://x\" is not STORE://NAME, such as keyring://github" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://'}}\n", "f:4:52: error: ref \"env://\" is not STORE://NAME, such as keyring://github" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk-{rand:8}'}}\n", "f:4:71: error: format must have {rand:N} once, N from 24 to 1024" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk-{rand:24'}}\n", "f:4:71: error: format must have {rand:N} once, N from 24 to 1024" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk-{rand:99999999999999999999999999999999999}'}}\n", "f:4:71: error: format must have {rand:N} once, N from 24 to 1024" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk-{rand:24}{rand:24}'}}\n", "f:4:71: error: format must have {rand:N} once, N from 24 to 1024" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk {rand:24}'}}\n", "f:4:71: error: format has characters other than letters, digits, _ - ." },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk'}}\n", "f:4:71: error: format must have {rand:N} once, N from 24 to 1024" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk-{rand:24}'}, inject: {header: {name: 'X Y', template: '{{secret}}'}}}\n", "f:4:112: error: name \"X Y\" is not a header's name" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk-{rand:24}'}, inject: {header: {name: X-Y, template: 'none'}}}\n", "f:4:127: error: template has no {{secret}}" },
	{ SERVICE "upstream: 'https://a.b', secret: {ref: 'env://X', format: 'sk-{rand:24}'}, inject: {header: {name: X-Y, template: \"{{secret}}\\nx\"}}}\n", "f:4:127: error: template must be one line" },
	{ SERVICE "upstream: 'https://a.b', rules: [{name: r, decision: allow, methods: ['G T']}]}\n", "f:4:83: error: \"G T\" is not a method, such as GET, or *" },
	{ SERVICE "upstream: 'https://a.b', rules: [{name: r, decision: allow, methods: ['']}]}\n", "f:4:83: error: an entry of methods is empty" },
	{ "http_services:\n- {name: .a, upstream: 'https://a.b'}\n", "f:4:10: error: name \".a\" is not [A-Za-z0-9._-]+ that begins with no dot" },
	{ "http_services:\n- {name: 'a b', upstream: 'https://a.b'}\n", "f:4:10: error: name \"a b\" is not [A-Za-z0-9._-]+ that begins with no dot" },
	{ "http_services:\n- {name: 1a, upstream: 'https://a.b'}\n", "" },
	{ "http_services:\n- {name: a.b, upstream: 'https://a.b'}\n- {name: a-b, upstream: 'https://b.b'}\n", "f:5:3: error: service \"a.b\" has the variable A_B_API_URL too" },
	{ "http_services:\n- {name: a, upstream: 'https://a.b'}\n- {name: A, upstream: 'https://b.b'}\n", "f:5:3: error: another service is named \"a\"" },
	{ "http_services:\n- {name: a, upstream: 'https://a.b'}\n- {name: b, upstream: 'https://c.b', aliases: [a.b]}\n", "f:5:3: error: host \"a.b\" is of service \"a\" already" },
	{ BUDGET "max_usd: 1}\n", "" },
	{ BUDGET "max_usd: 1.}\n", "f:4:22: error: max_usd \"1.\" is not an amount of dollars above 0, such as 5 or 0.25, with at most six places" },
	{ BUDGET "max_usd: 1.1234567}\n", "f:4:22: error: max_usd \"1.1234567\" is not an amount of dollars above 0, such as 5 or 0.25, with at most six pl" },
	{ BUDGET "max_usd: 1.x}\n", "f:4:22: error: max_usd \"1.x\" is not an amount of dollars above 0, such as 5 or 0.25, with at most six places" },
	{ BUDGET "max_usd: 0.000000}\n", "f:4:22: error: max_usd \"0.000000\" is not an amount of dollars above 0, such as 5 or 0.25, with at most six pla" },
	{ BUDGET "max_usd: .5}\n", "f:4:22: error: max_usd \".5\" is not an amount of dollars above 0, such as 5 or 0.25, with at most six places" },
	{ BUDGET "max_tokens: 1, warn_at: [50, 50]}\n", "f:4:42: error: warn_at \"50\" is not a percentage from 1 to 99 above the one before" },
	{ BUDGET "max_tokens: 1, warn_at: [0]}\n", "f:4:38: error: warn_at \"0\" is not a percentage from 1 to 99 above the one before" },
	{ BUDGET "max_tokens: 1, warn_at: [100]}\n", "f:4:38: error: warn_at \"100\" is not a percentage from 1 to 99 above the one before" },
	{ BUDGET "max_tokens: 1, warn_at: [1, 2, 3, 4, 5]}\n", "f:4:37: error: warn_at has 5 entries; 4 are the most" },
	{ BUDGET "max_tokens: 1, decision: approve}\n", "" },
	{ BUDGET "max_tokens: 1, decision: allow}\n", "f:4:38: error: decision \"allow\" is not one of deny approve" },
	{ BUDGET "max_tokens: 1, per: year}\n", "f:4:33: error: per \"year\" is not one of session day month total" },
	{ BUDGET "providers: [a]}\n", "f:4:3: error: the budget has no limit: max_usd, max_tokens, max_requests ..." },
	{ "audit: {retention_days: 36501}\n", "f:3:25: error: retention_days \"36501\" is not a whole number from 0 to 36500" },
	{ "resource_limits: {command_timeout: 0s}\n", "" },
	{ "resource_limits: {pids_max: -1}\n", "f:3:29: error: pids_max \"-1\" is not a whole number from 0 to 1099511627776" },
	{ "tampered: {}\n", "f:3:1: error: unknown key \"tampered\"" },
	{ "version: 1\n", "f:3:1: error: key \"version\" stands twice" },
};

/* Anything but that a section is not enforced. */
static bool finding(const char *said)
{
	for (const char *end; *said; said = end + 1) {
		const char *later = strstr(said, " is not enforced by any daemon yet\n");

		end = strchr(said, '\n');
		if (!later || later > end)
			return true;
	}
	return false;
}

static size_t differs(const char *text, const char *want)
{
	struct pol_source src = { .file = "f", .text = text, .len = strlen(text) };
	struct buf diag = { .max = 1u << 20 };
	const char *said;
	size_t wrong;

	policy_validate(&src, &diag);
	said = diag.data ? (const char *)diag.data : "";
	wrong = *want ? !strstr(said, want) : finding(said);
	if (wrong)
		printf("%.300s\ngot: %.500s\nwant: %s\n", text, said, want);
	buf_fini(&diag);
	return wrong;
}

static void test_odd(void **state UNUSED)
{
	size_t wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		char text[1024];

		snprintf(text, sizeof(text), "%s%s", HEAD, odd[i].text);
		wrong += differs(text, odd[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(longs); i++) {
		size_t before = strlen(HEAD) + strlen(longs[i].before);
		char *text = malloc(before + longs[i].n + strlen(longs[i].after) + 1);

		sprintf(text, "%s%s", HEAD, longs[i].before);
		memset(text + before, longs[i].after[0] == '0' ? '0' : 'x', longs[i].n);
		strcpy(text + before + longs[i].n, longs[i].after);
		wrong += differs(text, longs[i].want);
		free(text);
	}
	assert_int_equal(wrong, 0);
}

/* The most that there may be of something, and one more. */
static void count(const char *before, const char *each, size_t most, const char *after, const char *want)
{
	struct buf text = { .max = 16u << 20 };

	for (size_t n = most; n <= most + 1; n++) {
		buf_reset(&text);
		buf_printf(&text, "%s%s", HEAD, before);
		for (size_t i = 0; i < n; i++)
			for (const char *s = each; *s; s++)
				*s == '#' ? buf_printf(&text, "%zu", i) : buf_printf(&text, "%c", *s);
		buf_puts(&text, after);
		assert_int_equal(differs((const char *)text.data, n == most ? "" : want), 0);
	}
	buf_fini(&text);
}

static void test_counts(void **state UNUSED)
{
	count(FILE_RULE "paths: [", "/#,", STRINGS_MAX, "]}\n", "f:4:36: error: paths has 4097 entries; 4096 are the most");
	count("env_inject: {", "V#: x,", STRINGS_MAX, "}\n", "f:3:13: error: env_inject has more than 4096 entries");
	count("file_rules:\n", "- {name: r#, decision: deny, paths: [/a#]}\n", RULES_MAX, "", "f:100004:3: error: file_rules has more than 100000 entries");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds), cmocka_unit_test(test_odd), cmocka_unit_test(test_counts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
