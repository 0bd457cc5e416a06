/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: blocks first, as their codes become known; then the index, then its
 * checksums, the header last.
 */
#include "base/file.h"
#include "watch/store/checksum.h"
#include "watch/store/pack.h"
#include "watch/store/segment_builder.h"

#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#define ADDRESS_COLUMNS ((UINT64_C(1) << FLOW_N_ADDRESSES) - 1)
#define END_COLUMNS (FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP))

struct writer {
    struct segment_builder *b;
    int fd;
    uint64_t at; /* file offset of the first byte of b->finish->out: the body has been written */
    bool uses_as, uses_mask; /* some block refers to the entries' attributes */
    struct segment_header header;
};

/* flush - the rest of the file, behind the body. */
static int flush(struct writer *w)
{
    if (w->b->finish->out.is_bad)
        return -ENOMEM;
    int r = page_write(w->fd, w->b->finish->out.p, w->b->finish->out.n, w->at);
    w->at += w->b->finish->out.n;
    w->b->finish->out.n = 0;
    return r;
}

/* --- what waited for the codes ------------------------------------------------------------ */

static void end_cell(struct writer *w, struct segment_cell *cell, enum segment_kind kind, size_t from, size_t begin)
{
    cell->offset_and_kind = (from - begin) | (uint64_t)kind << 56;
    cell->n_bytes = (uint32_t)(w->b->finish->body.n - from);
    cell->checksum = (uint32_t)checksum(w->b->finish->body.p + from, w->b->finish->body.n - from);
}

static int put_array(struct writer *w, struct segment_cell *cell, size_t begin, const uint32_t *v, uint32_t n)
{
    size_t from = w->b->finish->body.n;
    uint8_t *p = page_writer_room(&w->b->finish->body, PACK_ARRAY_MAX_BYTES(n));
    if (!p)
        return -ENOMEM;
    w->b->finish->body.n += pack_array32(v, n, p);
    end_cell(w, cell, KIND_PLAIN, from, begin);
    return 0;
}

/* a record of either family */
struct said {
    uint32_t code, as;
    uint16_t place;
    uint8_t mask, flags;
};

static inline __attribute__((always_inline)) struct said record_at(const void *records, bool is_v4, size_t i)
{
    if (is_v4) {
        const struct record4 *r = (const struct record4 *)records + i;
        return (struct said){r->key, r->as, r->place, r->mask, r->flags};
    }
    const struct record6 *r = (const struct record6 *)records + i;
    return (struct said){(uint32_t)r->key.low, r->as, r->place, r->mask, r->flags};
}

static size_t n_records(const struct block *block)
{
    return block->places.end[PART_NONE];
}

/* gather_codes - the codes of a block by place. Return: all flags of its records. */
static inline __attribute__((always_inline)) unsigned gather(const void *records, bool is_v4, size_t n, uint32_t *codes)
{
    unsigned flags = 0;
    for (size_t i = 0; i < n; i++) {
        struct said s = record_at(records, is_v4, i);
        codes[s.place] = s.code;
        flags |= s.flags;
    }
    return flags;
}

static unsigned gather_codes(const struct writer *w, const struct block *block, uint32_t *codes)
{
    if (w->b->family == 4)
        return gather(block->places.records, true, n_records(block), codes);
    return gather(block->places.records, false, n_records(block), codes);
}

static int put_codes(struct writer *w, uint32_t k, unsigned c, uint32_t n, size_t begin, const uint32_t *by_place)
{
    struct block *block = &w->b->blocks[k];
    uint32_t other[SEGMENT_BLOCK_ROWS] __attribute__((uninitialized)), min, max, none = w->b->finish->index.n_entries;
    const uint32_t *codes = by_place + (c == FLOW_DESTINATION_IP ? SEGMENT_BLOCK_ROWS : 0);
    if (c > FLOW_DESTINATION_IP) {
        const uint16_t *locals = w->b->records.locals[c] + (size_t)k * SEGMENT_BLOCK_ROWS;
        for (uint32_t i = 0; i < n; i++)
            other[i] = locals[i] == NO_LOCAL ? none : by_place[PLACES_ROWS + locals[i]];
        codes = other;
    }
    pack_bounds32(codes, n, &min, &max);
    block->cells[c] = (struct segment_cell){.offset_and_kind = (uint64_t)KIND_CONSTANT << 56, .min = min, .max = max};
    return min == max ? 0 : put_array(w, &block->cells[c], begin, codes, n);
}

/* --- what addresses tell of rows ------------------------------------------------------------ */

static bool is_of_column(struct said s, unsigned c)
{
    return s.place / SEGMENT_BLOCK_ROWS == (segment_by_address(c) == FLOW_DESTINATION_IP);
}

