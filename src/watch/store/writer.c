/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live writing: a batch is packed, written to the journal of its family, then added to the segment being built. A batch
 * that fills a block is packed as the segment will have it, and the journal keeps those bytes for it; others wait as rows
 * until they fill one. The journal is the truth: if building fails, the segment is made from the journal later.
 */
#include "watch/store/store_impl.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct open_segment {
    bool is_open;
    struct journal journal;
    struct segment_builder *builder; /* NULL while open: memory ran out, the journal will be replayed */
    int64_t opened_us;               /* by the clock of tick; 0: no tick since */
};

struct store_writer {
    struct store *store;
    struct open_segment open[2]; /* family 4, 6 */
    struct buf notes;            /* for the next frame */
    struct buf packed;
    struct build_group group;
    int64_t synced_us;
    bool goes_on;        /* store_writer_go_on */
    struct fault trouble; /* of the last attempt; code 0: none */
    bool is_of_tick;     /* it was tick's: its next success ends the trouble */
    int64_t retry_us;    /* steady time; until then nothing is tried */
};

int store_writer_new(struct store *s, struct store_writer **ret, struct fault *f)
{
    struct store_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return FAULT(f, -ENOMEM, store_no_memory, "store");
    w->store = s;
    w->notes.max = JOURNAL_NOTES_MAX;
    w->packed.max = 2 * BATCH_PACK_MAX;
    for (int i = 0; i < 2; i++)
        w->open[i].journal.fd = -1;
    *ret = w;
    return 0;
}

/* builder_rows - a batch is never split, so a segment made smaller for a test still takes one whole batch. */
static uint32_t builder_rows(const struct store *s)
{
    uint32_t rows = store_segment_rows(s);
    return rows < FLOW_BATCH_ROWS ? FLOW_BATCH_ROWS : rows;
}

static int open_one(struct store_writer *w, struct open_segment *o, int family, struct fault *f)
{
    struct store *s = w->store;
    int r = store_open_journal(s, family, &o->journal, f);
    if (r)
        return r;
    o->builder = segment_builder_new(family, builder_rows(s));
    o->opened_us = 0;
    o->is_open = true;
    return 0;
}

/* seal_one - hand the open segment to the builders; the next append opens another. */
static int seal_one(struct store_writer *w, struct open_segment *o, struct fault *f)
{
    if (!o->is_open)
        return 0;
    struct build_job *job = calloc(1, sizeof(*job));
    if (!job)
        return FAULT(f, -ENOMEM, store_no_memory, "store"); /* it stays open and journaled */
    job->group = &w->group;
    job->builder = o->builder;
    job->journal = o->journal;
    job->segment = (struct manifest_segment){.id = store_new_id(w->store), .order = o->journal.id,
                                             .family = o->journal.family,
                                             .arrived_min_us = o->journal.arrived_min_us,
                                             .arrived_max_us = o->journal.arrived_max_us};
    if (o->builder && segment_builder_rows(o->builder) == 0) { /* only notes: nothing to build */
        segment_builder_free(o->builder);
        job->builder = NULL;
    }
    o->builder = NULL;
    o->journal.fd = -1;
    o->is_open = false;
    build_submit(w->store, job);
    return 0;
}

static void keep_notes(struct store_writer *w, uint64_t sequence)
{
    const uint8_t *p = w->notes.p, *key;
    size_t n_key;
    uint64_t value;
    pthread_mutex_lock(&w->store->notes_lock);
    while (w->notes.n && journal_note_next(&p, w->notes.p + w->notes.n, &key, &n_key, &value))
        (void)manifest_note_set(&w->store->notes, key, n_key, value, sequence); /* full: known keys still move */
    pthread_mutex_unlock(&w->store->notes_lock);
    buf_clear(&w->notes);
}

