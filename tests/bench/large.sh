#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# large.sh [-k] AGENTSH [KIND...]: compiles and validates policies of 100,000 rules of each kind. A line each: KIND VERB SECONDS MIB, where
# seconds are those of the processor and MiB the most memory that was resident. -k: lines "KIND_VERB_s N" and "KIND_VERB_mib N" for bench.py.
set -u
keys=
[ "${1-}" = -k ] && keys=1 && shift
agentsh=$1
shift
N=100000
T=$(mktemp -d /var/tmp/agentsh-large.XXXXXX)
export AGENTSH_DATA_DIR=$T/data AGENTSH_RUN_DIR=$T/run
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM

# Six programs in turn, one a rule; all labels of a policy are few, its rules many.
processes() { awk '{ sub(/}$/, ", processes: [p" NR % 6 "]}"); print }'; }
files() { seq "$1" | awk '{ printf "- {name: f%d, paths: [/w/d%d/s%d/**], decision: %s}\n", $1, $1 % 300, $1, $1 % 5 ? "allow" : "deny" }'; }
network() { seq "$1" | awk '{ if ($1 % 4 > 1) printf "- {name: n%d, domains: [h%d.example.com], decision: allow}\n", $1, $1
	else if ($1 % 4) printf "- {name: n%d, domains: [h%d.x.test], ports: [443], decision: allow}\n", $1, $1
	else if ($1 % 8) printf "- {name: n%d, domains: [\"*.s%d.x.test\"], decision: deny}\n", $1, $1
	else printf "- {name: n%d, cidrs: [10.%d.%d.0/24], decision: deny}\n", $1, $1 / 256 % 256, $1 % 256 }'; }
commands() { seq "$1" | awk '{ printf "- {name: c%d, commands: [%s%d], decision: %s}\n", $1, $1 % 4 ? "tool" : "/opt/bin/t", $1, $1 % 3 ? "allow" : "deny" }'; }
sockets() { seq "$1" | awk '{ printf "- {name: u%d, paths: [/run/s%d/socket], decision: allow}\n", $1, $1 }'; }

policy() { # KIND
	local via=cat
	[ "${1%-processes}" = "$1" ] || via=processes
	printf 'version: 1\nname: large\n'
	case $1 in
	files*) echo file_rules: && files $N | $via ;;
	network*) echo network_rules: && network $N | $via ;;
	commands*) echo command_rules: && commands $N | $via ;;
	mixed*)
		echo file_rules: && files $((N / 4)) | $via
		echo network_rules: && network $((N / 4)) | $via
		echo command_rules: && commands $((N / 4)) | $via
		echo unix_socket_rules: && sockets $((N / 4)) | $via
		;;
	*) echo "$1 is no kind" >&2 && exit 2 ;;
	esac
}

measure() { # KIND VERB
	python3 - "$1" "$2" "$keys" "$agentsh" policy "$2" "$T/large.yaml" <<'P' || exit 1
import resource, subprocess, sys
kind, verb, keys, *argv = sys.argv[1:]
done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120)
if done.returncode:
    sys.exit(done.stderr.decode(errors="replace")[:600])
use = resource.getrusage(resource.RUSAGE_CHILDREN)
took, mib = use.ru_utime + use.ru_stime, use.ru_maxrss / 1024
print(f"{kind}_{verb}_s {took:.2f}\n{kind}_{verb}_mib {mib:.1f}" if keys else f"{kind:20} {verb:9} {took:6.2f} s {mib:7.1f} MiB", flush=True)
P
}

[ $# -gt 0 ] || set -- files network commands mixed files-processes network-processes commands-processes mixed-processes
for kind; do
	policy "$kind" >"$T/large.yaml" || exit 2
	measure "$kind" compile
	measure "$kind" validate
done
