/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp_rows - the rows of a hot path beside those of the plain one, to be compared: by family, since a receiver has a batch
 * for each.
 */
#pragma once

#include "cmocka_house.h"

#include "watch/intake/udp.h"

struct row {
    struct flow flow;
    struct flow_observer observer;
};

struct rows {
    struct row *of[2]; /* IPv4 and IPv6 */
    uint32_t n[2], max;
};

static inline struct rows rows_new(uint32_t max)
{
    struct rows r = {.of = {calloc(max, sizeof(struct row)), calloc(max, sizeof(struct row))}, .max = max};
    assert_non_null(r.of[0]);
    assert_non_null(r.of[1]);
    return r;
}

static inline void rows_free(struct rows *r)
{
    free(r->of[0]);
    free(r->of[1]);
}

static inline struct row *rows_next(struct rows *r, bool is_v6)
{
    assert_true(r->n[is_v6] < r->max);
    return &r->of[is_v6][r->n[is_v6]++];
}

/* keep_batch - what a receiver hands on. */
static inline int keep_batch(void *context, const struct flow_batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct row *row = rows_next(context, b->family == 6);
        flow_batch_get(b, i, &row->flow);
        assert_int_equal(row->flow.present & ~b->columns, 0);
        assert_true(row->flow.present & FLOW_HAS(FLOW_OBSERVER));
        row->observer = b->observers[row->flow.observer];
        row->flow.texts = (struct text){0};
    }
    /* a row that lacks a field of a used column holds zero there */
    for (unsigned c = FLOW_N_ADDRESSES; c < FLOW_COLUMN_TEXT; c++)
        for (uint32_t i = 0; b->columns >> c & 1 && i < b->n; i++)
            if (!(b->present[i] >> c & 1))
                assert_int_equal(flow_batch_number(b, (enum flow_number)(c - FLOW_N_ADDRESSES), i), 0);
    return 0;
}

/* keep_flows - what a decoder gives to its flow_sink. */
static inline int keep_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    for (uint32_t i = 0; i < n; i++)
        *rows_next(context, flow_needs_v6(&flows[i])) = (struct row){flows[i], *o};
    return 0;
}

static inline void assert_same_row(const struct row *x, const struct row *y)
{
    const struct flow *a = &x->flow, *b = &y->flow;
    assert_int_equal(a->present & ~FLOW_HAS(FLOW_OBSERVER), b->present & ~FLOW_HAS(FLOW_OBSERVER));
    assert_true(ip_equal(&x->observer.ip, &y->observer.ip));
    assert_int_equal(x->observer.domain, y->observer.domain);
#define X(ID, member, ecs, alias)                 \
    if (a->present & FLOW_HAS_ADDRESS(FLOW_##ID)) \
        assert_true(ip_equal(&a->member, &b->member));
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias)                                   \
    if (FLOW_##ID != FLOW_OBSERVER && (a->present & FLOW_HAS(FLOW_##ID))) \
        assert_int_equal((uint64_t)a->member, (uint64_t)b->member);
    FLOW_NUMBERS(X)
#undef X
}

static inline void assert_same_rows(const struct rows *a, const struct rows *b)
{
    for (int family = 0; family < 2; family++) {
        assert_int_equal(a->n[family], b->n[family]);
        for (uint32_t i = 0; i < a->n[family]; i++)
            assert_same_row(&a->of[family][i], &b->of[family][i]);
    }
}
