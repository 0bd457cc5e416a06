# SPDX-License-Identifier: Apache-2.0
# In a mount namespace of its own. A file that does not fit is refused by name, the next one is kept, nothing half done stays.
disk=$DIR/disk
mkdir "$disk"
mount -t tmpfs -o size=1500k,mode=755 tmpfs "$disk"
data=$disk/data

expect() { # STATUS COMMAND...: what it says goes to `said`
    want=$1
    shift
    got=0
    "$@" >"$DIR/said" 2>&1 || got=$?
    [ "$got" -eq "$want" ] || { echo "$*: ended with $got, expected $want"; cat "$DIR/said"; exit 1; }
}
said() {
    grep -q -e "$1" "$DIR/said" || { echo "not said: $1"; cat "$DIR/said"; exit 1; }
}
rows() {
    expect 0 "$VONGGAC" query '* | count' --format csv --data "$data"
    said "^$1\$"
}

xzcat "$ROOT/share/sample/ctu13-scenario11-rbot.binetflow.xz" >"$DIR/all.binetflow"
head -n 2001 "$DIR/all.binetflow" >"$DIR/some.binetflow"
sed -n '1p;3000,3099p' "$DIR/all.binetflow" >"$DIR/few.binetflow"
listed=$(sed -n '2p' "$DIR/all.binetflow" | cut -d, -f4)
echo "$listed" >"$DIR/list.txt"

# the second does not fit
expect 1 "$VONGGAC" import flows "$DIR/some.binetflow" "$DIR/all.binetflow" "$DIR/few.binetflow" --data "$data"
said 'all\.binetflow failed: .*No space left on device'
rows 2099
expect 0 "$VONGGAC" store verify --data "$data"

# not a byte left
head -c 2000000 /dev/zero >"$disk/fill" 2>/dev/null || true
expect 1 "$VONGGAC" import flows --again "$DIR/few.binetflow" --data "$data"
said 'few\.binetflow failed: .*No space left on device'
expect 1 "$VONGGAC" list add bots "$DIR/list.txt" --data "$data"
said 'No space left on device'
expect 1 "$VONGGAC" space add "$DIR/list.txt" --data "$data"
said 'No space left on device'
expect 1 "$VONGGAC" store compact --wait --data "$data"
said 'No space left on device'
rows 2099
expect 0 "$VONGGAC" hunt --file "$DIR/list.txt" --format csv --data "$data" # only the record of it could not be kept
said ",$listed,list.txt,"
said 'cannot keep the record of this hunt'

# room again
rm "$disk/fill"
expect 0 "$VONGGAC" import flows --again "$DIR/few.binetflow" --data "$data"
expect 0 "$VONGGAC" list add bots "$DIR/list.txt" --data "$data"
expect 0 "$VONGGAC" store compact --wait --data "$data"
expect 0 "$VONGGAC" store verify --data "$data"
rows 2199
echo done
