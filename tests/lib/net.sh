# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An Internet in a network namespace of its own: source this first, then call internet_up. Needs root, iproute2, python3, openssl.
# The script starts itself anew in a namespace, so that nothing of the host's network is seen or changed.
if [ -z "${AGENTSH_TEST_NETNS-}" ]; then
	AGENTSH_TEST_NETNS=1 exec unshare --net --mount -- "$0" "$@"
fi
unset AGENTSH_TEST_NETNS

# internet_up DIR NAME=ADDRESS...: names, addresses, servers; /etc/resolv.conf points at them; sets $internet (a pid).
internet_up() {
	local dir=$1 pair
	mkdir -p "$dir"
	ip link set lo up
	for pair in "${@:2}"; do
		ip addr add "${pair#*=}/$([[ $pair == *:* ]] && echo 128 || echo 32)" dev lo 2>/dev/null
	done
	printf 'nameserver 127.0.0.1\n' >"$dir/resolv.conf"
	[ -e /etc/resolv.conf ] || : >/etc/resolv.conf
	mount --bind "$dir/resolv.conf" "$(readlink -f /etc/resolv.conf)"
	python3 "$(dirname "${BASH_SOURCE[0]}")/internet.py" "$dir" "${@:2}" &
	# shellcheck disable=SC2034
	internet=$!
	for _ in $(seq 200); do
		[ -e "$dir/ready" ] && break
		sleep 0.05
	done
	# Its authority is trusted like any other, so that clients need no option: in this mount namespace only.
	cat /etc/ssl/certs/ca-certificates.crt "$dir/ca.pem" >"$dir/bundle.crt"
	mount --bind "$dir/bundle.crt" "$(readlink -f /etc/ssl/certs/ca-certificates.crt)"
	[ -e "$dir/ready" ] && return 0
	echo "the test's servers did not start" >&2
	return 1
}
