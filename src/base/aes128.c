/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIPS 197, section 5, byte for byte: the state is sixteen bytes by columns.
 */
#include "base/aes128.h"

#include <string.h>

static const uint8_t sbox[256] = {
    0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76, 0xca, 0x82, 0xc9,
    0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0, 0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f,
    0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15, 0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07,
    0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75, 0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3,
    0x29, 0xe3, 0x2f, 0x84, 0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58,
    0xcf, 0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8, 0x51, 0xa3,
    0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2, 0xcd, 0x0c, 0x13, 0xec, 0x5f,
    0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73, 0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88,
    0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb, 0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac,
    0x62, 0x91, 0x95, 0xe4, 0x79, 0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a,
    0xae, 0x08, 0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a, 0x70,
    0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e, 0xe1, 0xf8, 0x98, 0x11,
    0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf, 0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42,
    0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
};

/* multiplication by x in GF(2^8) */
static uint8_t twice(uint8_t v)
{
    return (uint8_t)(v << 1 ^ (v & 0x80 ? 0x1b : 0));
}

void aes128_init(struct aes128 *a, const uint8_t key[16])
{
    uint8_t constant = 1;
    memcpy(a->round_keys[0], key, 16);
    for (int round = 1; round <= 10; round++) {
        const uint8_t *last = a->round_keys[round - 1];
        uint8_t *next = a->round_keys[round];
        for (int i = 0; i < 4; i++) /* the last column turned, substituted; the round constant on its first byte */
            next[i] = (uint8_t)(last[i] ^ sbox[last[12 + (i + 1) % 4]] ^ (i ? 0 : constant));
        for (int i = 4; i < 16; i++)
            next[i] = last[i] ^ next[i - 4];
        constant = twice(constant);
    }
}

static void key_add(uint8_t s[16], const uint8_t key[16])
{
    for (int i = 0; i < 16; i++)
        s[i] ^= key[i];
}

/* SubBytes and ShiftRows in one: row r of column c comes from column c + r. */
static void substitute_and_shift(uint8_t s[16])
{
    uint8_t t[16];
    for (int c = 0; c < 4; c++)
        for (int r = 0; r < 4; r++)
            t[4 * c + r] = sbox[s[4 * ((c + r) % 4) + r]];
    memcpy(s, t, 16);
}

static void columns_mix(uint8_t s[16])
{
    for (int c = 0; c < 4; c++) {
        uint8_t *p = s + 4 * c, first = p[0], all = p[0] ^ p[1] ^ p[2] ^ p[3];
        for (int r = 0; r < 3; r++)
            p[r] ^= all ^ twice(p[r] ^ p[r + 1]);
        p[3] ^= all ^ twice(p[3] ^ first);
    }
}

void aes128_block(const struct aes128 *a, const uint8_t in[16], uint8_t out[16])
{
    uint8_t s[16];
    memcpy(s, in, 16);
    key_add(s, a->round_keys[0]);
    for (int round = 1; round < 10; round++) {
        substitute_and_shift(s);
        columns_mix(s);
        key_add(s, a->round_keys[round]);
    }
    substitute_and_shift(s);
    key_add(s, a->round_keys[10]);
    memcpy(out, s, 16);
}

void aes128_counter(const struct aes128 *a, const uint8_t first[16], const uint8_t *in, uint8_t *out, size_t n)
{
    uint8_t counter[16], stream[16];
    memcpy(counter, first, 16);
    for (size_t i = 0; i < n; i++) {
        if (i % 16 == 0) {
            aes128_block(a, counter, stream);
            for (int k = 15; k >= 12 && ++counter[k] == 0; k--)
                ;
        }
        out[i] = in[i] ^ stream[i % 16];
    }
}

struct sha256 hmac_sha256(const uint8_t *key, size_t n_key, const void *p, size_t n)
{
    uint8_t inner[64] = {0}, outer[64];
    struct sha256_state s;
    if (n_key > 64) {
        struct sha256 short_key = sha256_of(key, n_key);
        memcpy(inner, short_key.b, 32);
    } else {
        memcpy(inner, key, n_key);
    }
    for (int i = 0; i < 64; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    sha256_init(&s);
    sha256_add(&s, inner, 64);
    sha256_add(&s, p, n);
    struct sha256 digest = sha256_end(&s);
    sha256_init(&s);
    sha256_add(&s, outer, 64);
    sha256_add(&s, digest.b, 32);
    return sha256_end(&s);
}

void hkdf_expand_label(const struct sha256 *secret, const char *label, uint8_t *out, size_t n_out)
{
    uint8_t info[64] = {0, (uint8_t)n_out, 0, 't', 'l', 's', '1', '3', ' '};
    size_t n_label = 0;
    for (; n_label < 48 && label[n_label]; n_label++)
        info[9 + n_label] = (uint8_t)label[n_label];
    info[2] = (uint8_t)(6 + n_label);
    /* behind the label: the empty context, and the counter of the first and only block */
    info[9 + n_label + 1] = 1;
    struct sha256 block = hmac_sha256(secret->b, 32, info, 9 + n_label + 2);
    memcpy(out, block.b, n_out < 32 ? n_out : 32);
}
