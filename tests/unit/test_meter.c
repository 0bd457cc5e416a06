/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoded packets written here go in, flows come out; the clock is theirs.
 */
#include "watch/intake/meter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define T0 (INT64_C(1700000000) * SECOND)

struct seen {
    struct flow flows[64];
    char texts[64][512];
    unsigned n;
    int answer;
};

static int see(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct seen *s = context;
    (void)o;
    assert_int_equal(n, 1);
    assert_true(s->n < 64 && flows->texts.n < 512);
    s->flows[s->n] = *flows;
    if (flows->texts.n)
        memcpy(s->texts[s->n], flows->texts.p, flows->texts.n);
    s->flows[s->n].texts.p = s->texts[s->n];
    s->n++;
    return s->answer;
}

/* client 10.0.0.1:40000, server 10.0.0.2:80; @from_server turns the packet round */
static struct packet tcp(bool from_server, uint16_t flags)
{
    struct packet k = {.source = ip_from_v4(from_server ? 0x0a000002 : 0x0a000001),
                       .destination = ip_from_v4(from_server ? 0x0a000001 : 0x0a000002),
                       .source_port = from_server ? 80 : 40000,
                       .destination_port = from_server ? 40000 : 80,
                       .protocol = 6,
                       .has_ports = true,
                       .has_tcp = true,
                       .tcp_flags = flags,
                       .n_ip_bytes = from_server ? 100 : 60,
                       .tos = from_server ? 1 : 2};
    return k;
}

static struct packet udp(uint8_t last, uint16_t port)
{
    struct packet k = tcp(false, 0);
    k.source = ip_from_v4(0x0a000000u | last);
    k.protocol = 17;
    k.has_tcp = false;
    k.source_port = port;
    return k;
}

static void give(struct meter *m, struct packet k, int64_t time_us)
{
    assert_int_equal(meter_packet(m, &k, 1, time_us), 0);
}

static void text_is_there(const struct seen *s, unsigned i, const char *name, const char *want)
{
    struct text v;
    assert_true(flow_text_get(s->flows[i].texts, name, &v));
    assert_int_equal(v.n, strlen(want));
    assert_memory_equal(v.p, want, v.n);
}

static struct meter *meter_with(struct meter_options o, struct seen *s)
{
    *s = (struct seen){.n = 0};
    struct meter *m = meter_new(&o, see, s);
    assert_non_null(m);
    return m;
}

static void both_directions_are_one_flow_of_the_initiator(void **state)
{
    (void)state;
    struct seen s;
    struct meter *m = meter_with((struct meter_options){0}, &s);
    give(m, tcp(false, 0x02), T0);
    give(m, tcp(true, 0x12), T0 + 1000);
    give(m, tcp(false, 0x10), T0 + 2000);
    give(m, tcp(true, 0x18), T0 + 3000);
    assert_int_equal(s.n, 0);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 1);
    const struct flow *f = s.flows;
    assert_int_equal(ip_v4(&f->source_ip), 0x0a000001);
    assert_int_equal(f->source_port, 40000);
    assert_int_equal(f->destination_port, 80);
    assert_int_equal(f->source_packets, 2);
    assert_int_equal(f->source_bytes, 120);
    assert_int_equal(f->destination_packets, 2);
    assert_int_equal(f->destination_bytes, 200);
    assert_int_equal(f->tcp_flags, 0x12);
    assert_int_equal(f->reverse_tcp_flags, 0x1a);
    assert_int_equal(f->start_us, T0);
    assert_int_equal(f->end_us, T0 + 3000);
    assert_int_equal(f->tos, 2);
    assert_int_equal(f->end_reason, 4);
    assert_false(f->present & FLOW_HAS(FLOW_VLAN));
    meter_free(m);
}

