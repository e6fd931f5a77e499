/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong in a section is said once, at its place, with what to write instead; what can never mean what it says is warned of. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/model.h"
#include "tests/unit/policy/pol.h"

static struct buf diag = { .max = 1u << 20 };

struct said { const char *text, *want; };

static void each(const struct said *t, size_t n, int r)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct pol_source src = { .file = "f", .text = t[i].text, .len = strlen(t[i].text) };

		buf_reset(&diag);
		buf_put(&diag, "", 0);
		if (policy_validate(&src, &diag) != r || strcmp((char *)diag.data, t[i].want) != 0) {
			printf("%s\ngot:\n%swant:\n%s", t[i].text, (char *)diag.data, t[i].want);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

#define FILE_RULE HEAD "file_rules:\n- {name: a, decision: deny, paths: [/a], "
#define NET_RULE HEAD "network_rules:\n- {name: a, decision: deny, "
#define EXEC_RULE HEAD "command_rules:\n- {name: a, decision: deny, "
#define SIGNAL_RULE HEAD "signal_rules:\n- {name: a, decision: deny, "
#define SERVICE HEAD "http_services:\n- {name: a, upstream: 'https://a.example', "
#define BUDGET HEAD "llm_budgets:\n- {name: a, max_tokens: 1, "
#define LATER(line, section) "f:" #line ":1: warning: section " section " is not enforced by any daemon yet\n"

static void test_rules(void **state UNUSED)
{
	static const struct said t[] = {
		{ FILE_RULE "ports: [1]}\n", "f:4:42: error: a file rule has no key \"ports\"\n" },
		{ FILE_RULE "operatons: [read]}\n", "f:4:42: error: unknown key \"operatons\" (did you mean \"operations\"?)\n" },
		{ FILE_RULE "operations: []}\n", "f:4:54: error: operations is empty: leave the key out to mean any\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: []}\n", "f:4:36: error: paths is empty: it would match nothing\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny}\n", "f:4:3: error: the file rule has no paths\n" },
		{ HEAD "file_rules:\n- {decision: deny, paths: [/a]}\n", "f:4:3: error: the file rule has no name\n" },
		{ HEAD "file_rules:\n- {name: '', decision: deny, paths: [/a]}\n",
		  "f:4:10: error: name is empty: it must be a text of 1 to 256 bytes\n" },
		{ FILE_RULE "processes: []}\n", "f:4:53: error: processes is empty: leave the key out to mean any\n" },
		{ FILE_RULE "preserve_tree: yes}\n", "f:4:57: error: preserve_tree must be true or false: write true\n" },
		{ FILE_RULE "preserve_tree: off}\n", "f:4:57: error: preserve_tree must be true or false: write false\n" },
		{ FILE_RULE "timeout: 30}\n", "f:4:51: error: timeout \"30\" has no unit: write 30s\n" },
		{ FILE_RULE "timeout: 0s}\n", "f:4:51: error: timeout \"0s\" is not a duration between 1ms and 24h, such as 30s or 5m\n" },
		{ FILE_RULE "timeout: 24h1ns}\n",
		  "f:4:51: error: timeout \"24h1ns\" is not a duration between 1ms and 24h, such as 30s or 5m\n" },
		{ FILE_RULE "undo: no}\n", "f:4:48: error: undo \"no\" is not one of keep\n" },
		{ FILE_RULE "redirect_to: q}\n",
		  "f:4:42: warning: key redirect_to of a file rule is not enforced by any daemon yet\n"
		  "f:4:55: error: redirect_to \"q\" is not an absolute path\n" },
		{ FILE_RULE "processes: [a, [b]]}\n", "f:4:57: error: an entry of processes must be a text, not a list\n" },
		{ FILE_RULE "message: {a: b}}\n", "f:4:51: error: message must be a text, not a map\n" },
		{ FILE_RULE "[a]: b}\n", "f:4:42: error: a key must be a text\n" },
		{ HEAD "file_rules:\n- {name: a, decision: dney, paths: [/b]}\n",
		  "f:4:23: error: decision \"dney\" is not one of allow deny approve redirect audit soft_delete (did you mean \"deny\"?)\n" },
		{ HEAD "network_rules:\n- {name: a, decision: redirect}\n",
		  "f:4:23: error: a network rule cannot redirect: use connect_redirects or dns_redirects\n" },
		{ HEAD "network_rules:\n- {name: a, decision: soft_delete}\n",
		  "f:4:23: error: decision \"soft_delete\" is not one of allow deny approve audit\n" },
		{ NET_RULE "domains: []}\n", "f:4:38: error: domains is empty: leave the key out to mean any\n" },
		{ NET_RULE "ports: [80-90]}\n", "f:4:37: error: \"80-90\" is not a port: numbers to 65535, one by one; leave ports out for all\n" },
		{ NET_RULE "ports: [-1]}\n", "f:4:37: error: \"-1\" is not a port: numbers to 65535, one by one; leave ports out for all\n" },
		{ NET_RULE "methods: ['GET /']}\n",
		  "f:4:29: warning: key methods of a network rule is not enforced by any daemon yet\n"
		  "f:4:39: error: \"GET /\" is not a method, such as GET, or *\n" },
		{ NET_RULE "domains: ['a[b']}\n", "f:4:39: error: domain \"a[b\": \"[\" without \"]\" (write \\\\[ for the character)\n" },
		{ EXEC_RULE "commands: []}\n", "f:4:39: error: commands is empty: leave the key out to mean any\n" },
		{ EXEC_RULE "commands: ['']}\n", "f:4:40: error: an entry of commands is empty\n" },
		{ EXEC_RULE "context: [nestd]}\n",
		  "f:4:39: error: context \"nestd\" is not one of direct nested (did you mean \"nested\"?)\n" },
		{ EXEC_RULE "context: {min_depth: 3, max_depth: 2}}\n",
		  "f:4:38: error: context: max_depth is less than min_depth: it would match nothing\n" },
		{ EXEC_RULE "context: {min_depth: -1}}\n", "f:4:50: error: min_depth \"-1\" is not a depth from 0 to 1000\n" },
		{ EXEC_RULE "sha256: abc}\n", "f:4:37: error: \"abc\" is not a SHA-256: 64 hexadecimal digits\n" },
		{ EXEC_RULE "redirect_to: /x}\n",
		  "f:4:42: error: redirect_to of a command is a map: command, args, args_append, environment\n" },
		{ EXEC_RULE "redirect_to: {args: [a]}}\n", "f:4:42: error: the redirect_to has no command\n" },
		{ EXEC_RULE "args_patterns: ['a^b', 'x|y^']}\n",
		  "f:4:45: error: args_patterns: \"a^b\" never matches: an anchor stands behind text, or text behind it\n" },
		{ EXEC_RULE "args_patterns: ['(', '*x', 'ok', '*y']}\n",
		  "f:4:45: error: args_patterns: not a regular expression: Missing close parenthesis for group started at index 0.\n"
		  "f:4:50: error: args_patterns: not a regular expression: Invalid repeat at index 0. (a glob's * is .* here)\n"
		  "f:4:62: error: args_patterns: not a regular expression: Invalid repeat at index 0. (a glob's * is .* here)\n" },
		{ HEAD "unix_socket_rules:\n- {name: a, decision: redirect, paths: [/a]}\n",
		  "f:4:23: error: decision \"redirect\" is not one of allow deny approve audit\n" LATER(3, "unix_socket_rules") },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: ['${A/b', '${A-b}', '${}']}\n",
		  "f:4:37: error: \"${\" without \"}\"\nf:4:46: error: \"${A-b}\" is not a variable: write ${NAME} or ${NAME:-fallback}\n"
		  "f:4:56: error: \"${}\" is not a variable: write ${NAME} or ${NAME:-fallback}\n" },
		/* One mistake in each of two rules: two errors, and nothing that follows from them. */
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: [7], operations: [fly]}\n- {name: b, paths: [/b], decision: [x]}\n",
		  "f:4:37: warning: path \"7\" matches nothing: start it with / or ** [impossible-path]\n"
		  "f:4:54: error: operation \"fly\" is not one of read open stat list write create mkdir chmod chown rename delete rmdir "
		  "readlink access link symlink mknod *\nf:5:36: error: decision must be a text, not a list\n" },
	};

	each(t, ARRAY_LEN(t), -EINVAL);
}

