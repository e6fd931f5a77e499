#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the kernel keeps of fsd's answers: ended at once by what the host changes, by another policy, by what is given back from the trash;
# and how much memory it takes. Prints "ok NAME" / "not ok NAME" per check; exit 1 if any failed.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W/hidden" "$W/ask"
cp "$top/tests/integration/cache.py" "$W/cache.py"
policy() { # rules of its own
	printf 'version: 1\nname: cache\nfile_rules:\n%s\n' "$1"
	cat <<'P'
  - {name: sys, paths: ["/usr/**", "/bin/**", "/lib/**", "/lib64/**", "/sbin/**"], operations: [read, open, stat, list, readlink, access], decision: allow}
  - {name: secret, paths: ["**/secret/**", "**/.env"], operations: [read, open, write, create, delete], decision: deny}
  - {name: ask, paths: ["/workspace/ask/new"], operations: [create, write], decision: approve, timeout: 20s}
  - {name: deletes, paths: ["/workspace/**"], operations: [delete, rmdir], decision: soft_delete}
  - {name: ws, paths: ["/workspace", "/workspace/**"], decision: allow}
command_rules:
  - {name: all, decision: allow}
P
}
policy "" >"$T/p.yaml"
policy '  - {name: hidden, paths: ["/workspace/hidden/**"], operations: ["*"], decision: deny}' >"$T/hidden.yaml"
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err" "$T/run/server.log"; exit 1; }
X() { timeout 120 "$A" exec "$SID" -- "$@"; }
worker() { pgrep -P "$(pgrep -P "$(cat "$T/run/server.pid")" -x agentsh-fsd)"; }
rss() { awk '/^VmRSS/{print $2}' "/proc/$(worker)/status"; }

"$A" approve watch </dev/null >"$T/watch" 2>&1 &
child $!
sleep 0.3
python3 "$W/cache.py" "$W" "$A" "$SID" >"$T/seen" 2>&1
cat "$T/seen"
grep -q '^not ok' "$T/seen" && failed=1
check "all kinds of changes were tried" is "$(grep -c '^ok\|^not ok' "$T/seen")" 16

# Another policy: what is there and what is not are asked about again before the update's word is given, and back.
echo x >"$W/hidden/there"
names() { X sh -c 'cd /workspace/hidden; for i in 1 2; do stat -c %s there 2>&1; stat -c %s absent 2>&1; done' 2>/dev/null | sed 's/.*: //' | tr '\n' ' '; }
check "control: by the first policy" is "$(names)" "2 No such file or directory 2 No such file or directory "
"$A" session update "$SID" --policy "$T/hidden.yaml" >"$T/out" 2>&1 || cat "$T/out"
check "by the second at once" is "$(names)" "Permission denied Permission denied Permission denied Permission denied "
"$A" session update "$SID" --policy "$T/p.yaml" >"$T/out" 2>&1 || cat "$T/out"
check "and by the first again" is "$(names)" "2 No such file or directory 2 No such file or directory "

# Who asks: an answer that depends on it is kept for nobody.
policy '  - {name: his, paths: ["/workspace/hidden/**"], operations: ["*"], processes: [sed], decision: allow}
  - {name: nobodys, paths: ["/workspace/hidden/**"], operations: ["*"], decision: deny}' >"$T/who.yaml"
OTHER=$("$A" session create --workspace "$W" --policy "$T/who.yaml" | jq -r .id)
asked() { timeout 60 "$A" exec "$OTHER" -- sh -c "cd /workspace; for i in 1 2; do $1; done 2>&1" 2>/dev/null | sed 's/.*: //' | tr '\n' ' '; }
check "an answer that depends on who asks is not kept" is "$(asked 'sed -n p hidden/there; cat hidden/there; stat -c %s hidden/there')" \
	"x Permission denied Permission denied x Permission denied Permission denied "
"$A" session destroy "$OTHER" >/dev/null

# Given back: done by fsd itself, and not for the kernel.
echo kept >"$W/kept"
X sh -c 'rm /workspace/kept; stat /workspace/kept' >"$T/out" 2>&1
token=$(sed -n 's/.*trash token \([0-9a-f]*\).*/\1/p' "$T/out" | head -1)
check "control: it is deleted" [ -n "$token" ] || cat "$T/out"
"$A" trash restore "$token" >/dev/null 2>&1
sleep 0.05
check "what is restored is seen at once" is "$(X cat /workspace/kept)" kept

