#!/usr/bin/env bash
# What our code does without: unbounded copies, silent conversions, shells, and descriptors that a new program would inherit.
cd "$(dirname "$0")/../.." || exit 1
mapfile -t src < <(git ls-files -co --exclude-standard '*.c' '*.h' | grep -v '^tests/' | xargs -r ls -d 2>/dev/null)
awk '
function say(what) { sub(/^[ \t]+/, "", raw); print FILENAME ":" FNR ": " what ": " raw; bad = 1 }
BEGIN {
	words = "(^|[^A-Za-z0-9_.>])(strcpy|strcat|v?sprintf|strtok|atoi|atol|gets|alloca|system|popen|signal|dup)[ \t]*\\("
	opens = "(^|[^A-Za-z0-9_.>])(open|openat|socket|accept|accept4|socketpair|pipe|pipe2|memfd_create|epoll_create|epoll_create1" \
		"|signalfd|timerfd_create|eventfd)\\([^)]"
}
FNR == 1 { comment = 0 }
{
	raw = code = $0
	nofopen = code !~ /(^|[^A-Za-z0-9_])fopen\(/ || code ~ /fopen\(.*"[a-z+]*e[a-z+]*"\)/
	gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
	gsub(/\/\*([^*]|\*[^\/])*\*\//, "", code)
	if (comment && sub(/^.*\*\//, "", code)) comment = 0
	if (comment) next
	if (sub(/\/\*.*$/, "", code)) comment = 1
	sub(/\/\/.*$/, "", code)
	if (code ~ words) say("forbidden word")
	if (code ~ opens && raw !~ /CLOEXEC|kept over exec/) say("without CLOEXEC")
	if (!nofopen) say("fopen without e")
}
END { exit bad }' "${src[@]}"
