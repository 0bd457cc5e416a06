/* SPDX-License-Identifier: Apache-2.0 */
/* Senders and their quotas, on a clock of our own. */
#include "watch/intake/log_source.h"

#include "base/clock.h"
#include "cmocka_house.h"

#include <stdio.h>

#define NOON INT64_C(1767243600000000) /* 2026-01-01 12:00 +07:00 */

static void a_sender_is_its_address_and_its_proved_name(void **state)
{
    struct log_sources s;
    struct ip one = ip_from_v4(0xc0000201), other = ip_from_v4(0xc0000202);
    (void)state;
    assert_int_equal(log_sources_init(&s), 0);
    uint32_t a = log_sources_find(&s, &one, TEXT(""), NOON), b = log_sources_find(&s, &other, TEXT(""), NOON);
    uint32_t c = log_sources_find(&s, &one, TEXT("mail"), NOON);
    assert_true(a && b && c && a != b && a != c && b != c);
    assert_int_equal(log_sources_find(&s, &one, TEXT(""), NOON + 1), a);
    assert_int_equal(log_sources_find(&s, &one, TEXT("mail"), NOON + 1), c);
    for (uint32_t i = 0; i < LOG_SOURCES_MAX + 10; i++) {
        struct ip many = ip_from_v4(0x0a000000 + i);
        (void)log_sources_find(&s, &many, TEXT(""), NOON);
    }
    struct ip beyond = ip_from_v4(0x0a000000 + LOG_SOURCES_MAX + 5);
    assert_int_equal(log_sources_find(&s, &beyond, TEXT(""), NOON), 0);
    assert_int_equal(log_sources_find(&s, &one, TEXT("mail"), NOON), c);
    log_sources_fini(&s);
}

static unsigned admitted(struct log_source *s, const struct log_quota *q, unsigned n, size_t bytes, int64_t now_us)
{
    unsigned k = 0;
    while (n--)
        k += log_source_admits(s, q, bytes, now_us);
    return k;
}

static void messages_a_second_hold_on_the_average_of_the_burst(void **state)
{
    struct log_source s = {0};
    struct log_quota q = {.messages_per_s = 100};
    (void)state;
    assert_int_equal(admitted(&s, &q, 5000, 10, NOON), 100 * QUOTA_BURST_S);
    assert_int_equal(admitted(&s, &q, 5000, 10, NOON + US_PER_SECOND), 100);
    assert_int_equal(admitted(&s, &q, 5000, 10, NOON + 2 * US_PER_SECOND + US_PER_SECOND / 2), 150);
    assert_int_equal(admitted(&s, &q, 5000, 10, NOON + 3600 * US_PER_SECOND), 100 * QUOTA_BURST_S);
    assert_int_equal(admitted(&s, &q, 5000, 10, NOON), 100 * QUOTA_BURST_S); /* a clock set back takes nothing away */
}

static void bytes_a_day_end_at_local_midnight(void **state)
{
    struct log_source s = {0};
    struct log_quota q = {.bytes_per_day = 1000, .zone_s = ZONE_VIETNAM_S};
    int64_t last_us = NOON + 12 * 3600 * US_PER_SECOND - 1;
    (void)state;
    assert_int_equal(admitted(&s, &q, 100, 30, NOON), 33);
    assert_int_equal(admitted(&s, &q, 100, 10, last_us), 1);
    assert_int_equal(admitted(&s, &q, 100, 10, last_us + 1), 100);
    assert_false(log_source_admits(&s, &q, 1001, last_us + 1 + US_PER_DAY));
}

static void a_push_may_leave_its_sender_in_debt_and_is_told_how_long_to_wait(void **state)
{
    struct log_source s = {0};
    struct log_quota q = {.messages_per_s = 10, .bytes_per_day = 10000, .zone_s = ZONE_VIETNAM_S};
    (void)state;
    assert_int_equal(log_source_wait_us(&s, &q, 500, NOON), 0);
    log_source_charge(&s, &q, 200, 500, NOON); /* 100 more than the burst: ten seconds of it */
    int64_t wait_us = log_source_wait_us(&s, &q, 500, NOON);
    assert_in_range(wait_us, 10 * US_PER_SECOND, 10 * US_PER_SECOND + 1000);
    assert_int_equal(log_source_wait_us(&s, &q, 500, NOON + 11 * US_PER_SECOND), 0);
    assert_int_equal(log_source_wait_us(&s, &q, 9900, NOON + 11 * US_PER_SECOND), 12 * 3600 * US_PER_SECOND - 11 * US_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sender_is_its_address_and_its_proved_name),
        cmocka_unit_test(messages_a_second_hold_on_the_average_of_the_burst),
        cmocka_unit_test(bytes_a_day_end_at_local_midnight),
        cmocka_unit_test(a_push_may_leave_its_sender_in_debt_and_is_told_how_long_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
