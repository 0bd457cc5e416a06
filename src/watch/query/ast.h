/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/ast - a parsed query, as the rooms of src/watch/query hand it to each other.
 * Owned by struct query; everything lives in its arena and is immutable after parsing.
 */
#pragma once

#include "base/arena.h"
#include "watch/query/query.h"
#include "watch/store/phrase.h"

enum query_op { QUERY_AND, QUERY_OR, QUERY_NOT, QUERY_LEAF, QUERY_TRUE };

/* closed; signed fields: int64_t cast to uint64_t, first <= last as signed */
struct query_interval {
    uint64_t first, last;
};

/* one comparison: the row has the field and its value is in the set */
struct query_leaf {
    unsigned index;            /* 0..n_leaves-1 */
    unsigned column_in_text;   /* where it stands, for --explain */
    struct text source;        /* its text */
    struct query_field field;  /* never one of the two-sided ones */
    bool is_presence;          /* `field : *` */
    struct query_interval *intervals; /* numbers: ascending, disjoint, not adjacent */
    size_t n_intervals;
    struct address_set set;    /* addresses */
    struct text *patterns;     /* texts */
    size_t n_patterns;
    struct phrase *phrase;     /* in any text of a log event; `field` means nothing then */
};

struct query_node {
    enum query_op op;
    struct query_node *children, *next; /* AND and OR: two or more; NOT: one */
    struct query_leaf *leaf;
};

enum query_figure { QUERY_COUNT, QUERY_SUM, QUERY_MIN, QUERY_MAX, QUERY_AVG };

struct query_sort_key {
    struct query_field field; /* rows */
    unsigned column;          /* groups: which result column */
    bool is_descending;
};

struct query {
    struct arena arena;
    struct text text;
    struct query_node *filter; /* QUERY_TRUE if none was given */
    struct query_leaf *leaves[QUERY_LEAVES];
    unsigned n_leaves;

    bool is_grouped;
    enum query_figure figure;
    struct query_field figure_field;
    struct query_field keys[QUERY_KEYS]; /* of a timeline the first is event.start in steps */
    unsigned n_keys;
    int64_t step_us; /* 0: no timeline */
    int zone_s;
    bool is_top; /* rows that lack a key are left out */
    uint64_t top; /* groups wanted; UINT64_MAX: all */

    struct query_column columns[QUERY_COLUMNS]; /* of the answer */
    struct query_field fields[QUERY_COLUMNS];   /* rows: the field of each column */
    unsigned from[QUERY_COLUMNS];               /* groups: which of keys and figure (n_keys) */
    unsigned n_columns;
    bool is_rows;

    struct query_sort_key sort[QUERY_SORT_KEYS];
    unsigned n_sort;
    uint64_t limit_before, limit; /* before and after sorting; UINT64_MAX: none */
};
