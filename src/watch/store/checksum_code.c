/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This file is compiled twice: for any processor, and for those with AVX2.
 * 2 KiB ahead: measured over the page cache against 384 bytes (the library's choice), 1 and 4 KiB.
 */
#include "watch/store/checksum_code.h"

/* what is asked for ahead lies behind the state; it is asked for only */
#pragma GCC diagnostic ignored "-Warray-bounds"

#define XXH_INLINE_ALL
#define XXH_PREFETCH_DIST 2048
#include <xxhash.h>

uint64_t CHECKSUM_CODE(const void *p, size_t n_bytes)
{
    return XXH3_64bits(p, n_bytes);
}

uint64_t CHECKSUM_PARTS_CODE(uint64_t seed, const struct checksum_part *parts, size_t n_parts)
{
    XXH3_state_t state; /* on the stack: no allocation per batch */
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset_withSeed(&state, seed);
    for (size_t i = 0; i < n_parts; i++)
        if (parts[i].n_bytes)
            XXH3_64bits_update(&state, parts[i].p, parts[i].n_bytes);
    return XXH3_64bits_digest(&state);
}
