/* SPDX-License-Identifier: Apache-2.0 */
/* Messages after RFC 7011 (its appendix A example among them), RFC 5103, RFC 5477 and RFC 5655. */
#include "format/ipfix_file.h"
#include "netflow_decoder.h"

#define US(s) ((int64_t)(s) * 1000000)
#define REVERSE 29305u /* RFC 5103 */

static void the_example_of_rfc_7011_appendix_a(void **state)
{
    (void)state;
    /* A.2.1 template 256 and A.4 its three records; A.3/A.5 options template 258 with its records */
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {15, 4, 0}, {2, 4, 0}, {1, 4, 0}};
    static const struct specifier o[] = {{141, 4, 0}, {41, 2, 0}, {42, 2, 0}};
    static const uint32_t records[3][5] = {{0xc000020c, 0xc00002fe, 0xc0000201, 5009, 5344385},
                                           {0xc000021b, 0xc0000217, 0xc0000202, 748, 388934},
                                           {0xc0000238, 0xc0000241, 0xc0000203, 5, 6534}};
    ipfix_header(&b, NOW_S, 4321, 9);
    put_template(&b, 2, 256, f, COUNT_OF(f));
    put_ipfix_options(&b, 258, o, 1, COUNT_OF(o));
    set_open(&b, 256);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 5; j++)
            put_n(&b, records[i][j], 4);
    set_close(&b);
    set_open(&b, 258);
    put_n(&b, 1, 4);
    put_n(&b, 345, 2);
    put_n(&b, 10201, 2);
    put_n(&b, 2, 4);
    put_n(&b, 690, 2);
    put_n(&b, 20402, 2);
    set_close(&b);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.version, 10);
    assert_int_equal(r.n_added, 2);
    assert_int_equal(r.n_flows, 3);
    assert_int_equal(r.n_options, 2);
    assert_int_equal(r.n_units, 5); /* the sequence counts all data records */
    assert_int_equal(r.sequence, 4321);
    assert_int_equal(k.observer.domain, 9);
    assert_int_equal(all_refused(&r), 0);
    assert_int_equal(k.bytes, 5344385 + 388934 + 6534);
    assert_int_equal(k.packets, 5009 + 748 + 5);
    assert_int_equal(ip_v4(&k.flows[1].next_hop), 0xc0000202);
}

static void variable_length_fields_in_both_forms_and_unknown_enterprise_elements_are_passed(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0},   {94, 65535, 0}, {12, 4, 0},  {123, 3, 9},
                                         {77, 65535, 54321}, {1, 4, 0}, {371, 65535, 0}, {96, 65535, 0}};
    ipfix_header(&b, NOW_S, 0, 0);
    put_template(&b, 2, 300, f, COUNT_OF(f));
    set_open(&b, 300);
    for (uint8_t i = 1; i <= 40; i++) {
        put_n(&b, i, 4);
        put_n(&b, 5, 1);
        put_bytes(&b, "hello", 5);
        put_n(&b, 0x0a000000u + i, 4);
        put_n(&b, 0x010203, 3);
        put_n(&b, 255, 1); /* the long form, RFC 7011 figure S */
        put_n(&b, 300, 2);
        for (int j = 0; j < 300; j++)
            put_n(&b, 0xff, 1);
        put_n(&b, 100u + i, 4);
        put_n(&b, 0, 1); /* no user */
        put_n(&b, i == 40 ? 3 : 0, 1);
        if (i == 40)
            put_bytes(&b, "ssh", 3);
    }
    put_n(&b, 0, 3);
    set_close(&b);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.n, 40);
    assert_int_equal(all_refused(&r), 0);
    for (uint8_t i = 1; i <= 40; i++) {
        assert_int_equal(ip_v4(&k.flows[i - 1].source_ip), i);
        assert_int_equal(ip_v4(&k.flows[i - 1].destination_ip), 0x0a000000u + i);
        assert_int_equal(k.flows[i - 1].source_bytes, 100u + i);
        assert_int_equal(!!(k.flows[i - 1].present & FLOW_HAS_TEXT), i == 40);
    }
    assert_string_equal(k.text, "network.protocol=ssh;");
}

