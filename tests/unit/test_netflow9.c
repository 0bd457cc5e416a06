/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams after RFC 3954, Cisco's field type table and the vendors' NAT and firewall templates, built by hand. */
#include "failing_alloc.h"
#include "netflow_decoder.h"

#include <errno.h>

#define US(s) ((int64_t)(s) * 1000000)

static const struct specifier plain[] = {{8, 4, 0},  {12, 4, 0}, {15, 4, 0}, {10, 2, 0}, {14, 4, 0}, {2, 4, 0},
                                         {1, 8, 0},  {22, 4, 0}, {21, 4, 0}, {7, 2, 0},  {11, 2, 0}, {6, 1, 0},
                                         {4, 1, 0},  {5, 1, 0},  {16, 4, 0}, {17, 2, 0}, {9, 1, 0},  {13, 1, 0},
                                         {58, 2, 0}, {61, 1, 0}};

static void put_plain(uint8_t protocol, uint16_t destination_port)
{
    put_n(&b, 0x0a000001, 4);
    put_n(&b, 0xc6336407, 4);
    put_n(&b, 0xc0000209, 4);
    put_n(&b, 3, 2);
    put_n(&b, 70000, 4);
    put_n(&b, 7, 4);
    put_n(&b, UINT64_C(5000000000), 8);
    put_n(&b, 90000, 4);
    put_n(&b, 99000, 4);
    put_n(&b, 50000, 2);
    put_n(&b, destination_port, 2);
    put_n(&b, 0x1b, 1);
    put_n(&b, protocol, 1);
    put_n(&b, 0xb8, 1);
    put_n(&b, 4200000001, 4);
    put_n(&b, 64501, 2);
    put_n(&b, 24, 1);
    put_n(&b, 16, 1);
    put_n(&b, 101, 2);
    put_n(&b, 1, 1);
}

static void a_template_and_its_records_in_one_datagram(void **state)
{
    (void)state;
    v9_header(&b, 100000, NOW_S, 17, 33);
    put_template(&b, 0, 256, plain, COUNT_OF(plain));
    set_open(&b, 256);
    for (int i = 0; i < 70; i++) /* more than two runs */
        put_plain(6, (uint16_t)i);
    put_n(&b, 0, 3); /* padding */
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_added, 1);
    assert_int_equal(r.n_flows, 70);
    assert_int_equal(k.n, 70);
    assert_int_equal(all_refused(&r), 0);
    assert_int_equal(r.sequence, 17);
    assert_int_equal(r.n_units, 1);
    assert_true(r.is_exact);
    assert_int_equal(k.observer.domain, 33);
    for (int i = 0; i < 70; i++)
        assert_int_equal(k.flows[i].destination_port, i);
    const struct flow *f = &k.flows[69];
    assert_int_equal(ip_v4(&f->source_ip), 0x0a000001);
    assert_int_equal(ip_v4(&f->destination_ip), 0xc6336407);
    assert_int_equal(ip_v4(&f->next_hop), 0xc0000209);
    assert_int_equal(f->input_if, 3);
    assert_int_equal(f->output_if, 70000);
    assert_int_equal(f->source_packets, 7);
    assert_int_equal(f->source_bytes, UINT64_C(5000000000));
    assert_int_equal(f->start_us, US(NOW_S) - US(10));
    assert_int_equal(f->end_us, US(NOW_S) - US(1));
    assert_int_equal(f->source_port, 50000);
    assert_int_equal(f->tcp_flags, 0x1b);
    assert_int_equal(f->protocol, 6);
    assert_int_equal(f->tos, 0xb8);
    assert_int_equal(f->source_as, 4200000001);
    assert_int_equal(f->destination_as, 64501);
    assert_int_equal(f->source_mask, 24);
    assert_int_equal(f->destination_mask, 16);
    assert_int_equal(f->vlan, 101);
    assert_int_equal(f->direction, 1);
    assert_int_equal(f->received_us, INT64_C(1700000000000000));
    assert_int_equal(f->clock_offset_us, INT64_C(1700000000000000) - US(NOW_S));
    uint64_t absent = FLOW_HAS(FLOW_DESTINATION_BYTES) | FLOW_HAS(FLOW_SAMPLING) | FLOW_HAS(FLOW_TIME_SOURCE) |
                      FLOW_HAS(FLOW_ICMP) | FLOW_HAS(FLOW_POST_BYTES) | FLOW_HAS_TEXT | FLOW_HAS_ADDRESS(FLOW_SOURCE_NAT_IP);
    assert_int_equal(f->present & absent, 0);
}

