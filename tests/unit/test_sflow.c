/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sFlow datagrams written here after sflow_version_5.txt; counters of a real
 * capture against the listing of tcpdump where the shared data are there.
 */
#include "base/cursor.h"
#include "base/file.h"
#include "format/packet.h"
#include "format/pcap.h"
#include "format/sflow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RECEIVED INT64_C(1700000000000000)

struct datagram {
    uint8_t p[2048];
    size_t n;
};

static void u32(struct datagram *d, uint32_t v)
{
    uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    memcpy(d->p + d->n, b, 4);
    d->n += 4;
}

static void bytes(struct datagram *d, const void *p, size_t n)
{
    memset(d->p + d->n, 0, n + 3);
    memcpy(d->p + d->n, p, n);
    d->n += (n + 3) & ~(size_t)3;
}

/* the length is written when what it counts is there */
static size_t open_length(struct datagram *d)
{
    u32(d, 0);
    return d->n;
}

static void close_length(struct datagram *d, size_t at)
{
    size_t end = d->n;
    d->n = at - 4;
    u32(d, (uint32_t)(end - at));
    d->n = end;
}

static void header(struct datagram *d, uint32_t sequence, uint32_t n_samples)
{
    u32(d, 5);
    u32(d, 1);
    u32(d, 0xc0000201); /* agent 192.0.2.1 */
    u32(d, 7);          /* sub-agent */
    u32(d, sequence);
    u32(d, 123456);
    u32(d, n_samples);
}

/* returns where its length is to be closed */
static size_t flow_sample(struct datagram *d, uint32_t sequence, uint32_t rate, uint32_t drops, uint32_t n_records)
{
    u32(d, 1);
    size_t at = open_length(d);
    u32(d, sequence);
    u32(d, 0x00000005); /* source: ifIndex 5 */
    u32(d, rate);
    u32(d, 1000);
    u32(d, drops);
    u32(d, 5);
    u32(d, 0x3fffffff); /* out of the agent itself: no index */
    u32(d, n_records);
    return at;
}

/* Ethernet, VLAN 12, IPv4 198.51.100.1:40000 > 203.0.113.2:443, TCP with SYN */
static const uint8_t frame[] = {2,  0, 0, 0,  0,  1,    2, 0,  0,   0,  0,   2,    0x81, 0,    0, 12, 8,    0,    0x45, 0x10,
                                0,  40, 0, 1, 0x40, 0, 64, 6,  0,   0,  198, 51,   100,  1,    203, 0, 113, 2,    0x9c, 0x40,
                                1,  0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0};

static void header_record(struct datagram *d, uint32_t protocol, uint32_t n_frame, const void *p, size_t n)
{
    u32(d, 1);
    size_t at = open_length(d);
    u32(d, protocol);
    u32(d, n_frame);
    u32(d, 4);
    u32(d, (uint32_t)n);
    bytes(d, p, n);
    close_length(d, at);
}

struct seen {
    struct flow flows[16];
    struct flow_observer observer;
    char tunnel[128];
    unsigned n, n_counters;
    uint64_t in_bytes, out_bytes;
    int answer;
};

static int see(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct seen *s = context;
    struct text t;
    assert_true(s->n + n <= 16 && o);
    memcpy(&s->flows[s->n], flows, n * sizeof(*flows));
    s->n += n;
    s->observer = *o;
    if (flow_text_get(flows->texts, "network.tunnel", &t))
        snprintf(s->tunnel, sizeof(s->tunnel), "%.*s", (int)t.n, t.p);
    return s->answer;
}

static int see_counters(void *context, const struct sflow_counters *c)
{
    struct seen *s = context;
    s->n_counters++;
    s->in_bytes += c->in_bytes;
    s->out_bytes += c->out_bytes;
    return 0;
}