static void a_record_that_runs_past_its_set_is_cut_and_those_before_it_stay(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {94, 65535, 0}};
    static const uint8_t bytes[] = {1, 1, 1, 1, 2, 2, 2, 2, 1, 'x', 3, 3, 3, 3, 4, 4, 4, 4, 200, 'y'};
    give_one_record(10, f, COUNT_OF(f), bytes, sizeof(bytes));
    assert_int_equal(k.n, 1);
    assert_int_equal(r.n_refused[NETFLOW_CUT], 1);
    assert_false(r.is_exact);
}

static void reverse_elements_make_a_biflow(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {1, 8, 0}, {2, 4, 0}, {6, 2, 0},
                                         {1, 8, REVERSE}, {2, 4, REVERSE}, {6, 2, REVERSE}};
    static const uint8_t bytes[] = {1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0x00, 0x1b,
                                    0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 9, 0x01, 0x12};
    give_one_record(10, f, COUNT_OF(f), bytes, sizeof(bytes));
    const struct flow *g = &k.flows[0];
    assert_int_equal(g->source_bytes, 256);
    assert_int_equal(g->source_packets, 4);
    assert_int_equal(g->tcp_flags, 0x1b);
    assert_int_equal(g->destination_bytes, 65536);
    assert_int_equal(g->destination_packets, 9);
    assert_int_equal(g->reverse_tcp_flags, 0x112);
}

static void every_encoding_of_time_gives_the_same_moment(void **state)
{
    (void)state;
    /* 1600000000.5 s; NTP counts from 1900: + 2208988800 s, fraction 2^31 */
    static const struct {
        uint16_t start, length;
        uint64_t first, last;
        int64_t start_us, end_us;
    } cases[] = {
        {150, 4, NOW_S - 2, NOW_S - 1, US(NOW_S - 2), US(NOW_S - 1)},
        {152, 8, UINT64_C(1600000000500), UINT64_C(1600000000750), US(NOW_S) + 500000, US(NOW_S) + 750000},
        {154, 8, UINT64_C(3808988800) << 32 | 0x80000000, UINT64_C(3808988800) << 32 | 0xc0000000, US(NOW_S) + 500000, US(NOW_S) + 750000},
        {156, 8, UINT64_C(3808988800) << 32 | 0x80000000, UINT64_C(3808988800) << 32 | 0xc0000000, US(NOW_S) + 500000, US(NOW_S) + 750000},
        {154, 8, UINT64_C(1600000000500000), UINT64_C(1600000000750000), US(NOW_S) + 500000, US(NOW_S) + 750000}, /* no NTP */
        {156, 8, UINT64_C(1600000000500000000), UINT64_C(1600000000750000000), US(NOW_S) + 500000, US(NOW_S) + 750000},
        {158, 4, 2000000, 500000, US(NOW_S - 2), US(NOW_S) - 500000},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint16_t start = cases[i].start, length = cases[i].length;
        struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {start, length, 0}, {(uint16_t)(start + 1), length, 0}};
        ipfix_header(&b, NOW_S, 0, 0);
        put_template(&b, 2, 300, f, COUNT_OF(f));
        set_open(&b, 300);
        put_n(&b, 1, 8);
        put_n(&b, cases[i].first, length);
        put_n(&b, cases[i].last, length);
        set_close(&b);
        ipfix_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_int_equal(k.flows[k.n - 1].start_us, cases[i].start_us);
        assert_int_equal(k.flows[k.n - 1].end_us, cases[i].end_us);
        assert_false(k.flows[k.n - 1].present & FLOW_HAS(FLOW_TIME_SOURCE));
    }
}

static void ntp_rolls_over_in_2036(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {154, 8, 0}};
    /* 7 February 2036 06:28:16 UTC is NTP 2^32; one second later */
    ipfix_header(&b, 2085978500u, 0, 0);
    put_template(&b, 2, 300, f, COUNT_OF(f));
    set_open(&b, 300);
    put_n(&b, 1, 8);
    put_n(&b, UINT64_C(1) << 32, 8);
    set_close(&b);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.flows[0].start_us, US(INT64_C(2085978496) + 1));
    assert_int_equal(k.flows[0].end_us, k.flows[0].start_us);
}