static void out_bytes_are_post_metering_counters_never_the_reverse_direction(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {23, 4, 0}, {24, 4, 0}};
    static const uint8_t bytes[] = {10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 3, 0xe8, 0, 0, 0, 9};
    give_one_record(9, f, COUNT_OF(f), bytes, sizeof(bytes));
    assert_int_equal(k.n, 1);
    assert_int_equal(k.flows[0].post_bytes, 1000);
    assert_int_equal(k.flows[0].post_packets, 9);
    assert_int_equal(k.flows[0].destination_bytes, 0);
    assert_int_equal(k.flows[0].source_bytes, 0);
    assert_false(k.flows[0].present & (FLOW_HAS(FLOW_DESTINATION_BYTES) | FLOW_HAS(FLOW_SOURCE_BYTES)));
}

static void a_record_without_times_gets_the_export_time_and_says_so(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}};
    static const uint8_t bytes[] = {10, 0, 0, 1, 10, 0, 0, 2};
    give_one_record(9, f, COUNT_OF(f), bytes, sizeof(bytes));
    assert_int_equal(k.flows[0].start_us, US(NOW_S));
    assert_int_equal(k.flows[0].end_us, US(NOW_S));
    assert_true(k.flows[0].present & FLOW_HAS(FLOW_TIME_SOURCE));
    assert_int_equal(k.flows[0].time_source, FLOW_TIME_OF_EXPORT);
    v9_header(&b, 100000, 0, 1, 0); /* an exporter that has no clock */
    set_open(&b, 300);
    put_bytes(&b, bytes, sizeof(bytes));
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.flows[1].start_us, INT64_C(1700000000000000));
    assert_int_equal(k.flows[1].time_source, FLOW_TIME_OF_RECEIPT);
}

