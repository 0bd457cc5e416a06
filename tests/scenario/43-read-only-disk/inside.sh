# SPDX-License-Identifier: Apache-2.0
# In a mount namespace of its own.
mount --bind "$DATA" "$DATA"
mount -o remount,ro,bind "$DATA"

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

expect 0 "$VONGGAC" query '* | count' --format csv --data "$DATA"
said '^99$'
expect 0 "$VONGGAC" hunt --format csv --data "$DATA"
said ',bots,'
expect 0 "$VONGGAC" list show --data "$DATA"
expect 0 "$VONGGAC" status --data "$DATA"
expect 0 "$VONGGAC" store verify --data "$DATA"
expect 1 "$VONGGAC" import flows "$DIR/flows.binetflow" --again --data "$DATA"
said 'Read-only file system'
expect 1 "$VONGGAC" list add more "$DIR/list.txt" --data "$DATA"
said 'Read-only file system'
expect 1 "$VONGGAC" space add "$DIR/list.txt" --data "$DATA"
said 'Read-only file system'
expect 1 "$VONGGAC" store compact --wait --data "$DATA"
said 'Read-only file system'
expect 1 timeout 20 "$VONGGAC" serve --config "$DIR/node.yaml" --data "$DATA"
said 'Read-only file system'
echo done
