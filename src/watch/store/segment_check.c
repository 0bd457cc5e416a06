/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking all of a segment, and the merge of its dictionary with a set of addresses.
 */
#include "watch/store/segment_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int bad(const struct segment *s, struct fault *f, const char *part, uint32_t block)
{
    return FAULT(f, -EBADMSG, segment_bad_part, (unsigned long long)s->info.id, part, block);
}

static int check_order4(const struct segment *s, uint64_t g, uint32_t *last)
{
    uint32_t v[DICTIONARY_GROUP4], n;
    if (dictionary_read4(&s->dictionary, g, v, &n))
        return -EBADMSG;
    for (uint32_t i = 0; i < n; i++) {
        if ((g || i) && v[i] <= *last)
            return -EBADMSG;
        *last = v[i];
    }
    return 0;
}

static int check_order6(const struct segment *s, uint64_t g, struct wide *last)
{
    struct wide v[DICTIONARY_GROUP6];
    uint32_t n;
    if (dictionary_read6(&s->dictionary, g, v, &n))
        return -EBADMSG;
    for (uint32_t i = 0; i < n; i++) {
        if ((g || i) && !wide_less(*last, v[i]))
            return -EBADMSG;
        *last = v[i];
    }
    return 0;
}

static int check_dictionary(const struct segment *s)
{
    uint32_t last4 = 0;
    struct wide last6 = {0, 0};
    for (uint64_t g = 0; g < dictionary_n_groups(s->info.family, s->info.n_entries); g++)
        if (s->info.family == 4 ? check_order4(s, g, &last4) : check_order6(s, g, &last6))
            return -EBADMSG;
    return 0;
}

/*
 * Rows and postings are compared entry by entry through a sum over the blocks in which it occurs,
 * each block standing for a number that no other blocks sum to but by chance of 2^-64.
 */
static uint64_t block_number(uint32_t block)
{
    uint64_t x = (block + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 27;
}

struct sums {
    uint64_t *sum;   /* by code */
    uint32_t *stamp; /* block + 1 in which the code was last seen */
};

static int sum_rows(const struct segment *s, uint32_t block, struct sums *x)
{
    uint32_t codes[SEGMENT_BLOCK_ROWS], n = segment_block_rows(s, block);
    for (unsigned c = 0; c < FLOW_N_ADDRESSES; c++) {
        if (segment_read32(s, block, c, codes))
            return -EBADMSG;
        for (uint32_t i = 0; i < n; i++) {
            if (codes[i] >= s->info.n_entries || x->stamp[codes[i]] == block + 1)
                continue;
            x->stamp[codes[i]] = block + 1;
            x->sum[codes[i]] += block_number(block);
        }
    }
    return 0;
}

static int check_postings(const struct segment *s, const struct sums *x)
{
    uint64_t bitmap[SEGMENT_BLOCKS_MAX / 64];
    for (uint32_t code = 0; code < s->info.n_entries; code++) {
        uint64_t sum = 0;
        if (segment_postings_range(s, code, code + 1, bitmap))
            return -EBADMSG;
        for (uint32_t k = 0; k < (s->info.n_blocks + 63) / 64; k++)
            for (uint64_t left = bitmap[k]; left; left &= left - 1)
                sum += block_number(k * 64 + (uint32_t)__builtin_ctzll(left));
        if (sum != x->sum[code])
            return -EBADMSG;
    }
    return 0;
}

/* check_bounds - does the directory keep its word? */
static int check_bounds(const struct segment *s, uint32_t block, unsigned column, const uint64_t *v)
{
    struct segment_bounds b;
    uint64_t sign = segment_sign(column);
    segment_bounds(s, block, column, &b);
    for (uint32_t i = 0; i < segment_block_rows(s, block); i++)
        if ((v[i] ^ sign) < (b.min ^ sign) || (v[i] ^ sign) > (b.max ^ sign))
            return -EBADMSG;
    return 0;
}

static int check_block(const struct segment *s, uint32_t block, struct fault *f)
{
    uint64_t v[SEGMENT_BLOCK_ROWS];
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++)
        if (segment_read64(s, block, c, v) || check_bounds(s, block, c, v))
            return bad(s, f, flow_columns[c].name, block);
    if (segment_present(s, block, v))
        return bad(s, f, "presence", block);
    struct segment_texts *t;
    int r = segment_texts_open(s, block, &t);
    if (r == -EBADMSG)
        return bad(s, f, "texts", block);
    if (!r)
        segment_texts_close(t);
    return r;
}

static int check_index(const struct segment *s, struct fault *f)
{
    for (size_t at = 0; at < s->index.n_bytes; at += s->index.piece_bytes)
        if (!sealed_get(&s->index, at, 1))
            return bad(s, f, "index", (uint32_t)(at / s->index.piece_bytes));
    return check_dictionary(s) ? bad(s, f, "dictionary", 0) : 0;
}

/* check_padding - between the last block and the index, which begins with a page, stand zeros. */
static int check_padding(const struct segment *s, struct fault *f)
{
    uint64_t end = SEGMENT_HEADER_BYTES;
    struct segment_column x;
    for (uint32_t b = 0; b < s->info.n_blocks; b++)
        for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++) {
            if (segment_column_place(s, b, c, &x))
                return bad(s, f, "columns", b);
            if (x.p && (uint64_t)(x.p - s->p) + x.n_bytes > end)
                end = (uint64_t)(x.p - s->p) + x.n_bytes;
        }
    for (; end < s->header.index_offset; end++)
        if (s->p[end])
            return bad(s, f, "padding", s->info.n_blocks - 1);
    return 0;
}

int segment_verify(const struct segment *s, struct fault *f)
{
    size_t n = (size_t)s->info.n_entries + 1;
    struct sums x = {calloc(n, sizeof(*x.sum)), calloc(n, sizeof(*x.stamp))};
    int r = x.sum && x.stamp ? 0 : -ENOMEM;
    if (r)
        FAULT(f, r, segment_no_memory, (unsigned long long)s->info.id, (unsigned long long)n * 12);
    if (!r)
        r = check_index(s, f);
    for (uint32_t b = 0; !r && b < s->info.n_blocks; b++) {
        r = check_block(s, b, f);
        if (!r && sum_rows(s, b, &x))
            r = bad(s, f, "addresses", b);
    }
    if (!r && check_postings(s, &x))
        r = bad(s, f, "postings", 0);
    if (!r)
        r = check_padding(s, f);
    free(x.sum);
    free(x.stamp);
    return r;
}

/* --- merge ----------------------------------------------------------------------------------- */

struct codes {
    uint32_t *out;
    size_t n;
};

static int take_codes(void *context, const uint64_t *entries, const uint32_t *v4, const struct wide *v6, uint32_t n)
{
    struct codes *c = context;
    (void)v4;
    (void)v6;
    for (uint32_t i = 0; i < n; i++)
        c->out[c->n + i] = (uint32_t)entries[i];
    c->n += n;
    return 0;
}

int segment_merge(const struct segment *s, const struct address_set *set, uint32_t *out, size_t *ret_n)
{
    struct codes c = {.out = out};
    int r = dictionary_merge(&s->dictionary, set, take_codes, &c);
    *ret_n = c.n;
    return r;
}
