/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: blocks first, as their codes become known, then the index, then its checksums, the header last.
 */
#include "base/file.h"
#include "watch/store/pack.h"
#include "watch/store/segment_builder.h"

#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

enum { FLUSH_BYTES = 1 << 20 };

struct writer {
    struct segment_builder *b;
    int fd;
    uint64_t at; /* file offset of the first byte of b->out */
    bool uses_as, uses_mask; /* some block refers to the entries' attributes */
    struct segment_header header;
};

static int write_at(int fd, const uint8_t *p, size_t n, uint64_t at)
{
    int r = file_step("write segment");
    if (r)
        return r;
    while (n) {
        ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -errno;
        if (k == 0)
            return -EIO;
        p += k;
        n -= (size_t)k;
        at += (uint64_t)k;
    }
    return 0;
}

static int flush(struct writer *w)
{
    if (w->b->out.is_bad)
        return -ENOMEM;
    int r = write_at(w->fd, w->b->out.p, w->b->out.n, w->at);
    w->at += w->b->out.n;
    w->b->out.n = 0;
    return r;
}

/* --- what waited for the codes ------------------------------------------------------------ */

static void end_cell(struct writer *w, struct segment_cell *cell, enum segment_kind kind, size_t from, size_t begin)
{
    cell->offset_and_kind = (from - begin) | (uint64_t)kind << 56;
    cell->n_bytes = (uint32_t)(w->b->out.n - from);
    cell->checksum = (uint32_t)XXH3_64bits(w->b->out.p + from, w->b->out.n - from);
}

static int put_array(struct writer *w, struct segment_cell *cell, size_t begin, const uint32_t *v, uint32_t n)
{
    size_t from = w->b->out.n;
    uint8_t *p = buf_room(&w->b->out, PACK_ARRAY_MAX_BYTES(n));
    if (!p)
        return -ENOMEM;
    w->b->out.n += pack_array32(v, n, p);
    end_cell(w, cell, KIND_PLAIN, from, begin);
    return 0;
}

static int put_codes(struct writer *w, uint32_t k, unsigned c, uint32_t n, size_t begin)
{
    struct block *block = &w->b->blocks[k];
    const uint16_t *locals = w->b->locals[c] + (size_t)k * SEGMENT_BLOCK_ROWS;
    const uint32_t *code_of = w->b->index.code_of + block->first_address;
    uint32_t *codes = w->b->numbers, none = w->b->index.n_entries, min, max;
    for (uint32_t i = 0; i < n; i++)
        codes[i] = locals[i] == NO_LOCAL ? none : code_of[locals[i]];
    pack_bounds32(codes, n, &min, &max);
    block->cells[c] = (struct segment_cell){.offset_and_kind = (uint64_t)KIND_CONSTANT << 56, .min = min, .max = max};
    return min == max ? 0 : put_array(w, &block->cells[c], begin, codes, n);
}

static uint32_t attribute_of(uint64_t attributes, enum segment_section s)
{
    return s == SECTION_AS ? (uint32_t)attributes : (uint32_t)(attributes >> 32 & 0xff);
}

/* said_by_rows - the column's true values: what the block knew of the address, but for its exceptions. */
static void said_by_rows(struct writer *w, uint32_t k, unsigned c, uint32_t n, uint32_t *out)
{
    const struct block *block = &w->b->blocks[k];
    int by = segment_by_address(c);
    unsigned side = by == FLOW_DESTINATION_IP;
    const uint16_t *locals = w->b->locals[by] + (size_t)k * SEGMENT_BLOCK_ROWS;
    const uint64_t *known = (const uint64_t *)w->b->attributes.p + block->first_address;
    const struct exception *e = (const struct exception *)w->b->exceptions.p + block->exceptions[side];
    for (uint32_t i = 0; i < n; i++)
        out[i] = locals[i] == NO_LOCAL ? 0 : attribute_of(known[locals[i]], segment_attribute(c));
    for (size_t i = 0; i < block->n_exceptions[side]; i++)
        out[e[i].row] = attribute_of(e[i].attributes, segment_attribute(c));
}

/* put_exceptions - rows whose value is not that of their entry. Return: 0, 1 (too many), or -ENOMEM. */
static int put_exceptions(struct writer *w, uint32_t k, unsigned c, uint32_t n, size_t begin, const uint32_t *said)
{
    uint16_t rows[SEGMENT_BLOCK_ROWS] __attribute__((uninitialized));
    struct block *block = &w->b->blocks[k];
    struct segment_cell *cell = &block->cells[c];
    const uint16_t *locals = w->b->locals[segment_by_address(c)] + (size_t)k * SEGMENT_BLOCK_ROWS;
    const uint32_t *code_of = w->b->index.code_of + block->first_address;
    uint32_t n_rows = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = locals[i] == NO_LOCAL ? 0
                                           : attribute_of(w->b->index.attributes[code_of[locals[i]]], segment_attribute(c));
        rows[n_rows] = (uint16_t)i;
        n_rows += v != said[i];
    }
    if ((size_t)n_rows * EXCEPTION_BYTES > pack_bits_bytes(n, pack_width(cell->max - cell->min)) / 2)
        return 1;
    size_t from = w->b->out.n;
    buf_add(&w->b->out, &n_rows, 4);
    buf_add(&w->b->out, rows, n_rows * sizeof(*rows));
    for (uint32_t i = 0; i < n_rows; i++)
        buf_add(&w->b->out, &said[rows[i]], 4);
    if (w->b->out.is_bad)
        return -ENOMEM;
    end_cell(w, cell, KIND_BY_ADDRESS, from, begin);
    if (segment_attribute(c) == SECTION_AS)
        w->uses_as = true;
    else
        w->uses_mask = true;
    return 0;
}

