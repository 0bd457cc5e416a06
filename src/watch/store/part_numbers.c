/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/part_numbers.h"

#include "watch/store/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SLOTS_MIN = 1 << 10, PLACE_COLUMN_SHIFT = 13 };
_Static_assert(FLOW_BATCH_ROWS == 1u << PLACE_COLUMN_SHIFT, "a place's column is its upper bits");
#define COUNT_ONE (UINT32_C(1) << ADDRESS_COUNT_SHIFT)

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* --- room ------------------------------------------------------------------------------- */

int part_numbers_init(struct part_numbers *p, int family, size_t n)
{
    *p = (struct part_numbers){.family = family};
    if (getrandom(p->factors, sizeof(p->factors), GRND_NONBLOCK) < 0)
        p->factors[0] = p->factors[1] = (uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15); /* early in a machine's boot */
    p->factors[0] |= 1;
    p->factors[1] |= 1;
    p->of = memory_large((n + 1) * sizeof(*p->of));
    p->wide = family == 6 ? memory_large((n + 1) * sizeof(*p->wide)) : NULL;
    return p->of && (p->wide || family == 4) ? 0 : -ENOMEM;
}

void part_numbers_fini(struct part_numbers *p)
{
    free(p->slots);
    free(p->of);
    free(p->wide);
    *p = (struct part_numbers){0};
}

static uint64_t hash4(uint64_t factor, uint32_t a)
{
    return a * factor;
}

static uint64_t hash6(const struct part_numbers *p, struct wide a)
{
    uint64_t h = (a.high ^ p->factors[1]) * p->factors[0];
    h = (h ^ h >> 32 ^ a.low) * p->factors[1];
    return (h ^ h >> 29) * p->factors[0];
}

/* set_slots - @n_slots free ones. */
static int set_slots(struct part_numbers *p, size_t n_slots)
{
    if (n_slots > p->slots_room) {
        free(p->slots);
        p->slots_room = 0;
        p->slots = memory_large(n_slots * sizeof(*p->slots));
        if (!p->slots)
            return -ENOMEM;
        p->slots_room = n_slots;
    }
    memset(p->slots, 0, n_slots * sizeof(*p->slots));
    p->n_slots = n_slots;
    p->shift = 64 - (unsigned)__builtin_ctzll(n_slots);
    return 0;
}

int part_numbers_begin(struct part_numbers *p, size_t n_records)
{
    size_t n_slots = SLOTS_MIN;
    while (n_slots < n_records / 3) /* more when so many are distinct */
        n_slots *= 2;
    p->n = 0;
    return set_slots(p, n_slots);
}

static void put_slot(struct part_numbers *p, struct number_slot s)
{
    uint64_t hash = p->family == 4 ? hash4(p->factors[0], s.key) : hash6(p, p->wide[s.number]);
    size_t at = (size_t)(hash >> p->shift);
    while (p->slots[at].number)
        at = (at + 1) & (p->n_slots - 1);
    p->slots[at] = s;
}

/* more_slots - until @n more addresses fit at a load of three quarters. */
static int more_slots(struct part_numbers *p, size_t n)
{
    size_t n_slots = p->n_slots, n_kept = 0, n_before = p->n_slots;
    while (p->n + n > n_slots / 4 * 3)
        n_slots *= 2;
    if (n_slots == p->n_slots)
        return 0;
    struct number_slot *kept = malloc((p->n + 1) * sizeof(*kept));
    if (!kept)
        return -ENOMEM;
    for (size_t i = 0; i < n_before; i++)
        if (p->slots[i].number)
            kept[n_kept++] = p->slots[i];
    int r = set_slots(p, n_slots);
    for (size_t i = 0; !r && i < n_kept; i++)
        put_slot(p, kept[i]);
    free(kept);
    return r;
}

/* --- one record ----------------------------------------------------------------------------- */

/* differ - the row is the first that says any of its address, or says something else. Return: the record's flags. */
static __attribute__((noinline)) uint8_t differ(struct address *a, uint32_t says, uint32_t as, uint8_t mask)
{
    if (says & ~a->state & ADDRESS_HAS_AS)
        a->as = as;
    if (says & ~a->state & ADDRESS_HAS_MASK)
        a->state = (a->state & ~ADDRESS_MASK) | mask;
    a->state |= says;
    return (uint8_t)((a->as != as) * RECORD_AS_DIFFERS | ((a->state & ADDRESS_MASK) != mask) * RECORD_MASK_DIFFERS);
}

