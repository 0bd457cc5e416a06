/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows wait in a batch of their own until a block is full; a batch that is a whole block is taken as it is.
 */
#include "watch/store/segment_build.h"

#include "watch/store/pack.h"
#include "watch/store/segment_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>
#include <zstd.h>

enum { TABLE_SMALL = 1 << 15, TABLE_LARGE = 1 << 17, TEXT_LEVEL = 1, USUAL_BYTES = 16 };
/* a segment whose packed columns pass this is full: texts may be long */
#define PACKED_MAX ((size_t)1 << 30)

void pages_large(void *p, size_t n_bytes)
{
    const uintptr_t large = (uintptr_t)2 << 20;
    uintptr_t from = ((uintptr_t)p + large - 1) / large * large, to = ((uintptr_t)p + n_bytes) / large * large;
    if (from < to)
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* a hint: nothing depends on it */
}

void *growing_room(struct growing *g, size_t n, size_t size)
{
    if (g->n + n > g->capacity) {
        size_t capacity = g->capacity ? g->capacity * 2 : g->usual ? g->usual : 65536;
        while (capacity < g->n + n)
            capacity *= 2;
        void *p = realloc(g->p, capacity * size); /* bounded by SEGMENT_ROWS * columns: no overflow */
        if (!p)
            return NULL;
        pages_large(p, capacity * size);
        g->p = p;
        g->capacity = capacity;
    }
    return (uint8_t *)g->p + g->n * size;
}

/* carve - @n bytes of the scratch area, a cache line apart from its neighbours. */
static void *carve(uint8_t **at, size_t n)
{
    void *p = *at;
    *at += (n + 127) / 64 * 64;
    return p;
}

/* make_scratch - all that the work on one block touches at random, on as few large pages as hold it. */
static int make_scratch(struct segment_builder *b)
{
    const size_t large = (size_t)2 << 20, n_pairs = BLOCK_ADDRESSES_MAX + 1; /* one more: written before it is known to count */
    size_t pair = b->family == 4 ? sizeof(uint64_t) : sizeof(struct wide_pair);
    size_t n = TABLE_LARGE * sizeof(*b->table) + 2 * n_pairs * pair + (NO_LOCAL + 1u) * sizeof(*b->rank) +
               SEGMENT_BLOCK_ROWS * (sizeof(*b->numbers) + sizeof(*b->numbers64)) + 1024;
    n = (n + large - 1) / large * large;
    b->scratch = aligned_alloc(large, n);
    if (!b->scratch)
        return -ENOMEM;
    pages_large(b->scratch, n);
    uint8_t *at = b->scratch;
    b->table = carve(&at, TABLE_LARGE * sizeof(*b->table));
    b->distinct = carve(&at, n_pairs * pair);
    b->spare = carve(&at, n_pairs * pair);
    b->rank = carve(&at, (NO_LOCAL + 1u) * sizeof(*b->rank));
    b->numbers = carve(&at, SEGMENT_BLOCK_ROWS * sizeof(*b->numbers));
    b->numbers64 = carve(&at, SEGMENT_BLOCK_ROWS * sizeof(*b->numbers64));
    return 0;
}

static void destroy(struct segment_builder *b);

/*
 * Spare builders of full size. Memory the system has just given must be cleared first, which would cost
 * a segment more than its sort: a builder that is freed waits here for the next who needs one.
 */
enum { N_SPARES = 2 };
static struct segment_builder *_Atomic spares[N_SPARES];

static struct segment_builder *take_spare(int family, uint32_t max_rows)
{
    for (unsigned i = 0; i < N_SPARES; i++) {
        struct segment_builder *b = atomic_exchange(&spares[i], NULL);
        if (b && b->family == family && b->max_rows == max_rows)
            return b;
        destroy(b);
    }
    return NULL;
}

static bool keep_as_spare(struct segment_builder *b)
{
    if (b->max_rows < SEGMENT_ROWS)
        return false;
    for (unsigned i = 0; i < N_SPARES; i++) {
        struct segment_builder *none = NULL;
        if (atomic_compare_exchange_strong(&spares[i], &none, b))
            return true;
    }
    return false;
}

void segment_builder_trim(void)
{
    for (unsigned i = 0; i < N_SPARES; i++)
        destroy(atomic_exchange(&spares[i], NULL));
}

/* begin - as new, but for the memory it has. */
static void begin(struct segment_builder *b)
{
    b->n_rows = b->n_blocks = b->n_observers = 0;
    b->columns = 0;
    b->event_min_us = b->arrived_min_us = INT64_MAX;
    b->event_max_us = b->arrived_max_us = INT64_MIN;
    flow_batch_clear(b->pending);
    buf_clear(&b->packed);
    b->addresses.n = b->attributes.n = b->exceptions.n = 0;
    memset(b->table, 0, TABLE_LARGE * sizeof(*b->table));
}

