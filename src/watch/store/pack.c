/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The choice of code by processor, arrays of mini-blocks, and what needs no choice.
 */
#include "watch/store/pack.h"

#include "watch/store/pack_code.h"

#include <errno.h>
#include <string.h>

static enum pack_processor most = PACK_AVX512;

void pack_use(enum pack_processor p)
{
    most = p;
}

#if defined(__x86_64__)
enum pack_processor pack_processor(void)
{
    if (most == PACK_PLAIN || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2"))
        return PACK_PLAIN;
    bool is_wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return is_wide ? most : PACK_AVX2;
}
#else
enum pack_processor pack_processor(void)
{
    return PACK_PLAIN;
}
#endif

static const struct pack_code *code(void)
{
    static const struct pack_code *const of[] = {&pack_code_plain, &pack_code_fast, &pack_code_wide};
    return of[pack_processor()];
}

size_t pack_mini64(const uint64_t *v, uint32_t n, uint8_t *out)
{
    return code()->put_mini64(v, n, &(struct pack_advice){0}, out);
}

size_t pack_mini32(const uint32_t *v, uint32_t n, uint8_t *out)
{
    return code()->put_mini32(v, n, &(struct pack_advice){0}, out);
}

int unpack_mini64(const uint8_t *p, size_t n_bytes, uint32_t n, uint64_t *out)
{
    return code()->get_mini64(p, n_bytes, n, out);
}

int unpack_mini32(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t *out)
{
    return code()->get_mini32(p, n_bytes, n, out);
}

int unpack_mini_get(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t i, uint64_t *ret)
{
    return code()->get_one(p, n_bytes, n, i, ret);
}

size_t pack_bits(const uint32_t *v, uint32_t n, unsigned width, uint8_t *out)
{
    return code()->put_lanes(v, n, width, out);
}

void unpack_bits(const uint8_t *p, uint32_t n, unsigned width, uint32_t *out)
{
    code()->get_lanes(p, n, width, out);
}

void unpack_deltas(const uint8_t *p, uint32_t n, unsigned width, uint32_t first, uint32_t *out)
{
    code()->get_deltas(p, n, width, first, out);
}

void pack_bounds8(const uint8_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max)
{
    code()->bounds8(v, n, ret_min, ret_max);
}

void pack_bounds16(const uint16_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max)
{
    code()->bounds16(v, n, ret_min, ret_max);
}

void pack_bounds32(const uint32_t *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max)
{
    code()->bounds32(v, n, ret_min, ret_max);
}

void pack_bounds64(const uint64_t *v, uint32_t n, bool is_signed, uint64_t *ret_min, uint64_t *ret_max)
{
    code()->bounds64(v, n, is_signed ? 0 : UINT64_C(1) << 63, ret_min, ret_max);
}

/* --- arrays ---------------------------------------------------------------------- */

size_t pack_mark_common(const uint32_t *v, uint32_t n, const uint32_t *keys, size_t n_keys, uint32_t last, uint64_t *bits)
{
    return code()->mark_common(v, n, keys, n_keys, last, bits);
}

static uint32_t minis_of(uint32_t n)
{
    return (n + PACK_VALUES - 1) / PACK_VALUES;
}

static uint32_t mini_rows(uint32_t n, uint32_t k)
{
    return n - k * PACK_VALUES < PACK_VALUES ? n - k * PACK_VALUES : PACK_VALUES;
}

#define PACK_ARRAY(pack, quick)                                                     \
    struct pack_advice advice = {.is_quick = quick};                                \
    uint32_t n_minis = minis_of(n), at = 0;                                         \
    uint8_t *body = out + (size_t)n_minis * 4;                                      \
    for (uint32_t k = 0; k < n_minis; k++) {                                        \
        at += (uint32_t)pack(v + (size_t)k * PACK_VALUES, mini_rows(n, k), &advice, body + at); \
        memcpy(out + (size_t)k * 4, &at, 4);                                        \
    }                                                                               \
    return (size_t)n_minis * 4 + at

size_t pack_array64(const uint64_t *v, uint32_t n, uint8_t *out)
{
    PACK_ARRAY(code()->put_mini64, false);
}

size_t pack_array32(const uint32_t *v, uint32_t n, uint8_t *out)
{
    PACK_ARRAY(code()->put_mini32, false);
}

size_t pack_array16(const uint16_t *v, uint32_t n, uint8_t *out)
{
    PACK_ARRAY(code()->put_mini16, false);
}

size_t pack_array8(const uint8_t *v, uint32_t n, uint8_t *out)
{
    PACK_ARRAY(code()->put_mini8, false);
}

size_t pack_array16_quick(const uint16_t *v, uint32_t n, uint8_t *out)
{
    PACK_ARRAY(code()->put_mini16, true);
}

size_t pack_array8_quick(const uint8_t *v, uint32_t n, uint8_t *out)
{
    PACK_ARRAY(code()->put_mini8, true);
}

static size_t load_end(const uint8_t *p, uint32_t k)
{
    uint32_t end;
    memcpy(&end, p + (size_t)k * 4, 4);
    return end;
}

size_t pack_array64_quick(const uint64_t *v, uint32_t n, uint8_t *out)
{
    PACK_ARRAY(code()->put_mini64, true);
}

size_t pack_array32_quick(const uint32_t *v, uint32_t n, uint8_t *out)
{
    PACK_ARRAY(code()->put_mini32, true);
}

/* find_mini - where mini-block @k of an array lies. */
static int find_mini(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t k, const uint8_t **ret, size_t *ret_n)
{
    size_t table = (size_t)minis_of(n) * 4;
    if (n_bytes < table)
        return -EBADMSG;
    size_t from = k ? load_end(p, k - 1) : 0, to = load_end(p, k);
    if (from > to || to > n_bytes - table)
        return -EBADMSG;
    *ret = p + table + from;
    *ret_n = to - from;
    return 0;
}

#define UNPACK_ARRAY(unpack)                                                                     \
    for (uint32_t k = 0; k < minis_of(n); k++) {                                                 \
        const uint8_t *mini;                                                                     \
        size_t n_mini;                                                                           \
        if (find_mini(p, n_bytes, n, k, &mini, &n_mini) ||                                       \
            unpack(mini, n_mini, mini_rows(n, k), out + (size_t)k * PACK_VALUES))                \
            return -EBADMSG;                                                                     \
    }                                                                                            \
    return 0

int unpack_array64(const uint8_t *p, size_t n_bytes, uint32_t n, uint64_t *out)
{
    UNPACK_ARRAY(code()->get_mini64);
}

int unpack_array32(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t *out)
{
    UNPACK_ARRAY(code()->get_mini32);
}

int unpack_array_get(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t i, uint64_t *ret)
{
    const uint8_t *mini;
    size_t n_mini;
    uint32_t k = i / PACK_VALUES;
    if (i >= n || find_mini(p, n_bytes, n, k, &mini, &n_mini))
        return -EBADMSG;
    return unpack_mini_get(mini, n_mini, mini_rows(n, k), i % PACK_VALUES, ret);
}

int pack_array_mark(const uint8_t *p, size_t n_bytes, uint32_t n, const uint32_t *keys, uint32_t n_keys, uint64_t *bits)
{
    memset(bits, 0, (size_t)minis_of(n) * (PACK_VALUES / 8));
    for (uint32_t k = 0; k < minis_of(n); k++) {
        const uint8_t *mini;
        size_t n_mini;
        if (find_mini(p, n_bytes, n, k, &mini, &n_mini) ||
            code()->mark_keys(mini, n_mini, mini_rows(n, k), keys, n_keys, bits + (size_t)k * (PACK_VALUES / 64)))
            return -EBADMSG;
    }
    return 0;
}
