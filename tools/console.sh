#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# console.sh OUT - the web console as static files in OUT, from console/ by Node.js.
#
# Packages come through npm as the lock file names them, once; after that no network is asked. Where Node.js or the packages
# cannot be had it says so, leaves OUT as it was and ends with 0: the node serves its API without a console.
# OUT that is newer than every source is left alone.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
out=$1
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$root"

without() {
    echo "console: not built: $1" >&2
    exit 0
}
command -v node >/dev/null 2>&1 || without 'Node.js is not installed (tools/deps.sh console)'
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' || without 'Node.js is older than 18'

# Two callers at once (two build directories) would spoil each other's packages.
mkdir -p build
exec 9>build/.console.lock
flock 9

stamp=console/node_modules/.installed
if ! cmp -s console/package-lock.json "$stamp"; then
    command -v npm >/dev/null 2>&1 || without 'npm is not installed (tools/deps.sh console)'
    (cd console && npm ci --prefer-offline --no-audit --no-fund --loglevel=error) >build/.console.log 2>&1 || {
        tail -n 3 build/.console.log >&2
        without 'its packages could not be fetched'
    }
    cp console/package-lock.json "$stamp"
fi
if [ -f "$out/index.html" ] && [ -z "$(find console/src console/*.* content/i18n tools/console_messages.py \
    src/format/flow.h src/format/event_fields.h -newer "$out/index.html" -type f 2>/dev/null | head -n 1)" ]; then
    exit 0
fi
exec node console/build.mjs "$out"
