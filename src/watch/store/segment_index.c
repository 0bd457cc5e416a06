/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts follow each other in the order of addresses, so each is finished before the next is begun: its records,
 * block after block, are numbered by a hash table that fits the cache, its distinct addresses sorted, codes given,
 * postings placed, and the records walked again to put the code in the place of the address.
 *
 * The hash has a secret factor: no exporter can make all addresses of a part meet.
 */
#include "watch/store/segment_builder.h"

#include "watch/store/pairs.h"
#include "watch/store/postings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SLOTS_MIN = 1 << 10 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

struct slot {
    uint32_t key;    /* the address; family 6: bits of its hash */
    uint32_t number; /* 1..n; 0: free */
};

/*
 * What is known of an address. First: the AS number and prefix length the first row said, the last block that has it plus
 * one, and how many have it. When all records of the part are known: code, and place of its next posting.
 */
struct address {
    union {
        uint32_t as, code;
    };
    union {
        uint32_t state, place;
    };
};

enum { LAST_SHIFT = 8, COUNT_SHIFT = 22 };
#define STATE_MASK UINT32_C(0xff)
#define STATE_LAST (UINT32_C(0x3ff) << LAST_SHIFT)
#define HAS_AS (UINT32_C(1) << 18)
#define HAS_MASK (UINT32_C(1) << 19)
#define COUNT_ONE (UINT32_C(1) << COUNT_SHIFT)
_Static_assert(SEGMENT_BLOCKS_MAX < 1023, "blocks and their number fit a state");

/* the part being made; what lies beyond a part is the last, incomplete group, which the next one completes */
struct work {
    struct segment_builder *b;
    struct segment_index *x;
    uint64_t factors[2];
    struct slot *slots;
    size_t n_slots, slots_room;
    unsigned shift;
    uint32_t n; /* addresses of the part */
    size_t room; /* of what follows: records of the largest part */
    struct address *of;    /* by number */
    struct wide *wide;     /* family 6: by number */
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
    return (struct record4 *)w->b->records.records + k->places.first + from;
}

