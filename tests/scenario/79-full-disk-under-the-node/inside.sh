# SPDX-License-Identifier: Apache-2.0
disk=$DIR/disk
mkdir "$disk"
mount -t tmpfs -o size=8m,mode=755 tmpfs "$disk"
data=$disk/data
mkdir "$data"
printf 'user: %s\ngroup: %s\nintake:\n  netflow:\n    - listen: 127.0.0.1:%s\n      receivers: 1\nfindings:\n  flush: 1s\n' "$USER" "$GROUP" "$PORT" >"$DIR/node.yaml"
printf '198.51.100.2\n' >"$DIR/list.txt"

fail() {
    echo "$*"
    cat "$DIR/node.err" "$DIR/said"
    kill "$node" 2>/dev/null || true
    exit 1
}
# each_said EXPRESSION COMMAND...: again and again, at most 20 s, until it says so
each_said() {
    wanted=$1
    shift
    tries=100
    until "$@" >"$DIR/said" 2>&1 && grep -q -e "$wanted" "$DIR/said"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "not said: $wanted"
        sleep 0.2
    done
}
status() { "$VONGGAC" status --data "$data" --format csv; }
# 50 datagrams of two flows each
send() {
    python3 -c "import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
d = open(sys.argv[1], 'rb').read()
for i in range(50):
    s.sendto(d, ('127.0.0.1', int(sys.argv[2])))
    time.sleep(0.002)" "$HERE/../70-serve-netflow5/one.dat" "$PORT"
}

"$VONGGAC" list add bots "$DIR/list.txt" --data "$data" 2>"$DIR/said"
"$VONGGAC" serve --config "$DIR/node.yaml" --data "$data" 2>"$DIR/node.err" &
node=$!
each_said '^is_running,,true' status
send
each_said '^store_rows_kept,,100$' status

figure() { status | sed -n "s/^$1,,//p"; }

head -c 9000000 /dev/zero >"$disk/fill" 2>/dev/null || true
sent=100
while [ "$(figure store_rows_dropped)" = 0 ] && [ "$sent" -lt 5000 ]; do # a few fit where room was allotted before
    send
    sent=$((sent + 100))
    sleep 0.3
done
each_said "^intake_flows_kept,,$sent\$" status
kept=$(figure store_rows_kept)
dropped=$(figure store_rows_dropped)
[ "$dropped" -gt 0 ] && [ $((kept + dropped)) -eq "$sent" ] || fail "kept $kept + dropped $dropped is not $sent"
grep -q 'id=store_takes_nothing reason=.*No space left on device' "$DIR/node.err" || fail 'the log does not say so'
each_said '^store_takes_nothing,,true$' status
each_said "^match_rows_listed,,$((sent / 2))\$" status # matching goes on: one of two flows is listed
each_said "^$kept\$" "$VONGGAC" query '* | count' --format csv --data "$data"
if "$VONGGAC" store compact --wait --data "$data" >"$DIR/said" 2>&1; then :; fi

rm "$disk/fill"
sleep 0.3
send
each_said "^store_rows_kept,,$((kept + 100))\$" status
each_said '^store_takes_nothing,,false$' status
each_said "^store_rows_dropped,,$dropped\$" status
each_said '^findings_written,,[1-9]' status # what could not be written waits
grep -q 'id=store_takes_again' "$DIR/node.err" || fail 'the log does not say so'
kill "$node"
wait "$node" || fail "the node ended with $?"
"$VONGGAC" store verify --data "$data" >"$DIR/said" 2>&1 || fail 'the store is damaged'
each_said "^$((kept + 100))\$" "$VONGGAC" query '* | count' --format csv --data "$data"
echo done
