#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input changes nothing and gets one clear line, quickly and in bounded memory: policy files, missing things, strangers, garbage on sockets.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
chmod 755 "$T" # for the strangers
mkdir -p "$T/ws"
# A sanitized build takes several times the time, and memory of its own.
cpu_max=5 mib_max=64
grep -q __asan_init "$A" && cpu_max=60 mib_max=100000

# measure COMMAND...: its code, seconds of processor time and MiB at most in $code $cpu $mib; stderr in $T/err. Two minutes by the clock at most.
measure() {
	python3 - "$T/err" "$@" >"$T/measured" <<'P'
import os, signal, sys
pid = os.fork()
if pid == 0:
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    try:
        os.execv(sys.argv[2], sys.argv[2:])
    finally:
        os._exit(127)
signal.signal(signal.SIGALRM, lambda *a: os.kill(pid, signal.SIGKILL))
signal.alarm(120)
_, status, use = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), int(use.ru_utime + use.ru_stime), use.ru_maxrss // 1024)
P
	read -r code cpu mib <"$T/measured"
}
bounded() {
	if [ "$cpu" -ge "$cpu_max" ] || [ "$mib" -gt "$mib_max" ]; then
		echo "  $cpu s, $mib MiB"
		return 1
	fi
}
# refused NAME PATTERN COMMAND...: exit 1, one line that matches, bounded.
refused() {
	local name=$1 pattern=$2
	shift 2
	measure "$@"
	check "$name: one line, exit 1, bounded" refused_is "$pattern"
}
refused_is() {
	if [ "$code" != 1 ] || [ "$(wc -l <"$T/err")" != 1 ] || ! grep -qE "$1" "$T/err"; then
		echo "  code $code, $cpu s, $mib MiB, wanted $1, got: $(head -c 600 "$T/err")"
		return 1
	fi
	bounded
}

# Policy files.
validate() { refused "$1" "$2" "$A" policy validate "$T/$3"; }
head='version: 1
name: x
'
truncate -s 200M "$T/large.yaml"
validate "a file of 200 MB" "large.yaml:1:1: error: the file has 209715200 bytes" large.yaml
printf 'version: 1\nname: \0\0\0\n' >"$T/nul.yaml"
validate "a file with NUL bytes" "^$T/nul.yaml:2:7: error: a NUL byte" nul.yaml
head -c 4000000 /dev/zero >"$T/zero.yaml"
validate "a file of NUL bytes" "^$T/zero.yaml:1:1: error: " zero.yaml
head -c 4000000 /dev/urandom >"$T/noise.yaml"
validate "noise" "^$T/noise.yaml:[0-9]+:[0-9]+: error: " noise.yaml
printf '%sdescription: \xff\n' "$head" >"$T/utf8.yaml"
validate "invalid UTF-8" "^$T/utf8.yaml:3:14: error: not valid UTF-8" utf8.yaml
{ printf '%smetadata: ' "$head" && head -c 4000000 /dev/zero | tr '\0' '['; } >"$T/deep.yaml"
validate "deep nesting" "^$T/deep.yaml:3:43: error: nested deeper" deep.yaml
{ printf '%smetadata: {' "$head" && seq -f 'k%.0f: a,' 600000 && echo '}'; } >"$T/keys.yaml"
validate "600,000 keys" "^$T/keys.yaml:[0-9]+:[0-9]+: error: too many values" keys.yaml
: >"$T/empty.yaml"
validate "an empty file" "^$T/empty.yaml:1:1: error: the file is empty" empty.yaml
printf '%sdescription: &a x\nfile_rules: *a\n' "$head" >"$T/alias.yaml"
validate "an alias" "^$T/alias.yaml:3:14: error: anchors" alias.yaml
printf '%smetadata:\n  a: &a [x, x, x]\n  b: &b [*a, *a, *a]\n  c: [*b, *b, *b]\n' "$head" >"$T/laughs.yaml"
validate "a billion laughs" "^$T/laughs.yaml:4:6: error: anchors" laughs.yaml
printf '%sdescription: !!binary aGk=\n' "$head" >"$T/tag.yaml"
validate "a tag" "^$T/tag.yaml:3:14: error: tags" tag.yaml
printf '%saudit:\n  <<: {log_denied: true}\n' "$head" >"$T/merge.yaml"
validate "a merge key" "^$T/merge.yaml:4:3: error: merge keys" merge.yaml
printf '%sname: y\n' "$head" >"$T/twice.yaml"
validate "a key twice" "^$T/twice.yaml:3:1: error: key \"name\" stands twice" twice.yaml
printf '%s---\n%s' "$head" "$head" >"$T/two.yaml"
validate "two documents" "^$T/two.yaml:3:1: error: a second document" two.yaml
printf '\xef\xbb\xbf%s' "$head" >"$T/bom.yaml"
validate "a byte order mark" "^$T/bom.yaml:1:1: error: a byte order mark" bom.yaml
{ printf '\xff\xfe' && printf '%s' "$head" | sed 's/./&\x00/g; s/$/\x00/'; } >"$T/utf16.yaml"
validate "UTF-16" "^$T/utf16.yaml:1:1: error: this is UTF-16" utf16.yaml
{ printf '%smetadata:\n  ' "$head" && yes -- '- ' | head -10000 | tr -d '\n'; } >"$T/list.yaml"
validate "10,000 lists in each other" "^$T/list.yaml:4:67: error: nested deeper" list.yaml
mkdir "$T/dir.yaml"
validate "a directory" "dir.yaml is not a file" dir.yaml
mkfifo "$T/fifo.yaml"
validate "a FIFO" "fifo.yaml is not a file" fifo.yaml
ln -s /dev/zero "$T/device.yaml"
validate "a device" "device.yaml is not a file" device.yaml
ln -s loop.yaml "$T/loop.yaml"
validate "a link to itself" "loop.yaml: Too many levels" loop.yaml
validate "no file" "none.yaml: No such file" none.yaml
printf '%s' "$head" >"$T/closed.yaml"
chmod 600 "$T/closed.yaml"
cp "$A" "$T/agentsh"
refused "an unreadable file" "closed.yaml: Permission denied" \
	"$(command -v setpriv)" --reuid 65534 --regid 65534 --clear-groups -- "$T/agentsh" policy validate "$T/closed.yaml"
{ printf '%sfile_rules:\n' "$head" && seq 3000 | sed "s|.*|- {name: r&, paths: ['**/*a&*b*c*/**x**'], decision: deny}|"; } >"$T/hard.yaml"
validate "path patterns that are too complex" "^$T/hard.yaml:[0-9]*:3: error: rule \"r[0-9]*\": up to here the paths of the file rules are too complex" hard.yaml
{ printf "%scommand_rules:\n" "$head" && echo "- {name: a, args_patterns: ['((a|b.|c){1,200}x){1,100}'], decision: deny}"; } >"$T/regex.yaml"
validate "an args_pattern that is too complex" "^$T/regex.yaml:4:29: error: args_patterns" regex.yaml
{ printf '%sfile_rules:\n' "$head" && yes -- '- 7' | head -100000; } >"$T/errors.yaml"
measure "$A" policy validate "$T/errors.yaml"
check "100,000 errors are 21 lines" is "$code $(wc -l <"$T/err") $(tail -1 "$T/err")" "1 21 $T/errors.yaml: and 99980 more errors: --all"
# compiles NAME: rules on stdin compile, bounded.
compiles() {
	{ printf '%sfile_rules:\n' "$head" && cat; } >"$T/rules.yaml"
	measure "$A" policy compile "$T/rules.yaml"
	check "$1 compile" is "$code" 0
	check "in $cpu_max s and $mib_max MiB" bounded
}
compiles "100,000 rules" < <(seq 100000 | sed 's|.*|- {name: r&, paths: [/w/d&/**], decision: allow}|')
compiles "1,500 rules, a third of which begin anywhere," < <(for i in $(seq 500); do
	echo "- {name: a$i, paths: ['**/d$i/f$i'], decision: deny}"
	echo "- {name: b$i, paths: [/w/d$i/f$i, /w/e$i], decision: allow}"
	echo "- {name: c$i, paths: [/v/d$i], operations: [read], decision: deny}"
done)