static struct record6 *records6(const struct work *w, uint32_t block, uint32_t part, uint32_t *ret_n)
{
    const struct block *k = &w->b->blocks[block];
    uint32_t from = first_of(k, part);
    *ret_n = k->places.end[part] - from;
    return (struct record6 *)w->b->records.records + k->places.first + from;
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
    free(w->slots);
    free(w->of);
    free(w->wide);
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
    w->room = n;
    w->of = memory_large((n + 1) * sizeof(*w->of));
    w->wide = w->b->family == 6 ? memory_large((n + 1) * sizeof(*w->wide)) : NULL;
    w->seen = memory_large((n + 1) * sizeof(*w->seen));
    w->pairs = memory_large((n + 1) * pair);
    w->spare = memory_large((n + 1) * pair);
    w->counts = memory_large((n + POSTINGS_GROUP) * sizeof(*w->counts));
    w->places = memory_large((n + (size_t)POSTINGS_GROUP * SEGMENT_BLOCKS_MAX) * sizeof(*w->places));
    return w->of && (w->wide || w->b->family == 4) && w->seen && w->pairs && w->spare && w->counts && w->places ? 0 : -ENOMEM;
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

static void choose_factors(struct work *w)
{
    if (getrandom(w->factors, sizeof(w->factors), GRND_NONBLOCK) < 0)
        w->factors[0] = w->factors[1] = (uintptr_t)w * UINT64_C(0x9e3779b97f4a7c15); /* early in a machine's boot */
    w->factors[0] |= 1;
    w->factors[1] |= 1;
}

ALWAYS_INLINE uint64_t hash4(uint64_t factor, uint32_t a)
{
    return a * factor;
}

static uint64_t hash6(const struct work *w, struct wide a)
{
    uint64_t h = (a.high ^ w->factors[1]) * w->factors[0];
    h = (h ^ h >> 32 ^ a.low) * w->factors[1];
    return (h ^ h >> 29) * w->factors[0];
}

/* set_slots - @n_slots free ones. */
static int set_slots(struct work *w, size_t n_slots)
{
    if (n_slots > w->slots_room) {
        free(w->slots);
        w->slots_room = 0;
        w->slots = memory_large(n_slots * sizeof(*w->slots));
        if (!w->slots)
            return -ENOMEM;
        w->slots_room = n_slots;
    }
    memset(w->slots, 0, n_slots * sizeof(*w->slots));
    w->n_slots = n_slots;
    w->shift = 64 - (unsigned)__builtin_ctzll(n_slots);
    return 0;
}

static void put_slot(struct work *w, struct slot s)
{
    uint64_t hash = w->b->family == 4 ? hash4(w->factors[0], s.key) : hash6(w, w->wide[s.number]);
    size_t at = (size_t)(hash >> w->shift);
    while (w->slots[at].number)
        at = (at + 1) & (w->n_slots - 1);
    w->slots[at] = s;
}

/* more_slots - until @n more addresses fit at a load of three quarters. */
static int more_slots(struct work *w, size_t n)
{
    size_t n_slots = w->n_slots, n_kept = 0, n_before = w->n_slots;
    while (w->n + n > n_slots / 4 * 3)
        n_slots *= 2;
    if (n_slots == w->n_slots)
        return 0;
    struct slot *kept = malloc((w->n + 1) * sizeof(*kept));
    if (!kept)
        return -ENOMEM;
    for (size_t i = 0; i < n_before; i++)
        if (w->slots[i].number)
            kept[n_kept++] = w->slots[i];
    int r = set_slots(w, n_slots);
    for (size_t i = 0; !r && i < n_kept; i++)
        put_slot(w, kept[i]);
    free(kept);
    return r;
}

enum { PLACE_COLUMN_SHIFT = 13 };
_Static_assert(FLOW_BATCH_ROWS == 1u << PLACE_COLUMN_SHIFT, "a place's column is its upper bits");

/* what the numbering keeps in registers */
struct loop {
    struct slot *slots;
    size_t last_slot;
    uint64_t factor;
    unsigned shift;
    uint32_t stamp; /* the block, as in a state */
    uint32_t says[PLACES_MAX >> PLACE_COLUMN_SHIFT]; /* by column of places: HAS_AS, HAS_MASK */
};

/* differ - the row is the first that says any of its address, or says something else. */
static __attribute__((noinline)) uint8_t differ(struct address *a, uint32_t says, uint32_t as, uint8_t mask)
{
    if (says & ~a->state & HAS_AS)
        a->as = as;
    if (says & ~a->state & HAS_MASK)
        a->state = (a->state & ~STATE_MASK) | mask;
    a->state |= says;
    return (uint8_t)((a->as != as) * RECORD_AS_DIFFERS | ((a->state & STATE_MASK) != mask) * RECORD_MASK_DIFFERS);
}

/* note - the record's block to the address; @seen is written in any case. Return: 1 if it is new to the block. */
ALWAYS_INLINE uint32_t note(struct address *a, uint32_t stamp, uint32_t number, uint32_t *seen)
{
    uint32_t state = a->state;
    bool is_new = (state & STATE_LAST) != stamp;
    *seen = number;
    a->state = ((state & ~STATE_LAST) | stamp) + (is_new ? COUNT_ONE : 0);
    return is_new;
}

/* is_otherwise - whether the address is not known to be as the record says. */
ALWAYS_INLINE bool is_otherwise(const struct address *a, uint32_t says, uint32_t as, uint8_t mask)
{
    return ((a->as ^ as) | ((a->state ^ mask) & STATE_MASK) | (says & ~a->state)) != 0;
}

static uint32_t number_block4(struct work *w, const struct loop *loop, struct record4 *r, uint32_t n, uint32_t *seen)
{
    const struct loop l = *loop;
    struct address *of = w->of;
    uint32_t *next = seen, n_known = w->n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t key = r[i].key, number, says = l.says[r[i].place >> PLACE_COLUMN_SHIFT];
        for (size_t at = (size_t)(hash4(l.factor, key) >> l.shift);; at = (at + 1) & l.last_slot) {
            struct slot s = l.slots[at];
            number = s.number;
            if (s.key == key && number)
                break;
            if (!number) {
                number = ++n_known;
                l.slots[at] = (struct slot){key, number};
                of[number] = (struct address){0};
                break;
            }
        }
        struct address *a = &of[number];
        r[i].key = number;
        if (__builtin_expect(is_otherwise(a, says, r[i].as, r[i].mask), false))
            r[i].flags = differ(a, says, r[i].as, r[i].mask);
        next += note(a, l.stamp, number, next);
    }
    w->n = n_known;
    return (uint32_t)(next - seen);
}

static uint32_t number6(struct work *w, const struct loop *l, struct wide key)
{
    uint64_t hash = hash6(w, key);
    for (size_t at = (size_t)(hash >> l->shift);; at = (at + 1) & l->last_slot) {
        struct slot *s = &l->slots[at];
        if (!s->number) {
            *s = (struct slot){(uint32_t)hash, ++w->n};
            w->wide[w->n] = key;
            w->of[w->n] = (struct address){0};
            return w->n;
        }
        const struct wide *known = &w->wide[s->number];
        if (s->key == (uint32_t)hash && known->high == key.high && known->low == key.low)
            return s->number;
    }
}

