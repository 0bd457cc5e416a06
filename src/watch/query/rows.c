/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored rows: streamed as they are found, or kept as places with their sort keys and read again in order.
 */
#include "watch/query/log.h"
#include "watch/query/mask.h"
#include "watch/query/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    DENSE_ROWS = 256,   /* of a block: above, columns are decoded whole */
    CACHED_BLOCKS = 64, /* while sorted rows are read again */
    KEEP_AT_LEAST = 4096,
    BEST_TIMES = 1 << 16
};

#define LOG (UINT32_C(1) << 31)

/* a row kept for sorting */
struct kept {
    uint32_t segment, block, row; /* of logs: LOG is in `segment` */
    struct query_value keys[QUERY_SORT_KEYS]; /* texts: owned by the arena */
};

struct sorter {
    struct kept *rows;
    size_t n, room, max;
    struct arena texts;
};

struct rows {
    struct query_run *run;
    uint64_t n_found; /* before sorting */
    struct sorter sorter;
    int64_t *best; /* a heap of the q->limit best times so far, the worst on top; NULL: not sorted by time, or too many */
    size_t n_best;
    size_t segment;
    int answer; /* of the sink, once it ended the query */
    bool is_done;
};

/* --- giving ---------------------------------------------------------------------------- */

static int give(struct rows *rows, struct query_block *b, uint32_t row)
{
    const struct query *q = rows->run->q;
    struct query_value values[QUERY_COLUMNS];
    struct text texts = {"", 0};
    int r = 0;
    for (unsigned i = 0; !r && i < q->n_columns; i++)
        r = query_block_value(b, &q->fields[i], row, &values[i]);
    if (!r && q->is_rows)
        r = query_block_texts(b, row, &texts);
    if (r)
        return r;
    rows->answer = rows->run->sink->row(rows->run->sink->context, values, q->n_columns, texts);
    rows->is_done = rows->answer != 0;
    return 0;
}

/* --- sorting ---------------------------------------------------------------------------- */

static int compare_kept(const void *a, const void *b, void *context)
{
    const struct query *q = ((struct query_run *)context)->q;
    const struct kept *x = a, *y = b;
    for (unsigned i = 0; i < q->n_sort; i++) {
        int order = query_value_compare(&x->keys[i], &y->keys[i]);
        if (order)
            return q->sort[i].is_descending ? -order : order;
    }
    if (x->segment != y->segment)
        return x->segment < y->segment ? -1 : 1;
    if (x->block != y->block)
        return x->block < y->block ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* sort, cut to the limit, and move the texts that are still needed */
static int settle(struct rows *rows)
{
    struct sorter *s = &rows->sorter;
    const struct query *q = rows->run->q;
    if (s->n)
        qsort_r(s->rows, s->n, sizeof(*s->rows), compare_kept, rows->run);
    if (s->n <= q->limit)
        return 0;
    s->n = (size_t)q->limit;
    struct arena moved = {.max_bytes = s->texts.max_bytes};
    for (size_t i = 0; i < s->n; i++)
        for (unsigned k = 0; k < q->n_sort; k++) {
            struct query_value *v = &s->rows[i].keys[k];
            if (v->kind != QUERY_TEXT)
                continue;
            const char *copy = arena_text(&moved, v->text.p, v->text.n);
            if (!copy) {
                arena_fini(&moved);
                return -ENOMEM;
            }
            v->text.p = copy;
        }
    arena_fini(&s->texts);
    s->texts = moved;
    return 0;
}

static int room(struct rows *rows)
{
    struct sorter *s = &rows->sorter;
    uint64_t limit = rows->run->q->limit;
    if (s->n < s->room)
        return 0;
    if (limit < s->room / 2) {
        int r = settle(rows);
        if (r || s->n < s->room)
            return r;
    }
    size_t more = s->room ? 2 * s->room : KEEP_AT_LEAST;
    if (more > s->max)
        return -ENOMEM;
    struct kept *p = realloc(s->rows, more * sizeof(*p));
    if (!p)
        return -ENOMEM;
    s->rows = p;
    s->room = more;
    return 0;
}

/* own_text - a sort key outlives its block. Return: 0 or -ENOMEM. */
static int own_text(struct sorter *s, struct query_value *v)
{
    if (v->kind != QUERY_TEXT)
        return 0;
    v->text.p = arena_text(&s->texts, v->text.p, v->text.n);
    return v->text.p ? 0 : -ENOMEM;
}

/*
 * best_init - of queries for the newest (or oldest) rows: blocks that hold nothing better than what is kept are not read.
 * Without memory all are.
 */
static void best_init(struct rows *rows)
{
    const struct query *q = rows->run->q;
    bool is_by_time = q->n_sort && (text_is(q->sort[0].field.name, "@timestamp") || text_is(q->sort[0].field.name, "event.start"));
    if (is_by_time && q->limit && q->limit <= BEST_TIMES)
        rows->best = malloc((size_t)q->limit * sizeof(*rows->best));
}

/* note_time - of a row that was kept, as it sorts: greater is better. */
static void note_time(struct rows *rows, const struct query_value *key)
{
    const struct query *q = rows->run->q;
    int64_t *h = rows->best, t = q->sort[0].is_descending ? key->time_us : -key->time_us;
    size_t at;
    if (!h || key->kind != QUERY_TIME || key->time_us == INT64_MIN)
        return;
    if (rows->n_best < q->limit) {
        for (at = rows->n_best++; at && h[(at - 1) / 2] > t; at = (at - 1) / 2)
            h[at] = h[(at - 1) / 2];
        h[at] = t;
        return;
    }
    if (t <= h[0])
        return;
    for (at = 0;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < rows->n_best && h[child + 1] < h[child])
            child++;
        if (child >= rows->n_best || h[child] >= t)
            break;
        h[at] = h[child];
        at = child;
    }
    h[at] = t;
}

