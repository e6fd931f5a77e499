#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What one command destroyed comes back in one step: content, modes, times, links; and what could not be kept is said or refused.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W"
cat >"$T/p.yaml" <<'P'
version: 1
name: undo
file_rules:
  - {name: kept, paths: ["/workspace/**"], operations: [delete, rmdir], decision: soft_delete}
  - {name: all, paths: ["/**"], decision: allow, undo: keep}
command_rules: [{name: all, decision: allow}]
P
# Of the tree: contents, kinds, modes, owners, times, link counts, targets and attributes; directories too.
state() {
	(cd "$W" && find . -type f -exec sha256sum {} + | sort -k2; find . -printf '%p %y %l %m %U:%G %n %T@\n' | sort
		python3 -c 'import os
for d, ds, fs in sorted(os.walk(".")):
    for f in sorted(fs + ds):
        p = d + "/" + f
        for x in sorted(os.listxattr(p, follow_symlinks=False)): print("xattr", p, x, os.getxattr(p, x, follow_symlinks=False).hex())') >"$T/now"
	sha256sum <"$T/now"
}
new() { SID=$("$A" session create --workspace "${1:-$W}" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id); }
# same NAME: the tree is as it was
as_before() { is "$(state)" "$before" || { diff "$T/before" "$T/now" | head -10; false; }; }
same() { check "$1" as_before; }
# The kernel keeps what it looked up for a second: what the host does here is seen after that.
again() { fresh; sleep 1.1; before=$(state); cp "$T/now" "$T/before"; }
# run COMMAND...: in the session; CMD is its id
run() {
	"$A" exec --output json "$SID" -- "$@" >"$T/out.json" 2>"$T/err"
	CMD=$(jq -r .command_id "$T/out.json")
}
undo() { "$A" undo "$SID" "$CMD" "$@" >"$T/out" 2>"$T/err"; }
fresh() {
	find "$W" -mindepth 1 -delete
	mkdir -p "$W/a/b/c" "$W/empty"
	for i in $(seq 20); do head -c $((i * 977)) /dev/urandom >"$W/a/f$i"; done
	echo deep >"$W/a/b/c/deep" && : >"$W/none"
	ln -s f1 "$W/a/link" && ln "$W/a/f2" "$W/a/b/second"
	chmod 751 "$W/a/b" && chmod 600 "$W/a/f3" && chmod 444 "$W/a/f4" && chmod 2755 "$W/empty"
	chown 1234:4321 "$W/a/f5"
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"kept")' "$W/a/f6"
	find "$W" -exec touch -h -d '2020-01-02 03:04:05.678901234' {} +
}

again
new
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
check "no rule of it is called unenforced" is "$(grep -c 'not enforced' "$T/err")" 0

run sh -c 'cd /workspace && rm -rf ./* ./.[!.]*'
check "control: the tree is gone" is "$(ls -A "$W")" ""
undo --dry-run
check "a dry run changes nothing" is "$(ls -A "$W")" ""
check "and says what would be" is "$(grep -c 'would give back' "$T/out")" "$(($(grep -c '^\./' "$T/before")))"
undo
check "an undo of rm -rf says no refusal" is "$? $(cat "$T/err")" "0 "
same "and brings all back: contents, modes, owners, times, links"
undo
check "a second time there is nothing to do" is "$?" 1

