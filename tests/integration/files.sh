#!/usr/bin/env bash
# The governed file system, from outside: content, passthrough, set-id bits, approvals, the end. Each refusal has a control.
# Prints "ok NAME" / "not ok NAME" per check; exit 1 if any failed.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W/ask" "$W/secret"
gcc -O1 -o "$W/fileops" "$top/tests/integration/fileops.c" || exit 1
cat >"$T/p.yaml" <<'P'
version: 1
name: test
file_rules:
  - {name: sys, paths: ["/usr/**", "/bin/**", "/lib/**", "/lib64/**", "/sbin/**"], operations: [read, open, stat, list, readlink, access], decision: allow}
  - {name: tmp, paths: ["/tmp", "/tmp/**"], decision: allow}
  - {name: secret, paths: ["**/secret/**"], operations: [read, open, write, create, delete, link], decision: deny, message: "closed"}
  - {name: ask, paths: ["/workspace/ask/**"], operations: [read, open, write, create, mkdir, delete, chmod, rename], decision: approve, timeout: 20s, message: "{{.Operation}} {{.Path}}?"}
  - {name: ask-gone, paths: ["/workspace/late/**"], operations: [read, open], decision: approve, timeout: 500ms}
  - {name: ws, paths: ["/workspace", "/workspace/**"], decision: allow}
command_rules:
  - {name: all, decision: allow}
P
# Few descriptors: fsd must do with less than it knows files.
SID=$(ulimit -n 800 && "$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err" "$T/run/server.log"; exit 1; }
X() { timeout 120 "$A" exec "$SID" -- "$@"; }
worker() { pgrep -P "$(pgrep -P "$(cat "$T/run/server.pid")" -x agentsh-fsd)"; }

# Content: made by write, append, truncate, shared mapping and O_DIRECT on one side, read on the other, at sizes around the thresholds.
for n in 1 4096 65535 65536 65537 1048576 3333333; do
	check "made inside, read outside: $n bytes" X /workspace/fileops fill "/workspace/in.$n" "$n"
	check "the same content: $n bytes" "$W/fileops" same "$W/in.$n" "$n"
	check "made outside, read inside: $n bytes" "$W/fileops" fill "$W/out.$n" "$n"
	check "the same content, seen inside: $n bytes" X /workspace/fileops same "/workspace/out.$n" "$n"
	check "made again over an old file: $n bytes" X /workspace/fileops fill "/workspace/out.$n" "$n"
	check "the same content again: $n bytes" "$W/fileops" same "$W/out.$n" "$n"
done
head -c 2000000 /dev/urandom >"$W/big"
X cp /workspace/big /workspace/copy
check "a copy is a copy" cmp -s "$W/big" "$W/copy"
X sh -c 'truncate -s 70000 /workspace/copy && printf x >>/workspace/copy'
check "truncated and appended to" is "$(stat -c %s "$W/copy")" 70001
cp /bin/echo "$W/tool"
check "a program of the workspace runs" is "$(X /workspace/tool works)" works

# What the host changes is seen, the size and the second being the same; what is open and changed by a rename too.
echo one >"$W/note"
check "control: the first content" is "$(X cat /workspace/note)" one
X cat /workspace/note >/dev/null
printf two >"$W/note"
sleep 1.1
check "the host's change is seen" is "$(X cat /workspace/note)" two
X sh -c 'ls /workspace/new; ls /workspace' >/dev/null 2>&1
echo new >"$W/new"
sleep 1.1
check "the host's new file is seen" is "$(X sh -c 'cat /workspace/new; ls /workspace | grep -cx new' | tr '\n' ' ')" "new 1 "
X ls /workspace/raced >/dev/null 2>&1
X sh -c 'ls /workspace/raced; read x; echo more >>/workspace/raced' 2>/dev/null < <(sleep 0.3; echo host >"$W/raced"; echo go)
check "a file that the host made first is not an error" is "$(tr '\n' ' ' <"$W/raced")" "host more "

