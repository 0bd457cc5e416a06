/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/behaviour_past.h"

#include "watch/store/log_segment.h"
#include "watch/store/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* a block of one of the segments */
struct place {
    int64_t at_us; /* of its newest row */
    uint32_t segment, block, n_rows;
    bool is_log;
};

struct past {
    const struct store_view *view;
    struct behaviour_engine *engine;
    const struct behaviour_own *own;
    const struct behaviour_past_options *o;
    struct behaviour_past_account *account;
    struct flow_batch *v4, *v6;
    struct events *events;
    struct log_scratch *scratch;
    uint32_t *codes;
    uint64_t *wide;
    struct place *places;
    size_t n, capacity;
};

static int add_place(struct past *p, const struct place *x)
{
    if (p->n == p->capacity) {
        size_t more = p->capacity ? p->capacity * 2 : 1024;
        struct place *q = reallocarray(p->places, more, sizeof(*q));
        if (!q)
            return -ENOMEM;
        p->places = q;
        p->capacity = more;
    }
    p->places[p->n++] = *x;
    return 0;
}

static int add_segment(struct past *p, uint32_t i)
{
    const struct segment *s = store_view_segment(p->view, i);
    const struct segment_info *info = segment_info(s);
    int r = 0;
    if (info->event_max_us < p->o->since_us || info->event_min_us > p->o->until_us)
        return 0;
    for (uint32_t b = 0; b < info->n_blocks && !r; b++) {
        struct segment_bounds start, end;
        segment_bounds(s, b, FLOW_COLUMN_NUMBER(FLOW_START), &start);
        segment_bounds(s, b, FLOW_COLUMN_NUMBER(FLOW_END), &end);
        int64_t first_us = start.is_absent ? INT64_MIN : (int64_t)start.min;
        int64_t last_us = !end.is_absent ? (int64_t)end.max : start.is_absent ? INT64_MAX : (int64_t)start.max;
        if (last_us >= p->o->since_us && first_us <= p->o->until_us)
            r = add_place(p, &(struct place){.at_us = last_us, .segment = i, .block = b, .n_rows = segment_block_rows(s, b)});
    }
    return r;
}

static int add_log(struct past *p, uint32_t i)
{
    const struct log_segment *s = store_view_log(p->view, i);
    int r = 0;
    for (uint32_t b = 0; b < log_segment_info(s)->n_blocks && !r; b++) {
        struct log_block_info info;
        log_segment_block(s, b, &info);
        if (info.event_max_us >= p->o->since_us && info.event_min_us <= p->o->until_us)
            r = add_place(p, &(struct place){.at_us = info.event_max_us, .segment = i, .block = b, .n_rows = info.n_rows, .is_log = true});
    }
    return r;
}

static int by_time(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->at_us != y->at_us)
        return x->at_us < y->at_us ? -1 : 1;
    if (x->segment != y->segment)
        return x->segment > y->segment ? -1 : 1; /* 0 is the newest */
    return (x->block > y->block) - (x->block < y->block);
}

/* find_places - in order, the newest ones if there are too many rows. Return: 0 or -ENOMEM. */
static int find_places(struct past *p)
{
    int r = 0;
    for (size_t i = 0; i < store_view_n_segments(p->view) && !r; i++)
        r = add_segment(p, (uint32_t)i);
    for (size_t i = 0; p->events && i < store_view_n_logs(p->view) && !r; i++)
        r = add_log(p, (uint32_t)i);
    if (p->n)
        qsort(p->places, p->n, sizeof(*p->places), by_time);
    uint64_t n_rows = 0;
    size_t from = p->n;
    while (from && (!p->o->max_rows || n_rows + p->places[from - 1].n_rows <= p->o->max_rows))
        n_rows += p->places[--from].n_rows;
    for (size_t i = 0; i < from; i++)
        p->account->rows_left_out += p->places[i].n_rows;
    if (from) {
        memmove(p->places, p->places + from, (p->n - from) * sizeof(*p->places));
        p->n -= from;
    }
    return r;
}

/* --- a block of flows ---------------------------------------------------------------------------------------------- */

