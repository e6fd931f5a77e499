#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# agentsh policy: what its verbs print and how they end. No daemon is needed.
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
export AGENTSH_POLICY_DIR=$T/policies
mkdir -p "$T/policies" "$T/ws" && cd "$T/ws" || exit 1
status() { # STATUS COMMAND...: ends with this status; what it says goes to $T/said
	local want=$1 got
	shift
	"$@" >"$T/said" 2>&1
	got=$?
	[ "$got" = "$want" ] || { echo "  exit $got, expected $want"; sed 's/^/  /' "$T/said" | head -5; false; }
}
says() { grep -qF -- "$1" "$T/said" || { sed 's/^/  /' "$T/said" | head -5; false; }; } # TEXT: in the last output
silent() { ! grep -qF -- "$1" "$T/said"; }

cat >"$T/policies/clean.yaml" <<'END'
version: 1
name: clean
description: "nothing wrong here"
file_rules:
  - {name: secrets, paths: ["**/.env"], decision: deny, message: "{{.Path}} is closed"}
  - {name: all, paths: ["${PROJECT_ROOT}", "${PROJECT_ROOT}/**"], decision: allow}
network_rules:
  - {name: api, domains: ["api.example.com"], ports: [443], decision: allow}
command_rules:
  - {name: no-push, commands: [git], args_patterns: ['push .*--force'], decision: deny}
  - {name: all, decision: allow}
END
cat >"$T/policies/faults.yaml" <<'END'
version: 1
name: faults
command_rules:
  - {name: tools, commands: [npm, git], decision: allow}
  - {name: install, commands: [npm], args_patterns: [install], decision: approve}
file_rules:
  - {name: tree, paths: ["/srv/**"], decision: allow}
  - {name: one, paths: ["/srv/a"], decision: deny}
END
printf 'version: 1\nname: bad\nfile_rules:\n  - {name: a, paths: [/a], decision: alow}\n' >"$T/policies/bad.yaml"

check "validate: a clean policy" status 0 "$A" policy validate --strict clean
check "validate: says ok" is "$(cat "$T/said")" ok
check "validate: a warning is no error" status 0 "$A" policy validate clean faults
check "validate: does not say that all is well" is "$(tail -n 1 "$T/said")" "ok, with warnings"
check "validate: the rule that never asks" says "$T/policies/faults.yaml:5:"
check "validate: its id" says "[unreachable-approve]"
check "validate: the rule that never decides" says 'rule "one" can never decide: rule "tree" (line 7) takes first all that it names [shadowed-rule]'
check "validate --strict: a warning is one" status 1 "$A" policy validate --strict faults
check "validate --strict: no ok" silent ok
check "validate: an error" status 1 "$A" policy validate bad clean
check "validate: an error's place" says "$T/policies/bad.yaml:4:"
check "validate: no ok with an error" silent ok
check "validate --json: an error" status 1 "$A" policy validate --json bad faults none
check "validate --json: places, levels, ids" is "$(jq -c '[.[] | [.line, .level, .id]]' "$T/said")" \
	'[[4,"error",null],[5,"warning","unreachable-approve"],[8,"warning","shadowed-rule"],[1,"error","unreadable"]]'
check "validate --json: files" is "$(jq -r '.[0].file' "$T/said")" "$T/policies/bad.yaml"
check "validate --json: nothing found" is "$("$A" policy validate --json clean | jq -c .)" '[]'
check "validate: from the root" is "$(cd / && "$A" policy validate --strict clean)" ok
for p in "$top"/policies/*.yaml; do
	"$A" policy validate "$p" >"$T/said" 2>&1
	check "validate: the pack ${p##*/}" is "$(grep -cv -e '^ok' -e 'not enforced by any daemon yet$' "$T/said")" 0