static void zero_ipv6_beside_ipv4_is_ignored_and_the_other_way_round(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {27, 16, 0}, {28, 16, 0}};
    static const uint8_t v4[] = {10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                 0,  0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t v6[] = {0, 0, 0, 0, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                                 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
    give_one_record(9, f, COUNT_OF(f), v4, sizeof(v4));
    give_one_record(9, f, COUNT_OF(f), v6, sizeof(v6));
    assert_int_equal(k.n, 2);
    assert_int_equal(ip_v4(&k.flows[0].source_ip), 0x0a000001);
    assert_true(ip_is_v4(&k.flows[0].destination_ip));
    assert_memory_equal(k.flows[1].source_ip.b, v6 + 8, 16);
    assert_memory_equal(k.flows[1].destination_ip.b, v6 + 24, 16);
}

static void a_mapped_ipv6_address_is_that_ipv4_address(void **state)
{
    (void)state;
    static const struct specifier f[] = {{27, 16, 0}, {28, 16, 0}};
    static const uint8_t bytes[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3,
                                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,       0,  0, 0, 0};
    give_one_record(9, f, COUNT_OF(f), bytes, sizeof(bytes));
    assert_true(ip_is_v4(&k.flows[0].source_ip));
    assert_int_equal(ip_v4(&k.flows[0].source_ip), 0x0a010203);
    assert_true(ip_is_zero(&k.flows[0].destination_ip));
}

static void asa_events_keep_both_directions_the_event_and_the_user(void **state)
{
    (void)state;
    static const struct specifier f[] = {{148, 4, 0}, {8, 4, 0},   {7, 2, 0},   {12, 4, 0},  {11, 2, 0},    {4, 1, 0},
                                         {176, 1, 0}, {177, 1, 0}, {225, 4, 0}, {226, 4, 0}, {227, 2, 0},   {228, 2, 0},
                                         {233, 1, 0}, {33002, 2, 0}, {323, 8, 0}, {152, 8, 0}, {231, 4, 0}, {232, 4, 0},
                                         {298, 4, 0}, {299, 4, 0}, {40000, 20, 0}};
    v9_header(&b, 100000, NOW_S, 1, 0);
    put_template(&b, 0, 263, f, COUNT_OF(f));
    set_open(&b, 263);
    put_n(&b, 99, 4);
    put_n(&b, 0xc0a80001, 4);
    put_n(&b, 40000, 2);
    put_n(&b, 0xcb007107, 4);
    put_n(&b, 80, 2);
    put_n(&b, 6, 1);
    put_n(&b, 0, 2);
    put_n(&b, 0xcb007101, 4);
    put_n(&b, 0xcb007107, 4);
    put_n(&b, 1025, 2);
    put_n(&b, 80, 2);
    put_n(&b, 2, 1);
    put_n(&b, 2030, 2);
    put_n(&b, UINT64_C(1599999999500), 8);
    put_n(&b, UINT64_C(1599999990250), 8);
    put_n(&b, 69, 4);
    put_n(&b, 14178, 4);
    put_n(&b, 3, 4);
    put_n(&b, 12, 4);
    put_bytes(&b, "DOMAIN\\lan\0\0\0\0\0\0\0\0\0\0", 20);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    const struct flow *g = &k.flows[0];
    assert_int_equal(k.n, 1);
    assert_int_equal(g->source_bytes, 69);
    assert_int_equal(g->destination_bytes, 14178);
    assert_int_equal(g->source_packets, 3);
    assert_int_equal(g->destination_packets, 12);
    assert_int_equal(g->firewall_event, 2);
    assert_int_equal(g->start_us, INT64_C(1599999990250000));
    assert_int_equal(g->end_us, INT64_C(1599999999500000));
    assert_int_equal(ip_v4(&g->source_nat_ip), 0xcb007101);
    assert_int_equal(g->source_nat_port, 1025);
    assert_int_equal(g->destination_nat_port, 80);
    assert_false(g->present & FLOW_HAS(FLOW_ICMP));
    assert_string_equal(k.text, "user.name=DOMAIN\\lan;firewall.extended_event=2030;");
}

static void icmp_comes_from_whichever_field_has_it(void **state)
{
    (void)state;
    static const struct {
        struct specifier f;
        uint8_t protocol;
        uint16_t value, icmp;
    } cases[] = {
        {{32, 2, 0}, 1, 0x0800, 0x0800}, {{11, 2, 0}, 1, 0x0303, 0x0303},   {{139, 2, 0}, 58, 0x8700, 0x8700},
        {{11, 2, 0}, 58, 0x8000, 0x8000}, {{176, 2, 0}, 1, 8, 0x0800},      {{178, 2, 0}, 58, 135, 0x8700},
        {{11, 2, 0}, 6, 0x0050, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {4, 1, 0}, cases[i].f};
        uint8_t bytes[] = {10, 0, 0, 1, 10, 0, 0, 2, cases[i].protocol, (uint8_t)(cases[i].value >> 8), (uint8_t)cases[i].value};
        give_one_record(9, f, COUNT_OF(f), bytes, sizeof(bytes));
        const struct flow *g = &k.flows[k.n - 1];
        assert_int_equal(g->icmp, cases[i].icmp);
        assert_int_equal(!!(g->present & FLOW_HAS(FLOW_ICMP)), cases[i].protocol != 6);
    }
}

static void what_has_no_two_ip_addresses_is_refused_by_reason(void **state)
{
    (void)state;
    static const struct specifier macs[] = {{56, 6, 0}, {80, 6, 0}, {1, 4, 0}}, none[] = {{8, 4, 0}, {1, 4, 0}};
    uint8_t zeros[32] = {0};
    give_one_record(9, macs, COUNT_OF(macs), zeros, 32);
    assert_int_equal(r.n_refused[NETFLOW_LAYER2], 2);
    give_one_record(9, none, COUNT_OF(none), zeros, 24);
    assert_int_equal(r.n_refused[NETFLOW_NO_ADDRESSES], 3);
    assert_int_equal(k.n, 0);
}

/* templates */

static void records_before_their_template_wait_and_keep_their_own_clock(void **state)
{
    (void)state;
    v9_header(&b, 100000, NOW_S, 1, 0);
    set_open(&b, 256);
    put_plain(6, 1);
    set_close(&b);
    put_template(&b, 0, 300, plain, 2); /* some other template does not wake them */
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_waiting, 1);
    assert_int_equal(r.n_flows, 0);
    v9_header(&b, 3700000, NOW_S + 3600, 2, 0);
    put_template(&b, 0, 256, plain, COUNT_OF(plain));
    set_open(&b, 256);
    put_plain(6, 2);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_resolved, 1);
    assert_int_equal(r.n_flows, 2);
    assert_int_equal(k.flows[0].destination_port, 1);
    assert_int_equal(k.flows[0].start_us, US(NOW_S) - US(10));
    assert_int_equal(k.flows[0].clock_offset_us, INT64_C(1700000000000000) - US(NOW_S));
    assert_int_equal(k.flows[1].destination_port, 2);
    struct netflow_result last;
    netflow_finish(n, &last);
    assert_int_equal(last.n_refused[NETFLOW_TEMPLATE_UNKNOWN], 0);
}

