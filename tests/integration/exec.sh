#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every way to run a program, tried with an allowed and with a denied one: the allowed one leaves its mark, so the way is a way; the denied one
# leaves none.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W/bin"
for p in good bad; do gcc -O1 -DDIR='"/workspace"' -DMARK="\"$p\\n\"" -o "$W/bin/$p" "$top/tests/integration/mark.c"; done
gcc -O1 -DDIR='"/workspace/bin"' -o "$W/bin/race" "$top/tests/integration/race.c" -lpthread
cat >"$T/p.yaml" <<'P'
version: 1
name: exec
file_rules: [{name: all, paths: ["/**"], decision: allow}]
command_rules:
  - {name: no-bad, commands: [bad], decision: deny, message: "use good"}
  - {name: no-evil, commands: [good], args_patterns: ["evil"], decision: deny}
  - {name: all, decision: allow}
P
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
X() { timeout 60 "$A" exec "$SID" -- "$@"; }
cat >"$W/way.py" <<'P'
import ctypes, os, subprocess, sys, threading
way, b = sys.argv[1], "/workspace/bin/" + sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)
argv, envp = (ctypes.c_char_p * 2)(b"x", None), (ctypes.c_char_p * 1)(None)
def execveat(fd, path, flags): libc.syscall(322, fd, path, argv, envp, flags)
def memfd():
    m = os.memfd_create("good", 0)
    os.write(m, open(b, "rb").read())
    return m
ways = {
    "subprocess": lambda: subprocess.run([b]),
    "system": lambda: os.system(b),
    "spawn": lambda: os.waitpid(os.posix_spawn(b, ["x"], {}), 0),
    "argv0": lambda: os.execve(b, ["good", "fine"], {}),
    "fexecve": lambda: os.execve(os.open(b, os.O_RDONLY), ["x"], {}),
    "fexecve-path": lambda: execveat(os.open(b, os.O_PATH), b"", 0x1000),
    "dirfd": lambda: execveat(os.open("/workspace/bin", os.O_PATH), sys.argv[2].encode(), 0),
    "proc-fd": lambda: os.execve("/proc/self/fd/%d" % os.open(b, os.O_RDONLY), ["x"], {}),
    "dev-fd": lambda: os.execve("/dev/fd/%d" % os.open(b, os.O_RDONLY), ["x"], {}),
    "proc-root": lambda: os.execve("/proc/self/root" + b, ["x"], {}),
    "proc-pid-root": lambda: os.execve("/proc/%d/root%s" % (os.getpid(), b), ["x"], {}),
    "proc-cwd": lambda: (os.chdir("/workspace/bin"), os.execve("/proc/self/cwd/" + sys.argv[2], ["x"], {})),
    "relative": lambda: (os.chdir("/workspace/bin"), os.execve("../bin/./" + sys.argv[2], ["x"], {})),
    "thread": lambda: [t.start() or t.join() for t in [threading.Thread(target=lambda: os.execve(b, ["x"], {}))]],
    "memfd": lambda: os.execve(memfd(), ["x"], {}),
    "memfd-proc": lambda: os.execve("/proc/self/fd/%d" % memfd(), ["x"], {}),
    "deleted": lambda: (os.link(b, "/workspace/gone"), os.execve((f := os.open("/workspace/gone", os.O_RDONLY), os.unlink("/workspace/gone"))[0], ["x"], {})),
}
try: ways[way]()
except OSError as e: sys.exit(str(e))
P
ln -s good "$W/bin/link-good"
ln -s bad "$W/bin/link-bad"
for p in good bad; do
	printf '#!/workspace/bin/%s\n' $p >"$W/bin/script-$p"
	printf '#!/usr/bin/env -S %s\n' "/workspace/bin/$p" >"$W/bin/env-$p"
	chmod +x "$W"/bin/script-$p "$W"/bin/env-$p
	printf 'x:\n\t/workspace/bin/%s\n' $p >"$W/$p.mk"
	printf 'sh -c "sh -c /workspace/bin/%s"\n' $p >"$W/nest-$p.sh"