done
printf '{"version": 1, "name": "plain", "file_rules": [{"name": "all", "paths": ["/**"], "decision": "allow"}]}' >"$T/ws/plain.json"
check "validate: a file of another ending by its path" is "$("$A" policy validate --strict plain.json)" ok
check "explain: a file of another ending by its path" is "$("$A" policy explain --policy plain.json --json read /x | jq -r .rule)" all
check "validate: a file that is not there" status 1 "$A" policy validate none.json
check "validate: says so" says "none.json: No such file or directory"
printf 'policies: {allow_files: false}\n' >"$T/names.yaml"
check "a file of another ending is a file to the configuration" status 1 \
	env AGENTSH_CONFIG="$T/names.yaml" "$A" session create --workspace . --policy plain.json
check "a file of another ending: refused as one" says "policies by file are not allowed here"
{ # 30 paths that match nothing, and before them a rule that only a lint finds fault with
	printf 'version: 1\nname: many\nfile_rules:\n  - {name: a, paths: ["/a/**"], operations: [read], decision: allow}\n'
	printf '  - {name: b, paths: ["/a/b"], operations: [read], decision: deny}\n'
	for i in $(seq 30); do printf '  - {name: c%s, paths: ["c%s"], decision: deny}\n' "$i" "$i"; done
} >"$T/many.yaml"
check "validate: many warnings" status 0 "$A" policy validate "$T/many.yaml"
check "validate: the first of them" is "$(grep -c impossible-path "$T/said")" 20
check "validate: and how to see the rest" says "many.yaml: and 10 more warnings: --all"
places() { sed -n 's/^[^:]*:\([0-9]*\):\([0-9]*\): .*/\1 \2/p' "$T/said"; }
check "validate: by place" is "$(places)" "$(places | sort -k1,1n -k2,2n)"
check "validate: a lint's first" is "$(grep -m1 -c shadowed-rule <(head -1 "$T/said"))" 1
check "validate --all" status 0 "$A" policy validate --all "$T/many.yaml"
check "validate --all: each" is "$(grep -c impossible-path "$T/said"), $(grep -c ' more ' "$T/said")" "30, 0"
check "validate --json: each" is "$("$A" policy validate --json "$T/many.yaml" | jq '[.[] | select(.id == "impossible-path")] | length')" 30
cat >"$T/around.yaml" <<END
version: 1
name: around
file_rules:
  - {name: around, paths: ["$T/**"], operations: [read, write], decision: allow}
  - {name: env, paths: ["**/.env"], operations: [read], decision: deny}
END
check "validate: a tree before a workspace that is not known" status 0 "$A" policy validate --strict "$T/around.yaml"
check "validate --workspace: a tree around it takes it" status 1 "$A" policy validate --strict --workspace "$T/ws" "$T/around.yaml"
check "validate --workspace: which" says '"**/.env" of rule "env" does not hold below the workspace for read: rule "around" (line 4) comes first'
check "validate --workspace: control, one elsewhere" status 0 "$A" policy validate --strict --workspace /opt "$T/around.yaml"
below_tmp=$(mktemp -d /tmp/agentsh-policy.XXXXXX)
for p in default dev-safe ci-strict agent-sandbox agent-observe; do
	check "validate --workspace: the pack $p" is "$("$A" policy validate --strict --workspace "$below_tmp" "$top/policies/$p.yaml" 2>&1)" ok
done
rmdir "$below_tmp"
check "validate: an unknown option" status 1 "$A" policy validate --loud clean
check "validate: nothing to validate" status 1 "$A" policy validate --strict