static void waiting_is_bounded_and_what_never_resolves_is_counted(void **state)
{
    (void)state;
    struct netflow *small = netflow_new(&(struct netflow_options){.max_waiting_bytes = 1000});
    assert_non_null(small);
    uint32_t n_waiting = 0, n_refused = 0;
    for (int i = 0; i < 50; i++) {
        v9_header(&b, 1, NOW_S, 1, 0);
        set_open(&b, 256);
        put_plain(6, 1);
        set_close(&b);
        assert_int_equal(give(small, &b, &k, &r), 0);
        n_waiting += r.n_waiting;
        n_refused += r.n_refused[NETFLOW_WAITING_LIMIT];
    }
    assert_int_equal(n_waiting + n_refused, 50);
    assert_in_range(n_waiting, 3, 20);
    netflow_finish(small, &r);
    assert_int_equal(r.n_refused[NETFLOW_TEMPLATE_UNKNOWN], n_waiting);
    netflow_free(small);
}

static void what_waited_for_hours_is_not_read_by_a_template_of_today(void **state)
{
    (void)state;
    struct netflow_datagram d = {.p = b.p, .peer = ip_from_v4(5), .received_us = US(NOW_S)};
    struct netflow *patient = netflow_new(&(struct netflow_options){.max_waiting_us = US(60), .max_waiting_bytes = 500});
    assert_non_null(patient);
    for (int i = 0; i < 3; i++) { /* two find room; after a minute another takes the place of the first */
        v9_header(&b, 100000, NOW_S, 1, 0);
        set_open(&b, 256);
        put_plain(6, (uint16_t)i);
        set_close(&b);
        d.n_bytes = b.n;
        d.received_us = US(NOW_S + 25 * (unsigned)i);
        assert_int_equal(netflow_decode(patient, &d, keep_flows, &k, &r), 0);
        assert_int_equal(r.n_waiting, i < 2);
        assert_int_equal(r.n_refused[NETFLOW_WAITING_LIMIT], i == 2);
    }
    d.received_us = US(NOW_S + 61);
    assert_int_equal(netflow_decode(patient, &d, keep_flows, &k, &r), 0);
    assert_int_equal(r.n_waiting, 1);
    assert_int_equal(r.n_refused[NETFLOW_TEMPLATE_UNKNOWN], 1);
    v9_header(&b, 100000, NOW_S, 1, 0);
    put_template(&b, 0, 256, plain, COUNT_OF(plain));
    d.n_bytes = b.n;
    d.received_us = US(NOW_S + 100); /* the one of second 25 is too old by now, that of second 61 is not */
    assert_int_equal(netflow_decode(patient, &d, keep_flows, &k, &r), 0);
    assert_int_equal(r.n_resolved, 1);
    assert_int_equal(r.n_refused[NETFLOW_TEMPLATE_UNKNOWN], 1);
    assert_int_equal(k.n, 1);
    netflow_free(patient);
}

