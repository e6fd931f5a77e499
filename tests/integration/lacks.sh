#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Hosts that lack something: what is needed refuses the session with a sentence that says what to do; what is optional is done without.
set -u
if [ -z "${AGENTSH_TEST_MOUNTNS-}" ]; then
	AGENTSH_TEST_MOUNTNS=1 exec unshare --mount -- "$0" "$@"
fi
unset AGENTSH_TEST_MOUNTNS
# shellcheck source=tests/lib/check.sh
. "$(dirname "$0")/../lib/check.sh"
W=$T/ws
mkdir -p "$W"
mark=$((1000000000 + $$))
restart() { "$A" server stop >/dev/null 2>&1; }
refusal() { # the words of a session that is refused
	"$A" session create --workspace "$W" 2>&1 >/dev/null | grep -v 'auto-starting'
}
check "control: with all there a session is made" test -n "$("$A" session create --workspace "$W" 2>/dev/null | jq -r .id)"
restart

# A /dev with all that others need, but the FUSE device.
mkdir "$T/dev"
mount -t tmpfs none "$T/dev"
for n in null zero full random urandom tty; do
	: >"$T/dev/$n"
	mount --bind "/dev/$n" "$T/dev/$n"
done
ln -s /proc/self/fd "$T/dev/fd"
mkdir "$T/dev/pts" "$T/dev/shm"
mount --rbind "$T/dev" /dev
words=$(refusal)
check "without /dev/fuse: one sentence" is "$(wc -l <<<"$words")" 1
check "that says what to do" grep -q 'load the fuse module, or give the container the device' <<<"$words"
check "and detect names it" sh -c "$A detect | grep -q '^fuse.*MISSING'"
restart
umount -R /dev
umount -R "$T/dev"

# Without cgroup v2 a command's tree is ended by its labels.
grep ' cgroup2 ' /proc/mounts | while read -r _ at _; do umount "$at"; done
if grep -q ' cgroup2 ' /proc/mounts; then
	echo "not ok cgroup v2 could not be taken away"
	exit 1
fi
SID=$("$A" session create --workspace "$W" 2>"$T/err" | jq -r .id)
check "without cgroup v2 a session is made" [ -n "$SID" ]
check "and runs commands" is "$("$A" exec "$SID" -- echo here)" here
timeout 20 "$A" exec --timeout 500ms "$SID" -- sh -c "sleep $mark & (setsid sh -c 'sleep $mark & sleep $mark' &); sleep $mark" 2>/dev/null
check "a timeout is 124" is $? 124
check "and ends the whole tree, the parts that left its process group too" soon sh -c "[ \"\$(pgrep -fc '^sleep $mark')\" = 0 ]"
"$A" exec "$SID" -- sleep "$mark" 2>/dev/null &
cli=$!
soon sh -c "[ \"\$(pgrep -fc '^sleep $mark')\" = 1 ]"
"$A" session destroy "$SID" >/dev/null
wait "$cli"
check "and destroy ends everything" is "$(pgrep -fc "^sleep $mark")" 0
restart

# A workspace that is a directory of the root itself, as in containers.
top_ws=/agentsh-top-$$
mkdir "$top_ws"
echo word >"$top_ws/file"
check "a workspace in the root directory" is "$("$A" run --workspace "$top_ws" -- sh -c "cat $top_ws/file /workspace/file; pwd" 2>/dev/null | tr '\n' ' ')" "word word /workspace "
rm -r "$top_ws"
# A workspace that cannot be one.
check "a missing workspace" is "$("$A" session create --workspace "$T/none" 2>&1 >/dev/null)" "agentsh: workspace $T/none: No such file or directory"
check "a file as workspace" is "$("$A" session create --workspace "$T/err" 2>&1 >/dev/null)" "agentsh: workspace $T/err: Not a directory"
check "the root as workspace" sh -c "$A session create --workspace / 2>&1 >/dev/null | grep -q 'cannot be a workspace: choose'"
the_end