cat >"$T/good.cases" <<'END'
# all hold
file read /workspace/a -> allow all
file write "/workspace/x y/.env" -> deny secrets
net api.example.com:443 -> allow api
net [2001:db8::1]:443 -> deny default-deny-network
net api.example.com@203.0.113.9:443 -> allow
dns API.example.com. -> allow api
exec git push 'origin' --force -> deny no-push
exec depth=3 ls -> allow all
END
printf 'file read /workspace/a -> deny\n\nnet [::1 -> deny\nexec "x -> allow\nfile read /workspace/a -> allow other # no\n' >"$T/bad.cases"
check "test: cases that hold" status 0 "$A" policy test --policy clean "$T/good.cases"
check "test: how many" is "$(cat "$T/said")" "8 cases hold, 0 do not"
check "test: cases that do not" status 1 "$A" policy test --policy clean "$T/good.cases" "$T/bad.cases"
check "test: another decision" says "$T/bad.cases:1: expected deny, got allow all"
check "test: a bracket" says "$T/bad.cases:3: error: \"[\" without \"]\""
check "test: a quote" says "$T/bad.cases:4: error: unterminated double quote"
check "test: another rule" says "$T/bad.cases:5: expected allow other, got allow all"
check "test: the sum" is "$(tail -n 1 "$T/said")" "8 cases hold, 4 do not"
: >"$T/empty.cases"
check "test: a file without a case" status 1 "$A" policy test --policy clean "$T/good.cases" "$T/empty.cases"
check "test: no file" status 1 "$A" policy test --policy clean "$T/none.cases"
check "test: a policy with an error" status 1 "$A" policy test --policy bad "$T/good.cases"
check "test: standard input" is "$("$A" policy test --policy clean - <"$T/good.cases")" "8 cases hold, 0 do not"
check "test: the workspace's own name" is "$(echo "file read $T/ws/a -> allow all" | "$A" policy test --policy clean --workspace "$T/ws" -)" \
	"1 cases hold, 0 do not"
at_home() { # PACK CASE: holds in a home of its own, and not for somebody else's
	echo "$2" | HOME=$T/h status 0 "$A" policy test --policy "$top/policies/$1.yaml" - &&
		echo "$2" | HOME=/elsewhere status 1 "$A" policy test --policy "$top/policies/$1.yaml" -
}
check "test: dev-safe keeps package caches at home" at_home dev-safe "file write $T/h/.npm/_cacache/x -> allow package-caches"
check "test: agent-sandbox reads tools at home" at_home agent-sandbox "file read $T/h/.cargo/bin/cargo -> allow tools-in-home"
for i in $(seq 2000); do echo "exec p$i a b -> allow all"; done >"$T/many.cases"
check "test: many" is "$("$A" policy test --policy clean "$T/many.cases")" "2000 cases hold, 0 do not"

check "options behind operands: validate" is "$("$A" policy validate clean --json 2>&1 | jq -c .)" '[]'
check "options behind operands: show" is "$("$A" policy show clean --json --expanded | jq length)" 5
check "options behind operands: test" is "$("$A" policy test "$T/good.cases" --policy clean)" "8 cases hold, 0 do not"
check "options behind operands: explain" is "$("$A" policy explain --json read /x/.env --policy clean | jq -r .rule)" secrets
check "options behind operands: a command's are its own" is \
	"$("$A" policy explain --policy clean --json by make exec git push --force --json | jq -r .rule)" no-push
check "options behind operands: not those of env for" is \
	"$("$A" policy explain --policy clean --json env A for git --policy none | jq -r .decision)" allow
check "options behind operands: none behind --" status 1 "$A" policy validate clean -- --json
check "options behind operands: it is a name" says 'no policy named "--json"'
check "options behind operands: exec as a path" status 1 "$A" policy explain --policy clean read exec --loud
check "options behind operands: an unknown one" says 'unknown option "--loud"'
check "options behind operands: without a value" status 1 "$A" policy explain read /x --policy
check "options behind operands: diff" is "$("$A" policy diff clean clean --json | jq -c .changes)" '[]'

