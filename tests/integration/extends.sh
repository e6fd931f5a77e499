#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A policy extends others by name and by file: its own rules come first, files lie beside the one that names them, and a bad chain is refused.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
mkdir -p "$T/p/sub" "$T/named" "$T/elsewhere"
export AGENTSH_POLICY_DIR=$T/named
rule() { printf -- '- {name: %s, paths: [%s], decision: %s}\n' "$@"; }
policy() { printf 'version: 1\nname: x\nextends: %s\nfile_rules:\n' "$1"; } # EXTENDS; rules follow
{ policy '[./sub/b.yaml, base, plain.yaml]' && rule own /w/own allow; } >"$T/p/a.yaml"
{ policy '[../c.yaml]' && rule b /w/own deny && rule b2 /w/b deny; } >"$T/p/sub/b.yaml"
{ policy '[]' && rule c /w/b allow && rule c2 /w/c deny; } >"$T/p/c.yaml"
{ policy '[]' && rule base /w/base deny; } >"$T/named/base.yaml"
{ policy '[]' && rule plain /w/plain deny; } >"$T/p/plain.yaml"
cat >"$T/all.cases" <<'E'
file read /w/own -> allow own
file read /w/b -> deny b2
file read /w/c -> deny c2
file read /w/base -> deny base
file read /w/plain -> deny plain
E
cd "$T/elsewhere" || exit 1
check "own rules first, then what is extended in order" "$A" policy test --policy "$T/p/a.yaml" "$T/all.cases"
mv "$T/p" "$T/moved"
check "and the same where the folder was moved to" "$A" policy test --policy "$T/moved/a.yaml" "$T/all.cases"
cd "$T/moved" || exit 1
check "and by a relative path" "$A" policy test --policy ./a.yaml "$T/all.cases"
{ policy base && rule first /w/base allow; } >"$T/named/top.yaml"
echo 'file read /w/base -> allow first' >"$T/top.cases"
check "by name" "$A" policy test --policy top "$T/top.cases"
# refused NAME WORDS: a.yaml is refused with one line that has these words.
refused() {
	if "$A" policy validate ./a.yaml 2>"$T/err"; then echo "not ok $1: accepted"; failed=1; fi
	check "$1" grep -qF "$2" "$T/err"
	check "$1: in one line" is "$(wc -l <"$T/err")" 1
}
policy '../a.yaml' >c.yaml
policy 'c.yaml' >a.yaml
mkdir -p x && policy './../moved/a.yaml' >c.yaml
refused "a cycle is refused with its chain" 'c.yaml:3:10: error: extends "./../moved/a.yaml": '
policy './a.yaml' >c.yaml
refused "a short one too" 'c.yaml:3:10: error: extends "./a.yaml": a policy that extends itself (./a.yaml -> c.yaml -> ./a.yaml)'
policy '[c.yaml, nosuch]' >a.yaml
policy '[]' >c.yaml
refused "a name that is none" './a.yaml:3:19: error: extends "nosuch": no policy named "nosuch"'
policy 'defualt' >a.yaml
refused "a name that is nearly one" './a.yaml:3:10: error: extends "defualt": no policy named "defualt" (did you mean "default"?)'
policy 'x/none.yaml' >a.yaml
refused "a file that is none" 'error: extends "x/none.yaml": x/none.yaml: No such file'
policy 'x/' >a.yaml
refused "a folder" 'error: extends "x/": x is not a file'
mkfifo fifo.yaml && policy 'fifo.yaml' >a.yaml
refused "a FIFO" 'error: extends "fifo.yaml": fifo.yaml is not a file'
truncate -s 100M large.yaml && policy 'large.yaml' >a.yaml
refused "a large file" 'the file has 104857600 bytes'
{ policy '[]' && echo '- {name: q, paths: [/a], decision: maybe}'; } >c.yaml
policy 'c.yaml' >a.yaml
refused "a mistake in it has that file's name" 'c.yaml:5:36: error: decision "maybe"'
the_end
