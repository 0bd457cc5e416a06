/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_house.h"
#include "format/flow_field.h"

static void decimals_become_microseconds_rounded_half_up(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us; /* INT64_MIN: refused */
    } cases[] = {
        {"0", 0}, {"1", 1000000}, {"1.5", 1500000}, {"0.000001", 1}, {"0.0000005", 1}, {"0.0000004", 0},
        {"-2.25", -2250000}, {"1626284618.384979", 1626284618384979}, {"0.23780393600463868", 237804},
        {"0.9999999", 1000000}, {"1e3", 1000000000}, {"1.517336042e9", 1517336042000000}, {"2.5E-1", 250000},
        {"999999999999", 999999999999000000}, {"1000000000000", 1000000000000000000},
        {"", INT64_MIN}, {"-", INT64_MIN}, {"1.", INT64_MIN}, {".5", 500000}, {"1,5", INT64_MIN}, {"0x10", INT64_MIN},
        {"nan", INT64_MIN}, {"inf", INT64_MIN}, {"1e99", INT64_MIN}, {"1 ", INT64_MIN}, {"1e", INT64_MIN}, {"--1", INT64_MIN},
        {"99999999999999999999999999999999999999999999999999999999999999999999", INT64_MIN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t us = 0;
        int rc = field_decimal_us((struct text){cases[i].text, strlen(cases[i].text)}, &us);
        if (rc != (cases[i].us == INT64_MIN) || (!rc && us != cases[i].us))
            fail_msg("%s: %d, %lld", cases[i].text, rc, (long long)us);
    }
}

static void mac_addresses_are_told_from_ipv6(void **state)
{
    (void)state;
    static const char *const macs[] = {"00:15:17:2c:e5:2d", "0:c:29:9:a3:eb", "FF-FF-FF-FF-FF-FF"};
    static const char *const others[] = {"", "::1", "fe80::1", "00:15:17:2c:e5", "00:15:17:2c:e5:2d:00", "00:15:17:2c:e5:2g",
                                         "1:2:3:4:5:6:7:8", "2001:db8:0:0:1:1", "00:15:17:2c::2d"};
    for (size_t i = 0; i < COUNT_OF(macs); i++)
        assert_true(field_is_mac((struct text){macs[i], strlen(macs[i])}));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (field_is_mac((struct text){others[i], strlen(others[i])}))
            fail_msg("%s", others[i]);
}

static void plans_remember_names_and_are_bounded(void **state)
{
    (void)state;
    struct flow_plan *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    flow_plan_clear(p);
    char name[600];
    memset(name, 'x', sizeof(name));
    for (unsigned i = 0; i < CSV_MAX_FIELDS; i++)
        assert_int_equal(flow_plan_add(p, (struct text){name, i ? sizeof(name) : 5}, NULL, "prefix."), 0);
    assert_int_equal(flow_plan_add(p, TEXT("one more"), NULL, ""), 1);
    uint32_t hint = 7;
    assert_int_equal(flow_plan_find(p, TEXT("xxxxx"), &hint), 0);
    assert_int_equal(hint, 1);
    assert_int_equal(flow_plan_find(p, TEXT("y"), &hint), -1);
    assert_int_equal(flow_plan_column(p, 1).n, 255);
    flow_plan_fini(p);
    free(p);
}

static void values_without_their_partners_keep_the_totals(void **state)
{
    (void)state;
    static const struct flow_known ends[] = {
        {"s", FIELD_ADDRESS, FLOW_SOURCE_IP}, {"d", FIELD_ADDRESS, FLOW_DESTINATION_IP}, {"t", FIELD_TIME, FLOW_END},
        {"u", FIELD_DURATION}, {"all", FIELD_TOTAL_BYTES}, {"back", FIELD_NUMBER, FLOW_DESTINATION_BYTES}};
    struct flow_plan *p = calloc(1, sizeof(*p));
    struct buf texts = {.max = 1000};
    struct flow_row r = {.texts = &texts};
    assert_non_null(p);
    flow_plan_clear(p);
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        assert_int_equal(flow_plan_add(p, TEXT("c"), &ends[i], ""), 0);
    assert_true(flow_plan_is_flow(p));
    static const char *const values[] = {"1.1.1.1", "2.2.2.2", "2024-01-01 00:00:10", "2.5", "100", "130"};
    flow_row_begin(&r);
    for (uint32_t i = 0; i < COUNT_OF(values); i++)
        assert_int_equal(flow_row_put(&r, p, i, (struct text){values[i], strlen(values[i])}), 0);
    assert_int_equal(flow_row_finish(&r), 0);
    assert_int_equal(r.flow.end_us - r.flow.start_us, 2500000); /* the start follows from end and duration */
    assert_int_equal(r.flow.source_bytes, 0);                   /* more came back than there was in all */
    assert_int_equal(r.flow.destination_bytes, 130);
    flow_plan_fini(p);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_become_microseconds_rounded_half_up),
        cmocka_unit_test(mac_addresses_are_told_from_ipv6),
        cmocka_unit_test(plans_remember_names_and_are_bounded),
        cmocka_unit_test(values_without_their_partners_keep_the_totals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