/* note - the record's block to the address; @seen is written in any case. Return: 1 if it is new to the block. */
ALWAYS_INLINE uint32_t note(struct address *a, uint32_t stamp, uint32_t number, uint32_t *seen)
{
    uint32_t state = a->state;
    bool is_new = (state & ADDRESS_LAST) != stamp;
    *seen = number;
    a->state = ((state & ~ADDRESS_LAST) | stamp) + (is_new ? COUNT_ONE : 0);
    return is_new;
}

/* is_otherwise - whether the address is not known to be as the record says. */
ALWAYS_INLINE bool is_otherwise(const struct address *a, uint32_t says, uint32_t as, uint8_t mask)
{
    return ((a->as ^ as) | ((a->state ^ mask) & ADDRESS_MASK) | (says & ~a->state)) != 0;
}

ALWAYS_INLINE uint32_t number4(struct part_numbers *p, uint32_t key)
{
    const size_t last_slot = p->n_slots - 1;
    for (size_t at = (size_t)(hash4(p->factors[0], key) >> p->shift);; at = (at + 1) & last_slot) {
        struct number_slot s = p->slots[at];
        if (s.key == key && s.number)
            return s.number;
        if (!s.number) {
            p->slots[at] = (struct number_slot){key, ++p->n};
            p->of[p->n] = (struct address){0};
            return p->n;
        }
    }
}

/* add_one4 - Return: 1 if its address is new to the block, and then stands at @seen. */
ALWAYS_INLINE uint32_t add_one4(struct part_numbers *p, const struct part_block *b, uint32_t stamp, struct record4 *r,
                                uint32_t *seen)
{
    uint32_t number = number4(p, r->key), says = b->says[r->place >> PLACE_COLUMN_SHIFT];
    struct address *a = &p->of[number];
    r->key = number;
    if (__builtin_expect(is_otherwise(a, says, r->as, r->mask), false))
        r->flags = differ(a, says, r->as, r->mask);
    return note(a, stamp, number, seen);
}

static uint32_t number6(struct part_numbers *p, struct wide key)
{
    uint64_t hash = hash6(p, key);
    for (size_t at = (size_t)(hash >> p->shift);; at = (at + 1) & (p->n_slots - 1)) {
        struct number_slot *s = &p->slots[at];
        if (!s->number) {
            *s = (struct number_slot){(uint32_t)hash, ++p->n};
            p->wide[p->n] = key;
            p->of[p->n] = (struct address){0};
            return p->n;
        }
        const struct wide *known = &p->wide[s->number];
        if (s->key == (uint32_t)hash && known->high == key.high && known->low == key.low)
            return s->number;
    }
}

/* --- blocks ---------------------------------------------------------------------------------- */

static uint32_t add_block6(struct part_numbers *p, const struct part_block *b, uint32_t stamp)
{
    struct record6 *r = b->records;
    uint32_t *next = b->seen;
    for (uint32_t i = 0; i < b->n; i++, r++) {
        uint32_t number = number6(p, r->key), says = b->says[r->place >> PLACE_COLUMN_SHIFT];
        struct address *a = &p->of[number];
        r->key.low = number;
        if (is_otherwise(a, says, r->as, r->mask))
            r->flags = differ(a, says, r->as, r->mask);
        next += note(a, stamp, number, next);
    }
    return (uint32_t)(next - b->seen);
}

static uint32_t add_block4(struct part_numbers *given, const struct part_block *b, uint32_t stamp)
{
    struct part_numbers p = *given; /* in registers */
    struct record4 *r = b->records;
    uint32_t *next = b->seen;
    for (uint32_t i = 0; i < b->n; i++, r++)
        next += add_one4(&p, b, stamp, r, next);
    given->n = p.n;
    return (uint32_t)(next - b->seen);
}

#if defined(__x86_64__)

/* without optimization the compiler's own macros convert signs */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

