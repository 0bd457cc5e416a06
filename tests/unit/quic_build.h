/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quic_build - client Initial packets (version 1) around given frames, protected as RFC 9001 5 says. The tag is zeros:
 * nobody checks it here.
 */
#pragma once

#include "base/aes128.h"

#include <string.h>

/* Return: bytes written to @out, which has room for n_frames + 64. */
static inline size_t quic_build(const uint8_t *id, size_t n_id, uint32_t number, const uint8_t *frames, size_t n_frames,
                                uint8_t *out)
{
    static const uint8_t salt[20] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                                     0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
    struct sha256 initial = hmac_sha256(salt, 20, id, n_id), client;
    struct aes128 packet, header;
    uint8_t key[16], counter[16] = {0}, mask[16];
    hkdf_expand_label(&initial, "client in", client.b, 32);
    hkdf_expand_label(&client, "quic key", key, 16);
    aes128_init(&packet, key);
    hkdf_expand_label(&client, "quic hp", key, 16);
    aes128_init(&header, key);
    hkdf_expand_label(&client, "quic iv", counter, 12);
    counter[15] = 2;
    size_t n_rest = 4 + n_frames + 16, n = 0;
    const uint8_t head[5] = {0xc3, 0, 0, 0, 1};
    memcpy(out, head, 5);
    n = 5;
    out[n++] = (uint8_t)n_id;
    memcpy(out + n, id, n_id);
    n += n_id;
    out[n++] = 0; /* no source id */
    out[n++] = 0; /* no token */
    out[n++] = (uint8_t)(0x40 | n_rest >> 8);
    out[n++] = (uint8_t)n_rest;
    uint8_t *p = out + n;
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(number >> (24 - 8 * i));
        counter[8 + i] ^= p[i];
    }
    aes128_counter(&packet, counter, frames, p + 4, n_frames);
    memset(p + 4 + n_frames, 0, 16);
    aes128_block(&header, p + 4, mask);
    out[0] ^= mask[0] & 0x0f;
    for (int i = 0; i < 4; i++)
        p[i] ^= mask[1 + i];
    return n + n_rest;
}