# What a command does to files that stay.
again
run python3 -c '
import os, mmap
os.chdir("/workspace/a")
open("f1", "w").write("shorter")                  # O_TRUNC
os.truncate("f2", 10)                             # a second name has it, too
f = open("f7", "r+b"); f.seek(100); f.write(b"x" * 50); f.close()
f = open("f8", "ab"); f.write(b"more"); f.close()
f = open("f9", "r+b"); m = mmap.mmap(f.fileno(), 0); m[0:4] = b"MMAP"; m.flush(); m.close(); f.close()
f = open("f10", "r+b"); os.ftruncate(f.fileno(), 0); f.close()
for i in range(3): open("f11", "w").write(str(i)) # kept once
open("new", "w").write("new"); open("new", "a").write("er")
open("tmp", "w").write("tmp"); os.unlink("tmp")
os.mkdir("newdir"); open("newdir/x", "w").close()
os.rename("f12", "moved"); os.rename("moved", "b/moved")
os.rename("b/c", "b/d"); open("b/d/deep", "w").write("other")
os.rename("f13", "f14")                           # replaces
os.link("f15", "linked"); os.unlink("f15")
os.symlink("nowhere", "b/sym"); os.unlink("link"); os.symlink("f2", "link")
os.chmod("f16", 0o666); open("f16", "w").write("mode")
for v in b"one", b"", b"two": os.setxattr("f6", "user.note", v)
os.removexattr("f6", "user.note"); os.setxattr("f17", "user.a b", b"new"); os.setxattr("b", "user.dir", b"x" * 1000)
fd = os.open(".", os.O_TMPFILE | os.O_RDWR); os.write(fd, b"unnamed"); os.fchmod(fd, 0o640); os.setxattr(fd, "user.own", b"1")
os.link("/proc/self/fd/%d" % fd, "named", follow_symlinks=True); os.fchmod(fd, 0o600); os.setxattr(fd, "user.own", b"2")
os.close(fd); os.unlink("b/second"); os.rename("named", "b/second")
'
check "control: the tree is another" test "$(state)" != "$before"
check "one pre-image for each file and command" is "$("$A" trash list --session "$SID" --json | jq '[.[] | select(.path | endswith("/f11"))] | length')" 1
check "records say what was kept" is "$("$A" events query --session "$SID" --type file_kept | jq -r 'select(.path | endswith("/f2")) | .operation + " " + .policy.rule')" "truncate all"
undo
check "an undo of many kinds says no refusal" is "$? $(cat "$T/err")" "0 "
same "and all is as it was"
check "what the command had made is in the trash" is "$("$A" trash list --all --session "$SID" --json | jq -r '.[] | select(.operation == "put aside" and (.path | endswith("/new"))) | .size')" 5

again
run sh -c 'cd /workspace; chmod 777 a a/f1; touch a/f2; chmod 644 a/f4; echo x >a/f4; mv a/f1 a/f0; rm -r empty'
undo
check "an undo of attributes says no refusal" is "$? $(cat "$T/err")" "0 "
same "modes and times that a command set are as they were"

# An attribute that no note holds; one of a file whose owner may not write it; ACLs.
acl() { # FILE WHICH USER: all for that user, none for the group
	python3 -c 'import os, struct, sys
e = (1, 7, -1), (2, 7, int(sys.argv[3])), (4, 0, -1), (16, 7, -1), (32, 1, -1)
os.setxattr(sys.argv[1], "system.posix_acl_" + sys.argv[2], struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *x) for x in e))' "$@"
}
again
"$A" session destroy "$SID" >/dev/null
acl "$W" access 54321
acl "$W/a/f8" access 54321
touch -d '2020-01-02 03:04:05.678901234' "$W/a/f8" "$W"
before=$(state) && cp "$T/now" "$T/before"
new
run python3 -c '
import os, struct
os.chdir("/workspace/a")
def acl(name, which, user):
    e = (1, 6, -1), (2, 4, user), (4, 4, -1), (16, 5, -1), (32, 0, -1)
    os.setxattr(name, "system.posix_acl_" + which, struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *x) for x in e))