static void the_syn_decides_who_is_source(void **state)
{
    (void)state;
    static const struct {
        bool first_from_server, second_from_server;
        uint16_t first, second;
        uint32_t source;
    } rows[] = {
        {false, true, 0x02, 0x12, 0x0a000001},
        {true, false, 0x12, 0x02, 0x0a000001}, /* the answer was captured first */
        {true, true, 0x12, 0x10, 0x0a000001},  /* only the answers were captured */
        {true, false, 0x10, 0x10, 0x0a000002}, /* no SYN at all: who was first */
        {true, false, 0x10, 0x02, 0x0a000001}, /* a SYN after some stray packet */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct seen s;
        struct meter *m = meter_with((struct meter_options){0}, &s);
        give(m, tcp(rows[i].first_from_server, rows[i].first), T0);
        give(m, tcp(rows[i].second_from_server, rows[i].second), T0 + 1);
        assert_int_equal(meter_flush(m), 0);
        assert_int_equal(s.n, 1);
        assert_int_equal(ip_v4(&s.flows[0].source_ip), rows[i].source);
        assert_int_equal(s.flows[0].source_packets + s.flows[0].destination_packets, 2);
        meter_free(m);
    }
}

static void a_closed_connection_ends_after_its_last_packets(void **state)
{
    (void)state;
    struct seen s;
    struct meter *m = meter_with((struct meter_options){0}, &s);
    give(m, tcp(false, 0x02), T0);
    give(m, tcp(true, 0x11), T0 + 1);
    give(m, tcp(false, 0x11), T0 + 2);
    give(m, tcp(true, 0x10), T0 + 3); /* the last ACK still belongs to it */
    assert_int_equal(meter_tick(m, T0 + 3 + 5 * SECOND - 1), 0);
    assert_int_equal(s.n, 0);
    assert_int_equal(meter_tick(m, T0 + 3 + 5 * SECOND), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.flows[0].end_reason, 3);
    assert_int_equal(s.flows[0].destination_packets, 2);
    /* RST from one side; then the same ports again at once */
    give(m, tcp(false, 0x02), T0 + 20 * SECOND);
    give(m, tcp(true, 0x14), T0 + 20 * SECOND + 1);
    give(m, tcp(false, 0x02), T0 + 20 * SECOND + 2);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.flows[1].end_reason, 3);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.flows[2].source_packets, 1);
    meter_free(m);
}

static void idle_flows_end_by_the_clock_of_the_packets(void **state)
{
    (void)state;
    struct seen s;
    struct meter *m = meter_with((struct meter_options){0}, &s);
    give(m, udp(1, 1000), T0);
    give(m, tcp(false, 0x02), T0);
    give(m, udp(2, 1000), T0 + 59 * SECOND);
    assert_int_equal(s.n, 0);
    give(m, udp(2, 1000), T0 + 60 * SECOND);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.flows[0].end_reason, 1);
    assert_int_equal(s.flows[0].end_us, T0);
    give(m, udp(2, 1000), T0 + 118 * SECOND);
    assert_int_equal(meter_tick(m, T0 + 300 * SECOND), 0); /* the TCP flow too */
    assert_int_equal(s.n, 3);
    struct meter_counters c;
    meter_count(m, &c);
    assert_int_equal(c.n_open, 0);
    assert_int_equal(c.n_flows, 3);
    assert_int_equal(c.n_metered, 5);
    meter_free(m);
}

static void a_packet_after_the_time_out_begins_another_flow(void **state)
{
    (void)state;
    struct seen s;
    struct meter *m = meter_with((struct meter_options){0}, &s);
    give(m, udp(9, 9), T0 - SECOND / 2); /* keeps the head of the queue */
    give(m, udp(1, 1), T0);
    give(m, udp(9, 9), T0 + SECOND / 3);
    give(m, udp(1, 1), T0 + 60 * SECOND);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 3);
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++)
        if (s.flows[i].source_port == 1) {
            assert_int_equal(s.flows[i].source_packets, 1);
            assert_int_equal(s.flows[i].end_reason, n++ ? 4 : 1);
        }
    assert_int_equal(n, 2);
    meter_free(m);
}

static void a_long_flow_is_written_in_parts_and_keeps_its_direction(void **state)
{
    (void)state;
    struct seen s;
    struct meter *m = meter_with((struct meter_options){.active_us = 100 * SECOND}, &s);
    give(m, tcp(false, 0x02), T0);
    for (int i = 1; i <= 25; i++)
        give(m, tcp(true, 0x10), T0 + i * 10 * SECOND);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 3);
    uint64_t n = 0;
    for (unsigned i = 0; i < s.n; i++) {
        assert_int_equal(ip_v4(&s.flows[i].source_ip), 0x0a000001);
        n += s.flows[i].source_packets + s.flows[i].destination_packets;
    }
    assert_int_equal(n, 26);
    assert_int_equal(s.flows[0].end_reason, 2);
    assert_int_equal(s.flows[0].end_us, T0 + 90 * SECOND);
    assert_int_equal(s.flows[1].start_us, T0 + 100 * SECOND);
    assert_int_equal(s.flows[2].end_reason, 4);
    meter_free(m);
}

