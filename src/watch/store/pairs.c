/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Radix sorts from the least digit up; a digit that is the same everywhere costs one count and no move.
 */
#include "watch/store/pairs.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static void radix_pass(const uint64_t *from, uint64_t *to, size_t n, unsigned shift, uint32_t *next)
{
    for (size_t i = 0; i < n; i++)
        to[next[from[i] >> shift & (DIGITS - 1)]++] = from[i];
}

/* starts - counts become the first place of each digit. Return: true if one digit holds all. */
static bool starts(uint32_t *count, size_t n)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < DIGITS; i++) {
        uint32_t k = count[i];
        if (k == n)
            return true;
        count[i] = at;
        at += k;
    }
    return false;
}

void pairs_sort4(uint64_t **v, uint64_t **spare, size_t n)
{
    static const unsigned shifts[3] = {32, 43, 54};
    uint32_t count[3][DIGITS] = {0};
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < 3; k++)
            count[k][(*v)[i] >> shifts[k] & (DIGITS - 1)]++;
    for (unsigned k = 0; k < 3; k++) {
        if (starts(count[k], n))
            continue;
        radix_pass(*v, *spare, n, shifts[k], count[k]);
        uint64_t *t = *v;
        *v = *spare;
        *spare = t;
    }
}

static uint64_t digit6(const struct wide_pair *p, unsigned k)
{
    return (k < 6 ? p->a.low >> k * DIGIT_BITS : p->a.high >> (k - 6) * DIGIT_BITS) & (DIGITS - 1);
}

void pairs_sort6(struct wide_pair **v, struct wide_pair **spare, size_t n)
{
    for (unsigned k = 0; k < 12; k++) {
        uint32_t count[DIGITS] = {0};
        for (size_t i = 0; i < n; i++)
            count[digit6(*v + i, k)]++;
        if (starts(count, n))
            continue;
        for (size_t i = 0; i < n; i++)
            (*spare)[count[digit6(*v + i, k)]++] = (*v)[i];
        struct wide_pair *t = *v;
        *v = *spare;
        *spare = t;
    }
}
