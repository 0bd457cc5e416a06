/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/pack_search - which values of a mini-block are among a few keys. Part of pack_code.c.
 *
 * Values are compared as they stand, without their base; a unit is written out nowhere but in the cache.
 */
#pragma once

#include "watch/store/pack_lanes.h"

enum { UNIT_WORDS = PACK_UNIT / 64 };

#if defined(__AVX2__)
INLINE uint32_t equal_lanes(const lanes *v, const lanes *key) /* by address: without AVX clang has no way to pass one */
{
    return (uint32_t)__builtin_ia32_movmskps256((float_lanes)(*v == *key));
}
#else
INLINE uint32_t equal_lanes(const lanes *v, const lanes *key) /* by address: without AVX clang has no way to pass one */
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < LANES; i++)
        bits |= (uint32_t)((*v)[i] == (*key)[i]) << i;
    return bits;
}
#endif

INLINE bool has_any(const signed_lanes *x)
{
    uint64_t w[LANES / 2];
    memcpy(w, x, sizeof(w));
    return (w[0] | w[1] | w[2] | w[3]) != 0;
}

/* mark_unit - most units hold none of the keys: first whether, then where. */
static void mark_unit(const lanes *v, const uint32_t *keys, uint32_t n_keys, uint64_t *bits)
{
    for (uint32_t k = 0; k < n_keys; k++) {
        lanes key = (lanes){0} + keys[k];
        signed_lanes any = {0}, more = {0};
        for (unsigned r = 0; r < UNIT_ROWS; r += 2) {
            any |= (signed_lanes)(v[r] == key);
            more |= (signed_lanes)(v[r + 1] == key);
        }
        any |= more;
        if (!has_any(&any))
            continue;
        for (unsigned r = 0; r < UNIT_ROWS; r++)
            bits[r / LANES] |= (uint64_t)equal_lanes(&v[r], &key) << r % LANES * LANES;
    }
}

/* mark_lanes - bits of @n values of @width bits each. @bits: whole units of them, none set. */
static void mark_lanes(const uint8_t *p, uint32_t n, unsigned width, const uint32_t *keys, uint32_t n_keys, uint64_t *bits)
{
    lanes v[UNIT_ROWS] __attribute__((uninitialized));
    for (; n >= PACK_UNIT; n -= PACK_UNIT, bits += UNIT_WORDS, p += width * (PACK_UNIT / 8)) {
        unpack_any(p, v, width);
        mark_unit(v, keys, n_keys, bits);
    }
    if (!n)
        return;
    get_lanes(p, n, width, (uint32_t *)(void *)v);
    mark_unit(v, keys, n_keys, bits);
    for (uint32_t i = n; i < PACK_UNIT; i += 64 - i % 64) /* what stands behind the last value is none */
        bits[i / 64] &= (UINT64_C(1) << i % 64) - 1;
}