#define WIDE_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,bmi2")))
enum { AT_ONCE = 16, RECORD_WORDS = sizeof(struct record4) / 4 };
_Static_assert(sizeof(struct record4) == 12, "three words a record");

_Static_assert(sizeof(struct address) == 8 && offsetof(struct address, as) == 0, "read as one word");

struct sixteen {
    __m512i keys, as, rest; /* rest: place, prefix length, flags */
};

/* load_sixteen - 48 words as they stand, then every third of them. */
WIDE_TARGET static inline __attribute__((always_inline)) void load_sixteen(const struct record4 *r, struct sixteen *ret)
{
    const uint32_t *words = (const uint32_t *)(const void *)r;
    const __m512i a = _mm512_loadu_si512(words), b = _mm512_loadu_si512(words + 16), c = _mm512_loadu_si512(words + 32);
    const __m512i one = _mm512_set1_epi32(1);
    /* of a and b together, then of c, whose words count from 16 again */
    __m512i from = _mm512_set_epi32(0, 0, 0, 0, 0, 30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 0);
    __m512i then = _mm512_set_epi32(29, 26, 23, 20, 17, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    ret->keys = _mm512_permutex2var_epi32(_mm512_permutex2var_epi32(a, from, b), then, c);
    from = _mm512_add_epi32(from, one);
    then = _mm512_mask_add_epi32(then, 0xf800, then, one);
    ret->as = _mm512_permutex2var_epi32(_mm512_permutex2var_epi32(a, from, b), then, c);
    /* the eleventh record's last word is the first of c */
    from = _mm512_mask_add_epi32(from, 0x3ff, from, one);
    then = _mm512_mask_add_epi32(then, 0xf800, then, one);
    then = _mm512_mask_mov_epi32(then, 1 << 10, _mm512_set1_epi32(16));
    ret->rest = _mm512_permutex2var_epi32(_mm512_permutex2var_epi32(a, from, b), then, c);
}

/* store_keys - @keys of those records that @which says; every third word of 48. */
WIDE_TARGET static inline __attribute__((always_inline)) void store_keys(struct record4 *r, __mmask16 which, __m512i keys)
{
    uint32_t *words = (uint32_t *)(void *)r;
    const uint64_t where = _pdep_u64(which, UINT64_C(0x0000249249249249));
    const __m512i third = _mm512_set_epi32(5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0);
    _mm512_mask_storeu_epi32(words, (__mmask16)where, _mm512_permutexvar_epi32(third, keys));
    _mm512_mask_storeu_epi32(words + 16, (__mmask16)(where >> 16),
                             _mm512_permutexvar_epi32(_mm512_add_epi32(third, _mm512_set1_epi32(6)), keys));
    _mm512_mask_storeu_epi32(words + 32, (__mmask16)(where >> 32),
                             _mm512_permutexvar_epi32(_mm512_add_epi32(third, _mm512_set1_epi32(11)), keys));
}

/*
 * add_sixteen - the records whose address stands in its first slot and is known to be as they say: all but the new
 * ones, mostly. Of those with the same address the first counts it for the block. The others follow one by one.
 */
WIDE_TARGET static inline __attribute__((always_inline)) uint32_t *
add_sixteen(struct part_numbers *p, const struct part_block *b, uint32_t stamp, struct record4 *r, uint32_t *next)
{
    struct sixteen records;
    load_sixteen(r, &records);
    const __m512i factor = _mm512_set1_epi64((long long)p->factors[0]), last = _mm512_set1_epi32((int)ADDRESS_LAST);
    const __m512i stamps = _mm512_set1_epi32((int)stamp), none = _mm512_setzero_si512();
    const __m128i shift = _mm_cvtsi32_si128((int)p->shift);
    const __m512i keys = records.keys, as = records.as, rest = records.rest;
    __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(keys)),
            high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(keys, 1));
    low = _mm512_i64gather_epi64(_mm512_srl_epi64(_mm512_mullo_epi64(low, factor), shift), p->slots, 8);
    high = _mm512_i64gather_epi64(_mm512_srl_epi64(_mm512_mullo_epi64(high, factor), shift), p->slots, 8);
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
    __m512i found = _mm512_permutex2var_epi32(low, even, high);
    __m512i numbers = _mm512_permutex2var_epi32(low, odd, high);
    __mmask16 is_known = _mm512_mask_cmpneq_epi32_mask(_mm512_cmpeq_epi32_mask(found, keys), numbers, none);
    low = _mm512_mask_i32gather_epi64(none, (__mmask8)is_known, _mm512_castsi512_si256(numbers), p->of, 8);
    high = _mm512_mask_i32gather_epi64(none, (__mmask8)(is_known >> 8), _mm512_extracti64x4_epi64(numbers, 1), p->of, 8);
    const __m512i known_as = _mm512_permutex2var_epi32(low, even, high);
    __m512i states = _mm512_permutex2var_epi32(low, odd, high);
    /* what the columns of the places say: a table of eight */
    __m512i columns = _mm512_srli_epi32(_mm512_and_si512(rest, _mm512_set1_epi32(0xffff)), PLACE_COLUMN_SHIFT);
    __m512i table = _mm512_maskz_loadu_epi32((1u << (PLACES_MAX / FLOW_BATCH_ROWS)) - 1, b->says);
    __m512i says = _mm512_permutexvar_epi32(columns, table);
    __m512i masks = _mm512_and_si512(_mm512_srli_epi32(rest, 16), _mm512_set1_epi32(0xff));
    __m512i other = _mm512_and_si512(_mm512_xor_si512(states, masks), _mm512_set1_epi32((int)ADDRESS_MASK));
    other = _mm512_or_si512(other, _mm512_or_si512(_mm512_xor_si512(known_as, as), _mm512_andnot_si512(states, says)));
    is_known = _mm512_mask_cmpeq_epi32_mask(is_known, other, none);
    store_keys(r, is_known, numbers);
    /* of equal addresses the first; an address that is not known as said is in no lane of these */
    __mmask16 is_new = _mm512_mask_cmpneq_epi32_mask(is_known, _mm512_and_si512(states, last), stamps);
    __m512i before = _mm512_and_si512(_mm512_conflict_epi32(numbers), _mm512_set1_epi32((int)is_known));
    is_new = _mm512_mask_cmpeq_epi32_mask(is_new, before, none);
    states = _mm512_add_epi32(_mm512_or_si512(_mm512_andnot_si512(last, states), stamps), _mm512_set1_epi32((int)COUNT_ONE));
    _mm512_mask_i32scatter_epi32(&p->of->state, is_new, numbers, states, 8);
    _mm512_storeu_si512(next, _mm512_maskz_compress_epi32(is_new, numbers)); /* straight to memory it is slow on some processors */
    next += __builtin_popcount(is_new);
    for (uint32_t left = (uint16_t)~is_known; left; left &= left - 1)
        next += add_one4(p, b, stamp, &r[__builtin_ctz(left)], next);
    return next;
}

