#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules with processes, asked from outside: what runs below a program may do what its parent may not, and the other way round, by whatever way
# it came to be there; nothing beside it does, and nothing of the session's own making passes for it.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/net.sh
. "$here/tests/lib/net.sh"
# shellcheck source=tests/lib/check.sh
. "$here/tests/lib/check.sh"
W=$T/ws N=$T/net L=/usr/local/lib/agentsh-lineage-$$
mkdir -p "$W"/{out,shut,base,hidden,bin,own,secret} "$L"
trap 'rm -rf "$L"; cleanup' EXIT
internet_up "$N" good.test=203.0.113.10 other.test=203.0.113.66 || exit 1
child "$internet"
cp /bin/dash "$L/npm"
cp /bin/dash "$L/tool"
printf '#!/bin/sh\nexec "$@"\n' | tee "$L/script" "$W/own/script" >/dev/null
chmod +x "$L/script" "$W/own/script"
cp /bin/dash "$W/own/npm"
ln -s "$L/npm" "$W/own/linked"
ln -s "$L/script" "$W/own/linkedscript"
ln -s "$L/script" "$W/bin/linkedscript"
ln -s /bin/dash "$W/own/yarn"
cp "$top/tests/integration/lineage.py" "$W/bin/"
echo WORD | tee "$W/shut/f" "$W/secret/f" >"$W/hidden/f"
cp /bin/bash "$L/bash"
for name in own/rd.sh own/other.sh bin/head bin/middle; do printf '#!/bin/sh\ntac /workspace/secret/f\n' >"$W/$name"; done
printf '#!/workspace/bin/head\n' >"$W/own/by-head"
printf '#!/workspace/bin/middle\n' >"$W/own/by-middle"
echo 'read -r x </workspace/hidden/f; echo "$x"' >"$W/own/first.sh"
chmod +x "$W"/own/{rd.sh,other.sh,by-head,by-middle} "$W"/bin/{head,middle}
ln -s rd.sh "$W/own/linked.sh"
loader=$(readelf -p .interp /bin/dash | grep -o '/[^ ]*')
cat >"$T/p.yaml" <<P
version: 1
name: lineage
file_rules:
  - {name: npm-writes, paths: ["/workspace/out/**"], processes: ["$L/npm", "$L/script"], decision: allow}
  - {name: base-writes, paths: ["/workspace/base/**"], processes: [npm, yarn], decision: allow}
  - {name: tool-never, paths: ["/workspace/shut/**"], processes: ["$L/tool"], decision: deny}
  - {name: npm-sees, paths: ["/workspace/hidden/**"], processes: ["$L/npm", "$L/bash"], decision: allow}
  - {name: hides, paths: ["/workspace/hidden/**"], operations: [stat, read, open], decision: deny}
  - {name: own, paths: ["/workspace/own/**"], decision: allow}
  - {name: shut, paths: ["/workspace/shut/**"], decision: allow}
  - {name: not-these, paths: ["/workspace/secret/**"], processes: [cat, head, /workspace/own/rd.sh], decision: deny}
  - {name: secret, paths: ["/workspace/secret/**"], decision: allow}
network_rules:
  - {name: npm-net, domains: [good.test], processes: ["$L/npm"], decision: allow}
  - {name: tool-net, domains: [other.test], processes: ["$L/tool"], decision: deny}
  - {name: other, domains: [other.test], decision: allow}
command_rules:
  - {name: by-npm, commands: [uname], processes: ["$L/npm"], decision: allow}
  - {name: no-uname, commands: [uname], decision: deny}
  - {name: near, commands: [id], context: {max_depth: 2}, decision: allow}
  - {name: far, commands: [id], decision: deny}
  - {name: submitted, commands: [whoami], context: [direct], decision: allow}
  - {name: below, commands: [whoami], decision: deny}
  - {name: all, decision: allow}
P
new() { SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id); }
new
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
check "without a warning" is "$(grep -c warning: "$T/err")" 0
X() { timeout 60 "$A" exec "$SID" -- "$@" 2>/dev/null; }
made() { # DIR: "yes" if the file came to be, for the next one to be made anew
	[ -e "$W/$1/made" ] && echo yes || echo no
	rm -f "$W/$1/made"
}
# writes DIR COMMAND...: "yes" if a shell that COMMAND runs makes a file in that directory of the workspace
writes() {
	X "${@:2}" sh -c "echo x >/workspace/$1/made; :" >/dev/null
	made "$1"
}
# The same for what a shell of that name is told to do.
told() {
	X "${@:2}" "echo x >/workspace/$1/made; :" >/dev/null
	made "$1"
}

