#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What would act on the host, on other processes or round a layer: tried inside, where all of it must fail, and outside as the control, in
# namespaces of the test's own.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W" "$T/rw" "$T/native"
cp "$top/tests/integration/escape.py" "$W/"
# getpid by the 32-bit interface; exits 0 when it is answered.
cat >"$T/int80.c" <<'P'
int main(void) { int r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(20)); return r <= 0; }
P
gcc -O1 -static -o "$W/int80" "$T/int80.c"
cp "$W/int80" "$T/native/"
cat >"$T/p.yaml" <<'P'
version: 1
name: escape
file_rules: [{name: all, paths: ["/**"], decision: allow}]
command_rules: [{name: all, decision: allow}]
P
unshare --mount --pid --fork --mount-proc --net --uts --ipc sh -c "ip link set lo up; exec python3 $W/escape.py $T/native" >"$T/outside" 2>&1
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
timeout 60 "$A" exec "$SID" -- python3 /workspace/escape.py "$T/rw" >"$T/inside" 2>/dev/null
check "control: a plain file is written in the same place" is "$("$A" exec "$SID" -- sh -c "echo x >$T/rw/plain && cat $T/rw/plain")" x
# Each try with its control. What this host refuses to its own root, too, is no proof and is named.
while read -r name; do
	if grep -qxF "$name" "$T/outside"; then
		check "refused inside: $name" sh -c "! grep -qxF '$name' '$T/inside'"
	else
		echo "# no control on this host: $name"
		check "refused inside and outside: $name" sh -c "! grep -qxF '$name' '$T/inside'"
	fi
done < <(python3 - "$W/escape.py" <<'P'
import re, sys
for m in re.finditer(r'^    "([^"]+)": lambda', open(sys.argv[1]).read(), re.M): print(m.group(1))
P
)
check "most tries have a control" test "$(wc -l <"$T/outside")" -ge 20
check "no set-id file is left on the host" is "$(find "$T/rw" "$W" -type f -perm /6000)" ""
check "the daemons' own files are out of sight in a plain bind" is "$("$A" exec "$SID" -- sh -c "ls $T/data $T/run 2>/dev/null | wc -l")" 0
check "control: outside they are there" test "$(find "$T/data" "$T/run" | wc -l)" -gt 3
# A descriptor of the host's tree would be a way out of the session's.
check "a directory as stdin is refused" is "$("$A" exec "$SID" -- sh -c 'ls /proc/self/fd/0/' </etc 2>/dev/null)" ""
check "control: a file is passed" is "$("$A" exec "$SID" -- cat </etc/hostname)" "$(cat /etc/hostname)"
# Processes of the host cannot be seen or signalled.
sleep $((1000000000 + $$)) &
child $!
check "the host's processes are out of sight" is "$("$A" exec "$SID" -- sh -c "kill -0 $! 2>/dev/null && echo reached; ls /proc/$!/comm 2>/dev/null; pgrep -fc '^sleep $((1000000000 + $$))'")" 0
check "control: from outside it is there" kill -0 $!
check "the session's own signals work" is "$("$A" exec "$SID" -- sh -c 'sleep 50 & kill $! && wait $!; echo $?')" 143
the_end
