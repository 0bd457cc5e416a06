/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/varint - unsigned numbers in as few bytes as they take: seven bits a byte from the lowest, the high bit says that more
 * follow (LEB128); and signed differences as unsigned numbers (zigzag).
 */
#pragma once

#include "base/buf.h"
#include "base/cursor.h"

#define VARINT_BYTES_MAX 10u

static inline void varint_put(struct buf *b, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    buf_add(b, bytes, n);
}

/* varint_take - is_bad when it does not end within VARINT_BYTES_MAX bytes; then 0. */
static inline uint64_t varint_take(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cursor_u8(c);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    c->is_bad = true;
    return 0;
}

static inline uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static inline uint64_t unzigzag(uint64_t z)
{
    return z >> 1 ^ (0 - (z & 1));
}