acl("f7", "access", 12345); acl("f8", "access", 12345); acl("b", "default", 12345); acl("f9", "access", 12345)
open("f9", "w").write("and content")
os.removexattr("f8", "system.posix_acl_access")
os.setxattr("f10", "user.large", b"x" * 3000); os.setxattr("f10", "user.large", b"y")
'
check "control: attributes are others" test "$(state)" != "$before"
undo
check "an attribute too large for a note is said" is "$? $(cat "$T/err")" "1 agentsh: not undone: not kept $W/a/f10: too large: what its attribute was is not kept"
check "and recorded" is "$("$A" events query --session "$SID" --type file_not_kept | jq -r '.operation + " " + .path')" "setxattr $W/a/f10"
same "ACLs and modes are as they were"
# Where only the copy is left it carries them.
run sh -c 'echo x >/workspace/a/f6; echo x >/workspace/a/f8'
rm "$W/a/f6" "$W/a/f8"
undo
check "a copy has the attributes of the file" is "$(state | cat - "$T/now" | grep -c "xattr ./a/f[68] ")" 2
"$A" session destroy "$SID" >/dev/null
python3 -c 'import os, sys; os.removexattr(sys.argv[1], "system.posix_acl_access")' "$W"
new

# A formatter: half of them written in place, half replaced; large ones pass through the kernel.
again
mkdir "$W/src" && for i in $(seq 500); do printf 'int  f%d( ){return %d;}\n' "$i" "$i" >"$W/src/$i.c"; done
for i in 1 2; do head -c 300000 /dev/urandom >"$W/src/big$i.c"; done
touch -d '2021-01-01' "$W"/src/* && chmod 640 "$W"/src/1*.c
before=$(state) && cp "$T/now" "$T/before"
run sh -c 'cd /workspace/src && for i in $(seq 250); do f=$(cat $i.c); echo "/* neat */ $f" >$i.c; done; sed -i "s/  */ /" $(seq -f %g.c 251 500); for i in 1 2; do dd if=/dev/zero of=big$i.c bs=100k count=1 conv=notrunc 2>/dev/null; done'
check "control: all are rewritten" is "$(find "$W/src" -newermt '2022-01-01' -name '*.c' | wc -l)" 502
undo
check "an undo of a formatter says no refusal" is "$? $(cat "$T/err")" "0 "
same "502 rewritten files are as they were"

# git checkout -f
again
g() { git -C "$W" -c user.name=n -c user.email=e@x -c commit.gpgsign=false "$@" >/dev/null 2>&1; }
g init -q && g add -A && g commit -qm one && g checkout -qb other
for i in 1 2 3; do echo other >"$W/a/f$i"; done
rm "$W/a/f7" && echo n >"$W/onlyother" && g add -A && g commit -qm two && g checkout -q -
for i in 1 2 9; do echo "not committed $i" >"$W/a/f$i"; done
echo untracked >"$W/untracked"
before=$(state) && cp "$T/now" "$T/before"
run git -c safe.directory='*' -C /workspace checkout -f other
check "control: checked out" is "$(cat "$W/onlyother" "$W/a/f1")" "n
other"
undo
check "an undo of git checkout -f says no refusal" is "$? $(cat "$T/err")" "0 "
same "what it threw away is there again"
rm -rf "$W/.git"

# After the session's end, and what stands in the way is not overwritten.
again
run sh -c 'cd /workspace/a && rm f1 f2 && echo x >f3 && mv f4 f44'
"$A" session destroy "$SID" >/dev/null
echo mine >"$W/a/f1"
undo
check "what stands in the way is left alone, and said" is "$? $(cat "$W/a/f1") $(grep -c 'not undone: deleted .*/a/f1: something else' "$T/err")" "1 mine 1"
check "the rest is back" test "$(stat -c %s "$W/a/f2" "$W/a/f4" | tr '\n' ' ')" = "1954 3908 "
undo --force --json
check "who insists gets it" is "$? $(jq -r '.undone[].operation' "$T/out")" "0 deleted"
check "and loses nothing" is "$("$A" trash list --all --session "$SID" --json | jq -r '.[] | select(.operation == "put aside" and .size == 5 and (.path | endswith("/a/f1"))) | .command_id')" "undo"
touch -d '2020-01-02 03:04:05.678901234' "$W/a"
same "all is as it was, after the session's end"