struct segment_builder *segment_builder_new(int family, uint32_t max_rows)
{
    if (max_rows < 1 || max_rows > SEGMENT_ROWS)
        max_rows = SEGMENT_ROWS;
    struct segment_builder *b = max_rows == SEGMENT_ROWS ? take_spare(family, max_rows) : NULL;
    if (b) {
        begin(b);
        return b;
    }
    b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->family = family;
    b->max_rows = max_rows;
    b->packed.max = PACKED_MAX * 2;
    b->texts.max = FLOW_BATCH_TEXT_MAX * 3;
    b->addresses.usual = b->attributes.usual = max_rows + max_rows / 4;
    b->pending = flow_batch_new(family);
    b->blocks = calloc((max_rows + SEGMENT_BLOCK_ROWS - 1) / SEGMENT_BLOCK_ROWS, sizeof(*b->blocks));
    if (!b->pending || !b->blocks || make_scratch(b)) {
        destroy(b);
        return NULL;
    }
    begin(b);
    return b;
}

static void destroy(struct segment_builder *b)
{
    if (!b)
        return;
    flow_batch_free(b->pending);
    for (unsigned c = 0; c < FLOW_N_ADDRESSES; c++)
        free(b->locals[c]);
    free(b->blocks);
    free(b->scratch);
    free(b->observers);
    free(b->addresses.p);
    free(b->attributes.p);
    free(b->exceptions.p);
    buf_fini(&b->packed);
    buf_fini(&b->texts);
    buf_fini(&b->out);
    segment_index_fini(&b->index);
    free(b);
}

void segment_builder_free(struct segment_builder *b)
{
    if (b && !keep_as_spare(b))
        destroy(b);
}

uint32_t segment_builder_rows(const struct segment_builder *b)
{
    return b->n_rows + b->pending->n;
}

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

static int close_block(struct segment_builder *b, const struct flow_batch *x, const uint32_t *observer)
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
    int r = close_block(b, b->pending, b->pending->number[FLOW_OBSERVER]);
    if (!r)
        flow_batch_clear(b->pending);
    return r;
}

/* --- adding ---------------------------------------------------------------------------------------- */

static int find_observer(struct segment_builder *b, const struct flow_observer *o, uint32_t *ret)
{
    for (uint32_t i = b->n_observers; i-- > 0;)
        if (b->observers[i].domain == o->domain && ip_equal(&b->observers[i].ip, &o->ip)) {
            *ret = i;
            return 0;
        }
    if (b->n_observers == SEGMENT_OBSERVERS_MAX)
        return SEGMENT_FULL;
    if (b->n_observers == b->observers_capacity) {
        uint32_t capacity = b->observers_capacity ? b->observers_capacity * 2 : 64;
        void *p = realloc(b->observers, capacity * sizeof(*b->observers));
        if (!p)
            return -ENOMEM;
        b->observers = p;
        b->observers_capacity = capacity;
    }
    b->observers[b->n_observers] = *o;
    *ret = b->n_observers++;
    return 0;
}

static size_t width_of(const struct segment_builder *b, unsigned c)
{
    return c < FLOW_N_ADDRESSES ? (b->family == 4 ? 4 : 16) : flow_columns[c].width;
}

static uint8_t *column_of(const struct flow_batch *x, unsigned c)
{
    if (c < FLOW_N_ADDRESSES)
        return x->family == 4 ? (uint8_t *)x->v4[c] : (uint8_t *)x->v6[c];
    return x->number[c - FLOW_N_ADDRESSES];
}

/* texts_fitting - how many of @n rows from @from have texts that fit the open block. */
static uint32_t texts_fitting(const struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t n)
{
    if (!(x->columns & FLOW_HAS_TEXT))
        return n;
    size_t begin = from ? x->text_end[from - 1] : 0, room = FLOW_BATCH_TEXT_MAX - b->pending->text.n;
    while (n && x->text_end[from + n - 1] - begin > room)
        n--;
    return n;
}

