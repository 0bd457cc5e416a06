/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path of version 5 against the plain one: the same datagrams give the same rows, whatever is in them. */
#include "udp_rows.h"

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
    assert_true(fast.n[0] > n_datagrams);
    assert_same_rows(&fast, &plain);
    netflow_free(n);
    udp_receiver_fini(&r);
    rows_free(&fast);
    rows_free(&plain);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(the_hot_path_gives_the_same_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