static uint32_t value_of(struct said s, unsigned c)
{
    return segment_attribute(c) == SECTION_AS ? s.as : s.mask;
}

/* find_exceptions - rows that say another value than the address's entry. Return: how many; bits and values by row. */
static uint32_t find_exceptions(const struct writer *w, const struct block *block, unsigned c, uint64_t *bits, uint32_t *values)
{
    const void *records = block->places.records;
    unsigned flag = segment_attribute(c) == SECTION_AS ? RECORD_AS_DIFFERS : RECORD_MASK_DIFFERS;
    uint32_t n = 0;
    memset(bits, 0, SEGMENT_BLOCK_ROWS / 8);
    for (size_t i = 0; i < n_records(block); i++) {
        struct said s = record_at(records, w->b->family == 4, i);
        if (!(s.flags & flag) || !is_of_column(s, c))
            continue;
        uint32_t row = s.place % SEGMENT_BLOCK_ROWS;
        bits[row / 64] |= UINT64_C(1) << row % 64;
        values[row] = value_of(s, c);
        n++;
    }
    return n;
}

static int put_plain(struct writer *w, struct block *block, unsigned c, uint32_t n, size_t begin)
{
    uint32_t values[SEGMENT_BLOCK_ROWS] __attribute__((uninitialized));
    const void *records = block->places.records;
    for (size_t i = 0; i < n_records(block); i++) {
        struct said s = record_at(records, w->b->family == 4, i);
        if (is_of_column(s, c))
            values[s.place % SEGMENT_BLOCK_ROWS] = value_of(s, c);
    }
    return put_array(w, &block->cells[c], begin, values, n);
}

/* put_by_address - the exceptions, or all values where that is shorter. */
static int put_by_address(struct writer *w, struct block *block, unsigned c, uint32_t n, size_t begin, bool has_exceptions)
{
    struct segment_cell *cell = &block->cells[c];
    uint64_t bits[SEGMENT_BLOCK_ROWS / 64] = {0};
    uint32_t values[SEGMENT_BLOCK_ROWS] __attribute__((uninitialized));
    uint32_t n_rows = has_exceptions ? find_exceptions(w, block, c, bits, values) : 0;
    if ((size_t)n_rows * EXCEPTION_BYTES > pack_bits_bytes(n, pack_width(cell->max - cell->min)) / 2)
        return put_plain(w, block, c, n, begin);
    size_t from = w->b->finish->body.n;
    uint8_t *p = page_writer_room(&w->b->finish->body, 4 + (size_t)n_rows * EXCEPTION_BYTES);
    if (!p)
        return -ENOMEM;
    w->b->finish->body.n += 4 + (size_t)n_rows * EXCEPTION_BYTES;
    memcpy(p, &n_rows, 4);
    uint8_t *rows = p + 4, *said = rows + (size_t)n_rows * 2;
    for (uint32_t i = 0; n_rows && i < SEGMENT_BLOCK_ROWS / 64; i++)
        for (uint64_t left = bits[i]; left; left &= left - 1, rows += 2, said += 4) {
            uint16_t row = (uint16_t)(i * 64 + (uint32_t)__builtin_ctzll(left));
            memcpy(rows, &row, 2);
            memcpy(said, &values[row], 4);
        }
    end_cell(w, cell, KIND_BY_ADDRESS, from, begin);
    if (segment_attribute(c) == SECTION_AS)
        w->uses_as = true;
    else
        w->uses_mask = true;
    return 0;
}

/* put_late - those of @columns that had to wait for the codes. */
static int put_late(struct writer *w, uint32_t k, uint64_t columns, size_t begin, bool has_exceptions)
{
    struct block *block = &w->b->blocks[k];
    uint32_t n = k + 1 < w->b->n_blocks ? SEGMENT_BLOCK_ROWS : w->b->n_rows - k * SEGMENT_BLOCK_ROWS;
    for (uint64_t left = columns; left; left &= left - 1) {
        unsigned c = (unsigned)__builtin_ctzll(left);
        int r = c < FLOW_N_ADDRESSES ? put_codes(w, k, c, n, begin, w->b->numbers)
                                     : put_by_address(w, block, c, n, begin, has_exceptions);
        if (r)
            return r;
    }
    return 0;
}

/* check_packed - what came back from the journal is what was packed. */
static bool check_packed(const struct block *block, uint64_t late, const uint8_t *p)
{
    for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++) {
        const struct segment_cell *cell = &block->cells[c];
        uint64_t at = cell->offset_and_kind & ((UINT64_C(1) << 56) - 1);
        if (cell->n_bytes && !(late >> c & 1) && (uint32_t)checksum(p + at, cell->n_bytes) != cell->checksum)
            return false;
    }
    return true;
}