static void impossible_times_become_the_export_time_and_say_so(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {152, 8, 0}, {153, 8, 0}};
    static const uint64_t values[] = {0, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(300000000000000)};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        ipfix_header(&b, NOW_S, 0, 0);
        put_template(&b, 2, 300, f, COUNT_OF(f));
        set_open(&b, 300);
        put_n(&b, 1, 8);
        put_n(&b, values[i], 8);
        put_n(&b, values[i], 8);
        set_close(&b);
        ipfix_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_int_equal(k.flows[k.n - 1].start_us, US(NOW_S));
        assert_int_equal(k.flows[k.n - 1].time_source, FLOW_TIME_OF_EXPORT);
    }
}

static void sysuptime_needs_the_boot_time_of_the_options_and_keeps_durations_without_it(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {22, 4, 0}, {21, 4, 0}};
    static const struct specifier o[] = {{149, 4, 0}, {160, 8, 0}};
    ipfix_header(&b, NOW_S, 0, 0);
    put_template(&b, 2, 300, f, COUNT_OF(f));
    set_open(&b, 300);
    put_n(&b, 1, 8);
    put_n(&b, UINT32_MAX - 999, 4); /* one second before the wrap */
    put_n(&b, 4000, 4);
    set_close(&b);
    put_ipfix_options(&b, 301, o, 1, COUNT_OF(o));
    set_open(&b, 301);
    put_n(&b, 0, 4);
    put_n(&b, UINT64_C(1599999900000), 8); /* booted 100 s ago */
    set_close(&b);
    set_open(&b, 300);
    put_n(&b, 1, 8);
    put_n(&b, 90000, 4);
    put_n(&b, 99500, 4);
    set_close(&b);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.n, 2);
    assert_int_equal(k.flows[0].end_us, US(NOW_S));
    assert_int_equal(k.flows[0].start_us, US(NOW_S) - US(5));
    assert_int_equal(k.flows[0].time_source, FLOW_TIME_OF_EXPORT);
    assert_int_equal(k.flows[1].start_us, US(NOW_S) - US(10));
    assert_int_equal(k.flows[1].end_us, US(NOW_S) - 500000);
    assert_false(k.flows[1].present & FLOW_HAS(FLOW_TIME_SOURCE));
}

static void durations_complete_the_missing_end(void **state)
{
    (void)state;
    static const struct {
        struct specifier time, duration;
        uint64_t moment;
        uint32_t span;
        int64_t start_us, end_us;
    } cases[] = {
        {{152, 8, 0}, {161, 4, 0}, UINT64_C(1600000000000), 1500, US(NOW_S), US(NOW_S) + 1500000},
        {{153, 8, 0}, {162, 4, 0}, UINT64_C(1600000000000), 1500, US(NOW_S) - 1500, US(NOW_S)},
        {{323, 8, 0}, {161, 4, 0}, UINT64_C(1600000000000), 1000, US(NOW_S) - 1000000, US(NOW_S)},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, cases[i].time, cases[i].duration};
        ipfix_header(&b, NOW_S, 0, 0);
        put_template(&b, 2, 300, f, COUNT_OF(f));
        set_open(&b, 300);
        put_n(&b, 1, 8);
        put_n(&b, cases[i].moment, 8);
        put_n(&b, cases[i].span, 4);
        set_close(&b);
        ipfix_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_int_equal(k.flows[k.n - 1].start_us, cases[i].start_us);
        assert_int_equal(k.flows[k.n - 1].end_us, cases[i].end_us);
    }
}

