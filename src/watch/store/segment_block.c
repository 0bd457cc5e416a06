/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One full block of rows: numbers packed; addresses, and what the ends of flows say of them (AS number, prefix length),
 * put aside as records.
 *
 * What is packed goes to memory of the block, or straight into a frame of the journal, from where it is read again when
 * the segment is written.
 */
#include "watch/store/batch_pack.h"
#include "watch/store/checksum.h"
#include "watch/store/pack.h"
#include "watch/store/segment_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { TEXT_LEVEL = 1 };

/* --- packing the numbers of a block ------------------------------------------------------ */

/* put_cell - the bytes from @from to the end of what is packed are column @c of the block. */
static void put_cell(struct segment_builder *b, struct block *block, unsigned c, enum segment_kind kind, size_t from)
{
    struct segment_cell *cell = &block->cells[c];
    cell->offset_and_kind = (from - b->to_begin) | (uint64_t)kind << 56;
    cell->n_bytes = (uint32_t)(b->to->n - from);
    cell->checksum = (uint32_t)checksum(b->to->p + from, b->to->n - from);
}

static void put_constant(struct block *block, unsigned c, uint64_t v)
{
    block->cells[c] = (struct segment_cell){.offset_and_kind = (uint64_t)KIND_CONSTANT << 56, .min = v, .max = v};
}

static int put_array64(struct segment_builder *b, struct block *block, unsigned c, enum segment_kind kind,
                       const uint64_t *v, uint32_t n)
{
    size_t from = b->to->n;
    uint8_t *p = buf_room(b->to, PACK_ARRAY_MAX_BYTES(n));
    if (!p)
        return -ENOMEM;
    b->to->n += pack_array64(v, n, p);
    put_cell(b, block, c, kind, from);
    return 0;
}

/* a column of 1, 2 or 4 bytes */
struct narrow {
    const void *v;
    uint32_t n;
    unsigned width;
};

static void bounds_of(const struct narrow *x, uint32_t *ret_min, uint32_t *ret_max)
{
    if (x->width == 1)
        pack_bounds8(x->v, x->n, ret_min, ret_max);
    else if (x->width == 2)
        pack_bounds16(x->v, x->n, ret_min, ret_max);
    else
        pack_bounds32(x->v, x->n, ret_min, ret_max);
}

static int put_narrow(struct segment_builder *b, struct block *block, unsigned c, const struct narrow *x)
{
    size_t from = b->to->n;
    uint8_t *p = buf_room(b->to, PACK_ARRAY_MAX_BYTES(x->n));
    if (!p)
        return -ENOMEM;
    if (x->width == 1)
        b->to->n += pack_array8(x->v, x->n, p);
    else
        b->to->n += x->width == 2 ? pack_array16(x->v, x->n, p) : pack_array32(x->v, x->n, p);
    put_cell(b, block, c, KIND_PLAIN, from);
    return 0;
}