static int decode(const struct datagram *d, struct seen *s, struct sflow_result *r)
{
    struct ip peer = ip_from_v4(0x0a0a0a0a);
    uint8_t *exact = malloc(d->n ? d->n : 1);
    memcpy(exact, d->p, d->n);
    int e = sflow_decode_all(exact, d->n, &peer, RECEIVED, see, see_counters, s, r);
    free(exact);
    uint32_t refused = 0;
    for (int i = SFLOW_SAMPLE_MALFORMED; i < SFLOW_N_REASONS; i++)
        refused += r->n_refused[i];
    if (!e) { /* the account balances */
        assert_int_equal(r->n_samples, r->n_flow_samples + r->n_counter_samples + r->n_other_samples +
                                           r->n_refused[SFLOW_SAMPLE_CUT]);
        assert_int_equal(r->n_flow_samples, r->n_flows + refused);
        assert_int_equal(s->n, r->n_flows + r->n_inner);
    }
    return e;
}

static void same_ip(const struct ip *a, const char *text)
{
    char out[IP_TEXT_MAX];
    ip_format(a, out);
    assert_string_equal(out, text);
}

static void a_sampled_frame_is_one_flow_times_the_rate(void **state)
{
    (void)state;
    struct datagram d = {.n = 0};
    struct seen s = {.n = 0};
    struct sflow_result r;
    header(&d, 42, 1);
    size_t at = flow_sample(&d, 1, 512, 0, 1);
    header_record(&d, 1, 1518, frame, sizeof(frame));
    close_length(&d, at);
    assert_int_equal(decode(&d, &s, &r), 0);
    assert_int_equal(s.n, 1);
    const struct flow *f = s.flows;
    same_ip(&f->source_ip, "198.51.100.1");
    same_ip(&f->destination_ip, "203.0.113.2");
    assert_int_equal(f->source_port, 40000);
    assert_int_equal(f->destination_port, 443);
    assert_int_equal(f->protocol, 6);
    assert_int_equal(f->tcp_flags, 2);
    assert_int_equal(f->tos, 0x10);
    assert_int_equal(f->vlan, 12);
    assert_int_equal(f->source_packets, 512);
    assert_int_equal(f->source_bytes, 1518 * 512);
    assert_int_equal(f->sampling, 512);
    assert_int_equal(f->input_if, 5);
    assert_false(f->present & FLOW_HAS(FLOW_OUTPUT_IF));
    assert_int_equal(f->start_us, RECEIVED);
    assert_int_equal(f->end_us, RECEIVED);
    assert_int_equal(f->time_source, FLOW_TIME_OF_RECEIPT);
    same_ip(&s.observer.ip, "192.0.2.1");
    assert_int_equal(s.observer.domain, 7);
    assert_int_equal(r.sequence, 42);
    assert_int_equal(r.n_sources, 1);
    assert_int_equal(r.sources[0].index, 5);
}

static void extended_records_in_any_order_add_to_the_flow(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct datagram d = {.n = 0};
        struct seen s = {.n = 0};
        struct sflow_result r;
        header(&d, 1, 1);
        size_t at = flow_sample(&d, 1, 10, 0, 5), one;
        if (order)
            header_record(&d, 1, 100, frame, sizeof(frame));
        u32(&d, 1001); /* switch: VLAN 30 comes in, 40 goes out */
        one = open_length(&d);
        u32(&d, 30);
        u32(&d, 0);
        u32(&d, 40);
        u32(&d, 0);
        close_length(&d, one);
        u32(&d, 1002); /* router */
        one = open_length(&d);
        u32(&d, 1);
        u32(&d, 0xcb0071fe);
        u32(&d, 24);
        u32(&d, 16);
        close_length(&d, one);
        u32(&d, 1003); /* gateway: two segments, the destination ends the last */
        one = open_length(&d);
        u32(&d, 1);
        u32(&d, 0xcb0071fd);
        u32(&d, 64500);
        u32(&d, 7552);
        u32(&d, 64501);
        u32(&d, 2);
        u32(&d, 2);
        u32(&d, 2);
        u32(&d, 174);
        u32(&d, 3356);
        u32(&d, 1);
        u32(&d, 1);
        u32(&d, 45899);
        u32(&d, 0);
        u32(&d, 100);
        close_length(&d, one);
        u32(&d, (9u << 12) | 1); /* of another enterprise: passed over */
        u32(&d, 4);
        u32(&d, 0xdeadbeef);
        if (!order)
            header_record(&d, 1, 100, frame, sizeof(frame));
        close_length(&d, at);
        assert_int_equal(decode(&d, &s, &r), 0);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.flows[0].vlan, 30);
        same_ip(&s.flows[0].next_hop, "203.0.113.254");
        assert_int_equal(s.flows[0].source_mask, 24);
        assert_int_equal(s.flows[0].destination_mask, 16);
        assert_int_equal(s.flows[0].source_as, 7552);
        assert_int_equal(s.flows[0].destination_as, 45899);
        assert_int_equal(s.flows[0].source_bytes, 1000);
    }
}

