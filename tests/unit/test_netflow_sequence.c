/* SPDX-License-Identifier: Apache-2.0 */
/* Loss accounting: what RFC 3954 5.1, RFC 7011 3.1 and Cisco's table B-3 say a sequence counts. */
#include "cmocka_house.h"

#include "format/netflow_sequence.h"

struct step {
    uint32_t sequence, n_units, uptime_ms;
    bool is_unsure, is_copy; /* is_copy: the same bytes as the step before */
    enum netflow_sequence_finding finding;
    uint32_t n_missing;
};

static void walk(uint16_t version, const struct step *steps, size_t n, struct netflow_sequence *s)
{
    *s = (struct netflow_sequence){0};
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (!steps[i].is_copy)
            bytes++;
        struct netflow_result r = {.version = version, .has_sequence = true, .is_exact = !steps[i].is_unsure,
                                   .sequence = steps[i].sequence, .n_units = steps[i].n_units,
                                   .uptime_ms = steps[i].uptime_ms,
                                   .exported_us = INT64_C(1600000000000000) + (int64_t)i * 1000000};
        uint32_t missing = 0;
        uint8_t datagram[24] = {0};
        memcpy(datagram, &bytes, 8);
        enum netflow_sequence_finding f = netflow_sequence_note(s, &r, netflow_fingerprint(datagram, 24), &missing);
        if (f != steps[i].finding || missing != steps[i].n_missing)
            fail_msg("step %zu: finding %d missing %u", i, (int)f, missing);
    }
}

static void gaps_are_counted_in_units_over_the_wrap(void **state)
{
    (void)state;
    struct netflow_sequence s;
    static const struct step steps[] = {
        {.sequence = UINT32_MAX - 29, .n_units = 30, .finding = NETFLOW_SEQUENCE_FIRST},
        {.sequence = 0, .n_units = 30, .finding = NETFLOW_SEQUENCE_NEXT},
        {.sequence = 30, .n_units = 10, .finding = NETFLOW_SEQUENCE_NEXT},
        {.sequence = 100, .n_units = 30, .finding = NETFLOW_SEQUENCE_GAP, .n_missing = 60},
        {.sequence = 130, .n_units = 0, .finding = NETFLOW_SEQUENCE_NEXT}, /* IPFIX: templates only */
        {.sequence = 130, .n_units = 5, .finding = NETFLOW_SEQUENCE_NEXT},
    };
    walk(10, steps, COUNT_OF(steps), &s);
    assert_int_equal(s.n_missing, 60);
    assert_int_equal(s.n_gaps, 1);
}

static void a_late_datagram_is_taken_off_the_loss_and_a_repeated_one_is_not(void **state)
{
    (void)state;
    struct netflow_sequence s;
    static const struct step steps[] = {
        {.sequence = 1000, .n_units = 30, .finding = NETFLOW_SEQUENCE_FIRST},
        {.sequence = 1060, .n_units = 30, .finding = NETFLOW_SEQUENCE_GAP, .n_missing = 30},
        {.sequence = 1030, .n_units = 30, .finding = NETFLOW_SEQUENCE_LATE},
        {.sequence = 1030, .n_units = 30, .is_copy = true, .finding = NETFLOW_SEQUENCE_REPEATED},
        {.sequence = 1090, .n_units = 30, .finding = NETFLOW_SEQUENCE_NEXT},
    };
    walk(5, steps, COUNT_OF(steps), &s);
    assert_int_equal(s.n_missing, 0);
    assert_int_equal(s.n_late, 1);
    assert_int_equal(s.n_repeated, 1);
}

