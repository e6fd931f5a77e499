#!/usr/bin/env bash
# End to end, proven from outside: what was denied has no effect, and the same act works where it is allowed.
# Prints "ok NAME" / "not ok NAME" per check; exit 1 if any failed.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W/src" "$W/bin"
gcc -O1 -o "$W/bin/race" "$top/tests/integration/race.c" -lpthread
gcc -static -O1 -o "$W/bin/alloweddd" "$top/tests/integration/mark.c"
cp "$W/bin/alloweddd" "$W/alloweddd"
gcc -static -O1 -DBAD -o "$W/bin/forbidden" "$top/tests/integration/mark.c"
cp "$W/bin/forbidden" "$W/forbidden"
cat >"$T/p.yaml" <<'P'
version: 1
name: test
file_rules:
  - {name: sys, paths: ["/usr/**", "/bin/**", "/lib/**", "/lib64/**", "/sbin/**"], operations: [read, open, stat, list, readlink, access], decision: allow}
  - {name: tmp, paths: ["/tmp", "/tmp/**"], decision: allow}
  - {name: secret, paths: ["**/secret/**", "**/*.key"], operations: [read, open, write, create, delete], decision: deny, message: "closed"}
  - {name: ws, paths: ["/workspace", "/workspace/**"], operations: [read, open, stat, list, readlink, access, write, create, mkdir, chmod, rename, link, symlink], decision: allow}
  - {name: keep, paths: ["/workspace/**"], operations: [delete, rmdir], decision: soft_delete}
command_rules:
  - {name: no-forbidden, commands: [forbidden], decision: deny, message: "use alloweddd"}
  - {name: no-evil, commands: [alloweddd], args_patterns: ["evil"], decision: deny}
  - {name: swap, commands: [swapme], decision: redirect, redirect_to: {command: echo, args: ["swapped", "{{.Args}}"]}}
  - {name: all, decision: allow}
P
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err" "$T/run/server.log"; exit 1; }
X() { timeout 60 "$A" exec "$SID" -- "$@"; }

check "stdout" is "$(X echo hello)" hello
X sh -c 'exit 7' 2>/dev/null
check "exit code" is $? 7
X sh -c 'kill -9 $$' 2>/dev/null
check "signal is 128+n" is $? 137
X no-such-program 2>/dev/null
check "not found is 127" is $? 127
mark=$((1000000000 + $$))
timeout 20 "$A" exec --timeout 300ms "$SID" -- sh -c "sleep $mark & (setsid sleep $mark &) ; sleep $mark" 2>/dev/null
check "timeout is 124" is $? 124
check "a timeout ends the whole tree" is "$(left "^sleep $mark")" 0
check "a redirected command" is "$(X swapme a b)" "swapped a b"
ids=$(X sh -c 'grep -E "^Cap(Prm|Eff|Bnd)|NoNew" /proc/self/status' | tr -d '\n\t')
check "no capability, no_new_privs" is "$ids" "CapPrm:0000000000000000CapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1"

# Exec: every way to a forbidden program. The program leaves a mark in /tmp of the session; the allowed one shows that marks work.
X alloweddd >/dev/null 2>&1 || X /workspace/bin/alloweddd
check "control: an allowed program leaves its mark" is "$(X cat /tmp/marks)" good
X rm /tmp/marks
B=/workspace/bin/forbidden
ln -s forbidden "$W/bin/link"
printf '#!%s\n' "$B" >"$W/bin/script"
chmod +x "$W/bin/script"
printf 'x:\n\t%s\n' "$B" >"$W/Makefile"
cat >"$W/ways.py" <<'P'
import os, subprocess
b = "/workspace/bin/forbidden"
def go(f):
    if os.fork() == 0:
        try: f()
        except OSError: pass
        os._exit(0)
    os.wait()
try: subprocess.run([b])
except OSError: pass
go(lambda: os.execve(os.open(b, os.O_RDONLY), ["x"], {}))
m = os.memfd_create("x", 0)
os.write(m, open(b, "rb").read())
go(lambda: os.execve(m, ["x"], {}))
go(lambda: os.execve("/proc/self/fd/%d" % m, ["x"], {}))
P
X "$B" 2>"$T/err"
check "denied is 126" is $? 126
check "denied says its rule" grep -q 'denied by policy (rule=no-forbidden)' "$T/err"
for way in "sh -c $B" "python3 /workspace/ways.py" "make -C /workspace" "find /workspace/bin/race -exec $B ;" "xargs -a /workspace/p $B" "env $B" \
	"/lib64/ld-linux-x86-64.so.2 $B" "/workspace/bin/link" "/workspace/bin/script" "sh /workspace/nest.sh"; do
	echo x >"$W/p"
	printf 'sh -c "sh -c %s"\n' "$B" >"$W/nest.sh"
	# shellcheck disable=SC2086
	X $way >/dev/null 2>&1
done
check "no way led to the forbidden program" is "$(X sh -c 'cat /tmp/marks 2>/dev/null | wc -l')" 0
out=$(X /workspace/bin/race 3000)
check "3000 racing execs ran ($out)" test -n "$out"
check "and none ran the forbidden program or argument" is "$(X sh -c 'grep -cvx good /tmp/marks')" 0
check "while allowed ones did" test "$(X sh -c 'grep -cx good /tmp/marks')" -gt 0