done
for hides in 'bash -pc /workspace/bin/good' 'sh +c /workspace/bin/good' "sh -c \"env -S '/workspace/bin/good \\\${HOME}'\""; do
	eval "X $hides" >"$T/out" 2>&1
	check "what is not understood before a command is refused: $hides" is $? 126
	check "by its own rule: $hides" grep -q 'rule=shellc-wrapper-bypass' "$T/out"
done
# @ stands for the program's name.
cat >"$T/ways" <<'P'
/workspace/bin/@
sh -c /workspace/bin/@
sh -c "cd bin && ./@"
sh -c "PATH=/workspace/bin:$PATH; @"
sh -c "true; (true && /workspace/bin/@) | cat"
bash -c "true; exec -a good /workspace/bin/@"
bash -c "exec -a good /workspace/bin/@"
bash -c "exec -cl /workspace/bin/@"
bash --noprofile --norc -eo pipefail -c /workspace/bin/@
bash --login --posix --rcfile /dev/null -O extglob +O extglob +o noglob -c "time -p /workspace/bin/@"
sh -eu -o noglob -c "env -i A=1 /workspace/bin/@"
sh -c "env -u HOME -C / -S '/workspace/bin/@ fine'"
sh /workspace/nest-@.sh
make -f @.mk
find /workspace/way.py -exec /workspace/bin/@ ;
xargs -a /workspace/way.py -n 1000 /workspace/bin/@
env -i A=1 /workspace/bin/@
env -S "/workspace/bin/@ fine"
nice /workspace/bin/@
timeout 5 /workspace/bin/@
nohup /workspace/bin/@
setsid -w /workspace/bin/@
stdbuf -o0 /workspace/bin/@
busybox sh -c /workspace/bin/@
busybox env /workspace/bin/@
bash -c "true; exec -a @ /workspace/bin/good"
/workspace/bin/link-@
/workspace/bin/script-@
/workspace/bin/env-@
perl -e "exec q(/workspace/bin/@)"
awk "BEGIN { system(\"/workspace/bin/@\") }"
git -c alias.x=!/workspace/bin/@ x
tar -cf /dev/null --checkpoint=1 --checkpoint-action=exec=/workspace/bin/@ /workspace/way.py
python3 /workspace/way.py subprocess @
python3 /workspace/way.py system @
python3 /workspace/way.py spawn @
python3 /workspace/way.py argv0 @
python3 /workspace/way.py fexecve @
python3 /workspace/way.py fexecve-path @
python3 /workspace/way.py dirfd @
python3 /workspace/way.py proc-fd @
python3 /workspace/way.py dev-fd @
python3 /workspace/way.py proc-root @
python3 /workspace/way.py proc-pid-root @
python3 /workspace/way.py proc-cwd @
python3 /workspace/way.py relative @
python3 /workspace/way.py thread @
P
try_way() { # PROGRAM LINE: the marks it left
	X rm -f /workspace/marks
	eval "X ${2//@/$1}" >"$T/out" 2>&1
	cat "$W/marks" 2>/dev/null
}
while read -r line; do
	# The quotes are the line's own; the session's shell expands its variables.
	line=${line//\$PATH/'\$PATH'}
	line=${line/%;/\\;}
	check "control, allowed: $line" is "$(try_way good "$line" </dev/null)" good
	check "denied: $line" is "$(try_way bad "$line" </dev/null)" ""
done <"$T/ways"
behind() { # LAST-ARGUMENT: the mark that good leaves with it behind 100,000 bytes of others
	X rm -f /workspace/marks
	X python3 -c "import os; os.execv('/workspace/bin/good', ['good', 'x' * 100000, '$1'])" >/dev/null 2>&1
	cat "$W/marks" 2>/dev/null
}
check "control: an allowed argument behind 100,000 bytes" is "$(behind fine)" good
check "a denied argument behind 100,000 bytes is found" is "$(behind evil)" ""
X /workspace/bin/bad 2>"$T/err"
check "denied is 126" is $? 126
check "denied says its rule" grep -q 'denied by policy (rule=no-bad)' "$T/err"
check "and what to do instead" grep -q 'use good' "$T/err"
X sh -c "/workspace/bin/bad" 2>"$T/err"
X python3 /workspace/way.py subprocess bad 2>"$T/err"
check "three levels deep it is said, too" grep -q 'refused: exec /.*/bad (rule=no-bad): use good' "$T/err"

# An allow-list holds against links that the session can make; those of the system are names like others.
cat >"$T/list.yaml" <<'P'
version: 1
name: list
file_rules:
  - {name: sys, paths: ["/usr/**", "/bin/**", "/lib/**", "/lib64/**", "/etc/**"], operations: [read, open, stat, list, readlink, access], decision: allow}
  - {name: tmp, paths: ["/tmp", "/tmp/**", "/workspace", "/workspace/**"], decision: allow}
command_rules: [{name: few, commands: [sh, ln, awk, env, mkdir], decision: allow}]
P
L=$("$A" session create --workspace "$W" --policy "$T/list.yaml" | jq -r .id)
Y() { timeout 60 "$A" exec "$L" -- "$@" 2>/dev/null; }
check "control: the list's names run, links of the system too" is "$(Y sh -c 'awk "BEGIN { print 1 }" && env -i /usr/bin/awk "BEGIN { print 2 }"' | tr '\n' ' ')" "1 2 "
check "a program that is not listed is refused" is "$(Y perl -e 'print 1')" ""
# A program of many names under a listed one does what argv[0] says.
cp "$(command -v busybox)" "$W/bin/mkdir"
check "control: busybox under a listed name" is "$(Y /workspace/bin/mkdir /workspace/made && ls -d "$W/made")" "$W/made"
check "by another name it is refused" is "$(Y sh -c "ln -sf bin/mkdir /workspace/echo; ln -sf bin/mkdir /workspace/busybox; /workspace/echo ran; /workspace/busybox echo ran")" ""
check "control: outside, it runs" is "$("$W/echo" ran; "$W/busybox" echo ran)" "ran
ran"
for d in /workspace /tmp /dev/shm; do
	Y sh -c "mkdir -p $d/x && ln -sf /usr/bin/perl $d/x/awk"
	check "a link with a listed name in $d" is "$(Y sh -c "$d/x/awk -e 'print 1'; cd $d/x && ./awk -e 'print 1'; PATH=$d/x:\$PATH awk -e 'print 1'")" ""
done
"$A" session destroy "$L" >/dev/null
# The loader's program is the first word that is no option of its, whatever it begins with; behind an option that nobody knows, any.
cat >"$T/load.yaml" <<'P'
version: 1
name: load
file_rules:
  - {name: sys, paths: ["/usr/**", "/bin/**", "/lib/**", "/lib64/**", "/etc/**"], operations: [read, open, stat, list, readlink, access], decision: allow}
  - {name: tmp, paths: ["/tmp", "/tmp/**", "/workspace", "/workspace/**"], decision: allow}
command_rules: [{name: no-id, commands: [id, mawk, gawk], decision: deny}, {name: all, decision: allow}]
P
L=$("$A" session create --workspace "$W" --policy "$T/load.yaml" | jq -r .id)
ld=/lib64/ld-linux-x86-64.so.2
mkdir -p "$W/-d" && ln -s /usr/bin/id "$W/-d/p"
ln -s /usr/bin/echo "$W/-d/echo"
Z() { Y sh -c "$1 ran; true"; } # a loader's words: what the program that it loads prints
check "control: the loader loads what is allowed" is "$(Z "$ld /usr/bin/echo"; Z "$ld --library-path /a --inhibit-rpath /b --argv0 echo --glibc-hwcaps-mask d --preload '' /bin/echo"; Z "$ld /bin/sh -c 'echo by a link'")" "ran
ran
by a link"
for words in "/usr/bin/id -u root" "--argv0 echo /usr/bin/id -u root" "--library-path /a --inhibit-rpath /b --argv0 c --glibc-hwcaps-mask d --preload '' /bin/id -u root" "/usr/bin/awk 'BEGIN { print 1 }'"; do
	check "control: outside, the loader prints a number: $words" is "$(eval "$ld $words" 2>/dev/null | grep -c '^[01]$')" 1
	check "what is denied is not loaded: $words" is "$(Y "$ld" /bin/sh -c "true; $ld $words")$(eval "Y $ld $words")" ""
done
check "control: outside, a word with one dash is the program" is "$(cd "$W" && "$ld" -d/p -u)" "$(id -u)"
check "a word with one dash is the program that is judged" is "$(Y sh -c "$ld -d/p -u; $ld -d/p -u root; true")$(Y "$ld" -d/p -u)" ""
check "an option that is not known may stand before any program" is "$(Y "$ld" --new /usr/bin/echo ran; echo $?)" 126
# What is loaded is opened by its path later on: a name that may lead elsewhere then could be any program's.
check "control: outside, links and relative paths load" is "$(cd "$W" && "$ld" "$W/-d/echo" 1; "$ld" -d/echo 2; cd /usr/bin && "$ld" ./echo 3)" "1
2
3"
for word in /workspace/-d/echo -d/echo /workspace/../usr/bin/../../workspace/-d/echo /proc/self/root/usr/bin/echo; do
	check "a path that the session can change is not settled: $word" is "$(Z "cd /workspace; $ld $word")" ""
done
check "nor is one from a directory that may change" is "$(Z "cd /usr/bin; $ld ./echo")" ""
cat >"$W/flip.py" <<'P'
import os, subprocess, sys, threading
ld, at, n, stop = sys.argv[1], sys.argv[2] + "/flip", int(sys.argv[3]), False
def flip():
    while not stop:
        for to in ("/usr/bin/echo", "/usr/bin/id"):
            os.symlink(to, at + ".new")
            os.rename(at + ".new", at)
t = threading.Thread(target=flip)
os.symlink("/usr/bin/echo", at)
t.start()
for i in range(n):
    try: subprocess.run([ld, at, "-u"], stderr=subprocess.DEVNULL)
    except OSError: pass
stop = True
t.join()
P
check "a link that flips never leads to the denied program" is "$(Y python3 /workspace/flip.py "$ld" /workspace 100 | grep -c '^[0-9]')" 0
mkdir -p "$T/flip"
check "control: outside, it does" test "$(python3 "$W/flip.py" "$ld" "$T/flip" 100 | grep -c '^[0-9]')" -gt 0
"$A" session destroy "$L" >/dev/null
# A program without a name is refused whatever it holds: the control runs the same script outside.
for way in memfd memfd-proc deleted; do
	X rm -f /workspace/marks
	X python3 /workspace/way.py $way good >/dev/null 2>&1
	check "$way is refused" test ! -e "$W/marks"
done
check "control: outside, memfd runs" is "$(python3 -c "
import os
m = os.memfd_create('x', 0); os.write(m, open('/bin/echo', 'rb').read()); os.execve(m, ['echo', 'ran'], {})")" ran

# Races: the path and an argument flip between allowed and denied while children that share the memory call execve.
X rm -f /workspace/marks
out=$(X /workspace/bin/race 3000 2>/dev/null)
check "3000 racing execs: $out" test -n "$out"
check "none ran the denied program or the denied argument" is "$(grep -cvx good "$W/marks")" 0
check "control: allowed ones did" test "$(grep -cx good "$W/marks")" -gt 100
# The same race by itself, on directories of its own.
mkdir -p "$T/native"
for p in good bad; do gcc -O1 -DDIR="\"$T/native\"" -DMARK="\"$p\\n\"" -o "$T/native/$p" "$top/tests/integration/mark.c"; done
gcc -O1 -DDIR="\"$T/native\"" -o "$T/native/race" "$top/tests/integration/race.c" -lpthread
"$T/native/race" 1000 >/dev/null
check "control: without agentsh the same race runs the denied program" grep -q bad "$T/native/marks"
the_end
