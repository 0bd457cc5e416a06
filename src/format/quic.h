/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/quic - the handshake bytes in a client's first QUIC datagrams.
 *
 * In:     one UDP payload from the client, untrusted, whole.
 * Out:    the pieces of the TLS handshake (CRYPTO frames) with their offsets, in the order they stand; a client hello
 *         may spread over several datagrams and come in any order.
 * Limits: no I/O, no allocation, no global state. Initial packets of at most QUIC_PACKET_MAX bytes; the packet's tag
 *         is not checked: its key is derived from the packet itself and proves nothing about the sender.
 * Source: RFC 9000 17.2, 19; RFC 9001 5 (Initial keys, header protection); RFC 9369 (version 2).
 * Fuzz:   tests/fuzz/quic.c
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIC_PACKET_MAX 4096u

/* quic_piece - @n bytes of the handshake at @offset; borrowed for the call. */
typedef void (*quic_piece)(void *context, uint64_t offset, const uint8_t *p, size_t n);

/* conditions */
#define QUIC_NOT_INITIAL 1 /* no long header of a known version, or not an Initial packet */
#define QUIC_MALFORMED 2   /* lengths or frames that cannot be: no client sent this, or a server did */

/* quic_is_long - whether a datagram begins with the long header of a version that is known here (1, 2, drafts 23-34). */
bool quic_is_long(const uint8_t *p, size_t n);
/* quic_initial_read - Return: 0 (@piece was called for each piece, perhaps never) or a condition. */
int quic_initial_read(const uint8_t *p, size_t n, quic_piece piece, void *context);