static void templates_belong_to_peer_and_domain_and_to_the_port_only_when_asked(void **state)
{
    (void)state;
    v9_header(&b, 100000, NOW_S, 1, 7);
    put_template(&b, 0, 256, plain, COUNT_OF(plain));
    assert_int_equal(give_from(n, b.p, b.n, 0x01010101, 1000, &k, &r), 0);
    static const struct {
        uint32_t peer, domain;
        uint16_t port;
        bool is_known;
    } cases[] = {{0x01010101, 7, 1000, true}, {0x01010101, 7, 1001, true}, {0x01010101, 8, 1000, false}, {0x01010102, 7, 1000, false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        v9_header(&b, 100000, NOW_S, 1, cases[i].domain);
        set_open(&b, 256);
        put_plain(6, 1);
        set_close(&b);
        assert_int_equal(give_from(n, b.p, b.n, cases[i].peer, cases[i].port, &k, &r), 0);
        assert_int_equal(r.n_flows, cases[i].is_known);
        assert_int_equal(r.n_waiting, !cases[i].is_known);
    }
    struct netflow *apart = netflow_new(&(struct netflow_options){.by_port = true});
    assert_non_null(apart);
    v9_header(&b, 100000, NOW_S, 1, 7);
    put_template(&b, 0, 256, plain, COUNT_OF(plain));
    assert_int_equal(give_from(apart, b.p, b.n, 0x01010101, 1000, &k, &r), 0);
    v9_header(&b, 100000, NOW_S, 1, 7);
    set_open(&b, 256);
    put_plain(6, 1);
    set_close(&b);
    assert_int_equal(give_from(apart, b.p, b.n, 0x01010101, 1001, &k, &r), 0);
    assert_int_equal(r.n_flows, 0);
    assert_int_equal(give_from(apart, b.p, b.n, 0x01010101, 1000, &k, &r), 0);
    assert_int_equal(r.n_flows, 1);
    netflow_free(apart);
}

static void a_refresh_is_silent_and_a_redefinition_is_reported_and_obeyed(void **state)
{
    (void)state;
    static const struct specifier swapped[] = {{12, 4, 0}, {8, 4, 0}};
    for (int i = 0; i < 2; i++) {
        v9_header(&b, 1, NOW_S, 1, 0);
        put_template(&b, 0, 256, plain, 2);
        set_open(&b, 256);
        put_n(&b, 0x01010101, 4);
        put_n(&b, 0x02020202, 4);
        set_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_int_equal(r.n_added, i == 0);
        assert_int_equal(r.n_refreshed, i == 1);
        assert_int_equal(r.n_redefined, 0);
    }
    v9_header(&b, 1, NOW_S, 1, 0);
    put_template(&b, 0, 256, swapped, 2);
    set_open(&b, 256);
    put_n(&b, 0x01010101, 4);
    put_n(&b, 0x02020202, 4);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_redefined, 1);
    assert_int_equal(ip_v4(&k.flows[0].source_ip), 0x01010101);
    assert_int_equal(ip_v4(&k.flows[2].source_ip), 0x02020202);
}

static void a_field_the_next_template_lacks_leaves_nothing_behind(void **state)
{
    (void)state;
    v9_header(&b, 100000, NOW_S, 1, 0);
    put_template(&b, 0, 256, plain, COUNT_OF(plain));
    put_template(&b, 0, 257, plain, 2);
    set_open(&b, 256);
    put_plain(1, 0x0800);
    set_close(&b);
    set_open(&b, 257);
    put_n(&b, 1, 4);
    put_n(&b, 2, 4);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.n, 2);
    const struct flow *f = &k.flows[1];
    assert_int_equal(f->source_bytes + f->source_packets + f->vlan + f->icmp + f->protocol + f->destination_port, 0);
    assert_int_equal(f->start_us, US(NOW_S));
}

/* lies */

static void give_raw(const uint8_t *sets, size_t n_bytes)
{
    v9_header(&b, 1, NOW_S, 1, 0);
    put_bytes(&b, sets, n_bytes);
    assert_int_equal(give(n, &b, &k, &r), 0);
}

static void lies_are_counted_and_end_nothing_but_themselves(void **state)
{
    (void)state;
    static const struct {
        uint8_t sets[40];
        size_t n_bytes;
        enum netflow_reason reason;
    } cases[] = {
        {{1, 0, 0, 3, 1, 2, 3, 4}, 8, NETFLOW_SET_LENGTH},                      /* shorter than its header */
        {{1, 0, 0, 0, 1, 2, 3, 4}, 8, NETFLOW_SET_LENGTH},                      /* would never end */
        {{1, 0, 0xff, 0xff, 1, 2, 3, 4}, 8, NETFLOW_SET_LENGTH},                /* past the end */
        {{0, 2, 0, 8, 1, 2, 3, 4}, 8, NETFLOW_SET_ID},                          /* 2..255 are reserved */
        {{0, 0, 0, 12, 0, 255, 0, 1, 0, 8, 0, 4}, 12, NETFLOW_TEMPLATE_MALFORMED}, /* ids begin at 256 */
        {{0, 0, 0, 12, 1, 0, 0xff, 0xff, 0, 8, 0, 4}, 12, NETFLOW_TEMPLATE_MALFORMED}, /* 65535 fields, one there */
        {{0, 0, 0, 12, 1, 0, 0, 1, 0, 8, 0, 0}, 12, NETFLOW_TEMPLATE_EMPTY},    /* a record of no bytes */
        {{0, 0, 0, 8, 1, 0, 0, 0}, 8, NETFLOW_TEMPLATE_EMPTY},                  /* no fields */
        {{0, 1, 0, 14, 1, 0, 0, 5, 0, 4, 0, 1, 0, 4}, 14, NETFLOW_TEMPLATE_MALFORMED}, /* scope of 5 bytes */
        {{0, 1, 0, 14, 1, 0, 0xff, 0xfc, 0xff, 0xfc, 0, 1, 0, 4}, 14, NETFLOW_TEMPLATE_MALFORMED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        give_raw(cases[i].sets, cases[i].n_bytes);
        assert_int_equal(r.n_refused[cases[i].reason], 1);
        assert_int_equal(all_refused(&r), 1);
        assert_int_equal(r.n_added, 0);
    }
    v9_header(&b, 1, NOW_S, 1, 0); /* a reserved set in front does not hide the sets behind it */
    put_bytes(&b, (const uint8_t[]){0, 77, 0, 6, 1, 2}, 6);
    put_template(&b, 0, 256, plain, 2);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_refused[NETFLOW_SET_ID], 1);
    assert_int_equal(r.n_added, 1);
}

