#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an ACL of the host refuses a user it refuses that user's sessions, though the mode bits would let everybody in.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W"
chmod 711 "$T"
cat >"$T/acl.py" <<'P2'
# FILE [TAG:ID:PERM]...: an ACL that gives owner and mask all, group and others what the mode bits say, and the named what is said.
import os, struct, sys
tags = {"u": 2, "g": 8}
m = os.stat(sys.argv[1]).st_mode
named = sorted((tags[t], int(p), int(i)) for t, i, p in (a.split(":") for a in sys.argv[2:]))
e = [(1, 7, 2**32 - 1)] + [x for x in named if x[0] == 2] + [(4, m >> 3 & 7, 2**32 - 1)] + [x for x in named if x[0] == 8] + [(16, 7, 2**32 - 1), (32, m & 7, 2**32 - 1)]
os.setxattr(sys.argv[1], "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *x) for x in e))
P2
acl() { python3 "$T/acl.py" "$@"; }
printf 'version: 1\nname: acl\nfile_rules: [{name: all, paths: ["/**"], decision: allow}]\ncommand_rules: [{name: all, decision: allow}]\n' >"$T/p.yaml"
for n in user group other plain; do mkdir -m 777 "$W/$n.d" && echo "$n" | tee "$W/$n.d/in" >"$W/$n" && cp /bin/echo "$W/$n.prog" && chmod 666 "$W/$n" "$W/$n.d/in" && chmod 755 "$W/$n.prog"; done
if ! acl "$W/user" u:12345:0 2>"$T/err"; then
	echo "ok skipped: this file system has no ACLs"
	exit 0
fi
for at in "" .d .prog; do acl "$W/user$at" u:12345:0 && acl "$W/group$at" g:23456:0 && acl "$W/other$at" u:4711:0; done
chmod 644 "$T/p.yaml"
cp "$A" "$T/agentsh" && chmod 755 "$T/agentsh"
as_other() { HOME=/ setpriv --reuid=12345 --regid=12345 --groups=23456 "$T/agentsh" "$@"; }
"$A" session list >/dev/null
"$A" session destroy "$("$A" session create --workspace "$W" --policy "$T/p.yaml" | jq -r .id)" >/dev/null
chmod 711 "$T/run" "$T/data"
for s in execd fsd netd; do chmod 666 "$T/run/$s.sock"; done
SID=$(as_other session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
X() { as_other exec "$SID" -- "$@"; }
cat >"$T/try" <<'P2'
cat @
head -c 1 <>@
echo more >>@
: >@
truncate -s 3 @
ls @.d/
cat @.d/in
touch @.d/new && ls @.d/new
mkdir @.d/sub && rmdir @.d/sub
mv @.d/in @.d/moved && mv @.d/moved @.d/in
ln @.d/in @.d/second && rm @.d/second
@.prog x
P2
while read -r line; do
	for n in plain other user group; do
		X sh -c "cd /workspace; ls -l >/dev/null; ${line//@/./$n}" >/dev/null 2>&1 </dev/null
		r=$?
		case $n in
		plain | other) check "control, $n: $line" is $r 0 ;;
		*) check "refused, $n: $line" test $r -ne 0 ;;
		esac
	done
done <"$T/try"
check "nothing of it was changed" is "$(cat "$W/user" "$W/group" "$W/user.d/in" "$W/group.d/in" | tr '\n' ' ')$(find "$W/user.d" "$W/group.d" -name new | wc -l)" "user group user group 0"
as_other session destroy "$SID" >/dev/null
the_end
