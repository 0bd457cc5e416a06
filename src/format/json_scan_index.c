/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where something stands in a JSON text. Blocks of 64 bytes become masks with a bit per byte; the masks of one block
 * and two carried bits (inside a string, behind an odd run of backslashes) decide everything.
 */
#include "format/json_scan_own.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* what a block of 64 bytes holds: one bit per byte */
struct masks {
    uint64_t quotes, backslashes, operators, blanks, controls, highs;
};

/* what one block hands to the next */
struct carry {
    uint64_t is_inside;  /* all ones: inside a string */
    uint64_t is_escaped; /* 1: the first byte is behind a backslash that counts */
    uint64_t was_scalar; /* 1: the last byte belonged to a number or word */
};

/* escaped - the bytes behind backslashes that count; a backslash behind such a one does not. */
static inline uint64_t escaped(uint64_t backslashes, struct carry *c)
{
    uint64_t out = c->is_escaped;
    backslashes &= ~out;
    c->is_escaped = 0;
    while (backslashes) { /* by runs: of each run every other one counts */
        unsigned at = (unsigned)__builtin_ctzll(backslashes);
        if (at == 63) {
            c->is_escaped = 1;
            break;
        }
        out |= UINT64_C(2) << at;
        backslashes &= ~(UINT64_C(3) << at);
    }
    return out;
}

static inline uint64_t prefix_xor(uint64_t v)
{
    v ^= v << 1;
    v ^= v << 2;
    v ^= v << 4;
    v ^= v << 8;
    v ^= v << 16;
    v ^= v << 32;
    return v;
}

/* places - the bits of the index, and whether a control character stands in a string. */
static inline uint64_t places(const struct masks *m, uint64_t inside, uint64_t quotes, struct carry *c)
{
    uint64_t scalars = ~(inside | quotes | m->operators | m->blanks);
    uint64_t starts = scalars & ~(scalars << 1 | c->was_scalar);
    c->was_scalar = scalars >> 63;
    return (m->operators & ~inside) | quotes | starts;
}

static inline uint32_t *put_places(uint32_t *out, uint64_t bits, uint32_t base)
{
    for (; bits; bits &= bits - 1)
        *out++ = base + (uint32_t)__builtin_ctzll(bits);
    return out;
}

/* bytes_at - what stands at the @n places. */
static size_t bytes_at(struct json_scan *s, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = p[s->index[i]];
        bool is_operator = c == '"' || c == ',' || c == ':' || c == '{' || c == '}' || c == '[' || c == ']';
        s->bytes[i] = is_operator ? (uint8_t)c : '0';
    }
    return n;
}

static struct masks masks_plain(const char *p, size_t n)
{
    struct masks m = {0};
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        uint64_t bit = UINT64_C(1) << i;
        if (c == '"')
            m.quotes |= bit;
        else if (c == '\\')
            m.backslashes |= bit;
        else if (c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':')
            m.operators |= bit;
        else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            m.blanks |= bit;
        if (c < 0x20)
            m.controls |= bit;
        if (c >= 0x80)
            m.highs |= bit;
    }
    if (n < 64)
        m.blanks |= ~UINT64_C(0) << n; /* behind the text there is nothing */
    return m;
}

size_t json_index_plain(struct json_scan *s, const char *p, size_t n)
{
    struct carry c = {0};
    uint32_t *out = s->index;
    uint64_t bad = 0, escapes = 0, highs = 0;
    for (size_t at = 0; at < n; at += 64) {
        struct masks m = masks_plain(p + at, n - at < 64 ? n - at : 64);
        uint64_t quotes = m.quotes & ~escaped(m.backslashes, &c);
        uint64_t inside = prefix_xor(quotes) ^ c.is_inside;
        c.is_inside = (uint64_t)((int64_t)inside >> 63);
        bad |= m.controls & inside;
        escapes |= m.backslashes;
        highs |= m.highs;
        s->escapes[at / 64] = m.backslashes;
        out = put_places(out, places(&m, inside, quotes, &c), (uint32_t)at);
    }
    s->has_escapes = escapes;
    s->has_high = highs;
    return bad || c.is_inside ? SIZE_MAX : bytes_at(s, p, (size_t)(out - s->index));
}

#if defined(__x86_64__)

/* the text of the records behind is fetched meanwhile; reading ahead of what is there does no harm */
enum { AHEAD = 1536 };

#define AVX2 __attribute__((target("avx2,pclmul,bmi,popcnt")))

