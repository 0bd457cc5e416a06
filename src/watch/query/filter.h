/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/filter - a filter and a window bound to one segment: which blocks can hold a matching row, and which
 * rows of a block match.
 *
 * Addresses become codes by look-ups in the segment's dictionary. The set of candidate blocks is a superset by
 * construction, for every connective: a leaf gives the blocks its postings and bounds allow, AND intersects, OR
 * unites, NOT gives all of them. Then the rows are decided exactly, on masks of one byte a row.
 * Belongs to one thread; keeps its memory from segment to segment.
 */
#pragma once

#include "watch/query/ast.h"
#include "watch/query/block.h"

struct query_filter;

/* what binding did for one leaf, for --explain */
struct query_leaf_plan {
    uint32_t n_codes, n_intervals; /* addresses: entries of the dictionary that match */
    uint32_t n_blocks;             /* that can hold a match */
    bool used_postings;
};

/* query_filter_new - NULL when memory is out. */
struct query_filter *query_filter_new(const struct query *q, int64_t since_us, int64_t until_us);
void query_filter_free(struct query_filter *f);
/* query_filter_bind - to a segment. @ret_n_blocks: candidates; 0: nothing in it can match. Return: 0, -EBADMSG, -ENOMEM. */
int query_filter_bind(struct query_filter *f, const struct segment *s, uint32_t *ret_n_blocks);
bool query_filter_may(const struct query_filter *f, uint32_t block);
/* query_filter_window_blocks - how many blocks the window alone allows. */
uint32_t query_filter_window_blocks(const struct query_filter *f);
const struct query_leaf_plan *query_filter_plan(const struct query_filter *f, unsigned leaf);
/*
 * query_filter_block - which rows match. @mask: SEGMENT_BLOCK_ROWS bytes, 0 or 1. @ret_n: how many.
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int query_filter_block(struct query_filter *f, struct query_block *b, uint8_t *mask, uint32_t *ret_n);
/* query_text_matches - @pattern with * and ? (ASCII case does not matter, a backslash takes the next byte as it is). */
bool query_text_matches(struct text pattern, struct text t);
/* query_filter_is_all - whether every row of every segment matches. */
bool query_filter_is_all(const struct query_filter *f);
