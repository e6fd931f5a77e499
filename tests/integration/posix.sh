#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# POSIX, compared: the same acts on the host's file system and through fsd come to the same, error by error and stat by stat; in a session
# as with its rights (none but the ids), and through a mount without a session as each caller. What the policy closes stays closed by every
# new way in. A class differs nowhere but in what is named here: set-id bits of files and device nodes, which a session does not give.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws N=$T/native D=$T/dir M=$T/mnt
mkdir -m 777 "$W" "$N" "$D" "$M"
chmod 711 "$T"
gcc -Wall -Wextra -O1 -o "$T/posix" "$top/tests/integration/posix.c" "$top/tests/integration/posix_io.c" || exit 1
cp "$T/posix" "$W/posix"
cat >"$T/all.yaml" <<'P'
version: 1
name: all
file_rules: [{name: all, paths: ["/**"], decision: allow}]
command_rules: [{name: all, decision: allow}]
P
cat >"$T/some.yaml" <<'P'
version: 1
name: some
file_rules:
  - {name: closed, paths: ["/workspace/**/*.closed"], operations: [create], decision: deny}
  - {name: unwritten, paths: ["/workspace/**/*.fixed"], operations: [write], decision: deny}
  - {name: unread, paths: ["/workspace/**/*.secret"], operations: [read, open], decision: deny}
  - {name: ask, paths: ["/workspace/q"], operations: [read], decision: approve, timeout: 20s}
  - {name: kept, paths: ["/workspace/kept/**"], operations: [delete], decision: soft_delete}
  - {name: rest, paths: ["/**"], decision: allow}
command_rules: [{name: all, decision: allow}]
P
classes="names opening links renames times setid unnamed attributes holes any copies maps direct locks dirs acls"
same() { # FILE FILE: equal, and something was done
	[ -s "$1" ] && diff "$1" "$2"
}

# Through a mount, as root and as another.
"$A" mount --policy "$T/all.yaml" --json "$D" "$M" >"$T/mounted" || exit 1
check "a mount is made" is "$(jq -r .mountpoint "$T/mounted")" "$M"
for who in 0 12345; do
	for c in $classes $([ $who = 0 ] && echo stripped refused); do
		setpriv --reuid=$who --regid=$who --groups=23456 "$T/posix" "$c" "$N" >"$T/n.$c" 2>&1
		setpriv --reuid=$who --regid=$who --groups=23456 "$T/posix" "$c" "$M" >"$T/m.$c" 2>&1
		check "through a mount, uid $who: $c" same "$T/n.$c" "$T/m.$c"
	done
	rm -rf "${N:?}"/* "${M:?}"/*
done

# Capabilities of a program do not outlive its content, nor its owner.
caps() { /usr/bin/python3 -c 'import os, sys; sys.exit("security.capability" not in os.listxattr(sys.argv[1]))' "$1"; }
give() { /usr/bin/python3 -c 'import os, struct, sys; os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x2000001, 1 << 10, 0, 0, 0))' "$1"; }
for how in 'printf x >>' ': >' 'truncate -s 1' 'chown 1:1' 'python3 -c "import os,sys; f=open(sys.argv[1],\"r+b\"); os.posix_fallocate(f.fileno(),0,9000)"'; do
	cp /bin/true "$D/prog" && give "$D/prog"
	check "control: the program has a capability" caps "$D/prog"
	(cd "$M" && eval "$how prog")
	check "none is left after: $how" test "$(caps "$D/prog" && echo has)" = ""
done
rm -f "$D/prog"

# One that waits for the disk keeps nobody else waiting.
cat >"$T/sync.py" <<'P'
import os, sys, threading, time
os.chdir(sys.argv[1])
fd = os.open("big", os.O_CREAT | os.O_WRONLY)
for _ in range(200):
    os.write(fd, bytes(1 << 20))
answered, began = 0, time.monotonic()
t = threading.Thread(target=os.fsync, args=(fd,))
t.start()
while t.is_alive():
    os.path.exists("none%d" % answered)
    answered += 1
print("ok" if answered > 20 or time.monotonic() - began < 0.02 else "%d answers" % answered)
os.unlink("big")
P
check "others are served during an fsync" is "$(/usr/bin/python3 "$T/sync.py" "$M")" ok
# Nor does one that holds a lease on the host's file.
cat >"$T/lease.py" <<'P'
import errno, fcntl, os, signal, sys, time
below, above = sys.argv[1:]
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open(below + "/leased", os.O_CREAT | os.O_RDWR)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
began = time.monotonic()
try:
    os.open(above + "/leased", os.O_RDONLY)
    print("opened")
except OSError as e:
    print(errno.errorcode[e.errno], "at once" if time.monotonic() - began < 2 else "late")
os.close(fd)
os.close(os.open(above + "/leased", os.O_RDONLY))
os.unlink(below + "/leased")
P
check "a lease holds up nobody" is "$(/usr/bin/python3 "$T/lease.py" "$D" "$M")" "EAGAIN at once"
"$A" umount "$M"

# What a directory's fsync promises is on the disk: the journal below is asked to write.
if truncate -s 64M "$T/img" && mkfs.ext4 -q "$T/img" 2>/dev/null && mkdir "$T/disk" && mount -o loop "$T/img" "$T/disk" 2>/dev/null; then
	loop=$(findmnt -no SOURCE "$T/disk")
	journal() { sed -n '1s/.*(\([0-9]*\) requested.*/\1/p' "/proc/fs/jbd2/${loop#/dev/}-8/info"; }
	"$A" mount --policy "$T/all.yaml" "$T/disk" "$M" >/dev/null
	touch "$M/first" && sync "$T/disk"
	before=$(journal)
	touch "$M/second"
	check "control: the journal waits" is "$(journal)" "$before"
	sync "$M"
	check "a directory is synced" test "$(journal)" -gt "$before"
	"$A" umount "$M"
	soon umount "$T/disk" 2>/dev/null
