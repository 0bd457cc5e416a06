#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deb.sh - build/vonggac_VERSION_ARCH.deb from the built release program. Needs dpkg-dev, no root.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"
stage=$root/build/deb
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" meson.build)
arch=$(dpkg --print-architecture)
rm -rf "$stage"
mkdir -p "$stage/tree/DEBIAN" "$stage/debian"
packaging/install.sh "$stage/tree" /usr
strip --strip-unneeded -R .comment -R .note "$stage/tree/usr/bin/vonggac"
chmod 750 "$stage/tree/etc/vonggac"

cat >"$stage/tree/usr/share/doc/vonggac/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: vonggac

Files: *
Copyright: the Vọng Gác authors
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
COPYRIGHT

# dpkg-shlibdeps wants a source package around it to name the libraries the program really needs.
printf 'Source: vonggac\n\nPackage: vonggac\nArchitecture: any\n' >"$stage/debian/control"
depends=$(cd "$stage" && dpkg-shlibdeps -O tree/usr/bin/vonggac 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
size=$(du -sk "$stage/tree" | cut -f1)
cat >"$stage/tree/DEBIAN/control" <<CONTROL
Package: vonggac
Version: $version
Architecture: $arch
Maintainer: the Vọng Gác authors <vonggac@localhost>
Installed-Size: $size
Depends: $depends, adduser
Recommends: publicsuffix
Section: net
Priority: optional
Description: network watch: flows, botnet lists, hunts over all that was stored
 Vọng Gác receives NetFlow, IPFIX and sFlow or reads captures and flow files,
 keeps every flow, imports botnet and command-server lists and says, live and
 over everything ever stored, which of one's own machines are listed and which
 talked to a listed one.
CONTROL
echo /etc/vonggac/vonggac.yaml >"$stage/tree/DEBIAN/conffiles"
cat >"$stage/tree/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    getent passwd vonggac >/dev/null ||
        adduser --quiet --system --group --no-create-home --home /var/lib/vonggac --shell /usr/sbin/nologin vonggac
    install -d -m 0750 -o vonggac -g vonggac /var/lib/vonggac
    chgrp vonggac /etc/vonggac /etc/vonggac/vonggac.yaml
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload || true
        [ -z "$2" ] || systemctl try-restart vonggac.service || true
    fi
fi
POSTINST
cat >"$stage/tree/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now vonggac.service || true
fi
PRERM
cat >"$stage/tree/DEBIAN/postrm" <<'POSTRM'
#!/bin/sh
set -e
# The data is evidence: even a purge leaves /var/lib/vonggac to the operator.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi
POSTRM
chmod 755 "$stage/tree/DEBIAN/postinst" "$stage/tree/DEBIAN/prerm" "$stage/tree/DEBIAN/postrm"
(cd "$stage/tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --build --root-owner-group "$stage/tree" "build/vonggac_${version}_$arch.deb"
