/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/mask - plain loops over columns and byte masks, written so that the compiler makes vectors of them.
 * Inline: a mask is 0 or 1 a row.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* mask_or_range32, 64 - set where first <= v <= first + span (modulo the width, so signed intervals serve too) */
static inline void mask_or_range32(const uint32_t *v, uint32_t n, uint32_t first, uint32_t span, uint8_t *mask)
{
    for (uint32_t i = 0; i < n; i++)
        mask[i] |= (uint8_t)(v[i] - first <= span);
}

static inline void mask_or_range64(const uint64_t *v, uint32_t n, uint64_t first, uint64_t span, uint8_t *mask)
{
    for (uint32_t i = 0; i < n; i++)
        mask[i] |= (uint8_t)(v[i] - first <= span);
}

/* mask_or_bits - set where the bit of the value is set; values at or above @n_bits are not. */
static inline void mask_or_bits(const uint32_t *v, uint32_t n, const uint64_t *bits, uint32_t n_bits, uint8_t *mask)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i] < n_bits)
            mask[i] |= (uint8_t)(bits[v[i] >> 6] >> (v[i] & 63) & 1);
}

static inline void mask_and(uint8_t *mask, const uint8_t *other, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        mask[i] &= other[i];
}

static inline void mask_or(uint8_t *mask, const uint8_t *other, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        mask[i] |= other[i];
}

static inline void mask_not(uint8_t *mask, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        mask[i] ^= 1;
}

/* mask_and_has - keep rows that have any bit of @has */
static inline void mask_and_has(uint8_t *mask, const uint64_t *present, uint64_t has, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        mask[i] &= (uint8_t)((present[i] & has) != 0);
}

static inline uint32_t mask_count(const uint8_t *mask, uint32_t n)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < n; i++)
        total += mask[i];
    return total;
}

/* mask_rows - the rows whose byte is set, ascending. Return: how many. */
static inline uint32_t mask_rows(const uint8_t *mask, uint32_t n, uint32_t *out)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        out[found] = i;
        found += mask[i];
    }
    return found;
}
