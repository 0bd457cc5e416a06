/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight records at a time: twelve words of each are turned into twelve vectors of eight, each of which is a column or
 * two. The last eight records of a datagram may overlap those before, which are then written twice alike.
 */
#include "format/netflow5.h"

#include "format/netflow5_vector.h"

#if defined(__x86_64__)

/* without optimization the compiler's own macros convert signs */
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

#include <immintrin.h>

#define FAST __attribute__((target("avx2"), always_inline)) static inline
enum { AT_ONCE = 8 };

struct clocks {
    __m256i uptime_ms, exported_us;
};

FAST void store256(void *p, __m256i v)
{
    _mm256_storeu_si256(p, v);
}

FAST __m256i turn(__m256i v)
{
    return _mm256_shuffle_epi8(v, _mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
                                                   3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}

/* transpose4 - in each half: v[i] becomes word i of the four. */
FAST void transpose4(__m256i v[4])
{
    __m256i a = _mm256_unpacklo_epi32(v[0], v[1]), b = _mm256_unpackhi_epi32(v[0], v[1]);
    __m256i c = _mm256_unpacklo_epi32(v[2], v[3]), d = _mm256_unpackhi_epi32(v[2], v[3]);
    v[0] = _mm256_unpacklo_epi64(a, c);
    v[1] = _mm256_unpackhi_epi64(a, c);
    v[2] = _mm256_unpacklo_epi64(b, d);
    v[3] = _mm256_unpackhi_epi64(b, d);
}

/* load4 - words @at..@at + 3 of eight records as four vectors. */
FAST void load4(const uint8_t *p, unsigned at, __m256i v[4])
{
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *low = p + i * NETFLOW5_RECORD_BYTES + at * 4, *high = low + (size_t)4 * NETFLOW5_RECORD_BYTES;
        v[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)low)),
                                       _mm_loadu_si128((const void *)high), 1);
    }
    transpose4(v);
}

FAST void put_wide(uint64_t *out, __m256i v)
{
    store256(out, _mm256_cvtepu32_epi64(_mm256_castsi256_si128(v)));
    store256(out + 4, _mm256_cvtepu32_epi64(_mm256_extracti128_si256(v, 1)));
}

/* put_times - netflow_uptime_us of eight. */
FAST void put_times(int64_t *out, __m256i then_ms, const struct clocks *k)
{
    const __m256i thousand = _mm256_set1_epi64x(1000);
    __m256i since = _mm256_sub_epi32(then_ms, k->uptime_ms);
    __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(since));
    __m256i high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(since, 1));
    store256(out, _mm256_add_epi64(_mm256_mul_epi32(low, thousand), k->exported_us));
    store256(out + 4, _mm256_add_epi64(_mm256_mul_epi32(high, thousand), k->exported_us));
}

/* put_halves - the upper and the lower sixteen bits apart, as 32 bits each. */
FAST void put_halves(uint32_t *upper, uint32_t *lower, __m256i v)
{
    store256(upper, _mm256_srli_epi32(v, 16));
    store256(lower, _mm256_and_si256(v, _mm256_set1_epi32(0xffff)));
}

FAST void put_ports(uint16_t *upper, uint16_t *lower, __m256i v)
{
    __m256i both = _mm256_packus_epi32(_mm256_srli_epi32(v, 16), _mm256_and_si256(v, _mm256_set1_epi32(0xffff)));
    both = _mm256_permute4x64_epi64(both, 0xd8);
    _mm_storeu_si128((void *)upper, _mm256_castsi256_si128(both));
    _mm_storeu_si128((void *)lower, _mm256_extracti128_si256(both, 1));
}

/* byte_columns - of eight words as they stand in memory: 64 bits a column, the first byte of all, the second, ... */
FAST __m256i byte_columns(__m256i v)
{
    v = _mm256_shuffle_epi8(v, _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,
                                                0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

FAST void put_bytes(uint8_t *out, uint64_t v)
{
    __builtin_memcpy(out, &v, sizeof(v));
}

/* put_eight - the records at @p become rows from @i on. */
FAST void put_eight(const uint8_t *p, uint32_t i, const struct clocks *k, const struct netflow5_columns *to)
{
    __m256i v[4];
    load4(p, 0, v);
    store256(to->source_ip + i, turn(v[0]));
    store256(to->destination_ip + i, turn(v[1]));
    store256(to->next_hop + i, turn(v[2]));
    put_halves(to->input_if + i, to->output_if + i, turn(v[3]));
    load4(p, 4, v);
    put_wide(to->source_packets + i, turn(v[0]));
    put_wide(to->source_bytes + i, turn(v[1]));
    put_times(to->start_us + i, turn(v[2]), k);
    put_times(to->end_us + i, turn(v[3]), k);
    load4(p, 8, v);
    put_ports(to->source_port + i, to->destination_port + i, turn(v[0]));
    __m256i bytes = byte_columns(v[1]); /* padding, flags, protocol, service */
    _mm_storeu_si128((void *)(to->tcp_flags + i), _mm_cvtepu8_epi16(_mm_srli_si128(_mm256_castsi256_si128(bytes), 8)));
    put_bytes(to->protocol + i, (uint64_t)_mm256_extract_epi64(bytes, 2));
    put_bytes(to->tos + i, (uint64_t)_mm256_extract_epi64(bytes, 3));
    put_halves(to->source_as + i, to->destination_as + i, turn(v[2]));
    bytes = byte_columns(v[3]);
    put_bytes(to->source_mask + i, (uint64_t)_mm256_extract_epi64(bytes, 0));
    put_bytes(to->destination_mask + i, (uint64_t)_mm256_extract_epi64(bytes, 1));
}

__attribute__((target("avx2"))) static void put_all(const uint8_t *p, uint32_t n, const struct netflow5_header *h,
                                                    const struct netflow5_columns *to)
{
    const struct clocks k = {_mm256_set1_epi32((int)h->uptime_ms), _mm256_set1_epi64x(h->exported_us)};
    uint32_t i = 0;
    for (; i + AT_ONCE <= n; i += AT_ONCE)
        put_eight(p + (size_t)i * NETFLOW5_RECORD_BYTES, i, &k, to);
    if (i < n)
        put_eight(p + (size_t)(n - AT_ONCE) * NETFLOW5_RECORD_BYTES, n - AT_ONCE, &k, to);
}

bool netflow5_vector(const uint8_t *p, uint32_t n, const struct netflow5_header *h, const struct netflow5_columns *to)
{
    if (n < AT_ONCE || !__builtin_cpu_supports("avx2"))
        return false;
    put_all(p, n, h, to);
    return true;
}

#else

bool netflow5_vector(const uint8_t *p, uint32_t n, const struct netflow5_header *h, const struct netflow5_columns *to)
{
    (void)p;
    (void)n;
    (void)h;
    (void)to;
    return false;
}

#endif