# Restoring one.
new
run sh -c 'echo over >/workspace/a/f1'
token=$("$A" trash list --session "$SID" --json | jq -r '.[] | select(.operation == "truncated" or .operation == "overwritten") | .token')
"$A" trash restore "$token" --session "$SID" >/dev/null 2>"$T/err"
check "an earlier content overwrites nothing unasked" is "$(cat "$W/a/f1") $(grep -c 'File exists' "$T/err")" "over 1"
"$A" trash restore "$token" --session "$SID" --dest "$W/earlier" --dry-run >"$T/out"
check "a dry run restores nothing" is "$(cat "$T/out") $(ls "$W/earlier" 2>/dev/null)" "would be restored to $W/earlier "
inode=$(stat -c %i "$W/a/f1")
"$A" trash restore "$token" --session "$SID" --force >/dev/null
same "by force it comes back"
check "into the same file" is "$(stat -c %i "$W/a/f1")" "$inode"

# Purge and empty.
run sh -c 'rm /workspace/a/f1 /workspace/a/f2; echo >/workspace/a/f3'
"$A" trash purge --session "$SID" "$("$A" trash list --session "$SID" --json | jq -r '.[] | select(.path | endswith("/f1")) | .token')" >"$T/out"
check "purge removes what is named" is "$(cat "$T/out") $("$A" trash list --session "$SID" --json | jq length)" "removed 1 entry 2"
check "a dry run removes nothing" is "$("$A" trash empty --session "$SID" --dry-run) $("$A" trash list --session "$SID" --json | jq length)" "would remove 3 entries 2"
check "purge by age keeps what is younger" is "$("$A" trash purge --ttl 1h --session "$SID")" "removed 0 entries"
undo
check "an undo says what was purged" is "$? $(grep -c "purged $W/a/f1: purged from the trash since" "$T/err") $(stat -c %s "$W/a/f2" "$W/a/f3" | tr '\n' ' ')" "1 1 1954 2931 "
"$A" trash empty --session "$SID" >/dev/null
check "empty leaves nothing" is "$("$A" trash list --all --session "$SID" --json | jq length)" 0

# Too large to be copied: the command goes on, and the undo says so.
again
truncate -s 65M "$W/huge"
run sh -c 'echo >/workspace/huge; echo >/workspace/a/f1'
undo
check "what was too large to keep is said" is "$? $(grep -c "not kept $W/huge: too large" "$T/err") $(stat -c %s "$W/a/f1")" "1 1 977"
check "and recorded" is "$("$A" events query --session "$SID" --type file_not_kept | jq -r .path)" "$W/huge"
rm "$W/huge"
"$A" session destroy "$SID" >/dev/null

# fsd dies before each of its steps: of a command, then of the undo. What was acknowledged is in its place or kept.
worker() { for p in $(pgrep -f -- "--worker $SID"); do [ "$(readlink "/proc/$p/exe")" = "$bin/agentsh-fsd" ] && echo "$p"; done; }
# die SYSCALL N COMMAND...: the N-th such call is the worker's end
die() {
	local pid call=$1 n=$2
	pid=$(worker)
	strace -qq -o /dev/null -p "$pid" -e trace="$call" -e inject="$call:signal=KILL:when=$n" 2>"$T/strace" &
	child $!
	soon grep -q "TracerPid:	[1-9]" "/proc/$pid/status"
	"${@:3}"
	[ ! -e "/proc/$pid/exe" ]
}
work='cd /workspace/a && rm f1 && echo x >f2 && mv f3 f4 && mv f5 b/five && echo y >>f6 && mkdir n && echo z >n/z && chmod 777 f7 && rmdir ../empty'
last_command() { jq -r 'select(.command_id).command_id' "$T/data/sessions/$SID/events-execd.jsonl" | tail -1; }
died=0
for at in symlinkat:1 symlinkat:2 renameat2:1 renameat2:2 renameat2:3 renameat2:4 copy_file_range:1 copy_file_range:3 pwrite64:1 pwrite64:2 \
	fchown:1 fchmod:2 utimensat:1 mkdirat:1; do
	fresh
	before=$(state) && cp "$T/now" "$T/before"
	new
	die "${at%:*}" "${at#*:}" run sh -c "$work" && died=$((died + 1))
	CMD=$(last_command)
	undo
	check "fsd killed in a command before $at: an undo gives back all" as_before
	"$A" session destroy "$SID" >/dev/null 2>&1
