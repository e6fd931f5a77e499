# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every integration script needs: a directory T of its own, daemons of its own (AGENTSH_RUN_DIR, AGENTSH_DATA_DIR), checks that print
# "ok NAME" or "not ok NAME", and an end that finds nothing left. AGENTSH_BIN chooses the build that is tested.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${AGENTSH_BIN:-$top/bin}
A=$bin/agentsh
T=$(mktemp -d /var/tmp/agentsh-test.XXXXXX)
export AGENTSH_RUN_DIR=$T/run AGENTSH_DATA_DIR=$T/data HOME=$T/home
mkdir -p "$HOME"
failed=0
children=''
# check NAME COMMAND...: ok if the command succeeds
check() {
	local name=$1
	shift
	if "$@"; then echo "ok $name"; else
		echo "not ok $name"
		failed=1
	fi
}
is() { [ "$1" = "$2" ] || { echo "  got: $1, expected: $2"; false; }; }
# soon COMMAND...: succeeds within five seconds
soon() {
	for _ in $(seq 100); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}
# left PATTERN: processes whose command line holds it
left() { pgrep -fc -- "$1"; }
child() { children="$children $1"; } # a process to end with the script
end_children() {
	for pid in $children; do kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done
	children=''
}
cleanup() {
	"$A" server stop >/dev/null 2>&1
	end_children
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
no_findings() { # a sanitizer's words in the daemons' log
	! grep -qE 'AddressSanitizer|runtime error:' "$T/run/server.log" 2>/dev/null || { grep -E -A12 'AddressSanitizer|runtime error:' "$T/run/server.log" | head -40; false; }
}
# Our programs that run for this script's directory.
ours() {
	local p exe
	for p in $(grep -lz "^AGENTSH_RUN_DIR=$T/run\$" /proc/[0-9]*/environ 2>/dev/null); do
		p=${p%/environ}
		exe=$(readlink "$p/exe") || continue
		case $exe in "$bin"/agentsh* | /memfd:agentsh*) tr '\0' ' ' <"$p/cmdline" ;; esac
	done
}
# Stops the daemons and looks for what they left. The last call of each script; its exit status is the script's.
the_end() {
	local ids
	ids=$(ls "$T/data/sessions" 2>/dev/null)
	"$A" server stop >/dev/null 2>&1
	end_children
	sleep 0.2
	check "the daemons' log holds no sanitizer finding" no_findings
	check "nothing is left: processes" is "$(ours)" ""
	check "nothing is left: mounts" is "$(grep -c "$T/data" /proc/mounts)" 0
	check "nothing is left: cgroups" is "$(for i in $ids; do find /sys/fs/cgroup -maxdepth 3 -name "agentsh-$i" 2>/dev/null; done | wc -l)" 0
	exit $failed
}
