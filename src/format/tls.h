/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/tls - what a client says of itself when it opens a TLS or DTLS connection.
 *
 * In:     the first bytes of the client's direction (TLS records), or one DTLS datagram; untrusted.
 * Out:    server name, JA3, JA4.
 * Limits: no I/O, no allocation, no global state; a hello of at most TLS_HELLO_MAX bytes, over any number of records.
 * Source: RFC 8446 4.1.2, 5.1; RFC 6066 3; RFC 7301; RFC 8701 (GREASE); RFC 6347, 9147 (DTLS);
 *         JA3: version, ciphers, extensions, curves, point formats in decimal, GREASE left out, MD5;
 *         JA4: FoxIO technical details of JA4 (TLS client fingerprint, BSD-3-Clause part of JA4+).
 * Fuzz:   tests/fuzz/tls.c
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_HELLO_MAX 16384u
#define TLS_NAME_TEXT_MAX 1025 /* 255 bytes, the odd ones as \xNN */
#define TLS_JA3_MAX 33
#define TLS_JA4_MAX 37

struct tls_hello {
    char server_name[TLS_NAME_TEXT_MAX]; /* lower case; empty: none */
    size_t n_server_name;
    char ja3[TLS_JA3_MAX];
    char ja4[TLS_JA4_MAX];
    uint16_t version; /* the highest offered */
};

/* conditions */
#define TLS_NOT_HELLO 1 /* does not begin like a client hello */
#define TLS_MORE 2      /* does, but has not ended */
#define TLS_MALFORMED 3

/*
 * tls_hello_read - TLS records. dtls_hello_read - one datagram; a hello in parts is TLS_NOT_HELLO.
 * quic_hello_read - the handshake message bare, as QUIC carries it.
 * Return: 0 or a condition.
 */
int tls_hello_read(const uint8_t *p, size_t n, struct tls_hello *ret);
int dtls_hello_read(const uint8_t *p, size_t n, struct tls_hello *ret);
int quic_hello_read(const uint8_t *p, size_t n, struct tls_hello *ret);
