#!/usr/bin/env bash
# Files of at most 500 lines.
cd "$(dirname "$0")/../.." || exit 1
git ls-files '*.c' '*.h' | grep -v '^tests/' | xargs wc -l | awk '$1 > 500 && $2 != "total" { print $2 ": " $1 " lines"; bad = 1 } END { exit bad }'