# More files than descriptors.
mkdir "$W/many"
(cd "$W/many" && for d in $(seq 30); do mkdir "d$d" && for f in $(seq 50); do echo "$d" >"d$d/f$f"; done; done)
check "1500 files below 800 descriptors: sizes" is "$(X find /workspace/many -size -2 -type f | wc -l)" 1500
check "and content" is "$(X cat -- /workspace/many/d{1..30}/f{1..50} | sort | uniq -c | awk '$1 == 50' | wc -l)" 30
X sh -c 'mv /workspace/many/d1/f1 /workspace/many/d2/g && mv /workspace/many/d3 /workspace/many/e3 && cd /workspace/many/e3 && find /workspace/many -size +9 && cat f7 ../d2/g && rm -r /workspace/many/d4' >"$T/got" 2>&1
check "and after moves" is "$(tr '\n' ' ' <"$T/got") $(find "$W/many" -mindepth 1 -maxdepth 1 | wc -l)" "3 1  29"

# Passthrough: with fsd's worker stopped, an open file of 2 MB is still read, and one of 6 bytes is not. Nobody has read them before.
echo small >"$W/small"
cp "$W/big" "$W/passed"
echo TOPSECRET >"$W/secret/a"
cat >"$W/hold.py" <<'P'
import os, sys
b = os.open("/workspace/passed", os.O_RDONLY); s = os.open("/workspace/small", os.O_RDONLY)
try: os.open("/workspace/secret/a", os.O_RDONLY); print("secret open", flush=True)
except PermissionError: print("secret closed", flush=True)
sys.stdin.readline(); print("big", len(os.pread(b, 1000000, 500000)), flush=True)
print("small", len(os.pread(s, 10, 0)), flush=True)
P
mkfifo "$T/in"
X python3 /workspace/hold.py <"$T/in" >"$T/out" 2>&1 &
job=$!
exec 9>"$T/in"
soon grep -qs secret "$T/out"
fsd=$(worker)
kill -STOP "$fsd"
echo go >&9
check "passed through: data comes without fsd" soon grep -qx 'big 1000000' "$T/out"
sleep 0.2
check "control: a small file's does not" is "$(grep -c small "$T/out")" 0
kill -CONT "$fsd"
check "and does when fsd goes on" soon grep -qx 'small 6' "$T/out"
exec 9>&-
wait "$job"
check "a closed file stayed closed meanwhile" is "$(head -1 "$T/out")" "secret closed"

# Set-id bits and file capabilities.
for what in 'cat /workspace/prog' 'echo x >>/workspace/prog' 'truncate -s 100 /workspace/prog' 'chown 0:0 /workspace/prog' 'cp /workspace/big /workspace/prog'; do
	cp /bin/true "$W/prog"
	chmod 6755 "$W/prog"
	setcap cap_net_raw+ep "$W/prog" && X sh -c "$what" >/dev/null 2>&1
	case $what in
	cat*) check "control: they stay after: $what" is "$(stat -c %a "$W/prog") $(getcap "$W/prog" | wc -l)" "6755 1" ;;
	*) check "gone after: $what" is "$(stat -c %a "$W/prog") $(getcap "$W/prog" | wc -l)" "755 0" ;;
	esac
done
X sh -c 'cp /bin/true /workspace/own; chmod 6755 /workspace/own' 2>/dev/null
check "none are made inside" is "$(stat -c %a "$W/own")" 755
check "attributes: a user's are served, the system's refused cleanly" is "$(X python3 -c '
import os
for name in "user.x", "trusted.x", "security.x", "system.x":
    try:
        os.setxattr("/workspace/own", name, b"1")
        print("ok")
    except OSError as e: print(e.errno)' | tr '\n' ' ')" "ok 1 1 95 "
ln -s nowhere "$W/link"
X touch -h -d 2001-01-01 /workspace/link
check "times of a link are the link's" is "$(stat -c %y "$W/link" | cut -c1-4) $(test -e "$W/nowhere" || echo none)" "2001 none"