/* put_packed - from memory, or from the journal. */
static int put_packed(struct writer *w, const struct block *block, uint64_t late)
{
    struct page_writer *body = &w->b->finish->body;
    if (block->packed || !block->packed_bytes)
        return page_writer_add(body, block->packed, block->packed_bytes);
    uint8_t *to = page_writer_room(body, block->packed_bytes);
    int r = to ? file_pread_full(w->b->journal_fd, to, block->packed_bytes, block->packed_at) : -ENOMEM;
    if (r)
        return r;
    body->n += block->packed_bytes;
    return check_packed(block, late, to) ? 0 : -EBADMSG;
}

/*
 * put_block - what a hunt reads lies side by side and comes from the disk in one piece: codes of both ends, then what was
 * packed, which begins with presence and counters (segment_block.c), then all else.
 */
static int put_block(struct writer *w, uint32_t k)
{
    struct block *block = &w->b->blocks[k];
    struct page_writer *body = &w->b->finish->body;
    size_t begin = body->n;
    unsigned flags = gather_codes(w, block, w->b->numbers);
    uint64_t late = (block->columns & ADDRESS_COLUMNS) | block->by_address;
    int r = put_late(w, k, late & END_COLUMNS, begin, flags != 0);
    size_t packed_at = body->n;
    if (!r)
        r = put_packed(w, block, late);
    if (!r)
        r = put_late(w, k, late & ~END_COLUMNS, begin, flags != 0);
    if (r)
        return r;
    for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++)
        if (block->cells[c].n_bytes)
            block->cells[c].offset_and_kind += body->at + (late >> c & 1 ? begin : packed_at);
    segment_builder_give(w->b, k); /* the next segment is being filled meanwhile */
    return page_writer_flush(body);
}

/* --- the index ----------------------------------------------------------------------------- */

static void begin_section(struct writer *w, enum segment_section s)
{
    static const uint8_t zeros[8];
    buf_add(&w->b->finish->out, zeros, -w->b->finish->out.n & 7);
    w->header.sections[s].offset = w->b->finish->out.n;
}

static void end_section(struct writer *w, enum segment_section s)
{
    w->header.sections[s].n_bytes = w->b->finish->out.n - w->header.sections[s].offset;
}

static void put_section(struct writer *w, enum segment_section s, const struct buf *x)
{
    begin_section(w, s);
    if (x->n)
        buf_add(&w->b->finish->out, x->p, x->n);
    end_section(w, s);
}

static void put_cells(struct writer *w, unsigned column)
{
    for (uint32_t k = 0; k < w->b->n_blocks; k++)
        buf_add(&w->b->finish->out, &w->b->blocks[k].cells[column], sizeof(struct segment_cell));
    w->header.n_columns++;
}

static void put_directory(struct writer *w)
{
    begin_section(w, SECTION_DIRECTORY);
    for (uint64_t left = flow_columns_store(w->b->columns); left; left &= left - 1)
        put_cells(w, flow_stored_column((unsigned)__builtin_ctzll(left)));
    put_cells(w, SEGMENT_PRESENCE);
    end_section(w, SECTION_DIRECTORY);
}

static void put_observers(struct writer *w)
{
    begin_section(w, SECTION_OBSERVERS);
    for (uint32_t i = 0; i < w->b->n_observers; i++) {
        buf_add(&w->b->finish->out, w->b->observers[i].ip.b, 16);
        buf_add(&w->b->finish->out, &w->b->observers[i].domain, 4);
    }
    end_section(w, SECTION_OBSERVERS);
}

/* attributes of every entry */
static int put_as(struct writer *w)
{
    uint32_t n = w->b->finish->index.n_entries;
    begin_section(w, SECTION_AS);
    if (w->uses_as) {
        uint8_t *p = buf_room(&w->b->finish->out, PACK_ARRAY_MAX_BYTES(n));
        if (!p)
            return -ENOMEM;
        w->b->finish->out.n += pack_array32(w->b->finish->index.as, n, p);
    }
    end_section(w, SECTION_AS);
    return 0;
}

static int put_masks(struct writer *w)
{
    uint32_t n = w->b->finish->index.n_entries, *v = w->b->finish->index.as; /* no more needed */
    begin_section(w, SECTION_MASK);
    if (w->uses_mask) {
        uint8_t *p = buf_room(&w->b->finish->out, PACK_ARRAY_MAX_BYTES(n));
        if (!p)
            return -ENOMEM;
        for (uint32_t i = 0; i < n; i++)
            v[i] = w->b->finish->index.masks[i];
        w->b->finish->out.n += pack_array32(v, n, p);
    }
    end_section(w, SECTION_MASK);
    return 0;
}