P=clean
explain() { "$A" policy explain --policy "$P" --workspace "$T/ws" "$@" >"$T/said" 2>&1; }
check "explain: a file" explain read "$T/ws/.env"
check "explain: the decision" says "decision: deny"
check "explain: the place" says "at: $T/policies/clean.yaml:5"
check "explain: the message" says "message: $T/ws/.env is closed"
check "explain: the daemon" says "enforced by: fsd"
explain file write "$T/ws/a"
check "explain: why not the rule before" says "rule secrets ($T/policies/clean.yaml:5): no path glob matches: [**/.env]"
explain net api.example.com:80
check "explain: no rule" says "at: implicit"
check "explain: the port" says "port 80 is not in [443]"
explain exec -- git push x --force
check "explain: a command" says "rule: no-push"
explain exec git pull
check "explain: the arguments" says 'args_patterns: none matches "pull"'
# The file that a name leads to.
mkdir -p "$T/bin"
printf '#!/bin/sh\n' >"$T/bin/tool" && chmod 755 "$T/bin/tool"
ln -s "$T/bin/tool" "$T/ws/mine"
ln -s /etc/shadow "$T/ws/link"
ln -s loop "$T/ws/loop"
cat >"$T/policies/places.yaml" <<END
version: 1
name: places
file_rules:
  - {name: shadow, paths: [/etc/shadow], decision: deny}
  - {name: all, paths: ["/**"], decision: allow}
command_rules:
  - {name: no-tool, commands: ["$T/bin/tool"], decision: deny}
  - {name: curl-it, commands: [wget], decision: redirect, redirect_to: {command: curl}, message: "by curl"}
  - {name: asks, commands: [asked], decision: approve}
  - {name: rest, decision: allow}
END
P=places
PATH=$T/bin:$PATH explain exec tool
check "explain: a program in PATH" says "rule: no-tool"
check "explain: its file" says "file: $T/bin/tool"
check "explain: nothing about what a refused program starts" silent "programs: "
explain exec tool
check "explain: a program that is not in PATH" says "rule: rest"
check "explain: by its name alone" says "file: not found in PATH: judged by its name alone"
check "explain: what an allowed program starts" says "programs: those that it starts are judged again, with their files, when they start"
explain exec ./mine
check "explain: a link's file" says "file: $T/bin/tool"
check "explain: a link that the session could have made" says "rule: no-tool"
explain exec tool=/bin/x
check "explain: a file that is named" silent "file: "
explain exec /tmp/tool
check "explain: what is not known of a session" says "file: a session has its own /tmp: what is there is not known: judged by its name alone"
explain exec depth=1 wget x
check "explain: a nested redirect" says "decision: deny"
check "explain: what the rule says" says "rule says: redirect"
check "explain: why it is refused" says "how: refused: the redirect of a program that another one starts is not built"
check "explain: not where to" silent "redirect to: "
explain exec depth=1 wget=/usr/bin/wget x
check "explain: a nested redirect of a file that is named" says "decision: deny"
explain exec wget=/usr/bin/wget x
check "explain: a submitted one of such" says "decision: redirect"
explain exec wget x
check "explain: a redirect" says "redirect to: curl"
explain exec asked
check "explain: asked about" says "decision: approve"
explain read link
check "explain: a file behind a link" says "rule: shadow"
check "explain: both names" says "file: /etc/shadow ($T/ws/link leads there; what holds for that name alone: allow (all))"
explain read /workspace/link
check "explain: the workspace's other name" says "file: /etc/shadow (/workspace/link leads there"
explain readlink link
check "explain: the link itself" says "rule: all"
explain read loop
check "explain: a link that leads nowhere" says "file: Too many levels of symbolic links: judged by its name alone"
check "test: depends on no machine" status 1 env PATH="$T/bin:$PATH" "$A" policy test --policy places - <<<"exec tool -> deny no-tool"
P=clean
"$A" policy explain --policy default read /usr/bin/env >"$T/said"
check "explain: the mount plan" says "/usr: open for reading alone: the mount plan binds it read-only as a whole"
printf 'version: 1\nname: nat\nnetwork_rules: [{name: inner, cidrs: [10.0.0.0/8], decision: deny}, {name: six, cidrs: ["::/0", "8.0.0.0/8"], decision: allow}]\n' >"$T/nat.yaml"
nat() { "$A" policy explain --policy "$T/nat.yaml" --json net "$1" | jq -r '"\(.decision) \(.rule) \(.leads_to)"'; }
check "explain: what a translator's address leads to" is "$(nat '[64:ff9b::10.1.2.3]:80')" "deny inner 10.1.2.3"
check "control: one that leads to an allowed one" is "$(nat '[64:ff9b::8.1.2.3]:80')" "allow six 8.1.2.3"
# A file's own name is a stranger's words too.
E=$T/$(printf 'b\033[31mad\n.yaml')
printf 'version: 1\nname: bad\nfile_rules: [{name: a, paths: [/x/], decision: allow}, {name: b, paths: [/y, /y], decision: deny}]\nno_such: 1\n' >"$E"
sed '$d' "$E" >"${E%.yaml}good.yaml"
printf 'extends: "b\\e[31mad\\ngood.yaml"\nversion: 1\nname: over\nfile_rules: [{name: c, paths: [/y], decision: deny}]\n' >"$T/over.yaml"
cp "$T/clean.cases" "$E.cases" 2>/dev/null || printf 'deny read /y\nallow read /y\n' >"$E.cases"
said() { "$A" policy "$@" >"$T/said" 2>&1; ! grep -q "$(printf '\033')" "$T/said" && grep -qF 'b\x1b[31mad\x0a' "$T/said"; }
check "a file's name acts on no terminal: validate" said validate "$E"
check "and is one line's" is "$(grep -vc '^/.*: error: \|^/.*: warning: ' "$T/said")" 0
check "nor as JSON" is "$("$A" policy validate --json "$E" 2>&1 | jq -r '.[0].file' | grep -cF 'b\x1b[31mad\x0a')" 1
check "nor: lints" said validate "${E%.yaml}good.yaml"
check "nor: one that another extends" said validate "$T/over.yaml"
check "nor: compile" said compile "$E"
check "nor: explain" said explain --all --policy "${E%.yaml}good.yaml" read /z
check "nor: explain, one that is refused" said explain --policy "$E" read /z
check "nor: show" said show "$E.none"
check "nor: test" said test --policy "${E%.yaml}good.yaml" "$E.cases"
check "nor: diff" said diff "$E" "${E%.yaml}good.yaml"
check "nor: verify" said verify "$E"
check "nor: manifest" said manifest "$E"
check "nor: no file" said validate "$E.none"
explain write "/nowhere/$(printf '\033[2Jx')"
check "explain: nothing acts on a terminal" silent "$(printf '\033')"
check "explain --json" is "$("$A" policy explain --policy clean --json net x:1 | jq -c '[.decision, .rule, .enforced_by, .not[0].rule]')" \
	'["deny","default-deny-network","netd","api"]'
