#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh PURPOSE... - install the Debian 12 packages a purpose needs, and only those that are missing.
#
# Purposes: build run test bench fuzz lint console browser deb.  `deps.sh --list PURPOSE...` only prints the packages.
# When everything is there it asks nobody: no network, no root, no waiting.
set -eu

# The one table: purpose, then packages. A purpose that needs another names it with "+".
table() {
    cat <<'TABLE'
build    gcc libc6-dev make meson ninja-build pkg-config python3
build    libyaml-dev libzstd-dev libxxhash-dev libsodium-dev libseccomp-dev libcap-ng-dev
build    libexpat1-dev zlib1g-dev libjansson-dev liblzma-dev libcmocka-dev
build    libvectorscan-dev libpcre2-dev libgnutls28-dev libidn2-dev libmicrohttpd-dev libbz2-dev libsqlite3-dev libcurl4-gnutls-dev libxlsxwriter-dev
run      +build
test     +build openssl curl bzip2 xz-utils codespell procps iproute2 nfdump
fuzz     +build clang libclang-rt-14-dev llvm-14 xz-utils
bench    +build nfdump xz-utils g++ libsimdjson-dev rsyslog rsyslog-gnutls rsyslog-elasticsearch wrk
lint     +build clang-tidy
deb      +build dpkg-dev
console  @node=nodejs @npm=npm
browser  +console chromium fonts-dejavu-core
TABLE
}

say() { printf '%s\n' "deps: $*" >&2; }

# packages PURPOSE - its packages, those of the purposes it names included.
packages() {
    found=
    for word in $(table | sed -n "s/^$1  *//p"); do
        found=1
        case $word in
        +*) packages "${word#+}" ;;
        @*) # only where the command is missing, wherever it came from
            command -v "$(printf '%s' "${word#@}" | cut -d= -f1)" >/dev/null 2>&1 || printf '%s\n' "${word#*=}" ;;
        *) printf '%s\n' "$word" ;;
        esac
    done
    # A subshell per recursion keeps `found` to itself; an unknown purpose is a mistake in a script.
    [ -n "$found" ] || case $1 in *) say "unknown purpose: $1"; return 1 ;; esac
}

# missing PACKAGE... - those that are not installed.
missing() {
    for p in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null || true) in
        ii*) ;;
        *) printf '%s ' "$p" ;;
        esac
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >&2
}

cannot() {
    say "cannot install: $1"
    say "needed: $wanted"
    say "please run as root:  apt-get update && apt-get install $wanted"
    exit 1
}

only_list=
[ "${1-}" = --list ] && { only_list=1; shift; }
[ $# -gt 0 ] || { say "usage: deps.sh [--list] PURPOSE...   (build run test bench fuzz lint console browser deb)"; exit 1; }

all=
for purpose in "$@"; do
    list=$(packages "$purpose") || exit 1
    all="$all $list"
done
all=$(printf '%s\n' $all | sort -u | tr '\n' ' ')
[ -z "$only_list" ] || { printf '%s\n' $all; exit 0; }

command -v dpkg-query >/dev/null 2>&1 || {
    say "this is not Debian; not checking. Needed (names as in Debian 12): $all"
    exit 0
}
wanted=$(missing $all)
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
    cannot "not root, and there is no sudo"
fi
say "installing: $wanted"
apt update || say "apt-get update failed; trying with the package lists at hand"
if ! apt install -y --no-install-recommends $wanted; then
    # An installation that was cut off earlier leaves packages unconfigured; finish it and try once more.
    as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a >&2 || true
    apt install -y -f --no-install-recommends $wanted || cannot "apt-get failed (see above; is there a network?)"
fi
wanted=$(missing $all)
[ -z "$wanted" ] || cannot "still missing after apt-get"
