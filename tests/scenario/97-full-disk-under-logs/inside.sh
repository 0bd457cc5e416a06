# SPDX-License-Identifier: Apache-2.0
disk=$DIR/disk
mkdir "$disk"
mount -t tmpfs -o size=12m,mode=755 tmpfs "$disk"
data=$disk/data
mkdir "$data"
printf 'user: %s\ngroup: %s\nintake:\n  logs:\n    - listen: 127.0.0.1:%s\n' "$USER" "$GROUP" "$PORT" >"$DIR/node.yaml"

fail() {
    echo "$*"
    cat "$DIR/node.err" "$DIR/said"
    kill "$node" "$sender" 2>/dev/null || true
    exit 1
}
# until_true COMMAND...: again and again, at most 30 s
until_true() {
    tries=150
    until "$@" >"$DIR/said" 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "never true: $*"
        sleep 0.2
    done
}
figure() { "$VONGGAC" status --data "$data" --format csv | sed -n "s/^$1,,//p"; }
has_kept() { kept=$(figure store_rows_kept) && [ "${kept:-0}" -ge "$1" ]; }
said() { grep -q "$1" "$DIR/node.err"; }
# numbers: of the lines that are in the store, in order
numbers() {
    "$VONGGAC" query '* | limit 1000000' --format json --data "$data" 2>/dev/null | grep -o '"message": \?"number [0-9]*\.' | tr -dc '0-9\n' | sort -n
}
start() {
    "$VONGGAC" serve --config "$DIR/node.yaml" --data "$data" 2>"$DIR/node.err" &
    node=$!
    until_true said watch_ready
}
fill() { head -c 13000000 /dev/zero >"$disk/fill" 2>/dev/null || true; }

start
python3 "$HERE/send.py" "$PORT" 0 60000 &
sender=$!
until_true has_kept 2000
fill
until_true said 'id=store_takes_nothing reason=.*No space left on device'
before=$(figure store_rows_kept)
numbers >"$DIR/before"
[ "$(wc -l <"$DIR/before")" -ge "$before" ] || fail "acknowledged $before, there are $(wc -l <"$DIR/before")"
seq 0 $(($(wc -l <"$DIR/before") - 1)) | cmp -s - "$DIR/before" || fail 'a hole while the disk is full'
kill -0 "$sender" || fail 'the sender was not made to wait'
rm "$disk/fill"
wait "$sender" || fail 'the sender could not send all'
until_true has_kept 60000
grep -q 'id=store_takes_again' "$DIR/node.err" || fail 'the log does not say so'
numbers >"$DIR/all"
seq 0 59999 | cmp -s - "$DIR/all" || fail "$(wc -l <"$DIR/all") lines of 60000"

python3 "$HERE/send.py" "$PORT" 60000 200000 &
sender=$!
until_true has_kept 61000
: >"$DIR/node.err"
fill
until_true said 'id=store_takes_nothing'
before=$(figure store_rows_kept)
for pid in $(pgrep -f "serve --config $DIR/node.yaml --data $data"); do
    kill -9 "$pid"
done
wait "$sender" 2>/dev/null || true
wait "$node" 2>/dev/null || true
numbers >"$DIR/before"
[ "$(wc -l <"$DIR/before")" -ge "$before" ] || fail "acknowledged $before, there are $(wc -l <"$DIR/before")"
rm "$disk/fill"
start
numbers >"$DIR/all"
cmp -s "$DIR/before" "$DIR/all" || fail 'not the same after the new start'
kill "$node"
wait "$node" || fail "the node ended with $?"
"$VONGGAC" store compact --data "$data" >"$DIR/said" 2>&1 || fail 'cannot compact'
"$VONGGAC" verify --data "$data" >"$DIR/said" 2>&1 || fail 'the store is damaged'
numbers | cmp -s - "$DIR/all" || fail 'not the same after compaction'
echo done
