/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts follow each other in the order of addresses, so each is finished before the next is begun: its records,
 * block after block, are numbered, its distinct addresses sorted, codes given, postings placed, and the records walked
 * again to put the code in the place of the number.
 */
#include "watch/store/segment_builder.h"

#include "watch/store/pairs.h"
#include "watch/store/part_numbers.h"
#include "watch/store/postings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS_AHEAD = 2, SEEN_SLACK = 16 };
_Static_assert(SEGMENT_BLOCKS_MAX <= ADDRESS_BLOCKS_MAX, "blocks and their number fit a state");

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* the part being made; what lies beyond a part is the last, incomplete group, which the next one completes */
struct work {
    struct segment_builder *b;
    struct segment_index *x;
    struct part_numbers numbers;
    uint32_t *seen;        /* numbers, block after block */
    void *pairs, *spare;   /* address and number: uint64_t or struct wide_pair */
    uint16_t *counts;      /* blocks of every entry: of the open group, then of the part */
    uint16_t *places;      /* these blocks */
    uint32_t n_open, n_open_places; /* entries of the open group */
    uint32_t n_group;      /* entries in the group of the dictionary */
    union {
        uint32_t v4[DICTIONARY_GROUP4];
        struct wide v6[DICTIONARY_GROUP6];
    } group;
    uint32_t n_seen[SEGMENT_BLOCKS_MAX]; /* of every block */
    struct postings_writer postings;
};

/* --- records of a part ----------------------------------------------------------------------- */

static uint32_t first_of(const struct block *block, uint32_t part)
{
    return part ? block->places.end[part - 1] : 0;
}

static struct record4 *records4(const struct work *w, uint32_t block, uint32_t part, uint32_t *ret_n)
{
    const struct block *k = &w->b->blocks[block];
    uint32_t from = first_of(k, part);
    *ret_n = k->places.end[part] - from;
    return (struct record4 *)k->places.records + from;
}

static struct record6 *records6(const struct work *w, uint32_t block, uint32_t part, uint32_t *ret_n)
{
    const struct block *k = &w->b->blocks[block];
    uint32_t from = first_of(k, part);
    *ret_n = k->places.end[part] - from;
    return (struct record6 *)k->places.records + from;
}

/* ask_for - the records of the part in a block soon to come: each block's lie elsewhere, and no processor guesses where. */
ALWAYS_INLINE void ask_for(const struct work *w, uint32_t block, uint32_t part)
{
    if (block >= w->b->n_blocks)
        return;
    const struct block *k = &w->b->blocks[block];
    size_t size = record_bytes(w->b->family), to = k->places.end[part] * size;
    for (size_t at = first_of(k, part) * size; at < to; at += 64)
        __builtin_prefetch((const uint8_t *)k->places.records + at, 1);
}

static size_t records_of(const struct work *w, uint32_t part)
{
    size_t n = 0;
    for (uint32_t k = 0; k < w->b->n_blocks; k++)
        n += (size_t)w->b->blocks[k].places.end[part] - first_of(&w->b->blocks[k], part);
    return n;
}

/* --- room ------------------------------------------------------------------------------------- */

static void free_work(struct work *w)
{
    if (!w)
        return;
    part_numbers_fini(&w->numbers);
    free(w->seen);
    free(w->pairs);
    free(w->spare);
    free(w->counts);
    free(w->places);
    free(w);
}

static int make_room(struct work *w)
{
    size_t n = 0, pair = w->b->family == 4 ? sizeof(uint64_t) : sizeof(struct wide_pair);
    for (uint32_t k = 0; k < PARTS; k++) {
        size_t records = records_of(w, k);
        n = records > n ? records : n;
    }
    w->seen = memory_large((n + SEEN_SLACK) * sizeof(*w->seen));
    w->pairs = memory_large((n + 1) * pair);
    w->spare = memory_large((n + 1) * pair);
    w->counts = memory_large((n + POSTINGS_GROUP) * sizeof(*w->counts));
    w->places = memory_large((n + (size_t)POSTINGS_GROUP * SEGMENT_BLOCKS_MAX) * sizeof(*w->places));
    int r = part_numbers_init(&w->numbers, w->b->family, n);
    return !r && w->seen && w->pairs && w->spare && w->counts && w->places ? 0 : -ENOMEM;
}

static int make_attributes(struct segment_index *x, size_t n)
{
    if (n <= x->capacity)
        return 0;
    size_t capacity = n + n / 4;
    uint32_t *as = memory_large(capacity * sizeof(*as));
    uint8_t *masks = memory_large(capacity);
    if (!as || !masks) {
        free(as);
        free(masks);
        return -ENOMEM;
    }
    if (x->n_entries) {
        memcpy(as, x->as, x->n_entries * sizeof(*as));
        memcpy(masks, x->masks, x->n_entries);
    }
    free(x->as);
    free(x->masks);
    x->as = as;
    x->masks = masks;
    x->capacity = capacity;
    return 0;
}

