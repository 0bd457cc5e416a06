/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal of log events read back: after a crash, after a failed seal, and by every view.
 */
#include "watch/store/store_impl.h"

#include <errno.h>

struct state {
    const struct log_replay *replay;
    struct log_scratch *scratch;
    struct events *events;
    struct log_builder *builder;
    int64_t arrived_min_us, arrived_max_us;
    uint64_t n_unread_bytes; /* right checksum, but no block: counted as damage */
    struct fault *fault;
};

static int hand_over(struct state *s)
{
    if (!s->builder)
        return 0;
    struct log_builder *b = s->builder;
    s->builder = NULL;
    return s->replay->full(s->replay->context, b, s->arrived_min_us, s->arrived_max_us);
}

static int add_rows(struct state *s, int64_t arrived_us)
{
    for (uint32_t from = 0, taken; from < s->events->n; from += taken) {
        if (!s->builder) {
            s->builder = log_builder_new(s->replay->names, s->replay->segment_rows);
            s->arrived_min_us = INT64_MAX;
            s->arrived_max_us = INT64_MIN;
        }
        if (!s->builder)
            return -ENOMEM;
        s->arrived_min_us = arrived_us < s->arrived_min_us ? arrived_us : s->arrived_min_us;
        s->arrived_max_us = arrived_us > s->arrived_max_us ? arrived_us : s->arrived_max_us;
        taken = 0;
        int r = log_builder_add(s->builder, s->events, from, &taken);
        if (r == LOG_SEGMENT_FULL)
            r = hand_over(s);
        if (r < 0)
            return r;
    }
    return 0;
}

/* unpack - all blocks of a frame. Return: 0, 1 or -EBADMSG (not what was written), -ENOMEM. */
static int unpack(struct state *s, const struct journal_frame *frame)
{
    int r = 0;
    for (size_t at = 0, n; !r && at < frame->n_batch; at += n) {
        n = log_block_size(frame->batch + at, frame->n_batch - at);
        r = n ? log_block_unpack(s->scratch, frame->batch + at, n, s->events) : -EBADMSG;
    }
    return !r && s->events->n != frame->n_rows ? -EBADMSG : r;
}

static int take_frame(void *context, const struct journal_frame *frame)
{
    struct state *s = context;
    replay_keep_notes(s->replay->notes, frame);
    if (!frame->n_batch)
        return 0;
    events_clear(s->events);
    int r = unpack(s, frame);
    if (r > 0 || r == -EBADMSG) {
        s->n_unread_bytes += frame->n_batch;
        return 0;
    }
    if (!r)
        r = add_rows(s, frame->arrived_us);
    return r == -ENOMEM ? FAULT(s->fault, r, store_no_memory, "store/journals") : r;
}

int log_replay_journal(const struct log_replay *replay, int fd, uint64_t id, struct journal_report *ret, struct fault *f)
{
    struct state s = {.replay = replay, .fault = f, .scratch = log_scratch_new(), .events = events_new(replay->names)};
    int r = s.scratch && s.events ? 0 : FAULT(f, -ENOMEM, store_no_memory, "store/journals");
    if (!r)
        r = journal_walk(fd, id, MANIFEST_LOGS, take_frame, &s, ret, f);
    if (s.scratch && s.events)
        ret->n_damaged_bytes += s.n_unread_bytes;
    if (!r)
        r = hand_over(&s);
    log_builder_free(s.builder);
    log_scratch_free(s.scratch);
    events_free(s.events);
    return r;
}