static void test_signals(void **state UNUSED)
{
	static const struct said t[] = {
		{ SIGNAL_RULE "signals: [KLIL]}\n",
		  "f:4:39: error: signal \"KLIL\" is not a signal: a name such as TERM, a number from 1 to 64 (did you mean \"KILL\"?)\n"
		  LATER(3, "signal_rules") },
		{ SIGNAL_RULE "signals: [65]}\n", "f:4:39: error: signal \"65\" is not a signal: a name such as TERM, a number from 1 to 64\n"
		  LATER(3, "signal_rules") },
		{ SIGNAL_RULE "signals: []}\n", "f:4:38: error: signals is empty: leave the key out to mean any\n" LATER(3, "signal_rules") },
		{ SIGNAL_RULE "target: child}\n",
		  "f:4:37: error: target \"child\" is not one of self children descendants siblings session parent external system user process "
		  "pid_range\n" LATER(3, "signal_rules") },
		{ SIGNAL_RULE "target: process}\n", "f:4:37: error: target process needs a pattern: {type: process, pattern: NAME}\n"
		  LATER(3, "signal_rules") },
		{ SIGNAL_RULE "target: {type: self, pattern: x}}\n", "f:4:37: error: pattern is for the target process only\n"
		  LATER(3, "signal_rules") },
		{ SIGNAL_RULE "target: {type: pid_range, min: 5, max: 4}}\n",
		  "f:4:37: error: target pid_range needs min and max, min the lower one\n" LATER(3, "signal_rules") },
		{ SIGNAL_RULE "target: {type: user, min: 5}}\n", "f:4:37: error: min and max are for the target pid_range only\n"
		  LATER(3, "signal_rules") },
		{ SIGNAL_RULE "redirect_to: '@job'}\n", "f:4:42: error: redirect_to must be one signal, not a group\n" LATER(3, "signal_rules") },
		{ HEAD "signal_rules:\n- {name: a, decision: redirect}\n", "f:4:3: error: decision redirect needs redirect_to\n"
		  LATER(3, "signal_rules") },
		{ HEAD "signal_rules:\n- {name: a, decision: absorbed}\n",
		  "f:4:23: error: decision \"absorbed\" is not one of deny allow approve redirect audit absorb (did you mean \"absorb\"?)\n"
		  LATER(3, "signal_rules") },
	};

	each(t, ARRAY_LEN(t), -EINVAL);
}

