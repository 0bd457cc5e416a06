#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# user.sh - as root, make the system user the node drops to (vonggac) where it does not exist; else nothing.
set -eu
[ "$(id -u)" -eq 0 ] || exit 0
getent passwd vonggac >/dev/null && exit 0
exec useradd --system --user-group --no-create-home --home-dir /var/lib/vonggac --shell /usr/sbin/nologin vonggac
