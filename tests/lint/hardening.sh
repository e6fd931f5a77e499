#!/usr/bin/env bash
# The hardening flags must have landed in the binaries, not only in the makefile. hardening.sh [BINARY...]: bin/* without any.
# One line per finding.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ $# -gt 0 ] || set -- bin/*
bad=0
say() {
	echo "$1: $2"
	bad=1
}
check() { # BINARY
	local b=$1 head seg dyn sym note
	head=$(readelf -hW "$b" 2>/dev/null) || { say "$b" "is no ELF file"; return; }
	seg=$(readelf -lW "$b") dyn=$(readelf -dW "$b") sym=$(readelf --dyn-syms -W "$b") note=$(readelf -nW "$b" 2>/dev/null)
	if ! grep -qE 'Type: +DYN' <<<"$head" || ! grep -q 'Flags:.*PIE' <<<"$dyn"; then
		say "$b" "not position independent (PIE)"
	fi
	grep -q 'GNU_RELRO' <<<"$seg" || say "$b" "no RELRO segment"
	grep -qE 'BIND_NOW|Flags:.*NOW' <<<"$dyn" || say "$b" "relocations are not bound at start (BIND_NOW), so RELRO is partial"
	grep -qE 'GNU_STACK.* RW +0x' <<<"$seg" || say "$b" "the stack may be executable"
	grep -qE 'LOAD.* RWE ' <<<"$seg" && say "$b" "a segment is writable and executable"
	grep -q 'TEXTREL' <<<"$dyn" && say "$b" "text relocations"
	grep -qE 'R(UN)?PATH' <<<"$dyn" && say "$b" "a library search path of its own"
	[ "$(uname -m)" != x86_64 ] || grep -q 'SHSTK' <<<"$note" || say "$b" "no CET note (SHSTK)"
	# The shim has no array and no formatted output: nothing that a canary or a checked call could guard.
	[ "$(basename "$b")" = agentsh-shell-shim ] && return
	grep -q '__stack_chk_fail' <<<"$sym" || say "$b" "no stack protector"
	grep -qE ' __[a-z]+_chk(@| |$)' <<<"$sym" || say "$b" "no _FORTIFY_SOURCE'd call"
}
for b in "$@"; do check "$b"; done
# Indirect branch tracking is asked of our objects: the linker drops the note where the C library's start files lack it.
if [ "$(uname -m)" = x86_64 ]; then
	for o in build/release/*/*.o; do
		[ -e "$o" ] || continue
		readelf -nW "$o" | grep -q 'IBT' || say "$o" "no CET note (IBT)"
	done
fi
exit $bad
