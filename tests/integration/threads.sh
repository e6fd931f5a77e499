#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Execs from many threads of one process at once: each process ends, the worker goes on judging others, and ends are ends.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
name=threads-$$
mkdir -p "$W"
gcc -O1 -o "$W/$name" "$top/tests/integration/threads.c" -lpthread
cat >"$T/p.yaml" <<'P2'
version: 1
name: threads
file_rules: [{name: all, paths: ["/**"], decision: allow}]
command_rules: [{name: all, decision: allow}]
P2
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
check "control: outside, every process of 9 threads that call execve runs one" is "$("$W/$name" 50)" 50
check "inside, too" is "$(timeout 60 "$A" exec "$SID" -- /workspace/$name 50)" 50
timeout 60 "$A" exec "$SID" -- /workspace/$name 300 >"$T/out1" &
one=$!
timeout 60 "$A" exec "$SID" -- /workspace/$name 300 >"$T/out2" &
two=$!
for i in 1 2 3 4 5 6 7 8; do timeout 10 "$A" exec "$SID" -- sh -c "/bin/true && echo $i"; done >"$T/others"
check "meanwhile others are judged" is "$(tr -d '\n' <"$T/others")" 12345678
wait $one $two
check "and both end" is "$(cat "$T/out1" "$T/out2" | tr '\n' ' ')" "300 300 "
timeout 20 "$A" exec --timeout 1s "$SID" -- /workspace/$name 1000000 >/dev/null 2>&1
check "a timeout ends it" is $? 124
none() { [ "$(left "^/workspace/$name")" = 0 ]; }
check "and nothing of it is left" soon none
timeout 60 "$A" exec "$SID" -- /workspace/$name 1000000 >/dev/null 2>&1 &
one=$!
sleep 1
check "control: it runs" test "$(left "^/workspace/$name")" -gt 0
destroyed() { timeout 10 "$A" session destroy "$SID" >/dev/null; }
check "destroy ends the session" destroyed
check "and its processes" soon none
wait $one
the_end
