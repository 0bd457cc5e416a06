/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two walks over the rows: the part of every place, counted; then each record to its part.
 */
#include "watch/store/block_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RANGES = 1 << 16, TABLE_SLOTS = 1 << 16, SAMPLE_WEIGHT = 4 };

#define UNSET __attribute__((uninitialized))
#define ALWAYS_INLINE static inline __attribute__((always_inline))

void block_records_init(struct block_records *r, int family, uint32_t max_rows)
{
    memset(r, 0, sizeof(*r));
    r->family = family;
    r->max_rows = max_rows;
}

void block_records_clear(struct block_records *r)
{
    r->has_ranges = false;
    if (r->table)
        memset(r->table, 0, TABLE_SLOTS * sizeof(*r->table));
}

void block_records_fini(struct block_records *r)
{
    for (unsigned c = 0; c < FLOW_N_ADDRESSES; c++)
        free(r->locals[c]);
    free(r->part_of);
    free(r->table);
    free(r->distinct);
    free(r->parts);
    memset(r, 0, sizeof(*r));
}

/* --- room ------------------------------------------------------------------------------- */

static int reserve_locals(struct block_records *r, unsigned c, uint32_t block)
{
    size_t n = (size_t)r->max_rows + FLOW_BATCH_ROWS;
    if (r->locals[c])
        return 0;
    r->locals[c] = memory_large(n * sizeof(uint16_t));
    if (!r->locals[c])
        return -ENOMEM;
    memset(r->locals[c], 0xff, (size_t)block * FLOW_BATCH_ROWS * sizeof(uint16_t));
    return 0;
}

static int reserve_distinct(struct block_records *r)
{
    size_t size = r->family == 4 ? sizeof(uint32_t) : sizeof(struct wide);
    if (!r->table) {
        r->table = memory_large(TABLE_SLOTS * sizeof(*r->table));
        if (r->table)
            memset(r->table, 0, TABLE_SLOTS * sizeof(*r->table));
    }
    if (!r->distinct)
        r->distinct = memory_large((PLACES_MAX - PLACES_ROWS + 1) * size);
    return r->table && r->distinct ? 0 : -ENOMEM;
}

/* reserve - all that the records need beside their own memory. */
static int reserve(struct block_records *r, const struct flow_batch *x, uint32_t block)
{
    int e = 0;
    if (!r->part_of)
        r->part_of = malloc(RANGES);
    if (!r->parts)
        r->parts = malloc(PLACES_MAX);
    if (!r->part_of || !r->parts)
        return -ENOMEM;
    for (unsigned c = FLOW_DESTINATION_IP + 1; !e && c < FLOW_N_ADDRESSES; c++) {
        if (!(x->columns & FLOW_HAS_ADDRESS(c)))
            continue;
        e = reserve_locals(r, c, block);
        if (!e)
            e = reserve_distinct(r);
    }
    return e;
}

/* --- ranges -------------------------------------------------------------------------------- */

ALWAYS_INLINE uint32_t range4(const struct block_records *r, uint32_t a)
{
    (void)r;
    return a >> 16;
}

static uint32_t range6(const struct block_records *r, struct wide a)
{
    uint64_t above = a.high > r->base ? a.high - r->base : 0;
    above >>= r->shift;
    return above < RANGES ? (uint32_t)above : RANGES - 1;
}

/* frame6 - the sixteen bits of the upper half in which the addresses of the block differ most. */
static void frame6(struct block_records *r, const struct flow_batch *x)
{
    uint64_t min = UINT64_MAX, max = 0;
    for (unsigned c = 0; c <= FLOW_DESTINATION_IP; c++)
        for (uint32_t i = 0; (x->columns & FLOW_HAS_ADDRESS(c)) && i < x->n; i++) {
            uint64_t high = wide_of(&x->v6[c][i]).high;
            if (!(x->present[i] & FLOW_HAS_ADDRESS(c)))
                continue;
            min = high < min ? high : min;
            max = high > max ? high : max;
        }
    r->base = min < max ? min : 0;
    uint64_t span = max > r->base ? max - r->base : 0;
    r->shift = span >> 16 ? 48 - (unsigned)__builtin_clzll(span) : 0;
}

/* choose_ranges - parts of like weight: what the block has counts, and so does every range that may come. */
static void choose_ranges(struct block_records *r, const struct flow_batch *x)
{
    uint32_t weight[RANGES] UNSET; /* 256 KiB of stack, once a segment */
    if (r->family == 6)
        frame6(r, x);
    for (uint32_t i = 0; i < RANGES; i++)
        weight[i] = 1;
    uint64_t all = RANGES, sum = 0;
    for (unsigned c = 0; c <= FLOW_DESTINATION_IP; c++)
        for (uint32_t i = 0; (x->columns & FLOW_HAS_ADDRESS(c)) && i < x->n; i++, all += SAMPLE_WEIGHT)
            weight[r->family == 4 ? range4(r, x->v4[c][i]) : range6(r, wide_of(&x->v6[c][i]))] += SAMPLE_WEIGHT;
    for (uint32_t i = 0; i < RANGES; i++) {
        r->part_of[i] = (uint8_t)(sum * PARTS / all);
        sum += weight[i];
    }
    r->has_ranges = true;
}

