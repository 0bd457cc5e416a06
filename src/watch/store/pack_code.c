/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This file is compiled twice: for any processor, and for those with AVX2 and BMI2; both give the same bytes.
 *
 * A mini-block begins with: form | divisor << 3; bits per value; bytes of the base; the base.
 *   constant    nothing more
 *   frame       bits of the differences (above 32 bits: the low words, then the rest)
 *   patched     n u16, bytes of an exception u8; low bits; n positions u16; n high parts
 *   runs        n u16; ends - 1, ten bits each; values, bits each
 *   dictionary  n u16, bits of a code u8; values, bits each; codes
 * Every value is base + divisor * difference, modulo 2^64.
 */
#include "watch/store/pack_code.h"

#include <errno.h>
#include <string.h>

#include "watch/store/pack_lanes.h"
#include "watch/store/pack_marks.h"
#include "watch/store/pack_search.h"

enum { FORM_CONSTANT, FORM_FRAME, FORM_PATCHED, FORM_RUNS, FORM_DICTIONARY, N_FORMS };
enum { END_BITS = 10, DICTIONARY_MAX = 256, HASH_SLOTS = 1024, N_DIVISORS = 3 };

/* filled before it is read: spared from the build's automatic zeroing, which would cost more than the work */
#define UNSET __attribute__((uninitialized))

static const uint32_t divisors[N_DIVISORS] = {1, 1000, 1000000};

/* what is to be packed: differences to the base, divided; `high` only where some need more than 32 bits */
struct mini {
    uint32_t n;
    uint64_t base, max; /* of the differences */
    unsigned divisor;   /* index */
    const uint32_t *low, *high;
    bool is_narrow; /* given as 32 bits */
    struct pack_advice *advice;
};

static uint64_t mini_value(const struct mini *m, uint32_t i)
{
    return m->high ? (uint64_t)m->high[i] << 32 | m->low[i] : m->low[i];
}

static unsigned byte_width(uint64_t v)
{
    return (pack_width(v) + 7) / 8;
}

static uint8_t *put_uint(uint8_t *out, uint64_t v, unsigned n_bytes)
{
    memcpy(out, &v, 8); /* room for eight is always there: PACK_MAX_BYTES has slack */
    return out + n_bytes;
}

static uint64_t load_uint(const uint8_t *p, unsigned n_bytes)
{
    uint64_t v = 0;
    memcpy(&v, p, n_bytes);
    return v;
}

static uint8_t *put_head(const struct mini *m, unsigned form, unsigned width, uint8_t *out)
{
    unsigned n_base = byte_width(m->base);
    *out++ = (uint8_t)(form | m->divisor << 3);
    *out++ = (uint8_t)width;
    *out++ = (uint8_t)n_base;
    return put_uint(out, m->base, n_base);
}

/* --- choosing -------------------------------------------------------------------- */

static size_t frame_bytes(uint32_t n, unsigned width)
{
    return width <= 32 ? pack_bits_bytes(n, width) : pack_bits_bytes(n, 32) + pack_bits_bytes(n, width - 32);
}

static uint32_t count_runs(const struct mini *m)
{
    uint32_t changes = 1;
    if (!m->high) {
        for (uint32_t i = 1; i < m->n; i++)
            changes += m->low[i] != m->low[i - 1];
        return changes;
    }
    for (uint32_t i = 1; i < m->n; i++)
        changes += ((m->low[i] ^ m->low[i - 1]) | (m->high[i] ^ m->high[i - 1])) != 0;
    return changes;
}

static uint32_t count_over(const struct mini *m, unsigned width)
{
    uint32_t over = 0;
    if (width == 32) {
        for (uint32_t i = 0; m->high && i < m->n; i++)
            over += m->high[i] != 0;
        return over;
    }
    if (m->high) {
        for (uint32_t i = 0; i < m->n; i++)
            over += (m->high[i] | m->low[i] >> width) != 0;
        return over;
    }
    for (uint32_t i = 0; i < m->n; i++)
        over += m->low[i] >> width != 0;
    return over;
}

