/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of like size become one, LEASE_MERGE_MAX at a time: a row is written anew once for every factor of 16 the store
 * grows by, and a question looks into a few dozen files at most. Merging reads block by block, so its memory is that of the texts.
 */
#include "watch/lease/store_inside.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct input {
    struct lease_segment *segment;
    uint32_t *texts;    /* numbers of the output by numbers of this segment; 0: not yet given */
    struct lease *rows; /* of the open block */
    uint32_t block, n, at;
    bool has_ended;
};

struct merge {
    struct lease_store *store;
    struct input inputs[LEASE_MERGE_MAX];
    size_t n;
    int64_t purge_before_us; /* INT64_MIN: nothing */
    struct texts texts;
    struct lease_hours hours;
    struct lease_writer *writer;
    uint64_t n_purged;
};

/* --- reading ---------------------------------------------------------------------------------------------- */

/* advance - to the next row; the first call opens the first block. */
static int advance(struct input *in)
{
    if (in->rows && in->n && ++in->at < in->n)
        return 0;
    in->at = 0;
    in->has_ended = in->block == lease_segment_n_blocks(in->segment);
    return in->has_ended ? 0 : lease_segment_block(in->segment, in->block++, in->rows, &in->n);
}

static int open_input(struct merge *m, uint64_t id, struct fault *f)
{
    struct input *in = &m->inputs[m->n];
    char name[LEASE_NAME_MAX];
    lease_file_name(id, name);
    int r = lease_segment_open(m->store->segments_fd, name, id, &in->segment, f);
    if (r)
        return r;
    m->n++;
    in->texts = calloc(lease_segment_n_texts(in->segment), sizeof(*in->texts));
    in->rows = malloc(LEASE_BLOCK_ROWS * sizeof(*in->rows));
    r = in->texts && in->rows ? advance(in) : -ENOMEM;
    return r ? FAULT(f, r, store_read_failed, name, strerrordesc_np(-r)) : 0;
}

/* least - the input whose row comes next; NULL: all have ended. */
static struct input *least(struct merge *m)
{
    struct input *best = NULL;
    for (size_t i = 0; i < m->n; i++) {
        struct input *in = &m->inputs[i];
        if (!in->has_ended && (!best || lease_compare(&in->rows[in->at], &best->rows[best->at]) < 0))
            best = in;
    }
    return best;
}

/* --- writing ------------------------------------------------------------------------------------------------ */

/* give_texts - texts enter the output with the first row that uses them: what is purged leaves no names behind. */
static int give_texts(struct merge *m, struct input *in, struct lease *l)
{
    uint32_t *const numbers[] = {&l->gateway, &l->realm, &l->source, &l->subscriber, &l->host};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        uint32_t number = *numbers[i];
        if (number >= lease_segment_n_texts(in->segment))
            return -EBADMSG;
        if (number && !in->texts[number]) {
            int r = texts_number(&m->texts, lease_segment_text(in->segment, number), &in->texts[number]);
            if (r)
                return r;
        }
        *numbers[i] = in->texts[number];
    }
    return 0;
}

static bool is_too_old(const struct merge *m, const struct lease *l)
{
    return lease_told_us(l) < m->purge_before_us;
}

static int write_rows(struct merge *m)
{
    for (struct input *in; (in = least(m));) {
        struct lease l = in->rows[in->at];
        int r = 0;
        if (is_too_old(m, &l)) {
            m->n_purged++;
        } else {
            r = give_texts(m, in, &l);
            if (!r)
                r = lease_writer_add(m->writer, &l);
            if (!r)
                lease_hours_heard(&m->hours, &l);
        }
        if (!r)
            r = advance(in);
        if (r)
            return r;
    }
    return 0;
}

static void merge_fini(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++) {
        lease_segment_close(m->inputs[i].segment);
        free(m->inputs[i].texts);
        free(m->inputs[i].rows);
    }
    lease_writer_abort(m->writer);
    texts_fini(&m->texts);
    lease_hours_fini(&m->hours);
}

/* write_merged - all rows of @m into file @name. */
static int write_merged(struct merge *m, const char *name, uint64_t id, struct lease_segment_info *ret, uint64_t *ret_n_doubled,
                        struct fault *f)
{
    int r = lease_writer_open(m->store->segments_fd, name, id, &m->writer, f);
    if (r)
        return r;
    r = write_rows(m);
    if (r)
        return FAULT(f, r, store_write_failed, name, strerrordesc_np(-r));
    uint32_t n_hours = lease_hours_sort(&m->hours);
    struct lease_writer *w = m->writer;
    m->writer = NULL;
    r = lease_writer_close(w, &m->texts, m->hours.slots, n_hours, ret, ret_n_doubled, f);
    if (!r)
        r = file_sync_dir(m->store->segments_fd);
    return r;
}

