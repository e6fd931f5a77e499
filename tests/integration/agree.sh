#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the evaluator says and what becomes of the act are the same: random files, programs and connections in live sessions.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/net.sh
. "$here/tests/lib/net.sh"
# shellcheck source=tests/lib/check.sh
. "$here/tests/lib/check.sh"
N=$T/net
internet_up "$N" api.live.test=203.0.113.10 cdn.live.test=203.0.113.11 evil.test=203.0.113.12 www.evil.test=203.0.113.13 far.test=203.0.113.140 || exit 1
child "$internet"
: >"$N/http.log"
mkdir "$T/live"
check "${ACTS-2000} acts end as the evaluator says" "$here/tests/oracle/live" "$T/live" "$N" --acts "${ACTS-2000}" --seed "${SEED-1}"
mkdir "$T/who"
check "and 1000 more with rules that ask who acts" "$here/tests/oracle/live" "$T/who" "$N" --acts 1000 --seed "${SEED-1}" --processes
the_end
