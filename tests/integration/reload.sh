#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Another policy for a session that runs: what it decides holds from one request to the next, also where the kernel had an answer of the
# old one's; a bad one changes nothing; each event's decision is that of the generation whose number it carries.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/net.sh
. "$here/tests/lib/net.sh"
# shellcheck source=tests/lib/check.sh
. "$here/tests/lib/check.sh"
W=$T/ws N=$T/net
mkdir -p "$W/dir" "$W/closed"
internet_up "$N" good.test=203.0.113.10 other.test=203.0.113.66 ask.test=203.0.113.20 || exit 1
child "$internet"
echo open >"$W/open"
echo secret >"$W/secret"
echo x >"$W/dir/x"
echo x >"$W/closed/x"
ln -s open "$W/link"
ln -s open "$W/text"
head -c 200000 /dev/zero >"$W/large"
policy() { # NAME CLOSED-FILES PROGRAMS HOST [MORE-FILE-RULES]: closes these, lets that host alone be reached
	cat >"$T/$1.yaml" <<-P
	version: 1
	name: $1
	file_rules:
	  - {name: $1-closed, paths: [$2], decision: deny}
	  - {name: $1-ask, paths: [/workspace/held], operations: [create], decision: approve, timeout: 60s}
	  ${5-}
	  - {name: $1-files, paths: ["/**"], decision: allow}
	command_rules:
	  - {name: $1-no, commands: [$3], decision: deny, message: "not under $1"}
	  - {name: $1-ask-run, commands: [arch], decision: approve, timeout: 60s}
	  - {name: $1-run, decision: allow}
	network_rules:
	  - {name: $1-net, domains: [$4], ports: [7, 80], decision: allow}
	  - {name: $1-ask-net, domains: [ask.test], ports: [80], decision: approve, timeout: 60s}
	P
}
policy a '/workspace/secret, /workspace/phantom, /workspace/closed, "/workspace/closed/**"' id good.test
policy b '/workspace/open, /workspace/ghost, /workspace/link, /workspace/large, /workspace/dir, "/workspace/dir/**"' uname other.test '- {name: b-text, paths: [/workspace/text], operations: [readlink], decision: deny}'
cat >"$W/probe.py" <<'P'
# Answers "OPERATION NAME" lines with ok or an errno; meanwhile a thread keeps the kernel's answers fresh.
import errno, os, sys, threading, time
held = {}
def warm():
    while True:
        for n in ("open", "secret", "ghost", "phantom", "link", "text", "dir", "dir/x", "closed", "closed/x"):
            for f in (os.lstat, os.stat, os.readlink):
                try: f(n)
                except OSError: pass
        time.sleep(0.005)
threading.Thread(target=warm, daemon=True).start()
def do(op, n):
    if op == "stat": os.lstat(n)
    elif op == "read": open(n).read()
    elif op == "link": os.readlink(n)
    elif op == "list": os.listdir(n)
    elif op == "hold": held[n] = os.open(n, os.O_RDONLY)
    elif op == "held": os.pread(held[n], 10, 0)
    elif op == "at": os.close(os.open(n.split("/")[1], os.O_RDONLY, dir_fd=held[n.split("/")[0]]))
    elif op == "run": os.waitpid(os.posix_spawn(n, [n], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]), 0)
