#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the words about a policy have to do with a session: explain asks for one, and its start says what nobody enforces.
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
export AGENTSH_POLICY_DIR=$T/policies
W=$T/ws
mkdir -p "$T/policies" "$W/sub"
written() { # DECISION: a policy whose notes have it
	cat >"$T/policies/desk.yaml" <<-P
	version: 1
	name: desk
	file_rules:
	  - {name: notes, paths: ["\${PROJECT_ROOT}/notes"], decision: $1}
	  - {name: all, paths: ["/**"], decision: allow}
	command_rules:
	  - {name: all, decision: allow}
	P
}
written deny
SID=$("$A" session create --workspace "$W" --policy desk --json 2>"$T/err" | jq -r .id)
explain() { (cd "$W/sub" && "$A" policy explain --session "$SID" --json "$@" 2>"$T/err") | jq -r "$want"; }
want=.rule
check "explain --session: its policy and its workspace" is "$(explain read "$W/notes")" notes
check "explain --session: nothing to say about its generation" is "$(cat "$T/err")" ""
want=.session_has_another
check "explain --session --json: the same generation" is "$(explain read /x)" false
written approve
check "explain --session --json: another" is "$(explain read /x)" true
check "explain --session: the policy was changed" is \
	"$(grep -c "session $SID has another generation than policy desk compiles to now" "$T/err")" 1
want=.decision
check "explain --session: what the new one says" is "$(explain read "$W/notes")" approve
check "explain --session: none of that name" is "$("$A" policy explain --session none read /x 2>&1 >/dev/null | wc -l)" 1
"$A" session update "$SID" --policy desk >/dev/null
want=.session_has_another
check "explain --session: as it is after an update" is "$(explain read /x)" false

# A command and what explain says of it: by the file that it is, as execd finds it.
mkdir "$T/tools"
for n in one two; do printf '#!/bin/sh\necho ran\n' >"$T/tools/$n" && chmod 755 "$T/tools/$n"; done
ln -s two "$T/tools/three"
ln -s "$T/tools/one" "$W/free"
ln -s "$T/tools/two" "$W/one"
ln -s "$T/tools/secret" "$W/s"
echo hidden >"$T/tools/secret"
cat >"$T/policies/files.yaml" <<P
version: 1
name: files
file_rules:
  - {name: secret, paths: ["$T/tools/secret"], decision: deny}
  - {name: tools, paths: ["$T/tools/**", "$T/tools"], operations: [read, open, stat, list, readlink, access], decision: allow}
  - {name: all, paths: ["\${PROJECT_ROOT}", "\${PROJECT_ROOT}/**"], decision: allow}
command_rules:
  - {name: no-two, commands: ["$T/tools/two"], decision: deny}
  - {name: curl-it, commands: [wget], decision: redirect, redirect_to: {command: echo, args: [instead]}}
  - {name: rest, decision: allow}
