/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams laid out after Cisco's tables B-3 and B-4; expected values are the arithmetic of those tables. */
#include "cmocka_house.h"

#include "format/netflow5.h"
#include "netflow_case.h"

#include <stdio.h>

struct fields {
    uint32_t first_ms, last_ms;
    uint8_t protocol;
    uint16_t destination_port;
};

static void header(struct built *b, uint16_t count, uint32_t uptime_ms, uint16_t sampling)
{
    b->n = 0;
    put_n(b, 5, 2);
    put_n(b, count, 2);
    put_n(b, uptime_ms, 4);
    put_n(b, 1600000000, 4);
    put_n(b, 250000000, 4); /* nanoseconds */
    put_n(b, 4711, 4);
    put_n(b, 0x0102, 2); /* engine type 1, id 2 */
    put_n(b, sampling, 2);
}

static void record(struct built *b, struct fields f)
{
    put_n(b, 0x0a000001, 4);
    put_n(b, 0xc6336407, 4);
    put_n(b, 0xc0000209, 4);
    put_n(b, 3, 2);
    put_n(b, 65535, 2);
    put_n(b, 7, 4);
    put_n(b, 4200, 4);
    put_n(b, f.first_ms, 4);
    put_n(b, f.last_ms, 4);
    put_n(b, 50000, 2);
    put_n(b, f.destination_port, 2);
    put_n(b, 0, 1);
    put_n(b, 0x1b, 1);
    put_n(b, f.protocol, 1);
    put_n(b, 0xb8, 1);
    put_n(b, 64500, 2);
    put_n(b, 64501, 2);
    put_n(b, 24, 1);
    put_n(b, 16, 1);
    put_n(b, 0, 2);
}

static struct flow flows[NETFLOW5_MAX_RECORDS];

static void every_field_stands_where_the_table_says(void **state)
{
    (void)state;
    static struct built b;
    struct netflow5_header h;
    header(&b, 1, 100000, 0);
    record(&b, (struct fields){90000, 99000, 6, 443});
    assert_int_equal(netflow5_decode(b.p, b.n, 1600000003000000, flows, &h), 0);
    assert_int_equal(h.n_present, 1);
    assert_int_equal(h.sequence, 4711);
    assert_int_equal(h.engine, 0x0102);
    assert_int_equal(h.exported_us, 1600000000250000);
    const struct flow *f = &flows[0];
    assert_int_equal(ip_v4(&f->source_ip), 0x0a000001);
    assert_int_equal(ip_v4(&f->destination_ip), 0xc6336407);
    assert_int_equal(ip_v4(&f->next_hop), 0xc0000209);
    assert_true(ip_is_v4(&f->source_ip));
    assert_int_equal(f->input_if, 3);
    assert_int_equal(f->output_if, 65535);
    assert_int_equal(f->source_packets, 7);
    assert_int_equal(f->source_bytes, 4200);
    assert_int_equal(f->start_us, 1600000000250000 - 10000000);
    assert_int_equal(f->end_us, 1600000000250000 - 1000000);
    assert_int_equal(f->source_port, 50000);
    assert_int_equal(f->destination_port, 443);
    assert_int_equal(f->tcp_flags, 0x1b);
    assert_int_equal(f->protocol, 6);
    assert_int_equal(f->tos, 0xb8);
    assert_int_equal(f->source_as, 64500);
    assert_int_equal(f->destination_as, 64501);
    assert_int_equal(f->source_mask, 24);
    assert_int_equal(f->destination_mask, 16);
    assert_int_equal(f->received_us, 1600000003000000);
    assert_int_equal(f->clock_offset_us, 2750000);
    assert_false(f->present & FLOW_HAS(FLOW_SAMPLING));
    assert_false(f->present & FLOW_HAS(FLOW_ICMP));
    assert_false(f->present & FLOW_HAS(FLOW_DESTINATION_BYTES));
}

static void times_survive_the_wrap_of_sysuptime_after_49_7_days(void **state)
{
    (void)state;
    static struct built b;
    struct netflow5_header h;
    header(&b, 2, 5000, 0);
    record(&b, (struct fields){UINT32_MAX - 4999, 2000, 6, 80}); /* began 10 s ago, before the wrap */
    record(&b, (struct fields){4000, 5200, 6, 80});              /* ends 0.2 s after the header was stamped */
    assert_int_equal(netflow5_decode(b.p, b.n, 0, flows, &h), 0);
    assert_int_equal(flows[0].start_us, 1600000000250000 - 10000000);
    assert_int_equal(flows[0].end_us, 1600000000250000 - 3000000);
    assert_int_equal(flows[1].end_us, 1600000000250000 + 200000);
}

