/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment with few matching entries is asked entry by entry for its blocks: then a block is searched, packed as it
 * is, for the few codes that brought it. With many, a block's codes are looked up in a bitmap.
 */
#include "watch/hunt/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_CODES = 4096, SEARCHED_CODES = 16, ROW_WORDS = SEGMENT_BLOCK_ROWS / 64, WINDOW = 32, COLUMNS = 16 };

struct scan {
    const struct hunt_options *o;
    unsigned columns[COLUMNS];
    size_t n_columns;
    hunt_scan_each each;
    void *context;
    struct hunt_coverage *coverage;
    struct query_block block;
    uint8_t *ends;   /* per row of a block */
    uint32_t *rows;  /* found */
    uint8_t *found_ends;
    uint64_t *blocks, *one; /* bitmaps of blocks */
    size_t n_words;
    uint32_t *first_of_block; /* few codes: where the codes of a block begin in codes_of_block */
    uint32_t *codes_of_block;
    uint64_t *pairs; /* block << 32 | code */
    size_t n_codes_room;
    uint64_t *bits; /* per code of the segment, made when needed */
    size_t n_bits_words;
    bool has_bits;
    uint64_t n_segments_done;
};

static int room_blocks(struct scan *c, uint32_t n_blocks)
{
    size_t words = (n_blocks + 63) / 64 + 1;
    if (words <= c->n_words)
        return 0;
    free(c->blocks);
    free(c->one);
    free(c->first_of_block);
    c->blocks = calloc(words, sizeof(*c->blocks));
    c->one = calloc(words, sizeof(*c->one));
    c->first_of_block = calloc(words * 64 + 2, sizeof(*c->first_of_block));
    c->n_words = c->blocks && c->one && c->first_of_block ? words : 0;
    return c->n_words ? 0 : -ENOMEM;
}

/* --- which codes are in which block ---------------------------------------------------- */

static int room_codes(struct scan *c, size_t n)
{
    if (n <= c->n_codes_room)
        return 0;
    size_t room = n < 4096 ? 4096 : 2 * n;
    uint64_t *pairs = realloc(c->pairs, room * sizeof(*pairs));
    c->pairs = pairs ? pairs : c->pairs;
    uint32_t *codes = pairs ? realloc(c->codes_of_block, room * sizeof(*codes)) : NULL;
    c->codes_of_block = codes ? codes : c->codes_of_block;
    c->n_codes_room = codes ? room : c->n_codes_room;
    return codes ? 0 : -ENOMEM;
}

/* the blocks of one code as pairs, counted per block */
static int take_blocks(struct scan *c, const struct segment *s, uint32_t code, size_t *n)
{
    uint32_t n_blocks = segment_info(s)->n_blocks;
    int r = segment_postings_range(s, code, code + 1, c->one);
    if (!r)
        r = room_codes(c, *n + n_blocks);
    for (size_t w = 0; !r && w < (n_blocks + 63) / 64; w++) {
        c->blocks[w] |= c->one[w];
        for (uint64_t bits = c->one[w]; bits; bits &= bits - 1) {
            uint32_t b = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
            if (b >= n_blocks)
                return -EBADMSG;
            c->first_of_block[b + 2]++;
            c->pairs[(*n)++] = (uint64_t)b << 32 | code;
        }
    }
    return r;
}

/* afterwards block b has its codes at first[b]..first[b + 1] */
static int few_codes(struct scan *c, const struct segment *s, const uint32_t *codes, size_t n_codes)
{
    uint32_t n_blocks = segment_info(s)->n_blocks, *first = c->first_of_block;
    size_t n = 0;
    memset(first, 0, (n_blocks + 2) * sizeof(*first));
    memset(c->blocks, 0, (n_blocks + 63) / 64 * sizeof(*c->blocks));
    segment_want_postings(s, codes, n_codes);
    for (size_t i = 0; i < n_codes; i++) {
        int r = take_blocks(c, s, codes[i], &n);
        if (r)
            return r;
    }
    for (uint32_t b = 1; b <= n_blocks; b++)
        first[b + 1] += first[b];
    for (size_t i = 0; i < n; i++)
        c->codes_of_block[first[(c->pairs[i] >> 32) + 1]++] = (uint32_t)c->pairs[i];
    return 0;
}

static int make_bits(struct scan *c, const struct segment *s, const uint32_t *codes, size_t n_codes)
{
    size_t words = segment_info(s)->n_entries / 64 + 1; /* one more code: that of rows without the address */
    if (c->has_bits)
        return 0;
    if (words > c->n_bits_words) {
        free(c->bits);
        c->bits = malloc(words * sizeof(*c->bits));
        c->n_bits_words = c->bits ? words : 0;
        if (!c->bits)
            return -ENOMEM;
    }
    memset(c->bits, 0, words * sizeof(*c->bits));
    for (size_t i = 0; i < n_codes; i++)
        c->bits[codes[i] / 64] |= UINT64_C(1) << codes[i] % 64;
    c->has_bits = true;
    return 0;
}

