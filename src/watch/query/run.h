/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/run - what the ways of answering share: segments handed out to threads, damage noted, groups collected.
 */
#pragma once

#include "watch/query/filter.h"
#include "watch/query/table.h"

#include <pthread.h>
#include <stdatomic.h>

struct query_run {
    struct segment *const *segments;
    size_t n_segments;
    struct log_segment *const *logs; /* newest first; answered by one thread, after the flows */
    size_t n_logs;
    const struct query *q;
    const struct query_options *options;
    const struct query_sink *sink;
    struct query_report *report; /* under lock while threads run */
    struct fault *fault;
    size_t memory_bytes;
    unsigned n_threads;

    pthread_mutex_t lock;
    atomic_size_t next;   /* segment to be taken */
    atomic_int failed;    /* first failure of any thread: all stop */
    uint64_t n_begun;     /* segments, for progress; under lock */

    void *context;        /* of the way of answering */
    struct query_table groups; /* keys over all segments: presence, then two words a key */
    struct query_names names;
};

/* one thread at work */
struct query_worker {
    struct query_run *run;
    struct query_filter *filter;
    struct query_block block;
    uint8_t *mask;
    uint32_t *rows;          /* matching rows of the block */
    struct query_table local; /* groups of the segment: keys as stored in it */
    struct query_names names;
    uint64_t *keys[QUERY_KEYS + 1]; /* per matching row: presence, then each key */
    uint64_t *values;
    uint8_t *has_value;
    uint64_t *sums;          /* top: per code */
    size_t sums_room;
    uint32_t *low, *high;    /* top by bounds: sums per code in two halves; the upper are touched where needed only */
    size_t low_room;
    bool has_high;
    const uint64_t *only_blocks; /* query_each_block: a bitmap of those to look at; NULL: all */
};

/* query_worker_init - memory for what every way needs. Return: 0 or -ENOMEM. Always query_worker_fini after. */
int query_worker_init(struct query_worker *w, struct query_run *run);
void query_worker_fini(struct query_worker *w);

/*
 * query_each_block - bind the filter to segment @i and call @each for every candidate block with matching rows
 * (w->block, w->mask, @n). Damage is noted and passed over. Return: 0, -ENOMEM, or what @each returned but -EBADMSG.
 */
int query_each_block(struct query_worker *w, size_t i, int (*each)(struct query_worker *w, uint32_t n));
/*
 * query_parallel - @segment for every segment, newest first, by as many threads as asked for.
 * Return: 0 or the first failure, with the fault filled.
 */
int query_parallel(struct query_run *run, int (*segment)(struct query_worker *w, size_t i));
/* query_damaged - note that block @block of a segment could not be read; UINT32_MAX: none of it. */
void query_damaged(struct query_run *run, const struct segment *s, uint32_t n_blocks);
int query_over_memory(struct query_run *run);
/* query_go_on - before a segment: who asked is told, and may end it. Return: 0, or what he answered. */
int query_go_on(struct query_run *run);

/* the ways of answering; each fills the sink behind `begin` */
int query_run_rows(struct query_run *run);
int query_run_groups(struct query_run *run);
/* query_run_top - the fast way of `top N address by count|sum(counter)`. Return: 1 if this query is none of these. */
int query_run_top(struct query_run *run);
/* query_group_give - order the collected groups, cut, and give them. */
int query_group_give(struct query_run *run);
