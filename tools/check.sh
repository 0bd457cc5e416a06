#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check.sh - everything a script can judge without a compiler. One line per check: ok, not ok or skip.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# judge NAME COMMAND... - run it; its words are shown only when it fails.
judge() {
    name=$1
    shift
    if "$@" >"$scratch/out" 2>&1; then
        echo "ok check: $name"
    else
        echo "not ok check: $name"
        sed 's/^/  /' "$scratch/out"
        failed=1
    fi
}

shell_scripts() {
    for f in run test .ci/run tools/*.sh tests/bench/run packaging/*.sh; do
        [ -f "$f" ] || continue
        case $(head -n 1 "$f") in
        '#!/bin/sh') sh -n "$f" || return 1 ;;
        *bash) bash -n "$f" || return 1 ;;
        esac
        [ -x "$f" ] || { echo "$f is not executable"; return 1; }
    done
}

# one language of messages may not lag behind the other; messages.py says which line is wrong
messages() {
    python3 tools/messages.py content/i18n/en.yaml content/i18n/vi.yaml "$scratch/m.h" "$scratch/m.c"
}

judge 'the floor guard finds planted violations' python3 tools/floors.py --self-test
judge 'includes never point up, rooms form no circle' python3 tools/floors.py
judge 'the style guard finds planted violations' python3 tools/style.py --self-test
judge 'house style' python3 tools/style.py
judge 'messages: same ids and conversions in vi and en' messages
judge 'messages of the console: same ids and places, none missing, none unused' python3 tools/console_messages.py
judge 'shell scripts parse and are executable' shell_scripts
if command -v codespell >/dev/null 2>&1; then
    judge 'spelling' codespell -q 3 --ignore-words tools/spelling.txt \
        --skip '*.vi.md,vi.yaml,corpus,sample,golden,golden_logs,*.json,*.csv,*.mjs,LICENSE,data,build,.git' \
        README.md ARCHITECTURE.md THREATS.md HACKING.md CHANGELOG.md NOTICE Makefile src tools tests docs packaging content/i18n/en.yaml content/i18n/console.en.yaml
else
    echo 'skip check: spelling: codespell is not installed'
fi
exit "$failed"