# Without --policy: the policy that a session would have.
printf 'policies:\n  default: clean\n  allowed: [whole]\n' >"$T/config.yaml"
unnamed() { env "$@" "$A" policy explain --json read /x/.env | jq -r .rule; }
check "explain without a policy: the built-in name" is "$(unnamed A=)" "$("$A" policy explain --policy default --json read /x/.env | jq -r .rule)"
check "explain without a policy: AGENTSH_POLICY_NAME" is "$(unnamed AGENTSH_POLICY_NAME=clean)" secrets
check "explain without a policy: the configuration's" is "$(unnamed AGENTSH_CONFIG="$T/config.yaml")" secrets
check "explain without a policy: the environment's before that" is \
	"$(unnamed AGENTSH_CONFIG="$T/config.yaml" AGENTSH_POLICY_NAME=faults)" default-allow-reads
check "explain without a policy: no name" status 1 env AGENTSH_POLICY_NAME=../x "$A" policy explain read /x
check "explain without a policy: says where" says 'AGENTSH_POLICY_NAME "../x" is not'
check "test without a policy" is "$(AGENTSH_POLICY_NAME=clean "$A" policy test "$T/good.cases")" "8 cases hold, 0 do not"
check "test without a policy: the configuration's" is "$(AGENTSH_CONFIG=$T/config.yaml "$A" policy test "$T/good.cases")" "8 cases hold, 0 do not"
check "explain --workspace: relative" is "$(cd "$T" && "$A" policy explain --policy clean --workspace ws --json read "$T/ws/a" | jq -r .rule)" all
check "explain --session: not with another policy" status 1 "$A" policy explain --session s --policy clean read /x
explain read .env
check "explain: a path from the current directory" says "message: $T/ws/.env is closed"
check "explain: an empty path is none" status 1 "$A" policy explain --policy clean read ''
check "explain: a question that is none" status 1 "$A" policy explain reed /x
check "explain: says what there is" says "none of file net dns exec"
{ cat "$T/policies/clean.yaml"; for i in $(seq 30); do echo "  - {name: r$i, commands: [c$i], context: [nested], decision: deny}"; done; } |
	sed '/{name: all, decision/d' >"$T/policies/long.yaml"
