/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/block - one block of a segment, its columns decoded when first asked for and not before.
 *
 * Belongs to one thread; moved from block to block it keeps its memory (64 KiB a column at most).
 * Return, unless said: 0, -EBADMSG (the block is damaged) or -ENOMEM.
 */
#pragma once

#include "watch/query/field.h"
#include "watch/store/segment.h"

struct query_block {
    const struct segment *segment;
    uint32_t block, n_rows;
    uint64_t loaded;          /* bits of columns that are decoded */
    uint64_t narrowed;        /* bits of columns of v64 that are decoded into v32 */
    uint64_t present_all;     /* once `has_all`: bits every row has */
    bool has_all, has_present;
    uint64_t *present;        /* once `has_present` */
    uint32_t *v32[FLOW_COLUMN_TEXT]; /* codes, and columns up to four bytes wide */
    uint64_t *v64[FLOW_COLUMN_TEXT]; /* the others */
    struct segment_copies copies; /* of columns asked for single values */
    struct segment_texts *texts;
};

/* query_block_open - stand on block @block of @s; frees what the last block alone needed. */
void query_block_open(struct query_block *b, const struct segment *s, uint32_t block);
/* query_block_fini - give all memory back; zero-initialise before first use. */
void query_block_fini(struct query_block *b);

static inline bool query_column_is_wide(unsigned column)
{
    return column >= FLOW_N_ADDRESSES && flow_columns[column].width == 8;
}

/* query_block_present - which fields the rows have, into `present`. */
int query_block_present(struct query_block *b);
/* query_block_all - what every row has, into `present_all`; cheap where all rows are alike. */
int query_block_all(struct query_block *b);
/* query_block_has - what one row has. */
int query_block_has(struct query_block *b, uint32_t row, uint64_t *ret);
/* query_block_load - decode a column into v32 or v64. */
int query_block_load(struct query_block *b, unsigned column);
/* query_block_widen - a decoded column of v32 also into v64. */
int query_block_widen(struct query_block *b, unsigned column);
/* query_block_narrow - a column of v64 or v32 into v32. Return: also QUERY_BLOCK_WIDE: it has values above 32 bits. */
#define QUERY_BLOCK_WIDE 1
int query_block_narrow(struct query_block *b, unsigned column);
/* query_block_number - one value, from the decoded column or by random access. */
int query_block_number(struct query_block *b, unsigned column, uint32_t row, uint64_t *ret);
/* query_block_texts - the packed texts of a row; empty if it has none. */
int query_block_texts(struct query_block *b, uint32_t row, struct text *ret);
/* query_block_value - the value of any one-sided field. */
int query_block_value(struct query_block *b, const struct query_field *f, uint32_t row, struct query_value *ret);
/* query_block_load_field - decode the columns of a field, when many rows will be asked for. */
int query_block_load_field(struct query_block *b, const struct query_field *f);

/* query_add - saturating sum */
static inline uint64_t query_add(uint64_t a, uint64_t b)
{
    uint64_t s;
    return __builtin_add_overflow(a, b, &s) ? UINT64_MAX : s;
}