static size_t patched_bytes(const struct mini *m, unsigned width, uint32_t over)
{
    return 3 + pack_bits_bytes(m->n, width) + (size_t)over * (2 + byte_width(m->max >> width));
}

/* likely_width - where a sample of the values says low bits and exceptions together are least. */
static unsigned likely_width(const struct mini *m, unsigned full)
{
    uint32_t over = 0, n_of[65] = {0}, step = m->n > 128 ? m->n / 128 : 1;
    size_t least = SIZE_MAX;
    unsigned best = full;
    for (uint32_t i = 0; i < m->n; i += step)
        n_of[pack_width(mini_value(m, i))]++;
    for (unsigned w = full; w-- > 0;) {
        over += n_of[w + 1];
        size_t bytes = patched_bytes(m, w, over * step);
        if (w <= 32 && bytes < least) {
            least = bytes;
            best = w;
        }
    }
    return best;
}

/* best_patch - exact costs around the likely width; keeps *@best_bytes if none is smaller. */
static unsigned best_patch(const struct mini *m, size_t *best_bytes, uint32_t *ret_over)
{
    unsigned full = pack_width(m->max), best = full, likely = full > 4 ? likely_width(m, full) : full / 2;
    for (unsigned w = likely ? likely - 1 : 0; w <= likely + 1 && w <= 32 && w < full; w++) {
        if (patched_bytes(m, w, 1) >= *best_bytes)
            break;
        uint32_t n_over = count_over(m, w);
        size_t bytes = patched_bytes(m, w, n_over);
        if (n_over <= m->n / 4 && bytes < *best_bytes) {
            *best_bytes = bytes;
            *ret_over = n_over;
            best = w;
        }
    }
    return best;
}

struct distinct {
    uint32_t n;
    uint64_t value[DICTIONARY_MAX];
    uint32_t code[PACK_VALUES];
};

/* find_distinct - Return: true if at most DICTIONARY_MAX values, few enough early on to be worth the walk. */
static bool find_distinct(const struct mini *m, struct distinct *d)
{
    uint64_t seen[4] = {0}, n_seen = 0;
    uint16_t slots[HASH_SLOTS] UNSET;
    for (uint32_t i = 0; i < 64 && i < m->n; i++) /* a look at the first values that costs little */
        seen[m->low[i] * UINT32_C(0x9e3779b1) >> 30] |= UINT64_C(1) << (m->low[i] * UINT32_C(0x9e3779b1) >> 24 & 63);
    for (unsigned i = 0; i < 4; i++)
        n_seen += (unsigned)__builtin_popcountll(seen[i]);
    if (n_seen > 36)
        return false;
    memset(slots, 0, sizeof(slots));
    d->n = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        uint64_t v = mini_value(m, i);
        uint32_t h = (uint32_t)(v * UINT64_C(0x9e3779b97f4a7c15) >> 54);
        while (slots[h] && d->value[slots[h] - 1] != v)
            h = (h + 1) % HASH_SLOTS;
        if (!slots[h]) {
            if (d->n == DICTIONARY_MAX || (i < 64 && d->n > 36) || (i < 256 && d->n > 96))
                return false;
            d->value[d->n++] = v;
            slots[h] = (uint16_t)d->n;
        }
        d->code[i] = slots[h] - 1u;
    }
    return true;
}

/* --- writing --------------------------------------------------------------------- */

/* masks of eight values: bit i of changes: value i + 1 is another than value i (nine are read); of over: value i >> width is not 0 */
#if defined(__AVX2__)
static inline uint32_t changes(const uint32_t *v)
{
    signed_lanes same = (signed_lanes)(*(const lanes *)(const void *)v == *(const lanes *)(const void *)(v + 1));
    return ~(uint32_t)__builtin_ia32_movmskps256((float_lanes)same) & 0xff;
}

static inline uint32_t over(const uint32_t *v, unsigned width)
{
    const lanes none = {0};
    signed_lanes is_zero = (signed_lanes)((*(const lanes *)(const void *)v >> width) == none);
    return ~(uint32_t)__builtin_ia32_movmskps256((float_lanes)is_zero) & 0xff;
}
#else
static inline uint32_t changes(const uint32_t *v)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < LANES; i++)
        bits |= (uint32_t)(v[i] != v[i + 1]) << i;
    return bits;
}