static void a_full_table_expels_the_flow_longest_untouched(void **state)
{
    (void)state;
    struct seen s;
    struct meter_counters c;
    struct meter *m = meter_with((struct meter_options){.max_flows = 3}, &s);
    give(m, udp(1, 1), T0);
    give(m, tcp(false, 0x02), T0 + 2 * SECOND);
    give(m, udp(3, 3), T0 + 4 * SECOND);
    give(m, udp(1, 1), T0 + 6 * SECOND);
    give(m, udp(4, 4), T0 + 8 * SECOND); /* the TCP flow is the oldest now */
    assert_int_equal(s.n, 1);
    assert_int_equal(s.flows[0].protocol, 6);
    assert_int_equal(s.flows[0].end_reason, 5);
    give(m, udp(5, 5), T0 + 10 * SECOND);
    assert_int_equal(s.flows[1].source_port, 3);
    meter_count(m, &c);
    assert_int_equal(c.n_expelled, 2);
    assert_int_equal(c.n_open, 3);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 5);
    meter_free(m);
}

static void vlan_and_tunnel_set_flows_apart(void **state)
{
    (void)state;
    struct seen s;
    struct meter *m = meter_with((struct meter_options){0}, &s);
    struct packet k = udp(1, 1);
    give(m, k, T0);
    k.has_vlan = true;
    k.vlan = 7;
    give(m, k, T0);
    k.vlan = 8;
    give(m, k, T0);
    k.has_vlan = false;
    k.vlan = 0;
    struct packet layers[2] = {udp(9, 4789), k};
    layers[1].tunnel = PACKET_TUNNEL_VXLAN;
    assert_int_equal(meter_packet(m, layers, 2, T0), 0);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 5);
    assert_int_equal(s.flows[1].vlan, 7);
    assert_true(s.flows[2].present & FLOW_HAS(FLOW_VLAN));
    assert_int_equal(ip_v4(&s.flows[3].source_ip), 0x0a000009);
    text_is_there(&s, 4, "network.tunnel", "vxlan 10.0.0.9 10.0.0.2");
    meter_free(m);

    m = meter_with((struct meter_options){.without_vlan = true, .without_outer = true}, &s);
    give(m, udp(1, 1), T0);
    k.has_vlan = true;
    give(m, k, T0);
    assert_int_equal(meter_packet(m, layers, 2, T0), 0);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.flows[0].source_packets, 2);
    meter_free(m);
}

static struct packet fragment(uint16_t offset, uint32_t id, uint32_t n_bytes)
{
    struct packet k = udp(1, offset ? 0 : 1234);
    k.destination_port = offset ? 0 : 53;
    k.has_ports = !offset;
    k.is_fragment = true;
    k.fragment_offset = offset;
    k.fragment_id = id;
    k.n_ip_bytes = n_bytes;
    return k;
}

static void fragments_belong_to_the_flow_of_their_first_in_any_order(void **state)
{
    (void)state;
    static const uint16_t orders[][3] = {{0, 100, 200}, {0, 200, 100}, {200, 100, 0}, {100, 0, 200}};
    for (size_t i = 0; i < 4; i++) {
        struct seen s;
        struct meter_counters c;
        struct meter *m = meter_with((struct meter_options){0}, &s);
        for (int k = 0; k < 3; k++)
            give(m, fragment(orders[i][k], 7, 1000u + orders[i][k]), T0 + k);
        give(m, fragment(100, 8, 5000), T0 + 3); /* of another packet, whose first never comes */
        assert_int_equal(meter_flush(m), 0);
        meter_count(m, &c);
        assert_int_equal(s.n, 2);
        unsigned whole = s.flows[0].source_port ? 0 : 1;
        assert_int_equal(s.flows[whole].source_port, 1234);
        assert_int_equal(s.flows[whole].source_packets, 3);
        assert_int_equal(s.flows[whole].source_bytes, 3300);
        assert_int_equal(s.flows[whole].start_us, T0);
        assert_int_equal(s.flows[whole].end_us, T0 + 2);
        assert_false(s.flows[!whole].present & FLOW_HAS(FLOW_SOURCE_PORT));
        assert_int_equal(s.flows[!whole].source_bytes, 5000);
        assert_int_equal(c.n_fragments, 2);
        assert_int_equal(c.n_fragments_lost, 1);
        meter_free(m);
    }
}