static void withdrawal_of_one_and_of_all(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}};
    static const struct specifier o[] = {{149, 4, 0}, {160, 8, 0}};
    ipfix_header(&b, NOW_S, 0, 0);
    put_template(&b, 2, 300, f, COUNT_OF(f));
    put_template(&b, 2, 301, f, COUNT_OF(f));
    put_template(&b, 2, 302, f, COUNT_OF(f));
    put_ipfix_options(&b, 303, o, 1, COUNT_OF(o));
    put_template(&b, 2, 301, f, 0);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_added, 4);
    assert_int_equal(r.n_withdrawn, 1);
    ipfix_header(&b, NOW_S, 0, 0);
    put_template(&b, 2, 301, f, 0); /* nothing left to withdraw */
    put_template(&b, 2, 2, f, 0);   /* all data templates, RFC 7011 8.1 */
    set_open(&b, 300);
    put_n(&b, 1, 8);
    set_close(&b);
    set_open(&b, 303);
    put_n(&b, 1, 12);
    set_close(&b);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_withdrawn, 2);
    assert_int_equal(r.n_waiting, 1);
    assert_int_equal(r.n_options, 1);
    ipfix_header(&b, NOW_S, 0, 0);
    put_bytes(&b, (const uint8_t[]){0, 3, 0, 8, 0, 3, 0, 0}, 8);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_withdrawn, 1);
    assert_int_equal(all_refused(&r), 0);
}

static void selectors_of_rfc_5477_give_the_rate(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {1, 4, 0}, {302, 8, 0}};
    static const struct {
        struct specifier a, b;
        uint64_t first, second;
        uint32_t rate;
    } cases[] = {
        {{305, 4, 0}, {306, 4, 0}, 1, 999, 1000},
        {{305, 4, 0}, {306, 4, 0}, 10, 90, 10},
        {{305, 4, 0}, {306, 4, 0}, 0, 0, 1},
        {{305, 4, 0}, {306, 4, 0}, 1, UINT32_MAX, UINT32_MAX},
        {{309, 4, 0}, {310, 4, 0}, 2, 256, 128},
        {{310, 4, 0}, {309, 4, 0}, 256, 0, 1},
        {{311, 8, 0}, {304, 2, 0}, UINT64_C(0x3f50624dd2f1a9fc), 4, 1000}, /* 0.001 as a double */
        {{311, 4, 0}, {304, 2, 0}, 0x3c800000, 4, 64},                     /* 1/64 as a float */
        {{311, 8, 0}, {304, 2, 0}, UINT64_C(0x7ff8000000000000), 4, 1},    /* not a number */
        {{34, 4, 0}, {35, 1, 0}, 512, 1, 512},
        {{50, 4, 0}, {49, 1, 0}, 2048, 2, 2048},
        {{304, 2, 0}, {61, 1, 0}, 1, 0, 1},                                /* nothing about a rate */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct specifier o[] = {{302, 8, 0}, cases[i].a, cases[i].b};
        ipfix_header(&b, NOW_S, 0, (uint32_t)i);
        put_template(&b, 2, 300, f, COUNT_OF(f));
        put_ipfix_options(&b, 301, o, 1, COUNT_OF(o));
        set_open(&b, 301);
        put_n(&b, UINT64_C(0x123456789), 8);
        put_n(&b, cases[i].first, cases[i].a.length);
        put_n(&b, cases[i].second, cases[i].b.length);
        set_close(&b);
        set_open(&b, 300);
        put_n(&b, 1, 8);
        put_n(&b, 3, 4);
        put_n(&b, UINT64_C(0x123456789), 8);
        set_close(&b);
        ipfix_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        const struct flow *g = &k.flows[k.n - 1];
        assert_int_equal(g->source_bytes, 3ull * cases[i].rate);
        assert_int_equal(g->present & FLOW_HAS(FLOW_SAMPLING) ? g->sampling : 1, cases[i].rate);
    }
}