/* publish - one transaction: the new one, if it has rows, in place of @parts. */
static int publish(struct lease_store *s, const struct lease_segment_info *info, const struct manifest_segment *parts, size_t n,
                   bool *ret_is_uncertain, struct fault *f)
{
    struct manifest_change c = {0};
    struct manifest_segment whole = lease_manifest_segment(info, info->id, clock_now_us());
    for (size_t i = 0; i < n; i++) {
        manifest_del_segment(&c, parts[i].id);
        whole.arrived_min_us = parts[i].arrived_min_us < whole.arrived_min_us ? parts[i].arrived_min_us : whole.arrived_min_us;
    }
    if (info->n_rows)
        manifest_add_segment(&c, &whole);
    manifest_set_next(&c, s->manifest.next_id);
    int r = manifest_commit(&s->log, &s->manifest, &c, ret_is_uncertain, f);
    manifest_change_fini(&c);
    return r;
}

/* merge_parts - @n segments become one without the rows that are too old. */
static int merge_parts(struct lease_store *s, const struct manifest_segment *parts, size_t n, int64_t purge_before_us,
                       struct lease_compaction *account, struct fault *f)
{
    struct merge m = {.store = s, .purge_before_us = purge_before_us};
    struct lease_segment_info info = {0};
    uint64_t id = s->manifest.next_id++, n_doubled = 0;
    char name[LEASE_NAME_MAX];
    bool is_uncertain = false;
    lease_file_name(id, name);
    int r = texts_init(&m.texts) || lease_hours_init(&m.hours) ? FAULT(f, -ENOMEM, store_no_memory, name) : 0;
    for (size_t i = 0; !r && i < n; i++)
        r = open_input(&m, parts[i].id, f);
    if (!r)
        r = write_merged(&m, name, id, &info, &n_doubled, f);
    if (!r)
        r = publish(s, &info, parts, n, &is_uncertain, f);
    merge_fini(&m);
    if (r && !is_uncertain)
        lease_store_unlink(s, id);
    if (r)
        return r;
    for (size_t i = 0; i < n; i++)
        lease_store_unlink(s, parts[i].id);
    if (!info.n_rows)
        lease_store_unlink(s, id);
    account->n_merged += n;
    account->n_written += info.n_rows != 0;
    account->n_rows += info.n_rows;
    account->n_doubled += n_doubled;
    account->n_purged += m.n_purged;
    return 0;
}

/* --- what to merge -------------------------------------------------------------------------------------------- */

static int by_rows(const void *a, const void *b)
{
    const struct manifest_segment *x = a, *y = b;
    return x->n_rows < y->n_rows ? -1 : x->n_rows > y->n_rows;
}

/*
 * next_group - @live by rows, least first: the longest run from the least on in which nobody is 16 times the least, if it is
 * worth it. Return: how many, 0: none.
 */
static size_t next_group(const struct manifest_segment *live, size_t n, size_t *ret_from)
{
    for (size_t from = 0; from + 1 < n; from++) {
        size_t end = from;
        uint64_t rows = 0, limit = (live[from].n_rows + 1) * LEASE_MERGE_MAX;
        while (end < n && end - from < LEASE_MERGE_MAX && live[end].n_rows < limit && rows + live[end].n_rows < LEASE_ROWS_MAX)
            rows += live[end++].n_rows;
        if (end - from < LEASE_MERGE_MAX / 2 && !(from == 0 && end - from > 1 && rows < LEASE_BUILD_ROWS))
            continue;
        *ret_from = from;
        return end - from;
    }
    return 0;
}

int lease_store_compact(struct lease_store *s, struct lease_compaction *ret, struct fault *f)
{
    *ret = (struct lease_compaction){0};
    for (;;) {
        struct manifest_segment *live;
        size_t n_live, from = 0;
        int r = manifest_live(&s->manifest, &live, &n_live);
        if (r)
            return FAULT(f, r, store_no_memory, LEASE_FOLDER);
        qsort(live, n_live, sizeof(*live), by_rows);
        size_t n = next_group(live, n_live, &from);
        if (n)
            r = merge_parts(s, live + from, n, INT64_MIN, ret, f);
        free(live);
        if (r || !n)
            return r;
    }
}

/* has_too_old - whether segment @id holds a row that is; it is only read. Return: 0, or -errno with the fault. */
static int has_too_old(const struct lease_store *s, uint64_t id, int64_t before_us, bool *ret, struct fault *f)
{
    struct lease_segment *segment;
    char name[LEASE_NAME_MAX];
    uint64_t n = 0;
    lease_file_name(id, name);
    int r = lease_segment_open(s->segments_fd, name, id, &segment, f);
    if (r)
        return r;
    r = lease_segment_count_older(segment, before_us, true, &n);
    lease_segment_close(segment);
    *ret = n != 0;
    return r ? FAULT(f, r, store_read_failed, name, strerrordesc_np(-r)) : 0;
}

int lease_store_purge(struct lease_store *s, int64_t before_us, struct lease_compaction *ret, struct fault *f)
{
    struct manifest_segment *live;
    size_t n;
    *ret = (struct lease_compaction){0};
    int r = manifest_live(&s->manifest, &live, &n);
    if (r)
        return FAULT(f, r, store_no_memory, LEASE_FOLDER);
    for (size_t i = 0; !r && i < n; i++) {
        bool has = false;
        r = has_too_old(s, live[i].id, before_us, &has, f);
        if (!r && has)
            r = merge_parts(s, &live[i], 1, before_us, ret, f);
    }
    free(live);
    return r;
}