/* --- numbering ---------------------------------------------------------------------------------- */

static uint32_t says(uint64_t columns, unsigned as, unsigned mask)
{
    return (columns & FLOW_HAS(as) ? ADDRESS_HAS_AS : 0) | (columns & FLOW_HAS(mask) ? ADDRESS_HAS_MASK : 0);
}

static int number_part(struct work *w, uint32_t part, size_t n_records)
{
    uint32_t *seen = w->seen;
    int r = part_numbers_begin(&w->numbers, n_records);
    for (uint32_t k = 0; !r && k < w->b->n_blocks; k++) {
        const struct block *block = &w->b->blocks[k];
        struct part_block b = {.block = k, .seen = seen,
                               .says = {says(block->columns, FLOW_SOURCE_AS, FLOW_SOURCE_MASK),
                                        says(block->columns, FLOW_DESTINATION_AS, FLOW_DESTINATION_MASK)}};
        if (w->b->family == 4)
            b.records = records4(w, k, part, &b.n);
        else
            b.records = records6(w, k, part, &b.n);
        ask_for(w, k + BLOCKS_AHEAD, part);
        r = part_numbers_add(&w->numbers, &b, &w->n_seen[k]);
        seen += r ? 0 : w->n_seen[k];
    }
    return r;
}

/* --- entries -------------------------------------------------------------------------------------- */

static void sort4(struct work *w)
{
    const struct number_slot *slots = w->numbers.slots;
    uint64_t *out = w->pairs;
    size_t n = 0;
    for (size_t i = 0; i < w->numbers.n_slots; i++) {
        out[n] = (uint64_t)slots[i].key << 32 | slots[i].number; /* one place more than entries: a free slot may be last */
        n += slots[i].number != 0;
    }
    pairs_sort4((uint64_t **)&w->pairs, (uint64_t **)&w->spare, n);
}

static void sort6(struct work *w)
{
    struct wide_pair *out = w->pairs;
    for (uint32_t i = 1; i <= w->numbers.n; i++)
        out[i - 1] = (struct wide_pair){w->numbers.wide[i], i};
    pairs_sort6((struct wide_pair **)&w->pairs, (struct wide_pair **)&w->spare, w->numbers.n);
}

static void close_group(struct work *w)
{
    struct segment_index *x = w->x;
    if (w->b->family == 4)
        dictionary_add4(w->group.v4, w->n_group, &x->heads, &x->groups, &x->body);
    else
        dictionary_add6(w->group.v6, w->n_group, &x->heads, &x->groups, &x->body);
    w->n_group = 0;
}

/* walk_entries - in the order of addresses: attributes go to the codes; code and place of postings to the numbers. */
ALWAYS_INLINE void walk_entries(struct work *w, bool is_v4)
{
    uint32_t code = w->x->n_entries, place = w->n_open_places;
    uint16_t *counts = w->counts + w->n_open;
    for (uint32_t i = 0; i < w->numbers.n; i++, code++) {
        uint32_t number;
        if (is_v4) {
            uint64_t pair = ((const uint64_t *)w->pairs)[i];
            number = (uint32_t)pair;
            w->group.v4[w->n_group++] = (uint32_t)(pair >> 32);
        } else {
            const struct wide_pair *pair = (const struct wide_pair *)w->pairs + i;
            number = (uint32_t)pair->what;
            w->group.v6[w->n_group++] = pair->a;
        }
        struct address *a = &w->numbers.of[number];
        uint32_t count = a->state >> ADDRESS_COUNT_SHIFT;
        w->x->as[code] = a->as;
        w->x->masks[code] = (uint8_t)a->state;
        counts[i] = (uint16_t)count;
        a->code = code;
        a->place = place;
        place += count;
        if (w->n_group == (is_v4 ? DICTIONARY_GROUP4 : DICTIONARY_GROUP6))
            close_group(w);
    }
    w->x->n_entries = code;
}

/* --- postings and codes ------------------------------------------------------------------------------- */

static void place_postings(struct work *w)
{
    const uint32_t *seen = w->seen;
    struct address *of = w->numbers.of;
    uint16_t *places = w->places;
    for (uint32_t k = 0; k < w->b->n_blocks; k++) {
        for (uint32_t i = 0, n = w->n_seen[k]; i < n; i++)
            places[of[seen[i]].place++] = (uint16_t)k;
        seen += w->n_seen[k];
    }
}

