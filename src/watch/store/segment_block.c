/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One full block of rows: numbers packed, addresses made distinct and sorted, what the ends of flows say of
 * their addresses learned.
 */
#include "watch/store/pack.h"
#include "watch/store/segment_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

enum { TABLE_SMALL = 1 << 15, TEXT_LEVEL = 1, USUAL_BYTES = 16 };

/* --- packing the numbers of a block ------------------------------------------------------ */

/* put_cell - the bytes from @from to the end of `packed` are column @c of the block. */
static void put_cell(struct segment_builder *b, struct block *block, unsigned c, enum segment_kind kind, size_t from)
{
    struct segment_cell *cell = &block->cells[c];
    cell->offset_and_kind = (from - block->packed) | (uint64_t)kind << 56;
    cell->n_bytes = (uint32_t)(b->packed.n - from);
    cell->checksum = (uint32_t)XXH3_64bits(b->packed.p + from, b->packed.n - from);
}

static void put_constant(struct block *block, unsigned c, uint64_t v)
{
    block->cells[c] = (struct segment_cell){.offset_and_kind = (uint64_t)KIND_CONSTANT << 56, .min = v, .max = v};
}

static int put_array64(struct segment_builder *b, struct block *block, unsigned c, enum segment_kind kind,
                       const uint64_t *v, uint32_t n)
{
    size_t from = b->packed.n;
    uint8_t *p = buf_room(&b->packed, PACK_ARRAY_MAX_BYTES(n));
    if (!p)
        return -ENOMEM;
    b->packed.n += pack_array64(v, n, p);
    put_cell(b, block, c, kind, from);
    return 0;
}

static int put_array32(struct segment_builder *b, struct block *block, unsigned c, const uint32_t *v, uint32_t n)
{
    size_t from = b->packed.n;
    uint8_t *p = buf_room(&b->packed, PACK_ARRAY_MAX_BYTES(n));
    if (!p)
        return -ENOMEM;
    b->packed.n += pack_array32(v, n, p);
    put_cell(b, block, c, KIND_PLAIN, from);
    return 0;
}

/* load32 - a column of 1, 2 or 4 bytes as 32-bit numbers; borrowed from the batch or in scratch. */
static const uint32_t *load32(struct segment_builder *b, const struct flow_batch *x, unsigned c)
{
    const void *p = x->number[c - FLOW_N_ADDRESSES];
    uint32_t *out = b->numbers, n = x->n;
    switch (flow_columns[c].width) {
    case 1:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint8_t *)p)[i];
        return out;
    case 2:
        for (uint32_t i = 0; i < n; i++)
            out[i] = ((const uint16_t *)p)[i];
        return out;
    default: return p;
    }
}

/* pack_narrow - a column that the address may tell waits until the entries are known. */
static int pack_narrow(struct segment_builder *b, struct block *block, unsigned c, const uint32_t *v, uint32_t n)
{
    uint32_t min, max;
    int by = segment_by_address(c);
    pack_bounds32(v, n, &min, &max);
    put_constant(block, c, min);
    if (min == max)
        return 0;
    block->cells[c].max = max;
    if (by < 0 || !(block->columns >> by & 1))
        return put_array32(b, block, c, v, n);
    block->by_address |= UINT64_C(1) << c;
    return 0;
}

/* pack_end - as differences to the start where that is narrower. */
static int pack_end(struct segment_builder *b, struct block *block, const struct flow_batch *x, unsigned c,
                    uint64_t span)
{
    const uint64_t sign = UINT64_C(1) << 63;
    const uint64_t *start = x->number[FLOW_START], *end = x->number[FLOW_END];
    uint64_t *since = b->numbers64, min, max;
    uint32_t n = x->n;
    if (!(x->columns & FLOW_HAS(FLOW_START)))
        return 1;
    for (uint32_t i = 0; i < n; i++)
        since[i] = (end[i] - start[i]) ^ sign;
    pack_bounds64(since, n, false, &min, &max);
    if (max - min >= span)
        return 1;
    return put_array64(b, block, c, KIND_SINCE_START, since, n);
}

static int pack_wide(struct segment_builder *b, struct block *block, const struct flow_batch *x, unsigned c)
{
    const uint64_t *v = x->number[c - FLOW_N_ADDRESSES];
    uint64_t sign = segment_sign(c), min, max;
    pack_bounds64(v, x->n, sign, &min, &max);
    put_constant(block, c, min);
    if (min == max)
        return 0;
    block->cells[c].max = max;
    if (c == FLOW_COLUMN_NUMBER(FLOW_END)) {
        int r = pack_end(b, block, x, c, max - min);
        if (r <= 0)
            return r;
    }
    if (sign) {
        uint64_t *turned = b->numbers64;
        for (uint32_t i = 0, n = x->n; i < n; i++)
            turned[i] = v[i] ^ sign;
        v = turned;
    }
    return put_array64(b, block, c, KIND_PLAIN, v, x->n);
}