static inline uint32_t over(const uint32_t *v, unsigned width)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < LANES; i++)
        bits |= (uint32_t)(v[i] >> width != 0) << i;
    return bits;
}
#endif

static uint8_t *put_frame(const struct mini *m, unsigned width, uint8_t *out)
{
    out = put_head(m, FORM_FRAME, width, out);
    out += put_lanes(m->low, m->n, width > 32 ? 32 : width, out);
    if (width > 32)
        out += put_lanes(m->high, m->n, width - 32, out);
    return out;
}

static uint8_t *put_patched(const struct mini *m, unsigned width, uint32_t n_over, uint8_t *out)
{
    unsigned n_high = byte_width(m->max >> width);
    out = put_head(m, FORM_PATCHED, width, out);
    out = put_uint(out, n_over, 2);
    *out++ = (uint8_t)n_high;
    out += put_lanes(m->low, m->n, width, out);
    uint8_t *high = out + (size_t)n_over * 2;
    for (uint32_t from = 0; from < m->n; from += LANES) {
        bool is_whole = from + LANES <= m->n && !m->high;
        uint32_t left = is_whole ? over(m->low + from, width) : m->n - from < LANES ? (1u << (m->n - from)) - 1 : 0xff;
        for (; left; left &= left - 1) {
            uint16_t at = (uint16_t)(from + (uint32_t)__builtin_ctz(left));
            uint64_t rest = mini_value(m, at) >> width;
            if (!rest)
                continue;
            memcpy(out, &at, 2);
            out += 2;
            memcpy(high, &rest, n_high);
            high += n_high;
        }
    }
    return high;
}

/* changes_wide - of 32 values (33 are read): bit i: value i + 1 is another than value i. */
static inline uint32_t changes_wide(const uint32_t *v)
{
    return changes(v) | changes(v + LANES) << LANES | changes(v + 2 * LANES) << 2 * LANES | changes(v + 3 * LANES) << 3 * LANES;
}

/* find_runs - the last place of every run. Return: how many. */
static uint32_t find_runs(const struct mini *m, uint64_t *ends)
{
    uint32_t k = 0, i = 0;
    for (; i + 4 * LANES < m->n; i += 4 * LANES)
        for (uint32_t bits = changes_wide(m->low + i) | (m->high ? changes_wide(m->high + i) : 0); bits; bits &= bits - 1)
            ends[k++] = i + (uint32_t)__builtin_ctz(bits);
    for (; i < m->n; i++) {
        ends[k] = i;
        k += i + 1 == m->n || mini_value(m, i) != mini_value(m, i + 1);
    }
    return k;
}

static uint8_t *put_runs(const struct mini *m, unsigned width, uint32_t runs, uint8_t *out)
{
    uint64_t ends[PACK_VALUES] UNSET, values[PACK_VALUES] UNSET;
    uint32_t k = find_runs(m, ends);
    for (uint32_t i = 0; i < k; i++)
        values[i] = mini_value(m, (uint32_t)ends[i]);
    out = put_head(m, FORM_RUNS, width, out);
    out = put_uint(out, runs, 2);
    pack_plain(ends, k, END_BITS, out);
    out += pack_plain_bytes(k, END_BITS);
    pack_plain(values, k, width, out);
    return out + pack_plain_bytes(k, width);
}

static uint8_t *put_dictionary(const struct mini *m, unsigned width, const struct distinct *d, uint8_t *out)
{
    unsigned code_width = pack_width(d->n - 1);
    out = put_head(m, FORM_DICTIONARY, width, out);
    out = put_uint(out, d->n, 2);
    *out++ = (uint8_t)code_width;
    pack_plain(d->value, d->n, width, out);
    out += pack_plain_bytes(d->n, width);
    return out + put_lanes(d->code, m->n, code_width, out);
}

/* advise - what was best is tried first for the next mini-block. Return: the bytes written. */
static size_t advise(const struct mini *m, unsigned form, unsigned width, const uint8_t *begin, const uint8_t *end)
{
    *m->advice = (struct pack_advice){.is_set = true, .form = form, .width = width, .bytes = (size_t)(end - begin)};
    return m->advice->bytes;
}