# Approvals.
echo CONTENT >"$W/ask/a"
cp "$W/ask/a" "$W/ask/b"
cp /bin/echo "$W/ask/tool"
pending() { "$A" approve list | jq -r --arg t "$1" '[.[] | select(.target | endswith($t)) | .id][0] // empty'; }
asked() { [ -n "$(pending "$1")" ]; }
quiet() { ! asked "$1"; }
check "with nobody there: refused" is "$(X cat /workspace/ask/a 2>&1 | grep -c 'Permission denied')" 1
"$A" approve watch </dev/null >"$T/watch" 2>&1 &
child $!
sleep 0.7
held() { X "$@" >"$T/got" 2>&1 & job=$!; }
held cat /workspace/ask/a
check "held: the question is listed" soon asked ask/a
check "held: others go on" is "$(X sh -c 'cat /workspace/small; touch /workspace/other; ls /workspace/ask | wc -l' | tr '\n' ' ')" "small 3 "
check "held: nothing came yet" is "$(cat "$T/got")" ""
"$A" approve resolve "$(pending ask/a)" --allow >/dev/null
wait "$job"
check "allowed: the content" is "$(cat "$T/got")" CONTENT
held cat /workspace/ask/a
soon asked ask/a
"$A" approve resolve "$(pending ask/a)" --deny >/dev/null
wait "$job"
check "denied: no content" is "$(grep -c 'Permission denied' "$T/got") $(grep -c CONTENT "$T/got")" "1 0"
held sh -c 'echo over >/workspace/ask/b'
soon asked ask/b
check "held: not truncated yet" is "$(cat "$W/ask/b")" CONTENT
"$A" approve resolve "$(pending ask/b)" --allow >/dev/null
wait "$job"
check "one answer opens and truncates" is "$(cat "$W/ask/b")" over
held rm /workspace/ask/b
soon asked ask/b
check "held: not removed yet" test -e "$W/ask/b"
"$A" approve resolve "$(pending ask/b)" --allow >/dev/null
wait "$job"
check "allowed: removed" test ! -e "$W/ask/b"
held mv /workspace/ask/a /workspace/ask/c
for name in ask/a ask/c; do
	soon asked $name
	"$A" approve resolve "$(pending $name)" --allow >/dev/null
done
wait "$job"
check "a move asks for both names" is "$(ls "$W/ask")" "c
tool"
held sh -c 'cat /workspace/ask/c & p=$!; until [ -e /workspace/go ]; do sleep 0.05; done; kill -9 $p; wait $p; echo $?'
check "control: it was asked" soon asked ask/c
touch "$W/go"
wait "$job"
check "killed: it dies at once" is "$(tail -1 "$T/got")" 137
check "killed: the question is gone" quiet ask/c
held /workspace/ask/tool ran
check "a program: asked" soon asked ask/tool
"$A" approve resolve "$(pending ask/tool)" --allow >/dev/null
wait "$job"
check "a program: runs when allowed" is "$(cat "$T/got")" ran
mkdir -p "$W/late"
echo CONTENT >"$W/late/x"
check "no answer in time: refused" is "$(X cat /workspace/late/x 2>&1 | grep -c 'Permission denied')" 1
S2=$("$A" session create --workspace "$W" --policy "$T/p.yaml" | jq -r .id)
sleep 0.7
timeout 30 "$A" exec "$S2" -- cat /workspace/ask/c >"$T/got" 2>&1 &
job=$!
check "in a second session: asked" soon asked ask/c
timeout 5 "$A" session destroy "$S2" >/dev/null
check "a session ends with a question open" is $? 0
wait "$job"
check "and its content stayed closed" is "$(grep -c CONTENT "$T/got")" 0

# Death of the worker with a passed-through file open.
X sh -c 'exec 3</workspace/big; sleep 77011' 2>/dev/null &
job=$!
soon pgrep -f '^sleep 7701[1]' >/dev/null
kill -9 "$(worker)"
soon sh -c "! pgrep -f '^sleep 7701[1]' >/dev/null"
check "kill -9 of the worker ends what has files open" is "$(pgrep -fc '^sleep 7701[1]')" 0
wait "$job" 2>/dev/null
the_end
