#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# variant.sh NAME [TARGET...] - configure build/NAME if needed and compile it (all targets unless named).
#
#   release  optimised, what is shipped; ends as build/vonggac
#   debug    -O0 -g
#   asan     -O1 -g, AddressSanitizer and UndefinedBehaviourSanitizer
#   tsan     -O1 -g, ThreadSanitizer
#   fuzz     clang, libFuzzer targets with ASan and UBSan
#
# A build directory made elsewhere (the project was moved) or left broken is thrown away and made again.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"
name=$1
shift
dir=build/$name
is_new=

case $name in
release) options='-Dbuildtype=release -Dtests=true' ;;
debug) options='-Dbuildtype=debug' ;;
# Sanitizers blur what the compiler sees: its warnings are errors in release and debug only.
asan) options='-Dbuildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Dwerror=false' ;;
tsan) options='-Dbuildtype=debug -Doptimization=1 -Db_sanitize=thread -Dwerror=false' ;;
fuzz) options='-Dbuildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true -Dtests=false' ;;
*) echo "variant.sh: unknown variant $name" >&2; exit 1 ;;
esac

# ccache, when it is there, would put absolute paths of another checkout into messages; meson finds it by itself.
configure() {
    rm -rf "$dir"
    mkdir -p build
    if [ "$name" = fuzz ]; then
        CC=clang meson setup "$dir" $options >"build/$name.setup.log" 2>&1
    else
        meson setup "$dir" $options >"build/$name.setup.log" 2>&1
    fi || {
        cat "build/$name.setup.log" >&2
        rm -rf "$dir"
        exit 1
    }
    printf '%s\n%s\n' "$root" "$options" >"$dir/variant"
}

# Two callers at once (a test beside a build) would spoil each other's directory.
mkdir -p build
exec 9>"build/.$name.lock"
flock 9

stamp=$(printf '%s\n%s\n' "$root" "$options")
if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/variant" 2>/dev/null)" != "$stamp" ]; then
    configure
    is_new=1
fi
compile() {
    if [ -t 1 ] && [ -z "${CI-}" ]; then
        ninja -C "$dir" "$@"
    else
        ninja -C "$dir" --quiet "$@"
    fi
}
# A broken source is the developer's; a directory whose build graph is broken is made again.
if ! compile "$@"; then
    ! ninja -C "$dir" -n "$@" >/dev/null 2>&1 || exit 1
    [ -z "$is_new" ] || exit 1
    echo "variant.sh: build/$name is broken; making it again" >&2
    configure
    compile "$@"
fi
