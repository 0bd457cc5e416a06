/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live writing of log events, as writer.c does for flows. A batch of some size is packed once, as blocks of the segment being
 * built in memory, and the journal keeps the same bytes; of small ones the journal has a quick packing of its own, and their
 * rows wait in the segment until they are a whole block. The journal is the truth: what cannot be built now is built from it.
 */
#include "watch/store/store_impl.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

enum { JOURNAL_LEVEL = 1 };

struct store_log_writer {
    struct store *store;
    bool is_open;
    struct journal journal;
    struct log_builder *builder; /* NULL while open: memory ran out, the journal will be replayed */
    int64_t opened_us, synced_us;
    struct log_scratch *scratch;
    struct buf packed;
    struct buf notes; /* for the next frame */
    struct build_group group;
};

int store_log_writer_new(struct store *s, struct store_log_writer **ret, struct fault *f)
{
    struct store_log_writer *w = calloc(1, sizeof(*w));
    if (w)
        w->scratch = log_scratch_new();
    if (!w || !w->scratch) {
        free(w);
        return FAULT(f, -ENOMEM, store_no_memory, "store");
    }
    w->store = s;
    w->packed.max = LOG_BLOCK_BYTES_MAX;
    w->notes.max = JOURNAL_NOTES_MAX;
    w->journal.fd = -1;
    *ret = w;
    return 0;
}

static int open_one(struct store_log_writer *w, struct fault *f)
{
    struct store *s = w->store;
    int r = store_open_journal(s, MANIFEST_LOGS, &w->journal, f);
    if (r)
        return r;
    w->builder = log_builder_new(s->names, LOG_SEGMENT_ROWS);
    w->opened_us = 0;
    w->is_open = true;
    return 0;
}

static int seal_one(struct store_log_writer *w, struct fault *f)
{
    if (!w->is_open)
        return 0;
    struct build_job *job = calloc(1, sizeof(*job));
    if (!job)
        return FAULT(f, -ENOMEM, store_no_memory, "store"); /* it stays open and journaled */
    job->group = &w->group;
    job->logs = w->builder;
    job->journal = w->journal;
    job->segment = (struct manifest_segment){.id = store_new_id(w->store), .order = w->journal.id, .family = MANIFEST_LOGS,
                                             .arrived_min_us = w->journal.arrived_min_us,
                                             .arrived_max_us = w->journal.arrived_max_us};
    w->builder = NULL;
    w->journal.fd = -1;
    w->is_open = false;
    build_submit(w->store, job);
    return 0;
}

/* drop_builder - the journal has the rows: sealing reads them there. */
static void drop_builder(struct store_log_writer *w)
{
    log_builder_free(w->builder);
    w->builder = NULL;
}

/* add_rows - @ret_is_full: seal it. Failing costs the builder, not the rows: the journal has them. */
static void add_rows(struct store_log_writer *w, const struct events *e, bool *ret_is_full)
{
    for (uint32_t from = 0, taken; w->builder && from < e->n; from += taken) {
        int r = log_builder_add(w->builder, e, from, &taken);
        *ret_is_full |= r == LOG_SEGMENT_FULL;
        if (r < 0 || (r == LOG_SEGMENT_FULL && from + taken < e->n)) /* a frame is never split between two segments */
            drop_builder(w);
    }
}

static void keep_notes(struct store_log_writer *w, uint64_t sequence)
{
    struct journal_frame frame = {.sequence = sequence, .notes = w->notes.p, .n_notes = w->notes.n};
    pthread_mutex_lock(&w->store->notes_lock);
    replay_keep_notes(&w->store->notes, &frame);
    pthread_mutex_unlock(&w->store->notes_lock);
    buf_clear(&w->notes);
}

int store_log_writer_note(struct store_log_writer *w, const void *key, size_t n_key, uint64_t value)
{
    if (n_key == 0 || n_key > MANIFEST_KEY_MAX)
        return -EINVAL;
    size_t before = w->notes.n;
    journal_note_add(&w->notes, key, n_key, value);
    if (!w->notes.is_bad)
        return 0;
    w->notes.is_bad = false;
    w->notes.n = before;
    return before + n_key + 16 > w->notes.max ? -ENOBUFS : -ENOMEM;
}