/* put_as_before - the form of the mini-block before, where it costs about the same again. Return: bytes, or 0. */
static size_t put_as_before(const struct mini *m, unsigned width, size_t run_bytes, uint8_t *begin)
{
    const struct pack_advice *a = m->advice;
    if (!a->is_set || m->n != PACK_VALUES || run_bytes <= a->bytes)
        return 0;
    if (a->form == FORM_FRAME && width <= a->width)
        return (size_t)(put_frame(m, width, begin) - begin);
    if (a->form != FORM_PATCHED || width <= a->width)
        return 0;
    uint32_t n_over = count_over(m, a->width);
    if (n_over > m->n / 4 || patched_bytes(m, a->width, n_over) > a->bytes + a->bytes / 16)
        return 0;
    return (size_t)(put_patched(m, a->width, n_over, begin) - begin);
}

static size_t put_mini(const struct mini *m, uint8_t *begin)
{
    if (m->max == 0)
        return (size_t)(put_head(m, FORM_CONSTANT, 0, begin) - begin);
    unsigned width = pack_width(m->max), patch = width;
    if (m->advice->is_quick && m->is_narrow)
        return (size_t)(put_frame(m, width, begin) - begin);
    uint32_t runs = count_runs(m), n_over = 0;
    size_t best = frame_bytes(m->n, width), likely;
    size_t run_bytes = 2 + pack_plain_bytes(runs, END_BITS) + pack_plain_bytes(runs, width);
    if (run_bytes < best / 4)
        return (size_t)(put_runs(m, width, runs, begin) - begin);
    if (m->advice->is_quick)
        return (size_t)(put_frame(m, width, begin) - begin);
    likely = put_as_before(m, width, run_bytes, begin);
    if (likely)
        return likely;
    if (width > 1)
        patch = best_patch(m, &best, &n_over);
    struct distinct d UNSET;
    if (width >= 6 && best > m->n / 4 && find_distinct(m, &d)) {
        size_t bytes = 3 + pack_plain_bytes(d.n, width) + pack_bits_bytes(m->n, pack_width(d.n - 1));
        if (bytes < best && bytes < run_bytes)
            return advise(m, FORM_DICTIONARY, width, begin, put_dictionary(m, width, &d, begin));
    }
    if (run_bytes < best)
        return advise(m, FORM_RUNS, width, begin, put_runs(m, width, runs, begin));
    if (patch != width)
        return advise(m, FORM_PATCHED, patch, begin, put_patched(m, patch, n_over, begin));
    return advise(m, FORM_FRAME, width, begin, put_frame(m, width, begin));
}

#define BOUNDS(name, type)                                                           \
    static void name(const type *v, uint32_t n, uint32_t *ret_min, uint32_t *ret_max) \
    {                                                                                \
        type min = v[0], max = v[0];                                                 \
        for (uint32_t i = 0; i < n; i++) {                                           \
            min = v[i] < min ? v[i] : min;                                           \
            max = v[i] > max ? v[i] : max;                                           \
        }                                                                            \
        *ret_min = min;                                                              \
        *ret_max = max;                                                              \
    }
BOUNDS(bounds8, uint8_t)
BOUNDS(bounds16, uint16_t)
BOUNDS(bounds32, uint32_t)
#undef BOUNDS

/* bounds64 - in the order of signed numbers after turning @turn's bits, which is how eight bytes compare fastest. */
static void bounds64(const uint64_t *v, uint32_t n, uint64_t turn, uint64_t *ret_min, uint64_t *ret_max)
{
    int64_t min = (int64_t)(v[0] ^ turn), max = min;
    for (uint32_t i = 0; i < n; i++) {
        int64_t x = (int64_t)(v[i] ^ turn);
        min = x < min ? x : min;
        max = x > max ? x : max;
    }
    *ret_min = (uint64_t)min ^ turn;
    *ret_max = (uint64_t)max ^ turn;
}

