/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lanes: one piece of code per width, written once with vectors of eight
 * words and compiled twice, for AVX2 and for whatever the target has.
 */
#include "watch/store/pack.h"

#include <string.h>

/* eight lanes; memory may be unaligned and of any type */
typedef uint32_t lanes __attribute__((vector_size(32), aligned(1), may_alias));

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

static void unpack_plainly(const void *in, void *out, unsigned w)
{
    unpack_any(in, out, w);
}

static void pack_plainly(const void *in, void *out, unsigned w)
{
    pack_any(in, out, w);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void unpack_avx2(const void *in, void *out, unsigned w)
{
    unpack_any(in, out, w);
}

__attribute__((target("avx2"))) static void pack_avx2(const void *in, void *out, unsigned w)
{
    pack_any(in, out, w);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
#define unpack_avx2 unpack_plainly
#define pack_avx2 pack_plainly

static bool has_avx2(void)
{
    return false;
}
#endif

static bool is_plain_forced;

void pack_use_plain(bool is_plain)
{
    is_plain_forced = is_plain;
}

static void unpack_one(const void *in, void *out, unsigned w)
{
    if (!is_plain_forced && has_avx2())
        unpack_avx2(in, out, w);
    else
        unpack_plainly(in, out, w);
}

static void pack_one(const void *in, void *out, unsigned w)
{
    if (!is_plain_forced && has_avx2())
        pack_avx2(in, out, w);
    else
        pack_plainly(in, out, w);
}

/* tail_bytes - a last unit of @n values keeps only the words its rows reach. */
static size_t tail_bytes(uint32_t n, unsigned width)
{
    uint32_t rows = (n + LANES - 1) / LANES;
    return (size_t)((rows * width + 31) / 32) * LANES * 4;
}

size_t pack_bits_bytes(uint32_t n, unsigned width)
{
    return (size_t)(n / PACK_UNIT) * width * (PACK_UNIT / 8) + tail_bytes(n % PACK_UNIT, width);
}

size_t pack_bits(const uint32_t *v, uint32_t n, unsigned width, uint8_t *out)
{
    uint8_t *begin = out;
    for (; n >= PACK_UNIT; n -= PACK_UNIT, v += PACK_UNIT, out += width * (PACK_UNIT / 8))
        pack_one(v, out, width);
    if (n) {
        uint32_t padded[PACK_UNIT] = {0}, words[PACK_UNIT] __attribute__((uninitialized));
        memcpy(padded, v, n * sizeof(*v));
        pack_one(padded, words, width);
        memcpy(out, words, tail_bytes(n, width));
        out += tail_bytes(n, width);
    }
    return (size_t)(out - begin);
}

void unpack_bits(const uint8_t *p, uint32_t n, unsigned width, uint32_t *out)
{
    for (; n >= PACK_UNIT; n -= PACK_UNIT, out += PACK_UNIT, p += width * (PACK_UNIT / 8))
        unpack_one(p, out, width);
    if (n) {
        uint32_t words[PACK_UNIT] = {0};
        memcpy(words, p, tail_bytes(n, width));
        unpack_one(words, out, width);
    }
}

uint32_t unpack_bits_get(const uint8_t *p, uint32_t n, unsigned width, uint32_t i)
{
    (void)n;
    if (!width)
        return 0;
    p += (size_t)(i / PACK_UNIT) * width * (PACK_UNIT / 8) + i % LANES * 4;
    uint32_t bit = i % PACK_UNIT / LANES * width, low, high = 0;
    memcpy(&low, p + (size_t)(bit / 32) * LANES * 4, 4);
    if (bit % 32 + width > 32)
        memcpy(&high, p + (size_t)(bit / 32 + 1) * LANES * 4, 4);
    uint64_t both = (uint64_t)high << 32 | low;
    return (uint32_t)(both >> bit % 32 & ((UINT64_C(1) << width) - 1));
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

static void prefix_plainly(uint32_t *v, uint32_t n, uint32_t carry)
{
    for (uint32_t i = 0; i < n; i++) {
        carry += v[i] + 1;
        v[i] = carry;
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void prefix_avx2(uint32_t *v, uint32_t n, uint32_t carry)
{
    prefix_unit(v, n, carry);
}
#else
#define prefix_avx2 prefix_plainly
#endif

void unpack_deltas(const uint8_t *p, uint32_t n, unsigned width, uint32_t first, uint32_t *out)
{
    unpack_bits(p, n, width, out);
    uint32_t whole = n % LANES ? n + LANES - n % LANES : n;
    if (!is_plain_forced && has_avx2())
        prefix_avx2(out, whole, first);
    else
        prefix_plainly(out, whole, first);
}

/* --- side by side ------------------------------------------------------------- */

size_t pack_plain_bytes(uint32_t n, unsigned width)
{
    return (size_t)(((uint64_t)n * width + 7) / 8);
}

void pack_plain(const uint64_t *v, uint32_t n, unsigned width, uint8_t *out)
{
    memset(out, 0, pack_plain_bytes(n, width));
    uint64_t bit = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t x = width == 64 ? v[i] : v[i] & ((UINT64_C(1) << width) - 1);
        for (unsigned left = width; left;) {
            unsigned at = (unsigned)(bit % 8), take = left < 8 - at ? left : 8 - at;
            out[bit / 8] |= (uint8_t)((x & ((1u << take) - 1)) << at);
            x = take == 64 ? 0 : x >> take;
            bit += take;
            left -= take;
        }
    }
}

uint64_t unpack_plain_get(const uint8_t *p, size_t n_bytes, unsigned width, uint32_t i)
{
    uint64_t bit = (uint64_t)i * width, low = 0, high = 0;
    size_t at = (size_t)(bit / 8);
    unsigned shift = (unsigned)(bit % 8);
    if (!width || at >= n_bytes)
        return 0;
    size_t left = n_bytes - at;
    if (left >= 8)
        memcpy(&low, p + at, 8);
    else
        memcpy(&low, p + at, left);
    if (shift + width > 64 && left > 8)
        high = p[at + 8];
    uint64_t x = low >> shift | (shift ? high << (64 - shift) : 0);
    return width == 64 ? x : x & ((UINT64_C(1) << width) - 1);
}