AVX2 static inline uint64_t bits_of(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

AVX2 static inline uint64_t equal(__m256i low, __m256i high, char c)
{
    __m256i v = _mm256_set1_epi8(c);
    return bits_of(_mm256_cmpeq_epi8(low, v), _mm256_cmpeq_epi8(high, v));
}

/*
 * Blanks and operators by one shuffle each: the low four bits choose the byte that would have to stand there.
 * Operators are compared with bit 5 set, which makes [ ] of { } (and \r of '-', kept apart by its table entry).
 */
AVX2 static inline __m256i is_blank(__m256i v)
{
    const __m256i table = _mm256_setr_epi8(' ', 100, 100, 100, 17, 100, 113, 2, 100, '\t', '\n', 112, 100, '\r', 100, 100,
                                           ' ', 100, 100, 100, 17, 100, 113, 2, 100, '\t', '\n', 112, 100, '\r', 100, 100);
    return _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(table, v));
}

AVX2 static inline __m256i is_operator(__m256i v)
{
    const __m256i table = _mm256_setr_epi8(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0,
                                           1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0);
    return _mm256_cmpeq_epi8(_mm256_or_si256(v, _mm256_set1_epi8(0x20)), _mm256_shuffle_epi8(table, v));
}

AVX2 static inline struct masks masks_avx2(const char *p)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    const __m256i space = _mm256_set1_epi8(0x1f);
    return (struct masks){
        .quotes = equal(low, high, '"'),
        .backslashes = equal(low, high, '\\'),
        .operators = bits_of(is_operator(low), is_operator(high)),
        .blanks = bits_of(is_blank(low), is_blank(high)),
        .controls = bits_of(_mm256_cmpeq_epi8(_mm256_min_epu8(low, space), low), _mm256_cmpeq_epi8(_mm256_min_epu8(high, space), high)),
        .highs = bits_of(low, high),
    };
}

/* put_places_fast - eight at a time: more than there are may be written, the index has room for 64 behind. */
AVX2 static inline uint32_t *put_places_fast(uint32_t *out, uint64_t bits, uint32_t base)
{
    unsigned n = (unsigned)__builtin_popcountll(bits);
    for (unsigned k = 0; k < n; k += 8)
        for (unsigned j = 0; j < 8; j++) {
            out[k + j] = base + (uint32_t)_tzcnt_u64(bits); /* of no bits: 64, and not looked at */
            bits = _blsr_u64(bits);
        }
    return out + n;
}

AVX2 static size_t index_avx2(struct json_scan *s, const char *p, size_t n)
{
    struct carry c = {0};
    uint32_t *out = s->index;
    uint64_t bad = 0, escapes = 0, highs = 0;
    for (size_t at = 0; at < n; at += 64) {
        _mm_prefetch(p + at + AHEAD, _MM_HINT_T0);
        struct masks m = masks_avx2(p + at); /* the last block reads the padding */
        if (n - at < 64) {
            uint64_t in = (UINT64_C(1) << (n - at)) - 1;
            m = (struct masks){m.quotes & in, m.backslashes & in, m.operators & in, m.blanks | ~in, m.controls & in, m.highs & in};
        }
        uint64_t quotes = m.quotes;
        if (m.backslashes | c.is_escaped)
            quotes &= ~escaped(m.backslashes, &c);
        __m128i all = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)quotes), _mm_set1_epi8((char)0xff), 0);
        uint64_t inside = (uint64_t)_mm_cvtsi128_si64(all) ^ c.is_inside;
        c.is_inside = (uint64_t)((int64_t)inside >> 63);
        bad |= m.controls & inside;
        escapes |= m.backslashes;
        highs |= m.highs;
        s->escapes[at / 64] = m.backslashes;
        out = put_places_fast(out, places(&m, inside, quotes, &c), (uint32_t)at);
    }
    s->has_escapes = escapes;
    s->has_high = highs;
    return bad || c.is_inside ? SIZE_MAX : bytes_at(s, p, (size_t)(out - s->index));
}

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,avx2,pclmul,bmi,popcnt")))

AVX512 static inline struct masks masks_avx512(__m512i v)
{
    const __m512i blank = _mm512_broadcast_i32x4(_mm_setr_epi8(' ', 100, 100, 100, 17, 100, 113, 2, 100, '\t', '\n', 112, 100, '\r',
        100, 100));
    const __m512i operator = _mm512_broadcast_i32x4(_mm_setr_epi8(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0));
    return (struct masks){
        .quotes = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')),
        .backslashes = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')),
        .operators = _mm512_cmpeq_epi8_mask(_mm512_or_si512(v, _mm512_set1_epi8(0x20)), _mm512_shuffle_epi8(operator, v)),
        .blanks = _mm512_cmpeq_epi8_mask(v, _mm512_shuffle_epi8(blank, v)),
        .controls = _mm512_cmple_epu8_mask(v, _mm512_set1_epi8(0x1f)),
    };
}