static void a_tunnels_record_is_the_flow_inside(void **state)
{
    (void)state;
    /* SRv6 of Cisco IOS XR and Huawei: the outer IPv6 packet, then the inner one, IPv4 or IPv6; and 6in4 */
    static const struct {
        struct specifier f[10];
        size_t n;
        bool is_v4;
    } cases[] = {
        {{{1, 4, 0}, {27, 16, 0}, {28, 16, 0}, {7, 2, 0}, {11, 2, 0}, {4, 1, 0}, {8, 4, 0}, {12, 4, 0}, {11, 2, 0}, {4, 1, 0}}, 10, true},
        {{{1, 4, 0}, {27, 16, 0}, {28, 16, 0}, {7, 2, 0}, {11, 2, 0}, {4, 1, 0}, {27, 16, 0}, {28, 16, 0}, {11, 2, 0}, {4, 1, 0}}, 10, false},
        {{{1, 4, 0}, {8, 4, 0}, {12, 4, 0}, {7, 2, 0}, {11, 2, 0}, {4, 1, 0}, {27, 16, 0}, {28, 16, 0}, {11, 2, 0}, {4, 1, 0}}, 10, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ipfix_header(&b, NOW_S, 0, (uint32_t)i);
        put_template(&b, 2, 300, cases[i].f, cases[i].n);
        set_open(&b, 300);
        for (size_t j = 0; j < cases[i].n; j++) /* every field holds its place, 1 to 10 */
            put_n(&b, j + 1, cases[i].f[j].length);
        set_close(&b);
        ipfix_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        const struct flow *g = &k.flows[k.n - 1];
        assert_int_equal(ip_is_v4(&g->source_ip), cases[i].is_v4);
        assert_int_equal(g->source_ip.b[15], 7);
        assert_int_equal(g->destination_ip.b[15], 8);
        assert_int_equal(g->destination_port, 9);
        assert_int_equal(g->protocol, 10);
        assert_int_equal(g->source_port, 4);
        assert_int_equal(g->source_bytes, 1);
    }
}

static void cisco_ios_xr_fills_parameters_of_algorithms_it_does_not_use(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {1, 4, 0}, {302, 4, 0}};
    static const struct specifier o[] = {{302, 4, 0}, {305, 4, 0}, {304, 2, 0}, {309, 4, 0}, {310, 4, 0}, {84, 10, 0}};
    ipfix_header(&b, NOW_S, 0, 0);
    put_template(&b, 2, 300, f, COUNT_OF(f));
    put_ipfix_options(&b, 257, o, 1, COUNT_OF(o));
    set_open(&b, 257);
    put_n(&b, 1, 4);
    put_n(&b, 1, 4); /* interval 1, no space */
    put_n(&b, 3, 2); /* random n of N */
    put_n(&b, 1, 4);
    put_n(&b, 256, 4);
    put_bytes(&b, "SAMPLER-MA", 10);
    set_close(&b);
    set_open(&b, 300);
    put_n(&b, 1, 8);
    put_n(&b, 72, 4);
    put_n(&b, 1, 4);
    set_close(&b);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.flows[0].source_bytes, 72 * 256);
    assert_int_equal(k.flows[0].sampling, 256);
}

static void vendors_elements_fill_the_fields_they_mean(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {14, 1, 6871}, {15, 1, 6871}, {16398, 1, 6871}, {16399, 1, 6871},
                                         {142, 65535, 5951}, {205, 65535, 35632}, {176, 8, 3054}, {176, 8, 4711}};
    static const uint8_t bytes[] = {1, 1, 1, 1, 2, 2, 2, 2, 0xc2, 0x11, 0x12, 0x10, 6, 'a', '.', 'e', 'd', 'u', 0x2e,
                                    3, 'b', '.', 'c', 0, 0, 0, 0, 0, 0, 1, 0, 9, 9, 9, 9, 9, 9, 9, 9};
    give_one_record(10, f, COUNT_OF(f), bytes, sizeof(bytes));
    assert_int_equal(k.n, 1);
    assert_int_equal(k.flows[0].tcp_flags, 0xd3);
    assert_int_equal(k.flows[0].reverse_tcp_flags, 0x12);
    assert_int_equal(k.flows[0].destination_bytes, 256);
    assert_string_equal(k.text, "dns.question.name=b.c;url.domain=a.edu.;");
}

static void nat64_crosses_the_families(void **state)
{
    (void)state;
    static const struct specifier f[] = {{230, 1, 0}, {27, 16, 0}, {28, 16, 0}, {225, 4, 0}, {226, 4, 0}, {227, 2, 0}, {4, 1, 0}};
    ipfix_header(&b, NOW_S, 0, 0);
    put_template(&b, 2, 300, f, COUNT_OF(f));
    set_open(&b, 300);
    put_n(&b, 4, 1);
    put_n(&b, UINT64_C(0x20010db800000000), 8);
    put_n(&b, 1, 8);
    put_n(&b, UINT64_C(0x0064ff9b00000000), 8);
    put_n(&b, 0x08080808, 8);
    put_n(&b, 0xcb007109, 4);
    put_n(&b, 0x08080808, 4);
    put_n(&b, 40000, 2);
    put_n(&b, 17, 1);
    set_close(&b);
    ipfix_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.n, 1);
    assert_false(ip_is_v4(&k.flows[0].source_ip));
    assert_true(ip_is_v4(&k.flows[0].source_nat_ip));
    assert_int_equal(k.n_nat, 1);
    assert_int_equal(k.nat[0].event, 4);
    assert_int_equal(k.nat[0].port_first, 40000);
    assert_int_equal(ip_v4(&k.nat[0].outside), 0xcb007109);
    assert_memory_equal(k.nat[0].inside.b, k.flows[0].source_ip.b, 16);
}

