/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal read back: after a crash, after a failed seal, and by every view.
 */
#include "watch/store/store_impl.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct state {
    const struct replay *replay;
    int family;
    struct flow_batch *batch;
    struct segment_builder *builder;
    int64_t arrived_min_us, arrived_max_us;
    uint64_t n_unread_bytes; /* right checksum, but no batch: counted as damage */
    struct fault *fault;
};

static int hand_over(struct state *s)
{
    if (!s->builder)
        return 0;
    struct segment_builder *b = s->builder;
    s->builder = NULL;
    return s->replay->full(s->replay->context, b, s->arrived_min_us, s->arrived_max_us);
}

static int add_rows(struct state *s, int64_t arrived_us)
{
    for (uint32_t from = 0, taken; from < s->batch->n; from += taken) {
        if (!s->builder) {
            s->builder = segment_builder_new(s->family, s->replay->segment_rows);
            s->arrived_min_us = INT64_MAX;
            s->arrived_max_us = INT64_MIN;
        }
        if (!s->builder)
            return -ENOMEM;
        if (arrived_us < s->arrived_min_us)
            s->arrived_min_us = arrived_us;
        if (arrived_us > s->arrived_max_us)
            s->arrived_max_us = arrived_us;
        taken = 0;
        int r = segment_builder_add(s->builder, s->batch, from, &taken);
        if (r == SEGMENT_FULL)
            r = hand_over(s);
        if (r < 0)
            return r;
    }
    return 0;
}

void replay_keep_notes(struct manifest_notes *notes, const struct journal_frame *frame)
{
    const uint8_t *p = frame->notes, *key;
    size_t n_key;
    uint64_t value;
    while (notes && journal_note_next(&p, frame->notes + frame->n_notes, &key, &n_key, &value))
        (void)manifest_note_set(notes, key, n_key, value, frame->sequence); /* too many: the oldest keys stay */
}

static int take_frame(void *context, const struct journal_frame *frame)
{
    struct state *s = context;
    replay_keep_notes(s->replay->notes, frame);
    if (!frame->n_batch)
        return 0;
    int r = batch_unpack(frame->batch, frame->n_batch, s->batch);
    if (r == -EBADMSG || (!r && s->batch->n != frame->n_rows)) {
        s->n_unread_bytes += frame->n_batch;
        return 0;
    }
    if (!r)
        r = add_rows(s, frame->arrived_us);
    if (r == -EPROTO)
        return FAULT(s->fault, r, store_newer_columns, "store/journals");
    return r == -ENOMEM ? FAULT(s->fault, r, store_no_memory, "store/journals") : r;
}

int replay_journal(const struct replay *replay, int fd, uint64_t id, int family, struct journal_report *ret,
                   struct fault *f)
{
    struct state s = {.replay = replay, .family = family, .fault = f};
    s.batch = flow_batch_new(family);
    if (!s.batch)
        return FAULT(f, -ENOMEM, store_no_memory, "store/journals");
    int r = journal_walk(fd, id, family, take_frame, &s, ret, f);
    ret->n_damaged_bytes += s.n_unread_bytes;
    if (!r)
        r = hand_over(&s);
    segment_builder_free(s.builder);
    flow_batch_free(s.batch);
    return r;
}

/* --- into the store ------------------------------------------------------------------ */

struct target {
    struct store *store;
    uint64_t journal_id;
    int family;
    struct manifest_segment *segments;
    size_t n, room;
    struct fault *fault;
};

/* next_segment - the record of one more, or NULL with the fault: no memory. */
static struct manifest_segment *next_segment(struct target *t, int64_t arrived_min_us, int64_t arrived_max_us)
{
    if (t->n == t->room) {
        size_t room = t->room ? t->room * 2 : 4;
        struct manifest_segment *more = realloc(t->segments, room * sizeof(*more));
        if (!more) {
            (void)FAULT(t->fault, -ENOMEM, store_no_memory, "store/journals");
            return NULL;
        }
        t->segments = more;
        t->room = room;
    }
    struct manifest_segment *s = &t->segments[t->n];
    *s = (struct manifest_segment){.id = store_new_id(t->store), .order = t->journal_id, .family = t->family,
                                   .arrived_min_us = arrived_min_us, .arrived_max_us = arrived_max_us};
    return s;
}

