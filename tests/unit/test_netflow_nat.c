/* SPDX-License-Identifier: Apache-2.0 */
/* Translations as Cisco, Juniper and others export them (RFC 8158): sessions that are flows, port blocks that are not. */
#include "netflow_decoder.h"

static void nat44_sessions_are_flows_and_nat_events(void **state)
{
    (void)state;
    static const struct specifier f[] = {{323, 8, 0}, {230, 1, 0}, {8, 4, 0},  {225, 4, 0}, {4, 1, 0},   {7, 2, 0},
                                         {227, 2, 0}, {12, 4, 0},  {226, 4, 0}, {11, 2, 0}, {228, 2, 0}, {234, 4, 0}};
    v9_header(&b, 1, NOW_S, 1, 0);
    put_template(&b, 0, 259, f, COUNT_OF(f));
    set_open(&b, 259);
    put_n(&b, UINT64_C(1599999999123), 8);
    put_n(&b, 1, 1);
    put_n(&b, 0x64400105, 4); /* 100.64.1.5 */
    put_n(&b, 0xcb007109, 4);
    put_n(&b, 17, 1);
    put_n(&b, 5353, 2);
    put_n(&b, 20001, 2);
    put_n(&b, 0x08080808, 4);
    put_n(&b, 0x08080808, 4);
    put_n(&b, 53, 2);
    put_n(&b, 53, 2);
    put_n(&b, 77, 4);
    set_close(&b);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.n, 1);
    assert_int_equal(k.flows[0].nat_event, 1);
    assert_int_equal(ip_v4(&k.flows[0].source_nat_ip), 0xcb007109);
    assert_int_equal(k.flows[0].start_us, INT64_C(1599999999123000));
    assert_int_equal(k.flows[0].end_us, INT64_C(1599999999123000));
    assert_false(k.flows[0].present & FLOW_HAS(FLOW_TIME_SOURCE));
    assert_int_equal(k.n_nat, 1);
    assert_int_equal(r.n_nat_events, 1);
    assert_int_equal(r.n_nat_only, 0);
    assert_int_equal(ip_v4(&k.nat[0].inside), 0x64400105);
    assert_int_equal(ip_v4(&k.nat[0].outside), 0xcb007109);
    assert_int_equal(k.nat[0].port_first, 20001);
    assert_int_equal(k.nat[0].port_last, 20001);
    assert_int_equal(k.nat[0].inside_port, 5353);
    assert_int_equal(k.nat[0].protocol, 17);
    assert_int_equal(k.nat[0].realm, 77);
    assert_int_equal(k.nat[0].time_us, INT64_C(1599999999123000));
}

static void port_blocks_are_nat_events_and_no_flows(void **state)
{
    (void)state;
    static const struct {
        struct specifier ports[3];
        size_t n_ports;
        uint16_t values[3];
        uint16_t first, last, step;
    } cases[] = {
        {{{361, 2, 0}, {362, 2, 0}}, 2, {1024, 2047}, 1024, 2047, 0},
        {{{361, 2, 0}, {364, 2, 0}}, 2, {4096, 512}, 4096, 4607, 0},                 /* first and how many */
        {{{361, 2, 0}, {363, 2, 0}, {364, 2, 0}}, 3, {1000, 4, 8}, 1000, 1028, 4},   /* every fourth */
        {{{361, 2, 0}}, 1, {3072}, 3072, 3072, 0},
        {{{361, 2, 0}, {364, 2, 0}}, 2, {65000, 5000}, 65000, 65535, 0},             /* a lie stays in range */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct specifier f[8] = {{323, 8, 0}, {230, 1, 0}, {8, 4, 0}, {225, 4, 0}};
        memcpy(f + 4, cases[i].ports, sizeof(cases[i].ports));
        v9_header(&b, 1, NOW_S, 1, 0);
        put_template(&b, 0, 270, f, 4 + cases[i].n_ports);
        set_open(&b, 270);
        put_n(&b, UINT64_C(1599999999123), 8);
        put_n(&b, 16, 1);
        put_n(&b, 0x64400105, 4);
        put_n(&b, 0xcb007109, 4);
        for (size_t p = 0; p < cases[i].n_ports; p++)
            put_n(&b, cases[i].values[p], 2);
        set_close(&b);
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_int_equal(k.n, 0);
        assert_int_equal(k.n_nat, i + 1);
        assert_int_equal(r.n_nat_only, 1);
        assert_int_equal(all_refused(&r), 0);
        const struct nat_event *e = &k.nat[i];
        assert_int_equal(e->event, 16);
        assert_int_equal(ip_v4(&e->inside), 0x64400105);
        assert_int_equal(ip_v4(&e->outside), 0xcb007109);
        assert_int_equal(e->port_first, cases[i].first);
        assert_int_equal(e->port_last, cases[i].last);
        assert_int_equal(e->port_step, cases[i].step);
    }
}