P
export PATH=$T/tools:$PATH
FID=$("$A" session create --workspace "$W" --policy files --json 2>/dev/null | jq -r .id)
live() { (cd "$W/sub" && "$A" exec "$FID" -- "$@" 2>&1); }
told() { (cd "$W/sub" && "$A" policy explain --session "$FID" --json "$@" | jq -c '[.decision, .rule, .file]'); }
agree() { # ALLOW|DENY FILE COMMAND...: it runs, or does not, and that is what explain says
	local want=$1 file=$2 out
	shift 2
	out=$(live "$@")
	case $want/$out in allow/ran | deny/*[Dd]enied*) ;; *) echo "  $out" && return 1 ;; esac
	is "$(told exec "$@" | jq -c '[.[0], .[2]]')" "[\"$want\",\"$T/tools/$file\"]"
}
check "explain and exec: a program that a rule leaves" agree allow one one
check "explain and exec: a bare name's file" agree deny two two
check "explain and exec: a link's file" agree deny two three
check "explain and exec: a link of the session's own to a free program" agree allow one ../free
check "explain and exec: a link of the session's own that is called like one" agree deny two ../one
check "explain and exec: an absolute path" agree deny two "$T/tools/../tools/two"
check "explain and exec: below the workspace's other name" agree deny two /workspace/one
check "explain and exec: a file behind a link" is "$(live cat ../s | grep -o 'Permission denied') $(told read ../s)" \
	"Permission denied [\"deny\",\"secret\",\"$T/tools/secret\"]"
check "explain and exec: the same file without it" is "$(told read "$T/tools/secret")" '["deny","secret",null]'
check "explain and exec: the link itself" is "$(told readlink ../s)" '["allow","all",null]'
printf '#!/bin/sh\n' >"$T/tools/secret" && chmod 755 "$T/tools/secret"
check "explain and exec: a program that a file rule closes" agree deny secret secret
check "explain and exec: by that rule" is "$(told exec secret)" "[\"deny\",\"secret\",\"$T/tools/secret\"]"
printf '#!/bin/sh\n' >"$T/tools/wget" && chmod 755 "$T/tools/wget"
check "explain and exec: a submitted command is redirected" is "$(live wget x) $(told exec wget x)" \
	"instead [\"redirect\",\"curl-it\",\"$T/tools/wget\"]"
check "explain and exec: one that another starts is refused" is \
	"$(live sh -c 'wget x; true' | grep -o -m 1 'Permission denied') $(told exec depth=1 wget x)" "Permission denied [\"deny\",\"curl-it\",\"$T/tools/wget\"]"

# A file stays the one that the session was made with.
mkdir "$T/elsewhere"
cp "$T/policies/desk.yaml" "$T/elsewhere/named.yaml"
sed 's/name: notes/name: others/' "$T/policies/desk.yaml" >"$T/tools/named.yaml"
NID=$(cd "$T/elsewhere" && "$A" session create --workspace "$W" --policy ./named.yaml --json 2>/dev/null | jq -r .id)
named() { (cd "$T/tools" && "$A" policy explain --session "$NID" --json read "$W/notes" 2>"$T/err") | jq -r .rule; }
check "a policy's file: its real path is kept" is "$("$A" session info "$NID" | jq -r .policy)" "$T/elsewhere/named.yaml"
check "a policy's file: list has it" is "$("$A" session list | jq -r ".[] | select(.id == \"$NID\") | .policy")" "$T/elsewhere/named.yaml"
check "a policy's file: explain takes none of the same name" is "$(named) $(cat "$T/err")" "notes "
check "a policy's file: nor does update" is \
	"$(cd "$T/tools" && "$A" session update "$NID" --policy ./named.yaml --json 2>/dev/null | jq -r .policy)" "$T/tools/named.yaml"
(cd "$T/elsewhere" && "$A" session update "$NID" --policy ./named.yaml >/dev/null)
echo '# changed' >>"$T/elsewhere/named.yaml" && sed -i 's/name: notes/name: slips/' "$T/elsewhere/named.yaml"
check "a policy's file: that it has changed is said" is "$(named) $(grep -c 'has another generation than' "$T/err")" "slips 1"
rm "$T/elsewhere/named.yaml"
check "a policy's file: that it is gone is said" is "$(named) $(grep -c "$T/elsewhere/named.yaml, cannot be read any more: No such" "$T/err")" " 1"
deep=$T/$(printf 'd%.0s' {1..240})
mkdir "$deep" && cp "$T/policies/desk.yaml" "$deep/p.yaml"
check "a policy's file: a path that is too long is not cut" is \
	"$(cd "$deep" && "$A" session create --workspace "$W" --policy ./p.yaml 2>&1 | grep -c 'longer than 255 bytes')" 1

# What nobody enforces is said at the start, other warnings with --verbose only.
cat >"$T/policies/later.yaml" <<'P'
version: 1
name: later
file_rules:
  - {name: all, paths: ["/**"], decision: allow}
  - {name: all, paths: ["/x"], decision: deny}
command_rules:
  - {name: all, decision: allow}
  - {name: old, commands: [dd], decision: soft_delete}
resource_limits: {pids_max: 10}
P
want="$T/policies/later.yaml:9:1: warning: section resource_limits is not enforced by any daemon yet"
words() { grep -v -e auto-starting -e "^agentsh: [0-9]* events" "$T/err"; }
later=$("$A" session create --workspace "$W" --policy later --json 2>"$T/err" | jq -r .id)
check "create: what no daemon enforces, and nothing else" is "$(words)" "$want"
verbose=$("$A" session create --workspace "$W" --policy later --json -v 2>"$T/err" | jq -r .id)
check "create --verbose: the other warnings, too" is "$(words | grep -c ': warning: ')" 3
check "create: it is a warning" is "$("$A" session info "$later" | jq -r .policy) $("$A" session info "$verbose" | jq -r .policy)" "later later"
"$A" run --workspace "$W" --policy later -- true 2>"$T/err"
check "run: what no daemon enforces" is "$? $(words)" "0 $want"
"$A" run --workspace "$W" --policy desk -- true 2>"$T/err"
check "run: nothing for a policy that is enforced as a whole" is "$? $(words)" "0 "
{ cat "$T/policies/later.yaml"; echo "file_rules: []"; } >"$T/policies/broken.yaml"
check "create: errors as ever" is "$("$A" session create --workspace "$W" --policy broken 2>&1 >/dev/null | grep -c ': error: ')" 1
# A question that nobody answers is no plain refusal.
cat >"$T/policies/asking.yaml" <<'P'
version: 1
name: asking
file_rules:
  - {name: env-asks, paths: ["**/.env"], operations: [read, open], decision: approve, message: "secrets ask"}
  - {name: shut, paths: ["**/shut"], operations: [read, open], decision: deny}
  - {name: all, paths: ["/**"], decision: allow}
command_rules:
  - {name: all, decision: allow}
P
touch "$W/.env" "$W/shut"
QID=$("$A" session create --workspace "$W" --policy asking --json 2>/dev/null | jq -r .id)
"$A" exec "$QID" -- cat /workspace/.env /workspace/shut >/dev/null 2>"$T/err"
check "hint: nobody was there" is "$(grep -c 'refused: .*\.env (rule=env-asks): secrets ask (approval: nobody is there to answer' "$T/err")" 1
check "hint: a refusal of a rule's own has none" is "$(grep -c 'refused: .*shut (rule=shut)$' "$T/err")" 1
# Help of each verb, with its options.
helps() { "$A" session "$1" --help >"$T/out" && [ "$(head -c $((23 + ${#1})) "$T/out")" = "usage: agentsh session $1" ]; }
for v in create list info update destroy; do check "help: session $v" helps "$v"; done
for o in create:--workspace create:--policy create:--json create:--verbose update:--policy update:--json update:--no-wait; do
	check "help: session $o" grep -qF -- "${o#*:}" <("$A" session "${o%:*}" --help)
done
check "help: session, a line for each" is "$("$A" session --help | grep -c ' agentsh session ')" 5
the_end
