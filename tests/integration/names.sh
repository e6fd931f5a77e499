#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Renames of directories: nothing comes in by one that a rule keeps from being made, and what is held open is judged by the new name. Where
# rules treat both places alike it stays one rename.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W/plain/sub/deep" "$W/open/sub/deep"
echo WORD | tee "$W/plain/sub/deep/f" >"$W/open/sub/deep/f"
cat >"$T/p.yaml" <<'P2'
version: 1
name: names
file_rules:
  - {name: hooks, paths: ["**/.git/hooks/**"], operations: [write, create], decision: deny}
  - {name: vault, paths: ["**/vault/**"], operations: [read, open], decision: deny}
  - {name: all, paths: ["/**"], decision: allow}
command_rules: [{name: all, decision: allow}]
P2
new() { SID=$("$A" session create --workspace "$W" --policy "$1" 2>"$T/err" | jq -r .id); }
X() { timeout 60 "$A" exec "$SID" -- "$@"; }
rename() { X python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$1" "$2" 2>&1 | grep -o '\[Errno [0-9]*\]'; }

new "$T/p.yaml"
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
X sh -c 'cd /workspace && mkdir -p g/hooks && echo evil >g/hooks/pre-commit && mkdir -p h/hooks && echo good >h/hooks/x'
check "a directory with what may not be made there: EXDEV" is "$(rename /workspace/g /workspace/.git)" "[Errno 18]"
X sh -c 'cd /workspace && mv g .git' 2>/dev/null
check "mv copies, and the file stays out" test ! -e "$W/.git/hooks/pre-commit"
check "control: another name takes it" is "$(rename /workspace/h /workspace/k)$(cat "$W/k/hooks/x")" good
X sh -c 'cd /workspace && mkdir -p e/hooks k2 && echo evil >e/hooks/x' 2>/dev/null
check "nor by an exchange" is "$(X python3 -c '
import ctypes, os
os.chdir("/workspace"); c = ctypes.CDLL(None, use_errno=True)
print(c.renameat2(-100, b"e", -100, b".git", 2), ctypes.get_errno())')" "-1 18"
held() { X sh -c "cd /workspace/$1/sub/deep && cat f && mv /workspace/$1 /workspace/$2 && cat f" 2>/dev/null | tr '\n' ' '; }
check "control: a held directory is read after a rename" is "$(held open other)" "WORD WORD "
check "but by the rules of its new name" is "$(held plain vault)" "WORD "
"$A" session destroy "$SID" >/dev/null

# git's own configuration asks in the pack, and nobody is here to answer.
cat >"$T/default.yaml" <<'END'
version: 1
name: names-default
extends: default
file_rules:
  - name: a-repository-of-ours
    paths: ["${PROJECT_ROOT}/r/.git/config", "${PROJECT_ROOT}/r/.git/config.lock"]
    decision: allow
END
new "$T/default.yaml"
check "a session of the default pack is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
X sh -c 'mkdir -p /workspace/src/a/b && echo x >/workspace/src/a/b/c.c'
check "src to lib is one rename" is "$(rename /workspace/src /workspace/lib)$(cat "$W/lib/a/b/c.c")" x
check "and deeper" is "$(rename /workspace/lib/a/b /workspace/b.d)$(rename /workspace/b.d /workspace/lib/.hidden)$(cat "$W/lib/.hidden/c.c")" x
check "nor is a name of its own closed one taken" is "$(X mkdir /workspace/s0; rename /workspace/s0 /workspace/.ssh; ls -d "$W/.ssh" 2>/dev/null)" "[Errno 13]"
check "a directory of secrets is no ordinary one" is "$(X sh -c 'mkdir /workspace/s && echo x >/workspace/s/id'; rename /workspace/s /workspace/.aws)" "[Errno 18]"
X sh -c 'cd /workspace && git init -q r && cd r && git config user.email a@b && git config user.name a && mkdir d && echo 1 >d/f && git add . &&
	git commit -qm 1 && git checkout -qb x/y && git mv d e && git commit -qm 2 && git branch -m x/y z/w && git checkout -q - && git gc -q && git status --short' >"$T/git" 2>&1
check "git works" is "$(grep -v ^soft-delete: "$T/git")$(X git -C /workspace/r log --oneline z/w 2>&1 | wc -l) $(ls "$W/r")" "2 d"
the_end
