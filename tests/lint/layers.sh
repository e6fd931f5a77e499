#!/usr/bin/env bash
# Who may include whom, and each library's one home.
cd "$(dirname "$0")/../.." || exit 1
bad=0
no() { # FOLDER FORBIDDEN...: a folder's files must not include these rooms
	for room in "${@:2}"; do
		grep -n "#include \"$room/" "$1"/*.[ch] 2>/dev/null && { echo "$1 must not include $room"; bad=1; }
	done
}
home() { # HEADER FILES...: only these include it
	local found
	found=$(grep -lE "#include <($1)>" common/*.[ch] policy/*.[ch] netd/*.[ch] fsd/*.[ch] execd/*.[ch] cli/*.[ch] 2>/dev/null | grep -vxE "$2")
	[ -z "$found" ] || { echo "<$1> belongs to $2, not: $found"; bad=1; }
}
no common policy dlp netd fsd execd cli
no policy dlp netd fsd execd cli
no netd fsd execd cli
no fsd netd execd cli
no execd netd fsd cli
no cli netd fsd execd
home 'lmdb\.h' 'policy/store\.c'
home 'yaml\.h' 'policy/yaml\.c'
home 'hs/.*' 'policy/regex(_make)?\.c'
home 'nettle/.*' 'common/hash\.c'
home 'seccomp\.h' 'execd/filter\.c|common/sandbox\.c'
home 'fuse_lowlevel\.h' 'fsd/ops.*|fsd/judge\.c'
exit $bad
