#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which policies may be used: signatures and the trust store in each mode, the manifest, the list of allowed names, files by path; for sessions
# as for compiling.
set -u
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
unset AGENTSH_POLICY_NAME AGENTSH_POLICY_DIR AGENTSH_CONFIG
umask 022
W=$T/ws D=$T/policies S=$T/trust C=$HOME/.config/agentsh/config.yaml
mkdir -p "$W" "$D" "$S" "$T/keys" "$T/other" "$(dirname "$C")"
printf 'version: 1\nname: good\ncommand_rules: [{name: all, decision: allow}]\nfile_rules: [{name: all, paths: ["/**"], decision: allow}]\n' >"$D/good.yaml"
cp "$D/good.yaml" "$D/unsigned.yaml"
# config LINES: below policies.
config() { { printf 'policies:\n  dir: %s\n' "$D" && cat; } >"$C"; }
mode() { printf '  signing: {mode: %s, trust_store: %s}\n' "$1" "$S" | config; }
run() { "$A" "$@" >"$T/out" 2>"$T/err"; }
# uses POLICY: compiled, and nothing said
uses() {
	run policy compile "$1"
	is "$? $(cat "$T/err")" "0 "
}
# refuses PATTERN POLICY: exit 1, one line that matches, and no generation
refuses() {
	rm -rf "$T/data/policy"
	run policy compile "$2"
	is "$? $(wc -l <"$T/err") $(grep -cE "$1" "$T/err") $(ls "$T/data/policy" 2>/dev/null)" "1 1 1 "
}
# warns PATTERN POLICY: compiled, one line that matches
warns() {
	run policy compile "$2"
	is "$? $(wc -l <"$T/err") $(grep -cE "warning: .*$1" "$T/err")" "0 1 1"
}

# Keys.
check "a key is made" run policy keygen --out "$T/keys"
K=$T/keys/policy.key
check "the private key is for its owner alone" is "$(stat -c %a "$K") $(stat -c %a "$T/keys/policy.pub")" "600 644"
check "a directory is made where the name says that it is one" is \
	"$("$A" policy keygen --out "$T/new/" >"$T/made" && stat -c '%n %a' "$T/new" "$T/new/policy.key" "$T/new/policy.pub")" "$T/new 700
$T/new/policy.key 600
$T/new/policy.pub 644"
check "and said without a second slash" grep -q "  $T/new/policy.key (keep" "$T/made"
check "a name without one is the file" is "$("$A" policy keygen --out "$T/new/k" >/dev/null && ls "$T/new")" "k
k.pub
policy.key
policy.pub"
check "no directory below one that is not there" is "$("$A" policy keygen --out "$T/no/such/" 2>&1)" "agentsh: $T/no/such/: No such file or directory"
check "the help's example is what sign's goes on with" is \
	"$("$A" policy keygen --help | sed -n 's/^  agentsh policy keygen --out //p')policy.key" \
	"$("$A" policy sign --help | sed -n 's/^  agentsh policy sign --key \([^ ]*\) .*/\1/p')"
sum=$(sha256sum <"$K")
check "it is not overwritten" is "$("$A" policy keygen --out "$T/keys" 2>&1)" "agentsh: $K: is there already: it is not overwritten"
check "and stays" is "$(sha256sum <"$K")" "$sum"
check "nor is a public key" is "$(touch "$T/x.pub"; "$A" policy keygen --out "$T/x.key" 2>&1; test -e "$T/x.key"; echo $?)" "agentsh: $T/x.pub: is there already: it is not overwritten
1"
check "openssl reads the private key and finds the same public key" is "$(openssl pkey -in "$K" -pubout)" "$(cat "$T/keys/policy.pub")"
id=$(openssl pkey -pubin -in "$T/keys/policy.pub" -outform DER | sha256sum | cut -c1-16)
check "the key's id is that of its DER" grep -q "^$id  " "$T/out"
cp "$T/keys/policy.pub" "$S/"