static int write_frame(struct store_writer *w, struct open_segment *o, uint32_t n_rows, struct fault *f)
{
    uint64_t before = o->journal.n_bytes;
    struct journal_frame frame = {.sequence = atomic_fetch_add(&w->store->sequence, 1) + 1,
                                  .arrived_us = clock_now_us(), .n_rows = n_rows,
                                  .notes = w->notes.p, .n_notes = w->notes.n,
                                  .batch = w->packed.p, .n_batch = w->packed.n};
    int r = journal_append(&o->journal, &frame, f);
    if (r == -ENOSPC)
        store_drop_spares(w->store);
    if (r)
        return r;
    STORE_COUNT(w->store, journal_bytes, o->journal.n_bytes - before);
    STORE_COUNT(w->store, rows_kept, n_rows);
    if (w->notes.n)
        keep_notes(w, frame.sequence);
    return 0;
}

/* fit - an open journal that has room for the batch. */
static int fit(struct store_writer *w, struct open_segment *o, const struct flow_batch *b, struct fault *f)
{
    if (o->is_open && o->journal.n_rows + b->n > builder_rows(w->store)) {
        int r = seal_one(w, o, f);
        if (r)
            return r;
    }
    return o->is_open ? 0 : open_one(w, o, b->family, f);
}

/* add_rows - acknowledged now: if it fails, the journal has them all the same. @packed: 0, or where in the frame's batch the block is. */
static void add_rows(struct open_segment *o, const struct flow_batch *b, uint64_t batch_at, size_t packed)
{
    uint32_t taken = b->n;
    if (!o->builder)
        return;
    int r = packed ? segment_builder_take(o->builder, b, o->journal.fd, batch_at + packed) : segment_builder_add(o->builder, b, 0, &taken);
    if (r >= 0 && taken == b->n)
        return;
    segment_builder_free(o->builder);
    o->builder = NULL;
}

/* journal_batch - Return: 0 or -errno: nothing of the batch is acknowledged, it may be tried again. */
static int journal_batch(struct store_writer *w, const struct flow_batch *b, struct fault *f)
{
    struct open_segment *o = &w->open[b->family == 6];
    size_t packed = 0;
    if (!b->n)
        return 0;
    int r = fit(w, o, b, f);
    if (r)
        return r;
    buf_clear(&w->packed);
    bool is_block = o->builder && segment_builder_pack(o->builder, b, &w->packed, &packed) == 0;
    if (!is_block && batch_pack(b, &w->packed))
        return FAULT(f, -ENOMEM, store_no_memory, "store/journals");
    uint64_t batch_at = o->journal.n_bytes + JOURNAL_FRAME_BYTES + w->notes.n;
    r = write_frame(w, o, b->n, f);
    if (r)
        return r;
    add_rows(o, b, batch_at, is_block ? packed : 0);
    if (o->journal.n_rows >= store_segment_rows(w->store))
        (void)seal_one(w, o, NULL); /* if memory is out now, the next append tries again */
    return 0;
}

void store_writer_go_on(struct store_writer *w)
{
    w->goes_on = true;
}

bool store_writer_trouble(const struct store_writer *w, struct fault *ret)
{
    *ret = w->trouble;
    return w->trouble.code != 0;
}

int store_writer_append(struct store_writer *w, const struct flow_batch *b, struct fault *f)
{
    enum { PAUSE_US = 200000 }; /* a full disk is not asked for every batch */
    if (!w->goes_on)
        return journal_batch(w, b, f);
    if (!w->trouble.code || clock_steady_us() >= w->retry_us) {
        struct fault trouble = {0};
        int r = journal_batch(w, b, &trouble);
        if (!r) {
            w->trouble.code = 0;
            return 0;
        }
        w->trouble = trouble;
        w->trouble.code = r;
        w->is_of_tick = false;
        w->retry_us = clock_steady_us() + PAUSE_US;
    }
    STORE_COUNT(w->store, rows_dropped, b->n);
    buf_clear(&w->notes); /* they tell of rows that are lost: after a restart the gap must show */
    return 0;
}