# Files: allowed below it.
check "control: a shell may not" is "$(writes out)" no
check "the program itself may" is "$(told out "$L/npm" -c)" yes
check "what it runs may" is "$(told out "$L/npm" -c 'sh -c "$0"')" yes
check "and what that runs" is "$(told out "$L/npm" -c 'sh -c "sh -c \"\$0\"" "$0"')" yes
check "below a shell, too" is "$(told out sh -c "$L/npm -c \"\$0\"; :")" yes
check "by an exec without a fork" is "$(told out sh -c "exec $L/npm -c \"\$0\"")" yes
for way in double vfork thread exec; do
	check "it keeps it: $way" is "$(told out "$L/npm" -c "python3 /workspace/bin/lineage.py $way /bin/sh -c \"\$0\"; :")" yes
	check "it gets it: $way" is "$(told out python3 /workspace/bin/lineage.py $way "$L/npm" -c)" yes
	check "control: without it nothing: $way" is "$(told out python3 /workspace/bin/lineage.py $way /bin/sh -c)" no
done
X "$L/npm" -c '(sh -c "sleep 0.3; echo x >/workspace/out/made; sleep 0.3" &); exit 0' >/dev/null &
soon test -e "$W/out/made"
check "and after its parent is gone" is "$(made out)" yes
wait $!
check "beside it nobody may" is "$(told out sh -c "$L/npm -c 'sleep 1' & sleep 0.2; eval \"\$0\"")" no
check "nor who runs it, afterwards" is "$(told out sh -c "$L/npm -c :; eval \"\$0\"")" no
X "$L/npm" -c 'sleep 1; :' >/dev/null &
soon pgrep -xf 'sleep 1' >/dev/null
check "nor another command at the same time" is "$(writes out)" no
wait $!
check "a script by its own path" is "$(writes out "$L/script")" yes

# Names of the session's own making.
check "a program of that name in the workspace gains nothing by an entry with a path" is "$(told out /workspace/own/npm -c)" no
check "nor a script" is "$(writes out /workspace/own/script)" no
check "a link to the program is the program" is "$(told out /workspace/own/linked -c)" yes
check "a script behind a link that could be changed is not" is "$(writes out /workspace/own/linkedscript)" no
check "control: it is behind one that could not" is "$(writes out /workspace/bin/linkedscript)" yes
check "an entry of a base name is any program of that name" is "$(told base /workspace/own/npm -c)" yes
check "but no link to another" is "$(told base /workspace/own/yarn -c)" no
check "nor what argv[0] says" is "$(told out python3 -c "import os, sys; os.execv('/bin/sh', ['$L/npm', '-c', sys.argv[1]])")" no
check "nor a name written over the process" is "$(told out python3 -c "
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, b'npm')
os.system(sys.argv[1])")" no
# A link that changes all the time between the program and another that writes where only the program may.
cat >"$T/evil.c" <<'P'
#include <fcntl.h>
#include <unistd.h>
int main(void) { return write(open("/workspace/out/evil", O_WRONLY | O_CREAT, 0666), "x", 1) != 1; }
P
gcc -O1 -o "$W/own/evil" "$T/evil.c"
printf '#!/bin/sh\necho x >/workspace/out/evil\n' >"$W/own/evilscript"
chmod +x "$W/own/evilscript"
cat >"$W/bin/race.py" <<'P'
import os, subprocess, sys, time
os.chdir("/workspace/own")
end = time.time() + 3
if os.fork() == 0:
    while time.time() < end:
        for to in sys.argv[1:]:
            os.symlink(to, "next")
            os.rename("next", "raced")
            for _ in range(1000): pass
    os._exit(0)