#define PUT_MINI(name, type, bounds)                                                                                  \
    static size_t name(const type *v, uint32_t n, struct pack_advice *a, uint8_t *out)                                \
    {                                                                                                                 \
        uint32_t low[PACK_VALUES] UNSET, min, max;                                                                    \
        bounds(v, n, &min, &max);                                                                                     \
        for (uint32_t i = 0; i < n && min < max; i++)                                                                 \
            low[i] = v[i] - min;                                                                                      \
        struct mini m = {.n = n, .base = min, .max = max - min, .low = low, .advice = a, .is_narrow = true};          \
        return put_mini(&m, out);                                                                                     \
    }
PUT_MINI(put_mini8, uint8_t, bounds8)
PUT_MINI(put_mini16, uint16_t, bounds16)
PUT_MINI(put_mini32, uint32_t, bounds32)
#undef PUT_MINI

/* try_thousand - @out[i] = v[i] / 1000. Return: whether nothing was lost. */
static bool try_thousand(const uint32_t *v, uint32_t n, uint32_t *out)
{
    uint32_t rest = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t q = (uint32_t)((uint64_t)v[i] * UINT64_C(274877907) >> 38); /* v / 1000 for all 32 bits */
        out[i] = q;
        rest |= v[i] - q * 1000;
    }
    return !rest;
}

/* divide32 - take out the common divisor. Return: its index; *@v may be exchanged with @spare. */
static unsigned divide32(uint32_t **v, uint32_t *spare, uint32_t n, uint32_t max)
{
    unsigned divisor = 0;
    uint32_t few = n < 16 ? n : 16;
    while (divisor + 1 < N_DIVISORS && max >= 1000 && try_thousand(*v, few, spare) && try_thousand(*v, n, spare)) {
        uint32_t *t = *v;
        *v = spare;
        spare = t;
        divisor++;
        max /= 1000;
    }
    return divisor;
}

/* divide64 - the same for wide differences, the values in @v minus @min. */
static unsigned divide64(const uint64_t *v, uint32_t n, uint64_t min, uint64_t max)
{
    for (unsigned d = N_DIVISORS - 1; d > 0; d--) {
        uint32_t i = 0;
        if (max - min < divisors[d])
            continue;
        while (i < n && (v[i] - min) % divisors[d] == 0)
            i++;
        if (i == n)
            return d;
    }
    return 0;
}

static size_t put_wide(struct mini *m, const uint64_t *v, uint64_t max, uint8_t *out)
{
    uint32_t low[PACK_VALUES] UNSET, high[PACK_VALUES] UNSET;
    m->divisor = divide64(v, m->n, m->base, max);
    for (uint32_t i = 0; i < m->n; i++) {
        uint64_t x = v[i] - m->base;
        x = m->divisor == 2 ? x / 1000000 : m->divisor == 1 ? x / 1000 : x;
        low[i] = (uint32_t)x;
        high[i] = (uint32_t)(x >> 32);
    }
    m->max = (max - m->base) / divisors[m->divisor];
    m->low = low;
    m->high = m->max >> 32 ? high : NULL;
    size_t n = put_mini(m, out);
    m->low = m->high = NULL; /* they lay in this frame */
    return n;
}

static size_t put_mini64(const uint64_t *v, uint32_t n, struct pack_advice *a, uint8_t *out)
{
    uint32_t low[PACK_VALUES] UNSET, spare[PACK_VALUES] UNSET, *at = low;
    uint64_t min, max;
    bounds64(v, n, UINT64_C(1) << 63, &min, &max);
    struct mini m = {.n = n, .base = min, .low = low, .advice = a};
    if (min == max)
        return put_mini(&m, out);
    if ((max - min) >> 32)
        return put_wide(&m, v, max, out);
    for (uint32_t i = 0; i < n; i++)
        low[i] = (uint32_t)(v[i] - min);
    m.divisor = divide32(&at, spare, n, (uint32_t)(max - min));
    m.low = at;
    m.max = (max - min) / divisors[m.divisor];
    return put_mini(&m, out);
}

/* --- reading --------------------------------------------------------------------- */