static void a_restart_is_no_loss(void **state)
{
    (void)state;
    struct netflow_sequence s;
    static const struct step by_long_uptime[] = {
        {.sequence = 5000, .n_units = 1, .uptime_ms = 3000000000, .finding = NETFLOW_SEQUENCE_FIRST},
        {.sequence = 5001, .n_units = 1, .uptime_ms = 3000001000, .finding = NETFLOW_SEQUENCE_NEXT},
        {.sequence = 3, .n_units = 1, .uptime_ms = 20000, .finding = NETFLOW_SEQUENCE_RESTART},
        {.sequence = 4, .n_units = 1, .uptime_ms = 21000, .finding = NETFLOW_SEQUENCE_NEXT},
    };
    walk(9, by_long_uptime, COUNT_OF(by_long_uptime), &s);
    static const struct step unsaid[] = {
        {.sequence = 5000, .n_units = 10, .finding = NETFLOW_SEQUENCE_FIRST},
        {.sequence = 20, .n_units = 10, .finding = NETFLOW_SEQUENCE_LATE},
        {.sequence = 30, .n_units = 10, .finding = NETFLOW_SEQUENCE_LATE},
        {.sequence = 40, .n_units = 10, .finding = NETFLOW_SEQUENCE_LATE},
        {.sequence = 50, .n_units = 10, .finding = NETFLOW_SEQUENCE_RESTART},
        {.sequence = 60, .n_units = 10, .finding = NETFLOW_SEQUENCE_NEXT},
    };
    walk(10, unsaid, COUNT_OF(unsaid), &s);
    static const struct step by_uptime[] = {
        {.sequence = 5000, .n_units = 1, .uptime_ms = 900000000, .finding = NETFLOW_SEQUENCE_FIRST},
        {.sequence = 5001, .n_units = 1, .uptime_ms = 900001000, .finding = NETFLOW_SEQUENCE_NEXT},
        {.sequence = 5500, .n_units = 1, .uptime_ms = 20000, .finding = NETFLOW_SEQUENCE_RESTART},
        {.sequence = 5501, .n_units = 1, .uptime_ms = 21000, .finding = NETFLOW_SEQUENCE_NEXT},
    };
    walk(9, by_uptime, COUNT_OF(by_uptime), &s);
    assert_int_equal(s.n_missing, 0);
    static const struct step wrap[] = {
        {.sequence = 1, .n_units = 1, .uptime_ms = UINT32_MAX - 500, .finding = NETFLOW_SEQUENCE_FIRST},
        {.sequence = 3, .n_units = 1, .uptime_ms = 500, .finding = NETFLOW_SEQUENCE_GAP, .n_missing = 1},
    };
    walk(9, wrap, COUNT_OF(wrap), &s);
    static const struct step by_count[] = {
        {.sequence = 3000000000, .n_units = 10, .finding = NETFLOW_SEQUENCE_FIRST},
        {.sequence = 7, .n_units = 10, .finding = NETFLOW_SEQUENCE_RESTART},
        {.sequence = 17, .n_units = 10, .finding = NETFLOW_SEQUENCE_NEXT},
        {.sequence = 0, .n_units = 10, .finding = NETFLOW_SEQUENCE_RESTART},
    };
    walk(10, by_count, COUNT_OF(by_count), &s);
    assert_int_equal(s.n_missing, 0);
    assert_int_equal(s.n_restarts, 2);
}

static void after_records_nobody_could_count_the_next_datagram_is_not_judged(void **state)
{
    (void)state;
    struct netflow_sequence s;
    static const struct step steps[] = {
        {.sequence = 10, .n_units = 3, .is_unsure = true, .finding = NETFLOW_SEQUENCE_FIRST},
        {.sequence = 50, .n_units = 5, .finding = NETFLOW_SEQUENCE_NEXT},
        {.sequence = 56, .n_units = 5, .finding = NETFLOW_SEQUENCE_GAP, .n_missing = 1},
    };
    walk(10, steps, COUNT_OF(steps), &s);
    assert_int_equal(s.n_missing, 1);
}

static void the_fingerprint_sees_head_tail_and_length_and_reads_no_further(void **state)
{
    (void)state;
    uint8_t p[100] = {0};
    uint64_t whole = netflow_fingerprint(p, 100);
    assert_true(whole != netflow_fingerprint(p, 99));
    p[63] = 1;
    assert_true(whole != netflow_fingerprint(p, 100));
    p[63] = 0;
    p[99] = 1;
    assert_true(whole != netflow_fingerprint(p, 100));
    for (size_t n = 0; n < 20; n++) {
        uint8_t *exact = calloc(1, n ? n : 1);
        assert_non_null(exact);
        assert_true(netflow_fingerprint(exact, n) != 0);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_counted_in_units_over_the_wrap),
        cmocka_unit_test(a_late_datagram_is_taken_off_the_loss_and_a_repeated_one_is_not),
        cmocka_unit_test(a_restart_is_no_loss),
        cmocka_unit_test(after_records_nobody_could_count_the_next_datagram_is_not_judged),
        cmocka_unit_test(the_fingerprint_sees_head_tail_and_length_and_reads_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
