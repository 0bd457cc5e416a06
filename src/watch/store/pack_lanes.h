/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/pack_lanes - one piece of code per width, written with vectors of eight words. Part of pack_code.c.
 */
#pragma once

#include "watch/store/pack.h"

#include <string.h>

/* eight lanes; memory may be unaligned and of any type */
typedef uint32_t lanes __attribute__((vector_size(32), aligned(1), may_alias));

/* what comparisons of lanes are, and what asks for their signs */
typedef int32_t signed_lanes __attribute__((vector_size(32)));
typedef float float_lanes __attribute__((vector_size(32)));

#define ROWS(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) \
    X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define WIDTHS(X) \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) \
    X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)

#define INLINE static inline __attribute__((always_inline))

enum { UNIT_ROWS = 32, LANES = 8 };

INLINE void unpack_unit(const lanes *in, lanes *out, const unsigned w)
{
    const uint32_t mask = (uint32_t)((UINT64_C(1) << w) - 1);
#define X(r)                                                                        \
    {                                                                               \
        lanes x = in[(r) * w / 32] >> ((r) * w % 32);                               \
        if ((r) * w % 32 + w > 32)                                                  \
            x |= in[(r) * w / 32 + ((r) * w % 32 + w > 32)] << ((32 - (r) * w % 32) % 32); \
        out[r] = x & mask;                                                          \
    }
    ROWS(X)
#undef X
}

INLINE void pack_unit(const lanes *in, lanes *out, const unsigned w)
{
    const uint32_t mask = (uint32_t)((UINT64_C(1) << w) - 1);
    lanes word = in[0] & mask;
#define X(r)                                                     \
    if ((r) > 0) {                                               \
        lanes x = in[r] & mask;                                  \
        if ((r) * w % 32 == 0)                                   \
            word = x;                                            \
        else                                                     \
            word |= x << ((r) * w % 32);                         \
        if ((r) * w % 32 + w > 32) {                             \
            out[(r) * w / 32] = word;                            \
            word = x >> ((32 - (r) * w % 32) % 32);              \
        }                                                        \
    }                                                            \
    if (((r) + 1) * w % 32 == 0)                                 \
        out[(r) * w / 32] = word;
    ROWS(X)
#undef X
}

INLINE void unpack_any(const void *in, void *out, unsigned w)
{
    switch (w) {
#define X(k) case k: unpack_unit(in, out, k); return;
        WIDTHS(X)
#undef X
    default: memset(out, 0, PACK_UNIT * 4); return;
    }
}

INLINE void pack_any(const void *in, void *out, unsigned w)
{
    switch (w) {
#define X(k) case k: pack_unit(in, out, k); return;
        WIDTHS(X)
#undef X
    default: return;
    }
}

static size_t put_lanes(const uint32_t *v, uint32_t n, unsigned width, uint8_t *out)
{
    uint8_t *begin = out;
    for (; n >= PACK_UNIT; n -= PACK_UNIT, v += PACK_UNIT, out += width * (PACK_UNIT / 8))
        pack_any(v, out, width);
    if (n) {
        uint32_t padded[PACK_UNIT] = {0}, words[PACK_UNIT] __attribute__((uninitialized));
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): there are upper halves where a width is above 32 */
        memcpy(padded, v, n * sizeof(*v));
        pack_any(padded, words, width);
        memcpy(out, words, pack_bits_bytes(n, width));
        out += pack_bits_bytes(n, width);
    }
    return (size_t)(out - begin);
}

static void get_lanes(const uint8_t *p, uint32_t n, unsigned width, uint32_t *out)
{
    for (; n >= PACK_UNIT; n -= PACK_UNIT, out += PACK_UNIT, p += width * (PACK_UNIT / 8))
        unpack_any(p, out, width);
    if (n) {
        uint32_t words[PACK_UNIT] = {0};
        memcpy(words, p, pack_bits_bytes(n, width));
        unpack_any(words, out, width);
    }
}

/* prefix_unit - eight at a time: sums within four, across halves, then the carry of the row before. */
INLINE void prefix_unit(uint32_t *v, uint32_t n, uint32_t carry)
{
    const lanes none = {0}, steps = {1, 2, 3, 4, 5, 6, 7, 8};
    for (uint32_t i = 0; i < n; i += LANES) {
        lanes x = *(const lanes *)(const void *)(v + i);
        x += __builtin_shufflevector(x, none, 8, 0, 1, 2, 8, 4, 5, 6);
        x += __builtin_shufflevector(x, none, 8, 8, 0, 1, 8, 8, 4, 5);
        x += __builtin_shufflevector(x, none, 8, 8, 8, 8, 3, 3, 3, 3);
        *(lanes *)(void *)(v + i) = x + steps + carry;
        carry += x[7] + LANES;
    }
}

static void get_deltas(const uint8_t *p, uint32_t n, unsigned width, uint32_t first, uint32_t *out)
{
    get_lanes(p, n, width, out);
    uint32_t whole = n % LANES ? n + LANES - n % LANES : n;
    prefix_unit(out, whole, first);
}
