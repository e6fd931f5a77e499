#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a person is asked before a program runs: the file and all of its arguments; what does not fit is counted, never dropped in silence.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W/bin"
for p in tool other named; do gcc -O1 -DDIR='"/workspace"' -DMARK="\"$p\\n\"" -o "$W/bin/$p" "$top/tests/integration/mark.c"; done
cat >"$T/p.yaml" <<'P2'
version: 1
name: approve
file_rules:
  - {name: ask-file, paths: ["**/held"], operations: [create], decision: approve, timeout: 20s}
  - {name: all, paths: ["/**"], decision: allow}
command_rules:
  - {name: ask-here, commands: [/workspace/bin/named], decision: approve, timeout: 20s}
  - {name: ask, commands: [tool, named], decision: approve, timeout: 20s}
  - {name: all, decision: allow}
P2
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
"$A" approve watch </dev/null >"$T/watch" 2>&1 &
child $!
sleep 0.5
# asked yes|no COMMAND...: the target that a person sees, who then says so
asked() {
	local said=--allow id runs
	[ "$1" = yes ] || said=--deny
	shift
	timeout 60 "$A" exec "$SID" -- "$@" >/dev/null 2>"$T/err" &
	runs=$!
	for _ in $(seq 100); do
		id=$("$A" approve list | jq -r '.[0].id // empty')
		[ -z "$id" ] || break
		sleep 0.05
	done
	"$A" approve list | jq -r '.[0].target'
	"$A" approve resolve "$id" $said >/dev/null
	wait $runs
	echo $? >"$T/code"
}
check "a submitted command is shown with its arguments" is "$(asked no /workspace/bin/tool -rf 'a b' "it's" '' '$x')" \
	"/workspace/bin/tool -rf 'a b' 'it'\\''s' '' '\$x'"
check "refused, it does not run" test ! -e "$W/marks"
check "and is 126" is "$(cat "$T/code")" 126
asked yes /workspace/bin/tool -rf >/dev/null
check "control: allowed, it runs" is "$(cat "$W/marks")" tool
rm "$W/marks"
check "a nested one, too" is "$(asked no sh -c "/workspace/bin/tool 'x  y' -z; :")" "/workspace/bin/tool 'x  y' -z"
check "refused, it does not run" test ! -e "$W/marks"
check "its other name is told" is "$(asked no bash -c ': ; exec -a harmless /workspace/bin/tool x')" "/workspace/bin/tool (as harmless) x"
check "and what is looked ahead to is asked about as it was submitted" is \
	"$(asked no bash -c 'exec -a harmless /workspace/bin/tool x')" "bash -c 'exec -a harmless /workspace/bin/tool x'"
check "refused, it does not run" test ! -e "$W/marks"
long=$(head -c 5000 /dev/zero | tr '\0' x)
echo "/workspace/bin/tool $long /the/end; :" >"$W/long.sh"
shown=$(asked no sh /workspace/long.sh)
check "of a long one the beginning is shown" is "${shown%%x[x]x*}" "/workspace/bin/tool "
check "and the end" is "${shown##*x[x]x}" " /the/end"
left_out=${shown#*\[... }
left_out=${left_out%% bytes left out*}
words=" [... $left_out bytes left out ...] "
check "and how much is left out" is "$((${#shown} - ${#words} + left_out))" $((20 + 5000 + 9))
check "refused, it does not run" test ! -e "$W/marks"
asked yes sh /workspace/long.sh >/dev/null
check "control: allowed, it runs" is "$(cat "$W/marks")" tool

# A bare name is asked about before it is known which file it leads to. A rule about that file asks for itself.
rm "$W/marks"
asks() { [ "$("$A" approve list | jq -r '.[0].rule // empty')" = "$1" ]; }
resolve() { "$A" approve resolve "$("$A" approve list | jq -r '.[0].id')" "$1" >/dev/null; }
for said in deny allow; do
	PATH=/workspace/bin:$PATH timeout 60 "$A" exec "$SID" -- named >/dev/null 2>"$T/err" &
	runs=$!
	check "a bare name is asked about" soon asks ask
	resolve --allow
	check "then its file, by the file's rule" soon asks ask-here
	resolve --$said
	wait $runs
	echo $? >"$T/code-$said"
	[ $said = allow ] || check "refused there, it does not run" test ! -e "$W/marks"
done
check "it is 126" is "$(cat "$T/code-deny")" 126
check "control: allowed, it runs" is "$(cat "$W/marks")" named

# A creation that waits for a person keeps its directory locked: no other program waits for that.
mkdir "$W/d"
cp /bin/true "$W/d/new"
cp /bin/true "$W/d/free"
check "control: a program there runs" "$A" exec "$SID" -- /workspace/d/free
timeout 60 "$A" exec "$SID" -- touch /workspace/d/held 2>/dev/null &
runs=$!
held() { [ "$("$A" approve list | jq length)" = 1 ]; }
check "a creation is held" soon held
began=$(date +%s%N)
timeout 60 "$A" exec "$SID" -- /workspace/d/new 2>/dev/null &
other=$!
sleep 0.2
check "meanwhile a program elsewhere runs" timeout 10 "$A" exec "$SID" -- true
check "within seconds" test $((($(date +%s%N) - began) / 1000000)) -lt 5000
check "and the creation is held still" held
"$A" approve resolve "$("$A" approve list | jq -r '.[0].id')" --allow >/dev/null
wait $runs
check "allowed, it is done" test -e "$W/d/held"
wait $other
check "afterwards the program there runs" "$A" exec "$SID" -- /workspace/d/new
end_children # who watches would start the daemons again
the_end
