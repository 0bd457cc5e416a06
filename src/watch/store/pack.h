/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/pack - numbers as small bytes with random access.
 *
 * A mini-block holds up to PACK_VALUES values in the smallest of five forms:
 * constant; frame of reference (bit-packed difference to the least value);
 * the same with exceptions kept apart; runs; a small dictionary of its own.
 * A common divisor of 1000 or 1,000,000 is taken out first, so that times in
 * microseconds that an exporter gave in milliseconds cost what milliseconds cost.
 *
 * Bits stand in units of 256 values, eight lanes of 32 bits: value i of a unit is in lane i % 8,
 * row i / 8, and the rows of a lane follow each other bit by bit; so AVX2 unpacks eight at a time,
 * plain C gives the same, and one value is two words away. Little-endian.
 *
 * Input to the reading functions is untrusted; they answer -EBADMSG and never read outside @p.
 * Limits: no I/O, no allocation; reentrant. The instruction set is chosen at run time.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PACK_VALUES 1024u
#define PACK_UNIT 256u
#define PACK_MAX_BYTES 8256u /* the largest mini-block */

/* pack_mini64 - @n (1..PACK_VALUES) values into @out (room for PACK_MAX_BYTES). Return: bytes written. */
size_t pack_mini64(const uint64_t *v, uint32_t n, uint8_t *out);
size_t pack_mini32(const uint32_t *v, uint32_t n, uint8_t *out);
/* unpack_mini64 - into @out, which has room for PACK_VALUES; what stands behind value n is undefined. */
int unpack_mini64(const uint8_t *p, size_t n_bytes, uint32_t n, uint64_t *out);
/* unpack_mini32 - the same where every value fits 32 bits; higher bits are cut. */
int unpack_mini32(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t *out);
int unpack_mini_get(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t i, uint64_t *ret);

/*
 * Arrays of any length: a table of the mini-blocks' ends (u32 each), then the mini-blocks.
 * Reading gives out[0..n); @out has room for @n rounded up to a multiple of PACK_VALUES.
 */
#define PACK_ARRAY_MAX_BYTES(n) ((((size_t)(n) + PACK_VALUES - 1) / PACK_VALUES) * (PACK_MAX_BYTES + 4))
/* pack_array64, pack_array32 - Return: bytes written. unpack_...: 0, or -EBADMSG when the bytes are damaged. */
size_t pack_array64(const uint64_t *v, uint32_t n, uint8_t *out);
size_t pack_array32(const uint32_t *v, uint32_t n, uint8_t *out);
/* the same of narrower numbers: the bytes are those pack_array32 makes of them */
size_t pack_array16(const uint16_t *v, uint32_t n, uint8_t *out);
size_t pack_array8(const uint8_t *v, uint32_t n, uint8_t *out);
/* the quick ones look for runs and frames only: for bytes that are soon thrown away */
size_t pack_array64_quick(const uint64_t *v, uint32_t n, uint8_t *out);
size_t pack_array32_quick(const uint32_t *v, uint32_t n, uint8_t *out);
size_t pack_array16_quick(const uint16_t *v, uint32_t n, uint8_t *out);
size_t pack_array8_quick(const uint8_t *v, uint32_t n, uint8_t *out);
int unpack_array64(const uint8_t *p, size_t n_bytes, uint32_t n, uint64_t *out);
int unpack_array32(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t *out);
int unpack_array_get(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t i, uint64_t *ret);

/* pack_bounds - least and greatest of @n >= 1 values. */
void pack_bounds8(const uint8_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max);
void pack_bounds16(const uint16_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max);
void pack_bounds32(const uint32_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max);
void pack_bounds64(const uint64_t *v, uint32_t n, bool is_signed, uint64_t *ret_min, uint64_t *ret_max);
/*
 * pack_array_mark - bit i of @bits for every i < n whose value is among @keys (at most PACK_KEYS, in any order); the
 * others are cleared. @bits: @n rounded up to a multiple of PACK_VALUES.
 */
#define PACK_KEYS 32u
int pack_array_mark(const uint8_t *p, size_t n_bytes, uint32_t n, const uint32_t *keys, uint32_t n_keys, uint64_t *bits);

/* --- bare bits, for dictionaries ---------------------------------------------- */