static void nokia_names_the_inside_address_in_a_text(void **state)
{
    (void)state;
    /* 7750 SR template format 2: no source address but the subscriber; a start time alone means "made" */
    static const struct specifier made[] = {{152, 8, 0}, {7, 2, 0}, {12, 4, 0}, {11, 2, 0}, {225, 4, 0}, {227, 2, 0},
                                            {148, 8, 0}, {4, 1, 0}, {91, 2, 637}, {92, 2, 637}, {93, 65535, 637}};
    static const struct {
        const char *subscriber;
        uint32_t inside;
    } cases[] = {{"LSN-Host@10.10.10.101", 0x0a0a0a65}, {"DS-Lite@nobody", 0xcb007109}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ipfix_header(&b, NOW_S, 0, 0);
        put_template(&b, 2, 257, made, COUNT_OF(made));
        set_open(&b, 257);
        put_n(&b, UINT64_C(1600000000000), 8);
        put_n(&b, 5000, 2);
        put_n(&b, 0x08080808, 4);
        put_n(&b, 53, 2);
        put_n(&b, 0xcb007109, 4);
        put_n(&b, 20000, 2);
        put_n(&b, 1, 8);
        put_n(&b, 17, 1);
        put_n(&b, 1, 2);
        put_n(&b, 2, 2);
        put_n(&b, strlen(cases[i].subscriber), 1);
        put_bytes(&b, cases[i].subscriber, strlen(cases[i].subscriber));
        set_close(&b);
        ipfix_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_int_equal(r.n_flows, 1);
        assert_int_equal(ip_v4(&k.flows[i].source_ip), cases[i].inside);
        assert_int_equal(ip_v4(&k.flows[i].source_nat_ip), 0xcb007109);
        assert_int_equal(ip_v4(&k.nat[i].inside), cases[i].inside);
        assert_int_equal(k.nat[i].event, 1);
        assert_int_equal(k.nat[i].port_first, 20000);
    }
}

static void texts_that_are_no_text_are_left_out(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {96, 8, 0}, {371, 8, 0}};
    static const uint8_t bytes[] = {1, 1, 1, 1, 2, 2, 2, 2, 'h', 't', 't', 'p', 0, 0, 0, 0, 0xc3, 0x28, 'x', 0, 0, 0, 0, 0,
                                    1, 1, 1, 1, 2, 2, 2, 2, 'a', 0,   'b', 0,   0, 0, 0, 0, 'T',  'o',  '\n', 0, 0, 0, 0, 0};
    give_one_record(10, f, COUNT_OF(f), bytes, sizeof(bytes));
    assert_int_equal(k.n, 2);
    assert_string_equal(k.text, "network.protocol=http;");
    assert_false(k.flows[1].present & FLOW_HAS_TEXT);
}

static void reduced_sizes_and_too_large_values(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}, {1, 3, 0}, {2, 5, 0}, {10, 1, 0}, {7, 4, 0}, {16, 8, 0}, {4, 9, 0}};
    static const uint8_t bytes[] = {1, 1, 1, 1, 2, 2, 2, 2, 1, 0, 2, 1, 0, 0, 0, 7, 200, 0, 1, 0, 80,
                                    0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6};
    give_one_record(10, f, COUNT_OF(f), bytes, sizeof(bytes) - 1);
    assert_int_equal(k.n, 1);
    assert_int_equal(k.flows[0].source_bytes, 0x010002);
    assert_int_equal(k.flows[0].source_packets, UINT64_C(0x0100000007));
    assert_int_equal(k.flows[0].input_if, 200);
    assert_int_equal(k.flows[0].source_port, UINT16_MAX);
    assert_int_equal(k.flows[0].source_as, UINT32_MAX);
    assert_false(k.flows[0].present & FLOW_HAS(FLOW_PROTOCOL)); /* nine bytes are no number */
}