# Files.
mkdir -p "$W/secret"
echo TOPSECRET >"$W/secret/a"
echo TOPSECRET >"$W/b.key"
echo open >"$W/plain"
ln -s b.key "$W/alias"
check "control: an open file is read" is "$(X cat /workspace/plain)" open
for try in 'cat /workspace/b.key' 'cat /workspace/alias' 'cat /workspace/src/../b.key' 'ln /workspace/b.key /workspace/h; cat /workspace/h' \
	'cat /proc/self/root/workspace/b.key' 'mv /workspace/secret /workspace/open; cat /workspace/open/a' \
	'mv /workspace/b.key /workspace/c; cat /workspace/c' "cat $W/b.key" 'cp -r /workspace/secret /tmp/s; cat /tmp/s/a' \
	"python3 -c \"print(open('/workspace/b.key').read())\""; do
	check "unread: $try" is "$(X sh -c "$try" 2>/dev/null | grep -c TOPSECRET)" 0
done
check "system trees are read-only" is "$(X sh -c 'touch /usr/agentsh-x /etc/agentsh-x 2>/dev/null; ls /usr/agentsh-x /etc/agentsh-x 2>/dev/null | wc -l')" 0
check "the daemons' own files are out of sight" is "$(X sh -c "ls $T/data $T/run 2>/dev/null | wc -l")" 0

# Soft delete.
for i in $(seq 40); do mkdir -p "$W/src/d$((i % 5))" && head -c 5000 /dev/urandom >"$W/src/d$((i % 5))/f$i"; done
sum=$(cd "$W" && find src -type f -exec sha256sum {} + | sort | sha256sum)
X rm -rf /workspace/src 2>"$T/err"
check "rm -rf is done" test ! -e "$W/src"
check "its hint names the token" grep -q 'restore with: agentsh trash restore' "$T/err"
"$A" trash restore --all --session "$SID" >/dev/null 2>"$T/err"
check "restored, checksums equal" is "$(cd "$W" && find src -type f -exec sha256sum {} + | sort | sha256sum)" "$sum"

# Network: nothing leaves. The listener on the host's loopback shows whether it did; the control reaches it from outside.
python3 - "$T/hits" <<'P' &
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(8)
open(sys.argv[1] + ".port", "w").write(str(s.getsockname()[1]))
while True:
    c, _ = s.accept(); open(sys.argv[1], "a").write("hit\n"); c.close()
P
listener=$!
while [ ! -s "$T/hits.port" ]; do sleep 0.05; done
port=$(cat "$T/hits.port")
X python3 -c "
import socket
for fam, addr in ((socket.AF_INET, ('127.0.0.1', $port)), (socket.AF_INET, ('203.0.113.1', 80)), (socket.AF_INET6, ('2001:db8::1', 80))):
    s = socket.socket(fam); s.settimeout(2)
    try: s.connect(addr); print('connected')
    except OSError as e: pass
for fam, typ, proto in ((17, 3, 0), (40, 1, 0), (2, 1, 262), (2, 3, 1), (16, 3, 9)):
    try: socket.socket(fam, typ, proto); print('socket', fam, typ, proto)
    except OSError as e: pass
" >"$T/net"
check "no address is reached, no raw, packet, vsock, MPTCP or audit socket is had" is "$(cat "$T/net")" ""
check "nothing arrived at the listener" test ! -e "$T/hits"
python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))"
for _ in $(seq 50); do [ -e "$T/hits" ] || sleep 0.02; done
check "control: from outside it arrives" test -e "$T/hits"
kill "$listener"
wait "$listener" 2>/dev/null

# Many at once, and the record.
for i in $(seq 20); do X sh -c "echo $i" >"$T/par.$i" & done
wait
check "20 execs at once" is "$(cat "$T"/par.* | sort -n | tr '\n' ' ')" "$(seq -s ' ' 20) "
j=$(timeout 20 "$A" exec --output json --events full "$SID" -- sh -c 'cat /workspace/plain; /workspace/bin/forbidden')
check "JSON: exit code, stdout, a blocked nested exec with its rule" is \
	"$(jq -r '[.exit_code, .stdout, ([.events[] | select(.type == "execve" and .policy.effective_decision == "deny") | .policy.rule] | first)] | @csv' <<<"$j")" \
	'126,"open
","no-forbidden"'
check "JSON: the file read is there" is "$(jq '[.events[] | select(.type == "file_read" and (.path | endswith("/plain")))] | length > 0' <<<"$j")" true

# Bad input.
check "an unknown session" is "$("$A" exec nope -- true 2>&1)" 'agentsh: unknown session "nope": list them with: agentsh session list'
printf 'version: 1\nname: x\nfile_rulez: []\n' >"$T/bad.yaml"
check "a policy error has its place" is "$("$A" policy validate "$T/bad.yaml" 2>&1)" "$T/bad.yaml:3:1: error: unknown key \"file_rulez\" (did you mean \"file_rules\"?)"
python3 -c "
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect('$T/run/execd.sock'); s.send(b'garbage' * 100)"
check "garbage on a control socket costs only its sender" is "$(X echo alive)" alive

the_end