/* a mini-block whose parts are known to lie inside its bytes */
struct parts {
    unsigned form, width, extra; /* extra: bytes of an exception, bits of a code */
    uint64_t base, divisor;
    uint32_t n_items; /* exceptions, runs, dictionary values */
    const uint8_t *bits;    /* lanes; runs: the ends */
    const uint8_t *values;  /* positions of exceptions; values of runs and dictionary */
    const uint8_t *highs;   /* of exceptions */
    size_t n_values_bytes;
};

static int parse_items(struct parts *t, const uint8_t *p, size_t left, uint32_t n)
{
    if (left < 3)
        return -EBADMSG;
    t->n_items = (uint32_t)load_uint(p, 2);
    t->extra = p[2];
    size_t lanes_bytes, values_bytes, highs_bytes = 0;
    p += 3;
    left -= 3;
    switch (t->form) {
    case FORM_PATCHED:
        lanes_bytes = pack_bits_bytes(n, t->width);
        values_bytes = (size_t)t->n_items * 2;
        highs_bytes = (size_t)t->n_items * t->extra;
        if (t->width > 32 || t->extra > 8 || t->n_items > n)
            return -EBADMSG;
        t->bits = p;
        t->values = p + lanes_bytes;
        break;
    case FORM_RUNS: /* no third byte */
        p--;
        left++;
        lanes_bytes = pack_plain_bytes(t->n_items, END_BITS);
        values_bytes = pack_plain_bytes(t->n_items, t->width);
        if (!t->n_items || t->n_items > n)
            return -EBADMSG;
        t->bits = p;
        t->values = p + lanes_bytes;
        break;
    default:
        values_bytes = pack_plain_bytes(t->n_items, t->width);
        lanes_bytes = pack_bits_bytes(n, t->extra);
        if (!t->n_items || t->n_items > DICTIONARY_MAX || t->extra > 8)
            return -EBADMSG;
        t->values = p;
        t->bits = p + values_bytes;
        break;
    }
    t->n_values_bytes = values_bytes;
    if (lanes_bytes + values_bytes + highs_bytes > left)
        return -EBADMSG;
    t->highs = p + lanes_bytes + values_bytes;
    return 0;
}

static int parse(struct parts *t, const uint8_t *p, size_t left, uint32_t n)
{
    if (left < 3 || !n || n > PACK_VALUES)
        return -EBADMSG;
    unsigned n_base = p[2];
    t->form = p[0] & 7;
    t->width = p[1];
    if (t->form >= N_FORMS || p[0] >> 3 >= N_DIVISORS || t->width > 64 || n_base > 8 || left < 3u + n_base)
        return -EBADMSG;
    t->divisor = divisors[p[0] >> 3];
    t->base = load_uint(p + 3, n_base);
    p += 3 + n_base;
    left -= 3 + n_base;
    if (t->form == FORM_CONSTANT)
        return 0;
    if (t->form != FORM_FRAME)
        return parse_items(t, p, left, n);
    t->bits = p;
    return frame_bytes(n, t->width) <= left ? 0 : -EBADMSG;
}

static uint32_t load_position(const struct parts *t, uint32_t i)
{
    uint16_t at;
    memcpy(&at, t->values + (size_t)i * 2, 2);
    return at;
}

/* fill_runs - Return: 0 or -EBADMSG: ends must ascend and the last be the last value. */
#define FILL_RUNS(type)                                                                                       \
    uint32_t at = 0;                                                                                          \
    for (uint32_t k = 0; k < t->n_items; k++) {                                                               \
        uint32_t end = (uint32_t)unpack_plain_get(t->bits, (size_t)(t->values - t->bits), END_BITS, k) + 1;   \
        uint64_t v = unpack_plain_get(t->values, t->n_values_bytes, t->width, k);                             \
        if (end <= at || end > n)                                                                             \
            return -EBADMSG;                                                                                  \
        v = t->base + v * t->divisor;                                                                         \
        while (at < end)                                                                                      \
            out[at++] = (type)v;                                                                              \
    }                                                                                                         \
    return at == n ? 0 : -EBADMSG

static int fill_runs64(const struct parts *t, uint32_t n, uint64_t *out)
{
    FILL_RUNS(uint64_t);
}

static int fill_runs32(const struct parts *t, uint32_t n, uint32_t *out)
{
    FILL_RUNS(uint32_t);
}

