/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads share nothing but the number of the next segment; each binds the filter for itself.
 */
#include "watch/query/run.h"
#include "watch/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 64 };

int query_over_memory(struct query_run *run)
{
    return FAULT(run->fault, -ENOMEM, query_memory, run->memory_bytes >> 20);
}

int query_go_on(struct query_run *run)
{
    const struct query_options *o = run->options;
    if (!o->progress)
        return 0;
    pthread_mutex_lock(&run->lock);
    int r = o->progress(o->progress_context, run->n_begun++, run->n_segments + run->n_logs);
    pthread_mutex_unlock(&run->lock);
    return r;
}

void query_damaged(struct query_run *run, const struct segment *s, uint32_t n_blocks)
{
    struct query_report *r = run->report;
    uint64_t id = segment_info(s)->id;
    pthread_mutex_lock(&run->lock);
    r->n_damaged_blocks += n_blocks;
    bool is_known = false;
    for (uint32_t i = 0; i < r->n_damaged_segments && i < QUERY_DAMAGES; i++)
        is_known = is_known || r->damaged_segments[i] == id;
    if (!is_known && r->n_damaged_segments < QUERY_DAMAGES)
        r->damaged_segments[r->n_damaged_segments++] = id;
    pthread_mutex_unlock(&run->lock);
}

int query_worker_init(struct query_worker *w, struct query_run *run)
{
    *w = (struct query_worker){.run = run};
    w->filter = query_filter_new(run->q, run->options->since_us, run->options->until_us);
    w->mask = malloc(SEGMENT_BLOCK_ROWS);
    w->rows = malloc(SEGMENT_BLOCK_ROWS * sizeof(*w->rows));
    w->local.n_key_words = run->q->n_keys + 1;
    w->local.max_bytes = w->names.max_bytes = run->memory_bytes / 2 / run->n_threads;
    return w->filter && w->mask && w->rows ? 0 : -ENOMEM;
}

void query_worker_fini(struct query_worker *w)
{
    query_filter_free(w->filter);
    query_block_fini(&w->block);
    query_table_fini(&w->local);
    query_names_fini(&w->names);
    for (size_t i = 0; i <= QUERY_KEYS; i++)
        free(w->keys[i]);
    free(w->values);
    free(w->has_value);
    free(w->sums);
    free(w->low);
    free(w->high);
    free(w->mask);
    free(w->rows);
}

static void account(struct query_worker *w, uint64_t n_blocks_read, uint64_t n_matched, const struct segment_info *info)
{
    struct query_report *r = w->run->report;
    pthread_mutex_lock(&w->run->lock);
    r->n_segments++;
    r->n_segments_read += n_blocks_read != 0;
    r->n_blocks += info->n_blocks;
    r->n_blocks_read += n_blocks_read;
    r->n_rows += info->n_rows;
    r->n_rows_matched += n_matched;
    pthread_mutex_unlock(&w->run->lock);
}

int query_each_block(struct query_worker *w, size_t i, int (*each)(struct query_worker *w, uint32_t n))
{
    const struct segment *s = w->run->segments[i];
    const struct segment_info *info = segment_info(s);
    uint32_t n_candidates, n;
    uint64_t n_matched = 0;
    int r = query_filter_bind(w->filter, s, &n_candidates);
    if (r == -EBADMSG) {
        query_damaged(w->run, s, info->n_blocks);
        n_candidates = 0;
        r = 0;
    }
    for (uint32_t b = 0; !r && n_candidates && b < info->n_blocks; b++) {
        if ((w->only_blocks && !(w->only_blocks[b / 64] >> b % 64 & 1)) || !query_filter_may(w->filter, b))
            continue;
        if (atomic_load_explicit(&w->run->failed, memory_order_relaxed))
            break;
        query_block_open(&w->block, s, b);
        r = query_filter_block(w->filter, &w->block, w->mask, &n);
        n_matched += r ? 0 : n;
        if (!r && n)
            r = each(w, n);
        if (r == -EBADMSG) {
            query_damaged(w->run, s, 1);
            r = 0;
        }
    }
    account(w, n_candidates, n_matched, info);
    return r;
}

struct thread {
    struct query_worker worker;
    pthread_t id;
    int (*segment)(struct query_worker *w, size_t i);
};