# Signing.
sign() { run policy sign --key "$K" "$@"; }
check "a policy is signed" sign "$D/good.yaml"
check "the signature names the key" is "$(sed -n 3p "$D/good.yaml.sig")" "key: $id"
digest() { { printf 'agentsh-policy-v1\0%s\0' "$(basename "$1")" && cat "$1"; } | openssl dgst -sha256 -binary >"$T/digest"; }
digest "$D/good.yaml"
sed -n 's/^signature: //p' "$D/good.yaml.sig" | openssl base64 -d -A >"$T/sig.bin"
check "openssl verifies it" grep -q Successfully <(openssl pkeyutl -verify -rawin -pubin -inkey "$T/keys/policy.pub" -in "$T/digest" -sigfile "$T/sig.bin")
check "verify says by whom" is "$("$A" policy verify --trust "$S" "$D/good.yaml")" "$D/good.yaml: signed by key $id ($S/policy.pub)"
openssl genpkey -algorithm ed25519 -out "$T/foreign.key" 2>/dev/null && chmod 600 "$T/foreign.key"
openssl pkey -in "$T/foreign.key" -pubout -out "$T/foreign.pub"
cp "$D/good.yaml" "$D/foreign.yaml"
check "a key that openssl made signs" run policy sign --key "$T/foreign.key" "$D/foreign.yaml"
chmod 644 "$T/foreign.key"
check "a private key that others may read does not" is "$("$A" policy sign --key "$T/foreign.key" "$D/foreign.yaml" 2>&1 | grep -c 'may be read by others')" 1
check "a public key does not, and is called one" is \
	"$("$A" policy sign --key "$T/keys/policy.pub" "$D/foreign.yaml" 2>&1 | grep -c 'policy.pub is a public key: it verifies')" 1
printf 'version: 1\nname: e\nfile_rules: [{name: a, paths: [/a], decision: alow}]\n' >"$T/errs.yaml"
check "a policy with errors is signed" run policy sign --key "$K" "$T/errs.yaml"
check "and the errors are said" is "$(grep -c -e 'errs.yaml:3:[0-9]*: error: ' -e 'warning: .*errs.yaml is signed, and no session can use it' "$T/err")" 2
check "nothing is said of one without" is "$("$A" policy sign --key "$K" "$D/good.yaml" 2>&1 | grep -c .)" 1
openssl genpkey -algorithm x25519 -out "$T/x25519.key" 2>/dev/null && chmod 600 "$T/x25519.key"
check "nor one of another kind" is "$("$A" policy sign --key "$T/x25519.key" "$D/foreign.yaml" 2>&1 | grep -c 'no private key of Ed25519')" 1

# What is wrong with a policy, each in each mode.
same() { cp "$D/good.yaml" "$D/$1.yaml" && sign "$D/$1.yaml"; }
same tampered && echo '# more' >>"$D/tampered.yaml"
same badsig && python3 - "$D/badsig.yaml.sig" <<'P'
import base64, sys
t = open(sys.argv[1]).read()
head, sig = t.rsplit(" ", 1)
b = bytearray(base64.b64decode(sig)); b[7] ^= 1
open(sys.argv[1], "w").write(head + " " + base64.b64encode(b).decode() + "\n")
P
same garbled && echo 'signature: none' >"$D/garbled.yaml.sig"
same longer && echo 'note: x' >>"$D/longer.yaml.sig"
same first && mv "$D/first.yaml" "$D/renamed.yaml" && mv "$D/first.yaml.sig" "$D/renamed.yaml.sig"
same otherid && sed -i 's/^key: .*/key: 0123456789abcdef/' "$D/otherid.yaml.sig"
cases="unsigned:is.not.signed tampered:is.not.what.key badsig:is.not.what.key garbled:is.no.signature longer:is.no.signature renamed:is.not.what.key
	foreign:none.of.the.1.in otherid:none.of.the.1.in"
for m in off warn enforce; do
	mode "$m"
	check "$m: a signed policy is used" uses good
	check "$m: a built-in pack is used" uses agent-sandbox
	for c in $cases; do
		case $m in
		off) check "off: ${c%%:*} is used" uses "${c%%:*}" ;;
		warn) check "warn: ${c%%:*} is used with one line" warns "${c#*:}" "${c%%:*}" ;;
		enforce) check "enforce: ${c%%:*} is refused" refuses "${c#*:}" "${c%%:*}" ;;
		esac
	done