/* pack - the batch as the journal keeps it. @ret_is_taken: the builder has its rows. Return: 0 or -ENOMEM. */
static int pack(struct store_log_writer *w, const struct events *e, struct journal_frame *frame, bool *ret_is_taken, bool *ret_is_full)
{
    if (w->builder && log_builder_is_worth(e)) {
        int r = log_builder_take(w->builder, e, &frame->batch, &frame->n_batch);
        *ret_is_taken = r >= 0;
        *ret_is_full = r == LOG_SEGMENT_FULL;
        if (r >= 0)
            return 0;
        drop_builder(w);
    }
    buf_clear(&w->packed);
    int r = log_block_pack(w->scratch, e, 0, e->n, JOURNAL_LEVEL, &w->packed);
    frame->batch = w->packed.p;
    frame->n_batch = w->packed.n;
    return r;
}

int store_log_writer_append(struct store_log_writer *w, const struct events *e, struct fault *f)
{
    if (!e->n)
        return 0;
    int r = w->is_open ? 0 : open_one(w, f);
    if (r)
        return r;
    bool is_taken = false, is_full = false;
    uint64_t before = w->journal.n_bytes;
    struct journal_frame frame = {.sequence = atomic_fetch_add(&w->store->sequence, 1) + 1, .arrived_us = clock_now_us(),
                                  .n_rows = e->n, .notes = w->notes.p, .n_notes = w->notes.n};
    if (pack(w, e, &frame, &is_taken, &is_full))
        return FAULT(f, -ENOMEM, store_no_memory, "store/journals");
    r = journal_append(&w->journal, &frame, f);
    if (r && is_taken)
        drop_builder(w); /* it has rows that nobody acknowledged */
    if (r)
        return r;
    STORE_COUNT(w->store, journal_bytes, w->journal.n_bytes - before);
    STORE_COUNT(w->store, rows_kept, e->n);
    if (w->notes.n)
        keep_notes(w, frame.sequence);
    is_full |= w->journal.n_rows + EVENTS_ROWS > LOG_SEGMENT_ROWS || w->journal.n_rows + EVENTS_ROWS > w->store->options.segment_rows;
    if (!is_taken)
        add_rows(w, e, &is_full);
    if (is_full)
        (void)seal_one(w, NULL); /* if memory is out now, the next append tries again */
    return 0;
}

int store_log_writer_tick(struct store_log_writer *w, int64_t now_us, struct fault *f)
{
    int r = build_failed(w->store, &w->group, f);
    if (now_us < w->synced_us || now_us - w->synced_us >= STORE_SYNC_US) {
        int e = w->is_open ? build_sync(w->store, &w->group, &w->journal, r ? NULL : f) : 0;
        w->synced_us = now_us;
        r = r ? r : e;
    }
    if (w->is_open && (w->opened_us == 0 || now_us < w->opened_us))
        w->opened_us = now_us;
    if (w->is_open && now_us - w->opened_us >= w->store->options.seal_after_us) {
        int e = seal_one(w, r ? NULL : f);
        r = r ? r : e;
    }
    return r;
}

int store_log_writer_sync(struct store_log_writer *w, struct fault *f)
{
    return w->is_open && w->journal.is_dirty ? journal_sync(&w->journal, f) : 0;
}

int store_log_writer_seal(struct store_log_writer *w, struct fault *f)
{
    int r = seal_one(w, f);
    int e = build_wait(w->store, &w->group, r ? NULL : f);
    return r ? r : e;
}

void store_log_writer_free(struct store_log_writer *w)
{
    if (!w)
        return;
    (void)build_wait(w->store, &w->group, NULL);
    log_builder_free(w->builder);
    if (w->is_open) {
        (void)journal_sync(&w->journal, NULL);
        (void)build_add_pending(w->store, w->journal.id, MANIFEST_LOGS);
        journal_close(&w->journal);
    }
    log_scratch_free(w->scratch);
    buf_fini(&w->notes);
    buf_fini(&w->packed);
    free(w);
}
