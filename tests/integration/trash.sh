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

# What a command makes and removes itself is kept, but not brought back with the rest.
printf '%s\n' 'import sqlite3' 'c = sqlite3.connect("/workspace/t.db")' 'c.execute("create table a(x)")' \
	'c.executemany("insert into a values(?)", [(i,) for i in range(1000)])' 'c.commit()' >"$W/db.py"
"$A" exec "$SID" -- python3 /workspace/db.py 2>"$T/err"
check "a database's journal is no deleted file" is "$(grep -c soft-delete: "$T/err") $("$A" trash list --session "$SID" --json | jq '[.[] | select(.path | endswith("t.db-journal"))] | length')" "0 0"
check "control: it is kept" is "$("$A" trash list --all --session "$SID" --json | jq '[.[] | select(.path | endswith("t.db-journal"))] | length > 0')" true
"$A" trash restore --all --session "$SID" >/dev/null 2>&1
check "and restoring all leaves the database whole" is "$(python3 -c "import sqlite3; print(sqlite3.connect('$W/t.db').execute('select count(*) from a').fetchone()[0])")" 1000
rm -f "$W/t.db" "$W/db.py"
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

# What comes back comes with the owner's rights, and only below the workspace.
O=$T/theirs/ws
mkdir -p "$O/mine" "$O/sub"
chown 12345:12345 "$O" "$O/mine"
chmod 700 "$O/sub" && chmod 750 "$T/theirs"
chgrp 12345 "$T/theirs"
echo "$$" >"$O/mine/f" && mkdir "$O/mine/d" && chown 12345:12345 "$O/mine/"*
chmod 644 "$T/p.yaml"
SID=$(as_other session create --workspace "$O" --policy "$T/p.yaml" | jq -r .id)
as_other exec "$SID" -- sh -c 'rm /workspace/mine/f; chmod 777 /workspace/mine/d; rmdir /workspace/mine/d' 2>/dev/null
token() { as_other trash list --session "$SID" --json | jq -r --arg p "$1" '.[] | select(.path | endswith($p)) | .token'; }
back() { as_other trash restore "$(token "$1")" --session "$SID" --dest "$2" >"$T/out" 2>&1; }
back mine/f "$O/sub/f"
check "not into somebody else's directory" is "$(ls "$O/sub")" ""
back mine/d "$O/sub"
check "whose mode stays" is "$(stat -c %a "$O/sub")" 700
for to in .. . mine/.. mine/../..; do back mine/d "$O/$to"; done
check "nor is the parent's changed" is "$(stat -c %a "$T/theirs")" 750
back mine/f "$O/new/f"
check "control: into one that is made, it is" is "$(cat "$O/new/f") $(stat -c %u:%g "$O/new")" "$$ 12345:12345"
mkdir -m 700 "$O/e" && chown 12345:12345 "$O/e"
back mine/d "$O/e"
check "control: a directory of one's own takes the mode" is "$(stat -c %a "$O/e")" 777
as_other session destroy "$SID" >/dev/null

# Much of it: the list is whole though the client reads slowly; long paths come back whole or stay.
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" | jq -r .id)
"$A" exec "$SID" -- python3 -c '
import os
os.mkdir("/workspace/many"); os.chdir("/workspace/many")
for i in range(4000):
    n = "%04d" % i + "x" * 200
    open(n, "w").close(); os.unlink(n)
os.chdir(".."); os.mkdir("deep"); os.chdir("deep")
for i in range(600): os.mkdir("d"); os.chdir("d")
open("f", "w").close(); os.unlink("f")
for i in range(20): os.mkdir("e" * 200); os.chdir("e" * 200)
open("f", "w").close()
try: os.unlink("f"); print("gone")
except OSError as e: print(e.errno, os.path.exists("f"))' >"$T/out" 2>/dev/null
check "a path too long to be given back is not deleted" is "$(cat "$T/out")" "36 True"
"$A" trash list --all --session "$SID" --json >"$T/list"
check "4000 entries are 4000" is "$(jq -r '.[].path | select(contains("/many/"))' "$T/list" | sort -u | wc -l)" 4000
check "a deep path is kept from its top on" is "$(jq -r '.[].path | select(endswith("/f"))' "$T/list")" "$W/deep$(printf '/d%.0s' $(seq 600))/f"
"$A" trash restore --session "$SID" "$(jq -r '.[] | select(.path | endswith("d/f")) | .token' "$T/list")" >/dev/null
check "and comes back there" test -e "$W/deep$(printf '/d%.0s' $(seq 600))/f"
# A rename that fails replaces nothing.
mkdir -p "$W/r" && echo old >"$W/r/to" && mkdir "$W/r/dir"
"$A" exec "$SID" -- python3 -c '
import os
try: os.rename("/workspace/r/dir", "/workspace/r/to")
except OSError as e: print(e.errno)' >"$T/out" 2>/dev/null
check "a rename that fails replaces nothing" is "$(cat "$T/out") $(cat "$W/r/to") $("$A" trash list --session "$SID" --json | jq -r '.[].path' | grep -c r/to)" "20 old 0"
"$A" exec "$SID" -- sh -c 'cd /workspace; mkdir .agentsh-trash; mv r .agentsh-trash; ln -s / .agentsh-trash; mkdir r/.agentsh-trash' 2>/dev/null
check "the store's name is taken" is "$(ls -d "$W"/.agentsh-* 2>/dev/null)" ""
check "control: elsewhere it is a name like others" test -d "$W/r/.agentsh-trash"
"$A" session destroy "$SID" >/dev/null
rm -rf "$W/deep"

# A file that the host removed a moment ago is made anew, not written into the void.
new
echo one >"$W/x"
check "control: the session sees it" is "$("$A" exec "$SID" -- cat /workspace/x)" one
rm "$W/x"
"$A" exec "$SID" -- sh -c 'echo two >/workspace/x'
check "written after the host removed it, it is there" is "$(cat "$W/x" 2>/dev/null)" two
check "a file removed inside can be opened again by its descriptor" is "$("$A" exec "$SID" -- sh -c 'echo three >/workspace/y; exec 3</workspace/y; rm /workspace/y; cat /proc/self/fd/3' 2>/dev/null)" three
the_end