n = 0
while time.time() < end:
    try: n += subprocess.run(["./raced", "-c", "echo x >>/workspace/out/made"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError: pass
os.wait()
P
X python3 /workspace/bin/race.py "$L/npm" evil
check "a raced link gives another program nothing" test ! -e "$W/out/evil"
check "control: the right one ran" is "$(made out)" yes
X python3 /workspace/bin/race.py "$L/script" evilscript
X python3 /workspace/bin/race.py "$L/script" evil
check "nor another script, nor a program for a script" test ! -e "$W/out/evil"
check "control: with the right, it writes" is "$(X "$L/script" /workspace/own/evil; [ -e "$W/out/evil" ] && echo yes)" yes
cgroups() { X "$L/npm" -c 'grep -l . /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; ls -d /sys/fs/cgroup/*/agentsh-* /sys/fs/cgroup/agentsh-*'; }
check "the tree that says so is out of reach" is "$(cgroups)" ""
check "control: outside it is there" test "$(find /sys/fs/cgroup -maxdepth 2 -name "agentsh-$SID" | wc -l)" = 1

# Files: denied below it.
check "control: a shell may" is "$(X sh -c 'cat /workspace/shut/f; :')" WORD
check "the program may not" is "$(X "$L/tool" -c 'read x </workspace/shut/f; echo $x')" ""
check "nor what it runs" is "$(X "$L/tool" -c 'cat /workspace/shut/f; :')" ""
for way in double vfork thread exec; do
	check "nor by $way" is "$(X "$L/tool" -c "python3 /workspace/bin/lineage.py $way /bin/cat /workspace/shut/f; :")" ""
	check "control: beside it: $way" is "$(X python3 /workspace/bin/lineage.py $way /bin/cat /workspace/shut/f)" WORD
done
check "nor below a program that another rule allows" is "$(X "$L/tool" -c "$L/npm -c 'cat /workspace/shut/f; :'; :")" ""

# Denied, by whatever it is called: what cannot be trusted to allow counts where it denies.
f=/workspace/secret/f
check "control: another program may" is "$(X /usr/bin/tac $f)" WORD
check "one that is named may not" is "$(X /usr/bin/cat $f)" ""
check "nor when the loader is told to load it" is "$(X "$loader" /usr/bin/cat $f)" ""
check "control: the loader may load another" is "$(X "$loader" /usr/bin/tac $f)" WORD
check "nor by a link to the loader" is "$(X sh -c "ln -sf $loader /workspace/own/loader; /workspace/own/loader /usr/bin/cat $f")" ""
check "control: by it another" is "$(X /workspace/own/loader /usr/bin/tac $f)" WORD
check "nor by a link that the loader is given" is "$(X sh -c "ln -sf /usr/bin/cat /workspace/own/x; $loader /workspace/own/x $f")" ""
check "nor as a program of many" is "$(X busybox cat $f)" ""
check "control: it is another, too" is "$(X busybox tac $f)" WORD
check "nor when that is asked for twice" is "$(X busybox busybox cat $f)" ""
check "control: another" is "$(X busybox busybox tac $f)" WORD
check "nor when that is loaded" is "$(X "$loader" /usr/bin/busybox cat $f)" ""
check "control: another" is "$(X "$loader" /usr/bin/busybox tac $f)" WORD
check "nor by what the loader gives as argv[0]" is "$(X "$loader" --argv0 cat /usr/bin/busybox $f)" ""
check "control: another" is "$(X "$loader" --argv0 tac /usr/bin/busybox $f)" WORD
check "nor by argv[0]" is "$(X bash -c "true; exec -a cat /usr/bin/busybox $f")" ""
check "control: another" is "$(X bash -c "true; exec -a tac /usr/bin/busybox $f")" WORD
check "nor by a link that it made" is "$(X sh -c "ln -sf /usr/bin/busybox /workspace/own/cat; /workspace/own/cat $f")" ""
check "control: another" is "$(X sh -c "ln -sf /usr/bin/busybox /workspace/own/tac; /workspace/own/tac $f")" WORD
check "nor what a script runs, named by its path" is "$(X /workspace/own/rd.sh)" ""
check "control: another script" is "$(X /workspace/own/other.sh)" WORD
check "nor where the path is not written whole" is "$(X sh -c 'cd /workspace/own; ./rd.sh')" ""
check "control: another" is "$(X sh -c 'cd /workspace/own; ./other.sh')" WORD
check "nor behind a link" is "$(X /workspace/own/linked.sh)" ""
check "nor as the one that runs another" is "$(X /workspace/own/by-head)" ""
check "control: another one" is "$(X /workspace/own/by-middle)" WORD

# Allowed, but not to code that was put into the program as it was started.
cat >"$T/put.c" <<'P'
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void put(void)
{
	char text[64];
	int fd = open("/workspace/hidden/f", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	(void)!write(1, text, n < 0 ? 0 : (size_t)n);
}
unsigned la_version(unsigned v) { return v; }
P
gcc -O1 -shared -fPIC -o "$W/own/put.so" "$T/put.c"
own='read x </workspace/hidden/f; echo $x'
for way in LD_PRELOAD=/workspace/own/put.so LD_AUDIT=/workspace/own/put.so BASH_ENV=/workspace/own/first.sh; do
	check "who may see does not with ${way%%=*}" is "$(X sh -c "$way $L/bash -c :")" ""
	check "control: a variable that says nothing: ${way%%=*}" is "$(X sh -c "X$way $L/bash -c '$own'")" WORD
	check "what descends from it keeps it: ${way%%=*}" is "$(X "$L/npm" -c "$way bash -c :")" WORD
	check "who may not does not with it either: ${way%%=*}" is "$(X sh -c "$way $L/tool -c 'read x </workspace/shut/f; echo \$x'")" ""
done
# Into a program that runs: a shell that may see waits, and its parent writes its memory.
cat >"$W/bin/mem.py" <<'P'
import os, sys
way, program = sys.argv[1:]
pid = os.fork()
if pid == 0:
    os.execv(program, ["x", "-c", "sleep 60"])
try:
    with open("/proc/%s/mem" % (pid if way == "other" else "self"), "r+b", buffering=0): print("open")
except OSError as e:
    print(e.strerror)
os.kill(pid, 9)
P
check "nor into the memory of one that runs" is "$(X python3 /workspace/bin/mem.py other "$L/bash")" "Permission denied"
check "nor by a path of one's own process" is "$(X python3 /workspace/bin/mem.py self "$L/bash")" "Permission denied"
check "control: what it says can be opened to be written" is "$(X sh -c 'echo one >/dev/stdout; echo two >/proc/self/fd/1; echo three >/dev/null; echo four >/dev/shm/x; cat /dev/shm/x')" $'one\ntwo\nfour'
X sh -c 'echo one >/dev/stdout; echo two >>/proc/self/fd/1' >"$T/said"
check "control: where that is a file of the host, too" is "$(cat "$T/said")" $'one\ntwo'
check "control: files change their directories" is "$(X sh -c 'cd /dev/shm; mkdir a b; echo x >a/f; mv a/f b/; ln b/f a/g; cat a/g; mkdir -p /workspace/own/d; echo y >/workspace/own/d/f; mv /workspace/own/d/f /workspace/own/f; cat /workspace/own/f')" $'x\ny'
check "nor by the loader's words" is "$(X "$loader" --preload /workspace/own/put.so "$L/bash" -c :)" ""

# What the kernel keeps for one must not answer another.
check "who may see sees" is "$(X "$L/npm" -c 'cat /workspace/hidden/f; :')" WORD
check "and right after that nobody else" is "$(X sh -c "$L/npm -c 'cat /workspace/hidden/f; :'; cat /workspace/hidden/f; stat -c %n /workspace/hidden/f")" WORD
check "nor while it is kept open" is "$(X sh -c "$L/npm -c 'exec 5</workspace/hidden/f; sleep 1' & sleep 0.3; cat /workspace/hidden/f; stat -c %n /workspace/hidden/f")" ""
check "who was refused does not spoil it" is "$(X sh -c "cat /workspace/hidden/f; $L/npm -c 'cat /workspace/hidden/f; :'")" WORD

# Execs.
check "a command below it" is "$(X "$L/npm" -c 'uname -s; :')" "$(uname -s)"
check "and deeper" is "$(X "$L/npm" -c 'sh -c "uname -s; :"; :')" "$(uname -s)"
check "control: elsewhere it is denied" is "$(X sh -c 'uname -s; :')" ""
check "the program itself does not count for its own exec" is "$(X uname)" ""
deep() { # N: id below N shells
	local s=id
	for _ in $(seq "$1"); do s="sh -c $(printf %q "$s; :")"; done
	eval "X $s" | grep -c uid=
}
check "depth 0" is "$(X id | grep -c uid=)" 1
check "depth 1" is "$(deep 1)" 1
check "depth 2" is "$(deep 2)" 1
check "depth 3 is too far" is "$(deep 3)" 0
check "an exec without a fork is no step" is "$(X sh -c 'exec sh -c "exec sh -c \"exec id\""' | grep -c uid=)" 1
check "control: a submitted command is direct" is "$(X whoami)" "$(whoami)"
check "what takes its place without a fork is not" is "$(X /usr/bin/python3 -c 'import os; os.execv("/usr/bin/whoami", ["whoami"])')" ""
check "a fork without an exec is none either" is "$(X sh -c '(((id; :); :); :)' | grep -c uid=)" 1
check "nor is one forgotten by a double fork" is "$(X sh -c 'sh -c "python3 /workspace/bin/lineage.py double /usr/bin/id; :"; :' | grep -c uid=)" 0

# Networks.
page='<h1>Example Domain</h1>'
fetch='curl -sS --max-time 8'
check "control: a shell reaches nothing there" is "$(X sh -c "$fetch http://good.test/")" ""
: >"$N/dns.log"
X sh -c "$fetch http://good.test/" >/dev/null
check "and its question goes nowhere" is "$(grep -c good "$N/dns.log")" 0
check "what the program runs does" is "$(X "$L/npm" -c "$fetch http://good.test/; :")" "$page"
check "and over TLS" is "$(X "$L/npm" -c "$fetch https://good.test/; :")" "$page"
check "through a double fork" is "$(X "$L/npm" -c "python3 /workspace/bin/lineage.py double /usr/bin/curl -sS --max-time 8 http://good.test/; :")" "$page"
address=$(X "$L/npm" -c 'python3 -c "import socket; print(socket.gethostbyname(\"good.test\"))"; :')
check "by the address that the name was given" is "$(X "$L/npm" -c "$fetch -H 'Host: good.test' http://$address/; :")" "$page"
check "nobody beside it does" is "$(X sh -c "$fetch -H 'Host: good.test' http://$address/; :")" ""
check "control: a shell reaches the other" is "$(X sh -c "$fetch http://other.test/; :")" "$page"
check "below the denied program nobody does" is "$(X "$L/tool" -c "$fetch http://other.test/; :")" ""
check "a socket is its maker's" is "$(X python3 -c "
import os, socket
s = socket.socket()
s.set_inheritable(True)
os.execv('$L/npm', ['npm', '-c', 'python3 -c \"import socket; s = socket.socket(fileno=%d); s.settimeout(5); s.connect((\\\\\"good.test\\\\\", 80)); print(1)\"; :' % s.fileno()])")" ""

# Ends.
tree() { find /sys/fs/cgroup -maxdepth 2 -name "agentsh-$SID"; }
labelled() { find "$(tree)" -name 'p*' -exec cat {}/cgroup.procs ';' 2>/dev/null | wc -l; }
some() { [ "$(labelled)" -gt 0 ]; }
begin() {
	X "$L/npm" -c "sleep $((1000000000 + $$)); :" &
	one=$!
	soon pgrep -xf "sleep $((1000000000 + $$))" >/dev/null
}
begin
check "control: a labelled process runs" some
check "its directory goes with the command" is "$(timeout 10 "$A" kill "$SID" >/dev/null; wait $one; sleep 0.2; find "$(tree)" -name 'p*' | wc -l)" 0
begin
check "control: another" some
destroyed() { timeout 10 "$A" session destroy "$SID" >/dev/null; }
check "a session ends with one" destroyed
wait $one
check "nothing of it stays in the tree" is "$(tree)" ""
new
begin
check "control: and one more" some
for p in $(pgrep -f -- "--worker $SID"); do [ "$(readlink "/proc/$p/exe")" = "$bin/agentsh-execd" ] && kill -9 "$p" && break; done
wait $one
none() { [ -z "$(tree)" ]; }
check "nor when execd's worker is killed" soon none
printf '%s\n' 'version: 1' 'name: plain' 'command_rules: [{name: all, decision: allow}]' >"$T/plain.yaml"
SID=$("$A" session create --workspace "$W" --policy "$T/plain.yaml" 2>"$T/err" | jq -r .id)
begin
check "a policy that asks nobody moves nobody" is "$(find "$(tree)" -name 'p*' | wc -l)" 0
check "control: there its programs' memory can be written" is "$(X python3 /workspace/bin/mem.py self /bin/sh)" open
check "control: it runs" is "$(find "$(tree)" -name 'c*' -type d | wc -l)" 1
"$A" session destroy "$SID" >/dev/null
wait $one

# Directories of one command are bounded: no exec without a place for what is known of it.
cat >"$W/bin/down" <<'P'
[ "$1" = 0 ] && exec echo bottom
sh "$0" $(($1 - 1)) || exit 1
P
sed -i 's/max_depth: 2/max_depth: 300/' "$T/p.yaml"
new
check "60 programs below each other" is "$(X sh /workspace/bin/down 60)" bottom
check "more than there is room for are refused" is "$(X sh /workspace/bin/down 70)" ""
check "and the next command has its own" is "$(X sh /workspace/bin/down 60)" bottom
"$A" session destroy "$SID" >/dev/null
"$A" server stop >/dev/null 2>&1

# Without the tree nobody descends from anything: only refusals are left.
while read -r _ at type _; do [ "$type" = cgroup2 ] && umount -l "$at"; done < <(cat /proc/mounts)
new
check "without cgroup v2 a session is made" [ -n "$SID" ]
check "with a warning" grep -q 'warning: no cgroup v2' "$T/err"
check "what is allowed below a program is not" is "$(told out "$L/npm" -c 'sh -c "$0"')" no
check "what is denied below one is denied" is "$(X sh -c 'cat /workspace/shut/f; :')" ""
check "networks, too" is "$(X "$L/npm" -c "$fetch http://good.test/; $fetch http://other.test/")" ""
check "detect says so" is "$("$A" detect --json | jq '."cgroup v2"')" false
the_end