int store_writer_note(struct store_writer *w, const void *key, size_t n_key, uint64_t value)
{
    if (n_key == 0 || n_key > MANIFEST_KEY_MAX)
        return -EINVAL;
    size_t before = w->notes.n;
    journal_note_add(&w->notes, key, n_key, value);
    if (!w->notes.is_bad)
        return 0;
    bool is_full = before + n_key + 16 > w->notes.max;
    w->notes.is_bad = false;
    w->notes.n = before;
    return is_full ? -ENOBUFS : -ENOMEM;
}

static int sync_all(struct store_writer *w, struct fault *f)
{
    int r = 0;
    for (int i = 0; i < 2; i++) {
        int e = w->open[i].is_open ? build_sync(w->store, &w->group, &w->open[i].journal, r ? NULL : f) : 0;
        r = r ? r : e;
    }
    return r;
}

static bool is_old(struct open_segment *o, int64_t now_us, int64_t limit_us)
{
    if (!o->is_open)
        return false;
    if (o->opened_us == 0 || now_us < o->opened_us) /* first seen, or the clock was set back */
        o->opened_us = now_us;
    return now_us - o->opened_us >= limit_us;
}

static int tick(struct store_writer *w, int64_t now_us, struct fault *f)
{
    int64_t seal_after_us = w->store->options.seal_after_us;
    int r = build_failed(w->store, &w->group, f);
    if (now_us < w->synced_us || now_us - w->synced_us >= STORE_SYNC_US) {
        int e = sync_all(w, r ? NULL : f);
        w->synced_us = now_us;
        r = r ? r : e;
    }
    for (int i = 0; i < 2; i++)
        if (is_old(&w->open[i], now_us, seal_after_us)) {
            int e = seal_one(w, &w->open[i], r ? NULL : f);
            r = r ? r : e;
        }
    int e = build_pending(w->store, now_us, false, r ? NULL : f);
    return r ? r : e;
}

int store_writer_tick(struct store_writer *w, int64_t now_us, struct fault *f)
{
    if (!w->goes_on)
        return tick(w, now_us, f);
    struct fault trouble = {0};
    int r = tick(w, now_us, &trouble); /* rows that are journaled stay so: sealing is tried again, at the latest at the next start */
    if (r) {
        w->trouble = trouble;
        w->trouble.code = r;
        w->is_of_tick = true;
    } else if (w->is_of_tick) {
        w->trouble.code = 0;
        w->is_of_tick = false;
    }
    return 0;
}

/* flush_notes - notes without rows behind them still reach a journal, so that the seal keeps them. */
static int flush_notes(struct store_writer *w, struct fault *f)
{
    if (!w->notes.n)
        return 0;
    struct open_segment *o = w->open[0].is_open || !w->open[1].is_open ? &w->open[0] : &w->open[1];
    int r = o->is_open ? 0 : open_one(w, o, 4, f);
    buf_clear(&w->packed);
    return r ? r : write_frame(w, o, 0, f);
}

int store_writer_seal(struct store_writer *w, struct fault *f)
{
    int r = flush_notes(w, f);
    for (int i = 0; i < 2; i++) {
        int e = seal_one(w, &w->open[i], r ? NULL : f);
        r = r ? r : e;
    }
    int e = build_wait(w->store, &w->group, r ? NULL : f);
    return r ? r : e;
}

void store_writer_free(struct store_writer *w)
{
    if (!w)
        return;
    (void)build_wait(w->store, &w->group, NULL);
    for (int i = 0; i < 2; i++) {
        struct open_segment *o = &w->open[i];
        segment_builder_free(o->builder);
        if (!o->is_open)
            continue;
        (void)journal_sync(&o->journal, NULL);
        (void)build_add_pending(w->store, o->journal.id, o->journal.family);
        journal_close(&o->journal);
    }
    buf_fini(&w->notes);
    buf_fini(&w->packed);
    free(w);
}
