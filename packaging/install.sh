#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# install.sh DESTDIR PREFIX - the built program, its manual, completion, unit and example configuration.
# The manual and the completion are what the program itself prints: one table feeds them all.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
dest=$1
prefix=$2
vonggac=$root/build/vonggac
[ -x "$vonggac" ] || { echo 'install.sh: build/vonggac is not there; make build' >&2; exit 1; }

put() { # MODE FILE TARGET
    install -D -m "$1" "$2" "$dest$3"
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

put 755 "$vonggac" "$prefix/bin/vonggac"
LC_ALL=C.UTF-8 "$vonggac" help man --lang en >"$scratch/vonggac.1"
LC_ALL=C.UTF-8 "$vonggac" help man --lang vi >"$scratch/vonggac.vi.1"
"$vonggac" help completion >"$scratch/completion"
gzip -9n "$scratch/vonggac.1" "$scratch/vonggac.vi.1"
put 644 "$scratch/vonggac.1.gz" "$prefix/share/man/man1/vonggac.1.gz"
put 644 "$scratch/vonggac.vi.1.gz" "$prefix/share/man/vi/man1/vonggac.1.gz"
put 644 "$scratch/completion" "$prefix/share/bash-completion/completions/vonggac"
for f in README.md README.vi.md ARCHITECTURE.md THREATS.md CHANGELOG.md NOTICE; do
    put 644 "$root/$f" "$prefix/share/doc/vonggac/$f"
done
(cd "$root/content" && find . -type f \( -name '*.yaml' -o -path './names/*.txt' \) ! -path './i18n/*') | while read -r f; do
    put 644 "$root/content/$f" "$prefix/share/vonggac/content/$f"
done
# The console, where it was built: make build says why where it was not.
if [ -f "$root/build/console/index.html" ]; then
    (cd "$root/build/console" && find . -type f) | while read -r f; do
        put 644 "$root/build/console/$f" "$prefix/share/vonggac/console/$f"
    done
fi
if [ -d "$root/build/console" ]; then # tools/console.sh made it; the API works without
    (cd "$root/build/console" && find . -type f) | while read -r f; do
        put 644 "$root/build/console/$f" "$prefix/share/vonggac/console/$f"
    done
fi
put 644 "$root/packaging/vonggac.yaml" "$prefix/share/doc/vonggac/examples/vonggac.yaml"
put 644 "$root/packaging/vonggac.sysusers" "$prefix/lib/sysusers.d/vonggac.conf"
put 644 "$root/packaging/vonggac.tmpfiles" "$prefix/lib/tmpfiles.d/vonggac.conf"
sed "s|/usr/bin/vonggac|$prefix/bin/vonggac|" "$root/packaging/vonggac.service" >"$scratch/vonggac.service"
case $prefix in
/usr) put 644 "$scratch/vonggac.service" /lib/systemd/system/vonggac.service ;;
*) put 644 "$scratch/vonggac.service" "$prefix/lib/systemd/system/vonggac.service" ;;
esac
# A configuration that is there is the operator's.
[ -e "$dest/etc/vonggac/vonggac.yaml" ] || put 640 "$root/packaging/vonggac.yaml" /etc/vonggac/vonggac.yaml
