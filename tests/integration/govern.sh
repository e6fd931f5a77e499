#!/usr/bin/env bash
# End to end, proven from outside: what was denied has no effect, and the same act works where it is allowed.
# Prints "ok NAME" / "not ok NAME" per check; exit 1 if any failed.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W/src" "$W/bin"
cp /bin/true "$W/bin/forbidden"
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
  - {name: no-forbidden, commands: [forbidden], decision: deny, message: "use true"}
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
tree_gone() { [ "$(left "^sleep $mark")" = 0 ]; }
check "a timeout ends the whole tree" soon tree_gone
check "the caller's directory is the command's" is "$(cd "$W/src" && "$A" exec "$SID" -- pwd)" /workspace/src
check "from elsewhere it is the workspace" is "$(cd / && "$A" exec "$SID" -- pwd)" /workspace
check "a redirected command" is "$(X swapme a b)" "swapped a b"
check "a redirected command inside sh -c" is "$(X sh -c 'swapme "a b" c')" "swapped a b c"
ids=$(X sh -c 'grep -E "^Cap(Prm|Eff|Bnd)|NoNew" /proc/self/status' | tr -d '\n\t')
check "no capability, no_new_privs" is "$ids" "CapPrm:0000000000000000CapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1"

# Files.
# The same act on a closed and on an open file: the second shows that the first fails for no other reason. @N is the file, @D a directory
# with it, @P where both lie; each attempt has a place of its own.
cat >"$T/try" <<'P'
cat @P/@N
cat @P/alias
cat @P/../@L/@N
cat -- @P//./@N
cd @P && cat @N
ln @P/@N @P/h && cat @P/h
ln -s @N @P/s && cat @P/s
cat /proc/self/root@P/@N
cat /proc/$$/root@P/@N
cd @P && cat /proc/self/cwd/@N
mv @P/@D @P/d2 && cat @P/d2/a
mv @P /workspace/moved-@L && cat /workspace/moved-@L/@N
mv @P/@N @P/c && cat @P/c
mv @P/@N /tmp/c && cat /tmp/c
cat @R/@N
cp -r @P/@D /tmp/@L && cat /tmp/@L/a
tar -C @P -cf - @N | tar -xOf -
python3 -c "print(open('@P/@N').read())"
python3 -c "import os; d = os.open('@P', os.O_PATH); print(os.read(os.open('@N', 0, dir_fd=d), 99))"
python3 -c "import os; f = os.open('@P/@N', os.O_PATH); print(open('/proc/self/fd/%d' % f).read())"
python3 -c "import os, mmap; f = os.open('@P/@N', os.O_RDWR); print(mmap.mmap(f, 0)[:])"
dd if=@P/@N bs=64 2>/dev/null
bash -c 'exec 3<>@P/@N; cat <&3'
P
place=0
attempt() { # NAME DIRECTORY LINE: how often it shows the file's word; leaves it in shown
	local at script
	place=$((place + 1))
	at=$W/place$place
	mkdir -p "$at/secret" "$at/public"
	echo TOPSECRET | tee "$at/secret/a" "$at/public/a" "$at/b.key" >"$at/plain"
	ln -s "$1" "$at/alias"
	script=$(sed "s|@R|$at|g; s|@P|/workspace/place$place|g; s|@L|place$place|g; s|@N|$1|g; s|@D|$2|g" <<<"$3")
	shown=$(X sh -c "$script" 2>/dev/null | grep -c TOPSECRET)
}
while read -r line; do
	attempt plain public "$line" </dev/null
	check "control, open: $line" is "$shown" 1
	attempt b.key secret "$line" </dev/null
	check "unread, closed: $line" is "$shown" 0
done <"$T/try"
echo open >"$W/plain"
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

# A variable that is a path, however it is written, names what files are judged by.
mkdir -p "$T/real/secret" "$T/else" && echo TOP >"$T/real/secret/k" && ln -s real "$T/link"
printf 'version: 1\nname: vars\nfile_rules:\n- {name: no, paths: ["${HOME}/secret/**"], decision: deny}\n- {name: ws, paths: ["/workspace/**"], decision: allow}\ncommand_rules: [{name: all, decision: allow}]\n' >"$T/vars.yaml"
seen() { # HOME: what a session made with it can read
	local s
	s=$(HOME=$1 "$A" session create --workspace "$W" --policy "$T/vars.yaml" 2>/dev/null | jq -r .id)
	timeout 60 "$A" exec "$s" -- sh -c "cat $T/real/secret/k; cat $T/link/secret/k" 2>/dev/null
	"$A" session destroy "$s" >/dev/null
}
for h in real ./real /real else/../real link real/; do check "closed by HOME=$h" is "$(seen "$T/$h")" ""; done
check "control: open by another" is "$(seen "$T/else")" "$(printf 'TOP\nTOP')"
# Also where it leads to nothing yet, or has a colon.
ln -s later "$T/dangling"
seen_later() { # HOME DIR: DIR, which HOME leads to, is made when the session is there
	local s
	s=$(HOME=$1 "$A" session create --workspace "$W" --policy "$T/vars.yaml" 2>/dev/null | jq -r .id)
	mkdir -p "$2/secret" && echo TOP >"$2/secret/k"
	timeout 60 "$A" exec "$s" -- cat "$2/secret/k" 2>/dev/null
	"$A" session destroy "$s" >/dev/null
	rm -r "$2"
}
check "closed where it leads to later, by a link above" is "$(seen_later "$T/link/new/deep" "$T/real/new/deep")" ""
check "by itself a link" is "$(seen_later "$T/dangling" "$T/later")" ""
check "with a colon in it" is "$(seen_later "$T/link/a:b" "$T/real/a:b")" ""
check "control: others are open" is "$(seen_later "$T/else" "$T/real/a:b")" TOP
mapfile -t many < <(seq -f 'V%.0f=x' 3000)
long=$(printf 'L%.0s' $(seq 300))
printf 'version: 1\nname: vars\nfile_rules:\n- {name: no, paths: ["${LAST:-/nothing}/**", "${%s:-/nothing}/**"], decision: deny}\n- {name: all, paths: ["/**"], decision: allow}\n' "$long" >"$T/many.yaml"
decided() { env "${many[@]}" LAST=/etc/x "$long=/etc/y" "$A" policy explain --policy "$T/many.yaml" file read "$1" | sed -n 's/^decision: *//p'; }
check "one of 3,000 variables counts" is "$(decided /etc/x/f)" deny
check "and one with a long name" is "$(decided /etc/y/f)" deny
check "control: no other" is "$(decided /etc/z/f)" allow
the_end
