/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/byte_masks - what kind each of 64 bytes is, a bit for each, the first byte lowest.
 *
 * SSE2 belongs to every x86-64; elsewhere the same by plain C, which is also what the tests compare with.
 */
#pragma once

#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BYTES_AT_ONCE 64u

/* the words of terms.h */
struct word_masks {
    uint64_t ascii; /* letters and digits below 0x80 */
    uint64_t high;  /* 0x80 and above: characters must be looked at */
};

/* the pieces of log_lines.h */
struct piece_masks {
    uint64_t cut;      /* stands between pieces */
    uint64_t variable; /* a digit, '/' or '@' */
    uint64_t dot, high, mark;
};

static inline uint8_t word_kind_plain(uint8_t c)
{
    if (c >= 0x80)
        return 2;
    uint8_t lower = c | 0x20;
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

enum { PIECE_CUT = 1, PIECE_VARIABLE = 2, PIECE_DOT = 4, PIECE_HIGH = 8, PIECE_MARK = 16 };

static inline uint8_t piece_kind_plain(uint8_t c)
{
    uint8_t kind = 0;
    if (c <= 0x2a || c == ',' || (c >= ';' && c <= '?') || c == '[' || c == ']' || c == '^' || c == '`' || (c >= '{' && c <= 0x7f))
        kind |= PIECE_CUT;
    if ((c >= '/' && c <= '9') || c == '@')
        kind |= PIECE_VARIABLE;
    kind |= c == '.' ? PIECE_DOT : c >= 0x80 ? PIECE_HIGH : c == 1 ? PIECE_MARK : 0;
    return kind;
}

static inline struct word_masks word_masks_plain(const uint8_t *p)
{
    struct word_masks m = {0};
    for (unsigned i = 0; i < BYTES_AT_ONCE; i++) {
        uint8_t kind = word_kind_plain(p[i]);
        m.ascii |= (uint64_t)(kind & 1) << i;
        m.high |= (uint64_t)(kind >> 1) << i;
    }
    return m;
}

static inline struct piece_masks piece_masks_plain(const uint8_t *p)
{
    struct piece_masks m = {0};
    for (unsigned i = 0; i < BYTES_AT_ONCE; i++) {
        uint8_t kind = piece_kind_plain(p[i]);
        m.cut |= (uint64_t)(kind & 1) << i;
        m.variable |= (uint64_t)(kind >> 1 & 1) << i;
        m.dot |= (uint64_t)(kind >> 2 & 1) << i;
        m.high |= (uint64_t)(kind >> 3 & 1) << i;
        m.mark |= (uint64_t)(kind >> 4 & 1) << i;
    }
    return m;
}

#if defined(__SSE2__)

/* bytes_between - @from <= byte <= @from + @span, as unsigned numbers */
static inline __m128i bytes_between(__m128i x, uint8_t from, uint8_t span)
{
    __m128i y = _mm_sub_epi8(x, _mm_set1_epi8((char)from));
    return _mm_cmpeq_epi8(_mm_min_epu8(y, _mm_set1_epi8((char)span)), y);
}

static inline uint64_t bytes_mask(__m128i x, unsigned i)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(x) << 16 * i;
}

static inline struct word_masks word_masks_of(const uint8_t *p)
{
    struct word_masks m = {0};
    for (unsigned i = 0; i < 4; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i letters = bytes_between(_mm_or_si128(x, _mm_set1_epi8(0x20)), 'a', 25);
        m.ascii |= bytes_mask(_mm_or_si128(letters, bytes_between(x, '0', 9)), i);
        m.high |= bytes_mask(x, i);
    }
    return m;
}

static inline struct piece_masks piece_masks_of(const uint8_t *p)
{
    struct piece_masks m = {0};
    for (unsigned i = 0; i < 4; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i low = _mm_or_si128(bytes_between(x, 0, 0x2a), _mm_cmpeq_epi8(x, _mm_set1_epi8(',')));
        __m128i middle = _mm_or_si128(bytes_between(x, ';', 4), _mm_cmpeq_epi8(x, _mm_set1_epi8('[')));
        __m128i upper = _mm_or_si128(bytes_between(x, ']', 1), _mm_cmpeq_epi8(x, _mm_set1_epi8('`')));
        __m128i cut = _mm_or_si128(_mm_or_si128(low, middle), _mm_or_si128(upper, bytes_between(x, '{', 4)));
        m.cut |= bytes_mask(cut, i);
        m.variable |= bytes_mask(_mm_or_si128(bytes_between(x, '/', 10), _mm_cmpeq_epi8(x, _mm_set1_epi8('@'))), i);
        m.dot |= bytes_mask(_mm_cmpeq_epi8(x, _mm_set1_epi8('.')), i);
        m.high |= bytes_mask(x, i);
        m.mark |= bytes_mask(_mm_cmpeq_epi8(x, _mm_set1_epi8(1)), i);
    }
    return m;
}

#else

static inline struct word_masks word_masks_of(const uint8_t *p)
{
    return word_masks_plain(p);
}

static inline struct piece_masks piece_masks_of(const uint8_t *p)
{
    return piece_masks_plain(p);
}

#endif
