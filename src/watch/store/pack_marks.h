/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/pack_marks - what two sorted arrays have in common. Part of pack_code.c, compiled with it.
 */
#pragma once

#include "watch/store/pack_lanes.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

enum { DENSE_KEYS = 16, MANY_KEYS = 160, STRETCH = 16 };

/* rank256 - how many of 256 sorted values are below @a, but never 256; no branches on the data. */
static inline uint32_t rank256(const uint32_t *v, uint32_t a)
{
    uint32_t at = 0;
#define X(half) at += (v[at + half - 1] < a) * half##u;
    X(128) X(64) X(32) X(16) X(8) X(4) X(2) X(1)
#undef X
    return at;
}

static inline uint32_t rank_any(const uint32_t *v, uint32_t n, uint32_t a)
{
    uint32_t at = 0;
    while (n > 1) {
        uint32_t half = n / 2;
        at += (v[at + half - 1] < a) * half;
        n -= half;
    }
    return at;
}

/* mark_dense - eight values against eight keys in all rotations, the pair with the lower end moving on. Return: keys passed. */
#if defined(__AVX2__)
static size_t mark_dense(const uint32_t *v, const uint32_t *keys, size_t n, uint64_t *bits)
{
    uint8_t *marks = (uint8_t *)bits;
    size_t k = 0;
    for (uint32_t i = 0; i < PACK_UNIT && k + LANES <= n;) {
        lanes a = *(const lanes *)(const void *)(v + i), b = *(const lanes *)(const void *)(keys + k);
        signed_lanes same = (signed_lanes)(a == b);
#define X(r) same |= (signed_lanes)(a == __builtin_shufflevector(b, b, r, (r + 1) % 8, (r + 2) % 8, (r + 3) % 8, (r + 4) % 8, \
                                                                 (r + 5) % 8, (r + 6) % 8, (r + 7) % 8));
        X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#undef X
        marks[i / 8] |= (uint8_t)__builtin_ia32_movmskps256((float_lanes)same);
        uint32_t end_v = v[i + LANES - 1], end_key = keys[k + LANES - 1];
        i += end_v <= end_key ? LANES : 0;
        k += end_key <= end_v ? LANES : 0;
    }
    return k;
}
#else
static size_t mark_dense(const uint32_t *v, const uint32_t *keys, size_t n, uint64_t *bits)
{
    (void)v;
    (void)keys;
    (void)n;
    (void)bits;
    return 0;
}
#endif

/* mark_sparse - per key: the ends of 16 stretches say in which it must lie, and there all sixteen are compared at once. */
#if defined(__AVX512F__)
static void mark_sparse(const uint32_t *v, const uint32_t *keys, size_t n, uint64_t *bits)
{
    uint32_t ends[STRETCH];
    for (unsigned i = 0; i < STRETCH; i++)
        ends[i] = v[i * STRETCH + STRETCH - 1];
    __m512i end = _mm512_loadu_si512(ends);
    for (size_t k = 0; k < n; k++) {
        __m512i key = _mm512_set1_epi32((int)keys[k]);
        uint32_t at = (uint32_t)__builtin_popcount(_mm512_cmplt_epu32_mask(end, key)) % STRETCH; /* above all: compared in vain */
        uint32_t same = _mm512_cmpeq_epi32_mask(key, _mm512_loadu_si512(v + at * STRETCH));
        if (same)
            bits[at / 4] |= (uint64_t)same << at % 4 * STRETCH;
    }
}
#elif defined(__AVX2__)
static void mark_sparse(const uint32_t *v, const uint32_t *keys, size_t n, uint64_t *bits)
{
    const uint32_t turn = UINT32_C(1) << 31; /* vectors compare signed numbers only */
    uint32_t ends[STRETCH];
    for (unsigned i = 0; i < STRETCH; i++)
        ends[i] = v[i * STRETCH + STRETCH - 1] ^ turn;
    signed_lanes low, high;
    memcpy(&low, ends, sizeof(low));
    memcpy(&high, ends + LANES, sizeof(high));
    for (size_t k = 0; k < n; k++) {
        lanes key = (lanes){0} + keys[k];
        signed_lanes turned = (signed_lanes)(key ^ turn);
        uint32_t below = (uint32_t)__builtin_ia32_movmskps256((float_lanes)(turned > low)) |
                         (uint32_t)__builtin_ia32_movmskps256((float_lanes)(turned > high)) << LANES;
        uint32_t at = (uint32_t)__builtin_popcount(below) % STRETCH; /* above all: compared in vain */
        const lanes *stretch = (const lanes *)(const void *)(v + at * STRETCH);
        uint32_t same = (uint32_t)__builtin_ia32_movmskps256((float_lanes)(stretch[0] == key)) |
                        (uint32_t)__builtin_ia32_movmskps256((float_lanes)(stretch[1] == key)) << LANES;
        if (same)
            bits[at / 4] |= (uint64_t)same << at % 4 * STRETCH;
    }
}
#else
static void mark_sparse(const uint32_t *v, const uint32_t *keys, size_t n, uint64_t *bits)
{
    for (size_t k = 0; k < n; k++) {
        uint32_t at = rank256(v, keys[k]);
        bits[at / 64] |= (uint64_t)(v[at] == keys[k]) << at % 64;
    }
}
#endif

/* keys_up_to - how many of the sorted keys are <= @last. */
static size_t keys_up_to(const uint32_t *keys, size_t n, uint32_t last)
{
    size_t from = 0, step = DENSE_KEYS;
    while (step < n && keys[step] <= last) {
        from = step;
        step *= 2;
    }
    size_t to = step < n ? step : n;
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (keys[mid] <= last)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static size_t mark_common(const uint32_t *v, uint32_t n, const uint32_t *keys, size_t n_keys, uint32_t last, uint64_t *bits)
{
    size_t k = 0, end = keys_up_to(keys, n_keys, last);
    if (n == PACK_UNIT && end > MANY_KEYS)
        k = mark_dense(v, keys, end, bits);
    if (n == PACK_UNIT)
        mark_sparse(v, keys + k, end - k, bits);
    for (; n < PACK_UNIT && k < end; k++) {
        uint32_t at = rank_any(v, n, keys[k]);
        bits[at / 64] |= (uint64_t)(v[at] == keys[k]) << at % 64;
    }
    return end;
}