static void *work(void *context)
{
    struct thread *t = context;
    struct query_run *run = t->worker.run;
    for (;;) {
        size_t i = atomic_fetch_add(&run->next, 1);
        if (i >= run->n_segments || atomic_load(&run->failed))
            return NULL;
        int none = 0, r = query_go_on(run);
        r = r ? r : t->segment(&t->worker, i);
        if (r)
            atomic_compare_exchange_strong(&run->failed, &none, r);
    }
}

int query_parallel(struct query_run *run, int (*segment)(struct query_worker *w, size_t i))
{
    struct thread *threads = calloc(run->n_threads, sizeof(*threads));
    if (!threads)
        return FAULT(run->fault, -ENOMEM, no_memory, "query");
    int r = 0;
    for (unsigned i = 0; i < run->n_threads; i++) {
        threads[i].segment = segment;
        int failed = query_worker_init(&threads[i].worker, run);
        r = r ? r : failed;
    }
    unsigned started = 0;
    while (!r && started + 1 < run->n_threads && started + 1 < run->n_segments &&
           !pthread_create(&threads[started + 1].id, NULL, work, &threads[started + 1]))
        started++; /* fewer threads than asked for are no failure */
    if (!r)
        work(&threads[0]);
    for (unsigned i = 1; i <= started; i++)
        pthread_join(threads[i].id, NULL);
    for (unsigned i = 0; i < run->n_threads; i++)
        query_worker_fini(&threads[i].worker);
    free(threads);
    r = r ? r : atomic_load(&run->failed);
    return r == -ENOMEM ? query_over_memory(run) : r;
}

static int run_all(struct segment *const *segments, size_t n, struct log_segment *const *logs, size_t n_logs, const struct query *q,
                   const struct query_options *o, const struct query_sink *sink, struct query_report *ret, struct fault *f)
{
    struct query_run run = {.segments = segments, .n_segments = n, .logs = logs, .n_logs = n_logs, .q = q, .options = o,
                            .sink = sink, .report = ret, .fault = f};
    *ret = (struct query_report){0};
    run.memory_bytes = o->memory_bytes ? o->memory_bytes : QUERY_MEMORY_BYTES;
    run.n_threads = o->n_threads > MAX_THREADS ? MAX_THREADS : o->n_threads ? o->n_threads : 1;
    run.groups.n_key_words = 2 * q->n_keys + 1;
    run.groups.max_bytes = run.names.max_bytes = run.memory_bytes / 2;
    int e = pthread_mutex_init(&run.lock, NULL);
    if (e)
        return FAULT(f, -e, query_no_threads, strerrordesc_np(e));
    int r = sink->begin(sink->context, q->columns, q->n_columns);
    if (!r && !q->is_grouped)
        r = query_run_rows(&run);
    else if (!r) {
        r = n_logs ? 1 : query_run_top(&run);
        if (r == 1)
            r = query_run_groups(&run);
    }
    query_table_fini(&run.groups);
    query_names_fini(&run.names);
    pthread_mutex_destroy(&run.lock);
    return r;
}

int query_run_segments(struct segment *const *segments, size_t n, const struct query *q, const struct query_options *o,
                       const struct query_sink *sink, struct query_report *ret, struct fault *f)
{
    return run_all(segments, n, NULL, 0, q, o, sink, ret, f);
}

int query_run(struct store_view *v, const struct query *q, const struct query_options *o, const struct query_sink *sink,
              struct query_report *ret, struct fault *f)
{
    size_t n = store_view_n_segments(v), n_logs = store_view_n_logs(v);
    struct segment **segments = calloc(n + 1, sizeof(struct segment *));
    struct log_segment **logs = calloc(n_logs + 1, sizeof(struct log_segment *));
    if (!segments || !logs) {
        free(segments);
        free(logs);
        return FAULT(f, -ENOMEM, no_memory, "query");
    }
    for (size_t i = 0; i < n; i++)
        segments[i] = store_view_segment(v, i);
    for (size_t i = 0; i < n_logs; i++)
        logs[i] = store_view_log(v, i);
    int r = run_all(segments, n, logs, n_logs, q, o, sink, ret, f);
    free(logs);
    free(segments);
    return r;
}