/* deviations - which attributes (HAS_AS, HAS_MASK) some address of the block had otherwise than its entry. */
static uint64_t deviations(const struct writer *w, const struct block *block)
{
    const uint64_t *known = (const uint64_t *)w->b->attributes.p + block->first_address;
    const uint32_t *code_of = w->b->index.code_of + block->first_address;
    uint64_t found = 0;
    for (uint32_t i = 0; i < block->n_addresses; i++) {
        uint64_t x = known[i] ^ w->b->index.attributes[code_of[i]];
        found |= (x & ATTRIBUTE_AS(-1)) ? known[i] & HAS_AS : 0;
        found |= (x & ATTRIBUTE_MASK(-1)) ? known[i] & HAS_MASK : 0;
    }
    return found;
}

/* put_few_exceptions - all addresses agree with their entries: only rows noted when the block was closed remain. */
static int put_few_exceptions(struct writer *w, uint32_t k, unsigned c, size_t begin)
{
    const struct block *block = &w->b->blocks[k];
    unsigned side = segment_by_address(c) == FLOW_DESTINATION_IP;
    enum segment_section s = segment_attribute(c);
    const uint16_t *locals = w->b->locals[segment_by_address(c)] + (size_t)k * SEGMENT_BLOCK_ROWS;
    const struct exception *e = (const struct exception *)w->b->exceptions.p + block->exceptions[side];
    size_t from = w->b->out.n, n = block->n_exceptions[side];
    uint32_t n_rows = 0, values[SEGMENT_BLOCK_ROWS] __attribute__((uninitialized));
    buf_add(&w->b->out, &n_rows, 4);
    for (size_t i = 0; i < n; i++) {
        uint16_t local = locals[e[i].row], row = (uint16_t)e[i].row;
        uint64_t entry = local == NO_LOCAL ? 0 : w->b->index.attributes[w->b->index.code_of[block->first_address + local]];
        values[n_rows] = attribute_of(e[i].attributes, s);
        if (values[n_rows] == attribute_of(entry, s))
            continue;
        buf_add(&w->b->out, &row, 2);
        n_rows++;
    }
    buf_add(&w->b->out, values, n_rows * sizeof(*values));
    if (w->b->out.is_bad)
        return -ENOMEM;
    memcpy(w->b->out.p + from, &n_rows, 4);
    end_cell(w, &w->b->blocks[k].cells[c], KIND_BY_ADDRESS, from, begin);
    if (s == SECTION_AS)
        w->uses_as = true;
    else
        w->uses_mask = true;
    return 0;
}

enum { FEW_EXCEPTIONS = 200 };

static int put_by_address(struct writer *w, uint32_t k, unsigned c, uint32_t n, size_t begin, uint64_t deviating)
{
    uint32_t *said = w->b->numbers;
    unsigned side = segment_by_address(c) == FLOW_DESTINATION_IP;
    if (!(deviating & (segment_attribute(c) == SECTION_AS ? HAS_AS : HAS_MASK)) &&
        w->b->blocks[k].n_exceptions[side] <= FEW_EXCEPTIONS)
        return put_few_exceptions(w, k, c, begin);
    said_by_rows(w, k, c, n, said);
    int r = put_exceptions(w, k, c, n, begin, said);
    return r == 1 ? put_array(w, &w->b->blocks[k].cells[c], begin, said, n) : r;
}

static int put_block(struct writer *w, uint32_t k)
{
    struct block *block = &w->b->blocks[k];
    size_t begin = w->b->out.n;
    uint32_t n = k + 1 < w->b->n_blocks ? SEGMENT_BLOCK_ROWS : w->b->n_rows - k * SEGMENT_BLOCK_ROWS;
    uint64_t waiting = (block->columns & ((UINT64_C(1) << FLOW_N_ADDRESSES) - 1)) | block->by_address;
    uint64_t deviating = block->by_address ? deviations(w, block) : 0;
    buf_add(&w->b->out, w->b->packed.p + block->packed, block->packed_bytes);
    for (; waiting; waiting &= waiting - 1) {
        unsigned c = (unsigned)__builtin_ctzll(waiting);
        int r = c < FLOW_N_ADDRESSES ? put_codes(w, k, c, n, begin) : put_by_address(w, k, c, n, begin, deviating);
        if (r)
            return r;
    }
    for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++)
        if (block->cells[c].n_bytes)
            block->cells[c].offset_and_kind += w->at + begin;
    return w->b->out.n >= FLUSH_BYTES || w->b->out.is_bad ? flush(w) : 0;
}