static void sampled_counters_are_multiplied_once_whatever_the_mode_bits_say(void **state)
{
    (void)state;
    static struct built b;
    static const struct {
        uint16_t field;
        uint32_t rate;
    } cases[] = {{0x4000 | 100, 100}, {100, 100}, {0x8000 | 1, 0}, {0x4000, 0}, {0x7fff, 16383}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct netflow5_header h;
        header(&b, 1, 100000, cases[i].field);
        record(&b, (struct fields){1, 2, 6, 80});
        assert_int_equal(netflow5_decode(b.p, b.n, 0, flows, &h), 0);
        uint32_t rate = cases[i].rate ? cases[i].rate : 1;
        assert_int_equal(flows[0].source_bytes, 4200ull * rate);
        assert_int_equal(flows[0].source_packets, 7ull * rate);
        assert_int_equal(!!(flows[0].present & FLOW_HAS(FLOW_SAMPLING)), cases[i].rate > 1);
        assert_int_equal(flows[0].sampling, cases[i].rate);
        assert_int_equal(h.sampling_mode, cases[i].field >> 14);
    }
}

static void icmp_type_and_code_come_from_the_destination_port(void **state)
{
    (void)state;
    static struct built b;
    struct netflow5_header h;
    header(&b, 1, 1, 0);
    record(&b, (struct fields){1, 1, 1, 3 * 256 + 13});
    assert_int_equal(netflow5_decode(b.p, b.n, 0, flows, &h), 0);
    assert_true(flows[0].present & FLOW_HAS(FLOW_ICMP));
    assert_int_equal(flows[0].icmp, 3 * 256 + 13);
    assert_int_equal(flows[0].destination_port, 3 * 256 + 13);
}

static void a_header_that_lies_is_refused_and_a_cut_datagram_keeps_its_whole_records(void **state)
{
    (void)state;
    static struct built b;
    static const struct {
        uint16_t count;
        size_t n_bytes; /* of 24 + 3 * 48 */
        int answer;
        uint16_t n_present;
    } cases[] = {
        {3, 168, 0, 3},  {3, 167, 0, 2}, {2, 168, 0, 2}, {30, 168, 0, 3}, {31, 168, NETFLOW5_COUNT, 0},
        {0, 168, NETFLOW5_COUNT, 0}, {1, 71, NETFLOW5_COUNT, 0}, {1, 24, NETFLOW5_COUNT, 0}, {1, 23, NETFLOW5_SHORT, 0},
        {1, 2, NETFLOW5_SHORT, 0}, {1, 1, NETFLOW5_NOT_V5, 0}, {1, 0, NETFLOW5_NOT_V5, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct netflow5_header h = {0};
        header(&b, cases[i].count, 1, 0);
        for (int k = 0; k < 3; k++)
            record(&b, (struct fields){1, 1, 6, 80});
        uint8_t *exact = malloc(cases[i].n_bytes + 1);
        assert_non_null(exact);
        memcpy(exact, b.p, cases[i].n_bytes);
        assert_int_equal(netflow5_decode(exact, cases[i].n_bytes, 0, flows, &h), cases[i].answer);
        assert_int_equal(h.n_present, cases[i].n_present);
        free(exact);
    }
}

static void through_the_door_missing_records_are_counted_and_the_sequence_counts_what_was_announced(void **state)
{
    (void)state;
    static struct built b;
    static struct kept k;
    struct netflow_result r;
    struct netflow *n = netflow_new(NULL);
    assert_non_null(n);
    header(&b, 5, 1, 0);
    for (int i = 0; i < 3; i++)
        record(&b, (struct fields){1, 1, 6, 80});
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(k.n, 3);
    assert_int_equal(r.version, 5);
    assert_int_equal(r.n_flows, 3);
    assert_int_equal(r.n_refused[NETFLOW_CUT], 2);
    assert_int_equal(r.n_units, 5);
    assert_int_equal(r.sequence, 4711);
    assert_int_equal(k.observer.domain, 0x0102);
    assert_int_equal(ip_v4(&k.observer.ip), 0xc0000201);
    netflow_free(n);
}

static void bytes_behind_the_records_are_counted_unless_they_are_padding(void **state)
{
    (void)state;
    static struct built b;
    static struct kept k;
    struct netflow_result r;
    struct netflow *n = netflow_new(NULL);
    assert_non_null(n);
    header(&b, 1, 1, 0);
    record(&b, (struct fields){1, 1, 6, 80});
    put_n(&b, 0, 100);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(all_refused(&r), 0);
    put_n(&b, 1, 1);
    assert_int_equal(give(n, &b, &k, &r), 0);
    assert_int_equal(r.n_refused[NETFLOW_MESSAGE_LENGTH], 1);
    assert_int_equal(k.n, 2);
    netflow_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_stands_where_the_table_says),
        cmocka_unit_test(times_survive_the_wrap_of_sysuptime_after_49_7_days),
        cmocka_unit_test(sampled_counters_are_multiplied_once_whatever_the_mode_bits_say),
        cmocka_unit_test(icmp_type_and_code_come_from_the_destination_port),
        cmocka_unit_test(a_header_that_lies_is_refused_and_a_cut_datagram_keeps_its_whole_records),
        cmocka_unit_test(bytes_behind_the_records_are_counted_unless_they_are_padding),
        cmocka_unit_test(through_the_door_missing_records_are_counted_and_the_sequence_counts_what_was_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
