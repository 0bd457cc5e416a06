/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/query - the question one types, and its exact answer from the store.
 *
 *   FILTER | PIPE | PIPE ...
 *   filter:  source.ip : 203.0.113.0/24 and destination.port : (80 or 443) and not network.transport : udp
 *            FIELD : VALUE  FIELD = VALUE  !=  <  <=  >  >=     and, or, not, ( ), * for everything, FIELD : * for "has it"
 *            values: numbers (0x hex, k M G T, Ki Mi Gi Ti), 80-90 or 80..90, addresses, prefixes, ranges a-b, times,
 *            texts with * and ? (letter case does not matter), "quoted", lists (80 or 443), @NAME for a list's addresses
 *            ip and port mean either end; `list : NAME` either end in that list; an address alone means ip : it
 *            a word or "quoted words" without a field: any text of a log event, folded (lỗi, loi and LỖI are one; adm* *adm*);
 *            with = before it (="Lỗi") exactly so. Of message and error.message words are enough too.
 *   pipes:   top N FIELD[,FIELD] [by sum(F)|count|min(F)|max(F)|avg(F)]       rows without a FIELD are left out
 *            count | sum F | min F | max F | avg F   [by FIELD[,FIELD]]       a missing FIELD is a group of its own
 *            timeline [INTERVAL] [sum(F)|...] [by FIELD[,FIELD]]              by event.start, steps in local time
 *            fields F,F...   sort F [asc|desc], ...   limit N   first [N]   last [N]   (oldest, newest rows; one unless given)
 *
 * Meaning: a comparison with a field that a row lacks is false, `not` negates whatever stands behind it; `F != x` is
 * "has F, and it is not x". A flow lies in a window if its interval [start, end] overlaps it (both ends belong to the
 * window). Rows come newest segment first and in stored order, unless sorted. Groups come in descending order of
 * their figure, then ascending by field. Sums saturate at 2^64 - 1 and are 0 where no row has the field.
 *
 * In:     query text, untrusted, at most QUERY_TEXT_BYTES; a view of the store.
 * Out:    rows of values into a sink.
 * Limits: QUERY_DEPTH nested parentheses, QUERY_LEAVES comparisons, memory for groups and sorting by option.
 *         A damaged segment is named in the report and the rest is answered.
 * Fuzz:   tests/fuzz/query.c
 */
#pragma once

#include "base/fault.h"
#include "watch/address_set.h"
#include "watch/query/field.h"

#define QUERY_TEXT_BYTES 65536u
#define QUERY_DEPTH 64u
#define QUERY_LEAVES 1024u
#define QUERY_VALUES 16384u
#define QUERY_KEYS 4u
#define QUERY_COLUMNS 64u
#define QUERY_SORT_KEYS 4u

#define QUERY_INVALID 1 /* the text is no query: the fault says where and what was expected */

struct query;
struct events;
struct log_segment;
struct segment;
struct store_view;

struct query_language {
    int zone_s;     /* of times that name none, and of the steps of a timeline */
    int64_t now_us; /* for spans back from now: event.start > 24h */
    /* the addresses of a list, which must outlive the query; 0, or anything else if there is none. May be NULL. */
    int (*list)(void *context, struct text name, const struct address_set **ret);
    /* whether rows may have a field of this name beside those query_field_find knows; NULL: no. */
    bool (*has_field)(void *context, struct text name);
    void *context;
    /* who asks may see only rows with an end in these, whatever the text says; NULL: all rows. @n_only 0: no row. Borrowed for the call. */
    const struct ip_range *only;
    size_t n_only;
};

/* query_parse - Return: 0, QUERY_INVALID, or -ENOMEM, each with the fault filled. */
int query_parse(const char *p, size_t n, const struct query_language *l, struct query **ret, struct fault *f);
void query_free(struct query *q);
/* query_is_rows - whether the answer is stored rows with all their fields (no `fields`, no groups). */
bool query_is_rows(const struct query *q);

struct query_column {
    struct text name; /* "source.ip", "sum(network.bytes)" ... */
    enum query_kind kind;
};

/* who takes the answer; each returns 0 to go on, anything else ends the query and is handed up */
struct query_sink {
    int (*begin)(void *context, const struct query_column *columns, size_t n);
    /* @texts: for query_is_rows all packed texts of the row (flow_text_next), else empty. Borrowed for the call. */
    int (*row)(void *context, const struct query_value *values, size_t n, struct text texts);
    void *context;
    /* for query_is_rows, instead of row: a whole log event; NULL: row is called with what the columns hold */
    int (*event)(void *context, const struct events *e, uint32_t row);
};

struct query_options {
    int64_t since_us, until_us; /* INT64_MIN, INT64_MAX: all time */
    unsigned n_threads;         /* 0: one */
    size_t memory_bytes;        /* ceiling for groups and sorting; 0: QUERY_MEMORY_BYTES */
    /* called before each segment with those begun and all, one thread at a time; not 0 ends the query and is handed up; may be NULL */
    int (*progress)(void *context, uint64_t done, uint64_t total);
    void *progress_context;
};
#define QUERY_MEMORY_BYTES ((size_t)1 << 30)

#define QUERY_DAMAGES 32u
struct query_report {
    uint64_t n_segments, n_segments_read;
    uint64_t n_blocks, n_blocks_read;
    uint64_t n_rows, n_rows_matched; /* in the segments; matched by filter and window */
    uint64_t n_damaged_blocks;       /* could not be read: their rows are missing from the answer */
    uint64_t damaged_segments[QUERY_DAMAGES]; /* ids, each once */
    uint32_t n_damaged_segments;              /* at most QUERY_DAMAGES are named */
};

/*
 * query_run - answer @q over all segments of @v.
 * Return: 0; what the sink returned; or -errno with the fault filled (-ENOMEM also for the memory ceiling).
 */
int query_run(struct store_view *v, const struct query *q, const struct query_options *o, const struct query_sink *sink,
              struct query_report *ret, struct fault *f);
/*
 * query_scope - what the store of the coming run holds: a whole row of log events has other columns than one of flows. Call
 * it before query_run when there are segments of logs.
 */
void query_scope(struct query *q, bool has_flows, bool has_logs);
/* query_run_segments - the same over @n segments, newest first. */
int query_run_segments(struct segment *const *segments, size_t n, const struct query *q, const struct query_options *o,
                       const struct query_sink *sink, struct query_report *ret, struct fault *f);

/* query_explain - how it would be answered, as lines of text for people, without reading any row. */
int query_explain(struct segment *const *segments, size_t n, const struct query *q, const struct query_options *o,
                  struct buf *out, struct fault *f);