else
	echo "ok skipped: no loop device here"
fi

# The mount's life.
"$A" mount --policy "$T/all.yaml" --json "$D" "$M" >"$T/mounted"
(cd "$M" && exec sleep 60) &
child $!
soon [ "$(readlink /proc/$!/cwd)" = "$M" ]
check "in use it stays" [ "$("$A" umount "$M" 2>&1 | grep -c busy)" = 1 ]
end_children
check "not in use it goes" "$A" umount "$M/"
check "what is no mount of ours is refused" test "$("$A" umount /proc 2>&1 | grep -c 'not a mount')" = 1
unserved() { ! pgrep -f -- "--worker $(jq -r .id "$T/mounted")\$" >/dev/null; }
check "its worker ends with it" soon unserved
"$A" mount --policy "$T/all.yaml" --json "$D" "$D" >"$T/mounted"
check "DIR may be the place itself" is "$(jq -r .dir "$T/mounted")" "$D"
echo word >"$D/file"
kill -KILL "$(pgrep -f -- "--worker $(jq -r .id "$T/mounted")\$")"
dead() { head "$D/file" 2>&1 | grep -q 'not connected'; }
check "a dead server is an error" soon dead
check "and can be unmounted" "$A" umount "$D"
check "the file is there" is "$(cat "$D/file")" word