static const enum flow_number wanted[] = {
    FLOW_START, FLOW_END, FLOW_RECEIVED, FLOW_SOURCE_BYTES, FLOW_DESTINATION_BYTES, FLOW_SOURCE_PACKETS, FLOW_DESTINATION_PACKETS,
    FLOW_SAMPLING, FLOW_SOURCE_PORT, FLOW_DESTINATION_PORT, FLOW_TCP_FLAGS, FLOW_REVERSE_TCP_FLAGS, FLOW_ICMP, FLOW_PROTOCOL,
    FLOW_NAT_EVENT, FLOW_FIREWALL_EVENT,
};
enum { N_WANTED = sizeof(wanted) / sizeof(*wanted) };

static void put_column(struct flow_batch *b, enum flow_number n, const uint64_t *v, uint32_t n_rows)
{
    void *to = b->number[n];
    switch (flow_columns[FLOW_COLUMN_NUMBER(n)].width) {
    case 1:
        for (uint32_t i = 0; i < n_rows; i++)
            ((uint8_t *)to)[i] = (uint8_t)v[i];
        break;
    case 2:
        for (uint32_t i = 0; i < n_rows; i++)
            ((uint16_t *)to)[i] = (uint16_t)v[i];
        break;
    case 4:
        for (uint32_t i = 0; i < n_rows; i++)
            ((uint32_t *)to)[i] = (uint32_t)v[i];
        break;
    default:
        memcpy(to, v, n_rows * sizeof(*v));
    }
}

static int read_addresses(struct past *p, const struct segment *s, uint32_t block, struct flow_batch *b, enum flow_address a)
{
    uint32_t n_entries = segment_info(s)->n_entries;
    int r = segment_read32(s, block, a, p->codes);
    for (uint32_t i = 0; i < b->n && !r; i++) {
        struct ip ip = {{0}};
        if (p->codes[i] < n_entries)
            r = segment_address_of(s, p->codes[i], &ip);
        if (b->family == 4)
            b->v4[a][i] = ip_v4(&ip);
        else
            b->v6[a][i] = ip;
    }
    return r;
}

static int read_texts(const struct segment *s, uint32_t block, struct flow_batch *b)
{
    struct segment_texts *t = NULL;
    int r = segment_texts_open(s, block, &t);
    for (uint32_t i = 0; i < b->n && !r; i++) {
        struct text x = segment_texts_get(t, i);
        buf_add(&b->text, x.p, x.n);
        b->text_end[i] = (uint32_t)b->text.n;
        r = b->text.is_bad ? -ENOMEM : 0;
    }
    segment_texts_close(t);
    return r;
}

/* drop_rows - what lies outside the options has no fields any more: detectors pass it by. Return: how many are left. */
static uint32_t drop_rows(const struct behaviour_past_options *o, struct flow_batch *b)
{
    const int64_t *start = b->number[FLOW_START], *end = b->number[FLOW_END], *received = b->number[FLOW_RECEIVED];
    uint32_t left = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        int64_t first_us = b->present[i] & FLOW_HAS(FLOW_START) ? start[i] : b->present[i] & FLOW_HAS(FLOW_END) ? end[i] : INT64_MIN;
        int64_t got_us = b->present[i] & FLOW_HAS(FLOW_RECEIVED) ? received[i] : INT64_MIN;
        bool is_in = first_us >= o->since_us && first_us <= o->until_us && got_us >= o->received_from_us && got_us < o->received_until_us;
        if (!is_in)
            b->present[i] = 0;
        left += is_in;
    }
    return left;
}

static int read_flows(struct past *p, const struct segment *s, uint32_t block, struct flow_batch **ret)
{
    const struct segment_info *info = segment_info(s);
    struct flow_batch **b = info->family == 4 ? &p->v4 : &p->v6;
    uint64_t mask = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS_TEXT;
    if (!*b && !(*b = flow_batch_new(info->family)))
        return -ENOMEM;
    *ret = *b;
    flow_batch_clear(*b);
    (*b)->n = segment_block_rows(s, block);
    int r = segment_present(s, block, (*b)->present);
    if (!r)
        r = read_addresses(p, s, block, *b, FLOW_SOURCE_IP);
    if (!r)
        r = read_addresses(p, s, block, *b, FLOW_DESTINATION_IP);
    for (unsigned i = 0; i < N_WANTED && !r; i++) {
        mask |= FLOW_HAS(wanted[i]);
        if (!(info->columns & FLOW_HAS(wanted[i])))
            continue;
        r = segment_read64(s, block, FLOW_COLUMN_NUMBER(wanted[i]), p->wide);
        if (!r)
            put_column(*b, wanted[i], p->wide, (*b)->n);
    }
    (*b)->columns = info->columns & mask;
    for (uint32_t i = 0; i < (*b)->n; i++)
        (*b)->present[i] &= mask;
    if (!r && (*b)->columns & FLOW_HAS_TEXT)
        r = read_texts(s, block, *b);
    return r;
}