static uint32_t number_block6(struct work *w, const struct loop *l, struct record6 *r, uint32_t n, uint32_t *seen)
{
    uint32_t *next = seen;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t number = number6(w, l, r[i].key), says = l->says[r[i].place >> PLACE_COLUMN_SHIFT];
        struct address *a = &w->of[number];
        r[i].key.low = number;
        if (is_otherwise(a, says, r[i].as, r[i].mask))
            r[i].flags = differ(a, says, r[i].as, r[i].mask);
        next += note(a, l->stamp, number, next);
    }
    return (uint32_t)(next - seen);
}

static uint32_t says(uint64_t columns, unsigned as, unsigned mask)
{
    return (columns & FLOW_HAS(as) ? HAS_AS : 0) | (columns & FLOW_HAS(mask) ? HAS_MASK : 0);
}

static int number_part(struct work *w, uint32_t part, size_t n_records)
{
    size_t n_slots = SLOTS_MIN;
    uint32_t *seen = w->seen;
    while (n_slots < n_records / 3)
        n_slots *= 2;
    w->n = 0;
    int r = set_slots(w, n_slots);
    for (uint32_t k = 0; !r && k < w->b->n_blocks; k++) {
        uint32_t n;
        if (w->b->family == 4)
            (void)records4(w, k, part, &n);
        else
            (void)records6(w, k, part, &n);
        r = more_slots(w, n);
        if (r)
            return r;
        uint64_t has = w->b->blocks[k].columns;
        const struct loop l = {.slots = w->slots, .last_slot = w->n_slots - 1, .factor = w->factors[0], .shift = w->shift,
                               .stamp = (k + 1) << LAST_SHIFT,
                               .says = {says(has, FLOW_SOURCE_AS, FLOW_SOURCE_MASK),
                                        says(has, FLOW_DESTINATION_AS, FLOW_DESTINATION_MASK)}};
        if (w->b->family == 4)
            w->n_seen[k] = number_block4(w, &l, records4(w, k, part, &n), n, seen);
        else
            w->n_seen[k] = number_block6(w, &l, records6(w, k, part, &n), n, seen);
        seen += w->n_seen[k];
    }
    return r;
}

/* --- entries -------------------------------------------------------------------------------------- */

static void sort4(struct work *w)
{
    const struct slot *slots = w->slots;
    uint64_t *out = w->pairs;
    size_t n = 0;
    for (size_t i = 0; i < w->n_slots; i++) {
        out[n] = (uint64_t)slots[i].key << 32 | slots[i].number; /* one place more than entries: a free slot may be last */
        n += slots[i].number != 0;
    }
    pairs_sort4((uint64_t **)&w->pairs, (uint64_t **)&w->spare, n);
}

static void sort6(struct work *w)
{
    struct wide_pair *out = w->pairs;
    for (uint32_t i = 1; i <= w->n; i++)
        out[i - 1] = (struct wide_pair){w->wide[i], i};
    pairs_sort6((struct wide_pair **)&w->pairs, (struct wide_pair **)&w->spare, w->n);
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
    for (uint32_t i = 0; i < w->n; i++, code++) {
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
        struct address *a = &w->of[number];
        uint32_t count = a->state >> COUNT_SHIFT;
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
    struct address *of = w->of;
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
    uint32_t n = w->n_open + w->n, at = 0;
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
    const struct address *of = w->of;
    for (uint32_t k = 0; k < w->b->n_blocks; k++) {
        uint32_t n;
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
        r = make_attributes(w->x, (size_t)w->x->n_entries + w->n);
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
    w->n = 0;
    add_postings(w, true);
    if (w->n_group)
        close_group(w);
    without_address(w);
    return x->heads.is_bad || x->groups.is_bad || x->body.is_bad ? -ENOMEM : 0;
}

int segment_index_build(struct segment_builder *b)
{
    struct segment_index *x = &b->index;
    struct work *w = malloc(sizeof(*w));
    if (!w)
        return -ENOMEM;
    segment_index_clear(x);
    x->heads.max = x->groups.max = x->body.max = x->posting_groups.max = x->postings.max = (size_t)1 << 32;
    memset(w, 0, offsetof(struct work, postings));
    w->b = b;
    w->x = x;
    choose_factors(w);
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
