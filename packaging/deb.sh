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
mkdir -p "$stage/root/DEBIAN" "$stage/debian"
packaging/install.sh "$stage/root" /usr
strip --strip-unneeded -R .comment -R .note "$stage/root/usr/bin/vonggac"
chmod 750 "$stage/root/etc/vonggac"

cat >"$stage/root/usr/share/doc/vonggac/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: vonggac

Files: *
Copyright: the Vọng Gác authors
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
COPYRIGHT

# dpkg-shlibdeps wants a source package around it to name the libraries the program really needs.
printf 'Source: vonggac\n\nPackage: vonggac\nArchitecture: any\n' >"$stage/debian/control"
depends=$(cd "$stage" && dpkg-shlibdeps -O root/usr/bin/vonggac 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
size=$(du -sk "$stage/root" | cut -f1)
cat >"$stage/root/DEBIAN/control" <<CONTROL
Package: vonggac
Version: $version
Architecture: $arch
Maintainer: the Vọng Gác authors <vonggac@localhost>
Installed-Size: $size
Depends: $depends, adduser
Section: net
Priority: optional
Description: network watch: flows, botnet lists, hunts over all that was stored
 Vọng Gác receives NetFlow, IPFIX and sFlow or reads captures and flow files,
 keeps every flow, imports botnet and command-server lists and says, live and
 over everything ever stored, which of one's own machines are listed and which
 talked to a listed one.
CONTROL
echo /etc/vonggac/vonggac.yaml >"$stage/root/DEBIAN/conffiles"
cat >"$stage/root/DEBIAN/postinst" <<'POSTINST'
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
cat >"$stage/root/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now vonggac.service || true
fi
PRERM
cat >"$stage/root/DEBIAN/postrm" <<'POSTRM'
#!/bin/sh
set -e
# The data is evidence: even a purge leaves /var/lib/vonggac to the operator.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi
POSTRM
chmod 755 "$stage/root/DEBIAN/postinst" "$stage/root/DEBIAN/prerm" "$stage/root/DEBIAN/postrm"
(cd "$stage/root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --build --root-owner-group "$stage/root" "build/vonggac_${version}_$arch.deb"
