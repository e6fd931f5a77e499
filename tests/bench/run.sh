#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make bench: a network and daemons of its own, the measurements of bench.py, and nothing left behind.
# run.sh PROGRAMS JSON [PART...]: the folder of the measuring programs, the file to write, of bench.py's parts some.
set -u
[ "$(id -u)" = 0 ] || { echo "make bench needs root: it makes namespaces and starts the daemons" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/net.sh
. "$here/../lib/net.sh"
chrt -r -p 1 $$ >/dev/null 2>&1 # real-time, if that is allowed: else what is measured is the wait for what else the machine does
T=$(mktemp -d /var/tmp/agentsh-bench.XXXXXX)
export AGENTSH_RUN_DIR=$T/run AGENTSH_DATA_DIR=$T/data HOME=$T/home
unset AGENTSH_SESSION_ID AGENTSH_NO_AUTO AGENTSH_POLICY_NAME AGENTSH_POLICY_DIR AGENTSH_OUTPUT AGENTSH_EVENTS
server=
finish() {
	trap "" INT TERM # a second one must not cut this short
	"$here/../../bin/agentsh" server stop >/dev/null 2>&1
	[ -n "$server" ] && kill "$server" 2>/dev/null
	umount "$T/bindfs" 2>/dev/null
	rm -rf "$T"
}
trap finish EXIT
trap 'exit 130' INT TERM
mkdir -p "$HOME" "$T/ws"
ip link set lo up
ip addr add 203.0.113.10/32 dev lo
printf 'nameserver 127.0.0.1\n' >"$T/resolv.conf"
mount --bind "$T/resolv.conf" "$(readlink -f /etc/resolv.conf)" || exit 1
mkfifo "$T/ready"
"$1/serve" 203.0.113.10 7007 >"$T/ready" &
server=$!
read -r _ <"$T/ready" || exit 1
python3 "$here/bench.py" "$T" "$@"