static int write_segment(void *context, struct segment_builder *b, int64_t arrived_min_us, int64_t arrived_max_us)
{
    struct target *t = context;
    struct manifest_segment *s = next_segment(t, arrived_min_us, arrived_max_us);
    if (!s) {
        segment_builder_free(b);
        return -ENOMEM;
    }
    int r = build_write(t->store, b, s, t->fault);
    t->n += r == 0;
    return r;
}

static int write_logs(void *context, struct log_builder *b, int64_t arrived_min_us, int64_t arrived_max_us)
{
    struct target *t = context;
    struct manifest_segment *s = next_segment(t, arrived_min_us, arrived_max_us);
    if (!s) {
        log_builder_free(b);
        return -ENOMEM;
    }
    int r = build_write_logs(t->store, b, s, t->fault);
    t->n += r == 0;
    return r;
}

/* set_journal_aside - it is gone, or cannot be read as a whole: keep what there is for people to look at. */
static int set_journal_aside(struct store *s, uint64_t id, const char *reason, struct fault *f)
{
    struct manifest_change c = {0};
    manifest_del_journal(&c, id);
    manifest_add_damage(&c, 'j', id, 0, reason);
    (void)store_set_aside(s, STORE_JOURNAL, id, reason); /* not there: then only the record says so */
    int r = store_commit(s, &c, NULL, f);
    manifest_change_fini(&c);
    if (!r)
        store_unlink(s, STORE_JOURNAL, id);
    return r;
}

static int publish(struct target *t, const struct journal_report *report, struct fault *f)
{
    struct manifest_change c = {0};
    char reason[160];
    SAY_TO(reason, sizeof(reason), store_journal_damaged, (unsigned long long)report->n_damaged_bytes);
    if (report->n_damaged_bytes) {
        manifest_add_damage(&c, 'j', t->journal_id, 0, reason);
        (void)store_set_aside(t->store, STORE_JOURNAL, t->journal_id, reason);
    }
    int r = build_publish(t->store, t->segments, t->n, t->journal_id, &c, f);
    manifest_change_fini(&c);
    return r;
}

int replay_to_segments(struct store *s, uint64_t id, int family, bool is_recovery, struct fault *f)
{
    struct fault inner = {0};
    if (!f)
        f = &inner;
    char name[STORE_NAME_MAX], shown[STORE_SHOWN_MAX];
    store_file_name(STORE_JOURNAL, id, name);
    _cleanup_close_ int fd = openat(s->journals_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return set_journal_aside(s, id, message_text(MSG_store_segment_missing), f);
    if (fd < 0) {
        int e = -errno;
        return FAULT(f, e, store_read_failed, store_file_shown(STORE_JOURNAL, id, shown), strerrordesc_np(-e));
    }
    struct target t = {.store = s, .journal_id = id, .family = family, .fault = f};
    struct replay replay = {.segment_rows = store_segment_rows(s), .full = write_segment, .context = &t};
    struct manifest_notes notes = {0};
    replay.notes = is_recovery ? &notes : NULL;
    struct journal_report report = {0};
    struct log_replay logs = {.names = s->names, .segment_rows = LOG_SEGMENT_ROWS, .full = write_logs, .context = &t,
                              .notes = replay.notes};
    int r = family == MANIFEST_LOGS ? log_replay_journal(&logs, fd, id, &report, f)
                                    : replay_journal(&replay, fd, id, family, &report, f);
    if (is_recovery) {
        store_take_notes(s, &notes);
        if (report.sequence > atomic_load(&s->sequence))
            atomic_store(&s->sequence, report.sequence);
    }
    if (!r)
        r = publish(&t, &report, f);
    else /* nothing was published */
        for (size_t i = 0; i < t.n; i++)
            store_unlink(s, STORE_SEGMENT, t.segments[i].id);
    free(t.segments);
    if (r == -EBADMSG)
        return set_journal_aside(s, id, f->text, f);
    if (!r && is_recovery) {
        STORE_COUNT(s, rows_recovered, report.n_rows);
        STORE_COUNT(s, journal_bytes_cut, report.n_torn_bytes + report.n_damaged_bytes);
    }
    return r;
}