static void sampled_addresses_serve_where_there_is_no_header(void **state)
{
    (void)state;
    struct datagram d = {.n = 0};
    struct seen s = {.n = 0};
    struct sflow_result r;
    header(&d, 1, 2);
    size_t at = flow_sample(&d, 1, 3, 0, 1);
    u32(&d, 3);
    u32(&d, 32);
    u32(&d, 1000);
    u32(&d, 17);
    u32(&d, 0x01020304);
    u32(&d, 0x05060708);
    u32(&d, 53);
    u32(&d, 5353);
    u32(&d, 0);
    u32(&d, 8);
    close_length(&d, at);
    at = flow_sample(&d, 2, 0, 0, 1); /* a rate of 0 is taken for 1 */
    u32(&d, 4);
    u32(&d, 56);
    u32(&d, 60);
    u32(&d, 6);
    bytes(&d, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 32);
    u32(&d, 1);
    u32(&d, 2);
    u32(&d, 0x12);
    u32(&d, 0);
    close_length(&d, at);
    assert_int_equal(decode(&d, &s, &r), 0);
    assert_int_equal(s.n, 2);
    same_ip(&s.flows[0].source_ip, "1.2.3.4");
    assert_int_equal(s.flows[0].destination_port, 5353);
    assert_int_equal(s.flows[0].source_bytes, 3000);
    assert_int_equal(s.flows[0].tos, 8);
    same_ip(&s.flows[1].destination_ip, "2001:db8::2");
    assert_int_equal(s.flows[1].tcp_flags, 0x12);
    assert_int_equal(s.flows[1].source_packets, 1);
    assert_false(s.flows[1].present & FLOW_HAS(FLOW_SAMPLING));
}

static void expanded_samples_carry_wide_interfaces(void **state)
{
    (void)state;
    struct datagram d = {.n = 0};
    struct seen s = {.n = 0};
    struct sflow_result r;
    header(&d, 1, 1);
    u32(&d, 3);
    size_t at = open_length(&d);
    u32(&d, 9);
    u32(&d, 0);
    u32(&d, 0x12345678); /* source index above 24 bits */
    u32(&d, 2);
    u32(&d, 0);
    u32(&d, 17);
    u32(&d, 0);
    u32(&d, 0x12345678);
    u32(&d, 1); /* discarded: the value is a reason, no index */
    u32(&d, 256);
    u32(&d, 1);
    header_record(&d, 11, 40, frame + 18, 40); /* IPv4 without a link */
    close_length(&d, at);
    assert_int_equal(decode(&d, &s, &r), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.flows[0].input_if, 0x12345678);
    assert_false(s.flows[0].present & FLOW_HAS(FLOW_OUTPUT_IF));
    assert_int_equal(s.flows[0].source_bytes, 80);
    assert_int_equal(r.sources[0].index, 0x12345678);
    assert_int_equal(r.sources[0].drops, 17);
}

