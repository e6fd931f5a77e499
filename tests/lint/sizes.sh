#!/usr/bin/env bash
# Files of at most 500 lines; in our code, tests apart, functions of at most 80 and lines of at most 140 columns (tabs of 8).
cd "$(dirname "$0")/../.." || exit 1
mapfile -t src < <(git ls-files -co --exclude-standard '*.c' '*.h' | xargs -r ls -d 2>/dev/null)
awk '
function say(line, what) { print FILENAME ":" line ": " what; bad = 1 }
FNR == 1 { start = 0; ours = FILENAME !~ /^tests\// }
FNR == 501 { say(FNR, "more than 500 lines") }
!ours { next }
{
	n = split($0, piece, "\t")
	width = 0
	for (i = 1; i <= n; i++)
		width += length(piece[i]) + (i < n ? 8 - (width + length(piece[i])) % 8 : 0)
	if (width > 140)
		say(FNR, width " columns, 140 at most")
}
/^{/ { start = FNR }
/^}/ && start { if (FNR - start - 1 > 80) say(start, "a function of " FNR - start - 1 " lines, 80 at most"); start = 0 }
END { exit bad }' "${src[@]}"
