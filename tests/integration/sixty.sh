#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The "60-second demo", its five steps typed as they stand in the README of the project's request, with an installation of the two files that it
# copies. SHOW=1 prints the transcript.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/net.sh
. "$here/tests/lib/net.sh"
# shellcheck source=tests/lib/check.sh
. "$here/tests/lib/check.sh"
internet_up "$T/net" example.com=203.0.113.10 || exit 1
child "$internet"
mkdir -p "$T/usr/local/bin" "$T/repo/tmp"
install -m 0755 "$bin/agentsh" "$bin/agentsh-shell-shim" "$T/usr/local/bin"
export PATH=$T/usr/local/bin:$PATH
A=agentsh
cd "$T/repo" || exit 1
git init -q . && echo hello >README && echo scratch >tmp/file
step() { # COMMAND-LINE, typed; output in $T/out, errors in $T/err
	eval "$1" >"$T/out" 2>"$T/err" </dev/null
	code=$?
	[ -z "${SHOW-}" ] || { printf '$ %s\n' "$1"; cat "$T/out" "$T/err"; }
}

step 'SID=$(agentsh session create --workspace . | jq -r .id)'
check "1: a session" test -n "$SID"
step 'agentsh exec "$SID" -- uname -a'
check "2: prints system info, just like normal" is "$(cut -d' ' -f1,3- "$T/out")" "$(uname -a | cut -d' ' -f1,3-)"
step 'agentsh exec --output json --events summary "$SID" -- curl -s https://example.com'
check "3: exit code and page" is "$(jq -r '[.exit_code, .stdout] | @csv' "$T/out")" '0,"<h1>Example Domain</h1>
"'
check "3: events show dns_query and net_connect" is "$(jq -r '[.events[].type] | unique | map(select(. == "dns_query" or . == "net_connect")) | join(" ")' "$T/out")" \
	"dns_query net_connect"
step 'agentsh exec "$SID" -- rm -rf ./tmp'
check "4: nobody is there to be asked: denied" is "$code $(cat tmp/file)" "126 scratch"
check "4: with its rule" grep -q 'denied by policy (rule=approve-recursive-delete)' "$T/err"
step 'script -qec "agentsh exec $SID -- rm -rf ./tmp" /dev/null <<<y'
check "4: at a terminal it prompts, and yes means yes" sh -c "grep -q 'Run rm -rf ./tmp?' '$T/out' && ! test -e tmp"
step 'agentsh exec --output json --events full "$SID" -- ls'
check "5: every file operation, from the tree's listing on" is "$(jq -r '[.events[] | select(.type == "dir_list" and (.path | endswith("/repo")))] | length > 0' "$T/out")" true
check "5: the decision of the policy" is "$(jq -r '.policy.decision' "$T/out")" allow
the_end
