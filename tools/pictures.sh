#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# pictures.sh - docs/img/*.svg: the way of an event, and what the program prints about the sample.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
v="build/vonggac --data $data"
$v import flows --zone +02:00 share/sample/ctu13-scenario11-rbot.binetflow.xz >"$data/log" 2>&1 || [ $? -eq 2 ]
$v space add share/sample/own-space.csv >>"$data/log" 2>&1
$v list add botnet-sample share/sample/botnet-list.csv --kind windowed --date 2011-08-18 --source CTU-13 >>"$data/log" 2>&1

tools/picture.py way >docs/img/way-of-an-event.svg
tools/picture.py run 176 'which of our machines are listed, which talked to a listed one' "$v hunt" >docs/img/hunt.svg
tools/picture.py run 176 'máy nào của ta nằm trong danh sách, máy nào đã kết nối tới' "$v hunt --lang vi" >docs/img/hunt.vi.svg
tools/picture.py run 110 'one infected machine: what it did, minute by minute' \
    "$v query 'source.ip : 147.32.84.165 and destination.ip : 147.32.96.69 | timeline 1m'" \
    "$v query 'source.ip : 147.32.84.165 | top 5 destination.ip by sum(network.bytes)'" \
    "$v query 'destination.port : 6667 | limit 4'" >docs/img/query.svg

# who held an address: the sample behind a simulated translation
leases=$(mktemp -d)
trap 'rm -rf "$data" "$leases"' EXIT
(cd "$leases" && python3 "$root/tests/scenario/90-who-held-this-address/make.py" "$root/share/sample/ctu13-scenario11-rbot.binetflow.xz")
$v lease import "$leases/leases.csv" >>"$data/log" 2>&1
tools/picture.py run 180 'who held this address and port at that minute' "$v lease who 203.0.113.1:1030 --at 2011-08-18T13:39:51Z" \
    >docs/img/lease-who.svg
tools/picture.py run 110 'what each gateway told, day by day' "$v lease status" >docs/img/lease-status.svg
