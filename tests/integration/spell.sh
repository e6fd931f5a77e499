#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A program asked for by another spelling of its path, by a directory that is exchanged meanwhile, and by the workspace's other name: none gives
# it more than its own name, and none hides it from a rule.
set -u
# Mounts of its own: the directory of programs that the session cannot write lies over the machine's, which is left alone.
if [ -z "${AGENTSH_TEST_MOUNTNS-}" ]; then
	AGENTSH_TEST_MOUNTNS=1 exec unshare --mount -- "$0" "$@"
fi
unset AGENTSH_TEST_MOUNTNS
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws L=/usr/local/lib/spell
py=/usr/bin/python3
mkdir -p "$W"/{out,bin,shut} "$T/lib"
mount --bind "$T/lib" /usr/local/lib || exit 1
mkdir -p "$L/git-core" "$L/tools-1"
cp /bin/dash "$L/git-core/git-sh"
cp /usr/bin/id "$L/tools-1/who"
ln -s tools-1 "$L/tools"
ln -s tools-1/who "$L/link"
ln -s /usr/bin/id "$W/bin/alias"
cp /usr/bin/id "$W/bin/own"
cp /bin/dash "$W/lab"
echo WORD >"$W/shut/f"
new() { SID=$("$A" session create --workspace "$W" --policy "$1" 2>"$T/err" | jq -r .id); check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }; }
X() { timeout 60 "$A" exec "$SID" -- "$@" 2>/dev/null; }
# Asked for as it is written, by the first program and by one below it: how often it ran.
ran() { # PATH
	{ X "$1" -u; X "$py" -c 'import os, sys; os.execv(sys.argv[1], [sys.argv[1], "-u"])' "$1"; } | grep -c '^[0-9]*$'
}

cat >"$T/allow.yaml" <<P
version: 1
name: allow
file_rules:
  - {name: ws, paths: ["/workspace", "/workspace/**"], decision: allow}
  - {name: core, paths: ["/workspace/out/**"], processes: ["$L/git-core/**"], decision: allow}
command_rules:
  - {name: tools, commands: ["$L/git-core/**", "/usr/lib/git-core/**", "$L/tools/*", "/bin/uname", python3, git], decision: allow}
P
new "$T/allow.yaml"
check "control: a program of the directory runs" is "$(X "$L/git-core/git-sh" -c 'echo 1')" 1
check "control: by its spelling with dots, too" is "$(X "$L//git-core/./../git-core/git-sh" -c 'echo 1')" 1
for way in "$L/git-core/../../../../bin/id" "$L/git-core/../tools-1/who" /usr/lib/git-core/../../bin/id /usr/lib/git-core/../../../usr/bin/id; do
	check "another is none of it: $way" is "$(ran "$way")" 0
done
check "an entry that goes through a link of the system holds for it" is "$(ran "$L/tools/who")" 2
check "but not for a spelling with dots" is "$(ran "$L/git-core/../tools/../tools/who")" 0
check "an entry below a link of the root is both names" is "$(X /bin/uname; X /usr/bin/uname)" "$(uname; uname)"
check "nor does a directory of the session's own lead there" is "$(X "$py" -c "
import os
os.symlink('$L', '/workspace/core')
os.execv('/workspace/core/git-core/../tools-1/who', ['x', '-u'])")" ""
cat >"$W/bin/race.py" <<'P'
import ctypes, os, signal, time
d = "/workspace/rd/"
os.makedirs(d + "own")
os.symlink("/usr/bin/id", d + "own/git")
os.symlink(d + "own", d + "d")
os.symlink("/usr/bin", d + "e")
libc = ctypes.CDLL(None)
flip = os.fork()
if not flip:
    while True: libc.renameat2(-100, (d + "d").encode(), -100, (d + "e").encode(), 2)
end, n, ran = time.time() + 2, 0, set()
while time.time() < end and n < 2000:
    n += 1
    out, into = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(into, 1)
        try: os.execve(d + "d/git", ["git", "--version"], {})
        finally: os._exit(1)
    os.close(into)
    got = os.read(out, 100)
    os.close(out)
    os.waitpid(pid, 0)
    ran.add(got.split(b" ")[0].decode())
os.kill(flip, signal.SIGKILL)
print(*sorted(ran - {""}))
P
check "a directory exchanged all the time lends no name" is "$(X "$py" /workspace/bin/race.py)" git
rm -rf "$W/rd"

cat >"$T/deny.yaml" <<P
version: 1
name: deny
file_rules: [{name: ws, paths: ["/workspace", "/workspace/**"], decision: allow}]
command_rules:
  - {name: no, commands: ["/usr/bin/id", "/bin/uname", "$L/tools/who", "$L/link", "/workspace/bin/alias"], decision: deny}
  - {name: all, decision: allow}
P
new "$T/deny.yaml"
check "control: what is not denied runs" is "$(ran "$L/tools-1/../tools-1//who")" 2
for way in /usr/bin/id /usr/bin//id /usr/bin/./id /usr/bin/../bin/id /bin/id /bin/../bin/id "$L/../../../bin/id" /workspace/bin/alias \
	/workspace//bin/alias "$L/tools/who" "$L/tools/../tools/./who" "$L/link" "$L//link" "$L/tools-1/../link" \
	"$L/tools/../link"; do
	check "denied as $way" is "$(ran "$way")" 0
done
check "and from where it lies" is "$(X "$py" -c 'import os; os.chdir("/usr/bin"); os.execv("./id", ["x"])'; X "$py" -c 'import os; os.chdir("/usr/bin"); os.execv("id", ["x"])')" ""
check "and from a descriptor of there" is "$(X "$py" -c 'import ctypes, os; ctypes.CDLL(None).syscall(322, os.open("/usr", os.O_PATH), b"bin//id", (ctypes.c_char_p * 2)(b"x", None), None, 0)')" ""
check "an entry below a link of the root is denied by both names" is "$(X /bin/uname; X /usr/bin/uname; X sh -c '/usr/bin//uname; :')" ""

cat >"$T/two.yaml" <<P
version: 1
name: two
file_rules:
  - {name: shut, paths: ["/workspace/shut/**"], processes: ["/workspace/lab"], decision: deny}
  - {name: ws, paths: ["/workspace", "/workspace/**"], decision: allow}
command_rules:
  - {name: real, commands: ["$W/bin/*"], decision: deny}
  - {name: all, decision: allow}
P
new "$T/two.yaml"
check "control: what lies elsewhere runs" is "$(ran /usr/bin/id)" 2
check "a command rule of the workspace's real path is about /workspace" is "$(ran /workspace/bin/own)" 0
check "and about itself" is "$(ran "$W/bin/own")" 0
for at in /workspace "$W"; do
	check "control: a shell reads: $at" is "$(X sh -c "cat $at/shut/f; :")" WORD
	check "a program of the workspace is followed as $at" is "$(X "$at/lab" -c "cat $at/shut/f; :")" ""
done
the_end