static void a_tunnel_gives_a_row_for_each_layer(void **state)
{
    (void)state;
    struct datagram d = {.n = 0};
    struct seen s = {.n = 0};
    struct sflow_result r;
    uint8_t outer[60] = {0x45, 0, 0, 60, 0, 0, 0, 0, 64, 4, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
    memcpy(outer + 20, frame + 18, 40);
    header(&d, 1, 1);
    size_t at = flow_sample(&d, 1, 100, 0, 1);
    header_record(&d, 11, 78, outer, sizeof(outer));
    close_length(&d, at);
    assert_int_equal(decode(&d, &s, &r), 0);
    assert_int_equal(s.n, 2);
    assert_int_equal(r.n_flows, 1);
    assert_int_equal(r.n_inner, 1);
    same_ip(&s.flows[0].source_ip, "10.0.0.1");
    assert_int_equal(s.flows[0].source_bytes, 7800);
    same_ip(&s.flows[1].source_ip, "198.51.100.1");
    assert_int_equal(s.flows[1].source_bytes, 4000);
    assert_string_equal(s.tunnel, "ip 10.0.0.1 10.0.0.2");
}

static void what_is_no_flow_is_refused_by_reason(void **state)
{
    (void)state;
    static const uint8_t arp[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1};
    static const struct {
        uint32_t protocol;
        size_t n;
        const uint8_t *p;
        int reason;
    } rows[] = {{1, sizeof(arp), arp, SFLOW_NOT_IP},
                {15, 32, frame, SFLOW_HEADER_UNKNOWN}, /* 802.11 */
                {1, 30, frame, SFLOW_HEADER_CUT},
                {12, 60, frame, SFLOW_HEADER_MALFORMED}}; /* no IPv6 at all */
    for (size_t i = 0; i < 4; i++) {
        struct datagram d = {.n = 0};
        struct seen s = {.n = 0};
        struct sflow_result r;
        header(&d, 1, 1);
        size_t at = flow_sample(&d, 1, 1, 0, 1);
        header_record(&d, rows[i].protocol, 100, rows[i].p, rows[i].n < sizeof(frame) ? rows[i].n : sizeof(frame));
        close_length(&d, at);
        assert_int_equal(decode(&d, &s, &r), 0);
        assert_int_equal(s.n, 0);
        assert_int_equal(r.n_refused[rows[i].reason], 1);
    }
    struct datagram d = {.n = 0};
    struct seen s = {.n = 0};
    struct sflow_result r;
    header(&d, 1, 1);
    close_length(&d, flow_sample(&d, 1, 1, 0, 0));
    assert_int_equal(decode(&d, &s, &r), 0);
    assert_int_equal(r.n_refused[SFLOW_NO_ADDRESSES], 1);
    d.p[3] = 4; /* version 4 */
    assert_int_equal(decode(&d, &s, &r), 0);
    assert_int_equal(r.n_refused[SFLOW_VERSION], 1);
    d.p[3] = 5;
    d.p[7] = 3; /* an agent of no known family */
    assert_int_equal(decode(&d, &s, &r), 0);
    assert_int_equal(r.n_refused[SFLOW_SHORT], 1);
    for (int i = 0; i < SFLOW_N_REASONS; i++)
        assert_non_null(sflow_reason_names[i]);
}

static void lengths_that_lie_spoil_only_what_they_cover(void **state)
{
    (void)state;
    struct datagram d = {.n = 0};
    struct seen s = {.n = 0};
    struct sflow_result r;
    header(&d, 1, 3);
    size_t at = flow_sample(&d, 1, 1, 0, 1); /* a record longer than its sample */
    u32(&d, 1);
    u32(&d, 4000);
    close_length(&d, at);
    at = flow_sample(&d, 2, 1, 0, 1);
    header_record(&d, 1, 100, frame, sizeof(frame));
    close_length(&d, at);
    u32(&d, 1); /* a sample longer than the datagram */
    u32(&d, 5000);
    assert_int_equal(decode(&d, &s, &r), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(r.n_refused[SFLOW_SAMPLE_MALFORMED], 1);
    assert_int_equal(r.n_refused[SFLOW_SAMPLE_CUT], 1);
    /* cut at every byte: never more than what is whole */
    for (size_t n = 0; n < d.n; n++) {
        struct datagram cut = d;
        cut.n = n;
        s.n = 0;
        assert_int_equal(decode(&cut, &s, &r), 0);
    }
}

static void the_answer_of_the_sink_is_handed_up(void **state)
{
    (void)state;
    struct datagram d = {.n = 0};
    struct seen s = {.answer = -ENOSPC};
    struct sflow_result r;
    header(&d, 1, 1);
    size_t at = flow_sample(&d, 1, 1, 0, 1);
    header_record(&d, 1, 100, frame, sizeof(frame));
    close_length(&d, at);
    assert_int_equal(decode(&d, &s, &r), -ENOSPC);
}

static void loss_is_told_by_sequence_and_drops(void **state)
{
    (void)state;
    static const struct {
        uint32_t sequence, drops;
        uint64_t missing, dropped;
    } rows[] = {
        {100, 5, 0, 0},  /* the first says nothing */
        {101, 5, 0, 0},
        {105, 7, 3, 2},  /* three missing, two dropped by the agent */
        {103, 7, 2, 2},  /* one of them was only late */
        {105, 7, 2, 2},  /* the same again */
        {106, 7, 2, 2},
        {1, 0, 2, 2},    /* restarted */
        {3, 1, 3, 3},
    };
    struct sflow_loss l = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sflow_result r = {.n_sources = 1, .sources = {{.index = 5, .sequence = rows[i].sequence, .drops = rows[i].drops}}};
        sflow_loss_note(&l, &r);
        assert_int_equal(l.n_missing, rows[i].missing);
        assert_int_equal(l.n_dropped, rows[i].dropped);
    }
    for (uint32_t i = 0; i < SFLOW_LOSS_SOURCES + 10; i++) {
        struct sflow_result r = {.n_sources = 1, .sources = {{.class = 1, .index = i, .sequence = 1}}};
        sflow_loss_note(&l, &r);
    }
    assert_int_equal(l.n, SFLOW_LOSS_SOURCES);
    assert_int_equal(l.n_sources_over, 11);
    struct sflow_result r = {.has_sequence = true, .sequence = 77, .uptime_ms = 5};
    struct netflow_result n = sflow_sequence_input(&r);
    assert_true(n.has_sequence && n.is_exact && n.sequence == 77 && n.n_units == 1);
}

/* -- a real capture: 30 datagrams of counter samples, listed by tcpdump */

struct capture {
    struct seen seen;
    unsigned n_datagrams, n_version5, n_samples, n_counter_samples;
};

static int take(void *context, const struct pcap_packet *packet)
{
    struct capture *c = context;
    struct packet k;
    struct sflow_result r;
    assert_int_equal(packet_udp_payload(packet->link, packet->p, packet->n_captured, packet->n_original, &k), 0);
    assert_int_equal(k.destination_port, 6343);
    assert_int_equal(sflow_decode_all(k.payload, k.n_payload_bytes, &k.source, packet->timestamp_us, see, see_counters,
                                      &c->seen, &r), 0);
    c->n_datagrams++;
    c->n_version5 += r.has_sequence;
    c->n_samples += r.n_samples;
    c->n_counter_samples += r.n_counter_samples;
    return 0;
}

static void a_real_capture_has_the_counters_that_tcpdump_lists(void **state)
{
    (void)state;
    char path[512];
    const char *shared = getenv("VONGGAC_SHARED");
    uint8_t *p;
    size_t n;
    snprintf(path, sizeof(path), "%s/data/netflow/sflow_multiple_counter_30_pdus.pcap", shared ? shared : "../shared");
    if (file_read_path(path, 1 << 20, &p, &n)) {
        printf("skipped: no shared data at %s\n", path);
        skip();
    }
    struct pcap r = {0};
    struct capture c = {.n_datagrams = 0};
    assert_int_equal(pcap_feed(&r, p, n, take, &c), 0);
    assert_int_equal(pcap_end(&r), 0);
    pcap_fini(&r);
    free(p);
    /* of the listing: 25 lines sFlowv5 (the other five datagrams are NetFlow 5 sent to the same port), 142 generic counters */
    assert_int_equal(c.n_datagrams, 30);
    assert_int_equal(c.n_version5, 25);
    assert_int_equal(c.n_samples, 144);
    assert_int_equal(c.n_counter_samples, 144);
    assert_int_equal(c.seen.n_counters, 142);
    assert_int_equal(c.seen.in_bytes, 163896183007);
    assert_int_equal(c.seen.out_bytes, 328336516752);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sampled_frame_is_one_flow_times_the_rate),
        cmocka_unit_test(extended_records_in_any_order_add_to_the_flow),
        cmocka_unit_test(sampled_addresses_serve_where_there_is_no_header),
        cmocka_unit_test(expanded_samples_carry_wide_interfaces),
        cmocka_unit_test(a_tunnel_gives_a_row_for_each_layer),
        cmocka_unit_test(what_is_no_flow_is_refused_by_reason),
        cmocka_unit_test(lengths_that_lie_spoil_only_what_they_cover),
        cmocka_unit_test(the_answer_of_the_sink_is_handed_up),
        cmocka_unit_test(loss_is_told_by_sequence_and_drops),
        cmocka_unit_test(a_real_capture_has_the_counters_that_tcpdump_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
