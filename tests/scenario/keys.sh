#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# keys.sh - an authority, a certificate of the server and some of senders, in the working directory: ca, server, sender, other-ca,
# stranger (of another authority), late (expired yesterday). Keys are P-256; nothing of it outlives the test.
set -eu
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.crt" -days 30 -subj "/CN=$1" 2>/dev/null
}
# certificate NAME AUTHORITY ALTERNATIVE-NAME DAYS
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
    printf 'subjectAltName=%s\n' "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days "$4" -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}
authority ca
authority other-ca
certificate server ca DNS:localhost,IP:127.0.0.1 30
certificate sender ca DNS:web1.example.vn 30
certificate stranger other-ca DNS:web1.example.vn 30
certificate late ca DNS:late.example.vn -1
chmod 600 server.key
