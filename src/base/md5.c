/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 1321, section 3. The 64 constants are floor(2^32 * |sin(i + 1)|), 3.4.
 */
#include "base/md5.h"

#include <string.h>

static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
static const uint8_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t turn(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static void block_add(uint32_t abcd[4], const uint8_t *p)
{
    uint32_t x[16], a = abcd[0], b = abcd[1], c = abcd[2], d = abcd[3];
    memcpy(x, p, 64); /* little-endian, as the machines this runs on */
    for (unsigned i = 0; i < 64; i++) {
        uint32_t f;
        unsigned k;
        if (i < 16) {
            f = (b & c) | (~b & d);
            k = i;
        } else if (i < 32) {
            f = (b & d) | (c & ~d);
            k = (5 * i + 1) % 16;
        } else if (i < 48) {
            f = b ^ c ^ d;
            k = (3 * i + 5) % 16;
        } else {
            f = c ^ (b | ~d);
            k = 7 * i % 16;
        }
        uint32_t next = b + turn(a + f + x[k] + sines[i], turns[i / 16][i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    abcd[0] += a;
    abcd[1] += b;
    abcd[2] += c;
    abcd[3] += d;
}

void md5_init(struct md5_state *s)
{
    *s = (struct md5_state){.abcd = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_add(struct md5_state *s, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    size_t have = s->n_bytes % 64;
    s->n_bytes += n;
    if (have) {
        size_t take = n < 64 - have ? n : 64 - have;
        memcpy(s->block + have, bytes, take);
        bytes += take;
        n -= take;
        if (have + take < 64)
            return;
        block_add(s->abcd, s->block);
    }
    for (; n >= 64; bytes += 64, n -= 64)
        block_add(s->abcd, bytes);
    if (n)
        memcpy(s->block, bytes, n);
}

void md5_end(struct md5_state *s, char out[MD5_TEXT_MAX])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t n_bits = s->n_bytes * 8;
    size_t have = s->n_bytes % 64;
    md5_add(s, padding, have < 56 ? 56 - have : 120 - have);
    md5_add(s, &n_bits, 8);
    for (unsigned i = 0; i < 16; i++) {
        uint8_t byte = (uint8_t)(s->abcd[i / 4] >> i % 4 * 8);
        out[2 * i] = "0123456789abcdef"[byte >> 4];
        out[2 * i + 1] = "0123456789abcdef"[byte & 15];
    }
    out[32] = '\0';
}
