/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/aes128 - AES-128 encryption of single blocks and its counter mode (FIPS 197, SP 800-38A), and HKDF (RFC 5869).
 *
 * For reading what the protocols of the wire only scramble with keys that everybody can derive (QUIC Initial packets,
 * RFC 9001 5.2). Tables indexed by data: not for secrets.
 */
#pragma once

#include "base/sha256.h"

#include <stddef.h>
#include <stdint.h>

struct aes128 {
    uint8_t round_keys[11][16];
};

void aes128_init(struct aes128 *a, const uint8_t key[16]);
void aes128_block(const struct aes128 *a, const uint8_t in[16], uint8_t out[16]);
/* aes128_counter - @out = @in XOR the key stream from counter block @first on; the last 4 bytes count, big-endian. */
void aes128_counter(const struct aes128 *a, const uint8_t first[16], const uint8_t *in, uint8_t *out, size_t n);

/* hmac_sha256 - RFC 2104. */
struct sha256 hmac_sha256(const uint8_t *key, size_t n_key, const void *p, size_t n);
/* hkdf_expand_label - RFC 8446 7.1 with an empty context; at most 32 bytes. */
void hkdf_expand_label(const struct sha256 *secret, const char *label, uint8_t *out, size_t n_out);