static void a_length_that_differs_from_the_datagram_is_counted(void **state)
{
    (void)state;
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}};
    static const struct {
        uint16_t length;
        uint32_t n_flows, n_refused;
    } cases[] = {{44, 2, 1}, {15, 0, 1}, {0, 0, 1}, {65535, 2, 2}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ipfix_header(&b, NOW_S, 0, 0);
        put_template(&b, 2, 300, f, COUNT_OF(f));
        set_open(&b, 300);
        put_n(&b, 1, 8);
        put_n(&b, 1, 8);
        set_close(&b);
        set_open(&b, 400);
        b.p[b.n - 1] = 99; /* a set that goes on behind the end */
        put_at16(&b, 2, cases[i].length);
        if (i == 0)
            put_at16(&b, 2, 52);
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_int_equal(r.n_refused[NETFLOW_MESSAGE_LENGTH], 1);
        assert_int_equal(r.n_flows, cases[i].n_flows);
        assert_int_equal(all_refused(&r), cases[i].n_refused);
    }
}

static void a_file_is_cut_into_its_messages_and_found_again_after_damage(void **state)
{
    (void)state;
    static uint8_t file[200];
    static const struct specifier f[] = {{8, 4, 0}, {12, 4, 0}};
    size_t at = 0, length;
    for (int i = 0; i < 3; i++) {
        ipfix_header(&b, NOW_S, 0, 0);
        put_template(&b, 2, 300, f, COUNT_OF(f));
        ipfix_close(&b);
        memcpy(file + at, b.p, b.n);
        at += b.n;
    }
    assert_int_equal(at, 3 * 32);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ipfix_frame(file + 32 * i, at - 32 * i, &length), 0);
        assert_int_equal(length, 32);
    }
    assert_int_equal(ipfix_frame(file, 0, &length), IPFIX_FRAME_MORE);
    assert_int_equal(ipfix_frame(file, 3, &length), IPFIX_FRAME_MORE);
    assert_int_equal(ipfix_frame(file, 31, &length), IPFIX_FRAME_MORE);
    assert_int_equal(length, 32);
    file[1] = 9;
    assert_int_equal(ipfix_frame(file, at, &length), IPFIX_FRAME_BAD);
    assert_int_equal(ipfix_resync(file, at), 32);
    file[1] = 10;
    file[3] = 15;
    assert_int_equal(ipfix_frame(file, at, &length), IPFIX_FRAME_BAD);
    assert_int_equal(ipfix_resync(file, at), 32);
    assert_int_equal(ipfix_resync((const uint8_t *)"garbage", 7), 7);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(the_example_of_rfc_7011_appendix_a),
        WITH(variable_length_fields_in_both_forms_and_unknown_enterprise_elements_are_passed),
        WITH(a_record_that_runs_past_its_set_is_cut_and_those_before_it_stay),
        WITH(reverse_elements_make_a_biflow),
        WITH(every_encoding_of_time_gives_the_same_moment),
        WITH(ntp_rolls_over_in_2036),
        WITH(impossible_times_become_the_export_time_and_say_so),
        WITH(sysuptime_needs_the_boot_time_of_the_options_and_keeps_durations_without_it),
        WITH(durations_complete_the_missing_end),
        WITH(withdrawal_of_one_and_of_all),
        WITH(selectors_of_rfc_5477_give_the_rate),
        WITH(a_tunnels_record_is_the_flow_inside),
        WITH(cisco_ios_xr_fills_parameters_of_algorithms_it_does_not_use),
        WITH(vendors_elements_fill_the_fields_they_mean),
        WITH(nat64_crosses_the_families),
        WITH(nokia_names_the_inside_address_in_a_text),
        WITH(texts_that_are_no_text_are_left_out),
        WITH(reduced_sizes_and_too_large_values),
        WITH(a_length_that_differs_from_the_datagram_is_counted),
        WITH(a_file_is_cut_into_its_messages_and_found_again_after_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