done
for at in renameat2:1 renameat2:2 renameat2:4 unlinkat:1 unlinkat:3 ftruncate:1 copy_file_range:2 copy_file_range:3 fchmod:2 utimensat:2 symlinkat:1; do
	fresh
	before=$(state) && cp "$T/now" "$T/before"
	new
	run sh -c "$work"
	die "${at%:*}" "${at#*:}" undo && died=$((died + 1))
	undo
	check "fsd killed in an undo before $at: another gives back all" as_before
	"$A" session destroy "$SID" >/dev/null 2>&1
done
check "control: it was killed each time" is "$died" 25

pairs() { (cd "$T/data/sessions" && find . -path '*/trash/*' -regex '.*/[0-9a-f]*\(\.ok\)?' | sed 's/\.ok$//' | sort | uniq -c | grep -vc ' 2 '); }
check "each entry has its data, and all data an entry" is "$(pairs)" 0

# Checkpoints: all commands since, together.
again
new
run sh -c 'echo early >/workspace/early'
before=$(state) && cp "$T/now" "$T/before"
early=$("$A" checkpoint create --session "$SID" --reason 'before the tests' 2>"$T/err")
check "a policy that keeps what is written has no warning" is "$(cat "$T/err")" ""
run sh -c 'cd /workspace; echo one >early; rm -r a/b; echo x >a/new'
run sh -c 'cd /workspace; echo two >early; mv a/f1 a/f2; echo y >a/new'
late=$("$A" checkpoint create --session "$SID" --json | jq -r .id)
run sh -c 'cd /workspace; echo three >early; rm a/new; mkdir b'
check "checkpoints are listed" is "$("$A" checkpoint list --session "$SID" --json | jq -r '.[].reason' | tr '\n' ,)" "before the tests,manual checkpoint,"
check "a diff names what changed since" is "$("$A" checkpoint show "$late" --diff --session "$SID" --json | jq -r '.undone[] | .operation + " " + .path' | sed "s|$W/||" | sort | tr '\n' ,)" "deleted a/new,made b,truncated early,"
"$A" checkpoint rollback "$late" --session "$SID" >/dev/null
check "a rollback to the later one" is "$(cat "$W/early" "$W/a/new" | tr '\n' ,) $(ls -d "$W/b" 2>/dev/null)" "two,y, "
check "a checkpoint is purged" is "$("$A" checkpoint purge "$late" --session "$SID") $("$A" checkpoint list --session "$SID" | wc -l)" "removed 1 checkpoint 1"
"$A" session destroy "$SID" >/dev/null
"$A" checkpoint rollback "$early" --session "$SID" >"$T/out" 2>"$T/err"
check "a rollback to the earlier one, after the session's end" is "$? $(cat "$T/err")" "0 "
same "gives the tree of that time"
check "a session that has ended gets no new one" is "$("$A" checkpoint create --session "$SID" 2>&1 | grep -c 'has ended')" 1

# A mount without a session has no commands, but points in time.
M=$T/mnt
mkdir "$M"
fresh
SID=$("$A" mount --policy "$T/p.yaml" --json "$W" "$M" | jq -r .id)
echo early >"$M/early"
before=$(state) && cp "$T/now" "$T/before"
early=$("$A" checkpoint create --session "$SID")
echo over >"$M/early" && rm -r "$M/a/b" && mv "$M/a/f1" "$M/a/f2" && echo new >"$M/a/new" && chmod 777 "$M/a"
python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"other")' "$M/a/f6"
check "control: the mounted tree is another" test "$(state)" != "$before"
check "a command is not known there" is "$("$A" undo "$SID" cmd-1 2>&1 | grep -c 'nothing is kept')" 1
"$A" umount "$M"
"$A" checkpoint rollback "$early" --session "$SID" >"$T/out" 2>"$T/err"
check "a rollback of a mount, after its end" is "$? $(cat "$T/err")" "0 "
same "gives the mounted tree of that time"

