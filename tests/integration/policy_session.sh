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
the_end
