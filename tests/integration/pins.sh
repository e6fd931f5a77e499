#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules with sha256: the file that was pinned runs, where the session can neither write nor replace it by any of its names, and one that was
# changed does not, also when it is changed between the verdict and the run.
set -u
# Mounts of its own: the directory of programs that the session cannot write lies over the machine's, which is left alone.
if [ -z "${AGENTSH_TEST_MOUNTNS-}" ]; then
	AGENTSH_TEST_MOUNTNS=1 exec unshare --mount -- "$0" "$@"
fi
unset AGENTSH_TEST_MOUNTNS
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws L=/usr/local/lib/pins
mkdir -p "$W/own" "$W/kept" "$T/lib/pins"
mount --bind "$T/lib" /usr/local/lib || exit 1
cat >"$T/mark.c" <<'P'
#include <fcntl.h>
#include <unistd.h>
int main(void) { int fd = open("/workspace/own/" WORD, O_WRONLY | O_CREAT, 0666); return write(fd, "x", 1) != 1; }
P
gcc -O1 -DWORD='"good"' -o "$L/pinned" "$T/mark.c"
gcc -O1 -DWORD='"evil"' -o "$W/own/bad.bin" "$T/mark.c"
printf '#!/bin/sh\necho script\n' >"$L/script"
chmod +x "$L/script"
cp "$L/pinned" "$L/script" "$W/own/"
cp "$L/pinned" "$L/script" "$W/kept/"
cp "$L/pinned" "$W/kept/two.pinned"
ln "$W/kept/two.pinned" "$W/own/alias"
cp "$L/pinned" "$W/own/good.bin"
pin() { sha256sum "$1" | cut -d' ' -f1; }
cat >"$T/p.yaml" <<P
version: 1
name: pins
file_rules:
  - {name: own, paths: ["/workspace/own/**"], decision: allow}
command_rules:
  - {name: pinned, commands: [pinned, two.pinned, script], sha256: [$(pin "$L/pinned"), $(pin "$L/script")], decision: allow}
  - {name: changed, commands: [pinned, two.pinned, script, bad.bin], decision: deny}
  - {name: all, decision: allow}
P
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
X() { timeout 60 "$A" exec "$SID" -- "$@" 2>/dev/null; }
ran() { # COMMAND...: which of the two ran
	rm -f "$W/own/good" "$W/own/evil"
	X "$@" >/dev/null
	for f in good evil; do [ -e "$W/own/$f" ] && printf '%s ' $f; done
}
check "the pinned file runs" is "$(ran "$L/pinned")" "good "
check "below a shell" is "$(ran sh -c "$L/pinned; :")" "good "
check "found by the path of names" is "$(PATH=$L:$PATH ran pinned)" "good "
check "a copy of it in the workspace runs, where the session cannot write" is "$(ran sh -c '/workspace/kept/pinned; :')" "good "
check "submitted by a relative path, too" is "$(ran kept/pinned)" "good "
check "one that the session could write does not" is "$(ran sh -c '/workspace/own/pinned; :')" ""
check "nor one with another name, by which it could be written while it runs" is "$(ran sh -c '/workspace/kept/two.pinned; :')" ""
check "nor when it is submitted so" is "$(ran /workspace/kept/two.pinned)" ""
rm "$W/own/alias"
check "control: without that name it does" soon sh -c "[ \"\$('$A' exec $SID -- sh -c '/workspace/kept/two.pinned; echo \$?' 2>/dev/null)\" = 0 ]"
check "control: another file does not" is "$(ran /workspace/own/bad.bin)" ""
check "nor under its name" is "$(ran sh -c 'cd /workspace/own && cp bad.bin pinned && ./pinned; :')" ""
check "nor when it is submitted" is "$(ran /workspace/own/pinned)" ""
echo >>"$W/kept/two.pinned"
check "one more byte is another file" is "$(ran sh -c '/workspace/kept/two.pinned; :')" ""
check "a script that nobody can change runs" is "$(X sh -c "$L/script; :")" script
check "and when it is submitted" is "$(X "$L/script")" script
check "in the workspace, too, where the session cannot write" is "$(X sh -c '/workspace/kept/script; :')" script
check "one that the session could change does not" is "$(X sh -c '/workspace/own/script; :')" ""
cat >"$W/kept/run.py" <<'P'
import subprocess, time
begin, refused = time.time(), 0
while time.time() < begin + 3 or (refused < 40 and time.time() < begin + 60): # a slow machine must have its races, too
    try: refused += subprocess.run(["/workspace/kept/pinned"]).returncode != 0
    except OSError: refused += 1
P
cat >"$T/exchange.py" <<'P'
import ctypes, sys
libc = ctypes.CDLL(None)
while True:
    libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2)
    for _ in range(2000): pass
P
cp "$W/own/bad.bin" "$W/kept/other"
python3 "$T/exchange.py" "$W/kept/pinned" "$W/kept/other" &
child $!
check "exchanged all the time, from outside, only the pinned one ever runs" is "$(ran /usr/bin/python3 /workspace/kept/run.py)" "good "
check "control: some were found to be the other" test "$(cat "$T/data/sessions/$SID"/*.jsonl | grep -c '"decision":"deny".*"rule":"changed"')" -gt 20
the_end