static int pack_presence(struct segment_builder *b, struct block *block, const struct flow_batch *x)
{
    const uint64_t *present = x->present;
    uint64_t first = present[0], other = 0;
    for (uint32_t i = 1, n = x->n; i < n; i++)
        other |= present[i] ^ first;
    put_constant(block, SEGMENT_PRESENCE, first);
    if (!other)
        return 0;
    block->cells[SEGMENT_PRESENCE].min = 0;
    block->cells[SEGMENT_PRESENCE].max = UINT64_MAX;
    return put_array64(b, block, SEGMENT_PRESENCE, KIND_PLAIN, x->present, x->n);
}

static int pack_texts(struct segment_builder *b, struct block *block, const struct flow_batch *x)
{
    size_t from = b->packed.n;
    uint32_t raw = (uint32_t)(x->n * 4 + x->text.n);
    b->texts.n = 0;
    buf_add(&b->texts, x->text_end, x->n * sizeof(*x->text_end));
    buf_add(&b->texts, x->text.p, x->text.n);
    buf_add(&b->packed, &raw, 4);
    uint8_t *p = buf_room(&b->packed, ZSTD_compressBound(raw));
    if (b->texts.is_bad || !p)
        return -ENOMEM;
    size_t n = ZSTD_compress(p, ZSTD_compressBound(raw), b->texts.p, raw, TEXT_LEVEL);
    if (ZSTD_isError(n))
        return -ENOMEM;
    b->packed.n += n;
    put_cell(b, block, FLOW_COLUMN_TEXT, KIND_TEXTS, from);
    return 0;
}

/* --- addresses of a block ------------------------------------------------------------------ */

/* the addresses of the open block in order of arrival; a slot is address (or hash) << 32 | epoch << 16 | number */
struct distinct {
    struct segment_builder *b;
    uint64_t *table;
    uint32_t n, mask, stamp; /* stamp: epoch << 16, the block's own, so that the table need not be cleared */
    unsigned shift;
};

enum { AHEAD = 16 };
#define SLOT_STAMP UINT64_C(0xffff0000)
#define SLOT_NUMBER UINT64_C(0xffff)

static inline uint32_t hash4(uint32_t a, unsigned shift)
{
    return a * UINT32_C(0x9e3779b1) >> shift;
}

/* probe4 - the slow way: another address stood in the first slot. Return: the number; new when it equals d->n. */
static uint32_t probe4(const struct distinct *d, uint32_t at, uint64_t wanted)
{
    for (;; at = (at + 1) & d->mask) {
        if ((d->table[at] & ~SLOT_NUMBER) == wanted)
            return (uint32_t)(d->table[at] & SLOT_NUMBER);
        if ((d->table[at] & SLOT_STAMP) != d->stamp) {
            d->table[at] = wanted | d->n;
            return d->n;
        }
    }
}

static inline __attribute__((always_inline)) void number_rows4(struct distinct *d, const uint32_t *v, uint32_t n,
                                                               const uint64_t *present, uint64_t bit, uint16_t *out)
{
    uint64_t *table = d->table, *pairs = d->b->distinct;
    const uint64_t stamp = d->stamp;
    const unsigned shift = d->shift;
    uint32_t n_distinct = d->n, last = n - 1;
    for (uint32_t i = 0; i < n; i++) {
        /* the table leaves the cache between blocks, and a guess that waits for memory is dear when wrong */
        __builtin_prefetch(&table[hash4(v[i + AHEAD < last ? i + AHEAD : last], shift)], 1);
        if (present && !(present[i] & bit)) {
            out[i] = NO_LOCAL;
            continue;
        }
        uint32_t a = v[i], at = hash4(a, shift), id;
        uint64_t wanted = (uint64_t)a << 32 | stamp, slot = table[at];
        bool is_match = (slot & ~SLOT_NUMBER) == wanted, is_free = (slot & SLOT_STAMP) != stamp;
        if (__builtin_expect(is_match | is_free, true)) { /* known or new: no branch between the two */
            id = is_match ? (uint32_t)(slot & SLOT_NUMBER) : n_distinct;
            table[at] = wanted | id;
        } else {
            d->n = n_distinct;
            id = probe4(d, at, wanted);
        }
        pairs[n_distinct] = (uint64_t)a << 32 | n_distinct;
        n_distinct += id == n_distinct;
        out[i] = (uint16_t)id;
    }
    d->n = n_distinct;
}

