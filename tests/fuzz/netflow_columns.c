/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path against the way of everything else: the same conversation (as in netflow.c: datagrams behind a length of
 * two bytes whose top bits pick one of four exporters) through a receiver and through a decoder alone gives the same rows.
 */
#include "base/cursor.h"
#include "watch/intake/udp.h"

#include <assert.h>
#include <stdlib.h>

enum { ROWS_MAX = 65536 };

struct rows {
    struct flow *of[2]; /* IPv4 and IPv6: a receiver has a batch for each */
    uint32_t n[2];
};

static struct rows fast, plain;

static struct flow *next(struct rows *r, bool is_v6)
{
    if (!r->of[is_v6])
        r->of[is_v6] = malloc(ROWS_MAX * sizeof(struct flow));
    assert(r->of[is_v6]);
    return r->n[is_v6] < ROWS_MAX ? &r->of[is_v6][r->n[is_v6]++] : NULL;
}

static int take_batch(void *context, const struct flow_batch *b)
{
    (void)context;
    for (uint32_t i = 0; i < b->n; i++) {
        struct flow *f = next(&fast, b->family == 6);
        if (f)
            flow_batch_get(b, i, f);
    }
    return 0;
}

static int take_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    (void)context, (void)o;
    for (uint32_t i = 0; i < n; i++) {
        struct flow *f = next(&plain, flow_needs_v6(&flows[i]));
        if (f)
            *f = flows[i];
    }
    return 0;
}

static void compare(const struct flow *a, const struct flow *b)
{
    assert((a->present & ~FLOW_HAS(FLOW_OBSERVER)) == b->present);
#define X(ID, member, ecs, alias) \
    assert(!(b->present & FLOW_HAS_ADDRESS(FLOW_##ID)) || ip_equal(&a->member, &b->member));
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias) assert(!(b->present & FLOW_HAS(FLOW_##ID)) || a->member == b->member);
    FLOW_NUMBERS(X)
#undef X
}

static void converse(struct udp_receiver *r, struct netflow *n, const uint8_t *p, size_t n_bytes)
{
    struct cursor c = cursor_over(p, n_bytes);
    while (cursor_left(&c) >= 2) {
        uint16_t head = cursor_u16(&c);
        size_t length = head & 0x3fff;
        if (length > cursor_left(&c))
            length = cursor_left(&c);
        const uint8_t *at = cursor_take(&c, length);
        uint8_t *exact = malloc(length ? length : 1); /* so that the sanitizer sees one byte too far */
        assert(exact && at);
        memcpy(exact, at, length);
        struct netflow_datagram d = {.p = exact, .n_bytes = length, .peer = ip_from_v4(head >> 14),
                                     .received_us = INT64_C(1700000000000000)};
        struct netflow_result result;
        assert(udp_receiver_feed(r, &d) == 0);
        assert(netflow_decode(n, &d, take_flows, NULL, &result) == 0);
        free(exact);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n_bytes)
{
    struct udp_options o = {.fd = -1, .hook = take_batch};
    struct udp_receiver r;
    struct netflow *n = netflow_new(NULL);
    if (n_bytes < 1)
        n_bytes = 1, p = (const uint8_t *)"";
    fast.n[0] = fast.n[1] = plain.n[0] = plain.n[1] = 0;
    assert(n && udp_receiver_init(&r, &o) == 0);
    converse(&r, n, p + 1, n_bytes - 1);
    assert(flow_sorter_flush(&r.sorter) == 0);
    for (int family = 0; family < 2; family++) {
        assert(fast.n[family] == plain.n[family]);
        for (uint32_t i = 0; i < fast.n[family]; i++)
            compare(&fast.of[family][i], &plain.of[family][i]);
    }
    udp_receiver_fini(&r);
    netflow_free(n);
    return 0;
}