static void fragments_are_bounded_and_age(void **state)
{
    (void)state;
    struct seen s;
    struct meter_counters c;
    struct meter *m = meter_with((struct meter_options){.max_fragments = 2}, &s);
    for (uint32_t id = 0; id < 5; id++)
        give(m, fragment(100, id, 100), T0);
    meter_count(m, &c);
    assert_int_equal(c.n_fragments_lost, 3);
    assert_int_equal(meter_tick(m, T0 + 30 * SECOND), 0);
    meter_count(m, &c);
    assert_int_equal(c.n_fragments_lost, 5);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.flows[0].source_packets, 5);
    assert_int_equal(s.flows[0].end_us, T0);
    meter_free(m);
}

static void refused_frames_are_counted_by_reason(void **state)
{
    (void)state;
    struct seen s;
    struct meter_counters c;
    struct meter *m = meter_with((struct meter_options){0}, &s);
    const uint8_t arp[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1};
    const uint8_t ip[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
    assert_int_equal(meter_frame(m, 1, arp, sizeof(arp), sizeof(arp), T0), 0);
    assert_int_equal(meter_frame(m, 105, arp, sizeof(arp), sizeof(arp), T0), 0);
    assert_int_equal(meter_frame(m, 101, ip, 10, 20, T0), 0);
    assert_int_equal(meter_frame(m, 101, ip, 20, 20, INT64_MIN), 0);
    meter_count(m, &c);
    assert_int_equal(c.n_frames, 4);
    assert_int_equal(c.n_metered, 1);
    assert_int_equal(c.n_refused[PACKET_NOT_IP], 1);
    assert_int_equal(c.n_refused[PACKET_LINK_UNKNOWN], 1);
    assert_int_equal(c.n_refused[PACKET_CUT], 1);
    meter_free(m);
}

static void a_clock_that_falls_back_ends_what_is_open(void **state)
{
    (void)state;
    struct seen s;
    struct meter_counters c;
    struct meter *m = meter_with((struct meter_options){0}, &s);
    give(m, udp(1, 1), T0);
    give(m, udp(2, 2), T0 - 10 * SECOND); /* ordinary disorder */
    assert_int_equal(s.n, 0);
    give(m, udp(3, 3), T0 - 3600 * SECOND);
    assert_int_equal(s.n, 2);
    meter_count(m, &c);
    assert_int_equal(c.n_clock_back, 1);
    give(m, udp(4, 4), T0 - 3540 * SECOND);
    assert_int_equal(s.n, 3);
    give(m, udp(5, 5), INT64_MAX);
    give(m, udp(6, 6), INT64_MIN + 1);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 6);
    meter_free(m);
}

static void the_answer_of_the_sink_is_handed_up(void **state)
{
    (void)state;
    struct seen s;
    struct meter *m = meter_with((struct meter_options){0}, &s);
    give(m, udp(1, 1), T0);
    give(m, udp(2, 2), T0);
    s.answer = -ENOSPC;
    struct packet k = udp(3, 3);
    assert_int_equal(meter_packet(m, &k, 1, T0 + 100 * SECOND), -ENOSPC);
    assert_int_equal(meter_flush(m), -ENOSPC);
    meter_free(m);
}