# A workspace with an ACL of its own: then ACLs are shown.
/usr/bin/python3 -c 'import os, struct, sys
e = (1, 7, -1), (2, 7, 54321), (4, 7, -1), (16, 7, -1), (32, 7, -1)
os.setxattr(sys.argv[1], "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *x) for x in e))' "$W"
# What it keeps comes back, while it is there and after; what it asks is asked.
"$A" mount --policy "$T/some.yaml" --json "$D" "$M" >"$T/mounted"
ID=$(jq -r .id "$T/mounted")
# Names of one file that rules tell apart are one file all the same, at once.
cat >"$T/names.sh" <<'S'
mkdir deep && echo 1 >top && ln top deep/name && stat -c '%h %s %a' top deep/name
echo 12345 >top && stat -c '%h %s' deep/name && echo 67 >>deep/name && stat -c '%h %s' top && cat top
chmod 600 deep/name && stat -c %a top && ln deep/name deep/third && stat -c %h top deep/name
rm deep/name && stat -c %h top deep/third && rm top && stat -c '%h %s %a' deep/third
rm -r deep
S
(cd "$N" && sh "$T/names.sh") >"$T/n.names" 2>&1
(cd "$M" && sh "$T/names.sh") >"$T/m.names" 2>&1
check "names that are judged otherwise show one file" same "$T/n.names" "$T/m.names"
mkdir "$D/kept" && echo asked >"$D/q"
for f in one two; do echo $f >"$D/kept/$f" && rm "$M/kept/$f"; done
token() { "$A" trash list --json | jq -r --arg t "kept/$1" '.[] | select(.path | endswith($t)) | .token'; }
"$A" trash restore "$(token one)" >/dev/null
check "a delete comes back" is "$(cat "$M/kept/one")" one
"$A" approve watch </dev/null >"$T/watch" 2>&1 &
child $!
sleep 0.7
head "$M/q" >"$T/answer" 2>&1 &
job=$!
asked() { "$A" approve list | jq -r '.[].target' | grep -q '/q$'; }
check "a question is put" soon asked
"$A" approve resolve "$("$A" approve list | jq -r '.[0].id')" --allow >/dev/null
wait "$job"
end_children
check "and answered" is "$(cat "$T/answer")" asked
"$A" umount "$M"
soon unserved
"$A" trash restore "$("$A" trash list --session "$ID" --json | jq -r '.[].token')" >/dev/null 2>"$T/err"
check "after the mount's end too" is "$(cat "$D/kept/two" 2>&1)" two
check "its records say from when to when" is "$(jq -r 'select(.type | startswith("mount_")) | .type' "$T/data/sessions/$ID/events-fsd.jsonl" | tr '\n' ' ')" "mount_start mount_end "

# In a session: what is allowed is as on the host for who has no capability, whoever it is.
SID=$("$A" session create --workspace "$W" --policy "$T/all.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
X() { timeout 60 "$A" exec "$SID" -- "$@"; }
bare() { setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"; }
for c in $classes; do
	bare "$T/posix" "$c" "$N" >"$T/n.$c" 2>&1
	X /workspace/posix "$c" /workspace >"$T/m.$c" 2>&1
	check "in a session: $c" same "$T/n.$c" "$T/m.$c"
done
rm -rf "${N:?}"/*
X sh -c 'cd /workspace && cp posix prog && chmod 6755 prog; mknod null c 1 3' 2>/dev/null
check "no set-id bits are given in a session" is "$(stat -c %a "$W/prog")" 755
check "nor devices" [ ! -e "$W/null" ]
"$A" session destroy "$SID" >/dev/null

# What rules close, no new way opens.
mkdir -p "$W/kept"
SID=$("$A" session create --workspace "$W" --policy "$T/some.yaml" 2>"$T/err" | jq -r .id)
cat >"$W/ways.py" <<'P'
import ctypes, errno, os, sys
os.chdir("/workspace/kept")
libc = ctypes.CDLL(None, use_errno=True)
def name(to):
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, b"text")
    r = libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, to.encode(), 0x400)
    return errno.errorcode[ctypes.get_errno()] if r else "ok"
def tell(what, act):
    try:
        act()
        print(what, "ok")
    except OSError as e:
        print(what, errno.errorcode[e.errno])
for to in "a.txt", "a.closed", "a.fixed":
    print("a name for the unnamed:", to, name(to))
for f in "x.txt", "x.fixed", "x.secret":
    tell("read an attribute of " + f, lambda: os.getxattr(f, "user.of"))
    tell("list those of " + f, lambda: os.listxattr(f))
    tell("set one of " + f, lambda: os.setxattr(f, "user.of", b"changed"))
    tell("remove one of " + f, lambda: os.removexattr(f, "user.of"))
P
cat >"$T/expected" <<'P'
a name for the unnamed: a.txt ok
a name for the unnamed: a.closed EACCES
a name for the unnamed: a.fixed EACCES
read an attribute of x.txt ok
list those of x.txt ok
set one of x.txt ok
remove one of x.txt ok
read an attribute of x.fixed ok
list those of x.fixed ok
set one of x.fixed EACCES
remove one of x.fixed EACCES
read an attribute of x.secret EACCES
list those of x.secret EACCES
set one of x.secret ok
remove one of x.secret ok
P
for f in x.txt x.fixed x.secret; do
	echo text >"$W/kept/$f"
	/usr/bin/python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.of", b"host")' "$W/kept/$f"
done
X /usr/bin/python3 /workspace/ways.py >"$T/ways" 2>"$T/refused"
check "each way is judged" same "$T/expected" "$T/ways"
check "and told of" is "$(grep -c 'refused:.*rule=' "$T/refused")" 4

# Kept names are no names: counts are as if the deleted were gone, and right again when they come back.
# What exec itself says of kept files is on stderr, and is not compared.
"$T/posix" links "$N" >"$T/n.links"
echo "exit $?" >>"$T/n.links"
X /workspace/posix links /workspace/kept >"$T/m.links" 2>"$T/hints"
echo "exit $?" >>"$T/m.links"
check "links where deletes are kept" same "$T/n.links" "$T/m.links"
(cd "$W/kept" && echo many >one && ln one two && ln one three)
X sh -c 'cd /workspace/kept && rm two && sleep 1.2 && stat -c %h one' >"$T/count" 2>"$T/err"
check "two names are left of three" is "$(cat "$T/count")" 2
"$A" trash restore "$("$A" trash list --session "$SID" --json | jq -r '.[] | select(.path | endswith("kept/two")) | .token')" >/dev/null
check "three when it is back" is "$(X sh -c 'sleep 1.2; stat -c %h /workspace/kept/one')" 3
"$A" session destroy "$SID" >/dev/null
the_end