#define DNS HEAD "dns_redirects:\n- {name: a, match: x, "
#define CONNECT HEAD "connect_redirects:\n- {name: a, match: x, "
static void test_redirects(void **state UNUSED)
{
	static const struct said t[] = {
		{ DNS "resolve_to: example.org}\n", "f:4:35: error: resolve_to \"example.org\" is not an address, such as 192.0.2.1\n"
		  LATER(3, "dns_redirects") },
		{ DNS "resolve_to: 10.0.0.0/8}\n", "f:4:35: error: resolve_to \"10.0.0.0/8\" is not an address, such as 192.0.2.1\n"
		  LATER(3, "dns_redirects") },
		{ DNS "redirect_ip: 10.0.0.1}\n", "f:4:23: error: unknown key \"redirect_ip\": write resolve_to\n" LATER(3, "dns_redirects") },
		{ CONNECT "redirect_to: 'a'}\n", "f:4:36: error: redirect_to \"a\" is not HOST:PORT or [ADDRESS]:PORT\n"
		  LATER(3, "connect_redirects") },
		{ CONNECT "redirect_to: 'a:0'}\n", "f:4:36: error: redirect_to \"a:0\" is not HOST:PORT or [ADDRESS]:PORT\n"
		  LATER(3, "connect_redirects") },
		{ CONNECT "redirect_to: '::1:80'}\n", "f:4:36: error: redirect_to \"::1:80\" is not HOST:PORT or [ADDRESS]:PORT\n"
		  LATER(3, "connect_redirects") },
		{ CONNECT "redirect_to: 'a:1', redirect_to_unix: /s}\n",
		  "f:4:3: error: a connect redirect has either redirect_to or redirect_to_unix\n" LATER(3, "connect_redirects") },
		{ CONNECT "visibility: warn}\n", "f:4:3: error: a connect redirect has either redirect_to or redirect_to_unix\n"
		  LATER(3, "connect_redirects") },
		{ CONNECT "redirect_to: 'a:1', tls: {mode: rewrite_sni}}\n", "f:4:48: error: tls: sni and mode rewrite_sni go together\n"
		  LATER(3, "connect_redirects") },
		{ CONNECT "redirect_to_unix: s}\n", "f:4:41: error: redirect_to_unix \"s\" is not a socket's absolute path of at most 107 bytes\n"
		  LATER(3, "connect_redirects") },
		{ HEAD "connect_redirects:\n- {name: a, match: '(', redirect_to: 'a:1'}\n",
		  "f:4:20: error: match: not a regular expression: Missing close parenthesis for group started at index 0.\n"
		  LATER(3, "connect_redirects") },
	};

	each(t, ARRAY_LEN(t), -EINVAL);
}