for line in sys.stdin:
    try:
        do(*line.split())
        print("ok", flush=True)
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
P
make_session() { # POLICY
	"$A" session create --workspace "$W" --policy "$1" 2>"$T/err" | jq -r .id
}
SID=$(make_session "$T/a.yaml")
STAYS=$(make_session "$T/a.yaml")
check "sessions are made" [ -n "${SID:+$STAYS}" ] || { cat "$T/err"; exit 1; }
X() { timeout 60 "$A" exec "$SID" -- "$@"; }
info() { "$A" session info "$SID" | jq -r ".$1"; }
to() { "$A" session update "$SID" --policy "$T/$1.yaml" "${@:2}" >"$T/out" 2>"$T/err"; }
coproc P { exec "$A" exec "$SID" -- python3 /workspace/probe.py 2>/dev/null; }
ask() {
	echo "$*" >&"${P[1]}"
	read -r -t 30 answer <&"${P[0]}"
	echo "$answer"
}
asks() { # WANTED OPERATION NAME
	check "$when: $2 $3" is "$(ask "$2" "$3")" "$1"
}
under_a() {
	asks ok read open
	asks EACCES read secret
	asks EACCES stat secret
	asks ok stat open
	asks ENOENT stat ghost
	asks EACCES stat phantom
	asks ok link link
	asks ok read link
	asks ok link text
	asks ok list dir
	asks ok stat dir/x
	asks EACCES list closed
	asks EACCES stat closed/x
	asks EACCES run /usr/bin/id
	asks ok run /usr/bin/uname
}
under_b() {
	asks EACCES read open
	asks ok read secret
	asks ok stat secret
	asks EACCES stat open
	asks EACCES stat ghost
	asks ENOENT stat phantom
	asks EACCES link link
	asks EACCES read link
	asks ok stat text
	asks EACCES link text
	asks EACCES list dir
	asks EACCES stat dir/x
	asks ok list closed
	asks ok stat closed/x
	asks ok run /usr/bin/id
	asks EACCES run /usr/bin/uname
}
when="control, generation 1"
under_a
asks ok hold dir
asks ok hold large
asks ok at dir/x
check "control: generation 1 is told" is "$(info generation) $(info policy)" "1 $T/a.yaml"
check "the policy is replaced" to b --json || cat "$T/err"
check "what came of it is told" is "$(jq -r '"\(.generation) \(.policy)"' "$T/out")" "2 $T/b.yaml"
check "by the session, too" is "$(info generation) $(info policy) $(info policy_hash)" "2 $T/b.yaml $(jq -r .policy_hash "$T/out")"
when="at once after the switch"
under_b
asks ok held large
asks EACCES read large
asks EACCES at dir/x
check "and back" to a
when="at once after the switch back"
under_a
asks ok at dir/x
asks ok read large

# Submitted programs, nested ones, names.
fetch() { X curl -sS --max-time 8 "http://$1/" 2>&1 | grep -c 'Example Domain'; }
X id >/dev/null 2>"$T/err"
check "control: a submitted program is denied" is "$? $(grep -c 'not under a' "$T/err")" "126 1"
check "control: a nested one, too" is "$(X sh -c 'sh -c "id -u; :" 2>/dev/null; uname; :')" Linux
check "control: the one name is reached" is "$(fetch good.test)" 1
check "control: the other is not" is "$(fetch other.test)" 0
python3 - "$SID" "$A" >"$T/stream" <<'P' &
import subprocess, sys
# A connection that was made under the old policy, and used under the new one.
code = "import socket, time\ns = socket.create_connection(('good.test', 7), 10)\ns.sendall(b'x'); print(s.recv(1).decode(), flush=True)\ntime.sleep(6)\ns.sendall(b'y'); print(s.recv(1).decode(), flush=True)"
subprocess.run([sys.argv[2], "exec", sys.argv[1], "--", "python3", "-c", code], stdout=sys.stdout, timeout=60)
P
stream=$!
soon grep -q x "$T/stream"
check "the policy is replaced" to b
check "a submitted program runs" is "$(X id -u)" 0
check "a nested one, too" is "$(X sh -c 'sh -c "id -u; :"; uname 2>/dev/null; :')" 0
check "the one name is reached no more" is "$(fetch good.test)" 0
check "nor is the address that it had" is "$(X python3 -c "
import socket
try: socket.create_connection(('198.18.0.2', 80), 3); print('reached')
except OSError: print('no')")" no
check "the other is" is "$(fetch other.test)" 1
wait $stream
check "a connection that was there goes on" is "$(tr '\n' ' ' <"$T/stream")" "x y "
check "a session that did not ask keeps its own" is \
	"$(timeout 60 "$A" exec "$STAYS" -- sh -c 'cat open secret; uname; id' 2>/dev/null | tr '\n' ' ') $("$A" session info "$STAYS" | jq .generation)" "open Linux  1"

