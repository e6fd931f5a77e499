#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Many at once, and every way to die: afterwards nothing of the session runs, is mounted or stays, and the CLI says what happened.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W"
mark=$((1000000000 + $$))
cat >"$T/p.yaml" <<'P'
version: 1
name: death
file_rules: [{name: all, paths: ["/**"], decision: allow}]
command_rules: [{name: no, commands: [forbidden], decision: deny}, {name: all, decision: allow}]
P
cp /bin/true "$W/forbidden"
# A session that works: it appends to a file for ever, opens and execs again and again. Sets SID, cli.
busy() {
	SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
	: >"$W/beat"
	timeout 120 "$A" exec "$SID" -- sh -c "sleep $mark & exec 9>>/workspace/beat; while :; do echo . >&9; echo . >>/workspace/beat; /bin/true; /workspace/forbidden && echo BAD >>/workspace/bad; done" 2>/dev/null &
	cli=$!
	soon test -s "$W/beat" && soon test "$(left "^sleep $mark")" = 1
}
gone() { [ "$(left "^sleep $mark")" = 0 ] && [ "$(left "echo . >>/workspace/[b]eat")" -le "$(left "timeout 120.*/workspace/[b]eat")" ]; }
still() { # nothing writes any more
	local n
	n=$(stat -c %s "$W/beat")
	sleep 0.3
	[ "$(stat -c %s "$W/beat")" = "$n" ]
}
no_session_cgroup() { [ -z "$(find /sys/fs/cgroup -maxdepth 3 -name "agentsh-$SID" 2>/dev/null)" ]; }
worker() { # pid of the session's worker of that daemon; execd's has children of the same name
	for p in $(pgrep -f -- "--worker $SID"); do [ "$(readlink "/proc/$p/exe")" = "$bin/agentsh-$1" ] && echo "$p" && break; done
}
parent() { pgrep -P "$(cat "$T/run/server.pid")" -x "agentsh-$1"; }

# Twenty sessions at once, each with its own answer.
for i in $(seq 20); do
	mkdir -p "$T/w$i"
	(s=$("$A" session create --workspace "$T/w$i" --policy "$T/p.yaml" 2>>"$T/err20" | jq -r .id)
	timeout 60 "$A" exec "$s" -- sh -c "echo $i >here; cat here" >"$T/out$i" 2>>"$T/err20") &
	pids="${pids-} $!"
done
# shellcheck disable=SC2086
wait $pids
check "20 sessions at once" is "$(cat "$T"/out? "$T"/out?? | sort -n | tr '\n' ' ')" "$(seq -s ' ' 20) "
check "they are listed" is "$("$A" session list | jq length)" 20
for i in $(seq 20); do [ "$(cat "$T/w$i/here")" = "$i" ] || echo "$i"; done >"$T/mixed"
check "and none wrote in another's workspace" is "$(cat "$T/mixed")" ""
for s in $("$A" session list | jq -r '.[].id'); do "$A" session destroy "$s" >/dev/null; done
check "destroyed, none is left" is "$("$A" session list | jq length)" 0

# A second instance does not meet the first.
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" | jq -r .id)
check "a second instance knows nothing of the first's session" is \
	"$(AGENTSH_RUN_DIR=$T/second "$A" exec "$SID" -- true 2>&1 | grep -c 'unknown session')" 1
AGENTSH_RUN_DIR=$T/second "$A" server stop >/dev/null
check "and ends without it" is "$("$A" exec "$SID" -- echo here)" here
"$A" session destroy "$SID" >/dev/null

