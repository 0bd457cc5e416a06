/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/log_past.h"

#include "watch/store/log_segment.h"

#include <errno.h>
#include <stdlib.h>

struct place {
    int64_t newest_us, arrived_us;
    uint32_t segment, block, n_rows;
};

struct places {
    struct place *all;
    size_t n, capacity;
};

static int add(struct places *p, const struct place *x)
{
    if (p->n == p->capacity) {
        size_t more = p->capacity ? p->capacity * 2 : 256;
        struct place *q = reallocarray(p->all, more, sizeof(*q));
        if (!q)
            return -ENOMEM;
        p->all = q;
        p->capacity = more;
    }
    p->all[p->n++] = *x;
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->newest_us != y->newest_us)
        return x->newest_us < y->newest_us ? -1 : 1;
    if (x->segment != y->segment)
        return x->segment > y->segment ? -1 : 1; /* 0 is the newest */
    return (x->block > y->block) - (x->block < y->block);
}

/* newest - of what is stored, as far as it is not in the future: a clock that is wrong must not hide the past. */
static int64_t newest(const struct store_view *v, int64_t now_us)
{
    int64_t us = INT64_MIN;
    for (size_t i = 0; i < store_view_n_logs(v); i++) {
        const struct log_segment *s = store_view_log(v, i);
        for (uint32_t b = 0; b < log_segment_info(s)->n_blocks; b++) {
            struct log_block_info info;
            log_segment_block(s, b, &info);
            int64_t of_block = info.event_max_us < now_us ? info.event_max_us : info.event_min_us < now_us ? now_us : INT64_MIN;
            us = of_block > us ? of_block : us;
        }
    }
    return us;
}

static int find(const struct store_view *v, int64_t since_us, struct places *p)
{
    int r = 0;
    for (size_t i = 0; i < store_view_n_logs(v) && !r; i++) {
        const struct log_segment *s = store_view_log(v, i);
        for (uint32_t b = 0; b < log_segment_info(s)->n_blocks && !r; b++) {
            struct log_block_info info;
            log_segment_block(s, b, &info);
            if (info.event_max_us >= since_us)
                r = add(p, &(struct place){info.event_max_us, info.arrived_max_us, (uint32_t)i, b, info.n_rows});
        }
    }
    if (p->n)
        qsort(p->all, p->n, sizeof(*p->all), by_time);
    return r;
}

/* first_of - the first block so that no more than @max_rows follow. */
static size_t first_of(const struct places *p, uint64_t max_rows, struct log_past_account *ret)
{
    uint64_t n = 0;
    size_t from = p->n;
    while (from && n + p->all[from - 1].n_rows <= max_rows)
        n += p->all[--from].n_rows;
    for (size_t i = 0; i < from; i++)
        ret->rows_left_out += p->all[i].n_rows;
    return from;
}

static int replay(const struct store_view *v, const struct places *p, size_t from, struct log_alerts *a, struct sigma_matcher *m,
                  struct events *e, struct finder *x, int64_t now_us, struct log_past_account *ret)
{
    struct log_scratch *scratch = log_scratch_new();
    int64_t last_us = INT64_MIN;
    int r = scratch ? 0 : -ENOMEM;
    for (size_t i = from; i < p->n; i++)
        last_us = p->all[i].arrived_us > last_us ? p->all[i].arrived_us : last_us;
    for (size_t i = from; i < p->n && !r; i++) {
        r = log_segment_read(store_view_log(v, p->all[i].segment), p->all[i].block, scratch, e);
        if (r == -EBADMSG) {
            ret->blocks_damaged++;
            r = 0;
            continue;
        }
        if (!r)
            r = log_alerts_past(a, m, e, ret->since_us, now_us, x, last_us - LOG_PAST_UNWRITTEN_US);
        ret->events += r ? 0 : e->n;
    }
    if (scratch)
        log_scratch_free(scratch);
    return r;
}

int log_past(const char *data_dir, struct log_alerts *a, const struct sigma_rules *rules, struct event_names *names, struct finder *x,
             uint64_t max_rows, int64_t now_us, struct log_past_account *ret, struct fault *f)
{
    struct store_view *v = NULL;
    struct places p = {0};
    int64_t memory_us = sigma_rules_memory_us(rules);
    *ret = (struct log_past_account){.since_us = INT64_MAX};
    if (memory_us <= 0)
        return 0;
    int r = store_view_open(data_dir, &v, f);
    if (r)
        return r < 0 ? r : 0;
    int64_t newest_us = newest(v, now_us);
    ret->since_us = newest_us > INT64_MIN + memory_us ? newest_us - memory_us : INT64_MIN;
    r = find(v, ret->since_us, &p);
    size_t from = first_of(&p, max_rows, ret);
    struct sigma_matcher *m = r ? NULL : sigma_matcher_new(rules);
    struct events *e = events_new(names);
    r = r || !m || !e ? -ENOMEM : replay(v, &p, from, a, m, e, x, now_us, ret);
    sigma_matcher_free(m);
    if (e)
        events_free(e);
    free(p.all);
    store_view_close(v);
    return r == -ENOMEM ? FAULT(f, r, no_memory, "rules") : r;
}

/* --- what is sent at all -------------------------------------------------------------------------------------------- */

static int pass_over(void *context, const struct events *e, uint32_t row, uint32_t rule)
{
    (void)context, (void)e, (void)row, (void)rule;
    return 0;
}

static int meet(const struct store_view *v, const struct places *p, size_t from, struct sigma_matcher *m, struct events *e,
                uint64_t *ret_events)
{
    struct log_scratch *scratch = log_scratch_new();
    int r = scratch ? 0 : -ENOMEM;
    for (size_t i = from; i < p->n && !r; i++) {
        int damage = log_segment_read(store_view_log(v, p->all[i].segment), p->all[i].block, scratch, e);
        if (damage == -EBADMSG)
            continue;
        r = damage ? damage : sigma_match(m, e, pass_over, NULL);
        *ret_events += r ? 0 : e->n;
    }
    if (scratch)
        log_scratch_free(scratch);
    return r;
}

int log_past_met(const char *data_dir, const struct sigma_rules *rules, struct event_names *names, uint64_t max_rows, uint64_t *met,
                 uint64_t *ret_events, struct fault *f)
{
    struct store_view *v = NULL;
    struct places p = {0};
    struct log_past_account unused = {0};
    *ret_events = 0;
    int r = store_view_open(data_dir, &v, f);
    if (r)
        return r < 0 ? r : -ENOENT;
    r = find(v, INT64_MIN, &p);
    struct sigma_matcher *m = sigma_matcher_new(rules);
    struct events *e = events_new(names);
    r = r || !m || !e ? -ENOMEM : meet(v, &p, first_of(&p, max_rows, &unused), m, e, ret_events);
    if (!r)
        sigma_matcher_met(m, met);
    sigma_matcher_free(m);
    if (e)
        events_free(e);
    free(p.all);
    store_view_close(v);
    return r ? FAULT(f, r, no_memory, "rules") : 0;
}