static void dictionary_values(const struct parts *t, uint64_t value[DICTIONARY_MAX])
{
    memset(value, 0, DICTIONARY_MAX * sizeof(*value));
    for (uint32_t k = 0; k < t->n_items; k++)
        value[k] = t->base + t->divisor * unpack_plain_get(t->values, t->n_values_bytes, t->width, k);
}

static uint64_t exception_of(const struct parts *t, uint32_t k)
{
    return load_uint(t->highs + (size_t)k * t->extra, t->extra) << t->width;
}

static int add_exceptions64(const struct parts *t, uint32_t n, uint64_t *out)
{
    for (uint32_t k = 0; k < t->n_items; k++) {
        uint32_t at = load_position(t, k);
        if (at >= n)
            return -EBADMSG;
        out[at] += t->divisor * exception_of(t, k);
    }
    return 0;
}

static int add_exceptions32(const struct parts *t, uint32_t n, uint32_t *out)
{
    for (uint32_t k = 0; k < t->n_items; k++) {
        uint32_t at = load_position(t, k);
        if (at >= n)
            return -EBADMSG;
        out[at] += (uint32_t)(t->divisor * exception_of(t, k));
    }
    return 0;
}

static int get_mini64(const uint8_t *p, size_t n_bytes, uint32_t n, uint64_t *out)
{
    struct parts t = {0};
    uint32_t low[PACK_VALUES] UNSET, high[PACK_VALUES] UNSET;
    if (parse(&t, p, n_bytes, n))
        return -EBADMSG;
    switch (t.form) {
    case FORM_CONSTANT:
        for (uint32_t i = 0; i < n; i++)
            out[i] = t.base;
        return 0;
    case FORM_RUNS: return fill_runs64(&t, n, out);
    case FORM_DICTIONARY: {
        uint64_t value[DICTIONARY_MAX] UNSET;
        dictionary_values(&t, value);
        get_lanes(t.bits, n, t.extra, low);
        for (uint32_t i = 0; i < n; i++)
            out[i] = value[low[i] % DICTIONARY_MAX];
        return 0;
    }
    default: break;
    }
    get_lanes(t.bits, n, t.width > 32 ? 32 : t.width, low);
    if (t.width > 32) {
        get_lanes(t.bits + pack_bits_bytes(n, 32), n, t.width - 32, high);
        for (uint32_t i = 0; i < n; i++)
            out[i] = t.base + t.divisor * ((uint64_t)high[i] << 32 | low[i]);
    } else if (t.divisor == 1) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = t.base + low[i];
    } else {
        uint32_t divisor = (uint32_t)t.divisor;
        for (uint32_t i = 0; i < n; i++)
            out[i] = t.base + (uint64_t)divisor * low[i];
    }
    return t.form == FORM_PATCHED ? add_exceptions64(&t, n, out) : 0;
}

static int get_mini32(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t *out)
{
    struct parts t = {0};
    if (parse(&t, p, n_bytes, n))
        return -EBADMSG;
    uint32_t base = (uint32_t)t.base, divisor = (uint32_t)t.divisor;
    switch (t.form) {
    case FORM_CONSTANT:
        for (uint32_t i = 0; i < n; i++)
            out[i] = base;
        return 0;
    case FORM_RUNS: return fill_runs32(&t, n, out);
    case FORM_DICTIONARY: {
        uint64_t value[DICTIONARY_MAX] UNSET;
        dictionary_values(&t, value);
        get_lanes(t.bits, n, t.extra, out);
        for (uint32_t i = 0; i < n; i++)
            out[i] = (uint32_t)value[out[i] % DICTIONARY_MAX];
        return 0;
    }
    default: break;
    }
    get_lanes(t.bits, n, t.width > 32 ? 32 : t.width, out);
    if (divisor == 1)
        for (uint32_t i = 0; i < n; i++)
            out[i] += base;
    else
        for (uint32_t i = 0; i < n; i++)
            out[i] = base + divisor * out[i];
    return t.form == FORM_PATCHED ? add_exceptions32(&t, n, out) : 0;
}