static int take_flows(struct past *p, const struct place *at)
{
    struct flow_batch *b;
    int r = read_flows(p, store_view_segment(p->view, at->segment), at->block, &b);
    if (r == -EBADMSG) {
        p->account->blocks_damaged++;
        return 0;
    }
    uint32_t n = r ? 0 : drop_rows(p->o, b);
    p->account->flows += n;
    return r || !n ? r : behaviour_flows(p->engine, b, p->own);
}

/* keep_events - the rows of other times leave the batch. */
static void keep_events(struct events *e, const struct behaviour_past_options *o)
{
    uint32_t rows = 0, values = 0, from = 0;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): without a batch for events, no block of them was noted */
    for (uint32_t i = 0; i < e->n; i++) {
        uint32_t end = e->value_end[i], n = end - from;
        if (e->time_us[i] >= o->since_us && e->time_us[i] <= o->until_us && e->arrived_us[i] >= o->received_from_us &&
            e->arrived_us[i] < o->received_until_us) {
            memmove(&e->values[values], &e->values[from], n * sizeof(*e->values));
            values += n;
            e->time_us[rows] = e->time_us[i];
            e->arrived_us[rows] = e->arrived_us[i];
            e->original[rows] = e->original[i];
            e->original_n[rows] = e->original_n[i];
            e->value_end[rows++] = values;
        }
        from = end;
    }
    e->n = rows;
    e->n_values = values;
}

void behaviour_events_between(struct events *e, int64_t since_us, int64_t until_us)
{
    struct behaviour_past_options o = {.since_us = since_us, .until_us = until_us, .received_from_us = INT64_MIN,
                                       .received_until_us = INT64_MAX};
    keep_events(e, &o);
}

static int take_events(struct past *p, const struct place *at)
{
    int r = log_segment_read(store_view_log(p->view, at->segment), at->block, p->scratch, p->events);
    if (r == -EBADMSG) {
        p->account->blocks_damaged++;
        return 0;
    }
    if (r)
        return r;
    keep_events(p->events, p->o);
    p->account->events += p->events->n;
    return behaviour_events(p->engine, p->events, p->own);
}

static int walk(struct past *p)
{
    int r = find_places(p);
    for (size_t i = 0; i < p->n && !r; i++) {
        if (p->o->stop && p->o->stop(p->o->context)) {
            p->account->was_stopped = true;
            break;
        }
        r = p->places[i].is_log ? take_events(p, &p->places[i]) : take_flows(p, &p->places[i]);
    }
    return r;
}

int behaviour_past(const struct store_view *v, struct behaviour_engine *x, struct event_names *names, const struct behaviour_own *own,
                   const struct behaviour_past_options *o, struct behaviour_past_account *ret)
{
    *ret = (struct behaviour_past_account){0};
    struct past p = {.view = v, .engine = x, .own = own, .o = o, .account = ret};
    p.codes = malloc(SEGMENT_BLOCK_ROWS * sizeof(*p.codes));
    p.wide = malloc(SEGMENT_BLOCK_ROWS * sizeof(*p.wide));
    p.scratch = names ? log_scratch_new() : NULL;
    p.events = names ? events_new(names) : NULL;
    int r = p.codes && p.wide && (!names || (p.scratch && p.events)) ? walk(&p) : -ENOMEM;
    free(p.codes);
    free(p.wide);
    free(p.places);
    flow_batch_free(p.v4);
    flow_batch_free(p.v6);
    if (p.events)
        events_free(p.events);
    if (p.scratch)
        log_scratch_free(p.scratch);
    return r;
}