static void a_template_longer_than_any_record_decodes_nothing(void **state)
{
    (void)state;
    static const struct specifier huge[] = {{8, 4, 0}, {12, 4, 0}, {94, 65534, 0}, {1, 65534, 0}, {7, 2, 0}};
    v9_header(&b, 1, NOW_S, 1, 0);
    put_template(&b, 0, 256, huge, COUNT_OF(huge));
    set_open(&b, 256);
    put_n(&b, 1, 8);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_flows, 0);
}

static void h3c_has_fields_of_variable_length_in_v9_too(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {96, 65535, 0}, {12, 4, 0}};
    v9_header(&b, 1, NOW_S, 1, 0);
    put_template(&b, 0, 256, f, COUNT_OF(f));
    set_open(&b, 256);
    for (int i = 0; i < 3; i++) {
        put_n(&b, 1, 4);
        put_n(&b, 3, 1);
        put_bytes(&b, "ftp", 3);
        put_n(&b, 2, 4);
    }
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_flows, 3);
    assert_int_equal(ip_v4(&k.flows[2].destination_ip), 2);
    assert_string_equal(k.text, "network.protocol=ftp;");
}

static void zero_length_fields_and_zero_padding_are_harmless(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {1, 0, 0}, {12, 4, 0}, {96, 0, 0}};
    v9_header(&b, 1, NOW_S, 1, 0);
    put_template(&b, 0, 256, f, COUNT_OF(f));
    set_open(&b, 256);
    put_n(&b, 0x01010101, 4);
    put_n(&b, 0x02020202, 4);
    set_close(&b);
    put_n(&b, 0, 8);
    put_n(&b, 0, 7); /* an exporter that sends datagrams of one size */
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_flows, 1);
    assert_int_equal(all_refused(&r), 0);
    assert_false(k.flows[0].present & FLOW_HAS(FLOW_SOURCE_BYTES));
}

static void quotas_hold(void **state)
{
    (void)state;
    struct netflow *small = netflow_new(&(struct netflow_options){.max_peers = 2, .max_templates_per_peer = 3});
    assert_non_null(small);
    uint32_t n_added = 0, n_refused = 0;
    for (uint16_t i = 0; i < 5; i++) {
        v9_header(&b, 1, NOW_S, 1, i % 2);
        put_template(&b, 0, (uint16_t)(256 + i), plain, 2);
        assert_int_equal(give_from(small, b.p, b.n, 1, 1, &k, &r), 0);
        n_added += r.n_added;
        n_refused += r.n_refused[NETFLOW_TEMPLATE_LIMIT];
    }
    assert_int_equal(n_added, 3);
    assert_int_equal(n_refused, 2);
    assert_int_equal(give_from(small, b.p, b.n, 2, 1, &k, &r), 0);
    assert_int_equal(r.n_added, 1);
    assert_int_equal(give_from(small, b.p, b.n, 3, 1, &k, &r), 0);
    assert_int_equal(r.n_refused[NETFLOW_PEER_LIMIT], 1);
    struct netflow_datagram late = {.p = b.p, .n_bytes = b.n, .peer = ip_from_v4(3),
                                    .received_us = INT64_C(1700000000000000) + US(3601)};
    assert_int_equal(netflow_decode(small, &late, keep_flows, &k, &r), 0);
    assert_int_equal(r.n_added, 1); /* somebody has been silent for an hour */
    netflow_free(small);
}

