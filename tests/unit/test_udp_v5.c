/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path of version 5 against the plain one: the same datagrams give the same rows, whatever is in them. */
#include "cmocka_house.h"

#include "watch/intake/udp.h"

struct rows {
    struct flow *all;
    uint32_t n, max;
    struct ip *observer;
};

static int keep_batch(void *context, const struct flow_batch *b)
{
    struct rows *r = context;
    for (uint32_t i = 0; i < b->n; i++) {
        assert_true(r->n < r->max);
        flow_batch_get(b, i, &r->all[r->n]);
        assert_true(r->all[r->n].present & FLOW_HAS(FLOW_OBSERVER));
        r->observer[r->n] = b->observers[r->all[r->n].observer].ip;
        r->n++;
    }
    return 0;
}

static int keep_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct rows *r = context;
    for (uint32_t i = 0; i < n; i++) {
        assert_true(r->n < r->max);
        r->observer[r->n] = o->ip;
        r->all[r->n++] = flows[i];
    }
    return 0;
}

static struct rows rows_new(uint32_t max)
{
    return (struct rows){.all = calloc(max, sizeof(struct flow)), .observer = calloc(max, sizeof(struct ip)), .max = max};
}

/* make_datagram - a header that holds together around random records; some ICMP, some sampled, some cut. */
static size_t make_datagram(uint64_t *state, uint8_t p[1600])
{
    uint16_t n = (uint16_t)(next_random(state) % 30 + 1);
    for (size_t i = 0; i < 1600; i++)
        p[i] = (uint8_t)next_random(state);
    p[0] = 0, p[1] = 5, p[2] = 0, p[3] = (uint8_t)n;
    p[22] = 0, p[23] = next_random(state) % 5 == 0 ? 10 : (uint8_t)(next_random(state) % 2);
    for (unsigned i = 0; i < n; i++)
        if (next_random(state) % 8 == 0)
            p[24 + 48 * i + 38] = 1;
    size_t whole = 24 + 48 * (size_t)n;
    return next_random(state) % 10 ? whole : whole - next_random(state) % 48;
}

static void the_hot_path_gives_the_same_rows(void **unused)
{
    (void)unused;
    uint64_t state = seed();
    const unsigned n_datagrams = rounds(3000);
    struct rows fast = rows_new(n_datagrams * 30), plain = rows_new(n_datagrams * 30);
    struct udp_receiver r;
    struct udp_options o = {.fd = -1, .hook = keep_batch, .context = &fast};
    struct netflow *n = netflow_new(NULL);
    assert_int_equal(udp_receiver_init(&r, &o), 0);
    for (unsigned i = 0; i < n_datagrams; i++) {
        uint8_t p[1600];
        struct netflow_result result;
        struct netflow_datagram d = {.p = p, .peer = ip_from_v4(0x7f000001u + i % 5), .received_us = 1700000000000000 + i};
        d.n_bytes = make_datagram(&state, p);
        assert_int_equal(udp_receiver_feed(&r, &d), 0);
        assert_int_equal(netflow_decode(n, &d, keep_flows, &plain, &result), 0);
    }
    assert_int_equal(flow_sorter_flush(&r.sorter), 0);
    assert_int_equal(fast.n, plain.n);
    assert_true(fast.n > n_datagrams);
    for (uint32_t i = 0; i < fast.n; i++) {
        struct flow a = fast.all[i], b = plain.all[i];
        assert_int_equal(a.present & ~FLOW_HAS(FLOW_OBSERVER), b.present & ~FLOW_HAS(FLOW_OBSERVER));
        assert_true(ip_equal(&fast.observer[i], &plain.observer[i]));
#define X(ID, member, ecs, alias)             \
    if (a.present & FLOW_HAS_ADDRESS(FLOW_##ID)) \
        assert_true(ip_equal(&a.member, &b.member));
        FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias)                                    \
    if (FLOW_##ID != FLOW_OBSERVER && (a.present & FLOW_HAS(FLOW_##ID)))   \
        assert_int_equal((uint64_t)a.member, (uint64_t)b.member);
        FLOW_NUMBERS(X)
#undef X
    }
    netflow_free(n);
    udp_receiver_fini(&r);
    free(fast.all), free(fast.observer), free(plain.all), free(plain.observer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(the_hot_path_gives_the_same_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
