#!/usr/bin/env bash
# Who may include whom, and each library's one home. One line per finding: file:line: what.
cd "$(dirname "$0")/../.." || exit 1
shopt -s nullglob
rooms=(common policy dlp netd fsd execd cli)
bad=0
no() { # FOLDER FORBIDDEN...: a folder's files must not include these rooms
	local room
	for room in "${@:2}"; do
		# shellcheck disable=SC2046 # our file names have no blanks
		grep -Hn "#include \"$room/" /dev/null $(files "$1") | sed "s|\$|  ($1 must not include $room)|" | grep . && bad=1
	done
}
files() { # FOLDER...: their sources
	local d
	for d in "$@"; do printf '%s\n' "$d"/*.[ch]; done
}
home() { # HEADER FILES...: only these (regular expressions) include it
	# shellcheck disable=SC2046
	grep -HnE "#include <($1)>" /dev/null $(files "${rooms[@]}") | grep -vE "^($2):" | sed "s#\$#  (its home is: $2)#" | grep . && bad=1
}
no common policy dlp netd fsd execd cli
no policy dlp netd fsd execd cli
no dlp policy netd fsd execd cli
no netd fsd execd cli
no fsd netd execd cli
no execd netd fsd cli
no cli netd fsd execd
# dlp is pure: bytes in, findings out. It takes from common what is pure itself.
# shellcheck disable=SC2046
grep -HnE '#include "common/(log|loop|ipc|evt|daemon|sandbox|board|approve)' /dev/null $(files dlp) | sed 's/$/  (dlp does no I\/O)/' | grep . && bad=1

home 'libnftnl/.*' 'netd/nft\.c'
home 'libnetfilter_queue/.*' 'netd/pktq\.c'
# Netlink's framing: one file per kernel conversation (rules, queue, links, socket look-ups).
home 'libmnl/.*' 'netd/(nft|pktq|netns|sockdiag)\.c'
home 'ares.*\.h' 'netd/dns_up\.c'
home 'nghttp2/.*' 'netd/http2\.c'
home 'openssl/.*' 'netd/(tls|leaf|ca)\.c|cli/policy_sign\.c'
home '(fuse3/)?fuse(_.*)?\.h' 'fsd/(ops.*|judge)\.[ch]'
home 'seccomp\.h' 'execd/filter\.c|common/sandbox\.c'
home 'linux/landlock\.h' 'common/landlock\.c'
home 'sys/capability\.h' 'netd/netns\.c'
home 'yaml\.h' 'policy/yaml\.c'
home 'lmdb\.h' 'policy/store\.c'
home 'nettle/.*' 'common/hash\.c'
home 'libpsl\.h' 'policy/.*\.c|netd/.*\.c'
home 'cjson/.*' 'cli/.*\.[ch]'
home '(microhttpd|curl/.*|n?curses|nats/.*)\.?h?' 'cli/.*\.[ch]'
exit $bad
