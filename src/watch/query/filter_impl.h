/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/filter_impl - a bound filter from inside; for filter.c (which blocks) and filter_rows.c (which rows).
 */
#pragma once

#include "watch/query/filter.h"

enum {
    FEW_INTERVALS = 8,       /* compared one by one; above, a bit per code */
    FEW_RANGES = 64,         /* looked up one by one; above, the set is merged with the dictionary */
    POSTINGS_CODES = 1 << 16 /* above, postings cost more than the bounds of blocks tell */
};

struct code_interval {
    uint32_t first, last;
};

/* a leaf in the segment bound last */
struct bound_leaf {
    bool is_none; /* no row of the segment can match */
    struct code_interval few[FEW_INTERVALS];
    uint32_t n_few;
    uint64_t *bits; /* instead of few: one per code, or per observer */
    size_t n_bits_words; /* allocated */
    bool has_bits;
    struct query_leaf_plan plan;
};

struct query_filter {
    const struct query *q;
    int64_t since_us, until_us;
    const struct segment *segment;
    const struct segment_info *info;
    struct bound_leaf *leaves;
    uint64_t *may;       /* candidates */
    uint64_t **blocks;   /* block bitmaps, one per depth */
    uint8_t **masks;     /* row masks, one per depth */
    size_t n_depth, n_words;
    uint32_t *codes;     /* scratch of a merge */
    size_t n_codes_room;
    uint32_t n_window_blocks;
};

static inline bool query_filter_has_window(const struct query_filter *f)
{
    return f->since_us != INT64_MIN || f->until_us != INT64_MAX;
}