/* add_postings - of all whole groups; the rest moves to the front. */
static void add_postings(struct work *w, bool is_last)
{
    uint32_t n = w->n_open + w->numbers.n, at = 0;
    const uint16_t *blocks = w->places;
    for (; n - at >= POSTINGS_GROUP; at += POSTINGS_GROUP)
        blocks += postings_add_group(&w->postings, w->counts + at, POSTINGS_GROUP, blocks);
    if (is_last && n > at) {
        (void)postings_add_group(&w->postings, w->counts + at, n - at, blocks);
        at = n;
    }
    uint32_t n_places = 0;
    for (uint32_t i = at; i < n; i++)
        n_places += w->counts[i];
    memmove(w->counts, w->counts + at, (n - at) * sizeof(*w->counts));
    memmove(w->places, blocks, n_places * sizeof(*w->places));
    w->n_open = n - at;
    w->n_open_places = n_places;
}

static void put_codes(struct work *w, uint32_t part)
{
    const struct address *of = w->numbers.of;
    for (uint32_t k = 0; k < w->b->n_blocks; k++) {
        uint32_t n;
        ask_for(w, k + BLOCKS_AHEAD, part);
        if (w->b->family == 4) {
            struct record4 *r = records4(w, k, part, &n);
            for (uint32_t i = 0; i < n; i++)
                r[i].key = of[r[i].key].code;
        } else {
            struct record6 *r = records6(w, k, part, &n);
            for (uint32_t i = 0; i < n; i++)
                r[i].key.low = of[r[i].key.low].code;
        }
    }
}

static int make_part(struct work *w, uint32_t part)
{
    size_t n = records_of(w, part);
    int r = n ? number_part(w, part, n) : 0;
    if (!r && n)
        r = make_attributes(w->x, (size_t)w->x->n_entries + w->numbers.n);
    if (r || !n)
        return r;
    if (w->b->family == 4) {
        sort4(w);
        walk_entries(w, true);
    } else {
        sort6(w);
        walk_entries(w, false);
    }
    place_postings(w);
    add_postings(w, false);
    put_codes(w, part);
    return 0;
}

/* without_address - places that have none: the code is that of no entry, and what a row says differs unless it is 0. */
static void without_address(struct work *w)
{
    for (uint32_t k = 0; k < w->b->n_blocks; k++) {
        uint32_t n;
        if (w->b->family == 4) {
            struct record4 *r = records4(w, k, PART_NONE, &n);
            for (uint32_t i = 0; i < n; i++) {
                r[i].key = w->x->n_entries;
                r[i].flags = (uint8_t)((r[i].as != 0) * RECORD_AS_DIFFERS | (r[i].mask != 0) * RECORD_MASK_DIFFERS);
            }
        } else {
            struct record6 *r = records6(w, k, PART_NONE, &n);
            for (uint32_t i = 0; i < n; i++) {
                r[i].key.low = w->x->n_entries;
                r[i].flags = (uint8_t)((r[i].as != 0) * RECORD_AS_DIFFERS | (r[i].mask != 0) * RECORD_MASK_DIFFERS);
            }
        }
    }
}

static int make_all(struct work *w)
{
    struct segment_index *x = w->x;
    int r = make_room(w);
    for (uint32_t k = 0; !r && k < PARTS; k++)
        r = make_part(w, k);
    if (r)
        return r;
    w->numbers.n = 0;
    add_postings(w, true);
    if (w->n_group)
        close_group(w);
    without_address(w);
    return x->heads.is_bad || x->groups.is_bad || x->body.is_bad ? -ENOMEM : 0;
}

int segment_index_build(struct segment_builder *b)
{
    struct segment_index *x = &b->finish->index;
    struct work *w = malloc(sizeof(*w));
    if (!w)
        return -ENOMEM;
    segment_index_clear(x);
    x->heads.max = x->groups.max = x->body.max = x->posting_groups.max = x->postings.max = (size_t)1 << 32;
    memset(w, 0, offsetof(struct work, postings));
    w->b = b;
    w->x = x;
    postings_writer_init(&w->postings, b->n_blocks, &x->posting_groups, &x->postings);
    int r = make_all(w), e = postings_end(&w->postings);
    free_work(w);
    return r ? r : e;
}

void segment_index_clear(struct segment_index *x)
{
    x->n_entries = 0;
    buf_clear(&x->heads);
    buf_clear(&x->groups);
    buf_clear(&x->body);
    buf_clear(&x->posting_groups);
    buf_clear(&x->postings);
}

void segment_index_fini(struct segment_index *x)
{
    free(x->as);
    free(x->masks);
    buf_fini(&x->heads);
    buf_fini(&x->groups);
    buf_fini(&x->body);
    buf_fini(&x->posting_groups);
    buf_fini(&x->postings);
    memset(x, 0, sizeof(*x));
}
