#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fs.sh PROGRAMS JSON: of make bench the rows about files alone.
exec "$(dirname "$0")/run.sh" "$1" "$2" files
