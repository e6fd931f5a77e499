#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# policy diff: each question that it finds has, asked by "policy test", the one answer in the first policy and the other in the second; exit codes
# as diff's; bounded in time.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
unset AGENTSH_CONFIG AGENTSH_POLICY_DIR
d() { "$A" policy diff "$@" >"$T/out" 2>"$T/err"; }
# holds A B: the questions of the last JSON, as cases of both policies
holds() {
	local side
	for side in before after; do
		jq -r --arg s "$side" '.changes[] | . as $c | (.operations // [null])[] as $op |
			(if $op then ($c.case | sub("file [a-z]+ "; "file \($op) ")) else $c.case end) + " -> " + $c[$s].decision + " " + $c[$s].rule' \
			"$T/out" >"$T/$side.cases"
	done
	"$A" policy test --policy "$1" "$T/before.cases" >"$T/said" || { cat "$T/said"; return 1; }
	"$A" policy test --policy "$2" "$T/after.cases" >"$T/said" || { cat "$T/said"; return 1; }
}

check "a policy and itself: 0" d default default
check "and nothing is said" is "$(cat "$T/out" "$T/err")" ""
d default agent-sandbox
check "two packs: 1" is "$?" 1
check "a change shows both sides and a question" grep -qE '^- [a-z]+ [a-z-]+' "$T/out"
check "one change for each" is "$(grep -c '^- ' "$T/out") $(grep -c '^  ' "$T/out")" "$(grep -c '^+ ' "$T/out") $(grep -c '^+ ' "$T/out")"
d --json default agent-sandbox
check "with --json too" is "$?" 1
check "as many" is "$(jq '.changes | length' "$T/out")" "$("$A" policy diff default agent-sandbox | grep -c '^- ')"
check "all of it was looked at" is "$(jq -r .cut "$T/out")" ""
check "the questions hold in both" holds default agent-sandbox
d nosuch default
check "no such policy: 2" is "$?" 2
printf 'version: 1\n' >"$T/bad.yaml"
d default "$T/bad.yaml"
check "a policy with an error: 2" is "$? $(grep -c "^$T/bad.yaml:1:1: error: " "$T/err")" "2 1"
d default
check "one policy: 2" is "$?" 2

# Edits of a pack, each of which must be found.
cp "$top/policies/default.yaml" "$T/new.yaml"
python3 - "$T/new.yaml" <<'P'
import re, sys
t = open(sys.argv[1]).read()
def first(section, rule):
    global t
    n = t.count(section + ":\n")
    assert n == 1, (section, n)
    t = t.replace(section + ":\n", section + ":\n" + rule)
first("file_rules", "  - {name: new-file, paths: ['/workspace/**/*.tfstate', '/srv/[a-f]*/**'], operations: [write, create], decision: approve}\n")
first("network_rules", "  - {name: new-net, domains: ['**.evil.example'], ports: [8443], decision: allow}\n"
      "  - {name: new-range, cidrs: [198.51.100.0/24], ports: [25], decision: allow}\n")
first("command_rules", "  - {name: new-exec, commands: [make], args_patterns: ['^-C\\s+/(etc|usr)\\b'], decision: deny}\n")
open(sys.argv[1], "w").write(t)
P
d --json default "$T/new.yaml"
check "edits are found" is "$? $(jq -r '[.changes[].after.rule] | unique | join(" ")' "$T/out")" "1 new-exec new-file new-net new-range"
check "and hold in both" holds default "$T/new.yaml"
check "with all operations" is "$(jq -r '[.changes[] | select(.after.rule == "new-file") | .operations[]] | unique | join(" ")' "$T/out")" "create write"
d --json "$T/new.yaml" default
check "the other way round, too" is "$? $(jq -r '[.changes[].before.rule] | unique | join(" ")' "$T/out")" "1 new-exec new-file new-net new-range"
sed 's/name: new-file/name: other-file/' "$T/new.yaml" >"$T/renamed.yaml"
check "another name is no change" d "$T/new.yaml" "$T/renamed.yaml"
d --rules "$T/new.yaml" "$T/renamed.yaml"
check "but with --rules" is "$? $(grep -c other-file "$T/out")" "1 1"
mkdir -p "$T/w/src"
printf 'version: 1\nname: w\nfile_rules: [{name: a, paths: ["%s/src/**"], decision: deny}]\n' "$T/w" >"$T/w1.yaml"
printf 'version: 1\nname: w\nfile_rules: []\n' >"$T/w2.yaml"
d --workspace "$T/w" "$T/w1.yaml" "$T/w2.yaml"
check "--workspace: its names are /workspace's" grep -q '^  file read /workspace/src/x' "$T/out"
printf 'version: 1\nname: w\nfile_rules: [{name: "\\e[31m", paths: [/x], decision: deny}]\n' >"$T/escape.yaml"
d "$T/escape.yaml" "$T/w2.yaml"
check "nothing reaches the terminal raw" is "$(grep -c '\\x1b\[31m' "$T/out")$(grep -c $'\e' "$T/out")" 10

# Large ones end in time, and say what they left out.
{ printf 'version: 1\nname: x\nfile_rules:\n' && seq 20000 | sed 's|.*|- {name: r&, paths: [/w/d&/**], decision: allow}|'; } >"$T/l1.yaml"
sed 's|name: r777,|name: r777, operations: [read],|' "$T/l1.yaml" >"$T/l2.yaml"
start=$SECONDS
d "$T/l1.yaml" "$T/l2.yaml"
check "20,000 rules: the one that changed is found" grep -q ' r777$' "$T/out"
check "within 60 s, a sanitized build too" [ $((SECONDS - start)) -le 60 ]
the_end
