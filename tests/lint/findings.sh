#!/usr/bin/env bash
# findings.sh STAMP COMMAND...: runs a compiler or clang-tidy. Clean: touches STAMP and says nothing. Else: one line per finding.
stamp=$1
shift
mkdir -p "$(dirname "$stamp")"
out=$("$@" 2>&1)
status=$?
found=$(grep -E '^[^ ]+:[0-9]+(:[0-9]+)?: (fatal error|error|warning): ' <<<"$out" | sed "s#^$PWD/##" | sort -u)
if [ $status -eq 0 ] && [ -z "$found" ]; then
	touch "$stamp"
	exit 0
fi
# No finding but a failure: the tool itself is at fault, and says why.
echo "${found:-$out}"
exit 1