static void test_settings(void **state UNUSED)
{
	static const struct said t[] = {
		{ HEAD "services: []\n", "f:3:1: error: unknown key \"services\": write http_services\n" },
		{ HEAD "env_policy: [a]\n", LATER(3, "env_policy") "f:3:13: error: env_policy: must be a map of keys, such as allow\n" },
		{ HEAD "resource_limits: {pids_max: -1}\n",
		  LATER(3, "resource_limits") "f:3:29: error: pids_max \"-1\" is not a whole number from 0 to 1099511627776\n" },
		{ HEAD "resource_limits: {idle_timeout: 5}\n",
		  LATER(3, "resource_limits") "f:3:33: error: idle_timeout \"5\" has no unit: write 5s\n" },
		{ HEAD "audit: {retention_days: 36501}\n",
		  LATER(3, "audit") "f:3:25: error: retention_days \"36501\" is not a whole number from 0 to 36500\n" },
		{ HEAD "env_inject: {1A: b}\n", LATER(3, "env_inject") "f:3:14: error: env_inject: \"1A\" is not a variable's name\n" },
		{ HEAD "env_policy: {deny: [A=b]}\n",
		  LATER(3, "env_policy") "f:3:21: error: \"A=b\": write the variable's name without = and value\n" },
		{ HEAD "transparent_commands: {add: [/bin/x]}\n",
		  "f:3:30: error: add: \"/bin/x\" is not a program's base name\n" },
	};

	each(t, ARRAY_LEN(t), -EINVAL);
}

