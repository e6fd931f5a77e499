#!/usr/bin/env bash
# What the default pack promises of a workspace, live, where rules for other trees name what is around it: below /tmp and below /opt.
# Prints "ok NAME" / "not ok NAME" per check; exit 1 if any failed.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
places=''
trap 'rm -rf $places; cleanup' EXIT
for around in /tmp /opt; do
	W=$(mktemp -d "$around/agentsh-packs.XXXXXX")
	places="$places $W"
	mkdir -p "$W/.git/hooks" "$W/sub"
	echo TOPSECRET | tee "$W/.env" "$W/sub/.env" "$W/server.key" >"$W/plain"
	echo kept >"$W/a.txt"
	SID=$("$A" session create --workspace "$W" --policy "$top/policies/default.yaml" 2>"$T/err" | jq -r .id)
	check "$around: a session is made" [ -n "$SID" ] || { cat "$T/err" "$T/run/server.log"; continue; }
	X() { timeout 60 "$A" exec "$SID" -- sh -c "$1" 2>/dev/null; }
	for by in "$W" /workspace; do
		check "$around: control, a file is read by $by" is "$(X "cat $by/plain")" TOPSECRET
		for closed in .env sub/.env server.key; do
			check "$around: $by/$closed is not read" is "$(X "cat $by/$closed")" ""
		done
		X "echo x >$by/.git/hooks/pre-commit; mkdir $by/.vscode; echo x >$by/made; mkfifo $by/pipe"
		check "$around: no hook by $by on the host" [ ! -e "$W/.git/hooks/pre-commit" ]
		check "$around: no editor settings by $by" [ ! -e "$W/.vscode" ]
		check "$around: no pipe by $by" [ ! -e "$W/pipe" ]
		check "$around: control, a file by $by on the host" is "$(cat "$W/made" 2>&1)" x
		rm -f "$W/made"
	done
	X "rm a.txt"
	check "$around: what is deleted is gone" [ ! -e "$W/a.txt" ]
	check "$around: and in the trash" is "$("$A" trash list --session "$SID" --json | jq -r '.[].path')" "$W/a.txt"
	# What is around the workspace stays what it is without one there.
	X "echo x >/tmp/agentsh-packs-mark && mkfifo /tmp/agentsh-packs-pipe && cat /tmp/agentsh-packs-mark" >"$T/said"
	check "$around: /tmp is free" is "$(cat "$T/said")" x
	check "$around: and not the host's" [ ! -e /tmp/agentsh-packs-mark ]
	X "echo x >/opt/agentsh-packs-mark"
	check "$around: /opt is closed for writing" [ ! -e /opt/agentsh-packs-mark ]
	check "$around: fsd serves the workspace alone of it" is "$(X "grep -c ' $around fuse' /proc/self/mounts")" 0
	check "$around: control, it serves the workspace" is "$(X "grep -c ' $W fuse' /proc/self/mounts")" 1
done
# A policy that closes /etc is told so, and what it needs: that is enough.
W=$T/ws
mkdir "$W"
"$A" session create --workspace "$W" --policy "$top/policies/llm-gateway.yaml" >"$T/said" 2>&1
check "a closed /etc: no session" [ $? -ne 0 ]
check "a closed /etc: by which rule" grep -q 'the policy closes /etc/resolv.conf.*a rule before "nothing"' "$T/said"
ops=$(sed -n 's/.*that allows \(\[.*\]\) of \(\[.*\]\)$/paths: \2, operations: \1/p' "$T/said")
cat >"$T/open.yaml" <<P
version: 1
name: open
extends: $top/policies/llm-gateway.yaml
file_rules:
  - {name: resolv, $ops, decision: allow}
P
SID=$("$A" session create --workspace "$W" --policy "$T/open.yaml" 2>"$T/err" | jq -r .id)
check "a closed /etc: the rule that it names is enough" [ -n "$SID" ] || cat "$T/err" "$T/open.yaml"
the_end