static int refuse_flows(void *context, const struct flow *flows, uint32_t n_flows, const struct flow_observer *o)
{
    (void)context, (void)flows, (void)n_flows, (void)o;
    return -EIO;
}

static void what_the_sink_answers_below_zero_is_handed_up(void **state)
{
    (void)state;
    v9_header(&b, 100000, NOW_S, 1, 0);
    put_template(&b, 0, 256, plain, COUNT_OF(plain));
    set_open(&b, 256);
    put_plain(6, 1);
    set_close(&b);
    struct netflow_datagram d = {.p = b.p, .n_bytes = b.n};
    assert_int_equal(netflow_decode(n, &d, refuse_flows, NULL, &r), -EIO);
}

static int work_with_little_memory(void *context)
{
    (void)context;
    static const struct specifier by_sampler[] = {{1, 4, 0}, {48, 1, 0}, {50, 4, 0}};
    static const struct specifier user[] = {{8, 4, 0}, {12, 4, 0}, {40000, 4, 0}};
    struct netflow *small = netflow_new(NULL);
    if (!small)
        return -ENOMEM;
    k = (struct kept){0};
    v9_header(&b, 100000, NOW_S, 1, 0);
    set_open(&b, 256);
    put_plain(6, 1);
    set_close(&b);
    put_template(&b, 0, 256, plain, COUNT_OF(plain));
    put_template(&b, 0, 257, user, COUNT_OF(user));
    put_v9_options(&b, 300, by_sampler, 1, COUNT_OF(by_sampler));
    set_open(&b, 300);
    put_n(&b, 0, 4);
    put_n(&b, 5, 1);
    put_n(&b, 100, 4);
    set_close(&b);
    set_open(&b, 257);
    put_n(&b, 1, 8);
    put_bytes(&b, "user", 4);
    set_close(&b);
    struct netflow_datagram d = {.p = b.p, .n_bytes = b.n};
    int e = netflow_decode(small, &d, keep_flows, &k, &r);
    if (!e)
        assert_int_equal(k.n, 2);
    netflow_free(small);
    return e;
}

static void every_failed_allocation_is_survived_and_told(void **state)
{
    (void)state;
    assert_in_range(failing_alloc_each("decoding", work_with_little_memory, NULL, false), 8, 100);
}

static void memory_is_accounted_and_given_back(void **state)
{
    (void)state;
    v9_header(&b, 100000, NOW_S, 1, 0);
    set_open(&b, 256);
    put_plain(6, 1);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    size_t before = netflow_bytes(n);
    netflow_finish(n, &r);
    assert_true(netflow_bytes(n) < before);
    assert_true(netflow_bytes(n) > 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_template_and_its_records_in_one_datagram),
        WITH(out_bytes_are_post_metering_counters_never_the_reverse_direction),
        WITH(a_record_without_times_gets_the_export_time_and_says_so),
        WITH(zero_ipv6_beside_ipv4_is_ignored_and_the_other_way_round),
        WITH(a_mapped_ipv6_address_is_that_ipv4_address),
        WITH(asa_events_keep_both_directions_the_event_and_the_user),
        WITH(icmp_comes_from_whichever_field_has_it),
        WITH(what_has_no_two_ip_addresses_is_refused_by_reason),
        WITH(records_before_their_template_wait_and_keep_their_own_clock),
        WITH(waiting_is_bounded_and_what_never_resolves_is_counted),
        WITH(what_waited_for_hours_is_not_read_by_a_template_of_today),
        WITH(templates_belong_to_peer_and_domain_and_to_the_port_only_when_asked),
        WITH(a_refresh_is_silent_and_a_redefinition_is_reported_and_obeyed),
        WITH(a_field_the_next_template_lacks_leaves_nothing_behind),
        WITH(lies_are_counted_and_end_nothing_but_themselves),
        WITH(a_template_longer_than_any_record_decodes_nothing),
        WITH(h3c_has_fields_of_variable_length_in_v9_too),
        WITH(zero_length_fields_and_zero_padding_are_harmless),
        WITH(quotas_hold),
        WITH(what_the_sink_answers_below_zero_is_handed_up),
        WITH(every_failed_allocation_is_survived_and_told),
        WITH(memory_is_accounted_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
