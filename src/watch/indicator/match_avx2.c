/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight addresses at a time: gathers instead of single loads. Compiled for AVX2
 * on every x86-64 build, entered only where the processor has it.
 */
#include "watch/indicator/match_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

bool match_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

/* the positions of the set bits of @mask, after @at */
AVX2 static inline size_t put_mask(unsigned mask, size_t at, uint16_t *out, size_t n)
{
    while (mask) {
        out[n++] = (uint16_t)(at + (unsigned)__builtin_ctz(mask));
        mask &= mask - 1;
    }
    return n;
}

/* lanes whose block is marked: bit (a >> @shift) of @bits, gathered as 32-bit words */
AVX2 static inline unsigned marked(const uint64_t *bits, __m256i a, int shift)
{
    __m256i block = _mm256_srl_epi32(a, _mm_cvtsi32_si128(shift));
    __m256i words = _mm256_i32gather_epi32((const int *)(const void *)bits, _mm256_srli_epi32(block, 5), 4);
    __m256i up = _mm256_sub_epi32(_mm256_set1_epi32(31), _mm256_and_si256(block, _mm256_set1_epi32(31)));
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(words, up)));
}

/* four lanes of the bloom: the word and the three bits, all in 64 bits */
AVX2 static inline unsigned maybe4(const uint64_t *bloom, __m128i word, __m128i h)
{
    const __m256i one = _mm256_set1_epi64x(1), low6 = _mm256_set1_epi64x(63);
    __m256i words = _mm256_i32gather_epi64((const long long *)(const void *)bloom, word, 8);
    __m256i h64 = _mm256_cvtepu32_epi64(h);
    __m256i bits = _mm256_sllv_epi64(one, _mm256_srli_epi64(h64, 26));
    bits = _mm256_or_si256(bits, _mm256_sllv_epi64(one, _mm256_and_si256(_mm256_srli_epi64(h64, 20), low6)));
    bits = _mm256_or_si256(bits, _mm256_sllv_epi64(one, _mm256_and_si256(_mm256_srli_epi64(h64, 14), low6)));
    __m256i same = _mm256_cmpeq_epi64(_mm256_and_si256(words, bits), bits);
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(same));
}

AVX2 static inline unsigned maybe8(const uint64_t *bloom, unsigned shift, __m256i a)
{
    __m256i word = _mm256_srl_epi32(_mm256_mullo_epi32(a, _mm256_set1_epi32((int)0x9e3779b1u)), _mm_cvtsi32_si128((int)shift));
    __m256i h = _mm256_mullo_epi32(a, _mm256_set1_epi32((int)0x85ebca6bu));
    unsigned low = maybe4(bloom, _mm256_castsi256_si128(word), _mm256_castsi256_si128(h));
    unsigned high = maybe4(bloom, _mm256_extracti128_si256(word, 1), _mm256_extracti128_si256(h, 1));
    return low | high << 4;
}

AVX2 size_t candidates_avx2(const struct matcher *m, const uint32_t *a, size_t n, uint16_t *out)
{
    const uint64_t *bloom = m->bloom, *marks = m->any16 ? m->any16 : m->any24;
    const unsigned shift = m->bloom_shift;
    const int block = m->any16 ? 16 : 8;
    const bool may_prefetch = m->may_prefetch && bloom;
    size_t n_out = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i lanes = _mm256_loadu_si256((const __m256i *)(const void *)(a + i));
        if (may_prefetch && i + 40 <= n)
            for (size_t k = i + 32; k < i + 40; k++)
                __builtin_prefetch(&bloom[bloom_word(a[k], shift)]);
        unsigned mask = bloom ? maybe8(bloom, shift, lanes) : 0;
        if (marks)
            mask |= marked(marks, lanes, block);
        n_out = put_mask(mask, i, out, n_out);
    }
    uint16_t rest[8];
    size_t n_rest = candidates_plain(m, a + i, n - i, rest);
    for (size_t k = 0; k < n_rest; k++)
        out[n_out++] = (uint16_t)(rest[k] + i);
    return n_out;
}

#else

bool match_has_avx2(void)
{
    return false;
}

size_t candidates_avx2(const struct matcher *m, const uint32_t *a, size_t n, uint16_t *out)
{
    return candidates_plain(m, a, n, out);
}

#endif