/* pack_narrow - a column that the address may tell waits until the entries are known. */
static int pack_narrow(struct segment_builder *b, struct block *block, unsigned c, const struct narrow *x)
{
    uint32_t min, max;
    int by = segment_by_address(c);
    bounds_of(x, &min, &max);
    put_constant(block, c, min);
    if (min == max)
        return 0;
    block->cells[c].max = max;
    if (by < 0 || !(block->columns >> by & 1))
        return put_narrow(b, block, c, x);
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

static int pack_presence(struct segment_builder *b, struct block *block, const struct flow_batch *x, uint64_t common,
                         bool differs)
{
    put_constant(block, SEGMENT_PRESENCE, flow_columns_store(common));
    if (!differs)
        return 0;
    const uint64_t *present = x->present;
    for (uint32_t i = 0; flow_columns_moved() && i < x->n; i++) {
        b->numbers64[i] = flow_columns_store(x->present[i]);
        present = b->numbers64;
    }
    block->cells[SEGMENT_PRESENCE].min = 0;
    block->cells[SEGMENT_PRESENCE].max = UINT64_MAX;
    return put_array64(b, block, SEGMENT_PRESENCE, KIND_PLAIN, present, x->n);
}

static int pack_texts(struct segment_builder *b, struct block *block, const struct flow_batch *x)
{
    size_t from = b->to->n;
    uint32_t raw = (uint32_t)(x->n * 4 + x->text.n);
    b->texts.n = 0;
    buf_add(&b->texts, x->text_end, x->n * sizeof(*x->text_end));
    buf_add(&b->texts, x->text.p, x->text.n);
    buf_add(b->to, &raw, 4);
    uint8_t *p = buf_room(b->to, ZSTD_compressBound(raw));
    if (b->texts.is_bad || !p)
        return -ENOMEM;
    size_t n = ZSTD_compress(p, ZSTD_compressBound(raw), b->texts.p, raw, TEXT_LEVEL);
    if (ZSTD_isError(n))
        return -ENOMEM;
    b->to->n += n;
    put_cell(b, block, FLOW_COLUMN_TEXT, KIND_TEXTS, from);
    return 0;
}

/* --- closing a block ---------------------------------------------------------------------------- */

static void extend(int64_t *min, int64_t *max, int64_t from, int64_t to)
{
    *min = from < *min ? from : *min;
    *max = to > *max ? to : *max;
}

/* note_column - rows without a time do not count: if all have it, the directory knows. */
static void note_column(const struct block *block, const struct flow_batch *x, uint64_t common, unsigned number,
                        int64_t *min, int64_t *max)
{
    const int64_t *v = x->number[number];
    const struct segment_cell *cell = &block->cells[FLOW_COLUMN_NUMBER(number)];
    if (!(x->columns & FLOW_HAS(number)))
        return;
    if (common & FLOW_HAS(number)) {
        extend(min, max, (int64_t)cell->min, (int64_t)cell->max);
        return;
    }
    for (uint32_t i = 0; i < x->n; i++)
        if (x->present[i] & FLOW_HAS(number))
            extend(min, max, v[i], v[i]);
}

static void note_times(struct segment_builder *b, const struct block *block, const struct flow_batch *x, uint64_t common)
{
    note_column(block, x, common, FLOW_START, &b->event_min_us, &b->event_max_us);
    note_column(block, x, common, FLOW_END, &b->event_min_us, &b->event_max_us);
    note_column(block, x, common, FLOW_RECEIVED, &b->arrived_min_us, &b->arrived_max_us);
}

/* counters come first: a hunt reads them and presence with the codes of both ends (segment_write.c) */
#define COUNTERS                                                                                                     \
    (FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_DESTINATION_BYTES) | FLOW_HAS(FLOW_SOURCE_PACKETS) |                 \
     FLOW_HAS(FLOW_DESTINATION_PACKETS))
#define NUMBERS (((UINT64_C(1) << FLOW_N_NUMBERS) - 1) << FLOW_N_ADDRESSES)
#define ADDRESS_COLUMNS ((UINT64_C(1) << FLOW_N_ADDRESSES) - 1)

static int pack_some(struct segment_builder *b, struct block *block, const struct flow_batch *x, const uint32_t *observer, uint64_t which)
{
    for (uint64_t left = x->columns & which; left; left &= left - 1) {
        unsigned c = (unsigned)__builtin_ctzll(left);
        int r;
        if (flow_columns[c].width == 8) {
            r = pack_wide(b, block, x, c);
        } else {
            const void *v = c == FLOW_COLUMN_NUMBER(FLOW_OBSERVER) ? observer : x->number[c - FLOW_N_ADDRESSES];
            r = pack_narrow(b, block, c, &(struct narrow){v, x->n, flow_columns[c].width});
        }
        if (r)
            return r;
    }
    return 0;
}

static int pack_numbers(struct segment_builder *b, struct block *block, const struct flow_batch *x, const uint32_t *observer)
{
    int r = pack_some(b, block, x, observer, COUNTERS);
    return r ? r : pack_some(b, block, x, observer, NUMBERS & ~COUNTERS);
}

/* common_presence - what every row has; @ret_differs: whether rows differ in what they have. */
static uint64_t common_presence(const struct flow_batch *x, bool *ret_differs)
{
    const uint64_t *present = x->present;
    uint64_t all = UINT64_MAX, any = 0;
    for (uint32_t i = 0, n = x->n; i < n; i++) {
        all &= present[i];
        any |= present[i];
    }
    *ret_differs = all != any;
    return all;
}

static int keep_packed(struct segment_builder *b, struct block *block)
{
    block->packed = block_memory_take(&b->memory, b->packed.n);
    if (!block->packed)
        return -ENOMEM;
    if (b->packed.n)
        memcpy(block->packed, b->packed.p, b->packed.n);
    block->packed_bytes = b->packed.n;
    return 0;
}