WIDE_TARGET static uint32_t add_block4_wide(struct part_numbers *given, const struct part_block *b, uint32_t stamp)
{
    struct part_numbers p = *given;
    struct record4 *r = b->records;
    uint32_t *next = b->seen, i = 0;
    for (; i + AT_ONCE <= b->n; i += AT_ONCE, r += AT_ONCE)
        next = add_sixteen(&p, b, stamp, r, next);
    for (; i < b->n; i++, r++)
        next += add_one4(&p, b, stamp, r, next);
    given->n = p.n;
    return (uint32_t)(next - b->seen);
}

#pragma GCC diagnostic pop

static bool is_wide(void)
{
    return pack_processor() == PACK_AVX512 && __builtin_cpu_supports("avx512cd");
}

#else

static uint32_t add_block4_wide(struct part_numbers *p, const struct part_block *b, uint32_t stamp)
{
    return add_block4(p, b, stamp);
}

static bool is_wide(void)
{
    return false;
}

#endif

int part_numbers_add(struct part_numbers *p, const struct part_block *b, uint32_t *ret_n)
{
    uint32_t stamp = (b->block + 1) << ADDRESS_LAST_SHIFT;
    int r = more_slots(p, b->n);
    if (r)
        return r;
    if (p->family == 6)
        *ret_n = add_block6(p, b, stamp);
    else
        *ret_n = is_wide() ? add_block4_wide(p, b, stamp) : add_block4(p, b, stamp);
    return 0;
}