static int put_index(struct writer *w)
{
    put_directory(w);
    put_section(w, SECTION_HEADS, &w->b->finish->index.heads);
    put_section(w, SECTION_GROUPS, &w->b->finish->index.groups);
    put_section(w, SECTION_BODY, &w->b->finish->index.body);
    put_section(w, SECTION_POSTING_GROUPS, &w->b->finish->index.posting_groups);
    put_section(w, SECTION_POSTINGS, &w->b->finish->index.postings);
    int r = put_as(w);
    if (!r)
        r = put_masks(w);
    put_observers(w);
    if (r || w->b->finish->out.is_bad)
        return -ENOMEM;
    size_t n = w->b->finish->out.n, n_checksums = sealed_pieces_of(n, SEALED_PAGE) * 8;
    w->header.index_offset = w->at;
    w->header.index_bytes = n;
    uint8_t *p = buf_room(&w->b->finish->out, n_checksums);
    if (!p)
        return -ENOMEM;
    sealed_write_page_checksums(w->b->finish->out.p, n, p);
    w->header.checksums_checksum = XXH3_64bits(p, n_checksums);
    w->b->finish->out.n += n_checksums;
    return flush(w);
}

static int put_header(struct writer *w, uint64_t id)
{
    const struct segment_builder *b = w->b;
    struct segment_header *h = &w->header;
    uint8_t page[SEGMENT_HEADER_BYTES] = {0};
    memcpy(h->magic, SEGMENT_MAGIC, sizeof(h->magic));
    h->major = SEGMENT_MAJOR;
    h->minor = SEGMENT_MINOR;
    h->byte_order = SEGMENT_BYTE_ORDER;
    h->id = id;
    h->family = (uint32_t)b->family;
    h->n_rows = b->n_rows;
    h->n_blocks = b->n_blocks;
    h->n_entries = w->b->finish->index.n_entries;
    h->n_observers = b->n_observers;
    h->columns = flow_columns_store(b->columns);
    h->event_min_us = b->event_min_us;
    h->event_max_us = b->event_max_us;
    h->arrived_min_us = b->arrived_min_us;
    h->arrived_max_us = b->arrived_max_us;
    h->n_bytes = w->at;
    h->checksum = XXH3_64bits(h, offsetof(struct segment_header, checksum));
    memcpy(page, h, sizeof(*h));
    return page_write(w->fd, page, sizeof(page), 0);
}

/* begin_body - behind the place of the header, which is written last. */
static int begin_body(struct writer *w)
{
    static const uint8_t zeros[SEGMENT_HEADER_BYTES];
    page_writer_begin(&w->b->finish->body, w->fd);
    return page_writer_add(&w->b->finish->body, zeros, sizeof(zeros));
}

/* end_body - up to a page of the file, so that a checked page of the index is one page of the disk's cache too. */
static int end_body(struct writer *w)
{
    static const uint8_t zeros[SEALED_PAGE];
    struct page_writer *body = &w->b->finish->body;
    int r = page_writer_add(body, zeros, (size_t)-(body->at + body->n) & (SEALED_PAGE - 1));
    if (!r)
        r = page_writer_end(body);
    w->at = body->at;
    return r;
}

static int write_all(struct writer *w, uint64_t id)
{
    int r = segment_builder_flush(w->b);
    if (r)
        return r;
    if (!w->b->n_rows)
        return -EINVAL;
    r = segment_index_build(w->b);
    if (r)
        return r;
    r = begin_body(w);
    for (uint32_t k = 0; !r && k < w->b->n_blocks; k++)
        r = put_block(w, k);
    if (!r)
        r = end_body(w);
    if (!r)
        r = put_index(w);
    return r ? r : put_header(w, id);
}

int segment_builder_write(struct segment_builder *b, uint64_t id, int fd, uint64_t *ret_n_bytes, struct fault *f)
{
    struct writer w = {.b = b, .fd = fd};
    int r = segment_finish_take(b);
    if (!r)
        r = write_all(&w, id);
    segment_finish_give(b);
    if (r == -ENOMEM)
        return FAULT(f, r, segment_no_memory, (unsigned long long)id,
                     (unsigned long long)b->n_rows * (2 * sizeof(uint64_t)));
    if (r)
        return FAULT(f, r, segment_io, (unsigned long long)id, "write", strerror(-r));
    *ret_n_bytes = w.at;
    return 0;
}
