#!/usr/bin/env bash
# Every shell script that changed since it was last clean is given to shellcheck (build/lint/shell is the mark). One line per finding.
cd "$(dirname "$0")/../.." || exit 1
mark=build/lint/shell
mkdir -p build/lint
mapfile -t all < <(git ls-files -co --exclude-standard tests .ci | xargs -r ls -d 2>/dev/null | xargs -r grep -lE -m1 '^#!.*\b(ba|da)?sh\b')
changed=()
for f in "${all[@]}"; do
	head -n1 "$f" | grep -qE '^#!.*\b(ba|da)?sh\b' && { [ ! -e $mark ] || [ "$f" -nt $mark ]; } && changed+=("$f")
done
[ ${#changed[@]} -eq 0 ] && exit 0
touch $mark.new
# SC2317: functions that a trap or a table of checks calls look unreachable to it.
# SC2016: sh -c '...' in a sandbox is to expand there, not here.
shellcheck -x -f gcc -e SC2317 -e SC2016 "${changed[@]}" || exit 1
mv $mark.new $mark