static void test_services(void **state UNUSED)
{
	static const struct said t[] = {
		{ HEAD "http_services:\n- {name: a, upstream: 'http://a.example'}\n",
		  "f:4:23: error: upstream \"http://a.example\" is not https://HOST[:PORT][/PATH]\n" LATER(3, "http_services") },
		{ HEAD "http_services:\n- {name: a, upstream: 'https://u@a.example'}\n",
		  "f:4:23: error: upstream \"https://u@a.example\" is not https://HOST[:PORT][/PATH]\n" LATER(3, "http_services") },
		{ HEAD "http_services:\n- {name: a, upstream: 'https://a:b'}\n",
		  "f:4:23: error: upstream \"https://a:b\" is not https://HOST[:PORT][/PATH]\n" LATER(3, "http_services") },
		{ HEAD "http_services:\n- {name: a/b, upstream: 'https://a.example'}\n",
		  "f:4:10: error: name \"a/b\" is not [A-Za-z0-9._-]+ that begins with no dot\n" LATER(3, "http_services") },
		{ SERVICE "expose_as: OPENAI_BASE_URL}\n",
		  "f:4:55: error: expose_as \"OPENAI_BASE_URL\" is reserved: choose another name\n" LATER(3, "http_services") },
		{ SERVICE "expose_as: AGENTSH_X}\n", "f:4:55: error: expose_as \"AGENTSH_X\" is reserved: choose another name\n"
		  LATER(3, "http_services") },
		{ SERVICE "aliases: ['x y']}\n", "f:4:54: error: aliases: \"x y\" is not a host's name\n" LATER(3, "http_services") },
		{ SERVICE "default: audit}\n", "f:4:53: error: default \"audit\" is not one of deny allow\n" LATER(3, "http_services") },
		{ SERVICE "secret: {ref: 'k://a'}}\n", "f:4:52: error: the secret has no format\n" LATER(3, "http_services") },
		{ SERVICE "secret: {ref: 'k://a', format: 'x{rand:23}'}}\n",
		  "f:4:75: error: format must have {rand:N} once, N from 24 to 1024\n" LATER(3, "http_services") },
		{ SERVICE "secret: {ref: 'k://a', format: 'x{rand:24}{rand:24}'}}\n",
		  "f:4:75: error: format must have {rand:N} once, N from 24 to 1024\n" LATER(3, "http_services") },
		{ SERVICE "secret: {ref: a, format: 'x{rand:24}'}}\n",
		  "f:4:58: error: ref \"a\" is not STORE://NAME, such as keyring://github\n" LATER(3, "http_services") },
		{ SERVICE "inject: {header: {name: A, template: x}}}\n", "f:4:81: error: template has no {{secret}}\n" LATER(3, "http_services") },
		{ SERVICE "inject: {header: {name: A, template: '{{secret}}'}}}\n", "f:4:3: error: inject needs secret\n"
		  LATER(3, "http_services") },
		{ SERVICE "rules: [{name: r, decision: redirect}]}\n",
		  "f:4:72: error: decision \"redirect\" is not one of allow deny approve audit\n" LATER(3, "http_services") },
		{ SERVICE "aliases: [a.example]}\n", LATER(3, "http_services") "f:4:3: error: host \"a.example\" is of service \"a\" already\n" },
		{ HEAD "http_services:\n- {name: a, upstream: 'https://a.example'}\n- {name: A, upstream: 'https://b.example'}\n",
		  LATER(3, "http_services") "f:5:3: error: another service is named \"a\"\n" },
		{ HEAD "http_services:\n- {name: a, upstream: 'https://a.example'}\n- {name: b, upstream: 'https://A.example'}\n",
		  LATER(3, "http_services") "f:5:3: error: host \"a.example\" is of service \"a\" already\n" },
		{ HEAD "http_services:\n- {name: a.b, upstream: 'https://a.example'}\n- {name: a-b, upstream: 'https://b.example'}\n",
		  LATER(3, "http_services") "f:5:3: error: service \"a.b\" has the variable A_B_API_URL too\n" },
		{ HEAD "llm_budgets:\n- {name: a}\n", "f:4:3: error: the budget has no limit: max_usd, max_tokens, max_requests ...\n"
		  LATER(3, "llm_budgets") },
		{ HEAD "llm_budgets:\n- {name: a, max_usd: 0.0000001}\n",
		  "f:4:22: error: max_usd \"0.0000001\" is not an amount of dollars above 0, such as 5 or 0.25, with at most six places\n"
		  LATER(3, "llm_budgets") },
		{ BUDGET "warn_at: [80, 50]}\n", "f:4:42: error: warn_at \"50\" is not a percentage from 1 to 99 above the one before\n"
		  LATER(3, "llm_budgets") },
		{ BUDGET "warn_at: [1, 2, 3, 4, 5]}\n", "f:4:37: error: warn_at has 5 entries; 4 are the most\n" LATER(3, "llm_budgets") },
		{ BUDGET "per: week}\n", "f:4:33: error: per \"week\" is not one of session day month total\n" LATER(3, "llm_budgets") },
		{ BUDGET "decision: allow}\n", "f:4:38: error: decision \"allow\" is not one of deny approve\n" LATER(3, "llm_budgets") },
		{ BUDGET "models: []}\n", "f:4:36: error: models is empty: leave the key out to mean any\n" LATER(3, "llm_budgets") },
	};

	each(t, ARRAY_LEN(t), -EINVAL);
}