"$A" policy explain --policy long exec nothing >"$T/said"
check "explain: the first twenty" is "$(grep -c '^  rule ' "$T/said")" 20
check "explain: how many more" says "and 11 more rules: --all"
check "explain --all" is "$("$A" policy explain --policy long --all exec nothing | grep -c '^  rule ')" 31

# The whole language: a question of each kind, and by whom.
cat >"$T/policies/base.yaml" <<'END'
version: 1
name: base
command_rules:
  - {name: base-make, commands: [make], decision: allow}
network_rules:
  - {name: base-any, domains: ["*"], decision: allow}
END
cat >"$T/policies/whole.yaml" <<'END'
version: 1
name: whole
extends: base
file_rules:
  - {name: npm-own, paths: ["/srv/npm/**"], decision: allow, processes: [npm]}
unix_socket_rules:
  - {name: app, paths: ["/run/app/*.sock", "@app"], operations: [connect], decision: allow}
signal_rules:
  - {name: graceful, signals: [KILL], target: {type: children}, decision: redirect, redirect_to: TERM}
  - {name: own, target: descendants, decision: allow}
dns_redirects:
  - {name: inside, match: '\.corp$', resolve_to: 10.0.0.9}
connect_redirects:
  - {name: mirror, match: '^pypi\.org:443$', redirect_to: "mirror.corp:8443"}
env_policy: {deny: [SECRET_*]}
network_rules:
  - {name: reads, domains: [api.example.com], methods: [GET], paths: ["/v1/**"], decision: allow}
  - {name: writes, domains: [api.example.com], decision: deny}
command_rules:
  - {name: no-token, commands: [git], decision: allow, env_deny: [TOKEN]}
http_services:
  - name: hub
    upstream: https://hub.example.com
    rules:
      - {name: hub-read, methods: [GET], paths: ["/repos/**"], decision: allow}
END
cat >"$T/whole.cases" <<'END'
by npm file write /srv/npm/x -> allow npm-own
by node,/usr/bin/npm file write /srv/npm/x -> allow npm-own
file write /srv/npm/x -> deny default-deny-files
unix connect /run/app/a.sock -> allow app
unix connect @app -> allow app
unix bind @app -> deny default-deny-unix
signal KILL children,descendants,session -> redirect graceful
signal SIGTERM descendants -> allow own
signal 9 external -> deny default-deny-signal
dns-redirect git.corp -> redirect inside
dns-redirect example.org -> none
connect-redirect pypi.org:443 -> redirect mirror
connect-redirect pypi.org:80 -> none
env SECRET_KEY -> deny env_policy.deny
env LD_PRELOAD -> deny built-in
env PATH -> allow default
env TOKEN for git push -> deny env_deny
http GET https://api.example.com/v1/x?y=1 -> allow reads
http POST https://api.example.com/v1/x -> deny writes
http GET https://api.example.com/v2 -> deny writes
http GET https://api.example.com/v1/../v2 -> deny http-bad-path
net hub.example.com:443 -> deny http-service-direct
net example.org:443 -> allow base-any
service hub GET /repos/a -> allow hub-read
service HUB POST /repos/a -> deny default-deny-service
exec make -> allow base-make
END
check "test: every kind of question" status 0 "$A" policy test --policy whole "$T/whole.cases"
check "test: all of them" says "26 cases hold, 0 do not"
echo "service none GET / -> deny" >"$T/service.cases"
check "test: an unknown service" status 1 "$A" policy test --policy whole "$T/service.cases"
check "test: which service" says 'the policy has no service "none"'
check "show --expanded: an extended rule and its file" is \
	"$("$A" policy show whole --expanded --json | jq -r '.[] | select(.rule == "base-make") | .at')" "$T/policies/base.yaml:4"