static void put_locals4(struct distinct *d, const uint32_t *v, uint32_t n, const uint64_t *present, uint64_t bit,
                        uint16_t *out)
{
    uint64_t all = bit;
    for (uint32_t i = 0; i < n; i++)
        all &= present[i];
    if (all)
        number_rows4(d, v, n, NULL, bit, out);
    else
        number_rows4(d, v, n, present, bit, out);
}

static void put_locals6(struct distinct *d, const struct ip *v, uint32_t n, const uint64_t *present, uint64_t bit,
                        uint16_t *out)
{
    uint64_t *table = d->table;
    struct wide_pair *pairs = d->b->distinct;
    for (uint32_t i = 0; i < n; i++) {
        if (!(present[i] & bit)) {
            out[i] = NO_LOCAL;
            continue;
        }
        struct wide a = wide_of(&v[i]);
        uint64_t h = (a.high ^ a.low * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
        uint32_t at = (uint32_t)(h >> 32) >> d->shift;
        uint64_t wanted = (h & ~UINT64_C(0xffffffff)) | d->stamp;
        for (;; at = (at + 1) & d->mask) {
            if ((table[at] & SLOT_STAMP) != d->stamp) {
                table[at] = wanted | d->n;
                pairs[d->n] = (struct wide_pair){a, d->n};
                d->n++;
                break;
            }
            const struct wide *old = &pairs[table[at] & SLOT_NUMBER].a;
            if ((table[at] & ~SLOT_NUMBER) == wanted && old->high == a.high && old->low == a.low)
                break;
        }
        out[i] = (uint16_t)(table[at] & SLOT_NUMBER);
    }
}

/* keep_sorted - the block's addresses in order go to the builder; numbers of arrival become ranks. */
static int keep_sorted(struct segment_builder *b, uint32_t n)
{
    size_t size = b->family == 4 ? sizeof(uint32_t) : sizeof(struct wide);
    uint16_t *rank = b->rank;
    void *room = growing_room(&b->addresses, n, size);
    if (!room)
        return -ENOMEM;
    if (b->family == 4) {
        pairs_sort4((uint64_t **)&b->distinct, (uint64_t **)&b->spare, n);
        const uint64_t *v = b->distinct;
        uint32_t *to = room;
        for (uint32_t i = 0; i < n; i++) {
            to[i] = (uint32_t)(v[i] >> 32);
            rank[v[i] & SLOT_NUMBER] = (uint16_t)i;
        }
    } else {
        pairs_sort6((struct wide_pair **)&b->distinct, (struct wide_pair **)&b->spare, n);
        const struct wide_pair *v = b->distinct;
        for (uint32_t i = 0; i < n; i++) {
            ((struct wide *)room)[i] = v[i].a;
            rank[v[i].what] = (uint16_t)i;
        }
    }
    b->addresses.n += n;
    return 0;
}

/* room_for_locals - the array of a column, all rows before without an address. */
static uint16_t *room_for_locals(struct segment_builder *b, unsigned c)
{
    if (!b->locals[c]) {
        size_t n = (size_t)b->max_rows + SEGMENT_BLOCK_ROWS;
        b->locals[c] = malloc(n * sizeof(uint16_t));
        if (b->locals[c]) {
            pages_large(b->locals[c], n * sizeof(uint16_t));
            memset(b->locals[c], 0xff, (size_t)b->n_blocks * SEGMENT_BLOCK_ROWS * sizeof(uint16_t));
        }
    }
    return b->locals[c] ? b->locals[c] + (size_t)b->n_blocks * SEGMENT_BLOCK_ROWS : NULL;
}

static void to_ranks(uint16_t *v, uint32_t n, const uint16_t *rank)
{
    for (uint32_t i = 0; i < n; i++)
        v[i] = rank[v[i]];
}

static int put_addresses(struct segment_builder *b, struct block *block, const struct flow_batch *x)
{
    uint64_t columns = x->columns & ((UINT64_C(1) << FLOW_N_ADDRESSES) - 1);
    uint32_t size = __builtin_popcountll(columns) > 3 ? TABLE_LARGE : TABLE_SMALL;
    struct distinct d = {.b = b, .table = b->table, .mask = size - 1, .stamp = (b->n_blocks + 1) << 16,
                         .shift = 32 - pack_width(size - 1)};
    uint16_t *locals[FLOW_N_ADDRESSES] = {NULL};
    for (unsigned c = 0; c < FLOW_N_ADDRESSES; c++) {
        if (!(columns >> c & 1)) {
            if (b->locals[c])
                memset(room_for_locals(b, c), 0xff, SEGMENT_BLOCK_ROWS * sizeof(uint16_t));
            continue;
        }
        locals[c] = room_for_locals(b, c);
        if (!locals[c])
            return -ENOMEM;
        if (b->family == 4)
            put_locals4(&d, x->v4[c], x->n, x->present, FLOW_HAS_ADDRESS(c), locals[c]);
        else
            put_locals6(&d, x->v6[c], x->n, x->present, FLOW_HAS_ADDRESS(c), locals[c]);
    }
    block->first_address = (uint32_t)b->addresses.n;
    block->n_addresses = d.n;
    int r = keep_sorted(b, d.n);
    b->rank[NO_LOCAL] = NO_LOCAL;
    for (unsigned c = 0; !r && c < FLOW_N_ADDRESSES; c++)
        if (locals[c])
            to_ranks(locals[c], x->n, b->rank);
    return r;
}

/* --- what the address determines: AS number and prefix length --------------------------------- */

/* differ - a row that says something else of its address than an earlier one, or the first to say it. */
static void differ(uint64_t *known, uint64_t said, struct exception *out, uint32_t *n, uint32_t row)
{
    bool is_new = false;
    if (said & HAS_AS) {
        if (!(*known & HAS_AS))
            *known |= (said & ATTRIBUTE_AS(-1)) | HAS_AS;
        else
            is_new |= (*known ^ said) & ATTRIBUTE_AS(-1);
    }
    if (said & HAS_MASK) {
        if (!(*known & HAS_MASK))
            *known |= (said & ATTRIBUTE_MASK(-1)) | HAS_MASK;
        else
            is_new |= ((*known ^ said) & ATTRIBUTE_MASK(-1)) != 0;
    }
    if (is_new)
        out[(*n)++] = (struct exception){row, said};
}

/* learn_rows - Return: exceptions written to @out. */
static uint32_t learn_rows(const uint16_t *locals, const uint32_t *as, const uint8_t *mask, uint32_t n, uint64_t bits,
                           uint64_t *known, struct exception *out)
{
    uint64_t flags = bits & (HAS_AS | HAS_MASK);
    uint32_t n_out = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t said = ((as[i] | ATTRIBUTE_MASK(mask[i])) & bits) | flags;
        uint32_t at = locals[i];
        if (__builtin_expect(at == NO_LOCAL, false)) {
            out[n_out++] = (struct exception){i, said};
            continue;
        }
        uint64_t old = known[at], new = old ? old : said; /* the first to speak; no branch, it could not be guessed */
        known[at] = new;
        if (__builtin_expect(((new ^ said) & bits) != 0, false))
            differ(&known[at], said, out, &n_out, i);
    }
    return n_out;
}

