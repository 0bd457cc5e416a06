#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# lint.sh - clang-tidy over src/ with the compile commands of build/debug. Findings are errors.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"
# What is left out contradicts the house style, repeats a compiler warning that is an error already, or (unix.Malloc,
# deadcode.DeadStores: `fd = -1` gives a descriptor away) does not know the cleanup attribute; the asan variant does.
checks='-*,bugprone-*,cert-*,clang-analyzer-*,performance-*,-bugprone-easily-swappable-parameters'
checks="$checks,-bugprone-reserved-identifier,-cert-dcl37-c,-cert-dcl51-cpp,-cert-err33-c,-bugprone-assignment-in-if-condition"
checks="$checks,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-bugprone-branch-clone"
checks="$checks,-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result,-cert-err34-c"
checks="$checks,-performance-no-int-to-ptr,-bugprone-macro-parentheses,-bugprone-suspicious-string-compare,-bugprone-sizeof-expression,-clang-analyzer-unix.Malloc,-clang-analyzer-deadcode.DeadStores,-cert-dcl03-c,-bugprone-signal-handler,-cert-sig30-c"
# Texts carry their length here and end with no zero byte.
checks="$checks,-bugprone-not-null-terminated-result"
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
find src -name '*.c' -print0 | sort -z |
    xargs -0 -n 1 -P "$jobs" clang-tidy --quiet -p build/debug --extra-arg=-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang --checks="$checks" --warnings-as-errors='*' 2>/dev/null