# Undo, rollback and restore do things themselves: what the session had looked at before, names that were not there too, ends with them.
policy '' | sed 's/name: ws, \(.*\)decision: allow/name: ws, \1decision: allow, undo: keep/' >"$T/keep.yaml"
K=$("$A" session create --workspace "$W" --policy "$T/keep.yaml" | jq -r .id)
mkdir -p "$W/u/d/deep" "$W/u/x"
for f in u/gone u/text u/mode u/from u/d/deep/f u/x/two; do echo old >"$W/$f"; done
ln "$W/u/x/two" "$W/u/x/second"
# Attributes and lists of all that is or was there, those of the directories too.
looks='cd '"'%s'"'/u && stat -c "%%n %%s %%a %%h" gone text mode from to made made/in d d/deep d/deep/f x/two x/second 2>&1 | sed "s/.*stat[x]* //"; find . | sort'
# shellcheck disable=SC2059
seen() { "$A" exec "$K" -- sh -c "$(printf "$looks" /workspace)" 2>/dev/null; }
# shellcheck disable=SC2059
is_there() { sh -c "$(printf "$looks" "$W")"; }
agree() { # what it sees is what is there, but for the number of names: those in the trash are not shown
	is "$(seen | sed 's/ [0-9]*$//')" "$(is_there | sed 's/ [0-9]*$//')"
}
change() {
	"$A" exec --output json "$K" -- sh -c 'cd /workspace/u && rm gone x/second && echo other text >text && chmod 600 mode && mv from to && mkdir made && echo x >made/in && rm -r d' >"$T/out.json" 2>"$T/err"
	CMD=$(jq -r .command_id "$T/out.json")
}
first=$(seen)
CP=$("$A" checkpoint create --session "$K" --json 2>/dev/null | jq -r .id)
for how in undo rollback; do
	change
	changed=$(seen)
	check "control, $how: the session sees its changes" agree && check "control, $how: and they are some" [ "$changed" != "$first" ]
	if [ $how = undo ]; then "$A" undo "$K" "$CMD"; else "$A" checkpoint rollback "$CP" --session "$K"; fi >"$T/out" 2>&1 || cat "$T/out"
	check "$how: the session sees at once what is there again" is "$(seen)" "$first"
	check "$how: as the host does" agree
done
change
rm -rf "$W/u/d"
X2() { "$A" exec "$K" -- "$@" 2>/dev/null; }
check "control: a directory is not there" is "$(X2 stat -c %n /workspace/u/d/deep/f /workspace/u/d/deep /workspace/u/d)" ""
token=$("$A" trash list --session "$K" --json | jq -r '[.[] | select(.path | endswith("/u/d/deep/f"))][0].token')
"$A" trash restore "$token" --session "$K" >"$T/out" 2>&1 || cat "$T/out"
check "restore: directories that it makes are seen at once" is "$(X2 cat /workspace/u/d/deep/f)" old

# A record that waits for its answer is there when the session ends.
for i in $(seq 20); do X2 cat /workspace/u/text >/dev/null; done
"$A" session destroy "$K" >/dev/null
check "each open was recorded" is "$("$A" events query --session "$K" --type file_read | jq -r .path | grep -c '/u/text$')" 20

# A directory that is known twice, and judged by two names: what is done by one shows by the other.
mkdir "$W/one" "$W/two"
mount --bind "$W/one" "$W/two"
policy '  - {name: twice, paths: ["/workspace/two/z*"], operations: ["*"], decision: deny}' >"$T/twice.yaml"
D=$("$A" session create --workspace "$W" --policy "$T/twice.yaml" | jq -r .id)
# shellcheck disable=SC2016
check "a directory of two names: made, listed, removed" is "$("$A" exec "$D" -- sh -c 'cd /workspace; ls one two >/dev/null; for k in 1 2; do stat one/n two/n >/dev/null 2>&1; done
	echo x >one/n; sleep 0.1; stat -c %s two/n; ls two; echo xyz >two/n; stat -c %s one/n; rm one/n; sleep 0.1; stat two/n >/dev/null 2>&1 || echo gone; ls two' 2>/dev/null | tr '\n' ' ')" "2 n 4 gone "
"$A" session destroy "$D" >/dev/null
umount "$W/two"

# Nothing to do costs nothing: looking for the next request ends with the work.
spent() { awk '{print $14 + $15}' "/proc/$(worker)/stat"; }
idle() { # some second of six: what was changed above is told once more a second later
	local was
	for _ in 1 2 3 4 5 6; do
		was=$(spent)
		sleep 1
		[ "$(($(spent) - was))" -le 1 ] && return
	done
	return 1
}
X true
check "an idle fsd uses no processor" idle

# Memory.
mkdir "$W/tree"
(cd "$W/tree" && mkdir d{1..40} && for d in d*; do touch "$d"/f{1..50}; done)
X find /workspace/tree -size +9 >/dev/null
small() { [[ $bin == */asan/* ]] || [ "$(rss)" -lt "$1" ]; } # a sanitizer keeps what is freed
check "2,000 files: fsd has less than 16 MB" small 16000 || echo "  $(rss) kB"
echo "# 2,000 files: $(rss) kB"
held() { find "/proc/$(worker)/fd" -lname "$W/tree/d1/f1$1" | wc -l; }
X stat /workspace/tree/d1/f1 >/dev/null
check "control: fsd holds a file that was looked up" is "$(held '')" 1
rm "$W/tree/d1/f1"
let_go() { [ "$(held '')$(held ' (deleted)')" = 00 ]; }
check "and lets go of it when the host removes it" soon let_go
mkdir "$W/many"
(cd "$W/many" && mkdir d{1..200} && for d in d*; do touch "$d"/f{1..1000}; done)
check "200,000 files are walked" is "$(X find /workspace/many -type f -size -1 | wc -l)" 200000
most=$(rss)
forgotten() {
	echo 2 >/proc/sys/vm/drop_caches
	small $((most / 3))
}
soon forgotten
check "what the kernel forgets is given back" forgotten || echo "  $most kB, then $(rss) kB"
echo "# 200,000 files: $most kB, forgotten: $(rss) kB"
check "and it still serves" is "$(X cat /workspace/kept)" kept
X rm -rf /workspace/many/d1 >/dev/null 2>&1
check "deletes still work" [ ! -e "$W/many/d1" ]
"$A" session destroy "$SID" >/dev/null
the_end
