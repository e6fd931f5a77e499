#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Scripts whose interpreter is a script, too: each one on the way is judged; one that the session could exchange is not trusted.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W/own" "$W/kept/other"
# script FILE FIRST-LINE [TEXT]
script() { printf '#!%s\n%s\n' "$2" "${3-}" >"$W/$1" && chmod +x "$W/$1"; }
for p in tool npmx; do
	# shellcheck disable=SC2016 # the script's own
	script kept/$p /bin/sh 'echo "'$p' ran" ${1##*/} $2'
	for d in kept own; do
		script $d/chain-$p /workspace/kept/$p
		script $d/far-$p /workspace/kept/chain-$p
		script $d/arg-$p "/workspace/kept/chain-$p  -v x"
		done
	script own/relative-$p kept/$p
	script own/loose-$p own/copy-$p
	ln -s ../kept/$p "$W/own/link-$p"
	script kept/linked-$p /workspace/own/link-$p
	cp "$W/kept/$p" "$W/own/copy-$p"
	script kept/copied-$p /workspace/own/copy-$p
	script own/gone-$p "/bin/sh /workspace/own/not-there-$p"
	ln -s $p "$W/kept/fixed-$p"
	script own/fixed-$p /workspace/kept/fixed-$p
done
script kept/pinned /bin/sh 'echo pinned ran'
script kept/other/pinned /bin/sh 'echo another ran'
script own/pins /workspace/kept/pinned
script own/pins-other /workspace/kept/other/pinned
script kept/asker /bin/sh 'echo asker ran $1'
script own/chain-asker /workspace/kept/asker
script own/env '/usr/bin/env sh' 'echo env ran'
script own/option '/bin/sh -e' 'echo option ran'
script own/split '/usr/bin/env -S sh -e' 'echo split ran'
script own/before "/bin/sh" 'echo before ran'
cat >"$T/p.yaml" <<P
version: 1
name: chain
file_rules: [{name: own, paths: ["/workspace/own/**"], decision: allow}]
command_rules:
  - {name: no-npmx, commands: [npmx, zz], decision: deny}
  - {name: ask, commands: [asker], decision: approve, timeout: 60s}
  - {name: pinned, commands: [pinned], sha256: [$(sha256sum "$W/kept/pinned" | cut -d' ' -f1)], decision: allow}
  - {name: changed, commands: [pinned], decision: deny}
  - {name: all, decision: allow}
P
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
X() { timeout 60 "$A" exec "$SID" -- "$@" 2>/dev/null; }
both() { # PATH ARGS...: what is printed when it is submitted, and started by another program
	X "/workspace/$1" "${@:2}"
	X sh -c '"$@"; true' sh "/workspace/$1" "${@:2}"
}
twice() { printf '%s\n%s' "$1" "$1"; }
check "control: what is denied does not run by itself" is "$(both kept/npmx)" ""
check "control: what is allowed does" is "$(both kept/tool)" "$(twice "tool ran")"
for d in kept own; do
	check "control: in $d, a script of an allowed one runs, with its argument" is "$(both $d/chain-tool x)" "$(twice "tool ran chain-tool x")"
	check "three of them, too" is "$(both $d/far-tool x)" "$(twice "tool ran chain-tool /workspace/$d/far-tool")"
	check "with an argument in the first line" is "$(both $d/arg-tool x)" "$(twice "tool ran chain-tool -v x")"
	for way in chain far arg; do
		check "in $d, a script of the denied one does not run: $way" is "$(both $d/$way-npmx x)" ""
	done
done
check "a link that nobody can change leads to what it does" is "$(both own/fixed-tool x)$(both own/fixed-npmx x)" "$(twice "tool ran fixed-tool x")"
# Which of two words the kernel opened as a script, and what that was, cannot be seen afterwards.
for way in linked copied; do
	check "a script of one that the session can exchange does not run: $way" is "$(both kept/$way-tool)$(both kept/$way-npmx)" ""
done
check "nor one whose interpreter could have been taken away meanwhile" is "$(both own/gone-tool; X sh -c 'cp /workspace/kept/tool /workspace/own/not-there-tool; /workspace/own/gone-tool; true')" ""
check "nor one of a relative path" is "$(both own/loose-tool)$(both own/loose-npmx)" ""
check "by a relative path to where it cannot be exchanged it is judged as it is" is "$(both own/relative-tool x)$(both own/relative-npmx x)" "$(twice "tool ran relative-tool x")"
ln -s "$W" "$T/out" && sed -i "s|/workspace|$T/out|" "$W"/kept/linked-* "$W"/kept/copied-* "$W"/own/chain-*
check "control: outside, they run" is "$(for p in linked-tool copied-tool linked-npmx copied-npmx; do "$W/kept/$p"; done | cut -d' ' -f1-2)" "tool ran
tool ran
npmx ran
npmx ran"
check "a pin holds for a script on the way" is "$(both own/pins)" "$(twice "pinned ran")"
check "and nothing else by that name" is "$(both own/pins-other)" ""
for p in env option split before; do
	check "arguments of a first line are no programs: $p" is "$(both own/$p)" "$(twice "$p ran")"
done
check "nor is what stands behind the script's name" is "$(both own/before /workspace/kept/npmx)" "$(twice "before ran")"
"$A" approve watch </dev/null >"$T/watch" 2>&1 &
child $!
asked() { # COMMAND...: what it prints when a person, asked once, allows it
	local id='' runs
	X "$@" >"$T/printed" &
	runs=$!
	for _ in $(seq 600); do
		id=$("$A" approve list | jq -r '.[0].id // empty')
		if [ -n "$id" ] || ! kill -0 $runs 2>/dev/null; then break; fi
		sleep 0.05
	done
	[ -z "$id" ] || "$A" approve resolve "$id" --allow >/dev/null
	wait $runs
	cat "$T/printed"
}
check "a script that a person approves runs" is "$(asked /workspace/kept/asker x; asked sh -c '/workspace/kept/asker x; true')" "$(twice "asker ran x")"
check "one on the way nobody was asked about" is "$(asked /workspace/own/chain-asker; asked sh -c '/workspace/own/chain-asker; true')" ""
cat >"$W/kept/at.py" <<'P'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
argv, envp = (ctypes.c_char_p * 2)(b"x", None), (ctypes.c_char_p * 1)(None)
if sys.argv[1] == "fd":
    fd, path, flags = os.open(sys.argv[2], os.O_RDONLY), b"", 0x1000
else:
    fd, path, flags = os.open(os.path.dirname(sys.argv[2]), os.O_PATH), os.path.basename(sys.argv[2]).encode(), 0
os.set_inheritable(fd, True)
libc.syscall(322, fd, path, argv, envp, flags)
P
for way in fd directory; do
	check "by a descriptor: $way" is "$(X python3 /workspace/kept/at.py $way /workspace/kept/tool)" "tool ran"
	check "by a descriptor, one that leads to the denied one: $way" is "$(X python3 /workspace/kept/at.py $way /workspace/kept/chain-npmx)" ""
done
log=$("$A" events query --session "$SID" --type exec_mismatch)
check "what was refused on the way is on record, by its rule" grep -q 'no-npmx' <<<"$log"
end_children # who watches would start the daemons again
the_end