static int keep(struct rows *rows, struct query_block *b, uint32_t row)
{
    const struct query *q = rows->run->q;
    struct sorter *s = &rows->sorter;
    int r = room(rows);
    if (r)
        return r;
    struct kept *k = &s->rows[s->n];
    *k = (struct kept){.segment = (uint32_t)rows->segment, .block = b->block, .row = row};
    for (unsigned i = 0; !r && i < q->n_sort; i++) {
        r = query_block_value(b, &q->sort[i].field, row, &k->keys[i]);
        r = r ? r : own_text(s, &k->keys[i]);
    }
    if (!r)
        note_time(rows, &k->keys[0]);
    s->n += !r;
    return r;
}

/* --- log events --------------------------------------------------------------------------- */

/* want_better - rows worse than all that are kept need not be looked at; as good ones may, by what else sorts. */
static void want_better(const struct rows *rows, struct query_log *l)
{
    const struct query *q = rows->run->q;
    if (!rows->best)
        return;
    l->is_backwards = q->sort[0].is_descending;
    if (rows->n_best < q->limit)
        return;
    if (q->sort[0].is_descending)
        l->not_before_us = rows->best[0];
    else
        l->not_after_us = -rows->best[0];
}

static int give_log(struct rows *rows, struct query_log *l, uint32_t row)
{
    const struct query *q = rows->run->q;
    const struct query_sink *sink = rows->run->sink;
    struct query_value values[QUERY_COLUMNS];
    if (q->is_rows && sink->event)
        rows->answer = sink->event(sink->context, l->e, row);
    else {
        for (unsigned i = 0; i < q->n_columns; i++)
            query_log_value(l, &q->fields[i], row, &values[i]);
        rows->answer = sink->row(sink->context, values, q->n_columns, (struct text){"", 0});
    }
    rows->is_done = rows->answer != 0;
    return 0;
}

static int keep_log(struct rows *rows, struct query_log *l, uint32_t row)
{
    const struct query *q = rows->run->q;
    struct sorter *s = &rows->sorter;
    int r = room(rows);
    if (r)
        return r;
    struct kept *k = &s->rows[s->n];
    *k = (struct kept){.segment = (uint32_t)rows->segment | LOG, .block = l->block, .row = row};
    for (unsigned i = 0; !r && i < q->n_sort; i++) {
        query_log_value(l, &q->sort[i].field, row, &k->keys[i]);
        r = own_text(s, &k->keys[i]);
    }
    if (!r)
        note_time(rows, &k->keys[0]);
    s->n += !r;
    return r;
}

static int log_rows(struct rows *rows, struct query_log *l)
{
    struct query_run *run = rows->run;
    int r = 0;
    want_better(rows, l);
    query_log_bind(l, run->logs[rows->segment], run->report);
    for (; !r && !rows->is_done && query_log_next_block(l, run->report); want_better(rows, l))
        for (uint32_t row = 0; !r && !rows->is_done && row < l->e->n; row++) {
            if (!query_log_matches(l, row))
                continue;
            run->report->n_rows_matched++;
            r = run->q->n_sort ? keep_log(rows, l, row) : give_log(rows, l, row);
            rows->n_found += !r;
            rows->is_done |= rows->n_found >= run->q->limit_before;
        }
    return r ? r : l->failed;
}

/* give_kept_log - read again; blocks are remembered one at a time: sorted rows of one block often stand together. */
static int give_kept_log(struct rows *rows, struct query_log *l, const struct kept *k)
{
    struct log_segment *s = rows->run->logs[k->segment & ~LOG];
    int r = query_log_at(l, s, k->block);
    if (r == -EBADMSG)
        return 0; /* it was read before: counted then, or damaged meanwhile */
    return r ? r : give_log(rows, l, k->row);
}