/* --- columns after the destination ------------------------------------------------------------ */

/* the distinct addresses so far; a slot is address (or hash) << 32 | stamp << 16 | number, the stamp being the block's */
struct distinct {
    uint64_t *table;
    uint64_t stamp;
    uint32_t n;
};

#define SLOT_STAMP UINT64_C(0xffff0000)
#define SLOT_NUMBER UINT64_C(0xffff)

ALWAYS_INLINE uint16_t local4(struct distinct *d, uint32_t *known, uint32_t a)
{
    uint64_t wanted = (uint64_t)a << 32 | d->stamp;
    for (uint32_t at = a * UINT32_C(0x9e3779b1) >> 16;; at = (at + 1) % TABLE_SLOTS) {
        uint64_t slot = d->table[at];
        if ((slot & ~SLOT_NUMBER) == wanted)
            return (uint16_t)slot;
        if ((slot & SLOT_STAMP) != d->stamp) {
            known[d->n] = a;
            d->table[at] = wanted | d->n;
            return (uint16_t)d->n++;
        }
    }
}

static uint16_t local6(struct distinct *d, struct wide *known, struct wide a)
{
    uint64_t h = (a.high ^ a.low * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    uint64_t wanted = (h & ~UINT64_C(0xffffffff)) | d->stamp;
    for (uint32_t at = (uint32_t)(h >> 48);; at = (at + 1) % TABLE_SLOTS) {
        uint64_t slot = d->table[at];
        if ((slot & SLOT_STAMP) != d->stamp) {
            known[d->n] = a;
            d->table[at] = wanted | d->n;
            return (uint16_t)d->n++;
        }
        const struct wide *old = &known[slot & SLOT_NUMBER];
        if ((slot & ~SLOT_NUMBER) == wanted && old->high == a.high && old->low == a.low)
            return (uint16_t)slot;
    }
}

static void number_column(struct block_records *r, struct distinct *d, const struct flow_batch *x, unsigned c, uint64_t common,
                          uint16_t *out)
{
    uint64_t bit = FLOW_HAS_ADDRESS(c);
    struct distinct s = *d;
    if (r->family == 4 && (common & bit))
        for (uint32_t i = 0; i < x->n; i++)
            out[i] = local4(&s, r->distinct, x->v4[c][i]);
    else if (r->family == 4)
        for (uint32_t i = 0; i < x->n; i++)
            out[i] = x->present[i] & bit ? local4(&s, r->distinct, x->v4[c][i]) : NO_LOCAL;
    else
        for (uint32_t i = 0; i < x->n; i++)
            out[i] = x->present[i] & bit ? local6(&s, r->distinct, wide_of(&x->v6[c][i])) : NO_LOCAL;
    *d = s;
}

/* number_others - Return: how many distinct addresses stand in r->distinct. */
static uint32_t number_others(struct block_records *r, const struct flow_batch *x, uint32_t block, uint64_t common)
{
    struct distinct d = {.table = r->table, .stamp = (uint64_t)(block + 1) << 16};
    for (unsigned c = FLOW_DESTINATION_IP + 1; c < FLOW_N_ADDRESSES; c++) {
        uint16_t *out = r->locals[c] ? r->locals[c] + (size_t)block * FLOW_BATCH_ROWS : NULL;
        if (out && (x->columns & FLOW_HAS_ADDRESS(c))) /* a column that the batch has was given its place before */
            number_column(r, &d, x, c, common, out);
        else if (out)
            memset(out, 0xff, FLOW_BATCH_ROWS * sizeof(*out));
    }
    return d.n;
}

/* --- parts ------------------------------------------------------------------------------------ */

/* one end of the rows, or the distinct others */
struct places {
    uint32_t n, first; /* places first..first + n - 1 */
    const uint32_t *v4;
    const struct ip *v6;
    const struct wide *wide;
    const uint64_t *present; /* NULL: all are there */
    uint64_t bit;
    const uint32_t *as;  /* NULL: the rows say nothing */
    const uint8_t *mask; /* NULL: so */
};

static void find_parts(const struct block_records *r, const struct places *s, uint32_t from, uint32_t to, uint32_t *count)
{
    uint8_t *out = r->parts + s->first;
    const uint8_t *part_of = r->part_of;
    if (s->v4)
        for (uint32_t i = from; i < to; i++)
            out[i] = part_of[range4(r, s->v4[i])];
    else
        for (uint32_t i = from; i < to; i++)
            out[i] = part_of[range6(r, s->wide ? s->wide[i] : wide_of(&s->v6[i]))];
    for (uint32_t i = from; s->present && i < to; i++)
        out[i] = s->present[i] & s->bit ? out[i] : PART_NONE;
    for (uint32_t i = from; i < to; i++)
        count[out[i]]++;
}

/*
 * find_all_parts - meanwhile the memory the records will go to is asked for: they are put there in an order that no
 * processor guesses, and it was used last a segment ago.
 */
static void find_all_parts(const struct block_records *r, const struct places s[3], uint8_t *records, uint32_t *count)
{
    enum { AT_ONCE = 256 };
    const size_t size = record_bytes(r->family);
    for (unsigned i = 0; i < 3; i++)
        for (uint32_t from = 0; from < s[i].n; from += AT_ONCE) {
            uint32_t n = s[i].n - from < AT_ONCE ? s[i].n - from : AT_ONCE;
            for (size_t at = 0; at < n * size; at += 64)
                __builtin_prefetch(records + at, 1, 2);
            records += n * size;
            find_parts(r, &s[i], from, from + n, count);
        }
}

ALWAYS_INLINE void put4(const struct places *s, const uint8_t *parts, uint32_t *next, struct record4 *out, bool has_as,
                        bool has_mask)
{
    const uint32_t *v = s->v4, *as = s->as, first = s->first;
    const uint8_t *mask = s->mask;
    for (uint32_t i = 0, n = s->n; i < n; i++) { /* written as two words */
        uint64_t head = v[i] | (uint64_t)(has_as ? as[i] : 0) << 32;
        uint32_t tail = (first + i) | (uint32_t)(has_mask ? mask[i] : 0) << 16;
        struct record4 *to = &out[next[parts[i]]++];
        memcpy(to, &head, 8);
        memcpy((uint8_t *)to + 8, &tail, 4);
    }
}

static void put_records4(const struct places *s, const uint8_t *parts, uint32_t *next, struct record4 *out)
{
    if (s->as && s->mask)
        put4(s, parts, next, out, true, true);
    else if (s->as || s->mask)
        put4(s, parts, next, out, s->as, s->mask);
    else
        put4(s, parts, next, out, false, false);
}

static void put_records6(const struct places *s, const uint8_t *parts, uint32_t *next, struct record6 *out)
{
    for (uint32_t i = 0; i < s->n; i++)
        out[next[parts[i]]++] = (struct record6){s->wide ? s->wide[i] : wide_of(&s->v6[i]), s->as ? s->as[i] : 0,
                                                 (uint16_t)(s->first + i), s->mask ? s->mask[i] : (uint8_t)0, 0};
}

static struct places places_of(const struct block_records *r, const struct flow_batch *x, unsigned side, uint64_t common)
{
    unsigned c = side ? FLOW_DESTINATION_IP : FLOW_SOURCE_IP;
    unsigned as = side ? FLOW_DESTINATION_AS : FLOW_SOURCE_AS, mask = side ? FLOW_DESTINATION_MASK : FLOW_SOURCE_MASK;
    return (struct places){.n = x->columns & FLOW_HAS_ADDRESS(c) ? x->n : 0,
                           .first = side * FLOW_BATCH_ROWS,
                           .v4 = r->family == 4 ? x->v4[c] : NULL,
                           .v6 = r->family == 6 ? x->v6[c] : NULL,
                           .present = common & FLOW_HAS_ADDRESS(c) ? NULL : x->present,
                           .bit = FLOW_HAS_ADDRESS(c),
                           .as = x->columns & FLOW_HAS(as) ? x->number[as] : NULL,
                           .mask = x->columns & FLOW_HAS(mask) ? x->number[mask] : NULL};
}

int block_records_add(struct block_records *r, const struct flow_batch *x, uint32_t block, uint64_t common,
                      struct block_memory *m, struct block_places *ret)
{
    uint32_t count[256] = {0}, at = 0;
    int e = reserve(r, x, block);
    if (e)
        return e;
    if (!r->has_ranges)
        choose_ranges(r, x);
    struct places s[3] = {places_of(r, x, 0, common), places_of(r, x, 1, common),
                          {.first = PLACES_ROWS, .n = number_others(r, x, block, common)}};
    if (r->family == 4)
        s[2].v4 = r->distinct;
    else
        s[2].wide = r->distinct;
    uint8_t *out = block_memory_take(m, (s[0].n + s[1].n + s[2].n) * record_bytes(r->family));
    if (!out) {
        if (r->table) /* the block may come again under the same stamp */
            memset(r->table, 0, TABLE_SLOTS * sizeof(*r->table));
        return -ENOMEM;
    }
    find_all_parts(r, s, out, count);
    for (unsigned k = 0; k < N_PARTS; k++) {
        uint32_t n = count[k];
        count[k] = at;
        at += n;
    }
    for (unsigned i = 0; i < 3; i++)
        if (r->family == 4)
            put_records4(&s[i], r->parts + s[i].first, count, (struct record4 *)(void *)out);
        else
            put_records6(&s[i], r->parts + s[i].first, count, (struct record6 *)(void *)out);
    ret->records = out;
    for (unsigned k = 0; k < N_PARTS; k++)
        ret->end[k] = (uint16_t)count[k];
    return 0;
}
