#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# large_list.sh PROGRAM ROWS - a list of so many rows of which three are broken: exit status 2, the three are named, the rest
# is published, found by `list check` and hunted, and the same file again is version 2 without a difference.
set -eu
program=$1
rows=$2
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
    echo "large_list.sh: $*" >&2
    [ ! -f "$dir/said" ] || tail -n 30 "$dir/said" >&2
    exit 1
}
said() {
    grep -q -e "$1" "$dir/said" || fail "not said: $1"
}
# distinct public addresses; the sample's bot among them
awk -v n="$rows" 'BEGIN {
    for (i = 1; i <= n; i++) {
        x = i * 3
        if (i == 1000) print "300.1.1.1"
        else if (i == int(n / 2)) print "not an address"
        else if (i == n) print "1.2.3.4.5"
        else if (i == 7) print "147.32.84.165"
        else printf "%d.%d.%d.%d\n", 11 + int(x / 16777216), int(x / 65536) % 256, int(x / 256) % 256, x % 256
    }
}' >"$dir/list.txt"
"$program" import flows --zone +02:00 "$root/share/sample/ctu13-scenario11-rbot.binetflow.xz" --data "$dir/data" >"$dir/said" 2>&1 ||
    [ $? -eq 2 ] || fail 'import'
status=0
"$program" list add large "$dir/list.txt" --data "$dir/data" >"$dir/said" 2>&1 || status=$?
[ "$status" -eq 2 ] || fail "list add ended with $status, expected 2"
said "row 1000 refused: '300\.1\.1\.1'"
said "row $((rows / 2)) refused: 'not an address'"
said "row $rows refused: '1\.2\.3\.4\.5'"
[ "$(grep -c '^row .* refused' "$dir/said")" -eq 3 ] || fail 'more than three rows are refused'
"$program" list show --format csv --data "$dir/data" >"$dir/said" 2>&1
said "^large,1,[a-z]*,$((rows - 3)),"
"$program" list check 147.32.84.165 --format csv --data "$dir/data" >"$dir/said" 2>&1
said '^large,1,147\.32\.84\.165,'
"$program" hunt large --format csv --data "$dir/data" >"$dir/said" 2>&1 || fail 'hunt'
said ',147\.32\.84\.165,large,'
"$program" list add large "$dir/list.txt" --data "$dir/data" >"$dir/said" 2>&1 || [ $? -eq 2 ] || fail 'list add, again'
"$program" list diff large 1 2 --format csv --data "$dir/data" >"$dir/diff" 2>"$dir/said" || fail 'diff'
! grep -q -e '^new,' -e '^gone,' "$dir/diff" || fail 'the same file differs from itself'
echo "$rows rows: ok"