static int fill_numbers(struct segment_builder *b, struct block *block, const struct flow_batch *x, const uint32_t *observer,
                        uint64_t *ret_common)
{
    bool differs;
    *ret_common = common_presence(x, &differs);
    memset(block, 0, sizeof(*block));
    for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++)
        block->cells[c].offset_and_kind = (uint64_t)KIND_ABSENT << 56;
    block->columns = x->columns;
    int r = pack_presence(b, block, x, *ret_common, differs);
    return r ? r : pack_numbers(b, block, x, observer);
}

/* finish_block - the records; then it counts. */
static int finish_block(struct segment_builder *b, struct block *block, const struct flow_batch *x, uint64_t common)
{
    int r = block_records_add(&b->records, x, b->n_blocks, common, &b->memory, &block->places);
    if (r)
        return r;
    note_times(b, block, x, common);
    b->packed_bytes += block->packed_bytes;
    b->columns |= x->columns;
    b->n_rows += x->n;
    b->n_blocks++;
    return 0;
}

int segment_builder_close(struct segment_builder *b, const struct flow_batch *x, const uint32_t *observer)
{
    struct block *block = &b->blocks[b->n_blocks];
    uint64_t common;
    b->to = &b->packed;
    b->to_begin = 0;
    int r = fill_numbers(b, block, x, observer, &common);
    if (!r && (x->columns & FLOW_HAS_TEXT))
        r = pack_texts(b, block, x);
    if (!r)
        r = keep_packed(b, block);
    if (!r)
        r = finish_block(b, block, x, common);
    buf_clear(&b->packed);
    b->texts.is_bad = false;
    if (r) /* as if it had not begun: the rows may be offered again */
        block_memory_give(block->packed);
    return r;
}

int segment_builder_flush(struct segment_builder *b)
{
    segment_builder_forget(b);
    if (!b->pending->n)
        return 0;
    int r = segment_builder_close(b, b->pending, b->pending->number[FLOW_OBSERVER]);
    if (!r)
        flow_batch_clear(b->pending);
    return r;
}

/* --- a block packed into the journal -------------------------------------------------------------- */

void segment_builder_forget(struct segment_builder *b)
{
    if (b->waiting.is)
        b->n_observers = b->waiting.n_observers;
    b->waiting.is = false;
}

/* is_block - whether the batch can be the next block as it is; rows that wait for others to fill a block go on waiting. */
static bool is_block(const struct segment_builder *b, const struct flow_batch *x)
{
    return x->n == SEGMENT_BLOCK_ROWS && !(x->columns & FLOW_HAS_TEXT) && b->packed_bytes <= PACKED_MAX &&
           segment_builder_rows(b) + x->n <= b->max_rows;
}

int segment_builder_pack(struct segment_builder *b, const struct flow_batch *x, struct buf *out, size_t *ret_packed)
{
    uint32_t mapped[FEW_OBSERVERS] = {0};
    size_t from = out->n;
    segment_builder_forget(b);
    b->waiting.n_observers = b->n_observers;
    if (!is_block(b, x) || x->n_observers > FEW_OBSERVERS)
        return SEGMENT_NOT_WHOLE;
    if ((x->columns & FLOW_HAS(FLOW_OBSERVER)) && !segment_builder_map(b, x, 0, x->n, mapped, b->numbers))
        return SEGMENT_NOT_WHOLE;
    struct block *block = &b->blocks[b->n_blocks];
    int r = batch_block_begin(x, out);
    b->waiting.is = true;
    b->to = out;
    b->to_begin = out->n;
    if (!r)
        r = fill_numbers(b, block, x, b->numbers, &b->waiting.common);
    block->packed_bytes = out->n - b->to_begin;
    const struct batch_block whole = {.batch = x, .cells = block->cells, .observers = mapped,
                                      .late = (x->columns & ADDRESS_COLUMNS) | block->by_address};
    if (!r)
        r = batch_block_end(&whole, from, b->to_begin, out);
    if (!r) {
        *ret_packed = b->to_begin;
        return 0;
    }
    out->n = from;
    out->is_bad = false;
    segment_builder_forget(b);
    return r;
}

int segment_builder_take(struct segment_builder *b, const struct flow_batch *x, int fd, uint64_t at)
{
    struct block *block = &b->blocks[b->n_blocks];
    block->packed_at = at;
    b->journal_fd = fd;
    int r = finish_block(b, block, x, b->waiting.common);
    if (r)
        segment_builder_forget(b);
    b->waiting.is = false;
    return r;
}
