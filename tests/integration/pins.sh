#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules with sha256: the file that was pinned runs, under whatever name it is reached, and one that was changed does not, also when it is
# changed between the verdict and the run.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws L=/usr/local/lib/agentsh-pins-$$
mkdir -p "$W/own" "$L"
trap 'rm -rf "$L"; cleanup' EXIT
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
cp "$L/pinned" "$W/own/good.bin"
pin() { sha256sum "$1" | cut -d' ' -f1; }
cat >"$T/p.yaml" <<P
version: 1
name: pins
file_rules:
  - {name: own, paths: ["/workspace/own/**"], decision: allow}
command_rules:
  - {name: pinned, commands: [pinned, script], sha256: [$(pin "$L/pinned"), $(pin "$L/script")], decision: allow}
  - {name: changed, commands: [pinned, script, bad.bin], decision: deny}
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
check "a copy of it runs" is "$(ran sh -c '/workspace/own/pinned; :')" "good "
check "control: another file does not" is "$(ran /workspace/own/bad.bin)" ""
check "nor under its name" is "$(ran sh -c 'cd /workspace/own && cp bad.bin pinned && ./pinned; :')" ""
check "nor when it is submitted" is "$(ran /workspace/own/pinned)" ""
check "one more byte is another file" is "$(ran sh -c 'cd /workspace/own && cp good.bin pinned && ./pinned && rm good && echo >>pinned && ./pinned; :')" ""
check "a script that nobody can change runs" is "$(X sh -c "$L/script; :")" script
check "and when it is submitted" is "$(X "$L/script")" script
check "one that the session could change does not" is "$(X sh -c '/workspace/own/script; :')" ""
cat >"$W/own/race.py" <<'P'
import os, subprocess, time
os.chdir("/workspace/own")
if os.fork() == 0:
    end = time.time() + 4
    while time.time() < end:
        for f in ("good.bin", "bad.bin"):
            os.link(f, "next"); os.rename("next", "pinned")
            for _ in range(2000): pass
    os._exit(0)
end = time.time() + 4
while time.time() < end:
    try: subprocess.run(["./pinned"])
    except OSError: pass
os.wait()
P
check "exchanged all the time, only the pinned one ever runs" is "$(ran python3 /workspace/own/race.py)" "good "
check "control: at the stop some were found to be the other" test "$(cat "$T/data/sessions/$SID"/*.jsonl | grep -c '"exec_mismatch"')" -gt 0
the_end