/* --- the index ----------------------------------------------------------------------------- */

static void begin_section(struct writer *w, enum segment_section s)
{
    static const uint8_t zeros[8];
    buf_add(&w->b->out, zeros, -w->b->out.n & 7);
    w->header.sections[s].offset = w->b->out.n;
}

static void end_section(struct writer *w, enum segment_section s)
{
    w->header.sections[s].n_bytes = w->b->out.n - w->header.sections[s].offset;
}

static void put_section(struct writer *w, enum segment_section s, const struct buf *x)
{
    begin_section(w, s);
    if (x->n)
        buf_add(&w->b->out, x->p, x->n);
    end_section(w, s);
}

static void put_directory(struct writer *w)
{
    begin_section(w, SECTION_DIRECTORY);
    for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++) {
        if (c != SEGMENT_PRESENCE && !(w->b->columns >> c & 1))
            continue;
        for (uint32_t k = 0; k < w->b->n_blocks; k++)
            buf_add(&w->b->out, &w->b->blocks[k].cells[c], sizeof(struct segment_cell));
        w->header.n_columns++;
    }
    end_section(w, SECTION_DIRECTORY);
}

static void put_observers(struct writer *w)
{
    begin_section(w, SECTION_OBSERVERS);
    for (uint32_t i = 0; i < w->b->n_observers; i++) {
        buf_add(&w->b->out, w->b->observers[i].ip.b, 16);
        buf_add(&w->b->out, &w->b->observers[i].domain, 4);
    }
    end_section(w, SECTION_OBSERVERS);
}

static int put_attributes(struct writer *w, enum segment_section s, bool is_used)
{
    begin_section(w, s);
    if (is_used) {
        uint32_t n = w->b->index.n_entries, *v = malloc(n * sizeof(*v));
        uint8_t *p = buf_room(&w->b->out, PACK_ARRAY_MAX_BYTES(n));
        for (uint32_t i = 0; v && p && i < n; i++)
            v[i] = attribute_of(w->b->index.attributes[i], s);
        if (v && p)
            w->b->out.n += pack_array32(v, n, p);
        free(v);
        if (!v || !p)
            return -ENOMEM;
    }
    end_section(w, s);
    return 0;
}

static int put_index(struct writer *w)
{
    put_directory(w);
    put_observers(w);
    put_section(w, SECTION_HEADS, &w->b->index.heads);
    put_section(w, SECTION_GROUPS, &w->b->index.groups);
    put_section(w, SECTION_BODY, &w->b->index.body);
    put_section(w, SECTION_POSTING_GROUPS, &w->b->index.posting_groups);
    put_section(w, SECTION_POSTINGS, &w->b->index.postings);
    int r = put_attributes(w, SECTION_AS, w->uses_as);
    if (!r)
        r = put_attributes(w, SECTION_MASK, w->uses_mask);
    if (r || w->b->out.is_bad)
        return -ENOMEM;
    size_t n = w->b->out.n, n_checksums = sealed_pieces(n) * 8;
    w->header.index_offset = w->at;
    w->header.index_bytes = n;
    uint8_t *p = buf_room(&w->b->out, n_checksums);
    if (!p)
        return -ENOMEM;
    sealed_write_checksums(w->b->out.p, n, p);
    w->header.checksums_checksum = XXH3_64bits(p, n_checksums);
    w->b->out.n += n_checksums;
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
    h->n_entries = w->b->index.n_entries;
    h->n_observers = b->n_observers;
    h->columns = b->columns;
    h->event_min_us = b->event_min_us;
    h->event_max_us = b->event_max_us;
    h->arrived_min_us = b->arrived_min_us;
    h->arrived_max_us = b->arrived_max_us;
    h->n_bytes = w->at;
    h->checksum = XXH3_64bits(h, offsetof(struct segment_header, checksum));
    memcpy(page, h, sizeof(*h));
    return write_at(w->fd, page, sizeof(page), 0);
}

static int write_all(struct writer *w, uint64_t id)
{
    int r = segment_builder_flush(w->b);
    if (r)
        return r;
    if (!w->b->n_rows)
        return -EINVAL;
    r = segment_index_build(w->b);
    for (uint32_t k = 0; !r && k < w->b->n_blocks; k++)
        r = put_block(w, k);
    if (!r)
        r = flush(w);
    if (!r)
        r = put_index(w);
    return r ? r : put_header(w, id);
}

int segment_builder_write(struct segment_builder *b, uint64_t id, int fd, uint64_t *ret_n_bytes, struct fault *f)
{
    struct writer w = {.b = b, .fd = fd, .at = SEGMENT_HEADER_BYTES};
    buf_clear(&b->out);
    b->out.max = (size_t)1 << 33;
    int r = write_all(&w, id);
    if (r == -ENOMEM)
        return FAULT(f, r, segment_no_memory, (unsigned long long)id,
                     (unsigned long long)b->n_rows * (2 * sizeof(uint64_t)));
    if (r)
        return FAULT(f, r, segment_io, (unsigned long long)id, "write", strerror(-r));
    *ret_n_bytes = w.at;
    return 0;
}