static int give_sorted(struct rows *rows)
{
    struct query_block *cache = calloc(CACHED_BLOCKS, sizeof(*cache));
    struct query_log logs;
    if (!cache)
        return -ENOMEM;
    int r = query_log_init(&logs, rows->run->q, rows->run->options);
    r = r ? r : settle(rows);
    struct sorter *s = &rows->sorter;
    for (size_t i = 0; !r && !rows->is_done && i < s->n; i++) {
        const struct kept *k = &s->rows[i];
        if (k->segment & LOG) {
            r = give_kept_log(rows, &logs, k);
            continue;
        }
        const struct segment *segment = rows->run->segments[k->segment];
        struct query_block *b = &cache[(k->segment * 31 + k->block) % CACHED_BLOCKS];
        if (b->segment != segment || b->block != k->block)
            query_block_open(b, segment, k->block);
        r = give(rows, b, k->row);
        if (r == -EBADMSG) {
            query_damaged(rows->run, segment, 1);
            r = 0;
        }
    }
    for (size_t i = 0; i < CACHED_BLOCKS; i++)
        query_block_fini(&cache[i]);
    free(cache);
    query_log_fini(&logs);
    return r;
}

/* --- finding ------------------------------------------------------------------------------ */

/* what is read of many rows is decoded at once */
static int load_dense(struct rows *rows, struct query_block *b)
{
    const struct query *q = rows->run->q;
    int r = 0;
    for (unsigned i = 0; !r && i < q->n_sort; i++)
        r = query_block_load_field(b, &q->sort[i].field);
    for (unsigned i = 0; !r && !q->n_sort && i < q->n_columns; i++)
        r = query_block_load_field(b, &q->fields[i]);
    return r;
}

static int block_rows(struct rows *rows, struct query_worker *w, uint32_t n)
{
    const struct query *q = rows->run->q;
    uint32_t n_rows = mask_rows(w->mask, w->block.n_rows, w->rows);
    if (n_rows > q->limit_before - rows->n_found)
        n_rows = (uint32_t)(q->limit_before - rows->n_found);
    int r = n > DENSE_ROWS ? load_dense(rows, &w->block) : 0;
    for (uint32_t i = 0; !r && !rows->is_done && i < n_rows; i++) {
        r = q->n_sort ? keep(rows, &w->block, w->rows[i]) : give(rows, &w->block, w->rows[i]);
        rows->n_found += !r;
    }
    if (rows->n_found >= q->limit_before)
        rows->is_done = true;
    return r;
}

static int segment_rows(struct rows *rows, struct query_worker *w)
{
    struct query_run *run = rows->run;
    const struct segment *s = run->segments[rows->segment];
    const struct segment_info *info = segment_info(s);
    uint32_t n_candidates, n;
    struct query_report *report = run->report;
    int r = query_filter_bind(w->filter, s, &n_candidates);
    report->n_segments++;
    report->n_blocks += info->n_blocks;
    report->n_rows += info->n_rows;
    if (r == -EBADMSG) {
        query_damaged(run, s, info->n_blocks);
        return 0;
    }
    report->n_segments_read += !r && n_candidates;
    for (uint32_t b = 0; !r && n_candidates && !rows->is_done && b < info->n_blocks; b++) {
        if (!query_filter_may(w->filter, b))
            continue;
        query_block_open(&w->block, s, b);
        report->n_blocks_read++;
        r = query_filter_block(w->filter, &w->block, w->mask, &n);
        report->n_rows_matched += r ? 0 : n;
        if (!r && n)
            r = block_rows(rows, w, n);
        if (r == -EBADMSG) {
            query_damaged(run, s, 1);
            r = 0;
        }
    }
    return r;
}

int query_run_rows(struct query_run *run)
{
    struct rows rows = {.run = run};
    struct query_worker w;
    rows.sorter.max = run->memory_bytes / 2 / sizeof(struct kept);
    rows.sorter.texts.max_bytes = run->memory_bytes / 2;
    int r = query_worker_init(&w, run);
    best_init(&rows);
    for (; !r && !rows.is_done && rows.segment < run->n_segments; rows.segment++) {
        r = query_go_on(run);
        r = r ? r : segment_rows(&rows, &w);
    }
    query_worker_fini(&w);
    struct query_log logs;
    if (!r && !rows.is_done && run->n_logs) {
        r = query_log_init(&logs, run->q, run->options);
        for (rows.segment = 0; !r && !rows.is_done && rows.segment < run->n_logs; rows.segment++) {
            r = query_go_on(run);
            r = r ? r : log_rows(&rows, &logs);
        }
        query_log_fini(&logs);
    }
    if (!r && !rows.answer && run->q->n_sort) {
        rows.is_done = false;
        r = give_sorted(&rows);
    }
    free(rows.best);
    free(rows.sorter.rows);
    arena_fini(&rows.sorter.texts);
    if (r == -ENOMEM)
        return query_over_memory(run);
    return r ? r : rows.answer;
}