/* a query for <letter>.example. of type A */
static struct packet dns(uint8_t *room, char letter)
{
    static const uint8_t query[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\1?\7example\0\0\1\0\1";
    memcpy(room, query, sizeof(query) - 1);
    room[13] = (uint8_t)letter;
    struct packet k = udp(1, 5000);
    k.destination_port = 53;
    k.payload = room;
    k.n_payload_bytes = sizeof(query) - 1;
    return k;
}

static void no_dns_name_is_lost_however_many_a_flow_asks(void **state)
{
    (void)state;
    struct seen s;
    uint8_t room[64];
    struct meter *m = meter_with((struct meter_options){0}, &s);
    for (char c = 'A'; c < 'A' + 20; c++) {
        give(m, dns(room, c), T0 + c);
        give(m, dns(room, c), T0 + c); /* asked twice, kept once */
    }
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(s.n, 3); /* eight, eight, four */
    uint64_t n_packets = 0;
    char want[] = "a.example";
    for (unsigned i = 0; i < s.n; i++) {
        struct text rest = s.flows[i].texts, name, value;
        n_packets += s.flows[i].source_packets;
        text_is_there(&s, i, "network.protocol", "dns");
        while (flow_text_next(&rest, &name, &value))
            if (text_is(name, "dns.question.name")) {
                assert_true(text_is(value, want));
                want[0]++;
            }
    }
    assert_int_equal(want[0], 'a' + 20);
    assert_int_equal(n_packets, 40);
    meter_free(m);
}

static void random_packets_balance(void **state)
{
    (void)state;
    const char *seed_text = getenv("VONGGAC_SEED"), *rounds_text = getenv("VONGGAC_ROUNDS");
    uint64_t x = seed_text ? strtoull(seed_text, NULL, 10) : 7;
    int rounds = rounds_text ? atoi(rounds_text) : 20;
    for (int round = 0; round < rounds; round++) {
        struct seen s;
        uint64_t n = 0, n_bytes = 0, got = 0, got_bytes = 0, seed = x;
        struct meter *m = meter_with((struct meter_options){.max_flows = 16, .max_fragments = 4, .seed = x}, &s);
        int64_t now = T0;
        for (int i = 0; i < 2000; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            unsigned r = (unsigned)(x >> 33);
            struct packet k = r & 1 ? tcp(r & 2, (uint16_t)(r >> 2 & 0x1f)) : udp((uint8_t)(r >> 2 & 31), (uint16_t)(r >> 8 & 1));
            if ((r & 0xf000) == 0x1000)
                k = fragment((uint16_t)(r >> 4 & 1), r >> 5 & 7, 100);
            k.n_ip_bytes = 20 + (r >> 16 & 1023);
            now += (int64_t)(r >> 20 & 7) * SECOND - SECOND;
            give(m, k, now);
            n++;
            n_bytes += k.n_ip_bytes;
            for (; s.n; s.n--) {
                got += s.flows[s.n - 1].source_packets + s.flows[s.n - 1].destination_packets;
                got_bytes += s.flows[s.n - 1].source_bytes + s.flows[s.n - 1].destination_bytes;
                assert_true(s.flows[s.n - 1].start_us <= s.flows[s.n - 1].end_us);
            }
        }
        assert_int_equal(meter_flush(m), 0);
        for (; s.n; s.n--) {
            got += s.flows[s.n - 1].source_packets + s.flows[s.n - 1].destination_packets;
            got_bytes += s.flows[s.n - 1].source_bytes + s.flows[s.n - 1].destination_bytes;
        }
        if (got != n || got_bytes != n_bytes)
            fail_msg("seed %llu: %llu packets in, %llu out", (unsigned long long)seed, (unsigned long long)n,
                     (unsigned long long)got);
        struct meter_counters c;
        meter_count(m, &c);
        assert_int_equal(c.n_open, 0);
        meter_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_directions_are_one_flow_of_the_initiator),
        cmocka_unit_test(the_syn_decides_who_is_source),
        cmocka_unit_test(a_closed_connection_ends_after_its_last_packets),
        cmocka_unit_test(idle_flows_end_by_the_clock_of_the_packets),
        cmocka_unit_test(a_packet_after_the_time_out_begins_another_flow),
        cmocka_unit_test(a_long_flow_is_written_in_parts_and_keeps_its_direction),
        cmocka_unit_test(a_full_table_expels_the_flow_longest_untouched),
        cmocka_unit_test(vlan_and_tunnel_set_flows_apart),
        cmocka_unit_test(fragments_belong_to_the_flow_of_their_first_in_any_order),
        cmocka_unit_test(fragments_are_bounded_and_age),
        cmocka_unit_test(refused_frames_are_counted_by_reason),
        cmocka_unit_test(a_clock_that_falls_back_ends_what_is_open),
        cmocka_unit_test(the_answer_of_the_sink_is_handed_up),
        cmocka_unit_test(no_dns_name_is_lost_however_many_a_flow_asks),
        cmocka_unit_test(random_packets_balance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