# Somebody's own session, with that one's rights; nobody else's.
chmod 711 "$T" "$T/run" "$T/data" && chmod 644 "$T/p.yaml"
for s in execd fsd netd; do chmod 666 "$T/run/$s.sock"; done
cp "$A" "$T/agentsh" && chmod 755 "$T/agentsh"
as_other() { HOME=/ setpriv --reuid=12345 --regid=12345 --clear-groups "$T/agentsh" "$@"; }
fresh
rm "$W/a/f5" && mkdir -m 777 "$W/open" && chown -R 12345:12345 "$W/a" "$W"
find "$W" -exec touch -h -d '2020-01-02 03:04:05.678901234' {} +
before=$(state) && cp "$T/now" "$T/before"
SID=$(as_other session create --workspace "$W" --policy "$T/p.yaml" 2>/dev/null | jq -r .id)
as_other exec --output json "$SID" -- sh -c 'cd /workspace/a && rm -r b f1 && echo x >f2 && chmod 600 f4 && echo y >f4 && chmod 400 f4 && mv f6 ../open/six && ln -s f7 f1 && ln -s / b' >"$T/out.json" 2>/dev/null
CMD=$(jq -r .command_id "$T/out.json")
new
check "another session knows nothing of it" is "$("$A" undo "$SID-x" "$CMD" 2>&1 >/dev/null | grep -c 'unknown session')$(undo 2>&1; grep -c 'nothing is kept' "$T/err")" 11
HOME=/ setpriv --reuid=4321 --regid=4321 --clear-groups "$T/agentsh" undo "$(jq -r .session_id "$T/out.json")" "$CMD" >/dev/null 2>&1
check "another user undoes nothing" test "$(stat -c %F "$W/a/b")" = "symbolic link"
as_other undo "$(jq -r .session_id "$T/out.json")" "$CMD" >"$T/out" 2>"$T/err"
check "a user undoes what was the user's" is "$? $(cat "$T/err")" "0 "
same "and it is as it was"
"$A" session destroy "$SID" >/dev/null
# What stands between is a link by now: nothing is followed out of the workspace.
mkdir "$T/outside" && chmod 777 "$T/outside"
as_other exec --output json "$(jq -r .session_id "$T/out.json")" -- sh -c 'rm -r /workspace/a/b' >"$T/out2.json" 2>/dev/null
ln -s "$T/outside" "$W/a/b"
as_other undo "$(jq -r .session_id "$T/out.json")" "$(jq -r .command_id "$T/out2.json")" >/dev/null 2>"$T/err"
check "an undo follows no link" is "$? $(ls -A "$T/outside")" "1 "
as_other session destroy "$(jq -r .session_id "$T/out.json")" >/dev/null

# The limits: oldest first; what is larger than all of them is not removed.
mkdir -p "$HOME/.config/agentsh"
printf 'trash: {max_bytes: 1M, max_entries: 10, max_age: 1h}\n' >"$HOME/.config/agentsh/config.yaml"
again
head -c 2000000 /dev/urandom >"$W/two"
new
run sh -c 'cd /workspace/a; for i in $(seq 15); do rm f$i; done; rm ../two && echo gone'
check "what is larger than the trash is refused, not lost" is "$(jq -r .result.stdout.data "$T/out.json" 2>/dev/null | grep -c gone) $(stat -c %s "$W/two")" "0 2000000"
check "of more than it may hold the newest stay" is "$("$A" trash list --session "$SID" --json | jq -r '.[].path' | sed 's/.*f//' | sort -n | tr '\n' ' ')" "6 7 8 9 10 11 12 13 14 15 "
check "and that is recorded" test "$("$A" events query --session "$SID" --type trash_purged | jq -s 'map(.entries) | add')" = 5
undo
check "an undo says what is gone" is "$? $(grep -c 'purged from the trash since' "$T/err") $(find "$W/a" -maxdepth 1 -name "f*" | wc -l)" "1 5 15"
"$A" session destroy "$SID" >/dev/null
printf 'trash: {max_bytes: many}\n' >"$HOME/.config/agentsh/config.yaml"
check "a limit that is none is refused" is "$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>&1 >/dev/null | grep -c 'is no size')" 1
rm "$HOME/.config/agentsh/config.yaml"

