/* SPDX-License-Identifier: Apache-2.0 */
/* watch/store/checksum_code - checksum.h as compiled for one kind of processor; for checksum*.c only. */
#pragma once

#include "watch/store/checksum.h"

/* checksum_plain - any processor; checksum_fast - AVX2. The sums are the same. */
uint64_t checksum_plain(const void *p, size_t n_bytes);
/* checksum_fast - see above. */
uint64_t checksum_fast(const void *p, size_t n_bytes);
/* checksum_parts_plain, checksum_parts_fast - checksum_parts likewise. */
uint64_t checksum_parts_plain(uint64_t seed, const struct checksum_part *parts, size_t n_parts);
uint64_t checksum_parts_fast(uint64_t seed, const struct checksum_part *parts, size_t n_parts);