P=whole
explain file write /srv/npm/x
check "explain: nobody is named" says "processes: none of [npm] is in the line of descent: no program is named (by NAME ...)"
explain by node write /srv/npm/x
check "explain: who is named" says "processes: none of [npm] is in the line of descent (node)"
explain unix bind @app
check "explain: a socket" says 'operations have no "bind"'
explain signal TERM external
check "explain: a signal" says "signals have no 15"
check "explain: a target" says "target: what the signal goes to is none of its types"
explain http POST https://api.example.com/v1/x
check "explain: a request" says "method POST is not in [GET]"
explain connect-redirect pypi.org:80
check "explain: a redirect that is none" says 'org:443$" does not match "pypi.org:80"'
explain dns-redirect x.corp
check "explain: where to" says "resolve to: 10.0.0.9"
explain env TOKEN for git push
check "explain: a variable" says "by: env_deny"
explain service hub GET /other
check "explain: a service's rule" says "rule hub-read ($T/policies/whole.yaml:"
explain exec make
check "explain: another file's rule" says "at: $T/policies/base.yaml:4"
explain by npm file write ../../../../../../srv/./npm/x
check "explain: upward, and by whom" says "rule: npm-own"
explain unix connect ../../../../../run/app/a.sock
check "explain: a socket from the current directory" says "rule: app"
explain unix connect @app
check "explain: no directory before an abstract one" says "rule: app"

check "list" is "$("$A" policy list | jq -r '.[] | select(.name == "clean") | .description')" "nothing wrong here"
check "list: the built-in ones" is "$("$A" policy list --json | jq -r '[.[] | .name] | contains(["default", "agent-sandbox", "faults"])')" true
check "list: paths without .." is "$("$A" policy list | jq -r '.[].path' | grep -c '/\.\./')" 0
check "show" is "$("$A" policy show clean | head -n 2 | tail -n 1)" "name: clean"
check "show --expanded" status 0 "$A" policy show clean --expanded
check "show --expanded: a rule and its place" says "$T/policies/clean.yaml:5"
check "show --expanded --json" is "$("$A" policy show --expanded --json clean | jq -c '[.[] | .section] | unique')" '["exec","file","net"]'
check "show: no such policy" status 1 "$A" policy show none
check "schema" is "$("$A" policy schema | jq -r type)" object
check "policy alone" status 1 "$A" policy
check "policy alone: a line for each verb" is "$(sed -n 's/^  \([a-z]*\) .*/\1/p' "$T/said" | tr '\n' ' ')" \
	"list show validate explain test diff compile schema keygen sign verify manifest "
check "policy --help" is "$("$A" policy --help)" "$(cat "$T/said")"
for v in list show validate explain test diff compile schema keygen sign verify manifest; do
	check "help: $v" is "$("$A" policy "$v" clean --help | grep -cE "^(usage: agentsh policy $v( |\$)|example:\$|  .*agentsh policy $v )|^  .*agentsh policy $v\$")" 3
done
for o in validate:--strict validate:--json validate:--all validate:--workspace validate:--compat show:--expanded explain:--all explain:--workspace diff:--rules sign:--key; do
	check "help: $o" grep -q "^  ${o#*:} " <("$A" policy "${o%:*}" -h)