/* --- rows of a block ----------------------------------------------------------------------- */

/* rows with one of few codes */
static int search(struct scan *c, const struct segment *s, uint32_t block, const uint32_t *codes, uint32_t n_codes, uint32_t *ret_n)
{
    uint64_t source[ROW_WORDS], destination[ROW_WORDS];
    uint32_t n = 0;
    int r = segment_mark_codes(s, block, FLOW_SOURCE_IP, codes, n_codes, source);
    if (!r)
        r = segment_mark_codes(s, block, FLOW_DESTINATION_IP, codes, n_codes, destination);
    for (uint32_t w = 0; !r && w < (segment_block_rows(s, block) + 63) / 64; w++)
        for (uint64_t left = source[w] | destination[w]; left; left &= left - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(left);
            c->rows[n] = w * 64 + bit;
            c->found_ends[n++] = (uint8_t)((source[w] >> bit & 1 ? HUNT_END_SOURCE : 0) |
                                           (destination[w] >> bit & 1 ? HUNT_END_DESTINATION : 0));
        }
    *ret_n = n;
    return r;
}

static void look_up(const uint32_t *v, uint32_t n, const uint64_t *bits, uint8_t shift, uint8_t *ends)
{
    for (uint32_t i = 0; i < n; i++)
        ends[i] |= (uint8_t)((bits[v[i] / 64] >> v[i] % 64 & 1) << shift);
}

static uint32_t gather(struct scan *c, uint32_t n_rows)
{
    uint32_t n = 0, i = 0;
    for (; i + 8 <= n_rows; i += 8) {
        uint64_t eight;
        memcpy(&eight, c->ends + i, 8);
        for (uint32_t k = i; eight && k < i + 8; k++)
            if (c->ends[k]) {
                c->found_ends[n] = c->ends[k];
                c->rows[n++] = k;
            }
    }
    for (; i < n_rows; i++)
        if (c->ends[i]) {
            c->found_ends[n] = c->ends[i];
            c->rows[n++] = i;
        }
    return n;
}

static bool has_window(const struct hunt_options *o)
{
    return o->since_us != INT64_MIN || o->until_us != INT64_MAX;
}

/* drop the rows that lie outside the window */
static int keep_window(struct scan *c, uint32_t *n)
{
    struct query_block *b = &c->block;
    uint32_t kept = 0;
    if (!has_window(c->o))
        return 0;
    for (uint32_t i = 0; i < *n; i++) {
        uint64_t has, start = 0, end = 0;
        int r = query_block_has(b, c->rows[i], &has);
        bool has_start = has & FLOW_HAS(FLOW_START), has_end = has & FLOW_HAS(FLOW_END);
        if (!r && has_start)
            r = query_block_number(b, FLOW_COLUMN_NUMBER(FLOW_START), c->rows[i], &start);
        if (!r && has_end)
            r = query_block_number(b, FLOW_COLUMN_NUMBER(FLOW_END), c->rows[i], &end);
        if (r)
            return r;
        if (!has_start && !has_end)
            continue;
        start = has_start ? start : end;
        end = has_end ? end : start;
        int64_t low = (int64_t)start < (int64_t)end ? (int64_t)start : (int64_t)end;
        int64_t high = (int64_t)start < (int64_t)end ? (int64_t)end : (int64_t)start;
        if (low > c->o->until_us || high < c->o->since_us)
            continue;
        c->rows[kept] = c->rows[i];
        c->found_ends[kept++] = c->found_ends[i];
    }
    *n = kept;
    return 0;
}

static bool window_may(const struct scan *c, const struct segment *s, uint32_t block)
{
    struct segment_bounds start, end;
    segment_bounds(s, block, FLOW_COLUMN_NUMBER(FLOW_START), &start);
    segment_bounds(s, block, FLOW_COLUMN_NUMBER(FLOW_END), &end);
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    if (!start.is_absent) {
        least = (int64_t)start.min;
        greatest = (int64_t)start.max;
    }
    if (!end.is_absent) {
        least = (int64_t)end.min < least ? (int64_t)end.min : least;
        greatest = (int64_t)end.max > greatest ? (int64_t)end.max : greatest;
    }
    return least <= c->o->until_us && greatest >= c->o->since_us;
}