static int learn_side(struct segment_builder *b, struct block *block, const struct flow_batch *x, unsigned side)
{
    unsigned as = side ? FLOW_DESTINATION_AS : FLOW_SOURCE_AS, mask = side ? FLOW_DESTINATION_MASK : FLOW_SOURCE_MASK;
    const uint16_t *locals = b->locals[side ? FLOW_DESTINATION_IP : FLOW_SOURCE_IP];
    uint64_t bits = (block->by_address & FLOW_HAS(as) ? HAS_AS | ATTRIBUTE_AS(-1) : 0) |
                    (block->by_address & FLOW_HAS(mask) ? HAS_MASK | ATTRIBUTE_MASK(-1) : 0);
    block->exceptions[side] = b->exceptions.n;
    block->n_exceptions[side] = 0;
    if (!bits)
        return 0;
    struct exception *out = growing_room(&b->exceptions, x->n, sizeof(*out));
    if (!out)
        return -ENOMEM;
    block->n_exceptions[side] = learn_rows(locals + (size_t)b->n_blocks * SEGMENT_BLOCK_ROWS, x->number[as],
                                           x->number[mask], x->n, bits,
                                           (uint64_t *)b->attributes.p + block->first_address, out);
    b->exceptions.n += block->n_exceptions[side];
    return 0;
}

static int learn_attributes(struct segment_builder *b, struct block *block, const struct flow_batch *x)
{
    if (!block->by_address)
        return 0;
    size_t wanted = block->first_address + block->n_addresses, n = wanted - b->attributes.n;
    uint64_t *room = growing_room(&b->attributes, n, sizeof(*room));
    if (!room)
        return -ENOMEM;
    memset(room, 0, n * sizeof(*room));
    b->attributes.n = wanted;
    int r = learn_side(b, block, x, 0);
    return r ? r : learn_side(b, block, x, 1);
}

