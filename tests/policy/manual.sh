#!/usr/bin/env bash
# The manual's examples, run as they stand: each policy with the cases that follow it. manual.sh [MANUAL]
set -u
cd "$(dirname "$0")/../.." || exit 1
manual=${1:-docs/agentsh-policy.5}
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
awk -v dir="$T" '
/^\.\\" (policy|cases)$/ { kind = $2; n += kind == "policy"; file = dir "/" n "." kind; next }
/^\.EX$/ && kind { on = 1; next }
/^\.EE$/ { on = 0; kind = "" }
on { gsub(/\\&/, ""); gsub(/\\-/, "-"); gsub(/\\e/, "\\"); print > file }' "$manual"
n=0 bad=0
for p in "$T"/*.policy; do
	n=$((n + 1))
	mv "$p" "${p%.policy}.yaml"
	bin/agentsh policy test --policy "${p%.policy}.yaml" --workspace /workspace "${p%.policy}.cases" >"$T/out" 2>&1 && continue
	bad=$((bad + 1))
	echo "example $n ($(sed -n 's/^name: //p' "${p%.policy}.yaml")):"
	cat "$T/out"
done
echo "$n examples, $bad wrong"
[ "$n" -gt 0 ] && [ "$bad" -eq 0 ]