static int copy_texts(struct flow_batch *to, const struct flow_batch *x, uint32_t from, uint32_t n)
{
    uint32_t end = (uint32_t)to->text.n;
    if (!(x->columns & FLOW_HAS_TEXT)) {
        for (uint32_t i = 0; i < n; i++)
            to->text_end[to->n + i] = end;
        return 0;
    }
    uint32_t begin = from ? x->text_end[from - 1] : 0;
    if (x->text_end[from + n - 1] > begin)
        buf_add(&to->text, x->text.p + begin, x->text_end[from + n - 1] - begin);
    if (to->text.is_bad) {
        to->text.is_bad = false;
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < n; i++)
        to->text_end[to->n + i] = x->text_end[from + i] - begin + end;
    return 0;
}

/* copy_rows - to the open block; a column new to it is zero in the rows before. */
static int copy_rows(struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t n,
                     const uint32_t *observer)
{
    struct flow_batch *to = b->pending;
    uint64_t all = x->columns | to->columns;
    if (all & FLOW_HAS_TEXT) {
        if (!(to->columns & FLOW_HAS_TEXT))
            memset(to->text_end, 0, to->n * sizeof(*to->text_end));
        int r = copy_texts(to, x, from, n);
        if (r)
            return r;
    }
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++) {
        if (!(all >> c & 1))
            continue;
        size_t width = width_of(b, c);
        if (!(to->columns >> c & 1))
            memset(column_of(to, c), 0, to->n * width);
        if (!(x->columns >> c & 1))
            memset(column_of(to, c) + to->n * width, 0, n * width);
        else if (c == FLOW_COLUMN_NUMBER(FLOW_OBSERVER))
            memcpy(column_of(to, c) + to->n * width, observer + from, n * width);
        else
            memcpy(column_of(to, c) + to->n * width, column_of(x, c) + from * width, n * width);
    }
    memcpy(to->present + to->n, x->present + from, n * sizeof(*to->present));
    to->columns = all;
    to->n += n;
    return 0;
}

/* map_observers - the batch's numbers as the segment's, for all rows from @from; may cut *@n short of a full table. */
static int map_observers(struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t *n,
                         uint32_t *out)
{
    const uint32_t *v = x->number[FLOW_OBSERVER];
    uint32_t mapped[FLOW_BATCH_OBSERVERS] __attribute__((uninitialized));
    memset(mapped, 0xff, x->n_observers * sizeof(*mapped));
    for (uint32_t i = from; i < from + *n; i++) {
        if (!(x->present[i] & FLOW_HAS(FLOW_OBSERVER)) || v[i] >= x->n_observers) {
            out[i] = 0;
            continue;
        }
        if (mapped[v[i]] == UINT32_MAX) {
            int r = find_observer(b, &x->observers[v[i]], &mapped[v[i]]);
            if (r) {
                *n = i - from;
                return r;
            }
        }
        out[i] = mapped[v[i]];
    }
    return 0;
}

/* take - up to a block's worth of rows. @ret_n: rows taken. */
static int take(struct segment_builder *b, const struct flow_batch *x, uint32_t from, uint32_t *ret_n)
{
    uint32_t observer[SEGMENT_BLOCK_ROWS] __attribute__((uninitialized));
    uint32_t n = x->n - from, room = b->max_rows - segment_builder_rows(b);
    int full = 0;
    *ret_n = 0;
    n = n < room ? n : room;
    n = n < SEGMENT_BLOCK_ROWS - b->pending->n ? n : SEGMENT_BLOCK_ROWS - b->pending->n;
    uint32_t fitting = texts_fitting(b, x, from, n);
    if (fitting < n)
        full = SEGMENT_FULL;
    n = fitting;
    if (x->columns & FLOW_HAS(FLOW_OBSERVER)) {
        int r = map_observers(b, x, from, &n, observer);
        if (r < 0)
            return r;
        full |= r;
    }
    int r = 0;
    if (n == SEGMENT_BLOCK_ROWS)
        r = close_block(b, x, observer);
    else if (n)
        r = copy_rows(b, x, from, n, observer);
    if (r)
        return r;
    *ret_n = n;
    return full;
}

int segment_builder_add(struct segment_builder *b, const struct flow_batch *batch, uint32_t from, uint32_t *ret_taken)
{
    *ret_taken = 0;
    while (from < batch->n) {
        uint32_t n;
        if (segment_builder_rows(b) == b->max_rows || b->packed.n > PACKED_MAX)
            return SEGMENT_FULL;
        int r = take(b, batch, from, &n);
        if (r < 0)
            return r;
        *ret_taken += n;
        from += n;
        if (b->pending->n == SEGMENT_BLOCK_ROWS) {
            int e = segment_builder_flush(b);
            if (e)
                return e;
        }
        if (r == SEGMENT_FULL)
            return r;
    }
    return segment_builder_rows(b) == b->max_rows || b->packed.n > PACKED_MAX ? SEGMENT_FULL : 0;
}