/* rows with any of many codes, which stand in the bitmap */
static int sift(struct scan *c, uint32_t *ret_n)
{
    static const unsigned columns[2] = {FLOW_SOURCE_IP, FLOW_DESTINATION_IP};
    struct query_block *b = &c->block;
    memset(c->ends, 0, b->n_rows);
    for (unsigned i = 0; i < 2; i++) {
        struct segment_bounds bounds;
        segment_bounds(b->segment, b->block, columns[i], &bounds);
        if (bounds.is_absent)
            continue;
        int r = query_block_load(b, columns[i]);
        if (r)
            return r;
        look_up(b->v32[columns[i]], b->n_rows, c->bits, (uint8_t)i, c->ends);
    }
    *ret_n = gather(c, b->n_rows);
    return 0;
}

/* @of_block: the codes that can occur, or NULL: any */
static int scan_block(struct scan *c, const struct segment *s, uint32_t block, const uint32_t *of_block, uint32_t n_of_block)
{
    struct query_block *b = &c->block;
    uint32_t n = 0;
    query_block_open(b, s, block);
    int r = of_block ? search(c, s, block, of_block, n_of_block, &n) : sift(c, &n);
    if (!r && n)
        r = keep_window(c, &n);
    if (r || !n)
        return r;
    r = c->each(c->context, b, c->rows, c->found_ends, n);
    c->coverage->n_rows_listed += r ? 0 : n;
    return r;
}

/* the blocks of a window that begins with @from are asked of the disk. Return: the block behind it */
static uint32_t want_blocks(struct scan *c, const struct segment *s, uint32_t from)
{
    uint32_t blocks[WINDOW], n = 0, n_blocks = segment_info(s)->n_blocks;
    for (; from < n_blocks && n < WINDOW; from++)
        if (c->blocks[from / 64] >> from % 64 & 1)
            blocks[n++] = from;
    segment_want_columns(s, blocks, n, c->columns, c->n_columns);
    return from;
}

static int scan_blocks(struct scan *c, const struct segment *s, const uint32_t *codes, size_t n_codes, bool is_few)
{
    uint32_t n_blocks = segment_info(s)->n_blocks;
    uint32_t next = want_blocks(c, s, 0), wanted = next; /* one window ahead of what is read */
    int r = 0;
    for (uint32_t b = 0; !r && b < n_blocks; b++) {
        if (b == next || !b) {
            next = wanted;
            wanted = want_blocks(c, s, wanted);
        }
        if (!(c->blocks[b / 64] >> b % 64 & 1) || (has_window(c->o) && !window_may(c, s, b)))
            continue;
        uint32_t from = is_few ? c->first_of_block[b] : 0, n = is_few ? c->first_of_block[b + 1] - from : 0;
        bool is_searched = is_few && n <= SEARCHED_CODES;
        if (!is_searched)
            r = make_bits(c, s, codes, n_codes);
        if (!r)
            r = scan_block(c, s, b, is_searched ? c->codes_of_block + from : NULL, n);
        if (r == -EBADMSG) {
            hunt_coverage_damage(c->coverage, s, 1);
            r = 0;
        }
    }
    return r;
}

static int scan_segment(void *context, struct segment *s, const uint32_t *codes, size_t n_codes)
{
    struct scan *c = context;
    bool is_few = n_codes <= FEW_CODES;
    c->has_bits = false;
    int r = room_blocks(c, segment_info(s)->n_blocks);
    if (!r)
        r = is_few ? few_codes(c, s, codes, n_codes) : segment_postings(s, codes, n_codes, c->blocks);
    if (r == -EBADMSG) {
        hunt_coverage_damage(c->coverage, s, segment_info(s)->n_blocks);
        return 0;
    }
    if (!r)
        r = scan_blocks(c, s, codes, n_codes, is_few);
    c->n_segments_done++;
    if (!r && c->o->progress)
        r = c->o->progress(c->o->progress_context, c->n_segments_done, c->coverage->n_segments);
    return r;
}

enum { AHEAD_BLOCKS = 256 }; /* of one segment: of more the disk is asked as the scan goes on */

/* scan_ahead - what scan_segment will read: run by other threads, changes nothing of the scan. */
static void scan_ahead(void *context, const struct segment *s, const uint32_t *codes, size_t n_codes)
{
    const struct scan *c = context;
    uint64_t bitmap[SEGMENT_ROWS / SEGMENT_BLOCK_ROWS / 64];
    uint32_t blocks[AHEAD_BLOCKS], n = 0, n_blocks = segment_info(s)->n_blocks;
    if (n_codes > FEW_CODES)
        return;
    segment_want_postings(s, codes, n_codes);
    if (segment_postings(s, codes, n_codes, bitmap))
        return; /* who reads it learns of the damage */
    for (uint32_t b = 0; b < n_blocks && n < AHEAD_BLOCKS; b++)
        if (bitmap[b / 64] >> b % 64 & 1)
            blocks[n++] = b;
    segment_want_columns(s, blocks, n, c->columns, c->n_columns);
}