/* wide - sixteen places of a block. */
AVX512 static inline void wide(uint32_t *out, __m512i from, __m128i places)
{
    _mm512_storeu_si512(out, _mm512_add_epi32(from, _mm512_cvtepu8_epi32(places)));
}

/*
 * put_places_wide - the places and what stands there, more than there are: the room behind is that of a block. Few blocks
 * hold more than 32, and most more than 16: only the former is asked.
 */
AVX512 static inline uint32_t *put_places_wide(uint32_t *out, uint8_t *bytes, __m512i text, uint64_t bits, uint32_t base)
{
    const __m512i all = _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40,
        39, 38, 37,
        36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
            3, 2, 1, 0);
    const __m512i from = _mm512_set1_epi32((int)base);
    unsigned n = (unsigned)__builtin_popcountll(bits);
    __m512i places = _mm512_maskz_compress_epi8(bits, all);
    _mm512_storeu_si512(bytes, _mm512_permutexvar_epi8(places, text));
    wide(out, from, _mm512_castsi512_si128(places));
    wide(out + 16, from, _mm512_extracti32x4_epi32(places, 1));
    if (n > 32) {
        wide(out + 32, from, _mm512_extracti32x4_epi32(places, 2));
        wide(out + 48, from, _mm512_extracti32x4_epi32(places, 3));
    }
    return out + n;
}

AVX512 static size_t index_avx512(struct json_scan *s, const char *p, size_t n)
{
    struct carry c = {0};
    uint32_t *out = s->index;
    uint64_t bad = 0, escapes = 0;
    __m512i any = _mm512_setzero_si512();
    for (size_t at = 0; at < n; at += 64) {
        _mm_prefetch(p + at + AHEAD, _MM_HINT_T0);
        uint64_t in = n - at < 64 ? (UINT64_C(1) << (n - at)) - 1 : ~UINT64_C(0);
        __m512i v = _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), in, p + at); /* blanks behind the text */
        struct masks m = masks_avx512(v);
        any = _mm512_or_si512(any, v);
        uint64_t quotes = m.quotes;
        if (m.backslashes | c.is_escaped)
            quotes &= ~escaped(m.backslashes, &c);
        __m128i all = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)quotes), _mm_set1_epi8((char)0xff), 0);
        uint64_t inside = (uint64_t)_mm_cvtsi128_si64(all) ^ c.is_inside;
        c.is_inside = (uint64_t)((int64_t)inside >> 63);
        bad |= m.controls & inside;
        escapes |= m.backslashes;
        s->escapes[at / 64] = m.backslashes;
        uint64_t here = places(&m, inside, quotes, &c);
        v = _mm512_mask_mov_epi8(_mm512_set1_epi8('0'), m.operators | quotes, v);
        out = put_places_wide(out, s->bytes + (out - s->index), v, here, (uint32_t)at);
    }
    s->has_escapes = escapes;
    s->has_high = _mm512_movepi8_mask(any);
    return bad || c.is_inside ? SIZE_MAX : (size_t)(out - s->index);
}
#endif

json_index json_index_of(enum json_index_kind kind)
{
    if (kind == JSON_INDEX_PLAIN)
        return json_index_plain;
#if defined(__x86_64__)
    bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("bmi");
    if (kind == JSON_INDEX_AVX2 && has_avx2)
        return index_avx2;
    if (kind == JSON_INDEX_AVX512 && has_avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vbmi2"))
        return index_avx512;
#endif
    return NULL;
}

json_index json_index_best(void)
{
    for (int kind = JSON_INDEX_AVX512; kind > JSON_INDEX_PLAIN; kind--)
        if (json_index_of((enum json_index_kind)kind))
            return json_index_of((enum json_index_kind)kind);
    return json_index_plain;
}

/* hex4 - four hexadecimal digits. Return: the number, or -1. */
static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

bool json_escapes_are_right(struct text raw)
{
    const char *p = raw.p, *end = raw.p + raw.n;
    while ((p = memchr(p, '\\', (size_t)(end - p)))) {
        if (++p == end)
            return false;
        char c = *p++;
        if (c != 'u') {
            if (!c || !strchr("\"\\/bfnrt", c))
                return false;
            continue;
        }
        int unit = end - p < 4 ? -1 : hex4(p);
        if (unit < 0)
            return false;
        p += 4;
        if (unit < 0xd800 || unit > 0xdfff)
            continue;
        int low = unit > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u' ? -1 : hex4(p + 2);
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        p += 6;
    }
    return true;
}