# Bad ones.
unchanged() { # NAME PATTERN COMMAND...
	local before
	before=$(info 'generation, .policy_hash')
	"${@:3}" >"$T/out" 2>"$T/err"
	check "$1: refused" is "$? $(grep -cE "$2" "$T/err")" "1 1" || cat "$T/err"
	check "$1: nothing has changed" is "$(info 'generation, .policy_hash') $(ask read secret) $(ask read open)" "$before ok EACCES"
}
printf 'version: 1\nname: x\nfile_rules: [{name: a, paths: [/x], decision: maybe}]\n' >"$T/bad.yaml"
unchanged "a policy with an error" "policy $T/bad.yaml was refused" to bad
unchanged "a policy that is not there" 'nowhere.yaml' to nowhere
mkdir -p "$T/none"
policy plan '/workspace/open, /workspace/ghost, /opt/x' uname other.test
unchanged "another mount plan" "keeps policy .*/opt is open as a whole in this session and would be judged file by file: make a new session" to plan
policy ro /workspace/open uname other.test '- {name: ro, paths: ["/opt/**"], operations: [write, create, delete, rename, mkdir, chmod, chown, rmdir, link, symlink, mknod], decision: deny}'
unchanged "a tree that would be read-only" "/opt is open as a whole in this session" to ro
policy descent /workspace/open uname other.test '- {name: by, paths: [/workspace/new], processes: [npm], decision: deny}'
unchanged "labels that this session has not followed" "with processes or context depths name other programs .*make a new session" to descent
unchanged "from inside a session" 'inside a session' env AGENTSH_IN_SESSION=1 "$A" session update "$SID" --policy "$T/a.yaml"
unchanged "no policy named" 'usage: agentsh session update' "$A" session update "$SID"
# What vouches for policies, of another owner or writable by others.
config=$HOME/.config/agentsh/config.yaml
mkdir -p "$(dirname "$config")" "$T/trust" "$T/keys"
vouched() { "$A" policy compile "$T/a.yaml" >"$T/out" 2>&1 || { cat "$T/out"; false; }; }
"$A" policy manifest "$T/a.yaml" >"$T/manifest"
printf 'policies: {manifest_path: %s}\n' "$T/manifest" >"$config"
check "control: the manifest vouches for it" vouched
chmod 666 "$T/manifest"
unchanged "a manifest of a wrong mode" 'manifest may be written by others' to a
chmod 644 "$T/manifest" && chown 65534 "$T/manifest"
unchanged "a manifest of a wrong owner" 'manifest belongs to user 65534' to a
"$A" policy keygen --out "$T/keys" >/dev/null && "$A" policy sign --key "$T/keys/policy.key" "$T/a.yaml" >/dev/null
cp "$T/keys/policy.pub" "$T/trust"
printf 'policies: {signing: {mode: enforce, trust_store: %s}}\n' "$T/trust" >"$config"
check "control: the signature does" vouched
chmod 777 "$T/trust"
unchanged "a trust store of a wrong mode" 'trust may be written by others' to a
chmod 755 "$T/trust" && chown 65534 "$T/trust/policy.pub"
unchanged "a key of a wrong owner" 'policy.pub belongs to user 65534' to a
chown 0 "$T/trust/policy.pub" && chmod 666 "$config"
unchanged "a configuration of a wrong mode" 'config.yaml may be written by others' to a
rm "$config"
X "$A" session update "$SID" --policy "$T/a.yaml" >/dev/null 2>&1
check "really from inside: refused" test $? -ne 0
check "and nothing has changed" is "$(info generation)" 4
(cd "$W" && "$A" policy compile "$T/a.yaml" && "$A" policy compile "$T/b.yaml") >/dev/null 2>&1
python3 "$top/tests/integration/reload.py" "$T/run" "$SID" "$T/data/policy/a.mdb" damage || failed=1
when="after what was damaged"
under_b
python3 "$top/tests/integration/reload.py" "$T/run" "$SID" "$T/data/policy/a.mdb" "$T/data/policy/b.mdb" || failed=1
when="after all that, generation 5"
under_a
chmod 755 "$T" "$T/run"
chmod 666 "$T/run"/*.sock
cp "$A" "$T/agentsh"
chmod 755 "$T/agentsh"
"$(command -v setpriv)" --reuid 65534 --regid 65534 --clear-groups -- "$T/agentsh" session update "$SID" --policy default 2>"$T/err"
check "another user's session: refused" is "$? $(grep -c 'belongs to another user' "$T/err")" "1 1" || cat "$T/err"

# What waits for a person is ended: nobody answers for a policy that is gone.
"$A" approve watch </dev/null >"$T/watch" 2>&1 &
watch=$!
child $watch
sleep 0.5
pending() { [ "$("$A" approve list | jq length)" = "$1" ]; }
X arch 2>"$T/err" &
one=$!
X sh -c '/usr/bin/arch 2>/dev/null; echo $? >/workspace/nested' &
two=$!
X sh -c 'touch held 2>/dev/null; echo $? >/workspace/touched' &
three=$!
X sh -c 'curl -4 -sS --max-time 50 http://ask.test/ 2>&1; echo $?' >"$T/fetched" 2>/dev/null &
four=$!
check "control: four are held" soon pending 4
check "the policy is replaced" to b
wait $one
check "a held command ends denied" is "$? $(grep -c "the session's policy was replaced" "$T/err")" "126 1"
wait $two $three $four
check "a nested one, too" is "$(cat "$W/nested")" 126
check "and a file" is "$(cat "$W/touched") $(ls "$W/held" 2>/dev/null)" "1 "
check "and a connection" is "$(tail -n 1 "$T/fetched")" 7
check "all by the policy that was asked" is "$(jq -r 'select(.type == "approval_resolved") | "\(.policy.effective_decision) \(.policy.generation)"' \
	"$T/data/sessions/$SID"/*.jsonl | sort | uniq -c | tr -s ' ')" " 4 deny 5"
kill $watch

# Trees beside the workspace, and the mounts that stand in them.
etc() { # NAME RULES
	printf 'version: 1\nname: %s\ncommand_rules: [{name: all, decision: allow}]\nfile_rules:\n%s\n  - {name: all, paths: ["/workspace/**", /workspace], decision: allow}\n' "$1" \
		"$2" >"$T/$1.yaml"
}
etc e1 '  - {name: no, paths: [/etc/shadow, /etc/group], decision: deny}'
etc e2 '  - {name: no, paths: [/etc/shadow, /etc/passwd], decision: deny}'
etc e3 '  - {name: no, paths: [/etc/shadow, /etc/ld.so.cache], operations: [read], decision: deny}'
etc e4 '  - {name: no, paths: [/etc/shadow, /etc/resolv.conf], decision: deny}'
OLD=$SID
# Labels of processes that run mean the same under the next policy, or it is refused.
policy l1 /workspace/open uname other.test '- {name: by, paths: [/workspace/new], processes: [bash, dash], decision: deny}'
policy l2 /workspace/secret uname other.test '- {name: by, paths: [/workspace/other], processes: [bash, dash], decision: deny}'
policy l3 /workspace/open uname other.test '- {name: by, paths: [/workspace/new], processes: [dash, bash], decision: deny}'
SID=$(make_session "$T/l1.yaml")
touched() { X sh -c 'for f in new other; do touch $f 2>/dev/null && echo $f; rm -f $f; done' 2>/dev/null | tr '\n' ' '; }
check "control: a shell's children are told apart" is "$(touched)" "other "
for p in l3 b; do
	to $p
	check "other labels: refused ($p)" is "$? $(grep -c 'name other programs than this session' "$T/err")" "1 1" || cat "$T/err"
done
check "the same labels are kept" to l2 || cat "$T/err"
check "and judged by the new rules" is "$(touched)" "new "
"$A" session destroy "$SID" >/dev/null
SID=$(make_session "$T/e1.yaml")
can() { X sh -c 'for f in group passwd resolv.conf; do cat /etc/$f >/dev/null 2>&1 && echo $f; done' | tr '\n' ' '; }
check "control: a governed tree beside the workspace" is "$(can)" "passwd resolv.conf "
check "the policy is replaced" to e2 || cat "$T/err"
check "its files are judged anew" is "$(can)" "group resolv.conf "
for p in e3:/etc/ld.so.cache e4:/etc/resolv.conf; do
	to "${p%:*}"
	check "what stands on ${p#*:} forbids it" is "$? $(grep -c "${p#*:} .*make a new session" "$T/err")" "1 1" || cat "$T/err"
done
check "and nothing has changed" is "$(can) $(info generation)" "group resolv.conf  2"
"$A" session destroy "$SID" >/dev/null
SID=$OLD

# The storm.
"$A" session destroy "$STAYS" >/dev/null
from=$(info generation)
cat >"$W/storm.py" <<'P'
import os, socket, subprocess, sys
leased = {}
def connect(name):
    try: leased[name] = leased.get(name) or socket.getaddrinfo(name, 7, socket.AF_INET)[0][4]
    except OSError: return
    s = socket.socket()
    s.settimeout(5)
    try: s.connect(leased[name]); s.sendall(b"x"); s.recv(1)
    except OSError: pass
    s.close()
    try: socket.getaddrinfo(name, 7, socket.AF_INET)
    except OSError: pass
def read(name):
    try: open(name).read()
    except OSError: pass
def run(name):
    try: os.waitpid(os.posix_spawn(name, [name], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]), 0)
    except OSError: pass
which, until = sys.argv[1], "/workspace/stop"
while not os.path.exists(until):
    for k in range(20):
        if which == "open": [read(n) for n in ("open", "secret", "link", "ghost", "phantom", "dir/x", "closed/x")]
        elif which == "exec": [run(n) for n in ("/usr/bin/id", "/usr/bin/uname")]
        elif which == "net": [connect(n) for n in ("good.test", "other.test")]
        elif which == "all": read("secret"); run("/usr/bin/id"); connect("good.test"); read("open")
        if os.path.exists(until): break
P
rm -f "$W/stop"
storm=''
for k in open exec net all; do
	timeout 300 "$A" exec "$SID" --events none -- python3 /workspace/storm.py $k >/dev/null 2>&1 &
	storm="$storm $!"
done
sleep 1
switched=0
for k in $(seq 25); do
	for p in a b; do
		to $p --no-wait && switched=$((switched + 1))
		sleep 0.1
	done
done
touch "$W/stop"
# shellcheck disable=SC2086
wait $storm
check "50 switches in a storm" is "$switched $(info generation)" "50 $((from + 50))"
python3 - "$T" "$W" "$T/data/sessions/$SID" "$from" >"$T/storm.counts" <<'P'
# Every decision of the storm as a case of the policy that its number says: odd numbers are a, even ones b.
import json, os, shlex, sys
T, W, D, start = *sys.argv[1:4], int(sys.argv[4])
cases, counts, other = {"a": set(), "b": set()}, {}, []
for f in sorted(os.listdir(D)):
    if not f.startswith("events-"): continue
    for line in open(D + "/" + f, errors="replace"):
        e = json.loads(line)
        p = e.get("policy")
        if not p: continue
        g = p.get("generation")
        if not g:
            other.append(line)
            continue
        if g <= start: continue
        which = "a" if g % 2 else "b"
        path = e.get("path", "").replace(W, "/workspace")
        t = e["type"]
        if t == "execve": what = "exec %s=%s" % (e["raw_filename"], e["filename"]) + "".join(" " + shlex.quote(a) for a in e["argv"][1:])
        elif t.startswith(("file_", "dir_")): what = "file %s %s" % (e["operation"], shlex.quote(path))
        elif t == "net_connect" and "reason" not in e: what = "net %s:%d" % (e.get("domain") or e["remote_addr"], e["remote_port"])
        elif t == "dns_query": what = "dns " + e["domain"]
        else:
            other.append(line)
            continue
        # The start of an interpreter by name and file alike; rules of the policies differ in every decision that is asked for.
        cases[which].add("%s -> %s %s" % (what, p["decision"], p["rule"]))
        counts[(t.split("_")[0], which, p["effective_decision"])] = counts.get((t.split("_")[0], which, p["effective_decision"]), 0) + 1
for k in cases: open("%s/storm-%s.cases" % (T, k), "w").write("".join(c + "\n" for c in sorted(cases[k])))
open(T + "/storm.other", "w").writelines(other)
for k in sorted(counts): print(*k, counts[k])
P
cat "$T/storm.counts"
for k in file execve net dns; do
	for p in a b; do
		for d in allow deny; do check "control: the storm met $k $d under $p" grep -q "^$k $p $d" "$T/storm.counts"; done
	done
done
check "every decision of it has a number and a case" is "$(head -c 2000 "$T/storm.other")" ""
for p in a b; do
	check "each decision is that of its generation's policy: $p" "$A" policy test --policy "$T/$p.yaml" "$T/storm-$p.cases"
	check "control: the other policy decides otherwise" is "$("$A" policy test --policy "$T/$([ $p = a ] && echo b || echo a).yaml" "$T/storm-$p.cases" >/dev/null 2>&1; echo $?)" 1
done
check "the records are whole" is "$(cat "$T/data/sessions/$SID"/events-*.jsonl | jq -c 'select(.type == "gap")' | head -3)" ""

# A daemon that stops between, and one that dies.
worker() { # pid of the session's worker of that daemon
	for p in $(pgrep -f -- "--worker $SID"); do [ "$(readlink "/proc/$p/exe")" = "$bin/agentsh-$1" ] && echo "$p" && break; done
}
mkfifo "$T/go"
begin() { # NEXT: prepared everywhere; committed commits it
	timeout 60 python3 "$top/tests/integration/reload.py" "$T/run" "$SID" "$T/data/policy/$1.mdb" commit <"$T/go" >"$T/committed" &
	client=$!
	exec 8>"$T/go"
	soon grep -q prepared "$T/committed"
}
committed() { # [PID to kill]: the answer
	echo >&8
	sleep 0.2
	[ -z "${1-}" ] || kill -9 "$1"
	wait "$client"
	exec 8>&-
	answer=$(tail -n 1 "$T/committed")
}
before=$(info generation)
check "prepared everywhere" begin a
fsd=$(worker fsd)
kill -STOP "$fsd"
committed
kill -CONT "$fsd"
check "a daemon that does not answer: refused" grep -q 'did not answer in time' <<<"$answer"
check "all go on by the old one" is "$(info generation) $(ask read secret)" "$before ok"
check "and by the next when it answers" to a
when="afterwards"
asks EACCES read secret
check "prepared everywhere" begin b
netd=$(worker netd)
kill -STOP "$netd"
committed "$netd"
gone() { "$A" session info "$SID" 2>&1 | grep -q 'has ended: its netd worker died'; }
check "a daemon that dies between: the session ends, and says so" soon gone
check "and nobody was told that it worked" grep -q closed <<<"$answer"
the_end