static void cisco_cgv6_has_a_template_per_event_and_no_event_field(void **state)
{
    (void)state;
    /* templates 256, 257, 265, 266 and 271 of Cisco's carrier-grade NAT logging */
    static const struct {
        struct specifier f[9];
        size_t n;
        bool is_flow;
        uint8_t event;
        uint32_t outside;
        uint16_t first, last;
    } cases[] = {
        {{{234, 4, 0}, {235, 4, 0}, {8, 4, 0}, {225, 4, 0}, {7, 2, 0}, {227, 2, 0}, {4, 1, 0}}, 7, false, 1, 225, 227, 227},
        {{{234, 4, 0}, {8, 4, 0}, {7, 2, 0}, {4, 1, 0}}, 4, false, 2, 0, 0, 0},
        {{{234, 4, 0}, {235, 4, 0}, {8, 4, 0}, {225, 4, 0}, {361, 2, 0}, {362, 2, 0}}, 6, false, 16, 225, 361, 362},
        {{{234, 4, 0}, {8, 4, 0}, {361, 2, 0}}, 3, false, 17, 0, 361, 361},
        {{{234, 4, 0}, {235, 4, 0}, {8, 4, 0}, {225, 4, 0}, {7, 2, 0}, {227, 2, 0}, {12, 4, 0}, {11, 2, 0}, {4, 1, 0}}, 9, true, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        v9_header(&b, 1, NOW_S, 1, (uint32_t)i);
        put_template(&b, 0, 300, cases[i].f, cases[i].n);
        set_open(&b, 300);
        for (size_t j = 0; j < cases[i].n; j++) /* every field holds its own number */
            put_n(&b, cases[i].f[j].id, cases[i].f[j].length);
        set_close(&b);
        k.n = k.n_nat = 0;
        assert_int_equal(give(n, &b, &k, &r), 0);
        assert_int_equal(all_refused(&r), 0);
        assert_int_equal(k.n, cases[i].is_flow);
        assert_int_equal(k.n_nat, !cases[i].is_flow);
        if (cases[i].is_flow) {
            assert_int_equal(ip_v4(&k.flows[0].source_nat_ip), 225);
            continue;
        }
        assert_int_equal(k.nat[0].event, cases[i].event);
        assert_int_equal(k.nat[0].realm, 234);
        assert_int_equal(k.nat[0].inside_port, i < 2 ? 7 : 0);
        assert_int_equal(ip_v4(&k.nat[0].inside), 8);
        assert_int_equal(ip_v4(&k.nat[0].outside), cases[i].outside);
        assert_int_equal(k.nat[0].port_first, cases[i].first);
        assert_int_equal(k.nat[0].port_last, cases[i].last);
    }
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(nat44_sessions_are_flows_and_nat_events),
        WITH(port_blocks_are_nat_events_and_no_flows),
        WITH(cisco_cgv6_has_a_template_per_event_and_no_event_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
