/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Radix sorts from the least digit up, over the bits that differ at all, in as few even digits as there must be.
 */
#include "watch/store/pairs.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static void starts(uint32_t *count, uint32_t n_digits)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < n_digits; i++) {
        uint32_t k = count[i];
        count[i] = at;
        at += k;
    }
}

/* digits of @bits bits: how many passes, and how wide each is */
static unsigned passes_of(unsigned bits, unsigned *ret_width)
{
    unsigned n = (bits + DIGIT_BITS - 1) / DIGIT_BITS;
    *ret_width = n ? (bits + n - 1) / n : 0;
    return n;
}

static void count_digits4(const uint64_t *v, size_t n, unsigned low, unsigned width, unsigned passes, uint32_t (*count)[DIGITS])
{
    const uint64_t mask = (UINT64_C(1) << width) - 1;
    uint32_t *first = count[0], *second = count[passes > 1], *third = count[passes > 2 ? 2 : 0];
    for (unsigned k = 0; k < passes; k++)
        memset(count[k], 0, (mask + 1) * sizeof(uint32_t));
    if (passes == 3)
        for (size_t i = 0; i < n; i++) {
            uint64_t x = v[i] >> low;
            first[x & mask]++;
            second[x >> width & mask]++;
            third[x >> 2 * width & mask]++;
        }
    else if (passes == 2)
        for (size_t i = 0; i < n; i++) {
            uint64_t x = v[i] >> low;
            first[x & mask]++;
            second[x >> width & mask]++;
        }
    else if (passes == 1)
        for (size_t i = 0; i < n; i++)
            first[v[i] >> low & mask]++;
}

static void move4(const uint64_t *from, uint64_t *to, size_t n, unsigned low, uint64_t mask, uint32_t *next)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t x = from[i];
        to[next[x >> low & mask]++] = x;
    }
}

void pairs_sort4(uint64_t **v, uint64_t **spare, size_t n)
{
    uint32_t count[3][DIGITS] __attribute__((uninitialized));
    const uint64_t *all = *v;
    uint64_t differs = 0;
    unsigned width;
    for (size_t i = 1; i < n; i++)
        differs |= all[i] ^ all[0];
    if (!(differs >> 32))
        return;
    unsigned low = 32 + (unsigned)__builtin_ctzll(differs >> 32), bits = 64 - (unsigned)__builtin_clzll(differs) - low;
    unsigned passes = passes_of(bits, &width);
    count_digits4(all, n, low, width, passes, count);
    for (unsigned k = 0; k < passes; k++, low += width) {
        uint64_t *from = *v, *to = *spare;
        starts(count[k], 1u << width);
        move4(from, to, n, low, (UINT64_C(1) << width) - 1, count[k]);
        *spare = from;
        *v = to;
    }
}

/* sort6_half - by the bits of one half that differ. */
static void sort6_half(struct wide_pair **v, struct wide_pair **spare, size_t n, bool is_high)
{
    uint32_t count[DIGITS] __attribute__((uninitialized));
    uint64_t differs = 0;
    unsigned width;
#define HALF(p) (is_high ? (p)->a.high : (p)->a.low)
    for (size_t i = 1; i < n; i++)
        differs |= HALF(*v + i) ^ HALF(*v);
    if (!differs)
        return;
    unsigned low = (unsigned)__builtin_ctzll(differs), bits = 64 - (unsigned)__builtin_clzll(differs) - low;
    unsigned passes = passes_of(bits, &width);
    uint64_t mask = (UINT64_C(1) << width) - 1;
    for (unsigned k = 0; k < passes; k++, low += width) {
        const struct wide_pair *from = *v;
        struct wide_pair *to = *spare;
        memset(count, 0, (mask + 1) * sizeof(*count));
        for (size_t i = 0; i < n; i++)
            count[HALF(from + i) >> low & mask]++;
        starts(count, (uint32_t)mask + 1);
        for (size_t i = 0; i < n; i++)
            to[count[HALF(from + i) >> low & mask]++] = from[i];
        *spare = *v;
        *v = to;
    }
#undef HALF
}

void pairs_sort6(struct wide_pair **v, struct wide_pair **spare, size_t n)
{
    sort6_half(v, spare, n, false);
    sort6_half(v, spare, n, true);
}