/* --- closing a block ---------------------------------------------------------------------------- */

static void extend(int64_t *min, int64_t *max, int64_t from, int64_t to)
{
    *min = from < *min ? from : *min;
    *max = to > *max ? to : *max;
}

/* note_column - rows without a time do not count: if all have it, the directory knows. */
static void note_column(const struct block *block, const struct flow_batch *x, unsigned number, int64_t *min, int64_t *max)
{
    const int64_t *v = x->number[number];
    const struct segment_cell *cell = &block->cells[FLOW_COLUMN_NUMBER(number)];
    const uint64_t *present = x->present;
    uint64_t all = FLOW_HAS(number);
    if (!(x->columns & FLOW_HAS(number)))
        return;
    for (uint32_t i = 0, n = x->n; i < n; i++)
        all &= present[i];
    if (all) {
        extend(min, max, (int64_t)cell->min, (int64_t)cell->max);
        return;
    }
    for (uint32_t i = 0; i < x->n; i++)
        if (x->present[i] & FLOW_HAS(number))
            extend(min, max, v[i], v[i]);
}

static void note_times(struct segment_builder *b, const struct block *block, const struct flow_batch *x)
{
    note_column(block, x, FLOW_START, &b->event_min_us, &b->event_max_us);
    note_column(block, x, FLOW_END, &b->event_min_us, &b->event_max_us);
    note_column(block, x, FLOW_RECEIVED, &b->arrived_min_us, &b->arrived_max_us);
}

static int pack_numbers(struct segment_builder *b, struct block *block, const struct flow_batch *x,
                        const uint32_t *observer)
{
    for (unsigned c = FLOW_N_ADDRESSES; c < FLOW_COLUMN_TEXT; c++) {
        int r;
        if (!(x->columns >> c & 1))
            continue;
        if (flow_columns[c].width == 8) {
            r = pack_wide(b, block, x, c);
        } else {
            const uint32_t *v = c == FLOW_COLUMN_NUMBER(FLOW_OBSERVER) ? observer : load32(b, x, c);
            r = pack_narrow(b, block, c, v, x->n);
        }
        if (r)
            return r;
    }
    return 0;
}

static int fill_block(struct segment_builder *b, struct block *block, const struct flow_batch *x,
                      const uint32_t *observer)
{
    memset(block, 0, sizeof(*block));
    for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++)
        block->cells[c].offset_and_kind = (uint64_t)KIND_ABSENT << 56;
    block->columns = x->columns;
    block->packed = b->packed.n;
    int r = pack_numbers(b, block, x, observer);
    if (!r)
        r = pack_presence(b, block, x);
    if (!r && (x->columns & FLOW_HAS_TEXT))
        r = pack_texts(b, block, x);
    if (!r)
        r = put_addresses(b, block, x);
    return r ? r : learn_attributes(b, block, x);
}

/* reserve - room for what the rows of a segment usually pack to; only what is touched becomes memory. */
static void reserve(struct segment_builder *b)
{
    size_t n = (size_t)b->max_rows * USUAL_BYTES;
    uint8_t *p = buf_room(&b->packed, n);
    if (p)
        pages_large(p, n);
    b->packed.is_bad = false; /* it will grow as it is filled */
}

int segment_builder_close(struct segment_builder *b, const struct flow_batch *x, const uint32_t *observer)
{
    struct block *block = &b->blocks[b->n_blocks];
    if (!b->packed.p)
        reserve(b);
    size_t packed = b->packed.n, addresses = b->addresses.n;
    size_t attributes = b->attributes.n, exceptions = b->exceptions.n;
    int r = fill_block(b, block, x, observer);
    if (r) { /* as if it had not begun: the rows may be offered again */
        b->packed.n = packed;
        b->packed.is_bad = b->texts.is_bad = false;
        b->addresses.n = addresses;
        b->attributes.n = attributes;
        b->exceptions.n = exceptions;
        memset(b->table, 0, TABLE_LARGE * sizeof(*b->table));
        return r;
    }
    block->packed_bytes = b->packed.n - block->packed;
    note_times(b, block, x);
    b->columns |= x->columns;
    b->n_rows += x->n;
    b->n_blocks++;
    return 0;
}

int segment_builder_flush(struct segment_builder *b)
{
    if (!b->pending->n)
        return 0;
    int r = segment_builder_close(b, b->pending, b->pending->number[FLOW_OBSERVER]);
    if (!r)
        flow_batch_clear(b->pending);
    return r;
}