# The generation in force stays.
printf '%sfile_rules: []\n' "$head" >"$T/p.yaml"
"$A" policy compile "$T/p.yaml" >/dev/null
sum=$(sha256sum <"$T/data/policy/p.mdb")
printf 'file_rulez: []\n' >>"$T/p.yaml"
measure "$A" policy compile "$T/p.yaml"
check "a policy with an error does not compile" is "$code" 1
check "and says where" grep -q "^$T/p.yaml:4:1: error: unknown key" "$T/err"
check "the generation in force is unchanged" is "$(sha256sum <"$T/data/policy/p.mdb")" "$sum"
check "and nothing lies beside it" is "$(find "$T/data/policy" -type f ! -name '*.mdb' | wc -l)" 0

# No daemons, and none wanted.
export AGENTSH_NO_AUTO=1
refused "exec without daemons" "AGENTSH_NO_AUTO forbids" "$A" exec session-x -- true
refused "session create without daemons" "AGENTSH_NO_AUTO forbids" "$A" session create --workspace "$T/ws"
check "none was started" test ! -e "$T/run/execd.sock"
unset AGENTSH_NO_AUTO
refused "a missing workspace" "workspace $T/none: No such file" "$A" session create --workspace "$T/none"
refused "a file as workspace" "workspace .*: Not a directory" "$A" session create --workspace "$T/p.yaml"
refused "a session with no such policy" "nosuch.yaml: No such file" "$A" session create --workspace "$T/ws" --policy "$T/nosuch.yaml"

# Daemons.
printf '%sfile_rules:\n- {name: all, paths: ["/**"], decision: allow}\ncommand_rules:\n- {name: all, decision: allow}\n' "$head" >"$T/p.yaml"
SID=$("$A" session create --workspace "$T/ws" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err" "$T/run/server.log"; exit 1; }
refused "an unknown session" 'unknown session "nope"' "$A" exec nope -- true
refused "a session id that climbs" 'unknown session' "$A" exec ../../etc/passwd -- true
refused "an id of 300 bytes" 'unknown session' "$A" exec "$(printf 'a%.0s' $(seq 300))" -- true
refused "a stranger has no right to the sockets" "no right to use $T/run/execd.sock" \
	"$(command -v setpriv)" --reuid 65534 --regid 65534 --clear-groups -- "$T/agentsh" session list
python3 "$top/tests/integration/garbage.py" "$T/run" "$SID" || failed=1
check "and the session still works" is "$(timeout 20 "$A" exec "$SID" -- echo alive)" alive
the_end