static void scan_fini(struct scan *c)
{
    query_block_fini(&c->block);
    free(c->ends);
    free(c->rows);
    free(c->found_ends);
    free(c->blocks);
    free(c->one);
    free(c->first_of_block);
    free(c->codes_of_block);
    free(c->pairs);
    free(c->bits);
}

int hunt_scan(struct store_view *v, const struct address_set *set, const struct hunt_options *o, const unsigned *columns,
              size_t n_columns, hunt_scan_each each, void *context, struct hunt_coverage *coverage, struct fault *f)
{
    struct scan c = {.o = o, .each = each, .context = context, .coverage = coverage,
                     .columns = {FLOW_SOURCE_IP, FLOW_DESTINATION_IP, SEGMENT_COLUMN_PRESENT}, .n_columns = 3};
    for (size_t i = 0; i < n_columns && c.n_columns < COLUMNS; i++)
        c.columns[c.n_columns++] = columns[i];
    c.ends = malloc(SEGMENT_BLOCK_ROWS);
    c.found_ends = malloc(SEGMENT_BLOCK_ROWS);
    c.rows = malloc(SEGMENT_BLOCK_ROWS * sizeof(*c.rows));
    const struct store_find ask = {o->since_us, o->until_us, o->n_threads ? o->n_threads : 1, scan_segment, scan_ahead, &c};
    int r = c.ends && c.found_ends && c.rows ? hunt_coverage_begin(coverage, v, o->since_us, o->until_us) : -ENOMEM;
    if (!r)
        r = store_view_find_with(v, set, &ask, f);
    else
        FAULT(f, r, no_memory, "hunt");
    scan_fini(&c);
    hunt_coverage_end(coverage, v);
    return r;
}

/* --- a row ------------------------------------------------------------------------------------- */

static uint64_t number(struct query_block *b, unsigned n, uint32_t row, uint64_t has, int *r)
{
    uint64_t v = 0;
    if (!*r && has & FLOW_HAS(n))
        *r = query_block_number(b, FLOW_COLUMN_NUMBER(n), row, &v);
    return v;
}

static struct ip address(struct query_block *b, unsigned column, uint32_t row, uint64_t has, int *r)
{
    uint64_t code = 0;
    if (*r || !(has & FLOW_HAS_ADDRESS(column)))
        return (struct ip){{0}};
    *r = query_block_number(b, column, row, &code);
    if (!*r && code >= segment_info(b->segment)->n_entries)
        *r = -EBADMSG;
    return *r ? (struct ip){{0}} : segment_address(b->segment, (uint32_t)code);
}

int hunt_row_read(struct query_block *b, uint32_t row, uint8_t ends, struct hunt_row *ret)
{
    uint64_t has;
    int r = query_block_has(b, row, &has);
    if (r)
        return r;
    *ret = (struct hunt_row){
        .start_us = (int64_t)number(b, FLOW_START, row, has, &r),
        .end_us = (int64_t)number(b, FLOW_END, row, has, &r),
        .received_us = (int64_t)number(b, FLOW_RECEIVED, row, has, &r),
        .has_received = has & FLOW_HAS(FLOW_RECEIVED),
        .has_start = has & FLOW_HAS(FLOW_START),
        .has_end = has & FLOW_HAS(FLOW_END),
        .has_source = has & FLOW_HAS_ADDRESS(FLOW_SOURCE_IP),
        .has_destination = has & FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP),
        .has_source_port = has & FLOW_HAS(FLOW_SOURCE_PORT),
        .has_destination_port = has & FLOW_HAS(FLOW_DESTINATION_PORT),
        .has_protocol = has & FLOW_HAS(FLOW_PROTOCOL),
        .has_packets = has & (FLOW_HAS(FLOW_SOURCE_PACKETS) | FLOW_HAS(FLOW_DESTINATION_PACKETS)),
        .has_bytes = has & (FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_DESTINATION_BYTES)),
        .source_port = (uint16_t)number(b, FLOW_SOURCE_PORT, row, has, &r),
        .destination_port = (uint16_t)number(b, FLOW_DESTINATION_PORT, row, has, &r),
        .protocol = (uint8_t)number(b, FLOW_PROTOCOL, row, has, &r),
        .is_source_listed = ends & HUNT_END_SOURCE,
        .is_destination_listed = ends & HUNT_END_DESTINATION,
    };
    ret->source = address(b, FLOW_SOURCE_IP, row, has, &r);
    ret->destination = address(b, FLOW_DESTINATION_IP, row, has, &r);
    ret->packets = query_add(number(b, FLOW_SOURCE_PACKETS, row, has, &r), number(b, FLOW_DESTINATION_PACKETS, row, has, &r));
    ret->bytes = query_add(number(b, FLOW_SOURCE_BYTES, row, has, &r), number(b, FLOW_DESTINATION_BYTES, row, has, &r));
    return r;
}