done
check "help: not when a command has it" is "$("$A" policy explain --policy clean --json exec git --help | jq -r .rule)" all
check "usage: of the verb" status 1 "$A" policy compile
check "usage: and where there is more" says "usage: agentsh policy compile NAME|FILE (more: agentsh policy compile --help)"
# What went wrong says what to do.
printf 'policies: [\n' >"$T/broken.yaml"
check "list: a broken configuration" status 1 env AGENTSH_CONFIG="$T/broken.yaml" "$A" policy list
check "list: no list then" silent '[]'
check "list: the reason" says "configuration $T/broken.yaml was refused"
mkdir "$T/own"
cp "$T/policies/clean.yaml" "$T/own/mine.yaml"
printf 'policies: {dir: %s}\n' "$T/own" >"$T/dir.yaml"
check "list: the configuration's directory" is "$(AGENTSH_CONFIG=$T/dir.yaml "$A" policy list | jq -r '.[] | select(.name == "mine") | .path')" "$T/own/mine.yaml"
for d in nowhere dir.yaml; do
	printf 'policies:\n  dir: %s\n' "$d" >"$T/dir.yaml"
	check "configuration: dir is $d" status 1 env AGENTSH_CONFIG="$T/dir.yaml" "$A" policy list
	check "configuration: its place" says "$T/dir.yaml:2:8: error: policies.dir: $T/$d is no directory: make it, or leave policies.dir out"
done
if ! [ -d /etc/agentsh/policies ]; then
	check "manifest: no directory" status 1 "$A" policy manifest
	check "manifest: what to do" says "agentsh policy show NAME >/etc/agentsh/policies/NAME.yaml"
fi
touch "$T/file"
check "compile: nowhere to store it" status 1 env AGENTSH_DATA_DIR="$T/file" "$A" policy compile clean
check "compile: what to do" says "set AGENTSH_DATA_DIR to a directory of yours"
printf 'policies: {signing: {mode: enforce}}\n' >"$T/enforce.yaml"
check "compile: not signed" status 1 env AGENTSH_CONFIG="$T/enforce.yaml" "$A" policy compile clean
check "compile: how to sign" says "sign it (agentsh policy sign --key KEY FILE), a pack after copying it (agentsh policy show NAME >FILE)"
# The manual names the limits as they are.
limit() { # NAME HEADER: its number stands below LIMITS
	local v
	v=$(sed -n "s/^#define $1 *\((size_t)\)\{0,1\}\([0-9]*\).*/\2/p" "$top/policy/$2" | sed -e ':a' -e 's/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/;ta')
	[ -n "$v" ] && sed -n '/^\.SH LIMITS/,$p' "$top/docs/agentsh-policy.5" | grep -qE "(^|[^0-9,])$v([^0-9,]|,[^0-9]|,?\$)"
}
for l in RULES_MAX:model.h STRINGS_MAX:model.h NAMES_MAX:model.h STATES_MAX:model.h WILD_MAX:model.h POL_LABELS_MAX:policy.h \
	POL_DFA_MAX:policy.h POL_KEPT_MAX:policy.h NODES_MAX:nfa.h RX_REPEAT_MAX:regex.h RX_DEPTH_MAX:regex.h RX_SETS_MAX:regex.h RX_INSTS_MAX:regex.h \
	EXTENDS_DEPTH_MAX:parse.h EXTENDS_FILES_MAX:parse.h RULE_NAME_MAX:parse.h YAML_DEPTH_MAX:yaml.h YAML_NODES_MAX:yaml.h LINTS_MAX:lint.h DIAG_MAX:yaml.h \
	CASE_WORDS_MAX:cases.h; do
	check "manual: ${l%:*}" limit "${l%:*}" "${l#*:}"
done
for s in "FINDING OUT WHY" SIGNATURES MANIFEST "ANOTHER POLICY FOR A RUNNING SESSION"; do
	check "manual: $s" grep -qx "\.SH $s" "$top/docs/agentsh-policy.5"
done
check "help: verify says what a built-in pack is" grep -q "it counts as signed, and needs no line in a manifest" <("$A" policy verify --help)
check "an unknown verb" status 1 "$A" policy frobnicate
exit "$failed"