done
for c in $cases; do check "verify: ${c%%:*}" is "$("$A" policy verify "${c%%:*}" 2>&1 | grep -cE "${c#*:}")" 1; done
check "a draft may still be looked at" run policy explain --policy unsigned file read /x
check "a pack's name does not help a file" refuses "is not signed" "$(cp "$D/unsigned.yaml" "$D/default.yaml"; echo default)"
rm "$D/default.yaml"

# The store.
mv "$S/policy.pub" "$T/keys/"
check "an empty store trusts nobody" refuses "none of the 0 in" good
cp "$T/foreign.pub" "$S/policy.pub"
check "a key that was replaced is not trusted" refuses "none of the 1 in" good
check "what the new one signed is" uses foreign
cp "$T/keys/policy.pub" "$S/second.pub"
check "two keys: both are" uses good
chmod 777 "$S"
check "a store that others may write is refused" refuses "$S may be written by others" good
chmod 755 "$S" && chmod 664 "$S/second.pub"
check "and one with such a key" refuses "second.pub may be written by others" good
chmod 644 "$S/second.pub" && chown 65534 "$S/policy.pub"
check "and one with a stranger's key" refuses "policy.pub belongs to user 65534" good
chown 0 "$S/policy.pub" && chmod 777 "$T"
check "and one whose parent others may write" refuses "$T may be written by others" good
chmod 755 "$T" && ln -s "$T/foreign.pub" "$S/link.pub"
check "and one with a link" refuses "link.pub is no plain file" good
rm "$S/link.pub" && echo key >"$S/broken.pub"
check "and one with a broken key" refuses "broken.pub is no public key" good
rm "$S/broken.pub"
mv "$S" "$T/gone"
check "no store trusts nobody" refuses "No such file" good
mv "$T/gone" "$S"
check "control: it is used again" uses good

# Sessions.
create() { "$A" session create --workspace "$W" "$@" 2>"$T/err" | jq -r .id; }
check "enforce: no session of an altered policy" is "$(create --policy tampered)" ""
check "it says why" grep -q "tampered.yaml is not what key $id signed" "$T/err"
check "nor by a file's path" is "$(create --policy "$D/tampered.yaml")" ""
check "nor with run" is "$("$A" run --policy unsigned --workspace "$W" -- echo ran 2>/dev/null)" ""
SID=$(create --policy good)
check "a session of a signed policy" is "$("$A" exec "$SID" -- echo ran)" ran
"$A" session destroy "$SID" >/dev/null

# Names.
printf '  allowed: [good, "agent-*", "%s/*"]\n  default: good\n' "$T/other" | config
none() { is "$(create "$@") $(grep -cE "$pattern" "$T/err")" " 1"; }
some() { SID=$(create "$@") && [ -n "$SID" ] && "$A" session info "$SID" | jq -r .policy >"$T/name" && "$A" session destroy "$SID" >/dev/null; }
pattern='"unsigned" is none of those .*: good, agent-\*, '
check "a name that is not allowed" none --policy unsigned
check "one that is" some --policy agent-sandbox
check "the default" some
check "is the configuration's" is "$(cat "$T/name")" good
export AGENTSH_POLICY_NAME=agent-sandbox
check "AGENTSH_POLICY_NAME" some
check "comes before it" is "$(cat "$T/name")" agent-sandbox
AGENTSH_POLICY_NAME=unsigned pattern='"unsigned" \(AGENTSH_POLICY_NAME\) is none of those'
check "and is held against the list" none
AGENTSH_POLICY_NAME=../x pattern='AGENTSH_POLICY_NAME "../x" is not'
check "and is a name" none
check "but --policy comes first" some --policy good
unset AGENTSH_POLICY_NAME
cp "$D/good.yaml" "$T/other/x.yaml"
SID=$(create --policy good)
update() { "$A" session update "$SID" --policy "$1" >/dev/null 2>"$T/err"; }
check "a running session gets none that is not allowed" is "$(update unsigned; echo $?) $(grep -c 'is none of those' "$T/err") $("$A" session info "$SID" | jq -r .policy)" "1 1 good"
check "control: one that is" is "$(cp "$D/good.yaml" "$D/agent-good.yaml"; update agent-good; echo $?)" 0
rm "$D/agent-good.yaml"
"$A" session destroy "$SID" >/dev/null
check "a file that an entry with a slash names" some --policy "$T/other/x.yaml"
ln -s "$D/unsigned.yaml" "$T/other/link.yaml"
pattern='is none of those'
check "not one that only has its name there" none --policy "$T/other/link.yaml"
check "nor another" none --policy "$D/good.yaml"
# A name that is listed is the administrator's: nobody puts a file of that name before it.
mkdir -p "$T/own" "$T/roots" "$HOME/.config/agentsh/policies"
sed 's/decision: allow/decision: deny/' "$D/good.yaml" >"$T/own/good.yaml"
cp "$T/own/good.yaml" "$T/roots/" && cp "$T/own/good.yaml" "$HOME/.config/agentsh/policies/default.yaml"
chown 65534 "$T/own" "$HOME/.config/agentsh/policies"
from() { "$A" policy explain --policy "$1" --json exec -- x | jq -r .at; }
own() { AGENTSH_POLICY_DIR=$T/$1 from good; }
check "a listed name is not looked for in a directory of one's own" is "$(own own)" "$D/good.yaml:3"
check "nor through a link in root's" is "$(ln -s "$T/own" "$T/roots/link"; own roots/link)" "$D/good.yaml:3"
check "nor in one that others may write" is "$(chmod 777 "$T/roots"; own roots; chmod 755 "$T/roots")" "$D/good.yaml:3"
check "control: in root's it is" is "$(own roots)" "$T/roots/good.yaml:3"
check "control: it is when none is listed" is "$(config </dev/null; own own)" "$T/own/good.yaml:3"
printf 'policies: {allowed: [default]}\n' >"$C"
check "nor is it below HOME" is "$(from default | grep -c "^$HOME")" 0
printf 'policies: {default: default}\n' >"$C"
check "control: when none is listed it is there" is "$(from default | grep -c "^$HOME")" 1
rm -r "$HOME/.config/agentsh/policies"
printf '  allow_files: false\n' | config
pattern='policies by file are not allowed'
check "no files: a path" none --policy "$D/good.yaml"
check "no files: a name in this directory" none --policy good.yaml
check "no files: a name" some --policy good
mkdir "$T/mine" && cp "$D/unsigned.yaml" "$T/mine/mine.yaml"
pattern='no policy named "mine"'
check "no files: nor a directory of one's own" env AGENTSH_POLICY_DIR="$T/mine" bash -c '[ -z "$("$0" session create --workspace "$1" --policy mine 2>/dev/null)" ]' "$A" "$W"
config </dev/null
check "control: otherwise it is one" env AGENTSH_POLICY_DIR="$T/mine" "$A" policy compile mine >/dev/null

# The manifest.
"$A" policy manifest "$D/good.yaml" foreign >"$T/manifest"
check "sha256sum reads the manifest" is "$(cd "$D" && sha256sum -c "$T/manifest" 2>&1)" "good.yaml: OK
foreign.yaml: OK"
printf '  manifest_path: %s\n' "$T/manifest" | config
check "a policy of the manifest is used" uses good
check "a built-in pack needs no line in it" uses agent-sandbox
printf '  manifest_path: %s\n  signing: {mode: enforce, trust_store: %s}\n' "$T/manifest" "$S" | config
check "nor with signatures enforced, and verify says why" is \
	"$(uses agent-sandbox && "$A" policy verify agent-sandbox)" "(built-in) agent-sandbox.yaml: carried by this program"
printf '  manifest_path: %s\n' "$T/manifest" | config
check "another is not" refuses "unsigned.yaml is not in the manifest" unsigned
echo '# more' >>"$D/foreign.yaml"
check "nor one that was changed" refuses "foreign.yaml was changed" foreign
check "and starts no session" is "$(create --policy foreign)" ""
check "all policies of the directory" is "$("$A" policy manifest | wc -l)" "$(find "$D" -name '*.yaml' | wc -l)"
chmod 666 "$T/manifest"
check "a manifest that others may write is refused" refuses "manifest may be written by others" good
chmod 644 "$T/manifest" && echo 'good.yaml' >>"$T/manifest"
check "and one with another line" refuses "manifest:3:1: error: not a line" good
rm "$T/manifest"
check "and none" refuses "manifest was refused" good
# What is judged is what is read: a file that is another's and gone, whose descriptor's words are the path of one that is not.
"$A" policy manifest "$D/good.yaml" >"$T/gone" && cp "$T/gone" "$T/gone (deleted)" && chown 65534 "$T/gone"
printf '  manifest_path: /proc/self/fd/9\n' | config
exec 9<"$T/gone (deleted)"
check "control: the manifest as a descriptor" uses good
exec 9<"$T/gone" && rm "$T/gone"
check "not one that is another's, where a path like it is one's own" refuses "/proc/self/fd/9 belongs to user 65534" good
printf 'policies: {dir: %s}\n' "$D" >"$T/gone" && cp "$T/gone" "$T/gone (deleted)" && exec 9<"$T/gone" && rm "$T/gone"
check "nor a configuration whose file is gone" is "$(AGENTSH_CONFIG=/proc/self/fd/9 "$A" policy compile good 2>&1)" "agentsh: /proc/self/fd/9: the directory that it lies in is not to be found"
exec 9<"$T/gone (deleted)"
check "control: one that is there" is "$(AGENTSH_CONFIG=/proc/self/fd/9 "$A" policy compile good 2>&1 | grep -c good.mdb)" 1
exec 9<&-

# The configuration.
bad() { # NAME PATTERN: the text on stdin is refused, and so is everything that would need it
	cat >"$C"
	run policy compile good
	check "configuration: $1" is "$? $(grep -cE "$2" "$T/err")" "1 1"
}
printf 'policies:\n  signing: {mode: enforced}\n' | bad "an unknown mode" "^$C:2:19: error: policies.signing.mode: \"enforced\" is none of"
printf 'policies:\n  singing: {mode: enforce}\n' | bad "a key with a slip" "^$C:2:3: error: unknown key \"singing\" .did you mean \"signing\""
printf 'polices: {}\n' | bad "and at the top" "^$C:1:1: error: unknown key \"polices\" .did you mean \"policies\""
printf 'policies: {allowed: []}\n' | bad "an empty list" "^$C:1:21: error: policies.allowed is empty"
printf 'policies: {allowed: good}\n' | bad "no list" "^$C:1:21: error: policies.allowed takes a list"
printf 'policies: {allow_files: maybe}\n' | bad "no truth" "^$C:1:25: error: policies.allow_files: \"maybe\" is neither"
printf 'policies: [x]\n' | bad "no map" "^$C:1:11: error: policies takes a map"
printf 'policies: {dir: {a: b}}\n' | bad "a map for a value" "^$C:1:17: error: policies.dir takes one value"
printf 'policies: {default: ../x}\n' | bad "a default that is no name" "^$C:1:21: error: policies.default"
printf '%s\n' '- a' | bad "a list" "^$C:1:1: error: a map of keys"
printf 'policies: {dir: policies}\n' >"$C" && chmod 666 "$C"
run policy compile good
check "configuration: one that everybody may write" grep -q "may be written by others" "$T/err"
chmod 644 "$C"
printf '# nothing\n\n' >"$C"
check "configuration: only comments are the defaults" uses agent-sandbox
printf 'auth: {type: none}\nserver: {http: {addr: x}}\n' >"$C"
run policy compile agent-sandbox
check "configuration: the Go version's keys are a warning each" is "$(grep -c 'warning: .* is ignored' "$T/err")$(wc -l <"$T/err")" 22
printf 'policies: {dir: policies, signing: {mode: enforce, trust_store: trust}}\n' >"$T/own.yaml"
printf 'policies: {dir: %s}\n' "$D" >"$C"
check "control: the first file found" uses unsigned
check "--config names another, with paths of its own" is "$("$A" --config "$T/own.yaml" policy compile unsigned 2>&1 | grep -c 'is not signed')" 1
check "AGENTSH_CONFIG too" is "$(AGENTSH_CONFIG=$T/own.yaml "$A" policy compile good 2>&1 | grep -c good.mdb)" 1
check "one that is named must be there" is "$(AGENTSH_CONFIG=$T/none "$A" policy compile good 2>&1)" "agentsh: $T/none: No such file or directory"
check "the example is good" is "$(AGENTSH_CONFIG=$top/configs/server-config.yaml "$A" policy compile agent-sandbox 2>&1 | grep -vc agent-sandbox.mdb)" 0
the_end
