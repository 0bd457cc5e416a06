/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/checksum - XXH3 of 64 bits of what lies in files of the store.
 *
 * Compiled here rather than called in the library: there for the least processor, here also for those with AVX2, and
 * asking for memory far enough ahead, for these bytes come from the page cache and not from the processor's.
 * The sums are the library's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* bytes in several places */
struct checksum_part {
    const void *p;
    size_t n_bytes;
};

uint64_t checksum(const void *p, size_t n_bytes);
/* checksum_parts - of all parts as one string, seeded. */
uint64_t checksum_parts(uint64_t seed, const struct checksum_part *parts, size_t n_parts);
