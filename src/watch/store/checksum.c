/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/checksum.h"

#include "watch/store/checksum_code.h"

#if defined(__x86_64__)
uint64_t checksum(const void *p, size_t n_bytes)
{
    return __builtin_cpu_supports("avx2") ? checksum_fast(p, n_bytes) : checksum_plain(p, n_bytes);
}

uint64_t checksum_parts(uint64_t seed, const struct checksum_part *parts, size_t n_parts)
{
    return __builtin_cpu_supports("avx2") ? checksum_parts_fast(seed, parts, n_parts) : checksum_parts_plain(seed, parts, n_parts);
}
#else
uint64_t checksum(const void *p, size_t n_bytes)
{
    return checksum_plain(p, n_bytes);
}

uint64_t checksum_parts(uint64_t seed, const struct checksum_part *parts, size_t n_parts)
{
    return checksum_parts_plain(seed, parts, n_parts);
}
#endif
