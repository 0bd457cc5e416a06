/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/log - a filter and a window over segments of log events: which blocks can hold a matching row, and which
 * rows match.
 *
 * As with flows (filter.h) the candidate blocks are a superset by construction: words and addresses come from the
 * segment's index, AND intersects, OR unites, NOT gives all; then every row is decided by its own values.
 * A field with several values matches if one of them does. Belongs to one thread.
 */
#pragma once

#include "watch/query/ast.h"
#include "watch/store/log_segment.h"

struct query_log_leaf; /* a comparison, made ready once */

/* where a field's values stand in a row */
enum query_log_place { QUERY_LOG_VALUES, QUERY_LOG_TIME, QUERY_LOG_ARRIVED, QUERY_LOG_ORIGINAL, QUERY_LOG_BYTES, QUERY_LOG_PACKETS };

struct query_log_source {
    enum query_log_place place;
    uint16_t field, field2, total; /* BYTES, PACKETS: the two sides, and what says both */
};

enum { QUERY_LOG_REMEMBERED = 16 };

struct query_log {
    const struct query *q;
    const struct query_options *options;
    struct event_names *names;
    struct events *e; /* the block read last */
    struct log_scratch *scratch;
    struct buf folding;
    struct query_log_leaf *leaves;
    const struct log_segment *segment;
    uint64_t *may;    /* candidate blocks */
    uint64_t *spare[QUERY_DEPTH + 2];
    uint32_t block, next_block;
    int64_t not_before_us, not_after_us; /* rows outside are no longer wanted: a sorted query has enough better ones */
    bool is_backwards; /* the last block first */
    bool has_block;
    struct { /* fields whose values are asked for, looked up once */
        const struct query_field *field;
        struct query_log_source source;
    } remembered[QUERY_LOG_REMEMBERED];
    int failed; /* -ENOMEM, once query_log_next_block has said false */
};

/* query_log_init - Return: 0 or -ENOMEM; query_log_fini always. */
int query_log_init(struct query_log *l, const struct query *q, const struct query_options *o);
void query_log_fini(struct query_log *l);
/* query_log_bind - to a segment; damage of its index is counted in @report and costs nothing else: then all blocks are read. */
void query_log_bind(struct query_log *l, const struct log_segment *s, struct query_report *report);
/* query_log_next_block - read the next candidate; damaged ones are counted and passed over. Return: false at the end. */
bool query_log_next_block(struct query_log *l, struct query_report *report);
/* query_log_at - read block @block of @s, unless it is the one read last. Return: 0, -EBADMSG or -ENOMEM. */
int query_log_at(struct query_log *l, const struct log_segment *s, uint32_t block);
/* query_log_matches - row @row of the block read last: filter and window. */
bool query_log_matches(struct query_log *l, uint32_t row);
/* query_log_value - its first value of @f; texts borrowed until the next read. */
void query_log_value(struct query_log *l, const struct query_field *f, uint32_t row, struct query_value *ret);
/* query_log_text - any value as text, for groups by fields without a type. @out: EVENT_VALUE_TEXT_MAX bytes. */
struct text query_log_text(const struct query_value *v, char *out);
