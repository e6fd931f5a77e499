#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a client says while a session is set up is used by root: a path of its own choice makes nothing on the host.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W" "$T/other" "$T/there"
export WORKSPACE=$W
cat >"$T/p.yaml" <<'P2'
version: 1
name: setup
file_rules: [{name: all, paths: ["/**"], decision: allow}]
command_rules: [{name: all, decision: allow}]
P2
# through WHAT PATH: a session made through frames that say so; its id, or nothing. The words are in err.
through() {
	local id proxy
	rm -rf "$T/proxy" && mkdir "$T/proxy"
	cp "$T/run/server.pid" "$T/proxy/" 2>/dev/null
	python3 "$top/tests/integration/setup.py" "$T/proxy" "$T/run" "$1" "$2" >/dev/null 2>&1 &
	proxy=$!
	soon test -S "$T/proxy/netd.sock"
	id=$(AGENTSH_RUN_DIR=$T/proxy timeout 20 "$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
	kill -9 "$proxy"
	wait "$proxy" 2>/dev/null
	[ -z "$id" ] || "$A" session destroy "$id" >/dev/null
	echo "$id"
}
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
check "its resolv.conf is the gateway's" grep -q '^nameserver' <("$A" exec "$SID" -- cat /etc/resolv.conf)
check "control: with frames that say nothing else a session is made" [ -n "$(through none none)" ]
check "control: with the true path, too" [ -n "$(through workspace "$W")" ]
ln -s "$T/there/made" "$W/link"
check "a file elsewhere is refused" is "$(through file "$W/link")" ""
check "with words" grep -q 'for /etc/resolv.conf alone' "$T/err"
check "and not made" test ! -e "$T/there/made"
check "a workspace that is not there is refused" is "$(through workspace "$T/there/new/ws")" ""
check "with words" grep -q 'is not the path of the directory' "$T/err"
check "and not made" test ! -e "$T/there/new"
check "a workspace that was not handed over is refused" is "$(through workspace "$T/other")" ""
ln -s "$W" "$T/alias"
check "and one that is reached by a link" is "$(through workspace "$T/alias")" ""
check "and one with dots" is "$(through workspace "$T/there/../ws")" ""
# Where the policy closes the tree that holds the workspace, its mount point is the sandbox's own.
cat >"$T/p2.yaml" <<'P2'
version: 1
name: closed
file_rules:
  - {name: sys, paths: ["/usr/**", "/bin/**", "/lib/**", "/lib64/**", "/etc/**"], decision: allow}
  - {name: ws, paths: ["/workspace", "/workspace/**", "${PROJECT_ROOT}", "${PROJECT_ROOT}/**"], decision: allow}
command_rules: [{name: all, decision: allow}]
P2
S2=$("$A" session create --workspace "$W" --policy "$T/p2.yaml" 2>"$T/err" | jq -r .id)
check "a workspace in a closed tree is there by its own path" is "$("$A" exec "$S2" -- sh -c "echo x >$W/own && cat /workspace/own")" x
the_end
