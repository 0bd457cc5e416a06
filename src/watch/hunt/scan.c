/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment with few matching entries is asked entry by entry for its blocks: then a block is compared with the one
 * or two codes that brought it. With many, a block's codes are looked up in a bitmap.
 */
#include "watch/hunt/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_CODES = 4096, COMPARED_CODES = 6, STRETCH = 128 };

struct scan {
    const struct hunt_options *o;
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
    free(c->codes_of_block);
    c->codes_of_block = malloc(n * sizeof(*c->codes_of_block));
    c->n_codes_room = c->codes_of_block ? n : 0;
    return c->codes_of_block ? 0 : -ENOMEM;
}

/* the blocks of one code: counted, or the code placed in each */
static int spread(struct scan *c, uint32_t code, uint32_t n_blocks, bool is_counting)
{
    uint32_t *first = c->first_of_block;
    for (size_t w = 0; w < (n_blocks + 63) / 64; w++) {
        c->blocks[w] |= c->one[w];
        for (uint64_t bits = c->one[w]; bits; bits &= bits - 1) {
            uint32_t b = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits);
            if (b >= n_blocks)
                return -EBADMSG;
            if (is_counting)
                first[b + 2]++;
            else
                c->codes_of_block[first[b + 1]++] = code;
        }
    }
    return 0;
}

/* twice over the postings: count per block, then place; afterwards block b has its codes at first[b]..first[b + 1] */
static int few_codes(struct scan *c, const struct segment *s, const uint32_t *codes, size_t n_codes)
{
    uint32_t n_blocks = segment_info(s)->n_blocks, *first = c->first_of_block;
    memset(first, 0, (n_blocks + 2) * sizeof(*first));
    memset(c->blocks, 0, (n_blocks + 63) / 64 * sizeof(*c->blocks));
    int r = 0;
    for (int pass = 0; !r && pass < 2; pass++) {
        for (size_t i = 0; !r && i < n_codes; i++) {
            r = segment_postings_range(s, codes[i], codes[i] + 1, c->one);
            if (!r)
                r = spread(c, codes[i], n_blocks, !pass);
        }
        for (uint32_t b = 1; !pass && b <= n_blocks; b++)
            first[b + 1] += first[b];
        if (!r && !pass)
            r = room_codes(c, first[n_blocks + 1]);
    }
    return r;
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

/* does @code occur in these rows? */
static uint32_t occurs(const uint32_t *v, uint32_t n, uint32_t code)
{
    uint32_t any = 0;
    for (uint32_t i = 0; i < n; i++)
        any |= (uint32_t)(v[i] == code);
    return any;
}

/* rows with one of few codes: stretches without any are passed over at the speed of reading them */
static uint32_t compare(struct scan *c, const uint32_t *const v[2], uint32_t n_rows, const uint32_t *codes, uint32_t n_codes)
{
    uint32_t n = 0;
    for (uint32_t from = 0; from < n_rows; from += STRETCH) {
        uint32_t some = n_rows - from < STRETCH ? n_rows - from : STRETCH, any = 0;
        for (uint32_t k = 0; k < n_codes; k++)
            for (unsigned end = 0; end < 2; end++)
                any |= v[end] ? some == STRETCH ? occurs(v[end] + from, STRETCH, codes[k]) : occurs(v[end] + from, some, codes[k])
                              : 0;
        for (uint32_t i = from; any && i < from + some; i++) {
            uint8_t ends = 0;
            for (uint32_t k = 0; k < n_codes; k++) {
                ends |= v[0] && v[0][i] == codes[k] ? HUNT_END_SOURCE : 0;
                ends |= v[1] && v[1][i] == codes[k] ? HUNT_END_DESTINATION : 0;
            }
            c->rows[n] = i;
            c->found_ends[n] = ends;
            n += ends != 0;
        }
    }
    return n;
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

/* @of_block: the codes that can occur, or NULL: any */
static int scan_block(struct scan *c, const struct segment *s, uint32_t block, const uint32_t *of_block, uint32_t n_of_block)
{
    static const unsigned columns[2] = {FLOW_SOURCE_IP, FLOW_DESTINATION_IP};
    struct query_block *b = &c->block;
    const uint32_t *v[2] = {NULL, NULL};
    query_block_open(b, s, block);
    for (unsigned i = 0; i < 2; i++) {
        struct segment_bounds bounds;
        segment_bounds(s, block, columns[i], &bounds);
        int x = bounds.is_absent ? 0 : query_block_load(b, columns[i]);
        if (x)
            return x;
        v[i] = bounds.is_absent ? NULL : b->v32[columns[i]];
    }
    uint32_t n;
    if (of_block) {
        n = compare(c, v, b->n_rows, of_block, n_of_block);
    } else {
        memset(c->ends, 0, b->n_rows);
        for (unsigned i = 0; i < 2; i++)
            if (v[i])
                look_up(v[i], b->n_rows, c->bits, (uint8_t)i, c->ends);
        n = gather(c, b->n_rows);
    }
    int r = n ? keep_window(c, &n) : 0;
    if (r || !n)
        return r;
    r = c->each(c->context, b, c->rows, c->found_ends, n);
    c->coverage->n_rows_listed += r ? 0 : n;
    return r;
}

static int scan_blocks(struct scan *c, const struct segment *s, const uint32_t *codes, size_t n_codes, bool is_few)
{
    uint32_t n_blocks = segment_info(s)->n_blocks;
    int r = 0;
    for (uint32_t b = 0; !r && b < n_blocks; b++) {
        if (!(c->blocks[b / 64] >> b % 64 & 1) || (has_window(c->o) && !window_may(c, s, b)))
            continue;
        uint32_t from = is_few ? c->first_of_block[b] : 0, n = is_few ? c->first_of_block[b + 1] - from : 0;
        bool is_compared = is_few && n <= COMPARED_CODES;
        if (!is_compared)
            r = make_bits(c, s, codes, n_codes);
        if (!r)
            r = scan_block(c, s, b, is_compared ? c->codes_of_block + from : NULL, n);
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
    if (c->o->progress)
        c->o->progress(c->o->progress_context, c->n_segments_done, c->coverage->n_segments);
    return r;
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
    free(c->bits);
}

int hunt_scan(struct store_view *v, const struct address_set *set, const struct hunt_options *o, hunt_scan_each each,
              void *context, struct hunt_coverage *coverage, struct fault *f)
{
    struct scan c = {.o = o, .each = each, .context = context, .coverage = coverage};
    c.ends = malloc(SEGMENT_BLOCK_ROWS);
    c.found_ends = malloc(SEGMENT_BLOCK_ROWS);
    c.rows = malloc(SEGMENT_BLOCK_ROWS * sizeof(*c.rows));
    int r = c.ends && c.found_ends && c.rows ? hunt_coverage_begin(coverage, v, o->since_us, o->until_us) : -ENOMEM;
    if (!r)
        r = store_view_find(v, set, o->since_us, o->until_us, o->n_threads ? o->n_threads : 1, scan_segment, &c, f);
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