static void test_lints(void **state UNUSED)
{
	static const struct said t[] = {
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: ['~/x', '$HOME/y', a/b, /x/, //y, /a/../b, /..., '/a//']}\n",
		  "f:4:37: warning: path \"~/x\" matches nothing: write ${HOME}/x [impossible-path]\n"
		  "f:4:44: warning: path \"$HOME/y\" matches nothing: start it with / or ** [impossible-path]\n"
		  "f:4:44: warning: \"$HOME\" stands for itself: write ${HOME} [bare-variable]\n"
		  "f:4:55: warning: path \"a/b\" matches nothing: start it with / or ** [impossible-path]\n"
		  "f:4:60: warning: path \"/x/\" matches nothing: paths do not end with / [impossible-path]\n"
		  "f:4:65: warning: path \"//y\" matches nothing: paths have no // [impossible-path]\n"
		  "f:4:70: warning: path \"/a/../b\" matches nothing: paths have no . or .. in them [impossible-path]\n"
		  "f:4:85: warning: path \"/a//\" matches nothing: paths do not end with / [impossible-path]\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: ['*.key', '*', '*/x', '{/a,b}/c', '{a,*b}', '?x', '*x{,/}*']}\n",
		  "f:4:37: warning: path \"*.key\" matches nothing, for paths begin with / and * takes none: write **/*.key [impossible-path]\n"
		  "f:4:46: warning: path \"*\" matches nothing, for * takes no /: write ** for every path [impossible-path]\n"
		  "f:4:51: warning: path \"*/x\" matches only what \"/x\" does, for * takes no /: write **/x [impossible-path]\n"
		  "f:4:58: warning: path \"{/a,b}/c\" has alternatives that match nothing: start each with / or ** [impossible-path]\n"
		  "f:4:70: warning: path \"{a,*b}\" matches nothing: start it with / or ** [impossible-path]\n"
		  "f:4:80: warning: path \"?x\" matches nothing: start it with / or ** [impossible-path]\n"
		  "f:4:86: warning: path \"*x{,/}*\" matches nothing, for paths begin with / and * takes none: write **/*x{,/}* [impossible-path]\n" },
		{ HEAD "file_rules:\n- {name: a, decision: deny, paths: ['**', '**.key', '{,/**}/x', '{/a,**/b}', '{,{/a,/b}}/c', '{**/a,/b}{,*}', '/*']}\n", "" },
		{ NET_RULE "domains: ['https://x.org/', 'x.org:443', x.org/y, 'a b', .x.org, 10.0.0.1, 'x.*', '*.x', '*', '**', 'é.org']}\n",
		  "f:4:39: warning: \"https://x.org/\" is never a host's name: write the host alone, without https:// and path [impossible-domain]\n"
		  "f:4:57: warning: \"x.org:443\" is never a host's name: write the host alone; a port goes to ports [impossible-domain]\n"
		  "f:4:70: warning: \"x.org/y\" is never a host's name: write the host alone; a path goes to paths [impossible-domain]\n"
		  "f:4:79: warning: \"a b\" is never a host's name: a host has no space: one host an entry [impossible-domain]\n"
		  "f:4:86: warning: \".x.org\" is never a host's name: write **.example.com for all hosts below a domain [impossible-domain]\n"
		  "f:4:94: warning: \"10.0.0.1\" is never a host's name: an address is no name: use cidrs [impossible-domain]\n"
		  "f:4:129: warning: \"é.org\" is never a host's name: write the xn-- form of the name [impossible-domain]\n" },
		{ HEAD "network_rules:\n- {name: a, domains: ['x.*', '*.*', 'a.**.b'], decision: allow}\n",
		  "f:4:23: warning: \"x.*\" holds for names that anybody can register: write out the last part [wide-domain]\n" },
		{ NET_RULE "ports: [0], cidrs: [10.0.0.1/8, 10.0.0.1, '2001:db8::1/32']}\n",
		  "f:4:37: warning: nothing connects to port 0 [port-zero]\n"
		  "f:4:49: warning: \"10.0.0.1/8\" has bits behind its /8: they are not looked at [host-bits]\n"
		  "f:4:71: warning: \"2001:db8::1/32\" has bits behind its /32: they are not looked at [host-bits]\n" },
		{ EXEC_RULE "commands: [git push, bin/x, '~/x', '/opt/a b'], args_patterns: ['-rf\\s+~', '\"x\"', 'a~b', '\\$HOME']}\n",
		  "f:4:40: warning: \"git push\" has a space and names no program: write \"git\" and the rest in args_patterns [space-in-command]\n"
		  "f:4:50: warning: \"bin/x\" matches nothing: a name, or a path from / on [impossible-path]\n"
		  "f:4:57: warning: \"~/x\" matches nothing: write ${HOME}/... [impossible-path]\n"
		  "f:4:93: warning: a shell writes the home directory for ~: this pattern hardly ever matches; use /home/ or /root [shell-expansion]\n"
		  "f:4:104: warning: a shell takes quotes away: this pattern matches only quotes inside an argument [shell-quotes]\n"
		  "f:4:118: warning: a shell writes the value for a variable: this pattern hardly ever matches [shell-expansion]\n" },
		{ EXEC_RULE "commands: [/usr/bin//id, /usr/bin/../bin/id, /usr/bin/id/, '/opt/*/./x', /usr/bin/id, '..x', '/a/..x'], processes: [/bin/sh/, '/bin/*']}\n",
		  "f:4:40: warning: \"/usr/bin//id\" matches nothing: paths have no // [impossible-path]\n"
		  "f:4:54: warning: \"/usr/bin/../bin/id\" matches nothing: paths have no . or .. in them [impossible-path]\n"
		  "f:4:74: warning: \"/usr/bin/id/\" matches nothing: paths do not end with / [impossible-path]\n"
		  "f:4:88: warning: \"/opt/*/./x\" matches nothing: paths have no . or .. in them [impossible-path]\n"
		  "f:4:145: warning: \"/bin/sh/\" matches nothing: paths do not end with / [impossible-path]\n" },
		{ HEAD "network_rules:\n- {name: a, decision: deny}\n- {name: b, decision: deny}\n- {name: a, decision: allow}\n"
		  "command_rules:\n- {name: b, decision: deny}\n",
		  "f:6:3: warning: another entry of this section is named \"a\" too [duplicate-name]\n" },
		{ HEAD "network_rules:\n- {name: a, decision: deny, domains: ['${NOPE}']}\n"
		  "file_rules:\n- {name: a, decision: deny, paths: ['${NOPE}', '${NOPE}\\x']}\n",
		  "f:6:48: warning: path \"${NOPE}\\\\x\" matches nothing: start it with / or ** [impossible-path]\n" },
		{ HEAD "command_rules:\n- {name: a, decision: soft_delete}\n",
		  "f:4:23: warning: soft_delete means nothing for a command; it is allowed\n" },
		{ NET_RULE "methods: [GTE], paths: [v1]}\n",
		  "f:4:29: warning: key methods of a network rule is not enforced by any daemon yet\n"
		  "f:4:39: warning: method \"GTE\" is unknown (did you mean \"GET\"?) [unknown-method]\n"
		  "f:4:45: warning: key paths of a network rule is not enforced by any daemon yet\n"
		  "f:4:53: warning: path \"v1\" matches nothing: start it with / or ** [impossible-path]\n" },
		{ HEAD "metadata: {a: [b]}\nproviders: x\n", "f:3:1: warning: section metadata is known and has no effect here\n"
		  "f:4:1: warning: section providers is known and has no effect here\n" },
		/* Once each, however many rules have it. */
		{ HEAD "network_rules:\n- {name: a, decision: deny, dlp: x}\n- {name: b, decision: deny, dlp: x}\n",
		  "f:4:29: warning: key dlp of a network rule is not enforced by any daemon yet\n" },
		{ HEAD "file_rules:\n- {name: a, decision: redirect, paths: [/a], redirect_to: /x}\n"
		  "- {name: b, decision: redirect, paths: [/b], redirect_to: /x, preserve_tree: true}\n",
		  "f:4:46: warning: key redirect_to of a file rule is not enforced by any daemon yet\n" },
	};

	each(t, ARRAY_LEN(t), 0);
}

static void test_labels(void **state UNUSED)
{
	struct pol_source src = { .file = "f" };
	struct buf text = BUF_INIT(1u << 20);

	buf_puts(&text, HEAD "network_rules:\n");
	for (int i = 0; i < 65; i++)
		buf_printf(&text, "- {name: r%d, decision: deny, processes: [p%d, p0]}\n", i, i);
	for (int r = -EINVAL, cut = 0; cut < 2; r = 0, cut++) {
		src.text = (char *)text.data;
		src.len = cut ? (size_t)(strstr((char *)text.data, "- {name: r64") - (char *)text.data) : text.len;
		buf_reset(&diag);
		buf_put(&diag, "", 0);
		assert_int_equal(policy_validate(&src, &diag), r);
		assert_string_equal((char *)diag.data, r ? "f:68:43: error: processes: more than 64 different entries in one policy\n" : "");
	}
	buf_fini(&text);
	buf_fini(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rules), cmocka_unit_test(test_signals), cmocka_unit_test(test_redirects),
					    cmocka_unit_test(test_settings), cmocka_unit_test(test_services), cmocka_unit_test(test_lints),
					    cmocka_unit_test(test_labels) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