# Ends that come before the command's process has joined its cgroup.
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" | jq -r .id)
cat >"$T/close.py" <<'P'
import os, socket, struct, sys
word = lambda t: struct.pack("<I", len(t)) + t.encode()
def send(s, kind, body): s.send(struct.pack("<HHIII", kind, 0, 1, len(body), 0) + body)
argv = ["sh", "-c", "sleep 1; echo x >>/workspace/closed; sleep 1000%s" % sys.argv[3]]
for i in range(20):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(os.environ["AGENTSH_RUN_DIR"] + "/execd.sock")
    send(s, 5, word(sys.argv[1]))
    s.recv(70000)
    send(s, 31, word("cmd-close%d" % i) + word("") + struct.pack("<QII", 0, 0, 3) + b"".join(map(word, argv)) +
         struct.pack("<I", 1) + word("PATH=/usr/bin:/bin"))
    if sys.argv[2] == "wait":
        s.settimeout(3)
        try: s.recv(70000)
        except OSError: break
    s.close()
P
python3 "$T/close.py" "$SID" wait "$mark"
check "control: a client that stays has its command run" is "$(cat "$W/closed" 2>/dev/null)" x
: >"$W/closed"
python3 "$T/close.py" "$SID" close "$mark"
for _ in $(seq 20); do
	timeout 20 "$A" exec --timeout 1ms "$SID" -- sh -c "sleep 1; echo x >>/workspace/late; sleep 1000$mark" 2>/dev/null || echo $?
done >"$T/early"
check "20 timeouts of 1 ms are timeouts" is "$(sort "$T/early" | uniq -c | tr -s ' ')" " 20 124"
sleep 1.2
check "none of them ran on" test ! -e "$W/late"
check "what a client began and left at once did not run on" is "$(cat "$W/closed")" ""
check "nothing of it is left" is "$(left "sleep 1000$mark")" 0
"$A" session destroy "$SID" >/dev/null

# Ends.
busy
check "control: the session works" test -s "$W/beat"
check "control: while it lives its processes are seen" is "$(left "^sleep $mark")" 1
"$A" session destroy "$SID" >/dev/null
check "session destroy ends every process" soon gone
check "and its writing" still
check "and its cgroup" soon no_session_cgroup
wait "$cli"
check "its command says so" test $? != 0
busy
kill -9 "$(pgrep -P "$cli")" 2>/dev/null || kill -9 "$cli"
wait "$cli" 2>/dev/null
check "kill -9 of the CLI ends its command" soon gone
check "the session lives on" is "$("$A" exec "$SID" -- echo alive)" alive
"$A" session destroy "$SID" >/dev/null
timeout 60 "$A" run --workspace "$W" --policy "$T/p.yaml" -- sleep "$mark" 2>/dev/null &
cli=$!
runs() { [ "$(left "^sleep $mark")" = 1 ]; }
check "control: agentsh run runs" soon runs
kill -9 "$(pgrep -P "$cli")"
wait "$cli" 2>/dev/null
check "kill -9 of agentsh run ends its session" soon sh -c "[ \"\$($A session list | jq length)\" = 0 ]"
check "and its command" is "$(left "^sleep $mark")" 0
for d in fsd netd execd; do
	busy
	kill -9 "$(worker $d)"
	check "kill -9 of the session's $d worker ends its processes" soon gone
	check "and their writing ($d)" still
	wait "$cli"
	"$A" exec "$SID" -- true 2>"$T/err"
	check "the CLI says what died ($d)" grep -qE "$d worker (died|was killed)" "$T/err"
	check "and no cgroup stays ($d)" soon no_session_cgroup
	busy
	kill -9 "$(parent $d)"
	check "kill -9 of the $d daemon ends its sessions' processes" soon gone
	check "and their writing ($d daemon)" still
	wait "$cli"
	for _ in $(seq 60); do "$A" exec "$SID" -- true 2>"$T/err" || break; sleep 0.05; done
	check "the CLI says so ($d daemon)" grep -qE 'has ended|does not run|unknown session' "$T/err"
	check "no cgroup stays ($d daemon)" soon no_session_cgroup
	check "the server starts it again" soon sh -c "$A session list >/dev/null 2>&1"
done
check "nothing forbidden ran in all that" test ! -e "$W/bad"
the_end