/* pack_bits_bytes - what @n values of @width bits (0..32) take: of a last unit only the words its rows reach. */
static inline size_t pack_bits_bytes(uint32_t n, unsigned width)
{
    uint32_t rows = (n % PACK_UNIT + 7) / 8;
    return (size_t)(n / PACK_UNIT) * width * (PACK_UNIT / 8) + (size_t)((rows * width + 31) / 32) * 32;
}

/* pack_bits - the low @width bits of @n values. Return: bytes written, pack_bits_bytes(n, width). */
size_t pack_bits(const uint32_t *v, uint32_t n, unsigned width, uint8_t *out);
/* unpack_bits - @p has pack_bits_bytes(n, width) bytes; @out room for @n rounded up to PACK_UNIT. */
void unpack_bits(const uint8_t *p, uint32_t n, unsigned width, uint32_t *out);
static inline uint32_t unpack_bits_get(const uint8_t *p, unsigned width, uint32_t i)
{
    if (!width)
        return 0;
    p += (size_t)(i / PACK_UNIT) * width * (PACK_UNIT / 8) + i % 8 * 4;
    uint32_t bit = i % PACK_UNIT / 8 * width, low, high = 0;
    memcpy(&low, p + (size_t)(bit / 32) * 32, 4);
    if (bit % 32 + width > 32)
        memcpy(&high, p + (size_t)(bit / 32 + 1) * 32, 4);
    uint64_t both = (uint64_t)high << 32 | low;
    return (uint32_t)(both >> bit % 32 & ((UINT64_C(1) << width) - 1));
}
/* unpack_deltas - as unpack_bits, then out[i] = first + (sum of the first i + 1 values) + i + 1: strictly ascending. */
void unpack_deltas(const uint8_t *p, uint32_t n, unsigned width, uint32_t first, uint32_t *out);

/*
 * pack_mark_common - set bit i of @bits for every v[i] that is among @keys.
 * @v, @n: 1..PACK_UNIT ascending values; @keys: ascending, looked at while <= @last; @bits: PACK_UNIT bits.
 * Return: keys looked at: those <= @last.
 */
size_t pack_mark_common(const uint32_t *v, uint32_t n, const uint32_t *keys, size_t n_keys, uint32_t last, uint64_t *bits);

/* values side by side without lanes (0..64 bits each), least significant bit first */
static inline size_t pack_plain_bytes(uint32_t n, unsigned width)
{
    return (size_t)(((uint64_t)n * width + 7) / 8);
}

static inline void pack_plain(const uint64_t *v, uint32_t n, unsigned width, uint8_t *out)
{
    uint64_t mask = width < 64 ? (UINT64_C(1) << width) - 1 : UINT64_MAX, word = 0;
    unsigned filled = 0;
    for (uint32_t i = 0; i < n && width; i++) {
        uint64_t x = v[i] & mask;
        word |= x << filled;
        if (filled + width < 64) {
            filled += width;
            continue;
        }
        memcpy(out, &word, 8);
        out += 8;
        word = filled ? x >> (64 - filled) : 0;
        filled = filled + width - 64;
    }
    memcpy(out, &word, (filled + 7) / 8);
}

/* unpack_plain_get - never reads outside @n_bytes; zero there. */
static inline uint64_t unpack_plain_get(const uint8_t *p, size_t n_bytes, unsigned width, uint32_t i)
{
    uint64_t bit = (uint64_t)i * width, low = 0, high = 0;
    size_t at = (size_t)(bit / 8);
    unsigned shift = (unsigned)(bit % 8);
    if (!width || at >= n_bytes)
        return 0;
    size_t left = n_bytes - at;
    memcpy(&low, p + at, left < 8 ? left : 8);
    if (shift + width > 64 && left > 8)
        high = p[at + 8];
    uint64_t x = low >> shift | (shift ? high << (64 - shift) : 0);
    return width == 64 ? x : x & ((UINT64_C(1) << width) - 1);
}

/* pack_width - bits needed for @v: 0..64. */
static inline unsigned pack_width(uint64_t v)
{
    return v ? 64u - (unsigned)__builtin_clzll(v) : 0;
}

/* pack_use - tests: code for no better processor than that. Not thread-safe. */
enum pack_processor { PACK_PLAIN, PACK_AVX2, PACK_AVX512 };
void pack_use(enum pack_processor p);
/* pack_processor - what code is chosen for, here and where others choose by the same. */
enum pack_processor pack_processor(void);