# The journal's end is cut off: what is left is used.
again
new
run sh -c 'cd /workspace; mv a/f1 a/moved; rm a/f2; mv a/f3 a/last'
"$A" session destroy "$SID" >/dev/null
truncate -s -3 "$T/data/sessions/$SID/trash/journal"
undo
check "with the last note cut off the others are undone" is "$? $(cd "$W/a" && echo f1 f2 f3 moved last | xargs -n1 ls 2>/dev/null | tr '\n' ' ')" "0 f1 f2 last "
check "and it is said" is "$(grep -c 'bytes of the trash.s journal cannot be read' "$T/run/server.log")" 1

# The power is cut: all content is there, in place or given back.
disk=$T/disk
mkdir -p "$disk"
image=$T/image
truncate -s 64M "$image"
power_cut() { python3 -c 'import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' "$disk"; }
contents() { find "$disk/a" "$disk/b" -type f -exec sha256sum {} + | cut -c1-64 | sort | sha256sum; }
if mkfs.ext4 -qF "$image" && mount -o loop "$image" "$disk" 2>/dev/null; then
	for wait in 0 0.3 1 6; do
		rm -rf "$disk/a" "$disk/b" && mkdir "$disk/a" "$disk/b"
		for i in $(seq 60); do head -c $((i * 977)) /dev/urandom >"$disk/a/f$i"; done
		sync -f "$disk"
		sum=$(contents)
		new "$disk"
		run sh -c 'cd /workspace/a; for i in $(seq 20); do rm f$i; done; for i in $(seq 21 40); do echo x >f$i; done; for i in $(seq 41 60); do mv f$i ../b/g$i; done'
		sleep "$wait"
		power_cut
		"$A" session destroy "$SID" >/dev/null 2>&1
		# From a copy: whoever else made a mount namespace meanwhile keeps the one that was cut.
		cp --sparse=always "$image" "$image.$wait"
		umount -l "$disk"
		image=$image.$wait
		mount -o loop "$image" "$disk"
		[ "$wait" = 6 ] && check "control: the command's changes are on the disk" test "$(contents)" != "$sum"
		undo
		check "power cut ${wait} s after a command: no content is lost" is "$(contents)" "$sum"
		"$A" trash empty --session "$SID" >/dev/null 2>&1
	done
	umount -l "$disk"
fi

# A file system of its own, small: full, the operation is refused and nothing is lost.
small=$T/small
mkdir -p "$small"
if mount -t tmpfs -o size=8m,nr_inodes=60 tmpfs "$small" 2>/dev/null; then
	head -c 5000000 /dev/urandom >"$small/five"
	head -c 1000 /dev/urandom >"$small/one"
	sum=$(cat "$small"/* | sha256sum)
	new "$small"
	run sh -c 'echo over >/workspace/five'
	check "no room for the old content: the write is refused" is "$(jq -r .exit_code "$T/out.json") $(cat "$small"/* | sha256sum)" "2 $sum"
	run sh -c 'cd /workspace; rm one; for i in $(seq 60); do : >i$i; done; rm five'
	check "no inode for the entry: the removal is refused" is "$(stat -c %s "$small/five")" 5000000
	check "control: the directory is full" is "$(df --output=iavail "$small" | tail -1 | tr -d ' ')" 0
	rm "$small"/i*
	undo
	check "what was kept comes back" is "$(cat "$small/five" "$small/one" | sha256sum)" "$sum"
	"$A" session destroy "$SID" >/dev/null
	umount -l "$small"
fi
the_end
