#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What was deleted comes back: while the session lives, after it ended, after fsd died in the middle; and nothing else is given to anybody.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W"
cat >"$T/p.yaml" <<'P'
version: 1
name: trash
file_rules:
  - {name: kept, paths: ["/workspace/**"], operations: [delete, rmdir], decision: soft_delete}
  - {name: all, paths: ["/**"], decision: allow}
command_rules: [{name: all, decision: allow}]
P
make_tree() { rm -rf "$W/t"; mkdir -p "$W/t/a/b" && for i in $(seq 30); do head -c $((i * 977)) /dev/urandom >"$W/t/a/f$i"; done; ln -s f1 "$W/t/a/link"; chmod 751 "$W/t/a/b"; }
sums() { (cd "$W" && find t -type f -exec sha256sum {} + | sort; find t -printf '%p %y %l %m\n' | sort) | sha256sum; }
new() { SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id); }

make_tree
before=$(sums)
new
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
"$A" exec "$SID" -- rm -rf /workspace/t 2>/dev/null
check "control: it is gone" test ! -e "$W/t"
check "the store is out of the session's sight" is "$("$A" exec "$SID" -- find / -xdev -name '*.ok' -path '*trash*' 2>/dev/null)" ""
"$A" session destroy "$SID" >/dev/null
check "after the session's end it is listed" test "$("$A" trash list | wc -l)" -ge 31
token=$("$A" trash list --json | jq -r '.[] | select(.path | endswith("/f7")) | .token')
check "one token comes back alone" is "$("$A" trash restore "$token")" "restored to $W/t/a/f7"
check "its content is there" is "$(stat -c %s "$W/t/a/f7")" $((7 * 977))
"$A" trash restore --all --session "$SID" >/dev/null
check "and the rest, checksums, modes and links equal" is "$(sums)" "$before"
check "then the trash is empty" is "$("$A" trash list | wc -l)" 0

"$A" run --workspace "$W" --policy "$T/p.yaml" -- rm -rf t >/dev/null 2>"$T/err"
SID=$(sed -n 's|.*/sessions/||p' "$T/err")
check "control: agentsh run deleted it" test ! -e "$W/t"
"$A" trash restore --all --session "$SID" >/dev/null 2>&1
check "what a one-line run deleted comes back" is "$(sums)" "$before"

# A rename keeps what it replaces, without calling that a delete.
new
"$A" exec "$SID" -- sh -c 'cp /workspace/t/a/f3 /workspace/t/a/n && mv /workspace/t/a/n /workspace/t/a/f4' 2>"$T/err"
check "a replaced file is no deleted one" is "$(grep -c soft-delete: "$T/err")" 0
check "and is kept" is "$("$A" trash list --session "$SID" --json | jq -r '.[].path')" "$W/t/a/f4"
check "its record names the rule" is "$("$A" events query --session "$SID" --type file_soft_deleted | jq -r '.operation + " " + .policy.rule')" "overwrite kept"
"$A" trash restore --force "$("$A" trash list --session "$SID" --json | jq -r '.[0].token')" >/dev/null
check "restored by force" is "$(sums)" "$before"

# A name that is taken is not overwritten.
"$A" exec "$SID" -- rm /workspace/t/a/f5 2>/dev/null
echo new >"$W/t/a/f5"
"$A" trash restore "$("$A" trash list --session "$SID" --json | jq -r '.[0].token')" >/dev/null 2>"$T/err"
check "a name that is in use is left alone" is "$(cat "$W/t/a/f5") $(grep -c 'File exists' "$T/err")" "new 1"
"$A" trash restore --force "$("$A" trash list --session "$SID" --json | jq -r '.[0].token')" >/dev/null
check "until one insists" is "$(sums)" "$before"

# The daemon dies in the middle of a removal: every file is in its place or in the trash.
"$A" exec "$SID" -- rm -rf /workspace/t >/dev/null 2>&1 &
cli=$!
for _ in $(seq 200); do [ "$(find "$W/t/a" -name 'f*' 2>/dev/null | wc -l)" -lt 25 ] && break; done
for p in $(pgrep -f -- "--worker $SID"); do [ "$(readlink "/proc/$p/exe")" = "$bin/agentsh-fsd" ] && kill -9 "$p"; done
wait "$cli"
"$A" trash restore --all --session "$SID" >/dev/null 2>"$T/err"
check "killed in the middle, nothing is lost" is "$(sums)" "$before"

# Another user gets nothing of it.
chmod 711 "$T" "$T/run" "$T/data"
"$A" run --workspace "$W" --policy "$T/p.yaml" -- rm t/a/f9 >/dev/null 2>&1
"$A" trash list --json >"$T/list"
SID=$(jq -r '.[0].session_id' "$T/list")
for s in execd fsd netd; do chmod 666 "$T/run/$s.sock"; done
mkdir -m 777 "$T/theirs"
cp "$A" "$T/agentsh" && chmod 755 "$T/agentsh"
as_other() { HOME=/ setpriv --reuid=12345 --regid=12345 --clear-groups "$T/agentsh" "$@"; }
check "control: the owner sees it" is "$("$A" trash list --session "$SID" | wc -l)" 1
check "another user does not" is "$(as_other trash list --session "$SID" 2>/dev/null | wc -l)" 0
as_other trash restore "$(jq -r '.[0].token' "$T/list")" --session "$SID" --dest "$W/stolen" >/dev/null 2>&1
check "nor takes it" test ! -e "$W/stolen"

# A file that the host removed a moment ago is made anew, not written into the void.
new
echo one >"$W/x"
check "control: the session sees it" is "$("$A" exec "$SID" -- cat /workspace/x)" one
rm "$W/x"
"$A" exec "$SID" -- sh -c 'echo two >/workspace/x'
check "written after the host removed it, it is there" is "$(cat "$W/x" 2>/dev/null)" two
check "a file removed inside can be opened again by its descriptor" is "$("$A" exec "$SID" -- sh -c 'echo three >/workspace/y; exec 3</workspace/y; rm /workspace/y; cat /proc/self/fd/3' 2>/dev/null)" three
the_end
