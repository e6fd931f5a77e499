#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the host has mounted below the trees that a session sees: the kernel's own file systems stay out, others are served.
set -u
[ "${1:-}" = inside ] || exec unshare -m --propagation private -- "$0" inside
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
core=sys/kernel/core_pattern
mkdir -p "$W/chroot/proc" "$W/chroot/sys" "$W/chroot/tmp"
mount -t tmpfs tmpfs /opt && mkdir -p "/opt/a b/proc" /opt/tmp
for at in "$W/chroot" '/opt/a b'; do mount -t proc proc "$at/proc"; done
mount -t sysfs sysfs "$W/chroot/sys"
for at in "$W/chroot" /opt; do mount -t tmpfs tmpfs "$at/tmp" && echo other >"$at/tmp/file"; done
policy() { printf 'version: 1\nname: test\nfile_rules:\n%s\n  - {name: all, paths: ["/", "/**"], decision: allow}\ncommand_rules: [{name: all, decision: allow}]\n' "$1" >"$T/p.yaml"; }
try() { # NAME: one session's look at both places
	SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
	check "$1: a session is made" [ -n "$SID" ] || { cat "$T/err"; return; }
	X() { timeout 60 "$A" exec "$SID" -- "$@"; }
	check "$1: control: its own /proc is there" is "$(X sh -c "cat /proc/$core | wc -l")" 1
	check "$1: the host's below the workspace is not" is "$(X ls /workspace/chroot/proc/sys 2>/dev/null | wc -l)" 0
	check "$1: nor its sysfs" is "$(X ls /workspace/chroot/sys/kernel 2>/dev/null | wc -l)" 0
	check "$1: nor the one below /opt" is "$(X ls "/opt/a b/proc/sys" 2>/dev/null | wc -l)" 0
	check "$1: control: other file systems are" is "$(X cat /workspace/chroot/tmp/file /opt/tmp/file | tr '\n' ' ')" "other other "
	check "$1: the rest can be listed" is "$(X ls /workspace/chroot | wc -l)" 3
	"$A" session destroy "$SID" >/dev/null
}
check "control: the host's is there" is "$(wc -l <"$W/chroot/proc/$core")" 1
check "control: and below /opt" is "$(wc -l <"/opt/a b/proc/$core")" 1
policy ''
try "plain binds"
policy '  - {name: closed, paths: ["/opt/closed/**"], decision: deny}'
try "served trees"
"$A" session create --workspace "$W/chroot/proc" --policy "$T/p.yaml" >/dev/null 2>"$T/err"
check "one of them is no workspace" test $? -ne 0
# A workspace on another file system than the sessions keeps its trash itself, in what is root's own.
V=$T/other
mkdir "$V" && mount -t tmpfs tmpfs "$V" && echo word >"$V/f" && mkdir -m 777 "$V/theirs" && chown 12345 "$V/theirs"
printf 'version: 1\nname: test\nfile_rules:\n  - {name: kept, paths: ["/workspace/**"], operations: [delete], decision: soft_delete}\n  - {name: all, paths: ["/**"], decision: allow}\ncommand_rules: [{name: all, decision: allow}]\n' >"$T/p.yaml"
new() { SID=$("$A" session create --workspace "$V" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id) && [ -n "$SID" ]; }
ln -s theirs "$V/.agentsh-trash"
check "a store that is a link: no session" is "$(new && echo made)" ""
rm "$V/.agentsh-trash" && mkdir -m 700 "$V/.agentsh-trash" && chown 12345 "$V/.agentsh-trash"
check "one that is somebody's: no session" is "$(new && echo made)" ""
check "and it is said" grep -q "must be root's own" "$T/err"
chown 0 "$V/.agentsh-trash" && chmod 755 "$V/.agentsh-trash"
check "one that others may read: no session" is "$(new && echo made)" ""
rmdir "$V/.agentsh-trash"
check "control: none: it is made" new
timeout 60 "$A" exec "$SID" -- sh -c 'cd /workspace; rm f; ls -a .agentsh-trash; mv .agentsh-trash x; mv theirs .agentsh-trash; rmdir .agentsh-trash; rm -r .agentsh-trash; python3 -c "
import ctypes
print(ctypes.CDLL(None).renameat2(-100, b\"theirs\", -100, b\".agentsh-trash\", 2))"' >"$T/out" 2>/dev/null
check "it is neither seen nor moved" is "$(cat "$T/out") $(stat -c %u:%a "$V/.agentsh-trash") $(ls "$V")" "-1 0:700 theirs"
"$A" trash restore --all --session "$SID" >/dev/null
check "what was deleted comes back" is "$(cat "$V/f")" word
# A workspace below what the policy closes: its real name leads to it, and to nothing beside it.
mount -t tmpfs tmpfs /srv && mkdir -p /srv/a/b/ws && echo word >/srv/a/b/ws/f && echo other >/srv/a/f
below() { # NAME RULES
	printf 'version: 1\nname: test\nfile_rules:\n%s\n  - {name: closed, paths: ["/srv", "/srv/**"], decision: deny}\ncommand_rules: [{name: all, decision: allow}]\n' "$2" >"$T/p.yaml"
	SID=$("$A" session create --workspace /srv/a/b/ws --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
	check "$1: a session is made" [ -n "$SID" ] || { cat "$T/err"; return; }
	check "$1: by its real name" is "$(X sh -c 'cd /srv/a/b/ws && cat f')" word
	check "$1: what is beside it is closed" is "$(X sh -c 'cat /srv/a/f /srv/a/b/ws/../../f; ls /srv/a' 2>/dev/null)" "$3"
	"$A" session destroy "$SID" >/dev/null
}
below "a served tree" '  - {name: ws, paths: ["${PROJECT_ROOT}", "${PROJECT_ROOT}/**", "/srv/open"], decision: allow}' ""
below "an empty tree, for the workspace has a mount of its own" '  - {name: ws, paths: ["${PROJECT_ROOT}", "${PROJECT_ROOT}/**"], decision: allow}' b
below "an empty tree" '  - {name: ws, paths: ["/workspace", "/workspace/**"], decision: allow}' b
umount -l /srv "$V" "$W/chroot/proc" "$W/chroot/sys" "$W/chroot/tmp" /opt
the_end
