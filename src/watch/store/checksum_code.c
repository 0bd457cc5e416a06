/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This file is compiled twice: for any processor, and for those with AVX2.
 * 2 KiB ahead: measured over the page cache against 384 bytes (the library's choice), 1 and 4 KiB.
 */
#include "watch/store/checksum_code.h"

#define XXH_INLINE_ALL
#define XXH_PREFETCH_DIST 2048
#include <xxhash.h>

uint64_t CHECKSUM_CODE(const void *p, size_t n_bytes)
{
    return XXH3_64bits(p, n_bytes);
}