static uint64_t run_value(const struct parts *t, uint32_t i)
{
    uint32_t from = 0, to = t->n_items - 1;
    while (from < to) {
        uint32_t mid = (from + to) / 2;
        if (unpack_plain_get(t->bits, (size_t)(t->values - t->bits), END_BITS, mid) < i)
            from = mid + 1;
        else
            to = mid;
    }
    return unpack_plain_get(t->values, t->n_values_bytes, t->width, from);
}

static uint64_t patch_value(const struct parts *t, uint32_t i)
{
    uint32_t from = 0, to = t->n_items;
    while (from < to) {
        uint32_t mid = (from + to) / 2;
        if (load_position(t, mid) < i)
            from = mid + 1;
        else
            to = mid;
    }
    return from < t->n_items && load_position(t, from) == i ? exception_of(t, from) : 0;
}

static int get_one(const uint8_t *p, size_t n_bytes, uint32_t n, uint32_t i, uint64_t *ret)
{
    struct parts t = {0};
    uint64_t v = 0;
    if (i >= n || parse(&t, p, n_bytes, n))
        return -EBADMSG;
    switch (t.form) {
    case FORM_CONSTANT: break;
    case FORM_FRAME:
        v = unpack_bits_get(t.bits, t.width > 32 ? 32 : t.width, i);
        if (t.width > 32)
            v |= (uint64_t)unpack_bits_get(t.bits + pack_bits_bytes(n, 32), t.width - 32, i) << 32;
        break;
    case FORM_PATCHED: v = unpack_bits_get(t.bits, t.width, i) + patch_value(&t, i); break;
    case FORM_RUNS: v = run_value(&t, i); break;
    default: {
        uint32_t code = unpack_bits_get(t.bits, t.extra, i);
        if (code >= t.n_items) {
            *ret = 0;
            return 0;
        }
        v = unpack_plain_get(t.values, t.n_values_bytes, t.width, code);
        break;
    }
    }
    *ret = t.base + t.divisor * v;
    return 0;
}

/* mark_keys - @bits: PACK_VALUES of them, none set. Forms other than frames are rare among codes: unpacked first. */
static int mark_keys(const uint8_t *p, size_t n_bytes, uint32_t n, const uint32_t *keys, uint32_t n_keys, uint64_t *bits)
{
    struct parts t = {0};
    uint32_t relative[PACK_KEYS], n_relative = 0;
    if (parse(&t, p, n_bytes, n) || n_keys > PACK_KEYS)
        return -EBADMSG;
    if (t.form != FORM_FRAME || t.divisor != 1 || t.width > 32 || t.base > UINT32_MAX) {
        uint32_t v[PACK_VALUES] UNSET;
        if (get_mini32(p, n_bytes, n, v))
            return -EBADMSG;
        mark_lanes((const uint8_t *)v, n - n % PACK_UNIT, 32, keys, n_keys, bits);
        for (uint32_t i = n - n % PACK_UNIT; i < n; i++)
            for (uint32_t k = 0; k < n_keys; k++)
                bits[i / 64] |= (uint64_t)(v[i] == keys[k]) << i % 64;
        return 0;
    }
    for (uint32_t k = 0; k < n_keys; k++) {
        relative[n_relative] = keys[k] - (uint32_t)t.base;
        n_relative += keys[k] >= t.base && (uint64_t)relative[n_relative] >> t.width == 0;
    }
    if (n_relative)
        mark_lanes(t.bits, n, t.width, relative, n_relative, bits);
    return 0;
}

const struct pack_code PACK_CODE = {
    .put_mini8 = put_mini8,
    .put_mini16 = put_mini16,
    .put_mini32 = put_mini32,
    .put_mini64 = put_mini64,
    .get_mini32 = get_mini32,
    .get_mini64 = get_mini64,
    .get_one = get_one,
    .put_lanes = put_lanes,
    .get_lanes = get_lanes,
    .get_deltas = get_deltas,
    .bounds8 = bounds8,
    .bounds16 = bounds16,
    .bounds32 = bounds32,
    .bounds64 = bounds64,
    .mark_common = mark_common,
    .mark_keys = mark_keys,
};
